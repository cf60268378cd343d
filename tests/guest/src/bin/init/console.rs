//! The framebuffer console: a page of known text on it, and the font that draws it.
//!
//! A test that has the text and the font can tell what a monitor must show, dot for dot, and owns neither.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail};

use crate::command_line::CommandLine;

/// The first virtual terminal, which the framebuffer console shows.
const TERMINAL: &str = "/dev/tty1";

/// Writes the page: light grey on black (the console's own colours), no cursor, the rest of the screen blank. Reports each line as
/// `VGATE-CONSOLE ROW TEXT`, and the size as `VGATE-CONSOLE-SIZE COLUMNS ROWS`.
pub(crate) fn show_page(command_line: &CommandLine) -> Result<()> {
    let mut terminal = open()?;
    let size = rustix::termios::tcgetwinsize(&terminal).context("the terminal's size")?;
    println!("VGATE-CONSOLE-SIZE {} {}", size.ws_col, size.ws_row);
    // Reset, no cursor, no blanking, clear, home.
    let mut page = String::from("\x1bc\x1b[?25l\x1b[9;0]\x1b[2J\x1b[H");
    for (row, line) in lines(command_line.name()).iter().enumerate() {
        page += &format!("\x1b[{};1H{line}", row + 1);
        println!("VGATE-CONSOLE {row} {line}");
    }
    terminal.write_all(page.as_bytes()).context("writing the page")
}

fn lines(name: &str) -> Vec<String> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let printable = |from: u8, to: u8| (from..=to).map(char::from).collect();
    vec![
        format!("vgate guest {name}"),
        format!("Linux {release}"),
        printable(b'!', b'O'),
        printable(b'P', b'~'),
        "0123456789".repeat(8),
    ]
}

/// `struct console_font_op` of linux/kd.h.
#[repr(C)]
struct FontOperation {
    operation: libc::c_uint,
    flags: libc::c_uint,
    width: libc::c_uint,
    height: libc::c_uint,
    characters: libc::c_uint,
    data: *mut u8,
}

const KDFONTOP: libc::c_ulong = 0x4b72;
const KD_FONT_OP_GET: libc::c_uint = 1;
/// Since 6.2: like `GET`, for a font higher than 32 dots too.
const KD_FONT_OP_GET_TALL: libc::c_uint = 5;

/// The most that the kernel returns: 512 characters of 64 by 128 dots.
const FONT_BYTES: usize = 512 * 8 * 128;

/// Reports the console's font: `VGATE-FONT WIDTH HEIGHT CHARACTERS`, then for each character `VGATE-GLYPH CODE HEX`,
/// its rows from the top, each padded to whole bytes, the leftmost dot in the highest bit. Of the codes, 0x20 to 0x7e are ASCII.
pub(crate) fn report_font() -> Result<()> {
    let terminal = open()?;
    let mut data = vec![0_u8; FONT_BYTES];
    let mut get = |operation, height| {
        let mut font = FontOperation {
            operation,
            flags: 0,
            width: if height > 32 { 64 } else { 32 },
            height,
            characters: 512,
            data: data.as_mut_ptr(),
        };
        // SAFETY: the structure is the kernel's, and `data` holds the largest font that it lets through for the
        // width, height and number of characters given.
        let result = unsafe { libc::ioctl(terminal.as_raw_fd(), KDFONTOP, &raw mut font) };
        if result == 0 { Ok(font) } else { Err(std::io::Error::last_os_error()) }
    };
    // Glyphs come as many rows apart as were asked for.
    let (font, pitch) = match get(KD_FONT_OP_GET, 32) {
        Ok(font) => (font, 32),
        Err(_) => (get(KD_FONT_OP_GET_TALL, 128).context("asking for the console's font")?, 128),
    };
    let row_bytes = font.width.div_ceil(8);
    if font.width == 0 || font.height == 0 || font.characters == 0 {
        bail!("the console's font is empty: {} by {}", font.width, font.height);
    }
    println!("VGATE-FONT {} {} {}", font.width, font.height, font.characters);
    let glyphs = data.chunks_exact((row_bytes * pitch) as usize).take(font.characters as usize);
    for (code, glyph) in glyphs.enumerate() {
        let rows = &glyph[..(row_bytes * font.height) as usize];
        let hex: String = rows.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("VGATE-GLYPH {code} {hex}");
    }
    Ok(())
}

fn open() -> Result<File> {
    OpenOptions::new().read(true).write(true).open(TERMINAL).context(TERMINAL)
}
