//! How long does a lane of a sample message take, by filter and format? SIMD16 messages of a pixel shader, to Y-tiled
//! textures of 256x256 texels, at about one texel a pixel; in the sampler's cache is a part of them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_intel::address::PpgttAddress;
use gpu_intel::command::streamer::Fault;
use gpu_intel::eu::{Grf, Message, SharedFunction};
use gpu_intel::memory::PpgttMemory;
use gpu_intel::silicon::model::render::message::{Bases, Resources};

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
const LANES: usize = 16;
/// The binding table, then a sampler's and a surface's state, then texels.
const SAMPLER: u32 = 0x20;
const SURFACE: u32 = 0x40;
const TEXELS: u32 = 0x1000;

fn memory(format: u32, bytes: u32, filter: u32) -> Flat {
    let mut memory: Vec<u8> =
        (0..TEXELS + SIZE * SIZE * 16).map(|at| ((at * 37) >> 3) as u8).collect();
    let mut put = |at: u32, dwords: &[u32]| {
        for (to, from) in memory[at as usize..].chunks_mut(4).zip(dwords) {
            to.copy_from_slice(&from.to_le_bytes());
        }
    };
    let mut surface = [0; 16];
    surface[0] = 1 << 29 | format << 18 | 1 << 16 | 3 << 14 | 3 << 12;
    surface[2] = (SIZE - 1) << 16 | (SIZE - 1);
    surface[3] = SIZE * bytes - 1;
    surface[7] = 4 << 25 | 5 << 22 | 6 << 19 | 7 << 16;
    surface[8] = TEXELS;
    put(0, &[SURFACE]);
    put(SAMPLER, &[filter << 17 | filter << 14, 0, 0, 0]);
    put(SURFACE, &surface);
    Flat(memory)
}

fn sampler(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampler");
    group.throughput(Throughput::Elements(LANES as u64));
    for (format, code, bytes) in [("RGBA8", 199, 4), ("sRGB", 200, 4), ("RGBA32F", 0, 16)] {
        for (filter, bits) in [("nearest", 0), ("linear", 1)] {
            let mut memory = memory(code, bytes, bits);
            let bases = Bases { sampler_table: SAMPLER, ..Bases::default() };
            let mut resources = Resources::new(bases, true);
            // u and v of eight pixels, in each of two rows.
            let payloads: Vec<[Grf; 4]> = (0..SIZE * SIZE / 16)
                .map(|number| {
                    let (x, y) = (number % 32 * 8, number / 32 * 2);
                    let lane = |lane: usize| {
                        let (quad, within) = (lane as u32 / 4, lane as u32 % 4);
                        [x + quad * 2 + within % 2, y + within / 2]
                    };
                    let part = |axis: usize, first: usize| {
                        std::array::from_fn(|at| {
                            ((lane(first + at)[axis] as f32 + 0.7) / SIZE as f32).to_bits()
                        })
                    };
                    [part(0, 0), part(0, 8), part(1, 0), part(1, 8)]
                })
                .collect();
            let mut response = [[0; 8]; 8];
            let mut payloads = payloads.iter().cycle();
            group.bench_function(format!("{filter} {format}"), |b| {
                b.iter(|| {
                    let Some(payload) = payloads.next() else { return };
                    let message = Message {
                        function: SharedFunction::Sampler,
                        descriptor: 4 << 25 | 8 << 20 | 2 << 17,
                        extended: 0,
                        payload,
                        lanes: 0xffff,
                        first: 0,
                        end_of_thread: false,
                    };
                    resources
                        .send(&mut memory, &mut [], &message, &mut response)
                        .expect("a colour");
                });
            });
        }
    }
}

criterion_group!(benches, sampler);
criterion_main!(benches);
