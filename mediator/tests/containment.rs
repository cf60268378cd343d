//! What a guest, or its VMM, does wrong costs that VM its device and nobody anything else.

mod world;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mediator::memory::{SealPolicy, sealed_memfd};
use mediator::transport::vfio_user::Command;
use mediator::transport::vfio_user::client::Client;
use mediator::{GuestAddress, Place, Region, VmState};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use world::{SHARED, World, connect, register, rule, submit, wait_for};

#[test]
fn a_truncated_memory_costs_only_its_own_vm() {
    let mut world = World::new();
    let victim = world.add_victim();
    let evil =
        world.add(mediator::VmConfig { seals: SealPolicy::AllowUnsealed, ..world.config("evil") });
    let mut client = connect(&evil);
    let memory = memfd_create("memory", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, 1 << 20).unwrap();
    client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();
    assert_eq!(client.read_u32(0, register::PEEK).unwrap(), 0);

    ftruncate(&memory, 0).unwrap();
    client.read_u32(0, register::PEEK).unwrap();
    wait_for("quarantine", || rule(&evil) == Some("memory/vanished"));
    assert_eq!(client.read_u32(0, 0x20).unwrap(), 0, "a quarantined device reads as zeros");

    // Neither a reset brings the memory back, nor is the VM lost for good.
    client.reset().unwrap();
    wait_for("quarantine again", || rule(&evil) == Some("memory/vanished"));
    drop(client);
    wait_for("the VMM is gone", || evil.state() == VmState::Waiting);
    let mut client = connect(&evil);
    let memory = sealed_memfd(4096).unwrap();
    client.map(GuestAddress(0), 4096, memory.as_fd(), 0, true).unwrap();
    assert_eq!(client.read_u32(0, register::PEEK).unwrap(), 0);
    assert_eq!(evil.state(), VmState::Connected);
    victim.was_served();
}

#[test]
fn memory_that_a_vmm_maps_stays_its_devices_and_never_becomes_anothers() {
    let mut world = World::new();
    let (vm, other) = (world.add_usual("vm"), world.add_usual("other"));
    let (mut client, mut neighbour) = (connect(&vm), connect(&other));
    let (part, file) = client.mappable(0).unwrap();
    assert_eq!(part, SHARED);
    let store = |word: u32| {
        rustix::io::pwrite(&file, &word.to_le_bytes(), part.offset).unwrap();
    };
    store(1);
    assert_eq!(client.read_u32(0, register::SHARED).unwrap(), 1);
    assert_eq!(neighbour.read_u32(0, register::SHARED).unwrap(), 0);

    // A device that is built anew lies in the memory that the VMM has mapped, with nothing in it.
    client.write_u32(0, register::PANIC, 1).unwrap();
    wait_for("quarantine", || rule(&vm) == Some("internal/panic"));
    client.reset().unwrap();
    assert_eq!(client.read_u32(0, register::SHARED).unwrap(), 0);
    store(2);
    assert_eq!(client.read_u32(0, register::SHARED).unwrap(), 2);

    // The next VMM has memory that the first one can't reach any more.
    drop(client);
    wait_for("the VMM is gone", || vm.state() == VmState::Waiting);
    let mut next = connect(&vm);
    store(3);
    assert_eq!(next.read_u32(0, register::SHARED).unwrap(), 0);
}

#[test]
fn an_unsealed_memory_is_refused_where_it_is_not_allowed() {
    let mut world = World::new();
    let evil = world.add_usual("evil");
    let mut client = connect(&evil);
    let memory = memfd_create("memory", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, 1 << 20).unwrap();
    client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap_err();
    assert_eq!(evil.counters().reasons.get("memory/map"), Some(&1));
}

#[test]
fn an_exhausted_job_quota_faults_its_own_jobs_only() {
    let mut world = World::new();
    let victim = world.add_victim();
    let mut config = world.config("evil");
    config.quotas.jobs = 64;
    let evil = world.add(config);
    let mut client = connect(&evil);
    for _ in 0..100 {
        submit(&mut client, 20_000);
    }
    wait_for("refusals", || evil.counters().reasons.get("quota/jobs").is_some_and(|&n| n > 20));
    assert!(client.read_u32(0, register::FAULTS).unwrap() > 0);
    let usage = evil.usage()[0].1;
    assert!(usage.depth <= 64, "{usage:?}");
    victim.was_served();
}

