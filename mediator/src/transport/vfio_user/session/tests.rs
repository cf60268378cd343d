use std::os::fd::OwnedFd;

use proptest::prelude::*;
use rustix::event::EventfdFlags;

use super::super::wire::{HEADER, Header};
use super::*;
use crate::{Mappable, RegionInfo};

/// Notes what it is asked for.
#[derive(Default)]
struct Recorder {
    calls: Vec<String>,
    shared: Option<SharedPages>,
}

const REGIONS: [RegionInfo; 3] = [
    RegionInfo { region: Region::Bar(0), size: 0x1000, writable: true },
    RegionInfo { region: Region::Rom, size: 0x800, writable: false },
    RegionInfo { region: Region::Config, size: 0x1000, writable: true },
];

impl Device for Recorder {
    fn regions(&self) -> &[RegionInfo] {
        &REGIONS
    }
    fn shared(&self) -> Option<&SharedPages> {
        self.shared.as_ref()
    }
    fn vectors(&self) -> u16 {
        2
    }
    fn max_maps(&self) -> u16 {
        3
    }
    fn read(&mut self, at: Place, to: &mut [u8]) {
        self.calls.push(format!("read {:?} {:#x} {}", at.region, at.offset, to.len()));
        to.fill(at.offset as u8);
    }
    fn write(&mut self, at: Place, from: &[u8]) {
        self.calls.push(format!("write {:?} {:#x} {from:?}", at.region, at.offset));
    }
    fn map(&mut self, r: MapRequest) -> Result<(), Errno> {
        self.calls.push(format!("map {:#x} {:#x} {:#x} {}", r.at.0, r.len, r.offset, r.writable));
        if r.at.0 == 0xBAD000 { Err(Errno::EXIST) } else { Ok(()) }
    }
    fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), Errno> {
        self.calls.push(format!("unmap {:#x} {len:#x}", at.0));
        Ok(())
    }
    fn unmap_all(&mut self) -> Result<(), Errno> {
        self.calls.push("unmap all".into());
        Ok(())
    }
    fn set_interrupt(&mut self, vector: Vector, to: Option<Interrupt>) {
        self.calls.push(format!("interrupt {} {}", vector.0, to.is_some()));
    }
    fn reset(&mut self) {
        self.calls.push("reset".into());
    }
}

fn message(command: Command, flags: Flags, payload: Vec<u8>, fds: Vec<OwnedFd>) -> Message {
    let size = (HEADER + payload.len()) as u32;
    Message { header: Header { id: 9, command, size, flags, error: 0 }, payload, fds }
}

/// A session that agreed on the version, and its device.
struct Rig {
    session: Session,
    device: Recorder,
    /// What came with the last answer.
    shared: Option<SharedPages>,
}

impl Rig {
    fn new() -> Self {
        let mut rig =
            Self { session: Session::default(), device: Recorder::default(), shared: None };
        rig.ask(Command::VERSION, vec![0; 4], vec![]).unwrap();
        rig
    }

    /// The answer's payload or errno.
    fn ask(
        &mut self,
        command: Command,
        payload: Vec<u8>,
        fds: Vec<OwnedFd>,
    ) -> Result<Vec<u8>, i32> {
        let message = message(command, Flags::empty(), payload, fds);
        let Reply { bytes: reply, shared } =
            self.session.handle(message, &mut self.device).unwrap().unwrap();
        let header = Header::parse(&reply).unwrap();
        self.shared = shared;
        assert_eq!((header.id, header.command, header.size as usize), (9, command, reply.len()));
        assert!(header.flags.contains(Flags::REPLY));
        if header.flags.contains(Flags::ERROR) {
            assert_eq!(reply.len(), HEADER);
            return Err(header.error as i32);
        }
        Ok(reply[HEADER..].to_vec())
    }

    fn calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.device.calls)
    }
}

const EINVAL: Result<Vec<u8>, i32> = Err(libc::EINVAL);
const ENOTSUP: Result<Vec<u8>, i32> = Err(libc::ENOTSUP);

fn access(offset: u64, region: u32, count: u32) -> Vec<u8> {
    [&offset.to_ne_bytes()[..], &region.to_ne_bytes(), &count.to_ne_bytes()].concat()
}

fn dma(argsz: u32, flags: u32, numbers: &[u64]) -> Vec<u8> {
    let mut payload = words(&[argsz, flags]);
    numbers.iter().for_each(|n| payload.extend_from_slice(&n.to_ne_bytes()));
    payload
}

