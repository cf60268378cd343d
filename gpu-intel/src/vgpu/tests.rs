//! The device as a driver sees it, with silicon played by the test.

use super::*;
use crate::driver::{Driver, FREE, MEMORY};
use crate::silicon::{BATCH_POSITION, Position};

const BAR0: Region = Region::Bar(0);

pub(crate) struct Machine {
    pub(crate) ram: GuestRam,
    pub(crate) vgpu: Vgpu,
    pub(crate) driver: Option<Driver>,
    pub(crate) jobs: Vec<JobId>,
    /// All that were ever handed out.
    pub(crate) handed_out: Vec<Job<Batch>>,
    pub(crate) cancelled: Vec<JobId>,
    pub(crate) recalled: Vec<JobId>,
    pub(crate) interrupts: usize,
    pub(crate) failed: Vec<Reason>,
    pub(crate) quarantined: Option<Reason>,
}

fn config() -> VgpuConfig {
    VgpuConfig { edid: vec![0; 128], ..VgpuConfig::default() }
}

impl Machine {
    pub(crate) fn new() -> Self {
        let ram = GuestRam::anonymous(MEMORY).unwrap();
        ram.write_u32(mediator::GuestAddress(FREE), 0x0A << 23).unwrap();
        let mut machine = Self::without_driver(ram);
        let driver =
            Driver::start(machine.ram.clone(), &mut |at, value| machine.write(at, value)).unwrap();
        machine.driver = Some(driver);
        machine
    }

    pub(crate) fn without_driver(ram: GuestRam) -> Self {
        let vgpu = Vgpu::new(config(), ram.clone()).unwrap();
        Self {
            ram,
            vgpu,
            driver: None,
            jobs: Vec::new(),
            handed_out: Vec::new(),
            cancelled: Vec::new(),
            recalled: Vec::new(),
            interrupts: 0,
            failed: Vec::new(),
            quarantined: None,
        }
    }

    pub(crate) fn act(&mut self, call: impl FnOnce(&mut Vgpu, &mut Effects<Batch>)) {
        let mut fx = Effects::at(Time(1_000_000));
        call(&mut self.vgpu, &mut fx);
        self.jobs.extend(fx.jobs.iter().map(|job| job.id));
        self.handed_out.extend(fx.jobs);
        self.cancelled.extend(fx.cancel);
        self.recalled.extend(fx.recall);
        self.interrupts += fx.interrupts.len();
        self.failed.extend(fx.failed);
        self.quarantined = self.quarantined.take().or(fx.quarantine);
    }

    pub(crate) fn write(&mut self, at: u64, value: u32) {
        self.act(|vgpu, fx| {
            vgpu.write(Place { region: BAR0, offset: at }, &value.to_le_bytes(), fx);
        });
    }

    pub(crate) fn read(&mut self, at: u64) -> u32 {
        let mut bytes = [0; 4];
        self.act(|vgpu, fx| vgpu.read(Place { region: BAR0, offset: at }, &mut bytes, fx));
        u32::from_le_bytes(bytes)
    }

    pub(crate) fn submit(&mut self, engine: Engine) -> u32 {
        let mut driver = self.driver.take().unwrap();
        let seqno = driver.submit(engine, FREE, &mut |at, value| self.write(at, value)).unwrap();
        self.driver = Some(driver);
        seqno
    }

    pub(crate) fn queue(&mut self, engine: Engine, commands: &[u32]) {
        let mut driver = self.driver.take().unwrap();
        driver.queue(engine, commands, &mut |at, value| self.write(at, value)).unwrap();
        self.driver = Some(driver);
    }

    pub(crate) fn finish(&mut self, end: JobEnd) {
        let job = self.jobs.remove(0);
        self.act(|vgpu, fx| vgpu.finished(job, end, fx));
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.vgpu.counters().iter().find(|(n, _)| *n == name).unwrap().1
    }

    pub(crate) fn completed(&self, engine: Engine) -> u32 {
        self.driver.as_ref().unwrap().completed(engine).unwrap()
    }
}

#[test]
fn a_request_becomes_a_job_and_its_breadcrumb_follows_the_fence() {
    for engine in Engine::ALL {
        let mut machine = Machine::new();
        let seqno = machine.submit(engine);
        assert_eq!(machine.jobs.len(), 1);
        assert_eq!(machine.completed(engine), 0, "the fence has not come");
        machine.finish(JobEnd::Done);
        assert_eq!(machine.completed(engine), seqno);
        assert!(machine.interrupts > 0);
        let (pointer, entries) = machine.driver.as_ref().unwrap().status_buffer(engine).unwrap();
        assert_eq!(pointer, 1);
        assert_eq!(entries[0], (1, 0), "idle to active");
        assert_eq!(entries[1], (0x18, u32::from(engine.id().0) + 1), "complete, active to idle");
    }
}

