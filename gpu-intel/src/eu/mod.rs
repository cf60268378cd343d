//! The execution unit: what a Gen9 shader is, and what it does.
//!
//! ```text
//!  bytes ─► decode ─► Program ─► run(thread) ──SEND──► shared functions (sampler, URB, data ports, render target)
//!              └────► disassembly
//! ```
//!
//! The dispatcher has a [`Thread`] for each thread that it runs at a time, and uses it again: it writes the payload to
//! [`registers`](Thread::registers), says with [`dispatch`](Thread::dispatch) which channels there are, and [`run`]s it.
//! A thread that ends early, at a barrier or because its budget is spent, is run on by another call.
//!
//! Not modelled, for want of anybody who uses it: BRD, BRC, CALL, RET, GOTO, JOIN, MOVI, SMOV, SAD2, SADA2, MADM, ip as an
//! operand, indirect addresses in Align16. A thread that comes to one ends with the fault `eu/unmodelled`. Single program
//! flow is ignored. MATH is the host's, not the hardware's to the last bit; MAD of doubles is rounded to the nearest only.

mod alu;
mod decode;
mod descriptor;
mod disassembly;
mod float;
mod instruction;
mod lanes;
mod math;
mod message;
mod opcode;
mod operation;
mod program;
mod run;
#[cfg(test)]
pub(crate) mod tests;
mod thread;
mod wide;
mod word;

pub use self::decode::{DecodeError, decode};
pub use self::disassembly::Listing;
pub use self::instruction::{
    AccessMode, Architecture, Condition, DataType, Descriptor, Destination, Flag, Hints, Immediate,
    Instruction, MathFunction, Operands, Place, Predicate, PredicateControl, Region, Register,
    Send, Source, SourceRegister,
};
pub use self::message::{Grf, Message, SharedFunction, SharedFunctions};
pub use self::opcode::{Form, Opcode};
pub use self::program::{MAX_BYTES, Program};
pub use self::run::{End, run};
pub use self::thread::{Control, Dispatch, REGISTERS, Rounding, Thread};
