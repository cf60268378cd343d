//! How long does it take to see what a guest shows: a frame of 1920x1080, by tiling and pixel format?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use display::{PixelFormat, Surface, Tiling, decode, size_in_bytes};

fn frame(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode 1920x1080");
    group.throughput(Throughput::Elements(1920 * 1080)).sample_size(20);
    for format in [PixelFormat::Xrgb8888, PixelFormat::Rgb565] {
        for tiling in [Tiling::Linear, Tiling::X, Tiling::Y, Tiling::Yf] {
            // Whole tiles of every kind.
            let stride = (1920 * format.bytes_per_pixel()).next_multiple_of(512);
            let surface = Surface { width: 1920, height: 1080, stride, format, tiling };
            let size = size_in_bytes(&surface).expect("a surface");
            let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            group.bench_function(format!("{format:?} {tiling:?}"), |b| {
                b.iter(|| decode(&surface, &bytes).expect("a picture"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, frame);
criterion_main!(benches);
