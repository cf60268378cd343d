//! The scheduler: which job runs next on which engine, and for how long.
//!
//! ```text
//!  VM threads ──orders──► executor (one thread per engine) ──submit──► silicon
//!      ▲                     │  FairQueue: who is next                    │
//!      └──── mailbox ◄───────┴───────────────── fences ◄──────────────────┘
//! ```
//!
//! An executor owns its run queue and shares nothing but channels, counters, and each VM's table of what it has open
//! on silicon ([`Residency`]).

mod counters;
mod executor;
mod fair;
mod residency;

pub use counters::{EngineCounters, EngineUsage};
pub(crate) use executor::{Executor, Member, Order};
pub use fair::{FairQueue, Weight};
pub(crate) use residency::{Pinned, Residency};
