//! A child process that never outlives the test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Builds packages of this repository's; cargo does nothing if they are current.
///
/// # Errors
/// With what cargo says, if they do not build.
pub(crate) fn cargo_build(arguments: &[&str], target: &Path) -> Result<()> {
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["build", "--quiet"])
        .args(arguments)
        .arg("--target-dir")
        .arg(target)
        .current_dir(crate::repository())
        .output()
        .context("running cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo build {} fails:\n{said}", arguments.join(" "));
    Ok(())
}

/// A child, killed when dropped, and by the kernel when the thread that started it ends.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    name: String,
}

impl Process {
    /// Starts a program with all three standard streams piped.
    pub(crate) fn start(
        program: &OsStr,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        // setpriv (util-linux) becomes the program: the child is the program itself, with its number.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running setpriv (of util-linux)")?;
        Ok(Self::of(child, program))
    }

    /// A child that the kernel is to kill, too, when this thread ends.
    pub(crate) fn of(child: Child, program: &OsStr) -> Self {
        Self { child, name: program.to_string_lossy().into_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless the process has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            let id = Pid::from_child(&self.child);
            kill_process(id, signal).with_context(|| format!("signalling {}", self.name))?;
        }
        Ok(())
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = self.wait_until(limit)?;
        status.with_context(|| format!("{} still runs after {limit:?}", self.name))
    }

    /// Waits for the end. Returns nothing if it hasn't come yet.
    pub(crate) fn wait_until(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > end {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
