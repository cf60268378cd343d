//! Files of batches: captures, and raw batches as they stand in memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use gpu_intel::address::PpgttAddress;
use gpu_intel::command::walk::CommandMemory;
use gpu_intel::engine::Engine;
use gpu_intel::trace::{Memory, Reader, Record};

/// A file that can't be used: not what was asked for, or broken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub(crate) struct Unusable {
    path: PathBuf,
    what: String,
}

impl Unusable {
    pub(crate) fn new(path: &Path, what: &dyn ToString) -> Self {
        Self { path: path.to_owned(), what: what.to_string() }
    }
}

/// A batch as it was submitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submitted {
    /// Its number in the file.
    pub(crate) exec: u64,
    pub(crate) engine: Engine,
    pub(crate) start: PpgttAddress,
    pub(crate) privileged: bool,
}

/// What is done with each batch, and the memory that it was submitted with.
pub(crate) type See<'a> = dyn FnMut(Submitted, &mut dyn CommandMemory) -> anyhow::Result<()> + 'a;

/// Shows `see` every batch of the file at `path`. A file that is no capture is one raw batch for `raw`; without it,
/// it is unusable.
///
/// # Errors
/// [`Unusable`], or what `see` says.
pub(crate) fn each_batch(
    path: &Path,
    raw: Option<Engine>,
    see: &mut See<'_>,
) -> anyhow::Result<()> {
    let unusable = |what: &dyn ToString| Unusable::new(path, what);
    let mut file = BufReader::new(File::open(path).map_err(|error| unusable(&error))?);
    let mut first = Vec::new();
    file.by_ref().take(8).read_to_end(&mut first).map_err(|error| unusable(&error))?;
    let whole = first.as_slice().chain(file);
    if let Some(engine) = raw
        && !Reader::<File>::is_capture(&first)
    {
        return see_raw(path, whole, engine, see);
    }
    let mut reader = Reader::new(whole).map_err(|error| unusable(&error))?;
    let mut memory = Memory::default();
    while let Some(record) = reader.next_record().map_err(|error| unusable(&error))? {
        memory.replay(&record).map_err(|error| unusable(&error))?;
        if let Record::Exec(exec) = record {
            let no = |what: &str| unusable(&format!("exec {}: {what}", exec.sequence));
            let submitted = Submitted {
                exec: exec.sequence,
                engine: exec.engine.ok_or_else(|| no("Gen9 has no such engine"))?,
                start: exec.address().ok_or_else(|| no("it names no batch"))?,
                privileged: exec.is_privileged(),
            };
            let mut bound = memory.bind(&exec).map_err(|error| no(&error.to_string()))?;
            see(submitted, &mut bound)?;
        }
    }
    Ok(())
}

/// A raw batch is no longer than this, in bytes.
const MAX_RAW: u64 = 256 << 20;

fn see_raw(path: &Path, from: impl Read, engine: Engine, see: &mut See<'_>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_RAW + 1).read_to_end(&mut bytes);
    read.map_err(|error| Unusable::new(path, &error))?;
    if bytes.is_empty() || bytes.len() as u64 > MAX_RAW || bytes.len() % 4 != 0 {
        let what = format!(
            "neither a capture (it does not begin with I9TRACE1) nor a batch: {} bytes are no dwords",
            bytes.len()
        );
        return Err(Unusable::new(path, &what).into());
    }
    let dwords = bytes.as_chunks().0.iter().map(|dword| u32::from_le_bytes(*dword)).collect();
    let start = PpgttAddress(0);
    see(Submitted { exec: 0, engine, start, privileged: false }, &mut Raw(dwords))
}

/// A batch at address 0 with nothing around it.
struct Raw(Vec<u32>);

impl CommandMemory for Raw {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let from = usize::try_from(at.0 / 4).ok().and_then(|first| self.0.get(first..));
        let from = from.unwrap_or_default();
        let dwords = from.len().min(to.len());
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        dwords
    }
}
