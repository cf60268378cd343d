//! Page tables of Gen9: the formats of their entries, and the walk.
//!
//! ```text
//!  PML4 ──► PDP ──► PD ──► PT ──► 4 KiB page             4 levels, 48 bits
//!           PDP0..3 ─► PD ──► PT ──► 4 KiB page          3 levels, 32 bits: four root entries, 1 GiB each
//!                      PD entry with PS:  2 MiB page
//!                      PD entry with IPS: its PT holds 64 KiB pages, in every 16th entry
//! ```
//!
//! The tables lie in guest memory and belong to the guest, who may change them at any time or fill them with
//! anything. A walk reads each entry once and takes as many steps as there are levels, whatever they hold.

mod entry;
mod tables;
mod tlb;
mod walk;

pub use entry::{ADDRESS_MASK, EntryFlags, GgttEntry, PpgttEntry};
pub use tables::{Pages, TableError, Tables};
pub use tlb::{Frame, Tlb};
pub use walk::{Page, PageTableWalker, PhysicalMemory, WalkError};

/// Bytes of the smallest page.
pub const PAGE_SIZE: u64 = 4096;
