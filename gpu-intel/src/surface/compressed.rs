//! Blocks of compressed formats: BC through a library, ETC2 and EAC here.
//!
//! Source for ETC2 and EAC: OpenGL ES 3.0, appendix C; Khronos Data Format Specification.

use half::f16;

use super::cache::Decoded;
use super::format::Block;
use super::texel::{SRGB, UNORM8, bits};

/// The 16 texels of a block, row by row. A block of 64 bits is in the first half of `bytes`.
pub(super) fn decode(kind: Block, srgb: bool, bytes: &[u8; 16]) -> Decoded {
    let [first, second] = halves(bytes);
    match kind {
        Block::Bc1 { alpha } => {
            let mut texels = library(bytes, bcdec_rs::bc1);
            if !alpha {
                texels.iter_mut().for_each(|texel| texel[3] = u8::MAX);
            }
            colors(&texels, srgb)
        }
        Block::Bc2 => colors(&library(bytes, bcdec_rs::bc2), srgb),
        Block::Bc3 => colors(&library(bytes, bcdec_rs::bc3), srgb),
        Block::Bc7 => colors(&library(bytes, bcdec_rs::bc7), srgb),
        Block::Bc4 { signed } => {
            let mut red = [0.0; 16];
            bcdec_rs::bc4_float(bytes, &mut red, 4, signed);
            red.map(|red| bits([red, 0.0, 0.0, 1.0]))
        }
        Block::Bc5 { signed } => {
            let mut both = [0.0; 32];
            bcdec_rs::bc5_float(bytes, &mut both, 8, signed);
            each(|at| bits([both[2 * at], both[2 * at + 1], 0.0, 1.0]))
        }
        Block::Bc6h { signed } => {
            let mut halves = [0; 48];
            bcdec_rs::bc6h_half(bytes, &mut halves, 12, signed);
            let get = |at: usize| f16::from_bits(halves[at]).to_f32();
            each(|at| bits([get(3 * at), get(3 * at + 1), get(3 * at + 2), 1.0]))
        }
        Block::Etc1 | Block::Etc2 => colors(&etc2(first, false), srgb),
        Block::Etc2PunchThrough => colors(&etc2(first, true), srgb),
        Block::Etc2Eac => {
            let mut texels = etc2(second, false);
            for (at, texel) in texels.iter_mut().enumerate() {
                texel[3] = eac_alpha(first, at);
            }
            colors(&texels, srgb)
        }
        Block::EacR11 { signed } => each(|at| bits([eac11(first, signed, at), 0.0, 0.0, 1.0])),
        Block::EacRg11 { signed } => {
            each(|at| bits([eac11(first, signed, at), eac11(second, signed, at), 0.0, 1.0]))
        }
    }
}

fn each(texel: impl FnMut(usize) -> [u32; 4]) -> Decoded {
    std::array::from_fn(texel)
}

fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let whole = u128::from_be_bytes(*bytes);
    [(whole >> 64) as u64, whole as u64]
}

fn library(bytes: &[u8; 16], decode: fn(&[u8], &mut [u8], usize)) -> [[u8; 4]; 16] {
    let mut texels = [[0; 4]; 16];
    decode(bytes, texels.as_flattened_mut(), 16);
    texels
}

fn colors(texels: &[[u8; 4]; 16], srgb: bool) -> Decoded {
    let color: &[f32; 256] = if srgb { &SRGB.decode } else { &UNORM8 };
    texels.map(|[r, g, b, a]| {
        let get = |byte| color[usize::from(byte)];
        bits([get(r), get(g), get(b), UNORM8[usize::from(a)]])
    })
}

/// How far the colours of a sub-block lie from its base.
const INTENSITY: [[i32; 2]; 8] =
    [[2, 8], [5, 17], [9, 29], [13, 42], [18, 60], [24, 80], [33, 106], [47, 183]];
/// How far the colours of modes T and H lie apart.
const DISTANCE: [i32; 8] = [3, 6, 11, 16, 23, 32, 41, 64];

const CLEAR: [u8; 4] = [0; 4];

fn widen(value: i32, bits: u32) -> i32 {
    value << (8 - bits) | value >> (2 * bits - 8)
}

fn moved(color: [i32; 3], by: i32) -> [u8; 4] {
    let [r, g, b] = color.map(|channel| (channel + by).clamp(0, 255) as u8);
    [r, g, b, u8::MAX]
}

