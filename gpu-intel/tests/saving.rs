//! A guest's GPU is saved in one mediator while it works and goes on in another, over the same guest memory.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu_intel::driver::{Driver, FREE, MEMORY};
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Platform, Presence, Vgpu, VgpuConfig};
use mediator::memory::{MapRequest, MemoryQuota, SealPolicy, sealed_memfd};
use mediator::transport::vfio_user::client::Client;
use mediator::{
    Clock, GuestAddress, GuestRam, Mediator, Quotas, RestoreError, VirtualGpu, VmConfig, VmHandle,
    VmState, Weight,
};

/// Where the batches and what they work on lie, for each engine.
const LOOP: u64 = 0x1000;
const COUNT: u64 = 0x2000;
const RESULT: u64 = 0x2008;
const FLAG: u64 = 0x2010;
const BEGAN: u64 = 0x2018;
const ENDED: u64 = 0x2020;
const SIZE: u64 = 0x1_0000;

const BATCH_END: u32 = 0x0A << 23;

/// A mediator over the model, with one VM.
struct Side {
    _mediator: Mediator<Batch>,
    vm: VmHandle,
    _dir: tempfile::TempDir,
}

impl Side {
    fn new(platform: Platform, presence: Presence) -> Self {
        let clock = Clock::start();
        let dir = tempfile::tempdir().unwrap();
        let mut mediator = Mediator::start(Arc::new(Model::new(clock).unwrap()), clock).unwrap();
        let config = VmConfig {
            name: "vm".to_owned(),
            socket: dir.path().join("vm"),
            weight: Weight::USUAL,
            quotas: Quotas::default(),
            seals: SealPolicy::RequireSealed,
        };
        let factory = move |setup: mediator::DeviceSetup| {
            let edid = vec![0; 128];
            let config = VgpuConfig { platform, presence, edid, ..VgpuConfig::default() };
            let vgpu = Vgpu::new(config, setup.ram)?;
            Ok(Box::new(vgpu) as Box<dyn VirtualGpu<Batch>>)
        };
        let vm = mediator.add_vm(config, factory).unwrap();
        Self { _mediator: mediator, vm, _dir: dir }
    }

    /// A VMM with this memory.
    fn connect(&self, memory: &OwnedFd) -> Client {
        let mut client = Client::connect(self.vm.socket()).unwrap();
        client.map(GuestAddress(0), MEMORY, memory.as_fd(), 0, true).unwrap();
        client
    }
}

/// A guest, wherever its GPU is.
struct Guest {
    memory: OwnedFd,
    ram: GuestRam,
    driver: Driver,
}

impl Guest {
    fn start(client: &mut Client, memory: OwnedFd) -> Self {
        let ram = GuestRam::new(MemoryQuota::default());
        let fd = memory.try_clone().unwrap();
        let at = GuestAddress(0);
        ram.map(MapRequest { at, len: MEMORY, fd, offset: 0, writable: true }).unwrap();
        let driver = Driver::start(ram.clone(), &mut |at, value| {
            client.write_u32(0, at, value).unwrap();
        });
        Self { memory, ram, driver: driver.unwrap() }
    }

    fn submit(&mut self, client: &mut Client, engine: Engine, batch: u64) -> u32 {
        let write = &mut |at, value| client.write_u32(0, at, value).unwrap();
        self.driver.submit(engine, batch, write).unwrap()
    }

    fn write(&self, at: u64, dwords: &[u32]) {
        for (at, dword) in (at..).step_by(4).zip(dwords) {
            self.ram.write_u32(GuestAddress(at), *dword).unwrap();
        }
    }

