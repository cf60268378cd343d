use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use mediator::{Fence, GuestAddress, JobEnd, Outcome};
use proptest::prelude::*;

use super::*;
use crate::address::PpgttAddress;
use crate::silicon::{BATCH_POSITION, Position};

const VM: VmId = VmId(1);
const LONG: Duration = Duration::from_secs(20);

const NOOP: u32 = 0;
const END: u32 = 0x0500_0000;

/// Where things are: tables in the first pages, then batches, data, a context image. Addresses are the same in the
/// context's space and in guest memory, up to 2 MiB.
const BATCH: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;
const IMAGE: u64 = 0x3_0000;
const READ_ONLY: u32 = 0x4_0000;
const MAPPED: u64 = 2 << 20;

struct Host {
    model: Model,
    ram: GuestRam,
    space: SpaceId,
    next_job: AtomicU64,
}

impl Host {
    fn new() -> Self {
        let model = Model::new(Clock::start()).unwrap();
        let ram = GuestRam::anonymous(4 << 20).unwrap();
        ram.write_u64(GuestAddress(0x1000), 0x2003).unwrap();
        for page in 0..MAPPED / 0x1000 {
            let flags = if page * 0x1000 == u64::from(READ_ONLY) { 1 } else { 3 };
            ram.write_u64(GuestAddress(0x2000 + 8 * page), page << 12 | flags).unwrap();
        }
        let root = SpaceRoot { levels: 3, entries: [0x1000, 0, 0, 0] };
        let space = model.open_space(VM, &ram, root).unwrap();
        Self { model, ram, space, next_job: AtomicU64::new(1) }
    }

    fn context(&self, engine: Engine) -> ContextId {
        self.model.open_context(self.space, engine.id()).unwrap()
    }

    fn write(&self, at: u32, dwords: &[u32]) {
        for (i, dword) in dwords.iter().enumerate() {
            self.ram.write_u32(GuestAddress(u64::from(at) + 4 * i as u64), *dword).unwrap();
        }
    }

    fn read(&self, at: u32) -> u32 {
        self.ram.read_u32(GuestAddress(u64::from(at))).unwrap()
    }

    fn ticket(job: JobId) -> (Ticket, Receiver<Fence>) {
        let (sender, receiver) = bounded(1);
        (Ticket::new(VM, job, move |fence| sender.send(fence).unwrap()), receiver)
    }

    fn try_submit(
        &self,
        engine: Engine,
        context: ContextId,
        work: Batch,
    ) -> Result<(JobId, Receiver<Fence>), SiliconError> {
        let job = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        let (ticket, receiver) = Self::ticket(job);
        self.model.submit(engine.id(), context, work, ticket)?;
        self.model.kick(engine.id());
        Ok((job, receiver))
    }

    fn submit(&self, engine: Engine, dwords: &[u32]) -> (JobId, Receiver<Fence>) {
        self.write(BATCH, dwords);
        self.try_submit(engine, self.context(engine), batch(BATCH)).unwrap()
    }

    fn run(&self, engine: Engine, dwords: &[u32]) -> JobEnd {
        end(&self.submit(engine, dwords).1)
    }

    fn count(&self, name: &str) -> u64 {
        self.model.counters().iter().find(|(n, _)| *n == name).unwrap().1
    }
}

fn batch(start: u32) -> Batch {
    let start = PpgttAddress(u64::from(start));
    Batch::new(start)
}

fn end(fence: &Receiver<Fence>) -> JobEnd {
    match fence.recv_timeout(LONG).unwrap().outcome {
        Outcome::Ended(end) => end,
        Outcome::Preempted => panic!("preempted"),
    }
}

fn rule(end: &JobEnd) -> &'static str {
    match end {
        JobEnd::Done => "done",
        JobEnd::Suspended => "suspended",
        JobEnd::Withdrawn => "withdrawn",
        JobEnd::Fault(reason) | JobEnd::Killed(reason) => reason.rule,
    }
}

fn store(at: u32, value: u32) -> [u32; 4] {
    [0x1000_0002, at, 0, value]
}

fn start(at: u32) -> [u32; 3] {
    [0x1880_0101, at, 0]
}

