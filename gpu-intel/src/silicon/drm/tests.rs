use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gpu_intel_i915::FenceState;
use guest_shim::wire::Topology;
use mediator::{
    Clock, ContextId, Fence, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Reason, Silicon,
    SiliconError, SpaceId, SpaceRoot, Ticket, VmId,
};
use rustix::io::Errno;

use super::double::Double;
use super::*;
use crate::address::PpgttAddress;
use crate::gtt::{Pages, Tables};
use crate::platform::{Part, Platform};

const VM: VmId = VmId(1);
const LEAF: u64 = 2 << 20;
/// Where batches are shown, and their memory.
const AT: u64 = 1 << 32;
const BATCH: u64 = 0x1_0000;
const IMAGE: u64 = 0x4_0000;
const END: u32 = 0x0A << 23;
const LONG: Duration = Duration::from_secs(10);

/// A guest with tables of its own, on the double.
struct Guest {
    ram: GuestRam,
    pool: Pages,
    tables: Tables,
    device: Double,
    drm: Drm<Double>,
    space: SpaceId,
    job: u64,
}

fn guest() -> Guest {
    guest_on(Double::default())
}

fn guest_on(device: Double) -> Guest {
    let ram = GuestRam::anonymous(8 << 20).unwrap();
    let mut pool = Pages::new(ram.clone(), GuestAddress(4 << 20)..GuestAddress(8 << 20));
    let mut tables = Tables::new(&mut pool).unwrap();
    tables.map(&mut pool, PpgttAddress(AT), GuestAddress(BATCH), 0x2000, true).unwrap();
    ram.write_u32(GuestAddress(BATCH), END).unwrap();
    let drm = Drm::new(device.clone(), Clock::start()).unwrap();
    let space = drm.open_space(VM, &ram, tables.root()).unwrap();
    Guest { ram, pool, tables, device, drm, space, job: 0 }
}

impl Guest {
    fn map(&mut self, at: u64, memory: u64, pages: u64) {
        let (at, memory) = (PpgttAddress(at), GuestAddress(memory));
        self.tables.map(&mut self.pool, at, memory, pages << 12, true).unwrap();
    }

    fn context(&self, engine: Engine) -> ContextId {
        self.drm.open_context(self.space, engine.id()).unwrap()
    }

    fn submit(&mut self, context: ContextId, engine: Engine, work: Batch) -> Receiver<Fence> {
        self.try_submit(context, engine, work).1.unwrap()
    }

    fn try_submit(
        &mut self,
        context: ContextId,
        engine: Engine,
        work: Batch,
    ) -> (u64, Result<Receiver<Fence>, SiliconError>) {
        self.job += 1;
        let (tell, told) = channel();
        let ticket = Ticket::new(VM, JobId(self.job), move |fence| drop(tell.send(fence)));
        (self.job, self.drm.submit(engine.id(), context, work, ticket).map(|()| told))
    }

    /// Runs a batch to its end. Returns the host context that it ran in.
    fn run(&mut self, context: ContextId, work: Batch) -> HostContextId {
        let told = self.submit(context, Engine::Render, work);
        self.device.end_one(FenceState::Done);
        assert_eq!(end(&told), JobEnd::Done);
        self.device.world().runs.last().unwrap().context
    }

    fn right(&self) {
        assert_eq!(self.device.world().wrongs, Vec::<String>::new());
    }
}

type HostContextId = gpu_intel_i915::HostContext;

fn end(told: &Receiver<Fence>) -> JobEnd {
    match told.recv_timeout(LONG).unwrap().outcome {
        Outcome::Ended(end) => end,
        Outcome::Preempted => panic!("preempted"),
    }
}

fn batch() -> Batch {
    Batch::new(PpgttAddress(AT))
}

fn kept(restore: bool) -> Batch {
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    Batch { image, restore, save: true, ..batch() }
}

#[test]
fn a_host_says_what_it_is() {
    let guest = guest();
    let host = guest.drm.host();
    let units = [[0xff, 0x7f, 0xff, 0], [0xff, 0xff, 0x3f, 0], [0; 4]];
    let topology = Topology::new(0b11, 0b111, units);
    assert_eq!(host.part, Part { device: 0x5916, revision: 2, topology });
    assert_eq!(host.platform, Platform::KabyLake);
    assert!(host.features.kill && host.features.priorities && host.features.preemption);
}

