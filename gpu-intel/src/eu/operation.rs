//! An instruction made ready: every choice that its bits determine is made once.

use super::decode::DecodeError;
use super::instruction::{
    AccessMode, Architecture, Condition, DataType, Destination, Immediate, Instruction,
    MathFunction, Operands, Place, Predicate, Region, Register, Send, Source, SourceRegister,
};
use super::opcode::Opcode;
use super::thread::{DWORDS, Thread};
use super::{alu, wide};

/// Executes an operation on all its channels.
pub(super) type Kernel = fn(&mut Thread, &Operation);

/// What an operation does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Execute {
    /// Computes.
    Compute(Kernel),
    Nothing,
    If {
        otherwise: u32,
    },
    Else {
        end: u32,
    },
    Endif {
        end: u32,
    },
    While {
        back: u32,
    },
    /// BREAK, CONT and HALT: channels leave for `away`; if none is left, on to `end`.
    Leave {
        away: u32,
        end: u32,
    },
    Jump,
    Wait,
    Send(Send),
    /// It can't be executed.
    Refused(Refusal),
}

/// Why an operation can't be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no instruction: {0}")]
    Illegal(#[from] DecodeError),
    #[error("{0} is not modelled")]
    Unmodelled(&'static str),
    #[error("the program is not mapped here, or ends without an end of thread")]
    End,
    #[error("the program is longer than {0} bytes")]
    Long(u32),
}

/// How lanes are computed: 32 bits that mean this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Float,
    Signed,
    Unsigned,
}

/// Where a source's elements are. All counts are bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// Packed dwords, of which all lanes of a kernel lie in the file.
    Packed {
        dword: u16,
    },
    /// One dword for all.
    Splat {
        dword: u16,
    },
    /// One value for all.
    Constant(u64),
    Vector(Immediate),
    Strided {
        byte: u16,
        step: u16,
    },
    Rows {
        byte: u16,
        rows: Rows,
    },
    Groups {
        byte: u16,
        vertical: u16,
        size: u8,
        swizzle: u8,
    },
    Indirect {
        word: u8,
        offset: i16,
        rows: Rows,
        each_row: bool,
    },
    Architecture {
        register: Architecture,
        byte: u8,
        rows: Rows,
    },
}

/// A region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) vertical: u16,
    /// The width's logarithm.
    pub(super) width: u8,
    pub(super) horizontal: u16,
}

impl Rows {
    #[inline]
    pub(super) fn byte(self, i: u32) -> u32 {
        let column = i & ((1 << self.width) - 1);
        (i >> self.width) * u32::from(self.vertical) + column * u32::from(self.horizontal)
    }
}

/// What is done to a source's bits before they are computed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Adjust {
    pub(super) from: From,
    pub(super) absolute: bool,
    pub(super) negate: bool,
    pub(super) invert: bool,
    pub(super) flush: bool,
}

/// What a float is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum From {
    #[default]
    Same,
    Half,
    Signed,
    Unsigned,
}

/// How much there is to adjust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    Plain,
    /// Denormals become zero, nothing else.
    Flush,
    Adjust,
}

/// What is to be done with results on their way to the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Plain,
    /// Floats stay floats; denormals become zero.
    Flush,
    Convert,
}

/// A source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) reach: Reach,
    pub(super) data_type: DataType,
    pub(super) adjust: Adjust,
    pub(super) treatment: Treatment,
}

/// Where results go. All counts are bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Null,
    Packed { dword: u16 },
    Strided { byte: u16, step: u8 },
    Indirect { word: u8, offset: i16, step: u8 },
    Architecture { register: Architecture, byte: u8, step: u8 },
}

