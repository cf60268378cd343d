//! Lanes: what an operation's sources hold for all its channels, and the way back into registers.
//!
//! ```text
//!  registers ─load─► lanes: 8, 16 or 32 times 32 bits ─kernel─► lanes ─finish─► clamp, convert, flags, registers
//! ```
//!
//! The usual regions (packed dwords, one dword for all) are copied; all others go element by element.

use super::float::{clamp, flush, from_half, to_float, to_half};
use super::instruction::{Architecture, Condition, DataType, PredicateControl};
use super::operation::{Class, Finish, From, Operand, Operation, Reach, Target, Treatment};
use super::thread::{Control, DWORDS, Rounding, Thread};

/// The channels that an operation works for: bit 0 is its first.
#[inline]
pub(super) fn channels(thread: &Thread, operation: &Operation) -> u32 {
    let enabled = if operation.no_mask { u32::MAX } else { thread.active >> operation.first };
    let channels = enabled & operation.lanes;
    if operation.predicate.is_none() { channels } else { channels & predicate(thread, operation) }
}

/// The same without the predicate, which SEL uses otherwise.
#[inline]
pub(super) fn enabled(thread: &Thread, operation: &Operation) -> u32 {
    let enabled = if operation.no_mask { u32::MAX } else { thread.active >> operation.first };
    enabled & operation.lanes
}

/// The predicate's mask: bit 0 is the operation's first channel.
pub(super) fn predicate(thread: &Thread, operation: &Operation) -> u32 {
    let Some(predicate) = operation.predicate else { return u32::MAX };
    let bits = thread.flags.rotate_right(16 * u32::from(operation.flag)) as u32;
    let half = 16 * u32::from(operation.flag & 1);
    let (f0, f1) = (thread.flags as u32, (thread.flags >> 32) as u32);
    let mask = match predicate.control {
        PredicateControl::Normal => bits,
        PredicateControl::AnyV => (f0 | f1).rotate_right(half),
        PredicateControl::AllV => (f0 & f1).rotate_right(half),
        PredicateControl::Any(size) => groups(bits, size, |group, _| group != 0),
        PredicateControl::All(size) => groups(bits, size, |group, all| group == all),
        PredicateControl::Replicate(component) => {
            groups(bits, 4, |group, _| group >> component & 1 != 0)
        }
    };
    let mask = if predicate.inverse { !mask } else { mask };
    mask >> operation.first
}

fn groups(bits: u32, size: u8, holds: impl Fn(u32, u32) -> bool) -> u32 {
    let all = u32::MAX >> (32 - size);
    let mut mask = 0;
    for at in (0..32).step_by(size.into()) {
        if holds(bits >> at & all, all) {
            mask |= all << at;
        }
    }
    mask
}

/// The bits of a source's element, as its type has them.
pub(super) fn bits(thread: &Thread, operand: &Operand, i: usize) -> u64 {
    let size = operand.data_type.size();
    let lane = i as u32;
    match operand.reach {
        Reach::Packed { dword } => thread.dwords()[(usize::from(dword) + i) % DWORDS].into(),
        Reach::Splat { dword } => thread.dwords()[usize::from(dword) % DWORDS].into(),
        Reach::Constant(value) => value,
        Reach::Vector(vector) => vector.element(i),
        Reach::Strided { byte, step } => {
            thread.element(u32::from(byte) + lane * u32::from(step), size)
        }
        Reach::Rows { byte, rows } => thread.element(u32::from(byte) + rows.byte(lane), size),
        Reach::Groups { byte, vertical, size: bytes, swizzle } => {
            let chosen = u32::from(swizzle >> (2 * (lane & 3)) & 3);
            let byte = u32::from(byte) + (lane >> 2) * u32::from(vertical);
            thread.element(byte + chosen * u32::from(bytes), size)
        }
        Reach::Indirect { word, offset, rows, each_row } => {
            let row = if each_row { lane >> rows.width } else { 0 };
            let base = thread.address[(usize::from(word) + row as usize) % 16];
            let at = u32::from(base).wrapping_add_signed(offset.into());
            thread.element(at.wrapping_add(rows.byte(lane)), size)
        }
        Reach::Architecture { register: Architecture::Accumulator(number), byte, rows } => {
            let at = u32::from(number) * 32 + u32::from(byte) + rows.byte(lane);
            let value = thread.accumulator[at as usize / size % 32];
            if size == 8 { value } else { value & (u64::MAX >> (64 - 8 * size)) }
        }
        Reach::Architecture { register, byte, rows } => {
            let block = architecture(thread, register);
            from_block(&block, u32::from(byte) + rows.byte(lane), size)
        }
    }
}

