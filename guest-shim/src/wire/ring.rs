//! A ring of entries from one side to the other.
//!
//! ```text
//!        head (consumer's)      tail (producer's)        both only ever grow; their lower bits are the place
//!          ▼                      ▼
//!  ──┬────┬────┬────┬────┬────┬────┬──
//!    │    │ E  │ E  │ E  │ E  │    │                     0 ≤ tail - head ≤ entries, or the peer is broken
//!  ──┴────┴────┴────┴────┴────┴────┴──
//! ```

use core::sync::atomic::{AtomicU64, Ordering, fence};

/// The peer's index makes no sense: nothing it says counts any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The consumer's index.
    pub head: u64,
    /// The producer's.
    pub tail: u64,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "a ring's indices make no sense: head {}, tail {}", self.head, self.tail)
    }
}

impl core::error::Error for Broken {}

/// Why an entry was not put into the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// There is no room until the peer has taken something out.
    Full,
    /// The peer is broken.
    Broken(Broken),
}

/// A ring whose entries have `N` words.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'m, const N: usize> {
    /// As many as a power of two.
    entries: &'m [[AtomicU64; N]],
    tail: &'m AtomicU64,
    head: &'m AtomicU64,
    /// 1 while the consumer sleeps.
    sleeping: &'m AtomicU64,
}

impl<'m, const N: usize> Ring<'m, N> {
    pub(super) fn new(
        words: &'m [AtomicU64],
        (tail, head, sleeping): (&'m AtomicU64, &'m AtomicU64, &'m AtomicU64),
    ) -> Self {
        Self { entries: words.as_chunks().0, tail, head, sleeping }
    }

    /// This side puts entries in, and nobody else of it does.
    #[must_use]
    pub fn producer(self) -> Producer<'m, N> {
        let tail = self.tail.load(Ordering::Relaxed);
        Producer { ring: self, tail, published: tail }
    }

    /// This side takes entries out, and nobody else of it does.
    #[must_use]
    pub fn consumer(self) -> Consumer<'m, N> {
        let head = self.head.load(Ordering::Relaxed);
        Consumer { ring: self, head }
    }

    fn entry(&self, index: u64) -> Option<&'m [AtomicU64; N]> {
        self.entries.get(index as usize & self.entries.len().checked_sub(1)?)
    }

    /// How many entries are between the indices.
    fn filled(&self, head: u64, tail: u64) -> Result<usize, Broken> {
        let filled = tail.checked_sub(head).and_then(|filled| usize::try_from(filled).ok());
        filled.filter(|filled| *filled <= self.entries.len()).ok_or(Broken { head, tail })
    }
}

/// The side that puts entries in.
#[derive(Debug)]
pub struct Producer<'m, const N: usize> {
    ring: Ring<'m, N>,
    /// Its own index. That in memory is for the peer, and may be anything.
    tail: u64,
    published: u64,
}

impl<const N: usize> Producer<'_, N> {
    /// Puts an entry in. The peer sees it once it is published.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push(&mut self, entry: &[u64; N]) -> Result<(), PushError> {
        let head = self.ring.head.load(Ordering::Acquire);
        let filled = self.ring.filled(head, self.tail).map_err(PushError::Broken)?;
        if filled == self.ring.entries.len() {
            return Err(PushError::Full);
        }
        let Some(place) = self.ring.entry(self.tail) else { return Err(PushError::Full) };
        for (place, word) in place.iter().zip(entry) {
            place.store(*word, Ordering::Relaxed);
        }
        self.tail += 1;
        Ok(())
    }

    /// Shows the peer what was pushed. `true`: it sleeps, and the doorbell must be rung.
    #[must_use]
    pub fn publish(&mut self) -> bool {
        if self.tail == self.published {
            return false;
        }
        self.published = self.tail;
        self.ring.tail.store(self.tail, Ordering::Release);
        self.must_ring()
    }

    /// Whether the peer sleeps, and the doorbell must be rung for what it finds elsewhere than in the ring.
    #[must_use]
    pub fn must_ring(&self) -> bool {
        // Either the consumer sees what was stored before it sleeps, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        self.ring.sleeping.load(Ordering::Relaxed) != 0
            && self.ring.sleeping.swap(0, Ordering::Relaxed) != 0
    }
}

/// The side that takes entries out.
#[derive(Debug)]
pub struct Consumer<'m, const N: usize> {
    ring: Ring<'m, N>,
    /// Its own index, as the producer's.
    head: u64,
}

