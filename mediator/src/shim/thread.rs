//! The thread of a client: takes its requests, tells it what became of them, and waits for nobody.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guest_shim::bells::Sleeper;
use guest_shim::packets;
use guest_shim::wire::{
    ArenaOffset, Ask, COMPLETION_WORDS, Completion, Consumer, Fault, FenceName, Greeting, Producer,
    PushError, Queues, Reply, SUBMISSION_WORDS, Submission,
};
use rustix::event::Timespec;

use super::session::{Effects, Session};
use crate::memory::{GuestRam, MapRequest, PAGE, QueueMemory, sealed_memfd};
use crate::scheduler::{Dispatch, Member, Order};
use crate::vm::{Details, Mail, Mailbox, Question};
use crate::{EngineId, GuestAddress, Reason, RestoreError, SaveError, ScanOut, VmHandle, VmState};

/// Mail that is taken in a row before requests are looked at.
const TURN: usize = 256;
/// Orders to executors that may be on their way before the client has to wait.
const ORDERS: usize = 1024;
/// How long it waits then, and while it does not take its answers.
const CATCH_UP: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
/// Buffers with files of their own.
const BUFFERS: usize = 4096;

/// Why a client's connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// It hung up, or the mediator shuts down.
    #[error("it is gone")]
    Gone,
    /// It broke the protocol.
    #[error("{0}")]
    Broken(Reason),
    /// The host lacks something.
    #[error("{0}")]
    Host(#[from] io::Error),
}

/// Descriptors of a client.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) socket: OwnedFd,
    /// Rung by the client.
    pub(super) doorbell: OwnedFd,
    /// Rung for the client.
    pub(super) bell: OwnedFd,
    pub(super) arena: OwnedFd,
}

/// What the thread works with.
pub(super) struct Client<W: Send + 'static> {
    pub(super) handle: VmHandle,
    pub(super) mailbox: Mailbox,
    pub(super) executors: Vec<Arc<Dispatch<W>>>,
    pub(super) member: Arc<Member<W>>,
    pub(super) session: Session<W>,
    pub(super) ram: GuestRam,
    pub(super) wires: Wires,
    /// For doorbell, mailbox and socket.
    pub(super) sleeper: Sleeper,
    /// How long it looks out for requests before it sleeps.
    pub(super) awake: Duration,
    pub(super) receipt: Arc<()>,
}

/// The client's ends of the queues.
struct Lines<'m, W> {
    requests: Consumer<'m, SUBMISSION_WORDS>,
    answers: Producer<'m, COMPLETION_WORDS>,
    queues: Queues<'m>,
    /// Answers for which the ring had no room.
    backlog: VecDeque<Completion>,
    /// A fence is reached for which the client sleeps.
    wake: bool,
    /// What the session wants done; empty between two requests.
    fx: Effects<W>,
}

