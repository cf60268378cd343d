//! Floating point as the execution unit has it: rounding in four directions, half floats, exact fused products.
//!
//! What a float operation gives before it is rounded is kept in a double with an odd last bit where it isn't exact
//! ("round to odd"): that a double has more than twice a float's bits and two makes the second rounding right in any
//! direction (Boldo, Melquiond: Emulation of a FMA and correctly rounded sums, 2008).

use super::thread::Rounding;

/// The float that the bits of a half float mean.
#[inline]
pub(super) fn from_half(bits: u32) -> f32 {
    let sign = (bits & 0x8000) << 16;
    let magnitude = bits & 0x7fff;
    if magnitude >= 0x7c00 {
        return f32::from_bits(sign | 0x7f80_0000 | (magnitude & 0x3ff) << 13);
    }
    // Its exponent moved to where a float's is, 2^112 too small; the product is exact, of denormals, too.
    let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    f32::from_bits(sign | scaled.to_bits())
}

/// The half float next to a double in this direction.
pub(super) fn to_half(value: f64, rounding: Rounding) -> u32 {
    let sign = u32::from(value.is_sign_negative()) << 15;
    if value.is_nan() {
        return sign | 0x7e00;
    }
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return sign | 0x7c00;
    }
    // Bits 62:52 are the exponent; half floats below 2^-14 are denormal.
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).clamp(-14, 16);
    let steps = magnitude * f64::powi(2.0, 10 - exponent);
    let rounded = match (rounding, sign != 0) {
        (Rounding::Nearest, _) => steps.round_ties_even(),
        (Rounding::Up, false) | (Rounding::Down, true) => steps.ceil(),
        _ => steps.floor(),
    };
    // The leading one of a normal number counts its exponent up.
    let bits = ((exponent + 14) as u32 * 1024).saturating_add(rounded as u32);
    let overflow = match (rounding, sign != 0) {
        (Rounding::Nearest, _) | (Rounding::Up, false) | (Rounding::Down, true) => 0x7c00,
        _ => 0x7bff,
    };
    sign | if bits >= 0x7c00 { overflow } else { bits }
}

/// The float next to a double in this direction.
pub(super) fn to_float(value: f64, rounding: Rounding) -> f32 {
    let nearest = value as f32;
    if rounding == Rounding::Nearest || f64::from(nearest) == value || value.is_nan() {
        return nearest;
    }
    let above = f64::from(nearest) > value;
    match rounding {
        Rounding::Up if !above => nearest.next_up(),
        Rounding::Down if above => nearest.next_down(),
        Rounding::Zero if above && value > 0.0 => nearest.next_down(),
        Rounding::Zero if !above && value < 0.0 => nearest.next_up(),
        _ => nearest,
    }
}

/// A double that isn't exact: `error` is what is missing, of which only the sign counts.
fn odd(value: f64, error: f64) -> f64 {
    if error == 0.0 || error.is_nan() || !value.is_finite() || value.to_bits() & 1 != 0 {
        return value;
    }
    if value == 0.0 {
        return error.signum() * f64::from_bits(1);
    }
    let away = (error > 0.0) == (value > 0.0);
    f64::from_bits(if away { value.to_bits() + 1 } else { value.to_bits() - 1 })
}

/// The double next to a sum or product of doubles in this direction, if it isn't exact.
fn directed(value: f64, error: f64, rounding: Rounding) -> f64 {
    if error == 0.0 || error.is_nan() || !value.is_finite() {
        return value;
    }
    match rounding {
        Rounding::Up if error > 0.0 => value.next_up(),
        Rounding::Down if error < 0.0 => value.next_down(),
        Rounding::Zero if error < 0.0 && value > 0.0 => value.next_down(),
        Rounding::Zero if error > 0.0 && value < 0.0 => value.next_up(),
        _ => value,
    }
}

/// What is missing in `sum`, of a and b (Knuth's TwoSum).
#[inline]
fn missing(a: f64, b: f64, sum: f64) -> f64 {
    let part = sum - a;
    (a - (sum - part)) + (b - part)
}

