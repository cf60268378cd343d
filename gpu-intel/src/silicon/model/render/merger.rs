//! The end of a pixel's way: depth and stencil tests, and what a shader writes to render targets.
//!
//! ```text
//!  covered samples ─► [early tests] ─► shader ─► alpha test, sample mask ─► [late tests] ─► blending ─► tile
//! ```
//!
//! Sources: SKL PRM vol 7, "Windower", "Color calculator"; vol 2d and 7, render target messages.

use super::blend::{BLEND_STATE_DWORDS, BlendState, Colors, alpha_coverage, compares, logic};
use super::depth::{DepthFormat, DepthStencil};
use super::interpolator;
use super::pixel_shader::{Lanes, PixelShader, Subspan};
use super::raster::{Quad, Samples, Stipple, sample_positions};
use super::setup::{Area, Shape};
use super::state::{self, Base, State, Words};
use super::target::Target;
use super::tile::{Plane, Texel};
use super::worker::{StageFunctions, Worker};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, SharedFunction};
use crate::memory::PpgttMemory;
use crate::silicon::model::memory::Memory;
use crate::surface::{Format, LARGEST_ELEMENT, SURFACE_DWORDS, Surface, SurfaceKind, bits, floats};

/// Render targets of a draw.
pub(super) const TARGETS: usize = 8;
/// Pixels along the side of the largest surface.
const MOST_PIXELS: u32 = 1 << 14;
/// Lanes of the widest thread.
const LANES: usize = 32;

/// How the pixels of one draw end.
#[derive(Debug)]
pub(super) struct Output {
    blend: BlendState,
    constant: [f32; 4],
    alpha_reference: f32,
    depth_stencil: DepthStencil,
    depth: Option<(Target, DepthFormat)>,
    stencil: Option<Target>,
    /// The least and the largest depth of each viewport.
    depth_limits: Vec<[f32; 2]>,
    /// By their place in the binding table.
    pub(super) targets: [Option<Target>; TARGETS],
    /// Width and height of what pixels are shaded for that are written to no target.
    nowhere: (i32, i32),
    pub(super) sample_mask: Samples,
    pub(super) stipple: Option<Stipple>,
    pub(super) positions: &'static [(u8, u8)],
    /// Tests come before the shader.
    early: bool,
    pub(super) counts: bool,
}

fn read<const N: usize>(memory: &mut Memory, at: u64) -> Result<[u32; N], Fault> {
    let mut bytes = vec![0; 4 * N];
    memory.read(PpgttAddress(at).truncated(), &mut bytes)?;
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    Ok(words)
}

impl Output {
    pub(super) fn new(
        state: &State,
        shader: Option<&PixelShader>,
        worker: &mut Worker,
    ) -> Result<Self, Fault> {
        let memory = &mut worker.memory;
        let dynamic = state.base(Base::Dynamic).0;
        let pointer = |opcode| u64::from(state.command(opcode).dword(1) & !63);
        let pointed = |opcode| dynamic.wrapping_add(pointer(opcode));
        // Bit 0 of a pointer says whether there is something at its end.
        let blend: [u32; BLEND_STATE_DWORDS] =
            if state.command(state::BLEND_STATE_POINTERS).flag(1, 0) {
                read(memory, pointed(state::BLEND_STATE_POINTERS))?
            } else {
                [0; BLEND_STATE_DWORDS]
            };
        let blend = BlendState::new(Words(&blend));
        let color: [u32; 6] = if state.command(state::CC_STATE_POINTERS).flag(1, 0) {
            read(memory, pointed(state::CC_STATE_POINTERS))?
        } else {
            [0; 6]
        };
        let [flags, reference, constant @ ..] = color;
        let alpha_reference = if flags & 1 != 0 {
            f32::from_bits(reference)
        } else {
            (reference & 0xff) as f32 / 255.0
        };
        let viewports = state.command(state::CLIP).bits(3, 0..=3) + 1;
        let limits = u64::from(state.command(state::VIEWPORT_STATE_POINTERS_CC).dword(1) & !31);
        let mut depth_limits = Vec::new();
        let depth_stencil = DepthStencil::new(state);
        let depth = Target::depth(state).filter(|_| depth_stencil.uses_depth());
        if depth.is_some() {
            for i in 0..u64::from(viewports) {
                let at = dynamic.wrapping_add(limits).wrapping_add(8 * i);
                depth_limits.push(read::<2>(memory, at)?.map(f32::from_bits));
            }
        }
        let stencil = Target::stencil(state).filter(|_| depth_stencil.stencil_test);
        let wm = state.command(state::WM);
        let alters = shader.is_some_and(|shader| {
            shader.kills
                || shader.computes_depth
                || shader.computes_stencil
                || shader.masks_samples
                || shader.has_side_effects && wm.bits(1, 21..=22) == 1
        });
        let prepass = wm.bits(1, 21..=22) == 2;
        let log2 = state.command(state::MULTISAMPLE).bits(1, 1..=3);
        let positions = sample_positions(log2);
        let mut this = Self {
            early: prepass || !alters && blend.alpha_test.is_none() && !blend.alpha_to_coverage,
            blend,
            constant: constant.map(f32::from_bits),
            alpha_reference,
            depth_stencil,
            depth,
            stencil,
            depth_limits,
            targets: Default::default(),
            nowhere: (0, 0),
            stipple: Stipple::new(state),
            sample_mask: state.command(state::SAMPLE_MASK).bits(1, 0..=15) as Samples,
            positions,
            counts: wm.flag(1, 31),
        };
        if let Some(shader) = shader {
            this.find_targets(state, memory);
            const FORCE_ON: u32 = 2;
            if shader.has_side_effects || wm.bits(1, 19..=20) == FORCE_ON {
                // Shapes are cut to it.
                this.shade_nowhere(MOST_PIXELS, MOST_PIXELS);
            }
        }
        Ok(this)
    }

