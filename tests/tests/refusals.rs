//! A guest's program asks the GPU for what is not a user's: its request fails with a reason, and nobody else notices.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use vgate_tests::{Image, Qemu, Vgate, complaints};

/// Five hangs, each found by the guest's own driver.
const LIMIT: Duration = Duration::from_secs(600);

#[test]
fn hostile_batches_are_refused_with_a_reason_and_the_guest_and_its_neighbour_go_on() -> Result<()> {
    let vms = [("hostile", "1024x768"), ("neighbour", "1024x768")];
    let mut vgate = Vgate::for_vms("refusals", &vms)?;
    let image = Image::build("6.12")?;
    let guest = |vm: &str, steps: &str| {
        Qemu::new(&format!("refusals-{vm}"), &image)
            .gpu(&vgate, vm)
            .kernel_argument("vgate.timeout=600")
            .steps(&format!("modules,{steps},wait:end,dmesg"))
            .start()
    };
    let mut hostile = guest("hostile", "check:refusals,check:stores,check:commands")?;
    let mut neighbour = guest("neighbour", "check:pulse:--seconds:60,check:storm")?;

    for step in ["check:refusals", "check:stores", "check:commands"] {
        hostile.wait_step_within(step, LIMIT)?;
    }
    for step in ["check:pulse:--seconds:60", "check:storm"] {
        neighbour.wait_step_within(step, LIMIT)?;
    }
    for line in hostile.reports("VGATE-CHECK").iter().chain(&neighbour.reports("VGATE-CHECK")) {
        println!("{line}");
    }

    let report = vgate.show("hostile")?;
    println!("{:?}", report.device);
    let once: BTreeMap<String, u64> = [
        "command/register-write",
        "command/ggtt",
        "command/privileged",
        "command/engine",
        "command/unknown",
    ]
    .map(|rule| (rule.to_owned(), 1))
    .into();
    assert_eq!(report.summary.reasons, once);
    assert_eq!(report.device.get("refused_at_scan"), Some(&3));
    assert_eq!(report.device.get("refused_at_fetch"), Some(&2));
    ensure!(report.device.get("engine_resets") >= Some(&5));
    let log = vgate.log()?;
    for told in
        ["MI_LOAD_REGISTER_IMM writes register 0x2080", "asks for the global GTT", "0x7fff0000"]
    {
        ensure!(log.contains(told), "the log doesn't say {told:?}:\n{log}");
    }

    let report = vgate.show("neighbour")?;
    assert_eq!(report.summary.reasons, BTreeMap::new());
    assert_eq!(report.device.get("hangs"), Some(&0));
    neighbour.send("end")?;
    neighbour.wait_step("dmesg")?;
    let mut said = complaints(&neighbour)?;
    // That the host's processors are shared.
    said.retain(|line| !line.contains("hrtimer: interrupt took"));
    assert_eq!(said, Vec::<String>::new());
    hostile.send("end")?;
    hostile.wait_end()?;
    neighbour.wait_end()?;
    vgate.still_runs()
}
