//! Where the application has mapped its buffers.
//!
//! A buffer may be closed while it is mapped, and what is mapped must stay: its part of the arena is not used again before
//! all its mappings are gone. And a buffer that moves (see [`crate::prime`]) must appear at each of them.

use std::collections::BTreeMap;

use guest_shim::wire::ArenaOffset;

use crate::world::Inode;

/// A range of the application's addresses that shows part of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) bytes: u64,
    pub(crate) arena: Inode,
    pub(crate) at: ArenaOffset,
    /// `PROT_*`
    pub(crate) access: i32,
}

#[derive(Debug)]
pub(crate) struct Mappings {
    by_address: BTreeMap<u64, Mapping>,
}

impl Mappings {
    pub(crate) const fn new() -> Self {
        Self { by_address: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// A range is mapped, over whatever was there.
    pub(crate) fn add(&mut self, address: u64, mapping: Mapping) {
        self.remove(address, mapping.bytes);
        self.by_address.insert(address, mapping);
    }

    /// A range shows nothing of an arena any more.
    pub(crate) fn remove(&mut self, address: u64, bytes: u64) {
        let end = address.saturating_add(bytes);
        let touched: Vec<(u64, Mapping)> = self
            .by_address
            .range(..end)
            .rev()
            .take_while(|(start, mapping)| **start + mapping.bytes > address)
            .map(|(start, mapping)| (*start, *mapping))
            .collect();
        for (start, mapping) in touched {
            self.by_address.remove(&start);
            if start < address {
                let front = Mapping { bytes: address - start, ..mapping };
                self.by_address.insert(start, front);
            }
            if let Some(rest) = (start + mapping.bytes).checked_sub(end).filter(|rest| *rest > 0) {
                let at = ArenaOffset(mapping.at.0 + (end - start));
                self.by_address.insert(end, Mapping { bytes: rest, at, ..mapping });
            }
        }
    }

    /// What shows any of a part of an arena: from where on, and how.
    pub(crate) fn of(
        &self,
        arena: Inode,
        at: ArenaOffset,
        bytes: u64,
    ) -> impl Iterator<Item = (u64, Mapping)> {
        self.by_address.iter().map(|(address, mapping)| (*address, *mapping)).filter(
            move |(_, mapping)| {
                mapping.arena == arena
                    && mapping.at.0 < at.0 + bytes
                    && at.0 < mapping.at.0 + mapping.bytes
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unmapped_in_the_middle_leaves_two_ends() {
        let file = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::empty()).unwrap();
        let arena = Inode::of(&rustix::fs::fstat(file).unwrap());
        let mut mappings = Mappings::new();
        let whole = Mapping { bytes: 0x4000, arena, at: ArenaOffset(0x10_0000), access: 3 };
        mappings.add(0x1000, whole);
        mappings.remove(0x2000, 0x1000);
        let left: Vec<_> = mappings.of(arena, whole.at, whole.bytes).collect();
        let front = (0x1000, Mapping { bytes: 0x1000, ..whole });
        let back = (0x3000, Mapping { bytes: 0x2000, at: ArenaOffset(0x10_2000), ..whole });
        assert_eq!(left, [front, back]);
        assert_eq!(mappings.of(arena, ArenaOffset(0x10_1000), 0x1000).count(), 0);
        mappings.remove(0, u64::MAX);
        assert!(mappings.is_empty());
    }
}
