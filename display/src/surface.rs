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

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
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
