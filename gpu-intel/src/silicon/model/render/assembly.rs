//! Primitive assembly: from a run of vertices to points, lines and triangles.
//!
//! Sources: SKL PRM vol 7, "Primitive assembly"; vol 2a, 3DSTATE_VF_TOPOLOGY and the provoking vertices of 3DSTATE_SF.

use super::state::{self, State};
use super::vertices::VertexId;

/// What a run of vertices makes (3D_Prim_Topo_Type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    Points,
    Lines,
    LineStrip,
    LineLoop,
    /// With neighbours, which only a geometry shader looks at.
    AdjacentLines,
    AdjacentLineStrip,
    Triangles,
    TriangleStrip,
    /// The first triangle has the winding of the second.
    ReversedTriangleStrip,
    TriangleFan,
    Polygon,
    AdjacentTriangles,
    AdjacentTriangleStrip,
    Quads,
    QuadStrip,
    /// Rectangles that stand upright: three corners.
    Rectangles,
}

impl Topology {
    /// The one with this code; `None` for patches, and for codes without a meaning.
    pub(super) fn new(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Points,
            2 => Self::Lines,
            3 => Self::LineStrip,
            4 => Self::Triangles,
            5 => Self::TriangleStrip,
            6 => Self::TriangleFan,
            7 => Self::Quads,
            8 => Self::QuadStrip,
            9 => Self::AdjacentLines,
            10 => Self::AdjacentLineStrip,
            11 => Self::AdjacentTriangles,
            12 => Self::AdjacentTriangleStrip,
            13 => Self::ReversedTriangleStrip,
            14 => Self::Polygon,
            15 => Self::Rectangles,
            16 => Self::LineLoop,
            _ => return None,
        })
    }
}

/// A primitive. Unused vertices repeat the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Primitive {
    pub(super) kind: Kind,
    pub(super) vertices: [VertexId; 3],
    /// Its neighbours, if it has any: of a triangle those beyond each side, of a line those before and behind it.
    pub(super) around: Option<[VertexId; 3]>,
    /// A triangle of a strip that is turned round.
    pub(super) odd: bool,
    /// The stream that it is of.
    pub(super) stream: u8,
    /// Which of its vertices has the constant attributes.
    pub(super) provoking: u8,
    /// Edges of a triangle that are the outline's: bit i is the one from vertex i on.
    pub(super) outline: u8,
    /// Its number among those of its instance.
    pub(super) id: u32,
}

impl Primitive {
    /// One by itself.
    pub(super) fn new(kind: Kind, vertices: [VertexId; 3]) -> Self {
        Self {
            kind,
            vertices,
            around: None,
            odd: false,
            stream: 0,
            provoking: 0,
            outline: 0b111,
            id: 0,
        }
    }

    /// Its vertices in their order; if `trailing`, a triangle that is turned round begins with the strip's second one.
    pub(super) fn corners(&self, trailing: bool) -> [VertexId; 3] {
        let [a, c, b] = self.vertices;
        if self.odd && trailing { [b, a, c] } else { self.vertices }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Point,
    Line,
    Triangle,
    Rectangle,
}

/// Which vertices have the constant attributes, by kind of primitive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Provoking {
    line: u32,
    triangle: u32,
    fan: u32,
}

impl Provoking {
    /// As 3DSTATE_SF has them (the clipper's copy is the same in all captures).
    pub(super) fn new(state: &State) -> Self {
        let sf = state.command(state::SF);
        Self { triangle: sf.bits(3, 29..=30), line: sf.bits(3, 27..=28), fan: sf.bits(3, 25..=26) }
    }
}

impl Provoking {
    /// That of primitives which are no strip or fan.
    pub(super) fn of(self, kind: Kind) -> u8 {
        match kind {
            Kind::Point => 0,
            Kind::Line => self.line.min(1) as u8,
            Kind::Triangle | Kind::Rectangle => self.triangle.min(2) as u8,
        }
    }
}

const NO_VERTEX: VertexId = VertexId(0);
/// Vertices that a coming primitive may need: of a strip with neighbours, the triangle before the last.
const HELD: usize = 10;

/// Takes vertices one by one.
#[derive(Clone, Debug)]
pub(super) struct Assembler {
    topology: Topology,
    provoking: Provoking,
    /// Vertices since the last restart.
    seen: u32,
    /// The first since then.
    hub: VertexId,
    /// The latest last.
    last: [VertexId; HELD],
    /// The next primitive's number.
    next: u32,
}

