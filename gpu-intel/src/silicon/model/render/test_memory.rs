//! An address space for tests: 1 MiB, from address 0 on.

use std::sync::Arc;

use mediator::{GuestAddress, GuestRam};

use crate::address::PpgttAddress;
use crate::gtt::{PAGE_SIZE, Pages, Tables};
use crate::silicon::model::memory::Memory;

const BYTES: u64 = 1 << 20;

pub(super) fn memory() -> Memory {
    let ram = GuestRam::anonymous(2 * BYTES).unwrap();
    let mut pages = Pages::new(ram.clone(), GuestAddress(BYTES)..GuestAddress(2 * BYTES));
    let mut tables = Tables::new(&mut pages).unwrap();
    // Page 0 of memory is no page of the space.
    let (at, from) = (PpgttAddress(PAGE_SIZE), GuestAddress(PAGE_SIZE));
    tables.map(&mut pages, at, from, BYTES - PAGE_SIZE, true).unwrap();
    Memory::new(ram, tables.root(), Arc::default())
}
