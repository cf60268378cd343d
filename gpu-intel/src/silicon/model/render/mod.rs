//! The render engine.

pub mod message;
