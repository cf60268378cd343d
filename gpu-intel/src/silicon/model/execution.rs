//! One job on its way through its batch buffers.

use std::sync::Arc;

use mediator::{Clock, Reason};

use super::blitter::{self, Blit, Setup};
use super::bus::BatchBus;
use super::context_image::{self, Loaded, State};
use super::counters::Counters;
use super::memory::Memory;
use super::registers::Registers;
use super::render::{Rendered, Renderer, Target};
use super::stop::Stop;
use crate::address::PpgttAddress;
use crate::audit;
use crate::command::streamer::{Fault, Step, Streamer};
use crate::command::walk::too_deep;
use crate::command::{self, opcode};
use crate::engine::Engine;
use crate::gtt::{PAGE_SIZE, Tlb};
use crate::memory::PpgttMemory;
use crate::silicon::{Batch, Position};

/// Bytes of commands that are fetched at a time. What is fetched is executed even if memory changes in between, as on
/// hardware; every jump, and every look at a semaphore, fetches anew.
const FETCH: u64 = 512;

const ADDRESS_MASK: u64 = 0xffff_ffff_ffff;

/// After so many commands the thread offers its core to others: a batch may loop for as long as its budget lasts.
const YIELD_EVERY: u32 = 4096;

/// Bits 31:16 of its header.
const PIPE_CONTROL: u32 = 0x7a00;

/// Bits of PIPE_CONTROL that invalidate state, constants, vertices, textures, instructions or translations.
const INVALIDATE: u32 = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 10 | 1 << 11 | 1 << 18;

/// Why an execution came to rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// The batch has ended, the context is saved.
    Done,
    /// It cannot go on.
    Fault(Reason),
    /// It was asked to stop; it can go on.
    Stopped,
    /// A semaphore's condition is not met.
    Waiting,
    /// It goes further than it may.
    Long,
}

/// How far an execution goes.
#[derive(Debug)]
pub(super) enum Reach<'a> {
    /// To its end.
    End,
    /// A thread on loan executes no more commands than are left of this, and none that may take long.
    Loan(&'a mut u32),
    /// One command, whatever it is.
    Command,
}

enum Progress {
    Next,
    Waiting,
    Long,
    Done,
    Killed,
}

#[derive(Debug)]
pub(super) struct Execution {
    batch: Batch,
    started: bool,
    /// What the image held when it was loaded, if that is all of the state.
    loaded: Option<Loaded>,
    streamer: Streamer,
    setup: Setup,
    /// The 3D pipeline, once it is used; until then its state is where it was, in the image: it is large, and few batches
    /// need it.
    renderer: Option<Box<Renderer>>,
    bus: BatchBus,
    at: u64,
    /// Whether it stands at a point where the guest's driver may interrupt it.
    interruptible: bool,
    /// Where the end of a second-level batch leads.
    return_to: Option<u64>,
    /// Where the batch that was started last begins.
    entered: u64,
    fetched_at: u64,
    fetched: Vec<u32>,
    /// The command at hand. It is judged and executed from this copy.
    command: Vec<u32>,
}

