//! What a guest's space shows, as buffers of the host's driver.
//!
//! ```text
//!  the guest's tables ──look──► changes ──apply──► leaves: a copy of each table that leads anywhere
//!                                                  objects: a buffer for each leaf, or for 16 that have long been alike
//!                                                  list: all objects, as a batch names them
//! ```
//!
//! A server of vfio-user sees no store of its guest, so the tables are compared before each batch, unless whoever writes
//! them says that nothing has changed. A leaf that is new has an address of its own and may be bound while batches run.
//! One that changed takes the place of what is bound there: that waits until nothing runs in the space
//! ([`Changes::need_idle`]). One that is gone stays bound until then.
//!
//! Guest pages that may only be read are shown as *copies*, brought up to date before each batch: the host's driver
//! binds what it imports for reading and writing. What a batch writes there is lost. Holes show memory that all holes of
//! the VM share.

use std::collections::{BTreeMap, btree_map};
use std::fs::File;
use std::iter::Peekable;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::HashSet;
use gpu_intel_i915::{Buffer, Device, Object, Piece};
use mediator::memory::{Backing, sealed_memfd};
use mediator::{GuestAddress, GuestRam, Reason, SiliconError, SpaceRoot};

use super::failed;
use super::tables::{
    KeptLeaf, LEAF_BYTES, Leaf, LeafNumber, Looker, MOST_LEAVES, Table, each_leaf,
};
use crate::gtt::PAGE_SIZE;

/// Leaves that one VM may have in all its spaces, 16 GiB: each takes about 46 KiB of the host's kernel memory, and 4 KiB here.
const LEAVES_PER_VM: u64 = MOST_LEAVES as u64;
/// Pages that one space may show for reading only.
const MOST_COPIES: u64 = 4096;
/// Leaves that one object takes the place of.
const MERGED: u64 = 16;
/// Shorter lists cost less than merging does.
const MERGE_ABOVE: usize = 64;
/// Looks for which leaves have been alike before they are merged, and between two mergers.
const STABLE: u64 = 64;

/// What one VM has of the host's driver.
#[derive(Debug, Default)]
pub(super) struct Account {
    leaves: AtomicU64,
    /// What is shown: buffers, and their bytes.
    objects: AtomicU64,
    bytes: AtomicU64,
    /// What holes show: a leaf's worth of pages, so that a run of holes is one piece.
    scratch: OnceLock<Arc<OwnedFd>>,
}

impl Account {
    fn scratch(&self) -> std::io::Result<Arc<OwnedFd>> {
        if let Some(scratch) = self.scratch.get() {
            return Ok(Arc::clone(scratch));
        }
        let made = Arc::new(sealed_memfd(LEAF_BYTES)?);
        Ok(Arc::clone(self.scratch.get_or_init(|| made)))
    }

    fn charge(self: &Arc<Self>) -> Result<Charge, SiliconError> {
        let charge = Charge(Arc::clone(self));
        if self.leaves.fetch_add(1, Ordering::Relaxed) >= LEAVES_PER_VM {
            return Err(SiliconError::Exhausted("buffers for this VM"));
        }
        Ok(charge)
    }

    fn shows(&self, bytes: u64) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn hides(&self, bytes: u64) {
        self.objects.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Buffers, and bytes that they show.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// One leaf of a VM's account.
#[derive(Debug)]
struct Charge(Arc<Account>);

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.leaves.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a space differs from what is shown of it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    gone: Vec<LeafNumber>,
    changed: Vec<(LeafNumber, KeptLeaf)>,
    new: Vec<(LeafNumber, KeptLeaf)>,
    seen: Option<Seen>,
}

impl Changes {
    /// Whether they can only be applied while no batch runs in the space.
    pub(super) fn need_idle(&self, reserved: Option<LeafNumber>) -> bool {
        let in_the_way = |number: &LeafNumber| Some(*number) == reserved;
        !self.changed.is_empty() || self.new.iter().any(|(number, _)| in_the_way(number))
    }
}

/// What was looked at: while these numbers stay, nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    memory: u64,
    tables: Option<u64>,
}

