//! What a submission costs the processor: silicon on the host's driver against the driver alone, with the same list of
//! objects.
//!
//! Processor time of all threads, each submission waited for. The silicon's lists become shorter than the driver's own where
//! tables are merged.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gpu_intel::address::PpgttAddress;
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::drm::Drm;
use gpu_intel_i915::{ContextSetup, Device, EngineName, Node, Object, Piece};
use mediator::memory::{MapRequest, MemoryQuota, sealed_memfd};
use mediator::{
    Clock, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Silicon, SpaceRoot, Ticket, VmId,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

const NODE: &str = "/dev/dri/renderD128";
const LEAF: u64 = 2 << 20;
const AT: u64 = 1 << 32;
/// Pages of memory, each shown many times: what is bound counts, not what it is.
const PAGES: u64 = 512;
const TABLES: u64 = 16 << 20;
const IMAGES: u64 = 14 << 20;
const MEMORY: u64 = 32 << 20;
const ROUNDS: usize = 15;
const SUBMISSIONS: u32 = 20;
/// Until all that can be merged is.
const WARM_UP: u32 = 200;

/// Submits once, and waits.
type Subject = Box<dyn FnMut() -> Result<()>>;

pub(crate) fn run() -> Result<()> {
    for objects in [1, 64, 512] {
        let mut subjects =
            [driver_alone(objects)?, silicon(objects, true)?, silicon(objects, false)?];
        for subject in &mut subjects {
            (0..WARM_UP).try_for_each(|_| subject())?;
        }
        // In turns, so that what else the machine does falls on all alike.
        let mut rounds: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (subject, rounds) in subjects.iter_mut().zip(&mut rounds) {
                rounds.push(measure(subject)?);
            }
        }
        let against = |n: usize| {
            let ratios = rounds[n].iter().zip(&rounds[0]).map(|(own, driver)| own / driver);
            median(ratios.collect())
        };
        println!(
            "objects {objects}: driver {:.0} us; silicon, tables known: {:.2} times; tables compared: {:.2} times",
            median(rounds[0].clone()),
            against(1),
            against(2),
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

/// Microseconds of processor time that one submission takes, of some.
fn measure(subject: &mut Subject) -> Result<f64> {
    let before = processor();
    (0..SUBMISSIONS).try_for_each(|_| subject())?;
    Ok((processor() - before).as_secs_f64() * 1e6 / f64::from(SUBMISSIONS))
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
    Ok(Box::new(move || {
        let fence = node.execute(context, &mut list, 0, 0)?;
        poll(&mut [PollFd::new(&fence, PollFlags::IN)], None)?;
        Ok(())
    }))
}

fn silicon(objects: u64, known: bool) -> Result<Subject> {
    let clock = Clock::start();
    let drm = Drm::open(Path::new(NODE), clock)?;
    let ram = GuestRam::new(MemoryQuota::default());
    let fd = sealed_memfd(MEMORY)?;
    ram.map(MapRequest { at: GuestAddress(0), len: MEMORY, fd, offset: 0, writable: true })?;
    ram.write_u32(GuestAddress(0), 0x0A << 23)?;
    let root = tables(&ram, objects)?;
    let space = drm.open_space(VmId(0), &ram, root)?;
    let engine = Engine::Render.id();
    let context = drm.open_context(space, engine)?;
    let (tell, told) = mpsc::channel();
    let mut job = 0;
    Ok(Box::new(move || {
        job += 1;
        let tell = tell.clone();
        let ticket = Ticket::new(VmId(0), JobId(job), move |fence| {
            let _ = tell.send(fence);
        });
        let work = Batch {
            image: vec![GuestAddress(IMAGES), GuestAddress(IMAGES + 0x1000)],
            restore: job > 1,
            save: true,
            tables: known.then_some(1),
            ..Batch::new(PpgttAddress(AT + (objects - 1) * LEAF))
        };
        drm.submit(engine, context, work, ticket)?;
        drm.kick(engine);
        let fence = told.recv().context("no fence")?;
        ensure!(fence.outcome == Outcome::Ended(JobEnd::Done), "{:?}", fence.outcome);
        Ok(())
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
        let table = page(16 + leaf);
        put(page(directory), at >> 21 & 511, table)?;
        for n in 0..PAGES {
            put(table, n, n * 0x1000)?;
        }
    }
    Ok(SpaceRoot { levels: 4, entries: [page(0), 0, 0, 0] })
}
