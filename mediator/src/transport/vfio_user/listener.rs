//! The socket that a VMM connects to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use rustix::fs::{FileType, Mode, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::Connection;

/// Callers turned away in one go.
const TURNED_AWAY: usize = 16;

/// Lets one VMM in at a time. Its socket is open to the daemon's own user only, and goes when the listener does.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of the socket in the file system.
    identity: (u64, u64),
    guest: Weak<()>,
}

impl Listener {
    /// Listens at `path`. A socket there on which nobody answers (left by a daemon that was killed) is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when somebody listens there, [`io::ErrorKind::AlreadyExists`] for a file that
    /// is not a socket, and what the kernel says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        remove_stale(path, &address)?;
        let socket = stream_socket()?;
        // The file gets the socket's own mode, so there is no moment at which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &address)?;
        let identity = identity(&rustix::fs::lstat(path)?);
        let listener = Self { socket, path: path.to_owned(), identity, guest: Weak::new() };
        rustix::net::listen(&listener.socket, 4)?;
        Ok(listener)
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
                log::warn!("{}: a second VMM was turned away", self.path.display());
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
        &self.path
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours = rustix::fs::lstat(&self.path).is_ok_and(|stat| identity(&stat) == self.identity);
        if ours && let Err(e) = std::fs::remove_file(&self.path) {
            log::warn!("{}: could not be removed: {e}", self.path.display());
        }
    }
}

fn stream_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let stat = match rustix::fs::lstat(path) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        let what = format!("{} exists and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match rustix::net::connect(stream_socket()?, address) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        Ok(()) | Err(Errno::AGAIN) => {
            let what = format!("somebody listens on {} already", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
        Err(e) => Err(e.into()),
    }
}
