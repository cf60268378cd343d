//! The socket to one VMM. Never blocks.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::wire::{MAX_FDS, MAX_MESSAGE};
use super::{Disconnect, Framer, Message, Reply};
use crate::memory::SharedPages;

/// Bytes of answers that may wait for the VMM to read them.
const MAX_UNREAD: usize = 4 << 20;
/// Bytes taken from the socket at once.
const CHUNK: usize = 64 << 10;
/// How often [`Connection::fill`] reads, so that a VMM that never stops writing can't keep its thread from other work.
const READS: usize = 4;

/// A connected VMM.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    framer: Framer,
    chunk: Box<[u8]>,
    closed: bool,
    /// Answers, each whole: QEMU takes a header that comes in two pieces for a broken connection. The kernel
    /// hands on up to 32 KiB as one piece if they are written as one.
    unsent: VecDeque<Reply>,
    /// Bytes of the first answer that are sent.
    sent: usize,
    /// Bytes of all answers in `unsent`.
    unread: usize,
    /// Held by the listener too, weakly: as long as this lives, nobody else is let in.
    _seat: Arc<()>,
}

impl Connection {
    /// Takes a connected stream socket. While `seat` lives, its listener refuses others.
    pub(super) fn new(socket: OwnedFd, seat: Arc<()>) -> Result<Self, Errno> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self {
            socket,
            framer: Framer::default(),
            chunk: vec![0; CHUNK].into(),
            closed: false,
            unsent: VecDeque::new(),
            sent: 0,
            unread: 0,
            _seat: seat,
        })
    }

    /// Reads what is there, up to a bound. Call it when the socket is readable, and then
    /// [`next_message`](Self::next_message) until there is none.
    ///
    /// # Errors
    /// [`Disconnect`] for a socket or a stream that is broken. That the VMM hung up is told by `next_message`,
    /// after the last message.
    pub fn fill(&mut self) -> Result<(), Disconnect> {
        for _ in 0..READS {
            if self.closed || self.framer.buffered() > MAX_MESSAGE as usize {
                break;
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut self.chunk)];
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received =
                match rustix::net::recvmsg(&self.socket, &mut slices, &mut control, flags) {
                    Ok(received) => received,
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => continue,
                    Err(Errno::CONNRESET) => {
                        self.closed = true;
                        break;
                    }
                    Err(e) => return Err(Disconnect::Socket(e.into())),
                };
            let mut fds = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            if received.flags.contains(ReturnFlags::CTRUNC) {
                return Err(Disconnect::TooManyDescriptors);
            }
            self.closed = received.bytes == 0;
            let bytes = self.chunk.get(..received.bytes).unwrap_or_default();
            self.framer.feed(bytes, fds);
            if received.bytes < CHUNK {
                // What else may be there makes the socket readable again.
                break;
            }
        }
        Ok(())
    }

    /// The next whole message that was read.
    ///
    /// # Errors
    /// [`Disconnect`] for a stream that makes no sense, or when the VMM hung up and all its messages are delivered.
    pub fn next_message(&mut self) -> Result<Option<Message>, Disconnect> {
        match self.framer.next_message()? {
            None if self.closed => Err(Disconnect::Closed),
            message => Ok(message),
        }
    }

    /// Sends an answer, or what of it the socket takes now.
    ///
    /// # Errors
    /// [`Disconnect::Stalled`] when the VMM left too much unread.
    pub fn send(&mut self, answer: Reply) -> Result<(), Disconnect> {
        self.unread = self.unread.saturating_add(answer.bytes.len());
        self.unsent.push_back(answer);
        self.flush()?;
        if self.unread > MAX_UNREAD {
            return Err(Disconnect::Stalled(self.unread));
        }
        Ok(())
    }

    /// Sends what the socket takes. Call it when the socket is writable.
    ///
    /// # Errors
    /// [`Disconnect`] for a broken socket.
    pub fn flush(&mut self) -> Result<(), Disconnect> {
        while let Some(answer) = self.unsent.front() {
            let rest = answer.bytes.get(self.sent..).unwrap_or_default();
            // A descriptor goes with its answer's first byte.
            let fd = answer.shared.as_ref().filter(|_| self.sent == 0).map(SharedPages::file);
            match send(&self.socket, rest, fd) {
                Ok(sent) if sent < rest.len() => self.sent = self.sent.saturating_add(sent),
                Ok(_) => {
                    self.unread = self.unread.saturating_sub(answer.bytes.len());
                    self.sent = 0;
                    self.unsent.pop_front();
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(Disconnect::Closed),
                Err(e) => return Err(Disconnect::Socket(e.into())),
            }
        }
        Ok(())
    }

    /// Whether to wait for the socket to become writable.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.unsent.is_empty()
    }
}

fn send(socket: &OwnedFd, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let Some(fd) = fd else { return rustix::net::send(socket, bytes, flags) };
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::INVAL);
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
