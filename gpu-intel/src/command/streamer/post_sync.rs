//! PIPE_CONTROL and MI_FLUSH_DW: flush, then write or tell.

use super::memory::store;
use super::{Bus, Dwords, Fault, Notify, Space, StatusPage, Step, Streamer};

/// Samples that passed the depth test, from the render engine's base.
const PS_DEPTH_COUNT: u32 = 0x350;

/// Bits of the hardware's time stamp.
const TIMESTAMP: u64 = (1 << 36) - 1;

impl Streamer {
    /// PIPE_CONTROL. The flush is complete when this returns: the executor does one command after the other.
    pub(super) fn pipe_control<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let flags = command.get(1)?;
        let flag = |bit: u32| flags >> bit & 1 != 0;
        bus.flush(flag(18));
        if flag(23) {
            let (register, value) = (command.register(2)?, command.get(4)?);
            bus.set_register(register, value)?;
        } else {
            let value = match flags >> 14 & 3 {
                0 => None,
                1 => Some((command.get(4)?, command.get(5)?)),
                2 => Some(halves(self.register64(bus, PS_DEPTH_COUNT)?)),
                _ => Some(halves(bus.timestamp() & TIMESTAMP)),
            };
            if let Some((low, high)) = value {
                let (space, at) = target(bus, flag(24), flag(21), command.address(2, 2)?)?;
                store(bus, space, at, low, Some(high))?;
            }
        }
        if flag(8) {
            bus.notify(Notify::FlushDone);
        }
        Ok(Step::Next)
    }

    /// MI_FLUSH_DW of the engines that have no PIPE_CONTROL. Its immediate value has 64 bits if there is room for it.
    pub(super) fn flush_dw<B: Bus + ?Sized>(
        &mut self,
        command: Dwords<'_>,
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let header = command.get(0)?;
        bus.flush(command.bit(18));
        let value = match header >> 14 & 3 {
            0 => None,
            1 => Some((command.get(3)?, command.0.get(4).copied())),
            3 => {
                let (low, high) = halves(bus.timestamp() & TIMESTAMP);
                Some((low, Some(high)))
            }
            _ => {
                return Err(Fault::new(
                    "command/flush",
                    "a post-sync operation that does not exist",
                ));
            }
        };
        if let Some((low, high)) = value {
            let ggtt = command.get(1)? & 4 != 0;
            let (space, at) = target(bus, ggtt, command.bit(21), command.address(1, 3)?)?;
            store(bus, space, at, low, high)?;
        }
        if command.bit(8) {
            bus.notify(Notify::FlushDone);
        }
        Ok(Step::Next)
    }
}

/// Where a post-sync operation writes.
fn target<B: Bus + ?Sized>(
    bus: &B,
    ggtt: bool,
    index: bool,
    at: u64,
) -> Result<(Space, u64), Fault> {
    if !index {
        return Ok((Space::chosen(ggtt), at));
    }
    let page = bus.status_page(StatusPage::Global).ok_or_else(|| {
        Fault::new("command/status-page", "a store to a status page that is not set")
    })?;
    Ok((Space::Ggtt, page.0.wrapping_add(at & 0xff8)))
}

fn halves(value: u64) -> (u32, u32) {
    (value as u32, (value >> 32) as u32)
}
