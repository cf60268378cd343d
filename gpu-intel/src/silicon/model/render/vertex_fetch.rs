//! Vertex fetch: indices, and the elements that vertex shaders start from.
//!
//! Sources: SKL PRM vol 7, "Vertex fetch"; vol 2a, 3DSTATE_VERTEX_BUFFERS, VERTEX_ELEMENTS, VF, VF_SGVS, VF_INSTANCING,
//! INDEX_BUFFER, 3DPRIMITIVE.

use super::state::{self, State, VERTEX_BUFFER_COUNT, VERTEX_ELEMENT_COUNT};
use super::vertices::Slot;
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;
use crate::surface::{Format, LARGEST_ELEMENT};

/// What one 3DPRIMITIVE draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// Vertices are named by the index buffer.
    pub(super) indexed: bool,
    pub(super) count: u32,
    pub(super) first: u32,
    pub(super) instances: u32,
    pub(super) first_instance: u32,
    /// Added to each index.
    pub(super) base: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buffer {
    address: PpgttAddress,
    bytes: u64,
    pitch: u32,
    null: bool,
}

/// What a component of an element is (3D_Vertex_Component_Control).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component {
    NotStored,
    Source,
    Constant(u32),
    PrimitiveId,
}

impl Component {
    fn new(code: u32) -> Self {
        match code {
            1 => Self::Source,
            2 => Self::Constant(0),
            3 => Self::Constant(1.0_f32.to_bits()),
            4 => Self::Constant(1),
            7 => Self::PrimitiveId,
            _ => Self::NotStored,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Element {
    buffer: usize,
    format: Option<&'static Format>,
    offset: u32,
    components: [Component; 4],
    /// Instances that share a value; `None`: each vertex has its own.
    step: Option<u32>,
}

/// A number that the hardware puts into an element's component.
#[derive(Clone, Copy, Debug)]
struct Generated {
    element: usize,
    component: usize,
}

/// How indices are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indices {
    address: PpgttAddress,
    bytes: u64,
    /// Bytes of one.
    width: u64,
    /// The index that ends a strip.
    cut: Option<u32>,
}

impl Indices {
    pub(super) fn new(state: &State) -> Self {
        let buffer = state.command(state::INDEX_BUFFER);
        let vf = state.command(state::VF);
        let width: u64 = match buffer.bits(1, 8..=9) {
            0 => 1,
            1 => 2,
            _ => 4,
        };
        let cut = vf.dword(1);
        Self {
            address: buffer.address(2),
            bytes: buffer.dword(4).into(),
            width,
            cut: vf.flag(0, 8).then_some(cut),
        }
    }

    /// Indices from number `first` on, as many as `to` holds. Behind the buffer's end they are 0.
    pub(super) fn read<M: PpgttMemory>(
        &self,
        memory: &mut M,
        first: u64,
        to: &mut [u32],
    ) -> Result<(), Fault> {
        let wanted = to.len() as u64 * self.width;
        let start = first.saturating_mul(self.width);
        let there = self.bytes.saturating_sub(start).min(wanted) / self.width * self.width;
        let mut bytes = vec![0; wanted as usize];
        let inside = bytes.get_mut(..there as usize).unwrap_or_default();
        if !inside.is_empty() {
            memory.read(PpgttAddress(self.address.0.wrapping_add(start)).truncated(), inside)?;
        }
        for (index, bytes) in to.iter_mut().zip(bytes.chunks_exact(self.width as usize)) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(bytes) {
                *to = *from;
            }
            *index = u32::from_le_bytes(word);
        }
        Ok(())
    }

    pub(super) fn is_cut(&self, index: u32) -> bool {
        self.cut == Some(index)
    }
}

/// One vertex to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its place in the buffers: the index with the base added.
    pub(super) place: u32,
    /// Its number as shaders see it: the raw index, or how many were before it.
    pub(super) id: u32,
    /// Counted from 0.
    pub(super) instance: u32,
}

/// How vertices are fetched in one draw.
#[derive(Debug)]
pub(super) struct VertexFetch {
    buffers: Vec<Buffer>,
    elements: Vec<Element>,
    /// The element that says whether an edge of an outline begins at a vertex.
    edge_flag: Option<usize>,
    vertex_id: Option<Generated>,
    instance_id: Option<Generated>,
    first_instance: u32,
}

