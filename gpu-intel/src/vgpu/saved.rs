//! The vGPU's state as plain data.
//!
//! ```text
//!  Vgpu ──save──► State ──► JSON      registers and GGTT as runs of words, engines with what is left of their jobs
//!  Vgpu ◄─apply── State ◄─check────── JSON, from anywhere
//! ```
//!
//! The types that hold the state are their own record where they are plain data, and have a `Saved…` beside them where
//! they are not. A state comes from a file that anybody may have written: what the guest could have put somewhere is
//! taken as it is, since the device bears any of that; [`State::check`] judges the rest before anything is changed.
//!
//! **Whoever changes a field of the state raises [`VERSION`]**; a test holds the shape against it.

use std::time::Duration;

use mediator::{Effects, GuestAddress, Job, RestoreError, SaveError, Saved, Vector};
use serde::{Deserialize, Serialize};

use super::Vgpu;
use super::display::Display;
use super::interrupts::Line;
use super::pci::PciConfig;
use super::registers::WINDOW;
use super::ring::{EngineState, SavedEngine};
use super::{Presence, ggtt, rom};
use crate::engine::Engine;
use crate::platform::Part;
use crate::silicon::Batch;

/// The version of the state's layout and meaning.
const VERSION: u32 = 3;

/// All that a guest can see of its GPU, but for its own memory and the clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    registers: Words,
    ggtt: Words,
    config: Vec<u8>,
    line: Line,
    display: Display,
    /// In the order of [`Engine::ALL`].
    engines: [SavedEngine; 4],
}

impl State {
    fn check(&self) -> Result<(), RestoreError> {
        self.registers.check("registers", u64::from(WINDOW / 8))?;
        self.ggtt.check("the GGTT", ggtt::ENTRIES as u64)?;
        self.display.check().map_err(impossible)?;
        for (engine, saved) in Engine::ALL.into_iter().zip(&self.engines) {
            saved.check(engine).map_err(|what| impossible(format!("{engine:?}: {what}")))?;
        }
        Ok(())
    }
}

fn impossible(what: impl Into<String>) -> RestoreError {
    RestoreError::Impossible(what.into())
}

impl Vgpu {
    /// What this is: a state of something else is not for it.
    fn model(&self) -> String {
        let (platform, Part { device, revision, topology }) = (self.platform, self.part);
        let presence = match self.presence {
            Presence::Virtual => "virtual",
            Presence::Bare => "bare",
        };
        format!(
            "Intel {platform} (8086:{device:04x}, revision {revision:02x}, units: {}), {presence}, aperture {} MiB",
            topology.unit_count(),
            self.offered.bytes() >> 20,
        )
    }

    pub(super) fn saved(&self, out: &[Job<Batch>]) -> Result<Saved, SaveError> {
        let left = |id| out.iter().find(|job| job.id == id).map(|job| &job.work);
        let [render, copy, video, enhance] = &self.engines;
        let engines = [render, copy, video, enhance].map(|engine| engine.saved(&left));
        let [render, copy, video, enhance] = engines;
        let state = State {
            registers: self.core.registers.words(),
            ggtt: self.core.ggtt.words(),
            config: self.config.bytes().to_vec(),
            line: self.core.line,
            display: self.core.display.clone(),
            engines: [render?, copy?, video?, enhance?],
        };
        Saved::new(self.model(), VERSION, &state)
    }

    pub(super) fn become_saved(
        &mut self,
        saved: &Saved,
        ahead: Duration,
        fx: &mut Effects<Batch>,
    ) -> Result<(), RestoreError> {
        let state: State = saved.open(&self.model(), VERSION)?;
        state.check()?;
        let config = PciConfig::new(self.part, self.aperture, rom::SIZE as u32);
        let config = config.holding(&state.config);
        self.config =
            config.ok_or_else(|| impossible("its configuration space is not this GPU's"))?;

        for engine in Engine::ALL {
            self.cancel(engine, fx);
        }
        self.core.ahead = ahead;
        self.core.registers.load(&state.registers);
        self.core.ggtt.load(&state.ggtt);
        self.core.line = state.line;
        self.core.display = state.display;
        for (engine, saved) in Engine::ALL.into_iter().zip(state.engines) {
            let restored =
                EngineState::restored(engine, saved, &mut |descriptor, image, batch, recalled| {
                    let job = self.core.hand_out(engine, descriptor, image, batch, fx);
                    fx.recall.extend(recalled.then_some(job));
                    job
                });
            *self.engine(engine) = restored;
        }
        // The VMM may have lost the interrupt that the guest has not answered yet. One too many does no harm.
        if self.core.line.is_high() {
            fx.interrupts.push(Vector(0));
        }
        Ok(())
    }
}

/// The words of a table that are not zero, as runs in order of their places: first word's index, how many words, and
/// the words, or one word for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words(Vec<(u32, u32, Vec<u64>)>);

/// Words of the same value that are worth a run of their own.
const REPEATED: u32 = 4;

impl Words {
    /// From words and their indices, in order.
    pub(crate) fn collect(words: impl Iterator<Item = (u32, u64)>) -> Self {
        let mut same: Vec<(u32, u32, u64)> = Vec::new();
        for (at, word) in words {
            match same.last_mut() {
                Some((first, count, value)) if *first + *count == at && *value == word => {
                    *count += 1;
                }
                _ => same.push((at, 1, word)),
            }
        }
        let mut runs: Vec<(u32, u32, Vec<u64>)> = Vec::new();
        for (at, count, word) in same {
            let short = count < REPEATED;
            match runs.last_mut() {
                Some((first, long, words))
                    if short && *first + *long == at && words.len() == *long as usize =>
                {
                    *long += count;
                    words.extend(std::iter::repeat_n(word, count as usize));
                }
                _ if short => runs.push((at, count, vec![word; count as usize])),
                _ => runs.push((at, count, vec![word])),
            }
        }
        Self(runs)
    }

    /// Whether the runs are runs, in order, in a table of `limit` words.
    fn check(&self, table: &str, limit: u64) -> Result<(), RestoreError> {
        let mut end = 0;
        for (at, count, words) in &self.0 {
            let (first, last) = (u64::from(*at), u64::from(*at) + u64::from(*count));
            let whole = words.len() == 1 || words.len() == *count as usize;
            if *count == 0 || !whole || first < end || last > limit {
                let what = format!(
                    "{table} hold no {count} words at {at}, of which {} are given",
                    words.len()
                );
                return Err(impossible(what));
            }
            end = last;
        }
        Ok(())
    }

    /// Each word and its index. To be checked before.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().flat_map(|(at, count, words)| {
            let words = words.iter().cycle().copied();
            (*at..).zip(words).take(*count as usize)
        })
    }
}

/// Guest addresses as numbers.
pub(crate) mod guest_addresses {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, GuestAddress, Serialize};

    pub(crate) fn serialize<S: Serializer>(
        addresses: &[GuestAddress],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        addresses.iter().map(|at| at.0).collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<GuestAddress>, D::Error> {
        let addresses = Vec::<u64>::deserialize(from)?;
        Ok(addresses.into_iter().map(GuestAddress).collect())
    }
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
