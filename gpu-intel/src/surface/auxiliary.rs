//! Which pixels of a surface are clear: what its auxiliary memory says.
//!
//! A fast clear leaves a surface as it is and marks pixels as clear. Whoever reads a marked pixel gets the clear colour of the
//! RENDER_SURFACE_STATE that it reads through, whatever that was when the pixel was marked: drivers change the colour of
//! pixels that are clear already by changing states alone.
//!
//! | samples | called | a mark | of | clear | as stored |
//! |---|---|---|---|---|---|
//! | 1 | CCS | 2 bits | two cache lines: 8x4 pixels of 32 bits | 3 | 0 |
//! | 2, 4, 8, 16 | MCS | 1, 1, 4, 8 bytes | a pixel | all ones | sample n in plane n: 2, e4, 76543210, ... |
//! | depth, any | HiZ | 16 bytes | 8x4 pixels | 0 | all ones, which is the model's own to say |
//!
//! Nothing but the GPU reads marks, but drivers write both ends of the table through ordinary surfaces. So each line of a
//! CCS lies where hardware has it, and in what order the bits of a line stand is the model's own to say: such that the marks
//! of 32x32 pixels, which one thread draws at a time, have bytes of their own. The model doesn't compress: what is not
//! clear is as stored.
//!
//! Source: SKL PRM vol 5 (Memory Views: CCS, MCS), vol 7 ("MCS Buffer for Render Target(s)"), vol 12 (planes: what a line of
//! the CCS covers).

use super::cache::{LINE, TexelCache};
use super::layout::{Geometry, Layout, MAX_LEVELS, Plane, Samples, Shape, Tiling};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;

/// Pixels along each side of what is marked at a time.
pub const MARKED: usize = 32;

/// Clear pixels of 32x32: a row each, bit n is column n.
pub type Mask = [u32; MARKED];

/// Rows of pixels that a line of the CCS covers, as a power of two.
const LOG2_LINE_ROWS: u32 = 6;
/// What is aligned in a CCS, in pixels: levels.
const CCS_ALIGN: (u32, u32) = (128, 64);
/// Lines that a sampler looks at before it looks at each texel's own.
const MOST_LINES: u32 = 4;

/// A surface's marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    layout: Layout,
    unit: Unit,
}

/// What has a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A block, four pixels high and this wide, as a power of two.
    Block { log2_width: u32 },
    /// A pixel; this is what it has if samples are where their numbers say.
    Pixel { stored: u64 },
    /// 8x4 pixels of depth, with all their samples.
    Depth,
}

/// The mark of a block of depth.
const DEPTH_MARK: usize = 16;

/// Marks of one layer of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPlane {
    unit: Unit,
    plane: Plane,
    base: u64,
    pitch: u32,
    /// Pixels before its first.
    origin: (u32, u32),
}

/// The code of a pixel whose samples are stored where their numbers say.
#[must_use]
pub(super) fn stored_samples(log2_samples: u8) -> u64 {
    match log2_samples {
        0 => 0,
        1 => 0x2,
        2 => 0xe4,
        3 => 0x7654_3210,
        _ => 0xfedc_ba98_7654_3210,
    }
}

impl Marks {
    /// The marks of `surface`, at `base`, with `pitch` bytes to a row and `qpitch` rows of pixels to a layer. `None`: such
    /// surfaces have no marks.
    #[must_use]
    pub fn new(surface: &Geometry, base: u64, pitch: u32, qpitch: u32) -> Option<Self> {
        let Samples::Layers { log2 } = surface.samples else { return None };
        let tiled = matches!(surface.tiling, Tiling::Y | Tiling::Standard(_));
        if !tiled || surface.block != 1 || surface.shape == Shape::Line {
            return None;
        }
        let unit = match (log2, surface.bytes) {
            (0, 4) => Unit::Block { log2_width: 3 },
            (0, 8) => Unit::Block { log2_width: 2 },
            (0, 16) => Unit::Block { log2_width: 1 },
            (0, _) => return None,
            _ => Unit::Pixel { stored: stored_samples(log2) },
        };
        let (bytes, (halign, valign)) = match (unit, log2) {
            (Unit::Block { .. }, _) => (1, CCS_ALIGN),
            (_, 1 | 2) => (1, (4, 4)),
            (_, 3) => (4, (4, 4)),
            _ => (8, (4, 4)),
        };
        let geometry = Geometry {
            base,
            pitch,
            bytes,
            halign,
            valign,
            qpitch,
            samples: Samples::ONE,
            offset: (0, 0),
            tiling: Tiling::Y,
            tail: MAX_LEVELS,
            ..*surface
        };
        Some(Self { layout: Layout::new(geometry), unit })
    }

