//! A pipe that runs: its frames and scan lines by the clock, and how the next frame waits for its driver.
//!
//! ```text
//!  frame ──┬───────────────────────────────┬── vblank: the next frame
//!          │ lines ...      driver looks ──┤ here it waits for an update that began in time,
//!          │                               │ and for the driver to take the last frame's checksum
//! ```

use std::time::Duration;

use mediator::Time;
use serde::{Deserialize, Serialize};

/// Frame periods that are believed; they bound how often a guest can make its device work.
pub(super) const FASTEST: Duration = Duration::from_millis(4);
pub(super) const SLOWEST: Duration = Duration::from_millis(100);

/// A driver looks at the scan line to see whether it has the time to write all registers of an update before the next
/// vblank, and complains if it had not. It has if it asks this much earlier (i915's margin), or waits for the vblank.
const MARGIN: Duration = Duration::from_micros(100);
/// What such an update takes on metal is some microseconds; here each register is a message, and the processor that
/// sends it may be an emulated one on a busy machine. So the vblank waits for the driver: this long after it looked,
/// longer if it then writes, and never longer than the slowest frame. The frames after it come at their time.
const BEFORE_WRITES: Duration = Duration::from_millis(10);
const BETWEEN_WRITES: Duration = Duration::from_millis(50);
/// How long the frame counter stands still after a driver read it beside a checksum: it looks at the scan line and reads
/// it once more, to be sure.
const COUNTING: Duration = Duration::from_millis(10);

/// A pipe that is switched on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    pub(super) since: Time,
    pub(super) period: Duration,
    /// Frames that have been reported by interrupt, or were not worth reporting.
    pub(super) reported: u64,
    /// Set while each frame has a checksum.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) sums: Option<Sums>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) update: Option<Update>,
}

/// Each frame has a checksum: the next one begins when the last was reported and the driver has taken its sum, which the
/// interrupt's handler does. The pipe rather slows down than that a frame has none because somebody was late.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) enum Sums {
    /// The driver has it.
    #[default]
    Taken,
    /// The driver was told, and didn't read it yet. It has until then.
    Told(Time),
    /// It did, and looks which frame it was of; the frame counter stands still until then.
    Read(Time),
}

impl Sums {
    fn until(self) -> Time {
        match self {
            Self::Taken => Time(0),
            Self::Told(until) | Self::Read(until) => until,
        }
    }
}

/// An update that the driver may be about to write, or writes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    /// The frame that it is for.
    pub(super) frame: u64,
    began: Time,
    /// Until when that frame waits for it.
    until: Time,
    /// A surface was written, which completes a plane's update; others may follow. What is written to planes before the
    /// driver looks at the scan line completes nothing.
    armed: bool,
    /// The driver has looked at the scan line again, as it does at an update's end. Then it reads the frame counter.
    ending: bool,
}

impl Running {
    /// Frames that have begun.
    pub(super) fn frames(&self, now: Time) -> u64 {
        if self.sums.is_some() { self.reported } else { self.frames_due(now) }
    }

    /// Frames that have begun, or should.
    pub(super) fn frames_due(&self, now: Time) -> u64 {
        if self.sums.is_some_and(|sums| now < sums.until()) {
            return self.reported;
        }
        match self.update {
            Some(update) if now < update.until => self.frames_by_clock(now).min(update.frame - 1),
            _ => self.frames_by_clock(now),
        }
    }

    fn frames_by_clock(&self, now: Time) -> u64 {
        u64::try_from(now.since(self.since).as_nanos() / self.period.as_nanos().max(1))
            .unwrap_or(u64::MAX)
    }

    fn time_of(&self, frames: u64) -> u64 {
        u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX).saturating_mul(frames)
    }

    /// When a frame begins, as far as is known.
    pub(super) fn frame_begins(&self, frame: u64) -> Time {
        let by_clock = Time(self.since.0.saturating_add(self.time_of(frame)));
        let by_clock = by_clock.max(self.sums.map_or(Time(0), Sums::until));
        match self.update {
            Some(update) if update.frame == frame => by_clock.max(update.until),
            _ => by_clock,
        }
    }

    /// Reports the frames that are due. Returns whether there are any.
    pub(super) fn report(&mut self, now: Time) -> bool {
        let due = self.frames_due(now);
        if due <= self.reported {
            return false;
        }
        self.reported = if self.sums.is_some() { self.reported.saturating_add(1) } else { due };
        if self.sums.is_some() {
            let behind = self.frames_by_clock(now).saturating_sub(self.reported);
            self.since.0 = self.since.0.saturating_add(self.time_of(behind));
        }
        true
    }

    /// Lines since the frame began, of `total`. While the next frame is held it stays where a driver sees that the vblank
    /// is near, and waits for it.
    pub(super) fn line(&self, total: u64, now: Time) -> u64 {
        if self.frames(now) < self.frames_by_clock(now) {
            return total.saturating_sub(3);
        }
        let into = now.since(self.frame_begins(self.frames(now)));
        let line = u64::try_from(into.as_nanos()).unwrap_or(0) * total
            / u64::try_from(self.period.as_nanos()).unwrap_or(1).max(1);
        line.min(total - 1)
    }

    /// The driver looks at the scan line, with so many lines of `total` left before the next vblank.
    pub(super) fn look(&mut self, left: u64, total: u64, now: Time) {
        let frames = self.frames(now);
        if let Some(update) = &mut self.update
            && update.armed
            && frames < update.frame
        {
            update.ending = true;
            return;
        }
        let lines = |time: Duration| {
            u64::try_from(time.as_nanos() * u128::from(total) / self.period.as_nanos().max(1))
                .unwrap_or(u64::MAX)
        };
        let in_time = left > lines(MARGIN).saturating_add(2) && frames == self.frames_by_clock(now);
        self.update = in_time.then(|| Update {
            frame: frames.saturating_add(1),
            began: now,
            until: if left < lines(self.period / 2) { now + BEFORE_WRITES } else { now },
            armed: false,
            ending: false,
        });
    }

    /// The driver writes a register of a plane.
    pub(super) fn write(&mut self, now: Time) {
        let frames = self.frames(now);
        if let Some(update) = &mut self.update
            && frames < update.frame
        {
            update.until = update.until.max((now + BETWEEN_WRITES).min(update.began + SLOWEST));
        }
    }

    /// The driver writes a plane's surface.
    pub(super) fn arm(&mut self, now: Time) {
        let frames = self.frames(now);
        if let Some(update) = self.update.as_mut().filter(|update| frames < update.frame) {
            update.armed = true;
        }
    }

    /// The driver reads the frame counter.
    pub(super) fn count(&mut self, now: Time) -> u64 {
        let frames = self.frames(now);
        if let Some(Sums::Read(until)) = &mut self.sums {
            *until = (*until).min(now + COUNTING);
        }
        self.update = self.update.filter(|update| !update.ending && frames < update.frame);
        frames
    }
}
