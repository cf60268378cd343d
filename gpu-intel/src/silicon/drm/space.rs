//! One guest's address space on the host: what it shows, the contexts in it, and the jobs that wait for it to be idle.
//!
//! ```text
//!  job ──► look at the tables ──► nothing in the way: bind, choose a context, execute ──► lane: fence
//!                    └──► something bound must go while jobs run here: parked ◄──last fence── space
//! ```
//! Jobs of a space keep their order: behind a parked one all wait.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gpu_intel_i915::{Buffer, ContextSetup, Device, HostContext, HostSpace, Object};
use mediator::{
    ContextId, GuestAddress, GuestRam, JobId, Reason, SiliconError, SpaceRoot, Ticket, VmId,
};
use rustix::io::Errno;

use super::context::{Contexts, leave, nonce_in};
use super::failed;
use super::private::Copy;
use super::probe::Host;
use super::shadow::{Account, Shadow};
use super::tables::LeafNumber;
use crate::engine::Engine;
use crate::silicon::Batch;

/// Private batches that may be under way in one space, each in its part of a hole of 2 MiB.
const PRIVATE_BATCHES: usize = 8;

/// A job that is to begin.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) context: ContextId,
    pub(super) engine: Engine,
    pub(super) work: Batch,
    pub(super) ticket: Ticket,
}

/// A job that the host's driver has.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) task: Task,
    pub(super) host: HostContext,
    pub(super) fence: OwnedFd,
    /// Place of its private batch.
    private: Option<usize>,
}

/// A job that did not begin, and why.
pub(super) type Stopped = Box<(Task, Stop)>;

/// Why a job did not begin.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something has to be unbound first, and the space is not idle.
    Busy,
    /// The job is not fit for this host.
    Refused(Reason),
    /// The host could not.
    Failed(SiliconError),
}

#[derive(Debug)]
struct State {
    shadow: Shadow,
    contexts: Contexts,
    /// Jobs that the host's driver has.
    flying: usize,
    parked: VecDeque<Task>,
    /// Where private batches lie, and which are in use.
    hole: Option<LeafNumber>,
    private: [Option<Buffer>; PRIVATE_BATCHES],
}

/// One space.
#[derive(Debug)]
pub(super) struct Space<D: Device> {
    pub(super) vm: VmId,
    /// An opening of its own: what hangs here is held against nobody else.
    device: D,
    host: Arc<Host>,
    space: HostSpace,
    ram: GuestRam,
    root: SpaceRoot,
    state: Mutex<State>,
}

