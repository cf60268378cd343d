//! Memory of queues: words that the daemon and one client share.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use vm_memory::{GuestMemoryRegion, MemoryRegionAddress};

use super::region::Region;
use super::{MapRequest, PAGE, SealPolicy, sealed_memfd};
use crate::GuestAddress;

/// Zeros that a client may map and change at any time. Only atomics are made of them.
#[derive(Debug)]
pub(crate) struct QueueMemory {
    file: OwnedFd,
    region: Region,
    words: usize,
}

impl QueueMemory {
    /// Room for so many words, in whole pages.
    pub(crate) fn new(words: usize) -> io::Result<Self> {
        let len = (words as u64).checked_mul(8).and_then(|len| len.checked_next_multiple_of(PAGE));
        let len = len.ok_or(io::ErrorKind::OutOfMemory)?;
        let file = sealed_memfd(len)?;
        let (at, fd) = (GuestAddress(0), file.try_clone()?);
        let request = MapRequest { at, len, fd, offset: 0, writable: true };
        let faulted = Arc::new(AtomicBool::new(false));
        let region = Region::map(&request, SealPolicy::RequireSealed, faulted);
        Ok(Self { file, region: region.map_err(io::Error::other)?, words })
    }

    /// The file, for the client.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether the host had no memory for it.
    pub(crate) fn faulted(&self) -> bool {
        self.region.tripped()
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        let Ok(all) = self.region.get_slice(MemoryRegionAddress(0), self.words * size_of::<u64>())
        else {
            return &[];
        };
        let start = all.ptr_guard_mut();
        // SAFETY: the region maps these bytes, from a page's start on, for as long as `self` lives; they are only ever
        // reached as atomics here, and the client can't take them away.
        unsafe { slice::from_raw_parts(start.as_ptr().cast::<AtomicU64>(), self.words) }
    }
}
