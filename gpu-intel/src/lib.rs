//! All that is Intel Gen9: addresses and page tables, commands, and the software model that executes them.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod address;
pub mod audit;
mod client;
pub mod command;
pub mod driver;
pub mod engine;
pub mod eu;
pub mod gtt;
pub mod memory;
mod platform;
mod scan;
pub mod silicon;
pub mod surface;
pub mod trace;
mod vgpu;

pub use client::Client;
pub use platform::{NoSuchPlatform, Part, Platform};
pub use vgpu::{Aperture, Presence, Vgpu, VgpuConfig};
