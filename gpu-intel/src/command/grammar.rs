//! The words in which the tables describe commands.
//!
//! ```text
//!  command ─┬─ key and mask    which bits of dword 0 name it
//!           ├─ length          how many dwords it has, and may have
//!           ├─ engines         who executes it
//!           ├─ fields          what stands where: names, bits, kinds ── listings are made of these
//!           └─ checks          what an unprivileged batch may ask of it ── the audit is made of these
//! ```

use super::{BLITTER, Engines, MI, STATE, TYPE_SHIFT};

/// A command of the hardware.
#[derive(Debug)]
pub struct Command {
    /// Its name in Intel's manuals.
    pub name: &'static str,
    /// The bits of dword 0 under [`mask`](Self::mask).
    pub key: u32,
    /// The bits of dword 0 that tell the command.
    pub mask: u32,
    /// How many dwords it has.
    pub length: Length,
    /// The engines that execute it.
    pub engines: Engines,
    /// What stands in it.
    pub layout: Layout,
    /// What an unprivileged batch may not do with it.
    pub checks: &'static [Check],
    /// Where it holds addresses of 64 bits, of which only 48 mean something. Follows from the layout.
    pub wide: &'static [WideAddress],
}

/// An address in two whole dwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideAddress {
    /// Its lower dword.
    pub dword: u16,
    /// Another every so many dwords, as far as the command reaches; 0: there is one.
    pub step: u16,
}

/// How many dwords a command has: one, or two and what the low bits of dword 0 count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The bits that count; 0: there is one dword.
    count: u16,
    /// The shortest form in dwords that is any use.
    pub min: u32,
    /// The longest.
    pub max: u32,
}

impl Length {
    /// One dword.
    pub(in crate::command) const ONE: Self = Self { count: 0, min: 1, max: 1 };

    /// Counted by the low `bits` bits of dword 0; only lengths from `min` to `max` dwords are any use.
    pub(in crate::command) const fn counted(bits: u32, min: u32, max: u32) -> Self {
        Self { count: ((1 << bits) - 1) as u16, min, max }
    }

    /// The bits of dword 0 that count dwords.
    #[must_use]
    pub const fn counting_bits(self) -> u16 {
        self.count
    }

    /// What `counting_bits` of `dword0` count.
    #[inline]
    pub(in crate::command) const fn count(dword0: u32, counting_bits: u16) -> usize {
        (dword0 & counting_bits as u32) as usize + 1 + (counting_bits != 0) as usize
    }

    /// The dwords of the command that starts with `dword0`, as its header counts them.
    #[must_use]
    #[inline]
    pub const fn of(self, dword0: u32) -> usize {
        Self::count(dword0, self.count)
    }

    /// Whether a command of this kind may have so many dwords.
    #[must_use]
    #[inline]
    pub fn allows(self, dwords: usize) -> bool {
        (self.min as usize..=self.max as usize).contains(&dwords)
    }
}

/// What stands in a command or in a structure of several commands.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Fields that stand there once.
    pub fields: &'static [Field],
    /// Rows of fields.
    pub repeats: &'static [Repeat],
}

/// A row of equal groups of fields.
#[derive(Clone, Copy, Debug)]
pub struct Repeat {
    /// How many; 0: as many as the command's length holds.
    pub count: u16,
    /// Bits from the start of the command to the first group.
    pub first: u16,
    /// Bits from one group to the next.
    pub step: u16,
    /// One group's fields, counted from its start.
    pub fields: &'static [Field],
}

/// Some bits with a name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in Intel's manuals.
    pub name: &'static str,
    /// Its lowest bit, from the start of the command.
    pub low: u16,
    /// Its highest bit.
    pub high: u16,
    /// What the bits mean.
    pub kind: Kind,
}

/// What bits mean.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number.
    Unsigned,
    /// A number in two's complement.
    Signed,
    /// A switch.
    Bool,
    /// An IEEE number of 32 bits.
    Float,
    /// A number with so many bits behind the point.
    UnsignedFixed(u8),
    /// The same in two's complement.
    SignedFixed(u8),
    /// A graphics address; the field holds its bits from the field's own place in its dword on.
    Address,
    /// An offset from one of the base addresses, or of a register; placed like an address.
    Offset,
    /// Must be zero.
    Zero,
    /// More fields.
    Structure(&'static Structure),
}

/// Fields that several commands share.
#[derive(Debug)]
pub struct Structure {
    /// Its name in Intel's manuals.
    pub name: &'static str,
    /// What stands in it.
    pub layout: Layout,
}

impl Field {
    /// Whether it is an address that fills the two dwords it stands in.
    const fn is_wide(&self) -> bool {
        matches!(self.kind, Kind::Address) && self.high - self.low >= 50 && self.high % 32 == 31
    }
}

