//! Writes batches of MI commands and PIPE_CONTROL, as Gen9's command streamers read them.
//!
//! Encodings: Intel's public Programmer's Reference Manuals for Skylake, volume 2a. A batch is a
//! list of commands; each starts with a header dword whose low bits say how many dwords follow,
//! less one. All addresses are the context's own (PPGTT), 48 bits wide.

use crate::i915::Engine;

/// A batch in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands {
    dwords: Vec<u32>,
}

/// One instruction of the MI_MATH unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alu {
    /// Source A becomes general register `n`.
    LoadA(u32),
    /// Source B becomes general register `n`.
    LoadB(u32),
    Add,
    Subtract,
    And,
    Or,
    Xor,
    /// General register `n` becomes the accumulator.
    Store(u32),
    /// General register `n` becomes all ones if the accumulator is 0, else 0.
    StoreZeroFlag(u32),
    /// General register `n` becomes all ones if the last sum carried, else 0.
    StoreCarryFlag(u32),
}

impl Alu {
    const fn encode(self) -> u32 {
        const SOURCE_A: u32 = 0x20;
        const SOURCE_B: u32 = 0x21;
        const ACCUMULATOR: u32 = 0x31;
        const ZERO: u32 = 0x32;
        const CARRY: u32 = 0x33;
        let (opcode, first, second) = match self {
            Alu::LoadA(register) => (0x080, SOURCE_A, register),
            Alu::LoadB(register) => (0x080, SOURCE_B, register),
            Alu::Add => (0x100, 0, 0),
            Alu::Subtract => (0x101, 0, 0),
            Alu::And => (0x102, 0, 0),
            Alu::Or => (0x103, 0, 0),
            Alu::Xor => (0x104, 0, 0),
            Alu::Store(register) => (0x180, register, ACCUMULATOR),
            Alu::StoreZeroFlag(register) => (0x180, register, ZERO),
            Alu::StoreCarryFlag(register) => (0x180, register, CARRY),
        };
        opcode << 20 | first << 10 | second
    }
}

/// What MI_ATOMIC does to its qword.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Atomic {
    Move = 0x24,
    Increment = 0x25,
    Add = 0x27,
    UnsignedMaximum = 0x2c,
    /// Writes operand 2 where memory holds operand 1.
    CompareAndWrite = 0x2e,
}

/// Reads memory until it compares like this with a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compare {
    GreaterOrEqual = 1,
    Equal = 4,
}

/// Which value a flush writes when all before it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PostSync {
    Write(u64),
    Timestamp,
}

impl PostSync {
    const fn operation(self) -> u32 {
        match self {
            PostSync::Write(_) => 1 << 14,
            PostSync::Timestamp => 3 << 14,
        }
    }

    const fn data(self) -> u64 {
        match self {
            PostSync::Write(value) => value,
            PostSync::Timestamp => 0,
        }
    }
}

const fn mi(opcode: u32, flags_and_length: u32) -> u32 {
    opcode << 23 | flags_and_length
}

const END: u32 = mi(0x0a, 0);

impl Commands {
    pub(crate) fn new() -> Commands {
        Commands::default()
    }

    /// Appends dwords as they are.
    pub(crate) fn raw(&mut self, dwords: &[u32]) -> &mut Self {
        self.dwords.extend_from_slice(dwords);
        self
    }

    /// Appends a 48-bit address, low half first.
    pub(crate) fn address(&mut self, address: u64) -> &mut Self {
        let address = address & 0xffff_ffff_ffff;
        self.raw(&[address as u32, (address >> 32) as u32])
    }

    /// MI_NOOP.
    pub(crate) fn noop(&mut self) -> &mut Self {
        self.raw(&[mi(0, 0)])
    }

    /// MI_ARB_CHECK: here the driver may interrupt the batch.
    pub(crate) fn arbitrate(&mut self) -> &mut Self {
        self.raw(&[mi(0x05, 0)])
    }

    /// MI_STORE_DATA_IMM of a dword.
    pub(crate) fn store_dword(&mut self, address: u64, value: u32) -> &mut Self {
        self.raw(&[mi(0x20, 2)]).address(address).raw(&[value])
    }

    /// MI_STORE_DATA_IMM of a qword.
    pub(crate) fn store_qword(&mut self, address: u64, value: u64) -> &mut Self {
        self.raw(&[mi(0x20, 1 << 21 | 3)]).address(address);
        self.raw(&[value as u32, (value >> 32) as u32])
    }

