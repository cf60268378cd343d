//! What is sampled most: planes, with wraps that end at an edge or begin again. All lanes take each step together, so
//! that the compiler can make vectors of them; only texels are fetched one by one.

use super::{Colors, LANES, Lanes, Place, Request, Texture, axis, each, lanes, srgb_texel};
use crate::command::streamer::Fault;
use crate::surface::cache::LINE;
use crate::surface::format::Common;
use crate::surface::layout::Plane;
use crate::surface::state::{Filter, MipFilter, Reduction, SurfaceKind, Wrap};
use crate::surface::texel::floats;

/// What lanes have in common that take the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    layer: u16,
    level: u8,
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
    /// Samples, if this is the way to do it; otherwise answers no.
    pub(super) fn sample_planes(
        &mut self,
        request: &Request<'_>,
        details: &Lanes,
        colors: &mut Colors,
    ) -> Result<bool, Fault> {
        let [wrap_u, wrap_v, _] = self.sampler.wrap;
        let unusual = self.surface.kind != SurfaceKind::Plane
            || self.surface.format.is_integer()
            || self.sampler.reduction != Reduction::Mean
            || self.sampler.unnormalized
            || request.offsets.is_some()
            || !ends_or_repeats(wrap_u)
            || !ends_or_repeats(wrap_v);
        if unusual {
            return Ok(false);
        }
        let all = request.lanes & 0xffff;
        let mut channels = [[0.0; LANES]; 4];
        if self.is_flat() && !self.surface.array {
            let linear = self.sampler.magnify != Filter::Nearest;
            self.at_way(request, Way { linear, ..Way::default() }, all, &mut channels)?;
            for (to, from) in colors.iter_mut().zip(&channels) {
                *to = each(from, f32::to_bits);
            }
            return Ok(true);
        }
        let (ways, weights) = self.ways(request, details);
        let mut further = [[0.0; LANES]; 4];
        let mut rest = all;
        while rest != 0 {
            let way = ways[rest.trailing_zeros() as usize % LANES];
            let those = |mask: u32, condition: &dyn Fn(usize) -> bool| {
                lanes(mask).filter(|lane| condition(*lane)).fold(0, |mask, lane| mask | 1 << lane)
            };
            let group = those(rest, &|lane| ways[lane] == way);
            rest &= !group;
            self.at_way(request, way, group, &mut channels)?;
            let between = those(group, &|lane| weights[lane] > 0.0);
            if between != 0 {
                let next = Way { level: way.level + 1, ..way };
                self.at_way(request, next, between, &mut further)?;
                for (near, far) in channels.iter_mut().zip(&further) {
                    for lane in lanes(between) {
                        near[lane] += (far[lane] - near[lane]) * weights[lane];
                    }
                }
            }
            for (to, from) in colors.iter_mut().zip(&channels) {
                lanes(group).for_each(|lane| to[lane] = from[lane].to_bits());
            }
        }
        Ok(true)
    }

    /// Levels, layers and filters of all lanes, and how much the next level counts.
    fn ways(&self, request: &Request<'_>, details: &Lanes) -> ([Way; LANES], Lanes) {
        let sampler = self.sampler;
        let mut weights = [0.0; LANES];
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
            // Neither has more than a few bits in a surface's state.
            let (layer, level) = (layer as u16, level as u8);
            ways[lane] = Way { level, layer, linear: filter != Filter::Nearest };
        }
        (ways, weights)
    }

    /// The colours of some lanes; what others get means nothing.
    fn at_way(
        &mut self,
        request: &Request<'_>,
        way: Way,
        group: u32,
        channels: &mut Channels,
    ) -> Result<(), Fault> {
        let slice = self.slice(way.level.into(), way.layer.into());
        let [width, height, _] = slice.size;
        let [wrap_u, wrap_v, _] = self.sampler.wrap;
        let [u, v, ..] = request.coordinates;
        let x = pairs(u, width, wrap_u, way.linear);
        let y = pairs(v, height, wrap_v, way.linear);
        if let (Common::Unorm8x4 { blue_first, srgb, alpha }, None) =
            (self.surface.format.common, request.reference)
            && !self.may_be_clear(&slice.place, &x, &y, group)?
        {
            let mut texels = [[0; LANES]; 4];
            self.texels_of_four_bytes(&slice.place.plane, &x, &y, way.linear, group, &mut texels)?;
            if !way.linear {
                decode(&texels[0], srgb, channels);
            } else if srgb {
                blend_srgb(&texels, &x.weight, &y.weight, channels);
            } else {
                blend_bytes(&texels, &x.weight, &y.weight, channels);
            }
            if blue_first {
                channels.swap(0, 2);
            }
            if !alpha {
                channels[3] = [1.0; LANES];
            }
            return Ok(());
        }
        for lane in lanes(group) {
            let reference = request.reference.map(|lanes| lanes[lane]);
            let mut get = |x: u32, y: u32| -> Result<[f32; 4], Fault> {
                let texel = floats(self.fetch(&slice.place, x, y)?);
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
        Ok(())
    }

    /// Whether one of the texels may be clear.
    fn may_be_clear(
        &mut self,
        place: &Place,
        x: &Pairs,
        y: &Pairs,
        group: u32,
    ) -> Result<bool, Fault> {
        let Some(marks) = place.marks else { return Ok(false) };
        let ends = |pairs: &Pairs| {
            lanes(group).fold((u32::MAX, 0), |(least, most), lane| {
                let (first, second) = (pairs.first[lane], pairs.second[lane]);
                (least.min(first).min(second), most.max(first).max(second))
            })
        };
        let ((left, right), (top, bottom)) = (ends(x), ends(y));
        marks.may_be_clear(self.cache, self.memory, (left, top), (right, bottom))
    }

    /// Top left, top right, bottom left and bottom right of each lane; only the first, if one is enough.
    fn texels_of_four_bytes(
        &mut self,
        plane: &Plane,
        x: &Pairs,
        y: &Pairs,
        linear: bool,
        group: u32,
        texels: &mut [Lanes<u32>; 4],
    ) -> Result<(), Fault> {
        let (left, top) = (plane.columns(&x.first), plane.rows(&y.first));
        if !linear {
            for lane in lanes(group) {
                let at = top[lane].wrapping_add(left[lane]);
                texels[0][lane] = self.cache.four_bytes(self.memory, at)?;
            }
            return Ok(());
        }
        let (right, bottom) = (plane.columns(&x.second), plane.rows(&y.second));
        for lane in lanes(group) {
            let (left, right) = (left[lane], right[lane]);
            let (top, bottom) = (top[lane], bottom[lane]);
            let first = top.wrapping_add(left);
            let second = top.wrapping_add(right);
            let third = bottom.wrapping_add(left);
            let fourth = bottom.wrapping_add(right);
            let corners = [first, second, third, fourth];
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
        Ok(())
    }
}

/// Added to a number of less than 22 bits, it leaves no bits behind the point, and the number in the lowest bits.
const NO_FRACTION: f32 = 1.5 * (1 << 23) as f32;

/// The nearest integer, without an instruction of its own.
#[inline(always)]
fn nearest(number: f32) -> (i32, f32) {
    let shifted = number + NO_FRACTION;
    let integer = shifted.to_bits().wrapping_sub(NO_FRACTION.to_bits());
    (integer.cast_signed(), shifted - NO_FRACTION)
}

#[inline(always)]
fn floor(number: f32) -> (i32, f32) {
    let (integer, rounded) = nearest(number);
    let above = rounded > number;
    (integer.wrapping_sub(i32::from(above)), rounded - if above { 1.0 } else { 0.0 })
}

/// Where the coordinates of all lanes lie on an axis of `size`.
#[inline(always)]
fn pairs(coordinates: &Lanes, size: u32, wrap: Wrap, linear: bool) -> Pairs {
    let within = match wrap {
        Wrap::Repeat => each(coordinates, |at| at - floor(at).1),
        Wrap::Mirror => each(coordinates, |at| 1.0 - (at - 2.0 * floor(at * 0.5).1 - 1.0).abs()),
        Wrap::MirrorOnce => each(coordinates, f32::abs),
        _ => *coordinates,
    };
    // As large as surfaces are; 256ths of texels have 22 bits.
    let size = size.clamp(1, 1 << 14).cast_signed();
    let length = size as f32;
    // One texel beyond an edge is as good as many. No number is the first.
    let scaled = each(&within, |at| {
        let at = at * length;
        let at = if at > -1.0 { at } else { -1.0 };
        if at < length { at } else { length }
    });
    // How far it is to the other edge.
    let around = if wrap == Wrap::Repeat { size } else { 0 };
    let inside = |texel: i32| {
        let low = if texel < 0 { around } else { 0 };
        let high = if texel >= size { around } else { 0 };
        let texel = texel.wrapping_add(low).wrapping_sub(high);
        let texel = if texel > 0 { texel } else { 0 };
        (if texel < size { texel } else { size - 1 }).cast_unsigned()
    };
    if !linear {
        let first = each(&scaled, |at| inside(floor(at).0));
        return Pairs { first, second: first, weight: [0.0; LANES] };
    }
    let fixed = each(&scaled, |at| nearest(at * 256.0).0.wrapping_sub(128));
    Pairs {
        first: each(&fixed, |at| inside(at >> 8)),
        second: each(&fixed, |at| inside((at >> 8).wrapping_add(1))),
        weight: each(&fixed, |at| (at & 0xff) as f32 * (1.0 / 256.0)),
    }
}

#[inline]
fn mean(corners: [f32; 4], x: f32, y: f32) -> f32 {
    let [a, b, c, d] = corners;
    let top = a + (b - a) * x;
    let bottom = c + (d - c) * x;
    top + (bottom - top) * y
}

fn decode(texels: &Lanes<u32>, srgb: bool, channels: &mut Channels) {
    if srgb {
        for (lane, texel) in texels.iter().enumerate() {
            for (to, from) in channels.iter_mut().zip(srgb_texel(texel.to_le_bytes())) {
                to[lane] = from;
            }
        }
        return;
    }
    for (shift, channel) in (0..).step_by(8).zip(channels) {
        *channel = each(texels, |texel| (texel >> shift & 0xff).cast_signed() as f32 / 255.0);
    }
}

fn blend_bytes(texels: &[Lanes<u32>; 4], x: &Lanes, y: &Lanes, channels: &mut Channels) {
    let [a, b, c, d] = texels;
    for (shift, channel) in (0..).step_by(8).zip(channels) {
        for lane in 0..LANES {
            let byte = |texel: u32| (texel >> shift & 0xff).cast_signed() as f32;
            let corners = [byte(a[lane]), byte(b[lane]), byte(c[lane]), byte(d[lane])];
            channel[lane] = mean(corners, x[lane], y[lane]) / 255.0;
        }
    }
}

fn blend_srgb(texels: &[Lanes<u32>; 4], x: &Lanes, y: &Lanes, channels: &mut Channels) {
    for lane in 0..LANES {
        let corners =
            [0, 1, 2, 3].map(|corner: usize| srgb_texel(texels[corner][lane].to_le_bytes()));
        let color = super::blend(corners, x[lane], y[lane]);
        for (to, from) in channels.iter_mut().zip(color) {
            to[lane] = from;
        }
    }
}
