//! Which part of an engine's time each VM had lately.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::{Time, VmHandle, VmId};

/// How far back a share looks.
const SPAN: Duration = Duration::from_secs(1);

/// Engine time used, sampled now and then.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    samples: VecDeque<Sample>,
}

#[derive(Debug)]
struct Sample {
    at: Time,
    /// Nanoseconds, by VM and engine.
    used: HashMap<VmId, Vec<u64>>,
}

impl Shares {
    /// Takes note of what `vms` used up to `now`.
    pub(crate) fn sample(&mut self, now: Time, vms: &[VmHandle]) {
        // The newest sample that is old enough stays, to compare with.
        while self.samples.get(1).is_some_and(|second| now.since(second.at) >= SPAN) {
            self.samples.pop_front();
        }
        let used = |vm: &VmHandle| vm.usage().into_iter().map(|(_, usage)| usage.gpu_ns).collect();
        let used = vms.iter().map(|vm| (vm.id(), used(vm))).collect();
        self.samples.push_back(Sample { at: now, used });
    }

    /// The share of `vm` in the time of its `engine`, which by now has used `gpu_ns`.
    pub(crate) fn share(&self, vm: VmId, engine: usize, gpu_ns: u64, now: Time) -> f64 {
        let old_enough = |sample: &&Sample| now.since(sample.at) >= SPAN;
        let since = self.samples.iter().rev().find(old_enough).or(self.samples.front());
        let Some(Sample { at, used }) = since else { return 0.0 };
        let before = used.get(&vm).and_then(|used| used.get(engine)).copied().unwrap_or(0);
        let span = now.since(*at).as_secs_f64();
        if span <= 0.0 {
            return 0.0;
        }
        let used = Duration::from_nanos(gpu_ns.saturating_sub(before)).as_secs_f64();
        // A long job's time counts all at once when it ends.
        (used / span).min(1.0)
    }
}
