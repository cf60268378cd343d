//! Guest memory.
//!
//! The VMM hands over its guest's RAM piece by piece, as file descriptors with the guest-physical address at which
//! each belongs. They are mapped here, and everything that works for the guest (the device model, silicon, display)
//! reads and writes them through a [`GuestRam`].
//!
//! ```text
//!  VM's thread   map, unmap ──► a new table of regions ──swap──► readers see old or new, never wait
//!  other threads read, write ─► the table they caught, until the access is done
//! ```
//!
//! * After [`GuestRam::unmap`] nobody touches the memory: it waits for the accesses under way, each a copy at most.
//! * What the VMM hands over is judged first: aligned, inside the file, overlapping nothing, within the
//!   [`MemoryQuota`], and in a file that can't shrink ([`SealPolicy`]).
//! * Memory that vanishes all the same reads as zeros and marks its VM ([`GuestRam::faulted`]): see `sigbus.rs`.
//! * Pages written by the daemon are remembered ([`GuestRam::take_dirty`]): the VMM can't see them change.

mod queues;
mod region;
mod shared;
mod sigbus;

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use vm_memory::atomic::GuestMemoryLoadGuard;
use vm_memory::bitmap::{AtomicBitmap, BS};
use vm_memory::{
    AtomicAccess, Bytes, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryBackend,
    GuestMemoryRegion, GuestRegionCollection, MemoryRegionAddress, VolatileSlice,
};

pub use vm_memory::GuestAddress;

pub(crate) use queues::QueueMemory;
pub use shared::SharedPages;

use region::Region;

use crate::saved::MappedRange;

/// Bytes in a page: the grain of mappings and of dirty pages.
pub const PAGE: u64 = 4096;

/// How long [`GuestRam::unmap`] waits for accesses under way.
const UNMAP_PATIENCE: Duration = Duration::from_secs(1);

/// The guest-physical memory of one VM, shared by everything that works for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GuestRam {
    regions: GuestMemoryAtomic<Regions>,
    rules: Arc<Rules>,
}

type Regions = GuestRegionCollection<Region>;
type Memory<'a> = VolatileSlice<'a, BS<'a, AtomicBitmap>>;

/// What holds for all memory of one VM.
#[derive(Debug)]
struct Rules {
    quota: MemoryQuota,
    policy: SealPolicy,
    faulted: Arc<AtomicBool>,
    /// Counts changes of the map.
    changes: AtomicU64,
}

/// How much memory one VM may have mapped here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryQuota {
    /// Regions at a time. QEMU's q35 has about ten; its BIOS passes through some more.
    pub regions: usize,
    /// Bytes at a time, of all regions.
    pub bytes: u64,
}

impl Default for MemoryQuota {
    /// 128 regions, 64 GiB.
    fn default() -> Self {
        Self { regions: 128, bytes: 64 << 30 }
    }
}

/// Which files guest memory may lie in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealPolicy {
    /// Only memfds sealed against shrinking. This also keeps files away whose reads can stall (network, FUSE).
    #[default]
    RequireSealed,
    /// Any regular file, for memory backends that are files. Memory that vanishes costs the VM its device.
    AllowUnsealed,
}

/// A piece of guest memory to be mapped.
#[derive(Debug)]
pub struct MapRequest {
    /// Where the guest sees it.
    pub at: GuestAddress,
    /// Its bytes; a multiple of [`PAGE`], as are `at` and `offset`.
    pub len: u64,
    /// The file it lies in.
    pub fd: OwnedFd,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Whether the guest's device may write to it.
    pub writable: bool,
}

/// Pages that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRange {
    /// The first page.
    pub first: GuestAddress,
    /// Pages of [`PAGE`] bytes.
    pub pages: u64,
}

/// Where guest memory lies in a file.
#[derive(Clone, Debug)]
pub struct Backing {
    /// The file.
    pub file: Arc<OwnedFd>,
    /// Bytes from its start.
    pub offset: u64,
    /// Bytes from there on that belong to the guest.
    pub bytes: u64,
    /// Whether the guest's device may write to them.
    pub writable: bool,
}

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

