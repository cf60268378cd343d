//! Clients of the paravirtual way on the software GPU: the socket, the wire, tables, audit, scheduler and silicon as they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Client as ClientGpu, Platform};
use guest_shim::client::{Client, ClientError, ConnectError, Lost, Point};
use guest_shim::wire::{ArenaOffset, ContextName, Fault, GpuAddress, SpaceName};
use mediator::{Clock, Mediator, Quotas, ShimConfig, Weight};

const BATCH: u64 = 0x1_0000;
const DATA: u64 = 0x20_0000;
const END: u32 = 0x0500_0000;
/// Places in [`gpu_intel::engine::Engine::ALL`].
const RENDER: u16 = 0;
const COPY: u16 = 1;

struct World {
    mediator: Mediator<Batch>,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(Quotas::default(), 16)
    }

    fn with(quotas: Quotas, clients: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("shim.sock");
        let clock = Clock::start();
        let mut mediator = Mediator::start(Arc::new(Model::new(clock).unwrap()), clock).unwrap();
        let config = ShimConfig {
            name: "shim".to_owned(),
            socket: socket.clone(),
            weight: Weight::default(),
            quotas,
            clients,
            awake: Duration::ZERO,
        };
        mediator
            .add_shim(config, |setup| Ok(Box::new(ClientGpu::new(Platform::KabyLake, setup))))
            .unwrap();
        Self { mediator, socket, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket).unwrap()
    }
}

/// A space with the arena's first MiBs at their own addresses.
fn space(client: &Client) -> SpaceName {
    let space = client.open_space().unwrap();
    client.bind(space, GpuAddress(0x1000), ArenaOffset(0x1000), 0x3F_F000, false).unwrap();
    space
}

fn run(client: &Client, context: ContextName, batch: &[u32]) -> Point {
    let bytes: Vec<u8> = batch.iter().flat_map(|dword| dword.to_le_bytes()).collect();
    client.arena().write(ArenaOffset(BATCH), &bytes).unwrap();
    client.submit(context, &[], GpuAddress(BATCH)).unwrap()
}

fn wait(client: &Client, point: Point) {
    let until = Instant::now() + Duration::from_secs(20);
    assert!(client.wait(&[point], Some(until)).unwrap(), "{point:?} in time");
}

