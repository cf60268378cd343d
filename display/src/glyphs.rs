//! Text read back from a picture of a console: tests see what a guest's kernel prints.
//!
//! A console draws each character as the same small bitmap, so no guessing is needed: the picture
//! is cut into cells, a cell's pixels become bits, and the bits are looked up in the console's
//! font. What isn't in the font to the last pixel (a blinking cursor on a letter, graphics) reads
//! as U+FFFD.
//!
//! ```text
//!  cell's pixels ─► darker or lighter than halfway between the cell's extremes
//!                ─► the commoner side is the background ─► bits ─► the font's character
//! ```

use crate::picture::Picture;
use std::collections::HashMap;
use std::fmt;
use thiserror::Error;

/// Most pixels across in a glyph.
pub const MAX_WIDTH: u32 = 32;
/// Most rows in a glyph.
pub const MAX_HEIGHT: u32 = 128;
/// Most glyphs in a font: Linux's consoles hold 512.
pub const MAX_GLYPHS: usize = 512;
/// What a cell reads as whose pixels are no glyph.
pub const UNKNOWN: char = char::REPLACEMENT_CHARACTER;
/// Luminances closer than this (of 255) count as one colour.
const LEAST_CONTRAST: u32 = 24;

/// A console's bitmap font.
#[derive(Clone, Debug)]
pub struct Font {
    width: u32,
    height: u32,
    /// From a glyph's rows (the leftmost pixel is bit `width - 1`) to its character.
    characters: HashMap<Vec<u32>, char>,
}

/// Why bytes are no font.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FontError {
    /// The first bytes are neither PSF1's nor PSF2's.
    #[error("this is no PSF font: it begins with neither 36 04 nor 72 b5 4a 86")]
    Magic,
    /// Glyphs that no console has.
    #[error(
        "glyphs of {width}x{height} pixels in {bytes} bytes can't be: 1x1 to {MAX_WIDTH}x{MAX_HEIGHT} can"
    )]
    GlyphSize {
        /// Pixels across.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes of a glyph.
        bytes: u32,
    },
    /// No glyphs, or more than [`MAX_GLYPHS`].
    #[error("a font of {0} glyphs can't be: 1 to {MAX_GLYPHS} can")]
    Count(u32),
    /// The bytes end before the last glyph does.
    #[error("the font ends too early")]
    Short,
}

/// How the glyphs of a font lie in its bytes.
#[derive(Clone, Copy, Debug)]
struct Shape {
    width: u32,
    height: u32,
    bytes_per_glyph: u32,
    count: u32,
}

impl Shape {
    /// The glyphs at the start of `bytes`, and what follows them.
    fn split(self, bytes: &[u8]) -> Result<(impl Iterator<Item = Vec<u32>>, &[u8]), FontError> {
        let Shape { width, height, bytes_per_glyph, count } = self;
        let row_bytes = width.div_ceil(8);
        let sizes = (1..=MAX_WIDTH).contains(&width) && (1..=MAX_HEIGHT).contains(&height);
        // KDFONTOP pads each glyph to 32 rows, and up to 128 rows exist.
        let room = (1..=MAX_HEIGHT * 4).contains(&bytes_per_glyph);
        if !sizes || !room || row_bytes * height > bytes_per_glyph {
            return Err(FontError::GlyphSize { width, height, bytes: bytes_per_glyph });
        }
        if count == 0 || count as usize > MAX_GLYPHS {
            return Err(FontError::Count(count));
        }
        let length = count as usize * bytes_per_glyph as usize;
        let (glyphs, rest) = bytes.split_at_checked(length).ok_or(FontError::Short)?;
        let rows = move |glyph: &[u8]| {
            let rows = glyph.chunks_exact(row_bytes as usize).take(height as usize);
            let row = |bytes: &[u8]| bytes.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b));
            rows.map(|bytes| row(bytes) >> (row_bytes * 8 - width)).collect()
        };
        Ok((glyphs.chunks_exact(bytes_per_glyph as usize).map(rows), rest))
    }
}

/// The character of a glyph when the font doesn't say: its place, if that is printable ASCII.
fn ascii(place: usize) -> char {
    u8::try_from(place).ok().filter(|b| (0x20..0x7f).contains(b)).map_or(UNKNOWN, char::from)
}

