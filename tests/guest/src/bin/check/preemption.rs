//! Work that interrupts other work: by priority, and by time slices.
//!
//! A driver does both on metal, and neither where it knows that it is on a virtual GPU. The blitter is left out: the
//! driver runs copies of its batches, which nobody can change under way.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::{Alu, Commands};
use crate::i915::{Buffer, Context, Device, Engine, PATIENCE, View};
use crate::mapping::Mapping;
use crate::uapi;

/// Interruptions of one spinner.
const ROUNDS: u32 = 20;
/// What a spinner's registers hold while it spins.
const KEPT: u64 = 0x0123_4567_89ab_cdef;
/// Where in a spinner's page are its rounds so far, its end, and what its register held then.
const BEATS: usize = 0;
const ENDED: usize = 64;
const REGISTER: usize = 128;
/// Where in a spinner's batch is what it does at its end, in bytes.
const FINISH: usize = 2048;

/// A batch that goes round until somebody changes the address that it jumps to. It can be interrupted in each round,
/// and counts them in a register.
struct Spinner {
    page: Buffer,
    mapping: Mapping,
    batch: Buffer,
    context: Context,
    length: usize,
}

impl Spinner {
    fn new(device: &Device) -> Result<Spinner> {
        let page = device.buffer(4096, 4096)?;
        let mapping = page.map(View::Cached)?;
        let (batch, context) = (device.buffer(4096, 4096)?, device.context()?);
        Ok(Spinner { mapping, page, batch, context, length: FINISH })
    }

    fn at(&self, offset: usize) -> u64 {
        self.page.address() + offset as u64
    }

    /// Writes its batch: `first` is done before the rounds, `last` after them. Returns the place of the address that
    /// the rounds jump to.
    fn write(&self, engine: Engine, first: &Commands, last: &Commands) -> Result<u64> {
        let mut rounds = first.clone();
        rounds
            .load_register_pair(engine.general_register(0), 0)
            .load_register_pair(engine.general_register(1), 1)
            .load_register_pair(engine.general_register(7), KEPT);
        let again = self.batch.address() + rounds.bytes() as u64;
        rounds
            .arbitrate()
            .math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::Store(0)])
            .store_register(engine.general_register(0), self.at(BEATS))
            .chain(again);
        let mut finish = last.clone();
        finish
            .store_register_pair(engine.general_register(7), self.at(REGISTER))
            .store_dword(self.at(ENDED), 2);
        let view = self.batch.map(View::Cached)?;
        view.write(0, &rounds.to_bytes());
        view.write(FINISH, &finish.to_bytes());
        Ok(self.batch.address() + rounds.bytes() as u64 - 8)
    }

    /// What ends a spinner whose rounds jump to the address at `jump`.
    fn release(&self, jump: u64) -> Commands {
        let mut commands = Commands::new();
        commands.store_dword(jump, (self.batch.address() + FINISH as u64) as u32);
        commands
    }

    fn submit(&self, device: &Device, engine: Engine, others: &[&Buffer]) -> Result<()> {
        let buffers: Vec<_> = [&self.page].into_iter().chain(others.iter().copied()).collect();
        device
            .submit_beside(engine, &self.context, &self.batch, self.length, &buffers)
            .context("submit a spinner")
    }

    /// Waits until it has gone on from `beats`, and returns how far.
    fn goes_on(&self, beats: u32) -> Result<u32> {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.mapping.read_u32(BEATS);
            if now > beats {
                return Ok(now);
            }
            ensure!(Instant::now() < end, "the spinner stands at round {now}");
            thread::sleep(Duration::from_micros(200));
        }
    }

    fn verify_end(&self) -> Result<()> {
        ensure!(self.batch.wait(PATIENCE)?, "the spinner was released and spins on");
        let (ended, register) = (self.mapping.read_u32(ENDED), self.mapping.read_u64(REGISTER));
        ensure!(ended == 2, "the spinner did not come to its end: {ended}");
        ensure!(register == KEPT, "it kept {register:#x} in a register, not {KEPT:#x}");
        let resets = self.context.resets()?;
        ensure!(resets.active == 0 && resets.pending == 0, "it was reset: {resets:?}");
        Ok(())
    }
}

