//! Where things are in the queues' memory.

use core::sync::atomic::{AtomicU64, Ordering};

use super::message::{COMPLETION_WORDS, SUBMISSION_WORDS};
use super::ring::Ring;

/// The first word of the queues: "vgate-qs".
pub const MAGIC: u64 = u64::from_le_bytes(*b"vgate-qs");
/// The protocol's version. A client refuses another.
pub const VERSION: u64 = 2;

/// Words of the control page.
const CONTROL: usize = 512;
/// Words of a cache line: what different sides write to lies apart.
const LINE: usize = 8;
/// Places in the control page, in words.
const VERSION_AT: usize = 1;
const SUBMISSIONS_AT: usize = 2;
const COMPLETIONS_AT: usize = 3;
const FENCES_AT: usize = 4;
const ARENA_AT: usize = 5;
const SUBMISSION_INDICES: usize = LINE;
const COMPLETION_INDICES: usize = 4 * LINE;

/// Entries of a ring, and fences, at most: 64 MiB of queues.
const MOST: u64 = 1 << 20;

/// Sizes, as the mediator chose them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Requests that fit into the submission ring. A power of two.
    pub submissions: u64,
    /// Answers that fit into the completion ring. A power of two.
    pub completions: u64,
    /// Fences.
    pub fences: u64,
    /// The arena's size in bytes. A multiple of a page.
    pub arena: u64,
}

/// Why memory is no queues, or sizes are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// It doesn't begin with [`MAGIC`].
    NotQueues,
    /// It is of another version of the protocol.
    Version(u64),
    /// A ring whose number of entries is no power of two, or too large; too many fences; an arena of no whole pages.
    Sizes(Geometry),
    /// The memory is smaller than the sizes say: it has so many words.
    Short(usize),
}

impl core::fmt::Display for GeometryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotQueues => f.write_str("this memory holds no queues of vgate's"),
            Self::Version(version) => {
                write!(
                    f,
                    "the other side speaks version {version} of the protocol, this one {VERSION}"
                )
            }
            Self::Sizes(sizes) => write!(f, "{sizes:?} are no sizes of queues"),
            Self::Short(words) => write!(f, "the queues' memory ends after {words} words"),
        }
    }
}

impl core::error::Error for GeometryError {}

impl Geometry {
    /// Whether these sizes make sense.
    ///
    /// # Errors
    /// [`GeometryError::Sizes`].
    pub fn check(self) -> Result<Self, GeometryError> {
        let ring = |entries: u64| entries.is_power_of_two() && entries <= MOST;
        let sound = ring(self.submissions)
            && ring(self.completions)
            && (1..=MOST).contains(&self.fences)
            && self.arena.is_multiple_of(4096);
        if sound { Ok(self) } else { Err(GeometryError::Sizes(self)) }
    }

    /// Words of the queues' memory: whole pages.
    ///
    /// # Errors
    /// [`GeometryError::Sizes`].
    pub fn words(self) -> Result<usize, GeometryError> {
        let [.., end] = self.check()?.places();
        Ok(end.next_multiple_of(CONTROL))
    }

    /// Where submissions, completions and fences begin, and where fences end. Sizes have been checked.
    fn places(self) -> [usize; 4] {
        let submissions = CONTROL;
        let completions = submissions + self.submissions as usize * SUBMISSION_WORDS;
        let fences = completions + self.completions as usize * COMPLETION_WORDS;
        [submissions, completions, fences, fences + self.fences as usize]
    }

    fn read(control: &[AtomicU64]) -> Result<Self, GeometryError> {
        let word = |at: usize| control.get(at).map_or(0, |word| word.load(Ordering::Relaxed));
        if word(0) != MAGIC {
            return Err(GeometryError::NotQueues);
        }
        match word(VERSION_AT) {
            VERSION => {}
            other => return Err(GeometryError::Version(other)),
        }
        let (submissions, completions) = (word(SUBMISSIONS_AT), word(COMPLETIONS_AT));
        Self { submissions, completions, fences: word(FENCES_AT), arena: word(ARENA_AT) }.check()
    }
}

/// The queues' memory, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Queues<'m> {
    /// Its sizes. They are what counts: nobody reads them from the memory again.
    pub geometry: Geometry,
    /// Requests, from the client.
    pub submissions: Ring<'m, SUBMISSION_WORDS>,
    /// Answers, from the mediator.
    pub completions: Ring<'m, COMPLETION_WORDS>,
    /// The fences' values.
    pub fences: &'m [AtomicU64],
}

