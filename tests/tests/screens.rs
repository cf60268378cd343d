//! What a guest draws is what its screen shows, and no other's.

use std::time::Duration;

use anyhow::{Result, ensure};
use vgate_tests::{Image, Qemu, Vgate, fingerprint, nothing_was_refused, shows_what_was_printed};

const DRAW_LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_screenshot_of_the_console_shows_the_text_that_the_guest_printed() -> Result<()> {
    let vgate = Vgate::for_vms("console", &[("guest", "800x600")])?;
    let mut guest = Qemu::new("console", &Image::build("6.12")?)
        .gpu(&vgate, "guest")
        .steps("modules,font,console,sleep:1,wait:end")
        .start()?;
    guest.wait_step("sleep:1")?;
    let picture = vgate.screenshot("guest")?;
    assert_eq!((picture.width(), picture.height()), (800, 600));
    shows_what_was_printed(&guest, &picture)?;
    guest.send("end")?;
    guest.wait_end()
}

#[test]
fn two_guests_at_once_each_see_only_their_own() -> Result<()> {
    let vms = [("left", "1024x768", 20), ("right", "1280x480", 200)];
    let vgate = Vgate::for_vms("two", &vms.map(|(name, monitor, _)| (name, monitor)))?;
    let image = Image::build("6.12")?;
    let mut guests = Vec::new();
    for (name, _, hue) in vms {
        let draw = format!("check:patterns:--final:--hue:{hue}:--hold:600");
        let guest = Qemu::new(name, &image)
            .gpu(&vgate, name)
            .steps(&format!("modules,font,console,sleep:1,wait:draw,check:stores,{draw}"))
            .kernel_argument("vgate.timeout=900");
        guests.push(guest.start()?);
    }
    for (guest, (name, ..)) in guests.iter_mut().zip(vms) {
        guest.wait_step("sleep:1")?;
        shows_what_was_printed(guest, &vgate.screenshot(name)?)?;
    }
    // Both at the same time: stores that each checks, and pictures.
    for guest in &mut guests {
        guest.send("draw")?;
    }
    let mut fingerprints = Vec::new();
    for (guest, (name, monitor, _)) in guests.iter_mut().zip(vms) {
        guest.wait_step("check:stores")?;
        let line = guest.expect("CHECK patterns ok final", DRAW_LIMIT)?;
        let picture = vgate.screenshot(name)?;
        assert_eq!(format!("{}x{}", picture.width(), picture.height()), monitor);
        let found = fingerprint(&picture);
        ensure!(line.contains(&found), "{name}: the screenshot is {found}, but {line}");
        fingerprints.push(found);
        nothing_was_refused(&vgate.show(name)?)?;
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
    Ok(())
}
