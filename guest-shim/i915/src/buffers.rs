//! Buffer objects: memory in the arena, and who uses it.
//!
//! ```text
//!  handle ──► Buffer ──► arena[at..at + bytes]            closed: kept until no batch uses it, and no mapping shows it
//!               └─ activity: points of batches that read and write it
//! ```

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;

use guest_shim::client::Point;
use guest_shim::wire::{ArenaOffset, ContextName};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::arena::{Extents, PAGE};
use crate::gpu::{Gpu, Result};
use crate::handles::Handles;
use crate::world::{Inode, world};

/// A buffer, for as long as the DRM file lives: handles are used again, these are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BufferId(u64);

#[cfg(test)]
impl BufferId {
    pub(crate) fn for_tests(number: u64) -> Self {
        Self(number)
    }
}

/// A batch that uses a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) point: Point,
    pub(crate) context: ContextName,
    /// The engine's class, for GEM_BUSY.
    pub(crate) class: u16,
}

/// Batches that use a buffer: of each context the last one that reads, and that writes.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    pub(crate) reads: Vec<Use>,
    pub(crate) writes: Vec<Use>,
}

impl Activity {
    /// Forgets what is over.
    pub(crate) fn settle(&mut self, gpu: &dyn Gpu) {
        self.reads.retain(|user| !gpu.reached(user.point));
        self.writes.retain(|user| !gpu.reached(user.point));
    }

    pub(crate) fn begin(&mut self, user: Use, write: bool) {
        let users = if write { &mut self.writes } else { &mut self.reads };
        users.retain(|other| other.context != user.context);
        users.push(user);
    }

    /// What has to be over before somebody may read, or write.
    pub(crate) fn before(&self, write: bool) -> impl Iterator<Item = &Use> {
        self.writes.iter().chain(self.reads.iter().filter(move |_| write))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty()
    }
}

#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) at: ArenaOffset,
    pub(crate) bytes: u64,
    /// It has left the arena: memory that others see as well.
    pub(crate) own: Option<OwnedFd>,
    pub(crate) activity: Activity,
    pub(crate) read_only: bool,
    /// It was made from the application's memory.
    pub(crate) from_user: bool,
    pub(crate) tiling: u32,
    pub(crate) stride: u32,
    pub(crate) caching: u32,
    /// What the application said it needs no more is kept all the same, and said so.
    pub(crate) unneeded: bool,
}

impl Buffer {
    pub(crate) fn new(at: ArenaOffset, bytes: u64, own: Option<OwnedFd>) -> Self {
        Self {
            at,
            bytes,
            own,
            activity: Activity::default(),
            read_only: false,
            from_user: false,
            tiling: 0,
            stride: 0,
            // Snooped by processors, as buffers are where the GPU shares the last-level cache.
            caching: 1,
            unneeded: false,
        }
    }
}

/// All buffers of a DRM file.
#[derive(Debug)]
pub(crate) struct Buffers {
    arena: Inode,
    handles: Handles<BufferId>,
    all: BTreeMap<BufferId, Buffer>,
    closed: Vec<BufferId>,
    /// Those that have a handle, by where they begin.
    places: BTreeMap<ArenaOffset, BufferId>,
    /// Those with a file of their own.
    files: HashMap<Inode, u32>,
    extents: Extents,
    next: u64,
}

impl Buffers {
    pub(crate) fn new(arena: Inode, bytes: u64) -> Self {
        let mut extents = Extents::new(bytes);
        // No buffer is at offset 0: programs take that for none.
        extents.take(PAGE);
        Self {
            arena,
            handles: Handles::default(),
            all: BTreeMap::new(),
            closed: Vec::new(),
            places: BTreeMap::new(),
            files: HashMap::new(),
            extents,
            next: 0,
        }
    }

    /// A new buffer, all zeros.
    pub(crate) fn create(&mut self, bytes: u64) -> Result<u32> {
        let bytes = bytes.checked_next_multiple_of(PAGE).ok_or(Errno::TOOBIG)?;
        let at = self.extents.take(bytes).ok_or(Errno::NOMEM)?;
        Ok(self.insert(Buffer::new(at, bytes, None)))
    }

