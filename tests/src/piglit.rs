//! Piglit, Mesa's collection of small OpenGL programs: each draws one thing and judges it itself.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::conformance::{Outcome, Place, Verdict};
use crate::{Program, Root, Run, repository};

/// The one root that has piglit.
pub const RELEASE: &str = "forky";

/// How many programs the list has.
pub const LISTED: usize = 400;

/// How long one program may take where a compiler draws for it.
pub const LIMIT: Duration = Duration::from_secs(20);
/// How long where the software GPU does: what takes longer counts as hung.
pub const LIMIT_ON_VGATE: Duration = Duration::from_secs(300);

/// What came of each listed program on the software GPU.
pub const LIST: Place = Place {
    file: "tests/conformance/piglit.txt",
    head: "\
# What came of the programs of tests/piglit.txt under `vgate shim`, on the software GPU: program, verdict, why it isn't a pass.
# Written by `make conformance ARGS=--piglit`. A reason stays while its verdict does, so that people may write better ones.
# What comes before a reason's first colon is what it is counted under.
",
};

const FOLDER: &str = "/usr/lib/x86_64-linux-gnu/piglit/bin";

/// The file that lists programs, a name a line; lines with `#` say how they were chosen.
pub fn list_path() -> PathBuf {
    repository().join("tests/piglit.txt")
}

/// The programs of the list.
///
/// # Errors
/// If there is none.
pub fn listed() -> Result<Vec<String>> {
    let path = list_path();
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

/// All programs that a root has, sorted.
///
/// # Errors
/// If it has none.
pub fn all(root: &Root) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = root.folder().join(FOLDER.trim_start_matches('/'));
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// One of its programs, to run by itself and without a screen.
pub fn program(root: &Root, name: &str) -> Program {
    let program = root.program(format!("{FOLDER}/{name}")).args(["-auto", "-fbo"]);
    program.env("PIGLIT_PLATFORM", "surfaceless_egl")
}

/// Makes a program draw with llvmpipe.
pub fn on_llvmpipe(program: Program) -> Program {
    program.env("LIBGL_ALWAYS_SOFTWARE", "1").env("GALLIUM_DRIVER", "llvmpipe")
}

/// What a run came to.
#[must_use]
pub fn verdict(run: &Run) -> Verdict {
    let says = |result| run.output.contains(&format!("PIGLIT: {{\"result\": \"{result}\" }}"));
    match run.status.map(|status| status.code()) {
        None => Verdict::Timeout,
        // As bwrap says of a signal; none of piglit's own is as high.
        Some(None | Some(128..)) => Verdict::Crash,
        Some(Some(0)) if says("pass") => Verdict::Pass,
        Some(Some(_)) if says("skip") => Verdict::Skip,
        Some(Some(_)) => Verdict::Fail,
    }
}

/// Runs a program on the software GPU. `log` names its log.
///
/// # Errors
/// If it can't be started.
pub fn run_on_vgate(root: &Root, name: &str, log: &str) -> Result<Outcome> {
    let start = Instant::now();
    let run = program(root, name).on_vgate()?.run(log, LIMIT_ON_VGATE)?;
    let verdict = verdict(&run);
    let reason = if verdict == Verdict::Pass { String::new() } else { reason(&run.output) };
    Ok(Outcome { verdict, reason, seconds: start.elapsed().as_secs_f64(), kernel: vec![] })
}

/// Runs programs on the software GPU, as many at a time as there are processors, and calls `each` as they end.
///
/// # Errors
/// Of the first that can't be started, or `each`'s.
pub fn run_all_on_vgate(
    names: &[String],
    each: impl FnMut(&str, Outcome) -> Result<()> + Send,
) -> Result<()> {
    let root = Root::mesa(RELEASE)?;
    // Built once, before all.
    let _ = program(&root, "").on_vgate()?;
    let (next, each) = (AtomicUsize::new(0), Mutex::new(each));
    let work = |worker: usize| -> Result<()> {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = run_on_vgate(&root, name, &format!("shim-piglit-{worker}"))?;
            let mut each = each.lock().map_err(|_| anyhow::anyhow!("another one panicked"))?;
            each(name, outcome)?;
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|i| scope.spawn(move || work(i))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked")))
        })
    })
}

/// Characters of a reason.
const REASON: usize = 160;

/// What a program said that tells best why it doesn't pass.
fn reason(output: &str) -> String {
    let line = |text: &str| output.lines().map(str::trim).find(|line| line.contains(text));
    let after = |text: &str| {
        let mut lines = output.lines().map(str::trim).skip_while(|line| !line.contains(text));
        lines.by_ref().take(3).collect::<Vec<_>>().join(", ")
    };
    let reason = if let Some(fault) = line("vgate: ").or_else(|| line("WARN")) {
        format!("fault: {fault}")
    } else if line("Probe ").is_some() {
        format!("other pixels: {}", after("Probe "))
    } else {
        let said = |line: &&str| !line.is_empty() && !line.starts_with("PIGLIT: ");
        let last = output.lines().map(str::trim).rfind(said);
        format!("it says: {}", last.unwrap_or("nothing"))
    };
    reason.chars().take(REASON).collect()
}
