//! Generated clients that do everything wrong, beside a VM that works all the time and must notice nothing. Alone in
//! its program, which counts its own descriptors, mappings and threads.
//!
//! A case is one connection: a script of messages, most of them wrong, sent in pieces of any size, and an end: at any
//! byte, with or without having read what was answered. `HOSTILE_SEED=… HOSTILE_FIRST=… HOSTILE_CASES=…` repeats some.

mod world;

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mediator::memory::{PAGE, SealPolicy, sealed_memfd};
use mediator::transport::vfio_user::client::{Client, PATIENCE};
use mediator::transport::vfio_user::{Command, Flags, MAX_DATA, MAX_FDS, MAX_MESSAGE};
use mediator::{GuestAddress, Vector, VmConfig, VmHandle, VmState};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use world::{World, connect, register, submit, wait_for};

/// One in so many cases, a well-behaved client comes right after the hostile one.
const INSPECTION: u64 = 16;

/// A small generator (SplitMix64): a case depends on nothing but the seed and its own number.
struct Dice(u64);

impl Dice {
    fn of(seed: u64, case: u64) -> Self {
        let mut dice = Self(seed ^ case.wrapping_mul(0xA24B_AED4_963E_E407));
        dice.any();
        dice
    }

    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.any() as u8).collect()
    }

    /// A number that somebody forgot to check.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.pick(&[0, 1, 7, 4095, 4096, 0x8000_0000, u64::MAX, u64::MAX - 4095, 1 << 63]),
            1 => self.any() & !(PAGE - 1),
            2 => self.below(0x2000),
            _ => self.any() >> self.below(64),
        }
    }
}

/// Descriptors of all kinds, and whether they are what DMA_MAP or DEVICE_SET_IRQS want is another matter.
struct Drawer {
    all: Vec<OwnedFd>,
}

impl Drawer {
    fn new() -> Self {
        let unsealed = memfd_create("unsealed", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&unsealed, 1 << 20).unwrap();
        let sealed = sealed_memfd(1 << 20).unwrap();
        let read_only = File::open(format!("/proc/self/fd/{}", sealed.as_raw_fd()));
        let (pipe_out, pipe_in) = rustix::pipe::pipe().unwrap();
        let (socket, peer) = UnixStream::pair().unwrap();
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC);
        Self {
            all: vec![
                sealed,
                sealed_memfd(PAGE).unwrap(),
                rustix::event::eventfd(0, EventfdFlags::CLOEXEC).unwrap(),
                unsealed,
                read_only.unwrap().into(),
                File::open("/dev/null").unwrap().into(),
                File::open("/proc/self/maps").unwrap().into(),
                File::open("/").unwrap().into(),
                rustix::fs::open("/", OFlags::PATH, rustix::fs::Mode::empty()).unwrap(),
                epoll.unwrap(),
                pipe_out,
                pipe_in,
                socket.into(),
                peer.into(),
            ],
        }
    }

    fn some(&self, dice: &mut Dice, count: u64) -> Vec<BorrowedFd<'_>> {
        (0..count).map(|_| self.all[dice.below(self.all.len() as u64) as usize].as_fd()).collect()
    }

    /// Mostly the first kinds, which a message may well have.
    fn likely(&self, dice: &mut Dice, which: usize) -> Vec<BorrowedFd<'_>> {
        match dice.below(8) {
            0 => Vec::new(),
            1 => self.some(dice, 1),
            2 => {
                let count = dice.below(MAX_FDS as u64 + 4);
                self.some(dice, count)
            }
            _ => vec![self.all[which].as_fd()],
        }
    }
}

/// A message on its way: bytes, and the descriptors that go with the first of them.
type Piece<'a> = (Vec<u8>, Vec<BorrowedFd<'a>>);

