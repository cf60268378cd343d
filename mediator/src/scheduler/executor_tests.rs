//! The executor on virtual time: no threads, no sleep.

use crossbeam_channel::Receiver;
use proptest::prelude::*;

use super::*;
use crate::vm::{Mail, Mailbox};
use crate::{ContextKey, GuestRam, NullSilicon, Priority, SpaceRoot};

const ENGINE: EngineId = EngineId(0);
const MS: Duration = Duration::from_millis(1);

/// An executor over stepped silicon. A job's work is how long it takes.
struct Rig {
    now: Time,
    executor: Executor<Duration>,
    orders: Receiver<Order<Duration>>,
    silicon: Arc<NullSilicon<Duration>>,
    vms: Vec<(Mailbox, MailboxSender, Arc<[EngineCounters]>)>,
    next_job: u64,
}

impl Rig {
    fn new(weights: &[u16]) -> Self {
        Self::on(NullSilicon::stepped(|length| *length), weights)
    }

    fn on(silicon: NullSilicon<Duration>, weights: &[u16]) -> Self {
        let silicon = Arc::new(silicon);
        let (sender, orders) = crossbeam_channel::unbounded();
        // A rig that is gone takes no more fences.
        let fences = Arc::new(move |fence| drop(sender.send(fence)));
        let executor = Executor::new(ENGINE, Arc::clone(&silicon) as _, fences);
        let vms = weights.iter().map(|_| {
            let (mailbox, sender) = Mailbox::new().unwrap();
            (mailbox, sender, Arc::from(vec![EngineCounters::default()]))
        });
        let vms = vms.collect();
        let mut rig = Self { now: Time(0), executor, orders, silicon, vms, next_job: 0 };
        for (vm, &weight) in weights.iter().enumerate() {
            rig.admit(vm, weight, 0);
        }
        rig
    }

    fn admit(&mut self, vm: usize, weight: u16, generation: u64) {
        let (_, mailbox, counters) = &self.vms[vm];
        let id = VmId(vm as u32);
        let ram = GuestRam::anonymous(4096).unwrap();
        let member = Member {
            vm: id,
            generation,
            weight: Weight::new(weight).unwrap(),
            budget: Duration::from_secs(10),
            residency: Arc::new(Residency::new(id, ram, Arc::clone(&self.silicon) as _)),
            counters: Arc::clone(counters),
            mailbox: mailbox.clone(),
        };
        self.executor.handle(Order::Admit(Arc::new(member)), self.now);
    }

    fn submit_in(&mut self, vm: usize, length: Duration, space: u64) -> JobId {
        self.next_job += 1;
        let id = JobId(self.next_job);
        let job = Job {
            priority: Priority::default(),
            id,
            engine: ENGINE,
            space: SpaceRoot { levels: 4, entries: [space, 0, 0, 0] },
            context: ContextKey(space),
            work: length,
        };
        self.executor.handle(Order::Submit { vm: VmId(vm as u32), job }, self.now);
        self.executor.pump(self.now);
        id
    }

    fn submit(&mut self, vm: usize, length: Duration) -> JobId {
        self.submit_in(vm, length, 0x1000)
    }

