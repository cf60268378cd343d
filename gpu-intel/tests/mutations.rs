//! Real batches, made hostile in thousands of ways: the audit must catch each for the right reason, and let pass what
//! only looks odd.

#[allow(dead_code, reason = "another test uses the rest of it")]
mod corpus;
mod variants;

use std::collections::BTreeMap;

use corpus::{Batch, Patched, Place, each_batch};
use gpu_intel::audit::{Audit, Outcome, Privilege, Verdict};
use variants::{HARMLESS, HOSTILE};

/// Variants of each class that are made.
const ENOUGH: u32 = 100;

fn judge(auditor: &mut Audit, batch: &mut Batch<'_>, place: &Place, dwords: &[u32]) -> Outcome {
    let changed = dwords.iter().enumerate().map(|(i, d)| (place.at.0 + 4 * i as u64, *d));
    let mut memory = Patched { inner: &mut *batch.memory, changed: changed.collect(), hole: None };
    auditor.judge(&mut memory, batch.engine, Privilege::User, batch.start)
}

#[test]
fn hostile_variants_of_real_batches_are_all_caught_for_the_right_reason() {
    let mut auditor = Audit::default();
    let mut caught: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    each_batch(|mut batch| {
        for class in HOSTILE {
            // A few places of each batch, spread over all of it.
            let places: Vec<_> = batch
                .places
                .iter()
                .filter_map(|place| Some((place.clone(), (class.change)(place)?)))
                .collect();
            let step = (places.len() / 2).max(1);
            for (place, dwords) in places.iter().step_by(step) {
                let count = caught.entry(class.name).or_default();
                if *count >= ENOUGH {
                    break;
                }
                let outcome = judge(&mut auditor, &mut batch, place, dwords);
                match &outcome.verdict {
                    Verdict::Fail(refusal) if refusal.reason.rule == class.rule => *count += 1,
                    other => wrong.push(format!(
                        "{} in {} at {:#x}: {other:?}",
                        class.name, batch.name, place.at
                    )),
                }
            }
        }
    });
    assert!(
        wrong.is_empty(),
        "{} wrong, the first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(8)]
    );
    let never: Vec<_> = HOSTILE.iter().filter(|c| !caught.contains_key(c.name)).collect();
    assert!(never.is_empty(), "never made: {:?}", never.iter().map(|c| c.name).collect::<Vec<_>>());
    let total: u32 = caught.values().sum();
    println!("{total} hostile variants in {} classes, all caught", caught.len());
    assert!(total >= 2000 && caught.len() >= 25);
}

#[test]
fn a_batch_that_runs_off_its_end_is_caught() {
    let mut auditor = Audit::default();
    each_batch(|batch| {
        let end = batch.places.iter().rfind(|p| p.command.name == "MI_BATCH_BUFFER_END");
        let end = end.unwrap().at.0;
        let mut memory =
            Patched { inner: batch.memory, changed: [(end, 0)].into(), hole: Some(end + 4) };
        let outcome = auditor.judge(&mut memory, batch.engine, Privilege::User, batch.start);
        match outcome.verdict {
            Verdict::Fail(refusal) => {
                assert_eq!(refusal.reason.rule, "batch/end", "{}", batch.name);
            }
            other => panic!("{}: {other:?}", batch.name),
        }
    });
}

#[test]
fn harmless_variants_of_real_batches_pass() {
    let mut auditor = Audit::default();
    let mut passed = 0;
    each_batch(|mut batch| {
        for (name, change) in HARMLESS {
            let places: Vec<_> = batch
                .places
                .iter()
                .filter_map(|place| Some((place.clone(), change(place)?)))
                .collect();
            for (place, dwords) in places.iter().step_by((places.len() / 2).max(1)) {
                let outcome = judge(&mut auditor, &mut batch, place, dwords);
                assert_eq!(outcome.verdict, Verdict::Pass, "{name} in {}", batch.name);
                passed += 1;
            }
        }
    });
    println!("{passed} harmless variants, all pass");
    assert!(passed > 500);
}

#[test]
fn all_captured_batches_pass() {
    let mut auditor = Audit::default();
    let (mut batches, mut commands) = (0, 0);
    each_batch(|batch| {
        let outcome = auditor.judge(batch.memory, batch.engine, Privilege::User, batch.start);
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", batch.name);
        batches += 1;
        commands += outcome.commands;
    });
    println!("{batches} batches, {commands} commands pass");
    assert!(batches >= 115);
}
