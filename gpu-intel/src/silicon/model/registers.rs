//! The registers that a batch of a user may touch, each context with its own set.
//!
//! The audit lets commands touch no others. What comes here all the same (MI_NOOP may set a register that the model
//! does not have) is dropped; reads give 0.

use std::sync::OnceLock;

use crate::address::RegisterOffset;
use crate::command::registers::{self, Access, TIMESTAMP};
use crate::engine::Engine;

/// One context's registers.
#[derive(Clone, Debug)]
pub struct Registers {
    engine: Engine,
    /// Which there are, in the order of their offsets.
    known: &'static [(RegisterOffset, Access)],
    /// One for each of them.
    values: Vec<u32>,
    written: bool,
}

/// The registers of an engine that hold something.
fn known(engine: Engine) -> &'static [(RegisterOffset, Access)] {
    static KNOWN: [OnceLock<Vec<(RegisterOffset, Access)>>; Engine::ALL.len()] =
        [const { OnceLock::new() }; Engine::ALL.len()];
    let make = || {
        let mut known = Vec::new();
        for (first, dwords, access) in registers::ranges(engine) {
            if access != Access::ReadOnly {
                known.extend((0..dwords).map(|i| (first.plus(4 * i), access)));
            }
        }
        known.sort_by_key(|(at, _)| *at);
        known
    };
    KNOWN.get(usize::from(engine.id().0)).map_or(&[], |known| known.get_or_init(make))
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
        let known = known(engine);
        Self { engine, known, values: vec![0; known.len()], written: false }
    }

    fn find(&self, at: RegisterOffset) -> Option<usize> {
        self.known.binary_search_by_key(&at, |(at, _)| *at).ok()
    }

    fn find_mut(&mut self, at: RegisterOffset) -> Option<(Access, &mut u32)> {
        let place = self.find(at)?;
        let (_, access) = *self.known.get(place)?;
        Some((access, self.values.get_mut(place)?))
    }

    /// Reads by an unprivileged batch.
    #[must_use]
    pub fn read(&self, at: RegisterOffset) -> Read {
        if let Some(value) = self.find(at).and_then(|i| self.values.get(i)) {
            return Read::Value(*value);
        }
        if registers::access(self.engine, at).is_none() {
            return Read::NotAllowed;
        }
        // All engines count the same time.
        let half = |of: Engine| match at.0.checked_sub(of.register(TIMESTAMP).0) {
            Some(0) => Some(0),
            Some(4) => Some(1),
            _ => None,
        };
        Engine::ALL.into_iter().find_map(half).map_or(Read::Value(0), Read::Timestamp)
    }

    /// Writes by an unprivileged batch. `false`: it is not on the white list.
    pub fn write(&mut self, at: RegisterOffset, value: u32) -> bool {
        let Some((access, old)) = self.find_mut(at) else { return false };
        match access {
            Access::Plain => *old = value,
            Access::Masked => {
                let mask = value >> 16;
                *old = *old & !mask | value & mask;
            }
            Access::ReadOnly => {}
        }
        self.written = true;
        true
    }

    /// Whether anything was written since all was put back.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// The value as it is stored; 0 for a register that is not here.
    #[must_use]
    pub fn stored(&self, at: RegisterOffset) -> u32 {
        self.value(at).unwrap_or(0)
    }

    /// The value as it is stored, of a register that is here.
    #[must_use]
    pub fn value(&self, at: RegisterOffset) -> Option<u32> {
        self.find(at).and_then(|i| self.values.get(i)).copied()
    }

    /// Puts back a stored value. A register that is not here is passed over.
    pub fn restore(&mut self, at: RegisterOffset, value: u32) {
        self.restore_each([(at, value)]);
    }

    /// Puts back stored values: sooner where each register is the one behind the last one. Returns whether these are all
    /// registers, in their order.
    pub fn restore_each(
        &mut self,
        values: impl IntoIterator<Item = (RegisterOffset, u32)>,
    ) -> bool {
        let (mut next, mut in_order) = (0, true);
        for (at, value) in values {
            let mut place = next;
            if self.known.get(place).is_none_or(|(known, _)| *known != at) {
                in_order = false;
                let Some(found) = self.find(at) else { continue };
                place = found;
            }
            if let (Some((_, access)), Some(old)) =
                (self.known.get(place), self.values.get_mut(place))
            {
                *old = if *access == Access::Masked { value & 0xffff } else { value };
            }
            next = place + 1;
        }
        in_order && next == self.known.len()
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "every engine has some")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// All registers and what they hold.
    pub fn all(&self) -> impl Iterator<Item = (RegisterOffset, u32)> {
        self.known.iter().zip(&self.values).map(|((at, _), value)| (*at, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::registers::BCS_SWCTRL;

    #[test]
    fn ranges_do_not_overlap() {
        for engine in Engine::ALL {
            let registers = Registers::new(engine);
            assert!(registers.known.windows(2).all(|w| w[0].0 < w[1].0), "{engine:?}");
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
        assert_eq!(registers.read(RegisterOffset(0x2358)), Read::Timestamp(0), "render's");
        assert_eq!(registers.read(RegisterOffset(0x1_a358)), Read::NotAllowed);
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