impl Assembler {
    pub(super) fn new(topology: Topology, provoking: Provoking) -> Self {
        Self { topology, provoking, seen: 0, hub: NO_VERTEX, last: [NO_VERTEX; HELD], next: 0 }
    }

    /// The vertices that coming primitives may need.
    pub(super) fn held(&mut self) -> impl Iterator<Item = &mut VertexId> {
        let live = (self.seen as usize).min(self.last.len());
        let first = self.last.len() - live;
        let hub = (self.seen > 0).then_some(&mut self.hub);
        hub.into_iter().chain(self.last.iter_mut().skip(first))
    }

    /// The primitives that are complete with `vertex`.
    pub(super) fn push(&mut self, vertex: VertexId, to: &mut Vec<Primitive>) {
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = vertex;
        }
        if self.seen == 0 {
            self.hub = vertex;
        }
        // It may wrap: 2³² is a multiple of all periods but 3 and 6.
        self.seen = self.seen.checked_add(1).unwrap_or(u32::MAX / 12 * 12);
        let n = self.seen;
        let [.., f, e, d, c, b, a] = self.last;
        let (line, triangle, fan) =
            (self.provoking.line, self.provoking.triangle, self.provoking.fan);
        match self.topology {
            Topology::Points => self.emit(Kind::Point, [a, a, a], 0, to),
            Topology::Lines if n.is_multiple_of(2) => self.line(b, a, line, to),
            Topology::LineStrip | Topology::LineLoop if n >= 2 => self.line(b, a, line, to),
            Topology::AdjacentLines if n.is_multiple_of(4) => {
                self.line(c, b, line, to);
                among(to, [d, a, a]);
            }
            Topology::AdjacentLineStrip if n >= 4 => {
                self.line(c, b, line, to);
                among(to, [d, a, a]);
            }
            Topology::Triangles if n.is_multiple_of(3) => {
                self.emit(Kind::Triangle, [c, b, a], triangle, to);
            }
            Topology::TriangleStrip if n >= 3 => self.strip([c, b, a], n.is_multiple_of(2), to),
            Topology::ReversedTriangleStrip if n >= 3 => self.strip([c, b, a], n % 2 == 1, to),
            Topology::TriangleFan if n >= 3 => {
                self.emit(Kind::Triangle, [self.hub, b, a], fan, to);
            }
            // One behind: whether its last edge is the outline's is known with the next vertex.
            Topology::Polygon if n >= 4 => {
                let outline = 0b010 | u8::from(n == 4);
                self.part(outline, [self.hub, c, b], fan, to);
            }
            Topology::AdjacentTriangles if n.is_multiple_of(6) => {
                self.emit(Kind::Triangle, [f, d, b], triangle, to);
                among(to, [e, c, a]);
            }
            // What lies beyond its last side is known only when the next triangle is complete.
            Topology::AdjacentTriangleStrip if n >= 8 && n.is_multiple_of(2) => {
                self.among_strip((n - 6) / 2, false, to);
            }
            Topology::Quads if n.is_multiple_of(4) => {
                let (halves, provoking) = match triangle {
                    0 => ([(0b011, [d, c, b]), (0b110, [d, b, a])], 0),
                    _ => ([(0b101, [d, c, a]), (0b011, [c, b, a])], 2),
                };
                for (outline, half) in halves {
                    self.part(outline, half, provoking, to);
                }
                self.next = self.next.wrapping_sub(1);
            }
            Topology::QuadStrip if n >= 4 && n.is_multiple_of(2) => {
                let provoking = if triangle == 0 { [0, 1] } else { [2, 2] };
                // In order around the quad: d, c, a, b.
                self.part(0b011, [d, c, a], provoking[0], to);
                self.part(0b101, [b, d, a], provoking[1], to);
                self.next = self.next.wrapping_sub(1);
            }
            Topology::Rectangles if n.is_multiple_of(3) => {
                self.emit(Kind::Rectangle, [c, b, a], triangle, to);
            }
            _ => {}
        }
    }

    /// The run ends; the next vertex begins another. `to` gets what closes a loop or a polygon.
    pub(super) fn restart(&mut self, to: &mut Vec<Primitive>) {
        if self.topology == Topology::Polygon && self.seen >= 3 {
            let [.., b, a] = self.last;
            let outline = 0b110 | u8::from(self.seen == 3);
            self.part(outline, [self.hub, b, a], self.provoking.fan, to);
        }
        if self.topology == Topology::LineLoop && self.seen >= 2 {
            let [.., last] = self.last;
            self.line(last, self.hub, self.provoking.line, to);
        }
        if self.topology == Topology::AdjacentTriangleStrip && self.seen >= 6 {
            self.among_strip((self.seen - 4) / 2, true, to);
        }
        self.seen = 0;
    }

    /// A triangle of a strip with neighbours, by its number from 1; whether it is the last.
    fn among_strip(&mut self, number: u32, is_last: bool, to: &mut Vec<Primitive>) {
        // Vertices by their number from 1.
        let (seen, last) = (self.seen, self.last);
        let vertex = |vertex: u32| {
            let back = seen.wrapping_sub(vertex) as usize;
            last.iter().rev().nth(back).copied().unwrap_or(NO_VERTEX)
        };
        let i = 2 * number;
        let odd = number.is_multiple_of(2);
        self.strip([vertex(i - 1), vertex(i + 1), vertex(i + 3)], odd, to);
        let before = vertex(if number == 1 { 2 } else { i - 3 });
        let behind = vertex(if is_last { i + 4 } else { i + 5 });
        let beside = vertex(i + 2);
        among(to, if odd { [beside, behind, before] } else { [before, behind, beside] });
    }

    /// A new instance: it counts its primitives anew.
    pub(super) fn next_instance(&mut self, to: &mut Vec<Primitive>) {
        self.restart(to);
        self.next = 0;
    }

    fn line(&mut self, from: VertexId, to: VertexId, provoking: u32, out: &mut Vec<Primitive>) {
        self.emit(Kind::Line, [from, to, to], provoking.min(1), out);
    }

    /// Vertices in the strip's order; an odd one is turned round, and its provoking vertex stays the same.
    fn strip(&mut self, [a, b, c]: [VertexId; 3], odd: bool, to: &mut Vec<Primitive>) {
        let k = self.provoking.triangle.min(2);
        let (vertices, provoking) = match (odd, k) {
            (false, k) => ([a, b, c], k),
            (true, 0) => ([a, c, b], 0),
            (true, 1) => ([a, c, b], 2),
            (true, _) => ([a, c, b], 1),
        };
        self.emit(Kind::Triangle, vertices, provoking, to);
        if let Some(made) = to.last_mut() {
            made.odd = odd;
        }
    }

    /// A triangle of something larger.
    fn part(
        &mut self,
        outline: u8,
        vertices: [VertexId; 3],
        provoking: u32,
        to: &mut Vec<Primitive>,
    ) {
        self.emit(Kind::Triangle, vertices, provoking, to);
        if let Some(last) = to.last_mut() {
            last.outline = outline;
        }
    }

    fn emit(
        &mut self,
        kind: Kind,
        vertices: [VertexId; 3],
        provoking: u32,
        to: &mut Vec<Primitive>,
    ) {
        let provoking = provoking.min(2) as u8;
        to.push(Primitive { provoking, id: self.next, ..Primitive::new(kind, vertices) });
        self.next = self.next.wrapping_add(1);
    }
}

