//! Tables that begin as zeros and cost memory only where they were written.
//!
//! A mapping of their own, so that a reset gives the pages back to the host; an allocator may keep them, or clear
//! them by writing every byte.

use std::io;

use memmap2::MmapMut;

/// A table of little-endian words.
#[derive(Debug)]
pub(crate) struct ZeroPages(MmapMut);

impl ZeroPages {
    /// `bytes` of zeros.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        MmapMut::map_anon(bytes).map(Self)
    }

    /// All zeros again.
    pub(crate) fn clear(&mut self) {
        match MmapMut::map_anon(self.0.len()) {
            Ok(fresh) => self.0 = fresh,
            // A host without memory for a second mapping: the first one does, at its present size.
            Err(_) => self.0.fill(0),
        }
    }

    /// Zeros up to a place, in bytes.
    pub(crate) fn clear_below(&mut self, end: usize) {
        self.0.iter_mut().take(end).for_each(|byte| *byte = 0);
    }

    /// The 32-bit word at a place that is a multiple of 4; zero behind the end.
    pub(crate) fn get_u32(&self, at: usize) -> u32 {
        self.0.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// Sets the 32-bit word at a place; nothing behind the end.
    pub(crate) fn set_u32(&mut self, at: usize, value: u32) {
        if let Some(word) = self.0.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *word = value.to_le_bytes();
        }
    }

    /// The 64-bit word at a place that is a multiple of 8; zero behind the end.
    pub(crate) fn get_u64(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_until_they_are_cleared() {
        let mut table = ZeroPages::new(4096).unwrap();
        table.set_u32(8, 0x89AB_CDEF);
        table.set_u32(12, 0x0123_4567);
        assert_eq!((table.get_u32(12), table.get_u64(8)), (0x0123_4567, 0x0123_4567_89AB_CDEF));
        table.clear_below(12);
        assert_eq!((table.get_u32(8), table.get_u32(12)), (0, 0x0123_4567));
        table.clear();
        assert_eq!(table.get_u64(8), 0);
    }

    #[test]
    fn there_is_nothing_behind_the_end() {
        let mut table = ZeroPages::new(4096).unwrap();
        table.set_u32(4096, 1);
        table.set_u32(usize::MAX, 1);
        assert_eq!(
            (table.get_u32(4096), table.get_u64(4092), table.get_u64(usize::MAX)),
            (0, 0, 0)
        );
    }
}
