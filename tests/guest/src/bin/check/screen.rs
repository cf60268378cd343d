//! Kernel mode setting: finds the monitor, and shows frame buffers on it.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::i915::{Buffer, Device, plain_request, request};
use crate::surface::{Surface, Tiling};
use crate::uapi;

/// How long a page flip may take; a monitor of 24 Hz needs a twentieth.
const FLIP_PATIENCE: Duration = Duration::from_secs(2);

/// The monitor and the pipe that feeds it.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    node: &'a File,
    connector: u32,
    crtc: u32,
    mode: uapi::ModeInfo,
}

/// A frame buffer that the screen can show.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) buffer: Buffer,
    pub(crate) surface: Surface,
    framebuffer: u32,
}

impl Frame {
    /// The frame buffer's identifier.
    pub(crate) fn id(&self) -> u32 {
        self.framebuffer
    }
}

impl<'a> Screen<'a> {
    /// Takes over the first connected monitor at its preferred mode.
    pub(crate) fn open(device: &'a Device) -> Result<Screen<'a>> {
        let node = device.node();
        plain_request(node, &mut uapi::SetMaster::default()).context("become the DRM master")?;
        let (crtcs, connectors) = resources(node)?;
        for &connector in &connectors {
            let Some((mode, encoders)) = probe(node, connector)? else {
                continue;
            };
            for encoder_id in encoders {
                let mut encoder = uapi::ModeGetEncoder { encoder_id, ..Default::default() };
                plain_request(node, &mut encoder).context("encoder")?;
                let first = encoder.possible_crtcs.trailing_zeros() as usize;
                if let Some(&crtc) = crtcs.get(first) {
                    return Ok(Screen { node, connector, crtc, mode });
                }
            }
        }
        bail!("none of {} connectors has a monitor that can be lit", connectors.len())
    }

    /// Pixels in a row, and rows.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.mode.hdisplay.into(), self.mode.vdisplay.into())
    }

    /// Frames in a second, as the mode's numbers say.
    pub(crate) fn refresh(&self) -> f64 {
        let pixels = f64::from(self.mode.htotal) * f64::from(self.mode.vtotal);
        f64::from(self.mode.clock) * 1000.0 / pixels
    }

    /// The device's node, and the pipe's identifier.
    pub(crate) fn pipe(&self) -> (&'a File, u32) {
        (self.node, self.crtc)
    }

    /// A new frame buffer of the screen's size, with 32-bit pixels.
    pub(crate) fn frame(&self, device: &Device, tiling: Tiling) -> Result<Frame> {
        self.frame_of(device, uapi::FORMAT_XRGB8888, 4, tiling, self.size())
    }

    /// A new frame buffer of any size and format.
    pub(crate) fn frame_of(
        &self,
        device: &Device,
        format: u32,
        pixel_bytes: usize,
        tiling: Tiling,
        (width, height): (u32, u32),
    ) -> Result<Frame> {
        let surface = Surface::new(tiling, pixel_bytes, width as usize, height as usize);
        let buffer = device.buffer(surface.size(), 0x1_0000)?;
        let modifier = match tiling {
            Tiling::Linear => 0,
            Tiling::X => uapi::MODIFIER_X_TILED,
            Tiling::Y => uapi::MODIFIER_Y_TILED,
            Tiling::Yf => uapi::MODIFIER_YF_TILED,
        };
        let mut argument = uapi::ModeAddFb2 {
            width,
            height,
            pixel_format: format,
            flags: uapi::FB_MODIFIERS,
            handles: [buffer.handle(), 0, 0, 0],
            pitches: [surface.pitch as u32, 0, 0, 0],
            modifier: [modifier, 0, 0, 0],
            ..Default::default()
        };
        plain_request(self.node, &mut argument)
            .with_context(|| format!("frame buffer of {width}x{height}, {tiling:?}"))?;
        Ok(Frame { buffer, surface, framebuffer: argument.fb_id })
    }

    /// Sets the mode, with `frame` on the screen.
    pub(crate) fn show(&self, frame: &Frame) -> Result<()> {
        let mut connector = self.connector;
        let mut argument = uapi::ModeSetCrtc {
            set_connectors_ptr: (&raw mut connector) as u64,
            count_connectors: 1,
            crtc_id: self.crtc,
            fb_id: frame.framebuffer,
            mode_valid: 1,
            mode: self.mode,
            ..Default::default()
        };
        // SAFETY: `connector` outlives the request, and the count is 1.
        unsafe { request(self.node, &mut argument) }.context("set the mode")
    }

    /// Shows `frame` from the next vertical blank on, and waits for that.
    pub(crate) fn flip(&self, frame: &Frame) -> Result<()> {
        self.flip_with(frame, 0, 0).map(drop)
    }

