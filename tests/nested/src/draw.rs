//! A program of Mesa's, as a client over the shim.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mediator::control::Client;

use crate::daemon::{Daemon, beside};

/// Where the host shares what is preloaded.
const LIBRARY: &str = "/run/programs/libvgate_i915.so";

/// Runs the program, which has to end well, and to have the daemon execute for it.
pub(crate) fn run(daemon: &Daemon, program: &[String]) -> Result<()> {
    let over = AtomicBool::new(false);
    let (status, jobs) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| jobs_until(daemon, &over));
        let mut vgate = Command::new(beside("vgate")?);
        vgate.args(["shim", "--library", LIBRARY, "--daemon"]).arg(daemon.socket("shim"));
        let status = vgate.arg("--").args(program).status();
        over.store(true, Ordering::Relaxed);
        let jobs = watch.join().map_err(|_| anyhow::anyhow!("the watch panicked"))??;
        anyhow::Ok((status.context("vgate shim")?, jobs))
    })?;
    ensure!(status.success(), "{program:?}: {status}");
    ensure!(jobs > 0, "{program:?} drew elsewhere");
    println!("ok draw: {jobs} jobs");
    Ok(())
}

/// The most jobs that any client was seen to have submitted.
fn jobs_until(daemon: &Daemon, over: &AtomicBool) -> Result<u64> {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        for client in Client::connect(&daemon.control())?.list()? {
            let jobs = client.engines.iter().map(|engine| engine.usage.submissions).sum();
            most = most.max(jobs);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(most)
}
