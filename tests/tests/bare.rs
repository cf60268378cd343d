//! Stock i915 on a GPU that doesn't say that it is virtual: it drives the software Gen9 as it drives metal, with
//! semaphores, preemption and time slices, power management and all.

use std::time::Duration;

use anyhow::{Result, ensure};
use mediator::control::protocol::{UnknownRegister, VmReport};
use vgate_tests::{Guest, Image, Qemu, Vgate, complaints, nothing_was_refused};

/// A check of the guest's program may take this long on a slow machine.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

fn vgate(name: &str, more: &str) -> Result<Vgate> {
    let configuration =
        format!("control = \"control\"\n[[vm]]\nname = \"guest\"\npvinfo = \"off\"\n{more}\n");
    Vgate::start(name, &configuration, &["control", "guest.sock"])
}

fn start(name: &str, kernel: &str, vgate: &Vgate, steps: &str) -> Result<Guest> {
    Qemu::new(name, &Image::build(kernel)?)
        .memory(1024)
        .gpu(vgate, "guest")
        .kernel_argument("vgate.timeout=600")
        .steps(&format!("modules,{steps},dmesg"))
        .start()
}

/// The registers that no table names and the guest touched.
fn unknown(report: &VmReport) -> Vec<String> {
    let one =
        |r: &UnknownRegister| format!("{:#x} {} reads {} writes", r.offset, r.reads, r.writes);
    report.unknown.iter().map(one).collect()
}

/// An update of the display that takes longer than vgate waits for one: the emulated processor stood still.
const STOOD_STILL: u64 = 10_000;

/// What the kernel complained of, but for the host's processors: they are shared.
fn complaints_of_the_gpu(guest: &Guest) -> Result<Vec<String>> {
    let of_the_host = |line: &String| {
        let microseconds = line.split(" time ").nth(1).and_then(|rest| rest.split(' ').next());
        let late = line.contains("Atomic update failure")
            && microseconds.and_then(|us| us.parse().ok()).is_some_and(|us: u64| us > STOOD_STILL);
        late || line.contains("hrtimer: interrupt took")
    };
    let (host, gpu) = complaints(guest)?.into_iter().partition(of_the_host);
    println!("of the host: {host:?}");
    Ok(gpu)
}

/// Boots a kernel on a bare GPU, runs checks of the guest's program, and returns what the daemon says of the VM
/// afterwards. The driver must have had nothing to complain of, and have touched nothing that is unknown.
fn run_checks(name: &str, kernel: &str, more: &str, checks: &[&str]) -> Result<VmReport> {
    let mut vgate = vgate(name, more)?;
    let steps: Vec<_> = checks.iter().map(|check| format!("check:{check}")).collect();
    let mut guest = start(name, kernel, &vgate, &format!("{},wait:end", steps.join(",")))?;
    for step in &steps {
        guest.wait_step_within(step, CHECK_LIMIT)?;
    }
    for line in guest.reports("VGATE-CHECK") {
        println!("{line}");
    }
    let report = vgate.show("guest")?;
    println!("{} traps: {:?}", report.summary.traps, report.device);
    guest.send("end")?;
    guest.wait_step("dmesg")?;
    assert_eq!(complaints_of_the_gpu(&guest)?, Vec::<String>::new());
    assert_eq!(unknown(&report), Vec::<String>::new());
    guest.wait_end()?;
    vgate.still_runs()?;
    nothing_was_refused(&report)?;
    Ok(report)
}

#[test]
fn i915_finds_metal() -> Result<()> {
    let mut vgate = vgate("bare-probe", "monitor = \"1920x720@60\"")?;
    let mut guest = start("bare-probe", "6.12", &vgate, "connectors,console,sleep:5,wait:end")?;
    guest.wait_step("sleep:5")?;
    let report = vgate.show("guest")?;
    println!("{} traps: {:?}", report.summary.traps, report.device);
    guest.send("end")?;
    guest.wait_step("dmesg")?;
    assert_eq!(complaints_of_the_gpu(&guest)?, Vec::<String>::new());
    guest.wait_end()?;
    vgate.still_runs()?;
    let log = guest.reports("VGATE-KERNEL");
    ensure!(!log.iter().any(|line| line.contains("Virtual GPU")), "i915 knows");
    assert_eq!(unknown(&report), Vec::<String>::new());
    nothing_was_refused(&report)?;
    assert_eq!(report.summary.resolution, Some((1920, 720)));
    assert_eq!(report.device.get("hangs"), Some(&0));
    let aperture = report.device.get("aperture_accesses");
    assert_eq!(aperture, Some(&0), "the console's frame buffer went through the aperture");
    Ok(())
}

#[test]
fn every_engine_stores_computes_waits_and_keeps_its_contexts_apart() -> Result<()> {
    let checks = ["stores", "high", "pages", "commands", "interleave", "waits", "timestamps"];
    let report = run_checks("bare-engines", "6.12", "", &checks)?;
    assert_eq!(report.device.get("hangs"), Some(&0));
    ensure!(report.device.get("batches_scanned") > Some(&0));
    Ok(())
}

#[test]
fn urgent_work_interrupts_what_never_ends_and_equals_take_turns() -> Result<()> {
    let report = run_checks("bare-preempt", "6.12", "", &["preempt", "timeslice"])?;
    ensure!(report.device.get("preemptions") > Some(&60));
    Ok(())
}

#[test]
fn submissions_are_done_in_order_and_blits_match_the_cpu() -> Result<()> {
    run_checks("bare-storm", "6.12", "", &["storm", "blits"]).map(drop)
}

/// The whole display: `tests/display.rs`.
#[test]
fn flips_and_busy_engines_are_as_on_any_gpu() -> Result<()> {
    let checks = ["patterns", "flips", "busy", "pulse"];
    run_checks("bare-flips", "6.12", "", &checks).map(drop)
}

#[test]
fn mappings_through_the_aperture_show_the_right_bytes() -> Result<()> {
    let report = run_checks("bare-aperture", "6.12", "", &["apertures"])?;
    ensure!(report.device.get("aperture_accesses") > Some(&0));
    Ok(())
}

fn all_checks_on(kernel: &str) -> Result<()> {
    let checks = ["all", "patterns", "flips", "busy", "pulse", "preempt", "timeslice"];
    run_checks(&format!("bare-{kernel}"), kernel, "", &checks).map(drop)
}

#[test]
#[ignore = "make test-long: needs scripts/setup 6.1"]
fn linux_6_1_drives_it_as_well() -> Result<()> {
    all_checks_on("6.1")
}

#[test]
#[ignore = "make test-long: needs scripts/setup 7.3"]
fn linux_7_3_drives_it_as_well() -> Result<()> {
    all_checks_on("7.3")
}

/// The guest's own driver finds the hang, and says so: no word about complaints here.
#[test]
fn a_batch_that_cannot_be_interrupted_is_reset_by_the_guest() -> Result<()> {
    let vgate = vgate("bare-hang", "")?;
    let mut guest = start("bare-hang", "6.12", &vgate, "check:resethang,check:stores")?;
    guest.wait_step_within("check:resethang", CHECK_LIMIT)?;
    guest.wait_step_within("check:stores", CHECK_LIMIT)?;
    ensure!(vgate.show("guest")?.device.get("engine_resets") > Some(&0));
    guest.wait_end()
}
