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
