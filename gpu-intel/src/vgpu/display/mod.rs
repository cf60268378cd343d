//! The display as the guest programs it: pipes with their clock, planes, and one DisplayPort monitor on port B.
//!
//! ```text
//!  registers ──► pipe on/off, mode, planes ──► scan-out (what a screenshot or an output shows)
//!  clock ──► vblank, scan line, frame counter ──► flips take effect
//!  plug ──► live status, EDID, hot-plug interrupt
//! ```

mod aux;
mod checksum;
mod planes;
mod running;

use std::time::Duration;

use mediator::{GuestRam, Plug, ScanOut, Time};
use serde::{Deserialize, Serialize};

pub(crate) use self::aux::is_side_band;

use self::aux::Sink;
use self::planes::{LiveCursor, LivePlane};
use self::running::{FASTEST, Running, SLOWEST, Sums};
use super::ggtt::Ggtt;
use super::interrupts::{Event, Line};
use super::registers::RegisterFile;
use crate::platform::Platform;

/// The port that the monitor is on: B.
pub(crate) const PORT: u8 = 1;
/// Where the interrupt status says that its monitor is plugged in: register and bit. The identity register beside it
/// tells of a change by the same bit.
pub(crate) fn plugged(platform: Platform) -> (u32, u32) {
    match platform {
        // Without a south display it is the port group's.
        Platform::Broxton => (0x4_4440, 1 << 4),
        _ => (0xC_4000, 1 << 21),
    }
}
/// SHOTPLUG_CTL; of port B: what happened to its plug (1:0, long: it was pulled or put in), detection enabled (4).
pub(crate) const HOT_PLUG: u32 = 0xC_4030;
const LONG_PULSE: u32 = 2;
const DETECTION: u32 = 1 << 4;
/// What happened, for ports B, C, D and A: written ones clear.
const HOT_PLUG_STATUS: u32 = 0x0303_0303;

/// What a mode outside of the believed periods runs at.
const SIXTY_HERTZ: Duration = Duration::from_nanos(16_666_667);

/// How long after a side-band transfer its interrupt comes: about as long as the transfer takes on a wire. The result is
/// there at once, and a guest that has taken it by then is not interrupted for it any more.
const SIDE_BAND_TIME: Duration = Duration::from_millis(1);

/// How long a pipe waits at most for a driver to take a frame's checksum.
const PATIENCE: Duration = Duration::from_secs(1);
/// Registers of planes and cursors, whose writes make an update.
pub(crate) const PLANES: std::ops::Range<u32> = 0x7_0080..0x7_3000;

/// Offset of pipe registers from those of pipe A.
fn pipe_at(pipe: u8) -> u32 {
    u32::from(pipe) * 0x1000
}

/// A pipe: its clock, and the planes whose new surface waits for the next vblank (bit 3: the cursor).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pipe {
    #[serde(deserialize_with = "Option::deserialize")]
    running: Option<Running>,
    flips: u8,
    /// Frames of earlier runs, so that the counter never goes back.
    earlier: u64,
    planes: [LivePlane; 3],
    cursor: LiveCursor,
}

impl Pipe {
    /// The planes whose flips are due.
    fn take_flips(&mut self) -> impl Iterator<Item = u8> + use<> {
        let flips = std::mem::take(&mut self.flips);
        (0..4).filter(move |plane| flips & 1 << plane != 0)
    }

    /// A new surface is shown from now on.
    fn latch(&mut self, registers: &mut RegisterFile, pipe: u8, plane: u8) {
        match self.planes.get_mut(usize::from(plane)) {
            Some(live) => *live = LivePlane::latch(registers, pipe, plane),
            None => self.cursor = LiveCursor::latch(registers, pipe),
        }
    }

    /// What it shows.
    fn scan_out(&self, registers: &RegisterFile, ggtt: &Ggtt, pipe: u8) -> ScanOut {
        let size = registers.get(0x6_001C + pipe_at(pipe));
        let planes = self.planes.iter().filter_map(|plane| plane.read(registers, ggtt, pipe));
        ScanOut {
            mode: Some(((size >> 16 & 0x1FFF) + 1, (size & 0x1FFF) + 1)),
            planes: planes.chain(self.cursor.read(ggtt)).collect(),
        }
    }
}

