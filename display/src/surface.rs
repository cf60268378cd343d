//! A picture as it lies in memory, and how it is read from there.
//!
//! A guest writes the numbers of a [`Surface`] into registers, so none is trusted: [`size_in_bytes`]
//! says how much memory to look at (or that the numbers make no surface), and [`decode`] turns
//! those bytes into a [`Picture`].

use crate::format::{Palette, PixelFormat};
use crate::picture::Picture;
use crate::tiling::{Layout, Tiling};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Pixels that a picture may have on a side: Gen9's planes end at 8192.
pub const MAX_SIDE: u32 = 8192;

/// The layout of a picture in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Surface {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next (in tiled surfaces too: a row of tiles takes
    /// `stride * rows_per_tile` bytes).
    pub stride: u32,
    /// The pixels' encoding.
    pub format: PixelFormat,
    /// The bytes' layout.
    pub tiling: Tiling,
}

/// Why bytes make no picture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No pixels, or more than [`MAX_SIDE`] on a side.
    #[error("a surface of {width}x{height} pixels is empty or above {MAX_SIDE}x{MAX_SIDE}")]
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The stride is less than a row, or no whole number of tiles.
    #[error(
        "a stride of {stride} bytes doesn't suit rows of {row_bytes} bytes in {tiling:?} tiling"
    )]
    Stride {
        /// The surface's stride in bytes.
        stride: u32,
        /// What a row needs in bytes.
        row_bytes: u32,
        /// The surface's tiling.
        tiling: Tiling,
    },
    /// Two surfaces that make no picture together.
    #[error("{0:?} and {1:?} are not the luma and chroma of NV12")]
    Formats(PixelFormat, PixelFormat),
    /// There are fewer bytes than the surface takes.
    #[error("the surface takes {needed} bytes, but there are {given}")]
    Short {
        /// [`size_in_bytes`] of the surface.
        needed: u64,
        /// Bytes at hand.
        given: u64,
    },
}

/// A surface that has been checked: its layout, bytes in a row and bytes in all.
fn check(surface: &Surface) -> Result<(Layout, u32, u64), DecodeError> {
    let Surface { width, height, stride, format, tiling } = *surface;
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(DecodeError::Size { width, height });
    }
    let row_bytes = width * format.bytes_per_pixel();
    Layout::new(tiling, format.bytes_per_pixel(), stride)
        .and_then(|layout| Some((layout, row_bytes, layout.size(row_bytes, height)?)))
        .ok_or(DecodeError::Stride { stride, row_bytes, tiling })
}

/// The bytes from the surface's start that hold its pixels, up to the end of the last row or of
/// the last tile. `None` if [`decode`] would refuse the surface whatever the bytes.
pub fn size_in_bytes(surface: &Surface) -> Option<u64> {
    check(surface).ok().map(|(_, _, size)| size)
}

/// Reads a surface that starts at `bytes[0]`; [`PixelFormat::C8`] becomes grey. Nothing is
/// allocated before all is checked; bytes beyond the surface are ignored.
pub fn decode(surface: &Surface, bytes: &[u8]) -> Result<Picture, DecodeError> {
    decode_with_palette(surface, bytes, &Palette::grey())
}

/// [`decode`] with colours for [`PixelFormat::C8`].
pub fn decode_with_palette(
    surface: &Surface,
    bytes: &[u8],
    palette: &Palette,
) -> Result<Picture, DecodeError> {
    let Surface { width, height, format, .. } = *surface;
    let (layout, row_bytes, needed) = check(surface)?;
    let short = DecodeError::Short { needed, given: bytes.len() as u64 };
    if needed > bytes.len() as u64 {
        return Err(short);
    }
    let mut rgba = Vec::with_capacity(width as usize * height as usize * 4);
    layout
        .for_each_row(bytes, row_bytes, height, |_, row| {
            format.append_rgba(row, palette, &mut rgba);
        })
        .and_then(|()| Picture::from_rgba(width, height, rgba))
        .ok_or(short)
}

/// A surface in memory, and the upper left corner of the part that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The layout.
    pub surface: &'a Surface,
    /// Pixels left of and above the part.
    pub corner: (u32, u32),
    /// The surface's bytes.
    pub bytes: &'a [u8],
}

