//! EDID: the 128 bytes by which a monitor tells a driver who it is and what it shows.
//!
//! ```text
//!    0  header 00 ff ff ff ff ff ff 00
//!    8  maker (three letters in 15 bits), product, serial, date, version
//!   20  input, size in cm, gamma, features, chromaticity
//!   35  established and standard timings
//!   54  four descriptors of 18 bytes: the first is the preferred mode, others name the monitor
//!  126  number of 128-byte extensions that follow, checksum (all bytes sum to 0)
//! ```
//!
//! [`Monitor::edid`] makes one of release 1.4 for a DisplayPort monitor; [`Edid::parse`] takes an
//! operator's own file. Source: VESA E-EDID Standard release A2 (EDID 1.4).

use crate::mode::{Mode, ModeError, Timing};
use thiserror::Error;

/// Bytes of the base block and of each extension.
pub const BLOCK: usize = 128;
/// The most bytes that an EDID may have here: the base block and three extensions.
pub const MAX_BYTES: usize = 4 * BLOCK;
/// Characters that a monitor's name may have.
pub const MAX_NAME: usize = 13;

const HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
/// Where the descriptors lie, and how long they are.
const DESCRIPTORS: std::ops::Range<usize> = 54..126;
const DESCRIPTOR: usize = 18;
/// Descriptor tags (E-EDID A2, table 3.23).
const TAG_NAME: u8 = 0xfc;
const TAG_DUMMY: u8 = 0x10;
/// sRGB's primaries and white point as ten-bit fractions (E-EDID A2, section 3.7).
const SRGB_CHROMATICITY: [u8; 10] = [0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54];

/// What a monitor is to tell about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Its name: 1 to [`MAX_NAME`] printable ASCII characters.
    pub name: String,
    /// The product's number.
    pub product: u16,
    /// The serial number: tells apart the monitors of several VMs. 0 stands for none.
    pub serial: u32,
    /// What it shows, without scaling.
    pub mode: Mode,
}

/// A checked EDID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edid {
    bytes: Vec<u8>,
    preferred: Mode,
}

