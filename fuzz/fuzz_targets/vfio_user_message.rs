//! Any bytes from a VMM, in any pieces, with or without descriptors, over a device that is plain memory.
#![no_main]

use std::os::fd::OwnedFd;

use libfuzzer_sys::fuzz_target;
use mediator::memory::{MapRequest, MemoryQuota, SharedPages, sealed_memfd};
use mediator::transport::vfio_user::{Device, Framer, Interrupt, MAX_MESSAGE, Reply, Session};
use mediator::{GuestAddress, GuestRam, Mappable, Place, Region, RegionInfo, Vector};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use vgate_fuzz::exchange::{self, Descriptor};

const REGIONS: [RegionInfo; 3] = [
    RegionInfo { region: Region::Bar(0), size: 16 << 20, writable: true },
    RegionInfo { region: Region::Rom, size: 0x1000, writable: false },
    RegionInfo { region: Region::Config, size: 0x100, writable: true },
];

struct Plain {
    ram: GuestRam,
    bar: Vec<u8>,
    interrupts: usize,
    shared: SharedPages,
}

fn inside(at: Place, len: usize) {
    let region = REGIONS.iter().find(|info| info.region == at.region).expect("no such region");
    assert!(at.offset + len as u64 <= region.size);
    if matches!(at.region, Region::Bar(_)) {
        assert!([1, 2, 4, 8].contains(&len) && at.offset.is_multiple_of(len as u64));
    }
}

impl Device for Plain {
    fn regions(&self) -> &[RegionInfo] {
        &REGIONS
    }
    fn shared(&self) -> Option<&SharedPages> {
        Some(&self.shared)
    }
    fn vectors(&self) -> u16 {
        4
    }
    fn max_maps(&self) -> u16 {
        8
    }
    fn read(&mut self, at: Place, to: &mut [u8]) {
        inside(at, to.len());
        let from = self.bar.get(at.offset as usize..).unwrap_or_default();
        to.fill(0);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    fn write(&mut self, at: Place, from: &[u8]) {
        inside(at, from.len());
        assert!(at.region != Region::Rom);
        let to = self.bar.get_mut(at.offset as usize..).unwrap_or_default();
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    fn map(&mut self, request: MapRequest) -> Result<(), Errno> {
        self.ram.map(request).map_err(|error| error.errno())
    }
    fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), Errno> {
        self.ram.unmap(at, len).map_err(|error| error.errno())
    }
    fn unmap_all(&mut self) -> Result<(), Errno> {
        self.ram.unmap_all().map_err(|error| error.errno())
    }
    fn set_interrupt(&mut self, vector: Vector, to: Option<Interrupt>) {
        assert!(vector.0 < 4);
        self.interrupts += usize::from(to.is_some());
    }
    fn reset(&mut self) {
        self.bar.fill(0);
    }
}

fn open(descriptor: Descriptor) -> OwnedFd {
    match descriptor {
        Descriptor::Memory => sealed_memfd(0x8000).expect("a memfd"),
        Descriptor::Eventfd => eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd"),
        Descriptor::Other => std::fs::File::open("/dev/null").expect("/dev/null").into(),
    }
}

fuzz_target!(|input: &[u8]| {
    let quota = MemoryQuota { regions: 8, bytes: 2 << 30 };
    let shared =
        SharedPages::new(Mappable { bar: 0, offset: 8 << 20, len: 8 << 20 }).expect("memory");
    let mut device =
        Plain { ram: GuestRam::new(quota), bar: vec![0; 0x4000], interrupts: 0, shared };
    let (mut framer, mut session) = (Framer::default(), Session::default());
    for piece in exchange::decode(input) {
        let descriptors: Vec<OwnedFd> = piece.descriptors.into_iter().map(open).collect();
        framer.feed(&piece.bytes, descriptors);
        loop {
            let Ok(message) = framer.next_message() else { return };
            let Some(message) = message else { break };
            let asked = message.header;
            match session.handle(message, &mut device) {
                Ok(Some(Reply { bytes: answer, .. })) => {
                    assert!((16..=MAX_MESSAGE as usize).contains(&answer.len()));
                    assert_eq!(answer[4..8], (answer.len() as u32).to_ne_bytes());
                    assert_eq!(answer[..2], asked.id.to_ne_bytes());
                    assert_eq!(answer[8] & 0xF, 1);
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
});
