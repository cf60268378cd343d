//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use display::Mode;
use gpu_intel::Platform;
use gpu_intel::engine::Engine;
use log::LevelFilter;

use crate::config;
use crate::qemu_args::Memory;

/// Several virtual machines share one GPU, and each sees a full one.
///
/// vgate plays an Intel Gen9 GPU (Kaby Lake GT2) to each guest over vfio-user, checks what the guests submit, and shares
/// the silicon that executes it among them by weight. Guests run their own, unchanged i915 driver. The host needs no
/// kernel module.
#[derive(Debug, Parser)]
#[command(version, after_help = BRIEF, after_long_help = MANUAL, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const BRIEF: &str = "`vgate --help` has examples, files and exit codes.";

const MANUAL: &str = "\
Examples:
  Check a configuration, then run the daemon with it:
      vgate check vgate.toml
      vgate run vgate.toml
  Start a guest on the VM \"left\":
      qemu-system-x86_64 $(vgate qemu-args left --memory 2G) -drive file=left.qcow2
  See who uses the GPU, and what a guest's monitor shows:
      vgate top
      vgate ctl screenshot left -o left.png
  Keep the state of a guest's GPU, while its VMM has the guest stopped:
      vgate ctl save left left.state

Exit codes:
  0  it is done; for `run`: it was asked to end (SIGTERM, SIGINT) and did
  1  it failed: no daemon, no such VM, a socket that can't be opened, a state that doesn't fit
  2  the command line or the configuration is wrong; nothing was started

Files:
  $XDG_RUNTIME_DIR/vgate/control   the control socket, unless the configuration names another;
  /run/vgate/control               the same without XDG_RUNTIME_DIR
  NAME.sock beside it              where the VMM of the VM NAME connects, unless it names another
  Sockets belong to the user that runs the daemon, with mode 0600.

Environment:
  XDG_RUNTIME_DIR   see above
  VGATE_CONTROL     the control socket for ctl, top and qemu-args; --control goes before it
  VGATE_LOG         how much `run` logs; --log goes before it";

