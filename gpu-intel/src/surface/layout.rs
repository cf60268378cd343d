//! Where in memory a surface's elements lie.
//!
//! ```text
//!  Layout ──plane(level, layer, sample)──► Plane ──row(y) + column(x)──► address
//! ```
//!
//! An element is a texel, or a block of a compressed format. A layer is an element of an array, a face of a cube or a
//! slice of a volume: all of them are planes that lie `qpitch` rows apart, and each holds all of its mip levels:
//!
//! ```text
//!  +-----------+
//!  |  level 0  |
//!  +------+----+
//!  |  1   | 2  |
//!  |      +--+-+
//!  +------+3 |
//!         +--+
//! ```
//!
//! A tiling takes apart the bits of both coordinates and puts them together anew, so a row and a column each have an
//! offset of their own, and an element's address is their sum. In a Y tile 16 bytes of a row follow each other, and
//! the same columns of the next row follow them.
//!
//! Source: SKL PRM vol 5 (Memory Views: tiling, surface layout).

use super::format::Format;
use super::standard::Standard;

/// Levels that a surface can have.
pub const MAX_LEVELS: u32 = 15;
/// log2 of the most samples.
pub const MAX_LOG2_SAMPLES: u8 = 4;

/// Bytes of a tile that is none of the standard ones.
const TILE_BYTES: u64 = 4096;

/// How the bytes of rows lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiling {
    /// Row after row.
    Linear,
    /// 64 by 64 bytes, for stencil. A pitch of 128 bytes means one tile.
    W,
    /// 512 bytes by 8 rows.
    X,
    /// 128 bytes by 32 rows.
    Y,
    /// As [`Standard`] has it.
    Standard(Standard),
}

impl Tiling {
    /// A row of tiles takes a multiple of so many bytes of pitch.
    #[must_use]
    pub fn width(self) -> u32 {
        match self {
            Self::Linear => 1,
            Self::X => 512,
            Self::W | Self::Y => 128,
            Self::Standard(tile) => 1 << tile.log2_size().0,
        }
    }

    /// What the byte `x` of a row adds to an address.
    #[must_use]
    #[inline]
    pub fn column(self, x: u32) -> u64 {
        let wide = u64::from(x);
        match self {
            Self::Linear => wide,
            Self::X => wide >> 9 << 12 | wide & 0x1ff,
            Self::Y => wide >> 7 << 12 | (wide & 0x70) << 5 | wide & 0xf,
            Self::W => {
                let low = wide & 1 | (wide & 2) << 1 | (wide & 4) << 2;
                wide >> 6 << 12 | (wide & 0x38) << 6 | low
            }
            Self::Standard(tile) => tile.column(x),
        }
    }

    /// What the row `y` adds to an address.
    #[must_use]
    #[inline]
    pub fn row(self, y: u32, pitch: u32) -> u64 {
        let (wide, pitch) = (u64::from(y), u64::from(pitch));
        match self {
            Self::Linear => wide.wrapping_mul(pitch),
            Self::X => (wide >> 3).wrapping_mul(pitch << 3) | (wide & 7) << 9,
            Self::Y => (wide >> 5).wrapping_mul(pitch << 5) | (wide & 31) << 4,
            Self::W => {
                let low = (wide & 1) << 1 | (wide & 2) << 2 | (wide & 4) << 3;
                (wide >> 6).wrapping_mul(pitch << 5) | (wide & 0x38) << 3 | low
            }
            Self::Standard(tile) => tile.row(y, pitch as u32),
        }
    }

    /// How many bytes from byte `x` on lie side by side.
    #[must_use]
    pub fn run(self, x: u32) -> u32 {
        match self {
            Self::Linear => u32::MAX - x,
            Self::X => 512 - x % 512,
            Self::Y | Self::Standard(_) => 16 - x % 16,
            Self::W => 1,
        }
    }
}

/// How many dimensions a surface has, as far as its levels lie differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line: levels side by side.
    Line,
    /// A plane, or layers of them.
    Plane,
    /// A volume, whose slices are layers. There are fewer in each level.
    Volume,
}

