//! EXECBUFFER2: from a list of buffers to a batch on the GPU.
//!
//! ```text
//!  check ► read lists ► ┌ place every buffer ► relocate ► collect what must be over ► submit ┐ ► fences
//!                       └──── under the lock; what has to be waited for ends the attempt ────┘
//! ```
//!
//! Batches are ordered by the GPU: a batch waits there for the points of other contexts' batches that use the same buffers
//! (implicit synchronization) and for fences that it names. This process waits only for what the GPU can't: fences of other
//! GPUs and processes, buffers that have to move in an address space, and words that are patched by relocations.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use guest_shim::client::Point;
use guest_shim::wire::{FenceName, GpuAddress};
use rustix::io::Errno;

use crate::arena::PAGE;
use crate::buffers::{BufferId, Use};
use crate::contexts::{Queue, SpaceId};
use crate::fence::Fence;
use crate::file::DrmFile;
use crate::gpu::{Gpu, Result};
use crate::relocate::{self, Relocations};
use crate::spaces::{BATCH_BIAS, LOW_LIMIT, Wish};
use crate::state::State;
use crate::syncobj::Syncobj;
use crate::uapi::i915::{self, ExecFence, ExecObject, Execute, Extension, TimelineFences};
use crate::user::{UserPointer, descriptor};

/// More extensions are a loop (`i915_user_extensions`).
pub(crate) const MOST_EXTENSIONS: usize = 512;

/// How an attempt under the lock ended.
enum Attempt {
    Submitted(Point),
    /// Once these are reached, try again.
    After(Vec<Point>),
}

/// What has to be over before a batch moves on, as an error that `?` hands through.
pub(crate) enum Stop {
    Failed(Errno),
    After(Vec<Point>),
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::Failed(error)
    }
}

/// An address as the application writes it: the uppermost bit is repeated.
pub(crate) fn canonical(gpu: &dyn Gpu, at: u64) -> u64 {
    let unused = u32::from(64_u8.saturating_sub(gpu.device().address_bits));
    ((at << unused).cast_signed() >> unused).cast_unsigned()
}

fn not_canonical(gpu: &dyn Gpu, at: u64) -> u64 {
    let unused = u32::from(64_u8.saturating_sub(gpu.device().address_bits));
    at << unused >> unused
}

/// The batch among the buffers.
fn batch_index(flags: u64, count: usize) -> usize {
    if flags & i915::EXEC_BATCH_FIRST != 0 { 0 } else { count.saturating_sub(1) }
}

/// What a batch waits for, and whom it tells when it is over.
#[derive(Default)]
struct Fences {
    before: Fence,
    after: Vec<(Arc<Syncobj>, u64)>,
    file: bool,
}

impl DrmFile {
    pub(crate) fn execute(&self, args: &mut Execute) -> Result<()> {
        check(args)?;
        let list = UserPointer(args.buffers);
        let mut objects: Vec<ExecObject> = list.read_array(args.buffer_count as usize)?;
        let given: Vec<u64> = objects.iter().map(|object| object.offset).collect();
        let fences = self.read_fences(args)?;
        check_objects(&*self.gpu, args, &mut objects)?;
        let relocations = Relocations::read(&objects)?;

        let outcome = self.attempt_until_done(args, &mut objects, &relocations, &fences);
        for (index, (object, given)) in objects.iter().zip(given).enumerate() {
            let now = canonical(&*self.gpu, object.offset);
            if now != given && outcome.is_ok() {
                let at = index * size_of::<ExecObject>() + std::mem::offset_of!(ExecObject, offset);
                // A batch that runs can't be refused any more.
                let _ = list.offset(at as u64).and_then(|place| place.write(&now));
            }
        }
        let fence = Fence::point(&self.gpu, outcome?);
        for (object, point) in &fences.after {
            match point {
                0 => object.replace(fence.clone()),
                point => object.add(*point, fence.clone()),
            }
        }
        if fences.file {
            let file: OwnedFd = fence.into_file()?;
            let number = file.into_raw_fd() as u32;
            args.sync_files = args.sync_files & 0xffff_ffff | u64::from(number) << 32;
        }
        Ok(())
    }

