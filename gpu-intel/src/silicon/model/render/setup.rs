//! From vertices in clip space to shapes on the screen: viewport, winding, edges, planes of what is interpolated.
//!
//! A triangle, a line, a point and an upright rectangle all become one thing, a [`Shape`]: up to four edges that its inside
//! lies on one side of, and two numbers b1 and b2 that run linearly over the screen, 0 at the first vertex. Whatever is
//! interpolated is v0 + b1·(v1 − v0) + b2·(v2 − v0).
//!
//! Sources: SKL PRM vol 7, "Strips and fans", "Setup"; vol 2a, 3DSTATE_SF, RASTER, SBE, SBE_SWIZ.

use super::assembly::Kind;
use super::clip::{GuardBand, Piece};
use super::state::{self, Base, State, Words};
use super::vertices::{Slot, VertexId, Vertices};
use crate::command::streamer::Fault;
use crate::eu::Grf;
use crate::memory::PpgttMemory;

/// Parts of a pixel that positions are rounded to.
pub(super) const SUBPIXEL: i64 = 256;
/// Pixels from the origin that a vertex may lie at; what is farther is dropped, so that edges fit their numbers.
const FARTHEST: f32 = (1 << 20) as f32;
const VIEWPORTS: usize = 16;

/// A rectangle of pixels; right and bottom are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Area {
    pub(super) fn intersection(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }
}

/// What lies where a·x + b·y + c ≥ 0, in parts of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) a: i64,
    pub(super) b: i64,
    pub(super) c: i64,
}

/// x·dx + y·dy + at, in pixels from the shape's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Plane {
    pub(super) at: f32,
    pub(super) dx: f32,
    pub(super) dy: f32,
}

impl Plane {
    pub(super) fn value(self, x: f32, y: f32) -> f32 {
        self.at + x * self.dx + y * self.dy
    }
}

/// What is to be rasterized.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) edges: [Edge; 4],
    pub(super) edge_count: u8,
    /// The pixels that it may cover.
    pub(super) area: Area,
    /// Where planes have their origin: pixels.
    pub(super) origin: [f32; 2],
    pub(super) b: [Plane; 2],
    pub(super) z: Plane,
    /// 1/w at the vertices.
    pub(super) inverse_w: [f32; 3],
    /// Where its attributes begin among those of all shapes.
    pub(super) attributes: usize,
    pub(super) back_facing: bool,
    /// A triangle's inside, which patterns are for.
    pub(super) filled: bool,
    pub(super) layer: u32,
    pub(super) viewport: u32,
}

impl Shape {
    /// The pixels whose centres an upright rectangle covers, whatever it was cut to.
    pub(super) fn rectangle(&self) -> Area {
        let [left, right, top, bottom] = self.edges.map(|edge| edge.c);
        Area {
            left: pixel_from(-left),
            top: pixel_from(-top),
            right: pixel_from(right + 1),
            bottom: pixel_from(bottom + 1),
        }
    }
}

/// One of SF_CLIP_VIEWPORT.
#[derive(Clone, Copy, Debug, Default)]
struct Viewport {
    scale: [f32; 3],
    offset: [f32; 3],
    guard: [f32; 4],
    /// Its extents, and the scissor where that is on.
    area: Option<Area>,
}

/// How faces are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Solid,
    Wire,
    Points,
}

impl Fill {
    fn new(code: u32) -> Self {
        match code {
            1 => Self::Wire,
            2 => Self::Points,
            _ => Self::Solid,
        }
    }
}

/// How depth is offset; constant and slope factors, and the limit.
#[derive(Clone, Copy, Debug)]
struct DepthOffset {
    on: [bool; 3],
    constant: f32,
    scale: f32,
    clamp: f32,
    /// The unit of the constant; 0: that of the largest depth's exponent.
    unit: f32,
}

/// A vertex on the screen.
#[derive(Clone, Copy, Debug, Default)]
struct Corner {
    x: f32,
    y: f32,
    z: f32,
    inverse_w: f32,
}

