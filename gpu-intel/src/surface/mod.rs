//! Surfaces: what textures, render targets, depth buffers, buffers and vertices are made of.
//!
//! ```text
//!  RENDER_SURFACE_STATE ─► Surface ─┬─ Format: bytes of a texel ◄─► four dwords, red green blue alpha
//!                                   └─ Layout ─► Plane ─► address of a texel or block
//! ```
//!
//! ```text
//!  plane = surface.layout.plane(level, layer, sample)     once a span or a triangle
//!  at    = plane.row(y) + plane.column(x)                 wrapping; plane.run(x) elements follow each other from there
//! ```
//!
//! In a Y tile, four pixels of 32 bits in each of four rows are one line of 64 bytes, if both coordinates are multiples
//! of four where the level begins: depth tests and blending can take a block at once. Depth and stencil buffers, which
//! have no RENDER_SURFACE_STATE, are a [`Geometry`] of their own.
//!
//! All that touches texels uses these: the sampler, data ports, vertex fetch, the render targets and depth. None of
//! it knows of shaders. Nothing here allocates by a size that a guest chose, and every address is computed with
//! wrapping arithmetic: which addresses mean something is for page tables to say.

mod auxiliary;
mod cache;
mod compressed;
mod format;
mod layout;
mod sampler;
mod standard;
mod state;
#[cfg(test)]
pub(crate) mod test_memory;
mod texel;

pub use self::auxiliary::{MARKED, MarkPlane, Marks, Mask};
pub use self::cache::{LINE, TexelCache};
pub use self::format::{Block, Channel, FORMATS, Format, Kind, Packing};
pub use self::layout::{
    Geometry, Layout, Level, MAX_LEVELS, MAX_LOG2_SAMPLES, Plane, Samples, Shape, Tiling,
};
pub use self::sampler::{
    Colors, Detail, LANES, Lanes, Load, Operation, Request, Sample, Texture, lanes,
};
pub use self::standard::Standard;
pub use self::state::{
    Auxiliary, Compare, Filter, MipFilter, Reduction, SAMPLER_DWORDS, SURFACE_DWORDS, Sampler,
    Select, StateError, Surface, SurfaceKind, Wrap,
};
pub use self::texel::{LARGEST_ELEMENT, bits, floats};
