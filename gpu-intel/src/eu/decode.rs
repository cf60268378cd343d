//! From bits to an [`Instruction`]. Source: SKL PRM vol 7, "EU instruction format".
//!
//! ```text
//!  127        96 95        64 63         48 47  35 34 32 31        24 23 21 20  16 15      8 7  0
//! ┌─────────────┬────────────┬─────────────┬──────┬─────┬────────────┬─────┬──────┬─────────┬─────┐
//! │ source 1,   │ source 0   │ destination │files,│flag,│ sat, cond, │exec │pred. │ control │ op- │
//! │ immediate   │            │             │types │mask │ SFID, math │size │      │         │ code│
//! └─────────────┴────────────┴─────────────┴──────┴─────┴────────────┴─────┴──────┴─────────┴─────┘
//! ```
//!
//! Ternary instructions and SENDS put their operands elsewhere.

use super::instruction::{
    AccessMode, Architecture, Condition, DataType, Descriptor, Destination, Flag, Hints, Immediate,
    Instruction, MathFunction, Operands, Place, Predicate, PredicateControl, Region, Register,
    Send, Source, SourceRegister,
};
use super::message::SharedFunction;
use super::opcode::{Form, Opcode};
use super::word::{self, Word};

/// Why bits are no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DecodeError {
    #[error("{0:#04x} is no instruction's number")]
    Opcode(u8),
    #[error("an execution size of 2^{0}")]
    ExecutionSize(u8),
    #[error("channels {first} to {last}: there are 32")]
    Channels { first: u8, last: u8 },
    #[error("predicate control {0} is reserved")]
    Predicate(u8),
    #[error("condition {0} is reserved")]
    Condition(u8),
    #[error("register file {0} is reserved here")]
    File(u8),
    #[error("there is no architecture register {0:#04x}")]
    Architecture(u8),
    #[error("g{0}: there are 128 registers")]
    General(u8),
    #[error("data type {0} is reserved")]
    DataType(u8),
    #[error("data type {0} is reserved for immediates")]
    ImmediateType(u8),
    #[error("vertical stride {0} is reserved")]
    VerticalStride(u8),
    #[error("width {0} is reserved")]
    Width(u8),
    #[error("a destination with stride 0")]
    DestinationStride,
    #[error("an immediate destination")]
    ImmediateDestination,
    #[error("an immediate as the first of two sources")]
    ImmediateFirst,
    #[error("a 64-bit immediate among two sources")]
    WideImmediate,
    #[error("function {0} is none of MATH")]
    Math(u8),
    #[error("a ternary instruction in Align1")]
    TernaryAlign1,
    #[error("a message's registers begin indirectly")]
    IndirectPayload,
    #[error("a message begins in the middle of a register, or in one that is none of its")]
    PartialPayload,
}

type Decoded<T> = Result<T, DecodeError>;

/// An instruction, and its size in memory: 8 or 16.
///
/// `second` is read only if the first 8 bytes say that there are more; the bytes that aren't there are zero.
///
/// # Errors
/// Why it is none. The size is known all the same.
pub fn decode(first: u64, second: u64) -> (Result<Instruction, DecodeError>, u32) {
    if Word::is_compacted(first) {
        (instruction(word::expand(first)), 8)
    } else {
        (instruction(Word(u128::from(second) << 64 | u128::from(first))), 16)
    }
}

/// The instruction that a whole word is.
///
/// # Errors
/// Why it is none.
pub(super) fn instruction(word: Word) -> Decoded<Instruction> {
    let number = word.bits(6, 0) as u8;
    let opcode = Opcode::from_number(number).ok_or(DecodeError::Opcode(number))?;
    let form = opcode.form();
    let access = if word.bit(8) { AccessMode::Align16 } else { AccessMode::Align1 };
    let size = word.bits(23, 21) as u8;
    if size > 5 {
        return Err(DecodeError::ExecutionSize(size));
    }
    let execution_size = 1 << size;
    let first_channel = 8 * word.bits(13, 12) as u8 + 4 * u8::from(word.bit(11));
    if first_channel + execution_size > 32 {
        let last = first_channel + execution_size - 1;
        return Err(DecodeError::Channels { first: first_channel, last });
    }
    let has_condition = !opcode.is_send() && opcode != Opcode::Math && form != Form::Bare;
    Ok(Instruction {
        opcode,
        compacted: word.bit(29),
        access,
        execution_size,
        first_channel,
        predicate: predicate(word, access)?,
        condition: if has_condition { condition(word.bits(27, 24) as u8)? } else { None },
        flag: Flag(word.bits(33, 32) as u8),
        saturate: word.bit(31) && !opcode.is_send(),
        no_mask: word.bit(34),
        accumulator_write: word.bit(28),
        hints: Hints {
            dependency: word.bits(10, 9) as u8,
            thread: word.bits(15, 14) as u8,
            breakpoint: word.bit(30),
        },
        operands: operands(word, opcode, access)?,
    })
}

