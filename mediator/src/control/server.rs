//! The daemon's side of the control socket.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use display::Edid;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::protocol::{
    EngineStatus, Envelope, MAX_REQUEST, Reply, Request, State, UnknownRegister, VERSION, VmReport,
    VmSummary,
};
use super::shares::Shares;
use crate::socket::{Kind, SocketFile};
use crate::{Clock, Details, MAX_STATE, NoAnswer, Plug, Region, UnknownAccess, VmHandle, VmState};

/// Clients at a time.
const CLIENTS: usize = 8;
/// Clients that may wait to be let in.
const BACKLOG: i32 = 8;

/// How long a client may be silent, and may leave an answer unread.
const SILENCE: Duration = Duration::from_secs(60);
const UNREAD: Duration = Duration::from_secs(5);

/// The control socket's threads.
#[derive(Debug)]
pub(crate) struct ControlServer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    stop: rustix::fd::OwnedFd,
    vms: Mutex<Vec<VmHandle>>,
    shares: Mutex<Shares>,
    /// Pictures are large: one at a time.
    camera: Mutex<()>,
    /// And so may states be.
    archive: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ControlServer {
    pub(crate) fn start(path: &Path, clock: Clock, vms: Vec<VmHandle>) -> io::Result<Self> {
        let (listener, file) = SocketFile::listen(path, Kind::Stream, BACKLOG)?;
        let shared = Arc::new(Shared {
            clock,
            stop: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            vms: Mutex::new(vms),
            shares: Mutex::default(),
            camera: Mutex::default(),
            archive: Mutex::default(),
        });
        let body = {
            let shared = Arc::clone(&shared);
            move || accept(&shared, &listener, &file)
        };
        let thread = std::thread::Builder::new().name("control".into()).spawn(body)?;
        Ok(Self { shared, thread })
    }

    /// Another VM.
    pub(crate) fn add(&self, vm: VmHandle) {
        lock(&self.shared.vms).push(vm);
    }

    /// Asks the threads to end; returns the one that ends last.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        // An eventfd that was never written to takes a one.
        let _ = rustix::io::write(&self.shared.stop, &1_u64.to_ne_bytes());
        self.thread
    }
}

/// A client being served.
struct Visitor {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener, _file: &SocketFile) {
    const TICK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut visitors: Vec<Visitor> = Vec::new();
    loop {
        lock(&shared.shares).sample(shared.clock.now(), &lock(&shared.vms).clone());
        let mut fds =
            [PollFd::new(listener, PollFlags::IN), PollFd::new(&shared.stop, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&TICK));
        if !fds[1].revents().is_empty() {
            break;
        }
        visitors.retain(|visitor| !visitor.thread.is_finished());
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                if error.kind() != ErrorKind::WouldBlock {
                    log::warn!("control: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                }
                continue;
            }
        };
        if visitors.len() >= CLIENTS {
            log::warn!("control: more than {CLIENTS} clients; one is turned away");
            continue;
        }
        match visit(shared, stream) {
            Ok(visitor) => visitors.push(visitor),
            Err(error) => log::warn!("control: {error}"),
        }
    }
    for visitor in visitors {
        let _ = visitor.stream.shutdown(std::net::Shutdown::Both);
        let _ = visitor.thread.join();
    }
}

fn visit(shared: &Arc<Shared>, stream: UnixStream) -> io::Result<Visitor> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(UNREAD))?;
    let shared = Arc::clone(shared);
    let theirs = stream.try_clone()?;
    let body = move || {
        if let Err(error) = serve(&shared, &theirs) {
            log::debug!("control: a client is gone: {error}");
        }
    };
    let thread = std::thread::Builder::new().name("control-client".into()).spawn(body)?;
    Ok(Visitor { stream, thread })
}

