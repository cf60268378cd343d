//! Silicon that does nothing, in no time or in a given time: for tests and benches of the mediator alone.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use foldhash::{HashMap, HashSet};

use crate::{
    Clock, ContextId, EngineClass, EngineId, EngineInfo, GuestRam, JobEnd, JobId, Limits, Outcome,
    Reason, Silicon, SiliconError, SpaceId, SpaceRoot, Ticket, Time, VmId,
};

/// How long a job takes.
type Length<W> = Box<dyn Fn(&W) -> Duration + Send + Sync>;

/// What moves time on.
enum Pace {
    /// Every job is over when it is submitted; its fence says that it took no time.
    AtOnce,
    /// Time passes when [`NullSilicon::advance`] says so.
    Stepped,
    /// Time passes; the threads wait for it, one for each engine.
    Real { clock: Clock, threads: Vec<JoinHandle<()>> },
}

/// Silicon without a GPU: each job takes its time and does nothing.
pub struct NullSilicon<W> {
    limits: Limits,
    length: Length<W>,
    pace: Pace,
    engines: Arc<[Engine<W>]>,
    ids: AtomicU64,
    open: Mutex<Open>,
}

/// What is open.
#[derive(Debug, Default)]
struct Open {
    spaces: HashSet<SpaceId>,
    contexts: HashMap<ContextId, SpaceId>,
}

struct Engine<W> {
    line: Mutex<Line<W>>,
    changed: Condvar,
}

/// The jobs of an engine.
struct Line<W> {
    now: Time,
    jobs: VecDeque<Held<W>>,
    /// Preempted jobs, and how long each still takes.
    kept: HashMap<(VmId, JobId), (W, Duration)>,
    stop: bool,
}

struct Held<W> {
    ticket: Ticket,
    work: W,
    left: Duration,
    began: Time,
    /// Whether it ran before, and was preempted.
    resumed: bool,
}

impl<W> Engine<W> {
    fn new() -> Self {
        let (jobs, kept) = (VecDeque::new(), HashMap::default());
        let line = Line { now: Time::default(), jobs, kept, stop: false };
        Self { line: Mutex::new(line), changed: Condvar::new() }
    }
}

impl<W> Line<W> {
    fn push(&mut self, ticket: Ticket, work: W, left: Duration, resumed: bool) {
        self.jobs.push_back(Held { ticket, work, left, began: self.now, resumed });
    }

    /// When the running job ends.
    fn next_end(&self) -> Option<Time> {
        self.jobs.front().map(|job| job.began + job.left)
    }

    fn advance(&mut self, to: Time) {
        while let Some(end) = self.next_end().filter(|&end| end <= to) {
            self.now = end;
            if let Some(job) = self.jobs.pop_front() {
                job.ticket.answer(Outcome::Ended(JobEnd::Done), job.began, end);
            }
            self.begin_next();
        }
        self.now = to.max(self.now);
    }

    fn begin_next(&mut self) {
        if let Some(next) = self.jobs.front_mut() {
            next.began = self.now;
        }
    }

    /// Preempts the job at `index`; the first one runs.
    fn preempt(&mut self, index: usize) {
        let Some(job) = self.jobs.remove(index) else { return };
        let began = if index == 0 { job.began } else { self.now };
        let left = job.left.saturating_sub(self.now.since(began));
        self.kept.insert((job.ticket.vm(), job.ticket.job()), (job.work, left));
        job.ticket.answer(Outcome::Preempted, began, self.now);
        if index == 0 {
            self.begin_next();
        }
    }

    fn position(&self, vm: VmId, job: JobId) -> Option<usize> {
        self.jobs.iter().position(|held| held.ticket.vm() == vm && held.ticket.job() == job)
    }

    /// There is no context that could keep the rest: a job that has begun runs to its end.
    fn recall(&mut self, vm: VmId, job: JobId) -> Option<JobEnd> {
        if self.kept.remove(&(vm, job)).is_some() {
            return Some(JobEnd::Suspended);
        }
        let index = self.position(vm, job).filter(|&index| index > 0)?;
        if let Some(held) = self.jobs.remove(index) {
            let end = if held.resumed { JobEnd::Suspended } else { JobEnd::Withdrawn };
            held.ticket.answer(Outcome::Ended(end), self.now, self.now);
        }
        None
    }

