//! The captured batches of real drivers, each with the memory that it was submitted with.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;

use gpu_intel::address::PpgttAddress;
use gpu_intel::command::Command;
use gpu_intel::command::walk::{CommandMemory, Visitor, Walker};
use gpu_intel::engine::Engine;
use gpu_intel::trace::{Memory, Reader, Record};
use mediator::Reason;

/// A command of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) at: PpgttAddress,
    pub(crate) command: &'static Command,
    pub(crate) dwords: Vec<u32>,
}

/// A batch: its commands in the order of a walk.
pub(crate) struct Batch<'a> {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) start: PpgttAddress,
    pub(crate) places: Vec<Place>,
    /// What is mapped: addresses and bytes.
    pub(crate) objects: Vec<(PpgttAddress, u64)>,
    pub(crate) memory: &'a mut dyn CommandMemory,
}

struct Collect(Vec<Place>);

impl Visitor for Collect {
    fn command(
        &mut self,
        at: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason> {
        self.0.push(Place { at, command, dwords: dwords.to_vec() });
        Ok(())
    }
}

fn captures() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpus");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "i9t"));
    files.sort();
    assert!(files.len() >= 60, "the corpus is not whole");
    files
}

/// Shows `see` every batch of the corpus.
pub(crate) fn each_batch(mut see: impl FnMut(Batch<'_>)) {
    let mut walker = Walker::default();
    for path in captures() {
        let mut reader = Reader::new(BufReader::new(File::open(&path).unwrap())).unwrap();
        let mut memory = Memory::default();
        let mut sizes = HashMap::new();
        while let Some(record) = reader.next_record().unwrap() {
            memory.replay(&record).unwrap();
            if let Record::Create { buffer, size } = &record {
                sizes.insert(*buffer, *size);
            }
            let Record::Exec(exec) = record else { continue };
            let (engine, start) = (exec.engine.unwrap(), exec.address().unwrap());
            let mut bound = memory.bind(&exec).unwrap();
            let mut collect = Collect(Vec::new());
            let walked = walker.walk(&mut bound, engine, start, &mut collect);
            assert_eq!(walked.stopped, None, "{}", path.display());
            let objects = exec.objects.iter().map(|o| (o.address, sizes[&o.buffer])).collect();
            let name = format!("{} exec {}", path.display(), exec.sequence);
            see(Batch { name, engine, start, places: collect.0, objects, memory: &mut bound });
        }
    }
}

/// Memory with some dwords changed, and one not mapped.
pub(crate) struct Patched<'a> {
    pub(crate) inner: &'a mut dyn CommandMemory,
    pub(crate) changed: HashMap<u64, u32>,
    pub(crate) hole: Option<u64>,
}

impl CommandMemory for Patched<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let first = at.0 & !3;
        let left = self.hole.and_then(|hole| hole.checked_sub(first)).unwrap_or(u64::MAX);
        let left = usize::try_from(left / 4).unwrap();
        let filled = self.inner.fetch(at, to).min(left);
        let end = first + 4 * filled as u64;
        for (place, value) in &self.changed {
            if (first..end).contains(place) {
                to[((place - first) / 4) as usize] = *value;
            }
        }
        filled
    }
}
