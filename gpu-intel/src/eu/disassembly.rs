//! Instructions as text, in the notation that Mesa's own disassembler has (INTEL_DEBUG=fs), so that the two can be
//! compared: all that it prints, with one space where it pads.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter, Write};

use super::descriptor;
use super::instruction::{
    AccessMode, Architecture, Condition, DataType, Descriptor, Destination, Immediate, Instruction,
    MathFunction, Operands, Place, PredicateControl, Region, Register, Send, Source,
    SourceRegister, small_float,
};
use super::opcode::Opcode;
use super::program::Program;

impl Display for Instruction {
    /// Branches have the distance in bytes.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, self, &|by| format!("{by:+}"))
    }
}

/// A program as text, a line for each instruction, `LABELn:` before those that branches lead to.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a>(pub &'a Program);

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let instructions = self.0.instructions();
        let to = |at: u32, by: i32| i64::from(at) + i64::from(by);
        // Labels are numbered as branches name them.
        let (mut labels, mut seen) = (Vec::new(), BTreeSet::new());
        for (at, instruction) in instructions {
            let Ok(Instruction { operands: Operands::Branch { jip, uip }, .. }) = instruction
            else {
                continue;
            };
            for by in uip.iter().chain([jip]) {
                let target = to(*at, *by);
                if seen.insert(target) {
                    labels.push(target);
                }
            }
        }
        let label = |target: i64| labels.iter().position(|label| *label == target);
        for (at, instruction) in instructions {
            if let Some(number) = label((*at).into()) {
                writeln!(f, "LABEL{number}:")?;
            }
            match instruction {
                Ok(instruction) => line(f, instruction, &|by| match label(to(*at, by)) {
                    Some(number) => format!("LABEL{number}"),
                    None => String::new(),
                })?,
                Err(error) => write!(f, "illegal /* {error} */;")?,
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// An instruction, with `label` for so many bytes from it.
fn line(f: &mut Formatter<'_>, it: &Instruction, label: &dyn Fn(i32) -> String) -> fmt::Result {
    predicate(f, it)?;
    f.write_str(it.opcode.name())?;
    if it.saturate {
        f.write_str(".sat")?;
    }
    if it.hints.breakpoint {
        f.write_str(".breakpoint")?;
    }
    if let Operands::Math(function, ..) = it.operands {
        write!(f, " {}", math(function))?;
    }
    if let Some(condition) = it.condition {
        f.write_str(self::condition(condition))?;
        if !matches!(it.opcode, Opcode::Sel | Opcode::Csel | Opcode::If | Opcode::While) {
            write!(f, ".{}", flag(it.flag.0))?;
        }
    }
    if it.opcode != Opcode::Nop {
        write!(f, "({})", it.execution_size)?;
    }
    match &it.operands {
        Operands::None => {}
        Operands::Branch { jip, uip: None } => write!(f, " JIP: {}", label(*jip))?,
        Operands::Branch { jip, uip: Some(uip) } => {
            write!(f, " JIP: {} UIP: {}", label(*jip), label(*uip))?;
        }
        Operands::Jump(source) => self::source(f, it, source)?,
        Operands::Wait(destination) => self::destination(f, it, destination)?,
        Operands::One(destination, source) => {
            self::destination(f, it, destination)?;
            self::source(f, it, source)?;
        }
        Operands::Two(destination, sources) | Operands::Math(_, destination, sources) => {
            self::destination(f, it, destination)?;
            sources.iter().try_for_each(|source| self::source(f, it, source))?;
        }
        Operands::Three(destination, sources) => {
            ternary_destination(f, destination)?;
            sources.iter().try_for_each(|source| ternary_source(f, source))?;
        }
        Operands::Send(send) => message(f, it, send)?,
    }
    options(f, it)
}

fn options(f: &mut Formatter<'_>, it: &Instruction) -> fmt::Result {
    if it.opcode == Opcode::Nop {
        return f.write_str(" ;");
    }
    f.write_str(" { ")?;
    f.write_str(match it.access {
        AccessMode::Align1 => "align1",
        AccessMode::Align16 => "align16",
    })?;
    if it.no_mask {
        f.write_str(" WE_all")?;
    }
    f.write_str(
        ["", " NoDDClr", " NoDDChk", " NoDDClr,NoDDChk"][usize::from(it.hints.dependency & 3)],
    )?;
    let (first, size) = (it.first_channel, it.execution_size);
    if size < 8 || first % 8 != 0 {
        write!(f, " {}N", first / 4 + 1)?;
    } else if size == 8 {
        write!(f, " {}Q", first / 8 + 1)?;
    } else if size == 16 {
        write!(f, " {}H", first / 16 + 1)?;
    }
    if it.compacted {
        f.write_str(" compacted")?;
    }
    f.write_str(["", " atomic", " switch", " nopreempt"][usize::from(it.hints.thread & 3)])?;
    if it.accumulator_write {
        let branches = it.opcode.has_branch_control();
        f.write_str(if branches { " BranchCtrl" } else { " AccWrEnable" })?;
    }
    if let Operands::Send(Send { end_of_thread: true, .. }) = it.operands {
        f.write_str(" EOT")?;
    }
    f.write_str(" };")
}

fn flag(number: u8) -> String {
    format!("f{}.{}", number >> 1, number & 1)
}

fn predicate(f: &mut Formatter<'_>, it: &Instruction) -> fmt::Result {
    let Some(predicate) = it.predicate else { return Ok(()) };
    let sign = if predicate.inverse { '-' } else { '+' };
    write!(f, "({sign}{}", flag(it.flag.0))?;
    match predicate.control {
        PredicateControl::Normal => {}
        PredicateControl::AnyV => f.write_str(".anyv")?,
        PredicateControl::AllV => f.write_str(".allv")?,
        PredicateControl::Any(size) => write!(f, ".any{size}h")?,
        PredicateControl::All(size) => write!(f, ".all{size}h")?,
        PredicateControl::Replicate(component) => write!(f, ".{}", component_name(component))?,
    }
    f.write_str(") ")
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Equal => ".z",
        Condition::NotEqual => ".nz",
        Condition::Greater => ".g",
        Condition::GreaterEqual => ".ge",
        Condition::Less => ".l",
        Condition::LessEqual => ".le",
        Condition::Overflow => ".o",
        Condition::Unordered => ".u",
    }
}

fn math(function: MathFunction) -> &'static str {
    match function {
        MathFunction::Inv => "inv",
        MathFunction::Log => "log",
        MathFunction::Exp => "exp",
        MathFunction::Sqrt => "sqrt",
        MathFunction::Rsq => "rsq",
        MathFunction::Sin => "sin",
        MathFunction::Cos => "cos",
        MathFunction::Fdiv => "fdiv",
        MathFunction::Pow => "pow",
        MathFunction::IntDivMod => "intdivmod",
        MathFunction::IntDiv => "intdiv",
        MathFunction::IntMod => "intmod",
        MathFunction::Invm => "invm",
        MathFunction::Rsqrtm => "rsqrtm",
    }
}

