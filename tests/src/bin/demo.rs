//! The demo: two stock Linux guests side by side on one software GPU.
//!
//! Each boots Debian's own kernel, loads its own i915 and prints on its console. Then one draws with the blitter on its screen,
//! the other runs kmscube, which Debian's own Mesa draws, while `vgate top` shows what each does to the GPU. At the end each screen
//! is left in `target/demo/NAME.png`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use vgate_tests::{Guest, Image, Qemu, Root, Vgate, repository};

/// How long a guest may take from its start to its console's text.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

struct Screen {
    name: &'static str,
    mode: &'static str,
    weight: u16,
    scene: Scene,
}

/// What a guest draws.
enum Scene {
    /// Bars and text, by the blitter.
    Patterns { hue: u16 },
    /// A cube that turns, in OpenGL.
    Cube,
}

const SCREENS: [Screen; 2] = [
    Screen {
        name: "cluster",
        mode: "1280x480@60",
        weight: 200,
        scene: Scene::Patterns { hue: 20 },
    },
    Screen { name: "infotainment", mode: "1024x768@60", weight: 100, scene: Scene::Cube },
];

/// How long guests go on drawing behind the table, so that the last screenshots show it.
const REST: u64 = 30;

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

    let progress = Progress::new();
    progress.step("building the guests' image");
    let image = Image::build("6.12")?.with_shares()?;
    progress.step("starting vgate");
    let sockets = ["control", "cluster.sock", "infotainment.sock"];
    let mut vgate = Vgate::start("demo", &configuration(), &sockets)?;
    progress.step("two guests boot Debian's kernel and load its i915");
    let mut guests =
        SCREENS.iter().map(|s| start(s, &vgate, &image, seconds)).collect::<Result<Vec<_>>>()?;
    for (guest, screen) in guests.iter_mut().zip(&SCREENS) {
        guest.wait_step_within("console", BOOT_LIMIT)?;
        let file = pictures.join(format!("{}-console.png", screen.name));
        screenshot(&vgate, screen.name, &file)?;
    }
    for (guest, screen) in guests.iter_mut().zip(&SCREENS) {
        match screen.scene {
            Scene::Patterns { .. } => guest.send("draw")?,
            Scene::Cube => guest.send(&format!("run {} /usr/bin/kmscube", seconds + REST))?,
        }
    }
    progress.done();

    vgate.follow(&["top", "--control", "control", "--seconds", &seconds.to_string()])?;
    for screen in &SCREENS {
        let file = pictures.join(format!("{}.png", screen.name));
        screenshot(&vgate, screen.name, &file)?;
        println!("{}: {}", screen.name, file.display());
    }
    vgate.still_runs()?;
    drop(guests);
    vgate.stop()
}

fn seconds() -> Result<u64> {
    let text = std::env::var("DEMO_SECONDS").unwrap_or_else(|_| "20".to_owned());
    let seconds = text.parse().with_context(|| format!("DEMO_SECONDS={text}: not a number"))?;
    ensure!((1..=86_400).contains(&seconds), "DEMO_SECONDS={text}: must be 1 to 86400");
    Ok(seconds)
}

fn configuration() -> String {
    let mut text = String::from("control = \"control\"\n\n[gpu]\nsilicon = \"model\"\n");
    for Screen { name, mode, weight, .. } in &SCREENS {
        text += &format!(
            "\n[[vm]]\nname = \"{name}\"\nsocket = \"{name}.sock\"\nmonitor = \"{mode}\"\nweight = {weight}\n"
        );
    }
    text
}

fn start(screen: &Screen, vgate: &Vgate, image: &Image, seconds: u64) -> Result<Guest> {
    let guest = Qemu::new(screen.name, image)
        .gpu(vgate, screen.name)
        .kernel_argument(&format!("vgate.timeout={}", seconds + 60 + REST));
    match screen.scene {
        Scene::Patterns { hue } => {
            let draw = format!("check:patterns:--hue:{hue}:--seconds:{}", seconds + REST);
            guest.steps(&format!("modules,console,wait:draw,{draw},idle")).start()
        }
        Scene::Cube => {
            let guest = guest.memory(1024).root(&Root::mesa("13")?)?;
            guest.steps("modules,console,root,serve,idle").start()
        }
    }
}

fn screenshot(vgate: &Vgate, name: &str, file: &Path) -> Result<()> {
    let file = file.to_string_lossy();
    vgate.command(&["ctl", "--control", "control", "screenshot", name, "-o", &file]).map(drop)
}

/// What is going on and for how long: one changing line on a terminal, else one line a step.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn step(&self, what: &'static str) {
        self.0.set_message(what);
        if self.0.is_hidden() {
            println!("demo: {what}");
        }
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