/// An instruction made ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) execute: Execute,
    /// Where it is, in bytes from the entry.
    pub(super) at: u32,
    /// Channels may wait for it.
    pub(super) joins: bool,
    pub(super) opcode: Opcode,
    pub(super) function: Option<MathFunction>,
    pub(super) no_mask: bool,
    /// Its first channel.
    pub(super) first: u8,
    /// A bit for each of its channels; without those that Align16's write mask leaves out.
    pub(super) lanes: u32,
    pub(super) predicate: Option<Predicate>,
    pub(super) flag: u8,
    pub(super) condition: Option<Condition>,
    pub(super) saturate: bool,
    pub(super) accumulates: bool,
    /// What lanes are computed as.
    pub(super) class: Class,
    /// Denormal results become zero, if the thread says so.
    pub(super) flush: bool,
    pub(super) finish: Finish,
    pub(super) target: Target,
    pub(super) to: DataType,
    pub(super) sources: [Operand; 3],
}

const NOTHING: Operand = Operand {
    reach: Reach::Constant(0),
    data_type: DataType::Ud,
    adjust: Adjust {
        from: From::Same,
        absolute: false,
        negate: false,
        invert: false,
        flush: false,
    },
    treatment: Treatment::Plain,
};

impl Operation {
    /// One that can't be executed.
    pub(super) fn refused(at: u32, why: Refusal) -> Self {
        Self {
            execute: Execute::Refused(why),
            at,
            joins: false,
            opcode: Opcode::Nop,
            function: None,
            no_mask: true,
            first: 0,
            lanes: 1,
            predicate: None,
            flag: 0,
            condition: None,
            saturate: false,
            accumulates: false,
            class: Class::Unsigned,
            flush: false,
            finish: Finish::Plain,
            target: Target::Null,
            to: DataType::Ud,
            sources: [NOTHING; 3],
        }
    }

    /// Makes an instruction ready. Branches still lead nowhere.
    pub(super) fn new(at: u32, instruction: &Instruction) -> Self {
        let mut operation = Self::refused(at, Refusal::End);
        operation.opcode = instruction.opcode;
        operation.no_mask = instruction.no_mask;
        operation.first = instruction.first_channel;
        operation.lanes = u32::MAX >> (32 - instruction.execution_size);
        operation.predicate = instruction.predicate;
        operation.flag = instruction.flag.0;
        operation.condition = instruction.condition;
        operation.saturate = instruction.saturate;
        operation.execute = match operation.prepare(instruction) {
            Ok(execute) => execute,
            Err(what) => Execute::Refused(Refusal::Unmodelled(what)),
        };
        operation
    }

    fn prepare(&mut self, instruction: &Instruction) -> Result<Execute, &'static str> {
        let size = instruction.execution_size;
        match instruction.operands {
            Operands::None if instruction.opcode == Opcode::Nop => return Ok(Execute::Nothing),
            Operands::None => return Err(instruction.opcode.name()),
            // Where they lead is said when the whole program is known.
            Operands::Branch { .. } => return Ok(Execute::Nothing),
            Operands::Jump(source) => {
                self.class = Class::Signed;
                self.sources[0] = operand(&source, Class::Signed, 1, false)?;
                return Ok(Execute::Jump);
            }
            Operands::Wait(_) => return Ok(Execute::Wait),
            Operands::Send(send) => return Ok(Execute::Send(send)),
            Operands::One(destination, source) => {
                self.set(instruction, destination, &[source], size)?;
            }
            Operands::Two(destination, sources) => {
                self.set(instruction, destination, &sources, size)?;
            }
            Operands::Math(function, destination, sources) => {
                self.function = Some(function);
                self.set(instruction, destination, &sources, size)?;
            }
            Operands::Three(destination, sources) => {
                self.set(instruction, destination, &sources.map(Source::Register), size)?;
            }
        }
        if matches!(instruction.opcode, Opcode::Line | Opcode::Pln)
            && !matches!(self.sources[0].reach, Reach::Splat { .. })
        {
            return Err("a plane that is not in one register");
        }
        if instruction.opcode == Opcode::Pln
            && !matches!(self.sources[1].reach, Reach::Packed { .. })
        {
            return Err("coordinates that are not packed");
        }
        if instruction.opcode == Opcode::Movi {
            return Err("movi");
        }
        match alu::kernel(self, size) {
            Some(kernel) => Ok(Execute::Compute(kernel)),
            None => wide::kernel(self).map(Execute::Compute),
        }
    }

    fn set(
        &mut self,
        instruction: &Instruction,
        destination: Destination,
        sources: &[Source],
        size: u8,
    ) -> Result<(), &'static str> {
        let opcode = instruction.opcode;
        self.class = class(sources);
        self.accumulates = instruction.accumulator_write;
        self.to = destination.data_type;
        // Bits that only move stay as they are.
        let moves =
            matches!(opcode, Opcode::Mov) || opcode == Opcode::Sel && self.condition.is_none();
        let raw = moves && sources.iter().all(|source| source.data_type() == self.to);
        self.flush = !raw || self.saturate;
        let float = self.class == Class::Float;
        let stays = if float {
            self.to == DataType::F && !self.saturate
        } else {
            self.to.size() == 4 && !self.to.is_float()
        };
        self.finish = match stays {
            true if float && self.flush => Finish::Flush,
            true => Finish::Plain,
            false => Finish::Convert,
        };
        for (to, source) in self.sources.iter_mut().zip(sources) {
            // A single channel's region is its element.
            *to = operand(source, self.class, size, !raw)?;
            if opcode.is_logic() && to.adjust.negate {
                to.adjust.invert = true;
                to.adjust.negate = false;
            }
        }
        self.target = target(&destination, size)?;
        if instruction.access == AccessMode::Align16 {
            self.lanes &= u32::from(destination.mask) * 0x1111_1111;
        }
        Ok(())
    }

    /// The lanes that a kernel has for so many channels.
    pub(super) fn kernel_lanes(size: u8) -> u16 {
        match size {
            0..=8 => 8,
            9..=16 => 16,
            _ => 32,
        }
    }
}

