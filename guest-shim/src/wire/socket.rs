//! What goes over the socket: the greeting, and buffers that have a file of their own.
//!
//! ```text
//!  mediator ──► Greeting, with four descriptors: queues, arena, doorbell (client rings), bell (mediator rings)
//!  client   ──► Ask      one at a time; a descriptor goes with `Import`
//!  mediator ──► Reply    a descriptor comes with the reply to `NewBuffer`
//! ```
//!
//! It is a socket of packets (`SOCK_SEQPACKET`); each packet is [`PACKET_WORDS`] words, little-endian. A client that hangs
//! up is gone with all that it has.

use super::layout::{MAGIC, VERSION};
use super::message::{ArenaOffset, Fault, Malformed, fault_code, fault_of};
use super::topology::Topology;

/// Words of a packet.
pub const PACKET_WORDS: usize = 24;
/// Descriptors that come with the greeting.
pub const GREETING_DESCRIPTORS: usize = 4;
/// Engines that a greeting can name.
pub const MOST_ENGINES: usize = 16;

/// A packet on the socket.
pub type Packet = [u64; PACKET_WORDS];

/// An engine, by its class and its number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// 0 3D and compute, 1 blitter, 2 video, 3 video enhancement.
    pub class: u16,
    /// Its number among those of its class.
    pub instance: u16,
}

/// What GPU a client gets: what a driver finds in PCI configuration space, and what its buffers can't tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// PCI revision.
    pub revision: u8,
    /// Bits of an address in an address space.
    pub address_bits: u8,
    /// Ticks a second of the GPU's time stamps.
    pub timestamp_hz: u64,
    /// How its execution units are laid out.
    pub topology: Topology,
    engines: [Option<Engine>; MOST_ENGINES],
}

impl Device {
    /// A device with these engines, in the order of their numbers on the wire; none behind [`MOST_ENGINES`].
    #[must_use]
    pub fn new(
        (vendor, device, revision): (u16, u16, u8),
        address_bits: u8,
        timestamp_hz: u64,
        of: impl IntoIterator<Item = Engine>,
    ) -> Self {
        let mut engines = [None; MOST_ENGINES];
        engines.iter_mut().zip(of).for_each(|(place, engine)| *place = Some(engine));
        let topology = Topology::default();
        Self { vendor, device, revision, address_bits, timestamp_hz, topology, engines }
    }

    /// The same with these execution units; without, it has none that it tells of.
    #[must_use]
    pub fn laid_out(mut self, topology: Topology) -> Self {
        self.topology = topology;
        self
    }

    /// Its engines; a place in this order is an engine's number on the wire.
    pub fn engines(&self) -> impl Iterator<Item = Engine> + '_ {
        self.engines.iter().map_while(|engine| *engine)
    }
}

/// The first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Descriptors come with it: a GPU is there.
    Welcome(Device),
    /// There is none for this client.
    Refused(Fault),
}

/// What a client asks for on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Memory of its own for a buffer that others are to see.
    NewBuffer {
        /// In bytes: whole pages.
        bytes: u64,
    },
    /// The buffer whose descriptor comes with this, which the mediator made for somebody.
    Import,
    /// A buffer of this kind is not needed any more, when nothing runs that can reach it.
    Forget {
        /// Where it is.
        at: ArenaOffset,
    },
}

/// What the mediator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The buffer is there; its descriptor comes with this if it is a new one.
    Buffer {
        /// From where on: behind the arena.
        at: ArenaOffset,
        /// How large it is.
        bytes: u64,
    },
    /// Done.
    Done,
    /// It could not be had.
    Failed(Fault),
}

fn packet(words: &[u64]) -> Packet {
    core::array::from_fn(|at| words.get(at).copied().unwrap_or(0))
}

/// What a packet says, if all that means nothing is zero.
fn strict<T>(value: T, encoded: &Packet, packet: &Packet) -> Result<T, Malformed> {
    if encoded == packet { Ok(value) } else { Err(Malformed::NotZero) }
}

fn number(word: u64) -> Malformed {
    Malformed::Number(word as u32)
}

impl Greeting {
    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Packet {
        match self {
            Self::Welcome(device) => {
                let identity = u64::from(device.vendor)
                    | u64::from(device.device) << 16
                    | u64::from(device.revision) << 32
                    | u64::from(device.address_bits) << 40;
                let count = device.engines().count() as u64;
                let [units, more_units] = device.topology.encode();
                let hz = device.timestamp_hz;
                let mut words =
                    packet(&[MAGIC, VERSION, 1, identity, hz, units, more_units, count]);
                let places = words.iter_mut().skip(8);
                for (place, engine) in places.zip(device.engines()) {
                    *place = u64::from(engine.class) | u64::from(engine.instance) << 16;
                }
                words
            }
            Self::Refused(fault) => packet(&[MAGIC, VERSION, 2, fault_code(*fault).into()]),
        }
    }

