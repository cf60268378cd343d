//! The file as it is written: its keys and their types.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::Problem;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) gpu: Gpu,
    pub(super) control: Option<PathBuf>,
    #[serde(default, rename = "vm")]
    pub(super) vms: Vec<Spanned<Vm>>,
    #[serde(default, rename = "shim")]
    pub(super) shims: Vec<Spanned<Shim>>,
}

/// `[gpu]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gpu {
    pub(super) silicon: Option<Spanned<String>>,
}

/// `[[vm]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vm {
    pub(super) name: Spanned<String>,
    pub(super) socket: Option<Spanned<PathBuf>>,
    pub(super) weight: Option<Spanned<i64>>,
    pub(super) device: Option<Spanned<String>>,
    pub(super) monitor: Option<Spanned<String>>,
    pub(super) edid: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) pvinfo: Pvinfo,
    pub(super) aperture: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) memory: Memory,
    #[serde(default)]
    pub(super) quotas: Quotas,
}

/// `[[shim]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shim {
    pub(super) name: Spanned<String>,
    pub(super) socket: Option<Spanned<PathBuf>>,
    pub(super) weight: Option<Spanned<i64>>,
    pub(super) device: Option<Spanned<String>>,
    pub(super) clients: Option<Spanned<i64>>,
    pub(super) memory: Option<Spanned<String>>,
    pub(super) job_time: Option<Spanned<String>>,
    pub(super) awake: Option<Spanned<String>>,
}

/// Which files a guest's memory may lie in.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Memory {
    #[default]
    Sealed,
    Any,
}

/// Whether the guest learns from PVINFO that its GPU is virtual.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pvinfo {
    #[default]
    On,
    Off,
}

/// `[vm.quotas]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quotas {
    pub(super) memory: Option<Spanned<String>>,
    pub(super) regions: Option<Spanned<i64>>,
    pub(super) jobs: Option<Spanned<i64>>,
    pub(super) job_time: Option<Spanned<String>>,
}

/// Reads the file. What is no TOML, or has other keys or types, is reported here, the first of them.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim().replace('\n', "; ");
        let hint = nearest(&message).map(|known| format!("; did you mean `{known}`?"));
        Problem { span: error.span().unwrap_or(0..0), message: message + &hint.unwrap_or_default() }
    })
}

/// The name that was meant, of an error such as "unknown field `wieght`, expected one of `name`, `weight`".
fn nearest(message: &str) -> Option<&str> {
    /// Below this similarity a hint is a guess.
    const ALIKE: f64 = 0.7;
    if !message.starts_with("unknown ") {
        return None;
    }
    // What stands between backquotes is every second piece.
    let mut names = message.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    names
        .map(|known| (strsim::jaro_winkler(wrong, known), known))
        .filter(|&(likeness, _)| likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