fn eventfds(count: usize) -> Vec<OwnedFd> {
    (0..count).map(|_| rustix::event::eventfd(0, EventfdFlags::empty()).unwrap()).collect()
}

#[test]
fn version_comes_first_and_once() {
    let mut session = Session::default();
    let mut device = Recorder::default();
    let early = message(Command::DEVICE_RESET, Flags::empty(), vec![], vec![]);
    assert!(matches!(session.handle(early, &mut device), Err(Disconnect::BeforeVersion(13))));
    assert!(device.calls.is_empty());

    let mut rig = Rig { session: Session::default(), device, shared: None };
    for wrong in [
        vec![],
        vec![0; 3],
        vec![1, 0, 0, 0],
        b"\0\0\0\0{}".to_vec(),
        b"\0\0\0\0[1]\0".to_vec(),
        b"\0\0\0\0{\"capabilities\":{\"max_msg_fds\":\"x\"}}\0".to_vec(),
        [vec![0; 4], vec![b' '; 5000], b"{}\0".to_vec()].concat(),
        [vec![0; 4], vec![b'['; 3000], vec![0]].concat(),
    ] {
        assert_eq!(rig.ask(Command::VERSION, wrong, vec![]), EINVAL);
    }
    let qemu = br#"{"capabilities":{"migration":{"pgsize":4096},"max_msg_fds":16,"max_data_xfer_size":1048576,"pgsizes":4096,"max_dma_maps":65535,"write_multiple":true}}"#;
    let payload = [&[0, 0, 0, 0][..], qemu, &[0]].concat();
    let asked = payload.len();
    let answer = rig.ask(Command::VERSION, payload, vec![]).unwrap();
    assert!(answer.len() <= asked, "QEMU has no room for a longer answer than its question");
    assert_eq!((&answer[..4], answer.last()), (&[0, 0, 0, 0][..], Some(&0)));
    let data: serde_json::Value = serde_json::from_slice(&answer[4..answer.len() - 1]).unwrap();
    let expected = serde_json::json!({"capabilities": {"max_msg_fds": 16, "max_data_xfer_size": 1048576,
        "pgsizes": 4096, "max_dma_maps": 3, "write_multiple": true}});
    assert_eq!(data, expected);
    assert_eq!(rig.ask(Command::VERSION, vec![0; 4], vec![]), EINVAL);
}

#[test]
fn infos() {
    let mut rig = Rig::new();
    let ask = |rig: &mut Rig, command, index: u32, len: usize| {
        let mut payload = words(&[len as u32, 0, index]);
        payload.resize(len, 0);
        rig.ask(command, payload, vec![])
    };
    assert_eq!(
        rig.ask(Command::DEVICE_GET_INFO, words(&[16, 0, 0, 0]), vec![]).unwrap(),
        words(&[16, 3, 9, 5])
    );
    assert_eq!(rig.ask(Command::DEVICE_GET_INFO, words(&[12, 0, 0, 0]), vec![]), EINVAL);
    assert_eq!(rig.ask(Command::DEVICE_GET_INFO, words(&[16, 0, 0]), vec![]), EINVAL);

    let info = Command::DEVICE_GET_REGION_INFO;
    assert_eq!(ask(&mut rig, info, 0, 32).unwrap(), words(&[32, 3, 0, 0, 0x1000, 0, 0, 0]));
    assert_eq!(ask(&mut rig, info, 6, 32).unwrap(), words(&[32, 1, 6, 0, 0x800, 0, 0, 0]));
    assert_eq!(ask(&mut rig, info, 8, 32).unwrap(), words(&[32, 0, 8, 0, 0, 0, 0, 0]));
    assert_eq!(ask(&mut rig, info, 9, 32), EINVAL);
    assert_eq!(ask(&mut rig, info, 0, 28), EINVAL);

    let info = Command::DEVICE_GET_IRQ_INFO;
    assert_eq!(ask(&mut rig, info, 1, 16).unwrap(), words(&[16, 9, 1, 2]));
    for none in [0, 2, 3, 4] {
        assert_eq!(ask(&mut rig, info, none, 16).unwrap(), words(&[16, 0, none, 0]));
    }
    assert_eq!(ask(&mut rig, info, 5, 16), EINVAL);
}

