use std::os::fd::AsFd;
use std::sync::atomic::AtomicU64;

use super::*;

const QUOTA: MemoryQuota = MemoryQuota { regions: 4, bytes: 64 * PAGE };

fn request(at: u64, pages: u64) -> MapRequest {
    let len = pages * PAGE;
    let fd = sealed_memfd(len).unwrap();
    MapRequest { at: GuestAddress(at), len, fd, offset: 0, writable: true }
}

fn unsealed(len: u64) -> OwnedFd {
    let fd = rustix::fs::memfd_create("unsealed", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&fd, len).unwrap();
    fd
}

fn bytes(ram: &GuestRam, at: u64, len: usize) -> Result<Vec<u8>, MemoryError> {
    let mut to = vec![0xEE; len];
    ram.read(GuestAddress(at), &mut to).map(|()| to)
}

#[test]
fn reads_what_was_written() {
    let ram = GuestRam::anonymous(2 * PAGE).unwrap();
    ram.write(GuestAddress(0xFFD), b"across pages").unwrap();
    assert_eq!(bytes(&ram, 0xFFD, 12).unwrap(), b"across pages");
    ram.write_u32(GuestAddress(8), 0x0403_0201).unwrap();
    assert_eq!(bytes(&ram, 8, 4).unwrap(), [1, 2, 3, 4]);
    assert_eq!(ram.read_u32(GuestAddress(8)).unwrap(), 0x0403_0201);
    ram.write_u64(GuestAddress(16), u64::MAX - 1).unwrap();
    assert_eq!(ram.read_u64(GuestAddress(16)).unwrap(), u64::MAX - 1);
    assert_eq!(ram.mapped_bytes(), 2 * PAGE);
    assert_eq!(bytes(&ram, 77 * PAGE, 0).unwrap(), [0u8; 0]);
}

#[test]
fn refuses_what_is_not_there() {
    let ram = GuestRam::anonymous(PAGE).unwrap();
    assert_eq!(bytes(&ram, PAGE - 1, 2), Err(MemoryError::Unmapped(PAGE - 1, 2)));
    assert_eq!(bytes(&ram, u64::MAX, 2), Err(MemoryError::Unmapped(u64::MAX, 2)));
    assert_eq!(ram.write(GuestAddress(PAGE - 1), &[1, 2]), Err(MemoryError::Unmapped(PAGE - 1, 2)));
    assert_eq!(bytes(&ram, PAGE - 1, 1).unwrap(), [0], "half of a failed write was done");
    assert_eq!(ram.read_u32(GuestAddress(2)), Err(MemoryError::Unmapped(2, 4)));
    assert_eq!(ram.read_u64(GuestAddress(4)), Err(MemoryError::Unmapped(4, 8)));
    assert_eq!(ram.write_u32(GuestAddress(PAGE), 1), Err(MemoryError::Unmapped(PAGE, 4)));
    assert_eq!(
        ram.read_u64(GuestAddress(u64::MAX - 7)),
        Err(MemoryError::Unmapped(u64::MAX - 7, 8))
    );
}

#[test]
fn adjacent_regions_are_one_memory() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(0, 1)).unwrap();
    ram.map(request(2 * PAGE, 1)).unwrap();
    assert!(bytes(&ram, PAGE - 2, 4).is_err());
    ram.map(request(PAGE, 1)).unwrap();
    let data: Vec<u8> = (0..=255).cycle().take(3 * PAGE as usize).collect();
    ram.write(GuestAddress(0), &data).unwrap();
    assert_eq!(bytes(&ram, 0, data.len()).unwrap(), data);
    ram.unmap(GuestAddress(PAGE), PAGE).unwrap();
    assert!(bytes(&ram, 0, data.len()).is_err());
    assert_eq!(bytes(&ram, 2 * PAGE, 4).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn mapping_is_judged_before_it_is_done() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(4 * PAGE, 4)).unwrap();
    for (at, pages) in [(4, 4), (3, 2), (7, 1), (0, 16)] {
        assert!(matches!(ram.map(request(at * PAGE, pages)), Err(MapError::Overlap(..))));
    }
    let odd = |change: fn(&mut MapRequest)| {
        let mut request = request(32 * PAGE, 2);
        change(&mut request);
        ram.map(request).unwrap_err()
    };
    assert!(matches!(odd(|r| r.at.0 += 1), MapError::Unaligned));
    assert!(matches!(odd(|r| r.len -= 1), MapError::Unaligned));
    assert!(matches!(odd(|r| r.len = 0), MapError::Unaligned));
    assert!(matches!(odd(|r| r.offset = 8), MapError::Unaligned));
    assert!(matches!(odd(|r| r.offset = PAGE), MapError::BeyondFile { end: 0x3000, size: 0x2000 }));
    assert!(matches!(odd(|r| r.offset = PAGE.wrapping_neg()), MapError::Overflow));
    assert!(matches!(odd(|r| r.at.0 = PAGE.wrapping_neg()), MapError::Overflow));
    assert!(matches!(
        odd(|r| r.fd = rustix::pipe::pipe().unwrap().0),
        MapError::Unsealed | MapError::NotAFile
    ));
    assert!(matches!(odd(|r| r.fd = unsealed(r.len)), MapError::Unsealed));
    assert!(MapError::Unsealed.to_string().contains("memory-backend-memfd"));
    assert_eq!(ram.mapped_bytes(), 4 * PAGE);
}