    /// MI_LOAD_REGISTER_IMM of one register.
    pub(crate) fn load_register(&mut self, register: u32, value: u32) -> &mut Self {
        self.raw(&[mi(0x22, 1), register, value])
    }

    /// MI_LOAD_REGISTER_IMM of both halves of a 64-bit register.
    pub(crate) fn load_register_pair(&mut self, register: u32, value: u64) -> &mut Self {
        self.raw(&[mi(0x22, 3), register, value as u32, register + 4, (value >> 32) as u32])
    }

    /// MI_LOAD_REGISTER_REG.
    pub(crate) fn copy_register(&mut self, destination: u32, source: u32) -> &mut Self {
        self.raw(&[mi(0x2a, 1), source, destination])
    }

    /// MI_LOAD_REGISTER_MEM.
    pub(crate) fn load_register_from(&mut self, register: u32, address: u64) -> &mut Self {
        self.raw(&[mi(0x29, 2), register]).address(address)
    }

    /// MI_STORE_REGISTER_MEM.
    pub(crate) fn store_register(&mut self, register: u32, address: u64) -> &mut Self {
        self.raw(&[mi(0x24, 2), register]).address(address)
    }

    /// MI_STORE_REGISTER_MEM of both halves of a 64-bit register.
    pub(crate) fn store_register_pair(&mut self, register: u32, address: u64) -> &mut Self {
        self.store_register(register, address).store_register(register + 4, address + 4)
    }

    /// MI_STORE_REGISTER_MEM that happens only while the predicate is true.
    pub(crate) fn store_register_if_predicate(&mut self, register: u32, address: u64) -> &mut Self {
        self.raw(&[mi(0x24, 1 << 21 | 2), register]).address(address)
    }

    /// MI_PREDICATE: the predicate becomes whether the two predicate sources are equal.
    pub(crate) fn predicate_if_sources_equal(&mut self) -> &mut Self {
        const LOAD: u32 = 2 << 6;
        const SET: u32 = 0;
        const SOURCES_EQUAL: u32 = 2;
        self.raw(&[mi(0x0c, LOAD | SET | SOURCES_EQUAL)])
    }

    /// MI_MATH.
    pub(crate) fn math(&mut self, program: &[Alu]) -> &mut Self {
        self.raw(&[mi(0x1a, program.len() as u32 - 1)]);
        self.dwords.extend(program.iter().map(|instruction| instruction.encode()));
        self
    }

    /// MI_ATOMIC on a qword, with its operands in the command.
    pub(crate) fn atomic(
        &mut self,
        address: u64,
        operation: Atomic,
        operands: [u64; 2],
    ) -> &mut Self {
        const INLINE: u32 = 1 << 18;
        const QWORD: u32 = 1 << 19;
        const STALL: u32 = 1 << 17;
        let [first, second] = operands;
        self.raw(&[mi(0x2f, QWORD | INLINE | STALL | (operation as u32) << 8 | 9)]);
        self.address(address);
        self.raw(&[first as u32, second as u32, (first >> 32) as u32, (second >> 32) as u32]);
        self.raw(&[0; 4])
    }

    /// MI_COPY_MEM_MEM of a dword.
    pub(crate) fn copy_dword(&mut self, destination: u64, source: u64) -> &mut Self {
        self.raw(&[mi(0x2e, 3)]).address(destination).address(source)
    }

    /// MI_SEMAPHORE_WAIT that polls the dword at `address`.
    pub(crate) fn poll(&mut self, address: u64, compare: Compare, value: u32) -> &mut Self {
        const POLL: u32 = 1 << 15;
        self.raw(&[mi(0x1c, POLL | (compare as u32) << 12 | 2), value]).address(address)
    }

    /// MI_CONDITIONAL_BATCH_BUFFER_END: goes on only while memory holds more than `value`.
    pub(crate) fn end_unless_above(&mut self, address: u64, value: u32) -> &mut Self {
        const COMPARE: u32 = 1 << 21;
        self.raw(&[mi(0x36, COMPARE | 2), value]).address(address)
    }

    /// MI_BATCH_BUFFER_START of a batch in the same address space, which takes over.
    pub(crate) fn chain(&mut self, address: u64) -> &mut Self {
        const PPGTT: u32 = 1 << 8;
        self.raw(&[mi(0x31, PPGTT | 1)]).address(address)
    }

