//! What does the protocol add to an access: cutting a message out of the stream, decoding it, answering? No socket.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mediator::memory::MapRequest;
use mediator::transport::vfio_user::{Command, Device, Flags, Framer, Interrupt, Session};
use mediator::{GuestAddress, Place, Region, RegionInfo, Vector};
use rustix::io::Errno;

/// A device that does nothing.
struct Nothing;

impl Device for Nothing {
    fn regions(&self) -> &[RegionInfo] {
        &[RegionInfo { region: Region::Bar(0), size: 16 << 20, writable: true }]
    }
    fn max_maps(&self) -> u16 {
        1
    }
    fn read(&mut self, at: Place, to: &mut [u8]) {
        to.fill(at.offset as u8);
    }
    fn write(&mut self, at: Place, from: &[u8]) {
        black_box((at, from));
    }
    fn map(&mut self, _: MapRequest) -> Result<(), Errno> {
        Ok(())
    }
    fn unmap(&mut self, _: GuestAddress, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn unmap_all(&mut self) -> Result<(), Errno> {
        Ok(())
    }
    fn set_interrupt(&mut self, _: Vector, _: Option<Interrupt>) {}
    fn reset(&mut self) {}
}

/// A message as it comes from the socket.
fn message(command: Command, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + payload.len()).expect("a short message");
    let mut bytes = [7_u16.to_ne_bytes(), command.0.to_ne_bytes()].concat();
    for word in [size, flags.bits(), 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// Four bytes at an offset of BAR0.
fn access() -> Vec<u8> {
    [&0x4_F000_u64.to_ne_bytes()[..], &0_u32.to_ne_bytes(), &4_u32.to_ne_bytes()].concat()
}

fn vfio_user(c: &mut Criterion) {
    let mut group = c.benchmark_group("vfio-user");
    let write = [access(), vec![1, 2, 3, 4]].concat();
    let kinds = [
        ("read", Command::REGION_READ, Flags::empty(), access()),
        ("write", Command::REGION_WRITE, Flags::empty(), write.clone()),
        ("posted write", Command::REGION_WRITE, Flags::NO_REPLY, write),
    ];
    for (name, command, flags, payload) in kinds {
        let (mut framer, mut session) = (Framer::default(), Session::default());
        let mut handle = |bytes: &[u8]| {
            framer.feed(bytes, []);
            let message = framer.next_message().expect("a stream").expect("a message");
            session.handle(message, &mut Nothing).expect("a conversation")
        };
        handle(&message(Command::VERSION, Flags::empty(), &[0; 4]));
        let bytes = message(command, flags, &payload);
        let answer = handle(&bytes);
        assert_eq!(answer.is_some(), flags.is_empty(), "{name}");
        group.bench_function(name, |b| b.iter(|| handle(&bytes)));
    }
    group.finish();
}

criterion_group!(benches, vfio_user);
criterion_main!(benches);
