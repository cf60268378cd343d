//! What pixels are written to: render targets, the depth and the stencil buffer.

use std::ops::Range;
use std::sync::Arc;

use super::depth::DepthFormat;
use super::raster::TILE;
use super::setup::Area;
use super::state::{self, State};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::gtt::PAGE_SIZE;
use crate::memory::PpgttMemory;
use crate::surface::{
    Format, Geometry, LARGEST_ELEMENT, Layout, MARKED, MarkPlane, Marks, Mask, Plane, Surface,
};

const SIDE: usize = TILE as usize;
const _: () = assert!(SIDE == MARKED, "a tile's marks are its own");

/// One level of a surface.
#[derive(Clone, Debug)]
pub(in super::super) struct Target(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    layout: Layout,
    level: u32,
    first_layer: u32,
    layers: u32,
    /// Of a render target.
    format: Option<&'static Format>,
    /// Which of a render target's pixels are clear, and what they are then.
    marks: Option<Marks>,
    clear: [u8; LARGEST_ELEMENT],
}

impl Target {
    /// The level of a surface that its state renders to.
    pub(super) fn color(surface: &Surface) -> Self {
        let mut clear = [0; LARGEST_ELEMENT];
        surface.format.encode(surface.clear, &mut clear);
        Self(Arc::new(Inner {
            layout: surface.layout,
            level: surface.render_level,
            first_layer: surface.first_layer,
            layers: surface.render_layers.max(1),
            format: Some(surface.format),
            marks: surface.marks,
            clear,
        }))
    }

    /// The depth buffer, if there is one.
    pub(super) fn depth(state: &State) -> Option<(Self, DepthFormat)> {
        let words = state.command(state::DEPTH_BUFFER);
        let format = DepthFormat::new(words.bits(1, 18..=20))?;
        if words.bits(1, 29..=31) == NULL_SURFACE {
            return None;
        }
        let pitch = words.bits(1, 0..=17) + 1;
        let qpitch = 4 * words.bits(7, 0..=14);
        let base = words.address(2).0;
        let layout = Geometry::depth(
            base,
            pitch,
            format.bytes() as u32,
            qpitch,
            size(state),
            samples(state),
        );
        let hiz = state.command(state::HIER_DEPTH_BUFFER);
        let marks = (words.flag(1, 22) && hiz.address(2).0 != 0).then(|| {
            let (pitch, qpitch) = (hiz.bits(1, 0..=16) + 1, 4 * hiz.bits(4, 0..=14));
            Marks::of_depth(&layout, hiz.address(2).0, pitch, qpitch)
        });
        let mut clear = [0; LARGEST_ELEMENT];
        let value = format.encode(state.command(state::CLEAR_PARAMS).float(1));
        clear.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
        Some((Self::of_depth(state, layout, marks, clear), format))
    }

    /// The stencil buffer, if there is one.
    pub(super) fn stencil(state: &State) -> Option<Self> {
        let words = state.command(state::STENCIL_BUFFER);
        if !words.flag(1, 31) || words.address(2).0 == 0 {
            return None;
        }
        let pitch = words.bits(1, 0..=16) + 1;
        let qpitch = 4 * words.bits(4, 0..=14);
        let base = words.address(2).0;
        let layout = Geometry::stencil(base, pitch, qpitch, size(state), samples(state));
        Some(Self::of_depth(state, layout, None, [0; LARGEST_ELEMENT]))
    }

