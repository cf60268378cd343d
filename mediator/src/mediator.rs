//! The mediator, assembled: silicon, executors, VMs, control.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::control::ControlServer;
use crate::memory::SealPolicy;
use crate::scheduler::Dispatch;
use crate::shim::{Handles, ShimServer};
use crate::transport::vfio_user::Listener;
use crate::vm::{Host, Mail, Mailbox, Surroundings, VmThread};
use crate::{
    ClientGpu, ClientSetup, Clock, DeviceSetup, EngineId, Quotas, Reason, ShimConfig, Silicon,
    VirtualGpu, VmHandle, VmId, Weight,
};

/// How long [`Mediator::shutdown`] takes at most.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A VM as the operator wants it.
#[derive(Clone, Debug)]
pub struct VmConfig {
    /// Its name; unique.
    pub name: String,
    /// Where its VMM connects.
    pub socket: PathBuf,
    /// Its weight in the scheduler.
    pub weight: Weight,
    /// What it may have of the host.
    pub quotas: Quotas,
    /// Which files its memory may lie in.
    pub seals: SealPolicy,
}

/// Why a part of the mediator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] io::Error),
    /// A socket could not be opened.
    #[error("{0}: {1}")]
    Socket(PathBuf, #[source] io::Error),
    /// The host has no eventfd left.
    #[error("a mailbox could not be made: {0}")]
    Mailbox(#[source] io::Error),
    /// Two VMs of one name.
    #[error("there are two VMs named {0:?}")]
    SameName(String),
    /// The device could not be built.
    #[error("the virtual GPU of {0:?} could not be built: {1}")]
    Device(String, Reason),
    /// More engines or VMs than there are numbers for.
    #[error("too many {0}")]
    TooMany(&'static str),
}

/// Threads that did not end in time. They are left behind; so are their sockets.
#[derive(Debug, thiserror::Error)]
#[error("threads did not end within {SHUTDOWN:?}: {}", .0.join(", "))]
pub struct ShutdownError(pub Vec<String>);

/// A running mediator over silicon whose unit of work is `W`. Dropped, it shuts down.
pub struct Mediator<W: Send + 'static> {
    silicon: Arc<dyn Silicon<Work = W>>,
    clock: Clock,
    executors: Vec<Arc<Dispatch<W>>>,
    /// Numbers for VMs and clients.
    ids: Arc<AtomicU32>,
    vms: Vec<VmHandle>,
    shims: Vec<ShimServer>,
    /// Clients of all shims.
    clients: Handles,
    control: Option<ControlServer>,
    executor_threads: Vec<JoinHandle<()>>,
    vm_threads: Vec<JoinHandle<()>>,
}

impl<W: Send + 'static> Mediator<W> {
    /// Starts an executor for each engine of `silicon`. `clock` is the one that silicon's fences go by.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(silicon: Arc<dyn Silicon<Work = W>>, clock: Clock) -> Result<Self, StartError> {
        let mut mediator = Self {
            silicon,
            clock,
            executors: Vec::new(),
            ids: Arc::default(),
            vms: Vec::new(),
            shims: Vec::new(),
            clients: Handles::default(),
            control: None,
            executor_threads: Vec::new(),
            vm_threads: Vec::new(),
        };
        let engines: Vec<_> = mediator.engine_names();
        for (index, name) in engines.into_iter().enumerate() {
            let engine = u8::try_from(index).map_err(|_| StartError::TooMany("engines"))?;
            let silicon = Arc::clone(&mediator.silicon);
            let executor = Dispatch::new(EngineId(engine), silicon, clock);
            mediator.executors.push(Arc::clone(&executor));
            mediator.executor_threads.push(spawn(name.to_owned(), move || executor.run())?);
        }
        Ok(mediator)
    }

    fn engine_names(&self) -> Vec<&'static str> {
        self.silicon.limits().engines.iter().map(|engine| engine.name).collect()
    }

    /// Starts a VM: listens for its VMM. `factory` builds its virtual GPU, now, and again whenever one is lost to a
    /// panic or to memory that vanished.
    ///
    /// # Errors
    /// [`StartError`]; the others go on.
    pub fn add_vm(
        &mut self,
        config: VmConfig,
        factory: impl FnMut(DeviceSetup) -> std::io::Result<Box<dyn VirtualGpu<W>>> + Send + 'static,
    ) -> Result<VmHandle, StartError> {
        let VmConfig { name, socket, weight, quotas, seals } = config;
        if self.vms.iter().any(|vm| vm.name() == name) {
            return Err(StartError::SameName(name));
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let (mailbox, sender) = Mailbox::new().map_err(StartError::Mailbox)?;
        let engines = self.engine_names();
        let handle = VmHandle::new(VmId(id), name.clone(), socket.clone(), weight, engines, sender);
        let host = Host::new(handle.clone(), quotas, seals, self.around(), Box::new(factory))
            .map_err(|why| StartError::Device(name.clone(), why))?;
        let listener = Listener::bind(&socket).map_err(|e| StartError::Socket(socket, e))?;
        let thread = VmThread::new(host, listener, mailbox);
        self.vm_threads.push(spawn(name, move || thread.run())?);
        self.vms.push(handle.clone());
        if let Some(control) = &self.control {
            control.add(handle.clone());
        }
        Ok(handle)
    }

    /// Opens a socket for clients of the paravirtual way. `factory` builds what each has of the GPU.
    ///
    /// # Errors
    /// [`StartError`]; the others go on.
    pub fn add_shim(
        &mut self,
        config: ShimConfig,
        factory: impl FnMut(ClientSetup) -> io::Result<Box<dyn ClientGpu<W>>> + Send + 'static,
    ) -> Result<(), StartError> {
        let socket = config.socket.clone();
        let (ids, clients) = (Arc::clone(&self.ids), Arc::clone(&self.clients));
        let shim = ShimServer::start(config, self.around(), Box::new(factory), ids, clients);
        self.shims.push(shim.map_err(|error| StartError::Socket(socket, error))?);
        Ok(())
    }

    /// Clients of the paravirtual way, now.
    #[must_use]
    pub fn clients(&self) -> Vec<VmHandle> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn around(&self) -> Surroundings<W> {
        Surroundings {
            clock: self.clock,
            silicon: Arc::clone(&self.silicon),
            executors: self.executors.clone(),
        }
    }

    /// Opens the control socket at `path`.
    ///
    /// # Errors
    /// [`StartError::Socket`].
    pub fn serve_control(&mut self, path: &Path) -> Result<(), StartError> {
        let server = ControlServer::start(path, self.clock, self.vms.clone());
        let server = server.map_err(|e| StartError::Socket(path.to_owned(), e))?;
        // There is one; an earlier one ends on its own.
        self.control.replace(server).map(ControlServer::stop);
        Ok(())
    }

    /// Its VMs, in the order in which they were added.
    #[must_use]
    pub fn vms(&self) -> &[VmHandle] {
        &self.vms
    }

    /// Ends everything within two seconds: the VMs, then the executors, then control. Sockets are removed.
    ///
    /// # Errors
    /// [`ShutdownError`] with the threads that are stuck.
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), ShutdownError> {
        let deadline = Instant::now() + SHUTDOWN;
        self.vms.iter().for_each(|vm| vm.mailbox().send(Mail::Stop));
        let mut shims: Vec<_> = self.shims.drain(..).map(ShimServer::stop).collect();
        let mut stuck = join(&mut self.vm_threads, deadline);
        stuck.extend(join(&mut shims, deadline));
        for executor in self.executors.drain(..) {
            executor.stop();
        }
        stuck.extend(join(&mut self.executor_threads, deadline));
        // After the VMs: a client that waits for one is told at once that it is gone.
        let mut control: Vec<_> =
            self.control.take().map(ControlServer::stop).into_iter().collect();
        stuck.extend(join(&mut control, deadline));
        if stuck.is_empty() { Ok(()) } else { Err(ShutdownError(stuck)) }
    }
}

impl<W: Send + 'static> Drop for Mediator<W> {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            log::error!("{error}");
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name).spawn(body).map_err(StartError::Thread)
}

/// Joins what ends before `deadline`; returns the names of the others.
fn join(threads: &mut Vec<JoinHandle<()>>, deadline: Instant) -> Vec<String> {
    let mut stuck = Vec::new();
    for thread in threads.drain(..) {
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let name = thread.thread().name().unwrap_or("?").to_owned();
        if !thread.is_finished() {
            stuck.push(name);
        } else if thread.join().is_err() {
            log::error!("thread {name} panicked");
        }
    }
    stuck
}

impl<W: Send + 'static> fmt::Debug for Mediator<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mediator").field("vms", &self.vms).finish_non_exhaustive()
    }
}
