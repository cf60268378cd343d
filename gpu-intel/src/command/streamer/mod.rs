//! What MI commands, PIPE_CONTROL and FLUSH_DW do: one implementation for rings (interpreted by the virtual GPU) and
//! for batches (executed by the software model).
//!
//! The [`Streamer`] is handed one whole command at a time and acts on a [`Bus`]: memory, registers, interrupts. What
//! it answers tells its caller where to go on:
//!
//! ```text
//!            ┌─ Next, Skipped ──► the command after this one
//!  command ──┼─ Wait ───────────► this command again, later; nothing has happened yet
//!            ├─ Batch, BatchEnd ► into a batch buffer, or back out of it
//!            └─ Other ──────────► not an MI command (blits, 3D), or one about the display: the caller's business
//! ```
//!
//! It asks nobody's leave. What an unprivileged batch may do is judged before, command by command
//! ([`audit`](crate::audit)); and a batch's bus has no GGTT.

pub(crate) mod atomic;
mod control;
pub(crate) mod math;
mod memory;
mod post_sync;

use mediator::Reason;

use crate::address::{GgttAddress, RegisterOffset};
use crate::command::opcode;
use crate::engine::Engine;

/// An address space that commands name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The global one.
    Ggtt,
    /// The context's own.
    Ppgtt,
}

impl Space {
    /// The one that a command's GGTT bit chooses.
    fn chosen(ggtt: bool) -> Self {
        if ggtt { Self::Ggtt } else { Self::Ppgtt }
    }
}

/// A hardware status page: a page in the GGTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPage {
    /// The engine's, set by the register HWS_PGA.
    Global,
    /// The context's: page 0 of its image.
    Context,
}

/// Why a command could not be executed: the engine hangs here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub Reason);

impl Fault {
    /// A fault for `rule`.
    pub fn new(rule: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self(Reason::new(rule, detail))
    }
}

/// Something that commands tell the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// MI_USER_INTERRUPT.
    UserInterrupt,
    /// PIPE_CONTROL or FLUSH_DW with its notify bit.
    FlushDone,
    /// MI_SEMAPHORE_SIGNAL.
    Semaphore {
        /// The engine as the command numbers them: 0 render, 1 and 4 video, 2 copy, 3 video enhancement.
        engine: u8,
        /// The id of the context that may be waiting.
        context: u32,
    },
}

/// What a command stream can touch.
pub trait Bus {
    /// Reads memory.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    fn load(&mut self, space: Space, at: u64, to: &mut [u8]) -> Result<(), Fault>;

    /// Writes memory. Aligned stores of 4 and 8 bytes must not tear.
    ///
    /// # Errors
    /// A fault where nothing is mapped, or only for reading.
    fn store(&mut self, space: Space, at: u64, from: &[u8]) -> Result<(), Fault>;

    /// Reads a register, by the bus's own rules of access.
    ///
    /// # Errors
    /// A fault if the rules make it one.
    fn register(&mut self, at: RegisterOffset) -> Result<u32, Fault>;

    /// Writes a register, by the bus's own rules of access.
    ///
    /// # Errors
    /// A fault if the rules make it one.
    fn set_register(&mut self, at: RegisterOffset, value: u32) -> Result<(), Fault>;

    /// Where a status page is, if there is one.
    fn status_page(&self, which: StatusPage) -> Option<GgttAddress>;

    /// The GPU's time stamp counter: 12 MHz, 36 bits of it used.
    fn timestamp(&mut self) -> u64;

    /// Tells the outside.
    fn notify(&mut self, what: Notify);

    /// Whether the display events of MI_WAIT_FOR_EVENT (its bits 21:0) have come.
    fn event_reached(&mut self, _mask: u32) -> bool {
        true
    }

    /// Everything before is to be finished and visible. Called before post-sync operations.
    fn flush(&mut self, _invalidate_tlb: bool) {}

