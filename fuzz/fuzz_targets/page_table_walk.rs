//! Page tables full of anything: a walk takes as many steps as there are levels, and the translation buffer agrees
//! with it.
#![no_main]

use std::cell::Cell;

use arbitrary::Arbitrary;
use gpu_intel::address::PpgttAddress;
use gpu_intel::gtt::{PAGE_SIZE, PageTableWalker, PhysicalMemory, Tlb};
use libfuzzer_sys::fuzz_target;
use mediator::{GuestAddress, SpaceRoot};

#[derive(Arbitrary, Debug)]
struct Input {
    levels: u8,
    roots: [u64; 4],
    /// Each entry at a place in the first eight pages; with its low bits it points to one of them, or anywhere.
    entries: Vec<(u16, u8, u8, Option<u64>)>,
    addresses: Vec<u64>,
}

struct Memory {
    entries: Vec<u64>,
    reads: Cell<u32>,
}

impl PhysicalMemory for Memory {
    fn entry(&self, at: GuestAddress) -> Option<u64> {
        assert!(at.0.is_multiple_of(8));
        self.reads.set(self.reads.get() + 1);
        self.entries.get(usize::try_from(at.0 / 8).ok()?).copied()
    }
}

fuzz_target!(|input: Input| {
    let mut entries = vec![0; 8 * 512];
    for (at, page, flags, whole) in input.entries {
        let entry = whole.unwrap_or(u64::from(page & 7) << 12 | u64::from(flags));
        entries[usize::from(at) % (8 * 512)] = entry;
    }
    let memory = Memory { entries, reads: Cell::new(0) };
    let root = SpaceRoot { levels: input.levels % 6, entries: input.roots };
    let (walker, mut tlb) = (PageTableWalker::new(root), Tlb::default());
    for address in input.addresses {
        memory.reads.set(0);
        let walked = walker.walk(&memory, PpgttAddress(address));
        assert!(memory.reads.get() <= 4);
        if let Ok(page) = walked {
            assert!(page.size.is_power_of_two() && page.size >= PAGE_SIZE);
            assert_eq!(page.physical.0 % page.size, address % page.size);
        }
        for _ in 0..2 {
            let frame = tlb.translate(&walker, &memory, PpgttAddress(address));
            assert_eq!(frame.is_ok(), walked.is_ok());
            if let (Ok(frame), Ok(page)) = (frame, walked) {
                assert_eq!(frame.physical.0, page.physical.0 & !(PAGE_SIZE - 1));
                assert_eq!(frame.writable, page.writable);
            }
        }
    }
});