fn wait_for(at: u32, value: u32) -> [u32; 4] {
    [0x0e00_c002, value, at, 0]
}

#[test]
fn a_batch_runs_to_its_end_on_every_engine() {
    let host = Host::new();
    for (i, engine) in Engine::ALL.into_iter().enumerate() {
        let value = 40 + i as u32;
        let commands = [store(DATA, value).as_slice(), &[END]].concat();
        assert_eq!(host.run(engine, &commands), JobEnd::Done);
        assert_eq!(host.read(DATA), value);
    }
}

#[test]
fn commands_may_cross_pages() {
    let host = Host::new();
    host.write(BATCH, &start(BATCH + 0x1ff8));
    host.write(BATCH + 0x1ff8, &[store(DATA, 5).as_slice(), &[END]].concat());
    let context = host.context(Engine::Render);
    let (_, fence) = host.try_submit(Engine::Render, context, batch(BATCH)).unwrap();
    assert_eq!(end(&fence), JobEnd::Done);
    assert_eq!(host.read(DATA), 5);
}

#[test]
fn what_is_not_mapped_faults() {
    let host = Host::new();
    for (commands, expected) in [
        (vec![0x1000_0002, MAPPED as u32, 0, 1, END], "ppgtt/unmapped"),
        (vec![0x1000_0002, READ_ONLY, 0, 1, END], "ppgtt/read-only"),
        (start(MAPPED as u32).to_vec(), "batch/unmapped"),
        (vec![0x1000_0002, 0, 1, 1, END], "ppgtt/unmapped"),
        (vec![0x1f80_0000], "command/unknown"),
        (vec![0xffff_ffff], "command/unknown"),
        (vec![0x1000_0001, DATA, 0, 1, END], "command/length"),
    ] {
        assert_eq!(rule(&host.run(Engine::Render, &commands)), expected, "{commands:x?}");
    }
    // A page that is mapped to where the guest has no memory.
    host.ram.write_u64(GuestAddress(0x2000 + 8 * u64::from(DATA >> 12)), 0x4000_0003).unwrap();
    let commands = [store(DATA, 1).as_slice(), &[END]].concat();
    assert_eq!(rule(&host.run(Engine::Render, &commands)), "ppgtt/outside-ram");
}

#[test]
fn each_job_sees_the_tables_as_they_are() {
    let host = Host::new();
    let commands = [store(DATA, 7).as_slice(), &[END]].concat();
    assert_eq!(host.run(Engine::Copy, &commands), JobEnd::Done);
    host.ram.write_u64(GuestAddress(0x2000 + 8 * u64::from(DATA >> 12)), 0x5_0003).unwrap();
    host.write(DATA, &[0]);
    assert_eq!(host.run(Engine::Copy, &commands), JobEnd::Done);
    assert_eq!((host.read(DATA), host.read(0x5_0000)), (0, 7));
}

#[test]
fn batches_chain_and_nest_once() {
    let host = Host::new();
    let second = [0x18c0_0101, BATCH + 0x1000, 0];
    host.write(BATCH + 0x1000, &[store(DATA, 1).as_slice(), &start(BATCH + 0x2000)].concat());
    host.write(BATCH + 0x2000, &[store(DATA + 4, 2).as_slice(), &[END]].concat());
    let first = [second.as_slice(), &store(DATA + 8, 3), &[END]].concat();
    assert_eq!(host.run(Engine::Video, &first), JobEnd::Done);
    assert_eq!([0, 4, 8].map(|i| host.read(DATA + i)), [1, 2, 3]);
    host.write(BATCH + 0x1000, &second);
    assert_eq!(rule(&host.run(Engine::Video, &first)), "batch/nesting");
}

#[test]
fn an_endless_batch_is_killed_at_once_and_the_engine_goes_on() {
    let host = Host::new();
    for endless in [
        start(BATCH).to_vec(),
        [wait_for(DATA, 1).as_slice(), &[END]].concat(),
        [&[NOOP; 30], start(BATCH).as_slice()].concat(),
    ] {
        let (job, fence) = host.submit(Engine::Render, &endless);
        assert!(fence.recv_timeout(Duration::from_millis(5)).is_err(), "it does not end");
        let asked = Instant::now();
        host.model.kill(Engine::Render.id(), VM, job, Reason::new("test/kill", "enough"));
        assert_eq!(rule(&end(&fence)), "test/kill");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert_eq!(host.run(Engine::Render, &[END]), JobEnd::Done);
    }
}

