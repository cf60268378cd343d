//! A vgate daemon of the test's own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use display::Picture;
use mediator::control::Client;
use mediator::control::protocol::VmReport;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::guest_folder;
use crate::process::{Process, cargo_build};

/// How long the daemon may take until it listens, and to end when asked.
const LIMIT: Duration = Duration::from_secs(20);

/// A daemon with a folder of its own for its sockets and files. Dropping it kills it.
#[derive(Debug)]
pub struct Vgate {
    process: Process,
    folder: TempDir,
    log: PathBuf,
}

impl Vgate {
    /// Builds `vgate` if its sources changed, starts `vgate run CONFIG` in a new folder, and waits until each of the
    /// sockets (paths, of the folder if relative) is there. `name` names the log. In the configuration, `{folder}`
    /// stands for the folder.
    ///
    /// # Errors
    /// If vgate does not build, ends, or doesn't listen in time: with what it said last.
    pub fn start(name: &str, configuration: &str, sockets: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vgate-").tempdir()?;
        let path = folder.path().join("vgate.toml");
        fs::write(&path, configuration.replace("{folder}", &folder.path().to_string_lossy()))?;
        let mut process =
            Process::start(program()?.as_os_str(), [OsStr::new("run"), path.as_os_str()])?;

        let logs = guest_folder().join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.vgate.log"));
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            process.child.stdout.take().map(|stream| Box::new(stream) as _),
            process.child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        for mut stream in streams.into_iter().flatten() {
            let mut file = file.try_clone()?;
            std::thread::spawn(move || std::io::copy(&mut stream, &mut file));
        }

        let mut vgate = Self { process, folder, log };
        for socket in sockets {
            vgate.wait_socket(socket)?;
        }
        Ok(vgate)
    }