/// Why there is no such EDID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EdidError {
    /// The length isn't one, two, three or four blocks.
    #[error("an EDID has 128, 256, 384 or 512 bytes; this one has {0}")]
    Length(usize),
    /// The first eight bytes aren't an EDID's.
    #[error("this is no EDID: it doesn't begin with 00 ff ff ff ff ff ff 00")]
    Header,
    /// The major version isn't 1.
    #[error("EDID version {0}.{1} isn't known: version 1 is")]
    Version(u8, u8),
    /// A block's bytes don't sum to 0.
    #[error(
        "block {block} has a wrong checksum: its last byte is {found:#04x}, {expected:#04x} is right"
    )]
    Checksum {
        /// The block, 0 being the base block.
        block: usize,
        /// The byte that is there.
        found: u8,
        /// The byte that makes the sum 0.
        expected: u8,
    },
    /// Byte 126 disagrees with the length.
    #[error("byte 126 says that {said} extensions follow, but there are {there}")]
    Extensions {
        /// What byte 126 says.
        said: u8,
        /// Blocks after the base block.
        there: usize,
    },
    /// The first descriptor is no detailed timing, or makes no sense.
    #[error("the preferred timing (bytes 54 to 71) {0}")]
    Preferred(&'static str),
    /// The preferred timing is no mode that can be shown.
    #[error("the preferred timing can't be shown")]
    Mode(#[from] ModeError),
    /// A field of the mode is above what a detailed timing can hold.
    #[error("a detailed timing can't tell the mode: its {0} is too large or 0")]
    Field(&'static str),
    /// The name is empty, too long, or has other characters than printable ASCII.
    #[error("\"{0}\" is no monitor name: 1 to {MAX_NAME} printable ASCII characters are")]
    Name(String),
}

impl Monitor {
    /// A monitor of this mode named "vgate", without a serial number.
    pub fn new(mode: Mode) -> Monitor {
        Monitor { name: "vgate".into(), product: 1, serial: 0, mode }
    }

    /// The monitor's EDID: 128 bytes, version 1.4, DisplayPort, 8 bits a colour, sRGB; its size
    /// in millimetres is that of 96 dots per inch. Errors: [`EdidError::Name`],
    /// [`EdidError::Field`], [`EdidError::Mode`].
    pub fn edid(&self) -> Result<Edid, EdidError> {
        let printable = self.name.bytes().all(|b| (0x20..0x7f).contains(&b));
        if !printable || self.name.trim().is_empty() || self.name.len() > MAX_NAME {
            return Err(EdidError::Name(self.name.chars().take(40).collect()));
        }
        self.mode.check()?;
        let size = (millimetres(self.mode.width()), millimetres(self.mode.height()));
        let centimetres = |mm: u32| u8::try_from((mm + 5) / 10).unwrap_or(u8::MAX);

        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend(HEADER);
        bytes.extend(maker(*b"VGT"));
        bytes.extend(self.product.to_le_bytes());
        bytes.extend(self.serial.to_le_bytes());
        bytes.extend([0, 36]); // No week; the year 1990 + 36.
        bytes.extend([1, 4]); // EDID 1.4.
        bytes.push(0x80 | 0b010 << 4 | 0b0101); // Digital, 8 bits a colour, DisplayPort.
        bytes.extend([centimetres(size.0), centimetres(size.1)]);
        bytes.push(120); // Gamma: (120 + 100) / 100 = 2.2.
        bytes.push(0b110); // RGB 4:4:4 only, sRGB, the preferred timing is the native one.
        bytes.extend(SRGB_CHROMATICITY);
        bytes.extend([0x20, 0, 0]); // Established timings: 640x480 at 60 Hz, DisplayPort's fail-safe.
        bytes.extend([1; 16]); // No standard timings.
        bytes.extend(detailed_timing(&self.mode, size)?);
        bytes.extend(name_descriptor(&self.name));
        bytes.extend(dummy_descriptor());
        bytes.extend(dummy_descriptor());
        bytes.push(0); // No extensions.
        bytes.push(checksum(&bytes));
        Edid::parse(&bytes)
    }
}

impl Edid {
    /// Checks an EDID: length, header, version, checksums, number of extensions, and that its
    /// preferred timing is a progressive mode within the limits of [`crate::mode`].
    pub fn parse(bytes: &[u8]) -> Result<Edid, EdidError> {
        let (blocks, []) = bytes.as_chunks::<BLOCK>() else {
            return Err(EdidError::Length(bytes.len()));
        };
        let (Some((base, extensions)), ..=MAX_BYTES) = (blocks.split_first(), bytes.len()) else {
            return Err(EdidError::Length(bytes.len()));
        };
        if base[..8] != HEADER {
            return Err(EdidError::Header);
        }
        if base[18] != 1 {
            return Err(EdidError::Version(base[18], base[19]));
        }
        for (block, bytes) in blocks.iter().enumerate() {
            let (found, expected) = (bytes[BLOCK - 1], checksum(&bytes[..BLOCK - 1]));
            if found != expected {
                return Err(EdidError::Checksum { block, found, expected });
            }
        }
        if usize::from(base[126]) != extensions.len() {
            return Err(EdidError::Extensions { said: base[126], there: extensions.len() });
        }
        let preferred = parse_detailed_timing(descriptors(base)[0])?;
        preferred.check()?;
        Ok(Edid { bytes: bytes.to_vec(), preferred })
    }

    /// All bytes: 128 for the base block and for each extension.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The mode of the preferred timing.
    pub fn preferred_mode(&self) -> Mode {
        self.preferred
    }

    /// The monitor's name, if it tells one. Characters other than printable ASCII become '?'.
    pub fn name(&self) -> Option<String> {
        let base = self.bytes.first_chunk::<BLOCK>()?;
        let named = descriptors(base).into_iter().find(|d| d[..4] == [0, 0, 0, TAG_NAME])?;
        let text = named[5..].iter().take_while(|&&b| b != b'\n');
        let text: String =
            text.map(|&b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '?' }).collect();
        Some(text.trim_end().to_owned())
    }
}

/// The four descriptors of a base block.
fn descriptors(base: &[u8; BLOCK]) -> [&[u8; DESCRIPTOR]; 4] {
    let all = base[DESCRIPTORS].as_chunks::<DESCRIPTOR>().0;
    [&all[0], &all[1], &all[2], &all[3]]
}

/// The byte that makes a block's sum 0.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)).wrapping_neg()
}

/// Three letters, five bits each (A = 1), big-endian.
fn maker(letters: [u8; 3]) -> [u8; 2] {
    let code = letters.iter().fold(0u16, |code, b| code << 5 | u16::from(b & 0x1f));
    code.to_be_bytes()
}

/// The length of so many pixels at 96 dots per inch, rounded.
fn millimetres(pixels: u32) -> u32 {
    (pixels * 254 + 480) / 960
}

fn name_descriptor(name: &str) -> [u8; DESCRIPTOR] {
    let mut descriptor = [b' '; DESCRIPTOR];
    descriptor[..5].copy_from_slice(&[0, 0, 0, TAG_NAME, 0]);
    // A name shorter than the field ends with a line feed; blanks follow.
    for (to, from) in descriptor[5..].iter_mut().zip(name.bytes().chain([b'\n'])) {
        *to = from;
    }
    descriptor
}

