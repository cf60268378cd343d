//! What the model counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident: $name:literal,)*) => {
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($(#[$doc])* pub(super) $field: Counter,)*
        }

        impl Counters {
            pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field.0.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Commands fetched.
    commands: "commands",
    /// Blits done.
    blits: "blits",
    /// Draws, in 3D.
    draws: "draws",
    /// Dispatches of compute.
    dispatches: "dispatches",
    /// 3D, media and video commands stepped over.
    skipped_state: "skipped 3D and media commands",
    /// Blitter commands that the model does not know.
    skipped_blits: "skipped blits",
    /// MI commands that the model does not do.
    skipped_mi: "skipped MI commands",
    /// Jobs that ended at a command which the audit refused.
    refused: "refused commands",
    /// Accesses to registers that the model does not have.
    dropped_registers: "dropped register accesses",
    /// Interrupts that batches asked for: only rings have them.
    dropped_notifications: "dropped notifications",
    /// Jobs that ended with a fault.
    faults: "faults",
    /// Jobs preempted.
    preemptions: "preemptions",
}

/// One counter. It wraps, in theory.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}