/// All that setup knows of one draw.
#[derive(Debug)]
pub(super) struct Setup {
    viewports: Vec<Viewport>,
    transform: bool,
    no_divide: bool,
    no_layers: bool,
    last_viewport: u32,
    drawing: Area,
    origin: [i32; 2],
    cull_front: bool,
    cull_back: bool,
    front_is_counterclockwise: bool,
    fill: [Fill; 2],
    offset: DepthOffset,
    line_width: f32,
    point_width: Option<f32>,
    point_limits: [f32; 2],
    attributes: Attributes,
}

fn area(words: Words<'_>) -> Area {
    let at = |dword, shift: u32| (words.dword(dword) >> shift & 0xffff) as i32;
    Area { left: at(0, 0), top: at(0, 16), right: at(1, 0) + 1, bottom: at(1, 16) + 1 }
}

fn read<M: PpgttMemory>(
    memory: &mut M,
    state: &State,
    offset: u32,
    to: &mut [u32],
) -> Result<(), Fault> {
    let at = state.base(Base::Dynamic).0.wrapping_add(offset.into());
    let mut bytes = vec![0; 4 * to.len()];
    memory.read(crate::address::PpgttAddress(at).truncated(), &mut bytes)?;
    for (word, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    Ok(())
}

impl Setup {
    pub(super) fn new<M: PpgttMemory>(state: &State, memory: &mut M) -> Result<Self, Fault> {
        let sf = state.command(state::SF);
        let clip = state.command(state::CLIP);
        let raster = state.command(state::RASTER);
        let transform = sf.flag(1, 1);
        let last_viewport = clip.bits(3, 0..=3);
        let mut viewports = Vec::with_capacity(VIEWPORTS);
        for i in 0..=last_viewport {
            viewports.push(Viewport::read(state, memory, i, transform, raster.flag(1, 1))?);
        }
        let drawing = state.command(state::DRAWING_RECTANGLE);
        let unit = match state.command(state::DEPTH_BUFFER).bits(1, 18..=20) {
            5 => 1.0 / 65_536.0,
            3 => 1.0 / 16_777_216.0,
            _ => 0.0,
        };
        let cull = raster.bits(1, 16..=17);
        let width = |bits: u32| bits as f32 / 8.0;
        let line_width = sf.bits(1, 12..=29) as f32 / 128.0;
        Ok(Self {
            viewports,
            transform,
            no_divide: clip.flag(2, 9),
            no_layers: clip.flag(3, 5),
            last_viewport,
            drawing: area(drawing.from(1)),
            origin: [drawing.dword(3) as i16, (drawing.dword(3) >> 16) as i16].map(i32::from),
            cull_front: matches!(cull, 0 | 2),
            cull_back: matches!(cull, 0 | 3),
            front_is_counterclockwise: raster.flag(1, 21),
            fill: [raster.bits(1, 5..=6), raster.bits(1, 3..=4)].map(Fill::new),
            offset: DepthOffset {
                on: [9, 8, 7].map(|bit| raster.flag(1, bit)),
                constant: raster.float(2),
                scale: raster.float(3),
                clamp: raster.float(4),
                unit,
            },
            // A width of 0 asks for the thinnest.
            line_width: if line_width == 0.0 { 1.0 } else { line_width.max(1.0).round() },
            point_width: sf.flag(3, 11).then(|| width(sf.bits(3, 0..=10))),
            point_limits: [width(clip.bits(3, 17..=27)), width(clip.bits(3, 6..=16))],
            attributes: Attributes::new(state),
        })
    }

    /// The guard band that a vertex is clipped to.
    pub(super) fn guard_band(&self, vertices: &Vertices, vertex: VertexId) -> GuardBand {
        GuardBand(self.viewport(vertices, vertex).1.guard)
    }

    fn viewport(&self, vertices: &Vertices, vertex: VertexId) -> (u32, Viewport) {
        let index = vertices.viewport(vertex);
        let index = if index > self.last_viewport { 0 } else { index };
        (index, self.viewports.get(index as usize).copied().unwrap_or_default())
    }

    /// Adds the shapes that a primitive is drawn as, and their attributes.
    pub(super) fn add(
        &self,
        kind: Kind,
        Piece { corners, outline }: Piece,
        provoking: VertexId,
        id: u32,
        vertices: &Vertices,
        shapes: &mut Shapes,
    ) {
        let (index, viewport) = self.viewport(vertices, provoking);
        let Some(on_screen) = self.project(corners, vertices, &viewport) else { return };
        let layer = if self.no_layers { 0 } else { vertices.layer(provoking) };
        let mut primitive = Drawn {
            setup: self,
            corners,
            outline,
            on_screen,
            provoking,
            id,
            vertices,
            area: viewport.area.map_or(self.drawing, |area| area.intersection(self.drawing)),
            back_facing: false,
            layer,
            viewport: index,
        };
        match kind {
            Kind::Point => primitive.point(shapes, 0),
            Kind::Line => primitive.line(shapes, 0, 1),
            Kind::Rectangle => primitive.rectangle(shapes),
            Kind::Triangle => primitive.face(shapes),
        }
    }

    fn project(
        &self,
        corners: [VertexId; 3],
        vertices: &Vertices,
        viewport: &Viewport,
    ) -> Option<[Corner; 3]> {
        let mut projected = [Corner::default(); 3];
        for (corner, vertex) in projected.iter_mut().zip(corners) {
            let [x, y, z, w] = vertices.position(vertex);
            let inverse_w = if self.no_divide { 1.0 } else { 1.0 / w };
            let mut point = [x * inverse_w, y * inverse_w, z * inverse_w];
            if self.transform {
                for (i, value) in point.iter_mut().enumerate() {
                    *value = *value * viewport.scale[i] + viewport.offset[i];
                }
            }
            let [x, y, z] = point;
            let (x, y) = (x + self.origin[0] as f32, y + self.origin[1] as f32);
            if !(x.abs() < FARTHEST && y.abs() < FARTHEST && z.is_finite()) {
                return None;
            }
            *corner = Corner { x, y, z, inverse_w };
        }
        Some(projected)
    }
}

impl Viewport {
    fn read<M: PpgttMemory>(
        state: &State,
        memory: &mut M,
        index: u32,
        transform: bool,
        scissor: bool,
    ) -> Result<Self, Fault> {
        let mut this = Self { guard: [-1.0, 1.0, -1.0, 1.0], ..Self::default() };
        // Without a transformation the pointers may be what an earlier draw left.
        if transform {
            let pointer = state.command(state::VIEWPORT_STATE_POINTERS_SF_CLIP).dword(1) & !63;
            let mut words = [0; 16];
            read(memory, state, pointer.wrapping_add(64 * index), &mut words)?;
            let words = Words(&words);
            this.scale = [0, 1, 2].map(|i| words.float(i));
            this.offset = [3, 4, 5].map(|i| words.float(i));
            this.guard = [8, 9, 10, 11].map(|i| words.float(i));
            // Casts of floats saturate.
            let [left, right, top, bottom] = [12, 13, 14, 15].map(|i| words.float(i));
            this.area = Some(Area {
                left: left.ceil() as i32,
                right: (right.floor() as i32).saturating_add(1),
                top: top.ceil() as i32,
                bottom: (bottom.floor() as i32).saturating_add(1),
            });
        }
        if scissor {
            let pointer = state.command(state::SCISSOR_STATE_POINTERS).dword(1) & !31;
            let mut words = [0; 2];
            read(memory, state, pointer.wrapping_add(8 * index), &mut words)?;
            let scissor = area(Words(&words));
            this.area = Some(this.area.map_or(scissor, |area| area.intersection(scissor)));
        }
        Ok(this)
    }
}

/// Shapes, and the attributes that their pixels start from.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    pub(super) shapes: Vec<Shape>,
    /// Two registers for each attribute: of each component v1 − v0, v2 − v0, nothing, v0.
    pub(super) attributes: Vec<Grf>,
}

