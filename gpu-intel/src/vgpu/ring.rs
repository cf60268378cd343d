//! The ring interpreter of one engine.
//!
//! ```text
//!  ring commands (a private copy) ──► executed here, one by one, on the vGPU's own state
//!                                └──► batch buffers become jobs for silicon
//! ```
//!
//! A batch is scanned before it is handed out ([`scan`](crate::scan)); its request fails if it asks for what is not a
//! user's. What the ring itself holds is the guest's kernel's: only what no driver does cuts the guest off.
//!
//! Requests keep their order. While a batch is on silicon, commands that only flush and leave breadcrumbs are put
//! aside with it and executed at its fence, so that a second batch can be handed out before the first has ended;
//! every other command waits. So the guest sees data, then seqno, then CSB, then interrupt.
//!
//! A context makes room for another list at arbitration points of its ring, unless MI_ARB_ON_OFF forbids it: at
//! MI_ARB_CHECK, at waits, before a batch. A batch that is out is recalled, and comes back unfinished from where silicon
//! can interrupt it. A batch that may be recalled is out alone, so that none behind it has to be undone.

use std::collections::VecDeque;
use std::ops::Range;

use mediator::{JobEnd, JobId, Reason, SaveError, Time};
use serde::{Deserialize, Serialize};

use super::context::ContextImage;
use super::execlist::{Descriptor, Execlists};
use crate::address::PpgttAddress;
use crate::audit;
use crate::command::streamer::{BatchStart, Bus, Space, Step, Streamer};
use crate::command::{self, Command, opcode};
use crate::engine::Engine;
use crate::silicon::{Batch, Position};

/// Batches of one engine that are on silicon at a time.
const DEPTH: usize = 2;
/// Ring and privileged-batch commands that one run executes. Real rings stay far below; a ring that only loops in
/// privileged batches ends here, as a hang.
const BUDGET: usize = 1 << 18;

/// One engine: its execlists and what it is doing.
#[derive(Debug)]
pub(crate) struct EngineState {
    pub(crate) lists: Execlists,
    pub(crate) active: Option<Active>,
    /// Set once a request could not go on; only a reset of the engine clears it.
    pub(crate) hung: bool,
    /// The ring waits for a semaphore or an event and wants to be tried again.
    pub(crate) waiting: bool,
    /// A context-switch interrupt that is held back, and until when.
    pub(crate) held_interrupt: Option<Time>,
}

impl EngineState {
    pub(crate) fn new() -> Self {
        Self {
            lists: Execlists::new(),
            active: None,
            hung: false,
            waiting: false,
            held_interrupt: None,
        }
    }
}

/// An [`EngineState`] as plain data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedEngine {
    lists: Execlists,
    #[serde(deserialize_with = "Option::deserialize")]
    active: Option<SavedActive>,
    hung: bool,
    waiting: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    held_interrupt: Option<Time>,
}

/// An [`Active`] as plain data. What it has on silicon is there as the rest that silicon gave back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedActive {
    descriptor: Descriptor,
    image: ContextImage,
    began: Time,
    commands: Vec<u32>,
    next: usize,
    executed: usize,
    inserted: usize,
    #[serde(deserialize_with = "Option::deserialize")]
    interrupted: Option<Position>,
    arbitration: bool,
    outstanding: Vec<SavedBatch>,
    /// The streamer's own.
    set_predicate: u8,
    allows_arbitration: bool,
    fresh: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedBatch {
    start: PpgttAddress,
    #[serde(deserialize_with = "Option::deserialize")]
    return_to: Option<PpgttAddress>,
    restore: bool,
    rest: bool,
    origin: Origin,
    behind: usize,
    deferred: Vec<Range<usize>>,
    preemptible: bool,
    recalled: bool,
}

