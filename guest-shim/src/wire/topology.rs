//! How a GPU's execution units are laid out.

/// Slices that there may be.
pub const MOST_SLICES: usize = 3;
/// Subslices of one slice that there may be.
pub const MOST_SUBSLICES: usize = 4;
/// Execution units of one subslice that there may be.
pub const MOST_UNITS: usize = 8;

/// Which slices, subslices and execution units are there: a bit each, the rest is fused off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Topology {
    slices: u8,
    subslices: u8,
    units: [[u8; MOST_SUBSLICES]; MOST_SLICES],
}

impl Topology {
    /// These slices; each with these subslices; and the units of each, by slice and subslice. What there may not be is left
    /// out.
    #[must_use]
    pub const fn new(
        slices: u8,
        subslices: u8,
        units: [[u8; MOST_SUBSLICES]; MOST_SLICES],
    ) -> Self {
        let (slices, subslices) = (slices & 0b111, subslices & 0b1111);
        let mut own = Self { slices, subslices, units: [[0; MOST_SUBSLICES]; MOST_SLICES] };
        let mut place = 0;
        while place < MOST_SLICES * MOST_SUBSLICES {
            let (slice, subslice) = (place / MOST_SUBSLICES, place % MOST_SUBSLICES);
            if slices >> slice & subslices >> subslice & 1 != 0 {
                own.units[slice][subslice] = units[slice][subslice];
            }
            place += 1;
        }
        own
    }

    /// The same units in every subslice.
    #[must_use]
    pub const fn even(slices: u8, subslices: u8, units: u8) -> Self {
        Self::new(slices, subslices, [[units; MOST_SUBSLICES]; MOST_SLICES])
    }

    /// Slices.
    #[must_use]
    pub fn slices(&self) -> u8 {
        self.slices
    }

    /// Subslices of each slice.
    #[must_use]
    pub fn subslices(&self) -> u8 {
        self.subslices
    }

    /// Execution units, by slice and subslice.
    #[must_use]
    pub fn units(&self) -> &[[u8; MOST_SUBSLICES]; MOST_SLICES] {
        &self.units
    }

    /// How many subslices all slices have.
    #[must_use]
    pub fn subslice_count(&self) -> u32 {
        self.slices.count_ones() * self.subslices.count_ones()
    }

    /// How many execution units all subslices have.
    #[must_use]
    pub fn unit_count(&self) -> u32 {
        self.units.as_flattened().iter().map(|units| units.count_ones()).sum()
    }

    /// As it is sent: slices, subslices and units of the first slice; units of the others.
    pub(super) fn encode(&self) -> [u64; 2] {
        let [first, second, third] = self.units.map(|units| u64::from(u32::from_le_bytes(units)));
        let masks = u64::from(self.slices) | u64::from(self.subslices) << 8;
        [masks | first << 16, second | third << 32]
    }

    /// What was sent.
    pub(super) fn decode([masks, others]: [u64; 2]) -> Self {
        let units = [(masks >> 16) as u32, others as u32, (others >> 32) as u32];
        Self::new(masks as u8, (masks >> 8) as u8, units.map(u32::to_le_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fused_off_has_no_units() {
        let topology = Topology::even(0b101, 0b0111, 0x3f);
        assert_eq!((topology.subslice_count(), topology.unit_count()), (6, 36));
        let some = [0x3f, 0x3f, 0x3f, 0];
        assert_eq!(topology.units(), &[some, [0; 4], some]);
        assert_eq!(Topology::even(0xff, 0xff, 0xff).unit_count(), 96);
        assert_eq!(Topology::decode(topology.encode()), topology);
    }
}
