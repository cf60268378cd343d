//! The engines of a Kaby Lake GT2, and where their registers and interrupts are.

use mediator::{EngineClass, EngineId, EngineInfo};

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Render: 3D and compute.
    Render,
    /// Copy: the blitter.
    Copy,
    /// Video decode and encode, first instance (GT2 has no second).
    Video,
    /// Video enhancement.
    VideoEnhance,
}

/// All engines, in the order of their [`EngineId`].
pub const ENGINES: [Engine; 4] = [Engine::Render, Engine::Copy, Engine::Video, Engine::VideoEnhance];

impl Engine {
    /// The engine with this number, if there is one.
    #[must_use]
    pub fn from_id(id: EngineId) -> Option<Self> {
        ENGINES.get(usize::from(id.0)).copied()
    }

    /// Its number.
    #[must_use]
    pub fn id(self) -> EngineId {
        EngineId(self as u8)
    }

    /// Where its registers begin, in bytes from the start of the register window (SKL PRM vol 2c).
    #[must_use]
    pub const fn base(self) -> u32 {
        match self {
            Self::Render => 0x2000,
            Self::Copy => 0x2_2000,
            Self::Video => 0x1_2000,
            Self::VideoEnhance => 0x1_A000,
        }
    }

    /// Its bit in the graphics reset register 0x941C (SKL PRM vol 2c, GDRST).
    #[must_use]
    pub const fn reset_bit(self) -> u32 {
        match self {
            Self::Render => 1 << 1,
            Self::Video => 1 << 2,
            Self::Copy => 1 << 3,
            Self::VideoEnhance => 1 << 4,
        }
    }

    /// What the core needs to know of it.
    #[must_use]
    pub const fn info(self) -> EngineInfo {
        match self {
            Self::Render => EngineInfo { class: EngineClass::Render, name: "rcs0" },
            Self::Copy => EngineInfo { class: EngineClass::Copy, name: "bcs0" },
            Self::Video => EngineInfo { class: EngineClass::Video, name: "vcs0" },
            Self::VideoEnhance => EngineInfo { class: EngineClass::VideoEnhance, name: "vecs0" },
        }
    }
}