impl Layout {
    /// How many addresses of 64 bits [`wide`](Self::wide) finds.
    pub(in crate::command) const fn count_wide(&self) -> usize {
        let mut none = [];
        self.walk_wide(0, 0, &mut none, 0)
    }

    /// Where the addresses of 64 bits are.
    pub(in crate::command) const fn wide<const N: usize>(&self) -> [WideAddress; N] {
        let mut found = [WideAddress { dword: 0, step: 0 }; N];
        self.walk_wide(0, 0, &mut found, 0);
        found
    }

    /// Puts wide addresses into `found` from `at` on, as far as it has room, and returns how many there are so far.
    const fn walk_wide(
        &self,
        base: u16,
        step: u16,
        found: &mut [WideAddress],
        mut at: usize,
    ) -> usize {
        at = walk_fields(self.fields, base, step, found, at);
        let mut i = 0;
        while i < self.repeats.len() {
            let row = &self.repeats[i];
            if row.count == 0 {
                at = walk_fields(row.fields, base + row.first, row.step, found, at);
            }
            let mut n = 0;
            while n < row.count {
                at = walk_fields(row.fields, base + row.first + n * row.step, step, found, at);
                n += 1;
            }
            i += 1;
        }
        at
    }
}

const fn walk_fields(
    fields: &[Field],
    base: u16,
    step: u16,
    found: &mut [WideAddress],
    mut at: usize,
) -> usize {
    let mut i = 0;
    while i < fields.len() {
        let field = &fields[i];
        if field.is_wide() {
            if at < found.len() {
                found[at] = WideAddress { dword: (base + field.low) / 32, step: step / 32 };
            }
            at += 1;
        } else if let Kind::Structure(inner) = field.kind {
            at = inner.layout.walk_wide(base + field.low, step, found, at);
        }
        i += 1;
    }
    at
}

/// What the audit looks at in a command of an unprivileged batch. Dwords are counted from the start of the command;
/// one that the command does not have passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// No batch of a user holds this command: the kernel's alone.
    Privileged,
    /// The command changes page tables or contexts: not even a kernel uses it on Gen9.
    PageTables,
    /// Nothing executes it any more: it does not stand in batches for Gen9.
    Obsolete,
    /// This bit asks for the global GTT.
    Ggtt(u8, u8),
    /// This bit asks for the status page, which lies in the global GTT.
    StatusPage(u8, u8),
    /// A base address (two dwords) and its size in pages (bits 31:12 of a dword): the window must end within 48 bits.
    Window(u8, u8),
    /// The register that this dword names is read.
    Reads(u8),
    /// The register that this dword names is written.
    Writes(u8),
    /// Registers and values, in pairs from dword 1.
    WritesPairs,
    /// Waits for, or changes, what a display shows.
    Display,
    /// A batch starts.
    BatchStart,
    /// The post-sync operation of PIPE_CONTROL.
    PipeControl,
    /// The post-sync operation of MI_FLUSH_DW.
    FlushDw,
    /// The comparison of MI_SEMAPHORE_WAIT and the place it polls.
    Semaphore,
    /// The length of MI_STORE_DATA_IMM, by its operand.
    StoreData,
    /// The argument of MI_SET_PREDICATE.
    SetPredicate,
    /// The operation and its length of MI_ATOMIC.
    Atomic,
    /// The program of MI_MATH.
    Math,
}

