//! Pictures: RGBA8 pixels that can be stacked as planes, compared, and kept as PNG.

use crate::surface::MAX_SIDE;
use std::io::Cursor;
use thiserror::Error;

/// Bytes of a pixel.
const RGBA: usize = 4;

/// A rectangle of pixels: red, green, blue, alpha, a byte each, rows from the top.
/// Between 1 and [`MAX_SIDE`] pixels on a side.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgba: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// Why a picture can't be written or read.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The file is above [`MAX_SIDE`], or empty.
    #[error("a picture of {width}x{height} pixels is empty or above {MAX_SIDE}x{MAX_SIDE}")]
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The PNG can't be written.
    #[error("the PNG can't be written")]
    Encode(#[from] png::EncodingError),
    /// The file is no PNG, or a broken one.
    #[error("the PNG can't be read")]
    Decode(#[from] png::DecodingError),
}

/// How a plane's pixels meet what lies below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blend {
    /// They replace it, alpha is ignored.
    Opaque,
    /// The colours have been multiplied by alpha already (Linux's default, and Intel's cursor).
    Premultiplied,
    /// The colours are multiplied by alpha on the way (`PLANE_CTL`'s hardware premultiply).
    Straight,
}

/// How a picture is turned on its way to the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// A quarter turn clockwise.
    Clockwise90,
    /// Upside down.
    HalfTurn,
    /// A quarter turn counter-clockwise.
    Clockwise270,
}

/// A picture at its place on the screen.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// What the plane shows.
    pub picture: &'a Picture,
    /// Pixels from the screen's left edge to the picture's; negative when it sticks out.
    pub x: i32,
    /// Rows from the screen's upper edge to the picture's.
    pub y: i32,
    /// How it meets the planes below.
    pub blend: Blend,
    /// Alpha of the plane as a whole, on top of its pixels' own: 255 leaves it as it is.
    pub alpha: u8,
}

/// `value * alpha / 255`, rounded to the nearest.
fn scale(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}

impl Blend {
    /// The colour seen when `above`, of a plane with alpha `plane`, lies on an opaque `below`.
    fn over(self, above: [u8; RGBA], plane: u8, below: [u8; RGBA]) -> [u8; RGBA] {
        let [red, green, blue, alpha] = above;
        let alpha = if self == Blend::Opaque { plane } else { scale(alpha, plane) };
        if alpha == 255 {
            return [red, green, blue, 255];
        }
        let part = if self == Blend::Premultiplied { plane } else { alpha };
        let mix = |a: u8, b: u8| scale(a, part).saturating_add(scale(b, 255 - alpha));
        [mix(red, below[0]), mix(green, below[1]), mix(blue, below[2]), 255]
    }
}

impl Picture {
    /// An opaque black picture. `None` if a side is 0 or above [`MAX_SIDE`].
    pub fn black(width: u32, height: u32) -> Option<Picture> {
        let rgba = [0, 0, 0, 255].repeat(pixels(width, height)?);
        Some(Picture { width, height, rgba })
    }

    /// A picture of these pixels. `None` if a side is 0 or above [`MAX_SIDE`], or if the number of
    /// bytes isn't `width * height * 4`.
    pub fn from_rgba(width: u32, height: u32, rgba: Vec<u8>) -> Option<Picture> {
        (pixels(width, height)? * RGBA == rgba.len()).then_some(Picture { width, height, rgba })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, four bytes each, row after row.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// All pixels, without a copy.
    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba
    }

    /// The part right of and below a corner; `None` if nothing is left.
    #[must_use]
    pub fn from_corner(&self, left: u32, top: u32) -> Option<Self> {
        let width = self.width.checked_sub(left).filter(|w| *w > 0)?;
        let height = self.height.checked_sub(top).filter(|h| *h > 0)?;
        let row = self.width as usize * 4;
        let rows = self.rgba.chunks_exact(row).skip(top as usize);
        let rgba = rows.flat_map(|row| row.iter().skip(left as usize * 4)).copied().collect();
        Some(Self { width, height, rgba })
    }

    /// The picture, turned.
    #[must_use]
    pub fn rotated(self, rotation: Rotation) -> Self {
        let (width, height) = (self.width, self.height);
        let pixels = self.rgba.as_chunks::<RGBA>().0;
        let columns = || (0..width as usize).map(|x| pixels.iter().skip(x).step_by(width as usize));
        let (width, height, rgba) = match rotation {
            Rotation::None => return self,
            Rotation::HalfTurn => (width, height, pixels.iter().rev().flatten().copied().collect()),
            Rotation::Clockwise90 => {
                (height, width, columns().flat_map(Iterator::rev).flatten().copied().collect())
            }
            Rotation::Clockwise270 => {
                (height, width, columns().rev().flatten().flatten().copied().collect())
            }
        };
        Self { width, height, rgba }
    }

