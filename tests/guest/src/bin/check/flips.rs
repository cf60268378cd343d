//! Page flips: each ends, in order, and at the rate of the mode; asynchronous ones don't wait for a frame's end.

use anyhow::{Result, ensure};

use crate::Options;
use crate::i915::Device;
use crate::screen::{Flipped, Screen};
use crate::surface::Tiling;
use crate::uapi::PAGE_FLIP_ASYNC;

/// Flips of each kind.
const COUNT: u64 = 90;
/// How far the rate may be from the mode's.
const TOLERANCE: f64 = 0.05;

/// Flips in order, frames that only grow.
fn in_order(flips: &[Flipped], strictly: bool) -> Result<()> {
    for (number, pair) in (1..).zip(flips.windows(2)) {
        let [before, after] = pair else { continue };
        ensure!(after.number == number, "flip {number} ended as {}", after.number);
        let frames = after.frame.wrapping_sub(before.frame);
        ensure!(frames < 1 << 31, "flip {number}: frame {} after {}", after.frame, before.frame);
        ensure!(!strictly || frames > 0, "two flips ended with frame {}", after.frame);
        ensure!(after.time >= before.time, "flip {number}: time went back");
    }
    Ok(())
}

/// Frames a second, by the flips' own numbers and times: an emulated processor may miss frames.
fn rate(flips: &[Flipped]) -> f64 {
    let (Some(first), Some(last)) = (flips.first(), flips.last()) else { return 0.0 };
    f64::from(last.frame.wrapping_sub(first.frame)) / (last.time - first.time)
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let screen = Screen::open(&device)?;
    // Asynchronous flips need tiles.
    let frames = [screen.frame(&device, Tiling::X)?, screen.frame(&device, Tiling::X)?];
    screen.show(&frames[0])?;
    let flip = |flags: u32| -> Result<Vec<Flipped>> {
        let numbers = 0..COUNT;
        numbers.map(|n| screen.flip_with(&frames[(n % 2) as usize ^ 1], flags, n)).collect()
    };
    let flips = flip(0)?;
    in_order(&flips, true)?;
    let (rate, expected) = (rate(&flips), screen.refresh());
    ensure!(
        (rate / expected - 1.0).abs() <= TOLERANCE,
        "{rate:.2} frames a second, the mode has {expected:.2}"
    );
    let missed =
        flips.last().map_or(0, |f| f.frame).wrapping_sub(flips[0].frame) + 1 - COUNT as u32;
    let start = std::time::Instant::now();
    let quick = flip(PAGE_FLIP_ASYNC)?;
    let seconds = start.elapsed().as_secs_f64();
    in_order(&quick, false)?;
    Ok(format!(
        "rate={rate:.3} mode={expected:.3} flips={COUNT} missed={missed} async={:.0}/s",
        COUNT as f64 / seconds
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flips(frames: &[u32]) -> Vec<Flipped> {
        let flips = frames.iter().zip(0..);
        flips
            .map(|(frame, number)| Flipped {
                number,
                time: f64::from(*frame) / 50.0,
                frame: *frame,
            })
            .collect()
    }

    #[test]
    fn the_rate_counts_frames() {
        assert!((rate(&flips(&[10, 11, 14, 20])) - 50.0).abs() < 1e-6);
    }

    #[test]
    fn disorder_is_found() {
        assert!(in_order(&flips(&[1, 2, 3]), true).is_ok());
        assert!(in_order(&flips(&[1, 1, 3]), true).is_err());
        assert!(in_order(&flips(&[1, 1, 3]), false).is_ok());
        assert!(in_order(&flips(&[3, 2]), false).is_err());
        let mut swapped = flips(&[1, 2, 3]);
        swapped[1].number = 2;
        assert!(in_order(&swapped, true).is_err());
    }
}
