//! What a user may not ask of the GPU: each such batch fails as one that hangs, and nothing else does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::Commands;
use crate::i915::{Device, Engine, View};

/// How long the driver may take to find that the engine stands still.
const LIMIT: Duration = Duration::from_secs(90);

struct Hostile {
    what: &'static str,
    commands: &'static [u32],
    /// Whether it is refused as a whole, before anything of it runs. Nonsense ends it where it stands.
    whole: bool,
}

/// One for each way to be refused, on the render engine.
const HOSTILE: [Hostile; 5] = [
    Hostile { what: "a register", commands: &[0x1100_0001, 0x2080, 0x1000], whole: true },
    Hostile { what: "a GGTT store", commands: &[0x1040_0002, 0x1000, 0, 1], whole: true },
    Hostile { what: "a privileged command", commands: &[0x1080_0001, 0x100, 1], whole: true },
    Hostile {
        what: "another engine's command",
        commands: &[0x5430_0005, 0, 0, 0, 0, 0, 0],
        whole: false,
    },
    Hostile { what: "an unknown command", commands: &[0x7fff_0000, 0], whole: false },
];

fn submit(path: &str, hostile: &Hostile) -> Result<Duration> {
    // A file of its own each time: a driver gives a client up that hangs too often.
    let device = Device::open(path)?;
    let engine = Engine::Render;
    let (guilty, innocent) = (device.context()?, device.context()?);
    let page = device.buffer(4096, 4096)?;
    let mapping = page.map(View::Cached)?;
    let mut commands = Commands::new();
    commands
        .store_dword(page.address(), 1)
        .raw(hostile.commands)
        .store_dword(page.address() + 64, 2);
    let batch = device.batch(&commands)?;
    let start = Instant::now();
    device.submit(engine, Some(&guilty), &batch, commands.length(), &[&page])?;
    if !batch.wait(LIMIT)? {
        bail!("no reset in {} s", LIMIT.as_secs());
    }
    let took = start.elapsed();
    let blame = guilty.resets()?;
    ensure!(blame.active >= 1, "it was not refused");
    ensure!(innocent.resets()?.active == 0, "a context was blamed that never ran");
    let found = [mapping.read_u32(0), mapping.read_u32(64)];
    let expected = [u32::from(!hostile.whole), 0];
    ensure!(found == expected, "around it {found:?} was stored, not {expected:?}");

    for turn in 0..8 {
        let mut commands = Commands::new();
        commands.store_dword(page.address(), 100 + turn);
        device.run(engine, Some(&innocent), &commands, &[&page]).context("after the reset")?;
        let found = mapping.read_u32(0);
        ensure!(found == 100 + turn, "after the reset: found {found}, not {}", 100 + turn);
    }
    Ok(took)
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let mut took = Vec::new();
    for hostile in &HOSTILE {
        let time = submit(&options.device, hostile).context(hostile.what)?;
        took.push(format!("{} {:.1} s", hostile.what, time.as_secs_f64()));
    }
    Ok(format!("refused, reset after: {}", took.join(", ")))
}
