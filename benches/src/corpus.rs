//! The captured batches of real drivers, each with the memory that the audit reads of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gpu_intel::address::PpgttAddress;
use gpu_intel::audit::{Audit, Outcome, Privilege, Verdict};
use gpu_intel::command::walk::CommandMemory;
use gpu_intel::engine::Engine;
use gpu_intel::trace::{Memory, Reader, Record};

const PAGE: u64 = 4096;
const DWORDS: usize = PAGE as usize / 4;

type Page = Box<[u32; DWORDS]>;

/// A batch, and what it starts.
#[derive(Debug)]
pub struct CapturedBatch {
    /// Who executes it.
    pub engine: Engine,
    /// Where it starts.
    pub start: PpgttAddress,
    /// Its size, with that of all that it starts, in bytes.
    pub bytes: u64,
    /// Its commands.
    pub commands: u64,
    pages: Pages,
}

impl CapturedBatch {
    /// Has `audit` judge it.
    pub fn judge(&mut self, audit: &mut Audit) -> Outcome {
        audit.judge(&mut self.pages, self.engine, Privilege::User, self.start)
    }
}

/// Pages at their addresses: what a guest's memory is once its page tables are walked.
#[derive(Debug, Default)]
struct Pages(BTreeMap<u64, Page>);

impl CommandMemory for Pages {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let mut filled = 0;
        while let Some(rest) = to.get_mut(filled..)
            && !rest.is_empty()
        {
            let here = at.0 + 4 * filled as u64;
            let Some(page) = self.0.get(&(here / PAGE)) else { break };
            let from = page.get((here % PAGE) as usize / 4..).unwrap_or_default();
            let dwords = from.len().min(rest.len());
            rest.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            filled += dwords;
        }
        filled
    }
}

/// Keeps the pages that are read.
struct Recording<'a> {
    from: &'a mut dyn CommandMemory,
    pages: Pages,
}

impl CommandMemory for Recording<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let end = at.0 + 4 * to.len() as u64;
        for number in at.0 / PAGE..end.div_ceil(PAGE) {
            let mut page: Page = Box::new([0; DWORDS]);
            if self.from.fetch(PpgttAddress(number * PAGE), &mut page[..]) == DWORDS {
                self.pages.0.insert(number, page);
            }
        }
        self.from.fetch(at, to)
    }
}

/// The batches of all captures in `folder` that have more than `above` bytes.
///
/// # Errors
/// If a capture can't be read, or the audit does not pass one of its batches.
pub fn batches(folder: &Path, above: u64) -> Result<Vec<CapturedBatch>> {
    let mut files = fs::read_dir(folder)
        .and_then(|files| files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>, _>>())
        .with_context(|| folder.display().to_string())?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "i9t"));
    files.sort();
    let mut found = Vec::new();
    for file in &files {
        read(file, above, &mut found).with_context(|| file.display().to_string())?;
    }
    ensure!(!found.is_empty(), "no batch of more than {above} bytes in {}", folder.display());
    Ok(found)
}

fn read(file: &Path, above: u64, found: &mut Vec<CapturedBatch>) -> Result<()> {
    let mut reader = Reader::new(BufReader::new(File::open(file)?))?;
    let mut memory = Memory::default();
    let mut audit = Audit::default();
    while let Some(record) = reader.next_record()? {
        memory.replay(&record)?;
        let Record::Exec(exec) = record else { continue };
        let engine = exec.engine.context("a batch of an unknown engine")?;
        let start = exec.address().context("a batch without memory")?;
        let mut bound = memory.bind(&exec)?;
        let mut recording = Recording { from: &mut bound, pages: Pages::default() };
        let outcome = audit.judge(&mut recording, engine, Privilege::User, start);
        ensure!(outcome.verdict == Verdict::Pass, "batch {}: {:?}", exec.sequence, outcome.verdict);
        if outcome.bytes > above {
            let Outcome { bytes, commands, .. } = outcome;
            let pages = recording.pages;
            found.push(CapturedBatch { engine, start, bytes, commands, pages });
        }
    }
    Ok(())
}
