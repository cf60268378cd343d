//! Stock i915 on a vGPU: it probes as on a GPU of its own, and what it submits is done.

use std::time::Duration;

use anyhow::{Result, ensure};
use mediator::control::protocol::VmReport;
use vgate_tests::{Guest, Image, Qemu, Vgate, complaints, nothing_was_refused};

/// A check of the guest's program may take this long on a slow machine.
const CHECK_LIMIT: Duration = Duration::from_secs(300);

fn start(name: &str, vgate: &Vgate, steps: &str) -> Result<Guest> {
    Qemu::new(name, &Image::build("6.12")?)
        .memory(1024)
        .gpu(vgate, "guest")
        .kernel_argument("vgate.timeout=300")
        .steps(&format!("modules,{steps},dmesg"))
        .start()
}

/// Runs checks of the guest's program, and returns what the daemon says of the VM afterwards.
fn run_checks(name: &str, checks: &[&str]) -> Result<VmReport> {
    let mut vgate = Vgate::for_vms(name, &[("guest", "1024x768")])?;
    let steps: Vec<_> = checks.iter().map(|check| format!("check:{check}")).collect();
    let mut guest = start(name, &vgate, &format!("{},wait:end", steps.join(",")))?;
    for step in &steps {
        guest.wait_step_within(step, CHECK_LIMIT)?;
    }
    for line in guest.reports("VGATE-CHECK") {
        println!("{line}");
    }
    let report = vgate.show("guest")?;
    guest.send("end")?;
    guest.wait_step("dmesg")?;
    assert_eq!(complaints(&guest)?, Vec::<String>::new());
    guest.wait_end()?;
    vgate.still_runs()?;
    nothing_was_refused(&report)?;
    Ok(report)
}

#[test]
fn i915_probes_without_complaint_and_finds_the_configured_monitor() -> Result<()> {
    let vgate = Vgate::for_vms("i915-probe", &[("guest", "1920x720@60")])?;
    let mut guest = start("i915-probe", &vgate, "connectors,console,wait:end")?;
    guest.wait_step("console")?;
    let report = vgate.show("guest")?;
    guest.send("end")?;
    // Before the kernel says, as an emergency, that it powers down.
    guest.wait_step("dmesg")?;
    assert_eq!(complaints(&guest)?, Vec::<String>::new());
    guest.wait_end()?;

    let log = guest.reports("VGATE-KERNEL");
    let said = |text: &str| log.iter().any(|line| line.contains(text));
    ensure!(said("Virtual GPU for Intel GVT-g detected"));
    ensure!(said("VGT balloon successfully"));

    nothing_was_refused(&report)?;
    assert_eq!(report.summary.resolution, Some((1920, 720)));
    let connectors = guest.reports("VGATE-CONNECTOR");
    assert_eq!(connectors.len(), 1, "{connectors:?}");
    ensure!(connectors[0].starts_with("card0-DP-1 connected 1920x720"), "{connectors:?}");
    let edid = guest.reports("VGATE-EDID");
    let expected = display::Monitor::new("1920x720@60".parse()?).edid()?;
    let hex: String = expected.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(edid, [format!("card0-DP-1 {hex}")]);

    println!("traps of the probe and the console: {}", report.summary.traps);
    println!("unknown registers: {:#x?}", report.unknown);
    assert_eq!(report.unknown.len(), 0, "a stock driver touches registers that no table names");
    let aperture = report.device.get("aperture_accesses");
    assert_eq!(aperture, Some(&0), "the console's frame buffer went through the aperture");
    Ok(())
}

/// A probe with the monitor on, the console's frame buffer included (docs/display.md has what they are).
const PROBE_TRAPS: u64 = 3_000;

#[test]
fn a_probe_takes_few_traps() -> Result<()> {
    let vgate = Vgate::for_vms("i915-traps", &[("guest", "1024x768")])?;
    // The driver looks at its connectors once more a moment after it has come up.
    let mut guest = start("i915-traps", &vgate, "sleep:5,wait:end")?;
    guest.wait_step("sleep:5")?;
    let report = vgate.show("guest")?;
    let counter = |name| report.device.get(name).copied().unwrap_or(0);
    let traps = report.summary.traps;
    let registers = counter("register_reads") + counter("register_writes");
    let (side_band, table) = (counter("side_band_accesses"), counter("ggtt_writes"));
    println!(
        "{traps} traps: {table} of the GGTT, {side_band} of the side band, {} of other registers, \
         {} of configuration space and ROM",
        registers - side_band,
        traps - registers - table,
    );
    guest.send("end")?;
    guest.wait_end()?;
    assert_eq!(table, 0, "the VMM has mapped the GGTT");
    ensure!(traps <= PROBE_TRAPS, "{traps} traps");
    Ok(())
}

#[test]
fn every_engine_stores_computes_waits_and_keeps_its_contexts_apart() -> Result<()> {
    let checks = ["stores", "high", "pages", "commands", "interleave", "waits", "timestamps"];
    let report = run_checks("i915-engines", &checks)?;
    assert_eq!(report.device.get("hangs"), Some(&0));
    ensure!(report.device.get("batches_scanned") > Some(&0));
    Ok(())
}

#[test]
fn ten_thousand_submissions_are_done_in_order() -> Result<()> {
    let report = run_checks("i915-storm", &["storm"])?;
    let submissions: u64 = report.summary.engines.iter().map(|e| e.usage.submissions).sum();
    ensure!(submissions >= 10_000, "only {submissions} jobs came to the executors");
    Ok(())
}

#[test]
fn blits_of_each_depth_and_tiling_match_the_cpu() -> Result<()> {
    run_checks("i915-blits", &["blits"]).map(drop)
}

#[test]
fn mappings_through_the_aperture_show_the_right_bytes() -> Result<()> {
    let report = run_checks("i915-aperture", &["apertures"])?;
    ensure!(report.device.get("aperture_accesses") > Some(&0));
    Ok(())
}

/// The guest's own driver finds the hang, and says so: no word about complaints here.
#[test]
fn an_endless_batch_is_reset_by_the_guest_and_others_go_on() -> Result<()> {
    let vgate = Vgate::for_vms("i915-hang", &[("guest", "1024x768")])?;
    let mut guest = start("i915-hang", &vgate, "check:resethang,check:stores")?;
    guest.wait_step_within("check:resethang", CHECK_LIMIT)?;
    guest.wait_step_within("check:stores", CHECK_LIMIT)?;
    ensure!(vgate.show("guest")?.device.get("engine_resets") > Some(&0));
    guest.wait_end()
}
