//! Stream output: vertices of primitives, written to buffers.
//!
//! A stream has a list of what is written of each vertex: which dwords of which slot, to which of four buffers. A primitive is
//! written if there is room for all of it in every buffer of its stream; else it is only counted.
//!
//! Sources: SKL PRM vol 7, "Stream output logic"; vol 2a, 3DSTATE_STREAMOUT, SO_BUFFER, SO_DECL_LIST; vol 2c, SO_*.

use super::assembly::{Kind, Primitive};
use super::state::{self, State, Words};
use super::vertices::Vertices;
use crate::address::{PpgttAddress, RegisterOffset};
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;
use crate::silicon::model::memory::Memory;
use crate::silicon::model::registers::Registers;

const BUFFERS: usize = 4;
const STREAMS: usize = 4;
/// Entries of a stream's list.
const MOST_ENTRIES: usize = 128;
/// Dwords of a 3DSTATE_SO_BUFFER.
const BUFFER_DWORDS: usize = 8;
/// Says that a buffer goes on where memory says.
const FROM_MEMORY: u32 = u32::MAX;

const WRITTEN: u32 = 0x5200;
const NEEDED: u32 = 0x5240;
const OFFSET: u32 = 0x5280;

#[derive(Clone, Copy, Debug)]
struct Buffer {
    on: bool,
    base: u64,
    bytes: u64,
    /// From one vertex to the next.
    pitch: u64,
    /// Where the next vertex goes.
    offset: u64,
    /// Where the offset is kept when a draw is over.
    keeps_offset_at: Option<u64>,
}

/// Some dwords of a slot, or a gap.
#[derive(Clone, Copy, Debug)]
struct Entry {
    buffer: usize,
    hole: bool,
    slot: usize,
    mask: u8,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    /// Which buffers it writes to, a bit each.
    buffers: u8,
    entries: Vec<Entry>,
    written: u64,
    needed: u64,
}

/// The streams of one draw.
#[derive(Debug)]
pub(super) struct StreamOut {
    on: bool,
    statistics: bool,
    /// The stream that is drawn, too.
    drawn: Option<u8>,
    /// An odd triangle of a strip begins with its second vertex.
    pub(super) trailing: bool,
    buffers: [Buffer; BUFFERS],
    streams: [Stream; STREAMS],
}

/// Does what 3DSTATE_SO_BUFFER does at once: sets where a buffer goes on.
pub(super) fn set_buffer(
    words: Words<'_>,
    memory: &mut Memory,
    registers: &mut Registers,
) -> Result<(), Fault> {
    let offset_write = words.flag(1, 21);
    if !offset_write {
        return Ok(());
    }
    let mut offset = words.dword(7);
    let kept_at = PpgttAddress(words.address(5).0 & !3).truncated();
    if offset == FROM_MEMORY {
        let mut bytes = [0; 4];
        memory.read(kept_at, &mut bytes)?;
        offset = u32::from_le_bytes(bytes);
    } else if words.flag(1, 20) {
        memory.write(kept_at, &offset.to_le_bytes())?;
    }
    let register = RegisterOffset(OFFSET + 4 * words.bits(1, 29..=30));
    registers.restore(register, offset);
    Ok(())
}

impl StreamOut {
    pub(super) fn new(state: &State, registers: &Registers) -> Self {
        let words = state.command(state::STREAMOUT);
        let list = state.command(state::SO_DECL_LIST);
        let on = words.flag(1, 31);
        let pitch = |buffer: usize| words.dword(3 + buffer / 2) >> (16 * (buffer % 2)) & 0xfff;
        let buffers = std::array::from_fn(|i| {
            let buffer = state.command(state::SO_BUFFER).from(BUFFER_DWORDS * i);
            Buffer {
                on: buffer.flag(1, 31),
                base: buffer.address(2).0 & !3,
                bytes: 4 * (u64::from(buffer.dword(4)) + 1),
                pitch: pitch(i).into(),
                offset: registers.stored(RegisterOffset(OFFSET + 4 * i as u32)).into(),
                keeps_offset_at: buffer.flag(1, 20).then(|| buffer.address(5).0 & !3),
            }
        });
        let streams = std::array::from_fn(|i| {
            let count = (list.dword(2) >> (8 * i) & 0xff) as usize;
            let first_slot = 2 * (words.dword(2) >> (8 * i + 5) & 1) as usize;
            let entries = (0..count.min(MOST_ENTRIES)).filter(|_| on).map(|entry| {
                let word = list.dword(3 + 2 * entry + i / 2) >> (16 * (i % 2));
                Entry {
                    buffer: (word >> 12 & 3) as usize,
                    hole: word >> 11 & 1 != 0,
                    slot: first_slot + (word >> 4 & 0x3f) as usize,
                    mask: (word & 0xf) as u8,
                }
            });
            Stream {
                buffers: (list.dword(1) >> (4 * i) & 0xf) as u8,
                entries: entries.collect(),
                ..Stream::default()
            }
        });
        Self {
            on,
            statistics: words.flag(1, 25),
            drawn: (!words.flag(1, 30)).then(|| if on { words.bits(1, 27..=28) as u8 } else { 0 }),
            trailing: words.flag(1, 26),
            buffers,
            streams,
        }
    }

    /// Whether primitives of a stream go on to be drawn.
    pub(super) fn draws(&self, stream: u8) -> bool {
        self.drawn == Some(stream)
    }

