//! What a thread says to the functions that all threads share, by SEND.

use crate::command::streamer::Fault;

/// A general-purpose register: 32 bytes, as eight dwords.
pub type Grf = [u32; 8];

/// Whom a message is for (SFID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SharedFunction {
    /// 0: nobody.
    Null,
    /// 2.
    Sampler,
    /// 3: barriers.
    Gateway,
    /// 4: the sampler's cache, as a data port that reads.
    SamplerDataPort,
    /// 5: the render target's data port.
    RenderTarget,
    /// 6: the unified return buffer, where stages leave vertices for each other.
    Urb,
    /// 7: ends of compute threads.
    ThreadSpawner,
    /// 9: the constant cache's data port.
    ConstantDataPort,
    /// 10.
    DataPort0,
    /// 11.
    PixelInterpolator,
    /// 12.
    DataPort1,
    /// Motion estimation (8, 13) and numbers without meaning.
    Other(u8),
}

impl SharedFunction {
    /// Who has this number (0 to 15).
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Null,
            2 => Self::Sampler,
            3 => Self::Gateway,
            4 => Self::SamplerDataPort,
            5 => Self::RenderTarget,
            6 => Self::Urb,
            7 => Self::ThreadSpawner,
            9 => Self::ConstantDataPort,
            10 => Self::DataPort0,
            11 => Self::PixelInterpolator,
            12 => Self::DataPort1,
            number => Self::Other(number),
        }
    }
}

/// One SEND.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Whom it is for.
    pub function: SharedFunction,
    /// The descriptor: bits 30:0.
    pub descriptor: u32,
    /// The extended descriptor: bits 31:12 are the bindless surface's.
    pub extended: u32,
    /// What is sent: both parts of a SENDS in one. As long as the descriptor says, 1..=30 registers.
    pub payload: &'a [Grf],
    /// The channels that take part: bit n is lane n of the message.
    pub lanes: u32,
    /// Which of the thread's channels lane 0 is: 0, 8, 16 or 24.
    pub first: u8,
    /// The thread ends with it.
    pub end_of_thread: bool,
}

/// Those who answer a thread's messages.
pub trait SharedFunctions {
    /// Does what `message` asks. `response` are the thread's own registers that the answer goes to (0..=31, as the
    /// descriptor says): what isn't written keeps its value, lanes that take no part must not be written.
    ///
    /// # Errors
    /// A fault: memory that isn't mapped, or a message that means nothing. The thread ends, and its job with it.
    fn send(&mut self, message: &Message<'_>, response: &mut [Grf]) -> Result<(), Fault>;
}