#[derive(Debug)]
struct Shown {
    leaf: KeptLeaf,
    /// The look that found it so first.
    since: u64,
    _charge: Charge,
}

#[derive(Debug)]
struct Held {
    buffer: Buffer,
    leaves: u64,
    /// Pages that it shows copies of.
    copies: Vec<GuestAddress>,
}

/// A space as the host's driver has it.
#[derive(Debug)]
pub(super) struct Shadow {
    leaves: BTreeMap<LeafNumber, Shown>,
    objects: BTreeMap<LeafNumber, Held>,
    list: Vec<Object>,
    own: OwnPages,
    seen: Option<Seen>,
    looks: u64,
    /// Groups of leaves that can't be merged.
    unmergeable: HashSet<u64>,
    account: Arc<Account>,
}

impl Shadow {
    pub(super) fn new(account: Arc<Account>) -> std::io::Result<Self> {
        Ok(Self {
            leaves: BTreeMap::new(),
            objects: BTreeMap::new(),
            list: Vec::new(),
            own: OwnPages::new(account.scratch()?)?,
            seen: None,
            looks: 0,
            unmergeable: HashSet::default(),
            account,
        })
    }

    /// Compares. `tables`: a number that changes whenever a table does, if whoever writes them has one.
    ///
    /// # Errors
    /// When the space is larger than spaces may be.
    pub(super) fn look(
        &mut self,
        ram: &GuestRam,
        root: SpaceRoot,
        tables: Option<u64>,
    ) -> Result<Changes, Reason> {
        self.looks += 1;
        let now = Seen { memory: ram.changes(), tables };
        if tables.is_some() && self.seen == Some(now) {
            return Ok(Changes::default());
        }
        // With another map of memory the same tables mean other pages.
        let moved = self.seen.is_some_and(|seen| seen.memory != now.memory);
        let changes = Changes { seen: Some(now), ..Changes::default() };
        let mut comparison = Comparison { kept: self.leaves.iter().peekable(), moved, changes };
        each_leaf(ram, root, &mut comparison)?;
        let Comparison { kept, mut changes, .. } = comparison;
        changes.gone.extend(kept.map(|(number, _)| *number));
        Ok(changes)
    }

    /// Takes changes over. What is gone goes only if the space is `idle`.
    ///
    /// # Errors
    /// When the host has no more buffers, or the VM may have none; what is shown then is a part of the space.
    pub(super) fn apply<D: Device>(
        &mut self,
        device: &D,
        ram: &GuestRam,
        changes: Changes,
        idle: bool,
    ) -> Result<(), SiliconError> {
        let Changes { gone, changed, new, seen } = changes;
        let complete = idle || gone.is_empty();
        let gone = if idle { gone } else { Vec::new() };
        if !(gone.is_empty() && changed.is_empty() && new.is_empty()) {
            let result = self.replace(device, ram, &gone, changed, new);
            self.list_all();
            if result.is_err() {
                self.seen = None;
                return result;
            }
        }
        if seen.is_some() {
            self.seen = seen.filter(|_| complete);
        }
        if idle && self.list.len() > MERGE_ABOVE && self.looks.is_multiple_of(STABLE) {
            self.merge_one(device, ram);
        }
        Ok(())
    }

    fn replace<D: Device>(
        &mut self,
        device: &D,
        ram: &GuestRam,
        gone: &[LeafNumber],
        changed: Vec<(LeafNumber, KeptLeaf)>,
        new: Vec<(LeafNumber, KeptLeaf)>,
    ) -> Result<(), SiliconError> {
        let mut build: BTreeMap<LeafNumber, KeptLeaf> = BTreeMap::new();
        for number in gone.iter().chain(changed.iter().map(|(number, _)| number)) {
            // Others that were shown by the same object get their own.
            for other in self.remove_object(device, *number) {
                if let Some(shown) = self.leaves.remove(&other) {
                    build.insert(other, shown.leaf);
                }
            }
        }
        for number in gone {
            build.remove(number);
        }
        build.extend(changed.into_iter().chain(new));
        let since = self.looks;
        for (number, leaf) in build {
            self.unmergeable.remove(&(number.0 / MERGED));
            let charge = self.account.charge()?;
            if leads_to_memory(ram, leaf.get()) {
                let held = self.build(device, ram, &[&leaf])?;
                self.objects.insert(number, held);
            }
            self.leaves.insert(number, Shown { leaf, since, _charge: charge });
        }
        Ok(())
    }

