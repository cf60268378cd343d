//! What the i915 developers' own tests say of the virtual GPU (docs/conformance.md).

use std::time::Duration;

use anyhow::{Result, ensure};
use vgate_tests::conformance::{List, Mode, Results, Runner, SUITE, Test, Verdict, report, shim};
use vgate_tests::{piglit, repository};

/// A few of each kind, all short.
const FEW: &[(&str, &[&str])] = &[
    ("gem_exec_basic", &["basic"]),
    ("gem_exec_store", &["dword", "cachelines", "pages"]),
    ("gem_exec_fence", &["basic-busy-all", "basic-wait-all", "basic-await", "nb-await"]),
    ("gem_busy", &["busy", "extended", "parallel"]),
    ("kms_addfb_basic", &["basic", "size-max", "addfb25-y-tiled-legacy"]),
];

fn test_named(name: &str) -> Result<&'static Test> {
    let test = SUITE.tests.iter().find(|test| test.name == name);
    test.ok_or_else(|| anyhow::anyhow!("the suite has no {name}"))
}

#[test]
fn a_few_of_the_drivers_own_tests_pass() -> Result<()> {
    let mut runner = Runner::new("conformance-few", Mode::Pvinfo)?;
    for (name, subtests) in FEW {
        for subtest in *subtests {
            let outcome = runner.subtest(test_named(name)?, subtest)?;
            println!("{name}@{subtest}: {} {}", outcome.verdict, outcome.reason);
            ensure!(outcome.verdict == Verdict::Pass, "{name}@{subtest}: {outcome:?}");
        }
    }
    Ok(())
}

/// What of the subtests that run must pass, in percent.
const PASS_RATE: f64 = 90.0;

#[test]
fn nine_of_ten_passed_and_the_page_tells_all() -> Result<()> {
    let mut all = Vec::new();
    for mode in Mode::ALL {
        let committed = Results::load(&mode.committed())?;
        let (tally, percent) = (committed.tally(), committed.tally().percent());
        println!("{mode}: {tally:?}: {percent:.1} %");
        ensure!(percent >= PASS_RATE, "{mode}: {percent:.1} % pass");
        for test in SUITE.tests {
            ensure!(committed.tests.contains_key(test.name), "{mode} lacks {}", test.name);
        }
        let silent = committed.iter().find(|(.., outcome)| {
            matches!(outcome.verdict, Verdict::Skip | Verdict::Fail | Verdict::NotRun)
                && outcome.reason.is_empty()
        });
        ensure!(silent.is_none(), "{mode}: no reason: {silent:?}");
        all.push(committed);
    }
    let page = std::fs::read_to_string(repository().join("docs/conformance.md"))?;
    ensure!(
        page == report(&all, &List::load(shim::LIST)?, &List::load(piglit::LIST)?),
        "the page is old. Run: make conformance ARGS=--only-report"
    );
    Ok(())
}

/// Of those that passed, which are run anew: none longer than this, and all together about so long in each mode.
const SHORT: Duration = Duration::from_secs(20);
const ALL_TOGETHER: Duration = Duration::from_secs(20 * 60);

#[test]
#[ignore = "make test-long: some 20 minutes a mode"]
fn what_passed_still_passes() -> Result<()> {
    let mut lost = Vec::new();
    for mode in Mode::ALL {
        let committed = Results::load(&mode.committed())?;
        let mut runner = Runner::new(&format!("conformance-again-{mode}"), *mode)?;
        for (name, subtest) in committed.sample(SHORT, ALL_TOGETHER) {
            let test = test_named(name)?;
            let mut outcome = runner.subtest(test, subtest)?;
            println!("{mode}: {name}@{subtest}: {} {}", outcome.verdict, outcome.reason);
            if outcome.verdict != Verdict::Pass {
                // In a new guest. IGT asserts times, too, and other programs may have had the processors.
                outcome = runner.subtest(test, subtest)?;
                println!("{mode}: {name}@{subtest}, again: {} {}", outcome.verdict, outcome.reason);
            }
            if outcome.verdict != Verdict::Pass {
                lost.push(format!("{mode}: {name}@{subtest}: {outcome:?}"));
            }
        }
    }
    ensure!(lost.is_empty(), "passed before:\n{}", lost.join("\n"));
    Ok(())
}
