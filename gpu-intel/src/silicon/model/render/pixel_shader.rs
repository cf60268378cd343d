//! Pixel shaders: what a thread begins with.
//!
//! Sources: SKL PRM vol 7, "Pixel shader thread payload"; vol 2a, 3DSTATE_PS, PS_EXTRA, WM.

use std::sync::Arc;

use super::kernel::{Kernel, Stage};
use super::raster::{Quad, Samples};
use super::setup::Shape;
use super::state::{self, Base, State};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::eu::{Control, Grf, Program};

/// Where a shader may ask for positions in the pixel (3DSTATE_PS, position offsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offsets {
    None,
    Centroid,
    Sample,
}

/// A point of a pixel that something is interpolated at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Pixel,
    Centroid,
    Sample,
}

/// A pixel's centre, in sixteenths.
const CENTRE: (u8, u8) = (8, 8);

/// How pixels are shaded in one draw.
#[derive(Debug)]
pub(super) struct PixelShader {
    pub(super) kernel: Kernel,
    /// Programs for 8, 16 and 32 lanes, with the register that push constants begin at.
    programs: [Option<(Arc<Program>, usize)>; 3],
    /// Sets of barycentric coordinates: a bit each.
    barycentrics: u32,
    source_depth: bool,
    source_w: bool,
    offsets: Offsets,
    input_coverage: bool,
    /// Each sample is shaded by itself.
    pub(super) per_sample: bool,
    pub(super) kills: bool,
    pub(super) computes_depth: bool,
    pub(super) computes_stencil: bool,
    pub(super) masks_samples: bool,
    pub(super) has_side_effects: bool,
    /// A part of r0.0. Shaders tell faces by the sign of its low word: for front faces it must not be 0.
    topology: u32,
    positions: &'static [(u8, u8)],
}

/// A pixel's lanes: a quad, and the sample that it is shaded for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Subspan {
    pub(super) quad: Quad,
    pub(super) sample: u8,
}

impl PixelShader {
    /// `None` if no shader runs.
    pub(super) fn new(
        state: &State,
        positions: &'static [(u8, u8)],
        worker: &mut Worker,
    ) -> Result<Option<Self>, Fault> {
        let (ps, extra) = (state.command(state::PS), state.command(state::PS_EXTRA));
        if !extra.flag(1, 31) {
            return Ok(None);
        }
        let wm = state.command(state::WM);
        let mut kernel = Kernel::new(state, Stage::Pixel, ps, 4, &mut worker.memory)?;
        let retain = if ps.flag(3, 26) { Control::KEEP_F32_DENORMALS } else { 0 };
        let vector = if ps.flag(3, 30) { Control::VECTOR_MASK } else { 0 };
        kernel.control.0 |= retain | vector | ps.bits(3, 14..=15) << 4;
        if !ps.flag(6, 11) {
            kernel.constants.clear();
        }
        let widths = [0, 1, 2].map(|bit| ps.flag(6, bit));
        // The places of the programs and of their first registers, by the widths that are enabled.
        let places = match widths {
            [_, true, false] if !widths[0] => [None, Some(0), None],
            [false, false, true] => [None, None, Some(0)],
            _ => [Some(0), Some(2), Some(1)],
        };
        let base = state.base(Base::Instruction);
        let mut programs = [None, None, None];
        for ((program, enabled), place) in programs.iter_mut().zip(widths).zip(places) {
            let Some(place) = place.filter(|_| enabled) else { continue };
            let pointer = ps.address([1, 8, 10][place]);
            let start = ps.dword(7) >> (16 - 8 * place) & 0x7f;
            *program = Some((worker.program(base, pointer)?, start as usize));
        }
        Ok(Some(Self {
            kernel,
            programs,
            barycentrics: wm.bits(1, 11..=16),
            source_depth: extra.flag(1, 24),
            source_w: extra.flag(1, 23),
            offsets: match ps.bits(6, 3..=4) {
                2 => Offsets::Centroid,
                3 => Offsets::Sample,
                _ => Offsets::None,
            },
            input_coverage: extra.bits(1, 0..=1) != 0,
            per_sample: extra.flag(1, 6) && positions.len() > 1,
            kills: extra.flag(1, 28),
            computes_depth: extra.bits(1, 26..=27) != 0,
            computes_stencil: extra.flag(1, 5),
            masks_samples: extra.flag(1, 29),
            has_side_effects: extra.flag(1, 2),
            topology: state.command(state::VF_TOPOLOGY).bits(1, 0..=4),
            positions,
        }))
    }

