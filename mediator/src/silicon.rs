//! Silicon: what executes. The host's driver, or the software model.

mod null;

use std::fmt;

pub use null::NullSilicon;

use crate::{EngineId, GuestRam, JobEnd, JobId, SpaceRoot, Time, VmId};

/// What an engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineClass {
    /// 3D and compute.
    Render,
    /// Blitter.
    Copy,
    /// Video decode and encode.
    Video,
    /// Video enhancement.
    VideoEnhance,
}

/// An engine of this silicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// What it is for.
    pub class: EngineClass,
    /// The field's name for it: `rcs0`.
    pub name: &'static str,
}

/// What this silicon can do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Its engines; [`EngineId`] is an index here.
    pub engines: Vec<EngineInfo>,
    /// Jobs that one engine holds at a time, the running one included (at least 2).
    pub queue_depth: usize,
    /// Whether [`Silicon::preempt`] can stop a running job so that it goes on later.
    pub preemption: bool,
    /// Contexts that one VM may have here at a time.
    pub contexts_per_vm: usize,
    /// Address spaces that one VM may have here at a time.
    pub spaces_per_vm: usize,
    /// Whether all that contexts hold lies in guest memory between their jobs, so that a VM can be saved.
    pub state_in_guest: bool,
}

/// An address space on silicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceId(pub u64);

/// A hardware context on silicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextId(pub u64);

/// Why silicon could not do what it was asked to.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum SiliconError {
    /// The id names nothing (any more).
    #[error("no such {0} on this silicon")]
    Unknown(&'static str),
    /// Memory or a table is full.
    #[error("silicon is out of {0}")]
    Exhausted(&'static str),
    /// A context's state can't be stored where contexts keep it.
    #[error("the context's state can't be stored: {0}")]
    Unstorable(String),
    /// The device is gone or broken.
    #[error("the GPU is lost: {0}")]
    Lost(String),
}

/// What executes work. No call waits for the GPU; all may come from any thread.
pub trait Silicon: Send + Sync + 'static {
    /// The vendor's unit of work.
    type Work: Send + 'static;

    /// What this silicon can do; constant.
    fn limits(&self) -> &Limits;

    /// Opens the address space `root` of `vm`, whose memory is `ram`. Its tables are the guest's own: silicon walks
    /// or shadows them, and sees changes no later than at the next [`submit`](Self::submit).
    ///
    /// # Errors
    /// [`SiliconError::Exhausted`] when no more spaces can be had.
    fn open_space(
        &self,
        vm: VmId,
        ram: &GuestRam,
        root: SpaceRoot,
    ) -> Result<SpaceId, SiliconError>;

    /// Closes a space with its contexts; their jobs must have ended.
    fn close_space(&self, space: SpaceId);

    /// Opens a hardware context in `space` for `engine`.
    ///
    /// # Errors
    /// [`SiliconError::Unknown`] for a closed space, [`SiliconError::Exhausted`] when no more can be had.
    fn open_context(&self, space: SpaceId, engine: EngineId) -> Result<ContextId, SiliconError>;

    /// Closes a context; its jobs must have ended.
    fn close_context(&self, context: ContextId);

    /// Queues `work`, which begins with the next [`kick`](Self::kick) at the latest. Its end comes back through `ticket`,
    /// from any thread, perhaps before this returns.
    ///
    /// # Errors
    /// As for the other calls. The ticket is then spent: it reports nothing.
    fn submit(
        &self,
        engine: EngineId,
        context: ContextId,
        work: Self::Work,
        ticket: Ticket,
    ) -> Result<(), SiliconError>;

    /// Goes on with a preempted job, as [`submit`](Self::submit) does with a new one.
    ///
    /// # Errors
    /// [`SiliconError::Unknown`] if silicon keeps no such job.
    fn resume(&self, engine: EngineId, ticket: Ticket) -> Result<(), SiliconError>;

    /// Has the engine begin with what is queued. The calling thread may be borrowed for that, for about as long as it takes
    /// to wake another one: it holds nothing that anybody waits for. Silicon that begins by itself needs no kick.
    fn kick(&self, _engine: EngineId) {}

    /// Calls a job back: it is to end at the next point where its context's owner allows it to be interrupted and its
    /// context can go on later. Then all that is left of it is in the context, and its ticket reports
    /// [`JobEnd::Suspended`], or [`JobEnd::Withdrawn`] if it had not begun. A job without such a point runs on.
    ///
    /// A job that is preempted has no ticket out: it ends at once, as is returned.
    fn recall(&self, engine: EngineId, vm: VmId, job: JobId) -> Option<JobEnd>;

    /// Asks for this job, queued or running, to stop at the next point where it can go on later. If it does, its ticket
    /// reports [`Outcome::Preempted`] and silicon keeps the rest of the work until [`resume`](Self::resume),
    /// [`take_back`](Self::take_back) or [`kill`](Self::kill).
    fn preempt(&self, engine: EngineId, vm: VmId, job: JobId);

    /// Takes back what is left of a preempted job, as work that can be submitted again, here or to other silicon of this
    /// kind. Its context holds all that it needs for that, as after a [recall](Self::recall). This silicon forgets the
    /// job, also on an error.
    ///
    /// # Errors
    /// [`SiliconError::Unknown`] if silicon keeps no such job, [`SiliconError::Unstorable`] if its state is lost.
    fn take_back(&self, engine: EngineId, vm: VmId, job: JobId)
    -> Result<Self::Work, SiliconError>;

    /// Whether this is the rest of a job that was taken back on its way: recalled before it goes on, it is suspended,
    /// not withdrawn.
    fn is_rest(&self, _work: &Self::Work) -> bool {
        false
    }

    /// What a VM has here, as named counters for operators. Its spaces and contexts are known without.
    fn holdings(&self, _vm: VmId) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Ends a job wherever it is: queued, running or preempted. Its ticket (if out) reports [`JobEnd::Killed`].
    fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: crate::Reason);
}