    fn kill(&mut self, vm: VmId, job: JobId, why: Reason) {
        self.kept.remove(&(vm, job));
        let Some(index) = self.position(vm, job) else { return };
        if let Some(held) = self.jobs.remove(index) {
            let began = if index == 0 { held.began } else { self.now };
            held.ticket.answer(Outcome::Ended(JobEnd::Killed(why)), began, self.now);
        }
        if index == 0 {
            self.begin_next();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Send + 'static> NullSilicon<W> {
    /// Every job is over when it is submitted.
    #[must_use]
    pub fn at_once() -> Self {
        Self::new(Box::new(|_| Duration::ZERO), Pace::AtOnce)
    }

    /// A job takes `length` of a virtual time, which stands still but for [`advance`](Self::advance).
    #[must_use]
    pub fn stepped(length: impl Fn(&W) -> Duration + Send + Sync + 'static) -> Self {
        Self::new(Box::new(length), Pace::Stepped)
    }

    /// A job takes `length` of real time by `clock`.
    ///
    /// # Errors
    /// When the host has no threads.
    pub fn timed(
        clock: Clock,
        length: impl Fn(&W) -> Duration + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let mut silicon = Self::new(Box::new(length), Pace::AtOnce);
        let mut threads = Vec::new();
        for (index, info) in silicon.limits.engines.iter().enumerate() {
            let engines = Arc::clone(&silicon.engines);
            let body = move || engines.get(index).into_iter().for_each(|engine| engine.run(clock));
            let name = format!("null-{}", info.name);
            threads.push(std::thread::Builder::new().name(name).spawn(body)?);
        }
        silicon.pace = Pace::Real { clock, threads };
        Ok(silicon)
    }

    fn new(length: Length<W>, pace: Pace) -> Self {
        let engine = |class, name| EngineInfo { class, name };
        let engines = vec![
            engine(EngineClass::Render, "rcs0"),
            engine(EngineClass::Copy, "bcs0"),
            engine(EngineClass::Video, "vcs0"),
            engine(EngineClass::VideoEnhance, "vecs0"),
        ];
        Self {
            engines: engines.iter().map(|_| Engine::new()).collect(),
            limits: Limits {
                engines,
                queue_depth: 2,
                preemption: true,
                contexts_per_vm: 64,
                spaces_per_vm: 64,
                state_in_guest: true,
            },
            length,
            pace,
            ids: AtomicU64::new(1),
            open: Mutex::default(),
        }
    }

    /// The same silicon with other limits. The engines stay.
    #[must_use]
    pub fn with_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        let engines = self.limits.engines.clone();
        change(&mut self.limits);
        self.limits.engines = engines;
        self
    }

    /// Moves virtual time on to `to`, on all engines.
    pub fn advance(&self, to: Time) {
        self.engines.iter().for_each(|engine| lock(&engine.line).advance(to));
    }

    /// When the next job ends that runs now, in virtual time.
    #[must_use]
    pub fn next_end(&self) -> Option<Time> {
        self.engines.iter().filter_map(|engine| lock(&engine.line).next_end()).min()
    }

    /// How many spaces and contexts are open.
    #[must_use]
    pub fn open(&self) -> (usize, usize) {
        let open = lock(&self.open);
        (open.spaces.len(), open.contexts.len())
    }

    fn engine(&self, engine: EngineId) -> Result<&Engine<W>, SiliconError> {
        self.engines.get(usize::from(engine.0)).ok_or(SiliconError::Unknown("engine"))
    }

    /// Changes an engine's line at the time now, and wakes its thread.
    fn change(
        &self,
        engine: EngineId,
        change: impl FnOnce(&mut Line<W>),
    ) -> Result<(), SiliconError> {
        let engine = self.engine(engine)?;
        let mut line = lock(&engine.line);
        if let Pace::Real { clock, .. } = &self.pace {
            line.advance(clock.now());
        }
        change(&mut line);
        engine.changed.notify_one();
        Ok(())
    }
}

impl<W> Engine<W> {
    fn run(&self, clock: Clock) {
        let mut line = lock(&self.line);
        while !line.stop {
            line.advance(clock.now());
            line = match line.next_end() {
                Some(end) => {
                    let left = end.since(clock.now());
                    let waited = self.changed.wait_timeout(line, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(line).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl<W: Send + 'static> Silicon for NullSilicon<W> {
    type Work = W;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn open_space(&self, _: VmId, _: &GuestRam, _: SpaceRoot) -> Result<SpaceId, SiliconError> {
        let id = SpaceId(self.ids.fetch_add(1, Relaxed));
        lock(&self.open).spaces.insert(id);
        Ok(id)
    }

    fn close_space(&self, space: SpaceId) {
        let mut open = lock(&self.open);
        open.spaces.remove(&space);
        open.contexts.retain(|_, of| *of != space);
    }

    fn open_context(&self, space: SpaceId, engine: EngineId) -> Result<ContextId, SiliconError> {
        self.engine(engine)?;
        let mut open = lock(&self.open);
        if !open.spaces.contains(&space) {
            return Err(SiliconError::Unknown("space"));
        }
        let id = ContextId(self.ids.fetch_add(1, Relaxed));
        open.contexts.insert(id, space);
        Ok(id)
    }

    fn close_context(&self, context: ContextId) {
        lock(&self.open).contexts.remove(&context);
    }

    fn submit(
        &self,
        engine: EngineId,
        context: ContextId,
        work: W,
        ticket: Ticket,
    ) -> Result<(), SiliconError> {
        if !lock(&self.open).contexts.contains_key(&context) {
            ticket.spend();
            return Err(SiliconError::Unknown("context"));
        }
        if let Pace::AtOnce = self.pace {
            ticket.answer(Outcome::Ended(JobEnd::Done), Time::default(), Time::default());
            return Ok(());
        }
        let length = (self.length)(&work);
        self.change(engine, |line| line.push(ticket, work, length, false))
    }

    fn resume(&self, engine: EngineId, ticket: Ticket) -> Result<(), SiliconError> {
        let mut known = false;
        self.change(engine, |line| {
            match line.kept.remove(&(ticket.vm(), ticket.job())) {
                Some((work, left)) => line.push(ticket, work, left, true),
                None => return ticket.spend(),
            }
            known = true;
        })?;
        if known { Ok(()) } else { Err(SiliconError::Unknown("preempted job")) }
    }

    fn recall(&self, engine: EngineId, vm: VmId, job: JobId) -> Option<JobEnd> {
        let mut end = None;
        let _ = self.change(engine, |line| end = line.recall(vm, job));
        end
    }

    fn preempt(&self, engine: EngineId, vm: VmId, job: JobId) {
        let _ = self.change(engine, |line| {
            line.position(vm, job).into_iter().for_each(|index| line.preempt(index));
        });
    }

    /// The job starts over where it is submitted next.
    fn take_back(&self, engine: EngineId, vm: VmId, job: JobId) -> Result<W, SiliconError> {
        let kept = lock(&self.engine(engine)?.line).kept.remove(&(vm, job));
        kept.map(|(work, _)| work).ok_or(SiliconError::Unknown("preempted job"))
    }

    fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: Reason) {
        let _ = self.change(engine, |line| line.kill(vm, job, why));
    }
}

impl<W> Drop for NullSilicon<W> {
    fn drop(&mut self) {
        let Pace::Real { threads, .. } = &mut self.pace else { return };
        for engine in self.engines.iter() {
            lock(&engine.line).stop = true;
            engine.changed.notify_one();
        }
        for thread in threads.drain(..) {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl<W> fmt::Debug for NullSilicon<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NullSilicon").field("limits", &self.limits).finish_non_exhaustive()
    }
}
