//! One engine: its queue, its thread, and the jobs that were stopped on it.
//!
//! ```text
//!  submit ──► queue ──kick──► the caller's thread, on loan: to the first draw, blit or wait, a few commands at most
//!                                │ the end: fence
//!                                └──► handed over ──► the engine's thread: as long as it takes ──► fence
//! ```
//!
//! One job runs at a time, whoever executes it: to preempt, recall or kill it is the same on either thread, and what is handed
//! over goes before what is queued.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use mediator::{Clock, JobEnd, JobId, Outcome, Reason, SiliconError, Ticket, Time, VmId};

use super::counters::Counters;
use super::execution::{Execution, Pause, Reach};
use super::stop::Stop;
use crate::engine::Engine;
use crate::gtt::Tlb;
use crate::silicon::Batch;

/// A wait that is over soon should not cost a nap; a long one should not cost a core.
const SPINS: u32 = 64;
const NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_micros(200);
/// Commands that a thread on loan executes, of all jobs that it begins: what takes about as long as waking another one.
const LOAN: u32 = 128;

#[derive(Debug)]
struct Queued {
    execution: Box<Execution>,
    ticket: Ticket,
}

#[derive(Debug)]
struct Running {
    vm: VmId,
    job: JobId,
    began: Time,
    killed: Option<Reason>,
    recalled: bool,
}

#[derive(Debug)]
struct Preempted {
    vm: VmId,
    job: JobId,
    execution: Box<Execution>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
    /// The engine's, while nothing executes.
    tlb: Tlb,
    running: Option<Running>,
    /// The running job, while no thread has it.
    handed_over: Option<Queued>,
    preempted: Vec<Preempted>,
}

impl State {
    /// Takes a job out that has not begun, or waits to be resumed.
    fn take_queued(&mut self, vm: VmId, job: JobId) -> Option<Queued> {
        let is_it = |q: &Queued| (q.ticket.vm(), q.ticket.job()) == (vm, job);
        self.queue.iter().position(is_it).and_then(|index| self.queue.remove(index))
    }

    /// Takes what is left of a preempted job.
    fn take_preempted(&mut self, vm: VmId, job: JobId) -> Option<Box<Execution>> {
        let index = self.preempted.iter().position(|p| (p.vm, p.job) == (vm, job))?;
        Some(self.preempted.swap_remove(index).execution)
    }
}

/// What the threads that execute have in common.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    stop: Stop,
    clock: Clock,
    counters: Arc<Counters>,
}

