//! Texels to numbers and back.
//!
//! Numbers travel as four dwords, red, green, blue and alpha: bits of floats, or integers where the format
//! [is of integers](Format::is_integer). Channels that a format lacks read as 0, and alpha as one.

use std::sync::LazyLock;

use half::f16;

use super::format::{Channel, Common, Format, Kind, Packing};

/// Bytes of the largest element, of R64G64B64A64.
pub const LARGEST_ELEMENT: usize = 32;

const ONE: u32 = 0x3f80_0000;

/// A colour as four dwords.
#[must_use]
pub fn bits(color: [f32; 4]) -> [u32; 4] {
    color.map(f32::to_bits)
}

/// Four dwords as a colour.
#[must_use]
pub fn floats(bits: [u32; 4]) -> [f32; 4] {
    bits.map(f32::from_bits)
}

impl Format {
    /// What the texel in `bytes` holds. Bytes that aren't there read as 0. A compressed format has no texel by itself:
    /// it reads as black.
    #[must_use]
    #[inline]
    pub fn decode(&self, bytes: &[u8]) -> [u32; 4] {
        match (self.common, bytes) {
            (Common::Unorm8x4 { blue_first, srgb, alpha }, &[r, g, b, a, ..]) => {
                let a = if alpha { a } else { u8::MAX };
                let [r, b] = if blue_first { [b, r] } else { [r, b] };
                let table: &[f32; 256] = if srgb { &SRGB.decode } else { &UNORM8 };
                let get = |at| table[usize::from(at)].to_bits();
                [get(r), get(g), get(b), UNORM8[usize::from(a)].to_bits()]
            }
            (Common::R8Unorm, &[r, ..]) => [UNORM8[usize::from(r)].to_bits(), 0, 0, ONE],
            (Common::R32Float, &[a, b, c, d, ..]) => [u32::from_le_bytes([a, b, c, d]), 0, 0, ONE],
            (Common::Rgba32Float, bytes) if bytes.len() >= 16 => {
                let mut color = [0; 4];
                for (dword, four) in color.iter_mut().zip(bytes.as_chunks().0) {
                    *dword = u32::from_le_bytes(*four);
                }
                color
            }
            _ => self.decode_any(bytes),
        }
    }

    fn decode_any(&self, bytes: &[u8]) -> [u32; 4] {
        let words = words(bytes);
        if self.packing == Packing::SharedExponent {
            return bits(shared_exponent(words[0] as u32));
        }
        let one = if self.is_integer() { 1 } else { ONE };
        let mut color = [0, 0, 0, one];
        for (at, (to, channel)) in color.iter_mut().zip(&self.channels).enumerate() {
            if let Some(channel) = channel {
                *to = channel.decode(&words);
                if self.srgb && at < 3 {
                    *to = from_srgb(f32::from_bits(*to)).to_bits();
                }
            }
        }
        color
    }

    /// Stores a colour in the first bytes of `to`, as render targets and typed writes do. Channels that the format
    /// lacks are left 0, and bytes beyond `to` are dropped. Compressed formats store nothing.
    #[inline]
    pub fn encode(&self, color: [u32; 4], to: &mut [u8]) {
        match (self.common, to) {
            (Common::Unorm8x4 { blue_first, srgb, .. }, [to0, to1, to2, to3, ..]) => {
                let [r, g, b, a] = floats(color);
                let byte = |x: f32| if srgb { to_srgb8(x) } else { unorm8(x) };
                let (r, b) = if blue_first { (b, r) } else { (r, b) };
                (*to0, *to1, *to2, *to3) = (byte(r), byte(g), byte(b), unorm8(a));
            }
            (Common::R8Unorm, [to, ..]) => *to = unorm8(f32::from_bits(color[0])),
            (_, to) => self.encode_any(color, to),
        }
    }

    fn encode_any(&self, color: [u32; 4], to: &mut [u8]) {
        let mut words = [0_u64; LARGEST_ELEMENT / 8];
        match self.packing {
            Packing::Block(_) => return,
            Packing::SharedExponent => words[0] = u64::from(to_shared_exponent(floats(color))),
            Packing::Raw => words[0] = u64::from(color[0]),
            Packing::Channels => {
                // Backwards, for luminance is red where all three lie in one place.
                for at in (0..4).rev() {
                    let Some(channel) = self.channels[at] else { continue };
                    let linear = color[at];
                    let value = if self.srgb && at < 3 {
                        to_srgb(f32::from_bits(linear)).to_bits()
                    } else {
                        linear
                    };
                    channel.encode(value, &mut words);
                }
            }
        }
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        for (to, byte) in to.iter_mut().take(self.bytes() as usize).zip(bytes) {
            *to = byte;
        }
    }

