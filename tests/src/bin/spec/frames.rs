//! How long frames take: those of the software GPU, against those of Mesa's software driver, and against its own with one
//! thread.
//!
//! ```text
//!  vkmark ── anv ── libvgate_i915.so ══ queues ══ vgate: software GPU      its shaders are interpreted
//!  vkmark ── lavapipe                                                      its shaders are compiled
//! ```
//!
//! The numbers are vkmark's own, of the same scenes in the same size. All of them take turns, and the best of the rounds counts, so
//! that others who use the processor matter less.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use vgate_tests::{Program, Root, snapshot};

use crate::Measured;
use crate::statistics::rounded;

/// The one root that has vkmark.
const RELEASE: &str = "13";
const SCENES: [&str; 7] = [
    "vertex",
    "texture:anisotropy=0",
    "shading:shading=phong",
    "desktop",
    "effect2d",
    "cube",
    "clear",
];
const SIZE: &str = "320x240";
/// A filter over the whole picture: nearly all of its time goes into pixels.
const PIXELS: &str = "effect2d";
const SECONDS: u32 = 2;
/// What the few frames take is subtracted from what the many do, so that starting up doesn't count.
const FRAMES: [u32; 2] = [5, 35];
const ROUNDS: usize = 2;
const LIMIT: Duration = Duration::from_secs(240);

pub(crate) fn measure() -> Result<Vec<Measured>> {
    let mut best = [[0.0_f64; SCENES.len()]; 2];
    for _ in 0..ROUNDS {
        for (best, program) in best.iter_mut().zip([ours(&SCENES)?, software(&SCENES)?]) {
            keep_best(best, &program)?;
        }
    }
    let [ours, theirs] = best;
    let mut notes = Vec::new();
    let mut logarithms = 0.0;
    for (scene, (ours, theirs)) in SCENES.iter().zip(ours.into_iter().zip(theirs)) {
        ensure!(ours > 0.0, "{scene}: less than a frame a second");
        let title = scene.split(':').next().unwrap_or(scene);
        notes.push(format!("{title} {ours} to {theirs}"));
        logarithms += (theirs / ours).ln() / SCENES.len() as f64;
    }
    let ratio = logarithms.exp();
    let note = format!(
        "frames a second: {}; at {} of llvmpipe's rate",
        notes.join(", "),
        rounded(1.0 / ratio)
    );
    Ok(vec![Measured::new("frame-time", ratio, note), threads()?])
}

/// One thread and two take turns. The frames are the same ones, so their time can be taken from outside; and how two threads share
/// the work shows only where nobody else does the processors' work as well.
fn threads() -> Result<Measured> {
    let mut best = [f64::INFINITY; 2];
    let alone = go_before_others(true);
    for _ in 0..ROUNDS {
        for (best, threads) in best.iter_mut().zip(["1", "2"]) {
            let time = |frame| -> Result<f64> {
                let program = ours(&[PIXELS])?.host_env("RAYON_NUM_THREADS", threads);
                let begin = Instant::now();
                snapshot(program, frame, "Intel", "spec-frames-threads")?;
                Ok(begin.elapsed().as_secs_f64() * 1e3)
            };
            let [few, many] = FRAMES;
            *best = best.min((time(many)? - time(few)?) / f64::from(many - few));
        }
    }
    go_before_others(false);
    let [one, two] = best;
    let (one_ms, two_ms, times) = (rounded(one), rounded(two), rounded(one / two));
    let how = if alone { "before all other programs" } else { "among other programs" };
    let note =
        format!("{how} {one_ms} ms a frame with one, {two_ms} with two: {times} times as fast");
    Ok(Measured::new("frame-threads", two / one, note))
}

/// Has what this thread starts run before whatever else wants the processors (real-time), or no longer. Whether it may.
fn go_before_others(before: bool) -> bool {
    let (policy, priority) = if before { (libc::SCHED_RR, 1) } else { (libc::SCHED_OTHER, 0) };
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: it changes how this thread is scheduled, and nothing else.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

fn vkmark(scenes: &[&str]) -> Result<Program> {
    let benchmarks = scenes.iter().map(|scene| format!("{scene}:duration={SECONDS}"));
    let benchmarks = benchmarks.flat_map(|scene| ["-b".to_owned(), scene]);
    let vkmark = Root::mesa(RELEASE)?.program("vkmark");
    Ok(vkmark.args(["--winsys", "headless", "--size", SIZE]).args(benchmarks))
}

fn ours(scenes: &[&str]) -> Result<Program> {
    vkmark(scenes)?.on_vgate()
}

fn software(scenes: &[&str]) -> Result<Program> {
    Ok(vkmark(scenes)?.env("VK_DRIVER_FILES", "/usr/share/vulkan/icd.d/lvp_icd.json"))
}

/// Runs the scenes, and notes the frames a second of those that were faster than before.
fn keep_best(best: &mut [f64], program: &Program) -> Result<()> {
    let said = program.run("spec-frames", LIMIT)?.success()?;
    let rates = said.lines().filter_map(|line| line.split_once(" FPS: "));
    let rates: Vec<f64> = rates
        .map(|(_, rest)| Ok(rest.split(' ').next().context("no number")?.parse()?))
        .collect::<Result<_>>()?;
    ensure!(rates.len() == best.len(), "{} scenes ran:\n{said}", rates.len());
    for (best, rate) in best.iter_mut().zip(rates) {
        *best = best.max(rate);
    }
    Ok(())
}
