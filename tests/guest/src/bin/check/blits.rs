//! Fills and copies by the blitter, compared byte by byte with the model in [`crate::raster`].
//!
//! Whole objects are compared, so that a pixel drawn outside of its rectangle is found too. All
//! rectangles lie inside their pictures: what the hardware draws outside is nobody's business.

use anyhow::{Context as _, Result, ensure};

use crate::Options;
use crate::blitter::Picture;
use crate::commands::Commands;
use crate::i915::{Buffer, Device, Engine, View};
use crate::mapping::Mapping;
use crate::raster::{self, Channels, Rectangle, Source};
use crate::stores::{compare, scramble};
use crate::surface::{Surface, Tiling};

const WIDTH: i16 = 200;
const HEIGHT: i16 = 40;
/// Tilings of the XY commands.
const PLAIN: [Tiling; 3] = [Tiling::Linear, Tiling::X, Tiling::Y];
const COPY: u8 = 0xcc;

/// Pattern copy and inversion, black, white, destination inversion, and two less regular ones.
const FILLS: [u8; 7] = [0xf0, 0x5a, 0x00, 0xff, 0x55, 0xa0, 0x0f];
/// The sixteen combinations of source and destination, as GDI and X11 number them.
const COPIES: [u8; 16] = [
    0xcc, 0x88, 0xee, 0x66, 0x44, 0x22, 0x11, 0xbb, 0xdd, 0x77, 0x99, 0x33, 0x00, 0xff, 0xaa, 0x55,
];

/// Odd edges, edges of tiles, single pixels, and rectangles that have no inside.
const RECTANGLES: [Rectangle; 7] = [
    Rectangle::new(0, 0, 16, 3),
    Rectangle::new(3, 5, 130, 11),
    Rectangle::new(127, 7, 129, 33),
    Rectangle::new(77, 13, 78, 14),
    Rectangle::new(WIDTH - 9, HEIGHT - 2, WIDTH, HEIGHT),
    Rectangle::new(50, 20, 50, 30),
    Rectangle::new(60, 30, 40, 20),
];

/// Where the copy to a rectangle comes from: elsewhere, so that no column keeps its place.
fn source_of(rectangle: Rectangle) -> (i16, i16) {
    let left = WIDTH - rectangle.right.max(rectangle.left);
    let top = HEIGHT - rectangle.bottom.max(rectangle.top);
    (left.min(60), top.min(11))
}

/// A picture on the GPU, and what the CPU thinks it looks like.
struct Canvas {
    surface: Surface,
    buffer: Buffer,
    mapping: Mapping,
    model: Vec<u8>,
}

impl Canvas {
    fn new(device: &Device, surface: Surface, seed: u64) -> Result<Canvas> {
        let buffer = device.buffer(surface.size(), 0x1_0000)?;
        let mapping = buffer.map(View::Cached)?;
        let words = buffer.size() as u64 / 8;
        let model: Vec<u8> =
            (0..words).flat_map(|word| scramble(seed << 32 | word).to_le_bytes()).collect();
        mapping.write(0, &model);
        Ok(Canvas { surface, buffer, mapping, model })
    }

    fn picture(&self) -> Picture<'_> {
        Picture { address: self.buffer.address(), surface: &self.surface }
    }

    fn source(&self, left: i16, top: i16) -> Source<'_> {
        Source { memory: &self.model, surface: &self.surface, left, top }
    }

    fn check(&self) -> Result<()> {
        compare(&self.mapping.read_all(), &self.model)
    }
}

/// Channel masks worth trying at this depth.
fn masks(pixel_bytes: usize) -> &'static [Channels] {
    const ALPHA: Channels = Channels { alpha: true, rgb: false };
    const RGB: Channels = Channels { alpha: false, rgb: true };
    if pixel_bytes == 4 { &[Channels::BOTH, ALPHA, RGB] } else { &[Channels::BOTH] }
}

/// Counts what was compared, and says where something differed.
struct Tally<'a> {
    device: &'a Device,
    operations: usize,
    failures: Vec<String>,
}

