//! Memory of a device that the VMM may map into its guest.
//!
//! ```text
//!  guest ──stores──► VMM's mapping ──┐
//!                                    ├── one memfd
//!  device model ◄──loads── ours ─────┘
//! ```
//!
//! The file can be neither shrunk nor grown, so both mappings last. The guest changes words at any time: each is loaded
//! at once, and whoever decides by one decides by what it loaded. Pages cost memory only once they are touched, here
//! or there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, SeekFrom};
use vm_memory::{AtomicAccess, Bytes, GuestMemoryRegion, MemoryRegionAddress};

use super::region::Region;
use super::{MapRequest, SealPolicy, sealed_memfd};
use crate::{GuestAddress, Mappable};

/// The memory behind a [`Mappable`] part of a device. Cheap to clone; all clones are the same memory.
#[derive(Clone, Debug)]
pub struct SharedPages(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    part: Mappable,
    /// As long as the BAR up to the part's end, since the VMM maps the part where it lies in the BAR.
    file: OwnedFd,
    memory: Region,
    faulted: Arc<AtomicBool>,
}

impl SharedPages {
    /// Zeros.
    ///
    /// # Errors
    /// When the host has no descriptor or no address space left, or the part is not made of whole pages.
    pub fn new(part: Mappable) -> io::Result<Self> {
        let end = part.offset.checked_add(part.len).ok_or(io::ErrorKind::InvalidInput)?;
        let file = sealed_memfd(end)?;
        let faulted = Arc::new(AtomicBool::new(false));
        let (at, fd) = (GuestAddress(0), file.try_clone()?);
        let request = MapRequest { at, len: part.len, fd, offset: part.offset, writable: true };
        let memory = Region::map(&request, SealPolicy::RequireSealed, Arc::clone(&faulted));
        let memory = memory.map_err(io::Error::other)?;
        Ok(Self(Arc::new(Inner { part, file, memory, faulted })))
    }

    /// Which part of the device it is.
    #[must_use]
    pub fn part(&self) -> Mappable {
        self.0.part
    }

    /// The file, for a VMM. Offsets in it are those in the BAR.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }

    /// The little-endian word at `at` bytes from the part's start; `None` behind its end and where no word begins.
    #[must_use]
    pub fn load_u32(&self, at: u64) -> Option<u32> {
        self.load(at).map(u32::from_le)
    }

    /// See [`load_u32`](Self::load_u32).
    #[must_use]
    pub fn load_u64(&self, at: u64) -> Option<u64> {
        self.load(at).map(u64::from_le)
    }

    /// Stores a little-endian word at once; nothing where `load_u32` has nothing.
    pub fn store_u32(&self, at: u64, value: u32) {
        let place = MemoryRegionAddress(at);
        if let Ok(word) = self.0.memory.get_slice(place, size_of::<u32>()) {
            // It fails for an address that is not aligned.
            let _ = word.store(value.to_le(), 0, Ordering::Release);
        }
    }

    fn load<T: AtomicAccess>(&self, at: u64) -> Option<T> {
        let word = self.0.memory.get_slice(MemoryRegionAddress(at), size_of::<T>()).ok()?;
        word.load(0, Ordering::Acquire).ok()
    }

    /// The words of 64 bits that are not zero, each with its bytes from the part's start, in order. What was never
    /// touched is not looked at, and takes no memory.
    #[must_use]
    pub fn words(&self) -> Vec<(u64, u64)> {
        let Mappable { offset: start, len, .. } = self.0.part;
        let end = start.saturating_add(len);
        // Where a seek leaves the file is nobody's business: its VMM has the same file, and may seek too.
        let seek = |to| rustix::fs::seek(&self.0.file, to);
        let mut words = Vec::new();
        let mut at = start;
        while let Ok(data) = seek(SeekFrom::Data(at)) {
            let hole = seek(SeekFrom::Hole(data)).unwrap_or(end).min(end);
            let places = (data.max(at)..hole).step_by(size_of::<u64>()).map(|at| at - start);
            let word = |at| self.load_u64(at).filter(|word| *word != 0).map(|word| (at, word));
            words.extend(places.filter_map(word));
            if hole <= at {
                break;
            }
            at = hole;
        }
        words
    }

