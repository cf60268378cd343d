//! The unified return buffer: where a stage's threads leave what the next one reads.
//!
//! A thread knows entries by handles. Those that it writes are numbered from 0; from [`PATCH`] and [`INPUTS`] on are those
//! that earlier stages have left.
//!
//! Sources: SKL PRM vol 2d and vol 7, "URB messages".

use super::vertices::{Slot, VertexId, Vertices};
use super::worker::StageFunctions;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, SharedFunction};
use crate::silicon::model::memory::Memory;

/// The handle of the patch that a domain shader reads.
pub(super) const PATCH: u32 = 0x4000;
/// The first of the handles of the vertices that a stage reads.
pub(super) const INPUTS: u32 = 0x8000;
/// Handles have so many bits.
const HANDLE: u32 = 0xffff;

const SIMD8_WRITE: u32 = 7;
const SIMD8_READ: u32 = 8;
/// Of messages to the gateway.
const BARRIER: u32 = 4;

/// The entries of one thread, or of threads that share them.
#[derive(Debug)]
pub(super) struct Urb<'a> {
    written: &'a mut Vertices,
    first: VertexId,
    entries: usize,
    patch: Option<&'a Vertices>,
    inputs: Option<&'a Vertices>,
    /// Barrier messages since the barrier was passed.
    arrived: usize,
}

/// A message's parts.
struct Access<'a> {
    handles: Grf,
    /// In slots, for each lane.
    offsets: [usize; 8],
    /// Dwords of a slot's pair that are written: a bit each, for each lane.
    masks: [u8; 8],
    data: &'a [Grf],
}

impl<'a> Access<'a> {
    fn new(message: &Message<'a>) -> Result<Self, Fault> {
        let short = || Fault::new("eu/urb", "a URB message is shorter than it says");
        let (handles, mut rest) = message.payload.split_first().ok_or_else(short)?;
        let global = (message.descriptor >> 4 & 0x7ff) as usize;
        let mut take = |present: bool| -> Result<Option<&Grf>, Fault> {
            if !present {
                return Ok(None);
            }
            let (register, later) = rest.split_first().ok_or_else(short)?;
            rest = later;
            Ok(Some(register))
        };
        let offsets = take(message.descriptor >> 17 & 1 != 0)?
            .map_or([global; 8], |own| own.map(|offset| global.saturating_add(offset as usize)));
        let masks = take(message.descriptor >> 15 & 1 != 0)?
            .map_or([0xff; 8], |masks| masks.map(|mask| (mask >> 16) as u8));
        Ok(Self { handles: *handles, offsets, masks, data: rest })
    }

    fn lanes(&self, message: &Message<'_>) -> impl Iterator<Item = usize> + use<> {
        let lanes = message.lanes;
        (0..8).filter(move |lane| lanes >> lane & 1 != 0)
    }
}

impl<'a> Urb<'a> {
    /// `entries` vertices from `first` on, to be written.
    pub(super) fn new(written: &'a mut Vertices, first: VertexId, entries: usize) -> Self {
        Self { written, first, entries, patch: None, inputs: None, arrived: 0 }
    }

    /// With a patch and vertices that can be read.
    pub(super) fn with(
        mut self,
        patch: Option<&'a Vertices>,
        inputs: Option<&'a Vertices>,
    ) -> Self {
        (self.patch, self.inputs) = (patch, inputs);
        self
    }

    fn written(&self, handle: u32) -> Option<VertexId> {
        let index = handle & HANDLE;
        ((index as usize) < self.entries).then(|| VertexId(self.first.0 + index))
    }

    fn slot(&self, handle: u32, slot: usize) -> Slot {
        let handle = handle & HANDLE;
        let found = match (handle.checked_sub(INPUTS), self.inputs) {
            (Some(index), Some(inputs)) => Some((inputs, VertexId(index))),
            _ if handle == PATCH => self.patch.map(|patch| (patch, VertexId(0))),
            _ => self.written(handle).map(|vertex| (&*self.written, vertex)),
        };
        found.map_or([0; 4], |(vertices, vertex)| vertices.slot(vertex, slot))
    }
}

