//! Batches on their whole way: scanned by the device, executed by the software model.

use std::time::Duration;

use crossbeam_channel::bounded;
use mediator::{
    Clock, GuestAddress, JobEnd, Outcome, Silicon, SpaceRoot, Ticket, VirtualGpu as _, VmId,
};

use super::LIMIT;
use crate::driver::FREE;
use crate::engine::Engine;
use crate::silicon::model::Model;
use crate::vgpu::tests::Machine;

const ENGINE: Engine = Engine::Render;
/// Where batches store, and a second batch.
const DATA: u32 = FREE as u32 + 0x1_0000;
const SECOND: u32 = FREE as u32 + 0x2_0000;

const END: u32 = 0x0500_0000;
const LOAD_STATUS_PAGE: [u32; 3] = [0x1100_0001, 0x2080, 0x1000];
const UNKNOWN: [u32; 2] = [0x7fff_0000, 0];

fn store(at: u32, value: u32) -> [u32; 4] {
    [0x1000_0002, at, 0, value]
}

fn jump(at: u32) -> [u32; 3] {
    [0x1880_0101, at, 0]
}

impl Machine {
    fn put(&self, at: u32, dwords: &[u32]) {
        for (at, dword) in (u64::from(at)..).step_by(4).zip(dwords) {
            self.ram.write_u32(GuestAddress(at), *dword).unwrap();
        }
    }

    fn get(&self, at: u32) -> u32 {
        self.ram.read_u32(GuestAddress(u64::from(at))).unwrap()
    }

    /// Writes the batch that the driver submits.
    fn put_batch(&self, commands: &[&[u32]]) {
        self.put(FREE as u32, &commands.concat());
    }

    fn rules(&self) -> Vec<&'static str> {
        self.failed.iter().map(|why| why.rule).collect()
    }

    /// Runs the oldest job on the model.
    fn run_job(&mut self) {
        let model = Model::new(Clock::start()).unwrap();
        let id = self.jobs.remove(0);
        let job = self.handed_out.iter().find(|job| job.id == id).unwrap();
        let space = model.open_space(VmId(1), &self.ram, job.space).unwrap();
        let context = model.open_context(space, job.engine).unwrap();
        let (sender, receiver) = bounded(1);
        let ticket = Ticket::new(VmId(1), id, move |fence| sender.send(fence).unwrap());
        model.submit(job.engine, context, job.work.clone(), ticket).unwrap();
        model.kick(job.engine);
        let fence = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        let Outcome::Ended(end) = fence.outcome else { panic!("preempted") };
        self.act(|vgpu, fx| vgpu.finished(id, end, fx));
    }

    fn reset_engine(&mut self) {
        self.write(0x941C, ENGINE.reset_bit());
        self.driver = Some(crate::driver::Driver::start(self.ram.clone(), &mut |_, _| {}).unwrap());
    }
}

#[test]
fn what_is_not_a_user_s_is_refused_before_it_is_queued_and_the_engine_goes_on_after_a_reset() {
    let mut machine = Machine::new();
    machine.put_batch(&[&store(DATA, 1), &LOAD_STATUS_PAGE, &[END]]);
    machine.submit(ENGINE);
    assert_eq!(machine.jobs, []);
    assert_eq!(machine.rules(), ["command/register-write"]);
    assert!(machine.failed[0].detail.contains("0x400010"), "{}", machine.failed[0]);
    assert_eq!((machine.count("refused_at_scan"), machine.count("refused_at_fetch")), (1, 0));
    assert_eq!((machine.count("batches_scanned"), machine.count("commands_scanned")), (1, 2));
    assert_eq!(machine.count("bytes_scanned"), 16);
    assert_eq!(machine.quarantined, None);

    machine.reset_engine();
    machine.put_batch(&[&store(DATA, 1), &[END]]);
    let seqno = machine.submit(ENGINE);
    machine.run_job();
    assert_eq!((machine.completed(ENGINE), machine.get(DATA)), (seqno, 1));
}

#[test]
fn a_refused_batch_waits_for_the_one_ahead_of_it() {
    let mut machine = Machine::new();
    machine.put_batch(&[&store(DATA, 1), &[END]]);
    let first = machine.submit(ENGINE);
    machine.put_batch(&[&LOAD_STATUS_PAGE, &[END]]);
    machine.submit(ENGINE);
    assert_eq!((machine.jobs.len(), machine.rules()), (1, vec![]));
    machine.finish(JobEnd::Done);
    assert_eq!(machine.completed(ENGINE), first);
    assert_eq!(machine.rules(), ["command/register-write"]);
    assert_eq!((machine.jobs.len(), machine.cancelled.len()), (0, 0));
    assert_eq!(machine.count("refused_at_scan"), 1);
}

