//! Clients of the paravirtual way: processes and containers that share memory with the daemon instead of trapping.
//!
//! ```text
//!  process ─ guest-shim ══ queues, arena ══ ClientThread ──► Session ──► ClientGpu (the vendor's tables and work)
//!     │                                        │   ▲            │
//!     └── socket: greeting, shared buffers ────┘   └── mail ─┐  └──► jobs ──► executors, as those of trapped guests
//!                                                            └──────── ends ◄─────┘
//! ```
//!
//! What a client has of the host's memory, it has from here: the arena and the buffers are files that the daemon made. Where
//! they lie in the client's own "physical" memory, the silicon's view, is in `layout.rs`. Page tables lie there too, in a part
//! that no client can name: an address that a client binds is checked against what it has, so tables are right by
//! construction.

mod client_gpu;
mod layout;
mod server;
mod session;
mod thread;

pub use client_gpu::{ClientGpu, ClientSetup};
pub use layout::{Layout, TABLES};
pub use server::ShimConfig;
pub use session::{Bounds, Effects, Session};

pub(crate) use server::{Handles, ShimServer};