fn from_block(block: &[u32; 8], byte: u32, size: usize) -> u64 {
    let dword = block[(byte >> 2) as usize % 8];
    match size {
        1 => (dword >> (8 * (byte & 3)) & 0xff).into(),
        2 => (dword >> (8 * (byte & 2)) & 0xffff).into(),
        4 => dword.into(),
        _ => {
            let low = (byte >> 2 & 6) as usize;
            u64::from(block[low % 8]) | u64::from(block[(low + 1) % 8]) << 32
        }
    }
}

/// An architecture register as 32 bytes.
fn architecture(thread: &Thread, register: Architecture) -> [u32; 8] {
    let mut block = [0; 8];
    match register {
        Architecture::Address => {
            for (dword, words) in block.iter_mut().zip(thread.address.as_chunks::<2>().0) {
                *dword = u32::from(words[0]) | u32::from(words[1]) << 16;
            }
        }
        Architecture::Flag(number) => block[0] = (thread.flags >> (32 * (number & 1))) as u32,
        Architecture::ChannelEnable => block[0] = thread.active,
        Architecture::State => block[..4].copy_from_slice(&thread.state),
        Architecture::Control => block[..4].copy_from_slice(&thread.control),
        Architecture::Notification => block[0] = thread.notifications,
        Architecture::Timestamp => {
            block[0] = thread.timestamp as u32;
            block[1] = (thread.timestamp >> 32) as u32;
        }
        Architecture::Null
        | Architecture::Accumulator(_)
        | Architecture::InstructionPointer
        | Architecture::ThreadDependency => {}
    }
    block
}

fn set_architecture(thread: &mut Thread, register: Architecture, block: &[u32; 8]) {
    match register {
        Architecture::Address => {
            for (words, dword) in thread.address.as_chunks_mut::<2>().0.iter_mut().zip(block) {
                *words = [*dword as u16, (*dword >> 16) as u16];
            }
        }
        Architecture::Flag(number) => {
            let shift = 32 * (number & 1);
            let others = thread.flags & !(0xffff_ffff << shift);
            thread.flags = others | u64::from(block[0]) << shift;
        }
        Architecture::Control => thread.control.copy_from_slice(&block[..4]),
        Architecture::Notification => thread.notifications = block[0],
        // What the hardware says about itself.
        Architecture::ChannelEnable
        | Architecture::State
        | Architecture::Timestamp
        | Architecture::Null
        | Architecture::Accumulator(_)
        | Architecture::InstructionPointer
        | Architecture::ThreadDependency => {}
    }
}

/// A source's elements as 32 bits: with their sign if they are smaller, converted and modified as it says.
#[inline]
pub(super) fn load<const N: usize>(thread: &Thread, operand: &Operand) -> [u32; N] {
    let mut lanes = match operand.reach {
        Reach::Packed { dword } => {
            let from = usize::from(dword);
            match thread.dwords().get(from..from + N).and_then(|from| from.as_array()) {
                Some(lanes) => *lanes,
                None => elements(thread, operand),
            }
        }
        Reach::Splat { dword } => [thread.dwords()[usize::from(dword) % DWORDS]; N],
        Reach::Constant(value) => [value as u32; N],
        _ => elements(thread, operand),
    };
    match operand.treatment {
        Treatment::Plain => {}
        Treatment::Flush => {
            if flushes(thread) {
                lanes = lanes.map(flush);
            }
        }
        Treatment::Adjust => adjust(thread, operand, &mut lanes),
    }
    lanes
}

#[inline(never)]
fn elements<const N: usize>(thread: &Thread, operand: &Operand) -> [u32; N] {
    let mut lanes = [0; N];
    if let Reach::Strided { byte, step } = operand.reach
        && operand.data_type.size() == 2
    {
        let (dwords, mut at) = (thread.dwords(), usize::from(byte));
        for lane in &mut lanes {
            *lane = dwords[at / 4 % DWORDS] >> (8 * (at & 2)) & 0xffff;
            at += usize::from(step);
        }
    } else {
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = bits(thread, operand, i) as u32;
        }
    }
    match operand.data_type {
        DataType::W => lanes.iter_mut().for_each(|lane| *lane = *lane as i16 as u32),
        DataType::B => lanes.iter_mut().for_each(|lane| *lane = *lane as i8 as u32),
        _ => {}
    }
    lanes
}

