//! Contexts that take turns on an engine keep their registers.
//!
//! The sixteen 64-bit general registers of a command streamer belong to the context image: a switch
//! saves them and restores the next context's. Each context here goes on with a sum that it keeps
//! in registers only, over many submissions.

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::{Alu, Commands};
use crate::i915::{Buffer, Context, Device, Engine, PATIENCE, View};
use crate::stores::scramble;

const ROUNDS: u64 = 40;
/// Registers that hold constants: all but 0 (the sum) and 1 (what is added).
const CONSTANTS: std::ops::Range<u32> = 2..16;

struct Player {
    context: Context,
    results: Buffer,
    seed: u64,
}

impl Player {
    fn new(device: &Device, seed: u64) -> Result<Player> {
        Ok(Player { context: device.context()?, results: device.buffer(4096 * 4, 4096)?, seed })
    }

    const fn step(&self) -> u64 {
        scramble(self.seed)
    }

    fn constant(&self, register: u32) -> u64 {
        scramble(self.seed << 8 | u64::from(register))
    }

    /// Sets all registers.
    fn opening(&self, engine: Engine) -> Commands {
        let mut commands = Commands::new();
        commands
            .load_register_pair(engine.general_register(0), self.seed)
            .load_register_pair(engine.general_register(1), self.step());
        for register in CONSTANTS {
            commands.load_register_pair(engine.general_register(register), self.constant(register));
        }
        commands
    }

    /// Adds once, and stores the sum in this round's slot.
    fn turn(&self, engine: Engine, round: u64) -> Commands {
        let mut commands = Commands::new();
        commands
            .math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::Store(0)])
            .store_register_pair(engine.general_register(0), self.results.address() + 8 * round);
        commands
    }

    /// Stores the constants.
    fn closing(&self, engine: Engine) -> Commands {
        let mut commands = Commands::new();
        for register in CONSTANTS {
            let address = self.results.address() + 8 * (ROUNDS + u64::from(register));
            commands.store_register_pair(engine.general_register(register), address);
        }
        commands
    }

    fn verify(&self) -> Result<()> {
        let mapping = self.results.map(View::Cached)?;
        for round in 0..ROUNDS {
            let found = mapping.read_u64(8 * round as usize);
            let expected = self.seed.wrapping_add(self.step().wrapping_mul(round + 1));
            ensure!(found == expected, "round {round}: sum {found:#x}, not {expected:#x}");
        }
        for register in CONSTANTS {
            let found = mapping.read_u64(8 * (ROUNDS as usize + register as usize));
            let expected = self.constant(register);
            ensure!(found == expected, "register {register}: {found:#x}, not {expected:#x}");
        }
        Ok(())
    }
}

fn play(device: &Device, engine: Engine, seed: u64) -> Result<()> {
    let players = [Player::new(device, seed + 1)?, Player::new(device, seed + 2)?];
    let mut batches = Vec::new();
    let mut queue = |player: &Player, commands: &Commands| -> Result<()> {
        let batch = device.batch(commands)?;
        let length = commands.length();
        device.submit(engine, Some(&player.context), &batch, length, &[&player.results])?;
        batches.push(batch);
        Ok(())
    };
    for player in &players {
        queue(player, &player.opening(engine))?;
    }
    for round in 0..ROUNDS {
        for player in &players {
            queue(player, &player.turn(engine, round))?;
        }
    }
    for player in &players {
        queue(player, &player.closing(engine))?;
    }
    for (index, batch) in batches.iter().enumerate() {
        if !batch.wait(PATIENCE)? {
            bail!("batch {index} did not end");
        }
    }
    for (index, player) in players.iter().enumerate() {
        player.verify().with_context(|| format!("context {index}"))?;
    }
    Ok(())
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let engines = options.engines(&device)?;
    for (index, &engine) in engines.iter().enumerate() {
        play(&device, engine, 16 * index as u64).with_context(|| engine.name())?;
    }
    let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
    Ok(format!("2 contexts, {ROUNDS} rounds on {}", names.join(" ")))
}