    /// The four dwords that the vertex fetch makes of an element. 64-bit channels that pass unconverted take two
    /// each, and no more than two of them fit.
    #[must_use]
    pub fn decode_vertex(&self, bytes: &[u8]) -> [u32; 4] {
        if self.channels[0].is_some_and(|channel| channel.kind == Kind::Passthru) {
            let words = words(bytes);
            let [low, high] = [words[0], words[1]];
            return [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32];
        }
        self.decode(bytes)
    }
}

fn words(bytes: &[u8]) -> [u64; LARGEST_ELEMENT / 8] {
    let mut words = [0; LARGEST_ELEMENT / 8];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(bytes) {
            *to = *from;
        }
        *word = u64::from_le_bytes(eight);
    }
    words
}

impl Channel {
    fn mask(self) -> u64 {
        u64::MAX >> (64 - u32::from(self.bits))
    }

    fn decode(self, words: &[u64; LARGEST_ELEMENT / 8]) -> u32 {
        let unsigned = words[usize::from(self.shift / 64)] >> (self.shift % 64) & self.mask();
        let unused = 64 - u32::from(self.bits);
        let signed = (unsigned << unused).cast_signed() >> unused;
        let number = match self.kind {
            Kind::Uint => return unsigned as u32,
            Kind::Sint => return signed as u32,
            Kind::Float if self.bits == 32 => return unsigned as u32,
            Kind::Float => small_float(unsigned, self.bits),
            Kind::Unorm => (unsigned as f64 / self.mask() as f64) as f32,
            Kind::Snorm => (signed as f64 / (self.mask() / 2) as f64).max(-1.0) as f32,
            Kind::Uscaled => unsigned as f32,
            Kind::Sscaled => signed as f32,
            Kind::Sfixed => (signed as f64 / 65536.0) as f32,
            Kind::Passthru => return unsigned as u32,
        };
        number.to_bits()
    }

    fn encode(self, value: u32, words: &mut [u64; LARGEST_ELEMENT / 8]) {
        let number = f32::from_bits(value);
        // Conversions to integers clamp, and take no number for 0.
        let wide = f64::from(number);
        let largest = self.mask();
        let half = largest / 2;
        let in_signed = |number: f64| {
            (number.round() as i64).clamp(-(half as i64) - 1, half as i64).cast_unsigned()
        };
        let stored = match self.kind {
            Kind::Uint => u64::from(value).min(largest),
            Kind::Sint => i64::from(value.cast_signed())
                .clamp(-(half as i64) - 1, half as i64)
                .cast_unsigned(),
            Kind::Float if self.bits == 32 => u64::from(value),
            Kind::Float => to_small_float(number, self.bits),
            Kind::Unorm => (wide.clamp(0.0, 1.0) * largest as f64 + 0.5) as u64,
            Kind::Snorm => in_signed(wide.clamp(-1.0, 1.0) * half as f64),
            Kind::Uscaled => (wide.round() as u64).min(largest),
            Kind::Sscaled => in_signed(wide),
            Kind::Sfixed => in_signed(wide * 65536.0),
            Kind::Passthru => u64::from(value),
        };
        let shift = self.shift % 64;
        let word = &mut words[usize::from(self.shift / 64)];
        *word = *word & !(largest << shift) | (stored & largest) << shift;
    }
}

/// A float of 64, 16, 11 or 10 bits; the last two have no sign, and the exponent of the third.
fn small_float(bits: u64, count: u8) -> f32 {
    match count {
        64 => f64::from_bits(bits) as f32,
        11 => f16::from_bits((bits << 4) as u16).to_f32(),
        10 => f16::from_bits((bits << 5) as u16).to_f32(),
        _ => f16::from_bits(bits as u16).to_f32(),
    }
}

fn to_small_float(number: f32, count: u8) -> u64 {
    let mantissa = match count {
        64 => return f64::from(number).to_bits(),
        11 => 6,
        10 => 5,
        _ => return u64::from(f16::from_f32(number).to_bits()),
    };
    let infinite = 31 << mantissa;
    if number.is_nan() {
        return infinite | 1;
    }
    if number == f32::INFINITY {
        return infinite;
    }
    if number <= 0.0 {
        return 0;
    }
    // In units of the last place: below 2^-14 they stay as they are.
    let exponent = ((number.to_bits() >> 23).cast_signed() - 127).clamp(-14, 16);
    let unit = f64::from(exponent - mantissa).exp2();
    let steps = (f64::from(number) / unit).round_ties_even() as u64;
    let normal = 1 << mantissa;
    let before = if steps < normal { 0 } else { (exponent + 14) as u64 * normal };
    // Numbers beyond the largest have as many steps as there can be.
    before.saturating_add(steps).min(infinite - 1)
}