#[test]
fn stores_from_outside_end_a_spinner_and_a_wait() {
    let host = Host::new();
    let (_, spinner) = host.submit(Engine::Render, &start(BATCH));
    assert!(spinner.recv_timeout(Duration::from_millis(5)).is_err());
    host.write(BATCH, &[END]);
    assert_eq!(end(&spinner), JobEnd::Done);
    let (_, waiting) = host.submit(Engine::Render, &[&wait_for(DATA, 9)[..], &[END]].concat());
    assert!(waiting.recv_timeout(Duration::from_millis(5)).is_err());
    host.write(DATA, &[9]);
    assert_eq!(end(&waiting), JobEnd::Done);
}

#[test]
fn a_preempted_job_goes_on_with_its_state() {
    let host = Host::new();
    let store_r0 = [0x1200_0002, 0x2600, DATA + 4, 0];
    let commands = [&[0x1100_0001, 0x2600, 77], &wait_for(DATA, 1)[..], &store_r0, &[END]].concat();
    let (job, fence) = host.submit(Engine::Render, &commands);
    assert!(fence.recv_timeout(Duration::from_millis(5)).is_err());
    host.model.preempt(Engine::Render.id(), VM, job);
    assert_eq!(fence.recv_timeout(LONG).unwrap().outcome, Outcome::Preempted);

    // Another job in between does not disturb it.
    host.write(BATCH + 0x1000, &[0x1100_0001, 0x2600, 5, END]);
    let other =
        host.try_submit(Engine::Render, host.context(Engine::Render), batch(BATCH + 0x1000));
    assert_eq!(end(&other.unwrap().1), JobEnd::Done);

    host.write(DATA, &[1]);
    let (ticket, fence) = Host::ticket(job);
    host.model.resume(Engine::Render.id(), ticket).unwrap();
    host.model.kick(Engine::Render.id());
    assert_eq!(end(&fence), JobEnd::Done);
    assert_eq!(host.read(DATA + 4), 77);

    let (ticket, fence) = Host::ticket(job);
    assert!(host.model.resume(Engine::Render.id(), ticket).is_err());
    assert!(fence.recv_timeout(Duration::from_millis(5)).is_err(), "the ticket is spent");
}

#[test]
fn a_preempted_job_can_be_killed() {
    let host = Host::new();
    let (job, fence) = host.submit(Engine::Render, &start(BATCH));
    host.model.preempt(Engine::Render.id(), VM, job);
    assert_eq!(fence.recv_timeout(LONG).unwrap().outcome, Outcome::Preempted);
    host.model.kill(Engine::Render.id(), VM, job, Reason::new("test/kill", ""));
    let (ticket, _fence) = Host::ticket(job);
    assert!(host.model.resume(Engine::Render.id(), ticket).is_err());
}

#[test]
fn jobs_that_are_taken_back_go_on_elsewhere_with_their_state() {
    let host = Host::new();
    let engine = Engine::Render;
    let context = host.context(engine);
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    // Stopped in a batch of the second level, with a value in R0.
    let nested = [&wait_for(DATA, 1)[..], &[END]].concat();
    host.write(BATCH + 0x1000, &nested);
    let store_r0 = [0x1200_0002, 0x2600, DATA + 4, 0];
    let jump = [0x18c0_0101, BATCH + 0x1000, 0];
    host.write(BATCH, &[&[0x1100_0001, 0x2600, 77], &jump[..], &store_r0, &[END]].concat());
    let work = Batch { image, save: true, ..batch(BATCH) };
    let (first, running) = host.try_submit(engine, context, work).unwrap();
    host.write(BATCH + 0x2000, &[END]);
    let (second, queued) = host.try_submit(engine, context, batch(BATCH + 0x2000)).unwrap();
    assert!(running.recv_timeout(Duration::from_millis(50)).is_err());

    for (job, fence) in [(second, queued), (first, running)] {
        assert!(host.model.take_back(engine.id(), VM, job).is_err(), "silicon has it");
        host.model.preempt(engine.id(), VM, job);
        assert_eq!(fence.recv_timeout(LONG).unwrap().outcome, Outcome::Preempted);
    }
    let back = host.model.take_back(engine.id(), VM, second).unwrap();
    assert_eq!(back, batch(BATCH + 0x2000), "it had not begun");
    let rest = host.model.take_back(engine.id(), VM, first).unwrap();
    assert_eq!(
        host.model.take_back(engine.id(), VM, first),
        Err(SiliconError::Unknown("preempted job"))
    );
    assert!(rest.return_to.is_some() && rest.restore && rest.rest);

    host.write(DATA, &[1]);
    let context = host.context(engine);
    assert_eq!(end(&host.try_submit(engine, context, rest).unwrap().1), JobEnd::Done);
    assert_eq!(host.read(DATA + 4), 77);
}

