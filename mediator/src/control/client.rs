//! The client's side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Envelope, MAX_REPLY, Reply, Request, VERSION, VmReport, VmSummary};
use crate::MAX_STATE;

/// How long the daemon may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest picture that is taken, in bytes.
const MAX_PICTURE: usize = 512 << 20;

/// A connection to a running daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// A picture of what a VM's display shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screenshot {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// A PNG file.
    pub png: Vec<u8>,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed.
    #[error("the connection to the daemon failed: {0}")]
    Io(#[from] io::Error),
    /// The daemon's answer makes no sense.
    #[error("the daemon's answer makes no sense: {0}")]
    Nonsense(String),
    /// The daemon can't do it.
    #[error("{0}")]
    Refused(String),
}

impl Client {
    /// Connects to the daemon whose control socket is `path`.
    ///
    /// # Errors
    /// When no daemon listens there.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// All VMs, in the order of the configuration.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn list(&mut self) -> Result<Vec<VmSummary>, ClientError> {
        match self.ask(Request::List)? {
            Reply::List { vms } => Ok(vms),
            other => Err(unexpected(&other)),
        }
    }

    /// All about the VM named `vm`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn show(&mut self, vm: &str) -> Result<VmReport, ClientError> {
        match self.ask(Request::Show { vm: vm.to_owned() })? {
            Reply::Show { vm } => Ok(*vm),
            other => Err(unexpected(&other)),
        }
    }

    /// A picture of what the display of `vm` shows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn screenshot(&mut self, vm: &str) -> Result<Screenshot, ClientError> {
        match self.ask(Request::Screenshot { vm: vm.to_owned() })? {
            Reply::Screenshot { width, height, bytes } if bytes <= MAX_PICTURE => {
                let mut png = vec![0; bytes];
                self.stream.read_exact(&mut png)?;
                Ok(Screenshot { width, height, png })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Resets the device of `vm`: see [`Request::Reset`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reset(&mut self, vm: &str) -> Result<(), ClientError> {
        self.order(Request::Reset { vm: vm.to_owned() })
    }

    /// Plugs a monitor with this EDID into `vm`, or the one that was there last.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn plug(&mut self, vm: &str, edid: Option<Vec<u8>>) -> Result<(), ClientError> {
        self.order(Request::Plug { vm: vm.to_owned(), edid })
    }

    /// Pulls the monitor of `vm` out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unplug(&mut self, vm: &str) -> Result<(), ClientError> {
        self.order(Request::Unplug { vm: vm.to_owned() })
    }

    /// Stops the GPU of `vm` and returns its state: see [`Request::Save`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn save(&mut self, vm: &str) -> Result<Vec<u8>, ClientError> {
        match self.ask(Request::Save { vm: vm.to_owned() })? {
            Reply::Saved { bytes, .. } if bytes <= MAX_STATE => {
                let mut state = vec![0; bytes];
                self.stream.read_exact(&mut state)?;
                Ok(state)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the GPU of `vm` go on: see [`Request::Resume`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn resume(&mut self, vm: &str) -> Result<(), ClientError> {
        self.order(Request::Resume { vm: vm.to_owned() })
    }

    /// Restores a state into `vm`. It has at most [`MAX_STATE`] bytes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn restore(&mut self, vm: &str, state: &[u8]) -> Result<(), ClientError> {
        self.send(Request::Restore { vm: vm.to_owned(), bytes: state.len() })?;
        self.stream.get_mut().write_all(state)?;
        match self.receive()? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn order(&mut self, request: Request) -> Result<(), ClientError> {
        match self.ask(request)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive()
    }

    fn send(&mut self, request: Request) -> Result<(), ClientError> {
        let envelope = Envelope { version: VERSION, request };
        let mut line = serde_json::to_vec(&envelope).map_err(nonsense)?;
        line.push(b'\n');
        Ok(self.stream.get_mut().write_all(&line)?)
    }

    fn receive(&mut self) -> Result<Reply, ClientError> {
        let mut answer = Vec::new();
        (&mut self.stream).take(MAX_REPLY as u64).read_until(b'\n', &mut answer)?;
        if answer.last() != Some(&b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match serde_json::from_slice(&answer).map_err(nonsense)? {
            Reply::Error { message } => Err(ClientError::Refused(message)),
            reply => Ok(reply),
        }
    }
}

fn nonsense(error: impl std::fmt::Display) -> ClientError {
    ClientError::Nonsense(error.to_string())
}

fn unexpected(reply: &Reply) -> ClientError {
    ClientError::Nonsense(format!("an answer to something else: {reply:.100?}"))
}
