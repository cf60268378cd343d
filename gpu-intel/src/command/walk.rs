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

use foldhash::{HashSet, HashSetExt};
use mediator::Reason;

use super::{Command, MAX_LENGTH, opcode, recognize};
use crate::address::PpgttAddress;
use crate::engine::Engine;

/// Dwords that are fetched at a time: more than any check reaches, and few enough to stay in a processor's first cache.
const CHUNK: usize = 2048;
const _: () = assert!(CHUNK > MAX_LENGTH);
/// The same for the first time: many batches are short.
const FIRST_CHUNK: usize = 64;

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
    /// Whether the walk goes on into the batches that a batch starts.
    const FOLLOWS: bool = true;

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
    found: Found,
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
        let (queue, seen) = (Vec::with_capacity(64), HashSet::with_capacity(64));
        Self { budget, chunk: vec![0; CHUNK], found: Found { queue, seen } }
    }

    /// Shows `visitor` the batch at `start` and all that it starts, as `engine` would execute them.
    pub fn walk<V: Visitor>(
        &mut self,
        memory: &mut dyn CommandMemory,
        engine: Engine,
        start: PpgttAddress,
        visitor: &mut V,
    ) -> Walked {
        self.found.queue.clear();
        self.found.seen.clear();
        let Self { budget, chunk, found } = self;
        let mut walk =
            Walk { memory, engine, budget: *budget, found, at: start, commands: 0, dwords: 0 };
        let mut result = walk.found.push(start, Level::First, budget.batches);
        while result.is_ok()
            && let Some((start, level)) = walk.found.queue.pop()
        {
            walk.at = start;
            result = walk.batch(chunk, level, visitor);
        }
        let stopped = result.err().map(|reason| (walk.at, reason));
        Walked { commands: walk.commands, bytes: 4 * walk.dwords, stopped }
    }
}

/// Batches that were come upon.
#[derive(Debug)]
struct Found {
    /// Still to be walked.
    queue: Vec<(PpgttAddress, Level)>,
    /// Queued or walked.
    seen: HashSet<(PpgttAddress, Level)>,
}

impl Found {
    fn push(&mut self, at: PpgttAddress, level: Level, most: usize) -> Result<(), Reason> {
        let at = PpgttAddress(at.0 & !3).truncated();
        if !self.seen.insert((at, level)) {
            return Ok(());
        }
        if self.seen.len() > most {
            return Err(Reason::new("batch/budget", format!("starts more than {most} batches")));
        }
        self.queue.push((at, level));
        Ok(())
    }
}

/// A walk under way.
struct Walk<'a> {
    memory: &'a mut dyn CommandMemory,
    engine: Engine,
    budget: Budget,
    found: &'a mut Found,
    /// The next command.
    at: PpgttAddress,
    commands: u64,
    dwords: u64,
}

impl Walk<'_> {
    /// Walks one batch to its end.
    fn batch<V: Visitor>(
        &mut self,
        chunk: &mut [u32],
        level: Level,
        visitor: &mut V,
    ) -> Result<(), Reason> {
        let mut wanted = FIRST_CHUNK;
        loop {
            let chunk = chunk.get_mut(..wanted).unwrap_or_default();
            let filled = self.memory.fetch(self.at, chunk);
            let more = filled == chunk.len();
            wanted = CHUNK;
            let fetched = chunk.get(..filled).unwrap_or_default();
            match self.commands(fetched, more, level, visitor)? {
                Then::End => return Ok(()),
                Then::Next if more => {}
                Then::Next if self.commands == 0 => {
                    let detail = format!("nothing is mapped at {:#x}", self.at);
                    return Err(Reason::new("batch/unmapped", detail));
                }
                Then::Next => return Err(off_the_end(self.at)),
            }
        }
    }

    /// Walks the commands in `fetched`, which begins with the next one. There may be `more` behind it.
    fn commands<V: Visitor>(
        &mut self,
        fetched: &[u32],
        more: bool,
        level: Level,
        visitor: &mut V,
    ) -> Result<Then, Reason> {
        let (base, engine) = (self.at.0, self.engine);
        let left = self.budget.commands.saturating_sub(self.commands);
        // Counted here and added up behind the loop, which is run for every command that any guest submits.
        let (mut next, mut commands) = (0, 0);
        let place = |next: usize| PpgttAddress(base.wrapping_add(4 * next as u64)).truncated();
        let result = loop {
            let rest = fetched.get(next..).unwrap_or_default();
            let Some(&header) = rest.first() else { break Ok(Then::Next) };
            let (command, length) = match recognize(header, engine) {
                Ok(known) => known,
                Err(reason) => {
                    commands += 1;
                    break Err(reason);
                }
            };
            let whole = rest.get(..length);
            if whole.is_none() && more && rest.len() < MAX_LENGTH {
                break Ok(Then::Next);
            }
            commands += 1;
            if commands > left {
                break Err(self.budget_spent());
            }
            if let Err(reason) = visitor.command(place(next), command, whole.unwrap_or(rest)) {
                break Err(reason);
            }
            if whole.is_none() && !more {
                break Err(off_the_end(place(next)));
            }
            let then = match command.key {
                BATCH_BUFFER_END => Ok(Then::End),
                BATCH_BUFFER_START => self.start(place(next), rest, level, V::FOLLOWS),
                _ => Ok(Then::Next),
            };
            // A command may reach past the chunk: the next one begins behind it.
            next += if then.is_ok() { length } else { 0 };
            if !matches!(then, Ok(Then::Next)) {
                break then;
            }
        };
        self.commands += commands;
        self.dwords += next as u64;
        self.at = place(next);
        result
    }

    /// A batch starts another. Behind a call, and behind a start that may be left out, the walk goes on.
    #[cold]
    fn start(
        &mut self,
        at: PpgttAddress,
        dwords: &[u32],
        level: Level,
        follows: bool,
    ) -> Result<Then, Reason> {
        let &[header, low, high, ..] = dwords else { return Err(off_the_end(at)) };
        let target = PpgttAddress::from_dwords(low, high);
        let (call, predicated) = (header >> 22 & 1 != 0, header >> 15 & 1 != 0);
        if call && level == Level::Second {
            return Err(too_deep());
        }
        let then = if call || predicated { Then::Next } else { Then::End };
        if !follows {
            return Ok(then);
        }
        if self.memory.fetch(target, &mut [0]) == 0 {
            let detail = format!("a batch starts at {target:#x}, where nothing is mapped");
            return Err(Reason::new("batch/unmapped", detail));
        }
        let level = if call { Level::Second } else { level };
        self.found.push(target, level, self.budget.batches)?;
        Ok(then)
    }

    #[cold]
    fn budget_spent(&self) -> Reason {
        Reason::new("batch/budget", format!("has more than {} commands", self.budget.commands))
    }
}

const BATCH_BUFFER_END: u32 = opcode::BATCH_BUFFER_END << 23;
const BATCH_BUFFER_START: u32 = opcode::BATCH_BUFFER_START << 23;

/// There are two levels of batches.
#[cold]
pub(crate) fn too_deep() -> Reason {
    Reason::new("batch/nesting", "a batch of the second level calls another")
}

#[cold]
fn off_the_end(at: PpgttAddress) -> Reason {
    Reason::new("batch/end", format!("runs off its end at {at:#x}"))
}