fn message(id: u16, command: Command, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let size = 16 + payload.len() as u32;
    let mut bytes = [id.to_ne_bytes(), command.0.to_ne_bytes()].concat();
    for word in [size, flags.bits(), 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend_from_slice(payload);
    bytes
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn longs(words: Vec<u8>, longs: &[u64]) -> Vec<u8> {
    longs.iter().fold(words, |bytes, long| [&bytes[..], &long.to_ne_bytes()].concat())
}

fn access(offset: u64, region: u32, count: u32) -> Vec<u8> {
    [&offset.to_ne_bytes()[..], &words(&[region, count])].concat()
}

fn version() -> Vec<u8> {
    message(
        0,
        Command::VERSION,
        Flags::empty(),
        b"\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8}}\0",
    )
}

/// A VERSION that is not quite one.
fn odd_version(dice: &mut Dice) -> Vec<u8> {
    let json: Vec<u8> = match dice.below(6) {
        0 => b"[".repeat(4000),
        1 => b"{\"capabilities\":{\"max_dma_maps\":-1}}".to_vec(),
        2 => b"{\"capabilities\":{\"max_dma_maps\":18446744073709551616}}".to_vec(),
        3 => b"{\"capabilities\":null}".to_vec(),
        4 => b" ".repeat(8000),
        _ => dice.bytes(40),
    };
    let major = dice.pick(&[0, 0, 1, 0xFFFF]);
    let mut payload = words(&[major]);
    payload.extend(json);
    if !dice.one_in(4) {
        payload.push(0);
    }
    message(0, Command::VERSION, Flags::empty(), &payload)
}

const REGISTERS: [u64; 6] = [
    register::SUBMIT,
    register::DONE,
    register::PEEK,
    register::CRIME,
    register::CANCEL,
    register::KILLED,
];

/// What a client might say next. Some of it is right.
fn say<'a>(dice: &mut Dice, drawer: &'a Drawer, vanishing: &'a OwnedFd) -> Vec<Piece<'a>> {
    let id = dice.any() as u16;
    let no_reply = Flags::from_bits_retain(1 << 4);
    let flags = if dice.one_in(4) { no_reply } else { Flags::empty() };
    let one = |command, payload: Vec<u8>| vec![(message(id, command, flags, &payload), Vec::new())];
    match dice.below(20) {
        // Memory: right, overlapping, beyond the file, of any numbers, unsealed, and of the wrong kinds.
        0..=2 => {
            let at = dice.below(8) * PAGE;
            let len = (1 + dice.below(4)) * PAGE;
            let flags = dice.pick(&[3, 3, 3, 1, 2, 0, 0x80]);
            let (offset, at, len) = match dice.below(4) {
                0 => (dice.number(), dice.number(), dice.number()),
                _ => (dice.below(4) * PAGE, at, len),
            };
            let argsz = dice.pick(&[32, 32, 32, 0, u32::MAX]);
            let payload = longs(words(&[argsz, flags]), &[offset, at, len]);
            let fds = drawer.likely(dice, 0);
            vec![(message(id, Command::DMA_MAP, Flags::empty(), &payload), fds)]
        }
        3 => {
            let (at, len) = match dice.below(3) {
                0 => (dice.number(), dice.number()),
                1 => (0, 0),
                _ => (dice.below(8) * PAGE, (1 + dice.below(4)) * PAGE),
            };
            let flags = dice.pick(&[0, 0, 2, 1, 3, u32::MAX]);
            one(Command::DMA_UNMAP, longs(words(&[24, flags]), &[at, len]))
        }
        // Memory that the other thread of this VMM takes away.
        4 => {
            let payload = longs(words(&[32, 3]), &[0, 0, 4 * PAGE]);
            let peek = dice.below(4 * PAGE) as u32 & !3;
            let poke = [access(register::PEEK, 0, 4), words(&[peek])].concat();
            vec![
                (message(id, Command::DMA_MAP, flags, &payload), vec![vanishing.as_fd()]),
                (message(id, Command::REGION_WRITE, flags, &poke), Vec::new()),
                (message(id, Command::REGION_READ, flags, &access(register::PEEK, 0, 4)), vec![]),
            ]
        }
        // Registers.
        5..=8 => {
            let offset = dice.pick(&REGISTERS);
            let poke = [access(offset, 0, 4), words(&[dice.below(3000) as u32])].concat();
            one(Command::REGION_WRITE, poke)
        }
        9 => {
            let count = dice.pick(&[1, 3, 4, 8, 4096, 65536, MAX_DATA, MAX_DATA + 1, u32::MAX]);
            let region = dice.pick(&[0, 0, 6, 6, 7, 1, 8, 9, u32::MAX]);
            let offset = if dice.one_in(2) { 0 } else { dice.number() };
            one(Command::REGION_READ, access(offset, region, count))
        }
        10 => {
            let (count, data) = (dice.number() as u32 & 0xFFF, dice.below(64));
            let data = dice.bytes(data);
            let region = dice.pick(&[0, 0, 6, 7, 3]);
            one(Command::REGION_WRITE, [access(dice.number(), region, count), data].concat())
        }
        11 => {
            let writes = dice.below(6);
            let claimed = if dice.one_in(2) { writes } else { dice.number() };
            let mut payload = claimed.to_ne_bytes().to_vec();
            for _ in 0..writes {
                let count = dice.pick(&[1, 4, 4, 8, 9, u32::MAX]);
                payload.extend(access(dice.pick(&REGISTERS), 0, count));
                payload.extend(dice.bytes(8));
            }
            one(Command::REGION_WRITE_MULTI, payload)
        }
        // Interrupts.
        12 => {
            let data = dice.pick(&[0x24, 0x24, 0x21, 0x22, 0x0C, 0, 0x3F, u32::MAX]);
            let index = dice.pick(&[1, 1, 1, 0, 4, u32::MAX]);
            let start = dice.pick(&[0, 0, 1, u32::MAX]);
            let count = dice.pick(&[1, 1, 0, 2, 33, u32::MAX]);
            let payload = words(&[dice.pick(&[20, 20, 0]), data, index, start, count]);
            let fds = drawer.likely(dice, 2);
            vec![(message(id, Command::DEVICE_SET_IRQS, flags, &payload), fds)]
        }
        // Questions, whole and cut.
        13 => {
            let (command, len) = dice.pick(&[
                (Command::DEVICE_GET_INFO, 16),
                (Command::DEVICE_GET_REGION_INFO, 32),
                (Command::DEVICE_GET_IRQ_INFO, 16),
                (Command::DEVICE_RESET, 0),
            ]);
            let mut payload = words(&[32, 0, dice.below(10) as u32, 0, 0, 0, 0, 0]);
            payload.truncate(if dice.one_in(2) { len } else { dice.below(33) as usize });
            let fds = if dice.one_in(4) { drawer.some(dice, 2) } else { Vec::new() };
            vec![(message(id, command, flags, &payload), fds)]
        }
        14 => {
            let (command, len) = (Command(dice.any() as u16), dice.below(200));
            one(command, dice.bytes(len))
        }
        15 => vec![(odd_version(dice), Vec::new())],
        // A message whose size is a lie, or which is no command.
        16 => {
            let size = dice.pick(&[0, 15, 16, 17, 48, MAX_MESSAGE, MAX_MESSAGE + 1, u32::MAX]);
            let mut bytes = message(id, Command::REGION_READ, flags, &access(0, 0, 4));
            bytes[4..8].copy_from_slice(&size.to_ne_bytes());
            vec![(bytes, Vec::new())]
        }
        17 => {
            let mut bytes = message(id, Command::REGION_READ, flags, &access(0, 0, 4));
            for _ in 0..dice.below(4) {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = dice.any() as u8;
            }
            vec![(bytes, Vec::new())]
        }
        // Floods that ask for no answer: of resets, of jobs that are taken back, of reads of a whole megabyte.
        18 if dice.one_in(8) => {
            let cancel = [access(register::CANCEL, 0, 4), words(&[1])].concat();
            let job = [access(register::SUBMIT, 0, 4), words(&[1000])].concat();
            let flood: Vec<u8> = match dice.below(3) {
                0 => message(id, Command::DEVICE_RESET, no_reply, &[]),
                1 => [
                    message(id, Command::REGION_WRITE, no_reply, &job),
                    message(id, Command::REGION_WRITE, no_reply, &cancel),
                ]
                .concat(),
                _ => message(id, Command::REGION_READ, no_reply, &access(0, 6, 1 << 20)),
            };
            vec![(flood.repeat(400), Vec::new())]
        }
        // More to be read than anybody keeps.
        19 if dice.one_in(64) => {
            let ask = message(id, Command::REGION_READ, Flags::empty(), &access(0, 6, 1 << 20));
            vec![(ask.repeat(24), Vec::new())]
        }
        _ => {
            let len = dice.below(100);
            vec![(dice.bytes(len), Vec::new())]
        }
    }
}

/// Sends all of it. `false` when the other side has hung up; it must never leave us waiting.
fn send(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
    let (mut rest, mut fds) = (bytes, fds);
    while !rest.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)));
        match sendmsg(socket, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) => rest = &rest[sent..],
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => return false,
            Err(error) => panic!("the mediator does not read: {error}"),
        }
        fds = &[];
    }
    true
}

