//! The client against a device, over a real socket.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::client::{Client, ClientError};
use super::*;
use crate::memory::{GuestRam, MemoryQuota, PAGE, sealed_memfd};
use crate::{Mappable, Region, RegionInfo};

/// A device whose BAR 0 is plain memory; register 0x100 copies guest memory, 0x104 signals vector 0.
struct Plain {
    ram: GuestRam,
    bar: Vec<u8>,
    interrupt: Option<Interrupt>,
    shared: SharedPages,
}

const REGIONS: [RegionInfo; 2] = [
    RegionInfo { region: Region::Bar(0), size: 4 << 20, writable: true },
    RegionInfo { region: Region::Config, size: 4096, writable: true },
];

impl Plain {
    fn new() -> Self {
        let ram = GuestRam::new(MemoryQuota::default());
        let part = Mappable { bar: 0, offset: 2 << 20, len: 1 << 20 };
        let shared = SharedPages::new(part).unwrap();
        Self { ram, bar: vec![0; 4 << 20], interrupt: None, shared }
    }
}

impl Device for Plain {
    fn regions(&self) -> &[RegionInfo] {
        &REGIONS
    }
    fn shared(&self) -> Option<&SharedPages> {
        Some(&self.shared)
    }
    fn max_maps(&self) -> u16 {
        128
    }
    fn read(&mut self, at: Place, to: &mut [u8]) {
        if at.region == Region::Config {
            return to.fill(0xC0);
        }
        let offset = at.offset as usize;
        to.copy_from_slice(&self.bar[offset..offset + to.len()]);
    }
    fn write(&mut self, at: Place, from: &[u8]) {
        let offset = at.offset as usize;
        self.bar[offset..offset + from.len()].copy_from_slice(from);
        match at.offset {
            0x100 => {
                let mut word = [0; 4];
                self.ram.read(GuestAddress(0x1000), &mut word).unwrap();
                self.ram.write(GuestAddress(0x2000), &word).unwrap();
            }
            // The first word of what is shared, to a register.
            0x108 => {
                let word = self.shared.load_u32(0).unwrap().to_le_bytes();
                self.bar[0x108..0x10C].copy_from_slice(&word);
            }
            0x104 => self.interrupt.as_ref().unwrap().signal().unwrap(),
            _ => {}
        }
    }
    fn map(&mut self, request: MapRequest) -> Result<(), Errno> {
        self.ram.map(request).map_err(|e| e.errno())
    }
    fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), Errno> {
        self.ram.unmap(at, len).map_err(|e| e.errno())
    }
    fn unmap_all(&mut self) -> Result<(), Errno> {
        self.ram.unmap_all().map_err(|e| e.errno())
    }
    fn set_interrupt(&mut self, _vector: Vector, to: Option<Interrupt>) {
        self.interrupt = to;
    }
    fn reset(&mut self) {
        self.bar.fill(0);
    }
}

/// Serves one VMM until it is gone.
fn serve(listener: &mut Listener) -> Disconnect {
    let mut device = Plain::new();
    let mut session = Session::default();
    let mut connection: Option<Connection> = None;
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let mut waits = vec![PollFd::new(listener, PollFlags::IN)];
        if let Some(connection) = &connection {
            let out = if connection.wants_write() { PollFlags::OUT } else { PollFlags::empty() };
            waits.push(PollFd::new(connection, PollFlags::IN | out));
        }
        poll(&mut waits, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
        if let Some(new) = listener.accept().unwrap() {
            connection = Some(new);
        }
        if let Some(connection) = &mut connection
            && let Err(end) = step(connection, &mut session, &mut device)
        {
            return end;
        }
    }
    panic!("nobody came, or nobody went");
}

fn step(
    connection: &mut Connection,
    session: &mut Session,
    device: &mut Plain,
) -> Result<(), Disconnect> {
    connection.flush()?;
    connection.fill()?;
    while let Some(message) = connection.next_message()? {
        if let Some(answer) = session.handle(message, device)? {
            connection.send(answer)?;
        }
    }
    Ok(())
}

