//! The tessellator: from a patch's factors to points of its domain, and the triangles, lines or points between them.
//!
//! ```text
//!  outer factors ─► the outermost ring ┐ stitched side by side
//!  inner factors ─► rings inside ──────┘ ... down to a point, a line or a strip
//! ```
//!
//! An axis is divided symmetrically about its middle. Between two whole factors, the division is between those of both: one
//! pair of points parts from its neighbours and wanders to its place, in the order of a ruler's marks. All is computed with
//! 16 bits behind the point, as Direct3D 11 demands of every implementation, so that points are where any other has them.
//!
//! Sources: Direct3D 11.3 functional specification, section 14; SKL PRM vol 7, "Tessellation engine"; vol 2a, 3DSTATE_TE.

const ONE: u32 = 1 << 16;
const HALF: u32 = ONE / 2;

/// What a patch is divided as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Quad,
    Triangle,
    Isolines,
}

/// How factors that aren't whole are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitioning {
    /// As the next whole number.
    Integer,
    Odd,
    Even,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Points,
    Lines,
    Clockwise,
    Counterclockwise,
}

/// How patches of one draw are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tessellator {
    pub(super) domain: Domain,
    pub(super) partitioning: Partitioning,
    pub(super) output: Output,
}

/// A divided patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Divided {
    /// u and v, in 65536ths.
    points: Vec<[u32; 2]>,
    /// Corners of the triangles, lines (the last twice) or points.
    pub(super) primitives: Vec<[u32; 3]>,
}

impl Divided {
    /// u, v and w of all points.
    pub(super) fn points(&self) -> impl ExactSizeIterator<Item = [f32; 3]> {
        let float = |fixed: u32| fixed as f32 / ONE as f32;
        self.points.iter().map(move |[u, v]| {
            [float(*u), float(*v), float(ONE.saturating_sub(*u).saturating_sub(*v))]
        })
    }

    fn point(&mut self, u: u32, v: u32) -> u32 {
        self.points.push([u, v]);
        (self.points.len() - 1) as u32
    }
}

/// An axis that is divided.
#[derive(Clone, Copy, Debug)]
struct Axis {
    odd: bool,
    /// Points of half the axis, without the one in the middle.
    half: u32,
    /// Points on it.
    count: u32,
    /// The two divisions by whole factors that this one lies between: parts of the second, and what one segment is of each.
    fraction: u64,
    segments: [u64; 2],
    /// Behind this point, the first division has one point less.
    parts_at: u32,
}

/// Without its highest bit.
fn below_highest(number: u32) -> u32 {
    number & !number.checked_ilog2().map_or(0, |bit| 1 << bit)
}

impl Axis {
    fn new(factor: f32, odd: bool) -> Self {
        let fixed = (factor * ONE as f32).round_ties_even() as u32;
        let mut half = fixed.div_ceil(2);
        let count = if odd { 2 * (half + HALF).div_ceil(ONE) } else { 2 * half.div_ceil(ONE) + 1 };
        // A factor of 1 that is taken as even is one of 2.
        if odd || half == HALF {
            half += HALF;
        }
        let (floor, ceil) = (half / ONE, half.div_ceil(ONE));
        let parts_at = match (floor == ceil, odd) {
            (true, _) => ceil + 1,
            (false, true) if floor == 1 => 0,
            (false, true) => 2 * below_highest(floor - 1) + 1,
            (false, false) => 2 * below_highest(floor) + 1,
        };
        let segment = |whole: u32| {
            let segments = (2 * whole).saturating_sub(u32::from(odd)).max(1);
            u64::from((ONE + segments / 2) / segments)
        };
        Self {
            odd,
            half: ceil,
            count,
            fraction: u64::from(half % ONE),
            segments: [segment(floor), segment(ceil)],
            parts_at,
        }
    }

    /// Where a point is.
    fn place(&self, point: u32) -> u32 {
        let mirrored = point >= self.half;
        let number = match mirrored {
            true => (2 * self.half).saturating_sub(point + u32::from(self.odd)),
            false => point,
        };
        if number == self.half {
            return HALF;
        }
        let first = number.saturating_sub(u32::from(number > self.parts_at));
        let places = [u64::from(first) * self.segments[0], u64::from(number) * self.segments[1]];
        let one = u64::from(ONE);
        let both = places[0] * (one - self.fraction) + places[1] * self.fraction;
        let place = ((both + u64::from(HALF)) / one) as u32;
        if mirrored { ONE.saturating_sub(place) } else { place }
    }
}

