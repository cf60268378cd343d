//! The DisplayPort side band (AUX): the monitor's configuration data (DPCD) and, as I2C over AUX, its EDID.
//!
//! Link training succeeds at once: the lane status always says that the link is up.
//! Source: VESA DisplayPort 1.2 (AUX syntax, DPCD map), SKL PRM vol 2c (DDI_AUX_CTL, DDI_AUX_DATA).

use serde::{Deserialize, Serialize};

use crate::vgpu::registers::RegisterFile;

/// DDI_AUX_CTL of port A; the next ports' follow 0x100 bytes apart.
const CONTROL: u32 = 0x6_4010;
/// Send/busy, done, interrupt when done, time-out, receive error; message size.
const BUSY: u32 = 1 << 31;
const DONE: u32 = 1 << 30;
const INTERRUPT: u32 = 1 << 29;
const TIME_OUT: u32 = 1 << 28;
const RECEIVE_ERROR: u32 = 1 << 25;
const STATUS: u32 = DONE | TIME_OUT | RECEIVE_ERROR;
const SIZE_SHIFT: u32 = 20;
/// Bytes of a message: four of header and sixteen of data.
const MESSAGE: usize = 20;

/// Reply codes, in the upper half of the first byte.
const ACK: u8 = 0x00;
const NATIVE_NACK: u8 = 0x10;
const I2C_NACK: u8 = 0x40;

/// The monitor's EDID answers here.
const EDID_ADDRESS: u32 = 0x50;
/// Which pair of 128-byte blocks is read.
const SEGMENT_ADDRESS: u32 = 0x30;

/// The base block and three more, in bytes: what [`display::Edid`] takes.
const LONGEST_EDID: usize = 512;

/// DPCD: capabilities of the sink. Revision 1.2, 5.4 Gb/s, four lanes with enhanced framing, no spread spectrum.
const CAPABILITIES: &[u8] = &[0x12, 0x14, 0x84, 0x00, 0x01, 0x00, 0x01, 0x00, 0x02, 0x00];
/// DPCD from 0x200: one sink; all lanes locked and aligned, sink in sync.
const LINK_STATUS: &[u8] = &[0x01, 0x00, 0x77, 0x77, 0x01, 0x03, 0x00, 0x00];
/// DPCD addresses that the source writes and may read back: link configuration and power state.
const KEPT: std::ops::Range<u32> = 0x100..0x120;
const POWER: u32 = 0x600;

/// Whether a register of BAR0 is one of the side band's: control or data of a port.
pub(crate) fn is_side_band(at: u32) -> bool {
    let within = at.wrapping_sub(CONTROL);
    within < 0x400 && within & 0xFF <= MESSAGE as u32
}

/// The monitor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    edid: Vec<u8>,
    /// Where in the EDID the next I2C read begins, and in which segment.
    at: u8,
    segment: u8,
    link: [u8; 0x20],
    power: u8,
}

impl Sink {
    pub(super) fn new(edid: Vec<u8>) -> Self {
        Self { edid, at: 0, segment: 0, link: [0; 0x20], power: 1 }
    }

    /// Whether the EDID can be one.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.edid.len() > LONGEST_EDID { Err("the EDID is too long") } else { Ok(()) }
    }

    /// Unplugged and plugged in again.
    pub(super) fn reset(&mut self) {
        *self = Self::new(std::mem::take(&mut self.edid));
    }

    /// Symbols a second on the link, as the source has set it (DPCD LINK_BW_SET, units of 27 MHz); `None` while it
    /// has not.
    pub(crate) fn symbols_per_second(&self) -> Option<u64> {
        self.link.first().filter(|rate| **rate != 0).map(|rate| u64::from(*rate) * 27_000_000)
    }

    /// Answers one message: a reply byte and the data read.
    fn transfer(&mut self, request: &[u8]) -> Vec<u8> {
        let &[command, high, low, ref rest @ ..] = request else { return vec![NATIVE_NACK] };
        let address = u32::from(command & 0xF) << 16 | u32::from(high) << 8 | u32::from(low);
        // A message without a length byte moves the I2C address only.
        let length = rest.first().map_or(0, |n| usize::from(n & 0xF) + 1);
        let data = rest.get(1..).unwrap_or(&[]);
        match command >> 4 {
            0x8 => {
                data.iter().zip(address..).for_each(|(byte, at)| self.write_dpcd(at, *byte));
                vec![ACK]
            }
            0x9 => {
                let mut reply = vec![ACK];
                reply.extend((address..).take(length).map(|at| self.read_dpcd(at)));
                reply
            }
            // I2C, with or without "middle of transaction".
            0x0 | 0x4 => self.write_i2c(address & 0x7F, data),
            0x1 | 0x5 => self.read_i2c(address & 0x7F, length),
            // Write status update request: nothing is ever left to do.
            0x2 | 0x6 => vec![ACK],
            _ => vec![NATIVE_NACK],
        }
    }

    fn read_dpcd(&self, at: u32) -> u8 {
        let table = |table: &[u8], from: u32| table.get((at - from) as usize).copied().unwrap_or(0);
        match at {
            0x000..0x100 => table(CAPABILITIES, 0),
            0x100..0x120 => table(&self.link, KEPT.start),
            0x200..0x300 => table(LINK_STATUS, 0x200),
            POWER => self.power,
            _ => 0,
        }
    }

    fn write_dpcd(&mut self, at: u32, value: u8) {
        if at == POWER {
            self.power = value;
        } else if let Some(slot) =
            at.checked_sub(KEPT.start).and_then(|n| self.link.get_mut(n as usize))
        {
            *slot = value;
        }
    }

    fn write_i2c(&mut self, address: u32, data: &[u8]) -> Vec<u8> {
        match address {
            EDID_ADDRESS => self.at = data.last().copied().unwrap_or(self.at),
            SEGMENT_ADDRESS => self.segment = data.last().copied().unwrap_or(0),
            _ => return vec![I2C_NACK],
        }
        vec![ACK]
    }

    fn read_i2c(&mut self, address: u32, length: usize) -> Vec<u8> {
        if address != EDID_ADDRESS {
            return vec![I2C_NACK];
        }
        let mut reply = vec![ACK];
        for _ in 0..length {
            let at = usize::from(self.segment) * 256 + usize::from(self.at);
            reply.push(self.edid.get(at).copied().unwrap_or(0));
            self.at = self.at.wrapping_add(1);
        }
        reply
    }
}

