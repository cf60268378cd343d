//! What the rest of the world sees of a VM: its state, kept where its thread writes it and anybody may read it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};

use super::{Details, Mail, MailboxSender, Question, pause};
use crate::saved::SavedVm;
use crate::{
    EngineCounters, EngineUsage, Plug, Reason, RestoreError, SaveError, ScanOut, VmId, Weight,
};

/// How a VM is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VmState {
    /// Its VMM has not connected, or has gone.
    Waiting,
    /// Its VMM is connected.
    Connected,
    /// Its VMM is connected, and its GPU stands still since it was saved.
    Paused,
    /// It is cut off from the GPU until its next device reset.
    Quarantined(Reason),
    /// Its thread has ended.
    Stopped,
}

/// What happened to a VM since the mediator started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmCounters {
    /// Accesses of the guest that reached the device model.
    pub traps: u64,
    /// Interrupts sent to the guest.
    pub interrupts: u64,
    /// Resets of the device by its VMM or by an operator.
    pub resets: u64,
    /// Connections of VMMs.
    pub connections: u64,
    /// Requests that were refused, and quarantines, by rule.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// A VM, as seen by everybody but its own thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VmHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: VmId,
    name: String,
    socket: PathBuf,
    weight: Weight,
    engines: Vec<&'static str>,
    counters: Arc<[EngineCounters]>,
    mailbox: MailboxSender,
    traps: AtomicU64,
    interrupts: AtomicU64,
    resets: AtomicU64,
    connections: AtomicU64,
    judged: Mutex<Judged>,
}

/// Held for the length of a copy only.
#[derive(Debug)]
struct Judged {
    state: VmState,
    reasons: BTreeMap<&'static str, u64>,
}

/// A VM's thread did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the VM's thread did not answer within {0:?}")]
pub struct NoAnswer(pub Duration);

/// How long a VM's thread may take for an answer. It is never held up by a guest.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a restore may take: the largest state there can be is read within it.
const RESTORE: Duration = Duration::from_secs(20);

impl VmHandle {
    pub(crate) fn new(
        id: VmId,
        name: String,
        socket: PathBuf,
        weight: Weight,
        engines: Vec<&'static str>,
        mailbox: MailboxSender,
    ) -> Self {
        let counters = engines.iter().map(|_| EngineCounters::default()).collect();
        Self(Arc::new(Inner {
            id,
            name,
            socket,
            weight,
            engines,
            counters,
            mailbox,
            traps: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            judged: Mutex::new(Judged { state: VmState::Waiting, reasons: BTreeMap::new() }),
        }))
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> VmId {
        self.0.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where its VMM connects.
    #[must_use]
    pub fn socket(&self) -> &std::path::Path {
        &self.0.socket
    }

    /// Its weight in the scheduler.
    #[must_use]
    pub fn weight(&self) -> Weight {
        self.0.weight
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self) -> VmState {
        self.judged().state.clone()
    }

    /// What it did on each engine, with the engine's name.
    #[must_use]
    pub fn usage(&self) -> Vec<(&'static str, EngineUsage)> {
        let usage = self.0.counters.iter().map(EngineCounters::read);
        self.0.engines.iter().copied().zip(usage).collect()
    }

    /// What happened to it.
    #[must_use]
    pub fn counters(&self) -> VmCounters {
        VmCounters {
            traps: self.0.traps.load(Relaxed),
            interrupts: self.0.interrupts.load(Relaxed),
            resets: self.0.resets.load(Relaxed),
            connections: self.0.connections.load(Relaxed),
            reasons: self.judged().reasons.clone(),
        }
    }

    /// What only the device knows: asks the VM's thread.
    ///
    /// # Errors
    /// [`NoAnswer`] if it is too busy, or has ended.
    pub fn details(&self) -> Result<Details, NoAnswer> {
        self.ask(Question::Details)
    }

    /// What the guest's display shows, and the memory that it lies in: asks the VM's thread.
    ///
    /// # Errors
    /// [`NoAnswer`] if it is too busy, or has ended.
    pub fn scan_out(&self) -> Result<(ScanOut, crate::GuestRam), NoAnswer> {
        self.ask(Question::ScanOut)
    }

    /// Resets the device to its state after power-on, without the guest's consent: what it has on the GPU is killed,
    /// a quarantine is lifted. To the guest's driver this is a GPU that hangs; it has to start anew.
    ///
    /// # Errors
    /// [`NoAnswer`] if the VM's thread is too busy, or has ended.
    pub fn reset(&self) -> Result<(), NoAnswer> {
        self.ask(Question::Reset)
    }

    /// Plugs a monitor in or pulls it out.
    ///
    /// # Errors
    /// [`NoAnswer`] if the VM's thread is too busy, or has ended.
    pub fn plug(&self, plug: Plug) -> Result<(), NoAnswer> {
        self.ask(|reply| Question::Plug(plug, reply))
    }

    /// Stops the GPU and returns its state, to be written to a file. What it has on silicon comes back and belongs to
    /// the state. From then on the GPU stands still, so that the guest's memory stays as it belongs to the state, until
    /// [`resume`](Self::resume), [`restore`](Self::restore) or a reset. The guest must not run: the VMM stops it before.
    ///
    /// # Errors
    /// [`SaveError`]; then the GPU goes on. [`NoAnswer`] as [`SaveError::Restless`].
    pub fn save(&self) -> Result<Vec<u8>, SaveError> {
        let patience = pause::PATIENCE + PATIENCE;
        self.ask_within(patience, Question::Save)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => SaveError::Restless(patience),
                RecvTimeoutError::Disconnected => SaveError::Overtaken,
            })??
            .encode()
    }