fn shared_exponent(bits: u32) -> [f32; 4] {
    let scale = ((bits >> 27) as f32 - 24.0).exp2();
    let channel = |shift: u32| (bits >> shift & 0x1ff) as f32 * scale;
    [channel(0), channel(9), channel(18), 1.0]
}

fn to_shared_exponent([r, g, b, _]: [f32; 4]) -> u32 {
    const LARGEST: f32 = 65408.0;
    let [r, g, b] = [r, g, b].map(|x| if x > 0.0 { x.min(LARGEST) } else { 0.0 });
    let most = r.max(g).max(b);
    let floor = ((most.to_bits() >> 23).cast_signed() - 127).max(-16);
    let mut exponent = floor + 16;
    let steps = |x: f32, exponent: i32| (x / ((exponent - 24) as f32).exp2() + 0.5).floor() as u32;
    if steps(most, exponent) > 0x1ff {
        exponent += 1;
    }
    let step = |x| steps(x, exponent).min(0x1ff);
    step(r) | step(g) << 9 | step(b) << 18 | exponent.cast_unsigned() << 27
}

pub(super) static UNORM8: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = at as f32 / 255.0;
        at += 1;
    }
    table
};

/// sRGB's tables: what a byte is, and where the next byte begins.
#[derive(Debug)]
pub(super) struct Srgb {
    pub(super) decode: [f32; 256],
    /// The least number that rounds to a byte.
    least: [f32; 256],
    /// The byte for the start of every 4096th of 0..=1.
    guess: [u8; 4097],
}

pub(super) static SRGB: LazyLock<Srgb> = LazyLock::new(|| {
    let linear = |srgb: f64| {
        if srgb <= 0.04045 { srgb / 12.92 } else { ((srgb + 0.055) / 1.055).powf(2.4) }
    };
    let decode = std::array::from_fn(|byte| linear(byte as f64 / 255.0) as f32);
    let least: [f32; 256] = std::array::from_fn(|byte| {
        if byte == 0 { 0.0 } else { linear((byte as f64 - 0.5) / 255.0) as f32 }
    });
    let guess = std::array::from_fn(|at| {
        let start = at as f32 / 4096.0;
        (least.partition_point(|&least| least <= start) - 1) as u8
    });
    Srgb { decode, least, guess }
});

fn from_srgb(number: f32) -> f32 {
    if number <= 0.04045 { number / 12.92 } else { ((number + 0.055) / 1.055).powf(2.4) }
}

fn to_srgb(number: f32) -> f32 {
    if number <= 0.003_130_8 { number * 12.92 } else { 1.055 * number.powf(1.0 / 2.4) - 0.055 }
}

#[inline]
fn to_srgb8(number: f32) -> u8 {
    let number = number.clamp(0.0, 1.0);
    let srgb = &*SRGB;
    let mut byte = srgb.guess[(number * 4096.0) as usize];
    while let Some(least) = srgb.least.get(usize::from(byte) + 1)
        && number >= *least
    {
        byte += 1;
    }
    byte
}

