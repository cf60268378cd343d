//! The command streamers' own little machine: registers, arithmetic, atomics, branches.

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::{Alu, Atomic, Commands, Compare, PostSync};
use crate::i915::{Buffer, Device, Engine, View};

/// A page of qwords that a batch reads and writes.
struct Board<'a> {
    device: &'a Device,
    engine: Engine,
    page: Buffer,
}

impl Board<'_> {
    /// Address of qword `index`.
    fn at(&self, index: u64) -> u64 {
        self.page.address() + 8 * index
    }

    const fn register(&self, index: u32) -> u32 {
        self.engine.general_register(index)
    }

    /// Puts `before` into the first qwords, runs the commands, and compares with `after`.
    fn expect(&self, what: &str, before: &[u64], commands: &Commands, after: &[u64]) -> Result<()> {
        let mapping = self.page.map(View::Cached)?;
        for index in 0..before.len().max(after.len()) {
            mapping.write_u64(8 * index, before.get(index).copied().unwrap_or(0));
        }
        let run = self.device.run(self.engine, None, commands, &[&self.page]);
        run.with_context(|| format!("{what} on {}", self.engine))?;
        for (index, &expected) in after.iter().enumerate() {
            let found = mapping.read_u64(8 * index);
            if found != expected {
                bail!("{what} on {}: qword {index}: {found:#x}, not {expected:#x}", self.engine);
            }
        }
        Ok(())
    }

    fn registers(&self) -> Result<()> {
        let mut commands = Commands::new();
        commands
            .load_register_pair(self.register(3), 0x1111_2222_3333_4444)
            .load_register(self.register(3) + 4, 0x5555_6666)
            .copy_register(self.register(4), self.register(3))
            .copy_register(self.register(4) + 4, self.register(3) + 4)
            .load_register_from(self.register(5), self.at(0))
            .load_register_from(self.register(5) + 4, self.at(0) + 4)
            .store_register_pair(self.register(4), self.at(1))
            .store_register_pair(self.register(5), self.at(2));
        let memory = 0x0123_4567_89ab_cdef;
        let after = [memory, 0x5555_6666_3333_4444, memory];
        self.expect("registers", &[memory], &commands, &after)
    }

    fn arithmetic(&self) -> Result<()> {
        let (a, b) = (0xffff_ffff_0000_0001_u64, 0x1_1234_5678_u64);
        let mut commands = Commands::new();
        commands.load_register_pair(self.register(0), a).load_register_pair(self.register(1), b);
        let operations = [Alu::Add, Alu::Subtract, Alu::And, Alu::Or, Alu::Xor];
        for (index, operation) in operations.into_iter().enumerate() {
            commands
                .math(&[Alu::LoadA(0), Alu::LoadB(1), operation, Alu::Store(2)])
                .store_register_pair(self.register(2), self.at(index as u64));
        }
        commands
            .math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::StoreCarryFlag(2)])
            .store_register_pair(self.register(2), self.at(5))
            .math(&[Alu::LoadA(0), Alu::LoadB(0), Alu::Xor, Alu::StoreZeroFlag(2)])
            .store_register_pair(self.register(2), self.at(6))
            .math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Xor, Alu::StoreZeroFlag(2)])
            .store_register_pair(self.register(2), self.at(7));
        let after =
            [a.wrapping_add(b), a.wrapping_sub(b), a & b, a | b, a ^ b, u64::MAX, u64::MAX, 0];
        self.expect("MI_MATH", &[], &commands, &after)
    }

    fn atomics(&self) -> Result<()> {
        let mut commands = Commands::new();
        commands
            .atomic(self.at(0), Atomic::Add, [0x2_0000_0001, 0])
            .atomic(self.at(1), Atomic::Increment, [0, 0])
            .atomic(self.at(2), Atomic::UnsignedMaximum, [7, 0])
            .atomic(self.at(3), Atomic::UnsignedMaximum, [7, 0])
            .atomic(self.at(4), Atomic::CompareAndWrite, [5, 0x99])
            .atomic(self.at(5), Atomic::CompareAndWrite, [5, 0x99])
            .atomic(self.at(6), Atomic::Move, [0xaaaa_bbbb_cccc_dddd, 0]);
        let before = [0xffff_ffff, 0xffff_ffff, 5, u64::MAX, 5, 6, 1];
        let after = [0x3_0000_0000, 0x1_0000_0000, 7, u64::MAX, 0x99, 6, 0xaaaa_bbbb_cccc_dddd];
        self.expect("MI_ATOMIC", &before, &commands, &after)
    }

    fn copies(&self) -> Result<()> {
        let mut commands = Commands::new();
        commands
            .copy_dword(self.at(1), self.at(0) + 4)
            .copy_dword(self.at(2) + 4, self.at(0))
            .copy_dword(self.at(3), self.at(1));
        let before = [0x1111_1111_2222_2222, 0, 0x33];
        let after = [before[0], 0x1111_1111, 0x2222_2222_0000_0033, 0x1111_1111];
        self.expect("MI_COPY_MEM_MEM", &before, &commands, &after)
    }

    fn flushes(&self) -> Result<()> {
        let value = 0xfeed_face_0bad_cafe;
        let mut commands = Commands::new();
        commands.flush_and_write(self.engine, self.at(1), PostSync::Write(value));
        commands.flush_and_write(self.engine, self.at(3), PostSync::Write(3));
        self.expect("write after a flush", &[1, 1, 1], &commands, &[1, value, 1, 3])
    }

    /// A condition that holds lets the batch go on; one that doesn't ends it.
    fn conditional_end(&self) -> Result<()> {
        let mut commands = Commands::new();
        commands
            .store_dword(self.at(1), 1)
            .end_unless_above(self.at(0), 4)
            .store_dword(self.at(2), 1)
            .end_unless_above(self.at(0), 5)
            .store_dword(self.at(3), 1);
        self.expect("conditional end", &[5], &commands, &[5, 1, 1, 0])
    }

    /// A condition that already holds doesn't stop the streamer.
    fn semaphores(&self) -> Result<()> {
        let mut commands = Commands::new();
        commands
            .poll(self.at(0), Compare::Equal, 5)
            .store_dword(self.at(1), 1)
            .poll(self.at(0), Compare::GreaterOrEqual, 4)
            .store_dword(self.at(2), 1);
        self.expect("semaphore", &[5], &commands, &[5, 1, 1])
    }

    /// The first batch hands over to a second one, whose end ends both.
    fn chains(&self) -> Result<()> {
        let mut second = Commands::new();
        second.store_dword(self.at(1), 2);
        let target = self.device.batch(&second)?;
        let mut first = Commands::new();
        first.store_dword(self.at(0), 1).chain(target.address());
        first.store_dword(self.at(2), 3);
        let batch = self.device.batch(&first)?;
        let buffers = [&self.page, &target];
        self.device.submit(self.engine, None, &batch, first.length(), &buffers)?;
        ensure!(batch.wait(crate::i915::PATIENCE)?, "chain on {}: no end", self.engine);
        let mapping = self.page.map(View::Cached)?;
        let found = [0, 8, 16].map(|offset| mapping.read_u32(offset));
        ensure!(found == [1, 2, 0], "chain on {}: stored {found:?}", self.engine);
        Ok(())
    }

    /// Stores that depend on the predicate; the render engine only.
    fn predicates(&self) -> Result<()> {
        const SOURCE_0: u32 = 0x2400;
        const SOURCE_1: u32 = 0x2408;
        let mut commands = Commands::new();
        commands
            .load_register(self.register(0), 0x77)
            .load_register_pair(SOURCE_0, 0x5_0000_0005)
            .load_register_pair(SOURCE_1, 0x5_0000_0005)
            .predicate_if_sources_equal()
            .store_register_if_predicate(self.register(0), self.at(0))
            .load_register_pair(SOURCE_1, 0x6_0000_0005)
            .predicate_if_sources_equal()
            .store_register_if_predicate(self.register(0), self.at(1))
            .store_register(self.register(0), self.at(2));
        self.expect("predicate", &[1, 1, 1], &commands, &[0x77, 1, 0x77])
    }
}

/// One group of commands, tried on its own page.
type Part<'a> = fn(&Board<'a>) -> Result<()>;

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let mut failures = Vec::new();
    let mut passed = 0;
    for engine in options.engines(&device)? {
        let mut parts: Vec<Part<'_>> = vec![
            Board::registers,
            Board::arithmetic,
            Board::atomics,
            Board::copies,
            Board::flushes,
            Board::conditional_end,
            Board::semaphores,
        ];
        if engine != Engine::Blitter {
            // The driver parses the blitter's batches and lets them jump only inside themselves.
            parts.push(Board::chains);
        }
        if engine == Engine::Render {
            parts.push(Board::predicates);
        }
        for part in parts {
            let page = device.buffer(4096, 4096)?;
            match part(&Board { device: &device, engine, page }) {
                Ok(()) => passed += 1,
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
    }
    ensure!(
        failures.is_empty(),
        "{} of {} parts: {}",
        failures.len(),
        failures.len() + passed,
        failures.join("; ")
    );
    Ok(format!("{passed} parts"))
}