    fn of_depth(
        state: &State,
        geometry: Geometry,
        marks: Option<Marks>,
        clear: [u8; LARGEST_ELEMENT],
    ) -> Self {
        let words = state.command(state::DEPTH_BUFFER);
        let layers = words.bits(7, 21..=31) + 1;
        Self(Arc::new(Inner {
            layout: Layout::new(geometry),
            level: words.bits(4, 0..=3),
            first_layer: words.bits(5, 10..=20),
            layers,
            format: None,
            marks,
            clear,
        }))
    }

    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether both are the same texels.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        let place = |inner: &Inner| (*inner.layout.geometry(), inner.level, inner.first_layer);
        place(a) == place(b)
    }

    /// Its colours' format.
    pub(super) fn format(&self) -> Option<&'static Format> {
        self.0.format
    }

    /// Bytes of a texel.
    pub(super) fn element(&self) -> usize {
        self.0.layout.geometry().bytes.clamp(1, 16) as usize
    }

    pub(super) fn samples(&self) -> usize {
        1 << self.0.layout.geometry().samples.log2()
    }

    /// Its pixels.
    pub(super) fn area(&self) -> Area {
        let level = self.0.layout.level(self.0.level);
        let size = |size: u32| size.min(1 << 14) as i32;
        Area { left: 0, top: 0, right: size(level.width), bottom: size(level.height) }
    }

    pub(super) fn layers(&self) -> u32 {
        self.0.layers
    }

    /// What is drawn to a layer that the view does not have goes to its first.
    fn layer(&self, layer: u32) -> u32 {
        self.0.first_layer + if layer < self.0.layers { layer } else { 0 }
    }

    /// Which of a layer's pixels are clear, if there are marks.
    pub(super) fn marks(&self, layer: u32) -> Option<MarkPlane> {
        let marks = self.0.marks.as_ref()?;
        Some(marks.plane(self.0.level, self.layer(layer)))
    }

    /// Pixels that one of a fast clear's or a resolve's rectangle stands for.
    pub(super) fn clear_scale(&self) -> (i32, i32) {
        self.0.marks.map_or((1, 1), |marks| marks.scale())
    }

    /// The bytes of a texel that is clear.
    pub(super) fn clear(&self) -> &[u8] {
        self.0.clear.get(..self.element()).unwrap_or_default()
    }

    /// Columns and rows of a tile that are inside.
    pub(super) fn inside(&self, (left, top): (i32, i32)) -> (usize, usize) {
        let area = self.area();
        ((area.right - left).clamp(0, TILE) as usize, (area.bottom - top).clamp(0, TILE) as usize)
    }

    /// Which pixels of a tile are clear; `None`: none.
    pub(super) fn clear_pixels<M: PpgttMemory>(
        &self,
        memory: &mut M,
        origin: (i32, i32),
        layer: u32,
    ) -> Result<Option<Mask>, Fault> {
        let Some(marks) = self.marks(layer) else { return Ok(None) };
        marks.read(memory, (origin.0 as u32, origin.1 as u32), self.inside(origin))
    }

    /// Marks the pixels of a tile as stored, all of them.
    pub(super) fn mark_stored<M: PpgttMemory>(
        &self,
        memory: &mut M,
        origin: (i32, i32),
        layer: u32,
    ) -> Result<(), Fault> {
        let Some(marks) = self.marks(layer) else { return Ok(()) };
        let at = (origin.0 as u32, origin.1 as u32);
        marks.write(memory, at, self.inside(origin), &[0; MARKED])
    }

    /// Puts the clear colour where `clear` says, in one sample's texels of a tile.
    pub(super) fn fill_clear(&self, clear: &Mask, to: &mut [u8]) {
        let rows = to.chunks_exact_mut(SIDE * self.element());
        for (row, mask) in rows.zip(clear).filter(|(_, mask)| **mask != 0) {
            for (column, texel) in row.chunks_exact_mut(self.element()).enumerate() {
                if mask >> column & 1 != 0 {
                    texel.copy_from_slice(self.clear());
                }
            }
        }
    }

    /// Where it lies, and what.
    pub(in super::super) fn describe(&self) -> (PpgttAddress, &'static str) {
        let base = PpgttAddress(self.0.layout.geometry().base).truncated();
        (base, self.0.format.map_or("depth", |format| format.name))
    }

    /// Width, height, and pixels of its first layer and sample: red, green, blue and alpha, row by row.
    pub(in super::super) fn picture<M: PpgttMemory>(
        &self,
        memory: &mut M,
    ) -> Result<(u32, u32, Vec<u8>), Fault> {
        let area = self.area();
        let (width, height) = (area.right as usize, area.bottom as usize);
        let mut pixels = vec![0; 4 * width * height];
        let mut tile = vec![0; SIDE * SIDE * self.element()];
        let Some(format) = self.0.format else { return Ok((0, 0, Vec::new())) };
        for top in (0..area.bottom).step_by(SIDE) {
            for left in (0..area.right).step_by(SIDE) {
                self.load(memory, (left, top), 0, 0, &mut tile)?;
                if let Some(clear) = self.clear_pixels(memory, (left, top), 0)? {
                    self.fill_clear(&clear, &mut tile);
                }
                for (i, texel) in tile.chunks_exact(self.element()).enumerate() {
                    let (x, y) = (left as usize + i % SIDE, top as usize + i / SIDE);
                    let at = 4 * (y * width + x);
                    if x < width
                        && y < height
                        && let Some(pixel) = pixels.get_mut(at..at + 4)
                    {
                        pixel.copy_from_slice(&shown(format, texel));
                    }
                }
            }
        }
        Ok((width as u32, height as u32, pixels))
    }

    /// Calls `each` with the address of each run of texels of a tile, and where its bytes are in a tile's plane. Where
    /// runs are short, those that lie in one page come after each other.
    fn runs(
        &self,
        (left, top): (i32, i32),
        plane: &Plane,
        mut each: impl FnMut(PpgttAddress, Range<usize>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let element = self.element();
        let (columns, rows) = self.inside((left, top));
        let mut x = 0;
        while x < columns {
            let column = left as u32 + x as u32;
            let count = (plane.run(column) as usize).min(columns - x);
            for y in 0..rows {
                let start = (y * SIDE + x) * element;
                let row = plane.row(top as u32 + y as u32);
                let at = PpgttAddress(row.wrapping_add(plane.column(column))).truncated();
                each(at, start..start + count * element)?;
            }
            x += count;
        }
        Ok(())
    }

    fn plane(&self, layer: u32, sample: u32) -> Plane {
        self.0.layout.plane(self.0.level, self.layer(layer), sample)
    }

    /// Loads the texels of a tile; those outside of the surface stay as they are.
    pub(super) fn load<M: PpgttMemory>(
        &self,
        memory: &mut M,
        origin: (i32, i32),
        layer: u32,
        sample: u32,
        to: &mut [u8],
    ) -> Result<(), Fault> {
        let plane = self.plane(layer, sample);
        let mut page = Page::default();
        self.runs(origin, &plane, |at, bytes| {
            let to = to.get_mut(bytes).unwrap_or_default();
            if !Page::is_worthwhile(at, to.len()) {
                return memory.read(at, to);
            }
            if page.go(at) {
                memory.read(page.at, &mut page.bytes)?;
            }
            to.copy_from_slice(page.part(at, to.len()));
            Ok(())
        })
    }

    /// Stores the texels of a tile.
    pub(super) fn store<M: PpgttMemory>(
        &self,
        memory: &mut M,
        origin: (i32, i32),
        layer: u32,
        sample: u32,
        from: &[u8],
    ) -> Result<(), Fault> {
        let plane = self.plane(layer, sample);
        let (columns, rows) = self.inside(origin);
        // Other threads write what else the pages of a tile hold.
        let whole =
            plane.fills_tiles((origin.0 as u32, origin.1 as u32), columns as u32, rows as u32);
        let mut page = Page::default();
        self.runs(origin, &plane, |at, bytes| {
            let from = from.get(bytes).unwrap_or_default();
            if !whole || !Page::is_worthwhile(at, from.len()) {
                return memory.write(at, from);
            }
            let before = page.at;
            if page.go(at) && before != Page::NONE {
                memory.write(before, &page.bytes)?;
            }
            page.part(at, from.len()).copy_from_slice(from);
            Ok(())
        })?;
        if page.at != Page::NONE { memory.write(page.at, &page.bytes) } else { Ok(()) }
    }
}

