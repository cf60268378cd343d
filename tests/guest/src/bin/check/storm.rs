//! Thousands of small submissions in a row, on all engines in turn.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::Commands;
use crate::i915::{Buffer, Device, Engine, PATIENCE, View};
use crate::mapping::Mapping;
use crate::stores::scramble;

/// What one engine's submissions write: a slot for each, and the number of the latest.
struct Lane {
    engine: Engine,
    results: Buffer,
    mapping: Mapping,
    batches: Vec<(Buffer, Mapping)>,
    submitted: u32,
}

impl Lane {
    fn new(device: &Device, engine: Engine, slots: u32, in_flight: u32) -> Result<Lane> {
        let results = device.buffer(8 * (slots as usize + 1), 4096)?;
        let mapping = results.map(View::Cached)?;
        let batches = (0..in_flight.max(1))
            .map(|_| {
                let buffer = device.buffer(4096, 4096)?;
                let mapping = buffer.map(View::Cached)?;
                Ok((buffer, mapping))
            })
            .collect::<Result<_>>()?;
        Ok(Lane { engine, results, mapping, batches, submitted: 0 })
    }

    fn value(&self, slot: u32) -> u64 {
        scramble(self.results.address() << 24 | u64::from(slot))
    }

    fn turn(&self, submission: u32) -> &(Buffer, Mapping) {
        &self.batches[submission as usize % self.batches.len()]
    }

    /// Waits until the batch that `submission` is about to use is free again.
    fn wait(&self, submission: u32) -> Result<()> {
        if !self.turn(submission).0.wait(PATIENCE)? {
            bail!("submission before {submission} on {} did not end", self.engine);
        }
        Ok(())
    }

    fn submit(&mut self, device: &Device) -> Result<()> {
        let slot = self.submitted;
        self.wait(slot)?;
        let mut commands = Commands::new();
        commands
            .store_qword(self.results.address() + 8 * (u64::from(slot) + 1), self.value(slot))
            .store_dword(self.results.address(), slot + 1);
        let (batch, mapping) = self.turn(slot);
        mapping.write(0, &commands.to_bytes());
        device
            .submit(self.engine, None, batch, commands.length(), &[&self.results])
            .with_context(|| format!("submission {slot} to {}", self.engine))?;
        self.submitted += 1;
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        let latest = self.mapping.read_u32(0);
        ensure!(
            latest == self.submitted,
            "{}: latest {latest}, not {}",
            self.engine,
            self.submitted
        );
        for slot in 0..self.submitted {
            let (found, expected) =
                (self.mapping.read_u64(8 * (slot as usize + 1)), self.value(slot));
            ensure!(
                found == expected,
                "{}: slot {slot}: {found:#x}, not {expected:#x}",
                self.engine
            );
        }
        Ok(())
    }
}

pub(crate) fn run(options: &Options) -> Result<String> {
    const ALONE: u32 = 100;
    let device = Device::open(&options.device)?;
    let engines = options.engines(&device)?;
    let each = options.count.div_ceil(engines.len() as u32);
    let mut lanes = engines
        .iter()
        .map(|&engine| Lane::new(&device, engine, each + ALONE, options.in_flight))
        .collect::<Result<Vec<_>>>()?;

    let start = Instant::now();
    for submission in 0..options.count as usize {
        let turn = submission % lanes.len();
        lanes[turn].submit(&device)?;
    }
    for lane in &lanes {
        lane.wait(lane.submitted.wrapping_sub(1))?;
    }
    let took = start.elapsed();

    let mut latencies = Vec::new();
    for lane in &mut lanes {
        let mut sum = Duration::ZERO;
        for _ in 0..ALONE {
            let start = Instant::now();
            lane.submit(&device)?;
            lane.wait(lane.submitted - 1)?;
            sum += start.elapsed();
        }
        latencies.push(format!("{} {} us", lane.engine, (sum / ALONE).as_micros()));
        lane.verify()?;
    }
    Ok(format!(
        "{} submissions, {:.0} in a second; alone: {}",
        options.count,
        f64::from(options.count) / took.as_secs_f64(),
        latencies.join(", ")
    ))
}
