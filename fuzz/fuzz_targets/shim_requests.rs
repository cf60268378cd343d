//! A client of the shim that asks for anything: no page table of its ever shows what is not its own, and when all is over
//! nothing is left.
#![no_main]

use arbitrary::Arbitrary;
use gpu_intel::address::PpgttAddress;
use gpu_intel::gtt::PageTableWalker;
use gpu_intel::silicon::Batch;
use gpu_intel::{Client, Platform};
use guest_shim::wire::{ContextName, Request, SpaceName, Submission, Token};
use libfuzzer_sys::fuzz_target;
use mediator::shim::{Bounds, ClientSetup, Effects, Layout, Session};
use mediator::{Clock, GuestAddress, Job, JobEnd, Reason};
use vgate_fuzz::guest_memory;

/// The client's memory, and behind it what is not the client's.
const ARENA: u64 = 0x8_0000;
const TABLES: u64 = 0x10_0000;
const END: u64 = 0x40_0000;
const ENGINES: usize = 4;
const FENCES: usize = 8;
/// Names that are closed in the end: those of the small numbers that inputs are likely to find.
const NAMES: u32 = 64;

#[derive(Arbitrary, Debug)]
enum Step {
    /// Words as they come.
    Words([u64; 8]),
    /// A request: its verb, flags, and operands of which each is small or anything.
    Request { verb: u8, flags: u8, token: u8, operands: [(u8, Option<u64>); 4] },
    /// So many jobs end, in this way.
    End(u8, u8),
}

/// Numbers that fit: names, page by page; or two names in a word.
fn operand((small, any): (u8, Option<u64>)) -> u64 {
    let low = u64::from(small & 15);
    any.unwrap_or(match small >> 4 {
        0..=5 => low,
        6..=11 => low << 12,
        _ => low << 32 | u64::from(small >> 4 & 3),
    })
}

fn words(step: &Step) -> Option<[u64; 8]> {
    match step {
        Step::Words(words) => Some(*words),
        Step::Request { verb, flags, token, operands } => {
            let head = u64::from(*verb % 13) << 48 | u64::from(flags & 1) << 32 | u64::from(*token);
            let [a, b, c, d] = operands.map(operand);
            Some([head, a, b, c, d, 0, 0, 0])
        }
        Step::End(..) => None,
    }
}

fn end(how: u8) -> JobEnd {
    match how % 3 {
        0 => JobEnd::Done,
        1 => JobEnd::Fault(Reason::new("fuzz/fault", "a fault")),
        _ => JobEnd::Killed(Reason::new("fuzz/killed", "killed")),
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let ram = guest_memory(END);
    let tables = GuestAddress(TABLES)..GuestAddress(END);
    let setup = ClientSetup { ram: ram.clone(), tables, clock: Clock::start() };
    let gpu = Box::new(Client::new(Platform::KabyLake, setup));
    let bounds = Bounds { spaces: 8, contexts: 16, queued: 64, notices: 16, awaited: 8 };
    let mut session: Session<Batch> =
        Session::new(gpu, Layout::new(ARENA), bounds, ENGINES, FENCES);
    let mut out: Vec<Job<Batch>> = Vec::new();
    let mut fx = Effects::new();
    for step in &steps {
        if let Step::End(count, how) = step {
            for _ in 0..usize::from(*count).min(out.len()) {
                session.ended(out.remove(0).id, end(*how), &mut fx);
                out.append(&mut fx.jobs);
            }
        } else if session.has_room()
            && let Some(Ok(submission)) = words(step).map(|words| Submission::decode(&words))
        {
            session.handle(submission, &mut fx);
            out.append(&mut fx.jobs);
        }
        for job in &out {
            let walker = PageTableWalker::new(job.space);
            for at in (0..16).map(|page| page << 12).chain([job.work.start.0]) {
                if let Ok(page) = walker.walk(&ram, PpgttAddress(at)) {
                    assert!(page.physical.0 < ARENA, "{at:#x} shows {:#x}", page.physical.0);
                }
            }
        }
    }
    let all = (0..NAMES).map(|n| Request::CloseContext { context: ContextName(n) });
    let all = all.chain((0..NAMES).map(|n| Request::CloseSpace { space: SpaceName(n) }));
    for request in all {
        session.handle(Submission { token: Token::NOBODY, request }, &mut fx);
        out.append(&mut fx.jobs);
    }
    while !out.is_empty() {
        session.ended(out.remove(0).id, JobEnd::Done, &mut fx);
        out.append(&mut fx.jobs);
    }
});
