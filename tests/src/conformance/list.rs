//! A committed list of what came of each test of a suite: a line each, its name, its verdict, and why it isn't a pass.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::{Outcome, Tally, Verdict};
use crate::repository;

/// Where a list is committed, and the remarks that it begins with.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// From the repository's root.
    pub file: &'static str,
    /// Whole lines that begin with `#`.
    pub head: &'static str,
}

/// What came of each test, by its name.
#[derive(Debug)]
pub struct List {
    place: Place,
    outcomes: BTreeMap<String, Outcome>,
}

impl List {
    /// A list without entries.
    pub fn empty(place: Place) -> Self {
        Self { place, outcomes: BTreeMap::new() }
    }

    /// The committed list; empty if there is none.
    ///
    /// # Errors
    /// If a line isn't one.
    pub fn load(place: Place) -> Result<Self> {
        let text = match fs::read_to_string(repository().join(place.file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Self::parse(place, &text)
    }

    fn parse(place: Place, text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let parse = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (name, verdict) = (words.next()?, words.next()?);
            let verdict = Verdict::named(verdict)?;
            let reason = words.next().unwrap_or_default().to_owned();
            Some((name.to_owned(), Outcome { verdict, reason, seconds: 0.0, kernel: vec![] }))
        };
        let parse = |line| parse(line).with_context(|| format!("no line of the list: {line}"));
        Ok(Self { place, outcomes: lines.map(parse).collect::<Result<_>>()? })
    }

    fn text(&self) -> String {
        let mut text = self.place.head.to_owned();
        for (name, outcome) in &self.outcomes {
            let line = format!("{name} {} {}", outcome.verdict, outcome.reason.replace('\n', " "));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// # Errors
    /// If it can't be written.
    pub fn save(&self) -> Result<()> {
        fs::write(repository().join(self.place.file), self.text()).context("writing the list")
    }

    /// What came of a test.
    pub fn get(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.get(name)
    }

    /// Sets what came of one. Why stays as it was if the verdict does.
    pub fn set(&mut self, name: &str, mut outcome: Outcome) {
        if let Some(known) = self.outcomes.get(name)
            && known.verdict == outcome.verdict
        {
            outcome.reason.clone_from(&known.reason);
        }
        self.outcomes.insert(name.to_owned(), outcome);
    }

    /// Forgets what is not among these names.
    pub fn retain(&mut self, names: &[String]) {
        self.outcomes.retain(|name, _| names.contains(name));
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.outcomes.iter().map(|(name, outcome)| (name.as_str(), outcome))
    }

    /// How many ended in which way.
    pub fn tally(&self) -> Tally {
        Tally::of(self.outcomes.values())
    }

    /// Of one program's subtests.
    pub fn tally_of(&self, program: &str) -> Tally {
        let of = |name: &str| name.split_once('@').is_some_and(|(test, _)| test == program);
        Tally::of(self.iter().filter(|(name, _)| of(name)).map(|(_, outcome)| outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { file: "nowhere", head: "# A remark.\n" };

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let text = format!("{}a@b pass\na@c fail not so\nb@c timeout in x, or y\n", PLACE.head);
        let mut list = List::parse(PLACE, &text).unwrap();
        assert_eq!(list.text(), text);
        assert_eq!((list.tally().pass, list.tally().bad), (1, 2));
        assert_eq!(list.tally_of("b").bad, 1);
        list.set("a@c", Outcome::new("exit 98", &[], 1.0, vec![]));
        assert_eq!(list.text(), text, "a reason stays");
        assert!(List::parse(PLACE, "a@b perhaps").is_err());
    }
}
