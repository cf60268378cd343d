//! The general way: one channel after the other, integers with as many bits as they need, floats as doubles. For 64-bit
//! types, the accumulator's products, clamped integers, numbers with and without sign together, and rounding modes.

use super::float::{self, from_half, to_float, to_half};
use super::instruction::{Architecture, Condition, DataType};
use super::lanes::{bits, channels, enabled, flushes, predicate, set_bits, set_flags};
use super::opcode::Opcode;
use super::operation::{Class, Kernel, Operand, Operation, Target};
use super::thread::{Control, Rounding, Thread};

/// Whether an operation can be executed so.
///
/// # Errors
/// What can't be.
pub(super) fn kernel(operation: &Operation) -> Result<Kernel, &'static str> {
    use Opcode as O;
    let float = operation.class == Class::Float;
    let supported = match operation.opcode {
        O::Mov | O::Sel | O::Add | O::Mul | O::Mad | O::Mac => true,
        O::Cmp | O::Cmpn | O::Csel => operation.condition.is_some(),
        O::Not | O::And | O::Or | O::Xor | O::Shl | O::Shr | O::Asr => !float,
        O::Avg | O::Mach | O::Addc | O::Subb => !float,
        O::Lrp | O::Frc | O::Rndu | O::Rndd | O::Rnde | O::Rndz => float,
        O::Dp4 | O::Dph | O::Dp3 | O::Dp2 => float,
        _ => false,
    };
    if supported { Ok(execute) } else { Err(operation.opcode.name()) }
}

/// A value that any type's values are.
#[derive(Clone, Copy, Debug)]
enum Value {
    Integer(i128),
    /// Floats and half floats: rounded to odd.
    Float(f64),
}

