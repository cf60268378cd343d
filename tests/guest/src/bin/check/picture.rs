//! The picture that `check patterns` draws, as commands and as a formula.
//!
//! For a screen of `w` by `h` pixels and a hue in degrees, the final picture has at `x`, `y`:
//!
//! * in the quarter of the width and height right of and below the centre (`w/2 <= x < w/2 + w/4`,
//!   `h/2 <= y < h/2 + h/4`): the bar pixel at `x - w/2`, `y - h/2`;
//! * at `w/8 <= x < w/8 + w/8`, `5*h/8 <= y < 5*h/8 + h/8`: the bar pixel with its colours inverted;
//! * elsewhere: the bar pixel.
//!
//! Divisions round down. The bar pixel is [`bar_color`] of column `8*x/w` and band `8*y/h`.

use crate::blitter::Picture;
use crate::commands::Commands;
use crate::raster::{Channels, Rectangle};
use crate::surface::Tiling;

/// Bars next to each other, and bands of brightness below each other.
const BARS: u32 = 8;

const FILL: u8 = 0xf0;
const INVERT: u8 = 0x55;
const COPY: u8 = 0xcc;
const OPAQUE: u32 = 0xff00_0000;

/// 0xRRGGBB of one bar: hues 15 degrees apart to the right, 24/255 darker with each band.
pub(crate) fn bar_color(hue: u32, column: u32, band: u32) -> u32 {
    let hue = (hue + 15 * column) % 360;
    let rising = hue % 60 * 255 / 60;
    let (red, green, blue) = match hue / 60 {
        0 => (255, rising, 0),
        1 => (255 - rising, 255, 0),
        2 => (0, 255, rising),
        3 => (0, 255 - rising, 255),
        4 => (rising, 0, 255),
        _ => (255, 0, 255 - rising),
    };
    let shade = |channel: u32| channel * (255 - 24 * band) / 255;
    shade(red) << 16 | shade(green) << 8 | shade(blue)
}

/// Size of a screen, and the hue of the picture on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) hue: u32,
}

fn rectangle(left: u32, top: u32, width: u32, height: u32) -> Rectangle {
    Rectangle::new(left as i16, top as i16, (left + width) as i16, (top + height) as i16)
}

impl Scene {
    /// 0xRRGGBB of the final picture.
    pub(crate) fn final_pixel(&self, x: u32, y: u32) -> u32 {
        let (w, h) = (self.width, self.height);
        let bar = |x, y| bar_color(self.hue, BARS * x / w, BARS * y / h);
        if (w / 2..w / 2 + w / 4).contains(&x) && (h / 2..h / 2 + h / 4).contains(&y) {
            bar(x - w / 2, y - h / 2)
        } else if (w / 8..w / 8 + w / 8).contains(&x) && (5 * h / 8..5 * h / 8 + h / 8).contains(&y)
        {
            !bar(x, y) & 0xff_ffff
        } else {
            bar(x, y)
        }
    }

