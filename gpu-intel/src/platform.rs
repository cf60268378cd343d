//! The Gen9 parts that a vGPU can be. They share engines, commands and page tables; ids and the display's clocks and
//! pins differ.

use std::fmt;
use std::str::FromStr;

use guest_shim::wire::Topology;

/// A Gen9 part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Skylake GT2, HD Graphics 530.
    Skylake,
    /// Kaby Lake GT2, HD Graphics 630.
    #[default]
    KabyLake,
    /// Coffee Lake GT2, UHD Graphics 630.
    CoffeeLake,
    /// Broxton (Apollo Lake), HD Graphics 505: a low-power part without a separate south display.
    Broxton,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Skylake, Self::KabyLake, Self::CoffeeLake, Self::Broxton];

    /// Its name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skylake => "skylake",
            Self::KabyLake => "kaby-lake",
            Self::CoffeeLake => "coffee-lake",
            Self::Broxton => "broxton",
        }
    }

    /// What drivers call it.
    const fn short(self) -> &'static str {
        match self {
            Self::Skylake => "skl",
            Self::KabyLake => "kbl",
            Self::CoffeeLake => "cfl",
            Self::Broxton => "bxt",
        }
    }

    /// What vgate shows of it where nothing else is asked for.
    #[must_use]
    pub const fn part(self) -> Part {
        Part { device: self.device_id(), revision: self.revision(), topology: self.topology() }
    }

    /// PCI device id (the PCI ID Repository).
    const fn device_id(self) -> u16 {
        match self {
            Self::Skylake => 0x1912,
            Self::KabyLake => 0x5912,
            Self::CoffeeLake => 0x3E92,
            Self::Broxton => 0x5A84,
        }
    }

    /// PCI revision of a part that was sold: i915 warns of earlier ones.
    const fn revision(self) -> u8 {
        match self {
            Self::Skylake => 0x06,
            Self::KabyLake => 0x04,
            Self::CoffeeLake => 0x00,
            Self::Broxton => 0x0B,
        }
    }

    /// A GT2's: one slice of three subslices.
    const fn topology(self) -> Topology {
        match self {
            Self::Broxton => Topology::even(0b1, 0b111, 0x3F),
            _ => Topology::even(0b1, 0b111, 0xFF),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What drivers recognize a part by, and what it has. Parts of one platform differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// PCI device id.
    pub device: u16,
    /// PCI revision.
    pub revision: u8,
    /// Which execution units are not fused off.
    pub topology: Topology,
}

impl Default for Part {
    fn default() -> Self {
        Platform::default().part()
    }
}

/// No part has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no GPU {0:?}: it can be skylake, kaby-lake, coffee-lake or broxton")]
pub struct NoSuchPlatform(pub String);

impl FromStr for Platform {
    type Err = NoSuchPlatform;

    fn from_str(name: &str) -> Result<Self, NoSuchPlatform> {
        let found = Self::ALL.into_iter().find(|p| p.name() == name || p.short() == name);
        found.ok_or_else(|| NoSuchPlatform(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_parts() {
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse(), Ok(platform));
            assert_eq!(platform.short().parse(), Ok(platform));
        }
        assert_eq!("ice-lake".parse::<Platform>(), Err(NoSuchPlatform("ice-lake".to_owned())));
    }
}
