//! The wire: memory that client and mediator share, and what it means.
//!
//! ```text
//!  queues                                                        arena
//!  ┌─────────┬─────────────┬─────────────┬────────┐              ┌──────────────────────────┐
//!  │ control │ submissions │ completions │ fences │              │ buffers, as the client   │
//!  └─────────┴─────────────┴─────────────┴────────┘              │ lays them out            │
//!   indices    requests ►    ◄ answers     values                └──────────────────────────┘
//! ```
//!
//! The mediator makes both memories, seals them against shrinking, and writes the [`Geometry`] before the client sees
//! them. The client names its spaces, contexts and fences itself, by small numbers. Verbs are those of silicon
//! ([`Request`]); most have no answer unless they fail. A fence is a word of the queues: it is signalled once its value has
//! reached what is waited for.
//!
//! **Neither side trusts the other.** Each word is read once, into a copy that is then checked; indices are masked
//! before they are used, and a peer whose indices make no sense is [`Broken`]: its connection ends, with that reason. The
//! mediator keeps the true value of each fence for itself, since the client can write to the word.
//!
//! **Doorbells** are rung only for a side that sleeps. Before it does, it says so and looks once more; who publishes then
//! rings, once. So a busy side is never interrupted, and no wake-up is lost.
//!
//! Everything is a little-endian word of 64 bits.

mod layout;
mod message;
mod ring;
mod socket;
mod topology;

pub use layout::{Geometry, GeometryError, MAGIC, Queues, VERSION};
pub use message::{
    Answer, ArenaOffset, COMPLETION_WORDS, Completion, ContextName, Fault, FenceName, GpuAddress,
    Malformed, Request, SUBMISSION_WORDS, SpaceName, Submission, Token,
};
pub use ring::{Broken, Consumer, Producer, PushError, Ring};
pub use socket::{
    Ask, Device, Engine, GREETING_DESCRIPTORS, Greeting, MOST_ENGINES, PACKET_WORDS, Packet, Reply,
};
pub use topology::{MOST_SLICES, MOST_SUBSLICES, MOST_UNITS, Topology};