#[test]
fn a_flood_of_jobs_beyond_all_bounds_quarantines_its_own_vm_only() {
    let mut world = World::new();
    let victim = world.add_victim();
    let mut config = world.config("evil");
    config.quotas.jobs = 4;
    let evil = world.add(config);
    let mut client = connect(&evil);
    for _ in 0..20_000 {
        submit(&mut client, 1_000_000);
    }
    client.read_u32(0, register::FAULTS).unwrap();
    let refused = evil.counters().reasons["quota/jobs"];
    assert!(refused >= 1000 || rule(&evil) == Some("quota/jobs"), "{refused}");
    victim.was_served();
}

#[test]
fn an_exhausted_memory_quota_is_refused() {
    let mut world = World::new();
    let mut config = world.config("evil");
    config.quotas.memory.bytes = 8192;
    let evil = world.add(config);
    let mut client = connect(&evil);
    let memory = sealed_memfd(1 << 20).unwrap();
    client.map(GuestAddress(0), 8192, memory.as_fd(), 0, true).unwrap();
    client.map(GuestAddress(8192), 4096, memory.as_fd(), 0, true).unwrap_err();
    assert_eq!(evil.counters().reasons.get("quota/memory"), Some(&1));
    assert_eq!(evil.details().unwrap().memory, 8192);
}

#[test]
fn a_stalled_reader_is_cut_off_and_nobody_waits_for_it() {
    let mut world = World::new();
    let victim = world.add_victim();
    let evil = world.add_usual("evil");
    let mut client = connect(&evil);
    // Ask for a lot, and read nothing of it.
    let question = [&0_u64.to_ne_bytes()[..], &6_u32.to_ne_bytes(), &65536_u32.to_ne_bytes()];
    let flags = mediator::transport::vfio_user::Flags::empty();
    for _ in 0..10_000 {
        if client.send(Command::REGION_READ, flags, &question.concat(), &[]).is_err() {
            break;
        }
    }
    wait_for("the cut", || evil.state() == VmState::Waiting);
    assert_eq!(evil.counters().reasons.get("transport/protocol"), Some(&1));
    drop(client);
    connect(&evil).read_u32(0, register::DONE).unwrap();
    victim.was_served();
}

#[test]
fn a_peer_killed_mid_message_leaves_its_jobs_and_memory_behind_nowhere() {
    let mut world = World::new();
    let victim = world.add_victim();
    let evil = world.add_usual("evil");
    for round in 1..=20 {
        let mut client = connect(&evil);
        let memory = sealed_memfd(1 << 20).unwrap();
        client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();
        for _ in 0..10 {
            submit(&mut client, 5_000_000);
        }
        assert_eq!(client.read_u32(0, register::DONE).unwrap(), 0);
        assert_eq!(evil.details().unwrap().memory, 1 << 20);
        // Half a header.
        client.send_bytes(&[1, 0, 9, 0, 48, 0], &[]).unwrap();
        drop(client);
        wait_for("the end", || evil.state() == VmState::Waiting);
        assert_eq!(evil.details().unwrap().memory, 0);
        assert_eq!(evil.counters().connections, round);
        wait_for("silicon lets go", || world.silicon.open() == (1, 1));
    }
    victim.was_served();
}

#[test]
fn nonsense_on_the_socket_costs_only_its_connection() {
    let mut world = World::new();
    let victim = world.add_victim();
    let evil = world.add_usual("evil");
    for noise in [&[0xff_u8; 64][..], b"GET / HTTP/1.1\r\n\r\n", &[0; 16]] {
        let mut client = Client::connect_raw(evil.socket()).unwrap();
        client.send_bytes(noise, &[]).unwrap();
        client.receive().unwrap_err();
    }
    connect(&evil).read_u32(0, register::DONE).unwrap();
    victim.was_served();
}

