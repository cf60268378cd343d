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

use super::Engines;
use super::grammar::{Command, Length};
use crate::engine::Engine;

const TABLES: [&[Command]; 10] = [
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
];

const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

/// All commands in one row.
static COMMANDS: [&Command; COUNT] = {
    let mut commands = [&TABLES[0][0]; COUNT];
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            commands[count] = &TABLES[table][row];
            (count, row) = (count + 1, row + 1);
        }
        table += 1;
    }
    commands
};

/// What a first dword with certain upper 16 bits starts: 0, or a command's number from 1, and with it the bits that
/// count its dwords. The length is in here so that the walk from command to command waits for one table only.
#[derive(Clone, Copy)]
struct Start {
    number: u16,
    count: u16,
}

/// Every upper half of a first dword; those from 0x8000 on start nothing.
type Starts = [Start; 0x8000];

const fn starts(engine: Engines) -> Starts {
    let mut starts = [Start { number: 0, count: 0 }; 0x8000];
    let mut number = 0;
    while number < COUNT {
        let command = COMMANDS[number];
        number += 1;
        if command.engines.bits() & engine.bits() == 0 {
            continue;
        }
        assert!(command.mask & 0xffff == 0, "the upper half tells the command");
        // All that agree with the key: the key with each value of the bits that don't tell the command.
        let free = !command.mask >> 16;
        let mut rest = 0;
        loop {
            let start = &mut starts[(command.key >> 16 | rest) as usize];
            assert!(start.number == 0, "two commands have one key");
            *start = Start { number: number as u16, count: command.length.counting_bits() };
            // The next value with no bit outside of `free`; 0 behind the last.
            rest = rest.wrapping_sub(free) & free;
            if rest == 0 {
                break;
            }
        }
    }
    starts
}

static RENDER: Starts = starts(Engines::RENDER);
static COPY: Starts = starts(Engines::COPY);
static VIDEO: Starts = starts(Engines::VIDEO);
static VIDEO_ENHANCE: Starts = starts(Engines::VIDEO_ENHANCE);

/// The command of `engine` that `dword0` starts, and how many dwords it has.
#[inline]
pub(super) fn find(dword0: u32, engine: Engine) -> Option<(&'static Command, usize)> {
    let starts = match engine {
        Engine::Render => &RENDER,
        Engine::Copy => &COPY,
        Engine::Video => &VIDEO,
        Engine::VideoEnhance => &VIDEO_ENHANCE,
    };
    let start = starts.get((dword0 >> 16) as usize)?;
    let command = *COMMANDS.get(usize::from(start.number).checked_sub(1)?)?;
    Some((command, Length::count(dword0, start.count)))
}

/// All commands.
pub(super) fn all() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().copied()
}
