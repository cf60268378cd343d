//! What does a submission through the shim take, against the two wake-ups that the kernel takes for any answer of another
//! process, and how many go through in a second?

use std::time::Duration;

use criterion::{Criterion, Throughput};
use vgate_benches::shim::{Executes, PingPong, Rig, serve_if_asked};

/// Batches that are submitted at once.
const AT_ONCE: usize = 32;

fn main() {
    serve_if_asked();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("round trip");
    let ping_pong = PingPong::new(None).expect("an echo");
    group.bench_function("eventfds", |b| {
        b.iter_custom(|n| (0..n).map(|_| ping_pong.round_trip().expect("an answer")).sum());
    });
    let asleep = Rig::new(Executes::Model, Duration::ZERO, None).expect("a daemon");
    group.bench_function("asleep", |b| {
        b.iter_custom(|n| (0..n).map(|_| asleep.sleeping().expect("a fence")).sum());
    });
    let awake = Rig::new(Executes::Model, Duration::from_secs(1), None).expect("a daemon");
    group.bench_function("awake", |b| {
        b.iter_custom(|n| (0..n).map(|_| awake.looking().expect("a fence")).sum());
    });
    group.finish();
    let mut group = criterion.benchmark_group("submissions");
    group.throughput(Throughput::Elements(AT_ONCE as u64));
    group.bench_function("32 at once", |b| {
        b.iter_custom(|n| asleep.rounds(n, AT_ONCE).expect("fences"));
    });
    group.finish();
    criterion.final_summary();
}