impl Shapes {
    pub(super) fn clear(&mut self) {
        self.shapes.clear();
        self.attributes.clear();
    }
}

/// A primitive on its way to its shapes.
struct Drawn<'a> {
    setup: &'a Setup,
    corners: [VertexId; 3],
    outline: u8,
    on_screen: [Corner; 3],
    provoking: VertexId,
    id: u32,
    vertices: &'a Vertices,
    area: Area,
    back_facing: bool,
    layer: u32,
    viewport: u32,
}

fn snap(x: f32) -> i64 {
    (x * SUBPIXEL as f32).round_ties_even() as i64
}

/// The first pixel whose centre is at `x` or behind it.
fn pixel_from(x: i64) -> i32 {
    (x - SUBPIXEL / 2).div_euclid(SUBPIXEL) as i32
        + i32::from((x - SUBPIXEL / 2).rem_euclid(SUBPIXEL) != 0)
}

impl Drawn<'_> {
    fn face(&mut self, shapes: &mut Shapes) {
        let [x, y] = [self.on_screen.map(|c| snap(c.x)), self.on_screen.map(|c| snap(c.y))];
        let doubled = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
        if doubled == 0 {
            return;
        }
        // Y runs down: what turns against the clock has a negative area.
        self.back_facing = (doubled < 0) != self.setup.front_is_counterclockwise;
        let culled = if self.back_facing { self.setup.cull_back } else { self.setup.cull_front };
        if culled {
            return;
        }
        match self.setup.fill[usize::from(self.back_facing)] {
            Fill::Solid => self.triangle(shapes, x, y, doubled),
            Fill::Wire => self.outlined().for_each(|i| self.line(shapes, i, (i + 1) % 3)),
            Fill::Points => self.outlined().for_each(|corner| self.point(shapes, corner)),
        }
    }

    /// The corners at which an edge of the outline begins.
    fn outlined(&self) -> impl Iterator<Item = usize> + use<> {
        let outline = self.outline;
        (0..3).filter(move |corner| outline >> corner & 1 != 0)
    }

    fn triangle(&self, shapes: &mut Shapes, x: [i64; 3], y: [i64; 3], doubled: i64) {
        let order = if doubled > 0 { [0, 1, 2] } else { [0, 2, 1] };
        let edge = |from: usize, to: usize| {
            let (from, to) = (order[from], order[to]);
            let (dx, dy) = (x[to] - x[from], y[to] - y[from]);
            // A sample right on a left or a top edge is inside.
            let inside = dy < 0 || dy == 0 && dx > 0;
            Edge { a: -dy, b: dx, c: dy * x[from] - dx * y[from] - i64::from(!inside) }
        };
        let edges = [edge(0, 1), edge(1, 2), edge(2, 0), EVERYWHERE];
        let planes = self.planes(x, y, doubled);
        let least = |v: [i64; 3]| v.into_iter().min().unwrap_or_default();
        let most = |v: [i64; 3]| v.into_iter().max().unwrap_or_default();
        let bounds = bounds([least(x), most(x)], [least(y), most(y)]);
        let z = self.depth(planes);
        let z = self.offset_depth(z, 0);
        let before = shapes.shapes.len();
        self.push(shapes, (edges, 3), bounds, (planes, z), [0, 1, 2]);
        shapes.shapes.iter_mut().skip(before).for_each(|shape| shape.filled = true);
    }

    /// b1 and b2 from the corners' places.
    fn planes(&self, x: [i64; 3], y: [i64; 3], doubled: i64) -> [Plane; 2] {
        let scale = SUBPIXEL as f64 / doubled as f64;
        let [x1, x2] = [x[1] - x[0], x[2] - x[0]].map(|d| d as f64);
        let [y1, y2] = [y[1] - y[0], y[2] - y[0]].map(|d| d as f64);
        let plane =
            |dx: f64, dy: f64| Plane { at: 0.0, dx: (dx * scale) as f32, dy: (dy * scale) as f32 };
        [plane(y2, -x2), plane(-y1, x1)]
    }

    fn depth(&self, [b1, b2]: [Plane; 2]) -> Plane {
        let [z0, z1, z2] = self.on_screen.map(|c| c.z);
        Plane {
            at: z0,
            dx: b1.dx * (z1 - z0) + b2.dx * (z2 - z0),
            dy: b1.dy * (z1 - z0) + b2.dy * (z2 - z0),
        }
    }

    fn offset_depth(&self, mut z: Plane, fill: usize) -> Plane {
        let offset = &self.setup.offset;
        if offset.on.get(fill) != Some(&true) {
            return z;
        }
        let unit = if offset.unit == 0.0 {
            let most = self.on_screen.iter().fold(0.0_f32, |most, c| most.max(c.z.abs()));
            f32::exp2(most.log2().floor() - 23.0)
        } else {
            offset.unit
        };
        let slope = z.dx.abs().max(z.dy.abs());
        let mut by = offset.constant * unit + offset.scale * slope;
        if offset.clamp > 0.0 {
            by = by.min(offset.clamp);
        } else if offset.clamp < 0.0 {
            by = by.max(offset.clamp);
        }
        if by.is_finite() {
            z.at += by;
        }
        z
    }

    /// Three corners of an upright rectangle; the second is where they meet at a right angle.
    fn rectangle(&self, shapes: &mut Shapes) {
        let [x, y] = [self.on_screen.map(|c| snap(c.x)), self.on_screen.map(|c| snap(c.y))];
        let doubled = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
        if doubled == 0 {
            return;
        }
        let span = |v: [i64; 3]| [v[0].min(v[1]).min(v[2]), v[0].max(v[1]).max(v[2])];
        let planes = self.planes(x, y, doubled);
        let z = self.depth(planes);
        self.upright(shapes, span(x), span(y), (planes, z), [0, 1, 2]);
    }

    fn upright(
        &self,
        shapes: &mut Shapes,
        [left, right]: [i64; 2],
        [top, bottom]: [i64; 2],
        planes: ([Plane; 2], Plane),
        corners: [usize; 3],
    ) {
        let edges = [
            Edge { a: 1, b: 0, c: -left },
            Edge { a: -1, b: 0, c: right - 1 },
            Edge { a: 0, b: 1, c: -top },
            Edge { a: 0, b: -1, c: bottom - 1 },
        ];
        self.push(shapes, (edges, 4), bounds([left, right], [top, bottom]), planes, corners);
    }

    /// A square around the corner; b1 and b2 run over it for sprites.
    fn point(&self, shapes: &mut Shapes, corner: usize) {
        let Some(at) = self.on_screen.get(corner) else { return };
        let vertex = self.corners.get(corner).copied().unwrap_or(self.provoking);
        let [least, most] = self.setup.point_limits;
        let width = match self.setup.point_width {
            Some(width) => width,
            None => self.vertices.point_width(vertex).max(least).min(most.max(least)),
        };
        if width.is_nan() || width <= 0.0 {
            return;
        }
        let (x, y, half) = (snap(at.x), snap(at.y), snap(width.min(2048.0)) / 2);
        let step = 1.0 / width;
        let planes = [Plane { at: 0.5, dx: step, dy: 0.0 }, Plane { at: 0.5, dx: 0.0, dy: step }];
        let z = self.offset_depth(Plane { at: at.z, dx: 0.0, dy: 0.0 }, 2);
        let corners = [corner; 3];
        self.upright(shapes, [x - half, x + half], [y - half, y + half], (planes, z), corners);
    }

    /// A run of pixels in the direction in which the line is longer, without its last: `width` of them side by side.
    fn line(&self, shapes: &mut Shapes, from: usize, to: usize) {
        let (Some(start), Some(end)) = (self.on_screen.get(from), self.on_screen.get(to)) else {
            return;
        };
        let [x, y] = [[start.x, end.x].map(snap), [start.y, end.y].map(snap)];
        let (dx, dy) = (x[1] - x[0], y[1] - y[0]);
        if dx == 0 && dy == 0 {
            return;
        }
        let width = snap(self.setup.line_width);
        // Along the longer direction it is half open at the end, across it half open below.
        let across = |along: i64, other: i64| {
            // |other - line| <= width/2, times `along` to stay whole.
            let sign = along.signum();
            (sign * along * width / 2, sign * other)
        };
        let x_major = dx.abs() >= dy.abs();
        let edges = if x_major {
            let (half, dy) = across(dx, dy);
            let dx = dx.abs();
            let on = |x0: i64, y0: i64| dy * x0 - dx * y0;
            let c = on(x[0], y[0]);
            let along = along_edges(x);
            [
                Edge { a: along[0].0, b: 0, c: along[0].1 },
                Edge { a: along[1].0, b: 0, c: along[1].1 },
                Edge { a: -dy, b: dx, c: c + half },
                Edge { a: dy, b: -dx, c: half - c - 1 },
            ]
        } else {
            let (half, dx) = across(dy, dx);
            let dy = dy.abs();
            let c = dx * y[0] - dy * x[0];
            let along = along_edges(y);
            [
                Edge { a: 0, b: along[0].0, c: along[0].1 },
                Edge { a: 0, b: along[1].0, c: along[1].1 },
                Edge { a: dy, b: -dx, c: c + half },
                Edge { a: -dy, b: dx, c: half - c - 1 },
            ]
        };
        let (fx, fy) = (dx as f64, dy as f64);
        let scale = SUBPIXEL as f64 / (fx * fx + fy * fy);
        let b1 = Plane { at: 0.0, dx: (fx * scale) as f32, dy: (fy * scale) as f32 };
        let (z0, z1) = (start.z, end.z);
        let z = Plane { at: z0, dx: b1.dx * (z1 - z0), dy: b1.dy * (z1 - z0) };
        let z = self.offset_depth(z, 1);
        let reach = |v: [i64; 2]| [v[0].min(v[1]) - width, v[0].max(v[1]) + width + 1];
        let planes = ([b1, Plane::default()], z);
        self.push(shapes, (edges, 4), bounds(reach(x), reach(y)), planes, [from, to, to]);
    }

    fn push(
        &self,
        shapes: &mut Shapes,
        (edges, edge_count): ([Edge; 4], u8),
        bounds: Area,
        (b, z): ([Plane; 2], Plane),
        corners: [usize; 3],
    ) {
        let area = bounds.intersection(self.area);
        if area.is_empty() {
            return;
        }
        let first = self.on_screen.get(corners[0]).copied().unwrap_or_default();
        let vertices = corners.map(|i| self.corners.get(i).copied().unwrap_or(self.provoking));
        let inverse_w =
            corners.map(|i| self.on_screen.get(i).map_or(1.0, |corner| corner.inverse_w));
        let is_point = corners[0] == corners[1];
        let attributes = shapes.attributes.len();
        self.setup.attributes.push(self, vertices, is_point, &mut shapes.attributes);
        // As rounded, like the edges.
        let origin = [first.x, first.y].map(|v| snap(v) as f32 / SUBPIXEL as f32);
        shapes.shapes.push(Shape {
            edges,
            edge_count,
            area,
            origin,
            b,
            z,
            inverse_w,
            attributes,
            back_facing: self.back_facing,
            filled: false,
            layer: self.layer,
            viewport: self.viewport,
        });
    }
}