/// A page on its way from or to memory.
#[derive(Debug)]
struct Page {
    at: PpgttAddress,
    bytes: [u8; PAGE_SIZE as usize],
}

impl Page {
    /// No page begins there.
    const NONE: PpgttAddress = PpgttAddress(u64::MAX);

    /// Whether a run is too short for an access of its own, and inside of a page.
    fn is_worthwhile(at: PpgttAddress, length: usize) -> bool {
        length <= 16 && (at.0 % PAGE_SIZE) as usize + length <= PAGE_SIZE as usize
    }

    /// Goes to the page that an address is in; whether it is another one.
    fn go(&mut self, at: PpgttAddress) -> bool {
        let page = PpgttAddress(at.0 - at.0 % PAGE_SIZE);
        std::mem::replace(&mut self.at, page) != page
    }

    /// Some of its bytes, which it must have.
    fn part(&mut self, at: PpgttAddress, length: usize) -> &mut [u8] {
        let start = (at.0 % PAGE_SIZE) as usize;
        self.bytes.get_mut(start..start + length).unwrap_or_default()
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { at: Self::NONE, bytes: [0; PAGE_SIZE as usize] }
    }
}

/// A texel as a picture shows it: colours as they are stored, integers cut off.
fn shown(format: &'static Format, texel: &[u8]) -> [u8; 4] {
    let values = format.linear().decode(texel);
    values.map(|value| match format.is_integer() {
        true => value.min(255) as u8,
        false => (f32::from_bits(value).clamp(0.0, 1.0) * 255.0 + 0.5) as u8,
    })
}

/// A surface type: none.
pub(super) const NULL_SURFACE: u32 = 7;

/// Width, height and layers of the depth buffer.
fn size(state: &State) -> [u32; 3] {
    let words = state.command(state::DEPTH_BUFFER);
    [words.bits(4, 4..=17) + 1, words.bits(4, 18..=31) + 1, words.bits(5, 21..=31) + 1]
}

fn samples(state: &State) -> u8 {
    state.command(state::MULTISAMPLE).bits(1, 1..=3) as u8
}
