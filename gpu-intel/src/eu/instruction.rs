//! An instruction, with a type for all that its bits say. What can't be said here can't be executed.

use super::message::SharedFunction;
use super::opcode::Opcode;

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instruction {
    /// What it does.
    pub opcode: Opcode,
    /// It has 8 bytes in memory, not 16.
    pub compacted: bool,
    /// How regions and write masks are to be read.
    pub access: AccessMode,
    /// How many channels: 1, 2, 4, 8, 16 or 32.
    pub execution_size: u8,
    /// Its first channel: eight times the quarter control, plus four for the nibble control.
    pub first_channel: u8,
    /// Who writes: those for whom the flag says so.
    pub predicate: Option<Predicate>,
    /// What the result is compared with zero for. A shared function's number and MATH's function aren't here.
    pub condition: Option<Condition>,
    /// The flag for both: f0.0, f0.1, f1.0, f1.1.
    pub flag: Flag,
    /// The result is clamped.
    pub saturate: bool,
    /// All channels execute, also those that took another way (NoMask, WE_all).
    pub no_mask: bool,
    /// The result goes to the accumulator, too. For branches it is BranchCtrl.
    pub accumulator_write: bool,
    /// Bits that only steer the pipeline: NoDDClr, NoDDChk, thread control, breakpoint.
    pub hints: Hints,
    /// What it works on.
    pub operands: Operands,
}

/// How operands are addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// By regions.
    Align1,
    /// In groups of four, with swizzles and write masks.
    Align16,
}

/// Bits without meaning for what is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Bits 10:9: NoDDClr, NoDDChk.
    pub dependency: u8,
    /// Bits 15:14: atomic, switch, no preemption.
    pub thread: u8,
    /// Bit 30.
    pub breakpoint: bool,
}

/// A half of a flag register: 0 is f0.0, 3 is f1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub u8);

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// How flag bits become a mask.
    pub control: PredicateControl,
    /// And then the other way round.
    pub inverse: bool,
}

/// How flag bits become a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredicateControl {
    /// A bit for each channel.
    Normal,
    /// The bit of f0 or that of f1.
    AnyV,
    /// The bits of f0 and of f1.
    AllV,
    /// Any bit of the channel's group of so many.
    Any(u8),
    /// All bits of the channel's group of so many.
    All(u8),
    /// Align16: the bit of this component of the channel's group of four, 0 to 3.
    Replicate(u8),
}

/// A comparison with zero, or of two sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Equal, zero.
    Equal,
    /// Not equal.
    NotEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessEqual,
    /// Overflow.
    Overflow,
    /// Unordered: NaN.
    Unordered,
}

/// The type of an element in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are named as the manuals name them")]
pub enum DataType {
    Ud,
    D,
    Uw,
    W,
    Ub,
    B,
    Df,
    F,
    Uq,
    Q,
    Hf,
}

impl DataType {
    /// Its size in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Ub | Self::B => 1,
            Self::Uw | Self::W | Self::Hf => 2,
            Self::Ud | Self::D | Self::F => 4,
            Self::Df | Self::Uq | Self::Q => 8,
        }
    }

    /// Whether it is a floating-point type.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Df | Self::F | Self::Hf)
    }

    /// Whether it is an integer type with a sign.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::D | Self::W | Self::B | Self::Q)
    }

    /// Its letters in assembly.
    #[must_use]
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Ud => "UD",
            Self::D => "D",
            Self::Uw => "UW",
            Self::W => "W",
            Self::Ub => "UB",
            Self::B => "B",
            Self::Df => "DF",
            Self::F => "F",
            Self::Uq => "UQ",
            Self::Q => "Q",
            Self::Hf => "HF",
        }
    }
}

/// A value in the instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Immediate {
    /// A scalar: its type, and its bits, as many as the type has.
    Scalar(DataType, u64),
    /// V: eight signed nibbles, as words.
    SignedVector(u32),
    /// UV: eight nibbles, as words.
    UnsignedVector(u32),
    /// VF: four small floats.
    FloatVector(u32),
}

impl Immediate {
    /// The type of its elements.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            Self::Scalar(data_type, _) => data_type,
            Self::SignedVector(_) => DataType::W,
            Self::UnsignedVector(_) => DataType::Uw,
            Self::FloatVector(_) => DataType::F,
        }
    }

    /// The element for channel `i`, as bits of its type.
    #[must_use]
    pub fn element(self, i: usize) -> u64 {
        match self {
            Self::Scalar(_, bits) => bits,
            Self::SignedVector(v) => {
                let nibble = (v >> (4 * (i & 7))) as i32;
                u64::from((nibble << 28 >> 28) as u16)
            }
            Self::UnsignedVector(v) => u64::from(v >> (4 * (i & 7)) & 0xf),
            Self::FloatVector(v) => small_float((v >> (8 * (i & 3))) as u8).to_bits().into(),
        }
    }
}

