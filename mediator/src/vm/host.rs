//! The daemon's side of one VM, without its transport: the device, its memory, and its jobs on their way.
//!
//! All of it belongs to the VM's thread alone.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::pause::{self, Pause, SaveReply};
use super::{DeviceFactory, DeviceSetup, Guarded, Mail, Question, VmHandle, VmState};
use crate::memory::{MapError, MapRequest, MemoryQuota, SealPolicy, SharedPages};
use crate::saved::SavedVm;
use crate::scheduler::{Dispatch, Member, Order, Residency};
use crate::transport::vfio_user::{Device, Interrupt};
use crate::{
    Clock, Effects, EngineId, GuestAddress, GuestRam, Job, JobEnd, JobId, Place, Reason,
    RegionInfo, Reset, RestoreError, SaveError, Silicon, Time, Vector,
};

/// How much of the host one VM may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Guest memory mapped at a time.
    pub memory: MemoryQuota,
    /// Jobs on their way at a time, for each engine.
    pub jobs: usize,
    /// Engine time that one job may take.
    pub job_time: Duration,
}

impl Default for Quotas {
    /// 64 GiB, 1024 jobs, 10 s.
    fn default() -> Self {
        Self { memory: MemoryQuota::default(), jobs: 1024, job_time: Duration::from_secs(10) }
    }
}

/// What a VM's thread needs of the mediator.
pub(crate) struct Surroundings<W: Send + 'static> {
    pub(crate) clock: Clock,
    pub(crate) silicon: Arc<dyn Silicon<Work = W>>,
    /// One for each engine.
    pub(crate) executors: Vec<Arc<Dispatch<W>>>,
}

pub(crate) struct Host<W: Send + 'static> {
    handle: VmHandle,
    quotas: Quotas,
    seals: SealPolicy,
    around: Surroundings<W>,
    device: Guarded<W>,
    /// Jobs that were handed out and have not ended.
    out: HashMap<JobId, EngineId>,
    depths: Vec<usize>,
    /// Jobs that were refused at the door; their ends are still to be told to the device.
    refused: VecDeque<(JobId, Reason)>,
    /// Where the VMM wants each interrupt vector signalled.
    vectors: HashMap<u16, Interrupt>,
    /// Counts resets.
    generation: u64,
    connected: bool,
    /// Set from the order to save on, until the VM runs again.
    pause: Option<Pause<W>>,
    /// One more of these for each order that an executor has not carried out yet.
    receipt: Arc<()>,
}

/// Orders to executors that may be on their way before the VMM has to wait.
pub(super) const ORDERS: usize = 1024;

/// Refused jobs whose ends the device is told of in a row.
const REFUSALS: usize = 64;