/// Why memory was not mapped or unmapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Address, length or offset is not a multiple of a page, or the length is 0.
    #[error("address, length and offset must be multiples of {PAGE}, and the length not 0")]
    Unaligned,
    /// The range ends beyond the last address.
    #[error("the range ends beyond the last address")]
    Overflow,
    /// Something is mapped there.
    #[error("{0:#x} (length {1:#x}) overlaps memory that is already mapped")]
    Overlap(u64, u64),
    /// No region is exactly there.
    #[error("no region of guest memory starts at {0:#x} and is {1:#x} long")]
    NotMapped(u64, u64),
    /// The file could shrink.
    #[error(
        "the memory's file can shrink: use QEMU's memory-backend-memfd, which seals by default, \
         or allow unsealed memory for this VM"
    )]
    Unsealed,
    /// The descriptor is not one of a file that can be mapped.
    #[error("the descriptor is not a regular file's")]
    NotAFile,
    /// The file is too short.
    #[error("the range ends at {end:#x} in a file of {size:#x} bytes")]
    BeyondFile {
        /// End of the range in the file.
        end: u64,
        /// The file's size.
        size: u64,
    },
    /// The VM has its share of regions.
    #[error("the VM has {0} regions of memory mapped, as many as it may have")]
    TooManyRegions(usize),
    /// The VM would exceed its share of memory.
    #[error("the VM would have {0:#x} bytes of memory mapped and may have {1:#x}")]
    TooMuchMemory(u64, u64),
    /// The daemon's table of mappings is full.
    #[error("the daemon holds as many guest mappings as it can")]
    TableFull,
    /// The memory is gone from the table, but an access to it has not ended yet.
    #[error("an access to the memory has not ended in time")]
    Busy,
    /// The kernel refused.
    #[error("the kernel refused: {0}")]
    Os(#[source] io::Error),
}

impl MapError {
    /// The error's number on the wire.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Unaligned | Self::Overflow | Self::NotAFile | Self::BeyondFile { .. } => {
                Errno::INVAL
            }
            Self::Overlap(..) => Errno::EXIST,
            Self::NotMapped(..) => Errno::NOENT,
            Self::Unsealed => Errno::PERM,
            Self::TooManyRegions(_) | Self::TooMuchMemory(..) | Self::TableFull => Errno::NOSPC,
            Self::Busy => Errno::BUSY,
            Self::Os(e) => Errno::from_io_error(e).unwrap_or(Errno::IO),
        }
    }
}

impl GuestRam {
    /// No memory yet, and at most `quota` of it, all sealed.
    #[must_use]
    pub fn new(quota: MemoryQuota) -> Self {
        Self::with_policy(quota, SealPolicy::RequireSealed)
    }

    /// No memory yet.
    #[must_use]
    pub fn with_policy(quota: MemoryQuota, policy: SealPolicy) -> Self {
        let faulted = Arc::new(AtomicBool::new(false));
        Self {
            regions: GuestMemoryAtomic::new(Regions::new()),
            rules: Arc::new(Rules { quota, policy, faulted, changes: AtomicU64::new(0) }),
        }
    }

