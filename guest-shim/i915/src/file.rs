//! A DRM file: one `open` of the node, one connection to the mediator, one arena. And which call is whose.

use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use guest_shim::client::Point;
use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::gpu::{Gpu, Result};
use crate::handles::Handles;
use crate::inside::Inside;
use crate::names;
use crate::params;
use crate::paths::Node;
use crate::query;
use crate::state::State;
use crate::syncobj::Syncobj;
use crate::uapi::Call;
use crate::uapi::drm::{self, *};
use crate::uapi::i915::{self, *};
use crate::user::{UserPointer, descriptor};
use crate::world::Inode;

/// How long batches that nobody can wait for any more may take after the last descriptor was closed.
const GRACE: Duration = Duration::from_secs(10);
/// REG_READ knows the render engine's time stamp, also as a read of 8 bytes.
const TIMESTAMP: u64 = 0x2358;
/// Gen9 counts time in 36 bits.
const TIMESTAMP_BITS: u64 = (1 << 36) - 1;

pub(crate) struct DrmFile {
    pub(crate) gpu: Arc<dyn Gpu>,
    pub(crate) arena: Inode,
    /// What was opened.
    pub(crate) node: Node,
    state: Mutex<State>,
    pub(crate) syncobjs: Mutex<Handles<Arc<Syncobj>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DrmFile {
    pub(crate) fn new(gpu: Arc<dyn Gpu>, node: Node) -> Result<Self> {
        let arena = Inode::of(&rustix::fs::fstat(gpu.arena().0)?);
        let state = Mutex::new(State::new(&*gpu, arena)?);
        Ok(Self { gpu, arena, node, state, syncobjs: Mutex::default() })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn syncobjs(&self) -> MutexGuard<'_, Handles<Arc<Syncobj>>> {
        lock(&self.syncobjs)
    }

    /// Waits without any lock. `false`: the time has come before.
    pub(crate) fn wait_for(&self, points: &[Point], until: Option<Instant>) -> Result<bool> {
        if points.is_empty() { Ok(true) } else { self.gpu.wait(points, until) }
    }

    /// Nobody has a descriptor any more. What was submitted may end.
    pub(crate) fn closed(&self) {
        names::forget_unused();
        let (gpu, points) = (Arc::clone(&self.gpu), self.last_points());
        if points.iter().all(|point| gpu.reached(*point)) {
            return;
        }
        let until = Instant::now() + GRACE;
        // Without a thread they end now.
        let _ = thread::Builder::new().name("vgate-closing".into()).spawn(move || {
            let _inside = Inside::enter();
            let ended = gpu.wait(&points, Some(until));
            drop(gpu);
            ended
        });
    }

    /// An `ioctl`.
    pub(crate) fn call(&self, call: Call, at: UserPointer) -> Result<()> {
        match call.number() {
            drm::VERSION => with(call, at, version),
            drm::GET_UNIQUE => with(call, at, |args: &mut Unique| {
                args.bytes = text(args.text, args.bytes, "")?;
                Ok(())
            }),
            drm::GET_MAGIC => with(call, at, |args: &mut Magic| {
                args.magic = 1;
                Ok(())
            }),
            drm::SET_VERSION => with(call, at, |args: &mut SetVersion| {
                (args.interface_major, args.interface_minor) = (1, 4);
                (args.driver_major, args.driver_minor) = (MAJOR, MINOR);
                Ok(())
            }),
            // There is no display to be master of: whoever wants it has it.
            drm::AUTH_MAGIC | drm::SET_MASTER | drm::DROP_MASTER => Ok(()),
            drm::GET_CAP => with(call, at, capability),
            drm::SET_CLIENT_CAP => Err(Errno::OPNOTSUPP),
            // A display without anything: programs that look for screens find none.
            drm::MODE_GETRESOURCES => with(call, at, |args: &mut ModeResources| {
                *args = ModeResources::default();
                Ok(())
            }),
            drm::MODE_GETPLANERESOURCES => with(call, at, |args: &mut ModePlanes| {
                args.count = 0;
                Ok(())
            }),
            drm::MODE_CREATE_DUMB | drm::MODE_MAP_DUMB | drm::MODE_DESTROY_DUMB
                if self.node == Node::RENDER =>
            {
                Err(Errno::ACCESS)
            }
            drm::MODE_CREATE_DUMB => with(call, at, |args| self.create_dumb(args)),
            drm::MODE_MAP_DUMB => with(call, at, |args: &mut MapDumb| {
                args.offset = self.state().buffers.by_handle(args.handle)?.at.0;
                Ok(())
            }),
            drm::MODE_DESTROY_DUMB => {
                with(call, at, |args: &mut DestroyDumb| self.close_buffer(args.handle))
            }
            drm::GEM_CLOSE => with(call, at, |args: &mut GemClose| self.close_buffer(args.handle)),
            // Not for render nodes.
            drm::GEM_FLINK | drm::GEM_OPEN if self.node == Node::RENDER => Err(Errno::ACCESS),
            drm::GEM_FLINK => with(call, at, |args: &mut GemFlink| {
                args.name = self.name_buffer(args.handle)?;
                Ok(())
            }),
            drm::GEM_OPEN => with(call, at, |args: &mut GemOpen| {
                (args.handle, args.bytes) = self.open_named(args.name)?;
                Ok(())
            }),
            drm::PRIME_HANDLE_TO_FD => with(call, at, |args: &mut Prime| {
                args.fd = self.export(args.handle, args.flags)?.into_raw_fd();
                Ok(())
            }),
            drm::PRIME_FD_TO_HANDLE => with(call, at, |args: &mut Prime| {
                args.handle = self.import(descriptor(args.fd)?)?;
                Ok(())
            }),
            drm::SYNCOBJ_CREATE..=drm::SYNCOBJ_TIMELINE_SIGNAL => self.call_syncobj(call, at),

            i915::GETPARAM => with(call, at, |args: &mut GetParam| {
                let value = params::param(self.gpu.device(), args.param)?;
                UserPointer(args.value).write(&value)
            }),
            i915::SETPARAM => Ok(()),
            i915::QUERY => {
                with(call, at, |args| query::query(self.gpu.device(), self.gpu.arena().1, args))
            }
            i915::REG_READ => with(call, at, |args| self.read_register(args)),
            i915::GET_RESET_STATS => with(call, at, |args| self.reset_stats(args)),

            i915::GEM_CREATE => with(call, at, |args| self.create(args)),
            i915::GEM_CREATE_EXT => with(call, at, |args| self.create_ext(args)),
            i915::GEM_USERPTR => with(call, at, |args| self.userptr(args)),
            i915::GEM_PREAD => with(call, at, |args| self.pread(args)),
            i915::GEM_PWRITE => with(call, at, |args| self.pwrite(args)),
            i915::GEM_MMAP => with(call, at, |args| self.mmap(args)),
            i915::GEM_MMAP_OFFSET => with(call, at, |args| self.mmap_offset(args)),
            i915::GEM_SET_DOMAIN => with(call, at, |args| self.set_domain(args)),
            i915::GEM_SW_FINISH => with(call, at, |args: &mut GemHandle| {
                self.state().buffers.id(args.handle).map(drop)
            }),
            i915::GEM_BUSY => with(call, at, |args| self.busy(args)),
            i915::GEM_WAIT => with(call, at, |args| self.wait(args)),
            // The mediator has quotas; nothing has to be slowed down here.
            i915::GEM_THROTTLE => Ok(()),
            i915::GEM_SET_TILING => with(call, at, |args| self.set_tiling(args)),
            i915::GEM_GET_TILING => with(call, at, |args| self.get_tiling(args)),
            i915::GEM_SET_CACHING => with(call, at, |args| self.set_caching(args)),
            i915::GEM_GET_CACHING => with(call, at, |args| self.get_caching(args)),
            i915::GEM_MADVISE => with(call, at, |args| self.madvise(args)),
            i915::GEM_GET_APERTURE => with(call, at, |args| self.aperture(args)),

            i915::GEM_VM_CREATE => with(call, at, |args| self.create_vm(args)),
            i915::GEM_VM_DESTROY => with(call, at, |args| self.destroy_vm(args)),
            i915::GEM_CONTEXT_CREATE => with(call, at, |args| self.create_context(args)),
            i915::GEM_CONTEXT_DESTROY => with(call, at, |args| self.destroy_context(args)),
            i915::GEM_CONTEXT_GETPARAM => with(call, at, |args| self.context_param(args)),
            i915::GEM_CONTEXT_SETPARAM => {
                with(call, at, |args: &mut ContextParam| self.set_context_param(args))
            }
            i915::GEM_EXECBUFFER2 => with(call, at, |args| self.execute(args)),
            // Gone from the kernel.
            i915::GEM_EXECBUFFER => Err(Errno::INVAL),
            _ => Err(Errno::INVAL),
        }
    }

    /// The GPU's clock as this process can tell it: of the right rate, but counted from the machine's start. So it can't
    /// be compared with stamps that batches write.
    fn read_register(&self, args: &mut RegRead) -> Result<()> {
        if args.offset & !7 != TIMESTAMP & !7 || args.offset & 7 > 1 {
            return Err(Errno::INVAL);
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicRaw);
        let nanoseconds = u128::from(now.tv_sec.cast_unsigned()) * 1_000_000_000
            + u128::from(now.tv_nsec.cast_unsigned());
        let ticks = nanoseconds * u128::from(self.gpu.device().timestamp_hz) / 1_000_000_000;
        args.value = ticks as u64 & TIMESTAMP_BITS;
        Ok(())
    }
}

/// Copies a call's structure in, as far as the caller knows it, and out again, also when it fails.
pub(crate) fn with<T: FromBytes + IntoBytes + Immutable + KnownLayout>(
    call: Call,
    at: UserPointer,
    body: impl FnOnce(&mut T) -> Result<()>,
) -> Result<()> {
    let mut args = T::new_zeroed();
    let known = size_of::<T>();
    let bytes = args.as_mut_bytes();
    at.read_bytes(&mut bytes[..call.bytes_in().min(known)])?;
    let outcome = body(&mut args);
    at.write_bytes(&args.as_bytes()[..call.bytes_out().min(known)])?;
    outcome
}

const MAJOR: i32 = 1;
const MINOR: i32 = 6;

fn version(args: &mut Version) -> Result<()> {
    (args.major, args.minor, args.patch) = (MAJOR, MINOR, 0);
    args.name_bytes = text(args.name, args.name_bytes, "i915")?;
    args.date_bytes = text(args.date, args.date_bytes, "20230929")?;
    args.text_bytes = text(args.text, args.text_bytes, "Intel Graphics")?;
    Ok(())
}

/// As much of a text as there is room for. Returns how long it is.
fn text(at: u64, room: u64, text: &str) -> Result<u64> {
    let count = text.len().min(usize::try_from(room).unwrap_or(usize::MAX));
    if at != 0 {
        UserPointer(at).write_bytes(&text.as_bytes()[..count])?;
    }
    Ok(text.len() as u64)
}

fn capability(args: &mut Cap) -> Result<()> {
    /// Import and export.
    const BOTH: u64 = 3;
    args.value = match args.capability {
        drm::CAP_PRIME => BOTH,
        drm::CAP_DUMB_BUFFER
        | drm::CAP_TIMESTAMP_MONOTONIC
        | drm::CAP_SYNCOBJ
        | drm::CAP_SYNCOBJ_TIMELINE => 1,
        // What a display can do: there is none.
        0x2..0x15 => 0,
        _ => return Err(Errno::INVAL),
    };
    Ok(())
}

/// A new DRM file for a process, and its descriptor: a duplicate of the arena's.
pub(crate) fn open(
    gpu: Arc<dyn Gpu>,
    node: Node,
    close_on_exec: bool,
) -> Result<(Arc<DrmFile>, OwnedFd)> {
    let file = Arc::new(DrmFile::new(gpu, node)?);
    let arena = file.gpu.arena().0;
    let own = rustix::io::fcntl_dupfd_cloexec(arena, 0)?;
    if !close_on_exec {
        rustix::io::fcntl_setfd(own.as_fd(), rustix::io::FdFlags::empty())?;
    }
    Ok((file, own))
}

#[cfg(test)]
mod tests;
