//! The client library: a GPU for a process, over a socket of the mediator's.
//!
//! ```text
//!  Client::connect ──► greeting: device, queues, arena
//!    bind      a part of the arena at an address of a space
//!    submit    a batch in a context ──► Point: a fence and the value that it has when the batch is over
//!    wait      for points; nothing else waits for the GPU
//! ```
//!
//! All calls may come from any thread. Submitting makes no system call while the mediator is awake. When the mediator goes
//! away, everything fails with [`ClientError::Gone`], and all points count as reached: nobody waits for ever.

mod inbox;
mod memory;
mod names;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

pub use self::memory::Arena;

use self::inbox::Inbox;
use self::memory::Words;
use self::names::Names;
use crate::packets;
use crate::wire::{
    Answer, ArenaOffset, Ask, Broken, ContextName, Device, Fault, FenceName, GeometryError,
    GpuAddress, Greeting, Malformed, Producer, PushError, Queues, Reply, Request, SUBMISSION_WORDS,
    SpaceName, Submission, Token,
};

/// The fence that is reached from the start.
const REACHED: FenceName = FenceName(0);
/// Spaces and contexts that a client can name at a time.
const MOST_NAMES: u32 = 1 << 16;
/// How long a full ring is looked at before the next time.
const FULL_NAP: Duration = Duration::from_micros(50);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error(
        "{path}: {source}; is `vgate run` running, and does its configuration have this socket?"
    )]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The mediator has no GPU for this client.
    #[error("the mediator refuses: {0}")]
    Refused(Fault),
    /// The greeting is none of this version.
    #[error(
        "the mediator's greeting can't be understood ({0}): are vgate and this library of one version?"
    )]
    Greeting(Malformed),
    /// Not the right descriptors, or memory that can't be mapped.
    #[error("the mediator's memory can't be used: {0}")]
    Memory(#[from] io::Error),
    /// The queues are none of this version.
    #[error("the mediator's queues can't be used: {0}")]
    Queues(GeometryError),
}

/// Why the mediator did not do something.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum ClientError {
    /// It refused.
    #[error("the mediator refuses: {0}")]
    Refused(#[from] Fault),
    /// All names of a kind are in use.
    #[error("no more {0} can be named")]
    Names(&'static str),
    /// The connection has ended.
    #[error("the mediator is gone")]
    Gone,
    /// The mediator makes no sense; the connection has ended.
    #[error("the mediator is broken: {0}")]
    Broken(#[from] Broken),
}

/// A fence and the value that it has when something is over. Reached for ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// Which fence.
    pub fence: FenceName,
    /// The value.
    pub value: u64,
}

/// How often batches of a context were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// For what they did themselves.
    pub own: u64,
    /// For what others did.
    pub innocent: u64,
}

/// A context's own fence: each batch raises it by one.
#[derive(Clone, Copy, Debug)]
struct Timeline {
    fence: FenceName,
    last: u64,
}

/// The way out.
#[derive(Debug)]
struct Outbox {
    ring: Producer<'static, SUBMISSION_WORDS>,
    timelines: HashMap<ContextName, Timeline>,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    device: Device,
    arena: Arena,
    outbox: Mutex<Outbox>,
    inbox: Inbox,
    fences: &'static [AtomicU64],
    fence_names: Names,
    space_names: Names,
    context_names: Names,
    /// Rung when the mediator sleeps.
    doorbell: OwnedFd,
    /// Whether it did when it was last looked at.
    was_asleep: AtomicBool,
    /// One asks at a time.
    socket: Mutex<OwnedFd>,
    /// Behind all that refers to it.
    _queues: Words,
}

