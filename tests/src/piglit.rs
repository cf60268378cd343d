//! Piglit, Mesa's collection of small OpenGL programs: each draws one thing and judges it itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Program, Root, Run, repository};

/// The one root that has piglit.
pub const RELEASE: &str = "forky";

/// How long one program may take.
pub const LIMIT: Duration = Duration::from_secs(20);

const FOLDER: &str = "/usr/lib/x86_64-linux-gnu/piglit/bin";

/// What one of piglit's programs said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It drew what it should.
    Pass,
    /// It ended, and didn't pass: what it needs is not there, or it drew something else.
    NoPass,
    /// It was killed by a signal.
    Crash,
    /// It was still running at its limit.
    Hang,
}

/// The file that lists programs, a name a line; lines with `#` say how they were chosen.
pub fn list_path() -> PathBuf {
    repository().join("tests/piglit-200.txt")
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

/// What a run came to.
#[must_use]
pub fn verdict(run: &Run) -> Verdict {
    match run.status.map(|status| status.code()) {
        None => Verdict::Hang,
        // As bwrap says of a signal; none of piglit's own is as high.
        Some(None | Some(128..)) => Verdict::Crash,
        Some(Some(0)) if run.output.contains("PIGLIT: {\"result\": \"pass\" }") => Verdict::Pass,
        Some(Some(_)) => Verdict::NoPass,
    }
}
