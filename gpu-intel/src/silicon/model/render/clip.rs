//! Clipping, in clip space: a primitive is dropped, passed as it is, or cut.
//!
//! ```text
//!              ┌ all vertices outside one plane of the view volume ──► dropped
//!  primitive ──┼ inside depth range, guard band, user planes ────────► as it is
//!              └ else ────────────────────────────────────────────────► a polygon, cut plane by plane: a fan of triangles
//! ```
//!
//! Sources: SKL PRM vol 7, "Clip stage"; vol 2a, 3DSTATE_CLIP and 3DSTATE_RASTER.

use super::assembly::Kind;
use super::state::{self, State};
use super::vertices::{VertexId, Vertices};

/// W below this is behind the eye.
const LEAST_W: f32 = 1e-6;

/// The planes of one draw.
#[derive(Clone, Debug)]
pub(super) struct Clipper {
    enabled: bool,
    reject_all: bool,
    accept_all: bool,
    /// Depth runs from 0 instead of -w.
    from_zero: bool,
    near: bool,
    far: bool,
    xy: bool,
    guard_band: bool,
    /// User planes that cut, a bit each.
    distances: u8,
    /// User planes that only drop primitives which are wholly outside.
    culls: u8,
}

/// A half-space: what lies at a distance of 0 or more is inside.
#[derive(Clone, Copy, Debug)]
enum Plane {
    W,
    Near,
    Far,
    Left(f32),
    Right(f32),
    Top(f32),
    Bottom(f32),
    User(u8),
}

/// What is left of a primitive, or a part of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) corners: [VertexId; 3],
    /// As [`Primitive::outline`](super::assembly::Primitive::outline).
    pub(super) outline: u8,
}

/// How far the guard band goes, in normalized device coordinates: left, right, top, bottom.
#[derive(Clone, Copy, Debug)]
pub(super) struct GuardBand(pub(super) [f32; 4]);

const VIEW: GuardBand = GuardBand([-1.0, 1.0, -1.0, 1.0]);

impl Clipper {
    pub(super) fn new(state: &State) -> Self {
        let clip = state.command(state::CLIP);
        let raster = state.command(state::RASTER);
        let mode = clip.bits(2, 13..=15);
        // The last stage that makes vertices names the user planes; without any there are none.
        let stage = match () {
            () if state.command(state::GS).flag(7, 0) => state.command(state::GS).dword(9),
            () if state.command(state::DS).flag(7, 0) => state.command(state::DS).dword(8),
            () if state.command(state::VS).flag(7, 0) => state.command(state::VS).dword(8),
            () => 0,
        };
        Self {
            enabled: clip.flag(2, 31),
            reject_all: mode == 3,
            accept_all: mode == 4,
            from_zero: clip.flag(2, 30),
            near: raster.flag(1, 0),
            far: raster.flag(1, 26),
            xy: clip.flag(2, 28),
            guard_band: clip.flag(2, 26),
            distances: (stage >> 8) as u8,
            culls: stage as u8,
        }
    }

    fn distance(&self, vertices: &Vertices, vertex: VertexId, plane: Plane) -> f32 {
        let [x, y, z, w] = vertices.position(vertex);
        match plane {
            Plane::W => w - LEAST_W,
            Plane::Near if self.from_zero => z,
            Plane::Near => z + w,
            Plane::Far => w - z,
            Plane::Left(edge) => x - edge * w,
            Plane::Right(edge) => edge * w - x,
            Plane::Top(edge) => y - edge * w,
            Plane::Bottom(edge) => edge * w - y,
            Plane::User(plane) => vertices.clip_distance(vertex, usize::from(plane)),
        }
    }