fn dummy_descriptor() -> [u8; DESCRIPTOR] {
    let mut descriptor = [0; DESCRIPTOR];
    descriptor[3] = TAG_DUMMY;
    descriptor
}

/// A mode as a detailed timing descriptor (E-EDID A2, section 3.10.2), `size` in millimetres.
fn detailed_timing(mode: &Mode, size: (u32, u32)) -> Result<[u8; DESCRIPTOR], EdidError> {
    let fits = |value: u32, bits: u32, what| {
        if value == 0 || value >= 1 << bits { Err(EdidError::Field(what)) } else { Ok(value) }
    };
    let (h, v) = (&mode.horizontal, &mode.vertical);
    let clock = fits(mode.pixel_clock_khz.saturating_add(5) / 10, 16, "pixel clock")?;
    let (h_active, v_active) = (fits(h.active, 12, "width")?, fits(v.active, 12, "height")?);
    let h_blank = fits(h.blanking(), 12, "horizontal blanking")?;
    let v_blank = fits(v.blanking(), 12, "vertical blanking")?;
    let h_porch = fits(h.front_porch, 10, "horizontal front porch")?;
    let v_porch = fits(v.front_porch, 6, "vertical front porch")?;
    let (h_sync, v_sync) =
        (fits(h.sync, 10, "horizontal sync")?, fits(v.sync, 6, "vertical sync")?);
    let (mm_x, mm_y) = (fits(size.0, 12, "physical width")?, fits(size.1, 12, "physical height")?);

    let low = |value: u32| value as u8;
    let nibbles = |high: u32, low: u32| ((high & 0xf) << 4 | low & 0xf) as u8;
    Ok([
        low(clock),
        low(clock >> 8),
        low(h_active),
        low(h_blank),
        nibbles(h_active >> 8, h_blank >> 8),
        low(v_active),
        low(v_blank),
        nibbles(v_active >> 8, v_blank >> 8),
        low(h_porch),
        low(h_sync),
        nibbles(v_porch, v_sync),
        low((h_porch >> 8) << 6 | (h_sync >> 8) << 4 | (v_porch >> 4) << 2 | v_sync >> 4),
        low(mm_x),
        low(mm_y),
        nibbles(mm_x >> 8, mm_y >> 8),
        0, // No borders.
        0,
        // Progressive, no stereo, digital separate sync with its polarities.
        0b11 << 3 | u8::from(v.positive) << 2 | u8::from(h.positive) << 1,
    ])
}