/// Reads the parts of two surfaces of which one has the luma of a picture ([`PixelFormat::Nv12`]), the other the chroma of
/// each square of four of its pixels ([`PixelFormat::Nv12Chroma`]). Chroma isn't interpolated, and where there is none
/// there is no colour. A corner outside of its surface counts as none.
pub fn decode_nv12(luma: Part<'_>, chroma: Part<'_>) -> Result<Picture, DecodeError> {
    let colours = match (luma.surface.format, chroma.surface.format) {
        (PixelFormat::Nv12(colours), PixelFormat::Nv12Chroma(_)) => colours,
        (first, second) => return Err(DecodeError::Formats(first, second)),
    };
    let (luma_layout, (left, top), luma_row) = luma.check()?;
    let (chroma_layout, (chroma_left, chroma_top), chroma_row) = chroma.check()?;
    let (width, height) = (luma.surface.width - left, luma.surface.height - top);
    let row_of_chroma = |y: u32| -> Vec<[u8; 2]> {
        let columns = (chroma_left * 2..chroma_row).step_by(2);
        let pairs = columns.map(|x| {
            let at = usize::try_from(chroma_layout.offset(x, y)).ok()?;
            chroma.bytes.get(at..)?.first_chunk().copied()
        });
        let inside = y < chroma.surface.height;
        pairs.take_while(|_| inside).flatten().collect()
    };

    let mut rgba = Vec::with_capacity(width as usize * height as usize * 4);
    let mut chroma_of_row = Vec::new();
    luma_layout
        .for_each_row(luma.bytes, luma_row, top + height, |y, row| {
            let Some(y) = y.checked_sub(top) else { return };
            if y.is_multiple_of(2) {
                chroma_of_row = row_of_chroma(chroma_top + y / 2);
            }
            let shown = row.get(left as usize..).unwrap_or_default();
            colours.append_nv12_row(shown, &chroma_of_row, &mut rgba);
        })
        .and_then(|()| Picture::from_rgba(width, height, rgba))
        .ok_or(DecodeError::Size { width, height })
}

