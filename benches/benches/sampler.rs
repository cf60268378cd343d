//! How long does a lane of a sample message take, by filter and format? Textures of 256x256 texels, Y-tiled, sampled by
//! quads at about one texel a pixel.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_intel::address::PpgttAddress;
use gpu_intel::command::streamer::Fault;
use gpu_intel::memory::PpgttMemory;
use gpu_intel::surface::{
    Detail, LANES, Lanes, Operation, Request, Sampler, Surface, TexelCache, Texture,
};

struct Flat(Vec<u8>);

impl PpgttMemory for Flat {
    fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Fault> {
        let at = at.0 as usize;
        let from = self.0.get(at..at + to.len()).ok_or_else(|| Fault::new("bench", "outside"))?;
        to.copy_from_slice(from);
        Ok(())
    }

    fn write(&mut self, _: PpgttAddress, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::new("bench", "nothing is written"))
    }

    fn modify(
        &mut self,
        _: PpgttAddress,
        _: usize,
        _: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        Err(Fault::new("bench", "nothing is written"))
    }
}

const SIZE: u32 = 256;
const ZERO: Lanes = [0.0; LANES];

fn surface(format: u32, bytes: u32) -> Surface {
    let mut state = [0; 16];
    state[0] = 1 << 29 | format << 18 | 1 << 16 | 3 << 14 | 3 << 12;
    state[2] = (SIZE - 1) << 16 | (SIZE - 1);
    state[3] = SIZE * bytes - 1;
    state[7] = 4 << 25 | 5 << 22 | 6 << 19 | 7 << 16;
    Surface::decode(&state).expect("a texture")
}

fn sampler(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampler");
    group.throughput(Throughput::Elements(LANES as u64));
    let memory = (0..SIZE * SIZE * 16).map(|at| (at * 37 >> 3) as u8).collect();
    let mut memory = Flat(memory);
    for (format, code, bytes) in [("RGBA8", 199, 4), ("sRGB", 200, 4), ("RGBA32F", 0, 16)] {
        for (filter, bits) in [("nearest", 0), ("linear", 1)] {
            let surface = surface(code, bytes);
            let sampler = Sampler::decode(&[bits << 17 | bits << 14, 0, 0, 0]);
            let mut cache = TexelCache::default();
            let (mut x, mut y) = (0, 0);
            group.bench_function(format!("{filter} {format}"), |b| {
                b.iter(|| {
                    x = (x + 8) % SIZE;
                    y = (y + u32::from(x == 0) * 2) % SIZE;
                    let at = |lane: usize, by: u32| (lane as u32 / 4 * 2 * by + lane as u32 % 2) as f32;
                    let u = std::array::from_fn(|lane| (x as f32 + at(lane, 1) + 0.7) / 256.0);
                    let v = std::array::from_fn(|lane| {
                        (y as f32 + (lane / 2 % 2) as f32 + 0.3) / 256.0
                    });
                    let request = Request {
                        operation: Operation::Sample,
                        lanes: 0xffff,
                        coordinates: [&u, &v, &ZERO, &ZERO],
                        detail: Detail::Quads(&ZERO),
                        reference: None,
                        offsets: None,
                    };
                    let mut texture = Texture {
                        surface: &surface,
                        sampler: &sampler,
                        border: [0; 4],
                        cache: &mut cache,
                        memory: &mut memory,
                    };
                    texture.sample(&request)
                });
            });
        }
    }
}

criterion_group!(benches, sampler);
criterion_main!(benches);
