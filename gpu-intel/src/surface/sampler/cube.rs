//! Cubes: which face a direction meets, and what lies beyond a face's edges.
//!
//! Faces are +X, -X, +Y, -Y, +Z, -Z. Source: SKL PRM vol 9 (cube map sampling); OpenGL 4.6, 8.13.

/// A face's axes: what `s`, `t` and the way out are, as (axis, sign).
const FACES: [[(usize, f32); 3]; 6] = [
    [(2, -1.0), (1, -1.0), (0, 1.0)],
    [(2, 1.0), (1, -1.0), (0, -1.0)],
    [(0, 1.0), (2, 1.0), (1, 1.0)],
    [(0, 1.0), (2, -1.0), (1, -1.0)],
    [(0, 1.0), (1, -1.0), (2, 1.0)],
    [(0, -1.0), (1, -1.0), (2, -1.0)],
];

/// The face that a direction meets.
pub(super) fn face([x, y, z]: [f32; 3]) -> u32 {
    let [ax, ay, az] = [x.abs(), y.abs(), z.abs()];
    if az >= ax && az >= ay {
        4 + u32::from(z < 0.0)
    } else if ay >= ax {
        2 + u32::from(y < 0.0)
    } else {
        u32::from(x < 0.0)
    }
}

/// Where a direction meets the plane of a face: 0..=1 within the face.
pub(super) fn project(direction: [f32; 3], face: u32) -> [f32; 2] {
    let [s, t, out] = axes(face).map(|(axis, sign)| sign * direction[axis]);
    let scale = 0.5 / out.abs();
    [s * scale + 0.5, t * scale + 0.5]
}

/// What a step of a direction makes of [`project`]'s coordinates.
pub(super) fn project_gradient(direction: [f32; 3], step: [f32; 3], face: u32) -> [f32; 2] {
    let [s, t, out] = axes(face).map(|(axis, sign)| sign * direction[axis]);
    let [ds, dt, dout] = axes(face).map(|(axis, sign)| sign * step[axis]);
    let scale = 0.5 / (out * out);
    [(ds * out - s * dout) * scale, (dt * out - t * dout) * scale]
}

fn axes(face: u32) -> [(usize, f32); 3] {
    FACES[face as usize % 6]
}

/// The texel at (x, y) of a face of `size` texels, where one of the coordinates may lie beyond an edge: its face and
/// its place there.
pub(super) fn across(face: u32, x: i32, y: i32, size: u32) -> (u32, u32, u32) {
    let inside = |at: i32| at.cast_unsigned() < size;
    if inside(x) && inside(y) {
        return (face, x.cast_unsigned(), y.cast_unsigned());
    }
    let length = size as f32;
    let centre = |at: i32| (2.0 * at as f32 + 1.0) / length - 1.0;
    let mut direction = [0.0; 3];
    for ((axis, sign), along) in axes(face).into_iter().zip([centre(x), centre(y), 1.0]) {
        direction[axis] = sign * along;
    }
    let face = self::face(direction);
    let [s, t] = project(direction, face);
    let texel =
        |at: f32| super::axis::floor(at * length).cast_unsigned().min(size.saturating_sub(1));
    (face, texel(s.max(0.0)), texel(t.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_meet_the_middle_of_their_faces() {
        let axes = [
            [1.0, 0.0, 0.0],
            [-1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0],
        ];
        for (number, direction) in (0..).zip(axes) {
            assert_eq!(face(direction), number);
            assert_eq!(project(direction, number), [0.5, 0.5]);
        }
        assert_eq!(project([2.0, 1.0, -1.0], 0), [0.75, 0.25]);
        assert_eq!(project_gradient([2.0, 0.0, 0.0], [0.0, -1.0, 0.0], 0), [0.0, 0.25]);
    }

    #[test]
    fn edges_lead_to_their_neighbours() {
        // +X: left of it is +Z, right of it -Z, above +Y, below -Y.
        assert_eq!(across(0, -1, 2, 4), (4, 3, 2));
        assert_eq!(across(0, 4, 1, 4), (5, 0, 1));
        assert_eq!(across(0, 3, -1, 4), (2, 3, 0));
        assert_eq!(across(0, 0, 4, 4), (3, 3, 0));
        assert_eq!(across(2, 1, -1, 4), (5, 2, 0));
        assert_eq!(across(0, 2, 3, 4), (0, 2, 3));
    }

    #[test]
    fn crossing_an_edge_and_back_is_where_one_was() {
        for face in 0..6 {
            for at in 0..8 {
                for (x, y) in [(-1, at), (8, at), (at, -1), (at, 8)] {
                    let (there, tx, ty) = across(face, x, y, 8);
                    let from = (face, x.clamp(0, 7).cast_unsigned(), y.clamp(0, 7).cast_unsigned());
                    let (tx, ty) = (tx.cast_signed(), ty.cast_signed());
                    let back = [(tx - 1, ty), (tx + 1, ty), (tx, ty - 1), (tx, ty + 1)]
                        .map(|(x, y)| across(there, x, y, 8));
                    assert!(back.contains(&from), "{face} {x} {y}: {back:?}");
                }
            }
        }
    }
}
