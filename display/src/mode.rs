//! Modes: how many pixels a monitor shows, and the clock and pauses that carry them.
//!
//! ```text
//!  ├────── active ──────┼ front porch ┼─ sync ─┼ back porch ┤   the same across (pixels)
//!  └──────────────────────── total ────────────────────────┘   and down (lines)
//!
//!  refresh = pixel clock / (horizontal total * vertical total)
//! ```
//!
//! Sizes that every monitor knows get the timings of VESA's DMT 1.13 standard; all others are
//! computed by VESA's CVT 1.2 formulas with reduced blanking (version 1), which suit any digital
//! panel and keep the clock low.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Least pixels across and down.
pub const MIN_SIZE: (u32, u32) = (640, 480);
/// Most pixels across and down.
pub const MAX_SIZE: (u32, u32) = (3840, 2160);
/// Refresh rates in Hz that may be asked for.
pub const REFRESH_RANGE: std::ops::RangeInclusive<u32> = 24..=240;
/// The highest clock that an EDID's detailed timing can tell: 16 bits of 10 kHz.
pub const MAX_PIXEL_CLOCK_KHZ: u32 = 655_350;
/// The refresh of a mode written without one.
const DEFAULT_REFRESH: u32 = 60;

/// One direction of a mode: pixels across, or lines down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// What is seen.
    pub active: u32,
    /// From the end of the active part to the sync pulse.
    pub front_porch: u32,
    /// The sync pulse.
    pub sync: u32,
    /// Everything, the back porch included.
    pub total: u32,
    /// Whether the sync pulse is positive.
    pub positive: bool,
}

impl Timing {
    const fn new(active: u32, porch: u32, sync: u32, back_porch: u32, positive: bool) -> Timing {
        Timing {
            active,
            front_porch: porch,
            sync,
            total: active + porch + sync + back_porch,
            positive,
        }
    }

    /// What isn't seen: front porch, sync and back porch.
    pub fn blanking(&self) -> u32 {
        self.total.saturating_sub(self.active)
    }
}

/// A mode of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mode {
    /// Pixels a millisecond.
    pub pixel_clock_khz: u32,
    /// Across, in pixels.
    pub horizontal: Timing,
    /// Down, in lines.
    pub vertical: Timing,
}

/// Why there is no such mode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModeError {
    /// The words aren't of the form "1920x720" or "1920x720@60".
    #[error("\"{0}\" is no mode: write WIDTHxHEIGHT or WIDTHxHEIGHT@HZ, such as 1920x720@60")]
    Syntax(String),
    /// Smaller than [`MIN_SIZE`] or larger than [`MAX_SIZE`].
    #[error(
        "{0}x{1} is out of range: modes go from {w0}x{h0} to {w1}x{h1}",
        w0 = MIN_SIZE.0, h0 = MIN_SIZE.1, w1 = MAX_SIZE.0, h1 = MAX_SIZE.1
    )]
    Size(u32, u32),
    /// Outside [`REFRESH_RANGE`].
    #[error("{0} Hz is out of range: modes go from {low} to {high} Hz",
        low = REFRESH_RANGE.start(), high = REFRESH_RANGE.end())]
    Refresh(u32),
    /// The pixel clock is more than an EDID can tell.
    #[error(
        "the mode needs a pixel clock of {0} kHz, above the {MAX_PIXEL_CLOCK_KHZ} kHz that an EDID \
         can tell: lower the refresh rate or the size"
    )]
    PixelClock(u32),
}

/// VESA DMT 1.13 timings at 60 Hz: clock in kHz, then active, front porch, sync, back porch and
/// polarity, across and down. DMT's reduced-blanking sizes (1280x800, 1920x1200, 2560x1440 ...)
/// aren't here, since the formula gives the same.
const DMT_60_HZ: &[(u32, Timing, Timing)] = &[
    (25_175, Timing::new(640, 16, 96, 48, false), Timing::new(480, 10, 2, 33, false)),
    (40_000, Timing::new(800, 40, 128, 88, true), Timing::new(600, 1, 4, 23, true)),
    (65_000, Timing::new(1024, 24, 136, 160, false), Timing::new(768, 3, 6, 29, false)),
    (74_250, Timing::new(1280, 110, 40, 220, true), Timing::new(720, 5, 5, 20, true)),
    (108_000, Timing::new(1280, 96, 112, 312, true), Timing::new(960, 1, 3, 36, true)),
    (108_000, Timing::new(1280, 48, 112, 248, true), Timing::new(1024, 1, 3, 38, true)),
    (85_500, Timing::new(1360, 64, 112, 256, true), Timing::new(768, 3, 6, 18, true)),
    (85_500, Timing::new(1366, 70, 143, 213, true), Timing::new(768, 3, 3, 24, true)),
    (108_000, Timing::new(1600, 24, 80, 96, true), Timing::new(900, 1, 3, 96, true)),
    (162_000, Timing::new(1600, 64, 192, 304, true), Timing::new(1200, 1, 3, 46, true)),
    (148_500, Timing::new(1920, 88, 44, 148, true), Timing::new(1080, 4, 5, 36, true)),
];

