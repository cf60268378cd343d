use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::command::length;

/// Two memories, registers, and a record of what was told.
#[derive(Default)]
struct Desk {
    ggtt: Vec<u8>,
    ppgtt: Vec<u8>,
    registers: HashMap<u32, u32>,
    told: Vec<Notify>,
    flushes: Vec<bool>,
    events: bool,
}

impl Desk {
    fn new() -> Self {
        Self { ggtt: vec![0; 0x4000], ppgtt: vec![0; 0x4000], events: true, ..Self::default() }
    }

    fn memory(&mut self, space: Space, at: u64, bytes: usize) -> Result<&mut [u8], Fault> {
        let memory = if space == Space::Ggtt { &mut self.ggtt } else { &mut self.ppgtt };
        let at = usize::try_from(at).unwrap();
        memory.get_mut(at..at.saturating_add(bytes)).ok_or(Fault::new("test/unmapped", "unmapped"))
    }

    fn dword(&mut self, space: Space, at: u64) -> u32 {
        load_u32(self, space, at).unwrap()
    }

    fn qword(&mut self, space: Space, at: u64) -> u64 {
        u64::from(self.dword(space, at)) | u64::from(self.dword(space, at + 4)) << 32
    }

    fn put(&mut self, at: u64, value: u32) {
        self.store(Space::Ppgtt, at, &value.to_le_bytes()).unwrap();
    }

    fn gpr(&self, index: u32) -> u64 {
        let read = |at| u64::from(*self.registers.get(&at).unwrap_or(&0));
        read(0x2600 + 8 * index) | read(0x2604 + 8 * index) << 32
    }

    fn set_gpr(&mut self, index: u32, value: u64) {
        self.registers.insert(0x2600 + 8 * index, value as u32);
        self.registers.insert(0x2604 + 8 * index, (value >> 32) as u32);
    }
}

impl Bus for Desk {
    fn load(&mut self, space: Space, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        to.copy_from_slice(self.memory(space, at, to.len())?);
        Ok(())
    }
    fn store(&mut self, space: Space, at: u64, from: &[u8]) -> Result<(), Fault> {
        self.memory(space, at, from.len())?.copy_from_slice(from);
        Ok(())
    }
    fn register(&mut self, at: RegisterOffset) -> Result<u32, Fault> {
        Ok(*self.registers.get(&at.0).unwrap_or(&0))
    }
    fn set_register(&mut self, at: RegisterOffset, value: u32) -> Result<(), Fault> {
        self.registers.insert(at.0, value);
        Ok(())
    }
    fn status_page(&self, which: StatusPage) -> Option<GgttAddress> {
        Some(GgttAddress(if which == StatusPage::Global { 0x1000 } else { 0x2000 }))
    }
    fn timestamp(&mut self) -> u64 {
        0xff_1234_5678_9abc
    }
    fn notify(&mut self, what: Notify) {
        self.told.push(what);
    }
    fn event_reached(&mut self, _mask: u32) -> bool {
        self.events
    }
    fn flush(&mut self, invalidate_tlb: bool) {
        self.flushes.push(invalidate_tlb);
    }
}

fn ring(engine: Engine) -> Streamer {
    Streamer::new(engine)
}

/// Executes `command` on a privileged render engine; it must be as long as its header says.
fn run(desk: &mut Desk, command: &[u32]) -> Step {
    assert_eq!(length(command[0], Engine::Render), Some(command.len()), "{:#x}", command[0]);
    ring(Engine::Render).execute(command, desk).unwrap()
}

#[test]
fn store_data_imm_stores_dwords_and_quadwords_to_either_space() {
    let mut desk = Desk::new();
    assert_eq!(run(&mut desk, &[0x1040_0002, 0x100, 0, 7]), Step::Next);
    assert_eq!(desk.dword(Space::Ggtt, 0x100), 7);
    run(&mut desk, &[0x1020_0003, 0x208, 0, 1, 2]);
    assert_eq!(desk.qword(Space::Ppgtt, 0x208), 2 << 32 | 1);
}

#[test]
fn store_data_index_goes_to_a_status_page() {
    let mut desk = Desk::new();
    run(&mut desk, &[0x1080_0001, 0x80, 9]);
    run(&mut desk, &[0x10a0_0001, 0x84, 11]);
    assert_eq!(desk.dword(Space::Ggtt, 0x1080), 9);
    assert_eq!(desk.dword(Space::Ggtt, 0x2084), 11);
}

