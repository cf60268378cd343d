//! What came of a subtest, from what it printed and how it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a subtest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It says that it needs what isn't there.
    Skip,
    /// What it asserts is not so.
    Fail,
    /// A signal ended it.
    Crash,
    /// It took longer than it may.
    Timeout,
    /// The guest stopped to answer, or the process could not be killed.
    Wedged,
    /// Left out, with a reason.
    NotRun,
}

impl Verdict {
    /// The one that is shown so.
    pub fn named(name: &str) -> Option<Self> {
        let ended = [Self::Pass, Self::Skip, Self::Fail, Self::Crash, Self::Timeout, Self::Wedged];
        ended.into_iter().find(|verdict| verdict.to_string() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::Crash => "crash",
            Self::Timeout => "timeout",
            Self::Wedged => "wedged",
            Self::NotRun => "not run",
        })
    }
}

/// What came of a subtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Why it isn't a pass. Empty for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
    /// What the guest's kernel had to say meanwhile, at warning level or worse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel: Vec<String>,
}

/// Kernel lines that are kept of a subtest.
const KERNEL_LINES: usize = 5;

/// Characters of a reason.
const REASON: usize = 300;

/// IGT's exit statuses (igt_core.h).
const SUCCESS: &str = "exit 0";
const SKIP: &str = "exit 77";

impl Outcome {
    /// Of a subtest that is left out.
    pub fn not_run(reason: &str) -> Self {
        Self { verdict: Verdict::NotRun, reason: reason.to_owned(), seconds: 0.0, kernel: vec![] }
    }

    /// Of a subtest whose guest stopped to answer.
    pub fn wedged(reason: &str, seconds: f64) -> Self {
        let reason = shortened(reason);
        Self { verdict: Verdict::Wedged, reason, seconds, kernel: vec![] }
    }

    /// From a guest's lines of one run, the last one `VGATE-RUN end HOW MILLISECONDSms`.
    pub fn parse(lines: &[String]) -> Self {
        let end = lines.last().and_then(|line| line.strip_prefix("VGATE-RUN end "));
        let (end, took) = end.and_then(|end| end.rsplit_once(' ')).unwrap_or(("nothing", ""));
        let seconds = took.strip_suffix("ms").and_then(|ms| ms.parse::<f64>().ok());
        Self::new(end, &said(lines), seconds.unwrap_or_default() / 1000.0, complaints(lines))
    }

    /// From how a run ended (`exit STATUS`, `signal NUMBER`, `timeout`, `stuck`), and what it said.
    pub fn new(end: &str, said: &[&str], seconds: f64, kernel: Vec<String>) -> Self {
        let (verdict, reason) = match end {
            SUCCESS => (Verdict::Pass, String::new()),
            SKIP => (Verdict::Skip, skip_reason(said)),
            "timeout" => (Verdict::Timeout, timeout_reason(said)),
            "stuck" => (Verdict::Wedged, "it can't be killed".to_owned()),
            _ if end.starts_with("signal") || crashed(said) => {
                (Verdict::Crash, crash_reason(said).unwrap_or_else(|| end.to_owned()))
            }
            _ => (Verdict::Fail, fail_reason(said).unwrap_or_else(|| end.to_owned())),
        };
        Self { verdict, reason: shortened(&reason), seconds, kernel }
    }
}

fn said(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("VGATE-OUT ")).collect()
}

/// What follows a text in the first line that has it.
fn after<'a>(said: &[&'a str], text: &str) -> Option<&'a str> {
    said.iter().find_map(|line| line.split_once(text)).map(|(_, rest)| rest.trim())
}

/// What was missing last: other groups of a test's subtests may miss other things before and after.
fn skip_reason(said: &[&str]) -> String {
    let result = |line: &&str| line.starts_with("Subtest ") && line.contains(": SKIP");
    let said = &said[..said.iter().position(result).unwrap_or(said.len())];
    // igt_require prints a line "Test requirement not met in function", then the condition, then what it says of it.
    let condition = said.iter().rposition(|line| line.starts_with("Test requirement: "));
    if let Some(at) = condition {
        let condition = said[at].trim_start_matches("Test requirement: ");
        return match said.get(at + 1).filter(|line| !boilerplate(line)) {
            Some(detail) => format!("{condition}: {detail}"),
            None => condition.to_owned(),
        };
    }
    // igt_skip prints the reason alone.
    said.iter().rfind(|line| !boilerplate(line)).map(|line| (*line).to_owned()).unwrap_or_default()
}