#[test]
fn the_queue_is_as_deep_as_promised() {
    let host = Host::new();
    let (first, running) = host.submit(Engine::Render, &start(BATCH));
    let context = host.context(Engine::Render);
    host.write(BATCH + 0x1000, &[END]);
    let submit = || host.try_submit(Engine::Render, context, batch(BATCH + 0x1000));
    let (second, queued) = submit().unwrap();
    assert!(matches!(submit(), Err(SiliconError::Exhausted(_))));
    host.model.kill(Engine::Render.id(), VM, second, Reason::new("test/queued", ""));
    assert_eq!(rule(&end(&queued)), "test/queued");
    let (_, queued) = submit().unwrap();
    host.model.kill(Engine::Render.id(), VM, first, Reason::new("test/running", ""));
    assert_eq!(rule(&end(&running)), "test/running");
    assert_eq!(end(&queued), JobEnd::Done);
}

#[test]
fn state_lives_in_the_context_image() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    let run = |restore, commands: &[u32]| {
        host.write(BATCH, commands);
        let work = Batch { image: image.clone(), restore, save: true, ..batch(BATCH) };
        end(&host.try_submit(Engine::Render, context, work).unwrap().1)
    };
    // R1, and a stream-out offset that only the private part keeps.
    assert_eq!(run(false, &[0x1100_0003, 0x2608, 11, 0x5280, 22, END]), JobEnd::Done);
    let read = [0x1200_0002, 0x2608, DATA, 0, 0x1200_0002, 0x5280, DATA + 4, 0, END];
    assert_eq!(run(true, &read), JobEnd::Done);
    assert_eq!([host.read(DATA), host.read(DATA + 4)], [11, 22]);
    assert_eq!(run(false, &read), JobEnd::Done);
    assert_eq!([host.read(DATA), host.read(DATA + 4)], [0, 0]);

    let image = vec![GuestAddress(IMAGE), GuestAddress(8 << 20)];
    let work = Batch { image, restore: true, ..batch(BATCH) };
    let fence = host.try_submit(Engine::Render, context, work).unwrap().1;
    assert_eq!(rule(&end(&fence)), "context/image");
}

/// MI_ARB_CHECK.
const ARB_CHECK: u32 = 0x0280_0000;

