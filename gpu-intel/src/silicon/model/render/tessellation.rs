//! Tessellation of a patch: a hull shader says how it is divided, the tessellator divides it, a domain shader makes vertices of
//! the points.
//!
//! ```text
//!  control points ─► hull shader: its threads write one entry ─► factors ─► Tessellator ─► points
//!                                        │                                                   │
//!                                        └───────────────────────► domain shader (8 at a time) ─► vertices, primitives
//! ```
//!
//! Sources: SKL PRM vol 7, "HS thread payload", "DS thread payload", "Patch header"; vol 2a, 3DSTATE_HS, TE, DS.

use std::sync::Arc;

use super::Halt;
use super::assembly::{Kind, Primitive, Provoking};
use super::kernel::{Kernel, Stage};
use super::state::{self, Base, State};
use super::tessellator::{Domain, Output, Partitioning, Tessellator};
use super::turns::take_turns;
use super::urb::{INPUTS, PATCH, Urb};
use super::vertices::{VertexId, Vertices};
use super::worker::Worker;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Program, Thread};
use crate::silicon::model::stop::Stop;

const LANES: usize = 8;
const SLOTS_PER_UNIT: usize = 4;
/// Slots of 32 bytes.
const PAIR: usize = 2;
/// The most slots of a vertex: a patch has some thousands of them.
const MOST_SLOTS: usize = 256;
/// Registers with handles of control points.
const HANDLES: usize = 4;

/// Control points, of which each so many are a patch.
#[derive(Clone, Debug)]
pub(super) struct Patches {
    size: usize,
    /// Those of an unfinished patch.
    pub(super) waiting: Vec<VertexId>,
    whole: Vec<VertexId>,
    ids: Vec<u32>,
    next_id: u32,
    /// The next patch to be divided.
    next: usize,
}

impl Patches {
    /// Those of a topology; `None`: it has none.
    pub(super) fn new(topology: u32) -> Option<Self> {
        let size = topology.checked_sub(32)? as usize + 1;
        Some(Self {
            size,
            waiting: Vec::with_capacity(size),
            whole: Vec::new(),
            ids: Vec::new(),
            next_id: 0,
            next: 0,
        })
    }

    pub(super) fn push(&mut self, vertex: VertexId) {
        self.waiting.push(vertex);
        if self.waiting.len() == self.size {
            self.whole.append(&mut self.waiting);
            self.ids.push(self.next_id);
            self.next_id = self.next_id.wrapping_add(1);
        }
    }

