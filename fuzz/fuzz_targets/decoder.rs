//! Any file as `vgate decode` would have it: a capture, or a batch as it is. The first byte of a batch names the engine.
#![no_main]

use gpu_intel::address::PpgttAddress;
use gpu_intel::command::walk::{Budget, CommandMemory, Visitor, Walker};
use gpu_intel::command::{Command, MAX_LENGTH, listing};
use gpu_intel::engine::Engine;
use gpu_intel::trace::{Memory, Reader, Record};
use libfuzzer_sys::fuzz_target;
use mediator::Reason;
use vgate_fuzz::memory::Flat;

const BUDGET: Budget = Budget { commands: 1 << 14, batches: 64 };

struct List;

impl Visitor for List {
    fn command(
        &mut self,
        at: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason> {
        assert!(at.0.is_multiple_of(4) && at.0 < 1 << 48);
        let length = command.length.of(dwords[0]);
        assert!(dwords.len() <= length);
        // A long one is listed as far as checks would look.
        let dwords = &dwords[..dwords.len().min(MAX_LENGTH)];
        for field in listing::fields(command, dwords) {
            let (low, high) = field.bits;
            // A field may reach over the end of a short command, but doesn't begin there.
            assert!(low <= high && low < 32 * dwords.len() as u32, "{} {field:?}", command.name);
        }
        Ok(())
    }
}

fn list(memory: &mut dyn CommandMemory, engine: Engine, start: PpgttAddress) {
    let walked = Walker::new(BUDGET).walk(memory, engine, start, &mut List);
    assert!(walked.commands <= BUDGET.commands + 1);
}

fuzz_target!(|input: &[u8]| {
    if !Reader::<&[u8]>::is_capture(input) {
        let Some((first, batch)) = input.split_first() else { return };
        let engine = Engine::ALL[usize::from(*first) % Engine::ALL.len()];
        return list(&mut Flat(batch.as_chunks().0), engine, PpgttAddress(0));
    }
    let Ok(mut reader) = Reader::new(input) else { return };
    let mut memory = Memory::default();
    while let Ok(Some(record)) = reader.next_record() {
        if memory.replay(&record).is_err() {
            return;
        }
        let Record::Exec(exec) = record else { continue };
        let (Some(engine), Some(start)) = (exec.engine, exec.address()) else { continue };
        let Ok(mut bound) = memory.bind(&exec) else { continue };
        list(&mut bound, engine, start);
    }
});
