//! Captures, executed: what a user-mode driver submitted, drawn without the driver.
//!
//! ```text
//!  records ─► buffer objects in memory of our own ─► page tables for each EXEC ─► Execution ─► render targets
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use mediator::{Clock, GuestAddress, GuestRam, Reason};

use super::counters::Counters;
use super::execution::{Execution, Pause, Reach};
use super::memory::Memory;
use super::render::Target;
use super::stop::Stop;
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::command::{self, Command};
use crate::engine::Engine;
use crate::eu::Program;
use crate::gtt::{PAGE_SIZE, Pages, TableError, Tables};
use crate::memory::PpgttMemory;
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
            Record::Exec(exec) => {
                let mut running = self.begin(exec)?;
                running.run();
                return Ok(Some(self.finish(running)));
            }
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

    /// Makes an EXEC ready. It must be [finished](Self::finish), for its page tables to be free again.
    ///
    /// # Errors
    /// [`Error`]; of batches themselves [`Executed::stopped`] tells.
    pub fn begin(&mut self, exec: &Exec) -> Result<Running, Error> {
        let mut tables = Tables::new(&mut self.pages)?;
        for object in &exec.objects {
            let buffer = self.buffer(object.buffer)?;
            let bytes = buffer.size.next_multiple_of(PAGE_SIZE);
            tables.map(&mut self.pages, object.address, buffer.at, bytes, true)?;
        }
        let memory = Memory::new(self.ram.clone(), tables.root(), Arc::default());
        let nowhere = |why: &'static str| Way::Ended(Some(Reason::new("replay/exec", why)));
        let way = match (exec.engine, exec.address()) {
            (Some(engine), Some(start)) => {
                let context = self.context((engine, exec.context, exec.slot()))?;
                let restore = std::mem::replace(&mut context.begun, true);
                let image = context.image.clone();
                let batch = Batch { image, restore, save: true, ..Batch::new(start) };
                let counters = Arc::clone(&self.counters);
                let execution = Execution::new(engine, memory.fork(), batch, self.clock, counters);
                Way::Under(engine, Box::new(execution))
            }
            (None, _) => nowhere("no engine has this number"),
            (_, None) => nowhere("no buffer object holds the batch"),
        };
        Ok(Running { sequence: exec.sequence, tables, memory, way, drawn: Vec::new() })
    }

    /// What became of a batch, whether it is at its end or not.
    pub fn finish(&mut self, mut running: Running) -> Executed {
        running.collect();
        let mut pictures = Vec::new();
        for target in &running.drawn {
            let (address, format) = target.describe();
            let Ok((width, height, pixels)) = target.picture(&mut running.memory) else { continue };
            pictures.push(Picture { address, format, width, height, pixels });
        }
        running.tables.free(&mut self.pages);
        let stopped = match running.way {
            Way::Ended(stopped) => stopped,
            Way::Under(..) => Some(Reason::new("replay/exec", "it was left before its end")),
        };
        Executed { sequence: running.sequence, stopped, pictures }
    }
}

/// A batch on its way.
#[derive(Debug)]
pub struct Running {
    sequence: u64,
    tables: Tables,
    memory: Memory,
    way: Way,
    drawn: Vec<Target>,
}

#[derive(Debug)]
enum Way {
    Under(Engine, Box<Execution>),
    /// With the reason why it did not come to its end.
    Ended(Option<Reason>),
}

/// A command that is to be executed next.
#[derive(Clone, Debug)]
pub struct Upcoming {
    /// Where it lies.
    pub at: PpgttAddress,
    /// What the tables say of it.
    pub command: Option<&'static Command>,
    /// Its dwords; of a very long one the first.
    pub dwords: Vec<u32>,
}

/// A shader that the next draw would run.
#[derive(Clone, Debug)]
pub struct Shader {
    /// Its stage, and how many lanes it is for.
    pub name: &'static str,
    /// Its instructions.
    pub program: Arc<Program>,
}

impl Running {
    /// Executes all that is left.
    pub fn run(&mut self) {
        self.execute(|| Reach::End);
    }

    /// Executes a command.
    pub fn step(&mut self) {
        self.execute(|| Reach::Command);
    }