    /// Memory of its own for tests and benches: `size` bytes (rounded up to pages) from guest-physical address 0.
    ///
    /// # Errors
    /// When the host has no memory.
    pub fn anonymous(size: u64) -> io::Result<Self> {
        let len = size.checked_next_multiple_of(PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
        let ram = Self::new(MemoryQuota { regions: usize::MAX, bytes: u64::MAX });
        if len > 0 {
            let fd = sealed_memfd(len)?;
            let request = MapRequest { at: GuestAddress(0), len, fd, offset: 0, writable: true };
            ram.map(request).map_err(io::Error::other)?;
        }
        Ok(ram)
    }

    /// Maps a piece of memory.
    ///
    /// # Errors
    /// [`MapError`]; then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "the descriptor is the callee's to close")]
    pub fn map(&self, request: MapRequest) -> Result<(), MapError> {
        let lock = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.regions.memory();

        let MemoryQuota { regions, bytes } = self.rules.quota;
        if old.num_regions() >= regions {
            return Err(MapError::TooManyRegions(regions));
        }
        let total = mapped_bytes(&old).saturating_add(request.len);
        if total > bytes {
            return Err(MapError::TooMuchMemory(total, bytes));
        }
        let end = request.at.0.checked_add(request.len).ok_or(MapError::Overflow)?;
        let apart = |r: &Region| r.last_addr().0 < request.at.0 || r.start_addr().0 >= end;
        if !old.iter().all(apart) {
            return Err(MapError::Overlap(request.at.0, request.len));
        }

        let region = Region::map(&request, self.rules.policy, Arc::clone(&self.rules.faulted))?;
        let new = old
            .insert_region(Arc::new(region))
            .map_err(|_| MapError::Overlap(request.at.0, request.len))?;
        lock.replace(new);
        self.rules.changes.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Unmaps the region that was mapped at `at` with `len` bytes. When this returns, nobody touches it any more.
    ///
    /// # Errors
    /// [`MapError::NotMapped`]. [`MapError::Busy`] if an access did not end within a second: new accesses already
    /// fail, and the memory goes when that one ends.
    pub fn unmap(&self, at: GuestAddress, len: u64) -> Result<(), MapError> {
        let lock = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.regions.memory().remove_region(at, len);
        let (new, region) = removed.map_err(|_| MapError::NotMapped(at.0, len))?;
        lock.replace(new);
        self.rules.changes.fetch_add(1, Ordering::Release);
        await_readers(region, Instant::now() + UNMAP_PATIENCE)
    }

    /// Unmaps everything, as [`unmap`](Self::unmap) does.
    ///
    /// # Errors
    /// [`MapError::Busy`].
    pub fn unmap_all(&self) -> Result<(), MapError> {
        let lock = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.regions.memory().into_inner();
        lock.replace(Regions::new());
        self.rules.changes.fetch_add(1, Ordering::Release);
        await_readers(old, Instant::now() + UNMAP_PATIENCE)
    }

    /// What is mapped where, in order of addresses; ranges that touch are one.
    pub(crate) fn layout(&self) -> Vec<MappedRange> {
        let mut layout: Vec<MappedRange> = Vec::new();
        for region in self.regions.memory().iter() {
            let (at, bytes, writable) = (region.start_addr().0, region.len(), region.writable());
            match layout.last_mut() {
                Some(last) if last.at + last.bytes == at && last.writable == writable => {
                    last.bytes += bytes;
                }
                _ => layout.push(MappedRange { at, bytes, writable }),
            }
        }
        layout
    }

    /// The file that holds the memory at `at`, for a device that is to reach it there; `None` where nothing is mapped.
    #[must_use]
    pub fn backing(&self, at: GuestAddress) -> Option<Backing> {
        let regions = self.regions.memory();
        let region = regions.find_region(at)?;
        let (file, start) = region.file();
        let skip = at.0.checked_sub(region.start_addr().0)?;
        Some(Backing {
            file: Arc::clone(file),
            offset: start.checked_add(skip)?,
            bytes: region.len().checked_sub(skip)?,
            writable: region.writable(),
        })
    }

    /// How often the map has changed: while the number is the same, so is every [`backing`](Self::backing).
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.rules.changes.load(Ordering::Acquire)
    }

    /// Bytes mapped now.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        mapped_bytes(&self.regions.memory())
    }

    /// Whether memory vanished under an access, ever: what was read since is zeros, and the VM is not to be trusted.
    #[must_use]
    pub fn faulted(&self) -> bool {
        self.rules.faulted.load(Ordering::Relaxed)
            || self.regions.memory().iter().any(Region::tripped)
    }

