//! Engines: what the host's driver has of each, and a thread for each that waits for fences.
//!
//! ```text
//!  submit ──► space ──► driver ──► fence, a file ──► the engine's thread: one epoll for all its fences
//!                                                      ├─ how it ended, the nonce into the image, the ticket
//!                                                      └─ what waited for the space to be idle begins
//! ```
//!
//! A fence is a sync file: it says of its one batch whether it ended well, which a timeline of fences does not, and its
//! end wakes this thread and no other.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gpu_intel_i915::{Device, FenceState};
use mediator::{Clock, EngineId, JobEnd, JobId, Outcome, Reason, SiliconError, Time, VmId};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::space::{Flight, Space, Stop, Task};
use crate::engine::Engine;

/// Events that are taken at a time.
const EVENTS: usize = 16;
/// The key of the bell that ends the thread.
const BELL: u64 = 0;
/// How long the end of everything waits for jobs to let go.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct InFlight<D: Device> {
    space: Arc<Space<D>>,
    flight: Flight,
    submitted: Time,
    killed: Option<Reason>,
}

#[derive(Debug)]
struct Flights<D: Device> {
    /// By number, in the order of submission.
    all: BTreeMap<u64, InFlight<D>>,
    next: u64,
    /// When the last one ended.
    ended: Time,
    stop: Option<Instant>,
}

#[derive(Debug)]
struct Lane<D: Device> {
    epoll: OwnedFd,
    bell: OwnedFd,
    flights: Mutex<Flights<D>>,
}

impl<D: Device> Lane<D> {
    fn flights(&self) -> MutexGuard<'_, Flights<D>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All engines. Their threads have them too.
#[derive(Debug)]
pub(super) struct Lanes<D: Device> {
    device: Arc<D>,
    clock: Clock,
    lanes: Vec<Lane<D>>,
}

/// The threads.
#[derive(Debug)]
pub(super) struct Threads(Vec<JoinHandle<()>>);

impl<D: Device> Lanes<D> {
    pub(super) fn start(device: Arc<D>, clock: Clock) -> std::io::Result<(Arc<Self>, Threads)> {
        let mut lanes = Vec::new();
        for _ in Engine::ALL {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let data = epoll::EventData::new_u64(BELL);
            epoll::add(&epoll, &bell, data, epoll::EventFlags::IN)?;
            let flights = Flights {
                all: BTreeMap::new(),
                next: BELL + 1,
                ended: Time::default(),
                stop: None,
            };
            lanes.push(Lane { epoll, bell, flights: Mutex::new(flights) });
        }
        let own = Arc::new(Self { device, clock, lanes });
        let mut threads = Threads(Vec::new());
        for engine in Engine::ALL {
            let lanes = Arc::clone(&own);
            let name = format!("drm {}", engine.info().name);
            let body = move || lanes.wait_for_fences(engine.id());
            match std::thread::Builder::new().name(name).spawn(body) {
                Ok(thread) => threads.0.push(thread),
                Err(error) => {
                    own.stop(&mut threads);
                    return Err(error);
                }
            }
        }
        Ok((own, threads))
    }

    fn lane(&self, engine: EngineId) -> Option<&Lane<D>> {
        self.lanes.get(usize::from(engine.0))
    }

    /// Begins a job, or parks it in its space.
    pub(super) fn submit(&self, space: &Arc<Space<D>>, task: Task) -> Result<(), SiliconError> {
        match space.submit(task) {
            Ok(Some(flight)) => self.watch(space, flight),
            Ok(None) => {}
            Err(stopped) => match *stopped {
                (task, Stop::Failed(error)) => {
                    task.ticket.spend();
                    return Err(error);
                }
                (task, stop) => self.refuse(task, stop),
            },
        }
        Ok(())
    }

    /// Ends a job that the driver has, by closing its context. Returns whether it has it.
    pub(super) fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: &Reason) -> bool {
        let Some(lane) = self.lane(engine) else { return false };
        let mut flights = lane.flights();
        let is_it = |f: &&mut InFlight<D>| {
            (f.flight.task.ticket.vm(), f.flight.task.ticket.job()) == (vm, job)
        };
        let Some(found) = flights.all.values_mut().find(is_it) else { return false };
        found.killed.get_or_insert_with(|| why.clone());
        let (space, host) = (Arc::clone(&found.space), found.flight.host);
        drop(flights);
        space.lose(host);
        true
    }