    /// Its programs, by name.
    pub(super) fn programs(&self) -> impl Iterator<Item = (&'static str, Arc<Program>)> {
        let names = ["pixel shader, SIMD8", "pixel shader, SIMD16", "pixel shader, SIMD32"];
        let programs = names.into_iter().zip(&self.programs);
        programs.filter_map(|(name, program)| Some((name, Arc::clone(&program.as_ref()?.0))))
    }

    /// Lanes of the widest thread that is of use.
    pub(super) fn widest(&self) -> usize {
        match self.programs {
            [_, Some(_), _] => 16,
            [.., Some(_)] => 32,
            _ => 8,
        }
    }

    /// The narrowest program that so many lanes fit in: the program, its width, its first register.
    fn program(&self, lanes: usize) -> Option<(Arc<Program>, usize, usize)> {
        let widths = self.programs.iter().zip([8, 16, 32]);
        let mut fitting = widths.filter(|(_, width)| *width >= lanes);
        fitting.find_map(|(program, width)| {
            program.as_ref().map(|(program, start)| (Arc::clone(program), width, *start))
        })
    }

    /// Writes the payload of a thread for `subspans`, all of one shape; returns the program to run.
    pub(super) fn dispatch(
        &self,
        shape: &Shape,
        attributes: &[Grf],
        subspans: &[Subspan],
        worker: &mut Worker,
    ) -> Result<Arc<Program>, Fault> {
        let missing = || Fault::new("render/dispatch", "no pixel shader has so many lanes");
        let (program, width, start) = self.program(4 * subspans.len()).ok_or_else(missing)?;
        let mut dispatched = 0;
        let mut whole = 0;
        for (i, subspan) in subspans.iter().enumerate() {
            for (pixel, covered) in subspan.quad.covered.iter().enumerate() {
                let lit = if self.per_sample { covered >> subspan.sample & 1 } else { *covered };
                dispatched |= u32::from(lit != 0) << (4 * i + pixel);
            }
            whole |= 0xf << (4 * i);
        }
        worker.start(&self.kernel, dispatched, whole);
        let registers = worker.registers();
        if let Some(header) = registers.get_mut(0) {
            header[0] = u32::from(shape.back_facing) << 15
                | self.topology
                | (shape.layer & 0x7ff) << 16
                | (shape.viewport & 0xf) << 27
                | u32::from(self.computes_depth) << 13
                | u32::from(self.masks_samples) << 12;
        }
        let mut at = 1;
        let mut put = |value: Grf| {
            if let Some(register) = registers.get_mut(at) {
                *register = value;
            }
            at += 1;
        };
        for half in 0..width.div_ceil(16) {
            let subspans = subspans.get(4 * half..).unwrap_or_default();
            let mut positions = [0; 8];
            for (i, Subspan { quad, sample }) in subspans.iter().take(4).enumerate() {
                positions[0] |= u32::from(*sample) << (4 * i);
                positions[2 + i] = (quad.y as u32) << 16 | (quad.x as u32) & 0xffff;
            }
            positions[7] = dispatched >> (16 * half) & 0xffff;
            put(positions);
        }
        for half in 0..width.div_ceil(16) {
            let subspans = subspans.get(4 * half..).unwrap_or_default();
            self.interpolated(shape, subspans, width.min(16), &mut put);
        }
        let start = worker.push_constants(&self.kernel, start);
        for (at, register) in (start..).zip(attributes) {
            worker.set_register(at, *register);
        }
        Ok(program)
    }

    /// What half a thread gets of interpolated values.
    fn interpolated(
        &self,
        shape: &Shape,
        subspans: &[Subspan],
        width: usize,
        put: &mut impl FnMut(Grf),
    ) {
        let lanes = Lanes { shape, subspans, positions: self.positions };
        let eights = width / 8;
        const SETS: [(bool, At); 6] = [
            (true, At::Pixel),
            (true, At::Centroid),
            (true, At::Sample),
            (false, At::Pixel),
            (false, At::Centroid),
            (false, At::Sample),
        ];
        for (bit, (perspective, at)) in SETS.into_iter().enumerate() {
            if self.barycentrics >> bit & 1 == 0 {
                continue;
            }
            for eight in 0..eights {
                let (b1, b2) = lanes.barycentric(eight, at, perspective);
                put(b1.map(f32::to_bits));
                put(b2.map(f32::to_bits));
            }
        }
        // As the colour is shaded: at the pixel's centre, or at the sample.
        let at = if self.per_sample { At::Sample } else { At::Pixel };
        if self.source_depth {
            (0..eights).for_each(|eight| put(lanes.depth(eight, at).map(f32::to_bits)));
        }
        if self.source_w {
            (0..eights).for_each(|eight| put(lanes.w(eight, at).map(f32::to_bits)));
        }
        if self.offsets != Offsets::None {
            let at = if self.offsets == Offsets::Sample { At::Sample } else { At::Centroid };
            let mut register = [0; 8];
            for lane in 0..16 {
                let (x, y) = lanes.point(lane, at);
                let pair = u32::from(x) | u32::from(y) << 8;
                register[lane / 2] |= pair << (16 * (lane % 2));
            }
            put(register);
        }
        if self.input_coverage {
            for eight in 0..eights {
                put(std::array::from_fn(|i| {
                    let covered = lanes.covered(8 * eight + i);
                    let sample = lanes.subspan(8 * eight + i).sample;
                    u32::from(if self.per_sample { covered & 1 << sample } else { covered })
                }));
            }
        }
    }
}

