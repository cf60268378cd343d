//! A translation buffer: remembers walks until it is flushed, as hardware does.

use mediator::GuestAddress;

use super::PAGE_SIZE;
use super::walk::{Page, PageTableWalker, PhysicalMemory, WalkError};
use crate::address::PpgttAddress;

const SLOTS: u64 = 1024;

/// A 4 KiB frame of guest memory as a translation found it; larger pages count as many frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its first byte.
    pub physical: GuestAddress,
    /// Whether it may be written.
    pub writable: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    page: u64,
    frame: Frame,
    /// Counts flushes: what was found before the last one is forgotten.
    generation: u64,
}

/// Translations of one address space at a time, direct-mapped. Only found pages are remembered, so that a page which the
/// guest maps late is seen.
#[derive(Debug, Default)]
pub struct Tlb {
    /// None before the first translation.
    slots: Vec<Option<Slot>>,
    generation: u64,
}

impl Tlb {
    /// Forgets everything.
    pub fn flush(&mut self) {
        self.generation += 1;
    }

    /// The frame that holds `address`, from memory or by a walk.
    ///
    /// # Errors
    /// Those of the walk.
    pub fn translate<M: PhysicalMemory + ?Sized>(
        &mut self,
        walker: &PageTableWalker,
        memory: &M,
        address: PpgttAddress,
    ) -> Result<Frame, WalkError> {
        let (page, generation) = (address.truncated().0 / PAGE_SIZE, self.generation);
        if self.slots.is_empty() {
            self.slots = vec![None; SLOTS as usize];
        }
        let slot = usize::try_from(page % SLOTS).ok().and_then(|i| self.slots.get_mut(i));
        if let Some(Some(known)) = &slot
            && (known.page, known.generation) == (page, generation)
        {
            return Ok(known.frame);
        }
        let Page { physical, writable, .. } = walker.walk(memory, address)?;
        let frame = Frame { physical: GuestAddress(physical.0 & !(PAGE_SIZE - 1)), writable };
        if let Some(slot) = slot {
            *slot = Some(Slot { page, frame, generation });
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use mediator::SpaceRoot;

    use super::*;

    #[test]
    fn remembers_until_flushed_and_never_remembers_absence() {
        let mut memory = vec![0u64; 2048];
        memory[0x1000 / 8] = 0x2003;
        let walker = PageTableWalker::new(SpaceRoot { levels: 3, entries: [0x1000, 0, 0, 0] });
        let mut tlb = Tlb::default();
        let at = PpgttAddress(0x1234);
        assert!(tlb.translate(&walker, memory.as_slice(), at).is_err());
        memory[0x2008 / 8] = 0x7003;
        let first = tlb.translate(&walker, memory.as_slice(), at).unwrap();
        assert_eq!(first, Frame { physical: GuestAddress(0x7000), writable: true });
        memory[0x2008 / 8] = 0x9001;
        assert_eq!(tlb.translate(&walker, memory.as_slice(), at), Ok(first));
        // Another page that falls into the same slot drives the first one out.
        memory[0x1010 / 8] = 0x3003;
        memory[0x3008 / 8] = 0x5003;
        let other = PpgttAddress((2 << 21) + 0x1000);
        assert_eq!(tlb.translate(&walker, memory.as_slice(), other).unwrap().physical.0, 0x5000);
        tlb.flush();
        let after = tlb.translate(&walker, memory.as_slice(), at).unwrap();
        assert_eq!(after, Frame { physical: GuestAddress(0x9000), writable: false });
    }
}
