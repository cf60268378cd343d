//! Page tables that vgate itself writes, for clients who name addresses instead of tables.
//!
//! ```text
//!  Pages   pages of a range of memory, in use or free: tables, and context images
//!  Tables  one space: PML4 ─► PDP ─► PD ─► PT ─► 4 KiB pages
//! ```
//!
//! Whoever names the addresses can reach neither the tables nor the range that they lie in. While work may run in a space no
//! table of it is freed: a table that became one of another level under a walk would be read as what it never was.

use std::ops::Range;

use mediator::memory::MemoryError;
use mediator::{GuestAddress, GuestRam, SpaceRoot};

use super::{EntryFlags, PAGE_SIZE, PpgttEntry};
use crate::address::PpgttAddress;

const ENTRIES: u64 = 512;
/// Bytes that a whole PT shows.
const PT_SPAN: u64 = ENTRIES * PAGE_SIZE;
/// Bits of an address: 48.
const END: u64 = 1 << 48;
const LEVELS: u8 = 4;

/// Why a table could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The range that tables lie in is full.
    #[error("no memory is left for page tables")]
    Full,
    /// The addresses end behind the space, or are no pages.
    #[error("no page tables have these addresses")]
    Range,
    /// The memory is not there.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Pages of a range, handed out one by one, all zeros.
#[derive(Debug)]
pub struct Pages {
    ram: GuestRam,
    /// Never handed out before.
    fresh: Range<u64>,
    free: Vec<GuestAddress>,
    used: u64,
}

impl Pages {
    /// The pages of `range`, which are all zeros.
    #[must_use]
    pub fn new(ram: GuestRam, range: Range<GuestAddress>) -> Self {
        Self { ram, fresh: range.start.0..range.end.0, free: Vec::new(), used: 0 }
    }

    /// A page of zeros.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn take(&mut self) -> Result<GuestAddress, TableError> {
        let page = match self.free.pop() {
            Some(page) => {
                self.ram.write(page, &[0; PAGE_SIZE as usize])?;
                page
            }
            None => {
                let start = self.fresh.start;
                let next = start.checked_add(PAGE_SIZE).filter(|end| *end <= self.fresh.end);
                self.fresh.start = next.ok_or(TableError::Full)?;
                GuestAddress(start)
            }
        };
        self.used += 1;
        Ok(page)
    }

    /// A page that nobody uses any more.
    pub fn give_back(&mut self, page: GuestAddress) {
        self.used = self.used.saturating_sub(1);
        self.free.push(page);
    }

    /// Pages handed out.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }
}

/// The tables of one space.
#[derive(Debug)]
pub struct Tables {
    root: GuestAddress,
    /// All tables, the root among them.
    pages: Vec<GuestAddress>,
    /// Counts calls that changed them.
    changes: u64,
}

