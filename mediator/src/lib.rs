//! The vendor-neutral core of vgate: it stands between the *virtual GPUs* that guests see and the *silicon* that
//! executes, and knows neither vendor.
//!
//! ```text
//!  transport ──► virtual GPU ──► job ──► scheduler ──► silicon
//!   (vfio-user)   (a VirtualGpu)          (executors)   (a Silicon)
//!      ▲                ▲                                  │
//!      └── interrupt ───┴───────────── fence ◄─────────────┘
//! ```
//!
//! Data flows one way. A virtual GPU does no I/O: it is called and returns [`Effects`]. Silicon never waits: it is
//! handed work and answers through a [`Ticket`]. Everything that a guest can influence is bounded here, and what a
//! guest does wrong becomes a verdict with a [`Reason`], never an error of the host.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod job;
mod mediator;
mod saved;
mod scan_out;
mod scheduler;
mod silicon;
mod socket;
mod time;
mod verdict;
mod virtual_gpu;
mod vm;

pub mod control;
pub mod memory;
pub mod shim;
pub mod transport;

pub use job::{ContextKey, EngineId, Job, JobEnd, JobId, Priority, SpaceRoot, VmId};
pub use mediator::{Mediator, ShutdownError, StartError, VmConfig};
pub use memory::{GuestAddress, GuestRam};
pub use saved::{MAX_STATE, RestoreError, SaveError, Saved};
pub use scan_out::{Chroma, NoPicture, Plane, ScanOut};
pub use scheduler::{EngineCounters, EngineUsage, FairQueue, Weight};
pub use shim::{ClientGpu, ClientSetup, ShimConfig};
pub use silicon::{
    ContextId, EngineClass, EngineInfo, Fence, Limits, NullSilicon, Outcome, Silicon, SiliconError,
    SpaceId, Ticket,
};
pub use time::{Clock, Time};
pub use verdict::Reason;
pub use virtual_gpu::{
    Effects, Mappable, Place, Plug, Region, RegionInfo, Reset, UnknownAccess, Vector, VirtualGpu,
};
pub use vm::{
    Details, DeviceFactory, DeviceSetup, NoAnswer, Quotas, VmCounters, VmHandle, VmState,
};