fn serve(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(MAX_REQUEST as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let (reply, attached) = if whole {
            answer(shared, &line, &mut input)?
        } else {
            refusal(format!("a request of more than {MAX_REQUEST} bytes"))
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        let mut output = stream;
        let told = output.write_all(&text).and_then(|()| output.write_all(&attached));
        if let (Err(_), Reply::Saved { vm, .. }) = (&told, &reply) {
            // Nobody has the state, nor knows that the GPU stands still.
            on_vm(shared, vm, |vm| done(vm.resume().map(drop)));
        }
        told?;
        if !whole {
            return Ok(());
        }
    }
}

/// A reply, and the bytes that follow it.
type Answer = (Reply, Vec<u8>);

fn refusal(message: impl Into<String>) -> Answer {
    (Reply::Error { message: message.into() }, Vec::new())
}

/// The answer to the request in `line`; `input` has what follows the line.
fn answer(shared: &Shared, line: &[u8], input: &mut impl Read) -> io::Result<Answer> {
    let envelope: Envelope = match serde_json::from_slice(line) {
        Ok(envelope) => envelope,
        Err(error) => return Ok(refusal(format!("not a request: {error}"))),
    };
    if envelope.version != VERSION {
        let theirs = envelope.version;
        let message = format!("version {theirs} of the protocol; this daemon speaks {VERSION}");
        return Ok(refusal(message));
    }
    if let Request::Restore { vm, bytes } = &envelope.request {
        return restore(shared, vm, *bytes, input);
    }
    Ok(carry_out(shared, envelope.request))
}

fn carry_out(shared: &Shared, request: Request) -> Answer {
    match request {
        Request::List => {
            let vms = lock(&shared.vms).clone();
            let vms = vms.iter().map(|vm| summary(shared, vm, &details(vm))).collect();
            (Reply::List { vms }, Vec::new())
        }
        Request::Show { vm } => on_vm(shared, &vm, |vm| {
            let vm = Box::new(report(shared, vm));
            (Reply::Show { vm }, Vec::new())
        }),
        Request::Screenshot { vm } => on_vm(shared, &vm, |vm| picture(shared, vm)),
        Request::Reset { vm } => on_vm(shared, &vm, |vm| done(vm.reset())),
        Request::Plug { vm, edid } => {
            if let Some(Err(error)) = edid.as_deref().map(Edid::parse) {
                return refusal(error.to_string());
            }
            on_vm(shared, &vm, |vm| done(vm.plug(Plug::In(edid))))
        }
        Request::Unplug { vm } => on_vm(shared, &vm, |vm| done(vm.plug(Plug::Out))),
        Request::Save { vm } => on_vm(shared, &vm, |vm| {
            let _one_at_a_time = lock(&shared.archive);
            match vm.save() {
                Ok(state) => (Reply::Saved { vm: vm.name().to_owned(), bytes: state.len() }, state),
                Err(error) => refusal(error.to_string()),
            }
        }),
        Request::Resume { vm } => on_vm(shared, &vm, |vm| match vm.resume() {
            Ok(true) => (Reply::Done, Vec::new()),
            Ok(false) => refusal("the VM's GPU doesn't stand still"),
            Err(error) => refusal(error.to_string()),
        }),
        Request::Restore { .. } => refusal("a state must follow"),
    }
}

/// Restores the state that follows the request. Memory is taken as its bytes come.
fn restore(shared: &Shared, vm: &str, bytes: usize, input: &mut impl Read) -> io::Result<Answer> {
    if bytes > MAX_STATE {
        // What follows is not read, so nothing more can be said.
        let message = format!("a state of {bytes} bytes; none has more than {MAX_STATE}");
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    let mut state = Vec::new();
    input.take(bytes as u64).read_to_end(&mut state)?;
    let _one_at_a_time = lock(&shared.archive);
    Ok(on_vm(shared, vm, |vm| match vm.restore(&state) {
        Ok(()) => (Reply::Done, Vec::new()),
        Err(error) => refusal(error.to_string()),
    }))
}

fn done(result: Result<(), NoAnswer>) -> Answer {
    match result {
        Ok(()) => (Reply::Done, Vec::new()),
        Err(error) => refusal(error.to_string()),
    }
}

fn on_vm(shared: &Shared, name: &str, then: impl FnOnce(&VmHandle) -> Answer) -> Answer {
    let vm = lock(&shared.vms).iter().find(|vm| vm.name() == name).cloned();
    match vm {
        Some(vm) => then(&vm),
        None => refusal(format!("there is no VM named {name:?}")),
    }
}

/// What the device knows; nothing if its thread is too busy to say.
fn details(vm: &VmHandle) -> Details {
    vm.details().unwrap_or_default()
}

fn summary(shared: &Shared, vm: &VmHandle, details: &Details) -> VmSummary {
    let now = shared.clock.now();
    let shares = lock(&shared.shares);
    let engine = |(index, (name, usage)): (usize, (&str, crate::EngineUsage))| EngineStatus {
        name: name.to_owned(),
        usage,
        share: shares.share(vm.id(), index, usage.gpu_ns, now),
    };
    let counters = vm.counters();
    VmSummary {
        name: vm.name().to_owned(),
        socket: PathBuf::from(vm.socket()),
        state: state(vm.state()),
        weight: vm.weight().get(),
        engines: vm.usage().into_iter().enumerate().map(engine).collect(),
        traps: counters.traps,
        interrupts: counters.interrupts,
        resets: counters.resets,
        connections: counters.connections,
        reasons: counters.reasons.into_iter().map(|(rule, n)| (rule.to_owned(), n)).collect(),
        memory_bytes: details.memory,
        resolution: details.mode,
        unknown_registers: details.unknown.len(),
    }
}

fn report(shared: &Shared, vm: &VmHandle) -> VmReport {
    let details = details(vm);
    let device: BTreeMap<_, _> =
        details.counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
    VmReport {
        summary: summary(shared, vm, &details),
        unknown: details.unknown.iter().map(unknown).collect(),
        device,
    }
}

fn unknown(access: &UnknownAccess) -> UnknownRegister {
    let region = match access.place.region {
        Region::Bar(index) => format!("bar{index}"),
        Region::Rom => "rom".to_owned(),
        Region::Config => "config".to_owned(),
    };
    let UnknownAccess { place, reads, writes } = *access;
    UnknownRegister { region, offset: place.offset, reads, writes }
}

fn state(state: VmState) -> State {
    match state {
        VmState::Waiting => State::Waiting,
        VmState::Connected => State::Connected,
        VmState::Paused => State::Paused,
        VmState::Quarantined(why) => {
            State::Quarantined { rule: why.rule.to_owned(), detail: why.detail.into_owned() }
        }
        VmState::Stopped => State::Stopped,
    }
}

fn picture(shared: &Shared, vm: &VmHandle) -> Answer {
    let _one_at_a_time = lock(&shared.camera);
    let (scan_out, ram) = match vm.scan_out() {
        Ok(answer) => answer,
        Err(error) => return refusal(error.to_string()),
    };
    let picture = match scan_out.picture(&ram) {
        Ok(picture) => picture,
        Err(error) => return refusal(error.to_string()),
    };
    let (width, height) = (picture.width(), picture.height());
    match picture.to_png() {
        Ok(png) => (Reply::Screenshot { width, height, bytes: png.len() }, png),
        Err(error) => refusal(error.to_string()),
    }
}
