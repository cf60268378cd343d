//! Silicon: what executes a guest's batches. The unit of work is one batch buffer in one context.

pub mod drm;
pub mod model;
mod position;

use std::time::Duration;

use mediator::GuestAddress;

use crate::address::PpgttAddress;

pub(crate) use position::{BATCH_POSITION, Position};

/// One unprivileged batch buffer, to run in its context's own address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its first command, or the one to go on with.
    pub start: PpgttAddress,
    /// Where the end of a second-level batch leads, for one that goes on inside of it.
    pub return_to: Option<PpgttAddress>,
    /// The pages of the context's image in guest memory: 0 the status page, 1 the registers, then engine state. Empty
    /// for a context without a memory.
    pub image: Vec<GuestAddress>,
    /// Whether the state is loaded from the image first. Otherwise it starts from zero.
    pub restore: bool,
    /// Whether the state is stored to the image when the batch is done.
    pub save: bool,
    /// Whether it is the rest of a batch that was taken back from silicon: then the image has the context's state, and
    /// says where it stopped.
    pub rest: bool,
    /// How far the guest's clock is ahead of silicon's.
    pub ahead: Duration,
    /// A number that changes whenever one of its space's tables does, if whoever writes them knows: silicon that compares
    /// tables need not, while it is the same.
    pub tables: Option<u64>,
}

impl Batch {
    /// The batch at `start`, from its beginning, in a context without a memory.
    #[must_use]
    pub fn new(start: PpgttAddress) -> Self {
        Self {
            start,
            return_to: None,
            image: Vec::new(),
            restore: false,
            save: false,
            rest: false,
            ahead: Duration::ZERO,
            tables: None,
        }
    }
}
