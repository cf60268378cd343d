//! Draws the programs of `tests/piglit.txt`: those of piglit that pass on llvmpipe, in an order that knows nothing of them.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use vgate_tests::Root;
use vgate_tests::conformance::Verdict;
use vgate_tests::piglit::{self, LISTED};

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
    let mut all = piglit::all(&root)?;
    // Sorted by name before, and this sort keeps that order among equals.
    all.sort_by_key(|name| crc32fast::hash(name.as_bytes()));
    let style = ProgressStyle::with_template("{pos}/{len} {msg} {eta}")?;
    let progress = ProgressBar::new(LISTED as u64).with_style(style);
    let mut drawn = Vec::new();
    let mut tried = 0;
    for name in &all {
        if drawn.len() == LISTED {
            break;
        }
        progress.set_message(name.clone());
        tried += 1;
        // Twice, for those that only pass at times.
        if passes(&root, name)? && passes(&root, name)? {
            drawn.push(name.clone());
            progress.inc(1);
        }
    }
    ensure!(drawn.len() == LISTED, "of {} no more than {} pass", all.len(), drawn.len());
    drawn.sort();
    let mut text = format!(
        "# {LISTED} of piglit's programs, written by `cargo run --package vgate-tests --bin piglit`. The rule: the {} in the\n\
         # root of Debian {}, ordered by the CRC-32 of their names, are run with the arguments -auto -fbo, no data files,\n\
         # PIGLIT_PLATFORM=surfaceless_egl, GALLIUM_DRIVER=llvmpipe, for at most {} s. Those that pass twice are taken, until\n\
         # there are {LISTED}: {tried} were run. What vgate makes of a program plays no part.\n\
         # Made with {}, {}.\n",
        all.len(),
        piglit::RELEASE,
        piglit::LIMIT.as_secs(),
        root.folder().file_name().unwrap_or_default().to_string_lossy(),
        driver(&root)?,
    );
    for name in &drawn {
        text += name;
        text.push('\n');
    }
    fs::write(piglit::list_path(), text)?;
    Ok(())
}

/// What llvmpipe calls itself, with its version.
fn driver(root: &Root) -> Result<String> {
    let info = piglit::on_llvmpipe(root.program("eglinfo.x86_64-linux-gnu")).args(["-B"]);
    let output = info.run("piglit-driver", piglit::LIMIT)?.output;
    let after = |text| output.lines().find_map(|line| line.trim().strip_prefix(text));
    let renderer = after("OpenGL core profile renderer: ").context("eglinfo names no renderer")?;
    let version = after("OpenGL core profile version: ").context("eglinfo names no version")?;
    Ok(format!("{renderer}, {version}"))
}

fn passes(root: &Root, name: &str) -> Result<bool> {
    let run = piglit::on_llvmpipe(piglit::program(root, name)).run("piglit", piglit::LIMIT)?;
    Ok(piglit::verdict(&run) == Verdict::Pass)
}
