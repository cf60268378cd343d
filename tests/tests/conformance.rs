//! What the i915 developers' own tests say of the virtual GPU (docs/conformance.md).

use anyhow::{Result, ensure};
use vgate_tests::conformance::{Mode, Results, Runner, SUITE, Test, Verdict};

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
#[ignore = "make test-long: hundreds of subtests, hours"]
fn what_passed_still_passes() -> Result<()> {
    // Modes whose results are there to compare with; today the one.
    ensure!(Mode::Pvinfo.committed().exists(), "no results in tests/conformance");
    for mode in Mode::ALL.iter().filter(|mode| mode.committed().exists()) {
        let committed = Results::load(&mode.committed())?;
        let mut runner = Runner::new(&format!("conformance-all-{mode}"), *mode)?;
        let mut results = Results::new(*mode);
        for test in SUITE.tests {
            for subtest in runner.list(test)? {
                let outcome = runner.subtest(test, &subtest)?;
                println!("{}@{subtest}: {} {}", test.name, outcome.verdict, outcome.reason);
                results.set(test.name, &subtest, outcome);
            }
        }
        let tally = results.tally();
        println!("{mode}: {tally:?}: {:.1} %", tally.percent());
        assert_eq!(results.lost_since(&committed), Vec::<String>::new());
        ensure!(tally.percent() >= PASS_RATE, "{:.1} % pass", tally.percent());
    }
    Ok(())
}