    /// The pages written through this memory since the last call, in order of their addresses. Pages of regions that
    /// were unmapped meanwhile are not among them.
    #[must_use]
    pub fn take_dirty(&self) -> Vec<PageRange> {
        let mut dirty: Vec<PageRange> = Vec::new();
        for region in self.regions.memory().iter() {
            let words = (0u64..).step_by(64).zip(region.take_dirty());
            let pages = words.filter(|(_, word)| *word != 0).flat_map(|(base, word)| {
                (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| base + bit)
            });
            for page in pages {
                let at = GuestAddress(region.start_addr().0 + page * PAGE);
                match dirty.last_mut() {
                    Some(range) if range.first.0 + range.pages * PAGE == at.0 => range.pages += 1,
                    _ => dirty.push(PageRange { first: at, pages: 1 }),
                }
            }
        }
        dirty
    }

    /// Copies guest memory to `to`. All or nothing is defined: on an error the content of `to` is not.
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`].
    pub fn read(&self, at: GuestAddress, to: &mut [u8]) -> Result<(), MemoryError> {
        each_piece(&self.regions.memory(), at, to.len(), |piece, range| {
            if let Some(to) = to.get_mut(range) {
                piece.slice()?.copy_to(to);
            }
            Some(())
        })
    }

    /// Copies little-endian words of one region, each at once.
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`], also for words that lie in two regions.
    pub fn read_words(&self, at: GuestAddress, to: &mut [u64]) -> Result<(), MemoryError> {
        let regions = self.regions.memory();
        let slice = piece(&regions, at, size_of_val(to)).and_then(|piece| piece.slice());
        slice.ok_or(MemoryError::Unmapped(at.0, size_of_val(to)))?.copy_to(to);
        to.iter_mut().for_each(|word| *word = u64::from_le(*word));
        Ok(())
    }

    /// Whether these little-endian words lie at `at`, in one region. Reads as many as it takes to know.
    #[must_use]
    pub fn holds_words(&self, at: GuestAddress, words: &[u64]) -> bool {
        /// Words that are copied at a time.
        const CHUNK: usize = 64;
        let regions = self.regions.memory();
        let slice = piece(&regions, at, size_of_val(words)).and_then(|piece| piece.slice());
        let Some(slice) = slice else { return false };
        let mut there = [0; 8 * CHUNK];
        words.chunks(CHUNK).zip(0..).all(|(words, chunk)| {
            let Ok(slice) = slice.offset(chunk * there.len()) else { return false };
            slice.copy_to(&mut there);
            // No way out in between: so the processor compares several at once.
            let differing =
                |bits, (word, bytes): (&u64, &[u8; 8])| bits | (word ^ u64::from_le_bytes(*bytes));
            words.iter().zip(there.as_chunks().0).fold(0, differing) == 0
        })
    }

    /// Copies `from` to guest memory. On an error nothing is written.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn write(&self, at: GuestAddress, from: &[u8]) -> Result<(), MemoryError> {
        let regions = self.regions.memory();
        let mut writable = true;
        each_piece(&regions, at, from.len(), |piece, _| {
            writable &= piece.region.writable();
            Some(())
        })?;
        if !writable {
            return Err(MemoryError::ReadOnly(at.0, from.len()));
        }
        each_piece(&regions, at, from.len(), |piece, range| {
            piece.slice()?.copy_from(from.get(range)?);
            Some(())
        })
    }

    /// Reads one naturally aligned little-endian word at once (no tearing), before all reads after it.
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`], also for an address that is not aligned.
    pub fn read_u32(&self, at: GuestAddress) -> Result<u32, MemoryError> {
        self.load(at).map(u32::from_le)
    }

    /// See [`read_u32`](Self::read_u32).
    ///
    /// # Errors
    /// As there.
    pub fn read_u64(&self, at: GuestAddress) -> Result<u64, MemoryError> {
        self.load(at).map(u64::from_le)
    }

    /// Writes one naturally aligned little-endian word at once, after all writes before it.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn write_u32(&self, at: GuestAddress, value: u32) -> Result<(), MemoryError> {
        self.store(at, value.to_le())
    }

    /// See [`write_u32`](Self::write_u32).
    ///
    /// # Errors
    /// As there.
    pub fn write_u64(&self, at: GuestAddress, value: u64) -> Result<(), MemoryError> {
        self.store(at, value.to_le())
    }

    fn load<T: AtomicAccess>(&self, at: GuestAddress) -> Result<T, MemoryError> {
        let regions = self.regions.memory();
        let word = piece(&regions, at, size_of::<T>())
            .and_then(|p| p.slice()?.load(0, Ordering::Acquire).ok());
        word.ok_or(MemoryError::Unmapped(at.0, size_of::<T>()))
    }

    fn store<T: AtomicAccess>(&self, at: GuestAddress, value: T) -> Result<(), MemoryError> {
        let unmapped = MemoryError::Unmapped(at.0, size_of::<T>());
        let regions = self.regions.memory();
        let piece = piece(&regions, at, size_of::<T>()).ok_or(unmapped)?;
        if !piece.region.writable() {
            return Err(MemoryError::ReadOnly(at.0, size_of::<T>()));
        }
        piece.slice().and_then(|s| s.store(value, 0, Ordering::Release).ok()).ok_or(unmapped)
    }
}

/// A file of `len` zero bytes that can be neither shrunk nor grown, as VMMs make them for guest memory.
///
/// # Errors
/// When the host has no memory or no descriptor left.
pub fn sealed_memfd(len: u64) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("vgate-memory", flags)?;
    rustix::fs::ftruncate(&fd, len)?;
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(fd)
}

fn mapped_bytes(regions: &GuestMemoryLoadGuard<Regions>) -> u64 {
    regions.iter().map(GuestMemoryRegion::len).fold(0, u64::saturating_add)
}

/// Waits until `last` is the only one left who holds the memory, and lets go of it.
fn await_readers<T>(mut last: Arc<T>, deadline: Instant) -> Result<(), MapError> {
    let mut rounds = 0u32;
    loop {
        last = match Arc::try_unwrap(last) {
            Ok(_alone) => return Ok(()),
            Err(shared) => shared,
        };
        if Instant::now() >= deadline {
            return Err(MapError::Busy);
        }
        rounds = rounds.saturating_add(1);
        if rounds < 1000 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// A range within one region.
#[derive(Clone, Copy)]
struct Piece<'a> {
    region: &'a Region,
    offset: u64,
    len: usize,
}

impl<'a> Piece<'a> {
    fn slice(&self) -> Option<Memory<'a>> {
        self.region.get_slice(MemoryRegionAddress(self.offset), self.len).ok()
    }
}

/// The piece of exactly `len` bytes at `at`.
fn piece(regions: &Regions, at: GuestAddress, len: usize) -> Option<Piece<'_>> {
    let region = regions.find_region(at)?;
    Some(Piece { region, offset: at.0.checked_sub(region.start_addr().0)?, len })
}

/// Calls `f` for each region's part of `len` bytes from `at`, with its place in the whole. `None` of `f` ends it.
#[inline]
fn each_piece(
    regions: &Regions,
    at: GuestAddress,
    len: usize,
    mut f: impl FnMut(Piece<'_>, Range<usize>) -> Option<()>,
) -> Result<(), MemoryError> {
    let mut done = 0;
    while done < len {
        let mut next = || {
            let here = GuestAddress(at.0.checked_add(done as u64)?);
            let mut piece = piece(regions, here, len - done)?;
            let rest = piece.region.len().checked_sub(piece.offset)?;
            piece.len = usize::try_from(rest).unwrap_or(usize::MAX).min(piece.len);
            let end = done.checked_add(piece.len)?;
            f(piece, done..end)?;
            Some(end)
        };
        done = next().ok_or(MemoryError::Unmapped(at.0, len))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
