//! Small numbers, each in use or free.

use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

/// The free numbers of a range.
#[derive(Debug)]
pub(super) struct Names(Mutex<Free>);

#[derive(Debug)]
struct Free {
    given_back: Vec<u32>,
    next: u32,
    end: u32,
}

impl Names {
    /// From `first` on, `end` not among them.
    pub(super) fn new(first: u32, end: u32) -> Self {
        Self(Mutex::new(Free { given_back: Vec::new(), next: first, end }))
    }

    /// One that is free.
    pub(super) fn take(&self) -> Option<u32> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = free.given_back.pop() {
            return Some(name);
        }
        let name = free.next;
        free.next = name.checked_add(1).filter(|_| name < free.end)?;
        Some(name)
    }

    /// One that is not in use any more.
    pub(super) fn give_back(&self, name: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).given_back.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_come_back() {
        let names = Names::new(1, 3);
        assert_eq!((names.take(), names.take(), names.take()), (Some(1), Some(2), None));
        names.give_back(1);
        assert_eq!((names.take(), names.take()), (Some(1), None));
    }
}
