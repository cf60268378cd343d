//! A client that speaks garbage costs itself its connection, at most: another one beside it notices nothing, and nothing of
//! it stays.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gpu_intel::silicon::model::Model;
use gpu_intel::{Client as ClientGpu, Platform};
use guest_shim::client::Client;
use guest_shim::packets;
use guest_shim::wire::{ArenaOffset, GpuAddress, Greeting, Packet};
use mediator::memory::{MapRequest, MemoryQuota};
use mediator::{Clock, GuestAddress, GuestRam, Mediator, Quotas, ShimConfig, Weight};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Garbage that is sent, one peer after another.
const PEERS: u64 = 2000;
/// What a peer does before it hangs up.
const STEPS: u64 = 24;

/// xorshift64*: what a seed gives is always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Numbers that break things more often than others do.
    fn word(&mut self) -> u64 {
        match self.below(6) {
            0 => self.next(),
            1 => self.below(16),
            2 => u64::MAX - self.below(4),
            3 => 1 << self.below(64),
            4 => self.below(64) << 12,
            _ => self.below(64) << 32 | self.below(64),
        }
    }
}

/// A peer without a library.
struct Peer {
    socket: OwnedFd,
    queues: GuestRam,
    doorbell: OwnedFd,
}

impl Peer {
    fn connect(path: &Path) -> Option<Self> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        let (packet, files) = packets::receive(&socket).ok()?;
        let Ok(Greeting::Welcome(_)) = Greeting::decode(&packet) else { return None };
        let [queues, _arena, doorbell, _bell]: [OwnedFd; 4] = files.try_into().unwrap();
        let len = u64::try_from(rustix::fs::fstat(&queues).unwrap().st_size).unwrap();
        let ram = GuestRam::new(MemoryQuota::default());
        let at = GuestAddress(0);
        ram.map(MapRequest { at, len, fd: queues, offset: 0, writable: true }).unwrap();
        Some(Self { socket, queues: ram, doorbell })
    }

    fn put(&self, word: u64, value: u64) {
        self.queues.write_u64(GuestAddress(word * 8), value).unwrap();
    }

    fn ring(&self) {
        let _ = rustix::io::write(&self.doorbell, &1_u64.to_ne_bytes());
    }

    /// A request in its place in the ring, as far as this one knows it: malformed most of the time.
    fn request(&self, random: &mut Random, tail: u64) {
        let verb = random.below(13);
        let head = verb << 48 | random.below(3) << 32 | random.below(5);
        let place = 512 + (tail % 4096) * 8;
        self.put(place, head);
        for n in 1..8 {
            let word = if random.below(3) == 0 { random.word() } else { random.below(4) };
            self.put(place + n, if n > 4 && random.below(8) > 0 { 0 } else { word });
        }
    }

    fn packet(&self, random: &mut Random) {
        let mut packet: Packet = [0; 24];
        packet[0] = random.below(5);
        packet[1] = random.word();
        if random.below(4) == 0 {
            packet[random.below(24) as usize] = random.word();
        }
        let file = tempfile::tempfile().unwrap();
        let files = [std::os::fd::AsFd::as_fd(&file)];
        let some = if random.below(3) == 0 { &files[..] } else { &[] };
        let _ = packets::send(&self.socket, &packet, some);
    }

    fn misbehave(self, random: &mut Random) {
        let mut tail = 0;
        for _ in 0..STEPS {
            match random.below(10) {
                // Submissions' tail, completions' head, and the sleepers' words.
                0 => self.put(8 + random.below(3) * 8, random.word()),
                1 => self.put(32 + random.below(3) * 8, random.word()),
                2 => self.put(random.below(512), random.word()),
                3 => self.packet(random),
                _ => {
                    for _ in 0..=random.below(40) {
                        self.request(random, tail);
                        tail += 1;
                    }
                    self.put(8, tail);
                }
            }
            self.ring();
        }
        if random.below(2) == 0 {
            // It waits until the mediator has looked, or has hung up.
            std::thread::sleep(Duration::from_micros(random.below(500)));
        }
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn garbage_harms_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("shim.sock");
    let clock = Clock::start();
    let mut mediator = Mediator::start(Arc::new(Model::new(clock).unwrap()), clock).unwrap();
    let quotas = Quotas {
        memory: MemoryQuota { regions: 64, bytes: 64 << 20 },
        job_time: Duration::from_millis(20),
        ..Quotas::default()
    };
    let config = ShimConfig {
        name: "shim".to_owned(),
        socket: socket.clone(),
        weight: Weight::default(),
        quotas,
        clients: 32,
        awake: Duration::ZERO,
    };
    mediator
        .add_shim(config, |setup| Ok(Box::new(ClientGpu::new(Platform::KabyLake, setup))))
        .unwrap();

    let victim = Client::connect(&socket).unwrap();
    let space = victim.open_space().unwrap();
    victim.bind(space, GpuAddress(0x1000), ArenaOffset(0x1000), 0x1000, false).unwrap();
    let context = victim.open_context(space, 0, 0).unwrap();
    // MI_STORE_DATA_IMM and the batch's end.
    let batch: Vec<u8> = [0x1000_0002_u32, 0x1800, 0, 0xCAFE, 0x0500_0000]
        .iter()
        .flat_map(|dword| dword.to_le_bytes())
        .collect();
    let before = descriptors();
    let over = AtomicBool::new(false);
    let (done, slowest) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                victim.arena().write(ArenaOffset(0x1000), &batch).unwrap();
                victim.arena().write(ArenaOffset(0x1800), &[0; 4]).unwrap();
                let begun = Instant::now();
                let point = victim.submit(context, &[], GpuAddress(0x1000)).unwrap();
                assert!(victim.wait(&[point], Some(begun + Duration::from_secs(10))).unwrap());
                let took = u64::try_from(begun.elapsed().as_micros()).unwrap();
                slowest.fetch_max(took, Ordering::Relaxed);
                let mut word = [0; 4];
                victim.arena().read(ArenaOffset(0x1800), &mut word).unwrap();
                assert_eq!(u32::from_le_bytes(word), 0xCAFE);
                done.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for seed in 0..PEERS {
            let mut random = Random(seed + 1);
            let begun = Instant::now();
            let peer = loop {
                // The ones before it are let go of by and by.
                if let Some(peer) = Peer::connect(&socket) {
                    break peer;
                }
                assert!(begun.elapsed() < Duration::from_secs(20), "a place is free again");
                std::thread::sleep(Duration::from_millis(1));
            };
            peer.misbehave(&mut random);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(victim.refusals(), 0);
    assert_eq!(victim.lost(context).unwrap().own, 0);
    let begun = Instant::now();
    while mediator.clients().len() > 1 || descriptors() > before {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{} descriptors, before {before}",
            descriptors()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let slowest = Duration::from_micros(slowest.into_inner());
    println!("{PEERS} peers; the victim's {} batches took {slowest:?} at most", done.into_inner());
    mediator.shutdown().unwrap();
}
