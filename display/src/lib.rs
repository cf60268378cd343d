//! What a guest shows, as data: how frame buffers lie in memory, what modes and EDIDs describe a
//! monitor, and pictures made of all that. Knows nothing of VMs or of guest memory: bytes come in,
//! pictures go out.
//!
//! ```text
//!  monitor:   Mode ─► Edid ─► the guest's driver reads it and programs planes
//!  scan-out:  Surface + bytes ─► tiling ─► format ─► Picture ─► compose ─► PNG, a test's eyes
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod edid;
pub mod format;
pub mod glyphs;
pub mod mode;
pub mod picture;
pub mod surface;
pub mod tiling;

pub use edid::{Edid, EdidError, Monitor};
pub use format::{Palette, PixelFormat, Yuv422, YuvColours, YuvMatrix, YuvOrder};
pub use glyphs::{Font, FontError, TextGrid};
pub use mode::{Mode, ModeError, Timing};
pub use picture::{Blend, Picture, PictureError, Plane, Rotation, compose};
pub use surface::{
    DecodeError, MAX_SIDE, Part, Surface, decode, decode_nv12, decode_with_palette, size_in_bytes,
};
pub use tiling::{Layout, Tiling};