    /// What a packet says.
    ///
    /// # Errors
    /// It is no greeting, or one of another version.
    pub fn decode(words: &Packet) -> Result<Self, Malformed> {
        let [magic, version, kind, a, b, units, more_units, count, engines @ ..] = words;
        if *magic != MAGIC || *version != VERSION {
            return Err(number(*version));
        }
        let greeting = match kind {
            1 => {
                let count = usize::try_from(*count).ok().filter(|count| *count <= MOST_ENGINES);
                let count = count.ok_or(number(u64::MAX))?;
                let engine =
                    |word: &u64| Engine { class: *word as u16, instance: (*word >> 16) as u16 };
                let identity = (*a as u16, (*a >> 16) as u16, (*a >> 32) as u8);
                let engines = engines.iter().take(count).map(engine);
                let device = Device::new(identity, (*a >> 40) as u8, *b, engines);
                Self::Welcome(device.laid_out(Topology::decode([*units, *more_units])))
            }
            2 => Self::Refused(fault_of(*a).ok_or(number(*a))?),
            other => return Err(number(*other)),
        };
        strict(greeting, &greeting.encode(), words)
    }
}

impl Ask {
    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Packet {
        match self {
            Self::NewBuffer { bytes } => packet(&[1, *bytes]),
            Self::Import => packet(&[2]),
            Self::Forget { at } => packet(&[3, at.0]),
        }
    }

    /// What a packet says.
    ///
    /// # Errors
    /// Nothing that is known.
    pub fn decode(words: &Packet) -> Result<Self, Malformed> {
        let [kind, a, ..] = *words;
        let ask = match kind {
            1 => Self::NewBuffer { bytes: a },
            2 => Self::Import,
            3 => Self::Forget { at: ArenaOffset(a) },
            other => return Err(number(other)),
        };
        strict(ask, &ask.encode(), words)
    }
}

impl Reply {
    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Packet {
        match self {
            Self::Buffer { at, bytes } => packet(&[1, at.0, *bytes]),
            Self::Done => packet(&[2]),
            Self::Failed(fault) => packet(&[3, fault_code(*fault).into()]),
        }
    }

    /// What a packet says.
    ///
    /// # Errors
    /// Nothing that is known.
    pub fn decode(words: &Packet) -> Result<Self, Malformed> {
        let [kind, a, b, ..] = *words;
        let reply = match kind {
            1 => Self::Buffer { at: ArenaOffset(a), bytes: b },
            2 => Self::Done,
            3 => Self::Failed(fault_of(a).ok_or(number(a))?),
            other => return Err(number(other)),
        };
        strict(reply, &reply.encode(), words)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENGINES: [Engine; 2] =
        [Engine { class: 0, instance: 0 }, Engine { class: 2, instance: 1 }];

    #[test]
    fn packets_survive_the_way() {
        let device = Device::new((0x8086, 0x5912, 4), 48, 12_000_000, ENGINES);
        let device = device.laid_out(Topology::even(0b11, 0b0111, 0xff));
        assert_eq!(device.engines().collect::<std::vec::Vec<_>>(), ENGINES);
        for greeting in [Greeting::Welcome(device), Greeting::Refused(Fault::Quota)] {
            assert_eq!(Greeting::decode(&greeting.encode()), Ok(greeting));
        }
        let at = ArenaOffset(0x1000);
        for ask in [Ask::NewBuffer { bytes: 4096 }, Ask::Import, Ask::Forget { at }] {
            assert_eq!(Ask::decode(&ask.encode()), Ok(ask));
        }
        for reply in [Reply::Buffer { at, bytes: 7 }, Reply::Done, Reply::Failed(Fault::Range)] {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
    }

    #[test]
    fn more_engines_than_there_is_room_for_are_left_out() {
        let many = std::iter::repeat_n(ENGINES[0], MOST_ENGINES + 5);
        let device = Device::new((1, 2, 3), 48, 1, many);
        assert_eq!(device.engines().count(), MOST_ENGINES);
        assert_eq!(
            Greeting::decode(&Greeting::Welcome(device).encode()),
            Ok(Greeting::Welcome(device))
        );
    }

    #[test]
    fn another_version_is_refused() {
        let mut words = Greeting::Refused(Fault::Gone).encode();
        words[1] += 1;
        assert_eq!(Greeting::decode(&words), Err(Malformed::Number(3)));
    }

    proptest! {
        #[test]
        fn any_packet_is_judged(
            words in prop::collection::vec(prop_oneof![any::<u64>(), 0..4u64], PACKET_WORDS), right: bool,
        ) {
            let mut packet = packet(&words);
            if right {
                packet[..2].copy_from_slice(&[MAGIC, VERSION]);
            }
            if let Ok(greeting) = Greeting::decode(&packet) {
                prop_assert_eq!(greeting.encode(), packet);
            }
            if let Ok(ask) = Ask::decode(&packet) {
                prop_assert_eq!(ask.encode(), packet);
            }
            if let Ok(reply) = Reply::decode(&packet) {
                prop_assert_eq!(reply.encode(), packet);
            }
        }
    }
}