impl Client {
    /// Connects to the mediator's socket.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(path: &Path) -> Result<Self, ConnectError> {
        let no_socket = |source| ConnectError::Socket { path: path.into(), source };
        let socket = connect(path).map_err(no_socket)?;
        let (packet, descriptors) = packets::receive(&socket).map_err(no_socket)?;
        let device = match Greeting::decode(&packet).map_err(ConnectError::Greeting)? {
            Greeting::Welcome(device) => device,
            Greeting::Refused(fault) => return Err(ConnectError::Refused(fault)),
        };
        let too_few = |_| io::Error::other("descriptors are missing");
        let [queues, arena, doorbell, bell]: [OwnedFd; 4] =
            descriptors.try_into().map_err(too_few)?;
        let memory = Words::map(&queues)?;
        let queues = Queues::open(memory.words()).map_err(ConnectError::Queues)?;
        let watched = rustix::io::fcntl_dupfd_cloexec(&socket, 0).map_err(io::Error::from)?;
        let fences = u32::try_from(queues.fences.len()).unwrap_or(u32::MAX);
        Ok(Self {
            device,
            arena: Arena::new(arena)?,
            outbox: Mutex::new(Outbox {
                ring: queues.submissions.producer(),
                timelines: HashMap::new(),
            }),
            inbox: Inbox::new(queues.completions.consumer(), bell, watched)?,
            fences: queues.fences,
            fence_names: Names::new(REACHED.0 + 1, fences),
            space_names: Names::new(1, MOST_NAMES),
            context_names: Names::new(1, MOST_NAMES),
            doorbell,
            was_asleep: AtomicBool::new(false),
            socket: Mutex::new(socket),
            _queues: memory,
        })
    }

    /// What GPU it is.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The buffers' memory.
    #[must_use]
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Whether the mediator is still there, as far as was noticed.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.inbox.is_alive()
    }

    // Spaces.

    /// A new address space, empty.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open_space(&self) -> Result<SpaceName, ClientError> {
        let space = SpaceName(self.space_names.take().ok_or(ClientError::Names("spaces"))?);
        let opened = self.ask(Request::OpenSpace { space });
        opened.inspect_err(|_| self.space_names.give_back(space.0))?;
        Ok(space)
    }

    /// A space goes; its contexts must be closed.
    pub fn close_space(&self, space: SpaceName) {
        if self.ask(Request::CloseSpace { space }).is_ok() {
            self.space_names.give_back(space.0);
        }
    }

    /// Shows a part of the arena at an address, over whatever was there. For batches that are submitted from now on.
    ///
    /// # Errors
    /// When the connection has ended. A range that makes no sense is refused later: see [`Client::refusals`].
    pub fn bind(
        &self,
        space: SpaceName,
        at: GpuAddress,
        arena: ArenaOffset,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), ClientError> {
        self.tell(&[Request::Bind { space, at, arena, bytes, read_only }])
    }

    /// Shows nothing at these addresses any more.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn unbind(&self, space: SpaceName, at: GpuAddress, bytes: u64) -> Result<(), ClientError> {
        self.tell(&[Request::Unbind { space, at, bytes }])
    }

    /// Requests that nobody waited for and that were refused: each is a mistake of this process's.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        // When the mediator is gone, it refuses no more.
        let _ = self.inbox.drain();
        self.inbox.refusals()
    }

    // Contexts.

    /// A new context for an engine (its place in [`Device::engines`]). More `priority` is sooner.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open_context(
        &self,
        space: SpaceName,
        engine: u16,
        priority: i16,
    ) -> Result<ContextName, ClientError> {
        let context = self.context_names.take().ok_or(ClientError::Names("contexts"))?;
        let context = ContextName(context);
        let fence = self.fence().inspect_err(|_| self.context_names.give_back(context.0))?;
        let opened = self.ask(Request::OpenContext { context, space, engine, priority });
        opened.inspect_err(|_| {
            self.release_fence(fence);
            self.context_names.give_back(context.0);
        })?;
        let last = self.value(fence);
        self.outbox().timelines.insert(context, Timeline { fence, last });
        Ok(context)
    }

    /// A context goes. What of it runs or waits is killed; its points are reached.
    pub fn close_context(&self, context: ContextName) {
        let timeline = self.outbox().timelines.remove(&context);
        if let Some(Timeline { fence, last }) = timeline {
            let closed = self.ask(Request::CloseContext { context });
            if closed.is_ok() && self.value(fence) >= last {
                self.release_fence(fence);
                self.context_names.give_back(context.0);
            }
        }
    }

    /// A batch runs in a context when all earlier ones of it are over and `waits` are reached. Never waits itself.
    ///
    /// # Errors
    /// [`ClientError::Names`] for a context that is not open, or when the connection has ended.
    pub fn submit(
        &self,
        context: ContextName,
        waits: &[Point],
        start: GpuAddress,
    ) -> Result<Point, ClientError> {
        self.submit_all(context, waits, &[start])
    }

    /// Batches run in a context one after another, the first when `waits` are reached: as [`submit`](Self::submit) for each,
    /// with one look at the mediator for all. The point is the last one's.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit); of some batches then, a part may run.
    pub fn submit_all(
        &self,
        context: ContextName,
        waits: &[Point],
        starts: &[GpuAddress],
    ) -> Result<Point, ClientError> {
        let mut outbox = self.outbox();
        let timeline = outbox.timelines.get_mut(&context).ok_or(ClientError::Names("contexts"))?;
        let Timeline { fence, last } = *timeline;
        timeline.last = last + starts.len() as u64;
        for Point { fence, value } in waits.iter().filter(|point| !self.reached(**point)) {
            let request = Request::Await { context, fence: *fence, value: *value };
            self.push(&mut outbox, Token::NOBODY, request)?;
        }
        for (start, value) in starts.iter().zip(last + 1..) {
            let request = Request::Submit { context, start: *start, fence, value };
            self.push(&mut outbox, Token::NOBODY, request)?;
        }
        self.publish(&mut outbox);
        Ok(Point { fence, value: last + starts.len() as u64 })
    }

    /// How often batches of a context were lost.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn lost(&self, context: ContextName) -> Result<Lost, ClientError> {
        match self.ask(Request::Statistics { context })? {
            Some(Answer::Lost { own, innocent }) => Ok(Lost { own, innocent }),
            _ => Err(ClientError::Gone),
        }
    }

    // Fences.

    /// A fence that nobody uses. Its value is what it is: see [`value`](Self::value).
    ///
    /// # Errors
    /// [`ClientError::Names`].
    pub fn fence(&self) -> Result<FenceName, ClientError> {
        self.fence_names.take().map(FenceName).ok_or(ClientError::Names("fences"))
    }

    /// A fence that this process has no use for any more. Nothing may be on its way to it.
    pub fn release_fence(&self, fence: FenceName) {
        self.fence_names.give_back(fence.0);
    }

    /// A fence's value now.
    #[must_use]
    pub fn value(&self, fence: FenceName) -> u64 {
        self.fences.get(fence.0 as usize).map_or(u64::MAX, |word| word.load(Ordering::Acquire))
    }

    /// Whether a point is reached.
    #[must_use]
    pub fn reached(&self, point: Point) -> bool {
        self.value(point.fence) >= point.value || !self.is_alive()
    }

    /// Raises a fence to a value, after all that was submitted before.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn signal(&self, point: Point) -> Result<(), ClientError> {
        self.tell(&[Request::Signal { fence: point.fence, value: point.value }])
    }

    /// Waits until all points are reached. Returns whether they are; `false` when the time has come before.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn wait(&self, points: &[Point], until: Option<Instant>) -> Result<bool, ClientError> {
        for point in points {
            let reached = || self.reached(*point);
            let ask = || {
                let request = Request::Notify { fence: point.fence, value: point.value };
                self.tell(&[request])
            };
            let asleep = self.was_asleep.load(Ordering::Relaxed);
            if !self.inbox.wait_for(asleep, reached, ask, until)? {
                return Ok(false);
            }
        }
        if self.is_alive() { Ok(true) } else { Err(ClientError::Gone) }
    }

    // Buffers that have a file of their own.

    /// Memory of its own for a buffer that others are to see, and its file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new_buffer(&self, bytes: u64) -> Result<(ArenaOffset, OwnedFd), ClientError> {
        match self.ask_on_socket(Ask::NewBuffer { bytes }, None)? {
            (Reply::Buffer { at, .. }, Some(file)) => Ok((at, file)),
            _ => Err(ClientError::Gone),
        }
    }

    /// The buffer behind a file that the mediator made for this or another client: where it is, and how large.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a file that is none of these.
    pub fn import(&self, file: BorrowedFd<'_>) -> Result<(ArenaOffset, u64), ClientError> {
        match self.ask_on_socket(Ask::Import, Some(file))? {
            (Reply::Buffer { at, bytes }, _) => Ok((at, bytes)),
            _ => Err(ClientError::Gone),
        }
    }

    /// A buffer with a file is not needed here any more: it is bound nowhere, and nothing runs that can reach it.
    pub fn forget_buffer(&self, at: ArenaOffset) {
        // Whoever is gone has forgotten it.
        let _ = self.ask_on_socket(Ask::Forget { at }, None);
    }

    fn ask_on_socket(
        &self,
        ask: Ask,
        file: Option<BorrowedFd<'_>>,
    ) -> Result<(Reply, Option<OwnedFd>), ClientError> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<_> = file.into_iter().collect();
        let answer = packets::send(&socket, &ask.encode(), &files)
            .and_then(|()| packets::receive(&socket))
            .map_err(|_| ClientError::Gone)?;
        let reply = Reply::decode(&answer.0).map_err(|_| ClientError::Gone)?;
        match reply {
            Reply::Failed(fault) => Err(fault.into()),
            reply => Ok((reply, answer.1.into_iter().next())),
        }
    }

    // The way out.

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests without an answer.
    fn tell(&self, requests: &[Request]) -> Result<(), ClientError> {
        let mut outbox = self.outbox();
        for request in requests {
            self.push(&mut outbox, Token::NOBODY, *request)?;
        }
        self.publish(&mut outbox);
        Ok(())
    }

    /// A request whose answer matters. `None`: it went well and has nothing to say.
    fn ask(&self, request: Request) -> Result<Option<Answer>, ClientError> {
        let token = self.inbox.expect();
        {
            let mut outbox = self.outbox();
            self.push(&mut outbox, token, request)?;
            // Answers are in order: when this one is there, the other, if any, was before.
            self.push(&mut outbox, token, Request::Notify { fence: REACHED, value: 0 })?;
            self.publish(&mut outbox);
        }
        match self.inbox.collect(token)? {
            Some(Answer::Failed(fault)) => Err(fault.into()),
            answer => Ok(answer),
        }
    }

    fn push(&self, outbox: &mut Outbox, token: Token, request: Request) -> Result<(), ClientError> {
        let entry = Submission { token, request }.encode();
        // A mediator whose answers nobody takes takes no requests.
        self.inbox.drain()?;
        loop {
            match outbox.ring.push(&entry) {
                Ok(()) => return Ok(()),
                Err(PushError::Broken(broken)) => return Err(broken.into()),
                Err(PushError::Full) => {
                    self.publish(outbox);
                    self.inbox.drain()?;
                    std::thread::sleep(FULL_NAP);
                    self.inbox.check_alive()?;
                }
            }
        }
    }

    fn publish(&self, outbox: &mut Outbox) {
        let asleep = outbox.ring.publish();
        self.was_asleep.store(asleep, Ordering::Relaxed);
        if asleep {
            // It fails only when the mediator is gone, which others notice.
            let _ = rustix::io::write(self.doorbell.as_fd(), &1_u64.to_ne_bytes());
        }
    }
}

/// Opens a connection.
fn connect(path: &Path) -> io::Result<OwnedFd> {
    let kind = (AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
