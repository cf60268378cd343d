//! Where in memory the byte at (x, y) of a surface lies.
//!
//! A tiled surface is cut into tiles of 4 KiB (one page), so that neighbours in both directions
//! share a page and often a cache line. Tiles follow one another row by row; inside a tile the
//! twelve bits of the address are dealt out to x and y:
//!
//! ```text
//!  bit    11 10  9  8  7  6  5  4  3  2  1  0
//!  X       y  y  y  x  x  x  x  x  x  x  x  x    512 bytes x  8 rows, row after row
//!  Y       x  x  x  y  y  y  y  y  x  x  x  x    128 bytes x 32 rows, columns of 16 bytes
//!  Yf  8   x  y  x  y  y  y  y  y  x  x  x  x     64 bytes x 64 rows   (8 bits per pixel)
//!  Yf 32   x  y  x  y  x  y  y  y  x  x  x  x    128 bytes x 32 rows   (16 and 32 bits)
//!  Yf128   x  y  x  y  x  x  y  y  x  x  x  x    256 bytes x 16 rows   (64 and 128 bits)
//! ```
//!
//! So an address is always a part that depends on x alone plus a part that depends on y alone,
//! and [`Layout`] hands out both. Sources: SKL PRM vol 5 "Memory Views" for X and Y; the bit
//! tables of Intel's gmmlib and the description of `I915_FORMAT_MOD_Yf_TILED` for Yf.
//!
//! Bit-6 swizzling (XOR of higher address bits into bit 6, on older generations, set up by the
//! memory controller) is not used on Gen9: the driver reports no swizzle from Gen8 on.

use serde::{Deserialize, Serialize};

/// Bytes of a tile, in every tiling.
pub const TILE_BYTES: u64 = 4096;

/// How the bytes of a surface are laid out in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// The address bits inside a tile that carry x and those that carry y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TileBits {
    x: u16,
    y: u16,
}

const X_TILE: TileBits = TileBits { x: 0b0001_1111_1111, y: 0b1110_0000_0000 };
const Y_TILE: TileBits = TileBits { x: 0b1110_0000_1111, y: 0b0001_1111_0000 };
const YF_TILE_8: TileBits = TileBits { x: 0b1010_0000_1111, y: 0b0101_1111_0000 };
const YF_TILE_32: TileBits = TileBits { x: 0b1010_1000_1111, y: 0b0101_0111_0000 };
const YF_TILE_128: TileBits = TileBits { x: 0b1010_1100_1111, y: 0b0101_0011_0000 };

impl TileBits {
    fn width(self) -> u32 {
        1 << self.x.count_ones()
    }

    fn height(self) -> u32 {
        1 << self.y.count_ones()
    }
}

/// Spreads the low bits of `value` over the set bits of `mask`, lowest first.
fn deposit(value: u32, mask: u16) -> u64 {
    let (mut rest, mut address, mut bit) = (mask, 0, 0);
    while rest != 0 {
        let lowest = rest & rest.wrapping_neg();
        if value >> bit & 1 == 1 {
            address |= u64::from(lowest);
        }
        rest ^= lowest;
        bit += 1;
    }
    address
}

impl Tiling {
    /// The bits of a tile. `None` if there are no tiles, or none for this pixel size.
    fn tile_bits(self, bytes_per_pixel: u32) -> Option<TileBits> {
        match (self, bytes_per_pixel) {
            (Tiling::X, _) => Some(X_TILE),
            (Tiling::Y, _) => Some(Y_TILE),
            (Tiling::Yf, 1) => Some(YF_TILE_8),
            (Tiling::Yf, 2 | 4) => Some(YF_TILE_32),
            (Tiling::Yf, 8 | 16) => Some(YF_TILE_128),
            (Tiling::Linear | Tiling::Yf, _) => None,
        }
    }

    /// Width in bytes and height in rows of a tile, `None` if there are none. The pixel's size
    /// matters to [`Tiling::Yf`] alone.
    pub fn tile_size(self, bytes_per_pixel: u32) -> Option<(u32, u32)> {
        self.tile_bits(bytes_per_pixel).map(|bits| (bits.width(), bits.height()))
    }

    /// The layout of a surface with this stride, see [`Layout::new`].
    pub fn layout(self, bytes_per_pixel: u32, stride: u32) -> Option<Layout> {
        Layout::new(self, bytes_per_pixel, stride)
    }

    /// The offset from the surface's start of the byte `x` (in bytes) of row `y`; `None` where
    /// [`Layout::new`] has none. For more than a few bytes, keep the [`Layout`].
    pub fn offset(self, bytes_per_pixel: u32, stride: u32, x: u32, y: u32) -> Option<u64> {
        Some(self.layout(bytes_per_pixel, stride)?.offset(x, y))
    }
}

