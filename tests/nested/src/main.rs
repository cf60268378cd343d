//! Runs inside a test guest: a vgate on the guest's own i915, its clients, and what is left of them afterwards.
//!
//! ```text
//!  guest:  nested ──starts──► vgate run, silicon = drm:/dev/dri/renderD128 ──► stock i915 ──► outer vgate's vGPU
//!             ├─ clients over the shim ──┘
//!             └─ a stand-in VM over vfio-user
//! ```
//!
//! `nested CHECK...` runs checks on one daemon and says `ok CHECK` for each; what they are, [`CHECKS`] says. `nested draw
//! PROGRAM ARGUMENT...` runs a program of Mesa's over the shim. `nested bench` measures what a submission costs.

mod bench;
mod clients;
mod daemon;
mod draw;
mod vm;

use anyhow::{Context, Result, bail, ensure};

use crate::daemon::{Daemon, gem_objects};

type Check = fn(&Daemon) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("stores", clients::stores),
    ("fill", clients::fill),
    ("contexts", clients::contexts),
    ("remap", clients::remap),
    ("read-only", clients::read_only),
    ("storm", clients::storm),
    ("isolation", clients::isolation),
    ("vm", vm::stores),
    ("hang", clients::hang),
    ("reset", clients::reset),
    ("lost", clients::lost),
];

fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names == ["bench"] {
        return bench::run();
    }
    if names == ["lost"] {
        let daemon = Daemon::start()?;
        check(&daemon, "lost")?;
        // What the driver still has can't be counted: it waits for a GPU that answers.
        return daemon.stop();
    }
    let before = gem_objects()?;
    {
        let daemon = Daemon::start()?;
        match names.split_first() {
            Some((first, program)) if first == "draw" => draw::run(&daemon, program)?,
            _ => names.iter().try_for_each(|name| check(&daemon, name))?,
        }
        daemon.stop()?;
    }
    let after = gem_objects()?;
    ensure!(after <= before, "objects in the driver: {before} before, {after} after");
    println!("ok objects: {before} before, {after} after");
    Ok(())
}

fn check(daemon: &Daemon, name: &str) -> Result<()> {
    let Some((_, check)) = CHECKS.iter().find(|(known, _)| *known == name) else {
        bail!("there is no check {name:?}");
    };
    let begun = std::time::Instant::now();
    check(daemon).with_context(|| name.to_owned())?;
    println!("ok {name} {} ms", begun.elapsed().as_millis());
    Ok(())
}
