//! The blitter: fills and copies of rectangles.
//!
//! A blit combines up to three operands for each pixel of a rectangle with one of 256 raster operations: the pattern
//! (or a solid color), the source, and the destination as it was. Surfaces are linear or tiled.
//!
//! ```text
//!  pattern, color ─┐
//!  source rows ────┼─► raster operation ─► write mask ─► destination rows (inside the clip rectangle)
//!  old destination ┘
//! ```
//!
//! Known: XY_SETUP_BLT, XY_SETUP_CLIP_BLT, XY_PIXEL_BLT, XY_COLOR_BLT, XY_PAT_BLT, XY_MONO_PAT_BLT, XY_SRC_COPY_BLT,
//! XY_FULL_BLT, XY_FAST_COPY_BLT. All others (text, monochrome sources, immediate patterns, chroma keys) are stepped
//! over and counted.
//!
//! Work is done row by row, each row of a source being read whole before its row of the destination is written. Where
//! source and destination are one surface, rows go in the order that keeps an overlapping copy right. A kill is
//! looked for at every row.
//!
//! Sources: SKL PRM vol 10 (copy engine) and vol 2a (commands).

mod raster;
mod surface;

use self::raster::Raster;
use self::surface::Surface;
use super::bus::BatchBus;
use super::stop::Stop;
use crate::address::{PpgttAddress, RegisterOffset};
use crate::command::registers::BCS_SWCTRL;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;
use display::Tiling;

mod opcode {
    pub(super) const SETUP: u32 = 0x01;
    pub(super) const SETUP_CLIP: u32 = 0x03;
    pub(super) const PIXEL: u32 = 0x24;
    pub(super) const FAST_COPY: u32 = 0x42;
    pub(super) const COLOR: u32 = 0x50;
    pub(super) const PATTERN: u32 = 0x51;
    pub(super) const MONO_PATTERN: u32 = 0x52;
    pub(super) const SOURCE_COPY: u32 = 0x53;
    pub(super) const FULL: u32 = 0x55;
}

/// What XY_SETUP_BLT and XY_SETUP_CLIP_BLT leave for later commands: the dwords of the former, header first. State of
/// a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Setup(pub(super) [u32; 10]);

const CLIP: usize = 2;

/// How a blit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blit {
    Done,
    /// The model does not know the command.
    Unknown,
    /// The job was killed under way.
    Killed,
}

/// A rectangle; right and bottom edge are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rectangle {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Rectangle {
    fn new(top_left: u32, bottom_right: u32) -> Self {
        let ((left, top), (right, bottom)) = (point(top_left), point(bottom_right));
        Self { left, top, right, bottom }
    }

    fn intersection(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    fn is_empty(self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }
}

/// Coordinates in a dword: y in the upper half, x in the lower, both signed.
fn point(dword: u32) -> (i32, i32) {
    (i32::from(dword as u16 as i16), i32::from((dword >> 16) as u16 as i16))
}

struct Command<'a>(&'a [u32]);

impl Command<'_> {
    fn get(&self, index: usize) -> Result<u32, Fault> {
        self.0.get(index).copied().ok_or_else(|| {
            let header = self.0.first().copied().unwrap_or_default();
            Fault::new("blitter/length", format!("blit {header:#010x} is too short"))
        })
    }

    fn address(&self, index: usize) -> Result<u64, Fault> {
        Ok(u64::from(self.get(index + 1)? & 0xffff) << 32 | u64::from(self.get(index)?))
    }
}

/// The pattern operand, in the destination's depth.
enum Pattern {
    Solid(u32),
    /// Eight rows of eight pixels, and the pixel and row that meet the destination's first.
    Tile {
        pixels: Vec<u8>,
        seed: (u32, u32),
    },
    /// The same with a transparent part: a bit for each pixel that is written, row by row from the highest bit.
    Mask {
        pixels: Vec<u8>,
        opaque: [u8; 8],
        seed: (u32, u32),
    },
}

/// A blit with everything looked up.
struct Job {
    raster: Raster,
    destination: Surface,
    area: Rectangle,
    pattern: Pattern,
    /// A surface and its point that belongs to the top left of the unclipped rectangle, given as the distance from
    /// destination to source coordinates.
    source: Option<(Surface, i32, i32)>,
}