/// A tiling with its stride: turns (x, y) into offsets. Nothing here overflows for any arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    tile: Option<TileBits>,
    stride: u64,
}

impl Layout {
    /// A layout of `stride` bytes from one row of pixels to the next. `None` if the stride isn't
    /// a whole, positive number of tiles, or if Yf doesn't know the pixel's size.
    pub fn new(tiling: Tiling, bytes_per_pixel: u32, stride: u32) -> Option<Layout> {
        let tile = tiling.tile_bits(bytes_per_pixel);
        let whole = match tile {
            None => tiling == Tiling::Linear,
            Some(bits) => stride > 0 && stride.is_multiple_of(bits.width()),
        };
        whole.then_some(Layout { tile, stride: u64::from(stride) })
    }

    /// The part of an offset that comes from `x`, in bytes from the row's start. An x beyond the
    /// stride goes on into what follows the row.
    pub fn column(&self, x: u32) -> u64 {
        match self.tile {
            None => u64::from(x),
            Some(bits) => {
                u64::from(x / bits.width()) * TILE_BYTES + deposit(x % bits.width(), bits.x)
            }
        }
    }

    /// The part of an offset that comes from the row `y`.
    pub fn row(&self, y: u32) -> u64 {
        match self.tile {
            None => u64::from(y) * self.stride,
            Some(bits) => {
                let tile_row = u64::from(y / bits.height()) * u64::from(bits.height());
                tile_row * self.stride + deposit(y % bits.height(), bits.y)
            }
        }
    }

    /// The offset from the surface's start of the byte `x` (in bytes) of row `y`.
    pub fn offset(&self, x: u32, y: u32) -> u64 {
        self.column(x) + self.row(y)
    }

    /// How many bytes lie side by side: from any x that is a multiple of this, so many bytes of a
    /// row are contiguous. `None`: the whole row is.
    pub fn run(&self) -> Option<u32> {
        self.tile.map(|bits| 1 << bits.x.trailing_ones())
    }

    /// The bytes from the surface's start to the end of its last row, or of its last tile.
    /// `None` if the surface is empty or `row_bytes` doesn't fit the stride.
    pub fn size(&self, row_bytes: u32, rows: u32) -> Option<u64> {
        if row_bytes == 0 || rows == 0 || u64::from(row_bytes) > self.stride {
            return None;
        }
        Some(match self.tile {
            None => u64::from(rows - 1) * self.stride + u64::from(row_bytes),
            Some(bits) => {
                let full_rows = u64::from((rows - 1) / bits.height()) * u64::from(bits.height());
                full_rows * self.stride + u64::from(row_bytes.div_ceil(bits.width())) * TILE_BYTES
            }
        })
    }

    /// Copies the surface's rows out of `bytes` one at a time, in order, and shows each to
    /// `each_row`: `row_bytes` bytes, no tiles left. `None` (and no call) if `bytes` is shorter
    /// than [`Layout::size`] or the surface has no size.
    pub fn for_each_row(
        &self,
        bytes: &[u8],
        row_bytes: u32,
        rows: u32,
        mut each_row: impl FnMut(u32, &[u8]),
    ) -> Option<()> {
        if self.size(row_bytes, rows)? > bytes.len() as u64 {
            return None;
        }
        let run = self.run().unwrap_or(row_bytes);
        let columns: Vec<u64> =
            (0..row_bytes).step_by(run as usize).map(|x| self.column(x)).collect();
        let mut row = vec![0; row_bytes as usize];
        for y in 0..rows {
            let start = self.row(y);
            for (chunk, column) in row.chunks_mut(run as usize).zip(&columns) {
                let from = (start + column) as usize;
                chunk.copy_from_slice(bytes.get(from..from + chunk.len())?);
            }
            each_row(y, &row);
        }
        Some(())
    }