impl<W: Send + 'static> Host<W> {
    pub(crate) fn new(
        handle: VmHandle,
        quotas: Quotas,
        seals: SealPolicy,
        around: Surroundings<W>,
        factory: DeviceFactory<W>,
    ) -> Result<Self, Reason> {
        let ram = GuestRam::with_policy(quotas.memory, seals);
        let setup = DeviceSetup { vm: handle.id(), ram, clock: around.clock };
        let device = Guarded::new(factory, setup)?;
        let depths = vec![0; around.executors.len()];
        Ok(Self {
            handle,
            quotas,
            seals,
            around,
            device,
            out: HashMap::new(),
            depths,
            refused: VecDeque::new(),
            vectors: HashMap::new(),
            generation: 0,
            connected: false,
            pause: None,
            receipt: Arc::new(()),
        })
    }

    pub(crate) fn handle(&self) -> &VmHandle {
        &self.handle
    }

    pub(crate) fn ram(&self) -> &GuestRam {
        self.device.ram()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.around.clock
    }

    /// Whether the executors have not kept up with this VM's orders (resets and jobs, submitted and cancelled): then
    /// its VMM waits, so that orders neither pile up nor delay those of others.
    pub(crate) fn is_ahead(&self) -> bool {
        Arc::strong_count(&self.receipt) > ORDERS
    }

    // What the VMM does.

    /// A VMM has connected.
    ///
    /// # Errors
    /// When the host has no memory to share with it: it can't be served.
    pub(crate) fn connected(&mut self) -> io::Result<()> {
        self.call(|device, fx| device.share_anew(fx))?;
        self.handle.count_connection();
        self.connected = true;
        self.join();
        self.show_state();
        Ok(())
    }

    /// The VMM is gone. Nothing of its guest stays behind.
    pub(crate) fn disconnected(&mut self) {
        self.connected = false;
        self.drop_jobs();
        self.executors()
            .for_each(|executor| self.order(executor, Order::Dismiss(self.handle.id())));
        self.call(|device, fx| device.reset(Reset::Disconnect, fx));
        if let Err(error) = self.ram().unmap_all() {
            log::warn!("{}: {error}", self.handle.name());
        }
        if self.ram().faulted() {
            let ram = GuestRam::with_policy(self.quotas.memory, self.seals);
            self.call(|device, fx| device.replace_memory(ram, fx));
        }
        self.vectors.clear();
        self.show_state();
    }

    /// The device goes back to its state after power-on; its jobs are killed.
    fn power_cycle(&mut self) {
        self.handle.count_reset();
        self.drop_jobs();
        if self.connected {
            self.join();
        }
        self.call(|device, fx| device.reset(Reset::Device, fx));
        self.show_state();
    }

    // What the mediator does.

    /// Whether the thread goes on.
    pub(crate) fn mail(&mut self, mail: Mail) -> bool {
        match mail {
            Mail::Ended { generation, job, end } => {
                if generation == self.generation && self.forget(job).is_some() {
                    self.call(|device, fx| device.finished(job, end, fx));
                }
            }
            Mail::Recalled => self.pause.iter_mut().for_each(Pause::collect),
            Mail::Ask(question) => self.answer(question),
            Mail::Stop => return false,
        }
        true
    }

    fn answer(&mut self, question: Question) {
        // Who asked may have lost patience.
        match question {
            Question::Details(reply) => {
                let mut details = self.call(|device, fx| device.details(fx));
                details.counters.extend(self.around.silicon.holdings(self.handle.id()));
                let _ = reply.try_send(details);
            }
            Question::ScanOut(reply) => {
                let ram = self.ram().clone();
                let scan_out = self.call(|device, fx| device.scan_out(fx));
                let _ = reply.try_send((scan_out, ram));
            }
            Question::Reset(reply) => {
                self.power_cycle();
                let _ = reply.try_send(());
            }
            Question::Plug(plug, reply) => {
                self.call(|device, fx| device.plug(plug, fx));
                let _ = reply.try_send(());
            }
            Question::Save(reply) => self.stop_to_save(reply),
            Question::Resume(reply) => {
                let standing = self.is_standing();
                if standing {
                    self.resume();
                }
                let _ = reply.try_send(standing);
            }
            Question::Restore(saved, reply) => {
                let restored = self.restore(&saved);
                let _ = reply.try_send(restored);
            }
        }
    }

    /// What is due by time. Returns when it wants to be called next.
    pub(crate) fn tick(&mut self) -> Option<Time> {
        for _ in 0..REFUSALS {
            let Some((job, why)) = self.refused.pop_front() else { break };
            self.call(|device, fx| device.finished(job, JobEnd::Fault(why), fx));
        }
        let vanished = self.ram().faulted() || self.shared().is_some_and(SharedPages::faulted);
        if self.device.quarantine().is_none() && vanished {
            self.quarantine(Reason::new("memory/vanished", "guest memory vanished under vgate"));
        }
        let next = if self.is_standing() { None } else { self.call(|device, fx| device.tick(fx)) };
        if self.refused.is_empty() { next } else { Some(self.around.clock.now()) }
    }

    // Saving and restoring.

    /// Whether the GPU stands still: what the guest wants of it waits.
    pub(crate) fn is_standing(&self) -> bool {
        self.pause.as_ref().is_some_and(Pause::is_standing)
    }

    /// Whether the GPU is coming to rest.
    pub(crate) fn is_stopping(&self) -> bool {
        self.pause.as_ref().is_some_and(|pause| !pause.is_standing())
    }

    /// When [`come_to_rest`](Self::come_to_rest) is to be called even if nothing happens.
    pub(crate) fn rest_due(&self) -> Option<Time> {
        self.pause.as_ref().and_then(Pause::until)
    }

    fn stop_to_save(&mut self, reply: SaveReply) {
        let refusal = match (self.device.quarantine(), &mut self.pause) {
            (Some(why), _) => SaveError::Quarantined(why.clone()),
            _ if !self.connected => SaveError::NotConnected,
            _ if !self.around.silicon.limits().state_in_guest => SaveError::Unsaveable,
            (None, Some(pause)) if !pause.is_standing() => SaveError::Twice,
            (None, Some(_)) => {
                // Nothing has happened since the last time.
                let _ = reply.try_send(self.save());
                return;
            }
            (None, None) => {
                let until = self.around.clock.now() + pause::PATIENCE;
                let engines = self.around.executors.len();
                let (pause, give_back) = Pause::new(engines, until, reply);
                self.pause = Some(pause);
                let vm = self.handle.id();
                for executor in self.executors() {
                    self.order(executor, Order::RecallAll { vm, reply: give_back.clone() });
                }
                return;
            }
        };
        let _ = reply.try_send(Err(refusal));
    }

    /// Saves the VM once it has come to rest, or gives up. `silent` says that all that its VMM had sent before it was
    /// told to is done.
    pub(crate) fn come_to_rest(&mut self, silent: bool) {
        let now = self.around.clock.now();
        let Some(pause) = self.pause.as_mut().filter(|pause| !pause.is_standing()) else { return };
        let off_silicon = pause.is_off_silicon();
        let ready = off_silicon && silent && self.refused.is_empty();
        match (pause.until(), pause.stuck().cloned()) {
            // Jobs that are on their way back can't be submitted again before they are here.
            (None, _) if off_silicon => self.resume(),
            (None, _) => {}
            (Some(_), Some(why)) if off_silicon => self.give_up(SaveError::Silicon(why)),
            (Some(until), _) if until <= now => {
                self.give_up(SaveError::Restless(pause::PATIENCE));
            }
            (Some(_), _) if ready => match self.save() {
                Ok(saved) => self.stand(saved),
                Err(error) => self.give_up(error),
            },
            (Some(_), _) => {}
        }
    }

    fn stand(&mut self, saved: SavedVm) {
        let Some(pause) = &mut self.pause else { return };
        pause.stand();
        let reply = pause.take_reply();
        self.show_state();
        let told = reply.is_some_and(|reply| reply.try_send(Ok(saved)).is_ok());
        // Who asked may have lost patience, and doesn't know that the GPU stands still.
        if !told {
            self.resume();
        }
    }

    fn give_up(&mut self, why: SaveError) {
        let Some(pause) = &mut self.pause else { return };
        if let Some(reply) = pause.take_reply() {
            let _ = reply.try_send(Err(why));
        }
        if pause.is_off_silicon() {
            self.resume();
        }
    }

    fn save(&mut self) -> Result<SavedVm, SaveError> {
        let Some(mut pause) = self.pause.take() else { return Err(SaveError::Overtaken) };
        let jobs = pause.jobs(|job| self.out.contains_key(&job.id));
        let saved = self.call(|device, fx| device.save(jobs, fx));
        // A panic has quarantined the VM: it has no jobs any more.
        if self.device.quarantine().is_none() {
            self.pause = Some(pause);
        }
        saved
    }

    fn resume(&mut self) {
        let Some(pause) = self.pause.take() else { return };
        let vm = self.handle.id();
        let (jobs, recalls) = pause.into_parts();
        for job in jobs {
            if self.out.contains_key(&job.id)
                && let Some(executor) = self.around.executors.get(usize::from(job.engine.0))
            {
                self.order(executor, Order::Submit { vm, job });
            }
        }
        self.recall(recalls);
        self.show_state();
    }

    fn restore(&mut self, saved: &SavedVm) -> Result<(), RestoreError> {
        if !self.connected {
            return Err(RestoreError::NotConnected);
        }
        if self.ram().faulted() {
            return Err(RestoreError::Vanished);
        }
        if saved.memory != self.ram().layout() {
            return Err(RestoreError::Memory);
        }
        let mut fx = Effects::at(self.around.clock.now());
        let restored = self.device.restore(saved, &mut fx);
        if restored.is_ok() {
            // What was out is the old device's; what is out from now on is the new one's.
            self.handle.count_reset();
            self.drop_jobs();
            self.join();
        }
        self.apply(fx);
        self.show_state();
        restored
    }

    /// The thread ends.
    pub(crate) fn stop(&mut self) {
        self.disconnected();
        self.handle.set_state(VmState::Stopped);
    }

    // The device and its effects.

    fn call<R>(&mut self, call: impl FnOnce(&mut Guarded<W>, &mut Effects<W>) -> R) -> R {
        let mut fx = Effects::at(self.around.clock.now());
        let answer = call(&mut self.device, &mut fx);
        if !fx.is_empty() {
            self.apply(fx);
        }
        answer
    }

    fn apply(&mut self, fx: Effects<W>) {
        for why in &fx.failed {
            self.note(why, "a request failed");
        }
        for job in fx.cancel {
            if let Some(engine) = self.forget(job)
                && let Some(executor) = self.around.executors.get(usize::from(engine.0))
            {
                self.order(executor, Order::Cancel { vm: self.handle.id(), job });
            }
        }
        for job in fx.jobs {
            self.submit(job);
        }
        if let Some(pause) = &mut self.pause {
            pause.hold_recalls(fx.recall);
        } else {
            self.recall(fx.recall);
        }
        fx.interrupts.into_iter().for_each(|vector| self.interrupt(vector));
        if let Some(why) = fx.quarantine {
            self.quarantine(why);
        }
    }

    fn recall(&self, jobs: Vec<JobId>) {
        for job in jobs {
            if let Some(executor) = self
                .out
                .get(&job)
                .and_then(|engine| self.around.executors.get(usize::from(engine.0)))
            {
                self.order(executor, Order::Recall { vm: self.handle.id(), job });
            }
        }
    }

    fn interrupt(&self, vector: Vector) {
        // A guest that enabled no interrupts polls.
        let Some(interrupt) = self.vectors.get(&vector.0) else { return };
        match interrupt.signal() {
            Ok(()) => self.handle.count_interrupt(),
            Err(error) => {
                let why = Reason::new("transport/interrupt", error.to_string());
                self.note(&why, "an interrupt was lost");
            }
        }
    }

    fn submit(&mut self, job: Job<W>) {
        let (id, engine) = (job.id, usize::from(job.engine.0));
        let counters = self.handle.engine_counters().get(engine);
        let (Some(executor), Some(depth), Some(counters)) =
            (self.around.executors.get(engine), self.depths.get_mut(engine), counters)
        else {
            return self.refuse(id, Reason::new("job/engine", format!("no engine {engine}")));
        };
        counters.submitted();
        let limit = self.quotas.jobs;
        if *depth >= limit {
            counters.faulted();
            let why = format!("more than {limit} jobs on their way to one engine");
            return self.refuse(id, Reason::new("quota/jobs", why));
        }
        if !self.connected {
            counters.faulted();
            return self.refuse(id, Reason::new("job/disconnected", "no VMM is connected"));
        }
        *depth += 1;
        counters.set_depth(*depth);
        self.out.insert(id, job.engine);
        if let Some(pause) = &mut self.pause {
            return pause.hold(job);
        }
        self.order(executor, Order::Submit { vm: self.handle.id(), job });
    }

    fn refuse(&mut self, job: JobId, why: Reason) {
        self.note(&why, "a job was refused");
        self.refused.push_back((job, why));
        if self.refused.len() > self.quotas.jobs {
            let why = "as many jobs refused as may be on their way";
            self.quarantine(Reason::new("quota/jobs", why));
        }
    }

    fn refuse_memory(&self, error: &MapError) -> Errno {
        let rule = match error {
            MapError::TooManyRegions(_) | MapError::TooMuchMemory(..) => "quota/memory",
            _ => "memory/map",
        };
        self.note(&Reason::new(rule, error.to_string()), "memory was refused");
        error.errno()
    }

    /// Takes a job off the books.
    fn forget(&mut self, job: JobId) -> Option<EngineId> {
        self.refused.retain(|(refused, _)| *refused != job);
        let engine = self.out.remove(&job)?;
        let index = usize::from(engine.0);
        if let Some(depth) = self.depths.get_mut(index) {
            *depth = depth.saturating_sub(1);
            if let Some(counters) = self.handle.engine_counters().get(index) {
                counters.set_depth(*depth);
            }
        }
        Some(engine)
    }

    /// Cuts the guest off from the GPU until its next device reset.
    fn quarantine(&mut self, why: Reason) {
        self.note(&why, "quarantined");
        self.device.cut_off(why);
        self.drop_jobs();
        self.executors()
            .for_each(|executor| self.order(executor, Order::Dismiss(self.handle.id())));
        self.show_state();
    }

    /// From here on ends of earlier jobs are not the device's any more.
    fn drop_jobs(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.pause = None;
        self.out.clear();
        self.refused.clear();
        self.depths.fill(0);
        self.handle.engine_counters().iter().for_each(|counters| counters.set_depth(0));
    }

    /// Joins the executors anew: what the VM had there is dropped.
    fn join(&mut self) {
        let vm = self.handle.id();
        let ram = self.ram().clone();
        let member = Arc::new(Member {
            vm,
            generation: self.generation,
            weight: self.handle.weight(),
            budget: self.quotas.job_time,
            residency: Arc::new(Residency::new(vm, ram, Arc::clone(&self.around.silicon))),
            counters: Arc::clone(self.handle.engine_counters()),
            mailbox: self.handle.mailbox().clone(),
        });
        self.executors()
            .for_each(|executor| self.order(executor, Order::Admit(Arc::clone(&member))));
    }

    fn executors(&self) -> impl Iterator<Item = &Arc<Dispatch<W>>> {
        self.around.executors.iter()
    }

    fn order(&self, executor: &Dispatch<W>, order: Order<W>) {
        executor.order_counted(order, &self.receipt);
    }

    fn show_state(&self) {
        self.handle.set_state(match self.device.quarantine() {
            Some(why) => VmState::Quarantined(why.clone()),
            None if self.is_standing() => VmState::Paused,
            None if self.connected => VmState::Connected,
            None => VmState::Waiting,
        });
    }

    /// See [`VmHandle::note`].
    pub(super) fn note(&self, why: &Reason, what: &str) {
        self.handle.note(why, what);
    }
}