/// What a source's elements are computed as: floats if any is one; signed if any is.
fn class(sources: &[Source]) -> Class {
    let types = || sources.iter().map(Source::data_type);
    if types().any(DataType::is_float) {
        Class::Float
    } else if types().any(DataType::is_signed) {
        Class::Signed
    } else {
        Class::Unsigned
    }
}

fn operand(source: &Source, class: Class, size: u8, flush: bool) -> Result<Operand, &'static str> {
    let data_type = source.data_type();
    let from = match (class, data_type) {
        (Class::Float, DataType::Hf) => From::Half,
        (Class::Float, data_type) if data_type.is_float() => From::Same,
        (Class::Float, data_type) if data_type.is_signed() => From::Signed,
        (Class::Float, _) => From::Unsigned,
        _ => From::Same,
    };
    let mut adjust = Adjust { from, flush: flush && class == Class::Float, ..Adjust::default() };
    let reach = match source {
        Source::Immediate(immediate @ Immediate::Scalar(_, bits)) => {
            let bits = match data_type {
                DataType::W => *bits as i16 as u32 as u64,
                _ => *bits,
            };
            let value = f32::from_bits(bits as u32);
            if data_type == DataType::F && !value.is_subnormal() {
                adjust.flush = false;
            }
            let _ = immediate;
            Reach::Constant(bits)
        }
        Source::Immediate(immediate) => {
            adjust.flush = false;
            Reach::Vector(*immediate)
        }
        Source::Register(register) => {
            adjust.absolute = register.absolute;
            adjust.negate = register.negate;
            reach(register, size)?
        }
    };
    let treatment = if adjust == Adjust::default() {
        Treatment::Plain
    } else if adjust == (Adjust { flush: true, ..Adjust::default() }) {
        Treatment::Flush
    } else {
        Treatment::Adjust
    };
    Ok(Operand { reach, data_type, adjust, treatment })
}

