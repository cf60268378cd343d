//! The way of an empty batch through the shim: from a client to a daemon in another process, and back.
//!
//! ```text
//!  this process: client ══ queues ══ daemon: the client's thread, audit, executor, the software GPU or null silicon
//!  this process ── eventfd ──► echo ── eventfd ──► this process        what the kernel takes for two wake-ups alone
//! ```
//!
//! The daemon and the echo are this very program, started anew: whoever measures calls [`serve_if_asked`] first of all.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Client as ClientGpu, Platform};
use guest_shim::client::Client;
use guest_shim::wire::{ArenaOffset, ContextName, GpuAddress};
use mediator::memory::MemoryQuota;
use mediator::{Clock, Mediator, NullSilicon, Quotas, ShimConfig, Silicon, Weight};
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

const SOCKET: &str = "VGATE_BENCH_SHIM";
const AWAKE: &str = "VGATE_BENCH_AWAKE_MICROSECONDS";
const MODEL: &str = "VGATE_BENCH_MODEL";
const ECHO: &str = "VGATE_BENCH_ECHO";
const CORE: &str = "VGATE_BENCH_CORE";
const BATCH: u64 = 0x1_0000;
/// The blitter's place among the engines.
const COPY: u16 = 1;
const PATIENCE: Duration = Duration::from_secs(10);

/// Becomes the daemon or the echo, if this process was started as one. Then it doesn't return.
pub fn serve_if_asked() {
    let core = std::env::var(CORE).ok().and_then(|core| core.parse().ok());
    if let Some(Err(error)) = core.map(keep_to) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
    let served = if let Some(socket) = std::env::var_os(SOCKET) {
        daemon(Path::new(&socket))
    } else if std::env::var_os(ECHO).is_some() {
        echo()
    } else {
        return;
    };
    if let Err(error) = served {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Keeps this thread, and those that it starts from now on, to a core.
///
/// # Errors
/// When there is no such core for this process.
pub fn keep_to(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("core {core}"))
}

/// The cores that this thread may run on.
///
/// # Errors
/// The kernel's.
pub fn cores() -> Result<Vec<usize>> {
    let cores = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core)).collect())
}

/// Until standard input ends.
fn daemon(socket: &Path) -> Result<()> {
    let awake: u64 = std::env::var(AWAKE).context(AWAKE)?.parse()?;
    let clock = Clock::start();
    let silicon: Arc<dyn Silicon<Work = Batch>> = match std::env::var_os(MODEL) {
        Some(_) => Arc::new(Model::new(clock)?),
        None => Arc::new(NullSilicon::at_once()),
    };
    let mut mediator = Mediator::start(silicon, clock)?;
    let memory = MemoryQuota { regions: 64, bytes: 1 << 30 };
    let config = ShimConfig {
        name: "bench".to_owned(),
        socket: socket.to_owned(),
        weight: Weight::default(),
        quotas: Quotas { memory, ..Quotas::default() },
        clients: 8,
        awake: Duration::from_micros(awake),
    };
    mediator.add_shim(config, |setup| Ok(Box::new(ClientGpu::new(Platform::KabyLake, setup))))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(mediator.shutdown()?)
}

/// Answers on standard output what comes on standard input, until it is killed.
fn echo() -> Result<()> {
    loop {
        rustix::io::read(std::io::stdin(), &mut [0; 8])?;
        rustix::io::write(std::io::stdout(), &1_u64.to_ne_bytes())?;
    }
}

/// A process of this program, that ends with this one.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn start(
        variables: &[(&str, String)],
        core: Option<usize>,
        input: Stdio,
        output: Stdio,
    ) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.envs(core.map(|core| (CORE, core.to_string())));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Ok(Self(command.stdin(input).stdout(output).spawn()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two eventfds and the process that answers one with the other.
#[derive(Debug)]
pub struct PingPong {
    to: OwnedFd,
    from: OwnedFd,
    _echo: Process,
}

impl PingPong {
    /// Starts the other process, to run on this core if one is named.
    ///
    /// # Errors
    /// When it can't.
    pub fn new(core: Option<usize>) -> Result<Self> {
        let (to, from) = (eventfd(0, EventfdFlags::CLOEXEC)?, eventfd(0, EventfdFlags::CLOEXEC)?);
        let (input, output) = (Stdio::from(to.try_clone()?), Stdio::from(from.try_clone()?));
        let echo = Process::start(&[(ECHO, "1".to_owned())], core, input, output)?;
        Ok(Self { to, from, _echo: echo })
    }

    /// There and back.
    ///
    /// # Errors
    /// The kernel's.
    pub fn round_trip(&self) -> Result<Duration> {
        let begun = Instant::now();
        rustix::io::write(&self.to, &1_u64.to_ne_bytes())?;
        rustix::io::read(&self.from, &mut [0; 8])?;
        Ok(begun.elapsed())
    }
}

/// What executes in the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executes {
    /// Silicon that takes no time: what is measured is the mediator.
    Nothing,
    /// The software GPU.
    Model,
}

/// A client of a daemon in another process.
#[derive(Debug)]
pub struct Rig {
    client: Client,
    context: ContextName,
    _daemon: Process,
    _folder: TempDir,
}

impl Rig {
    /// Starts a daemon whose threads look out for so long before they sleep, on this core if one is named, and a client with
    /// an empty batch.
    ///
    /// # Errors
    /// When it can't.
    pub fn new(executes: Executes, awake: Duration, core: Option<usize>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket: PathBuf = folder.path().join("shim");
        let mut variables =
            vec![(SOCKET, socket.display().to_string()), (AWAKE, awake.as_micros().to_string())];
        if executes == Executes::Model {
            variables.push((MODEL, "1".to_owned()));
        }
        let daemon = Process::start(&variables, core, Stdio::piped(), Stdio::null())?;
        let begun = Instant::now();
        let client = loop {
            match Client::connect(&socket) {
                Ok(client) => break client,
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let space = client.open_space()?;
        client.bind(space, GpuAddress(BATCH), ArenaOffset(BATCH), 0x1000, false)?;
        let context = client.open_context(space, COPY, 0)?;
        // MI_BATCH_BUFFER_END
        client.arena().write(ArenaOffset(BATCH), &0x0500_0000_u32.to_le_bytes())?;
        Ok(Self { client, context, _daemon: daemon, _folder: folder })
    }

    /// Submits the batch and sleeps until it is over.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub fn sleeping(&self) -> Result<Duration> {
        let begun = Instant::now();
        let point = self.client.submit(self.context, &[], GpuAddress(BATCH))?;
        self.client.wait(&[point], None)?;
        Ok(begun.elapsed())
    }

    /// Submits the batch and looks at its fence until it is over.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub fn looking(&self) -> Result<Duration> {
        let begun = Instant::now();
        let point = self.client.submit(self.context, &[], GpuAddress(BATCH))?;
        while !self.client.reached(point) {
            std::hint::spin_loop();
        }
        Ok(begun.elapsed())
    }

    /// Submits so many rounds of so many batches, and waits for all at the end.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub fn rounds(&self, rounds: u64, batches: usize) -> Result<Duration> {
        let starts = vec![GpuAddress(BATCH); batches];
        let begun = Instant::now();
        let mut last = None;
        for _ in 0..rounds {
            last = Some(self.client.submit_all(self.context, &[], &starts)?);
        }
        if let Some(last) = last {
            self.client.wait(&[last], Some(begun + 10 * PATIENCE))?;
        }
        Ok(begun.elapsed())
    }
}
