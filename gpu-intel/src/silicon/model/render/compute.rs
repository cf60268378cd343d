//! Compute: groups of threads, spread over workers.
//!
//! ```text
//!  GPGPU_WALKER ─► groups ─► a worker each: its threads take turns, from barrier to barrier
//!      interface descriptor ─► program, constants, shared memory
//! ```
//!
//! A worker takes the next group when it is done with one, so all groups are begun in their order, whatever the number of
//! workers. Threads of a group run one after the other until each waits at a barrier or has executed its share; shared memory
//! is zero when a group begins. A kill is looked for before each group and after each share.
//!
//! Sources: SKL PRM vol 2a, GPGPU_WALKER, MEDIA_VFE_STATE, MEDIA_CURBE_LOAD; vol 2d, INTERFACE_DESCRIPTOR_DATA; vol 7, "GPGPU
//! thread payload", "Barriers".

use std::sync::Arc;

use super::Halt;
use super::kernel::Kernel;
use super::spread::spread;
use super::state::{self, Base, State, Words};
use super::turns::take_turns;
use super::worker::{StageFunctions, Worker};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, Program, SharedFunction, Thread};
use crate::memory::PpgttMemory;
use crate::silicon::model::memory::Memory;
use crate::silicon::model::stop::Stop;

/// Threads of the largest group: as many as a part of the GPU that shares memory has.
const MOST_THREADS: u32 = 64;
/// Bytes of a register, and of an interface descriptor.
const REGISTER: usize = 32;
const DESCRIPTOR: u64 = 32;
const DESCRIPTOR_DWORDS: usize = 8;
/// The register behind a thread's header.
const CONSTANTS: usize = 1;

/// A walk over groups.
#[derive(Debug)]
pub(super) struct Dispatch {
    kernel: Kernel,
    program: Arc<Program>,
    /// Of each thread its own, which come after those that all have.
    own_constants: Vec<Vec<Grf>>,
    /// Bytes that a group shares.
    shared: usize,
    /// The first group, and how many there are on each axis.
    first: [u32; 3],
    groups: [u32; 3],
    /// Each thread's lanes.
    masks: Vec<u32>,
    /// Groups at work at a time: each thread at work has scratch space of its own.
    at_work: usize,
}

impl Dispatch {
    /// What `walker` starts, with so many groups on each axis: ends, not counts.
    pub(super) fn new(
        state: &State,
        walker: Words<'_>,
        ends: [u32; 3],
        worker: &mut Worker,
    ) -> Result<Self, Fault> {
        let load = state.command(state::MEDIA_INTERFACE_DESCRIPTOR_LOAD);
        let dynamic = state.base(Base::Dynamic).0;
        let table = dynamic.wrapping_add(u64::from(load.dword(3)));
        let index = u64::from(walker.bits(1, 0..=5));
        let descriptor = descriptor(table.wrapping_add(DESCRIPTOR * index), &mut worker.memory)?;
        let descriptor = Words(&descriptor);
        let counters = walker.dword(4);
        let [width, height, depth] = [0, 8, 16].map(|low| (counters >> low & 0x3f) + 1);
        let threads = width * height * depth;
        if threads != descriptor.bits(6, 0..=9) || threads > MOST_THREADS {
            let told = descriptor.bits(6, 0..=9);
            let detail = format!("{width}x{height}x{depth} threads walk a group of {told}");
            return Err(Fault::new("compute/group", detail));
        }
        let lanes = match counters >> 30 {
            0 => 8,
            1 => 16,
            2 => 32,
            _ => return Err(Fault::new("compute/group", "threads of no width")),
        };
        let all = u32::MAX >> (32 - lanes);
        let masks = (0..threads).map(|thread| {
            let (x, y) = (thread % width, thread / width % height);
            let right = if x + 1 == width { walker.dword(13) } else { all };
            let bottom = if y + 1 == height { walker.dword(14) } else { all };
            all & right & bottom
        });
        let masks = masks.collect();

        let curbe = state.command(state::MEDIA_CURBE_LOAD);
        let (common, each) = (descriptor.bits(7, 0..=7), descriptor.bits(5, 16..=31));
        let from = dynamic.wrapping_add(u64::from(curbe.dword(3)));
        let mut constants = Constants {
            at: from.wrapping_add(u64::from(descriptor.bits(5, 0..=15)) * REGISTER as u64),
            left: (curbe.bits(2, 0..=16) as usize / REGISTER)
                .saturating_sub(descriptor.bits(5, 0..=15) as usize),
        };
        let memory = &mut worker.memory;
        let common = constants.take(common as usize, memory)?;
        let own = (0..threads).map(|_| constants.take(each as usize, memory));
        let own_constants = own.collect::<Result<_, _>>()?;

        let vfe = state.command(state::MEDIA_VFE_STATE);
        let kernel = Kernel::compute(state, vfe, descriptor, common);
        let has_scratch = kernel.scratch.0 != 0;
        let places = (vfe.bits(3, 16..=31) + 1) / threads;
        let count = |axis: usize| ends[axis].saturating_sub(first(walker)[axis]);
        let program = worker.program(state.base(Base::Instruction), descriptor.address(0))?;
        Ok(Self {
            kernel,
            program,
            own_constants,
            shared: match descriptor.bits(6, 16..=20) {
                0 => 0,
                log2 => 512 << log2.min(7),
            },
            first: first(walker),
            groups: [count(0), count(1), count(2)],
            masks,
            at_work: if has_scratch { places.max(1) as usize } else { usize::MAX },
        })
    }