fn word(client: &Client, at: u64) -> u32 {
    let mut bytes = [0; 4];
    client.arena().read(ArenaOffset(at), &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn store(at: u64, value: u32) -> [u32; 4] {
    [0x1000_0002, at as u32, (at >> 32) as u32, value]
}

#[test]
fn a_client_fills_a_buffer_and_reads_it_back() {
    let world = World::new();
    let client = world.client();
    assert_eq!((client.device().vendor, client.device().device), (0x8086, 0x5912));
    assert_eq!(client.device().engines().count(), 4);
    let context = client.open_context(space(&client), COPY, 0).unwrap();
    // XY_COLOR_BLT, 32 bits: 16 by 16 pixels, 64 bytes a line.
    let fill = [
        0x5430_0005,
        3 << 24 | 0xF0 << 16 | 64,
        0,
        16 << 16 | 16,
        DATA as u32,
        0,
        0x00C0_FFEE,
        END,
    ];
    wait(&client, run(&client, context, &fill));
    for at in [0, 4, 60, 64, 1020] {
        assert_eq!(word(&client, DATA + at), 0x00C0_FFEE, "at {at}");
    }
    assert_eq!(word(&client, DATA + 1024), 0);
    assert_eq!((client.lost(context).unwrap(), client.refusals()), (Lost::default(), 0));
    world.mediator.shutdown().unwrap();
}

#[test]
fn batches_wait_for_fences_and_for_each_other() {
    let world = World::new();
    let client = world.client();
    let space = space(&client);
    let first = client.open_context(space, RENDER, 0).unwrap();
    let second = client.open_context(space, COPY, 0).unwrap();
    let gate = Point { fence: client.fence().unwrap(), value: 1 };

    let batch = [&store(DATA, 7)[..], &[END]].concat();
    let bytes: Vec<u8> = batch.iter().flat_map(|dword| dword.to_le_bytes()).collect();
    client.arena().write(ArenaOffset(BATCH), &bytes).unwrap();
    let held = client.submit(first, &[gate], GpuAddress(BATCH)).unwrap();
    let after = client.submit(second, &[held], GpuAddress(BATCH)).unwrap();
    let soon = Some(Instant::now() + Duration::from_millis(50));
    assert!(!client.wait(&[after], soon).unwrap(), "the gate is closed");
    assert_eq!(word(&client, DATA), 0);
    client.signal(gate).unwrap();
    wait(&client, after);
    assert!(client.reached(held));
    assert_eq!(word(&client, DATA), 7);
}

#[test]
fn what_is_refused_or_lost_ends_and_is_counted() {
    let world = World::new();
    let client = world.client();
    let space = space(&client);
    let context = client.open_context(space, RENDER, 0).unwrap();
    // A register that is not a user's; a store to where nothing is; and a good one.
    let refused = [0x1100_0001, 0x2080, 0x1000, END];
    wait(&client, run(&client, context, &refused));
    wait(&client, run(&client, context, &[&store(0x7000_0000, 1)[..], &[END]].concat()));
    assert_eq!(client.lost(context).unwrap(), Lost { own: 2, innocent: 0 });
    wait(&client, run(&client, context, &[&store(DATA, 5)[..], &[END]].concat()));
    assert_eq!(word(&client, DATA), 5);
    assert_eq!(client.lost(context).unwrap().own, 2);
    let [handle] = &world.mediator.clients()[..] else { panic!() };
    assert_eq!(handle.counters().reasons.get("command/register-write"), Some(&1));
}

#[test]
fn an_endless_batch_is_cut_off_and_one_that_is_closed_ends() {
    let job_time = Duration::from_millis(100);
    let world = World::with(Quotas { job_time, ..Quotas::default() }, 4);
    let client = world.client();
    let space = space(&client);
    let endless = [0x1880_0101, BATCH as u32, 0];
    let context = client.open_context(space, RENDER, 0).unwrap();
    wait(&client, run(&client, context, &endless));
    assert_eq!(client.lost(context).unwrap().own, 1);

    let other = client.open_context(space, COPY, 0).unwrap();
    let point = run(&client, other, &endless);
    client.close_context(other);
    wait(&client, point);
    client.close_context(context);
    client.close_space(space);
    let again = client.open_space().unwrap();
    client.close_space(again);
}

#[test]
fn wrong_names_and_ranges_are_refused() {
    let world = World::new();
    let client = world.client();
    let space = space(&client);
    let arena = client.arena().bytes();
    for (at, from, bytes) in [
        (0x1000, arena, 0x1000),
        (0x1000, 0, arena + 0x1000),
        (0x1000, 1 << 45, 0x1000),
        (1 << 48, 0, 0x1000),
        (0x1001, 0, 0x1000),
        (0x1000, 0, 0),
    ] {
        let before = client.refusals();
        client.bind(space, GpuAddress(at), ArenaOffset(from), bytes, false).unwrap();
        // A question is answered behind it.
        assert!(matches!(
            client.open_context(space, 99, 0),
            Err(ClientError::Refused(Fault::Range))
        ));
        assert_eq!(client.refusals(), before + 1, "{at:#x} {from:#x} {bytes:#x}");
    }
    let nobodys = SpaceName(77);
    assert_eq!(client.open_context(nobodys, 0, 0), Err(ClientError::Refused(Fault::Name)));
}

#[test]
fn buffers_go_from_client_to_client() {
    use std::os::fd::AsFd;
    let world = World::new();
    let (left, right) = (world.client(), world.client());
    let (at, file) = left.new_buffer(0x3000).unwrap();
    assert!(at.0 >= left.arena().bytes());
    let (there, bytes) = right.import(file.as_fd()).unwrap();
    assert_eq!(bytes, 0x3000);

    let context = |client: &Client, buffer| {
        let space = space(client);
        client.bind(space, GpuAddress(0x80_0000), buffer, 0x3000, false).unwrap();
        client.open_context(space, COPY, 0).unwrap()
    };
    let (lefts, rights) = (context(&left, at), context(&right, there));
    wait(&left, run(&left, lefts, &[&store(0x80_2000, 0x1234)[..], &[END]].concat()));
    // MI_COPY_MEM_MEM: to the right one's own arena.
    let copy = [0x1700_0003, DATA as u32, 0, 0x80_2000, 0, END];
    wait(&right, run(&right, rights, &copy));
    assert_eq!(word(&right, DATA), 0x1234);
    assert_eq!(word(&left, DATA), 0, "its arena is its own");

    left.forget_buffer(at);
    wait(&left, run(&left, lefts, &[&store(0x80_2000, 1)[..], &[END]].concat()));
    assert_eq!(left.lost(lefts).unwrap().own, 1, "what is forgotten is not there");
    let not_sealed = tempfile::tempfile().unwrap();
    assert!(matches!(right.import(not_sealed.as_fd()), Err(ClientError::Refused(_))));
}

#[test]
fn clients_come_and_go_and_leave_nothing() {
    let world = World::with(Quotas::default(), 3);
    let clients: Vec<_> = (0..3).map(|_| world.client()).collect();
    let refused = Client::connect(&world.socket).unwrap_err();
    assert!(matches!(refused, ConnectError::Refused(Fault::Quota)), "{refused}");
    assert_eq!(world.mediator.clients().len(), 3);
    let context = clients[0].open_context(space(&clients[0]), RENDER, 0).unwrap();
    run(&clients[0], context, &[0x1880_0101, BATCH as u32, 0]);
    drop(clients);
    let begun = Instant::now();
    let last = loop {
        if let Ok(client) = Client::connect(&world.socket) {
            break client;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "places are free again");
        std::thread::sleep(Duration::from_millis(10));
    };
    let context = last.open_context(space(&last), RENDER, 0).unwrap();
    wait(&last, run(&last, context, &[END]));
}

#[test]
fn many_threads_wait_at_once() {
    let world = World::new();
    let client = world.client();
    let space = space(&client);
    client.arena().write(ArenaOffset(BATCH), &END.to_le_bytes()).unwrap();
    std::thread::scope(|scope| {
        for engine in [RENDER, COPY, 2, 3] {
            let client = &client;
            scope.spawn(move || {
                let context = client.open_context(space, engine, 0).unwrap();
                for _ in 0..300 {
                    wait(client, client.submit(context, &[], GpuAddress(BATCH)).unwrap());
                }
            });
        }
    });
    assert_eq!(client.refusals(), 0);
}

#[test]
fn when_the_mediator_goes_nobody_waits_for_ever() {
    let World { mediator, socket, _folder } = World::new();
    let client = Client::connect(&socket).unwrap();
    let gate = Point { fence: client.fence().unwrap(), value: 1 };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| client.wait(&[gate], None));
        std::thread::sleep(Duration::from_millis(100));
        mediator.shutdown().unwrap();
        assert_eq!(waiter.join().unwrap(), Err(ClientError::Gone));
    });
    assert!(client.reached(gate) && !client.is_alive());
}