#[test]
fn one_interrupt_tells_of_a_short_request_and_a_long_one_is_acknowledged_in_time() {
    let mut machine = Machine::new();
    machine.submit(Engine::Copy);
    assert_eq!(machine.interrupts, 0, "held back");
    machine.finish(JobEnd::Done);
    assert_eq!(machine.interrupts, 1, "for the submission, the breadcrumb and the completion");
    machine.write(0x4_4200, 0);
    machine.write(0x4_4308, u32::MAX);
    machine.write(0x4_4200, 1 << 31);
    machine.submit(Engine::Copy);
    let mut fx = Effects::at(Time(1_000_000));
    let due = machine.vgpu.tick(&mut fx).unwrap();
    let mut fx = Effects::at(due);
    assert_eq!(machine.vgpu.tick(&mut fx), None);
    assert_eq!(fx.interrupts.len(), 1);
}

#[test]
fn two_batches_are_on_silicon_at_a_time_and_the_third_waits() {
    let mut machine = Machine::new();
    let engine = Engine::Copy;
    let last = (0..3).map(|_| machine.submit(engine)).last().unwrap();
    assert_eq!(machine.jobs.len(), 2);
    machine.finish(JobEnd::Done);
    assert_eq!((machine.jobs.len(), machine.completed(engine)), (2, 1));
    machine.finish(JobEnd::Done);
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(engine), last);
}

#[test]
fn a_fault_stands_still_until_the_engine_is_reset() {
    let mut machine = Machine::new();
    let engine = Engine::Render;
    machine.submit(engine);
    machine.submit(engine);
    machine.finish(JobEnd::Fault(Reason::new("test/fault", "no reason")));
    assert_eq!(machine.failed.len(), 1);
    assert_eq!(machine.cancelled.len(), 1);
    assert_eq!(machine.completed(engine), 0);
    machine.write(0x941C, engine.reset_bit());
    assert_eq!(machine.read(0x941C), 0);
    machine.jobs.clear();
    machine.driver = Some(Driver::start(machine.ram.clone(), &mut |_, _| {}).unwrap());
    machine.submit(engine);
    assert_eq!(machine.jobs.len(), 1, "the engine takes work again");
}

/// A second context of the copy engine, with the same tables and a ring of its own.
struct Other {
    ring: u64,
    image: u64,
    tail: u32,
}

impl Other {
    fn new(machine: &Machine) -> Self {
        let other = Self { ring: FREE + 0x1_0000, image: FREE + 0x2_0000, tail: 0 };
        for (index, value) in
            [(0x03, 0x0001_0001), (0x09, other.ring as u32), (0x0B, 1), (0x33, 0x8_0000)]
        {
            other.set(machine, index, value);
        }
        other
    }

    fn set(&self, machine: &Machine, index: u64, value: u32) {
        let at = mediator::GuestAddress(self.image + 0x1000 + index * 4);
        machine.ram.write_u32(at, value).unwrap();
    }

    fn get(&self, machine: &Machine, index: u64) -> u32 {
        machine.ram.read_u32(mediator::GuestAddress(self.image + 0x1000 + index * 4)).unwrap()
    }

    fn add(&mut self, machine: &Machine, commands: &[u32]) {
        for dword in commands {
            let at = mediator::GuestAddress(self.ring + u64::from(self.tail));
            machine.ram.write_u32(at, *dword).unwrap();
            self.tail += 4;
        }
        self.set(machine, 0x07, self.tail);
    }

    fn descriptor(&self) -> u64 {
        0x77 << 32 | self.image | 1 << 8 | 3 << 3 | 1
    }

    fn submit(&self, machine: &mut Machine) {
        for dword in [0, 0, (self.descriptor() >> 32) as u32, self.descriptor() as u32] {
            machine.write(u64::from(Engine::Copy.base()) + 0x230, dword);
        }
    }
}

fn entries(machine: &Machine) -> (u32, [(u32, u32); 6]) {
    machine.driver.as_ref().unwrap().status_buffer(Engine::Copy).unwrap()
}

/// MI_BATCH_BUFFER_START of an unprivileged batch, then a store that shows the batch is over, 8 dwords in all.
fn preemptible_batch(value: u32) -> [u32; 8] {
    [
        0x31 << 23 | 1 << 8 | 1,
        FREE as u32,
        0,
        0,
        0x20 << 23 | 1 << 22 | 2,
        FREE as u32 + 0x100,
        0,
        value,
    ]
}

