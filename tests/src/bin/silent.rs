//! A client of the shim that may make no system call while it submits: the kernel ends it at the first one.
//!
//! `silent MILLISECONDS`: how long the daemon's thread looks out for requests before it sleeps. The daemon is this very program,
//! started anew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use vgate_benches::shim::{Executes, Rig, serve_if_asked};

const SUBMISSIONS: usize = 10_000;

fn main() -> Result<()> {
    serve_if_asked();
    let awake = std::env::args().nth(1).context("silent MILLISECONDS")?.parse()?;
    let rig = Rig::new(Executes::Model, Duration::from_millis(awake), None)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Err(error) = submit(&rig) {
                eprintln!("{error:#}");
                std::process::exit(1);
            }
            done.store(true, Ordering::Release);
            // Even to end is a system call.
            loop {
                std::hint::spin_loop();
            }
        });
        while !done.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("{SUBMISSIONS} submissions without a system call");
        std::process::exit(0)
    })
}

fn submit(rig: &Rig) -> Result<()> {
    for _ in 0..SUBMISSIONS {
        rig.looking()?;
    }
    forbid_system_calls()?;
    for _ in 0..SUBMISSIONS {
        rig.looking()?;
    }
    Ok(())
}

/// Of this thread, but for the clock where that is one.
fn forbid_system_calls() -> Result<()> {
    let allowed = BTreeMap::from([(libc::SYS_clock_gettime, Vec::new())]);
    let (others, these) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed, others, these, std::env::consts::ARCH.try_into()?)?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}