const EVERYWHERE: Edge = Edge { a: 0, b: 0, c: 0 };

/// The two edges across a line's ends: its first point is on it, its last is not.
fn along_edges([from, to]: [i64; 2]) -> [(i64, i64); 2] {
    if from <= to { [(1, -from), (-1, to - 1)] } else { [(-1, from), (1, -to - 1)] }
}

fn bounds([left, right]: [i64; 2], [top, bottom]: [i64; 2]) -> Area {
    // Samples lie up to half a pixel around the centre: one pixel more on each side does no harm.
    Area {
        left: pixel_from(left).saturating_sub(1),
        top: pixel_from(top).saturating_sub(1),
        right: pixel_from(right).saturating_add(1),
        bottom: pixel_from(bottom).saturating_add(1),
    }
}

/// Where attributes come from (3DSTATE_SBE, 3DSTATE_SBE_SWIZ).
#[derive(Debug)]
struct Attributes {
    sources: Vec<Source>,
    sprite_from_below: bool,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    slot: usize,
    /// The slot for back faces.
    back_slot: usize,
    constant: bool,
    sprite: bool,
    /// Components that are not the vertices': a bit each, and what they are instead.
    overridden: u8,
    with: Override,
}

#[derive(Clone, Copy, Debug)]
enum Override {
    Constant([f32; 4]),
    PrimitiveId,
}

