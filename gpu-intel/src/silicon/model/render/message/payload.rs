//! Registers of a message, by what is in them.

use crate::command::streamer::Fault;
use crate::eu::{Grf, Message};
use crate::surface::{LANES, Lanes};

/// Lanes of a register, where each has a dword.
pub(super) const PER_GRF: usize = 8;

/// What is left of a payload.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    rest: &'a [Grf],
    /// 8 or 16.
    width: usize,
}

impl<'a> Payload<'a> {
    /// The payload, and its header if it has one.
    pub(super) fn of(
        message: &Message<'a>,
        width: usize,
    ) -> Result<(Self, Option<&'a Grf>), Fault> {
        let mut payload = Self { rest: message.payload, width };
        let header = if message.descriptor >> 19 & 1 != 0 { Some(payload.grf()?) } else { None };
        Ok((payload, header))
    }

    pub(super) fn rest(&self) -> &'a [Grf] {
        self.rest
    }

    /// The next register.
    pub(super) fn grf(&mut self) -> Result<&'a Grf, Fault> {
        let (first, rest) = self.rest.split_first().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(first)
    }

    /// The registers with the next dword of each lane, if there are any.
    pub(super) fn registers(&mut self) -> Option<&'a [Grf]> {
        let (these, rest) = self.rest.split_at_checked(self.width / PER_GRF)?;
        self.rest = rest;
        Some(these)
    }

    /// The next dword of each lane.
    pub(super) fn lanes(&mut self) -> Result<Lanes<u32>, Fault> {
        let mut lanes = [0; LANES];
        let these = self.registers().ok_or_else(too_short)?;
        for (to, from) in lanes.iter_mut().zip(these.as_flattened()) {
            *to = *from;
        }
        Ok(lanes)
    }

    /// The next quadword of each lane.
    pub(super) fn wide_lanes(&mut self) -> Result<Lanes<u64>, Fault> {
        let (these, rest) =
            self.rest.split_at_checked(2 * self.width / PER_GRF).ok_or_else(too_short)?;
        self.rest = rest;
        let mut lanes = [0; LANES];
        for (to, [low, high]) in lanes.iter_mut().zip(these.as_flattened().as_chunks().0) {
            *to = u64::from(*low) | u64::from(*high) << 32;
        }
        Ok(lanes)
    }
}

fn too_short() -> Fault {
    Fault::new("message/payload", "a payload that is shorter than its message")
}

/// Sets a dword of a lane; `component` counts dwords of a lane, `width` lanes. What doesn't fit is dropped.
#[inline]
pub(super) fn put(response: &mut [Grf], width: usize, component: usize, lane: usize, value: u32) {
    if let Some(to) = response.as_flattened_mut().get_mut(component * width + lane) {
        *to = value;
    }
}

/// Sets a quadword of a lane.
pub(super) fn put_wide(
    response: &mut [Grf],
    width: usize,
    component: usize,
    lane: usize,
    value: u64,
) {
    let at = 2 * (component * width + lane);
    if let Some([low, high]) = response.as_flattened_mut().get_mut(at..at + 2) {
        (*low, *high) = (value as u32, (value >> 32) as u32);
    }
}

/// Bytes as registers hold them.
pub(super) fn put_bytes(response: &mut [Grf], start: usize, bytes: &[u8]) {
    let dwords = response.as_flattened_mut().iter_mut().skip(start / 4);
    for (to, from) in dwords.zip(bytes.as_chunks().0) {
        *to = u32::from_le_bytes(*from);
    }
}