    pub(super) fn restart(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn next_instance(&mut self) {
        self.restart();
        self.next_id = 0;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The next patch's control points, and its number.
    fn take(&mut self) -> Option<(Vec<VertexId>, u32)> {
        let id = *self.ids.get(self.next)?;
        let points = self.whole.chunks_exact(self.size).nth(self.next)?.to_vec();
        self.next += 1;
        Some((points, id))
    }

    /// Forgets those that are divided.
    pub(super) fn clear(&mut self) {
        self.whole.clear();
        self.ids.clear();
        self.next = 0;
    }
}

/// How patches of one draw become vertices.
#[derive(Debug)]
pub(super) struct Tessellation {
    hull: Kernel,
    hull_program: Arc<Program>,
    hull_start: usize,
    /// Threads of a patch.
    instances: u32,
    /// Slots of a patch's entry.
    patch_slots: usize,
    tessellator: Tessellator,
    domain: Kernel,
    domain_program: Arc<Program>,
    domain_start: usize,
    /// Slots of the patch that go into a domain shader's payload.
    pushed: std::ops::Range<usize>,
    slots: usize,
    provoking: Provoking,
    patch: Vertices,
    threads: Vec<Thread>,
}

impl Tessellation {
    /// `None` if it is off.
    pub(super) fn new(state: &State, worker: &mut Worker) -> Result<Option<Self>, Fault> {
        let [hs, te, ds] = [state::HS, state::TE, state::DS].map(|stage| state.command(stage));
        if !hs.flag(2, 31) && !te.flag(1, 0) && !ds.flag(7, 0) {
            return Ok(None);
        }
        let refused = |why: &'static str| Fault::new("render/tessellation", why);
        if !(hs.flag(2, 31) && te.flag(1, 0) && ds.flag(7, 0)) {
            return Err(refused("some of hull shader, tessellator and domain shader are off"));
        }
        // Mesa has no others.
        if hs.bits(7, 17..=18) != 0 || ds.bits(7, 3..=4) > 1 {
            return Err(refused("threads of several patches"));
        }
        let base = state.base(Base::Instruction);
        let units = |stage| state.command(stage).bits(1, 16..=24) as usize + 1;
        let (first, length) = (ds.bits(6, 4..=9) as usize, ds.bits(6, 11..=17) as usize);
        let instances = hs.bits(2, 0..=3) + 1;
        Ok(Some(Self {
            hull: Kernel::new(state, Stage::Hull, hs, 5, &mut worker.memory)?,
            hull_program: worker.program(base, hs.address(3))?,
            hull_start: (hs.bits(7, 19..=23) | hs.bits(7, 28..=28) << 5) as usize,
            instances,
            patch_slots: SLOTS_PER_UNIT * units(state::URB_HS),
            tessellator: Tessellator {
                domain: match te.bits(1, 4..=5) {
                    0 => Domain::Quad,
                    1 => Domain::Triangle,
                    _ => Domain::Isolines,
                },
                partitioning: match te.bits(1, 12..=13) {
                    1 => Partitioning::Odd,
                    2 => Partitioning::Even,
                    _ => Partitioning::Integer,
                },
                output: match te.bits(1, 8..=9) {
                    0 => Output::Points,
                    1 => Output::Lines,
                    2 => Output::Clockwise,
                    _ => Output::Counterclockwise,
                },
            },
            domain: Kernel::new(state, Stage::Domain, ds, 4, &mut worker.memory)?,
            domain_program: worker.program(base, ds.address(1))?,
            domain_start: ds.bits(6, 20..=24) as usize,
            pushed: PAIR * first..PAIR * (first + length),
            slots: (SLOTS_PER_UNIT * units(state::URB_DS)).min(MOST_SLOTS),
            provoking: Provoking::new(state),
            patch: Vertices::default(),
            threads: vec![Thread::new(); instances as usize],
        }))
    }

    /// Divides the next patch; vertices and primitives replace those that there were. Returns how many points it has. `None`:
    /// there is no patch left.
    pub(super) fn run(
        &mut self,
        patches: &mut Patches,
        inputs: &Vertices,
        worker: &mut Worker,
        stop: &Stop,
        vertices: &mut Vertices,
        made: &mut Vec<Primitive>,
    ) -> Result<Option<u64>, Halt> {
        let Some((points, id)) = patches.take() else { return Ok(None) };
        vertices.clear(self.slots);
        made.clear();
        self.hull(&points, id, inputs, worker, stop)?;
        let (outer, inner) = self.factors();
        let Some(divided) = self.tessellator.divide(outer, inner) else { return Ok(Some(0)) };
        let kind = match (self.tessellator.domain, self.tessellator.output) {
            (_, Output::Points) => Kind::Point,
            (Domain::Isolines, _) | (_, Output::Lines) => Kind::Line,
            _ => Kind::Triangle,
        };
        let points: Vec<[f32; 3]> = divided.points().collect();
        for points in points.chunks(LANES) {
            if stop.killed() {
                return Err(Halt::Killed);
            }
            self.evaluate(points, id, worker, stop, vertices)?;
        }
        let provoking = self.provoking.of(kind);
        made.extend(divided.primitives.iter().map(|corners| Primitive {
            id,
            provoking,
            ..Primitive::new(kind, corners.map(VertexId))
        }));
        Ok(Some(points.len() as u64))
    }

    /// Runs the hull shader's threads.
    fn hull(
        &mut self,
        points: &[VertexId],
        id: u32,
        inputs: &Vertices,
        worker: &mut Worker,
        stop: &Stop,
    ) -> Result<(), Halt> {
        self.patch.clear(self.patch_slots);
        self.patch.push();
        let mut handles = [[0; LANES]; HANDLES];
        for (handle, point) in handles.as_flattened_mut().iter_mut().zip(points) {
            *handle = INPUTS + point.0;
        }
        let start = self.hull_start;
        for (instance, thread) in (0..).zip(&mut self.threads) {
            worker.begin(thread, &self.hull, instance, self.instances, 0xff);
            let header = &mut thread.registers[0];
            (header[0], header[1], header[2]) = (0, id, instance << 17);
            for (to, from) in thread.registers.iter_mut().skip(1).zip(handles) {
                *to = from;
            }
            for (to, from) in thread.registers.iter_mut().skip(start).zip(&self.hull.constants) {
                *to = *from;
            }
        }
        let mut urb = Urb::new(&mut self.patch, VertexId(0), 1).with(None, Some(inputs));
        take_turns(&mut self.threads, worker, &self.hull_program, &self.hull, &mut urb, stop)
    }

    /// What the patch's header says: outer factors, and inner ones.
    fn factors(&self) -> ([f32; 4], [f32; 2]) {
        let [low, high] = [0, 1].map(|slot| self.patch.slot(VertexId(0), slot).map(f32::from_bits));
        let [_, _, second_inner, first_inner] = low;
        let [fourth, third, second, first] = high;
        match self.tessellator.domain {
            Domain::Quad => ([first, second, third, fourth], [first_inner, second_inner]),
            Domain::Triangle => ([first, second, third, 0.0], [fourth, 0.0]),
            Domain::Isolines => ([second, first, 0.0, 0.0], [0.0; 2]),
        }
    }

    /// Runs the domain shader for up to eight points.
    fn evaluate(
        &self,
        points: &[[f32; 3]],
        id: u32,
        worker: &mut Worker,
        stop: &Stop,
        vertices: &mut Vertices,
    ) -> Result<(), Halt> {
        let mask = u32::MAX >> (32 - points.len().clamp(1, LANES) as u32);
        worker.start(&self.domain, mask, mask);
        let [header, u, v, w, handles, ..] = worker.registers();
        (header[0], header[1]) = (PATCH, id);
        let first = VertexId(vertices.len() as u32);
        for (lane, point) in points.iter().enumerate().take(LANES) {
            [u[lane], v[lane], w[lane]] = point.map(f32::to_bits);
            handles[lane] = lane as u32;
            vertices.push();
        }
        let at = worker.push_constants(&self.domain, self.domain_start);
        let slots = self.pushed.clone().map(|slot| self.patch.slot(VertexId(0), slot));
        let slots: Vec<_> = slots.collect();
        for (i, pair) in slots.chunks_exact(PAIR).enumerate() {
            let mut register: Grf = [0; LANES];
            register.iter_mut().zip(pair.as_flattened()).for_each(|(to, from)| *to = *from);
            worker.set_register(at + i, register);
        }
        let mut urb = Urb::new(vertices, first, points.len()).with(Some(&self.patch), None);
        worker.run(&self.domain_program, &self.domain, &mut urb, stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_whole_or_dropped() {
        assert!(Patches::new(31).is_none());
        let mut patches = Patches::new(32 + 2).unwrap();
        (0..7).for_each(|i| patches.push(VertexId(i)));
        patches.restart();
        (7..10).for_each(|i| patches.push(VertexId(i)));
        patches.next_instance();
        (10..13).for_each(|i| patches.push(VertexId(i)));
        assert_eq!(patches.len(), 4);
        let mut taken = Vec::new();
        while let Some((points, id)) = patches.take() {
            taken.push((points.iter().map(|p| p.0).collect::<Vec<_>>(), id));
        }
        let expected =
            [(vec![0, 1, 2], 0), (vec![3, 4, 5], 1), (vec![7, 8, 9], 2), (vec![10, 11, 12], 0)];
        assert_eq!(taken, expected);
    }
}
