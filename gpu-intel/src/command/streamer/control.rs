//! Commands that steer the stream: predication, waits, batch buffers.

use super::{BatchStart, Bus, Dwords, Fault, Notify, Space, StatusPage, Step, Streamer, load_u32};
use crate::address::RegisterOffset;

/// Registers from the engine's base (SKL PRM vol 2c; the predicate's also in Mesa's genxml).
mod register {
    pub(super) const RING_HEAD: u32 = 0x34;
    pub(super) const NOPID: u32 = 0x94;
    pub(super) const BB_OFFSET: u32 = 0x158;
    pub(super) const PREDICATE_RESULT_2: u32 = 0x3bc;
    pub(super) const PREDICATE_SRC0: u32 = 0x400;
    pub(super) const PREDICATE_SRC1: u32 = 0x408;
    pub(super) const PREDICATE_DATA: u32 = 0x410;
    pub(super) const PREDICATE_RESULT: u32 = 0x418;
    pub(super) const PREDICATE_RESULT_1: u32 = 0x41c;
}

impl Streamer {
    pub(super) fn noop<B: Bus + ?Sized>(
        &mut self,
        header: u32,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        if header >> 22 & 1 != 0 {
            bus.set_register(self.engine.register(register::NOPID), header & 0x3f_ffff)?;
        }
        Ok(Step::Next)
    }

    pub(super) fn wait_for_event<B: Bus + ?Sized>(&mut self, header: u32, bus: &mut B) -> Step {
        if bus.event_reached(header & 0x3f_ffff) { Step::Next } else { Step::Wait }
    }

    pub(super) fn arbitration(&mut self, header: u32) -> Step {
        self.arbitration = header & 1 != 0;
        Step::Next
    }

    /// Writes the ring's head to dword 1 of the status page.
    pub(super) fn report_head<B: Bus + ?Sized>(&mut self, bus: &mut B) -> Result<Step, Fault> {
        let head = bus.register(self.engine.register(register::RING_HEAD))?;
        if let Some(page) = bus.status_page(StatusPage::Global) {
            bus.store(Space::Ggtt, page.0.wrapping_add(4), &head.to_le_bytes())?;
        }
        Ok(Step::Next)
    }

    /// Whether MI_SET_PREDICATE leaves out the commands that follow it. A GT2 has one slice.
    pub(super) fn predicated_away<B: Bus + ?Sized>(&self, bus: &mut B) -> Result<bool, Fault> {
        let mut result =
            |offset| bus.register(self.engine.register(offset)).map(|value| value & 1 != 0);
        Ok(match self.set_predicate {
            1 => !result(register::PREDICATE_RESULT_2)?,
            2 => result(register::PREDICATE_RESULT_2)?,
            3 => !result(register::PREDICATE_RESULT)?,
            4 => result(register::PREDICATE_RESULT)?,
            6 | 7 | 15 => true,
            _ => false,
        })
    }

    /// Bit 0 of MI_PREDICATE_RESULT: whether predicated commands run.
    pub(super) fn predicate_result<B: Bus + ?Sized>(&self, bus: &mut B) -> Result<bool, Fault> {
        Ok(bus.register(self.engine.register(register::PREDICATE_RESULT))? & 1 != 0)
    }

    /// MI_PREDICATE: compare, combine with the result so far, load.
    pub(super) fn predicate<B: Bus + ?Sized>(
        &mut self,
        header: u32,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let old = self.predicate_result(bus)?;
        let first = self.register64(bus, register::PREDICATE_SRC0)?;
        let second = self.register64(bus, register::PREDICATE_SRC1)?;
        let compared = match header & 3 {
            0 => true,
            1 => false,
            2 => first == second,
            _ => first.wrapping_sub(second) == self.register64(bus, register::PREDICATE_DATA)?,
        };
        let combined = match header >> 3 & 3 {
            0 => compared,
            1 => old & compared,
            2 => old | compared,
            _ => old ^ compared,
        };
        let new = match header >> 6 & 3 {
            2 => combined,
            3 => !combined,
            _ => old,
        };
        let at = self.engine.register(register::PREDICATE_RESULT);
        bus.set_register(at, u32::from(new))?;
        Ok(Step::Next)
    }

    pub(super) fn semaphore_signal<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let engine = (command.get(0)? >> 15 & 7) as u8;
        bus.notify(Notify::Semaphore { engine, context: command.get(1)? });
        Ok(Step::Next)
    }

    /// MI_SEMAPHORE_WAIT. Signal mode, too, is polled: a signal only says when to look again.
    pub(super) fn semaphore_wait<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let header = command.get(0)?;
        let data = command.get(1)?;
        let value = if command.bit(16) {
            bus.register(RegisterOffset::from_dword(command.get(2)?))?
        } else {
            let at = command.address(2, 2)?;
            let space = Space::chosen(command.bit(22));
            load_u32(bus, space, at)?
        };
        let met = match header >> 12 & 7 {
            0 => value > data,
            1 => value >= data,
            2 => value < data,
            3 => value <= data,
            4 => value == data,
            5 => value != data,
            _ => return Err(Fault::new("command/semaphore", "a comparison that does not exist")),
        };
        Ok(if met { Step::Next } else { Step::Wait })
    }

    pub(super) fn batch_buffer_start<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let mut at = command.address(1, 2)?;
        if command.bit(15) {
            let run = bus.register(self.engine.register(register::PREDICATE_RESULT_1))?;
            if run & 1 == 0 {
                return Ok(Step::Skipped);
            }
        }
        if command.bit(16) {
            let offset = bus.register(self.engine.register(register::BB_OFFSET))?;
            at = at.wrapping_add(u64::from(offset & !3)) & 0xffff_ffff_ffff;
        }
        let space = Space::chosen(!command.bit(8));
        Ok(Step::Batch(BatchStart { at, space, second_level: command.bit(22) }))
    }

    /// MI_CONDITIONAL_BATCH_BUFFER_END: ends the batch unless memory holds more than the command's value. In mask mode
    /// memory holds a mask behind the value.
    pub(super) fn conditional_end<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let data = command.get(1)?;
        let at = command.address(2, 3)?;
        let space = Space::chosen(command.bit(22));
        if !command.bit(21) {
            return Ok(Step::Next);
        }
        let mut value = load_u32(bus, space, at)?;
        if command.bit(19) {
            value &= load_u32(bus, space, at.wrapping_add(4))?;
        }
        Ok(if value > data { Step::Next } else { Step::BatchEnd })
    }
}