fn component_name(component: u8) -> char {
    ['x', 'y', 'z', 'w'][usize::from(component & 3)]
}

/// A register; whether anything follows its name.
fn register(f: &mut Formatter<'_>, register: Register) -> Result<bool, fmt::Error> {
    match register {
        Register::General(number) => write!(f, "g{number}")?,
        Register::Architecture(register) => match register {
            Architecture::Null => f.write_str("null")?,
            Architecture::Address => f.write_str("a0")?,
            Architecture::Accumulator(number) => write!(f, "acc{number}")?,
            Architecture::Flag(number) => write!(f, "f{number}")?,
            Architecture::ChannelEnable => f.write_str("mask0")?,
            Architecture::State => f.write_str("sr0")?,
            Architecture::Control => f.write_str("cr0")?,
            Architecture::Notification => f.write_str("n0")?,
            Architecture::Timestamp => f.write_str("tm0")?,
            Architecture::InstructionPointer => {
                f.write_str("ip")?;
                return Ok(false);
            }
            Architecture::ThreadDependency => {
                f.write_str("tdr0")?;
                return Ok(false);
            }
        },
    }
    Ok(true)
}

/// The place's name, with its element's number where it isn't the first, or that of a0's element, which has `step` words;
/// whether anything follows.
fn place(
    f: &mut Formatter<'_>,
    place: Place,
    size: usize,
    step: usize,
) -> Result<bool, fmt::Error> {
    match place {
        Place::Direct { register, byte } => {
            if !self::register(f, register)? {
                return Ok(false);
            }
            if byte != 0 {
                write!(f, ".{}", usize::from(byte) / size)?;
            }
        }
        Place::Indirect { word, offset } => {
            f.write_str("g[a0")?;
            if word != 0 {
                write!(f, ".{}", usize::from(word) / step)?;
            }
            // As its bits, without the sign.
            if offset != 0 {
                write!(f, " {}", offset & 0x3ff)?;
            }
            f.write_char(']')?;
        }
    }
    Ok(true)
}

