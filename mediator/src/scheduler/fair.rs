//! Who is next: a weighted fair run queue of one engine.
//!
//! Each VM has a *virtual time*: the engine time that it used, divided by its weight. The VM with the smallest one is
//! next, so over time each backlogged VM gets engine time by its weight. Three rules complete it:
//!
//! * **No credit from idleness.** A VM that comes back starts where the others are, not where it left.
//! * **No starvation.** Whoever has waited for [`PATIENCE`] goes first, whatever its weight; the longest waiting
//!   first. Where running jobs are sliced, a runnable VM is so served within a second.
//! * **Order.** Jobs of one VM leave by their priority, and with the same one in the order in which they came.
//!
//! Time used is known only when a job's fence is back, but the next job is chosen before. Until then each job that is
//! out counts as long as its VM's jobs usually are.
//!
//! Pure logic: no threads, no clock; time is passed in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{Priority, Time, VmId};

/// A waiting VM goes first after this long: half of what stock drivers are promised, the rest is for jobs that run.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// How long a VM's first job is taken to be.
const FIRST_GUESS: Duration = Duration::from_millis(1);

/// Virtual time per nanosecond at weight one: fine enough that no weight loses a nanosecond to rounding.
const SCALE: u128 = 1_000_000;

/// A VM's part of an engine, relative to other VMs': 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The least weight.
    pub const LEAST: Self = Self(1);
    /// The weight of a VM about which nothing is said.
    pub const USUAL: Self = Self(100);
    /// The greatest weight.
    pub const GREATEST: Self = Self(1000);

    /// `weight` if it is in range.
    #[must_use]
    pub fn new(weight: u16) -> Option<Self> {
        (Self::LEAST.0..=Self::GREATEST.0).contains(&weight).then_some(Self(weight))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::USUAL
    }
}

/// One VM's standing.
#[derive(Debug)]
struct Standing<T> {
    weight: Weight,
    /// Time used by weight, of the jobs whose fences are back.
    virtual_time: u128,
    /// How long its jobs usually are.
    usual: Duration,
    /// Jobs popped and not yet charged.
    out: u32,
    /// Jobs in order: the most urgent ones first.
    waiting: VecDeque<(Priority, T)>,
    /// Since when it has been runnable and not served.
    since: Time,
}

impl<T> Standing<T> {
    fn virtual_span(&self, time: Duration) -> u128 {
        time.as_nanos().saturating_mul(SCALE) / u128::from(self.weight.0)
    }

    /// Virtual time once all that is out is back, as far as can be guessed.
    fn expected(&self) -> u128 {
        let out = self.virtual_span(self.usual).saturating_mul(u128::from(self.out));
        self.virtual_time.saturating_add(out)
    }

    fn is_active(&self) -> bool {
        self.out > 0 || !self.waiting.is_empty()
    }
}