/// The display's state beside its registers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Display {
    pipes: [Pipe; 3],
    sink: Sink,
    plugged: bool,
    /// For each port: when the end of a side-band transfer is worth an interrupt.
    side_band: [Option<Time>; 4],
}

impl Display {
    /// A display that is off, with a monitor that has this EDID.
    pub(crate) fn new(edid: Vec<u8>) -> Self {
        Self {
            pipes: Default::default(),
            sink: Sink::new(edid),
            plugged: true,
            side_band: [None; 4],
        }
    }

    /// Whether a guest and an operator could have brought the display here. What can't be is said.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mut running = self.pipes.iter().filter_map(|pipe| pipe.running);
        if running.any(|running| !(FASTEST..=SLOWEST).contains(&running.period)) {
            return Err("a pipe's frames are too short or too long");
        }
        let mut updates = self.pipes.iter().filter_map(|pipe| pipe.running?.update);
        if updates.any(|update| update.frame == 0) {
            return Err("an update is for no frame");
        }
        self.sink.check()
    }

    /// The guest switches a pipe on or off. Returns what the configuration register reads then.
    pub(crate) fn write_transcoder(
        &mut self,
        registers: &mut RegisterFile,
        pipe: u8,
        value: u32,
        now: Time,
    ) -> u32 {
        let on = value >> 31 != 0;
        let period = frame_period(registers, pipe, self.sink.symbols_per_second());
        if let Some(state) = self.pipes.get_mut(usize::from(pipe)) {
            match (&state.running, on) {
                (None, true) => {
                    let sums = checksum::enabled(registers, pipe).then(Sums::default);
                    let running = Running { since: now, period, reported: 0, sums, update: None };
                    state.running = Some(running);
                }
                (Some(running), false) => {
                    state.earlier = state.earlier.saturating_add(running.frames(now));
                    state.running = None;
                    for plane in state.take_flips() {
                        state.latch(registers, pipe, plane);
                    }
                }
                _ => {}
            }
        }
        value & !(1 << 30) | u32::from(on) << 30
    }

    /// The frame counter: 32 bits, wrapping.
    pub(crate) fn frame_count(&mut self, pipe: u8, now: Time) -> u32 {
        let Some(state) = self.pipes.get_mut(usize::from(pipe)) else { return 0 };
        let frames = state.running.as_mut().map_or(0, |running| running.count(now));
        state.earlier.wrapping_add(frames) as u32
    }

    /// The line that is being scanned out.
    pub(crate) fn scan_line(&mut self, registers: &RegisterFile, pipe: u8, now: Time) -> u32 {
        let pipe_state = self.pipes.get_mut(usize::from(pipe));
        let Some(running) = pipe_state.and_then(|p| p.running.as_mut()) else {
            return 0;
        };
        let vtotal = registers.get(0x6_000C + pipe_at(pipe));
        let (active, total) =
            (u64::from(vtotal & 0x1FFF) + 1, u64::from(vtotal >> 16 & 0x1FFF) + 1);
        let line = running.line(total, now);
        running.look(total - line, total, now);
        // A frame begins with its vertical blanking, as the vblank interrupt does.
        ((active + line) % total) as u32
    }

    /// The guest writes one of a pipe's [`PLANES`].
    pub(crate) fn write_plane(&mut self, pipe: u8, now: Time) {
        let state = self.pipes.get_mut(usize::from(pipe));
        if let Some(running) = state.and_then(|p| p.running.as_mut()) {
            running.write(now);
        }
    }

    /// A plane (0 to 2) or the cursor (3) has a new surface; it is shown from the next vblank on, or at once if the
    /// guest wants so. Returns whether it is shown already and the guest is to be told.
    pub(crate) fn flip(
        &mut self,
        registers: &mut RegisterFile,
        pipe: u8,
        plane: u8,
        now: Time,
    ) -> bool {
        let Some(state) = self.pipes.get_mut(usize::from(pipe)) else { return false };
        let plane = plane.min(3);
        if let Some(running) = &mut state.running {
            running.arm(now);
        }
        match &mut state.running {
            Some(running) if !planes::flips_at_once(registers, pipe, plane) => {
                if state.flips == 0 {
                    running.reported = running.frames(now);
                }
                state.flips |= 1 << plane;
                false
            }
            running => {
                let tell = running.is_some();
                state.flips &= !(1 << plane);
                state.latch(registers, pipe, plane);
                tell
            }
        }
    }

    /// The guest unmasked the vblank interrupt: frames before now are not reported.
    pub(crate) fn listen(&mut self, now: Time) {
        for pipe in &mut self.pipes {
            if let (Some(running), 0) = (&mut pipe.running, pipe.flips) {
                running.reported = running.frames(now);
            }
        }
    }

    /// The guest wants checksums of a pipe's frames, or no more of them. All that was due has been reported.
    pub(crate) fn write_checksum_control(
        &mut self,
        registers: &mut RegisterFile,
        pipe: u8,
        value: u32,
        now: Time,
    ) {
        registers.set(checksum::CONTROL + pipe_at(pipe), value);
        let state = self.pipes.get_mut(usize::from(pipe));
        if let Some(running) = state.and_then(|p| p.running.as_mut()) {
            running.reported = running.frames(now);
            running.sums = checksum::enabled(registers, pipe).then(Sums::default);
        }
    }

    /// The guest reads a pipe's checksum.
    pub(crate) fn read_checksum(&mut self, registers: &RegisterFile, pipe: u8, now: Time) -> u32 {
        let running = self.pipes.get_mut(usize::from(pipe)).and_then(|p| p.running.as_mut());
        if let Some(sums @ Sums::Told(_)) = running.and_then(|running| running.sums.as_mut()) {
            *sums = Sums::Read(now + SLOWEST);
        }
        registers.get(checksum::RESULT + pipe_at(pipe))
    }

    /// Sums up the frames that end now: what was shown until now, so this comes before [`Self::tick`], which takes flips.
    /// Returns whether the MSI is due.
    pub(crate) fn sum(
        &self,
        registers: &mut RegisterFile,
        line: &mut Line,
        ggtt: &Ggtt,
        ram: &GuestRam,
        now: Time,
    ) -> bool {
        let mut interrupt = false;
        for (pipe, state) in (0u8..).zip(&self.pipes) {
            let running = state.running.filter(|running| running.sums.is_some());
            if running.is_some_and(|running| running.frames_due(now) > running.reported) {
                let scan_out = state.scan_out(registers, ggtt, pipe);
                checksum::show(registers, pipe, &scan_out, ram);
                interrupt |= line.raise(registers, Event::ChecksumDone(pipe));
            }
        }
        interrupt
    }

    /// Does what is due, and returns when something is due next. The second value says whether the MSI is due.
    pub(crate) fn tick(
        &mut self,
        registers: &mut RegisterFile,
        line: &mut Line,
        now: Time,
    ) -> (Option<Time>, bool) {
        let mut next = None;
        let mut interrupt = false;
        for (port, due) in (0u8..).zip(&mut self.side_band) {
            match *due {
                Some(at) if at <= now => {
                    *due = None;
                    interrupt |= line.raise(registers, Event::AuxDone(port));
                }
                Some(at) => next = Some(next.map_or(at, |n: Time| n.min(at))),
                None => {}
            }
        }
        for (pipe, state) in (0u8..).zip(&mut self.pipes) {
            let Some(mut running) = state.running else { continue };
            let listening = Line::wants_vblank(registers, pipe);
            let awaited = listening || running.sums.is_some();
            if !awaited && state.flips == 0 {
                continue;
            }
            if running.report(now) {
                if Line::wants_checksum(registers, pipe)
                    && let Some(sums) = &mut running.sums
                {
                    *sums = Sums::Told(now + PATIENCE);
                }
                state.running = Some(running);
                for plane in state.take_flips() {
                    state.latch(registers, pipe, plane);
                    if plane < 3 {
                        interrupt |= line.raise(registers, Event::FlipDone { pipe, plane });
                    }
                }
                interrupt |= line.raise(registers, Event::Vblank(pipe));
            }
            if awaited || state.flips != 0 {
                let due = running.frame_begins(running.frames(now).saturating_add(1));
                next = Some(next.map_or(due, |n: Time| n.min(due)));
            }
        }
        (next, interrupt)
    }

    /// The guest writes the control register of a port's side band.
    pub(crate) fn write_side_band(
        &mut self,
        registers: &mut RegisterFile,
        port: u8,
        value: u32,
        now: Time,
    ) {
        let sink = (port == PORT && self.plugged).then_some(&mut self.sink);
        let done = aux::write_control(registers, port, value, sink);
        if let Some(due) = self.side_band.get_mut(usize::from(port)) {
            *due = done.filter(|done| done.interrupt).map(|_| now + SIDE_BAND_TIME);
        }
    }

    /// An operator plugs the monitor in or pulls it out. Returns whether the guest is to be told.
    pub(crate) fn plug(&mut self, registers: &mut RegisterFile, plug: Plug) -> bool {
        let was_plugged = self.plugged;
        self.plugged = plug != Plug::Out;
        match plug {
            Plug::In(Some(edid)) => self.sink = Sink::new(edid),
            Plug::In(None) => self.sink.reset(),
            Plug::Out => {}
        }
        self.show_plug(registers);
        if !self.plugged && !was_plugged {
            return false;
        }
        let tell = registers.get(HOT_PLUG) & DETECTION != 0;
        if tell {
            registers.update(HOT_PLUG, 0, LONG_PULSE);
        }
        tell
    }

    /// The live status of the plug.
    fn show_plug(&self, registers: &mut RegisterFile) {
        let (at, bit) = plugged(registers.platform());
        registers.update(at, bit, if self.plugged { bit } else { 0 });
    }

    /// What the first pipe that is on shows.
    pub(crate) fn scan_out(&self, registers: &RegisterFile, ggtt: &Ggtt) -> ScanOut {
        let mut pipes = (0u8..).zip(&self.pipes);
        let on = pipes.find(|(_, state)| state.running.is_some());
        on.map_or_else(ScanOut::default, |(pipe, state)| state.scan_out(registers, ggtt, pipe))
    }

    /// Everything off; the plug stays as it is.
    pub(crate) fn reset(&mut self, registers: &mut RegisterFile) {
        self.pipes = Default::default();
        self.side_band = [None; 4];
        self.sink.reset();
        self.show_plug(registers);
    }
}

