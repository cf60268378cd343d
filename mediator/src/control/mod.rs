//! The control socket: how operators look at a running mediator, and into its VMs.
//!
//! It belongs to the daemon's user alone (mode 0600). A thread accepts, and once a second takes note of the engine
//! time that each VM used; each of a few clients has a thread of its own with time-outs, so one that stalls costs only
//! itself. Nothing here is in the way of a VM: counters are read as they are, and a VM's thread is asked by mail.

mod client;
pub mod protocol;
mod server;
mod shares;

pub use client::{Client, ClientError, Screenshot};
pub(crate) use server::ControlServer;