    /// Runs all groups. Returns how many lanes have run.
    pub(super) fn run(&self, workers: &mut [Worker], stop: &Stop) -> Result<u64, Halt> {
        let [x, y, z] = self.groups.map(u128::from);
        let total = u64::try_from(x * y * z).unwrap_or(u64::MAX);
        let lanes: u32 = self.masks.iter().map(|mask| mask.count_ones()).sum();
        let begin = || Group::new(self.masks.len(), self.shared);
        let piece = |group: &mut Group, number: u64, worker: &mut Worker| {
            group.run(self, number, worker, stop)
        };
        spread(workers, self.at_work, total, stop, begin, piece)?;
        Ok(total.wrapping_mul(lanes.into()))
    }
}

fn first(walker: Words<'_>) -> [u32; 3] {
    [5, 8, 11].map(|dword| walker.dword(dword))
}

fn descriptor(at: u64, memory: &mut Memory) -> Result<[u32; DESCRIPTOR_DWORDS], Fault> {
    let mut bytes = [[0; 4]; DESCRIPTOR_DWORDS];
    memory.read(PpgttAddress(at).truncated(), bytes.as_flattened_mut())?;
    Ok(bytes.map(u32::from_le_bytes))
}

/// What is left of the constants that a CURBE load has named. Behind its end there are zeros.
struct Constants {
    at: u64,
    left: usize,
}

impl Constants {
    /// The next `registers`; no thread has more than there are.
    fn take(&mut self, registers: usize, memory: &mut Memory) -> Result<Vec<Grf>, Fault> {
        let mut taken = vec![[0; 8]; registers.min(crate::eu::REGISTERS)];
        for (register, i) in taken.iter_mut().take(self.left).zip(0..) {
            let mut bytes = [[0; 4]; REGISTER / 4];
            let at = self.at.wrapping_add(REGISTER as u64 * i);
            memory.read(PpgttAddress(at).truncated(), bytes.as_flattened_mut())?;
            *register = bytes.map(u32::from_le_bytes);
        }
        self.at = self.at.wrapping_add((REGISTER * registers) as u64);
        self.left = self.left.saturating_sub(registers);
        Ok(taken)
    }
}

/// The group that a worker has at work.
struct Group {
    threads: Vec<Thread>,
    shared: Vec<u8>,
}

/// What the threads of a group have together.
struct Together<'a> {
    shared: &'a mut [u8],
    /// Barrier messages since the barrier was passed.
    arrived: usize,
}

