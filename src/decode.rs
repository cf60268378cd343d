//! `vgate decode`: batches in words.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use gpu_intel::address::PpgttAddress;
use gpu_intel::command::Command;
use gpu_intel::command::listing::{self, Value};
use gpu_intel::command::walk::{Visitor, Walker};
use mediator::Reason;
use serde::Serialize;

use crate::capture::{self, Submitted};
use crate::cli::DecodeOptions;
use crate::output;

const BATCH: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default().bold();
const ADDRESS: Style = Style::new().dimmed();
const WRONG: Style = AnsiColor::Red.on_default().bold();

pub(crate) fn decode(options: &DecodeOptions) -> anyhow::Result<()> {
    let mut walker = Walker::default();
    capture::each_batch(&options.file, Some(options.engine.into()), &mut |batch, memory| {
        if options.exec.is_some_and(|exec| exec != batch.exec) {
            return Ok(());
        }
        let mut list = List { batch, json: options.json, failed: None };
        list.begin()?;
        let walked = walker.walk(memory, batch.engine, batch.start, &mut list);
        if let Some(error) = list.failed {
            return Err(error);
        }
        match walked.stopped {
            Some((at, reason)) => list.end(at, &reason),
            None => Ok(()),
        }
    })
}

/// Prints what a walk shows it.
struct List {
    batch: Submitted,
    json: bool,
    failed: Option<anyhow::Error>,
}

/// A command as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    exec: u64,
    engine: String,
    address: String,
    command: &'a str,
    dwords: &'a [u32],
    fields: BTreeMap<String, serde_json::Value>,
}

/// Why a batch is listed no further, as JSON.
#[derive(Serialize)]
struct Stopped<'a> {
    exec: u64,
    address: String,
    stopped: &'a str,
    reason: &'a str,
}

impl List {
    fn begin(&self) -> anyhow::Result<()> {
        let Submitted { exec, engine, start, .. } = self.batch;
        if self.json {
            return Ok(());
        }
        output::styled(&format!("{BATCH}exec {exec} on {engine:?}, at {start:#x}{BATCH:#}\n"))
    }

    fn end(&self, at: PpgttAddress, reason: &Reason) -> anyhow::Result<()> {
        let address = format!("{at:#x}");
        if self.json {
            let (stopped, reason) = (reason.rule, &*reason.detail);
            return output::json_line(&Stopped { exec: self.batch.exec, address, stopped, reason });
        }
        output::styled(&format!("{ADDRESS}{address}{ADDRESS:#}  {WRONG}{reason}{WRONG:#}\n"))
    }

    fn print(&self, at: PpgttAddress, command: &Command, dwords: &[u32]) -> anyhow::Result<()> {
        if self.json {
            let fields = listing::fields(command, dwords);
            return output::json_line(&Listed {
                exec: self.batch.exec,
                engine: format!("{:?}", self.batch.engine),
                address: format!("{at:#x}"),
                command: command.name,
                dwords,
                fields: fields.into_iter().map(|f| (f.name, json(f.value))).collect(),
            });
        }
        output::styled(&in_words(at, command, dwords))
    }
}

/// A command, its place and its fields, as text with styles.
pub(crate) fn in_words(at: PpgttAddress, command: &Command, dwords: &[u32]) -> String {
    format!("{ADDRESS}{at:#014x}{ADDRESS:#}  {}", fields_in_words(command, dwords))
}

/// A command and its fields, as text with styles.
pub(crate) fn fields_in_words(command: &Command, dwords: &[u32]) -> String {
    let (name, count) = (command.name, dwords.len());
    let noun = if count == 1 { "dword" } else { "dwords" };
    let mut text = format!("{NAME}{name}{NAME:#}, {count} {noun}\n");
    for field in listing::fields(command, dwords) {
        text += &format!("                    {} = {}\n", field.name, field.value);
    }
    text
}

impl Visitor for List {
    fn command(
        &mut self,
        at: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason> {
        self.print(at, command, dwords).map_err(|error| {
            self.failed = Some(error);
            Reason::new("output", "nobody reads on")
        })
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Unsigned(value) => value.into(),
        Value::Signed(value) => value.into(),
        Value::Bool(value) => value.into(),
        Value::Real(value) => value.into(),
        Value::Address(value) => format!("{value:#x}").into(),
    }
}
