//! A guest's page tables, as a host that can't walk them needs them: one leaf for each 2 MiB that lead anywhere.
//!
//! ```text
//!  PML4 ─► PDP ─► PD ─► PT: 512 entries    one leaf: which pages, in the order of their addresses
//!                  └──► page of 2 MiB      one leaf as well
//! ```
//!
//! Drivers fill tables with *scratch*: an entry that leads to nothing in particular is not absent but leads to a table
//! whose entries are all alike, down to one page that all share. Walked naively, every space would be full. So a table
//! that leads nowhere, and a PT whose entries are all alike, is looked at once and then known as such.
//!
//! The tables are hostile input. Each is read once in a look, whole; how many are read in one look is bounded.

use foldhash::{HashSet, HashSetExt};
use mediator::{GuestAddress, GuestRam, Reason, SpaceRoot};

use crate::gtt::{EntryFlags, PAGE_SIZE, PpgttEntry};

/// Bytes that one leaf shows.
pub(super) const LEAF_BYTES: u64 = 2 << 20;
/// Tables that are read in one look.
const MOST_TABLES: usize = 2 * MOST_LEAVES;
/// Leaves that a space may have: 16 GiB.
pub(super) const MOST_LEAVES: usize = 1 << 13;
const ENTRIES: u64 = 512;
/// A table, as it was read.
pub(super) type Table = [u64; ENTRIES as usize];
/// Small pages that an entry of 64 KiB stands for.
const INTERMEDIATE: u64 = 16;

/// Which 2 MiB of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LeafNumber(pub(super) u64);

impl LeafNumber {
    /// That of an address.
    pub(super) fn of(at: u64) -> Self {
        Self(at / LEAF_BYTES)
    }

    /// Its first address.
    pub(super) fn start(self) -> u64 {
        self.0 * LEAF_BYTES
    }
}

/// What 2 MiB of a space show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf<'a> {
    /// A whole page table.
    Table { raw: &'a Table, intermediate: bool, writable: bool },
    /// The table that was known.
    Same { intermediate: bool, writable: bool },
    /// A page of 2 MiB.
    Large { page: GuestAddress, writable: bool },
}

/// A page of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafPage {
    /// Where it lies, if anywhere.
    pub(super) page: Option<GuestAddress>,
    pub(super) writable: bool,
}

impl Leaf<'_> {
    /// Its 512 pages.
    pub(super) fn pages(&self) -> impl Iterator<Item = LeafPage> {
        (0..ENTRIES).map(|index| self.page(index))
    }

    fn page(&self, index: u64) -> LeafPage {
        match *self {
            // Nobody keeps one of these.
            Self::Same { writable, .. } => LeafPage { page: None, writable },
            Self::Large { page, writable } => {
                LeafPage { page: Some(GuestAddress(page.0 + index * PAGE_SIZE)), writable }
            }
            Self::Table { raw, intermediate: false, writable } => {
                let entry = entry(raw, index);
                let flags = entry.flags();
                let page = flags.contains(EntryFlags::PRESENT).then(|| entry.address());
                LeafPage { page, writable: writable && flags.contains(EntryFlags::WRITABLE) }
            }
            Self::Table { raw, intermediate: true, writable } => {
                let entry = entry(raw, index - index % INTERMEDIATE);
                let flags = entry.flags();
                let first = entry.page(INTERMEDIATE * PAGE_SIZE).0;
                let at = GuestAddress(first + index % INTERMEDIATE * PAGE_SIZE);
                let page = flags.contains(EntryFlags::PRESENT).then_some(at);
                LeafPage { page, writable: writable && flags.contains(EntryFlags::WRITABLE) }
            }
        }
    }
}

fn entry(raw: &Table, index: u64) -> PpgttEntry {
    let entry = usize::try_from(index % ENTRIES).ok().and_then(|index| raw.get(index));
    PpgttEntry(entry.copied().unwrap_or_default())
}

/// Whether all entries are alike.
fn is_uniform(raw: &Table) -> bool {
    raw.iter().all(|entry| Some(entry) == raw.first())
}

/// How many leaves a space has that lead anywhere: what a submission in it has to show.
///
/// # Errors
/// When the space has more tables than are looked at.
pub fn leaves(ram: &GuestRam, root: SpaceRoot) -> Result<usize, Reason> {
    struct Count(usize);
    impl Looker for Count {
        fn known(&mut self, _: LeafNumber) -> Option<&Table> {
            None
        }
        fn see(&mut self, _: LeafNumber, leaf: Leaf<'_>) {
            debug_assert_eq!(leaf.pages().count() as u64, ENTRIES);
            self.0 += 1;
        }
    }
    let mut count = Count(0);
    each_leaf(ram, root, &mut count)?;
    Ok(count.0)
}

