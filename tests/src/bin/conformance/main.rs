//! Runs the i915 developers' tests, IGT, in guests, and writes docs/conformance.md.
//!
//! What came of each subtest is kept at once, so that a run that was stopped goes on where it was.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use vgate_tests::conformance::{
    List, Mode, Outcome, Results, Runner, SUITE, Test, Verdict, matches, report, shim,
};
use vgate_tests::{igt_version, piglit, repository};

/// Why a subtest has no result when the time was over before its turn.
const NOT_YET: &str = "not yet: no time was left";

/// Runs IGT in guests against vgate's virtual GPU, and writes docs/conformance.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// Tests, or TEST@SUBTEST, `*` for anything [default: the whole list]
    patterns: Vec<String>,
    /// As what the device shows itself to its guest
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Seconds that a subtest may take, in the place of the list's
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
    /// Seconds after which no further subtest is begun; what had no turn is listed as not run
    #[arg(long, value_name = "SECONDS")]
    stop_after: Option<u64>,
    /// Run what has a result already, too
    #[arg(long)]
    again: bool,
    /// Run what has a result that is no pass, too
    #[arg(long)]
    failed: bool,
    /// Print results as JSON, an object a line
    #[arg(long)]
    json: bool,
    /// Where the results are, and go [default: the committed ones, tests/conformance/MODE.json]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Run the list of those on the shim, with no guest: whole, or as the patterns say
    #[arg(long, conflicts_with_all = ["mode", "limit", "stop_after", "again", "failed", "json", "results"])]
    shim: bool,
    /// Run the programs of tests/piglit.txt on the shim, with no guest: those without a result, or as the options say
    #[arg(long, conflicts_with_all = ["mode", "limit", "stop_after", "json", "results", "shim"])]
    piglit: bool,
    /// Run nothing; write docs/conformance.md from the results
    #[arg(long)]
    only_report: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.shim {
        on_shim(&arguments.patterns)?;
        return write_report();
    }
    if arguments.piglit {
        on_piglit(arguments)?;
        return write_report();
    }
    let path = arguments.results.clone().unwrap_or_else(|| arguments.mode.committed());
    if !arguments.only_report {
        let results =
            if path.exists() { Results::load(&path)? } else { Results::new(arguments.mode) };
        ensure!(results.mode == arguments.mode, "{} is of mode {}", path.display(), results.mode);
        Run { arguments, path: path.clone(), results, start: Instant::now() }.all()?;
    }
    if path == arguments.mode.committed() {
        write_report()?;
    }
    Ok(())
}

/// Runs subtests on the shim, and keeps what came of each.
fn on_shim(patterns: &[String]) -> Result<()> {
    let mut list = List::load(shim::LIST)?;
    let wanted = |name: &String| {
        let means =
            |pattern: &String| matches(pattern, name) || matches(&format!("{pattern}@*"), name);
        patterns.is_empty() || patterns.iter().any(means)
    };
    for name in shim::subtests()?.iter().filter(|name| wanted(name)) {
        let outcome = shim::run(name)?;
        println!("{name}: {} in {:.1} s {}", outcome.verdict, outcome.seconds, outcome.reason);
        list.set(name, outcome);
        list.save()?;
    }
    eprintln!("conformance: {:?}", list.tally());
    Ok(())
}

/// Runs programs of piglit on the shim, and keeps what came of each.
fn on_piglit(arguments: &Arguments) -> Result<()> {
    let mut list = List::load(piglit::LIST)?;
    let listed = piglit::listed()?;
    list.retain(&listed);
    let asked = |name: &str| {
        let mut patterns = arguments.patterns.iter();
        arguments.patterns.is_empty() || patterns.any(|pattern| matches(pattern, name))
    };
    let wanted = |name: &&String| {
        asked(name)
            && match list.get(name) {
                None => true,
                Some(_) if arguments.again => true,
                Some(known) => arguments.failed && known.verdict != Verdict::Pass,
            }
    };
    let names: Vec<_> = listed.iter().filter(wanted).cloned().collect();
    let mut done = 0;
    piglit::run_all_on_vgate(&names, |name, outcome| {
        done += 1;
        let Outcome { verdict, seconds, reason, .. } = &outcome;
        println!("{done}/{} {name}: {verdict} in {seconds:.1} s {reason}", names.len());
        list.set(name, outcome);
        list.save()
    })?;
    eprintln!("conformance: {:?}", list.tally());
    Ok(())
}

