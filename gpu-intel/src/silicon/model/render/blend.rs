//! The output merger's colours: alpha test, blending, logic operations, write masks.
//!
//! Sources: SKL PRM vol 7, "Color calculator"; vol 2d, BLEND_STATE, COLOR_CALC_STATE.

use super::state::Words;

/// Factors of blending (3D_Color_Buffer_Blend_Factor). Inverses are 16 above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Factor {
    One,
    SourceColor,
    SourceAlpha,
    DestinationAlpha,
    DestinationColor,
    SourceAlphaSaturate,
    ConstantColor,
    ConstantAlpha,
    Source1Color,
    Source1Alpha,
}

/// A factor, or one less it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Weight {
    factor: Factor,
    inverse: bool,
}

impl Weight {
    fn new(code: u32) -> Self {
        let factor = match code & 15 {
            2 => Factor::SourceColor,
            3 => Factor::SourceAlpha,
            4 => Factor::DestinationAlpha,
            5 => Factor::DestinationColor,
            6 => Factor::SourceAlphaSaturate,
            7 => Factor::ConstantColor,
            8 => Factor::ConstantAlpha,
            9 => Factor::Source1Color,
            10 => Factor::Source1Alpha,
            _ => Factor::One,
        };
        Self { factor, inverse: code & 16 != 0 }
    }

    /// Its value for component `i`.
    fn value(self, i: usize, colors: &Colors) -> f32 {
        let value = match self.factor {
            Factor::One => 1.0,
            Factor::SourceColor => colors.source[i],
            Factor::SourceAlpha => colors.source[3],
            Factor::DestinationAlpha => colors.destination[3],
            Factor::DestinationColor => colors.destination[i],
            Factor::SourceAlphaSaturate if i == 3 => 1.0,
            Factor::SourceAlphaSaturate => colors.source[3].min(1.0 - colors.destination[3]),
            Factor::ConstantColor => colors.constant[i],
            Factor::ConstantAlpha => colors.constant[3],
            Factor::Source1Color => colors.source1[i],
            Factor::Source1Alpha => colors.source1[3],
        };
        if self.inverse { 1.0 - value } else { value }
    }
}

/// What a blend works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colors {
    pub(super) source: [f32; 4],
    /// The second colour of a shader with two.
    pub(super) source1: [f32; 4],
    pub(super) destination: [f32; 4],
    pub(super) constant: [f32; 4],
}

#[derive(Clone, Copy, Debug)]
struct Equation {
    function: u32,
    source: Weight,
    destination: Weight,
}

impl Equation {
    fn apply(self, i: usize, colors: &Colors) -> f32 {
        let (source, destination) = (colors.source[i], colors.destination[i]);
        let weighted = || {
            (source * self.source.value(i, colors), destination * self.destination.value(i, colors))
        };
        match self.function {
            1 => {
                let (s, d) = weighted();
                s - d
            }
            2 => {
                let (s, d) = weighted();
                d - s
            }
            3 => source.min(destination),
            4 => source.max(destination),
            _ => {
                let (s, d) = weighted();
                s + d
            }
        }
    }
}

/// How one render target is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blend {
    /// Colours are blended.
    pub(super) enabled: bool,
    color: Equation,
    alpha: Equation,
    /// Components that are written: a bit each, red first.
    pub(super) write_mask: u8,
    /// Bits are combined instead of colours blended.
    pub(super) logic: Option<u8>,
    clamp_before: bool,
    clamp_after: bool,
    signed_range: bool,
    format_range: bool,
}

/// BLEND_STATE: what all render targets share, and each one's own.
#[derive(Clone, Debug)]
pub(super) struct BlendState {
    pub(super) alpha_to_coverage: bool,
    pub(super) alpha_to_one: bool,
    /// The comparison of the alpha test.
    pub(super) alpha_test: Option<u32>,
    pub(super) targets: [Blend; 8],
}

/// Dwords of BLEND_STATE.
pub(super) const BLEND_STATE_DWORDS: usize = 17;

impl BlendState {
    pub(super) fn new(words: Words<'_>) -> Self {
        let independent = words.flag(0, 30);
        Self {
            alpha_to_coverage: words.flag(0, 31),
            alpha_to_one: words.flag(0, 29),
            alpha_test: words.flag(0, 27).then(|| words.bits(0, 24..=26)),
            targets: std::array::from_fn(|i| Blend::new(words.from(1 + 2 * i), independent)),
        }
    }
}

impl Blend {
    /// Whether what comes takes the place of what was there.
    pub(super) fn is_plain(&self, is_integer: bool) -> bool {
        let blends = self.enabled && !is_integer && self.logic.is_none();
        !blends && self.logic.is_none() && self.write_mask == 0xf
    }

