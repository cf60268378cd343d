//! Getting a VM's jobs back from an engine, so that the VM stands still and can be saved.
//!
//! ```text
//!  Order::Recall ──► waiting jobs ────────────────────────────────────────────┐
//!                └─► jobs on silicon ──recall──► fence (preempted) ─take back─┴─► Recalled, once silicon has none left
//! ```
//!
//! Jobs that end on their own meanwhile are delivered as ever, before the answer. Nobody waits for any of it: other VMs
//! take the places that become free.

use crossbeam_channel::Sender;

use crate::{EngineId, Job, JobId, Reason};

/// What an engine gives back.
#[derive(Debug)]
pub(crate) struct Recalled<W> {
    pub(crate) engine: EngineId,
    /// The jobs that have not ended, in the order in which they came; or why it can't be said that silicon has none.
    pub(crate) jobs: Result<Vec<Job<W>>, Reason>,
}

/// A recall that is under way.
#[derive(Debug)]
pub(super) struct Recall<W> {
    reply: Sender<Recalled<W>>,
    /// In the order in which they came; without the job while silicon has it, and for good if it ended.
    jobs: Vec<(JobId, Option<Job<W>>)>,
}

impl<W> Recall<W> {
    pub(super) fn new(reply: Sender<Recalled<W>>) -> Self {
        Self { reply, jobs: Vec::new() }
    }

    /// The next job, which silicon has.
    pub(super) fn expect(&mut self, id: JobId) {
        self.jobs.push((id, None));
    }

    /// A job is back: one that was expected, or the next.
    pub(super) fn take(&mut self, job: Job<W>) {
        match self.jobs.iter_mut().find(|(id, _)| *id == job.id) {
            Some((_, place)) => *place = Some(job),
            None => self.jobs.push((job.id, Some(job))),
        }
    }

    /// Silicon has none of the VM's jobs any more, or `stuck` says why nobody knows.
    pub(super) fn answer(self, engine: EngineId, stuck: Option<Reason>) {
        let jobs = self.jobs.into_iter().filter_map(|(_, job)| job).collect();
        // Who asked may be gone, and the VM with it.
        let _ = self.reply.try_send(Recalled { engine, jobs: stuck.map_or(Ok(jobs), Err) });
    }
}
