//! Atomic operations: what becomes of a word.

use crate::command::streamer::Fault;

/// What to do with integers. Numbers are those of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    And,
    Or,
    Xor,
    Exchange,
    Increment,
    Decrement,
    Add,
    Subtract,
    /// The source less what was there.
    ReverseSubtract,
    SignedMax,
    SignedMin,
    Max,
    Min,
    CompareExchange,
    /// A decrement that answers the new value.
    PreDecrement,
}

/// What to do with floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    Max,
    Min,
    CompareExchange,
}

/// An atomic operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atomic {
    Integer(Integer),
    Float(Float),
}

const INTEGERS: [Option<Integer>; 16] = {
    use Integer::*;
    [
        None,
        Some(And),
        Some(Or),
        Some(Xor),
        Some(Exchange),
        Some(Increment),
        Some(Decrement),
        Some(Add),
        Some(Subtract),
        Some(ReverseSubtract),
        Some(SignedMax),
        Some(SignedMin),
        Some(Max),
        Some(Min),
        Some(CompareExchange),
        Some(PreDecrement),
    ]
};

const FLOATS: [Option<Float>; 4] =
    [None, Some(Float::Max), Some(Float::Min), Some(Float::CompareExchange)];

impl Atomic {
    pub(super) fn integer(code: u32) -> Result<Self, Fault> {
        INTEGERS[code as usize & 15].map(Self::Integer).ok_or_else(|| unknown(code))
    }

    pub(super) fn float(code: u32) -> Result<Self, Fault> {
        FLOATS[code as usize & 3].map(Self::Float).ok_or_else(|| unknown(code))
    }

    /// How many sources it has.
    pub(super) fn sources(self) -> usize {
        match self {
            Self::Integer(Integer::Increment | Integer::Decrement | Integer::PreDecrement) => 0,
            Self::Integer(Integer::CompareExchange) | Self::Float(Float::CompareExchange) => 2,
            _ => 1,
        }
    }

    /// What becomes of `old`: a word of 4 bytes, or 8 if `wide`.
    pub(super) fn apply(self, wide: bool, old: u64, [first, second]: [u64; 2]) -> u64 {
        let signed = |word: u64| {
            if wide { word.cast_signed() } else { i64::from((word as u32).cast_signed()) }
        };
        let float = |word: u64| {
            if wide { f64::from_bits(word) } else { f64::from(f32::from_bits(word as u32)) }
        };
        let new = match self {
            Self::Integer(operation) => match operation {
                Integer::And => old & first,
                Integer::Or => old | first,
                Integer::Xor => old ^ first,
                Integer::Exchange => first,
                Integer::Increment => old.wrapping_add(1),
                Integer::Decrement | Integer::PreDecrement => old.wrapping_sub(1),
                Integer::Add => old.wrapping_add(first),
                Integer::Subtract => old.wrapping_sub(first),
                Integer::ReverseSubtract => first.wrapping_sub(old),
                Integer::SignedMax if signed(first) > signed(old) => first,
                Integer::SignedMin if signed(first) < signed(old) => first,
                Integer::SignedMax | Integer::SignedMin => old,
                Integer::Max => old.max(first),
                Integer::Min => old.min(first),
                Integer::CompareExchange => {
                    if old == first {
                        second
                    } else {
                        old
                    }
                }
            },
            Self::Float(operation) => match operation {
                Float::Max if float(first) > float(old) || float(old).is_nan() => first,
                Float::Min if float(first) < float(old) || float(old).is_nan() => first,
                Float::Max | Float::Min => old,
                Float::CompareExchange => {
                    if float(old) == float(first) {
                        second
                    } else {
                        old
                    }
                }
            },
        };
        if wide { new } else { u64::from(new as u32) }
    }

    /// What it answers, of the old value.
    pub(super) fn answer(self, wide: bool, old: u64) -> u64 {
        if self != Self::Integer(Integer::PreDecrement) {
            return old;
        }
        self.apply(wide, old, [0; 2])
    }
}

fn unknown(code: u32) -> Fault {
    Fault::new("message/atomic", format!("no atomic operation {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_does_what_its_name_says() {
        let minus = |number: u32| u64::from(number.wrapping_neg());
        for (code, old, sources, new) in [
            (1, 6, [3, 0], 2),
            (2, 6, [3, 0], 7),
            (3, 6, [3, 0], 5),
            (4, 6, [3, 0], 3),
            (5, u64::from(u32::MAX), [0, 0], 0),
            (6, 0, [0, 0], minus(1)),
            (7, 6, [3, 0], 9),
            (8, 6, [7, 0], minus(1)),
            (9, 6, [7, 0], 1),
            (10, minus(1), [3, 0], 3),
            (11, minus(1), [3, 0], minus(1)),
            (12, minus(1), [3, 0], minus(1)),
            (13, minus(1), [3, 0], 3),
            (14, 6, [6, 3], 3),
            (14, 6, [7, 3], 6),
            (15, 6, [0, 0], 5),
        ] {
            let atomic = Atomic::integer(code).unwrap();
            assert_eq!(atomic.apply(false, old, sources), new, "{atomic:?}");
            assert_eq!(atomic.answer(false, old), if code == 15 { new } else { old });
        }
        let bits = |number: f32| u64::from(number.to_bits());
        for (code, old, sources, new) in
            [(1, 1.0, [2.0, 0.0], 2.0), (2, 1.0, [2.0, 0.0], 1.0), (3, 0.0, [-0.0, 5.0], 5.0)]
        {
            let atomic = Atomic::float(code).unwrap();
            assert_eq!(atomic.apply(false, bits(old), sources.map(bits)), bits(new));
        }
        assert!(Atomic::integer(0).is_err() && Atomic::float(4).is_err());
    }
}
