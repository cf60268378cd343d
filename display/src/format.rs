//! How a pixel's bytes become red, green, blue and alpha.
//!
//! Pixels are little-endian words; each format says which bits hold which colour. Everything is
//! widened or narrowed to RGBA8, the one format of [`crate::Picture`]: five and six bits by
//! repeating their upper bits, ten bits by rounding, luma and chroma by the equations of their
//! standard. Formats without alpha are opaque.

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
    /// 16 bits: luma of its own, chroma shared with its neighbour.
    Yuv422(Yuv422),
    /// 8 bits of luma. Chroma lies in a surface of [`PixelFormat::Nv12Chroma`] ([`crate::decode_nv12`]); without it, grey.
    Nv12(YuvColours),
    /// 16 bits of chroma, U and then V, for a square of four pixels of NV12; without their luma, at half of it.
    Nv12Chroma(YuvColours),
}

/// How 4:2:2 YCbCr pixels are encoded: two pixels are four bytes, two of luma (Y) and one each of chroma (U for blue,
/// V for red).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Yuv422 {
    /// The order of the four bytes.
    pub order: YuvOrder,
    /// What they stand for.
    pub colours: YuvColours,
}

/// Which red, green and blue luma and chroma stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct YuvColours {
    /// The standard.
    pub matrix: YuvMatrix,
    /// Whether values use all of 0 to 255; else luma goes from 16 to 235 and chroma from 16 to 240.
    pub full_range: bool,
}

/// The order of the bytes of a pair of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum YuvOrder {
    Yuyv,
    Uyvy,
    Yvyu,
    Vyuy,
}

/// The standard that says how luma and chroma become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum YuvMatrix {
    /// ITU-R BT.601, of standard-definition television.
    Bt601,
    /// ITU-R BT.709, of high-definition television.
    Bt709,
}

/// Factors of a conversion in units of 2^-16.
struct YuvFactors {
    black: i32,
    luma: i32,
    red_of_v: i32,
    green_of_u: i32,
    green_of_v: i32,
    blue_of_u: i32,
}

impl Yuv422 {
    /// Where in the four bytes the first luma, U, the second luma and V are.
    fn places(self) -> [usize; 4] {
        match self.order {
            YuvOrder::Yuyv => [0, 1, 2, 3],
            YuvOrder::Uyvy => [1, 0, 3, 2],
            YuvOrder::Yvyu => [0, 3, 2, 1],
            YuvOrder::Vyuy => [1, 2, 3, 0],
        }
    }

    fn append_rgba(self, pixels: &[u8], rgba: &mut Vec<u8>) {
        let factors = self.colours.factors();
        let [first, u, second, v] = self.places();
        for pair in pixels.chunks(4) {
            // The last pixel of an odd number lacks half of its chroma: no colour there.
            let byte = |at: usize| i32::from(pair.get(at).copied().unwrap_or(NO_COLOUR));
            for luma in [first, second].into_iter().take(pair.len() / 2) {
                rgba.extend(factors.rgba(byte(luma), byte(u), byte(v)));
            }
        }
    }
}

/// Chroma of grey.
const NO_COLOUR: u8 = 128;

impl YuvColours {
    /// Appends a row of pixels with a luma each, and U and V for each pair. Where chroma ends there is no colour.
    pub(crate) fn append_nv12_row(self, luma: &[u8], chroma: &[[u8; 2]], rgba: &mut Vec<u8>) {
        let factors = self.factors();
        let chroma = chroma.iter().chain(std::iter::repeat(&[NO_COLOUR; 2]));
        for (pair, &[u, v]) in luma.chunks(2).zip(chroma) {
            for &y in pair {
                rgba.extend(factors.rgba(y.into(), u.into(), v.into()));
            }
        }
    }

    fn factors(self) -> YuvFactors {
        // The parts of red and blue in luma; green has the rest.
        let (red, blue) = match self.matrix {
            YuvMatrix::Bt601 => (0.299, 0.114),
            YuvMatrix::Bt709 => (0.2126, 0.0722),
        };
        let green = 1.0 - red - blue;
        let (black, luma, chroma) =
            if self.full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let fixed = |factor: f64| (factor * 65536.0).round() as i32;
        YuvFactors {
            black,
            luma: fixed(luma),
            red_of_v: fixed(chroma * 2.0 * (1.0 - red)),
            green_of_u: fixed(chroma * 2.0 * (1.0 - blue) * blue / green),
            green_of_v: fixed(chroma * 2.0 * (1.0 - red) * red / green),
            blue_of_u: fixed(chroma * 2.0 * (1.0 - blue)),
        }
    }
}