impl Tables {
    /// Tables that show nothing.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn new(pool: &mut Pages) -> Result<Self, TableError> {
        let root = pool.take()?;
        Ok(Self { root, pages: vec![root], changes: 0 })
    }

    /// What the space is known by.
    #[must_use]
    pub fn root(&self) -> SpaceRoot {
        SpaceRoot { levels: LEVELS, entries: [self.root.0, 0, 0, 0] }
    }

    /// A number that is another one after each change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Shows memory at an address: whole pages, over what was there.
    ///
    /// # Errors
    /// [`TableError`]; a part of it may be shown then.
    pub fn map(
        &mut self,
        pool: &mut Pages,
        at: PpgttAddress,
        memory: GuestAddress,
        bytes: u64,
        writable: bool,
    ) -> Result<(), TableError> {
        self.changes += 1;
        let mut flags = EntryFlags::PRESENT;
        flags.set(EntryFlags::WRITABLE, writable);
        each_table(at, bytes, |start, count| {
            let table = self.table(pool, start)?;
            let memory = memory.0 + (start - at.0);
            let entries = (0..count).map(|n| (memory + n * PAGE_SIZE) | flags.bits());
            fill(&pool.ram, table, start, entries)
        })
    }

    /// Shows nothing at an address any more.
    ///
    /// # Errors
    /// [`TableError::Range`].
    pub fn unmap(
        &mut self,
        pool: &mut Pages,
        at: PpgttAddress,
        bytes: u64,
    ) -> Result<(), TableError> {
        self.changes += 1;
        let end = end(at, bytes)?;
        let mut start = at.0;
        while start < end {
            match self.existing(&pool.ram, start)? {
                Ok(table) => {
                    let next = (start / PT_SPAN + 1) * PT_SPAN;
                    let count = (next.min(end) - start) / PAGE_SIZE;
                    fill(&pool.ram, table, start, (0..count).map(|_| 0))?;
                    start = next;
                }
                // Whoever names a whole space pays for the tables that it has.
                Err(shift) => start = ((start >> shift) + 1) << shift,
            }
        }
        Ok(())
    }

    /// Gives all tables back. Nothing may run in the space.
    pub fn free(self, pool: &mut Pages) {
        self.pages.into_iter().for_each(|page| pool.give_back(page));
    }

    /// The PT for an address, made if need be.
    fn table(&mut self, pool: &mut Pages, at: u64) -> Result<GuestAddress, TableError> {
        let mut table = self.root;
        for shift in [39, 30, 21] {
            let place = entry_place(table, at, shift);
            let entry = PpgttEntry(pool.ram.read_u64(place)?);
            table = if entry.flags().contains(EntryFlags::PRESENT) {
                entry.address()
            } else {
                let page = pool.take()?;
                self.pages.push(page);
                let flags = EntryFlags::PRESENT | EntryFlags::WRITABLE;
                pool.ram.write_u64(place, page.0 | flags.bits())?;
                page
            };
        }
        Ok(table)
    }

    /// The PT for an address; or which bit of addresses counts the entries of the table that ends there.
    fn existing(&self, ram: &GuestRam, at: u64) -> Result<Result<GuestAddress, u32>, TableError> {
        let mut table = self.root;
        for shift in [39, 30, 21] {
            let entry = PpgttEntry(ram.read_u64(entry_place(table, at, shift))?);
            if !entry.flags().contains(EntryFlags::PRESENT) {
                return Ok(Err(shift));
            }
            table = entry.address();
        }
        Ok(Ok(table))
    }
}

fn entry_place(table: GuestAddress, at: u64, shift: u32) -> GuestAddress {
    GuestAddress(table.0 + (at >> shift) % ENTRIES * 8)
}

/// Writes entries from that of `at` on: at once, so that no walk sees half of one.
fn fill(
    ram: &GuestRam,
    table: GuestAddress,
    at: u64,
    entries: impl Iterator<Item = u64>,
) -> Result<(), TableError> {
    let first = entry_place(table, at, 12);
    for (n, entry) in entries.enumerate() {
        ram.write_u64(GuestAddress(first.0 + 8 * n as u64), entry)?;
    }
    Ok(())
}

/// Where a range of whole pages ends.
fn end(at: PpgttAddress, bytes: u64) -> Result<u64, TableError> {
    let whole = at.0.is_multiple_of(PAGE_SIZE) && bytes.is_multiple_of(PAGE_SIZE);
    let end = at.0.checked_add(bytes).filter(|end| whole && *end <= END);
    end.ok_or(TableError::Range)
}

