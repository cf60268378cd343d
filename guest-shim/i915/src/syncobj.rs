//! Synchronization objects: boxes that hold a fence, or a timeline of them.
//!
//! ```text
//!  binary      one fence, or none                          created, reset
//!  timeline    (3, fence) ► (7, fence) ► (8, fence)        a point is reached when its fence and all before it are
//! ```
//!
//! Semantics: drivers/gpu/drm/drm_syncobj.c and dma-fence-chain.c, described in the documentation of the kernel's DRM.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::fence::{Fence, wait_any};
use crate::gpu::Result;
use crate::uapi::drm::{WAIT_ALL, WAIT_AVAILABLE, WAIT_FOR_SUBMIT};
use crate::world::world;

#[derive(Clone, Default)]
enum Content {
    #[default]
    Nothing,
    Binary(Fence),
    Timeline {
        /// All up to here is reached.
        reached: u64,
        /// What is not, in order.
        points: Vec<(u64, Fence)>,
    },
}

#[derive(Default)]
pub(crate) struct Syncobj {
    content: Mutex<Content>,
}

impl Syncobj {
    pub(crate) fn new(signaled: bool) -> Arc<Self> {
        let content =
            if signaled { Content::Binary(Fence::signaled_already()) } else { Content::Nothing };
        Arc::new(Self { content: Mutex::new(content) })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, content: Content) {
        *self.content() = content;
        world().changed();
    }

    /// It is empty again.
    pub(crate) fn reset(&self) {
        self.set(Content::Nothing);
    }

    /// It holds this fence and nothing else.
    pub(crate) fn replace(&self, fence: Fence) {
        self.set(Content::Binary(fence));
    }

    /// A timeline goes on.
    pub(crate) fn add(&self, point: u64, fence: Fence) {
        let mut content = self.content();
        let (reached, mut points) = match std::mem::take(&mut *content) {
            Content::Nothing => (0, Vec::new()),
            // What was there is before the first point.
            Content::Binary(before) => (0, vec![(0, before)]),
            Content::Timeline { reached, points } => (reached, points),
        };
        // A point that comes too late counts as the last one.
        let last = points.last().map_or(reached, |(value, _)| *value);
        points.push((point.max(last), fence));
        *content = Content::Timeline { reached, points };
        content.collect();
        drop(content);
        world().changed();
    }

    /// The fence of a point; 0 is all that it holds. `None`: there is none yet.
    pub(crate) fn find(&self, point: u64) -> Option<Fence> {
        let mut content = self.content();
        content.collect();
        match &*content {
            Content::Nothing => None,
            Content::Binary(fence) => (point == 0).then(|| fence.clone()),
            Content::Timeline { reached, points } => {
                let last = points.last().map_or(*reached, |(value, _)| *value);
                if point > last {
                    return None;
                }
                let upto = if point == 0 { last } else { point };
                // The first node at or behind the point, and all before it.
                let count = points.partition_point(|(value, _)| *value < upto) + 1;
                let none = Fence::signaled_already();
                if upto <= *reached {
                    return Some(none);
                }
                Some(points.iter().take(count).fold(none, |all, (_, fence)| all.and(fence)))
            }
        }
    }

    /// Up to where its timeline is reached, or has been submitted.
    pub(crate) fn value(&self, submitted: bool) -> u64 {
        let mut content = self.content();
        content.collect();
        match &*content {
            Content::Timeline { reached, points } => match points.last() {
                Some((value, _)) if submitted => *value,
                _ => *reached,
            },
            _ => 0,
        }
    }
}

impl Content {
    /// Forgets the points that are reached.
    fn collect(&mut self) {
        if let Self::Timeline { reached, points } = self {
            let count = points.iter().take_while(|(_, fence)| fence.signaled()).count();
            if let Some((value, _)) = points.drain(..count).next_back() {
                *reached = value;
            }
        }
    }
}

