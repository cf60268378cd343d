//! Programs of other Debian releases, each in a root of its own: real Mesa with no virtual machine.
//!
//! ```text
//!  test ──spawns──► bwrap ── program of the root target/guest/mesa-RELEASE, read-only
//!                              /run/programs   what tests/mesa builds
//!                              /run/vgate      a folder of the host's, if one is shared: sockets, a library to preload
//!                              /run/shim       vgate's socket and library, if it runs on vgate
//!                              /dev /proc /tmp of its own; no network, no devices, no environment of the test's
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::guest_folder;
use crate::process::{Process, cargo_build};

/// Where a program finds the folder that it shares with the host.
pub const SHARED: &str = "/run/vgate";

/// Where a program finds ours.
const PROGRAMS: &str = "/run/programs";

/// What stands in for the GPU's driver.
const LIBRARY: &str = "libvgate_i915.so";

/// Binds the folder that `vgate shim` made for its command, whose name only its environment tells. `/sys/kernel/debug` is there
/// as on any machine: IGT takes it for mounted if what is above it is on another file system.
const SHIM: &str = r#"--tmpfs /sys --dir /sys/kernel/debug
    --bind "${VGATE_SHIM_SOCKET%/*}" /run/shim --bind "$VGATE_SHIM_ROOT" /run/shim-root
    --ro-bind "$LIBRARY" /run/libvgate_i915.so --setenv LD_PRELOAD "/run/libvgate_i915.so:$PRELOAD"
    --setenv VGATE_SHIM_SOCKET "/run/shim/${VGATE_SHIM_SOCKET##*/}" --setenv VGATE_SHIM_ROOT /run/shim-root"#;

/// A tree of a Debian release's files, in which its programs run.
#[derive(Clone, Debug)]
pub struct Root {
    folder: PathBuf,
}

impl Root {
    /// The releases of Debian that roots with Mesa are made of, oldest first.
    pub const MESA: [&str; 3] = ["12", "13", "forky"];

    /// The root with Mesa of a release ("12").
    ///
    /// # Errors
    /// If it isn't there: with the command that makes it.
    pub fn mesa(release: &str) -> Result<Self> {
        let link = guest_folder().join(format!("mesa-{release}"));
        // Behind the link, setup may put a newer one in its place.
        let folder = link.canonicalize().with_context(|| {
            format!("no root of Debian {release} with Mesa here. Run: scripts/setup mesa-{release}")
        })?;
        Ok(Self { folder })
    }

    /// Where the root lies on the host.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program of the root's, by its name in `/usr/bin` or its path in the root.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Program {
        Program {
            root: self.folder.clone(),
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            host_variables: Vec::new(),
            binds: Vec::new(),
            preload: String::new(),
            shim: None,
        }
    }

    /// `gl-client` of `tests/mesa`, which draws and prints what it saw.
    ///
    /// # Errors
    /// If it does not build.
    pub fn gl_client(&self) -> Result<Program> {
        let mut program = self.program(format!("{PROGRAMS}/gl-client"));
        program.binds.push(["--ro-bind".into(), programs()?.into(), PROGRAMS.into()]);
        Ok(program)
    }

    /// A script for the root's shell, which finds our programs.
    ///
    /// # Errors
    /// If they do not build.
    pub fn script(&self, script: &str) -> Result<Program> {
        let mut program = self.program("sh").args(["-c", script]);
        program.binds.push(["--ro-bind".into(), programs()?.into(), PROGRAMS.into()]);
        Ok(program.env("PATH", format!("/usr/bin:{PROGRAMS}")))
    }
}

/// A program that will run in a root.
#[derive(Clone, Debug)]
#[must_use = "it does not run yet"]
pub struct Program {
    root: PathBuf,
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<[OsString; 3]>,
    /// What `vgate shim` sees, if it runs under it.
    host_variables: Vec<(OsString, OsString)>,
    binds: Vec<[OsString; 3]>,
    /// Libraries that it finds its functions in first, colons between, behind the shim's.
    preload: String,
    /// `vgate` and the library, if it runs on them.
    shim: Option<Shim>,
}

impl Program {
    /// Runs it under `vgate shim`, on the software GPU.
    ///
    /// # Errors
    /// If vgate or its library does not build.
    pub fn on_vgate(mut self) -> Result<Self> {
        self.shim = Some(Shim::build(None)?);
        Ok(self)
    }

    /// The same, as a client of a daemon's.
    ///
    /// # Errors
    /// As [`on_vgate`](Self::on_vgate).
    pub fn on_daemon(mut self, socket: &Path) -> Result<Self> {
        self.shim = Some(Shim::build(Some(socket.to_owned()))?);
        Ok(self)
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment, which has but `PATH`, `HOME`, `LANG` and `XDG_RUNTIME_DIR` otherwise.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push(["--setenv".into(), name.into(), value.into()]);
        self
    }

