//! Standard tiles: TileYf, of 4 KiB, and TileYs, of 64 KiB. They are about as wide as high (and as deep, in volumes), whatever
//! the size of an element, and a surface's smallest levels share one: its mip tail.
//!
//! ```text
//!  bit of the address    11 10  9  8  7  6  5  4  3  2  1  0
//!  2D,   8 bits           x  y  x  y  y  y  y  y  x  x  x  x      64 bytes x 64 rows
//!       16 and 32         x  y  x  y  x  y  y  y  x  x  x  x     128 bytes x 32 rows
//!       64 and 128        x  y  x  y  x  x  y  y  x  x  x  x     256 bytes x 16 rows
//! ```
//!
//! TileYs goes on with y, x, y, x. In a volume's tile the sizes are the manual's, and so is the place of each level in a tail. The
//! order of its bits is not known to be the hardware's; nothing but the GPU reads such surfaces.
//!
//! Sources: SKL PRM vol 5, "2D/CUBE alignment requirement", "3D alignment requirements", "Tiling and mip tail"; the
//! description of `I915_FORMAT_MOD_Yf_TILED` in drm_fourcc.h.

/// The bits of an address inside of a standard tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// Those that the byte of a row has.
    columns: u32,
    rows: u32,
    slices: u32,
}

/// Where a level is in its mip tail: elements from the tile's first, to the right, down, and slices behind.
type Offset = (u32, u32, u32);

/// Sizes of an element that tails differ for: 128, 64, 32, 16 and 8 bits.
const SIZES: usize = 5;
/// Levels before the tail of a small tile begins, of those that the tables have.
const LARGE_ONLY: usize = 4;

/// Mip tails of planes (SKL PRM vol 5).
const PLANE_TAIL: [[(u8, u8); SIZES]; 15] = [
    [(32, 0), (64, 0), (64, 0), (128, 0), (128, 0)],
    [(0, 32), (0, 32), (0, 64), (0, 64), (0, 128)],
    [(16, 0), (32, 0), (32, 0), (64, 0), (64, 0)],
    [(0, 16), (0, 16), (0, 32), (0, 32), (0, 64)],
    [(8, 0), (16, 0), (16, 0), (32, 0), (32, 0)],
    [(4, 8), (8, 8), (8, 16), (16, 16), (16, 32)],
    [(0, 12), (0, 12), (0, 24), (0, 24), (0, 48)],
    [(0, 8), (0, 8), (0, 16), (0, 16), (0, 32)],
    [(4, 4), (8, 4), (8, 8), (16, 8), (16, 16)],
    [(4, 0), (8, 0), (8, 0), (16, 0), (16, 0)],
    [(0, 4), (0, 4), (0, 8), (0, 8), (0, 16)],
    [(3, 0), (6, 0), (4, 4), (8, 4), (0, 12)],
    [(2, 0), (4, 0), (4, 0), (8, 0), (0, 8)],
    [(1, 0), (2, 0), (0, 4), (0, 4), (0, 4)],
    [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)],
];

/// Mip tails of volumes (SKL PRM vol 5).
const VOLUME_TAIL: [[(u8, u8, u8); SIZES]; 16] = [
    [(8, 0, 0), (16, 0, 0), (16, 0, 0), (16, 0, 0), (32, 0, 0)],
    [(0, 8, 0), (0, 8, 0), (0, 16, 0), (0, 16, 0), (0, 16, 0)],
    [(0, 0, 8), (0, 0, 8), (0, 0, 8), (0, 0, 16), (0, 0, 16)],
    [(4, 0, 0), (8, 0, 0), (8, 0, 0), (8, 0, 0), (16, 0, 0)],
    [(0, 4, 0), (0, 4, 0), (0, 8, 0), (0, 8, 0), (0, 8, 0)],
    [(0, 0, 4), (0, 0, 4), (0, 0, 4), (0, 0, 8), (0, 0, 8)],
    [(3, 0, 0), (6, 0, 0), (4, 4, 0), (0, 4, 4), (0, 4, 4)],
    [(2, 0, 0), (4, 0, 0), (0, 4, 0), (0, 4, 0), (0, 4, 0)],
    [(1, 0, 3), (2, 0, 3), (4, 0, 3), (0, 0, 7), (0, 0, 7)],
    [(1, 0, 2), (2, 0, 2), (4, 0, 2), (0, 0, 6), (0, 0, 6)],
    [(1, 0, 1), (2, 0, 1), (4, 0, 1), (0, 0, 5), (0, 0, 5)],
    [(1, 0, 0), (2, 0, 0), (4, 0, 0), (0, 0, 4), (0, 0, 4)],
    [(0, 0, 3), (0, 0, 3), (0, 0, 3), (0, 0, 3), (0, 0, 3)],
    [(0, 0, 2), (0, 0, 2), (0, 0, 2), (0, 0, 2), (0, 0, 2)],
    [(0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1)],
    [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)],
];

