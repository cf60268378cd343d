//! Execlists of one engine: the submission port, the two lists, and the context status buffer (CSB).
//!
//! ```text
//!  port, four dwords ──► list of two contexts ──► running ──► CSB entries ──► guest
//!                                   └──► pending until the running context can be interrupted
//! ```
//!
//! A list whose first context runs already only gives it a new tail (lite restore). Any other list preempts: the
//! context that runs is left at the next point where it allows that, or at its ring's end, and the list takes over.
//! Exactly one CSB entry acknowledges each list, the one that says idle to active or preempted; each other entry ends
//! the context that ran. That is how a driver follows.
//!
//! A state machine without memory or time: the device feeds it and carries out what it returns.
//! Source: SKL PRM vol 2c (EXECLIST_SUBMITPORT, EXECLIST_STATUS, CONTEXT_STATUS_BUF), vol 7 (execlist scheduling).

use bitflags::bitflags;
use mediator::{ContextKey, Reason};
use serde::{Deserialize, Serialize};

use crate::address::GgttAddress;

/// Entries of the context status buffer.
pub(crate) const CSB_ENTRIES: u8 = 6;
/// The write pointer after reset: nothing written.
const CSB_EMPTY: u8 = 7;

/// A context descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Descriptor(pub(crate) u64);

impl Descriptor {
    /// The logical ring context's address (LRCA), page aligned.
    pub(crate) fn image(self) -> GgttAddress {
        GgttAddress(self.0 & 0xFFFF_F000)
    }
    /// What the CSB names the context by.
    fn id(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// The context's name on silicon: its id and its image's place.
    pub(crate) fn key(self) -> ContextKey {
        ContextKey(self.0 & 0xFFFF_FFFF_FFFF_F000)
    }
    /// Levels of its page tables: 3 or 4.
    pub(crate) fn levels(self) -> u8 {
        if self.0 >> 3 & 3 == 3 { 4 } else { 3 }
    }
    /// The context is to be loaded from its image even if it runs.
    fn force_restore(self) -> bool {
        self.0 & 1 << 2 != 0
    }
    fn valid(self) -> bool {
        self.0 & 1 != 0
    }
    pub(crate) fn check(self) -> Result<Self, Reason> {
        let addressing = self.0 >> 3 & 3;
        if addressing != 1 && addressing != 3 {
            return Err(Reason::new(
                "execlist/addressing",
                format!(
                    "descriptor {:#018x} asks for an addressing mode that is not offered",
                    self.0
                ),
            ));
        }
        if self.0 & 1 << 8 == 0 {
            return Err(Reason::new(
                "execlist/privilege",
                format!(
                    "descriptor {:#018x} asks for a context without its own page tables",
                    self.0
                ),
            ));
        }
        Ok(self)
    }
}

bitflags! {
    /// Low dword of a CSB entry: why it was written.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Switch: u32 {
        const IDLE_TO_ACTIVE = 1 << 0;
        const PREEMPTED = 1 << 1;
        const ELEMENT_SWITCH = 1 << 2;
        const ACTIVE_TO_IDLE = 1 << 3;
        const COMPLETE = 1 << 4;
        const LITE_RESTORE = 1 << 15;
    }
}

/// An entry of the context status buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CsbEntry {
    pub(crate) why: Switch,
    pub(crate) context: u32,
    /// Where in the buffer it goes.
    pub(crate) index: u8,
}

/// What the engine is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Load this context.
    Start(Descriptor),
    /// The context that runs has a new tail.
    Extend(Descriptor),
    /// Leave the context that runs as soon as it allows that, then say so ([`Execlists::preempted`]).
    Preempt,
    /// Nothing to run.
    Idle,
}

impl CsbEntry {
    /// Whether the entry only says that a submission was taken. The guest learns that early enough when the
    /// context's completion is reported.
    pub(crate) fn acknowledges(self) -> bool {
        self.why.intersects(Switch::IDLE_TO_ACTIVE | Switch::PREEMPTED)
    }
}

/// Outcome of a submission or a completion: status entries, in order, then the engine's next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) csb: Vec<CsbEntry>,
    pub(crate) next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    contexts: [Option<Descriptor>; 2],
    active: usize,
}

impl List {
    fn current(&self) -> Option<Descriptor> {
        self.contexts.get(self.active).copied().flatten()
    }
}

/// The execlists of one engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Execlists {
    port: [u32; 4],
    written: usize,
    #[serde(deserialize_with = "Option::deserialize")]
    running: Option<List>,
    #[serde(deserialize_with = "Option::deserialize")]
    pending: Option<List>,
    csb_write: u8,
    last_switch: Switch,
}

impl Execlists {
    /// As after reset.
    pub(crate) fn new() -> Self {
        Self {
            port: [0; 4],
            written: 0,
            running: None,
            pending: None,
            csb_write: CSB_EMPTY,
            last_switch: Switch::empty(),
        }
    }