/// The run queue of one engine, over items `T` (jobs).
#[derive(Debug)]
pub struct FairQueue<T> {
    vms: BTreeMap<VmId, Standing<T>>,
    /// The smallest virtual time of an active VM; never falls.
    floor: u128,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FairQueue<T> {
    /// A queue that knows no VM.
    #[must_use]
    pub fn new() -> Self {
        Self { vms: BTreeMap::new(), floor: 0 }
    }

    /// Takes `vm` in, or changes its weight. Its standing, if it has one, is kept.
    pub fn admit(&mut self, vm: VmId, weight: Weight) {
        let floor = self.floor;
        self.vms.entry(vm).and_modify(|standing| standing.weight = weight).or_insert_with(|| {
            Standing {
                weight,
                virtual_time: floor,
                usual: FIRST_GUESS,
                out: 0,
                waiting: VecDeque::new(),
                since: Time::default(),
            }
        });
    }

    /// Takes `vm` out and returns what was waiting.
    pub(crate) fn remove(&mut self, vm: VmId) -> Vec<T> {
        self.vms.remove(&vm).map(|standing| items(standing.waiting)).unwrap_or_default()
    }

    /// Returns what was waiting of `vm`, which stays: what it used is not forgotten.
    pub(crate) fn clear(&mut self, vm: VmId) -> Vec<T> {
        let waiting = |standing: &mut Standing<T>| items(std::mem::take(&mut standing.waiting));
        self.vms.get_mut(&vm).map(waiting).unwrap_or_default()
    }

    /// How many VMs are known, busy or idle.
    pub(crate) fn members(&self) -> usize {
        self.vms.len()
    }

    /// Whether any VM but `vm` has a job waiting.
    pub(crate) fn others_wait(&self, vm: VmId) -> bool {
        self.vms.iter().any(|(&other, standing)| other != vm && !standing.waiting.is_empty())
    }

    /// The weight of `vm` as a part of the weights of all active VMs, `vm` included: 0 to 1.
    pub(crate) fn part(&self, vm: VmId) -> f64 {
        let Some(own) = self.vms.get(&vm) else { return 0.0 };
        let total: u32 = self
            .vms
            .iter()
            .filter(|&(&other, standing)| other == vm || standing.is_active())
            .map(|(_, standing)| u32::from(standing.weight.0))
            .sum();
        f64::from(own.weight.0) / f64::from(total)
    }

    /// Queues `item` behind the others of `vm`.
    ///
    /// # Errors
    /// Gives the item back if the VM is not admitted.
    pub fn push(&mut self, vm: VmId, item: T, now: Time) -> Result<(), T> {
        self.push_ranked(vm, item, Priority::default(), now)
    }

    /// Queues `item` behind those of `vm` that are as urgent.
    ///
    /// # Errors
    /// Gives the item back if the VM is not admitted.
    pub fn push_ranked(
        &mut self,
        vm: VmId,
        item: T,
        priority: Priority,
        now: Time,
    ) -> Result<(), T> {
        let Some(standing) = self.wake(vm, now) else { return Err(item) };
        let place = standing.waiting.partition_point(|(other, _)| *other >= priority);
        standing.waiting.insert(place, (priority, item));
        Ok(())
    }

    /// Puts a job that was popped, and charged for what it used, back before those of `vm` that are as urgent.
    pub(crate) fn push_front(
        &mut self,
        vm: VmId,
        item: T,
        priority: Priority,
        now: Time,
    ) -> Result<(), T> {
        let Some(standing) = self.wake(vm, now) else { return Err(item) };
        let place = standing.waiting.partition_point(|(other, _)| *other > priority);
        standing.waiting.insert(place, (priority, item));
        standing.since = now;
        Ok(())
    }

    /// The standing of `vm`, brought up to the others if it was idle.
    fn wake(&mut self, vm: VmId, now: Time) -> Option<&mut Standing<T>> {
        let floor = self.floor;
        let standing = self.vms.get_mut(&vm)?;
        if !standing.is_active() {
            standing.virtual_time = standing.virtual_time.max(floor);
        }
        if standing.waiting.is_empty() {
            standing.since = now;
        }
        Some(standing)
    }

    /// The VM whose turn it is.
    pub(crate) fn upcoming(&self, now: Time) -> Option<VmId> {
        let runnable = || self.vms.iter().filter(|(_, standing)| !standing.waiting.is_empty());
        let overdue = runnable()
            .filter(|(_, standing)| now.since(standing.since) >= PATIENCE)
            .min_by_key(|(_, standing)| standing.since);
        let fair = || runnable().min_by_key(|(_, standing)| (standing.expected(), standing.since));
        overdue.or_else(fair).map(|(&vm, _)| vm)
    }

    /// Takes the next job of the VM whose turn it is.
    pub fn pop(&mut self, now: Time) -> Option<(VmId, T)> {
        let vm = self.upcoming(now)?;
        let standing = self.vms.get_mut(&vm)?;
        let (_, item) = standing.waiting.pop_front()?;
        standing.out = standing.out.saturating_add(1);
        standing.since = now;
        self.raise_floor();
        Some((vm, item))
    }

    /// A popped job of `vm` is back from the engine, which it had for `used`.
    pub fn charge(&mut self, vm: VmId, used: Duration) {
        let Some(standing) = self.vms.get_mut(&vm) else { return };
        standing.out = standing.out.saturating_sub(1);
        let span = standing.virtual_span(used);
        standing.virtual_time = standing.virtual_time.saturating_add(span);
        standing.usual = (standing.usual.saturating_mul(3) / 4).saturating_add(used / 4);
        let after = standing.virtual_time;
        self.raise_floor();
        // The last one to use the engine sets where the next one to come starts.
        if !self.vms.values().any(Standing::is_active) {
            self.floor = self.floor.max(after);
        }
    }

    fn raise_floor(&mut self) {
        let least = self.vms.values().filter(|s| s.is_active()).map(|s| s.virtual_time).min();
        self.floor = self.floor.max(least.unwrap_or(0));
    }

    /// Takes out the first waiting job of `vm` that `is_it`.
    pub(crate) fn take(&mut self, vm: VmId, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let waiting = &mut self.vms.get_mut(&vm)?.waiting;
        let index = waiting.iter().position(|(_, item)| is_it(item))?;
        waiting.remove(index).map(|(_, item)| item)
    }
}

fn items<T>(waiting: VecDeque<(Priority, T)>) -> Vec<T> {
    waiting.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn weight(weight: u16) -> Weight {
        Weight::new(weight).unwrap()
    }

    /// An engine that runs one job after the other; VMs of `weights` always have jobs of `lengths`.
    struct Engine {
        queue: FairQueue<Duration>,
        lengths: Vec<Duration>,
        used: Vec<Duration>,
        last_served: Vec<Time>,
        longest_wait: Duration,
        now: Time,
    }

    impl Engine {
        fn new(vms: &[(u16, Duration)]) -> Self {
            let mut queue = FairQueue::new();
            for (vm, &(w, length)) in vms.iter().enumerate() {
                queue.admit(VmId(vm as u32), weight(w));
                for _ in 0..3 {
                    queue.push(VmId(vm as u32), length, Time(0)).unwrap();
                }
            }
            Self {
                queue,
                lengths: vms.iter().map(|&(_, length)| length).collect(),
                used: vec![Duration::ZERO; vms.len()],
                last_served: vec![Time(0); vms.len()],
                longest_wait: Duration::ZERO,
                now: Time(0),
            }
        }

        /// Runs for `time` with two jobs out at a time.
        fn run(&mut self, time: Duration) {
            let end = self.now + time;
            let mut out = VecDeque::new();
            while self.now < end {
                while out.len() < 2 {
                    let (vm, length) = self.queue.pop(self.now).expect("backlogged");
                    let index = vm.0 as usize;
                    let wait = self.now.since(self.last_served[index]);
                    self.longest_wait = self.longest_wait.max(wait);
                    self.last_served[index] = self.now;
                    self.queue.push(vm, self.lengths[index], self.now).unwrap();
                    out.push_back((vm, length));
                }
                let (vm, length) = out.pop_front().unwrap();
                self.now = self.now + length;
                self.used[vm.0 as usize] += length;
                self.queue.charge(vm, length);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn backlogged_vms_get_time_by_weight(
            vms in prop::collection::vec((1_u16..=1000, 50_u64..2000), 2..6),
        ) {
            // The least weight is at most 1:40 of the greatest, so that no VM's turn is later than `PATIENCE`.
            let greatest = vms.iter().map(|vm| vm.0).max().unwrap();
            let vms: Vec<_> = vms
                .iter()
                .map(|&(w, us)| (w.max(greatest / 40).max(1), Duration::from_micros(us)))
                .collect();
            let mut engine = Engine::new(&vms);
            engine.run(Duration::from_secs(20));
            let weights: f64 = vms.iter().map(|vm| f64::from(vm.0)).sum();
            let total: f64 = engine.used.iter().map(Duration::as_secs_f64).sum();
            for (vm, used) in vms.iter().zip(&engine.used) {
                let due = f64::from(vm.0) / weights;
                let got = used.as_secs_f64() / total;
                prop_assert!((got / due - 1.0).abs() < 0.05, "due {due}, got {got}");
            }
        }

        #[test]
        fn nobody_starves(
            vms in prop::collection::vec((1_u16..=1000, 100_u64..10_000), 2..40),
        ) {
            let vms: Vec<_> = vms.iter().map(|&(w, us)| (w, Duration::from_micros(us))).collect();
            let mut engine = Engine::new(&vms);
            engine.run(Duration::from_secs(5));
            prop_assert!(engine.longest_wait <= Duration::from_secs(1), "{:?}", engine.longest_wait);
        }

        #[test]
        fn jobs_of_a_vm_keep_their_order(
            steps in prop::collection::vec((0_u32..4, any::<bool>(), 0_u64..5000), 1..300),
        ) {
            let mut queue = FairQueue::new();
            let mut pushed = [0_u32; 4];
            let mut popped = [0_u32; 4];
            for vm in 0..4 {
                queue.admit(VmId(vm), weight(1 + vm as u16 * 300));
            }
            let mut now = Time(0);
            for (vm, push, us) in steps {
                now = now + Duration::from_micros(us);
                if push {
                    queue.push(VmId(vm), pushed[vm as usize], now).unwrap();
                    pushed[vm as usize] += 1;
                } else if let Some((vm, item)) = queue.pop(now) {
                    prop_assert_eq!(item, popped[vm.0 as usize]);
                    popped[vm.0 as usize] += 1;
                    queue.charge(vm, Duration::from_micros(us));
                }
            }
        }
    }

    #[test]
    fn a_late_comer_gets_its_part_and_no_more() {
        let mut engine = Engine::new(&[(100, MS), (100, MS)]);
        let second = engine.queue.remove(VmId(1));
        engine.run(Duration::from_secs(10));
        assert_eq!(engine.used[1], Duration::ZERO);
        engine.queue.admit(VmId(1), weight(100));
        engine.last_served[1] = engine.now;
        for job in second {
            engine.queue.push(VmId(1), job, engine.now).unwrap();
        }
        let before = engine.used[0];
        engine.run(Duration::from_secs(1));
        let first = (engine.used[0] - before).as_secs_f64();
        assert!((first - 0.5).abs() < 0.025, "{first} s of the shared second");
    }

    #[test]
    fn an_idle_vm_banks_no_credit() {
        let mut queue = FairQueue::new();
        queue.admit(VmId(0), weight(100));
        queue.admit(VmId(1), weight(100));
        let mut now = Time(0);
        queue.push(VmId(0), (), now).unwrap();
        for _ in 0..1000 {
            queue.push(VmId(0), (), now).unwrap();
            assert_eq!(queue.pop(now), Some((VmId(0), ())));
            now = now + MS;
            queue.charge(VmId(0), MS);
        }
        // Idle for a second, VM 1 now has as much to do as VM 0: they alternate.
        let mut turns = [0; 2];
        for _ in 0..100 {
            for vm in 0..2 {
                queue.push(VmId(vm), (), now).unwrap();
            }
        }
        for _ in 0..100 {
            let (vm, ()) = queue.pop(now).unwrap();
            turns[vm.0 as usize] += 1;
            now = now + MS;
            queue.charge(vm, MS);
        }
        assert!((49..=51).contains(&turns[0]), "{turns:?}");
    }

    #[test]
    fn the_second_job_out_is_of_the_next_in_turn() {
        let mut queue = FairQueue::new();
        for vm in 0..2 {
            queue.admit(VmId(vm), weight(100));
            queue.push(VmId(vm), 0, Time(0)).unwrap();
            queue.push(VmId(vm), 1, Time(0)).unwrap();
        }
        let first = queue.pop(Time(0)).unwrap().0;
        let second = queue.pop(Time(0)).unwrap().0;
        assert_ne!(first, second);
    }

    #[test]
    fn a_preempted_job_goes_before_its_successors() {
        let mut queue = FairQueue::new();
        queue.admit(VmId(0), weight(1));
        queue.push(VmId(0), 'a', Time(0)).unwrap();
        queue.push(VmId(0), 'b', Time(0)).unwrap();
        let (vm, job) = queue.pop(Time(0)).unwrap();
        queue.charge(vm, MS);
        queue.push_front(vm, job, Priority::default(), Time(0)).unwrap();
        assert_eq!(queue.pop(Time(0)), Some((VmId(0), 'a')));
        assert_eq!(queue.take(VmId(0), |&job| job == 'b'), Some('b'));
        assert_eq!(queue.pop(Time(0)), None);
    }

    #[test]
    fn weights_stay_in_range() {
        assert_eq!(Weight::new(0), None);
        assert_eq!(Weight::new(1001), None);
        assert_eq!(Weight::new(1000), Some(Weight::GREATEST));
    }

    #[test]
    fn urgent_jobs_of_a_vm_go_first_and_take_nothing_from_others() {
        let mut queue = FairQueue::new();
        for vm in 0..2 {
            queue.admit(VmId(vm), weight(100));
        }
        for (item, priority) in [('a', 0), ('b', -5), ('c', 7), ('d', 0), ('e', 7)] {
            queue.push_ranked(VmId(0), item, Priority(priority), Time(0)).unwrap();
        }
        for item in ['x', 'y'] {
            queue.push(VmId(1), item, Time(0)).unwrap();
        }
        let mut order = String::new();
        while let Some((vm, item)) = queue.pop(Time(0)) {
            order.push(item);
            queue.charge(vm, MS);
            if order == "cx" {
                // It was preempted: before its equals, behind none but the more urgent.
                queue.push_front(VmId(0), 'C', Priority(7), Time(0)).unwrap();
            }
        }
        assert_eq!(order.replace(['x', 'y'], ""), "cCeadb");
        assert_eq!(order.find('y'), Some(3), "{order}: turns are by time, not by priority");
    }
}