fn operands(word: Word, opcode: Opcode, access: AccessMode) -> Decoded<Operands> {
    let jip = word.bits(127, 96) as u32 as i32;
    let uip = word.bits(95, 64) as u32 as i32;
    Ok(match opcode.form() {
        Form::Bare | Form::Named => Operands::None,
        Form::Regular if opcode == Opcode::Math => {
            let function = math(word.bits(27, 24) as u8)?;
            Operands::Math(function, destination(word, access)?, two(word, access)?)
        }
        Form::Regular if opcode.sources() == 1 => {
            let source = if word.bits(42, 41) == IMMEDIATE {
                Source::Immediate(immediate(word, word.bits(46, 43) as u8)?)
            } else {
                Source::Register(source_0(word, access)?)
            };
            Operands::One(destination(word, access)?, source)
        }
        Form::Regular => Operands::Two(destination(word, access)?, two(word, access)?),
        Form::Ternary => ternary(word, access)?,
        Form::Jip => Operands::Branch { jip, uip: None },
        Form::JipUip => Operands::Branch { jip, uip: Some(uip) },
        Form::Jump => Operands::Jump(source_1(word, AccessMode::Align1)?),
        Form::Wait => Operands::Wait(destination(word, access)?),
        Form::Send => Operands::Send(send(word)?),
        Form::SplitSend => Operands::Send(split_send(word)?),
    })
}

const ARCHITECTURE: u64 = 0;
const GENERAL: u64 = 1;
const IMMEDIATE: u64 = 3;

fn predicate(word: Word, access: AccessMode) -> Decoded<Option<Predicate>> {
    use PredicateControl::{All, AllV, Any, AnyV, Normal, Replicate};
    let code = word.bits(19, 16) as u8;
    let control = match (code, access) {
        (0, _) => return Ok(None),
        (1, _) => Normal,
        (2, AccessMode::Align1) => AnyV,
        (3, AccessMode::Align1) => AllV,
        (4..=13, AccessMode::Align1) if code.is_multiple_of(2) => Any(2 << (code / 2 - 2)),
        (4..=13, AccessMode::Align1) => All(2 << (code / 2 - 2)),
        (2..=5, AccessMode::Align16) => Replicate(code - 2),
        (6, AccessMode::Align16) => Any(4),
        (7, AccessMode::Align16) => All(4),
        _ => return Err(DecodeError::Predicate(code)),
    };
    Ok(Some(Predicate { control, inverse: word.bit(20) }))
}

fn condition(code: u8) -> Decoded<Option<Condition>> {
    Ok(Some(match code {
        0 => return Ok(None),
        1 => Condition::Equal,
        2 => Condition::NotEqual,
        3 => Condition::Greater,
        4 => Condition::GreaterEqual,
        5 => Condition::Less,
        6 => Condition::LessEqual,
        8 => Condition::Overflow,
        9 => Condition::Unordered,
        _ => return Err(DecodeError::Condition(code)),
    }))
}

fn math(code: u8) -> Decoded<MathFunction> {
    Ok(match code {
        1 => MathFunction::Inv,
        2 => MathFunction::Log,
        3 => MathFunction::Exp,
        4 => MathFunction::Sqrt,
        5 => MathFunction::Rsq,
        6 => MathFunction::Sin,
        7 => MathFunction::Cos,
        9 => MathFunction::Fdiv,
        10 => MathFunction::Pow,
        11 => MathFunction::IntDivMod,
        12 => MathFunction::IntDiv,
        13 => MathFunction::IntMod,
        14 => MathFunction::Invm,
        15 => MathFunction::Rsqrtm,
        _ => return Err(DecodeError::Math(code)),
    })
}