    /// Sets a variable of `vgate shim`'s, outside of the root.
    pub fn host_env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.host_variables.push((name.into(), value.into()));
        self
    }

    /// Lets it find a folder of the host's as [`SHARED`], and write there.
    pub fn share(mut self, folder: &Path) -> Self {
        self.binds.push(["--bind".into(), folder.into(), SHARED.into()]);
        self
    }

    /// Has it end with one of its frames, the first being 1, which it leaves as [`SHARED`]`/snapshot.png` (`tests/snapshot`
    /// has how).
    ///
    /// # Errors
    /// If the library that does it does not build.
    pub fn until_frame(mut self, frame: u32) -> Result<Self> {
        self.preload = format!("{PROGRAMS}/libsnapshot.so");
        self.binds.push(["--ro-bind".into(), programs()?.into(), PROGRAMS.into()]);
        let file = format!("{SHARED}/snapshot.png");
        Ok(self.env("SNAPSHOT_FRAME", frame.to_string()).env("SNAPSHOT_FILE", file))
    }

    /// What starts it in its root. It ends with the thread that spawned it, and whatever it started does.
    pub fn command(&self) -> Command {
        let mut command = Command::new("bwrap");
        self.confine(&mut command);
        let Some(shim) = &self.shim else {
            if !self.preload.is_empty() {
                command.args(["--setenv", "LD_PRELOAD", &self.preload]);
            }
            command.arg("--").arg(&self.program).args(&self.arguments);
            return command;
        };
        let quote = |word: &OsStr| shlex::try_quote(&word.to_string_lossy()).map(String::from);
        let words = |words: &mut dyn Iterator<Item = &OsStr>| -> String {
            // Arguments of tests have no zeros.
            words.filter_map(|word| quote(word).ok()).collect::<Vec<_>>().join(" ")
        };
        let confined = words(&mut command.get_args());
        let program = std::iter::once(self.program.as_os_str());
        let program = words(&mut program.chain(self.arguments.iter().map(OsString::as_os_str)));
        // The library is for the program, not for what confines it.
        let shim_words = SHIM.replace('\n', " ");
        let script = format!("unset LD_PRELOAD; exec bwrap {confined} {shim_words} -- {program}");
        let mut under = Command::new(&shim.vgate);
        under
            .arg("shim")
            .arg("--library")
            .arg(&shim.library)
            .env("LIBRARY", &shim.library)
            .env("PRELOAD", &self.preload);
        under.envs(self.host_variables.iter().cloned());
        if let Some(daemon) = &shim.daemon {
            under.arg("--daemon").arg(daemon);
        }
        under.args(["--", "sh", "-c", &script]);
        under
    }

    fn confine(&self, command: &mut Command) {
        command
            .arg("--ro-bind")
            .args([self.root.as_os_str(), OsStr::new("/")])
            .args(["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"])
            .args(["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"])
            .args(["--die-with-parent", "--new-session", "--clearenv"]);
        let defaults =
            [("PATH", "/usr/bin"), ("HOME", "/tmp"), ("LANG", "C"), ("XDG_RUNTIME_DIR", "/tmp")];
        for (name, value) in defaults {
            command.args(["--setenv", name, value]);
        }
        command.args(self.binds.iter().chain(&self.variables).flatten());
        command.args(["--chdir", "/tmp"]);
    }

    /// Runs it until it ends, or until `limit` has passed: it is killed then, with whatever it started. What it says is
    /// in `target/guest/logs/NAME.log`, both streams in one.
    ///
    /// # Errors
    /// If bubblewrap isn't there.
    pub fn run(&self, name: &str, limit: Duration) -> Result<Run> {
        let logs = guest_folder().join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("running bwrap (of bubblewrap). Run: scripts/setup")?;
        let mut process = Process::of(child, &self.program);
        let status = process.wait_until(limit)?;
        drop(process);
        let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(Run { status, output, limit, log })
    }
}

/// `vgate` and the library that stands in for the GPU's driver.
#[derive(Clone, Debug)]
struct Shim {
    vgate: PathBuf,
    library: PathBuf,
    /// Its socket, if it is not to be one of the program's own.
    daemon: Option<PathBuf>,
}

impl Shim {
    /// As they are built for the tests.
    fn build(daemon: Option<PathBuf>) -> Result<Self> {
        let (vgate, library) = (crate::vgate::executable()?, crate::library(LIBRARY)?);
        Ok(Self { vgate, library, daemon })
    }
}

/// What came of a program.
#[derive(Debug)]
pub struct Run {
    /// Nothing if it was killed at its limit. A signal that ended the program is 128 and its number, as in a shell.
    pub status: Option<ExitStatus>,
    /// What it printed, on both streams.
    pub output: String,
    limit: Duration,
    log: PathBuf,
}

impl Run {
    /// What it printed, if it ended with success.
    ///
    /// # Errors
    /// If it didn't: with what it said last, and where the rest is.
    pub fn success(self) -> Result<String> {
        let lines: Vec<_> = self.output.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        let log = self.log.display();
        match self.status {
            Some(status) if status.success() => Ok(self.output),
            Some(status) => bail!("{status}, see {log}:\n{tail}"),
            None => bail!("still ran after {:?}, see {log}:\n{tail}", self.limit),
        }
    }
}

/// The folder of our own programs, built once a run: cargo does nothing if they are current.
pub(crate) fn programs() -> Result<&'static Path> {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    if let Some(folder) = PROGRAMS.get() {
        return Ok(folder);
    }
    let target = guest_folder().join("build");
    let packages =
        ["--package", "gl-client", "--package", "snapshot", "--package", "guest-shim-i915"];
    cargo_build(&[&packages[..], &["--profile", "guest"]].concat(), &target)?;
    Ok(PROGRAMS.get_or_init(|| target.join("guest")))
}
