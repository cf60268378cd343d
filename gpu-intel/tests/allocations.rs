//! Judging takes no memory as long as it refuses nothing. Alone in its process: the allocator counts everybody's.

#[allow(dead_code, reason = "another test uses the rest of it")]
mod corpus;

use corpus::each_batch;
use gpu_intel::audit::{Audit, Privilege, Verdict};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn a_batch_that_passes_costs_no_allocation() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut audit = Audit::default();
    let mut batches = 0;
    each_batch(|batch| {
        let before = dhat::HeapStats::get().total_blocks;
        let outcome = audit.judge(batch.memory, batch.engine, Privilege::User, batch.start);
        let allocations = dhat::HeapStats::get().total_blocks - before;
        assert_eq!((outcome.verdict, allocations), (Verdict::Pass, 0), "{}", batch.name);
        batches += 1;
    });
    assert!(batches > 100, "{batches} batches");
    // It does count: a refusal has a text.
    let before = dhat::HeapStats::get().total_blocks;
    assert!(!String::from("counted").is_empty());
    assert!(dhat::HeapStats::get().total_blocks > before);
}