/// What the VMM asks for.
impl<W: Send + 'static> Device for Host<W> {
    fn regions(&self) -> &[RegionInfo] {
        self.device.regions()
    }

    fn shared(&self) -> Option<&SharedPages> {
        self.device.shared()
    }

    fn max_maps(&self) -> u16 {
        u16::try_from(self.quotas.memory.regions).unwrap_or(u16::MAX)
    }

    fn read(&mut self, at: Place, to: &mut [u8]) {
        self.handle.count_trap();
        self.call(|device, fx| device.read(at, to, fx));
    }

    fn write(&mut self, at: Place, from: &[u8]) {
        self.handle.count_trap();
        self.call(|device, fx| device.write(at, from, fx));
    }

    fn map(&mut self, request: MapRequest) -> Result<(), Errno> {
        let mapped = self.ram().map(request);
        mapped.map_err(|error| self.refuse_memory(&error))
    }

    fn unmap(&mut self, at: GuestAddress, len: u64) -> Result<(), Errno> {
        let unmapped = self.ram().unmap(at, len);
        unmapped.map_err(|error| self.refuse_memory(&error))
    }

    fn unmap_all(&mut self) -> Result<(), Errno> {
        let unmapped = self.ram().unmap_all();
        unmapped.map_err(|error| self.refuse_memory(&error))
    }

    fn set_interrupt(&mut self, vector: Vector, to: Option<Interrupt>) {
        match to {
            Some(interrupt) => self.vectors.insert(vector.0, interrupt),
            None => self.vectors.remove(&vector.0),
        };
    }

    fn reset(&mut self) {
        self.power_cycle();
    }
}

impl<W: Send + 'static> fmt::Debug for Host<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("vm", &self.handle.name()).finish_non_exhaustive()
    }
}