impl Attributes {
    fn new(state: &State) -> Self {
        let sbe = state.command(state::SBE);
        let swizzle = state.command(state::SBE_SWIZ);
        let first_slot = 2 * sbe.bits(1, 5..=10) as usize;
        let swizzled = if swizzle.flag(1, 11) { 16..32 } else { 0..16 };
        let id_attribute = sbe.bits(1, 0..=4) as usize;
        let id_components = sbe.bits(1, 16..=19) as u8;
        let source = |attribute: usize| {
            let mut source = Source {
                slot: first_slot + attribute,
                back_slot: first_slot + attribute,
                constant: sbe.dword(3) >> attribute & 1 != 0,
                sprite: sbe.dword(2) >> attribute & 1 != 0,
                overridden: 0,
                with: Override::PrimitiveId,
            };
            if sbe.flag(1, 21) && swizzled.contains(&attribute) {
                let index = attribute - swizzled.start;
                let entry = swizzle.dword(1 + index / 2) >> (16 * (index % 2)) & 0xffff;
                source.slot = first_slot + (entry & 0x1f) as usize;
                let facing = entry >> 6 & 1 != 0;
                source.back_slot = source.slot + usize::from(facing);
                source.overridden = (entry >> 12) as u8;
                source.with = match entry >> 9 & 3 {
                    0 => Override::Constant([0.0; 4]),
                    1 => Override::Constant([0.0, 0.0, 0.0, 1.0]),
                    2 => Override::Constant([1.0; 4]),
                    _ => Override::PrimitiveId,
                };
            }
            if attribute == id_attribute && id_components != 0 {
                (source.overridden, source.with) = (id_components, Override::PrimitiveId);
            }
            source
        };
        let count = sbe.bits(1, 22..=27) as usize;
        Self {
            sources: (0..count.min(32)).map(source).collect(),
            sprite_from_below: sbe.flag(1, 20),
        }
    }

