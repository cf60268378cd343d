//! How a pixel's bytes become red, green, blue and alpha.
//!
//! Pixels are little-endian words; each format says which bits hold which colour. Everything is
//! widened or narrowed to RGBA8, the one format of [`crate::Picture`]: five and six bits by
//! repeating their upper bits, ten bits by rounding. Formats without alpha are opaque.

use serde::{Deserialize, Serialize};

/// How the pixels of a surface are encoded. Names read from the most significant bit of the
/// little-endian pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PixelFormat {
    /// 32 bits: x, red, green, blue.
    Xrgb8888,
    /// 32 bits: x, blue, green, red.
    Xbgr8888,
    /// 32 bits: alpha, red, green, blue.
    Argb8888,
    /// 32 bits: alpha, blue, green, red.
    Abgr8888,
    /// 16 bits: red 5, green 6, blue 5.
    Rgb565,
    /// 32 bits: x 2, red 10, green 10, blue 10.
    Xrgb2101010,
    /// 32 bits: x 2, blue 10, green 10, red 10.
    Xbgr2101010,
    /// 8 bits: an index into a palette (shown as grey without one).
    C8,
}

/// The colours (red, green, blue) that the indices of [`PixelFormat::C8`] stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette(pub [[u8; 3]; 256]);

impl Palette {
    /// Index 0 black to index 255 white.
    pub fn grey() -> Palette {
        Palette(std::array::from_fn(|i| [i as u8; 3]))
    }
}

/// Ten bits to eight, rounded to the nearest.
fn eight_of_ten(value: u32) -> u8 {
    (((value & 0x3ff) * 255 + 511) / 1023) as u8
}

/// Five bits to eight: the upper three are repeated below.
fn eight_of_five(value: u16) -> u8 {
    let v = value & 0x1f;
    (v << 3 | v >> 2) as u8
}

/// Six bits to eight: the upper two are repeated below.
fn eight_of_six(value: u16) -> u8 {
    let v = value & 0x3f;
    (v << 2 | v >> 4) as u8
}

impl PixelFormat {
    /// Bytes of a pixel: 1, 2 or 4.
    pub fn bytes_per_pixel(self) -> u32 {
        match self {
            PixelFormat::C8 => 1,
            PixelFormat::Rgb565 => 2,
            PixelFormat::Xrgb8888
            | PixelFormat::Xbgr8888
            | PixelFormat::Argb8888
            | PixelFormat::Abgr8888
            | PixelFormat::Xrgb2101010
            | PixelFormat::Xbgr2101010 => 4,
        }
    }

    /// Whether pixels carry an alpha of their own.
    pub fn has_alpha(self) -> bool {
        matches!(self, PixelFormat::Argb8888 | PixelFormat::Abgr8888)
    }

    /// Converts `pixels` and appends them to `rgba`, four bytes each. Bytes at the end that make
    /// no whole pixel are left out.
    pub fn append_rgba(self, pixels: &[u8], palette: &Palette, rgba: &mut Vec<u8>) {
        let bytes = pixels.as_chunks::<4>().0.iter();
        let words = bytes.clone().map(|&p| u32::from_le_bytes(p));
        match self {
            PixelFormat::Xrgb8888 => rgba.extend(bytes.flat_map(|&[b, g, r, _]| [r, g, b, 255])),
            PixelFormat::Xbgr8888 => rgba.extend(bytes.flat_map(|&[r, g, b, _]| [r, g, b, 255])),
            PixelFormat::Argb8888 => rgba.extend(bytes.flat_map(|&[b, g, r, a]| [r, g, b, a])),
            PixelFormat::Abgr8888 => rgba.extend(bytes.flat_map(|&[r, g, b, a]| [r, g, b, a])),
            PixelFormat::Xrgb2101010 => rgba.extend(words.flat_map(|p| {
                [eight_of_ten(p >> 20), eight_of_ten(p >> 10), eight_of_ten(p), 255]
            })),
            PixelFormat::Xbgr2101010 => rgba.extend(words.flat_map(|p| {
                [eight_of_ten(p), eight_of_ten(p >> 10), eight_of_ten(p >> 20), 255]
            })),
            PixelFormat::Rgb565 => rgba.extend(pixels.as_chunks::<2>().0.iter().flat_map(|&p| {
                let p = u16::from_le_bytes(p);
                [eight_of_five(p >> 11), eight_of_six(p >> 5), eight_of_five(p), 255]
            })),
            PixelFormat::C8 => rgba.extend(pixels.iter().flat_map(|&index| {
                let [r, g, b] = palette.0[usize::from(index)];
                [r, g, b, 255]
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgba(format: PixelFormat, pixel: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let bytes = pixel.to_le_bytes();
        let size = format.bytes_per_pixel() as usize;
        format.append_rgba(&bytes[..size], &Palette::grey(), &mut out);
        out
    }

    #[test]
    fn each_format_puts_each_colour_in_its_place() {
        use PixelFormat::*;
        let cases: &[(PixelFormat, u32, [u8; 4])] = &[
            (Xrgb8888, 0x0011_2233, [0x11, 0x22, 0x33, 255]),
            (Xbgr8888, 0x0011_2233, [0x33, 0x22, 0x11, 255]),
            (Argb8888, 0x8011_2233, [0x11, 0x22, 0x33, 0x80]),
            (Abgr8888, 0x8011_2233, [0x33, 0x22, 0x11, 0x80]),
            (Rgb565, 0xf800, [255, 0, 0, 255]),
            (Rgb565, 0x07e0, [0, 255, 0, 255]),
            (Rgb565, 0x001f, [0, 0, 255, 255]),
            (Rgb565, 0x8410, [0x84, 0x82, 0x84, 255]),
            (Xrgb2101010, 0x3ff0_0000, [255, 0, 0, 255]),
            (Xrgb2101010, 0xc00f_fc00, [0, 255, 0, 255]),
            (Xbgr2101010, 0x3ff0_0000, [0, 0, 255, 255]),
            (C8, 0x7f, [0x7f, 0x7f, 0x7f, 255]),
        ];
        for &(format, pixel, expected) in cases {
            assert_eq!(rgba(format, pixel), expected, "{format:?} {pixel:#x}");
        }
    }

    #[test]
    fn ten_bits_round_to_the_nearest() {
        for v in 0..1024 {
            let exact = f64::from(v) * 255.0 / 1023.0;
            assert_eq!(f64::from(eight_of_ten(v)), exact.round(), "{v}");
        }
    }

    #[test]
    fn a_palette_colours_indices() {
        let mut palette = Palette::grey();
        palette.0[3] = [1, 2, 3];
        let mut out = Vec::new();
        PixelFormat::C8.append_rgba(&[3, 4], &palette, &mut out);
        assert_eq!(out, [1, 2, 3, 255, 4, 4, 4, 255]);
    }
}
