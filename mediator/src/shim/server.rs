//! The socket that clients connect to.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use guest_shim::packets;
use guest_shim::wire::{Fault, Geometry, Greeting, Queues};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::net::SocketFlags;

use super::layout::{Layout, TABLE_BYTES, TABLES};
use super::session::{Bounds, Session};
use super::thread::{Client, Wires};
use super::{ClientGpu, ClientSetup};
use crate::memory::{
    GuestRam, MapRequest, MemoryQuota, PAGE, QueueMemory, SealPolicy, sealed_memfd,
};
use crate::scheduler::{Member, Residency};
use crate::socket::{Kind, SocketFile};
use crate::vm::{Mail, Mailbox, MailboxSender, Surroundings};
use crate::{GuestAddress, Quotas, VmHandle, VmId, Weight};

/// Callers that may wait to be let in.
const BACKLOG: i32 = 32;
/// Requests and answers on their way, and fences.
const SUBMISSIONS: u64 = 4096;
const COMPLETIONS: u64 = 4096;
const FENCES: u64 = 1 << 16;

/// A socket for clients as the operator wants it.
#[derive(Clone, Debug)]
pub struct ShimConfig {
    /// Its name; that of a client is this one with the process's number.
    pub name: String,
    /// Where clients connect.
    pub socket: PathBuf,
    /// Each client's weight in the scheduler.
    pub weight: Weight,
    /// What each client may have of the host. Its arena is as large as half of the memory that it may have.
    pub quotas: Quotas,
    /// Clients at a time.
    pub clients: usize,
    /// How long a client's thread looks out for requests before it sleeps.
    pub awake: Duration,
}

/// Builds what a client has of the GPU.
pub(crate) type ClientFactory<W> =
    Box<dyn FnMut(ClientSetup) -> io::Result<Box<dyn ClientGpu<W>>> + Send>;

/// Clients' handles, as operators see them.
pub(crate) type Handles = Arc<Mutex<Vec<VmHandle>>>;

/// Lets clients in.
#[derive(Debug)]
pub(crate) struct ShimServer {
    stop: Arc<OwnedFd>,
    thread: JoinHandle<()>,
}

struct Door<W: Send + 'static> {
    config: ShimConfig,
    around: Surroundings<W>,
    factory: ClientFactory<W>,
    /// Numbers for VMs and clients.
    ids: Arc<AtomicU32>,
    handles: Handles,
    clients: Vec<(JoinHandle<()>, MailboxSender, VmId)>,
}

impl ShimServer {
    pub(crate) fn start<W: Send + 'static>(
        config: ShimConfig,
        around: Surroundings<W>,
        factory: ClientFactory<W>,
        ids: Arc<AtomicU32>,
        handles: Handles,
    ) -> io::Result<Self> {
        let (listener, file) = SocketFile::listen(&config.socket, Kind::Packets, BACKLOG)?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let stopped = Arc::clone(&stop);
        let name = config.name.clone();
        let mut door = Door { config, around, factory, ids, handles, clients: Vec::new() };
        let body = move || door.open(&listener, &file, &stopped);
        let thread = std::thread::Builder::new().name(name).spawn(body)?;
        Ok(Self { stop, thread })
    }

    /// Sends everybody away; returns the thread that ends last.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        // An eventfd that was never written to takes a one.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        self.thread
    }
}

