//! What executes Gen9 batches.

use mediator::GuestAddress;

use crate::address::PpgttAddress;

/// One batch buffer.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where it begins.
    pub start: PpgttAddress,
    /// Pages of the context image.
    pub image: Vec<GuestAddress>,
    /// Load the state from the image first.
    pub restore: bool,
    /// Save the state to the image at the end.
    pub save: bool,
}
