//! Geometry shaders: primitives in, strips out. Eight lanes to a thread, each an instance of a primitive.
//!
//! What a lane leaves in its entry:
//!
//! ```text
//!  [vertex count: 32 bytes, if it isn't always the same] [control data: a cut or a stream for each vertex] vertex 0, 1, ...
//! ```
//!
//! Sources: SKL PRM vol 7, "GS thread payload", "GS URB entry"; vol 2a, 3DSTATE_GS, 3DSTATE_URB_GS.

use std::sync::Arc;

use super::Halt;
use super::assembly::{Assembler, Kind, Primitive, Provoking, Topology};
use super::kernel::{Kernel, Stage};
use super::state::{self, Base, State};
use super::urb::{INPUTS, Urb};
use super::vertices::{VertexId, Vertices};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Program};
use crate::silicon::model::stop::Stop;

const LANES: usize = 8;
const SLOTS_PER_UNIT: usize = 4;
/// Slots of 32 bytes.
const PAIR: usize = 2;
/// The most vertices of a primitive: a triangle with its neighbours.
const CORNERS: usize = 6;

/// How primitives are shaded in one draw.
#[derive(Debug)]
pub(super) struct GeometryShader {
    kernel: Kernel,
    program: Arc<Program>,
    start: usize,
    /// Slots of an entry.
    slots: usize,
    instances: u32,
    has_handles: bool,
    has_ids: bool,
    /// Slots of each vertex that go into the payload.
    pushed: std::ops::Range<usize>,
    discards_neighbours: bool,
    trailing: bool,
    topology: Topology,
    provoking: Provoking,
    /// Slots of a vertex that comes out.
    vertex_slots: usize,
    /// How many come out, if it is always the same.
    count: Option<usize>,
    /// Slots of control data.
    control: usize,
    /// Two bits for each vertex, its stream; else one, that a strip ends with it.
    has_streams: bool,
    stream: u8,
}

impl GeometryShader {
    /// `None` if primitives pass as they are.
    pub(super) fn new(state: &State, worker: &mut Worker) -> Result<Option<Self>, Fault> {
        let gs = state.command(state::GS);
        if !gs.flag(7, 0) {
            return Ok(None);
        }
        let kernel = Kernel::new(state, Stage::Geometry, gs, 4, &mut worker.memory)?;
        let program = worker.program(state.base(Base::Instruction), gs.address(1))?;
        let units = state.command(state::URB_GS).bits(1, 16..=24) as usize + 1;
        let (first, length) = (gs.bits(6, 4..=9) as usize, gs.bits(6, 11..=16) as usize);
        let topology = gs.bits(6, 17..=22);
        let topology = Topology::new(topology).ok_or_else(|| {
            Fault::new("render/geometry", format!("a geometry shader makes topology {topology}"))
        })?;
        Ok(Some(Self {
            kernel,
            program,
            start: (gs.bits(6, 0..=3) | gs.bits(6, 29..=30) << 4) as usize,
            slots: SLOTS_PER_UNIT * units,
            instances: gs.bits(7, 15..=19) + 1,
            has_handles: gs.flag(6, 10),
            has_ids: gs.flag(7, 4),
            pushed: PAIR * first..PAIR * (first + length),
            discards_neighbours: gs.flag(7, 1),
            trailing: gs.flag(7, 2),
            topology,
            provoking: Provoking::new(state),
            vertex_slots: gs.bits(6, 23..=28) as usize + 1,
            count: gs.flag(8, 30).then(|| gs.bits(8, 16..=26) as usize),
            control: PAIR * gs.bits(7, 20..=23) as usize,
            has_streams: gs.flag(8, 31),
            stream: gs.bits(7, 13..=14) as u8,
        }))
    }

    /// Primitives that one call shades at most.
    pub(super) fn primitives(&self) -> usize {
        (LANES / self.instances as usize).max(1)
    }

    /// Slots of a vertex that comes out.
    pub(super) fn vertex_slots(&self) -> usize {
        self.vertex_slots
    }

    /// How often each primitive is shaded.
    pub(super) fn instances(&self) -> u64 {
        self.instances.into()
    }

