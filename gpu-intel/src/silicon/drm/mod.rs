//! Silicon on the host's i915: guests' batches run on the real GPU, by the host's stock driver.
//!
//! ```text
//!  space   one host address space for each guest space        shadow: the guest's tables, as udmabufs bound where
//!                                                              they show; compared before each batch
//!  context one host context for each guest context            nonce in the guest's image: whose state is where
//!  lane    one for each engine: EXECBUFFER2 ──► sync file ──► the engine's thread ──► ticket
//! ```
//!
//! The guest's own memory executes, in place, unprivileged and in page tables of its own: what a batch can reach is what
//! its guest's tables show, and nothing of anybody else's. Batches for the blitter are copied (`private.rs`).
//!
//! The host's scheduler decides what runs; a job that runs can't be stopped so that it goes on later. So this silicon does
//! not preempt: VMs take turns at the ends of jobs, and a job that is over its budget is killed with its context.
//!
//! | what goes wrong | what becomes of it |
//! |---|---|
//! | a batch hangs | the driver's heartbeat resets the engine; the job faults, its context's state is lost |
//! | a job is killed | its host context is closed, which ends it; where the host can't (`ENODEV`), the heartbeat does |
//! | out of memory, or of a VM's quota | the job is refused; the guest sees a hang |
//! | the GPU is lost | every job is refused with that reason |

mod context;
mod lane;
mod private;
mod probe;
mod shadow;
mod space;
mod tables;

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use gpu_intel_i915::{Device, Node};
use mediator::{
    Clock, ContextId, EngineId, GuestRam, JobEnd, JobId, Limits, Outcome, Reason, Silicon,
    SiliconError, SpaceId, SpaceRoot, Ticket, VmId,
};
use rustix::io::Errno;

pub use tables::leaves;

pub use probe::{Features, Host, ProbeError, probe};

use self::lane::{Lanes, Threads};
use self::shadow::Account;
use self::space::{Space, Task};
use super::Batch;
use crate::engine::Engine;

const QUEUE_DEPTH: usize = 2;
const CONTEXTS_PER_VM: usize = 1024;
const SPACES_PER_VM: usize = 128;

/// Why the host's GPU can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DrmError {
    /// The node, or udmabuf, can't be opened.
    #[error("{0}")]
    Open(#[source] io::Error),
    /// It is not what it has to be.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The host gives no threads.
    #[error("a thread: {0}")]
    Thread(#[source] io::Error),
}

#[derive(Debug)]
struct OpenContext<D: Device> {
    space: SpaceId,
    memory: Arc<Space<D>>,
    engine: Engine,
}

#[derive(Debug)]
struct Open<D: Device> {
    spaces: HashMap<SpaceId, Arc<Space<D>>>,
    contexts: HashMap<ContextId, OpenContext<D>>,
    accounts: HashMap<VmId, Arc<Account>>,
}

/// The host's GPU. Dropping it ends what runs.
#[derive(Debug)]
pub struct Drm<D: Device = Node> {
    device: Arc<D>,
    host: Arc<Host>,
    limits: Limits,
    next_id: AtomicU64,
    open: Mutex<Open<D>>,
    lanes: Arc<Lanes<D>>,
    threads: Threads,
}

impl Drm<Node> {
    /// The GPU of the render node at `path`. Fences go by `clock`.
    ///
    /// # Errors
    /// [`DrmError`], with what is missing.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, DrmError> {
        Self::new(Node::open(path).map_err(DrmError::Open)?, clock)
    }
}

impl<D: Device> Drm<D> {
    /// The GPU of a device.
    ///
    /// # Errors
    /// [`DrmError`].
    pub fn new(device: D, clock: Clock) -> Result<Self, DrmError> {
        let host = Arc::new(probe(&device)?);
        let device = Arc::new(device);
        let (lanes, threads) =
            Lanes::start(Arc::clone(&device), clock).map_err(DrmError::Thread)?;
        Ok(Self {
            limits: Limits {
                engines: Engine::ALL.iter().map(|e| e.info()).collect(),
                queue_depth: QUEUE_DEPTH,
                preemption: false,
                contexts_per_vm: CONTEXTS_PER_VM,
                spaces_per_vm: SPACES_PER_VM,
                state_in_guest: false,
            },
            device,
            host,
            next_id: AtomicU64::new(1),
            open: Mutex::new(Open {
                spaces: HashMap::default(),
                contexts: HashMap::default(),
                accounts: HashMap::default(),
            }),
            lanes,
            threads,
        })
    }

    /// What the host is.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    fn table(&self) -> MutexGuard<'_, Open<D>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(
        &self,
        engine: EngineId,
        context: ContextId,
    ) -> Result<(Arc<Space<D>>, Engine), SiliconError> {
        let open = self.table();
        let context = open.contexts.get(&context).ok_or(SiliconError::Unknown("context"))?;
        if context.engine.id() != engine {
            return Err(SiliconError::Unknown("context on this engine"));
        }
        Ok((Arc::clone(&context.memory), context.engine))
    }

    /// A job of a VM that waits for its space to be idle.
    fn take_parked(&self, vm: VmId, job: JobId) -> Option<Task> {
        let spaces: Vec<_> =
            self.table().spaces.values().filter(|space| space.vm == vm).map(Arc::clone).collect();
        spaces.iter().find_map(|space| space.take_parked(job))
    }
}

