//! Planes and the cursor: what a pipe scans out, and where in guest memory that lies.
//!
//! ```text
//!  registers ──flip, at a vblank──► live planes ──GGTT──► pages, layout, place on the screen
//! ```
//!
//! A guest writes a plane's registers in any order; the write to its surface address arms them all.
//! Source: SKL PRM vol 2c (PLANE_*, CUR_*), vol 12; i915's use of rotated views.

use display::{
    Blend, Palette, PixelFormat, Rotation, Surface, Tiling, Yuv422, YuvColours, YuvMatrix, YuvOrder,
};
use mediator::{Chroma, GuestAddress, Plane};
use serde::{Deserialize, Serialize};

use super::pipe_at;
use crate::address::GgttAddress;
use crate::vgpu::ggtt::Ggtt;
use crate::vgpu::registers::RegisterFile;

/// PLANE_CTL: what a flip of it does.
const CONTROL: u32 = 0x7_0180;
const ASYNCHRONOUS: u32 = 1 << 9;
/// PS_CTRL and PS_WIN_POS of a pipe's two scalers: enabled (31), for the plane 1 to 3 (27:25); the window's place.
const SCALERS: [(u32, u32); 2] = [(0x6_8180, 0x6_8170), (0x6_8280, 0x6_8270)];
const SCALERS_OF_PIPE: u32 = 0x800;
/// Palettes of the pipes, 0x800 bytes apart: 256 words of red, green and blue.
const PALETTE: u32 = 0x4_A000;

/// A plane's registers as they were when it flipped.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LivePlane {
    control: u32,
    stride: u32,
    position: u32,
    size: u32,
    offset: u32,
    surface: u32,
    /// PLANE_KEYMSK and PLANE_KEYMAX, which hold the plane's alpha beside colour keys.
    key_mask: u32,
    key_max: u32,
    /// PLANE_AUX_DIST: how far behind the surface NV12's chroma lies (31:12), and its stride (9:0).
    chroma_distance: u32,
    /// PLANE_AUX_OFFSET, as PLANE_OFFSET.
    chroma_offset: u32,
}

/// A cursor's registers as they were when it flipped.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LiveCursor {
    control: u32,
    position: u32,
    size: u32,
    surface: u32,
}

/// Whether the plane's next flip doesn't wait for a vblank.
pub(super) fn flips_at_once(registers: &RegisterFile, pipe: u8, plane: u8) -> bool {
    plane < 3
        && registers.get(CONTROL + pipe_at(pipe) + u32::from(plane) * 0x100) & ASYNCHRONOUS != 0
}

impl LivePlane {
    /// Takes the registers of a plane, 0 to 2, over.
    pub(super) fn latch(registers: &mut RegisterFile, pipe: u8, plane: u8) -> Self {
        let at = pipe_at(pipe) + u32::from(plane) * 0x100;
        let surface = registers.get(0x7_019C + at);
        registers.set(0x7_01AC + at, surface);
        Self {
            control: registers.get(CONTROL + at),
            stride: registers.get(0x7_0188 + at),
            position: scaled_to(registers, pipe, plane)
                .unwrap_or_else(|| registers.get(0x7_018C + at)),
            size: registers.get(0x7_0190 + at),
            key_mask: registers.get(0x7_0198 + at),
            key_max: registers.get(0x7_01A0 + at),
            offset: registers.get(0x7_01A4 + at),
            chroma_distance: registers.get(0x7_01C0 + at),
            chroma_offset: registers.get(0x7_01C4 + at),
            surface,
        }
    }

    /// What the plane shows; nothing if it is off, or in a way that isn't known.
    pub(super) fn read(&self, registers: &RegisterFile, ggtt: &Ggtt, pipe: u8) -> Option<Plane> {
        let control = self.control;
        if control >> 31 == 0 {
            return None;
        }
        let format = format(control)?;
        let tiling = match control >> 10 & 7 {
            0 => Tiling::Linear,
            1 => Tiling::X,
            4 => Tiling::Y,
            5 => Tiling::Yf,
            _ => return None,
        };
        let rotation = match control & 3 {
            0 => Rotation::None,
            1 => Rotation::Clockwise90,
            2 => Rotation::HalfTurn,
            _ => Rotation::Clockwise270,
        };
        let part = self.main().part(format, tiling, rotation, ggtt)?;
        let chroma = match format {
            PixelFormat::Nv12(colours) => {
                let format = PixelFormat::Nv12Chroma(colours);
                let Part { surface, source, pages } =
                    self.chroma().part(format, tiling, rotation, ggtt)?;
                Some(Chroma { surface, source, pages })
            }
            _ => None,
        };
        let coordinate = |value: u32| (value & 0x1FFF) as i32;
        Some(Plane {
            surface: part.surface,
            source: part.source,
            rotation,
            x: coordinate(self.position),
            y: coordinate(self.position >> 16),
            blend: match control >> 4 & 3 {
                2 => Blend::Premultiplied,
                3 => Blend::Straight,
                _ => Blend::Opaque,
            },
            alpha: if self.key_mask >> 31 != 0 { (self.key_max >> 24) as u8 } else { 255 },
            palette: (format == PixelFormat::C8).then(|| palette(registers, pipe)),
            pages: part.pages,
            offset_in_page: 0,
            chroma,
        })
    }