    /// Lets a GPU go on that stands still since it was saved. Returns whether it did.
    ///
    /// # Errors
    /// [`NoAnswer`] if the VM's thread is too busy, or has ended.
    pub fn resume(&self) -> Result<bool, NoAnswer> {
        self.ask(Question::Resume)
    }

    /// Restores a state that [`save`](Self::save) returned, here or elsewhere. What the VM's GPU was before is gone as
    /// by a reset, a quarantine too; it goes on at once. The guest's memory must be as it was when the state was saved.
    ///
    /// # Errors
    /// [`RestoreError`]; then the GPU is as it was.
    pub fn restore(&self, state: &[u8]) -> Result<(), RestoreError> {
        let saved = Box::new(SavedVm::decode(state)?);
        self.ask_within(RESTORE, |reply| Question::Restore(saved, reply)).map_err(|_| {
            let what = format!("no answer of the VM's thread within {RESTORE:?}");
            RestoreError::Failed(Reason::new("internal/busy", what))
        })?
    }

    fn ask<A>(&self, question: impl FnOnce(Sender<A>) -> Question) -> Result<A, NoAnswer> {
        self.ask_within(PATIENCE, question).map_err(|_| NoAnswer(PATIENCE))
    }

    fn ask_within<A>(
        &self,
        patience: Duration,
        question: impl FnOnce(Sender<A>) -> Question,
    ) -> Result<A, RecvTimeoutError> {
        let (reply, answer) = crossbeam_channel::bounded(1);
        self.0.mailbox.send(Mail::Ask(question(reply)));
        answer.recv_timeout(patience)
    }

    fn judged(&self) -> MutexGuard<'_, Judged> {
        self.0.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mailbox(&self) -> &MailboxSender {
        &self.0.mailbox
    }

    pub(crate) fn engine_counters(&self) -> &Arc<[EngineCounters]> {
        &self.0.counters
    }

    pub(crate) fn set_state(&self, state: VmState) {
        self.judged().state = state;
    }

    /// Counts a reason, and logs it: the first ones, then ever more rarely.
    pub(crate) fn note(&self, why: &Reason, what: &str) {
        let count = self.count_reason(why.rule);
        if count <= 4 || count.is_power_of_two() {
            log::warn!("{}: {what}: {why} ({count} so far)", self.name());
        }
    }

    /// Counts a reason. Returns how often its rule was counted, this one included.
    fn count_reason(&self, rule: &'static str) -> u64 {
        let mut judged = self.judged();
        let count = judged.reasons.entry(rule).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(crate) fn count_trap(&self) {
        self.0.traps.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_interrupt(&self) {
        self.0.interrupts.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_reset(&self) {
        self.0.resets.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_connection(&self) {
        self.0.connections.fetch_add(1, Relaxed);
    }
}