/// The points of one side of a ring, with both corners.
type Side = Vec<u32>;

/// When the point behind this one comes to half a side, as sides get more points: those of a ruler with 32 marks.
fn rank(point: u32) -> u32 {
    match point.trailing_zeros() {
        32 => 32,
        zeros => (16_u32 >> zeros) + (point >> (zeros + 1)),
    }
}

/// Takes steps along an outer and an inner side, a triangle each.
struct Stitches<'a> {
    outer: &'a [u32],
    inner: &'a [u32],
    /// Where it is on both.
    at: [usize; 2],
    to: &'a mut Vec<[u32; 3]>,
}

impl Stitches<'_> {
    fn corner(&self, outer: bool, ahead: usize) -> u32 {
        let (side, at) = if outer { (self.outer, self.at[0]) } else { (self.inner, self.at[1]) };
        side.get(at + ahead).or(side.last()).copied().unwrap_or_default()
    }

    fn outer(&mut self) {
        let corners = [self.corner(true, 0), self.corner(true, 1), self.corner(false, 0)];
        self.to.push(corners);
        self.at[0] += 1;
    }

    fn inner(&mut self) {
        let corners = [self.corner(false, 0), self.corner(true, 0), self.corner(false, 1)];
        self.to.push(corners);
        self.at[1] += 1;
    }

    /// Two triangles; the diagonal leads from the inner side's near corner.
    fn quad_from_inner(&mut self) {
        self.outer_ahead();
        self.to.push([self.corner(false, 0), self.corner(true, 1), self.corner(false, 1)]);
        self.both();
    }

    /// As [`Self::outer`], but begun at the inner side, and where it is stays.
    fn outer_ahead(&mut self) {
        self.to.push([self.corner(false, 0), self.corner(true, 0), self.corner(true, 1)]);
    }

    /// Two triangles; the diagonal leads from the outer side's near corner.
    fn quad_from_outer(&mut self) {
        self.to.push([self.corner(true, 0), self.corner(false, 1), self.corner(false, 0)]);
        self.to.push([self.corner(true, 0), self.corner(true, 1), self.corner(false, 1)]);
        self.both();
    }

    fn both(&mut self) {
        self.at = self.at.map(|at| at + 1);
    }

    /// Sides of any two divisions.
    fn transition(&mut self, outer: &Axis, inner: &Axis) {
        let points = |axis: &Axis| axis.half - u32::from(axis.odd);
        let (outside, inside) = (points(outer), points(inner));
        if outside > 0 {
            self.outer();
        }
        for point in 0..32 {
            if rank(point) < inside {
                self.inner();
            }
            if rank(point) < outside {
                self.outer();
            }
        }
        match (outer.odd, inner.odd) {
            (true, true) => {
                let [inner, outer] = [false, true].map(|side| self.corner(side, 0));
                let [inner_next, outer_next] = [false, true].map(|side| self.corner(side, 1));
                self.to.push([inner, outer, inner_next]);
                self.to.push([inner_next, outer, outer_next]);
                self.both();
            }
            (true, false) => {
                self.outer_ahead();
                self.at[0] += 1;
            }
            (false, true) => self.inner(),
            (false, false) => {}
        }
        for point in (0..32).rev() {
            if rank(point) < outside {
                self.outer();
            }
            if rank(point) < inside {
                self.inner();
            }
        }
        if outside > 0 {
            self.outer();
        }
    }

    /// Sides of rings that lie in each other: the outer one has a segment more at each end.
    fn regular(&mut self) {
        let segments = self.inner.len().saturating_sub(1);
        self.outer();
        for segment in 0..segments {
            if segment < self.inner.len() / 2 {
                self.quad_from_outer();
            } else {
                self.quad_from_inner();
            }
        }
        self.outer();
    }

    /// Sides of the same length, the two of a strip.
    fn strip(&mut self, turns_in_the_middle: bool) {
        let segments = self.inner.len().saturating_sub(1);
        for segment in 0..segments {
            match turns_in_the_middle {
                false => self.quad_from_inner(),
                true if 2 * segment + 1 == segments => self.quad_from_outer(),
                true => {
                    let corners =
                        [self.corner(true, 0), self.corner(true, 1), self.corner(false, 0)];
                    self.to.push(corners);
                    self.to.push([
                        self.corner(false, 0),
                        self.corner(true, 1),
                        self.corner(false, 1),
                    ]);
                    self.both();
                }
            }
        }
    }
}

