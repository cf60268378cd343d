//! Any batch, judged. The first byte says for which engine and whose it is, the next three where it starts; the rest is
//! memory, and nothing else is mapped.
#![no_main]

use gpu_intel::address::PpgttAddress;
use gpu_intel::audit::{Audit, Privilege, Verdict};
use gpu_intel::command::walk::Budget;
use gpu_intel::engine::Engine;
use libfuzzer_sys::fuzz_target;
use vgate_fuzz::memory::Flat;

const BUDGET: Budget = Budget { commands: 1 << 14, batches: 64 };

thread_local! {
    static USED: std::cell::RefCell<Audit> = std::cell::RefCell::new(Audit::new(BUDGET));
}

fuzz_target!(|input: &[u8]| {
    let Some((&[first, a, b, c], memory)) = input.split_first_chunk() else { return };
    let engine = Engine::ALL[usize::from(first & 3)];
    let privilege = if first & 4 == 0 { Privilege::User } else { Privilege::Kernel };
    // Mostly at the beginning.
    let start = if first & 8 == 0 { 0 } else { u32::from_le_bytes([a, b, c, 0]) };
    let mut memory = Flat(memory.as_chunks().0);
    let start = PpgttAddress(start.into());
    let mut fresh = Audit::new(BUDGET);
    let outcome = fresh.judge(&mut memory, engine, privilege, start);
    let again = USED.with_borrow_mut(|audit| audit.judge(&mut memory, engine, privilege, start));
    assert_eq!(outcome, again, "an auditor remembers nothing of other batches");
    assert!(outcome.commands <= BUDGET.commands + 1);
    match outcome.verdict {
        Verdict::Pass => assert!(outcome.commands > 0 && outcome.bytes >= 4 * outcome.commands),
        Verdict::Fail(refusal) => {
            assert!(privilege == Privilege::User && !refusal.reason.detail.is_empty());
        }
        Verdict::Quarantine(_) => assert_eq!(privilege, Privilege::Kernel),
    }
});
