//! One coordinate: which texels it lies between.

use crate::surface::state::Wrap;

/// What `floor` is, where the processor has no instruction for it. Ends at an `i32`'s; no number is 0.
#[inline]
pub(super) fn floor(number: f32) -> i32 {
    let toward_zero = number as i32;
    toward_zero.wrapping_sub(i32::from(toward_zero as f32 > number))
}

/// Beyond it, texels are no longer told apart.
const FARTHEST: f32 = (1 << 22) as f32;

/// Two texels beside each other, and how much the second counts: 0 where only the first does. `None` is the border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) texels: [Option<u32>; 2],
    pub(super) second: f32,
}

impl Pair {
    /// What an axis that a surface doesn't have has.
    pub(super) const NONE: Self = Self { texels: [Some(0); 2], second: 0.0 };
}

/// Texels by number, before they are wrapped, and the weight of the second in 256ths.
#[inline]
pub(super) fn between(scaled: f32, linear: bool) -> (i32, i32) {
    let scaled = scaled.clamp(-FARTHEST, FARTHEST);
    if linear {
        let fixed = floor(scaled * 256.0 - 127.5);
        (fixed >> 8, fixed & 0xff)
    } else {
        (floor(scaled), 0)
    }
}

/// A texel's number on an axis of `size`.
#[inline]
pub(super) fn wrapped(texel: i32, size: u32, wrap: Wrap) -> Option<u32> {
    if texel.cast_unsigned() < size {
        return Some(texel.cast_unsigned());
    }
    // No surface is that large.
    let size = size.clamp(1, 1 << 30).cast_signed();
    let texel = match wrap {
        Wrap::Repeat => texel.rem_euclid(size),
        Wrap::Mirror => {
            let twice = texel.rem_euclid(2 * size);
            twice.min(2 * size - 1 - twice)
        }
        Wrap::MirrorOnce => texel.max(-1 - texel).min(size - 1),
        Wrap::Border | Wrap::HalfBorder => return None,
        Wrap::Clamp | Wrap::Cube => texel.clamp(0, size - 1),
    };
    Some(texel.cast_unsigned())
}

/// Where a coordinate lies on an axis of `size`.
#[inline]
pub(super) fn pair(
    coordinate: f32,
    size: u32,
    wrap: Wrap,
    normalized: bool,
    linear: bool,
    offset: i32,
) -> Pair {
    let length = size as f32;
    let mut scaled = if normalized { coordinate * length } else { coordinate };
    if wrap == Wrap::HalfBorder {
        scaled = scaled.clamp(0.0, length);
    }
    let (texel, second) = between(scaled, linear);
    let texel = texel.wrapping_add(offset);
    let first = wrapped(texel, size, wrap);
    if second == 0 {
        return Pair { texels: [first; 2], second: 0.0 };
    }
    let texels = [first, wrapped(texel.wrapping_add(1), size, wrap)];
    Pair { texels, second: second as f32 / 256.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_floors() {
        for (number, expected) in
            [(0.0, 0), (1.5, 1), (-0.25, -1), (-1.0, -1), (-1.5, -2), (f32::NAN, 0)]
        {
            assert_eq!(floor(number), expected);
        }
        floor(f32::NEG_INFINITY);
        floor(f32::INFINITY);
    }

    #[test]
    fn each_wrap_has_its_neighbours() {
        let all = |wrap| [-9, -5, -4, -1, 0, 3, 4, 7, 8].map(|texel| wrapped(texel, 4, wrap));
        let some = |texels: [u32; 9]| texels.map(Some);
        assert_eq!(all(Wrap::Repeat), some([3, 3, 0, 3, 0, 3, 0, 3, 0]));
        assert_eq!(all(Wrap::Mirror), some([0, 3, 3, 0, 0, 3, 3, 0, 0]));
        assert_eq!(all(Wrap::Clamp), some([0, 0, 0, 0, 0, 3, 3, 3, 3]));
        assert_eq!(all(Wrap::MirrorOnce), some([3, 3, 3, 0, 0, 3, 3, 3, 3]));
        let border = [None, None, None, None, Some(0), Some(3), None, None, None];
        assert_eq!(all(Wrap::Border), border);
    }

    #[test]
    fn linear_lies_between_centres() {
        let at = |coordinate| pair(coordinate, 4, Wrap::Repeat, true, true, 0);
        assert_eq!(at(0.125), Pair { texels: [Some(0); 2], second: 0.0 });
        assert_eq!(at(0.25), Pair { texels: [Some(0), Some(1)], second: 0.5 });
        assert_eq!(at(0.0), Pair { texels: [Some(3), Some(0)], second: 0.5 });
        let border = pair(0.0, 4, Wrap::HalfBorder, true, true, 0);
        assert_eq!(border, Pair { texels: [None, Some(0)], second: 0.5 });
        assert_eq!(pair(-7.0, 4, Wrap::HalfBorder, true, true, 0), border);
        assert_eq!(pair(2.75, 4, Wrap::Clamp, false, false, 1).texels, [Some(3); 2]);
    }
}
