//! Work in numbered pieces, spread over workers.
//!
//! Whoever is done with a piece takes the next one, so pieces are begun in their order, whatever the number of workers. A kill
//! is looked for before each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Halt;
use super::worker::Worker;
use crate::silicon::model::stop::Stop;

/// Does pieces 0 to `count` on at most `at_once` of the workers, the first of which is the calling thread's. Each begins
/// with what `begin` makes, and these are returned.
pub(super) fn spread<S: Send>(
    workers: &mut [Worker],
    at_once: usize,
    count: u64,
    stop: &Stop,
    begin: impl Fn() -> S + Sync,
    piece: impl Fn(&mut S, u64, &mut Worker) -> Result<(), Halt> + Sync,
) -> Result<Vec<S>, Halt> {
    let next = AtomicU64::new(0);
    let halted = AtomicBool::new(false);
    let work = |worker: &mut Worker| -> Result<S, Halt> {
        let mut own = begin();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(own);
            }
            if halted.load(Ordering::Relaxed) || stop.killed() {
                return Err(Halt::Killed);
            }
            let done = piece(&mut own, number, worker);
            if done.is_err() {
                halted.store(true, Ordering::Relaxed);
            }
            done?;
        }
    };
    let results = Mutex::new(Vec::new());
    let keep = |result| results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    let at_once = usize::try_from(count).unwrap_or(usize::MAX).min(at_once);
    let [first, others @ ..] = workers else { return Ok(Vec::new()) };
    // Waking another thread takes longer than a small piece.
    if at_once <= 1 || others.is_empty() {
        keep(work(first));
    } else {
        rayon::scope(|scope| {
            for worker in others.iter_mut().take(at_once - 1) {
                scope.spawn(|_| keep(work(worker)));
            }
            keep(work(first));
        });
    }
    let (mut all, mut killed, mut fault) = (Vec::new(), false, None);
    for result in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match result {
            Ok(own) => all.push(own),
            Err(Halt::Killed) => killed = true,
            // A fault says more than that others have stopped for it.
            Err(halt @ Halt::Fault(_)) => fault = Some(halt),
        }
    }
    match (fault, killed) {
        (Some(fault), _) => Err(fault),
        (None, true) => Err(Halt::Killed),
        (None, false) => Ok(all),
    }
}