/// Where the samples of a pixel lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// Sample s of layer a is layer `a << log2 | s`: colour.
    Layers {
        /// log2 of how many there are.
        log2: u8,
    },
    /// Side by side, in a plane that is larger: depth and stencil.
    Interleaved {
        /// log2 of how many there are.
        log2: u8,
    },
}

impl Samples {
    /// One.
    pub const ONE: Self = Self::Layers { log2: 0 };

    /// log2 of how many there are.
    #[must_use]
    pub fn log2(self) -> u8 {
        let (Self::Layers { log2 } | Self::Interleaved { log2 }) = self;
        log2
    }

    /// log2 of how much wider and higher a plane is for its samples.
    fn log2_scale(self) -> (u32, u32) {
        match self {
            Self::Layers { .. } => (0, 0),
            Self::Interleaved { log2 } => (u32::from(log2.div_ceil(2)), u32::from(log2 / 2)),
        }
    }

    /// What a sample's number adds to the coordinates of interleaved ones: even numbers, for a pixel's own lowest bit
    /// stays the lowest.
    fn interleaved(self, sample: u32) -> (u32, u32) {
        let (x, y) = self.log2_scale();
        let bit = |from: u32, to: u32| (sample >> from & 1) << to;
        let along = if x >= 2 { bit(0, 1) | bit(2, 2) } else { bit(0, x) };
        let down = if y >= 2 { bit(1, 1) | bit(3, 2) } else { bit(1, 1) };
        (if x > 0 { along } else { 0 }, if y > 0 { down } else { 0 })
    }
}

/// What decides where a surface's elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The first byte.
    pub base: u64,
    /// Bytes from one row to the next (to 32 rows below in half a W tile; see [`Tiling::W`]).
    pub pitch: u32,
    /// How rows lie.
    pub tiling: Tiling,
    /// Bytes of an element: a power of two, or 3, 6 or 12 in linear surfaces.
    pub bytes: u32,
    /// Width and height of an element in texels: 1 or 4.
    pub block: u32,
    /// Each level's width is a multiple of so many elements.
    pub halign: u32,
    /// Each level's height is a multiple of so many elements.
    pub valign: u32,
    /// Rows from one layer to the next; elements, for a line.
    pub qpitch: u32,
    /// How levels lie.
    pub shape: Shape,
    /// Texels of level 0.
    pub width: u32,
    /// Texels of level 0.
    pub height: u32,
    /// Layers; of a volume, those of level 0.
    pub depth: u32,
    /// Where samples lie.
    pub samples: Samples,
    /// Where level 0 begins, in elements.
    pub offset: (u32, u32),
    /// The first level of those that share one standard tile; [`MAX_LEVELS`] if there are none.
    pub tail: u32,
}

impl Geometry {
    /// A buffer of depth (D32F, D24X8 or D16), as 3DSTATE_DEPTH_BUFFER describes it: sizes are level 0's.
    #[must_use]
    pub fn depth(
        base: u64,
        pitch: u32,
        bytes: u32,
        qpitch: u32,
        size: [u32; 3],
        log2_samples: u8,
    ) -> Self {
        let halign = if bytes == 2 { 8 } else { 4 };
        Self {
            base,
            pitch,
            tiling: Tiling::Y,
            bytes,
            block: 1,
            halign,
            valign: 4,
            qpitch,
            shape: Shape::Plane,
            width: size[0],
            height: size[1],
            depth: size[2],
            samples: Samples::Interleaved { log2: log2_samples.min(MAX_LOG2_SAMPLES) },
            offset: (0, 0),
            tail: MAX_LEVELS,
        }
    }

    /// The stencil buffer that goes with a depth buffer of the same size.
    #[must_use]
    pub fn stencil(base: u64, pitch: u32, qpitch: u32, size: [u32; 3], log2_samples: u8) -> Self {
        let depth = Self::depth(base, pitch, 1, qpitch, size, log2_samples);
        Self { tiling: Tiling::W, halign: 8, valign: 8, ..depth }
    }

