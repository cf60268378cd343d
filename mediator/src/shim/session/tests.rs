use guest_shim::wire::Device;
use proptest::prelude::*;

use super::*;
use crate::GuestAddress;

/// Tables and contexts of a client, only counted. A batch at an odd page is refused.
#[derive(Debug, Default)]
struct Counted {
    spaces: u64,
    next: u64,
    open: std::collections::HashSet<u64>,
}

impl ClientGpu<GpuAddress> for Counted {
    fn device(&self) -> Device {
        Device::new((0, 0, 0), 48, 1, [])
    }

    fn open_space(&mut self) -> Result<SpaceRoot, Fault> {
        self.next += 1;
        self.spaces += 1;
        Ok(SpaceRoot { levels: 4, entries: [self.next, 0, 0, 0] })
    }

    fn close_space(&mut self, _: SpaceRoot) {
        self.spaces -= 1;
    }

    fn bind(
        &mut self,
        _: SpaceRoot,
        at: GpuAddress,
        _: GuestAddress,
        bytes: u64,
        _: bool,
    ) -> Result<(), Fault> {
        at.0.checked_add(bytes).map(|_| ()).ok_or(Fault::Range)
    }

    fn unbind(&mut self, _: SpaceRoot, _: GpuAddress, _: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn open_context(&mut self, _: SpaceRoot, _: EngineId) -> Result<ContextKey, Fault> {
        self.next += 1;
        self.open.insert(self.next);
        Ok(ContextKey(self.next))
    }

    fn close_context(&mut self, context: ContextKey) {
        assert!(self.open.remove(&context.0), "closed once");
    }

    fn work(&mut self, context: ContextKey, start: GpuAddress) -> Result<GpuAddress, Reason> {
        assert!(self.open.contains(&context.0), "open");
        if start.0 & 0x1000 == 0 { Ok(start) } else { Err(Reason::new("test/odd", "an odd page")) }
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("spaces", self.spaces), ("contexts", self.open.len() as u64)]
    }
}

const FENCES: usize = 8;
const GOOD: GpuAddress = GpuAddress(0x2000);
const ODD: GpuAddress = GpuAddress(0x1000);

struct World {
    session: Session<GpuAddress>,
    fx: Effects<GpuAddress>,
}

impl World {
    fn new() -> Self {
        let bounds = Bounds { spaces: 3, contexts: 4, queued: 50, notices: 5, awaited: 3 };
        let layout = Layout::new(0x10_0000);
        let session = Session::new(Box::<Counted>::default(), layout, bounds, 2, FENCES);
        Self { session, fx: Effects::new() }
    }

    /// With a space and two contexts.
    fn started() -> Self {
        let mut world = Self::new();
        let space = SpaceName(1);
        world.ask(Request::OpenSpace { space });
        for (context, engine) in [(1, 0), (2, 1)] {
            let context = ContextName(context);
            world.ask(Request::OpenContext { context, space, engine, priority: 0 });
        }
        world
    }

    fn ask(&mut self, request: Request) {
        self.session.handle(Submission { token: Token(9), request }, &mut self.fx);
    }

    fn submit(&mut self, context: u32, start: GpuAddress, fence: u32, value: u64) {
        let (context, fence) = (ContextName(context), FenceName(fence));
        self.ask(Request::Submit { context, start, fence, value });
    }

    fn hold(&mut self, context: u32, fence: u32, value: u64) {
        let (context, fence) = (ContextName(context), FenceName(fence));
        self.ask(Request::Await { context, fence, value });
    }

    /// Ends a job that was handed out.
    fn end(&mut self, job: JobId, end: JobEnd) {
        self.session.ended(job, end, &mut self.fx);
    }

    fn jobs(&mut self) -> Vec<JobId> {
        self.fx.jobs.drain(..).map(|job| job.id).collect()
    }

    fn fences(&mut self) -> Vec<(u32, u64)> {
        self.fx.fences.drain(..).map(|(fence, value)| (fence.0, value)).collect()
    }

    fn answers(&mut self) -> Vec<Answer> {
        self.fx.answers.drain(..).map(|completion| completion.answer).collect()
    }

    fn counters(&self) -> Vec<u64> {
        self.session.gpu().counters().into_iter().map(|(_, count)| count).collect()
    }
}

#[test]
fn a_batch_becomes_a_job_and_its_end_raises_the_fence() {
    let mut world = World::started();
    world.submit(1, GOOD, 3, 7);
    let jobs = world.jobs();
    assert_eq!((jobs.len(), world.fences()), (1, vec![]));
    world.end(jobs[0], JobEnd::Done);
    assert_eq!((world.fences(), world.answers()), (vec![(3, 7)], vec![]));
    world.end(jobs[0], JobEnd::Done);
    assert_eq!(world.fences(), [], "only once");
}

