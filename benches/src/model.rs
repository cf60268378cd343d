//! The software model by itself: a batch handed to it, and the time that its engine was at it.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gpu_intel::address::PpgttAddress;
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use mediator::{
    Clock, ContextId, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Silicon, SpaceRoot, Ticket,
    VmId,
};

const DIRECTORY: u64 = 0x1000;
/// Where batches begin.
const BATCH: u64 = 1 << 20;
/// Memory, mapped to its own addresses in pages of 2 MiB.
const MEMORY: u64 = 64 << 20;

/// The model with a context on one of its engines.
#[derive(Debug)]
pub struct Rig {
    model: Model,
    ram: GuestRam,
    context: ContextId,
    engine: Engine,
    jobs: u64,
}

impl Rig {
    /// A context on `engine`.
    ///
    /// # Errors
    /// When the host has no threads or memory.
    pub fn new(engine: Engine) -> Result<Self> {
        let model = Model::new(Clock::start())?;
        let ram = GuestRam::anonymous(MEMORY)?;
        for n in 0..MEMORY >> 21 {
            ram.write_u64(GuestAddress(DIRECTORY + 8 * n), n << 21 | 1 << 7 | 3)?;
        }
        let root = SpaceRoot { levels: 3, entries: [DIRECTORY, 0, 0, 0] };
        let space = model.open_space(VmId(0), &ram, root)?;
        let context = model.open_context(space, engine.id())?;
        Ok(Self { model, ram, context, engine, jobs: 0 })
    }

    /// Puts commands where [`run`](Self::run) begins; they end the batch themselves.
    ///
    /// # Errors
    /// When they are too many.
    pub fn load(&self, commands: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = commands.iter().flat_map(|dword| dword.to_le_bytes()).collect();
        Ok(self.ram.write(GuestAddress(BATCH), &bytes)?)
    }

    /// Runs the batch; what its engine took.
    ///
    /// # Errors
    /// When the batch faults.
    pub fn run(&mut self) -> Result<Duration> {
        self.jobs += 1;
        let (fences, fence) = mpsc::channel();
        let ticket = Ticket::new(VmId(0), JobId(self.jobs), move |fence| drop(fences.send(fence)));
        let start = PpgttAddress(BATCH);
        let work = Batch::new(start);
        self.model.submit(self.engine.id(), self.context, work, ticket)?;
        self.model.kick(self.engine.id());
        let fence = fence.recv().context("no fence")?;
        match fence.outcome {
            Outcome::Ended(JobEnd::Done) => Ok(fence.ended.since(fence.began)),
            other => bail!("the batch did not run to its end: {other:?}"),
        }
    }
}
