//! The pixels of one tile while it is drawn: copies of what render targets, depth and stencil hold there.

use super::raster::TILE;
use super::target::Target;
use crate::command::streamer::Fault;
use crate::silicon::model::memory::Memory;

/// Pixels of a tile.
const PIXELS: usize = (TILE * TILE) as usize;

/// A tile of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Plane {
    target: Option<Target>,
    layer: u32,
    /// Texels: samples, then rows, then columns.
    bytes: Vec<u8>,
    element: usize,
    dirty: bool,
    /// Some of its pixels are clear in memory.
    cleared: bool,
}

/// Where in a tile a texel is: column and row, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Texel {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) sample: usize,
}

impl Plane {
    /// Whether it holds this layer of this target.
    pub(super) fn holds(&self, target: &Target, layer: u32) -> bool {
        self.layer == layer && self.target.as_ref().is_some_and(|held| held.is(target))
    }

    /// Loads a tile whose first pixel is at `origin`. What it held must have been stored.
    pub(super) fn load(
        &mut self,
        target: &Target,
        layer: u32,
        origin: (i32, i32),
        memory: &mut Memory,
    ) -> Result<(), Fault> {
        debug_assert!(!self.dirty, "what is held is stored first");
        self.element = target.element();
        self.layer = layer;
        self.bytes.resize(PIXELS * self.element * target.samples(), 0);
        self.target = None;
        let (element, samples) = (self.element, target.samples());
        for sample in 0..samples {
            let start = sample * PIXELS * element;
            let plane = self.bytes.get_mut(start..start + PIXELS * element).unwrap_or_default();
            target.load(memory, origin, layer, sample as u32, plane)?;
        }
        let clear = target.clear_pixels(memory, origin, layer)?;
        self.cleared = clear.is_some();
        if let Some(clear) = clear {
            let planes = self.bytes.chunks_exact_mut((PIXELS * element).max(1));
            planes.for_each(|plane| target.fill_clear(&clear, plane));
        }
        self.target = Some(target.clone());
        Ok(())
    }

    /// Writes back what was changed.
    pub(super) fn store(&mut self, origin: (i32, i32), memory: &mut Memory) -> Result<(), Fault> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        let Some(target) = &self.target else { return Ok(()) };
        for sample in 0..target.samples() {
            let start = sample * PIXELS * self.element;
            let plane = self.bytes.get(start..start + PIXELS * self.element).unwrap_or_default();
            target.store(memory, origin, self.layer, sample as u32, plane)?;
        }
        if std::mem::take(&mut self.cleared) {
            target.mark_stored(memory, origin, self.layer)?;
        }
        Ok(())
    }

    /// Stores all of it where some of it is clear in memory.
    pub(super) fn resolve(&mut self) {
        self.dirty |= self.cleared;
    }

    /// Forgets what it holds.
    pub(super) fn forget(&mut self) {
        self.target = None;
        self.dirty = false;
    }

    fn offset(&self, at: Texel) -> usize {
        ((at.sample * TILE as usize + at.y) * TILE as usize + at.x) * self.element
    }

    /// A texel's bytes.
    pub(super) fn texel(&self, at: Texel) -> &[u8] {
        let start = self.offset(at);
        self.bytes.get(start..start + self.element).unwrap_or_default()
    }

    /// A texel's bytes, to be changed.
    pub(super) fn texel_mut(&mut self, at: Texel) -> &mut [u8] {
        self.dirty = true;
        let start = self.offset(at);
        self.bytes.get_mut(start..start + self.element).unwrap_or_default()
    }
}
