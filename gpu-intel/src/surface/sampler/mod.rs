//! The sampler: from coordinates to a colour.
//!
//! ```text
//!  coordinates ─► level of detail ─► levels, and how to filter ─► pairs of texels on each axis ─► texels ─► mean
//!    (a quad)                                  (a lane from here on)
//! ```
//!
//! What it does not do as hardware does: anisotropic filters take one trilinear footprint, by the longer of its axes;
//! a level of detail is computed in full precision.
//!
//! Source: SKL PRM vol 9 (3D Sampler).

mod axis;
mod cube;
mod load;
mod planes;

use super::auxiliary::MarkPlane;
use super::cache::TexelCache;
use super::format::Packing;
use super::layout::Plane;
use super::state::{Filter, MipFilter, Reduction, Sampler, Select, Surface, SurfaceKind, Wrap};
use super::texel::{SRGB, UNORM8, bits, floats};
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;

use self::axis::Pair;
pub use self::load::{Load, Sample};

/// The most lanes that one request has.
pub const LANES: usize = 16;

/// A number for each lane.
pub type Lanes<T = f32> = [T; LANES];

/// Red, green, blue and alpha for each lane: bits of floats, or integers.
pub type Colors = [Lanes<u32>; 4];

/// Where the level of detail comes from.
#[derive(Clone, Copy, Debug)]
pub enum Detail<'a> {
    /// From the coordinates of each four lanes, (0, 0), (1, 0), (0, 1) and (1, 1) of a quad of pixels; and this is
    /// added.
    Quads(&'a Lanes),
    /// This.
    Given(&'a Lanes),
    /// From what a step to the right, and one down, adds to u, v and r.
    Gradients([&'a Lanes; 3], [&'a Lanes; 3]),
}

/// What to do with the texels around a coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Filter them.
    Sample,
    /// Return one channel of each of the four.
    Gather(u8),
}

/// What to sample.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to do.
    pub operation: Operation,
    /// The lanes that want a colour, a bit each.
    pub lanes: u32,
    /// u, v, r and the number in a cube array. Where a surface has layers, its layer is the first that it has no axis
    /// for.
    pub coordinates: [&'a Lanes; 4],
    /// The level of detail.
    pub detail: Detail<'a>,
    /// What depth is compared with.
    pub reference: Option<&'a Lanes>,
    /// Added to the texels' numbers on each axis, for each lane.
    pub offsets: Option<[&'a Lanes<i32>; 3]>,
}

/// A surface, and how to sample it.
pub struct Texture<'a> {
    /// What is sampled.
    pub surface: &'a Surface,
    /// How.
    pub sampler: &'a Sampler,
    /// Beyond the edges: floats, or integers.
    pub border: [u32; 4],
    /// In front of memory.
    pub cache: &'a mut TexelCache,
    /// Where texels are.
    pub memory: &'a mut dyn PpgttMemory,
}

impl std::fmt::Debug for Texture<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texture").field("surface", &self.surface).finish_non_exhaustive()
    }
}

/// Numbers of the lanes in a mask.
pub fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask & 0xffff;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        (lane < 32).then_some(lane as usize)
    })
}

/// What `make` makes of each: as `map`, but for the compiler to make vectors of.
#[inline(always)]
pub(super) fn each<T: Copy, U: Copy + Default, const N: usize>(
    from: &[T; N],
    make: impl Fn(T) -> U,
) -> [U; N] {
    let mut to = [U::default(); N];
    for (to, from) in to.iter_mut().zip(from) {
        *to = make(*from);
    }
    to
}

/// One lane's coordinates, in terms of its surface.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// On each axis that the surface has.
    at: [f32; 3],
    /// The layer, in the surface's own count; a cube's face is in it.
    layer: u32,
    offsets: [i32; 3],
    reference: Option<f32>,
}

/// A level of a surface with one of its layers.
#[derive(Clone, Copy, Debug)]
struct Slice {
    key: (u32, u32),
    place: Place,
    size: [u32; 3],
}

/// Where texels of a slice are.
#[derive(Clone, Copy, Debug)]
struct Place {
    plane: Plane,
    marks: Option<MarkPlane>,
}