    /// All zeros again, and the memory goes back to the host. What the guest stores meanwhile may stay.
    pub fn clear(&self) {
        let end = self.0.part.offset.saturating_add(self.0.part.len);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(error) = rustix::fs::fallocate(&self.0.file, hole, 0, end) {
            log::warn!("memory shared with a VMM stays allocated: {error}");
            let words = (0..self.0.part.len).step_by(size_of::<u32>());
            words.for_each(|at| self.store_u32(at, 0));
        }
    }

    /// Bytes of the host's memory that it takes now.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        rustix::fs::fstat(&self.0.file)
            .map_or(0, |stat| u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512))
    }

    /// Whether the host had no memory for it, ever: since then the guest stores elsewhere.
    #[must_use]
    pub fn faulted(&self) -> bool {
        self.0.faulted.load(Ordering::Relaxed) || self.0.memory.tripped()
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::SealFlags;
    use rustix::io::Errno;

    use super::*;
    use crate::memory::PAGE;

    const PART: Mappable = Mappable { bar: 0, offset: 4 * PAGE, len: 8 * PAGE };

    #[test]
    fn what_one_side_stores_the_other_loads() {
        let pages = SharedPages::new(PART).unwrap();
        pages.store_u32(PAGE, 0x8765_4321);
        let mut word = [0; 4];
        rustix::io::pread(pages.file(), &mut word, PART.offset + PAGE).unwrap();
        assert_eq!(u32::from_le_bytes(word), 0x8765_4321);
        rustix::io::pwrite(pages.file(), &7u32.to_le_bytes(), PART.offset + PAGE + 4).unwrap();
        assert_eq!(pages.load_u64(PAGE), Some(0x7_8765_4321));
        assert!(!pages.faulted());
    }

    #[test]
    fn there_is_nothing_behind_the_end_and_between_words() {
        let pages = SharedPages::new(PART).unwrap();
        for at in [PART.len, PART.len - 2, u64::MAX, u64::MAX - 7, 1, 2] {
            pages.store_u32(at, 1);
            assert_eq!((pages.load_u32(at), pages.load_u64(at)), (None, None), "{at:#x}");
        }
        assert_eq!(pages.load_u64(PART.len - 8), Some(0));
    }

    #[test]
    fn memory_is_taken_page_by_page_and_given_back() {
        let pages = SharedPages::new(PART).unwrap();
        assert_eq!(pages.allocated(), 0);
        pages.store_u32(0, 1);
        // A VMM that stores outside of the part as well.
        rustix::io::pwrite(pages.file(), &[1], 0).unwrap();
        assert_eq!(pages.allocated(), 2 * PAGE);
        pages.clear();
        assert_eq!((pages.load_u32(0), pages.allocated()), (Some(0), PAGE));
    }

    #[test]
    fn words_are_found_without_touching_what_was_never_touched() {
        let pages = SharedPages::new(PART).unwrap();
        assert_eq!(pages.words(), []);
        rustix::io::pwrite(pages.file(), &[0xFF; 8], 0).unwrap();
        for at in [8, PAGE + 4, 7 * PAGE + 4088] {
            pages.store_u32(at, 3);
        }
        let words = [(8, 3), (PAGE, 3 << 32), (7 * PAGE + 4088, 3)];
        assert_eq!((pages.words(), pages.allocated()), (words.to_vec(), 4 * PAGE));
    }

    #[test]
    fn the_vmm_can_change_neither_the_size_nor_the_seals() {
        let pages = SharedPages::new(PART).unwrap();
        let size = PART.offset + PART.len;
        for other in [0, size - 1, size + 1] {
            assert_eq!(rustix::fs::ftruncate(pages.file(), other), Err(Errno::PERM));
        }
        let more = rustix::fs::fcntl_add_seals(pages.file(), SealFlags::WRITE);
        assert_eq!(more, Err(Errno::PERM));
    }
}
