//! The VMM's side of the protocol: a stand-in for a VM, for system tests and tools that poke at a device.
//!
//! It blocks, and gives up on an answer after [`PATIENCE`].

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::wire::{
    CAP_SPARSE_MMAP, Command, Fields, Flags, HEADER, Header, IRQ_MSI, MAX_DATA, MAX_FDS,
    MAX_MESSAGE, MapFlags, SetIrqFlags, UnmapFlags, region_index,
};
use crate::{GuestAddress, Mappable, Place, Region, Vector};

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The device answered with an error.
    #[error("the device refused: {0}")]
    Refused(Errno),
    /// The connection failed, or the device hung up.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The answer makes no sense.
    #[error("a wrong answer: {0}")]
    Protocol(&'static str),
}

/// A region as the device describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionAnswer {
    /// Bit 0: readable, 1: writable, 2: can be mapped.
    pub flags: u32,
    /// Bytes; 0 where the device has no such region.
    pub size: u64,
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    next_id: u16,
}

impl Client {
    /// Connects to the socket at `path` and agrees on a version.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let mut client = Self::connect_raw(path)?;
        client.version()?;
        Ok(client)
    }

    /// Connects and says nothing yet.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn connect_raw(path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, next_id: 0 })
    }

    /// Agrees on version 0.0, with the capabilities that QEMU has. Returns the device's, as JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn version(&mut self) -> Result<String, ClientError> {
        let json = format!(
            r#"{{"capabilities":{{"max_msg_fds":{MAX_FDS},"max_data_xfer_size":{MAX_DATA},"pgsizes":4096,"max_dma_maps":65535,"write_multiple":true}}}}"#
        );
        let payload = [&[0; 4], json.as_bytes(), &[0]].concat();
        let answer = self.request(Command::VERSION, &payload, &[])?;
        match answer.get(4..) {
            Some([json @ .., 0]) => Ok(String::from_utf8_lossy(json).into_owned()),
            _ => Err(ClientError::Protocol("a version without its data")),
        }
    }

    /// What the device says of the region with the number `index`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn region_info(&mut self, index: u32) -> Result<RegionAnswer, ClientError> {
        let payload = words(&[32, 0, index, 0, 0, 0, 0, 0]);
        let answer = self.request(Command::DEVICE_GET_REGION_INFO, &payload, &[])?;
        let mut fields = Fields(answer.get(4..).unwrap_or_default());
        let flags = fields.u32();
        let mut fields = Fields(answer.get(16..).unwrap_or_default());
        let info = flags.zip(fields.u64()).map(|(flags, size)| RegionAnswer { flags, size });
        info.ok_or(ClientError::Protocol("a short description of a region"))
    }

    /// The part of BAR `bar` that can be mapped, and the file to map it from, where offsets are the BAR's.
    ///
    /// # Errors
    /// [`ClientError`], also if the device has none, or none any more for this client.
    pub fn mappable(&mut self, bar: u8) -> Result<(Mappable, OwnedFd), ClientError> {
        let payload = words(&[64, 0, bar.into(), 0, 0, 0, 0, 0]);
        let command = Command::DEVICE_GET_REGION_INFO;
        let (answer, file) = self.request_with_file(command, &payload, &[])?;
        let mut fields = Fields(answer.get(32..).unwrap_or_default());
        let capability = [(); 4].map(|()| fields.u32());
        let part = fields.u64().zip(fields.u64());
        match (capability, part, file) {
            ([Some(CAP_SPARSE_MMAP), Some(0), Some(1), _], Some((offset, len)), Some(file)) => {
                Ok((Mappable { bar, offset, len }, file))
            }
            _ => Err(ClientError::Protocol("no part that can be mapped")),
        }
    }

    /// How many interrupts of the kind with the number `index` the device has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn irq_count(&mut self, index: u32) -> Result<u32, ClientError> {
        let payload = words(&[16, 0, index, 0]);
        let answer = self.request(Command::DEVICE_GET_IRQ_INFO, &payload, &[])?;
        let count = Fields(answer.get(12..).unwrap_or_default()).u32();
        count.ok_or(ClientError::Protocol("a short description of interrupts"))
    }

    /// Hands `len` bytes of `fd` from `offset` to the device, as guest memory at `at`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn map(
        &mut self,
        at: GuestAddress,
        len: u64,
        fd: BorrowedFd<'_>,
        offset: u64,
        writable: bool,
    ) -> Result<(), ClientError> {
        let write = if writable { MapFlags::WRITE } else { MapFlags::empty() };
        let mut payload = words(&[32, (MapFlags::READ | write).bits()]);
        for number in [offset, at.0, len] {
            payload.extend_from_slice(&number.to_ne_bytes());
        }
        self.request(Command::DMA_MAP, &payload, &[fd]).map(drop)
    }

    /// Takes memory back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), ClientError> {
        self.unmap_with(UnmapFlags::empty(), at.0, len)
    }

    /// Takes all memory back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unmap_all(&mut self) -> Result<(), ClientError> {
        self.unmap_with(UnmapFlags::ALL, 0, 0)
    }

    fn unmap_with(&mut self, flags: UnmapFlags, at: u64, len: u64) -> Result<(), ClientError> {
        let mut payload = words(&[24, flags.bits()]);
        payload.extend_from_slice(&at.to_ne_bytes());
        payload.extend_from_slice(&len.to_ne_bytes());
        self.request(Command::DMA_UNMAP, &payload, &[]).map(drop)
    }

    /// Reads `to.len()` bytes of a region.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn read(&mut self, at: Place, to: &mut [u8]) -> Result<(), ClientError> {
        let answer = self.request(Command::REGION_READ, &access(at, to.len()), &[])?;
        let data = answer.get(16..).filter(|data| data.len() == to.len());
        to.copy_from_slice(data.ok_or(ClientError::Protocol("data of another length"))?);
        Ok(())
    }

    /// Writes to a region and waits until it is done.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn write(&mut self, at: Place, from: &[u8]) -> Result<(), ClientError> {
        let payload = [access(at, from.len()).as_slice(), from].concat();
        self.request(Command::REGION_WRITE, &payload, &[]).map(drop)
    }

    /// Writes to a region without waiting, as QEMU does where it may.
    ///
    /// # Errors
    /// When the connection fails; never for what the device thinks of it.
    pub fn post(&mut self, at: Place, from: &[u8]) -> io::Result<()> {
        let payload = [access(at, from.len()).as_slice(), from].concat();
        self.send(Command::REGION_WRITE, Flags::NO_REPLY, &payload, &[]).map(drop)
    }

    /// Reads a 32-bit register of BAR `bar`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn read_u32(&mut self, bar: u8, offset: u64) -> Result<u32, ClientError> {
        let mut word = [0; 4];
        self.read(Place { region: Region::Bar(bar), offset }, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Writes a 32-bit register of BAR `bar`, posted.
    ///
    /// # Errors
    /// As for [`post`](Self::post).
    pub fn write_u32(&mut self, bar: u8, offset: u64, value: u32) -> io::Result<()> {
        self.post(Place { region: Region::Bar(bar), offset }, &value.to_le_bytes())
    }

    /// Makes an eventfd that the device signals `vector` through. It counts signals until it is read.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn enable_interrupt(&mut self, vector: Vector) -> Result<OwnedFd, ClientError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let eventfd = rustix::event::eventfd(0, flags).map_err(io::Error::from)?;
        self.set_interrupt(vector, Some(eventfd.as_fd()))?;
        Ok(eventfd)
    }

    /// Has `vector` signalled through `eventfd`, or not at all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn set_interrupt(
        &mut self,
        vector: Vector,
        eventfd: Option<BorrowedFd<'_>>,
    ) -> Result<(), ClientError> {
        let flags = SetIrqFlags::EVENTFD | SetIrqFlags::TRIGGER;
        let payload = words(&[20, flags.bits(), IRQ_MSI, vector.0.into(), 1]);
        self.request(Command::DEVICE_SET_IRQS, &payload, eventfd.as_slice()).map(drop)
    }

    /// Resets the device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.request(Command::DEVICE_RESET, &[], &[]).map(drop)
    }

    /// Sends any command and waits for its answer's payload.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn request(
        &mut self,
        command: Command,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, ClientError> {
        self.request_with_file(command, payload, fds).map(|(payload, _)| payload)
    }

    fn request_with_file(
        &mut self,
        command: Command,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Vec<u8>, Option<OwnedFd>), ClientError> {
        let id = self.send(command, Flags::empty(), payload, fds)?;
        let (header, payload, file) = self.receive_with_file()?;
        if (header.id, header.command) != (id, command) || !header.flags.contains(Flags::REPLY) {
            return Err(ClientError::Protocol("not the answer to this question"));
        }
        if header.flags.contains(Flags::ERROR) {
            let number = i32::try_from(header.error).unwrap_or(0);
            return Err(ClientError::Refused(Errno::from_raw_os_error(number)));
        }
        Ok((payload, file))
    }

    /// Sends any command with any flags; returns its id.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send(
        &mut self,
        command: Command,
        flags: Flags,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<u16> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let size = HEADER.checked_add(payload.len()).and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or(io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::new();
        Header { id, command, size, flags, error: 0 }.put(&mut bytes);
        bytes.extend_from_slice(payload);
        self.send_bytes(&bytes, fds)?;
        Ok(id)
    }

    /// Sends any bytes, the descriptors with the first of them.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_bytes(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let (mut rest, mut fds) = (bytes, fds);
        while !rest.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let slices = [IoSlice::new(rest)];
            let flags = SendFlags::NOSIGNAL;
            let sent = rustix::net::sendmsg(&self.socket, &slices, &mut control, flags)?;
            rest = rest.get(sent..).unwrap_or_default();
            fds = &[];
        }
        Ok(())
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn receive(&mut self) -> Result<(Header, Vec<u8>), ClientError> {
        self.receive_with_file().map(|(header, payload, _)| (header, payload))
    }

    /// A descriptor comes with its message's first byte.
    fn receive_with_file(&mut self) -> Result<(Header, Vec<u8>, Option<OwnedFd>), ClientError> {
        let mut header = [0; HEADER];
        let (count, file) = self.receive_first(&mut header)?;
        self.socket.read_exact(header.get_mut(count..).unwrap_or_default())?;
        let header = Header::parse(&header).ok_or(ClientError::Protocol("no header"))?;
        if header.size > MAX_MESSAGE {
            return Err(ClientError::Protocol("a message that is too long"));
        }
        let size = (header.size as usize).checked_sub(HEADER);
        let mut payload =
            vec![0; size.ok_or(ClientError::Protocol("a message that is too short"))?];
        self.socket.read_exact(&mut payload)?;
        Ok((header, payload, file))
    }

    /// The next bytes of the stream, at least one, and a descriptor that came with them.
    fn receive_first(&mut self, to: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(to)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&self.socket, &mut slices, &mut control, flags)?;
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let fds = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok((received.bytes, fds))
    }
}

fn access(at: Place, count: usize) -> Vec<u8> {
    let mut payload = at.offset.to_ne_bytes().to_vec();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    payload.extend(words(&[region_index(at.region), count]));
    payload
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