    /// The surface, of NV12 its luma.
    fn main(&self) -> Area {
        Area {
            base: self.surface & !0xFFF,
            source: halves(self.offset),
            size: ((self.size & 0x1FFF) + 1, (self.size >> 16 & 0x1FFF) + 1),
            strides: self.stride & 0x3FF,
        }
    }

    /// NV12's chroma, at half the resolution.
    fn chroma(&self) -> Area {
        let Area { base, size: (width, height), .. } = self.main();
        Area {
            base: base.wrapping_add(self.chroma_distance & !0xFFF),
            source: halves(self.chroma_offset),
            size: (width.div_ceil(2), height.div_ceil(2)),
            strides: self.chroma_distance & 0x3FF,
        }
    }
}

/// Left and upper edge, as registers hold the two.
fn halves(value: u32) -> (u32, u32) {
    (value & 0x1FFF, value >> 16 & 0x1FFF)
}

/// Where the scaler puts a plane that has one, as PLANE_POS would say it. NV12 always has one.
fn scaled_to(registers: &RegisterFile, pipe: u8, plane: u8) -> Option<u32> {
    let at = u32::from(pipe) * SCALERS_OF_PIPE;
    let of_plane = |control: u32| control >> 31 != 0 && control >> 25 & 7 == u32::from(plane) + 1;
    let mut scalers = SCALERS.into_iter();
    let (_, window) = scalers.find(|(control, _)| of_plane(registers.get(control + at)))?;
    // The other way around there: x in the upper half.
    Some(registers.get(window + at).rotate_left(16))
}

/// What is shown of a surface, as registers tell it.
struct Area {
    /// Where in the GGTT the surface lies.
    base: u32,
    /// Left and upper edge of what is shown, in the surface as the GGTT maps it.
    source: (u32, u32),
    /// Width and height on the screen, less one of a turned plane's quarter turn.
    size: (u32, u32),
    /// The stride in its own units: 64 bytes, or tiles.
    strides: u32,
}

impl Area {
    fn part(
        &self,
        format: PixelFormat,
        tiling: Tiling,
        rotation: Rotation,
        ggtt: &Ggtt,
    ) -> Option<Part> {
        match rotation {
            Rotation::None | Rotation::HalfTurn => self.upright(format, tiling, ggtt),
            Rotation::Clockwise90 | Rotation::Clockwise270 => {
                self.on_its_side(format, tiling, ggtt)
            }
        }
    }

    fn page(&self, ggtt: &Ggtt, index: u64) -> Option<GuestAddress> {
        ggtt.translate(GgttAddress(u64::from(self.base) + index * 4096))
    }

    /// A surface whose pages follow one another in the GGTT.
    fn upright(&self, format: PixelFormat, tiling: Tiling, ggtt: &Ggtt) -> Option<Part> {
        let unit = tiling.tile_size(format.bytes_per_pixel()).map_or(64, |(width, _)| width);
        let ((left, top), (width, height)) = (self.source, self.size);
        let surface = Surface {
            width: left + width,
            height: top + height,
            stride: self.strides * unit,
            format,
            tiling,
        };
        let pages = display::size_in_bytes(&surface)?.div_ceil(4096);
        let pages = (0..pages).map(|n| self.page(ggtt, n)).collect();
        Some(Part { surface, source: (left, top), pages })
    }

    /// A surface whose tiles the driver mapped turned by a quarter, clockwise: column by column, each from the lowest
    /// tile up. Offset, size and stride (now in tiles' heights) are those of the turned picture; the tiles' contents are
    /// as ever. Here the tiles are put back, so that the picture is upright again and can be turned as a whole.
    fn on_its_side(&self, format: PixelFormat, tiling: Tiling, ggtt: &Ggtt) -> Option<Part> {
        if !matches!(tiling, Tiling::Y | Tiling::Yf) {
            return None;
        }
        let (tile_bytes, tile_height) = tiling.tile_size(format.bytes_per_pixel())?;
        let tile_width = tile_bytes / format.bytes_per_pixel();
        let ((left, top), (width, height)) = (self.source, self.size);
        let rows = (left + width).div_ceil(tile_height);
        let columns = (top + height).div_ceil(tile_width);
        if rows > self.strides {
            return None;
        }
        let surface = Surface {
            width: top + height,
            height: (rows * tile_height).checked_sub(left)?,
            stride: columns * tile_bytes,
            format,
            tiling,
        };
        display::size_in_bytes(&surface)?;
        let place = |row: u32, column: u32| {
            u64::from(column) * u64::from(self.strides) + u64::from(rows - 1 - row)
        };
        let tiles = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let pages = tiles.map(|(row, column)| self.page(ggtt, place(row, column))).collect();
        Some(Part { surface, source: (top, surface.height.checked_sub(width)?), pages })
    }
}

