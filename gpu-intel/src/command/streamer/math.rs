//! MI_MATH: a small calculator on the general-purpose registers.
//!
//! ```text
//!  R0..R15 ──LOAD──► SRCA, SRCB ──ADD, SUB, AND, OR, XOR──► ACCU, ZF, CF ──STORE──► R0..R15
//! ```
//!
//! Source: SKL PRM vol 2a (MI_MATH) and vol 7; encodings as in Mesa's genxml.

use super::{Bus, Dwords, Fault, Step, Streamer, gpr};

mod operation {
    pub(super) const NOOP: u32 = 0x000;
    pub(super) const LOAD: u32 = 0x080;
    pub(super) const LOAD_0: u32 = 0x081;
    pub(super) const ADD: u32 = 0x100;
    pub(super) const SUB: u32 = 0x101;
    pub(super) const AND: u32 = 0x102;
    pub(super) const OR: u32 = 0x103;
    pub(super) const XOR: u32 = 0x104;
    pub(super) const STORE: u32 = 0x180;
    pub(super) const LOAD_INVERTED: u32 = 0x480;
    pub(super) const LOAD_1: u32 = 0x481;
    pub(super) const STORE_INVERTED: u32 = 0x580;
}

mod operand {
    /// R0 to R15.
    pub(super) const LAST_REGISTER: u32 = 15;
    pub(super) const SOURCE_A: u32 = 0x20;
    pub(super) const SOURCE_B: u32 = 0x21;
    pub(super) const ACCUMULATOR: u32 = 0x31;
    pub(super) const ZERO_FLAG: u32 = 0x32;
    pub(super) const CARRY_FLAG: u32 = 0x33;
}

/// Whether an instruction exists, with its operands.
pub(crate) fn exists(instruction: u32) -> bool {
    let (first, second) = (instruction >> 10 & 0x3ff, instruction & 0x3ff);
    let source = |of| matches!(of, operand::SOURCE_A | operand::SOURCE_B);
    let flag = |of| matches!(of, operand::ACCUMULATOR | operand::ZERO_FLAG | operand::CARRY_FLAG);
    let readable = |of| of <= operand::LAST_REGISTER || source(of) || flag(of);
    match instruction >> 20 {
        operation::LOAD | operation::LOAD_INVERTED => source(first) && readable(second),
        operation::LOAD_0 | operation::LOAD_1 => source(first),
        operation::STORE | operation::STORE_INVERTED => {
            first <= operand::LAST_REGISTER && readable(second)
        }
        operation::NOOP
        | operation::ADD
        | operation::SUB
        | operation::AND
        | operation::OR
        | operation::XOR => true,
        _ => false,
    }
}

#[derive(Clone, Copy, Default)]
struct Alu {
    a: u64,
    b: u64,
    accumulator: u64,
    zero: bool,
    carry: bool,
}

impl Alu {
    fn set_source(&mut self, operand: u32, value: u64) -> Result<(), Fault> {
        match operand {
            operand::SOURCE_A => self.a = value,
            operand::SOURCE_B => self.b = value,
            _ => return Err(bad_operand(operand)),
        }
        Ok(())
    }

    fn result(&mut self, (value, carry): (u64, bool)) {
        self.accumulator = value;
        self.zero = value == 0;
        self.carry = carry;
    }
}

impl Streamer {
    pub(super) fn math<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let mut alu = Alu::default();
        for index in 1..command.0.len() {
            let instruction = command.get(index)?;
            let (first, second) = (instruction >> 10 & 0x3ff, instruction & 0x3ff);
            let (a, b) = (alu.a, alu.b);
            match instruction >> 20 {
                operation::NOOP => {}
                operation::LOAD => {
                    let value = self.operand(&alu, second, bus)?;
                    alu.set_source(first, value)?;
                }
                operation::LOAD_INVERTED => {
                    let value = self.operand(&alu, second, bus)?;
                    alu.set_source(first, !value)?;
                }
                operation::LOAD_0 => alu.set_source(first, 0)?,
                operation::LOAD_1 => alu.set_source(first, u64::MAX)?,
                operation::ADD => alu.result(a.overflowing_add(b)),
                operation::SUB => alu.result(a.overflowing_sub(b)),
                operation::AND => alu.result((a & b, false)),
                operation::OR => alu.result((a | b, false)),
                operation::XOR => alu.result((a ^ b, false)),
                operation::STORE => {
                    let value = self.operand(&alu, second, bus)?;
                    self.store_result(first, value, bus)?;
                }
                operation::STORE_INVERTED => {
                    let value = self.operand(&alu, second, bus)?;
                    self.store_result(first, !value, bus)?;
                }
                _ => {
                    let detail = format!("no ALU instruction {instruction:#010x}");
                    return Err(Fault::new("command/math", detail));
                }
            }
        }
        Ok(Step::Next)
    }

    fn operand<B: Bus + ?Sized>(&self, alu: &Alu, which: u32, bus: &mut B) -> Result<u64, Fault> {
        let flag = |set: bool| if set { u64::MAX } else { 0 };
        Ok(match which {
            0..=operand::LAST_REGISTER => self.register64(bus, gpr(which))?,
            operand::SOURCE_A => alu.a,
            operand::SOURCE_B => alu.b,
            operand::ACCUMULATOR => alu.accumulator,
            operand::ZERO_FLAG => flag(alu.zero),
            operand::CARRY_FLAG => flag(alu.carry),
            _ => return Err(bad_operand(which)),
        })
    }

    fn store_result<B: Bus + ?Sized>(&self, to: u32, value: u64, bus: &mut B) -> Result<(), Fault> {
        match to {
            0..=operand::LAST_REGISTER => self.set_register64(bus, gpr(to), value),
            _ => Err(bad_operand(to)),
        }
    }
}

fn bad_operand(operand: u32) -> Fault {
    Fault::new("command/math", format!("no ALU operand {operand:#x} here"))
}