    /// Replaces `bytes` (4 or 8) at `at` by what `change` makes of them, and returns the old value. A bus whose memory
    /// is changed by others at the same time should make this atomic.
    ///
    /// # Errors
    /// As for loads and stores.
    fn modify(
        &mut self,
        space: Space,
        at: u64,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        let mut word = [0; 8];
        let part =
            word.get_mut(..bytes).ok_or_else(|| Fault::new("command/size", "over 8 bytes"))?;
        self.load(space, at, part)?;
        let old = u64::from_le_bytes(word);
        let new = change(old).to_le_bytes();
        self.store(space, at, new.get(..bytes).unwrap_or_default())?;
        Ok(old)
    }
}

/// Where to go on in a batch buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStart {
    /// Its first command: 48 bits, dword aligned.
    pub at: u64,
    /// The space that it lies in.
    pub space: Space,
    /// Whether its end leads back behind this command. Otherwise the batch that started it is left for good.
    pub second_level: bool,
}

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next command.
    Next,
    /// The next command; this one was predicated away.
    Skipped,
    /// The same command again, later: its condition is not met. Nothing has been changed.
    Wait,
    /// A batch buffer.
    Batch(BatchStart),
    /// The end of this batch buffer.
    BatchEnd,
    /// The caller must do it, or leave it out.
    Other,
}

/// The state of a command streamer that is in no register. Belongs to a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// The engine that it belongs to.
    pub engine: Engine,
    /// MI_SET_PREDICATE's argument: which commands are left out.
    pub set_predicate: u8,
    /// MI_ARB_ON_OFF: whether the context may be preempted.
    pub arbitration: bool,
}

/// A command's dwords; a dword that is missing is a fault.
#[derive(Clone, Copy)]
struct Dwords<'a>(&'a [u32]);

impl Dwords<'_> {
    fn get(self, index: usize) -> Result<u32, Fault> {
        self.0.get(index).copied().ok_or_else(|| {
            let first = self.0.first().copied().unwrap_or_default();
            Fault::new(
                "command/length",
                format!("command {first:#010x} has {} dwords, needs {}", self.0.len(), index + 1),
            )
        })
    }

    /// The 48-bit address in two dwords, its `low` bits cleared.
    fn address(self, index: usize, low: u32) -> Result<u64, Fault> {
        let address = u64::from(self.get(index + 1)? & 0xffff) << 32 | u64::from(self.get(index)?);
        Ok(address & !((1 << low) - 1))
    }

    fn bit(self, bit: u32) -> bool {
        self.0.first().is_some_and(|d| d >> bit & 1 != 0)
    }

    fn register(self, index: usize) -> Result<RegisterOffset, Fault> {
        self.get(index).map(RegisterOffset::from_dword)
    }
}

