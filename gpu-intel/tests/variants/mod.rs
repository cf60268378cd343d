//! Ways to change a command of a batch.

use super::corpus::Place;

/// What becomes of a command's dwords; `None`: the class can't be made of this command.
pub(crate) type Change = fn(&Place) -> Option<Vec<u32>>;

/// A way to be hostile.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The rule that must catch it.
    pub(crate) rule: &'static str,
    pub(crate) change: Change,
}

/// `commands` in the place of this one, and NOOPs in what is left of it.
fn instead(place: &Place, commands: &[u32]) -> Option<Vec<u32>> {
    let mut dwords = commands.to_vec();
    // What ends or leaves the batch stays, or nothing behind it would be reached.
    if place.command.name.starts_with("MI_BATCH_BUFFER") || dwords.len() > place.dwords.len() {
        return None;
    }
    dwords.resize(place.dwords.len(), 0);
    Some(dwords)
}

/// The command `name` with some of its dwords changed.
fn changed(place: &Place, name: &str, change: impl Fn(&mut Vec<u32>)) -> Option<Vec<u32>> {
    if place.command.name != name {
        return None;
    }
    let mut dwords = place.dwords.clone();
    change(&mut dwords);
    Some(dwords)
}

pub(crate) const HOSTILE: &[Class] = &[
    Class {
        name: "a register that is not on the white list is loaded",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1100_0001, 0x2080, 0x1000]),
    },
    Class {
        name: "the second register of a load is not on the white list",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1100_0003, 0x2580, 0, 0x4_4050, 1]),
    },
    Class {
        name: "a register of another engine is loaded",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1100_0001, 0x2_2600, 1]),
    },
    Class {
        name: "the time stamp is loaded",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1100_0001, 0x2358, 1]),
    },
    Class {
        name: "a load ends between register and value",
        rule: "command/length",
        change: |p| instead(p, &[0x1100_0002, 0x2580, 0, 0x2580]),
    },
    Class {
        name: "a register is loaded from memory",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1480_0002, 0x209c, 0x1000, 0]),
    },
    Class {
        name: "a register is loaded from the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x14c0_0002, 0x2600, 0x1000, 0]),
    },
    Class {
        name: "a register is stored that is not on the white list",
        rule: "command/register-read",
        change: |p| instead(p, &[0x1200_0002, 0x4_4050, 0x1000, 0]),
    },
    Class {
        name: "a register is stored to the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1240_0002, 0x2600, 0x1000, 0]),
    },
    Class {
        name: "a register is copied to one that is not on the white list",
        rule: "command/register-write",
        change: |p| instead(p, &[0x1500_0001, 0x2600, 0x2080]),
    },
    Class {
        name: "a register is copied from one that is not on the white list",
        rule: "command/register-read",
        change: |p| instead(p, &[0x1500_0001, 0x2080, 0x2600]),
    },
    Class {
        name: "a result of MI_MATH goes to a register that is not on the white list",
        rule: "command/register-write",
        change: |p| instead(p, &[0x0d00_0000, 0x1800_0000, 0x1500_0001, 0x2600, 0x2234]),
    },
    Class {
        name: "an instruction of MI_MATH does not exist",
        rule: "command/math",
        change: |p| instead(p, &[0x0d00_0000, 0x7ff0_0000]),
    },
    Class {
        name: "an operand of MI_MATH does not exist",
        rule: "command/math",
        change: |p| instead(p, &[0x0d00_0000, 0x0800_8010]),
    },
    Class {
        name: "data is stored to the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1040_0002, 0x1000, 0, 1]),
    },
    Class {
        name: "data is stored to a status page",
        rule: "command/privileged",
        change: |p| instead(p, &[0x1080_0001, 0x10, 1]),
    },
    Class {
        name: "quadwords are stored that end in the middle",
        rule: "command/length",
        change: |p| instead(p, &[0x1020_0004, 0x1000, 0, 1, 2, 3]),
    },
    Class {
        name: "memory of the GGTT is copied",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1740_0003, 0x1000, 0, 0x2000, 0]),
    },
    Class {
        name: "memory is copied to the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1720_0003, 0x1000, 0, 0x2000, 0]),
    },
    Class {
        name: "an atomic operation in the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x17c0_0001, 0x1000, 0]),
    },
    Class {
        name: "an atomic operation of no size",
        rule: "command/atomic",
        change: |p| instead(p, &[0x1798_0001, 0x1000, 0]),
    },
    Class {
        name: "an atomic operation that does not exist",
        rule: "command/atomic",
        change: |p| instead(p, &[0x1780_1001, 0x1000, 0]),
    },
    Class {
        name: "a semaphore in the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x0e40_c002, 1, 0x1000, 0]),
    },
    Class {
        name: "a semaphore with a comparison that does not exist",
        rule: "command/semaphore",
        change: |p| instead(p, &[0x0e00_e002, 1, 0x1000, 0]),
    },
    Class {
        name: "a semaphore in a register that is not on the white list",
        rule: "command/register-read",
        change: |p| instead(p, &[0x0e01_8002, 1, 0x2080, 0]),
    },
    Class {
        name: "a conditional end asks the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1b40_0002, 1, 0x1000, 0]),
    },
    Class {
        name: "a predicate that does not exist",
        rule: "command/predicate",
        change: |p| instead(p, &[0x0080_000c]),
    },
    Class {
        name: "a flush writes to the GGTT",
        rule: "command/ggtt",
        change: |p| changed(p, "PIPE_CONTROL", |d| d[1] = 1 << 24 | 1 << 14),
    },
    Class {
        name: "a flush writes a time stamp to the GGTT",
        rule: "command/ggtt",
        change: |p| changed(p, "PIPE_CONTROL", |d| d[1] |= 1 << 24 | 3 << 14),
    },
    Class {
        name: "a flush writes a depth count to the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x7a00_0004, 1 << 24 | 2 << 14, 0x1000, 0, 0, 0]),
    },
    Class {
        name: "a flush writes to a status page",
        rule: "command/status-page",
        change: |p| changed(p, "PIPE_CONTROL", |d| d[1] |= 1 << 21 | 1 << 14),
    },
    Class {
        name: "a flush loads a register",
        rule: "command/register-write",
        change: |p| instead(p, &[0x7a00_0004, 1 << 23, 0x4_4050, 0, 1, 0]),
    },
    Class {
        name: "a cache line of the GGTT is flushed",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x13c0_0001, 0x1000, 0]),
    },
    Class {
        name: "counters are reported to the GGTT",
        rule: "command/ggtt",
        change: |p| instead(p, &[0x1400_0002, 0x1001, 0, 0]),
    },
    Class {
        name: "page tables are written",
        rule: "command/page-tables",
        change: |p| instead(p, &[0x1180_0001, 0x1000, 1]),
    },
    Class {
        name: "the context is changed",
        rule: "command/page-tables",
        change: |p| instead(p, &[0x0c00_0000, 0x1000]),
    },
    Class {
        name: "arbitration is turned off",
        rule: "command/privileged",
        change: |p| instead(p, &[0x0400_0000]),
    },
    Class {
        name: "a display is flipped",
        rule: "command/display",
        change: |p| instead(p, &[0x0a00_0001, 0, 0x1000]),
    },
    Class {
        name: "a display is waited for",
        rule: "command/display",
        change: |p| instead(p, &[0x0180_0008]),
    },
    Class {
        name: "scan lines are loaded",
        rule: "command/display",
        change: |p| instead(p, &[0x0900_0000, 0x10]),
    },
    Class {
        name: "a batch is started where a register says",
        rule: "command/batch-offset",
        change: |p| instead(p, &[0x1881_0101, 0x1000, 0]),
    },
    Class {
        name: "a batch is started where nothing is mapped",
        rule: "batch/unmapped",
        change: |p| instead(p, &[0x1880_0101, 0x1000, 0x1234]),
    },
    Class {
        name: "a batch is called where nothing is mapped",
        rule: "batch/unmapped",
        change: |p| instead(p, &[0x18c0_0101, 0x1000, 0x1234]),
    },
    Class {
        name: "a blit stands in a batch for the render engine",
        rule: "command/engine",
        change: |p| instead(p, &[0x5430_0005, 0, 0, 0, 0, 0, 0]),
    },
    Class {
        name: "a flush of other engines",
        rule: "command/engine",
        change: |p| instead(p, &[0x1300_0002, 0, 0, 0]),
    },
    Class {
        name: "an MI command that does not exist",
        rule: "command/unknown",
        change: |p| instead(p, &[0x1f80_0000]),
    },
    Class {
        name: "a 3D command that does not exist",
        rule: "command/unknown",
        change: |p| instead(p, &[0x7fff_0000, 0]),
    },
    Class {
        name: "a command of a type that does not exist",
        rule: "command/unknown",
        change: |p| instead(p, &[0xe000_0000]),
    },
    Class {
        name: "a state command lies about its length",
        rule: "command/length",
        change: |p| {
            let fixed = p.command.name.starts_with("3DSTATE")
                && !p.command.length.allows(p.dwords.len() + 1)
                && p.dwords.len() > 1;
            fixed.then(|| {
                let mut d = p.dwords.clone();
                d[0] += 1;
                d
            })
        },
    },
    Class {
        name: "an address has more than 48 bits",
        rule: "command/address",
        change: |p| {
            let wide = p
                .command
                .wide
                .first()
                .filter(|wide| usize::from(wide.dword) + 1 < p.dwords.len())?;
            let mut d = p.dwords.clone();
            d[usize::from(wide.dword) + 1] = 0x4321_0000;
            Some(d)
        },
    },
    Class {
        name: "a window ends behind the address space",
        rule: "command/window",
        change: |p| {
            changed(p, "STATE_BASE_ADDRESS", |d| {
                (d[10], d[11], d[15]) = (0xffff_f001, 0xffff, 0xffff_f001);
            })
        },
    },
];

