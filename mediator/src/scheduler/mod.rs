//! The scheduler: which job runs next on which engine, and for how long.
//!
//! ```text
//!  VM threads ──orders──► executor (one for each engine) ──submit──► silicon
//!      ▲                     │  FairQueue: who is next                    │
//!      └──── mailbox ◄───────┴───────────────── fences ◄──────────────────┘
//! ```
//!
//! An executor owns its run queue and shares nothing but counters, and each VM's table of what it has open on silicon
//! ([`Residency`]). Orders reach it through [`Dispatch`].

mod counters;
mod dispatch;
mod executor;
mod fair;
mod recall;
mod residency;

pub use counters::{EngineCounters, EngineUsage};
pub(crate) use dispatch::Dispatch;
pub(crate) use executor::{Executor, Member, Order};
pub use fair::{FairQueue, Weight};
pub(crate) use recall::Recalled;
pub(crate) use residency::{Pinned, Residency};