    /// The pixel at (x, y), `None` outside.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; RGBA]> {
        let at = (x < self.width).then_some(y as usize * self.width as usize + x as usize)?;
        self.rgba.as_chunks().0.get(at).copied()
    }

    /// Rows of pixels from the top.
    fn rows(&self) -> impl Iterator<Item = &[[u8; RGBA]]> {
        self.rgba.as_chunks().0.chunks_exact(self.width as usize)
    }

    /// How many pixels differ by more than `tolerance` in red, green, blue or alpha.
    /// `None` if the pictures aren't of one size.
    pub fn differing_pixels(&self, other: &Picture, tolerance: u8) -> Option<u64> {
        if (self.width, self.height) != (other.width, other.height) {
            return None;
        }
        let (ours, theirs) = (self.rgba.as_chunks::<RGBA>().0, other.rgba.as_chunks::<RGBA>().0);
        let differs = |(a, b): &(&[u8; RGBA], &[u8; RGBA])| {
            a.iter().zip(b.iter()).any(|(a, b)| a.abs_diff(*b) > tolerance)
        };
        Some(ours.iter().zip(theirs).filter(differs).count() as u64)
    }

    /// The picture as a PNG file, RGBA with eight bits.
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgba)?;
        writer.finish()?;
        Ok(file)
    }

    /// Reads any PNG file (the first frame). Its size is checked before memory is taken.
    pub fn from_png(file: &[u8]) -> Result<Picture, PictureError> {
        let mut decoder = png::Decoder::new(Cursor::new(file));
        decoder.set_transformations(
            png::Transformations::normalize_to_color8() | png::Transformations::ALPHA,
        );
        let mut reader = decoder.read_info()?;
        let (width, height) = (reader.info().width, reader.info().height);
        let size_error = PictureError::Size { width, height };
        let Some(count) = pixels(width, height) else { return Err(size_error) };
        let mut samples = vec![0; count * RGBA];
        let frame = reader.next_frame(&mut samples)?;
        if frame.color_type == png::ColorType::GrayscaleAlpha {
            samples.truncate(count * 2);
            let grey = samples.as_chunks::<2>().0.iter();
            samples = grey.flat_map(|&[v, a]| [v, v, v, a]).collect();
        }
        Picture::from_rgba(width, height, samples).ok_or(size_error)
    }
}

/// Pixels of a picture, `None` if it is empty or too large.
fn pixels(width: u32, height: u32) -> Option<usize> {
    let sides = 1..=MAX_SIDE;
    (sides.contains(&width) && sides.contains(&height)).then(|| width as usize * height as usize)
}

