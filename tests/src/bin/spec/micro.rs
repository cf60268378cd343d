//! What is measured inside this process: the virtual GPU's accesses, and submissions through a mediator.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use gpu_intel::audit::Audit;
use vgate_benches::access::{Class, Rig};
use vgate_benches::corpus;
use vgate_benches::shim::{self, Executes, PingPong};
use vgate_benches::submission;
use vgate_tests::repository;

use crate::Measured;
use crate::statistics::{best, median, nanoseconds, range, rounded};

/// Rounds of accesses, each timed as a whole, for one median.
const ACCESS_ROUNDS: usize = 200;
/// Submissions for one median.
const SUBMISSIONS: usize = 400;
/// How often each batch is judged for one median.
const JUDGEMENTS: usize = 200;
/// Rounds of the shim's submissions; the median counts.
const SHIM_ROUNDS: usize = 15;
/// Submissions of several batches of the shim, for one time.
const SHIM_WINDOW: usize = 20;
/// Batches of the shim that are submitted at once.
const SHIM_BATCHES: usize = 32;
/// Batches of more bytes are judged.
const LARGE: u64 = 4096;

pub(crate) fn registers() -> Result<Vec<Measured>> {
    let mut plain = Vec::new();
    let mut all = Vec::new();
    for class in Class::all() {
        let mut rig = Rig::new();
        let accesses = class.round.len() as f64;
        let rounds = ACCESS_ROUNDS.min(200_000 / class.round.len());
        let round = || (0..rounds).map(|_| nanoseconds(rig.round(&class)) / accesses).collect();
        let (cost, (low, high)) = best(round);
        let note = format!("{}; medians {} to {}", class.name, rounded(low), rounded(high));
        if class.is_plain() {
            plain.push((cost, note));
        } else {
            all.push((cost, note));
        }
    }
    let worst = |id, costs: Vec<(f64, String)>| {
        let worst = costs.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        worst.map(|(cost, note)| Measured::new(id, cost, note)).context("nothing measured")
    };
    Ok(vec![worst("register-plain", plain)?, worst("register-any", all)?])
}

pub(crate) fn submissions() -> Result<Vec<Measured>> {
    const SIZES: [(&str, u64); 3] =
        [("16 MiB", 16 << 20), ("1 GiB", 1 << 30), ("64 GiB", 64 << 30)];
    let mut rigs = SIZES
        .map(|(_, mapped)| submission::Rig::new(mapped))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    // The sizes take turns: what else goes on meets all of them alike.
    let mut medians = [const { Vec::new() }; 3];
    let mut work = [const { Vec::new() }; 3];
    for _ in 0..crate::statistics::ROUNDS {
        for ((rig, medians), work) in rigs.iter_mut().zip(&mut medians).zip(&mut work) {
            let took = (0..SUBMISSIONS).map(|_| rig.submit()).collect::<Result<Vec<_>>>()?;
            let micro = |part: fn(&submission::Took) -> std::time::Duration| {
                median(took.iter().map(|took| nanoseconds(part(took)) / 1000.0).collect())
            };
            medians.push(micro(|took| took.to_silicon));
            work.push(micro(|took| took.work));
        }
    }
    let note = |all: &[Vec<f64>]| {
        let one = |((name, _), medians): (&(&str, u64), &Vec<f64>)| {
            let (low, high) = range(medians);
            format!("{name}: {} to {}", rounded(low), rounded(high))
        };
        SIZES.iter().zip(all).map(one).collect::<Vec<_>>().join(", ")
    };
    let lows = |all: &[Vec<f64>]| all.iter().map(|medians| range(medians).0).collect::<Vec<_>>();
    let (small, large) = (lows(&work)[0], lows(&work)[2]);
    Ok(vec![
        Measured::new("submission-work", range(&lows(&work)).1, note(&work)),
        Measured::new("submission-to-silicon", range(&lows(&medians)).1, note(&medians)),
        Measured::new("submission-size", large / small, "work at 64 GiB to work at 16 MiB"),
    ])
}

/// What one placement of client and daemon gives, a median for each round; times in microseconds.
#[derive(Default)]
struct Shim {
    echo: Vec<f64>,
    /// Against the echo.
    asleep: Vec<f64>,
    awake: Vec<f64>,
    each: Vec<f64>,
}

