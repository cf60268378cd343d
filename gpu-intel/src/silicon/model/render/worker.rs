//! One thread of the renderer: memory with its own translations, a shader's thread, the caches in front of memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::Halt;
use super::kernel::Kernel;
use super::message::{Bases, Resources};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{
    self, Dispatch, End, Grf, Message, Program, REGISTERS, SharedFunction, SharedFunctions, Thread,
};
use crate::memory::PpgttMemory;
use crate::silicon::model::memory::Memory;
use crate::silicon::model::stop::Stop;

/// Instructions between two looks at whether the job was killed: under a millisecond.
const SLICE: u64 = 1 << 14;

/// Answers what is asked of a stage's own functions: the URB, render targets.
pub(super) trait StageFunctions {
    /// As [`SharedFunctions::send`].
    fn send(
        &mut self,
        message: &Message<'_>,
        response: &mut [Grf],
        memory: &mut Memory,
    ) -> Result<(), Fault>;

    /// Barrier messages of the threads that wait for each other, since they have passed the last barrier.
    /// `None`: no thread waits for another.
    fn arrived(&mut self) -> Option<&mut usize> {
        None
    }

    /// The memory that the threads of a group share: nothing, where there are no groups.
    fn shared(&mut self) -> &mut [u8] {
        &mut []
    }
}

/// One of the renderer's threads.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) memory: Memory,
    /// Which one it is: each has its own part of the scratch space.
    index: u32,
    thread: Box<Thread>,
    pub(super) resources: Resources,
    programs: HashMap<PpgttAddress, Arc<Program>>,
}

struct Functions<'a, S> {
    memory: &'a mut Memory,
    resources: &'a mut Resources,
    stage: &'a mut S,
}

impl<S: StageFunctions> SharedFunctions for Functions<'_, S> {
    fn send(&mut self, message: &Message<'_>, response: &mut [Grf]) -> Result<(), Fault> {
        match message.function {
            SharedFunction::Sampler
            | SharedFunction::SamplerDataPort
            | SharedFunction::ConstantDataPort
            | SharedFunction::DataPort0
            | SharedFunction::DataPort1 => {
                self.resources.send(self.memory, self.stage.shared(), message, response)
            }
            SharedFunction::Gateway
            | SharedFunction::Urb
            | SharedFunction::RenderTarget
            | SharedFunction::PixelInterpolator => self.stage.send(message, response, self.memory),
            SharedFunction::Null | SharedFunction::ThreadSpawner => Ok(()),
            other => Err(Fault::new("eu/message", format!("nobody answers {other:?}"))),
        }
    }
}

impl Worker {
    pub(super) fn new(memory: Memory, index: u32) -> Self {
        Self {
            memory,
            index,
            thread: Box::default(),
            resources: Resources::new(Bases::default(), false),
            programs: HashMap::new(),
        }
    }

    /// Forgets what memory held: it may have been written since.
    pub(super) fn invalidate(&mut self) {
        self.memory.flush_tlb();
        self.resources.invalidate();
        self.programs.clear();
    }

    /// The program at `offset` from the instructions' base.
    pub(super) fn program(
        &mut self,
        base: PpgttAddress,
        offset: PpgttAddress,
    ) -> Result<Arc<Program>, Fault> {
        let at = PpgttAddress(base.0.wrapping_add(offset.0 & !63)).truncated();
        if let Some(program) = self.programs.get(&at) {
            return Ok(Arc::clone(program));
        }
        let memory = &mut self.memory;
        let program = Arc::new(Program::fetch(|offset| {
            let mut unit = [0; 8];
            let at = PpgttAddress(at.0.wrapping_add(offset.into())).truncated();
            memory.read(at, &mut unit).ok()?;
            Some(u64::from_le_bytes(unit))
        }));
        self.programs.insert(at, Arc::clone(&program));
        Ok(program)
    }

    /// A new thread of `kernel`, with its header.
    pub(super) fn start(&mut self, kernel: &Kernel, dispatch_mask: u32, vector_mask: u32) {
        let control = kernel.control;
        self.thread.dispatch(&Dispatch { dispatch_mask, vector_mask, control, identity: 0 });
        self.set_register(0, kernel.header(self.index));
    }

    /// Begins one of `count` threads that this worker has at a time, with its header.
    pub(super) fn begin(
        &self,
        thread: &mut Thread,
        kernel: &Kernel,
        index: u32,
        count: u32,
        mask: u32,
    ) {
        let (identity, control) = (0, kernel.control);
        thread.dispatch(&Dispatch { dispatch_mask: mask, vector_mask: mask, control, identity });
        let place = self.index.wrapping_mul(count).wrapping_add(index);
        thread.registers[0] = kernel.header(place);
    }

    pub(super) fn set_register(&mut self, index: usize, value: Grf) {
        if let Some(register) = self.thread.registers.get_mut(index) {
            *register = value;
        }
    }

    /// The general registers.
    pub(super) fn registers(&mut self) -> &mut [Grf; REGISTERS] {
        &mut self.thread.registers
    }

    /// Loads the push constants; returns the register behind them.
    pub(super) fn push_constants(&mut self, kernel: &Kernel, start: usize) -> usize {
        for (i, constants) in kernel.constants.iter().enumerate() {
            self.set_register(start + i, *constants);
        }
        start + kernel.constants.len()
    }

    /// Runs the thread to its end.
    pub(super) fn run<S: StageFunctions>(
        &mut self,
        program: &Program,
        kernel: &Kernel,
        stage: &mut S,
        stop: &Stop,
    ) -> Result<(), Halt> {
        (self.resources.bases, self.resources.quads) = (kernel.bases, kernel.quads);
        let mut functions =
            Functions { memory: &mut self.memory, resources: &mut self.resources, stage };
        loop {
            let mut budget = SLICE;
            match eu::run(program, &mut self.thread, &mut functions, &mut budget)? {
                End::EndOfThread => return Ok(()),
                End::OutOfBudget if stop.killed() => return Err(Halt::Killed),
                End::OutOfBudget => {}
                End::Barrier => {
                    return Err(Fault::new("eu/barrier", "a shader waits for nobody").into());
                }
            }
        }
    }

    /// Runs one of several threads, until it ends, waits, or has executed so many instructions that it is another's turn.
    pub(super) fn turn<S: StageFunctions>(
        &mut self,
        thread: &mut Thread,
        program: &Program,
        kernel: &Kernel,
        stage: &mut S,
    ) -> Result<End, Fault> {
        let mut budget = SLICE;
        (self.resources.bases, self.resources.quads) = (kernel.bases, kernel.quads);
        let mut functions =
            Functions { memory: &mut self.memory, resources: &mut self.resources, stage };
        eu::run(program, thread, &mut functions, &mut budget)
    }
}
