//! What comes back: answers, and who sleeps until then.
//!
//! One thread at a time listens to the bell; the others that wait sleep until it has heard something. So any number of
//! threads wait with one descriptor, and each finds its answer.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ClientError;
use crate::bells::Sleeper;
use crate::wire::{Answer, COMPLETION_WORDS, Completion, Consumer, Token};

/// Looks at a fence before a thread goes to sleep for it: a batch that is over soon should not cost that.
const SPINS: u32 = 64;

#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    heard: Condvar,
    sleeper: Sleeper,
    _bell: OwnedFd,
    /// The connection: it says when the mediator is gone.
    socket: OwnedFd,
    gone: AtomicBool,
    refusals: AtomicU64,
}

#[derive(Debug)]
struct State {
    ring: Consumer<'static, COMPLETION_WORDS>,
    /// A thread listens to the bell.
    listening: bool,
    /// So many others sleep until it has heard something.
    others: usize,
    next_token: u32,
    /// Answers that somebody waits for.
    expected: HashMap<Token, Expected>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    answer: Option<Answer>,
    complete: bool,
}

impl Inbox {
    pub(super) fn new(
        ring: Consumer<'static, COMPLETION_WORDS>,
        bell: OwnedFd,
        socket: OwnedFd,
    ) -> io::Result<Self> {
        let sleeper = Sleeper::new(&socket)?;
        sleeper.add_bell(&bell)?;
        let state =
            State { ring, listening: false, others: 0, next_token: 1, expected: HashMap::new() };
        Ok(Self {
            state: Mutex::new(state),
            heard: Condvar::new(),
            sleeper,
            _bell: bell,
            socket,
            gone: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
        })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token for a request whose answer somebody will collect.
    pub(super) fn expect(&self) -> Token {
        let mut state = self.state();
        loop {
            let token = Token(state.next_token);
            state.next_token = state.next_token.checked_add(1).unwrap_or(Token::NOBODY.0 + 1);
            if let Entry::Vacant(vacant) = state.expected.entry(token) {
                vacant.insert(Expected::default());
                return token;
            }
        }
    }

    /// Waits for the answer to a request, and the `Reached` behind it that says that there will be no more.
    pub(super) fn collect(&self, token: Token) -> Result<Option<Answer>, ClientError> {
        let complete = |state: &State| state.expected.get(&token).is_none_or(|e| e.complete);
        let ended = self.sleep_until(complete, None);
        let expected = self.state().expected.remove(&token).unwrap_or_default();
        ended.map(|_| expected.answer)
    }

    /// Waits until `reached`; `ask` asks the mediator to ring then. If the mediator was `asleep`, it takes at least as long as
    /// it takes to wake up.
    pub(super) fn wait_for(
        &self,
        asleep: bool,
        reached: impl Fn() -> bool,
        ask: impl FnOnce() -> Result<(), ClientError>,
        until: Option<Instant>,
    ) -> Result<bool, ClientError> {
        for _ in 0..if asleep { 1 } else { SPINS } {
            if reached() {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Ok(reached());
        }
        ask()?;
        self.sleep_until(|_| reached(), until)
    }

    /// Takes what is there, unless somebody else does.
    pub(super) fn drain(&self) -> Result<(), ClientError> {
        let Ok(mut state) = self.state.try_lock() else { return Ok(()) };
        if self.take_all(&mut state)? {
            self.tell_others(&state);
        }
        Ok(())
    }

    /// Whether the mediator is still there.
    pub(super) fn check_alive(&self) -> Result<(), ClientError> {
        // Not by the sleeper: it would take the bell's ring away from who listens.
        let mut socket = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut socket, Some(&now)).is_ok_and(|events| events > 0) {
            self.gone.store(true, Ordering::Relaxed);
        }
        if self.is_alive() { Ok(()) } else { Err(ClientError::Gone) }
    }

    fn take_all(&self, state: &mut State) -> Result<bool, ClientError> {
        let mut any = false;
        loop {
            let words =
                state.ring.pop().inspect_err(|_| self.gone.store(true, Ordering::Relaxed))?;
            let Some(words) = words else { return Ok(any) };
            any = true;
            // An answer that means nothing is of a later version.
            let Ok(Completion { token, answer }) = Completion::decode(&words) else { continue };
            match (state.expected.get_mut(&token), answer) {
                (Some(expected), Answer::Reached) => expected.complete = true,
                (Some(expected), answer) => expected.answer = Some(answer),
                (None, Answer::Failed(_)) => {
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                }
                (None, _) => {}
            }
        }
    }

    fn sleep_until(
        &self,
        done: impl Fn(&State) -> bool,
        until: Option<Instant>,
    ) -> Result<bool, ClientError> {
        let mut state = self.state();
        loop {
            if self.take_all(&mut state)? {
                self.tell_others(&state);
            }
            if done(&state) {
                return Ok(true);
            }
            if !self.is_alive() {
                return Err(ClientError::Gone);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(false);
            }
            if state.listening {
                state.others += 1;
                state = match left {
                    None => self.heard.wait(state).unwrap_or_else(PoisonError::into_inner),
                    Some(left) => {
                        let woken = self.heard.wait_timeout(state, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
                state.others -= 1;
            } else if state.ring.sleep()? {
                // A fence has no place in the ring: whoever raised it before this saw nobody sleep.
                if done(&state) {
                    state.ring.wake();
                    return Ok(true);
                }
                state.listening = true;
                drop(state);
                self.listen(left);
                state = self.state();
                state.listening = false;
                state.ring.wake();
                self.tell_others(&state);
            }
        }
    }

    /// Wakes those who sleep while one listens. Nobody does: then it is no system call.
    fn tell_others(&self, state: &State) {
        if state.others > 0 {
            self.heard.notify_all();
        }
    }

    /// Sleeps until the bell rings, the mediator goes, or the time has come.
    fn listen(&self, left: Option<Duration>) {
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        // A signal wakes as well; whoever sleeps looks again.
        if self.sleeper.sleep(left.as_ref()).gone {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
}
