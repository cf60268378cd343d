//! A Unix socket in the file system, for the daemon's own user only, that goes when it is not used any more.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
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
    /// Listens at `path`, with mode 0600. A socket there on which nobody answers is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when somebody listens there, and what the kernel says.
    pub(crate) fn listen(path: &Path) -> io::Result<(UnixListener, Self)> {
        let is_socket =
            |stat: &rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if rustix::fs::lstat(path).is_ok_and(|stat| is_socket(&stat)) {
            match UnixStream::connect(path) {
                Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                }
                Err(error) => return Err(error),
            }
        }
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The file gets the socket's own mode, so there is no moment at which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        let file = Self { path: path.to_owned(), identity: identity(path)? };
        rustix::net::listen(&socket, 8)?;
        Ok((socket.into(), file))
    }
}

fn identity(path: &Path) -> Result<(u64, u64), Errno> {
    rustix::fs::lstat(path).map(|stat| (stat.st_dev, stat.st_ino))
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