const DOCTOR_MANUAL: &str = "\
Looks at the host and changes nothing. Each line is a finding: `ok`, `weak` (it works, less well: the line says what is
lost) or `missing` (guests can't run on this GPU). Numbers that are weak have what to write, and where.

With --json it prints one JSON object: what owners of real hardware may attach to a report. It names the kernel, the GPU,
its driver's version and settings, and nothing of the user's.

Examples:
  vgate doctor
  vgate doctor --node /dev/dri/renderD129 --json > doctor.json

Exit codes:
  0  guests can run on this GPU, perhaps less well: see the findings
  1  they can't";

const SHIM_MANUAL: &str = "\
The command, and all that it starts, sees an i915 render node that a preloaded library plays: Mesa's iris and anv run on
it unchanged. Without --daemon vgate serves it by itself, on the software GPU, and for as long as the command runs.

Examples:
  vgate shim -- eglinfo -B
  vgate shim --daemon /run/vgate/desktop.sock -- vkmark --winsys headless

Exit codes:
  that of the command; 127 if there is no such command, 128 and the signal's number if one ended it;
  1 if there is no daemon at that socket, or no library";

/// `vgate doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The GPU, by its render node
    #[arg(long, value_name = "PATH", default_value = "/dev/dri/renderD128")]
    pub(crate) node: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon until SIGTERM or SIGINT
    ///
    /// The whole configuration is checked first; if anything is wrong, all of it is reported with line and column, and
    /// nothing is started (exit code 2). When ready, prints a line for each VM: its name and the socket that its VMM
    /// connects to. Logs go to standard error. A daemon that can't open one of its sockets ends with exit code 1.
    Run {
        /// The configuration, in TOML; docs/vgate.example.toml explains every key
        config: PathBuf,
        /// How much to log
        ///
        /// One of off, error, warn, info, debug and trace.
        #[arg(long, value_name = "LEVEL", env = "VGATE_LOG", default_value = "info")]
        log: LevelFilter,
    },
    /// Check a configuration and start nothing
    ///
    /// Reports everything that is wrong with line and column, as `run` does. EDID files are read. Whether sockets can be
    /// opened only `run` can tell.
    Check {
        /// The configuration
        config: PathBuf,
    },
    /// Say whether this host's GPU can execute for guests, and what to change
    #[command(after_long_help = DOCTOR_MANUAL)]
    Doctor(DoctorOptions),
    /// Look at a running daemon's VMs, and act on them
    Ctl {
        #[command(flatten)]
        control: Control,
        /// Print JSON instead of tables
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        action: Action,
    },
    /// List the commands of batches, field by field
    #[command(after_long_help = DECODE_MANUAL)]
    Decode(DecodeOptions),
    /// Judge the batches of captures as guests' batches are judged
    #[command(after_long_help = AUDIT_MANUAL)]
    Audit(AuditOptions),
    /// Draw captures with the software model, and save what they drew
    #[command(after_long_help = REPLAY_MANUAL)]
    Replay(ReplayOptions),
    /// Run a command whose GPU is vgate's, with no virtual machine and no kernel driver
    #[command(after_long_help = SHIM_MANUAL)]
    Shim(ShimOptions),
    /// Make a monitor's EDID, or explain one
    #[command(after_long_help = EDID_MANUAL)]
    Edid(EdidOptions),
    /// Show what each VM does to the GPU, live
    #[command(after_long_help = TOP_MANUAL)]
    Top {
        #[command(flatten)]
        control: Control,
        #[command(flatten)]
        options: TopOptions,
    },
    /// Print the QEMU options that attach a guest to a VM
    #[command(after_long_help = QEMU_MANUAL)]
    QemuArgs(QemuArgs),
    /// Print a script that completes vgate's command line
    ///
    /// For bash: vgate completions bash > ~/.local/share/bash-completion/completions/vgate
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which daemon.
#[derive(Debug, Args)]
pub(crate) struct Control {
    /// The daemon's control socket
    ///
    /// Without it: $XDG_RUNTIME_DIR/vgate/control, or /run/vgate/control if that variable is not set.
    #[arg(long, value_name = "PATH", env = "VGATE_CONTROL", global = true)]
    control: Option<PathBuf>,
}

impl Control {
    /// The socket that is meant.
    pub(crate) fn path(&self) -> PathBuf {
        self.control.clone().unwrap_or_else(crate::control::default_path)
    }
}

/// What `vgate ctl` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List the VMs
    List,
    /// Show all that is known of a VM
    ///
    /// Its state, its use of each engine, what its guest did wrong and by which rule, the device's counters, and the
    /// registers that the guest touched but the device doesn't know.
    Show {
        /// The VM's name
        vm: String,
    },
    /// Write what a VM's monitor shows to a PNG file
    Screenshot {
        /// The VM's name
        vm: String,
        /// The file, or - for standard output
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Plug a monitor into a VM's GPU
    ///
    /// The guest's driver is told as by a real one, reads its EDID and may set its mode. A monitor that is still there is
    /// pulled out first. Without --monitor and --edid it is the one that was there last.
    Plug {
        /// The VM's name
        vm: String,
        #[command(flatten)]
        monitor: MonitorChoice,
    },
    /// Pull a VM's monitor out
    Unplug {
        /// The VM's name
        vm: String,
    },
    /// Stop a VM's GPU and save its state to a file
    ///
    /// Stop the guest by its VMM before (QEMU's `stop`): its memory is not in the file, and belongs to the state as it
    /// is then. What the VM has on the GPU comes back and is saved with it. The GPU stands still from then on, until
    /// `resume`, `restore` or `reset`. Other VMs don't notice. docs/save-restore.md has the whole procedure.
    Save {
        /// The VM's name
        vm: String,
        /// The file; it is replaced only when the state is complete
        file: PathBuf,
    },
    /// Let a VM's GPU go on that stands still since it was saved
    Resume {
        /// The VM's name
        vm: String,
    },
    /// Restore a VM's GPU from a file that `save` wrote
    ///
    /// The VMM must be connected, with the guest stopped and its memory as it was when the state was saved. What the GPU
    /// was before is gone, a quarantine too. A state that doesn't fit is refused, and the VM stays as it was.
    Restore {
        /// The VM's name
        vm: String,
        /// The file
        file: PathBuf,
    },
    /// Reset a VM's GPU to its state after power-on
    ///
    /// What it has on the GPU is killed, and a quarantine is lifted. The guest isn't asked: to its driver this is a GPU
    /// that hangs. Other VMs don't notice.
    Reset {
        /// The VM's name
        vm: String,
    },
}

/// A monitor as the command line names it.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct MonitorChoice {
    /// A monitor of this mode, such as 1920x720 or 1920x1080@50
    #[arg(long, value_name = "MODE")]
    pub(crate) monitor: Option<Mode>,
    /// The monitor that this EDID file describes, such as one from /sys/class/drm
    #[arg(long, value_name = "FILE")]
    pub(crate) edid: Option<PathBuf>,
}