/// Reads answers until the one with this id, or the end. All of them must be answers.
fn read_answers(socket: &mut UnixStream, last: u16) {
    loop {
        let mut header = [0; 16];
        match socket.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) => {
                let gone = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                assert!(gone.contains(&error.kind()), "no answer: {error}");
                return;
            }
        }
        let size = u32::from_ne_bytes(header[4..8].try_into().unwrap());
        assert!((16..=MAX_MESSAGE).contains(&size), "an answer of {size} bytes");
        assert_eq!(header[8] & 0xF, 1, "not an answer");
        let mut payload = vec![0; size as usize - 16];
        if socket.read_exact(&mut payload).is_err() || header[..2] == last.to_ne_bytes() {
            return;
        }
    }
}

/// One hostile connection.
fn torment(path: &Path, drawer: &Drawer, dice: &mut Dice) {
    let vanishing = memfd_create("vanishing", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&vanishing, 4 * PAGE).unwrap();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    if !dice.one_in(8) {
        pieces.push((version(), Vec::new()));
    }
    for _ in 0..dice.below(8) {
        pieces.extend(say(dice, drawer, &vanishing));
    }

    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    let total: usize = pieces.iter().map(|(bytes, _)| bytes.len()).sum();
    // Hang up at any byte, or not at all.
    let mut left = if dice.one_in(3) { dice.below(total as u64 + 1) as usize } else { total };
    let vanish_after = dice.below(pieces.len() as u64 + 1) as usize;
    let chopped = dice.one_in(4);
    for (index, (bytes, fds)) in pieces.iter().enumerate() {
        if index == vanish_after {
            ftruncate(&vanishing, 0).unwrap();
        }
        let bytes = &bytes[..bytes.len().min(left)];
        left -= bytes.len();
        let first = if chopped && bytes.len() > 1 && bytes.len() < 1000 {
            1 + dice.below(bytes.len() as u64 - 1) as usize
        } else {
            bytes.len()
        };
        let (head, tail) = bytes.split_at(first);
        // Descriptors with the first piece, or late, with the last one.
        let late = dice.one_in(2) && !tail.is_empty();
        let (early, late) = if late { (&[][..], &fds[..]) } else { (&fds[..], &[][..]) };
        if !(send(&socket, head, early) && send(&socket, tail, late)) {
            return;
        }
    }
    ftruncate(&vanishing, 0).unwrap();
    match dice.below(4) {
        0 if left > 0 || total == 0 => {
            let ask =
                message(0xE4D, Command::DEVICE_GET_INFO, Flags::empty(), &words(&[16, 0, 0, 0]));
            if send(&socket, &ask, &[]) {
                // What was cut before may have swallowed the question: then hanging up is what ends it.
                let _ = socket.shutdown(Shutdown::Write);
                read_answers(&mut socket, 0xE4D);
            }
        }
        1 => {
            let _ = socket.shutdown(Shutdown::Write);
            read_answers(&mut socket, 0xE4D);
        }
        // One more caller, who is turned away or takes over, and says nothing.
        2 if dice.one_in(4) => drop(UnixStream::connect(path).unwrap()),
        _ => {}
    }
}