/// A part of a surface, its lower right corner being the surface's, and where the surface lies.
struct Part {
    surface: Surface,
    source: (u32, u32),
    pages: Vec<Option<GuestAddress>>,
}

impl LiveCursor {
    /// Takes the cursor's registers over.
    pub(super) fn latch(registers: &mut RegisterFile, pipe: u8) -> Self {
        let at = pipe_at(pipe);
        let surface = registers.get(0x7_0084 + at);
        registers.set(0x7_00AC + at, surface);
        Self {
            control: registers.get(0x7_0080 + at),
            position: registers.get(0x7_0088 + at),
            size: registers.get(0x7_00A0 + at),
            surface,
        }
    }

    /// What the cursor shows: 32-bit pixels with alpha, linear. Its other modes (two bits a pixel, inversion) show
    /// nothing.
    pub(super) fn read(&self, ggtt: &Ggtt) -> Option<Plane> {
        let width = match self.control & 0x27 {
            0x27 => 64,
            0x22 => 128,
            0x23 => 256,
            _ => return None,
        };
        // Bit 31: not square, but of a height of its own.
        let height = if self.size >> 31 != 0 { (self.size & 0xFF) + 1 } else { width };
        let surface = Surface {
            width,
            height,
            stride: width * 4,
            format: PixelFormat::Argb8888,
            tiling: Tiling::Linear,
        };
        let base = u64::from(self.surface & !0xFFF);
        let pages = display::size_in_bytes(&surface)?.div_ceil(4096);
        Some(Plane {
            surface,
            source: (0, 0),
            rotation: if self.control & 1 << 15 != 0 { Rotation::HalfTurn } else { Rotation::None },
            x: sign_and_magnitude(self.position),
            y: sign_and_magnitude(self.position >> 16),
            blend: Blend::Premultiplied,
            alpha: 255,
            palette: None,
            pages: (0..pages).map(|n| ggtt.translate(GgttAddress(base + n * 4096))).collect(),
            offset_in_page: 0,
            chroma: None,
        })
    }
}

/// A coordinate of the cursor: its size in bits 14:0, bit 15 for a negative one.
fn sign_and_magnitude(half: u32) -> i32 {
    let size = (half & 0x7FFF) as i32;
    if half & 0x8000 != 0 { -size } else { size }
}

fn palette(registers: &RegisterFile, pipe: u8) -> Box<Palette> {
    Box::new(Palette(std::array::from_fn(|index| {
        let entry = registers.get(PALETTE + u32::from(pipe) * 0x800 + index as u32 * 4);
        let [blue, green, red, _] = entry.to_le_bytes();
        [red, green, blue]
    })))
}

/// PLANE_CTL's source format (bits 27:24), colour order (20), alpha mode (5:4); of YCbCr the order (17:16), the matrix
/// (18) and the range (28).
fn format(control: u32) -> Option<PixelFormat> {
    let swapped = control & 1 << 20 != 0;
    let alpha = control >> 4 & 3 != 0;
    let colours = YuvColours {
        matrix: if control & 1 << 18 != 0 { YuvMatrix::Bt709 } else { YuvMatrix::Bt601 },
        full_range: control & 1 << 28 != 0,
    };
    Some(match (control >> 24 & 0xF, swapped, alpha) {
        (0, ..) => PixelFormat::Yuv422(Yuv422 {
            order: match control >> 16 & 3 {
                0 => YuvOrder::Yuyv,
                1 => YuvOrder::Uyvy,
                2 => YuvOrder::Yvyu,
                _ => YuvOrder::Vyuy,
            },
            colours,
        }),
        (1, ..) => PixelFormat::Nv12(colours),
        (2, false, _) => PixelFormat::Xrgb2101010,
        (2, true, _) => PixelFormat::Xbgr2101010,
        (4, false, false) => PixelFormat::Xrgb8888,
        (4, true, false) => PixelFormat::Xbgr8888,
        (4, false, true) => PixelFormat::Argb8888,
        (4, true, true) => PixelFormat::Abgr8888,
        (0xC, ..) => PixelFormat::C8,
        (0xE, ..) => PixelFormat::Rgb565,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
