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

    /// A new frame buffer of the screen's size, with 32-bit pixels.
    pub(crate) fn frame(&self, device: &Device, tiling: Tiling) -> Result<Frame> {
        let (width, height) = self.size();
        let surface = Surface::new(tiling, 4, width as usize, height as usize);
        let buffer = device.buffer(surface.size(), 0x1_0000)?;
        let modifier = if tiling == Tiling::X { uapi::MODIFIER_X_TILED } else { 0 };
        let mut argument = uapi::ModeAddFb2 {
            width,
            height,
            pixel_format: uapi::FORMAT_XRGB8888,
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
        let mut argument = uapi::ModePageFlip {
            crtc_id: self.crtc,
            fb_id: frame.framebuffer,
            flags: uapi::PAGE_FLIP_EVENT,
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
            if has_flip(&events[..length]) {
                return Ok(());
            }
        }
    }
}

/// Whether a read of events holds a finished flip; each event starts with its type and length.
fn has_flip(mut events: &[u8]) -> bool {
    while let Some((head, _)) = events.split_at_checked(8) {
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if word(0) == uapi::EVENT_FLIP_COMPLETE {
            return true;
        }
        events = events.get((word(4) as usize).max(8)..).unwrap_or_default();
    }
    false
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
            events.extend([0; 24]);
        }
        assert!(has_flip(&events));
        assert!(!has_flip(&events[..32]));
        assert!(!has_flip(&[1, 0, 0]));
    }
}