/// What the screen shows: black, then `planes` from the lowest to the topmost, cut at the edges.
/// The result is opaque. `None` if a side of the screen is 0 or above [`MAX_SIDE`].
pub fn compose((width, height): (u32, u32), planes: &[Plane<'_>]) -> Option<Picture> {
    let mut screen = Picture::black(width, height)?;
    let screen_rows = screen.rgba.as_chunks_mut::<RGBA>().0;
    for plane in planes {
        // The first row and column of the screen that the plane covers, and how much of the
        // plane sticks out before it.
        let (top, skip_rows) = (plane.y.max(0) as usize, plane.y.min(0).unsigned_abs() as usize);
        let (left, skip) = (plane.x.max(0) as usize, plane.x.min(0).unsigned_abs() as usize);
        let below = screen_rows.chunks_exact_mut(width as usize).skip(top);
        for (above, below) in plane.picture.rows().skip(skip_rows).zip(below) {
            for (a, b) in above.iter().skip(skip).zip(below.iter_mut().skip(left)) {
                *b = plane.blend.over(*a, plane.alpha, *b);
            }
        }
    }
    Some(screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(width: u32, height: u32, colour: [u8; 4]) -> Picture {
        Picture::from_rgba(width, height, colour.repeat((width * height) as usize)).unwrap()
    }

    fn plane(picture: &Picture, x: i32, y: i32, blend: Blend) -> Plane<'_> {
        Plane { picture, x, y, blend, alpha: 255 }
    }

    #[test]
    fn a_picture_can_be_cut_at_a_corner() {
        let picture = Picture::from_rgba(3, 2, (0..24).collect()).unwrap();
        let part = picture.from_corner(2, 1).unwrap();
        assert_eq!((part.width(), part.height(), part.rgba()), (1, 1, &[20, 21, 22, 23][..]));
        assert!(picture.from_corner(3, 0).is_none() && picture.from_corner(0, 9).is_none());
    }

    #[test]
    fn sizes_are_limited() {
        assert!(Picture::black(0, 1).is_none());
        assert!(Picture::black(1, MAX_SIDE + 1).is_none());
        assert!(Picture::from_rgba(2, 2, vec![0; 15]).is_none());
        assert!(compose((MAX_SIDE + 1, 1), &[]).is_none());
    }

    #[test]
    fn planes_are_stacked_and_cut_at_the_edges() {
        let red = plain(4, 4, [255, 0, 0, 0]);
        let blue = plain(3, 3, [0, 0, 255, 0]);
        let planes = [plane(&red, -2, -2, Blend::Opaque), plane(&blue, 1, 1, Blend::Opaque)];
        let screen = compose((3, 3), &planes).unwrap();
        assert_eq!(screen.pixel(0, 0), Some([255, 0, 0, 255]));
        assert_eq!(screen.pixel(1, 1), Some([0, 0, 255, 255]));
        assert_eq!(screen.pixel(2, 0), Some([0, 0, 0, 255]));
        assert_eq!(screen.pixel(3, 0), None);
    }

    #[test]
    fn alpha_blends_as_told() {
        let white = plain(1, 1, [200, 200, 200, 255]);
        let half = plain(1, 1, [100, 0, 0, 128]);
        let seen = |blend| {
            let planes = [plane(&white, 0, 0, Blend::Opaque), plane(&half, 0, 0, blend)];
            compose((1, 1), &planes).unwrap().pixel(0, 0).unwrap()
        };
        assert_eq!(seen(Blend::Opaque), [100, 0, 0, 255]);
        assert_eq!(seen(Blend::Premultiplied), [200, 100, 100, 255]);
        assert_eq!(seen(Blend::Straight), [150, 100, 100, 255]);
    }

    #[test]
    fn a_plane_s_own_alpha_dims_all_of_it() {
        let white = plain(1, 1, [200, 200, 200, 255]);
        let seen = |colour, blend, alpha| {
            let above = plain(1, 1, colour);
            let above = Plane { alpha, ..plane(&above, 0, 0, blend) };
            let planes = [plane(&white, 0, 0, Blend::Opaque), above];
            compose((1, 1), &planes).unwrap().pixel(0, 0).unwrap()
        };
        for blend in [Blend::Opaque, Blend::Premultiplied, Blend::Straight] {
            assert_eq!(seen([100, 0, 0, 255], blend, 128), [150, 100, 100, 255], "{blend:?}");
            assert_eq!(seen([100, 0, 0, 255], blend, 0), [200, 200, 200, 255], "{blend:?}");
        }
        assert_eq!(seen([100, 0, 0, 128], Blend::Premultiplied, 128), [200, 150, 150, 255]);
        assert_eq!(seen([100, 0, 0, 128], Blend::Straight, 128), [175, 150, 150, 255]);
    }

    #[test]
    fn pictures_turn() {
        let picture = || {
            let pixels = (1..=6u8).flat_map(|n| [n, 0, 0, 255]).collect();
            Picture::from_rgba(3, 2, pixels).unwrap()
        };
        let turned = |rotation| {
            let turned = picture().rotated(rotation);
            let reds: Vec<u8> = turned.rgba().iter().step_by(4).copied().collect();
            (turned.width(), turned.height(), reds)
        };
        // 1 2 3
        // 4 5 6
        assert_eq!(turned(Rotation::None), (3, 2, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(turned(Rotation::Clockwise90), (2, 3, vec![4, 1, 5, 2, 6, 3]));
        assert_eq!(turned(Rotation::HalfTurn), (3, 2, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(turned(Rotation::Clockwise270), (2, 3, vec![3, 6, 2, 5, 1, 4]));
    }

    #[test]
    fn differences_are_counted_with_tolerance() {
        let a = plain(2, 2, [10, 10, 10, 255]);
        let mut b = a.clone();
        b.rgba[0] = 13;
        b.rgba[5] = 30;
        assert_eq!(a.differing_pixels(&b, 0), Some(2));
        assert_eq!(a.differing_pixels(&b, 3), Some(1));
        assert_eq!(a.differing_pixels(&plain(1, 4, [0; 4]), 255), None);
    }

    #[test]
    fn grey_pngs_become_rgba() {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 2, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(&[9, 200]).unwrap();
        let picture = Picture::from_png(&file).unwrap();
        assert_eq!(picture.rgba(), [9, 9, 9, 255, 200, 200, 200, 255]);
    }

    #[test]
    fn a_png_too_large_is_refused() {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, MAX_SIDE + 1, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let data = vec![0; MAX_SIDE as usize + 1];
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        assert!(matches!(Picture::from_png(&file), Err(PictureError::Size { .. })));
    }

    proptest! {
        #[test]
        fn pngs_come_back_unchanged(width in 1..40u32, height in 1..40u32, seed: u32) {
            let bytes = (0..width * height * 4).map(|i| (i.wrapping_mul(seed) >> 7) as u8).collect();
            let picture = Picture::from_rgba(width, height, bytes).unwrap();
            prop_assert_eq!(Picture::from_png(&picture.to_png().unwrap()).unwrap(), picture);
        }

        #[test]
        fn no_bytes_make_from_png_panic(mut bytes: Vec<u8>, cut in 0..200usize, keep_head: bool) {
            if keep_head {
                let mut png = Picture::black(5, 5).unwrap().to_png().unwrap();
                png.truncate(cut);
                png.append(&mut bytes);
                bytes = png;
            }
            let _ = Picture::from_png(&bytes);
        }

        #[test]
        fn planes_anywhere_compose(x: i32, y: i32, near in -5..5i32) {
            let small = plain(3, 3, [1, 2, 3, 4]);
            for (x, y) in [(x, y), (near, near), (i32::MIN, near), (near, i32::MAX)] {
                prop_assert!(compose((4, 4), &[plane(&small, x, y, Blend::Straight)]).is_some());
            }
        }
    }
}