/// Declares one table of commands; rows are sorted by key.
///
/// ```text
///  KEY "NAME" LENGTH [CHECKS] {
///      DWORD[HIGH:LOW] "Field" KIND;
///      repeat COUNT at BIT step BITS { ... }
///  }
/// ```
macro_rules! commands {
    (
        $(#[$attribute:meta])* $table:ident: $type:ident for $engines:expr;
        $( $key:literal $name:literal $length:ident $(($($bound:tt)*))? $(on $own:ident)? [$($check:ident $(($($argument:literal),*))?),*] { $($body:tt)* } )*
    ) => {
        $(#[$attribute])*
        pub(in crate::command) static $table: &[$crate::command::grammar::Command] = &[$(
            $crate::command::grammar::Command {
                name: $name,
                key: $crate::command::grammar::$type.key($key),
                mask: $crate::command::grammar::$type.mask,
                length: $crate::command::grammar::length!($length $(($($bound)*))?),
                engines: $crate::command::grammar::engines!($engines $(, $own)?),
                layout: $crate::command::grammar::layout!($($body)*),
                wide: {
                    const LAYOUT: $crate::command::grammar::Layout =
                        $crate::command::grammar::layout!($($body)*);
                    const WIDE: [$crate::command::grammar::WideAddress; LAYOUT.count_wide()] =
                        LAYOUT.wide();
                    &WIDE
                },
                checks: &[$($crate::command::grammar::Check::$check $(($($argument),*))?),*],
            },
        )*];
    };
}

/// Declares structures that commands share.
macro_rules! structures {
    ($( $ident:ident $name:literal { $($body:tt)* } )*) => {
        $(
            pub(super) const $ident: $crate::command::grammar::Structure =
                $crate::command::grammar::Structure {
                    name: $name,
                    layout: $crate::command::grammar::layout!($($body)*),
                };
        )*
    };
}

macro_rules! engines {
    ($all:expr) => {
        $all
    };
    ($all:expr, $own:ident) => {
        $crate::command::Engines::$own
    };
}

macro_rules! length {
    (one) => {
        $crate::command::grammar::Length::ONE
    };
    (fixed($n:literal, $bits:literal)) => {
        $crate::command::grammar::Length::counted($bits, $n, $n)
    };
    (counted($min:literal.., $bits:literal)) => {
        $crate::command::grammar::Length::counted($bits, $min, (1 << $bits) + 1)
    };
    (counted($min:literal..=$max:literal, $bits:literal)) => {
        $crate::command::grammar::Length::counted($bits, $min, $max)
    };
}

macro_rules! layout {
    (
        $( $dword:literal [$high:literal $(: $low:literal)?] $name:literal $kind:ident $(($argument:tt))?; )*
        $( repeat $count:literal at $first:literal step $step:literal {
            $( $dword2:literal [$high2:literal $(: $low2:literal)?] $name2:literal $kind2:ident $(($argument2:tt))?; )*
        } )*
    ) => {
        $crate::command::grammar::Layout {
            fields: &[$( $crate::command::grammar::field!($dword [$high $(: $low)?] $name $kind $(($argument))?) ),*],
            repeats: &[$( $crate::command::grammar::Repeat {
                count: $count,
                first: $first,
                step: $step,
                fields: &[$( $crate::command::grammar::field!($dword2 [$high2 $(: $low2)?] $name2 $kind2 $(($argument2))?) ),*],
            } ),*],
        }
    };
}

macro_rules! field {
    ($dword:literal [$bit:literal] $name:literal $kind:ident $(($argument:tt))?) => {
        $crate::command::grammar::field!($dword [$bit: $bit] $name $kind $(($argument))?)
    };
    ($dword:literal [$high:literal: $low:literal] $name:literal $kind:ident $(($argument:tt))?) => {
        $crate::command::grammar::Field {
            name: $name,
            low: 32 * $dword + $low,
            high: 32 * $dword + $high,
            kind: $crate::command::grammar::kind!($kind $(($argument))?),
        }
    };
}

macro_rules! kind {
    (uint) => {
        $crate::command::grammar::Kind::Unsigned
    };
    (int) => {
        $crate::command::grammar::Kind::Signed
    };
    (bool) => {
        $crate::command::grammar::Kind::Bool
    };
    (float) => {
        $crate::command::grammar::Kind::Float
    };
    (ufixed($fraction:literal)) => {
        $crate::command::grammar::Kind::UnsignedFixed($fraction)
    };
    (sfixed($fraction:literal)) => {
        $crate::command::grammar::Kind::SignedFixed($fraction)
    };
    (address) => {
        $crate::command::grammar::Kind::Address
    };
    (offset) => {
        $crate::command::grammar::Kind::Offset
    };
    (zero) => {
        $crate::command::grammar::Kind::Zero
    };
    (structure($name:ident)) => {
        $crate::command::grammar::Kind::Structure(&$crate::command::table::structures::$name)
    };
}

pub(in crate::command) use {commands, engines, field, kind, layout, length, structures};

/// A type of commands: how a table's keys become bits of dword 0.
pub(in crate::command) struct Type {
    value: u32,
    shift: u32,
    pub(in crate::command) mask: u32,
}

impl Type {
    /// Bits 28:`shift` tell commands of this type apart.
    const fn new(value: u32, shift: u32) -> Self {
        Self { value, shift, mask: u32::MAX << shift }
    }

    pub(in crate::command) const fn key(&self, opcode: u32) -> u32 {
        (self.value << TYPE_SHIFT | opcode << self.shift) & self.mask
    }
}

/// Opcode in bits 28:23.
pub(in crate::command) const MEMORY_INTERFACE: Type = Type::new(MI, 23);
/// Opcode in bits 28:22.
pub(in crate::command) const BLIT: Type = Type::new(BLITTER, 22);
/// Everything else is told by bits 31:16; keys are written with their type.
pub(in crate::command) const PIPELINE: Type = Type::new(STATE, 16);
