//! Kernels for lanes of 32 bits: what nearly all instructions of nearly all shaders are. What they don't do is done
//! [the wide way](super::wide).

use super::float::{ceil, floor, flush, fused_lanes, round, truncate, weighted_lanes};
use super::instruction::{Architecture, MathFunction};
use super::instruction::{Condition, DataType};
use super::lanes::{
    Holds, channels, choose, compare, enabled, finish, flushes, is_directed, load, mask, predicate,
    set_flags, settle, spread, store,
};
use super::math;
use super::opcode::Opcode;
use super::operation::{Class, Kernel, Operation, Reach, Target};
use super::thread::{Control, DWORDS, Thread};
use super::wide;

/// A kernel for each number of lanes.
macro_rules! widths {
    ($size:expr, $kernel:ident $(, $with:expr)*) => {
        match $size {
            0..=8 => (|thread, operation| $kernel::<8>(thread, operation $(, $with)*)) as Kernel,
            9..=16 => |thread, operation| $kernel::<16>(thread, operation $(, $with)*),
            _ => |thread, operation| $kernel::<32>(thread, operation $(, $with)*),
        }
    };
}

/// The kernel for an operation on so many channels; `None` if it needs more than 32 bits a lane.
pub(super) fn kernel(operation: &Operation, size: u8) -> Option<Kernel> {
    use Opcode as O;
    let count = operation.opcode.sources();
    let sources = operation.sources.get(..count)?;
    let float = operation.class == Class::Float;
    let wide_type = |data_type: DataType| data_type.size() == 8;
    if sources.iter().any(|source| wide_type(source.data_type)) || wide_type(operation.to) {
        return None;
    }
    // Of integers, some results don't fit into 32 bits before they are clamped or tested.
    let overflows = operation.saturate || operation.condition == Some(Condition::Overflow);
    if !float && overflows && !operation.opcode.is_logic() {
        return None;
    }
    // Whether numbers compare as 32-bit numbers of the operation's class.
    let comparable = float
        || sources.iter().all(|source| {
            let unsigned = matches!(source.data_type, DataType::Ud);
            let turned = source.adjust.negate || source.adjust.absolute;
            (operation.class == Class::Unsigned || !unsigned)
                && (source.data_type.is_signed() || !turned)
        });
    let computes = float || !operation.to.is_float();
    let to_accumulator = matches!(
        operation.target,
        Target::Architecture { register: Architecture::Accumulator(_), .. }
    );
    Some(match operation.opcode {
        O::Mov if float && operation.to == DataType::F => widths!(size, unary, |a| a),
        O::Mov => widths!(size, unary, |a| a),
        O::Sel if operation.condition.is_none() => widths!(size, select),
        O::Sel if comparable => widths!(size, extreme),
        O::Cmp if comparable => widths!(size, cmp, false),
        O::Cmpn if comparable => widths!(size, cmp, true),
        O::Not if !float && computes => widths!(size, unary, |a| !a),
        O::And if !float && computes => widths!(size, binary, |a, b| a & b),
        O::Or if !float && computes => widths!(size, binary, |a, b| a | b),
        O::Xor if !float && computes => widths!(size, binary, |a, b| a ^ b),
        O::Shl if !float && computes => widths!(size, binary, |a, b| a << (b & 31)),
        O::Shr if !float && computes && operation.sources[0].data_type.is_signed() => {
            // Of a narrow number with a sign: its own bits, as in 32 of them.
            widths!(size, binary, |a, b| a >> (b & 31))
        }
        O::Shr if !float && computes => widths!(size, binary, |a, b| a >> (b & 31)),
        O::Asr if !float && computes => {
            widths!(size, binary, |a, b| ((a as i32) >> (b & 31)) as u32)
        }
        O::Add if float => widths!(size, floats, |a, b| a + b),
        O::Add if computes => widths!(size, binary, |a, b| a.wrapping_add(b)),
        O::Mul if float => widths!(size, floats, |a, b| a * b),
        O::Mul if computes && !to_accumulator && !operation.accumulates => {
            widths!(size, binary, |a, b| a.wrapping_mul(b))
        }
        O::Mad if float => widths!(size, mad),
        O::Mad if computes => {
            widths!(size, ternary, |a, b, c| b.wrapping_mul(c).wrapping_add(a))
        }
        O::Lrp if float => widths!(size, lrp),
        O::Csel if float && operation.condition.is_some() => widths!(size, csel),
        O::Bfe if operation.class == Class::Signed && computes => {
            widths!(size, ternary, field_signed)
        }
        O::Bfe if !float && computes => {
            widths!(size, ternary, field)
        }
        O::Bfi2 if !float && computes => widths!(size, ternary, |a, b, c| a & b | !a & c),
        O::Bfi1 if !float && computes => {
            widths!(size, binary, |width, offset| ((1 << (width & 31)) - 1) << (offset & 31))
        }
        O::Bfrev if !float && computes => widths!(size, unary, |a| a.reverse_bits()),
        O::Lzd if !float && computes => widths!(size, unary, |a| a.leading_zeros()),
        O::Fbh if operation.class == Class::Signed && computes => {
            widths!(size, unary, |a| match a ^ ((a as i32) >> 31) as u32 {
                0 => u32::MAX,
                other => other.leading_zeros(),
            })
        }
        O::Fbh if !float && computes => {
            widths!(size, unary, |a| if a == 0 { u32::MAX } else { a.leading_zeros() })
        }
        O::Fbl if !float && computes => {
            widths!(size, unary, |a| if a == 0 { u32::MAX } else { a.trailing_zeros() })
        }
        O::Cbit if !float && computes => widths!(size, unary, |a| a.count_ones()),
        O::Frc if float => widths!(size, rounded, |a| a - floor(a)),
        O::Rndu if float => widths!(size, rounded, ceil),
        O::Rndd if float => widths!(size, rounded, floor),
        O::Rnde if float => widths!(size, rounded, round),
        O::Rndz if float => widths!(size, rounded, truncate),
        O::Pln if float && size >= 8 => widths!(size, pln),
        O::Line if float => widths!(size, line),
        // Those that processors have for many lanes at a time.
        O::Math if operation.function == Some(MathFunction::Inv) && float => {
            widths!(size, rounded, |a| 1.0 / a)
        }
        O::Math if operation.function == Some(MathFunction::Sqrt) && float => {
            widths!(size, root)
        }
        O::Math if float => widths!(size, math_float),
        O::Math if computes => widths!(size, math_integer),
        _ => return None,
    })
}

