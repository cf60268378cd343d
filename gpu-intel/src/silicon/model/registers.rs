//! Registers that an unprivileged batch may touch, each context with its own set.
//!
//! Hardware knows which registers are privileged and drops the writes of unprivileged batches to them; so does this
//! white list with everything that it does not name. Reads of those give 0.

use crate::address::RegisterOffset;
use crate::engine::Engine;

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

/// The white list. Sources: SKL PRM vol 2c for the registers; i915's white lists, the captured batches of user-mode
/// drivers and IGT's gem_ctx_isolation for which of them are needed.
const RANGES: &[Range] = &[
    every(0x0c0, 1, Access::Masked),   // INSTPM
    every(0x158, 1, Access::Plain),    // BB_OFFSET
    render(0x2290, 2, Access::Plain),  // CS_INVOCATION_COUNT
    render(0x22c8, 2, Access::Plain),  // PS_INVOCATION_COUNT_0
    render(0x22d8, 2, Access::Plain),  // PS_DEPTH_COUNT_0
    render(0x22f0, 4, Access::Plain),  // PS_INVOCATION_COUNT_1, PS_DEPTH_COUNT_1
    render(0x2300, 22, Access::Plain), // HS_INVOCATION_COUNT .. PS_DEPTH_COUNT
    render(0x2360, 2, Access::Plain),  // OA_CTX_CONTROL, OACTXID: the model has no OA unit
    every(0x3bc, 1, Access::Plain),    // MI_PREDICATE_RESULT_2
    every(0x400, 8, Access::Plain),    // MI_PREDICATE_SRC0, SRC1, DATA, RESULT, RESULT_1
    render(0x2420, 1, Access::Plain),  // 3DPRIM_END_OFFSET
    render(0x2430, 5, Access::Plain),  // 3DPRIM_START_VERTEX .. BASE_VERTEX
    render(0x2448, 4, Access::Plain),  // PS_INVOCATION_COUNT_2, PS_DEPTH_COUNT_2
    render(0x2500, 3, Access::Plain),  // GPGPU_DISPATCHDIM
    render(0x2580, 1, Access::Masked), // CS_CHICKEN1
    every(GPR, 32, Access::Plain),     // CS_GPR
    render(0x20d8, 1, Access::Masked), // CS_DEBUG_MODE2
    render(0x20e4, 1, Access::Masked), // FF_SLICE_CS_CHICKEN2
    render(0x5200, 8, Access::Plain),  // SO_NUM_PRIMS_WRITTEN
    render(0x5240, 8, Access::Plain),  // SO_PRIM_STORAGE_NEEDED
    render(0x5280, 4, Access::Plain),  // SO_WRITE_OFFSET
    render(0x7000, 3, Access::Masked), // CACHE_MODE_0, CACHE_MODE_1, GT_MODE
    render(0x7010, 2, Access::Masked), // COMMON_SLICE_CHICKEN1, 2
    render(0x7034, 1, Access::Plain),  // L3CNTLREG
    render(0x7300, 2, Access::Masked), // HDC_CHICKEN0, 1
    render(0x731c, 1, Access::Masked), // SLICE_COMMON_ECO_CHICKEN1
    render(0xb118, 1, Access::Plain),  // L3SQCREG4
    render(0xe100, 1, Access::Masked), // HALF_SLICE_CHICKEN1
    render(0xe18c, 1, Access::Masked), // HALF_SLICE_CHICKEN3
    render(0xe400, 2, Access::Plain),  // TD_CTL, TD_CTL2: the model has no debugger
    render(0xe48c, 1, Access::Masked), // OA chicken as i915 whitelists it
    Range { from: From::Only(Engine::Copy, BCS_SWCTRL), dwords: 1, access: Access::Masked },
];

/// The general-purpose registers, from the engine's base.
pub const GPR: u32 = 0x600;

/// Tilings of the blitter: bit 0 says that tiled sources are Y-tiled, bit 1 the same of destinations.
pub const BCS_SWCTRL: u32 = 0x2_2200;

/// The time stamp, two dwords, from the engine's base. Read-only, and no state of a context.
const TIMESTAMP: u32 = 0x358;

/// One context's registers.
#[derive(Clone, Debug)]
pub struct Registers {
    engine: Engine,
    values: Vec<(RegisterOffset, Access, u32)>,
}

