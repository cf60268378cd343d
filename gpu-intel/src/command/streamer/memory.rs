//! Commands that move data between memory, registers and themselves.

use super::{Bus, Dwords, Fault, Space, StatusPage, Step, Streamer, load_u32};

impl Streamer {
    /// MI_STORE_DATA_IMM: any number of dwords to consecutive places, in quadwords if bit 21 says so.
    pub(super) fn store_data_imm<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let mut at = command.address(1, 2)?;
        let width = if command.bit(21) { 2 } else { 1 };
        command.get(2 + width)?;
        let space = Space::chosen(command.bit(22));
        for data in command.0.get(3..).unwrap_or_default().chunks_exact(width) {
            if let &[low, ref high @ ..] = data {
                store(bus, space, at, low, high.first().copied())?;
            }
            at = at.wrapping_add(4 * width as u64);
        }
        Ok(Step::Next)
    }

    pub(super) fn rs_store_data_imm<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        store(bus, Space::Ppgtt, command.address(1, 2)?, command.get(3)?, None)
    }

    /// Stores one or two dwords to a status page.
    pub(super) fn store_data_index<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let offset = u64::from(command.get(1)? & 0xffc);
        let low = command.get(2)?;
        let high = command.0.get(3).copied();
        let which = if command.bit(21) { StatusPage::Context } else { StatusPage::Global };
        match bus.status_page(which) {
            Some(page) => store(bus, Space::Ggtt, page.0.wrapping_add(offset), low, high),
            None => {
                Err(Fault::new("command/status-page", "a store to a status page that is not set"))
            }
        }
    }

    /// MI_LOAD_REGISTER_IMM: pairs of register and value, the bytes named in bits 11:8 left alone.
    pub(super) fn load_register_imm<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let header = command.get(0)?;
        command.get(2)?;
        let keep = (0..4).filter(|byte| header >> (8 + byte) & 1 != 0);
        let keep = keep.fold(0, |mask, byte| mask | 0xff_u32 << (8 * byte));
        for index in (1..command.0.len()).step_by(2) {
            let at = command.register(index)?;
            let mut value = command.get(index + 1)?;
            if keep != 0 {
                value = bus.register(at)? & keep | value & !keep;
            }
            bus.set_register(at, value)?;
        }
        Ok(Step::Next)
    }

    pub(super) fn store_register_mem<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let register = command.register(1)?;
        let at = command.address(2, 2)?;
        if command.bit(21) && !self.predicate_result(bus)? {
            return Ok(Step::Skipped);
        }
        let space = Space::chosen(command.bit(22));
        let value = bus.register(register)?;
        store(bus, space, at, value, None)
    }

    pub(super) fn load_register_mem<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let register = command.register(1)?;
        let at = command.address(2, 2)?;
        let space = Space::chosen(command.bit(22));
        let value = load_u32(bus, space, at)?;
        bus.set_register(register, value)?;
        Ok(Step::Next)
    }

    pub(super) fn load_register_reg<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let (from, to) = (command.register(1)?, command.register(2)?);
        let value = bus.register(from)?;
        bus.set_register(to, value)?;
        Ok(Step::Next)
    }

    pub(super) fn copy_mem_mem<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let (to, from) = (command.address(1, 2)?, command.address(3, 2)?);
        let from_space = Space::chosen(command.bit(22));
        let to_space = Space::chosen(command.bit(21));
        let value = load_u32(bus, from_space, from)?;
        store(bus, to_space, to, value, None)
    }

    /// MI_REPORT_PERF_COUNT: a report of 256 bytes. It has its id and time; all counters are zero.
    pub(super) fn report_perf_count<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let at = command.address(1, 6)?;
        let id = command.get(3)?;
        let space = Space::chosen(command.get(1)? & 1 != 0);
        let mut report = [0; 256];
        report[..4].copy_from_slice(&id.to_le_bytes());
        report[4..8].copy_from_slice(&(bus.timestamp() as u32).to_le_bytes());
        bus.store(space, at, &report)?;
        Ok(Step::Next)
    }
}

/// Stores a dword, or two as one quadword.
pub(super) fn store<B: Bus + ?Sized>(
    bus: &mut B,
    space: Space,
    at: u64,
    low: u32,
    high: Option<u32>,
) -> Result<Step, Fault> {
    match high {
        Some(high) => {
            let value = u64::from(high) << 32 | u64::from(low);
            bus.store(space, at, &value.to_le_bytes())?;
        }
        None => bus.store(space, at, &low.to_le_bytes())?,
    }
    Ok(Step::Next)
}
