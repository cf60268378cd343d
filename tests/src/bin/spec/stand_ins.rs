//! The daemon's memory with several VMs connected, each played by a stand-in.

use anyhow::Result;
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
