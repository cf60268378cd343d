//! The renderer: takes state and draws, spreads tiles over threads.

use std::sync::Arc;

use super::Halt;
use super::clear;
use super::compute::Dispatch;
use super::geometry::{Counts, Geometry};
use super::merger::{Merger, Output, PixelCounts};
use super::pixel_shader::{PixelShader, Subspan};
use super::raster::{Quad, Samples, TILE, rasterize, sample_positions};
use super::setup::{Area, Shapes};
use super::spread::spread;
use super::state::{self, Opcode, State, Words};
use super::stream_out;
use super::target::Target;
use super::vertex_fetch::Draw;
use super::vertex_shader::VertexShader;
use super::worker::Worker;
use crate::address::RegisterOffset;
use crate::command::streamer::Fault;
use crate::eu::Program;
use crate::silicon::model::bus::BatchBus;
use crate::silicon::model::memory::Memory;
use crate::silicon::model::registers::Registers;
use crate::silicon::model::stop::Stop;

const PRIMITIVE: Opcode = Opcode(0x7b00);
const GPGPU_WALKER: Opcode = Opcode(0x7105);
/// Each command ends before the next begins, so there is nothing to wait for.
const MEDIA_STATE_FLUSH: Opcode = Opcode(0x7004);
/// Pairs of tiles and shapes that are drawn at a time: bounds the memory that a draw takes.
const MOST_PAIRS: usize = 1 << 18;
/// Shapes on less than this are drawn by one thread: waking others takes longer.
const WORTH_SHARING: i64 = 64 * 64;
/// Render targets that are remembered.
const MOST_DRAWN: usize = 64;

/// Registers of indirect draws and dispatches (SKL PRM vol 2c, 3DPRIM_*, GPGPU_DISPATCHDIM*).
mod register {
    pub(super) const PREDICATE_RESULT: u32 = 0x2418;
    pub(super) const START_VERTEX: u32 = 0x2430;
    pub(super) const VERTEX_COUNT: u32 = 0x2434;
    pub(super) const INSTANCE_COUNT: u32 = 0x2438;
    pub(super) const START_INSTANCE: u32 = 0x243c;
    pub(super) const BASE_VERTEX: u32 = 0x2440;
    pub(super) const DISPATCH_DIMENSIONS: [u32; 3] = [0x2500, 0x2504, 0x2508];
}

/// The pipeline's statistics: 64 bits each (SKL PRM vol 2c).
mod statistic {
    pub(super) const COMPUTE_SHADER: u32 = 0x2290;
    pub(super) const HULL_SHADER: u32 = 0x2300;
    pub(super) const DOMAIN_SHADER: u32 = 0x2308;
    pub(super) const VERTICES: u32 = 0x2310;
    pub(super) const PRIMITIVES: u32 = 0x2318;
    pub(super) const VERTEX_SHADER: u32 = 0x2320;
    pub(super) const GEOMETRY_SHADER: u32 = 0x2328;
    pub(super) const GEOMETRY_PRIMITIVES: u32 = 0x2330;
    pub(super) const CLIPPER_IN: u32 = 0x2338;
    pub(super) const CLIPPER_OUT: u32 = 0x2340;
    pub(super) const PIXEL_SHADER: u32 = 0x2348;
    pub(super) const DEPTH_PASSED: u32 = 0x2350;
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Rendered {
    /// It is state.
    Done,
    /// It is drawn.
    Drawn,
    /// Its groups have run.
    Dispatched,
    /// The model does not do this.
    Skipped,
    /// The job was killed under way.
    Killed,
}

/// The 3D pipeline of one context.
#[derive(Debug, Default)]
pub(in super::super) struct Renderer {
    pub(in super::super) state: State,
    workers: Vec<Worker>,
    shapes: Shapes,
    /// Render targets that were written, the latest last.
    drawn: Vec<Target>,
}

impl Renderer {
    /// Executes a command of the 3D pipeline.
    pub(in super::super) fn execute(
        &mut self,
        command: &[u32],
        bus: &mut BatchBus,
        stop: &Stop,
    ) -> Result<Rendered, Fault> {
        let opcode = Opcode((command.first().copied().unwrap_or_default() >> 16) as u16);
        let done = match opcode {
            PRIMITIVE => self.primitive(Words(command), bus, stop),
            GPGPU_WALKER => self.dispatch(Words(command), bus, stop),
            MEDIA_STATE_FLUSH => Ok(Rendered::Done),
            state::WM_HZ_OP => {
                self.state.set(command);
                self.ready(&bus.memory);
                match self.workers.first_mut() {
                    Some(worker) => {
                        clear::depth(&self.state, worker, stop).map(|()| Rendered::Done)
                    }
                    None => Ok(Rendered::Skipped),
                }
            }
            state::SO_BUFFER => {
                self.state.set(command);
                let (memory, registers) = (&mut bus.memory, &mut bus.registers);
                stream_out::set_buffer(Words(command), memory, registers)?;
                Ok(Rendered::Done)
            }
            _ if self.state.set(command) => Ok(Rendered::Done),
            _ => Ok(Rendered::Skipped),
        };
        match done {
            Ok(done) => Ok(done),
            Err(Halt::Killed) => Ok(Rendered::Killed),
            Err(Halt::Fault(fault)) => Err(fault),
        }
    }