#[test]
fn a_batch_that_turns_hostile_after_its_scan_is_refused_where_it_is_fetched() {
    let mut machine = Machine::new();
    machine.put_batch(&[&store(DATA, 1), &store(DATA + 4, 2), &[END]]);
    machine.submit(ENGINE);
    assert_eq!(machine.jobs.len(), 1);
    machine.put_batch(&[&store(DATA, 1), &LOAD_STATUS_PAGE, &[END]]);
    machine.run_job();
    assert_eq!(machine.rules(), ["command/register-write"]);
    assert_eq!((machine.get(DATA), machine.get(DATA + 4)), (1, 0));
    assert_eq!((machine.count("refused_at_scan"), machine.count("refused_at_fetch")), (0, 1));
}

/// As Mesa makes draws on the GPU: the batch writes commands into another, and jumps there.
#[test]
fn a_batch_that_the_gpu_writes_itself_runs() {
    let mut machine = Machine::new();
    machine.put(SECOND, &[0xffff_ffff; 64]);
    let written = [&store(DATA, 7)[..], &[END]].concat();
    let writes: Vec<[u32; 4]> =
        (SECOND..).step_by(4).zip(&written).map(|(at, dword)| store(at, *dword)).collect();
    machine.put_batch(&[&writes.concat(), &jump(SECOND)]);
    let seqno = machine.submit(ENGINE);
    machine.run_job();
    assert_eq!((machine.completed(ENGINE), machine.get(DATA)), (seqno, 7));
    assert_eq!(machine.rules(), Vec::<&str>::new());
}

/// IGT's gem_eio waits for the store before the nonsense.
#[test]
fn nonsense_is_refused_where_it_stands_and_what_stands_before_it_is_done() {
    let nonsense: [(&[u32], &str); 4] = [
        (&UNKNOWN, "command/unknown"),
        (&[0x1300_0002, 0, 0, 0], "command/engine"),
        (&jump(0x7000_0000), "batch/unmapped"),
        (&[0x1200_0002, 0x2600, DATA, 0x4321_0000], "command/address"),
    ];
    for (command, rule) in nonsense {
        let mut machine = Machine::new();
        machine.put_batch(&[&store(DATA, 1), command, &store(DATA, 2), &[END]]);
        machine.submit(ENGINE);
        assert_eq!(machine.jobs.len(), 1, "{rule}");
        machine.run_job();
        assert_eq!((machine.rules(), machine.get(DATA)), (vec![rule], 1));
        assert_eq!((machine.count("refused_at_scan"), machine.count("refused_at_fetch")), (0, 1));
    }
}

#[test]
fn what_a_batch_starts_in_turn_is_judged_where_it_is_fetched() {
    let mut machine = Machine::new();
    machine.put(SECOND, &[&store(DATA, 1)[..], &LOAD_STATUS_PAGE, &[END]].concat());
    machine.put_batch(&[&jump(SECOND)]);
    machine.submit(ENGINE);
    machine.run_job();
    assert_eq!((machine.rules(), machine.get(DATA)), (vec!["command/register-write"], 1));
}

#[test]
fn a_scan_reads_a_bounded_part_of_a_batch() {
    let mut machine = Machine::new();
    machine.put_batch(&[&[0]]);
    machine.submit(ENGINE);
    assert_eq!(machine.jobs.len(), 1);
    assert_eq!(machine.count("bytes_scanned"), LIMIT);
    // What stands behind is refused where it is fetched.
    machine.put((FREE + LIMIT) as u32, &LOAD_STATUS_PAGE);
    machine.run_job();
    assert_eq!(machine.rules(), ["command/register-write"]);
}

#[test]
fn what_no_driver_does_in_its_ring_or_its_own_batches_cuts_the_guest_off() {
    for command in [&[0x1180_0001, 0x1000, 3][..], &[0x0c00_0000, 0x1000, 0]] {
        let mut ring = Machine::new();
        ring.queue(ENGINE, &[command, &[0]].concat());
        let mut batch = Machine::new();
        batch.put(SECOND, &[command, &[END]].concat());
        batch.queue(ENGINE, &[0x1880_0001, SECOND, 0, 0]);
        for machine in [ring, batch] {
            let why = machine.quarantined.unwrap();
            assert_eq!((why.rule, machine.failed), ("command/page-tables", vec![]));
        }
    }
}

#[test]
fn pages_of_a_guest_that_are_not_there_end_a_scan() {
    let ram = mediator::GuestRam::anonymous(1 << 20).unwrap();
    let mut scan = super::Scan::default();
    for levels in [0, 3, 4, 9] {
        for entries in [[0; 4], [0x1000; 4], [u64::MAX; 4]] {
            let space = SpaceRoot { levels, entries };
            for start in [0, 0xfff, u64::MAX] {
                let outcome = scan.batch(&ram, space, ENGINE, crate::address::PpgttAddress(start));
                assert_eq!(outcome.bytes, 0);
            }
        }
    }
}