#[test]
fn registers_are_loaded_stored_and_copied() {
    let mut desk = Desk::new();
    run(&mut desk, &[0x1100_0003, 0x2600, 0x1111_2222, 0x2604, 0x3333_4444]);
    assert_eq!(desk.gpr(0), 0x3333_4444_1111_2222);
    // Bytes 1 and 3 are write-disabled.
    run(&mut desk, &[0x1100_0a01, 0x2600, 0xaabb_ccdd]);
    assert_eq!(desk.registers[&0x2600], 0x11bb_22dd);
    run(&mut desk, &[0x1200_0002, 0x2604, 0x300, 0]);
    assert_eq!(desk.dword(Space::Ppgtt, 0x300), 0x3333_4444);
    run(&mut desk, &[0x1480_0002, 0x2610, 0x300, 0]);
    run(&mut desk, &[0x1500_0001, 0x2610, 0x2618]);
    assert_eq!(desk.registers[&0x2618], 0x3333_4444);
}

#[test]
fn store_register_mem_can_be_predicated() {
    let mut desk = Desk::new();
    desk.set_gpr(0, 5);
    let command = [0x1220_0002, 0x2600, 0x300, 0];
    assert_eq!(run(&mut desk, &command), Step::Skipped);
    desk.registers.insert(0x2418, 1);
    assert_eq!(run(&mut desk, &command), Step::Next);
    assert_eq!(desk.dword(Space::Ppgtt, 0x300), 5);
}

#[test]
fn copy_mem_mem_copies_a_dword() {
    let mut desk = Desk::new();
    desk.put(0x200, 77);
    run(&mut desk, &[0x1720_0003, 0x100, 0, 0x200, 0]);
    assert_eq!(desk.dword(Space::Ggtt, 0x100), 77);
}

#[test]
fn semaphores_wait_for_every_comparison() {
    let mut desk = Desk::new();
    for (operation, outcomes) in [
        (0, [false, false, true]),
        (1, [false, true, true]),
        (2, [true, false, false]),
        (3, [true, true, false]),
        (4, [false, true, false]),
        (5, [true, false, true]),
    ] {
        for (value, met) in [4, 5, 6].into_iter().zip(outcomes) {
            desk.put(0x100, value);
            let step = run(&mut desk, &[0x0e00_8002 | operation << 12, 5, 0x100, 0]);
            assert_eq!(step == Step::Next, met, "operation {operation}, {value}");
            assert_eq!(step == Step::Wait, !met);
        }
    }
    desk.registers.insert(0x2600, 5);
    assert_eq!(run(&mut desk, &[0x0e01_c002, 5, 0x2600, 0]), Step::Next, "a register is polled");
}

#[test]
fn interrupts_signals_and_events() {
    let mut desk = Desk::new();
    run(&mut desk, &[0x0100_0000]);
    run(&mut desk, &[0x0d81_0000, 42]);
    assert_eq!(desk.told, [Notify::UserInterrupt, Notify::Semaphore { engine: 2, context: 42 }]);
    assert_eq!(run(&mut desk, &[0x0180_0008]), Step::Next);
    desk.events = false;
    assert_eq!(run(&mut desk, &[0x0180_0008]), Step::Wait);
}

#[test]
fn small_commands() {
    let mut desk = Desk::new();
    run(&mut desk, &[0x0040_0123]);
    assert_eq!(desk.registers[&0x2094], 0x123);
    desk.registers.insert(0x2034, 0x88);
    run(&mut desk, &[0x0380_0000]);
    assert_eq!(desk.dword(Space::Ggtt, 0x1004), 0x88);
    for header in [0x0280_0000, 0x0300_0001, 0x0580_0000, 0x0680_0003, 0x0700_0000, 0x0200_0000] {
        assert_eq!(run(&mut desk, &[header]), Step::Next, "{header:#x}");
    }
    assert_eq!(run(&mut desk, &[0x0500_0000]), Step::BatchEnd);
    let mut streamer = ring(Engine::Render);
    streamer.execute(&[0x0400_0000], &mut desk).unwrap();
    assert!(!streamer.arbitration);
    assert_eq!(streamer.execute(&[0x1180_0001, 0, 0], &mut desk), Ok(Step::Other), "UPDATE_GTT");
    assert!(streamer.execute(&[0x1f80_0000], &mut desk).is_err(), "unknown");
    assert!(streamer.execute(&[0x1040_0002, 0x100], &mut desk).is_err(), "too short");
    assert!(streamer.execute(&[], &mut desk).is_err());
    assert_eq!(streamer.execute(&[0x0a00_0001, 0, 0], &mut desk), Ok(Step::Other), "flip");
    assert_eq!(streamer.execute(&[0x7b00_0005; 7], &mut desk), Ok(Step::Other), "3D");
}

