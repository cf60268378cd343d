//! Surfaces: what textures, render targets, depth buffers and vertex buffers are made of.
mod format;
mod texel;
pub use self::format::{Block, Channel, FORMATS, Format, Kind, Packing};
pub use self::texel::{LARGEST_ELEMENT, bits, floats};
