//! Vertices as the stages hand them on: entries of the unified return buffer (VUEs), in slots of four dwords.
//!
//! ```text
//!  slot 0   -, render target array index, viewport index, point width
//!       1   position in clip space
//!       2-3 distances to user clip planes, if there are any
//!       ... attributes
//! ```

/// Four dwords of a vertex.
pub(super) type Slot = [u32; 4];

/// The slot with layer, viewport and point width.
const HEADER: usize = 0;
const POSITION: usize = 1;
const CLIP_DISTANCES: usize = 2;

/// A vertex among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VertexId(pub(super) u32);

/// Vertices of one layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Vertices {
    slots_each: usize,
    slots: Vec<Slot>,
    /// Those that no edge of an outline begins at, in order.
    inner: Vec<VertexId>,
}

impl Vertices {
    /// None yet; each is to have so many slots.
    pub(super) fn clear(&mut self, slots_each: usize) {
        self.slots_each = slots_each.max(2);
        self.slots.clear();
        self.inner.clear();
    }

    /// Says of the vertex that came last, or of one before it, that no edge of an outline begins there.
    pub(super) fn set_inner(&mut self, vertex: VertexId) {
        if let Err(place) = self.inner.binary_search_by_key(&vertex.0, |inner| inner.0) {
            self.inner.insert(place, vertex);
        }
    }

    /// At which corners edges of an outline begin: a bit each.
    pub(super) fn edges(&self, corners: [VertexId; 3]) -> u8 {
        if self.inner.is_empty() {
            return 0b111;
        }
        let inner =
            |vertex: &VertexId| self.inner.binary_search_by_key(&vertex.0, |inner| inner.0).is_ok();
        corners.iter().enumerate().fold(0, |edges, (i, v)| edges | u8::from(!inner(v)) << i)
    }

    pub(super) fn slots_each(&self) -> usize {
        self.slots_each
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() / self.slots_each.max(1)
    }

    /// A new vertex, all zeros.
    pub(super) fn push(&mut self) -> (VertexId, &mut [Slot]) {
        let id = VertexId(self.len() as u32);
        let start = self.slots.len();
        self.slots.resize(start + self.slots_each, [0; 4]);
        (id, self.slots.get_mut(start..).unwrap_or_default())
    }

    pub(super) fn get(&self, vertex: VertexId) -> &[Slot] {
        let start = vertex.0 as usize * self.slots_each;
        self.slots.get(start..start + self.slots_each).unwrap_or_default()
    }

    pub(super) fn get_mut(&mut self, vertex: VertexId) -> &mut [Slot] {
        let start = vertex.0 as usize * self.slots_each;
        self.slots.get_mut(start..start + self.slots_each).unwrap_or_default()
    }

    /// One slot; zeros for one that no vertex has.
    pub(super) fn slot(&self, vertex: VertexId, slot: usize) -> Slot {
        self.get(vertex).get(slot).copied().unwrap_or_default()
    }

    pub(super) fn position(&self, vertex: VertexId) -> [f32; 4] {
        self.slot(vertex, POSITION).map(f32::from_bits)
    }

    /// The distance to user clip plane `plane` of 8.
    pub(super) fn clip_distance(&self, vertex: VertexId, plane: usize) -> f32 {
        let slot = self.slot(vertex, CLIP_DISTANCES + plane / 4);
        slot.get(plane % 4).copied().map_or(0.0, f32::from_bits)
    }

    pub(super) fn layer(&self, vertex: VertexId) -> u32 {
        self.slot(vertex, HEADER)[1]
    }

    pub(super) fn viewport(&self, vertex: VertexId) -> u32 {
        self.slot(vertex, HEADER)[2]
    }

    pub(super) fn point_width(&self, vertex: VertexId) -> f32 {
        f32::from_bits(self.slot(vertex, HEADER)[3])
    }

    /// A vertex between `from` and `to`: all slots but the first are interpolated, in clip space.
    pub(super) fn between(&mut self, from: VertexId, to: VertexId, t: f32) -> VertexId {
        let (a, b) = (self.get(from).to_vec(), self.get(to).to_vec());
        let (id, slots) = self.push();
        for (i, (slot, (a, b))) in slots.iter_mut().zip(a.iter().zip(&b)).enumerate() {
            *slot = *a;
            if i > HEADER {
                for (value, (a, b)) in slot.iter_mut().zip(a.iter().zip(b)) {
                    let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
                    *value = (a + t * (b - a)).to_bits();
                }
            }
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_begin_at_vertices_that_are_not_inner() {
        let mut vertices = Vertices::default();
        vertices.clear(2);
        let ids = [(); 4].map(|()| vertices.push().0);
        assert_eq!(vertices.edges([ids[0], ids[1], ids[2]]), 0b111);
        vertices.set_inner(ids[3]);
        vertices.set_inner(ids[1]);
        assert_eq!(vertices.edges([ids[0], ids[1], ids[2]]), 0b101);
        assert_eq!(vertices.edges([ids[1], ids[3], ids[0]]), 0b100);
        vertices.clear(2);
        assert_eq!(vertices.edges([ids[1]; 3]), 0b111);
    }
}