impl Tally<'_> {
    /// Runs a batch on the blitter, and compares the picture that it drew on.
    fn judge(&mut self, what: &str, commands: &Commands, canvas: &Canvas, source: Option<&Canvas>) {
        self.operations += 1;
        let buffers: Vec<&Buffer> =
            [Some(canvas), source].into_iter().flatten().map(|canvas| &canvas.buffer).collect();
        let result = self
            .device
            .run(Engine::Blitter, None, commands, &buffers)
            .and_then(|()| canvas.check())
            .with_context(|| what.to_string());
        if let Err(error) = result {
            self.failures.push(format!("{error:#}"));
        }
    }

    fn fills(&mut self, tiling: Tiling, pixel_bytes: usize) -> Result<()> {
        let surface = Surface::new(tiling, pixel_bytes, WIDTH as usize, HEIGHT as usize);
        for code in FILLS {
            for &channels in masks(pixel_bytes) {
                let mut canvas = Canvas::new(self.device, surface, u64::from(code))?;
                let mut commands = Commands::new();
                commands.tiled_means(Tiling::Linear, tiling);
                for (index, rectangle) in RECTANGLES.into_iter().enumerate() {
                    let color = scramble(index as u64) as u32;
                    commands.fill(&canvas.picture(), rectangle, code, color, channels);
                    raster::fill(&mut canvas.model, &surface, rectangle, code, color, channels);
                }
                let what =
                    format!("fill {code:#04x} {tiling:?} {} bpp {channels:?}", 8 * pixel_bytes);
                self.judge(&what, &commands, &canvas, None);
            }
        }
        Ok(())
    }

    fn copies(&mut self, from: Tiling, to: Tiling, pixel_bytes: usize) -> Result<()> {
        let [origin, surface] = [from, to]
            .map(|tiling| Surface::new(tiling, pixel_bytes, WIDTH as usize, HEIGHT as usize));
        let source = Canvas::new(self.device, origin, 1)?;
        for code in COPIES {
            for &channels in masks(pixel_bytes) {
                let mut canvas = Canvas::new(self.device, surface, u64::from(code))?;
                let mut commands = Commands::new();
                commands.tiled_means(from, to);
                for rectangle in RECTANGLES {
                    let start @ (left, top) = source_of(rectangle);
                    let model = source.source(left, top);
                    commands.copy(
                        &canvas.picture(),
                        rectangle,
                        &source.picture(),
                        start,
                        code,
                        channels,
                    );
                    raster::copy(&mut canvas.model, &surface, rectangle, &model, code, channels);
                }
                let what = format!(
                    "copy {code:#04x} {from:?} to {to:?} {} bpp {channels:?}",
                    8 * pixel_bytes
                );
                self.judge(&what, &commands, &canvas, Some(&source));
            }
        }
        source.check().with_context(|| format!("the source of copies from {from:?}"))
    }

    /// Copies of a picture onto itself, in every direction.
    fn overlaps(&mut self, tiling: Tiling, pixel_bytes: usize) -> Result<()> {
        let surface = Surface::new(tiling, pixel_bytes, WIDTH as usize, HEIGHT as usize);
        for (right, down) in [(3, 2), (-3, -2), (5, -1), (-7, 1), (0, 1), (0, -1), (1, 0), (-1, 0)]
        {
            for code in [COPY, 0x66] {
                let mut canvas = Canvas::new(self.device, surface, 2)?;
                let (left, top) = (20, 10);
                let rectangle =
                    Rectangle::new(left + right, top + down, left + right + 110, top + down + 21);
                let mut commands = Commands::new();
                let picture = canvas.picture();
                commands.tiled_means(tiling, tiling);
                commands.copy(&picture, rectangle, &picture, (left, top), code, Channels::BOTH);
                let before = canvas.model.clone();
                let model = Source { memory: &before, surface: &surface, left, top };
                raster::copy(&mut canvas.model, &surface, rectangle, &model, code, Channels::BOTH);
                let what = format!(
                    "overlapping copy {code:#04x} {tiling:?} {} bpp by {right}, {down}",
                    8 * pixel_bytes
                );
                self.judge(&what, &commands, &canvas, None);
            }
        }
        Ok(())
    }

    /// XY_FAST_COPY_BLT; edges lie at multiples of 16 bytes, as the hardware wants them.
    fn fast_copies(&mut self, from: Tiling, to: Tiling, pixel_bytes: usize) -> Result<()> {
        let [origin, surface] =
            [from, to].map(|tiling| Surface::new(tiling, pixel_bytes, 640 / pixel_bytes, 70));
        let unit = 16 / pixel_bytes as i16;
        let source = Canvas::new(self.device, origin, 3)?;
        let mut canvas = Canvas::new(self.device, surface, 4)?;
        let mut commands = Commands::new();
        for (rectangle, (left, top)) in [
            (Rectangle::new(0, 0, 8, 9), (3, 2)),
            (Rectangle::new(9, 3, 33, 41), (5, 21)),
            (Rectangle::new(31, 45, 40, 70), (0, 45)),
            (Rectangle::new(2, 60, 3, 61), (39, 69)),
        ] {
            let rectangle = Rectangle::new(
                rectangle.left * unit,
                rectangle.top,
                rectangle.right * unit,
                rectangle.bottom,
            );
            let left = left * unit;
            commands.fast_copy(&canvas.picture(), rectangle, &source.picture(), (left, top));
            let model = source.source(left, top);
            raster::copy(&mut canvas.model, &surface, rectangle, &model, COPY, Channels::BOTH);
        }
        let what = format!("fast copy {from:?} to {to:?} {} bpp", 8 * pixel_bytes);
        self.judge(&what, &commands, &canvas, Some(&source));
        Ok(())
    }
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    ensure!(device.engines()?.contains(&Engine::Blitter), "the driver has no blitter");
    let mut tally = Tally { device: &device, operations: 0, failures: Vec::new() };
    for pixel_bytes in [1, 2, 4] {
        for to in PLAIN {
            tally.fills(to, pixel_bytes)?;
            tally.overlaps(to, pixel_bytes)?;
            for from in PLAIN {
                tally.copies(from, to, pixel_bytes)?;
            }
        }
    }
    for pixel_bytes in [1, 2, 4, 8, 16] {
        for to in Tiling::ALL {
            for from in Tiling::ALL {
                tally.fast_copies(from, to, pixel_bytes)?;
            }
        }
    }
    const SHOWN: usize = 12;
    let Tally { operations, failures, .. } = tally;
    ensure!(
        failures.is_empty(),
        "{} of {operations} pictures differ: {}",
        failures.len(),
        failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ")
    );
    Ok(format!("{operations} pictures"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stay_inside_of_both_pictures() {
        for rectangle in RECTANGLES {
            let (left, top) = source_of(rectangle);
            let (width, height) =
                (rectangle.right - rectangle.left, rectangle.bottom - rectangle.top);
            for (left, top) in [(left, top), (rectangle.left, rectangle.top)] {
                assert!(left >= 0 && left + width <= WIDTH, "{rectangle:?} from {left}");
                assert!(top >= 0 && top + height <= HEIGHT, "{rectangle:?} from {top}");
            }
        }
    }
}