/// A place for a socket that goes with the test.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn socket(&self) -> PathBuf {
        self.0.path().join("gpu.sock")
    }
}

/// Runs `client` against a served device; returns how it ended.
fn with_device(client: impl FnOnce(Client) + Send) -> Disconnect {
    let place = Directory::new();
    let mut listener = Listener::bind(&place.socket()).unwrap();
    std::thread::scope(|scope| {
        let served = scope.spawn(|| serve(&mut listener));
        client(Client::connect_raw(&place.socket()).unwrap());
        served.join().unwrap()
    })
}

fn bar(offset: u64) -> Place {
    Place { region: Region::Bar(0), offset }
}

#[test]
fn a_vm_uses_its_device() {
    let end = with_device(|mut vm| {
        assert!(vm.version().unwrap().contains("write_multiple"));
        assert_eq!(vm.region_info(0).unwrap().size, 4 << 20);
        assert_eq!((vm.region_info(0).unwrap().flags, vm.region_info(7).unwrap().size), (3, 4096));
        assert_eq!((vm.irq_count(1).unwrap(), vm.irq_count(0).unwrap()), (1, 0));
        let mut config = vec![0; 4096];
        vm.read(Place { region: Region::Config, offset: 0 }, &mut config).unwrap();
        assert!(config.iter().all(|b| *b == 0xC0));

        let ram = sealed_memfd(16 * PAGE).unwrap();
        vm.map(GuestAddress(0), 16 * PAGE, ram.as_fd(), 0, true).unwrap();
        let again = vm.map(GuestAddress(0), PAGE, ram.as_fd(), 0, true);
        assert!(matches!(again, Err(ClientError::Refused(Errno::EXIST))));
        rustix::io::pwrite(&ram, b"dma!", 0x1000).unwrap();
        vm.write_u32(0, 0x100, 1).unwrap();
        let eventfd = vm.enable_interrupt(Vector(0)).unwrap();
        vm.write_u32(0, 0x104, 1).unwrap();
        assert_eq!(vm.read_u32(0, 0x104).unwrap(), 1);
        let (mut word, mut count) = ([0; 4], [0; 8]);
        rustix::io::pread(&ram, &mut word, 0x2000).unwrap();
        rustix::io::read(&eventfd, &mut count).unwrap();
        assert_eq!((&word, u64::from_ne_bytes(count)), (b"dma!", 1));

        vm.reset().unwrap();
        assert_eq!(vm.read_u32(0, 0x104).unwrap(), 0);
        vm.unmap(GuestAddress(0), 16 * PAGE).unwrap();
        assert!(matches!(vm.unmap(GuestAddress(0), PAGE), Err(ClientError::Refused(Errno::NOENT))));
        vm.unmap_all().unwrap();

        let big = vec![0x5A; MAX_DATA as usize];
        let mut back = vec![0; MAX_DATA as usize];
        vm.write(bar(0x1000), &big).unwrap();
        vm.read(bar(0x1000), &mut back).unwrap();
        assert_eq!(back, big);
        let wrong = vm.request(Command(16), &[], &[]);
        assert!(matches!(wrong, Err(ClientError::Refused(Errno::NOTSUP))));
        assert_eq!(vm.read_u32(0, 0x1000).unwrap(), 0x5A5A_5A5A);
    });
    assert!(matches!(end, Disconnect::Closed), "{end}");
}

#[test]
fn a_vm_maps_a_part_of_its_device() {
    with_device(|mut vm| {
        vm.version().unwrap();
        let (part, file) = vm.mappable(0).unwrap();
        assert_eq!(part, Mappable { bar: 0, offset: 2 << 20, len: 1 << 20 });
        rustix::io::pwrite(&file, b"mine", part.offset).unwrap();
        vm.write_u32(0, 0x108, 0).unwrap();
        assert_eq!(vm.read_u32(0, 0x108).unwrap().to_le_bytes(), *b"mine");
        assert!(vm.mappable(1).is_err());
    });
}