#[test]
fn a_host_that_does_not_fit_is_refused_with_what_it_lacks() {
    let refused = |change: fn(&mut double::World)| {
        let device = Double::default();
        change(&mut device.world());
        Drm::new(device, Clock::start()).unwrap_err().to_string()
    };
    assert!(refused(|w| w.driver = Some("xe")).contains("\"xe\""));
    assert!(refused(|w| w.chipset = Some(0x9A49)).contains("8086:9a49 is no Gen9"));
    assert!(refused(|w| w.no_video_enhance = true).contains("lacks vecs0"));
}

#[test]
fn a_batch_runs_where_its_guest_has_it() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let work = Batch { start: PpgttAddress(AT + 0x1008), ..batch() };
    let told = guest.submit(context, Engine::Render, work);
    guest.device.end_one(FenceState::Done);
    assert_eq!(end(&told), JobEnd::Done);
    let run = guest.device.world().runs[0].clone();
    assert_eq!((run.start, run.bytes, run.objects.len()), (AT + 0x1008, 0, 1));
    guest.right();
}

#[test]
fn tables_that_stay_are_imported_once_and_new_ones_while_batches_run() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let first = guest.submit(context, Engine::Render, batch());
    // A leaf of its own: nothing is in its way.
    guest.map(AT + 4 * LEAF, 0x10_0000, 3);
    let second = guest.submit(context, Engine::Render, batch());
    assert_eq!(guest.device.world().running.len(), 2);
    guest.device.end_one(FenceState::Done);
    guest.device.end_one(FenceState::Done);
    assert_eq!((end(&first), end(&second)), (JobEnd::Done, JobEnd::Done));
    guest.run(context, batch());
    assert_eq!(guest.device.world().imports, 2);
    guest.right();
}

#[test]
fn a_table_that_changes_under_a_batch_waits_until_the_space_is_idle() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let first = guest.submit(context, Engine::Render, batch());
    guest.map(AT + 0x10_0000, 0x20_0000, 1);
    let second = guest.submit(context, Engine::Render, batch());
    let third = guest.submit(context, Engine::Render, batch());
    assert_eq!(guest.device.world().running.len(), 1, "they are parked");
    guest.device.end_one(FenceState::Done);
    assert_eq!(end(&first), JobEnd::Done);
    wait_until(|| guest.device.world().running.len() == 2);
    guest.device.end_one(FenceState::Done);
    guest.device.end_one(FenceState::Done);
    assert_eq!((end(&second), end(&third)), (JobEnd::Done, JobEnd::Done));
    guest.right();
}

fn wait_until(done: impl Fn() -> bool) {
    let limit = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < limit, "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn parked_jobs_can_be_killed_and_recalled() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let first = guest.submit(context, Engine::Render, batch());
    guest.map(AT + 0x10_0000, 0x20_0000, 1);
    let second = guest.submit(context, Engine::Render, batch());
    let third = guest.submit(context, Engine::Render, batch());
    let why = Reason::new("test/kill", "");
    guest.drm.kill(Engine::Render.id(), VM, JobId(2), why.clone());
    assert_eq!(guest.drm.recall(Engine::Render.id(), VM, JobId(3)), None);
    assert_eq!((end(&second), end(&third)), (JobEnd::Killed(why), JobEnd::Withdrawn));
    guest.device.end_one(FenceState::Done);
    assert_eq!(end(&first), JobEnd::Done);
    guest.right();
}

#[test]
fn a_context_goes_on_where_its_image_leads_and_a_copy_of_it_does_not() {
    let mut guest = guest();
    let (one, other) = (guest.context(Engine::Render), guest.context(Engine::Render));
    let first = guest.run(one, kept(false));
    let second = guest.run(one, kept(true));
    assert_eq!(first, second, "its state is there");
    // The image as it is now, for later.
    let mut copy = vec![0; 0x1000];
    guest.ram.read(GuestAddress(IMAGE + 0x1000), &mut copy).unwrap();
    assert_eq!(guest.run(one, kept(true)), first);
    guest.ram.write(GuestAddress(IMAGE + 0x1000), &copy).unwrap();
    let stale = guest.run(other, kept(true));
    assert_ne!(stale, first, "a nonce is good for one use");
    // An image that starts anew has no state either.
    assert_ne!(guest.run(one, kept(false)), stale);
    guest.right();
}

