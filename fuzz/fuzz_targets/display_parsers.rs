//! Files that an operator may hand over: EDIDs and console fonts. The first byte says which.
#![no_main]

use display::{Edid, Font, Picture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((kind, file)) = input.split_first() else { return };
    match kind % 4 {
        0 => edid(file),
        // One in a thousand random checksums is right: so mend it.
        1 => {
            let mut file = file.to_vec();
            for block in file.chunks_exact_mut(128) {
                let (bytes, checksum) = block.split_at_mut(127);
                checksum[0] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
            }
            if let Some(header) = file.get_mut(..8) {
                header.copy_from_slice(&[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
            }
            edid(&file);
        }
        2 => font(Font::parse_psf(file).ok()),
        _ => {
            let Some(([width, height, bytes], glyphs)) = file.split_first_chunk() else { return };
            font(Font::from_raw(glyphs, (*width).into(), (*height).into(), (*bytes).into()).ok());
        }
    }
});

fn edid(file: &[u8]) {
    if let Ok(edid) = Edid::parse(file) {
        assert_eq!(edid.bytes(), file);
        let _ = (edid.preferred_mode(), edid.name());
    }
}

fn font(font: Option<Font>) {
    let Some(font) = font else { return };
    assert!(font.width() > 0 && font.height() > 0);
    let picture = Picture::black(64, 64).expect("a small picture");
    let grid = font.read(&picture);
    assert!(grid.columns() <= 64 && grid.rows() <= 64);
    grid.lines().for_each(drop);
}