#[test]
fn a_stream_in_pieces_is_understood() {
    let end = with_device(|mut vm| {
        vm.version().unwrap();
        let mut stream = Vec::new();
        for id in 0..3 {
            let payload = [&0u64.to_ne_bytes()[..], &[0, 0, 0, 0], &4u32.to_ne_bytes()].concat();
            Header { id, command: Command::REGION_READ, size: 32, flags: Flags::empty(), error: 0 }
                .put(&mut stream);
            stream.extend(payload);
        }
        for piece in stream.chunks(7) {
            vm.send_bytes(piece, &[]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        let ids: Vec<u16> = (0..3).map(|_| vm.receive().unwrap().0.id).collect();
        assert_eq!(ids, [0, 1, 2]);
    });
    assert!(matches!(end, Disconnect::Closed), "{end}");
}

#[test]
fn a_vm_that_does_not_read_is_cut_off() {
    let end = with_device(|mut vm| {
        vm.version().unwrap();
        let read = [&0u64.to_ne_bytes()[..], &[0, 0, 0, 0], &MAX_DATA.to_ne_bytes()].concat();
        // Until the other side has had enough, however slow it is.
        let cut_off = |_: &u32| vm.send(Command::REGION_READ, Flags::empty(), &read, &[]).is_err();
        assert!((0..100_000).find(cut_off).is_some());
    });
    assert!(matches!(end, Disconnect::Stalled(_)), "{end}");
}

#[test]
fn too_many_descriptors_end_the_connection() {
    let end = with_device(|mut vm| {
        vm.version().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let fds = vec![file.as_fd(); MAX_FDS + 1];
        vm.send(Command::DEVICE_RESET, Flags::empty(), &[], &fds).unwrap();
        assert!(vm.receive().is_err());
    });
    assert!(matches!(end, Disconnect::TooManyDescriptors), "{end}");
}

#[test]
fn nonsense_ends_the_connection() {
    let end = with_device(|mut vm| {
        vm.send_bytes(&[0xFF; 64], &[]).unwrap();
        assert!(vm.receive().is_err());
    });
    assert!(matches!(end, Disconnect::MessageSize(u32::MAX)), "{end}");
}

#[test]
fn received_descriptors_are_not_inherited() {
    let place = Directory::new();
    let mut listener = Listener::bind(&place.socket()).unwrap();
    let mut vm = Client::connect_raw(&place.socket()).unwrap();
    let mut connection = listener.accept().unwrap().unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    vm.send(Command::DMA_MAP, Flags::empty(), &[], &[file.as_fd(), file.as_fd()]).unwrap();
    connection.fill().unwrap();
    let message = connection.next_message().unwrap().unwrap();
    let cloexec = |fd: &OwnedFd| rustix::io::fcntl_getfd(fd).unwrap();
    assert_eq!(message.fds.len(), 2);
    assert!(message.fds.iter().all(|fd| cloexec(fd).contains(rustix::io::FdFlags::CLOEXEC)));
    assert!(connection.next_message().unwrap().is_none());
    drop(vm);
    connection.fill().unwrap();
    assert!(matches!(connection.next_message(), Err(Disconnect::Closed)));
}

#[test]
fn one_vm_at_a_time() {
    let place = Directory::new();
    let path = place.socket();
    let mut listener = Listener::bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(listener.accept().unwrap().is_none());

    let _first = Client::connect_raw(&path).unwrap();
    let connection = listener.accept().unwrap().unwrap();
    let mut second = Client::connect_raw(&path).unwrap();
    assert!(listener.accept().unwrap().is_none());
    assert!(second.receive().is_err(), "the second VM was not hung up on");
    drop(connection);
    let _third = Client::connect_raw(&path).unwrap();
    assert!(listener.accept().unwrap().is_some());

    let taken = Listener::bind(&path).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let place = Directory::new();
    let path = place.socket();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket that nobody listens on");
    let old = Listener::bind(&path).unwrap();

    // One that was replaced behind our back is not ours to remove.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    drop(old);
    let refused = Listener::bind(&path).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
