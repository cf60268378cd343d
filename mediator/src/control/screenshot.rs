//! From what a guest's display shows to a picture. Runs in a control thread, never in the VM's.

use display::{DecodeError, MAX_SIDE, Palette, Picture, PictureError};

use crate::memory::PAGE;
use crate::{GuestAddress, GuestRam, Plane, ScanOut};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ScreenshotError {
    /// The display is off.
    #[error("the display is off")]
    Off,
    /// Larger than any monitor.
    #[error("the mode is {0} by {1} pixels, more than {MAX_SIDE} by {MAX_SIDE}")]
    Mode(u32, u32),
    /// A plane's layout makes no sense.
    #[error("a plane can't be decoded: {0}")]
    Plane(#[from] DecodeError),
    /// No PNG came of it.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// The planes, composed.
pub(crate) fn picture(scan_out: &ScanOut, ram: &GuestRam) -> Result<Picture, ScreenshotError> {
    let mode = scan_out.mode.ok_or(ScreenshotError::Off)?;
    let grey = Palette::grey();
    let pictures = scan_out.planes.iter().map(|plane| {
        let palette = plane.palette.as_deref().unwrap_or(&grey);
        let bytes = bytes(plane, ram);
        let whole = display::decode_with_palette(&plane.surface, &bytes, palette)?;
        let (left, top) = plane.source;
        let picture = whole.from_corner(left, top).unwrap_or(whole);
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
    display::compose(mode, &planes).ok_or(ScreenshotError::Mode(mode.0, mode.1))
}

/// The bytes of a plane. What is not mapped reads as zeros.
fn bytes(plane: &Plane, ram: &GuestRam) -> Vec<u8> {
    let skip = plane.offset_in_page as usize;
    let wanted = display::size_in_bytes(&plane.surface).and_then(|size| usize::try_from(size).ok());
    let Some(end) = wanted.and_then(|size| size.checked_add(skip)) else { return Vec::new() };
    // As much as the device lists pages for: the guest pays for every byte of it with page table entries.
    let pages = plane.pages.get(..end.div_ceil(PAGE as usize)).unwrap_or(&plane.pages);
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
