//! What does an access of guest memory cost, word by word and page by page?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mediator::{GuestAddress, GuestRam};

const BYTES: u64 = 64 << 20;
/// What is gone through in turn: it stays in the processor's cache.
const NEAR: u64 = 0xFFFF;

fn memory(c: &mut Criterion) {
    let ram = GuestRam::anonymous(BYTES).expect("memory");
    let mut page = vec![0; 4096];
    for at in (0..BYTES).step_by(page.len()) {
        ram.write(GuestAddress(at), &page).expect("memory");
    }
    let mut at = 0;
    let mut next = |bytes: u64| {
        at = (at + bytes) & NEAR & !(bytes - 1);
        GuestAddress(at)
    };
    let mut group = c.benchmark_group("memory");
    group.bench_function("read a dword", |b| b.iter(|| ram.read_u32(next(4))));
    group.bench_function("read a qword", |b| b.iter(|| ram.read_u64(next(8))));
    group.bench_function("write a dword", |b| b.iter(|| ram.write_u32(next(4), 1)));
    group.bench_function("has it vanished", |b| b.iter(|| ram.faulted()));
    for bytes in [64, 4096] {
        let part = &mut page[..bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("read {bytes} bytes"), |b| {
            b.iter(|| ram.read(next(bytes as u64), part));
        });
        group.bench_function(format!("write {bytes} bytes"), |b| {
            b.iter(|| ram.write(next(bytes as u64), part));
        });
    }
    group.finish();
}

criterion_group!(benches, memory);
criterion_main!(benches);
