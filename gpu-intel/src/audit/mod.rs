//! The audit: what stands between a guest's batches and the GPU.
//!
//! ```text
//!  batch ──► each command ──► known? of this engine? as long as it may be? ──► its checks ──► next
//!    ▲                                                                            │
//!    └───────────────── batches that it starts, each once ◄───────────────────────┘
//! ```
//!
//! The commands' tables say what is checked ([`Check`](crate::command::Check)); [`check()`] judges one command,
//! [`Audit`] a batch with all that it starts. The virtual GPU scans a batch before it is queued; what it saw may change
//! before it is fetched, so the software model judges each command again as it was fetched. docs/audit.md says what
//! silicon enforces.
//!
//! A verdict is not an error. What a user's batch holds fails its own request: any process of the guest may have written
//! it, and must not cost the guest its GPU. What only the guest's kernel can have submitted and no driver does puts the
//! VM in quarantine.

mod check;

use mediator::Reason;

pub use self::check::{check, check_kernel};
use crate::address::PpgttAddress;
use crate::command::Command;
use crate::command::walk::{Budget, CommandMemory, Visitor, Walked, Walker};
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

impl Outcome {
    fn new(walked: Walked, privilege: Privilege) -> Self {
        let verdict = match (walked.stopped, privilege) {
            (None, _) => Verdict::Pass,
            (Some((at, reason)), Privilege::User) => Verdict::Fail(Refusal { reason, at }),
            (Some((at, reason)), Privilege::Kernel) => Verdict::Quarantine(Refusal { reason, at }),
        };
        Self { verdict, commands: walked.commands, bytes: walked.bytes }
    }
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
            Privilege::User => {
                self.walker.walk(memory, engine, start, &mut User::<true> { engine })
            }
            Privilege::Kernel => self.walker.walk(memory, engine, start, &mut Kernel),
        };
        Outcome::new(walked, privilege)
    }

    /// Judges a user's batch at `start`, and not what it starts in turn: that may still be written before it is
    /// reached.
    pub fn scan(
        &mut self,
        memory: &mut dyn CommandMemory,
        engine: Engine,
        start: PpgttAddress,
    ) -> Outcome {
        let walked = self.walker.walk(memory, engine, start, &mut User::<false> { engine });
        Outcome::new(walked, Privilege::User)
    }
}

/// Rules about what is not a user's to ask for.
const FORBIDDEN: [&str; 7] = [
    "command/display",
    "command/ggtt",
    "command/page-tables",
    "command/privileged",
    "command/register-read",
    "command/register-write",
    "command/status-page",
];

impl Refusal {
    /// Whether it asks for what is not a user's. Everything else that is refused is nonsense, and silicon stops at
    /// nonsense by itself, where it comes to it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        FORBIDDEN.contains(&self.reason.rule)
    }
}

/// Whether a reason is a refusal of this audit, not a fault of memory or of silicon.
#[must_use]
pub fn is_refusal(reason: &Reason) -> bool {
    ["command/", "batch/"].iter().any(|area| reason.rule.starts_with(area))
}

/// A reason with the place of the command.
#[must_use]
pub fn refused_at(reason: &Reason, at: PpgttAddress) -> Reason {
    Reason::new(reason.rule, format!("{}, at {at:#x}", reason.detail))
}

struct User<const FOLLOWS: bool> {
    engine: Engine,
}

impl<const FOLLOWS: bool> Visitor for User<FOLLOWS> {
    const FOLLOWS: bool = FOLLOWS;

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
