//! The way of an empty batch through a running mediator: from the write of the submission port's last dword, as the
//! virtual GPU gets it, to the call of silicon, and on to the fence's arrival at the virtual GPU.
//!
//! ```text
//!  stand-in ──socket──► VM's thread: Vgpu ──► executor ──► silicon ──► executor ──► VM's thread: Vgpu
//!                       │ port               │ submit                  │ finished
//!                       └────── to_silicon ──┘                         │
//!                       └────────────────────────────── to_fence ──────┘
//! ```
//! The threads sleep in between, as they do when a guest submits now and then: each hand-over wakes one. What is left
//! without waking anybody is measured apart ([`Took::work`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use anyhow::Result;
use gpu_intel::driver::{FREE, MEMORY};
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::{Vgpu, VgpuConfig};
use mediator::memory::SealPolicy;
use mediator::{
    Clock, ContextId, Effects, EngineId, GuestAddress, GuestRam, Job, JobEnd, JobId, Limits,
    Mediator, NullSilicon, Place, Plug, Quotas, Reason, Region, RegionInfo, Reset, RestoreError,
    SaveError, Saved, ScanOut, Silicon, SiliconError, SpaceId, SpaceRoot, Ticket, Time,
    UnknownAccess, VirtualGpu, VmConfig, VmId, Weight,
};
use tempfile::TempDir;

use crate::stand_in::StandIn;

/// The engine that is submitted to.
const ENGINE: Engine = Engine::Copy;
/// Where the driver has its root table (see its module).
const ROOT: u64 = 0x8_0000;
/// How often the stand-in looks for its request's end: the processors are free meanwhile.
const PAUSE: Duration = Duration::from_micros(100);

/// When the batch was where.
#[derive(Debug)]
struct Stamps {
    clock: Clock,
    port: AtomicU64,
    ported: AtomicU64,
    executor: AtomicU64,
    silicon: AtomicU64,
    fence: AtomicU64,
}

impl Stamps {
    fn stamp(&self, place: &AtomicU64) {
        place.store(self.clock.now().0, SeqCst);
    }
}

/// What one submission took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From the port's last dword to the call of silicon.
    pub to_silicon: Duration,
    /// The part of it that is spent in the virtual GPU and in the awake executor, from the executor's first look at
    /// silicon's free slots.
    pub work: Duration,
    /// From the port's last dword to the fence's arrival.
    pub to_fence: Duration,
}

/// A mediator over silicon that takes no time, and a stand-in on it.
#[derive(Debug)]
pub struct Rig {
    stand_in: StandIn,
    stamps: Arc<Stamps>,
    _mediator: Mediator<Batch>,
    _folder: TempDir,
}

impl Rig {
    /// With an address space of `mapped` bytes, a multiple of 2 MiB: page tables for pages of 4 KiB, as i915 makes
    /// them.
    ///
    /// # Errors
    /// When the host has not what it takes.
    pub fn new(mapped: u64) -> Result<Self> {
        let clock = Clock::start();
        let zero = || AtomicU64::new(0);
        let stamps = Arc::new(Stamps {
            clock,
            port: zero(),
            ported: zero(),
            executor: zero(),
            silicon: zero(),
            fence: zero(),
        });
        let silicon = StampedSilicon { inner: NullSilicon::at_once(), stamps: Arc::clone(&stamps) };
        let mut mediator = Mediator::start(Arc::new(silicon), clock)?;
        let folder = tempfile::tempdir()?;
        let config = VmConfig {
            name: "stand-in".to_owned(),
            socket: folder.path().join("vm"),
            weight: Weight::default(),
            quotas: Quotas::default(),
            seals: SealPolicy::RequireSealed,
        };
        let socket = config.socket.clone();
        let seen = Arc::clone(&stamps);
        mediator.add_vm(config, move |setup| {
            let inner =
                Vgpu::new(VgpuConfig { edid: vec![0; 128], ..VgpuConfig::default() }, setup.ram)?;
            Ok(Box::new(StampedVgpu { inner, stamps: Arc::clone(&seen) }))
        })?;
        let stand_in = StandIn::connect(&socket, tables_bytes(mapped))?;
        build_tables(stand_in.ram(), mapped)?;
        // An empty batch.
        stand_in.ram().write_u32(GuestAddress(FREE), 0x0A << 23)?;
        Ok(Self { stand_in, stamps, _mediator: mediator, _folder: folder })
    }

    /// Submits an empty batch and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn submit(&mut self) -> Result<Took> {
        let seqno = self.stand_in.submit(ENGINE, FREE)?;
        self.stand_in.wait(ENGINE, seqno, PAUSE)?;
        let stamps = &self.stamps;
        let at = |stamp: &AtomicU64| Time(stamp.load(SeqCst));
        let (port, silicon) = (at(&stamps.port), at(&stamps.silicon));
        Ok(Took {
            to_silicon: silicon.since(port),
            work: at(&stamps.ported).since(port) + silicon.since(at(&stamps.executor)),
            to_fence: at(&stamps.fence).since(port),
        })
    }
}

/// What the tables for `mapped` bytes take: one of 4 KiB for each 2 MiB, one above for each 512 of those, one more.
fn tables_bytes(mapped: u64) -> u64 {
    let tables = mapped.div_ceil(2 << 20);
    (tables + tables.div_ceil(512) + 1) * 4096
}