/// What a register's offset leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Its value.
    Value(u32),
    /// The low (0) or high (1) half of the time stamp.
    Timestamp(u32),
    /// It is not on the white list.
    NotAllowed,
}

impl Registers {
    /// All zero.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        let mut values = Vec::new();
        for range in RANGES {
            let first = match range.from {
                From::Every(offset) => engine.register(offset),
                From::Only(only, offset) if only == engine => RegisterOffset(offset),
                From::Only(..) => continue,
            };
            values.extend((0..range.dwords).map(|i| (first.plus(4 * i), range.access, 0)));
        }
        values.sort_by_key(|(at, ..)| *at);
        Self { engine, values }
    }

    fn find(&self, at: RegisterOffset) -> Option<usize> {
        self.values.binary_search_by_key(&at, |(at, ..)| *at).ok()
    }

    /// Reads by an unprivileged batch.
    #[must_use]
    pub fn read(&self, at: RegisterOffset) -> Read {
        if let Some((.., value)) = self.find(at).and_then(|i| self.values.get(i)) {
            return Read::Value(*value);
        }
        match at.0.checked_sub(self.engine.register(TIMESTAMP).0) {
            Some(0) => Read::Timestamp(0),
            Some(4) => Read::Timestamp(1),
            _ => Read::NotAllowed,
        }
    }

    /// Writes by an unprivileged batch. `false`: it is not on the white list.
    pub fn write(&mut self, at: RegisterOffset, value: u32) -> bool {
        let Some((_, access, old)) = self.find(at).and_then(|i| self.values.get_mut(i)) else {
            return false;
        };
        match access {
            Access::Plain => *old = value,
            Access::Masked => {
                let mask = value >> 16;
                *old = *old & !mask | value & mask;
            }
            Access::ReadOnly => {}
        }
        true
    }

    /// The value as it is stored; 0 for a register that is not here.
    #[must_use]
    pub fn stored(&self, at: RegisterOffset) -> u32 {
        self.find(at).and_then(|i| self.values.get(i)).map_or(0, |(.., value)| *value)
    }

    /// Puts back a stored value. A register that is not here is passed over.
    pub fn restore(&mut self, at: RegisterOffset, value: u32) {
        if let Some((_, access, old)) = self.find(at).and_then(|i| self.values.get_mut(i)) {
            *old = if *access == Access::Masked { value & 0xffff } else { value };
        }
    }

    /// All registers and what they hold.
    pub fn all(&self) -> impl Iterator<Item = (RegisterOffset, u32)> {
        self.values.iter().map(|(at, _, value)| (*at, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_overlap() {
        for engine in Engine::ALL {
            let registers = Registers::new(engine);
            assert!(registers.values.windows(2).all(|w| w[0].0 < w[1].0), "{engine:?}");
        }
    }

    #[test]
    fn only_the_white_list_is_written() {
        let mut registers = Registers::new(Engine::Copy);
        assert!(registers.write(RegisterOffset(0x2_2600), 5));
        assert_eq!(registers.read(RegisterOffset(0x2_2600)), Read::Value(5));
        assert!(!registers.write(RegisterOffset(0x2600), 5), "another engine's");
        assert!(!registers.write(RegisterOffset(0x2_2080), 5), "HWS_PGA");
        assert_eq!(registers.read(RegisterOffset(0x2_2080)), Read::NotAllowed);
        assert_eq!(registers.read(RegisterOffset(0x2_2358)), Read::Timestamp(0));
        assert_eq!(registers.read(RegisterOffset(0x2_235c)), Read::Timestamp(1));
    }

    /// Each slice counts on its own, and a context's counts are its own: IGT's gem_ctx_isolation asks for them.
    #[test]
    fn a_context_has_the_counters_of_all_slices() {
        let mut registers = Registers::new(Engine::Render);
        for at in [0x22c8, 0x22dc, 0x22f0, 0x22fc, 0x2448, 0x2454].map(RegisterOffset) {
            assert!(registers.write(at, at.0), "{at:?}");
            assert_eq!(registers.read(at), Read::Value(at.0));
        }
    }

    #[test]
    fn masked_registers_keep_what_the_mask_leaves_out() {
        let mut registers = Registers::new(Engine::Copy);
        let at = RegisterOffset(BCS_SWCTRL);
        registers.write(at, 0x0003_0003);
        registers.write(at, 0x0001_0000);
        assert_eq!(registers.read(at), Read::Value(2));
    }
}
