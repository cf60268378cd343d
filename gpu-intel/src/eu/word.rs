//! An instruction as it lies in memory: 16 bytes, or 8 that stand for 16.
//!
//! ```text
//!   bit 29 = 0:  127 ........................................... 0     as it is
//!   bit 29 = 1:                                    63 .......... 0     fields and indices into tables
//! ```
//!
//! Source: SKL PRM vol 7, "EU instruction compaction"; tables as Mesa has them for Gfx8 and Gfx9.

/// The bits of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word(pub(super) u128);

impl Word {
    /// Bits `high` to `low`; at most 64 of them.
    #[must_use]
    #[inline]
    pub(super) const fn bits(self, high: u32, low: u32) -> u64 {
        debug_assert!(high >= low && high < 128 && high - low < 64);
        (self.0 >> low) as u64 & (u64::MAX >> (63 - (high - low)))
    }

    /// Bit `at`.
    #[must_use]
    #[inline]
    pub(super) const fn bit(self, at: u32) -> bool {
        self.0 >> at & 1 != 0
    }

    /// Whether the instruction that begins with these 8 bytes has no others.
    #[must_use]
    pub(super) const fn is_compacted(first: u64) -> bool {
        first >> 29 & 1 != 0
    }

    const fn with(self, low: u32, value: u64) -> Self {
        Self(self.0 | (value as u128) << low)
    }

    const fn without(self, high: u32, low: u32) -> Self {
        Self(self.0 & !((u128::MAX >> (127 - (high - low))) << low))
    }
}

/// A run of bits that an entry of a table stands for: its place in the entry and in the instruction.
struct Run {
    /// The highest bit in the instruction, and the lowest.
    to: (u32, u32),
    /// The lowest bit in the entry.
    from: u32,
}

const fn run(high: u32, low: u32, from: u32) -> Run {
    Run { to: (high, low), from }
}

/// A table that an index of a compacted instruction points into.
struct Table<const N: usize> {
    /// What entries hold.
    entries: [u64; N],
    /// Where it goes.
    runs: &'static [Run],
}

impl<const N: usize> Table<N> {
    fn apply(&self, word: Word, index: u64) -> Word {
        let entry = self.entries[index as usize % N];
        self.runs.iter().fold(word, |word, run| {
            let (high, low) = run.to;
            word.with(low, entry >> run.from & (u64::MAX >> (63 - (high - low))))
        })
    }
}

static CONTROL: Table<32> = Table {
    entries: [
        0x00002, 0x04000, 0x04001, 0x04002, 0x04003, 0x04004, 0x04005, 0x04007, 0x04008, 0x04009,
        0x0400d, 0x06000, 0x06001, 0x06002, 0x06003, 0x06004, 0x06005, 0x06007, 0x06009, 0x0600d,
        0x06010, 0x06100, 0x08000, 0x08002, 0x08004, 0x08100, 0x16000, 0x16010, 0x18000, 0x18100,
        0x28000, 0x28100,
    ],
    runs: &[run(33, 31, 16), run(23, 12, 4), run(10, 9, 2), run(34, 34, 1), run(8, 8, 0)],
};

static DATA_TYPE: Table<32> = Table {
    entries: [
        0x40001, 0x40040, 0x40041, 0x400c1, 0x4015d, 0x405dd, 0x40741, 0x40745, 0x4075d, 0x41041,
        0x43040, 0x43041, 0x45145, 0x47144, 0x47145, 0x5c75d, 0x5d71d, 0x5d75c, 0x5d75d, 0x5f75c,
        0x0040c, 0x4005d, 0x40145, 0x41040, 0x45144, 0x47104, 0x49209, 0x5775d, 0x5f75d, 0x4f34c,
        0x49248, 0x4b248,
    ],
    runs: &[run(63, 61, 18), run(94, 89, 12), run(46, 35, 0)],
};

static SUBREGISTER: Table<32> = Table {
    entries: [
        0x0000, 0x0001, 0x0008, 0x000f, 0x0010, 0x0080, 0x0100, 0x0180, 0x0200, 0x0210, 0x0280,
        0x1000, 0x1001, 0x1081, 0x1082, 0x1083, 0x1084, 0x1087, 0x1088, 0x108e, 0x108f, 0x1180,
        0x11e8, 0x2000, 0x2180, 0x3000, 0x3c87, 0x4000, 0x5000, 0x6000, 0x7000, 0x701c,
    ],
    runs: &[run(100, 96, 10), run(68, 64, 5), run(52, 48, 0)],
};

const SOURCES: [u64; 32] = [
    0x000, 0x002, 0x010, 0x012, 0x018, 0x020, 0x028, 0x048, 0x050, 0x070, 0x078, 0x300, 0x302,
    0x308, 0x310, 0x312, 0x320, 0x328, 0x338, 0x340, 0x342, 0x348, 0x350, 0x360, 0x368, 0x370,
    0x371, 0x378, 0x468, 0x469, 0x46a, 0x588,
];