    /// Shows `frame` as the flags say, and waits for that. Returns the event, which carries `number`.
    pub(crate) fn flip_with(&self, frame: &Frame, flags: u32, number: u64) -> Result<Flipped> {
        let mut argument = uapi::ModePageFlip {
            crtc_id: self.crtc,
            fb_id: frame.framebuffer,
            flags: uapi::PAGE_FLIP_EVENT | flags,
            user_data: number,
            ..Default::default()
        };
        plain_request(self.node, &mut argument).context("flip")?;
        let limit = Timespec { tv_sec: FLIP_PATIENCE.as_secs() as _, tv_nsec: 0 };
        loop {
            let ready = poll(&mut [PollFd::new(self.node, PollFlags::IN)], Some(&limit))?;
            ensure!(ready > 0, "a page flip did not end in {} s", FLIP_PATIENCE.as_secs());
            let mut events = [0; 1024];
            let mut reader = self.node;
            let length = reader.read(&mut events).context("read the flip's event")?;
            if let Some(flipped) = find_flip(&events[..length]) {
                return Ok(flipped);
            }
        }
    }

    /// Waits for some vertical blanks, so that what was set before is shown.
    pub(crate) fn wait_vblanks(&self, count: u32) -> Result<()> {
        let mut argument =
            uapi::WaitVblank { kind: uapi::VBLANK_RELATIVE, sequence: count, ..Default::default() };
        plain_request(self.node, &mut argument).context("wait for a vertical blank")
    }
}

/// What the event of a finished flip says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Flipped {
    /// The number that came with the flip.
    pub(crate) number: u64,
    /// When it was shown, in seconds.
    pub(crate) time: f64,
    /// The frame's number.
    pub(crate) frame: u32,
}

/// The first finished flip in a read of events; each event starts with its type and length.
fn find_flip(mut events: &[u8]) -> Option<Flipped> {
    loop {
        let head = events.get(..8)?;
        let word = |bytes: &[u8], at: usize| {
            bytes.get(at..at + 4).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
        };
        let length = (word(head, 4)? as usize).max(8);
        if word(head, 0)? == uapi::EVENT_FLIP_COMPLETE {
            let number = u64::from(word(events, 8)?) | u64::from(word(events, 12)?) << 32;
            let time = f64::from(word(events, 16)?) + f64::from(word(events, 20)?) / 1e6;
            return Some(Flipped { number, time, frame: word(events, 24)? });
        }
        events = events.get(length..)?;
    }
}

/// Identifiers of the pipes and of the connectors.
fn resources(node: &File) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut counts = uapi::ModeGetResources::default();
    // SAFETY: with all counts 0 the kernel follows no address.
    unsafe { request(node, &mut counts) }.context("display resources")?;
    let mut crtcs = vec![0_u32; counts.count_crtcs as usize];
    let mut connectors = vec![0_u32; counts.count_connectors as usize];
    let mut argument = uapi::ModeGetResources {
        crtc_id_ptr: crtcs.as_mut_ptr() as u64,
        count_crtcs: counts.count_crtcs,
        connector_id_ptr: connectors.as_mut_ptr() as u64,
        count_connectors: counts.count_connectors,
        ..Default::default()
    };
    // SAFETY: both arrays outlive the request and have the counts' lengths; other counts are 0.
    unsafe { request(node, &mut argument) }.context("display resources")?;
    connectors.truncate(argument.count_connectors as usize);
    crtcs.truncate(argument.count_crtcs as usize);
    Ok((crtcs, connectors))
}

/// The first mode and the encoders of a connector that has a monitor.
fn probe(node: &File, connector_id: u32) -> Result<Option<(uapi::ModeInfo, Vec<u32>)>> {
    let mut counts = uapi::ModeGetConnector { connector_id, ..Default::default() };
    // SAFETY: with all counts 0 the kernel follows no address.
    unsafe { request(node, &mut counts) }.context("connector")?;
    if counts.connection != uapi::CONNECTED || counts.count_modes == 0 {
        return Ok(None);
    }
    let mut modes = vec![uapi::ModeInfo::default(); counts.count_modes as usize];
    let mut encoders = vec![0_u32; counts.count_encoders as usize];
    let mut argument = uapi::ModeGetConnector {
        connector_id,
        modes_ptr: modes.as_mut_ptr() as u64,
        count_modes: counts.count_modes,
        encoders_ptr: encoders.as_mut_ptr() as u64,
        count_encoders: counts.count_encoders,
        ..Default::default()
    };
    // SAFETY: both arrays outlive the request and have the counts' lengths; other counts are 0.
    unsafe { request(node, &mut argument) }.context("modes of a connector")?;
    Ok(modes.first().map(|mode| (*mode, encoders)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_is_found_behind_other_events() {
        let mut events = Vec::new();
        for (kind, length) in [(1_u32, 32_u32), (2, 32)] {
            events.extend([kind.to_ne_bytes(), length.to_ne_bytes()].concat());
            for word in [7_u32, 1, 10, 500_000, 33, 0] {
                events.extend(word.to_ne_bytes());
            }
        }
        let flipped = Flipped { number: 1 << 32 | 7, time: 10.5, frame: 33 };
        assert_eq!(find_flip(&events), Some(flipped));
        assert_eq!(find_flip(&events[..32]), None);
        assert_eq!(find_flip(&[1, 0, 0]), None);
    }
}