    /// MI_FLUSH_DW, with a write of a qword where one is asked for.
    pub(crate) fn flush(&mut self, post_sync: Option<(u64, PostSync)>) -> &mut Self {
        let (address, operation, data) = match post_sync {
            Some((address, sync)) => (address, sync.operation(), sync.data()),
            None => (0, 0, 0),
        };
        self.raw(&[mi(0x26, operation | 3)]).address(address);
        self.raw(&[data as u32, (data >> 32) as u32])
    }

    /// PIPE_CONTROL that stalls the render engine, then writes a qword.
    pub(crate) fn pipe_control(&mut self, address: u64, sync: PostSync) -> &mut Self {
        const STALL: u32 = 1 << 20;
        let data = sync.data();
        self.raw(&[0x7a00_0000 | 4, STALL | sync.operation()]).address(address);
        self.raw(&[data as u32, (data >> 32) as u32])
    }

    /// Flushes with the engine's own command, and writes a qword when that is done.
    pub(crate) fn flush_and_write(
        &mut self,
        engine: Engine,
        address: u64,
        sync: PostSync,
    ) -> &mut Self {
        match engine {
            Engine::Render => self.pipe_control(address, sync),
            _ => self.flush(Some((address, sync))),
        }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.dwords.len()
    }

    /// Bytes that [`Commands::to_bytes`] yields.
    pub(crate) fn length(&self) -> usize {
        4 * (self.dwords.len() + 1).next_multiple_of(2)
    }

    /// The batch in memory: ended, and padded to whole qwords.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            self.dwords.iter().chain([&END]).flat_map(|dword| dword.to_le_bytes()).collect();
        bytes.resize(self.length(), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dwords(write: impl FnOnce(&mut Commands) -> &mut Commands) -> Vec<u32> {
        let mut commands = Commands::new();
        write(&mut commands);
        commands.dwords
    }

    #[test]
    fn headers_have_the_manuals_numbers() {
        let cases: [(Vec<u32>, u32, usize); 15] = [
            (dwords(|c| c.store_dword(0, 0)), 0x1000_0002, 4),
            (dwords(|c| c.store_qword(0, 0)), 0x1020_0003, 5),
            (dwords(|c| c.load_register(0, 0)), 0x1100_0001, 3),
            (dwords(|c| c.load_register_pair(0, 0)), 0x1100_0003, 5),
            (dwords(|c| c.copy_register(0, 0)), 0x1500_0001, 3),
            (dwords(|c| c.load_register_from(0, 0)), 0x1480_0002, 4),
            (dwords(|c| c.store_register(0, 0)), 0x1200_0002, 4),
            (dwords(|c| c.atomic(0, Atomic::Add, [0, 0])), 0x178e_2709, 11),
            (dwords(|c| c.copy_dword(0, 0)), 0x1700_0003, 5),
            (dwords(|c| c.poll(0, Compare::Equal, 0)), 0x0e00_c002, 4),
            (dwords(|c| c.end_unless_above(0, 0)), 0x1b20_0002, 4),
            (dwords(|c| c.chain(0)), 0x1880_0101, 3),
            (dwords(|c| c.flush(None)), 0x1300_0003, 5),
            (dwords(|c| c.pipe_control(0, PostSync::Timestamp)), 0x7a00_0004, 6),
            (dwords(|c| c.predicate_if_sources_equal()), 0x0600_0082, 1),
        ];
        for (index, (dwords, header, length)) in cases.into_iter().enumerate() {
            assert_eq!(dwords[0], header, "case {index}: {:#x}", dwords[0]);
            assert_eq!(dwords.len(), length, "case {index}");
        }
    }

    #[test]
    fn addresses_lose_their_sign_extension() {
        let store = dwords(|c| c.store_dword(0xffff_8000_1234_5678, 7));
        assert_eq!(store[1..], [0x1234_5678, 0x8000, 7]);
    }

    #[test]
    fn math_has_one_dword_for_each_instruction() {
        let sum = dwords(|c| c.math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::Store(2)]));
        assert_eq!(sum, [0x0d00_0003, 0x0800_8000, 0x0800_8401, 0x1000_0000, 0x1800_0831]);
    }

    #[test]
    fn a_batch_is_ended_and_whole() {
        let mut commands = Commands::new();
        commands.store_dword(0, 1);
        let bytes = commands.to_bytes();
        assert_eq!(bytes.len(), commands.length());
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(bytes[16..20], END.to_le_bytes());
    }
}
