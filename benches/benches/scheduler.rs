//! What does it cost to pick the next job when 2, 16 or 256 VMs have some waiting?

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mediator::{FairQueue, Time, VmId, Weight};

fn scheduler(c: &mut Criterion) {
    let mut group = c.benchmark_group("next job");
    for vms in [2, 16, 256] {
        let mut queue = FairQueue::new();
        for vm in 0..vms {
            queue.admit(VmId(vm), Weight::new(100 + vm as u16).expect("a weight"));
            queue.push(VmId(vm), (), Time(0)).expect("an admitted VM");
        }
        let mut now = Time(0);
        // Pick, charge, and queue the VM's next job: everybody always has one waiting.
        group.bench_function(BenchmarkId::from_parameter(vms), |b| {
            b.iter(|| {
                now = now + Duration::from_micros(100);
                let (vm, ()) = queue.pop(now).expect("a waiting job");
                queue.charge(vm, Duration::from_micros(100));
                queue.push(vm, (), now).expect("an admitted VM");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scheduler);
criterion_main!(benches);
