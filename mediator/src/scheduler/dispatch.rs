//! How orders come to an executor.
//!
//! ```text
//!  VM threads ──order──► queue ──► whoever holds the executor carries out ──► silicon
//!  silicon    ──fence──►   │                                                │ kick, with the executor let go
//!                          │                                                └──► a short job is over at once: fence
//!                          └──► the engine's thread: fences, time slices, budgets
//! ```
//!
//! A VM's thread that finds the executor free carries its order out itself, so that a submission need not wait until
//! another thread has woken up. One that finds it busy leaves the order in the queue and goes on: the holder looks
//! again after it let go. Nobody waits for the executor but the engine's own thread, and no call under the lock waits.
//! Fences come from silicon, which may hold locks of its own, and are left to the thread, or to whoever carries out orders
//! just then: a job that is over when silicon has been kicked costs no wake-up.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crossbeam_channel::{Receiver, Sender};

use super::{Executor, Order};
use crate::{Clock, EngineId, Silicon, Time};

/// Orders that are taken in a row before the slots are looked after.
const BATCH: usize = 64;
/// How often a VM's thread does that for itself and others; the rest is left to the engine's thread.
const ROUNDS: usize = 4;

/// An order on its way. Its receipt, if somebody counts what is on the way, is gone when it is carried out.
struct Sent<W: Send + 'static> {
    order: Order<W>,
    _receipt: Option<Arc<()>>,
}

/// The way to one engine's executor.
pub(crate) struct Dispatch<W: Send + 'static> {
    engine: EngineId,
    silicon: Arc<dyn Silicon<Work = W>>,
    executor: Mutex<Executor<W>>,
    orders: (Sender<Sent<W>>, Receiver<Sent<W>>),
    /// Wakes the engine's thread; holds one token at most.
    bell: (Sender<()>, Receiver<()>),
    /// How many carry out orders, or are about to look whether there are more.
    looking: Arc<AtomicUsize>,
    /// Until when the thread sleeps if nobody rings, in nanoseconds.
    asleep_until: AtomicU64,
    stopped: AtomicBool,
    clock: Clock,
}

impl<W: Send + 'static> Dispatch<W> {
    pub(crate) fn new(
        engine: EngineId,
        silicon: Arc<dyn Silicon<Work = W>>,
        clock: Clock,
    ) -> Arc<Self> {
        let orders = crossbeam_channel::unbounded::<Sent<W>>();
        let bell = crossbeam_channel::bounded(1);
        let (queue, ring) = (orders.0.clone(), bell.0.clone());
        let looking = Arc::new(AtomicUsize::new(0));
        let somebody_looks = Arc::clone(&looking);
        let fences = Arc::new(move |order| {
            // The receivers are gone only when the mediator is.
            let _ = queue.send(Sent { order, _receipt: None });
            // Either this sees that somebody looks, or that one, who stops looking before it looks once more, sees the fence.
            if somebody_looks.load(Ordering::SeqCst) == 0 {
                let _ = ring.try_send(());
            }
        });
        Arc::new(Self {
            engine,
            executor: Mutex::new(Executor::new(engine, Arc::clone(&silicon), fences)),
            silicon,
            orders,
            bell,
            looking,
            asleep_until: AtomicU64::new(u64::MAX),
            stopped: AtomicBool::new(false),
            clock,
        })
    }

    /// Gives an order: it is carried out now, or by whoever holds the executor.
    pub(crate) fn order(&self, order: Order<W>) {
        self.send(Sent { order, _receipt: None });
    }

    /// The same, with a receipt that is gone when the order is carried out.
    pub(crate) fn order_counted(&self, order: Order<W>, receipt: &Arc<()>) {
        self.send(Sent { order, _receipt: Some(Arc::clone(receipt)) });
    }

    fn send(&self, sent: Sent<W>) {
        let _ = self.orders.0.send(sent);
        for _ in 0..ROUNDS {
            // An order that came while somebody held the executor is the holder's: so everyone looks again after.
            if self.orders.1.is_empty() {
                return;
            }
            match self.try_hold() {
                Some(executor) => self.carry_out(executor),
                None => return,
            }
        }
        self.ring();
    }

    /// The engine's thread: until [`stop`](Self::stop).
    pub(crate) fn run(&self) {
        while !self.stopped.load(Ordering::SeqCst) {
            self.carry_out(self.hold());
            if !self.orders.1.is_empty() {
                continue;
            }
            let until = Time(self.asleep_until.load(Ordering::SeqCst));
            // Either way there is something to look at.
            let _ = match until {
                Time(u64::MAX) => self.bell.1.recv().is_ok(),
                _ => self.bell.1.recv_timeout(until.since(self.clock.now())).is_ok(),
            };
        }
        let now = self.clock.now();
        self.hold().dismiss_all(now);
    }

    /// Ends the thread, which dismisses all VMs.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.ring();
    }

    /// The executor, once nobody else has it.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Executor<W>> {
        self.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The executor, if nobody has it.
    fn try_hold(&self) -> Option<MutexGuard<'_, Executor<W>>> {
        match self.executor.try_lock() {
            Ok(executor) => Some(executor),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Orders that nobody has carried out yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.orders.1.len()
    }

    fn ring(&self) {
        // A full bell is already ringing.
        let _ = self.bell.0.try_send(());
    }

    /// Carries out what is queued, within a bound, looks after the slots, and has silicon begin.
    fn carry_out<'e>(&'e self, mut executor: MutexGuard<'e, Executor<W>>) {
        self.looking.fetch_add(1, Ordering::SeqCst);
        // What is over at once is so before anybody has to watch over it.
        for _ in 0..ROUNDS {
            let now = self.clock.now();
            for sent in self.orders.1.try_iter().take(BATCH) {
                executor.guarded(|own| own.handle(sent.order, now));
            }
            executor.guarded(|own| own.pump(now));
            if executor.has_submitted() {
                drop(executor);
                self.silicon.kick(self.engine);
                match self.try_hold() {
                    Some(again) => executor = again,
                    // Whoever has it now does the rest.
                    None => {
                        self.looking.fetch_sub(1, Ordering::SeqCst);
                        return;
                    }
                }
            } else if self.orders.1.is_empty() {
                break;
            }
        }
        let due = executor.deadline().map_or(u64::MAX, |at| at.0);
        let earlier = due < self.asleep_until.swap(due, Ordering::SeqCst);
        drop(executor);
        self.looking.fetch_sub(1, Ordering::SeqCst);
        if earlier {
            self.ring();
        }
    }
}

impl<W: Send + 'static> fmt::Debug for Dispatch<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("engine", &self.engine).finish_non_exhaustive()
    }
}
