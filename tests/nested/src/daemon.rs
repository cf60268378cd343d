//! The daemon.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mediator::control::Client;
use rustix::process::{Pid, Signal, kill_process};

const FOLDER: &str = "/tmp/nested";
const CONFIGURATION: &str = r#"control = "control"
[gpu]
silicon = "drm:/dev/dri/renderD128"
[[vm]]
name = "vm"
[vm.quotas]
job_time = "3 s"
[[shim]]
name = "shim"
job_time = "3 s"
"#;
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that lies beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A running `vgate run`. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits until it listens.
    pub(crate) fn start() -> Result<Self> {
        // Sockets of one that was killed would look like its own.
        let _ = std::fs::remove_dir_all(FOLDER);
        std::fs::create_dir_all(FOLDER)?;
        let config = Path::new(FOLDER).join("vgate.toml");
        std::fs::write(&config, CONFIGURATION)?;
        let child = Command::new(beside("vgate")?)
            .arg("run")
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .context("vgate")?;
        let mut daemon = Self(child);
        let end = Instant::now() + PATIENCE;
        // Control comes last.
        while Client::connect(&daemon.control()).is_err() {
            ensure!(daemon.0.try_wait()?.is_none(), "vgate ended");
            ensure!(Instant::now() < end, "vgate does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    /// Where it is controlled.
    pub(crate) fn control(&self) -> PathBuf {
        Path::new(FOLDER).join("control")
    }

    /// Where a VM's VMM, or a shim's client, connects.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        Path::new(FOLDER).join(format!("{name}.sock"))
    }

    /// Ends it as an operator does, and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "vgate ended with {status}");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many buffers the guest's driver has, once it has looked after those that are gone.
pub(crate) fn gem_objects() -> Result<u64> {
    let mut last = u64::MAX;
    // What is freed is freed by a worker, and after a grace period.
    for _ in 0..20 {
        /// Retire what is over, wait for what is not, free, shrink, wait until the GPU is idle.
        const DROP: &str = "0x7c";
        let _ = std::fs::write("/sys/kernel/debug/dri/0/i915_gem_drop_caches", DROP);
        let text = std::fs::read_to_string("/sys/kernel/debug/dri/0/i915_gem_objects")
            .context("i915_gem_objects")?;
        let count = text
            .lines()
            .find_map(|line| line.split_once(" shrinkable"))
            .and_then(|(count, _)| count.split_whitespace().next())
            .and_then(|count| count.parse().ok())
            .with_context(|| text.clone())?;
        if count == last {
            return Ok(count);
        }
        last = count;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(last)
}
