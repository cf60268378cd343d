//! From a stream of bytes to messages.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::Disconnect;
use super::wire::{Command, Fields, Flags, HEADER, Header, MAX_FDS, MAX_MESSAGE, region_index};
use crate::Region;

/// A whole message.
#[derive(Debug)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// What follows the header.
    pub payload: Vec<u8>,
    /// The descriptors that came with it.
    pub fds: Vec<OwnedFd>,
}

impl Message {
    /// Whether it is an access to registers or memory of the device, as guests make them: not to configuration space or
    /// ROM, which the VMM looks at for itself.
    #[must_use]
    pub fn is_guest_access(&self) -> bool {
        match self.header.command {
            Command::REGION_READ | Command::REGION_WRITE => {
                let mut fields = Fields(&self.payload);
                let _offset = fields.u64();
                fields.u32().is_some_and(|region| region < region_index(Region::Rom))
            }
            command => command == Command::REGION_WRITE_MULTI,
        }
    }
}

/// Cuts a stream into messages, however it was chopped on its way.
///
/// Descriptors are not part of the stream: the kernel hands them over with some piece of it, and ends that piece
/// with the bytes that they were sent with. So they belong to the message that has the piece's last byte.
#[derive(Debug, Default)]
pub struct Framer {
    /// The stream from the first byte that is not delivered yet.
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that were delivered after all.
    delivered: usize,
    /// Descriptors and where in `bytes` the piece that they came with ended.
    fds: VecDeque<(usize, OwnedFd)>,
}

impl Framer {
    /// Takes the next piece of the stream, and the descriptors that came with it.
    pub fn feed(&mut self, bytes: &[u8], fds: impl IntoIterator<Item = OwnedFd>) {
        self.bytes.drain(..self.delivered);
        for (end, _) in &mut self.fds {
            *end = end.saturating_sub(self.delivered);
        }
        self.delivered = 0;
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        self.fds.extend(fds.into_iter().map(|fd| (end, fd)));
    }

    /// Bytes taken but not delivered.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.bytes.len().saturating_sub(self.delivered)
    }

    /// The next message, if it is all there.
    ///
    /// # Errors
    /// [`Disconnect`] when the stream makes no sense. It never will again.
    pub fn next_message(&mut self) -> Result<Option<Message>, Disconnect> {
        let rest = self.bytes.get(self.delivered..).unwrap_or_default();
        let Some(header) = rest.get(..HEADER).and_then(Header::parse) else {
            return self.incomplete();
        };
        if header.size < HEADER as u32 || header.size > MAX_MESSAGE {
            return Err(Disconnect::MessageSize(header.size));
        }
        if header.flags.intersects(Flags::TYPE) {
            return Err(Disconnect::NotACommand(header.flags.bits()));
        }
        let Some(payload) = rest.get(HEADER..header.size as usize) else {
            return self.incomplete();
        };
        let payload = payload.to_vec();
        let end = self.delivered.saturating_add(header.size as usize);
        let own = self.fds.partition_point(|(at, _)| *at <= end);
        if own > MAX_FDS {
            return Err(Disconnect::TooManyDescriptors);
        }
        let fds = self.fds.drain(..own).map(|(_, fd)| fd).collect();
        self.delivered = end;
        Ok(Some(Message { header, payload, fds }))
    }

    /// Nothing to deliver yet. All descriptors that are here belong to this message.
    fn incomplete(&self) -> Result<Option<Message>, Disconnect> {
        if self.fds.len() > MAX_FDS {
            return Err(Disconnect::TooManyDescriptors);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::Command;
    use super::*;

    fn message(id: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let size = (HEADER + payload.len()) as u32;
        let command = Command::REGION_WRITE;
        Header { id, command, size, flags: Flags::empty(), error: 0 }.put(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn fds(count: usize) -> Vec<OwnedFd> {
        let any = std::fs::File::open("/dev/null").unwrap();
        (0..count).map(|_| any.try_clone().unwrap().into()).collect()
    }

    #[test]
    fn a_split_header_is_whole_again() {
        let mut framer = Framer::default();
        let bytes = message(7, b"abc");
        for byte in &bytes[..bytes.len() - 1] {
            framer.feed(&[*byte], []);
            assert!(framer.next_message().unwrap().is_none());
        }
        framer.feed(b"c", []);
        let message = framer.next_message().unwrap().unwrap();
        assert_eq!((message.header.id, message.payload.as_slice()), (7, &b"abc"[..]));
        assert_eq!(framer.buffered(), 0);
    }

    #[test]
    fn impossible_sizes_end_the_stream() {
        for size in [0, 15, MAX_MESSAGE + 1, u32::MAX] {
            let mut bytes = message(1, b"");
            bytes[4..8].copy_from_slice(&size.to_ne_bytes());
            let mut framer = Framer::default();
            framer.feed(&bytes, []);
            assert!(matches!(framer.next_message(), Err(Disconnect::MessageSize(s)) if s == size));
        }
    }

    #[test]
    fn replies_end_the_stream() {
        let mut bytes = message(1, b"");
        bytes[8] = 1;
        let mut framer = Framer::default();
        framer.feed(&bytes, []);
        assert!(matches!(framer.next_message(), Err(Disconnect::NotACommand(1))));
    }

    #[test]
    fn descriptors_go_with_the_message_that_ends_their_piece() {
        let mut framer = Framer::default();
        framer.feed(&[message(1, b"x"), message(2, b"y")].concat(), fds(2));
        let third = message(3, b"z");
        framer.feed(&third[..4], fds(1));
        framer.feed(&third[4..], fds(1));
        let counts: Vec<usize> =
            std::iter::from_fn(|| framer.next_message().unwrap()).map(|m| m.fds.len()).collect();
        assert_eq!(counts, [0, 2, 2]);
    }

    #[test]
    fn too_many_descriptors_end_the_stream() {
        let mut framer = Framer::default();
        let bytes = message(1, b"x");
        framer.feed(&bytes[..3], fds(MAX_FDS));
        assert!(framer.next_message().unwrap().is_none());
        framer.feed(&bytes[3..5], fds(1));
        assert!(matches!(framer.next_message(), Err(Disconnect::TooManyDescriptors)));
    }

    proptest! {
        #[test]
        fn chopping_changes_nothing(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            cuts in prop::collection::vec(1usize..30, 1..20),
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|p| message(0, p)).collect();
            let mut framer = Framer::default();
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                framer.feed(piece, []);
                while let Some(message) = framer.next_message().unwrap() {
                    seen.push(message.payload);
                }
            }
            prop_assert_eq!(seen, payloads);
            prop_assert_eq!(framer.buffered(), 0);
        }

        #[test]
        fn any_stream_is_survived(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let mut framer = Framer::default();
            for piece in pieces {
                framer.feed(&piece, []);
                while let Ok(Some(_)) = framer.next_message() {}
            }
        }
    }
}
