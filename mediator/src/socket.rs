//! A Unix socket in the file system, for the daemon's own user only, that goes when it is not used any more.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The socket's file. Removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: a file that somebody else put there meanwhile stays.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens at `path`, with mode 0600, without blocking. At most `backlog` callers wait to be accepted. A socket
    /// there on which nobody answers (left by a daemon that was killed) is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when somebody listens there, [`io::ErrorKind::AlreadyExists`] for a file that is
    /// not a socket, and what the kernel says.
    pub(crate) fn listen(
        path: &Path,
        kind: Kind,
        backlog: i32,
    ) -> io::Result<(UnixListener, Self)> {
        let address = SocketAddrUnix::new(path)?;
        remove_stale(path, &address, kind)?;
        let socket = new_socket(kind)?;
        // The file gets the socket's own mode, so there is no moment at which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &address)?;
        let file = Self { path: path.to_owned(), identity: identity(path)? };
        rustix::net::listen(&socket, backlog)?;
        Ok((socket.into(), file))
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Ok(self.identity)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            log::warn!("{}: could not be removed: {error}", self.path.display());
        }
    }
}

/// How bytes come through a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// One after another.
    Stream,
    /// As they were sent, packet by packet.
    Packets,
}

fn new_socket(kind: Kind) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let kind = match kind {
        Kind::Stream => SocketType::STREAM,
        Kind::Packets => SocketType::SEQPACKET,
    };
    Ok(rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?)
}

fn identity(path: &Path) -> Result<(u64, u64), Errno> {
    rustix::fs::lstat(path).map(|stat| (stat.st_dev, stat.st_ino))
}

fn remove_stale(path: &Path, address: &SocketAddrUnix, kind: Kind) -> io::Result<()> {
    let stat = match rustix::fs::lstat(path) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        let what = format!("{} exists and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    // Without blocking: one that listens may have as many callers as it lets wait.
    match rustix::net::connect(new_socket(kind)?, address) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        Ok(()) | Err(Errno::AGAIN) => {
            let what = format!("somebody listens on {} already", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
        Err(e) => Err(e.into()),
    }
}