impl<W: Send + 'static> Door<W> {
    fn open(&mut self, listener: &UnixListener, _file: &SocketFile, stop: &OwnedFd) {
        loop {
            let mut sources =
                [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
            let _ = poll(&mut sources, None);
            if !sources[1].revents().is_empty() {
                break;
            }
            self.clear();
            let caller = match rustix::net::accept_with(
                listener,
                SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            ) {
                Ok(caller) => caller,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    log::warn!("{}: {error}", self.config.name);
                    std::thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            if let Err(error) = self.let_in(caller) {
                log::warn!("{}: a client could not be let in: {error}", self.config.name);
            }
        }
        self.clients.iter().for_each(|(_, mailbox, _)| mailbox.send(Mail::Stop));
        for (thread, ..) in self.clients.drain(..) {
            let _ = thread.join();
        }
    }

    /// Forgets clients that are gone.
    fn clear(&mut self) {
        let (gone, here) = self.clients.drain(..).partition(|(thread, ..)| thread.is_finished());
        self.clients = here;
        let gone: Vec<(JoinHandle<()>, MailboxSender, VmId)> = gone;
        if !gone.is_empty() {
            let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
            handles.retain(|handle| gone.iter().all(|(.., id)| *id != handle.id()));
        }
    }

    fn let_in(&mut self, socket: OwnedFd) -> io::Result<()> {
        if self.clients.len() >= self.config.clients {
            let packet = Greeting::Refused(Fault::Quota).encode();
            let _ = packets::send(&socket, &packet, &[]);
            return Err(io::Error::other(format!("there are {} already", self.config.clients)));
        }
        let pid = rustix::net::sockopt::socket_peercred(&socket)?.pid.as_raw_nonzero();
        let id = VmId(self.ids.fetch_add(1, Ordering::Relaxed));
        let name = format!("{}/{pid}-{}", self.config.name, id.0);

        let arena_bytes = self.config.quotas.memory.bytes / 2 / PAGE * PAGE;
        let arena = sealed_memfd(arena_bytes)?;
        let bytes = self.config.quotas.memory.bytes.saturating_add(TABLE_BYTES);
        let quota = MemoryQuota { bytes, ..self.config.quotas.memory };
        let ram = GuestRam::with_policy(quota, SealPolicy::RequireSealed);
        let tables = sealed_memfd(TABLE_BYTES)?;
        let map = |at: u64, len: u64, fd: OwnedFd| {
            let request = MapRequest { at: GuestAddress(at), len, fd, offset: 0, writable: true };
            ram.map(request).map_err(io::Error::other)
        };
        map(0, arena_bytes, arena.try_clone()?)?;
        map(TABLES, TABLE_BYTES, tables)?;

        let setup = ClientSetup {
            ram: ram.clone(),
            tables: GuestAddress(TABLES)..GuestAddress(TABLES + TABLE_BYTES),
            clock: self.around.clock,
        };
        let gpu = (self.factory)(setup)?;
        let engines: Vec<_> =
            self.around.silicon.limits().engines.iter().map(|engine| engine.name).collect();
        let geometry = Geometry {
            submissions: SUBMISSIONS,
            completions: COMPLETIONS,
            fences: FENCES,
            arena: arena_bytes,
        };
        let words = geometry.words().map_err(|error| io::Error::other(error.to_string()))?;
        let memory = QueueMemory::new(words)?;
        let (mailbox, sender) = Mailbox::new()?;
        let (socket_path, weight) = (self.config.socket.clone(), self.config.weight);
        let handle =
            VmHandle::new(id, name.clone(), socket_path, weight, engines.clone(), sender.clone());
        let silicon = Arc::clone(&self.around.silicon);
        let member = Member {
            vm: id,
            generation: 0,
            weight,
            budget: self.config.quotas.job_time,
            residency: Arc::new(Residency::new(id, ram.clone(), silicon)),
            counters: Arc::clone(handle.engine_counters()),
            mailbox: sender.clone(),
        };
        let session = Session::new(
            gpu,
            Layout::new(arena_bytes),
            Bounds::default(),
            engines.len(),
            FENCES as usize,
        );
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let client = Client {
            handle: handle.clone(),
            mailbox,
            executors: self.around.executors.clone(),
            member: Arc::new(member),
            session,
            ram,
            wires: Wires { socket, doorbell: bell()?, bell: bell()?, arena },
            awake: self.config.awake,
            receipt: Arc::new(()),
        };
        let body = move || match Queues::make(memory.words(), geometry) {
            Ok(queues) => client.run(&memory, queues),
            Err(error) => log::error!("queues of {}: {error}", client.handle.name()),
        };
        let thread = std::thread::Builder::new().name(name).spawn(body)?;
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        self.clients.push((thread, sender, id));
        Ok(())
    }
}
