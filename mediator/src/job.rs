//! Jobs: one piece of work for one engine, on its way from a virtual GPU to silicon.

use serde::{Deserialize, Serialize};

use crate::Reason;

/// A virtual machine, numbered in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmId(pub u32);

/// An engine of the GPU: an index into [`Limits::engines`](crate::Limits::engines).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineId(pub u8);

/// A job of one VM. Numbers are never used again while the virtual GPU lives, so a late answer is recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What a guest names its hardware context by (Intel: the context descriptor's id and LRCA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextKey(pub u64);

/// A GPU address space, named by the guest-physical addresses of its root tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceRoot {
    /// Levels of tables below and including the root: 3 (four root entries) or 4 (one).
    pub levels: u8,
    /// Root entries as the guest wrote them; unused ones are zero.
    pub entries: [u64; 4],
}

/// How urgent a context's jobs are among those of its VM: more is sooner. It is no claim on other VMs' time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i16);

/// One piece of work. `W` is the vendor's unit of work: plain data.
#[derive(Clone, Debug)]
pub struct Job<W> {
    /// Its number.
    pub id: JobId,
    /// Where it runs.
    pub engine: EngineId,
    /// The address space that it runs in.
    pub space: SpaceRoot,
    /// The hardware context that it runs in.
    pub context: ContextKey,
    /// Its context's.
    pub priority: Priority,
    /// What is to be done.
    pub work: W,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It ran to its end.
    Done,
    /// Silicon refused to go on: the guest sees a hang.
    Fault(Reason),
    /// It was killed: cancelled by its virtual GPU, or over its budget. The guest sees a hang.
    Killed(Reason),
    /// It was recalled on its way. Its context holds where it stopped and all that it needs to go on from there.
    Suspended,
    /// It was recalled before it began: its context is as it was.
    Withdrawn,
}
