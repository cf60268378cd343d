//! Batches that don't end by themselves: waits for them time out, and a stuck one is reset.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::{Commands, Compare};
use crate::i915::{Buffer, Device, Engine, PATIENCE, View};

/// Well below the seconds after which the driver suspects a hang.
const SHORT: Duration = Duration::from_millis(150);

/// Waits for a batch that is stuck until `release`, then for its end.
fn held_back(batch: &Buffer, release: impl FnOnce()) -> Result<Duration> {
    let start = Instant::now();
    ensure!(!batch.wait(SHORT)?, "the batch ended before it was released");
    let waited = start.elapsed();
    ensure!(waited >= SHORT, "the wait gave up after {} ms", waited.as_millis());
    ensure!(batch.is_busy()?, "the batch runs but is not busy");
    release();
    let released = Instant::now();
    ensure!(batch.wait(PATIENCE)?, "the batch did not end after its release");
    ensure!(!batch.is_busy()?, "the batch ended but is busy");
    Ok(released.elapsed())
}

/// A batch that polls memory until the CPU writes there.
fn poll(device: &Device, engine: Engine) -> Result<Duration> {
    let page = device.buffer(4096, 4096)?;
    let mapping = page.map(View::Cached)?;
    let mut commands = Commands::new();
    commands
        .store_dword(page.address() + 64, 1)
        .poll(page.address(), Compare::Equal, 1)
        .store_dword(page.address() + 128, 2);
    let batch = device.batch(&commands)?;
    device.submit(engine, None, &batch, commands.length(), &[&page])?;
    let end = held_back(&batch, || mapping.write_u32(0, 1))?;
    let found = [mapping.read_u32(64), mapping.read_u32(128)];
    ensure!(found == [1, 2], "stored {found:?} around the poll");
    Ok(end)
}

/// A batch that jumps to its own start, until the CPU writes an end there.
fn spin(device: &Device, engine: Engine) -> Result<Duration> {
    let (batch, length) = endless(device)?;
    let mapping = batch.map(View::Cached)?;
    device.submit(engine, None, &batch, length, &[])?;
    let end = Commands::new().to_bytes();
    held_back(&batch, || mapping.write(0, &end))
}

fn endless(device: &Device) -> Result<(Buffer, usize)> {
    let batch = device.buffer(4096, 4096)?;
    let mut commands = Commands::new();
    commands.noop().noop().noop().noop().chain(batch.address());
    batch.map(View::Cached)?.write(0, &commands.to_bytes());
    Ok((batch, commands.length()))
}

pub(crate) fn waits(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let mut ends = Vec::new();
    for engine in options.engines(&device)? {
        let end = poll(&device, engine).with_context(|| format!("poll on {engine}"))?;
        ends.push(format!("{engine} poll {} us", end.as_micros()));
        if engine != Engine::Blitter {
            // The driver runs a copy of the blitter's batches, which the CPU can't change.
            let end = spin(&device, engine).with_context(|| format!("spin on {engine}"))?;
            ends.push(format!("{engine} spin {} us", end.as_micros()));
        }
    }
    Ok(format!("from release to end: {}", ends.join(", ")))
}

/// An endless batch is reset and blamed on its context; another context's work goes on after it.
pub(crate) fn hang(options: &Options) -> Result<String> {
    const LIMIT: Duration = Duration::from_secs(90);
    let device = Device::open(&options.device)?;
    let engine = options.engine.unwrap_or(Engine::Render);
    ensure!(engine != Engine::Blitter, "the driver lets no blitter batch hang this way");
    let (guilty, innocent) = (device.context()?, device.context()?);
    let (batch, length) = endless(&device)?;
    let start = Instant::now();
    device.submit(engine, Some(&guilty), &batch, length, &[])?;
    thread::sleep(Duration::from_millis(100));
    ensure!(batch.is_busy()?, "the endless batch ended by itself");
    if !batch.wait(LIMIT)? {
        bail!("no reset in {} s", LIMIT.as_secs());
    }
    let took = start.elapsed();
    let blame = guilty.resets()?;
    ensure!(blame.active >= 1, "the endless batch ended, but its context was not blamed");
    ensure!(innocent.resets()?.active == 0, "a context was blamed that never ran");

    let page = device.buffer(4096, 4096)?;
    let mapping = page.map(View::Cached)?;
    for turn in 0..8 {
        let mut commands = Commands::new();
        commands.store_dword(page.address(), 100 + turn);
        device.run(engine, Some(&innocent), &commands, &[&page]).context("after the reset")?;
        let found = mapping.read_u32(0);
        ensure!(found == 100 + turn, "after the reset: found {found}, not {}", 100 + turn);
    }
    Ok(format!("{engine} reset after {:.1} s, work goes on", took.as_secs_f64()))
}