/// Who looks at leaves, in the order of their addresses.
pub(super) trait Looker {
    /// The table that is known of a leaf, if one is. If it is there still, the leaf is [`Leaf::Same`].
    fn known(&mut self, number: LeafNumber) -> Option<&Table>;

    /// Sees a leaf.
    fn see(&mut self, number: LeafNumber, leaf: Leaf<'_>);
}

/// Sees each leaf of the space `root`.
///
/// # Errors
/// When the space has more tables than are looked at.
pub(super) fn each_leaf(
    ram: &GuestRam,
    root: SpaceRoot,
    looker: &mut dyn Looker,
) -> Result<(), Reason> {
    let mut look =
        Look { ram, looker, nowhere: HashSet::new(), tables: MOST_TABLES, leaves: MOST_LEAVES };
    match root.levels {
        4 => {
            let top = PpgttEntry(root.entries[0]).address();
            look.directory(4, top, 0, true)?;
        }
        3 => {
            for (n, entry) in (0..).zip(root.entries) {
                // A root pointer has no present bit: zero is the absent one.
                if entry != 0 {
                    look.directory(2, PpgttEntry(entry).address(), n * ENTRIES, true)?;
                }
            }
        }
        levels => {
            let detail = format!("an address space of {levels} levels");
            return Err(Reason::new("space/levels", detail));
        }
    }
    Ok(())
}

struct Look<'a> {
    ram: &'a GuestRam,
    looker: &'a mut dyn Looker,
    /// Tables, by level, that lead nowhere.
    nowhere: HashSet<(u8, u64)>,
    /// How many more of each are looked at.
    tables: usize,
    leaves: usize,
}

impl Look<'_> {
    /// One more table is read.
    fn spend(&mut self) -> Result<(), Reason> {
        self.tables = self.tables.checked_sub(1).ok_or_else(|| {
            let detail = format!("the space has more than {MOST_TABLES} page tables");
            Reason::new("space/tables", detail)
        })?;
        Ok(())
    }

    fn see(&mut self, number: LeafNumber, leaf: Leaf<'_>) -> Result<(), Reason> {
        self.leaves = self.leaves.checked_sub(1).ok_or_else(|| {
            let most = (MOST_LEAVES as u64 * LEAF_BYTES) >> 30;
            Reason::new("space/size", format!("the space shows more than {most} GiB"))
        })?;
        self.looker.see(number, leaf);
        Ok(())
    }

    /// A table, read once; `None` where there is no memory.
    fn read(&mut self, at: GuestAddress) -> Result<Option<Table>, Reason> {
        self.spend()?;
        let mut raw = [0; ENTRIES as usize];
        Ok(self.ram.read_words(at, &mut raw).ok().map(|()| raw))
    }

    /// A table of tables, whose first entry stands for the leaves from `first` on. Returns whether it leads anywhere.
    fn directory(
        &mut self,
        level: u8,
        at: GuestAddress,
        first: u64,
        writable: bool,
    ) -> Result<bool, Reason> {
        let Some(raw) = self.read(at)? else { return Ok(false) };
        // Leaves below one entry: 1, 2^9, 2^18.
        let span = 1 << (9 * (u32::from(level) - 2));
        let mut anywhere = false;
        // Scratch is the same many times over.
        let mut last = None;
        for index in 0..ENTRIES {
            let entry = entry(&raw, index);
            let flags = entry.flags();
            let number = first + index * span;
            let below = (level - 1, entry.0);
            if !flags.contains(EntryFlags::PRESENT)
                || last == Some(below)
                || self.nowhere.contains(&below)
            {
                last = Some(below);
                continue;
            }
            let writable = writable && flags.contains(EntryFlags::WRITABLE);
            let leads = match (level, flags.contains(EntryFlags::PAGE_SIZE)) {
                (2, true) => {
                    let page = entry.page(LEAF_BYTES);
                    self.see(LeafNumber(number), Leaf::Large { page, writable })?;
                    true
                }
                (2, false) => self.table(entry, LeafNumber(number), writable)?,
                // A page of 1 GiB, which Gen9's drivers do not use.
                (_, true) => false,
                _ => self.directory(level - 1, entry.address(), number, writable)?,
            };
            if !leads {
                self.nowhere.insert(below);
                last = Some(below);
            }
            anywhere |= leads;
        }
        Ok(anywhere)
    }

    fn table(
        &mut self,
        entry: PpgttEntry,
        number: LeafNumber,
        writable: bool,
    ) -> Result<bool, Reason> {
        let intermediate = entry.flags().contains(EntryFlags::INTERMEDIATE_PAGE_SIZE);
        if let Some(known) = self.looker.known(number)
            && self.ram.holds_words(entry.address(), known)
        {
            self.spend()?;
            self.see(number, Leaf::Same { intermediate, writable })?;
            return Ok(true);
        }
        let Some(raw) = self.read(entry.address())? else { return Ok(false) };
        if is_uniform(&raw) {
            return Ok(false);
        }
        self.see(number, Leaf::Table { raw: &raw, intermediate, writable })?;
        Ok(true)
    }
}

