//! The engines of a Kaby Lake GT2: one render, one copy, one video and one video-enhancement engine.

use mediator::{EngineClass, EngineId, EngineInfo};

use crate::address::RegisterOffset;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// rcs0: 3D and compute.
    Render,
    /// bcs0: the blitter.
    Copy,
    /// vcs0: video decode and encode.
    Video,
    /// vecs0: video enhancement.
    VideoEnhance,
}

impl Engine {
    /// All engines, in the order of their [`EngineId`].
    pub const ALL: [Self; 4] = [Self::Render, Self::Copy, Self::Video, Self::VideoEnhance];

    /// The engine with this id, if the GPU has it.
    #[must_use]
    pub fn from_id(id: EngineId) -> Option<Self> {
        Self::ALL.get(usize::from(id.0)).copied()
    }

    /// Its id: the index in [`ALL`](Self::ALL).
    #[must_use]
    pub fn id(self) -> EngineId {
        EngineId(self as u8)
    }

    /// Where its registers start (SKL PRM vol 2c).
    #[must_use]
    pub fn base(self) -> u32 {
        match self {
            Self::Render => 0x0_2000,
            Self::Copy => 0x2_2000,
            Self::Video => 0x1_2000,
            Self::VideoEnhance => 0x1_a000,
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

    /// Its register `offset` bytes from [`base`](Self::base).
    #[must_use]
    pub fn register(self, offset: u32) -> RegisterOffset {
        RegisterOffset(self.base()).plus(offset)
    }

    /// How the core knows it.
    #[must_use]
    pub fn info(self) -> EngineInfo {
        let (class, name) = match self {
            Self::Render => (EngineClass::Render, "rcs0"),
            Self::Copy => (EngineClass::Copy, "bcs0"),
            Self::Video => (EngineClass::Video, "vcs0"),
            Self::VideoEnhance => (EngineClass::VideoEnhance, "vecs0"),
        };
        EngineInfo { class, name }
    }
}
