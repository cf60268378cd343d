//! How bytes become a hostile guest: what the fuzz targets share with the program that writes the seeds they start from.
//!
//! ```text
//!  seeds ──encode──► corpus/TARGET/* ──fuzzer──► decode ──► target
//! ```

pub mod exchange;
pub mod machine;
pub mod memory;
pub mod step;

use std::cell::OnceCell;

use mediator::GuestRam;
use mediator::memory::PAGE;

/// Guest memory, all zeros. Always the same, since new memory takes longer than most inputs.
pub fn guest_memory(bytes: u64) -> GuestRam {
    thread_local! {
        static RAM: OnceCell<GuestRam> = const { OnceCell::new() };
    }
    let make = || GuestRam::anonymous(bytes).expect("guest memory");
    let ram = RAM.with(|ram| ram.get_or_init(make).clone());
    for range in ram.take_dirty() {
        let zeros = vec![0; (range.pages * PAGE) as usize];
        ram.write(range.first, &zeros).expect("what was written to is there");
    }
    let _ = ram.take_dirty();
    ram
}
