//! Frames of programs that animate, and how alike two of them are.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use display::Picture;

use crate::{Program, guest_folder};

/// What a program may take for the frames up to the one that is wanted, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A frame of a program's, the first being 1, if a driver whose name holds `driver` drew it. It stays in
/// `target/guest/logs/NAME.png`.
///
/// # Errors
/// If the program ends before, or another driver draws.
pub fn snapshot(program: Program, frame: u32, driver: &str, name: &str) -> Result<Picture> {
    let folder = tempfile::tempdir()?;
    let run = program.until_frame(frame)?.share(folder.path()).run(name, LIMIT)?;
    let output = run.success()?;
    let said = output.lines().find_map(|line| line.split_once("snapshot of frame "));
    let (_, said) = said.with_context(|| format!("it ended before frame {frame}:\n{output}"))?;
    ensure!(said.contains(driver), "not drawn by {driver}: {said}");
    let picture = Picture::from_png(&fs::read(folder.path().join("snapshot.png"))?)?;
    keep(&picture, name)?;
    Ok(picture)
}

/// Leaves a picture in `target/guest/logs/NAME.png`, for whoever wants to look.
///
/// # Errors
/// If it can't be written.
pub fn keep(picture: &Picture, name: &str) -> Result<()> {
    let folder = guest_folder().join("logs");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("{name}.png")), picture.to_png()?)?)
}

/// A window's side in pixels, and how far apart windows are.
const WINDOW: u32 = 8;
const STEP: u32 = 4;

/// The structural similarity of two pictures of one size (SSIM: Wang, Bovik, Sheikh and Simoncelli, 2004), the mean over all
/// windows, of red, green and blue the worst. Equal pictures have 1.
///
/// # Errors
/// If their sizes differ, or no window fits.
pub fn similarity(one: &Picture, other: &Picture) -> Result<f64> {
    let (width, height) = (one.width(), one.height());
    ensure!((width, height) == (other.width(), other.height()), "the sizes differ");
    ensure!(width >= WINDOW && height >= WINDOW, "{width}x{height} is too small");
    let mut worst = f64::INFINITY;
    for channel in 0..3 {
        let (mut sum, mut windows) = (0.0, 0.0);
        for top in (0..=height - WINDOW).step_by(STEP as usize) {
            for left in (0..=width - WINDOW).step_by(STEP as usize) {
                sum += window_similarity(&[one, other], left, top, channel);
                windows += 1.0;
            }
        }
        worst = worst.min(sum / windows);
    }
    Ok(worst)
}

/// The same of one window and one channel.
fn window_similarity([one, other]: &[&Picture; 2], left: u32, top: u32, channel: usize) -> f64 {
    /// They keep the quotient steady where both are dark or even; of the paper.
    const DARK: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const EVEN: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    const PIXELS: f64 = (WINDOW * WINDOW) as f64;
    let (mut sums, mut squares, mut products) = ([0.0; 2], [0.0; 2], 0.0);
    for y in top..top + WINDOW {
        for x in left..left + WINDOW {
            let at = (y as usize * one.width() as usize + x as usize) * 4 + channel;
            let [a, b] = [one, other].map(|picture| f64::from(picture.rgba()[at]));
            sums = [sums[0] + a, sums[1] + b];
            squares = [squares[0] + a * a, squares[1] + b * b];
            products += a * b;
        }
    }
    let [mean, other_mean] = sums.map(|sum| sum / PIXELS);
    let variances =
        squares[0] / PIXELS - mean * mean + squares[1] / PIXELS - other_mean * other_mean;
    let covariance = products / PIXELS - mean * other_mean;
    (2.0 * mean * other_mean + DARK) * (2.0 * covariance + EVEN)
        / ((mean * mean + other_mean * other_mean + DARK) * (variances + EVEN))
}

#[cfg(test)]
mod tests {
    use display::Picture;

    use super::similarity;

    /// Squares of 4x4, black and blue, from a column on.
    fn checks(height: u32, from: u32, blue: u8) -> Picture {
        let pixels = (0..64 * height).flat_map(|i| {
            let (x, y) = (i % 64 + from, i / 64);
            [0, 40, if (x / 4 + y / 4) % 2 == 0 { blue } else { 0 }, 255]
        });
        Picture::from_rgba(64, height, pixels.collect()).unwrap()
    }

    #[test]
    fn what_is_alike_has_a_high_similarity_and_what_is_not_has_not() {
        let like = |other| similarity(&checks(64, 0, 200), &other);
        assert_eq!(like(checks(64, 0, 200)).unwrap(), 1.0);
        // Even and black, against checks of mean 100 and variance 100 squared.
        let (dark, even) = (6.5025, 58.5225);
        let expected = dark / (1e4 + dark) * even / (1e4 + even);
        assert!((like(checks(64, 0, 0)).unwrap() - expected).abs() < 1e-9);
        assert!(like(checks(64, 0, 201)).unwrap() > 0.999);
        assert!(like(checks(64, 1, 200)).unwrap() < 0.7, "moved by a pixel");
        assert!(like(checks(63, 0, 200)).is_err());
    }
}
