//! A mediator over silicon that does nothing, with a simple device, VMMs to torment it, and a victim that wants none
//! of it.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mediator::memory::{SealPolicy, SharedPages};
use mediator::transport::vfio_user::client::Client;
use mediator::{
    Clock, ContextKey, DeviceSetup, Effects, EngineId, GuestAddress, Job, JobEnd, JobId, Mappable,
    Mediator, NullSilicon, Place, Plane, Plug, Quotas, Reason, Region, RegionInfo, Reset,
    RestoreError, SaveError, Saved, ScanOut, SpaceRoot, Time, UnknownAccess, Vector, VirtualGpu,
    VmConfig, VmHandle, VmState, Weight,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The device's registers, in BAR 0.
pub mod register {
    /// Written: a job of as many microseconds.
    pub const SUBMIT: u64 = 0x00;
    /// Jobs that ended in each of the ways.
    pub const DONE: u64 = 0x04;
    pub const FAULTS: u64 = 0x08;
    pub const KILLED: u64 = 0x0c;
    /// Written: the device panics.
    pub const PANIC: u64 = 0x10;
    /// Read: the word of guest memory at the address that was written.
    pub const PEEK: u64 = 0x14;
    /// Written: the device asks for quarantine.
    pub const CRIME: u64 = 0x18;
    /// Read: the first word of the part that VMMs may map.
    pub const SHARED: u64 = 0x24;
    /// Written: cancels all jobs.
    pub const CANCEL: u64 = 0x1c;
    /// Written: the device can't be saved any more.
    pub const SHY: u64 = 0x24;
}

/// A job's length in microseconds.
pub type Work = u32;

/// Submits a job per write.
struct Toy {
    setup: DeviceSetup,
    next: u64,
    out: Vec<JobId>,
    done: u32,
    faults: u32,
    killed: u32,
    peek: GuestAddress,
    plug: Plug,
    shared: Option<SharedPages>,
    shy: bool,
}

const REGIONS: [RegionInfo; 2] = [
    RegionInfo { region: Region::Bar(0), size: 0x3000, writable: true },
    RegionInfo { region: Region::Rom, size: 0x10_0000, writable: false },
];

/// The part of BAR 0 that VMMs may map.
pub const SHARED: Mappable = Mappable { bar: 0, offset: 0x1000, len: 0x2000 };
/// What is saved of it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ToyState {
    jobs: Vec<Work>,
    done: u32,
    peek: u64,
}

impl Toy {
    fn submit(&mut self, work: Work, fx: &mut Effects<Work>) {
        self.next += 1;
        self.out.push(JobId(self.next));
        fx.jobs.push(Job {
            priority: mediator::Priority::default(),
            id: JobId(self.next),
            engine: EngineId(0),
            space: SpaceRoot { levels: 4, entries: [0x1000, 0, 0, 0] },
            context: ContextKey(1),
            work,
        });
    }
}

impl VirtualGpu<Work> for Toy {
    fn regions(&self) -> &[RegionInfo] {
        &REGIONS
    }

    fn mappable(&self) -> Option<Mappable> {
        Some(SHARED)
    }

    fn share(&mut self, pages: SharedPages) {
        self.shared = Some(pages);
    }

    fn read(&mut self, at: Place, to: &mut [u8], _: &mut Effects<Work>) {
        let value = match at.offset {
            register::DONE => self.done,
            register::FAULTS => self.faults,
            register::KILLED => self.killed,
            register::SHARED => {
                self.shared.as_ref().and_then(|pages| pages.load_u32(0)).unwrap_or(u32::MAX)
            }
            register::PEEK => self.setup.ram.read_u32(self.peek).unwrap_or(u32::MAX),
            _ => 0xdead_beef,
        };
        to.fill(0);
        let len = to.len().min(4);
        to[..len].copy_from_slice(&value.to_le_bytes()[..len]);
    }

    fn write(&mut self, at: Place, from: &[u8], fx: &mut Effects<Work>) {
        let value = u32::from_le_bytes(from.try_into().unwrap_or_default());
        match at.offset {
            register::SUBMIT => {
                self.submit(value, fx);
            }
            register::PANIC => panic!("as the test wants it"),
            register::PEEK => self.peek = GuestAddress(value.into()),
            register::CRIME => fx.quarantine = Some(Reason::new("toy/crime", "a crime")),
            register::SHY => self.shy = true,
            register::CANCEL => fx.cancel.append(&mut self.out),
            _ => fx.failed.push(Reason::new("toy/register", "no such register")),
        }
    }

    fn finished(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<Work>) {
        let known = self.out.iter().position(|&out| out == job);
        assert!(known.is_some(), "{job:?} ended and is not out");
        self.out.remove(known.unwrap());
        match end {
            JobEnd::Done => self.done += 1,
            JobEnd::Fault(_) => self.faults += 1,
            JobEnd::Killed(_) => self.killed += 1,
            JobEnd::Suspended | JobEnd::Withdrawn => panic!("{job:?} was not recalled"),
        }
        fx.interrupts.push(Vector(0));
    }

    fn tick(&mut self, _: &mut Effects<Work>) -> Option<Time> {
        None
    }

    fn scan_out(&self) -> ScanOut {
        let surface = display::Surface {
            width: 64,
            height: 16,
            stride: 256,
            format: display::PixelFormat::Xrgb8888,
            tiling: display::Tiling::Linear,
        };
        let pages = vec![Some(GuestAddress(0))];
        let plane = Plane {
            surface,
            source: (0, 0),
            rotation: display::Rotation::None,
            x: 0,
            y: 0,
            blend: display::Blend::Opaque,
            alpha: 255,
            palette: None,
            pages,
            offset_in_page: 0,
            chroma: None,
        };
        ScanOut { mode: Some((64, 16)), planes: vec![plane] }
    }