fn stored(machine: &Machine) -> u32 {
    machine.ram.read_u32(mediator::GuestAddress(FREE + 0x100)).unwrap()
}

#[test]
fn another_list_recalls_the_batch_and_the_context_goes_on_where_it_stopped() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    other.add(&machine, &preemptible_batch(5));
    other.submit(&mut machine);
    let first = machine.jobs.remove(0);
    machine.submit(Engine::Copy);
    assert_eq!(machine.recalled, [first]);
    assert_eq!(machine.jobs, [], "the engine is not free yet");
    // As silicon does.
    for (index, word) in
        Position::encode(Some(Position { at: FREE + 8, return_to: None })).into_iter().enumerate()
    {
        other.set(&machine, (BATCH_POSITION + 2 * index) as u64, word);
    }
    machine.act(|vgpu, fx| vgpu.finished(first, JobEnd::Suspended, fx));
    assert_eq!(
        (stored(&machine), other.get(&machine, 0x05)),
        (0, 12),
        "it stands behind the batch's start"
    );
    assert_eq!(other.get(&machine, 0x03), 0x0001_0000, "there is state to be restored now");
    let (pointer, csb) = entries(&machine);
    assert_eq!((pointer, csb[1]), (1, (2, 0x77)), "preempted");
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(Engine::Copy), 1);

    let mut fx = Effects::at(Time(1_000_000));
    for dword in [0, 0, 0x77, other.descriptor() as u32] {
        let port = Place { region: BAR0, offset: u64::from(Engine::Copy.base()) + 0x230 };
        machine.vgpu.write(port, &dword.to_le_bytes(), &mut fx);
    }
    let job = fx.jobs.pop().unwrap();
    assert_eq!((job.work.start.0, job.work.restore), (FREE + 8, true));
    machine.act(|vgpu, fx| vgpu.finished(job.id, JobEnd::Done, fx));
    assert_eq!((stored(&machine), other.get(&machine, 0x05)), (5, 32));
    assert_eq!(machine.count("batches_scanned"), 2, "what goes on is not scanned again");
}

#[test]
fn a_batch_that_was_withdrawn_is_handed_out_again_from_its_start() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    other.add(&machine, &preemptible_batch(5));
    other.submit(&mut machine);
    machine.submit(Engine::Copy);
    machine.finish(JobEnd::Withdrawn);
    assert_eq!(other.get(&machine, 0x05), 0);
    assert_eq!(other.get(&machine, 0x03), 0x0001_0001, "nothing to be restored yet");
    machine.finish(JobEnd::Done);
    other.submit(&mut machine);
    machine.finish(JobEnd::Done);
    assert_eq!(stored(&machine), 5);
}

#[test]
fn a_batch_that_is_done_all_the_same_is_done() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    other.add(&machine, &preemptible_batch(5));
    other.add(&machine, &[0x05 << 23, 0]);
    other.add(&machine, &preemptible_batch(6));
    other.submit(&mut machine);
    machine.submit(Engine::Copy);
    machine.finish(JobEnd::Done);
    assert_eq!((stored(&machine), other.get(&machine, 0x05)), (5, 40), "it left before the next");
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(Engine::Copy), 1);
}

#[test]
fn without_arbitration_a_context_is_left_at_its_end_only() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    other.add(&machine, &[0x08 << 23, 0]);
    other.add(&machine, &preemptible_batch(5));
    other.submit(&mut machine);
    machine.submit(Engine::Copy);
    assert_eq!(machine.recalled, []);
    machine.finish(JobEnd::Done);
    let (_, csb) = entries(&machine);
    assert_eq!(csb[1..3], [(0x18, 0x77), (1, 0)], "complete, then idle to active");
    assert_eq!(stored(&machine), 5);
}

#[test]
fn a_ring_that_waits_for_a_semaphore_makes_room() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    let semaphore = FREE as u32 + 0x200;
    other.add(&machine, &[0, 0, 0x1C << 23 | 1 << 22 | 1 << 15 | 4 << 12 | 2, 1, semaphore, 0]);
    other.submit(&mut machine);
    machine.submit(Engine::Copy);
    assert_eq!(other.get(&machine, 0x05), 8);
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(Engine::Copy), 1);
}