const DECODE_MANUAL: &str = "\
Examples:
  All batches of a capture, a page at a time:
      vgate decode triangle.i9t | less
  The names of the commands in a raw batch for the blitter:
      vgate decode batch.bin --engine bcs --json | jq -r .command

A batch that starts others is followed into each of them once. With --json each command is a line:
  {\"exec\", \"engine\", \"address\", \"command\", \"dwords\": [...], \"fields\": {\"NAME\": VALUE, ...}}
and where a batch can be followed no further, {\"exec\", \"address\", \"stopped\": RULE, \"reason\"}.
Exit code 2: the file is neither a capture nor a batch.";

/// What `vgate decode` lists.
#[derive(Debug, Args)]
pub(crate) struct DecodeOptions {
    /// A capture, or a batch as it stands in memory: dwords, little endian
    pub(crate) file: PathBuf,
    /// The engine that a raw batch is for; a capture says so itself
    #[arg(long, value_enum, default_value = "rcs")]
    pub(crate) engine: EngineChoice,
    /// Only the batch with this number
    #[arg(long, value_name = "N")]
    pub(crate) exec: Option<u64>,
    /// Print a line of JSON for each command
    #[arg(long)]
    pub(crate) json: bool,
}

/// An engine, by i915's name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum EngineChoice {
    /// Render
    Rcs,
    /// Copy
    Bcs,
    /// Video
    Vcs,
    /// Video enhancement
    Vecs,
}

impl From<EngineChoice> for Engine {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Rcs => Self::Render,
            EngineChoice::Bcs => Self::Copy,
            EngineChoice::Vcs => Self::Video,
            EngineChoice::Vecs => Self::VideoEnhance,
        }
    }
}

const AUDIT_MANUAL: &str = "\
With --json each batch is a line
  {\"trace\", \"exec\", \"commands\", \"verdict\": \"pass\" | \"fail\" | \"quarantine\", \"reason\"}
and the last line sums up: {\"traces\", \"execs\", \"commands\", \"bytes\", \"pass\", \"fail\", \"quarantine\"}.
docs/audit.md explains the rules that reasons begin with.

Exit codes:
  0  all batches pass
  1  some do not
  2  a file is no capture, or broken";

/// What `vgate audit` judges.
#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    /// Captures
    #[arg(required = true, value_name = "TRACE")]
    pub(crate) traces: Vec<PathBuf>,
    /// Print lines of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const REPLAY_MANUAL: &str = "\
Examples:
  What a capture draws, as pictures:
      vgate replay tests/corpus/m25_gl_tri.i9t --out pictures
  How long each batch takes, on one thread:
      RAYON_NUM_THREADS=1 vgate replay tests/corpus/m25_gl_anim.i9t --json

  The state and the shaders of a capture's first draw:
      printf 'draw\nstate\ncode\n' | vgate replay tests/corpus/m25_gl_tri.i9t --step

Each render target that a batch drew to is shown as it is after the batch: its first layer, of 2x and more its first
sample. With --step a batch goes command by command: `help` lists the orders. With --json each batch is a line
  {\"trace\", \"exec\", \"milliseconds\", \"stopped\", \"pictures\": [{\"address\", \"format\", \"width\", \"height\", \"file\"}]}

Exit codes:
  0  all batches came to their end
  1  some did not
  2  a file is no capture, or broken";

/// What `vgate replay` draws.
#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// Captures
    #[arg(required = true, value_name = "TRACE")]
    pub(crate) traces: Vec<PathBuf>,
    /// Save pictures here: TRACE-EXEC-NUMBER.png
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
    /// Print a line of JSON for each batch
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop before each command, and take orders from standard input
    #[arg(long, conflicts_with = "json")]
    pub(crate) step: bool,
}

const EDID_MANUAL: &str = "\
Examples:
  What a VM with `monitor = \"1920x720\"` sees:
      vgate edid 1920x720 --decode
  A file for another program, and the file of a real monitor explained:
      vgate edid 1920x720 -o monitor.bin
      vgate edid --file /sys/class/drm/card0-DP-1/edid --decode";

/// What `vgate edid` makes.
#[derive(Debug, Args)]
pub(crate) struct EdidOptions {
    /// The monitor's mode, from 640x480 to 3840x2160, such as 1920x720 or 1920x1080@50
    #[arg(default_value = "1024x768", conflicts_with = "file")]
    pub(crate) mode: Mode,
    /// Take this EDID instead of making one; it is checked
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write the bytes to a file, or with - to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the bytes as hexadecimal digits, sixteen a line; so it does if nothing else is asked for
    #[arg(long)]
    pub(crate) hex: bool,
    /// Print what it tells
    #[arg(long)]
    pub(crate) decode: bool,
}

const TOP_MANUAL: &str = "\
Columns:
  VM          the VM's name
  STATE       waiting (no VMM connected), connected, quarantined (cut off, by which rule), stopped
  SUBMITS/S   jobs handed to the scheduler each second, all engines together
  GPU MS/S    engine time used each second, in milliseconds; two busy engines give up to 2000
  SHARE       its part of the engine time that all VMs used together
  WAIT MS     how long a job waited for its turn, on average
  FAULTS      jobs refused or faulted, since the daemon started
  KILLED      jobs that were cancelled or ran over their budget, since the daemon started
  RESETS      resets of the device, since the daemon started
  IRQS/S      interrupts to the guest each second
  TRAPS/S     accesses of the guest to the device each second
  MODE        what its monitor shows

On a terminal the table is drawn anew each interval, until Ctrl-C. Elsewhere it is printed once.
A job's time counts when it ends or is preempted.";

/// How long and how often `vgate top` looks.
#[derive(Debug, Args)]
pub(crate) struct TopOptions {
    /// Print one table, over one interval, and end
    #[arg(long, conflicts_with_all = ["count", "seconds"])]
    pub(crate) once: bool,
    /// The length of an interval in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// End after that many intervals
    #[arg(long, value_name = "N", conflicts_with = "seconds",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// End after that time, with a table of the averages over all of it
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,
}

/// Reads "0.5", "10": at least a hundredth of a second, at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    const RANGE: std::ops::RangeInclusive<f64> = 0.01..=86_400.0;
    let number = text.parse().ok().filter(|seconds| RANGE.contains(seconds));
    number
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("a number from {} to {}", RANGE.start(), RANGE.end()))
}