impl Execution {
    pub(super) fn new(
        engine: Engine,
        memory: Memory,
        batch: Batch,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            at: batch.start.truncated().0 & !3,
            entered: batch.start.truncated().0 & !3,
            return_to: batch.return_to.map(|at| at.truncated().0 & !3),
            interruptible: true,
            bus: BatchBus {
                memory,
                registers: Registers::new(engine),
                clock,
                ahead: batch.ahead,
                counters,
            },
            batch,
            started: false,
            loaded: None,
            streamer: Streamer::new(engine),
            setup: Setup::default(),
            renderer: None,
            fetched_at: 0,
            fetched: Vec::new(),
            command: Vec::new(),
        }
    }

    /// Gives the execution the engine's TLB, or takes it away. It forgets everything: the guest may have changed its tables
    /// before it submitted this.
    pub(super) fn exchange_tlb(&mut self, tlb: &mut Tlb) {
        std::mem::swap(self.bus.memory.tlb(), tlb);
        self.bus.memory.flush_tlb();
        self.invalidate();
        self.fetched.clear();
    }

    /// The render targets that were written since this was asked, the latest last.
    pub(super) fn take_drawn(&mut self) -> Vec<Target> {
        self.renderer.as_mut().map(|renderer| renderer.take_drawn()).unwrap_or_default()
    }

    /// The command that it stands at, as much of it as is looked at.
    pub(super) fn upcoming(&mut self) -> Result<(u64, &[u32]), Reason> {
        self.fetch().map_err(|Fault(reason)| reason)?;
        Ok((self.at, &self.command))
    }

    /// The 3D pipeline, if it was used.
    pub(super) fn renderer(&mut self) -> Option<&mut Renderer> {
        self.renderer.as_deref_mut()
    }

    /// What the 3D pipeline keeps of memory is forgotten.
    fn invalidate(&mut self) {
        if let Some(renderer) = &mut self.renderer {
            renderer.invalidate();
        }
    }

    /// Where it is: changes when it gets on.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Whether anything of it has been executed.
    pub(super) fn has_begun(&self) -> bool {
        self.started
    }

    /// Whether its context holds what is left of it even if nothing of it has been executed here.
    pub(super) fn is_rest(&self) -> bool {
        self.batch.rest
    }

    /// Leaves all that is left of it in its context, for a later job to go on with.
    pub(super) fn suspend(&mut self) -> Result<(), Reason> {
        let position = Position { at: self.at, return_to: self.return_to };
        if self.batch.image.is_empty() || !self.batch.save {
            return Err(Reason::new("model/recall", "the job's context has no memory"));
        }
        self.save(Some(position)).map_err(|Fault(reason)| reason)
    }

    /// Runs until something ends it.
    pub(super) fn run(&mut self, stop: &Stop, reach: Reach<'_>) -> Pause {
        let mut executed = 0_u32;
        let pause = self.try_run(stop, reach, &mut executed).unwrap_or_else(|Fault(reason)| {
            self.bus.counters.faults.add(1);
            self.bus.counters.refused.add(u64::from(audit::is_refusal(&reason)));
            Pause::Fault(reason)
        });
        self.bus.counters.commands.add(u64::from(executed % YIELD_EVERY));
        pause
    }

    fn try_run(
        &mut self,
        stop: &Stop,
        mut reach: Reach<'_>,
        executed: &mut u32,
    ) -> Result<Pause, Fault> {
        if !self.started {
            if self.batch.restore && !self.batch.image.is_empty() {
                let mut state = State {
                    registers: &mut self.bus.registers,
                    streamer: &mut self.streamer,
                    setup: &mut self.setup,
                };
                self.loaded =
                    context_image::restore(self.bus.memory.ram(), &self.batch.image, &mut state)?;
            }
            self.started = true;
        }
        loop {
            if stop.wanted() || self.interruptible && stop.recalled() {
                return Ok(Pause::Stopped);
            }
            match &mut reach {
                Reach::Loan(0) => return Ok(Pause::Long),
                Reach::Loan(left) => **left -= 1,
                Reach::Command if *executed != 0 => return Ok(Pause::Long),
                Reach::Command | Reach::End => {}
            }
            match self.step(stop, matches!(reach, Reach::Loan(_)))? {
                Progress::Next => {}
                Progress::Waiting => return Ok(Pause::Waiting),
                Progress::Long => return Ok(Pause::Long),
                Progress::Killed => return Ok(Pause::Stopped),
                Progress::Done => {
                    self.save(None)?;
                    return Ok(Pause::Done);
                }
            }
            *executed = executed.wrapping_add(1);
            if executed.is_multiple_of(YIELD_EVERY) {
                self.bus.counters.commands.add(u64::from(YIELD_EVERY));
                std::thread::yield_now();
            }
        }
    }

    /// What is left, as work that can be submitted again.
    pub(super) fn into_rest(mut self) -> Result<Batch, Reason> {
        if self.started {
            self.suspend()?;
            self.batch.start = PpgttAddress(self.at);
            self.batch.return_to = self.return_to.map(PpgttAddress);
            (self.batch.restore, self.batch.rest) = (true, true);
        }
        Ok(self.batch)
    }

    fn save(&mut self, position: Option<Position>) -> Result<(), Fault> {
        if !self.batch.save || self.batch.image.is_empty() {
            return Ok(());
        }
        let state = State {
            registers: &mut self.bus.registers,
            streamer: &mut self.streamer,
            setup: &mut self.setup,
        };
        // A batch that changed nothing costs no more than that.
        let unchanged = self.loaded.as_ref().is_some_and(|loaded| loaded.is(&state));
        if position.is_none() && unchanged && self.renderer.is_none() {
            return Ok(());
        }
        context_image::save(self.bus.memory.ram(), &self.batch.image, &state, position)?;
        if let Some(renderer) = &self.renderer {
            context_image::save_render(self.bus.memory.ram(), &self.batch.image, &renderer.state)?;
        }
        Ok(())
    }

    fn step(&mut self, stop: &Stop, on_loan: bool) -> Result<Progress, Fault> {
        let header = self.fetch()?;
        if on_loan && may_take_long(header.dword) {
            return Ok(Progress::Long);
        }
        let next = self.at.wrapping_add(4 * header.length as u64) & ADDRESS_MASK;
        self.interruptible = is_arbitration_point(header.dword);

        let kind = header.dword >> 29;
        let pipe_control = header.dword >> 16 == PIPE_CONTROL;
        if kind == 3 && !pipe_control {
            return self.render(next, stop);
        }
        if pipe_control && self.command.get(1).is_some_and(|flags| flags & INVALIDATE != 0) {
            self.invalidate();
        }

        match self.streamer.execute(&self.command, &mut self.bus)? {
            Step::Next | Step::Skipped => self.at = next,
            Step::Wait => {
                self.fetched.clear();
                return Ok(Progress::Waiting);
            }
            Step::Batch(start) => {
                // Whatever space it asks for: what an unprivileged batch starts runs in the batch's own.
                if start.second_level {
                    if self.return_to.is_some() {
                        return Err(self.refused(&too_deep()));
                    }
                    self.return_to = Some(next);
                }
                self.jump(start.at);
                self.entered = self.at;
            }
            Step::BatchEnd => match self.return_to.take() {
                Some(back) => self.jump(back),
                None => return Ok(Progress::Done),
            },
            Step::Other if kind == 2 => {
                match blitter::execute(&mut self.setup, &self.command, &mut self.bus, stop)? {
                    Blit::Done => self.bus.counters.blits.add(1),
                    Blit::Unknown => self.bus.counters.skipped_blits.add(1),
                    Blit::Killed => return Ok(Progress::Killed),
                }
                self.at = next;
            }
            Step::Other => {
                self.bus.counters.skipped_mi.add(1);
                self.at = next;
            }
        }
        Ok(Progress::Next)
    }

    /// A command of the 3D, media or video pipelines. Only the first is there.
    fn render(&mut self, next: u64, stop: &Stop) -> Result<Progress, Fault> {
        let counters = Arc::clone(&self.bus.counters);
        let rendered = match self.streamer.engine {
            Engine::Render => {
                let mut renderer = match self.renderer.take() {
                    Some(renderer) => renderer,
                    None => self.new_renderer()?,
                };
                let rendered = renderer.execute(&self.command, &mut self.bus, stop);
                self.renderer = Some(renderer);
                rendered?
            }
            _ => Rendered::Skipped,
        };
        match rendered {
            Rendered::Done => {}
            Rendered::Drawn => counters.draws.add(1),
            Rendered::Dispatched => counters.dispatches.add(1),
            Rendered::Skipped => counters.skipped_state.add(1),
            Rendered::Killed => return Ok(Progress::Killed),
        }
        self.at = next;
        Ok(Progress::Next)
    }

    /// The 3D pipeline, with the state that the context's image has.
    fn new_renderer(&self) -> Result<Box<Renderer>, Fault> {
        let mut renderer = Box::<Renderer>::default();
        if self.batch.restore {
            let (ram, image) = (self.bus.memory.ram(), &self.batch.image);
            context_image::restore_render(ram, image, &mut renderer.state)?;
        }
        Ok(renderer)
    }

    fn jump(&mut self, to: u64) {
        self.at = to & ADDRESS_MASK & !3;
        self.fetched.clear();
    }

    /// Fetches the next command, as much of it as anything looks at, and judges it.
    fn fetch(&mut self) -> Result<Header, Fault> {
        let engine = self.streamer.engine;
        let dword = self.dword(self.at)?;
        let (command, length) =
            command::recognize(dword, engine).map_err(|why| self.refused(&why))?;
        let mut whole = std::mem::take(&mut self.command);
        whole.clear();
        whole.push(dword);
        while whole.len() < length.min(command::MAX_LENGTH) {
            let at = self.at.wrapping_add(4 * whole.len() as u64) & ADDRESS_MASK;
            whole.push(self.dword(at)?);
        }
        self.command = whole;
        audit::check(command, &self.command, engine).map_err(|why| self.refused(&why))?;
        Ok(Header { dword, length })
    }

    /// The command at hand is refused.
    fn refused(&self, reason: &Reason) -> Fault {
        Fault(audit::refused_at(reason, PpgttAddress(self.at)))
    }

    /// The dword at `at`, fetched with those behind it.
    fn dword(&mut self, at: u64) -> Result<u32, Fault> {
        let index = at.wrapping_sub(self.fetched_at) / 4;
        if let Some(dword) = usize::try_from(index).ok().and_then(|i| self.fetched.get(i)) {
            return Ok(*dword);
        }
        let bytes = FETCH.min(PAGE_SIZE - at % PAGE_SIZE);
        let mut buffer = [0; FETCH as usize];
        let buffer = buffer.get_mut(..bytes as usize).unwrap_or_default();
        self.fetched.clear();
        let entered = at == self.entered;
        self.bus.memory.read(PpgttAddress(at), buffer).map_err(|Fault(why)| {
            Fault(match entered {
                true => Reason::new("batch/unmapped", format!("no batch can be fetched: {why}")),
                false => Reason::new("batch/end", format!("it runs off its end: {why}")),
            })
        })?;
        let (words, _) = buffer.as_chunks::<4>();
        self.fetched.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
        self.fetched_at = at;
        self.fetched
            .first()
            .copied()
            .ok_or_else(|| Fault::new("command/fetch", format!("{at:#x} is not aligned")))
    }
}