/// Calls `f` for each PT's part of a range: where it begins, and how many pages.
fn each_table(
    at: PpgttAddress,
    bytes: u64,
    mut f: impl FnMut(u64, u64) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let end = end(at, bytes)?;
    let mut start = at.0;
    while start < end {
        let next = (start / PT_SPAN + 1) * PT_SPAN;
        f(start, (next.min(end) - start) / PAGE_SIZE)?;
        start = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::gtt::PageTableWalker;

    const POOL: Range<GuestAddress> = GuestAddress(0x10_0000)..GuestAddress(0x20_0000);

    fn world() -> (GuestRam, Pages) {
        let ram = GuestRam::anonymous(0x20_0000).unwrap();
        (ram.clone(), Pages::new(ram, POOL))
    }

    #[test]
    fn what_is_mapped_is_found_by_a_walk() {
        let (ram, mut pool) = world();
        let mut tables = Tables::new(&mut pool).unwrap();
        // Over the border of a PT, a PD and a PDP.
        let at = PpgttAddress((1 << 39) - 2 * PAGE_SIZE);
        tables.map(&mut pool, at, GuestAddress(0x4000), 4 * PAGE_SIZE, false).unwrap();
        let walk = |at: u64| PageTableWalker::new(tables.root()).walk(&ram, PpgttAddress(at));
        for n in 0..4 {
            let page = walk(at.0 + n * PAGE_SIZE + 5).unwrap();
            assert_eq!((page.physical.0, page.writable), (0x4005 + n * PAGE_SIZE, false));
        }
        assert!(walk(at.0 - 1).is_err() && walk(at.0 + 4 * PAGE_SIZE).is_err());
        assert_eq!(pool.used(), 7, "a root, and a PDP, a PD and a PT on each side");
        tables.free(&mut pool);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn pages_come_back_as_zeros() {
        let (ram, mut pool) = world();
        let page = pool.take().unwrap();
        ram.write_u64(page, 7).unwrap();
        pool.give_back(page);
        assert_eq!((pool.take().unwrap(), ram.read_u64(page).unwrap()), (page, 0));
        let taken = std::iter::from_fn(|| pool.take().ok()).count();
        assert_eq!(taken, 255);
        assert_eq!(pool.take(), Err(TableError::Full));
    }

    #[test]
    fn a_whole_space_is_emptied_by_way_of_its_tables() {
        let (ram, mut pool) = world();
        let mut tables = Tables::new(&mut pool).unwrap();
        let places = [0, PT_SPAN - PAGE_SIZE, 1 << 30, END - PAGE_SIZE].map(PpgttAddress);
        for at in places {
            tables.map(&mut pool, at, GuestAddress(0x4000), PAGE_SIZE, true).unwrap();
        }
        let begun = std::time::Instant::now();
        tables.unmap(&mut pool, PpgttAddress(0), END).unwrap();
        assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
        let walker = PageTableWalker::new(tables.root());
        assert!(places.iter().all(|at| walker.walk(&ram, *at).is_err()));
    }

    #[test]
    fn addresses_that_no_space_has_are_refused() {
        let (_, mut pool) = world();
        let mut tables = Tables::new(&mut pool).unwrap();
        let ranges = [
            (END, PAGE_SIZE),
            (END - PAGE_SIZE, 2 * PAGE_SIZE),
            (u64::MAX - 4095, 4096),
            (5, 4096),
        ];
        for (at, bytes) in ranges {
            let at = PpgttAddress(at);
            let mapped = tables.map(&mut pool, at, GuestAddress(0), bytes, true);
            assert_eq!(mapped, Err(TableError::Range));
            assert_eq!(tables.unmap(&mut pool, at, bytes), Err(TableError::Range));
        }
        assert_eq!(pool.used(), 1);
    }

    proptest! {
        /// As a map from page to page would do it.
        #[test]
        fn any_changes_are_what_a_walk_sees(
            steps in prop::collection::vec((0..1500u64, 1..700u64, 0..200u64, any::<bool>(), any::<bool>()), 1..12),
        ) {
            let (ram, mut pool) = world();
            let mut tables = Tables::new(&mut pool).unwrap();
            let mut expected = HashMap::new();
            for (page, count, memory, writable, map) in steps {
                let (at, bytes) = (PpgttAddress(page * PAGE_SIZE), count * PAGE_SIZE);
                if map {
                    let memory = GuestAddress(memory * PAGE_SIZE);
                    tables.map(&mut pool, at, memory, bytes, writable).unwrap();
                } else {
                    tables.unmap(&mut pool, at, bytes).unwrap();
                }
                for n in 0..count {
                    if map {
                        expected.insert(page + n, (memory + n, writable));
                    } else {
                        expected.remove(&(page + n));
                    }
                }
            }
            let walker = PageTableWalker::new(tables.root());
            for page in 0..2300 {
                let seen = walker.walk(&ram, PpgttAddress(page * PAGE_SIZE)).ok();
                let seen = seen.map(|seen| (seen.physical.0 / PAGE_SIZE, seen.writable));
                prop_assert_eq!(seen, expected.get(&page).copied(), "page {}", page);
            }
        }
    }
}