/// What a VM does that means no harm: memory, an interrupt, a job, a look at its memory. All of it must work.
fn behave(vm: &VmHandle, mark: u32) {
    let mut client = Client::connect(vm.socket()).unwrap();
    let memory = sealed_memfd(4 * PAGE).unwrap();
    rustix::io::pwrite(&memory, &mark.to_le_bytes(), PAGE + 8).unwrap();
    client.map(GuestAddress(0x10_0000), 4 * PAGE, memory.as_fd(), 0, true).unwrap();
    let interrupt = client.enable_interrupt(Vector(0)).unwrap();
    client.write_u32(0, register::PEEK, 0x10_1008).unwrap();
    assert_eq!(client.read_u32(0, register::PEEK).unwrap(), mark);
    submit(&mut client, 50);
    await_signal(&interrupt);
    assert_eq!(client.read_u32(0, register::DONE).unwrap(), 1);
    assert_eq!(vm.state(), VmState::Connected);
}

fn await_signal(interrupt: &OwnedFd) {
    let mut fds = [PollFd::new(interrupt, PollFlags::IN)];
    let ready = poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).unwrap();
    assert_eq!(ready, 1, "a job does not end");
    rustix::io::read(interrupt, &mut [0; 8]).unwrap();
}

/// A VM that works all the time: a job, its interrupt, its memory. Knows how long each round took.
struct Witness {
    stop: Arc<AtomicBool>,
    /// Whether the others are hostile now.
    beset: Arc<AtomicBool>,
    thread: JoinHandle<[Vec<Duration>; 2]>,
}

