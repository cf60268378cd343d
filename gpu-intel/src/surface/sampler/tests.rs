use proptest::prelude::*;

use super::*;
use crate::surface::state::{SAMPLER_DWORDS, SURFACE_DWORDS};
use crate::surface::test_memory::Flat;
use crate::surface::{Format, Tiling};

const BASE: u32 = 0x1_0000;
const Y: u32 = 3;
const ZERO: Lanes = [0.0; LANES];

/// A state with what textures mostly have.
fn state(kind: u32, format: u32, tiling: u32, size: [u32; 3], pitch: u32) -> [u32; SURFACE_DWORDS] {
    let [width, height, depth] = size;
    let mut state = [0; SURFACE_DWORDS];
    state[0] =
        kind << 29 | u32::from(depth > 1) << 28 | format << 18 | 1 << 16 | 1 << 14 | tiling << 12;
    state[2] = (height - 1) << 16 | (width - 1);
    state[3] = (depth - 1) << 21 | (pitch - 1);
    state[7] = 4 << 25 | 5 << 22 | 6 << 19 | 7 << 16;
    state[8] = BASE;
    state
}

struct Rig {
    surface: Surface,
    sampler: Sampler,
    memory: Flat,
    cache: TexelCache,
}

impl Rig {
    fn new(state: &[u32; SURFACE_DWORDS], sampler: [u32; SAMPLER_DWORDS]) -> Self {
        Self {
            surface: Surface::decode(state).unwrap(),
            sampler: Sampler::decode(&sampler),
            memory: Flat::new(1 << 20),
            cache: TexelCache::default(),
        }
    }

    fn put(&mut self, level: u32, x: u32, y: u32, layer: u32, sample: u32, color: [f32; 4]) {
        let format = self.surface.format;
        let mut bytes = vec![0; format.bytes() as usize];
        format.encode(bits(color), &mut bytes);
        let at = self.surface.layout.address(level, x, y, layer, sample);
        self.memory.put(at, &bytes);
    }

    /// Red is the texel's x, green its y, blue its layer, in eighths.
    fn fill(&mut self) {
        for level in 0..self.surface.levels {
            let [width, height, depth] = self.surface.size(level);
            let layers =
                if self.surface.kind == SurfaceKind::Volume { depth } else { self.surface.depth };
            for layer in 0..layers {
                for y in 0..height {
                    for x in 0..width {
                        let [r, g, b] = [x, y, layer].map(|at| at as f32 / 8.0);
                        self.put(level, x, y, layer, 0, [r, g, b, 1.0 - level as f32 / 8.0]);
                    }
                }
            }
        }
    }

    fn texture(&mut self) -> Texture<'_> {
        Texture {
            surface: &self.surface,
            sampler: &self.sampler,
            border: bits([0.5, 0.25, 0.125, 0.0]),
            cache: &mut self.cache,
            memory: &mut self.memory,
        }
    }

    fn colors(&mut self, request: &Request<'_>) -> Colors {
        let mut colors = [[0; LANES]; 4];
        self.texture().sample(request, &mut colors).unwrap();
        colors
    }

    fn load(&mut self, load: &Load<'_>) -> Colors {
        let mut colors = [[0; LANES]; 4];
        self.texture().load(load, &mut colors).unwrap();
        colors
    }

    fn sample(&mut self, request: &Request<'_>) -> [f32; 4] {
        self.colors(request).map(|lanes| f32::from_bits(lanes[0]))
    }

    fn at(&mut self, at: [f32; 4], level: f32) -> [f32; 4] {
        let coordinates = at.map(|at| [at; LANES]);
        let level = [level; LANES];
        self.sample(&given(&coordinates, &level))
    }
}

fn given<'a>(coordinates: &'a [Lanes; 4], level: &'a Lanes) -> Request<'a> {
    Request {
        operation: Operation::Sample,
        lanes: 1,
        coordinates: coordinates.each_ref(),
        detail: Detail::Given(level),
        reference: None,
        offsets: None,
    }
}

const fn sampler(linear: bool, mip: u32, wrap: u32) -> [u32; SAMPLER_DWORDS] {
    let filter = linear as u32;
    [mip << 20 | filter << 17 | filter << 14, 0xd00 << 8, 0, wrap << 6 | wrap << 3 | wrap]
}

