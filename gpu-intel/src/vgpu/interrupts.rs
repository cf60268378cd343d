//! Interrupts: an event sets a bit in its group's identity register; a group with an enabled bit sets the group's
//! bit in the master register; the master, when enabled, raises the one MSI.
//!
//! ```text
//!  event ─(IMR)─► IIR ─(IER)─► group's bit in the master ─(bit 31)─► MSI, once per rising edge
//! ```
//!
//! All state is in the register file. Source: SKL PRM vol 2c (Gen8 interrupt layout), i915's Gen8 interrupt handler.

use serde::{Deserialize, Serialize};

use super::display::plugged;
use super::registers::RegisterFile;
use crate::engine::Engine;
use crate::platform::Platform;

/// The master register, and its enable bit.
const MASTER: u32 = 0x4_4200;
const MASTER_ENABLE: u32 = 1 << 31;

/// A group: the offset of its status register (mask +4, identity +8, enable +0xC) and its bits in the master. Groups
/// that serve two engines own a bit for each half word.
struct Group {
    at: u32,
    /// (bits of the identity register, bit of the master).
    upstream: &'static [(u32, u32)],
}

const GROUPS: [Group; 11] = [
    Group { at: 0x4_4300, upstream: &[(0xFFFF, 1 << 0), (0xFFFF_0000, 1 << 1)] },
    Group { at: 0x4_4310, upstream: &[(0xFFFF, 1 << 2), (0xFFFF_0000, 1 << 3)] },
    Group { at: 0x4_4320, upstream: &[(0xFFFF, 1 << 4), (0xFFFF_0000, 1 << 5)] },
    Group { at: 0x4_4330, upstream: &[(u32::MAX, 1 << 6)] },
    Group { at: 0x4_4400, upstream: &[(u32::MAX, 1 << 16)] },
    Group { at: 0x4_4410, upstream: &[(u32::MAX, 1 << 17)] },
    Group { at: 0x4_4420, upstream: &[(u32::MAX, 1 << 18)] },
    Group { at: 0x4_4440, upstream: &[(u32::MAX, 1 << 20)] },
    Group { at: 0x4_4460, upstream: &[(u32::MAX, 1 << 22)] },
    Group { at: 0x4_44E0, upstream: &[(u32::MAX, 1 << 30)] },
    Group { at: 0xC_4000, upstream: &[(u32::MAX, 1 << 23)] },
];

/// What an engine reports; the value is the bit below the engine's shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineEvent {
    /// MI_USER_INTERRUPT.
    User = 0,
    /// PIPE_CONTROL or MI_FLUSH_DW with its notify bit.
    FlushDone = 4,
    /// An entry in the context status buffer.
    ContextSwitch = 8,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Engine(Engine, EngineEvent),
    /// Start of vertical blanking of pipe 0 to 2.
    Vblank(u8),
    /// A flip of a plane (0 to 3) of a pipe took effect.
    FlipDone {
        pipe: u8,
        plane: u8,
    },
    /// The checksum of a frame of a pipe is there.
    ChecksumDone(u8),
    /// A side-band transfer of port A (0) to D (3) is over.
    AuxDone(u8),
    /// I2C transfer over.
    Gmbus,
    /// The monitor on port B was plugged in or pulled out.
    HotPlug(Platform),
}

impl Event {
    /// The group's status register and the bit within.
    fn place(self) -> (u32, u32) {
        match self {
            Self::Engine(engine, event) => {
                let (group, shift) = engine_place(engine);
                (group, 1 << (shift + event as u32))
            }
            Self::Vblank(pipe) => (pipe_group(pipe), 1),
            Self::FlipDone { pipe, plane } => {
                (pipe_group(pipe), 1 << (3 + u32::from(plane.min(3))))
            }
            Self::ChecksumDone(pipe) => (pipe_group(pipe), 1 << 28),
            Self::AuxDone(0) => (0x4_4440, 1),
            Self::AuxDone(port) => (0x4_4440, 1 << (24 + u32::from(port.min(3)))),
            Self::Gmbus => (0xC_4000, 1 << 17),
            Self::HotPlug(platform) => plugged(platform),
        }
    }
}

fn pipe_group(pipe: u8) -> u32 {
    0x4_4400 + 0x10 * u32::from(pipe.min(2))
}

fn engine_place(engine: Engine) -> (u32, u32) {
    match engine {
        Engine::Render => (0x4_4300, 0),
        Engine::Copy => (0x4_4300, 16),
        Engine::Video => (0x4_4310, 0),
        Engine::VideoEnhance => (0x4_4330, 0),
    }
}

