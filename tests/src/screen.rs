//! What a guest reports of its screen, against a picture of it.

use anyhow::{Context, Result, ensure};
use display::{Font, Picture};

use crate::Guest;

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

/// Fails unless a picture of the console shows the page of the guest's step `console` in the font of its step `font`.
///
/// # Errors
/// If it does not, or if the guest reported neither.
pub fn shows_what_was_printed(guest: &Guest, picture: &Picture) -> Result<()> {
    let text = font(guest)?.read(picture);
    let rows = printed(guest);
    ensure!(rows.len() >= 5, "the guest printed only {rows:?}");
    for (row, expected) in rows {
        let found = text.line(row);
        let same = found.as_deref() == Some(expected.as_str());
        ensure!(same, "row {row} is {found:?}, not {expected:?}, of\n{text}");
    }
    Ok(())
}

/// FNV-1a over red, green and blue, row by row, as the guest's program prints it of the picture that it expects:
/// `fnv1a=0123456789abcdef`.
pub fn fingerprint(picture: &Picture) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for [red, green, blue, _] in picture.rgba().as_chunks().0 {
        for byte in [red, green, blue] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    format!("fnv1a={hash:016x}")
}