fn data_type(code: u8) -> Decoded<DataType> {
    Ok(match code {
        0 => DataType::Ud,
        1 => DataType::D,
        2 => DataType::Uw,
        3 => DataType::W,
        4 => DataType::Ub,
        5 => DataType::B,
        6 => DataType::Df,
        7 => DataType::F,
        8 => DataType::Uq,
        9 => DataType::Q,
        10 => DataType::Hf,
        _ => return Err(DecodeError::DataType(code)),
    })
}

fn immediate(word: Word, code: u8) -> Decoded<Immediate> {
    let (narrow, wide) = (word.bits(127, 96), word.bits(127, 64));
    Ok(match code {
        0 => Immediate::Scalar(DataType::Ud, narrow),
        1 => Immediate::Scalar(DataType::D, narrow),
        2 => Immediate::Scalar(DataType::Uw, narrow & 0xffff),
        3 => Immediate::Scalar(DataType::W, narrow & 0xffff),
        4 => Immediate::UnsignedVector(narrow as u32),
        5 => Immediate::FloatVector(narrow as u32),
        6 => Immediate::SignedVector(narrow as u32),
        7 => Immediate::Scalar(DataType::F, narrow),
        8 => Immediate::Scalar(DataType::Uq, wide),
        9 => Immediate::Scalar(DataType::Q, wide),
        10 => Immediate::Scalar(DataType::Df, wide),
        11 => Immediate::Scalar(DataType::Hf, narrow & 0xffff),
        _ => return Err(DecodeError::ImmediateType(code)),
    })
}

fn register(file: u64, number: u8) -> Decoded<Register> {
    match file {
        ARCHITECTURE => architecture(number).map(Register::Architecture),
        GENERAL if number < 128 => Ok(Register::General(number)),
        GENERAL => Err(DecodeError::General(number)),
        _ => Err(DecodeError::File(file as u8)),
    }
}

fn architecture(number: u8) -> Decoded<Architecture> {
    Ok(match number {
        0x00..=0x0f => Architecture::Null,
        0x10 => Architecture::Address,
        0x20..=0x2f => Architecture::Accumulator(number & 0xf),
        0x30 | 0x31 => Architecture::Flag(number & 1),
        0x40 => Architecture::ChannelEnable,
        0x70 => Architecture::State,
        0x80 => Architecture::Control,
        0x90 => Architecture::Notification,
        0xa0 => Architecture::InstructionPointer,
        0xb0 => Architecture::ThreadDependency,
        0xc0 => Architecture::Timestamp,
        _ => return Err(DecodeError::Architecture(number)),
    })
}

/// A ten-bit number with a sign, the highest bit of which is elsewhere.
fn offset(sign: bool, low: u64) -> i16 {
    low as i16 - if sign { 512 } else { 0 }
}

fn destination(word: Word, access: AccessMode) -> Decoded<Destination> {
    let file = word.bits(36, 35);
    if file == IMMEDIATE {
        return Err(DecodeError::ImmediateDestination);
    }
    let data_type = data_type(word.bits(40, 37) as u8)?;
    let indirect = word.bit(63);
    let (mut place, mut mask) = (None, 0xf);
    if indirect {
        if file != GENERAL {
            return Err(DecodeError::File(file as u8));
        }
        let low = word.bits(56, 48);
        let offset = match access {
            AccessMode::Align1 => offset(word.bit(47), low),
            AccessMode::Align16 => offset(word.bit(47), low & !0xf),
        };
        place = Some(Place::Indirect { word: word.bits(60, 57) as u8, offset });
    }
    let (byte, stride) = match access {
        AccessMode::Align1 => {
            let code = word.bits(62, 61) as u8;
            if code == 0 {
                return Err(DecodeError::DestinationStride);
            }
            (word.bits(52, 48) as u8, 1 << (code - 1))
        }
        AccessMode::Align16 => {
            mask = word.bits(51, 48) as u8;
            (16 * u8::from(word.bit(52)), 1)
        }
    };
    let place = match place {
        Some(place) => place,
        None => Place::Direct { register: register(file, word.bits(60, 53) as u8)?, byte },
    };
    Ok(Destination { place, data_type, stride, mask })
}

