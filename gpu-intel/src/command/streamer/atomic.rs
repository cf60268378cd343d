//! MI_ATOMIC: read, change and write memory in one go.
//!
//! Source: SKL PRM vol 2a (MI_ATOMIC), operations as Mesa's genxml numbers them: bits 3:0 the operation, bits 7:5 the
//! width.

use super::{Bus, Dwords, Fault, Space, Step, Streamer, gpr};

/// Registers of the first and second operand and of the returned value, where they are not in the command.
const OPERAND_1: u32 = 0;
const OPERAND_2: u32 = 2;
const RETURNED: u32 = 4;

/// Operations on 4 and 8 bytes, in bits 3:0; the width is in the bits above.
const NARROW: std::ops::RangeInclusive<u32> = 0x1..=0xf;
/// The one operation on 16 bytes: compare and write.
const COMPARE_AND_WRITE_16: u32 = 0x4e;

/// Whether an operation exists.
pub(crate) fn exists(operation: u32) -> bool {
    match operation >> 4 {
        0 | 2 => NARROW.contains(&(operation & 0xf)),
        _ => operation == COMPARE_AND_WRITE_16,
    }
}

impl Streamer {
    pub(super) fn atomic<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let header = command.get(0)?;
        let operation = header >> 8 & 0xff;
        if !exists(operation) {
            let detail = format!("no atomic operation {operation:#x}");
            return Err(Fault::new("command/atomic", detail));
        }
        let at = command.address(1, 2)?;
        // The operands' dwords alternate in the command: first low, second low, first high, second high ...
        let mut operand = |register: u32, index: usize, half: u32| -> Result<u64, Fault> {
            if command.bit(18) {
                // Narrow operations may leave out what they do not need.
                command.get(3)?;
                let at = index + 4 * half as usize;
                let dword = |at: usize| u64::from(command.0.get(at).copied().unwrap_or_default());
                Ok(dword(at + 2) << 32 | dword(at))
            } else {
                self.register64(bus, gpr(register + half))
            }
        };
        let first = [operand(OPERAND_1, 3, 0)?, operand(OPERAND_1, 3, 1)?];
        let second = [operand(OPERAND_2, 4, 0)?, operand(OPERAND_2, 4, 1)?];
        let space = Space::chosen(command.bit(22));
        let [old, old_high] = match operation >> 5 {
            0 => [modify(bus, space, at & !3, 4, operation, first[0], second[0])?, 0],
            1 => [modify(bus, space, at & !7, 8, operation, first[0], second[0])?, 0],
            _ => compare_and_write_16(bus, space, at & !15, first, second)?,
        };
        if command.bit(16) {
            self.set_register64(bus, gpr(RETURNED), old)?;
            if operation == COMPARE_AND_WRITE_16 {
                self.set_register64(bus, gpr(RETURNED + 1), old_high)?;
            }
        }
        Ok(Step::Next)
    }
}

/// Returns what the command returns: the old value, or for "decrement, then return" the new one.
fn modify<B: Bus + ?Sized>(
    bus: &mut B,
    space: Space,
    at: u64,
    bytes: usize,
    operation: u32,
    first: u64,
    second: u64,
) -> Result<u64, Fault> {
    let mask = if bytes == 4 { u64::from(u32::MAX) } else { u64::MAX };
    // Signed comparisons are made at the top of the word, so that one rule serves both widths.
    let signed = |value: u64| (value << (64 - 8 * bytes)).cast_signed();
    let (first, second) = (first & mask, second & mask);
    let apply = |old: u64| {
        let choose = |new: bool| if new { first } else { old };
        let new = match operation & 0xf {
            0x1 => old & first,
            0x2 => old | first,
            0x3 => old ^ first,
            0x4 => first,
            0x5 => old.wrapping_add(1),
            0x6 | 0xf => old.wrapping_sub(1),
            0x7 => old.wrapping_add(first),
            0x8 => old.wrapping_sub(first),
            0x9 => first.wrapping_sub(old),
            0xa => choose(signed(first) > signed(old)),
            0xb => choose(signed(first) < signed(old)),
            0xc => choose(first > old),
            0xd => choose(first < old),
            0xe if old == first => second,
            _ => old,
        };
        new & mask
    };
    let old = bus.modify(space, at, bytes, &mut |old| apply(old & mask))?;
    Ok(if operation & 0xf == 0xf { apply(old & mask) } else { old & mask })
}

/// The one operation on 16 bytes. It is not atomic towards others than this engine.
fn compare_and_write_16<B: Bus + ?Sized>(
    bus: &mut B,
    space: Space,
    at: u64,
    first: [u64; 2],
    second: [u64; 2],
) -> Result<[u64; 2], Fault> {
    let bytes = |[low, high]: [u64; 2]| (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
    let mut old = [0; 16];
    bus.load(space, at, &mut old)?;
    if old == bytes(first) {
        bus.store(space, at, &bytes(second))?;
    }
    let old = u128::from_le_bytes(old);
    Ok([old as u64, (old >> 64) as u64])
}
