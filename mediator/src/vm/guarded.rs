//! A virtual GPU behind glass: whatever goes wrong in it stays in it.
//!
//! A device that is quarantined answers reads with zeros and drops writes until its next reset. A device that
//! panicked is never called again; its next reset builds a new one.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::memory::SharedPages;
use crate::saved::{Monitor, SavedVm};
use crate::{
    Clock, Effects, GuestRam, Job, JobEnd, JobId, Place, Plug, Reason, RegionInfo, Reset,
    RestoreError, SaveError, ScanOut, Time, VirtualGpu, VmId,
};

use super::Details;

/// What a virtual GPU is built with.
#[derive(Clone, Debug)]
pub struct DeviceSetup {
    /// Whose it is.
    pub vm: VmId,
    /// The guest's memory; empty until its VMM connects.
    pub ram: GuestRam,
    /// The clock by which [`Effects::now`] goes.
    pub clock: Clock,
}

/// Builds a VM's virtual GPU: at start, and again after one that panicked or lost its memory. Fails when the host
/// lacks what it takes.
pub type DeviceFactory<W> =
    Box<dyn FnMut(DeviceSetup) -> std::io::Result<Box<dyn VirtualGpu<W>>> + Send>;

/// A guest's clock that is later than this was made up: it leaves room for all sums of times.
const LATEST: Time = Time(1 << 62);

pub(crate) struct Guarded<W> {
    factory: DeviceFactory<W>,
    setup: DeviceSetup,
    /// `None` once it panicked.
    device: Option<Box<dyn VirtualGpu<W>>>,
    regions: Vec<RegionInfo>,
    quarantine: Option<Reason>,
    /// What the VMM may have mapped.
    shared: Option<SharedPages>,
    /// How far the guest's clock is ahead of the host's: it came here with a state that was saved later in its life.
    ahead: Duration,
    /// The monitor as the operator left it, for a device that is built anew: whether it is plugged in, and its EDID if
    /// it isn't the first one.
    plugged: bool,
    edid: Option<Vec<u8>>,
}

impl<W> Guarded<W> {
    pub(crate) fn new(mut factory: DeviceFactory<W>, setup: DeviceSetup) -> Result<Self, Reason> {
        let device = build(&mut factory, &setup)?;
        let regions = device.regions().to_vec();
        let shared = device.mappable().map(SharedPages::new).transpose();
        let shared = shared.map_err(|error| Reason::new("internal/build", error.to_string()))?;
        let mut guarded = Self {
            factory,
            setup,
            device: Some(device),
            regions,
            quarantine: None,
            shared,
            ahead: Duration::ZERO,
            plugged: true,
            edid: None,
        };
        guarded.hand_over_shared(&mut Effects::at(Time::default()));
        Ok(guarded)
    }

    pub(crate) fn ram(&self) -> &GuestRam {
        &self.setup.ram
    }

    pub(crate) fn regions(&self) -> &[RegionInfo] {
        &self.regions
    }

    /// The memory of the device that the VMM may map.
    pub(crate) fn shared(&self) -> Option<&SharedPages> {
        self.shared.as_ref()
    }

    /// Memory to share with a new VMM, which the one before can't have.
    pub(crate) fn share_anew(&mut self, fx: &mut Effects<W>) -> std::io::Result<()> {
        if let Some(pages) = &mut self.shared {
            *pages = SharedPages::new(pages.part())?;
            self.hand_over_shared(fx);
        }
        Ok(())
    }

    fn hand_over_shared(&mut self, fx: &mut Effects<W>) {
        if let Some(pages) = self.shared.clone() {
            pages.clear();
            self.observe(fx, |device, _| device.share(pages));
        }
    }

    pub(crate) fn quarantine(&self) -> Option<&Reason> {
        self.quarantine.as_ref()
    }

    /// Cuts the device off. The first reason stays.
    pub(crate) fn cut_off(&mut self, why: Reason) {
        self.quarantine.get_or_insert(why);
    }

    /// Calls the device, unless it is cut off.
    fn call<R>(
        &mut self,
        fx: &mut Effects<W>,
        call: impl FnOnce(&mut dyn VirtualGpu<W>, &mut Effects<W>) -> R,
    ) -> Option<R> {
        if self.quarantine.is_some() { None } else { self.observe(fx, call) }
    }

    /// Calls the device, cut off or not: for operators, who want to know why.
    fn observe<R>(
        &mut self,
        fx: &mut Effects<W>,
        call: impl FnOnce(&mut dyn VirtualGpu<W>, &mut Effects<W>) -> R,
    ) -> Option<R> {
        let device = self.device.as_mut()?;
        let host_time = fx.now;
        fx.now = host_time + self.ahead;
        // The device is dropped when it panics, so nobody sees what state that left.
        let answer = catch_unwind(AssertUnwindSafe(|| call(&mut **device, fx)));
        fx.now = host_time;
        match answer {
            Ok(answer) => Some(answer),
            Err(panic) => {
                *fx = Effects::at(host_time);
                fx.quarantine = Some(Reason::new("internal/panic", message(&*panic)));
                self.discard();
                None
            }
        }
    }

