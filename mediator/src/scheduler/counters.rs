//! What a VM did on an engine, counted: written by its executor, read by control without stopping anybody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The counters of one VM on one engine. Each is exact; two read together may be a job apart.
#[derive(Debug, Default)]
pub struct EngineCounters {
    submissions: AtomicU64,
    finished: AtomicU64,
    faults: AtomicU64,
    killed: AtomicU64,
    recalled: AtomicU64,
    preemptions: AtomicU64,
    gpu_ns: AtomicU64,
    wait_ns: AtomicU64,
    depth: AtomicU64,
}

impl EngineCounters {
    /// All of them now.
    #[must_use]
    pub fn read(&self) -> EngineUsage {
        EngineUsage {
            submissions: self.submissions.load(Relaxed),
            finished: self.finished.load(Relaxed),
            faults: self.faults.load(Relaxed),
            killed: self.killed.load(Relaxed),
            recalled: self.recalled.load(Relaxed),
            preemptions: self.preemptions.load(Relaxed),
            gpu_ns: self.gpu_ns.load(Relaxed),
            wait_ns: self.wait_ns.load(Relaxed),
            depth: self.depth.load(Relaxed),
        }
    }

    pub(crate) fn submitted(&self) {
        self.submissions.fetch_add(1, Relaxed);
    }

    pub(crate) fn finished(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    pub(crate) fn faulted(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    pub(crate) fn killed(&self) {
        self.killed.fetch_add(1, Relaxed);
    }

    pub(crate) fn recalled(&self) {
        self.recalled.fetch_add(1, Relaxed);
    }

    pub(crate) fn preempted(&self) {
        self.preemptions.fetch_add(1, Relaxed);
    }

    pub(crate) fn used(&self, time: Duration) {
        self.gpu_ns.fetch_add(nanoseconds(time), Relaxed);
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.wait_ns.fetch_add(nanoseconds(time), Relaxed);
    }

    pub(crate) fn set_depth(&self, depth: usize) {
        self.depth.store(depth as u64, Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a VM did on an engine since the mediator started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineUsage {
    /// Jobs handed to the scheduler.
    pub submissions: u64,
    /// Jobs that ran to their end.
    pub finished: u64,
    /// Jobs that silicon or a quota refused.
    pub faults: u64,
    /// Jobs that were cancelled or ran over their budget.
    pub killed: u64,
    /// Jobs that came back to their device unfinished, to be handed out again later.
    #[serde(default)]
    pub recalled: u64,
    /// Times that a job had to make room for another VM's.
    pub preemptions: u64,
    /// Engine time used, in nanoseconds.
    pub gpu_ns: u64,
    /// Time that jobs waited before they first ran, in nanoseconds.
    pub wait_ns: u64,
    /// Jobs on their way now.
    pub depth: u64,
}
