//! Memory for batches: a whole address space that shows 256 KiB of guest memory over and over, so that every address a
//! captured batch names is mapped, and every store of it lands where the target looks.
//!
//! ```text
//!  addresses  ──tables──►  pages 64..128 of the guest's memory, read-only in the upper half
//!                          pages  0..64  tables, and canaries that nothing may change
//! ```

use gpu_intel::address::PpgttAddress;
use gpu_intel::command::walk::CommandMemory;
use mediator::memory::PAGE;
use mediator::{GuestAddress, GuestRam, SpaceRoot};

/// The guest's memory in bytes.
pub const MEMORY: u64 = 512 << 10;
/// Where the part begins that addresses show.
pub const SHOWN: u64 = 256 << 10;
/// Pages of the shown part that may be written to.
pub const WRITABLE: u64 = 32;
/// What the hidden part is full of, but for its tables.
pub const CANARY: u8 = 0xA5;

const TABLES: u64 = 0x1000;

/// A guest's memory with its tables.
pub fn guest() -> GuestRam {
    let ram = GuestRam::anonymous(MEMORY).expect("guest memory");
    ram.write(GuestAddress(0), &vec![CANARY; SHOWN as usize]).expect("memory is there");
    for level in 0..4 {
        for n in 0..512 {
            let (next, flags) = match level {
                3 => (SHOWN + shown(n * PAGE), if n % (SHOWN / PAGE) < WRITABLE { 3 } else { 1 }),
                level => (TABLES + (level + 1) * PAGE, 3),
            };
            let at = GuestAddress(TABLES + level * PAGE + 8 * n);
            ram.write_u64(at, next | flags).expect("memory is there");
        }
    }
    ram
}

/// The tables' root.
pub fn root() -> SpaceRoot {
    SpaceRoot { levels: 4, entries: [TABLES, 0, 0, 0] }
}

/// Where an address leads in the shown part.
fn shown(at: u64) -> u64 {
    at % SHOWN
}

/// Puts bytes where addresses from `at` on lead.
pub fn write(ram: &GuestRam, at: PpgttAddress, bytes: &[u8]) {
    let mut at = at.0;
    for part in bytes.chunks(4) {
        ram.write(GuestAddress(SHOWN + shown(at) / 4 * 4), part).expect("memory is there");
        at = at.wrapping_add(4);
    }
}

/// A batch that is nowhere but in its input, from address 0.
#[derive(Debug)]
pub struct Flat<'a>(pub &'a [[u8; 4]]);

impl CommandMemory for Flat<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let first = usize::try_from(at.0 / 4).unwrap_or(usize::MAX);
        let rest = self.0.get(first..).unwrap_or_default();
        to.iter_mut().zip(rest).map(|(to, from)| *to = u32::from_le_bytes(*from)).count()
    }
}

/// The memory as the audit reads it.
#[derive(Debug)]
pub struct Commands<'a>(pub &'a GuestRam);

impl CommandMemory for Commands<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        for (n, dword) in to.iter_mut().enumerate() {
            let at = SHOWN + shown((at.0 & !3).wrapping_add(4 * n as u64));
            *dword = self.0.read_u32(GuestAddress(at)).expect("memory is there");
        }
        to.len()
    }
}