fn two(word: Word, access: AccessMode) -> Decoded<[Source; 2]> {
    if word.bits(42, 41) == IMMEDIATE {
        return Err(DecodeError::ImmediateFirst);
    }
    Ok([Source::Register(source_0(word, access)?), source_1(word, access)?])
}

fn source_0(word: Word, access: AccessMode) -> Decoded<SourceRegister> {
    let data_type = data_type(word.bits(46, 43) as u8)?;
    source(word.bits(42, 41), data_type, word.bits(88, 64), word.bit(95), access)
}

fn source_1(word: Word, access: AccessMode) -> Decoded<Source> {
    let code = word.bits(94, 91) as u8;
    if word.bits(90, 89) == IMMEDIATE {
        return match immediate(word, code)? {
            Immediate::Scalar(data_type, _) if data_type.size() == 8 => {
                Err(DecodeError::WideImmediate)
            }
            immediate => Ok(Source::Immediate(immediate)),
        };
    }
    let bits = word.bits(120, 96);
    source(word.bits(90, 89), data_type(code)?, bits, word.bit(121), access).map(Source::Register)
}

/// A source from its 25 bits, its file and its type, which lie elsewhere.
fn source(
    file: u64,
    data_type: DataType,
    bits: u64,
    sign: bool,
    access: AccessMode,
) -> Decoded<SourceRegister> {
    let vertical = match bits >> 21 & 0xf {
        0 => Some(0),
        code @ 1..=6 => Some(1 << (code - 1)),
        15 => None,
        code => return Err(DecodeError::VerticalStride(code as u8)),
    };
    let indirect = bits >> 15 & 1 != 0;
    let (place, region) = match access {
        AccessMode::Align1 => {
            let width = bits >> 18 & 7;
            if width > 4 {
                return Err(DecodeError::Width(width as u8));
            }
            if vertical.is_none() && !indirect {
                return Err(DecodeError::VerticalStride(15));
            }
            let horizontal = [0, 1, 2, 4][(bits >> 16 & 3) as usize];
            let region = Region::Strided { vertical, width: 1 << width, horizontal };
            (if indirect { None } else { Some(bits & 0x1f) }, region)
        }
        AccessMode::Align16 => {
            let vertical = vertical.ok_or(DecodeError::VerticalStride(15))?;
            let swizzle = (bits & 0xf | bits >> 12 & 0xf0) as u8;
            let byte = 16 * (bits >> 4 & 1);
            (if indirect { None } else { Some(byte) }, Region::Swizzled { vertical, swizzle })
        }
    };
    let place = match place {
        Some(byte) => {
            let register = register(file, (bits >> 5) as u8)?;
            Place::Direct { register, byte: byte as u8 }
        }
        None if file != GENERAL => return Err(DecodeError::File(file as u8)),
        None => {
            let mask = if access == AccessMode::Align1 { 0x1ff } else { 0x1f0 };
            Place::Indirect { word: (bits >> 9 & 0xf) as u8, offset: offset(sign, bits & mask) }
        }
    };
    let (negate, absolute) = (bits >> 14 & 1 != 0, bits >> 13 & 1 != 0);
    Ok(SourceRegister { place, data_type, region, negate, absolute })
}

fn ternary(word: Word, access: AccessMode) -> Decoded<Operands> {
    if access == AccessMode::Align1 {
        return Err(DecodeError::TernaryAlign1);
    }
    let types = |code: u64| {
        Ok(match code {
            0 => DataType::F,
            1 => DataType::D,
            2 => DataType::Ud,
            3 => DataType::Df,
            4 => DataType::Hf,
            _ => return Err(DecodeError::DataType(code as u8)),
        })
    };
    let data_type = types(word.bits(45, 43))?;
    // Half floats among floats have a bit of their own.
    let mixed =
        |bit| if word.bit(bit) && data_type == DataType::F { DataType::Hf } else { data_type };
    let general = |number: u64| register(GENERAL, number as u8);
    let source = |low: u32, modifiers: u32, data_type| {
        let region = if word.bit(low) {
            Region::Replicated
        } else {
            Region::Swizzled { vertical: 4, swizzle: word.bits(low + 8, low + 1) as u8 }
        };
        // Half floats have a bit more, elsewhere.
        let byte = 4 * word.bits(low + 11, low + 9) as u8 + 2 * u8::from(word.bit(low + 20));
        let register = general(word.bits(low + 19, low + 12))?;
        Ok(SourceRegister {
            place: Place::Direct { register, byte },
            data_type,
            region,
            negate: word.bit(modifiers + 1),
            absolute: word.bit(modifiers),
        })
    };
    let destination = Destination {
        place: Place::Direct {
            register: general(word.bits(63, 56))?,
            byte: 4 * word.bits(55, 53) as u8,
        },
        data_type: types(word.bits(48, 46))?,
        stride: 1,
        mask: word.bits(52, 49) as u8,
    };
    let sources =
        [source(64, 37, data_type)?, source(85, 39, mixed(36))?, source(106, 41, mixed(35))?];
    Ok(Operands::Three(destination, sources))
}

