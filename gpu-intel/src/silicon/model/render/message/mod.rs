//! Stub.
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message};
use crate::memory::PpgttMemory;

#[derive(Debug, Default)]
pub(super) struct Resources;

impl Resources {
    pub(super) fn bind(&mut self, _binding_table: u32, _samplers: u32) {}
    pub(super) fn invalidate(&mut self) {}
    pub(super) fn send<M: PpgttMemory>(
        &mut self,
        _memory: &mut M,
        message: &Message<'_>,
        _response: &mut [Grf],
    ) -> Result<(), Fault> {
        Err(Fault::new("stub", format!("{message:?}")))
    }
}
