//! Which of IGT's tests are run, and how long each of their subtests may take.

use std::time::Duration;

/// One of IGT's programs.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// Which subtests, as patterns.
    pub subtests: &'static str,
    /// How many seconds one may take. They are the guest's, whose processor is emulated.
    pub seconds: u64,
}

/// Subtests that are not run.
#[derive(Clone, Copy, Debug)]
pub struct NotRun {
    /// The test's name.
    pub test: &'static str,
    /// Its subtests, as a pattern.
    pub subtests: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Tests, and what is left out of them.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// The tests, in the order in which they run.
    pub tests: &'static [Test],
    /// What is left out.
    pub not_run: &'static [NotRun],
}

impl Suite {
    /// Why a subtest isn't run, if it isn't.
    pub fn not_run(&self, test: &str, subtest: &str) -> Option<&'static str> {
        let left_out = |n: &&NotRun| n.test == test && matches(n.subtests, subtest);
        self.not_run.iter().find(left_out).map(|n| n.reason)
    }
}

impl Test {
    /// How long a subtest may take.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What docs/conformance.md tells of.
pub const SUITE: Suite = Suite { tests: TESTS, not_run: NOT_RUN };

const fn all(name: &'static str, seconds: u64) -> Test {
    Test { name, subtests: "*", seconds }
}

const TESTS: &[Test] = &[
    all("gem_exec_basic", 180),
    all("gem_exec_store", 180),
    all("gem_exec_nop", 180),
    all("gem_exec_fence", 180),
    all("gem_exec_await", 180),
    all("gem_exec_schedule", 180),
    all("gem_exec_parallel", 180),
    all("gem_exec_suspend", 180),
    all("gem_ctx_exec", 180),
    all("gem_ctx_switch", 180),
    all("gem_ctx_isolation", 180),
    all("gem_ctx_persistence", 180),
    all("gem_busy", 180),
    all("gem_wait", 180),
    all("gem_spin_batch", 180),
    all("gem_linear_blits", 180),
    all("gem_tiled_blits", 180),
    all("gem_userptr_blits", 180),
    all("gem_softpin", 180),
    all("gem_ppgtt", 180),
    all("gem_mmap_gtt", 180),
    all("gem_fenced_exec_thrash", 180),
    all("gem_eio", 180),
    all("kms_addfb_basic", 180),
    Test { name: "kms_flip", subtests: "basic*", seconds: 180 },
    all("kms_pipe_crc_basic", 180),
];

const fn left_out(test: &'static str, subtests: &'static str, reason: &'static str) -> NotRun {
    NotRun { test, subtests, reason }
}

/// Classes of which some were tried; docs/conformance.md lists those, too.
const NOT_RUN: &[NotRun] = &[
    left_out(
        "gem_exec_suspend",
        "basic-S0",
        "QEMU's machine has no clock event in its ACPI, so nothing ends a suspend to idle",
    ),
    left_out(
        "gem_ctx_switch",
        "vcs1*",
        "there is no second video engine, without which IGT lists the subtest and then doesn't know it",
    ),
    left_out("gem_ctx_switch", "*heavy*", TOO_MANY_COPIES),
    left_out("gem_mmap_gtt", "*-copy*", TOO_MANY_ACCESSES),
    left_out("gem_mmap_gtt", "big-bo*", TOO_MANY_ACCESSES),
    left_out("gem_mmap_gtt", "huge-bo*", TOO_MANY_ACCESSES),
];

const TOO_MANY_COPIES: &str = "too many copies for the software model: each of 4 such that were tried with PVINFO had its guest's \
                               kernel take the GPU for hung, after 30 to 51 s";
const TOO_MANY_ACCESSES: &str = "too much through the aperture, at 10,000 accesses of up to 8 bytes a second: of two copies \
                                 that were tried neither was done within 60 s, and these are as large or larger";

/// Whether a name is one that a pattern means: `*` stands for anything.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::{SUITE, matches};

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name) in
            [("*", ""), ("*", "a"), ("a*", "a"), ("a*c", "abc"), ("*-b*", "a-b-c")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("a*", "ba"), ("a*c", "ab"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_left_out_is_left_out_of_a_test_that_runs() {
        for left_out in SUITE.not_run {
            assert!(SUITE.tests.iter().any(|t| t.name == left_out.test), "{left_out:?}");
        }
    }
}