    /// The shaders that a draw would run.
    pub(in super::super) fn shaders(
        &mut self,
        memory: &Memory,
    ) -> Result<Vec<(&'static str, Arc<Program>)>, Fault> {
        self.ready(memory);
        let [worker, ..] = self.workers.as_mut_slice() else { return Ok(Vec::new()) };
        let mut shaders = Vec::new();
        if let Some(shader) = VertexShader::new(&self.state, worker)? {
            shaders.push(("vertex shader, SIMD8", Arc::clone(shader.program())));
        }
        let positions = sample_positions(self.state.command(state::MULTISAMPLE).bits(1, 1..=3));
        if let Some(shader) = PixelShader::new(&self.state, positions, worker)? {
            shaders.extend(shader.programs());
        }
        Ok(shaders)
    }

    /// Forgets what memory held.
    pub(in super::super) fn invalidate(&mut self) {
        self.workers.iter_mut().for_each(Worker::invalidate);
    }

    /// Makes sure that there are workers.
    fn ready(&mut self, memory: &Memory) {
        if self.workers.is_empty() {
            let count = rayon::current_num_threads().max(1);
            self.workers = (0..count).map(|i| Worker::new(memory.fork(), i as u32)).collect();
        }
    }

    fn dispatch(
        &mut self,
        command: Words<'_>,
        bus: &mut BatchBus,
        stop: &Stop,
    ) -> Result<Rendered, Halt> {
        let stored = |at| bus.registers.stored(RegisterOffset(at));
        if command.flag(0, 8) && stored(register::PREDICATE_RESULT) & 1 == 0 {
            return Ok(Rendered::Done);
        }
        let ends = if command.flag(0, 10) {
            register::DISPATCH_DIMENSIONS.map(stored)
        } else {
            [7, 10, 12].map(|dword| command.dword(dword))
        };
        self.ready(&bus.memory);
        let [first, ..] = self.workers.as_mut_slice() else { return Ok(Rendered::Skipped) };
        let dispatch = Dispatch::new(&self.state, command, ends, first)?;
        let lanes = dispatch.run(&mut self.workers, stop)?;
        add(&mut bus.registers, statistic::COMPUTE_SHADER, lanes);
        Ok(Rendered::Dispatched)
    }

    fn primitive(
        &mut self,
        command: Words<'_>,
        bus: &mut BatchBus,
        stop: &Stop,
    ) -> Result<Rendered, Halt> {
        let stored = |at| bus.registers.stored(RegisterOffset(at));
        if command.flag(0, 8) && stored(register::PREDICATE_RESULT) & 1 == 0 {
            return Ok(Rendered::Done);
        }
        let indexed = command.flag(1, 8);
        let draw = if command.flag(0, 10) {
            Draw {
                indexed,
                count: stored(register::VERTEX_COUNT),
                first: stored(register::START_VERTEX),
                instances: stored(register::INSTANCE_COUNT),
                first_instance: stored(register::START_INSTANCE),
                base: stored(register::BASE_VERTEX),
            }
        } else {
            Draw {
                indexed,
                count: command.dword(2),
                first: command.dword(3),
                instances: command.dword(4),
                first_instance: command.dword(5),
                base: command.dword(6),
            }
        };
        self.ready(&bus.memory);
        let drawn = self.draw(draw, bus, stop);
        if let Ok(Some((counts, pixels))) = &drawn {
            self.count(counts, pixels, &mut bus.registers);
        }
        Ok(match drawn? {
            Some(_) => Rendered::Drawn,
            None => Rendered::Skipped,
        })
    }