/// Executes a blitter command.
pub(super) fn execute(
    setup: &mut Setup,
    command: &[u32],
    bus: &mut BatchBus,
    stop: &Stop,
) -> Result<Blit, Fault> {
    let command = Command(command);
    let header = command.get(0)?;
    let job = match header >> 22 & 0x7f {
        opcode::SETUP => {
            for (i, dword) in setup.0.iter_mut().enumerate() {
                *dword = command.get(i)?;
            }
            return Ok(Blit::Done);
        }
        opcode::SETUP_CLIP => {
            for (i, dword) in setup.0.iter_mut().skip(CLIP).take(2).enumerate() {
                *dword = command.get(1 + i)?;
            }
            return Ok(Blit::Done);
        }
        opcode::FAST_COPY => return fast_copy(&command, bus, stop),
        opcode::PIXEL => {
            let (x, y) = point(command.get(1)?);
            let area = Rectangle { left: x, top: y, right: x + 1, bottom: y + 1 };
            // Depth, raster operation, destination and colors are the setup's; tiling and mask are this command's own.
            let before = Command(&setup.0);
            let header = header & 0x0fff_ffff | before.get(0)? & 0x0030_0000;
            let color = before.get(7)?;
            job(
                header,
                before.get(1)?,
                before.address(4)?,
                area,
                setup,
                bus,
                Pattern::Solid(color),
            )?
        }
        operation @ (opcode::COLOR
        | opcode::PATTERN
        | opcode::MONO_PATTERN
        | opcode::SOURCE_COPY
        | opcode::FULL) => {
            let control = command.get(1)?;
            let area = Rectangle::new(command.get(2)?, command.get(3)?);
            let seed = (header >> 12 & 7, header >> 8 & 7);
            let bytes = depth(control >> 24 & 3);
            let pattern = match operation {
                opcode::PATTERN => pattern(bus, command.address(6)?, bytes, seed)?,
                opcode::FULL => pattern(bus, command.address(10)?, bytes, seed)?,
                opcode::MONO_PATTERN => mono_pattern(&command, control, bytes, seed)?,
                opcode::COLOR => Pattern::Solid(command.get(6)?),
                _ => Pattern::Solid(0),
            };
            let to = command.address(4)?;
            let mut job = job(header, control, to, area, setup, bus, pattern)?;
            if matches!(operation, opcode::SOURCE_COPY | opcode::FULL) {
                let tiling = tiling(header >> 15 & 1 != 0, 0, bus);
                let pitch = command.get(7)?;
                let source = Surface::new(command.address(8)?, pitch, tiling, bytes)?;
                let (x, y) = point(command.get(6)?);
                job.source = Some((source, x - area.left, y - area.top));
            }
            job
        }
        _ => return Ok(Blit::Unknown),
    };
    blit(&job, bus, stop)
}

/// Bytes of a pixel: 8 bits, 16 (5-6-5 or 1-5-5-5), 32.
fn depth(code: u32) -> u32 {
    match code {
        0 => 1,
        1 | 2 => 2,
        _ => 4,
    }
}

/// The tiling of a surface that is marked as tiled or not; `bit` of BCS_SWCTRL makes it Y.
fn tiling(tiled: bool, bit: u32, bus: &BatchBus) -> Tiling {
    let control = bus.registers.stored(RegisterOffset(BCS_SWCTRL));
    match (tiled, control >> bit & 1 != 0) {
        (false, _) => Tiling::Linear,
        (true, false) => Tiling::X,
        (true, true) => Tiling::Y,
    }
}

/// A blit without a source, clipped.
fn job(
    header: u32,
    control: u32,
    to: u64,
    area: Rectangle,
    setup: &Setup,
    bus: &BatchBus,
    pattern: Pattern,
) -> Result<Job, Fault> {
    let bytes = depth(control >> 24 & 3);
    let tiling = tiling(header >> 11 & 1 != 0, 1, bus);
    let destination = Surface::new(to, control, tiling, bytes)?;
    let mut area = area;
    if control >> 30 & 1 != 0 {
        let before = Command(&setup.0);
        area = area.intersection(Rectangle::new(before.get(CLIP)?, before.get(CLIP + 1)?));
    }
    // Nothing lies left of a surface or above it.
    area.left = area.left.max(0);
    area.top = area.top.max(0);
    // Bits 21 and 20 let alpha and color through, in pixels of 32 bits.
    let mask = match (bytes, header >> 20 & 3) {
        (4, 0) => Some([0, 0, 0, 0]),
        (4, 1) => Some([0xff, 0xff, 0xff, 0]),
        (4, 2) => Some([0, 0, 0, 0xff]),
        _ => None,
    };
    let raster = Raster::new((control >> 16) as u8, mask);
    Ok(Job { raster, destination, area, pattern, source: None })
}

fn pattern(bus: &mut BatchBus, at: u64, bytes: u32, seed: (u32, u32)) -> Result<Pattern, Fault> {
    let mut pixels = vec![0; 64 * bytes as usize];
    bus.memory.read(PpgttAddress(at & !63), &mut pixels)?;
    Ok(Pattern::Tile { pixels, seed })
}

fn mono_pattern(
    command: &Command<'_>,
    control: u32,
    bytes: u32,
    seed: (u32, u32),
) -> Result<Pattern, Fault> {
    let (background, foreground) = (command.get(6)?, command.get(7)?);
    let bits = u64::from(command.get(9)?) << 32 | u64::from(command.get(8)?);
    let rows = bits.to_le_bytes();
    let mut pixels = Vec::with_capacity(64 * bytes as usize);
    for bit in rows.iter().flat_map(|row| (0..8).map(move |x| row << x & 0x80 != 0)) {
        let color = if bit { foreground } else { background };
        pixels.extend_from_slice(color.to_le_bytes().get(..bytes as usize).unwrap_or_default());
    }
    let transparent = control >> 28 & 1 != 0;
    Ok(if transparent {
        Pattern::Mask { pixels, opaque: rows, seed }
    } else {
        Pattern::Tile { pixels, seed }
    })
}