fn field(width: u32, offset: u32, value: u32) -> u32 {
    let (width, offset) = (width & 31, offset & 31);
    match width {
        0 => 0,
        _ if offset + width < 32 => value << (32 - width - offset) >> (32 - width),
        _ => value >> offset,
    }
}

fn field_signed(width: u32, offset: u32, value: u32) -> u32 {
    let (width, offset, value) = (width & 31, offset & 31, value as i32);
    match width {
        0 => 0,
        _ if offset + width < 32 => (value << (32 - width - offset) >> (32 - width)) as u32,
        _ => (value >> offset) as u32,
    }
}

#[inline]
fn unary<const N: usize>(thread: &mut Thread, operation: &Operation, f: impl Fn(u32) -> u32) {
    let lanes = load::<N>(thread, &operation.sources[0]).map(f);
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

#[inline]
fn binary<const N: usize>(thread: &mut Thread, operation: &Operation, f: impl Fn(u32, u32) -> u32) {
    let mut lanes = load::<N>(thread, &operation.sources[0]);
    let other = load::<N>(thread, &operation.sources[1]);
    for i in 0..N {
        lanes[i] = f(lanes[i], other[i]);
    }
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

#[inline]
fn ternary<const N: usize>(
    thread: &mut Thread,
    operation: &Operation,
    f: impl Fn(u32, u32, u32) -> u32,
) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let c = load::<N>(thread, &operation.sources[2]);
    let mut lanes = [0; N];
    for i in 0..N {
        lanes[i] = f(a[i], b[i], c[i]);
    }
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

/// Two floats, rounded to the nearest unless the thread says otherwise.
#[inline]
fn floats<const N: usize>(thread: &mut Thread, operation: &Operation, f: impl Fn(f32, f32) -> f32) {
    if is_directed(thread) {
        return wide::execute(thread, operation);
    }
    binary::<N>(thread, operation, |a, b| f(f32::from_bits(a), f32::from_bits(b)).to_bits());
}

/// A float that becomes a whole one, or what is left: exact in any rounding mode.
#[inline]
fn rounded<const N: usize>(thread: &mut Thread, operation: &Operation, f: impl Fn(f32) -> f32) {
    unary::<N>(thread, operation, |a| f(f32::from_bits(a)).to_bits());
}

fn root<const N: usize>(thread: &mut Thread, operation: &Operation) {
    if thread.control[0] & Control::ALTERNATIVE != 0 {
        return math_float::<N>(thread, operation);
    }
    rounded::<N>(thread, operation, f32::sqrt);
}

fn mad<const N: usize>(thread: &mut Thread, operation: &Operation) {
    if is_directed(thread) {
        return wide::execute(thread, operation);
    }
    let c = load::<N>(thread, &operation.sources[0]);
    let a = load::<N>(thread, &operation.sources[1]);
    let b = load::<N>(thread, &operation.sources[2]);
    let lanes = fused_lanes(&a, &b, &c);
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

fn lrp<const N: usize>(thread: &mut Thread, operation: &Operation) {
    if is_directed(thread) {
        return wide::execute(thread, operation);
    }
    let s = load::<N>(thread, &operation.sources[0]);
    let a = load::<N>(thread, &operation.sources[1]);
    let b = load::<N>(thread, &operation.sources[2]);
    let lanes = weighted_lanes(&s, &a, &b);
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

fn csel<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let test = load::<N>(thread, &operation.sources[2]);
    let Some(condition) = operation.condition else { return };
    let first = compare(operation.class, condition, &test, &[0; N]);
    let lanes = settle(thread, operation, choose(&first, &a, &b));
    let channels = channels(thread, operation);
    store(thread, operation, &lanes, channels);
}

/// SEL by the predicate, which doesn't say who writes.
fn select<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let first = spread(predicate(thread, operation));
    let lanes = settle(thread, operation, choose(&first, &a, &b));
    let channels = enabled(thread, operation);
    store(thread, operation, &lanes, channels);
}

/// SEL by a condition: the larger, the smaller. Of a number and a NaN it is the number. Flags stay.
fn extreme<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let Some(condition) = operation.condition else { return };
    let mut first = compare(operation.class, condition, &a, &b);
    if operation.class == Class::Float
        && matches!(condition, Condition::GreaterEqual | Condition::Less)
    {
        or_nan(&mut first, &b);
    }
    let lanes = settle(thread, operation, choose(&first, &a, &b));
    let channels = enabled(thread, operation);
    store(thread, operation, &lanes, channels);
}

/// Holds for NaNs, too.
fn or_nan<const N: usize>(holds: &mut Holds<N>, lanes: &[u32; N]) {
    for i in 0..N {
        holds[i] |= if f32::from_bits(lanes[i]).is_nan() { u32::MAX } else { 0 };
    }
}

/// CMP and CMPN: flags, and all ones or none in the destination.
#[inline]
fn cmp<const N: usize>(thread: &mut Thread, operation: &Operation, numbers: bool) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let Some(condition) = operation.condition else { return };
    let mut holds = compare(operation.class, condition, &a, &b);
    if numbers && operation.class == Class::Float {
        // CMPN: a NaN as the second loses.
        or_nan(&mut holds, &b);
    }
    let channels = channels(thread, operation);
    set_flags(thread, operation, mask(&holds), channels);
    if !matches!(operation.target, Target::Null) || operation.accumulates {
        store(thread, operation, &holds, channels);
    }
}

