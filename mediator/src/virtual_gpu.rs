//! The virtual GPU: what one guest sees, as a machine that does no I/O.
//!
//! The VM's thread calls it for every trapped access, every ended job and every due time; what it wants done comes
//! back in [`Effects`]. So replay, fuzzing, simulation and moving a device into a process of its own need no change
//! in any device.

use std::time::Duration;

use crate::memory::SharedPages;
use crate::{Job, JobEnd, JobId, Reason, RestoreError, SaveError, Saved, ScanOut, Time};

/// A region of the PCI device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// A base address register, 0 to 5.
    Bar(u8),
    /// The expansion ROM.
    Rom,
    /// Configuration space.
    Config,
}

/// A place in a region, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which region.
    pub region: Region,
    /// Bytes from its start.
    pub offset: u64,
}

/// What the device tells its VMM of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// Which region.
    pub region: Region,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the guest may write to it.
    pub writable: bool,
}

/// A part of a BAR that is plain memory: stores to it have no effect until the device looks. The VMM may map it into its
/// guest, whose accesses then don't trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mappable {
    /// Which BAR, 0 to 5.
    pub bar: u8,
    /// Where it begins, in bytes from the BAR's start; a multiple of a page.
    pub offset: u64,
    /// Its bytes; a multiple of a page.
    pub len: u64,
}

/// An interrupt vector (MSI message number).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(pub u16);

/// How deep a reset goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The VMM resets the device (PCI function level, VM reboot).
    Device,
    /// The VMM is gone: as `Device`, and nothing of the guest is left behind.
    Disconnect,
}

/// What a virtual GPU wants done after a call, in the order of the vectors; between them: cancel, then jobs, then
/// recalls, then interrupts.
#[derive(Debug)]
pub struct Effects<W> {
    /// The time of the call, as the guest counts it.
    pub now: Time,
    /// Jobs for silicon, in order.
    pub jobs: Vec<Job<W>>,
    /// Jobs that are not wanted any more. `finished` is not called for them.
    pub cancel: Vec<JobId>,
    /// Jobs that are to come back at the next point where their contexts can go on later, for something else that is
    /// more urgent. How each ended then, `finished` says; it may be done all the same.
    pub recall: Vec<JobId>,
    /// Interrupts for the guest.
    pub interrupts: Vec<Vector>,
    /// Requests that were refused, each with its reason.
    pub failed: Vec<Reason>,
    /// Set when the guest did what costs it its device until the next reset.
    pub quarantine: Option<Reason>,
}

impl<W> Effects<W> {
    /// No effects yet.
    #[must_use]
    pub fn at(now: Time) -> Self {
        Self {
            now,
            jobs: Vec::new(),
            cancel: Vec::new(),
            recall: Vec::new(),
            interrupts: Vec::new(),
            failed: Vec::new(),
            quarantine: None,
        }
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
            && self.cancel.is_empty()
            && self.recall.is_empty()
            && self.interrupts.is_empty()
            && self.failed.is_empty()
            && self.quarantine.is_none()
    }
}

/// What an operator does to the monitor's plug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plug {
    /// Pulls it out.
    Out,
    /// Plugs in the monitor with this EDID (checked), or with `None` the one that was there last. A monitor that is
    /// still there is pulled out first.
    In(Option<Vec<u8>>),
}

/// A register that the device does not know, and how often the guest touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAccess {
    /// Where.
    pub place: Place,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// What one guest sees of the GPU. `W` is the vendor's unit of work.
///
/// No call may panic, whatever the guest does, wait, or take memory without bound.
pub trait VirtualGpu<W>: Send {
    /// The device's regions; constant.
    fn regions(&self) -> &[RegionInfo];

    /// The part of a BAR that the VMM may map, if there is one; constant.
    fn mappable(&self) -> Option<Mappable> {
        None
    }

    /// From now on the mappable part lies in `pages`, which the VMM may have: the guest changes them at any time. What was
    /// there is forgotten.
    fn share(&mut self, _pages: SharedPages) {}

    /// The guest reads `to.len()` bytes (1, 2, 4 or 8 in registers; any number in ROM and configuration space).
    fn read(&mut self, at: Place, to: &mut [u8], fx: &mut Effects<W>);

    /// The guest writes.
    fn write(&mut self, at: Place, from: &[u8], fx: &mut Effects<W>);

    /// A job of this device ended. Jobs of one engine end in the order in which they were handed out.
    fn finished(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<W>);

    /// Time has come (or an earlier one: then nothing happens). Returns when the device wants to be called next.
    fn tick(&mut self, fx: &mut Effects<W>) -> Option<Time>;

    /// What the display shows now.
    fn scan_out(&self) -> ScanOut;

    /// An operator plugs a monitor in or pulls it out; the guest is told as by a real one.
    fn plug(&mut self, plug: Plug, fx: &mut Effects<W>);

    /// Back to the state after power-on, the monitor's plug apart; cancels what is out.
    fn reset(&mut self, kind: Reset, fx: &mut Effects<W>);

    /// The state now, as plain data. `out` are the jobs of this device that have not ended, in order for each
    /// engine, as silicon gave them back: what is left of each belongs to the state.
    ///
    /// # Errors
    /// [`SaveError::Device`].
    fn save(&self, out: &[Job<W>], fx: &mut Effects<W>) -> Result<Saved, SaveError>;

    /// Becomes what `saved` says, whatever it was before: cancels what is out, and hands out what was out then. The
    /// guest's memory is as it was then. From now on the guest's time, which [`Effects::now`] is, goes `ahead` of the
    /// host's and of silicon's, so that it never goes back.
    ///
    /// # Errors
    /// [`RestoreError`]; then nothing has changed.
    fn restore(
        &mut self,
        saved: &Saved,
        ahead: Duration,
        fx: &mut Effects<W>,
    ) -> Result<(), RestoreError>;

    /// Register offsets without a meaning here that the guest touched, in order of their place (a bounded list).
    fn unknown_accesses(&self) -> Vec<UnknownAccess>;

    /// Named counters for operators: traps by class, hangs, resets.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}
