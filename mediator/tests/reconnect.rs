//! A VMM that comes and goes leaves nothing behind. Alone in its program, which counts its own descriptors.

mod world;

use std::os::fd::AsFd;

use mediator::memory::sealed_memfd;
use mediator::{GuestAddress, Vector, VmState};
use world::{World, connect, register, submit, wait_for};

fn count(of: &str) -> usize {
    std::fs::read_dir(of).unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn a_hundred_connections_leave_no_descriptor_mapping_or_context_behind() {
    let mut world = World::new();
    let vm = world.add_usual("vm");
    let round = || {
        let mut client = connect(&vm);
        let memory = sealed_memfd(1 << 20).unwrap();
        client.map(GuestAddress(0), 1 << 20, memory.as_fd(), 0, true).unwrap();
        let _interrupt = client.enable_interrupt(Vector(0)).unwrap();
        (0..5).for_each(|_| submit(&mut client, 1_000_000));
        client.read_u32(0, register::DONE).unwrap();
        drop(client);
        wait_for("the end", || vm.state() == VmState::Waiting);
        wait_for("silicon lets go", || world.silicon.open() == (0, 0));
    };
    (0..5).for_each(|_| round());
    let before = (count("/proc/self/fd"), mappings());
    (0..100).for_each(|_| round());
    let after = (count("/proc/self/fd"), mappings());
    assert_eq!(before.0, after.0, "descriptors");
    // The allocator may have mapped something for itself.
    assert!(after.1 <= before.1 + 4, "mappings: {} before, {} after", before.1, after.1);
}
