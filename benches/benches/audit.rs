//! How fast are batches judged? The captured batches of more than 4 KiB, in bytes and in commands.

use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_intel::audit::Audit;
use vgate_benches::corpus::batches;

fn audit(c: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let mut batches = batches(&folder, 4096).expect("the corpus");
    let mut audit = Audit::default();
    let mut group = c.benchmark_group("audit");
    for (unit, throughput) in [
        ("bytes", Throughput::Bytes(batches.iter().map(|batch| batch.bytes).sum())),
        ("commands", Throughput::Elements(batches.iter().map(|batch| batch.commands).sum())),
    ] {
        group.throughput(throughput);
        group.bench_function(unit, |b| {
            b.iter(|| {
                batches.iter_mut().map(|batch| batch.judge(&mut audit).commands).sum::<u64>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
