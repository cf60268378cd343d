//! Sleeping until a bell rings or a socket has something: how both sides wait for each other.
//!
//! A bell is an eventfd. It is never read: each time that it is rung is an event of its own (`EPOLLET`), so that a side sleeps
//! and wakes with one system call.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Sources at a time.
const MOST: usize = 4;

/// What somebody sleeps for.
#[derive(Debug)]
pub struct Sleeper {
    epoll: OwnedFd,
}

/// Why somebody woke up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// The socket can be read.
    pub readable: bool,
    /// The other side of the socket is gone.
    pub gone: bool,
}

const BELL: EventData = EventData::new_u64(0);
const SOCKET: EventData = EventData::new_u64(1);

impl Sleeper {
    /// Sleeps for the socket.
    ///
    /// # Errors
    /// When the host has no descriptor.
    pub fn new(socket: impl AsFd) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, socket, SOCKET, EventFlags::IN)?;
        Ok(Self { epoll })
    }

    /// Sleeps for this bell, too.
    ///
    /// # Errors
    /// When the host has no memory.
    pub fn add_bell(&self, bell: impl AsFd) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, bell, BELL, EventFlags::IN | EventFlags::ET)?)
    }

    /// Until something happens, the time is over, or a signal comes.
    pub fn sleep(&self, at_most: Option<&Timespec>) -> Woken {
        let mut events = [MaybeUninit::uninit(); MOST];
        let mut woken = Woken::default();
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events, at_most) else { return woken };
        for event in events.iter().filter(|event| event.data.u64() == SOCKET.u64()) {
            let flags = event.flags;
            woken.readable |= flags.contains(EventFlags::IN);
            woken.gone |= flags.intersects(EventFlags::HUP | EventFlags::ERR);
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    fn soon() -> Option<Timespec> {
        Timespec::try_from(Duration::from_millis(20)).ok()
    }

    #[test]
    fn each_ring_wakes_once() {
        let (left, right) = UnixStream::pair().unwrap();
        let bell = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let sleeper = Sleeper::new(&left).unwrap();
        sleeper.add_bell(&bell).unwrap();
        let slept = || {
            let begun = std::time::Instant::now();
            sleeper.sleep(soon().as_ref());
            begun.elapsed() >= Duration::from_millis(19)
        };
        assert!(slept());
        for _ in 0..3 {
            rustix::io::write(&bell, &1_u64.to_ne_bytes()).unwrap();
            assert!(!slept(), "rung");
            assert!(slept(), "and not again");
        }
        drop(right);
        assert!(sleeper.sleep(soon().as_ref()).gone);
    }
}