impl<const N: usize> Consumer<'_, N> {
    /// Takes the next entry out: a copy, read once.
    ///
    /// # Errors
    /// The peer is broken.
    pub fn pop(&mut self) -> Result<Option<[u64; N]>, Broken> {
        let tail = self.ring.tail.load(Ordering::Acquire);
        if self.ring.filled(self.head, tail)? == 0 {
            return Ok(None);
        }
        let Some(place) = self.ring.entry(self.head) else { return Ok(None) };
        let entry = core::array::from_fn(|n| {
            place.get(n).map_or(0, |word: &AtomicU64| word.load(Ordering::Relaxed))
        });
        self.head += 1;
        self.ring.head.store(self.head, Ordering::Release);
        Ok(Some(entry))
    }

    /// Says that this side is going to sleep. `true`: it may, the doorbell will ring; `false`: there is something to take
    /// out first.
    ///
    /// # Errors
    /// The peer is broken.
    pub fn sleep(&mut self) -> Result<bool, Broken> {
        self.ring.sleeping.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let tail = self.ring.tail.load(Ordering::Acquire);
        let may = self.ring.filled(self.head, tail)? == 0;
        if !may {
            self.wake();
        }
        Ok(may)
    }

    /// Says that this side is awake: no doorbell is needed.
    pub fn wake(&mut self) {
        self.ring.sleeping.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    struct Memory {
        words: Vec<AtomicU64>,
        indices: [AtomicU64; 3],
    }

    impl Memory {
        fn new(entries: usize) -> Self {
            let words = (0..entries * 2).map(|_| AtomicU64::new(0)).collect();
            Self { words, indices: [const { AtomicU64::new(0) }; 3] }
        }

        fn ring(&self) -> Ring<'_, 2> {
            let [tail, head, sleeping] = &self.indices;
            Ring::new(&self.words, (tail, head, sleeping))
        }
    }

    #[test]
    fn entries_come_out_in_order_and_a_full_ring_takes_no_more() {
        let memory = Memory::new(4);
        let (mut producer, mut consumer) = (memory.ring().producer(), memory.ring().consumer());
        for round in 0..10 {
            for n in 0..4 {
                producer.push(&[round, n]).unwrap();
            }
            assert_eq!(producer.push(&[9, 9]), Err(PushError::Full));
            assert_eq!(consumer.pop(), Ok(None), "not published");
            assert!(!producer.publish(), "nobody sleeps");
            for n in 0..4 {
                assert_eq!(consumer.pop(), Ok(Some([round, n])));
            }
            assert_eq!(consumer.pop(), Ok(None));
        }
    }

    #[test]
    fn the_doorbell_rings_once_and_only_for_a_sleeper() {
        let memory = Memory::new(4);
        let (mut producer, mut consumer) = (memory.ring().producer(), memory.ring().consumer());
        assert_eq!(consumer.sleep(), Ok(true));
        assert!(!producer.publish(), "nothing to show");
        producer.push(&[1, 1]).unwrap();
        assert!(producer.publish());
        producer.push(&[2, 2]).unwrap();
        assert!(!producer.publish(), "it was woken already");
        assert_eq!(consumer.sleep(), Ok(false), "there is something to take out");
        consumer.pop().unwrap();
        consumer.pop().unwrap();
        assert_eq!(consumer.sleep(), Ok(true));
    }

    #[test]
    fn a_peer_with_impossible_indices_is_broken() {
        let memory = Memory::new(4);
        let (mut producer, mut consumer) = (memory.ring().producer(), memory.ring().consumer());
        let [tail, head, _] = &memory.indices;
        for wrong in [5, u64::MAX, 1 << 32] {
            tail.store(wrong, Ordering::Relaxed);
            assert_eq!(consumer.pop(), Err(Broken { head: 0, tail: wrong }));
            assert!(consumer.sleep().is_err());
        }
        for wrong in [1, u64::MAX] {
            head.store(wrong, Ordering::Relaxed);
            let broken = Broken { head: wrong, tail: 0 };
            assert_eq!(producer.push(&[0, 0]), Err(PushError::Broken(broken)));
        }
    }

    /// Two threads, real doorbells: nothing is lost, nobody sleeps for ever.
    #[test]
    fn no_wake_up_is_lost() {
        const ENTRIES: u64 = 200_000;
        let memory = Memory::new(64);
        let (ring_doorbell, doorbell) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut producer = memory.ring().producer();
                for n in 0..ENTRIES {
                    while producer.push(&[n, !n]) == Err(PushError::Full) {
                        std::thread::yield_now();
                    }
                    if n % 7 != 0 && producer.publish() {
                        ring_doorbell.send(()).unwrap();
                    }
                }
                if producer.publish() {
                    ring_doorbell.send(()).unwrap();
                }
            });
            let mut consumer = memory.ring().consumer();
            let mut next = 0;
            while next < ENTRIES {
                match consumer.pop().unwrap() {
                    Some(entry) => {
                        assert_eq!(entry, [next, !next]);
                        next += 1;
                    }
                    None if consumer.sleep().unwrap() => {
                        let limit = std::time::Duration::from_secs(60);
                        doorbell.recv_timeout(limit).expect("the doorbell rings");
                    }
                    None => {}
                }
            }
        });
    }

    proptest! {
        /// Whatever a hostile peer writes, this side neither panics nor takes out more than there can be.
        #[test]
        fn hostile_words_do_no_harm(steps in prop::collection::vec((0..6u8, any::<u64>(), 0..12u64), 0..200)) {
            let memory = Memory::new(8);
            let (mut producer, mut consumer) = (memory.ring().producer(), memory.ring().consumer());
            for (what, any, small) in steps {
                let [tail, head, sleeping] = &memory.indices;
                match what {
                    0 => tail.store(if any % 2 == 0 { any } else { small }, Ordering::Relaxed),
                    1 => head.store(if any % 2 == 0 { any } else { small }, Ordering::Relaxed),
                    2 => sleeping.store(any, Ordering::Relaxed),
                    3 => { let _ = producer.push(&[any, small]); let _ = producer.publish(); }
                    4 => { let _ = consumer.sleep(); }
                    _ => {
                        let taken = (0..100).take_while(|_| matches!(consumer.pop(), Ok(Some(_)))).count();
                        prop_assert!(taken <= 8);
                    }
                }
            }
        }
    }
}
