//! Time stamps advance, and at the rate of real time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Options;
use crate::commands::{Commands, PostSync};
use crate::i915::{Device, Engine, View};
use crate::uapi;

/// Gen9's time stamp counts in 36 bits.
const MASK: u64 = (1 << 36) - 1;
const GEN9_RATE: f64 = 12e6;

/// One reading: the stamps of a batch, and the times between which they were taken.
struct Reading {
    before: Instant,
    after: Instant,
    stamps: [u64; 3],
}

fn read(device: &Device, engine: Engine) -> Result<Reading> {
    let page = device.buffer(4096, 4096)?;
    let mut commands = Commands::new();
    commands
        .flush_and_write(engine, page.address(), PostSync::Timestamp)
        .store_register(engine.timestamp_register(), page.address() + 8)
        .store_register(engine.timestamp_register() + 4, page.address() + 12)
        .flush_and_write(engine, page.address() + 16, PostSync::Timestamp);
    let before = Instant::now();
    device.run(engine, None, &commands, &[&page])?;
    let after = Instant::now();
    let mapping = page.map(View::Cached)?;
    let stamps = [0, 8, 16].map(|offset| mapping.read_u64(offset) & MASK);
    Ok(Reading { before, after, stamps })
}

fn check(device: &Device, engine: Engine, rate: f64) -> Result<f64> {
    let first = read(device, engine)?;
    thread::sleep(Duration::from_millis(400));
    let second = read(device, engine)?;
    for Reading { stamps: [start, register, end], .. } in [&first, &second] {
        ensure!(*start != 0 && *end != 0, "no stamp was written: {start:#x}, {end:#x}");
        // The register's halves are read one after the other, so only the lower one is exact.
        let after_start = (*register as u32).wrapping_sub(*start as u32);
        ensure!(
            start <= end && after_start < 1 << 31,
            "stamps go back: {start:#x}, {register:#x}, {end:#x}"
        );
    }
    let ticks = (second.stamps[0].wrapping_sub(first.stamps[0]) & MASK) as f64;
    let longest = (second.after - first.before).as_secs_f64();
    let shortest = (second.before - first.after).as_secs_f64();
    let (slowest, fastest) = (ticks / longest, ticks / shortest);
    ensure!(
        slowest * 0.9 <= rate && rate <= fastest * 1.1,
        "between {slowest:.0} and {fastest:.0} Hz, which can't be {rate:.0} Hz"
    );
    Ok(2.0 * ticks / (longest + shortest))
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let promised = device.parameter(uapi::PARAM_CS_TIMESTAMP_FREQUENCY)?;
    let rate = if promised > 0 { f64::from(promised) } else { GEN9_RATE };
    let mut rates = Vec::new();
    for engine in options.engines(&device)? {
        let found = check(&device, engine, rate).with_context(|| engine.name())?;
        rates.push(format!("{engine} {:.2} MHz", found / 1e6));
    }
    Ok(format!("promised {:.2} MHz: {}", rate / 1e6, rates.join(", ")))
}
