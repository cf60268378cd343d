//! A host's driver that is none, and strict: it refuses what i915 refuses, and notes what i915 would let pass and no
//! caller may do.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use gpu_intel_i915::{
    Buffer, ContextSetup, Device, EngineName, FenceState, HostContext, HostSpace, Object, Piece,
    ResetStatistics, UdmabufLimits, parameter, query,
};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::SealFlags;
use rustix::io::Errno;

const PAGE: u64 = 4096;

/// A batch that was submitted.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) context: HostContext,
    pub(super) space: HostSpace,
    /// Where it began.
    pub(super) start: u64,
    pub(super) bytes: u32,
    pub(super) objects: Vec<(u64, u64, Buffer)>,
    inode: u64,
    opening: u32,
}

#[derive(Debug, Default)]
pub(super) struct World {
    next: u32,
    /// Hangs by opening.
    hangs: HashMap<u32, u32>,
    pub(super) spaces: HashSet<u32>,
    pub(super) contexts: HashMap<HostContext, ContextSetup>,
    /// Bytes, and whether the driver can read them.
    pub(super) buffers: HashMap<Buffer, (u64, bool)>,
    bound: HashMap<(HostSpace, Buffer), u64>,
    /// Batches that are under way, with the writing ends of their fences.
    pub(super) running: Vec<(Run, OwnedFd)>,
    over: HashMap<u64, FenceState>,
    pub(super) runs: Vec<Run>,
    pub(super) imports: usize,
    pub(super) wrongs: Vec<String>,
    /// What fails next: the call's name and its error.
    pub(super) fail: Option<(&'static str, Errno)>,
    pub(super) persistent: bool,
    pub(super) driver: Option<&'static str>,
    pub(super) chipset: Option<i32>,
    pub(super) lost: bool,
    pub(super) no_video_enhance: bool,
}

/// An opening of the driver. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Double {
    world: Arc<Mutex<World>>,
    opening: u32,
}

impl Double {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The oldest batch that is under way ends.
    pub(super) fn end_one(&self, state: FenceState) {
        let mut world = self.world();
        let (run, fence) = world.running.remove(0);
        world.end(&run, &fence, state);
    }
}

impl World {
    fn end(&mut self, run: &Run, fence: &OwnedFd, state: FenceState) {
        if state == FenceState::Failed(Errno::IO) {
            *self.hangs.entry(run.opening).or_default() += 1;
        }
        self.over.insert(run.inode, state);
        rustix::io::write(fence, &1_u64.to_ne_bytes()).unwrap();
    }

    fn name(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn failing(&mut self, call: &'static str) -> io::Result<()> {
        match self.fail.take_if(|(name, _)| *name == call) {
            Some((_, error)) => Err(error.into()),
            None => Ok(()),
        }
    }

    fn wrong(&mut self, what: String) {
        self.wrongs.push(what);
    }
}

fn inode(file: impl AsFd) -> u64 {
    // All eventfds share an inode: the kernel's own number of the object tells them apart.
    let path = format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&file.as_fd()));
    let text = std::fs::read_to_string(path).unwrap();
    let id = text.lines().find_map(|line| line.strip_prefix("eventfd-id:")).unwrap();
    id.trim().parse().unwrap()
}

impl Device for Double {
    fn another(&self) -> io::Result<Self> {
        let opening = self.world().name();
        Ok(Self { world: Arc::clone(&self.world), opening })
    }

    fn driver(&self) -> io::Result<(String, (i32, i32))> {
        Ok((self.world().driver.unwrap_or("i915").to_owned(), (1, 6)))
    }

