//! Silicon: what executes a guest's batches. The unit of work is one batch buffer in one context.

pub mod model;

use mediator::GuestAddress;

use crate::address::PpgttAddress;

/// One unprivileged batch buffer, to run in its context's own address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its first command.
    pub start: PpgttAddress,
    /// The pages of the context's image in guest memory: 0 the status page, 1 the registers, then engine state. Empty
    /// for a context without a memory.
    pub image: Vec<GuestAddress>,
    /// Whether the state is loaded from the image first. Otherwise it starts from zero.
    pub restore: bool,
    /// Whether the state is stored to the image when the batch is done.
    pub save: bool,
}