#[inline(never)]
fn adjust<const N: usize>(thread: &Thread, operand: &Operand, lanes: &mut [u32; N]) {
    let adjust = operand.adjust;
    let float = match adjust.from {
        From::Same => matches!(operand.data_type, DataType::F),
        _ => true,
    };
    match adjust.from {
        From::Same => {}
        From::Half => {
            let keep = thread.control[0] & Control::KEEP_F16_DENORMALS != 0;
            for lane in lanes.iter_mut() {
                let small = *lane & 0x7c00 == 0;
                let bits = if small && !keep { *lane & 0x8000 } else { *lane };
                *lane = from_half(bits).to_bits();
            }
        }
        From::Signed => lanes.iter_mut().for_each(|lane| *lane = (*lane as i32 as f32).to_bits()),
        From::Unsigned => lanes.iter_mut().for_each(|lane| *lane = (*lane as f32).to_bits()),
    }
    if adjust.flush && flushes(thread) {
        lanes.iter_mut().for_each(|lane| *lane = flush(*lane));
    }
    if adjust.invert {
        lanes.iter_mut().for_each(|lane| *lane = !*lane);
    }
    if float {
        let (keep, turn) = (
            if adjust.absolute { 0x7fff_ffff } else { u32::MAX },
            if adjust.negate { 0x8000_0000 } else { 0 },
        );
        if adjust.absolute || adjust.negate {
            lanes.iter_mut().for_each(|lane| *lane = *lane & keep ^ turn);
        }
    } else {
        if adjust.absolute {
            lanes.iter_mut().for_each(|lane| *lane = (*lane as i32).wrapping_abs() as u32);
        }
        if adjust.negate {
            lanes.iter_mut().for_each(|lane| *lane = lane.wrapping_neg());
        }
    }
}

#[inline]
pub(super) fn flushes(thread: &Thread) -> bool {
    thread.control[0] & Control::KEEP_F32_DENORMALS == 0
}

/// Whether floats need more than the processor's own arithmetic.
#[inline]
pub(super) fn is_directed(thread: &Thread) -> bool {
    thread.control().rounding() != Rounding::Nearest
}

/// Lane by lane, the bit of a mask.
const BITS: [u32; 32] = {
    let mut bits = [0; 32];
    let mut i = 0;
    while i < 32 {
        bits[i] = 1 << i;
        i += 1;
    }
    bits
};

/// Lanes of all ones, or none: for which lanes something holds.
pub(super) type Holds<const N: usize> = [u32; N];

/// A bit for each lane for which something holds.
#[inline]
pub(super) fn mask<const N: usize>(holds: &Holds<N>) -> u32 {
    let mut mask = 0;
    for i in 0..N {
        mask |= holds[i] & BITS[i];
    }
    mask
}

/// The lanes of a mask.
#[inline]
pub(super) fn spread<const N: usize>(mask: u32) -> Holds<N> {
    std::array::from_fn(|i| if mask & BITS[i] != 0 { u32::MAX } else { 0 })
}

/// Each lane from `a` where something holds, from `b` elsewhere.
#[inline]
pub(super) fn choose<const N: usize>(holds: &Holds<N>, a: &[u32; N], b: &[u32; N]) -> [u32; N] {
    std::array::from_fn(|i| a[i] & holds[i] | b[i] & !holds[i])
}

/// Takes an operation's results through clamping, conversion and condition into its destination.
#[inline]
pub(super) fn finish<const N: usize>(
    thread: &mut Thread,
    operation: &Operation,
    lanes: [u32; N],
    channels: u32,
) {
    let lanes = settle(thread, operation, lanes);
    if let Some(condition) = operation.condition {
        let holds = compare_zero(operation.to, condition, &lanes);
        set_flags(thread, operation, holds, channels);
    }
    store(thread, operation, &lanes, channels);
}

/// Results as elements of the destination's type.
#[inline]
pub(super) fn settle<const N: usize>(
    thread: &Thread,
    operation: &Operation,
    mut lanes: [u32; N],
) -> [u32; N] {
    const OTHERWISE: u32 = Control::ALTERNATIVE | Control::KEEP_F32_DENORMALS;
    match operation.finish {
        Finish::Plain => {}
        Finish::Flush if thread.control[0] & OTHERWISE == 0 => lanes = lanes.map(flush),
        Finish::Flush | Finish::Convert => convert(thread, operation, &mut lanes),
    }
    lanes
}