    /// A surface of one level and one layer.
    #[must_use]
    pub fn simple(base: u64, pitch: u32, tiling: Tiling, format: &Format, size: [u32; 2]) -> Self {
        Self {
            base,
            pitch,
            tiling,
            bytes: format.bytes(),
            block: format.block(),
            halign: 4,
            valign: 4,
            qpitch: 0,
            shape: Shape::Plane,
            width: size[0],
            height: size[1],
            depth: 1,
            samples: Samples::ONE,
            offset: (0, 0),
            tail: MAX_LEVELS,
        }
    }
}

/// A mip level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Texels.
    pub width: u32,
    /// Texels.
    pub height: u32,
    /// Layers; of a volume, those of this level.
    pub depth: u32,
    /// Where it begins in its layer, in elements of memory (samples, where they are interleaved).
    pub origin: (u32, u32),
    /// Its first slice, in a standard tile's mip tail.
    pub first_slice: u32,
}

/// A surface's geometry, with its levels laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    geometry: Geometry,
    levels: [Level; MAX_LEVELS as usize],
}

impl Layout {
    /// Lays out all levels that a surface of this size could have.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        let mut levels = [Level::default(); MAX_LEVELS as usize];
        let (mut x, mut y) = geometry.offset;
        for (number, level) in levels.iter_mut().enumerate() {
            let minify = |size: u32| (size >> number).max(1);
            let volume = geometry.shape == Shape::Volume;
            level.width = minify(geometry.width);
            level.height = minify(geometry.height);
            level.depth = if volume { minify(geometry.depth) } else { geometry.depth.max(1) };
            level.origin = (x, y);
            let index = (number as u32).checked_sub(geometry.tail);
            if let (Tiling::Standard(tile), Some(index)) = (geometry.tiling, index) {
                let (right, down, behind) = tile.tail(index, geometry.bytes);
                level.origin = (x.wrapping_add(right), y.wrapping_add(down));
                level.first_slice = behind;
                continue;
            }
            let (width, height) = geometry.elements(level);
            match geometry.shape {
                Shape::Line => x = x.wrapping_add(width),
                _ if number == 1 => x = x.wrapping_add(width),
                _ => y = y.wrapping_add(height),
            }
        }
        Self { geometry, levels }
    }

    /// What was laid out.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// A level, or the last one that any surface has.
    #[must_use]
    #[inline]
    pub fn level(&self, level: u32) -> &Level {
        let [.., last] = &self.levels;
        self.levels.get(level as usize).unwrap_or(last)
    }

    /// The elements of one sample in one layer of a level. Numbers beyond what the surface has give addresses beyond
    /// what it takes: whoever asks has clamped them.
    #[must_use]
    #[inline]
    pub fn plane(&self, level: u32, layer: u32, sample: u32) -> Plane {
        let geometry = &self.geometry;
        let samples = geometry.samples;
        let (layer, spread, at) = match samples {
            Samples::Layers { log2 } => (layer.wrapping_shl(log2.into()) | sample, (0, 0), (0, 0)),
            Samples::Interleaved { .. } => {
                (layer, samples.log2_scale(), samples.interleaved(sample))
            }
        };
        let level = self.level(level);
        let (x, y) = level.origin;
        // Slices of a standard tile lie in it, and the next tiles lie apart.
        let (layer, within) = match geometry.tiling {
            Tiling::Standard(tile) if geometry.shape == Shape::Volume => {
                let slice = layer.wrapping_add(level.first_slice);
                (slice >> tile.log2_size().2, tile.slice(slice))
            }
            _ => (layer, 0),
        };
        let apart = layer.wrapping_mul(geometry.qpitch);
        let (base, y) = match geometry.shape {
            Shape::Line => {
                let bytes = u64::from(apart).wrapping_mul(geometry.bytes.into());
                (geometry.base.wrapping_add(bytes), y)
            }
            _ => (geometry.base.wrapping_add(within), y.wrapping_add(apart)),
        };
        Plane {
            base,
            pitch: geometry.pitch,
            tiling: geometry.tiling,
            bytes: geometry.bytes,
            origin: (x, y),
            spread,
            sample: at,
        }
    }

    /// The address of an element: `x` and `y` count elements of the level.
    #[must_use]
    pub fn address(&self, level: u32, x: u32, y: u32, layer: u32, sample: u32) -> u64 {
        self.plane(level, layer, sample).address(x, y)
    }
}

