//! The socket that a VMM connects to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Weak};

use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::Connection;
use crate::socket::{Kind, SocketFile};

/// Callers that may wait to be let in.
const BACKLOG: i32 = 4;

/// Lets one VMM in at a time. Its socket is open to the daemon's own user only, and goes when the listener does.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    file: SocketFile,
    guest: Weak<()>,
}

impl Listener {
    /// Listens at `path`. A socket there on which nobody answers (left by a daemon that was killed) is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when somebody listens there, [`io::ErrorKind::AlreadyExists`] for a file that
    /// is not a socket, and what the kernel says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let (socket, file) = SocketFile::listen(path, Kind::Stream, BACKLOG)?;
        Ok(Self { socket, file, guest: Weak::new() })
    }

    /// Lets a VMM in, or turns it away while another one's [`Connection`] lives. Call it when the socket is readable,
    /// and each time look first whether that other one is gone: the next caller may have waited for that.
    ///
    /// # Errors
    /// What the kernel says; out of descriptors, for one.
    pub fn accept(&mut self) -> io::Result<Option<Connection>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let caller = match rustix::net::accept_with(&self.socket, flags) {
            Ok(caller) => caller,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        if self.guest.strong_count() > 0 {
            log::warn!("{}: a second VMM was turned away", self.path().display());
            return Ok(None);
        }
        let seat = Arc::new(());
        self.guest = Arc::downgrade(&seat);
        Ok(Some(Connection::new(caller, seat)?))
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