impl Tessellator {
    /// Divides a patch. `None`: one of its outer factors says that it isn't there.
    ///
    /// Quads have outer factors at u = 0, v = 0, u = 1 and v = 1, and inner ones along u and v. Triangles have them at u = 0,
    /// v = 0 and w = 0, and one inside. Isolines have their number, and how they are divided.
    pub(super) fn divide(&self, outer: [f32; 4], inner: [f32; 2]) -> Option<Divided> {
        let sides = match self.domain {
            Domain::Quad => 4,
            Domain::Triangle => 3,
            Domain::Isolines => 2,
        };
        // No number is not there either.
        if !outer.iter().take(sides).all(|factor| *factor > 0.0) {
            return None;
        }
        let mut divided = Divided::default();
        match self.domain {
            Domain::Quad => self.quad(outer, inner, &mut divided),
            Domain::Triangle => self.triangle(outer, inner[0], &mut divided),
            Domain::Isolines => {
                self.isolines(outer[0], outer[1], &mut divided);
                return Some(divided);
            }
        }
        match self.output {
            Output::Clockwise => {}
            Output::Counterclockwise => divided.primitives.iter_mut().for_each(|p| p.swap(1, 2)),
            Output::Points => {
                divided.primitives = (0..divided.points.len() as u32).map(|p| [p; 3]).collect();
            }
            Output::Lines => {
                let last = divided.points.len() as u32;
                divided.primitives = (1..last).map(|p| [p - 1, p, p]).collect();
            }
        }
        Some(divided)
    }

    /// A factor as it is used. Inner ones are at least `least`.
    fn clamped(&self, factor: f32, least: f32) -> f32 {
        let (low, high) = match self.partitioning {
            Partitioning::Integer => (1.0, 64.0),
            Partitioning::Odd => (1.0, 63.0),
            Partitioning::Even => (2.0, 64.0),
        };
        // No number is the least.
        let factor = factor.max(least.max(low)).min(high);
        if self.partitioning == Partitioning::Integer { factor.ceil() } else { factor }
    }

    fn is_odd(&self, factor: f32) -> bool {
        match self.partitioning {
            Partitioning::Integer => factor as u32 % 2 == 1,
            partitioning => partitioning == Partitioning::Odd,
        }
    }

    fn outer_axis(&self, factor: f32) -> Axis {
        Axis::new(factor, self.is_odd(factor))
    }

    /// At least one ring inside has its points, however small the factor is.
    fn inner_axis(&self, factor: f32) -> Axis {
        let whole_one = self.partitioning == Partitioning::Integer && factor == 1.0;
        let odd = self.is_odd(factor) && !whole_one;
        let axis = Axis::new(factor, odd);
        Axis { count: axis.count.max(if odd { 4 } else { 3 }), ..axis }
    }

    /// Odd patches that are divided at any side are divided inside.
    fn least_inside(&self, factors: &[f32]) -> f32 {
        const PART: f32 = 1.0 / ONE as f32;
        let divided = factors.iter().any(|factor| *factor > 1.0 + PART / 2.0);
        if self.partitioning == Partitioning::Odd && divided { 1.0 + PART } else { 0.0 }
    }

    fn is_whole(&self, factors: &[f32]) -> bool {
        self.partitioning != Partitioning::Even && factors.iter().all(|factor| *factor == 1.0)
    }

