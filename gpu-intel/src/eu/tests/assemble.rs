//! Instructions bit by bit, for tests.

use super::super::Opcode;

pub(crate) const UD: u128 = 0;
pub(crate) const D: u128 = 1;
pub(crate) const UW: u128 = 2;
pub(crate) const W: u128 = 3;
pub(crate) const F: u128 = 7;
pub(crate) const DF: u128 = 6;
pub(crate) const HF: u128 = 10;

pub(crate) const ARF: u128 = 0;
pub(crate) const GRF: u128 = 1;
pub(crate) const NULL: Reg = Reg { file: ARF, number: 0, byte: 0 };
pub(crate) const FLAG: Reg = Reg { file: ARF, number: 0x30, byte: 0 };
pub(crate) const ACC: Reg = Reg { file: ARF, number: 0x20, byte: 0 };
pub(crate) const A0: Reg = Reg { file: ARF, number: 0x10, byte: 0 };
pub(crate) const CR0: Reg = Reg { file: ARF, number: 0x80, byte: 0 };

#[derive(Clone, Copy)]
pub(crate) struct Reg {
    pub(crate) file: u128,
    pub(crate) number: u128,
    pub(crate) byte: u128,
}

pub(crate) fn g(number: u128) -> Reg {
    Reg { file: GRF, number, byte: 0 }
}

impl Reg {
    pub(crate) fn at(self, byte: u128) -> Self {
        Self { byte, ..self }
    }
}

/// A source's 25 bits, with the codes of its vertical stride, width and horizontal stride.
#[derive(Clone, Copy)]
pub(crate) enum Src {
    Region(Reg, u128, u128, [u128; 3], u128),
    Imm(u128, u128),
}

pub(crate) const NEG: u128 = 1 << 14;
pub(crate) const ABS: u128 = 1 << 13;

pub(crate) fn packed(reg: Reg, data_type: u128) -> Src {
    Src::Region(reg, data_type, 0, [4, 3, 1], 0)
}

pub(crate) fn scalar(reg: Reg, data_type: u128) -> Src {
    Src::Region(reg, data_type, 0, [0, 0, 0], 0)
}

pub(crate) fn region(reg: Reg, data_type: u128, codes: [u128; 3]) -> Src {
    Src::Region(reg, data_type, 0, codes, 0)
}

pub(crate) fn with(source: Src, modifiers: u128) -> Src {
    match source {
        Src::Region(reg, data_type, _, codes, extra) => {
            Src::Region(reg, data_type, modifiers, codes, extra)
        }
        immediate => immediate,
    }
}

pub(crate) fn imm(data_type: u128, bits: u32) -> Src {
    let bits: u128 = bits.into();
    Src::Imm(data_type, if matches!(data_type, UW | W) { bits << 16 | bits & 0xffff } else { bits })
}

pub(crate) fn imm_f(value: f32) -> Src {
    imm(F, value.to_bits())
}

/// Opcode, with the logarithm of the execution size in bits 23:21 and whatever else is said.
pub(crate) fn op(opcode: Opcode, size: u128) -> u128 {
    opcode as u128 | u128::from(size.ilog2()) << 21
}

pub(crate) fn source_bits(reg: Reg, modifiers: u128, codes: [u128; 3]) -> u128 {
    reg.byte | reg.number << 5 | modifiers | codes[2] << 16 | codes[1] << 18 | codes[0] << 21
}

pub(crate) fn dst(reg: Reg, data_type: u128, stride: u128) -> u128 {
    reg.file << 35 | data_type << 37 | reg.byte << 48 | reg.number << 53 | stride << 61
}

pub(crate) fn src0(source: Src) -> u128 {
    match source {
        Src::Region(reg, data_type, modifiers, codes, _) => {
            reg.file << 41 | data_type << 43 | source_bits(reg, modifiers, codes) << 64
        }
        Src::Imm(data_type, bits) => 3 << 41 | data_type << 43 | bits << 96,
    }
}

pub(crate) fn src1(source: Src) -> u128 {
    match source {
        Src::Region(reg, data_type, modifiers, codes, _) => {
            reg.file << 89 | data_type << 91 | source_bits(reg, modifiers, codes) << 96
        }
        Src::Imm(data_type, bits) => 3 << 89 | data_type << 91 | bits << 96,
    }
}

pub(crate) fn one(opcode: Opcode, size: u128, to: (Reg, u128), source: Src) -> u128 {
    op(opcode, size) | dst(to.0, to.1, 1) | src0(source)
}

pub(crate) fn two(opcode: Opcode, size: u128, to: (Reg, u128), a: Src, b: Src) -> u128 {
    one(opcode, size, to, a) | src1(b)
}

/// A ternary instruction on packed registers; `types` are the codes of sources and destination.
pub(crate) fn three(opcode: Opcode, size: u128, types: u128, to: u128, sources: [u128; 3]) -> u128 {
    let source = |number: u128| 0xe4 << 1 | number << 12;
    op(opcode, size)
        | 1 << 8
        | types << 43
        | types << 46
        | 0xf << 49
        | to << 56
        | source(sources[0]) << 64
        | source(sources[1]) << 85
        | source(sources[2]) << 106
}

pub(crate) const SATURATE: u128 = 1 << 31;
pub(crate) const NO_MASK: u128 = 1 << 34;
pub(crate) const ACC_WRITE: u128 = 1 << 28;
pub(crate) const PREDICATED: u128 = 1 << 16;
pub(crate) const INVERSE: u128 = 1 << 20;

pub(crate) fn condition(code: u128) -> u128 {
    code << 24
}

pub(crate) const EQUAL: u128 = 1;
pub(crate) const NOT_EQUAL: u128 = 2;
pub(crate) const GREATER: u128 = 3;
pub(crate) const GREATER_EQUAL: u128 = 4;
pub(crate) const LESS: u128 = 5;
pub(crate) const OVERFLOW: u128 = 8;
pub(crate) const UNORDERED: u128 = 9;

pub(crate) fn branch(opcode: Opcode, size: u128, jip: i32, uip: i32) -> u128 {
    op(opcode, size) | u128::from(jip as u32) << 96 | u128::from(uip as u32) << 64
}

/// Ends the thread: a message to the thread spawner.
pub(crate) fn end() -> u128 {
    op(Opcode::Send, 8)
        | 7 << 24
        | dst(NULL, UD, 1)
        | src0(packed(g(127), UD))
        | 3 << 89
        | 1 << 127
        | 1 << 121
}

pub(crate) fn bytes(words: &[u128]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
