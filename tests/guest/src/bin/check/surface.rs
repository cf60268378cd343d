//! Where the bytes of a picture lie in memory, for each tiling of Gen9.
//!
//! A tiled surface is made of 4 KiB tiles, laid out row by row over the pitch. Inside a tile the
//! twelve bits of a byte's offset are bits of its column (in bytes) and of its row, in an order of
//! the tiling's own. Source: Skylake PRM, volume 5, "Address Tiling Function". The checks compute
//! these orders from tables of letters and share no code with the device that they check.

/// A tiling of the blitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tiling {
    Linear,
    X,
    Y,
    /// Its layout depends on the size of a pixel.
    Yf,
}

impl Tiling {
    pub(crate) const ALL: [Tiling; 4] = [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf];

    /// From bit 11 down to bit 0: whether an offset's bit is one of the column or of the row.
    const fn bits(self, pixel_bytes: usize) -> Option<&'static [u8; 12]> {
        match (self, pixel_bytes) {
            (Tiling::Linear, _) => None,
            (Tiling::X, _) => Some(b"rrrccccccccc"),
            (Tiling::Y, _) => Some(b"cccrrrrrcccc"),
            (Tiling::Yf, 1) => Some(b"crcrrrrrcccc"),
            (Tiling::Yf, 2 | 4) => Some(b"crcrcrrrcccc"),
            (Tiling::Yf, _) => Some(b"crcrccrrcccc"),
        }
    }

    /// Columns in bytes and rows of one tile; linear surfaces have tiles of 64 bytes by one row.
    pub(crate) fn tile(self, pixel_bytes: usize) -> (usize, usize) {
        let Some(bits) = self.bits(pixel_bytes) else {
            return (64, 1);
        };
        let columns = bits.iter().filter(|&&bit| bit == b'c').count();
        (1 << columns, 1 << (12 - columns))
    }
}

/// The geometry of a picture in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    pub(crate) tiling: Tiling,
    pub(crate) pixel_bytes: usize,
    /// Bytes from one row to the next; a multiple of the tile's columns.
    pub(crate) pitch: usize,
    /// Rows; a multiple of the tile's.
    pub(crate) rows: usize,
}

impl Surface {
    /// A surface of at least `width` by `height` pixels, rounded up to whole tiles.
    pub(crate) fn new(tiling: Tiling, pixel_bytes: usize, width: usize, height: usize) -> Surface {
        let (columns, rows) = tiling.tile(pixel_bytes);
        Surface {
            tiling,
            pixel_bytes,
            pitch: (width * pixel_bytes).next_multiple_of(columns),
            rows: height.next_multiple_of(rows),
        }
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.pitch * self.rows
    }

    /// Offset of the byte in `column` (in bytes) of `row`.
    pub(crate) fn offset(&self, column: usize, row: usize) -> usize {
        let Some(bits) = self.tiling.bits(self.pixel_bytes) else {
            return row * self.pitch + column;
        };
        let (tile_columns, tile_rows) = self.tiling.tile(self.pixel_bytes);
        let tile = row / tile_rows * (self.pitch / tile_columns) + column / tile_columns;
        let (mut column, mut row) = (column % tile_columns, row % tile_rows);
        let mut inside = 0;
        for (position, bit) in bits.iter().rev().enumerate() {
            let source = if *bit == b'c' { &mut column } else { &mut row };
            inside |= (*source & 1) << position;
            *source >>= 1;
        }
        tile * 4096 + inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(tiling: Tiling, pixel_bytes: usize) -> Surface {
        Surface::new(tiling, pixel_bytes, 1024 / pixel_bytes, 128)
    }

    #[test]
    fn every_byte_has_a_place_of_its_own() {
        for tiling in Tiling::ALL {
            for pixel_bytes in [1, 2, 4, 8, 16] {
                let surface = surface(tiling, pixel_bytes);
                let mut taken = vec![false; surface.size()];
                for row in 0..surface.rows {
                    for column in 0..surface.pitch {
                        let offset = surface.offset(column, row);
                        assert!(!taken[offset], "{tiling:?} {pixel_bytes}: {column}, {row}");
                        taken[offset] = true;
                    }
                }
            }
        }
    }

    #[test]
    fn known_places() {
        let x = surface(Tiling::X, 4);
        assert_eq!(x.offset(511, 0), 511);
        assert_eq!(x.offset(512, 0), 4096);
        assert_eq!(x.offset(3, 1), 512 + 3);
        assert_eq!(x.offset(0, 8), 8192);
        let y = surface(Tiling::Y, 4);
        assert_eq!(y.offset(15, 0), 15);
        assert_eq!(y.offset(16, 0), 512);
        assert_eq!(y.offset(0, 1), 16);
        assert_eq!(y.offset(128, 31), 4096 + 31 * 16);
    }

    #[test]
    fn tiles_of_yf_are_square_or_twice_as_wide_in_pixels() {
        for (pixel_bytes, tile) in
            [(1, (64, 64)), (2, (128, 32)), (4, (128, 32)), (8, (256, 16)), (16, (256, 16))]
        {
            assert_eq!(Tiling::Yf.tile(pixel_bytes), tile);
        }
    }
}
