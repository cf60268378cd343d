//! A VM is saved while it works, and goes on: here, elsewhere, or not at all.

mod world;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use mediator::memory::sealed_memfd;
use mediator::transport::vfio_user::client::Client;
use mediator::{GuestAddress, Place, Region, RestoreError, SaveError, VmHandle, VmState};
use world::{World, connect, register, rule, submit, wait_for};

/// A VM with a VMM and a megabyte of memory.
fn guest(world: &mut World, name: &str) -> (VmHandle, Client, OwnedFd) {
    let vm = world.add_usual(name);
    let mut client = connect(&vm);
    let memory = sealed_memfd(1 << 20).unwrap();
    client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();
    (vm, client, memory)
}

fn done(client: &mut Client) -> u32 {
    client.read_u32(0, register::DONE).unwrap()
}

#[test]
fn what_was_out_ends_after_a_resume() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    submit(&mut client, 10);
    wait_for("a job", || done(&mut client) == 1);
    for _ in 0..5 {
        submit(&mut client, 100_000);
    }
    vm.save().unwrap();
    assert_eq!(vm.state(), VmState::Paused);
    assert_eq!(vm.usage()[0].1.depth, 5, "they are saved, not lost");
    vm.save().unwrap();
    assert!(vm.resume().unwrap());
    assert!(!vm.resume().unwrap(), "it runs already");
    assert_eq!(vm.state(), VmState::Connected);
    wait_for("the jobs", || done(&mut client) == 6);
}

#[test]
fn what_was_out_ends_in_another_mediator() {
    let mut first = World::new();
    let (vm, mut client, memory) = guest(&mut first, "vm");
    rustix::io::pwrite(&memory, &0x1234_5678_u32.to_le_bytes(), 0x80).unwrap();
    client.write_u32(0, register::PEEK, 0x80).unwrap();
    submit(&mut client, 10);
    wait_for("a job", || done(&mut client) == 1);
    for _ in 0..3 {
        submit(&mut client, 50_000);
    }
    let state = vm.save().unwrap();

    let mut second = World::new();
    let heir = second.add_usual("heir");
    assert_eq!(heir.restore(&state), Err(RestoreError::NotConnected));
    let mut other = connect(&heir);
    assert_eq!(heir.restore(&state), Err(RestoreError::Memory));
    other.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();
    heir.restore(&state).unwrap();
    assert_eq!(done(&mut other), 1);
    assert_eq!(other.read_u32(0, register::PEEK).unwrap(), 0x1234_5678);
    wait_for("the jobs", || done(&mut other) == 4);
    assert_eq!(vm.state(), VmState::Paused, "the first one stands still");
    drop(client);
    wait_for("its VMM is gone", || vm.state() == VmState::Waiting);
}

#[test]
fn what_a_vmm_had_sent_before_belongs_to_the_state() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    for _ in 0..200 {
        submit(&mut client, 1_000_000);
    }
    vm.save().unwrap();
    assert_eq!(vm.usage()[0].1.submissions, 200);
}

