//! What a guest's display shows, and the picture of it.

use display::{Blend, DecodeError, MAX_SIDE, Palette, Part, Picture, Rotation, Surface};

use crate::memory::PAGE;
use crate::{GuestAddress, GuestRam};

/// A plane of the display: a surface in guest memory and its place on the screen.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Its pixels' layout.
    pub surface: Surface,
    /// Left and top edge of what is shown, in the surface, in pixels.
    pub source: (u32, u32),
    /// How what is shown is turned on its way to the screen.
    pub rotation: Rotation,
    /// Left edge on the screen in pixels; negative when it sticks out.
    pub x: i32,
    /// Top edge on the screen in pixels; negative when it sticks out.
    pub y: i32,
    /// How it meets the planes below.
    pub blend: Blend,
    /// Alpha of the plane as a whole; 255 leaves it as it is.
    pub alpha: u8,
    /// What the indices of an indexed surface stand for; grey without one.
    pub palette: Option<Box<Palette>>,
    /// The 4 KiB pages that hold the surface, in order; `None` where the guest mapped nothing (reads as zeros).
    pub pages: Vec<Option<GuestAddress>>,
    /// Bytes from the start of the first page to the surface's start.
    pub offset_in_page: u32,
    /// The chroma of a surface that holds only luma.
    pub chroma: Option<Chroma>,
}

/// What a plane's colours are read from, where that is a surface of its own: NV12's.
#[derive(Clone, Debug)]
pub struct Chroma {
    /// Its layout.
    pub surface: Surface,
    /// Left and top edge of what belongs to the shown part of the luma, in pixels of its own.
    pub source: (u32, u32),
    /// The pages that hold it, as a plane's. It begins where the first one does.
    pub pages: Vec<Option<GuestAddress>>,
}

/// What the guest's display shows.
#[derive(Clone, Debug, Default)]
pub struct ScanOut {
    /// Width and height of the mode in pixels; `None` while the display is off.
    pub mode: Option<(u32, u32)>,
    /// Its planes, lowest first.
    pub planes: Vec<Plane>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// The display is off.
    #[error("the display is off")]
    Off,
    /// Larger than any monitor.
    #[error("the mode is {0} by {1} pixels, more than {MAX_SIDE} by {MAX_SIDE}")]
    Mode(u32, u32),
    /// A plane's layout makes no sense.
    #[error("a plane can't be decoded: {0}")]
    Plane(#[from] DecodeError),
}

impl ScanOut {
    /// How many bytes making the picture takes and looks at, at most: the planes in guest memory, and each as a picture.
    /// Pages that the guest didn't map count too.
    #[must_use]
    pub fn bytes_to_compose(&self) -> u64 {
        let picture = |width, height| u64::from(width) * u64::from(height) * 4;
        let planes = self.planes.iter().map(|plane| {
            let chroma = plane.chroma.as_ref().map_or(0, |chroma| chroma.pages.len());
            let pages = (plane.pages.len() + chroma) as u64;
            pages * PAGE + picture(plane.surface.width, plane.surface.height)
        });
        planes.sum::<u64>() + self.mode.map_or(0, |(width, height)| picture(width, height))
    }

    /// The planes, composed. Guest memory that is not there shows as zeros.
    pub fn picture(&self, ram: &GuestRam) -> Result<Picture, NoPicture> {
        let mode = self.mode.ok_or(NoPicture::Off)?;
        let grey = Palette::grey();
        let pictures = self.planes.iter().map(|plane| {
            let bytes = bytes(&plane.surface, &plane.pages, plane.offset_in_page, ram);
            let picture = match &plane.chroma {
                Some(chroma) => with_chroma(plane, &bytes, chroma, ram)?,
                None => {
                    let palette = plane.palette.as_deref().unwrap_or(&grey);
                    let whole = display::decode_with_palette(&plane.surface, &bytes, palette)?;
                    let (left, top) = plane.source;
                    whole.from_corner(left, top).unwrap_or(whole)
                }
            };
            Ok((plane, picture.rotated(plane.rotation)))
        });
        let pictures: Vec<_> = pictures.collect::<Result<_, DecodeError>>()?;
        let planes: Vec<_> = pictures
            .iter()
            .map(|&(plane, ref picture)| {
                let Plane { x, y, blend, alpha, .. } = *plane;
                display::Plane { picture, x, y, blend, alpha }
            })
            .collect();
        display::compose(mode, &planes).ok_or(NoPicture::Mode(mode.0, mode.1))
    }
}

fn with_chroma(
    plane: &Plane,
    luma: &[u8],
    chroma: &Chroma,
    ram: &GuestRam,
) -> Result<Picture, DecodeError> {
    let bytes = bytes(&chroma.surface, &chroma.pages, 0, ram);
    display::decode_nv12(
        Part { surface: &plane.surface, corner: plane.source, bytes: luma },
        Part { surface: &chroma.surface, corner: chroma.source, bytes: &bytes },
    )
}

/// The bytes of a surface. What is not mapped reads as zeros.
fn bytes(
    surface: &Surface,
    pages: &[Option<GuestAddress>],
    offset_in_page: u32,
    ram: &GuestRam,
) -> Vec<u8> {
    let skip = offset_in_page as usize;
    let wanted = display::size_in_bytes(surface).and_then(|size| usize::try_from(size).ok());
    let Some(end) = wanted.and_then(|size| size.checked_add(skip)) else { return Vec::new() };
    // As much as the device lists pages for: the guest pays for every byte of it with page table entries.
    let pages = pages.get(..end.div_ceil(PAGE as usize)).unwrap_or(pages);
    let mut bytes = vec![0; pages.len().saturating_mul(PAGE as usize)];
    for (page, to) in pages.iter().zip(bytes.chunks_exact_mut(PAGE as usize)) {
        let read = |&at: &GuestAddress| ram.read(at, to).is_ok();
        if !page.as_ref().is_some_and(read) {
            to.fill(0);
        }
    }
    bytes.drain(..skip.min(bytes.len()));
    bytes
}