    /// Drops a device that panicked. Its destructor may panic as well.
    fn discard(&mut self) {
        let device = self.device.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(device)));
    }

    pub(crate) fn read(&mut self, at: Place, to: &mut [u8], fx: &mut Effects<W>) {
        if self.call(fx, |device, fx| device.read(at, to, fx)).is_none() {
            to.fill(0);
        }
    }

    pub(crate) fn write(&mut self, at: Place, from: &[u8], fx: &mut Effects<W>) {
        self.call(fx, |device, fx| device.write(at, from, fx));
    }

    pub(crate) fn finished(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<W>) {
        self.call(fx, |device, fx| device.finished(job, end, fx));
    }

    /// A device that is cut off keeps its monitor up to date, so that it has the right one when it is reset.
    pub(crate) fn plug(&mut self, plug: Plug, fx: &mut Effects<W>) {
        self.plugged = plug != Plug::Out;
        if let Plug::In(Some(edid)) = &plug {
            self.edid = Some(edid.clone());
        }
        self.observe(fx, |device, fx| device.plug(plug, fx));
    }

    /// The state at `fx`'s time of a device that is not cut off.
    pub(crate) fn save(
        &mut self,
        out: &[Job<W>],
        fx: &mut Effects<W>,
    ) -> Result<SavedVm, SaveError> {
        let saved = self.call(fx, |device, fx| device.save(out, fx));
        let failed = || SaveError::Device("the device model panicked".to_owned());
        Ok(SavedVm {
            program: concat!("vgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            now: fx.now + self.ahead,
            memory: self.ram().layout(),
            monitor: Monitor { plugged: self.plugged, edid: self.edid.clone() },
            device: saved.unwrap_or_else(|| Err(failed()))?,
        })
    }

    /// Becomes what was saved, and leaves quarantine. On an error nothing has changed.
    pub(crate) fn restore(
        &mut self,
        saved: &SavedVm,
        fx: &mut Effects<W>,
    ) -> Result<(), RestoreError> {
        if saved.now > LATEST {
            return Err(RestoreError::Impossible("it was saved after centuries".to_owned()));
        }
        let ahead = saved.now.since(fx.now);
        if self.device.is_none() {
            let fresh = build(&mut self.factory, &self.setup).map_err(RestoreError::Failed)?;
            self.device = Some(fresh);
            self.hand_over_shared(fx);
        }
        let before = std::mem::replace(&mut self.ahead, ahead);
        let restored = self.observe(fx, |device, fx| device.restore(&saved.device, ahead, fx));
        let restored = restored.unwrap_or_else(|| {
            let why = Reason::new("internal/panic", "the device model panicked; see the log");
            Err(RestoreError::Failed(why))
        });
        if restored.is_err() {
            self.ahead = before;
            return restored;
        }
        self.quarantine = None;
        self.plugged = saved.monitor.plugged;
        self.edid.clone_from(&saved.monitor.edid);
        Ok(())
    }

    pub(crate) fn tick(&mut self, fx: &mut Effects<W>) -> Option<Time> {
        let next = self.call(fx, |device, fx| device.tick(fx)).flatten();
        next.map(|at| at - self.ahead)
    }

    pub(crate) fn scan_out(&mut self, fx: &mut Effects<W>) -> ScanOut {
        self.observe(fx, |device, _| device.scan_out()).unwrap_or_default()
    }

    pub(crate) fn details(&mut self, fx: &mut Effects<W>) -> Details {
        let memory = self.ram().mapped_bytes();
        let details = self.observe(fx, |device, _| {
            let ScanOut { mode, .. } = device.scan_out();
            let (unknown, counters) = (device.unknown_accesses(), device.counters());
            Details { unknown, counters, mode, memory }
        });
        details.unwrap_or(Details { memory, ..Details::default() })
    }

    /// Back to the state after power-on, out of quarantine. Memory that vanished stays vanished until the VMM is gone.
    pub(crate) fn reset(&mut self, kind: Reset, fx: &mut Effects<W>) {
        self.quarantine = None;
        self.call(fx, |device, fx| device.reset(kind, fx));
        if self.device.is_none() {
            self.rebuild(fx);
        }
    }

    /// A new device for `ram`.
    pub(crate) fn replace_memory(&mut self, ram: GuestRam, fx: &mut Effects<W>) {
        self.setup.ram = ram;
        self.discard();
        self.quarantine = None;
        self.rebuild(fx);
    }

    fn rebuild(&mut self, fx: &mut Effects<W>) {
        *fx = Effects::at(fx.now);
        self.ahead = Duration::ZERO;
        match build(&mut self.factory, &self.setup) {
            Ok(device) => {
                self.device = Some(device);
                self.hand_over_shared(fx);
                if self.edid.is_some() {
                    let plug = Plug::In(self.edid.clone());
                    self.observe(fx, |device, fx| device.plug(plug, fx));
                }
                if !self.plugged {
                    self.observe(fx, |device, fx| device.plug(Plug::Out, fx));
                }
            }
            Err(why) => fx.quarantine = Some(why),
        }
    }
}

fn build<W>(
    factory: &mut DeviceFactory<W>,
    setup: &DeviceSetup,
) -> Result<Box<dyn VirtualGpu<W>>, Reason> {
    match catch_unwind(AssertUnwindSafe(|| factory(setup.clone()))) {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => Err(Reason::new("internal/build", error.to_string())),
        Err(panic) => Err(Reason::new("internal/panic", message(&*panic))),
    }
}

/// What a panic says.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the device model panicked: {}", text.unwrap_or("(no message)"))
}

impl<W> fmt::Debug for Guarded<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("vm", &self.setup.vm)
            .field("quarantine", &self.quarantine)
            .finish_non_exhaustive()
    }
}
