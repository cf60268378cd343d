//! Every command that Gen9 drivers use. Each table has one mask and is sorted by key.
//!
//! Sources: SKL PRM vol 2a (MI, blitter, VEBOX) and Mesa's genxml of Gen9 (MI, 3D, media, video).

use super::state_table;
use super::{BLITTER as BLITTER_TYPE, Command, Engines, Length, ONE, TYPE_SHIFT, counted};

const MI_MASK: u32 = 0xff80_0000;
const BLITTER_MASK: u32 = 0xffc0_0000;
const STATE_MASK: u32 = 0xffff_0000;

const ALL: Engines = Engines::all();
const RCS: Engines = Engines::RENDER;
const RCS_BCS: Engines = Engines::RENDER.union(Engines::COPY);
const NOT_RCS: Engines = Engines::RENDER.complement();

const fn mi(opcode: u32, name: &'static str, length: Length, engines: Engines) -> Command {
    Command { name, key: opcode << 23, mask: MI_MASK, length, engines }
}

const fn blit(opcode: u32, name: &'static str) -> Command {
    let key = BLITTER_TYPE << TYPE_SHIFT | opcode << 22;
    Command { name, key, mask: BLITTER_MASK, length: counted(8), engines: Engines::COPY }
}

const fn states<const N: usize>(
    rows: &[(u16, &'static str, Length)],
    engines: Engines,
) -> [Command; N] {
    let mut table = [mi(0, "", ONE, engines); N];
    let mut i = 0;
    while i < N {
        let (key, name, length) = rows[i];
        table[i] = Command { name, key: (key as u32) << 16, mask: STATE_MASK, length, engines };
        i += 1;
    }
    table
}

pub(super) static RENDER: [Command; state_table::RENDER.len()] =
    states(state_table::RENDER, Engines::RENDER);
pub(super) static VIDEO: [Command; state_table::VIDEO.len()] =
    states(state_table::VIDEO, Engines::VIDEO);
pub(super) static VIDEO_ENHANCE: [Command; state_table::VIDEO_ENHANCE.len()] =
    states(state_table::VIDEO_ENHANCE, Engines::VIDEO_ENHANCE);

/// Opcodes of MI commands, bits 28:23.
pub(crate) mod opcode {
    pub(crate) const NOOP: u32 = 0x00;
    pub(crate) const SET_PREDICATE: u32 = 0x01;
    pub(crate) const USER_INTERRUPT: u32 = 0x02;
    pub(crate) const WAIT_FOR_EVENT: u32 = 0x03;
    pub(crate) const FLUSH: u32 = 0x04;
    pub(crate) const ARB_CHECK: u32 = 0x05;
    pub(crate) const RS_CONTROL: u32 = 0x06;
    pub(crate) const REPORT_HEAD: u32 = 0x07;
    pub(crate) const ARB_ON_OFF: u32 = 0x08;
    pub(crate) const URB_ATOMIC_ALLOC: u32 = 0x09;
    pub(crate) const BATCH_BUFFER_END: u32 = 0x0a;
    pub(crate) const SUSPEND_FLUSH: u32 = 0x0b;
    pub(crate) const PREDICATE: u32 = 0x0c;
    pub(crate) const TOPOLOGY_FILTER: u32 = 0x0d;
    pub(crate) const SET_APPID: u32 = 0x0e;
    pub(crate) const RS_CONTEXT: u32 = 0x0f;
    pub(crate) const LOAD_SCAN_LINES_INCL: u32 = 0x12;
    pub(crate) const LOAD_SCAN_LINES_EXCL: u32 = 0x13;
    pub(crate) const DISPLAY_FLIP: u32 = 0x14;
    pub(crate) const SEMAPHORE_MBOX: u32 = 0x16;
    pub(crate) const SET_CONTEXT: u32 = 0x18;
    pub(crate) const URB_CLEAR: u32 = 0x19;
    pub(crate) const MATH: u32 = 0x1a;
    pub(crate) const SEMAPHORE_SIGNAL: u32 = 0x1b;
    pub(crate) const SEMAPHORE_WAIT: u32 = 0x1c;
    pub(crate) const FORCE_WAKEUP: u32 = 0x1d;
    pub(crate) const STORE_DATA_IMM: u32 = 0x20;
    pub(crate) const STORE_DATA_INDEX: u32 = 0x21;
    pub(crate) const LOAD_REGISTER_IMM: u32 = 0x22;
    pub(crate) const UPDATE_GTT: u32 = 0x23;
    pub(crate) const STORE_REGISTER_MEM: u32 = 0x24;
    pub(crate) const FLUSH_DW: u32 = 0x26;
    pub(crate) const CLFLUSH: u32 = 0x27;
    pub(crate) const REPORT_PERF_COUNT: u32 = 0x28;
    pub(crate) const LOAD_REGISTER_MEM: u32 = 0x29;
    pub(crate) const LOAD_REGISTER_REG: u32 = 0x2a;
    pub(crate) const RS_STORE_DATA_IMM: u32 = 0x2b;
    pub(crate) const LOAD_URB_MEM: u32 = 0x2c;
    pub(crate) const STORE_URB_MEM: u32 = 0x2d;
    pub(crate) const COPY_MEM_MEM: u32 = 0x2e;
    pub(crate) const ATOMIC: u32 = 0x2f;
    pub(crate) const BATCH_BUFFER_START: u32 = 0x31;
    pub(crate) const CONDITIONAL_BATCH_BUFFER_END: u32 = 0x36;
}

pub(super) static MI: &[Command] = &[
    mi(opcode::NOOP, "MI_NOOP", ONE, ALL),
    mi(opcode::SET_PREDICATE, "MI_SET_PREDICATE", ONE, ALL),
    mi(opcode::USER_INTERRUPT, "MI_USER_INTERRUPT", ONE, ALL),
    mi(opcode::WAIT_FOR_EVENT, "MI_WAIT_FOR_EVENT", ONE, ALL),
    mi(opcode::FLUSH, "MI_FLUSH", ONE, ALL),
    mi(opcode::ARB_CHECK, "MI_ARB_CHECK", ONE, ALL),
    mi(opcode::RS_CONTROL, "MI_RS_CONTROL", ONE, RCS),
    mi(opcode::REPORT_HEAD, "MI_REPORT_HEAD", ONE, ALL),
    mi(opcode::ARB_ON_OFF, "MI_ARB_ON_OFF", ONE, ALL),
    mi(opcode::URB_ATOMIC_ALLOC, "MI_URB_ATOMIC_ALLOC", ONE, RCS),
    mi(opcode::BATCH_BUFFER_END, "MI_BATCH_BUFFER_END", ONE, ALL),
    mi(opcode::SUSPEND_FLUSH, "MI_SUSPEND_FLUSH", ONE, ALL),
    mi(opcode::PREDICATE, "MI_PREDICATE", ONE, RCS),
    mi(opcode::TOPOLOGY_FILTER, "MI_TOPOLOGY_FILTER", ONE, RCS),
    mi(opcode::SET_APPID, "MI_SET_APPID", ONE, ALL),
    mi(opcode::RS_CONTEXT, "MI_RS_CONTEXT", ONE, RCS),
    mi(opcode::LOAD_SCAN_LINES_INCL, "MI_LOAD_SCAN_LINES_INCL", counted(6), RCS_BCS),
    mi(opcode::LOAD_SCAN_LINES_EXCL, "MI_LOAD_SCAN_LINES_EXCL", counted(6), RCS_BCS),
    mi(opcode::DISPLAY_FLIP, "MI_DISPLAY_FLIP", counted(8), RCS_BCS),
    mi(opcode::SEMAPHORE_MBOX, "MI_SEMAPHORE_MBOX", counted(8), ALL),
    mi(opcode::SET_CONTEXT, "MI_SET_CONTEXT", counted(8), RCS),
    mi(opcode::URB_CLEAR, "MI_URB_CLEAR", counted(8), RCS),
    mi(opcode::MATH, "MI_MATH", counted(8), ALL),
    mi(opcode::SEMAPHORE_SIGNAL, "MI_SEMAPHORE_SIGNAL", counted(8), ALL),
    mi(opcode::SEMAPHORE_WAIT, "MI_SEMAPHORE_WAIT", counted(8), ALL),
    mi(opcode::FORCE_WAKEUP, "MI_FORCE_WAKEUP", counted(8), ALL),
    mi(opcode::STORE_DATA_IMM, "MI_STORE_DATA_IMM", counted(10), ALL),
    mi(opcode::STORE_DATA_INDEX, "MI_STORE_DATA_INDEX", counted(8), ALL),
    mi(opcode::LOAD_REGISTER_IMM, "MI_LOAD_REGISTER_IMM", counted(8), ALL),
    mi(opcode::UPDATE_GTT, "MI_UPDATE_GTT", counted(10), ALL),
    mi(opcode::STORE_REGISTER_MEM, "MI_STORE_REGISTER_MEM", counted(8), ALL),
    mi(opcode::FLUSH_DW, "MI_FLUSH_DW", counted(6), NOT_RCS),
    mi(opcode::CLFLUSH, "MI_CLFLUSH", counted(10), RCS),
    mi(opcode::REPORT_PERF_COUNT, "MI_REPORT_PERF_COUNT", counted(6), RCS),
    mi(opcode::LOAD_REGISTER_MEM, "MI_LOAD_REGISTER_MEM", counted(8), ALL),
    mi(opcode::LOAD_REGISTER_REG, "MI_LOAD_REGISTER_REG", counted(8), ALL),
    mi(opcode::RS_STORE_DATA_IMM, "MI_RS_STORE_DATA_IMM", counted(8), RCS),
    mi(opcode::LOAD_URB_MEM, "MI_LOAD_URB_MEM", counted(8), RCS),
    mi(opcode::STORE_URB_MEM, "MI_STORE_URB_MEM", counted(8), RCS),
    mi(opcode::COPY_MEM_MEM, "MI_COPY_MEM_MEM", counted(8), ALL),
    mi(opcode::ATOMIC, "MI_ATOMIC", counted(8), ALL),
    mi(opcode::BATCH_BUFFER_START, "MI_BATCH_BUFFER_START", counted(8), ALL),
    mi(opcode::CONDITIONAL_BATCH_BUFFER_END, "MI_CONDITIONAL_BATCH_BUFFER_END", counted(8), ALL),
];

pub(super) static BLITTER: &[Command] = &[
    blit(0x01, "XY_SETUP_BLT"),
    blit(0x03, "XY_SETUP_CLIP_BLT"),
    blit(0x11, "XY_SETUP_MONO_PATTERN_SL_BLT"),
    blit(0x24, "XY_PIXEL_BLT"),
    blit(0x25, "XY_SCANLINES_BLT"),
    blit(0x26, "XY_TEXT_BLT"),
    blit(0x31, "XY_TEXT_IMMEDIATE_BLT"),
    blit(0x40, "COLOR_BLT"),
    blit(0x42, "XY_FAST_COPY_BLT"),
    blit(0x43, "SRC_COPY_BLT"),
    blit(0x50, "XY_COLOR_BLT"),
    blit(0x51, "XY_PAT_BLT"),
    blit(0x52, "XY_MONO_PAT_BLT"),
    blit(0x53, "XY_SRC_COPY_BLT"),
    blit(0x54, "XY_MONO_SRC_COPY_BLT"),
    blit(0x55, "XY_FULL_BLT"),
    blit(0x56, "XY_FULL_MONO_SRC_BLT"),
    blit(0x57, "XY_FULL_MONO_PATTERN_BLT"),
    blit(0x58, "XY_FULL_MONO_PATTERN_MONO_SRC_BLT"),
    blit(0x59, "XY_MONO_PAT_FIXED_BLT"),
    blit(0x71, "XY_MONO_SRC_COPY_IMMEDIATE_BLT"),
    blit(0x72, "XY_PAT_BLT_IMMEDIATE"),
    blit(0x73, "XY_SRC_COPY_CHROMA_BLT"),
    blit(0x74, "XY_FULL_IMMEDIATE_PATTERN_BLT"),
    blit(0x75, "XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT"),
    blit(0x76, "XY_PAT_CHROMA_BLT"),
    blit(0x77, "XY_PAT_CHROMA_BLT_IMMEDIATE"),
];
