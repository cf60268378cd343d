//! What silicon asks of the host's driver.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use guest_shim::uapi::i915;
use rustix::io::Errno;

/// A buffer of the driver's (a GEM handle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer(pub u32);

/// An address space of the driver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostSpace(pub u32);

/// A context of the driver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostContext(pub u32);

/// An engine as the driver names it: its class (0 render, 1 copy, 2 video, 3 video enhancement) and its number in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EngineName {
    /// Its class.
    pub class: u16,
    /// Which of the class.
    pub instance: u16,
}

/// A part of a file that a buffer shows: whole pages.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// A memfd sealed against shrinking.
    pub file: BorrowedFd<'a>,
    /// Bytes from its start.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A buffer where a batch is to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Object(i915::ExecObject);

impl Object {
    /// The buffer at an address of 48 bits, for reading and writing, without waiting for what others do with it.
    #[must_use]
    pub fn new(buffer: Buffer, at: u64) -> Self {
        const UNUSED: u32 = 16;
        let canonical = (at.cast_signed() << UNUSED >> UNUSED).cast_unsigned();
        Self(i915::ExecObject {
            handle: buffer.0,
            offset: canonical,
            flags: i915::OBJECT_PINNED | i915::OBJECT_48_BIT | i915::OBJECT_ASYNC,
            ..i915::ExecObject::default()
        })
    }

    /// Which buffer it is.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        Buffer(self.0.handle)
    }

    /// Where it is to be found: an address of 48 bits.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.0.offset & 0xffff_ffff_ffff
    }
}

/// How a context is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextSetup {
    /// Its address space.
    pub space: HostSpace,
    /// Its one engine.
    pub engine: EngineName,
    /// Its priority, if the host has any: -1023 to 1023, 0 that of everybody.
    pub priority: Option<i16>,
    /// Whether its work dies with it, if the host can do that.
    pub dies_with_work: bool,
}

/// How a submitted batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceState {
    /// It is not over.
    Pending,
    /// It ran to its end.
    Done,
    /// The driver ended it, or never began.
    Failed(Errno),
}

/// What resets have cost a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetStatistics {
    /// Its batches that ran when an engine was reset.
    pub active: u32,
    /// Its batches that waited then.
    pub pending: u32,
}

/// What one udmabuf may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdmabufLimits {
    /// Pieces.
    pub pieces: usize,
    /// Bytes.
    pub bytes: u64,
}

/// Numbers of [`Device::parameter`].
pub mod parameter {
    /// The PCI device id.
    pub const CHIPSET_ID: i32 = 4;
    /// Batches may name the addresses of their buffers.
    pub const HAS_EXEC_SOFTPIN: i32 = 37;
    /// Which kind of page tables contexts have.
    pub const HAS_ALIASING_PPGTT: i32 = 18;
    /// The PCI revision.
    pub const REVISION: i32 = 32;
    /// What the scheduler can do: bit 0 there is one, 1 priorities, 2 preemption, 3 semaphores, 4 busy statistics.
    pub const HAS_SCHEDULER: i32 = 41;
    /// Batches have fences that are files.
    pub const HAS_EXEC_FENCE: i32 = 44;
    /// Buffers don't wait for each other.
    pub const HAS_EXEC_ASYNC: i32 = 43;
    /// Points of a timeline signal and are waited for.
    pub const HAS_EXEC_TIMELINE_FENCES: i32 = 55;
    /// Whether GPU resets are on: 1 the whole GPU, 2 single engines.
    pub const HAS_GPU_RESET: i32 = 35;
}

/// Numbers of [`Device::query`].
pub mod query {
    /// Slices, subslices and execution units.
    pub const TOPOLOGY: u64 = 1;
    /// Engines.
    pub const ENGINES: u64 = 2;
}

/// The calls. All but [`execute`](Self::execute) are about one object that the caller made.
pub trait Device: Send + Sync + 'static {
    /// The same device, opened once more. Names of one opening mean nothing to another, and the driver holds hangs against
    /// the opening that they were in: after three it makes no more contexts for that one.
    ///
    /// # Errors
    /// As everywhere here.
    fn another(&self) -> io::Result<Self>
    where
        Self: Sized;

    /// The driver's name, and the first two numbers of its version.
    ///
    /// # Errors
    /// What the driver says, as everywhere here.
    fn driver(&self) -> io::Result<(String, (i32, i32))>;

    /// Whether fences can be gathered in timelines (`DRM_CAP_SYNCOBJ_TIMELINE`).
    ///
    /// # Errors
    /// As there.
    fn has_timelines(&self) -> io::Result<bool>;

    /// A parameter ([`parameter`]).
    ///
    /// # Errors
    /// As there.
    fn parameter(&self, number: i32) -> io::Result<i32>;

    /// The answer to a query ([`query`]).
    ///
    /// # Errors
    /// As there.
    fn query(&self, number: u64) -> io::Result<Vec<u8>>;

    /// What a udmabuf may be made of.
    fn udmabuf_limits(&self) -> UdmabufLimits;

    /// A new address space.
    ///
    /// # Errors
    /// As there.
    fn open_space(&self) -> io::Result<HostSpace>;

    /// Closes a space.
    fn close_space(&self, space: HostSpace);

    /// A new context. It does not outlive a hang: the driver ends all that it has left.
    ///
    /// # Errors
    /// `ENODEV` if the setup asks for what the host can't do.
    fn open_context(&self, setup: &ContextSetup) -> io::Result<HostContext>;

    /// Bytes of a context's address space.
    ///
    /// # Errors
    /// As there.
    fn space_bytes(&self, context: HostContext) -> io::Result<u64>;

    /// Closes a context.
    fn close_context(&self, context: HostContext);

    /// What resets have cost a context.
    ///
    /// # Errors
    /// As there.
    fn reset_statistics(&self, context: HostContext) -> io::Result<ResetStatistics>;

    /// A buffer made of pieces of files, one after another, that caches see.
    ///
    /// # Errors
    /// `EINVAL` for pieces beyond the [limits](Self::udmabuf_limits), or of files that can shrink.
    fn import(&self, pieces: &[Piece<'_>]) -> io::Result<Buffer>;

    /// A buffer of the driver's own memory.
    ///
    /// # Errors
    /// As there.
    fn create(&self, bytes: u64) -> io::Result<Buffer>;

    /// Writes to the start of a buffer of the driver's own memory that no batch uses.
    ///
    /// # Errors
    /// As there.
    fn write(&self, buffer: Buffer, bytes: &[u8]) -> io::Result<()>;

    /// Closes a buffer. No batch may use it.
    fn close(&self, buffer: Buffer);

    /// Submits a batch: that of `bytes` bytes (0: up to the buffer's end) at `start` in the last object's buffer. The
    /// fence can be polled for reading when the batch is over.
    ///
    /// # Errors
    /// `ENOSPC` if objects overlap, `EIO` if the context or the GPU is lost.
    fn execute(
        &self,
        context: HostContext,
        objects: &mut [Object],
        start: u32,
        bytes: u32,
    ) -> io::Result<OwnedFd>;

    /// How the batch of a fence stands.
    ///
    /// # Errors
    /// As there.
    fn fence(&self, fence: &impl AsFd) -> io::Result<FenceState>
    where
        Self: Sized;

    /// Whether the driver has given the GPU up.
    fn is_lost(&self) -> bool;
}
