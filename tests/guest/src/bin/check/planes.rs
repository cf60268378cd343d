//! Shows every pixel format, tiling, turn and blend that the driver offers, and what the screen must show then.
//!
//! For each case a line goes out, and one must come in (or the input's end) before the next:
//!
//! ```text
//! PLANE argb8888 y-tiled, rotated 90 fnv1a=0123456789abcdef
//! PLANE c8 yf-tiled refused: Invalid argument
//! ```

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};

use crate::Options;
use crate::i915::{Device, View};
use crate::overlay::{self, Overlay};
use crate::screen::{Frame, Screen};
use crate::surface::Tiling;

/// Red, green, blue.
type Colour = [u8; 3];

/// Sixteen colours that look different and use many bits.
fn colour(index: usize) -> Colour {
    let index = index % 16;
    [(index * 53 % 256) as u8, (255 - index * 17) as u8, (index * 151 % 256) as u8]
}

/// How pixels are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    /// Eight bits a colour; whether blue and red are swapped, and whether there is alpha.
    Eight {
        swapped: bool,
        alpha: bool,
    },
    /// Ten bits a colour.
    Ten {
        swapped: bool,
    },
    Rgb565,
    /// Which of a pair's four bytes are the first luma, U, the second luma, V.
    Yuv([usize; 4]),
}

const FORMATS: &[(&str, Format)] = &[
    ("XR24", Format::Eight { swapped: false, alpha: false }),
    ("XB24", Format::Eight { swapped: true, alpha: false }),
    ("AR24", Format::Eight { swapped: false, alpha: true }),
    ("AB24", Format::Eight { swapped: true, alpha: true }),
    ("XR30", Format::Ten { swapped: false }),
    ("XB30", Format::Ten { swapped: true }),
    ("RG16", Format::Rgb565),
    ("YUYV", Format::Yuv([0, 1, 2, 3])),
    ("UYVY", Format::Yuv([1, 0, 3, 2])),
    ("YVYU", Format::Yuv([0, 3, 2, 1])),
    ("VYUY", Format::Yuv([1, 2, 3, 0])),
];

fn fourcc(name: &str) -> u32 {
    name.bytes().rev().fold(0, |code, byte| code << 8 | u32::from(byte))
}

/// `a * b / 255`, rounded.
fn part(a: u8, b: u8) -> u8 {
    (f64::from(a) * f64::from(b) / 255.0).round() as u8
}

/// Alpha of the pixels that have the colour `index`.
fn alpha(index: usize) -> u8 {
    [255, 128, 0, 201][index % 4]
}

/// Luma and chroma that stand for the colour `index`.
fn yuv(index: usize) -> [u8; 3] {
    let index = index % 16;
    [(40 + index * 11) as u8, (100 + index * 23 % 60) as u8, (96 + index * 41 % 64) as u8]
}

/// BT.709 with luma from 16 to 235 and chroma from 16 to 240: what the driver asks for by default.
fn of_yuv([y, u, v]: [u8; 3]) -> Colour {
    let luma = (f64::from(y) - 16.0) / 219.0;
    let (blue, red) = ((f64::from(u) - 128.0) / 224.0, (f64::from(v) - 128.0) / 224.0);
    let (r, b) = (luma + 1.5748 * red, luma + 1.8556 * blue);
    let g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152;
    [r, g, b].map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8)
}

impl Format {
    fn bytes(self) -> usize {
        if matches!(self, Format::Rgb565 | Format::Yuv(_)) { 2 } else { 4 }
    }

    /// The pixel in column `x` that shows the colour `index`; neighbours in a pair have the same.
    fn pixel(self, index: usize, x: usize) -> u32 {
        let [r, g, b] = colour(index).map(u32::from);
        let word = |r: u32, g: u32, b: u32, bits: u32| r << (2 * bits) | g << bits | b;
        match self {
            Format::Eight { swapped, alpha: false } => {
                // What fills the unused byte must not matter.
                0x5A << 24 | if swapped { word(b, g, r, 8) } else { word(r, g, b, 8) }
            }
            Format::Eight { swapped, alpha: true } => {
                let a = alpha(index);
                let [r, g, b] = colour(index).map(|value| u32::from(part(value, a)));
                u32::from(a) << 24 | if swapped { word(b, g, r, 8) } else { word(r, g, b, 8) }
            }
            Format::Ten { swapped } => {
                let [r, g, b] = [r, g, b].map(|value| value * 4 + 1);
                if swapped { word(b, g, r, 10) } else { word(r, g, b, 10) }
            }
            Format::Rgb565 => (r >> 3) << 11 | (g >> 2) << 5 | b >> 3,
            Format::Yuv([first, u, second, v]) => {
                let mut pair = [0; 4];
                let [luma, blue, red] = yuv(index);
                (pair[first], pair[second], pair[u], pair[v]) = (luma, luma, blue, red);
                u32::from(pair[x % 2 * 2]) | u32::from(pair[x % 2 * 2 + 1]) << 8
            }
        }
    }

