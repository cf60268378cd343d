//! IGT with no guest: on the library that stands in for i915 (`vgate shim`), and the list of what came of it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::{Outcome, Place};
use crate::{Root, Run};

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

/// What came of each subtest, by TEST@SUBTEST.
pub const LIST: Place = Place {
    file: "tests/conformance/shim.txt",
    head: "\
# What came of IGT's subtests under `vgate shim`, on the software GPU: TEST@SUBTEST, verdict, why it isn't a pass.
# Written by `make conformance ARGS=--shim`. A reason stays while its verdict does, so that people may write better ones.
",
};

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
