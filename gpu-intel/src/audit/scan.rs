//! A batch, with all batches that it starts, judged before it is queued.

use std::collections::HashSet;

use mediator::Reason;

use super::check::{Privilege, check, check_kernel};
use crate::address::PpgttAddress;
use crate::command::{self, MAX_LENGTH};
use crate::engine::Engine;

/// Dwords that are fetched at a time: a few pages, and more than any check reaches.
const CHUNK: usize = 4096;
const _: () = assert!(CHUNK > 2 * MAX_LENGTH);

/// Where commands are fetched from: a context's own address space.
pub trait CommandMemory {
    /// Copies dwords from `at` on, as many as are mapped without a gap and `to` holds, and returns how many.
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize;
}

/// How much a scan reads at most. What a guest's driver submits stays far below; more is refused.
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

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why the batch must not run; `None`: it may.
    pub refused: Option<Refusal>,
    /// Commands that were judged, the refused one among them.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why a batch must not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule and what broke it.
    pub reason: Reason,
    /// Where the command stands.
    pub at: PpgttAddress,
    /// Whether only the guest's kernel can have done this: the whole VM is not to be trusted.
    pub quarantine: bool,
}

/// How a batch came to be started: by the ring or by a jump, or by a call that it returns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    First,
    Second,
}

/// What a command means for the scan.
enum Then {
    Next,
    /// Nothing behind it is reached.
    End,
}

/// A scanner. Its memory serves from scan to scan, so that a batch that passes costs no allocation.
#[derive(Debug)]
pub struct Audit {
    budget: Budget,
    chunk: Vec<u32>,
    /// Batches that are still to be scanned.
    queue: Vec<(PpgttAddress, Level)>,
    /// Batches that are queued or scanned.
    seen: HashSet<(PpgttAddress, Level)>,
}

/// One scan under way.
struct Scan<'a> {
    memory: &'a mut dyn CommandMemory,
    engine: Engine,
    privilege: Privilege,
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

impl Scan<'_> {
    /// Where the next command stands.
    fn at(&self) -> PpgttAddress {
        PpgttAddress(self.base.0.wrapping_add(4 * self.next as u64)).truncated()
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self::new(Budget::default())
    }
}

impl Audit {
    /// A scanner that reads at most as much as `budget` says.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            chunk: vec![0; CHUNK],
            queue: Vec::with_capacity(64),
            seen: HashSet::with_capacity(64),
        }
    }

    /// Judges the batch at `start` and all that it starts, as `engine` would execute them.
    pub fn scan(
        &mut self,
        memory: &mut dyn CommandMemory,
        engine: Engine,
        privilege: Privilege,
        start: PpgttAddress,
    ) -> Outcome {
        let base = PpgttAddress::default();
        let (filled, more, next, commands, dwords) = (0, true, 0, 0, 0);
        let mut scan =
            Scan { memory, engine, privilege, base, filled, more, next, commands, dwords };
        self.queue.clear();
        self.seen.clear();
        let mut result = self.push(start, Level::First);
        while let Some((start, level)) = self.queue.pop() {
            if result.is_err() {
                break;
            }
            (scan.base, scan.filled, scan.more, scan.next) = (start, 0, true, 0);
            result = self.batch(&mut scan, level);
        }
        let refused = result.err().map(|reason| Refusal {
            quarantine: privilege == Privilege::Kernel && reason.rule == "audit/page-tables",
            reason,
            at: scan.at(),
        });
        Outcome { refused, commands: scan.commands, bytes: 4 * scan.dwords }
    }

    fn push(&mut self, at: PpgttAddress, level: Level) -> Result<(), Reason> {
        let at = PpgttAddress(at.0 & !3).truncated();
        if !self.seen.insert((at, level)) {
            return Ok(());
        }
        if self.seen.len() > self.budget.batches {
            let detail = format!("starts more than {} batches", self.budget.batches);
            return Err(Reason::new("audit/budget", detail));
        }
        self.queue.push((at, level));
        Ok(())
    }

    /// Scans one batch to its end.
    fn batch(&mut self, scan: &mut Scan<'_>, level: Level) -> Result<(), Reason> {
        loop {
            if scan.more && scan.next + MAX_LENGTH > scan.filled {
                scan.base = scan.at();
                scan.next = 0;
                scan.filled = scan.memory.fetch(scan.base, &mut self.chunk);
                scan.more = scan.filled == self.chunk.len();
            }
            let rest = self.chunk.get(scan.next..scan.filled).unwrap_or_default();
            let Some(&header) = rest.first() else { return Err(off_the_end(scan)) };
            scan.commands += 1;
            if scan.commands > self.budget.commands {
                let detail = format!("has more than {} commands", self.budget.commands);
                return Err(Reason::new("audit/budget", detail));
            }
            let Some(command) = command::decode(header, scan.engine) else {
                return Err(unknown(header, scan.engine));
            };
            match scan.privilege {
                Privilege::User => check(command, rest, scan.engine)?,
                Privilege::Kernel => check_kernel(command)?,
            }
            let length = command.length.of(header);
            if length > rest.len() && !scan.more {
                return Err(off_the_end(scan));
            }
            let then = match command.key {
                BATCH_BUFFER_END => Then::End,
                BATCH_BUFFER_START => {
                    let target = PpgttAddress::from_dwords(rest[1], rest[2]);
                    self.start(scan, header, target, level)?
                }
                _ => Then::Next,
            };
            // A command may reach past the chunk: the next fetch begins behind it.
            scan.next += length;
            scan.dwords += length as u64;
            if matches!(then, Then::End) {
                return Ok(());
            }
        }
    }

    /// A batch starts another. Behind a call, and behind a start that may be left out, the scan goes on.
    fn start(
        &mut self,
        scan: &mut Scan<'_>,
        header: u32,
        target: PpgttAddress,
        level: Level,
    ) -> Result<Then, Reason> {
        let (call, predicated) = (header >> 22 & 1 != 0, header >> 15 & 1 != 0);
        if call && level == Level::Second {
            return Err(Reason::new("audit/nesting", "a batch of the second level calls another"));
        }
        if scan.memory.fetch(target, &mut [0]) == 0 {
            let detail = format!("a batch starts at {target:#x}, where nothing is mapped");
            return Err(Reason::new("audit/unmapped", detail));
        }
        self.push(target, if call { Level::Second } else { level })?;
        Ok(if call || predicated { Then::Next } else { Then::End })
    }
}

const BATCH_BUFFER_END: u32 = 0x0a << 23;
const BATCH_BUFFER_START: u32 = 0x31 << 23;

#[cold]
fn off_the_end(scan: &Scan<'_>) -> Reason {
    if scan.commands == 0 {
        return Reason::new("audit/unmapped", format!("nothing is mapped at {:#x}", scan.at()));
    }
    Reason::new("audit/end", format!("runs off its end at {:#x}", scan.at()))
}

#[cold]
fn unknown(header: u32, engine: Engine) -> Reason {
    match command::decode_any(header) {
        Some(command) if !command.engines.contains(engine.into()) => {
            let detail = format!("{} is no command of {engine:?}", command.name);
            Reason::new("audit/engine", detail)
        }
        _ => Reason::new("audit/unknown", format!("{header:#010x} is no command of {engine:?}")),
    }
}
