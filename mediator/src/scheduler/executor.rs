//! The executor of one engine: it owns the engine's run queue and keeps silicon's queue filled.
//!
//! Silicon holds a few jobs of an engine at a time, the *slots*: the first one runs, the others follow it without a
//! gap. Everything else waits in the run queue. A machine without a thread: it is driven by orders (from VM threads),
//! fences (from silicon), and the end of the running job's time slice or budget.
//!
//! While VMs compete and silicon can preempt, two jobs of one VM are never in slots together: the second could not run
//! before the first, so neither could make room for another VM.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::fair::FairQueue;
use super::recall::Recall;
use super::{EngineCounters, Pinned, Recalled, Residency, Weight};
use crate::vm::{Mail, MailboxSender};
use crate::{
    EngineId, Fence, Job, JobEnd, JobId, Outcome, Priority, Reason, Silicon, SiliconError, Ticket,
    Time, VmId,
};

/// What the time slices of the VMs that compete add up to; each has its part by weight.
const ROUND: Duration = Duration::from_millis(10);

/// The shortest time slice.
const LEAST_SLICE: Duration = Duration::from_millis(2);

/// How long silicon may take to let go of a killed job before the slot is given to others.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// A VM as its executors know it, from one device reset to the next.
#[derive(Debug)]
pub(crate) struct Member<W: Send + 'static> {
    pub(crate) vm: VmId,
    /// Counts the VM's resets: what belongs to an earlier one is not delivered any more.
    pub(crate) generation: u64,
    pub(crate) weight: Weight,
    /// Engine time that one job may take.
    pub(crate) budget: Duration,
    pub(crate) residency: Arc<Residency<W>>,
    /// One for each engine.
    pub(crate) counters: Arc<[EngineCounters]>,
    pub(crate) mailbox: MailboxSender,
}

/// What an executor is told.
#[derive(Debug)]
pub(crate) enum Order<W: Send + 'static> {
    /// A VM joins; if it is here already, what it had is dropped first.
    Admit(Arc<Member<W>>),
    /// A VM leaves. What is out is killed and not waited for.
    Dismiss(VmId),
    /// A job of a VM that was admitted.
    Submit { vm: VmId, job: Job<W> },
    /// A job is not wanted any more; its end is not delivered.
    Cancel { vm: VmId, job: JobId },
    /// A job is to end now; its end is delivered.
    Kill { vm: VmId, job: JobId },
    /// A job is to come back to its device, even unfinished.
    Recall { vm: VmId, job: JobId },
    /// All jobs of a VM that was admitted are wanted back. Its thread hears of the answer by [`Mail::Recalled`], and
    /// submits nothing before.
    RecallAll { vm: VmId, reply: Sender<Recalled<W>> },
    /// Silicon answered.
    Fence { generation: u64, fence: Fence },
}

/// A job that waits for its turn.
#[derive(Debug)]
enum Waiting<W: Send + 'static> {
    /// It has not been on silicon yet.
    New { job: Job<W>, queued: Time },
    /// It was preempted; silicon keeps the rest of it.
    Kept { job: JobId, priority: Priority, pin: Pinned<W>, used: Duration },
}

impl<W: Send + 'static> Waiting<W> {
    fn id(&self) -> JobId {
        match self {
            Self::New { job, .. } => job.id,
            Self::Kept { job, .. } => *job,
        }
    }

    fn priority(&self) -> Priority {
        match self {
            Self::New { job, .. } => job.priority,
            Self::Kept { priority, .. } => *priority,
        }
    }
}

/// A job on silicon.
#[derive(Debug)]
struct Slot<W: Send + 'static> {
    member: Arc<Member<W>>,
    job: JobId,
    priority: Priority,
    pin: Option<Pinned<W>>,
    /// When it came to the scheduler; taken when it first runs.
    queued: Option<Time>,
    /// Since when it runs this time; `None` behind others.
    running: Option<Time>,
    /// Engine time that it used before it was last preempted.
    used: Duration,
    preempting: bool,
    /// Its device wants it back.
    recalled: bool,
    /// When it was killed, and whether its VM hears of it.
    killed: Option<(Time, Report)>,
    /// How it ended, while an earlier job of its VM has not.
    end: Option<JobEnd>,
}

