//! The 3D pipeline: what unmodified user-mode drivers compile for a Gen9, drawn by the CPU.
//!
//! ```text
//!  state commands ─► State (kept as they are, also in the context's image)
//!                      │
//!  3DPRIMITIVE ────────┴─► Geometry: fetch, vertex shader, assembly, tessellation, geometry shader,
//!                                    stream output, clip, setup ─► shapes
//!                                                                    │ sorted into tiles of 32x32 pixels
//!        ┌─ worker threads, a tile at a time, in each the shapes in order ◄───────────┘
//!        └─► rasterize ─► early tests ─► pixel shader ─► late tests, blending ─► the tile is written back
//! ```
//!
//! The picture is the same whatever the number of threads: each pixel belongs to one tile, and a tile to one thread.
//! A kill is looked for between tiles, and every few thousand instructions of a shader.
//!
//! Compute takes the same threads another way: GPGPU_WALKER starts groups of them, spread over workers too.
//!
//! Of auxiliary surfaces, those of colour say which pixels are clear ([`crate::surface::Marks`]); nothing is compressed.
//! Those of depth are not used: nothing but the GPU reads them, so depth buffers are always kept resolved. A fast clear of
//! depth fills the buffer, a resolve does nothing.

mod assembly;
mod blend;
mod clear;
mod clip;
mod compute;
mod depth;
mod draw;
mod geometry;
mod geometry_shader;
mod interpolator;
mod kernel;
mod merger;
pub mod message;
mod pixel_shader;
mod raster;
mod setup;
mod spread;
mod state;
mod stream_out;
mod target;
mod tessellation;
mod tessellator;
#[cfg(test)]
mod test_memory;
mod tile;
mod turns;
mod urb;
mod vertex_fetch;
mod vertex_shader;
mod vertices;
mod worker;

pub(super) use self::draw::{Rendered, Renderer};
pub(super) use self::state::State;
pub(super) use self::target::Target;
use crate::command::streamer::Fault;

/// Why a draw did not come to its end.
#[derive(Debug)]
pub(super) enum Halt {
    Fault(Fault),
    /// Its job was killed.
    Killed,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