    /// The vertices of a primitive, in the order that shaders know them.
    fn corners(&self, primitive: &Primitive) -> ([VertexId; CORNERS], usize) {
        let [a, b, c] = primitive.corners(self.trailing);
        let around = primitive.around.filter(|_| !self.discards_neighbours);
        match (primitive.kind, around) {
            (Kind::Point, _) => ([a; CORNERS], 1),
            (Kind::Line, None) => ([a, b, b, b, b, b], 2),
            (Kind::Line, Some([before, behind, _])) => ([before, a, b, behind, b, b], 4),
            (_, None) => ([a, b, c, c, c, c], 3),
            (_, Some(mut around)) => {
                if primitive.odd && self.trailing {
                    around.rotate_right(1);
                }
                let [x, y, z] = around;
                ([a, x, b, y, c, z], 6)
            }
        }
    }

    /// Shades primitives of one kind, as many as [`Self::primitives`] says; what comes out is added to `vertices` and `made`.
    pub(super) fn run(
        &self,
        primitives: &[Primitive],
        inputs: &Vertices,
        worker: &mut Worker,
        stop: &Stop,
        vertices: &mut Vertices,
        made: &mut Vec<Primitive>,
    ) -> Result<(), Halt> {
        let lanes: Vec<(&Primitive, u32)> = primitives
            .iter()
            .flat_map(|primitive| (0..self.instances).map(move |instance| (primitive, instance)))
            .collect();
        for lanes in lanes.chunks(LANES) {
            let mut entries = Vertices::default();
            entries.clear(self.slots);
            lanes.iter().for_each(|_| {
                entries.push();
            });
            let mask = u32::MAX >> (32 - lanes.len() as u32);
            worker.start(&self.kernel, mask, mask);
            self.payload(lanes, inputs, worker);
            let mut urb = Urb::new(&mut entries, VertexId(0), lanes.len());
            urb = urb.with(None, Some(inputs));
            worker.run(&self.program, &self.kernel, &mut urb, stop)?;
            for (entry, (primitive, _)) in (0..).zip(lanes) {
                self.collect(&entries, VertexId(entry), primitive.id, vertices, made);
            }
        }
        Ok(())
    }

    fn payload(&self, lanes: &[(&Primitive, u32)], inputs: &Vertices, worker: &mut Worker) {
        let mut corners = [([VertexId(0); CORNERS], 0); LANES];
        let mut handles: Grf = [0; LANES];
        let mut ids: Grf = [0; LANES];
        for (lane, (primitive, instance)) in lanes.iter().enumerate() {
            corners[lane] = self.corners(primitive);
            handles[lane] = lane as u32 | instance << 27;
            ids[lane] = primitive.id;
        }
        let count = corners.first().map_or(0, |(_, count)| *count);
        worker.set_register(1, handles);
        let mut at = 2;
        if self.has_ids {
            worker.set_register(at, ids);
            at += 1;
        }
        if self.has_handles {
            for corner in 0..count {
                worker.set_register(at, corners.map(|(corners, _)| INPUTS + corners[corner].0));
                at += 1;
            }
        }
        let mut at = worker.push_constants(&self.kernel, self.start);
        for corner in 0..count {
            for slot in self.pushed.clone() {
                let slots = corners.map(|(corners, _)| inputs.slot(corners[corner], slot));
                for component in 0..4 {
                    worker.set_register(at, slots.map(|slot| slot[component]));
                    at += 1;
                }
            }
        }
    }

