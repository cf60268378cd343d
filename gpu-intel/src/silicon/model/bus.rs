//! What an unprivileged batch can touch on the model: its own space, and no GGTT even if a command asked for it.

use std::sync::Arc;
use std::time::Duration;

use mediator::Clock;

use super::counters::Counters;
use super::memory::Memory;
use super::registers::{Read, Registers};
use crate::address::{GgttAddress, PpgttAddress, RegisterOffset};
use crate::command::streamer::{Bus, Fault, Notify, Space, StatusPage};
use crate::memory::PpgttMemory;

#[derive(Debug)]
pub(super) struct BatchBus {
    pub(super) memory: Memory,
    pub(super) registers: Registers,
    pub(super) clock: Clock,
    /// How far the guest's clock is ahead.
    pub(super) ahead: Duration,
    pub(super) counters: Arc<Counters>,
}

/// The audit has refused every command that could ask for it.
pub(super) fn no_ggtt() -> Fault {
    Fault::new("ggtt/unprivileged", "a batch has no access to the GGTT")
}

impl Bus for BatchBus {
    fn load(&mut self, space: Space, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        match space {
            Space::Ppgtt => self.memory.read(PpgttAddress(at), to),
            Space::Ggtt => Err(no_ggtt()),
        }
    }

    fn store(&mut self, space: Space, at: u64, from: &[u8]) -> Result<(), Fault> {
        match space {
            Space::Ppgtt => self.memory.write(PpgttAddress(at), from),
            Space::Ggtt => Err(no_ggtt()),
        }
    }

    fn register(&mut self, at: RegisterOffset) -> Result<u32, Fault> {
        Ok(match self.registers.read(at) {
            Read::Value(value) => value,
            Read::Timestamp(half) => (self.timestamp() >> (32 * half)) as u32,
            Read::NotAllowed => {
                self.counters.dropped_registers.add(1);
                0
            }
        })
    }

    fn set_register(&mut self, at: RegisterOffset, value: u32) -> Result<(), Fault> {
        if !self.registers.write(at, value) {
            self.counters.dropped_registers.add(1);
        }
        Ok(())
    }

    fn status_page(&self, _which: StatusPage) -> Option<GgttAddress> {
        None
    }

    /// 12 MHz.
    fn timestamp(&mut self) -> u64 {
        let nanoseconds = u128::from((self.clock.now() + self.ahead).0);
        (nanoseconds * 12 / 1000) as u64 & ((1 << 36) - 1)
    }

    fn notify(&mut self, _what: Notify) {
        self.counters.dropped_notifications.add(1);
    }

    fn flush(&mut self, invalidate_tlb: bool) {
        if invalidate_tlb {
            self.memory.flush_tlb();
        }
    }

    fn modify(
        &mut self,
        space: Space,
        at: u64,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        match space {
            Space::Ppgtt => self.memory.modify(PpgttAddress(at), bytes, change),
            Space::Ggtt => Err(no_ggtt()),
        }
    }
}
