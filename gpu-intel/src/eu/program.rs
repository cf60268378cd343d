//! A program: decoded once, run by many threads.

use std::collections::BTreeSet;

use super::decode::{self, DecodeError};
use super::instruction::{Instruction, Operands};
use super::opcode::Opcode;
use super::operation::{Execute, Operation, Refusal};

/// No operation is there.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The longest program that is decoded, in bytes.
pub const MAX_BYTES: u32 = 1 << 19;

/// A program.
///
/// What is reached from its entry is decoded: on to the end of the thread, and on from wherever a branch leads. What is
/// no instruction stops only the threads that come to it.
#[derive(Clone, Debug)]
pub struct Program {
    operations: Vec<Operation>,
    /// What was decoded, as it was; an entry for each operation that stands for one.
    instructions: Vec<(u32, Result<Instruction, DecodeError>)>,
    /// For every 8 bytes from the entry: the operation that begins there, or [`NOWHERE`].
    starts: Vec<u32>,
    length: u32,
}

impl Program {
    /// Decodes the program that these bytes are.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let (units, _) = bytes.as_chunks::<8>();
        Self::fetch(|at| units.get(at as usize / 8).map(|unit| u64::from_le_bytes(*unit)))
    }

    /// Decodes a program. `unit` gives the 8 bytes at so many bytes from the entry, a multiple of 8; `None` where
    /// nothing is mapped. It is asked once for each.
    #[must_use]
    pub fn fetch(mut unit: impl FnMut(u32) -> Option<u64>) -> Self {
        let mut program =
            Self { operations: vec![], instructions: vec![], starts: vec![], length: 0 };
        let mut targets = BTreeSet::new();
        let mut at = 0;
        loop {
            if at >= MAX_BYTES {
                program.operations.push(Operation::refused(at, Refusal::Long(MAX_BYTES)));
                break;
            }
            let ends = program.decode_at(at, &mut unit, &mut targets);
            match ends {
                Ok(size) => at += size,
                // Behind an end, a program goes on only where a branch leads.
                Err(behind) => {
                    program.operations.push(Operation::refused(behind, Refusal::End));
                    match targets.range(behind..MAX_BYTES).next() {
                        Some(next) => at = *next,
                        None => break,
                    }
                }
            }
        }
        program.link();
        program
    }

    /// Decodes an instruction. Its size, or where what is decoded ends.
    fn decode_at(
        &mut self,
        at: u32,
        unit: &mut impl FnMut(u32) -> Option<u64>,
        targets: &mut BTreeSet<u32>,
    ) -> Result<u32, u32> {
        let first = unit(at).ok_or(at + 8)?;
        let compacted = super::word::Word::is_compacted(first);
        let second = if compacted { 0 } else { unit(at + 8).ok_or(at + 16)? };
        let (instruction, size) = decode::decode(first, second);
        self.starts.resize((at / 8) as usize, NOWHERE);
        self.starts.push(self.operations.len() as u32);
        self.instructions.push((at, instruction));
        self.length = at + size;
        let instruction = match instruction {
            Ok(instruction) => instruction,
            Err(error) => {
                self.operations.push(Operation::refused(at, Refusal::Illegal(error)));
                return Err(at + size);
            }
        };
        self.operations.push(Operation::new(at, &instruction));
        match instruction.operands {
            Operands::Branch { jip, uip } => {
                for target in [Some(jip), uip].into_iter().flatten() {
                    targets.extend(target_of(at, target));
                }
            }
            Operands::Jump(super::Source::Immediate(immediate)) => {
                let by = immediate.element(0) as i32;
                targets.extend(target_of(at + size, by));
            }
            Operands::Send(send) if send.end_of_thread => return Err(at + size),
            _ => {}
        }
        Ok(size)
    }

    /// The operation at a byte.
    pub(super) fn at(&self, byte: i64) -> u32 {
        let index = usize::try_from(byte).ok().filter(|byte| byte % 8 == 0).map(|byte| byte / 8);
        index.and_then(|index| self.starts.get(index)).copied().unwrap_or(NOWHERE)
    }

    /// Leads branches to operations.
    fn link(&mut self) {
        let mut joins = Vec::new();
        for (at, instruction) in &self.instructions {
            let Ok(Instruction { opcode, operands: Operands::Branch { jip, uip }, .. }) =
                instruction
            else {
                continue;
            };
            let this = self.at((*at).into());
            let to = |by: i32| self.at(i64::from(*at) + i64::from(by));
            let (jip, uip) = (to(*jip), uip.map_or(NOWHERE, to));
            let next = this + 1;
            let execute = match opcode {
                Opcode::If => Execute::If { otherwise: jip },
                Opcode::Else => Execute::Else { end: jip },
                Opcode::Endif => Execute::Endif { end: jip },
                Opcode::While => Execute::While { back: jip },
                // Who breaks out of a loop isn't asked by its WHILE.
                Opcode::Break if self.is_while(uip) => Execute::Leave { away: uip + 1, end: jip },
                _ => Execute::Leave { away: uip, end: jip },
            };
            let away = match execute {
                Execute::Leave { away, .. } => away,
                Execute::If { otherwise } => otherwise,
                Execute::Else { end } => end,
                Execute::While { .. } => next,
                _ => NOWHERE,
            };
            joins.push((this, execute, away));
        }
        for (this, execute, away) in joins {
            if let Some(operation) = self.operations.get_mut(this as usize) {
                operation.execute = execute;
            }
            if let Some(operation) = self.operations.get_mut(away as usize) {
                operation.joins = true;
            }
        }
    }

    fn is_while(&self, operation: u32) -> bool {
        let operation = self.operations.get(operation as usize);
        operation.is_some_and(|operation| operation.opcode == Opcode::While)
    }

    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The size in bytes of the instruction that an operation stands for.
    pub(super) fn size_at(&self, operation: u32) -> u32 {
        let Some(operation) = self.operations.get(operation as usize) else { return 0 };
        let found = self.instructions.binary_search_by_key(&operation.at, |(at, _)| *at);
        match found.ok().and_then(|found| self.instructions.get(found)) {
            Some((_, Ok(instruction))) if instruction.compacted => 8,
            _ => 16,
        }
    }

    /// What was decoded, each with its place in bytes from the entry.
    pub fn instructions(&self) -> &[(u32, Result<Instruction, DecodeError>)] {
        &self.instructions
    }

    /// The bytes from the entry to the end of what was decoded.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.length
    }

    /// Whether nothing was decoded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }
}

fn target_of(at: u32, by: i32) -> Option<u32> {
    u32::try_from(i64::from(at) + i64::from(by)).ok().filter(|to| to.is_multiple_of(8))
}
