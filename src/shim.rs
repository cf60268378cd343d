//! `vgate shim`: a command whose GPU is vgate's.
//!
//! ```text
//!  vgate shim ──┬── a daemon of its own, unless --daemon names one ◄───────── socket ──┐
//!               └── COMMAND with the preloaded library ── Mesa ── ioctl ── the library ┘
//! ```

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;

use anyhow::{Context, bail};
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Client, Platform};
use mediator::{Clock, Mediator};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::ShimOptions;
use crate::config::plain_shim;

/// The preloaded library.
const LIBRARY: &str = "libvgate_i915.so";
/// What the command's environment says to it.
const SOCKET: &str = "VGATE_SHIM_SOCKET";
const ROOT: &str = "VGATE_SHIM_ROOT";
const PRELOAD: &str = "LD_PRELOAD";

/// The exit code of a command that can't be started, as shells have it.
const NOT_FOUND: u8 = 127;
/// And what is added to the number of the signal that ended one.
const SIGNALLED: i32 = 128;

/// Runs the command; returns its exit code.
pub(crate) fn shim(options: &ShimOptions) -> anyhow::Result<u8> {
    let library = library(options.library.as_deref())?;
    let folder = tempfile::Builder::new().prefix("vgate-shim-").tempdir();
    let folder = folder.context("a folder for the device's files")?;
    let (daemon, socket) = match &options.daemon {
        Some(socket) => (None, socket.clone()),
        None => {
            let socket = folder.path().join("socket");
            (Some(embedded(&socket, options.gpu)?), socket)
        }
    };
    let root = folder.path().join("root");
    std::fs::create_dir(&root).context("the device's files")?;
    let device = *guest_shim::client::Client::connect(&socket)?.device();
    guest_shim::node::make_tree(&root, &device).context("the device's files")?;

    // From here on a signal is for the command, which has the same terminal.
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("signals")?;
    let child = match start(&options.command, &library, &socket, &root) {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("vgate: {}: {error}", name(&options.command).display());
            return Ok(NOT_FOUND);
        }
        Err(error) => {
            return Err(error).context(name(&options.command).display().to_string());
        }
    };
    let handle = signals.handle();
    let status = std::thread::scope(|scope| {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        scope.spawn(move || pass_on(&mut signals, pid));
        let status = wait(child);
        handle.close();
        status
    })?;
    if let Some(daemon) = daemon {
        daemon.shutdown()?;
    }
    Ok(code(status))
}

fn name(command: &[OsString]) -> &Path {
    command.first().map_or(Path::new(""), Path::new)
}

/// The library: as asked for, or beside the program, or where packages put it.
fn library(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("where vgate is")?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    let places = match asked {
        Some(path) => vec![path.to_owned()],
        None => vec![folder.join(LIBRARY), folder.join("../lib/vgate").join(LIBRARY)],
    };
    match places.iter().find_map(|place| place.canonicalize().ok()) {
        Some(library) => Ok(library),
        None => {
            let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
            bail!(
                "the library that stands in for the GPU's driver isn't at {}: build it with \
                 `cargo build --release -p guest-shim-i915`, or name it with --library",
                places.join(" or ")
            )
        }
    }
}

/// A daemon for this command alone.
fn embedded(socket: &Path, platform: Platform) -> anyhow::Result<Mediator<Batch>> {
    let clock = Clock::start();
    let silicon = Arc::new(Model::new(clock).context("the model GPU")?);
    let mut mediator = Mediator::start(silicon, clock)?;
    let config = plain_shim("shim", socket);
    mediator.add_shim(config, move |setup| Ok(Box::new(Client::new(platform, setup))))?;
    Ok(mediator)
}

fn start(command: &[OsString], library: &Path, socket: &Path, root: &Path) -> io::Result<Child> {
    let mut preload = library.as_os_str().to_owned();
    if let Some(others) = std::env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    Command::new(name(command))
        .args(command.iter().skip(1))
        .env(PRELOAD, preload)
        .env(SOCKET, socket)
        .env(ROOT, root)
        .spawn()
}

fn wait(mut child: Child) -> anyhow::Result<ExitStatus> {
    child.wait().context("waiting for the command")
}

/// Until the signals' handle is closed.
fn pass_on(signals: &mut Signals, child: Option<Pid>) {
    for signal in signals.forever() {
        // The terminal has sent an interrupt to the command, too.
        if let (SIGTERM, Some(child)) = (signal, child) {
            // It may have ended just now.
            let _ = kill_process(child, Signal::TERM);
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