/// Writes the page from all modes' committed results.
fn write_report() -> Result<()> {
    let all = Mode::ALL.iter().map(|mode| mode.committed()).filter(|path| path.exists());
    let all = all.map(|path| Results::load(&path)).collect::<Result<Vec<_>>>()?;
    let page = repository().join("docs/conformance.md");
    std::fs::write(&page, report(&all, &List::load(shim::LIST)?, &List::load(piglit::LIST)?))
        .with_context(|| page.display().to_string())?;
    eprintln!("conformance: wrote {}", page.display());
    Ok(())
}

struct Run<'a> {
    arguments: &'a Arguments,
    path: PathBuf,
    results: Results,
    start: Instant,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut runner = Runner::new(&format!("conformance-{stem}"), self.arguments.mode)?;
        self.results.kernel = runner.kernel()?;
        self.results.igt = igt_version()?;
        for test in SUITE.tests {
            if self.patterns(test).next().is_some() {
                self.test(&mut runner, test)?;
            }
        }
        let tally = self.results.tally();
        eprintln!(
            "conformance: {} pass, {} don't, {} skip, {} not run: {:.1} % of those that ran pass",
            tally.pass,
            tally.bad,
            tally.skip,
            tally.not_run,
            tally.percent()
        );
        Ok(())
    }

    fn test(&mut self, runner: &mut Runner, test: &Test) -> Result<()> {
        let mut test = *test;
        test.seconds = self.arguments.limit.unwrap_or(test.seconds);
        let subtests = runner.list(&test)?;
        let count = subtests.len();
        for (number, subtest) in subtests.iter().enumerate() {
            if !self.wanted(&test, subtest) {
                continue;
            }
            let outcome = match (self.out_of_time(), self.results.get(test.name, subtest)) {
                (false, _) => runner.subtest(&test, subtest)?,
                (true, None) => Outcome::not_run(NOT_YET),
                (true, Some(_)) => continue,
            };
            self.print(&test, subtest, &outcome, number + 1, count)?;
            self.results.set(test.name, subtest, outcome);
            self.results.save(&self.path)?;
        }
        Ok(())
    }

    /// The subtests' patterns that a test is asked for with.
    fn patterns(&self, test: &Test) -> impl Iterator<Item = &str> {
        let whole_list = self.arguments.patterns.is_empty().then_some("*");
        let asked = self.arguments.patterns.iter().filter_map(|pattern| {
            let (name, subtests) = pattern.split_once('@').unwrap_or((pattern, "*"));
            matches(name, test.name).then_some(subtests)
        });
        whole_list.into_iter().chain(asked)
    }

    fn wanted(&self, test: &Test, subtest: &str) -> bool {
        let asked = self.patterns(test).any(|pattern| matches(pattern, subtest));
        asked
            && match self.results.get(test.name, subtest) {
                None => true,
                Some(_) if self.arguments.again => true,
                Some(known) if known.reason == NOT_YET => true,
                Some(known) => self.arguments.failed && known.verdict != Verdict::Pass,
            }
    }

    fn out_of_time(&self) -> bool {
        self.arguments
            .stop_after
            .is_some_and(|seconds| self.start.elapsed() >= Duration::from_secs(seconds))
    }

    fn print(
        &self,
        test: &Test,
        subtest: &str,
        outcome: &Outcome,
        number: usize,
        count: usize,
    ) -> Result<()> {
        if self.arguments.json {
            let mut object = serde_json::to_value(outcome)?;
            object["test"] = test.name.into();
            object["subtest"] = subtest.into();
            println!("{object}");
        } else {
            let Outcome { verdict, seconds, reason, .. } = outcome;
            println!(
                "{:5.0}s {}@{subtest} ({number}/{count}): {verdict} in {seconds:.1} s {reason}",
                self.start.elapsed().as_secs_f64(),
                test.name
            );
        }
        Ok(())
    }
}
