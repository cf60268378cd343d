//! What a guest draws is what its screen shows, and no other's.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use display::{Font, Picture};
use vgate_tests::{Guest, Image, Qemu, Vgate};

const DRAW_LIMIT: Duration = Duration::from_secs(120);

/// The font as the guest's own console reports it.
fn font(guest: &Guest) -> Result<Font> {
    let reported = guest.reports("VGATE-FONT");
    let numbers: Vec<u32> =
        reported.concat().split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [width, height, _] = numbers[..] else { anyhow::bail!("no font in {reported:?}") };
    let mut bytes = Vec::new();
    for glyph in guest.reports("VGATE-GLYPH") {
        let (_, hex) = glyph.split_once(' ').context("a glyph without dots")?;
        for at in (0..hex.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&hex[at..at + 2], 16)?);
        }
    }
    Ok(Font::from_raw(&bytes, width, height, width.div_ceil(8) * height)?)
}

/// What the guest says it printed, row by row.
fn printed(guest: &Guest) -> Vec<(usize, String)> {
    let rows = guest.reports("VGATE-CONSOLE");
    rows.iter()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(row, text)| Some((row.parse().ok()?, text.to_owned())))
        .collect()
}

fn shows_what_was_printed(guest: &Guest, picture: &Picture) -> Result<()> {
    let text = font(guest)?.read(picture);
    let rows = printed(guest);
    ensure!(rows.len() >= 5, "the guest printed only {rows:?}");
    for (row, expected) in rows {
        assert_eq!(text.line(row).as_deref(), Some(expected.as_str()), "row {row} of\n{text}");
    }
    Ok(())
}

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

/// FNV-1a over red, green and blue, row by row: what the guest's program prints of its final picture.
fn fingerprint(picture: &Picture) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for [red, green, blue, _] in picture.rgba().as_chunks().0 {
        for byte in [red, green, blue] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    format!("fnv1a={hash:016x}")
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
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
    Ok(())
}