fn write_mask(f: &mut Formatter<'_>, mask: u8) -> fmt::Result {
    if mask != 0xf {
        f.write_char('.')?;
        for component in (0..4).filter(|component| mask >> component & 1 != 0) {
            f.write_char(component_name(component))?;
        }
    }
    Ok(())
}

fn destination(f: &mut Formatter<'_>, it: &Instruction, to: &Destination) -> fmt::Result {
    f.write_char(' ')?;
    let size = to.data_type.size();
    // An address's word is counted in the destination's elements.
    if !place(f, to.place, size, size)? {
        return Ok(());
    }
    write!(f, "<{}>", to.stride)?;
    if it.access == AccessMode::Align16 {
        write_mask(f, to.mask)?;
    }
    f.write_str(to.data_type.letters())
}

fn modifiers(f: &mut Formatter<'_>, opcode: Opcode, source: &SourceRegister) -> fmt::Result {
    if source.negate {
        f.write_char(if opcode.is_logic() { '~' } else { '-' })?;
    }
    if source.absolute { f.write_str("(abs)") } else { Ok(()) }
}

fn swizzle(f: &mut Formatter<'_>, swizzle: u8) -> fmt::Result {
    let component = |i: u8| swizzle >> (2 * i) & 3;
    if (1..4).all(|i| component(i) == component(0)) {
        return write!(f, ".{}", component_name(component(0)));
    }
    if swizzle != 0xe4 {
        f.write_char('.')?;
        (0..4).try_for_each(|i| f.write_char(component_name(component(i))))?;
    }
    Ok(())
}

fn source(f: &mut Formatter<'_>, it: &Instruction, source: &Source) -> fmt::Result {
    f.write_char(' ')?;
    let source = match source {
        Source::Immediate(value) => return immediate(f, *value),
        Source::Register(source) => source,
    };
    modifiers(f, it.opcode, source)?;
    if !place(f, source.place, source.data_type.size(), 1)? {
        return Ok(());
    }
    match source.region {
        Region::Strided { vertical, width, horizontal } => {
            match vertical {
                Some(vertical) => write!(f, "<{vertical}")?,
                None => f.write_str("<VxH")?,
            }
            write!(f, ",{width},{horizontal}>")?;
        }
        Region::Swizzled { vertical, swizzle } => {
            write!(f, "<{vertical}>")?;
            self::swizzle(f, swizzle)?;
        }
        Region::Replicated => f.write_str("<0,1,0>")?,
    }
    f.write_str(source.data_type.letters())
}

fn ternary_destination(f: &mut Formatter<'_>, to: &Destination) -> fmt::Result {
    f.write_char(' ')?;
    // Counted in elements twice: of the bits, which count dwords, the quotient by their size.
    if let Place::Direct { register, byte } = to.place {
        self::register(f, register)?;
        let element = usize::from(byte) / 4 / to.data_type.size();
        if element != 0 {
            write!(f, ".{element}")?;
        }
    }
    f.write_str("<1>")?;
    write_mask(f, to.mask)?;
    f.write_str(to.data_type.letters())
}

fn ternary_source(f: &mut Formatter<'_>, source: &SourceRegister) -> fmt::Result {
    f.write_char(' ')?;
    modifiers(f, Opcode::Mad, source)?;
    let Place::Direct { register, byte } = source.place else { return Ok(()) };
    self::register(f, register)?;
    let element = usize::from(byte) / source.data_type.size();
    match source.region {
        Region::Swizzled { swizzle, .. } => {
            if element != 0 {
                write!(f, ".{element}")?;
            }
            f.write_str("<4,4,1>")?;
            self::swizzle(f, swizzle)?;
        }
        _ => write!(f, ".{element}<0,1,0>")?,
    }
    f.write_str(source.data_type.letters())
}