/// Of the characters that one glyph stands for, the one to read: ASCII if there is any.
fn preferred(mut characters: impl Iterator<Item = char>) -> char {
    let Some(first) = characters.next() else { return UNKNOWN };
    let printable = |c: &char| c.is_ascii() && !c.is_ascii_control();
    if printable(&first) { first } else { characters.find(printable).unwrap_or(first) }
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

impl Font {
    fn new(
        shape: Shape,
        glyphs: impl Iterator<Item = Vec<u32>>,
        character: impl Fn(usize) -> char,
    ) -> Font {
        let mut characters = HashMap::new();
        for (place, glyph) in glyphs.enumerate() {
            // Some glyphs are there twice (a blank, a dash): ASCII wins, then the first.
            let c = character(place);
            let known = characters.entry(glyph).or_insert(c);
            if c.is_ascii() && !known.is_ascii() {
                *known = c;
            }
        }
        Font { width: shape.width, height: shape.height, characters }
    }

    /// A font of glyphs one after another, each `bytes_per_glyph` long, rows from the top padded
    /// to bytes; glyph 0x41 is 'A'. Linux's KDFONTOP gives 8x16 glyphs in 32 bytes each, a font
    /// file without a header has 16. Bytes after the last whole glyph are ignored.
    pub fn from_raw(
        bytes: &[u8],
        width: u32,
        height: u32,
        bytes_per_glyph: u32,
    ) -> Result<Font, FontError> {
        let count = bytes.len().checked_div(bytes_per_glyph as usize).unwrap_or(0);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let shape = Shape { width, height, bytes_per_glyph, count };
        let (glyphs, _) = shape.split(bytes)?;
        Ok(Font::new(shape, glyphs, ascii))
    }

    /// A font in a PSF1 or PSF2 file (not compressed), with its Unicode table if it has one.
    pub fn parse_psf(file: &[u8]) -> Result<Font, FontError> {
        match file {
            [0x36, 0x04, mode, height, rest @ ..] => Font::parse_psf1(*mode, *height, rest),
            [0x72, 0xb5, 0x4a, 0x86, ..] => Font::parse_psf2(file),
            _ => Err(FontError::Magic),
        }
    }

    /// PSF1: mode bit 0 says 512 glyphs, bits 1 and 2 a table of 16-bit characters in which 0xffff
    /// ends a glyph's and 0xfffe begins sequences.
    fn parse_psf1(mode: u8, height: u8, bytes: &[u8]) -> Result<Font, FontError> {
        let height = u32::from(height);
        let count = if mode & 1 == 0 { 256 } else { 512 };
        let shape = Shape { width: 8, height, bytes_per_glyph: height, count };
        let (glyphs, table) = shape.split(bytes)?;
        if mode & 0b110 == 0 {
            return Ok(Font::new(shape, glyphs, ascii));
        }
        let units: Vec<u16> =
            table.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        let names: Vec<char> = units
            .split(|unit| *unit == 0xffff)
            .map(|units| {
                let single = units.iter().take_while(|unit| **unit != 0xfffe);
                preferred(single.filter_map(|unit| char::from_u32(u32::from(*unit))))
            })
            .collect();
        Ok(Font::new(shape, glyphs, |place| names.get(place).copied().unwrap_or(UNKNOWN)))
    }

    /// PSF2: eight 32-bit words (magic, version, header's length, flags, glyphs, bytes of a glyph,
    /// height, width); flag 0 says that a table in UTF-8 follows, in which 0xff ends a glyph's
    /// characters and 0xfe begins sequences.
    fn parse_psf2(file: &[u8]) -> Result<Font, FontError> {
        let word = |index: usize| le_u32(file, index * 4).ok_or(FontError::Short);
        let shape =
            Shape { count: word(4)?, bytes_per_glyph: word(5)?, height: word(6)?, width: word(7)? };
        let bytes = file.get(word(2)? as usize..).ok_or(FontError::Short)?;
        let (glyphs, table) = shape.split(bytes)?;
        if word(3)? & 1 == 0 {
            return Ok(Font::new(shape, glyphs, ascii));
        }
        let names: Vec<char> = table
            .split(|byte| *byte == 0xff)
            .map(|bytes| {
                let single = bytes.split(|byte| *byte == 0xfe).next().unwrap_or_default();
                preferred(String::from_utf8_lossy(single).chars())
            })
            .collect();
        Ok(Font::new(shape, glyphs, |place| names.get(place).copied().unwrap_or(UNKNOWN)))
    }

    /// Pixels across in a cell.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows of pixels in a cell.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Reads a picture whose upper left corner is a cell's. Pixels right of the last whole cell
    /// and below it are left out. A cell of one colour reads as a blank.
    pub fn read(&self, picture: &Picture) -> TextGrid {
        let (columns, rows) = (picture.width() / self.width, picture.height() / self.height);
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        let cells = places.map(|(column, row)| self.read_cell(picture, column, row)).collect();
        TextGrid { columns: columns as usize, rows: rows as usize, cells }
    }

    fn read_cell(&self, picture: &Picture, column: u32, row: u32) -> char {
        let (left, top) = (column * self.width, row * self.height);
        let shade = |x, y| picture.pixel(left + x, top + y).map_or(0, luminance);
        let shades: Vec<u32> =
            (0..self.height).flat_map(|y| (0..self.width).map(move |x| shade(x, y))).collect();
        let (darkest, lightest) =
            shades.iter().fold((u32::MAX, 0), |(low, high), s| (low.min(*s), high.max(*s)));
        if lightest.saturating_sub(darkest) < LEAST_CONTRAST {
            return ' ';
        }
        let light = |shade: &u32| shade * 2 > darkest + lightest;
        let light_count = shades.iter().filter(|shade| light(shade)).count();
        let light_on_dark = light_count * 2 <= shades.len();
        // A glyph may cover most of its cell, so the other way round is tried as well.
        [light_on_dark, !light_on_dark]
            .into_iter()
            .find_map(|ink_is_light| {
                let rows = shades.chunks_exact(self.width as usize);
                let bit = |bits, shade| bits << 1 | u32::from(light(shade) == ink_is_light);
                let glyph: Vec<u32> = rows.map(|row| row.iter().fold(0, bit)).collect();
                self.characters.get(&glyph).copied()
            })
            .unwrap_or(UNKNOWN)
    }
}

/// How light a colour is, 0 to 255 (Rec. 601 weights in 256ths).
fn luminance([r, g, b, _]: [u8; 4]) -> u32 {
    (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8
}

/// The text of a console, a character a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextGrid {
    columns: usize,
    rows: usize,
    cells: Vec<char>,
}

impl TextGrid {
    /// Characters across.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Lines.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A line, 0 being the topmost, without the blanks at its end. `None` below the last.
    pub fn line(&self, row: usize) -> Option<String> {
        let start = row.checked_mul(self.columns)?;
        let cells = self.cells.get(start..start.checked_add(self.columns)?)?;
        let line: String = cells.iter().collect();
        (row < self.rows).then(|| line.trim_end().to_owned())
    }

    /// All lines from the top.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        (0..self.rows).filter_map(|row| self.line(row))
    }

    /// Whether a line holds these words.
    pub fn contains(&self, words: &str) -> bool {
        self.lines().any(|line| line.contains(words))
    }
}