#[test]
fn batches_start_chained_nested_offset_and_predicated() {
    let mut desk = Desk::new();
    let start = |at, space, second_level| Step::Batch(BatchStart { at, space, second_level });
    let at = [0x3000, 0xffff_8000];
    assert_eq!(
        run(&mut desk, &[0x1880_0101, at[0], at[1]]),
        start(0x8000_0000_3000, Space::Ppgtt, false)
    );
    assert_eq!(run(&mut desk, &[0x18c0_0001, 0x3000, 0]), start(0x3000, Space::Ggtt, true));
    desk.registers.insert(0x2158, 0x40);
    assert_eq!(run(&mut desk, &[0x1881_0101, 0x3000, 0]), start(0x3040, Space::Ppgtt, false));
    assert_eq!(run(&mut desk, &[0x1880_8101, 0x3000, 0]), Step::Skipped);
    desk.registers.insert(0x241c, 1);
    assert_eq!(run(&mut desk, &[0x1880_8101, 0x3000, 0]), start(0x3000, Space::Ppgtt, false));
}

#[test]
fn conditional_end_compares_with_memory() {
    let mut desk = Desk::new();
    desk.put(0x100, 10);
    desk.put(0x104, 0x2);
    for (data, step) in [(9, Step::Next), (10, Step::BatchEnd), (11, Step::BatchEnd)] {
        assert_eq!(run(&mut desk, &[0x1b20_0002, data, 0x100, 0]), step, "{data}");
    }
    assert_eq!(run(&mut desk, &[0x1b28_0002, 2, 0x100, 0]), Step::BatchEnd, "masked to 2");
    assert_eq!(run(&mut desk, &[0x1b28_0002, 1, 0x100, 0]), Step::Next);
    assert_eq!(run(&mut desk, &[0x1b00_0002, 99, 0x100, 0]), Step::Next, "no comparison");
}

#[test]
fn predicate_compares_combines_and_loads() {
    let mut desk = Desk::new();
    let result = |desk: &Desk| desk.registers[&0x2418];
    desk.registers.insert(0x2400, 5);
    desk.registers.insert(0x2408, 5);
    run(&mut desk, &[0x0600_0082]);
    assert_eq!(result(&desk), 1, "equal");
    run(&mut desk, &[0x0600_00c2]);
    assert_eq!(result(&desk), 0, "inverted");
    run(&mut desk, &[0x0600_0090]);
    assert_eq!(result(&desk), 1, "or true");
    run(&mut desk, &[0x0600_0098]);
    assert_eq!(result(&desk), 0, "xor true");
    run(&mut desk, &[0x0600_0000]);
    assert_eq!(result(&desk), 0, "kept");
    desk.registers.insert(0x2408, 2);
    desk.registers.insert(0x2410, 3);
    run(&mut desk, &[0x0600_0083]);
    assert_eq!(result(&desk), 1, "delta equals data");
    run(&mut desk, &[0x0600_0089]);
    assert_eq!(result(&desk), 0, "and false");
}

#[test]
fn set_predicate_leaves_commands_out_until_it_is_lifted() {
    let mut desk = Desk::new();
    let mut streamer = ring(Engine::Render);
    let store = [0x1040_0002, 0x100, 0, 7];
    streamer.execute(&[0x0080_0003], &mut desk).unwrap();
    assert_eq!(streamer.execute(&store, &mut desk), Ok(Step::Skipped));
    assert_eq!(streamer.execute(&[0x0500_0000], &mut desk), Ok(Step::BatchEnd));
    desk.registers.insert(0x2418, 1);
    assert_eq!(streamer.execute(&store, &mut desk), Ok(Step::Next));
    streamer.execute(&[0x0080_000f], &mut desk).unwrap();
    assert_eq!(streamer.execute(&store, &mut desk), Ok(Step::Skipped));
    streamer.execute(&[0x0080_0000], &mut desk).unwrap();
    assert_eq!(streamer.execute(&store, &mut desk), Ok(Step::Next));
}

fn alu(operation: u32, first: u32, second: u32) -> u32 {
    operation << 20 | first << 10 | second
}

