//! A context's address space: guest memory through the guest's own tables.

use std::sync::{Arc, Mutex, PoisonError};

use mediator::{GuestAddress, GuestRam, SpaceRoot};

use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::gtt::{PAGE_SIZE, PageTableWalker, Tlb};
use crate::memory::PpgttMemory;

#[derive(Debug)]
pub(super) struct Memory {
    ram: GuestRam,
    walker: PageTableWalker,
    tlb: Tlb,
    /// Held while one engine changes memory in an atomic operation.
    atomics: Arc<Mutex<()>>,
}

impl Memory {
    pub(super) fn new(ram: GuestRam, root: SpaceRoot, atomics: Arc<Mutex<()>>) -> Self {
        Self { ram, walker: PageTableWalker::new(root), tlb: Tlb::default(), atomics }
    }

    /// The same space with translations of its own, for another thread.
    pub(super) fn fork(&self) -> Self {
        Self {
            ram: self.ram.clone(),
            walker: self.walker,
            tlb: Tlb::default(),
            atomics: Arc::clone(&self.atomics),
        }
    }

    pub(super) fn ram(&self) -> &GuestRam {
        &self.ram
    }

    /// The engine's TLB, which whoever executes brings along.
    pub(super) fn tlb(&mut self) -> &mut Tlb {
        &mut self.tlb
    }

    pub(super) fn flush_tlb(&mut self) {
        self.tlb.flush();
    }

    fn physical(&mut self, at: u64, write: bool) -> Result<GuestAddress, Fault> {
        let frame = self
            .tlb
            .translate(&self.walker, &self.ram, PpgttAddress(at))
            .map_err(|error| Fault::new("ppgtt/unmapped", error.to_string()))?;
        if write && !frame.writable {
            return Err(Fault::new("ppgtt/read-only", format!("{at:#x} is mapped read-only")));
        }
        Ok(GuestAddress(frame.physical.0 | (at % PAGE_SIZE)))
    }
}

/// Other engines' atomic operations are held off; stores of the guest's CPUs are not.
impl PpgttMemory for Memory {
    fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < to.len() {
            let here = at.0.wrapping_add(done as u64);
            let physical = self.physical(here, false)?;
            let part = to.len().min(done + bytes_to_page_end(here));
            let chunk = to.get_mut(done..part).unwrap_or_default();
            let outside = |_| outside(here, physical);
            if let Ok(word) = <&mut [u8; 4]>::try_from(&mut *chunk)
                && physical.0 % 4 == 0
            {
                *word = self.ram.read_u32(physical).map_err(outside)?.to_le_bytes();
            } else if let Ok(word) = <&mut [u8; 8]>::try_from(&mut *chunk)
                && physical.0 % 8 == 0
            {
                *word = self.ram.read_u64(physical).map_err(outside)?.to_le_bytes();
            } else {
                self.ram.read(physical, chunk).map_err(outside)?;
            }
            done = part;
        }
        Ok(())
    }

    fn write(&mut self, at: PpgttAddress, from: &[u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < from.len() {
            let here = at.0.wrapping_add(done as u64);
            let physical = self.physical(here, true)?;
            let part = from.len().min(done + bytes_to_page_end(here));
            let chunk = from.get(done..part).unwrap_or_default();
            let outside = |_| outside(here, physical);
            if let Ok(word) = <[u8; 4]>::try_from(chunk)
                && physical.0 % 4 == 0
            {
                self.ram.write_u32(physical, u32::from_le_bytes(word)).map_err(outside)?;
            } else if let Ok(word) = <[u8; 8]>::try_from(chunk)
                && physical.0 % 8 == 0
            {
                self.ram.write_u64(physical, u64::from_le_bytes(word)).map_err(outside)?;
            } else {
                self.ram.write(physical, chunk).map_err(outside)?;
            }
            done = part;
        }
        Ok(())
    }

    fn modify(
        &mut self,
        at: PpgttAddress,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        let atomics = Arc::clone(&self.atomics);
        let _held = atomics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut word = [0; 8];
        self.read(at, word.get_mut(..bytes).unwrap_or_default())?;
        let old = u64::from_le_bytes(word);
        self.write(at, change(old).to_le_bytes().get(..bytes).unwrap_or_default())?;
        Ok(old)
    }
}

fn bytes_to_page_end(at: u64) -> usize {
    (PAGE_SIZE - at % PAGE_SIZE) as usize
}

fn outside(at: u64, physical: GuestAddress) -> Fault {
    let detail = format!("{at:#x} is mapped to {:#x}, where the guest has no memory", physical.0);
    Fault::new("ppgtt/outside-ram", detail)
}