    pub(crate) fn insert(&mut self, buffer: Buffer) -> u32 {
        self.next += 1;
        let id = BufferId(self.next);
        self.places.insert(buffer.at, id);
        self.all.insert(id, buffer);
        self.handles.insert(id)
    }

    pub(crate) fn id(&self, handle: u32) -> Result<BufferId> {
        self.handles.get(handle).copied().ok_or(Errno::NOENT)
    }

    pub(crate) fn by_handle(&mut self, handle: u32) -> Result<&mut Buffer> {
        let id = self.id(handle)?;
        self.get(id)
    }

    pub(crate) fn get(&mut self, id: BufferId) -> Result<&mut Buffer> {
        self.all.get_mut(&id).ok_or(Errno::NOENT)
    }

    /// The buffer that all of a range is of.
    pub(crate) fn around(&self, at: ArenaOffset, bytes: u64) -> Option<&Buffer> {
        let (_, id) = self.places.range(..=at).next_back()?;
        let buffer = self.all.get(id)?;
        let end = at.0.checked_add(bytes)?;
        (end <= buffer.at.0 + buffer.bytes).then_some(buffer)
    }

    /// A buffer's memory is somewhere else from now on, in a file of its own. Returns where it was.
    pub(crate) fn move_out(
        &mut self,
        handle: u32,
        at: ArenaOffset,
        own: OwnedFd,
        inode: Inode,
    ) -> Result<ArenaOffset> {
        let id = self.id(handle)?;
        let buffer = self.get(id)?;
        let before = std::mem::replace(&mut buffer.at, at);
        buffer.own = Some(own);
        self.places.remove(&before);
        self.places.insert(at, id);
        self.files.insert(inode, handle);
        Ok(before)
    }

    pub(crate) fn with_file(&self, file: Inode) -> Option<u32> {
        self.files.get(&file).copied()
    }

    pub(crate) fn set_file(&mut self, file: Inode, handle: u32) {
        self.files.insert(file, handle);
    }

    /// The handle goes; the buffer follows when it is idle.
    pub(crate) fn close(&mut self, handle: u32) -> Result<BufferId> {
        let id = self.handles.remove(handle).ok_or(Errno::INVAL)?;
        if let Some(buffer) = self.all.get(&id) {
            self.places.remove(&buffer.at);
            if buffer.own.is_some() {
                self.files.retain(|_, of| *of != handle);
            }
        }
        self.closed.push(id);
        Ok(id)
    }

    /// Closed buffers that no batch uses any more. They are to be taken out of their spaces, and then [`free`](Self::free)d.
    pub(crate) fn idle_closed(&mut self, gpu: &dyn Gpu) -> Vec<BufferId> {
        let all = &mut self.all;
        let mut idle = Vec::new();
        self.closed.retain(|id| {
            let Some(buffer) = all.get_mut(id) else { return false };
            buffer.activity.settle(gpu);
            if !buffer.activity.is_idle() {
                return true;
            }
            let shown = buffer.own.is_none() && {
                let mappings = world().mappings();
                !mappings.is_empty()
                    && mappings.of(self.arena, buffer.at, buffer.bytes).next().is_some()
            };
            if !shown {
                idle.push(*id);
            }
            shown
        });
        idle
    }

    /// What has to be over before more memory comes back.
    pub(crate) fn last_uses_of_closed(&self) -> Vec<Point> {
        let busy = self.closed.iter().filter_map(|id| self.all.get(id));
        busy.flat_map(|buffer| buffer.activity.before(true).map(|user| user.point)).collect()
    }

    /// A closed buffer's memory goes back, and comes again as zeros.
    pub(crate) fn free(&mut self, gpu: &dyn Gpu, id: BufferId) {
        let Some(buffer) = self.all.remove(&id) else { return };
        if buffer.own.is_some() {
            gpu.forget_buffer(buffer.at);
        } else {
            self.free_memory(gpu, buffer.at, buffer.bytes);
        }
    }

    /// A part of the arena goes back.
    pub(crate) fn free_memory(&mut self, gpu: &dyn Gpu, at: ArenaOffset, bytes: u64) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // What can't be emptied is not used again.
        if rustix::fs::fallocate(gpu.arena().0, hole, at.0, bytes).is_ok() {
            self.extents.give_back(at, bytes);
        }
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.extents.free_bytes()
    }
}