    fn push(&self, drawn: &Drawn<'_>, corners: [VertexId; 3], is_point: bool, to: &mut Vec<Grf>) {
        for source in &self.sources {
            let mut pair = [[0; 8]; 2];
            let (halves, _) = pair.as_flattened_mut().as_chunks_mut::<4>();
            if source.sprite && is_point {
                let t = if self.sprite_from_below { (1.0_f32, -1.0_f32) } else { (0.0, 1.0) };
                let one = 1.0_f32.to_bits();
                halves[0] = [one, 0, 0, 0];
                halves[1] = [0, t.1.to_bits(), 0, t.0.to_bits()];
                halves[3] = [0, 0, 0, one];
                to.extend(pair);
                continue;
            }
            let slot = if drawn.back_facing { source.back_slot } else { source.slot };
            let [v0, v1, v2]: [Slot; 3] = if source.constant {
                [drawn.vertices.slot(drawn.provoking, slot); 3]
            } else {
                corners.map(|vertex| drawn.vertices.slot(vertex, slot))
            };
            for (i, quad) in halves.iter_mut().enumerate() {
                if source.overridden >> i & 1 != 0 {
                    let value = match source.with {
                        Override::Constant(values) => values[i].to_bits(),
                        Override::PrimitiveId => drawn.id,
                    };
                    *quad = [0, 0, 0, value];
                    continue;
                }
                let delta = |v: u32| (f32::from_bits(v) - f32::from_bits(v0[i])).to_bits();
                *quad = match source.constant || is_point {
                    true => [0, 0, 0, v0[i]],
                    false => [delta(v1[i]), delta(v2[i]), 0, v0[i]],
                };
            }
            to.extend(pair);
        }
    }
}