    fn attempt_until_done(
        &self,
        args: &Execute,
        objects: &mut [ExecObject],
        relocations: &Relocations,
        fences: &Fences,
    ) -> Result<Point> {
        loop {
            // Others' fences, which this GPU can't wait for.
            fences.before.split(&self.gpu).1.wait(None)?;
            let (points, _) = fences.before.split(&self.gpu);
            let mut state = self.state();
            let attempt = attempt(&mut state, &*self.gpu, args, objects, relocations, points);
            drop(state);
            match attempt? {
                Attempt::Submitted(point) => return Ok(point),
                Attempt::After(points) => self.wait_for(&points, None).map(drop)?,
            }
        }
    }

    // Fences of the application.

    fn read_fences(&self, args: &Execute) -> Result<Fences> {
        let mut fences =
            Fences { file: args.flags & i915::EXEC_FENCE_OUT != 0, ..Fences::default() };
        if args.flags & i915::EXEC_USE_EXTENSIONS != 0 {
            self.read_extensions(args, &mut fences)?;
        }
        if args.flags & i915::EXEC_FENCE_ARRAY != 0 {
            let array: Vec<ExecFence> =
                UserPointer(args.fences).read_array(args.fence_count as usize)?;
            for ExecFence { handle, flags } in array {
                self.add_fence(&mut fences, handle, flags, 0)?;
            }
        }
        match args.flags & (i915::EXEC_FENCE_IN | i915::EXEC_FENCE_SUBMIT) {
            0 => {}
            i915::EXEC_FENCE_IN => {
                let fence = sync_file(args)?;
                fences.before = fences.before.and(&fence);
            }
            // It asks to begin no sooner than another batch does: that one was submitted, which is all that can be said.
            i915::EXEC_FENCE_SUBMIT => {
                sync_file(args)?;
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(fences)
    }

    /// A batch may carry one extension: fences with points of timelines.
    fn read_extensions(&self, args: &Execute, fences: &mut Fences) -> Result<()> {
        // The old clip rectangles' pointer is the chain; with it there is no array.
        if args.flags & i915::EXEC_FENCE_ARRAY != 0 || args.fence_count != 0 {
            return Err(Errno::INVAL);
        }
        let mut seen = false;
        each_extension(args.fences, |name, body| {
            if name != 0 || std::mem::replace(&mut seen, true) {
                return Err(Errno::INVAL);
            }
            let TimelineFences { count, handles, values } = body.read()?;
            let count = usize::try_from(count).map_err(|_| Errno::INVAL)?;
            let list: Vec<ExecFence> = UserPointer(handles).read_array(count)?;
            let values: Vec<u64> = UserPointer(values).read_array(count)?;
            for (ExecFence { handle, flags }, value) in list.into_iter().zip(values) {
                self.add_fence(fences, handle, flags, value)?;
            }
            Ok(())
        })
    }

    fn add_fence(&self, fences: &mut Fences, handle: u32, flags: u32, point: u64) -> Result<()> {
        let (wait, signal) = (flags & i915::FENCE_WAIT != 0, flags & i915::FENCE_SIGNAL != 0);
        if flags & !(i915::FENCE_WAIT | i915::FENCE_SIGNAL) != 0 {
            return Err(Errno::INVAL);
        }
        let object = self.syncobj(handle)?;
        // To wait for what one signals oneself would never end.
        if point != 0 && wait && signal {
            return Err(Errno::INVAL);
        }
        if wait {
            fences.before =
                std::mem::take(&mut fences.before).and(&object.find(point).ok_or(Errno::INVAL)?);
        }
        if signal {
            fences.after.push((object, point));
        }
        Ok(())
    }
}

/// Goes through a chain of extensions: their names, and where what is particular to them begins.
pub(crate) fn each_extension(
    chain: u64,
    mut each: impl FnMut(u32, UserPointer) -> Result<()>,
) -> Result<()> {
    let mut next = chain;
    for _ in 0..=MOST_EXTENSIONS {
        if next == 0 {
            return Ok(());
        }
        let extension: Extension = UserPointer(next).read()?;
        if extension.flags != 0 || extension.reserved != [0; 4] {
            return Err(Errno::INVAL);
        }
        each(extension.name, UserPointer(next).offset(size_of::<Extension>() as u64)?)?;
        next = extension.next;
    }
    Err(Errno::TOOBIG)
}

/// The sync file that a batch comes with.
fn sync_file(args: &Execute) -> Result<Fence> {
    let number = args.sync_files as u32;
    Fence::of_file(descriptor(number.cast_signed()).map_err(|_| Errno::INVAL)?)
}

/// What is wrong whatever the lists hold.
fn check(args: &Execute) -> Result<()> {
    const SOL_RESET: u64 = 1 << 8;
    let never =
        i915::EXEC_UNKNOWN | i915::EXEC_CONSTANTS_MASK | i915::EXEC_RESOURCE_STREAMER | SOL_RESET;
    let extended = args.flags & (i915::EXEC_FENCE_ARRAY | i915::EXEC_USE_EXTENSIONS) != 0;
    let wrong = args.buffer_count == 0
        || args.buffer_count > i32::MAX as u32
        || args.flags & never != 0
        || !extended && (args.fence_count != 0 || args.fences != 0)
        || args.dr1 != 0
        || args.dr4 != 0 && args.dr4 != u32::MAX
        || (args.batch_start | args.batch_bytes) & 7 != 0;
    if wrong {
        return Err(Errno::INVAL);
    }
    if args.flags & i915::EXEC_SECURE != 0 { Err(Errno::PERM) } else { Ok(()) }
}

/// What is wrong with a buffer, whatever buffer it is. Addresses are without their repeated bits from here on.
fn check_objects(gpu: &dyn Gpu, args: &Execute, objects: &mut [ExecObject]) -> Result<()> {
    let batch = batch_index(args.flags, objects.len());
    for (index, object) in objects.iter_mut().enumerate() {
        let low = not_canonical(gpu, object.offset);
        let pinned = object.flags & i915::OBJECT_PINNED != 0;
        let padded = object.flags & i915::OBJECT_PAD_TO_SIZE != 0;
        let wrong = object.flags & i915::OBJECT_UNKNOWN != 0
            || object.alignment != 0 && !object.alignment.is_power_of_two()
            || pinned && object.offset != canonical(gpu, low / PAGE * PAGE)
            || padded && !object.pad_to_size.is_multiple_of(PAGE)
            // A batch that writes to itself is refused as such.
            || index == batch && object.flags & i915::OBJECT_WRITE != 0;
        if wrong {
            return Err(Errno::INVAL);
        }
        if !padded {
            object.pad_to_size = 0;
        }
        object.offset = low;
    }
    Ok(())
}

fn attempt(
    state: &mut State,
    gpu: &dyn Gpu,
    args: &Execute,
    objects: &mut [ExecObject],
    relocations: &Relocations,
    points: Vec<Point>,
) -> Result<Attempt> {
    match try_to(state, gpu, args, objects, relocations, points) {
        Ok(point) => Ok(Attempt::Submitted(point)),
        Err(Stop::After(points)) => Ok(Attempt::After(points)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn try_to(
    state: &mut State,
    gpu: &dyn Gpu,
    args: &Execute,
    objects: &mut [ExecObject],
    relocations: &Relocations,
    mut points: Vec<Point>,
) -> core::result::Result<Point, Stop> {
    let context_id = u32::try_from(args.context).map_err(|_| Errno::NOENT)?;
    let context = state.context(context_id)?;
    context.settled = true;
    context.check(gpu)?;
    let (selector, engine) = context.select(gpu, args.flags)?;
    let (space, priority) = (context.space, context.priority);
    points.extend(context.timeline(selector));

    let ids = look_up(state, objects)?;
    let batch = batch_index(args.flags, objects.len());
    let batch_bytes = state.buffers.get(ids[batch])?.bytes;
    let end = u64::from(args.batch_start) + u64::from(args.batch_bytes);
    if end > batch_bytes || u64::from(args.batch_start) == batch_bytes {
        return Err(Errno::INVAL.into());
    }
    for id in &ids {
        state.buffers.get(*id)?.activity.settle(gpu);
    }

    let moved = place(state, gpu, space, &ids, objects, batch)?;
    let mut writes: Vec<bool> =
        objects.iter().map(|object| object.flags & i915::OBJECT_WRITE != 0).collect();
    if moved || args.flags & i915::EXEC_NO_RELOC == 0 {
        let by_index = args.flags & i915::EXEC_HANDLE_LUT != 0;
        relocate::apply(state, gpu, relocations, &ids, objects, by_index, &mut writes)?;
    }

    let queue = match state.context(context_id)?.queues.get(&selector) {
        Some(queue) => *queue,
        None => {
            let space = state.spaces.get(&space).ok_or(Errno::NOENT)?.name;
            let name = gpu.open_context(space, engine, priority)?;
            let class = gpu.device().engines().nth(engine.into()).map_or(0, |e| e.class);
            let queue = Queue { name, class, last: None };
            state.context(context_id)?.queues.insert(selector, queue);
            queue
        }
    };
    for ((id, object), write) in ids.iter().zip(objects.iter()).zip(&writes) {
        if object.flags & i915::OBJECT_ASYNC == 0 {
            let activity = &state.buffers.get(*id)?.activity;
            let others = activity.before(*write).filter(|user| user.context != queue.name);
            points.extend(others.map(|user| user.point));
        }
    }
    let start = GpuAddress(objects[batch].offset + u64::from(args.batch_start));
    let point = gpu.submit(queue.name, &latest(&points), start)?;
    if let Some(queue) = state.context(context_id)?.queues.get_mut(&selector) {
        queue.last = Some(point);
    }
    let user = Use { point, context: queue.name, class: queue.class };
    for (id, write) in ids.iter().zip(writes) {
        state.buffers.get(*id)?.activity.begin(user, write);
    }
    Ok(point)
}

/// Of each fence the greatest value.
fn latest(points: &[Point]) -> Vec<Point> {
    let mut of: BTreeMap<FenceName, u64> = BTreeMap::new();
    for point in points {
        let value = of.entry(point.fence).or_default();
        *value = point.value.max(*value);
    }
    of.into_iter().map(|(fence, value)| Point { fence, value }).collect()
}

/// Which buffers are meant; none twice.
fn look_up(state: &State, objects: &[ExecObject]) -> Result<Vec<BufferId>> {
    let mut seen = std::collections::HashSet::with_capacity(objects.len());
    let each = objects.iter().map(|object| {
        let id = state.buffers.id(object.handle)?;
        if seen.insert(id) { Ok(id) } else { Err(Errno::INVAL) }
    });
    each.collect()
}

/// Every buffer gets an address in the space, and keeps the one that it has if it may. Whether any is not where the
/// application thinks.
fn place(
    state: &mut State,
    gpu: &dyn Gpu,
    space: SpaceId,
    ids: &[BufferId],
    objects: &mut [ExecObject],
    batch: usize,
) -> core::result::Result<bool, Stop> {
    let mut wishes = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for (index, (id, object)) in ids.iter().zip(objects.iter()).enumerate() {
        let bytes = state.buffers.get(*id)?.bytes.max(object.pad_to_size);
        let wish = wish(gpu, object, bytes, index == batch)?;
        wishes.push(wish);
        let there = state.spaces.get(&space).and_then(|space| space.place(*id));
        let pinned = object.flags & i915::OBJECT_PINNED != 0;
        let fits = there.is_some_and(|(at, room)| {
            room >= bytes && wish.is_met_by(at) && (!pinned || at == object.offset)
        });
        if !fits {
            if there.is_some() {
                evict(state, gpu, space, *id)?;
            }
            missing.push(index);
        }
    }
    // Those that can be at one place only come first.
    missing.sort_by_key(|index| objects[*index].flags & i915::OBJECT_PINNED == 0);
    let in_batch: HashMap<BufferId, usize> =
        ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    let mut next = 0;
    while let Some(&index) = missing.get(next) {
        next += 1;
        let (id, object, wish) = (ids[index], &objects[index], &wishes[index]);
        let at = if object.flags & i915::OBJECT_PINNED != 0 {
            for other in standing(state, space, object.offset, wish.bytes) {
                if let Some(other_index) = in_batch.get(&other) {
                    if objects[*other_index].flags & i915::OBJECT_PINNED != 0 {
                        return Err(Errno::NOSPC.into());
                    }
                    missing.push(*other_index);
                }
                evict(state, gpu, space, other)?;
            }
            object.offset
        } else {
            find_room(state, gpu, space, object.offset, wish, &in_batch)?
        };
        let buffer = state.buffers.get(id)?;
        let (memory, bytes, read_only) = (buffer.at, buffer.bytes, buffer.read_only);
        let space = state.spaces.get_mut(&space).ok_or(Errno::NOENT)?;
        gpu.bind(space.name, GpuAddress(at), memory, bytes, read_only)?;
        space.put(id, at, wish.bytes);
    }
    let mut moved = false;
    for (id, object) in ids.iter().zip(objects) {
        let there = state.spaces.get(&space).and_then(|space| space.place(*id));
        let (at, _) = there.ok_or(Errno::NOSPC)?;
        moved |= at != object.offset;
        object.offset = at;
    }
    Ok(moved)
}

/// Where a buffer may be.
fn wish(gpu: &dyn Gpu, object: &ExecObject, bytes: u64, is_batch: bool) -> Result<Wish> {
    let pinned = object.flags & i915::OBJECT_PINNED != 0;
    let all = 1_u64 << gpu.device().address_bits.min(63);
    let to = if object.flags & i915::OBJECT_48_BIT == 0 { LOW_LIMIT } else { all };
    let biased = is_batch && object.relocation_count > 0 && !pinned;
    let from = if biased { BATCH_BIAS } else { 0 };
    let wish = Wish { bytes, alignment: object.alignment.max(PAGE), from, to };
    match (pinned, wish.is_met_by(object.offset)) {
        (true, false) => Err(Errno::INVAL),
        (false, _) if bytes > to => Err(Errno::NOSPC),
        _ => Ok(wish),
    }
}

fn standing(state: &State, space: SpaceId, at: u64, bytes: u64) -> Vec<BufferId> {
    state.spaces.get(&space).map_or_else(Vec::new, |space| space.between(at, bytes))
}

/// Where the application thinks it is, if there is room; or anywhere; or in the place of what isn't used.
fn find_room(
    state: &mut State,
    gpu: &dyn Gpu,
    id: SpaceId,
    hint: u64,
    wish: &Wish,
    in_batch: &HashMap<BufferId, usize>,
) -> core::result::Result<u64, Stop> {
    if wish.is_met_by(hint) && standing(state, id, hint, wish.bytes).is_empty() {
        return Ok(hint);
    }
    let room = |state: &mut State| state.spaces.get_mut(&id).and_then(|space| space.room(wish));
    if let Some(at) = room(state) {
        return Ok(at);
    }
    let others: Vec<BufferId> = state.spaces.get(&id).map_or_else(Vec::new, |space| {
        space.buffers().filter(|buffer| !in_batch.contains_key(buffer)).collect()
    });
    for other in others {
        evict(state, gpu, id, other)?;
    }
    room(state).ok_or(Errno::NOSPC.into())
}

/// A buffer leaves the space, once no batch uses it.
fn evict(
    state: &mut State,
    gpu: &dyn Gpu,
    space: SpaceId,
    id: BufferId,
) -> core::result::Result<(), Stop> {
    let activity = &mut state.buffers.get(id)?.activity;
    activity.settle(gpu);
    if !activity.is_idle() {
        return Err(Stop::After(activity.before(true).map(|user| user.point).collect()));
    }
    Ok(state.take_out(gpu, space, id)?)
}

/// A buffer's memory as a file and where it begins there.
pub(crate) fn memory<'a>(
    gpu: &'a dyn Gpu,
    buffer: &'a crate::buffers::Buffer,
) -> (BorrowedFd<'a>, u64) {
    match &buffer.own {
        Some(own) => (own.as_fd(), 0),
        None => (gpu.arena().0, buffer.at.0),
    }
}
