//! The paravirtual way: what a guest, or a process, shares with the mediator instead of a trapped device.
//!
//! ```text
//!  client ──requests──► submissions ─┐                     ┌─► audit, scheduler, silicon
//!         ◄─completions─ ring ◄──────┴──── mediator ◄──────┘
//!         ◄─values────── fences                │
//!  buffers in the arena, bound to addresses ───┘
//! ```
//!
//! [`wire`] is what both sides agree on; it needs no operating system. `client` (a feature) is a library that speaks it,
//! for processes under Linux; `packets` and `bells` (another) are what both sides do with their socket and doorbells. `uapi`
//! (a third) is what an i915 looks like to programs.

#![no_std]
#![deny(unsafe_code)]

#[cfg(any(test, feature = "socket"))]
#[cfg_attr(test, macro_use)]
extern crate std;

#[cfg(feature = "socket")]
pub mod bells;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod node;
#[cfg(feature = "socket")]
pub mod packets;
#[cfg(feature = "uapi")]
pub mod uapi;
pub mod wire;