/// Waits until memory holds a value.
fn until(host: &Host, at: u32, value: u32) {
    let end = Instant::now() + LONG;
    while host.read(at) != value {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_recalled_job_goes_on_from_its_context_s_image() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    let work = |restore| Batch { image: image.clone(), restore, save: true, ..batch(BATCH) };
    // In a second-level batch: set R1, loop until told, store R1; then, in the first, store 3.
    let second = BATCH + 0x400;
    host.write(
        BATCH,
        &[&[0x1880_0101 | 1 << 22, second, 0][..], &store(DATA + 4, 3), &[END]].concat(),
    );
    let body = [&[0x1100_0001, 0x2608, 11][..], &store(DATA + 8, 1)].concat();
    let again = second + 4 * body.len() as u32;
    let looped = [&[ARB_CHECK][..], &start(again)].concat();
    host.write(second, &[&body[..], &looped].concat());
    let (job, fence) = host.try_submit(Engine::Render, context, work(false)).unwrap();
    until(&host, DATA + 8, 1);
    assert_eq!(host.model.recall(Engine::Render.id(), VM, job), None);
    assert_eq!(end(&fence), JobEnd::Suspended);

    let word = |n: usize| host.read(IMAGE as u32 + 0x1000 + 4 * (BATCH_POSITION + 2 * n) as u32);
    let position = Position::decode(std::array::from_fn(word)).unwrap();
    assert_eq!(position.return_to, Some(u64::from(BATCH) + 12));
    // Meanwhile others change R1, and the loop gets its end.
    assert_eq!(host.run(Engine::Render, &[0x1100_0001, 0x2608, 99, END]), JobEnd::Done);
    host.write(
        BATCH,
        &[&[0x1880_0101 | 1 << 22, second, 0][..], &store(DATA + 4, 3), &[END]].concat(),
    );
    host.write(again, &[ARB_CHECK, 0x1200_0002, 0x2608, DATA, 0, END]);
    let rest = Batch {
        start: PpgttAddress(position.at),
        return_to: position.return_to.map(PpgttAddress),
        ..work(true)
    };
    let (_, fence) = host.try_submit(Engine::Render, context, rest).unwrap();
    assert_eq!(end(&fence), JobEnd::Done);
    assert_eq!([host.read(DATA), host.read(DATA + 4)], [11, 3]);
    assert_eq!(Position::decode(std::array::from_fn(word)), None, "the batch is over");
}

#[test]
fn a_loop_without_an_arbitration_point_is_not_recalled_but_makes_room_for_other_vms() {
    let host = Host::new();
    let (job, fence) = host.submit(Engine::Render, &[&store(DATA, 1)[..], &start(BATCH)].concat());
    until(&host, DATA, 1);
    host.model.recall(Engine::Render.id(), VM, job);
    assert!(fence.recv_timeout(Duration::from_millis(50)).is_err());
    host.model.kill(Engine::Render.id(), VM, job, Reason::new("test/endless", ""));
    assert_eq!(rule(&end(&fence)), "test/endless");
}

#[test]
fn a_job_that_has_not_begun_is_withdrawn_and_a_preempted_one_suspended() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    host.write(BATCH, &[&store(DATA, 1)[..], &start(BATCH)].concat());
    let work = Batch { image, save: true, ..batch(BATCH) };
    let (running, fence) = host.try_submit(Engine::Render, context, work).unwrap();
    let (queued, other) = host.try_submit(Engine::Render, context, batch(BATCH)).unwrap();
    host.model.recall(Engine::Render.id(), VM, queued);
    assert_eq!(end(&other), JobEnd::Withdrawn);
    until(&host, DATA, 1);
    host.model.preempt(Engine::Render.id(), VM, running);
    assert_eq!(fence.recv_timeout(LONG).unwrap().outcome, Outcome::Preempted);
    assert_eq!(host.model.recall(Engine::Render.id(), VM, running), Some(JobEnd::Suspended));
    assert_eq!(host.model.recall(Engine::Render.id(), VM, running), None);
}

