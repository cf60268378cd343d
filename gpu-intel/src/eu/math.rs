//! MATH: what the shared function unit computes, by the host's own functions. Real hardware is a few units in the last
//! place away from them (SKL PRM vol 7, "math").

use super::instruction::MathFunction;

/// A function of one float or two.
pub(super) fn float(function: MathFunction, alternative: bool) -> Option<fn(f32, f32) -> f32> {
    Some(match function {
        MathFunction::Inv | MathFunction::Invm => |a, _| 1.0 / a,
        // The alternative mode knows no NaN: the magnitude counts.
        MathFunction::Log if alternative => |a, _| a.abs().log2(),
        MathFunction::Log => |a, _| a.log2(),
        MathFunction::Exp => |a, _| a.exp2(),
        MathFunction::Sqrt if alternative => |a, _| a.abs().sqrt(),
        MathFunction::Sqrt => |a, _| a.sqrt(),
        MathFunction::Rsq | MathFunction::Rsqrtm if alternative => |a, _| reciprocal_root(a.abs()),
        MathFunction::Rsq | MathFunction::Rsqrtm => |a, _| reciprocal_root(a),
        MathFunction::Sin => |a, _| a.sin(),
        MathFunction::Cos => |a, _| a.cos(),
        MathFunction::Fdiv => |a, b| a / b,
        MathFunction::Pow => |a, b| a.abs().powf(b),
        MathFunction::IntDivMod | MathFunction::IntDiv | MathFunction::IntMod => return None,
    })
}

fn reciprocal_root(a: f32) -> f32 {
    (1.0 / f64::from(a).sqrt()) as f32
}

/// Quotient and remainder. By zero: all ones, or for signed numbers the largest with the dividend's sign; the
/// dividend remains.
pub(super) fn divide(a: u32, b: u32, signed: bool) -> (u32, u32) {
    if !signed {
        return match a.checked_div(b) {
            Some(quotient) => (quotient, a % b),
            None => (u32::MAX, a),
        };
    }
    let (a, b) = (a as i32, b as i32);
    if b == 0 {
        return (if a < 0 { i32::MIN } else { i32::MAX } as u32, a as u32);
    }
    (a.wrapping_div(b) as u32, a.wrapping_rem(b) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_have_an_answer_for_everything() {
        assert_eq!(divide(7, 2, false), (3, 1));
        assert_eq!(divide(7, 0, false), (u32::MAX, 7));
        assert_eq!(divide(-7i32 as u32, 2, true), (-3i32 as u32, -1i32 as u32));
        assert_eq!(divide(-7i32 as u32, 0, true), (i32::MIN as u32, -7i32 as u32));
        assert_eq!(divide(i32::MIN as u32, u32::MAX, true), (i32::MIN as u32, 0));
    }

    #[test]
    fn powers_take_the_magnitude() {
        let pow = float(MathFunction::Pow, false).unwrap();
        assert_eq!(pow(-2.0, 3.0), 8.0);
    }
}
