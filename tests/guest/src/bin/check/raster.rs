//! What the blitter's commands do to memory, computed by the CPU.
//!
//! A raster operation is a truth table: bit `4·P + 2·S + D` of its byte is the result for the bits
//! P of the pattern (here a solid colour), S of the source and D of the destination.

use crate::surface::Surface;

/// A rectangle of pixels: left and top are inside, right and bottom outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) left: i16,
    pub(crate) top: i16,
    pub(crate) right: i16,
    pub(crate) bottom: i16,
}

impl Rectangle {
    pub(crate) const fn new(left: i16, top: i16, right: i16, bottom: i16) -> Rectangle {
        Rectangle { left, top, right, bottom }
    }

    fn rows(self) -> std::ops::Range<usize> {
        self.top as usize..self.bottom.max(self.top) as usize
    }

    /// Columns in bytes; none where the right edge isn't right of the left one.
    fn bytes(self, pixel_bytes: usize) -> std::ops::Range<usize> {
        self.left as usize * pixel_bytes..self.right.max(self.left) as usize * pixel_bytes
    }
}

/// Which channels of a 32-bit pixel a command may write; the other depths write whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    pub(crate) alpha: bool,
    pub(crate) rgb: bool,
}

impl Channels {
    pub(crate) const BOTH: Channels = Channels { alpha: true, rgb: true };

    const fn has(self, pixel_bytes: usize, byte: usize) -> bool {
        match (pixel_bytes, byte % 4) {
            (4, 3) => self.alpha,
            (4, _) => self.rgb,
            _ => true,
        }
    }
}

/// Applies raster operation `code` to one byte of each operand.
pub(crate) fn combine(code: u8, pattern: u8, source: u8, destination: u8) -> u8 {
    (0..8)
        .filter(|minterm| code >> minterm & 1 == 1)
        .map(|minterm| {
            let operand = |byte: u8, bit: u8| if minterm & bit == 0 { !byte } else { byte };
            operand(pattern, 4) & operand(source, 2) & operand(destination, 1)
        })
        .fold(0, |result, term| result | term)
}

/// XY_COLOR_BLT.
pub(crate) fn fill(
    memory: &mut [u8],
    surface: &Surface,
    rectangle: Rectangle,
    code: u8,
    color: u32,
    channels: Channels,
) {
    let color = color.to_le_bytes();
    for row in rectangle.rows() {
        for column in rectangle.bytes(surface.pixel_bytes) {
            let byte = column % surface.pixel_bytes;
            if channels.has(surface.pixel_bytes, byte) {
                let cell = &mut memory[surface.offset(column, row)];
                *cell = combine(code, color[byte], 0, *cell);
            }
        }
    }
}

/// A picture to copy from, and the pixel of it that goes to the rectangle's left top corner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) memory: &'a [u8],
    pub(crate) surface: &'a Surface,
    pub(crate) left: i16,
    pub(crate) top: i16,
}

/// XY_SRC_COPY_BLT and XY_FAST_COPY_BLT, the latter with the operation 0xCC.
///
/// A picture copied onto itself is copied as if the source had been read before any write.
pub(crate) fn copy(
    memory: &mut [u8],
    surface: &Surface,
    rectangle: Rectangle,
    source: &Source<'_>,
    code: u8,
    channels: Channels,
) {
    let (rows, columns) = (rectangle.rows(), rectangle.bytes(surface.pixel_bytes));
    for (down, row) in rows.enumerate() {
        for (right, column) in columns.clone().enumerate() {
            let byte = column % surface.pixel_bytes;
            if channels.has(surface.pixel_bytes, byte) {
                let from_column = source.left as usize * surface.pixel_bytes + right;
                let from = source.surface.offset(from_column, source.top as usize + down);
                let cell = &mut memory[surface.offset(column, row)];
                *cell = combine(code, 0, source.memory[from], *cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Tiling;

    #[test]
    fn operations_have_their_names_meaning() {
        let (p, s, d) = (0b1100_1010, 0b0110_0101, 0b0011_1001);
        for (code, result) in [
            (0x00, 0),
            (0xff, 0xff),
            (0xf0, p),
            (0x5a, p ^ d),
            (0x55, !d),
            (0xcc, s),
            (0x88, s & d),
            (0xee, s | d),
            (0x66, s ^ d),
            (0x44, s & !d),
            (0x22, !s & d),
            (0x11, !(s | d)),
            (0xbb, !s | d),
            (0xaa, d),
        ] {
            assert_eq!(combine(code, p, s, d), result, "{code:#x}");
        }
    }

    #[test]
    fn edges_are_right_and_bottom_exclusive() {
        let surface = Surface::new(Tiling::Linear, 1, 64, 4);
        let mut memory = vec![0; surface.size()];
        fill(&mut memory, &surface, Rectangle::new(1, 1, 3, 2), 0xf0, 9, Channels::BOTH);
        let filled: Vec<usize> = (0..memory.len()).filter(|&at| memory[at] == 9).collect();
        assert_eq!(filled, [65, 66]);
        fill(&mut memory, &surface, Rectangle::new(5, 1, 2, 3), 0xff, 0, Channels::BOTH);
        assert_eq!(memory.iter().filter(|&&byte| byte == 0xff).count(), 0);
    }

    #[test]
    fn channels_keep_the_others() {
        let surface = Surface::new(Tiling::Linear, 4, 16, 1);
        let mut memory = vec![0x11; surface.size()];
        let rgb = Channels { alpha: false, rgb: true };
        fill(&mut memory, &surface, Rectangle::new(0, 0, 1, 1), 0xf0, 0xa1b2_c3d4, rgb);
        assert_eq!(memory[..5], [0xd4, 0xc3, 0xb2, 0x11, 0x11]);
    }

    #[test]
    fn copies_change_the_tiling() {
        let linear = Surface::new(Tiling::Linear, 2, 64, 16);
        let tiled = Surface::new(Tiling::X, 2, 256, 16);
        let picture: Vec<u8> = (0..linear.size()).map(|at| (at * 7) as u8).collect();
        let source = Source { memory: &picture, surface: &linear, left: 3, top: 2 };
        let mut memory = vec![0; tiled.size()];
        let rectangle = Rectangle::new(10, 9, 12, 10);
        copy(&mut memory, &tiled, rectangle, &source, 0xcc, Channels::BOTH);
        let from = linear.offset(6, 2);
        assert_eq!(memory[tiled.offset(20, 9)..][..4], picture[from..][..4]);
        assert_eq!(memory.iter().filter(|&&byte| byte != 0).count(), 4);
    }
}
