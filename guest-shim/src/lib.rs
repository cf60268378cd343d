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
//! for processes under Linux; `packets` (another) is what both sides do with their socket.

#![no_std]
#![deny(unsafe_code)]

#[cfg(any(test, feature = "socket"))]
#[cfg_attr(test, macro_use)]
extern crate std;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod node;
#[cfg(feature = "socket")]
pub mod packets;
pub mod wire;