const QEMU_MANUAL: &str = "\
What it prints:
  -object memory-backend-memfd   guest memory that vgate can map too; sealed against shrinking
  -machine q35                   with that memory
  -m                             the memory's size
  -vga none                      no other graphics card
  -device vfio-user-pci          the GPU, at 00:02.0 where i915 looks for it

QEMU 10.1 or later has vfio-user-pci. The daemon must run before QEMU starts. Write your own
-machine options after these as `-machine KEY=VALUE`: QEMU merges them.

Examples:
  qemu-system-x86_64 $(vgate qemu-args left) -drive file=left.qcow2
  eval \"qemu-system-x86_64 $(vgate qemu-args left --shell) -drive file=left.qcow2\"";

/// What `vgate qemu-args` prints.
#[derive(Debug, Args)]
pub(crate) struct QemuArgs {
    /// The VM's name
    pub(crate) vm: String,
    /// Take the VM from this configuration; no daemon is asked
    #[arg(long, value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) control: Control,
    /// The guest's memory, such as 512M or 4G
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = memory)]
    pub(crate) memory: Memory,
    /// One line, quoted for a shell's eval or to be pasted; else an option a line, for $(...)
    #[arg(long)]
    pub(crate) shell: bool,
    /// A JSON array of words
    #[arg(long, conflicts_with = "shell")]
    pub(crate) json: bool,
}

fn memory(text: &str) -> Result<Memory, String> {
    Memory::new(config::size(text)?)
}

/// `vgate shim`
#[derive(Debug, Args)]
pub(crate) struct ShimOptions {
    /// Which GPU the command sees, without --daemon
    ///
    /// kaby-lake (kbl), skylake (skl), coffee-lake (cfl) or broxton (bxt).
    #[arg(long, value_name = "GPU", default_value_t, conflicts_with = "daemon")]
    pub(crate) gpu: Platform,
    /// The socket of a shim that a daemon serves
    #[arg(long, value_name = "SOCKET", env = "VGATE_SHIM_SOCKET")]
    pub(crate) daemon: Option<PathBuf>,
    /// The library to preload
    ///
    /// Without it: libvgate_i915.so beside the program, or in ../lib/vgate.
    #[arg(long, value_name = "FILE", env = "VGATE_SHIM_LIBRARY")]
    pub(crate) library: Option<PathBuf>,
    /// How much to log, without --daemon
    ///
    /// One of off, error, warn, info, debug and trace.
    #[arg(long, value_name = "LEVEL", env = "VGATE_LOG", default_value = "warn")]
    pub(crate) log: LevelFilter,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
