//! Page tables full of anything, as silicon on the host's driver looks at them: it comes to an end, with no more leaves than
//! a space may have.
#![no_main]

use arbitrary::Arbitrary;
use gpu_intel::silicon::drm::leaves;
use libfuzzer_sys::fuzz_target;
use mediator::{GuestAddress, GuestRam, SpaceRoot};

/// Pages of memory, all of them tables to whoever is led there.
const PAGES: u64 = 16;

#[derive(Arbitrary, Debug)]
struct Input {
    levels: u8,
    roots: [u64; 4],
    /// Runs of entries: where, how many, and what: with its low bits one of the pages, or anywhere.
    entries: Vec<(u16, u8, u8, u8, Option<u64>)>,
}

fuzz_target!(|input: Input| {
    let Ok(ram) = GuestRam::anonymous(PAGES << 12) else { return };
    for (at, count, page, flags, whole) in input.entries {
        let entry = whole.unwrap_or((u64::from(page) % PAGES) << 12 | u64::from(flags));
        for n in 0..u64::from(count) {
            let place = (u64::from(at) + n) % (PAGES * 512);
            let _ = ram.write_u64(GuestAddress(8 * place), entry);
        }
    }
    let root = SpaceRoot { levels: input.levels % 6, entries: input.roots };
    if let Ok(leaves) = leaves(&ram, root) {
        assert!(leaves <= 1 << 13, "{leaves}");
    }
});
