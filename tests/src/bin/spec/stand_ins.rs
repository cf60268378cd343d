//! The daemon's memory with several VMs connected, each played by a stand-in; and what it takes to save and restore one.

use std::time::{Duration, Instant};

use anyhow::Result;
use gpu_intel::driver::FREE;
use gpu_intel::engine::Engine;
use mediator::GuestAddress;
use mediator::control::Client;
use vgate_benches::stand_in::StandIn;
use vgate_tests::Vgate;

use crate::Measured;
use crate::guest::{MIB, configuration, resident};

const VMS: usize = 4;

pub(crate) fn memory() -> Result<Vec<Measured>> {
    let names: Vec<_> = (0..VMS).map(|n| format!("vm{n}")).collect();
    let mut sockets: Vec<_> = names.iter().map(|name| format!("{name}.sock")).collect();
    sockets.push("control".to_owned());
    let sockets: Vec<_> = sockets.iter().map(String::as_str).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let vgate = Vgate::start("spec-stand-ins", &configuration(&names), &sockets)?;
    let idle = resident(&vgate)?;
    let mut stand_ins = Vec::new();
    for name in &names {
        let mut stand_in = StandIn::connect(&vgate.path(&format!("{name}.sock")), 0)?;
        stand_in.use_everything()?;
        stand_ins.push(stand_in);
    }
    let each = (resident(&vgate)? - idle) / VMS as f64;
    drop(stand_ins);
    let note = format!("mean of {VMS} VMs; the daemon alone has {:.1} MiB", idle / MIB);
    Ok(vec![Measured::new("memory-full", each / MIB, note)])
}

/// Rounds of saving and restoring; the best counts.
const ROUNDS: usize = 5;

/// A VM that has touched all of its GPU's state, an endless batch on each engine, is saved and restored over the control
/// socket.
pub(crate) fn saving() -> Result<Vec<Measured>> {
    let vgate = Vgate::start("spec-saving", &configuration(&["vm"]), &["vm.sock", "control"])?;
    let mut stand_in = StandIn::connect(&vgate.path("vm.sock"), 0)?;
    // MI_BATCH_BUFFER_START of itself.
    for (at, dword) in (FREE..).step_by(4).zip([0x1880_0101, FREE as u32, 0]) {
        stand_in.ram().write_u32(GuestAddress(at), dword)?;
    }
    for engine in Engine::ALL {
        stand_in.submit(engine, FREE)?;
    }
    stand_in.use_everything()?;
    let mut control = Client::connect(&vgate.path("control"))?;
    let (mut bytes, mut save, mut restore) = (0, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let state = control.save("vm")?;
        save = save.min(began.elapsed());
        bytes = bytes.max(state.len());
        let began = Instant::now();
        control.restore("vm", &state)?;
        restore = restore.min(began.elapsed());
    }
    let note = format!("best of {ROUNDS}");
    Ok(vec![
        Measured::new("save-size", bytes as f64 / MIB, "a GGTT without two entries alike"),
        Measured::new("save-time", save.as_secs_f64() * 1e3, note.clone()),
        Measured::new("restore-time", restore.as_secs_f64() * 1e3, note),
    ])
}
