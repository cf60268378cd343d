//! What a client has, and what becomes of its requests. No I/O: requests and ends go in, [`Effects`] come out.
//!
//! ```text
//!  Submit ──► the context's queue ──(fences reached, earlier ones handed out)──► audit ──► job
//!                                                                                          │
//!  a fence is raised ◄─────────────────────── its end ◄────────────────────────────────────┘
//!     └──► contexts that await it, answers that were asked for
//! ```
//!
//! A context's batches are handed out in order and end in order. So a fence that is raised by one says that all earlier ones
//! are over, refused ones among them.

use std::collections::VecDeque;
use std::fmt;

use foldhash::HashMap;
use guest_shim::wire::{
    Answer, ArenaOffset, Completion, ContextName, Fault, FenceName, GpuAddress, Request, SpaceName,
    Submission, Token,
};

use super::ClientGpu;
use super::layout::Layout;
use crate::memory::PAGE;
use crate::{ContextKey, EngineId, Job, JobEnd, JobId, Priority, Reason, SpaceRoot};

/// What one client may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Spaces.
    pub spaces: usize,
    /// Contexts.
    pub contexts: usize,
    /// Batches that wait for a fence or for earlier ones. With more, the client waits.
    pub queued: usize,
    /// Answers that wait for a fence.
    pub notices: usize,
    /// Fences that one batch waits for.
    pub awaited: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { spaces: 1024, contexts: 4096, queued: 16_384, notices: 4096, awaited: 4096 }
    }
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub struct Effects<W> {
    /// Values for the client's words.
    pub fences: Vec<(FenceName, u64)>,
    /// For the completion ring.
    pub answers: Vec<Completion>,
    /// Jobs that nobody wants any more. Their ends are awaited.
    pub kill: Vec<(JobId, EngineId)>,
    /// Jobs for the executors.
    pub jobs: Vec<Job<W>>,
    /// Batches that were refused or lost, each with its reason.
    pub failed: Vec<Reason>,
    /// Whether the client wants to be woken for a fence.
    pub wake: bool,
}

impl<W> Effects<W> {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fences: Vec::new(),
            answers: Vec::new(),
            kill: Vec::new(),
            jobs: Vec::new(),
            failed: Vec::new(),
            wake: false,
        }
    }
}

impl<W> Default for Effects<W> {
    fn default() -> Self {
        Self::new()
    }
}

/// A client's spaces, contexts, fences and batches.
pub struct Session<W> {
    gpu: Box<dyn ClientGpu<W>>,
    pub(super) layout: Layout,
    bounds: Bounds,
    engines: usize,
    spaces: HashMap<SpaceName, SpaceRoot>,
    /// By what silicon calls them; those without a name go when they are empty.
    live_spaces: HashMap<SpaceRoot, Space>,
    contexts: HashMap<ContextName, ContextKey>,
    live_contexts: HashMap<ContextKey, Context>,
    /// True values; the client's words are copies.
    fences: Vec<u64>,
    /// Who waits for a fence.
    waiting: HashMap<FenceName, Vec<ContextKey>>,
    notices: HashMap<FenceName, Vec<(u64, Token)>>,
    notice_count: usize,
    queued: usize,
    out: HashMap<JobId, ContextKey>,
    next_job: u64,
}

#[derive(Debug, Default)]
struct Space {
    contexts: usize,
    closed: bool,
}

#[derive(Debug)]
struct Context {
    space: SpaceRoot,
    engine: EngineId,
    priority: Priority,
    /// For the next batch.
    awaits: Vec<(FenceName, u64)>,
    queue: VecDeque<Queued>,
    /// Handed out, in order.
    out: VecDeque<Out>,
    own_losses: u64,
    closed: bool,
}

#[derive(Debug)]
struct Queued {
    awaits: Vec<(FenceName, u64)>,
    start: GpuAddress,
    end: Mark,
    /// Refused already: it ends when those before it have.
    refused: Option<Fault>,
}

#[derive(Debug)]
struct Out {
    job: JobId,
    end: Mark,
}

/// What a batch's end does.
#[derive(Clone, Copy, Debug)]
struct Mark {
    fence: FenceName,
    value: u64,
    token: Token,
}

