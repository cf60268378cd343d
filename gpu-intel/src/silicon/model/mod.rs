//! A software Gen9: executes command streams by itself, anywhere.
//!
//! ```text
//!  submit ──► lane (one for each engine) ──► a thread ──► execution ──► fence
//!             queue, preempted jobs, kills                 │  ├─ streamer: MI commands, PIPE_CONTROL
//!                                                          │  ├─ blitter: XY_* commands
//!                                                          │  └─ render: 3D state and draws
//!                                                          └─ memory: the guest's own tables, a TLB
//! ```
//!
//! What it does: MI commands, PIPE_CONTROL, FLUSH_DW, the blitter's copies and fills, context save and restore,
//! draws with vertex and pixel shaders, preemption between any two commands, and recalls at the commands where the guest's
//! driver allows them. What it does not: tessellation, geometry shaders, stream output, compute, media and video are
//! stepped over and counted.
//!
//! Batches run unprivileged: each command is judged by the [`audit`](crate::audit) as it was fetched, before it is
//! executed, and one that is refused ends the job with a fault, as an access to an address that is not mapped does. Of
//! the registers they see those in [`registers`].

mod bus;
mod context_image;
mod counters;
mod execution;
mod lane;
mod memory;
pub mod registers;
pub mod render;
pub mod replay;
mod stop;

mod blitter;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use mediator::{
    Clock, ContextId, EngineId, GuestRam, JobEnd, JobId, Limits, Reason, Silicon, SiliconError,
    SpaceId, SpaceRoot, Ticket, VmId,
};

use self::counters::Counters;
use self::execution::Execution;
use self::lane::Lane;
use self::memory::Memory;
use super::Batch;
use crate::engine::Engine;

const QUEUE_DEPTH: usize = 2;
const CONTEXTS_PER_VM: usize = 1024;
const SPACES_PER_VM: usize = 256;

#[derive(Debug)]
struct OpenSpace {
    vm: VmId,
    ram: GuestRam,
    root: SpaceRoot,
}

#[derive(Clone, Copy, Debug)]
struct OpenContext {
    vm: VmId,
    space: SpaceId,
    engine: Engine,
}

#[derive(Debug, Default)]
struct Tables {
    spaces: HashMap<SpaceId, OpenSpace>,
    contexts: HashMap<ContextId, OpenContext>,
}

/// The software model: four engines, one thread each; what is short is done by whoever submits it. Dropping it kills what runs and ends the threads.
#[derive(Debug)]
pub struct Model {
    limits: Limits,
    clock: Clock,
    next_id: AtomicU64,
    tables: Mutex<Tables>,
    lanes: Vec<Lane>,
    counters: Arc<Counters>,
    atomics: Arc<Mutex<()>>,
}

impl Model {
    /// A model whose time is `clock`'s.
    ///
    /// # Errors
    /// When the host gives no threads.
    pub fn new(clock: Clock) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let lanes = Engine::ALL
            .iter()
            .map(|&engine| Lane::start(engine, clock, Arc::clone(&counters), QUEUE_DEPTH))
            .collect::<std::io::Result<_>>()?;
        Ok(Self {
            limits: Limits {
                engines: Engine::ALL.iter().map(|e| e.info()).collect(),
                queue_depth: QUEUE_DEPTH,
                preemption: true,
                contexts_per_vm: CONTEXTS_PER_VM,
                spaces_per_vm: SPACES_PER_VM,
                state_in_guest: true,
            },
            clock,
            next_id: AtomicU64::new(1),
            tables: Mutex::default(),
            lanes,
            counters,
            atomics: Arc::default(),
        })
    }

    /// Named counters for operators: what was executed, stepped over and dropped.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.all()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, engine: EngineId) -> Result<&Lane, SiliconError> {
        self.lanes.get(usize::from(engine.0)).ok_or(SiliconError::Unknown("engine"))
    }

    fn execution(
        &self,
        engine: EngineId,
        context: ContextId,
        work: Batch,
    ) -> Result<Box<Execution>, SiliconError> {
        let tables = self.tables();
        let context = tables.contexts.get(&context).ok_or(SiliconError::Unknown("context"))?;
        if context.engine.id() != engine {
            return Err(SiliconError::Unknown("context on this engine"));
        }
        let space = tables.spaces.get(&context.space).ok_or(SiliconError::Unknown("space"))?;
        let memory = Memory::new(space.ram.clone(), space.root, Arc::clone(&self.atomics));
        let counters = Arc::clone(&self.counters);
        Ok(Box::new(Execution::new(context.engine, memory, work, self.clock, counters)))
    }
}