/// Waits for points of syncobjs. The index of the one that was first, where `WAIT_ALL` is not asked for.
pub(crate) fn wait(
    objects: &[(Arc<Syncobj>, u64)],
    flags: u32,
    until: Option<Instant>,
) -> Result<usize> {
    let all = flags & WAIT_ALL != 0;
    let available = flags & WAIT_AVAILABLE != 0;
    let may_come = flags & (WAIT_FOR_SUBMIT | WAIT_AVAILABLE) != 0;
    loop {
        let seen = world().changes();
        let fences: Vec<Option<Fence>> =
            objects.iter().map(|(object, point)| object.find(*point)).collect();
        if !may_come && fences.iter().any(Option::is_none) {
            return Err(Errno::INVAL);
        }
        let there = |fence: &Option<Fence>| {
            fence.as_ref().is_some_and(|fence| available || fence.signaled())
        };
        match fences.iter().position(there) {
            Some(first) if !all || fences.iter().all(there) => return Ok(first),
            _ => {}
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(Errno::TIME);
        }
        let missing = fences.iter().any(Option::is_none);
        let pending: Vec<Fence> =
            fences.into_iter().flatten().filter(|fence| !fence.signaled()).collect();
        if missing && (all || pending.is_empty() || available) {
            // Nothing can be over before somebody submits or signals.
            world().wait_for_change(seen, until);
        } else if all {
            for fence in &pending {
                if !fence.wait(until)? {
                    break;
                }
            }
        } else {
            wait_any(&pending, until, || world().changes() != seen, !missing)?;
        }
    }
}

/// An absolute time of `CLOCK_MONOTONIC` in nanoseconds, as an instant. `None`: never.
pub(crate) fn instant(nanoseconds: i64) -> Option<Instant> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now_ns = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    let left = i128::from(nanoseconds) - now_ns;
    let left = Duration::from_nanos(u64::try_from(left.max(0)).ok()?);
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::fake::Fake;
    use crate::gpu::Gpu;

    fn now() -> Option<Instant> {
        Some(Instant::now())
    }

    #[test]
    fn a_timeline_is_reached_in_order() {
        let fake = Fake::new();
        let gpu: Arc<dyn Gpu> = fake.clone();
        let [a, b] = [fake.point(), fake.point()];
        let object = Syncobj::new(false);
        assert!(object.find(0).is_none());
        object.add(3, Fence::point(&gpu, a));
        object.add(7, Fence::point(&gpu, b));
        assert_eq!((object.value(false), object.value(true)), (0, 7));
        assert!(object.find(8).is_none());
        fake.reach(b);
        assert!(!object.find(7).unwrap().signaled(), "what is before is not");
        assert_eq!(object.value(false), 0);
        fake.reach(a);
        assert!(object.find(5).unwrap().signaled());
        assert_eq!(object.value(false), 7);
        object.add(2, Fence::signaled_already());
        assert_eq!(object.value(true), 7, "time does not go back");
        object.replace(Fence::signaled_already());
        assert_eq!(object.value(true), 0);
        assert!(object.find(1).is_none());
    }

    #[test]
    fn waits_end_as_their_flags_say() {
        let fake = Fake::new();
        let gpu: Arc<dyn Gpu> = fake.clone();
        let point = fake.point();
        let (empty, busy, done) = (Syncobj::new(false), Syncobj::new(false), Syncobj::new(true));
        busy.replace(Fence::point(&gpu, point));
        let of = |objects: &[&Arc<Syncobj>]| {
            objects.iter().map(|object| (Arc::clone(object), 0)).collect::<Vec<_>>()
        };
        assert_eq!(wait(&of(&[&empty]), 0, now()), Err(Errno::INVAL));
        assert_eq!(wait(&of(&[&empty]), WAIT_FOR_SUBMIT, now()), Err(Errno::TIME));
        assert_eq!(wait(&of(&[&busy]), 0, now()), Err(Errno::TIME));
        assert_eq!(wait(&of(&[&busy, &done]), 0, now()), Ok(1));
        assert_eq!(wait(&of(&[&busy, &done]), WAIT_ALL, now()), Err(Errno::TIME));
        assert_eq!(wait(&of(&[&busy]), WAIT_AVAILABLE, now()), Ok(0));
        let both = of(&[&empty, &busy]);
        let waiting = thread::spawn(move || wait(&both, WAIT_ALL | WAIT_FOR_SUBMIT, None));
        empty.replace(Fence::signaled_already());
        fake.reach(point);
        assert_eq!(waiting.join().unwrap(), Ok(0));
    }
}
