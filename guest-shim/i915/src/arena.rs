//! Which parts of the arena are free: first fit, neighbours join.

use std::collections::BTreeMap;

use guest_shim::wire::ArenaOffset;

/// The GPU's and the processor's page.
pub(crate) const PAGE: u64 = 4096;

/// Free parts by their start, none next to another.
#[derive(Debug)]
pub(crate) struct Extents {
    free: BTreeMap<u64, u64>,
}

impl Extents {
    pub(crate) fn new(bytes: u64) -> Self {
        let bytes = bytes / PAGE * PAGE;
        Self { free: BTreeMap::from_iter((bytes > 0).then_some((0, bytes))) }
    }

    /// Whole pages, from the lowest place that has as many.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<ArenaOffset> {
        let bytes = bytes.checked_next_multiple_of(PAGE).filter(|bytes| *bytes > 0)?;
        let (&start, &found) = self.free.iter().find(|(_, free)| **free >= bytes)?;
        self.free.remove(&start);
        if found > bytes {
            self.free.insert(start + bytes, found - bytes);
        }
        Some(ArenaOffset(start))
    }

    /// What was taken comes back.
    pub(crate) fn give_back(&mut self, at: ArenaOffset, bytes: u64) {
        let (mut start, mut bytes) = (at.0, bytes.next_multiple_of(PAGE));
        if let Some((&before, &free)) = self.free.range(..start).next_back()
            && before + free == start
        {
            self.free.remove(&before);
            (start, bytes) = (before, free + bytes);
        }
        if let Some(behind) = self.free.remove(&(start + bytes)) {
            bytes += behind;
        }
        self.free.insert(start, bytes);
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.free.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_pages_and_join_again() {
        let mut arena = Extents::new(10 * PAGE + 5);
        let a = arena.take(1).unwrap();
        let b = arena.take(PAGE + 1).unwrap();
        let c = arena.take(PAGE).unwrap();
        assert_eq!([a, b, c], [0, 1, 3].map(|n| ArenaOffset(n * PAGE)));
        assert_eq!(arena.take(7 * PAGE), None);
        assert_eq!(arena.take(0), None);
        assert_eq!(arena.take(u64::MAX), None);
        arena.give_back(a, 1);
        arena.give_back(c, PAGE);
        assert_eq!(arena.free.len(), 2, "the last one joined the rest");
        assert_eq!(arena.take(2 * PAGE), Some(c), "the hole in front is too small");
        arena.give_back(c, 2 * PAGE);
        arena.give_back(b, PAGE + 1);
        assert_eq!(arena.free, BTreeMap::from([(0, 10 * PAGE)]));
        assert_eq!(arena.free_bytes(), 10 * PAGE);
    }
}