#[test]
fn one_context_waits_for_another() {
    let mut world = World::started();
    world.hold(2, 3, 1);
    world.submit(2, GOOD, 4, 1);
    world.submit(2, GOOD, 4, 2);
    assert_eq!(world.jobs(), []);
    world.submit(1, GOOD, 3, 1);
    let first = world.jobs();
    world.end(first[0], JobEnd::Done);
    assert_eq!(world.jobs().len(), 2, "and the one behind it");
}

#[test]
fn a_refused_batch_ends_after_those_before_it() {
    let mut world = World::started();
    world.submit(1, GOOD, 3, 1);
    world.submit(1, ODD, 3, 2);
    world.submit(1, GOOD, 3, 3);
    let jobs = world.jobs();
    assert_eq!((jobs.len(), world.fences(), world.answers()), (1, vec![], vec![]));
    world.end(jobs[0], JobEnd::Done);
    assert_eq!(world.fences(), [(3, 1), (3, 2)]);
    assert_eq!(world.answers(), [Answer::Failed(Fault::Refused)]);
    assert_eq!(world.jobs().len(), 1);
    world.ask(Request::Statistics { context: ContextName(1) });
    assert_eq!(world.answers(), [Answer::Lost { own: 1, innocent: 0 }]);
}

#[test]
fn a_lost_batch_raises_its_fence_and_says_so() {
    let mut world = World::started();
    world.submit(1, GOOD, 3, 1);
    let jobs = world.jobs();
    world.end(jobs[0], JobEnd::Killed(Reason::new("budget/time", "too long")));
    assert_eq!(world.fences(), [(3, 1)]);
    assert_eq!(world.answers(), [Answer::Failed(Fault::Lost)]);
    assert_eq!(world.fx.failed.len(), 1);
}

#[test]
fn what_a_closed_context_had_is_killed_and_freed_when_silicon_let_go() {
    let mut world = World::started();
    world.submit(1, GOOD, 3, 1);
    world.hold(1, 5, 9);
    world.submit(1, GOOD, 3, 2);
    let jobs = world.jobs();
    world.ask(Request::CloseContext { context: ContextName(1) });
    world.ask(Request::CloseSpace { space: SpaceName(1) });
    assert_eq!(world.fx.kill, [(jobs[0], EngineId(0))]);
    assert_eq!((world.fences(), world.counters()), (vec![], vec![1, 2]), "it may still run");
    world.end(jobs[0], JobEnd::Killed(Reason::new("job/cancelled", "closed")));
    assert_eq!((world.fences(), world.counters()), (vec![(3, 1), (3, 2)], vec![1, 1]));
    world.ask(Request::CloseContext { context: ContextName(2) });
    assert_eq!(world.counters(), [0, 0]);
    // Its name is free again.
    world.answers();
    world.ask(Request::OpenSpace { space: SpaceName(1) });
    assert_eq!(world.answers(), []);
}

#[test]
fn fences_only_rise_and_wake_who_asked() {
    let mut world = World::started();
    let fence = FenceName(2);
    world.ask(Request::Notify { fence, value: 0 });
    world.ask(Request::Notify { fence, value: 5 });
    assert_eq!(world.answers(), [Answer::Reached]);
    world.ask(Request::Signal { fence, value: 4 });
    world.ask(Request::Signal { fence, value: 3 });
    assert_eq!((world.fences(), world.answers()), (vec![(2, 4)], vec![]));
    world.ask(Request::Signal { fence, value: 6 });
    assert_eq!((world.fences(), world.answers()), (vec![(2, 6)], vec![Answer::Reached]));
}

#[test]
fn who_wants_no_answer_is_woken_and_costs_one_place() {
    let mut world = World::started();
    let fence = FenceName(2);
    let ask = |world: &mut World, value| {
        let request = Request::Notify { fence, value };
        world.session.handle(Submission { token: Token::NOBODY, request }, &mut world.fx);
    };
    for _ in 0..100 {
        ask(&mut world, 5);
    }
    assert_eq!((world.session.notice_count, world.fx.wake), (1, false));
    world.ask(Request::Signal { fence, value: 5 });
    assert_eq!((world.answers(), world.fx.wake), (vec![], true));
    world.fx.wake = false;
    ask(&mut world, 5);
    assert!(world.fx.wake, "at once");
}

