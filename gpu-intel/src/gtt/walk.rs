//! The walk from a PPGTT address to guest-physical memory.

use mediator::{GuestAddress, GuestRam, SpaceRoot};

use super::PAGE_SIZE;
use super::entry::{EntryFlags, PpgttEntry};
use crate::address::PpgttAddress;

const LARGE_PAGE: u64 = 2 << 20;
const INTERMEDIATE_PAGE: u64 = 64 << 10;

/// Memory that tables lie in.
pub trait PhysicalMemory {
    /// The 64-bit entry at `at`, which is aligned; `None` where there is no memory.
    fn entry(&self, at: GuestAddress) -> Option<u64>;
}

impl PhysicalMemory for GuestRam {
    fn entry(&self, at: GuestAddress) -> Option<u64> {
        self.read_u64(at).ok()
    }
}

/// Memory from address 0 as a slice of entries: for tests and simulations.
impl PhysicalMemory for [u64] {
    fn entry(&self, at: GuestAddress) -> Option<u64> {
        self.get(usize::try_from(at.0 / 8).ok()?).copied()
    }
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The guest-physical address of the very byte that was asked for.
    pub physical: GuestAddress,
    /// Bytes of the page that it lies in.
    pub size: u64,
    /// Whether it may be written: every level allows it.
    pub writable: bool,
}

/// Why an address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// An entry on the way is not present.
    #[error("{0:#x} is not mapped (level {1})")]
    NotPresent(u64, u8),
    /// A table lies where the guest has no memory.
    #[error("the table for {0:#x} lies outside guest memory at {1:#x}")]
    NoTable(u64, u64),
    /// A page of 1 GiB, which Gen9's drivers do not use.
    #[error("{0:#x} is mapped by a page of 1 GiB")]
    HugePage(u64),
    /// The address has more bits than the space.
    #[error("{0:#x} is outside of its address space")]
    OutOfRange(u64),
    /// The root has neither 3 nor 4 levels.
    #[error("an address space of {0} levels")]
    Levels(u8),
}

/// Walks the tables below one root.
#[derive(Clone, Copy, Debug)]
pub struct PageTableWalker {
    root: SpaceRoot,
}

impl PageTableWalker {
    /// A walker for the space with this root.
    #[must_use]
    pub fn new(root: SpaceRoot) -> Self {
        Self { root }
    }