#[test]
fn reads_and_writes_reach_the_device_in_words() {
    let mut rig = Rig::new();
    let answer = rig.ask(Command::REGION_READ, access(0x10, 0, 4), vec![]).unwrap();
    assert_eq!(answer, [access(0x10, 0, 4), vec![0x10; 4]].concat());
    assert_eq!(rig.calls(), ["read Bar(0) 0x10 4"]);
    rig.ask(Command::REGION_READ, access(0x11, 0, 12), vec![]).unwrap();
    let words =
        ["0x11 1", "0x12 2", "0x14 4", "0x18 4", "0x1c 1"].map(|w| format!("read Bar(0) {w}"));
    assert_eq!(rig.calls(), words);
    rig.ask(Command::REGION_READ, access(0, 7, 4096), vec![]).unwrap();
    assert_eq!(rig.calls(), ["read Config 0x0 4096"]);
    let write = [access(0x14, 0, 8), vec![1, 2, 3, 4, 5, 6, 7, 8]].concat();
    assert_eq!(rig.ask(Command::REGION_WRITE, write, vec![]).unwrap(), access(0x14, 0, 8));
    assert_eq!(rig.calls(), ["write Bar(0) 0x14 [1, 2, 3, 4]", "write Bar(0) 0x18 [5, 6, 7, 8]"]);
    assert_eq!(rig.ask(Command::REGION_READ, access(0, 0, 0), vec![]).unwrap(), access(0, 0, 0));
    assert!(rig.calls().is_empty());
}

#[test]
fn accesses_outside_a_region_are_refused() {
    let mut rig = Rig::new();
    for (offset, region, count) in [
        (0xFFD, 0, 4),
        (0x1000, 0, 1),
        (u64::MAX, 0, 4),
        (0, 1, 4),
        (0, 8, 4),
        (0, u32::MAX, 4),
        (0, 0, u32::MAX),
        (0, 7, 4097),
    ] {
        assert_eq!(rig.ask(Command::REGION_READ, access(offset, region, count), vec![]), EINVAL);
        let write = [access(offset, region, count), vec![0; 4]].concat();
        assert_eq!(rig.ask(Command::REGION_WRITE, write, vec![]), EINVAL);
    }
    let rom = [access(0, 6, 1), vec![0]].concat();
    assert_eq!(rig.ask(Command::REGION_WRITE, rom, vec![]), EINVAL);
    let short = [access(0, 0, 4), vec![0; 3]].concat();
    assert_eq!(rig.ask(Command::REGION_WRITE, short, vec![]), EINVAL);
    let long = [access(0, 0, 4), vec![0]].concat();
    assert_eq!(rig.ask(Command::REGION_READ, long, vec![]), EINVAL);
    assert!(rig.calls().is_empty());
}

#[test]
fn memory_is_offered_to_who_has_room_for_the_answer_and_a_few_times_only() {
    let mut rig = Rig::new();
    let part = Mappable { bar: 0, offset: PAGE, len: 2 * PAGE };
    rig.device.shared = Some(SharedPages::new(part).unwrap());
    let mut ask = |argsz: u32, index: u32| {
        let payload = words(&[argsz, 0, index, 0, 0, 0, 0, 0]);
        let answer = rig.ask(Command::DEVICE_GET_REGION_INFO, payload, vec![]).unwrap();
        let word = |n: usize| u32::from_ne_bytes(answer[n * 4..][..4].try_into().unwrap());
        (answer.len(), word(0), word(1), word(3), rig.shared.take().map(|pages| pages.part()))
    };
    // The length of the whole answer tells the VMM to ask again.
    assert_eq!(ask(32, 0), (32, 64, 3, 0, None));
    assert_eq!(ask(63, 0), (32, 64, 3, 0, None));
    assert_eq!(ask(64, 7), (32, 32, 3, 0, None));
    assert_eq!(ask(64, 3), (32, 32, 0, 0, None));
    for _ in 0..MAX_OFFERS {
        assert_eq!(ask(u32::MAX, 0), (64, 64, 0xF, 32, Some(part)));
    }
    assert_eq!(ask(64, 0), (32, 32, 3, 0, None));
}

#[test]
fn posted_writes_get_no_answer_even_when_they_fail() {
    let mut rig = Rig::new();
    for payload in [access(0, 99, 4), [access(0, 0, 1), vec![5]].concat()] {
        let message = message(Command::REGION_WRITE, Flags::NO_REPLY, payload, vec![]);
        assert!(rig.session.handle(message, &mut rig.device).unwrap().is_none());
    }
    assert_eq!(rig.calls(), ["write Bar(0) 0x0 [5]"]);
}

