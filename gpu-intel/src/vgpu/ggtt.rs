//! The global graphics translation table of one vGPU: 2^20 entries of its own, so no two guests share an address.
//!
//! Entries are kept as the guest writes them, which it may do without a trap: the table is memory that its VMM can map
//! ([`Mappable`]). They are looked up at each use. A driver may write the two halves of an entry
//! one after the other; in between the entry is what both halves say, as on silicon.

use std::io;

use mediator::memory::SharedPages;
use mediator::{GuestAddress, Mappable};

use super::saved::Words;
use crate::address::GgttAddress;
use crate::gtt::GgttEntry;

/// Entries in the table: 4 GiB of addresses in pages of 4 KiB.
pub(crate) const ENTRIES: usize = 1 << 20;
/// Where the table begins in BAR0.
pub(crate) const IN_BAR0: u64 = 8 << 20;
/// The table in BAR0, all of it.
pub(crate) const PART: Mappable = Mappable { bar: 0, offset: IN_BAR0, len: ENTRIES as u64 * 8 };

/// What BAR2 spans where PVINFO says how much of it there is: the usual size, so that drivers find nothing odd.
pub(crate) const APERTURE: u64 = 256 << 20;
/// The rest of the GGTT is offered behind the aperture; its last page stays free for i915's guard page.
pub(crate) const UNMAPPABLE_BASE: u32 = APERTURE as u32;
/// Size of that part.
pub(crate) const UNMAPPABLE_SIZE: u32 = 0u32.wrapping_sub(UNMAPPABLE_BASE);

/// The table.
#[derive(Debug)]
pub(crate) struct Ggtt(SharedPages);

impl Ggtt {
    /// A table without entries.
    pub(crate) fn new() -> io::Result<Self> {
        SharedPages::new(PART).map(Self)
    }

    /// From now on the table lies in `pages`.
    pub(crate) fn share(&mut self, pages: SharedPages) {
        self.0 = pages;
    }

    /// Bytes of the host's memory that the table takes.
    pub(crate) fn allocated(&self) -> u64 {
        self.0.allocated()
    }

    /// Reads the dword at `offset` bytes into the table.
    pub(crate) fn read(&self, offset: u64) -> u32 {
        self.0.load_u32(offset & !3).unwrap_or(0)
    }

    /// Writes the dword at `offset` bytes into the table.
    pub(crate) fn write(&mut self, offset: u64, value: u32) {
        self.0.store_u32(offset & !3, value);
    }

    /// The guest-physical address behind a global graphics address.
    pub(crate) fn translate(&self, at: GgttAddress) -> Option<GuestAddress> {
        let entry = GgttEntry(self.0.load_u64((at.0 >> 12).checked_mul(8)?)?);
        entry.present().then(|| GuestAddress(entry.address().0 | at.0 & 0xFFF))
    }

    /// The entries that are not zero.
    pub(crate) fn words(&self) -> Words {
        Words::collect(self.0.words().into_iter().map(|(at, word)| ((at / 8) as u32, word)))
    }

    /// These entries and no others.
    pub(crate) fn load(&mut self, words: &Words) {
        self.0.clear();
        for (index, word) in words.iter() {
            let at = u64::from(index) * 8;
            self.0.store_u32(at, word as u32);
            self.0.store_u32(at + 4, (word >> 32) as u32);
        }
    }

    /// Forgets all entries, and gives their memory back.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_make_an_entry_in_either_order() {
        for order in [[0, 4], [4, 0]] {
            let mut ggtt = Ggtt::new().unwrap();
            for half in order {
                ggtt.write(16 + half, if half == 0 { 0x5678_9001 } else { 0x2 });
            }
            assert_eq!(ggtt.translate(GgttAddress(0x2ABC)), Some(GuestAddress(0x2_5678_9ABC)));
        }
    }

    #[test]
    fn absent_and_impossible_addresses_translate_to_nothing() {
        let mut ggtt = Ggtt::new().unwrap();
        ggtt.write(0, 0x1000);
        assert_eq!(ggtt.translate(GgttAddress(0)), None);
        assert_eq!(ggtt.translate(GgttAddress(u64::MAX)), None);
        ggtt.write(u64::MAX - 7, 1);
        assert_eq!(ggtt.read(u64::MAX - 7), 0);
    }
}
