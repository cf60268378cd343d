//! How many commands does the model execute in a second?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_intel::engine::Engine;
use vgate_benches::model::Rig;

const DATA: u32 = 32 << 20;
const END: u32 = 0x0A << 23;
const COMMANDS: usize = 10_000;

fn command_stream(c: &mut Criterion) {
    let mut group = c.benchmark_group("command stream");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    let kinds: [(&str, &[u32]); 5] = [
        ("MI_NOOP", &[0]),
        ("MI_STORE_DATA_IMM", &[0x20 << 23 | 2, DATA, 0, 1]),
        ("MI_LOAD_REGISTER_IMM", &[0x22 << 23 | 1, 0x2600, 1]),
        ("MI_COPY_MEM_MEM", &[0x2E << 23 | 3, DATA, 0, DATA + 64, 0]),
        ("PIPE_CONTROL", &[0x7A00_0004, 1 << 14, DATA, 0, 1, 0]),
    ];
    for (name, command) in kinds {
        let mut rig = Rig::new(Engine::Render).expect("a model");
        rig.load(&[command.repeat(COMMANDS), vec![END]].concat()).expect("memory");
        group.bench_function(name, |b| {
            b.iter_custom(|n| (0..n).map(|_| rig.run().expect("a fence")).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, command_stream);
criterion_main!(benches);