/// What IGT prints whatever it runs.
fn boilerplate(line: &str) -> bool {
    const STARTS: &[&str] = &[
        "IGT-Version",
        "Using IGT_SRANDOM",
        "Opened device",
        "Starting ",
        "Subtest ",
        "Dynamic subtest ",
        "Last errno",
        "Test requirement not met",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

fn fail_reason(said: &[&str]) -> Option<String> {
    let dynamic = after(said, "Starting dynamic subtest: ");
    let failed = after(said, "Failed assertion: ").or_else(|| after(said, "CRITICAL: "))?;
    let mut reason = String::new();
    // With one that failed the others were not reached, or passed: name the first that didn't.
    if let Some(name) = said.iter().find_map(|line| {
        let (name, result) = line.strip_prefix("Dynamic subtest ")?.split_once(": ")?;
        result.starts_with("FAIL").then_some(name)
    }) {
        reason = format!("{name}: ");
    } else if let Some(name) = dynamic {
        reason = format!("{name}: ");
    }
    reason += failed;
    if let Some(values) = after(said, "CRITICAL: error: ") {
        reason += &format!(" ({values})");
    }
    Some(reason)
}

/// Which of its dynamic subtests it had begun last. What it printed when it was ended tells nothing.
fn timeout_reason(said: &[&str]) -> String {
    let begun = said.iter().filter_map(|line| line.strip_prefix("Starting dynamic subtest: "));
    let begun: Vec<_> = begun.collect();
    match begun.last() {
        Some(last) => format!("in {last}, the {}. of its dynamic subtests", begun.len()),
        None => String::new(),
    }
}

fn crashed(said: &[&str]) -> bool {
    said.iter().any(|line| line.contains("Received signal SIG"))
}

fn crash_reason(said: &[&str]) -> Option<String> {
    let signal = after(said, "Received signal ")?;
    Some(match fail_reason(said) {
        Some(reason) => format!("{signal} {reason}"),
        None => signal.to_owned(),
    })
}

/// The kernel's warnings and worse, without level and time.
fn complaints(lines: &[String]) -> Vec<String> {
    let loud = |line: &String| {
        let (level, rest) = line.strip_prefix("VGATE-KERNEL ")?.split_once(' ')?;
        let (_, text) = rest.split_once(' ')?;
        (level.parse::<u32>().ok()? <= 4).then(|| text.to_owned())
    };
    lines.iter().filter_map(loud).take(KERNEL_LINES).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Verdict};

    fn parse(text: &str) -> Outcome {
        Outcome::parse(&text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_pass_needs_no_reason() {
        let outcome = parse(
            "VGATE-OUT Subtest basic: SUCCESS (0.250s)
            VGATE-RUN end exit 0 1290ms",
        );
        assert_eq!((outcome.verdict, outcome.seconds), (Verdict::Pass, 1.29));
        assert_eq!(outcome.reason, "");
    }

    #[test]
    fn a_skip_says_what_is_missing() {
        let outcome = parse(
            "VGATE-OUT Test requirement not met in function __real_main, file ../tests/a.c:1:
            VGATE-OUT Test requirement: another_group()
            VGATE-OUT Test requirement not met in function __real_main, file ../tests/a.c:2:
            VGATE-OUT Test requirement: gem_scheduler_has_preemption(i915)
            VGATE-OUT Last errno: 2, No such file or directory
            VGATE-OUT Subtest basic: SKIP (0.000s)
            VGATE-OUT Test requirement: a_later_group()
            VGATE-RUN end exit 77 290ms",
        );
        assert_eq!(outcome.verdict, Verdict::Skip);
        assert_eq!(outcome.reason, "gem_scheduler_has_preemption(i915)");
    }

    #[test]
    fn a_failure_names_what_failed_and_what_the_kernel_said() {
        let outcome = parse(
            "VGATE-OUT Starting dynamic subtest: bcs0
            VGATE-KERNEL 3 2.5 i915 0000:00:02.0: [drm] *ERROR* no
            VGATE-KERNEL 6 2.5 all is well
            VGATE-OUT (gem_a:12) CRITICAL: Test assertion failure function f, file ../a.c:3:
            VGATE-OUT (gem_a:12) CRITICAL: Failed assertion: out[0] == 0
            VGATE-OUT (gem_a:12) CRITICAL: error: 1 != 0
            VGATE-OUT Dynamic subtest bcs0: FAIL (0.100s)
            VGATE-RUN end exit 98 290ms",
        );
        assert_eq!(outcome.verdict, Verdict::Fail);
        assert_eq!(outcome.reason, "bcs0: out[0] == 0 (1 != 0)");
        assert_eq!(outcome.kernel, ["i915 0000:00:02.0: [drm] *ERROR* no"]);
    }

    #[test]
    fn what_does_not_end_by_itself_is_no_failure_of_an_assertion() {
        assert_eq!(parse("VGATE-RUN end timeout 60000ms").verdict, Verdict::Timeout);
        assert_eq!(parse("VGATE-RUN end stuck 60000ms").verdict, Verdict::Wedged);
        assert_eq!(parse("VGATE-RUN end signal 11 100ms").verdict, Verdict::Crash);
        assert_eq!(parse("").verdict, Verdict::Fail);
    }
}