/// What a ticket reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is over.
    Ended(JobEnd),
    /// The job was stopped and can go on.
    Preempted,
}

/// What comes back for a ticket: the fence.
#[derive(Clone, Debug)]
pub struct Fence {
    /// Whose job.
    pub vm: VmId,
    /// Which job.
    pub job: JobId,
    /// How it went.
    pub outcome: Outcome,
    /// When the engine began with it, on the silicon's clock.
    pub began: Time,
    /// When the engine was done with it.
    pub ended: Time,
}

/// The promise of an answer for one submitted job. A ticket dropped unanswered (silicon's worker died) reports a
/// fault, so no job is ever lost.
pub struct Ticket {
    vm: VmId,
    job: JobId,
    report: Option<Box<dyn FnOnce(Fence) + Send>>,
}

impl Ticket {
    /// A ticket for `job` whose fence is handed to `report`.
    pub fn new(vm: VmId, job: JobId, report: impl FnOnce(Fence) + Send + 'static) -> Self {
        Self { vm, job, report: Some(Box::new(report)) }
    }

    /// Whose job it is.
    #[must_use]
    pub fn vm(&self) -> VmId {
        self.vm
    }

    /// Which job it is.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Answers.
    pub fn answer(mut self, outcome: Outcome, began: Time, ended: Time) {
        self.send(outcome, began, ended);
    }

    /// Gives the ticket up without an answer: the submission itself failed, and the caller knows.
    pub fn spend(mut self) {
        self.report = None;
    }

    fn send(&mut self, outcome: Outcome, began: Time, ended: Time) {
        if let Some(report) = self.report.take() {
            report(Fence { vm: self.vm, job: self.job, outcome, began, ended });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let lost = crate::Reason::new("silicon/lost", "silicon dropped the job without an answer");
        self.send(Outcome::Ended(JobEnd::Fault(lost)), Time::default(), Time::default());
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("vm", &self.vm)
            .field("job", &self.job)
            .finish_non_exhaustive()
    }
}