    /// Starts a daemon with the software GPU for VMs named and with monitors as given; each one's socket is
    /// `NAME.sock` in the daemon's folder, the control socket `control`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn for_vms(name: &str, vms: &[(&str, &str)]) -> Result<Self> {
        let mut configuration = String::from("control = \"control\"\n[gpu]\nsilicon = \"model\"\n");
        let mut sockets = vec!["control".to_owned()];
        for (vm, monitor) in vms {
            configuration += &format!("[[vm]]\nname = \"{vm}\"\nmonitor = \"{monitor}\"\n");
            sockets.push(format!("{vm}.sock"));
        }
        let sockets: Vec<_> = sockets.iter().map(String::as_str).collect();
        Self::start(name, &configuration, &sockets)
    }

    /// The socket of a VM.
    pub fn socket(&self, vm: &str) -> PathBuf {
        self.path(&format!("{vm}.sock"))
    }

    /// What attaches QEMU to a VM by another `socket` than the VM's own.
    pub(crate) fn attachment_through(&self, vm: &str, socket: &Path) -> Attachment {
        let through = Some((self.socket(vm), socket.to_owned()));
        Attachment { through, ..self.attachment(vm) }
    }

    /// What attaches QEMU to a VM.
    pub(crate) fn attachment(&self, vm: &str) -> Attachment {
        Attachment { control: self.path("control"), vm: vm.to_owned(), through: None }
    }

    /// All that the daemon says of a VM.
    ///
    /// # Errors
    /// If it doesn't answer.
    pub fn show(&self, vm: &str) -> Result<VmReport> {
        Ok(self.client()?.show(vm)?)
    }

    /// What a VM's display shows.
    ///
    /// # Errors
    /// If it shows nothing.
    pub fn screenshot(&self, vm: &str) -> Result<Picture> {
        Ok(Picture::from_png(&self.client()?.screenshot(vm)?.png)?)
    }

    fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.path("control"))?)
    }

    /// The daemon's process number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The daemon's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the daemon's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the daemon has said so far.
    ///
    /// # Errors
    /// If its log can't be read.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Runs `vgate ARGUMENT...` in the daemon's folder, and returns what it printed.
    ///
    /// # Errors
    /// If it fails: with what it said.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let output =
            Command::new(program()?).args(arguments).current_dir(self.folder()).output()?;
        ensure!(
            output.status.success(),
            "vgate {}: {}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `vgate ARGUMENT...` in the daemon's folder, on this program's own terminal.
    ///
    /// # Errors
    /// If it fails.
    pub fn follow(&self, arguments: &[&str]) -> Result<()> {
        let status =
            Command::new(program()?).args(arguments).current_dir(self.folder()).status()?;
        ensure!(status.success(), "vgate {}: {status}", arguments.join(" "));
        Ok(())
    }

    /// Fails unless the daemon still runs.
    ///
    /// # Errors
    /// If it ended, with what it said last.
    pub fn still_runs(&mut self) -> Result<()> {
        if let Some(status) = self.process.child.try_wait()? {
            bail!("vgate ended with {status}:\n{}", self.tail());
        }
        Ok(())
    }

    /// Asks the daemon to end (SIGTERM), and fails unless it ends well.
    ///
    /// # Errors
    /// If it doesn't end in time or not with success.
    pub fn stop(mut self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        let status = self.process.wait(LIMIT)?;
        ensure!(status.success(), "vgate ended with {status}:\n{}", self.tail());
        Ok(())
    }

    /// Kills the daemon as `kill -9` does.
    ///
    /// # Errors
    /// If it doesn't go.
    pub fn kill9(&mut self) -> Result<ExitStatus> {
        self.process.signal(Signal::KILL)?;
        self.process.wait(LIMIT)
    }

    fn wait_socket(&mut self, socket: &str) -> Result<()> {
        let path = self.path(socket);
        let end = Instant::now() + LIMIT;
        while !path.exists() {
            self.still_runs()?;
            ensure!(
                Instant::now() < end,
                "vgate made no socket {} within {LIMIT:?}:\n{}",
                path.display(),
                self.tail()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Fails if any request of a guest was refused.
///
/// # Errors
/// With what was refused.
pub fn nothing_was_refused(report: &VmReport) -> Result<()> {
    ensure!(report.summary.reasons.is_empty(), "refused: {:?}", report.summary.reasons);
    for counter in ["refused_at_scan", "refused_at_fetch"] {
        ensure!(report.device.get(counter) == Some(&0), "{counter}: {:?}", report.device);
    }
    Ok(())
}

/// A VM that a QEMU will be attached to.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    control: PathBuf,
    vm: String,
    /// The VM's socket, and the one that stands in for it.
    through: Option<(PathBuf, PathBuf)>,
}

impl Attachment {
    /// QEMU's options, as `vgate qemu-args` prints them.
    pub(crate) fn arguments(&self, memory_mib: u32) -> Result<Vec<String>> {
        let output = Command::new(program()?)
            .args(["qemu-args", &self.vm, "--json", "--memory", &format!("{memory_mib}M")])
            .arg("--control")
            .arg(&self.control)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "vgate qemu-args: {}\n{said}", output.status);
        let mut arguments: Vec<String> = serde_json::from_slice(&output.stdout)?;
        if let Some((own, other)) = &self.through {
            let (own, other) = (own.to_string_lossy(), other.to_string_lossy());
            for argument in &mut arguments {
                *argument = argument.replace(&*own, &other);
            }
            ensure!(arguments.iter().any(|a| a.contains(&*other)), "no socket in {arguments:?}");
        }
        Ok(arguments)
    }
}

/// The released `vgate`, built once a run with its libraries: cargo does nothing if they are current.
pub(crate) fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PROGRAM.get() {
        return Ok(path);
    }
    let target = target_folder()?;
    let program = ["--release", "--package", "vgate", "--bin", "vgate"];
    let libraries = ["--package", "guest-shim-i915", "--package", "guest-shim-c", "--lib"];
    cargo_build(&[&program[..], &libraries].concat(), &target)?;
    Ok(PROGRAM.get_or_init(|| target.join("release/vgate")))
}

/// The target folder that this program itself lies in, wherever the caller put it: the one around its profile's folder.
fn target_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let is_profile = |folder: &&Path| folder.ends_with("debug") || folder.ends_with("release");
    let target = own.ancestors().find(is_profile).and_then(Path::parent);
    Ok(target.context("this program lies in no target folder of cargo's")?.to_owned())
}

/// A library of vgate's, as it was built beside the program.
///
/// # Errors
/// If it does not build.
pub fn library(name: &str) -> Result<PathBuf> {
    let library = program()?.with_file_name(name);
    ensure!(library.exists(), "{} was not built", library.display());
    Ok(library)
}

/// The released `vgate`.
///
/// # Errors
/// If it does not build.
pub fn executable() -> Result<PathBuf> {
    Ok(program()?.to_owned())
}