impl<D: Device> Silicon for Drm<D> {
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
        let mut open = self.table();
        if open.spaces.values().filter(|space| space.vm == vm).count() >= SPACES_PER_VM {
            return Err(SiliconError::Exhausted("address spaces"));
        }
        // Of a VM that is gone nothing is left to count.
        open.accounts.retain(|_, account| Arc::strong_count(account) > 1);
        let account = Arc::clone(open.accounts.entry(vm).or_default());
        let host = Arc::clone(&self.host);
        let space = Space::open(&*self.device, host, vm, ram.clone(), root, account)?;
        let id = SpaceId(self.next_id.fetch_add(1, Ordering::Relaxed));
        open.spaces.insert(id, Arc::new(space));
        Ok(id)
    }

    fn close_space(&self, space: SpaceId) {
        let mut open = self.table();
        let closed = open.spaces.remove(&space);
        open.contexts.retain(|_, context| context.space != space);
        drop(open);
        // All that it has goes back to the host, which may take a while.
        drop(closed);
    }

    fn open_context(&self, space: SpaceId, engine: EngineId) -> Result<ContextId, SiliconError> {
        let engine = Engine::from_id(engine).ok_or(SiliconError::Unknown("engine"))?;
        let mut open = self.table();
        let memory = Arc::clone(open.spaces.get(&space).ok_or(SiliconError::Unknown("space"))?);
        let of_vm = |context: &&OpenContext<D>| context.memory.vm == memory.vm;
        if open.contexts.values().filter(of_vm).count() >= CONTEXTS_PER_VM {
            return Err(SiliconError::Exhausted("contexts"));
        }
        let id = ContextId(self.next_id.fetch_add(1, Ordering::Relaxed));
        open.contexts.insert(id, OpenContext { space, memory, engine });
        Ok(id)
    }

    /// Its state stays where its image leads.
    fn close_context(&self, context: ContextId) {
        let closed = self.table().contexts.remove(&context);
        drop(closed);
    }

    fn submit(
        &self,
        engine: EngineId,
        context: ContextId,
        work: Batch,
        ticket: Ticket,
    ) -> Result<(), SiliconError> {
        match self.context(engine, context) {
            Ok((space, engine)) => {
                self.lanes.submit(&space, Task { context, engine, work, ticket })
            }
            Err(error) => {
                ticket.spend();
                Err(error)
            }
        }
    }

    /// Nothing is ever preempted here.
    fn resume(&self, _: EngineId, ticket: Ticket) -> Result<(), SiliconError> {
        ticket.spend();
        Err(SiliconError::Unknown("preempted job"))
    }

    /// What the driver has runs on; what it has not comes back.
    fn recall(&self, _: EngineId, vm: VmId, job: JobId) -> Option<JobEnd> {
        let task = self.take_parked(vm, job)?;
        let end = if task.work.rest { JobEnd::Suspended } else { JobEnd::Withdrawn };
        task.ticket.answer(Outcome::Ended(end), Default::default(), Default::default());
        None
    }

    fn preempt(&self, _: EngineId, _: VmId, _: JobId) {}

    fn take_back(&self, _: EngineId, _: VmId, _: JobId) -> Result<Batch, SiliconError> {
        Err(SiliconError::Unknown("preempted job"))
    }

    fn is_rest(&self, work: &Batch) -> bool {
        work.rest
    }

    /// Its buffers show its own memory, which the host keeps in place meanwhile.
    fn holdings(&self, vm: VmId) -> Vec<(&'static str, u64)> {
        let open = self.table();
        let (buffers, bytes) = open.accounts.get(&vm).map_or((0, 0), |account| account.held());
        let spaces = || open.spaces.values().filter(|space| space.vm == vm);
        let contexts: usize = spaces().map(|space| space.contexts()).sum();
        vec![
            ("host_spaces", spaces().count() as u64),
            ("host_contexts", contexts as u64),
            ("host_buffers", buffers),
            ("host_buffer_bytes", bytes),
        ]
    }

    fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: Reason) {
        if self.lanes.kill(engine, vm, job, &why) {
            return;
        }
        if let Some(task) = self.take_parked(vm, job) {
            let end = Outcome::Ended(JobEnd::Killed(why));
            task.ticket.answer(end, Default::default(), Default::default());
        }
    }
}

impl<D: Device> Drop for Drm<D> {
    fn drop(&mut self) {
        self.lanes.stop(&mut self.threads);
    }
}

/// What an error of the driver's means to whoever asked.
fn failed(doing: &'static str, error: &io::Error) -> SiliconError {
    match Errno::from_io_error(error) {
        Some(Errno::NOMEM) => SiliconError::Exhausted("memory"),
        Some(Errno::NOSPC) => SiliconError::Exhausted("room in an address space"),
        Some(Errno::MFILE | Errno::NFILE) => SiliconError::Exhausted("descriptors"),
        _ => SiliconError::Lost(format!("{doing}: {error}")),
    }
}