#[test]
fn a_head_that_the_driver_moved_is_where_the_ring_goes_on() {
    let mut machine = Machine::new();
    let mut other = Other::new(&machine);
    other.add(&machine, &preemptible_batch(5));
    let interrupted = Position { at: FREE + 8, return_to: None };
    for (index, word) in Position::encode(Some(interrupted)).into_iter().enumerate() {
        other.set(&machine, (BATCH_POSITION + 2 * index) as u64, word);
    }
    // As i915 resets a context whose batch hung: from the request's start, and without its batch.
    other.set(&machine, 0x03, 0x0001_0000);
    machine.ram.write_u32(mediator::GuestAddress(other.ring), 0).unwrap();
    machine.ram.write_u32(mediator::GuestAddress(other.ring + 4), 0).unwrap();
    other.submit(&mut machine);
    assert_eq!(machine.jobs, []);
    assert_eq!(stored(&machine), 5);
}

#[test]
fn a_late_fence_of_a_cancelled_job_changes_nothing() {
    let mut machine = Machine::new();
    machine.submit(Engine::Copy);
    machine.write(0x941C, 1);
    assert_eq!(machine.cancelled.len(), 1);
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(Engine::Copy), 0);
}

#[test]
fn what_is_no_command_hangs_only_its_engine() {
    let mut machine = Machine::new();
    machine.queue(Engine::Copy, &[0x7FFF_FFFF, 0]);
    assert_eq!(machine.failed.len(), 1);
    machine.submit(Engine::Render);
    assert_eq!(machine.jobs.len(), 1);
}

#[test]
fn a_privileged_batch_that_jumps_to_itself_ends_as_a_hang() {
    let mut machine = Machine::new();
    let jump = [0x31 << 23 | 1, FREE as u32, 0];
    for (at, dword) in (FREE..).step_by(4).zip(jump) {
        machine.ram.write_u32(mediator::GuestAddress(at), dword).unwrap();
    }
    machine.queue(Engine::Render, &[0x31 << 23 | 1, FREE as u32, 0, 0]);
    assert_eq!(machine.failed.len(), 1);
}

#[test]
fn a_waiting_ring_goes_on_when_memory_says_so() {
    let mut machine = Machine::new();
    let semaphore = FREE as u32;
    // MI_SEMAPHORE_WAIT, global address, poll, equal to 1; then a store.
    let wait = [0x1C << 23 | 1 << 22 | 1 << 15 | 4 << 12 | 2, 1, semaphore, 0];
    let store = [0x20 << 23 | 1 << 22 | 2, semaphore + 4, 0, 77];
    machine.queue(Engine::Video, &[&wait[..], &store[..]].concat());
    let value = |machine: &Machine| machine.ram.read_u32(mediator::GuestAddress(FREE + 4)).unwrap();
    machine.act(|vgpu, fx| assert!(vgpu.tick(fx).is_some()));
    assert_eq!(value(&machine), 0);
    machine.ram.write_u32(mediator::GuestAddress(FREE), 1).unwrap();
    machine.act(|vgpu, fx| assert_eq!(vgpu.tick(fx), None));
    assert_eq!(value(&machine), 77);
}

/// Or i915 maps an object that is larger than what is offered for ever in vain.
#[test]
fn pvinfo_offers_a_megabyte_beside_the_drivers_own_page() {
    let mut vgpu = Vgpu::new(config(), GuestRam::anonymous(1 << 20).unwrap()).unwrap();
    let mut bytes = [0; 4];
    let mut fx = Effects::at(Time(0));
    vgpu.read(Place { region: BAR0, offset: 0x7_8044 }, &mut bytes, &mut fx);
    let offered = u32::from_le_bytes(bytes);
    assert!(offered >= (1 << 20) + 4096, "{offered:#x}");
    assert!(offered < 640 * 480 * 4, "the smallest frame buffer stays out: {offered:#x}");
}

#[test]
fn the_aperture_shows_guest_memory_through_the_ggtt() {
    let mut machine = Machine::new();
    let at = Place { region: Region::Bar(2), offset: FREE };
    machine.act(|vgpu, fx| vgpu.write(at, &[1, 2, 3, 4], fx));
    assert_eq!(machine.ram.read_u32(mediator::GuestAddress(FREE)).unwrap(), 0x0403_0201);
    let mut bytes = [0; 2];
    machine.act(|vgpu, fx| vgpu.read(Place { offset: FREE + 1, ..at }, &mut bytes, fx));
    assert_eq!(bytes, [2, 3]);
    let beyond = Place { offset: MEMORY, ..at };
    machine.act(|vgpu, fx| vgpu.read(beyond, &mut bytes, fx));
    assert_eq!(bytes, [0, 0]);
}

