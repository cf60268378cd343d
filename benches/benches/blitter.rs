//! How many bytes does the model's blitter move in a second, by command and tiling? Surfaces of 1920x1080 pixels of
//! four bytes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use display::Tiling;
use gpu_intel::engine::Engine;
use vgate_benches::model::Rig;

const TO: u32 = 16 << 20;
const FROM: u32 = 32 << 20;
const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
const PITCH: u32 = 4 * WIDTH;
const CORNER: u32 = HEIGHT << 16 | WIDTH;
const DEPTH_32: u32 = 3 << 24;
const END: u32 = 0x0A << 23;

/// BCS_SWCTRL: which of destination (bit 1) and source (bit 0) are Y-tiled where the command says tiled.
fn y_tiled(bits: u32) -> Vec<u32> {
    vec![0x22 << 23 | 1, 0x2_2200, 3 << 16 | bits]
}

/// A tiled surface's pitch counts dwords.
fn pitch(tiling: Tiling) -> u32 {
    if tiling == Tiling::Linear { PITCH } else { PITCH / 4 }
}

fn fill(to: Tiling) -> Vec<u32> {
    let tiled = u32::from(to != Tiling::Linear);
    let fill = [0x5430_0005 | tiled << 11, DEPTH_32 | 0xF0 << 16 | pitch(to), 0, CORNER, TO, 0, 7];
    [y_tiled(u32::from(to == Tiling::Y) << 1), fill.to_vec()].concat()
}

fn copy(to: Tiling, from: Tiling) -> Vec<u32> {
    let tiled = |tiling| u32::from(tiling != Tiling::Linear);
    let header = 0x54F0_0008 | tiled(from) << 15 | tiled(to) << 11;
    let control = DEPTH_32 | 0xCC << 16 | pitch(to);
    let copy = [header, control, 0, CORNER, TO, 0, 0, pitch(from), FROM, 0];
    let y = u32::from(to == Tiling::Y) << 1 | u32::from(from == Tiling::Y);
    [y_tiled(y), copy.to_vec()].concat()
}

fn fast_copy(to: Tiling, from: Tiling) -> Vec<u32> {
    let code = |tiling| match tiling {
        Tiling::Linear => 0,
        Tiling::X => 1,
        _ => 2,
    };
    let yf = |tiling| u32::from(tiling == Tiling::Yf);
    let header = 0x5080_0008 | code(to) << 13 | code(from) << 20;
    let control = yf(to) << 30 | yf(from) << 31 | DEPTH_32 | pitch(to);
    vec![header, control, 0, CORNER, TO, 0, 0, pitch(from), FROM, 0]
}

fn blitter(c: &mut Criterion) {
    use Tiling::{Linear, X, Y, Yf};
    let mut group = c.benchmark_group("blitter");
    group.throughput(Throughput::Bytes(u64::from(PITCH * HEIGHT))).sample_size(20);
    let kinds = [
        ("fill linear", fill(Linear)),
        ("fill X", fill(X)),
        ("fill Y", fill(Y)),
        ("copy linear to linear", copy(Linear, Linear)),
        ("copy linear to X", copy(X, Linear)),
        ("copy X to linear", copy(Linear, X)),
        ("copy linear to Y", copy(Y, Linear)),
        ("fast copy linear to linear", fast_copy(Linear, Linear)),
        ("fast copy linear to X", fast_copy(X, Linear)),
        ("fast copy linear to Y", fast_copy(Y, Linear)),
        ("fast copy linear to Yf", fast_copy(Yf, Linear)),
    ];
    for (name, commands) in kinds {
        let mut rig = Rig::new(Engine::Copy).expect("a model");
        rig.load(&[commands, vec![END]].concat()).expect("memory");
        group.bench_function(name, |b| {
            b.iter_custom(|n| (0..n).map(|_| rig.run().expect("a fence")).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, blitter);
criterion_main!(benches);