    fn triangle(&self, outer: [f32; 4], inner: f32, to: &mut Divided) {
        let [a, b, c, _] = outer.map(|factor| self.clamped(factor, 0.0));
        let inner = self.clamped(inner, self.least_inside(&[a, b, c]));
        if self.is_whole(&[a, b, c, inner]) {
            to.points = vec![[0, ONE], [0, 0], [ONE, 0]];
            to.primitives = vec![[0, 1, 2]];
            return;
        }
        let outer = [a, b, c].map(|factor| self.outer_axis(factor));
        let inner = self.inner_axis(inner);
        // Clockwise from v = 1: along u = 0, v = 0 and w = 0.
        let ring = outer.iter().enumerate().map(|(side, axis)| {
            let last = axis.count - 1;
            let along = (0..last).map(|p| axis.place(if side == 1 { p } else { last - p }));
            let along = along.map(|at| match side {
                0 => [0, at],
                1 => [at, 0],
                _ => [at, ONE - at],
            });
            along.collect()
        });
        let mut rings = vec![closed(ring.collect(), to)];
        for ring in 1..inner.count / 2 {
            let last = inner.count - 1 - ring;
            // A side comes in by two thirds of what its corners do, and the other two coordinates lose half of it each.
            const TWO_THIRDS: u64 = 0xaaab;
            let across = u64::from(inner.place(ring)) * TWO_THIRDS;
            let across = ((across + u64::from(HALF)) >> 16) as u32;
            let half = across.div_ceil(2);
            let sides = (0..3).map(|side| {
                let along = (ring..last).map(|p| if side == 1 { p } else { last + ring - p });
                let along = along.map(|p| {
                    let at = inner.place(p).saturating_sub(half);
                    match side {
                        0 => [across, at],
                        1 => [at, across],
                        _ => [at, ONE.saturating_sub(at).saturating_sub(across)],
                    }
                });
                along.collect()
            });
            rings.push(closed(sides.collect(), to));
        }
        if !inner.odd {
            const THIRD: u32 = 0x5555;
            rings.push(vec![vec![to.point(THIRD, THIRD)]; 3]);
        }
        stitch(&rings, &outer, |_| &inner, &mut to.primitives);
        if inner.odd
            && let Some([first, second, third]) = rings.last().and_then(|ring| ring.first_chunk())
        {
            let corner = |side: &Side| side.first().copied().unwrap_or_default();
            to.primitives.push([corner(first), corner(second), corner(third)]);
        }
    }

    fn quad(&self, outer: [f32; 4], inner: [f32; 2], to: &mut Divided) {
        let outer = outer.map(|factor| self.clamped(factor, 0.0));
        let all = [&outer[..], &inner[..]].concat();
        let inner = inner.map(|factor| self.clamped(factor, self.least_inside(&all)));
        if self.is_whole(&[&outer[..], &inner[..]].concat()) {
            to.points = vec![[0, 0], [ONE, 0], [ONE, ONE], [0, ONE]];
            to.primitives = vec![[0, 1, 3], [1, 2, 3]];
            return;
        }
        let outer = outer.map(|factor| self.outer_axis(factor));
        let axes = inner.map(|factor| self.inner_axis(factor));
        let [u, v] = axes;
        // Clockwise from v = 1: along u = 0, v = 0, u = 1 and v = 1.
        let ring = outer.iter().enumerate().map(|(side, axis)| {
            let last = axis.count - 1;
            let forward = side == 1 || side == 2;
            let along = (0..last).map(|p| axis.place(if forward { p } else { last - p }));
            let along = along.map(|at| match side {
                0 => [0, at],
                1 => [at, 0],
                2 => [ONE, at],
                _ => [at, ONE],
            });
            along.collect()
        });
        let mut rings = vec![closed(ring.collect(), to)];
        for ring in 1..u.count.min(v.count) / 2 {
            let last = axes.map(|axis| axis.count - 1 - ring);
            let sides = (0..4).map(|side| {
                let along_v = side % 2 == 0;
                let (along, across) = if along_v { (1, 0) } else { (0, 1) };
                let forward = side == 1 || side == 2;
                let fixed = axes[across].place(if side < 2 { ring } else { last[across] });
                let numbers =
                    (ring..last[along]).map(|p| if forward { p } else { last[along] + ring - p });
                let points = numbers.map(|p| {
                    let at = axes[along].place(p);
                    if along_v { [fixed, at] } else { [at, fixed] }
                });
                points.collect()
            });
            rings.push(closed(sides.collect(), to));
        }
        // What is left in the middle is a row of points, or a strip.
        let wide = u.count > v.count;
        let (short, long) = if wide { (v, u) } else { (u, v) };
        if !short.odd {
            let first = short.count / 2;
            let last = long.count - 1 - first;
            let row: Side = (first..=last)
                .map(|p| match wide {
                    true => to.point(long.place(p), HALF),
                    false => to.point(HALF, long.place(last + first - p)),
                })
                .collect();
            let back: Side = row.iter().rev().copied().collect();
            let end = |point: Option<&u32>| vec![point.copied().unwrap_or_default()];
            let (near, far) = (end(row.first()), end(row.last()));
            rings.push(if wide { vec![near, row, far, back] } else { vec![row, far, back, near] });
        }
        stitch(&rings, &outer, |side| &axes[(side + 1) % 2], &mut to.primitives);
        if short.odd
            && let Some([first, second, third, fourth]) = rings.last().and_then(|r| r.first_chunk())
        {
            let (outer, inner) = if wide { (second, fourth) } else { (first, third) };
            let inner: Side = inner.iter().rev().copied().collect();
            let mut stitches =
                Stitches { outer, inner: &inner, at: [0; 2], to: &mut to.primitives };
            stitches.strip(!wide && v.odd);
        }
    }

