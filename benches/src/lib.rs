//! What is measured, apart from who measures it: the benches here do so at length, and `make spec` does so in brief,
//! for the promises in `SPECIFICATION.md`.
//!
//! [`access`] has one workload for each way in which the virtual GPU answers an access of its guest, [`submission`]
//! follows a batch through a running mediator, [`stand_in`] is a VM without a VMM, [`model`] a batch on the model alone,
//! [`shim`] a client in a process of its own.

pub mod access;
pub mod corpus;
pub mod model;
pub mod shaders;
pub mod shim;
pub mod stand_in;
pub mod submission;
