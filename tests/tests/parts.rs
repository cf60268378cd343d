//! Every Gen9 part that a vGPU can be is one that stock i915 knows, and every stock kernel drives it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vgate_tests::{Image, Qemu, Vgate, complaints};

const CHECK_LIMIT: Duration = Duration::from_secs(180);

/// Boots a kernel on a part: the driver probes it without complaint, finds the monitor, and stores on every engine.
fn works(device: &str, found_as: &str, kernel: &str) -> Result<()> {
    let name = format!("part-{device}-{kernel}");
    let configuration = format!(
        "control = \"control\"\n[[vm]]\nname = \"guest\"\ndevice = \"{device}\"\nmonitor = \"1280x720\"\n"
    );
    let vgate = Vgate::start(&name, &configuration, &["control", "guest.sock"])?;
    let mut guest = Qemu::new(&name, &Image::build(kernel)?)
        .memory(1024)
        .gpu(&vgate, "guest")
        .kernel_argument("vgate.timeout=180")
        .steps("modules,connectors,check:stores,check:patterns:--final,dmesg")
        .start()?;
    guest.wait_step("connectors")?;
    guest.wait_step_within("check:patterns:--final", CHECK_LIMIT)?;
    let unknown = vgate.show("guest")?.unknown;
    guest.expect("VGATE-END", CHECK_LIMIT)?;
    let connectors = guest.reports("VGATE-CONNECTOR");
    let first = connectors.first().context("no connector")?;
    ensure!(first.contains("-DP-1 connected 1280x720"), "{connectors:?}");
    let log = guest.reports("VGATE-KERNEL");
    ensure!(
        log.iter().any(|line| line.to_lowercase().contains(found_as)),
        "{found_as:?} is not in the log"
    );
    assert_eq!(complaints(&guest)?, Vec::<String>::new());
    println!("{device} on {kernel}: unknown registers {unknown:#x?}");
    assert_eq!(unknown.len(), 0, "the driver touches registers that no table names");
    Ok(())
}

#[test]
fn broxton_works_with_kernel_6_12() -> Result<()> {
    works("broxton", "found broxton", "6.12")
}

#[test]
#[ignore = "make test-long"]
fn skylake_works_with_kernel_6_12() -> Result<()> {
    works("skylake", "found skylake", "6.12")
}

#[test]
#[ignore = "make test-long"]
fn coffee_lake_works_with_kernel_6_12() -> Result<()> {
    works("coffee-lake", "found coffeelake", "6.12")
}

#[test]
#[ignore = "make test-long: needs scripts/setup 6.1"]
fn kaby_lake_works_with_kernel_6_1() -> Result<()> {
    works("kaby-lake", "virtual gpu for intel gvt-g detected", "6.1")
}

#[test]
#[ignore = "make test-long: needs scripts/setup 7.3"]
fn kaby_lake_works_with_kernel_7_3() -> Result<()> {
    works("kaby-lake", "found kabylake", "7.3")
}
