//! vgate on real silicon, as far as a machine without any can show it: an outer vgate gives a guest its vGPU, the guest's
//! stock i915 drives that, and inside the guest a vgate of its own executes on the stock driver.
//!
//! ```text
//!  host   vgate, software Gen9 ◄──vfio-user── QEMU
//!  guest                                       stock i915 ◄── EXECBUFFER2, udmabuf ── vgate, drm ◄── clients
//! ```

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vgate_tests::{Guest, Image, Qemu, Vgate};

/// What all clients do may take this long on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);

fn start(name: &str, pvinfo: &str) -> Result<(Vgate, Guest)> {
    let configuration =
        format!("control = \"control\"\n[[vm]]\nname = \"guest\"\npvinfo = \"{pvinfo}\"\n");
    let vgate = Vgate::start(name, &configuration, &["control", "guest.sock"])?;
    let guest = Qemu::new(name, &Image::build("6.12")?.with_nested()?)
        .memory(1536)
        .gpu(&vgate, "guest")
        .steps("modules,serve,dmesg")
        .start()?;
    Ok((vgate, guest))
}

/// Runs a program in the guest, and returns what it said.
fn run(guest: &mut Guest, command: &str) -> Result<Vec<String>> {
    guest.send(&format!("run {} {command}", LIMIT.as_secs()))?;
    let lines = guest.lines_until("VGATE-RUN end", LIMIT)?;
    let said = lines.iter().filter_map(|line| line.strip_prefix("VGATE-OUT ")).map(str::to_owned);
    let said: Vec<_> = said.collect();
    said.iter().for_each(|line| println!("{line}"));
    let end = lines.last().map_or("", String::as_str);
    ensure!(end.contains("exit 0 "), "{command}: {end}");
    Ok(said)
}

fn all_checks(name: &str, pvinfo: &str) -> Result<()> {
    let (mut vgate, mut guest) = start(name, pvinfo)?;
    guest.wait_step("modules")?;
    run(&mut guest, "/bin/vgate doctor")?;
    let checks = "stores fill contexts remap read-only storm isolation vm hang reset";
    let said = run(&mut guest, &format!("/bin/nested {checks}"))?;
    for check in checks.split(' ').chain(["objects:"]) {
        ensure!(said.iter().any(|line| line.starts_with(&format!("ok {check} "))), "{check}");
    }
    guest.send("end")?;
    guest.wait_end()?;
    vgate.still_runs()
}

/// With PVINFO i915 preempts nothing, and can't end a context's work by closing it.
#[test]
fn an_inner_vgate_serves_clients_on_a_virtual_gpu() -> Result<()> {
    all_checks("nested-virtual", "on")
}

/// Without, i915 does all that it does on metal.
#[test]
fn an_inner_vgate_serves_clients_on_a_bare_gpu() -> Result<()> {
    all_checks("nested-bare", "off")
}

/// What submissions cost, with tables that are known to be unchanged, against the driver's own. With one object it is more
/// (docs/hardware.md).
#[test]
#[ignore = "make test-long: measures, and needs a quiet machine"]
fn a_submission_of_many_objects_costs_little_more_than_the_driver_s_own() -> Result<()> {
    const MOST: f64 = 1.5;
    let (_vgate, mut guest) = start("nested-bench", "off")?;
    guest.wait_step("modules")?;
    let said = run(&mut guest, "/bin/nested bench")?;
    for objects in ["objects 64:", "objects 512:"] {
        let line = said.iter().find(|line| line.starts_with(objects));
        let known = line.and_then(|line| line.split("known: ").nth(1)?.split(' ').next());
        let times: f64 = known.with_context(|| format!("{said:?}"))?.parse()?;
        ensure!(times <= MOST, "{objects} {times} times");
    }
    guest.send("end")?;
    guest.wait_end()
}
