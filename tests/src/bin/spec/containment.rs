//! What a VM notices of a neighbour that misbehaves, against what it notices of one that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gpu_intel::driver::{FREE, MEMORY};
use gpu_intel::engine::Engine;
use mediator::memory::sealed_memfd;
use mediator::{GuestAddress, GuestRam};
use std::os::fd::AsFd;
use vgate_benches::stand_in::StandIn;
use vgate_tests::Vgate;

use crate::Measured;
use crate::guest::configuration;
use crate::statistics::{median, nanoseconds, range, rounded};

const ENGINE: Engine = Engine::Copy;
const PAUSE: Duration = Duration::from_micros(100);
/// Jobs of the victim beside each neighbour.
const JOBS: usize = 150;
/// Reads of the victim beside each neighbour, and how often the neighbours take turns.
const READS: usize = 3000;
const TURNS: usize = 6;

pub(crate) fn measure() -> Result<Vec<Measured>> {
    let vgate = Vgate::start(
        "spec-containment",
        &configuration(&["victim", "neighbour"]),
        &["victim.sock", "neighbour.sock", "control"],
    )?;
    let mut victim = StandIn::connect(&vgate.path("victim.sock"), 0)?;
    end_at_once(victim.ram())?;
    let connect = || StandIn::connect(&vgate.path("neighbour.sock"), 0);
    Ok(vec![engine(&mut victim, connect()?)?, memory(&mut victim, connect()?)?])
}

/// MI_BATCH_BUFFER_END.
fn end_at_once(ram: &GuestRam) -> Result<()> {
    Ok(ram.write_u32(GuestAddress(FREE), 0x0A << 23)?)
}

/// The victim's worst job on an engine on which the neighbour's one batch jumps to itself for ever.
fn engine(victim: &mut StandIn, mut neighbour: StandIn) -> Result<Measured> {
    let jobs = |victim: &mut StandIn| {
        let one = |_| {
            let begin = Instant::now();
            let seqno = victim.submit(ENGINE, FREE)?;
            victim.wait(ENGINE, seqno, PAUSE)?;
            Ok(begin.elapsed().as_secs_f64() * 1e3)
        };
        (0..JOBS).map(one).collect::<Result<Vec<_>>>()
    };
    let alone = median(jobs(victim)?);
    for (at, dword) in (FREE..).step_by(4).zip([0x31 << 23 | 1 << 8 | 1, FREE as u32, 0]) {
        neighbour.ram().write_u32(GuestAddress(at), dword)?;
    }
    neighbour.submit(ENGINE, FREE)?;
    let beside = jobs(victim)?;
    let (_, worst) = range(&beside);
    // It ends when its memory says so.
    end_at_once(neighbour.ram())?;
    neighbour.wait(ENGINE, 1, PAUSE)?;
    let note = format!(
        "worst of {JOBS}; median {} ms, alone {} ms",
        rounded(median(beside)),
        rounded(alone)
    );
    Ok(Measured::new("containment-engine", worst, note))
}

/// The victim's reads of a register while the neighbour has memory mapped and taken back all the time, against those
/// while it only reads as well.
fn memory(victim: &mut StandIn, mut neighbour: StandIn) -> Result<Measured> {
    let [storm, stop] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (stormy, stopped) = (Arc::clone(&storm), Arc::clone(&stop));
    let thread = std::thread::spawn(move || -> Result<()> {
        let more = sealed_memfd(1 << 20)?;
        let at = GuestAddress(MEMORY);
        while !stopped.load(Ordering::Relaxed) {
            if stormy.load(Ordering::Relaxed) {
                neighbour.client().map(at, 1 << 20, more.as_fd(), 0, true)?;
                neighbour.client().unmap(at, 1 << 20)?;
            } else {
                neighbour.client().read_u32(0, 0x4_F000)?;
            }
        }
        Ok(())
    });
    let mut medians = [Vec::new(), Vec::new()];
    for turn in 0..2 * TURNS {
        storm.store(turn % 2 == 1, Ordering::Relaxed);
        let mut read = || {
            let begin = Instant::now();
            victim.client().read_u32(0, 0x4_F000)?;
            Ok(nanoseconds(begin.elapsed()) / 1000.0)
        };
        let times = (0..READS).map(|_| read()).collect::<Result<Vec<_>>>()?;
        medians.get_mut(turn % 2).context("two kinds of turns")?.push(median(times));
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| anyhow::anyhow!("the neighbour panicked"))??;
    let [benign, storm] = medians.map(median);
    let note =
        format!("{} µs beside it, {} µs beside one that reads", rounded(storm), rounded(benign));
    Ok(Measured::new("containment-memory", storm / benign, note))
}