    fn draw(
        &mut self,
        draw: Draw,
        bus: &mut BatchBus,
        stop: &Stop,
    ) -> Result<Option<(Counts, PixelCounts)>, Halt> {
        let [first, ..] = self.workers.as_mut_slice() else { return Ok(None) };
        let Some(mut geometry) = Geometry::new(&self.state, draw, first, &bus.registers)? else {
            return Ok(None);
        };
        let positions = sample_positions(self.state.command(state::MULTISAMPLE).bits(1, 1..=3));
        let shader = PixelShader::new(&self.state, positions, first)?;
        let output = Output::new(&self.state, shader.as_ref(), first)?;
        let ps = self.state.command(state::PS);
        let (clears, resolves) = (ps.flag(6, 8), ps.bits(6, 6..=7) != 0);
        let area = output.area();
        let mut pixels = PixelCounts::default();
        let mut more = true;
        while more {
            if stop.killed() {
                return Err(Halt::Killed);
            }
            let [first, ..] = self.workers.as_mut_slice() else { return Ok(None) };
            self.shapes.clear();
            more = geometry.portion(first, stop, &mut self.shapes)?;
            if clears || resolves {
                if let Some(target) = &output.targets[0] {
                    for shape in &self.shapes.shapes {
                        if clears {
                            clear::color(target, shape, first, stop)?;
                        } else {
                            clear::resolve(target, shape, first, stop)?;
                        }
                    }
                    pixels.written |= 1;
                }
                continue;
            }
            let drawing =
                Drawing { output: &output, shader: shader.as_ref(), shapes: &self.shapes, stop };
            for counted in drawing.draw(area, &mut self.workers)? {
                pixels.invocations += counted.invocations;
                pixels.passed += counted.passed;
                pixels.written |= counted.written;
            }
        }
        geometry.stream_out.finish(&mut bus.memory, &mut bus.registers)?;
        self.remember(&output, pixels.written);
        if !output.counts {
            pixels.passed = 0;
        }
        Ok(Some((geometry.counts, pixels)))
    }

    fn remember(&mut self, output: &Output, written: u8) {
        for (i, target) in output.targets.iter().enumerate() {
            let Some(target) = target.as_ref().filter(|_| written >> i & 1 != 0) else { continue };
            self.drawn.retain(|known| !known.shows_the_same(target));
            if self.drawn.len() >= MOST_DRAWN {
                self.drawn.remove(0);
            }
            self.drawn.push(target.clone());
        }
    }

    /// The render targets that were written since this was asked, the latest last.
    pub(in super::super) fn take_drawn(&mut self) -> Vec<Target> {
        std::mem::take(&mut self.drawn)
    }

    fn count(&self, counts: &Counts, pixels: &PixelCounts, registers: &mut Registers) {
        let on = |opcode, dword, bit| self.state.command(opcode).flag(dword, bit);
        let mut add = |at, by, counted| add(registers, at, if counted { by } else { 0 });
        let fetch = on(state::VF_STATISTICS, 0, 0);
        add(statistic::VERTICES, counts.vertices, fetch);
        add(statistic::PRIMITIVES, counts.primitives, fetch);
        add(statistic::VERTEX_SHADER, counts.vertex_shader, on(state::VS, 7, 10));
        add(statistic::HULL_SHADER, counts.patches, on(state::HS, 2, 29));
        add(statistic::DOMAIN_SHADER, counts.domain_shader, on(state::DS, 7, 10));
        let shades = on(state::GS, 7, 10);
        add(statistic::GEOMETRY_SHADER, counts.geometry_shader, shades);
        add(statistic::GEOMETRY_PRIMITIVES, counts.geometry_primitives, shades);
        let clip = on(state::CLIP, 1, 10);
        add(statistic::CLIPPER_IN, counts.clipper_in, clip);
        add(statistic::CLIPPER_OUT, counts.clipper_out, clip);
        add(statistic::PIXEL_SHADER, pixels.invocations, on(state::WM, 1, 31));
        add(statistic::DEPTH_PASSED, pixels.passed, true);
    }
}

/// Adds to a statistic.
pub(super) fn add(registers: &mut Registers, at: u32, by: u64) {
    if by == 0 {
        return;
    }
    let (low, high) = (RegisterOffset(at), RegisterOffset(at + 4));
    let old = u64::from(registers.stored(high)) << 32 | u64::from(registers.stored(low));
    let new = old.wrapping_add(by);
    registers.restore(low, new as u32);
    registers.restore(high, (new >> 32) as u32);
}

/// A portion of a draw, to be spread over workers.
struct Drawing<'d> {
    output: &'d Output,
    shader: Option<&'d PixelShader>,
    shapes: &'d Shapes,
    stop: &'d Stop,
}

/// A tile, and which of the sorted pairs are its own.
struct Share {
    origin: (i32, i32),
    pairs: std::ops::Range<usize>,
}