    /// The marks of a depth buffer: its HiZ buffer, at `base`.
    #[must_use]
    pub fn of_depth(depth: &Geometry, base: u64, pitch: u32, qpitch: u32) -> Self {
        let geometry = Geometry {
            base,
            pitch,
            bytes: 1,
            halign: 16,
            valign: 8,
            qpitch,
            samples: Samples::ONE,
            offset: (0, 0),
            tiling: Tiling::Y,
            tail: MAX_LEVELS,
            ..*depth
        };
        Self { layout: Layout::new(geometry), unit: Unit::Depth }
    }

    /// Pixels that one of a fast clear's or a resolve's rectangle stands for.
    #[must_use]
    pub fn scale(&self) -> (i32, i32) {
        match (self.unit, self.layout.geometry().bytes) {
            // Eight blocks by eight.
            (Unit::Block { log2_width }, _) => (8 << log2_width, 32),
            (Unit::Depth, _) => (1, 1),
            (_, 1) => (8, 2),
            (_, 4) => (2, 2),
            _ => (1, 2),
        }
    }

    /// Those of a layer.
    #[must_use]
    #[inline]
    pub fn plane(&self, level: u32, layer: u32) -> MarkPlane {
        let geometry = self.layout.geometry();
        let (x, y) = self.layout.level(level).origin;
        MarkPlane {
            unit: self.unit,
            plane: self.layout.plane(level, layer, 0),
            base: geometry.base,
            pitch: geometry.pitch,
            origin: (x, y.wrapping_add(layer.wrapping_mul(geometry.qpitch))),
        }
    }
}

/// Where the mark of a block is: the first byte of its line, and its place among the line's marks.
struct Place {
    line: u64,
    number: u32,
}

impl MarkPlane {
    /// The pixel of the whole CCS that a pixel is.
    fn pixel(&self, x: u32, y: u32) -> (u32, u32) {
        (x.wrapping_add(self.origin.0), y.wrapping_add(self.origin.1))
    }

    /// The line of a pixel of the whole CCS: lines are as wide as 16 blocks.
    fn line(&self, log2_width: u32, (x, y): (u32, u32)) -> u64 {
        let (column, row) = (x >> (4 + log2_width), y >> LOG2_LINE_ROWS);
        let row = Tiling::Y.row(4 * row, self.pitch);
        self.base.wrapping_add(row).wrapping_add(Tiling::Y.column(16 * column))
    }

    fn block(&self, log2_width: u32, x: u32, y: u32) -> Place {
        let (x, y) = self.pixel(x, y);
        // Squares of 32x32 pixels in a line, blocks in a square.
        let squares = log2_width - 1;
        let square = (y >> 5 & 1) << squares | x >> 5 & ((1 << squares) - 1);
        let block = (y >> 2 & 7) << (5 - log2_width) | (x & 31) >> log2_width;
        Place { line: self.line(log2_width, (x, y)), number: square << (8 - log2_width) | block }
    }

    /// Where the marks of 32x32 pixels from (x, y) on are: multiples of 32.
    fn square(&self, log2_width: u32, x: u32, y: u32) -> (PpgttAddress, usize) {
        let first = self.block(log2_width, x, y);
        let at = first.line.wrapping_add(u64::from(first.number) / 4);
        (PpgttAddress(at).truncated(), LINE >> log2_width)
    }

    /// Where the mark of a block of depth is: tiles of 128 bytes of pitch hold 16 by 16 of them.
    fn depth_block(&self, x: u32, y: u32) -> u64 {
        let (x, y) = self.pixel(x, y);
        let (column, row) = (u64::from(x / 8), u64::from(y / 4));
        let tile = (row / 16).wrapping_mul((self.pitch / 128).into()).wrapping_add(column / 16);
        let place = 16 * (row % 16) + column % 16;
        self.base.wrapping_add(tile << 12).wrapping_add(place << 4)
    }

