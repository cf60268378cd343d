//! The whole display, as a stock driver programs it: monitors, planes, flips, plugs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vgate_tests::{Guest, Image, Qemu, Vgate, fingerprint, shows_what_was_printed};

/// All planes, or all flips, on a slow machine.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

fn start(name: &str, vgate: &Vgate, steps: &str) -> Result<Guest> {
    let qemu = Qemu::new(name, &Image::build("6.12")?).gpu(vgate, "guest");
    qemu.kernel_argument("vgate.timeout=600").steps(steps).start()
}

/// The monitor's first mode is the driver's, and the console is on it.
fn shows_a_console(mode: &str) -> Result<()> {
    let name = format!("display-{mode}");
    let vgate = Vgate::for_vms(&name, &[("guest", mode)])?;
    let mut guest = start(&name, &vgate, "modules,connectors,font,console,sleep:1,wait:end")?;
    guest.wait_step("sleep:1")?;
    let connectors = guest.reports("VGATE-CONNECTOR");
    ensure!(connectors[0].starts_with(&format!("card0-DP-1 connected {mode}")), "{connectors:?}");
    let picture = vgate.screenshot("guest")?;
    assert_eq!(format!("{}x{}", picture.width(), picture.height()), mode);
    shows_what_was_printed(&guest, &picture)?;
    guest.send("end")?;
    guest.wait_end()
}

#[test]
fn the_smallest_monitor_shows_a_console() -> Result<()> {
    shows_a_console("640x480")
}

#[test]
#[ignore = "make test-long: a boot each"]
fn a_wide_monitor_shows_a_console() -> Result<()> {
    shows_a_console("1920x720")
}

#[test]
#[ignore = "make test-long: a boot each"]
fn the_largest_monitor_shows_a_console() -> Result<()> {
    shows_a_console("3840x2160")
}

/// What the driver of Linux 6.12 refuses to scan out.
const REFUSED: &[&str] = &["c8 yf"];

#[test]
fn every_format_tiling_turn_and_blend_shows_what_was_drawn() -> Result<()> {
    let vgate = Vgate::for_vms("display-planes", &[("guest", "640x480")])?;
    shows_every_plane("display-planes", &vgate)
}

#[test]
#[ignore = "make test-long: as without PVINFO"]
fn a_bare_gpu_shows_what_was_drawn_in_every_format_tiling_turn_and_blend() -> Result<()> {
    let vm = "[[vm]]\nname = \"guest\"\nmonitor = \"640x480\"\npvinfo = \"off\"\n";
    let configuration = format!("control = \"control\"\n{vm}");
    let vgate = Vgate::start("bare-planes", &configuration, &["control", "guest.sock"])?;
    shows_every_plane("bare-planes", &vgate)
}

fn shows_every_plane(name: &str, vgate: &Vgate) -> Result<()> {
    let mut guest = start(name, vgate, "modules,check:planes,poweroff")?;
    guest.wait_step("modules")?;
    let (mut wrong, mut refused, mut right) = (Vec::new(), Vec::new(), 0);
    loop {
        let line = guest.expect("VGATE-CHECK", CHECK_LIMIT)?;
        let Some((_, case)) = line.split_once("VGATE-CHECK PLANE ") else {
            ensure!(line.contains("CHECK planes ok"), "{line}");
            println!("{line}");
            break;
        };
        if let Some((title, why)) = case.split_once(" refused: ") {
            println!("{title}: {why}");
            refused.push(title.to_owned());
        } else {
            let (title, expected) = case.rsplit_once(' ').context("no fingerprint")?;
            let found = fingerprint(&vgate.screenshot("guest")?);
            if found == expected {
                right += 1;
            } else {
                wrong.push(title.to_owned());
            }
        }
        guest.send("next")?;
    }
    println!("{right} right");
    ensure!(wrong.is_empty(), "shown wrong: {wrong:#?}");
    assert_eq!(refused, REFUSED);
    guest.wait_end()
}

#[test]
fn flips_end_in_order_and_at_the_mode_s_rate() -> Result<()> {
    for mode in ["1024x768@60", "800x600@30"] {
        let vgate = Vgate::for_vms("display-flips", &[("guest", mode)])?;
        let mut guest = start("display-flips", &vgate, "modules,check:flips")?;
        let line = guest.expect("CHECK flips ok", CHECK_LIMIT)?;
        println!("{mode}: {line}");
        guest.wait_end()?;
    }
    Ok(())
}

#[test]
fn a_monitor_is_pulled_out_and_another_plugged_in() -> Result<()> {
    let vgate = Vgate::for_vms("display-plug", &[("guest", "1024x768")])?;
    let steps = "modules,connectors,wait:out,status:disconnected,connectors,wait:in,status:connected,sleep:1,\
                 connectors,check:patterns:--final:--hold:600";
    let mut guest = start("display-plug", &vgate, steps)?;
    let control = vgate.path("control");
    let control = control.to_str().context("path")?;
    let ctl = |words: &[&str]| vgate.command(&[&["ctl", "--control", control], words].concat());

    guest.expect("VGATE-STEP wait:out begin", CHECK_LIMIT)?;
    ctl(&["unplug", "guest"])?;
    guest.send("out")?;
    guest.wait_step("status:disconnected")?;
    guest.expect("VGATE-STEP wait:in begin", CHECK_LIMIT)?;
    ctl(&["plug", "guest", "--monitor", "1920x720"])?;
    guest.send("in")?;
    guest.wait_step("status:connected")?;
    let line = guest.expect("CHECK patterns ok final", CHECK_LIMIT)?;

    let connectors = guest.reports("VGATE-CONNECTOR");
    assert_eq!(connectors.len(), 3);
    ensure!(connectors[0].starts_with("card0-DP-1 connected 1024x768"), "{connectors:?}");
    assert_eq!(connectors[1].trim(), "card0-DP-1 disconnected");
    // Only modes within the console's frame buffer are listed, until somebody else asks.
    ensure!(connectors[2].starts_with("card0-DP-1 connected"), "{connectors:?}");
    let monitor = display::Monitor::new("1920x720".parse()?).edid()?;
    let hex: String = monitor.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let edids = guest.reports("VGATE-EDID");
    assert_eq!(edids.last(), Some(&format!("card0-DP-1 {hex}")));
    assert_ne!(edids.first(), edids.last());
    let picture = vgate.screenshot("guest")?;
    assert_eq!((picture.width(), picture.height()), (1920, 720));
    ensure!(line.contains(&fingerprint(&picture)), "{line}");
    Ok(())
}
