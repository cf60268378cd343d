//! Chooses the programs of `tests/piglit-200.txt`: runs every third of piglit's on llvmpipe, and takes 200
//! of those that pass.

use std::fs;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use vgate_tests::Root;
use vgate_tests::piglit::{self, Verdict};

const WANTED: usize = 200;

/// Of so many neighbours, which often ask nearly the same, one is tried.
const STRIDE: usize = 3;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("piglit: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = Root::mesa(piglit::RELEASE)?;
    let all = piglit::all(&root)?;
    let tried: Vec<_> = all.iter().step_by(STRIDE).cloned().collect();
    let passed = passing(&root, &tried)?;
    println!("{} of {} pass", passed.len(), tried.len());
    // Once more, for those that only pass at times.
    let steady = passing(&root, &passed)?;
    println!("{} of them again", steady.len());
    ensure!(steady.len() >= WANTED, "that is less than {WANTED}");

    let mut text = format!(
        "# {WANTED} of piglit's programs, written by `cargo run --package vgate-tests --bin piglit`. The rule: of the {} in the\n\
         # root of Debian {}, sorted by name, every {STRIDE}rd is run on llvmpipe, with PIGLIT_PLATFORM=surfaceless_egl and the\n\
         # arguments -auto -fbo, no data files, for at most {} s. Of the {} (of {}) that pass twice, {WANTED} evenly spread.\n\
         # Made with {}.\n",
        all.len(),
        piglit::RELEASE,
        piglit::LIMIT.as_secs(),
        steady.len(),
        tried.len(),
        root.folder().file_name().unwrap_or_default().to_string_lossy(),
    );
    for index in 0..WANTED {
        text += &steady[index * steady.len() / WANTED];
        text.push('\n');
    }
    fs::write(piglit::list_path(), text)?;
    Ok(())
}

/// Those that pass on llvmpipe.
fn passing(root: &Root, names: &[String]) -> Result<Vec<String>> {
    let style = ProgressStyle::with_template("{pos}/{len} {msg} {eta}")?;
    let progress = ProgressBar::new(names.len() as u64).with_style(style);
    let mut passed = Vec::new();
    for name in names {
        progress.set_message(name.clone());
        let program = piglit::program(root, name).env("LIBGL_ALWAYS_SOFTWARE", "1");
        let verdict = piglit::verdict(&program.run("piglit", piglit::LIMIT)?);
        if verdict == Verdict::Pass {
            passed.push(name.clone());
        }
        if matches!(verdict, Verdict::Crash | Verdict::Hang) {
            progress.suspend(|| println!("{name}: {verdict:?}"));
        }
        progress.inc(1);
    }
    Ok(passed)
}