impl YuvFactors {
    fn rgba(&self, y: i32, u: i32, v: i32) -> [u8; 4] {
        let (u, v) = (u - i32::from(NO_COLOUR), v - i32::from(NO_COLOUR));
        let luma = (y - self.black) * self.luma + (1 << 15);
        let colour = |chroma: i32| ((luma + chroma) >> 16).clamp(0, 255) as u8;
        let red = colour(v * self.red_of_v);
        let green = colour(-u * self.green_of_u - v * self.green_of_v);
        [red, green, colour(u * self.blue_of_u), 255]
    }
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
            PixelFormat::C8 | PixelFormat::Nv12(_) => 1,
            PixelFormat::Rgb565 | PixelFormat::Yuv422(_) | PixelFormat::Nv12Chroma(_) => 2,
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
            PixelFormat::Yuv422(yuv) => yuv.append_rgba(pixels, rgba),
            PixelFormat::Nv12(colours) => colours.append_nv12_row(pixels, &[], rgba),
            PixelFormat::Nv12Chroma(colours) => {
                let factors = colours.factors();
                let chroma = pixels.as_chunks::<2>().0.iter();
                rgba.extend(chroma.flat_map(|&[u, v]| factors.rgba(128, u.into(), v.into())));
            }
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

    fn yuv(order: YuvOrder, matrix: YuvMatrix, full_range: bool, pair: [u8; 4]) -> Vec<u8> {
        let mut out = Vec::new();
        let colours = YuvColours { matrix, full_range };
        let format = PixelFormat::Yuv422(Yuv422 { order, colours });
        format.append_rgba(&pair, &Palette::grey(), &mut out);
        out
    }

    #[test]
    fn pairs_of_pixels_share_their_chroma() {
        use YuvMatrix::Bt601;
        for (order, pair) in [
            (YuvOrder::Yuyv, [16, 128, 168, 177]),
            (YuvOrder::Uyvy, [128, 16, 177, 168]),
            (YuvOrder::Yvyu, [16, 177, 168, 128]),
            (YuvOrder::Vyuy, [177, 16, 128, 168]),
        ] {
            let found = yuv(order, Bt601, false, pair);
            assert_eq!(found, [78, 0, 0, 255, 255, 137, 177, 255], "{order:?}");
        }
    }

    #[test]
    fn luma_and_chroma_become_the_nearest_colour() {
        // Kr and Kb of BT.601 and BT.709, as their standards write the equations.
        for (matrix, red, blue) in
            [(YuvMatrix::Bt601, 0.299, 0.114), (YuvMatrix::Bt709, 0.2126, 0.0722)]
        {
            for full in [false, true] {
                for (y, u, v) in
                    (0..4096).map(|n| ((n & 15) * 17, (n >> 4 & 15) * 17, (n >> 8) * 17))
                {
                    let (low, luma, chroma) =
                        if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
                    let (y1, u1, v1) = (
                        (f64::from(y) - low) / luma,
                        (f64::from(u) - 128.0) / chroma,
                        (f64::from(v) - 128.0) / chroma,
                    );
                    let r = y1 + 2.0 * (1.0 - red) * v1;
                    let b = y1 + 2.0 * (1.0 - blue) * u1;
                    let g = (y1 - red * r - blue * b) / (1.0 - red - blue);
                    let found =
                        yuv(YuvOrder::Yuyv, matrix, full, [y as u8, u as u8, y as u8, v as u8]);
                    for (exact, found) in [r, g, b].into_iter().zip(&found) {
                        let exact = (exact * 255.0).clamp(0.0, 255.0);
                        assert!(
                            (exact - f64::from(*found)).abs() < 0.51,
                            "{matrix:?} {full} {y} {u} {v}: {exact} {found}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn half_a_pair_is_one_pixel() {
        let mut out = Vec::new();
        let colours = YuvColours { matrix: YuvMatrix::Bt709, full_range: true };
        let yuv = Yuv422 { order: YuvOrder::Uyvy, colours };
        PixelFormat::Yuv422(yuv).append_rgba(
            &[128, 50, 128, 60, 128, 70],
            &Palette::grey(),
            &mut out,
        );
        assert_eq!(out, [50, 50, 50, 255, 60, 60, 60, 255, 70, 70, 70, 255]);
    }

    #[test]
    fn a_row_of_nv12_is_a_row_of_yuyv_with_its_bytes_apart() {
        let colours = YuvColours { matrix: YuvMatrix::Bt709, full_range: false };
        let luma: Vec<u8> = (0..=254).collect();
        let chroma: Vec<[u8; 2]> = (0..128).map(|n| [n * 2, 255 - n]).collect();
        let mut found = Vec::new();
        colours.append_nv12_row(&luma, &chroma, &mut found);
        let pairs = luma.chunks(2).zip(&chroma);
        let packed: Vec<u8> = pairs
            .flat_map(|(y, [u, v])| [y[0], *u, y.get(1).copied().unwrap_or_default(), *v])
            .collect();
        let mut expected = Vec::new();
        Yuv422 { order: YuvOrder::Yuyv, colours }.append_rgba(&packed, &mut expected);
        assert_eq!(found, expected[..luma.len() * 4]);
    }

    #[test]
    fn a_row_of_nv12_without_chroma_is_grey() {
        let mut found = Vec::new();
        let colours = YuvColours { matrix: YuvMatrix::Bt601, full_range: false };
        PixelFormat::Nv12(colours).append_rgba(&[16, 235, 126], &Palette::grey(), &mut found);
        assert_eq!(found, [0, 0, 0, 255, 255, 255, 255, 255, 128, 128, 128, 255]);
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
