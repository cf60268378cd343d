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

use super::grammar::{BLIT, Command, MEMORY_INTERFACE, PIPELINE, Type};
use super::{BLITTER, Engines, MI, STATE, TYPE_SHIFT};
use crate::engine::Engine;

/// A command for each opcode of a kind, where there is one.
type Row = Option<&'static Command>;

/// Where the opcode of a kind is, and the command of each.
#[derive(Clone, Copy)]
struct Index {
    shift: u32,
    /// As many as the opcode has values.
    rows: &'static [Row],
}

impl Index {
    /// Of a type that the engine doesn't know.
    const EMPTY: Self = Self { shift: 0, rows: &[] };

    const fn new(kind: &Type, rows: &'static [Row]) -> Self {
        assert!(rows.len().is_power_of_two());
        Self { shift: kind.mask.trailing_zeros(), rows }
    }

    #[inline]
    fn find(&self, dword0: u32) -> Row {
        *self.rows.get((dword0 >> self.shift) as usize & self.rows.len().wrapping_sub(1))?
    }
}

/// The commands of `tables`, whose keys have one form, that `engine` executes.
const fn rows<const N: usize>(
    kind: &Type,
    engine: Engines,
    tables: &[&'static [Command]],
) -> [Row; N] {
    let mut rows: [Row; N] = [None; N];
    let mut table = 0;
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            let command = &tables[table][row];
            if command.engines.bits() & engine.bits() != 0 {
                let opcode = (command.key >> kind.mask.trailing_zeros()) as usize & (N - 1);
                assert!(rows[opcode].is_none(), "two commands have one key");
                rows[opcode] = Some(command);
            }
            row += 1;
        }
        table += 1;
    }
    rows
}

const fn mi(engine: Engines) -> [Row; 64] {
    rows(&MEMORY_INTERFACE, engine, &[mi::MI])
}

static RENDER_MI: [Row; 64] = mi(Engines::RENDER);
static COPY_MI: [Row; 64] = mi(Engines::COPY);
static VIDEO_MI: [Row; 64] = mi(Engines::VIDEO);
static VEBOX_MI: [Row; 64] = mi(Engines::VIDEO_ENHANCE);
static COPY_BLITS: [Row; 128] = rows(&BLIT, Engines::COPY, &[blitter::BLITTER]);
static RENDER_STATE: [Row; 8192] =
    rows(&PIPELINE, Engines::RENDER, &[render::RENDER, media::MEDIA]);
static VIDEO_STATE: [Row; 8192] =
    rows(&PIPELINE, Engines::VIDEO, &[mfx::MFX, hcp::HCP, huc::HUC, vdenc::VDENC, sfc::SFC]);
static VEBOX_STATE: [Row; 8192] = rows(&PIPELINE, Engines::VIDEO_ENHANCE, &[vebox::VEBOX]);

/// An engine's commands, by the type in the uppermost bits of their first dword.
type Types = [Index; 8];

const fn types(mi: &'static [Row], blits: &'static [Row], state: &'static [Row]) -> Types {
    let mut types = [Index::EMPTY; 8];
    types[MI as usize] = Index::new(&MEMORY_INTERFACE, mi);
    if !blits.is_empty() {
        types[BLITTER as usize] = Index::new(&BLIT, blits);
    }
    if !state.is_empty() {
        types[STATE as usize] = Index::new(&PIPELINE, state);
    }
    types
}

static RENDER: Types = types(&RENDER_MI, &[], &RENDER_STATE);
static COPY: Types = types(&COPY_MI, &COPY_BLITS, &[]);
static VIDEO: Types = types(&VIDEO_MI, &[], &VIDEO_STATE);
static VEBOX: Types = types(&VEBOX_MI, &[], &VEBOX_STATE);

/// The command of `engine` that `dword0` starts.
#[inline]
pub(super) fn find(dword0: u32, engine: Engine) -> Row {
    let types = match engine {
        Engine::Render => &RENDER,
        Engine::Copy => &COPY,
        Engine::Video => &VIDEO,
        Engine::VideoEnhance => &VEBOX,
    };
    types.get((dword0 >> TYPE_SHIFT) as usize)?.find(dword0)
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