    /// Lets pixels be shaded whether they have a target or not: shaders write elsewhere, too, and samples are counted.
    fn shade_nowhere(&mut self, width: u32, height: u32) {
        let size = |size: u32| size.min(MOST_PIXELS) as i32;
        self.nowhere = (self.nowhere.0.max(size(width)), self.nowhere.1.max(size(height)));
    }

    /// Looks at the first surfaces of the binding table. Those that can't be rendered to may be textures, or nothing at all.
    fn find_targets(&mut self, state: &State, memory: &mut Memory) {
        let base = state.base(Base::Surface).0;
        let table = state.command(state::BINDING_TABLE_POINTERS_PS).dword(1) & 0xffe0;
        for i in 0..TARGETS {
            let at = base.wrapping_add(u64::from(table)).wrapping_add(4 * i as u64);
            let Ok([offset]) = read::<1>(memory, at) else { continue };
            let at = base.wrapping_add(u64::from(offset & !63));
            let Ok(words) = read::<SURFACE_DWORDS>(memory, at) else { continue };
            let Ok(surface) = Surface::decode(&words) else { continue };
            if surface.kind == SurfaceKind::Null {
                self.shade_nowhere(surface.width, surface.height);
            }
            let drawable = !surface.is_buffer() && surface.kind != SurfaceKind::Null;
            if !drawable || 1 << surface.log2_samples != self.positions.len() {
                continue;
            }
            self.targets[i] = Some(Target::color(&surface));
        }
    }

    /// The pixels that anything can be written to.
    pub(super) fn area(&self) -> Area {
        let targets = self.targets.iter().flatten().chain(self.stencil.iter());
        let depth = self.depth.iter().map(|(target, _)| target);
        let (right, bottom) = self.nowhere;
        let none = Area { left: 0, top: 0, right, bottom };
        targets.chain(depth).map(Target::area).fold(none, |all, area| Area {
            right: all.right.max(area.right),
            bottom: all.bottom.max(area.bottom),
            ..none
        })
    }

    fn depth_of(&self, shape: &Shape, quad: &Quad, pixel: usize, sample: usize) -> f32 {
        let (sx, sy) = self.positions.get(sample).copied().unwrap_or((8, 8));
        let x = (quad.x + (pixel & 1) as i32) as f32 + f32::from(sx) / 16.0 - shape.origin[0];
        let y = (quad.y + (pixel >> 1) as i32) as f32 + f32::from(sy) / 16.0 - shape.origin[1];
        shape.z.value(x, y)
    }
}

/// The planes of one tile, as one worker has them.
#[derive(Debug, Default)]
pub(super) struct Planes {
    colors: [Plane; TARGETS],
    depth: Plane,
    stencil: Plane,
}