impl Value {
    fn integer(self) -> i128 {
        match self {
            Self::Integer(value) => value,
            Self::Float(value) => value as i128,
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Executes an operation.
pub(super) fn execute(thread: &mut Thread, operation: &Operation) {
    let count = 32 - operation.lanes.leading_zeros() as usize;
    let sel = operation.opcode == Opcode::Sel;
    let taking = if sel { enabled(thread, operation) } else { channels(thread, operation) };
    let chosen = predicate(thread, operation);
    let (mut results, mut accumulators) = ([0; 32], [0; 32]);
    let (mut holds, mut compared) = (0, false);
    for i in 0..count {
        let [a, b, c] = [0, 1, 2].map(|n| value(thread, &operation.sources[n], i));
        let flag = chosen >> i & 1 != 0;
        let mut accumulator = thread.accumulator[i];
        let lane = Lane { thread, operation, i };
        let result = match operation.opcode {
            Opcode::Cmp | Opcode::Cmpn => {
                compared = true;
                let holding = lane.comparison(a, b);
                holds |= u32::from(holding) << i;
                if holding { u64::MAX } else { 0 }
            }
            _ => {
                let result = lane.compute([a, b, c], flag, &mut accumulator);
                let (bits, overflow) = lane.result(result);
                if let Some(condition) = operation.condition
                    && !matches!(operation.opcode, Opcode::Sel | Opcode::Csel)
                {
                    compared = true;
                    let holding = match condition {
                        Condition::Overflow => overflow,
                        condition => lane.compare_zero(condition, bits),
                    };
                    holds |= u32::from(holding) << i;
                }
                bits
            }
        };
        results[i] = result;
        accumulators[i] = accumulator;
    }
    if compared {
        set_flags(thread, operation, holds, taking);
    }
    let to_accumulator = matches!(
        operation.target,
        Target::Architecture { register: Architecture::Accumulator(_), .. }
    );
    for i in 0..count {
        if taking >> i & 1 == 0 {
            continue;
        }
        // The accumulator has more bits than the type of what is written to it.
        if operation.accumulates || to_accumulator {
            thread.accumulator[i] = accumulators[i];
        }
        if !to_accumulator {
            set_bits(thread, operation, i as u32, results[i]);
        }
    }
}

/// A source's value for channel `i`, modified as it says.
fn value(thread: &Thread, operand: &Operand, i: usize) -> Value {
    let value = element(thread, operand.data_type, bits(thread, operand, i), operand.adjust.flush);
    let adjust = operand.adjust;
    match value {
        Value::Float(mut value) => {
            if adjust.absolute {
                value = value.abs();
            }
            Value::Float(if adjust.negate { -value } else { value })
        }
        Value::Integer(mut value) => {
            if adjust.invert {
                value = !value;
            }
            if adjust.absolute {
                value = value.abs();
            }
            Value::Integer(if adjust.negate { -value } else { value })
        }
    }
}

fn element(thread: &Thread, data_type: DataType, bits: u64, flush: bool) -> Value {
    let control = thread.control[0];
    match data_type {
        DataType::F if flush && flushes(thread) => {
            Value::Float(f32::from_bits(float::flush(bits as u32)).into())
        }
        DataType::F => Value::Float(f32::from_bits(bits as u32).into()),
        DataType::Hf => {
            let denormal = bits & 0x7c00 == 0 && control & Control::KEEP_F16_DENORMALS == 0;
            let kept = if flush && denormal { bits & 0x8000 } else { bits };
            Value::Float(from_half(kept as u32).into())
        }
        DataType::Df => {
            let value = f64::from_bits(bits);
            let denormal = value.is_subnormal() && control & Control::KEEP_F64_DENORMALS == 0;
            Value::Float(if flush && denormal { 0.0f64.copysign(value) } else { value })
        }
        _ => Value::Integer(integer(data_type, bits)),
    }
}

fn integer(data_type: DataType, bits: u64) -> i128 {
    match data_type {
        DataType::Ud => (bits as u32).into(),
        DataType::D => (bits as i32).into(),
        DataType::Uw => (bits as u16).into(),
        DataType::W => (bits as i16).into(),
        DataType::Ub => (bits as u8).into(),
        DataType::B => (bits as i8).into(),
        DataType::Q => (bits as i64).into(),
        _ => bits.into(),
    }
}

/// An operation at one of its channels.
struct Lane<'a> {
    thread: &'a Thread,
    operation: &'a Operation,
    i: usize,
}

impl Lane<'_> {
    fn rounding(&self) -> Rounding {
        self.thread.control().rounding()
    }

    /// Whether it computes with doubles, which are rounded as what they are.
    fn is_double(&self) -> bool {
        let sources = &self.operation.sources[..self.operation.opcode.sources()];
        sources.iter().any(|source| source.data_type == DataType::Df)
    }

    fn sum(&self, a: f64, b: f64) -> f64 {
        if self.is_double() { float::sum_f64(a, b, self.rounding()) } else { float::sum(a, b) }
    }

    fn product(&self, a: f64, b: f64) -> f64 {
        if self.is_double() { float::product_f64(a, b, self.rounding()) } else { a * b }
    }

    /// a * b + c. Of doubles to the nearest only.
    fn fused(&self, a: f64, b: f64, c: f64) -> f64 {
        if self.is_double() { a.mul_add(b, c) } else { float::fused(a, b, c) }
    }

    fn compute(&self, [a, b, c]: [Value; 3], flag: bool, accumulator: &mut u64) -> Value {
        use Opcode as O;
        let held = *accumulator;
        if self.operation.class == Class::Float {
            let result = self.floats([a, b, c].map(Value::float), flag, held);
            *accumulator = self.result(Value::Float(result)).0;
            return Value::Float(result);
        }
        let [x, y, z] = [a, b, c].map(Value::integer);
        let bits = 8 * self.operation.sources[0].data_type.size().max(4) as u32;
        let shift = (y & i128::from(bits - 1)) as u32;
        let whole = |value: i128| value & (i128::from(u64::MAX) >> (64 - bits));
        let acc = match self.operation.class {
            Class::Signed => i128::from(held as i64),
            _ => i128::from(held),
        };
        let result = match self.operation.opcode {
            O::Sel => match self.operation.condition {
                None if flag => x,
                None => y,
                Some(_) if self.comparison(a, b) => x,
                Some(_) => y,
            },
            O::Csel if self.comparison(c, Value::Integer(0)) => x,
            O::Csel => y,
            O::Not => !x,
            O::And => x & y,
            O::Or => x | y,
            O::Xor => x ^ y,
            O::Shl => x << shift,
            O::Shr => whole(x) >> shift,
            O::Asr => x >> shift,
            O::Add => x + y,
            O::Mul => x.wrapping_mul(y),
            O::Avg => (x + y + 1) >> 1,
            O::Mad => y.wrapping_mul(z).wrapping_add(x),
            O::Mac => x.wrapping_mul(y).wrapping_add(acc),
            O::Mach => {
                // With the MUL before it, which took the low half of b: the whole product.
                let value = acc.wrapping_add(x.wrapping_mul(y >> 16) << 16);
                *accumulator = value as u32 as u64;
                return Value::Integer(value as u64 as i64 as i128 >> 32);
            }
            O::Addc => {
                *accumulator = u64::from(x + y > i128::from(u32::MAX));
                return Value::Integer(x + y);
            }
            O::Subb => {
                *accumulator = u64::from(x < y);
                return Value::Integer(x - y);
            }
            _ => x,
        };
        *accumulator = result as u64;
        Value::Integer(result)
    }

    fn floats(&self, [x, y, z]: [f64; 3], flag: bool, held: u64) -> f64 {
        use Opcode as O;
        match self.operation.opcode {
            O::Sel => match self.operation.condition {
                None if flag => x,
                None => y,
                Some(_) if x.is_nan() => y,
                Some(_) if y.is_nan() => x,
                Some(_) if self.comparison(Value::Float(x), Value::Float(y)) => x,
                Some(_) => y,
            },
            O::Csel if self.comparison(Value::Float(z), Value::Float(0.0)) => x,
            O::Csel => y,
            O::Add => self.sum(x, y),
            O::Mul => self.product(x, y),
            O::Mad => self.fused(y, z, x),
            O::Mac => {
                let held = match self.is_double() {
                    true => f64::from_bits(held),
                    false => f32::from_bits(held as u32).into(),
                };
                self.fused(x, y, held)
            }
            O::Lrp => self.fused(x, y, self.product(1.0 - x, z)),
            O::Frc => x - x.floor(),
            O::Rndu => x.ceil(),
            O::Rndd => x.floor(),
            O::Rnde => x.round_ties_even(),
            O::Rndz => x.trunc(),
            O::Dp4 => self.dot(4, false),
            O::Dph => self.dot(3, true),
            O::Dp3 => self.dot(3, false),
            O::Dp2 => self.dot(2, false),
            _ => x,
        }
    }

    /// The product of the channel's group of four, of so many of its elements; with the fourth of the second for DPH.
    fn dot(&self, count: usize, homogeneous: bool) -> f64 {
        let group = self.i & !3;
        let at = |n: usize, i: usize| value(self.thread, &self.operation.sources[n], i).float();
        let last = if homogeneous { at(1, group + 3) } else { 0.0 };
        (group..group + count).fold(last, |sum, i| self.fused(at(0, i), at(1, i), sum))
    }

    /// Whether the operation's condition holds between two values.
    fn comparison(&self, a: Value, b: Value) -> bool {
        let Some(condition) = self.operation.condition else { return false };
        if let (Value::Integer(a), Value::Integer(b)) = (a, b) {
            return match condition {
                Condition::Equal => a == b,
                Condition::NotEqual => a != b,
                Condition::Greater => a > b,
                Condition::GreaterEqual => a >= b,
                Condition::Less => a < b,
                Condition::LessEqual => a <= b,
                Condition::Overflow | Condition::Unordered => false,
            };
        }
        let (a, b) = (a.float(), b.float());
        match condition {
            Condition::Equal => a == b,
            Condition::NotEqual => a != b,
            Condition::Greater => a > b,
            Condition::GreaterEqual => a >= b,
            Condition::Less => a < b,
            Condition::LessEqual => a <= b,
            Condition::Overflow => a.is_infinite(),
            Condition::Unordered => a.is_nan() || b.is_nan(),
        }
        .max(self.operation.opcode == Opcode::Cmpn && b.is_nan())
    }

    fn compare_zero(&self, condition: Condition, bits: u64) -> bool {
        let operation =
            Operation { condition: Some(condition), opcode: Opcode::Mov, ..*self.operation };
        let lane = Lane { operation: &operation, ..*self };
        let value = element(self.thread, self.operation.to, bits, false);
        let zero = match value {
            Value::Integer(_) => Value::Integer(0),
            Value::Float(_) => Value::Float(0.0),
        };
        lane.comparison(value, zero)
    }

    /// A result as the destination's type has it, and whether it doesn't fit.
    fn result(&self, value: Value) -> (u64, bool) {
        let (to, rounding, saturate) =
            (self.operation.to, self.rounding(), self.operation.saturate);
        let control = self.thread.control[0];
        if to.is_float() {
            let value = value.float();
            let value = match saturate {
                true if value >= 1.0 => 1.0,
                true if value <= 0.0 || value.is_nan() => 0.0,
                _ => value,
            };
            let flush = self.operation.flush;
            return match to {
                DataType::F => {
                    let bits = to_float(value, rounding).to_bits();
                    let bits =
                        if flush && flushes(self.thread) { float::flush(bits) } else { bits };
                    (bits.into(), f32::from_bits(bits).is_infinite())
                }
                DataType::Hf => {
                    let bits = to_half(value, rounding);
                    let keep = control & Control::KEEP_F16_DENORMALS != 0 || !flush;
                    let bits = if !keep && bits & 0x7c00 == 0 { bits & 0x8000 } else { bits };
                    (bits.into(), bits & 0x7fff == 0x7c00)
                }
                _ => {
                    let keep = control & Control::KEEP_F64_DENORMALS != 0 || !flush;
                    let value =
                        if !keep && value.is_subnormal() { 0.0f64.copysign(value) } else { value };
                    (value.to_bits(), value.is_infinite())
                }
            };
        }
        let bits = 8 * to.size() as u32;
        let (low, high) = match to.is_signed() {
            true => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            false => (0, (1i128 << bits) - 1),
        };
        // Floats are clamped in any case.
        let clamped = saturate || matches!(value, Value::Float(_));
        let value = value.integer();
        let overflow = value < low || value > high;
        let value = if clamped { value.clamp(low, high) } else { value };
        (value as u64, overflow)
    }
}