impl Part<'_> {
    /// The layout, the corner and the bytes of a row, of a surface that makes sense and whose bytes are there.
    fn check(&self) -> Result<(Layout, (u32, u32), u32), DecodeError> {
        let (layout, row_bytes, needed) = check(self.surface)?;
        let given = self.bytes.len() as u64;
        if needed > given {
            return Err(DecodeError::Short { needed, given });
        }
        let (left, top) = self.corner;
        let inside = left < self.surface.width && top < self.surface.height;
        Ok((layout, if inside { (left, top) } else { (0, 0) }, row_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Yuv422, YuvColours, YuvMatrix, YuvOrder};
    use proptest::prelude::*;

    fn surface(width: u32, height: u32, stride: u32, tiling: Tiling) -> Surface {
        Surface { width, height, stride, format: PixelFormat::Xrgb8888, tiling }
    }

    #[test]
    fn a_linear_surface_ends_with_its_last_pixel() {
        assert_eq!(size_in_bytes(&surface(3, 2, 16, Tiling::Linear)), Some(28));
    }

    #[test]
    fn a_tiled_surface_ends_with_its_last_tile() {
        assert_eq!(size_in_bytes(&surface(130, 9, 1024, Tiling::X)), Some(4 * 4096));
        assert_eq!(size_in_bytes(&surface(1, 9, 1024, Tiling::X)), Some(3 * 4096));
        assert_eq!(size_in_bytes(&surface(1920, 1080, 7680, Tiling::Y)), Some(7680 * 1088));
    }

    #[test]
    fn a_wrong_surface_is_refused_with_the_reason() {
        let huge = surface(8193, 1, 8193 * 4, Tiling::Linear);
        assert_eq!(decode(&huge, &[]), Err(DecodeError::Size { width: 8193, height: 1 }));
        assert!(matches!(
            decode(&surface(2, 0, 8, Tiling::Linear), &[0; 64]),
            Err(DecodeError::Size { .. })
        ));
        assert!(matches!(
            decode(&surface(2, 1, 4, Tiling::Linear), &[0; 64]),
            Err(DecodeError::Stride { .. })
        ));
        assert!(matches!(
            decode(&surface(2, 1, 100, Tiling::X), &[0; 64]),
            Err(DecodeError::Stride { .. })
        ));
        assert_eq!(
            decode(&surface(2, 2, 8, Tiling::Linear), &[0; 15]),
            Err(DecodeError::Short { needed: 16, given: 15 })
        );
    }

    #[test]
    fn a_tiled_surface_shows_the_same_as_a_linear_one() {
        let (width, height) = (200, 70);
        let pixel = |x: u32, y: u32| (x << 16 | y << 8 | (x ^ y)).to_le_bytes();
        let pictures: Vec<Picture> = [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf]
            .into_iter()
            .map(|tiling| {
                let surface = surface(width, height, 1024, tiling);
                let mut bytes = vec![0; size_in_bytes(&surface).unwrap() as usize];
                for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                    let at = tiling.offset(4, 1024, x * 4, y).unwrap() as usize;
                    bytes[at..at + 4].copy_from_slice(&pixel(x, y));
                }
                decode(&surface, &bytes).unwrap()
            })
            .collect();
        assert_eq!(pictures[0].pixel(199, 69), Some([199, 69, 199 ^ 69, 255]));
        assert!(pictures.iter().all(|p| *p == pictures[0]));
    }

    const COLOURS: YuvColours = YuvColours { matrix: YuvMatrix::Bt601, full_range: false };

    /// The layouts of a picture's luma and chroma.
    fn nv12((width, height): (u32, u32), stride: u32, tiling: Tiling) -> [Surface; 2] {
        let luma = Surface { width, height, stride, format: PixelFormat::Nv12(COLOURS), tiling };
        let (width, height) = (width.div_ceil(2), height.div_ceil(2));
        [luma, Surface { width, height, format: PixelFormat::Nv12Chroma(COLOURS), ..luma }]
    }

    #[test]
    fn four_pixels_of_nv12_share_their_chroma_in_any_tiling() {
        for tiling in [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf] {
            let [luma, chroma] = nv12((133, 71), 512, tiling);
            let luma_of = |x: u32, y: u32| (x * 3 + y * 7) as u8;
            let chroma_of = |x: u32, y: u32| [(x * 5 + y) as u8, (x + y * 11) as u8];
            let mut bytes = [luma, chroma].map(|s| vec![0; size_in_bytes(&s).unwrap() as usize]);
            for (x, y) in (0..71).flat_map(|y| (0..133).map(move |x| (x, y))) {
                bytes[0][tiling.offset(1, 512, x, y).unwrap() as usize] = luma_of(x, y);
            }
            for (x, y) in (0..36).flat_map(|y| (0..67).map(move |x| (x, y))) {
                let at = tiling.offset(2, 512, x * 2, y).unwrap() as usize;
                bytes[1][at..at + 2].copy_from_slice(&chroma_of(x, y));
            }
            // A part from (10, 4), whose chroma begins at (5, 2).
            let part = |surface, corner, bytes| Part { surface, corner, bytes };
            let picture =
                decode_nv12(part(&luma, (10, 4), &bytes[0]), part(&chroma, (5, 2), &bytes[1]))
                    .unwrap();
            assert_eq!((picture.width(), picture.height()), (123, 67));
            for (x, y) in (0..67).flat_map(|y| (0..123).map(move |x| (x, y))) {
                let [u, v] = chroma_of(5 + x / 2, 2 + y / 2);
                let mut expected = Vec::new();
                let yuv = Yuv422 { order: YuvOrder::Yuyv, colours: COLOURS };
                let pair = [luma_of(10 + x, 4 + y), u, 0, v];
                PixelFormat::Yuv422(yuv).append_rgba(&pair, &Palette::grey(), &mut expected);
                assert_eq!(picture.pixel(x, y).unwrap(), expected[..4], "{tiling:?} {x}, {y}");
            }
        }
    }

    #[test]
    fn chroma_may_end_before_luma_and_must_be_chroma() {
        let [luma, mut chroma] = nv12((4, 4), 64, Tiling::Linear);
        (chroma.width, chroma.height) = (1, 1);
        let luma_bytes = [126; 256];
        let part = |surface, corner, bytes| Part { surface, corner, bytes };
        let picture =
            decode_nv12(part(&luma, (0, 0), &luma_bytes), part(&chroma, (9, 9), &[128, 240]))
                .unwrap();
        assert_eq!(picture.pixel(0, 0), picture.pixel(1, 1));
        assert_ne!(picture.pixel(0, 0), picture.pixel(2, 1), "no chroma to the right");
        assert_eq!(picture.pixel(2, 0), Some([128, 128, 128, 255]));
        assert_eq!(picture.pixel(0, 2), Some([128, 128, 128, 255]));
        let luma = part(&luma, (0, 0), &luma_bytes);
        assert!(matches!(decode_nv12(luma, luma), Err(DecodeError::Formats(..))));
        let short = decode_nv12(luma, part(&chroma, (0, 0), &[128]));
        assert_eq!(short, Err(DecodeError::Short { needed: 2, given: 1 }));
    }

    proptest! {
        #[test]
        fn no_numbers_make_nv12_panic(
            sizes in prop::array::uniform4(0..70_u32), strides in prop::array::uniform2(0..9_u32),
            corners: [(u8, u8); 2], tiling in 0..4usize,
        ) {
            let tiling = [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf][tiling];
            let [mut luma, mut chroma] = nv12((sizes[0], sizes[1]), strides[0] * 128, tiling);
            (chroma.width, chroma.height, chroma.stride) = (sizes[2], sizes[3], strides[1] * 128);
            luma.tiling = Tiling::Linear;
            let bytes = vec![7; 9000];
            let part = |surface, (left, top): (u8, u8)| Part {
                surface, corner: (left.into(), top.into()), bytes: &bytes,
            };
            if let Ok(picture) = decode_nv12(part(&luma, corners[0]), part(&chroma, corners[1])) {
                prop_assert!(picture.width() <= luma.width && picture.height() <= luma.height);
            }
        }

        #[test]
        fn no_numbers_make_decode_panic(
            width: u32, height: u32, stride: u32, tiling in 0..4usize, format in 0..3usize, small: bool,
        ) {
            let tiling = [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf][tiling];
            let format = [PixelFormat::C8, PixelFormat::Rgb565, PixelFormat::Argb8888][format];
            let surface = if small {
                Surface { width: width % 70, height: height % 70, stride: stride % 9 * 128, format, tiling }
            } else {
                Surface { width, height, stride, format, tiling }
            };
            let bytes = vec![7; 9000];
            if let Ok(picture) = decode(&surface, &bytes) {
                prop_assert!(size_in_bytes(&surface).unwrap() <= 9000);
                prop_assert_eq!((picture.width(), picture.height()), (surface.width, surface.height));
            }
        }
    }
}
