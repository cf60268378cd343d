//! How a running execution is asked to come to rest.

use std::sync::atomic::{AtomicBool, Ordering};

/// What others ask of a running execution.
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// At the next command.
    pub(super) preempt: AtomicBool,
    /// At the next point where the guest's own driver may interrupt a batch.
    pub(super) recall: AtomicBool,
    /// At once: at the next command, or the next row of a blit.
    pub(super) kill: AtomicBool,
}

impl Stop {
    pub(super) fn wanted(&self) -> bool {
        self.preempt.load(Ordering::Relaxed) || self.killed()
    }

    pub(super) fn recalled(&self) -> bool {
        self.recall.load(Ordering::Relaxed)
    }

    pub(super) fn killed(&self) -> bool {
        self.kill.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.preempt.store(false, Ordering::Relaxed);
        self.recall.store(false, Ordering::Relaxed);
        self.kill.store(false, Ordering::Relaxed);
    }
}
