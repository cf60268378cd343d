//! From command to command, and from a batch to all batches that it starts.
//!
//! ```text
//!  start ──► command ──► command ──► MI_BATCH_BUFFER_END
//!               │ MI_BATCH_BUFFER_START
//!               └──► queued, once ──► command ──► ...
//! ```
//!
//! Memory is read in chunks, each dword once on the way through a batch. What a hostile batch can make of this is
//! bounded by a [`Budget`]: batches legally jump back into themselves, and each is walked once.

use std::collections::HashSet;

use mediator::Reason;

use super::{Command, MAX_LENGTH, decode, decode_any, opcode};
use crate::address::PpgttAddress;
use crate::engine::Engine;

/// Dwords that are fetched at a time: a few pages, and more than any check reaches.
const CHUNK: usize = 4096;
const _: () = assert!(CHUNK > 2 * MAX_LENGTH);

/// Where commands are fetched from: a context's own address space.
pub trait CommandMemory {
    /// Copies dwords from `at` on, as many as are mapped without a gap and `to` holds, and returns how many.
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize;
}

/// How much a walk sees at most. What a guest's driver submits stays far below; more is refused.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Commands in all.
    pub commands: u64,
    /// Batches in all.
    pub batches: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { commands: 1 << 24, batches: 1 << 14 }
    }
}

/// How far a walk came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Commands that were seen, the last one among them.
    pub commands: u64,
    /// Bytes of those that were passed.
    pub bytes: u64,
    /// Why it ended before all was seen, and at which command.
    pub stopped: Option<(PpgttAddress, Reason)>,
}

/// Sees each command of a walk.
pub trait Visitor {
    /// `dwords` begins with the command and holds all of it, or [`MAX_LENGTH`] dwords.
    ///
    /// # Errors
    /// The walk ends here, with this reason.
    fn command(
        &mut self,
        at: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason>;
}

/// How a batch came to be started: by the ring or by a jump, or by a call that it returns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    First,
    Second,
}

/// What a command means for the walk.
enum Then {
    Next,
    /// Nothing behind it is reached.
    End,
}

/// A walker. Its memory serves from walk to walk, so that it costs no allocation.
#[derive(Debug)]
pub struct Walker {
    budget: Budget,
    chunk: Vec<u32>,
    /// Batches that are still to be walked.
    queue: Vec<(PpgttAddress, Level)>,
    /// Batches that are queued or walked.
    seen: HashSet<(PpgttAddress, Level)>,
}

/// Where a walk is.
struct Walk<'a> {
    memory: &'a mut dyn CommandMemory,
    engine: Engine,
    /// The address of the chunk's first dword.
    base: PpgttAddress,
    /// Dwords that the chunk holds.
    filled: usize,
    /// Whether there may be more behind the chunk.
    more: bool,
    /// The next command in it.
    next: usize,
    commands: u64,
    dwords: u64,
}

impl Walk<'_> {
    fn begin(&mut self, at: PpgttAddress) {
        (self.base, self.filled, self.more, self.next) = (at, 0, true, 0);
    }

    /// Where the next command stands.
    fn at(&self) -> PpgttAddress {
        PpgttAddress(self.base.0.wrapping_add(4 * self.next as u64)).truncated()
    }
}

impl Default for Walker {
    fn default() -> Self {
        Self::new(Budget::default())
    }
}