impl Witness {
    fn start(vm: &VmHandle) -> Self {
        let mut client = connect(vm);
        let (stop, beset) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stopped, is_beset) = (Arc::clone(&stop), Arc::clone(&beset));
        let thread = std::thread::spawn(move || {
            let memory = sealed_memfd(PAGE).unwrap();
            client.map(GuestAddress(0), PAGE, memory.as_fd(), 0, true).unwrap();
            let interrupt = client.enable_interrupt(Vector(0)).unwrap();
            client.write_u32(0, register::PEEK, 0x40).unwrap();
            let mut rounds = [Vec::new(), Vec::new()];
            let mut number = 0_u32;
            while !stopped.load(Ordering::Relaxed) {
                let kind = usize::from(is_beset.load(Ordering::Relaxed));
                let begin = Instant::now();
                number += 1;
                rustix::io::pwrite(&memory, &number.to_le_bytes(), 0x40).unwrap();
                assert_eq!(client.read_u32(0, register::PEEK).unwrap(), number);
                submit(&mut client, 100);
                await_signal(&interrupt);
                assert_eq!(client.read_u32(0, register::DONE).unwrap(), number);
                rounds[kind].push(begin.elapsed());
                // Half of its time it has nothing to do.
                std::thread::sleep(Duration::from_micros(500));
            }
            rounds
        });
        Self { stop, beset, thread }
    }

    /// How it fared beside clients that mean no harm, and beside others.
    fn stop(self) -> [Latency; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the witness was not served right").map(Latency::of)
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "to be shown")]
struct Latency {
    rounds: usize,
    median: Duration,
    p99: Duration,
    worst: Duration,
}

impl Latency {
    fn of(mut rounds: Vec<Duration>) -> Self {
        rounds.sort_unstable();
        let at = |part: f64| {
            let place = rounds.len().saturating_sub(1) as f64 * part;
            rounds.get(place as usize).copied().unwrap_or_default()
        };
        Self { rounds: rounds.len(), median: at(0.5), p99: at(0.99), worst: at(1.0) }
    }
}