impl<W: Send + 'static> Client<W> {
    /// Until the client is gone. Whatever goes wrong costs this client, and nobody else.
    pub(super) fn run(mut self, memory: &QueueMemory, queues: Queues<'_>) {
        let vm = self.handle.id();
        for executor in &self.executors {
            self.order(executor, Order::Admit(Arc::clone(&self.member)));
        }
        self.handle.set_state(VmState::Connected);
        let mut lines = Lines {
            requests: queues.submissions.consumer(),
            answers: queues.completions.producer(),
            queues,
            backlog: VecDeque::new(),
            wake: false,
            fx: Effects::new(),
        };
        let end = catch_unwind(AssertUnwindSafe(|| self.serve(memory, &mut lines)));
        let end = end.unwrap_or_else(|_| {
            Err(End::Broken(Reason::new("internal/panic", "the client's thread panicked")))
        });
        match end {
            Ok(()) | Err(End::Gone) => log::info!("{}: gone", self.handle.name()),
            Err(End::Broken(why)) => self.note(&why, "cut off"),
            Err(End::Host(error)) => log::error!("{}: {error}", self.handle.name()),
        }
        for executor in &self.executors {
            executor.order(Order::Dismiss(vm));
        }
        self.handle.set_state(VmState::Stopped);
    }

    fn serve(&mut self, memory: &QueueMemory, lines: &mut Lines<'_, W>) -> Result<(), End> {
        self.greet(memory)?;
        let mut idle_since: Option<Instant> = None;
        loop {
            let mail = self.take_mail(lines)?;
            // One at a time: what is over at once is known to the next.
            let request = self.take_request(lines)?;
            let answered = self.answer(lines)?;
            if mail || request || answered {
                idle_since = None;
                continue;
            }
            if !self.awake.is_zero() {
                let since = *idle_since.get_or_insert_with(Instant::now);
                if since.elapsed() < self.awake {
                    std::hint::spin_loop();
                    continue;
                }
            }
            idle_since = None;
            self.sleep(memory, lines)?;
        }
    }

    fn greet(&self, memory: &QueueMemory) -> Result<(), End> {
        let welcome = Greeting::Welcome(self.session.gpu().device());
        let Wires { socket, doorbell, bell, arena } = &self.wires;
        let files = [memory.file(), arena.as_fd(), doorbell.as_fd(), bell.as_fd()];
        Ok(packets::send(socket, &welcome.encode(), &files)?)
    }

    // Requests.

    fn take_request(&mut self, lines: &mut Lines<'_, W>) -> Result<bool, End> {
        if self.must_wait(lines) {
            return Ok(false);
        }
        let words = lines
            .requests
            .pop()
            .map_err(|broken| End::Broken(Reason::new("shim/ring", broken.to_string())))?;
        let Some(words) = words else { return Ok(false) };
        self.handle.count_trap();
        let fx = &mut lines.fx;
        match Submission::decode(&words) {
            Ok(submission) => self.session.handle(submission, fx),
            Err((token, malformed)) => {
                fx.failed.push(Reason::new("shim/request", malformed.to_string()));
                let answer = guest_shim::wire::Answer::Failed(Fault::Malformed);
                fx.answers.push(Completion { token, answer });
            }
        }
        self.apply(lines);
        Ok(true)
    }

    /// Whether the client's next request has to wait: for executors, or because it doesn't take its answers.
    fn must_wait(&self, lines: &Lines<'_, W>) -> bool {
        !lines.backlog.is_empty()
            || !self.session.has_room()
            || Arc::strong_count(&self.receipt) > ORDERS
    }

    /// Does what the session wants done.
    fn apply(&self, lines: &mut Lines<'_, W>) {
        let Lines { queues, backlog, wake, fx, .. } = lines;
        for (FenceName(fence), value) in fx.fences.drain(..) {
            if let Some(word) = queues.fences.get(fence as usize) {
                word.store(value, std::sync::atomic::Ordering::Release);
            }
        }
        *wake |= std::mem::take(&mut fx.wake);
        backlog.extend(fx.answers.drain(..));
        for why in fx.failed.drain(..) {
            self.note(&why, "a batch was refused or lost");
        }
        let vm = self.handle.id();
        for (job, engine) in fx.kill.drain(..) {
            if let Some(executor) = self.executor(engine) {
                self.order(executor, Order::Kill { vm, job });
            }
        }
        for job in fx.jobs.drain(..) {
            if let (Some(executor), Some(counters)) = (
                self.executor(job.engine),
                self.handle.engine_counters().get(usize::from(job.engine.0)),
            ) {
                counters.submitted();
                self.order(executor, Order::Submit { vm, job });
            }
        }
    }

    fn executor(&self, engine: EngineId) -> Option<&Dispatch<W>> {
        self.executors.get(usize::from(engine.0)).map(|executor| &**executor)
    }

    fn order(&self, executor: &Dispatch<W>, order: Order<W>) {
        executor.order_counted(order, &self.receipt);
    }

    // Answers.

    /// Moves answers to the ring; returns whether any were.
    fn answer(&self, lines: &mut Lines<'_, W>) -> Result<bool, End> {
        let mut any = false;
        while let Some(answer) = lines.backlog.front() {
            match lines.answers.push(&answer.encode()) {
                Ok(()) => {
                    lines.backlog.pop_front();
                    any = true;
                }
                Err(PushError::Full) => break,
                Err(PushError::Broken(broken)) => {
                    return Err(End::Broken(Reason::new("shim/ring", broken.to_string())));
                }
            }
        }
        let wake = std::mem::take(&mut lines.wake);
        if lines.answers.publish() || wake && lines.answers.must_ring() {
            // It fails only when the bell rings already.
            let _ = rustix::io::write(&self.wires.bell, &1_u64.to_ne_bytes());
        }
        Ok(any)
    }

    // Mail.

    fn take_mail(&mut self, lines: &mut Lines<'_, W>) -> Result<bool, End> {
        for taken in 0..TURN {
            match self.mailbox.take() {
                None => return Ok(taken > 0),
                Some(Mail::Ended { generation, job, end }) => {
                    if generation == self.member.generation {
                        self.session.ended(job, end, &mut lines.fx);
                        self.apply(lines);
                    }
                }
                Some(Mail::Ask(question)) => self.reply(question)?,
                Some(Mail::Recalled) => {}
                Some(Mail::Stop) => return Err(End::Gone),
            }
        }
        Ok(true)
    }

    /// Answers an operator. A client has neither a display nor a state of its own.
    fn reply(&self, question: Question) -> Result<(), End> {
        match question {
            Question::Details(reply) => {
                let mut counters = self.session.gpu().counters();
                counters.extend(self.member.residency.holdings());
                let memory = self.ram.mapped_bytes();
                let _ = reply.try_send(Details { counters, memory, ..Details::default() });
            }
            Question::ScanOut(reply) => {
                let _ = reply.try_send((ScanOut::default(), self.ram.clone()));
            }
            Question::Reset(reply) => {
                let _ = reply.try_send(());
                return Err(End::Broken(Reason::new("shim/reset", "an operator sent it away")));
            }
            Question::Plug(_, reply) => {
                let _ = reply.try_send(());
            }
            Question::Save(reply) => {
                let what = "a client of the shim can't be saved".to_owned();
                let _ = reply.try_send(Err(SaveError::Device(what)));
            }
            Question::Resume(reply) => {
                let _ = reply.try_send(false);
            }
            Question::Restore(_, reply) => {
                let _ = reply.try_send(Err(RestoreError::NotConnected));
            }
        }
        Ok(())
    }

    // Sleeping, and what the socket has meanwhile.

    fn sleep(&mut self, memory: &QueueMemory, lines: &mut Lines<'_, W>) -> Result<(), End> {
        if memory.faulted() || self.ram.faulted() {
            let why = "the host has no memory for what it shares";
            return Err(End::Broken(Reason::new("memory/vanished", why)));
        }
        let blocked = self.must_wait(lines);
        if !blocked {
            let may = lines
                .requests
                .sleep()
                .map_err(|broken| End::Broken(Reason::new("shim/ring", broken.to_string())))?;
            if !may {
                return Ok(());
            }
        }
        if !self.mailbox.sleep() {
            self.mailbox.wake();
            lines.requests.wake();
            return Ok(());
        }
        let woken = self.sleeper.sleep(blocked.then_some(&CATCH_UP));
        self.mailbox.wake();
        lines.requests.wake();
        if woken.readable {
            self.ask()
        } else if woken.gone {
            Err(End::Gone)
        } else {
            Ok(())
        }
    }

    /// What the client asks for on its socket.
    fn ask(&mut self) -> Result<(), End> {
        let (packet, files) = match packets::receive(&self.wires.socket) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(End::Gone),
        };
        let file = files.into_iter().next();
        let answer = match (Ask::decode(&packet), file) {
            (Ok(Ask::NewBuffer { bytes }), None) => self.new_buffer(bytes),
            (Ok(Ask::Import), Some(file)) => self.attach(file).map(|reply| (reply, None)),
            (Ok(Ask::Forget { at }), None) => self.forget(at).map(|reply| (reply, None)),
            (Ok(_), _) => Err(Fault::Malformed),
            (Err(_), _) => {
                let why = "a packet on the socket means nothing";
                return Err(End::Broken(Reason::new("shim/socket", why)));
            }
        };
        let (reply, file) = answer.unwrap_or_else(|fault| (Reply::Failed(fault), None));
        let files: Vec<BorrowedFd<'_>> = file.iter().map(AsFd::as_fd).collect();
        // A client that doesn't take its replies is gone.
        packets::send(&self.wires.socket, &reply.encode(), &files).map_err(|_| End::Gone)
    }

    fn new_buffer(&mut self, bytes: u64) -> Result<(Reply, Option<OwnedFd>), Fault> {
        if bytes == 0 || !bytes.is_multiple_of(PAGE) {
            return Err(Fault::Range);
        }
        let file = sealed_memfd(bytes).map_err(|_| Fault::Quota)?;
        let theirs = file.try_clone().map_err(|_| Fault::Quota)?;
        Ok((self.attach(file)?, Some(theirs)))
    }

    /// Maps a file that can't shrink, whoever made it.
    fn attach(&mut self, fd: OwnedFd) -> Result<Reply, Fault> {
        let size = rustix::fs::fstat(&fd).map_err(|_| Fault::Range)?.st_size;
        let bytes = u64::try_from(size).map_err(|_| Fault::Range)?;
        if bytes == 0 || !bytes.is_multiple_of(PAGE) {
            return Err(Fault::Range);
        }
        let layout = &mut self.session.layout;
        if layout.buffers().0 >= BUFFERS {
            return Err(Fault::Quota);
        }
        let at = layout.place(bytes).ok_or(Fault::Quota)?;
        let place = GuestAddress(at.0);
        let request = MapRequest { at: place, len: bytes, fd, offset: 0, writable: true };
        match self.ram.map(request) {
            Ok(()) => Ok(Reply::Buffer { at, bytes }),
            Err(error) => {
                self.session.layout.remove(at);
                self.note(&Reason::new("shim/buffer", error.to_string()), "a buffer was refused");
                Err(match error.errno() {
                    rustix::io::Errno::NOSPC => Fault::Quota,
                    _ => Fault::Refused,
                })
            }
        }
    }

    fn forget(&mut self, at: ArenaOffset) -> Result<Reply, Fault> {
        let bytes = self.session.layout.remove(at).ok_or(Fault::Name)?;
        if let Err(error) = self.ram.unmap(GuestAddress(at.0), bytes) {
            self.note(&Reason::new("shim/buffer", error.to_string()), "a buffer stays");
        }
        Ok(Reply::Done)
    }

    fn note(&self, why: &Reason, what: &str) {
        self.handle.note(why, what);
    }
}
