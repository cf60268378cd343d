//! What belongs to the process and to no DRM file in particular. A child of `fork` has a world of its own.
//!
//! The child shares the parent's descriptors and shared mappings, but it can use neither its connections nor its locks: a
//! thread that is not there may hold them. So it begins with an empty world, and the parent's is never touched again except
//! to recognize descriptors ([`World::parents`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use rustix::fs::Stat;

use crate::fence::Fence;
use crate::file::DrmFile;
use crate::mappings::Mappings;
use crate::names::Names;
use crate::paths::Node;
use crate::syncobj::Syncobj;

/// Which file a descriptor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(crate) fn new(device: u64, number: u64) -> Self {
        Self { device, number }
    }

    pub(crate) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, number: stat.st_ino }
    }
}

pub(crate) struct World {
    /// By the arena's inode.
    files: RwLock<BTreeMap<Inode, Arc<DrmFile>>>,
    sync_files: Mutex<BTreeMap<Inode, Fence>>,
    /// By the inode of the descriptor that they were exported as.
    syncobjs: Mutex<BTreeMap<Inode, Arc<Syncobj>>>,
    mappings: Mutex<Mappings>,
    names: Mutex<Names>,
    changes: Mutex<u64>,
    change: Condvar,
    child: OnceLock<Box<World>>,
}

/// How many forks are between the first process and this one.
static FORKS: AtomicUsize = AtomicUsize::new(0);
static FIRST: World = World::new();

/// This process's.
pub(crate) fn world() -> &'static World {
    World::after(FORKS.load(Ordering::Relaxed))
}

/// To be called in a child, before anything else.
pub(crate) extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    const fn new() -> Self {
        Self {
            files: RwLock::new(BTreeMap::new()),
            sync_files: Mutex::new(BTreeMap::new()),
            syncobjs: Mutex::new(BTreeMap::new()),
            mappings: Mutex::new(Mappings::new()),
            names: Mutex::new(Names::new()),
            changes: Mutex::new(0),
            change: Condvar::new(),
            child: OnceLock::new(),
        }
    }

    fn after(forks: usize) -> &'static Self {
        let mut world = &FIRST;
        for _ in 0..forks {
            world = world.child.get_or_init(|| Box::new(Self::new()));
        }
        world
    }

    // DRM files.

    pub(crate) fn file(&self, inode: Inode) -> Option<Arc<DrmFile>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(&inode).cloned()
    }

    pub(crate) fn has_files(&self) -> bool {
        !self.files.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether any descriptor of the process may stand for something of ours.
    pub(crate) fn has_descriptors(&self) -> bool {
        self.has_files() || !self.syncobjs().is_empty()
    }

    /// The files that have a buffer with this file of its own.
    pub(crate) fn files_with(&self, buffer: Inode) -> Vec<Arc<DrmFile>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let with = files.values().filter(|file| file.state().buffers.with_file(buffer).is_some());
        with.cloned().collect()
    }

    pub(crate) fn add_file(&self, inode: Inode, file: Arc<DrmFile>) {
        self.files.write().unwrap_or_else(PoisonError::into_inner).insert(inode, file);
    }

    pub(crate) fn remove_file(&self, inode: Inode) -> Option<Arc<DrmFile>> {
        self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&inode)
    }

    /// Whether this is a DRM file that the process had before it was forked: which node.
    pub(crate) fn parents(inode: Inode) -> Option<Node> {
        let forks = FORKS.load(Ordering::Relaxed);
        (0..forks).find_map(|forks| {
            // A thread that is not there may hold the lock.
            let files = Self::after(forks).files.try_read().ok()?;
            files.get(&inode).map(|file| file.node)
        })
    }

    // What descriptors stand for.

    pub(crate) fn sync_files(&self) -> MutexGuard<'_, BTreeMap<Inode, Fence>> {
        lock(&self.sync_files)
    }

    pub(crate) fn syncobjs(&self) -> MutexGuard<'_, BTreeMap<Inode, Arc<Syncobj>>> {
        lock(&self.syncobjs)
    }

    pub(crate) fn mappings(&self) -> MutexGuard<'_, Mappings> {
        lock(&self.mappings)
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        lock(&self.names)
    }

    // Changes of syncobjs, for who waits for one.

    pub(crate) fn changes(&self) -> u64 {
        *lock(&self.changes)
    }

    pub(crate) fn changed(&self) {
        *lock(&self.changes) += 1;
        self.change.notify_all();
    }

    /// Waits until something has changed since then, or the time has come.
    pub(crate) fn wait_for_change(&self, seen: u64, until: Option<Instant>) {
        let mut changes = lock(&self.changes);
        while *changes == seen {
            let Some(until) = until else {
                changes = self.change.wait(changes).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.change.wait_timeout(changes, left);
            changes = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