/// What stands at the start of a command.
struct Header {
    dword: u32,
    /// The whole command's dwords.
    length: usize,
}

/// Whether a command is for the engine's own thread: all but PIPE_CONTROL and MI commands that don't wait. A batch with a
/// command of the 3D pipeline will draw.
fn may_take_long(header: u32) -> bool {
    const MI: u32 = 0;
    header >> 16 != PIPE_CONTROL && (header >> 29 != MI || is_arbitration_point(header))
}

/// Commands at which the guest's own driver may interrupt a batch: waits, MI_ARB_CHECK, primitives and walkers (SKL PRM
/// vol 7, preemption), and, which hardware may not offer, blits. So a loop without any of them can't be interrupted, as
/// on silicon. VMs take turns at every command.
fn is_arbitration_point(header: u32) -> bool {
    const MI: u32 = 0;
    const BLITTER: u32 = 2;
    const GPGPU_WALKER: u32 = 0x7105;
    const MEDIA_OBJECT: u32 = 0x7100;
    const PRIMITIVE: u32 = 0x7B00;
    match header >> 29 {
        MI => matches!(
            header >> 23 & 0x3F,
            opcode::WAIT_FOR_EVENT | opcode::ARB_CHECK | opcode::SEMAPHORE_WAIT
        ),
        BLITTER => true,
        _ => matches!(header >> 16, GPGPU_WALKER | MEDIA_OBJECT | PRIMITIVE),
    }
}