impl<W> Session<W> {
    /// What a new client has: nothing but so many engines and fences, and the `layout`'s memory.
    #[must_use]
    pub fn new(
        gpu: Box<dyn ClientGpu<W>>,
        layout: Layout,
        bounds: Bounds,
        engines: usize,
        fences: usize,
    ) -> Self {
        Self {
            gpu,
            layout,
            bounds,
            engines,
            spaces: HashMap::default(),
            live_spaces: HashMap::default(),
            contexts: HashMap::default(),
            live_contexts: HashMap::default(),
            fences: vec![0; fences],
            waiting: HashMap::default(),
            notices: HashMap::default(),
            notice_count: 0,
            queued: 0,
            out: HashMap::default(),
            next_job: 0,
        }
    }

    /// The vendor's part.
    #[must_use]
    pub fn gpu(&self) -> &dyn ClientGpu<W> {
        &*self.gpu
    }

    /// Whether another batch may come.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queued < self.bounds.queued
    }

    /// Does what a client asks for.
    pub fn handle(&mut self, submission: Submission, fx: &mut Effects<W>) {
        let Submission { token, request } = submission;
        let done = match request {
            Request::OpenSpace { space } => self.open_space(space),
            Request::CloseSpace { space } => self.close_space(space),
            Request::Bind { space, at, arena, bytes, read_only } => {
                self.bind(space, at, arena, bytes, read_only)
            }
            Request::Unbind { space, at, bytes } => self.unbind(space, at, bytes),
            Request::OpenContext { context, space, engine, priority } => {
                self.open_context(context, space, engine, Priority(priority))
            }
            Request::CloseContext { context } => self.close_context(context, fx),
            Request::Await { context, fence, value } => self.hold(context, fence, value),
            Request::Submit { context, start, fence, value } => {
                self.submit(context, start, Mark { fence, value, token }, fx)
            }
            Request::Signal { fence, value } => {
                self.fence(fence).map(|_| self.raise(fence, value, fx))
            }
            Request::Notify { fence, value } => self.notify(token, fence, value, fx),
            Request::Statistics { context } => self.statistics(token, context, fx),
        };
        if let Err(fault) = done {
            fx.answers.push(Completion { token, answer: Answer::Failed(fault) });
        }
    }

    // Spaces.

    fn open_space(&mut self, name: SpaceName) -> Result<(), Fault> {
        if self.spaces.contains_key(&name) {
            return Err(Fault::Name);
        }
        if self.live_spaces.len() >= self.bounds.spaces {
            return Err(Fault::Quota);
        }
        let root = self.gpu.open_space()?;
        self.spaces.insert(name, root);
        self.live_spaces.insert(root, Space::default());
        Ok(())
    }

    fn close_space(&mut self, name: SpaceName) -> Result<(), Fault> {
        let root = self.spaces.remove(&name).ok_or(Fault::Name)?;
        if let Some(space) = self.live_spaces.get_mut(&root) {
            space.closed = true;
        }
        self.release_space(root);
        Ok(())
    }

    /// Frees a space that has neither name nor contexts.
    fn release_space(&mut self, root: SpaceRoot) {
        if self.live_spaces.get(&root).is_some_and(|space| space.closed && space.contexts == 0) {
            self.live_spaces.remove(&root);
            self.gpu.close_space(root);
        }
    }

    fn space(&self, name: SpaceName) -> Result<SpaceRoot, Fault> {
        self.spaces.get(&name).copied().ok_or(Fault::Name)
    }

    fn bind(
        &mut self,
        space: SpaceName,
        at: GpuAddress,
        arena: ArenaOffset,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), Fault> {
        let space = self.space(space)?;
        pages(&[at.0, arena.0], bytes)?;
        let memory = self.layout.find(arena, bytes).ok_or(Fault::Range)?;
        self.gpu.bind(space, at, memory, bytes, read_only)
    }

    fn unbind(&mut self, space: SpaceName, at: GpuAddress, bytes: u64) -> Result<(), Fault> {
        let space = self.space(space)?;
        pages(&[at.0], bytes)?;
        self.gpu.unbind(space, at, bytes)
    }

    // Contexts.

    fn open_context(
        &mut self,
        name: ContextName,
        space: SpaceName,
        engine: u16,
        priority: Priority,
    ) -> Result<(), Fault> {
        let space = self.space(space)?;
        if self.contexts.contains_key(&name) {
            return Err(Fault::Name);
        }
        if usize::from(engine) >= self.engines {
            return Err(Fault::Range);
        }
        if self.live_contexts.len() >= self.bounds.contexts {
            return Err(Fault::Quota);
        }
        let engine = EngineId(u8::try_from(engine).map_err(|_| Fault::Range)?);
        let key = self.gpu.open_context(space, engine)?;
        if let Some(space) = self.live_spaces.get_mut(&space) {
            space.contexts += 1;
        }
        self.contexts.insert(name, key);
        let context = Context {
            space,
            engine,
            priority,
            awaits: Vec::new(),
            queue: VecDeque::new(),
            out: VecDeque::new(),
            own_losses: 0,
            closed: false,
        };
        self.live_contexts.insert(key, context);
        Ok(())
    }

    fn close_context(&mut self, name: ContextName, fx: &mut Effects<W>) -> Result<(), Fault> {
        let key = self.contexts.remove(&name).ok_or(Fault::Name)?;
        if let Some(context) = self.live_contexts.get_mut(&key) {
            context.closed = true;
            fx.kill.extend(context.out.iter().map(|out| (out.job, context.engine)));
        }
        self.go_on([key], fx);
        Ok(())
    }

    fn context(&mut self, name: ContextName) -> Result<(ContextKey, &mut Context), Fault> {
        let key = *self.contexts.get(&name).ok_or(Fault::Name)?;
        Ok((key, self.live_contexts.get_mut(&key).ok_or(Fault::Gone)?))
    }

    fn hold(&mut self, context: ContextName, fence: FenceName, value: u64) -> Result<(), Fault> {
        self.fence(fence)?;
        let most = self.bounds.awaited;
        let (_, context) = self.context(context)?;
        if context.awaits.len() >= most {
            return Err(Fault::Quota);
        }
        context.awaits.push((fence, value));
        Ok(())
    }

    fn submit(
        &mut self,
        context: ContextName,
        start: GpuAddress,
        end: Mark,
        fx: &mut Effects<W>,
    ) -> Result<(), Fault> {
        self.fence(end.fence)?;
        let (key, context) = self.context(context)?;
        let awaits = std::mem::take(&mut context.awaits);
        context.queue.push_back(Queued { awaits, start, end, refused: None });
        self.queued += 1;
        self.go_on([key], fx);
        Ok(())
    }

    fn statistics(
        &mut self,
        token: Token,
        context: ContextName,
        fx: &mut Effects<W>,
    ) -> Result<(), Fault> {
        let (_, context) = self.context(context)?;
        let answer = Answer::Lost { own: context.own_losses, innocent: 0 };
        fx.answers.push(Completion { token, answer });
        Ok(())
    }

    // Fences.

    fn fence(&self, fence: FenceName) -> Result<u64, Fault> {
        self.fences.get(fence.0 as usize).copied().ok_or(Fault::Range)
    }

    fn notify(
        &mut self,
        token: Token,
        fence: FenceName,
        value: u64,
        fx: &mut Effects<W>,
    ) -> Result<(), Fault> {
        if self.fence(fence)? >= value {
            tell_reached(token, fx);
            return Ok(());
        }
        let asked = self.notices.get(&fence);
        if token == Token::NOBODY && asked.is_some_and(|asked| asked.contains(&(value, token))) {
            return Ok(());
        }
        if self.notice_count >= self.bounds.notices {
            return Err(Fault::Quota);
        }
        self.notice_count += 1;
        self.notices.entry(fence).or_default().push((value, token));
        Ok(())
    }

    fn raise(&mut self, fence: FenceName, value: u64, fx: &mut Effects<W>) {
        let ready = self.set(fence, value, fx);
        self.go_on(ready, fx);
    }

    /// Raises a fence. Returns the contexts that may go on.
    fn set(&mut self, fence: FenceName, value: u64, fx: &mut Effects<W>) -> Vec<ContextKey> {
        let Some(now) = self.fences.get_mut(fence.0 as usize).filter(|now| **now < value) else {
            return Vec::new();
        };
        *now = value;
        fx.fences.push((fence, value));
        if let Some(notices) = self.notices.get_mut(&fence) {
            let before = notices.len();
            notices.retain(|(wanted, token)| {
                let reached = *wanted <= value;
                if reached {
                    tell_reached(*token, fx);
                }
                !reached
            });
            self.notice_count -= before - notices.len();
            if notices.is_empty() {
                self.notices.remove(&fence);
            }
        }
        self.waiting.remove(&fence).unwrap_or_default()
    }

    // The way of a batch.

    /// Hands out what can be, of these contexts and of those that wait for what they do.
    fn go_on(&mut self, contexts: impl IntoIterator<Item = ContextKey>, fx: &mut Effects<W>) {
        let (mut first, mut ready) = (contexts.into_iter(), VecDeque::new());
        while let Some(key) = first.next().or_else(|| ready.pop_front()) {
            while let Some(more) = self.step(key, fx) {
                ready.extend(more);
            }
            self.release_context(key);
        }
    }

    /// One batch further. `None`: the context waits, or has nothing more.
    fn step(&mut self, key: ContextKey, fx: &mut Effects<W>) -> Option<Vec<ContextKey>> {
        let context = self.live_contexts.get_mut(&key)?;
        if context.closed && !context.out.is_empty() {
            return None;
        }
        let next = context.queue.front_mut()?;
        if !context.closed && next.refused.is_none() {
            let reached = |(fence, value): &(FenceName, u64)| {
                self.fences.get(fence.0 as usize).is_none_or(|now| *now >= *value)
            };
            next.awaits.retain(|await_| !reached(await_));
            if let Some((fence, _)) = next.awaits.first() {
                let waiting = self.waiting.entry(*fence).or_default();
                if !waiting.contains(&key) {
                    waiting.push(key);
                }
                return None;
            }
            let Queued { start, end, .. } = *next;
            match self.gpu.work(key, start) {
                Ok(work) => {
                    self.next_job += 1;
                    let job = JobId(self.next_job);
                    let Context { space, engine, priority, .. } = *context;
                    fx.jobs.push(Job { id: job, engine, space, context: key, priority, work });
                    context.queue.pop_front();
                    context.out.push_back(Out { job, end });
                    self.out.insert(job, key);
                    self.queued -= 1;
                    return Some(Vec::new());
                }
                Err(why) => {
                    fx.failed.push(why);
                    next.refused = Some(Fault::Refused);
                }
            }
        }
        if !context.out.is_empty() {
            return None;
        }
        let Queued { end, refused, .. } = context.queue.pop_front()?;
        self.queued -= 1;
        if refused.is_some() {
            context.own_losses = context.own_losses.saturating_add(1);
        }
        let fault = refused.unwrap_or(Fault::Gone);
        fx.answers.push(Completion { token: end.token, answer: Answer::Failed(fault) });
        Some(self.set(end.fence, end.value, fx))
    }

    /// Frees a context that has neither name nor batches.
    fn release_context(&mut self, key: ContextKey) {
        let done = |c: &Context| c.closed && c.out.is_empty() && c.queue.is_empty();
        if !self.live_contexts.get(&key).is_some_and(done) {
            return;
        }
        let Some(context) = self.live_contexts.remove(&key) else { return };
        self.gpu.close_context(key);
        if let Some(space) = self.live_spaces.get_mut(&context.space) {
            space.contexts = space.contexts.saturating_sub(1);
        }
        self.release_space(context.space);
    }

    /// A job ended.
    pub fn ended(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<W>) {
        let Some(key) = self.out.remove(&job) else { return };
        let Some(context) = self.live_contexts.get_mut(&key) else { return };
        let Some(place) = context.out.iter().position(|out| out.job == job) else { return };
        let Some(Out { end: mark, .. }) = context.out.remove(place) else { return };
        if let JobEnd::Fault(why) | JobEnd::Killed(why) = end {
            context.own_losses = context.own_losses.saturating_add(1);
            fx.answers.push(Completion { token: mark.token, answer: Answer::Failed(Fault::Lost) });
            fx.failed.push(why);
        }
        let ready = self.set(mark.fence, mark.value, fx);
        self.go_on(ready.into_iter().chain([key]), fx);
    }
}

/// A fence is reached that somebody asked for.
fn tell_reached<W>(token: Token, fx: &mut Effects<W>) {
    if token == Token::NOBODY {
        fx.wake = true;
    } else {
        fx.answers.push(Completion { token, answer: Answer::Reached });
    }
}

impl<W> fmt::Debug for Session<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("spaces", &self.live_spaces.len())
            .field("contexts", &self.live_contexts.len())
            .field("out", &self.out.len())
            .finish_non_exhaustive()
    }
}

/// Whether these are multiples of a page, and the length is not nothing.
fn pages(places: &[u64], bytes: u64) -> Result<(), Fault> {
    let whole = |n: &u64| n.is_multiple_of(PAGE);
    if bytes > 0 && whole(&bytes) && places.iter().all(whole) { Ok(()) } else { Err(Fault::Range) }
}

#[cfg(test)]
mod tests;