#[test]
fn quota_holds() {
    let ram = GuestRam::new(QUOTA);
    assert!(matches!(ram.map(request(0, 65)), Err(MapError::TooMuchMemory(..))));
    for n in 0..4 {
        ram.map(request(n * 4 * PAGE, 1)).unwrap();
    }
    assert!(matches!(ram.map(request(64 * PAGE, 1)), Err(MapError::TooManyRegions(4))));
    ram.unmap(GuestAddress(0), PAGE).unwrap();
    assert!(matches!(ram.map(request(64 * PAGE, 62)), Err(MapError::TooMuchMemory(..))));
    ram.map(request(64 * PAGE, 61)).unwrap();
}

#[test]
fn unmapping_is_exact() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(0, 4)).unwrap();
    assert!(matches!(ram.unmap(GuestAddress(0), PAGE), Err(MapError::NotMapped(..))));
    assert!(matches!(ram.unmap(GuestAddress(PAGE), 3 * PAGE), Err(MapError::NotMapped(..))));
    ram.unmap(GuestAddress(0), 4 * PAGE).unwrap();
    assert!(bytes(&ram, 0, 1).is_err());
    ram.map(request(0, 4)).unwrap();
    ram.map(request(4 * PAGE, 4)).unwrap();
    ram.unmap_all().unwrap();
    assert_eq!(ram.mapped_bytes(), 0);
}

#[test]
fn read_only_memory_is_not_written() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(0, 1)).unwrap();
    ram.map(MapRequest { writable: false, ..request(PAGE, 1) }).unwrap();
    assert_eq!(ram.write(GuestAddress(PAGE), &[1]), Err(MemoryError::ReadOnly(PAGE, 1)));
    assert_eq!(ram.write(GuestAddress(PAGE - 1), &[1, 1]), Err(MemoryError::ReadOnly(PAGE - 1, 2)));
    assert_eq!(ram.write_u32(GuestAddress(PAGE), 1), Err(MemoryError::ReadOnly(PAGE, 4)));
    assert_eq!(ram.write_u64(GuestAddress(PAGE), 1), Err(MemoryError::ReadOnly(PAGE, 8)));
    assert_eq!(bytes(&ram, PAGE - 1, 2).unwrap(), [0, 0]);
}

#[test]
fn own_writes_make_pages_dirty() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(0, 2)).unwrap();
    ram.map(request(2 * PAGE, 8)).unwrap();
    assert_eq!(ram.take_dirty(), []);
    let _ = bytes(&ram, 0, 4096);
    ram.write(GuestAddress(2 * PAGE - 1), &[1, 2]).unwrap();
    ram.write_u32(GuestAddress(9 * PAGE), 1).unwrap();
    let range = |page: u64, pages| PageRange { first: GuestAddress(page * PAGE), pages };
    assert_eq!(ram.take_dirty(), [range(1, 2), range(9, 1)]);
    assert_eq!(ram.take_dirty(), []);
}

/// The file is cut short while it is mapped: zeros, a mark, and another VM that notices nothing.
#[test]
fn memory_that_vanishes_costs_its_own_vm_only() {
    let victim = GuestRam::anonymous(4 * PAGE).unwrap();
    victim.write(GuestAddress(0), b"victim").unwrap();

    let ram = GuestRam::with_policy(QUOTA, SealPolicy::AllowUnsealed);
    let fd = unsealed(8 * PAGE);
    let mut request = request(0, 8);
    request.fd = fd.as_fd().try_clone_to_owned().unwrap();
    ram.map(request).unwrap();
    ram.write(GuestAddress(0), b"kept").unwrap();
    ram.write(GuestAddress(5 * PAGE), b"gone").unwrap();
    rustix::fs::ftruncate(&fd, 2 * PAGE).unwrap();
    assert!(!ram.faulted());

    assert_eq!(bytes(&ram, 5 * PAGE, 4).unwrap(), [0; 4]);
    assert!(ram.faulted());
    ram.write(GuestAddress(3 * PAGE), b"also gone").unwrap();
    ram.write_u32(GuestAddress(7 * PAGE), 1).unwrap();
    assert_eq!(bytes(&ram, 0, 4).unwrap(), b"kept");

    assert!(!victim.faulted());
    assert_eq!(bytes(&victim, 0, 6).unwrap(), b"victim");
    ram.unmap_all().unwrap();
    assert!(ram.faulted(), "the mark must outlive the mapping");
}

