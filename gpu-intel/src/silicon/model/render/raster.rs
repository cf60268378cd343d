//! Rasterization: which samples of which pixels a shape covers, in quads of 2x2 pixels.
//!
//! Sources: SKL PRM vol 7, "Rasterization": sample positions, the rule for samples on an edge.

use super::setup::{Area, Edge, SUBPIXEL, Shape};
use super::state::{self, State};

/// Pixels along the side of a tile. Tiles are what worker threads share out; in a Y-tiled surface of 32 bits a pixel, one is
/// a page.
pub(super) const TILE: i32 = 32;
/// Pixels along the side of a block, which is looked at as a whole first.
const BLOCK: i32 = 8;

/// Where samples lie in a pixel, in sixteenths, for 1, 2, 4, 8 and 16 of them (SKL PRM vol 7, "Sample positions").
const POSITIONS: [&[(u8, u8)]; 5] = [
    &[(8, 8)],
    &[(12, 12), (4, 4)],
    &[(6, 2), (14, 6), (2, 10), (10, 14)],
    &[(9, 5), (7, 11), (13, 9), (5, 3), (3, 13), (1, 7), (11, 15), (15, 1)],
    &[
        (9, 9),
        (7, 5),
        (5, 10),
        (12, 7),
        (3, 6),
        (10, 13),
        (13, 11),
        (11, 3),
        (6, 14),
        (8, 1),
        (4, 2),
        (2, 12),
        (0, 8),
        (15, 4),
        (14, 15),
        (1, 0),
    ],
];

/// The sample positions of a pixel with 2^`log2` samples.
pub(super) fn sample_positions(log2: u32) -> &'static [(u8, u8)] {
    POSITIONS.get(log2 as usize).copied().unwrap_or(POSITIONS[0])
}

/// Samples that are covered, a bit each.
pub(super) type Samples = u16;

/// 2x2 pixels: (0,0), (1,0), (0,1), (1,1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quad {
    /// Its upper left pixel.
    pub(super) x: i32,
    pub(super) y: i32,
    /// What is covered of each pixel.
    pub(super) covered: [Samples; 4],
}

/// A pattern that is laid over the screen: where it has no bit, insides of triangles are not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stipple {
    rows: [u32; 32],
    offset: (u32, u32),
}

impl Stipple {
    /// The pattern, if it is on (3DSTATE_POLY_STIPPLE_PATTERN, POLY_STIPPLE_OFFSET).
    pub(super) fn new(state: &State) -> Option<Self> {
        let on = state.command(state::WM).flag(1, 4);
        let offset = state.command(state::POLY_STIPPLE_OFFSET);
        let pattern = state.command(state::POLY_STIPPLE_PATTERN);
        on.then(|| Self {
            rows: std::array::from_fn(|row| pattern.dword(1 + row)),
            offset: (offset.bits(1, 8..=12), offset.bits(1, 0..=4)),
        })
    }

    /// Takes out of a quad the pixels for which there is no bit. The leftmost has the highest.
    pub(super) fn apply(&self, quad: &mut Quad) {
        for (i, covered) in quad.covered.iter_mut().enumerate() {
            let (x, y) = (quad.x as u32 + (i as u32 & 1), quad.y as u32 + (i as u32 >> 1));
            let (x, y) = (x.wrapping_add(self.offset.0), y.wrapping_add(self.offset.1));
            let row = self.rows.get(y as usize % 32).copied().unwrap_or_default();
            if row >> (31 - x % 32) & 1 == 0 {
                *covered = 0;
            }
        }
    }
}

/// Calls `emit` for each quad of `tile` of which the shape covers anything, block by block.
pub(super) fn rasterize(
    shape: &Shape,
    tile: Area,
    positions: &[(u8, u8)],
    mask: Samples,
    mut emit: impl FnMut(Quad),
) {
    let area = shape.area.intersection(tile);
    if area.is_empty() {
        return;
    }
    let edges = shape.edges.get(..usize::from(shape.edge_count)).unwrap_or_default();
    let all = mask & (u32::MAX >> (32 - positions.len().min(16))) as Samples;
    let mut top = area.top & !(BLOCK - 1);
    while top < area.bottom {
        let mut left = area.left & !(BLOCK - 1);
        while left < area.right {
            match relation(edges, left, top) {
                Relation::Outside => {}
                relation => {
                    let edges = if relation == Relation::Inside { &[] } else { edges };
                    block(edges, area, (left, top), positions, all, &mut emit);
                }
            }
            left += BLOCK;
        }
        top += BLOCK;
    }
}

/// How a block lies to a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Outside,
    Inside,
    Partly,
}

fn relation(edges: &[Edge], left: i32, top: i32) -> Relation {
    let span = i64::from(BLOCK) * SUBPIXEL;
    let (x, y) = (i64::from(left) * SUBPIXEL, i64::from(top) * SUBPIXEL);
    let mut relation = Relation::Inside;
    for edge in edges {
        let at = edge.a * x + edge.b * y + edge.c;
        let most = at + edge.a.max(0) * span + edge.b.max(0) * span;
        let least = at + edge.a.min(0) * span + edge.b.min(0) * span;
        if most < 0 {
            return Relation::Outside;
        }
        if least < 0 {
            relation = Relation::Partly;
        }
    }
    relation
}