/// Descriptors, mappings and threads of this process.
fn possessions() -> [usize; 3] {
    let count = |of: &str| std::fs::read_dir(of).unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let files = maps.lines().filter(|line| line.contains("memfd:")).count();
    [count("/proc/self/fd"), files, count("/proc/self/task")]
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

static PANICKED: AtomicBool = AtomicBool::new(false);

/// No thread may panic, but the device where it is told to.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some("as the test wants it") {
                PANICKED.store(true, Ordering::Relaxed);
                usual(panic);
            }
        }));
    });
}

/// Says how to repeat the case during which the test failed.
struct Here {
    seed: u64,
    case: u64,
}

impl Drop for Here {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, case } = self;
            eprintln!(
                "failed: HOSTILE_SEED={seed} HOSTILE_FIRST={case} HOSTILE_CASES=1 repeats it"
            );
        }
    }
}

fn hostile_clients(seed: u64, cases: u64) {
    // Both tests count what the process has: one at a time.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);

    let seed = from_environment("HOSTILE_SEED").unwrap_or(seed);
    let first = from_environment("HOSTILE_FIRST").unwrap_or(0);
    let cases = from_environment("HOSTILE_CASES").unwrap_or(cases);
    watch_for_panics();
    let mut world = World::new();
    let witness = world.add_usual("witness");
    let sealed = world.add_usual("sealed");
    let config = VmConfig { seals: SealPolicy::AllowUnsealed, ..world.config("unsealed") };
    let targets = [sealed, world.add(config)];
    let drawer = Drawer::new();

    let idle = |targets: &[VmHandle; 2]| {
        for vm in targets {
            wait_for("the VMM is gone", || vm.state() == VmState::Waiting);
        }
    };
    (0..50).for_each(|n| behave(&targets[n as usize % 2], n));
    idle(&targets);
    let before = possessions();

    // In turns: clients that mean no harm, which is what the witness is used to, and clients that do. So both meet
    // the same machine, however busy it is.
    let witnessing = Witness::start(&witness);
    let begin = Instant::now();
    let mut here = Here { seed, case: first };
    let numbers: Vec<u64> = (first..first + cases).collect();
    for stretch in numbers.chunks(cases.div_ceil(20) as usize) {
        let benign = Instant::now();
        for mark in (0..).take_while(|_| benign.elapsed() < Duration::from_millis(200)) {
            behave(&targets[mark as usize % 2], mark);
        }
        witnessing.beset.store(true, Ordering::Relaxed);
        for &case in stretch {
            here.case = case;
            let mut dice = Dice::of(seed, case);
            let target = &targets[dice.below(2) as usize];
            torment(target.socket(), &drawer, &mut dice);
            if case % INSPECTION == 0 {
                behave(target, case as u32);
            }
        }
        witnessing.beset.store(false, Ordering::Relaxed);
    }
    let took = begin.elapsed();
    let [control, beside] = witnessing.stop();
    idle(&targets);
    wait_for("silicon lets go", || world.silicon.open() == (0, 0));
    wait_for("the witness is gone", || witness.state() == VmState::Waiting);
    println!("{cases} cases in {took:.1?}, seed {seed}\nbenign:  {control:?}\nhostile: {beside:?}");

    let after = possessions();
    assert_eq!(before, after, "descriptors, mappings of guest memory, threads");
    assert!(!PANICKED.load(Ordering::Relaxed), "something panicked");
    // A busy machine makes all of it slower; that a hostile client blocks others would show as seconds.
    assert!(beside.p99 < control.p99 * 5 + Duration::from_millis(20), "{control:?} {beside:?}");
    assert!(
        beside.worst < control.worst * 10 + Duration::from_millis(100),
        "{control:?} {beside:?}"
    );
}

#[test]
fn a_hundred_thousand_hostile_clients_cost_only_their_own_connections() {
    hostile_clients(1, 100_000);
}

#[test]
#[ignore = "make test-long: 500,000 cases, others each time"]
fn half_a_million_other_hostile_clients_cost_only_their_own_connections() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    hostile_clients(now.unwrap().as_nanos() as u64, 500_000);
}