/// Changes that no rule forbids.
pub(crate) const HARMLESS: &[(&str, Change)] = &[
    ("a command is left out", |p| instead(p, &[0])),
    ("a register of the white list is loaded", |p| instead(p, &[0x1100_0001, 0x2600, 7])),
    ("data is stored to the batch's own space", |p| instead(p, &[0x1000_0002, 0x1000, 0, 1])),
    ("a flush without a write", |p| instead(p, &[0x7a00_0004, 1 << 20, 0, 0, 0, 0])),
    ("a semaphore in the batch's own space", |p| instead(p, &[0x0e00_c002, 1, 0x1000, 0])),
    ("a canonical address", |p| changed(p, "3DSTATE_INDEX_BUFFER", |d| d[3] |= 0xffff_8000)),
    ("another kernel", |p| changed(p, "3DSTATE_VS", |d| d[1] ^= 0x40)),
    ("a whole window", |p| {
        changed(p, "STATE_BASE_ADDRESS", |d| (d[10], d[11], d[15]) = (1, 0, 0xffff_f001))
    }),
    ("a batch is started in the GGTT, which silicon ignores", |p| {
        changed(p, "MI_BATCH_BUFFER_START", |d| d[0] &= !(1 << 8))
    }),
    ("the batch starts itself again", |p| {
        changed(p, "MI_BATCH_BUFFER_START", |d| {
            (d[1], d[2]) = (p.at.0 as u32, (p.at.0 >> 32) as u32);
        })
    }),
];
