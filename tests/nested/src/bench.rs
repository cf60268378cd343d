//! What a submission costs the processor: silicon on the host's driver against the driver alone, with the same list of
//! objects.
//!
//! Processor time of all threads, each submission waited for, a line for each length of the list: `known` and `compared` are
//! ratios to the driver alone, the rest microseconds. The silicon's lists become shorter than the driver's own where tables are
//! merged.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use anyhow::{Result, anyhow};
use gpu_intel::address::PpgttAddress;
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::drm::Drm;
use gpu_intel_i915::{ContextSetup, Device, EngineName, Node, Object, Piece};
use mediator::memory::{MapRequest, MemoryQuota, sealed_memfd};
use mediator::{
    Clock, ContextId, Fence, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Silicon, SpaceRoot,
    Ticket, VmId,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

const NODE: &str = "/dev/dri/renderD128";
const LEAF: u64 = 2 << 20;
const AT: u64 = 1 << 32;
/// Pages of memory, each shown many times: what is bound counts, not what it is.
const PAGES: u64 = 512;
const TABLES: u64 = 16 << 20;
/// The first table of leaves, and an entry in it that no batch needs.
const LEAVES: u64 = 16;
const CHANGING: u64 = TABLES + LEAVES * 0x1000 + 8 * 100;
const IMAGES: u64 = 14 << 20;
const MEMORY: u64 = 32 << 20;
const ROUNDS: usize = 15;
const SUBMISSIONS: u32 = 20;
/// Until all that can be merged is.
const WARM_UP: u32 = 200;

/// Submits so many, one after the other, and waits for each.
type Subject = Box<dyn FnMut(u32) -> Result<()>>;

/// What silicon is told of the tables before each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    /// That they are as they were.
    Known,
    /// Nothing: it compares them.
    Compared,
    /// Nothing, and one entry has changed.
    Changed,
}

