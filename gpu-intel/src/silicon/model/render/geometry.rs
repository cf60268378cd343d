//! The geometry half of a draw: from indices to shapes on the screen.
//!
//! ```text
//!  indices ─► vertex fetch ─► vertex shader (8 at a time) ─► assembly ─► clip ─► setup ─► shapes
//! ```
//!
//! It works in portions: so many vertices, then all that is complete with them. What an unfinished strip or fan still needs
//! is carried over.

use super::Halt;
use super::assembly::{Assembler, Primitive, Provoking, Topology};
use super::clip::{Clipper, Piece};
use super::setup::{Setup, Shapes};
use super::state::{self, State};
use super::vertex_fetch::{Draw, Indices, VertexFetch, Wanted};
use super::vertex_shader::VertexShader;
use super::vertices::{VertexId, Vertices};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::silicon::model::stop::Stop;

/// Vertices of a portion, and indices that are read at a time.
const PORTION: usize = 2048;
const INDICES: usize = 256;
/// Places of the cache of shaded vertices.
const CACHE: usize = 1024;

/// What the stages have counted (the pipeline's statistics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) vertices: u64,
    pub(super) primitives: u64,
    pub(super) vertex_shader: u64,
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
    primitives: Vec<Primitive>,
    clipped: Vec<Piece>,
    pub(super) counts: Counts,
}

impl Geometry {
    /// `None`: there is nothing that this makes.
    pub(super) fn new(
        state: &State,
        draw: Draw,
        worker: &mut Worker,
    ) -> Result<Option<Self>, Fault> {
        let topology = state.command(state::VF_TOPOLOGY).bits(1, 0..=5);
        let Some(topology) = Topology::new(topology) else { return Ok(None) };
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
            clipper: Clipper::new(state),
            setup: Setup::new(state, &mut worker.memory)?,
            instance: 0,
            next: 0,
            vertices,
            fetched: Vec::with_capacity(PORTION),
            cache: vec![None; CACHE],
            primitives: Vec::new(),
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
        let more = self.gather(worker)?;
        self.shade(worker, stop)?;
        for primitive in std::mem::take(&mut self.primitives) {
            self.finish(primitive, shapes);
        }
        self.carry_over();
        Ok(more)
    }

    /// Reads indices and assembles primitives until there are vertices enough. `false`: the draw is at its end.
    fn gather(&mut self, worker: &mut Worker) -> Result<bool, Fault> {
        let mut indices = [0; INDICES];
        while self.instance < self.draw.instances {
            while self.next < self.draw.count {
                if self.fetched.len() + INDICES > PORTION || self.primitives.len() > 2 * PORTION {
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
                        self.assembler.restart(&mut self.primitives);
                        continue;
                    }
                    let id = if self.draw.indexed { *index } else { self.next + i as u32 };
                    let vertex = self.vertex(id);
                    self.assembler.push(vertex, &mut self.primitives);
                }
                self.counts.vertices += indices.len() as u64;
                self.next += indices.len() as u32;
            }
            self.assembler.next_instance(&mut self.primitives);
            self.cache.fill(None);
            self.instance += 1;
            self.next = 0;
        }
        Ok(false)
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

    fn finish(&mut self, primitive: Primitive, shapes: &mut Shapes) {
        self.counts.primitives += 1;
        self.counts.clipper_in += 1;
        let corners = primitive.vertices;
        let provoking =
            corners.get(usize::from(primitive.provoking)).copied().unwrap_or(corners[0]);
        let guard = self.setup.guard_band(&self.vertices, provoking);
        let mut clipped = std::mem::take(&mut self.clipped);
        let outline = primitive.outline & self.vertices.edges(corners);
        let kind = primitive.kind;
        self.clipper.clip(kind, corners, outline, guard, &mut self.vertices, &mut clipped);
        self.counts.clipper_out += clipped.len() as u64;
        for piece in &clipped {
            self.setup.add(kind, *piece, provoking, primitive.id, &self.vertices, shapes);
        }
        self.clipped = clipped;
    }

    /// Forgets all vertices but those that an unfinished primitive needs.
    fn carry_over(&mut self) {
        self.cache.fill(None);
        let mut kept = Vertices::default();
        kept.clear(self.vertices.slots_each());
        for held in self.assembler.held() {
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
