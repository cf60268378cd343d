//! A library that is preloaded (`LD_PRELOAD`): unmodified programs, Mesa's drivers above all, find an i915 where there is
//! none, and vgate executes what they submit.
//!
//! ```text
//!  Mesa ── libdrm ── open, ioctl, mmap, stat, ...
//!                        │ interpose: the C library's symbols      paths: where the node and its sysfs really are
//!                        ▼
//!                     DrmFile ── buffers ─ spaces ─ contexts ─ execute ─ syncobj ─ prime
//!                        ▼
//!                     Gpu: vgate's client ──► mediator
//! ```
//!
//! **The descriptor that an application gets is a duplicate of the arena's**, the memory that all buffers are in. So it can
//! be duplicated, compared, mapped and closed by the kernel itself; an `ioctl` is ours if its descriptor's inode is that of an
//! arena. Each `open` of the node has an arena and a connection of its own.
//!
//! State lives in the process, and is gone with it. The mediator trusts none of it: what happens here can break this
//! process's picture, nothing else.
//!
//! What an i915 has and this has not: displays, performance counters, protected content, detiling mappings of tiled buffers
//! (`MMAP_GTT` shows a buffer as it lies), synchronization through buffers between processes. A DRM file can't be handed
//! to another process as a descriptor; a child of `fork` gets a connection of its own at its first call, without the parent's
//! buffers.

#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(dead_code, reason = "tests export no symbols, and some is there for these only")
)]

mod arena;
mod buffers;
mod context_calls;
mod contexts;
mod descriptors;
mod execute;
#[cfg(test)]
mod fake;
mod fence;
mod file;
mod gem;
mod gpu;
mod handles;
mod inside;
#[cfg(not(test))]
mod interpose;
mod mappings;
mod memory_map;
mod names;
mod params;
mod paths;
mod prime;
mod query;
mod relocate;
mod spaces;
mod state;
mod syncobj;
mod syncobj_calls;
mod user;
mod world;

use guest_shim::uapi;