/// A block of colour. With `punch_through`, the bit that chooses between modes says whether all of it is opaque.
fn etc2(block: u64, punch_through: bool) -> [[u8; 4]; 16] {
    let get = |high: u32, low: u32| (block >> low & ((1 << (high - low + 1)) - 1)) as i32;
    let bit = |at: u32| get(at, at);
    // Texels are numbered column by column.
    let index = |x: usize, y: usize| {
        let at = (4 * x + y) as u32;
        (bit(16 + at) << 1 | bit(at)) as usize
    };
    let paint =
        |texel: &dyn Fn(usize, usize) -> [u8; 4]| std::array::from_fn(|at| texel(at % 4, at / 4));
    let transparent = punch_through && bit(33) == 0;

    let base = [get(63, 59), get(55, 51), get(47, 43)];
    let other = [(58, 56), (50, 48), (42, 40)].map(|(high, low)| (get(high, low) ^ 4) - 4);
    let other: [i32; 3] = std::array::from_fn(|at| base[at] + other[at]);
    let [red, green, blue] = other.map(|channel| (0..32).contains(&channel));
    let differential = punch_through || bit(33) == 1;

    let four = |colors: [[u8; 4]; 4]| {
        let mut colors = colors;
        if transparent {
            colors[2] = CLEAR;
        }
        paint(&|x, y| colors[index(x, y)])
    };
    if differential && !red {
        let one = [get(60, 59) << 2 | get(57, 56), get(55, 52), get(51, 48)].map(|c| widen(c, 4));
        let two = [get(47, 44), get(43, 40), get(39, 36)].map(|c| widen(c, 4));
        let distance = DISTANCE[(get(35, 34) << 1 | bit(32)) as usize];
        return four([moved(one, 0), moved(two, distance), moved(two, 0), moved(two, -distance)]);
    }
    if differential && !green {
        let one = [get(62, 59), get(58, 56) << 1 | bit(52), bit(51) << 3 | get(49, 47)];
        let two = [get(46, 43), get(42, 39), get(38, 35)];
        let distance = DISTANCE[(bit(34) << 2 | bit(32) << 1 | i32::from(one >= two)) as usize];
        let (one, two) = (one.map(|c| widen(c, 4)), two.map(|c| widen(c, 4)));
        return four([
            moved(one, distance),
            moved(one, -distance),
            moved(two, distance),
            moved(two, -distance),
        ]);
    }
    if differential && !blue {
        let color = |r, g, b| [widen(r, 6), widen(g, 7), widen(b, 6)];
        let blue = bit(48) << 5 | get(44, 43) << 3 | get(41, 39);
        let origin = color(get(62, 57), bit(56) << 6 | get(54, 49), blue);
        let right = color(get(38, 34) << 1 | bit(32), get(31, 25), get(24, 19));
        let below = color(get(18, 13), get(12, 6), get(5, 0));
        return paint(&|x, y| {
            let (x, y) = (x as i32, y as i32);
            let plane = std::array::from_fn(|c| {
                (x * (right[c] - origin[c]) + y * (below[c] - origin[c]) + 4 * origin[c] + 2) >> 2
            });
            moved(plane, 0)
        });
    }
    let bases = if differential {
        [base.map(|c| widen(c, 5)), other.map(|c| widen(c, 5))]
    } else {
        [[get(63, 60), get(55, 52), get(47, 44)], [get(59, 56), get(51, 48), get(43, 40)]]
            .map(|color| color.map(|c| widen(c, 4)))
    };
    let tables = [get(39, 37), get(36, 34)].map(|table| INTENSITY[table as usize]);
    let upside = bit(32) == 1;
    paint(&|x, y| {
        let half = usize::from(if upside { y >= 2 } else { x >= 2 });
        let [small, large] = tables[half];
        match index(x, y) {
            2 if transparent => CLEAR,
            0 if transparent => moved(bases[half], 0),
            0 => moved(bases[half], small),
            1 => moved(bases[half], large),
            2 => moved(bases[half], -small),
            _ => moved(bases[half], -large),
        }
    })
}

const EAC: [[i32; 8]; 16] = [
    [-3, -6, -9, -15, 2, 5, 8, 14],
    [-3, -7, -10, -13, 2, 6, 9, 12],
    [-2, -5, -8, -13, 1, 4, 7, 12],
    [-2, -4, -6, -13, 1, 3, 5, 12],
    [-3, -6, -8, -12, 2, 5, 7, 11],
    [-3, -7, -9, -11, 2, 6, 8, 10],
    [-4, -7, -8, -11, 3, 6, 7, 10],
    [-3, -5, -8, -11, 2, 4, 7, 10],
    [-2, -6, -8, -10, 1, 5, 7, 9],
    [-2, -5, -8, -10, 1, 4, 7, 9],
    [-2, -4, -8, -10, 1, 3, 7, 9],
    [-2, -5, -7, -10, 1, 4, 6, 9],
    [-3, -4, -7, -10, 2, 3, 6, 9],
    [-1, -2, -3, -10, 0, 1, 2, 9],
    [-4, -6, -8, -9, 3, 5, 7, 8],
    [-3, -5, -7, -9, 2, 4, 6, 8],
];