/// A leaf that is kept, to be compared with what the guest has there later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeptLeaf {
    Table { raw: Box<Table>, intermediate: bool, writable: bool },
    Large { page: GuestAddress, writable: bool },
}

impl KeptLeaf {
    /// Whether it is as what was found in its place.
    pub(super) fn is(&self, found: Leaf<'_>) -> bool {
        match (self, found) {
            (
                Self::Table { intermediate, writable, .. },
                Leaf::Same { intermediate: i, writable: w },
            ) => (*intermediate, *writable) == (i, w),
            (Self::Large { page, writable }, Leaf::Large { page: p, writable: w }) => {
                (*page, *writable) == (p, w)
            }
            _ => false,
        }
    }

    /// Its table, if it is one.
    pub(super) fn table(&self) -> Option<&Table> {
        match self {
            Self::Table { raw, .. } => Some(raw),
            Self::Large { .. } => None,
        }
    }

    /// What was found, to keep. `before`: what was known there.
    pub(super) fn of(leaf: Leaf<'_>, before: Option<&Self>) -> Self {
        match leaf {
            Leaf::Table { raw, intermediate, writable } => {
                Self::Table { raw: Box::new(*raw), intermediate, writable }
            }
            Leaf::Same { intermediate, writable } => {
                let raw = before.and_then(Self::table).copied().unwrap_or([0; ENTRIES as usize]);
                Self::Table { raw: Box::new(raw), intermediate, writable }
            }
            Leaf::Large { page, writable } => Self::Large { page, writable },
        }
    }

    pub(super) fn get(&self) -> Leaf<'_> {
        match self {
            Self::Table { raw, intermediate, writable } => {
                Leaf::Table { raw, intermediate: *intermediate, writable: *writable }
            }
            Self::Large { page, writable } => Leaf::Large { page: *page, writable: *writable },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::PpgttAddress;
    use crate::gtt::{PageTableWalker, Pages, Tables};

    const P: u64 = 3;

    #[derive(Default)]
    struct All(Vec<(u64, KeptLeaf)>);

    impl Looker for All {
        fn known(&mut self, _: LeafNumber) -> Option<&Table> {
            None
        }

        fn see(&mut self, number: LeafNumber, leaf: Leaf<'_>) {
            self.0.push((number.0, KeptLeaf::of(leaf, None)));
        }
    }

    fn leaves(ram: &GuestRam, root: SpaceRoot) -> Result<Vec<(u64, KeptLeaf)>, Reason> {
        let mut all = All::default();
        each_leaf(ram, root, &mut all)?;
        Ok(all.0)
    }

    fn root4(at: u64) -> SpaceRoot {
        SpaceRoot { levels: 4, entries: [at, 0, 0, 0] }
    }

    fn fill(ram: &GuestRam, table: u64, entry: u64) {
        for n in 0..512 {
            ram.write_u64(GuestAddress(table + 8 * n), entry).unwrap();
        }
    }

    /// As i915 makes a new space: scratch on every level.
    fn scratch_space(ram: &GuestRam) -> SpaceRoot {
        for (table, below) in [(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x4000)] {
            fill(ram, table, below | P);
        }
        fill(ram, 0x4000, 0x5000 | 1);
        root4(0x1000)
    }

    #[test]
    fn a_space_full_of_scratch_leads_nowhere() {
        let ram = GuestRam::anonymous(0x1_0000).unwrap();
        let root = scratch_space(&ram);
        assert_eq!(leaves(&ram, root).unwrap(), []);
        // One page in its own branch is all that there is.
        for (table, entry) in [(0x6000, 0x2000), (0x7000, 0x3000), (0x8000, 0x4000)] {
            fill(&ram, table, entry | P);
        }
        fill(&ram, 0x9000, 0x5000 | 1);
        let places = [(0x1008, 0x6000), (0x6010, 0x7000), (0x7018, 0x9000), (0x9020, 0xA000)];
        for (place, entry) in places {
            ram.write_u64(GuestAddress(place), entry | P).unwrap();
        }
        let found = leaves(&ram, root).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, (1 << 39 | 2 << 30 | 3 << 21) >> 21);
        let pages: Vec<_> = found[0].1.get().pages().collect();
        let at = |page: u64, writable| LeafPage { page: Some(GuestAddress(page)), writable };
        assert_eq!((pages[3], pages[4], pages.len()), (at(0x5000, false), at(0xA000, true), 512));
    }