    /// What one lane has left.
    fn collect(
        &self,
        entries: &Vertices,
        entry: VertexId,
        id: u32,
        vertices: &mut Vertices,
        made: &mut Vec<Primitive>,
    ) {
        let (header, count) = match self.count {
            Some(count) => (0, count),
            None => (PAIR, entries.slot(entry, 0)[0] as usize),
        };
        let first = header + self.control;
        let room = self.slots.saturating_sub(first) / self.vertex_slots;
        let control = |bit: usize| {
            let dword = entries.slot(entry, header + bit / 128)[bit / 32 % 4];
            if bit / 128 < self.control { dword >> (bit % 32) } else { 0 }
        };
        let mut assembler = Assembler::new(self.topology, self.provoking);
        let begin = made.len();
        for number in 0..count.min(room) {
            let stream = match self.has_streams {
                true if self.control > 0 => (control(2 * number) & 3) as u8,
                _ => self.stream,
            };
            let (vertex, slots) = vertices.push();
            let from = entries.get(entry).iter().skip(first + number * self.vertex_slots);
            slots.iter_mut().zip(from.take(self.vertex_slots)).for_each(|(to, from)| *to = *from);
            let before = made.len();
            assembler.push(vertex, made);
            made.iter_mut().skip(before).for_each(|primitive| primitive.stream = stream);
            if !self.has_streams && control(number) & 1 != 0 {
                assembler.restart(made);
            }
        }
        assembler.restart(made);
        made.iter_mut().skip(begin).for_each(|primitive| primitive.id = id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shader(topology: Topology, count: Option<usize>, has_streams: bool) -> GeometryShader {
        let state = State::default();
        GeometryShader {
            kernel: Kernel::compute(
                &state,
                state.command(state::GS),
                state.command(state::GS),
                Vec::new(),
            ),
            program: Arc::new(Program::new(&[])),
            start: 2,
            slots: 16,
            instances: 1,
            has_handles: true,
            has_ids: false,
            pushed: 0..0,
            discards_neighbours: false,
            trailing: true,
            topology,
            provoking: Provoking::default(),
            vertex_slots: 2,
            count,
            control: PAIR,
            has_streams,
            stream: 0,
        }
    }

    fn collect(shader: &GeometryShader, slots: &[[u32; 4]]) -> (Vec<Primitive>, Vertices) {
        let mut entries = Vertices::default();
        entries.clear(shader.slots);
        let (entry, to) = entries.push();
        to[..slots.len()].copy_from_slice(slots);
        let (mut vertices, mut made) = (Vertices::default(), Vec::new());
        vertices.clear(shader.vertex_slots());
        shader.collect(&entries, entry, 7, &mut vertices, &mut made);
        (made, vertices)
    }

    #[test]
    fn strips_end_where_they_are_cut() {
        let shader = shader(Topology::TriangleStrip, None, false);
        // Seven vertices are said, five have room; a cut behind the third.
        let mut slots = [[0; 4]; 16];
        (slots[0][0], slots[2][0]) = (7, 0b100);
        for vertex in 0..6 {
            slots[4 + 2 * vertex] = [vertex as u32; 4];
        }
        let (made, vertices) = collect(&shader, &slots);
        assert_eq!(vertices.len(), 6);
        let corners: Vec<_> = made.iter().map(|p| (p.vertices.map(|v| v.0), p.id)).collect();
        assert_eq!(corners, [([0, 1, 2], 7), ([3, 4, 5], 7)]);
        assert_eq!(vertices.slot(VertexId(5), 0), [5; 4]);
    }

    #[test]
    fn points_have_streams() {
        let shader = shader(Topology::Points, Some(3), true);
        let mut slots = [[0; 4]; 16];
        slots[0][0] = 0b01_10_00;
        let (made, _) = collect(&shader, &slots);
        assert_eq!(made.iter().map(|p| p.stream).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn a_primitive_comes_with_its_neighbours() {
        let shader = shader(Topology::Points, None, false);
        let corners = |primitive: Primitive| {
            let (corners, count) = shader.corners(&primitive);
            corners[..count].iter().map(|corner| corner.0).collect::<Vec<_>>()
        };
        let [a, b, c, x, y, z] = [0, 1, 2, 3, 4, 5].map(VertexId);
        let triangle = Primitive::new(Kind::Triangle, [a, b, c]);
        assert_eq!(corners(triangle), [0, 1, 2]);
        assert_eq!(corners(Primitive { odd: true, ..triangle }), [2, 0, 1]);
        let among = Primitive { around: Some([x, y, z]), ..triangle };
        assert_eq!(corners(among), [0, 3, 1, 4, 2, 5]);
        assert_eq!(corners(Primitive { odd: true, ..among }), [2, 5, 0, 3, 1, 4]);
        let line = Primitive { around: Some([x, y, y]), ..Primitive::new(Kind::Line, [a, b, b]) };
        assert_eq!(corners(line), [3, 0, 1, 4]);
    }
}