    /// The colour that such a pixel has, and its alpha.
    fn seen(self, index: usize) -> (Colour, u8) {
        let [r, g, b] = colour(index);
        match self {
            Format::Eight { alpha: false, .. } => ([r, g, b], 255),
            Format::Eight { alpha: true, .. } => {
                let a = alpha(index);
                ([r, g, b].map(|value| part(value, a)), a)
            }
            Format::Ten { .. } => {
                let ten = |v: u8| ((f64::from(v) * 4.0 + 1.0) * 255.0 / 1023.0).round() as u8;
                ([ten(r), ten(g), ten(b)], 255)
            }
            Format::Rgb565 => {
                let (r, g, b) = (r >> 3, g >> 2, b >> 3);
                ([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], 255)
            }
            Format::Yuv(_) => (of_yuv(yuv(index)), 255),
        }
    }
}

/// How a plane's pixels meet what is below: values of the property "pixel blend mode".
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blend {
    Premultiplied = 0,
    Coverage = 1,
    None = 2,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    format: Format,
    tiling: Tiling,
    /// Counter-clockwise, in quarters.
    quarters: u32,
    blend: Blend,
    alpha: u8,
}

impl Case {
    fn title(&self) -> String {
        let tiling = format!("{:?}", self.tiling).to_lowercase();
        let mut title = format!("{} {tiling}", self.name);
        if self.quarters > 0 {
            title += &format!(" rotated={}", self.quarters * 90);
        }
        if self.blend != Blend::Premultiplied {
            title += &format!(" blend={:?}", self.blend).to_lowercase();
        }
        if self.alpha < 255 {
            title += &format!(" alpha={}", self.alpha);
        }
        title
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let plain = |&(name, format): &(&'static str, Format), tiling| Case {
        name,
        format,
        tiling,
        quarters: 0,
        blend: Blend::Premultiplied,
        alpha: 255,
    };
    for format in FORMATS {
        cases.extend(Tiling::ALL.map(|tiling| plain(format, tiling)));
    }
    let xrgb = |tiling| plain(&FORMATS[0], tiling);
    cases.extend(Tiling::ALL.map(|tiling| Case { quarters: 2, ..xrgb(tiling) }));
    for tiling in [Tiling::Y, Tiling::Yf] {
        cases.extend([1, 3].map(|quarters| Case { quarters, ..xrgb(tiling) }));
    }
    let argb = plain(&FORMATS[2], Tiling::X);
    for blend in [Blend::Premultiplied, Blend::Coverage, Blend::None] {
        cases.extend([255, 100].map(|alpha| Case { blend, alpha, ..argb }));
    }
    cases.push(Case { alpha: 30, ..xrgb(Tiling::Linear) });
    cases
}

/// What the screen must show.
struct Expected {
    width: u32,
    pixels: Vec<Colour>,
}

impl Expected {
    /// The picture of the screen's own plane.
    fn new((width, height): (u32, u32)) -> Expected {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| colour(below(x, y))));
        Expected { width, pixels: pixels.collect() }
    }

    fn pixel(&mut self, x: u32, y: u32) -> Option<&mut Colour> {
        (x < self.width).then(|| self.pixels.get_mut((y * self.width + x) as usize))?
    }

    /// FNV-1a (64 bits) over red, green and blue, row by row.
    fn fingerprint(&self) -> u64 {
        self.pixels.iter().flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        })
    }
}

/// Colours of the screen's own plane, and of a plane above.
fn below(x: u32, y: u32) -> usize {
    (x / 40 + y / 40 * 5) as usize
}
fn above(x: usize, y: usize) -> usize {
    x / 6 + y / 5 * 3
}

