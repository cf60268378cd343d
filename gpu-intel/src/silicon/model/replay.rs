//! Captures, executed: what a user-mode driver submitted, drawn without the driver.
//!
//! ```text
//!  records ─► buffer objects in memory of our own ─► page tables for each EXEC ─► Execution ─► render targets
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use mediator::{Clock, GuestAddress, GuestRam, Reason};

use super::counters::Counters;
use super::execution::{Execution, Pause};
use super::memory::Memory;
use super::stop::Stop;
use crate::address::PpgttAddress;
use crate::engine::Engine;
use crate::gtt::{PAGE_SIZE, Pages, TableError, Tables};
use crate::silicon::Batch;
use crate::trace::{BufferId, Exec, Record, ReplayError};

/// Memory for page tables and context images, and for all buffer objects of a capture: what is not written takes none.
const TABLES: u64 = 64 << 20;
const MEMORY: u64 = 16 << 30;
/// Pages of a context's image.
const IMAGE_PAGES: usize = 3;

/// Why a capture can't be executed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record doesn't fit what came before.
    #[error(transparent)]
    Record(#[from] ReplayError),
    /// Its buffer objects are too large, or lie where none can.
    #[error("the capture's buffer objects cannot be laid out: {0}")]
    Tables(#[from] TableError),
    /// The host gives no memory.
    #[error("no memory for the capture: {0}")]
    Memory(#[from] std::io::Error),
}

/// A render target, as it is after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Where it lies.
    pub address: PpgttAddress,
    /// Its format's name.
    pub format: &'static str,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue and alpha of each pixel, row by row.
    pub pixels: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Executed {
    /// The capture's number for it.
    pub sequence: u64,
    /// Why it did not come to its end.
    pub stopped: Option<Reason>,
    /// The render targets that it drew to, the latest last.
    pub pictures: Vec<Picture>,
}

#[derive(Clone, Copy, Debug)]
struct Buffer {
    at: GuestAddress,
    size: u64,
}

/// Which hardware context: the engine, the capture's number for the driver's context, and the slot of its engine map.
type ContextKey = (Engine, u32, u8);

#[derive(Debug)]
struct Context {
    image: Vec<GuestAddress>,
    begun: bool,
}

/// A capture on its way.
#[derive(Debug)]
pub struct Replay {
    ram: GuestRam,
    pages: Pages,
    /// Where the next buffer object goes.
    free: u64,
    buffers: HashMap<BufferId, Buffer>,
    contexts: HashMap<ContextKey, Context>,
    clock: Clock,
    counters: Arc<Counters>,
}

impl Replay {
    /// An empty machine.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        let ram = GuestRam::anonymous(MEMORY)?;
        Ok(Self {
            pages: Pages::new(ram.clone(), GuestAddress(PAGE_SIZE)..GuestAddress(TABLES)),
            ram,
            free: TABLES,
            buffers: HashMap::new(),
            contexts: HashMap::new(),
            clock: Clock::start(),
            counters: Arc::default(),
        })
    }

    /// Named counters: what was executed and stepped over.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.all()
    }

    /// What is in a buffer object, from `offset` on.
    ///
    /// # Errors
    /// [`ReplayError`]: there is no such buffer object, or it ends before.
    pub fn read(&self, buffer: BufferId, offset: u64, to: &mut [u8]) -> Result<(), Error> {
        let from = self.buffer(buffer)?;
        let end = offset.checked_add(to.len() as u64);
        if end.is_none_or(|end| end > from.size) {
            return Err(ReplayError::Outside(buffer.0).into());
        }
        Ok(self.ram.read(GuestAddress(from.at.0 + offset), to).map_err(TableError::from)?)
    }

    /// Carries out a record. An EXEC is executed, to its end.
    ///
    /// # Errors
    /// [`Error`]; of batches themselves [`Executed::stopped`] tells.
    pub fn record(&mut self, record: &Record) -> Result<Option<Executed>, Error> {
        match record {
            Record::Create { buffer, size } => self.create(*buffer, *size)?,
            Record::Destroy { buffer } => {
                self.buffers.remove(buffer).ok_or(ReplayError::NoSuchBuffer(buffer.0))?;
            }
            Record::Write { buffer, offset, data } => {
                let to = self.buffer(*buffer)?;
                let end = offset.checked_add(data.len() as u64);
                if end.is_none_or(|end| end > to.size) {
                    return Err(ReplayError::Outside(buffer.0).into());
                }
                self.ram.write(GuestAddress(to.at.0 + offset), data).map_err(TableError::from)?;
            }
            Record::Exec(exec) => return self.execute(exec).map(Some),
            Record::Wait => {}
        }
        Ok(None)
    }

    fn buffer(&self, id: BufferId) -> Result<Buffer, ReplayError> {
        self.buffers.get(&id).copied().ok_or(ReplayError::NoSuchBuffer(id.0))
    }

    fn create(&mut self, id: BufferId, size: u64) -> Result<(), Error> {
        let whole = size.checked_next_multiple_of(PAGE_SIZE);
        let end = whole.and_then(|size| self.free.checked_add(size));
        let end = end.filter(|end| *end <= MEMORY).ok_or(ReplayError::TooMuch)?;
        let made = Buffer { at: GuestAddress(self.free), size };
        if self.buffers.insert(id, made).is_some() {
            return Err(ReplayError::Exists(id.0).into());
        }
        self.free = end;
        Ok(())
    }

    fn context(&mut self, key: ContextKey) -> Result<&mut Context, TableError> {
        match self.contexts.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let pages = (0..IMAGE_PAGES).map(|_| self.pages.take());
                let image = pages.collect::<Result<_, _>>()?;
                Ok(place.insert(Context { image, begun: false }))
            }
        }
    }

    fn execute(&mut self, exec: &Exec) -> Result<Executed, Error> {
        let mut tables = Tables::new(&mut self.pages)?;
        for object in &exec.objects {
            let buffer = self.buffer(object.buffer)?;
            let bytes = buffer.size.next_multiple_of(PAGE_SIZE);
            tables.map(&mut self.pages, object.address, buffer.at, bytes, true)?;
        }
        let root = tables.root();
        let mut executed =
            Executed { sequence: exec.sequence, stopped: None, pictures: Vec::new() };
        let nowhere = |why: &'static str| Some(Reason::new("replay/exec", why));
        match (exec.engine, exec.address()) {
            (Some(engine), Some(start)) => {
                let context = self.context((engine, exec.context, exec.slot()))?;
                let restore = std::mem::replace(&mut context.begun, true);
                let image = context.image.clone();
                let batch = Batch { image, restore, save: true, ..Batch::new(start) };
                let mut memory = Memory::new(self.ram.clone(), root, Arc::default());
                let counters = Arc::clone(&self.counters);
                let mut execution =
                    Execution::new(engine, memory.fork(), batch, self.clock, counters);
                executed.stopped = match execution.run(&Stop::default(), None) {
                    Pause::Done => None,
                    Pause::Fault(reason) => Some(reason),
                    Pause::Waiting => nowhere("it waits for a semaphore that nobody signals"),
                    Pause::Stopped | Pause::Long => nowhere("it was stopped"),
                };
                for target in execution.take_drawn() {
                    let (address, format) = target.describe();
                    let Ok((width, height, pixels)) = target.picture(&mut memory) else { continue };
                    executed.pictures.push(Picture { address, format, width, height, pixels });
                }
            }
            (None, _) => executed.stopped = nowhere("no engine has this number"),
            (_, None) => executed.stopped = nowhere("no buffer object holds the batch"),
        }
        tables.free(&mut self.pages);
        Ok(executed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;
    use std::path::Path;

    use super::*;
    use crate::trace::Reader;

    /// Replays a capture; returns the dwords of all its buffer objects of so many bytes.
    fn buffers(capture: &str, bytes: u64) -> Vec<Vec<u32>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let file = File::open(corpus.join(capture)).unwrap();
        let mut reader = Reader::new(BufReader::new(file)).unwrap();
        let mut replay = Replay::new().unwrap();
        let mut found = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            match &record {
                Record::Create { buffer, size } if *size == bytes => found.push(*buffer),
                Record::Destroy { buffer } => found.retain(|known| known != buffer),
                _ => {}
            }
            if let Some(executed) = replay.record(&record).unwrap() {
                assert_eq!(executed.stopped, None);
            }
        }
        let dwords = |buffer: BufferId| {
            let mut contents = vec![0; bytes as usize];
            replay.read(buffer, 0, &mut contents).unwrap();
            contents.as_chunks().0.iter().map(|dword| u32::from_le_bytes(*dword)).collect()
        };
        found.into_iter().map(dwords).collect()
    }

    /// `tests/corpus/m25_vk_compute`: groups of 64, who share memory, wait for each other, and keep a maximum together.
    /// What comes out is what lavapipe computes.
    #[test]
    fn compute_is_what_another_device_computes() {
        for capture in ["m22_vk_compute.i9t", "m25_vk_compute.i9t"] {
            let hash = |dwords: &Vec<u32>| {
                dwords.iter().fold(0_u32, |hash, dword| hash.wrapping_mul(31).wrapping_add(*dword))
            };
            let hashes: Vec<u32> = buffers(capture, 65536).iter().map(hash).collect();
            assert!(hashes.contains(&0x6394_8faa), "{capture}: {hashes:08x?}");
        }
        // Two dispatches, of which memory says how large the second is, add to one number.
        for capture in ["m22_gl_compute.i9t", "m25_gl_compute.i9t"] {
            let is_sum = |dwords: &Vec<u32>| dwords.windows(2).any(|two| two == [96_205_056, 3969]);
            assert!(buffers(capture, 2 << 20).iter().any(is_sum), "{capture}");
        }
    }
}
