//! What a first process does before all else: file systems, the serial port, the modules.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::command_line::CommandLine;

/// Kind of file system and where it goes.
const FILE_SYSTEMS: &[(&str, &str)] = &[
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("debugfs", "/sys/kernel/debug"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/tmp"),
];

/// The modules to load, a path a line, those that others depend on first.
const MODULES: &str = "/modules.list";

/// The root that the host shares, and what goes there, as in `tests/src/root.rs`.
const ROOT: &str = "/root";
const IN_ROOT: &[(&str, &str)] = &[
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("debugfs", "/sys/kernel/debug"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
];

/// Mounts, takes the serial port and reads the command line.
pub(crate) fn prepare() -> Result<CommandLine> {
    for (kind, at) in FILE_SYSTEMS {
        fs::create_dir_all(at).with_context(|| format!("making {at}"))?;
        match mount(*kind, *at, *kind, MountFlags::empty(), None) {
            // The kernel mounts some itself.
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => Err(error).with_context(|| format!("mounting {kind} at {at}"))?,
        }
    }
    take_serial_port()?;
    Ok(CommandLine::parse(&fs::read_to_string("/proc/cmdline").context("/proc/cmdline")?))
}

/// Makes the tree that the host shares this machine's root, with our own programs in `/run/programs`, and those of the image in
/// `/run/bin`.
pub(crate) fn enter_root() -> Result<()> {
    mount_share("root", ROOT)?;
    for (kind, at) in IN_ROOT {
        let at = format!("{ROOT}{at}");
        mount(*kind, &*at, *kind, MountFlags::empty(), None)
            .with_context(|| format!("mounting {kind} at {at}"))?;
    }
    mount_share("programs", &format!("{ROOT}/run/programs"))?;
    let bin = format!("{ROOT}/run/bin");
    fs::create_dir(&bin).with_context(|| bin.clone())?;
    mount_bind("/bin", &*bin).with_context(|| format!("binding {bin}"))?;
    std::os::unix::fs::chroot(ROOT).context(ROOT)?;
    Ok(std::env::set_current_dir("/")?)
}

/// Mounts a folder that the VMM shares. Nobody changes it meanwhile: what was read is kept.
fn mount_share(tag: &str, at: &str) -> Result<()> {
    fs::create_dir_all(at).with_context(|| format!("making {at}"))?;
    let options = c"trans=virtio,version=9p2000.L,cache=loose,msize=512000";
    mount(tag, at, "9p", MountFlags::RDONLY, Some(options))
        .with_context(|| format!("mounting the share {tag} at {at}"))
}

/// Standard input, output and error become the first serial port, with no echo of what comes in.
fn take_serial_port() -> Result<()> {
    let port =
        OpenOptions::new().read(true).write(true).open("/dev/ttyS0").context("/dev/ttyS0")?;
    let mut modes = tcgetattr(&port).context("the serial port's modes")?;
    modes.local_modes -= LocalModes::ECHO;
    tcsetattr(&port, OptionalActions::Now, &modes).context("the serial port's modes")?;
    dup2_stdin(&port)?;
    dup2_stdout(&port)?;
    dup2_stderr(&port)?;
    Ok(())
}

/// Loads the modules in the list's order, with their parameters from the command line.
pub(crate) fn load_modules(command_line: &CommandLine) -> Result<()> {
    for path in fs::read_to_string(MODULES).context(MODULES)?.lines() {
        let name =
            path.rsplit('/').next().and_then(|file| file.strip_suffix(".ko")).unwrap_or(path);
        let parameters = CString::new(command_line.module_parameters(name))?;
        let file = File::open(path).with_context(|| path.to_owned())?;
        match rustix::system::finit_module(&file, &parameters, 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => Err(error).with_context(|| format!("loading {name}"))?,
        }
    }
    Ok(())
}

/// Seconds since the kernel began, as it writes them.
pub(crate) fn uptime() -> String {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}
