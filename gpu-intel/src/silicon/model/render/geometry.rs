//! The geometry half of a draw: from indices to shapes on the screen.
//!
//! ```text
//!  indices ─► vertex fetch ─► vertex shader (8 at a time) ─┬─► assembly ────────────────────────────┬─► primitives
//!                                                          └─► patches ─► hull, tessellator, domain ┘       │
//!             shapes ◄─ setup ◄─ clip ◄─ [stream output] ◄─ [geometry shader: a few primitives at a time] ◄─┘
//! ```
//!
//! It works in portions: so many vertices, then all that is complete with them, a patch at a time. What an unfinished strip
//! or fan still needs is carried over. A portion is over when it has made shapes enough, so that what a draw takes is bounded
//! by what one patch, or a few primitives in a geometry shader, can make.

use super::Halt;
use super::assembly::{Assembler, Primitive, Provoking, Topology};
use super::clip::{Clipper, Piece};
use super::geometry_shader::GeometryShader;
use super::setup::{Setup, Shapes};
use super::state::{self, State};
use super::stream_out::StreamOut;
use super::tessellation::{Patches, Tessellation};
use super::vertex_fetch::{Draw, Indices, VertexFetch, Wanted};
use super::vertex_shader::VertexShader;
use super::vertices::{VertexId, Vertices};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::silicon::model::registers::Registers;
use crate::silicon::model::stop::Stop;

/// Vertices of a portion, and indices that are read at a time.
const PORTION: usize = 2048;
const INDICES: usize = 256;
/// Places of the cache of shaded vertices.
const CACHE: usize = 1024;
/// Shapes after which a portion is over.
const SHAPES: usize = 4096;

/// What the stages have counted (the pipeline's statistics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) vertices: u64,
    pub(super) primitives: u64,
    pub(super) vertex_shader: u64,
    pub(super) patches: u64,
    pub(super) domain_shader: u64,
    pub(super) geometry_shader: u64,
    pub(super) geometry_primitives: u64,
    pub(super) clipper_in: u64,
    pub(super) clipper_out: u64,
}

/// One 3DPRIMITIVE on its way.
#[derive(Debug)]
pub(super) struct Geometry {
    draw: Draw,
    indices: Indices,
    fetch: VertexFetch,
    shader: Option<VertexShader>,
    assembler: Assembler,
    /// In place of the assembler.
    patches: Option<(Patches, Tessellation)>,
    geometry_shader: Option<GeometryShader>,
    pub(super) stream_out: StreamOut,
    clipper: Clipper,
    setup: Setup,
    /// The next vertex: its instance, its number in it.
    instance: u32,
    next: u32,
    vertices: Vertices,
    /// Vertices from here on are fetched, but not shaded.
    fetched: Vec<Wanted>,
    /// Which vertex an index of the current instance has become.
    cache: Vec<Option<(u32, VertexId)>>,
    /// Whether vertices are left.
    more: bool,
    /// Primitives on their way, the next one's place, and the vertices of those that patches became.
    primitives: Vec<Primitive>,
    done: usize,
    divided: Vertices,
    clipped: Vec<Piece>,
    pub(super) counts: Counts,
}

impl Geometry {
    /// `None`: there is nothing that this makes.
    pub(super) fn new(
        state: &State,
        draw: Draw,
        worker: &mut Worker,
        registers: &Registers,
    ) -> Result<Option<Self>, Fault> {
        let code = state.command(state::VF_TOPOLOGY).bits(1, 0..=5);
        let tessellation = Tessellation::new(state, worker)?;
        let (topology, patches) = match (Topology::new(code), Patches::new(code), tessellation) {
            (Some(topology), _, None) => (topology, None),
            (_, Some(patches), Some(tessellation)) => {
                (Topology::Points, Some((patches, tessellation)))
            }
            _ => return Ok(None),
        };
        let fetch = VertexFetch::new(state, draw.first_instance);
        let shader = VertexShader::new(state, worker)?;
        let mut vertices = Vertices::default();
        vertices.clear(shader.as_ref().map_or(fetch.slots(), VertexShader::slots));
        Ok(Some(Self {
            draw,
            indices: Indices::new(state),
            fetch,
            shader,
            assembler: Assembler::new(topology, Provoking::new(state)),
            patches,
            geometry_shader: GeometryShader::new(state, worker)?,
            stream_out: StreamOut::new(state, registers),
            clipper: Clipper::new(state),
            setup: Setup::new(state, &mut worker.memory)?,
            instance: 0,
            next: 0,
            vertices,
            fetched: Vec::with_capacity(PORTION),
            cache: vec![None; CACHE],
            more: true,
            primitives: Vec::new(),
            done: 0,
            divided: Vertices::default(),
            clipped: Vec::new(),
            counts: Counts::default(),
        }))
    }