impl VertexFetch {
    pub(super) fn new(state: &State, first_instance: u32) -> Self {
        let words = state.command(state::VERTEX_BUFFERS);
        let buffer = |i: usize| {
            let words = words.from(1 + 4 * i);
            Buffer {
                address: words.address(1),
                bytes: words.dword(3).into(),
                pitch: words.bits(0, 0..=11),
                null: words.flag(0, 13),
            }
        };
        let words = state.command(state::VERTEX_ELEMENTS);
        let instancing = state.command(state::VF_INSTANCING);
        // The header's length says how many there are.
        let count = (words.bits(0, 0..=7) as usize).div_ceil(2).min(VERTEX_ELEMENT_COUNT);
        let element = |i: usize| {
            let words = words.from(1 + 2 * i);
            let steps = instancing.from(1 + 2 * i);
            let valid = words.flag(0, 25);
            let component = |shift: u32| Component::new(words.dword(1) >> shift & 7);
            Element {
                buffer: words.bits(0, 26..=31) as usize,
                format: Format::of(words.bits(0, 16..=24)).filter(|_| valid),
                offset: words.bits(0, 0..=11),
                components: [28, 24, 20, 16].map(component),
                step: steps.flag(0, 8).then(|| steps.dword(1)),
            }
        };
        let generated = state.command(state::VF_SGVS);
        let place = |on: u32, component, element| {
            generated.flag(1, on).then(|| Generated {
                element: generated.bits(1, element) as usize,
                component: generated.bits(1, component) as usize,
            })
        };
        Self {
            buffers: (0..VERTEX_BUFFER_COUNT).map(buffer).collect(),
            elements: (0..count).map(element).collect(),
            edge_flag: (0..count).find(|i| words.from(1 + 2 * i).flag(0, 15)),
            vertex_id: place(15, 13..=14, 0..=5),
            instance_id: place(31, 29..=30, 16..=21),
            first_instance,
        }
    }

    /// Slots of a fetched vertex.
    pub(super) fn slots(&self) -> usize {
        self.elements.len()
    }

    /// Fetches one vertex: an element is a slot. Returns whether an edge of an outline begins there.
    pub(super) fn fetch<M: PpgttMemory>(
        &self,
        memory: &mut M,
        wanted: Wanted,
        to: &mut [Slot],
    ) -> Result<bool, Fault> {
        for (element, slot) in self.elements.iter().zip(&mut *to) {
            let values = self.element(element, memory, wanted)?;
            for (i, component) in element.components.into_iter().enumerate() {
                slot[i] = match component {
                    Component::Source => values[i],
                    Component::Constant(value) => value,
                    Component::PrimitiveId | Component::NotStored => 0,
                };
            }
        }
        let generated = [(self.vertex_id, wanted.id), (self.instance_id, wanted.instance)];
        for (place, value) in generated {
            let Some(Generated { element, component }) = place else { continue };
            if let Some(to) = to.get_mut(element).and_then(|slot| slot.get_mut(component)) {
                *to = value;
            }
        }
        let flag = self.edge_flag.and_then(|element| to.get(element));
        Ok(flag.is_none_or(|slot| slot[0] != 0))
    }

    fn element<M: PpgttMemory>(
        &self,
        element: &Element,
        memory: &mut M,
        wanted: Wanted,
    ) -> Result<Slot, Fault> {
        if !element.components.contains(&Component::Source) {
            return Ok([0; 4]);
        }
        let (Some(format), Some(buffer)) = (element.format, self.buffers.get(element.buffer))
        else {
            return Ok([0; 4]);
        };
        let index = match element.step {
            None => wanted.place,
            Some(step) => {
                let steps = wanted.instance.checked_div(step).unwrap_or_default();
                self.first_instance.wrapping_add(steps)
            }
        };
        let offset = u64::from(index) * u64::from(buffer.pitch) + u64::from(element.offset);
        let length = format.bytes() as usize;
        if buffer.null || offset + length as u64 > buffer.bytes {
            return Ok([0; 4]);
        }
        let mut bytes = [0; LARGEST_ELEMENT];
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        memory.read(PpgttAddress(buffer.address.0.wrapping_add(offset)).truncated(), bytes)?;
        Ok(format.decode_vertex(bytes))
    }
}