    /// The pieces (triangles, lines or points, as it was) that are left of a primitive. Edges where it was cut are its
    /// outline's.
    pub(super) fn clip(
        &self,
        kind: Kind,
        corners: [VertexId; 3],
        outline: u8,
        guard: GuardBand,
        vertices: &mut Vertices,
        to: &mut Vec<Piece>,
    ) {
        to.clear();
        if !self.enabled || self.accept_all || kind == Kind::Rectangle {
            to.push(Piece { corners, outline });
            return;
        }
        let count = match kind {
            Kind::Point => 1,
            Kind::Line => 2,
            Kind::Triangle | Kind::Rectangle => 3,
        };
        let corners_used = corners.get(..count).unwrap_or_default();
        let finite = |v: &VertexId| vertices.position(*v).iter().all(|x| x.is_finite());
        if self.reject_all || !corners_used.iter().all(finite) {
            return;
        }
        let depth = [(self.near, Plane::Near), (self.far, Plane::Far)];
        let depth = depth.into_iter().filter_map(|(on, plane)| on.then_some(plane));
        let sides = |GuardBand([left, right, top, bottom])| {
            [Plane::Left(left), Plane::Right(right), Plane::Top(top), Plane::Bottom(bottom)]
        };
        let user = (0..8).filter(|i| self.distances >> i & 1 != 0).map(Plane::User);
        let culls = (0..8).filter(|i| self.culls >> i & 1 != 0).map(Plane::User);

        let outside = |plane: Plane, all: bool, vertices: &Vertices| {
            let mut out =
                corners_used.iter().map(|v| is_outside(self.distance(vertices, *v, plane)));
            if all { out.all(|out| out) } else { out.any(|out| out) }
        };
        let view = sides(VIEW).into_iter().filter(|_| self.xy);
        let mut rejecting = depth.clone().chain(view).chain(user.clone()).chain(culls);
        if rejecting.any(|plane| outside(plane, true, vertices)) {
            return;
        }
        let band = if self.guard_band { guard } else { VIEW };
        let sides = sides(band).into_iter().filter(|_| self.xy && kind != Kind::Point);
        let cutting: Vec<Plane> = std::iter::once(Plane::W)
            .chain(depth)
            .chain(user)
            .chain(sides)
            .filter(|plane| outside(*plane, false, vertices))
            .collect();
        if cutting.is_empty() {
            to.push(Piece { corners, outline });
        } else if kind != Kind::Point {
            let polygon = self.cut(corners_used, &cutting, vertices);
            match (kind, polygon.as_slice()) {
                (Kind::Line, &[a, b, ..]) => to.push(Piece { corners: [a, b, b], outline }),
                (Kind::Triangle, &[hub, ref rest @ ..]) => {
                    let last = rest.len().saturating_sub(2);
                    to.extend(rest.windows(2).enumerate().filter_map(|(i, pair)| match *pair {
                        // The first and the last have an edge at the hub that is the polygon's.
                        [a, b] => Some(Piece {
                            corners: [hub, a, b],
                            outline: u8::from(i == 0) | 0b010 | u8::from(i == last) << 2,
                        }),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
    }

    /// Cuts a polygon, or a line, by one plane after the other.
    fn cut(
        &self,
        corners: &[VertexId],
        planes: &[Plane],
        vertices: &mut Vertices,
    ) -> Vec<VertexId> {
        let mut polygon = corners.to_vec();
        for plane in planes {
            let closed = polygon.len() > 2;
            let mut inside = Vec::with_capacity(polygon.len() + 1);
            for (i, &a) in polygon.iter().enumerate() {
                let from = self.distance(vertices, a, *plane);
                if !is_outside(from) {
                    inside.push(a);
                }
                let next = polygon.get(i + 1).or(if closed { polygon.first() } else { None });
                let Some(&b) = next else { continue };
                let to = self.distance(vertices, b, *plane);
                if is_outside(from) != is_outside(to) {
                    // From the inside out, whichever way the edge runs: neighbours cut it at the same point.
                    let cut = if !is_outside(from) {
                        vertices.between(a, b, from / (from - to))
                    } else {
                        vertices.between(b, a, to / (to - from))
                    };
                    inside.push(cut);
                }
            }
            polygon = inside;
        }
        polygon
    }
}

fn is_outside(distance: f32) -> bool {
    distance < 0.0 || distance.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipper() -> Clipper {
        Clipper {
            enabled: true,
            reject_all: false,
            accept_all: false,
            from_zero: false,
            near: true,
            far: true,
            xy: true,
            guard_band: true,
            distances: 0,
            culls: 0,
        }
    }

    fn clip(clipper: &Clipper, kind: Kind, positions: &[[f32; 4]]) -> Vec<Vec<[f32; 4]>> {
        let mut vertices = Vertices::default();
        vertices.clear(2);
        for position in positions {
            vertices.push().1[1] = position.map(f32::to_bits);
        }
        let last = positions.len() as u32 - 1;
        let corners = [0, 1.min(last), 2.min(last)].map(VertexId);
        let mut made = Vec::new();
        let guard = GuardBand([-4.0, 4.0, -4.0, 4.0]);
        clipper.clip(kind, corners, 0b111, guard, &mut vertices, &mut made);
        made.iter().map(|p| p.corners.iter().map(|v| vertices.position(*v)).collect()).collect()
    }

    #[test]
    fn what_is_inside_the_guard_band_stays_as_it_is() {
        let corners = [[0.0, 0.0, 0.0, 1.0], [3.0, 0.0, 0.0, 1.0], [0.0, 3.0, 0.0, 1.0]];
        assert_eq!(clip(&clipper(), Kind::Triangle, &corners), [corners.to_vec()]);
    }

    #[test]
    fn what_is_outside_one_plane_is_dropped() {
        let corners = [[2.0, 0.0, 0.0, 1.0], [3.0, 0.0, 0.0, 1.0], [2.0, 3.0, 0.0, 1.0]];
        assert!(clip(&clipper(), Kind::Triangle, &corners).is_empty());
        assert!(clip(&clipper(), Kind::Point, &[[0.0, 0.0, 2.0, 1.0]]).is_empty());
        let nan = [[f32::NAN, 0.0, 0.0, 1.0], [3.0, 0.0, 0.0, 1.0], [0.0, 3.0, 0.0, 1.0]];
        assert!(clip(&clipper(), Kind::Triangle, &nan).is_empty());
    }

    #[test]
    fn a_corner_behind_the_near_plane_leaves_a_quad() {
        let corners = [[0.0, 0.0, -2.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]];
        let made = clip(&clipper(), Kind::Triangle, &corners);
        assert_eq!(made.len(), 2);
        assert!(made.iter().flatten().all(|[_, _, z, w]| z + w >= -1e-6));
    }

    #[test]
    fn lines_are_cut_at_both_ends() {
        let ends = [[0.0, 0.0, -2.0, 1.0], [0.0, 0.0, 2.0, 1.0]];
        let made = clip(&clipper(), Kind::Line, &ends);
        let z: Vec<f32> = made.iter().flatten().map(|v| v[2]).collect();
        assert_eq!(z, [-1.0, 1.0, 1.0]);
    }
}
