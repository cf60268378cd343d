//! Formats of the entries (SKL PRM vol 5, "Page Table Entry Formats"; as i915 and GVT-g write and read them).

use bitflags::bitflags;
use mediator::GuestAddress;

/// Address bits of every entry: 45:12. Bits above are software's or reserved.
pub const ADDRESS_MASK: u64 = 0x3fff_ffff_f000;

bitflags! {
    /// Flags of PPGTT entries, on all levels unless said otherwise.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EntryFlags: u64 {
        /// The entry is valid. Root pointers have no such bit.
        const PRESENT = 1 << 0;
        /// Writes are allowed.
        const WRITABLE = 1 << 1;
        /// Cache selector, low bit (page write-through).
        const PWT = 1 << 3;
        /// Cache selector, middle bit (page cache disable).
        const PCD = 1 << 4;
        /// Page directory and above: the entry is a page of 2 MiB (1 GiB in a PDP) instead of a table.
        const PAGE_SIZE = 1 << 7;
        /// Page table: cache selector, high bit. The same bit as [`PAGE_SIZE`](Self::PAGE_SIZE).
        const PAT = 1 << 7;
        /// Page directory: the table's pages have 64 KiB.
        const INTERMEDIATE_PAGE_SIZE = 1 << 11;
        /// Cache selector, high bit, in entries with [`PAGE_SIZE`](Self::PAGE_SIZE).
        const LARGE_PAT = 1 << 12;
    }
}

/// An entry of a PPGTT table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PpgttEntry(pub u64);

impl PpgttEntry {
    /// Its flags.
    #[must_use]
    pub fn flags(self) -> EntryFlags {
        EntryFlags::from_bits_truncate(self.0)
    }

    /// The table or 4 KiB page that it points to.
    #[must_use]
    pub fn address(self) -> GuestAddress {
        GuestAddress(self.0 & ADDRESS_MASK)
    }

    /// The page of `size` bytes (a power of two) that it points to.
    #[must_use]
    pub fn page(self, size: u64) -> GuestAddress {
        GuestAddress(self.0 & ADDRESS_MASK & !size.wrapping_sub(1))
    }
}

/// An entry of the GGTT: 4 KiB pages only, always writable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GgttEntry(pub u64);

impl GgttEntry {
    /// Whether it maps anything.
    #[must_use]
    pub fn present(self) -> bool {
        self.0 & 1 != 0
    }

    /// The page that it points to.
    #[must_use]
    pub fn address(self) -> GuestAddress {
        GuestAddress(self.0 & ADDRESS_MASK)
    }
}