    /// Calls `each` with the address of the mark of each block among so many columns and rows from (x, y) on, with the
    /// block's first row among them, and its columns.
    fn depth_blocks(
        &self,
        (x, y): (u32, u32),
        (columns, rows): (usize, usize),
        mut each: impl FnMut(PpgttAddress, usize, u32) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for row in (0..rows.min(MARKED)).step_by(4) {
            for column in (0..columns.min(MARKED)).step_by(8) {
                let at = self.depth_block(x + column as u32, y + row as u32);
                each(PpgttAddress(at).truncated(), row, 0xff << column)?;
            }
        }
        Ok(())
    }

    /// Which of so many columns and rows from (x, y) on are clear; both are multiples of 32. `None`: none.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub fn read<M: PpgttMemory + ?Sized>(
        &self,
        memory: &mut M,
        (x, y): (u32, u32),
        (columns, rows): (usize, usize),
    ) -> Result<Option<Mask>, Fault> {
        let mut mask = [0; MARKED];
        match self.unit {
            Unit::Block { log2_width } => {
                let mut bytes = [0; LINE / 2];
                let (at, length) = self.square(log2_width, x, y);
                let bytes = bytes.get_mut(..length).unwrap_or_default();
                memory.read(at, bytes)?;
                if bytes.iter().all(|byte| *byte == 0) {
                    return Ok(None);
                }
                let blocks = bytes.chunks_exact(length / 8);
                for (rows, marks) in mask.as_chunks_mut::<4>().0.iter_mut().zip(blocks) {
                    *rows = [clear_columns(log2_width, marks); 4];
                }
            }
            Unit::Depth => {
                self.depth_blocks((x, y), (columns, rows), |at, row, columns| {
                    let mut mark = [0; DEPTH_MARK];
                    memory.read(at, &mut mark)?;
                    if mark == [0; DEPTH_MARK] {
                        mask.iter_mut().skip(row).take(4).for_each(|mask| *mask |= columns);
                    }
                    Ok(())
                })?;
            }
            Unit::Pixel { .. } => {
                let mut row = [0; 8 * MARKED];
                for (mask, y) in mask.iter_mut().zip(y..).take(rows) {
                    let row = row.get_mut(..columns * self.bytes()).unwrap_or_default();
                    self.runs(x, y, columns, |at, range| {
                        memory.read(at, row.get_mut(range).unwrap_or_default())
                    })?;
                    for (column, code) in row.chunks_exact(self.bytes()).enumerate() {
                        *mask |= u32::from(code.iter().all(|byte| *byte == 0xff)) << column;
                    }
                }
            }
        }
        Ok(mask.iter().any(|row| *row != 0).then_some(mask))
    }

    /// Marks so many columns and rows from (x, y) on: as clear what is in `mask`, as stored what is not. A block whose
    /// pixels are not all in it is not clear.
    ///
    /// # Errors
    /// A fault where nothing is mapped, or only for reading.
    pub fn write<M: PpgttMemory + ?Sized>(
        &self,
        memory: &mut M,
        (x, y): (u32, u32),
        (columns, rows): (usize, usize),
        mask: &Mask,
    ) -> Result<(), Fault> {
        match self.unit {
            Unit::Block { log2_width } => {
                let mut bytes = [0; LINE / 2];
                let (at, length) = self.square(log2_width, x, y);
                let bytes = bytes.get_mut(..length).unwrap_or_default();
                let blocks = bytes.chunks_exact_mut(length / 8);
                for (marks, rows) in blocks.zip(mask.as_chunks::<4>().0) {
                    mark_columns(log2_width, rows.iter().fold(!0, |all, row| all & row), marks);
                }
                memory.write(at, bytes)
            }
            Unit::Depth => {
                let inside = u32::MAX >> (MARKED - columns.clamp(1, MARKED));
                self.depth_blocks((x, y), (columns, rows), |at, row, columns| {
                    let mut pixels = mask.iter().take(rows).skip(row).take(4);
                    let clear = pixels.all(|mask| mask & columns & inside == columns & inside);
                    memory.write(at, &[if clear { 0 } else { 0xff }; DEPTH_MARK])
                })
            }
            Unit::Pixel { stored } => {
                let mut row = [0; 8 * MARKED];
                for (mask, y) in mask.iter().zip(y..).take(rows) {
                    let row = row.get_mut(..columns * self.bytes()).unwrap_or_default();
                    for (column, code) in row.chunks_exact_mut(self.bytes()).enumerate() {
                        let value = if mask >> column & 1 != 0 { u64::MAX } else { stored };
                        code.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
                    }
                    self.runs(x, y, columns, |at, range| {
                        memory.write(at, row.get(range).unwrap_or_default())
                    })?;
                }
                Ok(())
            }
        }
    }

    /// Bytes of a pixel's mark.
    fn bytes(&self) -> usize {
        match self.unit {
            Unit::Block { .. } | Unit::Depth => 1,
            Unit::Pixel { stored: ..=0xff } => 1,
            Unit::Pixel { stored: ..=0xffff_ffff } => 4,
            Unit::Pixel { .. } => 8,
        }
    }

    /// Calls `each` with the address of each run of pixels' marks, and where its bytes are in a row.
    fn runs(
        &self,
        x: u32,
        y: u32,
        columns: usize,
        mut each: impl FnMut(PpgttAddress, std::ops::Range<usize>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut done = 0;
        while done < columns {
            let x = x.wrapping_add(done as u32);
            let run = (self.plane.run(x) as usize).clamp(1, columns - done);
            let at = PpgttAddress(self.plane.address(x, y)).truncated();
            each(at, done * self.bytes()..(done + run) * self.bytes())?;
            done += run;
        }
        Ok(())
    }

    /// Whether a pixel is clear.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    #[inline]
    pub fn is_clear(
        &self,
        cache: &mut TexelCache,
        memory: &mut dyn PpgttMemory,
        x: u32,
        y: u32,
    ) -> Result<bool, Fault> {
        if self.unit == Unit::Depth {
            let mut mark = [0; DEPTH_MARK];
            cache.read(memory, self.depth_block(x, y), &mut mark)?;
            return Ok(mark == [0; DEPTH_MARK]);
        }
        let Unit::Block { log2_width } = self.unit else {
            let mut code = [0; 8];
            let code = code.get_mut(..self.bytes()).unwrap_or_default();
            cache.read(memory, self.plane.address(x, y), code)?;
            return Ok(code.iter().all(|byte| *byte == 0xff));
        };
        let Place { line, number } = self.block(log2_width, x, y);
        if cache.is_zero(memory, line)? {
            return Ok(false);
        }
        let (line, _) = cache.line(memory, line)?;
        let byte = line.get(number as usize / 4).copied().unwrap_or_default();
        Ok(byte >> (2 * (number % 4)) & 3 == 3)
    }

    /// Whether a pixel from `first` to `last`, both inside, may be clear.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    #[inline]
    pub fn may_be_clear(
        &self,
        cache: &mut TexelCache,
        memory: &mut dyn PpgttMemory,
        first: (u32, u32),
        last: (u32, u32),
    ) -> Result<bool, Fault> {
        let Unit::Block { log2_width } = self.unit else { return Ok(true) };
        let (log2_columns, log2_rows) = (4 + log2_width, LOG2_LINE_ROWS);
        let (left, top) = self.pixel(first.0, first.1);
        let (right, bottom) = self.pixel(last.0, last.1);
        let (columns, rows) =
            (left >> log2_columns..=right >> log2_columns, top >> 6..=bottom >> 6);
        let count =
            |range: &std::ops::RangeInclusive<u32>| range.end().saturating_sub(*range.start());
        if count(&columns) >= MOST_LINES || count(&rows) >= MOST_LINES {
            return Ok(true);
        }
        for row in rows {
            for column in columns.clone() {
                let line = self.line(log2_width, (column << log2_columns, row << log2_rows));
                if !cache.is_zero(memory, line)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The pixels of a row whose blocks, this wide, are marked.
fn clear_columns(log2_width: u32, marks: &[u8]) -> u32 {
    let width = 1_u32 << log2_width;
    let mut columns = 0;
    for block in 0..32 >> log2_width {
        let byte = marks.get(block as usize / 4).copied().unwrap_or_default();
        if byte >> (2 * (block % 4)) & 3 == 3 {
            columns |= (1_u32 << width).wrapping_sub(1) << (block * width);
        }
    }
    columns
}

/// Marks the blocks, this wide, all of whose pixels are in `columns`.
fn mark_columns(log2_width: u32, columns: u32, marks: &mut [u8]) {
    let width = 1_u32 << log2_width;
    for block in 0..32 >> log2_width {
        let pixels = (1_u32 << width).wrapping_sub(1) << (block * width);
        if columns & pixels == pixels
            && let Some(byte) = marks.get_mut(block as usize / 4)
        {
            *byte |= 3 << (2 * (block % 4));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_memory::Flat;
    use super::*;

    const MEMORY: usize = 1 << 22;

    fn geometry(bytes: u32, log2: u8, size: [u32; 3]) -> Geometry {
        Geometry {
            base: 0,
            pitch: 1 << 16,
            tiling: Tiling::Y,
            bytes,
            block: 1,
            halign: 16,
            valign: 4,
            qpitch: 0,
            shape: Shape::Plane,
            width: size[0],
            height: size[1],
            depth: size[2],
            samples: Samples::Layers { log2 },
            offset: (0, 0),
            tail: MAX_LEVELS,
        }
    }

    #[test]
    fn depth_is_clear_where_its_marks_are_zeros() {
        let mut memory = Flat::new(MEMORY);
        let depth = Geometry { pitch: 256, ..geometry(4, 0, [60, 50, 1]) };
        let plane = Marks::of_depth(&depth, 0x1000, 128, 64).plane(0, 0);
        let inside = (28, 18);
        // What reaches over the level's edges is whole, whatever the mask says of it there.
        let mut mask = [0; MARKED];
        mask[..18].fill(0x0fff_ff00);
        plane.write(&mut memory, (32, 32), inside, &mask).unwrap();
        let clear = plane.read(&mut memory, (32, 32), inside).unwrap().unwrap();
        assert_eq!((clear[0], clear[17]), (0xffff_ff00, 0xffff_ff00));
        let mut cache = TexelCache::default();
        let mut at = |x, y| plane.is_clear(&mut cache, &mut memory, x, y).unwrap();
        assert!(!at(32, 32) && at(40, 32) && at(59, 49));
        plane.write(&mut memory, (32, 32), inside, &[0; MARKED]).unwrap();
        assert_eq!(plane.read(&mut memory, (32, 32), inside).unwrap(), None);
        // What nobody has touched is clear.
        assert!(plane.read(&mut memory, (0, 0), (32, 32)).unwrap().is_some());
    }

    #[test]
    fn lines_lie_where_hardware_has_them() {
        let marks = |bytes| {
            let geometry = geometry(bytes, 0, [2048, 2048, 2]);
            Marks::new(&geometry, 0x1000, 256, 3072).unwrap()
        };
        let line = |bytes: u32, level, layer, x, y| {
            let plane = marks(bytes).plane(level, layer);
            let Unit::Block { log2_width } = plane.unit else { unreachable!() };
            plane.block(log2_width, x, y).line
        };
        // In a Y tile, a line is 16 bytes of four rows: below it comes the next row of lines.
        assert_eq!(line(4, 0, 0, 127, 63), 0x1000);
        assert_eq!(line(4, 0, 0, 0, 64), 0x1040);
        assert_eq!(line(4, 0, 0, 128, 0), 0x1200);
        assert_eq!(line(8, 0, 0, 64, 0), 0x1200);
        assert_eq!(line(16, 0, 0, 32, 0), 0x1200);
        // A tile has eight lines by eight, and two tiles a row here.
        assert_eq!(line(4, 0, 0, 1024, 0), 0x2000);
        assert_eq!(line(4, 0, 0, 0, 512), 0x3000);
        // The second level is below the first, the third beside it; layers are `qpitch` rows apart.
        assert_eq!(line(4, 1, 0, 0, 0), 0x1000 + 2048 / 512 * 0x2000);
        assert_eq!(line(4, 2, 0, 0, 0), line(4, 1, 0, 0, 0) + 0x1000);
        assert_eq!(line(4, 0, 1, 0, 0), 0x1000 + 3072 / 512 * 0x2000);
    }

    #[test]
    fn what_has_no_marks() {
        let none = |geometry: Geometry| assert_eq!(Marks::new(&geometry, 0, 128, 64), None);
        none(geometry(2, 0, [64, 64, 1]));
        none(Geometry { tiling: Tiling::X, ..geometry(4, 0, [64, 64, 1]) });
        none(Geometry { block: 4, ..geometry(16, 0, [64, 64, 1]) });
        none(Geometry { samples: Samples::Interleaved { log2: 2 }, ..geometry(4, 0, [64, 64, 1]) });
    }

    fn kinds() -> impl Strategy<Value = (u32, u8)> {
        prop_oneof![
            Just((4, 0)),
            Just((8, 0)),
            Just((16, 0)),
            (prop_oneof![Just(1_u32), Just(4)], 1..5_u8)
        ]
    }

    proptest! {
        /// What is marked is what is read, by renderers and samplers, and nothing else is.
        #[test]
        fn marks_come_back((bytes, log2) in kinds(), square in (0..4_u32, 0..4_u32), rows in proptest::array::uniform8(any::<u32>())) {
            let geometry = geometry(bytes, log2, [128, 128, 1]);
            let marks = Marks::new(&geometry, 0x1000, 1024, 128).unwrap();
            let plane = marks.plane(0, 0);
            let mut memory = Flat::new(MEMORY);
            let mut mask: Mask = std::array::from_fn(|row| rows[row / 4]);
            if let Unit::Block { log2_width } = plane.unit {
                // Whole blocks.
                for row in &mut mask {
                    let mut marks = [0; 4];
                    mark_columns(log2_width, *row | 0xff, &mut marks);
                    *row = clear_columns(log2_width, &marks);
                }
            }
            let at = (32 * square.0, 32 * square.1);
            plane.write(&mut memory, at, (32, 32), &mask).unwrap();
            let mut cache = TexelCache::default();
            for y in (0..128).step_by(32) {
                for x in (0..128).step_by(32) {
                    let here = if (x, y) == at { mask } else { [0; MARKED] };
                    let read = plane.read(&mut memory, (x, y), (32, 32)).unwrap();
                    prop_assert_eq!(read.unwrap_or_default(), here);
                    for (row, expected) in (y..).zip(here).step_by(3) {
                        for column in (0..32).step_by(3) {
                            let clear = plane.is_clear(&mut cache, &mut memory, x + column, row).unwrap();
                            prop_assert_eq!(clear, expected >> column & 1 != 0);
                        }
                    }
                }
            }
            let some = mask.iter().any(|row| *row != 0);
            let whole = plane.may_be_clear(&mut cache, &mut memory, (0, 0), (127, 127)).unwrap();
            prop_assert!(whole || !some);
            // And back.
            plane.write(&mut memory, at, (32, 32), &[0; MARKED]).unwrap();
            prop_assert_eq!(plane.read(&mut memory, at, (32, 32)).unwrap(), None);
        }

        /// Whatever a state says, nothing panics.
        #[test]
        fn any_place_is_some_address(x in any::<u32>(), y in any::<u32>(), level in 0..20_u32, layer in any::<u32>(), base in any::<u64>()) {
            for (bytes, log2) in [(4, 0), (16, 0), (4, 2), (4, 4)] {
                let marks = Marks::new(&geometry(bytes, log2, [1 << 14, 1 << 14, 2048]), base, 512 * 128, 0x1_fffc).unwrap();
                let plane = marks.plane(level, layer);
                let mut memory = Flat::new(1 << 12);
                let _ = plane.read(&mut memory, (x & !31, y & !31), (32, 32));
                let _ = plane.is_clear(&mut TexelCache::default(), &mut memory, x, y);
                let _ = plane.may_be_clear(&mut TexelCache::default(), &mut memory, (0, 0), (x, y));
            }
        }
    }
}