impl Drawing<'_> {
    fn draw(&self, area: Area, workers: &mut [Worker]) -> Result<Vec<PixelCounts>, Halt> {
        let mut counts = Vec::new();
        let mut next = 0;
        while next < self.shapes.shapes.len() {
            // Sorted by tile, and in a tile in their order.
            let mut pairs: Vec<(u32, u32)> = Vec::new();
            let mut pixels = 0;
            while let Some(shape) = self.shapes.shapes.get(next)
                && pairs.len() < MOST_PAIRS
            {
                let covered = shape.area.intersection(area);
                if !covered.is_empty() {
                    let (width, height) =
                        (covered.right - covered.left, covered.bottom - covered.top);
                    pixels += i64::from(width) * i64::from(height);
                    for row in covered.top / TILE..=(covered.bottom - 1) / TILE {
                        for column in covered.left / TILE..=(covered.right - 1) / TILE {
                            pairs.push(((row as u32) << 16 | column as u32, next as u32));
                        }
                    }
                }
                next += 1;
            }
            pairs.sort_unstable();
            let mut shares = Vec::new();
            let mut start = 0;
            for tile in pairs.chunk_by(|a, b| a.0 == b.0) {
                let key = tile.first().map_or(0, |(key, _)| *key);
                let origin = ((key & 0xffff) as i32 * TILE, (key >> 16) as i32 * TILE);
                shares.push(Share { origin, pairs: start..start + tile.len() });
                start += tile.len();
            }
            self.share_out(&pairs, &shares, area, pixels >= WORTH_SHARING, workers, &mut counts)?;
        }
        Ok(counts)
    }

    fn share_out<'s>(
        &'s self,
        pairs: &[(u32, u32)],
        shares: &[Share],
        area: Area,
        worth_sharing: bool,
        workers: &mut [Worker],
        counts: &mut Vec<PixelCounts>,
    ) -> Result<(), Halt> {
        // What shaders write elsewhere is written in the order of one thread.
        let alone = self.shader.is_some_and(|shader| shader.has_side_effects);
        let at_once = if worth_sharing && !alone { usize::MAX } else { 1 };
        let begin = || Merger::new(self.output, self.shader);
        let piece = |merger: &mut Merger<'s>, number: u64, worker: &mut Worker| {
            let Some(share) = shares.get(number as usize) else { return Ok(()) };
            let shapes = pairs.get(share.pairs.clone()).unwrap_or_default();
            self.tile(share.origin, shapes, area, merger, worker)
        };
        let mergers = spread(workers, at_once, shares.len() as u64, self.stop, begin, piece)?;
        counts.extend(mergers.into_iter().map(|merger| merger.counts));
        Ok(())
    }

    /// Draws all shapes of one tile.
    fn tile<'s>(
        &'s self,
        origin: (i32, i32),
        pairs: &[(u32, u32)],
        area: Area,
        merger: &mut Merger<'s>,
        worker: &mut Worker,
    ) -> Result<(), Halt> {
        let (left, top) = origin;
        let tile = Area { left, top, right: left + TILE, bottom: top + TILE }.intersection(area);
        merger.begin(origin);
        let mut quads: Vec<Quad> = Vec::with_capacity(256);
        let mut waiting: Vec<Subspan> = Vec::with_capacity(8);
        for (_, index) in pairs {
            let Some(shape) = self.shapes.shapes.get(*index as usize) else { continue };
            quads.clear();
            let (positions, mask) = (self.output.positions, self.output.sample_mask);
            let stipple = self.output.stipple.as_ref().filter(|_| shape.filled);
            rasterize(shape, tile, positions, mask, |mut quad| {
                if let Some(stipple) = stipple {
                    stipple.apply(&mut quad);
                }
                quads.push(quad);
            });
            merger.shape(shape);
            for quad in &mut quads {
                merger.early(quad, &mut worker.memory)?;
                let Some(shader) = self.shader else { continue };
                if quad.covered == [0; 4] {
                    continue;
                }
                let samples = if shader.per_sample { positions.len() } else { 1 };
                for sample in 0..samples {
                    let any = |covered: &Samples| !shader.per_sample || covered >> sample & 1 != 0;
                    if !quad.covered.iter().any(any) {
                        continue;
                    }
                    waiting.push(Subspan { quad: *quad, sample: sample as u8 });
                    if 4 * waiting.len() == shader.widest() {
                        self.shade(shader, *index, &mut waiting, merger, worker)?;
                    }
                }
            }
            if let Some(shader) = self.shader.filter(|_| !waiting.is_empty()) {
                self.shade(shader, *index, &mut waiting, merger, worker)?;
            }
        }
        merger.end(&mut worker.memory)?;
        Ok(())
    }

    fn shade(
        &self,
        shader: &PixelShader,
        index: u32,
        waiting: &mut Vec<Subspan>,
        merger: &mut Merger<'_>,
        worker: &mut Worker,
    ) -> Result<(), Halt> {
        let Some(shape) = self.shapes.shapes.get(index as usize) else { return Ok(()) };
        let end = self
            .shapes
            .shapes
            .get(index as usize + 1)
            .map_or(self.shapes.attributes.len(), |next| next.attributes);
        let attributes = self.shapes.attributes.get(shape.attributes..end).unwrap_or_default();
        let program = shader.dispatch(shape, attributes, waiting, worker)?;
        merger.thread(waiting);
        waiting.clear();
        worker.run(&program, &shader.kernel, merger, self.stop)
    }
}