    /// Closes the object that shows a leaf. Returns all leaves that it showed.
    fn remove_object<D: Device>(&mut self, device: &D, number: LeafNumber) -> Vec<LeafNumber> {
        let Some((&first, held)) = self.objects.range(..=number).next_back() else {
            return vec![number];
        };
        if number.0 >= first.0 + held.leaves {
            return vec![number];
        }
        let Some(held) = self.objects.remove(&first) else { return vec![number] };
        let leaves = (first.0..first.0 + held.leaves).map(LeafNumber).collect();
        self.discard(device, &held);
        leaves
    }

    fn discard<D: Device>(&mut self, device: &D, held: &Held) {
        device.close(held.buffer);
        self.account.hides(held.leaves * LEAF_BYTES);
        held.copies.iter().for_each(|page| self.own.release(*page));
    }

    /// An object for leaves that follow one another.
    fn build<D: Device>(
        &mut self,
        device: &D,
        ram: &GuestRam,
        leaves: &[&KeptLeaf],
    ) -> Result<Held, SiliconError> {
        let mut runs = Runs::default();
        let mut copies = Vec::new();
        for leaf in leaves {
            self.gather(ram, leaf.get(), &mut runs, &mut copies)
                .inspect_err(|_| copies.iter().for_each(|page| self.own.release(*page)))?;
        }
        let bytes = leaves.len() as u64 * LEAF_BYTES;
        let limits = device.udmabuf_limits();
        let made = if runs.0.len() > limits.pieces || bytes > limits.bytes {
            Err(SiliconError::Exhausted("pieces of a udmabuf: see `vgate doctor`"))
        } else {
            device.import(&runs.pieces()).map_err(|error| failed("importing guest memory", &error))
        };
        match made {
            Ok(buffer) => {
                self.account.shows(bytes);
                Ok(Held { buffer, leaves: leaves.len() as u64, copies })
            }
            Err(error) => {
                copies.iter().for_each(|page| self.own.release(*page));
                Err(error)
            }
        }
    }

    fn gather(
        &mut self,
        ram: &GuestRam,
        leaf: Leaf<'_>,
        runs: &mut Runs,
        copies: &mut Vec<GuestAddress>,
    ) -> Result<(), SiliconError> {
        let mut near: Option<(GuestAddress, Backing)> = None;
        for (index, page) in (0..).zip(leaf.pages()) {
            let found = page.page.and_then(|at| {
                let within = |(start, backing): &(GuestAddress, Backing)| {
                    at.0.checked_sub(start.0).is_some_and(|skip| skip + PAGE_SIZE <= backing.bytes)
                };
                if !near.as_ref().is_some_and(within) {
                    near = ram.backing(at).map(|backing| (at, backing));
                }
                let (start, backing) = near.as_ref().filter(|near| within(near))?;
                Some((at, backing, backing.offset + (at.0 - start.0)))
            });
            match found {
                Some((_, backing, offset)) if page.writable && backing.writable => {
                    runs.push(&backing.file, offset);
                }
                Some((at, ..)) => {
                    let offset = self.own.copy_of(at)?;
                    copies.push(at);
                    runs.push(&self.own.file, offset);
                }
                // What leads out of the guest's memory reads as a hole does.
                None => runs.push(&self.own.scratch, index * PAGE_SIZE),
            }
        }
        Ok(())
    }

    fn list_all(&mut self) {
        self.list.clear();
        let object = |(first, held): (&LeafNumber, &Held)| Object::new(held.buffer, first.start());
        self.list.extend(self.objects.iter().map(object));
    }

