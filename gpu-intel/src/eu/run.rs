//! Runs a program on a thread.
//!
//! Each channel is somewhere. Those at `ip` execute; the others wait, each for an instruction of its own, and are back
//! when the thread comes there:
//!
//! ```text
//!        if      some go on, some wait for the ELSE
//!        ...
//!        else    those that came wait for the ENDIF, those that waited go on
//!        ...
//!        endif   all are back
//! ```
//!
//! A thread at which nobody is jumps over what it would find on its way.

use super::instruction::{Descriptor, Send};
use super::lanes::{self, channels};
use super::message::{Message, SharedFunctions};
use super::operation::{Execute, Operation, Refusal};
use super::program::{NOWHERE, Program};
use super::thread::{REGISTERS, Thread};
use crate::command::streamer::Fault;

/// Why a thread doesn't run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It said so in a message.
    EndOfThread,
    /// It waits for a barrier: it is to be [notified](Thread::notify), and run again.
    Barrier,
    /// It has executed as many instructions as it was given, and can go on.
    OutOfBudget,
}

/// Runs a thread until it ends, waits, or has executed `budget` instructions, each of which is counted down.
///
/// It can be run on after every end but [`End::EndOfThread`].
///
/// # Errors
/// `eu/illegal`, `eu/unmodelled`, `eu/jump`, `eu/message`: the thread came to an instruction that can't be executed. Or a
/// shared function's fault.
pub fn run<F: SharedFunctions + ?Sized>(
    program: &Program,
    thread: &mut Thread,
    functions: &mut F,
    budget: &mut u64,
) -> Result<End, Fault> {
    let operations = program.operations();
    loop {
        let Some(operation) = operations.get(thread.ip as usize) else {
            return Err(Fault::new("eu/jump", "a jump out of the program"));
        };
        if *budget == 0 {
            return Ok(End::OutOfBudget);
        }
        *budget -= 1;
        if operation.joins && thread.waiting != 0 {
            thread.join();
        }
        match &operation.execute {
            Execute::Compute(kernel) => {
                kernel(thread, operation);
                thread.ip += 1;
            }
            Execute::Nothing => thread.ip += 1,
            Execute::Send(send) => {
                message(thread, operation, send, functions)?;
                if send.end_of_thread {
                    return Ok(End::EndOfThread);
                }
                thread.ip += 1;
            }
            Execute::Wait => {
                if thread.notifications == 0 {
                    return Ok(End::Barrier);
                }
                thread.notifications -= 1;
                thread.ip += 1;
            }
            Execute::Refused(why) => return Err(refuse(operation, *why)),
            branch => {
                let to = go(thread, program, operation, branch)?;
                if to == NOWHERE {
                    let detail =
                        format!("{} at {:#x} leads nowhere", operation.opcode.name(), operation.at);
                    return Err(Fault::new("eu/jump", detail));
                }
                thread.ip = to;
            }
        }
    }
}

#[cold]
fn refuse(operation: &Operation, why: Refusal) -> Fault {
    let rule = match why {
        Refusal::Unmodelled(_) => "eu/unmodelled",
        Refusal::Illegal(_) | Refusal::End | Refusal::Long(_) => "eu/illegal",
    };
    Fault::new(rule, format!("at {:#x} of the program: {why}", operation.at))
}

/// The channels of the thread, not of the instruction, for which a branch's predicate holds.
fn taken(thread: &Thread, operation: &Operation) -> u32 {
    channels(thread, operation) << operation.first
}

/// Sends channels where they are to go, and says where the thread goes.
fn go(
    thread: &mut Thread,
    program: &Program,
    operation: &Operation,
    branch: &Execute,
) -> Result<u32, Fault> {
    let next = thread.ip + 1;
    Ok(match *branch {
        Execute::If { otherwise } => {
            let stay = taken(thread, operation);
            thread.divert(!stay, otherwise);
            if thread.active != 0 { next } else { otherwise }
        }
        Execute::Else { end } => {
            thread.divert(u32::MAX, end);
            if thread.is_awaited(next) { next } else { end }
        }
        Execute::Endif { end } => {
            if thread.active != 0 {
                next
            } else {
                end
            }
        }
        Execute::While { back } => {
            let again = taken(thread, operation) & thread.active;
            if again == 0 {
                next
            } else {
                thread.divert(!again, next);
                back
            }
        }
        Execute::Leave { away, end } => {
            let leaving = taken(thread, operation);
            thread.divert(leaving, away);
            if thread.active != 0 { next } else { end }
        }
        Execute::Jump => {
            // One channel decides for all.
            if operation.predicate.is_some() && lanes::predicate(thread, operation) & 1 == 0 {
                next
            } else {
                let by = lanes::bits(thread, &operation.sources[0], 0) as i32;
                let to =
                    i64::from(operation.at) + i64::from(program.size_at(thread.ip)) + i64::from(by);
                program.at(to)
            }
        }
        _ => next,
    })
}

/// Sends a message.
fn message<F: SharedFunctions + ?Sized>(
    thread: &mut Thread,
    operation: &Operation,
    send: &Send,
    functions: &mut F,
) -> Result<(), Fault> {
    let word = |thread: &Thread, descriptor| match descriptor {
        Descriptor::Immediate(value) => value,
        Descriptor::Address(dword) => {
            let words = &thread.address;
            let low = 2 * usize::from(dword) % 16;
            u32::from(words[low]) | u32::from(words[low + 1]) << 16
        }
    };
    let descriptor = word(thread, send.descriptor) & 0x7fff_ffff;
    let extended = word(thread, send.extended);
    let (first, answer) = ((descriptor >> 25 & 0xf) as usize, (descriptor >> 20 & 0x1f) as usize);
    let second = if send.second.is_some() { (extended >> 6 & 0xf) as usize } else { 0 };
    let at = usize::from(send.payload);
    let at_second = usize::from(send.second.unwrap_or(0));
    let to = usize::from(send.destination.unwrap_or(0));
    if first == 0
        || at + first > REGISTERS
        || at_second + second > REGISTERS
        || to + answer > REGISTERS
    {
        let detail = format!(
            "the message at {:#x} has {first} registers from g{at}, {second} from g{at_second}, and {answer} of answer to g{to}",
            operation.at
        );
        return Err(Fault::new("eu/message", detail));
    }
    thread.payload[..first].copy_from_slice(&thread.registers[at..at + first]);
    thread.payload[first..first + second]
        .copy_from_slice(&thread.registers[at_second..at_second + second]);
    let message = Message {
        function: send.function,
        descriptor,
        extended,
        payload: &thread.payload[..first + second],
        lanes: channels(thread, operation) << (operation.first & 7),
        first: operation.first & !7,
        end_of_thread: send.end_of_thread,
    };
    match send.destination {
        Some(_) => functions.send(&message, &mut thread.registers[to..to + answer]),
        None => functions.send(&message, &mut [[0; 8]; 32][..answer]),
    }
}