static SOURCE_0: Table<32> = Table { entries: SOURCES, runs: &[run(88, 77, 0)] };
static SOURCE_1: Table<32> = Table { entries: SOURCES, runs: &[run(120, 109, 0)] };

static CONTROL_3: Table<4> = Table {
    entries: [0x0080_6001, 0x0000_6001, 0x0000_8001, 0x0000_8021],
    runs: &[run(36, 35, 24), run(34, 32, 21), run(28, 8, 0)],
};

static SOURCES_3: Table<4> = Table {
    entries: [0x0727_2720_f000, 0x0727_2720_f002, 0x0727_2720_f008, 0x0727_2720_f020],
    runs: &[
        run(126, 125, 47),
        run(105, 104, 45),
        run(84, 84, 44),
        run(83, 83, 43),
        run(114, 107, 35),
        run(93, 86, 27),
        run(72, 65, 19),
        run(55, 37, 0),
    ],
};

/// Opcodes with three sources, which have tables of their own: csel, bfe, bfi2, mad, lrp, madm.
fn has_three_sources(opcode: u64) -> bool {
    matches!(opcode, 0x12 | 0x18 | 0x1a | 0x5b | 0x5c | 0x5d)
}

/// The instruction that a compacted one stands for. Bit 29 stays set: it tells how long the instruction is in memory.
#[must_use]
pub(super) fn expand(compacted: u64) -> Word {
    let from = Word(compacted.into());
    let opcode = from.bits(6, 0);
    let word = Word(0).with(0, opcode).with(29, 1);
    if has_three_sources(opcode) {
        return expand_three_sources(from, word);
    }
    let word = word
        .with(30, from.bits(7, 7))
        .with(28, from.bits(23, 23))
        .with(24, from.bits(27, 24))
        .with(53, from.bits(47, 40))
        .with(69, from.bits(55, 48));
    let word = CONTROL.apply(word, from.bits(12, 8));
    let word = DATA_TYPE.apply(word, from.bits(17, 13));
    let word = SUBREGISTER.apply(word, from.bits(22, 18));
    let word = SOURCE_0.apply(word, from.bits(34, 30));
    let (index, register) = (from.bits(39, 35), from.bits(63, 56));
    const IMMEDIATE: u64 = 3;
    if word.bits(42, 41) == IMMEDIATE || word.bits(90, 89) == IMMEDIATE {
        // 13 bits, the highest of which is the sign.
        let value = (index << 8 | register) as u32;
        let value = ((value << 19) as i32 >> 19) as u32;
        word.without(127, 96).with(96, value.into())
    } else {
        SOURCE_1.apply(word, index).with(101, register)
    }
}

fn expand_three_sources(from: Word, word: Word) -> Word {
    let word = CONTROL_3.apply(word, from.bits(9, 8));
    let word = SOURCES_3.apply(word, from.bits(11, 10));
    word.with(56, from.bits(18, 12))
        .with(64, from.bits(28, 28))
        .with(30, from.bits(30, 30))
        .with(31, from.bits(31, 31))
        .with(85, from.bits(32, 32))
        .with(106, from.bits(33, 33))
        .with(73, from.bits(36, 34))
        .with(94, from.bits(39, 37))
        .with(115, from.bits(42, 40))
        .with(76, from.bits(49, 43))
        .with(97, from.bits(56, 50))
        .with(118, from.bits(63, 57))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_cut_out() {
        let word = Word(0x8000_0000_0000_0001_0000_0000_0000_00ff);
        assert_eq!(word.bits(6, 0), 0x7f);
        assert_eq!(word.bits(127, 127), 1);
        assert_eq!(word.bits(127, 64), 0x8000_0000_0000_0001);
        assert!(word.bit(64) && !word.bit(65));
    }

    #[test]
    fn tables_fit_their_runs() {
        fn width(runs: &[Run]) -> u32 {
            runs.iter().map(|run| run.to.0 - run.to.1 + 1).sum()
        }
        assert_eq!(width(CONTROL.runs), 19);
        assert_eq!(width(DATA_TYPE.runs), 21);
        assert_eq!(width(SUBREGISTER.runs), 15);
        assert_eq!(width(SOURCE_0.runs), 12);
        assert_eq!(width(CONTROL_3.runs), 26);
        assert_eq!(width(SOURCES_3.runs), 49);
    }

    #[test]
    fn a_small_immediate_is_sign_extended_and_stays_alone() {
        // Data types 28: all are floats, the second source is an immediate. All bits of it are set.
        let word = expand(0x40 | 1 << 29 | 28 << 13 | 0x1f << 35 | 0xff << 56);
        assert_eq!(word.bits(90, 89), 3);
        assert_eq!(word.bits(127, 96), 0xffff_ffff);
    }
}