#[test]
fn a_panic_in_a_device_costs_only_its_own_vm_until_its_reset() {
    let mut world = World::new();
    let victim = world.add_victim();
    let evil = world.add_usual("evil");
    let mut client = connect(&evil);
    submit(&mut client, 10_000_000);
    client.write_u32(0, register::PANIC, 1).unwrap();
    assert_eq!(client.read_u32(0, 0x20).unwrap(), 0);
    assert_eq!(rule(&evil), Some("internal/panic"));
    wait_for("its job is killed", || evil.usage()[0].1.killed == 1);

    client.reset().unwrap();
    assert_eq!(evil.state(), VmState::Connected);
    submit(&mut client, 10);
    wait_for("its job", || client.read_u32(0, register::DONE).unwrap() == 1);
    victim.was_served();
}

#[test]
fn a_quarantined_vm_gets_nothing_until_its_reset() {
    let mut world = World::new();
    let evil = world.add_usual("evil");
    let mut client = connect(&evil);
    client.write_u32(0, register::CRIME, 1).unwrap();
    submit(&mut client, 10);
    assert_eq!(client.read_u32(0, 0x20).unwrap(), 0);
    assert_eq!(rule(&evil), Some("toy/crime"));
    assert_eq!(evil.usage()[0].1.submissions, 0);
    // An operator's reset does as well as the VMM's.
    evil.reset().unwrap();
    assert_eq!(evil.state(), VmState::Connected);
    assert_eq!(client.read_u32(0, 0x20).unwrap(), 0xdead_beef);
}

#[test]
fn an_endless_job_is_killed_and_nobody_waits_for_it() {
    let mut world = World::new();
    let victim = world.add_victim();
    let mut config = world.config("evil");
    config.quotas.job_time = Duration::from_millis(200);
    let evil = world.add(config);
    let mut client = connect(&evil);
    submit(&mut client, 1_000_000_000);
    wait_for("its end", || client.read_u32(0, register::KILLED).unwrap() == 1);
    let gpu_time = Duration::from_nanos(evil.usage()[0].1.gpu_ns);
    assert!(gpu_time < Duration::from_millis(800), "{gpu_time:?}");
    victim.was_served();
}

enum Kill {
    Reset,
    Cancel,
}

#[test]
fn a_reset_kills_the_jobs_and_a_cancel_does_too() {
    let mut world = World::new();
    let evil = world.add_usual("evil");
    let mut client = connect(&evil);
    for kill in [Kill::Reset, Kill::Cancel] {
        submit(&mut client, 8_000_000);
        submit(&mut client, 8_000_000);
        match kill {
            Kill::Reset => client.reset().unwrap(),
            Kill::Cancel => client.write_u32(0, register::CANCEL, 1).unwrap(),
        }
        let before = client.read_u32(0, register::DONE).unwrap();
        let begin = Instant::now();
        submit(&mut client, 10);
        wait_for("the next job", || client.read_u32(0, register::DONE).unwrap() == before + 1);
        assert!(begin.elapsed() < Duration::from_secs(2));
        assert_eq!(client.read_u32(0, register::KILLED).unwrap(), 0);
    }
}

#[test]
fn a_second_vmm_is_turned_away_and_the_first_one_goes_on() {
    let mut world = World::new();
    let vm = world.add_usual("vm");
    let mut first = connect(&vm);
    for _ in 0..50 {
        Client::connect(vm.socket()).unwrap_err();
    }
    let at = Place { region: Region::Bar(0), offset: register::SUBMIT };
    first.write(at, &10_u32.to_le_bytes()).unwrap();
    wait_for("its job", || first.read_u32(0, register::DONE).unwrap() == 1);
}

#[test]
fn a_shutdown_ends_everything_in_time() {
    let mut world = World::new();
    let vm = world.add_usual("vm");
    let control = world.path("control");
    world.mediator.serve_control(&control).unwrap();
    let mut client = connect(&vm);
    submit(&mut client, 100_000_000);
    let idle = mediator::control::Client::connect(&control).unwrap();
    let begin = Instant::now();
    world.mediator.shutdown().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert!(!vm.socket().exists() && !control.exists());
    assert_eq!(world.silicon.open(), (0, 0));
    assert_eq!(vm.state(), VmState::Stopped);
    drop(idle);
}
