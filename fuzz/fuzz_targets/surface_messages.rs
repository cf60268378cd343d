//! A shader's messages to the sampler and data ports, with states, headers and payloads full of anything: they end,
//! with an answer or a fault, and leave lanes alone that take no part.
#![no_main]

use arbitrary::Arbitrary;
use gpu_intel::address::PpgttAddress;
use gpu_intel::command::streamer::Fault;
use gpu_intel::eu::{Message, SharedFunction};
use gpu_intel::memory::PpgttMemory;
use gpu_intel::silicon::model::render::message::{Bases, Resources};
use libfuzzer_sys::fuzz_target;

const FUNCTIONS: [SharedFunction; 5] = [
    SharedFunction::Sampler,
    SharedFunction::SamplerDataPort,
    SharedFunction::ConstantDataPort,
    SharedFunction::DataPort0,
    SharedFunction::DataPort1,
];

const STATE: u32 = 0x400;
const BINDING_TABLE: u32 = 0x800;
const UNTOUCHED: u32 = 0x5eed_5eed;
/// More than any message needs: eight words for each of 16 lanes, or eight texels of two levels and their states.
const MOST_ACCESSES: usize = 2000;

#[derive(Arbitrary, Debug)]
struct Input {
    surface: [u32; 16],
    sampler: [u32; 4],
    /// Fields whose every value would hardly ever make a surface.
    plausible: bool,
    quads: bool,
    shared: u8,
    texels: Vec<u8>,
    messages: Vec<Sent>,
}

#[derive(Arbitrary, Debug)]
struct Sent {
    function: u8,
    descriptor: u32,
    lanes: u16,
    response: u8,
    payload: Vec<[u32; 8]>,
}

/// 8 KiB that repeat to the end of 47 bits; beyond, nothing is mapped.
struct Memory {
    bytes: Vec<u8>,
    accesses: usize,
}

impl Memory {
    /// Where an access begins.
    fn place(&mut self, at: PpgttAddress) -> Result<usize, Fault> {
        assert!(at.0 < 1 << 48);
        self.accesses += 1;
        if at.0 >> 47 != 0 {
            return Err(Fault::new("fuzz", "not mapped"));
        }
        Ok(at.0 as usize % self.bytes.len())
    }
}

impl PpgttMemory for Memory {
    fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Fault> {
        let place = self.place(at)?;
        for (to, from) in to.iter_mut().zip(self.bytes.iter().cycle().skip(place)) {
            *to = *from;
        }
        Ok(())
    }

    fn write(&mut self, at: PpgttAddress, from: &[u8]) -> Result<(), Fault> {
        let (place, size) = (self.place(at)?, self.bytes.len());
        for (number, from) in from.iter().enumerate() {
            self.bytes[(place + number) % size] = *from;
        }
        Ok(())
    }

    fn modify(
        &mut self,
        at: PpgttAddress,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        assert!(matches!(bytes, 4 | 8) && at.0.is_multiple_of(bytes as u64));
        let mut word = [0; 8];
        self.read(at, &mut word[..bytes])?;
        let old = u64::from_le_bytes(word);
        self.write(at, &change(old).to_le_bytes()[..bytes])?;
        Ok(old)
    }
}

fuzz_target!(|input: Input| {
    let mut surface = input.surface;
    if input.plausible {
        // A pitch that suits all tilings, no more than 16 samples, and a place that is mapped.
        surface[3] |= 0x1ff;
        surface[4] &= !(1 << 5);
        surface[9] &= 0x3fff;
    }
    let mut bytes = vec![0; 0x2000];
    let mut put = |at: u32, dwords: &[u32]| {
        for (to, from) in bytes[at as usize..].chunks_mut(4).zip(dwords) {
            to.copy_from_slice(&from.to_le_bytes());
        }
    };
    put(STATE, &surface);
    put(BINDING_TABLE, &[STATE; 256]);
    for sampler in 0..16 {
        put(0x100 + 16 * sampler, &input.sampler);
    }
    for (to, from) in bytes[0x1000..].iter_mut().zip(&input.texels) {
        *to = *from;
    }
    let mut memory = Memory { bytes, accesses: 0 };
    let bases = Bases {
        binding_table: BINDING_TABLE,
        sampler_table: 0x100,
        bindless: u64::from(STATE),
        bindless_states: 1,
        ..Bases::default()
    };
    let mut resources = Resources::new(bases, input.quads);
    let mut shared = vec![0; 16 * usize::from(input.shared)];
    for sent in input.messages.iter().take(8) {
        let message = Message {
            function: FUNCTIONS[usize::from(sent.function) % FUNCTIONS.len()],
            descriptor: sent.descriptor & 0x7fff_ffff,
            extended: 0,
            payload: &sent.payload[..sent.payload.len().min(30)],
            lanes: sent.lanes.into(),
            first: 0,
            end_of_thread: false,
        };
        let mut response = vec![[UNTOUCHED; 8]; usize::from(sent.response % 32)];
        memory.accesses = 0;
        let answer = resources.send(&mut memory, &mut shared, &message, &mut response);
        assert!(memory.accesses <= MOST_ACCESSES, "{} accesses", memory.accesses);
        if answer.is_ok() && message.function == SharedFunction::Sampler && message.lanes == 0 {
            assert!(response.as_flattened().iter().all(|dword| *dword == UNTOUCHED));
        }
    }
});
