//! Frames of programs that animate, and how alike two of them are.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use display::Picture;
use image::{Rgb, RgbImage};
use image_compare::Algorithm;

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
    let picture = image::open(folder.path().join("snapshot.ppm"))?.into_rgba8();
    let (width, height) = picture.dimensions();
    let picture = Picture::from_rgba(width, height, picture.into_raw()).context("no picture")?;
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

/// The structural similarity (SSIM) of two pictures of one size, in windows of 8x8 pixels: of red, green and blue the worst. Equal
/// pictures have 1.
///
/// # Errors
/// If their sizes differ.
pub fn similarity(one: &Picture, other: &Picture) -> Result<f64> {
    let (one, other) = (rgb(one), rgb(other));
    let found = image_compare::rgb_similarity_structure(&Algorithm::MSSIMSimple, &one, &other)?;
    Ok(found.score)
}

fn rgb(picture: &Picture) -> RgbImage {
    let pixels = picture.rgba().as_chunks::<4>().0;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, _] = pixels[(y * picture.width() + x) as usize];
        Rgb([red, green, blue])
    })
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
        assert!(like(checks(64, 0, 201)).unwrap() > 0.999);
        assert!(like(checks(64, 1, 200)).unwrap() < 0.7, "moved by a pixel");
        assert!(like(checks(63, 0, 200)).is_err());
    }
}
