//! What a DRM file stands on: vgate's client, or a stand-in for it in tests. Errors are already what an application sees.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use guest_shim::client::{Client, ClientError, Lost, Point};
use guest_shim::wire::{ArenaOffset, ContextName, Device, Fault, GpuAddress, SpaceName};
use rustix::io::Errno;

/// What an `ioctl` fails with.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// See [`Client`] for what each of these means.
pub(crate) trait Gpu: Send + Sync {
    fn device(&self) -> &Device;
    fn arena(&self) -> (BorrowedFd<'_>, u64);
    fn open_space(&self) -> Result<SpaceName>;
    fn close_space(&self, space: SpaceName);
    fn bind(
        &self,
        space: SpaceName,
        at: GpuAddress,
        arena: ArenaOffset,
        bytes: u64,
        read_only: bool,
    ) -> Result<()>;
    fn unbind(&self, space: SpaceName, at: GpuAddress, bytes: u64) -> Result<()>;
    fn open_context(&self, space: SpaceName, engine: u16, priority: i16) -> Result<ContextName>;
    fn close_context(&self, context: ContextName);
    fn submit(&self, context: ContextName, waits: &[Point], start: GpuAddress) -> Result<Point>;
    fn lost(&self, context: ContextName) -> Result<Lost>;
    /// How often it has refused something: if that is as before, no batch was lost since.
    fn refusals(&self) -> u64;
    fn reached(&self, point: Point) -> bool;
    fn wait(&self, points: &[Point], until: Option<Instant>) -> Result<bool>;
    fn new_buffer(&self, bytes: u64) -> Result<(ArenaOffset, OwnedFd)>;
    fn import(&self, file: BorrowedFd<'_>) -> Result<(ArenaOffset, u64)>;
    fn forget_buffer(&self, at: ArenaOffset);
}

/// What i915 says where the mediator says this.
fn errno(error: ClientError) -> Errno {
    match error {
        ClientError::Refused(Fault::Quota) => Errno::NOMEM,
        ClientError::Refused(Fault::Lost | Fault::Gone | Fault::Refused) => Errno::IO,
        ClientError::Refused(_) => Errno::INVAL,
        ClientError::Names(_) => Errno::NOSPC,
        // A wedged GPU.
        ClientError::Gone | ClientError::Broken(_) => Errno::IO,
    }
}

impl Gpu for Client {
    fn device(&self) -> &Device {
        self.device()
    }

    fn arena(&self) -> (BorrowedFd<'_>, u64) {
        (self.arena().file(), self.arena().bytes())
    }

    fn open_space(&self) -> Result<SpaceName> {
        self.open_space().map_err(errno)
    }

    fn close_space(&self, space: SpaceName) {
        self.close_space(space);
    }

    fn bind(
        &self,
        space: SpaceName,
        at: GpuAddress,
        arena: ArenaOffset,
        bytes: u64,
        read_only: bool,
    ) -> Result<()> {
        self.bind(space, at, arena, bytes, read_only).map_err(errno)
    }

    fn unbind(&self, space: SpaceName, at: GpuAddress, bytes: u64) -> Result<()> {
        self.unbind(space, at, bytes).map_err(errno)
    }

    fn open_context(&self, space: SpaceName, engine: u16, priority: i16) -> Result<ContextName> {
        self.open_context(space, engine, priority).map_err(errno)
    }

    fn close_context(&self, context: ContextName) {
        self.close_context(context);
    }

    fn submit(&self, context: ContextName, waits: &[Point], start: GpuAddress) -> Result<Point> {
        self.submit(context, waits, start).map_err(errno)
    }

    fn lost(&self, context: ContextName) -> Result<Lost> {
        self.lost(context).map_err(errno)
    }

    fn refusals(&self) -> u64 {
        self.refusals()
    }

    fn reached(&self, point: Point) -> bool {
        self.reached(point)
    }

    fn wait(&self, points: &[Point], until: Option<Instant>) -> Result<bool> {
        self.wait(points, until).map_err(errno)
    }

    fn new_buffer(&self, bytes: u64) -> Result<(ArenaOffset, OwnedFd)> {
        self.new_buffer(bytes).map_err(errno)
    }

    fn import(&self, file: BorrowedFd<'_>) -> Result<(ArenaOffset, u64)> {
        self.import(file).map_err(errno)
    }

    fn forget_buffer(&self, at: ArenaOffset) {
        self.forget_buffer(at);
    }
}
