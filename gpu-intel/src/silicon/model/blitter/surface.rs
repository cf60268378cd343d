//! Rows of a surface in a context's memory.

use display::{Layout, Tiling};

use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;
use crate::silicon::model::memory::Memory;

/// A surface as a blit names it. It has a start and a pitch, but no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surface {
    base: u64,
    bytes_per_pixel: u32,
    rows: Rows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// The pitch in bytes may be negative.
    Linear(i64),
    Tiled(Layout),
}

impl Surface {
    /// `pitch` is in the low 16 bits: signed bytes, or unsigned dwords of a tiled surface.
    pub(super) fn new(
        base: u64,
        pitch: u32,
        tiling: Tiling,
        bytes_per_pixel: u32,
    ) -> Result<Self, Fault> {
        let rows = if tiling == Tiling::Linear {
            Rows::Linear(i64::from(pitch as u16 as i16))
        } else {
            let pitch = (pitch & 0xffff) * 4;
            let layout = Layout::new(tiling, bytes_per_pixel, pitch).ok_or_else(|| {
                let detail = format!("a pitch of {pitch} bytes is not a row of {tiling:?} tiles");
                Fault::new("blitter/pitch", detail)
            })?;
            Rows::Tiled(layout)
        };
        Ok(Self { base, bytes_per_pixel, rows })
    }

    pub(super) fn bytes_per_pixel(&self) -> u32 {
        self.bytes_per_pixel
    }

    /// Reads from byte `x` of row `y`.
    pub(super) fn read(
        &self,
        memory: &mut Memory,
        x: i64,
        y: i32,
        to: &mut [u8],
    ) -> Result<(), Fault> {
        self.runs(x, y, to.len(), |at, from, bytes| {
            memory.read(PpgttAddress(at), to.get_mut(from..from + bytes).unwrap_or_default())
        })
    }

    /// Writes from byte `x` of row `y` on.
    pub(super) fn write(
        &self,
        memory: &mut Memory,
        x: i64,
        y: i32,
        from: &[u8],
    ) -> Result<(), Fault> {
        self.runs(x, y, from.len(), |at, start, bytes| {
            memory.write(PpgttAddress(at), from.get(start..start + bytes).unwrap_or_default())
        })
    }

    /// Calls `each` with the address of every contiguous piece of a row, its start in the row, and its length.
    fn runs(
        &self,
        x: i64,
        y: i32,
        bytes: usize,
        mut each: impl FnMut(u64, usize, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self.rows {
            Rows::Linear(pitch) => {
                let offset = i64::from(y).wrapping_mul(pitch).wrapping_add(x);
                each(self.base.wrapping_add_signed(offset), 0, bytes)
            }
            Rows::Tiled(layout) => {
                let outside = || {
                    Fault::new("blitter/coordinates", "a row before the start of a tiled surface")
                };
                let y = u32::try_from(y).map_err(|_| outside())?;
                let x = u32::try_from(x).map_err(|_| outside())?;
                let row = layout.row(y);
                let run = layout.run().unwrap_or(u32::MAX);
                let mut done = 0;
                while done < bytes {
                    let here = x.saturating_add(done as u32);
                    let piece = ((run - here % run) as usize).min(bytes - done);
                    let at = self.base.wrapping_add(row).wrapping_add(layout.column(here));
                    each(at, done, piece)?;
                    done += piece;
                }
                Ok(())
            }
        }
    }
}
