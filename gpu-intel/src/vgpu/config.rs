//! What a guest's GPU is to be.

use crate::platform::{Part, Platform};

/// Whether a guest learns that its GPU is a virtual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// PVINFO says so: drivers leave power management and scheduling to the host, and trap less.
    #[default]
    Virtual,
    /// Nothing says so: drivers do all that they do on metal.
    Bare,
}

/// How much of its GGTT a guest's CPU can see through BAR 2, from the table's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aperture(u64);

impl Aperture {
    /// The least.
    pub const LEAST: Self = Self(1 << 20);
    /// The most: what parts of this generation have at most.
    pub const MOST: Self = Self(1 << 30);

    /// An aperture of so many bytes, if there can be one: a power of two, 1 MiB to 1 GiB.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let fits = (Self::LEAST.0..=Self::MOST.0).contains(&bytes) && bytes.is_power_of_two();
        fits.then_some(Self(bytes))
    }

    /// Its size.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Default for Aperture {
    /// 1 MiB: too little for any frame buffer. What is larger than the aperture i915 maps straight from its own
    /// memory, so that no pixel of a console passes the register socket; what is left is for small mappings.
    fn default() -> Self {
        Self::LEAST
    }
}

/// A guest's GPU.
#[derive(Clone, Debug, Default)]
pub struct VgpuConfig {
    /// Which part it is.
    pub platform: Platform,
    /// Which part of the platform, if not the one that vgate shows of it.
    pub part: Option<Part>,
    /// The EDID of the monitor on its port.
    pub edid: Vec<u8>,
    /// Whether the guest learns that it is virtual.
    pub presence: Presence,
    /// What the guest's CPU sees of the GGTT.
    pub aperture: Aperture,
}

impl VgpuConfig {
    /// The part that the guest sees.
    pub(crate) fn shown(&self) -> Part {
        self.part.unwrap_or(self.platform.part())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apertures_are_powers_of_two() {
        assert_eq!(Aperture::new(256 << 20).map(Aperture::bytes), Some(256 << 20));
        for bytes in [0, 4096, 3 << 20, 2 << 30, u64::MAX] {
            assert_eq!(Aperture::new(bytes), None, "{bytes}");
        }
    }
}
