//! Which frame it is, which one is wanted, and what becomes of it.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The frames that have ended.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// How long the one before may take until the screen shows it.
const REFRESH: Duration = Duration::from_millis(200);

/// What is asked for: a frame, and what to do with it.
struct Wanted {
    frame: u64,
    purpose: Purpose,
}

enum Purpose {
    /// A file.
    Keep(OsString),
    /// To be seen on the screen for a while.
    Hold(Duration),
}

fn wanted() -> Option<&'static Wanted> {
    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
    let number = |name| std::env::var(name).ok()?.parse().ok();
    let wanted = WANTED.get_or_init(|| {
        let purpose = match std::env::var_os("SNAPSHOT_FILE") {
            Some(file) => Purpose::Keep(file),
            None => Purpose::Hold(Duration::from_secs(number("SNAPSHOT_HOLD")?)),
        };
        Some(Wanted { frame: number("SNAPSHOT_FRAME")?, purpose })
    });
    wanted.as_ref()
}

/// Whether this program's frames are counted at all.
pub(crate) fn are_counted() -> bool {
    wanted().is_some()
}

/// How many frames have ended.
pub(crate) fn ended() -> u64 {
    ENDED.load(Ordering::Relaxed)
}

/// A picture: rows from the top, red, green, blue.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
    /// Who drew it, as the driver says itself.
    pub(crate) driver: String,
}

/// A frame has been drawn. If it is the one to keep, the program ends with its picture.
pub(crate) fn drawn(picture: impl FnOnce() -> Picture) {
    let Some(Wanted { frame, purpose: Purpose::Keep(file) }) = wanted() else { return };
    if ENDED.fetch_add(1, Ordering::Relaxed) + 1 != *frame {
        return;
    }
    let Picture { width, height, rgb, driver } = picture();
    end(&write(file, width, height, &rgb)
        .map(|()| say(&format!("snapshot of frame {frame}: {width}x{height} of {driver}"))))
}

fn write(file: &OsStr, width: u32, height: u32, rgb: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(File::create(file)?, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    Ok(writer.finish()?)
}

/// A frame is about to be shown on a screen. If the one that it takes the place of is the one to be seen, the program stands still,
/// and ends then.
pub(crate) fn shown() {
    let Some(Wanted { frame, purpose: Purpose::Hold(time) }) = wanted() else { return };
    if ENDED.fetch_add(1, Ordering::Relaxed) != *frame {
        return;
    }
    std::thread::sleep(REFRESH);
    say(&format!("snapshot: frame {frame} is shown"));
    std::thread::sleep(*time);
    end(&Ok(()))
}

/// Prints a line behind all that the program has printed so far.
fn say(line: &str) {
    // SAFETY: it writes what the C library holds back.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    println!("{line}");
}

/// Ends this program at once.
fn end(outcome: &Result<(), Box<dyn Error>>) -> ! {
    if let Err(error) = outcome {
        eprintln!("snapshot: {error}");
    }
    // SAFETY: this process ends, and what its threads are at doesn't matter any more.
    unsafe { libc::_exit(i32::from(outcome.is_err())) }
}
