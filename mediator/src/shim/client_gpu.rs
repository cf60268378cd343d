//! What a client of the paravirtual way has of the GPU: the vendor's part.

use std::ops::Range;

use guest_shim::wire::{Device, Fault, GpuAddress};

use crate::{Clock, ContextKey, EngineId, GuestAddress, GuestRam, Reason, SpaceRoot};

/// What a [`ClientGpu`] is built with.
#[derive(Clone, Debug)]
pub struct ClientSetup {
    /// All memory of the client, as silicon sees it.
    pub ram: GuestRam,
    /// The part of it that is the vendor's own, all zeros: for page tables and context images. No client can bind it.
    pub tables: Range<GuestAddress>,
    /// The mediator's clock.
    pub clock: Clock,
}

/// Spaces and contexts of one client, in the vendor's form. `W` is the vendor's unit of work.
///
/// Names are the mediator's: each call is for something that is open. Nothing may panic or take memory without bound,
/// whatever addresses a client names.
pub trait ClientGpu<W>: Send {
    /// What the client is told of the device.
    fn device(&self) -> Device;

    /// A new space, empty.
    ///
    /// # Errors
    /// [`Fault::Quota`] when the tables' memory is full.
    fn open_space(&mut self) -> Result<SpaceRoot, Fault>;

    /// A space goes. Nothing runs in it, and it has no contexts.
    fn close_space(&mut self, space: SpaceRoot);

    /// Shows memory of the client's at an address, over whatever was there. Address, memory and length are multiples of a
    /// page; the memory has been checked.
    ///
    /// # Errors
    /// [`Fault::Range`] for addresses that no space has, [`Fault::Quota`] when the tables' memory is full: then a part of it
    /// may be shown.
    fn bind(
        &mut self,
        space: SpaceRoot,
        at: GpuAddress,
        memory: GuestAddress,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), Fault>;

    /// Shows nothing there any more.
    ///
    /// # Errors
    /// [`Fault::Range`].
    fn unbind(&mut self, space: SpaceRoot, at: GpuAddress, bytes: u64) -> Result<(), Fault>;

    /// A new context, with the state that contexts begin with.
    ///
    /// # Errors
    /// [`Fault::Range`] for an engine that isn't there, [`Fault::Quota`].
    fn open_context(&mut self, space: SpaceRoot, engine: EngineId) -> Result<ContextKey, Fault>;

    /// A context goes. Nothing of it runs.
    fn close_context(&mut self, context: ContextKey);

    /// The work of a batch, when it may run.
    ///
    /// # Errors
    /// The audit's reason.
    fn work(&mut self, context: ContextKey, start: GpuAddress) -> Result<W, Reason>;

    /// Named counters for operators.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}