#[test]
fn another_space_and_another_engine_do_not_find_it() {
    let mut guest = guest();
    let one = guest.context(Engine::Render);
    let first = guest.run(one, kept(false));
    let mut tables = Tables::new(&mut guest.pool).unwrap();
    let (at, memory) = (PpgttAddress(AT), GuestAddress(BATCH));
    tables.map(&mut guest.pool, at, memory, 0x1000, true).unwrap();
    let space = guest.drm.open_space(VM, &guest.ram, tables.root()).unwrap();
    let elsewhere = guest.drm.open_context(space, Engine::Render.id()).unwrap();
    assert_ne!(guest.run(elsewhere, kept(true)), first);
}

#[test]
fn a_hang_costs_the_context_and_nobody_else() {
    let mut guest = guest();
    let (bad, good) = (guest.context(Engine::Render), guest.context(Engine::Video));
    let hung = guest.submit(bad, Engine::Render, kept(false));
    let fine = guest.submit(good, Engine::Video, batch());
    guest.device.end_one(FenceState::Failed(Errno::IO));
    guest.device.end_one(FenceState::Done);
    let JobEnd::Fault(why) = end(&hung) else { panic!() };
    assert_eq!((why.rule, end(&fine)), ("silicon/hang", JobEnd::Done));
    let before = guest.device.world().runs[0].context;
    assert_ne!(guest.run(bad, kept(true)), before);
    guest.right();
}

#[test]
fn who_hangs_too_often_is_banned_alone() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    for _ in 0..3 {
        let told = guest.submit(context, Engine::Render, batch());
        guest.device.end_one(FenceState::Failed(Errno::IO));
        assert!(matches!(end(&told), JobEnd::Fault(why) if why.rule == "silicon/hang"));
    }
    let told = guest.submit(context, Engine::Render, batch());
    assert!(matches!(end(&told), JobEnd::Fault(why) if why.rule == "silicon/banned"));
    let mut tables = Tables::new(&mut guest.pool).unwrap();
    let (at, memory) = (PpgttAddress(AT), GuestAddress(BATCH));
    tables.map(&mut guest.pool, at, memory, 0x1000, true).unwrap();
    let space = guest.drm.open_space(VmId(2), &guest.ram, tables.root()).unwrap();
    let other = guest.drm.open_context(space, Engine::Render.id()).unwrap();
    guest.run(other, batch());
    guest.right();
}

#[test]
fn a_killed_job_ends_with_its_context() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let told = guest.submit(context, Engine::Render, kept(false));
    let why = Reason::new("budget/time", "too long");
    guest.drm.kill(Engine::Render.id(), VM, JobId(1), why.clone());
    assert_eq!(end(&told), JobEnd::Killed(why));
    guest.right();
}

#[test]
fn where_the_host_can_not_kill_the_job_ends_when_the_driver_resets() {
    let device = Double::default();
    device.world().persistent = true;
    let mut guest = guest_on(device);
    assert!(!guest.drm.host().features.kill);
    let context = guest.context(Engine::Render);
    let told = guest.submit(context, Engine::Render, kept(false));
    let why = Reason::new("budget/time", "too long");
    guest.drm.kill(Engine::Render.id(), VM, JobId(1), why.clone());
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
    guest.device.end_one(FenceState::Failed(Errno::IO));
    assert_eq!(end(&told), JobEnd::Killed(why));
    guest.right();
}

#[test]
fn the_blitter_runs_a_copy_that_is_in_nobodys_way() {
    let mut guest = guest();
    // Where a copy would lie.
    guest.map((1 << 47) - LEAF, 0x20_0000, 1);
    let context = guest.context(Engine::Copy);
    let told = guest.submit(context, Engine::Copy, batch());
    let run = guest.device.world().runs[0].clone();
    assert_eq!((run.start, run.bytes, run.objects.len()), ((1 << 47) - 2 * LEAF, 8, 3));
    guest.device.end_one(FenceState::Done);
    assert_eq!(end(&told), JobEnd::Done);
    assert_eq!(guest.device.world().buffers.len(), 2, "the copy is gone");
    guest.right();
}