    fn isolines(&self, number: f32, detail: f32, to: &mut Divided) {
        let number = number.clamp(1.0, 64.0).ceil();
        let lines = Axis::new(number, number as u32 % 2 == 1);
        let along = self.outer_axis(self.clamped(detail, 0.0));
        // None at v = 1.
        for line in 0..lines.count - 1 {
            for place in 0..along.count {
                let point = to.point(along.place(place), lines.place(line));
                match self.output {
                    Output::Points => to.primitives.push([point; 3]),
                    _ if place > 0 => to.primitives.push([point - 1, point, point]),
                    _ => {}
                }
            }
        }
    }
}

/// Makes points of a ring's sides; each ends where the next one begins.
fn closed(sides: Vec<Vec<[u32; 2]>>, to: &mut Divided) -> Vec<Side> {
    let mut ring: Vec<Side> = sides
        .into_iter()
        .map(|side| side.into_iter().map(|[u, v]| to.point(u, v)).collect())
        .collect();
    let firsts: Vec<u32> = ring.iter().filter_map(|side| side.first().copied()).collect();
    for (side, next) in ring.iter_mut().zip(firsts.iter().cycle().skip(1)) {
        side.push(*next);
    }
    ring
}

/// Stitches each ring to the next one. `inner` is the axis along each side of the inner ones.
fn stitch<'a>(
    rings: &[Vec<Side>],
    outer: &[Axis],
    inner: impl Fn(usize) -> &'a Axis,
    to: &mut Vec<[u32; 3]>,
) {
    for (number, pair) in rings.windows(2).enumerate() {
        let [outside, inside] = pair else { continue };
        for (side, ((out, within), axis)) in outside.iter().zip(inside).zip(outer).enumerate() {
            let mut stitches = Stitches { outer: out, inner: within, at: [0; 2], to: &mut *to };
            if number == 0 {
                stitches.transition(axis, inner(side));
            } else {
                stitches.regular();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn tessellator(domain: Domain, partitioning: Partitioning) -> Tessellator {
        Tessellator { domain, partitioning, output: Output::Clockwise }
    }

    #[test]
    fn an_axis_is_divided_as_direct3d_says() {
        let places = |factor, odd| {
            let axis = Axis::new(factor, odd);
            (0..axis.count).map(|p| axis.place(p)).collect::<Vec<_>>()
        };
        assert_eq!(places(1.0, true), [0, ONE]);
        assert_eq!(places(2.0, false), [0, HALF, ONE]);
        assert_eq!(places(3.0, true), [0, 0x5555, ONE - 0x5555, ONE]);
        assert_eq!(places(4.0, false), [0, 0x4000, HALF, 0xc000, ONE]);
        // Half way from one segment to three, from two to four: points part from the ends, or from the middle.
        assert_eq!(places(2.0, true), [0, 0x2aab, ONE - 0x2aab, ONE]);
        assert_eq!(places(3.0, false), [0, 0x6000, HALF, 0xa000, ONE]);
    }

    #[test]
    fn the_marks_of_a_ruler() {
        let ranks: Vec<_> = [0, 16, 8, 24, 4, 12, 20, 28, 2, 1, 31].map(rank).into();
        assert_eq!(ranks, [32, 1, 2, 3, 4, 5, 6, 7, 8, 16, 31]);
    }

    #[test]
    fn what_is_whole_stays_whole() {
        let quad = tessellator(Domain::Quad, Partitioning::Integer);
        assert_eq!(quad.divide([1.0; 4], [0.5; 2]).unwrap().primitives.len(), 2);
        let triangle = tessellator(Domain::Triangle, Partitioning::Odd);
        assert_eq!(triangle.divide([1.0; 4], [1.0; 2]).unwrap().primitives, [[0, 1, 2]]);
        assert_eq!(triangle.divide([1.0, 0.0, 1.0, 1.0], [1.0; 2]), None);
        assert_eq!(triangle.divide([1.0, f32::NAN, 1.0, 1.0], [1.0; 2]), None);
        // The fourth factor is no triangle's.
        assert!(triangle.divide([1.0, 1.0, 1.0, 0.0], [1.0; 2]).is_some());
    }

    #[test]
    fn isolines_have_none_at_the_end() {
        let lines = tessellator(Domain::Isolines, Partitioning::Integer);
        let divided = lines.divide([3.0, 2.0, 0.0, 0.0], [0.0; 2]).unwrap();
        assert_eq!((divided.points.len(), divided.primitives.len()), (9, 6));
        assert!(divided.points.iter().all(|[_, v]| *v < ONE));
    }

    fn twice_the_area(divided: &Divided, corners: [u32; 3]) -> i64 {
        let [[ax, ay], [bx, by], [cx, cy]] =
            corners.map(|corner| divided.points[corner as usize].map(i64::from));
        (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    }

    fn partitionings() -> impl Strategy<Value = Partitioning> {
        prop_oneof![Just(Partitioning::Integer), Just(Partitioning::Odd), Just(Partitioning::Even)]
    }

    proptest! {
        /// Triangles cover the domain, once: each edge inside is between two triangles, those at the border are of one, and
        /// their areas add up.
        #[test]
        fn the_domain_is_covered_once(
            quad in any::<bool>(),
            partitioning in partitionings(),
            outer in proptest::array::uniform4(0.1_f32..70.0),
            inner in proptest::array::uniform2(-1.0_f32..70.0),
        ) {
            let domain = if quad { Domain::Quad } else { Domain::Triangle };
            let divided = tessellator(domain, partitioning).divide(outer, inner).unwrap();
            prop_assert!(divided.points.len() <= 65 * 65 && divided.primitives.len() <= 2 * 66 * 66);
            let mut edges: HashMap<[u32; 2], i32> = HashMap::new();
            let mut area = 0;
            for corners in &divided.primitives {
                let [a, b, c] = *corners;
                area += twice_the_area(&divided, *corners);
                for (from, to) in [(a, b), (b, c), (c, a)] {
                    if from != to {
                        *edges.entry([from.min(to), from.max(to)]).or_default() +=
                            if from < to { 1 } else { -1 };
                    }
                }
            }
            let one = i64::from(ONE);
            prop_assert_eq!(area.abs(), if quad { 2 * one * one } else { one * one });
            let points = |edge: &[u32; 2]| edge.map(|p| divided.points[p as usize]);
            for (edge, times) in &edges {
                let [a, b] = points(edge);
                let sum = |p: [u32; 2]| p[0] + p[1];
                let at_border = (0..2).any(|axis| a[axis] == b[axis] && (a[axis] == 0 || quad && a[axis] == ONE))
                    || !quad && sum(a) == ONE && sum(b) == ONE;
                prop_assert!(*times == 0 || at_border, "{a:?} {b:?} {times}");
            }
        }

        #[test]
        fn no_factor_is_too_much(
            partitioning in partitionings(),
            factors in proptest::array::uniform6(any::<f32>()),
        ) {
            let [a, b, c, d, e, f] = factors;
            for domain in [Domain::Quad, Domain::Triangle, Domain::Isolines] {
                if let Some(divided) = tessellator(domain, partitioning).divide([a, b, c, d], [e, f]) {
                    let count = divided.points.len() as u32;
                    prop_assert!(divided.primitives.as_flattened().iter().all(|point| *point < count));
                }
            }
        }
    }
}