    fn execute(&mut self, reach: impl Fn() -> Reach<'static>) {
        let Way::Under(_, execution) = &mut self.way else { return };
        let nobody = "it waits for a semaphore that nobody signals";
        let stopped = match execution.run(&Stop::default(), reach()) {
            Pause::Long => return,
            Pause::Done => None,
            Pause::Fault(reason) => Some(reason),
            Pause::Waiting => Some(Reason::new("replay/exec", nobody)),
            Pause::Stopped => Some(Reason::new("replay/exec", "it was stopped")),
        };
        self.collect();
        self.way = Way::Ended(stopped);
    }

    fn collect(&mut self) {
        if let Way::Under(_, execution) = &mut self.way {
            self.drawn.extend(execution.take_drawn());
        }
    }

    /// The command that it stands at; `None` at its end.
    pub fn upcoming(&mut self) -> Option<Upcoming> {
        let Way::Under(engine, execution) = &mut self.way else { return None };
        match execution.upcoming() {
            Ok((at, dwords)) => Some(Upcoming {
                at: PpgttAddress(at),
                command: dwords.first().and_then(|header| command::decode(*header, *engine)),
                dwords: dwords.to_vec(),
            }),
            Err(reason) => {
                self.way = Way::Ended(Some(reason));
                None
            }
        }
    }

    /// The state of the 3D pipeline: commands, as they came last. Nothing of it before the batch's first one.
    pub fn state(&mut self) -> Vec<Vec<u32>> {
        match &mut self.way {
            Way::Under(_, execution) => {
                execution.renderer().map_or_else(Vec::new, |renderer| renderer.state.commands())
            }
            Way::Ended(_) => Vec::new(),
        }
    }

    /// The shaders that a draw would run.
    ///
    /// # Errors
    /// A fault: they, or what they begin with, are not mapped.
    pub fn shaders(&mut self) -> Result<Vec<Shader>, Reason> {
        let Way::Under(_, execution) = &mut self.way else { return Ok(Vec::new()) };
        let Some(renderer) = execution.renderer() else { return Ok(Vec::new()) };
        let shaders = renderer.shaders(&self.memory).map_err(|Fault(reason)| reason)?;
        Ok(shaders.into_iter().map(|(name, program)| Shader { name, program }).collect())
    }

    /// Reads memory as the batch sees it.
    ///
    /// # Errors
    /// Nothing is mapped there.
    pub fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Reason> {
        self.memory.read(at, to).map_err(|Fault(reason)| reason)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;
    use std::path::Path;

    use super::*;
    use crate::trace::Reader;

    /// Replays a capture; returns the dwords of all its buffer objects of up to 2 MiB.
    fn buffers(capture: &str) -> Vec<Vec<u32>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let file = File::open(corpus.join(capture)).unwrap();
        let mut reader = Reader::new(BufReader::new(file)).unwrap();
        let mut replay = Replay::new().unwrap();
        let mut found = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            match &record {
                Record::Create { buffer, size } if *size <= 2 << 20 => found.push((*buffer, *size)),
                Record::Destroy { buffer } => found.retain(|(known, _)| known != buffer),
                _ => {}
            }
            if let Some(executed) = replay.record(&record).unwrap() {
                assert_eq!(executed.stopped, None);
            }
        }
        let dwords = |(buffer, bytes): (BufferId, u64)| {
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
            let hashes: Vec<u32> = buffers(capture).iter().map(hash).collect();
            assert!(hashes.contains(&0x6394_8faa), "{capture}: {hashes:08x?}");
        }
        // Two dispatches, of which memory says how large the second is, add to one number.
        for capture in ["m22_gl_compute.i9t", "m25_gl_compute.i9t"] {
            let is_sum = |dwords: &Vec<u32>| dwords.windows(2).any(|two| two == [96_205_056, 3969]);
            assert!(buffers(capture).iter().any(is_sum), "{capture}");
        }
    }

    /// `tests/corpus/m25_gl_xfb`: the vertices of a triangle, twice as large.
    #[test]
    fn streams_are_written_to_buffers() {
        let vertices =
            [-1.6, -1.6, 0.0, 2.0, 1.6, -1.6, 0.0, 2.0, 0.0, 1.6, 0.0, 2.0_f32].map(f32::to_bits);
        for capture in ["m22_gl_xfb.i9t", "m25_gl_xfb.i9t"] {
            let are_there =
                |dwords: &Vec<u32>| dwords.windows(vertices.len()).any(|some| some == vertices);
            assert!(buffers(capture).iter().any(are_there), "{capture}");
        }
    }
}
