//! Measures what `SPECIFICATION.md` promises, and compares.
//!
//! Prints a line for each promise: what is promised, what was measured, the verdict. Ends with 1 if one falls short
//! and with 2 if something could not be measured.

mod containment;
mod draws;
mod frames;
mod guest;
mod hardware;
mod micro;
mod stand_ins;
mod statistics;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vgate_tests::Promise;

/// Measures what SPECIFICATION.md promises: promise, measured, verdict.
#[derive(Debug, Parser)]
#[command(name = "spec")]
struct Options {
    /// Print one JSON array instead of the table
    #[arg(long)]
    json: bool,
    /// Measure only what has one of these in its id
    only: Vec<String>,
}

/// A number, measured.
#[derive(Clone, Debug)]
struct Measured {
    id: &'static str,
    /// In the promise's unit.
    value: f64,
    /// The spread, or what else makes the number understood.
    note: String,
}

impl Measured {
    fn new(id: &'static str, value: f64, note: impl Into<String>) -> Self {
        Self { id, value, note: note.into() }
    }
}

/// Something to measure, and the promises that it is for.
struct Measurement {
    ids: &'static [&'static str],
    what: &'static str,
    run: fn() -> Result<Vec<Measured>>,
}

const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        ids: &["register-plain", "register-any"],
        what: "accesses of registers",
        run: micro::registers,
    },
    Measurement {
        ids: &["submission-work", "submission-to-silicon", "submission-size"],
        what: "submissions of empty batches",
        run: micro::submissions,
    },
    Measurement {
        ids: &["audit-speed", "audit-command"],
        what: "the audit of captured batches",
        run: micro::audit,
    },
    Measurement {
        ids: &["shim-asleep", "shim-asleep-shared", "shim-awake", "shim-each"],
        what: "submissions of the shim's clients",
        run: micro::shim,
    },
    Measurement {
        ids: &["shim-cpu", "shim-cpu-drawn"],
        what: "a program's processor time on vgate and on virgl",
        run: draws::measure,
    },
    Measurement {
        ids: &["frame-time", "frame-threads"],
        what: "frames of the software GPU",
        run: frames::measure,
    },
    Measurement {
        ids: &["memory-full"],
        what: "the daemon's memory with stand-ins that use all of their GPU",
        run: stand_ins::memory,
    },
    Measurement {
        ids: &["save-size", "save-time", "restore-time"],
        what: "saving and restoring a VM",
        run: stand_ins::saving,
    },
    Measurement {
        ids: &["containment-engine", "containment-memory"],
        what: "a VM beside a neighbour that misbehaves",
        run: containment::measure,
    },
    Measurement {
        ids: &["boot-to-console", "probe-traps", "memory-guest", "traps-per-submission"],
        what: "a stock guest",
        run: guest::measure,
    },
    Measurement {
        ids: &["drm-one", "drm-64", "drm-512"],
        what: "submissions to a host's driver, in a guest",
        run: hardware::measure,
    },
    Measurement { ids: &["demo"], what: "the demo", run: guest::demo },
];

/// A promise and what became of it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    promise: String,
    limit: Option<f64>,
    unit: String,
    measured: f64,
    note: String,
    verdict: &'static str,
}

impl Row {
    fn new(promise: Promise, measured: Measured) -> Self {
        let verdict = match promise.limit {
            None => "reported",
            Some(limit) if measured.value <= limit => "kept",
            Some(_) => "FALLS SHORT",
        };
        let Promise { id, what, limit, unit } = promise;
        Self {
            id,
            promise: what,
            limit,
            unit,
            measured: measured.value,
            note: measured.note,
            verdict,
        }
    }

    fn line(&self) -> String {
        let promised =
            self.limit.map_or("-".to_owned(), |limit| format!("≤ {limit} {}", self.unit));
        let measured = format!("{} {}", statistics::rounded(self.measured), self.unit);
        format!("{:<22} {promised:>12} {measured:>14}  {:<12} {}", self.id, self.verdict, self.note)
    }
}

fn main() -> ExitCode {
    // The shim's daemon and its echo are this program, started anew.
    vgate_benches::shim::serve_if_asked();
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("spec: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether all promises are kept.
fn run(options: &Options) -> Result<bool> {
    let promises = Promise::all()?;
    let wanted =
        |id: &str| options.only.is_empty() || options.only.iter().any(|part| id.contains(part));
    ensure!(promises.iter().any(|p| wanted(&p.id)), "no promise is named so");
    let progress = spinner();
    if !options.json {
        println!("{:<22} {:>12} {:>14}  {:<12} NOTE", "ID", "PROMISED", "MEASURED", "VERDICT");
    }
    let mut rows = Vec::new();
    for measurement in MEASUREMENTS.iter().filter(|m| m.ids.iter().any(|id| wanted(id))) {
        progress.set_message(measurement.what);
        if progress.is_hidden() {
            eprintln!("spec: measuring {}", measurement.what);
        }
        let measured =
            (measurement.run)().with_context(|| format!("measuring {}", measurement.what))?;
        for measured in measured.into_iter().filter(|measured| wanted(measured.id)) {
            let promise = promises.iter().find(|p| p.id == measured.id).cloned();
            let row = Row::new(
                promise.with_context(|| format!("{} is not promised", measured.id))?,
                measured,
            );
            if !options.json {
                progress.suspend(|| println!("{}", row.line()));
            }
            rows.push(row);
        }
    }
    progress.finish_and_clear();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    }
    Ok(rows.iter().all(|row| row.verdict != "FALLS SHORT"))
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} measuring {msg} ({elapsed})");
    let bar = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_measured_and_nothing_else() {
        let mut promised: Vec<_> = Promise::all().unwrap().into_iter().map(|p| p.id).collect();
        let mut measured: Vec<_> = MEASUREMENTS.iter().flat_map(|m| m.ids).copied().collect();
        promised.sort_unstable();
        measured.sort_unstable();
        assert_eq!(promised, measured);
    }

    #[test]
    fn a_number_above_its_limit_falls_short() {
        let promise =
            |limit| Promise { id: "x".into(), what: "x".into(), limit, unit: "ns".into() };
        let verdict =
            |limit, value| Row::new(promise(limit), Measured::new("x", value, "")).verdict;
        assert_eq!(verdict(Some(5.0), 5.0), "kept");
        assert_eq!(verdict(Some(5.0), 5.1), "FALLS SHORT");
        assert_eq!(verdict(Some(5.0), f64::NAN), "FALLS SHORT");
        assert_eq!(verdict(None, 5.1), "reported");
    }
}
