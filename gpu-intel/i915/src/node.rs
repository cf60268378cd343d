//! A render node.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use drm::Device as _;
use drm::control::{Device as _, from_u32};
use guest_shim::uapi::i915;
use rustix::io::Errno;
use zerocopy::FromZeros;

use crate::device::{
    Buffer, ContextSetup, Device, FenceState, HostContext, HostSpace, Object, Piece,
    ResetStatistics, UdmabufLimits,
};
use crate::uapi;

const UDMABUF: &str = "/dev/udmabuf";
const UDMABUF_PARAMETERS: &str = "/sys/module/udmabuf/parameters";
/// What udmabuf's limits are where nobody says otherwise.
const DEFAULT_LIMITS: UdmabufLimits = UdmabufLimits { pieces: 1024, bytes: 64 << 20 };
/// Snooped by the GPU, or in the cache that it shares with the processors.
const CACHED: u32 = 1;

/// An opened render node, and the device that gathers pages.
#[derive(Debug)]
pub struct Node {
    path: PathBuf,
    file: File,
    udmabuf: File,
    limits: UdmabufLimits,
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl drm::Device for Node {}
impl drm::control::Device for Node {}

impl Node {
    /// Opens the node at `path` (`/dev/dri/renderD128`), and `/dev/udmabuf`.
    ///
    /// # Errors
    /// With the path that can't be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |path: &Path| {
            let opened = OpenOptions::new().read(true).write(true).open(path);
            opened.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
        };
        let (file, udmabuf) = (open(path)?, open(Path::new(UDMABUF))?);
        Ok(Self { path: path.to_owned(), file, udmabuf, limits: limits() })
    }
}

/// The limits as they are now; root can change them.
fn limits() -> UdmabufLimits {
    let read = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(format!("{UDMABUF_PARAMETERS}/{name}")).ok()?;
        text.trim().parse().ok()
    };
    let pieces = read("list_limit").and_then(|n| usize::try_from(n).ok());
    UdmabufLimits {
        pieces: pieces.unwrap_or(DEFAULT_LIMITS.pieces),
        bytes: read("size_limit_mb")
            .map_or(DEFAULT_LIMITS.bytes, |mib| mib.saturating_mul(1 << 20)),
    }
}

impl Device for Node {
    fn another(&self) -> io::Result<Self> {
        Self::open(&self.path)
    }

    fn driver(&self) -> io::Result<(String, (i32, i32))> {
        let driver = self.get_driver()?;
        let (major, minor, _) = driver.version;
        Ok((driver.name().to_string_lossy().into_owned(), (major, minor)))
    }

    fn has_timelines(&self) -> io::Result<bool> {
        Ok(self.get_driver_capability(drm::DriverCapability::TimelineSyncObj)? != 0)
    }

    fn parameter(&self, number: i32) -> io::Result<i32> {
        Ok(uapi::get_param(self.as_fd(), number)?)
    }

    fn query(&self, number: u64) -> io::Result<Vec<u8>> {
        Ok(uapi::query(self.as_fd(), number)?)
    }

    fn udmabuf_limits(&self) -> UdmabufLimits {
        self.limits
    }

    fn open_space(&self) -> io::Result<HostSpace> {
        Ok(HostSpace(uapi::open_vm(self.as_fd())?))
    }

    fn close_space(&self, space: HostSpace) {
        // It fails only for what is closed already.
        let _ = uapi::close_vm(self.as_fd(), space.0);
    }

    fn open_context(&self, setup: &ContextSetup) -> io::Result<HostContext> {
        Ok(HostContext(uapi::open_context(self.as_fd(), setup)?))
    }

    fn space_bytes(&self, context: HostContext) -> io::Result<u64> {
        Ok(uapi::space_bytes(self.as_fd(), context.0)?)
    }

    fn close_context(&self, context: HostContext) {
        let mut argument = i915::ContextDestroy { id: context.0, pad: 0 };
        // As above.
        let _ = uapi::plain(self.as_fd(), &mut argument);
    }

    fn reset_statistics(&self, context: HostContext) -> io::Result<ResetStatistics> {
        let mut statistics =
            i915::ResetStats { context: context.0, ..i915::ResetStats::new_zeroed() };
        uapi::plain(self.as_fd(), &mut statistics)?;
        Ok(ResetStatistics { active: statistics.active, pending: statistics.pending })
    }

    fn import(&self, pieces: &[Piece<'_>]) -> io::Result<Buffer> {
        let gathered = uapi::udmabuf(self.udmabuf.as_fd(), pieces)?;
        let buffer = Buffer(self.prime_fd_to_buffer(gathered.as_fd())?.into());
        // At once: pages of a buffer that is bound already would have to be bound anew.
        let mut caching = i915::GemCaching { handle: buffer.0, caching: CACHED };
        match uapi::plain(self.as_fd(), &mut caching) {
            // Discrete and newer parts have no such call, and need none.
            Ok(()) | Err(Errno::NODEV) => Ok(buffer),
            Err(error) => {
                self.close(buffer);
                Err(error.into())
            }
        }
    }

    fn create(&self, bytes: u64) -> io::Result<Buffer> {
        let mut argument = i915::GemCreate { size: bytes, handle: 0, pad: 0 };
        uapi::plain(self.as_fd(), &mut argument)?;
        Ok(Buffer(argument.handle))
    }

    fn write(&self, buffer: Buffer, bytes: &[u8]) -> io::Result<()> {
        Ok(uapi::pwrite(self.as_fd(), buffer.0, bytes)?)
    }

    fn close(&self, buffer: Buffer) {
        if let Some(handle) = from_u32(buffer.0) {
            // As above.
            let _ = self.close_buffer(handle);
        }
    }

    fn execute(
        &self,
        context: HostContext,
        objects: &mut [Object],
        start: u32,
        bytes: u32,
    ) -> io::Result<OwnedFd> {
        Ok(uapi::execute(self.as_fd(), context.0, objects, start, bytes)?)
    }

    fn fence(&self, fence: &impl AsFd) -> io::Result<FenceState> {
        Ok(match uapi::fence_status(fence.as_fd())? {
            0 => FenceState::Pending,
            status if status > 0 => FenceState::Done,
            error => FenceState::Failed(Errno::from_raw_os_error(error.saturating_neg())),
        })
    }

    fn is_lost(&self) -> bool {
        matches!(uapi::throttle(self.as_fd()), Err(Errno::IO | Errno::NODEV))
    }
}