#[test]
fn what_is_not_there_or_too_much_is_refused() {
    let mut world = World::started();
    let (space, context, fence) = (SpaceName(1), ContextName(1), FenceName(FENCES as u32));
    let (at, arena) = (GpuAddress(0x1000), ArenaOffset(0));
    let bind = |at, arena, bytes| Request::Bind { space, at, arena, bytes, read_only: false };
    for (request, fault) in [
        (Request::OpenSpace { space }, Fault::Name),
        (Request::CloseSpace { space: SpaceName(7) }, Fault::Name),
        (Request::OpenContext { context, space, engine: 0, priority: 0 }, Fault::Name),
        (
            Request::OpenContext { context: ContextName(3), space, engine: 2, priority: 0 },
            Fault::Range,
        ),
        (Request::CloseContext { context: ContextName(7) }, Fault::Name),
        (Request::Submit { context, start: GOOD, fence, value: 1 }, Fault::Range),
        (Request::Await { context, fence, value: 1 }, Fault::Range),
        (Request::Signal { fence, value: 1 }, Fault::Range),
        (Request::Notify { fence, value: 1 }, Fault::Range),
        (Request::Statistics { context: ContextName(7) }, Fault::Name),
        (bind(GpuAddress(1), arena, 0x1000), Fault::Range),
        (bind(at, ArenaOffset(1), 0x1000), Fault::Range),
        (bind(at, arena, 0), Fault::Range),
        (bind(at, arena, 0x10_1000), Fault::Range),
        (bind(GpuAddress(u64::MAX - 0xFFF), arena, 0x1000), Fault::Range),
        (Request::Unbind { space, at, bytes: 1 }, Fault::Range),
    ] {
        world.ask(request);
        assert_eq!(world.answers(), [Answer::Failed(fault)], "{request:?}");
    }
    for (make, most) in [
        (&(|n| Request::OpenSpace { space: SpaceName(n) }) as &dyn Fn(u32) -> Request, 2),
        (&|n| Request::OpenContext { context: ContextName(n), space, engine: 0, priority: 0 }, 2),
        (&|n| Request::Notify { fence: FenceName(1), value: n.into() }, 5),
        (&|n| Request::Await { context, fence: FenceName(1), value: n.into() }, 3),
    ] {
        for n in 0..most {
            world.ask(make(100 + n));
            assert_eq!(world.answers(), [], "{:?}", make(100 + n));
        }
        world.ask(make(200));
        assert_eq!(world.answers(), [Answer::Failed(Fault::Quota)], "{:?}", make(200));
    }
}

fn requests() -> impl Strategy<Value = Request> {
    let space = || (0..4u32).prop_map(SpaceName);
    let context = || (0..5u32).prop_map(ContextName);
    let fence = || (0..10u32).prop_map(FenceName);
    let start = prop_oneof![Just(GOOD), Just(ODD)];
    prop_oneof![
        space().prop_map(|space| Request::OpenSpace { space }),
        space().prop_map(|space| Request::CloseSpace { space }),
        (context(), space(), 0..3u16).prop_map(|(context, space, engine)| {
            Request::OpenContext { context, space, engine, priority: 0 }
        }),
        context().prop_map(|context| Request::CloseContext { context }),
        (context(), fence(), 0..6u64).prop_map(|(context, fence, value)| Request::Await {
            context,
            fence,
            value
        }),
        (context(), start, fence(), 0..6u64).prop_map(|(context, start, fence, value)| {
            Request::Submit { context, start, fence, value }
        }),
        (fence(), 0..6u64).prop_map(|(fence, value)| Request::Signal { fence, value }),
        (fence(), 0..6u64).prop_map(|(fence, value)| Request::Notify { fence, value }),
    ]
}

proptest! {
    /// Whatever is asked for and however jobs end: when all is closed and over, nothing is left.
    #[test]
    fn nothing_is_lost_and_nothing_stays(
        steps in prop::collection::vec((requests(), 0..4usize, 0..3u8), 0..120),
    ) {
        let mut world = World::new();
        let mut out: Vec<JobId> = Vec::new();
        let end = |kind| match kind {
            0 => JobEnd::Done,
            1 => JobEnd::Fault(Reason::new("test/fault", "a fault")),
            _ => JobEnd::Killed(Reason::new("test/killed", "killed")),
        };
        for (request, ends, kind) in steps {
            world.ask(request);
            out.extend(world.jobs());
            for _ in 0..ends.min(out.len()) {
                world.end(out.remove(0), end(kind));
                out.extend(world.jobs());
            }
            prop_assert!(world.session.queued <= 120 && world.session.notice_count <= 5);
        }
        for context in 0..5 {
            world.ask(Request::CloseContext { context: ContextName(context) });
        }
        for space in 0..4 {
            world.ask(Request::CloseSpace { space: SpaceName(space) });
        }
        out.extend(world.jobs());
        while !out.is_empty() {
            world.end(out.remove(0), JobEnd::Done);
            out.extend(world.jobs());
        }
        prop_assert_eq!(world.counters(), [0, 0]);
        prop_assert_eq!(world.session.queued, 0);
        prop_assert!(world.session.out.is_empty() && world.session.live_contexts.is_empty());
    }
}