    /// Whether submissions could have brought the lists here. What can't be is said.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.written >= self.port.len() || self.csb_write > CSB_EMPTY {
            return Err("its submission port or status buffer can't be so".to_owned());
        }
        for list in self.running.iter().chain(&self.pending) {
            if list.current().is_none() {
                return Err("an execlist has no context that is next".to_owned());
            }
            for descriptor in list.contexts.iter().flatten() {
                descriptor.check().map_err(|why| why.to_string())?;
            }
        }
        Ok(())
    }

    /// The CSB's write pointer, as the status pointer register shows it.
    pub(crate) fn csb_write(&self) -> u8 {
        self.csb_write
    }

    /// The guest moves the write pointer (it does when it sanitizes an engine).
    pub(crate) fn set_csb_write(&mut self, to: u8) {
        self.csb_write = to & 7;
    }

    /// Takes one dword of the port; the fourth submits.
    pub(crate) fn write_port(&mut self, value: u32) -> Result<Option<Turn>, Reason> {
        if let Some(slot) = self.port.get_mut(self.written) {
            *slot = value;
        }
        self.written += 1;
        if self.written < self.port.len() {
            return Ok(None);
        }
        self.written = 0;
        let [second_high, second_low, first_high, first_low] = self.port.map(u64::from);
        let first = Descriptor(first_high << 32 | first_low);
        let second = Descriptor(second_high << 32 | second_low);
        self.submit(first, second).map(Some)
    }

    fn submit(&mut self, first: Descriptor, second: Descriptor) -> Result<Turn, Reason> {
        if !first.valid() {
            return Err(Reason::new(
                "execlist/descriptor",
                "the first context of a submission is not valid",
            ));
        }
        let second = if second.valid() { Some(second.check()?) } else { None };
        let list = List { contexts: [Some(first.check()?), second], active: 0 };
        if self.pending.is_some() {
            return Err(Reason::new(
                "execlist/full",
                "both execlists are taken and a third was submitted",
            ));
        }
        let current = self.running.as_ref().and_then(List::current);
        let lite = |current: &Descriptor| current.key() == first.key() && !first.force_restore();
        Ok(match current {
            None => self.begin(list, first),
            Some(current) if lite(&current) => {
                self.running = Some(list);
                let why = Switch::LITE_RESTORE | Switch::PREEMPTED;
                Turn { csb: vec![self.entry(why, first.id())], next: Next::Extend(first) }
            }
            Some(_) => {
                self.pending = Some(list);
                Turn { csb: Vec::new(), next: Next::Preempt }
            }
        })
    }

    /// An idle engine takes a list.
    fn begin(&mut self, list: List, first: Descriptor) -> Turn {
        self.running = Some(list);
        Turn { csb: vec![self.entry(Switch::IDLE_TO_ACTIVE, 0)], next: Next::Start(first) }
    }

    /// Whether a list waits for the context that runs to be interrupted.
    pub(crate) fn wants_switch(&self) -> bool {
        self.pending.is_some()
    }

    /// The context that runs was interrupted and saved. Without a list that waits it goes on.
    pub(crate) fn preempted(&mut self) -> Turn {
        let Some(current) = self.running.as_ref().and_then(List::current) else {
            return Turn { csb: Vec::new(), next: Next::Idle };
        };
        let Some(list) = self.pending.take() else {
            return Turn { csb: Vec::new(), next: Next::Start(current) };
        };
        let first = list.current().unwrap_or(current);
        let mut why = Switch::PREEMPTED;
        if first.key() == current.key() && !first.force_restore() {
            why |= Switch::LITE_RESTORE;
        }
        self.running = Some(list);
        Turn { csb: vec![self.entry(why, current.id())], next: Next::Start(first) }
    }

    /// The context that runs has come to its ring's end.
    pub(crate) fn complete(&mut self) -> Turn {
        let Some(running) = &mut self.running else {
            return Turn { csb: Vec::new(), next: Next::Idle };
        };
        let finished = running.current().map_or(0, Descriptor::id);
        running.active += 1;
        let second = running.current();
        let mut csb = Vec::new();
        let then = match second {
            Some(second) => {
                csb.push(self.entry(Switch::COMPLETE | Switch::ELEMENT_SWITCH, finished));
                // A list that waits takes over before the second context is even loaded.
                if self.pending.is_some() {
                    self.preempted()
                } else {
                    Turn { csb: Vec::new(), next: Next::Start(second) }
                }
            }
            None => {
                csb.push(self.entry(Switch::COMPLETE | Switch::ACTIVE_TO_IDLE, finished));
                self.running = None;
                let pending = self.pending.take();
                match pending.and_then(|list| Some((list, list.current()?))) {
                    Some((list, first)) => self.begin(list, first),
                    None => Turn { csb: Vec::new(), next: Next::Idle },
                }
            }
        };
        csb.extend(then.csb);
        Turn { csb, next: then.next }
    }

    fn entry(&mut self, why: Switch, context: u32) -> CsbEntry {
        let index = if self.csb_write >= CSB_ENTRIES - 1 { 0 } else { self.csb_write + 1 };
        self.csb_write = index;
        self.last_switch = why;
        CsbEntry { why, context, index }
    }

    /// The status register's two dwords.
    pub(crate) fn status(&self) -> (u32, u32) {
        let mut low = (self.last_switch.bits() & 0x1FF) << 5;
        let mut high = 0;
        if self.pending.is_some() {
            low |= 1 << 2 | 1 << 3;
        }
        if let Some(running) = &self.running {
            low |= 1 << 4 | 1 << 18 | ((running.active as u32 & 1) + 1) << 14;
            high = running.current().map_or(0, Descriptor::id);
        }
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: u64 = 0xA_0000_0000 | 0x0010_0000 | 1 << 8 | 3 << 3 | 1;
    const B: u64 = 0xB_0000_0000 | 0x0020_0000 | 1 << 8 | 3 << 3 | 1;
    const C: u64 = 0xC_0000_0000 | 0x0030_0000 | 1 << 8 | 3 << 3 | 1;

    fn submit(lists: &mut Execlists, first: u64, second: u64) -> Result<Turn, Reason> {
        for dword in [second >> 32, second, first >> 32] {
            assert_eq!(lists.write_port(dword as u32), Ok(None));
        }
        lists.write_port(first as u32).map(|turn| turn.expect("the fourth dword submits"))
    }

    fn whys(turn: &Turn) -> Vec<(Switch, u32, u8)> {
        turn.csb.iter().map(|e| (e.why, e.context, e.index)).collect()
    }

    #[test]
    fn two_contexts_run_one_after_the_other() {
        let mut lists = Execlists::new();
        let turn = submit(&mut lists, A, B).unwrap();
        assert_eq!(whys(&turn), [(Switch::IDLE_TO_ACTIVE, 0, 0)]);
        assert_eq!(turn.next, Next::Start(Descriptor(A)));
        let turn = lists.complete();
        assert_eq!(whys(&turn), [(Switch::COMPLETE | Switch::ELEMENT_SWITCH, 0xA, 1)]);
        assert_eq!(turn.next, Next::Start(Descriptor(B)));
        let turn = lists.complete();
        assert_eq!(whys(&turn), [(Switch::COMPLETE | Switch::ACTIVE_TO_IDLE, 0xB, 2)]);
        assert_eq!(turn.next, Next::Idle);
    }

    #[test]
    fn a_new_tail_for_the_running_context_is_a_lite_restore() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, 0).unwrap();
        let turn = submit(&mut lists, A, B).unwrap();
        assert_eq!(whys(&turn), [(Switch::LITE_RESTORE | Switch::PREEMPTED, 0xA, 1)]);
        assert_eq!(turn.next, Next::Extend(Descriptor(A)));
        assert_eq!(lists.complete().next, Next::Start(Descriptor(B)));
    }

    #[test]
    fn a_list_of_another_context_preempts() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, B).unwrap();
        let turn = submit(&mut lists, C, A).unwrap();
        assert_eq!((whys(&turn), turn.next), (vec![], Next::Preempt));
        assert!(lists.wants_switch());
        let turn = lists.preempted();
        assert_eq!(whys(&turn), [(Switch::PREEMPTED, 0xA, 1)]);
        assert_eq!(turn.next, Next::Start(Descriptor(C)));
        assert!(!lists.wants_switch());
        assert_eq!(lists.complete().next, Next::Start(Descriptor(A)));
    }

    #[test]
    fn a_forced_restore_reloads_the_context_that_runs() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, 0).unwrap();
        assert_eq!(submit(&mut lists, A | 1 << 2, 0).unwrap().next, Next::Preempt);
        let turn = lists.preempted();
        assert_eq!(whys(&turn), [(Switch::PREEMPTED, 0xA, 1)]);
        assert_eq!(turn.next, Next::Start(Descriptor(A | 1 << 2)));
    }

    #[test]
    fn a_list_that_waits_takes_over_when_the_first_context_ends() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, B).unwrap();
        submit(&mut lists, C, 0).unwrap();
        let turn = lists.complete();
        let ended = (Switch::COMPLETE | Switch::ELEMENT_SWITCH, 0xA, 1);
        assert_eq!(whys(&turn), [ended, (Switch::PREEMPTED, 0xB, 2)]);
        assert_eq!(turn.next, Next::Start(Descriptor(C)));
    }

    #[test]
    fn an_interruption_that_nobody_waits_for_changes_nothing() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, 0).unwrap();
        let turn = lists.preempted();
        assert_eq!((whys(&turn), turn.next), (vec![], Next::Start(Descriptor(A))));
        assert_eq!(Execlists::new().preempted().next, Next::Idle);
    }

    /// A driver as i915 is: it follows the lists by the entries alone.
    #[derive(Default)]
    struct Follower {
        inflight: Vec<u32>,
        pending: Vec<u32>,
        read: u8,
    }

    impl Follower {
        fn take(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
            for entry in &turn.csb {
                self.read = (self.read + 1) % CSB_ENTRIES;
                prop_assert_eq!(entry.index, self.read, "entries stand in their order");
                if entry.why.intersects(Switch::IDLE_TO_ACTIVE | Switch::PREEMPTED) {
                    prop_assert!(!self.pending.is_empty(), "{:?} acknowledges nothing", entry);
                    if entry.why.contains(Switch::PREEMPTED) {
                        prop_assert_eq!(Some(&entry.context), self.inflight.first());
                    } else {
                        prop_assert!(self.inflight.is_empty(), "{:?} with contexts left", entry);
                    }
                    self.inflight = std::mem::take(&mut self.pending);
                } else {
                    prop_assert!(entry.why.contains(Switch::COMPLETE));
                    prop_assert!(!self.inflight.is_empty(), "{:?} ends nothing", entry);
                    prop_assert_eq!(entry.context, self.inflight.remove(0));
                    let idle = entry.why.contains(Switch::ACTIVE_TO_IDLE);
                    prop_assert_eq!(idle, self.inflight.is_empty());
                }
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn entries_always_tell_a_driver_what_runs(
            steps in prop::collection::vec((0..4_u8, 0..4_usize, 0..4_usize), 1..200),
        ) {
            let contexts = [A, B, C, A | 1 << 2];
            let mut lists = Execlists::new();
            lists.set_csb_write(5);
            let mut driver = Follower { read: 5, ..Follower::default() };
            for (what, first, second) in steps {
                let turn = match what {
                    0 | 1 => {
                        let (first, second) = (contexts[first], contexts[second]);
                        let alone = first >> 32 == second >> 32;
                        let second = if alone { 0 } else { second };
                        let full = lists.wants_switch();
                        prop_assert_eq!(full, !driver.pending.is_empty());
                        let turn = submit(&mut lists, first, second);
                        prop_assert_eq!(turn.is_err(), full);
                        let Ok(turn) = turn else { continue };
                        driver.pending = [first, second].map(|d| (d >> 32) as u32).to_vec();
                        driver.pending.retain(|id| *id != 0);
                        turn
                    }
                    2 => lists.complete(),
                    _ => lists.preempted(),
                };
                driver.take(&turn)?;
                let runs = driver.inflight.first().copied();
                match turn.next {
                    Next::Start(context) | Next::Extend(context) => {
                        prop_assert_eq!(runs, Some(context.id()));
                    }
                    Next::Idle => prop_assert_eq!(runs, None),
                    Next::Preempt => prop_assert!(runs.is_some() && lists.wants_switch()),
                }
            }
        }
    }

    #[test]
    fn a_second_list_waits_and_a_third_is_refused() {
        let mut lists = Execlists::new();
        submit(&mut lists, A, 0).unwrap();
        assert_eq!(submit(&mut lists, B, 0).unwrap().next, Next::Preempt);
        assert_eq!(submit(&mut lists, B, 0).unwrap_err().rule, "execlist/full");
        let turn = lists.complete();
        assert_eq!(
            whys(&turn),
            [(Switch::COMPLETE | Switch::ACTIVE_TO_IDLE, 0xA, 1), (Switch::IDLE_TO_ACTIVE, 0, 2)]
        );
        assert_eq!(turn.next, Next::Start(Descriptor(B)));
    }

    #[test]
    fn the_status_buffer_wraps_after_six() {
        let mut lists = Execlists::new();
        lists.set_csb_write(5);
        let mut indices = Vec::new();
        for _ in 0..4 {
            indices.extend(submit(&mut lists, A, 0).unwrap().csb.iter().map(|e| e.index));
            indices.extend(lists.complete().csb.iter().map(|e| e.index));
        }
        assert_eq!(indices, [0, 1, 2, 3, 4, 5, 0, 1]);
    }

    #[test]
    fn descriptors_without_own_page_tables_are_refused() {
        let mut lists = Execlists::new();
        assert_eq!(submit(&mut lists, A & !(1 << 8), 0).unwrap_err().rule, "execlist/privilege");
        assert_eq!(submit(&mut lists, A & !(3 << 3), 0).unwrap_err().rule, "execlist/addressing");
        assert_eq!(submit(&mut lists, 0, B).unwrap_err().rule, "execlist/descriptor");
    }
}