    /// Shows 16 leaves that have long been alike by one object.
    fn merge_one<D: Device>(&mut self, device: &D, ram: &GuestRam) {
        let Some(group) = self.mergeable() else { return };
        let numbers: Vec<_> = (group * MERGED..(group + 1) * MERGED).map(LeafNumber).collect();
        let leaves: Vec<KeptLeaf> = numbers
            .iter()
            .filter_map(|number| self.leaves.get(number))
            .map(|shown| shown.leaf.clone())
            .collect();
        match self.build(device, ram, &leaves.iter().collect::<Vec<_>>()) {
            Ok(merged) => {
                for number in &numbers {
                    self.remove_object(device, *number);
                }
                self.objects.insert(LeafNumber(group * MERGED), merged);
                self.list_all();
            }
            // Too many pieces, most likely: then it stays as it is until a leaf changes.
            Err(_) => drop(self.unmergeable.insert(group)),
        }
    }

    /// A group of leaves with an object each, none of which has changed for long.
    fn mergeable(&self) -> Option<u64> {
        let mut run = 0;
        for (number, held) in &self.objects {
            let stable = held.leaves == 1
                && self.leaves.get(number).is_some_and(|l| l.since + STABLE <= self.looks);
            run = match (stable, number.0 % MERGED) {
                (true, 0) => 1,
                (true, place) if run == place => run + 1,
                _ => 0,
            };
            let group = number.0 / MERGED;
            if run == MERGED && !self.unmergeable.contains(&group) {
                return Some(group);
            }
        }
        None
    }

    /// Brings copies of pages that may only be read up to date.
    pub(super) fn refresh_copies(&self, ram: &GuestRam) {
        self.own.refresh(ram);
    }

    /// Which object of the list shows an address.
    pub(super) fn position(&self, at: u64) -> Option<(usize, u64)> {
        let number = LeafNumber::of(at);
        let (first, held) = self.objects.range(..=number).next_back()?;
        if number.0 >= first.0 + held.leaves {
            return None;
        }
        let after = self.list.partition_point(|object| object.at() <= at);
        let index = after.checked_sub(1)?;
        let start = self.list.get(index)?.at();
        Some((index, at.checked_sub(start)?))
    }

    /// The guest's page that is shown at an address.
    pub(super) fn page(&self, at: u64) -> Option<GuestAddress> {
        let shown = self.leaves.get(&LeafNumber::of(at))?;
        let index = usize::try_from(at % LEAF_BYTES / PAGE_SIZE).ok()?;
        shown.leaf.get().pages().nth(index)?.page
    }

    /// All objects, in the order of their addresses.
    pub(super) fn list(&mut self) -> &mut Vec<Object> {
        &mut self.list
    }

    /// The highest 2 MiB below 128 TiB that show nothing.
    pub(super) fn hole(&self) -> LeafNumber {
        let top = LeafNumber::of(1 << 47);
        let mut hole = LeafNumber(top.0 - 1);
        for (number, _) in self.leaves.range(..top).rev() {
            if *number < hole {
                break;
            }
            hole = LeafNumber(number.0.saturating_sub(1));
        }
        hole
    }

    /// Closes all objects. Nothing may run in the space.
    pub(super) fn clear<D: Device>(&mut self, device: &D) {
        while let Some((_, held)) = self.objects.pop_first() {
            self.discard(device, &held);
        }
        self.leaves.clear();
        self.list.clear();
        self.seen = None;
    }
}

/// Goes through what is shown and what is there, side by side.
struct Comparison<'a> {
    kept: Peekable<btree_map::Iter<'a, LeafNumber, Shown>>,
    /// Whether all of it means something else now.
    moved: bool,
    changes: Changes,
}