impl EngineState {
    /// As plain data. `left` knows what is left of a job that is out.
    pub(crate) fn saved<'a>(
        &self,
        left: &impl Fn(JobId) -> Option<&'a Batch>,
    ) -> Result<SavedEngine, SaveError> {
        Ok(SavedEngine {
            lists: self.lists.clone(),
            active: self.active.as_ref().map(|active| active.saved(left)).transpose()?,
            hung: self.hung,
            waiting: self.waiting,
            held_interrupt: self.held_interrupt,
        })
    }

    /// The engine that was saved; `hand_out` hands its batches out again, and recalls those for which it is told so.
    pub(crate) fn restored(
        engine: Engine,
        saved: SavedEngine,
        hand_out: &mut impl FnMut(Descriptor, &ContextImage, Batch, bool) -> JobId,
    ) -> Self {
        Self {
            lists: saved.lists,
            active: saved.active.map(|active| Active::restored(engine, active, hand_out)),
            hung: saved.hung,
            waiting: saved.waiting,
            held_interrupt: saved.held_interrupt,
        }
    }
}

impl SavedEngine {
    /// Whether a guest could have brought the engine here. What can't be is said.
    pub(crate) fn check(&self, engine: Engine) -> Result<(), String> {
        self.lists.check()?;
        match &self.active {
            Some(active) => active.check(engine),
            None if self.waiting => Err("it waits and runs nothing".to_owned()),
            None => Ok(()),
        }
    }
}

impl SavedActive {
    fn check(&self, engine: Engine) -> Result<(), String> {
        let descriptor = self.descriptor.check().map_err(|why| why.to_string())?;
        let within = |range: &Range<usize>| range.start <= range.end && range.end <= self.next;
        let batch = |batch: &SavedBatch| {
            let origin = match batch.origin {
                Origin::Command(at) => at,
                Origin::Interrupted(_) => 0,
            };
            batch.deferred.iter().all(within) && origin.max(batch.behind) <= self.next
        };
        let possible = self.image.is_possible(descriptor, engine)
            && self.next.max(self.inserted) <= self.commands.len()
            && self.executed <= 2 * BUDGET
            && self.outstanding.len() <= DEPTH
            && self.outstanding.iter().all(batch)
            && self.set_predicate <= 0xF;
        if possible { Ok(()) } else { Err("it runs a context that can't be so".to_owned()) }
    }
}

/// A batch on silicon, and the commands behind it that wait for its fence.
#[derive(Debug)]
struct Outstanding {
    job: JobId,
    origin: Origin,
    /// The first command behind it.
    behind: usize,
    deferred: Vec<Range<usize>>,
    /// Whether the context allows it to be interrupted.
    preemptible: bool,
    recalled: bool,
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Origin {
    /// The command at this place.
    Command(usize),
    /// It was interrupted earlier, and goes on.
    Interrupted(Position),
}

/// The context that an engine runs.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) descriptor: Descriptor,
    pub(crate) image: ContextImage,
    pub(crate) began: Time,
    commands: Vec<u32>,
    next: usize,
    /// The commands before this place are not the ring's own: work-arounds, privileged batches.
    inserted: usize,
    /// The batch to go on with before the ring's commands.
    interrupted: Option<Position>,
    /// What arbitration will be once the commands that wait for a fence are executed.
    arbitration: bool,
    executed: usize,
    outstanding: VecDeque<Outstanding>,
    streamer: Streamer,
    /// The context is new: silicon has not left any state in its image yet.
    pub(crate) fresh: bool,
}

/// What the interpreter needs of the device besides its memory and registers.
pub(crate) trait Host: Bus {
    /// Hands a batch to silicon.
    fn submit(
        &mut self,
        engine: Engine,
        descriptor: Descriptor,
        image: &ContextImage,
        batch: Batch,
    ) -> JobId;
    /// Wants a batch back from silicon.
    fn recall(&mut self, job: JobId);
    /// Scans a batch in the context's own space: whether it asks for what is not a user's.
    fn scan(&mut self, at: PpgttAddress) -> Result<(), Reason>;
    /// A scan's refusal ends the request.
    fn refused(&mut self);
    /// The guest did what only a kernel can do and no driver does.
    fn quarantine(&mut self, why: Reason);
    /// Copies a privileged batch that begins at a global address, up to its end command (not included).
    fn copy_batch(&mut self, engine: Engine, at: u64) -> Result<Vec<u32>, Reason>;
    /// A 2D, 3D or media command stood in the ring or in a privileged batch: nothing executes it there.
    fn skipped(&mut self);
}

/// Where a run of the ring came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Everything up to the tail is done.
    Complete,
    /// A fence must come first.
    Blocked,
    /// A semaphore or event must come first.
    Waiting,
    /// It was interrupted.
    Interrupted,
}

