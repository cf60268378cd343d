//! Stock kernels boot to our first process, with no GPU at all: what the other tests here stand on.

use std::time::{Duration, Instant};

use anyhow::Result;
use vgate_tests::{Image, Qemu};

/// The most that QEMU may take from its start until the guest's first line.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_stock_kernel_boots_to_our_init() -> Result<()> {
    let image = Image::build("6.12")?;
    let start = Instant::now();
    let mut guest = Qemu::new("boot", &image).steps("modules,wait:go,sleep:0.1").start()?;
    let boot = guest.expect("VGATE-BOOT boot 6.12.", BOOT_LIMIT)?;
    println!("first line after {:.2} s: {boot}", start.elapsed().as_secs_f64());
    guest.wait_step("modules")?;
    guest.expect("VGATE-STEP wait:go begin", Duration::from_secs(10))?;
    guest.send("go")?;
    guest.wait_step("wait:go")?;
    guest.wait_end()?;
    println!("powered off after {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

#[test]
fn a_failed_step_is_an_error_with_its_reason() -> Result<()> {
    let image = Image::build("6.12")?;
    let mut guest = Qemu::new("boot-fails", &image).steps("connectors,sleep:1").start()?;
    let error = guest.wait_step("sleep:1").unwrap_err().to_string();
    assert!(error.contains("VGATE-STEP connectors FAIL there is no DRM device"), "{error}");
    // The kernel's log came with it.
    assert!(guest.reports("VGATE-KERNEL").iter().any(|line| line.contains("Linux version 6.12.")));
    guest.wait_exit(Duration::from_secs(20))?;
    Ok(())
}

#[test]
fn a_guest_that_restarts_begins_again() -> Result<()> {
    let image = Image::build("6.12")?;
    let mut guest = Qemu::new("boot-again", &image).steps("sleep:0,reboot").reboots().start()?;
    guest.expect("VGATE-BOOT", BOOT_LIMIT)?;
    guest.expect("VGATE-END", BOOT_LIMIT)?;
    guest.expect("VGATE-BOOT", BOOT_LIMIT)?;
    guest.kill9()
}

#[test]
fn a_crashed_kernel_ends_the_guest() -> Result<()> {
    let image = Image::build("6.12")?;
    let mut guest = Qemu::new("boot-crash", &image).steps("crash").start()?;
    guest.expect("Kernel panic - not syncing: sysrq triggered crash", BOOT_LIMIT)?;
    let error = guest.wait_step("crash").unwrap_err().to_string();
    assert!(error.contains("it ended before"), "{error}");
    assert!(guest.wait_exit(Duration::from_secs(20))?.success());
    Ok(())
}

/// A plain VGA card's text console has a font too.
#[test]
fn the_console_and_its_font_are_reported() -> Result<()> {
    let image = Image::build("6.12")?;
    let vga = Qemu::new("boot-vga", &image).argument("-device").argument("VGA");
    let mut guest = vga.steps("console,font").start()?;
    guest.wait_end()?;
    assert_eq!(guest.reports("VGATE-CONSOLE")[0], "0 vgate guest boot-vga");
    assert_eq!(guest.reports("VGATE-CONSOLE-SIZE"), ["80 25"]);
    assert_eq!(guest.reports("VGATE-FONT"), ["8 16 256"]);
    let glyphs = guest.reports("VGATE-GLYPH");
    assert_eq!(glyphs.len(), 256);
    assert_eq!(glyphs[0x20], format!("32 {}", "00".repeat(16)), "a blank is blank");
    let letter = glyphs[0x41].trim_start_matches("65 ");
    assert_eq!(letter.len(), 32);
    assert!(letter.chars().any(|digit| digit != '0'), "an A is not");
    Ok(())
}

fn boots_and_loads_i915(kernel: &str) -> Result<()> {
    let image = Image::build(kernel)?;
    let mut guest = Qemu::new(&format!("boot-{kernel}"), &image).steps("modules").start()?;
    guest.expect(&format!("VGATE-BOOT boot-{kernel} {kernel}."), BOOT_LIMIT)?;
    guest.wait_step("modules")?;
    guest.expect("VGATE-END", BOOT_LIMIT).map(drop)
}

#[test]
#[ignore = "make test-long: needs scripts/setup 6.1"]
fn kernel_6_1_boots() -> Result<()> {
    boots_and_loads_i915("6.1")
}

/// Not held to end QEMU: this kernel was seen to hang at power-off.
#[test]
#[ignore = "make test-long: needs scripts/setup 7.3"]
fn kernel_7_3_boots() -> Result<()> {
    boots_and_loads_i915("7.3")
}
