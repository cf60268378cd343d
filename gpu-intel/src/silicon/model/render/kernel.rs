//! What all threads of one stage begin with: pointers, push constants, modes.
//!
//! Sources: SKL PRM vol 7, "Thread payloads"; vol 2a, 3DSTATE_CONSTANT_*, BINDING_TABLE_POINTERS_*, SAMPLER_STATE_POINTERS_*.

use super::message::Bases;
use super::state::{self, Base, Opcode, State, Words};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{Control, Grf};
use crate::memory::PpgttMemory;

/// Registers of push constants that fit into a thread with its payload.
const MOST_CONSTANTS: usize = 64;
const REGISTER_BYTES: u64 = 32;

/// A stage with shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Vertex,
    Hull,
    Domain,
    Geometry,
    Pixel,
}

impl Stage {
    /// The commands with its constants, its binding table and its samplers.
    fn commands(self) -> [Opcode; 3] {
        match self {
            Self::Vertex => [
                state::CONSTANT_VS,
                state::BINDING_TABLE_POINTERS_VS,
                state::SAMPLER_STATE_POINTERS_VS,
            ],
            Self::Hull => [
                state::CONSTANT_HS,
                state::BINDING_TABLE_POINTERS_HS,
                state::SAMPLER_STATE_POINTERS_HS,
            ],
            Self::Domain => [
                state::CONSTANT_DS,
                state::BINDING_TABLE_POINTERS_DS,
                state::SAMPLER_STATE_POINTERS_DS,
            ],
            Self::Geometry => [
                state::CONSTANT_GS,
                state::BINDING_TABLE_POINTERS_GS,
                state::SAMPLER_STATE_POINTERS_GS,
            ],
            Self::Pixel => [
                state::CONSTANT_PS,
                state::BINDING_TABLE_POINTERS_PS,
                state::SAMPLER_STATE_POINTERS_PS,
            ],
        }
    }
}

/// What threads of a stage begin with.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Where its resources are.
    pub(super) bases: Bases,
    /// Whether each four lanes are a quad of pixels.
    pub(super) quads: bool,
    /// Where threads may spill, and how much each: a power of two of KiB. Threads run one after the other, or each worker
    /// has its own part.
    pub(super) scratch: PpgttAddress,
    pub(super) scratch_size: u32,
    pub(super) control: Control,
    pub(super) constants: Vec<Grf>,
}

impl Kernel {
    /// Of the stage that `words` sets up; its scratch space is at dword `scratch`.
    pub(super) fn new<M: PpgttMemory>(
        state: &State,
        stage: Stage,
        words: Words<'_>,
        scratch: usize,
        memory: &mut M,
    ) -> Result<Self, Fault> {
        let [constants, bindings, samplers] = stage.commands();
        let flags = if stage == Stage::Hull { 1 } else { 3 };
        let alternative = if words.flag(flags, 16) { Control::ALTERNATIVE } else { 0 };
        let binding_table = state.command(bindings).dword(1) & 0xffe0;
        let sampler_table = state.command(samplers).dword(1) & !31;
        Ok(Self {
            bases: Bases::new(state, binding_table, sampler_table),
            quads: stage == Stage::Pixel,
            scratch: PpgttAddress(words.address(scratch).0 & !0x3ff),
            scratch_size: words.bits(scratch, 0..=3),
            control: Control(alternative),
            constants: push_constants(state.command(constants), memory)?,
        })
    }

    /// Of a compute program that `descriptor` (INTERFACE_DESCRIPTOR_DATA) sets up, with the constants that all its threads have.
    pub(super) fn compute(
        state: &State,
        vfe: Words<'_>,
        descriptor: Words<'_>,
        constants: Vec<Grf>,
    ) -> Self {
        let alternative = if descriptor.flag(2, 16) { Control::ALTERNATIVE } else { 0 };
        Self {
            bases: Bases::new(state, descriptor.dword(4) & 0xffe0, descriptor.dword(3) & !31),
            quads: false,
            scratch: PpgttAddress(vfe.address(1).0 & 0xffff_ffff_fc00),
            scratch_size: vfe.bits(1, 0..=3),
            control: Control(alternative | descriptor.bits(6, 22..=23) << 4),
            constants,
        }
    }

    /// The header of every payload.
    pub(super) fn header(&self, thread: u32) -> Grf {
        let mut header = [0; 8];
        header[3] = self.bases.sampler_table | self.scratch_size;
        header[4] = self.bases.binding_table;
        // Threads of one worker follow each other, so each worker has one place.
        let place = thread << self.scratch_size << 10;
        header[5] = (self.scratch.0 as u32).wrapping_add(place) & !0x3ff | thread & 0x3ff;
        header
    }
}

impl Bases {
    fn new(state: &State, binding_table: u32, sampler_table: u32) -> Self {
        Self {
            surface: state.base(Base::Surface).0,
            dynamic: state.base(Base::Dynamic).0,
            general: state.base(Base::General).0,
            bindless: state.base(Base::Bindless).0,
            bindless_states: state.command(state::STATE_BASE_ADDRESS).bits(18, 12..=31) + 1,
            binding_table,
            sampler_table,
        }
    }
}

/// Four buffers, one after the other. Addresses are absolute: that is how Mesa sets up every context.
fn push_constants<M: PpgttMemory>(words: Words<'_>, memory: &mut M) -> Result<Vec<Grf>, Fault> {
    let mut constants = Vec::new();
    for buffer in 0..4 {
        let length = words.dword(1 + buffer / 2) >> (16 * (buffer % 2)) & 0xffff;
        let length = (length as usize).min(MOST_CONSTANTS - constants.len());
        let at = words.address(3 + 2 * buffer).0 & !31;
        for i in 0..length as u64 {
            let mut bytes = [0; REGISTER_BYTES as usize];
            let at = PpgttAddress(at.wrapping_add(REGISTER_BYTES * i)).truncated();
            memory.read(at, &mut bytes)?;
            let mut register = [0; 8];
            for (dword, bytes) in register.iter_mut().zip(bytes.as_chunks().0) {
                *dword = u32::from_le_bytes(*bytes);
            }
            constants.push(register);
        }
    }
    Ok(constants)
}
