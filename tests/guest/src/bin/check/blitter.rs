//! The 2D commands of the blitter engine.
//!
//! Encodings: Skylake PRM, volume 2a, XY_COLOR_BLT, XY_SRC_COPY_BLT and XY_FAST_COPY_BLT. The XY
//! commands know two tilings, linear and "tiled"; BCS_SWCTRL says whether the latter is X or Y.
//! Pitches count bytes where a surface is linear, and dwords where it is tiled.

use crate::commands::Commands;
use crate::raster::{Channels, Rectangle};
use crate::surface::{Surface, Tiling};

/// BCS_SWCTRL: a masked register; bits 31:16 say which of 15:0 change.
const BCS_SWCTRL: u32 = 0x22200;
const SOURCE_IS_Y: u32 = 1 << 0;
const DESTINATION_IS_Y: u32 = 1 << 1;

/// A picture in the GPU's address space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) address: u64,
    pub(crate) surface: &'a Surface,
}

impl Picture<'_> {
    fn pitch(&self) -> u32 {
        let pitch = self.surface.pitch as u32;
        if self.surface.tiling == Tiling::Linear { pitch } else { pitch / 4 }
    }

    const fn is_tiled(&self) -> bool {
        !matches!(self.surface.tiling, Tiling::Linear)
    }

    /// The colour depth of the XY commands.
    fn depth(&self) -> u32 {
        match self.surface.pixel_bytes {
            1 => 0,
            2 => 1,
            _ => 3,
        }
    }

    /// The colour depth of XY_FAST_COPY_BLT.
    fn fast_depth(&self) -> u32 {
        match self.surface.pixel_bytes {
            8 => 4,
            16 => 5,
            _ => self.depth(),
        }
    }

    /// The tiling of XY_FAST_COPY_BLT; Y and Yf share a number and differ in another bit.
    const fn fast_tiling(&self) -> u32 {
        match self.surface.tiling {
            Tiling::Linear => 0,
            Tiling::X => 1,
            Tiling::Y | Tiling::Yf => 2,
        }
    }

    const fn is_yf(&self) -> bool {
        matches!(self.surface.tiling, Tiling::Yf)
    }
}

const fn opcode(code: u32, length: u32) -> u32 {
    2 << 29 | code << 22 | (length - 2)
}

fn point(x: i16, y: i16) -> u32 {
    u32::from(y as u16) << 16 | u32::from(x as u16)
}

fn channel_bits(picture: &Picture<'_>, channels: Channels) -> u32 {
    match picture.surface.pixel_bytes {
        4 => u32::from(channels.alpha) << 21 | u32::from(channels.rgb) << 20,
        _ => 0,
    }
}

impl Commands {
    /// Tells the XY commands that follow whether "tiled" means Y.
    ///
    /// The engine is flushed first, so that the commands before still see the old meaning.
    pub(crate) fn tiled_means(&mut self, source: Tiling, destination: Tiling) -> &mut Self {
        let bit = |tiling, bit| if tiling == Tiling::Y { bit } else { 0 };
        let value = bit(source, SOURCE_IS_Y) | bit(destination, DESTINATION_IS_Y);
        self.flush(None);
        self.load_register(BCS_SWCTRL, (SOURCE_IS_Y | DESTINATION_IS_Y) << 16 | value)
    }

    /// XY_COLOR_BLT: combines a rectangle with a colour.
    pub(crate) fn fill(
        &mut self,
        picture: &Picture<'_>,
        rectangle: Rectangle,
        code: u8,
        color: u32,
        channels: Channels,
    ) -> &mut Self {
        let header =
            opcode(0x50, 7) | channel_bits(picture, channels) | u32::from(picture.is_tiled()) << 11;
        let control = picture.depth() << 24 | u32::from(code) << 16 | picture.pitch();
        self.raw(&[header, control]);
        self.raw(&[point(rectangle.left, rectangle.top), point(rectangle.right, rectangle.bottom)]);
        self.address(picture.address).raw(&[color])
    }