fn engines(options: &Options, device: &Device) -> Result<Vec<Engine>> {
    let scheduler = device.parameter(uapi::PARAM_HAS_SCHEDULER)?;
    if scheduler & uapi::SCHEDULER_PREEMPTION == 0 {
        bail!("the driver does not preempt (its scheduler says {scheduler:#x})");
    }
    let mut engines = options.engines(device)?;
    engines.retain(|engine| *engine != Engine::Blitter);
    Ok(engines)
}

/// A spinner of low priority is interrupted by stores of high priority, again and again, and goes on each time; the last
/// of them ends it.
fn interrupt(device: &Device, engine: Engine) -> Result<Duration> {
    let spinner = Spinner::new(device)?;
    spinner.context.set_priority(-100)?;
    let jump = spinner.write(engine, &Commands::new(), &Commands::new())?;
    let urgent = device.context()?;
    urgent.set_priority(100)?;
    spinner.submit(device, engine, &[])?;
    let mut beats = spinner.goes_on(0)?;

    let page = device.buffer(4096, 4096)?;
    let mapping = page.map(View::Cached)?;
    let mut longest = Duration::ZERO;
    for round in 1..=ROUNDS {
        let mut commands = Commands::new();
        commands.store_dword(page.address(), round);
        let start = Instant::now();
        device.run(engine, Some(&urgent), &commands, &[&page]).context("beside a spinner")?;
        longest = longest.max(start.elapsed());
        ensure!(mapping.read_u32(0) == round, "round {round}: the store is not there");
        ensure!(spinner.batch.is_busy()?, "round {round}: the spinner has ended");
        beats = spinner.goes_on(beats)?;
    }
    let release = spinner.release(jump);
    let batch = device.batch(&release)?;
    device.submit_beside(engine, &urgent, &batch, release.length(), &[&spinner.batch])?;
    ensure!(batch.wait(PATIENCE)?, "the store that releases the spinner did not end");
    spinner.verify_end()?;
    Ok(longest)
}

pub(crate) fn preempt(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let mut took = Vec::new();
    for engine in engines(options, &device)? {
        let longest = interrupt(&device, engine).with_context(|| engine.name())?;
        took.push(format!("{engine} {:.1} ms", longest.as_secs_f64() * 1000.0));
    }
    Ok(format!("{ROUNDS} interruptions, at most: {}", took.join(", ")))
}

/// Two spinners of one priority. The second releases the first before it spins; the first, at its end, the second: both
/// end only if each is interrupted by the other's time slice.
fn take_turns(device: &Device, engine: Engine) -> Result<Duration> {
    let (first, second) = (Spinner::new(device)?, Spinner::new(device)?);
    // The jump lies behind what is written before it, whatever that stores.
    let nothing = Commands::new();
    let first_jump = first.write(engine, &nothing, &nothing)?;
    let second_jump = second.write(engine, &first.release(first_jump), &nothing)?;
    first.write(engine, &nothing, &second.release(second_jump))?;
    let start = Instant::now();
    first.submit(device, engine, &[&second.batch])?;
    first.goes_on(0)?;
    second.submit(device, engine, &[&first.batch])?;
    first.verify_end().context("the first")?;
    second.verify_end().context("the second")?;
    Ok(start.elapsed())
}

pub(crate) fn slice(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let mut took = Vec::new();
    for engine in engines(options, &device)? {
        let time = take_turns(&device, engine).with_context(|| engine.name())?;
        took.push(format!("{engine} {:.1} ms", time.as_secs_f64() * 1000.0));
    }
    Ok(format!("two spinners ended each other: {}", took.join(", ")))
}
