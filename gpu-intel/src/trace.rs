//! Captures of what user-mode drivers submit: a file of records, replayed in order.
//!
//! ```text
//!  "I9TRACE1"  record  record  record ...        record = type[4]  length  payload
//!
//!  BONW  a buffer object is made      BOWR  the CPU wrote to it    EXEC  a batch is submitted
//!  BODL  it is destroyed              WAIT  the CPU waited
//! ```
//!
//! All numbers are little endian. [`Reader`] gives the records, [`Memory`] what buffer objects hold at each EXEC. A
//! capture is hostile input: memory is taken for bytes that are there, not for sizes that are claimed.

mod memory;

use std::io::{self, Read};

pub use self::memory::{ExecMemory, Memory, ReplayError};
use crate::address::PpgttAddress;
use crate::engine::Engine;

const MAGIC: &[u8; 8] = b"I9TRACE1";
/// A record longer than this is not one that a capture has.
const MAX_RECORD: u32 = 1 << 30;

/// Why a capture can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It can't be read.
    #[error("cannot read the capture: {0}")]
    Io(#[from] io::Error),
    /// It doesn't begin as captures do.
    #[error("this is no capture: it does not begin with I9TRACE1")]
    Magic,
    /// It ends in the middle of a record.
    #[error("the capture ends in the middle of a record, after {records} whole ones")]
    Short {
        /// Records before it.
        records: u64,
    },
    /// A record makes no sense.
    #[error("record {record} ({kind}): {what}")]
    Record {
        /// Its place among the records, from 1.
        record: u64,
        /// Its type.
        kind: String,
        /// What is wrong.
        what: String,
    },
}

/// The number of a buffer object; never used again in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub u32);

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A buffer object is made, all zero.
    Create {
        /// Its number.
        buffer: BufferId,
        /// Its size in bytes.
        size: u64,
    },
    /// A buffer object is destroyed.
    Destroy {
        /// Its number.
        buffer: BufferId,
    },
    /// The CPU wrote to a buffer object.
    Write {
        /// Its number.
        buffer: BufferId,
        /// Where, in bytes.
        offset: u64,
        /// What.
        data: Vec<u8>,
    },
    /// A batch is submitted.
    Exec(Exec),
    /// The CPU waited.
    Wait,
}

/// A batch that was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// The capture's number for it.
    pub sequence: u64,
    /// Flags of the system call.
    pub flags: u64,
    /// The engine; `None` if Gen9 has no such class.
    pub engine: Option<Engine>,
    /// The context: the capture's number for it.
    pub context: u32,
    /// Where in its buffer object the batch starts, in bytes.
    pub start: u64,
    /// Which of `objects` holds the batch.
    pub batch: u32,
    /// The buffer objects that are bound while it runs.
    pub objects: Vec<Object>,
}

/// A buffer object's place in the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its number.
    pub buffer: BufferId,
    /// Its address.
    pub address: PpgttAddress,
}

impl Exec {
    /// Submitted with the kernel's privilege (I915_EXEC_SECURE, bit 9 of the flags).
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.flags & 1 << 9 != 0
    }

    /// The slot of its context's engine map, or the engine by an old selector (I915_EXEC_RING_MASK, bits 5:0 of the flags).
    /// Each slot has a hardware context of its own, even where two name the same engine.
    #[must_use]
    pub fn slot(&self) -> u8 {
        (self.flags & 0x3f) as u8
    }

    /// The address of its first command; `None` if the record names no buffer object for it.
    #[must_use]
    pub fn address(&self) -> Option<PpgttAddress> {
        let object = self.objects.get(usize::try_from(self.batch).ok()?)?;
        object.address.checked_add(self.start).map(PpgttAddress::truncated)
    }
}

/// Reads records one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    records: u64,
}

impl<R: Read> Reader<R> {
    /// Whether a file that begins with these bytes is a capture.
    #[must_use]
    pub fn is_capture(first: &[u8]) -> bool {
        first.starts_with(MAGIC)
    }

    /// Begins to read.
    ///
    /// # Errors
    /// It can't be read, or is no capture.
    pub fn new(mut from: R) -> Result<Self, TraceError> {
        let mut magic = [0; 8];
        let short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TraceError::Magic,
            _ => TraceError::Io(error),
        };
        from.read_exact(&mut magic).map_err(short)?;
        if magic != *MAGIC {
            return Err(TraceError::Magic);
        }
        Ok(Self { from, records: 0 })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// It can't be read, or makes no sense.
    pub fn next_record(&mut self) -> Result<Option<Record>, TraceError> {
        let mut header = Vec::new();
        self.from.by_ref().take(8).read_to_end(&mut header)?;
        let short = TraceError::Short { records: self.records };
        let (kind, length) = match *header.as_slice() {
            [] => return Ok(None),
            [a, b, c, d, e, f, g, h] => ([a, b, c, d], u32::from_le_bytes([e, f, g, h])),
            _ => return Err(short),
        };
        self.records += 1;
        let wrong = |what: String| TraceError::Record {
            record: self.records,
            kind: String::from_utf8_lossy(&kind).into_owned(),
            what,
        };
        if length > MAX_RECORD {
            return Err(wrong(format!("a record of {length} bytes")));
        }
        let mut payload = Vec::new();
        if self.from.by_ref().take(length.into()).read_to_end(&mut payload)? < length as usize {
            return Err(short);
        }
        parse(kind, payload).map(Some).map_err(|what| wrong(what.to_owned()))
    }
}

/// Takes numbers from the front of a payload.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> Result<u32, &'static str> {
        let (first, rest) = self.0.split_first_chunk().ok_or("is too short")?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*first))
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        let (first, rest) = self.0.split_first_chunk().ok_or("is too short")?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*first))
    }
}

fn parse(kind: [u8; 4], mut payload: Vec<u8>) -> Result<Record, &'static str> {
    let mut fields = Fields(&payload);
    match &kind {
        b"BONW" => {
            let (buffer, _userptr) = (BufferId(fields.u32()?), fields.u32()?);
            Ok(Record::Create { buffer, size: fields.u64()? })
        }
        b"BODL" => Ok(Record::Destroy { buffer: BufferId(fields.u32()?) }),
        b"BOWR" => {
            let (buffer, _zero) = (BufferId(fields.u32()?), fields.u32()?);
            let offset = fields.u64()?;
            let data = payload.split_off(16);
            Ok(Record::Write { buffer, offset, data })
        }
        b"EXEC" => exec(fields).map(Record::Exec),
        b"WAIT" => Ok(Record::Wait),
        _ => Err("is of no known type"),
    }
}

fn exec(mut fields: Fields<'_>) -> Result<Exec, &'static str> {
    let (sequence, flags, start, _length) =
        (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    let (context, _space) = (fields.u32()?, fields.u32()?);
    let engine = match (fields.u32()?, fields.u32()?) {
        (0, 0) => Some(Engine::Render),
        (1, 0) => Some(Engine::Copy),
        (2, 0) => Some(Engine::Video),
        (3, 0) => Some(Engine::VideoEnhance),
        _ => None,
    };
    let (batch, count) = (fields.u32()?, fields.u32()?);
    let mut objects = Vec::new();
    for _ in 0..count {
        let (buffer, _zero) = (BufferId(fields.u32()?), fields.u32()?);
        let (address, _flags) = (PpgttAddress(fields.u64()?).truncated(), fields.u64()?);
        objects.push(Object { buffer, address });
    }
    Ok(Exec { sequence, flags, engine, context, start, batch, objects })
}