impl<'m> Queues<'m> {
    /// Writes sizes to new memory, all zero, and takes it apart: the mediator's part.
    ///
    /// # Errors
    /// [`GeometryError::Sizes`], [`GeometryError::Short`].
    pub fn make(memory: &'m [AtomicU64], geometry: Geometry) -> Result<Self, GeometryError> {
        let queues = Self::new(memory, geometry.check()?)?;
        let words = [
            MAGIC,
            VERSION,
            geometry.submissions,
            geometry.completions,
            geometry.fences,
            geometry.arena,
        ];
        for (place, word) in memory.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        Ok(queues)
    }

    /// Takes memory apart that the mediator has made: the client's part.
    ///
    /// # Errors
    /// [`GeometryError`].
    pub fn open(memory: &'m [AtomicU64]) -> Result<Self, GeometryError> {
        Self::new(memory, Geometry::read(memory)?)
    }

    fn new(memory: &'m [AtomicU64], geometry: Geometry) -> Result<Self, GeometryError> {
        let [submissions, completions, fences, end] = geometry.places();
        let part = |range: core::ops::Range<usize>| {
            memory.get(range).ok_or(GeometryError::Short(memory.len()))
        };
        let indices = |at: usize| {
            let line =
                |n: usize| memory.get(at + n * LINE).ok_or(GeometryError::Short(memory.len()));
            Ok((line(0)?, line(1)?, line(2)?))
        };
        Ok(Self {
            geometry,
            submissions: Ring::new(part(submissions..completions)?, indices(SUBMISSION_INDICES)?),
            completions: Ring::new(part(completions..fences)?, indices(COMPLETION_INDICES)?),
            fences: part(fences..end)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn memory(words: usize) -> Vec<AtomicU64> {
        (0..words).map(|_| AtomicU64::new(0)).collect()
    }

    const SMALL: Geometry = Geometry { submissions: 8, completions: 4, fences: 3, arena: 8192 };

    #[test]
    fn what_the_mediator_makes_the_client_opens() {
        let memory = memory(SMALL.words().unwrap());
        assert!(memory.len().is_multiple_of(512), "whole pages");
        Queues::make(&memory, SMALL).unwrap();
        let queues = Queues::open(&memory).unwrap();
        assert_eq!(queues.geometry, SMALL);
        assert_eq!(queues.fences.len(), 3);
    }

    #[test]
    fn other_memory_is_refused() {
        let blank = memory(4096);
        assert_eq!(Queues::open(&blank).unwrap_err(), GeometryError::NotQueues);
        assert_eq!(Queues::open(&[]).unwrap_err(), GeometryError::NotQueues);
        Queues::make(&blank, SMALL).unwrap();
        blank[VERSION_AT].store(VERSION + 1, Ordering::Relaxed);
        assert_eq!(Queues::open(&blank).unwrap_err(), GeometryError::Version(VERSION + 1));
        let memory = memory(SMALL.words().unwrap());
        Queues::make(&memory, SMALL).unwrap();
        assert_eq!(Queues::open(&memory[..594]).unwrap_err(), GeometryError::Short(594));
        for wrong in [
            Geometry { submissions: 0, ..SMALL },
            Geometry { submissions: 12, ..SMALL },
            Geometry { completions: 1 << 21, ..SMALL },
            Geometry { fences: 0, ..SMALL },
            Geometry { fences: u64::MAX, ..SMALL },
            Geometry { arena: 100, ..SMALL },
        ] {
            assert_eq!(wrong.words(), Err(GeometryError::Sizes(wrong)));
        }
    }

    proptest! {
        #[test]
        fn any_words_are_queues_or_none(
            words in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..64], 0..6), len in 0usize..2000,
            right: bool,
        ) {
            let memory = memory(len);
            for (place, word) in memory.iter().zip(&words) {
                place.store(*word, Ordering::Relaxed);
            }
            if right && len > 1 {
                memory[0].store(MAGIC, Ordering::Relaxed);
                memory[1].store(VERSION, Ordering::Relaxed);
            }
            if let Ok(queues) = Queues::open(&memory) {
                prop_assert!(queues.geometry.words().is_ok());
            }
        }
    }
}