    fn read(&self, at: u64) -> u32 {
        self.ram.read_u32(GuestAddress(at)).unwrap()
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A batch that counts to `rounds` in a register, in a loop of the second level, waits for the flag, and stores
    /// the count and when it began and ended.
    fn write_batch(&self, engine: Engine, rounds: u32) -> u64 {
        let at = FREE + u64::from(engine.id().0) * SIZE;
        let address = |offset: u64| [(at + offset) as u32, 0];
        let register = |offset: u32| engine.base() + offset;
        let store =
            |offset: u32, to: u64| [&[0x1200_0002, register(offset)][..], &address(to)].concat();
        let (one, count, left) = (0x600, 0x608, 0x610);
        let load = |offset: u32, value: u32| {
            [0x1100_0003, register(offset), value, register(offset + 4), 0]
        };
        // MI_MATH: load register and R0, add or subtract, store.
        let math = |operation: u32, gpr: u32| {
            let alu =
                |operation: u32, first: u32, second: u32| operation << 20 | first << 10 | second;
            let loads = [alu(0x080, 0x20, gpr), alu(0x080, 0x21, 0)];
            [0x0d00_0003, loads[0], loads[1], alu(operation, 0, 0), alu(0x180, gpr, 0x31)]
        };
        let (add, subtract) = (math(0x100, 1), math(0x101, 2));
        let first = [
            &store(0x358, BEGAN)[..],
            &load(one, 1),
            &load(count, 0),
            &load(left, rounds),
            &[0x18c0_0101],
            &address(LOOP),
            &[0x0e00_c002, 1],
            &address(FLAG),
            &store(count, RESULT),
            &store(0x358, ENDED),
            &[BATCH_END],
        ];
        let around = [
            &add[..],
            &subtract,
            &store(left, COUNT),
            &[0x1b20_0002, 0],
            &address(COUNT),
            &[0x1880_0101],
            &address(LOOP),
        ];
        self.write(at, &first.concat());
        self.write(at + LOOP, &around.concat());
        self.write(at + COUNT, &[rounds, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        at
    }
}

#[test]
fn work_in_flight_goes_on_in_another_mediator() {
    goes_on_in_another_mediator(Presence::Virtual);
}

#[test]
fn work_of_a_bare_gpu_goes_on_in_another_mediator() {
    goes_on_in_another_mediator(Presence::Bare);
}

fn goes_on_in_another_mediator(presence: Presence) {
    const ROUNDS: u32 = 40_000;
    let memory = sealed_memfd(MEMORY).unwrap();
    let mut side = Side::new(Platform::default(), presence);
    let mut client = side.connect(&memory);
    let mut guest = Guest::start(&mut client, memory);
    let mut expected = Vec::new();
    for engine in Engine::ALL {
        let at = guest.write_batch(engine, ROUNDS);
        // The second one finds everything as the first one left it, and counts again.
        guest.submit(&mut client, engine, at);
        let seqno = guest.submit(&mut client, engine, at);
        expected.push((engine, at, seqno));
    }
    client.read_u32(0, 0).unwrap();
    let (_, first, _) = expected[0];
    guest.wait("the first round", |guest| guest.read(first + COUNT) < ROUNDS);

    let timestamp = u64::from(Engine::Render.base()) + 0x358;
    let mut time = 0;
    let mut size = 0;
    for (moves, flag) in [0, 0, 0, 1].into_iter().enumerate() {
        let later = client.read_u32(0, timestamp).unwrap();
        assert!(later > time, "the clock went back: {later} {time}");
        time = later;
        let state = side.vm.save().unwrap();
        assert_eq!(side.vm.state(), VmState::Paused);
        size = size.max(state.len());
        let counts = expected.clone().into_iter().map(|(_, at, _)| guest.read(at + COUNT));
        let counts: Vec<_> = counts.collect();
        assert!(moves > 0 || (1..ROUNDS).contains(&counts[0]), "it is in its loop: {counts:?}");
        std::thread::sleep(Duration::from_millis(20));
        for ((_, at, _), count) in expected.iter().zip(counts) {
            assert_eq!(guest.read(at + COUNT), count, "nothing moves once it is saved");
            guest.write(at + FLAG, &[flag]);
        }
        let next = Side::new(Platform::default(), presence);
        let other = next.connect(&guest.memory);
        next.vm.restore(&state).unwrap();
        (side, client) = (next, other);
        std::thread::sleep(Duration::from_millis(50));
    }
    for (engine, at, seqno) in &expected {
        guest.wait("the requests", |guest| guest.driver.completed(*engine).unwrap() == *seqno);
        assert_eq!(guest.read(at + RESULT), ROUNDS, "{engine:?}");
        assert!(guest.read(at + BEGAN) > time, "{engine:?}: batches have the same clock");
        assert!(guest.read(at + ENDED) > guest.read(at + BEGAN), "{engine:?}");
    }
    // The last one takes new work, and knows the contexts.
    let at = guest.write_batch(Engine::Render, 10);
    guest.write(at + FLAG, &[1]);
    let seqno = guest.submit(&mut client, Engine::Render, at);
    guest.wait("new work", |guest| guest.driver.completed(Engine::Render).unwrap() == seqno);
    assert_eq!(guest.read(at + RESULT), 10);
    let details = side.vm.details().unwrap();
    let hangs = details.counters.iter().find(|(name, _)| *name == "hangs");
    assert_eq!(hangs, Some(&("hangs", 0)));
    println!("states of up to {size} bytes");
}

#[test]
fn a_part_that_is_another_is_refused() {
    let memory = sealed_memfd(MEMORY).unwrap();
    let side = Side::new(Platform::default(), Presence::Virtual);
    let mut client = side.connect(&memory);
    let guest = Guest::start(&mut client, memory);
    client.read_u32(0, 0).unwrap();
    let state = side.vm.save().unwrap();
    let other = Side::new(Platform::Skylake, Presence::Virtual);
    let _client = other.connect(&guest.memory);
    let error = other.vm.restore(&state).unwrap_err();
    assert!(matches!(error, RestoreError::Model { .. }));
    assert_eq!(
        error.to_string(),
        "the state is of \"Intel kaby-lake (8086:5912, revision 04, units: 24), virtual, aperture 1 MiB\" and this VM \
         has \"Intel skylake (8086:1912, revision 06, units: 24), virtual, aperture 1 MiB\": give the VM the same GPU in the configuration"
    );
}
