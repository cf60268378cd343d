//! Memory that the mediator made and shares with this process.

#![expect(unsafe_code, reason = "mappings")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use rustix::fs::SealFlags;
use rustix::mm::{MapFlags, ProtFlags};

use crate::wire::ArenaOffset;

/// A file of the mediator, mapped here as words that the other side changes at any time.
#[derive(Debug)]
pub(super) struct Words {
    start: *mut core::ffi::c_void,
    bytes: usize,
}

// SAFETY: the mapping is only reached as a slice of atomics, which any thread may use.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// Maps the whole file.
    pub(super) fn map(file: &OwnedFd) -> io::Result<Self> {
        let bytes = sealed_size(file)?;
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, where the kernel likes it, disturbs nothing.
        let start = unsafe {
            rustix::mm::mmap(core::ptr::null_mut(), bytes, access, MapFlags::SHARED, file, 0)?
        };
        Ok(Self { start, bytes })
    }

    /// The words. They live as long as `self` does, whatever the type says: for a struct that keeps both.
    pub(super) fn words(&self) -> &'static [AtomicU64] {
        // SAFETY: the range is mapped, page-aligned and never unmapped before `self` is dropped; its file can't shrink.
        // Atomics may be changed by other processes. `self` lies in one private struct with all that holds the slice, as
        // its last field, and none of that is handed out.
        unsafe {
            core::slice::from_raw_parts(
                self.start.cast::<AtomicU64>(),
                self.bytes / size_of::<u64>(),
            )
        }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: `map` made it, and nothing refers to it any more.
        let _ = unsafe { rustix::mm::munmap(self.start, self.bytes) };
    }
}

/// The buffers' memory: a file, sparse, sealed against shrinking, that any part of the process may map. What was never
/// touched reads as zero and takes no memory.
#[derive(Debug)]
pub struct Arena {
    file: OwnedFd,
    bytes: u64,
}

impl Arena {
    pub(super) fn new(file: OwnedFd) -> io::Result<Self> {
        let bytes = sealed_size(&file)?;
        Ok(Self { file, bytes })
    }

    /// The file: offset 0 is [`ArenaOffset`] 0.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// How large it is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies from the arena.
    ///
    /// # Errors
    /// When the range ends behind the arena.
    pub fn read(&self, at: ArenaOffset, to: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.file, rest, at.0.saturating_add(done as u64))? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }

    /// Copies to the arena.
    ///
    /// # Errors
    /// When the range ends behind the arena, or the host has no memory.
    pub fn write(&self, at: ArenaOffset, from: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while let Some(rest) = from.get(done..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pwrite(&self.file, rest, at.0.saturating_add(done as u64))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => done += count,
            }
        }
        Ok(())
    }

    /// Gives memory back to the host: it reads as zero from now on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn discard(&self, at: ArenaOffset, bytes: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&self.file, hole, at.0, bytes)?)
    }
}

/// The size of a file that can't shrink: one that can is not the mediator's, and could cost this process its life.
fn sealed_size(file: &OwnedFd) -> io::Result<u64> {
    if !rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::SHRINK) {
        return Err(io::Error::other("the mediator's memory is not sealed"));
    }
    let size = rustix::fs::fstat(file)?.st_size;
    u64::try_from(size).map_err(|_| io::ErrorKind::InvalidData.into())
}