impl<W: Send + 'static> Slot<W> {
    fn is(&self, vm: VmId, generation: u64, job: JobId) -> bool {
        self.job == job && self.member.vm == vm && self.member.generation == generation
    }

    fn same_vm(&self, other: &Self) -> bool {
        self.member.vm == other.member.vm && self.member.generation == other.member.generation
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Deliver,
    Forget,
}

/// One engine's executor, driven by [`handle`](Self::handle) and [`pump`](Self::pump).
pub(crate) struct Executor<W: Send + 'static> {
    engine: EngineId,
    silicon: Arc<dyn Silicon<Work = W>>,
    /// Takes what tickets report.
    fences: Arc<dyn Fn(Order<W>) + Send + Sync>,
    members: BTreeMap<VmId, Arc<Member<W>>>,
    queue: FairQueue<Waiting<W>>,
    slots: VecDeque<Slot<W>>,
    /// Killed jobs that silicon did not let go of in time. What they use stays open until it does.
    abandoned: Vec<Slot<W>>,
    /// VMs that stand still soon.
    recalls: BTreeMap<VmId, Recall<W>>,
    /// Silicon has got jobs since it was last kicked.
    submitted: bool,
}

impl<W: Send + 'static> Executor<W> {
    pub(crate) fn new(
        engine: EngineId,
        silicon: Arc<dyn Silicon<Work = W>>,
        fences: Arc<dyn Fn(Order<W>) + Send + Sync>,
    ) -> Self {
        Self {
            engine,
            silicon,
            fences,
            members: BTreeMap::new(),
            queue: FairQueue::new(),
            slots: VecDeque::new(),
            abandoned: Vec::new(),
            recalls: BTreeMap::new(),
            submitted: false,
        }
    }

    /// A panic may cost a job: to its guest that is a hang. It does not cost everybody the engine.
    pub(crate) fn guarded(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            log::error!("the executor of {:?} panicked, and goes on", self.engine);
        }
    }

    /// Takes note of an order.
    pub(crate) fn handle(&mut self, order: Order<W>, now: Time) {
        match order {
            Order::Admit(member) => self.admit(member, now),
            Order::Dismiss(vm) => self.dismiss(vm, now),
            Order::Submit { vm, job } => {
                // A refusal means that the VM is gone: nobody is left to tell.
                let priority = job.priority;
                let _ =
                    self.queue.push_ranked(vm, Waiting::New { job, queued: now }, priority, now);
            }
            Order::Cancel { vm, job } => self.cancel(vm, job, now),
            Order::Kill { vm, job } => self.kill(vm, job, now),
            Order::Recall { vm, job } => self.recall(vm, job),
            Order::RecallAll { vm, reply } => self.recall_all(vm, reply),
            Order::Fence { generation, fence } => self.fence(generation, fence, now),
        }
    }

    /// Keeps the slots filled and the running job in its bounds.
    pub(crate) fn pump(&mut self, now: Time) {
        self.give_up_on_stuck_jobs(now);
        self.fill(now);
        self.begin(now);
        self.end_overlong(now);
        self.end_slice(now);
        self.answer_recalls();
    }

    /// Whether silicon has got jobs since this was last asked, and must be kicked.
    pub(crate) fn has_submitted(&mut self) -> bool {
        std::mem::take(&mut self.submitted)
    }

    /// When [`pump`](Self::pump) has to be called even if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let killed =
            self.slots.iter().filter_map(|slot| slot.killed.map(|(at, _)| at + KILL_GRACE));
        killed.chain(self.budget_end()).chain(self.slice_end()).min()
    }

    // Membership.

    fn admit(&mut self, member: Arc<Member<W>>, now: Time) {
        let vm = member.vm;
        self.kill_slots(vm, now);
        self.recalls.remove(&vm);
        let waiting = self.queue.clear(vm);
        self.discard(vm, waiting);
        self.queue.admit(vm, member.weight);
        self.members.insert(vm, member);
    }

    fn dismiss(&mut self, vm: VmId, now: Time) {
        self.kill_slots(vm, now);
        self.recalls.remove(&vm);
        let waiting = self.queue.remove(vm);
        self.discard(vm, waiting);
        self.members.remove(&vm);
    }

    /// Dismisses everybody: the mediator shuts down.
    pub(crate) fn dismiss_all(&mut self, now: Time) {
        let vms: Vec<_> = self.members.keys().copied().collect();
        vms.into_iter().for_each(|vm| self.guarded(|own| own.dismiss(vm, now)));
    }

    fn kill_slots(&mut self, vm: VmId, now: Time) {
        for slot in self.slots.iter_mut().filter(|slot| slot.member.vm == vm) {
            forget(&*self.silicon, self.engine, slot, now);
        }
    }

    fn discard(&self, vm: VmId, waiting: impl IntoIterator<Item = Waiting<W>>) {
        for job in waiting {
            if let Waiting::Kept { job, .. } = job {
                self.silicon.kill(self.engine, vm, job, cancelled());
            }
            if let Some(counters) = self.members.get(&vm).and_then(|m| self.counters(m)) {
                counters.killed();
            }
        }
    }

    fn cancel(&mut self, vm: VmId, job: JobId, now: Time) {
        let Some(generation) = self.members.get(&vm).map(|member| member.generation) else {
            return;
        };
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is(vm, generation, job)) {
            forget(&*self.silicon, self.engine, slot, now);
        } else if let Some(waiting) = self.queue.take(vm, |waiting| waiting.id() == job) {
            self.discard(vm, [waiting]);
        }
    }

    fn kill(&mut self, vm: VmId, job: JobId, now: Time) {
        let Some(member) = self.members.get(&vm).cloned() else { return };
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is(vm, member.generation, job)) {
            if slot.killed.is_none() && slot.end.is_none() {
                slot.killed = Some((now, Report::Deliver));
                self.silicon.kill(self.engine, vm, job, cancelled());
            }
        } else if let Some(waiting) = self.queue.take(vm, |waiting| waiting.id() == job) {
            self.discard(vm, [waiting]);
            self.tell(&member, job, JobEnd::Killed(cancelled()));
        }
    }

    fn recall(&mut self, vm: VmId, job: JobId) {
        let Some(member) = self.members.get(&vm).cloned() else { return };
        let found = |slot: &Slot<W>| slot.end.is_none() && slot.is(vm, member.generation, job);
        if let Some(slot) = self.slots.iter_mut().find(|slot| found(slot)) {
            slot.recalled = true;
            // It may have been preempted just now: then its fence, which is on its way, is of no use any more.
            slot.end = self.silicon.recall(self.engine, vm, job);
            self.settle();
        } else if let Some(waiting) = self.queue.take(vm, |waiting| waiting.id() == job) {
            let end = match waiting {
                Waiting::New { job, .. } if self.silicon.is_rest(&job.work) => JobEnd::Suspended,
                Waiting::New { .. } => JobEnd::Withdrawn,
                Waiting::Kept { .. } => recall_preempted(&*self.silicon, self.engine, vm, job),
            };
            self.tell(&member, job, end);
        }
    }

    // Recalls of all that a VM has.

    fn recall_all(&mut self, vm: VmId, reply: Sender<Recalled<W>>) {
        let mut recall = Recall::new(reply);
        let wanted = |slot: &&Slot<W>| slot.member.vm == vm && slot.killed.is_none();
        let on_silicon: Vec<_> = self.slots.iter().filter(wanted).map(|slot| slot.job).collect();
        on_silicon.iter().for_each(|job| recall.expect(*job));
        // The last one first, so that none can run, and end, when the one before it is back.
        for job in on_silicon.into_iter().rev() {
            self.silicon.preempt(self.engine, vm, job);
        }
        for waiting in self.queue.clear(vm) {
            match waiting {
                Waiting::New { job, .. } => recall.take(job),
                Waiting::Kept { job, priority, pin, .. } => {
                    match self.take_back(vm, job, priority, &pin) {
                        Ok(job) => recall.take(job),
                        Err(end) => self.lose(vm, job, end),
                    }
                }
            }
        }
        self.recalls.insert(vm, recall);
    }

    /// Takes a preempted job back from silicon.
    fn take_back(
        &self,
        vm: VmId,
        id: JobId,
        priority: Priority,
        pin: &Pinned<W>,
    ) -> Result<Job<W>, JobEnd> {
        let work = survive(|| self.silicon.take_back(self.engine, vm, id));
        let (space, context) = pin.name();
        work.map(|work| Job { id, engine: self.engine, space, context, priority, work })
            .map_err(|error| JobEnd::Fault(Reason::new("silicon/recall", error.to_string())))
    }

    /// A job of which nothing is left ends.
    fn lose(&self, vm: VmId, job: JobId, end: JobEnd) {
        if let Some(member) = self.members.get(&vm) {
            self.tell(member, job, end);
        }
    }

    /// Answers what is complete: silicon has none of the VM's jobs, wanted or not.
    fn answer_recalls(&mut self) {
        let busy = |slots: &VecDeque<Slot<W>>, vm| slots.iter().any(|slot| slot.member.vm == vm);
        let done: Vec<_> =
            self.recalls.keys().copied().filter(|vm| !busy(&self.slots, *vm)).collect();
        for vm in done {
            let stuck = self.abandoned.iter().any(|slot| slot.member.vm == vm).then(unresponsive);
            if let Some(recall) = self.recalls.remove(&vm) {
                recall.answer(self.engine, stuck);
            }
            if let Some(member) = self.members.get(&vm) {
                member.mailbox.send(Mail::Recalled);
            }
        }
    }

    // Slots.

    fn fill(&mut self, now: Time) {
        let limits = self.silicon.limits();
        let (depth, preemption) = (limits.queue_depth.max(1), limits.preemption);
        while self.slots.len() < depth {
            // Two jobs of one VM can't be preempted in order, so its second one waits here; and nobody else goes out
            // of turn meanwhile.
            let apart = preemption && self.queue.members() > 1;
            let next = self.queue.upcoming(now);
            if apart && self.slots.iter().any(|slot| Some(slot.member.vm) == next) {
                return;
            }
            let Some((vm, waiting)) = self.queue.pop(now) else { return };
            let Some(member) = self.members.get(&vm).cloned() else { continue };
            let slot = self.start(member, waiting);
            let failed = slot.end.is_some();
            self.submitted |= !failed;
            self.slots.push_back(slot);
            if failed {
                self.queue.charge(vm, Duration::ZERO);
                self.settle();
            }
        }
    }

    /// Hands a job to silicon.
    fn start(&self, member: Arc<Member<W>>, waiting: Waiting<W>) -> Slot<W> {
        let fences = Arc::clone(&self.fences);
        let generation = member.generation;
        let ticket = Ticket::new(member.vm, waiting.id(), move |fence| {
            fences(Order::Fence { generation, fence });
        });
        let (id, priority) = (waiting.id(), waiting.priority());
        let (queued, used, started) = match waiting {
            Waiting::New { job, queued } => {
                let pinned = member.residency.pin(job.space, job.context, self.engine);
                let started = pinned.and_then(|pin| {
                    let context = pin.context();
                    survive(|| self.silicon.submit(self.engine, context, job.work, ticket))?;
                    Ok(pin)
                });
                (Some(queued), Duration::ZERO, started)
            }
            Waiting::Kept { pin, used, .. } => {
                let resumed = survive(|| self.silicon.resume(self.engine, ticket));
                (None, used, resumed.map(|()| pin))
            }
        };
        let (pin, end) = match started {
            Ok(pin) => (Some(pin), None),
            Err(error) => {
                let reason = Reason::new("silicon/submit", error.to_string());
                (None, Some(JobEnd::Fault(reason)))
            }
        };
        Slot {
            member,
            job: id,
            priority,
            pin,
            queued,
            running: None,
            used,
            preempting: false,
            recalled: false,
            killed: None,
            end,
        }
    }

    /// The first job on silicon runs.
    fn begin(&mut self, now: Time) {
        let engine = usize::from(self.engine.0);
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.end.is_none()) else { return };
        slot.running.get_or_insert(now);
        if let Some(queued) = slot.queued.take()
            && let Some(counters) = slot.member.counters.get(engine)
        {
            counters.waited(now.since(queued));
        }
    }

    fn fence(&mut self, generation: u64, fence: Fence, now: Time) {
        let Fence { vm, job, outcome, began, ended } = fence;
        self.abandoned.retain(|slot| !slot.is(vm, generation, job));
        let found = |slot: &Slot<W>| slot.end.is_none() && slot.is(vm, generation, job);
        let Some(index) = self.slots.iter().position(found) else { return };
        let used = ended.since(began);
        self.queue.charge(vm, used);
        let Some(slot) = self.slots.get_mut(index) else { return };
        if let Some(counters) = slot.member.counters.get(usize::from(self.engine.0)) {
            counters.used(used);
        }
        match outcome {
            Outcome::Ended(end) => slot.end = Some(end),
            Outcome::Preempted if slot.killed.is_some() => {
                self.silicon.kill(self.engine, vm, job, cancelled());
                slot.end = Some(JobEnd::Killed(cancelled()));
            }
            Outcome::Preempted if slot.recalled => {
                slot.end = Some(recall_preempted(&*self.silicon, self.engine, vm, job));
            }
            Outcome::Preempted => {
                if let Some(Slot { member, priority, pin: Some(pin), used: before, .. }) =
                    self.slots.remove(index)
                {
                    if let Some(counters) = self.counters(&member) {
                        counters.preempted();
                    }
                    let used = before.saturating_add(used);
                    self.keep(vm, Waiting::Kept { job, priority, pin, used }, now);
                }
            }
        }
        self.settle();
    }

    /// A preempted job waits for its next turn, or goes back to its VM.
    fn keep(&mut self, vm: VmId, kept: Waiting<W>, now: Time) {
        let priority = kept.priority();
        if !self.recalls.contains_key(&vm) {
            let _ = self.queue.push_front(vm, kept, priority, now);
            return;
        }
        let Waiting::Kept { job, pin, .. } = kept else { return };
        match (self.take_back(vm, job, priority, &pin), self.recalls.get_mut(&vm)) {
            (Ok(job), Some(recall)) => recall.take(job),
            (Err(end), _) => self.lose(vm, job, end),
            (Ok(_), None) => {}
        }
    }

    /// Delivers ends, each after the ends of what its VM had handed out before.
    fn settle(&mut self) {
        let is_due = |slots: &VecDeque<Slot<W>>, index: usize| {
            slots.get(index).is_some_and(|slot| {
                let open = |earlier: &Slot<W>| earlier.end.is_none() && earlier.same_vm(slot);
                slot.end.is_some() && !slots.iter().take(index).any(open)
            })
        };
        while let Some(index) = (0..self.slots.len()).find(|&index| is_due(&self.slots, index)) {
            if let Some(mut slot) = self.slots.remove(index)
                && let Some(end) = slot.end.take()
            {
                self.deliver(&slot, end);
            }
        }
    }

    fn deliver(&self, slot: &Slot<W>, end: JobEnd) {
        if matches!(slot.killed, Some((_, Report::Forget))) {
            self.count(&slot.member, &end);
        } else {
            self.tell(&slot.member, slot.job, end);
        }
    }

    fn tell(&self, member: &Member<W>, job: JobId, end: JobEnd) {
        self.count(member, &end);
        member.mailbox.ended(member.generation, job, end);
    }

    fn count(&self, member: &Member<W>, end: &JobEnd) {
        let Some(counters) = self.counters(member) else { return };
        match end {
            JobEnd::Done => counters.finished(),
            JobEnd::Fault(_) => counters.faulted(),
            JobEnd::Killed(_) => counters.killed(),
            JobEnd::Suspended | JobEnd::Withdrawn => counters.recalled(),
        }
    }

    fn counters<'m>(&self, member: &'m Member<W>) -> Option<&'m EngineCounters> {
        member.counters.get(usize::from(self.engine.0))
    }

    // Time.

    /// The job that runs, unless it is already being ended.
    fn running(&self) -> Option<(usize, &Slot<W>, Time)> {
        let (index, slot) = self.slots.iter().enumerate().find(|(_, slot)| slot.end.is_none())?;
        (slot.killed.is_none()).then_some((index, slot, slot.running?))
    }

    fn budget_end(&self) -> Option<Time> {
        let (_, slot, since) = self.running()?;
        Some(since + slot.member.budget.saturating_sub(slot.used))
    }

    fn end_overlong(&mut self, now: Time) {
        if self.budget_end().is_none_or(|end| now < end) {
            return;
        }
        let Some((index, ..)) = self.running() else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.killed = Some((now, Report::Deliver));
        let budget = slot.member.budget;
        let why = Reason::new("budget/time", format!("the job ran for more than {budget:?}"));
        self.silicon.kill(self.engine, slot.member.vm, slot.job, why);
    }

    /// When the running job must make room, if anybody waits and it can.
    fn slice_end(&self) -> Option<Time> {
        let (index, slot, since) = self.running()?;
        if !self.silicon.limits().preemption || slot.preempting {
            return None;
        }
        let vm = slot.member.vm;
        let behind = || self.slots.iter().skip(index + 1);
        if behind().any(|other| other.same_vm(slot)) {
            return None;
        }
        let competed = self.queue.others_wait(vm) || behind().any(|other| other.killed.is_none());
        competed.then(|| since + ROUND.mul_f64(self.queue.part(vm)).max(LEAST_SLICE))
    }

    fn end_slice(&mut self, now: Time) {
        if self.slice_end().is_none_or(|end| now < end) {
            return;
        }
        let Some((index, ..)) = self.running() else { return };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.preempting = true;
            self.silicon.preempt(self.engine, slot.member.vm, slot.job);
        }
    }

    fn give_up_on_stuck_jobs(&mut self, now: Time) {
        let stuck = |slot: &Slot<W>| {
            slot.end.is_none() && slot.killed.is_some_and(|(at, _)| now >= at + KILL_GRACE)
        };
        while let Some(index) = self.slots.iter().position(stuck) {
            let Some(slot) = self.slots.remove(index) else { return };
            let ran = slot.running.map_or(Duration::ZERO, |since| now.since(since));
            self.queue.charge(slot.member.vm, ran);
            log::warn!("{:?} of {:?}: silicon does not let go of it", slot.job, slot.member.vm);
            self.deliver(&slot, JobEnd::Killed(unresponsive()));
            self.abandoned.push(slot);
        }
    }
}