/// The dwords of a plane: the coefficients of its coordinates at 0 and 1, its constant at 3.
fn plane(thread: &Thread, operation: &Operation) -> [f64; 4] {
    let Reach::Splat { dword } = operation.sources[0].reach else { return [0.0; 4] };
    let adjust = operation.sources[0].adjust;
    std::array::from_fn(|i| {
        let mut bits = thread.dwords()[(usize::from(dword) + i) % DWORDS];
        if flushes(thread) {
            bits = flush(bits);
        }
        let value = f32::from_bits(bits);
        let value = if adjust.absolute { value.abs() } else { value };
        f64::from(if adjust.negate { -value } else { value })
    })
}

/// A plane at coordinates that lie in pairs of registers, eight channels each.
fn pln<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let plane = plane(thread, operation);
    let mut lanes = [0; N];
    for half in 0..N / 8 {
        let mut source = operation.sources[1];
        let Reach::Packed { dword } = source.reach else { return };
        let at = |register: usize| Reach::Packed {
            dword: ((usize::from(dword) + 8 * (2 * half + register)) % DWORDS) as u16,
        };
        source.reach = at(0);
        let u = load::<8>(thread, &source);
        source.reach = at(1);
        let v = load::<8>(thread, &source);
        for i in 0..8 {
            let (u, v) = (f32::from_bits(u[i]), f32::from_bits(v[i]));
            let value = plane[0] * f64::from(u) + plane[1] * f64::from(v) + plane[3];
            lanes[8 * half + i] = (value as f32).to_bits();
        }
    }
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