impl Looker for Comparison<'_> {
    fn known(&mut self, number: LeafNumber) -> Option<&Table> {
        while let Some((gone, _)) = self.kept.next_if(|(before, _)| **before < number) {
            self.changes.gone.push(*gone);
        }
        let (_, shown) = self.kept.peek().filter(|(same, _)| **same == number)?;
        shown.leaf.table()
    }

    fn see(&mut self, number: LeafNumber, leaf: Leaf<'_>) {
        // A page of 2 MiB was not asked for.
        let _ = self.known(number);
        match self.kept.next_if(|(same, _)| **same == number) {
            Some((_, shown)) if !self.moved && shown.leaf.is(leaf) => {}
            Some((_, shown)) => {
                self.changes.changed.push((number, KeptLeaf::of(leaf, Some(&shown.leaf))));
            }
            None => self.changes.new.push((number, KeptLeaf::of(leaf, None))),
        }
    }
}

/// Whether any page of a leaf is the guest's. One that has none shows as much as no leaf.
fn leads_to_memory(ram: &GuestRam, leaf: Leaf<'_>) -> bool {
    leaf.pages().filter_map(|page| page.page).any(|page| ram.backing(page).is_some())
}

/// Pages one after another, each run in one file.
#[derive(Debug, Default)]
struct Runs(Vec<(Arc<OwnedFd>, u64, u64)>);

impl Runs {
    fn push(&mut self, file: &Arc<OwnedFd>, offset: u64) {
        match self.0.last_mut() {
            Some((last, start, bytes)) if Arc::ptr_eq(last, file) && *start + *bytes == offset => {
                *bytes += PAGE_SIZE;
            }
            _ => self.0.push((Arc::clone(file), offset, PAGE_SIZE)),
        }
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        self.0
            .iter()
            .map(|(file, offset, bytes)| Piece {
                file: file.as_fd(),
                offset: *offset,
                bytes: *bytes,
            })
            .collect()
    }
}

/// Memory of the space that is not its guest's: copies, and what the VM's holes show.
#[derive(Debug)]
struct OwnPages {
    file: Arc<OwnedFd>,
    writer: File,
    scratch: Arc<OwnedFd>,
    /// By the guest's page: its place, and how many show it.
    copies: BTreeMap<GuestAddress, (u64, u32)>,
    free: Vec<u64>,
    fresh: u64,
}

impl OwnPages {
    fn new(scratch: Arc<OwnedFd>) -> std::io::Result<Self> {
        let file = sealed_memfd(MOST_COPIES * PAGE_SIZE)?;
        let writer = File::from(file.try_clone()?);
        let (copies, free) = (BTreeMap::new(), Vec::new());
        Ok(Self { file: Arc::new(file), writer, scratch, copies, free, fresh: 0 })
    }

    /// Where the copy of a guest's page lies; one more shows it.
    fn copy_of(&mut self, page: GuestAddress) -> Result<u64, SiliconError> {
        if let Some((offset, users)) = self.copies.get_mut(&page) {
            *users += 1;
            return Ok(*offset);
        }
        let offset = match self.free.pop() {
            Some(offset) => offset,
            None if self.fresh >= MOST_COPIES * PAGE_SIZE => {
                return Err(SiliconError::Exhausted("copies of pages that may only be read"));
            }
            None => {
                self.fresh += PAGE_SIZE;
                self.fresh - PAGE_SIZE
            }
        };
        self.copies.insert(page, (offset, 1));
        Ok(offset)
    }

    fn release(&mut self, page: GuestAddress) {
        if let Some((offset, users)) = self.copies.get_mut(&page) {
            *users -= 1;
            if *users == 0 {
                self.free.push(*offset);
                self.copies.remove(&page);
            }
        }
    }

    fn refresh(&self, ram: &GuestRam) {
        use std::os::unix::fs::FileExt;
        let mut bytes = [0; PAGE_SIZE as usize];
        for (page, (offset, _)) in &self.copies {
            if ram.read(*page, &mut bytes).is_err() {
                bytes.fill(0);
            }
            // The file is as long, and can't shrink: only memory can be short, and then a batch reads what was.
            let _ = self.writer.write_all_at(&bytes, *offset);
        }
    }
}