impl StageFunctions for Together<'_> {
    fn send(
        &mut self,
        message: &Message<'_>,
        _response: &mut [Grf],
        _memory: &mut Memory,
    ) -> Result<(), Fault> {
        const BARRIER: u32 = 4;
        if message.function == SharedFunction::Gateway && message.descriptor & 7 == BARRIER {
            self.arrived += 1;
            return Ok(());
        }
        let detail = format!("{:?} does not answer compute threads", message.function);
        Err(Fault::new("eu/message", detail))
    }

    fn shared(&mut self) -> &mut [u8] {
        self.shared
    }

    fn arrived(&mut self) -> Option<&mut usize> {
        Some(&mut self.arrived)
    }
}

impl Group {
    fn new(threads: usize, shared: usize) -> Self {
        Self { threads: vec![Thread::new(); threads], shared: vec![0; shared] }
    }

    fn run(
        &mut self,
        dispatch: &Dispatch,
        number: u64,
        worker: &mut Worker,
        stop: &Stop,
    ) -> Result<(), Halt> {
        let [width, height, _] = dispatch.groups.map(u64::from);
        let counts = [number % width, number / width % height, number / width / height];
        let [x, y, z] =
            [0, 1, 2].map(|axis| dispatch.first[axis].wrapping_add(counts[axis] as u32));
        let count = self.threads.len() as u32;
        for (index, thread) in (0..).zip(&mut self.threads) {
            let mask = dispatch.masks.get(index as usize).copied().unwrap_or_default();
            worker.begin(thread, &dispatch.kernel, index, count, mask);
            let header = &mut thread.registers[0];
            (header[1], header[6], header[7]) = (x, y, z);
            let own = dispatch.own_constants.get(index as usize).map_or(&[][..], Vec::as_slice);
            let constants = dispatch.kernel.constants.iter().chain(own);
            for (to, from) in thread.registers.iter_mut().skip(CONSTANTS).zip(constants) {
                *to = *from;
            }
        }
        self.shared.fill(0);
        let mut together = Together { shared: &mut self.shared, arrived: 0 };
        let (program, kernel) = (&dispatch.program, &dispatch.kernel);
        take_turns(&mut self.threads, worker, program, kernel, &mut together, stop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::super::test_memory;
    use super::*;
    use crate::eu::Opcode;
    use crate::eu::tests::assemble::{
        ARF, NO_MASK, NULL, Reg, UD, bytes, dst, end, g, imm, op, packed, src0, src1,
    };

    const OUT: u32 = 0x1_0000;

    fn send(function: u128, from: u128, length: u32, to: Option<u128>, descriptor: u32) -> u128 {
        let descriptor = descriptor | length << 25 | u32::from(to.is_some()) << 20;
        op(Opcode::Send, 8)
            | function << 24
            | dst(to.map_or(NULL, g), UD, 1)
            | src0(packed(g(from), UD))
            | src1(imm(UD, descriptor))
    }

    /// An untyped message of one dword for eight lanes.
    fn untyped(kind: u32, surface: u32) -> u32 {
        surface | (2 << 4 | 0xe) << 8 | kind << 14
    }

    const WRITE: u32 = 9;
    const READ: u32 = 1;
    const SHARED: u32 = 254;
    const ALL: u32 = 255;

    fn barrier() -> u128 {
        send(3, 0, 1, None, 4)
    }

    fn wait() -> u128 {
        op(Opcode::Wait, 1) | dst(Reg { file: ARF, number: 0x90, byte: 0 }, UD, 1) | NO_MASK
    }

    fn dispatch(program: &[u128], own: Vec<Vec<Grf>>, groups: [u32; 3]) -> Dispatch {
        let state = State::default();
        Dispatch {
            kernel: Kernel::compute(&state, Words(&[]), Words(&[]), Vec::new()),
            program: Arc::new(Program::new(&bytes(program))),
            masks: vec![0xff; own.len()],
            own_constants: own,
            shared: 1024,
            first: [0; 3],
            groups,
            at_work: usize::MAX,
        }
    }

    fn workers(count: u32) -> Vec<Worker> {
        let memory = test_memory::memory();
        (0..count).map(|i| Worker::new(memory.fork(), i)).collect()
    }

    /// Each thread leaves something for the next, and takes what it finds when all have.
    #[test]
    fn threads_of_a_group_wait_for_each_other() {
        const THREADS: u32 = 3;
        let lanes = |make: &dyn Fn(u32) -> u32| std::array::from_fn(|lane| make(lane as u32));
        let own = |thread: u32| {
            vec![
                lanes(&|lane| 32 * thread + 4 * lane),
                lanes(&|lane| 100 * thread + lane),
                lanes(&|lane| 32 * ((thread + 1) % THREADS) + 4 * lane),
                lanes(&|lane| OUT + 32 * thread + 4 * lane),
            ]
        };
        let program = [
            send(12, 1, 2, None, untyped(WRITE, SHARED)),
            barrier(),
            wait(),
            send(12, 3, 1, Some(5), untyped(READ, SHARED)),
            send(12, 4, 2, None, untyped(WRITE, ALL)),
            end(),
        ];
        let mut workers = workers(2);
        let dispatch = dispatch(&program, (0..THREADS).map(own).collect(), [2, 3, 1]);
        let lanes = dispatch.run(&mut workers, &Stop::default()).unwrap();
        assert_eq!(lanes, 6 * 3 * 8);
        for (thread, lane) in [(0, 0), (0, 7), (1, 3), (2, 1)] {
            let mut dword = [0; 4];
            let at = u64::from(OUT + 32 * thread + 4 * lane);
            workers[0].memory.read(PpgttAddress(at), &mut dword).unwrap();
            assert_eq!(u32::from_le_bytes(dword), 100 * ((thread + 1) % THREADS) + lane);
        }
    }

    #[test]
    fn who_waits_for_nobody_is_at_fault() {
        let dispatch = dispatch(&[wait(), end()], vec![Vec::new(); 2], [1; 3]);
        match dispatch.run(&mut workers(1), &Stop::default()) {
            Err(Halt::Fault(Fault(why))) => assert_eq!(why.rule, "eu/barrier"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_number_of_groups_can_be_killed() {
        let dispatch = dispatch(&[end()], vec![Vec::new()], [u32::MAX; 3]);
        let stop = Stop::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                stop.kill.store(true, Ordering::Relaxed);
            });
            let end = dispatch.run(&mut workers(2), &stop);
            assert!(matches!(end, Err(Halt::Killed)), "{end:?}");
        });
    }

    #[test]
    fn a_group_is_as_large_as_its_descriptor_says() {
        let mut state = State::default();
        state.set(&[0x7002_0002, 0, 32, 0x2000]);
        let mut worker = workers(1).remove(0);
        let mut walker = [0_u32; 15];
        for (threads, counters, good) in [
            (4_u32, 3, true),
            (4, 1 << 8 | 1, true),
            (4, 4, false),
            (0, 0, false),
            (100, 99, false),
            (4, 3 << 30 | 3, false),
        ] {
            let mut descriptor = [[0; 4]; DESCRIPTOR_DWORDS];
            descriptor[6] = threads.to_le_bytes();
            descriptor[0] = 0x3000_u32.to_le_bytes();
            let descriptor = descriptor.as_flattened();
            worker.memory.write(PpgttAddress(0x2000), descriptor).unwrap();
            (walker[4], walker[13], walker[14]) = (counters, 0x0f, 0xff);
            let made = Dispatch::new(&state, Words(&walker), [1; 3], &mut worker);
            assert_eq!(made.is_ok(), good, "{threads} {counters:x}: {made:?}");
            if let Ok(Dispatch { masks, .. }) = made {
                assert_eq!(masks.last(), Some(&0x0f), "the last in its row");
            }
        }
    }
}