    fn plug(&mut self, plug: Plug, _: &mut Effects<Work>) {
        self.plug = plug;
    }

    fn reset(&mut self, _: Reset, fx: &mut Effects<Work>) {
        fx.cancel.append(&mut self.out);
        (self.done, self.faults, self.killed) = (0, 0, 0);
    }

    fn save(&self, out: &[Job<Work>], _: &mut Effects<Work>) -> Result<Saved, SaveError> {
        if self.shy {
            return Err(SaveError::Device("it is shy".into()));
        }
        let jobs: Vec<_> = out.iter().map(|job| job.work).collect();
        assert_eq!(jobs.len(), self.out.len(), "{out:?}");
        let state = ToyState { jobs, done: self.done, peek: self.peek.0 };
        Saved::new("a toy".into(), 1, &state)
    }

    fn restore(
        &mut self,
        saved: &Saved,
        _: Duration,
        fx: &mut Effects<Work>,
    ) -> Result<(), RestoreError> {
        let state: ToyState = saved.open("a toy", 1)?;
        if state.done == u32::MAX {
            return Err(RestoreError::Impossible("so much was never done".into()));
        }
        fx.cancel.append(&mut self.out);
        (self.done, self.faults, self.killed) = (state.done, 0, 0);
        self.peek = GuestAddress(state.peek);
        state.jobs.into_iter().for_each(|work| self.submit(work, fx));
        Ok(())
    }

    fn unknown_accesses(&self) -> Vec<UnknownAccess> {
        let place = Place { region: Region::Bar(0), offset: 0x1234 };
        vec![UnknownAccess { place, reads: 1, writes: 2 }]
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let edid = match &self.plug {
            Plug::Out => 0,
            Plug::In(None) => 1,
            Plug::In(Some(edid)) => edid.len() as u64,
        };
        vec![("jobs", self.next), ("edid", edid)]
    }
}

/// A running mediator.
pub struct World {
    pub mediator: Mediator<Work>,
    pub silicon: Arc<NullSilicon<Work>>,
    pub dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::start();
        let length = |us: &Work| Duration::from_micros((*us).into());
        let silicon = Arc::new(NullSilicon::timed(clock, length).unwrap());
        let mediator = Mediator::start(Arc::clone(&silicon) as _, clock).unwrap();
        Self { mediator, silicon, dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self, name: &str) -> VmConfig {
        VmConfig {
            name: name.to_owned(),
            socket: self.path(name),
            weight: Weight::USUAL,
            quotas: Quotas::default(),
            seals: SealPolicy::RequireSealed,
        }
    }

    pub fn add(&mut self, config: VmConfig) -> VmHandle {
        let toy = |setup| -> std::io::Result<Box<dyn VirtualGpu<Work>>> {
            let peek = GuestAddress(0);
            let out = Vec::new();
            let plug = Plug::In(None);
            Ok(Box::new(Toy {
                setup,
                next: 0,
                out,
                done: 0,
                faults: 0,
                killed: 0,
                peek,
                plug,
                shared: None,
                shy: false,
            }))
        };
        self.mediator.add_vm(config, toy).unwrap()
    }

    /// A VM whose quotas are as usual.
    pub fn add_usual(&mut self, name: &str) -> VmHandle {
        let config = self.config(name);
        self.add(config)
    }

    /// A VM that works and never stops.
    pub fn add_victim(&mut self) -> Victim {
        let vm = self.add_usual("victim");
        Victim::start(&vm)
    }
}

pub fn connect(vm: &VmHandle) -> Client {
    Client::connect(vm.socket()).unwrap()
}

pub fn submit(client: &mut Client, us: u32) {
    client.write_u32(0, register::SUBMIT, us).unwrap();
}

pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn rule(vm: &VmHandle) -> Option<&'static str> {
    match vm.state() {
        VmState::Quarantined(why) => Some(why.rule),
        _ => None,
    }
}

/// A VM that submits one short job after the other and waits for the interrupt of each.
pub struct Victim {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Served>,
}

/// How a victim fared.
#[derive(Debug)]
pub struct Served {
    pub jobs: u32,
    pub worst: Duration,
}

impl Victim {
    fn start(vm: &VmHandle) -> Self {
        let mut client = connect(vm);
        let interrupt = client.enable_interrupt(Vector(0)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut served = Served { jobs: 0, worst: Duration::ZERO };
            while !stopped.load(Ordering::Relaxed) {
                let begin = Instant::now();
                submit(&mut client, 100);
                let mut fds = [PollFd::new(&interrupt, PollFlags::IN)];
                let ready = poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).unwrap();
                assert_eq!(ready, 1, "the victim's job does not end");
                rustix::io::read(&interrupt, &mut [0; 8]).unwrap();
                served.jobs += 1;
                assert_eq!(client.read_u32(0, register::DONE).unwrap(), served.jobs);
                served.worst = served.worst.max(begin.elapsed());
            }
            served
        });
        Self { stop, thread }
    }

    /// Lets it work for another moment; then it must have been served all the time.
    pub fn was_served(self) {
        std::thread::sleep(Duration::from_millis(300));
        self.stop.store(true, Ordering::Relaxed);
        let served = self.thread.join().unwrap();
        assert!(served.jobs >= 20, "{served:?}");
        assert!(served.worst < Duration::from_secs(1), "{served:?}");
    }
}
