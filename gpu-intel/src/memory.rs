//! What reads and writes a context's address space: shaders' messages, samplers, fixed functions.

use crate::address::PpgttAddress;
use crate::command::streamer::Fault;

/// A context's own address space, as one thread of the renderer sees it.
pub trait PpgttMemory {
    /// Reads `to.len()` bytes. Aligned reads of 4 and 8 bytes do not tear.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Fault>;

    /// Writes `from`. Aligned writes of 4 and 8 bytes do not tear.
    ///
    /// # Errors
    /// A fault where nothing is mapped, or only for reading.
    fn write(&mut self, at: PpgttAddress, from: &[u8]) -> Result<(), Fault>;

    /// Replaces a word of `bytes` (4 or 8) by what `change` makes of it, with no other atomic operation in between;
    /// returns the old value.
    ///
    /// # Errors
    /// As for reads and writes.
    fn modify(
        &mut self,
        at: PpgttAddress,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault>;
}