    /// The driver has the job: its thread waits for the fence.
    fn watch(&self, space: &Arc<Space<D>>, flight: Flight) {
        let Some(lane) = self.lane(flight.task.engine.id()) else { return };
        let mut flights = lane.flights();
        let key = flights.next;
        flights.next += 1;
        let data = epoll::EventData::new_u64(key);
        let added = epoll::add(&lane.epoll, &flight.fence, data, epoll::EventFlags::IN);
        let (space, submitted) = (Arc::clone(space), self.clock.now());
        let in_flight = InFlight { space, flight, submitted, killed: None };
        if let Err(error) = added {
            drop(flights);
            // Nobody would hear of its end.
            log::error!("a fence can't be waited for: {error}");
            return self.land(in_flight, FenceState::Failed(error), Time::default());
        }
        flights.all.insert(key, in_flight);
    }

    /// A job ends that did not begin.
    fn refuse(&self, task: Task, stop: Stop) {
        let reason = match stop {
            Stop::Refused(reason) => reason,
            Stop::Failed(error) => Reason::new("silicon/submit", error.to_string()),
            Stop::Busy => Reason::new("silicon/busy", "the space does not become idle"),
        };
        let now = self.clock.now();
        task.ticket.answer(Outcome::Ended(JobEnd::Fault(reason)), now, now);
    }

    /// The thread of an engine.
    fn wait_for_fences(&self, engine: EngineId) {
        let Some(lane) = self.lane(engine) else { return };
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let stop = lane.flights().stop;
            let left = stop.map(|at| at.saturating_duration_since(Instant::now()));
            if stop.is_some() && (left == Some(Duration::ZERO) || lane.flights().all.is_empty()) {
                break;
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            events.clear();
            // Interrupted, or over: both are looked at again.
            let _ = epoll::wait(&lane.epoll, spare_capacity(&mut events), timeout.as_ref());
            for event in &events {
                match event.data.u64() {
                    BELL => drop(rustix::io::read(&lane.bell, &mut [0; 8])),
                    key => {
                        // A panic costs the job: its ticket says so.
                        let landed = catch_unwind(AssertUnwindSafe(|| self.look(lane, key)));
                        if landed.is_err() {
                            log::error!("the end of a job on {engine:?} panicked");
                        }
                    }
                }
            }
        }
        // What the host does not let go of is nobody's any more; its spaces go with the node.
        let left = std::mem::take(&mut lane.flights().all);
        left.into_values().for_each(|in_flight| drop(in_flight.flight.task.ticket));
    }

    /// A fence has something to say.
    fn look(&self, lane: &Lane<D>, key: u64) {
        let mut flights = lane.flights();
        let Some(in_flight) = flights.all.get(&key) else { return };
        let state = self.device.fence(&in_flight.flight.fence.as_fd());
        let state = match state {
            Ok(FenceState::Pending) => return,
            Ok(state) => state,
            Err(error) => FenceState::Failed(
                rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO),
            ),
        };
        let Some(in_flight) = flights.all.remove(&key) else { return };
        let before = std::mem::replace(&mut flights.ended, self.clock.now());
        drop(flights);
        self.land(in_flight, state, before);
    }

    /// A job is over: its image, its ticket, and what waited for it.
    fn land(&self, in_flight: InFlight<D>, state: FenceState, before: Time) {
        let InFlight { space, flight, submitted, killed } = in_flight;
        let lost = matches!(state, FenceState::Failed(_));
        let why = match state {
            FenceState::Failed(error) if killed.is_none() => Some(space.why(flight.host, error)),
            _ => None,
        };
        let was_lost = space.land(&flight, lost);
        let end = match (killed, why) {
            (Some(killed), _) if was_lost => JobEnd::Killed(killed),
            (_, Some(why)) => JobEnd::Fault(why),
            _ => JobEnd::Done,
        };
        let began = submitted.max(before);
        // First: a job that begins now may be over before the ticket is.
        let waiting = space.unpark();
        flight.task.ticket.answer(Outcome::Ended(end), began, self.clock.now());
        for begun in waiting {
            match begun {
                Ok(flight) => self.watch(&space, flight),
                Err(stopped) => self.refuse(stopped.0, stopped.1),
            }
        }
    }

    /// Ends the threads. What is still out is ended where the host can do that.
    pub(super) fn stop(&self, threads: &mut Threads) {
        let end = Instant::now() + GRACE;
        for lane in &self.lanes {
            let mut flights = lane.flights();
            flights.stop = Some(end);
            let hosts: Vec<_> =
                flights.all.values().map(|f| (Arc::clone(&f.space), f.flight.host)).collect();
            drop(flights);
            hosts.into_iter().for_each(|(space, host)| space.lose(host));
            // It fails only when it rings already.
            let _ = rustix::io::write(&lane.bell, &1_u64.to_ne_bytes());
        }
        for thread in threads.0.drain(..) {
            // A fence's callback may hold the last handle: then this is the thread itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
