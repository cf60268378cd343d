//! Fences: what is over when all of its parts are.
//!
//! ```text
//!  Fence = point of a GPU ∧ point of a GPU ∧ sync file of another process ∧ ...        none: signaled
//! ```
//!
//! A **sync file** (what explicit synchronization hands around as a descriptor) is the reading end of a pipe here: readable,
//! once the fence is signaled, for `poll` in this and every other process. In this one we know its fence by the pipe's inode
//! and can hand it to the GPU; elsewhere it is waited for as a descriptor. A thread for each sync file that is not
//! signaled yet writes into the pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use guest_shim::client::Point;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use crate::gpu::{Gpu, Result};
use crate::inside::Inside;
use crate::world::{Inode, world};

/// How long one of several fences is waited for before the others are looked at.
const SLICE: Duration = Duration::from_micros(500);

#[derive(Clone)]
enum Part {
    Gpu(Arc<dyn Gpu>, Point),
    /// Another process's sync file.
    File(Arc<OwnedFd>),
}

impl Part {
    fn wait(&self, until: Option<Instant>) -> Result<bool> {
        match self {
            Self::Gpu(gpu, point) => gpu.wait(&[*point], until),
            Self::File(file) => readable(file.as_fd(), until),
        }
    }

    fn signaled(&self) -> bool {
        match self {
            Self::Gpu(gpu, point) => gpu.reached(*point),
            Self::File(_) => self.wait(Some(Instant::now())).unwrap_or(true),
        }
    }
}

/// Signaled when all parts are.
#[derive(Clone, Default)]
pub(crate) struct Fence {
    parts: Vec<Part>,
}

impl Fence {
    /// What is over already.
    pub(crate) fn signaled_already() -> Self {
        Self::default()
    }

    pub(crate) fn point(gpu: &Arc<dyn Gpu>, point: Point) -> Self {
        Self { parts: vec![Part::Gpu(Arc::clone(gpu), point)] }
    }

    /// The fence behind a sync file.
    pub(crate) fn of_file(file: BorrowedFd<'_>) -> Result<Self> {
        let stat = rustix::fs::fstat(file).map_err(|_| Errno::INVAL)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return Err(Errno::INVAL);
        }
        if let Some(fence) = world().sync_files().get(&Inode::of(&stat)) {
            return Ok(fence.clone());
        }
        let file = rustix::io::fcntl_dupfd_cloexec(file, 0)?;
        Ok(Self { parts: vec![Part::File(Arc::new(file))] })
    }

    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.parts.extend(other.parts.iter().cloned());
        self.parts.retain(|part| !part.signaled());
        self
    }

    pub(crate) fn signaled(&self) -> bool {
        self.parts.iter().all(Part::signaled)
    }

    /// Waits until it is signaled. `false`: the time has come before.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Result<bool> {
        for part in &self.parts {
            if !part.wait(until)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Points of a GPU, and whatever a GPU can't wait for.
    pub(crate) fn split(&self, gpu: &Arc<dyn Gpu>) -> (Vec<Point>, Self) {
        let mut points = Vec::new();
        let mut rest = Self::default();
        for part in self.parts.iter().filter(|part| !part.signaled()) {
            match part {
                Part::Gpu(of, point) if Arc::ptr_eq(of, gpu) => points.push(*point),
                other => rest.parts.push(other.clone()),
            }
        }
        (points, rest)
    }

    /// A descriptor that becomes readable when the fence is signaled.
    pub(crate) fn into_file(self) -> Result<OwnedFd> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        if self.signaled() {
            rustix::io::write(&writer, &[1])?;
            return Ok(reader);
        }
        let inode = Inode::of(&rustix::fs::fstat(&reader)?);
        world().sync_files().insert(inode, self.clone());
        let signal = move || {
            let _inside = Inside::enter();
            // When the GPU is gone, so is what could be waited for.
            let _ = self.wait(None);
            // It fails if nobody has the file any more.
            let _ = rustix::io::write(&writer, &[1]);
            world().sync_files().remove(&inode);
        };
        let thread = thread::Builder::new().name("vgate-sync-file".into()).stack_size(64 << 10);
        thread.spawn(signal).map_err(|_| Errno::NOMEM)?;
        Ok(reader)
    }
}

/// Waits until one fence, or `nudged` (looked at now and then), is there.
pub(crate) fn wait_any(
    fences: &[Fence],
    until: Option<Instant>,
    nudged: impl Fn() -> bool,
    alone: bool,
) -> Result<bool> {
    if let ([fence], true) = (fences, alone) {
        return fence.wait(until);
    }
    let mut next = 0;
    loop {
        if nudged() || fences.iter().any(Fence::signaled) {
            return Ok(true);
        }
        let now = Instant::now();
        if until.is_some_and(|until| until <= now) {
            return Ok(false);
        }
        let slice = until.map_or(now + SLICE, |until| until.min(now + SLICE));
        match fences.get(next) {
            Some(fence) => {
                fence.wait(Some(slice))?;
                next += 1;
            }
            None => next = 0,
        }
        if fences.is_empty() {
            thread::sleep(slice.saturating_duration_since(now));
        }
    }
}

/// Whether a descriptor is readable, or becomes so in time. `EINTR` is none: the waits of this library go on.
fn readable(file: BorrowedFd<'_>, until: Option<Instant>) -> Result<bool> {
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| {
            let tv_sec = i64::try_from(left.as_secs()).ok()?;
            Some(Timespec { tv_sec, tv_nsec: left.subsec_nanos().into() })
        });
        match poll(&mut [PollFd::new(&file, PollFlags::IN)], left.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn a_sync_file_is_readable_when_its_fence_is_signaled() {
        let fake = Fake::new();
        let gpu: Arc<dyn Gpu> = fake.clone();
        let [a, b] = [fake.point(), fake.point()];
        let fence = Fence::point(&gpu, a).and(&Fence::point(&gpu, b));
        let file = fence.clone().into_file().unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(20));
        assert_eq!(readable(file.as_fd(), soon()), Ok(false));
        let known = Fence::of_file(file.as_fd()).unwrap();
        assert_eq!(known.split(&gpu).0, [a, b], "the GPU can wait for it");
        fake.reach(a);
        assert_eq!(readable(file.as_fd(), soon()), Ok(false));
        fake.reach(b);
        assert_eq!(readable(file.as_fd(), None), Ok(true));
        assert!(known.signaled());
        assert!(Fence::signaled_already().signaled());
    }

    #[test]
    fn anothers_sync_file_is_waited_for() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let fence = Fence::of_file(reader.as_fd()).unwrap();
        assert!(!fence.signaled());
        rustix::io::write(&writer, &[1]).unwrap();
        assert!(fence.signaled());
        let file = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::empty()).unwrap();
        assert_eq!(Fence::of_file(file.as_fd()).err(), Some(Errno::INVAL));
    }
}
