//! The host's i915, as calls that are safe to make. What they mean to guests is silicon's business, in `gpu-intel`.
//!
//! ```text
//!  silicon ──► Device (a trait) ──► Node: a render node of /dev/dri, and /dev/udmabuf
//!                   └──────────────► a strict double, in silicon's tests
//! ```
//!
//! Buffers come in two kinds: pieces of files (guest memory), gathered by `udmabuf` and imported, and memory of the
//! driver's own. Both are bound where the caller says, in spaces that the caller makes. Nothing here waits for the GPU.

mod device;
mod node;
mod uapi;

pub use device::{
    Buffer, ContextSetup, Device, EngineName, FenceState, HostContext, HostSpace, Object, Piece,
    ResetStatistics, UdmabufLimits, parameter, query,
};
pub use node::Node;