#[test]
fn math_computes_and_sets_flags() {
    let (a, b) = (0xffff_ffff_ffff_fff0_u64, 0x20_u64);
    for (operation, result, zero, carry) in [
        (0x100, a.wrapping_add(b), false, true),
        (0x101, a - b, false, false),
        (0x102, a & b, false, false),
        (0x103, a | b, false, false),
        (0x104, a ^ b, false, false),
    ] {
        let mut desk = Desk::new();
        desk.set_gpr(1, a);
        desk.set_gpr(2, b);
        run(
            &mut desk,
            &[
                0x0d00_0006,
                alu(0x080, 0x20, 1),
                alu(0x080, 0x21, 2),
                alu(operation, 0, 0),
                alu(0x180, 3, 0x31),
                alu(0x580, 4, 0x31),
                alu(0x180, 5, 0x32),
                alu(0x180, 6, 0x33),
            ],
        );
        assert_eq!(desk.gpr(3), result, "{operation:#x}");
        assert_eq!(desk.gpr(4), !result);
        assert_eq!(desk.gpr(5) == u64::MAX, zero);
        assert_eq!(desk.gpr(6) == u64::MAX, carry);
    }
    // 0 - all ones borrows; inverted loads; equal values give zero.
    let mut desk = Desk::new();
    desk.set_gpr(1, !7);
    run(
        &mut desk,
        &[
            0x0d00_0009,
            alu(0x081, 0x20, 0),
            alu(0x481, 0x21, 0),
            alu(0x101, 0, 0),
            alu(0x180, 2, 0x31),
            alu(0x180, 3, 0x33),
            alu(0x480, 0x20, 1),
            alu(0x480, 0x21, 1),
            alu(0x104, 0, 0),
            alu(0x180, 4, 0x32),
            alu(0x180, 5, 0x20),
        ],
    );
    assert_eq!([desk.gpr(2), desk.gpr(3)], [1, u64::MAX]);
    assert_eq!([desk.gpr(4), desk.gpr(5)], [u64::MAX, 7]);
    let mut streamer = ring(Engine::Render);
    assert!(streamer.execute(&[0x0d00_0000, alu(0x7ff, 0, 0)], &mut desk).is_err());
    assert!(streamer.execute(&[0x0d00_0000, alu(0x080, 0x31, 0)], &mut desk).is_err());
}

#[test]
fn atomics_of_both_widths() {
    let minus_two = (-2_i32).cast_unsigned();
    for (operation, old, operand, new) in [
        (0x1_u32, 0xff_u32, 0x0f, 0x0f),
        (0x2, 0xf0, 0x0f, 0xff),
        (0x3, 0xff, 0x0f, 0xf0),
        (0x4, 1, 2, 2),
        (0x5, u32::MAX, 0, 0),
        (0x6, 0, 0, u32::MAX),
        (0x7, 3, 4, 7),
        (0x8, 3, 4, u32::MAX),
        (0x9, 3, 4, 1),
        (0xa, minus_two, 1, 1),
        (0xb, minus_two, 1, minus_two),
        (0xc, minus_two, 1, minus_two),
        (0xd, minus_two, 1, 1),
        (0xe, 3, 3, 99),
        (0xe, 4, 3, 4),
        (0xf, 4, 0, 3),
    ] {
        let mut desk = Desk::new();
        desk.put(0x100, old);
        desk.put(0x104, 0x5555);
        let header = 0x1780_0009 | operation << 8 | 1 << 18 | 1 << 16;
        run(&mut desk, &[header, 0x100, 0, operand, 99, 0, 0, 0, 0, 0, 0]);
        assert_eq!(desk.dword(Space::Ppgtt, 0x100), new, "operation {operation:#x}");
        assert_eq!(desk.dword(Space::Ppgtt, 0x104), 0x5555, "the next dword is untouched");
        let returned = if operation == 0xf { new } else { old };
        assert_eq!(desk.gpr(4), u64::from(returned));
    }
    // Eight bytes, operands from registers.
    let mut desk = Desk::new();
    desk.put(0x100, u32::MAX);
    desk.set_gpr(0, 1);
    run(&mut desk, &[0x1780_2701, 0x100, 0]);
    assert_eq!(desk.qword(Space::Ppgtt, 0x100), 1 << 32);
    // Sixteen bytes, compared and written.
    run(&mut desk, &[0x1784_4e09, 0x100, 0, 0, 9, 1, 8, 0, 7, 0, 6]);
    assert_eq!(desk.qword(Space::Ppgtt, 0x100), 8 << 32 | 9);
    assert_eq!(desk.qword(Space::Ppgtt, 0x108), 6 << 32 | 7);
    let mut streamer = ring(Engine::Render);
    for operation in [0x00, 0x10, 0x20, 0x41, 0x60] {
        let command = [0x1780_0001 | operation << 8, 0x100, 0];
        assert!(streamer.execute(&command, &mut desk).is_err(), "{operation:#x}");
    }
}

