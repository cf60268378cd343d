//! The scan of a user's batch before it is queued.
//!
//! It runs on the VM's own thread, and so reads a bounded part of each batch: what lies behind is judged where it is
//! fetched, as is what a batch starts in turn. Nor is nonsense a reason to refuse a batch here. It may still be
//! overwritten, or never be reached; and what stands before it is executed, as on silicon, on which drivers' tests rely.

use mediator::{GuestRam, SpaceRoot};

use crate::address::PpgttAddress;
use crate::audit::{Audit, Outcome};
use crate::command::walk::CommandMemory;
use crate::engine::Engine;
use crate::gtt::{PAGE_SIZE, PageTableWalker};

/// Bytes of a batch that are scanned: 2 ms of the VM's thread for the slowest that was tried. User-mode drivers chain batches of
/// 64 KiB.
const LIMIT: u64 = 256 << 10;

/// A scanner. Its memory serves from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    audit: Audit,
    bytes: Vec<u8>,
}

impl Scan {
    /// Judges the batch at `start`, and not what it starts in turn.
    pub(crate) fn batch(
        &mut self,
        ram: &GuestRam,
        space: SpaceRoot,
        engine: Engine,
        start: PpgttAddress,
    ) -> Outcome {
        let tables = PageTableWalker::new(space);
        let end = start.truncated().0.saturating_add(LIMIT);
        self.bytes.resize(PAGE_SIZE as usize, 0);
        let bytes = &mut self.bytes;
        self.audit.scan(&mut Pages { ram, tables, end, bytes }, engine, start)
    }
}

/// A guest's own address space, as far as it is scanned.
struct Pages<'a> {
    ram: &'a GuestRam,
    tables: PageTableWalker,
    end: u64,
    /// A page of it.
    bytes: &'a mut [u8],
}

impl CommandMemory for Pages<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let left = self.end.saturating_sub(at.truncated().0) / 4;
        let wanted = usize::try_from(left).map_or(to.len(), |left| to.len().min(left));
        let mut filled = 0;
        while filled < wanted {
            let here = PpgttAddress((at.0 & !3).wrapping_add(4 * filled as u64)).truncated();
            let dwords = ((PAGE_SIZE - here.0 % PAGE_SIZE) / 4) as usize;
            let dwords = dwords.min(wanted - filled);
            let Some(bytes) = self.bytes.get_mut(..4 * dwords) else { break };
            let Ok(page) = self.tables.walk(self.ram, here) else { break };
            if self.ram.read(page.physical, bytes).is_err() {
                break;
            }
            for (dword, bytes) in to.iter_mut().skip(filled).zip(bytes.as_chunks().0) {
                *dword = u32::from_le_bytes(*bytes);
            }
            filled += dwords;
        }
        filled
    }
}

#[cfg(test)]
mod tests;
