//! Packets on a socket, with descriptors: how both sides send and receive what [`wire`](crate::wire) says of it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::vec::Vec;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::wire::{GREETING_DESCRIPTORS, PACKET_WORDS, Packet};

/// Sends a packet with descriptors, as many as a greeting has at most.
///
/// # Errors
/// The kernel's; a socket that doesn't block may have no room.
pub fn send(socket: &OwnedFd, packet: &Packet, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes: Vec<u8> = packet.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GREETING_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL;
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, flags)
    })?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives a packet and the descriptors that come with it: waits, if the socket blocks.
///
/// # Errors
/// The kernel's, and [`io::ErrorKind::UnexpectedEof`] for what is no packet, or the end.
pub fn receive(socket: &OwnedFd) -> io::Result<(Packet, Vec<OwnedFd>)> {
    let mut bytes = [0; PACKET_WORDS * 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GREETING_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = loop {
        let mut to = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, &mut to, &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    if message.bytes != PACKET_WORDS * 8 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let (words, _) = bytes.as_chunks::<8>();
    let mut packet = [0; PACKET_WORDS];
    packet.iter_mut().zip(words).for_each(|(to, word)| *to = u64::from_le_bytes(*word));
    Ok((packet, descriptors))
}
