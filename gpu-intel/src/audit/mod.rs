//! The audit: what stands between a guest's batches and the GPU.
//!
//! ```text
//!  batch ──► each command ──► known? of this engine? as long as it may be? ──► its checks ──► next
//!    ▲                                                                            │
//!    └───────────────── batches that it starts, each once ◄───────────────────────┘
//! ```
//!
//! The commands' tables say what is checked ([`Check`](crate::command::Check)); [`check()`] judges one command,
//! [`Audit`] a batch with all that it starts. The model judges every command by the same [`check()`] when it fetches it,
//! because memory may have changed since.
//!
//! A verdict is not an error. What a user's batch holds fails its own request: any process of the guest may have written
//! it, and must not cost the guest its GPU. What only the guest's kernel can have submitted and no driver does puts the
//! VM in quarantine.

mod check;
mod scan;

pub use self::check::{Privilege, check};
pub use self::scan::{Audit, Budget, CommandMemory, Outcome};