#[test]
fn many_writes_in_one_message() {
    let mut rig = Rig::new();
    let one = |offset, region, count: u32| [access(offset, region, count), vec![7; 8]].concat();
    let multi =
        |count: u64, writes: &[Vec<u8>]| [count.to_ne_bytes().to_vec(), writes.concat()].concat();
    let ask = |rig: &mut Rig, payload| rig.ask(Command::REGION_WRITE_MULTI, payload, vec![]);
    let two = [one(0, 0, 4), one(8, 0, 8)];
    assert_eq!(ask(&mut rig, multi(2, &two)).unwrap(), 2u64.to_ne_bytes());
    assert_eq!(rig.calls().len(), 2);
    for count in [0, 1, 3, u64::MAX, u64::MAX / 24 + 3] {
        assert_eq!(ask(&mut rig, multi(count, &two)), EINVAL);
    }
    assert_eq!(ask(&mut rig, multi(1, &[one(0, 0, 9)])), EINVAL);
    assert_eq!(ask(&mut rig, vec![0; 7]), EINVAL);
    assert!(rig.calls().is_empty());
}

#[test]
fn memory_comes_and_goes() {
    let mut rig = Rig::new();
    let fd = || vec![std::fs::File::open("/dev/null").unwrap().into()];
    let map = |rig: &mut Rig, payload, fds| rig.ask(Command::DMA_MAP, payload, fds);
    let unmap = |rig: &mut Rig, payload| rig.ask(Command::DMA_UNMAP, payload, vec![]);
    map(&mut rig, dma(32, 3, &[0x2000, 0x1000, 0x3000]), fd()).unwrap();
    map(&mut rig, dma(32, 1, &[0, 0x9000, 0x1000]), fd()).unwrap();
    assert_eq!(rig.calls(), ["map 0x1000 0x3000 0x2000 true", "map 0x9000 0x1000 0x0 false"]);
    assert_eq!(map(&mut rig, dma(32, 3, &[0, 0xBAD000, 0x1000]), fd()), Err(libc::EEXIST));
    rig.calls();
    for (argsz, flags) in [(31, 3), (32, 0), (32, 4)] {
        assert_eq!(map(&mut rig, dma(argsz, flags, &[0, 0, 0x1000]), fd()), EINVAL);
    }
    assert_eq!(map(&mut rig, dma(32, 3, &[0, 0, 4096, 0]), fd()), EINVAL);
    assert_eq!(
        map(&mut rig, dma(32, 3, &[0, 0, 4096]), [fd(), fd()].into_iter().flatten().collect()),
        EINVAL
    );

    // Without a descriptor: remembered, not mapped.
    map(&mut rig, dma(32, 1, &[0, 0xF0000, 0x1000]), vec![]).unwrap();
    assert_eq!(map(&mut rig, dma(32, 1, &[0, 0xEF000, 0x2000]), vec![]), Err(libc::EEXIST));
    assert_eq!(map(&mut rig, dma(32, 1, &[0, u64::MAX - 4095, 0x1000]), vec![]), EINVAL);
    assert_eq!(map(&mut rig, dma(32, 1, &[0, 0, 0]), vec![]), EINVAL);
    map(&mut rig, dma(32, 1, &[0, 0xA0000, 0x1000]), vec![]).unwrap();
    map(&mut rig, dma(32, 1, &[0, 0xB0000, 0x1000]), vec![]).unwrap();
    assert_eq!(map(&mut rig, dma(32, 1, &[0, 0xC0000, 0x1000]), vec![]), Err(libc::ENOSPC));
    let gone = dma(24, 0, &[0xF0000, 0x1000]);
    assert_eq!(unmap(&mut rig, gone.clone()).unwrap(), gone);
    assert!(rig.calls().is_empty());
    unmap(&mut rig, gone).unwrap();
    assert_eq!(rig.calls(), ["unmap 0xf0000 0x1000"]);

    assert_eq!(unmap(&mut rig, dma(24, 1, &[0, 0])), ENOTSUP);
    assert_eq!(unmap(&mut rig, dma(24, 4, &[0, 0])), EINVAL);
    assert_eq!(unmap(&mut rig, dma(24, 2, &[0, 1])), EINVAL);
    assert_eq!(unmap(&mut rig, dma(8, 0, &[0, 1])), EINVAL);
    unmap(&mut rig, dma(24, 2, &[0, 0])).unwrap();
    assert_eq!(rig.calls(), ["unmap all"]);
    unmap(&mut rig, dma(24, 0, &[0xA0000, 0x1000])).unwrap();
    assert_eq!(rig.calls(), ["unmap 0xa0000 0x1000"]);
}

