//! The unified return buffer: where a stage's threads leave what the next one reads.
//!
//! Sources: SKL PRM vol 2d and vol 7, "URB messages".

use super::vertices::{VertexId, Vertices};
use super::worker::StageFunctions;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, SharedFunction};
use crate::silicon::model::memory::Memory;

const SIMD8_WRITE: u32 = 7;
const SIMD8_READ: u32 = 8;

/// The entries of one thread: its handles are numbers from 0.
#[derive(Debug)]
pub(super) struct Urb<'a> {
    vertices: &'a mut Vertices,
    first: VertexId,
    entries: usize,
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
    /// `entries` vertices from `first` on.
    pub(super) fn new(vertices: &'a mut Vertices, first: VertexId, entries: usize) -> Self {
        Self { vertices, first, entries }
    }

    fn vertex(&self, handle: u32) -> Option<VertexId> {
        let index = handle & 0xffff;
        ((index as usize) < self.entries).then(|| VertexId(self.first.0 + index))
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
        if message.function != SharedFunction::Urb {
            return Err(Fault::new(
                "eu/message",
                format!("a vertex shader asks {:?}", message.function),
            ));
        }
        let access = Access::new(message)?;
        match message.descriptor & 0xf {
            SIMD8_WRITE => {
                for lane in access.lanes(message) {
                    let Some(vertex) = self.vertex(access.handles[lane]) else { continue };
                    let slots = self.vertices.get_mut(vertex);
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
                    let vertex = self.vertex(access.handles[lane]);
                    for (k, register) in response.iter_mut().enumerate() {
                        let slot = access.offsets[lane].saturating_add(k / 4);
                        register[lane] = vertex.map_or(0, |v| self.vertices.slot(v, slot)[k % 4]);
                    }
                }
                Ok(())
            }
            other => Err(Fault::new("eu/urb", format!("no URB message has opcode {other}"))),
        }
    }
}
