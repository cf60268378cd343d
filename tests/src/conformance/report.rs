//! The results as docs/conformance.md shows them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{List, Outcome, Results, SUITE, Tally, Verdict, shim};

/// A page of Markdown for the results of one or more modes, and of those on the shim: IGT's and piglit's.
pub fn report(all: &[Results], on_shim: &List, piglit: &List) -> String {
    let mut page = format!("{HEAD}\n{REMARKS}");
    piglit_section(&mut page, piglit);
    shim_section(&mut page, on_shim);
    for results in all {
        section(&mut page, results);
    }
    page
}

const HEAD: &str = "\
# Conformance

What the i915 developers' own tests, [IGT](https://gitlab.freedesktop.org/drm/igt-gpu-tools), say of vgate's virtual
GPU. They run unchanged, as Debian packages them, inside a guest with Debian's own kernel, whose stock i915 drives the
virtual GPU on the software model. The guest's processor is emulated by QEMU on a shared machine, so seconds are long
and mean little. Nothing here was measured on real hardware.

*This page is written by `make conformance`, but for the remarks, which are in `tests/conformance/remarks.md`.*

```sh
make conformance                             # what has no result yet; stops and goes on at any time
make conformance ARGS='--again gem_eio'      # one test anew
make conformance ARGS='--help'               # all options
make conformance ARGS='--mode bare'          # the other mode
make test-long                               # what is short of what passed, 20 minutes a mode: must pass again
```

Each subtest is a process of its own with a time limit, and counts as IGT counts it: its dynamic subtests are parts of
it. *Ran* is all but what skipped, which says itself that it needs what isn't there, and what was left out, with the
reason. After each one that neither passed nor skipped the rest goes on in a new guest.
";

/// What a person found out about the failures.
const REMARKS: &str = include_str!("../../conformance/remarks.md");

const PIGLIT_HEAD: &str = "
## Pixels: piglit on the shim

Programs of piglit, each of which draws and looks at what came of it, over Mesa's unmodified iris and `vgate shim`; the software
model runs the shaders and draws. [tests/piglit.txt](../tests/piglit.txt) lists them: drawn from all that pass on llvmpipe, by a
rule that its head states and that doesn't look at what vgate can do. The verdict of each is in
[tests/conformance/piglit.txt](../tests/conformance/piglit.txt), written by `make conformance ARGS=--piglit`.
";

fn piglit_section(page: &mut String, list: &List) {
    page.push_str(PIGLIT_HEAD);
    let count = list.iter().count();
    let passed = list.iter().filter(|(_, outcome)| outcome.verdict == Verdict::Pass).count();
    let _ = write!(
        page,
        "\n**{passed} of {count}** pass. The others, by what is known of them:\n\n| why | programs | such as |\n|---|--:|---|\n"
    );
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, outcome) in list.iter().filter(|(_, outcome)| outcome.verdict != Verdict::Pass) {
        let why = outcome.reason.split(": ").next().unwrap_or_default();
        groups.entry(why).or_default().push(name);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (why, names) in groups {
        let some = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| {why} | {} | {some} |", names.len());
    }
}

const SHIM_HEAD: &str = "
## On the shim

Programs of the same IGT with no guest and no i915: the preloaded library answers them (`vgate shim`), and the software model
executes what they submit. Each subtest and the reason of each that isn't a pass is in
[tests/conformance/shim.txt](../tests/conformance/shim.txt), written by `make conformance ARGS=--shim`.

| test | subtests | ran | pass | of those that ran | skip | not run |
|---|--:|--:|--:|--:|--:|--:|
";

fn shim_section(page: &mut String, list: &List) {
    page.push_str(SHIM_HEAD);
    for program in shim::PROGRAMS {
        row(page, program, list.tally_of(program));
    }
    row(page, "**all**", list.tally());
}

fn section(page: &mut String, results: &Results) {
    let _ = write!(
        page,
        "\n## Mode `{}`: Linux {}, IGT {}\n\n\
         | test | subtests | ran | pass | of those that ran | skip | not run |\n|---|--:|--:|--:|--:|--:|--:|\n",
        results.mode, results.kernel, results.igt
    );
    for test in SUITE.tests {
        if let Some(subtests) = results.tests.get(test.name) {
            row(page, &format!("[{0}](#{0})", test.name), Tally::of(subtests.values()));
        }
    }
    row(page, "**all**", results.tally());
    for test in SUITE.tests {
        let Some(subtests) = results.tests.get(test.name) else { continue };
        let _ = write!(page, "\n### {}\n\n", test.name);
        page.push_str(
            "| subtest | result | seconds | why, and what the kernel said |\n|---|---|--:|---|\n",
        );
        for (subtest, outcome) in subtests {
            let _ = writeln!(
                page,
                "| {subtest} | {} | {} | {} |",
                outcome.verdict,
                seconds(outcome),
                remarks(outcome)
            );
        }
    }
}

fn row(page: &mut String, name: &str, tally: Tally) {
    let ran = tally.pass + tally.bad;
    let rate = if ran == 0 { "-".to_owned() } else { format!("{:.1} %", tally.percent()) };
    let Tally { pass, skip, not_run, .. } = tally;
    let all = ran + skip + not_run;
    let _ = writeln!(page, "| {name} | {all} | {ran} | {pass} | {rate} | {skip} | {not_run} |");
}

fn seconds(outcome: &Outcome) -> String {
    if outcome.verdict == Verdict::NotRun {
        String::new()
    } else {
        format!("{:.1}", outcome.seconds)
    }
}

fn remarks(outcome: &Outcome) -> String {
    let mut remarks = vec![outcome.reason.clone()];
    if let Some(first) = outcome.kernel.first() {
        remarks.push(format!("kernel: {first}"));
    }
    remarks.retain(|remark| !remark.is_empty());
    // Neither a table's bars nor marks of Markdown.
    remarks
        .join("; ")
        .replace('|', "\\|")
        .replace('*', "\\*")
        .replace('<', "&lt;")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::{List, Mode, Outcome, Results, Verdict};
    use super::{report, shim};
    use crate::piglit;

    #[test]
    fn a_reason_stays_in_its_cell() {
        let mut results = Results::new(Mode::Pvinfo);
        let reason = "a | b\nc".to_owned();
        let outcome = Outcome { verdict: Verdict::Fail, reason, seconds: 1.25, kernel: vec![] };
        results.set("gem_busy", "busy", outcome);
        let page = report(&[results], &List::empty(shim::LIST), &List::empty(piglit::LIST));
        assert!(page.contains("\n| busy | fail | 1.2 | a \\| b c |\n"), "{page}");
        assert!(page.contains("| [gem_busy](#gem_busy) | 1 | 1 | 0 | 0.0 % | 0 | 0 |"), "{page}");
    }
}