    /// XY_SRC_COPY_BLT: combines a rectangle with one that starts at `left`, `top` of `source`.
    pub(crate) fn copy(
        &mut self,
        picture: &Picture<'_>,
        rectangle: Rectangle,
        source: &Picture<'_>,
        (left, top): (i16, i16),
        code: u8,
        channels: Channels,
    ) -> &mut Self {
        let header = opcode(0x53, 10)
            | channel_bits(picture, channels)
            | u32::from(source.is_tiled()) << 15
            | u32::from(picture.is_tiled()) << 11;
        let control = picture.depth() << 24 | u32::from(code) << 16 | picture.pitch();
        self.raw(&[header, control]);
        self.raw(&[point(rectangle.left, rectangle.top), point(rectangle.right, rectangle.bottom)]);
        self.address(picture.address);
        self.raw(&[point(left, top), source.pitch()]).address(source.address)
    }

    /// XY_FAST_COPY_BLT: copies a rectangle between any two tilings.
    pub(crate) fn fast_copy(
        &mut self,
        picture: &Picture<'_>,
        rectangle: Rectangle,
        source: &Picture<'_>,
        (left, top): (i16, i16),
    ) -> &mut Self {
        let header = opcode(0x42, 10) | source.fast_tiling() << 20 | picture.fast_tiling() << 13;
        let control = u32::from(source.is_yf()) << 31
            | u32::from(picture.is_yf()) << 30
            | picture.fast_depth() << 24
            | picture.pitch();
        self.raw(&[header, control]);
        self.raw(&[point(rectangle.left, rectangle.top), point(rectangle.right, rectangle.bottom)]);
        self.address(picture.address);
        self.raw(&[point(left, top), source.pitch()]).address(source.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dwords(commands: &Commands) -> Vec<u32> {
        let bytes = commands.to_bytes();
        bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
    }

    const RECTANGLE: Rectangle = Rectangle::new(1, 2, 0x13, 0x14);

    #[test]
    fn a_fill() {
        let surface = Surface::new(Tiling::X, 4, 128, 8);
        let picture = Picture { address: 0x1_2345_6000, surface: &surface };
        let mut commands = Commands::new();
        commands.fill(&picture, RECTANGLE, 0xf0, 0xa1b2_c3d4, Channels::BOTH);
        assert_eq!(
            dwords(&commands)[..7],
            [0x5430_0805, 0x03f0_0080, 0x2_0001, 0x14_0013, 0x2345_6000, 1, 0xa1b2_c3d4]
        );
    }

    #[test]
    fn a_copy() {
        let linear = Surface::new(Tiling::Linear, 2, 64, 8);
        let tiled = Surface::new(Tiling::Y, 2, 64, 32);
        let destination = Picture { address: 0x1000, surface: &linear };
        let source = Picture { address: 0x2000, surface: &tiled };
        let mut commands = Commands::new();
        commands.copy(&destination, RECTANGLE, &source, (5, 6), 0xcc, Channels::BOTH);
        assert_eq!(
            dwords(&commands)[..10],
            [0x54c0_8008, 0x01cc_0080, 0x2_0001, 0x14_0013, 0x1000, 0, 0x6_0005, 0x20, 0x2000, 0]
        );
    }

    #[test]
    fn a_fast_copy() {
        let yf = Surface::new(Tiling::Yf, 8, 32, 16);
        let y = Surface::new(Tiling::Y, 8, 32, 32);
        let destination = Picture { address: 0x1000, surface: &y };
        let source = Picture { address: 0x2000, surface: &yf };
        let mut commands = Commands::new();
        commands.fast_copy(&destination, RECTANGLE, &source, (0, 0));
        assert_eq!(dwords(&commands)[..2], [0x50a0_4008, 0x8400_0040]);
    }
}
