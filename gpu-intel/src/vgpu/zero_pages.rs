//! Tables that begin as zeros and cost memory only where they were written.
//!
//! A mapping of their own, so that a reset gives the pages back to the host; an allocator may keep them, or clear
//! them by writing every byte.

use std::io;

use memmap2::MmapMut;

/// Bytes that one bit of the record of touched pages stands for.
const PAGE: usize = 4096;

/// A table of little-endian words.
#[derive(Debug)]
pub(crate) struct ZeroPages {
    bytes: MmapMut,
    /// A bit for each page that was written: a partial clearing takes time for those only.
    touched: Vec<u64>,
}

impl ZeroPages {
    /// `bytes` of zeros.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let touched = vec![0; bytes.div_ceil(PAGE * 64)];
        Ok(Self { bytes: MmapMut::map_anon(bytes)?, touched })
    }

    /// All zeros again.
    pub(crate) fn clear(&mut self) {
        match MmapMut::map_anon(self.bytes.len()) {
            Ok(fresh) => self.bytes = fresh,
            // A host without memory for a second mapping: the first one does, at its present size.
            Err(_) => self.bytes.fill(0),
        }
        self.touched.fill(0);
    }

    /// Zeros up to a place, in bytes.
    pub(crate) fn clear_below(&mut self, end: usize) {
        let touched = &self.touched;
        let pages = self.bytes.get_mut(..end).unwrap_or(&mut []).chunks_mut(PAGE);
        for (number, page) in pages.enumerate() {
            if touched.get(number / 64).is_some_and(|bits| bits >> (number % 64) & 1 != 0) {
                page.fill(0);
            }
        }
    }

    /// The 32-bit word at a place that is a multiple of 4; zero behind the end.
    pub(crate) fn get_u32(&self, at: usize) -> u32 {
        self.bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// Sets the 32-bit word at a place; nothing behind the end.
    pub(crate) fn set_u32(&mut self, at: usize, value: u32) {
        if let Some(word) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *word = value.to_le_bytes();
            if let Some(bits) = self.touched.get_mut(at / (PAGE * 64)) {
                *bits |= 1 << (at / PAGE % 64);
            }
        }
    }

    /// The words of 64 bits that are not zero, and their indices, in order.
    pub(crate) fn words(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let is_touched = |page: &usize| {
            self.touched.get(page / 64).is_some_and(|bits| bits >> (page % 64) & 1 != 0)
        };
        let touched = (0..self.bytes.len().div_ceil(PAGE)).filter(is_touched);
        let words = touched.flat_map(|page| page * (PAGE / 8)..(page + 1) * (PAGE / 8));
        words.map(|index| (index as u32, self.get_u64(index * 8))).filter(|(_, word)| *word != 0)
    }

    /// Sets the 64-bit word with this index; nothing behind the end.
    pub(crate) fn set_word(&mut self, index: u32, word: u64) {
        let at = index as usize * 8;
        self.set_u32(at, word as u32);
        self.set_u32(at + 4, (word >> 32) as u32);
    }

    fn get_u64(&self, at: usize) -> u64 {
        self.bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |word| u64::from_le_bytes(*word))
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
        assert_eq!((table.get_u32(12), table.get_u32(8)), (0x0123_4567, 0x89AB_CDEF));
        table.clear_below(12);
        assert_eq!((table.get_u32(8), table.get_u32(12)), (0, 0x0123_4567));
        table.clear();
        assert_eq!(table.get_u32(12), 0);
    }

    #[test]
    fn there_is_nothing_behind_the_end() {
        let mut table = ZeroPages::new(4096).unwrap();
        table.set_u32(4096, 1);
        table.set_u32(usize::MAX, 1);
        assert_eq!((table.get_u32(4096), table.get_u32(usize::MAX)), (0, 0));
    }
}
