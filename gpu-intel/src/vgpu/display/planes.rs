//! Planes: what the pipes scan out, read from the registers.
//! Source: SKL PRM vol 2c (PLANE_CTL, PLANE_STRIDE, PLANE_SURF), vol 12.

use display::{PixelFormat, Surface, Tiling};
use mediator::{Plane, ScanOut};

use super::pipe_at;
use crate::address::GgttAddress;
use crate::vgpu::ggtt::Ggtt;
use crate::vgpu::registers::RegisterFile;

/// Pages of a plane that are looked at: a surface of 8192 x 8192 pixels of four bytes.
const PAGE_LIMIT: u64 = 8192 * 8192 * 4 / 4096;

/// Copies a plane's surface address to its live register; plane 3 is the cursor.
pub(super) fn latch(registers: &mut RegisterFile, pipe: u8, plane: u8) {
    let at = pipe_at(pipe);
    let (from, to) = if plane == 3 {
        (0x7_0084 + at, 0x7_00AC + at)
    } else {
        (0x7_019C + at + u32::from(plane) * 0x100, 0x7_01AC + at + u32::from(plane) * 0x100)
    };
    registers.set(to, registers.get(from));
}

/// What the first pipe that is on shows.
pub(crate) fn scan_out(registers: &RegisterFile, ggtt: &Ggtt) -> ScanOut {
    let Some(pipe) = (0..3).find(|pipe| registers.get(0x7_0008 + pipe_at(*pipe)) >> 31 != 0) else {
        return ScanOut::default();
    };
    let size = registers.get(0x6_001C + pipe_at(pipe));
    let mode = Some(((size >> 16 & 0x1FFF) + 1, (size & 0x1FFF) + 1));
    let planes = (0..3)
        .filter_map(|plane| read_plane(registers, ggtt, pipe_at(pipe) + plane * 0x100))
        .collect();
    ScanOut { mode, planes }
}

/// A plane that is on and of a format that is known.
fn read_plane(registers: &RegisterFile, ggtt: &Ggtt, at: u32) -> Option<Plane> {
    let control = registers.get(0x7_0180 + at);
    if control >> 31 == 0 {
        return None;
    }
    let format = format(control)?;
    let (tiling, stride_unit) = match control >> 10 & 7 {
        0 => (Tiling::Linear, 64),
        1 => (Tiling::X, 512),
        4 => (Tiling::Y, 128),
        5 => (Tiling::Yf, 128),
        _ => return None,
    };
    let size = registers.get(0x7_0190 + at);
    let offset = registers.get(0x7_01A4 + at);
    let position = registers.get(0x7_018C + at);
    let (source_x, source_y) = (offset & 0x1FFF, offset >> 16 & 0x1FFF);
    let surface = Surface {
        width: (size & 0x1FFF) + 1 + source_x,
        height: (size >> 16 & 0x1FFF) + 1 + source_y,
        stride: (registers.get(0x7_0188 + at) & 0x3FF) * stride_unit,
        format,
        tiling,
    };
    let bytes = display::size_in_bytes(&surface)?;
    let base = u64::from(registers.get(0x7_01AC + at) & !0xFFF);
    let pages = bytes.div_ceil(4096).min(PAGE_LIMIT);
    Some(Plane {
        surface,
        source: (source_x, source_y),
        x: position & 0x1FFF,
        y: position >> 16 & 0x1FFF,
        pages: (0..pages).map(|n| ggtt.translate(GgttAddress(base + n * 4096))).collect(),
        offset_in_page: 0,
    })
}

/// PLANE_CTL's source format (bits 27:24), colour order (bit 20) and alpha mode (bits 5:4).
fn format(control: u32) -> Option<PixelFormat> {
    let swapped = control & 1 << 20 != 0;
    let alpha = control >> 4 & 3 != 0;
    Some(match (control >> 24 & 0xF, swapped, alpha) {
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