fn line<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let plane = plane(thread, operation);
    let lanes = load::<N>(thread, &operation.sources[1])
        .map(|u| ((plane[0] * f64::from(f32::from_bits(u)) + plane[3]) as f32).to_bits());
    let channels = channels(thread, operation);
    finish(thread, operation, lanes, channels);
}

fn math_float<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let alternative = thread.control[0] & Control::ALTERNATIVE != 0;
    let Some(function) = operation.function.and_then(|function| math::float(function, alternative))
    else {
        return;
    };
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let channels = channels(thread, operation);
    let mut lanes = [0; N];
    for i in 0..N {
        // Functions of nobody's lanes would only cost time.
        if channels & 1 << i != 0 {
            lanes[i] = function(f32::from_bits(a[i]), f32::from_bits(b[i])).to_bits();
        }
    }
    finish(thread, operation, lanes, channels);
}

fn math_integer<const N: usize>(thread: &mut Thread, operation: &Operation) {
    let a = load::<N>(thread, &operation.sources[0]);
    let b = load::<N>(thread, &operation.sources[1]);
    let signed = operation.class == Class::Signed;
    let (mut quotients, mut remainders) = ([0; N], [0; N]);
    for i in 0..N {
        (quotients[i], remainders[i]) = math::divide(a[i], b[i], signed);
    }
    let channels = channels(thread, operation);
    match operation.function {
        Some(MathFunction::IntDiv) => finish(thread, operation, quotients, channels),
        Some(MathFunction::IntMod) => finish(thread, operation, remainders, channels),
        Some(MathFunction::IntDivMod) => {
            finish(thread, operation, quotients, channels);
            if let Target::Packed { dword } = operation.target {
                let behind = usize::from(dword) + N.max(8);
                if behind + N <= DWORDS {
                    let target = Target::Packed { dword: behind as u16 };
                    finish(thread, &Operation { target, ..*operation }, remainders, channels);
                }
            }
        }
        _ => {}
    }
}
