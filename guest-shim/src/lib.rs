//! The paravirtual way: what a guest, or a process, shares with the mediator instead of a trapped device.
//!
//! ```text
//!  client ──requests──► submissions ─┐                     ┌─► audit, scheduler, silicon
//!         ◄─completions─ ring ◄──────┴──── mediator ◄──────┘
//!         ◄─values────── fences                │
//!  buffers in the arena, bound to addresses ───┘
//! ```
//!
//! [`wire`] is what both sides agree on, and all that there is today. It needs no operating system.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
extern crate std;

pub mod wire;