    /// The next shapes. `false`: there are no more to come.
    pub(super) fn portion(
        &mut self,
        worker: &mut Worker,
        stop: &Stop,
        shapes: &mut Shapes,
    ) -> Result<bool, Halt> {
        while shapes.shapes.len() < SHAPES {
            if stop.killed() {
                return Err(Halt::Killed);
            }
            if self.done < self.primitives.len() {
                self.advance(worker, stop, shapes)?;
            } else if self.divide(worker, stop)? {
                self.done = 0;
            } else if self.more {
                self.carry_over();
                self.more = self.gather(worker)?;
                self.counts.primitives += self.assembled();
                self.shade(worker, stop)?;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads indices and assembles primitives until there are vertices enough. `false`: the draw is at its end.
    fn gather(&mut self, worker: &mut Worker) -> Result<bool, Fault> {
        let mut indices = [0; INDICES];
        while self.instance < self.draw.instances {
            while self.next < self.draw.count {
                let patches = self.patches.as_ref().map_or(0, |(patches, _)| patches.len());
                if self.fetched.len() + INDICES > PORTION
                    || self.primitives.len() + patches > 2 * PORTION
                {
                    return Ok(true);
                }
                let left = (self.draw.count - self.next) as usize;
                let indices = indices.get_mut(..left.min(INDICES)).unwrap_or_default();
                if self.draw.indexed {
                    let first = u64::from(self.draw.first) + u64::from(self.next);
                    self.indices.read(&mut worker.memory, first, indices)?;
                }
                for (i, index) in indices.iter().enumerate() {
                    if self.draw.indexed && self.indices.is_cut(*index) {
                        match &mut self.patches {
                            Some((patches, _)) => patches.restart(),
                            None => self.assembler.restart(&mut self.primitives),
                        }
                        continue;
                    }
                    let id = if self.draw.indexed { *index } else { self.next + i as u32 };
                    let vertex = self.vertex(id);
                    match &mut self.patches {
                        Some((patches, _)) => patches.push(vertex),
                        None => self.assembler.push(vertex, &mut self.primitives),
                    }
                }
                self.counts.vertices += indices.len() as u64;
                self.next += indices.len() as u32;
            }
            match &mut self.patches {
                Some((patches, _)) => patches.next_instance(),
                None => self.assembler.next_instance(&mut self.primitives),
            }
            self.cache.fill(None);
            self.instance += 1;
            self.next = 0;
        }
        Ok(false)
    }

    /// Primitives or patches that were assembled from what was gathered.
    fn assembled(&self) -> u64 {
        let patches = self.patches.as_ref().map_or(0, |(patches, _)| patches.len());
        (self.primitives.len() + patches) as u64
    }

    /// The vertex with this id in the current instance.
    fn vertex(&mut self, id: u32) -> VertexId {
        let slot = self.cache.get_mut(id as usize % CACHE);
        if let Some(Some((known, vertex))) = slot
            && *known == id
        {
            return *vertex;
        }
        let (vertex, _) = self.vertices.push();
        let base = if self.draw.indexed { self.draw.base } else { self.draw.first };
        self.fetched.push(Wanted { place: id.wrapping_add(base), id, instance: self.instance });
        if let Some(slot) = slot {
            *slot = Some((id, vertex));
        }
        vertex
    }

    /// Fetches and shades what was gathered: the last vertices, in order.
    fn shade(&mut self, worker: &mut Worker, stop: &Stop) -> Result<(), Halt> {
        let fetched = std::mem::take(&mut self.fetched);
        let first = (self.vertices.len() - fetched.len()) as u32;
        match &self.shader {
            Some(shader) => {
                let ids = first..;
                for (batch, first) in fetched.chunks(8).zip(ids.step_by(8)) {
                    let first = VertexId(first);
                    shader.run(&self.fetch, batch, first, &mut self.vertices, worker, stop)?;
                }
                self.counts.vertex_shader += fetched.len() as u64;
            }
            None => {
                for (wanted, id) in fetched.iter().zip(first..) {
                    let slots = self.vertices.get_mut(VertexId(id));
                    if !self.fetch.fetch(&mut worker.memory, *wanted, slots)? {
                        self.vertices.set_inner(VertexId(id));
                    }
                }
            }
        }
        self.fetched = fetched;
        self.fetched.clear();
        Ok(())
    }

    /// Divides the next patch into primitives. `false`: there is none.
    fn divide(&mut self, worker: &mut Worker, stop: &Stop) -> Result<bool, Halt> {
        let Some((patches, tessellation)) = &mut self.patches else { return Ok(false) };
        let (vertices, made) = (&mut self.divided, &mut self.primitives);
        let points = tessellation.run(patches, &self.vertices, worker, stop, vertices, made)?;
        let Some(points) = points else { return Ok(false) };
        self.counts.patches += 1;
        self.counts.domain_shader += points;
        Ok(true)
    }

    /// Finishes some of the primitives that are there.
    fn advance(
        &mut self,
        worker: &mut Worker,
        stop: &Stop,
        shapes: &mut Shapes,
    ) -> Result<(), Halt> {
        let divided = self.patches.is_some();
        let store = if divided { &mut self.divided } else { &mut self.vertices };
        let mut vertices = std::mem::take(store);
        let primitives = std::mem::take(&mut self.primitives);
        let rest = primitives.get(self.done..).unwrap_or_default();
        let finished = match &self.geometry_shader {
            None => {
                let some = rest.get(..SHAPES).unwrap_or(rest);
                self.done += some.len();
                some.iter().try_for_each(|p| self.finish(p, &mut vertices, worker, shapes))
            }
            Some(shader) => {
                let some = rest.get(..shader.primitives()).unwrap_or(rest);
                self.done += some.len();
                let (mut made, mut from) = (Vec::new(), Vertices::default());
                from.clear(shader.vertex_slots());
                shader.run(some, &vertices, worker, stop, &mut from, &mut made)?;
                self.counts.geometry_shader += shader.instances() * some.len() as u64;
                self.counts.geometry_primitives += made.len() as u64;
                made.iter().try_for_each(|p| self.finish(p, &mut from, worker, shapes))
            }
        };
        self.primitives = primitives;
        *if divided { &mut self.divided } else { &mut self.vertices } = vertices;
        Ok(finished?)
    }

    /// Writes, clips and sets up a primitive.
    fn finish(
        &mut self,
        primitive: &Primitive,
        vertices: &mut Vertices,
        worker: &mut Worker,
        shapes: &mut Shapes,
    ) -> Result<(), Fault> {
        self.stream_out.write(primitive, vertices, &mut worker.memory)?;
        if !self.stream_out.draws(primitive.stream) {
            return Ok(());
        }
        self.counts.clipper_in += 1;
        let corners = primitive.vertices;
        let provoking =
            corners.get(usize::from(primitive.provoking)).copied().unwrap_or(corners[0]);
        let guard = self.setup.guard_band(vertices, provoking);
        let mut clipped = std::mem::take(&mut self.clipped);
        let outline = primitive.outline & vertices.edges(corners);
        let kind = primitive.kind;
        self.clipper.clip(kind, corners, outline, guard, vertices, &mut clipped);
        self.counts.clipper_out += clipped.len() as u64;
        for piece in &clipped {
            self.setup.add(kind, *piece, provoking, primitive.id, vertices, shapes);
        }
        self.clipped = clipped;
        Ok(())
    }

    /// Forgets all vertices but those that an unfinished primitive needs.
    fn carry_over(&mut self) {
        self.cache.fill(None);
        (self.done, self.primitives) = (0, Vec::new());
        let mut kept = Vertices::default();
        kept.clear(self.vertices.slots_each());
        let waiting = match &mut self.patches {
            Some((patches, _)) => {
                patches.clear();
                patches.waiting.as_mut_slice()
            }
            None => &mut [],
        };
        for held in self.assembler.held().chain(waiting) {
            let (id, slots) = kept.push();
            slots.copy_from_slice(self.vertices.get(*held));
            if self.vertices.edges([*held; 3]) == 0 {
                kept.set_inner(id);
            }
            *held = id;
        }
        self.vertices = kept;
    }
}