/// What lies outside of an entry reads as 0, and is not written.
impl StageFunctions for Urb<'_> {
    fn send(
        &mut self,
        message: &Message<'_>,
        response: &mut [Grf],
        _memory: &mut Memory,
    ) -> Result<(), Fault> {
        match message.function {
            SharedFunction::Urb => {}
            SharedFunction::Gateway if message.descriptor & 7 == BARRIER => {
                self.arrived += 1;
                return Ok(());
            }
            function => {
                let detail = format!("a shader of vertices asks {function:?}");
                return Err(Fault::new("eu/message", detail));
            }
        }
        let access = Access::new(message)?;
        match message.descriptor & 0xf {
            SIMD8_WRITE => {
                for lane in access.lanes(message) {
                    let Some(vertex) = self.written(access.handles[lane]) else { continue };
                    let slots = self.written.get_mut(vertex);
                    for (k, register) in access.data.iter().enumerate().take(8) {
                        if access.masks[lane] >> k & 1 == 0 {
                            continue;
                        }
                        let slot = access.offsets[lane].saturating_add(k / 4);
                        if let Some(slot) = slots.get_mut(slot) {
                            slot[k % 4] = register[lane];
                        }
                    }
                }
                Ok(())
            }
            SIMD8_READ => {
                for lane in access.lanes(message) {
                    for (four, registers) in response.chunks_mut(4).enumerate() {
                        let at = access.offsets[lane].saturating_add(four);
                        let slot = self.slot(access.handles[lane], at);
                        for (register, dword) in registers.iter_mut().zip(slot) {
                            register[lane] = dword;
                        }
                    }
                }
                Ok(())
            }
            other => Err(Fault::new("eu/urb", format!("no URB message has opcode {other}"))),
        }
    }

    fn arrived(&mut self) -> Option<&mut usize> {
        Some(&mut self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_memory;
    use super::*;

    fn message(payload: &[Grf], descriptor: u32, lanes: u32) -> Message<'_> {
        Message {
            function: SharedFunction::Urb,
            descriptor,
            extended: 0,
            payload,
            lanes,
            first: 0,
            end_of_thread: false,
        }
    }

    #[test]
    fn handles_lead_to_entries() {
        let mut memory = test_memory::memory();
        let store = |value: u32| {
            let mut vertices = Vertices::default();
            vertices.clear(2);
            for i in 0..2 {
                let (_, slots) = vertices.push();
                slots[1] = [value + i; 4];
            }
            vertices
        };
        let (mut written, patch, inputs) = (store(10), store(20), store(30));
        let mut urb = Urb::new(&mut written, VertexId(1), 1).with(Some(&patch), Some(&inputs));
        let mut read = |urb: &mut Urb<'_>, handle: u32, offset: u32| {
            let mut response = [[99; 8]; 2];
            let payload = [[handle | 0xdead_0000; 8]];
            let read = message(&payload, SIMD8_READ | offset << 4, 0x0f);
            urb.send(&read, &mut response, &mut memory).unwrap();
            assert_eq!(response[1][4], 99, "a lane that takes no part");
            response[1][0]
        };
        assert_eq!(read(&mut urb, 0, 1), 11);
        assert_eq!(read(&mut urb, PATCH, 1), 20);
        assert_eq!(read(&mut urb, INPUTS + 1, 1), 31);
        for (handle, offset) in [(1, 1), (INPUTS + 9, 1), (0, 0x7ff)] {
            assert_eq!(read(&mut urb, handle, offset), 0);
        }
        // Two dwords, of which a mask lets the second pass.
        let masked = [[0; 8], [0b10 << 16; 8], [7; 8], [8; 8]];
        let write = message(&masked, SIMD8_WRITE | 1 << 15 | 1 << 4, 1);
        urb.send(&write, &mut [], &mut test_memory::memory()).unwrap();
        // Nobody writes what is read.
        let other = [[PATCH; 8], [7; 8]];
        let write = message(&other, SIMD8_WRITE | 1 << 4, 1);
        urb.send(&write, &mut [], &mut test_memory::memory()).unwrap();
        assert_eq!(written.slot(VertexId(1), 1), [11, 8, 11, 11]);
        assert_eq!(patch.slot(VertexId(0), 1), [20; 4]);
    }
}
