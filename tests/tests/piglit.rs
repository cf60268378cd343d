//! Programs of piglit draw with unmodified Mesa over the software GPU, and look at their own pixels. What passed must go on to
//! (tests/conformance/piglit.txt), and none may crash or hang.

use anyhow::{Result, ensure};
use vgate_tests::conformance::{List, Verdict};
use vgate_tests::piglit;

/// How many of the list must pass, whatever the committed list says.
const LEAST: usize = 360;

/// Of so many programs that pass, `make test` runs one.
const STRIDE: usize = 6;

#[test]
fn each_listed_program_has_a_verdict_and_none_crashed_or_hung() -> Result<()> {
    let (list, listed) = (List::load(piglit::LIST)?, piglit::listed()?);
    let names: Vec<_> = list.iter().map(|(name, _)| name).collect();
    ensure!(names == listed, "the lists differ. Run: make conformance ARGS=--piglit");
    let pass = list.iter().filter(|(_, outcome)| outcome.verdict == Verdict::Pass).count();
    println!("{pass} of {} pass", listed.len());
    ensure!(pass >= LEAST, "{pass} of {} pass: less than {LEAST}", listed.len());
    for (name, outcome) in list.iter() {
        ensure!(
            matches!(outcome.verdict, Verdict::Pass | Verdict::Fail | Verdict::Skip),
            "{name}: {}",
            outcome.verdict
        );
        ensure!(
            outcome.verdict == Verdict::Pass || outcome.reason.contains(": "),
            "{name}: why not?"
        );
    }
    Ok(())
}

#[test]
fn one_in_six_of_those_that_passed_still_draws_the_right_pixels() -> Result<()> {
    let list = List::load(piglit::LIST)?;
    let passed = list.iter().filter(|(_, outcome)| outcome.verdict == Verdict::Pass);
    let some: Vec<_> = passed.map(|(name, _)| name.to_owned()).step_by(STRIDE).collect();
    run(&some)
}

#[test]
#[ignore = "make test-long: 400 programs, some minutes"]
fn all_that_passed_still_draw_the_right_pixels_and_none_crashes_or_hangs() -> Result<()> {
    run(&piglit::listed()?)
}

/// Runs programs; those that pass on the list must pass.
fn run(names: &[String]) -> Result<()> {
    let list = List::load(piglit::LIST)?;
    let mut worse = Vec::new();
    piglit::run_all_on_vgate(names, |name, outcome| {
        let known = list.get(name).map(|known| known.verdict);
        let must_pass = known == Some(Verdict::Pass);
        match outcome.verdict {
            Verdict::Pass if !must_pass => {
                println!("{name}: passes now, and is not on the list as one");
            }
            Verdict::Pass => {}
            Verdict::Fail | Verdict::Skip if !must_pass => {}
            verdict => worse.push(format!("{name}: {verdict} {}", outcome.reason)),
        }
        Ok(())
    })?;
    ensure!(worse.is_empty(), "{} of {}:\n{}", worse.len(), names.len(), worse.join("\n"));
    Ok(())
}