impl Silicon for Model {
    type Work = Batch;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn open_space(
        &self,
        vm: VmId,
        ram: &GuestRam,
        root: SpaceRoot,
    ) -> Result<SpaceId, SiliconError> {
        let mut tables = self.tables();
        if tables.spaces.values().filter(|s| s.vm == vm).count() >= SPACES_PER_VM {
            return Err(SiliconError::Exhausted("address spaces"));
        }
        let id = SpaceId(self.next_id.fetch_add(1, Ordering::Relaxed));
        tables.spaces.insert(id, OpenSpace { vm, ram: ram.clone(), root });
        Ok(id)
    }

    fn close_space(&self, space: SpaceId) {
        let mut tables = self.tables();
        tables.spaces.remove(&space);
        tables.contexts.retain(|_, c| c.space != space);
    }

    fn open_context(&self, space: SpaceId, engine: EngineId) -> Result<ContextId, SiliconError> {
        let engine = Engine::from_id(engine).ok_or(SiliconError::Unknown("engine"))?;
        let mut tables = self.tables();
        let vm = tables.spaces.get(&space).ok_or(SiliconError::Unknown("space"))?.vm;
        if tables.contexts.values().filter(|c| c.vm == vm).count() >= CONTEXTS_PER_VM {
            return Err(SiliconError::Exhausted("contexts"));
        }
        let id = ContextId(self.next_id.fetch_add(1, Ordering::Relaxed));
        tables.contexts.insert(id, OpenContext { vm, space, engine });
        Ok(id)
    }

    fn close_context(&self, context: ContextId) {
        self.tables().contexts.remove(&context);
    }

    fn submit(
        &self,
        engine: EngineId,
        context: ContextId,
        work: Batch,
        ticket: Ticket,
    ) -> Result<(), SiliconError> {
        match self.execution(engine, context, work) {
            Ok(execution) => self.lane(engine)?.submit(execution, ticket),
            Err(error) => {
                ticket.spend();
                Err(error)
            }
        }
    }

    fn resume(&self, engine: EngineId, ticket: Ticket) -> Result<(), SiliconError> {
        match self.lane(engine) {
            Ok(lane) => lane.resume(ticket),
            Err(error) => {
                ticket.spend();
                Err(error)
            }
        }
    }

    fn kick(&self, engine: EngineId) {
        if let Ok(lane) = self.lane(engine) {
            lane.kick();
        }
    }

    fn recall(&self, engine: EngineId, vm: VmId, job: JobId) -> Option<JobEnd> {
        self.lane(engine).ok()?.recall(vm, job)
    }

    fn preempt(&self, engine: EngineId, vm: VmId, job: JobId) {
        if let Ok(lane) = self.lane(engine) {
            lane.preempt(vm, job);
        }
    }

    fn take_back(&self, engine: EngineId, vm: VmId, job: JobId) -> Result<Batch, SiliconError> {
        self.lane(engine)?.take_back(vm, job)
    }

    fn is_rest(&self, work: &Batch) -> bool {
        work.rest
    }

    fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: Reason) {
        if let Ok(lane) = self.lane(engine) {
            lane.kill(vm, job, why);
        }
    }
}

#[cfg(test)]
mod tests;
