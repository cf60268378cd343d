//! An interrupt's way out: an eventfd of the VMM.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

/// An eventfd that the VMM (or KVM itself) waits on. It is made non-blocking here. The VMM could undo that and so block
/// the thread that signals it: its own VM's, nobody else's.
#[derive(Debug)]
pub struct Interrupt(OwnedFd);

impl Interrupt {
    /// Takes an eventfd.
    ///
    /// # Errors
    /// [`Errno::INVAL`] for a descriptor of another kind: writing to a file, a pipe or a socket could do anything.
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        // Files without a type are the kernel's anonymous ones; of those only an eventfd takes a write of 8 bytes.
        let mode = rustix::fs::fstat(&fd)?.st_mode;
        if FileType::from_raw_mode(mode) != FileType::Unknown {
            return Err(Errno::INVAL);
        }
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        Ok(Self(fd))
    }

    /// Signals it. Signals that nobody took yet add up to one.
    ///
    /// # Errors
    /// When the descriptor takes none.
    pub fn signal(&self) -> Result<(), Errno> {
        match rustix::io::write(&self.0, &1u64.to_ne_bytes()) {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::EventfdFlags;

    use super::*;

    #[test]
    fn only_eventfds_are_taken() {
        let eventfd = rustix::event::eventfd(0, EventfdFlags::empty()).unwrap();
        let copy = eventfd.try_clone().unwrap();
        let interrupt = Interrupt::new(eventfd).unwrap();
        interrupt.signal().unwrap();
        interrupt.signal().unwrap();
        let mut count = [0; 8];
        rustix::io::read(&copy, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 2);

        // A counter that is full must not block.
        rustix::io::write(&copy, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        interrupt.signal().unwrap();

        let file = std::fs::File::open("/dev/null").unwrap();
        for wrong in [rustix::pipe::pipe().unwrap().1, file.into()] {
            assert_eq!(Interrupt::new(wrong).unwrap_err(), Errno::INVAL);
        }
    }
}