/// a + b, to be rounded to a float or less.
pub(super) fn sum(a: f64, b: f64) -> f64 {
    let sum = a + b;
    odd(sum, missing(a, b, sum))
}

/// a * b + c of floats, to be rounded to a float or less. The product is exact.
pub(super) fn fused(a: f64, b: f64, c: f64) -> f64 {
    sum(a * b, c)
}

/// a + b as a double.
pub(super) fn sum_f64(a: f64, b: f64, rounding: Rounding) -> f64 {
    let sum = a + b;
    directed(sum, missing(a, b, sum), rounding)
}

/// a * b as a double.
pub(super) fn product_f64(a: f64, b: f64, rounding: Rounding) -> f64 {
    let product = a * b;
    directed(product, a.mul_add(b, -product), rounding)
}

/// a * b + c as floats, rounded once and to the nearest.
///
/// Through doubles: the product is exact, the sum is rounded twice. That matters only where the first rounding meets
/// the middle between two floats, or a denormal; those few go the exact way.
#[inline(never)]
pub(super) fn fused_lanes<const N: usize>(a: &[u32; N], b: &[u32; N], c: &[u32; N]) -> [u32; N] {
    // All of what a float doesn't have of a double lies in its lower dword.
    const BELOW: u32 = (1 << 29) - 1;
    const MIDDLE: u32 = 1 << 28;
    let double = |bits: u32| f64::from(f32::from_bits(bits));
    let mut result = [0; N];
    let mut doubtful = 0;
    for i in 0..N {
        let sum = double(a[i]) * double(b[i]) + double(c[i]);
        let bits = (sum as f32).to_bits();
        let small = (bits & 0x7fff_ffff).wrapping_sub(1) < 0x0080_0000;
        doubtful |= u32::from(sum.to_bits() as u32 & BELOW == MIDDLE) | u32::from(small);
        result[i] = bits;
    }
    if doubtful != 0 {
        for i in 0..N {
            result[i] = (fused(double(a[i]), double(b[i]), double(c[i])) as f32).to_bits();
        }
    }
    result
}

/// s * a + (1 - s) * b of floats, computed as doubles and rounded once.
#[inline(never)]
pub(super) fn weighted_lanes<const N: usize>(s: &[u32; N], a: &[u32; N], b: &[u32; N]) -> [u32; N] {
    let double = |bits: u32| f64::from(f32::from_bits(bits));
    std::array::from_fn(|i| {
        let weight = double(s[i]);
        ((weight * double(a[i]) + (1.0 - weight) * double(b[i])) as f32).to_bits()
    })
}

/// The next whole number, of two the even one. Unlike the library's functions for this, which call code that needs a
/// newer processor, those here do many lanes at a time.
#[inline]
pub(super) fn round(value: f32) -> f32 {
    // From here on all floats are whole numbers; what is added to it loses its fraction.
    const WHOLE: f32 = (1 << 23) as f32;
    let magnitude = value.abs();
    let rounded = (magnitude + WHOLE) - WHOLE;
    // NaN stays, too.
    if magnitude < WHOLE { rounded.copysign(value) } else { value }
}

#[inline]
pub(super) fn floor(value: f32) -> f32 {
    let rounded = round(value);
    (if rounded > value { rounded - 1.0 } else { rounded }).copysign(value)
}

#[inline]
pub(super) fn ceil(value: f32) -> f32 {
    -floor(-value)
}

#[inline]
pub(super) fn truncate(value: f32) -> f32 {
    floor(value.abs()).copysign(value)
}

/// A denormal becomes zero, with its sign.
#[inline]
pub(super) fn flush(bits: u32) -> u32 {
    if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits }
}