/// What SHOTPLUG_CTL is after a write: what happened is cleared by ones, the rest is kept.
pub(crate) fn write_hot_plug(registers: &mut RegisterFile, value: u32) {
    let happened = registers.get(HOT_PLUG) & !value & HOT_PLUG_STATUS;
    registers.set(HOT_PLUG, value & !HOT_PLUG_STATUS | happened);
}

/// The length of a frame from the link's rate and ratio and the transcoder's totals.
fn frame_period(registers: &RegisterFile, pipe: u8, symbols: Option<u64>) -> Duration {
    symbols
        .and_then(|symbols| period_from_link(registers, pipe, symbols))
        .filter(|p| (FASTEST..=SLOWEST).contains(p))
        .unwrap_or(SIXTY_HERTZ)
}

fn period_from_link(registers: &RegisterFile, pipe: u8, symbols: u64) -> Option<Duration> {
    let at = pipe_at(pipe);
    let m = u64::from(registers.get(0x6_0040 + at) & 0xFF_FFFF);
    let n = u64::from(registers.get(0x6_0044 + at) & 0xFF_FFFF);
    let pixels_per_second = symbols.checked_mul(m)?.checked_div(n)?;
    let total = |at| u64::from(registers.get(at) >> 16 & 0x1FFF) + 1;
    let pixels = total(0x6_0000 + at) * total(0x6_000C + at);
    Some(Duration::from_nanos(pixels.checked_mul(1_000_000_000)?.checked_div(pixels_per_second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(registers: &mut RegisterFile) -> Display {
        let mut display = Display::new(vec![0; 128]);
        registers.set(0x6_000C, 805 << 16 | 767);
        assert_eq!(display.write_transcoder(registers, 0, 1 << 31, Time(0)), 3 << 30);
        display
    }

    #[test]
    fn frames_and_lines_come_from_the_clock() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        assert_eq!(display.frame_count(0, Time(1_000_000_000)), 59);
        assert_eq!(display.scan_line(&registers, 0, Time(0)), 768);
        assert_eq!(display.scan_line(&registers, 0, Time(16_600_000)), 764);
        assert_eq!(display.frame_count(1, Time(1_000_000_000)), 0);
    }

    #[test]
    fn a_vblank_waits_for_an_update_that_began_before_it() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        // The first frame ends at 16.67 ms.
        // What was written to planes before the driver looked is not the update's end.
        display.scan_line(&registers, 0, Time(1_000_000));
        display.write_plane(0, Time(14_000_000));
        assert_eq!(display.scan_line(&registers, 0, Time(15_000_000)), 687);
        assert_eq!(display.frame_count(0, Time(15_000_000)), 0);
        registers.set(0x7_019C, 0x1_2000);
        display.write_plane(0, Time(24_000_000));
        display.flip(&mut registers, 0, 0, Time(24_000_000));
        let (next, _) = display.tick(&mut registers, &mut Line::default(), Time(24_000_000));
        assert_eq!(next, Some(Time(74_000_000)));
        assert_eq!(display.scan_line(&registers, 0, Time(30_000_000)), 765);
        assert_eq!(display.frame_count(0, Time(30_000_000)), 0, "the update was in time");
        assert_eq!(display.frame_count(0, Time(30_000_001)), 1);
        let (next, _) = display.tick(&mut registers, &mut Line::default(), Time(30_000_002));
        assert_eq!((next, registers.get(0x7_01AC)), (None, 0x1_2000));
        assert_eq!(display.frame_count(0, Time(33_333_334)), 2, "the next one comes at its time");
    }

    #[test]
    fn a_vblank_waits_for_nobody_who_looked_too_late_or_never_ends() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        display.scan_line(&registers, 0, Time(16_580_000));
        assert_eq!(display.frame_count(0, Time(16_666_667)), 1);
        display.scan_line(&registers, 0, Time(30_000_000));
        assert_eq!(display.frame_count(0, Time(39_999_999)), 1);
        assert_eq!(display.frame_count(0, Time(40_000_000)), 2);
        // One that writes for ever has as long as the slowest frame.
        display.scan_line(&registers, 0, Time(40_000_000));
        for ms in 40..200 {
            display.write_plane(0, Time(ms * 1_000_000));
        }
        assert_eq!(display.frame_count(0, Time(139_999_999)), 2);
        assert_eq!(display.frame_count(0, Time(140_000_000)), 8);
    }

    #[test]
    fn an_idle_display_asks_for_no_time() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        assert_eq!(
            display.tick(&mut registers, &mut Line::default(), Time(50_000_000)),
            (None, false)
        );
    }

    #[test]
    fn a_flip_takes_effect_at_the_next_vblank() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        let mut line = Line::default();
        registers.set(0x4_4404, 0);
        registers.set(0x7_019C, 0x1_2000);
        display.flip(&mut registers, 0, 0, Time(20_000_000));
        let (next, _) = display.tick(&mut registers, &mut line, Time(20_000_000));
        assert_eq!(next, Some(Time(33_333_334)));
        assert_eq!(registers.get(0x7_01AC), 0);
        display.tick(&mut registers, &mut line, Time(33_333_334));
        assert_eq!(registers.get(0x7_01AC), 0x1_2000);
        assert_eq!(registers.get(0x4_4408), 1 << 3 | 1);
    }

    #[test]
    fn the_period_follows_the_mode() {
        let mut registers = RegisterFile::of(Platform::default());
        // 1024x768 at 60 Hz: 65 MHz, on a link of 162 MHz.
        for (at, value) in
            [(0x6_0040, 65), (0x6_0044, 162), (0x6_0000, 1343 << 16), (0x6_000C, 805 << 16)]
        {
            registers.set(at, value);
        }
        assert_eq!(frame_period(&registers, 0, Some(162_000_000)).as_micros(), 16_665);
        assert_eq!(frame_period(&registers, 0, None), SIXTY_HERTZ);
    }

    #[test]
    fn an_asynchronous_flip_takes_effect_at_once() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = on(&mut registers);
        registers.set(0x7_0180, 1 << 31 | 4 << 24 | 1 << 10);
        registers.set(0x7_019C, 0x1_2000);
        assert!(!display.flip(&mut registers, 0, 0, Time(20_000_000)));
        assert_eq!(registers.get(0x7_01AC), 0);
        registers.set(0x7_0180, 1 << 31 | 4 << 24 | 1 << 10 | 1 << 9);
        registers.set(0x7_019C, 0x1_3000);
        assert!(display.flip(&mut registers, 0, 0, Time(21_000_000)));
        assert_eq!(registers.get(0x7_01AC), 0x1_3000);
        // The earlier flip, which it overtook, is over too.
        let (next, _) = display.tick(&mut registers, &mut Line::default(), Time(34_000_000));
        assert_eq!((next, registers.get(0x4_4408)), (None, 0));
    }

    #[test]
    fn what_a_plug_does_is_seen_and_told() {
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = Display::new(vec![0; 128]);
        display.reset(&mut registers);
        assert_eq!(registers.get(0xC_4000), 1 << 21);
        assert!(!display.plug(&mut registers, Plug::Out), "nobody asked to be told");
        assert_eq!(registers.get(0xC_4000), 0);
        write_hot_plug(&mut registers, 1 << 4);
        assert!(!display.plug(&mut registers, Plug::Out), "it is out already");
        assert!(display.plug(&mut registers, Plug::In(None)));
        assert_eq!((registers.get(0xC_4000), registers.get(0xC_4030)), (1 << 21, 0x12));
        write_hot_plug(&mut registers, 0x12);
        assert_eq!(registers.get(0xC_4030), 0x10);
        display.plug(&mut registers, Plug::Out);
        display.reset(&mut registers);
        assert_eq!(registers.get(0xC_4000), 0, "a reset plugs nothing in");
    }

    #[test]
    fn a_transfer_that_was_taken_notice_of_interrupts_nobody() {
        const SEND: u32 = 1 << 31 | 1 << 29 | 4 << 20;
        let mut registers = RegisterFile::of(Platform::default());
        let mut display = Display::new(vec![0; 128]);
        registers.set(0x4_4444, 0);
        let mut line = Line::default();
        display.write_side_band(&mut registers, 1, SEND, Time(0));
        assert_eq!(registers.get(0x6_4110) >> 30, 1, "done, not busy");
        let acknowledged = registers.get(0x6_4110);
        display.write_side_band(&mut registers, 1, acknowledged, Time(1000));
        assert_eq!(display.tick(&mut registers, &mut line, Time(5_000_000)).0, None);
        assert_eq!(registers.get(0x4_4448), 0);
        display.write_side_band(&mut registers, 1, SEND, Time(6_000_000));
        assert_eq!(
            display.tick(&mut registers, &mut line, Time(6_000_000)).0,
            Some(Time(7_000_000))
        );
        display.tick(&mut registers, &mut line, Time(7_000_000));
        assert_eq!(registers.get(0x4_4448), 1 << 25);
    }

    #[test]
    fn an_absurd_mode_runs_at_sixty_hertz() {
        let mut registers = RegisterFile::of(Platform::default());
        registers.set(0x6_0040, 0xFF_FFFF);
        registers.set(0x6_0044, 1);
        assert_eq!(frame_period(&registers, 0, Some(162_000_000)), SIXTY_HERTZ);
        registers.set(0x6_0044, 0);
        assert_eq!(frame_period(&registers, 0, Some(162_000_000)), SIXTY_HERTZ);
    }
}