/// Builds them behind the driver's memory; all pages lie in the driver's memory, again and again.
fn build_tables(ram: &GuestRam, mapped: u64) -> Result<()> {
    let tables = mapped.div_ceil(2 << 20);
    let directories = tables.div_ceil(512);
    let pointers = MEMORY;
    let directory = |n: u64| pointers + 4096 * (1 + n);
    let table = |n: u64| directory(directories) + 4096 * n;
    ram.write_u64(GuestAddress(ROOT), pointers | 3)?;
    for n in 0..directories {
        ram.write_u64(GuestAddress(pointers + 8 * n), directory(n) | 3)?;
    }
    for n in 0..tables {
        ram.write_u64(GuestAddress(directory(0) + 8 * n), table(n) | 3)?;
        let entry = |page: u64| (((n * 512 + page) * 4096 % MEMORY) | 3).to_le_bytes();
        let entries: Vec<u8> = (0..512).flat_map(entry).collect();
        ram.write(GuestAddress(table(n)), &entries)?;
    }
    Ok(())
}

/// The virtual GPU, and when it was called.
struct StampedVgpu {
    inner: Vgpu,
    stamps: Arc<Stamps>,
}

impl VirtualGpu<Batch> for StampedVgpu {
    fn regions(&self) -> &[RegionInfo] {
        self.inner.regions()
    }
    fn read(&mut self, at: Place, to: &mut [u8], fx: &mut Effects<Batch>) {
        self.inner.read(at, to, fx);
    }
    fn write(&mut self, at: Place, from: &[u8], fx: &mut Effects<Batch>) {
        let is_port = at.region == Region::Bar(0) && at.offset == u64::from(ENGINE.base()) + 0x230;
        if is_port {
            // The last of the four dwords stays.
            self.stamps.stamp(&self.stamps.port);
        }
        self.inner.write(at, from, fx);
        if is_port {
            self.stamps.stamp(&self.stamps.ported);
        }
    }
    fn finished(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<Batch>) {
        self.stamps.stamp(&self.stamps.fence);
        self.inner.finished(job, end, fx);
    }
    fn tick(&mut self, fx: &mut Effects<Batch>) -> Option<Time> {
        self.inner.tick(fx)
    }
    fn scan_out(&self) -> ScanOut {
        self.inner.scan_out()
    }
    fn plug(&mut self, plug: Plug, fx: &mut Effects<Batch>) {
        self.inner.plug(plug, fx);
    }
    fn reset(&mut self, kind: Reset, fx: &mut Effects<Batch>) {
        self.inner.reset(kind, fx);
    }
    fn save(&self, out: &[Job<Batch>], fx: &mut Effects<Batch>) -> Result<Saved, SaveError> {
        self.inner.save(out, fx)
    }
    fn restore(
        &mut self,
        saved: &Saved,
        ahead: Duration,
        fx: &mut Effects<Batch>,
    ) -> Result<(), RestoreError> {
        self.inner.restore(saved, ahead, fx)
    }
    fn unknown_accesses(&self) -> Vec<UnknownAccess> {
        self.inner.unknown_accesses()
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.inner.counters()
    }
}

/// Silicon that takes no time, and when it was called.
struct StampedSilicon {
    inner: NullSilicon<Batch>,
    stamps: Arc<Stamps>,
}

impl Silicon for StampedSilicon {
    type Work = Batch;

    fn limits(&self) -> &Limits {
        // The executor looks here each time before it fills the slots; the last look before the submission is its.
        let stamps = &self.stamps;
        if stamps.silicon.load(SeqCst) < stamps.port.load(SeqCst) {
            stamps.stamp(&stamps.executor);
        }
        self.inner.limits()
    }
    fn open_space(
        &self,
        vm: VmId,
        ram: &GuestRam,
        root: SpaceRoot,
    ) -> Result<SpaceId, SiliconError> {
        self.inner.open_space(vm, ram, root)
    }
    fn close_space(&self, space: SpaceId) {
        self.inner.close_space(space);
    }
    fn open_context(&self, space: SpaceId, engine: EngineId) -> Result<ContextId, SiliconError> {
        self.inner.open_context(space, engine)
    }
    fn close_context(&self, context: ContextId) {
        self.inner.close_context(context);
    }
    fn submit(
        &self,
        engine: EngineId,
        context: ContextId,
        work: Batch,
        ticket: Ticket,
    ) -> Result<(), SiliconError> {
        self.stamps.stamp(&self.stamps.silicon);
        self.inner.submit(engine, context, work, ticket)
    }
    fn resume(&self, engine: EngineId, ticket: Ticket) -> Result<(), SiliconError> {
        self.inner.resume(engine, ticket)
    }
    fn kick(&self, engine: EngineId) {
        self.inner.kick(engine);
    }
    fn recall(&self, engine: EngineId, vm: VmId, job: JobId) -> Option<JobEnd> {
        self.inner.recall(engine, vm, job)
    }
    fn preempt(&self, engine: EngineId, vm: VmId, job: JobId) {
        self.inner.preempt(engine, vm, job);
    }
    fn take_back(&self, engine: EngineId, vm: VmId, job: JobId) -> Result<Batch, SiliconError> {
        self.inner.take_back(engine, vm, job)
    }
    fn kill(&self, engine: EngineId, vm: VmId, job: JobId, why: Reason) {
        self.inner.kill(engine, vm, job, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_passes_the_stamps_in_order() {
        for mapped in [2 << 20, 1 << 30] {
            let mut rig = Rig::new(mapped).unwrap();
            for _ in 0..3 {
                let took = rig.submit().unwrap();
                assert!(
                    took.to_silicon > Duration::ZERO && took.to_fence > took.to_silicon,
                    "{took:?}"
                );
            }
        }
    }
}
