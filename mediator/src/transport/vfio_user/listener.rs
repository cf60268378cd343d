//! The socket that a VMM connects to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Weak};

use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::Connection;
use crate::socket::SocketFile;

/// Callers turned away in one go.
const TURNED_AWAY: usize = 16;
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
        let (socket, file) = SocketFile::listen(path, BACKLOG)?;
        Ok(Self { socket, file, guest: Weak::new() })
    }

    /// Lets a VMM in, or turns it away while another one's [`Connection`] lives. Call it when the socket is readable.
    ///
    /// # Errors
    /// What the kernel says; out of descriptors, for one.
    pub fn accept(&mut self) -> io::Result<Option<Connection>> {
        for _ in 0..TURNED_AWAY {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let caller = match rustix::net::accept_with(&self.socket, flags) {
                Ok(caller) => caller,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(e) => return Err(e.into()),
            };
            if self.guest.strong_count() > 0 {
                log::warn!("{}: a second VMM was turned away", self.path().display());
                continue;
            }
            let seat = Arc::new(());
            self.guest = Arc::downgrade(&seat);
            return Ok(Some(Connection::new(caller, seat)?));
        }
        Ok(None)
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
