//! The steps that a test can ask for.
//!
//! | step | does |
//! |---|---|
//! | `modules` | loads i915 and what it needs |
//! | `connectors` | reports each connector: `VGATE-CONNECTOR NAME STATUS MODE,MODE...`, then `VGATE-EDID NAME HEX` |
//! | `status:WORD` | waits until the driver says by itself that `card0-DP-1` is `connected` or `disconnected` |
//! | `console` | shows a page of known text on the framebuffer console and reports it |
//! | `font` | reports the console's font |
//! | `check:A:B` | runs `/bin/check A B`, its output reported as `VGATE-CHECK TEXT`; must end well within `vgate.timeout` seconds (60) |
//! | `root` | goes into the root of Debian's that the host shares: programs of the steps behind it are that root's |
//! | `serve` | runs the programs that lines on the serial port name, each in its turn (`serve.rs`) |
//! | `dmesg` | reports the kernel's whole log |
//! | `sleep:S` | waits S seconds, a fraction too |
//! | `wait:WORD` | waits until a line WORD comes in by the serial port |
//! | `idle` | waits for ever |
//! | `suspend` | sleeps in S3 until its VMM wakes it up |
//! | `freeze` | sleeps in S0 (idle) until something comes in by the serial port |
//! | `reboot` | restarts the guest, which begins again with the first step |
//! | `crash` | crashes the kernel |
//! | `poweroff` | powers the guest off, as the end of the steps does |

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::system::RebootCommand;

use crate::command_line::CommandLine;
use crate::{boot, console, kernel_log, power, serve};

const CHECK: &str = "/bin/check";
const CHECK_SECONDS: f64 = 60.0;

/// Runs the steps up to the first that fails.
pub(crate) fn run_all(command_line: &CommandLine) {
    for step in command_line.steps() {
        println!("VGATE-STEP {step} begin");
        let start = Instant::now();
        match run(step, command_line) {
            Ok(()) => println!("VGATE-STEP {step} ok {}ms", start.elapsed().as_millis()),
            Err(error) => {
                kernel_log::dump();
                println!("VGATE-STEP {step} FAIL {error:#}");
                return;
            }
        }
    }
}

fn run(step: &str, command_line: &CommandLine) -> Result<()> {
    let (name, argument) = step.split_once(':').unwrap_or((step, ""));
    match name {
        "modules" => boot::load_modules(command_line),
        "connectors" => report_connectors(),
        "status" => wait_status(argument),
        "console" => console::show_page(command_line),
        "font" => console::report_font(),
        "check" => check(argument, command_line),
        "root" => boot::enter_root(),
        "serve" => serve::serve(),
        "dmesg" => {
            kernel_log::dump();
            Ok(())
        }
        "sleep" => {
            std::thread::sleep(seconds(argument)?);
            Ok(())
        }
        "wait" => wait_for(argument),
        "idle" => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
        "suspend" => suspend(),
        "freeze" => freeze(),
        "reboot" => power(RebootCommand::Restart),
        "poweroff" => power(RebootCommand::PowerOff),
        "crash" => fs::write("/proc/sysrq-trigger", "c").context("/proc/sysrq-trigger"),
        _ => bail!("no such step"),
    }
}

/// Returns when the guest has woken up.
fn suspend() -> Result<()> {
    set("/sys/power/mem_sleep", "deep")?;
    set("/sys/power/state", "mem")
}

fn freeze() -> Result<()> {
    set("/sys/class/tty/ttyS0/power/wakeup", "enabled")?;
    set("/sys/power/state", "freeze")?;
    set("/sys/class/tty/ttyS0/power/wakeup", "disabled")
}

fn set(path: &str, value: &str) -> Result<()> {
    fs::write(path, value).with_context(|| path.to_owned())
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds = text.parse().with_context(|| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).with_context(|| format!("{text} s is out of range"))
}

fn report_connectors() -> Result<()> {
    let folder = Path::new("/sys/class/drm");
    let mut connectors: Vec<_> = fs::read_dir(folder)
        .context("there is no DRM device")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("status").exists())
        .collect();
    connectors.sort();
    for path in connectors {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Reading the status probes the connector, which may fill in the rest.
        let status = fs::read_to_string(path.join("status"))?;
        let modes = fs::read_to_string(path.join("modes"))?;
        let modes: Vec<_> = modes.lines().collect();
        println!("VGATE-CONNECTOR {name} {} {}", status.trim(), modes.join(","));
        let edid = fs::read(path.join("edid"))?;
        if !edid.is_empty() {
            let hex: String = edid.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("VGATE-EDID {name} {hex}");
        }
    }
    Ok(())
}

/// How long the driver may take to notice a plug.
const PLUG_PATIENCE: Duration = Duration::from_secs(60);

/// Looks at what the driver knows; does not make it look.
fn wait_status(wanted: &str) -> Result<()> {
    let end = Instant::now() + PLUG_PATIENCE;
    loop {
        let status = fs::read_to_string("/sys/class/drm/card0-DP-1/status")?;
        if status.trim() == wanted {
            return Ok(());
        }
        ensure!(Instant::now() < end, "it stays {}", status.trim());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn check(arguments: &str, command_line: &CommandLine) -> Result<()> {
    let limit = match command_line.get("vgate.timeout") {
        Some(text) => seconds(text)?,
        None => Duration::from_secs_f64(CHECK_SECONDS),
    };
    let mut child = Command::new(CHECK)
        .args(arguments.split(':').filter(|argument| !argument.is_empty()))
        // A check that asks waits for a line, as the step `wait` does.
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(CHECK)?;
    // Dropped by both readers when the child has closed both pipes, that is: has ended.
    let (alive, ended) = mpsc::channel();
    pass_on(child.stdout.take(), alive.clone());
    pass_on(child.stderr.take(), alive);
    if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
        // It may be stuck in the kernel, so don't wait for it.
        let _ = child.kill();
        bail!("time-out after {} s", limit.as_secs_f64());
    }
    let status = child.wait()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn pass_on(pipe: Option<impl Read + Send + 'static>, alive: mpsc::Sender<()>) {
    std::thread::spawn(move || {
        for line in pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
            let Ok(line) = line else { break };
            println!("VGATE-CHECK {line}");
        }
        drop(alive);
    });
}

fn wait_for(word: &str) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        if line?.trim() == word {
            return Ok(());
        }
    }
    bail!("the serial port closed");
}