    fn has_timelines(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn parameter(&self, number: i32) -> io::Result<i32> {
        Ok(match number {
            parameter::CHIPSET_ID => self.world().chipset.unwrap_or(0x5916),
            parameter::REVISION => 2,
            parameter::HAS_SCHEDULER => 7,
            parameter::HAS_GPU_RESET => 2,
            _ => 1,
        })
    }

    fn query(&self, number: u64) -> io::Result<Vec<u8>> {
        match number {
            query::ENGINES => {
                let count = if self.world().no_video_enhance { 3 } else { 4 };
                let mut answer = vec![0; 16 + 56 * count];
                for class in 0..count {
                    answer[16 + 56 * class] = class as u8;
                }
                Ok(answer)
            }
            // Two of three slices, each with three of four subslices, of eight units but for two that lack some.
            query::TOPOLOGY => {
                let head = [0_u16, 3, 4, 8, 1, 1, 4, 1];
                let mut answer: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
                answer.extend([0b11, 0b111, 0b111, 0]);
                answer.extend([0xff, 0x7f, 0xff, 0, 0xff, 0xff, 0x3f, 0, 0, 0, 0, 0]);
                Ok(answer)
            }
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn udmabuf_limits(&self) -> UdmabufLimits {
        UdmabufLimits { pieces: 1024, bytes: 64 << 20 }
    }

    fn open_space(&self) -> io::Result<HostSpace> {
        let mut world = self.world();
        world.failing("open_space")?;
        let name = world.name();
        world.spaces.insert(name);
        Ok(HostSpace(name))
    }

    fn close_space(&self, space: HostSpace) {
        let mut world = self.world();
        if !world.spaces.remove(&space.0) {
            world.wrong(format!("{space:?} is not open"));
        }
    }

    fn open_context(&self, setup: &ContextSetup) -> io::Result<HostContext> {
        let mut world = self.world();
        world.failing("open_context")?;
        if world.hangs.get(&self.opening).is_some_and(|hangs| *hangs >= 3) {
            return Err(Errno::IO.into());
        }
        if setup.dies_with_work && world.persistent {
            return Err(Errno::NODEV.into());
        }
        if !world.spaces.contains(&setup.space.0) {
            return Err(Errno::NOENT.into());
        }
        let name = HostContext(world.name());
        world.contexts.insert(name, *setup);
        Ok(name)
    }

    fn space_bytes(&self, _: HostContext) -> io::Result<u64> {
        Ok(1 << 48)
    }

    fn close_context(&self, context: HostContext) {
        let mut world = self.world();
        let Some(setup) = world.contexts.remove(&context) else {
            return world.wrong(format!("{context:?} is not open"));
        };
        if setup.dies_with_work {
            let running = std::mem::take(&mut world.running);
            for (run, fence) in running {
                if run.context == context {
                    world.end(&run, &fence, FenceState::Failed(Errno::CANCELED));
                } else {
                    world.running.push((run, fence));
                }
            }
        }
    }

    fn reset_statistics(&self, context: HostContext) -> io::Result<ResetStatistics> {
        if !self.world().contexts.contains_key(&context) {
            return Err(Errno::NOENT.into());
        }
        Ok(ResetStatistics { active: 1, pending: 0 })
    }

    fn import(&self, pieces: &[Piece<'_>]) -> io::Result<Buffer> {
        let mut world = self.world();
        world.failing("import")?;
        let limits = self.udmabuf_limits();
        let bytes = pieces.iter().map(|piece| piece.bytes).sum();
        if pieces.is_empty() || pieces.len() > limits.pieces || bytes > limits.bytes {
            return Err(Errno::INVAL.into());
        }
        for piece in pieces {
            let seals = rustix::fs::fcntl_get_seals(piece.file)?;
            let size = rustix::fs::fstat(piece.file)?.st_size.cast_unsigned();
            let fits = piece.offset.checked_add(piece.bytes).is_some_and(|end| end <= size);
            let whole = piece.offset % PAGE == 0 && piece.bytes % PAGE == 0 && piece.bytes > 0;
            let sealed = seals.contains(SealFlags::SHRINK) && !seals.contains(SealFlags::WRITE);
            if !(fits && whole && sealed) {
                return Err(Errno::INVAL.into());
            }
        }
        world.imports += 1;
        let name = Buffer(world.name());
        world.buffers.insert(name, (bytes, false));
        Ok(name)
    }

    fn create(&self, bytes: u64) -> io::Result<Buffer> {
        let mut world = self.world();
        world.failing("create")?;
        if bytes == 0 {
            return Err(Errno::INVAL.into());
        }
        let name = Buffer(world.name());
        world.buffers.insert(name, (bytes.next_multiple_of(PAGE), true));
        Ok(name)
    }

    fn write(&self, buffer: Buffer, bytes: &[u8]) -> io::Result<()> {
        let world = self.world();
        let (size, own) = world.buffers.get(&buffer).copied().ok_or(Errno::NOENT)?;
        let fits = own && bytes.len() as u64 <= size;
        if fits { Ok(()) } else { Err(Errno::INVAL.into()) }
    }

    fn close(&self, buffer: Buffer) {
        let mut world = self.world();
        if world.buffers.remove(&buffer).is_none() {
            world.wrong(format!("{buffer:?} is not open"));
        }
        let used = |(run, _): &(Run, OwnedFd)| run.objects.iter().any(|(.., b)| *b == buffer);
        if world.running.iter().any(used) {
            world.wrong(format!("{buffer:?} is closed under a batch that uses it"));
        }
        world.bound.retain(|(_, bound), _| *bound != buffer);
    }

    fn execute(
        &self,
        context: HostContext,
        objects: &mut [Object],
        start: u32,
        bytes: u32,
    ) -> io::Result<OwnedFd> {
        let mut world = self.world();
        world.failing("execute")?;
        let setup = *world.contexts.get(&context).ok_or(Errno::NOENT)?;
        if !start.is_multiple_of(8) || !bytes.is_multiple_of(8) {
            return Err(Errno::INVAL.into());
        }
        let (mut list, mut seen) = (Vec::new(), HashSet::new());
        for object in objects.iter() {
            let (buffer, at) = (object.buffer(), object.at());
            let (size, _) = *world.buffers.get(&buffer).ok_or(Errno::NOENT)?;
            if !seen.insert(buffer) {
                world.wrong(format!("{buffer:?} is in a list twice"));
            }
            list.push((at, at + size, buffer));
        }
        let &(at, end, batch) = list.last().ok_or(Errno::INVAL)?;
        if at + u64::from(start) + u64::from(bytes) > end {
            return Err(Errno::INVAL.into());
        }
        if setup.engine == (EngineName { class: 1, instance: 0 }) && !world.buffers[&batch].1 {
            // The driver reads what the blitter runs, and can't read what is imported.
            return Err(Errno::NODEV.into());
        }
        let mut sorted = list.clone();
        sorted.sort_unstable_by_key(|(at, ..)| *at);
        if sorted.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(Errno::NOSPC.into());
        }
        // What is bound here and in the way is unbound, for which the driver waits until it is idle.
        let mut unbound = Vec::new();
        for ((space, buffer), other) in &world.bound {
            let Some((size, _)) = world.buffers.get(buffer) else { continue };
            let in_the_way = |(at, end, own): &(u64, u64, Buffer)| {
                own != buffer && *at < other + size && *other < *end
            };
            if *space == setup.space && list.iter().any(in_the_way) {
                unbound.push(*buffer);
            }
        }
        for buffer in unbound {
            let used = |(run, _): &(Run, OwnedFd)| {
                run.space == setup.space && run.objects.iter().any(|(.., b)| *b == buffer)
            };
            if world.running.iter().any(used) {
                world.wrong(format!("{buffer:?} would be waited for, to be unbound"));
            }
            world.bound.remove(&(setup.space, buffer));
        }
        for (at, _, buffer) in &list {
            world.bound.insert((setup.space, *buffer), *at);
        }
        let fence = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let run = Run {
            context,
            space: setup.space,
            start: at + u64::from(start),
            bytes,
            objects: list,
            inode: inode(&fence),
            opening: self.opening,
        };
        world.runs.push(run.clone());
        world.running.push((run, fence.try_clone()?));
        Ok(fence)
    }

    fn fence(&self, fence: &impl AsFd) -> io::Result<FenceState> {
        let state = self.world().over.get(&inode(fence)).copied();
        Ok(state.unwrap_or(FenceState::Pending))
    }

    fn is_lost(&self) -> bool {
        self.world().lost
    }
}
