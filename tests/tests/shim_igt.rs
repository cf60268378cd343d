//! What the i915 developers' own tests say of the library that stands in for i915: every subtest of the list
//! (tests/conformance/shim.txt) ends as it says. `make conformance ARGS='--shim [TEST@SUBTEST]...'` writes the list anew.

use anyhow::{Result, ensure};
use vgate_tests::conformance::shim::{self, LIST};
use vgate_tests::conformance::{List, Verdict};

/// A few of each kind, all short.
const FEW: &[&str] = &[
    "gem_exec_basic@basic",
    "gem_exec_store@dword",
    "gem_softpin@zero",
    "gem_create@create-valid-nonaligned",
    "gem_exec_params@invalid-ring",
    "gem_busy@extended",
    "gem_wait@busy",
    "gem_ctx_create@basic",
    "gem_ctx_param@basic",
    "i915_query@query-topology-kernel-writes",
    "i915_getparams_basic@basic-subslice-total",
    "prime_self_import@basic-with_two_bos",
    "syncobj_basic@bad-create-flags",
];

/// What's wrong with how a subtest ended, if it passed before. It may try twice: IGT asserts times, too.
fn lost(name: &str) -> Result<Option<String>> {
    for _ in 0..2 {
        let outcome = shim::run(name)?;
        println!("{name}: {} in {:.1} s {}", outcome.verdict, outcome.seconds, outcome.reason);
        if outcome.verdict == Verdict::Pass {
            return Ok(None);
        }
    }
    Ok(Some(name.to_owned()))
}

#[test]
fn a_few_of_each_kind_pass() -> Result<()> {
    let lost: Vec<_> = FEW.iter().map(|name| lost(name)).collect::<Result<_>>()?;
    let lost: Vec<_> = lost.into_iter().flatten().collect();
    ensure!(lost.is_empty(), "{lost:?}");
    Ok(())
}

#[test]
fn every_subtest_is_listed_with_a_reason_unless_it_passes() -> Result<()> {
    let list = List::load(LIST)?;
    let missing: Vec<_> =
        shim::subtests()?.into_iter().filter(|name| list.get(name).is_none()).collect();
    ensure!(missing.is_empty(), "not listed: {missing:?}");
    for (name, outcome) in list.iter() {
        let silent = outcome.verdict != Verdict::Pass && outcome.reason.is_empty();
        ensure!(!silent, "{name} has no reason");
    }
    println!("{:?}", list.tally());
    Ok(())
}

#[test]
#[ignore = "make test-long: some hundred subtests, 1 s and more each"]
fn what_is_listed_as_a_pass_passes() -> Result<()> {
    let mut all_lost = Vec::new();
    for (name, outcome) in List::load(LIST)?.iter() {
        if outcome.verdict == Verdict::Pass {
            all_lost.extend(lost(name)?);
        }
    }
    ensure!(all_lost.is_empty(), "passed before: {all_lost:?}");
    Ok(())
}