const NEAREST: [u32; SAMPLER_DWORDS] = sampler(false, 0, 2);
const LINEAR: [u32; SAMPLER_DWORDS] = sampler(true, 0, 2);
const FLOATS: u32 = 0;

fn close(a: [f32; 4], b: [f32; 4]) -> bool {
    a.into_iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
}

#[test]
fn nearest_and_linear_choose_texels() {
    for (format, tiling) in [(0, 0), (0, 2), (0, Y), (199, Y), (192, 2), (132, Y)] {
        let exact = format == 0 || format == 132;
        let same = |a: [f32; 4], b: [f32; 4]| {
            a.into_iter().zip(b).all(|(a, b)| (a - b).abs() <= if exact { 0.0 } else { 0.003 })
        };
        let state = state(1, format, tiling, [8, 4, 1], 512);
        let mut rig = Rig::new(&state, NEAREST);
        rig.fill();
        assert!(same(rig.at([0.0, 0.0, 0.0, 0.0], 0.0), [0.0, 0.0, 0.0, 1.0]));
        assert!(same(rig.at([0.74, 0.51, 0.0, 0.0], 0.0), [0.625, 0.25, 0.0, 1.0]));
        assert!(same(rig.at([1.0, 9.0, 0.0, 0.0], 0.0), [0.875, 0.375, 0.0, 1.0]));
        rig.sampler = Sampler::decode(&LINEAR);
        assert!(same(rig.at([0.25, 0.5, 0.0, 0.0], 0.0), [1.5 / 8.0, 1.5 / 8.0, 0.0, 1.0]));
        assert!(same(rig.at([0.0, 0.0, 0.0, 0.0], 0.0), [0.0, 0.0, 0.0, 1.0]));
        rig.sampler = Sampler::decode(&sampler(true, 0, 0));
        assert!(same(rig.at([0.0, 0.5, 0.0, 0.0], 0.0), [3.5 / 8.0, 1.5 / 8.0, 0.0, 1.0]));
    }
}

#[test]
fn borders_have_their_own_colour() {
    let mut rig = Rig::new(&state(1, FLOATS, Y, [8, 4, 1], 512), sampler(false, 0, 4));
    rig.fill();
    assert_eq!(rig.at([-0.1, 0.0, 0.0, 0.0], 0.0), [0.5, 0.25, 0.125, 0.0]);
    rig.sampler = Sampler::decode(&sampler(true, 0, 4));
    assert_eq!(rig.at([0.0, 0.125, 0.0, 0.0], 0.0), [0.25, 0.125, 0.0625, 0.5]);
    // What R32_FLOAT lacks isn't the border's either.
    let mut red = Rig::new(&state(1, 216, Y, [8, 4, 1], 512), sampler(false, 0, 4));
    assert_eq!(red.at([2.0, 0.0, 0.0, 0.0], 0.0), [0.5, 0.0, 0.0, 1.0]);
}

#[test]
fn levels_are_chosen_by_detail() {
    let mut mipped = state(1, FLOATS, Y, [8, 8, 1], 512);
    mipped[5] = 3;
    let mut rig = Rig::new(&mipped, sampler(false, 1, 2));
    rig.fill();
    let level = |rig: &mut Rig, detail| (1.0 - rig.at([0.0; 4], detail)[3]) * 8.0;
    for (detail, expected) in [(-1.0, 0.0), (0.4, 0.0), (0.5, 1.0), (2.2, 2.0), (9.0, 3.0)] {
        assert_eq!(level(&mut rig, detail), expected);
    }
    rig.sampler.mip = MipFilter::Linear;
    for (detail, expected) in [(0.25, 0.25), (1.5, 1.5), (5.0, 3.0)] {
        assert_eq!(level(&mut rig, detail), expected);
    }
    rig.sampler.max_lod = 1.0;
    rig.sampler.bias = 0.5;
    assert_eq!(level(&mut rig, 0.25), 0.75);
    assert_eq!(level(&mut rig, 3.0), 1.0);
    // The surface begins at its first level.
    mipped[5] = 1 << 4 | 2;
    rig.surface = Surface::decode(&mipped).unwrap();
    assert_eq!(level(&mut rig, -3.0), 1.0);
    rig.surface.min_lod = 1.0;
    assert_eq!(level(&mut rig, -3.0), 2.0);
}