#[test]
fn what_a_user_may_not_do_ends_the_job_before_it_is_done() {
    let host = Host::new();
    let refused: [(&[u32], &str); 12] = [
        (&[0x1100_0001, 0x2080, 0x1000], "command/register-write"),
        (&[0x1200_0002, 0x2080, DATA, 0], "command/register-read"),
        (&[0x1040_0002, DATA, 0, 9], "command/ggtt"),
        (&[0x1240_0002, 0x2600, DATA, 0], "command/ggtt"),
        (&[0x1760_0003, DATA, 0, DATA, 0], "command/ggtt"),
        (&[0x7a00_0004, 1 << 24 | 1 << 14, DATA, 0, 1, 2], "command/ggtt"),
        (&[0x7a00_0004, 1 << 21 | 1 << 14, 0x10, 0, 1, 2], "command/status-page"),
        (&[0x1080_0001, 0x100, 7], "command/privileged"),
        (&[0x0400_0000], "command/privileged"),
        (&[0x1180_0001, 0x1000, 3], "command/page-tables"),
        (&[0x1300_0002, 0, 0, 0], "command/engine"),
        (&[0x7fff_0003, 0, 0, 0, 0], "command/unknown"),
    ];
    for (n, (command, expected)) in refused.into_iter().enumerate() {
        host.write(DATA, &[1, 2]);
        let commands = [&store(DATA + 4, 3)[..], command, &store(DATA + 4, 4), &[END]].concat();
        let end = host.run(Engine::Render, &commands);
        assert_eq!(rule(&end), expected, "{command:x?}");
        let JobEnd::Fault(why) = end else { panic!() };
        assert!(why.detail.contains("0x10010"), "it says where: {why}");
        assert_eq!([host.read(DATA), host.read(DATA + 4)], [1, 3], "all before it is done");
        assert_eq!(host.count("refused commands"), n as u64 + 1);
    }
    // An interrupt goes nowhere, a number for a register that is not here neither, and 3D is stepped over.
    let harmless = [&[0x0100_0000, 0x0040_0123, 0x7b00_0005][..], &[0; 6], &[END]].concat();
    assert_eq!(host.run(Engine::Render, &harmless), JobEnd::Done);
    assert_eq!(host.count("dropped register accesses"), 1);
    assert_eq!(host.count("dropped notifications"), 1);
    assert_eq!(host.count("skipped 3D and media commands"), 1);
}

#[test]
fn the_time_stamp_runs_at_12_mhz() {
    let host = Host::new();
    let stamp = |at| [0x7a00_0004, 3 << 14 | 1 << 20, at, 0, 0, 0];
    let commands = [&stamp(DATA)[..], &wait_for(DATA + 16, 1), &stamp(DATA + 8), &[END]].concat();
    let submitted = Instant::now();
    let (_, fence) = host.submit(Engine::Render, &commands);
    while host.read(DATA) == 0 {
        assert!(submitted.elapsed() < Duration::from_secs(20), "the first stamp");
        std::thread::yield_now();
    }
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    let slept = began.elapsed();
    host.write(DATA + 16, &[1]);
    assert_eq!(end(&fence), JobEnd::Done);
    let ticks = host.read(DATA + 8).wrapping_sub(host.read(DATA));
    let all = submitted.elapsed();
    let possible = slept.as_micros() * 12..=(all.as_micros() + 1) * 12;
    assert!(possible.contains(&u128::from(ticks)), "{ticks} ticks in {slept:?} to {all:?}");
}

#[test]
fn what_is_not_open_is_unknown() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    let wrong = host.try_submit(Engine::Copy, context, batch(BATCH));
    assert!(matches!(wrong, Err(SiliconError::Unknown(_))));
    host.model.close_space(host.space);
    let closed = host.try_submit(Engine::Render, context, batch(BATCH));
    assert!(matches!(closed, Err(SiliconError::Unknown(_))));
    assert!(host.model.open_context(host.space, Engine::Render.id()).is_err());
}

#[test]
fn quotas_bound_what_a_vm_can_open() {
    let host = Host::new();
    let root = SpaceRoot { levels: 4, entries: [0; 4] };
    for _ in 1..SPACES_PER_VM {
        host.model.open_space(VM, &host.ram, root).unwrap();
    }
    assert!(host.model.open_space(VM, &host.ram, root).is_err());
    assert!(host.model.open_space(VmId(2), &host.ram, root).is_ok());
}

