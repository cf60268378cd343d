//! Checks a GPU from inside a guest: talks to the stock i915 driver and needs no other software.
//!
//! Each check submits work of its own, reads the results back and compares them with what this
//! program computes itself. One line says how each went:
//!
//! ```text
//! CHECK stores ok rcs0 bcs0 vcs0 vecs0: 1536 stores
//! CHECK waits FAIL a batch on vcs0 did not end in 20 s
//! ```
//!
//! The exit status is 0 if every check passed, 1 if one failed, 2 for a wrong command line. A check
//! that doesn't end in its time fails; it is left behind, and the next one begins.

mod apertures;
mod blits;
mod blitter;
mod commands;
mod contexts;
mod flips;
mod i915;
mod load;
mod mapping;
mod overlay;
mod patterns;
mod picture;
mod planes;
mod preemption;
mod raster;
mod refusals;
mod screen;
mod stores;
mod storm;
mod streamer;
mod surface;
mod timestamps;
mod uapi;
mod waits;

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Parser;

use crate::i915::{Device, Engine};

/// Checks a GPU from inside a guest, through the stock i915 driver.
#[derive(Clone, Debug, Parser)]
#[command(name = "check")]
pub(crate) struct Options {
    /// Checks to run, in this order; "all" for those that neither draw nor hang, "list" to list them.
    #[arg(required = true)]
    checks: Vec<String>,
    /// Print one JSON object for each check.
    #[arg(long)]
    json: bool,
    /// Device node; the checks that draw need a primary node.
    #[arg(long, default_value = "/dev/dri/card0")]
    device: String,
    /// Only this engine, where a check goes over several.
    #[arg(long)]
    engine: Option<Engine>,
    /// Multiplies every check's time limit.
    #[arg(long, default_value_t = 1)]
    patience: u32,
    /// storm: submissions.
    #[arg(long, default_value_t = 10_000)]
    count: u32,
    /// storm: most submissions that are queued at a time on one engine.
    #[arg(long, default_value_t = 16)]
    in_flight: u32,
    /// patterns, busy, pulse: how long to go on.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// patterns: hue of the picture, in degrees.
    #[arg(long, default_value_t = 200)]
    hue: u16,
    /// patterns: frame buffers are X-tiled instead of linear.
    #[arg(long)]
    tiled: bool,
    /// patterns: don't move; leave the final picture on the screen and check it.
    #[arg(long = "final")]
    final_picture: bool,
    /// patterns: stay this many seconds after the last line, so that the picture stays.
    #[arg(long, default_value_t = 0)]
    hold: u64,
}

impl Options {
    /// The engines to check: those the driver has, or the one asked for.
    pub(crate) fn engines(&self, device: &Device) -> Result<Vec<Engine>> {
        let engines = device.engines()?;
        match self.engine {
            None => Ok(engines),
            Some(engine) if engines.contains(&engine) => Ok(vec![engine]),
            Some(engine) => bail!("the driver has no {engine}"),
        }
    }
}

struct Check {
    name: &'static str,
    what: &'static str,
    /// Seconds.
    limit: u32,
    /// Whether "all" includes it.
    quiet: bool,
    run: fn(&Options) -> Result<String>,
}