#[test]
fn a_gpu_that_stands_still_lets_the_guest_wait_and_answers_its_vmm() {
    let mut world = World::new();
    let (vm, mut client, memory) = guest(&mut world, "vm");
    vm.save().unwrap();
    let mut config = [0; 4];
    client.read(Place { region: Region::Rom, offset: 0 }, &mut config).unwrap();
    client.unmap(GuestAddress(0), 1 << 20).unwrap();
    client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();

    let began = Instant::now();
    let waits = std::thread::spawn(move || {
        let value = client.read_u32(0, 0x20).unwrap();
        (client, value, began.elapsed())
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(vm.resume().unwrap());
    let (mut client, value, waited) = waits.join().unwrap();
    assert_eq!(value, 0xdead_beef);
    assert!(waited >= Duration::from_millis(200), "{waited:?}");

    // A reset of the VMM's ends the standstill as well.
    submit(&mut client, 1_000_000);
    vm.save().unwrap();
    client.reset().unwrap();
    assert_eq!(vm.state(), VmState::Connected);
    submit(&mut client, 10);
    wait_for("a job", || done(&mut client) == 1);
}

#[test]
fn others_are_served_while_a_vm_is_saved_and_restored() {
    let mut world = World::new();
    let victim = world.add_victim();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    for _ in 0..20 {
        for _ in 0..8 {
            submit(&mut client, 50_000);
        }
        let state = vm.save().unwrap();
        vm.restore(&state).unwrap();
        vm.save().unwrap();
        vm.reset().unwrap();
    }
    victim.was_served();
}

#[test]
fn a_refused_restore_changes_nothing() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    let state = vm.save().unwrap();
    assert!(vm.resume().unwrap());
    submit(&mut client, 10);
    wait_for("a job", || done(&mut client) == 1);
    submit(&mut client, 100_000);
    let resets = vm.counters().resets;

    let cut = vm.restore(&state[..state.len() - 1]).unwrap_err();
    assert!(matches!(cut, RestoreError::Truncated { .. }), "{cut}");
    assert_eq!(vm.restore(b"something else"), Err(RestoreError::NotAState));
    let impossible = changed(&state, "\"done\":0", "\"done\":4294967295");
    assert!(matches!(vm.restore(&impossible), Err(RestoreError::Impossible(_))));
    let foreign = changed(&state, "a toy", "a car");
    assert!(matches!(vm.restore(&foreign), Err(RestoreError::Model { .. })));
    let newer = changed(&state, "\"version\":1", "\"version\":2");
    assert!(matches!(vm.restore(&newer), Err(RestoreError::Version { saved: 2, here: 1 })));

    assert_eq!(vm.counters().resets, resets);
    wait_for("the job that was out", || done(&mut client) == 2);
}

/// The state with a part of its body replaced, and a checksum that says so.
fn changed(state: &[u8], from: &str, to: &str) -> Vec<u8> {
    let body = std::str::from_utf8(&state[24..]).unwrap();
    assert!(body.contains(from), "{body}");
    let body = body.replace(from, to);
    let mut file = state[..12].to_vec();
    file.extend(crc32fast::hash(body.as_bytes()).to_le_bytes());
    file.extend((body.len() as u64).to_le_bytes());
    file.extend(body.bytes());
    file
}

#[test]
fn a_quarantined_vm_is_not_saved_and_a_restore_lifts_the_quarantine() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    submit(&mut client, 20_000);
    let state = vm.save().unwrap();
    vm.resume().unwrap();
    for crime in [register::CRIME, register::PANIC] {
        client.write_u32(0, crime, 1).unwrap();
        wait_for("quarantine", || rule(&vm).is_some());
        assert!(matches!(vm.save(), Err(SaveError::Quarantined(_))));
        let refused = vm.restore(&state[..30]).unwrap_err();
        assert!(matches!(refused, RestoreError::Truncated { .. }), "{refused}");
        assert!(rule(&vm).is_some(), "a refused restore lifts nothing");
        vm.restore(&state).unwrap();
        assert_eq!(vm.state(), VmState::Connected);
        wait_for("the job", || done(&mut client) == 1);
    }
}

#[test]
fn a_vm_that_can_not_be_saved_goes_on() {
    let mut world = World::new();
    let alone = world.add_usual("alone");
    assert_eq!(alone.save(), Err(SaveError::NotConnected));
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    client.write_u32(0, register::SHY, 1).unwrap();
    submit(&mut client, 20_000);
    assert_eq!(vm.save(), Err(SaveError::Device("it is shy".into())));
    wait_for("the job", || done(&mut client) == 1);
    assert_eq!(vm.state(), VmState::Connected);
}

#[test]
fn a_guest_that_never_falls_silent_is_not_saved() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    let noise = std::thread::spawn(move || {
        // Until the mediator is gone.
        while client.write_u32(0, register::PEEK, 0).is_ok() {}
    });
    match vm.save() {
        // It may happen to have read all that was there.
        Ok(_) => assert!(vm.resume().unwrap()),
        Err(error) => assert!(matches!(error, SaveError::Restless(_)), "{error}"),
    }
    drop(world);
    noise.join().unwrap();
}

#[test]
fn states_pass_through_the_control_socket() {
    let mut world = World::new();
    let (vm, mut client, _memory) = guest(&mut world, "vm");
    let path = world.path("control");
    world.mediator.serve_control(&path).unwrap();
    let mut control = mediator::control::Client::connect(&path).unwrap();
    submit(&mut client, 10);
    wait_for("a job", || done(&mut client) == 1);
    let state = control.save("vm").unwrap();
    assert_eq!(vm.state(), VmState::Paused);
    control.resume("vm").unwrap();
    assert_eq!(control.resume("vm").unwrap_err().to_string(), "the VM's GPU doesn't stand still");
    control.reset("vm").unwrap();
    assert_eq!(done(&mut client), 0);
    control.restore("vm", &state).unwrap();
    assert_eq!(done(&mut client), 1);
    let refused = control.restore("vm", b"nonsense").unwrap_err().to_string();
    assert_eq!(refused, "this is no state that vgate has saved");
    assert!(control.save("nobody").unwrap_err().to_string().contains("no VM named"));

    // More than is ever read is not waited for; less than was announced restores nothing.
    for (announced, sent) in [(1_u64 << 40, 10), (1000, 10)] {
        let mut raw = UnixStream::connect(&path).unwrap();
        writeln!(raw, r#"{{"version":1,"request":"restore","vm":"vm","bytes":{announced}}}"#)
            .unwrap();
        raw.write_all(&state[..sent]).unwrap();
        raw.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = BufReader::new(raw).read_line(&mut answer);
        assert!(answer.is_empty() || answer.contains("error"), "{answer}");
    }
    assert_eq!(done(&mut client), 1);
}
