//! A GPU for unit tests: it remembers what it was told, and batches are over when the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use guest_shim::client::{Lost, Point};
use guest_shim::wire::{
    ArenaOffset, ContextName, Device, Engine, FenceName, GpuAddress, SpaceName, Topology,
};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;

use crate::gpu::{Gpu, Result};

pub(crate) const ARENA: u64 = 64 << 20;

#[expect(non_snake_case, reason = "a constant that can't be one")]
pub(crate) fn KABY_LAKE() -> Device {
    let engines = (0..4).map(|class| Engine { class, instance: 0 });
    let device = Device::new((0x8086, 0x5912, 4), 48, 12_000_000, engines);
    device.laid_out(Topology::even(1, 0b111, 0xff))
}

/// What a batch was submitted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) context: ContextName,
    pub(crate) waits: Vec<Point>,
    pub(crate) start: GpuAddress,
    pub(crate) point: Point,
}

#[derive(Default)]
pub(crate) struct Seen {
    names: u32,
    fences: BTreeMap<u32, u64>,
    /// By space and address: where in the arena, how many bytes.
    pub(crate) bound: BTreeMap<(u32, u64), (ArenaOffset, u64)>,
    pub(crate) spaces: BTreeSet<u32>,
    pub(crate) contexts: BTreeMap<u32, (SpaceName, u16, i16)>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) losses: BTreeMap<u32, Lost>,
    pub(crate) refusals: u64,
    buffers: Vec<(ArenaOffset, u64, OwnedFd)>,
}

pub(crate) struct Fake {
    device: Device,
    arena: OwnedFd,
    seen: Mutex<Seen>,
    reached: Condvar,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let arena = rustix::fs::memfd_create("arena", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&arena, ARENA).unwrap();
        Arc::new(Self {
            device: KABY_LAKE(),
            arena,
            seen: Mutex::default(),
            reached: Condvar::new(),
        })
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// A point on a fence of its own.
    pub(crate) fn point(&self) -> Point {
        let mut seen = self.seen();
        seen.names += 1;
        Point { fence: FenceName(seen.names), value: 1 }
    }

    pub(crate) fn reach(&self, point: Point) {
        self.seen().fences.insert(point.fence.0, point.value);
        self.reached.notify_all();
    }

    /// All that was submitted is over.
    pub(crate) fn run(&self) {
        let points: Vec<Point> = self.seen().batches.iter().map(|batch| batch.point).collect();
        points.into_iter().for_each(|point| self.reach(point));
    }
}

impl Seen {
    fn reached(&self, point: Point) -> bool {
        self.fences.get(&point.fence.0).is_some_and(|value| *value >= point.value)
    }

    fn name(&mut self) -> u32 {
        self.names += 1;
        self.names
    }
}

impl Gpu for Fake {
    fn device(&self) -> &Device {
        &self.device
    }

    fn arena(&self) -> (BorrowedFd<'_>, u64) {
        (self.arena.as_fd(), ARENA)
    }

    fn open_space(&self) -> Result<SpaceName> {
        let mut seen = self.seen();
        let name = seen.name();
        seen.spaces.insert(name);
        Ok(SpaceName(name))
    }

    fn close_space(&self, space: SpaceName) {
        assert!(self.seen().spaces.remove(&space.0));
    }

    fn bind(
        &self,
        space: SpaceName,
        at: GpuAddress,
        arena: ArenaOffset,
        bytes: u64,
        _: bool,
    ) -> Result<()> {
        self.seen().bound.insert((space.0, at.0), (arena, bytes));
        Ok(())
    }

    fn unbind(&self, space: SpaceName, at: GpuAddress, _: u64) -> Result<()> {
        assert!(self.seen().bound.remove(&(space.0, at.0)).is_some());
        Ok(())
    }

    fn open_context(&self, space: SpaceName, engine: u16, priority: i16) -> Result<ContextName> {
        let mut seen = self.seen();
        let name = seen.name();
        seen.contexts.insert(name, (space, engine, priority));
        Ok(ContextName(name))
    }

    fn close_context(&self, context: ContextName) {
        assert!(self.seen().contexts.remove(&context.0).is_some());
    }

    fn submit(&self, context: ContextName, waits: &[Point], start: GpuAddress) -> Result<Point> {
        let mut seen = self.seen();
        let before = seen.batches.iter().filter(|batch| batch.context == context).count();
        let point = Point { fence: FenceName(1000 + context.0), value: before as u64 + 1 };
        seen.batches.push(Batch { context, waits: waits.to_vec(), start, point });
        Ok(point)
    }

    fn lost(&self, context: ContextName) -> Result<Lost> {
        Ok(self.seen().losses.get(&context.0).copied().unwrap_or_default())
    }

    fn refusals(&self) -> u64 {
        self.seen().refusals
    }

    fn reached(&self, point: Point) -> bool {
        self.seen().reached(point)
    }

    fn wait(&self, points: &[Point], until: Option<Instant>) -> Result<bool> {
        let mut seen = self.seen();
        loop {
            if points.iter().all(|point| seen.reached(*point)) {
                return Ok(true);
            }
            let Some(until) = until else {
                seen = self.reached.wait(seen).unwrap();
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            seen = self.reached.wait_timeout(seen, left).unwrap().0;
        }
    }

    fn new_buffer(&self, bytes: u64) -> Result<(ArenaOffset, OwnedFd)> {
        let file = rustix::fs::memfd_create("buffer", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, bytes)?;
        self.import(file.as_fd()).map(|(at, _)| (at, file))
    }

    fn import(&self, file: BorrowedFd<'_>) -> Result<(ArenaOffset, u64)> {
        let bytes = rustix::fs::fstat(file)?.st_size.cast_unsigned();
        let mut seen = self.seen();
        let at = seen.buffers.last().map_or(ARENA, |(at, bytes, _)| at.0 + bytes);
        seen.buffers.push((
            ArenaOffset(at),
            bytes,
            file.try_clone_to_owned().map_err(|_| Errno::MFILE)?,
        ));
        Ok((ArenaOffset(at), bytes))
    }

    fn forget_buffer(&self, at: ArenaOffset) {
        self.seen().buffers.retain(|(start, _, _)| *start != at);
    }
}