#[test]
fn quads_have_a_level_of_detail() {
    let mut mipped = state(1, FLOATS, Y, [8, 8, 1], 512);
    mipped[5] = 3;
    let mut rig = Rig::new(&mipped, sampler(true, 3, 2));
    rig.fill();
    // Two texels to the right, half of one down: level 1.
    let u = std::array::from_fn(|lane| (lane % 2) as f32 * 0.25);
    let v = std::array::from_fn(|lane| (lane / 2 % 2) as f32 * 0.0625);
    let coordinates = [u, v, ZERO, ZERO];
    let request =
        Request { lanes: 0xf, detail: Detail::Quads(&ZERO), ..given(&coordinates, &ZERO) };
    assert_eq!(rig.sample(&request)[3], 0.875);
    assert_eq!(rig.texture().level_of_detail(&request)[0][0], 1.0);
    let bias = [0.5; LANES];
    let biased = Request { detail: Detail::Quads(&bias), ..request };
    assert_eq!(rig.sample(&biased)[3], 0.8125);
    let step = [0.5; LANES];
    let gradients = Detail::Gradients([&step, &ZERO, &ZERO], [&ZERO, &ZERO, &ZERO]);
    assert_eq!(rig.sample(&Request { detail: gradients, ..request })[3], 0.75);
}

/// Lanes that take another way through a program leave anything in their registers. The level of detail must not depend on it.
#[test]
fn quads_take_no_steps_to_lanes_elsewhere() {
    let mut mipped = state(1, FLOATS, Y, [8, 8, 1], 512);
    mipped[5] = 3;
    let mut rig = Rig::new(&mipped, sampler(true, 3, 2));
    rig.fill();
    for active in 1..16_u32 {
        let there = |lane: usize| active >> (lane % 4) & 1 != 0;
        let to = |step: f32, lane: usize| if there(lane) { step } else { 1.0e6 };
        let u = std::array::from_fn(|lane| to((lane % 2) as f32 * 0.25, lane));
        let v = std::array::from_fn(|lane| to((lane / 2 % 2) as f32 * 0.25, lane));
        let coordinates = [u, v, ZERO, ZERO];
        let request =
            Request { lanes: active, detail: Detail::Quads(&ZERO), ..given(&coordinates, &ZERO) };
        let detail = rig.texture().level_of_detail(&request)[0][0];
        let beside = [0b0011, 0b1100, 0b0101, 0b1010].iter().any(|pair| active & pair == *pair);
        assert_eq!(detail, if beside { 1.0 } else { 0.0 }, "{active:04b}");
    }
}

#[test]
fn layers_and_slices_are_found() {
    let mut array = state(1, FLOATS, Y, [8, 8, 4], 512);
    array[1] = 2;
    let mut rig = Rig::new(&array, LINEAR);
    rig.fill();
    for (layer, expected) in [(0.4, 0.0), (2.5, 2.0), (1.6, 2.0), (7.0, 3.0), (-3.0, 0.0)] {
        assert_eq!(rig.at([0.0, 0.0, layer, 0.0], 0.0)[2], expected / 8.0, "{layer}");
    }
    array[0] = array[0] & !(7 << 29) | 2 << 29;
    let mut volume = Rig::new(&array, LINEAR);
    volume.fill();
    assert_eq!(volume.at([0.5, 0.5, 0.5, 0.0], 0.0)[2], 1.5 / 8.0);
    assert_eq!(volume.at([0.5, 0.5, 1.0, 0.0], 0.0)[2], 3.0 / 8.0);
    let mut line = state(0, FLOATS, 0, [8, 1, 4], 128);
    line[1] = 16;
    let mut rig = Rig::new(&line, LINEAR);
    rig.fill();
    assert_eq!(rig.at([0.25, 2.0, 0.0, 0.0], 0.0), [1.5 / 8.0, 0.0, 0.25, 1.0]);
}

