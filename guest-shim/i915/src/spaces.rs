//! Address spaces: which buffer stands where. Only the book-keeping; who changes it tells the GPU.

use std::collections::{BTreeMap, HashMap};

use guest_shim::wire::SpaceName;

use crate::buffers::BufferId;

/// Non-relocatable things near address 0 confuse old programs: relocated batches begin behind (`BATCH_OFFSET_BIAS` of i915).
pub(crate) const BATCH_BIAS: u64 = 256 << 10;
/// Objects that don't say they can live above stay below; the last page is left out.
pub(crate) const LOW_LIMIT: u64 = (1 << 32) - 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    bytes: u64,
    buffer: BufferId,
}

#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) name: SpaceName,
    places: BTreeMap<u64, Place>,
    of: HashMap<BufferId, u64>,
    /// Where the search for room goes on.
    next: u64,
    /// How many contexts and handles refer to it.
    pub(crate) users: usize,
}

/// What a buffer asks of its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) bytes: u64,
    /// A power of two, at least a page.
    pub(crate) alignment: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Wish {
    pub(crate) fn is_met_by(&self, at: u64) -> bool {
        at.is_multiple_of(self.alignment)
            && at >= self.from
            && at.checked_add(self.bytes).is_some_and(|end| end <= self.to)
    }
}

impl Space {
    pub(crate) fn new(name: SpaceName) -> Self {
        Self { name, places: BTreeMap::new(), of: HashMap::new(), next: 0, users: 1 }
    }

    /// Where a buffer stands, and how much room it has.
    pub(crate) fn place(&self, buffer: BufferId) -> Option<(u64, u64)> {
        let at = *self.of.get(&buffer)?;
        Some((at, self.places.get(&at)?.bytes))
    }

    /// Which buffers stand in the way.
    pub(crate) fn between(&self, at: u64, bytes: u64) -> Vec<BufferId> {
        let end = at.saturating_add(bytes);
        let touched = self.places.range(..end).rev();
        touched
            .take_while(|(start, place)| *start + place.bytes > at)
            .map(|(_, place)| place.buffer)
            .collect()
    }

    /// Puts a buffer where nothing is in the way.
    pub(crate) fn put(&mut self, buffer: BufferId, at: u64, bytes: u64) {
        self.places.insert(at, Place { bytes, buffer });
        self.of.insert(buffer, at);
    }

    pub(crate) fn take_out(&mut self, buffer: BufferId) -> Option<(u64, u64)> {
        let at = self.of.remove(&buffer)?;
        Some((at, self.places.remove(&at)?.bytes))
    }

    /// Room as wished for: behind what was found last, or else from the start.
    pub(crate) fn room(&mut self, wish: &Wish) -> Option<u64> {
        let next = self.next.max(wish.from);
        let found = self.gap(next, wish).or_else(|| self.gap(wish.from, wish))?;
        self.next = found + wish.bytes;
        Some(found)
    }

    fn gap(&self, from: u64, wish: &Wish) -> Option<u64> {
        let mut at = from.checked_next_multiple_of(wish.alignment)?;
        let before = self.places.range(..=at).next_back();
        let ahead = before.into_iter().chain(self.places.range(at.checked_add(1)?..));
        for (start, place) in ahead {
            let end = start + place.bytes;
            if end <= at {
                continue;
            }
            if at.checked_add(wish.bytes)? <= *start {
                break;
            }
            at = end.checked_next_multiple_of(wish.alignment)?;
        }
        wish.is_met_by(at).then_some(at)
    }

    pub(crate) fn buffers(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.of.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    #[test]
    fn room_is_found_between_what_stands_there() {
        let mut space = Space::new(SpaceName(1));
        let id = BufferId::for_tests;
        let wish = |pages: u64, from: u64, to: u64| Wish {
            bytes: pages * PAGE,
            alignment: PAGE,
            from: from * PAGE,
            to: to * PAGE,
        };
        space.put(id(1), 2 * PAGE, PAGE);
        space.put(id(2), 4 * PAGE, 2 * PAGE);
        assert_eq!(space.room(&wish(2, 0, 100)), Some(0));
        assert_eq!(space.room(&wish(2, 0, 100)), Some(6 * PAGE), "on from there");
        assert_eq!(space.room(&wish(1, 0, 5)), Some(0), "again from the start");
        assert_eq!(space.room(&wish(3, 0, 6)), None);
        assert_eq!(space.room(&Wish { alignment: 8 * PAGE, ..wish(1, 1, 100) }), Some(8 * PAGE));
        assert_eq!(space.between(0, 2 * PAGE), []);
        assert_eq!(space.between(0, 5 * PAGE), [id(2), id(1)]);
        assert_eq!(space.place(id(2)), Some((4 * PAGE, 2 * PAGE)));
        assert_eq!(space.take_out(id(2)), Some((4 * PAGE, 2 * PAGE)));
        assert_eq!(space.take_out(id(2)), None);
    }
}