    fn new(words: Words<'_>, independent: bool) -> Self {
        let weight = |bits| Weight::new(words.bits(0, bits));
        let color = Equation {
            function: words.bits(0, 18..=20),
            source: weight(26..=30),
            destination: weight(21..=25),
        };
        let alpha = Equation {
            function: words.bits(0, 5..=7),
            source: weight(13..=17),
            destination: weight(8..=12),
        };
        // The dword disables alpha, red, green, blue in bits 3 to 0.
        let disabled = words.bits(0, 0..=3);
        let write = |bit: u32, to: u8| if disabled >> bit & 1 == 0 { 1 << to } else { 0 };
        let range = words.bits(1, 2..=3);
        Self {
            enabled: words.flag(0, 31),
            color,
            alpha: if independent { alpha } else { color },
            write_mask: write(2, 0) | write(1, 1) | write(0, 2) | write(3, 3),
            logic: words.flag(1, 31).then(|| words.bits(1, 27..=30) as u8),
            clamp_before: words.flag(1, 1),
            clamp_after: words.flag(1, 0),
            signed_range: range == 1,
            format_range: range == 2,
        }
    }

    /// The blended colour. `unorm`, `snorm`: the range of the target's format, if it has one.
    pub(super) fn blend(&self, mut colors: Colors, unorm: bool, snorm: bool) -> [f32; 4] {
        let range = match (self.format_range, unorm, snorm) {
            (true, true, _) => Some(0.0),
            (true, _, true) => Some(-1.0),
            (true, ..) => None,
            (false, ..) => Some(if self.signed_range { -1.0 } else { 0.0 }),
        };
        let clamp = |colors: &mut [f32; 4]| {
            if let Some(least) = range {
                *colors = colors.map(|c| c.clamp(least, 1.0));
            }
        };
        if self.clamp_before {
            clamp(&mut colors.source);
            clamp(&mut colors.source1);
            clamp(&mut colors.constant);
        }
        let mut result = [0, 1, 2, 3].map(|i| {
            let equation = if i == 3 { self.alpha } else { self.color };
            equation.apply(i, &colors)
        });
        if self.clamp_after {
            clamp(&mut result);
        }
        result
    }
}

/// A logic operation on bits (3D_Logic_Op_Function): bit n of `operation` reads a pair of source and destination bits.
pub(super) fn logic(operation: u8, source: u32, destination: u32) -> u32 {
    let (s, d) = (source, destination);
    let term = |bit: u8, value: u32| if operation >> bit & 1 != 0 { value } else { 0 };
    term(0, !s & !d) | term(1, !s & d) | term(2, s & !d) | term(3, s & d)
}

/// Comparisons (3D_Compare_Function): whether `a` compares so to `b`.
pub(super) fn compares<T: PartialOrd + Copy>(function: u32, a: T, b: T) -> bool {
    match function {
        0 => true,
        1 => false,
        2 => a < b,
        3 => a == b,
        4 => a <= b,
        5 => a > b,
        6 => a != b,
        _ => a >= b,
    }
}

/// Which of `count` samples a pixel of this alpha covers.
pub(super) fn alpha_coverage(alpha: f32, count: u32) -> u16 {
    let m = (16.0 * alpha.clamp(0.0, 1.0)) as u32;
    let mask = (0x1111 * ((0xf_ea80 >> (m & !3)) & 15)) | (0x0808 * (m & 2)) | (0x0100 * (m & 1));
    (mask & (u32::MAX >> (32 - count.clamp(1, 16)))) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logic_operations_are_named_by_their_codes() {
        let (s, d) = (0b1100, 0b1010);
        let result = |op| logic(op, s, d) & 15;
        assert_eq!(result(0), 0);
        assert_eq!(result(1), 0b0001, "nor");
        assert_eq!(result(2), 0b0010, "and inverted");
        assert_eq!(result(4), 0b0100, "and reverse");
        assert_eq!(result(6), 0b0110, "xor");
        assert_eq!(result(8), 0b1000, "and");
        assert_eq!(result(10), 0b1010, "no operation");
        assert_eq!(result(12), 0b1100, "copy");
        assert_eq!(result(15), 15);
    }

    #[test]
    fn the_usual_blend() {
        // Source alpha over one less source alpha.
        let words = [1 << 31 | 3 << 26 | 19 << 21 | 3 << 13 | 19 << 8, 0];
        let blend = Blend::new(Words(&words), true);
        let colors = Colors {
            source: [1.0, 0.0, 0.5, 0.25],
            source1: [0.0; 4],
            destination: [0.0, 1.0, 0.5, 1.0],
            constant: [0.0; 4],
        };
        assert!(blend.enabled && blend.write_mask == 15);
        assert_eq!(blend.blend(colors, true, false), [0.25, 0.75, 0.5, 0.8125]);
    }

    #[test]
    fn components_are_disabled_one_by_one() {
        let mask = |disabled| Blend::new(Words(&[disabled, 0]), false).write_mask;
        assert_eq!([8, 4, 2, 1].map(mask), [0b0111, 0b1110, 0b1101, 0b1011]);
    }

    #[test]
    fn alpha_covers_as_many_samples_as_it_is_large() {
        assert_eq!(alpha_coverage(0.0, 4), 0);
        assert_eq!(alpha_coverage(1.0, 4), 15);
        assert_eq!(alpha_coverage(0.5, 4).count_ones(), 2);
    }
}
