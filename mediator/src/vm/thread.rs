//! The thread of a VM: waits for its VMM, for mail, and for the device's next due time, and never for anything else.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Host, Mailbox};
use crate::transport::vfio_user::{Connection, Disconnect, Listener, Message, Session};
use crate::{Reason, Time};

/// Messages and mail that are handled in a row before the other is looked at.
const TURN: usize = 256;

/// How long messages are handled in a row: a few of them may ask for a lot.
const TURN_TIME: Duration = Duration::from_millis(5);

/// How long a VMM waits when the executors do not keep up with it.
const CATCH_UP: Duration = Duration::from_millis(1);

/// How long callers wait when the host has no descriptors for them.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A VM's thread.
pub(crate) struct VmThread<W: Send + 'static> {
    host: Host<W>,
    listener: Listener,
    mailbox: Mailbox,
    guest: Option<Guest>,
    /// Nobody is let in before.
    accept_after: Time,
    /// Whether messages or mail are left from the last turn.
    backlog: bool,
}

/// A connected VMM.
struct Guest {
    connection: Connection,
    session: Session,
    /// An access that waits until the GPU goes on.
    held: Option<Message>,
}

impl<W: Send + 'static> VmThread<W> {
    pub(crate) fn new(host: Host<W>, listener: Listener, mailbox: Mailbox) -> Self {
        let accept_after = Time::default();
        Self { host, listener, mailbox, guest: None, accept_after, backlog: false }
    }

    /// Until the mediator shuts down.
    pub(crate) fn run(mut self) {
        // The device has its own guard; this one is for our own mistakes. They cost this VM its connection.
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    let why = Reason::new("internal/panic", "the VM's thread panicked");
                    self.host.note(&why, "disconnected");
                    self.hang_up();
                }
            }
        }
        self.guest = None;
        self.host.stop();
    }

    /// One round: wait, then do what is due. Returns whether to go on.
    fn turn(&mut self) -> bool {
        // What a VMM sent before somebody wanted the VM saved is there once this round's wait is over.
        let stopping = self.host.is_stopping();
        let due = self.host.tick();
        let Events { bell, caller, readable, writable, gone } = self.wait(due);
        self.backlog = false;
        if bell && !self.take_mail() {
            return false;
        }
        if let Some(guest) = &mut self.guest {
            // What a VMM sent before it went is for nobody any more: its device is reset in any case. Nor may it keep
            // the next one waiting.
            let turn = if gone {
                Err(Disconnect::Closed)
            } else {
                guest.turn(&mut self.host, readable, writable)
            };
            match turn {
                Ok(more) => self.backlog |= more,
                Err(why) => {
                    let name = self.host.handle().name();
                    match why {
                        Disconnect::Closed => log::info!("{name}: {why}"),
                        _ => self.host.note(
                            &Reason::new("transport/protocol", why.to_string()),
                            "disconnected",
                        ),
                    }
                    self.hang_up();
                }
            }
        }
        self.host.come_to_rest(stopping && !self.backlog);
        if caller {
            self.let_in();
        }
        true
    }

    fn wait(&self, due: Option<Time>) -> Events {
        let now = self.host.clock().now();
        let paused = now < self.accept_after;
        let ahead = self.host.is_ahead();
        let wake = paused.then_some(self.accept_after);
        let catch_up = ahead.then_some(now + CATCH_UP);
        let left = if self.backlog && !ahead {
            Some(Duration::ZERO)
        } else {
            let rest = self.host.rest_due();
            due.into_iter().chain(wake).chain(catch_up).chain(rest).min().map(|at| at.since(now))
        };
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });

        let mut fds = vec![PollFd::from_borrowed_fd(self.mailbox.bell(), PollFlags::IN)];
        let wanted = if paused || ahead { PollFlags::empty() } else { PollFlags::IN };
        fds.push(PollFd::new(&self.listener, wanted));
        if let Some(Guest { connection, held, .. }) = &self.guest {
            let out = if connection.wants_write() { PollFlags::OUT } else { PollFlags::empty() };
            let wanted = match held {
                _ if ahead => PollFlags::empty(),
                Some(_) if self.host.is_standing() => out,
                _ => PollFlags::IN | out,
            };
            fds.push(PollFd::new(connection, wanted));
        }
        // Interrupted by a signal: nothing is ready, and the next round comes at once.
        let _ = poll(&mut fds, timeout.as_ref());
        let ready = |index: usize| fds.get(index).map_or(PollFlags::empty(), PollFd::revents);
        Events {
            bell: !ready(0).is_empty() || self.backlog,
            caller: !ready(1).is_empty(),
            readable: ready(2).contains(PollFlags::IN),
            writable: ready(2).contains(PollFlags::OUT),
            gone: ready(2).intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        }
    }

    /// Returns whether to go on.
    fn take_mail(&mut self) -> bool {
        self.mailbox.silence();
        for _ in 0..TURN {
            let Some(mail) = self.mailbox.take() else { return true };
            if !self.host.mail(mail) {
                return false;
            }
        }
        self.backlog = true;
        true
    }

    fn let_in(&mut self) {
        match self.listener.accept() {
            Ok(Some(connection)) => match self.host.connected() {
                Ok(()) => {
                    log::info!("{}: a VMM is connected", self.host.handle().name());
                    self.guest =
                        Some(Guest { connection, session: Session::default(), held: None });
                }
                Err(error) => self.turn_away(&error),
            },
            Ok(None) => {}
            Err(error) => self.turn_away(&error),
        }
    }

    /// The host lacks what a VMM takes.
    fn turn_away(&mut self, error: &io::Error) {
        let why = Reason::new("host/accept", error.to_string());
        self.host.note(&why, "a VMM could not be let in");
        self.accept_after = self.host.clock().now() + ACCEPT_PAUSE;
    }

    fn hang_up(&mut self) {
        self.guest = None;
        self.host.disconnected();
    }
}

/// What there is to do.
struct Events {
    bell: bool,
    caller: bool,
    readable: bool,
    writable: bool,
    /// The VMM has hung up, in both directions.
    gone: bool,
}

impl Guest {
    /// Returns whether messages are left.
    fn turn<W: Send + 'static>(
        &mut self,
        host: &mut Host<W>,
        readable: bool,
        writable: bool,
    ) -> Result<bool, Disconnect> {
        if writable {
            self.connection.flush()?;
        }
        if readable {
            self.connection.fill()?;
        }
        let end = host.clock().now() + TURN_TIME;
        for _ in 0..TURN {
            if host.is_ahead() {
                return Ok(true);
            }
            let held = self.held.take();
            let next = if held.is_some() { held } else { self.connection.next_message()? };
            let Some(message) = next else { return Ok(false) };
            if host.is_standing() && message.is_guest_access() {
                self.held = Some(message);
                return Ok(false);
            }
            if let Some(answer) = self.session.handle(message, host)? {
                self.connection.send(answer)?;
            }
            if host.clock().now() >= end {
                break;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