#[test]
fn what_the_host_refuses_has_a_name() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    let mut fails = |call, error| {
        guest.device.world().fail = Some((call, error));
        match guest.try_submit(context, Engine::Render, batch()).1 {
            Ok(told) => match end(&told) {
                JobEnd::Fault(why) => why.rule.to_owned(),
                other => panic!("{other:?}"),
            },
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(fails("import", Errno::NOMEM), "silicon is out of memory");
    assert_eq!(fails("open_context", Errno::NOMEM), "silicon is out of memory");
    assert_eq!(fails("execute", Errno::NOSPC), "silicon is out of room in an address space");
    assert_eq!(fails("execute", Errno::IO), "silicon/context-lost");
    assert_eq!(fails("execute", Errno::INVAL), "batch/refused-by-host");
    assert!(fails("execute", Errno::NODEV).contains("the GPU is lost"));
    guest.device.world().lost = true;
    guest.device.world().fail = Some(("execute", Errno::IO));
    let lost = guest.try_submit(context, Engine::Render, batch()).1.unwrap_err();
    assert!(matches!(lost, SiliconError::Lost(_)), "{lost}");
    // And then it works again.
    guest.device.world().lost = false;
    guest.run(context, batch());
    let unmapped = Batch::new(PpgttAddress(AT + LEAF));
    let told = guest.submit(context, Engine::Render, unmapped);
    let JobEnd::Fault(why) = end(&told) else { panic!() };
    assert_eq!(why.rule, "batch/unmapped");
    guest.right();
}

#[test]
fn nothing_is_left_when_a_space_is_closed() {
    let mut guest = guest();
    guest.map(AT + 8 * LEAF, 0x10_0000, 100);
    let contexts = [guest.context(Engine::Render), guest.context(Engine::Render)];
    for context in contexts {
        guest.run(context, kept(false));
    }
    guest.drm.close_space(guest.space);
    // The thread that told of the last job's end may still have the space.
    let end = Instant::now() + Duration::from_secs(10);
    let left = || {
        let world = guest.device.world();
        (world.spaces.len(), world.contexts.len(), world.buffers.len())
    };
    while left() != (0, 0, 0) {
        assert!(Instant::now() < end, "{:?}", left());
        std::thread::sleep(Duration::from_millis(1));
    }
    let holdings = guest.drm.holdings(VmId(0));
    assert!(holdings.iter().all(|(_, value)| *value == 0), "{holdings:?}");
    guest.right();
}

#[test]
fn long_lists_become_short_ones_and_fall_apart_when_a_table_changes() {
    let mut guest = guest();
    let context = guest.context(Engine::Render);
    for leaf in 1..80 {
        guest.map(AT + leaf * LEAF, 0, 512);
    }
    for _ in 0..200 {
        guest.run(context, batch());
    }
    let objects = |guest: &Guest| guest.device.world().runs.last().unwrap().objects.len();
    assert!(objects(&guest) < 80, "{}", objects(&guest));
    let before = objects(&guest);
    guest.map(AT + LEAF, 0x20_0000, 1);
    guest.run(context, batch());
    assert!(objects(&guest) >= before, "{}", objects(&guest));
    guest.right();
}

/// What a VM pays before each of its batches: at most a millisecond, where the compiler optimizes.
#[test]
fn a_gigabyte_that_has_not_changed_is_compared_quickly() {
    const TABLES: u64 = 1 << 20;
    let ram = GuestRam::anonymous(8 << 20).unwrap();
    let put = |at: u64, value: u64| ram.write_u64(GuestAddress(at), value).unwrap();
    put(TABLES, (TABLES + 0x1000) | 3);
    put(TABLES + 0x1000, (TABLES + 0x2000) | 3);
    for table in 0..512 {
        put(TABLES + 0x2000 + 8 * table, (TABLES + 0x3000 + 0x1000 * table) | 3);
        for page in 0..512 {
            put(TABLES + 0x3000 + 0x1000 * table + 8 * page, (page << 12) | 3);
        }
    }
    let root = SpaceRoot { levels: 4, entries: [TABLES, 0, 0, 0] };
    let device = Double::default();
    let mut shadow = shadow::Shadow::new(Arc::default()).unwrap();
    let changes = shadow.look(&ram, root, None).unwrap();
    shadow.apply(&device, &ram, changes, true).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let begun = Instant::now();
        let changes = shadow.look(&ram, root, None).unwrap();
        best = best.min(begun.elapsed());
        assert!(!changes.need_idle(None));
    }
    println!("1 GiB of unchanged tables: {best:?}");
    let most = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 1 });
    assert!(best <= most, "{best:?}");
}