    /// Where `address` leads. Reads at most four entries.
    ///
    /// # Errors
    /// [`WalkError`].
    pub fn walk<M: PhysicalMemory + ?Sized>(
        &self,
        memory: &M,
        address: PpgttAddress,
    ) -> Result<Page, WalkError> {
        let at = address.truncated().0;
        let next = |table: GuestAddress, level: u8| {
            let index = at >> (12 + 9 * (u32::from(level) - 1)) & 511;
            let entry = memory
                .entry(GuestAddress(table.0 + index * 8))
                .ok_or(WalkError::NoTable(at, table.0))?;
            let entry = PpgttEntry(entry);
            if entry.flags().contains(EntryFlags::PRESENT) {
                Ok(entry)
            } else {
                Err(WalkError::NotPresent(at, level))
            }
        };

        let mut flags = EntryFlags::all();
        let directory = match self.root.levels {
            3 => {
                let root = usize::try_from(at >> 30).ok().and_then(|i| self.root.entries.get(i));
                let root = *root.ok_or(WalkError::OutOfRange(at))?;
                // A root pointer has no present bit: zero is the absent one.
                if root == 0 {
                    return Err(WalkError::NotPresent(at, 3));
                }
                PpgttEntry(root)
            }
            4 => {
                let pointer = next(PpgttEntry(self.root.entries[0]).address(), 4)?;
                let directory = next(pointer.address(), 3)?;
                if directory.flags().contains(EntryFlags::PAGE_SIZE) {
                    return Err(WalkError::HugePage(at));
                }
                flags &= pointer.flags() & directory.flags();
                directory
            }
            levels => return Err(WalkError::Levels(levels)),
        };

        let table = next(directory.address(), 2)?;
        flags &= table.flags();
        let (entry, size) = if table.flags().contains(EntryFlags::PAGE_SIZE) {
            (table, LARGE_PAGE)
        } else if table.flags().contains(EntryFlags::INTERMEDIATE_PAGE_SIZE) {
            let index = at >> 12 & 511 & !15;
            let at_entry = GuestAddress(table.address().0 + index * 8);
            let entry = memory.entry(at_entry).ok_or(WalkError::NoTable(at, at_entry.0))?;
            (PpgttEntry(entry), INTERMEDIATE_PAGE)
        } else {
            (next(table.address(), 1)?, PAGE_SIZE)
        };
        if !entry.flags().contains(EntryFlags::PRESENT) {
            return Err(WalkError::NotPresent(at, 1));
        }
        flags &= entry.flags();
        Ok(Page {
            physical: GuestAddress(entry.page(size).0 | at & (size - 1)),
            size,
            writable: flags.contains(EntryFlags::WRITABLE),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P: u64 = 3;

    fn root3(entries: [u64; 4]) -> PageTableWalker {
        PageTableWalker::new(SpaceRoot { levels: 3, entries })
    }

    fn root4(entry: u64) -> PageTableWalker {
        PageTableWalker::new(SpaceRoot { levels: 4, entries: [entry, 0, 0, 0] })
    }

    /// Sixteen pages of tables.
    fn memory(entries: &[(u64, u64)]) -> Vec<u64> {
        let mut memory = vec![0; 16 * 512];
        for &(at, value) in entries {
            memory[at as usize / 8] = value;
        }
        memory
    }

    #[test]
    fn four_levels_lead_to_a_small_page() {
        let at = PpgttAddress(1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x567);
        let m = memory(&[
            (0x1008, 0x2000 | P),
            (0x2010, 0x3000 | P),
            (0x3018, 0x4000 | P),
            (0x4020, 0xabc_d000 | P),
        ]);
        let page = root4(0x1000).walk(m.as_slice(), at).unwrap();
        assert_eq!(page, Page { physical: GuestAddress(0xabc_d567), size: 4096, writable: true });
        // Canonical form of a high address names the same tables as its 48 bits.
        let high = PpgttAddress(1 << 47);
        assert_eq!(
            root4(0x1000).walk(m.as_slice(), high.canonical()),
            Err(WalkError::NotPresent(high.0, 4))
        );
    }

    #[test]
    fn one_level_without_write_permission_makes_the_page_read_only() {
        for level in 0..4 {
            let mut entries = [
                (0x1000, 0x2000 | P),
                (0x2000, 0x3000 | P),
                (0x3000, 0x4000 | P),
                (0x4000, 0x9003),
            ];
            entries[level].1 &= !2;
            let page = root4(0x1000).walk(memory(&entries).as_slice(), PpgttAddress(0)).unwrap();
            assert!(!page.writable, "level {level}");
        }
    }

    #[test]
    fn three_levels_have_four_roots_without_present_bits() {
        let m = memory(&[(0x5000, 0x4000 | P), (0x4000, 0x7000 | P)]);
        let walker = root3([0, 0, 0, 0x5000]);
        let page = walker.walk(m.as_slice(), PpgttAddress(0xc000_0010)).unwrap();
        assert_eq!(page.physical, GuestAddress(0x7010));
        assert_eq!(
            walker.walk(m.as_slice(), PpgttAddress(0x10)),
            Err(WalkError::NotPresent(0x10, 3))
        );
        assert_eq!(
            walker.walk(m.as_slice(), PpgttAddress(1 << 32)),
            Err(WalkError::OutOfRange(1 << 32))
        );
    }

    #[test]
    fn large_pages() {
        let m = memory(&[
            (0x5000, 0x4000_0000 | 1 << 12 | 0x80 | P),
            (0x5008, 0x6000 | 1 << 11 | P),
            (0x6000 + 16 * 8, 0x55_0000 | P),
            (0x6000 + 17 * 8, 0x99_0000 | P),
        ]);
        let walker = root3([0x5000, 0, 0, 0]);
        let page = walker.walk(m.as_slice(), PpgttAddress(0x12_3456)).unwrap();
        assert_eq!((page.physical.0, page.size), (0x4012_3456, 2 << 20));
        let page = walker.walk(m.as_slice(), PpgttAddress(0x21_1234)).unwrap();
        assert_eq!((page.physical.0, page.size), (0x55_1234, 64 << 10));
        assert_eq!(
            walker.walk(m.as_slice(), PpgttAddress(0x22_0000)),
            Err(WalkError::NotPresent(0x22_0000, 1))
        );
    }

    #[test]
    fn pages_of_a_gigabyte_are_refused() {
        let m = memory(&[(0x1000, 0x2000 | P), (0x2000, 0x4000_0000 | 0x80 | P)]);
        assert_eq!(root4(0x1000).walk(m.as_slice(), PpgttAddress(0)), Err(WalkError::HugePage(0)));
    }

    /// What the formats say, without the walker's structure: one recursive descent over bits.
    fn naive(m: &[u64], table: u64, at: u64, level: u32, writable: bool) -> Option<(u64, bool)> {
        let shift = 12 + 9 * (level - 1);
        let entry = *m.get((table / 8 + (at >> shift) % 512) as usize)?;
        let writable = writable && entry & 2 != 0;
        if entry & 1 == 0 || (level == 3 && entry & 0x80 != 0) {
            return None;
        }
        let to = entry & 0x3fff_ffff_f000;
        match level {
            1 => Some((to + at % 0x1000, writable)),
            2 if entry & 0x80 != 0 => Some((to - to % 0x20_0000 + at % 0x20_0000, writable)),
            2 if entry & 0x800 != 0 => {
                let leaf = *m.get((to / 8 + (at >> 16) % 32 * 16) as usize)?;
                let page = leaf & 0x3fff_ffff_0000;
                (leaf & 1 != 0).then_some((page + at % 0x1_0000, writable && leaf & 2 != 0))
            }
            _ => naive(m, to, at, level - 1, writable),
        }
    }

    prop_compose! {
        /// Mostly pointers to other tables (loops included), some garbage.
        fn hostile()(
            tables in prop::collection::vec(
                prop_oneof![
                    (0u64..16, 0u64..4096).prop_map(|(page, flags)| page << 12 | flags),
                    (0u64..16).prop_map(|page| page << 12 | P),
                    any::<u64>(),
                ],
                256,
            ),
        ) -> Vec<u64> {
            (0..16 * 512).map(|i| tables[(i * 31 + i / 512) % tables.len()]).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn agrees_with_a_naive_walk(m in hostile(), root in 0u64..16, at: [u64; 16]) {
            for at in at {
                let at = at & 0xffff_ffff_ffff;
                let four = root4(root << 12).walk(m.as_slice(), PpgttAddress(at)).ok();
                prop_assert_eq!(
                    four.map(|p| (p.physical.0, p.writable)),
                    naive(&m, root << 12, at, 4, true)
                );
                let at = at & 0x3fff_ffff;
                let root = root + 1;
                let three = root3([root << 12, 0, 0, 0]).walk(m.as_slice(), PpgttAddress(at)).ok();
                prop_assert_eq!(
                    three.map(|p| (p.physical.0, p.writable)),
                    naive(&m, root << 12, at, 2, true)
                );
            }
        }
    }
}