impl fmt::Display for TextGrid {
    /// All lines, the blank ones at the end left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.lines().collect();
        let used = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines.iter().take(used).try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made-up glyphs of 8x4 pixels: a glyph's rows depend on its place, only 0x20 is blank.
    fn rows(place: usize) -> [u8; 4] {
        if place == 0x20 { [0; 4] } else { [place as u8, 0x18, !(place as u8), 0] }
    }

    fn raw_font() -> Vec<u8> {
        (0..256).flat_map(rows).collect()
    }

    fn psf1(mode: u8, table: &[u8]) -> Vec<u8> {
        [&[0x36, 0x04, mode, 4], &raw_font()[..], table].concat()
    }

    fn psf2(flags: u32, table: &[u8]) -> Vec<u8> {
        let words = [0x864a_b572, 0, 32, flags, 256, 4, 4, 8];
        let header: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        [&header, &raw_font()[..], table].concat()
    }

    /// Draws `lines` as a console of 8x4 cells does, and 3 pixels more on each side.
    fn draw(lines: &[&str], columns: u32, ink: [u8; 4], paper: [u8; 4]) -> Picture {
        let (width, height) = (columns * 8 + 3, lines.len() as u32 * 4 + 3);
        let pixel = |x: u32, y: u32| {
            let line = lines.get(y as usize / 4).copied().unwrap_or_default();
            let c = line.as_bytes().get(x as usize / 8).copied().unwrap_or(b' ');
            let lit = rows(c.into())[y as usize % 4] >> (7 - x % 8) & 1 == 1;
            if lit { ink } else { paper }
        };
        let rgba = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        Picture::from_rgba(width, height, rgba).unwrap()
    }