/// Base, multiplier and modifier of the texel that is `at` by rows.
fn eac(block: u64, at: usize) -> (u8, i32, i32) {
    let [base, choice, ..] = block.to_be_bytes();
    let (x, y) = (at % 4, at / 4);
    let index = block >> (45 - 3 * (4 * x + y)) & 7;
    let modifier = EAC[usize::from(choice & 15)][index as usize];
    (base, i32::from(choice >> 4), modifier)
}

fn eac_alpha(block: u64, at: usize) -> u8 {
    let (base, multiplier, modifier) = eac(block, at);
    (i32::from(base) + multiplier * modifier).clamp(0, 255) as u8
}

fn eac11(block: u64, signed: bool, at: usize) -> f32 {
    let (base, multiplier, modifier) = eac(block, at);
    let by = if multiplier == 0 { modifier } else { 8 * multiplier * modifier };
    if signed {
        let base = i32::from(base.cast_signed()).max(-127);
        (8 * base + by).clamp(-1023, 1023) as f32 / 1023.0
    } else {
        (8 * i32::from(base) + 4 + by).clamp(0, 2047) as f32 / 2047.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::format::{FORMATS, Packing};
    use super::super::texel::floats;
    use super::*;

    fn decoded(kind: Block, bytes: &[u8]) -> [[f32; 4]; 16] {
        let mut block = [0; 16];
        block[..bytes.len()].copy_from_slice(bytes);
        decode(kind, false, &block).map(floats)
    }

    #[test]
    fn bc1_has_two_colours_and_those_between() {
        // Red and blue: 0, 1, 2, 3 in the first row, then red.
        let texels = decoded(Block::Bc1 { alpha: true }, &[0, 0xf8, 0x1f, 0, 0b1110_0100, 0, 0, 0]);
        assert_eq!(texels[0], [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(texels[1], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(texels[2], [170.0 / 255.0, 0.0, 85.0 / 255.0, 1.0]);
        assert_eq!(texels[4], [1.0, 0.0, 0.0, 1.0]);
        // The other order has a transparent black.
        let block = [0x1f, 0, 0, 0xf8, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(decoded(Block::Bc1 { alpha: true }, &block)[5], [0.0; 4]);
        assert_eq!(decoded(Block::Bc1 { alpha: false }, &block)[5], [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn bc4_steps_between_its_ends() {
        let texels = decoded(Block::Bc4 { signed: false }, &[255, 0, 0b1010_1000, 0, 0, 0, 0, 0]);
        assert_eq!(texels[0], [1.0, 0.0, 0.0, 1.0]);
        assert!((texels[2][0] - 6.0 / 7.0).abs() < 1e-6, "{:?}", texels[2]);
        let signed = decoded(Block::Bc4 { signed: true }, &[127, 0x81, 0b1000, 0, 0, 0, 0, 0]);
        assert_eq!((signed[0][0], signed[1][0]), (1.0, -1.0));
    }

    #[test]
    fn etc2_has_five_modes() {
        // Individual: 0x8 and 0x4 in red, tables 0 and 1, side by side, all of index 0.
        let block = [0x84, 0, 0, 0b0000_0100, 0, 0, 0, 0];
        let texels = decoded(Block::Etc2, &block);
        assert_eq!(texels[0].map(|x| x * 255.0), [138.0, 2.0, 2.0, 255.0]);
        assert_eq!(texels[3].map(|x| x * 255.0), [73.0, 5.0, 5.0, 255.0]);
        // Planar: blue overflows; red rises to the right from 0 to 255 at the fourth texel.
        let block: u64 = 0x1f << 43 | 1 << 40 | 1 << 33 | 0x1f << 34 | 1 << 32;
        let texels = decoded(Block::Etc2, &block.to_be_bytes());
        let red: Vec<_> = texels[..4].iter().map(|texel| texel[0] * 255.0).collect();
        assert_eq!(red, [0.0, 64.0, 128.0, 191.0]);
    }

    #[test]
    fn eac_scales_its_table() {
        let mut block = [128, 0x10, 0, 0, 0, 0, 0, 0];
        assert_eq!(decoded(Block::EacR11 { signed: false }, &block)[0][0], 1004.0 / 2047.0);
        block[0] = 0x80;
        assert_eq!(decoded(Block::EacR11 { signed: true }, &block)[0][0], -1.0);
    }

    proptest! {
        #[test]
        fn no_block_is_too_much(bytes in prop::array::uniform16(any::<u8>())) {
            for format in &FORMATS {
                if let Packing::Block(kind) = format.packing {
                    decode(kind, format.srgb, &bytes);
                }
            }
        }
    }
}