pub(crate) fn run() -> Result<()> {
    for objects in [1, 64, 512] {
        let mut subjects = [
            driver_alone(objects)?,
            silicon(objects, Tables::Known)?,
            silicon(objects, Tables::Compared)?,
            silicon(objects, Tables::Changed)?,
        ];
        let mut first = Vec::new();
        for subject in &mut subjects {
            first.push(measure(subject, 1)?);
            subject(WARM_UP)?;
        }
        // In turns, so that what else the machine does falls on all alike.
        let mut rounds: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            for (subject, rounds) in subjects.iter_mut().zip(&mut rounds) {
                rounds.push(measure(subject, SUBMISSIONS)?);
            }
        }
        let against = |n: usize| {
            let ratios = rounds[n].iter().zip(&rounds[0]).map(|(own, driver)| own / driver);
            median(ratios.collect())
        };
        let [driver, known, compared, changed] =
            [median(rounds[0].clone()), against(1), against(2), median(rounds[3].clone())];
        println!(
            "bench objects={objects} driver_us={driver:.0} known={known:.2} compared={compared:.2} \
             changed_us={changed:.0} first_us={:.0} driver_first_us={:.0}",
            first[2], first[0],
        );
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Processor time of this process.
fn processor() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Microseconds of processor time that one submission takes, of so many.
fn measure(subject: &mut Subject, submissions: u32) -> Result<f64> {
    let before = processor();
    subject(submissions)?;
    Ok((processor() - before).as_secs_f64() * 1e6 / f64::from(submissions))
}

fn driver_alone(objects: u64) -> Result<Subject> {
    let node = Node::open(Path::new(NODE))?;
    let memory = sealed_memfd(MEMORY)?;
    rustix::io::pwrite(&memory, &(0x0A_u32 << 23).to_le_bytes(), 0)?;
    let space = node.open_space()?;
    let mut list = Vec::new();
    for n in 0..objects {
        let piece = Piece { file: memory.as_fd(), offset: 0, bytes: LEAF };
        list.push(Object::new(node.import(&[piece])?, AT + n * LEAF));
    }
    let engine = EngineName { class: 0, instance: 0 };
    let setup = ContextSetup { space, engine, priority: None, dies_with_work: false };
    let context = node.open_context(&setup)?;
    Ok(Box::new(move |count| {
        for _ in 0..count {
            let fence = node.execute(context, &mut list, 0, 0)?;
            poll(&mut [PollFd::new(&fence, PollFlags::IN)], None)?;
        }
        Ok(())
    }))
}

/// Batches one after the other: each is submitted by whoever hears that the one before is over. So no thread is woken but
/// the one that waits for fences, as in [`driver_alone`]; whom else the mediator wakes, other benches measure.
#[derive(Debug)]
struct Chain {
    drm: Drm,
    context: ContextId,
    /// Memory with the tables that `context` runs in.
    ram: GuestRam,
    /// Whether an entry of them is another one each time.
    changes: bool,
    batch: Batch,
    begun: AtomicU64,
    left: AtomicU32,
    over: Sender<Result<()>>,
}

impl Chain {
    fn next(self: &Arc<Self>) {
        let job = self.begun.fetch_add(1, Ordering::Relaxed);
        if self.changes
            && let Err(error) = self.ram.write_u64(GuestAddress(CHANGING), (job % 2 * 0x1000) | 3)
        {
            return self.tell(Err(error.into()));
        }
        let own = Arc::clone(self);
        let ticket = Ticket::new(VmId(0), JobId(job), move |fence| own.ended(&fence));
        let work = Batch { restore: job > 0, ..self.batch.clone() };
        let engine = Engine::Render.id();
        match self.drm.submit(engine, self.context, work, ticket) {
            Ok(()) => self.drm.kick(engine),
            Err(error) => self.tell(Err(error.into())),
        }
    }

    fn ended(self: &Arc<Self>, fence: &Fence) {
        if fence.outcome != Outcome::Ended(JobEnd::Done) {
            self.tell(Err(anyhow!("{:?}", fence.outcome)));
        } else if self.left.fetch_sub(1, Ordering::Relaxed) > 1 {
            self.next();
        } else {
            self.tell(Ok(()));
        }
    }

    fn tell(&self, end: Result<()>) {
        // Who waits lives as long as this.
        let _ = self.over.send(end);
    }
}

fn silicon(objects: u64, told: Tables) -> Result<Subject> {
    let drm = Drm::open(Path::new(NODE), Clock::start())?;
    let ram = GuestRam::new(MemoryQuota::default());
    let fd = sealed_memfd(MEMORY)?;
    ram.map(MapRequest { at: GuestAddress(0), len: MEMORY, fd, offset: 0, writable: true })?;
    ram.write_u32(GuestAddress(0), 0x0A << 23)?;
    let root = tables(&ram, objects)?;
    let space = drm.open_space(VmId(0), &ram, root)?;
    let context = drm.open_context(space, Engine::Render.id())?;
    let batch = Batch {
        image: vec![GuestAddress(IMAGES), GuestAddress(IMAGES + 0x1000)],
        save: true,
        tables: (told == Tables::Known).then_some(1),
        ..Batch::new(PpgttAddress(AT + (objects - 1) * LEAF))
    };
    let (over, ended) = mpsc::channel();
    let (begun, left) = (AtomicU64::new(0), AtomicU32::new(0));
    let changes = told == Tables::Changed;
    let chain = Arc::new(Chain { drm, context, ram, changes, batch, begun, left, over });
    Ok(Box::new(move |count| {
        chain.left.store(count, Ordering::Relaxed);
        chain.next();
        ended.recv()?
    }))
}

/// Tables of four levels with so many leaves, all of which show the same pages.
fn tables(ram: &GuestRam, leaves: u64) -> Result<SpaceRoot> {
    let page = |n: u64| TABLES + n * 0x1000;
    let put =
        |table: u64, index: u64, to: u64| ram.write_u64(GuestAddress(table + 8 * index), to | 3);
    put(page(0), AT >> 39, page(1))?;
    for leaf in 0..leaves {
        let at = AT + leaf * LEAF;
        let directory = 2 + (leaf / 512);
        put(page(1), at >> 30 & 511, page(directory))?;
        let table = page(LEAVES + leaf);
        put(page(directory), at >> 21 & 511, table)?;
        for n in 0..PAGES {
            put(table, n, n * 0x1000)?;
        }
    }
    Ok(SpaceRoot { levels: 4, entries: [page(0), 0, 0, 0] })
}