/// What became of a batch that is back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The ring goes on from where it stands now.
    Finished,
    /// The rest of it is in the context's image: the context must be loaded again to go on.
    Unfinished,
}

impl Active {
    /// A context with the commands to run: those of its work-arounds, and then those of its ring.
    pub(crate) fn new(
        engine: Engine,
        descriptor: Descriptor,
        image: ContextImage,
        workarounds: Vec<u32>,
        ring: &[u32],
        began: Time,
    ) -> Self {
        let (fresh, interrupted) = (image.inhibit_restore, image.interrupted);
        let inserted = workarounds.len();
        let mut commands = workarounds;
        commands.extend_from_slice(ring);
        Self {
            descriptor,
            image,
            began,
            commands,
            next: 0,
            inserted,
            interrupted,
            arbitration: true,
            executed: 0,
            outstanding: VecDeque::new(),
            streamer: Streamer::new(engine),
            fresh,
        }
    }

    fn saved<'a>(
        &self,
        left: &impl Fn(JobId) -> Option<&'a Batch>,
    ) -> Result<SavedActive, SaveError> {
        let batch = |out: &Outstanding| {
            let left = left(out.job).ok_or_else(|| {
                SaveError::Device(format!("nobody knows what is left of {:?}", out.job))
            })?;
            Ok(SavedBatch {
                start: left.start,
                return_to: left.return_to,
                restore: left.restore,
                rest: left.rest,
                // From there it goes on if it is recalled before it has begun again.
                origin: match left.rest {
                    true => Origin::Interrupted(Position {
                        at: left.start.0,
                        return_to: left.return_to.map(|at| at.0),
                    }),
                    false => out.origin,
                },
                behind: out.behind,
                deferred: out.deferred.clone(),
                preemptible: out.preemptible,
                recalled: out.recalled,
            })
        };
        Ok(SavedActive {
            descriptor: self.descriptor,
            image: self.image.clone(),
            began: self.began,
            commands: self.commands.clone(),
            next: self.next,
            executed: self.executed,
            inserted: self.inserted,
            interrupted: self.interrupted,
            arbitration: self.arbitration,
            outstanding: self.outstanding.iter().map(batch).collect::<Result<_, _>>()?,
            set_predicate: self.streamer.set_predicate,
            allows_arbitration: self.streamer.arbitration,
            fresh: self.fresh,
        })
    }

    fn restored(
        engine: Engine,
        saved: SavedActive,
        hand_out: &mut impl FnMut(Descriptor, &ContextImage, Batch, bool) -> JobId,
    ) -> Self {
        let SavedActive { descriptor, image, commands, began, .. } = saved;
        let mut active = Self::new(engine, descriptor, image, commands, &[], began);
        (active.next, active.executed, active.fresh) = (saved.next, saved.executed, saved.fresh);
        (active.inserted, active.interrupted) = (saved.inserted, saved.interrupted);
        active.arbitration = saved.arbitration;
        active.streamer.set_predicate = saved.set_predicate;
        active.streamer.arbitration = saved.allows_arbitration;
        for saved in saved.outstanding {
            let SavedBatch { origin, behind, deferred, preemptible, recalled, .. } = saved;
            let return_to = saved.return_to.map(|at| at.0);
            let batch = active.batch(Position { at: saved.start.0, return_to });
            let batch = Batch { restore: saved.restore, rest: saved.rest, ..batch };
            let job = hand_out(descriptor, &active.image, batch, recalled);
            let out = Outstanding { job, origin, behind, deferred, preemptible, recalled };
            active.outstanding.push_back(out);
        }
        active
    }

    /// A batch of this context.
    fn batch(&self, position: Position) -> Batch {
        let return_to = position.return_to.map(PpgttAddress);
        let image = self.image.pages.clone();
        Batch { image, return_to, save: true, ..Batch::new(PpgttAddress(position.at)) }
    }

    /// Appends commands that the guest added. What is done already is forgotten once nothing refers to it.
    pub(crate) fn extend(&mut self, commands: &[u32]) {
        if self.outstanding.is_empty() {
            self.commands.drain(..self.next);
            self.inserted = self.inserted.saturating_sub(self.next);
            self.next = 0;
        }
        self.executed = 0;
        self.commands.extend_from_slice(commands);
    }

    /// Jobs that are out.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.outstanding.iter().map(|o| o.job)
    }

    /// Where the ring's head stands, in bytes.
    pub(crate) fn head(&self) -> u32 {
        let left = self.commands.len().saturating_sub(self.next) * 4;
        self.image.head_before_tail(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Runs the ring as far as it goes; only to the next arbitration point if another list waits.
    pub(crate) fn run(
        &mut self,
        others_wait: bool,
        host: &mut dyn Host,
    ) -> Result<Progress, Reason> {
        loop {
            if self.outstanding.is_empty()
                && self.next == self.inserted
                && let Some(position) = self.interrupted
            {
                if others_wait {
                    return Ok(Progress::Interrupted);
                }
                self.interrupted = None;
                self.go_on_with(position, host);
            }
            let Some((kind, command)) = self.peek()? else {
                return Ok(if self.outstanding.is_empty() {
                    Progress::Complete
                } else {
                    self.blocked(others_wait, host)
                });
            };
            let dword = self.commands.get(command.start).copied().unwrap_or(0);
            if let Some(last) = self.outstanding.back_mut() {
                if is_deferrable(dword) {
                    if dword >> 23 == opcode::ARB_ON_OFF {
                        self.arbitration = dword & 1 != 0;
                    }
                    self.next = command.end;
                    last.deferred.push(command);
                    continue;
                }
                let follows = is_unprivileged_batch(dword) && !last.preemptible && !others_wait;
                if !follows || self.outstanding.len() >= DEPTH {
                    return Ok(self.blocked(others_wait, host));
                }
            } else {
                self.arbitration = self.streamer.arbitration;
                if others_wait && self.may_leave_before(dword) {
                    return Ok(Progress::Interrupted);
                }
            }
            self.executed += 1;
            if self.executed > BUDGET {
                return Err(Reason::new(
                    "ring/budget",
                    format!("a ring ran {BUDGET} commands without an end"),
                ));
            }
            audit::check_kernel(kind).inspect_err(|why| host.quarantine(why.clone()))?;
            match self.execute(command.clone(), host)? {
                Step::Wait => return Ok(Progress::Waiting),
                Step::Batch(batch) => {
                    if !self.start_batch(command, &batch, host)? {
                        return Ok(self.blocked(others_wait, host));
                    }
                }
                Step::BatchEnd => {
                    return Err(Reason::new(
                        "ring/batch-end",
                        "the end of a batch stands in the ring",
                    ));
                }
                Step::Other => {
                    host.skipped();
                    self.next = command.end;
                }
                Step::Next | Step::Skipped => self.next = command.end,
            }
        }
    }

    /// A fence must come first. Another list doesn't wait for it if the batch can be interrupted.
    fn blocked(&mut self, others_wait: bool, host: &mut dyn Host) -> Progress {
        if let Some(first) = self.outstanding.front_mut()
            && others_wait
            && first.preemptible
            && !first.recalled
        {
            first.recalled = true;
            host.recall(first.job);
        }
        Progress::Blocked
    }

    /// Whether the context can be left before this command of its ring.
    fn may_leave_before(&self, dword: u32) -> bool {
        let point = dword >> 29 == 0
            && matches!(
                dword >> 23,
                opcode::ARB_CHECK | opcode::SEMAPHORE_WAIT | opcode::WAIT_FOR_EVENT
            );
        let own = self.next >= self.inserted;
        self.streamer.arbitration && own && (point || is_unprivileged_batch(dword))
    }

    /// A batch ended. Executes what waited for it; `None` if it is not this context's. Batches end in order, but one
    /// that never got to silicon may fail before those ahead of it end.
    pub(crate) fn finished(
        &mut self,
        job: JobId,
        end: &JobEnd,
        host: &mut dyn Host,
    ) -> Option<Result<Returned, Reason>> {
        let at = self.outstanding.iter().position(|o| o.job == job)?;
        let done = self.outstanding.remove(at)?;
        match end {
            JobEnd::Done => self.fresh = false,
            JobEnd::Fault(reason) | JobEnd::Killed(reason) => return Some(Err(reason.clone())),
            JobEnd::Suspended | JobEnd::Withdrawn if !self.outstanding.is_empty() => {
                let why = "a batch came back unfinished with others behind it";
                return Some(Err(Reason::new("ring/recall", why)));
            }
            // What waited for its end waits in the ring again.
            JobEnd::Suspended => {
                self.fresh = false;
                self.next = done.behind;
                return Some(Ok(Returned::Unfinished));
            }
            JobEnd::Withdrawn => {
                self.next = match done.origin {
                    Origin::Command(at) => at,
                    Origin::Interrupted(position) => {
                        self.interrupted = Some(position);
                        done.behind
                    }
                };
                return Some(Ok(Returned::Finished));
            }
        }
        for command in done.deferred {
            if let Err(reason) = self.execute(command, host) {
                return Some(Err(reason));
            }
        }
        Some(Ok(Returned::Finished))
    }

    /// The next command, and its place, whole.
    fn peek(&self) -> Result<Option<(&'static Command, Range<usize>)>, Reason> {
        let Some(dword) = self.commands.get(self.next) else { return Ok(None) };
        let (kind, length) = command::recognize(*dword, self.streamer.engine)?;
        let range = self.next..self.next + length;
        if range.end > self.commands.len() {
            return Err(Reason::new(
                "ring/short",
                format!("the ring ends inside of command {dword:#010x}"),
            ));
        }
        Ok(Some((kind, range)))
    }

    fn execute(&mut self, command: Range<usize>, host: &mut dyn Host) -> Result<Step, Reason> {
        let dwords = self.commands.get(command).unwrap_or(&[]);
        self.streamer.execute(dwords, host).map_err(|fault| fault.0)
    }

    /// Starts a batch; `false` if it is refused and must wait until those ahead of it have ended.
    fn start_batch(
        &mut self,
        command: Range<usize>,
        batch: &BatchStart,
        host: &mut dyn Host,
    ) -> Result<bool, Reason> {
        if batch.space == Space::Ppgtt
            && let Err(why) = host.scan(PpgttAddress(batch.at))
        {
            if !self.outstanding.is_empty() {
                return Ok(false);
            }
            host.refused();
            return Err(why);
        }
        self.next = command.end;
        if batch.space == Space::Ggtt {
            // A privileged batch never reaches silicon: a private copy of it runs here, as if it stood in the ring.
            let copy = host.copy_batch(self.streamer.engine, batch.at)?;
            self.executed += copy.len() / 2;
            self.inserted = self.inserted.max(self.next) + copy.len();
            self.commands.splice(self.next..self.next, copy);
            return Ok(true);
        }
        let origin = Origin::Command(command.start);
        self.hand_out(origin, Position { at: batch.at, return_to: None }, host);
        Ok(true)
    }

    /// Hands a batch out that was interrupted.
    fn go_on_with(&mut self, position: Position, host: &mut dyn Host) {
        self.arbitration = self.streamer.arbitration;
        self.hand_out(Origin::Interrupted(position), position, host);
    }

    fn hand_out(&mut self, origin: Origin, position: Position, host: &mut dyn Host) {
        let restore = !self.fresh || !self.outstanding.is_empty();
        let work = Batch { restore, ..self.batch(position) };
        let job = host.submit(self.streamer.engine, self.descriptor, &self.image, work);
        self.outstanding.push_back(Outstanding {
            job,
            origin,
            behind: self.next,
            deferred: Vec::new(),
            preemptible: self.arbitration && self.next >= self.inserted,
            recalled: false,
        });
    }
}

/// Commands whose effect can wait for the fence of the batch before them: flushes, breadcrumbs, interrupts, and what
/// has no effect. (MI opcode in bits 28:23, or PIPE_CONTROL.)
fn is_deferrable(dword: u32) -> bool {
    if dword >> 29 == 0 {
        matches!(dword >> 23 & 0x3F, 0x00 | 0x02 | 0x05 | 0x08 | 0x20 | 0x21 | 0x26)
    } else {
        dword >> 16 == 0x7A00
    }
}

/// MI_BATCH_BUFFER_START into the context's own address space.
fn is_unprivileged_batch(dword: u32) -> bool {
    dword >> 23 == 0x31 && dword & 1 << 8 != 0
}
