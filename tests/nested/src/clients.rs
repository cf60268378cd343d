//! Clients over the shim.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use guest_shim::client::Client;
use guest_shim::wire::{ArenaOffset, ContextName, GpuAddress, SpaceName};

use crate::daemon::Daemon;

const PAGE: u64 = 0x1000;
/// Where batches and results lie, in the arena and for the GPU alike.
const BATCH: u64 = 0x10_0000;
const RESULT: u64 = 0x80_0000;
const ENGINES: u16 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

const STORE: u32 = 0x20 << 23 | 2;
const LOAD_REGISTER: u32 = 0x22 << 23 | 1;
const STORE_REGISTER: u32 = 0x24 << 23 | 2;
const COPY_MEMORY: u32 = 0x2E << 23 | 3;
const JUMP: u32 = 0x31 << 23 | 1 << 8 | 1;
const NOTHING: u32 = 0;
const END: u32 = 0x0A << 23;
/// The first general register of the render engine.
const REGISTER: u32 = 0x2600;

struct Program {
    client: Client,
    space: SpaceName,
}

impl Program {
    fn connect(daemon: &Daemon) -> Result<Self> {
        let socket = daemon.socket("shim");
        let client = Client::connect(Path::new(&socket))?;
        let space = client.open_space()?;
        let own = Self { client, space };
        own.bind(BATCH, BATCH, 16)?;
        own.bind(RESULT, RESULT, 16)?;
        Ok(own)
    }

    fn bind(&self, at: u64, memory: u64, pages: u64) -> Result<()> {
        let (at, memory) = (GpuAddress(at), ArenaOffset(memory));
        Ok(self.client.bind(self.space, at, memory, pages * PAGE, false)?)
    }

    fn write(&self, at: u64, dwords: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = dwords.iter().flat_map(|dword| dword.to_le_bytes()).collect();
        Ok(self.client.arena().write(ArenaOffset(at), &bytes)?)
    }

