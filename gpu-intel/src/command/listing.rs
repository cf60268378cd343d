//! Commands in words: each field of a command with its value.
//!
//! ```text
//!  3DSTATE_VERTEX_BUFFERS, 5 dwords
//!      Vertex Buffer State[0].Buffer Pitch = 16
//!      Vertex Buffer State[0].Buffer Starting Address = 0x0000fffefff50000
//! ```
//!
//! The tables' own rules of placing hold: see [`Layout`]. Fields behind the end of a short command are left out.

use std::fmt;

use super::{Command, Field, Kind, Layout};

/// A field with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name, behind those of the structures that it stands in; rows of fields are counted in brackets.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Its lowest and highest bit, from the start of the command.
    pub bits: (u32, u32),
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Unsigned(u64),
    /// A number with a sign.
    Signed(i64),
    /// A switch.
    Bool(bool),
    /// A number with a fraction.
    Real(f64),
    /// An address or an offset.
    Address(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
            Self::Address(value) => write!(f, "{value:#x}"),
        }
    }
}

/// The fields of `command`, whose dwords are `dwords`, in the order of the tables.
#[must_use]
pub fn fields(command: &Command, dwords: &[u32]) -> Vec<Listed> {
    let mut listed = Vec::new();
    list(&command.layout, dwords, 0, "", &mut listed);
    listed
}

fn list(layout: &Layout, dwords: &[u32], base: u32, prefix: &str, to: &mut Vec<Listed>) {
    for field in layout.fields {
        list_field(field, dwords, base, prefix, None, to);
    }
    let end = bits_in(dwords);
    for row in layout.repeats {
        let (first, step) = (base + u32::from(row.first), u32::from(row.step).max(1));
        let fits = end.saturating_sub(first) / step;
        let count = if row.count == 0 { fits } else { u32::from(row.count) };
        for n in 0..count.min(fits) {
            for field in row.fields {
                list_field(field, dwords, first + n * step, prefix, Some(n), to);
            }
        }
    }
}

fn list_field(
    field: &Field,
    dwords: &[u32],
    base: u32,
    prefix: &str,
    row: Option<u32>,
    to: &mut Vec<Listed>,
) {
    let (low, high) = (base + u32::from(field.low), base + u32::from(field.high));
    if low >= bits_in(dwords) {
        return;
    }
    let mut name = format!("{prefix}{}", field.name);
    if let Some(row) = row {
        name += &format!("[{row}]");
    }
    if let Kind::Structure(inner) = field.kind {
        name.push('.');
        list(&inner.layout, dwords, low, &name, to);
    } else {
        let value = value(field.kind, bits(dwords, low, high), low, high);
        to.push(Listed { name, value, bits: (low, high) });
    }
}

fn bits_in(dwords: &[u32]) -> u32 {
    u32::try_from(dwords.len() * 32).unwrap_or(u32::MAX)
}

/// Bits `low` to `high`, of which the lower 64 count; those behind the end are zero.
fn bits(dwords: &[u32], low: u32, high: u32) -> u64 {
    let dword = |i: u32| u128::from(dwords.get(i as usize).copied().unwrap_or(0));
    let first = low / 32;
    let all = dword(first) | dword(first + 1) << 32 | dword(first + 2) << 64;
    let width = high.saturating_sub(low) + 1;
    let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
    (all >> (low % 32)) as u64 & mask
}

fn value(kind: Kind, raw: u64, low: u32, high: u32) -> Value {
    let unused = 63 - high.saturating_sub(low).min(63);
    let signed = (raw << unused).cast_signed() >> unused;
    match kind {
        Kind::Bool => Value::Bool(raw != 0),
        Kind::Signed => Value::Signed(signed),
        Kind::Float => Value::Real(f32::from_bits(raw as u32).into()),
        Kind::UnsignedFixed(fraction) => Value::Real(raw as f64 / scale(fraction)),
        Kind::SignedFixed(fraction) => Value::Real(signed as f64 / scale(fraction)),
        Kind::Address | Kind::Offset => Value::Address(raw << (low % 32)),
        Kind::Unsigned | Kind::Zero | Kind::Structure(_) => Value::Unsigned(raw),
    }
}

fn scale(fraction: u8) -> f64 {
    f64::from(fraction).exp2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::{all, decode};
    use crate::engine::Engine;

    fn listed(engine: Engine, dwords: &[u32]) -> Vec<String> {
        let command = decode(dwords[0], engine).unwrap();
        fields(command, dwords).iter().map(|l| format!("{} = {}", l.name, l.value)).collect()
    }

    #[test]
    fn rows_are_counted_as_far_as_the_command_reaches() {
        let load = [0x1100_1003, 0x2580, 1, 0x7000, 0xffff_0000];
        assert_eq!(
            listed(Engine::Render, &load),
            [
                "Byte Write Disables = 0",
                "Register Offset = 0x2580",
                "Data DWord = 1",
                "Register Offset[0] = 0x7000",
                "Data DWord[0] = 4294901760",
            ]
        );
    }

    #[test]
    fn structures_and_addresses_are_named_by_their_way() {
        let buffers = [0x7808_0003, 0x0000_4010, 0xfff5_0000, 0xfffe, 0x100];
        let listed = listed(Engine::Render, &buffers);
        assert!(
            listed.iter().any(|l| l.ends_with("].Buffer Starting Address = 0xfffefff50000")),
            "{listed:?}"
        );
    }

    proptest! {
        #[test]
        fn any_dwords_are_listed(row in 0..320usize, dwords in proptest::collection::vec(any::<u32>(), 0..300)) {
            let command = all().nth(row % all().count()).unwrap();
            for field in fields(command, &dwords) {
                prop_assert!(field.bits.0 < 32 * dwords.len() as u32);
                prop_assert!(field.bits.0 <= field.bits.1);
            }
        }
    }
}
