//! vfio-user: a VMM (QEMU's `vfio-user-pci`) traps its guest's accesses to a PCI device and sends them here, over a
//! Unix socket. The protocol is QEMU's `docs/interop/vfio-user.rst`.
//!
//! ```text
//!  socket ──► Connection ──bytes, descriptors──► Framer ──Message──► Session ──calls──► Device
//!    ▲            │                                                     │
//!    └─ bounded ──┴──────────────────────── reply ──────────────────────┘
//! ```
//!
//! [`Framer`] and [`Session`] do no I/O. The VMM is not trusted: a message that makes no sense gets an error for an
//! answer, a stream that makes no sense ends the connection with a [`Disconnect`]; nothing is allocated for a size
//! that was merely announced, and a VMM that doesn't read its answers is cut off before they pile up.
//!
//! A part of a BAR that is plain memory ([`SharedPages`]) goes to the VMM as a descriptor. QEMU posts no register writes
//! to a device of which something is mapped: each waits for its effect.

pub mod client;
mod connection;
mod framer;
mod interrupt;
mod listener;
mod session;
mod wire;

use std::io;

use rustix::io::Errno;

use crate::memory::{GuestAddress, MapRequest, SharedPages};
use crate::{Place, RegionInfo, Vector};

pub use connection::Connection;
pub use framer::{Framer, Message};
pub use interrupt::Interrupt;
pub use listener::Listener;
pub use session::{Reply, Session};
pub use wire::{Command, Flags, Header, MAX_DATA, MAX_FDS, MAX_MESSAGE};

/// What a [`Session`] calls: the VM behind the socket.
pub trait Device {
    /// The device's regions; constant.
    fn regions(&self) -> &[RegionInfo];

    /// The memory behind a part of a BAR, for the VMM to map; constant.
    fn shared(&self) -> Option<&SharedPages> {
        None
    }

    /// MSI messages that the device may signal, 1 to 32; constant.
    fn vectors(&self) -> u16 {
        1
    }

    /// Pieces of guest memory that may be mapped at a time; constant.
    fn max_maps(&self) -> u16;

    /// The guest reads. In a BAR 1, 2, 4 or 8 bytes, naturally aligned; elsewhere any number. Inside the region.
    fn read(&mut self, at: Place, to: &mut [u8]);

    /// The guest writes; sizes as for `read`. The region is writable.
    fn write(&mut self, at: Place, from: &[u8]);

    /// The VMM hands over a piece of guest memory.
    ///
    /// # Errors
    /// What the VMM gets for an answer.
    fn map(&mut self, request: MapRequest) -> Result<(), Errno>;

    /// The VMM takes back the piece that it handed over at `at`. It is not touched after this returns.
    ///
    /// # Errors
    /// As for `map`.
    fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), Errno>;

    /// The VMM takes back all memory.
    ///
    /// # Errors
    /// As for `map`.
    fn unmap_all(&mut self) -> Result<(), Errno>;

    /// From now on `vector` is signalled through `to`, or not at all.
    fn set_interrupt(&mut self, vector: Vector, to: Option<Interrupt>);

    /// The VMM resets the device.
    fn reset(&mut self);
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Disconnect {
    /// The VMM hung up.
    #[error("the VMM closed the connection")]
    Closed,
    /// A message announces an impossible size: what follows can't be told apart any more.
    #[error("a message of {0} bytes (at least 16 and at most {MAX_MESSAGE} are allowed)")]
    MessageSize(u32),
    /// Not a command, where only commands make sense.
    #[error("a message that is not a command (flags {0:#x})")]
    NotACommand(u32),
    /// More descriptors with a message than were agreed on.
    #[error("more than {MAX_FDS} descriptors with one message")]
    TooManyDescriptors,
    /// The first message must be VERSION.
    #[error("command {0} before the version was agreed on")]
    BeforeVersion(u16),
    /// The VMM does not read its answers.
    #[error("the VMM left {0} bytes of answers unread")]
    Stalled(usize),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(#[source] io::Error),
}

#[cfg(test)]
mod tests;
