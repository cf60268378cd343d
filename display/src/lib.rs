//! Frame-buffer formats and tilings, EDID and modes, pictures. Knows nothing of VMs.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

/// How the pixels of a surface are encoded. Names read from the most significant bit of the little-endian pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// How the bytes of a surface are laid out in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tiling {
    /// Rows one after another.
    Linear,
    /// Tiles of 512 bytes by 8 rows, row by row.
    X,
    /// Tiles of 128 bytes by 32 rows, in columns of 16 bytes.
    Y,
    /// Tiles of 4 KiB whose shape depends on the pixel's size, Gen9's Yf.
    Yf,
}

/// The layout of a picture in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Surface {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next (in tiled surfaces: from one row of the picture to the next, so a row of tiles
    /// takes `stride * rows_per_tile` bytes).
    pub stride: u32,
    /// The pixels' encoding.
    pub format: PixelFormat,
    /// The bytes' layout.
    pub tiling: Tiling,
}
