//! What does one access of a guest cost, from the decoded message to the end of its handling?

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use vgate_benches::access::{Class, Rig};

fn register_access(c: &mut Criterion) {
    let mut group = c.benchmark_group("register access");
    for class in Class::all() {
        let mut rig = Rig::new();
        let accesses = u32::try_from(class.round.len()).unwrap_or(u32::MAX);
        // A round counts as many iterations as it has accesses.
        group.bench_function(class.name, |b| {
            b.iter_custom(|iterations| {
                let rounds = iterations.div_ceil(accesses.into());
                let took: Duration = (0..rounds).map(|_| rig.round(&class)).sum();
                took.mul_f64(iterations as f64 / (rounds * u64::from(accesses)) as f64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, register_access);
criterion_main!(benches);