/// What pixels have counted, and which render targets were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PixelCounts {
    pub(super) invocations: u64,
    pub(super) passed: u64,
    pub(super) written: u8,
}

/// One tile of one draw, on its way.
#[derive(Debug)]
pub(super) struct Merger<'d> {
    output: &'d Output,
    shader: Option<&'d PixelShader>,
    planes: Planes,
    origin: (i32, i32),
    /// What the thread at work draws.
    shape: Option<&'d Shape>,
    subspans: Vec<Subspan>,
    /// Samples of each lane that are left; late tests are done once for a thread.
    left: [Samples; LANES],
    tested: bool,
    pub(super) counts: PixelCounts,
}

impl<'d> Merger<'d> {
    pub(super) fn new(output: &'d Output, shader: Option<&'d PixelShader>) -> Self {
        Self {
            output,
            shader,
            planes: Planes::default(),
            origin: (0, 0),
            shape: None,
            subspans: Vec::new(),
            left: [0; LANES],
            tested: false,
            counts: PixelCounts::default(),
        }
    }

    /// Begins a tile.
    pub(super) fn begin(&mut self, origin: (i32, i32)) {
        self.origin = origin;
    }

    /// Begins a shape.
    pub(super) fn shape(&mut self, shape: &'d Shape) {
        self.shape = Some(shape);
    }

    /// Ends a tile: what was drawn goes to memory.
    pub(super) fn end(&mut self, memory: &mut Memory) -> Result<(), Fault> {
        let planes = &mut self.planes;
        for plane in planes.colors.iter_mut().chain([&mut planes.depth, &mut planes.stencil]) {
            plane.store(self.origin, memory)?;
            plane.forget();
        }
        Ok(())
    }

    /// Tests that come before the shader; takes out of `quad` what fails.
    pub(super) fn early(&mut self, quad: &mut Quad, memory: &mut Memory) -> Result<(), Fault> {
        if !self.output.early && self.shader.is_some() {
            return Ok(());
        }
        if self.output.depth.is_none() && self.output.stencil.is_none() {
            let passed: u32 = quad.covered.iter().map(|covered| covered.count_ones()).sum();
            self.counts.passed += u64::from(passed);
            return Ok(());
        }
        for pixel in 0..4 {
            let covered = quad.covered[pixel];
            quad.covered[pixel] = self.test(quad, pixel, covered, None, None, memory)?;
        }
        Ok(())
    }

    /// Tests a pixel's samples; returns those that pass.
    fn test(
        &mut self,
        quad: &Quad,
        pixel: usize,
        covered: Samples,
        computed: Option<f32>,
        computed_stencil: Option<u8>,
        memory: &mut Memory,
    ) -> Result<Samples, Fault> {
        let (output, Some(shape)) = (self.output, self.shape) else { return Ok(0) };
        let mut passed = covered;
        if covered != 0 && (output.depth.is_some() || output.stencil.is_some()) {
            if let Some((target, _)) = &output.depth {
                hold(&mut self.planes.depth, target, shape.layer, self.origin, memory)?;
            }
            if let Some(target) = &output.stencil {
                hold(&mut self.planes.stencil, target, shape.layer, self.origin, memory)?;
            }
            for sample in 0..output.positions.len() {
                if covered >> sample & 1 == 0 {
                    continue;
                }
                let texel = texel(self.origin, quad, pixel, sample);
                let z = computed.unwrap_or_else(|| output.depth_of(shape, quad, pixel, sample));
                if !self.test_sample(shape, texel, z, computed_stencil) {
                    passed &= !(1 << sample);
                }
            }
        }
        self.counts.passed += u64::from(passed.count_ones());
        Ok(passed)
    }