/// The mode of a detailed timing descriptor.
fn parse_detailed_timing(d: &[u8; DESCRIPTOR]) -> Result<Mode, EdidError> {
    let wide = |low: u8, high: u8| u32::from(low) | u32::from(high & 0xf) << 8;
    let clock = u32::from(u16::from_le_bytes([d[0], d[1]]));
    let (flags, upper) = (d[17], u32::from(d[11]));
    if clock == 0 {
        return Err(EdidError::Preferred("isn't a detailed timing"));
    }
    if flags & 0x80 != 0 {
        return Err(EdidError::Preferred("is interlaced"));
    }
    let separate_sync = flags >> 3 & 0b11 == 0b11;
    let (active, blank) = (wide(d[2], d[4] >> 4), wide(d[3], d[4]));
    let horizontal = Timing {
        active,
        front_porch: u32::from(d[8]) | (upper >> 6) << 8,
        sync: u32::from(d[9]) | (upper >> 4 & 0b11) << 8,
        total: active + blank,
        positive: separate_sync && flags & 0b010 != 0,
    };
    let (active, blank) = (wide(d[5], d[7] >> 4), wide(d[6], d[7]));
    let vertical = Timing {
        active,
        front_porch: u32::from(d[10] >> 4) | (upper >> 2 & 0b11) << 4,
        sync: u32::from(d[10] & 0xf) | (upper & 0b11) << 4,
        total: active + blank,
        positive: separate_sync && flags & 0b100 != 0,
    };
    for timing in [horizontal, vertical] {
        if timing.sync == 0 || timing.front_porch + timing.sync > timing.blanking() {
            return Err(EdidError::Preferred("has a sync pulse of 0 or outside the blanking"));
        }
    }
    Ok(Mode { pixel_clock_khz: clock * 10, horizontal, vertical })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edid(mode: &str) -> Edid {
        Monitor::new(mode.parse().unwrap()).edid().unwrap()
    }

    /// The bytes of a sound EDID, changed, with its checksum made right again.
    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Edid, EdidError> {
        let mut bytes = edid("1920x720").bytes().to_vec();
        change(&mut bytes);
        for block in bytes.chunks_mut(BLOCK) {
            if let Some((last, rest)) = block.split_last_mut() {
                *last = checksum(rest);
            }
        }
        Edid::parse(&bytes)
    }

    #[test]
    fn an_edid_tells_its_monitor() {
        let mode: Mode = "1920x720".parse().unwrap();
        let name = "Thirteen char".to_owned();
        let edid = Monitor { name, product: 7, serial: 9, mode }.edid().unwrap();
        assert_eq!(edid.bytes().len(), 128);
        assert_eq!(edid.preferred_mode(), mode);
        assert_eq!(edid.name().as_deref(), Some("Thirteen char"));
        assert_eq!(edid.bytes()[8..16], [0x58, 0xf4, 7, 0, 9, 0, 0, 0]);
        assert_eq!(Edid::parse(edid.bytes()), Ok(edid));
    }

    #[test]
    fn names_that_dont_fit_are_refused() {
        for name in ["", " ", "fourteen chars", "naïve", "two\nlines"] {
            let monitor = Monitor { name: name.into(), ..Monitor::new("800x600".parse().unwrap()) };
            assert_eq!(monitor.edid(), Err(EdidError::Name(name.into())));
        }
    }

    #[test]
    fn modes_that_dont_fit_are_refused() {
        let mut mode: Mode = "800x600".parse().unwrap();
        mode.vertical.front_porch = 64;
        mode.vertical.total += 64;
        assert_eq!(Monitor::new(mode).edid(), Err(EdidError::Field("vertical front porch")));
        mode.pixel_clock_khz = 700_000;
        let error = EdidError::Mode(ModeError::PixelClock(700_000));
        assert_eq!(Monitor::new(mode).edid(), Err(error));
    }

    #[test]
    fn broken_files_are_refused_with_the_reason() {
        let good = edid("1920x720").bytes().to_vec();
        assert_eq!(Edid::parse(&[]), Err(EdidError::Length(0)));
        assert_eq!(Edid::parse(&good[..127]), Err(EdidError::Length(127)));
        assert_eq!(Edid::parse(&good.repeat(5)), Err(EdidError::Length(640)));
        let mut bytes = good.clone();
        bytes[127] ^= 1;
        assert!(matches!(Edid::parse(&bytes), Err(EdidError::Checksum { block: 0, .. })));
        assert_eq!(changed(|b| b[0] = 1), Err(EdidError::Header));
        assert_eq!(changed(|b| b[18] = 2), Err(EdidError::Version(2, 4)));
        assert_eq!(changed(|b| b[126] = 1), Err(EdidError::Extensions { said: 1, there: 0 }));
        assert_eq!(
            changed(|b| b.extend([0; 128])),
            Err(EdidError::Extensions { said: 0, there: 1 })
        );
        assert!(matches!(changed(|b| b[54..56].fill(0)), Err(EdidError::Preferred(_))));
        assert!(matches!(changed(|b| b[71] |= 0x80), Err(EdidError::Preferred(_))));
        assert!(matches!(changed(|b| b[62] = 255), Err(EdidError::Preferred(_))));
        assert!(matches!(
            changed(|b| b[58] &= 0x0f),
            Err(EdidError::Mode(ModeError::Size(128, 720)))
        ));
    }

    #[test]
    fn extensions_are_kept() {
        let with = changed(|b| {
            b[126] = 2;
            b.extend([2; 256]);
        });
        assert_eq!(with.unwrap().bytes().len(), 384);
    }

    proptest! {
        #[test]
        fn every_mode_survives_its_edid(
            width in 640..=3840u32, height in 480..=2160u32, refresh in 24..=75u32,
        ) {
            if let Ok(mode) = Mode::new(width, height, refresh) {
                // A detailed timing counts in 10 kHz.
                let told = Mode { pixel_clock_khz: (mode.pixel_clock_khz + 5) / 10 * 10, ..mode };
                prop_assert_eq!(Monitor::new(mode).edid().unwrap().preferred_mode(), told);
            }
        }

        #[test]
        fn no_bytes_make_parse_panic(
            timing in prop::array::uniform18(any::<u8>()), noise: Vec<u8>, at in 0..128usize, value: u8,
        ) {
            let _ = Edid::parse(&noise);
            let _ = changed(|b| b[54..72].copy_from_slice(&timing));
            if let Ok(edid) = changed(|b| b[at] = value) {
                edid.name();
                edid.preferred_mode().refresh_millihertz();
            }
        }
    }
}
