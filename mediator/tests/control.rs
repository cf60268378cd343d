//! The control socket of a running mediator.

mod world;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mediator::GuestAddress;
use mediator::control::Client;
use mediator::control::protocol::State;
use mediator::memory::sealed_memfd;
use world::{World, connect, register, submit, wait_for};

#[test]
fn operators_see_each_vm() {
    let mut world = World::new();
    let socket = world.path("control");
    world.mediator.serve_control(&socket).unwrap();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let vm = world.add_usual("one");
    world.add_usual("two");
    let mut guest = connect(&vm);
    submit(&mut guest, 300_000);
    wait_for("its job", || guest.read_u32(0, register::DONE).unwrap() == 1);

    let mut client = Client::connect(&socket).unwrap();
    let vms = client.list().unwrap();
    assert_eq!(vms.iter().map(|vm| vm.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((&vms[0].state, &vms[1].state), (&State::Connected, &State::Waiting));
    let engine = &vms[0].engines[0];
    assert_eq!((engine.name.as_str(), engine.usage.submissions), ("rcs0", 1));
    assert!(engine.usage.gpu_ns >= 300_000_000, "{engine:?}");
    assert!(engine.share > 0.0 && engine.share <= 1.0, "{engine:?}");
    assert!(vms[1].engines[0].share == 0.0);

    let report = client.show("one").unwrap();
    assert_eq!(report.unknown[0].region, "bar0");
    assert_eq!(report.unknown[0].offset, 0x1234);
    assert_eq!(report.device["jobs"], 1);
    assert_eq!(report.summary.resolution, Some((64, 16)));
    assert!(report.summary.traps >= 2);

    let error = client.show("three").unwrap_err();
    assert!(error.to_string().contains("three"), "{error}");

    guest.write_u32(0, register::CRIME, 1).unwrap();
    guest.read_u32(0, register::DONE).unwrap();
    let state = client.list().unwrap().remove(0).state;
    assert!(matches!(&state, State::Quarantined { rule, .. } if rule == "toy/crime"), "{state:?}");
    client.reset("one").unwrap();
    assert_eq!(client.list().unwrap()[0].state, State::Connected);
}

#[test]
fn monitors_are_plugged_and_pulled_and_a_new_device_gets_the_right_one() {
    let mut world = World::new();
    let socket = world.path("control");
    world.mediator.serve_control(&socket).unwrap();
    let vm = world.add_usual("vm");
    let mut client = Client::connect(&socket).unwrap();
    let edid = |client: &mut Client| client.show("vm").unwrap().device["edid"];

    let monitor = display::Monitor::new("800x600".parse().unwrap()).edid().unwrap();
    client.plug("vm", Some(monitor.bytes().to_vec())).unwrap();
    assert_eq!(edid(&mut client), 128);
    let error = client.plug("vm", Some(vec![0; 128])).unwrap_err();
    assert!(error.to_string().contains("no EDID"), "{error}");
    assert_eq!(edid(&mut client), 128);
    client.unplug("vm").unwrap();
    assert_eq!(edid(&mut client), 0);
    assert!(client.unplug("nobody").is_err());

    // A device that is built anew is told what the old one knew.
    client.plug("vm", None).unwrap();
    let mut guest = connect(&vm);
    guest.write_u32(0, register::PANIC, 1).unwrap();
    // The write is posted: an answer says that it was carried out.
    guest.read_u32(0, register::DONE).unwrap();
    client.reset("vm").unwrap();
    assert_eq!(edid(&mut client), 128);
}

#[test]
fn a_screenshot_shows_guest_memory() {
    let mut world = World::new();
    let socket = world.path("control");
    let vm = world.add_usual("vm");
    world.mediator.serve_control(&socket).unwrap();
    let mut guest = connect(&vm);
    let memory = sealed_memfd(4096).unwrap();
    let pixels: Vec<u8> = (0..1024).flat_map(|i: u32| [i as u8, 2, 3, 0]).collect();
    rustix::io::pwrite(&memory, &pixels, 0).unwrap();

    let mut client = Client::connect(&socket).unwrap();
    let black = client.screenshot("vm").unwrap();
    let black = display::Picture::from_png(&black.png).unwrap();
    assert_eq!(black.pixel(5, 0), Some([0, 0, 0, 255]), "nothing mapped reads as zeros");

    guest.map(GuestAddress(0), 4096, memory.as_fd(), 0, true).unwrap();
    let shot = client.screenshot("vm").unwrap();
    assert_eq!((shot.width, shot.height), (64, 16));
    let picture = display::Picture::from_png(&shot.png).unwrap();
    assert_eq!(picture.pixel(5, 0), Some([3, 2, 5, 255]));
    assert_eq!(picture.pixel(0, 1), Some([3, 2, 64, 255]));
}

#[test]
fn a_control_client_that_talks_nonsense_is_told_so() {
    let mut world = World::new();
    let socket = world.path("control");
    world.add_usual("vm");
    world.mediator.serve_control(&socket).unwrap();

    let ask = |line: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(line).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    };
    assert!(ask(b"what?\n").contains("not a request"));
    assert!(ask(b"{\"version\":9,\"request\":\"list\"}\n").contains("version 9"));
    assert!(ask(&[b'x'; 5000]).contains("more than 4096 bytes"));
}

#[test]
fn a_control_client_that_stalls_costs_only_itself() {
    let mut world = World::new();
    let socket = world.path("control");
    world.add_usual("vm");
    world.mediator.serve_control(&socket).unwrap();
    // Silent ones, as many as are let in but one; then one more that wants something.
    let silent: Vec<_> = (0..7).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let mut client = Client::connect(&socket).unwrap();
    assert_eq!(client.list().unwrap().len(), 1);
    // All seats are taken: the next one is turned away.
    let mut late = UnixStream::connect(&socket).unwrap();
    late.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(late.read(&mut [0; 16]).unwrap_or(0), 0);
    drop(silent);
    wait_for("a free seat", || Client::connect(&socket).unwrap().list().is_ok());
}
