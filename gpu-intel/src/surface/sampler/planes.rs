//! What is sampled most: planes, with wraps that end at an edge or begin again. All lanes take each step together, so
//! that the compiler can make vectors of them; only texels are fetched one by one.

use super::{Colors, LANES, Lanes, Request, Texture, axis, lanes, srgb_texel};
use crate::command::streamer::Fault;
use crate::surface::cache::LINE;
use crate::surface::format::Common;
use crate::surface::layout::Plane;
use crate::surface::state::{Filter, MipFilter, Reduction, SurfaceKind, Wrap};
use crate::surface::texel::floats;

/// What lanes have in common that take the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    level: u32,
    layer: u32,
    linear: bool,
}

/// A coordinate of all lanes: texels beside each other, and how much the second counts.
struct Pairs {
    first: Lanes<u32>,
    second: Lanes<u32>,
    weight: Lanes,
}

type Channels = [Lanes; 4];

fn ends_or_repeats(wrap: Wrap) -> bool {
    matches!(wrap, Wrap::Repeat | Wrap::Mirror | Wrap::Clamp | Wrap::MirrorOnce)
}

impl Texture<'_> {
    /// Samples, if this is the way to do it.
    pub(super) fn sample_planes(
        &mut self,
        request: &Request<'_>,
        details: &Lanes,
    ) -> Result<Option<Colors>, Fault> {
        let [wrap_u, wrap_v, _] = self.sampler.wrap;
        let unusual = self.surface.kind != SurfaceKind::Plane
            || self.surface.format.is_integer()
            || self.sampler.reduction != Reduction::Mean
            || self.sampler.unnormalized
            || request.offsets.is_some()
            || !ends_or_repeats(wrap_u)
            || !ends_or_repeats(wrap_v);
        if unusual {
            return Ok(None);
        }
        let (ways, weights) = self.ways(request, details);
        let mut channels = [[0.0; LANES]; 4];
        let mut rest = request.lanes & 0xffff;
        while rest != 0 {
            let way = ways[rest.trailing_zeros() as usize];
            let group = lanes(rest)
                .filter(|lane| ways[*lane] == way)
                .fold(0, |group, lane| group | 1 << lane);
            rest &= !group;
            let mut these = self.at_way(request, way, group)?;
            let between = lanes(group)
                .filter(|lane| weights[*lane] > 0.0)
                .fold(0, |between, lane| between | 1 << lane);
            if between != 0 {
                let further = Way { level: way.level + 1, ..way };
                let further = self.at_way(request, further, between)?;
                for (near, far) in these.iter_mut().zip(&further) {
                    for lane in lanes(between) {
                        near[lane] += (far[lane] - near[lane]) * weights[lane];
                    }
                }
            }
            if group == request.lanes & 0xffff {
                channels = these;
            } else {
                for (to, from) in channels.iter_mut().zip(&these) {
                    for lane in lanes(group) {
                        to[lane] = from[lane];
                    }
                }
            }
        }
        Ok(Some(channels.map(|channel| channel.map(f32::to_bits))))
    }

    /// Levels, layers and filters of all lanes, and how much the next level counts.
    fn ways(&self, request: &Request<'_>, details: &Lanes) -> ([Way; LANES], Lanes) {
        let sampler = self.sampler;
        let mut weights = [0.0; LANES];
        if self.is_flat() && !self.surface.array {
            let linear = sampler.magnify != Filter::Nearest;
            return ([Way { linear, ..Way::default() }; LANES], weights);
        }
        let mut ways = [Way::default(); LANES];
        let last = (self.surface.levels - 1) as f32;
        for lane in lanes(request.lanes) {
            let detail = details[lane];
            let filter = if detail <= 0.0 { sampler.magnify } else { sampler.minify };
            let layer = self.layer(request.coordinates[2][lane], self.surface.depth);
            let level = if sampler.mip == MipFilter::Linear && detail > 0.0 {
                let fixed = axis::floor(detail.min(last) * 256.0).cast_unsigned();
                weights[lane] = (fixed & 0xff) as f32 / 256.0;
                fixed >> 8
            } else {
                self.nearest_level(detail)
            };
            ways[lane] = Way { level, layer, linear: filter != Filter::Nearest };
        }
        (ways, weights)
    }

    /// The colours of some lanes; what others get means nothing.
    fn at_way(&mut self, request: &Request<'_>, way: Way, group: u32) -> Result<Channels, Fault> {
        let slice = self.slice(way.level, way.layer);
        let [width, height, _] = slice.size;
        let [wrap_u, wrap_v, _] = self.sampler.wrap;
        let [u, v, ..] = request.coordinates;
        let x = pairs(u, width, wrap_u, way.linear);
        let y = pairs(v, height, wrap_v, way.linear);
        if let (Common::Unorm8x4 { blue_first, srgb, alpha }, None) =
            (self.surface.format.common, request.reference)
        {
            let texels = self.texels_of_four_bytes(&slice.plane, &x, &y, way.linear, group)?;
            let mut channels = if srgb {
                blend_srgb(&texels, &x.weight, &y.weight)
            } else {
                blend_bytes(&texels, &x.weight, &y.weight)
            };
            if blue_first {
                channels.swap(0, 2);
            }
            if !alpha {
                channels[3] = [1.0; LANES];
            }
            return Ok(channels);
        }
        let mut channels = [[0.0; LANES]; 4];
        for lane in lanes(group) {
            let reference = request.reference.map(|lanes| lanes[lane]);
            let mut get = |x: u32, y: u32| -> Result<[f32; 4], Fault> {
                let texel = floats(self.fetch(&slice.plane, x, y)?);
                Ok(self.compared(reference, texel))
            };
            let (x0, x1) = (x.first[lane], x.second[lane]);
            let (y0, y1) = (y.first[lane], y.second[lane]);
            let first = get(x0, y0)?;
            let color = if way.linear {
                let others = [get(x1, y0)?, get(x0, y1)?, get(x1, y1)?];
                let [second, third, fourth] = others;
                super::blend([first, second, third, fourth], x.weight[lane], y.weight[lane])
            } else {
                first
            };
            for (to, from) in channels.iter_mut().zip(color) {
                to[lane] = from;
            }
        }
        Ok(channels)
    }

    /// Top left, top right, bottom left and bottom right of each lane.
    fn texels_of_four_bytes(
        &mut self,
        plane: &Plane,
        x: &Pairs,
        y: &Pairs,
        linear: bool,
        group: u32,
    ) -> Result<[Lanes<u32>; 4], Fault> {
        let mut texels = [[0; LANES]; 4];
        let (left, top) = (plane.columns(&x.first), plane.rows(&y.first));
        if !linear {
            for lane in lanes(group) {
                let at = top[lane].wrapping_add(left[lane]);
                let texel = self.cache.four_bytes(self.memory, at)?;
                for corner in &mut texels {
                    corner[lane] = texel;
                }
            }
            return Ok(texels);
        }
        let (right, bottom) = (plane.columns(&x.second), plane.rows(&y.second));
        for lane in lanes(group) {
            let (left, right) = (left[lane], right[lane]);
            let (top, bottom) = (top[lane], bottom[lane]);
            let corners = [(top, left), (top, right), (bottom, left), (bottom, right)]
                .map(|(row, column)| row.wrapping_add(column));
            let [first, second, third, fourth] = corners;
            let apart = (first ^ second) | (first ^ third) | (first ^ fourth);
            // Mostly all are in one line, unless bases are odd.
            if apart < LINE as u64 && (first | apart) & 3 == 0 {
                let (line, _) = self.cache.line(self.memory, first)?;
                let dwords = line.as_chunks::<4>().0;
                for (to, at) in texels.iter_mut().zip(corners) {
                    to[lane] = u32::from_le_bytes(dwords[at as usize % LINE / 4]);
                }
            } else {
                for (to, at) in texels.iter_mut().zip(corners) {
                    to[lane] = self.cache.four_bytes(self.memory, at)?;
                }
            }
        }
        Ok(texels)
    }
}

