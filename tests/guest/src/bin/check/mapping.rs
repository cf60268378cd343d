//! A buffer's bytes as the CPU sees them, while the GPU may change them at any time.
//!
//! All accesses are volatile and as wide as the alignment allows, because some views answer each
//! access with a trap.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

/// A shared mapping of one buffer; unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    size: usize,
}

impl Mapping {
    /// Maps `size` bytes of `node` from the offset that the driver handed out.
    pub(crate) fn new(node: &File, offset: u64, size: usize) -> io::Result<Mapping> {
        // SAFETY: the kernel picks an unused range; the result is checked before use.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                node.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { start: start.cast(), size })
    }

    fn word<T>(&self, offset: usize) -> *mut T {
        let end = offset + size_of::<T>();
        assert!(end <= self.size, "offset {offset:#x} is outside of the mapping");
        assert!(offset.is_multiple_of(size_of::<T>()), "offset {offset:#x} is not aligned");
        self.start.wrapping_add(offset).cast()
    }

    pub(crate) fn read_u32(&self, offset: usize) -> u32 {
        // SAFETY: `word` checked bounds and alignment.
        unsafe { self.word::<u32>(offset).read_volatile() }
    }

    pub(crate) fn write_u32(&self, offset: usize, value: u32) {
        // SAFETY: `word` checked bounds and alignment.
        unsafe { self.word::<u32>(offset).write_volatile(value) }
    }

    pub(crate) fn read_u64(&self, offset: usize) -> u64 {
        // SAFETY: `word` checked bounds and alignment.
        unsafe { self.word::<u64>(offset).read_volatile() }
    }

    pub(crate) fn write_u64(&self, offset: usize, value: u64) {
        // SAFETY: `word` checked bounds and alignment.
        unsafe { self.word::<u64>(offset).write_volatile(value) }
    }

    /// Writes `bytes`, whose length is a multiple of 8, at `offset`, which is one too.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        assert!(rest.is_empty(), "{} bytes are not whole words", bytes.len());
        for (index, word) in words.iter().enumerate() {
            self.write_u64(offset + 8 * index, u64::from_le_bytes(*word));
        }
    }

    /// Copies everything out.
    pub(crate) fn read_all(&self) -> Vec<u8> {
        (0..self.size / 8).flat_map(|index| self.read_u64(8 * index).to_le_bytes()).collect()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is our own mapping, and no reference into it exists.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}
