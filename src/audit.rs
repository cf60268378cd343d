//! `vgate audit`: what would become of the batches of captures.

use gpu_intel::audit::{Audit, Privilege, Verdict};
use serde::Serialize;

use crate::capture;
use crate::cli::AuditOptions;
use crate::output;

/// A batch and its verdict.
#[derive(Debug, Serialize)]
struct Line {
    trace: String,
    exec: u64,
    commands: u64,
    verdict: &'static str,
    reason: Option<String>,
}

/// All batches.
#[derive(Debug, Default, Serialize)]
struct Sum {
    traces: usize,
    execs: u64,
    commands: u64,
    bytes: u64,
    pass: u64,
    fail: u64,
    quarantine: u64,
}

/// Audits all files; whether all batches pass.
pub(crate) fn audit(options: &AuditOptions) -> anyhow::Result<bool> {
    let mut auditor = Audit::default();
    let mut sum = Sum::default();
    for path in &options.traces {
        sum.traces += 1;
        capture::each_batch(path, None, &mut |batch, memory| {
            let privilege = if batch.privileged { Privilege::Kernel } else { Privilege::User };
            let outcome = auditor.judge(memory, batch.engine, privilege, batch.start);
            let (verdict, refusal) = match outcome.verdict {
                Verdict::Pass => ("pass", None),
                Verdict::Fail(refusal) => ("fail", Some(refusal)),
                Verdict::Quarantine(refusal) => ("quarantine", Some(refusal)),
            };
            let reason =
                refusal.map(|refusal| format!("{} (at {:#x})", refusal.reason, refusal.at));
            *match verdict {
                "pass" => &mut sum.pass,
                "fail" => &mut sum.fail,
                _ => &mut sum.quarantine,
            } += 1;
            sum.execs += 1;
            sum.commands += outcome.commands;
            sum.bytes += outcome.bytes;
            let trace = path.display().to_string();
            let line =
                Line { trace, exec: batch.exec, commands: outcome.commands, verdict, reason };
            line.print(options.json)
        })?;
    }
    sum.print(options.json)?;
    Ok(sum.pass == sum.execs)
}

impl Line {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json_line(self);
        }
        let reason = self.reason.as_deref().map(|reason| format!(": {reason}"));
        let (trace, exec, commands, verdict) =
            (&self.trace, self.exec, self.commands, self.verdict);
        output::print(&format!(
            "{trace} exec {exec}, {commands} commands: {verdict}{}\n",
            reason.unwrap_or_default()
        ))
    }
}

impl Sum {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json_line(self);
        }
        let Self { traces, execs, commands, bytes, pass, fail, quarantine } = self;
        output::print(&format!(
            "{traces} traces, {execs} batches, {commands} commands, {bytes} bytes: {pass} pass, {fail} fail, \
             {quarantine} quarantine\n"
        ))
    }
}