/// The last primitive has neighbours.
fn among(primitives: &mut [Primitive], around: [VertexId; 3]) {
    if let Some(made) = primitives.last_mut() {
        made.around = Some(around);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(topology: Topology, count: u32, triangle: u32) -> Vec<([u32; 3], u8)> {
        let provoking = Provoking { line: 1, triangle, fan: 2 };
        let mut assembler = Assembler::new(topology, provoking);
        let mut made = Vec::new();
        for i in 0..count {
            assembler.push(VertexId(i), &mut made);
        }
        assembler.restart(&mut made);
        made.iter().map(|p| (p.vertices.map(|v| v.0), p.provoking)).collect()
    }

    #[test]
    fn lists_drop_what_is_incomplete() {
        assert_eq!(assemble(Topology::Triangles, 8, 2), [([0, 1, 2], 2), ([3, 4, 5], 2)]);
        assert_eq!(assemble(Topology::Lines, 3, 2), [([0, 1, 1], 1)]);
        assert_eq!(assemble(Topology::Points, 2, 2), [([0, 0, 0], 0), ([1, 1, 1], 0)]);
    }

    #[test]
    fn strips_keep_their_winding_and_their_provoking_vertex() {
        assert_eq!(
            assemble(Topology::TriangleStrip, 5, 2),
            [([0, 1, 2], 2), ([1, 3, 2], 1), ([2, 3, 4], 2)]
        );
        assert_eq!(assemble(Topology::TriangleStrip, 4, 0), [([0, 1, 2], 0), ([1, 3, 2], 0)]);
    }

    #[test]
    fn fans_turn_about_their_first_vertex() {
        assert_eq!(assemble(Topology::TriangleFan, 4, 2), [([0, 1, 2], 2), ([0, 2, 3], 2)]);
    }

    #[test]
    fn loops_close() {
        assert_eq!(
            assemble(Topology::LineLoop, 3, 2),
            [([0, 1, 1], 1), ([1, 2, 2], 1), ([2, 0, 0], 1)]
        );
    }

    #[test]
    fn quads_are_two_triangles_of_one_provoking_vertex() {
        assert_eq!(assemble(Topology::Quads, 4, 2), [([0, 1, 3], 2), ([1, 2, 3], 2)]);
        assert_eq!(assemble(Topology::Quads, 4, 0), [([0, 1, 2], 0), ([0, 2, 3], 0)]);
        assert_eq!(assemble(Topology::QuadStrip, 6, 2).len(), 4);
    }

    #[test]
    fn of_quads_and_polygons_only_the_outline_has_edges() {
        let edges = |topology, count| {
            let mut assembler =
                Assembler::new(topology, Provoking { line: 1, triangle: 2, fan: 2 });
            let mut made = Vec::new();
            (0..count).for_each(|i| assembler.push(VertexId(i), &mut made));
            assembler.restart(&mut made);
            let edge = |p: &Primitive, i: usize| (p.vertices[i].0, p.vertices[(i + 1) % 3].0);
            let drawn = |p: &Primitive| {
                let outline = (0..3).filter(|i| p.outline >> i & 1 != 0);
                outline.map(|i| edge(p, i)).collect::<Vec<_>>()
            };
            let mut edges: Vec<_> = made.iter().flat_map(drawn).collect();
            edges.sort_unstable();
            edges
        };
        assert_eq!(edges(Topology::Quads, 4), [(0, 1), (1, 2), (2, 3), (3, 0)]);
        assert_eq!(edges(Topology::QuadStrip, 4), [(0, 1), (1, 3), (2, 0), (3, 2)]);
        assert_eq!(edges(Topology::Polygon, 3), [(0, 1), (1, 2), (2, 0)]);
        assert_eq!(edges(Topology::Polygon, 5), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
    }

    #[test]
    fn neighbours_are_told_apart() {
        assert_eq!(assemble(Topology::AdjacentTriangles, 6, 2), [([0, 2, 4], 2)]);
        assert_eq!(assemble(Topology::AdjacentLines, 4, 2), [([1, 2, 2], 1)]);
        assert_eq!(
            assemble(Topology::AdjacentTriangleStrip, 10, 2),
            [([0, 2, 4], 2), ([2, 6, 4], 1), ([4, 6, 8], 2)]
        );
        // As OpenGL ES 3.2 has them ("Triangle strips with adjacency"), which counts from 1.
        let mut assembler = Assembler::new(Topology::AdjacentTriangleStrip, Provoking::default());
        let mut made = Vec::new();
        (1..=10).for_each(|i| assembler.push(VertexId(i), &mut made));
        assembler.restart(&mut made);
        (1..=7).for_each(|i| assembler.push(VertexId(i), &mut made));
        assembler.restart(&mut made);
        let expected = [
            ([1, 3, 5], [2, 7, 4]),
            ([5, 3, 7], [1, 6, 9]),
            ([5, 7, 9], [3, 10, 8]),
            ([1, 3, 5], [2, 6, 4]),
        ];
        for (primitive, (corners, mut around)) in made.iter().zip(expected) {
            assert_eq!(primitive.corners(true).map(|v| v.0), corners);
            // As they are turned, neighbours turn.
            around.rotate_left(usize::from(primitive.odd));
            assert_eq!(primitive.around.unwrap().map(|v| v.0), around);
        }
        assert_eq!(made.len(), expected.len());
    }
}
