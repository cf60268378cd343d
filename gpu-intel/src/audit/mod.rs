//! The audit: what stands between a guest's batches and the GPU.
//!
//! ```text
//!  batch ──► each command ──► known? of this engine? as long as it may be? ──► its checks ──► next
//!    ▲                                                                            │
//!    └───────────────── batches that it starts, each once ◄───────────────────────┘
//! ```
//!
//! The commands' tables say what is checked ([`Check`](crate::command::Check)); [`check()`] judges one command,
//! [`Audit`] a batch with all that it starts. What is judged here may change before it is fetched: isolation rests on
//! silicon, and docs/audit.md says how.
//!
//! A verdict is not an error. What a user's batch holds fails its own request: any process of the guest may have written
//! it, and must not cost the guest its GPU. What only the guest's kernel can have submitted and no driver does puts the
//! VM in quarantine.

mod check;

use mediator::Reason;

pub use self::check::check;
use crate::address::PpgttAddress;
use crate::command::Command;
use crate::command::walk::{Budget, CommandMemory, Visitor, Walker};
use crate::engine::Engine;

/// Whose batch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// A user's: it runs in its context's own address space.
    User,
    /// The guest kernel's.
    Kernel,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Pass,
    /// Its request fails.
    Fail(Refusal),
    /// The VM is cut off from the GPU.
    Quarantine(Refusal),
}

/// Why a batch must not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule and what broke it.
    pub reason: Reason,
    /// Where the command stands.
    pub at: PpgttAddress,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of the batch.
    pub verdict: Verdict,
    /// Commands that were judged, a refused one among them.
    pub commands: u64,
    /// Bytes of those that passed.
    pub bytes: u64,
}

/// An auditor. Its memory serves from batch to batch: one that passes costs no allocation.
#[derive(Debug, Default)]
pub struct Audit {
    walker: Walker,
}

impl Audit {
    /// An auditor that reads at most as much of a batch as `budget` says.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self { walker: Walker::new(budget) }
    }

    /// Judges the batch at `start` and all that it starts, as `engine` would execute them.
    pub fn judge(
        &mut self,
        memory: &mut dyn CommandMemory,
        engine: Engine,
        privilege: Privilege,
        start: PpgttAddress,
    ) -> Outcome {
        let walked = match privilege {
            Privilege::User => self.walker.walk(memory, engine, start, &mut User { engine }),
            Privilege::Kernel => self.walker.walk(memory, engine, start, &mut Kernel),
        };
        let verdict = match walked.stopped {
            None => Verdict::Pass,
            Some((at, reason)) => {
                let refusal = Refusal { reason, at };
                match privilege {
                    Privilege::User => Verdict::Fail(refusal),
                    Privilege::Kernel => Verdict::Quarantine(refusal),
                }
            }
        };
        Outcome { verdict, commands: walked.commands, bytes: walked.bytes }
    }
}

struct User {
    engine: Engine,
}

impl Visitor for User {
    #[inline]
    fn command(
        &mut self,
        _: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason> {
        check(command, dwords, self.engine)
    }
}

struct Kernel;

impl Visitor for Kernel {
    fn command(
        &mut self,
        _: PpgttAddress,
        command: &'static Command,
        _: &[u32],
    ) -> Result<(), Reason> {
        check::check_kernel(command)
    }
}