impl Streamer {
    /// A streamer as a new context starts with.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, set_predicate: 0, arbitration: true }
    }

    /// Executes one command. `command` holds all of it and nothing else, see [`length`](super::length).
    ///
    /// # Errors
    /// A [`Fault`] of the bus, or of a command that is too short, unknown or not to be executed at all.
    pub fn execute<B: Bus + ?Sized>(
        &mut self,
        command: &[u32],
        bus: &mut B,
    ) -> Result<Step, Fault> {
        let dwords = Dwords(command);
        let header = dwords.get(0)?;
        let mi = (header >> super::TYPE_SHIFT == super::MI).then_some(header >> 23 & 0x3f);
        // MI_SET_PREDICATE itself is never left out, nor is the end of a batch, or nothing would stop the fetch.
        let exempt = matches!(mi, Some(opcode::SET_PREDICATE | opcode::BATCH_BUFFER_END));
        if !exempt && self.set_predicate != 0 && self.predicated_away(bus)? {
            return Ok(Step::Skipped);
        }
        let Some(mi) = mi else {
            let pipe_control = 0x7a00;
            return if header >> 16 == pipe_control && self.engine == Engine::Render {
                self.pipe_control(dwords, bus)
            } else {
                Ok(Step::Other)
            };
        };
        match mi {
            opcode::NOOP => self.noop(header, bus),
            opcode::SET_PREDICATE => {
                self.set_predicate = (header & 0xf) as u8;
                Ok(Step::Next)
            }
            opcode::USER_INTERRUPT => {
                bus.notify(Notify::UserInterrupt);
                Ok(Step::Next)
            }
            opcode::WAIT_FOR_EVENT => Ok(self.wait_for_event(header, bus)),
            opcode::FLUSH => {
                bus.flush(false);
                Ok(Step::Next)
            }
            opcode::ARB_ON_OFF => Ok(self.arbitration(header)),
            opcode::REPORT_HEAD => self.report_head(bus),
            opcode::BATCH_BUFFER_END => Ok(Step::BatchEnd),
            opcode::PREDICATE => self.predicate(header, bus),
            opcode::ARB_CHECK
            | opcode::RS_CONTROL
            | opcode::RS_CONTEXT
            | opcode::URB_ATOMIC_ALLOC
            | opcode::SUSPEND_FLUSH
            | opcode::TOPOLOGY_FILTER
            | opcode::SET_APPID
            | opcode::LOAD_SCAN_LINES_INCL
            | opcode::LOAD_SCAN_LINES_EXCL
            | opcode::CLFLUSH => Ok(Step::Next),
            opcode::MATH => self.math(dwords, bus),
            opcode::SEMAPHORE_SIGNAL => self.semaphore_signal(dwords, bus),
            opcode::SEMAPHORE_WAIT => self.semaphore_wait(dwords, bus),
            opcode::STORE_DATA_IMM => self.store_data_imm(dwords, bus),
            opcode::STORE_DATA_INDEX => self.store_data_index(dwords, bus),
            opcode::LOAD_REGISTER_IMM => self.load_register_imm(dwords, bus),
            opcode::STORE_REGISTER_MEM => self.store_register_mem(dwords, bus),
            opcode::FLUSH_DW => self.flush_dw(dwords, bus),
            opcode::REPORT_PERF_COUNT => self.report_perf_count(dwords, bus),
            opcode::LOAD_REGISTER_MEM => self.load_register_mem(dwords, bus),
            opcode::LOAD_REGISTER_REG => self.load_register_reg(dwords, bus),
            opcode::RS_STORE_DATA_IMM => self.rs_store_data_imm(dwords, bus),
            opcode::COPY_MEM_MEM => self.copy_mem_mem(dwords, bus),
            opcode::ATOMIC => self.atomic(dwords, bus),
            opcode::BATCH_BUFFER_START => self.batch_buffer_start(dwords, bus),
            opcode::CONDITIONAL_BATCH_BUFFER_END => self.conditional_end(dwords, bus),
            opcode::DISPLAY_FLIP
            | opcode::SEMAPHORE_MBOX
            | opcode::UPDATE_GTT
            | opcode::SET_CONTEXT
            | opcode::URB_CLEAR
            | opcode::FORCE_WAKEUP
            | opcode::LOAD_URB_MEM
            | opcode::STORE_URB_MEM => Ok(Step::Other),
            _ => Err(Fault::new("command/unknown", format!("no MI command {header:#010x}"))),
        }
    }

    fn register64<B: Bus + ?Sized>(&self, bus: &mut B, offset: u32) -> Result<u64, Fault> {
        let low = bus.register(self.engine.register(offset))?;
        let high = bus.register(self.engine.register(offset + 4))?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn set_register64<B: Bus + ?Sized>(
        &self,
        bus: &mut B,
        offset: u32,
        value: u64,
    ) -> Result<(), Fault> {
        bus.set_register(self.engine.register(offset), value as u32)?;
        bus.set_register(self.engine.register(offset + 4), (value >> 32) as u32)
    }
}

/// General-purpose register `index` of 16, 64 bits each, from the engine's base (SKL PRM vol 2c, CS_GPR).
fn gpr(index: u32) -> u32 {
    0x600 + 8 * (index & 15)
}

fn load_u32<B: Bus + ?Sized>(bus: &mut B, space: Space, at: u64) -> Result<u32, Fault> {
    let mut word = [0; 4];
    bus.load(space, at, &mut word)?;
    Ok(u32::from_le_bytes(word))
}

#[cfg(test)]
mod tests;
