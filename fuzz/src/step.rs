//! What a guest does to its vGPU, step by step: 16 bytes each.
//!
//! ```text
//!  what u8 │ which u8 │ len u8 │ 0 │ at u32 │ value u64
//! ```

/// A step as it stands in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What is done, see [`What::of`].
    pub what: u8,
    /// To which region, engine or job.
    pub which: u8,
    /// In how many bytes, or how it ends.
    pub len: u8,
    /// Where.
    pub at: u32,
    /// The value.
    pub value: u64,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Reads a region.
    Read,
    /// Writes a region.
    Write,
    /// Writes a register of an engine: those near its base do something.
    Engine,
    /// Writes a GGTT entry.
    Entry,
    /// Writes guest memory: rings, context images, tables.
    Memory,
    /// Has two dwords more for the next submission.
    Command,
    /// Puts them into a ring and submits its context, as a driver does.
    Submit,
    /// Submits a batch.
    Batch,
    /// A job ends.
    Finish,
    /// Time passes.
    Pass,
    /// A reset, or the VMM hangs up.
    Reset,
    /// The operator looks.
    Look,
}

const ALL: [What; 12] = [
    What::Read,
    What::Write,
    What::Engine,
    What::Entry,
    What::Memory,
    What::Command,
    What::Submit,
    What::Batch,
    What::Finish,
    What::Pass,
    What::Reset,
    What::Look,
];

impl What {
    /// What a step's first byte means.
    pub fn of(byte: u8) -> Self {
        ALL[usize::from(byte) % ALL.len()]
    }
}

impl Step {
    /// A step that does `what`; all else is 0.
    pub fn new(what: What) -> Self {
        let what = ALL.iter().position(|w| *w == what).unwrap_or(0) as u8;
        Self { what, ..Self::default() }
    }

    /// As it stands in an input.
    pub fn encode(self) -> [u8; 16] {
        let mut bytes = [self.what, self.which, self.len, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; 16]) -> Self {
        let [what, which, len, _, a, b, c, d, value @ ..] = *bytes;
        let (at, value) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(value));
        Self { what, which, len, at, value }
    }
}

/// The steps in `input`.
pub fn decode(input: &[u8]) -> impl Iterator<Item = Step> {
    input.as_chunks().0.iter().map(Step::decode)
}
