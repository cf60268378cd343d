//! How long is an empty batch on its way from the submission port to silicon, and does it depend on how much memory
//! its context has mapped?

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use vgate_benches::submission::{Rig, Took};

/// How much of the way is measured.
type Part = fn(&Took) -> Duration;

fn submission(c: &mut Criterion) {
    for (way, part) in [
        ("port to silicon", (|took| took.to_silicon) as Part),
        ("port to fence", |took| took.to_fence),
    ] {
        let mut group = c.benchmark_group(way);
        for (name, mapped) in [("16 MiB", 16 << 20), ("1 GiB", 1 << 30), ("64 GiB", 64 << 30)] {
            let mut rig = Rig::new(mapped).expect("a mediator");
            group.bench_function(name, |b| {
                b.iter_custom(|n| (0..n).map(|_| part(&rig.submit().expect("a fence"))).sum());
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = submission
}
criterion_main!(benches);
