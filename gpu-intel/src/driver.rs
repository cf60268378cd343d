//! A minimal driver: what a guest's kernel does to get a batch executed, and no more. For tests, benches and stand-in
//! VMs; real guests run stock i915.
//!
//! ```text
//!  0x01_0000  hardware status pages, one an engine      0x10_0000  context images
//!  0x02_0000  rings of 16 KiB                           0x40_0000  free: batches and results
//!  0x08_0000  page tables: all memory at its own address, in pages of 2 MiB
//! ```
//! Global and per-process addresses are the guest-physical ones.

use mediator::memory::MemoryError;
use mediator::{GuestAddress, GuestRam};

use crate::engine::Engine;

const STATUS_PAGES: u64 = 0x1_0000;
const RINGS: u64 = 0x2_0000;
const RING_SIZE: u32 = 0x4000;
const TABLES: u64 = 0x8_0000;
const IMAGES: u64 = 0x10_0000;
const IMAGE_SIZE: u64 = 0x2_0000;
/// Where memory is free for batches and results.
pub const FREE: u64 = 0x40_0000;
/// Memory that the driver needs, in bytes.
pub const MEMORY: u64 = 16 << 20;
/// Status page offset of the sequence number that each request stores when it is done.
const SEQNO: u64 = 0x100;

/// A write to BAR0: offset and value.
pub type Write<'a> = &'a mut dyn FnMut(u64, u32);

/// The driver's state: how far it has filled each ring.
#[derive(Debug)]
pub struct Driver {
    ram: GuestRam,
    tails: [u32; 4],
    seqnos: [u32; 4],
}

impl Driver {
    /// Sets tables, status pages and contexts up. `ram` holds at least [`MEMORY`] bytes at address 0.
    ///
    /// # Errors
    /// When `ram` is smaller.
    pub fn start(ram: GuestRam, write: Write<'_>) -> Result<Self, MemoryError> {
        let table = |level: u64| GuestAddress(TABLES + level * 0x1000);
        ram.write_u64(table(0), table(1).0 | 3)?;
        ram.write_u64(table(1), table(2).0 | 3)?;
        for n in 0..512 {
            ram.write_u64(GuestAddress(table(2).0 + n * 8), n << 21 | 1 << 7 | 3)?;
        }
        for page in 0..MEMORY >> 12 {
            let entry = page << 12 | 1;
            write((8 << 20) + page * 8, entry as u32);
            write((8 << 20) + page * 8 + 4, (entry >> 32) as u32);
        }
        let driver = Self { ram, tails: [0; 4], seqnos: [0; 4] };
        for engine in Engine::ALL {
            let base = u64::from(engine.base());
            write(base + 0x80, status_page(engine) as u32);
            write(base + 0xA8, 0);
            write(base + 0x29C, 0x8000_8000);
            driver.write_image(engine)?;
        }
        // All interrupts of the engines, and the master.
        for group in [0x4_4300, 0x4_4310, 0x4_4330] {
            write(group + 4, 0);
            write(group + 0xC, u32::MAX);
        }
        write(0x4_4200, 1 << 31);
        Ok(driver)
    }

    fn write_image(&self, engine: Engine) -> Result<(), MemoryError> {
        let fields = [
            (0x03, 0x0001_0001),
            (0x09, ring(engine) as u32),
            (0x0B, (RING_SIZE / 4096 - 1) << 12 | 1),
            (0x31, 0),
            (0x33, TABLES as u32),
        ];
        for (index, value) in fields {
            self.ram.write_u32(GuestAddress(image(engine) + 0x1000 + index * 4), value)?;
        }
        Ok(())
    }

    /// Submits the batch at `batch`; returns the request's sequence number.
    ///
    /// # Errors
    /// When the memory is gone.
    pub fn submit(
        &mut self,
        engine: Engine,
        batch: u64,
        write: Write<'_>,
    ) -> Result<u32, MemoryError> {
        // Arbitration off around the batch, as i915 does where it knows that it is on a virtual GPU.
        let mut commands =
            vec![0x08 << 23, 0x31 << 23 | 1 << 8 | 1, batch as u32, (batch >> 32) as u32];
        let slot = engine.id().0 as usize;
        let seqno = self.seqnos.get(slot).copied().unwrap_or(0).wrapping_add(1);
        let breadcrumb = status_page(engine) + SEQNO;
        commands.extend([0x20 << 23 | 1 << 22 | 2, breadcrumb as u32, 0, seqno, 0x02 << 23]);
        commands.push(0x08 << 23 | 1);
        self.queue(engine, &commands, write)?;
        if let Some(last) = self.seqnos.get_mut(slot) {
            *last = seqno;
        }
        Ok(seqno)
    }

    /// Puts commands (an even number of dwords) in the engine's ring and submits its context.
    ///
    /// # Errors
    /// When the memory is gone.
    pub fn queue(
        &mut self,
        engine: Engine,
        commands: &[u32],
        write: Write<'_>,
    ) -> Result<(), MemoryError> {
        let slot = engine.id().0 as usize;
        let mut tail = self.tails.get(slot).copied().unwrap_or(0);
        for dword in commands {
            self.ram.write_u32(GuestAddress(ring(engine) + u64::from(tail)), *dword)?;
            tail = (tail + 4) % RING_SIZE;
        }
        if let Some(slot) = self.tails.get_mut(slot) {
            *slot = tail;
        }
        self.ram.write_u32(GuestAddress(image(engine) + 0x1000 + 0x07 * 4), tail)?;
        let descriptor = u64::from(slot as u32 + 1) << 32 | image(engine) | 1 << 8 | 3 << 3 | 1;
        let port = u64::from(engine.base()) + 0x230;
        for dword in [0, 0, (descriptor >> 32) as u32, descriptor as u32] {
            write(port, dword);
        }
        Ok(())
    }

    /// The sequence number of the last request that is done.
    ///
    /// # Errors
    /// When the memory is gone.
    pub fn completed(&self, engine: Engine) -> Result<u32, MemoryError> {
        self.ram.read_u32(GuestAddress(status_page(engine) + SEQNO))
    }

    /// The context status buffer as the status page shows it: write pointer, then entries (reason, context).
    ///
    /// # Errors
    /// When the memory is gone.
    pub fn status_buffer(&self, engine: Engine) -> Result<(u32, [(u32, u32); 6]), MemoryError> {
        let page = status_page(engine);
        let mut entries = [(0, 0); 6];
        for (entry, at) in entries.iter_mut().zip((page + 0x40..).step_by(8)) {
            *entry =
                (self.ram.read_u32(GuestAddress(at))?, self.ram.read_u32(GuestAddress(at + 4))?);
        }
        Ok((self.ram.read_u32(GuestAddress(page + 0x7C))?, entries))
    }
}

fn status_page(engine: Engine) -> u64 {
    STATUS_PAGES + u64::from(engine.id().0) * 0x1000
}

fn ring(engine: Engine) -> u64 {
    RINGS + u64::from(engine.id().0) * u64::from(RING_SIZE)
}

fn image(engine: Engine) -> u64 {
    IMAGES + u64::from(engine.id().0) * IMAGE_SIZE
}
