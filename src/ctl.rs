//! `vgate ctl`: a running daemon's VMs, as tables or JSON.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use mediator::control::protocol::{State, VmReport, VmSummary};
use serde_json::json;

use crate::cli::{Action, Cli};
use crate::control;
use crate::edid;
use crate::output;
use crate::state;
use crate::table::{Side::Left, Side::Right, Table};

pub(crate) fn ctl(socket: &Path, json: bool, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List => {
            let vms = control::connect(socket)?.list()?;
            if json { output::json(&vms) } else { output::print(&list(&vms)) }
        }
        Action::Show { vm } => {
            let report = control::connect(socket)?.show(&vm)?;
            if json { output::json(&report) } else { output::print(&show(&report)) }
        }
        Action::Screenshot { vm, output } => screenshot(socket, json, &vm, &output),
        Action::Reset { vm } => {
            control::connect(socket)?.reset(&vm)?;
            if json { output::json(&json!({ "vm": vm, "reset": true })) } else { Ok(()) }
        }
        Action::Save { vm, file } => {
            let bytes = state::save(socket, &vm, &file)?;
            if json {
                output::json(&json!({ "vm": vm, "file": file, "bytes": bytes }))
            } else {
                Ok(())
            }
        }
        Action::Resume { vm } => {
            control::connect(socket)?.resume(&vm)?;
            if json { output::json(&json!({ "vm": vm, "resumed": true })) } else { Ok(()) }
        }
        Action::Restore { vm, file } => {
            state::restore(socket, &vm, &file)?;
            if json { output::json(&json!({ "vm": vm, "restored": true })) } else { Ok(()) }
        }
        Action::Plug { vm, monitor } => {
            let edid = edid::choose(&monitor)?.map(|edid| edid.bytes().to_vec());
            control::connect(socket)?.plug(&vm, edid)?;
            if json { output::json(&json!({ "vm": vm, "plugged": true })) } else { Ok(()) }
        }
        Action::Unplug { vm } => {
            control::connect(socket)?.unplug(&vm)?;
            if json { output::json(&json!({ "vm": vm, "plugged": false })) } else { Ok(()) }
        }
    }
}

fn screenshot(socket: &Path, json: bool, vm: &str, file: &Path) -> anyhow::Result<()> {
    let to_output = file == Path::new("-");
    if to_output && json {
        let message = "--json and `-o -` both want standard output";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, message).into());
    }
    let picture = control::connect(socket)?.screenshot(vm)?;
    if to_output {
        return output::write(&picture.png);
    }
    std::fs::write(file, &picture.png).with_context(|| file.display().to_string())?;
    if !json {
        return Ok(());
    }
    output::json(&json!({
        "vm": vm,
        "file": file,
        "width": picture.width,
        "height": picture.height,
        "bytes": picture.png.len(),
    }))
}

/// How a VM is doing, in a word or two.
pub(crate) fn state(state: &State) -> String {
    match state {
        State::Waiting => "waiting".to_owned(),
        State::Connected => "connected".to_owned(),
        State::Paused => "paused".to_owned(),
        State::Quarantined { rule, .. } => format!("quarantined ({rule})"),
        State::Stopped => "stopped".to_owned(),
    }
}

/// The size of a VM's monitor.
pub(crate) fn mode(vm: &VmSummary) -> String {
    vm.resolution.map_or("-".to_owned(), |(width, height)| format!("{width}x{height}"))
}

fn list(vms: &[VmSummary]) -> String {
    let columns = [
        ("VM", Left),
        ("STATE", Left),
        ("WEIGHT", Right),
        ("MODE", Left),
        ("MEMORY", Right),
        ("SOCKET", Left),
    ];
    let mut table = Table::new(&columns);
    for vm in vms {
        table.row([
            vm.name.clone(),
            state(&vm.state),
            vm.weight.to_string(),
            mode(vm),
            size(vm.memory_bytes),
            vm.socket.display().to_string(),
        ]);
    }
    table.to_string()
}

