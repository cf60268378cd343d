//! Where things lie in a client's own physical memory, which only silicon sees.
//!
//! ```text
//!  0        arena
//!  2^40     buffers that have a file of their own, one after another
//!  2^45     page tables and context images: the vendor's, and nobody's else
//! ```

use std::collections::BTreeMap;

use guest_shim::wire::ArenaOffset;

use crate::GuestAddress;
use crate::memory::PAGE;

const BUFFERS: u64 = 1 << 40;
const END: u64 = 1 << 44;
/// Where tables begin.
pub const TABLES: u64 = 1 << 45;
/// Bytes for tables: sparse; what is used counts.
pub(super) const TABLE_BYTES: u64 = 1 << 30;

/// What a client may bind.
#[derive(Debug)]
pub struct Layout {
    arena: u64,
    /// Bytes by place.
    buffers: BTreeMap<u64, u64>,
}

impl Layout {
    /// An arena of so many bytes, and no buffers.
    #[must_use]
    pub fn new(arena: u64) -> Self {
        Self { arena, buffers: BTreeMap::new() }
    }

    /// Where a range of the client's lies: in one buffer, or in the arena, as a whole.
    pub(super) fn find(&self, at: ArenaOffset, bytes: u64) -> Option<GuestAddress> {
        let end = at.0.checked_add(bytes)?;
        let fits = end <= self.arena || {
            let (start, len) = self.buffers.range(..=at.0).next_back()?;
            end <= start + len
        };
        fits.then_some(GuestAddress(at.0))
    }

    /// A place for a buffer of so many bytes (whole pages), with a page after it that is nobody's.
    pub(super) fn place(&mut self, bytes: u64) -> Option<ArenaOffset> {
        let mut at = BUFFERS;
        // The first gap that is wide enough.
        for (start, len) in &self.buffers {
            if *start >= at.checked_add(bytes)?.checked_add(PAGE)? {
                break;
            }
            at = start.checked_add(*len)?.checked_add(PAGE)?;
        }
        at.checked_add(bytes).filter(|end| *end <= END)?;
        self.buffers.insert(at, bytes);
        Some(ArenaOffset(at))
    }

    /// A buffer goes. Returns its bytes.
    pub(super) fn remove(&mut self, at: ArenaOffset) -> Option<u64> {
        self.buffers.remove(&at.0)
    }

    /// Buffers now, and bytes of theirs.
    pub(super) fn buffers(&self) -> (usize, u64) {
        (self.buffers.len(), self.buffers.values().fold(0, |sum, len| sum.saturating_add(*len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_in_one_thing_as_a_whole() {
        let mut layout = Layout::new(0x10_000);
        let first = layout.place(0x2000).unwrap();
        let second = layout.place(0x1000).unwrap();
        for (at, bytes) in [(0, 0x10_000), (0xF000, 0x1000), (first.0, 0x2000), (second.0, 0x1000)]
        {
            assert_eq!(layout.find(ArenaOffset(at), bytes), Some(GuestAddress(at)));
        }
        let wrong = [(0, 0x10_001), (0x10_000, 1), (first.0, 0x2001), (first.0 + 0x2000, 1)];
        for (at, bytes) in
            wrong.into_iter().chain([(u64::MAX, 2), (TABLES, 0x1000), (BUFFERS - 1, 1)])
        {
            assert_eq!(layout.find(ArenaOffset(at), bytes), None, "{at:#x} {bytes:#x}");
        }
    }

    #[test]
    fn gaps_are_used_again() {
        let mut layout = Layout::new(0);
        let places: Vec<_> = (0..3).map(|_| layout.place(0x4000).unwrap()).collect();
        assert_eq!(layout.remove(places[1]), Some(0x4000));
        assert_eq!(layout.remove(places[1]), None);
        assert_eq!(layout.place(0x1000), Some(places[1]));
        assert!(layout.place(0x4000).unwrap().0 > places[2].0);
        assert_eq!(layout.place(u64::MAX), None);
        assert_eq!(layout.buffers(), (4, 0x4000 * 3 + 0x1000));
    }
}