impl Standard {
    /// Tiles for elements of so many bytes, a power of two up to 16. `large`: of 64 KiB.
    #[must_use]
    pub fn new(bytes: u32, volume: bool, large: bool) -> Self {
        // Which coordinate has which bit, from bit 4 on; the lowest four are a row's bytes.
        let order: &[u8; 12] = match (volume, bytes) {
            (false, 0 | 1) => b"yyyyyxyxyxyx",
            (false, 2..=4) => b"yyyxyxyxyxyx",
            (false, _) => b"yyxxyxyxyxyx",
            (true, 0..=2) => b"yzyzyzyzyzxx",
            (true, 3 | 4) => b"yzyzyzyxyzxx",
            (true, _) => b"yzyzyzxxyzxx",
        };
        let count = if large { 12 } else { 8 };
        let mask = |wanted: u8| {
            let bits = order.iter().take(count).enumerate().filter(|(_, axis)| **axis == wanted);
            bits.fold(0, |mask, (bit, _)| mask | 1 << (bit + 4))
        };
        Self { columns: mask(b'x') | 0xf, rows: mask(b'y'), slices: mask(b'z') }
    }

    /// Bytes of a row, rows, and slices of a tile, as powers of two.
    #[must_use]
    pub fn log2_size(self) -> (u32, u32, u32) {
        (self.columns.count_ones(), self.rows.count_ones(), self.slices.count_ones())
    }

    fn log2_bytes(self) -> u32 {
        (self.columns | self.rows | self.slices).count_ones()
    }

    /// What the byte `x` of a row adds to an address.
    #[must_use]
    #[inline]
    pub fn column(self, x: u32) -> u64 {
        u64::from(x >> self.columns.count_ones()) << self.log2_bytes()
            | u64::from(spread(x, self.columns))
    }

    /// What the row `y` adds to an address.
    #[must_use]
    #[inline]
    pub fn row(self, y: u32, pitch: u32) -> u64 {
        let (columns, height, _) = self.log2_size();
        let tiles = u64::from(pitch >> columns);
        (u64::from(y >> height).wrapping_mul(tiles) << self.log2_bytes())
            .wrapping_add(spread(y, self.rows).into())
    }

    /// What a slice adds to an address, inside of its tile.
    #[must_use]
    #[inline]
    pub fn slice(self, z: u32) -> u64 {
        spread(z, self.slices).into()
    }

    /// Where level number `index` of a mip tail lies, for elements of so many bytes.
    #[must_use]
    pub fn tail(self, index: u32, bytes: u32) -> Offset {
        let first = if self.log2_bytes() > 12 { 0 } else { LARGE_ONLY };
        let index = first.saturating_add(index as usize);
        let size = 4_u32.saturating_sub(bytes.max(1).ilog2()) as usize;
        let wide = |(x, y, z): (u8, u8, u8)| (x.into(), y.into(), z.into());
        let offset = if self.slices == 0 {
            PLANE_TAIL.get(index).and_then(|row| row.get(size)).map(|(x, y)| (*x, *y, 0))
        } else {
            VOLUME_TAIL.get(index).and_then(|row| row.get(size)).copied()
        };
        offset.map(wide).unwrap_or_default()
    }
}

/// The low bits of a number, put where the bits of `mask` are.
#[inline]
fn spread(number: u32, mut mask: u32) -> u32 {
    let (mut spread, mut bit) = (0, 0);
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if number >> bit & 1 != 0 {
            spread |= lowest;
        }
        mask &= !lowest;
        bit += 1;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_the_manuals_sizes() {
        let size = |bytes, volume, large| Standard::new(bytes, volume, large).log2_size();
        let planes = [1, 2, 4, 8, 16].map(|bytes| size(bytes, false, false));
        assert_eq!(planes, [(6, 6, 0), (7, 5, 0), (7, 5, 0), (8, 4, 0), (8, 4, 0)]);
        let volumes = [1, 2, 4, 8, 16].map(|bytes| size(bytes, true, false));
        assert_eq!(volumes, [(4, 4, 4), (4, 4, 4), (5, 4, 3), (6, 3, 3), (6, 3, 3)]);
        assert_eq!(size(4, false, true), (9, 7, 0));
        assert_eq!(size(4, true, true), (7, 5, 4));
    }

    #[test]
    fn a_tile_holds_each_of_its_bytes_once() {
        for (bytes, volume) in
            [(1, false), (4, false), (16, false), (2, true), (4, true), (8, true)]
        {
            let tile = Standard::new(bytes, volume, false);
            let (width, height, depth) = tile.log2_size();
            let mut seen = vec![false; 1 << 12];
            for z in 0..1_u32 << depth {
                for y in 0..1_u32 << height {
                    for x in 0..1_u32 << width {
                        let at = tile.column(x) + tile.row(y, 1 << width) + tile.slice(z);
                        assert!(!std::mem::replace(&mut seen[at as usize], true));
                    }
                }
            }
            assert!(seen.iter().all(|seen| *seen));
        }
    }

    #[test]
    fn pixels_of_32_bits_lie_as_the_modifier_describes() {
        let tile = Standard::new(4, false, false);
        let at = |x: u32, y: u32| tile.column(4 * x) + tile.row(y, 256);
        assert_eq!([at(3, 0), at(0, 1), at(0, 4), at(4, 0), at(0, 8)], [12, 16, 64, 128, 256]);
        assert_eq!([at(8, 0), at(0, 16), at(16, 0), at(32, 0)], [512, 1024, 2048, 4096]);
        assert_eq!(at(0, 32), 8192);
    }
}