fn reach(source: &SourceRegister, size: u8) -> Result<Reach, &'static str> {
    let bytes = source.data_type.size() as u16;
    let rows = match source.region {
        Region::Strided { vertical, width, horizontal } => Rows {
            vertical: u16::from(vertical.unwrap_or(0)) * bytes,
            width: width.trailing_zeros() as u8,
            horizontal: u16::from(horizontal) * bytes,
        },
        Region::Replicated => Rows { vertical: 0, width: 0, horizontal: 0 },
        Region::Swizzled { vertical, swizzle } => {
            return groups(source, vertical, swizzle, size);
        }
    };
    match source.place {
        Place::Indirect { word, offset } => {
            let each_row = matches!(source.region, Region::Strided { vertical: None, .. });
            Ok(Reach::Indirect { word, offset, rows, each_row })
        }
        Place::Direct { register: Register::Architecture(register), byte } => {
            if register == Architecture::InstructionPointer {
                return Err("ip as an operand");
            }
            Ok(Reach::Architecture { register, byte, rows })
        }
        Place::Direct { register: Register::General(number), byte } => {
            let byte = u16::from(number) * 32 + u16::from(byte);
            Ok(general(byte, bytes, rows, size))
        }
    }
}

/// The simplest way to say where a region's elements are.
fn general(byte: u16, bytes: u16, rows: Rows, size: u8) -> Reach {
    let width = 1 << rows.width;
    let step = if width == 1 || size == 1 {
        Some(rows.vertical)
    } else if u16::from(size) <= width || rows.vertical == width * rows.horizontal {
        Some(rows.horizontal)
    } else {
        None
    };
    match step {
        Some(0) if bytes == 4 => Reach::Splat { dword: byte / 4 },
        _ if size == 1 && bytes == 4 => Reach::Splat { dword: byte / 4 },
        Some(4) if bytes == 4 && byte / 4 + Operation::kernel_lanes(size) <= DWORDS as u16 => {
            Reach::Packed { dword: byte / 4 }
        }
        Some(step) => Reach::Strided { byte, step },
        None => Reach::Rows { byte, rows },
    }
}

fn groups(
    source: &SourceRegister,
    vertical: u8,
    swizzle: u8,
    size: u8,
) -> Result<Reach, &'static str> {
    const IDENTITY: u8 = 0xe4;
    let bytes = source.data_type.size() as u16;
    let Place::Direct { register, byte } = source.place else {
        return Err("indirect Align16");
    };
    let vertical = match vertical {
        0 => 0,
        4 => 4 * bytes,
        2 if bytes == 8 => 4 * bytes,
        _ => return Err("a vertical stride of Align16 that is neither 0 nor 4"),
    };
    if bytes == 8 && swizzle != IDENTITY {
        return Err("a swizzle of 64-bit elements");
    }
    match register {
        Register::General(number) => {
            let byte = u16::from(number) * 32 + u16::from(byte);
            if swizzle == IDENTITY && (vertical != 0 || size <= 4) {
                let rows = Rows { vertical: bytes, width: 0, horizontal: 0 };
                return Ok(general(byte, bytes, rows, size));
            }
            Ok(Reach::Groups { byte, vertical, size: bytes as u8, swizzle })
        }
        Register::Architecture(register) if swizzle == IDENTITY => {
            let rows = Rows { vertical: bytes, width: 0, horizontal: 0 };
            Ok(Reach::Architecture { register, byte, rows })
        }
        Register::Architecture(_) => Err("a swizzle of an architecture register"),
    }
}

fn target(destination: &Destination, size: u8) -> Result<Target, &'static str> {
    let bytes = destination.data_type.size() as u8;
    let step = destination.stride * bytes;
    Ok(match destination.place {
        Place::Indirect { word, offset } => Target::Indirect { word, offset, step },
        Place::Direct { register: Register::Architecture(register), byte } => match register {
            Architecture::Null => Target::Null,
            Architecture::InstructionPointer => return Err("ip as a destination"),
            register => Target::Architecture { register, byte, step },
        },
        Place::Direct { register: Register::General(number), byte } => {
            let byte = u16::from(number) * 32 + u16::from(byte);
            let fits = byte / 4 + Operation::kernel_lanes(size) <= DWORDS as u16;
            if bytes == 4 && (step == 4 || size == 1) && fits {
                Target::Packed { dword: byte / 4 }
            } else {
                Target::Strided { byte, step }
            }
        }
    })
}