impl Texture<'_> {
    /// How many axes there are, not counting layers.
    fn axes(&self) -> usize {
        match self.surface.kind {
            SurfaceKind::Line => 1,
            SurfaceKind::Volume => 3,
            _ => 2,
        }
    }

    /// Whether it is a cube whose faces go on behind their edges.
    fn is_seamless(&self) -> bool {
        let sampler = self.sampler;
        self.surface.kind == SurfaceKind::Cube
            && (sampler.seamless_cubes || sampler.wrap[0] == Wrap::Cube)
    }

    fn wrap(&self, axis: usize) -> Wrap {
        if self.is_seamless() { Wrap::Cube } else { self.sampler.wrap[axis] }
    }

    /// Samples. What `colors` are for lanes that want none means nothing.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub fn sample(&mut self, request: &Request<'_>, colors: &mut Colors) -> Result<(), Fault> {
        if self.surface.kind == SurfaceKind::Null
            || self.surface.is_buffer()
            || self.sampler.disabled
        {
            colors.as_flattened_mut().fill(0);
            return Ok(());
        }
        let gather = matches!(request.operation, Operation::Gather(_));
        let mut details = if gather { [0.0; LANES] } else { self.details(request) };
        for detail in &mut details {
            *detail = self.clamped(*detail);
        }
        if !gather && self.sample_planes(request, &details, colors)? {
            self.select(colors);
            return Ok(());
        }
        let mut slice = self.slice(0, 0);
        for lane in lanes(request.lanes) {
            let point = self.point(request, lane);
            let color = match request.operation {
                Operation::Gather(channel) => self.gather(&point, channel, &mut slice)?,
                Operation::Sample => self.filtered(&point, details[lane], &mut slice)?,
            };
            for (to, from) in colors.iter_mut().zip(color) {
                to[lane] = from;
            }
        }
        // What was gathered is of one channel, which is chosen already.
        if !gather {
            self.select(colors);
        }
        Ok(())
    }

    /// The level of detail that sampling would use, clamped and as it was computed.
    #[must_use]
    pub fn level_of_detail(&self, request: &Request<'_>) -> [Lanes; 2] {
        if self.surface.kind == SurfaceKind::Null || self.surface.is_buffer() {
            return [[0.0; LANES]; 2];
        }
        let details = self.details(request);
        let last = (self.surface.levels - 1) as f32;
        let level = |detail| match self.sampler.mip {
            MipFilter::None => 0.0,
            MipFilter::Nearest => (self.clamped(detail) + 0.5).floor().clamp(0.0, last),
            MipFilter::Linear => self.clamped(detail).clamp(0.0, last),
        };
        [details.map(level), details]
    }

    fn clamped(&self, detail: f32) -> f32 {
        // No number is the least.
        detail.max(self.sampler.min_lod).min(self.sampler.max_lod).max(self.surface.min_lod)
    }

    /// Levels of detail as they come from coordinates, with all that is added to them.
    fn details(&self, request: &Request<'_>) -> Lanes {
        let mut details = [self.sampler.bias; LANES];
        match request.detail {
            Detail::Given(given) => {
                for (detail, given) in details.iter_mut().zip(given) {
                    *detail += given;
                }
            }
            // One level, and one filter for both sides of it: there is nothing to choose.
            Detail::Quads(_) if self.is_flat() => {}
            Detail::Quads(bias) => {
                let quads = details.as_chunks_mut::<4>().0.iter_mut().zip(bias.as_chunks::<4>().0);
                for (number, (quad, bias)) in quads.enumerate() {
                    if request.lanes >> (4 * number) & 0xf == 0 {
                        continue;
                    }
                    let active = request.lanes >> (4 * number) & 0xf;
                    let detail = self.quad_detail(&request.coordinates, 4 * number, active);
                    for (lane, bias) in quad.iter_mut().zip(bias) {
                        *lane += detail + bias;
                    }
                }
            }
            Detail::Gradients(right, down) => {
                for lane in lanes(request.lanes) {
                    let pick = |from: [&Lanes; 3]| from.map(|lanes| lanes[lane]);
                    let (mut right, mut down) = (pick(right), pick(down));
                    if self.surface.kind == SurfaceKind::Cube {
                        let [u, v, r, _] = request.coordinates.map(|lanes| lanes[lane]);
                        let direction = [u, v, r];
                        let face = cube::face(direction);
                        for step in [&mut right, &mut down] {
                            let [s, t] = cube::project_gradient(direction, *step, face);
                            *step = [s, t, 0.0];
                        }
                    }
                    details[lane] += self.detail(right, down);
                }
            }
        }
        details
    }

    fn is_flat(&self) -> bool {
        let sampler = self.sampler;
        (self.surface.levels == 1 || sampler.mip == MipFilter::None)
            && (sampler.magnify == sampler.minify)
            && self.surface.min_lod == 0.0
    }

    /// The level of detail of the quad whose first lane is given. Those of its lanes that aren't active have nothing in
    /// their registers that means anything: no steps are taken to them.
    fn quad_detail(&self, coordinates: &[&Lanes; 4], first: usize, active: u32) -> f32 {
        let pick = |lane: usize| {
            let [u, v, r, _] = coordinates.map(|lanes| lanes[first + lane]);
            [u, v, r]
        };
        let [origin, right, down] = match active {
            0b1111 | 0b0111 => [0, 1, 2],
            0b1011 => [1, 0, 3],
            0b1101 => [2, 3, 0],
            0b1110 => [3, 2, 1],
            0b0011 => [0, 1, 0],
            0b1100 => [2, 3, 2],
            0b0101 => [0, 0, 2],
            0b1010 => [1, 1, 3],
            one_or_opposite => [one_or_opposite.trailing_zeros() as usize % 4; 3],
        };
        let [mut origin, mut right, mut down] = [pick(origin), pick(right), pick(down)];
        if self.surface.kind == SurfaceKind::Cube {
            // All on the face of the first.
            let face = cube::face(origin);
            for point in [&mut origin, &mut right, &mut down] {
                let [s, t] = cube::project(*point, face);
                *point = [s, t, 0.0];
            }
        }
        let minus = |a: [f32; 3]| std::array::from_fn(|axis| a[axis] - origin[axis]);
        self.detail(minus(right), minus(down))
    }

    /// log2 of the longer of two steps, in texels of the first level.
    fn detail(&self, right: [f32; 3], down: [f32; 3]) -> f32 {
        let size = self.surface.size(0);
        let axes = self.axes();
        let squared = |step: [f32; 3]| {
            let mut sum = 0.0;
            for (step, size) in step.into_iter().zip(size).take(axes) {
                let texels = if self.sampler.unnormalized { step } else { step * size as f32 };
                sum += texels * texels;
            }
            sum
        };
        0.5 * squared(right).max(squared(down)).log2()
    }

    /// The layer of `count` that a coordinate means.
    fn layer(&self, number: f32, count: u32) -> u32 {
        if !self.surface.array {
            return 0;
        }
        // No number is 0.
        (number.round_ties_even().max(0.0) as u32).min(count.saturating_sub(1))
    }

    fn point(&self, request: &Request<'_>, lane: usize) -> Point {
        let [u, v, r, a] = request.coordinates.map(|lanes| lanes[lane]);
        let depth = self.surface.depth;
        let (at, layer) = match self.surface.kind {
            SurfaceKind::Line => ([u, 0.0, 0.0], self.layer(v, depth)),
            SurfaceKind::Volume => ([u, v, r], 0),
            SurfaceKind::Cube => {
                let face = cube::face([u, v, r]);
                let [s, t] = cube::project([u, v, r], face);
                ([s, t, 0.0], 6 * self.layer(a, depth / 6) + face)
            }
            _ => ([u, v, 0.0], self.layer(r, depth)),
        };
        Point {
            at,
            layer,
            offsets: request.offsets.map_or([0; 3], |offsets| offsets.map(|lanes| lanes[lane])),
            reference: request.reference.map(|lanes| lanes[lane]),
        }
    }

    fn slice(&self, level: u32, layer: u32) -> Slice {
        let first =
            if self.surface.kind == SurfaceKind::Volume { 0 } else { self.surface.first_layer };
        let place = self.place(level, first + layer, 0);
        Slice { key: (level, layer), place, size: self.surface.size(level) }
    }

    /// Where a level's texels of a layer and sample are; the layer is one of the whole surface.
    fn place(&self, level: u32, layer: u32, sample: u32) -> Place {
        let level = self.surface.first_level + level;
        Place {
            plane: self.surface.layout.plane(level, layer, sample),
            // Which samples are clear is known to who asks for one.
            marks: match self.surface.log2_samples {
                0 => self.surface.marks.map(|marks| marks.plane(level, layer)),
                _ => None,
            },
        }
    }

    fn switch(&self, slice: &mut Slice, level: u32, layer: u32) {
        if slice.key != (level, layer) {
            *slice = self.slice(level, layer);
        }
    }

    /// The colour at a point, by the filters that its level of detail has.
    fn filtered(
        &mut self,
        point: &Point,
        detail: f32,
        slice: &mut Slice,
    ) -> Result<[u32; 4], Fault> {
        let sampler = self.sampler;
        let filter = if detail <= 0.0 { sampler.magnify } else { sampler.minify };
        if self.surface.format.is_integer() {
            let level = self.nearest_level(detail);
            self.switch(slice, level, point.layer);
            let [x, y, z] = self.pairs(point, slice, false);
            return self.raw_texel(slice, [x, y, z].map(|pair| pair.texels[0]));
        }
        let linear = filter != Filter::Nearest;
        if sampler.mip != MipFilter::Linear || detail <= 0.0 {
            self.switch(slice, self.nearest_level(detail), point.layer);
            return Ok(bits(self.at_level(point, slice, linear)?));
        }
        let last = (self.surface.levels - 1) as f32;
        let fixed = axis::floor(detail.min(last) * 256.0).cast_unsigned();
        let (level, second) = (fixed >> 8, (fixed & 0xff) as f32 / 256.0);
        self.switch(slice, level, point.layer);
        let color = self.at_level(point, slice, linear)?;
        if second == 0.0 {
            return Ok(bits(color));
        }
        self.switch(slice, level + 1, point.layer);
        let further = self.at_level(point, slice, linear)?;
        Ok(bits(mix(color, further, second, sampler.reduction)))
    }

    fn nearest_level(&self, detail: f32) -> u32 {
        if self.sampler.mip == MipFilter::None || detail <= 0.0 {
            return 0;
        }
        axis::floor(detail + 0.5).cast_unsigned().min(self.surface.levels - 1)
    }

    fn pairs(&self, point: &Point, slice: &Slice, linear: bool) -> [Pair; 3] {
        let mut pairs = [Pair::NONE; 3];
        let normalized = !self.sampler.unnormalized;
        for (axis, pair) in pairs.iter_mut().enumerate().take(self.axes()) {
            let wrap = self.wrap(axis);
            let offset = point.offsets[axis];
            *pair = axis::pair(point.at[axis], slice.size[axis], wrap, normalized, linear, offset);
        }
        pairs
    }

    /// The colour at a point of one level.
    fn at_level(&mut self, point: &Point, slice: &Slice, linear: bool) -> Result<[f32; 4], Fault> {
        if linear && self.is_seamless() {
            return self.at_cube_level(point, slice);
        }
        let [x, y, z] = self.pairs(point, slice, linear);
        let reduction = self.sampler.reduction;
        let mut planes = [[0.0; 4]; 2];
        let last = usize::from(z.second > 0.0);
        for (plane, z) in planes.iter_mut().zip(z.texels).take(last + 1) {
            let mut rows = [[0.0; 4]; 2];
            let last = usize::from(y.second > 0.0);
            for (row, y) in rows.iter_mut().zip(y.texels).take(last + 1) {
                *row = self.texel(point, slice, [x.texels[0], y, z])?;
                if x.second > 0.0 {
                    let second = self.texel(point, slice, [x.texels[1], y, z])?;
                    *row = mix(*row, second, x.second, reduction);
                }
            }
            *plane = if last == 0 { rows[0] } else { mix(rows[0], rows[1], y.second, reduction) };
        }
        Ok(if last == 0 { planes[0] } else { mix(planes[0], planes[1], z.second, reduction) })
    }

    /// The colour of a texel, compared if it is to be.
    fn texel(
        &mut self,
        point: &Point,
        slice: &Slice,
        at: [Option<u32>; 3],
    ) -> Result<[f32; 4], Fault> {
        let texel = floats(self.raw_texel(slice, at)?);
        Ok(self.compared(point.reference, texel))
    }

    /// Whether depth passes, if it is to be compared; else the texel.
    #[inline]
    fn compared(&self, reference: Option<f32>, texel: [f32; 4]) -> [f32; 4] {
        let Some(reference) = reference else { return texel };
        let reference =
            if self.surface.format.is_unorm() { reference.clamp(0.0, 1.0) } else { reference };
        let passed = !self.sampler.compare.holds(texel[0], reference);
        let result = f32::from(u8::from(passed));
        [result; 4]
    }

    fn raw_texel(&mut self, slice: &Slice, at: [Option<u32>; 3]) -> Result<[u32; 4], Fault> {
        let [Some(x), Some(y), Some(z)] = at else { return Ok(self.border_texel()) };
        if self.surface.kind == SurfaceKind::Volume {
            let place = self.place(slice.key.0, z, 0);
            return self.fetch(&place, x, y);
        }
        self.fetch(&slice.place, x, y)
    }

    /// The border's colour, as far as the format has channels for it.
    fn border_texel(&self) -> [u32; 4] {
        let format = self.surface.format;
        if format.packing != Packing::Channels {
            return self.border;
        }
        let mut color = [0, 0, 0, self.one()];
        for ((to, from), channel) in color.iter_mut().zip(self.border).zip(&format.channels) {
            if channel.is_some() {
                *to = from;
            }
        }
        color
    }

    /// The texel at (x, y), in texels.
    fn fetch(&mut self, place: &Place, x: u32, y: u32) -> Result<[u32; 4], Fault> {
        let Place { plane, marks } = place;
        if let Some(marks) = marks
            && marks.is_clear(self.cache, self.memory, x, y)?
        {
            return Ok(self.surface.clear_texel);
        }
        let format = self.surface.format;
        if let Packing::Block(kind) = format.packing {
            let at = plane.address(x / 4, y / 4);
            let block = self.cache.block(self.memory, format, kind, at)?;
            return Ok(block[(4 * (y % 4) + x % 4) as usize]);
        }
        self.cache.texel(self.memory, format, plane.address(x, y))
    }

    /// Bilinear, across the edges of faces.
    fn at_cube_level(&mut self, point: &Point, slice: &Slice) -> Result<[f32; 4], Fault> {
        let [size, ..] = slice.size;
        let [s, t, _] = point.at;
        let (x, x_second) = axis::between(s * size as f32, true);
        let (y, y_second) = axis::between(t * size as f32, true);
        let mut texels = [[0.0; 4]; 4];
        for (texel, (x, y)) in
            texels.iter_mut().zip([(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)])
        {
            *texel = self.cube_texel(point, slice, x, y)?;
        }
        let [x, y] = [x_second, y_second].map(|second| second as f32 / 256.0);
        let [one, two, three, four] = texels;
        let reduction = self.sampler.reduction;
        Ok(mix(mix(one, two, x, reduction), mix(three, four, x, reduction), y, reduction))
    }

    fn cube_texel(
        &mut self,
        point: &Point,
        slice: &Slice,
        x: i32,
        y: i32,
    ) -> Result<[f32; 4], Fault> {
        let [size, ..] = slice.size;
        let outside = |at: i32| at.cast_unsigned() >= size;
        let mut get = |x: i32, y: i32| -> Result<[f32; 4], Fault> {
            let (face, x, y) = cube::across(point.layer % 6, x, y, size);
            let layer = point.layer - point.layer % 6 + face;
            let there = self.slice(slice.key.0, layer);
            let texel = floats(self.fetch(&there.place, x, y)?);
            Ok(self.compared(point.reference, texel))
        };
        if outside(x) && outside(y) {
            // Three faces meet at a corner: the fourth texel is their mean.
            let last = size.cast_signed() - 1;
            let (inner_x, inner_y) = (x.clamp(0, last), y.clamp(0, last));
            let three = [get(inner_x, inner_y)?, get(x, inner_y)?, get(inner_x, y)?];
            return Ok(std::array::from_fn(|c| (three[0][c] + three[1][c] + three[2][c]) / 3.0));
        }
        get(x, y)
    }

    /// One channel of the four texels around a point: below left, below right, above right, above left.
    fn gather(&mut self, point: &Point, channel: u8, slice: &mut Slice) -> Result<[u32; 4], Fault> {
        self.switch(slice, 0, point.layer);
        let slice = *slice;
        // Both of each pair are wanted, whatever their weights.
        let mut texels = [[0; 4]; 4];
        if self.is_seamless() {
            let [size, ..] = slice.size;
            let [x, y] = [0, 1].map(|axis| axis::between(point.at[axis] * size as f32, true).0);
            let places = [(x, y + 1), (x + 1, y + 1), (x + 1, y), (x, y)];
            for (texel, (x, y)) in texels.iter_mut().zip(places) {
                *texel = bits(self.cube_texel(point, &slice, x, y)?);
            }
        } else {
            let mut pairs = [[Some(0); 2]; 2];
            for (axis, pair) in pairs.iter_mut().enumerate().take(self.axes()) {
                let (size, wrap) = (slice.size[axis], self.sampler.wrap[axis]);
                let length = if self.sampler.unnormalized { 1.0 } else { size as f32 };
                let (first, _) = axis::between(point.at[axis] * length, true);
                let first = first.wrapping_add(point.offsets[axis]);
                *pair = [first, first.wrapping_add(1)].map(|at| axis::wrapped(at, size, wrap));
            }
            let [[x0, x1], [y0, y1]] = pairs;
            for (texel, (x, y)) in texels.iter_mut().zip([(x0, y1), (x1, y1), (x1, y0), (x0, y0)]) {
                let raw = self.raw_texel(&slice, [x, y, Some(0)])?;
                *texel = match point.reference {
                    Some(_) => bits(self.compared(point.reference, floats(raw))),
                    None => raw,
                };
            }
        }
        let select = self.surface.select[usize::from(channel & 3)];
        Ok(texels.map(|texel| match select {
            Select::Zero => 0,
            Select::One => self.one(),
            Select::Channel(channel) => texel[usize::from(channel & 3)],
        }))
    }

    fn one(&self) -> u32 {
        if self.surface.format.is_integer() { 1 } else { 1.0_f32.to_bits() }
    }

    /// Makes texels' colours what shaders get.
    fn select(&self, colors: &mut Colors) {
        let all = *colors;
        for (to, (number, select)) in colors.iter_mut().zip((0..).zip(self.surface.select)) {
            match select {
                Select::Zero => *to = [0; LANES],
                Select::One => *to = [self.one(); LANES],
                Select::Channel(channel) if channel == number => {}
                Select::Channel(channel) => *to = all[usize::from(channel & 3)],
            }
        }
    }
}

fn srgb_texel([r, g, b, a]: [u8; 4]) -> [f32; 4] {
    let table = &SRGB.decode;
    let get = |byte| table[usize::from(byte)];
    [get(r), get(g), get(b), UNORM8[usize::from(a)]]
}

/// Of top left, top right, bottom left and bottom right.
#[inline]
fn blend([a, b, c, d]: [[f32; 4]; 4], x: f32, y: f32) -> [f32; 4] {
    let mut color = [0.0; 4];
    for channel in 0..4 {
        let top = a[channel] + (b[channel] - a[channel]) * x;
        let bottom = c[channel] + (d[channel] - c[channel]) * x;
        color[channel] = top + (bottom - top) * y;
    }
    color
}

fn mix(first: [f32; 4], second: [f32; 4], weight: f32, reduction: Reduction) -> [f32; 4] {
    let both = |channel: usize| (first[channel], second[channel]);
    std::array::from_fn(|channel| {
        let (first, second) = both(channel);
        match reduction {
            Reduction::Mean => first + (second - first) * weight,
            Reduction::Minimum => first.min(second),
            Reduction::Maximum => first.max(second),
        }
    })
}

#[cfg(test)]
mod tests;
