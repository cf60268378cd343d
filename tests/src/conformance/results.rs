//! All outcomes of a mode, as a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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

    /// Subtests that passed there, ran here, and don't pass here: `test@subtest: verdict reason`. One that was left out
    /// here has not run; one that skips now counts as lost.
    pub fn lost_since(&self, committed: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        for (test, subtests) in &committed.tests {
            for (subtest, before) in subtests {
                let Some(now) = self.get(test, subtest) else { continue };
                let ran = now.verdict != Verdict::NotRun;
                if before.verdict == Verdict::Pass && ran && now.verdict != Verdict::Pass {
                    lost.push(format!("{test}@{subtest}: {} {}", now.verdict, now.reason));
                }
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
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
    fn what_passed_and_does_not_any_more_is_lost() {
        let before = results(&[("a", Verdict::Pass), ("b", Verdict::Pass), ("c", Verdict::Fail)]);
        let now = results(&[("a", Verdict::Pass), ("b", Verdict::Skip), ("c", Verdict::Fail)]);
        assert_eq!(now.lost_since(&before), ["gem@b: skip "]);
        assert!(before.lost_since(&now).is_empty());
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