/// CVT's vertical sync, in lines: it tells the aspect ratio. 10 for any other.
const CVT_VERTICAL_SYNC: &[((u32, u32), u32)] =
    &[((4, 3), 4), ((16, 9), 5), ((16, 10), 6), ((5, 4), 7), ((15, 9), 7)];

impl Mode {
    /// The mode of this size in pixels and refresh in Hz: DMT's where there is one, else CVT's
    /// with reduced blanking. The true refresh may be a little lower than asked, see
    /// [`Mode::refresh_millihertz`].
    pub fn new(width: u32, height: u32, refresh: u32) -> Result<Mode, ModeError> {
        check_size(width, height)?;
        if !REFRESH_RANGE.contains(&refresh) {
            return Err(ModeError::Refresh(refresh));
        }
        let standard =
            DMT_60_HZ.iter().find(|(_, h, v)| (h.active, v.active, 60) == (width, height, refresh));
        let mode = match standard {
            Some(&(pixel_clock_khz, horizontal, vertical)) => {
                Mode { pixel_clock_khz, horizontal, vertical }
            }
            None => Mode::reduced_blanking(width, height, refresh),
        };
        mode.check()?;
        Ok(mode)
    }

    /// CVT 1.2 with reduced blanking version 1: fixed blanking across, at least 460 µs of it down.
    /// Unlike the standard, which rounds the width down to a multiple of 8, any width is kept.
    /// The arguments are within the limits.
    fn reduced_blanking(width: u32, height: u32, refresh: u32) -> Mode {
        const MIN_VERTICAL_BLANK_US: u32 = 460;
        const FRONT_PORCH: u32 = 3;
        const MIN_BACK_PORCH: u32 = 6;
        const CLOCK_STEP_KHZ: u64 = 250;
        let horizontal = Timing::new(width, 48, 32, 80, true);

        let aspect = CVT_VERTICAL_SYNC.iter().find(|((w, h), _)| {
            // The standard asks whether the height, taken in the ratio and rounded down to whole
            // cells of 8 pixels, gives the width.
            height * w / h / 8 * 8 == width
        });
        let sync = aspect.map_or(10, |&(_, sync)| sync);
        // 460 µs in lines, of which `height` share the rest of the frame, rounded up.
        let active_us = 1_000_000 - MIN_VERTICAL_BLANK_US * refresh;
        let blank = u64::from(MIN_VERTICAL_BLANK_US * refresh) * u64::from(height)
            / u64::from(active_us)
            + 1;
        let blank = (blank as u32).max(FRONT_PORCH + sync + MIN_BACK_PORCH);
        let vertical = Timing::new(height, FRONT_PORCH, sync, blank - FRONT_PORCH - sync, false);

        let pixels = u64::from(horizontal.total) * u64::from(vertical.total);
        let clock = pixels * u64::from(refresh) / 1000 / CLOCK_STEP_KHZ * CLOCK_STEP_KHZ;
        Mode { pixel_clock_khz: clock as u32, horizontal, vertical }
    }

    /// Whether size and clock are within the limits.
    pub(crate) fn check(&self) -> Result<(), ModeError> {
        check_size(self.width(), self.height())?;
        if self.pixel_clock_khz > MAX_PIXEL_CLOCK_KHZ {
            return Err(ModeError::PixelClock(self.pixel_clock_khz));
        }
        Ok(())
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.horizontal.active
    }

    /// Lines down.
    pub fn height(&self) -> u32 {
        self.vertical.active
    }

    /// Frames in a thousand seconds, rounded to the nearest; 0 for a mode without totals.
    pub fn refresh_millihertz(&self) -> u32 {
        let pixels = u64::from(self.horizontal.total) * u64::from(self.vertical.total);
        let scaled = u64::from(self.pixel_clock_khz) * 1_000_000 + pixels / 2;
        scaled.checked_div(pixels).map_or(0, |refresh| u32::try_from(refresh).unwrap_or(u32::MAX))
    }
}

fn check_size(width: u32, height: u32) -> Result<(), ModeError> {
    let wide = (MIN_SIZE.0..=MAX_SIZE.0).contains(&width);
    let high = (MIN_SIZE.1..=MAX_SIZE.1).contains(&height);
    if wide && high { Ok(()) } else { Err(ModeError::Size(width, height)) }
}

impl FromStr for Mode {
    type Err = ModeError;

    /// Reads "1920x720" (at 60 Hz) or "1920x720@60".
    fn from_str(words: &str) -> Result<Mode, ModeError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().unwrap_or(u32::MAX))
        };
        let parse = || {
            let (size, refresh) = match words.split_once('@') {
                Some((size, refresh)) => (size, number(refresh)?),
                None => (words, DEFAULT_REFRESH),
            };
            let (width, height) = size.split_once('x')?;
            Some((number(width)?, number(height)?, refresh))
        };
        let (width, height, refresh) =
            parse().ok_or_else(|| ModeError::Syntax(words.chars().take(40).collect()))?;
        Mode::new(width, height, refresh)
    }
}