/// Where the coordinates of all lanes lie on an axis of `size`.
#[inline]
fn pairs(coordinates: &Lanes, size: u32, wrap: Wrap, linear: bool) -> Pairs {
    let floor = |number: f32| axis::floor(number) as f32;
    let within = match wrap {
        Wrap::Repeat => coordinates.map(|at| at - floor(at)),
        Wrap::Mirror => coordinates.map(|at| 1.0 - (at - 2.0 * floor(at * 0.5) - 1.0).abs()),
        Wrap::MirrorOnce => coordinates.map(f32::abs),
        _ => *coordinates,
    };
    // No surface is that large.
    let size = size.clamp(1, 1 << 20).cast_signed();
    let length = size as f32;
    // One texel beyond an edge is as good as many. No number is the first.
    let scaled = within.map(|at| (at * length).max(-1.0).min(length + 1.0));
    let repeats = wrap == Wrap::Repeat;
    let inside = |texel: i32| {
        let around =
            texel + if texel < 0 { size } else { 0 } - if texel >= size { size } else { 0 };
        let texel = if repeats { around } else { texel };
        texel.max(0).min(size - 1).cast_unsigned()
    };
    if !linear {
        let first = scaled.map(|at| inside(axis::floor(at)));
        return Pairs { first, second: first, weight: [0.0; LANES] };
    }
    let fixed = scaled.map(|at| axis::floor(at * 256.0 - 127.5));
    Pairs {
        first: fixed.map(|at| inside(at >> 8)),
        second: fixed.map(|at| inside((at >> 8) + 1)),
        weight: fixed.map(|at| (at & 0xff) as f32 * (1.0 / 256.0)),
    }
}

#[inline]
fn mean(corners: [f32; 4], x: f32, y: f32) -> f32 {
    let [a, b, c, d] = corners;
    let top = a + (b - a) * x;
    let bottom = c + (d - c) * x;
    top + (bottom - top) * y
}

fn blend_bytes(texels: &[Lanes<u32>; 4], x: &Lanes, y: &Lanes) -> Channels {
    let [a, b, c, d] = texels;
    let mut channels = [[0.0; LANES]; 4];
    for (shift, channel) in (0..).step_by(8).zip(&mut channels) {
        for lane in 0..LANES {
            let corners = [a[lane], b[lane], c[lane], d[lane]]
                .map(|texel| (texel >> shift & 0xff).cast_signed() as f32);
            channel[lane] = mean(corners, x[lane], y[lane]) / 255.0;
        }
    }
    channels
}

fn blend_srgb(texels: &[Lanes<u32>; 4], x: &Lanes, y: &Lanes) -> Channels {
    let mut channels = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        let corners =
            [0, 1, 2, 3].map(|corner: usize| srgb_texel(texels[corner][lane].to_le_bytes()));
        let color = super::blend(corners, x[lane], y[lane]);
        for (to, from) in channels.iter_mut().zip(color) {
            to[lane] = from;
        }
    }
    channels
}