#[derive(Debug)]
pub(super) struct Lane {
    shared: Arc<Shared>,
    depth: usize,
    /// Rung when there is something for the engine's thread; gone when the lane is.
    bell: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    pub(super) fn start(
        engine: Engine,
        clock: Clock,
        counters: Arc<Counters>,
        depth: usize,
    ) -> std::io::Result<Self> {
        let (state, stop) = (Mutex::default(), Stop::default());
        let shared = Arc::new(Shared { state, stop, clock, counters });
        let (bell, rung) = bounded(1);
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("model {}", engine.info().name))
            .spawn(move || worker.work(&rung))?;
        Ok(Self { shared, depth, bell: Some(bell), thread: Some(thread) })
    }

    pub(super) fn submit(
        &self,
        execution: Box<Execution>,
        ticket: Ticket,
    ) -> Result<(), SiliconError> {
        let mut state = self.shared.state();
        if state.queue.len() + usize::from(state.running.is_some()) >= self.depth {
            drop(state);
            ticket.spend();
            return Err(SiliconError::Exhausted("places in the engine's queue"));
        }
        state.queue.push_back(Queued { execution, ticket });
        Ok(())
    }

    pub(super) fn resume(&self, ticket: Ticket) -> Result<(), SiliconError> {
        let mut state = self.shared.state();
        let Some(execution) = state.take_preempted(ticket.vm(), ticket.job()) else {
            drop(state);
            ticket.spend();
            return Err(SiliconError::Unknown("preempted job"));
        };
        state.queue.push_back(Queued { execution, ticket });
        Ok(())
    }

    /// See [`Silicon::kick`](mediator::Silicon::kick).
    pub(super) fn kick(&self) {
        let mut left = LOAN;
        while let Some(queued) = self.shared.next() {
            if self.shared.run(queued, Some(&mut left)) == Turn::HandedOver {
                return self.ring();
            }
        }
    }

    /// See [`Silicon::recall`](mediator::Silicon::recall).
    pub(super) fn recall(&self, vm: VmId, job: JobId) -> Option<JobEnd> {
        let mut state = self.shared.state();
        if let Some(running) = &mut state.running
            && (running.vm, running.job) == (vm, job)
        {
            running.recalled = true;
            self.shared.stop.recall.store(true, Ordering::Relaxed);
            return None;
        }
        if let Some(mut kept) = state.take_preempted(vm, job) {
            drop(state);
            return Some(suspend(&mut kept));
        }
        let queued = state.take_queued(vm, job);
        drop(state);
        if let Some(Queued { mut execution, ticket }) = queued {
            let now = self.shared.clock.now();
            ticket.answer(Outcome::Ended(suspend(&mut execution)), now, now);
        }
        None
    }

    /// See [`Silicon::preempt`](mediator::Silicon::preempt).
    pub(super) fn preempt(&self, vm: VmId, job: JobId) {
        let mut state = self.shared.state();
        if state.running.as_ref().is_some_and(|running| (running.vm, running.job) == (vm, job)) {
            self.shared.stop.preempt.store(true, Ordering::Relaxed);
            return;
        }
        let Some(Queued { execution, ticket }) = state.take_queued(vm, job) else { return };
        state.preempted.push(Preempted { vm, job, execution });
        drop(state);
        let now = self.shared.clock.now();
        ticket.answer(Outcome::Preempted, now, now);
    }

    pub(super) fn take_back(&self, vm: VmId, job: JobId) -> Result<Batch, SiliconError> {
        let mut state = self.shared.state();
        let execution = state.take_preempted(vm, job);
        drop(state);
        let execution = execution.ok_or(SiliconError::Unknown("preempted job"))?;
        execution.into_rest().map_err(|why| SiliconError::Unstorable(why.to_string()))
    }

    pub(super) fn kill(&self, vm: VmId, job: JobId, why: Reason) {
        let mut state = self.shared.state();
        if let Some(running) = &mut state.running
            && (running.vm, running.job) == (vm, job)
        {
            running.killed.get_or_insert(why);
            self.shared.stop.kill.store(true, Ordering::Relaxed);
            return;
        }
        state.preempted.retain(|p| (p.vm, p.job) != (vm, job));
        let queued = state.take_queued(vm, job);
        drop(state);
        if let Some(Queued { ticket, .. }) = queued {
            let now = self.shared.clock.now();
            ticket.answer(Outcome::Ended(JobEnd::Killed(why)), now, now);
        }
    }

    fn ring(&self) {
        // A full bell is already ringing.
        if let Some(bell) = &self.bell {
            let _ = bell.try_send(());
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let queue = std::mem::take(&mut state.queue);
        if let Some(running) = &mut state.running {
            running.killed.get_or_insert(Reason::new("model/closed", "the model is closed"));
            self.shared.stop.kill.store(true, Ordering::Relaxed);
        }
        drop(state);
        drop(queue);
        drop(self.bell.take());
        if let Some(thread) = self.thread.take() {
            // A fence's callback may hold the last handle: then this is the worker's own thread.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// How a job ends that is not to go on here.
fn suspend(execution: &mut Execution) -> JobEnd {
    if !execution.has_begun() {
        return if execution.is_rest() { JobEnd::Suspended } else { JobEnd::Withdrawn };
    }
    execution.suspend().map_or_else(JobEnd::Fault, |()| JobEnd::Suspended)
}

/// What became of a turn on a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The job has been answered for.
    Over,
    /// The engine's thread is to go on with it.
    HandedOver,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's thread.
    fn work(&self, rung: &Receiver<()>) {
        loop {
            let handed_over = self.state().handed_over.take();
            match handed_over.or_else(|| self.next()) {
                Some(queued) => {
                    self.run(queued, None);
                }
                None if rung.recv().is_err() => return,
                None => {}
            }
        }
    }

    /// Begins with the next job, if none runs.
    fn next(&self) -> Option<Queued> {
        let mut state = self.state();
        if state.running.is_some() {
            return None;
        }
        let queued = state.queue.pop_front()?;
        let (vm, job) = (queued.ticket.vm(), queued.ticket.job());
        let began = self.clock.now();
        state.running = Some(Running { vm, job, began, killed: None, recalled: false });
        self.stop.clear();
        Some(queued)
    }

    /// Executes the running job: a part of it on a thread that is on `loan`.
    fn run(&self, queued: Queued, loan: Option<&mut u32>) -> Turn {
        let Queued { mut execution, ticket } = queued;
        let mut tlb = std::mem::take(&mut self.state().tlb);
        execution.exchange_tlb(&mut tlb);
        // A mistake in the model costs this job, not the engine.
        let pause = catch_unwind(AssertUnwindSafe(|| self.drive(&mut execution, loan)))
            .unwrap_or_else(|_| {
                Pause::Fault(Reason::new("model/panic", "the model failed; see the log"))
            });
        execution.exchange_tlb(&mut tlb);
        let mut state = self.state();
        state.tlb = tlb;
        if pause == Pause::Long {
            state.handed_over = Some(Queued { execution, ticket });
            return Turn::HandedOver;
        }
        let now = self.clock.now();
        let (began, killed, recalled) =
            state.running.take().map_or((now, None, false), |running| {
                (running.began, running.killed, running.recalled)
            });
        let outcome = match pause {
            Pause::Done => Outcome::Ended(JobEnd::Done),
            Pause::Fault(reason) => Outcome::Ended(JobEnd::Fault(reason)),
            Pause::Stopped | Pause::Waiting | Pause::Long => match killed {
                Some(why) => Outcome::Ended(JobEnd::Killed(why)),
                None if recalled => Outcome::Ended(suspend(&mut execution)),
                None => {
                    let (vm, job) = (ticket.vm(), ticket.job());
                    state.preempted.push(Preempted { vm, job, execution });
                    self.counters.preemptions.add(1);
                    Outcome::Preempted
                }
            },
        };
        drop(state);
        ticket.answer(outcome, began, now);
        Turn::Over
    }

    fn drive(&self, execution: &mut Execution, loan: Option<&mut u32>) -> Pause {
        if let Some(left) = loan {
            return execution.run(&self.stop, Reach::Loan(left));
        }
        let mut waited_at = None;
        let mut waits = 0_u32;
        loop {
            let pause = execution.run(&self.stop, Reach::End);
            if pause != Pause::Waiting {
                return pause;
            }
            let here = Some(execution.position());
            waits = if here == waited_at { waits.saturating_add(1) } else { 0 };
            waited_at = here;
            match waits.checked_sub(SPINS) {
                None => std::hint::spin_loop(),
                Some(naps) => {
                    std::thread::sleep((NAP * naps.clamp(1, 4)).min(LONGEST_NAP));
                }
            }
        }
    }
}