/// The lanes of a thread, or of half of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes<'a> {
    pub(super) shape: &'a Shape,
    pub(super) subspans: &'a [Subspan],
    pub(super) positions: &'static [(u8, u8)],
}

impl Lanes<'_> {
    fn subspan(&self, lane: usize) -> Subspan {
        // Lanes without a quad repeat the first, so that they compute with numbers that make sense.
        self.subspans.get(lane / 4).or(self.subspans.first()).copied().unwrap_or_default()
    }

    fn covered(&self, lane: usize) -> Samples {
        self.subspans.get(lane / 4).map_or(0, |s| s.quad.covered[lane % 4])
    }

    /// Where a sample lies in each pixel, in sixteenths.
    pub(super) fn sample_point(&self, index: usize) -> (i32, i32) {
        let (x, y) = self.positions.get(index).copied().unwrap_or(CENTRE);
        (x.into(), y.into())
    }

    /// A point of a lane's pixel, in sixteenths.
    pub(super) fn point(&self, lane: usize, at: At) -> (u8, u8) {
        let sample = |index: usize| self.positions.get(index).copied().unwrap_or(CENTRE);
        match at {
            At::Pixel => CENTRE,
            At::Sample => sample(self.subspan(lane).sample.into()),
            At::Centroid => {
                let covered = self.covered(lane);
                let all = u32::MAX >> (32 - self.positions.len().clamp(1, 16));
                if covered == 0 || u32::from(covered) == all {
                    CENTRE
                } else {
                    sample(covered.trailing_zeros() as usize)
                }
            }
        }
    }

    /// A point of a lane's pixel from the shape's origin.
    fn place(&self, lane: usize, (x, y): (f32, f32)) -> (f32, f32) {
        let quad = self.subspan(lane).quad;
        let pixel = lane % 4;
        let x = (quad.x + (pixel & 1) as i32) as f32 + x;
        let y = (quad.y + (pixel >> 1) as i32) as f32 + y;
        (x - self.shape.origin[0], y - self.shape.origin[1])
    }

    fn place_at(&self, lane: usize, at: At) -> (f32, f32) {
        let (x, y) = self.point(lane, at);
        self.place(lane, (f32::from(x) / 16.0, f32::from(y) / 16.0))
    }

    /// b1 and b2 at a point of a lane's pixel.
    pub(super) fn barycentric_at(
        &self,
        lane: usize,
        point: (f32, f32),
        perspective: bool,
    ) -> [f32; 2] {
        let (x, y) = self.place(lane, point);
        let [w0, w1, w2] = self.shape.inverse_w;
        let [p1, p2] = self.shape.b.map(|plane| plane.value(x, y));
        if !perspective {
            return [p1, p2];
        }
        let w = 1.0 / (w0 + p1 * (w1 - w0) + p2 * (w2 - w0));
        [p1 * w1 * w, p2 * w2 * w]
    }

    fn barycentric(&self, eight: usize, at: At, perspective: bool) -> ([f32; 8], [f32; 8]) {
        let (mut b1, mut b2) = ([0.0; 8], [0.0; 8]);
        for (i, (b1, b2)) in b1.iter_mut().zip(&mut b2).enumerate() {
            let lane = 8 * eight + i;
            let (x, y) = self.point(lane, at);
            let point = (f32::from(x) / 16.0, f32::from(y) / 16.0);
            [*b1, *b2] = self.barycentric_at(lane, point, perspective);
        }
        (b1, b2)
    }

    fn depth(&self, eight: usize, at: At) -> [f32; 8] {
        std::array::from_fn(|i| {
            let (x, y) = self.place_at(8 * eight + i, at);
            self.shape.z.value(x, y)
        })
    }

    fn w(&self, eight: usize, at: At) -> [f32; 8] {
        let [w0, w1, w2] = self.shape.inverse_w;
        std::array::from_fn(|i| {
            let (x, y) = self.place_at(8 * eight + i, at);
            let [b1, b2] = self.shape.b.map(|plane| plane.value(x, y));
            1.0 / (w0 + b1 * (w1 - w0) + b2 * (w2 - w0))
        })
    }
}