#[test]
fn pipe_control_writes_after_its_flush() {
    let mut desk = Desk::new();
    run(&mut desk, &[0x7a00_0004, 1 << 24 | 1 << 14 | 1 << 20, 0x108, 0, 1, 2]);
    assert_eq!(desk.qword(Space::Ggtt, 0x108), 2 << 32 | 1);
    desk.registers.insert(0x2350, 33);
    run(&mut desk, &[0x7a00_0004, 2 << 14 | 1 << 8, 0x110, 0, 0, 0]);
    assert_eq!(desk.qword(Space::Ppgtt, 0x110), 33);
    run(&mut desk, &[0x7a00_0004, 3 << 14 | 1 << 18, 0x118, 0, 0, 0]);
    assert_eq!(desk.qword(Space::Ppgtt, 0x118), 0x4_5678_9abc, "36 bits of time");
    run(&mut desk, &[0x7a00_0004, 1 << 24 | 1 << 21 | 1 << 14, 0x340, 0, 5, 6]);
    assert_eq!(desk.qword(Space::Ggtt, 0x1340), 6 << 32 | 5);
    run(&mut desk, &[0x7a00_0004, 1 << 23, 0x2600, 0, 44, 0]);
    assert_eq!(desk.registers[&0x2600], 44);
    run(&mut desk, &[0x7a00_0004, 1 << 20, 0x100, 0, 5, 6]);
    assert_eq!(desk.dword(Space::Ppgtt, 0x100), 0, "no post-sync operation");
    assert_eq!(desk.flushes, [false, false, true, false, false, false]);
    assert_eq!(desk.told, [Notify::FlushDone]);
}

#[test]
fn flush_dw_writes_after_its_flush() {
    let mut desk = Desk::new();
    let mut copy = ring(Engine::Copy);
    copy.execute(&[0x1300_4002, 0x100 | 4, 0, 7], &mut desk).unwrap();
    assert_eq!(desk.qword(Space::Ggtt, 0x100), 7);
    copy.execute(&[0x1304_4103, 0x108, 0, 7, 8], &mut desk).unwrap();
    assert_eq!(desk.qword(Space::Ppgtt, 0x108), 8 << 32 | 7);
    copy.execute(&[0x1320_4002, 0x340 | 4, 0, 9], &mut desk).unwrap();
    assert_eq!(desk.dword(Space::Ggtt, 0x1340), 9);
    copy.execute(&[0x1300_c002, 0x110, 0, 0], &mut desk).unwrap();
    assert_eq!(desk.qword(Space::Ppgtt, 0x110), 0x4_5678_9abc);
    copy.execute(&[0x1300_0000, 0], &mut desk).unwrap();
    assert_eq!(desk.flushes, [false, true, false, false, false]);
    assert_eq!(desk.told, [Notify::FlushDone]);
}

#[test]
fn perf_reports_have_an_id_and_no_counts() {
    let mut desk = Desk::new();
    desk.ppgtt.fill(0xee);
    run(&mut desk, &[0x1400_0002, 0x400, 0, 0x1234]);
    assert_eq!(desk.dword(Space::Ppgtt, 0x400), 0x1234);
    assert_eq!(desk.dword(Space::Ppgtt, 0x4fc), 0);
    assert_eq!(desk.dword(Space::Ppgtt, 0x500), 0xeeee_eeee);
}

proptest! {
    #[test]
    fn no_command_panics(
        first in prop_oneof![any::<u32>(), (0u32..64, any::<u32>()).prop_map(|(o, r)| o << 23 | r & 0x7f_ffff)],
        rest in prop::collection::vec(prop_oneof![any::<u32>(), 0u32..0x3000], 0..20),
        engine in 0usize..4,
    ) {
        let mut desk = Desk::new();
        let mut command = vec![first];
        command.extend(rest);
        let _ = Streamer::new(Engine::ALL[engine]).execute(&command, &mut desk);
    }
}