/// Many threads fault at once, in mappings that come and go.
#[test]
fn vanishing_memory_among_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let ram = GuestRam::with_policy(QUOTA, SealPolicy::AllowUnsealed);
                    let fd = unsealed(4 * PAGE);
                    let clone = fd.try_clone().unwrap();
                    ram.map(MapRequest { fd: clone, ..request(0, 4) }).unwrap();
                    ram.write(GuestAddress(0), &[1; 16384]).unwrap();
                    rustix::fs::ftruncate(&fd, 0).unwrap();
                    let seen = bytes(&ram, 0, 16384).unwrap();
                    assert!(seen.iter().all(|b| *b == 0) && ram.faulted());
                }
            });
        }
    });
}

/// Huge pages that the host does not have raise SIGBUS as well, even in a sealed file.
#[test]
fn huge_pages_that_are_not_there_read_as_zeros() {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
    let Ok(fd) = rustix::fs::memfd_create("huge", flags) else {
        panic!("this kernel has no huge pages (CONFIG_HUGETLBFS)");
    };
    rustix::fs::ftruncate(&fd, 4 << 20).unwrap();
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK).unwrap();
    let ram = GuestRam::new(MemoryQuota::default());
    // A part that neither begins nor ends with a huge page, as the VMM's low memory does.
    ram.map(MapRequest {
        at: GuestAddress(0xC_0000),
        len: 0x20_0000,
        fd,
        offset: 0xC_0000,
        writable: true,
    })
    .unwrap();
    ram.write(GuestAddress(0x20_0000), b"huge").unwrap();
    assert_eq!(bytes(&ram, 0x20_0000, 4).unwrap(), b"huge");
    assert_eq!(bytes(&ram, 0xC_0000, 4).unwrap(), [0; 4]);
}

/// A SIGBUS that is not in guest memory still ends the process, as it should.
#[test]
fn other_bus_errors_are_not_hidden() {
    if std::env::var_os("VGATE_TEST_BUS_ERROR").is_some() {
        let _ram = GuestRam::anonymous(PAGE).unwrap();
        // SAFETY: sends a signal to this process.
        unsafe { libc::raise(libc::SIGBUS) };
        std::process::exit(0);
    }
    let own = std::env::current_exe().unwrap();
    let run = std::process::Command::new(own)
        .args(["--exact", "memory::tests::other_bus_errors_are_not_hidden"])
        .env("VGATE_TEST_BUS_ERROR", "1")
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(run.status.signal(), Some(libc::SIGBUS), "{run:?}");
}

/// Readers on other threads run on while memory comes and goes, and never see anything but whole words.
#[test]
fn readers_never_wait_for_the_map() {
    let ram = GuestRam::new(QUOTA);
    ram.map(request(0, 1)).unwrap();
    let done = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(ram.read_u64(GuestAddress(0)), Ok(0));
                    match ram.read_u32(GuestAddress(PAGE)) {
                        Ok(word) => assert!(word == 0 || word == 7),
                        Err(e) => assert_eq!(e, MemoryError::Unmapped(PAGE, 4)),
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..300 {
            ram.map(request(PAGE, 1)).unwrap();
            ram.write_u32(GuestAddress(PAGE), 7).unwrap();
            ram.unmap(GuestAddress(PAGE), PAGE).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.into_inner() > 0);
}

#[test]
fn words_are_compared_to_the_last_one_and_not_beyond_memory() {
    let ram = GuestRam::anonymous(0x1000).unwrap();
    let words: Vec<u64> = (0..300).map(|n| n * 0x1_0001).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    ram.write(GuestAddress(8), &bytes).unwrap();
    for length in [0, 1, 63, 64, 65, 128, 300] {
        assert!(ram.holds_words(GuestAddress(8), &words[..length]), "{length}");
        let mut others = words[..length].to_vec();
        let Some(last) = others.last_mut() else { continue };
        *last ^= 1 << 63;
        assert!(!ram.holds_words(GuestAddress(8), &others), "{length}");
    }
    let end = GuestAddress(0x1000 - 8);
    assert!(ram.holds_words(end, &[0]));
    assert!(!ram.holds_words(end, &[0, 0]));
}