    fn read(&self, at: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.client.arena().read(ArenaOffset(at), &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn context(&self, engine: u16) -> Result<ContextName> {
        Ok(self.client.open_context(self.space, engine, 0)?)
    }

    fn run(&self, context: ContextName, batch: &[u32]) -> Result<()> {
        self.write(BATCH, batch)?;
        let end = self.client.submit(context, &[], GpuAddress(BATCH))?;
        let deadline = Instant::now() + PATIENCE;
        ensure!(self.client.wait(&[end], Some(deadline))?, "a batch takes too long");
        Ok(())
    }

    /// Runs batches until one is not lost: where the driver can't end a context's work, an engine comes back with its
    /// heartbeat only. Returns how many it took.
    fn until_works(&self, engine: u16) -> Result<u32> {
        const RECOVERY: Duration = Duration::from_secs(60);
        let end = Instant::now() + RECOVERY;
        for value in 1.. {
            let context = self.context(engine)?;
            let [a, b, c, d] = store(RESULT, 0x600D_0000 + value);
            self.run(context, &[a, b, c, d, END, NOTHING])?;
            if self.client.lost(context)?.own == 0 {
                ensure!(
                    self.read(RESULT)? == 0x600D_0000 + value,
                    "a batch that is done stored nothing"
                );
                return Ok(value);
            }
            ensure!(Instant::now() < end, "engine {engine} does not come back");
        }
        unreachable!("an endless loop")
    }

    fn nothing_lost(&self, context: ContextName) -> Result<()> {
        let lost = self.client.lost(context)?.own;
        ensure!(lost == 0, "{lost} batches were lost");
        Ok(())
    }
}

fn store(at: u64, value: u32) -> [u32; 4] {
    [STORE, at as u32, (at >> 32) as u32, value]
}

/// Every engine stores to pages that lie scattered in memory and side by side for the GPU.
pub(crate) fn stores(daemon: &Daemon) -> Result<()> {
    const PAGES: u64 = 64;
    /// Above 4 GiB, and over the border of two page tables.
    const AT: u64 = (5 << 32) - 32 * PAGE;
    let program = Program::connect(daemon)?;
    let place = |page: u64| RESULT + (PAGES - 1 - page) * 3 * PAGE;
    for page in 0..PAGES {
        program.bind(AT + page * PAGE, place(page), 1)?;
    }
    for engine in 0..ENGINES {
        let context = program.context(engine)?;
        let value = |page: u64| 0x1000 * (u32::from(engine) + 1) + page as u32;
        let batch = (0..PAGES).flat_map(|page| store(AT + page * PAGE + 8, value(page)));
        program.run(context, &batch.chain([END, NOTHING]).collect::<Vec<_>>())?;
        program.nothing_lost(context).with_context(|| format!("engine {engine}"))?;
        for page in 0..PAGES {
            let found = program.read(place(page) + 8)?;
            ensure!(found == value(page), "engine {engine}, page {page}: {found:#x}");
        }
    }
    Ok(())
}

/// The blitter fills a picture.
pub(crate) fn fill(daemon: &Daemon) -> Result<()> {
    const SIDE: u32 = 16;
    const COLOUR: u32 = 0x00C0_FFEE;
    let program = Program::connect(daemon)?;
    let context = program.context(1)?;
    let form = 3 << 24 | 0xF0 << 16 | (4 * SIDE);
    program
        .run(context, &[0x5430_0005, form, 0, SIDE << 16 | SIDE, RESULT as u32, 0, COLOUR, END])?;
    program.nothing_lost(context)?;
    for pixel in 0..u64::from(SIDE * SIDE) {
        let found = program.read(RESULT + 4 * pixel)?;
        ensure!(found == COLOUR, "pixel {pixel} is {found:#x}");
    }
    Ok(())
}

/// What a context has in its registers stays there, and is nobody else's.
pub(crate) fn contexts(daemon: &Daemon) -> Result<()> {
    let program = Program::connect(daemon)?;
    let contexts = [program.context(0)?, program.context(0)?];
    let values = [0xAAAA_1111, 0xBBBB_2222];
    for (context, value) in contexts.iter().zip(values) {
        program.run(*context, &[LOAD_REGISTER, REGISTER, value, END])?;
    }
    for round in 0..3 {
        for (context, value) in contexts.iter().zip(values) {
            program.run(*context, &[STORE_REGISTER, REGISTER, RESULT as u32, 0, END, NOTHING])?;
            let found = program.read(RESULT)?;
            ensure!(found == value, "round {round}: {found:#x} for {value:#x}");
        }
    }
    let fresh = program.context(0)?;
    program.run(fresh, &[STORE_REGISTER, REGISTER, RESULT as u32, 0, END, NOTHING])?;
    let found = program.read(RESULT)?;
    ensure!(!values.contains(&found), "a new context has another one's register: {found:#x}");
    contexts.iter().try_for_each(|context| program.nothing_lost(*context))
}

/// An address that is bound to other memory leads there from the next batch on.
pub(crate) fn remap(daemon: &Daemon) -> Result<()> {
    const AT: u64 = 3 << 30;
    let program = Program::connect(daemon)?;
    let context = program.context(2)?;
    for round in 0..50_u32 {
        let memory = RESULT + u64::from(round % 7) * PAGE;
        program.bind(AT, memory, 1)?;
        let [a, b, c, d] = store(AT, round + 1);
        program.run(context, &[a, b, c, d, END, NOTHING])?;
        let found = program.read(memory)?;
        ensure!(found == round + 1, "round {round}: {found}");
    }
    program.nothing_lost(context)
}

/// What is bound for reading only is read, and not written.
pub(crate) fn read_only(daemon: &Daemon) -> Result<()> {
    const AT: u64 = 7 << 30;
    let program = Program::connect(daemon)?;
    let context = program.context(0)?;
    let memory = RESULT + 0x10_0000;
    let (at, from) = (GpuAddress(AT), ArenaOffset(memory));
    program.client.bind(program.space, at, from, PAGE, true)?;
    for value in [7, 8] {
        program.write(memory, &[value])?;
        let (to, high) = (AT as u32, (AT >> 32) as u32);
        let [a, b, c, d] = store(AT + 4, 0xBAD);
        let read = [COPY_MEMORY, RESULT as u32, 0, to, high, NOTHING];
        program.run(context, &[&read[..], &[a, b, c, d, END, NOTHING]].concat())?;
        let (found, written) = (program.read(RESULT)?, program.read(memory + 4)?);
        ensure!(found == value && written == 0, "{found} for {value}; {written:#x} was written");
    }
    Ok(())
}

/// Ten thousand batches on all engines, many under way at a time, each context's in their order.
pub(crate) fn storm(daemon: &Daemon) -> Result<()> {
    const BATCHES: u32 = 10_000;
    const AHEAD: usize = 32;
    let program = Program::connect(daemon)?;
    let contexts: Vec<_> =
        (0..ENGINES).map(|engine| program.context(engine)).collect::<Result<_>>()?;
    let mut points = std::collections::VecDeque::new();
    for number in 0..BATCHES {
        let engine = (number % u32::from(ENGINES)) as usize;
        // A batch of its own for each that may be under way.
        let batch = BATCH + u64::from(number % 64) * 0x400;
        let [a, b, c, d] = store(RESULT + 0x1000 * engine as u64, number + 1);
        program.write(batch, &[a, b, c, d, END, NOTHING])?;
        let context = contexts[engine];
        points.push_back(program.client.submit(context, &[], GpuAddress(batch))?);
        if points.len() >= AHEAD {
            let first = points.pop_front().context("a point")?;
            let deadline = Instant::now() + PATIENCE;
            ensure!(program.client.wait(&[first], Some(deadline))?, "{number} takes too long");
        }
    }
    let rest: Vec<_> = points.into_iter().collect();
    for point in rest {
        ensure!(program.client.wait(&[point], Some(Instant::now() + PATIENCE))?, "the last");
    }
    for engine in 0..u32::from(ENGINES) {
        let found = program.read(RESULT + 0x1000 * u64::from(engine))?;
        let last = BATCHES - u32::from(ENGINES) + engine + 1;
        ensure!(found == last, "engine {engine}: {found}, not {last}");
    }
    contexts.iter().try_for_each(|context| program.nothing_lost(*context))
}

/// Two clients name the same addresses and see their own memory; one can't reach what only the other has bound.
pub(crate) fn isolation(daemon: &Daemon) -> Result<()> {
    const AT: u64 = 0x7000_0000;
    let programs = [Program::connect(daemon)?, Program::connect(daemon)?];
    let contexts = [programs[0].context(0)?, programs[1].context(0)?];
    let copy = [COPY_MEMORY, RESULT as u32, 0, RESULT as u32 + 8, 0, END];
    for (program, value) in programs.iter().zip([111, 222]) {
        program.write(RESULT + 8, &[value])?;
    }
    for ((program, context), value) in programs.iter().zip(contexts).zip([111, 222]) {
        program.run(context, &copy)?;
        let found = program.read(RESULT)?;
        ensure!(found == value, "{found} for {value}");
    }
    programs[0].bind(AT, RESULT + 0x4000, 1)?;
    programs[0].write(RESULT + 0x4000, &[5])?;
    let [a, b, c, d] = store(AT, 6);
    // On metal the store is lost; the software GPU below says that it hangs.
    let alone = programs[1].context(3)?;
    programs[1].run(alone, &[a, b, c, d, END, NOTHING])?;
    programs[1].until_works(3)?;
    let found = programs[0].read(RESULT + 0x4000)?;
    ensure!(found == 5, "the other client's memory was written: {found}");
    // And its owner reaches it.
    programs[0].run(contexts[0], &[a, b, c, d, END, NOTHING])?;
    ensure!(programs[0].read(RESULT + 0x4000)? == 6);
    Ok(())
}

/// A batch that never ends is killed; its client goes on, and so do others.
pub(crate) fn hang(daemon: &Daemon) -> Result<()> {
    let (bad, good) = (Program::connect(daemon)?, Program::connect(daemon)?);
    for engine in [0, 2] {
        let endless = bad.context(engine)?;
        let begun = Instant::now();
        bad.run(endless, &[NOTHING, NOTHING, JUMP, BATCH as u32, 0, NOTHING])?;
        println!(
            "engine {engine}: an endless batch ended after {} ms",
            begun.elapsed().as_millis()
        );
        let lost = bad.client.lost(endless)?.own;
        ensure!(lost == 1, "{lost} batches were lost on engine {engine}");
        let tries = good.until_works(engine)? + bad.until_works(engine)? - 1;
        println!(
            "engine {engine}: works again after {} ms, try {tries}",
            begun.elapsed().as_millis()
        );
    }
    Ok(())
}

/// The whole GPU is reset under a batch: its client loses that one, and all go on.
pub(crate) fn reset(daemon: &Daemon) -> Result<()> {
    /// All engines.
    const ALL: &str = "0xffffffff";
    let (bad, good) = (Program::connect(daemon)?, Program::connect(daemon)?);
    let endless = bad.context(0)?;
    bad.write(BATCH, &[NOTHING, NOTHING, JUMP, BATCH as u32, 0, NOTHING])?;
    let end = bad.client.submit(endless, &[], GpuAddress(BATCH))?;
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write("/sys/kernel/debug/dri/0/i915_wedged", ALL).context("i915_wedged")?;
    ensure!(bad.client.wait(&[end], Some(Instant::now() + PATIENCE))?, "it goes on for ever");
    let lost = bad.client.lost(endless)?.own;
    ensure!(lost == 1, "{lost} batches were lost");
    for engine in 0..ENGINES {
        for program in [&bad, &good] {
            let context = program.context(engine)?;
            let [a, b, c, d] = store(RESULT, 0xAF7E_0000 + u32::from(engine));
            program.run(context, &[a, b, c, d, END, NOTHING])?;
            program.nothing_lost(context)?;
            ensure!(program.read(RESULT)? == 0xAF7E_0000 + u32::from(engine));
        }
    }
    Ok(())
}

/// What stands below the driver forgets all that the driver has told it, once `ready` is said: batches are lost, not forgotten,
/// and new clients are answered, too.
pub(crate) fn lost(daemon: &Daemon) -> Result<()> {
    const NOTICED: Duration = Duration::from_secs(120);
    let program = Program::connect(daemon)?;
    println!("ready");
    let begun = Instant::now();
    loop {
        let context = program.context(0)?;
        let [a, b, c, d] = store(RESULT, 1);
        program.run(context, &[a, b, c, d, END, NOTHING])?;
        if program.client.lost(context)?.own > 0 {
            break;
        }
        ensure!(begun.elapsed() < NOTICED, "nothing was lost");
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("a batch was lost after {} ms", begun.elapsed().as_millis());
    for engine in 0..ENGINES {
        let after = Program::connect(daemon)?;
        let context = after.context(engine)?;
        let [a, b, c, d] = store(RESULT, 2);
        after.run(context, &[a, b, c, d, END, NOTHING])?;
        let (lost, found) = (after.client.lost(context)?.own, after.read(RESULT)?);
        ensure!(lost == 1 || found == 2, "engine {engine}: neither done nor lost");
        println!("engine {engine}: {}", if lost == 1 { "lost" } else { "works" });
    }
    Ok(())
}