    #[test]
    fn tables_that_lead_to_themselves_come_to_an_end() {
        let ram = GuestRam::anonymous(0x1_0000).unwrap();
        fill(&ram, 0x1000, 0x1000 | P);
        assert_eq!(leaves(&ram, root4(0x1000)).unwrap(), []);
        for n in 0..512 {
            // Sixteen tables that point to each other, each entry different by its flags.
            for table in 0..16 {
                let entry = ((n + table) % 16) << 12 | n << 52 | P;
                ram.write_u64(GuestAddress((table << 12) + 8 * n), entry).unwrap();
            }
        }
        let why = leaves(&ram, root4(0x1000)).unwrap_err();
        assert_eq!(why.rule, "space/size");
    }

    #[test]
    fn tables_that_lead_nowhere_in_many_ways_come_to_an_end() {
        let ram = GuestRam::anonymous(0x10_0000).unwrap();
        for table in 0..40 {
            let at = 0x4_0000 + table * 0x1000;
            ram.write_u64(GuestAddress(0x1000 + 8 * table), at | P).unwrap();
            for n in 0..512 {
                // Each with other bits that mean nothing.
                let entry = 0x3000 | n << 52 | (table % 8) << 9 | (table / 8) << 61 | P;
                ram.write_u64(GuestAddress(at + 8 * n), entry).unwrap();
            }
        }
        let why = leaves(&ram, root4(0x1000)).unwrap_err();
        assert_eq!(why.rule, "space/tables");
    }

    #[test]
    fn a_few_tables_do_not_make_a_space_of_any_size() {
        const PAGE_SIZE: u64 = 1 << 7;
        let ram = GuestRam::anonymous(0x1_0000).unwrap();
        fill(&ram, 0x1000, 0x2000 | P);
        fill(&ram, 0x2000, 0x3000 | P);
        fill(&ram, 0x3000, P | PAGE_SIZE);
        let why = leaves(&ram, root4(0x1000)).unwrap_err();
        assert_eq!(why.rule, "space/size");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// What the walker finds, the leaves show, and nothing else.
        #[test]
        fn leaves_show_what_a_walk_finds(
            maps in prop::collection::vec((0..2000u64, 1..700u64, 0..100u64, any::<bool>()), 1..6),
        ) {
            let ram = GuestRam::anonymous(0x20_0000).unwrap();
            let range = GuestAddress(0x10_0000)..GuestAddress(0x20_0000);
            let mut pool = Pages::new(ram.clone(), range);
            let mut tables = Tables::new(&mut pool).unwrap();
            for (page, count, memory, writable) in maps {
                let (at, memory) = (PpgttAddress(page << 12), GuestAddress(memory << 12));
                tables.map(&mut pool, at, memory, count << 12, writable).unwrap();
            }
            let walker = PageTableWalker::new(tables.root());
            let mut shown = foldhash::HashMap::default();
            for (number, leaf) in leaves(&ram, tables.root()).unwrap() {
                for (index, page) in (0..).zip(leaf.get().pages()) {
                    shown.insert(number * 512 + index, page);
                }
            }
            for page in 0..2800 {
                let walked = walker.walk(&ram, PpgttAddress(page << 12)).ok();
                let leaf = shown.get(&page).filter(|leaf| leaf.page.is_some());
                prop_assert_eq!(
                    walked.map(|w| (Some(w.physical), w.writable)),
                    leaf.map(|leaf| (leaf.page, leaf.writable))
                );
            }
        }
    }
}