/// A panic in silicon is a failure of the call.
fn survive<R>(call: impl FnOnce() -> Result<R, SiliconError>) -> Result<R, SiliconError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(SiliconError::Lost("its driver panicked".to_owned())))
}

/// Recalls a job that silicon keeps.
fn recall_preempted<W: Send + 'static>(
    silicon: &dyn Silicon<Work = W>,
    engine: EngineId,
    vm: VmId,
    job: JobId,
) -> JobEnd {
    silicon.recall(engine, vm, job).unwrap_or_else(|| {
        JobEnd::Fault(Reason::new("silicon/recall", "silicon has lost a job that it kept"))
    })
}

/// Kills a job on silicon of which nobody wants to hear any more.
fn forget<W: Send + 'static>(
    silicon: &dyn Silicon<Work = W>,
    engine: EngineId,
    slot: &mut Slot<W>,
    now: Time,
) {
    let first = slot.killed.is_none() && slot.end.is_none();
    let at = slot.killed.map_or(now, |(at, _)| at);
    slot.killed = Some((at, Report::Forget));
    if first {
        silicon.kill(engine, slot.member.vm, slot.job, cancelled());
    }
}

fn unresponsive() -> Reason {
    Reason::new("silicon/unresponsive", "silicon did not stop a killed job")
}

fn cancelled() -> Reason {
    Reason::new("job/cancelled", "its VM does not want it any more")
}

impl<W: Send + 'static> fmt::Debug for Executor<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("engine", &self.engine)
            .field("members", &self.members.len())
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
