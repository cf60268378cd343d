//! Planes over the screen's own: places, turns and blends them through the kernel's older, one-by-one interface.

use std::collections::BTreeMap;
use std::fs::File;

use anyhow::{Context as _, Result, bail};

use crate::i915::{Buffer, plain_request, request};
use crate::screen::{Frame, Screen};
use crate::uapi;

/// A plane of the overlay kind.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    node: &'a File,
    crtc: u32,
    plane: u32,
    properties: BTreeMap<String, u32>,
}

/// A rectangle: left, top, width, height.
pub(crate) type Area = (u32, u32, u32, u32);

impl<'a> Overlay<'a> {
    /// The screen's first overlay plane.
    pub(crate) fn open(screen: &Screen<'a>) -> Result<Overlay<'a>> {
        let (node, crtc) = screen.pipe();
        let mut cap =
            uapi::SetClientCap { capability: uapi::CLIENT_CAP_UNIVERSAL_PLANES, value: 1 };
        plain_request(node, &mut cap).context("universal planes")?;
        for plane in planes(node)? {
            let mut argument = uapi::ModeGetPlane { plane_id: plane, ..Default::default() };
            // SAFETY: with no formats asked for the kernel follows no address.
            unsafe { request(node, &mut argument) }.context("plane")?;
            let (properties, values) = properties(node, plane)?;
            let kind = properties.get("type").and_then(|id| values.get(id));
            // The first pipe's overlays; 0 is an overlay, 1 a primary plane, 2 a cursor.
            if argument.possible_crtcs & 1 != 0 && kind == Some(&0) {
                return Ok(Overlay { node, crtc, plane, properties });
            }
        }
        bail!("there is no overlay plane")
    }

    /// Sets a property.
    pub(crate) fn set(&self, name: &str, value: u64) -> Result<()> {
        let prop_id = *self.properties.get(name).with_context(|| format!("no property {name}"))?;
        let mut argument = uapi::ModeObjectSetProperty {
            value,
            prop_id,
            obj_id: self.plane,
            obj_type: uapi::OBJECT_PLANE,
            ..Default::default()
        };
        plain_request(self.node, &mut argument).with_context(|| format!("{name} = {value:#x}"))
    }

    /// Shows a part of a frame at a place of the screen, without scaling.
    pub(crate) fn show(
        &self,
        frame: &Frame,
        from: Area,
        (x, y, width, height): Area,
    ) -> Result<()> {
        let mut argument = uapi::ModeSetPlane {
            plane_id: self.plane,
            crtc_id: self.crtc,
            fb_id: frame.id(),
            crtc_x: x as i32,
            crtc_y: y as i32,
            crtc_w: width,
            crtc_h: height,
            src_x: from.0 << 16,
            src_y: from.1 << 16,
            src_w: from.2 << 16,
            src_h: from.3 << 16,
            ..Default::default()
        };
        plain_request(self.node, &mut argument).context("show a plane")
    }

    /// Shows nothing.
    pub(crate) fn hide(&self) -> Result<()> {
        let mut argument = uapi::ModeSetPlane { plane_id: self.plane, ..Default::default() };
        plain_request(self.node, &mut argument).context("hide a plane")
    }
}

/// Shows `buffer`, 32-bit pixels with alpha in a square, as the cursor; without a buffer there is none.
pub(crate) fn show_cursor(
    screen: &Screen<'_>,
    buffer: Option<&Buffer>,
    side: u32,
    (x, y): (i32, i32),
) -> Result<()> {
    let (node, crtc_id) = screen.pipe();
    let mut argument = uapi::ModeCursor2 {
        flags: uapi::CURSOR_BO | uapi::CURSOR_MOVE,
        crtc_id,
        x,
        y,
        width: side,
        height: side,
        handle: buffer.map_or(0, Buffer::handle),
        hot_x: 0,
        hot_y: 0,
    };
    plain_request(node, &mut argument).with_context(|| format!("cursor of {side} at {x}, {y}"))
}

/// Sets the screen's table of colours.
pub(crate) fn set_colours(screen: &Screen<'_>, colours: &[[u8; 3]; 256]) -> Result<()> {
    let (node, crtc_id) = screen.pipe();
    let mut channels: [Vec<u16>; 3] = std::array::from_fn(|channel| {
        colours.iter().map(|colour| u16::from(colour[channel]) * 0x101).collect()
    });
    let [red, green, blue] = &mut channels;
    let mut argument = uapi::ModeCrtcLut {
        crtc_id,
        gamma_size: 256,
        red: red.as_mut_ptr() as u64,
        green: green.as_mut_ptr() as u64,
        blue: blue.as_mut_ptr() as u64,
    };
    // SAFETY: the three tables outlive the request and have 256 entries each.
    unsafe { request(node, &mut argument) }.context("table of colours")
}

fn planes(node: &File) -> Result<Vec<u32>> {
    let mut counts = uapi::ModeGetPlaneResources::default();
    // SAFETY: with a count of 0 the kernel follows no address.
    unsafe { request(node, &mut counts) }.context("planes")?;
    let mut planes = vec![0_u32; counts.count_planes as usize];
    let mut argument = uapi::ModeGetPlaneResources {
        plane_id_ptr: planes.as_mut_ptr() as u64,
        count_planes: counts.count_planes,
        ..Default::default()
    };
    // SAFETY: the array outlives the request and has the count's length.
    unsafe { request(node, &mut argument) }.context("planes")?;
    Ok(planes)
}

/// A plane's properties: identifiers by name, and values by identifier.
fn properties(node: &File, plane: u32) -> Result<(BTreeMap<String, u32>, BTreeMap<u32, u64>)> {
    let mut argument = uapi::ModeObjectGetProperties {
        obj_id: plane,
        obj_type: uapi::OBJECT_PLANE,
        ..Default::default()
    };
    // SAFETY: with a count of 0 the kernel follows no address.
    unsafe { request(node, &mut argument) }.context("properties")?;
    let mut identifiers = vec![0_u32; argument.count_props as usize];
    let mut values = vec![0_u64; argument.count_props as usize];
    argument.props_ptr = identifiers.as_mut_ptr() as u64;
    argument.prop_values_ptr = values.as_mut_ptr() as u64;
    // SAFETY: both arrays outlive the request and have the count's length.
    unsafe { request(node, &mut argument) }.context("properties")?;
    let mut names = BTreeMap::new();
    for prop_id in &identifiers {
        let mut property = uapi::ModeGetProperty { prop_id: *prop_id, ..Default::default() };
        // SAFETY: with all counts 0 the kernel follows no address.
        unsafe { request(node, &mut property) }.context("property")?;
        let name = property.name.split(|byte| *byte == 0).next().unwrap_or_default();
        names.insert(String::from_utf8_lossy(name).into_owned(), *prop_id);
    }
    Ok((names, identifiers.into_iter().zip(values).collect()))
}