    const GREY: [u8; 4] = [170, 170, 170, 255];
    const BLACK: [u8; 4] = [0, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 170, 255];

    #[test]
    fn text_is_read_back_in_any_colours() {
        let font = Font::from_raw(&raw_font(), 8, 4, 4).unwrap();
        for (ink, paper) in [(GREY, BLACK), (BLACK, GREY), (GREY, BLUE)] {
            let text = font.read(&draw(&["login: root", "", "# ~}!"], 12, ink, paper));
            assert_eq!((text.columns(), text.rows()), (12, 3));
            assert_eq!(text.to_string(), "login: root\n\n# ~}!\n");
            assert!(text.contains("root") && !text.contains("boot"));
            assert_eq!(text.line(3), None);
        }
    }

    #[test]
    fn a_spoilt_cell_reads_as_unknown_and_no_other() {
        let font = Font::from_raw(&raw_font(), 8, 4, 4).unwrap();
        let mut rgba = draw(&["abc"], 4, GREY, BLACK).into_rgba();
        // Row 3 of cell 1, as an underline cursor has it.
        for x in 8..16 {
            rgba[(3 * 35 + x) * 4..][..4].copy_from_slice(&GREY);
        }
        let text = font.read(&Picture::from_rgba(35, 7, rgba).unwrap());
        assert_eq!(text.line(0).unwrap(), "a\u{fffd}c");
    }

    #[test]
    fn padded_glyphs_are_read() {
        let padded: Vec<u8> =
            (0..256).flat_map(|place| [&rows(place)[..], &[0xee; 28]].concat()).collect();
        let font = Font::from_raw(&padded, 8, 4, 32).unwrap();
        assert_eq!(font.read(&draw(&["ok"], 2, GREY, BLACK)).line(0).unwrap(), "ok");
    }

    #[test]
    fn psf_tables_name_the_glyphs() {
        let picture = draw(&["a"], 1, GREY, BLACK);
        let read = |file: &[u8]| Font::parse_psf(file).unwrap().read(&picture).line(0).unwrap();
        assert_eq!(read(&psf1(0, &[])), "a");
        assert_eq!(read(&psf2(0, &[])), "a");

        // Glyph 0x61 is to be 'é' and 'z' (ASCII wins), all before it 'q'.
        let unit = |c: char| (c as u16).to_le_bytes();
        let mut table = [unit('q'), [0xff; 2]].concat().repeat(0x61);
        table.extend([unit('é'), unit('z'), [0xfe, 0xff], unit('x'), [0xff; 2]].concat());
        assert_eq!(read(&psf1(2, &table)), "z");

        let mut table = b"q\xff".repeat(0x61);
        table.extend("éz".bytes().chain(*b"\xfex\xff"));
        assert_eq!(read(&psf2(1, &table)), "z");
    }

    #[test]
    fn wrong_fonts_are_refused_with_the_reason() {
        assert!(matches!(Font::parse_psf(b"\x1f\x8b"), Err(FontError::Magic)));
        assert!(matches!(Font::parse_psf(&psf2(0, &[])[..900]), Err(FontError::Short)));
        assert!(matches!(Font::parse_psf(&[0x36, 4, 0, 0]), Err(FontError::GlyphSize { .. })));
        assert!(matches!(Font::from_raw(&[], 8, 16, 16), Err(FontError::Count(0))));
        assert!(matches!(Font::from_raw(&[0; 64], 8, 16, 0), Err(FontError::GlyphSize { .. })));
        let mut file = psf2(0, &[]);
        file[16..20].fill(0xff);
        assert!(matches!(Font::parse_psf(&file), Err(FontError::Count(u32::MAX))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_parsing_panic(
            noise: Vec<u8>, header in prop::array::uniform32(any::<u8>()), at in 4..32usize, value: u8,
        ) {
            let _ = Font::parse_psf(&noise);
            let _ = Font::from_raw(&noise, 8, 4, 4);
            for magic in [&[0x36u8, 0x04][..], &[0x72, 0xb5, 0x4a, 0x86]] {
                let _ = Font::parse_psf(&[magic, &header[magic.len()..], &noise].concat());
            }
            let mut file = psf2(1, &noise);
            file[at] = value;
            if let Ok(font) = Font::parse_psf(&file) {
                font.read(&Picture::black(40, 20).unwrap());
            }
            if let Ok(font) = Font::parse_psf(&psf1(value & 7, &noise)) {
                font.read(&draw(&["?"], 1, GREY, BLACK));
            }
        }
    }
}