/// Between 0 and 1; NaN is 0.
#[inline]
pub(super) fn clamp(value: f32) -> f32 {
    // The library's keeps NaN.
    match value {
        value if value >= 1.0 => 1.0,
        value if value > 0.0 => value,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_half_float_leads_back() {
        for bits in 0..=0xffff {
            let value = from_half(bits);
            if value.is_nan() {
                assert_eq!(to_half(value.into(), Rounding::Nearest) & 0x7e00, 0x7e00);
                continue;
            }
            for rounding in [Rounding::Nearest, Rounding::Up, Rounding::Down, Rounding::Zero] {
                assert_eq!(to_half(value.into(), rounding), bits, "{value} {rounding:?}");
            }
        }
    }

    #[test]
    fn half_floats_are_rounded() {
        use Rounding::{Down, Nearest, Up, Zero};
        for (value, rounding, bits) in [
            (65519.0, Nearest, 0x7bff),
            (65520.0, Nearest, 0x7c00),
            (65520.0, Zero, 0x7bff),
            (1e9, Up, 0x7c00),
            (-1e9, Up, 0xfbff),
            (-1e9, Down, 0xfc00),
            (1.0 + 1.0 / 2048.0, Nearest, 0x3c00),
            (1.0 + 3.0 / 2048.0, Nearest, 0x3c02),
            (1.0 + 1.0 / 2048.0, Up, 0x3c01),
            (1e-9, Nearest, 0),
            (1e-9, Up, 1),
            (-1e-9, Down, 0x8001),
        ] {
            assert_eq!(to_half(value, rounding), bits, "{value} {rounding:?}");
        }
    }

    #[test]
    fn a_product_is_fused_where_two_roundings_would_differ() {
        // 1 + 2^-24 + 2^-60 lies just above the middle; in two steps it would be rounded down to 1.
        let small = f32::from_bits((127 - 30) << 23);
        let above = 1.0 + f32::EPSILON;
        assert_eq!(fused_one(small, small, above), small.mul_add(small, above));
        let a = f32::from_bits(0x3f80_0001);
        let c = f32::from_bits(0x3300_0000);
        assert_eq!(fused_one(a, a, c), a.mul_add(a, c));
    }

    fn fused_one(a: f32, b: f32, c: f32) -> f32 {
        let [a, b, c] = [a, b, c].map(|value| [value.to_bits(); 8]);
        f32::from_bits(fused_lanes(&a, &b, &c)[5])
    }

    fn same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn whole_numbers_are_found_as_the_library_finds_them() {
        let values = (0..=u32::MAX).step_by(9973).map(f32::from_bits);
        let close = (-80..80).map(|n| n as f32 / 8.0);
        for value in values.chain(close).chain([-0.0, f32::INFINITY, 8388607.5, 8388608.0]) {
            assert!(same(round(value), value.round_ties_even()), "{value}");
            assert!(same(floor(value), value.floor()), "{value}");
            assert!(same(ceil(value), value.ceil()), "{value}");
            assert!(same(truncate(value), value.trunc()), "{value}");
        }
    }

    proptest! {
        #[test]
        fn fused_is_as_the_processor_has_it(a: u32, b: u32, c: u32) {
            let (a, b, c) = (f32::from_bits(a), f32::from_bits(b), f32::from_bits(c));
            let result = fused_one(a, b, c);
            prop_assert!(same(result, a.mul_add(b, c)), "{a} {b} {c} {result}");
        }

        #[test]
        fn fused_is_exact_for_close_numbers(a in 0u32..1 << 24, b in 0u32..1 << 24, c in 0u32..1 << 24, shift in 0u32..60) {
            let scale = f32::from_bits((127 - shift) << 23);
            let (a, b, c) = (a as f32, b as f32, c as f32 * scale);
            let result = fused_one(a, b, -c);
            prop_assert!(same(result, a.mul_add(b, -c)), "{a} {b} {c} {result}");
        }

        #[test]
        fn sums_are_rounded_in_their_direction(a: u32, b: u32) {
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            let exact = sum(a.into(), b.into());
            prop_assert!(same(to_float(exact, Rounding::Nearest), a + b));
            let (down, up) = (to_float(exact, Rounding::Down), to_float(exact, Rounding::Up));
            if !exact.is_nan() {
                prop_assert!(f64::from(down) <= exact && exact <= f64::from(up));
                prop_assert!(down == up || down.next_up() == up);
            }
        }
    }
}