impl Geometry {
    /// What a level takes in memory, in elements.
    fn elements(&self, level: &Level) -> (u32, u32) {
        if self.shape == Shape::Line {
            return (level.width.div_ceil(self.block).next_multiple_of(64), 1);
        }
        let (x, y) = self.samples.log2_scale();
        let scale = |size: u32, log2: u32| {
            if log2 == 0 { size } else { size.next_multiple_of(2).wrapping_shl(log2) }
        };
        let width = scale(level.width, x).div_ceil(self.block);
        let height = scale(level.height, y).div_ceil(self.block);
        let (halign, valign) = match self.tiling {
            Tiling::Standard(tile) => {
                let (width, height, _) = tile.log2_size();
                ((1 << width) / self.bytes.max(1), 1 << height)
            }
            _ => (self.halign, self.valign),
        };
        (width.next_multiple_of(halign.max(1)), height.next_multiple_of(valign.max(1)))
    }
}

/// The elements of one sample in one layer of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    base: u64,
    pitch: u32,
    tiling: Tiling,
    bytes: u32,
    origin: (u32, u32),
    /// log2 of how far interleaved samples drive pixels apart.
    spread: (u32, u32),
    sample: (u32, u32),
}

#[inline]
fn interleave(at: u32, spread: u32, sample: u32) -> u32 {
    if spread == 0 { at } else { (at & !1).wrapping_shl(spread) | sample | at & 1 }
}

impl Plane {
    /// Whether these elements are all that some tiles hold. (Standard ones are not looked at.)
    #[must_use]
    pub fn fills_tiles(&self, at: (u32, u32), width: u32, height: u32) -> bool {
        let (wide, high) = match self.tiling {
            Tiling::W => (64, 64),
            Tiling::X => (512, 8),
            Tiling::Y => (128, 32),
            Tiling::Linear | Tiling::Standard(_) => return false,
        };
        let row = at.1.wrapping_add(self.origin.1);
        self.spread == (0, 0)
            && self.base.is_multiple_of(TILE_BYTES)
            && self.byte(at.0).is_multiple_of(wide)
            && width.wrapping_mul(self.bytes).is_multiple_of(wide)
            && row.is_multiple_of(high)
            && height.is_multiple_of(high)
    }

    /// The byte of the row at which a column begins.
    #[inline]
    fn byte(&self, x: u32) -> u32 {
        let x = interleave(x, self.spread.0, self.sample.0);
        x.wrapping_add(self.origin.0).wrapping_mul(self.bytes)
    }

    /// What column `x` adds to the address of its row.
    #[must_use]
    #[inline]
    pub fn column(&self, x: u32) -> u64 {
        self.tiling.column(self.byte(x))
    }

    /// The address of row `y`: to it, [`Self::column`] is added, wrapping.
    #[must_use]
    #[inline]
    pub fn row(&self, y: u32) -> u64 {
        let y = interleave(y, self.spread.1, self.sample.1).wrapping_add(self.origin.1);
        self.base.wrapping_add(self.tiling.row(y, self.pitch))
    }

    /// [`Self::column`] of many.
    #[must_use]
    #[inline]
    pub fn columns<const N: usize>(&self, x: &[u32; N]) -> [u64; N] {
        let mut columns = [0; N];
        // A loop of its own for the tiling that most have.
        if self.tiling == Tiling::Y && self.spread.0 == 0 {
            for (column, x) in columns.iter_mut().zip(x) {
                let byte = x.wrapping_add(self.origin.0).wrapping_mul(self.bytes);
                *column = Tiling::Y.column(byte);
            }
            return columns;
        }
        for (column, x) in columns.iter_mut().zip(x) {
            *column = self.column(*x);
        }
        columns
    }

