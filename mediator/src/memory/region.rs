//! One mapped piece of guest memory: which descriptors are acceptable, and the mapping itself.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use vm_memory::bitmap::{AtomicBitmap, BS, Bitmap};
use vm_memory::{
    GuestAddress, GuestMemoryRegion, GuestMemoryRegionBytes, GuestRegionMmap, GuestUsize,
    MemoryRegionAddress, MmapRegion, VolatileSlice, mmap::MmapRegionBuilder,
};

use super::{MapError, MapRequest, PAGE, SealPolicy, sigbus};

/// The `f_type` of hugetlbfs (linux/magic.h), whose pages are the file system's blocks.
const HUGETLBFS: u64 = 0x9584_58f6;

/// A piece of guest memory that is mapped here. The guard goes before the mapping that it guards.
#[derive(Debug)]
pub(super) struct Region {
    memory: GuestRegionMmap<AtomicBitmap>,
    writable: bool,
    guard: sigbus::Guard,
    _mapping: Mapping,
    faulted: Arc<AtomicBool>,
    /// What is mapped, and from where on.
    file: Arc<OwnedFd>,
    offset: u64,
}

impl Region {
    /// Maps what `request` asks for. `faulted` is set when memory vanished, at the latest when the region goes.
    pub(super) fn map(
        request: &MapRequest,
        policy: SealPolicy,
        faulted: Arc<AtomicBool>,
    ) -> Result<Self, MapError> {
        let granule = check(request, policy)?;
        sigbus::install().map_err(MapError::Os)?;

        // Huge pages are mapped whole, whatever part of them is the guest's.
        let file_start = request.offset & !(granule - 1);
        let file_end = request
            .offset
            .checked_add(request.len)
            .and_then(|end| end.checked_next_multiple_of(granule))
            .ok_or(MapError::Overflow)?;
        let size = |bytes: u64| usize::try_from(bytes).map_err(|_| MapError::Overflow);
        let skip = size(request.offset - file_start)?;
        let mapping =
            Mapping::new(request.fd.as_fd(), file_start, size(file_end - file_start)?, request)?;

        // SAFETY: the mapping was just made for a guest's bytes and outlives the guard, which stands before it in
        // `Region`. Both ends are multiples of `granule`, its page size.
        let guard =
            unsafe { sigbus::Guard::new(mapping.start as usize, mapping.len, granule as usize) };
        let guard = guard.ok_or(MapError::TableFull)?;

        let len = size(request.len)?;
        let page = NonZeroUsize::new(PAGE as usize).unwrap_or(NonZeroUsize::MIN);
        let builder = MmapRegionBuilder::new_with_bitmap(len, AtomicBitmap::new(len, page));
        // SAFETY: `skip + len` bytes lie within the mapping, which `Region` keeps as long as the memory built on it.
        let memory: MmapRegion<AtomicBitmap> =
            unsafe { builder.with_raw_mmap_pointer(mapping.start.add(skip)) }
                .build()
                .map_err(|_| MapError::Unaligned)?;
        let memory = GuestRegionMmap::new(memory, request.at).ok_or(MapError::Overflow)?;
        let file = request.fd.try_clone().map_err(MapError::Os)?;
        Ok(Self {
            memory,
            writable: request.writable,
            guard,
            _mapping: mapping,
            faulted,
            file: Arc::new(file),
            offset: request.offset,
        })
    }

    /// Whether the guest lets its device write here.
    pub(super) fn writable(&self) -> bool {
        self.writable
    }

    /// The file that the memory lies in, and where in it the region begins.
    pub(super) fn file(&self) -> (&Arc<OwnedFd>, u64) {
        (&self.file, self.offset)
    }

    /// Whether memory vanished here.
    pub(super) fn tripped(&self) -> bool {
        self.guard.tripped()
    }

    /// The pages that were written to since the last call, as bits.
    pub(super) fn take_dirty(&self) -> Vec<u64> {
        (*self.memory).bitmap().get_and_reset()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.tripped() {
            self.faulted.store(true, Ordering::Relaxed);
        }
    }
}

impl GuestMemoryRegion for Region {
    type B = AtomicBitmap;

    fn len(&self) -> GuestUsize {
        self.memory.len()
    }

    fn start_addr(&self) -> GuestAddress {
        self.memory.start_addr()
    }

    fn bitmap(&self) -> BS<'_, AtomicBitmap> {
        (*self.memory).bitmap().slice_at(0)
    }

    fn get_slice(
        &self,
        offset: MemoryRegionAddress,
        count: usize,
    ) -> vm_memory::GuestMemoryResult<VolatileSlice<'_, BS<'_, AtomicBitmap>>> {
        self.memory.get_slice(offset, count)
    }
}

impl GuestMemoryRegionBytes for Region {}

/// Bytes of a file in the daemon's address space.
#[derive(Debug)]
struct Mapping {
    start: *mut u8,
    len: usize,
}

// SAFETY: the address is only ever used through vm-memory's volatile accessors, which any thread may use.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(
        fd: std::os::fd::BorrowedFd<'_>,
        offset: u64,
        len: usize,
        request: &MapRequest,
    ) -> Result<Self, MapError> {
        let access = if request.writable { ProtFlags::WRITE } else { ProtFlags::empty() };
        // SAFETY: a new mapping at an address that the kernel chooses disturbs nothing.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | access,
                MapFlags::SHARED | MapFlags::NORESERVE,
                fd,
                offset,
            )
        };
        Ok(Self { start: start.map_err(|e| MapError::Os(e.into()))?.cast(), len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` (pieces of it perhaps replaced by the SIGBUS handler); nothing refers to
        // it any more.
        if let Err(e) = unsafe { rustix::mm::munmap(self.start.cast(), self.len) } {
            log::error!("guest memory of {} bytes could not be unmapped: {e}", self.len);
        }
    }
}

/// Judges a request by itself; returns the page size of its file.
fn check(request: &MapRequest, policy: SealPolicy) -> Result<u64, MapError> {
    let MapRequest { at, len, offset, ref fd, .. } = *request;
    if len == 0 || [at.0, len, offset].iter().any(|n| n % PAGE != 0) {
        return Err(MapError::Unaligned);
    }
    at.0.checked_add(len).ok_or(MapError::Overflow)?;
    let end = offset.checked_add(len).ok_or(MapError::Overflow)?;

    if policy == SealPolicy::RequireSealed && !sealed(fd)? {
        return Err(MapError::Unsealed);
    }
    let stat = rustix::fs::fstat(fd).map_err(|e| MapError::Os(e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(MapError::NotAFile);
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if end > size {
        return Err(MapError::BeyondFile { end, size });
    }
    let file_system = rustix::fs::fstatfs(fd).map_err(|e| MapError::Os(e.into()))?;
    let huge = file_system.f_type as u64 == HUGETLBFS;
    let granule = if huge { u64::try_from(stat.st_blksize).unwrap_or(0) } else { PAGE };
    if granule < PAGE || !granule.is_power_of_two() {
        return Err(MapError::NotAFile);
    }
    Ok(granule)
}

/// Whether the file can never shrink.
fn sealed(fd: &OwnedFd) -> Result<bool, MapError> {
    match rustix::fs::fcntl_get_seals(fd) {
        Ok(seals) => Ok(seals.contains(SealFlags::SHRINK)),
        // Not a kind of file that has seals.
        Err(Errno::INVAL) => Ok(false),
        Err(e) => Err(MapError::Os(e.into())),
    }
}