fn show(report: &VmReport) -> String {
    let vm = &report.summary;
    let state = match &vm.state {
        State::Quarantined { rule, detail } => format!("quarantined by {rule}: {detail}"),
        other => state(other),
    };
    let mut about = Table::pairs();
    for (what, value) in [
        ("name", vm.name.clone()),
        ("state", state),
        ("socket", vm.socket.display().to_string()),
        ("weight", vm.weight.to_string()),
        ("mode", mode(vm)),
        ("memory", size(vm.memory_bytes)),
        ("connections", vm.connections.to_string()),
        ("resets", vm.resets.to_string()),
        ("traps", vm.traps.to_string()),
        ("interrupts", vm.interrupts.to_string()),
    ] {
        about.row([what.to_owned(), value]);
    }
    let mut text = about.to_string();
    section(&mut text, "Engines", &engines(vm), vm.engines.is_empty());
    section(
        &mut text,
        "Refused and quarantined, by rule",
        &counts(&vm.reasons),
        vm.reasons.is_empty(),
    );
    section(&mut text, "Device counters", &counts(&report.device), report.device.is_empty());
    section(
        &mut text,
        "Registers unknown to the device",
        &unknown(report),
        report.unknown.is_empty(),
    );
    text
}

fn section(text: &mut String, heading: &str, table: &Table, empty: bool) {
    if !empty {
        *text += &format!("\n{heading}:\n{table}");
    }
}

fn engines(vm: &VmSummary) -> Table {
    let columns = [
        ("ENGINE", Left),
        ("SUBMITS", Right),
        ("FINISHED", Right),
        ("FAULTS", Right),
        ("KILLED", Right),
        ("PREEMPTIONS", Right),
        ("GPU MS", Right),
        ("WAIT MS", Right),
        ("DEPTH", Right),
        ("SHARE", Right),
    ];
    let mut table = Table::new(&columns);
    for engine in &vm.engines {
        let usage = engine.usage;
        table.row([
            engine.name.clone(),
            usage.submissions.to_string(),
            usage.finished.to_string(),
            usage.faults.to_string(),
            usage.killed.to_string(),
            usage.preemptions.to_string(),
            format!("{:.1}", usage.gpu_ns as f64 / 1e6),
            format!("{:.1}", usage.wait_ns as f64 / 1e6),
            usage.depth.to_string(),
            format!("{:.0} %", engine.share * 100.0),
        ]);
    }
    table
}

fn counts<'a>(counts: impl IntoIterator<Item = (&'a String, &'a u64)>) -> Table {
    let mut table = Table::pairs();
    for (name, count) in counts {
        table.row([name.clone(), count.to_string()]);
    }
    table
}

fn unknown(report: &VmReport) -> Table {
    let columns = [("REGION", Left), ("OFFSET", Left), ("READS", Right), ("WRITES", Right)];
    let mut table = Table::new(&columns);
    for register in &report.unknown {
        table.row([
            register.region.clone(),
            format!("{:#07x}", register.offset),
            register.reads.to_string(),
            register.writes.to_string(),
        ]);
    }
    table
}

/// Bytes in the largest unit that leaves a whole number or more.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use mediator::control::protocol::UnknownRegister;

    use super::*;
    use crate::top::tests::vm;

    #[test]
    fn listed() {
        let mut second = vm("infotainment", 0);
        let (rule, detail) = ("ring/tail".to_owned(), "beyond the ring".to_owned());
        second.state = State::Quarantined { rule, detail };
        second.resolution = None;
        second.weight = 1000;
        assert_eq!(
            list(&[vm("cluster", 0), second]),
            "\
VM            STATE                    WEIGHT  MODE       MEMORY  SOCKET
cluster       connected                   100  1920x720  2.0 GiB  /run/vgate/cluster.sock
infotainment  quarantined (ring/tail)    1000  -         2.0 GiB  /run/vgate/infotainment.sock
"
        );
    }

    #[test]
    fn shown() {
        let mut summary = vm("cluster", 3);
        summary.reasons.insert("ppgtt/unmapped".into(), 4);
        let unknown =
            vec![UnknownRegister { region: "bar0".into(), offset: 0x4_2080, reads: 1, writes: 2 }];
        let device = [("ggtt-writes".to_owned(), 207)].into();
        let text = show(&VmReport { summary, unknown, device });
        for line in [
            "memory       2.0 GiB",
            "rcs0        300       300       3       0            0     3.0      6.0      0   25 %",
            "ppgtt/unmapped  4",
            "ggtt-writes  207",
            "bar0    0x42080      1       2",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
        }
    }

    #[test]
    fn sizes() {
        let shown = [0, 4096, 3 << 19, 64 << 30].map(size);
        assert_eq!(shown, ["0 B", "4.0 KiB", "1.5 MiB", "64.0 GiB"]);
    }
}
