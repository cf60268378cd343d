//! The execution unit: what a Gen9 shader is, and what it does.
//!
//! ```text
//!  bytes ─► decode ─► Program ─► run(thread) ──SEND──► shared functions (sampler, URB, data ports, render target)
//!              └────► disassembly
//! ```

mod message;

pub use self::message::{Grf, Message, SharedFunction, SharedFunctions};