impl<D: Device> Space<D> {
    pub(super) fn open(
        device: &D,
        host: Arc<Host>,
        vm: VmId,
        ram: GuestRam,
        root: SpaceRoot,
        account: Arc<Account>,
    ) -> Result<Self, SiliconError> {
        let device = device.another().map_err(|e| failed("opening the GPU once more", &e))?;
        let shadow = Shadow::new(account).map_err(|e| failed("making a memfd", &e))?;
        let space = device.open_space().map_err(|e| failed("opening an address space", &e))?;
        let state = State {
            shadow,
            contexts: Contexts::new(),
            flying: 0,
            parked: VecDeque::new(),
            hole: None,
            private: [None; PRIVATE_BATCHES],
        };
        Ok(Self { vm, device, host, space, ram, root, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Host contexts now.
    pub(super) fn contexts(&self) -> usize {
        self.state().contexts.len()
    }

    /// Begins a job, or parks it. Returns it with its fence once the driver has it.
    ///
    /// # Errors
    /// Why it did not begin, with the job.
    pub(super) fn submit(&self, task: Task) -> Result<Option<Flight>, Stopped> {
        let mut state = self.state();
        if !state.parked.is_empty() {
            state.parked.push_back(task);
            return Ok(None);
        }
        match self.begin(&mut state, task) {
            Ok(flight) => Ok(Some(flight)),
            Err(stopped) => match *stopped {
                (task, Stop::Busy) => {
                    state.parked.push_back(task);
                    Ok(None)
                }
                other => Err(Box::new(other)),
            },
        }
    }

    /// A job is over. Its image gets the nonce that leads to its state.
    pub(super) fn land(&self, flight: &Flight, lost: bool) -> bool {
        let Flight { task, host, private, .. } = flight;
        let mut state = self.state();
        if lost {
            state.contexts.lose(&self.device, *host);
        }
        let was_lost = state.contexts.is_lost(*host);
        if let Some(buffer) =
            private.and_then(|place| state.private.get_mut(place)).and_then(Option::take)
        {
            self.device.close(buffer);
        }
        let keep = task.work.save && !task.work.image.is_empty();
        let engine = task.engine;
        let nonce = state.contexts.end(&self.device, task.context, engine, *host, keep);
        if let Some(nonce) = nonce {
            leave(&self.ram, &task.work.image, engine, nonce);
        }
        state.flying = state.flying.saturating_sub(1);
        was_lost
    }

    /// Begins what was parked, as far as it can: each job, with its fence or why it did not begin.
    pub(super) fn unpark(&self) -> Vec<Result<Flight, Stopped>> {
        let mut state = self.state();
        let mut begun = Vec::new();
        while let Some(task) = state.parked.pop_front() {
            match self.begin(&mut state, task) {
                Ok(flight) => begun.push(Ok(flight)),
                Err(stopped) => match *stopped {
                    (task, Stop::Busy) => {
                        state.parked.push_front(task);
                        break;
                    }
                    other => begun.push(Err(Box::new(other))),
                },
            }
        }
        begun
    }

    /// Takes a parked job out.
    pub(super) fn take_parked(&self, job: JobId) -> Option<Task> {
        let mut state = self.state();
        let index = state.parked.iter().position(|task| task.ticket.job() == job)?;
        state.parked.remove(index)
    }

    /// Closes a host context under its jobs, which ends them where the host can do that.
    pub(super) fn lose(&self, host: HostContext) {
        self.state().contexts.lose(&self.device, host);
    }

    fn begin(&self, state: &mut State, task: Task) -> Result<Flight, Stopped> {
        match self.try_begin(state, &task) {
            Ok((host, fence, private)) => {
                state.flying += 1;
                Ok(Flight { task, host, fence, private })
            }
            Err(stop) => Err(Box::new((task, stop))),
        }
    }

    fn try_begin(
        &self,
        state: &mut State,
        task: &Task,
    ) -> Result<(HostContext, OwnedFd, Option<usize>), Stop> {
        let (work, idle) = (&task.work, state.flying == 0);
        if work.return_to.is_some() {
            let detail = "a batch that was interrupted in a second-level batch can't go on here";
            return Err(Stop::Refused(Reason::new("batch/position", detail)));
        }
        let changes =
            state.shadow.look(&self.ram, self.root, work.tables).map_err(Stop::Refused)?;
        let reserved = state.hole.filter(|_| state.private.iter().any(Option::is_some));
        if !idle && changes.need_idle(reserved) {
            return Err(Stop::Busy);
        }
        state.shadow.apply(&self.device, &self.ram, changes, idle).map_err(Stop::Failed)?;
        state.shadow.refresh_copies(&self.ram);

        let start = work.start.truncated().0;
        let Some((index, offset)) = state.shadow.position(start) else {
            let detail = format!("no batch can be fetched: {start:#x} is not mapped");
            return Err(Stop::Refused(Reason::new("batch/unmapped", detail)));
        };
        // Page 1 of the image is read once, here.
        let nonce = if work.restore { nonce_in(&self.ram, &work.image, task.engine) } else { None };
        let private = self.private_batch(state, task.engine, start)?;
        let setup = self.host.setup(self.space, task.engine);
        let begun = state.contexts.begin(
            &self.device,
            task.context,
            task.engine,
            nonce,
            work.restore,
            &setup,
        );
        let result = begun.map_err(|error| self.no_context(&error)).and_then(|host| {
            let executed = match &private {
                Some(copy) => self.execute_copy(state, host, copy),
                None => self.execute(state, host, index, offset),
            };
            executed.map(|fence| (host, fence)).map_err(|error| {
                let stop = self.stopped(state, host, &error);
                let _ = state.contexts.end(&self.device, task.context, task.engine, host, false);
                stop
            })
        });
        match result {
            Ok((host, fence)) => Ok((host, fence, private.map(|copy| copy.place))),
            Err(stop) => {
                if let Some(place) = private.and_then(|copy| state.private.get_mut(copy.place)) {
                    place.take().into_iter().for_each(|buffer| self.device.close(buffer));
                }
                Err(stop)
            }
        }
    }

    /// Runs the batch where it lies: in the object at `index` of the list.
    fn execute(
        &self,
        state: &mut State,
        host: HostContext,
        index: usize,
        offset: u64,
    ) -> Result<OwnedFd, std::io::Error> {
        let offset = u32::try_from(offset).map_err(|_| Errno::INVAL)?;
        let list = state.shadow.list();
        let last = list.len().saturating_sub(1);
        // The batch is the last one.
        list.swap(index, last);
        let fence = self.device.execute(host, list, offset, 0);
        list.swap(index, last);
        fence
    }

    fn execute_copy(
        &self,
        state: &mut State,
        host: HostContext,
        copy: &PrivateBatch,
    ) -> Result<OwnedFd, std::io::Error> {
        let list = state.shadow.list();
        list.push(Object::new(copy.buffer, copy.at));
        let fence = self.device.execute(host, list, 0, copy.bytes);
        list.pop();
        fence
    }

    /// A copy of the batch, for an engine whose batches the host's driver wants to read.
    fn private_batch(
        &self,
        state: &mut State,
        engine: Engine,
        start: u64,
    ) -> Result<Option<PrivateBatch>, Stop> {
        if engine != Engine::Copy {
            return Ok(None);
        }
        let Some(place) = state.private.iter().position(Option::is_none) else {
            return Err(Stop::Busy);
        };
        let hole = match state.hole {
            Some(hole) if state.shadow.position(hole.start()).is_none() => hole,
            _ => *state.hole.insert(state.shadow.hole()),
        };
        let at = hole.start() + place as u64 * Copy::MOST_BYTES;
        let shadow = &state.shadow;
        let page = |at: u64| -> Option<GuestAddress> { shadow.page(at) };
        let copy = Copy::of(&self.ram, page, engine, start, at).map_err(Stop::Refused)?;
        let bytes = copy.bytes();
        let made =
            self.device.create(bytes.len().next_multiple_of(4096) as u64).and_then(|buffer| {
                self.device.write(buffer, bytes).inspect_err(|_| self.device.close(buffer))?;
                Ok(buffer)
            });
        let buffer = made.map_err(|e| Stop::Failed(failed("copying a batch", &e)))?;
        if let Some(slot) = state.private.get_mut(place) {
            *slot = Some(buffer);
        }
        let bytes = u32::try_from(bytes.len()).unwrap_or(0);
        Ok(Some(PrivateBatch { place, buffer, at, bytes }))
    }

    /// What the driver says of a batch that it ended.
    pub(super) fn why(&self, host: HostContext, error: Errno) -> Reason {
        if self.device.is_lost() {
            return Reason::new("silicon/lost", "the host's driver has given the GPU up");
        }
        let statistics = self.device.reset_statistics(host).unwrap_or_default();
        if statistics.active > 0 {
            Reason::new("silicon/hang", "it hung, and the host's driver reset the engine")
        } else if statistics.pending > 0 {
            Reason::new("silicon/reset", "it waited when the host's driver reset the engine")
        } else {
            Reason::new("silicon/cancelled", format!("the host's driver ended it: {error}"))
        }
    }

    /// Why the driver makes no context.
    fn no_context(&self, error: &std::io::Error) -> Stop {
        if Errno::from_io_error(error) == Some(Errno::IO) && !self.device.is_lost() {
            let detail =
                "the host's driver makes no more contexts for an address space that hung too often";
            return Stop::Refused(Reason::new("silicon/banned", detail));
        }
        Stop::Failed(failed("opening a context", error))
    }

    /// What the driver's refusal of a batch means.
    fn stopped(&self, state: &mut State, host: HostContext, error: &std::io::Error) -> Stop {
        let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
        match errno {
            Errno::IO if !self.device.is_lost() => {
                state.contexts.lose(&self.device, host);
                let detail = "the context's state was lost in an earlier hang";
                Stop::Refused(Reason::new("silicon/context-lost", detail))
            }
            Errno::IO
            | Errno::NODEV
            | Errno::NOMEM
            | Errno::NOSPC
            | Errno::NFILE
            | Errno::MFILE => Stop::Failed(failed("executing a batch", error)),
            _ => {
                let detail = format!("the host's driver refuses the batch: {error}");
                Stop::Refused(Reason::new("batch/refused-by-host", detail))
            }
        }
    }
}

#[derive(Debug)]
struct PrivateBatch {
    place: usize,
    buffer: Buffer,
    at: u64,
    bytes: u32,
}

impl<D: Device> Drop for Space<D> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.contexts.clear(&self.device);
        state.shadow.clear(&self.device);
        for buffer in state.private.iter_mut().filter_map(Option::take) {
            self.device.close(buffer);
        }
        self.device.close_space(self.space);
    }
}

/// How a context of an engine is made on this host.
impl Host {
    fn setup(&self, space: HostSpace, engine: Engine) -> ContextSetup {
        ContextSetup {
            space,
            engine: super::probe::name_of(engine),
            priority: self.features.priorities.then_some(GUEST_PRIORITY),
            dies_with_work: self.features.kill,
        }
    }
}

/// Guests come after the host's own programs.
const GUEST_PRIORITY: i16 = -1;
