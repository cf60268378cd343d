//! IGT with no guest: on the library that stands in for i915 (`vgate shim`), and the list of what came of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Outcome, Tally, Verdict};
use crate::{Root, Run, repository};

/// IGT's programs that are run, each subtest a process of its own.
pub const PROGRAMS: &[&str] = &[
    "gem_busy",
    "gem_create",
    "gem_ctx_create",
    "gem_ctx_param",
    "gem_exec_basic",
    "gem_exec_params",
    "gem_exec_store",
    "gem_softpin",
    "gem_wait",
    "i915_getparams_basic",
    "i915_query",
    "prime_self_import",
    "syncobj_basic",
    "syncobj_timeline",
    "syncobj_wait",
];

/// How long a subtest may take. Some run for 30 s by themselves.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Where Debian puts IGT's programs, and the release that has them.
const FOLDER: &str = "/usr/libexec/igt-gpu-tools";
const RELEASE: &str = "forky";

const HEAD: &str = "\
# What came of IGT's subtests under `vgate shim`, on the software GPU: TEST@SUBTEST, verdict, why it isn't a pass.
# Written by `make conformance ARGS=--shim`. A reason stays while its verdict does, so that people may write better ones.
";

/// What came of each subtest, by TEST@SUBTEST.
#[derive(Debug, Default)]
pub struct List {
    outcomes: BTreeMap<String, Outcome>,
}

impl List {
    /// The committed list's place.
    pub fn path() -> PathBuf {
        repository().join("tests/conformance/shim.txt")
    }

    /// The committed list; empty if there is none.
    ///
    /// # Errors
    /// If a line isn't one.
    pub fn load() -> Result<Self> {
        let text = match fs::read_to_string(Self::path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let parse = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (name, verdict) = (words.next()?, words.next()?);
            let verdict = Verdict::named(verdict)?;
            let reason = words.next().unwrap_or_default().to_owned();
            Some((name.to_owned(), Outcome { verdict, reason, seconds: 0.0, kernel: vec![] }))
        };
        let parse = |line| parse(line).with_context(|| format!("no line of the list: {line}"));
        Ok(Self { outcomes: lines.map(parse).collect::<Result<_>>()? })
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, outcome) in &self.outcomes {
            let line = format!("{name} {} {}", outcome.verdict, outcome.reason.replace('\n', " "));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// # Errors
    /// If it can't be written.
    pub fn save(&self) -> Result<()> {
        fs::write(Self::path(), self.text()).context("writing the list")
    }

    /// What came of a subtest (TEST@SUBTEST).
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

/// All subtests, as TEST@SUBTEST.
///
/// # Errors
/// If the root or a program isn't there.
pub fn subtests() -> Result<Vec<String>> {
    let root = Root::mesa(RELEASE)?;
    let mut all = Vec::new();
    for test in PROGRAMS {
        let program = root.program(format!("{FOLDER}/{test}")).args(["--list-subtests"]);
        let said = program.run("shim-igt-list", LIMIT)?.success()?;
        let names = said.lines().filter(|name| !name.contains(' ')).collect::<Vec<_>>();
        ensure!(!names.is_empty(), "{test} lists no subtests:\n{said}");
        all.extend(names.iter().map(|name| format!("{test}@{name}")));
    }
    Ok(all)
}

/// Runs a subtest, TEST@SUBTEST.
///
/// # Errors
/// If it can't be started.
pub fn run(name: &str) -> Result<Outcome> {
    let Some((test, subtest)) = name.split_once('@') else { bail!("{name} is no TEST@SUBTEST") };
    // IGT's messages among processes are larger than the kernel lets queues be.
    let script = r#"echo 1000000 > /proc/sys/kernel/msgmnb; exec "$@""#;
    let program = Root::mesa(RELEASE)?.program("sh").args(["-c", script, "sh"]);
    let program = program.args([format!("{FOLDER}/{test}").as_str(), "--run-subtest", subtest]);
    let program = program.on_vgate()?;
    let start = Instant::now();
    let Run { status, output, .. } = program.run("shim-igt", LIMIT)?;
    let end = match status.map(|status| status.code()) {
        None => "timeout".to_owned(),
        // A signal, as a shell says it.
        Some(Some(code @ 129..)) => format!("signal {}", code - 128),
        Some(Some(code)) => format!("exit {code}"),
        Some(None) => "signal".to_owned(),
    };
    let said: Vec<_> = output.lines().collect();
    Ok(Outcome::new(&end, &said, start.elapsed().as_secs_f64(), vec![]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let text = format!("{HEAD}a@b pass\na@c fail not so\nb@c timeout in x, or y\n");
        let mut list = List::parse(&text).unwrap();
        assert_eq!(list.text(), text);
        assert_eq!((list.tally().pass, list.tally().bad), (1, 2));
        assert_eq!(list.tally_of("b").bad, 1);
        list.set("a@c", Outcome::new("exit 98", &[], 1.0, vec![]));
        assert_eq!(list.text(), text, "a reason stays");
        assert!(List::parse("a@b perhaps").is_err());
    }
}