    fn test_sample(
        &mut self,
        shape: &Shape,
        texel: Texel,
        z: f32,
        computed_stencil: Option<u8>,
    ) -> bool {
        let output = self.output;
        let mut depth = 0;
        let tested = output.depth.as_ref().map(|(_, format)| {
            let bytes = self.planes.depth.texel(texel);
            depth = match *bytes {
                [a, b] => u32::from(u16::from_le_bytes([a, b])),
                [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            let [least, most] =
                output.depth_limits.get(shape.viewport as usize).copied().unwrap_or([0.0, 1.0]);
            // A plain `clamp` would not stand limits in disorder.
            (*format, format.encode(z.min(most).max(least)))
        });
        let old_depth = depth;
        let mut stencil =
            output.stencil.as_ref().and_then(|_| self.planes.stencil.texel(texel).first().copied());
        let old_stencil = stencil;
        let passes = output.depth_stencil.with_reference(computed_stencil).test(
            shape.back_facing,
            tested.map(|(format, new)| (format, new, &mut depth)),
            stencil.as_mut(),
        );
        if depth != old_depth {
            let bytes = self.planes.depth.texel_mut(texel);
            for (to, from) in bytes.iter_mut().zip(depth.to_le_bytes()) {
                *to = from;
            }
        }
        if stencil != old_stencil
            && let (Some(to), Some(new)) =
                (self.planes.stencil.texel_mut(texel).first_mut(), stencil)
        {
            *to = new;
        }
        passes
    }

    /// The thread that comes shades these.
    pub(super) fn thread(&mut self, subspans: &[Subspan]) {
        self.subspans.clear();
        self.subspans.extend_from_slice(subspans);
        self.tested = false;
        let per_sample = self.shader.is_some_and(|shader| shader.per_sample);
        let lanes = subspans.iter().flat_map(|subspan| {
            let only = if per_sample { 1 << subspan.sample } else { Samples::MAX };
            subspan.quad.covered.map(|covered| covered & only)
        });
        self.left = [0; LANES];
        for (left, covered) in self.left.iter_mut().zip(lanes) {
            *left = covered;
            self.counts.invocations += u64::from(covered != 0);
        }
    }

    /// Render target write.
    fn write(&mut self, message: &Message<'_>, memory: &mut Memory) -> Result<(), Fault> {
        let parts = Parts::new(message, self.shader)?;
        let first = usize::from(message.first);
        let target_index = parts.target;
        let lit = |lane: usize| {
            message.lanes >> lane & 1 != 0 && parts.enabled.is_none_or(|mask| mask >> lane & 1 != 0)
        };
        if !std::mem::replace(&mut self.tested, true) {
            self.late(&parts, first, memory)?;
        }
        let table_index = (message.descriptor & 0xff) as usize;
        let output = self.output;
        let Some(Some(target)) = output.targets.get(table_index) else { return Ok(()) };
        let Some(shape) = self.shape else { return Ok(()) };
        if (0..parts.lanes).all(|lane| !lit(lane) || self.left_of(first + lane) == 0) {
            return Ok(());
        }
        let Some(plane) = self.planes.colors.get_mut(table_index) else { return Ok(()) };
        hold(plane, target, shape.layer, self.origin, memory)?;
        self.counts.written |= 1 << table_index;
        let blend = output.blend.targets.get(target_index).unwrap_or(&output.blend.targets[0]);
        let Some(format) = target.format() else { return Ok(()) };
        let is_integer = format.is_integer();
        let plain = blend.is_plain(is_integer);
        // One colour for all is stored as it is, if nothing asks what was there.
        let mut one = [0; LARGEST_ELEMENT];
        let only = (plain && parts.replicated && !output.blend.alpha_to_one).then(|| {
            format.encode(parts.color(0), &mut one);
            one.get(..target.element()).unwrap_or_default()
        });
        for lane in 0..parts.lanes {
            let at = first + lane;
            let left = self.left.get(at).copied().unwrap_or_default();
            if !lit(lane) || left == 0 {
                continue;
            }
            let Some(subspan) = self.subspans.get(at / 4) else { continue };
            let mut source = [0; 4];
            if only.is_none() {
                source = parts.color(lane);
                if output.blend.alpha_to_one && !is_integer {
                    source[3] = 1.0_f32.to_bits();
                }
            }
            for sample in 0..output.positions.len() {
                if left >> sample & 1 == 0 {
                    continue;
                }
                let bytes = plane.texel_mut(texel(self.origin, &subspan.quad, at % 4, sample));
                if let Some(only) = only {
                    bytes.iter_mut().zip(only).for_each(|(to, from)| *to = *from);
                } else if plain {
                    format.encode(source, bytes);
                } else {
                    let source1 = parts.second.map_or([0; 4], |at| parts.color_at(at, lane));
                    merge(blend, format, is_integer, output.constant, source, source1, bytes);
                }
            }
        }
        Ok(())
    }

    fn left_of(&self, lane: usize) -> Samples {
        self.left.get(lane).copied().unwrap_or_default()
    }

    /// What a shader's own values take away, and the tests that could not come before it.
    fn late(&mut self, parts: &Parts<'_>, first: usize, memory: &mut Memory) -> Result<(), Fault> {
        let output = self.output;
        for lane in 0..parts.lanes {
            let lit = parts.lit >> lane & 1 != 0
                && parts.enabled.is_none_or(|mask| mask >> lane & 1 != 0);
            let mut left = if lit { self.left_of(first + lane) } else { 0 };
            if left != 0 {
                let alpha = f32::from_bits(parts.alpha(lane));
                if let Some(function) = output.blend.alpha_test
                    && !compares(function, alpha, output.alpha_reference)
                {
                    left = 0;
                }
                if output.blend.alpha_to_coverage {
                    left &= alpha_coverage(alpha, output.positions.len() as u32);
                }
                if let Some(mask) = parts.sample_mask(lane) {
                    left &= mask;
                }
            }
            if !output.early
                && left != 0
                && let Some(subspan) = self.subspans.get((first + lane) / 4).copied()
            {
                let pixel = (first + lane) % 4;
                let (depth, stencil) = (parts.depth(lane), parts.stencil(lane));
                left = self.test(&subspan.quad, pixel, left, depth, stencil, memory)?;
            }
            if let Some(slot) = self.left.get_mut(first + lane) {
                *slot = left;
            }
        }
        // A thread of 16 lanes may write them in two halves.
        if first + parts.lanes < 4 * self.subspans.len() {
            self.tested = false;
        }
        Ok(())
    }
}

/// Where in the tile at `origin` a quad's pixel is.
fn texel(origin: (i32, i32), quad: &Quad, pixel: usize, sample: usize) -> Texel {
    let x = (quad.x - origin.0) as usize + (pixel & 1);
    let y = (quad.y - origin.1) as usize + (pixel >> 1);
    Texel { x, y, sample }
}

/// Makes `plane` hold a target's tile.
fn hold(
    plane: &mut Plane,
    target: &Target,
    layer: u32,
    origin: (i32, i32),
    memory: &mut Memory,
) -> Result<(), Fault> {
    if plane.holds(target, layer) {
        return Ok(());
    }
    plane.store(origin, memory)?;
    plane.load(target, layer, origin, memory)
}

/// Writes one colour over what a texel holds.
fn merge(
    blend: &super::blend::Blend,
    format: &Format,
    is_integer: bool,
    constant: [f32; 4],
    mut source: [u32; 4],
    source1: [u32; 4],
    bytes: &mut [u8],
) {
    if blend.enabled && !is_integer && blend.logic.is_none() {
        let colors = Colors {
            source: floats(source),
            source1: floats(source1),
            destination: floats(format.decode(bytes)),
            constant,
        };
        let snorm = format.channels[0].is_some_and(|c| c.kind == crate::surface::Kind::Snorm);
        source = bits(blend.blend(colors, format.is_unorm(), snorm));
    }
    if blend.write_mask != 0xf {
        let old = format.decode(bytes);
        for (i, value) in source.iter_mut().enumerate() {
            if blend.write_mask >> i & 1 == 0 {
                *value = old[i];
            }
        }
    }
    let Some(operation) = blend.logic else {
        format.encode(source, bytes);
        return;
    };
    let mut new = [0; LARGEST_ELEMENT];
    format.encode(source, &mut new);
    let mut combined = [0; LARGEST_ELEMENT];
    for (to, (new, old)) in combined.iter_mut().zip(new.iter().zip(bytes.iter())) {
        *to = logic(operation, (*new).into(), (*old).into()) as u8;
    }
    // Components that are not written stay, whatever the operation would make of them.
    if blend.write_mask == 0xf {
        bytes.iter_mut().zip(combined).for_each(|(to, from)| *to = from);
    } else {
        let (old, combined) = (format.decode(bytes), format.decode(&combined));
        let kept = [0, 1, 2, 3].map(|i| match blend.write_mask >> i & 1 {
            0 => old[i],
            _ => combined[i],
        });
        format.encode(kept, bytes);
    }
}

/// What a render target write carries.
struct Parts<'a> {
    payload: &'a [Grf],
    lanes: usize,
    /// Lanes that take part.
    lit: u32,
    /// The header's mask of pixels.
    enabled: Option<u32>,
    /// The entry of the blend state.
    target: usize,
    /// One colour for all.
    replicated: bool,
    colors: usize,
    second: Option<usize>,
    alpha_at: Option<usize>,
    mask_at: Option<usize>,
    depth_at: Option<usize>,
    stencil_at: Option<usize>,
}

impl<'a> Parts<'a> {
    fn new(message: &Message<'a>, shader: Option<&PixelShader>) -> Result<Self, Fault> {
        let descriptor = message.descriptor;
        let subtype = descriptor >> 8 & 7;
        let lanes = if subtype <= 1 { 16 } else { 8 };
        let each = lanes / 8;
        let header = descriptor >> 19 & 1 != 0;
        let word = |register: usize, dword: usize| {
            message.payload.get(register).and_then(|r| r.get(dword)).copied().unwrap_or_default()
        };
        let mut at = if header { 2 } else { 0 };
        let mut take = |present: bool, registers: usize| {
            let here = at;
            at += if present { registers } else { 0 };
            present.then_some(here)
        };
        let replicated = subtype == 1;
        let alpha_at = take(header && word(0, 0) >> 11 & 1 != 0, each);
        let mask_at = take(shader.is_some_and(|s| s.masks_samples) && !replicated, 1);
        let colors = take(true, if replicated { 1 } else { 4 * each }).unwrap_or_default();
        let second = take(matches!(subtype, 2 | 3), 4 * each);
        let depth_at = take(shader.is_some_and(|s| s.computes_depth) && !replicated, each);
        let stencil_at = take(shader.is_some_and(|s| s.computes_stencil) && !replicated, 1);
        if message.payload.len() < at {
            return Err(Fault::new(
                "eu/render-target",
                format!("a write of {at} registers comes with {}", message.payload.len()),
            ));
        }
        Ok(Self {
            payload: message.payload,
            lanes,
            lit: message.lanes,
            enabled: header.then(|| word(1, 7) >> (8 * (u32::from(message.first) / 8 % 2))),
            target: if header { (word(0, 2) & 7) as usize } else { 0 },
            replicated,
            colors,
            second,
            alpha_at,
            mask_at,
            depth_at,
            stencil_at,
        })
    }