impl Walker {
    /// A walker that sees at most as much as `budget` says.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            chunk: vec![0; CHUNK],
            queue: Vec::with_capacity(64),
            seen: HashSet::with_capacity(64),
        }
    }

    /// Shows `visitor` the batch at `start` and all that it starts, as `engine` would execute them.
    pub fn walk<V: Visitor>(
        &mut self,
        memory: &mut dyn CommandMemory,
        engine: Engine,
        start: PpgttAddress,
        visitor: &mut V,
    ) -> Walked {
        let (base, filled, more, next) = (start, 0, true, 0);
        let mut walk = Walk { memory, engine, base, filled, more, next, commands: 0, dwords: 0 };
        self.queue.clear();
        self.seen.clear();
        let mut result = self.push(start, Level::First);
        while result.is_ok()
            && let Some((start, level)) = self.queue.pop()
        {
            walk.begin(start);
            result = self.batch(&mut walk, level, visitor);
        }
        let stopped = result.err().map(|reason| (walk.at(), reason));
        Walked { commands: walk.commands, bytes: 4 * walk.dwords, stopped }
    }

    fn push(&mut self, at: PpgttAddress, level: Level) -> Result<(), Reason> {
        let at = PpgttAddress(at.0 & !3).truncated();
        if !self.seen.insert((at, level)) {
            return Ok(());
        }
        if self.seen.len() > self.budget.batches {
            let detail = format!("starts more than {} batches", self.budget.batches);
            return Err(Reason::new("batch/budget", detail));
        }
        self.queue.push((at, level));
        Ok(())
    }

    /// Walks one batch to its end.
    fn batch<V: Visitor>(
        &mut self,
        walk: &mut Walk<'_>,
        level: Level,
        visitor: &mut V,
    ) -> Result<(), Reason> {
        loop {
            if walk.more && walk.next + MAX_LENGTH > walk.filled {
                walk.begin(walk.at());
                walk.filled = walk.memory.fetch(walk.base, &mut self.chunk);
                walk.more = walk.filled == self.chunk.len();
            }
            let rest = self.chunk.get(walk.next..walk.filled).unwrap_or_default();
            let Some(&header) = rest.first() else { return Err(off_the_end(walk)) };
            walk.commands += 1;
            if walk.commands > self.budget.commands {
                let detail = format!("has more than {} commands", self.budget.commands);
                return Err(Reason::new("batch/budget", detail));
            }
            let Some(command) = decode(header, walk.engine) else {
                return Err(unknown(header, walk.engine));
            };
            let length = command.length.of(header);
            visitor.command(walk.at(), command, rest.get(..length).unwrap_or(rest))?;
            if length > rest.len() && !walk.more {
                return Err(off_the_end(walk));
            }
            let then = match command.key {
                BATCH_BUFFER_END => Then::End,
                BATCH_BUFFER_START => match *rest {
                    [_, low, high, ..] => {
                        let target = PpgttAddress::from_dwords(low, high);
                        self.start(walk, header, target, level)?
                    }
                    _ => return Err(off_the_end(walk)),
                },
                _ => Then::Next,
            };
            // A command may reach past the chunk: the next fetch begins behind it.
            walk.next += length;
            walk.dwords += length as u64;
            if matches!(then, Then::End) {
                return Ok(());
            }
        }
    }

    /// A batch starts another. Behind a call, and behind a start that may be left out, the walk goes on.
    fn start(
        &mut self,
        walk: &mut Walk<'_>,
        header: u32,
        target: PpgttAddress,
        level: Level,
    ) -> Result<Then, Reason> {
        let (call, predicated) = (header >> 22 & 1 != 0, header >> 15 & 1 != 0);
        if call && level == Level::Second {
            return Err(Reason::new("batch/nesting", "a batch of the second level calls another"));
        }
        if walk.memory.fetch(target, &mut [0]) == 0 {
            let detail = format!("a batch starts at {target:#x}, where nothing is mapped");
            return Err(Reason::new("batch/unmapped", detail));
        }
        self.push(target, if call { Level::Second } else { level })?;
        Ok(if call || predicated { Then::Next } else { Then::End })
    }
}

const BATCH_BUFFER_END: u32 = opcode::BATCH_BUFFER_END << 23;
const BATCH_BUFFER_START: u32 = opcode::BATCH_BUFFER_START << 23;

#[cold]
fn off_the_end(walk: &Walk<'_>) -> Reason {
    if walk.commands == 0 {
        return Reason::new("batch/unmapped", format!("nothing is mapped at {:#x}", walk.at()));
    }
    Reason::new("batch/end", format!("runs off its end at {:#x}", walk.at()))
}

#[cold]
fn unknown(header: u32, engine: Engine) -> Reason {
    match decode_any(header) {
        Some(command) if !command.engines.contains(engine.into()) => {
            let detail = format!("{} is no command of {engine:?}", command.name);
            Reason::new("command/engine", detail)
        }
        _ => Reason::new("command/unknown", format!("{header:#010x} is no command of {engine:?}")),
    }
}
