//! What a DRM file holds: buffers, spaces, contexts. Behind one lock, under which nobody waits for the GPU.

use std::collections::BTreeMap;

use guest_shim::client::Point;
use guest_shim::wire::GpuAddress;
use rustix::io::Errno;

use crate::buffers::{BufferId, Buffers};
use crate::contexts::{Context, Queue, SpaceId};
use crate::gpu::{Gpu, Result};
use crate::handles::Handles;
use crate::spaces::Space;
use crate::world::Inode;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) buffers: Buffers,
    pub(crate) spaces: BTreeMap<SpaceId, Space>,
    /// The application's handles for spaces.
    pub(crate) vms: Handles<SpaceId>,
    /// Context 0.
    pub(crate) default: Context,
    pub(crate) contexts: Handles<Context>,
    /// Queues of destroyed contexts whose last batch is not over yet.
    ending: Vec<(Queue, SpaceId)>,
    next_space: u64,
}

impl State {
    pub(crate) fn new(gpu: &dyn Gpu, arena: Inode) -> Result<Self> {
        let mut state = Self {
            buffers: Buffers::new(arena, gpu.arena().1),
            spaces: BTreeMap::new(),
            vms: Handles::default(),
            default: Context::new(SpaceId(0)),
            contexts: Handles::default(),
            ending: Vec::new(),
            next_space: 0,
        };
        state.open_space(gpu)?;
        Ok(state)
    }

    // Spaces.

    /// A new space, with one user.
    pub(crate) fn open_space(&mut self, gpu: &dyn Gpu) -> Result<SpaceId> {
        let space = Space::new(gpu.open_space()?);
        let id = SpaceId(self.next_space);
        self.next_space += 1;
        self.spaces.insert(id, space);
        Ok(id)
    }

    pub(crate) fn use_space(&mut self, id: SpaceId) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.users += 1;
        }
    }

    /// It goes with its last user.
    pub(crate) fn leave_space(&mut self, gpu: &dyn Gpu, id: SpaceId) {
        let Some(space) = self.spaces.get_mut(&id) else { return };
        space.users -= 1;
        if space.users == 0 {
            gpu.close_space(space.name);
            self.spaces.remove(&id);
        }
    }

    /// A buffer that no batch uses leaves a space.
    pub(crate) fn take_out(&mut self, gpu: &dyn Gpu, id: SpaceId, buffer: BufferId) -> Result<()> {
        if let Some(space) = self.spaces.get_mut(&id)
            && let Some((at, bytes)) = space.take_out(buffer)
        {
            gpu.unbind(space.name, GpuAddress(at), bytes)?;
        }
        Ok(())
    }

    /// An idle buffer's memory is somewhere else from now on: it is shown where the old memory was.
    pub(crate) fn show_again(&mut self, gpu: &dyn Gpu, id: BufferId) -> Result<()> {
        let buffer = self.buffers.get(id)?;
        let (memory, bytes, read_only) = (buffer.at, buffer.bytes, buffer.read_only);
        for space in self.spaces.values() {
            if let Some((at, _)) = space.place(id) {
                gpu.bind(space.name, GpuAddress(at), memory, bytes, read_only)?;
            }
        }
        Ok(())
    }

    // Contexts.

    pub(crate) fn context(&mut self, id: u32) -> Result<&mut Context> {
        let context = match id {
            0 => Some(&mut self.default),
            id => self.contexts.get_mut(id),
        };
        context.ok_or(Errno::NOENT)
    }

    /// A context is gone for the application. What it has submitted may end, if it is persistent.
    pub(crate) fn end_context(&mut self, gpu: &dyn Gpu, context: Context) {
        for queue in context.queues.into_values() {
            let busy = queue.last.is_some_and(|last| !gpu.reached(last));
            if busy && context.persistent {
                self.use_space(context.space);
                self.ending.push((queue, context.space));
            } else {
                gpu.close_context(queue.name);
            }
        }
        self.leave_space(gpu, context.space);
    }

    /// What is still under way when nobody has the file any more, and may end.
    pub(crate) fn last_points(&self) -> Vec<Point> {
        let live = self.contexts.values().chain([&self.default]).filter(|c| c.persistent);
        let queues = live.flat_map(|context| context.queues.values());
        let ending = self.ending.iter().map(|(queue, _)| queue);
        queues.chain(ending).filter_map(|queue| queue.last).collect()
    }

    /// Frees what was closed and is idle by now.
    pub(crate) fn collect(&mut self, gpu: &dyn Gpu) {
        let over = |queue: &Queue| queue.last.is_none_or(|last| gpu.reached(last));
        let (ended, ending) =
            std::mem::take(&mut self.ending).into_iter().partition(|(queue, _)| over(queue));
        self.ending = ending;
        let ended: Vec<(Queue, SpaceId)> = ended;
        for (queue, space) in ended {
            gpu.close_context(queue.name);
            self.leave_space(gpu, space);
        }
        for buffer in self.buffers.idle_closed(gpu) {
            let spaces: Vec<SpaceId> = self.spaces.keys().copied().collect();
            // Unbinding fails only with the connection.
            let out = spaces.into_iter().try_for_each(|space| self.take_out(gpu, space, buffer));
            if out.is_ok() {
                self.buffers.free(gpu, buffer);
            }
        }
    }
}