    /// FNV-1a (64 bits) over the final picture's R, G, B bytes, row by row.
    pub(crate) fn final_hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for y in 0..self.height {
            for x in 0..self.width {
                for byte in &self.final_pixel(x, y).to_be_bytes()[1..] {
                    hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
        hash
    }

    fn draw_bars(&self, commands: &mut Commands, picture: &Picture<'_>) {
        let edge = |index: u32, length: u32| (index * length).div_ceil(BARS);
        for band in 0..BARS {
            for column in 0..BARS {
                let (left, right) = (edge(column, self.width), edge(column + 1, self.width));
                let (top, bottom) = (edge(band, self.height), edge(band + 1, self.height));
                let area = rectangle(left, top, right - left, bottom - top);
                let color = OPAQUE | bar_color(self.hue, column, band);
                commands.fill(picture, area, FILL, color, Channels::BOTH);
            }
        }
    }

    /// Draws the final picture: fills, a copy, an inversion.
    pub(crate) fn draw_final(&self, picture: &Picture<'_>) -> Commands {
        let (w, h) = (self.width, self.height);
        let mut commands = Commands::new();
        commands.tiled_means(Tiling::Linear, Tiling::Linear);
        self.draw_bars(&mut commands, picture);
        let inset = rectangle(w / 2, h / 2, w / 4, h / 4);
        commands.copy(picture, inset, picture, (0, 0), COPY, Channels::BOTH);
        let inverted = rectangle(w / 8, 5 * h / 8, w / 8, h / 8);
        commands.fill(picture, inverted, INVERT, 0, Channels { alpha: false, rgb: true });
        commands
    }

    /// Draws one picture of a sequence: the bars with a moving box, and a copy of what is around it.
    pub(crate) fn draw_moving(&self, picture: &Picture<'_>, frame: u32) -> Commands {
        let (w, h) = (self.width, self.height);
        let mut commands = Commands::new();
        commands.tiled_means(Tiling::Linear, Tiling::Linear);
        let turned = Scene { hue: self.hue + frame % 60, ..*self };
        turned.draw_bars(&mut commands, picture);
        let (x, y) = (frame * 7 % (w - w / 8), frame * 5 % (h - h / 8));
        let area = rectangle(x, y, w / 8, h / 8);
        commands.fill(picture, area, FILL, OPAQUE | 0xff_ffff, Channels::BOTH);
        let inset = rectangle(w / 2, h / 2, w / 4, h / 4);
        commands.copy(picture, inset, picture, (0, 0), COPY, Channels::BOTH);
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Source, copy, fill};
    use crate::surface::Surface;

    #[test]
    fn hues_go_around() {
        assert_eq!(bar_color(0, 0, 0), 0xff_0000);
        assert_eq!(bar_color(120, 0, 0), 0x00_ff00);
        assert_eq!(bar_color(240, 0, 0), 0x00_00ff);
        assert_eq!(bar_color(345, 1, 0), 0xff_0000);
        assert_eq!(bar_color(60, 0, 7), 0x57_5700);
    }

    /// Runs the commands through the CPU's model by decoding them again.
    #[test]
    fn the_commands_draw_the_formula() {
        let scene = Scene { width: 101, height: 67, hue: 200 };
        let surface = Surface::new(Tiling::Linear, 4, 101, 67);
        let mut memory = vec![0; surface.size()];
        let picture = Picture { address: 0x1000, surface: &surface };
        let bytes = scene.draw_final(&picture).to_bytes();
        let dwords: Vec<u32> =
            bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let mut rest = &dwords[..];
        while let Some(&header) = rest.first() {
            let length = if header >> 29 == 2 || header >> 23 > 0x0f {
                (header & 0x3f) as usize + 2
            } else {
                1
            };
            if header >> 29 == 2 {
                let corner = |dword: u32| (dword as i16, (dword >> 16) as i16);
                let ((left, top), (right, bottom)) = (corner(rest[2]), corner(rest[3]));
                let area = Rectangle::new(left, top, right, bottom);
                let code = (rest[1] >> 16) as u8;
                let channels =
                    Channels { alpha: header >> 21 & 1 == 1, rgb: header >> 20 & 1 == 1 };
                if header >> 22 & 0x7f == 0x50 {
                    fill(&mut memory, &surface, area, code, rest[6], channels);
                } else {
                    let (left, top) = corner(rest[6]);
                    let before = memory.clone();
                    let source = Source { memory: &before, surface: &surface, left, top };
                    copy(&mut memory, &surface, area, &source, code, channels);
                }
            }
            rest = &rest[length..];
        }
        for y in 0..67 {
            for x in 0..101 {
                let at = surface.offset(4 * x as usize, y as usize);
                let found = u32::from_le_bytes([memory[at], memory[at + 1], memory[at + 2], 0]);
                assert_eq!(found, scene.final_pixel(x, y), "{x}, {y}");
            }
        }
    }
}