fn payload(number: u64) -> Decoded<u8> {
    if number < 128 { Ok(number as u8) } else { Err(DecodeError::General(number as u8)) }
}

fn send(word: Word) -> Decoded<Send> {
    if word.bit(79) || word.bit(63) {
        return Err(DecodeError::IndirectPayload);
    }
    if word.bit(8) {
        return Err(DecodeError::PartialPayload);
    }
    let written = destination(word, AccessMode::Align1)?;
    let read = source_0(word, AccessMode::Align1)?;
    let Place::Direct { register: Register::General(payload), .. } = read.place else {
        return Err(DecodeError::File(word.bits(42, 41) as u8));
    };
    let destination = match written.place {
        Place::Direct { register: Register::General(number), .. } => Some(number),
        _ => None,
    };
    let descriptor = if word.bits(90, 89) == IMMEDIATE {
        Descriptor::Immediate(word.bits(126, 96) as u32)
    } else {
        match register(word.bits(90, 89), word.bits(108, 101) as u8)? {
            Register::Architecture(Architecture::Address) => {
                Descriptor::Address(word.bits(100, 98) as u8)
            }
            _ => return Err(DecodeError::File(word.bits(90, 89) as u8)),
        }
    };
    let extended = word.bits(94, 91) << 28
        | word.bits(88, 85) << 24
        | word.bits(83, 80) << 20
        | word.bits(67, 64) << 16;
    Ok(Send {
        function: SharedFunction::from_number(word.bits(27, 24) as u8),
        descriptor,
        extended: Descriptor::Immediate(extended as u32),
        destination,
        written,
        payload,
        read: Some(read),
        second: None,
        end_of_thread: word.bit(127),
    })
}

fn split_send(word: Word) -> Decoded<Send> {
    if word.bit(79) || word.bit(63) {
        return Err(DecodeError::IndirectPayload);
    }
    let file = |bit| if word.bit(bit) { GENERAL } else { ARCHITECTURE };
    let place = |register| Place::Direct { register, byte: 0 };
    let written = register(file(35), word.bits(60, 53) as u8)?;
    let second = register(file(36), word.bits(51, 44) as u8)?;
    let general = |register| match register {
        Register::General(number) => Ok(Some(number)),
        Register::Architecture(Architecture::Null) => Ok(None),
        Register::Architecture(_) => Err(DecodeError::PartialPayload),
    };
    if word.bit(52) || word.bit(68) {
        return Err(DecodeError::PartialPayload);
    }
    let descriptor = if word.bit(77) {
        Descriptor::Address(0)
    } else {
        Descriptor::Immediate(word.bits(126, 96) as u32)
    };
    let extended = if word.bit(61) {
        Descriptor::Address(word.bits(82, 80) as u8)
    } else {
        Descriptor::Immediate((word.bits(95, 80) << 16 | word.bits(67, 64) << 6) as u32)
    };
    Ok(Send {
        function: SharedFunction::from_number(word.bits(27, 24) as u8),
        descriptor,
        extended,
        destination: general(written)?,
        written: Destination {
            place: place(written),
            data_type: DataType::Ud,
            stride: 1,
            mask: 0xf,
        },
        payload: payload(word.bits(76, 69))?,
        read: None,
        second: general(second)?,
        end_of_thread: word.bit(127),
    })
}
