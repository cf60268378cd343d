//! A GPU that stands still, so that its state and its guest's memory belong together.
//!
//! ```text
//!  running ──save──► stopping ──jobs are back, VMM is silent──► standing ──resume, restore, reset──► running
//!                       │ jobs that the device hands out are held back     │ the guest's accesses wait
//!                       └── it takes too long: refused, running ◄──────────┘
//! ```

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::saved::{SaveError, SavedVm};
use crate::scheduler::Recalled;
use crate::{Job, JobId, Reason, Time};

/// How long a VM may take to come to rest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Who waits for the state.
pub(crate) type SaveReply = Sender<Result<SavedVm, SaveError>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Pause<W> {
    /// Engines that have not given the VM's jobs back.
    engines: usize,
    answers: Receiver<Recalled<W>>,
    /// Given back, in order for each engine.
    recalled: Vec<Job<W>>,
    /// Handed out by the device since.
    held: Vec<Job<W>>,
    /// Wanted back by the device since.
    recalls: Vec<JobId>,
    stuck: Option<Reason>,
    until: Time,
    /// `None` once the answer is given.
    reply: Option<SaveReply>,
    standing: bool,
}

impl<W> Pause<W> {
    /// The VM is to come to rest by `until`. Also returns where each of the `engines` gives its jobs back.
    pub(super) fn new(
        engines: usize,
        until: Time,
        reply: SaveReply,
    ) -> (Self, Sender<Recalled<W>>) {
        let (give_back, answers) = bounded(engines);
        let pause = Self {
            engines,
            answers,
            recalled: Vec::new(),
            held: Vec::new(),
            recalls: Vec::new(),
            stuck: None,
            until,
            reply: Some(reply),
            standing: false,
        };
        (pause, give_back)
    }

    /// Takes what engines have given back.
    pub(super) fn collect(&mut self) {
        for Recalled { engine, jobs } in self.answers.try_iter() {
            self.engines = self.engines.saturating_sub(1);
            match jobs {
                Ok(jobs) => self.recalled.extend(jobs),
                Err(why) => {
                    log::warn!("{engine:?} does not give a VM's jobs back: {why}");
                    self.stuck = Some(why);
                }
            }
        }
    }

    /// Keeps a job that the device handed out.
    pub(super) fn hold(&mut self, job: Job<W>) {
        self.held.push(job);
    }

    /// Keeps recalls: what they are for is not on silicon.
    pub(super) fn hold_recalls(&mut self, jobs: Vec<JobId>) {
        self.recalls.extend(jobs);
    }

    /// Whether silicon has none of the VM's jobs.
    pub(super) fn is_off_silicon(&self) -> bool {
        self.engines == 0
    }

    /// Why silicon may have some all the same.
    pub(super) fn stuck(&self) -> Option<&Reason> {
        self.stuck.as_ref()
    }

    /// Whether the VM stands still.
    pub(super) fn is_standing(&self) -> bool {
        self.standing
    }

    /// From now on it does.
    pub(super) fn stand(&mut self) {
        self.standing = true;
    }

    /// When to give up; `None` once somebody has an answer.
    pub(super) fn until(&self) -> Option<Time> {
        self.reply.as_ref().map(|_| self.until)
    }

    /// Who waits for the state.
    pub(super) fn take_reply(&mut self) -> Option<SaveReply> {
        self.reply.take()
    }

    /// Orders all jobs, as they are to be submitted again, and lets the caller look at them.
    pub(super) fn jobs(&mut self, still_wanted: impl Fn(&Job<W>) -> bool) -> &[Job<W>] {
        self.recalled.append(&mut self.held);
        self.recalled.retain(still_wanted);
        &self.recalled
    }

    /// The jobs, to be submitted again, and which of them are to be recalled then.
    pub(super) fn into_parts(mut self) -> (Vec<Job<W>>, Vec<JobId>) {
        self.recalled.append(&mut self.held);
        (self.recalled, self.recalls)
    }
}