/// The float that 8 bits of a VF stand for: sign, 3 bits of exponent, 4 of mantissa.
#[must_use]
pub(super) fn small_float(bits: u8) -> f32 {
    let magnitude = u32::from(bits & 0x7f);
    let sign = u32::from(bits >> 7) << 31;
    if magnitude == 0 {
        return f32::from_bits(sign);
    }
    f32::from_bits(sign | ((magnitude << 19) + ((127 - 3) << 23)))
}

/// A register file's register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// A general one, g0 to g127.
    General(u8),
    /// One of the architecture's, by its number.
    Architecture(Architecture),
}

/// Registers with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are named as the manuals name them")]
pub enum Architecture {
    Null,
    Address,
    Accumulator(u8),
    Flag(u8),
    ChannelEnable,
    State,
    Control,
    Notification,
    InstructionPointer,
    ThreadDependency,
    Timestamp,
}

/// Where an operand's first element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a register, `byte` bytes into it.
    Direct {
        /// The register.
        register: Register,
        /// 0 to 31.
        byte: u8,
    },
    /// In the general registers, where words of a0 say.
    Indirect {
        /// The word of a0: 0 to 15.
        word: u8,
        /// Bytes to be added: -512 to 511.
        offset: i16,
    },
}

/// Which elements belong to the channels, counted in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Align1: <vertical;width,horizontal>. `None` is VxH: a word of a0 for each row.
    Strided {
        /// From row to row: 0 to 32.
        vertical: Option<u8>,
        /// Elements in a row: 1 to 16.
        width: u8,
        /// From element to element: 0 to 4.
        horizontal: u8,
    },
    /// Align16: groups of four.
    Swizzled {
        /// From row to row, as Align1 has it: 0 to 32.
        vertical: u8,
        /// Which of the group's elements each takes, two bits each.
        swizzle: u8,
    },
    /// Ternary instructions' replicate control: one element for all.
    Replicated,
}

/// A source in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRegister {
    /// Where it begins.
    pub place: Place,
    /// Its elements' type.
    pub data_type: DataType,
    /// Its elements.
    pub region: Region,
    /// Minus; for logic instructions, all other bits.
    pub negate: bool,
    /// The absolute value, before the minus.
    pub absolute: bool,
}

/// A source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// In registers.
    Register(SourceRegister),
    /// In the instruction.
    Immediate(Immediate),
}

impl Source {
    /// Its elements' type.
    #[must_use]
    pub const fn data_type(&self) -> DataType {
        match self {
            Self::Register(source) => source.data_type,
            Self::Immediate(immediate) => immediate.data_type(),
        }
    }
}

/// A destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Where it begins.
    pub place: Place,
    /// Its elements' type.
    pub data_type: DataType,
    /// From element to element: 1, 2 or 4. (Align16: 1.)
    pub stride: u8,
    /// Align16: which of each group of four are written. Align1: all, 0xf.
    pub mask: u8,
}

/// MATH's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are named as the manuals name them")]
pub enum MathFunction {
    Inv,
    Log,
    Exp,
    Sqrt,
    Rsq,
    Sin,
    Cos,
    Fdiv,
    Pow,
    IntDivMod,
    IntDiv,
    IntMod,
    Invm,
    Rsqrtm,
}

/// A descriptor: in the instruction, or in a0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// This one.
    Immediate(u32),
    /// A dword of a0: 0 to 7.
    Address(u8),
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Whom it is for.
    pub function: SharedFunction,
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// Its extended descriptor.
    pub extended: Descriptor,
    /// Where the answer goes; `None`: nowhere.
    pub destination: Option<u8>,
    /// How a plain SEND names its destination: type, stride and byte are said and mean nothing.
    pub written: Destination,
    /// The first register of what is sent.
    pub payload: u8,
    /// How a plain SEND names its source: type and region are said and mean nothing. `None` for SENDS.
    pub read: Option<SourceRegister>,
    /// SENDS: the first register of the second part.
    pub second: Option<u8>,
    /// The thread ends.
    pub end_of_thread: bool,
}

/// What an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operands {
    /// Nothing.
    None,
    /// A destination and one source.
    One(Destination, Source),
    /// A destination and two sources.
    Two(Destination, [Source; 2]),
    /// A destination and three sources.
    Three(Destination, [SourceRegister; 3]),
    /// MATH.
    Math(MathFunction, Destination, [Source; 2]),
    /// Where channels go, in bytes from this instruction.
    Branch {
        /// To the end of the innermost block.
        jip: i32,
        /// To where channels that leave wait; for those that have one.
        uip: Option<i32>,
    },
    /// JMPI: where to, in bytes from the next instruction.
    Jump(Source),
    /// WAIT for this register.
    Wait(Destination),
    /// A message.
    Send(Send),
}