    /// Writes a primitive.
    pub(super) fn write(
        &mut self,
        primitive: &Primitive,
        vertices: &Vertices,
        memory: &mut Memory,
    ) -> Result<(), Fault> {
        if !self.on {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(usize::from(primitive.stream)) else {
            return Ok(());
        };
        let corners = primitive.corners(self.trailing);
        let corners = match primitive.kind {
            Kind::Point => &corners[..1],
            Kind::Line => &corners[..2],
            Kind::Triangle => &corners[..],
            Kind::Rectangle => return Ok(()),
        };
        stream.needed += 1;
        let used = |i: usize, buffer: &Buffer| buffer.on && stream.buffers >> i & 1 != 0;
        let has_room = |buffer: &Buffer| {
            let bytes = buffer.pitch * corners.len() as u64;
            buffer.offset.saturating_add(bytes) <= buffer.bytes
        };
        if !self.buffers.iter().enumerate().all(|(i, b)| !used(i, b) || has_room(b)) {
            return Ok(());
        }
        stream.written += 1;
        for corner in corners {
            let mut at = self.buffers.map(|buffer| buffer.base.wrapping_add(buffer.offset));
            for entry in &stream.entries {
                let slot = vertices.slot(*corner, entry.slot);
                let Some(at) = at.get_mut(entry.buffer) else { continue };
                let on = self.buffers.get(entry.buffer).is_some_and(|buffer| buffer.on);
                for (_, dword) in (0..).zip(slot).filter(|(i, _)| entry.mask >> i & 1 != 0) {
                    if on && !entry.hole {
                        memory.write(PpgttAddress(*at).truncated(), &dword.to_le_bytes())?;
                    }
                    *at = at.wrapping_add(4);
                }
            }
            for (i, buffer) in self.buffers.iter_mut().enumerate() {
                if buffer.on && stream.buffers >> i & 1 != 0 {
                    buffer.offset += buffer.pitch;
                }
            }
        }
        Ok(())
    }

    /// A draw is over: what registers and memory say of it.
    pub(super) fn finish(
        &self,
        memory: &mut Memory,
        registers: &mut Registers,
    ) -> Result<(), Fault> {
        if !self.on {
            return Ok(());
        }
        for (i, buffer) in (0..).zip(&self.buffers) {
            let offset = buffer.offset as u32;
            registers.restore(RegisterOffset(OFFSET + 4 * i), offset);
            if let Some(at) = buffer.keeps_offset_at.filter(|_| buffer.on) {
                memory.write(PpgttAddress(at).truncated(), &offset.to_le_bytes())?;
            }
        }
        if self.statistics {
            for (i, stream) in (0..).zip(&self.streams) {
                super::draw::add(registers, WRITTEN + 8 * i, stream.written);
                super::draw::add(registers, NEEDED + 8 * i, stream.needed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_memory;
    use super::super::vertices::VertexId;
    use super::*;
    use crate::engine::Engine;

    const BUFFER: u32 = 0x1_0000;
    const KEPT: u32 = 0x2_0000;

    /// Buffer 0 gets y and z of slot 1 and leaves a gap of one dword; it has room for `vertices`.
    fn state(vertices: u32) -> State {
        let mut state = State::default();
        let flags = 1 << 31 | 1 << 20 | 1 << 21;
        state.set(&[0x7918_0006, flags, BUFFER, 0, 3 * vertices - 1, KEPT, 0, 0]);
        let entries = [1 << 4 | 0b0110, 1 << 11 | 1];
        state.set(&[0x7917_0005, 1, 2, entries[0], 0, entries[1], 0]);
        state.set(&[0x781e_0003, 1 << 31 | 1 << 25, 0, 12, 0]);
        state
    }

    #[test]
    fn primitives_are_written_while_there_is_room() {
        let state = state(7);
        let mut memory = test_memory::memory();
        let mut registers = Registers::new(Engine::Render);
        let words = state.command(state::SO_BUFFER);
        set_buffer(words, &mut memory, &mut registers).unwrap();
        let mut vertices = Vertices::default();
        vertices.clear(2);
        for i in 0..3 {
            let (_, slots) = vertices.push();
            slots[1] = [10 * i, 10 * i + 1, 10 * i + 2, 10 * i + 3];
        }
        let corners = [0, 1, 2].map(VertexId);
        let mut out = StreamOut::new(&state, &registers);
        assert!(out.draws(0) && !out.draws(1));
        for odd in [false, true, false] {
            let primitive = Primitive { odd, ..Primitive::new(Kind::Triangle, corners) };
            out.write(&primitive, &vertices, &mut memory).unwrap();
        }
        out.finish(&mut memory, &mut registers).unwrap();
        let register = |at| registers.stored(RegisterOffset(at));
        assert_eq!((register(WRITTEN), register(NEEDED), register(OFFSET)), (2, 3, 72));
        let mut dwords = [[0; 4]; 7];
        memory.read(PpgttAddress(BUFFER.into()), dwords.as_flattened_mut()).unwrap();
        assert_eq!(dwords.map(u32::from_le_bytes), [1, 2, 0, 11, 12, 0, 21]);
        let mut kept = [0; 4];
        memory.read(PpgttAddress(KEPT.into()), &mut kept).unwrap();
        assert_eq!(u32::from_le_bytes(kept), 72);
        // A buffer that goes on where memory says.
        let again = [0x7918_0006, 1 << 31 | 1 << 21, BUFFER, 0, 20, KEPT, 0, FROM_MEMORY];
        registers.restore(RegisterOffset(OFFSET), 0);
        set_buffer(Words(&again), &mut memory, &mut registers).unwrap();
        assert_eq!(registers.stored(RegisterOffset(OFFSET)), 72);
    }
}