/// What the alternative floating-point mode has for infinities and NaNs.
fn finite(bits: u32) -> u32 {
    match bits & 0x7fff_ffff {
        0x7f80_0000 => bits & 0x8000_0000 | 0x7f7f_ffff,
        magnitude if magnitude > 0x7f80_0000 => 0,
        _ => bits,
    }
}

/// Lanes of the operation's class become elements of its destination's type, as the low bits; integers keep their sign.
#[inline(never)]
fn convert<const N: usize>(thread: &Thread, operation: &Operation, lanes: &mut [u32; N]) {
    if operation.class == Class::Float && operation.flush {
        if thread.control[0] & Control::ALTERNATIVE != 0 {
            *lanes = lanes.map(finite);
        }
        if operation.saturate && operation.to.is_float() {
            *lanes = lanes.map(|lane| clamp(f32::from_bits(lane)).to_bits());
        }
        if flushes(thread) {
            *lanes = lanes.map(flush);
        }
    }
    let rounding = thread.control().rounding();
    let keep = thread.control[0] & Control::KEEP_F16_DENORMALS != 0;
    let half = |value: f64| {
        let bits = to_half(value, rounding);
        if !keep && operation.flush && bits & 0x7c00 == 0 { bits & 0x8000 } else { bits }
    };
    let each = |lanes: &mut [u32; N], to: &dyn Fn(u32) -> u32| {
        lanes.iter_mut().for_each(|lane| *lane = to(*lane));
    };
    match (operation.class, operation.to) {
        (Class::Float, DataType::F | DataType::Df | DataType::Q | DataType::Uq) => {}
        (Class::Float, DataType::Hf) => each(lanes, &|v| half(f32::from_bits(v).into())),
        // Towards zero, to the nearest number that the type has; NaN is 0.
        (Class::Float, DataType::D) => each(lanes, &|v| f32::from_bits(v) as i32 as u32),
        (Class::Float, DataType::Ud) => each(lanes, &|v| f32::from_bits(v) as u32),
        (Class::Float, DataType::W) => each(lanes, &|v| f32::from_bits(v) as i16 as u32),
        (Class::Float, DataType::Uw) => each(lanes, &|v| (f32::from_bits(v) as u16).into()),
        (Class::Float, DataType::B) => each(lanes, &|v| f32::from_bits(v) as i8 as u32),
        (Class::Float, DataType::Ub) => each(lanes, &|v| (f32::from_bits(v) as u8).into()),
        (Class::Signed, DataType::F) => {
            each(lanes, &|v| to_float((v as i32).into(), rounding).to_bits());
        }
        (Class::Unsigned, DataType::F) => each(lanes, &|v| to_float(v.into(), rounding).to_bits()),
        (Class::Signed, DataType::Hf) => each(lanes, &|v| half((v as i32).into())),
        (Class::Unsigned, DataType::Hf) => each(lanes, &|v| half(v.into())),
        (_, DataType::W) => each(lanes, &|v| v as i16 as u32),
        (_, DataType::Uw) => each(lanes, &|v| v & 0xffff),
        (_, DataType::B) => each(lanes, &|v| v as i8 as u32),
        (_, DataType::Ub) => each(lanes, &|v| v & 0xff),
        (_, _) => {}
    }
}

fn compare_zero<const N: usize>(
    data_type: DataType,
    condition: Condition,
    lanes: &[u32; N],
) -> u32 {
    let class = match data_type {
        DataType::F | DataType::Hf => Class::Float,
        data_type if data_type.is_signed() => Class::Signed,
        _ => Class::Unsigned,
    };
    if data_type == DataType::Hf {
        let lanes = lanes.map(|lane| from_half(lane).to_bits());
        return mask(&compare(class, condition, &lanes, &[0; N]));
    }
    mask(&compare(class, condition, lanes, &[0; N]))
}

/// The lanes for which a comparison holds.
#[inline(never)]
pub(super) fn compare<const N: usize>(
    class: Class,
    condition: Condition,
    a: &[u32; N],
    b: &[u32; N],
) -> Holds<N> {
    macro_rules! lanes {
        ($of:expr, $a:ident, $b:ident, $holds:expr) => {
            std::array::from_fn(|i| {
                let of = $of;
                let ($a, $b) = (of(a[i]), of(b[i]));
                if $holds { u32::MAX } else { 0 }
            })
        };
    }
    macro_rules! order {
        ($of:expr) => {
            match condition {
                Condition::Equal => lanes!($of, a, b, a == b),
                Condition::NotEqual => lanes!($of, a, b, a != b),
                Condition::Greater => lanes!($of, a, b, a > b),
                Condition::GreaterEqual => lanes!($of, a, b, a >= b),
                Condition::Less => lanes!($of, a, b, a < b),
                Condition::LessEqual => lanes!($of, a, b, a <= b),
                Condition::Overflow | Condition::Unordered => [0; N],
            }
        };
    }
    match (class, condition) {
        (Class::Float, Condition::Overflow) => {
            lanes!(f32::from_bits, a, _b, a.is_infinite())
        }
        (Class::Float, Condition::Unordered) => {
            lanes!(f32::from_bits, a, b, a.is_nan() || b.is_nan())
        }
        (Class::Float, _) => order!(f32::from_bits),
        (Class::Signed, _) => order!(|v: u32| v as i32),
        (Class::Unsigned, _) => order!(|v: u32| v),
    }
}