    fn settle(&mut self) {
        loop {
            let orders: Vec<_> = self.orders.try_iter().collect();
            orders.into_iter().for_each(|order| self.executor.handle(order, self.now));
            self.executor.pump(self.now);
            if self.orders.is_empty() {
                return;
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let next = self.executor.deadline().into_iter().chain(self.silicon.next_end()).min();
            let Some(next) = next.filter(|&next| next <= end) else { break };
            self.now = self.now.max(next);
            self.silicon.advance(self.now);
        }
        self.now = end;
        self.silicon.advance(end);
        self.settle();
    }

    fn ends(&self, vm: usize) -> Vec<(JobId, JobEnd)> {
        let mailbox = &self.vms[vm].0;
        std::iter::from_fn(|| mailbox.take())
            .filter_map(|mail| match mail {
                Mail::Ended { job, end, .. } => Some((job, end)),
                Mail::Recalled => None,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn usage(&self, vm: usize) -> crate::EngineUsage {
        self.vms[vm].2[0].read()
    }

    fn gpu_time(&self, vm: usize) -> Duration {
        Duration::from_nanos(self.usage(vm).gpu_ns)
    }
}

#[test]
fn jobs_of_a_vm_end_in_their_order() {
    let mut rig = Rig::new(&[100]);
    let jobs: Vec<_> = (0..10).map(|_| rig.submit(0, MS)).collect();
    rig.run(20 * MS);
    let ends: Vec<_> = rig.ends(0);
    assert_eq!(ends, jobs.iter().map(|&job| (job, JobEnd::Done)).collect::<Vec<_>>());
    assert_eq!(rig.gpu_time(0), 10 * MS);
    // The n-th waits for n - 1 others.
    assert_eq!(Duration::from_nanos(rig.usage(0).wait_ns), 45 * MS);
}

#[test]
fn endless_jobs_share_the_engine_by_weight() {
    let mut rig = Rig::new(&[300, 100]);
    for vm in 0..2 {
        rig.submit(vm, Duration::from_secs(8));
    }
    rig.run(Duration::from_secs(4));
    let part = rig.gpu_time(0).as_secs_f64() / 4.0;
    assert!((part / 0.75 - 1.0).abs() < 0.05, "{part} of the engine");
    assert!(rig.usage(1).preemptions > 100);
    assert!(rig.ends(0).is_empty());
}

#[test]
fn a_short_job_waits_a_slice_and_not_for_an_endless_one() {
    let mut rig = Rig::new(&[100, 100]);
    rig.submit(0, Duration::from_secs(9));
    rig.run(100 * MS);
    let short = rig.submit(1, MS);
    rig.run(2 * MS);
    assert_eq!(rig.ends(1), vec![(short, JobEnd::Done)]);
}

#[test]
fn a_preempted_job_keeps_its_place_before_its_successors() {
    let mut rig = Rig::new(&[100, 100]);
    let long = rig.submit(0, 50 * MS);
    let after = rig.submit(0, MS);
    for _ in 0..20 {
        rig.submit(1, 5 * MS);
    }
    rig.run(Duration::from_secs(1));
    assert_eq!(rig.ends(0), vec![(long, JobEnd::Done), (after, JobEnd::Done)]);
    assert!(rig.usage(0).preemptions > 0);
    assert_eq!(rig.gpu_time(0), 51 * MS);
}

#[test]
fn a_job_over_its_budget_is_killed_with_a_reason() {
    let mut rig = Rig::new(&[100, 100]);
    let endless = rig.submit(0, Duration::from_secs(1000));
    let next = rig.submit(0, MS);
    let others: Vec<_> = (0..500).map(|_| rig.submit(1, 4 * MS)).collect();
    rig.run(Duration::from_secs(13));
    let ends = rig.ends(0);
    let (job, JobEnd::Killed(why)) = &ends[0] else { panic!("{ends:?}") };
    assert_eq!((*job, why.rule), (endless, "budget/time"));
    assert_eq!(ends[1], (next, JobEnd::Done));
    assert_eq!(rig.ends(1).len(), others.len());
    let used = rig.gpu_time(0).as_secs_f64();
    assert!((9.99..10.1).contains(&used), "{used} s");
}

#[test]
fn a_cancelled_job_reports_nothing_wherever_it_is() {
    let mut rig = Rig::new(&[100, 100]);
    let running = rig.submit(0, 50 * MS);
    let waiting = rig.submit(0, 50 * MS);
    rig.submit(1, 50 * MS);
    let preempted_later = rig.submit(1, 50 * MS);
    rig.run(MS);
    for job in [waiting, running] {
        rig.executor.handle(Order::Cancel { vm: VmId(0), job }, rig.now);
    }
    rig.run(20 * MS);
    rig.executor.handle(Order::Cancel { vm: VmId(1), job: preempted_later }, rig.now);
    rig.run(Duration::from_secs(1));
    assert!(rig.ends(0).is_empty());
    assert_eq!(rig.ends(1).len(), 1);
    assert_eq!(rig.usage(0).killed, 2);
    assert!(rig.executor.slots.is_empty());
}

#[test]
fn a_killed_job_reports_it_wherever_it_is() {
    let mut rig = Rig::new(&[100, 100]);
    let running = rig.submit(0, 50 * MS);
    let waiting = rig.submit(0, 50 * MS);
    let other = rig.submit(1, 50 * MS);
    rig.run(MS);
    for job in [waiting, running, running] {
        rig.executor.handle(Order::Kill { vm: VmId(0), job }, rig.now);
    }
    rig.run(Duration::from_secs(1));
    let ends = rig.ends(0);
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends.iter().all(|(_, end)| matches!(end, JobEnd::Killed(_))), "{ends:?}");
    assert_eq!(rig.ends(1), [(other, JobEnd::Done)]);
    assert!(rig.executor.slots.is_empty());
}

#[test]
fn a_dismissed_vm_leaves_nothing_open() {
    let mut rig = Rig::new(&[100, 100]);
    for _ in 0..5 {
        rig.submit(0, 50 * MS);
        rig.submit(1, 50 * MS);
    }
    rig.run(30 * MS);
    assert_eq!(rig.silicon.open(), (2, 2));
    rig.executor.handle(Order::Dismiss(VmId(0)), rig.now);
    rig.settle();
    assert_eq!(rig.silicon.open(), (1, 1));
    assert!(rig.ends(0).is_empty());
    rig.run(Duration::from_secs(1));
    assert_eq!(rig.ends(1).len(), 5);
}

#[test]
fn a_readmitted_vm_hears_nothing_of_its_earlier_jobs() {
    let mut rig = Rig::new(&[100]);
    rig.submit(0, 50 * MS);
    rig.submit(0, 50 * MS);
    rig.admit(0, 100, 1);
    let job = rig.submit(0, MS);
    rig.run(200 * MS);
    assert_eq!(rig.ends(0), vec![(job, JobEnd::Done)]);
    assert_eq!(rig.silicon.open(), (1, 1));
}

#[test]
fn spaces_and_contexts_are_bounded_by_evicting_idle_ones() {
    let silicon = NullSilicon::stepped(|length: &Duration| *length).with_limits(|limits| {
        limits.spaces_per_vm = 3;
        limits.contexts_per_vm = 4;
    });
    let mut rig = Rig::on(silicon, &[100]);
    for space in 0..50 {
        rig.submit_in(0, MS, space);
    }
    rig.run(100 * MS);
    assert!(rig.ends(0).iter().all(|(_, end)| *end == JobEnd::Done));
    assert_eq!(rig.silicon.open(), (3, 3));
}

#[test]
fn what_silicon_refuses_is_a_fault_in_order() {
    let silicon =
        NullSilicon::stepped(|length: &Duration| *length).with_limits(|l| l.spaces_per_vm = 1);
    let mut rig = Rig::on(silicon, &[100]);
    let first = rig.submit_in(0, MS, 1);
    let second = rig.submit_in(0, MS, 2);
    rig.run(10 * MS);
    let ends = rig.ends(0);
    assert_eq!(ends[0], (first, JobEnd::Done));
    let (job, JobEnd::Fault(why)) = &ends[1] else { panic!("{ends:?}") };
    assert_eq!((*job, why.rule), (second, "silicon/submit"));
}

#[test]
fn a_panic_in_silicon_is_a_fault_of_its_job() {
    let silicon = NullSilicon::stepped(|length: &Duration| {
        assert!(*length < Duration::from_secs(1), "as the test wants it");
        *length
    });
    let mut rig = Rig::on(silicon, &[100]);
    let bad = rig.submit(0, Duration::from_secs(2));
    let good = rig.submit(0, MS);
    rig.run(10 * MS);
    let ends = rig.ends(0);
    assert!(
        matches!(&ends[0], (job, JobEnd::Fault(why)) if *job == bad && why.rule == "silicon/submit")
    );
    assert_eq!(ends[1..], [(good, JobEnd::Done)]);
}

#[test]
fn a_recalled_job_comes_back_from_wherever_it_is() {
    let mut rig = Rig::new(&[100]);
    let [running, queued, waiting] = [(); 3].map(|()| rig.submit(0, MS));
    for job in [waiting, queued, running] {
        rig.executor.handle(Order::Recall { vm: VmId(0), job }, rig.now);
    }
    rig.run(5 * MS);
    let ends = rig.ends(0);
    // Silicon of this kind can't interrupt what runs.
    let expected =
        [(waiting, JobEnd::Withdrawn), (running, JobEnd::Done), (queued, JobEnd::Withdrawn)];
    assert_eq!(ends, expected);
    assert_eq!((rig.usage(0).recalled, rig.usage(0).finished), (2, 1));
}

#[test]
fn a_recalled_job_that_was_preempted_comes_back_at_once() {
    // With two VMs it is on silicon again, behind the other one's; with four it waits here.
    for vms in [2, 4] {
        let mut rig = Rig::new(&[100, 100, 100, 100][..vms]);
        let jobs: Vec<_> = (0..vms).map(|vm| rig.submit(vm, 1000 * MS)).collect();
        rig.run(6 * MS);
        assert_eq!(rig.usage(0).preemptions, 1);
        rig.executor.handle(Order::Recall { vm: VmId(0), job: jobs[0] }, rig.now);
        rig.settle();
        assert_eq!(rig.ends(0), [(jobs[0], JobEnd::Suspended)]);
        rig.run(5000 * MS);
        assert_eq!((rig.ends(0), rig.usage(1).finished), (vec![], 1));
    }
}

#[test]
fn silicon_that_does_not_let_go_costs_its_job_only() {
    // Virtual time stands still for this silicon, and kills are not answered: its jobs are taken by a ticket that
    // nobody answers.
    struct Deaf(NullSilicon<Duration>, std::sync::Mutex<Vec<Ticket>>);
    impl Silicon for Deaf {
        type Work = Duration;
        fn limits(&self) -> &crate::Limits {
            self.0.limits()
        }
        fn open_space(
            &self,
            vm: VmId,
            ram: &GuestRam,
            root: SpaceRoot,
        ) -> Result<crate::SpaceId, crate::SiliconError> {
            self.0.open_space(vm, ram, root)
        }
        fn close_space(&self, space: crate::SpaceId) {
            self.0.close_space(space);
        }
        fn open_context(
            &self,
            space: crate::SpaceId,
            engine: EngineId,
        ) -> Result<crate::ContextId, crate::SiliconError> {
            self.0.open_context(space, engine)
        }
        fn close_context(&self, context: crate::ContextId) {
            self.0.close_context(context);
        }
        fn submit(
            &self,
            _: EngineId,
            _: crate::ContextId,
            _: Duration,
            ticket: Ticket,
        ) -> Result<(), crate::SiliconError> {
            self.1.lock().unwrap().push(ticket);
            Ok(())
        }
        fn resume(&self, _: EngineId, ticket: Ticket) -> Result<(), crate::SiliconError> {
            ticket.spend();
            Err(crate::SiliconError::Unknown("job"))
        }
        fn recall(&self, _: EngineId, _: VmId, _: JobId) -> Option<JobEnd> {
            None
        }
        fn preempt(&self, _: EngineId, _: VmId, _: JobId) {}
        fn take_back(
            &self,
            _: EngineId,
            _: VmId,
            _: JobId,
        ) -> Result<Duration, crate::SiliconError> {
            Err(crate::SiliconError::Unknown("job"))
        }
        fn kill(&self, _: EngineId, _: VmId, _: JobId, _: Reason) {}
    }

    let mut rig = Rig::new(&[100]);
    let deaf = Arc::new(Deaf(NullSilicon::at_once(), std::sync::Mutex::default()));
    rig.executor.silicon = Arc::clone(&deaf) as _;
    let job = rig.submit(0, MS);
    rig.run(Duration::from_secs(13));
    let ends = rig.ends(0);
    let (ended, JobEnd::Killed(why)) = &ends[0] else { panic!("{ends:?}") };
    assert_eq!((*ended, why.rule), (job, "silicon/unresponsive"));
    assert_eq!(rig.executor.abandoned.len(), 1, "what the job uses stays open");
    deaf.1.lock().unwrap().clear();
    rig.settle();
    assert!(rig.executor.abandoned.is_empty());
    assert!(rig.ends(0).is_empty(), "a late fence is not delivered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_job_ends_once_and_in_order_whatever_happens(
        steps in prop::collection::vec((0_usize..3, 0_u8..10, 1_u64..40), 1..80),
    ) {
        let mut rig = Rig::new(&[10, 100, 1000]);
        let mut wanted: Vec<Vec<JobId>> = vec![Vec::new(); 3];
        for (vm, what, ms) in steps {
            match what {
                0..=6 => {
                    let job = rig.submit(vm, Duration::from_millis(ms));
                    wanted[vm].push(job);
                }
                7 => rig.run(Duration::from_millis(ms)),
                8 => {
                    // Only a job that has not ended can be cancelled.
                    rig.settle();
                    let ended: Vec<_> = rig.ends(vm).into_iter().map(|(job, _)| job).collect();
                    prop_assert_eq!(&wanted[vm][..ended.len()], &ended[..]);
                    wanted[vm].drain(..ended.len());
                    if !wanted[vm].is_empty() {
                        let index = ms as usize % wanted[vm].len();
                        let job = wanted[vm].remove(index);
                        rig.executor.handle(Order::Cancel { vm: VmId(vm as u32), job }, rig.now);
                    }
                }
                _ => {
                    if let Some(slot) = rig.executor.slots.front() {
                        rig.silicon.preempt(ENGINE, slot.member.vm, slot.job);
                    }
                }
            }
        }
        rig.run(Duration::from_secs(10));
        for (vm, wanted) in wanted.iter().enumerate() {
            let ended: Vec<_> = rig.ends(vm).into_iter().map(|(job, _)| job).collect();
            prop_assert_eq!(&ended, wanted);
        }
        prop_assert!(rig.executor.slots.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_hostile_mix_starves_nobody(
        hostile in prop::collection::vec((1_u16..=1000, 1_u64..3000), 1..8),
        weight in 1_u16..=1000,
    ) {
        // The hostile VMs always have jobs of up to 3 s; the victim asks for 1 ms now and then.
        let mut weights: Vec<_> = hostile.iter().map(|vm| vm.0).collect();
        weights.push(weight);
        let victim = hostile.len();
        let mut rig = Rig::new(&weights);
        for _ in 0..6 {
            for (vm, &(_, ms)) in hostile.iter().enumerate() {
                for _ in 0..(400 / ms).max(2) {
                    rig.submit(vm, Duration::from_millis(ms));
                }
            }
            rig.run(Duration::from_millis(137));
            let job = rig.submit(victim, MS);
            rig.run(Duration::from_secs(1));
            prop_assert_eq!(rig.ends(victim), vec![(job, JobEnd::Done)]);
        }
    }
}

fn recall_all(rig: &mut Rig, vm: usize) -> Receiver<Recalled<Duration>> {
    let (reply, answer) = crossbeam_channel::bounded(1);
    rig.executor.handle(Order::RecallAll { vm: VmId(vm as u32), reply }, rig.now);
    rig.settle();
    answer
}

#[test]
fn recalled_jobs_come_back_in_order_and_can_be_submitted_again() {
    let mut rig = Rig::new(&[100, 100]);
    let jobs: Vec<_> = (0..4).map(|_| rig.submit(0, 100 * MS)).collect();
    let other = rig.submit(1, 5 * MS);
    rig.run(MS);
    let back = recall_all(&mut rig, 0).try_recv().unwrap().jobs.unwrap();
    assert_eq!(back.iter().map(|job| job.id).collect::<Vec<_>>(), jobs);
    assert!(rig.executor.slots.iter().all(|slot| slot.member.vm != VmId(0)));
    rig.run(50 * MS);
    assert_eq!((rig.ends(0), rig.ends(1)), (vec![], vec![(other, JobEnd::Done)]));
    for job in back {
        rig.executor.handle(Order::Submit { vm: VmId(0), job }, rig.now);
    }
    rig.run(Duration::from_secs(1));
    let ended: Vec<_> = rig.ends(0).into_iter().map(|(job, _)| job).collect();
    assert_eq!(ended, jobs);
}

#[test]
fn a_recall_waits_for_killed_jobs_and_a_reset_ends_it() {
    let mut rig = Rig::new(&[100]);
    rig.submit(0, 100 * MS);
    rig.run(MS);
    let answer = recall_all(&mut rig, 0);
    assert_eq!(answer.try_recv().unwrap().jobs.unwrap().len(), 1);
    // Nothing is left: the answer comes at once.
    assert!(recall_all(&mut rig, 0).try_recv().unwrap().jobs.unwrap().is_empty());
    rig.admit(0, 100, 1);
    assert!(rig.executor.recalls.is_empty());
}