fn immediate(f: &mut Formatter<'_>, value: Immediate) -> fmt::Result {
    match value {
        Immediate::Scalar(data_type, bits) => match data_type {
            DataType::Uq | DataType::Q => write!(f, "{bits:#018x}{}", data_type.letters()),
            DataType::D => write!(f, "{}D", bits as i32),
            DataType::W => write!(f, "{}W", bits as i16),
            DataType::Uw => write!(f, "{bits:#06x}UW"),
            DataType::F => {
                let value = f32::from_bits(bits as u32);
                write!(f, "{bits:#x}F /* {}F */", General(value.into()))
            }
            DataType::Df => {
                write!(f, "{bits:#018x}DF /* {}DF */", General(f64::from_bits(bits)))
            }
            DataType::Hf => {
                let value = super::float::from_half(bits as u32);
                write!(f, "{bits:#06x}HF /* {}HF */", General(value.into()))
            }
            _ => write!(f, "{bits:#010x}UD"),
        },
        Immediate::UnsignedVector(bits) => write!(f, "{bits:#010x}UV"),
        Immediate::SignedVector(bits) => write!(f, "{bits:#010x}V"),
        Immediate::FloatVector(bits) => {
            let [a, b, c, d] = bits.to_le_bytes().map(|byte| General(small_float(byte).into()));
            write!(f, "{bits:#x}VF /* [{a}F, {b}F, {c}F, {d}F]VF */")
        }
    }
}

/// A number as C's `%g` has it: six digits.
struct General(f64);

impl Display for General {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value == 0.0 || !value.is_finite() {
            let sign = if value.is_sign_negative() { "-" } else { "" };
            let name = match () {
                () if value.is_nan() => "nan",
                () if value.is_infinite() => "inf",
                () => "0",
            };
            return write!(f, "{sign}{name}");
        }
        let text = format!("{value:.5e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let trimmed = |text: &str| match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text.to_owned(),
        };
        if (-4..6).contains(&exponent) {
            let digits = usize::try_from(5 - exponent).unwrap_or(0);
            f.write_str(&trimmed(&format!("{value:.digits$}")))
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
        }
    }
}

fn message(f: &mut Formatter<'_>, it: &Instruction, send: &Send) -> fmt::Result {
    let split = send.read.is_none();
    f.write_char(' ')?;
    let payload = Register::General(send.payload);
    match send.read {
        Some(read) => {
            place(f, send.written.place, send.written.data_type.size(), 1)?;
            write!(f, "<{}>{}", send.written.stride, send.written.data_type.letters())?;
            source(f, it, &Source::Register(read))?;
        }
        None => {
            if let Place::Direct { register, .. } = send.written.place {
                self::register(f, register)?;
            }
            f.write_str("UD ")?;
            self::register(f, payload)?;
            f.write_str("UD ")?;
            let null = Register::Architecture(Architecture::Null);
            self::register(f, send.second.map_or(null, Register::General))?;
            f.write_str("UD")?;
        }
    }
    for (shown, value) in [(true, send.descriptor), (split, send.extended)] {
        match value {
            _ if !shown => {}
            Descriptor::Immediate(value) => {
                let end = if send.end_of_thread && !split { 1 << 31 } else { 0 };
                write!(f, " {:#010x}", value | end)?;
            }
            Descriptor::Address(0) => f.write_str(" a0<0>UD")?,
            Descriptor::Address(dword) => write!(f, " a0.{dword}<0>UD")?,
        }
    }
    write!(f, " {} MsgDesc:", descriptor::name(send.function))?;
    match send.descriptor {
        Descriptor::Immediate(value) => descriptor::meaning(f, send.function, value)?,
        Descriptor::Address(_) => f.write_str(" indirect")?,
    }
    if let Descriptor::Immediate(descriptor) = send.descriptor {
        write!(f, " mlen {}", descriptor >> 25 & 0xf)?;
    }
    if let (true, Descriptor::Immediate(extended)) = (split, send.extended) {
        write!(f, " ex_mlen {}", extended >> 6 & 0xf)?;
    }
    if let Descriptor::Immediate(descriptor) = send.descriptor {
        write!(f, " rlen {}", descriptor >> 20 & 0x1f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (0.0001, "0.0001"),
            (0.000_012_345_678, "1.23457e-05"),
            (123_456_789.0, "1.23457e+08"),
            (999_999.9, "1e+06"),
            (255.5, "255.5"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(General(value).to_string(), text);
        }
    }
}