#[test]
fn atomics_of_two_engines_add_up() {
    let host = Host::new();
    let add = [0x1784_0709, DATA, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let mut commands = add.repeat(200);
    commands.push(END);
    host.write(BATCH, &commands);
    let fences = Engine::ALL
        .map(|engine| host.try_submit(engine, host.context(engine), batch(BATCH)).unwrap().1);
    for fence in fences {
        assert_eq!(end(&fence), JobEnd::Done);
    }
    assert_eq!(host.read(DATA), 800);
}

#[test]
fn dropping_the_model_ends_its_threads() {
    let host = Host::new();
    let (_, fence) = host.submit(Engine::Render, &start(BATCH));
    drop(host.model);
    assert_ne!(end(&fence), JobEnd::Done);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Garbage ends by itself or by a kill; the engine then still works.
    #[test]
    fn garbage_never_takes_an_engine_away(
        commands in prop::collection::vec(
            prop_oneof![
                any::<u32>(),
                (0u32..64, 0u32..64).prop_map(|(o, l)| o << 23 | l),
                (0u32..128, 0u32..16, any::<u32>()).prop_map(|(o, l, r)| 2 << 29 | o << 22 | r & 0x3f_ff00 | l),
                Just(DATA),
                Just(BATCH),
                Just(0x0330_0040),
            ],
            1..200,
        ),
        engine in 0usize..4,
    ) {
        let host = Host::new();
        let engine = Engine::ALL[engine];
        let (job, fence) = host.submit(engine, &commands);
        if fence.recv_timeout(Duration::from_millis(20)).is_err() {
            host.model.kill(engine.id(), VM, job, Reason::new("test/kill", ""));
            fence.recv_timeout(LONG).unwrap();
        }
        // The garbage may have overwritten the tables, so this job may fault: but it is answered.
        let (_, fence) = host.submit(engine, &[END]);
        prop_assert!(fence.recv_timeout(LONG).is_ok());
    }
}

#[test]
fn a_short_batch_is_over_when_its_engine_has_been_kicked() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    host.write(BATCH, &[store(DATA, 5).as_slice(), &[END]].concat());
    let (ticket, fence) = Host::ticket(JobId(1));
    host.model.submit(Engine::Render.id(), context, batch(BATCH), ticket).unwrap();
    assert!(fence.try_recv().is_err(), "nothing has begun");
    host.model.kick(Engine::Render.id());
    assert_eq!(fence.try_recv().unwrap().outcome, Outcome::Ended(JobEnd::Done));
    assert_eq!(host.read(DATA), 5);
}

#[test]
fn what_takes_long_is_handed_over_and_keeps_its_turn() {
    let host = Host::new();
    let engine = Engine::Copy;
    let context = host.context(engine);
    // More commands than a thread lends itself for, then a blit, then the next job.
    let mut commands = [NOOP].repeat(1000);
    commands.extend(store(DATA, 1));
    // A fill of one row of four dwords: pitch, corners, where, and with what.
    commands.extend([0x5430_0005, 0x03f0_0010, 0, 0x0001_0004, DATA + 16, 0, 9, END]);
    host.write(BATCH, &commands);
    host.write(BATCH + 0x2000, &[0x1200_0002, 0x2_2358, DATA + 4, 0, END]);
    let (_, first) = host.try_submit(engine, context, batch(BATCH)).unwrap();
    let (_, second) = host.try_submit(engine, context, batch(BATCH + 0x2000)).unwrap();
    assert_eq!(end(&first), JobEnd::Done);
    assert_eq!([host.read(DATA), host.read(DATA + 16)], [1, 9]);
    assert_eq!(end(&second), JobEnd::Done);
    assert_eq!(host.count("blits"), 1);
}

#[test]
fn what_a_batch_does_not_change_is_not_stored() {
    let host = Host::new();
    let context = host.context(Engine::Render);
    let image = vec![GuestAddress(IMAGE), GuestAddress(IMAGE + 0x1000)];
    let run = |restore, commands: &[u32]| {
        host.write(BATCH, commands);
        let work = Batch { image: image.clone(), restore, save: true, ..batch(BATCH) };
        end(&host.try_submit(Engine::Render, context, work).unwrap().1)
    };
    // The header of the pairs is of no use to anybody here: that it is stored shows that all is.
    let header = (IMAGE + 0x1000 + 4 * 0x51) as u32;
    assert_eq!(run(false, &[END]), JobEnd::Done);
    assert_eq!(host.read(header), 0x1100_1057);
    host.write(header, &[1]);
    assert_eq!(run(true, &[store(DATA, 7).as_slice(), &[END]].concat()), JobEnd::Done);
    assert_eq!([host.read(DATA), host.read(header)], [7, 1]);
    assert_eq!(run(true, &[0x1100_0001, 0x2608, 11, END]), JobEnd::Done);
    assert_eq!(host.read(header), 0x1100_1057);
    assert_eq!(host.read(header + 4 * (2 + 2 * 13)), 11, "R1");
}