fn blended(case: &Case, index: usize, below: Colour) -> Colour {
    let (colour, pixel_alpha) = case.format.seen(index);
    let pixel_alpha = if case.blend == Blend::None { 255 } else { pixel_alpha };
    let total = part(pixel_alpha, case.alpha);
    let factor = if case.blend == Blend::Premultiplied { case.alpha } else { total };
    let mix = |channel: usize| {
        part(colour[channel], factor).saturating_add(part(below[channel], 255 - total))
    };
    [mix(0), mix(1), mix(2)]
}

/// Size of the upper plane's surface, the part of it that is shown, and where it is shown.
const SIZE: (u32, u32) = (96, 64);
const PART: overlay::Area = (6, 10, 84, 50);
const PLACE: (u32, u32) = (123, 45);

fn fill(
    frame: &Frame,
    (width, height): (u32, u32),
    pixel: impl Fn(usize, usize) -> u32,
) -> Result<()> {
    let mut bytes = vec![0; frame.buffer.size()];
    let size = frame.surface.pixel_bytes;
    for (x, y) in (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| (x, y))) {
        let at = frame.surface.offset(x * size, y);
        bytes[at..at + size].copy_from_slice(&pixel(x, y).to_le_bytes()[..size]);
    }
    frame.buffer.map(View::Cached)?.write(0, &bytes);
    Ok(())
}

fn expect(case: &Case, screen: (u32, u32)) -> Expected {
    let mut expected = Expected::new(screen);
    let (left, top, width, height) = PART;
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let (to_x, to_y) = match case.quarters {
            0 => (x, y),
            1 => (y, width - 1 - x),
            2 => (width - 1 - x, height - 1 - y),
            _ => (height - 1 - y, x),
        };
        let index = above((left + x) as usize, (top + y) as usize);
        // Pairs of pixels have one colour.
        let index = if matches!(case.format, Format::Yuv(_)) {
            above((left + x) as usize / 2 * 2, (top + y) as usize)
        } else {
            index
        };
        if let Some(pixel) = expected.pixel(PLACE.0 + to_x, PLACE.1 + to_y) {
            *pixel = blended(case, index, *pixel);
        }
    }
    expected
}

/// Says what is on the screen, and waits until somebody has looked.
fn say(text: &str) -> Result<()> {
    println!("PLANE {text}");
    std::io::stdout().flush()?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn show_case(
    device: &Device,
    screen: &Screen<'_>,
    overlay: &Overlay<'_>,
    case: &Case,
) -> Result<()> {
    let frame =
        screen.frame_of(device, fourcc(case.name), case.format.bytes(), case.tiling, SIZE)?;
    let yuv = matches!(case.format, Format::Yuv(_));
    fill(&frame, SIZE, |x, y| case.format.pixel(above(if yuv { x / 2 * 2 } else { x }, y), x))?;
    overlay.set("rotation", 1 << case.quarters)?;
    overlay.set("pixel blend mode", case.blend as u64)?;
    overlay.set("alpha", u64::from(case.alpha) * 0x101)?;
    let (_, _, width, height) = PART;
    let turned = if case.quarters % 2 == 1 { (height, width) } else { (width, height) };
    overlay.show(&frame, PART, (PLACE.0, PLACE.1, turned.0, turned.1))?;
    screen.wait_vblanks(2)?;
    say(&format!("{} fnv1a={:016x}", case.title(), expect(case, screen.size()).fingerprint()))?;
    overlay.hide()
}

fn show_cursor(device: &Device, screen: &Screen<'_>, side: u32, at: (i32, i32)) -> Result<()> {
    let format = Format::Eight { swapped: false, alpha: true };
    let side_bytes = side as usize * 4;
    let buffer = device.buffer(side_bytes * side as usize, 0x1_0000)?;
    let mut bytes = Vec::with_capacity(buffer.size());
    for (x, y) in (0..side as usize).flat_map(|y| (0..side as usize).map(move |x| (x, y))) {
        bytes.extend(format.pixel(above(x, y), x).to_le_bytes());
    }
    buffer.map(View::Cached)?.write(0, &bytes);
    overlay::show_cursor(screen, Some(&buffer), side, at)?;
    screen.wait_vblanks(2)?;
    let case = Case {
        name: "cursor",
        format,
        tiling: Tiling::Linear,
        quarters: 0,
        blend: Blend::Premultiplied,
        alpha: 255,
    };
    let mut expected = Expected::new(screen.size());
    for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
        let (to_x, to_y) = (at.0 + x as i32, at.1 + y as i32);
        if let (Ok(to_x), Ok(to_y)) = (u32::try_from(to_x), u32::try_from(to_y))
            && let Some(pixel) = expected.pixel(to_x, to_y)
        {
            *pixel = blended(&case, above(x as usize, y as usize), *pixel);
        }
    }
    let fingerprint = expected.fingerprint();
    say(&format!("cursor {side} at {},{} fnv1a={fingerprint:016x}", at.0, at.1))?;
    overlay::show_cursor(screen, None, side, at)
}

