//! Every command of Gen9's engines, and how to find one by its first dword.

mod blitter;
mod hcp;
mod huc;
mod media;
mod mfx;
mod mi;
mod render;
mod sfc;
mod structures;
mod vdenc;
mod vebox;

use super::grammar::{Command, Type};
use super::{BLITTER, MI, STATE, TYPE_SHIFT, grammar};
use crate::engine::Engine;

/// Tables whose keys have one form, and where in them each opcode is.
struct Index<const N: usize> {
    tables: &'static [&'static [Command]],
    shift: u32,
    /// By opcode: 0, or the table and the row, as (table << 8 | row) + 1.
    rows: [u16; N],
}

impl<const N: usize> Index<N> {
    const fn new(kind: &Type, tables: &'static [&'static [Command]]) -> Self {
        let shift = kind.mask.trailing_zeros();
        let mut rows = [0; N];
        let mut table = 0;
        while table < tables.len() {
            let mut row = 0;
            assert!(tables[table].len() < 256);
            while row < tables[table].len() {
                let slot = (tables[table][row].key >> shift) as usize & (N - 1);
                assert!(rows[slot] == 0, "two commands have one key");
                rows[slot] = (table << 8 | row) as u16 + 1;
                row += 1;
            }
            table += 1;
        }
        Self { tables, shift, rows }
    }

    #[inline]
    fn find(&self, dword0: u32) -> Option<&'static Command> {
        let row = *self.rows.get((dword0 >> self.shift) as usize & (N - 1))?;
        let row = usize::from(row.checked_sub(1)?);
        self.tables.get(row >> 8)?.get(row & 0xff)
    }
}

static MI_INDEX: Index<64> = Index::new(&grammar::MEMORY_INTERFACE, &[mi::MI]);
static BLITTER_INDEX: Index<128> = Index::new(&grammar::BLIT, &[blitter::BLITTER]);
static RENDER_INDEX: Index<8192> = Index::new(&grammar::PIPELINE, &[render::RENDER, media::MEDIA]);
static VIDEO_INDEX: Index<8192> =
    Index::new(&grammar::PIPELINE, &[mfx::MFX, hcp::HCP, huc::HUC, vdenc::VDENC, sfc::SFC]);
static VEBOX_INDEX: Index<8192> = Index::new(&grammar::PIPELINE, &[vebox::VEBOX]);

/// The command that `dword0` starts on `engine`, whether or not the engine executes it.
#[inline]
pub(super) fn find(dword0: u32, engine: Engine) -> Option<&'static Command> {
    match (dword0 >> TYPE_SHIFT, engine) {
        (MI, _) => MI_INDEX.find(dword0),
        (BLITTER, _) => BLITTER_INDEX.find(dword0),
        (STATE, Engine::Render) => RENDER_INDEX.find(dword0),
        (STATE, Engine::Video) => VIDEO_INDEX.find(dword0),
        (STATE, Engine::VideoEnhance) => VEBOX_INDEX.find(dword0),
        _ => None,
    }
}

/// All commands.
pub(super) fn all() -> impl Iterator<Item = &'static Command> {
    [
        mi::MI,
        blitter::BLITTER,
        render::RENDER,
        media::MEDIA,
        mfx::MFX,
        hcp::HCP,
        huc::HUC,
        vdenc::VDENC,
        sfc::SFC,
        vebox::VEBOX,
    ]
    .into_iter()
    .flatten()
}