#[test]
fn operators_see_clients_and_send_them_away() {
    let mut world = World::new();
    let control = world.socket.with_file_name("control");
    world.mediator.serve_control(&control).unwrap();
    let client = world.client();
    let context = client.open_context(space(&client), COPY, 0).unwrap();
    wait(&client, run(&client, context, &[END]));
    let mut operator = mediator::control::Client::connect(&control).unwrap();
    let [summary] = &operator.list().unwrap()[..] else { panic!() };
    assert!(summary.name.starts_with(&format!("shim/{}-", std::process::id())), "{}", summary.name);
    assert_eq!(summary.engines[usize::from(COPY)].usage.finished, 1);
    operator.reset(&summary.name).unwrap();
    let gate = Point { fence: client.fence().unwrap(), value: 1 };
    assert_eq!(client.wait(&[gate], None), Err(ClientError::Gone));
}

#[test]
fn a_client_that_only_looks_is_served_on() {
    let world = World::new();
    let client = world.client();
    let context = client.open_context(space(&client), RENDER, 0).unwrap();
    // Each has an answer that nobody waits for; there are more of them than the ring has places.
    let refused: Vec<u8> =
        [0x1100_0001, 0x2080, 0x1000, END].iter().flat_map(|d: &u32| d.to_le_bytes()).collect();
    client.arena().write(ArenaOffset(BATCH), &refused).unwrap();
    let begun = Instant::now();
    for _ in 0..10_000 {
        let point = client.submit(context, &[], GpuAddress(BATCH)).unwrap();
        while !client.reached(point) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{point:?}");
            std::thread::yield_now();
        }
    }
    // The fence comes before the answer.
    while client.refusals() < 10_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} answers", client.refusals());
        std::thread::yield_now();
    }
    assert_eq!(client.refusals(), 10_000);
}
