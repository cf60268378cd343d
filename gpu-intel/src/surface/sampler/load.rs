//! Texels by their numbers, and what a surface says of itself.

use super::{Colors, Lanes, Texture, lanes};
use crate::command::streamer::Fault;
use crate::surface::auxiliary::stored_samples;
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
            let sample = load.sample.map_or(Some(0), |sample| self.sample_plane(&sample, lane));
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
        sample: Option<u32>,
    ) -> Result<Option<[u32; 4]>, Fault> {
        let surface = self.surface;
        let stored = sample.unwrap_or(0);
        if level >= surface.levels || stored >> surface.log2_samples != 0 {
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
        if sample.is_none() {
            return Ok(Some(surface.clear_texel));
        }
        let place = self.place(level, first + layer, stored);
        self.fetch(&place, x, y).map(Some)
    }

    /// The plane that a sample is stored in; `None`: its pixel is clear.
    fn sample_plane(&self, sample: &Sample<'_>, lane: usize) -> Option<u32> {
        let number = sample.number[lane];
        let log2 = self.surface.log2_samples;
        let Some([low, high]) = sample.compression else { return Some(number) };
        if self.surface.marks.is_none() || log2 == 0 || number >> log2 != 0 {
            return Some(number);
        }
        let code = u64::from(low[lane]) | u64::from(high[lane]) << 32;
        if code & clear_samples(log2) == clear_samples(log2) {
            return None;
        }
        let bits = match log2 {
            1 => 1,
            2 => 2,
            _ => 4,
        };
        Some((code >> (bits * number)) as u32 & ((1 << bits) - 1))
    }

    /// The compression of the samples of each texel, as red and green: it is clear, or each is stored in its own plane.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub fn compression(
        &mut self,
        active: u32,
        [u, v, r]: [&Lanes<u32>; 3],
        colors: &mut Colors,
    ) -> Result<(), Fault> {
        colors.as_flattened_mut().fill(0);
        let surface = self.surface;
        let Some(marks) = surface.marks.filter(|_| surface.log2_samples > 0) else {
            return Ok(());
        };
        let [width, height, _] = surface.size(0);
        for lane in lanes(active) {
            let layer = if surface.array { r[lane] } else { 0 };
            if u[lane] >= width || v[lane] >= height || layer >= surface.depth {
                continue;
            }
            let plane = marks.plane(surface.first_level, surface.first_layer + layer);
            let clear = plane.is_clear(self.cache, self.memory, u[lane], v[lane])?;
            let log2 = surface.log2_samples;
            let code = if clear { clear_samples(log2) } else { stored_samples(log2) };
            (colors[0][lane], colors[1][lane]) = (code as u32, (code >> 32) as u32);
        }
        Ok(())
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

/// The code of a pixel that is clear.
fn clear_samples(log2_samples: u8) -> u64 {
    match log2_samples {
        1 => 0x3,
        2 => 0xff,
        3 => 0xffff_ffff,
        _ => u64::MAX,
    }
}
