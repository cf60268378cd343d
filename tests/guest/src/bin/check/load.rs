//! Load: an engine that never runs dry, and submissions whose gaps are measured on the GPU's own clock.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Options;
use crate::blitter::Picture;
use crate::commands::{Commands, PostSync};
use crate::i915::{Buffer, Device, Engine, PATIENCE, View};
use crate::raster::{Channels, Rectangle};
use crate::surface::{Surface, Tiling};

/// Fills of 8 MiB in one batch: tens of milliseconds of work for a software blitter, so that a slow processor keeps up.
const FILLS: u32 = 32;
const SIDE: (i16, i16) = (2048, 1024);
/// XY_COLOR_BLT's raster operation that copies the colour.
const COPY_COLOR: u8 = 0xF0;
/// Fence time stamps count at 12 MHz.
const TICKS_PER_MS: f64 = 12_000.0;

/// Keeps the blitter busy for the seconds asked for: the next batches are always queued.
pub(crate) fn busy(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let surface = Surface::new(Tiling::Linear, 4, SIDE.0 as usize, SIDE.1 as usize);
    let target = device.buffer(surface.size(), 4096)?;
    let picture = Picture { address: target.address(), surface: &surface };
    let mut commands = Commands::new();
    for n in 0..FILLS {
        let all = Rectangle::new(0, 0, SIDE.0, SIDE.1);
        commands.fill(&picture, all, COPY_COLOR, n, Channels::BOTH);
    }
    let batches: Vec<Buffer> =
        (0..options.in_flight.max(2)).map(|_| device.batch(&commands)).collect::<Result<_>>()?;
    let end = Instant::now() + Duration::from_secs(options.seconds.into());
    let mut done = 0;
    for batch in batches.iter().cycle() {
        ensure!(batch.wait(PATIENCE)?, "batch {done} did not end");
        if Instant::now() > end {
            break;
        }
        device.submit(Engine::Blitter, None, batch, commands.length(), &[&target])?;
        done += 1;
    }
    Ok(format!("batches={done} seconds={}", options.seconds))
}

/// Submits small batches one after the other, each with a time stamp of the GPU's, for the seconds asked for. The
/// longest gap between two of them is how long this guest was kept from the engine.
pub(crate) fn pulse(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let engine = options.engine.unwrap_or(Engine::Render);
    let page = device.buffer(4096, 4096)?;
    let mapping = page.map(View::Cached)?;
    let mut commands = Commands::new();
    commands.flush_and_write(engine, page.address(), PostSync::Timestamp);
    let batch = device.batch(&commands)?;
    let end = Instant::now() + Duration::from_secs(options.seconds.into());
    let (mut beats, mut longest, mut last) = (0_u32, 0, None);
    while Instant::now() < end {
        device.submit(engine, None, &batch, commands.length(), &[&page])?;
        ensure!(batch.wait(PATIENCE)?, "beat {beats} did not end");
        let now = mapping.read_u64(0);
        if let Some(before) = last.replace(now) {
            ensure!(now > before, "time went back: {before} to {now}");
            longest = longest.max(now - before);
        }
        beats += 1;
    }
    Ok(format!("beats={beats} longest-gap-ms={:.1}", longest as f64 / TICKS_PER_MS))
}
