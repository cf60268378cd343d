//! Texels by their numbers, and what a surface says of itself.

use super::{Auxiliary, Colors, Lanes, Texture, lanes};
use crate::command::streamer::Fault;
use crate::surface::layout::Shape;
use crate::surface::state::SurfaceKind;

/// Which texels to load.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The lanes that want one, a bit each.
    pub lanes: u32,
    /// Numbers on each axis, and of the layer: the first that the surface has no axis for.
    pub texel: [&'a Lanes<u32>; 3],
    /// Levels.
    pub level: &'a Lanes<u32>,
    /// Samples.
    pub sample: Option<Sample<'a>>,
    /// Added to the numbers on each axis.
    pub offsets: [i32; 3],
}

/// Which sample of a texel.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its number.
    pub number: &'a Lanes<u32>,
    /// What [`Texture::compression`] said of it. Without it, samples are where their numbers say.
    pub compression: Option<[&'a Lanes<u32>; 2]>,
}

impl Texture<'_> {
    /// Loads texels. Outside of the surface all channels are 0.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub fn load(&mut self, load: &Load<'_>, colors: &mut Colors) -> Result<(), Fault> {
        colors.as_flattened_mut().fill(0);
        if self.surface.kind == SurfaceKind::Null {
            return Ok(());
        }
        for lane in lanes(load.lanes) {
            let sample = load.sample.map_or(0, |sample| self.sample_plane(&sample, lane));
            let [mut u, mut v, mut r] = load.texel.map(|lanes| lanes[lane]);
            let [du, dv, dr] = load.offsets;
            let axes = self.axes();
            u = u.wrapping_add_signed(du);
            if axes > 1 {
                v = v.wrapping_add_signed(dv);
            }
            if axes > 2 {
                r = r.wrapping_add_signed(dr);
            }
            let texel = if self.surface.is_buffer() {
                self.element(u)?
            } else {
                self.texel_at([u, v, r], load.level[lane], sample)?
            };
            for (to, from) in colors.iter_mut().zip(texel.unwrap_or_default()) {
                to[lane] = from;
            }
        }
        self.select(colors);
        Ok(())
    }

    fn element(&mut self, number: u32) -> Result<Option<[u32; 4]>, Fault> {
        if u64::from(number) >= self.surface.elements {
            return Ok(None);
        }
        let offset = u64::from(number) * u64::from(self.surface.pitch);
        let at = self.surface.base.wrapping_add(offset);
        self.cache.texel(self.memory, self.surface.format, at).map(Some)
    }

    fn texel_at(
        &mut self,
        [u, v, r]: [u32; 3],
        level: u32,
        sample: u32,
    ) -> Result<Option<[u32; 4]>, Fault> {
        let surface = self.surface;
        if level >= surface.levels || sample >> surface.log2_samples != 0 {
            return Ok(None);
        }
        let [width, height, slices] = surface.size(level);
        let volume = surface.kind == SurfaceKind::Volume;
        let (x, y, layer) = match surface.kind {
            SurfaceKind::Line => (u, 0, v),
            _ => (u, v, r),
        };
        let layers = if volume { slices } else { surface.depth };
        let layer =
            if surface.array || volume || surface.kind == SurfaceKind::Cube { layer } else { 0 };
        if x >= width || y >= height || layer >= layers {
            return Ok(None);
        }
        let first = if volume { 0 } else { surface.first_layer };
        let plane = surface.layout.plane(surface.first_level + level, first + layer, sample);
        self.fetch(&plane, x, y).map(Some)
    }

    /// Where a sample is stored.
    fn sample_plane(&self, sample: &Sample<'_>, lane: usize) -> u32 {
        let number = sample.number[lane];
        let log2 = self.surface.log2_samples;
        let Some([low, high]) = sample.compression else { return number };
        if self.surface.auxiliary == Auxiliary::None || log2 == 0 || number >> log2 != 0 {
            return number;
        }
        let code = u64::from(low[lane]) | u64::from(high[lane]) << 32;
        let bits = match log2 {
            1 => 1,
            2 => 2,
            _ => 4,
        };
        (code >> (bits * number)) as u32 & ((1 << bits) - 1)
    }

    /// The compression of samples, as red and green: each is stored in its own plane, always.
    #[must_use]
    pub fn compression(&self) -> [u32; 2] {
        if self.surface.auxiliary == Auxiliary::None {
            return [0, 0];
        }
        match self.surface.log2_samples {
            0 => [0, 0],
            1 => [0x2, 0],
            2 => [0xe4, 0],
            3 => [0x7654_3210, 0],
            _ => [0x7654_3210, 0xfedc_ba98],
        }
    }

    /// Width, height, depth or layers, and levels, as RESINFO answers: of a level, or zeros of one that isn't there.
    #[must_use]
    pub fn info(&self, level: u32) -> [u32; 4] {
        let surface = self.surface;
        if surface.kind == SurfaceKind::Null {
            return [0; 4];
        }
        if surface.is_buffer() {
            return [u32::try_from(surface.elements).unwrap_or(u32::MAX), 0, 0, 0];
        }
        if level >= surface.levels {
            return [0, 0, 0, surface.levels];
        }
        let [width, height, depth] = surface.size(level);
        let layers = if surface.array { surface.depth } else { 0 };
        let [height, depth] = match surface.layout.geometry().shape {
            Shape::Line => [layers, 0],
            Shape::Plane => [height, layers],
            Shape::Volume => [height, depth],
        };
        [width, height, depth, surface.levels]
    }
}