    fn value(&self, register: usize, lane: usize) -> u32 {
        let register = self.payload.get(register + lane / 8);
        register.and_then(|r| r.get(lane % 8)).copied().unwrap_or_default()
    }

    fn color(&self, lane: usize) -> [u32; 4] {
        self.color_at(self.colors, lane)
    }

    fn color_at(&self, at: usize, lane: usize) -> [u32; 4] {
        if self.replicated {
            return [0, 1, 2, 3].map(|component| self.value(at, component));
        }
        [0, 1, 2, 3].map(|component| self.value(at + component * (self.lanes / 8), lane))
    }

    /// The alpha that is tested.
    fn alpha(&self, lane: usize) -> u32 {
        self.alpha_at.map_or_else(|| self.color(lane)[3], |at| self.value(at, lane))
    }

    fn sample_mask(&self, lane: usize) -> Option<Samples> {
        let at = self.mask_at?;
        Some((self.value(at, lane / 2) >> (16 * (lane % 2))) as Samples)
    }

    fn depth(&self, lane: usize) -> Option<f32> {
        self.depth_at.map(|at| f32::from_bits(self.value(at, lane)))
    }

    fn stencil(&self, lane: usize) -> Option<u8> {
        let at = self.stencil_at?;
        Some((self.value(at, lane / 4) >> (8 * (lane % 4))) as u8)
    }
}

impl StageFunctions for Merger<'_> {
    fn send(
        &mut self,
        message: &Message<'_>,
        response: &mut [Grf],
        memory: &mut Memory,
    ) -> Result<(), Fault> {
        const WRITE: u32 = 12;
        let kind = message.descriptor >> 14 & 15;
        match message.function {
            SharedFunction::RenderTarget if kind == WRITE => self.write(message, memory),
            SharedFunction::PixelInterpolator => {
                let Some(shape) = self.shape else { return Ok(()) };
                let (subspans, positions) = (self.subspans.as_slice(), self.output.positions);
                interpolator::answer(&Lanes { shape, subspans, positions }, message, response)
            }
            function => Err(Fault::new(
                "render/message",
                format!("the model does not answer message {kind} of {function:?}"),
            )),
        }
    }
}
