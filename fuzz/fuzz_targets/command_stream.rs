//! Any dwords as a command stream: lengths, and what the streamer does with them.
#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use gpu_intel::address::{GgttAddress, RegisterOffset};
use gpu_intel::command::streamer::{Bus, Fault, Notify, Space, StatusPage, Step, Streamer};
use gpu_intel::command::{decode, length};
use gpu_intel::engine::Engine;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    engine: u8,
    status_page: bool,
    memory: Vec<u8>,
    /// A command's opcode, so that most dwords start one that is known, and the dwords that follow.
    commands: Vec<(Start, Vec<u32>)>,
}

#[derive(Arbitrary, Debug)]
enum Start {
    Any(u32),
    Mi { opcode: u8, rest: u32 },
    Blit { opcode: u8, rest: u32 },
    State { opcode: u16, rest: u16 },
}

impl Start {
    fn dword(&self) -> u32 {
        match *self {
            Self::Any(dword) => dword,
            Self::Mi { opcode, rest } => u32::from(opcode & 0x3F) << 23 | rest & 0x7F_FFFF,
            Self::Blit { opcode, rest } => {
                2 << 29 | u32::from(opcode & 0x7F) << 22 | rest & 0x3F_FFFF
            }
            Self::State { opcode, rest } => {
                3 << 29 | u32::from(opcode & 0x1FFF) << 16 | u32::from(rest)
            }
        }
    }
}

/// One small memory that both spaces show, and registers.
struct Desk {
    memory: Vec<u8>,
    registers: HashMap<u32, u32>,
    status_page: bool,
    time: u64,
}

impl Desk {
    fn range(&mut self, at: u64, len: usize) -> Result<&mut [u8], Fault> {
        let unmapped = || Fault::new("fuzz/unmapped", "nothing is mapped there");
        let at = usize::try_from(at).map_err(|_| unmapped())?;
        let end = at.checked_add(len).ok_or_else(unmapped)?;
        self.memory.get_mut(at..end).ok_or_else(unmapped)
    }
}

impl Bus for Desk {
    fn load(&mut self, _: Space, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        to.copy_from_slice(self.range(at, to.len())?);
        Ok(())
    }
    fn store(&mut self, _: Space, at: u64, from: &[u8]) -> Result<(), Fault> {
        self.range(at, from.len())?.copy_from_slice(from);
        Ok(())
    }
    fn register(&mut self, at: RegisterOffset) -> Result<u32, Fault> {
        Ok(self.registers.get(&at.0).copied().unwrap_or(0))
    }
    fn set_register(&mut self, at: RegisterOffset, value: u32) -> Result<(), Fault> {
        self.registers.insert(at.0, value);
        Ok(())
    }
    fn status_page(&self, _: StatusPage) -> Option<GgttAddress> {
        self.status_page.then_some(GgttAddress(0x1000))
    }
    fn timestamp(&mut self) -> u64 {
        self.time += 1;
        self.time
    }
    fn notify(&mut self, _: Notify) {}
}

fuzz_target!(|input: Input| {
    let engine = Engine::ALL[usize::from(input.engine) % 4];
    let mut memory = input.memory;
    memory.resize(0x4000, 0);
    let mut bus =
        Desk { memory, registers: HashMap::new(), status_page: input.status_page, time: 0 };
    let mut streamer = Streamer::new(engine);
    let mut stream: Vec<u32> = Vec::new();
    for (start, operands) in &input.commands {
        stream.push(start.dword());
        stream.extend(operands);
    }
    let mut rest = stream.as_slice();
    while let Some(first) = rest.first() {
        let known = decode(*first, engine).is_some();
        let Some(dwords) = length(*first, engine) else {
            assert!(!known, "a known command has a length");
            rest = &rest[1..];
            continue;
        };
        assert!(dwords > 0, "{first:#010x} is no dwords long");
        let command = &rest[..dwords.min(rest.len())];
        rest = &rest[command.len()..];
        if let Ok(Step::Batch(batch)) = streamer.execute(command, &mut bus) {
            assert!(batch.at < 1 << 48 && batch.at.is_multiple_of(4));
        }
    }
});