#[inline]
fn unorm8(number: f32) -> u8 {
    (number.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::format::FORMATS;
    use super::*;

    fn encoded(code: u32, color: [f32; 4]) -> Vec<u8> {
        let format = Format::of(code).unwrap();
        let mut bytes = vec![0; format.bytes() as usize];
        format.encode(bits(color), &mut bytes);
        bytes
    }

    fn decoded(code: u32, bytes: &[u8]) -> [f32; 4] {
        floats(Format::of(code).unwrap().decode(bytes))
    }

    #[test]
    fn known_colours_have_known_bytes() {
        let color = [1.0, 0.5, 0.25, 0.0];
        for (code, bytes) in [
            (192, &[0x40, 0x80, 0xff, 0][..]),
            (199, &[0xff, 0x80, 0x40, 0]),
            (193, &[137, 188, 255, 0]),
            (256, &[8, 0xf8 | 4]),
            (129, &[0xff, 0x7f, 0, 0x40, 0, 0x20, 0, 0]),
            (132, &[0, 0x3c, 0, 0x38, 0, 0x34, 0, 0]),
            (326, &[0xff]),
            (324, &[0]),
        ] {
            assert_eq!(encoded(code, color), bytes, "{code}");
        }
        assert_eq!(decoded(326, &[51]), [0.2, 0.2, 0.2, 1.0]);
        assert_eq!(decoded(324, &[51]), [0.0, 0.0, 0.0, 0.2]);
        assert_eq!(decoded(325, &[51]), [0.2; 4]);
        assert_eq!(decoded(235, &[255, 0, 51, 0]), [1.0, 0.0, 0.2, 1.0]);
        assert_eq!(decoded(217, &[0xff, 0xff, 0xff, 7]), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(decoded(404, &[0x80, 0x81, 0x7f]), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(decoded(406, &[200, 1, 0]), [200.0, 1.0, 0.0, 1.0]);
        assert_eq!(decoded(434, &[0, 0x80, 0xff, 0xff]), [-0.5, 0.0, 0.0, 1.0]);
        assert_eq!(decoded(141, &2.5_f64.to_le_bytes()), [2.5, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn integers_clamp_and_extend() {
        let format = Format::of(202).unwrap();
        let mut bytes = [0; 4];
        format.encode([1000, (-1000_i32).cast_unsigned(), 5, u32::MAX], &mut bytes);
        assert_eq!(bytes, [127, 0x80, 5, 0xff]);
        assert_eq!(format.decode(&bytes), [127, (-128_i32).cast_unsigned(), 5, u32::MAX]);
        assert_eq!(Format::of(456).unwrap().decode(&[1, 2, 3]), [1, 2, 3, 1]);
    }

    #[test]
    fn small_floats_round_to_even_and_end() {
        let packed = |color| u32::from_le_bytes(encoded(211, color).try_into().unwrap());
        assert_eq!(packed([1.0, 2.0, 1.0, 0.0]), 0x3c0 | 0x400 << 11 | 0x1e0 << 22);
        // Half a step above one is even, three halves aren't.
        assert_eq!(packed([1.0 + 1.0 / 128.0, 0.0, 0.0, 0.0]), 0x3c0);
        assert_eq!(packed([1.0 + 3.0 / 128.0, 0.0, 0.0, 0.0]), 0x3c2);
        assert_eq!(packed([1e9, -1.0, 0.0, 0.0]), 0x7bf);
        assert_eq!(packed([f32::INFINITY, f32::NAN, 0.0, 0.0]), 0x7c0 | 0x7c1 << 11);
        // The smallest: 2^-20 and 2^-19.
        assert_eq!(packed([2_f32.powi(-20), 0.0, 2_f32.powi(-19), 0.0]), 1 | 1 << 22);
        for number in [65536.0, 1e30, f32::MAX] {
            assert_eq!([11, 10].map(|bits| to_small_float(number, bits)), [0x7bf, 0x3df]);
        }
    }

    #[test]
    fn vertices_pass_doubles_as_they_are() {
        let bytes: Vec<u8> = (0..24).collect();
        let format = Format::of(445).unwrap();
        assert_eq!(
            format.decode_vertex(&bytes),
            [0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c]
        );
    }

    #[test]
    fn srgb_bytes_come_back() {
        for byte in 0..=255 {
            let number = f32::from_bits(Format::of(200).unwrap().decode(&[byte; 4])[0]);
            assert_eq!(to_srgb8(number), byte);
            assert!((from_srgb(f32::from(byte) / 255.0) - number).abs() < 1e-6);
        }
    }

    proptest! {
        #[test]
        fn a_texel_comes_back(bytes in prop::array::uniform32(any::<u8>())) {
            for format in &FORMATS {
                let bytes = &bytes[..format.bytes() as usize];
                let color = format.decode(bytes);
                let mut again = [0; LARGEST_ELEMENT];
                format.encode(color, &mut again);
                let color_again = format.decode(&again);
                for (was, is) in color.into_iter().zip(color_again) {
                    let same = was == is || {
                        let (was, is) = (f32::from_bits(was), f32::from_bits(is));
                        (was.is_nan() && is.is_nan()) || (was - is).abs() <= 1e-6 * was.abs()
                    };
                    prop_assert!(same || matches!(format.packing, Packing::Block(_)), "{:?}: {:?} {:?}", format, color, color_again);
                }
            }
        }

        #[test]
        fn any_number_is_stored_as_the_nearest(number in -2.0_f32..2.0, code in prop::sample::select(vec![192_u32, 194, 201, 204, 209, 256, 260, 266, 267, 320])) {
            let channel = Format::of(code).unwrap().channels[0].unwrap();
            let (least, steps) = if channel.kind == Kind::Snorm { (-1.0, channel.mask() / 2) } else { (0.0, channel.mask()) };
            let stored = decoded(code, &encoded(code, [number; 4]))[0];
            prop_assert!((stored - number.clamp(least, 1.0)).abs() <= 0.500_1 / steps as f32);
        }

        #[test]
        fn srgb_rounds_as_the_formula(number in 0.0_f32..1.0) {
            let exact = to_srgb(number) * 255.0;
            prop_assert!((f32::from(to_srgb8(number)) - exact).abs() <= 0.501);
        }
    }
}