fn blit(job: &Job, bus: &mut BatchBus, stop: &Stop) -> Result<Blit, Fault> {
    let area = job.area;
    if area.is_empty() {
        return Ok(Blit::Done);
    }
    let bytes = job.destination.bytes_per_pixel();
    let left = area.left.unsigned_abs() * bytes;
    let width = (area.right.abs_diff(area.left) * bytes) as usize;
    let mut pattern = vec![0; width];
    let mut source = vec![0; width];
    let mut old = vec![0; width];
    let mut opaque = Vec::new();
    if let Pattern::Solid(color) = job.pattern {
        let color = color.to_le_bytes();
        for pixel in pattern.chunks_mut(bytes as usize) {
            pixel.iter_mut().zip(color).for_each(|(to, from)| *to = from);
        }
    }
    let upwards = job.source.as_ref().is_some_and(|(source, _, dy)| {
        // Rows that are read later must not have been written before.
        *dy < 0 && *source == job.destination
    });
    for i in 0..area.bottom.abs_diff(area.top) {
        if stop.killed() {
            return Ok(Blit::Killed);
        }
        let y = if upwards { area.bottom - 1 - i as i32 } else { area.top + i as i32 };
        if let Some((surface, dx, dy)) = &job.source {
            let (x, y) = (area.left.saturating_add(*dx), y.saturating_add(*dy));
            surface.read(&mut bus.memory, i64::from(x) * i64::from(bytes), y, &mut source)?;
        }
        match &job.pattern {
            Pattern::Solid(_) => {}
            Pattern::Tile { pixels, seed } => {
                tile_row(pixels, *seed, (area.left, y), bytes as usize, &mut pattern);
            }
            Pattern::Mask { pixels, opaque: bits, seed } => {
                tile_row(pixels, *seed, (area.left, y), bytes as usize, &mut pattern);
                opaque.clear();
                let row = bits.get(tile_index(y, seed.1)).copied().unwrap_or_default();
                opaque.extend(
                    (area.left..area.right).map(|x| row << tile_index(x, seed.0) & 0x80 != 0),
                );
            }
        }
        if job.raster.reads_destination() || !opaque.is_empty() {
            job.destination.read(&mut bus.memory, i64::from(left), y, &mut old)?;
        }
        let row = job.raster.combine(&pattern, &mut source, &mut old, &opaque, bytes as usize);
        job.destination.write(&mut bus.memory, i64::from(left), y, row)?;
    }
    Ok(Blit::Done)
}

fn tile_index(coordinate: i32, seed: u32) -> usize {
    (coordinate.cast_unsigned().wrapping_add(seed) & 7) as usize
}

/// A row of a repeated 8 by 8 pattern, aligned to the destination's coordinates.
fn tile_row(pixels: &[u8], seed: (u32, u32), at: (i32, i32), bytes: usize, to: &mut [u8]) {
    let row = tile_index(at.1, seed.1) * 8;
    for (x, pixel) in (at.0..).zip(to.chunks_mut(bytes)) {
        let from = (row + tile_index(x, seed.0)) * bytes;
        let color = pixels.get(from..).unwrap_or_default();
        pixel.iter_mut().zip(color).for_each(|(to, from)| *to = *from);
    }
}

/// XY_FAST_COPY_BLT: no raster operation, no clipping, but Yf tiling and pixels of up to 16 bytes.
fn fast_copy(command: &Command<'_>, bus: &mut BatchBus, stop: &Stop) -> Result<Blit, Fault> {
    let (header, control) = (command.get(0)?, command.get(1)?);
    let bytes = match control >> 24 & 7 {
        0 => 1,
        1 => 2,
        3 => 4,
        4 => 8,
        5 => 16,
        other => {
            return Err(Fault::new(
                "blitter/depth",
                format!("no color depth {other} in a fast copy"),
            ));
        }
    };
    let tiling = |code: u32, yf: bool| match (code & 3, yf) {
        (0, _) => Ok(Tiling::Linear),
        (1, _) => Ok(Tiling::X),
        (2, false) => Ok(Tiling::Y),
        (2, true) => Ok(Tiling::Yf),
        _ => Err(Fault::new("blitter/tiling", "tiles of 64 KiB are not known here")),
    };
    let from_tiling = tiling(header >> 20, control >> 31 & 1 != 0)?;
    let to_tiling = tiling(header >> 13, control >> 30 & 1 != 0)?;
    let destination = Surface::new(command.address(4)?, control, to_tiling, bytes)?;
    let source = Surface::new(command.address(8)?, command.get(7)?, from_tiling, bytes)?;
    let mut area = Rectangle::new(command.get(2)?, command.get(3)?);
    let (x, y) = point(command.get(6)?);
    let source = Some((source, x - area.left, y - area.top));
    area.left = area.left.max(0);
    area.top = area.top.max(0);
    let raster = Raster::new(raster::SOURCE_COPY, None);
    blit(&Job { raster, destination, area, pattern: Pattern::Solid(0), source }, bus, stop)
}

#[cfg(test)]
mod tests;