    /// The whole surface without tiles: `rows` times `row_bytes`, tight. `None` as in
    /// [`Layout::for_each_row`]. The result is never longer than `bytes`.
    pub fn detile(&self, bytes: &[u8], row_bytes: u32, rows: u32) -> Option<Vec<u8>> {
        if self.size(row_bytes, rows)? > bytes.len() as u64 {
            return None;
        }
        let mut out = Vec::with_capacity(row_bytes as usize * rows as usize);
        self.for_each_row(bytes, row_bytes, rows, |_, row| out.extend_from_slice(row))?;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TILED: [(Tiling, u32); 5] =
        [(Tiling::X, 4), (Tiling::Y, 4), (Tiling::Yf, 1), (Tiling::Yf, 4), (Tiling::Yf, 8)];

    #[test]
    fn tiles_have_the_documented_shapes() {
        let sizes: Vec<_> = TILED.iter().map(|&(t, bpp)| t.tile_size(bpp).unwrap()).collect();
        assert_eq!(sizes, [(512, 8), (128, 32), (64, 64), (128, 32), (256, 16)]);
        assert_eq!(Tiling::Linear.tile_size(4), None);
        assert_eq!(Tiling::Yf.tile_size(3), None);
    }

    #[test]
    fn x_tile_is_row_major_inside() {
        assert_eq!(Tiling::X.offset(4, 1024, 0, 1), Some(512));
        assert_eq!(Tiling::X.offset(4, 1024, 511, 7), Some(4095));
        assert_eq!(Tiling::X.offset(4, 1024, 512, 0), Some(4096));
        assert_eq!(Tiling::X.offset(4, 1024, 0, 8), Some(8192));
    }

    #[test]
    fn y_tile_is_columns_of_sixteen_bytes() {
        assert_eq!(Tiling::Y.offset(4, 256, 15, 0), Some(15));
        assert_eq!(Tiling::Y.offset(4, 256, 0, 1), Some(16));
        assert_eq!(Tiling::Y.offset(4, 256, 16, 0), Some(512));
        assert_eq!(Tiling::Y.offset(4, 256, 128, 0), Some(4096));
        assert_eq!(Tiling::Y.offset(4, 256, 0, 32), Some(8192));
    }

    /// The words of drm_fourcc.h: 64-byte blocks of four rows of 16 bytes, units of 256 bytes, units
    /// two by two column by column, twice.
    #[test]
    fn yf_tile_nests_blocks_in_units_in_groups() {
        let at = |x, y| Tiling::Yf.offset(4, 128, x, y).unwrap();
        assert_eq!(
            [at(0, 1), at(0, 4), at(16, 0)],
            [16, 64, 128],
            "blocks in a unit, 32 bytes x 8"
        );
        assert_eq!([at(0, 8), at(32, 0)], [256, 512], "units in a group");
        assert_eq!([at(0, 16), at(64, 0)], [1024, 2048], "groups in a tile");
    }

    #[test]
    fn every_tile_is_a_bijection() {
        for (tiling, bpp) in TILED {
            let (width, height) = tiling.tile_size(bpp).unwrap();
            let layout = tiling.layout(bpp, width).unwrap();
            let mut seen = [false; TILE_BYTES as usize];
            for y in 0..height {
                for x in 0..width {
                    let at = layout.offset(x, y) as usize;
                    assert!(!std::mem::replace(&mut seen[at], true), "{tiling:?} {x} {y}");
                }
            }
            assert!(seen.iter().all(|&s| s), "{tiling:?} leaves holes");
        }
    }

    #[test]
    fn strides_of_broken_tiles_are_refused() {
        assert_eq!(Layout::new(Tiling::X, 4, 0), None);
        assert_eq!(Layout::new(Tiling::X, 4, 500), None);
        assert_eq!(Layout::new(Tiling::Y, 4, 130), None);
        assert!(Layout::new(Tiling::Linear, 4, 7).is_some());
    }

    proptest! {
        #[test]
        fn offsets_never_overflow(x: u32, y: u32, stride: u32, bpp in 0..20u32) {
            for tiling in [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf] {
                if let Some(layout) = Layout::new(tiling, bpp, stride & !511) {
                    prop_assert!(layout.offset(x, y) >= layout.column(x));
                    layout.size(x, y);
                }
            }
        }

        #[test]
        fn offsets_stay_inside_their_tile(
            kind in 0..TILED.len(), tiles in 1..20u32, x: u32, y in 0..10_000u32,
        ) {
            let (tiling, bpp) = TILED[kind];
            let (width, height) = tiling.tile_size(bpp).unwrap();
            let x = x % (width * tiles);
            let tile = tiling.offset(bpp, width * tiles, x, y).unwrap() / TILE_BYTES;
            prop_assert_eq!(tile, u64::from(y / height * tiles + x / width));
        }

        #[test]
        fn detiling_agrees_with_single_offsets(
            kind in 0..=TILED.len(), tiles in 1..4u32, row_bytes in 1..300u32, rows in 1..80u32, seed: u8,
        ) {
            let (tiling, bpp) = TILED.get(kind).copied().unwrap_or((Tiling::Linear, 4));
            let stride = tiles * 1024;
            let layout = tiling.layout(bpp, stride).unwrap();
            let size = layout.size(row_bytes, rows).unwrap() as usize;
            let bytes: Vec<u8> = (0..size).map(|i| ((i * 31) >> 3) as u8 ^ seed).collect();
            let flat = layout.detile(&bytes, row_bytes, rows).unwrap();
            for y in 0..rows {
                for x in 0..row_bytes {
                    let from = layout.offset(x, y) as usize;
                    prop_assert_eq!(flat[(y * row_bytes + x) as usize], bytes[from]);
                }
            }
            prop_assert!(layout.detile(&bytes[..size - 1], row_bytes, rows).is_none());
        }
    }
}
