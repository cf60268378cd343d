//! The demo: two stock Linux guests side by side on one software GPU.
//!
//! Each boots Debian's own kernel, loads its own i915, prints on its console and draws with the blitter on its own
//! screen, while `vgate top` shows what each does to the GPU. At the end each screen is left in `target/demo/NAME.png`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use vgate_tests::{Guest, Image, Qemu, Vgate, repository};

/// How long a guest may take from its start to its first picture.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

struct Screen {
    name: &'static str,
    mode: &'static str,
    weight: u16,
    hue: u16,
}

const SCREENS: [Screen; 2] = [
    Screen { name: "cluster", mode: "1280x480@60", weight: 200, hue: 20 },
    Screen { name: "infotainment", mode: "1024x768@60", weight: 100, hue: 200 },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let seconds = seconds()?;
    let pictures = repository().join("target/demo");
    fs::create_dir_all(&pictures).with_context(|| pictures.display().to_string())?;

    let step = progress();
    step.set_message("building the guests' image");
    let image = Image::build("6.12")?;
    step.set_message("starting vgate");
    let mut vgate = Vgate::start("demo", &configuration(), &["control", "cluster.sock", "infotainment.sock"])?;
    let mut guests = Vec::new();
    for screen in &SCREENS {
        guests.push(start(screen, &vgate, &image, seconds)?);
    }
    step.set_message("two guests boot Debian's kernel and load its i915");
    for (guest, screen) in guests.iter_mut().zip(&SCREENS) {
        guest.wait_step_within("console", BOOT_LIMIT)?;
        screenshot(&vgate, screen.name, &pictures.join(format!("{}-console.png", screen.name)))?;
    }
    for guest in &mut guests {
        guest.send("draw")?;
    }
    step.finish_and_clear();

    vgate.follow(&["top", "--control", "control", "--seconds", &seconds.to_string()])?;
    for screen in &SCREENS {
        let path = pictures.join(format!("{}.png", screen.name));
        screenshot(&vgate, screen.name, &path)?;
        println!("{}: {}", screen.name, path.display());
    }
    vgate.still_runs()?;
    drop(guests);
    vgate.stop()
}

fn seconds() -> Result<u64> {
    let text = std::env::var("DEMO_SECONDS").unwrap_or_else(|_| "20".to_owned());
    let seconds = text.parse().with_context(|| format!("DEMO_SECONDS is {text:?}, not a number of seconds"))?;
    ensure!((1..=86_400).contains(&seconds), "DEMO_SECONDS is {seconds}; it must be 1 to 86400");
    Ok(seconds)
}

fn configuration() -> String {
    let mut text = String::from("control = \"control\"\n[gpu]\nsilicon = \"model\"\n");
    for screen in &SCREENS {
        text += &format!(
            "[[vm]]\nname = \"{}\"\nsocket = \"{0}.sock\"\nmonitor = \"{}\"\nweight = {}\n",
            screen.name, screen.mode, screen.weight
        );
    }
    text
}

fn start(screen: &Screen, vgate: &Vgate, image: &Image, seconds: u64) -> Result<Guest> {
    // The patterns outlive the table by a little, so that the last screenshot shows them moving.
    let draw = format!("check:patterns:--hue:{}:--seconds:{}", screen.hue, seconds + 20);
    Qemu::new(screen.name, image)
        .gpu(vgate.path(&format!("{}.sock", screen.name)))
        .kernel_argument("i915.dmc_firmware_path=")
        .kernel_argument(&format!("vgate.timeout={}", seconds + 60))
        .steps(&format!("modules,console,wait:draw,{draw},idle"))
        .start()
}

fn screenshot(vgate: &Vgate, name: &str, path: &Path) -> Result<PathBuf> {
    let file = path.to_string_lossy();
    vgate.command(&["ctl", "--control", "control", "screenshot", name, "-o", &file])?;
    Ok(path.to_owned())
}

/// A line that says what is going on and for how long; without a terminal, one line a step.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    let _ = Instant::now();
    bar
}
