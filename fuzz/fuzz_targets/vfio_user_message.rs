//! Any bytes from a VMM, in any pieces, with or without descriptors, over a device that is plain memory.
#![no_main]

use std::os::fd::OwnedFd;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mediator::memory::{MapRequest, MemoryQuota, SharedPages, sealed_memfd};
use mediator::transport::vfio_user::{Device, Framer, Interrupt, MAX_MESSAGE, Reply, Session};
use mediator::{GuestAddress, GuestRam, Mappable, Place, Region, RegionInfo, Vector};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

const REGIONS: [RegionInfo; 3] = [
    RegionInfo { region: Region::Bar(0), size: 0x4000, writable: true },
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

#[derive(Arbitrary, Debug)]
enum Descriptor {
    Memory,
    Eventfd,
    Other,
}

impl Descriptor {
    fn open(&self) -> OwnedFd {
        match self {
            Self::Memory => sealed_memfd(0x8000).expect("a memfd"),
            Self::Eventfd => eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd"),
            Self::Other => std::fs::File::open("/dev/null").expect("/dev/null").into(),
        }
    }
}

/// A piece of the stream. Most are messages whose header is right, so that something lies behind it.
#[derive(Arbitrary, Debug)]
enum Piece {
    Version,
    Message {
        command: u8,
        no_reply: bool,
        payload: Vec<u8>,
        fds: Vec<Descriptor>,
    },
    /// A message about a region: the three fields that all of them begin with.
    Access {
        command: u8,
        offset: u16,
        region: u8,
        count: u16,
        data: Vec<u8>,
    },
    Map {
        offset: u8,
        at: u8,
        len: u8,
        flags: u8,
        fd: Option<Descriptor>,
    },
    Bytes(Vec<u8>, Vec<Descriptor>),
}

fn message(command: u8, no_reply: bool, payload: &[u8]) -> Vec<u8> {
    let size = 16 + payload.len() as u32;
    let command = u16::from(command % 18);
    let words = [size, u32::from(no_reply) << 4, 0].map(u32::to_ne_bytes).concat();
    [&[7, 0][..], &command.to_ne_bytes(), &words, payload].concat()
}

impl Piece {
    fn bytes(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        let open = |fds: &[Descriptor]| fds.iter().take(20).map(Descriptor::open).collect();
        match self {
            Self::Version => (message(1, false, b"\0\0\0\0{}\0"), Vec::new()),
            Self::Message { command, no_reply, payload, fds } => {
                (message(*command, *no_reply, payload), open(fds))
            }
            Self::Access { command, offset, region, count, data } => {
                let mut payload = u64::from(*offset).to_ne_bytes().to_vec();
                payload.extend(u32::from(*region).to_ne_bytes());
                payload.extend(u32::from(*count).to_ne_bytes());
                payload.extend(data);
                (message(9 + command % 2, false, &payload), Vec::new())
            }
            Self::Map { offset, at, len, flags, fd } => {
                let mut payload = 32u32.to_ne_bytes().to_vec();
                payload.extend(u32::from(*flags).to_ne_bytes());
                for number in [offset, at, len] {
                    payload.extend((u64::from(*number) << 10).to_ne_bytes());
                }
                let fds = fd.as_slice().iter().map(Descriptor::open).collect();
                (message(2, false, &payload), fds)
            }
            Self::Bytes(bytes, fds) => (bytes.clone(), open(fds)),
        }
    }
}

fuzz_target!(|pieces: Vec<Piece>| {
    let quota = MemoryQuota { regions: 8, bytes: 1 << 20 };
    let shared =
        SharedPages::new(Mappable { bar: 0, offset: 0x2000, len: 0x2000 }).expect("memory");
    let mut device =
        Plain { ram: GuestRam::new(quota), bar: vec![0; 0x4000], interrupts: 0, shared };
    let (mut framer, mut session) = (Framer::default(), Session::default());
    for piece in pieces {
        let (bytes, fds) = piece.bytes();
        framer.feed(&bytes, fds);
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