fn block(
    edges: &[Edge],
    area: Area,
    (left, top): (i32, i32),
    positions: &[(u8, u8)],
    all: Samples,
    emit: &mut impl FnMut(Quad),
) {
    for y in (top..top + BLOCK).step_by(2) {
        if y + 1 < area.top || y >= area.bottom {
            continue;
        }
        for x in (left..left + BLOCK).step_by(2) {
            if x + 1 < area.left || x >= area.right {
                continue;
            }
            let mut covered = [all; 4];
            for (i, samples) in covered.iter_mut().enumerate() {
                let (px, py) = (x + (i & 1) as i32, y + (i >> 1) as i32);
                if px < area.left || px >= area.right || py < area.top || py >= area.bottom {
                    *samples = 0;
                }
            }
            for edge in edges {
                let at =
                    edge.a * i64::from(x) * SUBPIXEL + edge.b * i64::from(y) * SUBPIXEL + edge.c;
                for (s, &(sx, sy)) in positions.iter().enumerate() {
                    let scale = SUBPIXEL / 16;
                    let sample =
                        at + edge.a * i64::from(sx) * scale + edge.b * i64::from(sy) * scale;
                    let (right, down) = (edge.a * SUBPIXEL, edge.b * SUBPIXEL);
                    let values = [sample, sample + right, sample + down, sample + right + down];
                    for (samples, value) in covered.iter_mut().zip(values) {
                        *samples &= !(Samples::from(value < 0) << s);
                    }
                }
            }
            if covered != [0; 4] {
                emit(Quad { x, y, covered });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::silicon::model::render::setup::Plane;

    fn triangle(corners: [(i64, i64); 3]) -> Option<Shape> {
        let doubled = (corners[1].0 - corners[0].0) * (corners[2].1 - corners[0].1)
            - (corners[2].0 - corners[0].0) * (corners[1].1 - corners[0].1);
        let order = match doubled {
            0 => return None,
            d if d > 0 => [0, 1, 2],
            _ => [0, 2, 1],
        };
        let edge = |i: usize, j: usize| {
            let ((x0, y0), (x1, y1)) = (corners[order[i]], corners[order[j]]);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let inside = dy < 0 || dy == 0 && dx > 0;
            Edge { a: -dy, b: dx, c: dy * x0 - dx * y0 - i64::from(!inside) }
        };
        Some(Shape {
            edges: [edge(0, 1), edge(1, 2), edge(2, 0), Edge { a: 0, b: 0, c: 0 }],
            edge_count: 3,
            area: Area { left: 0, top: 0, right: TILE, bottom: TILE },
            origin: [0.0; 2],
            b: [Plane::default(); 2],
            z: Plane::default(),
            inverse_w: [1.0; 3],
            attributes: 0,
            back_facing: false,
            filled: true,
            layer: 0,
            viewport: 0,
        })
    }

    const WHOLE: Area = Area { left: 0, top: 0, right: TILE, bottom: TILE };

    fn pixels(shape: &Shape, log2: u32) -> Vec<((i32, i32), Samples)> {
        let mut covered = Vec::new();
        rasterize(shape, WHOLE, sample_positions(log2), Samples::MAX, |quad| {
            for (i, samples) in quad.covered.into_iter().enumerate() {
                if samples != 0 {
                    covered.push(((quad.x + (i as i32 & 1), quad.y + (i as i32 >> 1)), samples));
                }
            }
        });
        covered
    }

    #[test]
    fn a_pattern_takes_out_pixels() {
        let mut state = State::default();
        assert_eq!(Stipple::new(&state), None);
        let mut pattern = [0; 33];
        (pattern[0], pattern[1 + 5]) = (0x7907_001f, 1 << 31 | 1);
        state.set(&pattern);
        state.set(&[0x7906_0000, 2 << 8 | 3]);
        state.set(&[0x7814_0000, 1 << 4]);
        let stipple = Stipple::new(&state).unwrap();
        // Row 5 of the pattern is row 2 here; its columns 0 and 31 are 30 and 29.
        let mut quad = Quad { x: 28, y: 2, covered: [1; 4] };
        stipple.apply(&mut quad);
        assert_eq!(quad.covered, [0, 1, 0, 0]);
        let mut quad = Quad { x: 30, y: 34, covered: [1; 4] };
        stipple.apply(&mut quad);
        assert_eq!(quad.covered, [1, 0, 0, 0]);
    }

    #[test]
    fn a_half_square_has_its_diagonal_once() {
        let corner = |x: i64, y: i64| (x * SUBPIXEL, y * SUBPIXEL);
        let lower = triangle([corner(0, 0), corner(8, 8), corner(0, 8)]).unwrap();
        let upper = triangle([corner(0, 0), corner(8, 0), corner(8, 8)]).unwrap();
        let mut all = pixels(&lower, 0);
        all.extend(pixels(&upper, 0));
        assert_eq!(all.len(), 64);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 64);
    }

    proptest! {
        /// Two triangles that share an edge cover each sample around it once, wherever they lie.
        #[test]
        fn neighbours_share_no_sample(
            corners in prop::array::uniform4((0..TILE as i64 * SUBPIXEL, 0..TILE as i64 * SUBPIXEL)),
            log2 in 0_u32..5,
        ) {
            let [a, b, c, d] = corners;
            let side = |p: (i64, i64)| (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0);
            prop_assume!(side(c).signum() * side(d).signum() < 0);
            let (first, second) = (triangle([a, b, c]).unwrap(), triangle([a, b, d]).unwrap());
            let second = pixels(&second, log2);
            for (pixel, samples) in pixels(&first, log2) {
                let other = second.iter().find(|(p, _)| *p == pixel).map_or(0, |(_, s)| *s);
                prop_assert_eq!(samples & other, 0);
            }
        }
    }
}