/// Writes flag bits of channels that take part.
#[inline]
pub(super) fn set_flags(thread: &mut Thread, operation: &Operation, holds: u32, channels: u32) {
    let shift = 16 * u32::from(operation.flag) + u32::from(operation.first);
    let mask = u64::from(channels).rotate_left(shift);
    thread.flags = thread.flags & !mask | u64::from(holds & channels).rotate_left(shift);
}

/// Writes elements of the destination's type for channels that take part.
#[inline]
pub(super) fn store<const N: usize>(
    thread: &mut Thread,
    operation: &Operation,
    lanes: &[u32; N],
    channels: u32,
) {
    if operation.accumulates {
        accumulate(thread, operation, lanes, channels);
    }
    if let Target::Packed { dword } = operation.target {
        let from = usize::from(dword);
        if let Some(to) =
            thread.dwords_mut().get_mut(from..from + N).and_then(|to| to.as_mut_array::<N>())
        {
            if channels == u32::MAX >> (32 - N) {
                *to = *lanes;
            } else {
                *to = choose(&spread(channels), lanes, to);
            }
        }
        return;
    }
    let mut left = channels;
    while left != 0 {
        let i = left.trailing_zeros();
        left &= left - 1;
        set_bits(thread, operation, i, lanes[i as usize % N].into());
    }
}

fn accumulate<const N: usize>(
    thread: &mut Thread,
    operation: &Operation,
    lanes: &[u32; N],
    channels: u32,
) {
    for i in 0..N {
        if channels & BITS[i] != 0 {
            thread.accumulator[i % 32] = widened(operation.to, lanes[i].into());
        }
    }
}

/// What the accumulator has for an element: an integer keeps its sign.
fn widened(data_type: DataType, bits: u64) -> u64 {
    match data_type {
        DataType::D => bits as i32 as u64,
        DataType::W => bits as i16 as u64,
        DataType::B => bits as i8 as u64,
        _ => bits,
    }
}

/// Writes an element of the destination's type for channel `i`.
pub(super) fn set_bits(thread: &mut Thread, operation: &Operation, i: u32, value: u64) {
    let size = operation.to.size();
    match operation.target {
        Target::Null => {}
        Target::Packed { dword } => {
            thread.dwords_mut()[(usize::from(dword) + i as usize) % DWORDS] = value as u32;
        }
        Target::Strided { byte, step } => {
            thread.set_element(u32::from(byte) + i * u32::from(step), size, value);
        }
        Target::Indirect { word, offset, step } => {
            let base = thread.address[usize::from(word) % 16];
            let at = u32::from(base).wrapping_add_signed(offset.into());
            thread.set_element(at.wrapping_add(i * u32::from(step)), size, value);
        }
        Target::Architecture { register: Architecture::Accumulator(number), byte, step } => {
            let at = u32::from(number) * 32 + u32::from(byte) + i * u32::from(step);
            thread.accumulator[at as usize / size % 32] = widened(operation.to, value);
        }
        Target::Architecture { register, byte, step } => {
            let mut block = architecture(thread, register);
            let at = u32::from(byte) + i * u32::from(step);
            let dword = &mut block[(at >> 2) as usize % 8];
            match size {
                1 => {
                    let shift = 8 * (at & 3);
                    *dword = *dword & !(0xff << shift) | (value as u32 & 0xff) << shift;
                }
                2 => {
                    let shift = 8 * (at & 2);
                    *dword = *dword & !(0xffff << shift) | (value as u32 & 0xffff) << shift;
                }
                4 => *dword = value as u32,
                _ => {
                    let low = (at >> 2 & 6) as usize;
                    block[low % 8] = value as u32;
                    block[(low + 1) % 8] = (value >> 32) as u32;
                }
            }
            set_architecture(thread, register, &block);
        }
    }
}
