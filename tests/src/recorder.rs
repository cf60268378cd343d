//! What a VMM says to vgate, word for word: seeds for the fuzz targets.
//!
//! ```text
//!  QEMU ──► recorder ──► vgate          the file: length u32 | descriptors u32 | bytes, for each piece as it came
//!       ◄──          ◄──
//! ```

use std::fs::File;
use std::io::{self, BufWriter, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown,
};

/// Pieces are read in at most this size: a message with what it carries.
const PIECE: usize = 1 << 17;
/// Descriptors that a piece may have.
const MAX_DESCRIPTORS: usize = 32;

/// Stands between a VMM and vgate, for one connection.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
    thread: JoinHandle<Result<()>>,
}

impl Recorder {
    /// Listens beside vgate's `socket` and writes what the VMM that connects says to `file`.
    ///
    /// # Errors
    /// If it can't listen or write.
    pub fn start(vgate: &Path, file: &Path) -> Result<Self> {
        let socket = vgate.with_extension("recorded");
        let listener = UnixListener::bind(&socket)?;
        let file = File::create(file).with_context(|| file.display().to_string())?;
        let vgate = vgate.to_owned();
        let thread = thread::spawn(move || {
            let (vmm, _) = listener.accept()?;
            let vgate = UnixStream::connect(&vgate)?;
            let (to_vmm, from_vgate) = (vmm.try_clone()?, vgate.try_clone()?);
            let answers = thread::spawn(move || pass(&from_vgate, &to_vmm, &mut io::sink()));
            let mut file = BufWriter::new(file);
            let said = pass(&vmm, &vgate, &mut file);
            let answered = answers.join().map_err(|_| anyhow!("the recorder panicked"))?;
            file.flush()?;
            said.and(answered)
        });
        Ok(Self { socket, thread })
    }

    /// Where the VMM is to connect.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until both sides have hung up.
    ///
    /// # Errors
    /// If something could not be passed on or written.
    pub fn end(self) -> Result<()> {
        self.thread.join().map_err(|_| anyhow!("the recorder panicked"))?
    }
}

/// Passes everything on, until one side hangs up.
fn pass(from: &UnixStream, to: &UnixStream, record: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let (len, descriptors) = receive(from, &mut buffer)?;
        let piece = buffer.get(..len).unwrap_or_default();
        if piece.is_empty() {
            // Who waits on the other side learns of it.
            rustix::net::shutdown(to, Shutdown::Write)?;
            return Ok(());
        }
        record.write_all(&(len as u32).to_le_bytes())?;
        record.write_all(&(descriptors.len() as u32).to_le_bytes())?;
        record.write_all(piece)?;
        send(to, piece, &descriptors)?;
    }
}

fn receive(from: &UnixStream, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(from, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes, descriptors))
}

fn send(to: &UnixStream, piece: &[u8], descriptors: &[OwnedFd]) -> Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(anyhow!("a message with {} descriptors", borrowed.len()));
    }
    let sent = rustix::net::sendmsg(to, &[IoSlice::new(piece)], &mut control, SendFlags::NOSIGNAL)?;
    // The descriptors went with the first byte.
    (&*to).write_all(piece.get(sent..).unwrap_or_default())?;
    Ok(())
}
