//! What a guest's kernel has to say of its GPU.

use anyhow::{Context, Result};

use crate::Guest;

/// What the kernel said at warning level or worse from i915's first line on, each as "LEVEL SECONDS TEXT". The guest
/// has done its step `dmesg`.
///
/// # Errors
/// If i915 said nothing at all.
pub fn complaints(guest: &Guest) -> Result<Vec<String>> {
    let log = guest.reports("VGATE-KERNEL");
    let seconds = |line: &str| line.split(' ').nth(1).and_then(|s| s.parse::<f64>().ok());
    let first = log.iter().find(|line| line.contains("i915 0000:00:02.0"));
    let began = first.and_then(|line| seconds(line)).context("i915 said nothing at all")?;
    let loud = |line: &String| {
        line.starts_with(['0', '1', '2', '3', '4']) && seconds(line).is_none_or(|at| at >= began)
    };
    Ok(log.into_iter().filter(loud).collect())
}