impl Shim {
    fn measure(executes: Executes, client: usize, daemon: usize) -> Result<Self> {
        let wake_ups = PingPong::new(Some(daemon))?;
        let asleep = shim::Rig::new(executes, Duration::ZERO, Some(daemon))?;
        // It leaves its core to the others soon.
        let awake = shim::Rig::new(executes, Duration::from_millis(1), Some(daemon))?;
        shim::keep_to(client)?;
        let mut measured = Self::default();
        // They take turns: what else goes on meets all of them alike.
        for _ in 0..SHIM_ROUNDS {
            let micro = |round: &dyn Fn() -> Result<Duration>| -> Result<f64> {
                let took = (0..SUBMISSIONS).map(|_| round()).collect::<Result<Vec<_>>>()?;
                Ok(median(took.into_iter().map(|took| nanoseconds(took) / 1000.0).collect()))
            };
            let echo = micro(&|| wake_ups.round_trip())?;
            measured.asleep.push(micro(&|| asleep.sleeping())? / echo);
            measured.echo.push(echo);
            if client != daemon {
                measured.awake.push(micro(&|| awake.looking())?);
                std::thread::sleep(Duration::from_millis(3));
            }
            // Windows of a millisecond or two, so that in most of them nobody else has the core.
            let windows = (0..SUBMISSIONS / SHIM_WINDOW).map(|_| {
                let took = asleep.rounds(SHIM_WINDOW as u64, SHIM_BATCHES)?;
                Ok(nanoseconds(took) / 1000.0 / (SHIM_WINDOW * SHIM_BATCHES) as f64)
            });
            measured.each.push(median(windows.collect::<Result<_>>()?));
        }
        Ok(measured)
    }
}

pub(crate) fn shim() -> Result<Vec<Measured>> {
    let cores = shim::cores()?;
    let [client, daemon, ..] = cores[..] else { bail!("there is one processor only") };
    // Threads of their own: they stay on their cores.
    let measure = |executes, daemon| {
        let there = std::thread::spawn(move || Shim::measure(executes, client, daemon));
        there.join().map_err(|_| anyhow!("the thread panicked"))?
    };
    let apart = measure(Executes::Model, daemon)?;
    let shared = measure(Executes::Model, client)?;
    let (bare, bare_shared) =
        (measure(Executes::Nothing, daemon)?, measure(Executes::Nothing, client)?);
    let spread = |all: &[f64]| {
        let (low, high) = range(all);
        format!("{} to {}", rounded(low), rounded(high))
    };
    let row = |id, all: &Vec<f64>, bare: &Vec<f64>, more: String| {
        let alone = rounded(median(bare.clone()));
        let note = format!("{}; over silicon that takes no time {alone}{more}", spread(all));
        Measured::new(id, median(all.clone()), note)
    };
    let echo = |of: &Shim| format!("; the two bare wake-ups {} µs", spread(&of.echo));
    Ok(vec![
        row("shim-asleep", &apart.asleep, &bare.asleep, echo(&apart)),
        row("shim-asleep-shared", &shared.asleep, &bare_shared.asleep, echo(&shared)),
        row("shim-awake", &apart.awake, &bare.awake, String::new()),
        row("shim-each", &apart.each, &bare.each, String::new()),
    ])
}

pub(crate) fn audit() -> Result<Vec<Measured>> {
    let mut batches = corpus::batches(&repository().join("tests/corpus"), LARGE)?;
    let mut audit = Audit::default();
    let bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
    let mut commands = Vec::new();
    let round = || {
        let all = (0..JUDGEMENTS).map(|_| {
            let mut time = 0.0;
            for batch in &mut batches {
                let begin = Instant::now();
                batch.judge(&mut audit);
                let took = nanoseconds(begin.elapsed());
                commands.push(took / batch.commands as f64);
                time += took;
            }
            time / bytes as f64
        });
        all.collect()
    };
    let (cost, (low, high)) = best(round);
    let speeds = format!("{} to {} GB/s in {bytes} bytes", rounded(1.0 / high), rounded(1.0 / low));
    commands.sort_unstable_by(f64::total_cmp);
    let percentile = commands.get(commands.len() * 99 / 100).context("no batches")?;
    let note =
        format!("median {} ns, {} batches", rounded(median(commands.clone())), batches.len());
    Ok(vec![
        Measured::new("audit-speed", cost, speeds),
        Measured::new("audit-command", *percentile, note),
    ])
}