/// Whether the event is neither masked nor left disabled.
fn wanted(registers: &RegisterFile, event: Event) -> bool {
    let (group, bit) = event.place();
    registers.get(group + 4) & bit == 0 && registers.get(group + 0xC) & bit != 0
}

/// The interrupt line's level: what must be remembered to see its rising edge.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    high: bool,
}

impl Line {
    /// Whether the guest has something to answer.
    pub(crate) fn is_high(self) -> bool {
        self.high
    }

    /// Records `event`. Returns whether the MSI is due.
    pub(crate) fn raise(&mut self, registers: &mut RegisterFile, event: Event) -> bool {
        let (group, bit) = event.place();
        if let Event::Engine(engine, _) = event
            && registers.get(engine.base() + 0xA8) & bit != 0
        {
            return false;
        }
        if registers.get(group + 4) & bit != 0 {
            return false;
        }
        registers.update(group + 8, 0, bit);
        self.settle(registers)
    }

    /// Whether a vblank of `pipe` would reach the guest.
    pub(crate) fn wants_vblank(registers: &RegisterFile, pipe: u8) -> bool {
        wanted(registers, Event::Vblank(pipe))
    }

    /// Whether it is told of checksums of `pipe`.
    pub(crate) fn wants_checksum(registers: &RegisterFile, pipe: u8) -> bool {
        wanted(registers, Event::ChecksumDone(pipe))
    }

    /// Recomputes the master after any change of an interrupt register. Returns whether the MSI is due.
    pub(crate) fn settle(&mut self, registers: &mut RegisterFile) -> bool {
        let mut master = registers.get(MASTER) & MASTER_ENABLE;
        for group in &GROUPS {
            let pending = registers.get(group.at + 8) & registers.get(group.at + 0xC);
            if pending != 0 {
                for (bits, upstream) in group.upstream {
                    if pending & bits != 0 {
                        master |= upstream;
                    }
                }
            }
        }
        registers.set(MASTER, master);
        let high = master & MASTER_ENABLE != 0 && master & !MASTER_ENABLE != 0;
        let rises = high && !self.high;
        self.high = high;
        rises
    }

    /// The guest writes the master register: it owns the enable bit only.
    pub(crate) fn write_master(&mut self, registers: &mut RegisterFile, value: u32) -> bool {
        registers.update(MASTER, MASTER_ENABLE, value & MASTER_ENABLE);
        self.settle(registers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Event = Event::Engine(Engine::Copy, EngineEvent::User);

    fn enabled() -> (RegisterFile, Line) {
        let mut registers = RegisterFile::of(Platform::default());
        registers.set(0x4_4304, 0);
        registers.set(0x4_430C, u32::MAX);
        registers.set(Engine::Copy.base() + 0xA8, 0);
        let mut line = Line::default();
        assert!(!line.write_master(&mut registers, MASTER_ENABLE));
        (registers, line)
    }

    #[test]
    fn an_event_raises_the_msi_once_until_the_guest_has_acknowledged() {
        let (mut registers, mut line) = enabled();
        assert!(line.raise(&mut registers, USER));
        assert!(!line.raise(&mut registers, USER), "the line is high already");
        assert_eq!(registers.get(MASTER), MASTER_ENABLE | 2);
        line.write_master(&mut registers, 0);
        registers.update(0x4_4308, 1 << 16, 0);
        assert!(!line.write_master(&mut registers, MASTER_ENABLE));
        assert_eq!(registers.get(MASTER), MASTER_ENABLE);
    }

    #[test]
    fn an_event_that_comes_while_the_master_is_off_is_delivered_when_it_is_on_again() {
        let (mut registers, mut line) = enabled();
        line.write_master(&mut registers, 0);
        assert!(!line.raise(&mut registers, USER));
        assert!(line.write_master(&mut registers, MASTER_ENABLE));
    }

    #[test]
    fn masked_events_are_lost_and_unenabled_ones_wait() {
        let (mut registers, mut line) = enabled();
        registers.set(0x4_4304, 1 << 16);
        assert!(!line.raise(&mut registers, USER));
        assert_eq!(registers.get(0x4_4308), 0);
        registers.set(0x4_4304, 0);
        registers.set(0x4_430C, 0);
        assert!(!line.raise(&mut registers, USER));
        registers.set(0x4_430C, 1 << 16);
        assert!(line.settle(&mut registers));
    }
}