const CHECKS: &[Check] = &[
    check("stores", "dword and qword stores at many offsets, on every engine", 60, stores::stores),
    check("high", "stores to addresses above 4 GiB, up to the top", 60, stores::high),
    check("pages", "stores at page edges of small, 64 KiB and large objects", 120, stores::pages),
    check("commands", "registers, MI_MATH, atomics, copies, predicates, chains", 60, streamer::run),
    check("storm", "thousands of submissions over all engines", 300, storm::run),
    check("interleave", "contexts keep their registers while they take turns", 120, contexts::run),
    check("waits", "waits time out while a batch polls, and end after it", 60, waits::waits),
    check("timestamps", "time stamps advance at the rate of real time", 60, timestamps::run),
    check("blits", "fills and copies, against a model on the CPU", 300, blits::run),
    check("apertures", "linear and tiled buffers seen through the aperture", 120, apertures::run),
    Check { quiet: false, ..check("patterns", "moving pictures on the screen", 60, patterns::run) },
    Check { quiet: false, ..check("busy", "keeps the blitter busy", 60, load::busy) },
    Check { quiet: false, ..check("pulse", "gaps between small submissions", 60, load::pulse) },
    Check {
        quiet: false,
        ..check("planes", "every format, tiling, turn and blend", 600, planes::run)
    },
    Check {
        quiet: false,
        ..check("flips", "flips end in order, at the mode's rate", 60, flips::run)
    },
    Check {
        quiet: false,
        ..check("preempt", "urgent work interrupts what never ends", 120, preemption::preempt)
    },
    Check {
        quiet: false,
        ..check(
            "timeslice",
            "a spinner makes room for the one that ends it",
            120,
            preemption::slice,
        )
    },
    Check { quiet: false, ..check("resethang", "an endless batch is reset", 120, waits::hang) },
    Check {
        quiet: false,
        ..check("refusals", "what a user may not ask for is refused", 500, refusals::run)
    },
];

const fn check(
    name: &'static str,
    what: &'static str,
    limit: u32,
    run: fn(&Options) -> Result<String>,
) -> Check {
    Check { name, what, limit, quiet: true, run }
}

/// Runs one check on a thread of its own, and leaves the thread behind when its time is over.
fn supervise(check: &'static Check, options: &Options) -> Result<String> {
    let extra = match check.name {
        "patterns" | "busy" | "pulse" => options.seconds,
        _ => 0,
    };
    let limit = (check.limit + extra).saturating_mul(options.patience);
    let (sender, receiver) = mpsc::channel();
    let options = options.clone();
    thread::spawn(move || sender.send((check.run)(&options)));
    match receiver.recv_timeout(Duration::from_secs(limit.into())) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(anyhow!("not done in {limit} s")),
        Err(RecvTimeoutError::Disconnected) => Err(anyhow!("the check crashed; see above")),
    }
}

fn report(options: &Options, name: &str, result: &Result<String>, took: Duration) {
    let (passed, text) = match result {
        Ok(detail) => (true, detail.clone()),
        Err(error) => (false, format!("{error:#}")),
    };
    if options.json {
        let line = serde_json::json!({
            "check": name, "ok": passed, "detail": text, "seconds": took.as_secs_f64(),
        });
        println!("{line}");
    } else {
        println!("CHECK {name} {} {text}", if passed { "ok" } else { "FAIL" });
    }
}

fn select(names: &[String]) -> Result<Vec<&'static Check>, String> {
    let mut selected = Vec::new();
    for name in names {
        if name == "all" {
            selected.extend(CHECKS.iter().filter(|check| check.quiet));
        } else {
            let found = CHECKS.iter().find(|check| check.name == name);
            selected.push(found.ok_or_else(|| format!("no check {name:?}; try \"check list\""))?);
        }
    }
    Ok(selected)
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.checks.iter().any(|name| name == "list") {
        for check in CHECKS {
            println!("{:<11} {}", check.name, check.what);
        }
        return ExitCode::SUCCESS;
    }
    let selected = match select(&options.checks) {
        Ok(selected) => selected,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let mut passed = true;
    for check in selected {
        let start = Instant::now();
        let result = supervise(check, &options);
        passed &= result.is_ok();
        report(&options, check.name, &result, start.elapsed());
    }
    thread::sleep(Duration::from_secs(options.hold));
    ExitCode::from(u8::from(!passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn all_leaves_out_what_draws_hangs_or_is_refused() {
        let all = select(&["all".into()]).unwrap_or_default();
        let left_out: Vec<_> = CHECKS
            .iter()
            .map(|c| c.name)
            .filter(|name| all.iter().all(|c| c.name != *name))
            .collect();
        let [draws, hangs] = [
            ["patterns", "busy", "pulse", "planes", "flips"].as_slice(),
            &["preempt", "timeslice", "resethang", "refusals"],
        ];
        assert_eq!(left_out, [draws, hangs].concat());
        assert!(select(&["nothing".into()]).is_err());
    }
}
