//! A client of the shim that may make no system call while it submits: the kernel ends it at the first one.
//!
//! `silent MILLISECONDS`: how long the daemon's thread looks out for requests before it sleeps. The daemon is this very program,
//! started anew.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use vgate_benches::shim::{Executes, Rig, serve_if_asked};

const SUBMISSIONS: usize = 10_000;

fn main() -> Result<()> {
    serve_if_asked();
    let awake = std::env::args().nth(1).context("silent MILLISECONDS")?.parse()?;
    let rig = Rig::new(Executes::Model, Duration::from_millis(awake), None)?;
    for _ in 0..SUBMISSIONS {
        rig.looking()?;
    }
    println!("{SUBMISSIONS} more without a system call:");
    forbid_system_calls()?;
    for _ in 0..SUBMISSIONS {
        rig.looking()?;
    }
    // Nothing is tidied up: that would be system calls.
    std::process::exit(0)
}

/// Of this thread, but for its end, and the clock where that is one.
fn forbid_system_calls() -> Result<()> {
    let allowed = [libc::SYS_exit_group, libc::SYS_clock_gettime];
    let allowed: BTreeMap<_, _> = allowed.map(|call| (call, Vec::new())).into();
    let (others, these) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed, others, these, std::env::consts::ARCH.try_into()?)?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}