#[test]
fn cubes_are_seamless() {
    let mut cube = state(3, FLOATS, Y, [4, 4, 1], 512);
    cube[1] = 1;
    let mut rig = Rig::new(&cube, sampler(true, 0, 3));
    rig.fill();
    // +X, middle.
    assert!(close(rig.at([1.0, 0.0, 0.0, 0.0], 0.0), [1.5 / 8.0, 1.5 / 8.0, 0.0, 1.0]));
    // Between +X's and -Z's edges: texel 3 of one, 0 of the other.
    assert!(close(rig.at([1.0, 0.0, -1.0, 0.0], 0.0), [1.5 / 8.0, 1.5 / 8.0, 2.5 / 8.0, 1.0]));
    let corner = rig.at([1.0, 1.0, 1.0, 0.0], 0.0);
    assert!((corner[2] - 2.0 / 8.0).abs() < 0.01, "{corner:?}");
    // Whatever it says of edges, if it says so of cubes.
    let mut clamped = sampler(true, 0, 2);
    rig.sampler = Sampler::decode(&clamped);
    assert_eq!(rig.at([1.0, 0.0, -1.0, 0.0], 0.0)[2], 5.0 / 8.0);
    clamped[1] |= 1;
    rig.sampler = Sampler::decode(&clamped);
    assert!(close(rig.at([1.0, 0.0, -1.0, 0.0], 0.0), [1.5 / 8.0, 1.5 / 8.0, 2.5 / 8.0, 1.0]));
    rig.sampler = Sampler::decode(&NEAREST);
    assert_eq!(rig.at([0.1, -1.0, 0.1, 0.0], 0.0)[2], 3.0 / 8.0);
}

#[test]
fn depth_is_compared_and_then_filtered() {
    let mut shadow = LINEAR;
    // LEQUAL means: passes where the reference is less.
    shadow[1] |= 4 << 1;
    let mut rig = Rig::new(&state(1, 216, Y, [8, 4, 1], 512), shadow);
    rig.fill();
    let coordinates = [[0.5; LANES], [0.5; LANES], ZERO, ZERO];
    let pass = |rig: &mut Rig, reference: f32| {
        let reference = [reference; LANES];
        rig.sample(&Request { reference: Some(&reference), ..given(&coordinates, &ZERO) })[0]
    };
    // Between texels of 3/8 and 4/8.
    assert_eq!(pass(&mut rig, 0.3), 1.0);
    assert_eq!(pass(&mut rig, 0.4), 0.5);
    assert_eq!(pass(&mut rig, 0.5), 0.0);
}

#[test]
fn gathers_return_four_texels() {
    let mut rig = Rig::new(&state(1, FLOATS, Y, [8, 4, 1], 512), NEAREST);
    rig.fill();
    let coordinates = [[0.25; LANES], [0.5; LANES], ZERO, ZERO];
    let request = Request { operation: Operation::Gather(0), ..given(&coordinates, &ZERO) };
    assert_eq!(rig.sample(&request), [0.125, 0.25, 0.25, 0.125]);
    let green = Request { operation: Operation::Gather(1), ..request };
    assert_eq!(rig.sample(&green), [0.25, 0.25, 0.125, 0.125]);
    let moved = Request { offsets: Some([&[1; LANES], &[0; LANES], &[0; LANES]]), ..request };
    assert_eq!(rig.sample(&moved), [0.25, 0.375, 0.375, 0.25]);
}

#[test]
fn srgb_is_decoded_before_it_is_filtered() {
    let mut rig = Rig::new(&state(1, 200, Y, [8, 4, 1], 512), LINEAR);
    rig.put(0, 1, 0, 0, 0, [1.0, 0.5, 0.0, 1.0]);
    let [r, g, b, a] = rig.at([0.125, 0.0, 0.0, 0.0], 0.0);
    assert!(close([r, 0.0, b, a], [0.5, 0.0, 0.0, 0.5]) && (g - 0.25).abs() < 0.003);
}

#[test]
fn integers_and_selected_channels_come_as_they_are() {
    let mut uint = state(1, 203, Y, [8, 4, 1], 512);
    uint[7] = 6 << 25 | 4 << 22 | 1 << 16;
    let mut rig = Rig::new(&uint, LINEAR);
    let at = rig.surface.layout.address(0, 2, 1, 0, 0);
    rig.memory.put(at, &[7, 8, 9, 10]);
    let coordinates = [[0.3; LANES], [0.3; LANES], ZERO, ZERO];
    let colors = rig.colors(&given(&coordinates, &ZERO));
    assert_eq!(colors.map(|lanes| lanes[0]), [9, 7, 0, 1]);
}