impl fmt::Display for Mode {
    /// Writes "1920x720@60", the refresh rounded to whole Hz.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresh = self.refresh_millihertz().saturating_add(500) / 1000;
        write!(f, "{}x{}@{refresh}", self.width(), self.height())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_sizes_have_their_standard_clocks() {
        let clocks = [
            ("640x480", 25_175, 59_940),
            ("800x600", 40_000, 60_317),
            ("1024x768@60", 65_000, 60_004),
            ("1280x720", 74_250, 60_000),
            ("1280x1024", 108_000, 60_020),
            ("1920x1080", 148_500, 60_000),
        ];
        for (words, clock, refresh) in clocks {
            let mode: Mode = words.parse().unwrap();
            assert_eq!(
                (mode.pixel_clock_khz, mode.refresh_millihertz()),
                (clock, refresh),
                "{words}"
            );
        }
    }

    /// Sizes whose reduced-blanking timings stand in DMT 1.13, so the formula has a reference.
    #[test]
    fn the_formula_gives_dmt_timings_where_dmt_has_reduced_blanking() {
        // Clock, then the vertical total and sync.
        let cases = [
            ((1280, 800, 60), (71_000, 823, 6)),
            ((1440, 900, 60), (88_750, 926, 6)),
            ((1680, 1050, 60), (119_000, 1080, 6)),
            ((1920, 1200, 60), (154_000, 1235, 6)),
            ((2560, 1600, 60), (268_500, 1646, 6)),
            ((1400, 1050, 60), (101_000, 1080, 4)),
        ];
        for ((width, height, refresh), expected) in cases {
            let Mode { pixel_clock_khz, horizontal, vertical } =
                Mode::new(width, height, refresh).unwrap();
            assert_eq!(
                (pixel_clock_khz, vertical.total, vertical.sync),
                expected,
                "{width}x{height}"
            );
            assert_eq!(
                (horizontal.front_porch, horizontal.sync, horizontal.blanking()),
                (48, 32, 160)
            );
            assert!(horizontal.positive && !vertical.positive);
        }
    }

    #[test]
    fn ultra_hd_fits_an_edid() {
        let mode = Mode::new(3840, 2160, 60).unwrap();
        assert_eq!((mode.horizontal.total, mode.vertical.total), (4000, 2222));
        assert_eq!(mode.pixel_clock_khz, 533_250);
    }

    #[test]
    fn cockpit_sizes_work() {
        let mode: Mode = "1920x720@60".parse().unwrap();
        assert_eq!((mode.width(), mode.height()), (1920, 720));
        assert_eq!(mode.to_string(), "1920x720@60");
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }

    #[test]
    fn wrong_words_are_refused_with_the_reason() {
        for words in
            ["", "x", "1920", "1920x", "1920x1080@", "1920x1080@6O", "+1920x1080", "1920 x 1080"]
        {
            assert_eq!(words.parse::<Mode>(), Err(ModeError::Syntax(words.into())));
        }
        assert_eq!("320x200".parse::<Mode>(), Err(ModeError::Size(320, 200)));
        assert_eq!("99999999999x480".parse::<Mode>(), Err(ModeError::Size(u32::MAX, 480)));
        assert_eq!("1920x1080@0".parse::<Mode>(), Err(ModeError::Refresh(0)));
        assert!(matches!("3840x2160@120".parse::<Mode>(), Err(ModeError::PixelClock(_))));
        assert_eq!(
            ModeError::Size(1, 2).to_string(),
            "1x2 is out of range: modes go from 640x480 to 3840x2160"
        );
    }

    proptest! {
        #[test]
        fn every_mode_within_the_limits_is_sound(
            width in 640..=3840u32, height in 480..=2160u32, refresh in 24..=240u32,
        ) {
            match Mode::new(width, height, refresh) {
                Err(error) => prop_assert!(matches!(error, ModeError::PixelClock(_))),
                Ok(mode) => {
                    for timing in [mode.horizontal, mode.vertical] {
                        prop_assert!(timing.front_porch + timing.sync < timing.blanking());
                    }
                    // The clock may be short of a step of 250 kHz and a rest of 1 kHz; the refresh is
                    // rounded to a millihertz.
                    let short = (refresh * 1000).saturating_sub(mode.refresh_millihertz());
                    let pixels = u64::from(mode.horizontal.total * mode.vertical.total);
                    prop_assert!(u64::from(short) * pixels <= 251_000_000 + pixels);
                }
            }
        }

        #[test]
        fn no_words_make_parsing_panic(words in ".*") {
            let _ = words.parse::<Mode>();
        }
    }
}
