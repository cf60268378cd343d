//! Small numbers for an application's objects: the lowest that is free, from 1 on, as the kernel gives them.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct Handles<T> {
    entries: BTreeMap<u32, T>,
    /// Free ones below `next`.
    free: BTreeSet<u32>,
    next: u32,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), free: BTreeSet::new(), next: 1 }
    }
}

impl<T> Handles<T> {
    pub(crate) fn insert(&mut self, entry: T) -> u32 {
        let handle = self.free.pop_first().unwrap_or_else(|| {
            let handle = self.next;
            self.next += 1;
            handle
        });
        self.entries.insert(handle, entry);
        handle
    }

    pub(crate) fn remove(&mut self, handle: u32) -> Option<T> {
        let entry = self.entries.remove(&handle)?;
        self.free.insert(handle);
        Some(entry)
    }

    pub(crate) fn get(&self, handle: u32) -> Option<&T> {
        self.entries.get(&handle)
    }

    pub(crate) fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        self.entries.get_mut(&handle)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_next() {
        let mut handles = Handles::default();
        assert_eq!(['a', 'b', 'c'].map(|entry| handles.insert(entry)), [1, 2, 3]);
        assert_eq!(
            (handles.remove(1), handles.remove(2), handles.remove(2)),
            (Some('a'), Some('b'), None)
        );
        assert_eq!(['d', 'e', 'f'].map(|entry| handles.insert(entry)), [1, 2, 4]);
        assert_eq!((handles.get(0), handles.get(4)), (None, Some(&'f')));
    }
}
