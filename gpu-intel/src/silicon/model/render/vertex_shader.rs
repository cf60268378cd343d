//! Vertex shaders: 8 vertices to a thread.
//!
//! Sources: SKL PRM vol 7, "VS thread payload"; vol 2a, 3DSTATE_VS, 3DSTATE_URB_VS.

use std::sync::Arc;

use super::Halt;
use super::kernel::{Kernel, Stage};
use super::state::{self, Base, State};
use super::urb::Urb;
use super::vertex_fetch::{VertexFetch, Wanted};
use super::vertices::{Slot, VertexId, Vertices};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::eu::Program;
use crate::silicon::model::stop::Stop;

const LANES: usize = 8;
/// Bytes of a unit that URB entries are measured in, as slots.
const SLOTS_PER_UNIT: usize = 4;

/// How vertices are shaded in one draw.
#[derive(Debug)]
pub(super) struct VertexShader {
    kernel: Kernel,
    program: Arc<Program>,
    start: usize,
    slots: usize,
    /// Fetched elements that go into the payload.
    elements: std::ops::Range<usize>,
}

impl VertexShader {
    /// `None` if vertices pass as they were fetched.
    pub(super) fn new(state: &State, worker: &mut Worker) -> Result<Option<Self>, Fault> {
        let vs = state.command(state::VS);
        if !vs.flag(7, 0) {
            return Ok(None);
        }
        let kernel = Kernel::new(state, Stage::Vertex, vs, 4, &mut worker.memory)?;
        let program = worker.program(state.base(Base::Instruction), vs.address(1))?;
        let units = state.command(state::URB_VS).bits(1, 16..=24) as usize + 1;
        let (first, length) = (vs.bits(6, 4..=9) as usize, vs.bits(6, 11..=16) as usize);
        Ok(Some(Self {
            kernel,
            program,
            start: vs.bits(6, 20..=24) as usize,
            slots: SLOTS_PER_UNIT * units,
            // In pairs.
            elements: 2 * first..2 * (first + length),
        }))
    }

    pub(super) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Slots of a shaded vertex.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Shades up to 8 vertices, to `vertices` from `first` on.
    pub(super) fn run(
        &self,
        fetch: &VertexFetch,
        batch: &[Wanted],
        first: VertexId,
        vertices: &mut Vertices,
        worker: &mut Worker,
        stop: &Stop,
    ) -> Result<(), Halt> {
        let lanes = batch.len().min(LANES);
        let mask = u32::MAX >> (32 - lanes as u32);
        worker.start(&self.kernel, mask, mask);
        let mut handles = [0; LANES];
        handles.iter_mut().zip(0..).for_each(|(handle, lane)| *handle = lane);
        worker.set_register(1, handles);
        let at = worker.push_constants(&self.kernel, self.start);

        let mut slots: Vec<Slot> = vec![[0; 4]; fetch.slots()];
        let mut payload = vec![[0; LANES]; 4 * self.elements.len()];
        for (lane, wanted) in batch.iter().enumerate() {
            if !fetch.fetch(&mut worker.memory, *wanted, &mut slots)? {
                vertices.set_inner(VertexId(first.0 + lane as u32));
            }
            let elements = slots.get(self.elements.start..).unwrap_or_default();
            for (registers, slot) in payload.chunks_exact_mut(4).zip(elements) {
                for (register, value) in registers.iter_mut().zip(slot) {
                    register[lane] = *value;
                }
            }
        }
        for (i, register) in payload.into_iter().enumerate() {
            worker.set_register(at + i, register);
        }
        let mut urb = Urb::new(vertices, first, lanes);
        worker.run(&self.program, &self.kernel, &mut urb, stop)
    }
}