#[test]
fn a_device_reset_cancels_and_forgets() {
    let mut machine = Machine::new();
    machine.submit(Engine::Copy);
    machine.write(0x2_0084, 7);
    machine.act(|vgpu, fx| vgpu.reset(Reset::Device, fx));
    assert_eq!(machine.cancelled.len(), 1);
    assert_eq!((machine.read(0x2_0084), machine.read(8 << 20)), (0, 0));
    assert_eq!(machine.read(0x7_8000), 0x7654_4776);
}

#[test]
fn unknown_offsets_are_listed() {
    let mut machine = Machine::new();
    machine.write(0x17_0000, 5);
    assert_eq!(machine.read(0x17_0000), 5);
    let list = machine.vgpu.unknown_accesses();
    assert_eq!(
        list,
        [UnknownAccess { place: Place { region: BAR0, offset: 0x17_0000 }, reads: 1, writes: 1 }]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

    /// Every batch that is handed out is answered, however it ends; a batch that may be recalled is out alone.
    #[test]
    fn any_image_and_any_end_of_a_batch_leave_the_device_sound(
        words in proptest::collection::vec((0u64..0x34, proptest::prelude::any::<u32>()), 0..4),
        steps in proptest::collection::vec((0u8..8, 0usize..4), 1..60),
    ) {
        let mut machine = Machine::new();
        let mut other = Other::new(&machine);
        let mut open = std::collections::VecDeque::new();
        for (step, number) in steps {
            let mut fx = Effects::at(Time(1_000_000));
            match (step, open.pop_front()) {
                (0, job) => {
                    open.extend(job);
                    if other.tail < 0x800 {
                        let arbitration = [0x08 << 23 | u32::from(number & 1 == 0), 0x05 << 23];
                        other.add(&machine, &arbitration);
                        other.add(&machine, &preemptible_batch(5));
                    }
                    for (index, word) in words.iter().skip(number) {
                        other.set(&machine, *index, *word);
                    }
                }
                (1..=2, job) => {
                    open.extend(job);
                    for dword in [0, 0, 0x77, other.descriptor() as u32 | (number as u32 & 1) << 2] {
                        let port = Place { region: BAR0, offset: u64::from(Engine::Copy.base()) + 0x230 };
                        machine.vgpu.write(port, &dword.to_le_bytes(), &mut fx);
                    }
                }
                (3, job) => {
                    open.extend(job);
                    let mut driver = machine.driver.take().unwrap();
                    driver.submit(Engine::Copy, FREE, &mut |at, value: u32| {
                        let place = Place { region: BAR0, offset: at };
                        machine.vgpu.write(place, &value.to_le_bytes(), &mut fx);
                    }).unwrap();
                    machine.driver = Some(driver);
                }
                (4, job) => {
                    open.extend(job);
                    if number == 0 {
                        let reset = Place { region: BAR0, offset: 0x941C };
                        machine.vgpu.write(reset, &8u32.to_le_bytes(), &mut fx);
                    }
                    machine.vgpu.tick(&mut fx);
                }
                (_, Some(job)) => {
                    let end = [JobEnd::Done, JobEnd::Suspended, JobEnd::Withdrawn, JobEnd::Done][number].clone();
                    machine.vgpu.finished(job, end, &mut fx);
                }
                (_, None) => {}
            }
            open.retain(|job| !fx.cancel.contains(job));
            open.extend(fx.jobs.iter().map(|job| job.id));
            proptest::prop_assert!(open.len() <= 2, "{:?}", open);
            for job in &fx.recall {
                proptest::prop_assert_eq!(&open.make_contiguous()[..], &[*job][..]);
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_access_panics(accesses in proptest::collection::vec((0u8..8, 0u64..(16 << 20) + 16, 0usize..9, proptest::prelude::any::<u64>()), 1..200)) {
        let mut vgpu = Vgpu::new(config(), GuestRam::anonymous(1 << 20).unwrap()).unwrap();
        let regions = [Region::Bar(0), Region::Bar(0), Region::Bar(0), Region::Bar(2), Region::Bar(4), Region::Rom, Region::Config, Region::Bar(5)];
        for (region, offset, length, value) in accesses {
            let place = Place { region: regions[usize::from(region)], offset: if region == 0 { offset & 0xFFFF } else { offset } };
            let mut fx = Effects::at(Time(value));
            vgpu.write(place, &value.to_le_bytes()[..length.min(8)], &mut fx);
            vgpu.read(place, &mut [0; 16][..length], &mut fx);
            vgpu.tick(&mut fx);
            vgpu.scan_out();
        }
    }
}
