//! What a stock guest shows: Debian's kernel with its own i915, on the software GPU.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mediator::control::Client;
use mediator::control::protocol::VmSummary;
use vgate_tests::{Guest, Image, Qemu, Vgate, repository};

use crate::Measured;

pub(crate) const MIB: f64 = (1 << 20) as f64;
const NAME: &str = "guest";
const ENGINES: [&str; 4] = ["rcs", "bcs", "vcs", "vecs"];
/// Submissions of the long and of the short run; the difference leaves out what a program's start costs.
const COUNTS: [u32; 2] = [1, 501];
const LIMIT: Duration = Duration::from_secs(120);

/// A daemon's configuration with these VMs.
pub(crate) fn configuration(names: &[&str]) -> String {
    let mut text = String::from("control = \"control\"\n\n[gpu]\nsilicon = \"model\"\n");
    for name in names {
        text += &format!(
            "\n[[vm]]\nname = \"{name}\"\nsocket = \"{name}.sock\"\nmonitor = \"1024x768@60\"\n"
        );
    }
    text
}

/// The daemon's own memory in bytes: what no file stands behind, so not its guests' memory, and the files that it shares
/// with VMMs, which are the only memfds that it keeps open.
pub(crate) fn resident(vgate: &Vgate) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", vgate.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no RssAnon")?;
    let mut shared = 0;
    for entry in fs::read_dir(format!("/proc/{}/fd", vgate.pid()))? {
        // One that was closed meanwhile is no file any more.
        let path = entry?.path();
        if fs::read_link(&path).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:")) {
            shared += fs::metadata(&path).map_or(0, |file| file.blocks() * 512);
        }
    }
    Ok(kib.parse::<f64>()? * 1024.0 + shared as f64)
}

pub(crate) fn measure() -> Result<Vec<Measured>> {
    let image = Image::build("6.12")?;
    let vgate = Vgate::start("spec-guest", &configuration(&[NAME]), &["control", "guest.sock"])?;
    let idle = resident(&vgate)?;
    let mut steps = "modules,console".to_owned();
    for (engine, count) in runs() {
        steps += &format!(",wait:go,{}", storm(engine, count));
    }
    let begin = Instant::now();
    let mut guest =
        Qemu::new("spec", &image).gpu(&vgate, "guest").steps(&format!("{steps},idle")).start()?;
    guest.wait_step_within("modules", LIMIT)?;
    let probe = summary(&vgate)?;
    guest.wait_step_within("console", LIMIT)?;
    let boot = begin.elapsed().as_secs_f64();
    let at_console = (resident(&vgate)? - idle) / MIB;
    let (worst, note) = traps_per_submission(&vgate, &mut guest)?;
    let grown = (resident(&vgate)? - idle) / MIB;
    guest.kill9()?;
    let unknown =
        format!("i915 with a monitor; {} offsets without a meaning", probe.unknown_registers);
    Ok(vec![
        Measured::new("boot-to-console", boot, "emulated processor"),
        Measured::new("probe-traps", probe.traps as f64, unknown),
        Measured::new(
            "memory-guest",
            grown,
            format!("idle after 2800 submissions; {at_console:.1} MiB at its console"),
        ),
        Measured::new("traps-per-submission", worst, note),
    ])
}

fn runs() -> impl Iterator<Item = (&'static str, u32)> {
    ENGINES.into_iter().flat_map(|engine| COUNTS.map(|count| (engine, count)))
}

fn storm(engine: &str, count: u32) -> String {
    format!("check:storm:--engine:{engine}:--in-flight:1:--count:{count}")
}

fn summary(vgate: &Vgate) -> Result<VmSummary> {
    Ok(Client::connect(&vgate.path("control"))?.show(NAME)?.summary)
}

/// The worst engine's traps, and what they and the interrupts were on each.
fn traps_per_submission(vgate: &Vgate, guest: &mut Guest) -> Result<(f64, String)> {
    let (mut worst, mut notes) = (0.0_f64, Vec::new());
    for engine in ENGINES {
        let [[short_traps, short_interrupts], [traps, interrupts]] = [
            storm_costs(vgate, guest, engine, COUNTS[0])?,
            storm_costs(vgate, guest, engine, COUNTS[1])?,
        ];
        let each =
            |long: u64, short: u64| (long as f64 - short as f64) / f64::from(COUNTS[1] - COUNTS[0]);
        let (traps, interrupts) = (each(traps, short_traps), each(interrupts, short_interrupts));
        worst = worst.max(traps);
        notes.push(format!("{engine} {traps:.2} with {interrupts:.2} interrupts"));
    }
    Ok((worst, notes.join(", ")))
}

/// Traps and interrupts of one run.
fn storm_costs(vgate: &Vgate, guest: &mut Guest, engine: &str, count: u32) -> Result<[u64; 2]> {
    let before = summary(vgate)?;
    guest.send("go")?;
    guest.wait_step_within(&storm(engine, count), LIMIT)?;
    let after = summary(vgate)?;
    Ok([after.traps - before.traps, after.interrupts - before.interrupts])
}

/// The whole of it, as `make demo` runs it when all is built.
pub(crate) fn demo() -> Result<Vec<Measured>> {
    let cargo = || {
        let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        command.current_dir(repository()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let package = ["--quiet", "--release", "--package", "vgate-tests", "--bin", "demo"];
    ensure!(cargo().arg("build").args(package).status()?.success(), "the demo does not build");
    let begin = Instant::now();
    let status = cargo().arg("run").args(package).status()?;
    ensure!(status.success(), "the demo ended with {status}: run it with `make demo`");
    Ok(vec![Measured::new("demo", begin.elapsed().as_secs_f64(), "20 s of it are its table's")])
}
