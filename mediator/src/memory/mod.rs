//! Guest memory.

pub use vm_memory::GuestAddress;

/// The guest-physical memory of one VM, shared by everything that works for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GuestRam {}

/// Why guest memory could not be reached: always the guest's (or its VMM's) doing.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// Some of the range is not mapped.
    #[error("no guest memory at {0:#x} (length {1})")]
    Unmapped(u64, usize),
    /// Some of the range is mapped read-only.
    #[error("guest memory at {0:#x} (length {1}) is read-only")]
    ReadOnly(u64, usize),
}

impl GuestRam {
    /// Copies guest memory to `to`. All or nothing is defined: on an error the content of `to` is not.
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`].
    pub fn read(&self, at: GuestAddress, to: &mut [u8]) -> Result<(), MemoryError> {
        Err(MemoryError::Unmapped(at.0, to.len()))
    }

    /// Copies `from` to guest memory.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn write(&self, at: GuestAddress, from: &[u8]) -> Result<(), MemoryError> {
        Err(MemoryError::ReadOnly(at.0, from.len()))
    }

    /// Reads one naturally aligned little-endian word at once (no tearing).
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`], also for an address that is not aligned.
    pub fn read_u32(&self, at: GuestAddress) -> Result<u32, MemoryError> {
        Err(MemoryError::Unmapped(at.0, 4))
    }

    /// See [`read_u32`](Self::read_u32).
    ///
    /// # Errors
    /// As there.
    pub fn read_u64(&self, at: GuestAddress) -> Result<u64, MemoryError> {
        Err(MemoryError::Unmapped(at.0, 8))
    }

    /// Writes one naturally aligned little-endian word at once, after all writes before it.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn write_u32(&self, at: GuestAddress, _value: u32) -> Result<(), MemoryError> {
        Err(MemoryError::Unmapped(at.0, 4))
    }

    /// See [`write_u32`](Self::write_u32).
    ///
    /// # Errors
    /// As there.
    pub fn write_u64(&self, at: GuestAddress, _value: u64) -> Result<(), MemoryError> {
        Err(MemoryError::Unmapped(at.0, 8))
    }

    /// Memory of its own for tests and benches: `size` bytes from guest-physical address 0.
    ///
    /// # Errors
    /// When the host has no memory.
    pub fn anonymous(_size: u64) -> std::io::Result<Self> {
        Ok(Self {})
    }
}