#[test]
fn interrupts_are_set_and_taken_back() {
    let mut rig = Rig::new();
    let ask = |rig: &mut Rig, [flags, index, start, count]: [u32; 4], fds| {
        rig.ask(Command::DEVICE_SET_IRQS, words(&[20, flags, index, start, count]), fds)
    };
    let (none, bools, eventfd, mask, trigger) = (1, 2, 4, 8, 32);
    ask(&mut rig, [eventfd | trigger, 1, 0, 2], eventfds(2)).unwrap();
    assert_eq!(rig.calls(), ["interrupt 0 true", "interrupt 1 true"]);
    ask(&mut rig, [eventfd | trigger, 1, 1, 1], vec![]).unwrap();
    assert_eq!(rig.calls(), ["interrupt 1 false"]);
    ask(&mut rig, [none | trigger, 1, 0, 0], vec![]).unwrap();
    assert_eq!(rig.calls(), ["interrupt 0 false", "interrupt 1 false"]);
    for index in [0, 2, 3, 4] {
        ask(&mut rig, [none | trigger, index, 0, 0], vec![]).unwrap();
        assert_eq!(ask(&mut rig, [eventfd | trigger, index, 0, 1], eventfds(1)), EINVAL);
    }
    for (wrong, fds) in [
        ([eventfd | trigger, 1, 0, 1], 2),
        ([eventfd | trigger, 1, 0, 2], 1),
        ([eventfd | trigger, 1, 2, 1], 1),
        ([eventfd | trigger, 1, u32::MAX, 1], 1),
        ([eventfd | trigger, 1, 0, u32::MAX], 1),
        ([eventfd | trigger, 1, 0, 0], 0),
        ([eventfd | trigger, 5, 0, 0], 0),
        ([none | trigger, 5, 0, 0], 0),
        ([none | trigger, 1, 0, 0], 1),
        ([none | eventfd | trigger, 1, 0, 0], 0),
        ([trigger, 1, 0, 0], 0),
        ([none | trigger | mask, 1, 0, 0], 0),
        ([none | trigger | 64, 1, 0, 0], 0),
        ([bools | trigger, 1, 0, 1], 0),
    ] {
        assert_eq!(ask(&mut rig, wrong, eventfds(fds)), EINVAL, "{wrong:?}");
    }
    assert_eq!(ask(&mut rig, [none | mask, 1, 0, 1], vec![]), ENOTSUP);
    assert_eq!(ask(&mut rig, [none | trigger, 1, 0, 1], vec![]), ENOTSUP);
    let pipe = vec![rustix::pipe::pipe().unwrap().1];
    assert_eq!(ask(&mut rig, [eventfd | trigger, 1, 0, 1], pipe), EINVAL);
    assert!(rig.calls().is_empty());
}

#[test]
fn what_is_not_known_is_not_supported() {
    let mut rig = Rig::new();
    for command in [0, 6, 11, 12, 14, 16, 17, 18, 19, 0xFFFF] {
        assert_eq!(rig.ask(Command(command), vec![1, 2, 3], vec![]), ENOTSUP);
    }
    assert_eq!(rig.ask(Command::REGION_READ, access(0, 0, 4), eventfds(1)), EINVAL);
    assert_eq!(rig.ask(Command::DEVICE_RESET, vec![0], vec![]), EINVAL);
    assert!(rig.calls().is_empty());
    rig.ask(Command::DEVICE_RESET, vec![], vec![]).unwrap();
    assert_eq!(rig.calls(), ["reset"]);
}

proptest! {
    #[test]
    fn any_message_is_survived(
        command in prop_oneof![1u16..20, any::<u16>()],
        mut words in prop::collection::vec(prop_oneof![0u32..40, Just(0x1000), any::<u32>()], 0..16),
        tail in 0usize..4,
        fds in 0usize..3,
    ) {
        let mut rig = Rig::new();
        words.extend([0; 1]);
        let payload: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let payload = payload[..payload.len() - tail].to_vec();
        let message = message(Command(command), Flags::empty(), payload, eventfds(fds));
        let reply = rig.session.handle(message, &mut rig.device).unwrap().unwrap().bytes;
        let size = Header::parse(&reply).unwrap().size;
        prop_assert_eq!(size as usize, reply.len());
    }
}
