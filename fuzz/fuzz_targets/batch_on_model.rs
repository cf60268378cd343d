//! Any batch on the model: what it does stays in its space, and the verdict at fetch agrees with the scan's, unless the
//! batch changed under way. The first byte says which engine, the next eight where it starts.
#![no_main]

use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

use gpu_intel::address::PpgttAddress;
use gpu_intel::audit::{Audit, Privilege, Verdict};
use gpu_intel::command::walk::Budget;
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use libfuzzer_sys::fuzz_target;
use mediator::memory::PAGE;
use mediator::{
    Clock, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Reason, Silicon, Ticket, VmId,
};
use vgate_fuzz::memory::{self, CANARY, Commands, MEMORY, SHOWN, WRITABLE};

const BUDGET: Budget = Budget { commands: 1 << 16, batches: 1 << 10 };
/// How long a batch may run. One that loops is killed.
const LIMIT: Duration = Duration::from_millis(3);
/// How long a killed one may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
const VM: VmId = VmId(0);

struct Rig {
    model: Model,
    audit: Audit,
    ram: GuestRam,
    hidden: Vec<u8>,
    jobs: u64,
}

impl Rig {
    fn new() -> Self {
        let model = Model::new(Clock::start()).expect("threads");
        let ram = memory::guest();
        let mut hidden = vec![0; SHOWN as usize];
        ram.read(GuestAddress(0), &mut hidden).expect("memory is there");
        assert_eq!(hidden.last(), Some(&CANARY));
        Self { model, audit: Audit::new(BUDGET), ram, hidden, jobs: 0 }
    }

    fn run(&mut self, engine: Engine, start: PpgttAddress) -> JobEnd {
        let space = self.model.open_space(VM, &self.ram, memory::root()).expect("a space");
        let context = self.model.open_context(space, engine.id()).expect("a context");
        self.jobs += 1;
        let job = JobId(self.jobs);
        let (fences, fence) = mpsc::channel();
        let ticket = Ticket::new(VM, job, move |fence| drop(fences.send(fence)));
        let submitted = self.model.submit(engine.id(), context, Batch::new(start), ticket);
        submitted.expect("a job");
        self.model.kick(engine.id());
        let fence = fence.recv_timeout(LIMIT).or_else(|_| {
            self.model.kill(engine.id(), VM, job, Reason::new("fuzz/time", "it took too long"));
            fence.recv_timeout(PATIENCE)
        });
        self.model.close_context(context);
        self.model.close_space(space);
        match fence.expect("a killed batch ends").outcome {
            Outcome::Ended(end) => end,
            other => panic!("{other:?}"),
        }
    }

    fn shown(&self) -> Vec<u8> {
        let mut shown = vec![0; SHOWN as usize];
        self.ram.read(GuestAddress(SHOWN), &mut shown).expect("memory is there");
        shown
    }
}

/// Whether a rule is one of the audit's.
fn is_of_audit(reason: &Reason) -> bool {
    reason.rule.starts_with("command/") || reason.rule == "batch/nesting"
}

thread_local! {
    static RIG: RefCell<Rig> = RefCell::new(Rig::new());
}

fuzz_target!(|input: &[u8]| {
    let Some((&[first, start @ .., _, _, _], batch)) = input.split_first_chunk::<12>() else {
        return;
    };
    let engine = Engine::ALL[usize::from(first & 3)];
    let start = PpgttAddress(u64::from_le_bytes(start) & !3).truncated();
    RIG.with_borrow_mut(|rig| {
        let zeros = vec![0; (MEMORY - SHOWN) as usize];
        rig.ram.write(GuestAddress(SHOWN), &zeros).expect("memory is there");
        memory::write(&rig.ram, start, &batch[..batch.len().min(1 << 16)]);
        let before = rig.shown();
        let outcome = rig.audit.judge(&mut Commands(&rig.ram), engine, Privilege::User, start);
        let end = rig.run(engine, start);
        let after = rig.shown();

        let mut hidden = vec![0; SHOWN as usize];
        rig.ram.read(GuestAddress(0), &mut hidden).expect("memory is there");
        assert!(hidden == rig.hidden, "memory outside of the batch's space has changed");
        let read_only = (WRITABLE * PAGE) as usize..;
        assert!(before[read_only.clone()] == after[read_only], "read-only memory has changed");

        // What has changed may have changed into anything.
        if before == after
            && let JobEnd::Fault(reason) = end
            && is_of_audit(&reason)
        {
            assert_ne!(outcome.verdict, Verdict::Pass, "{reason}");
        }
    });
});
