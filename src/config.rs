//! The configuration file: read, checked as a whole, and reported with line and column.

mod file;
mod names;
mod shim;
mod vm;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gpu_intel::{Platform, VgpuConfig};
use mediator::{ShimConfig, VmConfig};

pub(crate) use shim::plain as plain_shim;
pub(crate) use vm::size;

/// What `vgate run` is to do. Nothing in it is left to check but what only trying can tell.
#[derive(Debug)]
pub(crate) struct Config {
    /// What executes.
    pub(crate) silicon: Silicon,
    /// Where `vgate ctl` and others connect.
    pub(crate) control: PathBuf,
    /// The VMs, in the file's order.
    pub(crate) vms: Vec<Vm>,
    /// The shims, in the file's order.
    pub(crate) shims: Vec<Shim>,
}

/// What executes the guests' work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silicon {
    /// A software model of a Gen9.
    Model,
    /// The host's GPU, by this render node.
    Drm(PathBuf),
}

/// A VM.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) config: VmConfig,
    /// The GPU that its guest sees.
    pub(crate) gpu: VgpuConfig,
    /// Whether the file says which.
    pub(crate) named: bool,
}

/// A socket for clients of the paravirtual way.
#[derive(Debug)]
pub(crate) struct Shim {
    pub(crate) config: ShimConfig,
    /// The part that its clients see.
    pub(crate) platform: Platform,
    /// Whether the file says which.
    pub(crate) named: bool,
}

impl Config {
    /// Reads and checks the file at `path`. Paths in it are relative to it.
    ///
    /// # Errors
    /// [`Invalid`], with everything that is wrong.
    pub(crate) fn load(path: &Path) -> Result<Self, Invalid> {
        let nowhere = |error| Invalid(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(nowhere)?;
        let absolute = std::path::absolute(path).map_err(nowhere)?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, folder).map_err(|problems| Invalid::new(path, &text, problems))
    }

    /// The configuration in `text`, whose relative paths lie in `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Problem>> {
        let file = file::parse(text).map_err(|problem| vec![problem])?;
        let mut checker = Checker { folder, problems: Vec::new() };
        let control = match &file.control {
            Some(path) => folder.join(path),
            None => crate::control::default_path(),
        };
        let silicon = checker.silicon(&file);
        checker.names_and_sockets(&file, &control);
        let vms = checker.vms(&file.vms, &control);
        let shims = checker.shims(&file.shims, &control);
        checker.problems.sort_by_key(|problem| problem.span.start);
        match (silicon, vms, shims) {
            (Some(silicon), Some(vms), Some(shims)) if checker.problems.is_empty() => {
                Ok(Self { silicon, control, vms, shims })
            }
            _ => Err(checker.problems),
        }
    }
}

/// Something wrong with a part of the file.
#[derive(Debug)]
struct Problem {
    /// The part, in bytes from the file's start.
    span: Range<usize>,
    message: String,
}

/// Goes through a file and gathers what is wrong with it.
struct Checker<'a> {
    folder: &'a Path,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl fmt::Display) {
        self.problems.push(Problem { span, message: message.to_string() });
    }

    fn silicon(&mut self, file: &file::File) -> Option<Silicon> {
        let Some(name) = &file.gpu.silicon else { return Some(Silicon::Model) };
        if name.get_ref() == "model" {
            return Some(Silicon::Model);
        }
        if let Some(path) = name.get_ref().strip_prefix("drm:").filter(|path| !path.is_empty()) {
            return Some(Silicon::Drm(self.folder.join(path)));
        }
        let message = format!(
            "there is no silicon {:?}: it is \"model\", a GPU in software, or \"drm:/dev/dri/renderD128\", \
             the host's GPU by its render node",
            name.get_ref()
        );
        self.problem(name.span(), message);
        None
    }
}

/// A configuration that can't be used: a line for each thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(String);

impl Invalid {
    fn new(path: &Path, text: &str, problems: Vec<Problem>) -> Self {
        let line = |Problem { span, message }: Problem| {
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
            format!("{}:{line}:{column}: {message}", path.display())
        };
        Self(problems.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests;