    /// [`Self::row`] of many.
    #[must_use]
    #[inline]
    pub fn rows<const N: usize>(&self, y: &[u32; N]) -> [u64; N] {
        let mut rows = [0; N];
        if self.tiling == Tiling::Y && self.spread.1 == 0 {
            for (row, y) in rows.iter_mut().zip(y) {
                let y = y.wrapping_add(self.origin.1);
                *row = self.base.wrapping_add(Tiling::Y.row(y, self.pitch));
            }
            return rows;
        }
        for (row, y) in rows.iter_mut().zip(y) {
            *row = self.row(*y);
        }
        rows
    }

    /// The address of an element.
    #[must_use]
    #[inline]
    pub fn address(&self, x: u32, y: u32) -> u64 {
        self.row(y).wrapping_add(self.column(x))
    }

    /// How many elements from column `x` on follow each other in memory: at least one.
    #[must_use]
    #[inline]
    pub fn run(&self, x: u32) -> u32 {
        if self.spread.0 > 0 {
            return 1;
        }
        (self.tiling.run(self.byte(x)) / self.bytes.max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tiles_lie_as_the_manual_draws_them() {
        let at = |tiling: Tiling, x, y, pitch| tiling.row(y, pitch) + tiling.column(x);
        assert_eq!(at(Tiling::Linear, 5, 3, 100), 305);
        assert_eq!(at(Tiling::X, 512, 0, 1024), 4096);
        assert_eq!(at(Tiling::X, 3, 9, 1024), 8192 + 512 + 3);
        assert_eq!(at(Tiling::Y, 16, 0, 256), 512);
        assert_eq!(at(Tiling::Y, 17, 33, 256), 8192 + 512 + 16 + 1);
        assert_eq!(at(Tiling::Y, 130, 1, 256), 4096 + 16 + 2);
        assert_eq!(at(Tiling::W, 1, 1, 128), 3);
        assert_eq!(at(Tiling::W, 63, 63, 128), 4095);
        assert_eq!(at(Tiling::W, 64, 65, 256), 8192 + 4096 + 2);
    }

    #[test]
    fn levels_lie_beside_and_below_each_other() {
        let format = Format::of(199).unwrap();
        let simple = Geometry::simple(0, 512, Tiling::Y, format, [37, 21]);
        let layout = Layout::new(Geometry { qpitch: 40, depth: 2, ..simple });
        let origins: Vec<_> = (0..5).map(|level| layout.level(level).origin).collect();
        assert_eq!(origins, [(0, 0), (0, 24), (20, 24), (20, 32), (20, 36)]);
        assert_eq!((layout.level(2).width, layout.level(2).height), (9, 5));
        assert_eq!(layout.address(0, 0, 0, 1, 0), Tiling::Y.row(40, 512));

        let bc1 = Layout::new(Geometry {
            bytes: 8,
            block: 4,
            ..Geometry::simple(0, 512, Tiling::Y, format, [37, 21])
        });
        assert_eq!(bc1.level(2).origin, (8, 8));

        let line = Layout::new(Geometry { shape: Shape::Line, tiling: Tiling::Linear, ..simple });
        assert_eq!(line.level(2).origin, (128, 0));
        assert_eq!(
            Layout::new(Geometry { qpitch: 128, ..*line.geometry() }).address(1, 2, 0, 1, 0),
            4 * (128 + 64 + 2)
        );
    }

    #[test]
    fn samples_interleave_as_the_manual_has_it() {
        let place = |log2, sample, x: u32, y: u32| {
            let samples = Samples::Interleaved { log2 };
            let (spread, at) = (samples.log2_scale(), samples.interleaved(sample));
            (interleave(x, spread.0, at.0), interleave(y, spread.1, at.1))
        };
        for sample in 0..16 {
            for (x, y) in [(0, 0), (1, 0), (2, 3), (5, 6)] {
                let s = sample;
                let two_x = (x & !1) << 1 | (s & 1) << 1 | x & 1;
                let four_y = (y & !1) << 1 | s & 2 | y & 1;
                let eight_x = (x & !1) << 2 | s & 4 | (s & 1) << 1 | x & 1;
                let sixteen_y = (y & !1) << 2 | (s & 8) >> 1 | s & 2 | y & 1;
                assert_eq!(place(1, s & 1, x, y), (two_x, y));
                assert_eq!(place(2, s & 3, x, y), (two_x, four_y));
                assert_eq!(place(3, s & 7, x, y), (eight_x, four_y));
                assert_eq!(place(4, s, x, y), (eight_x, sixteen_y));
            }
        }
    }

    fn geometry() -> impl Strategy<Value = (Geometry, u32)> {
        let tiling = prop::sample::select(vec![
            Some(Tiling::Linear),
            Some(Tiling::X),
            Some(Tiling::Y),
            Some(Tiling::W),
            None,
        ]);
        let size = (1_u32..40, 1_u32..40, 1_u32..4);
        (tiling, size, 0_u32..5, 0_u8..5, any::<bool>(), 1_u32..6).prop_map(
            |(tiling, (width, height, depth), log2_bytes, log2, interleaved, levels)| {
                let samples = if interleaved {
                    Samples::Interleaved { log2 }
                } else {
                    Samples::Layers { log2 }
                };
                let bytes = if tiling == Some(Tiling::W) { 1 } else { 1 << log2_bytes };
                let volume = log2 == 0;
                let tiling = tiling
                    .unwrap_or_else(|| Tiling::Standard(Standard::new(bytes, volume, interleaved)));
                let mut geometry = Geometry {
                    base: 0x10000,
                    pitch: 0,
                    tiling,
                    bytes,
                    block: 1,
                    halign: 4,
                    valign: 4,
                    qpitch: 0,
                    shape: if volume { Shape::Volume } else { Shape::Plane },
                    width,
                    height,
                    depth,
                    samples,
                    offset: (0, 0),
                    // Only what fits into a quarter of a tile is in a tail.
                    tail: if width < 5 && height < 5 && depth < 4 && volume {
                        0
                    } else {
                        MAX_LEVELS
                    },
                };
                let levels = if log2 == 0 { levels } else { 1 };
                // As a driver would: a pitch for the widest level, and room for the lowest.
                let layout = Layout::new(geometry);
                let ends = (0..levels).map(|number| {
                    let level = layout.level(number);
                    let (width, height) = geometry.elements(level);
                    (level.origin.0 + width, level.origin.1 + height)
                });
                let (right, bottom) = ends.fold((0, 0), |(x, y), end| (x.max(end.0), y.max(end.1)));
                geometry.pitch = match tiling {
                    Tiling::W => right.next_multiple_of(64) * 2,
                    tiling => (right * bytes).next_multiple_of(tiling.width()),
                };
                geometry.qpitch = bottom.next_multiple_of(4);
                (geometry, levels)
            },
        )
    }

    proptest! {
        #[test]
        fn no_two_elements_share_a_byte((geometry, levels) in geometry()) {
            let layout = Layout::new(geometry);
            let mut seen = HashSet::new();
            for number in 0..levels {
                let level = *layout.level(number);
                for layer in 0..level.depth {
                    for sample in 0..1 << geometry.samples.log2() {
                        let plane = layout.plane(number, layer, sample);
                        for y in 0..level.height {
                            for x in 0..level.width {
                                let at = plane.address(x, y);
                                prop_assert_eq!((at - geometry.base) % u64::from(geometry.bytes), 0);
                                prop_assert!(seen.insert(at), "{} {} {} {} {}", x, y, number, layer, sample);
                                if plane.run(x) > 1 && x + 1 < level.width {
                                    prop_assert_eq!(plane.address(x + 1, y), at + u64::from(geometry.bytes));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