#[test]
fn texels_are_loaded_by_number() {
    let mut samples = state(1, FLOATS, Y, [8, 4, 1], 512);
    samples[1] = 1;
    samples[4] = 2 << 3;
    // The MCS begins where nothing else is.
    (samples[6], samples[10]) = (1, 0x8_0000);
    samples[12] = 0.75_f32.to_bits();
    let mut rig = Rig::new(&samples, NEAREST);
    for sample in 0..4 {
        rig.put(0, 3, 2, 0, sample, [sample as f32, 0.0, 0.0, 1.0]);
    }
    let (x, y, zero) = ([3; LANES], [2; LANES], [0; LANES]);
    let numbers = std::array::from_fn(|lane| lane as u32);
    let code = [0xe4; LANES];
    let sample = Sample { number: &numbers, compression: Some([&code, &zero]) };
    let load = Load {
        lanes: 0xff,
        texel: [&x, &y, &zero],
        level: &zero,
        sample: Some(sample),
        offsets: [0; 3],
    };
    let code_at = |rig: &mut Rig| {
        let mut colors = [[0; LANES]; 4];
        rig.texture().compression(1, [&x, &y, &zero], &mut colors).unwrap();
        colors.map(|lanes| lanes[0])
    };
    assert_eq!(code_at(&mut rig), [0xe4, 0, 0, 0]);
    assert_eq!(rig.texture().info(0), [8, 4, 0, 1]);
    let red = rig.load(&load)[0].map(f32::from_bits);
    assert_eq!(red[..6], [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    // All samples in the first plane.
    let compressed = Sample { compression: Some([&zero, &zero]), ..sample };
    let load = Load { sample: Some(compressed), ..load };
    assert_eq!(rig.load(&load)[0].map(f32::from_bits)[..4], [0.0; 4]);
    // The pixel is clear.
    rig.memory.put(0x8_0000 + 16 * 2 + 3, &[0xff]);
    rig.cache.invalidate();
    assert_eq!(code_at(&mut rig), [0xff, 0, 0, 0]);
    let code = [0xff; LANES];
    let cleared = Sample { compression: Some([&code, &zero]), ..sample };
    let load = Load { sample: Some(cleared), ..load };
    assert_eq!(rig.load(&load)[0].map(f32::from_bits)[..4], [0.75; 4]);
    let outside = Load { offsets: [5, 0, 0], sample: None, ..load };
    assert_eq!(rig.load(&outside).map(|lanes| lanes[0]), [0; 4]);
}

/// Texels that are clear have the state's colour, whatever is stored, and however they are fetched.
#[test]
fn clear_texels_are_of_the_clear_colour() {
    const RGBA8: u32 = 199;
    const SRGB: u32 = 200;
    for (format, clear) in [(FLOATS, 0.5), (RGBA8, 1.0), (SRGB, 0.0), (SRGB, 1.0)] {
        let mut plain = state(1, format, Y, [64, 64, 1], 1024);
        plain[10] = 0x8_0000;
        plain[12..].fill(f32::to_bits(clear));
        let mut marked = plain;
        marked[6] = 5;
        let mut rig = Rig::new(&marked, LINEAR);
        // Blocks of 2x4 or 8x4 pixels: the first of the second row of 32x32.
        let mut mask = [0; crate::surface::MARKED];
        mask[..4].fill(0xff);
        let plane = rig.surface.marks.unwrap().plane(0, 0);
        plane.write(&mut rig.memory, (0, 32), (32, 32), &mask).unwrap();
        for y in 28..40 {
            for x in 0..16 {
                rig.put(0, x, y, 0, 0, [0.0, 1.0, 0.0, 1.0]);
            }
        }
        let at = |rig: &mut Rig, x: f32, y: f32| rig.at([x / 64.0, y / 64.0, 0.0, 0.0], 0.0);
        assert_eq!(at(&mut rig, 0.5, 32.5), [clear; 4]);
        assert_eq!(at(&mut rig, 7.5, 35.5), [clear; 4]);
        assert_eq!(at(&mut rig, 8.5, 32.5), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(at(&mut rig, 0.5, 31.5), [0.0, 1.0, 0.0, 1.0]);
        let between = at(&mut rig, 8.0, 34.5);
        assert!((between[0] - clear / 2.0).abs() < 0.01, "{between:?}");
        // Without its auxiliary surface, what is stored.
        rig.surface = Surface::decode(&plain).unwrap();
        assert_eq!(at(&mut rig, 0.5, 32.5), [0.0, 1.0, 0.0, 1.0]);
    }
}

#[test]
fn buffers_are_loaded_by_element() {
    let mut buffer = state(4, 64, 0, [4, 1, 1], 12);
    buffer[2] = 3;
    let mut rig = Rig::new(&buffer, NEAREST);
    rig.memory.put_dwords(u64::from(BASE) + 36, &[1, 2, 3]);
    let u = std::array::from_fn(|lane| lane as u32);
    let zero = [0; LANES];
    let load = Load {
        lanes: 0xffff,
        texel: [&u, &zero, &zero],
        level: &zero,
        sample: None,
        offsets: [0; 3],
    };
    let colors = rig.load(&load);
    assert_eq!(colors.map(|lanes| lanes[3]), [1, 2, 3, 1.0_f32.to_bits()]);
    assert_eq!(colors.map(|lanes| lanes[4]), [0; 4]);
    assert_eq!(rig.texture().info(0), [4, 0, 0, 0]);
}

#[test]
fn blocks_are_sampled_as_texels() {
    let mut rig = Rig::new(&state(1, 390, 0, [8, 8, 1], 16), NEAREST);
    // The second block of the second row: red, then blue in its second column.
    rig.memory.put(u64::from(BASE) + 24, &[0, 0xf8, 0x1f, 0, 4, 4, 4, 4]);
    assert_eq!(rig.at([4.5 / 8.0, 4.5 / 8.0, 0.0, 0.0], 0.0), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(rig.at([5.5 / 8.0, 7.5 / 8.0, 0.0, 0.0], 0.0), [0.0, 0.0, 1.0, 1.0]);
    let bc = Format::of(390).unwrap();
    assert_eq!((bc.block(), rig.surface.layout.geometry().tiling), (4, Tiling::Linear));
}

proptest! {
    #[test]
    fn lanes_together_get_what_each_would_alone(
        u in prop::array::uniform16(-3.0_f32..3.0),
        v in prop::array::uniform16(-3.0_f32..3.0),
        layer in prop::array::uniform16(-1.0_f32..4.0),
        detail in prop::array::uniform16(-1.0_f32..5.0),
        size in (1_u32..20, 1_u32..20),
        wraps in (prop::sample::select(vec![0_u32, 1, 2, 5]), prop::sample::select(vec![0_u32, 1, 2, 5])),
        mip in prop::sample::select(vec![0_u32, 1, 3]),
        filters in (0_u32..2, 0_u32..2),
        format in prop::sample::select(vec![FLOATS, 199, 193, 233, 320]),
        base in prop::sample::select(vec![0, 2]),
        compared in any::<bool>(),
    ) {
        let mut state = state(1, format, Y, [size.0, size.1, 3], 1024);
        state[1] = 16;
        state[5] = 4;
        state[8] += base;
        let sampler = [mip << 20 | filters.0 << 17 | filters.1 << 14, 0xd00 << 8 | 2 << 1, 0, wraps.0 << 6 | wraps.1 << 3];
        let mut rig = Rig::new(&state, sampler);
        rig.fill();
        let coordinates = [u, v, layer, ZERO];
        let reference = [0.3; LANES];
        let none = [0; LANES];
        let together = Request { lanes: 0xfffb, reference: compared.then_some(&reference), ..given(&coordinates, &detail) };
        let alone = Request { offsets: Some([&none; 3]), ..together };
        let [together, alone] = [together, alone].map(|request| rig.colors(&request));
        for lane in lanes(0xfffb) {
            let [together, alone] = [&together, &alone].map(|colors| floats(colors.each_ref().map(|lanes| lanes[lane])));
            // Where a coordinate lies between 256ths, or texels, the two may round differently.
            let near = |at: f32, size: u32| {
                [0, 1, 2, 3, 4].iter().any(|level| {
                    let fixed = at * (size >> level).max(1) as f32 * 256.0 + 0.5;
                    (fixed - fixed.round()).abs() < 0.02
                })
            };
            let differs = near(u[lane], size.0) || near(v[lane], size.1);
            prop_assert!(close(together, alone) || differs, "{lane}: {together:?} {alone:?}");
        }
    }
}
