//! The pixel interpolator: barycentric coordinates at a point of the pixel that the shader chooses.
//!
//! Source: SKL PRM vol 7, "Pixel interpolator messages".

use super::pixel_shader::{At, Lanes};
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message};

/// A pixel's centre, in sixteenths.
const CENTRE: i32 = 8;

/// Answers one message of a thread that shades `lanes`.
pub(super) fn answer(
    lanes: &Lanes<'_>,
    message: &Message<'_>,
    response: &mut [Grf],
) -> Result<(), Fault> {
    let descriptor = message.descriptor;
    let data = descriptor & 0xff;
    let eights = if descriptor >> 16 & 1 != 0 { 2 } else { 1 };
    let perspective = descriptor >> 14 & 1 == 0;
    let kind = descriptor >> 12 & 3;
    // The offsets of each lane: first all along X, then all along Y.
    let own = message.payload.get(..2 * eights);
    if kind == 3 && own.is_none() {
        return Err(Fault::new("eu/interpolator", "offsets of each lane are missing"));
    }
    let place = |lane: usize, in_message: usize| {
        let offset = |x: i32, y: i32| (CENTRE.wrapping_add(x), CENTRE.wrapping_add(y));
        // Signed, of four bits.
        let signed = |bits: u32| (bits << 28).cast_signed() >> 28;
        match (kind, own) {
            (0, _) => offset(signed(data), signed(data >> 4)),
            (1, _) => lanes.sample_point((data >> 4) as usize),
            (3, Some(own)) => {
                let at = |first: usize| own[first + in_message / 8][in_message % 8].cast_signed();
                offset(at(0), at(eights))
            }
            _ => {
                let (x, y) = lanes.point(lane, At::Centroid);
                (x.into(), y.into())
            }
        }
    };
    let first = usize::from(message.first);
    for (eight, pair) in response.chunks_exact_mut(2).take(eights).enumerate() {
        for lane in 0..8 {
            let in_message = 8 * eight + lane;
            if message.lanes >> in_message & 1 == 0 {
                continue;
            }
            let lane_of_thread = first + in_message;
            let (x, y) = place(lane_of_thread, in_message);
            let point = (x as f32 / 16.0, y as f32 / 16.0);
            let b = lanes.barycentric_at(lane_of_thread, point, perspective);
            for (register, b) in pair.iter_mut().zip(b) {
                register[lane] = b.to_bits();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eu::SharedFunction;
    use crate::silicon::model::render::pixel_shader::Subspan;
    use crate::silicon::model::render::raster::{Quad, sample_positions};
    use crate::silicon::model::render::setup::{Area, Edge, Plane, Shape};

    /// What one eight of lanes gets, as floats: b1 is the column, b2 the row, from the screen's corner.
    fn ask(descriptor: u32, payload: &[Grf], lanes: u32) -> [[f32; 8]; 2] {
        let shape = Shape {
            edges: [Edge { a: 0, b: 0, c: 0 }; 4],
            edge_count: 0,
            area: Area { left: 0, top: 0, right: 8, bottom: 8 },
            origin: [0.0; 2],
            b: [Plane { at: 0.0, dx: 1.0, dy: 0.0 }, Plane { at: 0.0, dx: 0.0, dy: 1.0 }],
            z: Plane::default(),
            inverse_w: [1.0; 3],
            attributes: 0,
            back_facing: false,
            filled: true,
            layer: 0,
            viewport: 0,
        };
        let quad = |x, y| Subspan { quad: Quad { x, y, covered: [0b0010; 4] }, sample: 0 };
        let subspans = [quad(2, 4), quad(4, 4)];
        let lanes_of = Lanes { shape: &shape, subspans: &subspans, positions: sample_positions(2) };
        let message = Message {
            function: SharedFunction::PixelInterpolator,
            descriptor,
            extended: 0,
            payload,
            lanes,
            first: 0,
            end_of_thread: false,
        };
        let mut response = [[0; 8]; 2];
        answer(&lanes_of, &message, &mut response).unwrap();
        response.map(|register| register.map(f32::from_bits))
    }

    #[test]
    fn points_are_chosen_by_offset_by_sample_and_by_lane() {
        // 3/16 to the left and 2/16 down of the centre.
        let [x, y] = ask(0xd | 2 << 4, &[[0; 8]], 0xff);
        assert_eq!((x[0], y[0]), (2.5 - 3.0 / 16.0, 4.5 + 2.0 / 16.0));
        assert_eq!((x[7], y[7]), (5.5 - 3.0 / 16.0, 5.5 + 2.0 / 16.0));
        // Sample 1 of 4 is at (14, 6), and it is the only one that is covered.
        for descriptor in [1 << 12 | 1 << 4, 2 << 12] {
            let [x, y] = ask(descriptor, &[[0; 8]], 0xff);
            assert_eq!((x[0], y[0]), (2.0 + 14.0 / 16.0, 4.0 + 6.0 / 16.0));
        }
        let mut own = [[0; 8]; 2];
        (own[0][5], own[1][5]) = ((-8_i32).cast_unsigned(), 7);
        let [x, y] = ask(3 << 12, &own, 1 << 5);
        assert_eq!((x[5], y[5]), (5.0, 4.0 + 15.0 / 16.0));
        assert_eq!((x[4], y[4]), (0.0, 0.0), "a lane that does not ask");
    }
}
