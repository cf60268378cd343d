//! Addresses as a Gen9 GPU sees them. Three spaces whose numbers look alike, so each is a type of its own.
//!
//! ```text
//!  GGTT    4 GiB    one for the GPU: rings, context images, status pages, scan-out
//!  PPGTT   256 TiB  one for each context (4 GiB with three levels of tables): batches and what they work on
//!  MMIO    2 MiB    registers, reached by the CPU and by MI commands
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bits of a PPGTT address; those above repeat bit 47 in a canonical address and are not looked at.
const PPGTT_BITS: u32 = 48;

macro_rules! address {
    ($name:ident) => {
        impl $name {
            /// The address `bytes` further on, or `None` past the end of 64 bits.
            #[must_use]
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }
    };
}

/// An address in the global space.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct GgttAddress(pub u64);

/// An address in a context's own space.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PpgttAddress(pub u64);

address!(GgttAddress);
address!(PpgttAddress);

impl GgttAddress {
    /// The address that two dwords of a command hold. The space has 32 bits; the rest is dropped.
    #[must_use]
    pub fn from_dwords(low: u32, _high: u32) -> Self {
        Self(u64::from(low))
    }
}

impl PpgttAddress {
    /// The address that two dwords of a command hold. Bits 63:48 are dropped.
    #[must_use]
    pub fn from_dwords(low: u32, high: u32) -> Self {
        Self(u64::from(low) | u64::from(high) << 32).truncated()
    }

    /// Bits 47:0: the form in which tables are walked.
    #[must_use]
    pub fn truncated(self) -> Self {
        Self(self.0 & ((1 << PPGTT_BITS) - 1))
    }

    /// The form that drivers hand around: bits 63:48 repeat bit 47.
    #[must_use]
    pub fn canonical(self) -> Self {
        let unused = 64 - PPGTT_BITS;
        Self((self.0.cast_signed() << unused >> unused).cast_unsigned())
    }
}

/// A register: bytes from the start of the 2 MiB of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterOffset(pub u32);

impl RegisterOffset {
    /// The register that a dword of a command names: bits 22:2.
    #[must_use]
    pub fn from_dword(dword: u32) -> Self {
        Self(dword & 0x7f_fffc)
    }

    /// The register `bytes` further on.
    #[must_use]
    pub fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl fmt::LowerHex for RegisterOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_repeat_bit_47() {
        let high = PpgttAddress::from_dwords(0x1000, 0xffff_8000);
        assert_eq!(high.0, 0x8000_0000_1000);
        assert_eq!(high.canonical().0, 0xffff_8000_0000_1000);
        assert_eq!(high.canonical().truncated(), high);
        assert_eq!(PpgttAddress(0x7fff_0000_0000).canonical().0, 0x7fff_0000_0000);
    }

    #[test]
    fn a_register_is_named_by_bits_22_to_2() {
        assert_eq!(RegisterOffset::from_dword(0xff80_2603), RegisterOffset(0x2600));
    }
}
