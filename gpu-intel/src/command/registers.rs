//! Registers that a batch of a user may touch; everything that is not named here is the kernel's.
//!
//! Hardware knows the same difference and drops what an unprivileged batch writes elsewhere. The audit refuses the
//! command, so that a guest learns of it.
//!
//! Sources: SKL PRM vol 2c for the registers, i915's white lists, the captured batches of user-mode drivers and
//! IGT's gem_ctx_isolation for which of them are needed.

use crate::address::RegisterOffset;
use crate::engine::Engine;

/// The general-purpose registers, from the engine's base.
pub const GPR: u32 = 0x600;

/// Tilings of the blitter: bit 0 says that tiled sources are Y-tiled, bit 1 the same of destinations.
pub const BCS_SWCTRL: u32 = 0x2_2200;

/// The time stamp, two dwords, from the engine's base. Read-only, and no state of a context.
pub(crate) const TIMESTAMP: u32 = 0x358;

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Stores the value.
    Plain,
    /// Bits 31:16 choose which of bits 15:0 are stored.
    Masked,
    /// Nothing.
    ReadOnly,
}

/// Where a range starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// On every engine, at this offset from its base.
    Every(u32),
    /// On this engine, at this offset from the start of all registers.
    Only(Engine, u32),
}

/// Some registers in a row.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: From,
    dwords: u32,
    access: Access,
}

const fn every(offset: u32, dwords: u32, access: Access) -> Range {
    Range { from: From::Every(offset), dwords, access }
}

const fn render(offset: u32, dwords: u32, access: Access) -> Range {
    Range { from: From::Only(Engine::Render, offset), dwords, access }
}

const fn copy(offset: u32, dwords: u32, access: Access) -> Range {
    Range { from: From::Only(Engine::Copy, offset), dwords, access }
}

/// The white list.
const RANGES: &[Range] = &[
    every(0x0c0, 1, Access::Masked), // INSTPM
    every(0x158, 1, Access::Plain),  // BB_OFFSET
    every(TIMESTAMP, 2, Access::ReadOnly),
    every(0x3a8, 1, Access::ReadOnly),   // CTX_TIMESTAMP
    render(0x91b8, 4, Access::ReadOnly), // PERFCNT1, PERFCNT2: queries of performance
    render(0xa01c, 1, Access::ReadOnly), // RPSTAT: the GPU's frequency, by queries of performance
    render(0x2290, 2, Access::Plain),    // CS_INVOCATION_COUNT
    render(0x22c8, 2, Access::Plain),    // PS_INVOCATION_COUNT_0
    render(0x22d8, 2, Access::Plain),    // PS_DEPTH_COUNT_0
    render(0x22f0, 4, Access::Plain),    // PS_INVOCATION_COUNT_1, PS_DEPTH_COUNT_1
    render(0x2300, 22, Access::Plain),   // HS_INVOCATION_COUNT .. PS_DEPTH_COUNT
    render(0x2360, 2, Access::Plain),    // OA_CTX_CONTROL, OACTXID: the model has no OA unit
    every(0x3bc, 1, Access::Plain),      // MI_PREDICATE_RESULT_2
    every(0x400, 8, Access::Plain),      // MI_PREDICATE_SRC0, SRC1, DATA, RESULT, RESULT_1
    render(0x2420, 1, Access::Plain),    // 3DPRIM_END_OFFSET
    render(0x2430, 5, Access::Plain),    // 3DPRIM_START_VERTEX .. BASE_VERTEX
    render(0x2448, 4, Access::Plain),    // PS_INVOCATION_COUNT_2, PS_DEPTH_COUNT_2
    render(0x2500, 3, Access::Plain),    // GPGPU_DISPATCHDIM
    render(0x2580, 1, Access::Masked),   // CS_CHICKEN1
    every(GPR, 32, Access::Plain),       // CS_GPR
    render(0x20d8, 1, Access::Masked),   // CS_DEBUG_MODE2
    render(0x20e4, 1, Access::Masked),   // FF_SLICE_CS_CHICKEN2
    render(0x5200, 8, Access::Plain),    // SO_NUM_PRIMS_WRITTEN
    render(0x5240, 8, Access::Plain),    // SO_PRIM_STORAGE_NEEDED
    render(0x5280, 4, Access::Plain),    // SO_WRITE_OFFSET
    render(0x7000, 3, Access::Masked),   // CACHE_MODE_0, CACHE_MODE_1, GT_MODE
    render(0x7010, 2, Access::Masked),   // COMMON_SLICE_CHICKEN1, 2
    render(0x7034, 1, Access::Plain),    // L3CNTLREG
    render(0x7300, 2, Access::Masked),   // HDC_CHICKEN0, 1
    render(0x731c, 1, Access::Masked),   // SLICE_COMMON_ECO_CHICKEN1
    render(0xb118, 1, Access::Plain),    // L3SQCREG4
    render(0xe100, 1, Access::Masked),   // HALF_SLICE_CHICKEN1
    render(0xe18c, 1, Access::Masked),   // HALF_SLICE_CHICKEN3
    render(0xe400, 2, Access::Plain),    // TD_CTL, TD_CTL2: the model has no debugger
    render(0xe48c, 1, Access::Masked),   // OA chicken as i915 whitelists it
    copy(BCS_SWCTRL, 1, Access::Masked),
    // The render and video engines' time stamps, too: i915 lets them pass where it checks the copy engine's batches.
    copy(0x2358, 2, Access::ReadOnly),
    copy(0x1_2358, 2, Access::ReadOnly),
];

/// What a batch on `engine` may do with the register at `at`; `None`: nothing.
#[must_use]
pub fn access(engine: Engine, at: RegisterOffset) -> Option<Access> {
    ranges(engine)
        .find(|(first, dwords, _)| {
            at.0.checked_sub(first.0).is_some_and(|bytes| bytes < 4 * dwords)
        })
        .map(|(.., access)| access)
}

/// The white list of one engine: first register, how many, what may be done.
pub fn ranges(engine: Engine) -> impl Iterator<Item = (RegisterOffset, u32, Access)> {
    RANGES.iter().filter_map(move |range| {
        let first = match range.from {
            From::Every(offset) => engine.register(offset),
            From::Only(only, offset) if only == engine => RegisterOffset(offset),
            From::Only(..) => return None,
        };
        Some((first, range.dwords, range.access))
    })
}