/// Indices on the screen's own plane, which the screen's table of colours turns into colours.
fn show_indexed(device: &Device, screen: &Screen<'_>, tiling: Tiling) -> Result<()> {
    let size = screen.size();
    let frame = screen.frame_of(device, fourcc("C8  "), 1, tiling, size)?;
    let index = |x: usize, y: usize| (x / 3 + y) as u8;
    fill(&frame, size, |x, y| u32::from(index(x, y)))?;
    let table: [Colour; 256] =
        std::array::from_fn(|n| [n as u8 ^ 0x35, 255 - n as u8, (n * 7) as u8]);
    overlay::set_colours(screen, &table)?;
    screen.show(&frame)?;
    screen.wait_vblanks(2)?;
    let pixels = (0..size.1 as usize).flat_map(|y| (0..size.0 as usize).map(move |x| (x, y)));
    let pixels = pixels.map(|(x, y)| table[usize::from(index(x, y))]).collect();
    let fingerprint = Expected { width: size.0, pixels }.fingerprint();
    let title = format!("{tiling:?}").to_lowercase();
    say(&format!("C8 {title} fnv1a={fingerprint:016x}"))
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let screen = Screen::open(&device)?;
    let size = screen.size();
    ensure!(size.0 >= 320 && size.1 >= 240, "{}x{} is too small", size.0, size.1);
    let overlay = Overlay::open(&screen)?;
    let base = screen.frame(&device, Tiling::X)?;
    let opaque = FORMATS[0].1;
    fill(&base, size, |x, y| opaque.pixel(below(x as u32, y as u32), x))?;
    screen.show(&base)?;
    let (mut shown, mut refused) = (0, 0);
    let mut count = |title: String, result: Result<()>| -> Result<()> {
        match result {
            Ok(()) => shown += 1,
            Err(error) => {
                refused += 1;
                say(&format!("{title} refused: {error:#}"))?;
            }
        }
        Ok(())
    };
    for case in cases() {
        count(case.title(), show_case(&device, &screen, &overlay, &case))?;
    }
    let (width, height) = (size.0 as i32, size.1 as i32);
    for (side, at) in [(64, (-10, -20)), (128, (width - 70, height - 60)), (256, (100, 90))] {
        count(format!("cursor {side}"), show_cursor(&device, &screen, side, at))?;
    }
    for tiling in Tiling::ALL {
        count(format!("C8 {tiling:?}").to_lowercase(), show_indexed(&device, &screen, tiling))?;
    }
    screen.show(&base).context("the first frame again")?;
    ensure!(shown > 0, "nothing was shown");
    Ok(format!("{shown} shown, {refused} refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_kernel_s() {
        assert_eq!(fourcc("XR24"), crate::uapi::FORMAT_XRGB8888);
    }

    #[test]
    fn white_and_black_come_of_their_luma() {
        assert_eq!(of_yuv([235, 128, 128]), [255; 3]);
        assert_eq!(of_yuv([16, 128, 128]), [0; 3]);
    }

    #[test]
    fn quarters_turn_counter_clockwise() {
        let case = Case { quarters: 1, ..cases()[0] };
        let expected = expect(&case, (640, 480));
        let corner = (PLACE.1 * 640 + PLACE.0) as usize;
        // The upper right corner comes to the upper left.
        let (left, top, width, _) = PART;
        let index = above((left + width - 1) as usize, top as usize);
        assert_eq!(expected.pixels[corner], colour(index));
    }
}
