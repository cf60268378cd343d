//! All outcomes of a mode, as a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Mode, Outcome, Verdict};

/// Outcomes by test and subtest, and of what they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// As what the device showed itself.
    pub mode: Mode,
    /// The guest's kernel.
    pub kernel: String,
    /// IGT's version.
    pub igt: String,
    /// By test, then by subtest.
    pub tests: BTreeMap<String, BTreeMap<String, Outcome>>,
}

/// How many ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passes.
    pub pass: usize,
    /// Those that say they can't run here.
    pub skip: usize,
    /// Failures, crashes, time-outs.
    pub bad: usize,
    /// Those left out.
    pub not_run: usize,
}

impl Tally {
    /// Counts outcomes.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            *match outcome.verdict {
                Verdict::Pass => &mut tally.pass,
                Verdict::Skip => &mut tally.skip,
                Verdict::NotRun => &mut tally.not_run,
                _ => &mut tally.bad,
            } += 1;
        }
        tally
    }

    /// Passes in percent of the subtests that ran: those that neither skipped nor were left out.
    pub fn percent(&self) -> f64 {
        let ran = self.pass + self.bad;
        if ran == 0 { 100.0 } else { 100.0 * self.pass as f64 / ran as f64 }
    }
}

impl Results {
    /// Of a mode, still empty.
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it isn't there or holds something else.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let part = path.with_extension("part");
        fs::write(&part, serde_json::to_string_pretty(self)? + "\n")?;
        fs::rename(&part, path).with_context(|| path.display().to_string())
    }

    /// What came of a subtest, if it is known.
    pub fn get(&self, test: &str, subtest: &str) -> Option<&Outcome> {
        self.tests.get(test)?.get(subtest)
    }

    /// Keeps an outcome in the place of an older one.
    pub fn set(&mut self, test: &str, subtest: &str, outcome: Outcome) {
        self.tests.entry(test.to_owned()).or_default().insert(subtest.to_owned(), outcome);
    }

    /// All outcomes counted.
    pub fn tally(&self) -> Tally {
        Tally::of(self.tests.values().flat_map(BTreeMap::values))
    }

    /// All outcomes: test, subtest, outcome.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Outcome)> {
        self.tests.iter().flat_map(|(test, subtests)| {
            subtests.iter().map(|(subtest, outcome)| (test.as_str(), subtest.as_str(), outcome))
        })
    }

    /// Some of what passed, test and subtest: of each test the shortest, of each the second shortest, and so on, while
    /// none took longer than `each` and all of them not longer than `together`. The shortest of each test is always there.
    pub fn sample(&self, each: Duration, together: Duration) -> Vec<(&str, &str)> {
        let mut passed = Vec::new();
        for (test, subtests) in &self.tests {
            let of_test = subtests.iter().filter(|(_, o)| o.verdict == Verdict::Pass);
            let mut of_test: Vec<_> = of_test.map(|(name, o)| (o.seconds, name)).collect();
            of_test.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
            let of_test = of_test.into_iter().enumerate();
            let ranked = of_test.map(|(rank, (seconds, name))| (rank, test, name, seconds));
            passed
                .extend(ranked.filter(|&(rank, .., took)| rank == 0 || took <= each.as_secs_f64()));
        }
        passed.sort_by_key(|&(rank, test, name, _)| (rank, test, name));
        let mut sum = 0.0;
        let fits = |&(rank, _, _, seconds): &(usize, _, _, f64)| {
            sum += seconds;
            rank == 0 || sum <= together.as_secs_f64()
        };
        let mut chosen: Vec<_> = passed.into_iter().take_while(fits).collect();
        // One test after the other, as in the whole list.
        chosen.sort_by_key(|&(_, test, name, _)| (test, name));
        chosen.into_iter().map(|(_, test, name, _)| (test.as_str(), name.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Mode, Outcome, Verdict};
    use super::Results;

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome { verdict, reason: String::new(), seconds: 1.0, kernel: vec![] }
    }

    fn results(verdicts: &[(&str, Verdict)]) -> Results {
        let mut results = Results::new(Mode::Pvinfo);
        for (subtest, verdict) in verdicts {
            results.set("gem", subtest, outcome(*verdict));
        }
        results
    }

    #[test]
    fn skips_are_no_part_of_the_rate() {
        let three = results(&[("a", Verdict::Pass), ("b", Verdict::Skip), ("c", Verdict::Timeout)]);
        assert!((three.tally().percent() - 50.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_sample_has_the_shortest_of_each_test_and_no_end_of_others() {
        let mut results = Results::new(Mode::Pvinfo);
        for (test, subtest, verdict, seconds) in [
            ("a", "long", Verdict::Pass, 90.0),
            ("b", "one", Verdict::Pass, 1.0),
            ("b", "two", Verdict::Pass, 2.0),
            ("b", "three", Verdict::Pass, 3.0),
            ("b", "long", Verdict::Pass, 21.0),
            ("b", "skipped", Verdict::Skip, 0.1),
            ("c", "two", Verdict::Pass, 2.0),
            ("c", "one", Verdict::Pass, 1.0),
            ("d", "failed", Verdict::Fail, 1.0),
        ] {
            results.set(test, subtest, Outcome { seconds, ..outcome(verdict) });
        }
        let sample =
            |together| results.sample(Duration::from_secs(20), Duration::from_secs(together));
        assert_eq!(sample(0), [("a", "long"), ("b", "one"), ("c", "one")]);
        assert_eq!(sample(95), [("a", "long"), ("b", "one"), ("b", "two"), ("c", "one")]);
        assert_eq!(sample(1000).len(), 6);
    }

    #[test]
    fn a_file_holds_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/results.json");
        results(&[("a", Verdict::NotRun)]).save(&path).unwrap();
        let read = Results::load(&path).unwrap();
        assert_eq!(read.get("gem", "a"), Some(&outcome(Verdict::NotRun)));
    }
}
