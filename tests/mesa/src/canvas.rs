//! A square picture to draw on, off screen, and to read back.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail, ensure};
use glow::{HasContext, PixelPackData};

use crate::context::Context;

/// Red, green, blue, alpha.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Colour(pub(crate) [u8; 4]);

impl Colour {
    /// As OpenGL takes it: 0 to 1 each.
    pub(crate) fn channels(self) -> [f32; 4] {
        self.0.map(|channel| f32::from(channel) / 255.0)
    }
}

impl FromStr for Colour {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        ensure!(text.len() == 8, "a colour has 8 digits: ff8000ff");
        Ok(Self(u32::from_str_radix(text, 16)?.to_be_bytes()))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// An RGBA8 renderbuffer in a framebuffer object, which is bound as long as the program runs.
pub(crate) struct Canvas<'a> {
    gl: &'a Context,
    size: u16,
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(gl: &'a Context, size: u16) -> Result<Self> {
        let side = i32::from(size);
        // SAFETY: the context is current, and the objects are its own.
        let status = unsafe {
            let framebuffer = gl.create_framebuffer().map_err(|reason| anyhow!(reason))?;
            let renderbuffer = gl.create_renderbuffer().map_err(|reason| anyhow!(reason))?;
            gl.bind_framebuffer(glow::FRAMEBUFFER, Some(framebuffer));
            gl.bind_renderbuffer(glow::RENDERBUFFER, Some(renderbuffer));
            gl.renderbuffer_storage(glow::RENDERBUFFER, glow::RGBA8, side, side);
            gl.framebuffer_renderbuffer(
                glow::FRAMEBUFFER,
                glow::COLOR_ATTACHMENT0,
                glow::RENDERBUFFER,
                Some(renderbuffer),
            );
            gl.viewport(0, 0, side, side);
            gl.check_framebuffer_status(glow::FRAMEBUFFER)
        };
        if status != glow::FRAMEBUFFER_COMPLETE {
            bail!("a picture of {side}x{side} pixels is refused: {status:#x}");
        }
        Ok(Self { gl, size })
    }

    pub(crate) fn clear(&self, colour: Colour) {
        let [red, green, blue, alpha] = colour.channels();
        // SAFETY: the context is current.
        unsafe {
            self.gl.clear_color(red, green, blue, alpha);
            self.gl.clear(glow::COLOR_BUFFER_BIT);
        }
    }

    /// Reads the picture back, and prints `pixels COUNT COLOUR` for each colour in it.
    pub(crate) fn print_colours(&self) -> Result<()> {
        let side = usize::from(self.size);
        let mut bytes = vec![0; side * side * 4];
        let (format, kind) = (glow::RGBA, glow::UNSIGNED_BYTE);
        let to = PixelPackData::Slice(Some(&mut bytes));
        // SAFETY: the context is current, and the slice has room for the whole picture, four bytes a pixel.
        unsafe {
            self.gl.read_pixels(0, 0, self.size.into(), self.size.into(), format, kind, to);
        }
        self.gl.check()?;
        let mut colours = BTreeMap::new();
        for pixel in bytes.as_chunks().0 {
            *colours.entry(Colour(*pixel)).or_insert(0_u32) += 1;
        }
        for (colour, count) in colours {
            println!("pixels {count} {colour}");
        }
        Ok(())
    }
}