/// A transfer is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// Whether the guest wants an interrupt for it.
    pub(super) interrupt: bool,
}

/// The guest writes the control register of a port, 0 to 3. `sink` is what the port leads to. Returns whether that made
/// a transfer.
pub(super) fn write_control(
    registers: &mut RegisterFile,
    port: u8,
    value: u32,
    sink: Option<&mut Sink>,
) -> Option<Done> {
    let control = CONTROL + u32::from(port) * 0x100;
    let done = Done { interrupt: value & INTERRUPT != 0 };
    let status = registers.get(control) & STATUS & !value;
    let kept = value & !(STATUS | BUSY);
    if value & BUSY == 0 {
        registers.set(control, kept | status);
        return None;
    }
    let Some(sink) = sink else {
        registers.set(control, kept | DONE | TIME_OUT);
        return Some(done);
    };
    let size = (value >> SIZE_SHIFT & 0x1F) as usize;
    let mut request = Vec::with_capacity(MESSAGE);
    for at in (control + 4..).step_by(4).take(MESSAGE / 4) {
        request.extend(registers.get(at).to_be_bytes());
    }
    request.truncate(size);
    let reply = sink.transfer(&request);
    for (at, bytes) in (control + 4..).step_by(4).zip(reply.chunks(4)).take(MESSAGE / 4) {
        let mut word = [0; 4];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        registers.set(at, u32::from_be_bytes(word));
    }
    let kept = kept & !(0x1F << SIZE_SHIFT);
    registers.set(control, kept | DONE | (reply.len().min(MESSAGE) as u32) << SIZE_SHIFT);
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    const CONTROL: u32 = super::CONTROL + 0x100;

    fn send(registers: &mut RegisterFile, sink: &mut Sink, message: &[u8]) -> Vec<u8> {
        for (at, bytes) in (CONTROL + 4..).step_by(4).zip(message.chunks(4)) {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            registers.set(at, u32::from_be_bytes(word));
        }
        let value = BUSY | (message.len() as u32) << SIZE_SHIFT;
        assert!(write_control(registers, 1, value, Some(sink)).is_some());
        let control = registers.get(CONTROL);
        assert_eq!(control & (BUSY | STATUS), DONE);
        let size = (control >> SIZE_SHIFT & 0x1F) as usize;
        (0..5).flat_map(|n| registers.get(CONTROL + 4 + n * 4).to_be_bytes()).take(size).collect()
    }

    #[test]
    fn capabilities_and_edid_can_be_read() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut sink = Sink::new((0..=255).collect());
        assert_eq!(send(&mut registers, &mut sink, &[0x90, 0, 0, 3]), [0, 0x12, 0x14, 0x84, 0]);
        assert_eq!(send(&mut registers, &mut sink, &[0x40, 0, 0x50, 0, 0x20]), [0]);
        assert_eq!(
            send(&mut registers, &mut sink, &[0x50, 0, 0x50, 3]),
            [0, 0x20, 0x21, 0x22, 0x23]
        );
        assert_eq!(send(&mut registers, &mut sink, &[0x40, 0, 0x37, 0, 0]), [I2C_NACK]);
    }

    #[test]
    fn a_port_without_a_monitor_times_out() {
        let mut registers = RegisterFile::of(Platform::default());
        assert!(write_control(&mut registers, 0, BUSY | 4 << SIZE_SHIFT, None).is_some());
        assert_eq!(registers.get(0x6_4010) & (BUSY | TIME_OUT), TIME_OUT);
    }

    #[test]
    fn odd_messages_are_answered_and_nothing_more() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut sink = Sink::new(Vec::new());
        for size in 0..32u32 {
            for command in 0..=255u32 {
                registers.set(CONTROL + 4, command << 24 | 0xFF_FFFF);
                write_control(&mut registers, 1, BUSY | size << SIZE_SHIFT, Some(&mut sink));
            }
        }
    }
}
