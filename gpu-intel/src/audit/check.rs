//! One command, judged.

use mediator::Reason;

use crate::address::RegisterOffset;
use crate::command::registers::{self, Access};
use crate::command::streamer::{atomic, math};
use crate::command::{Check, Command, Length};
use crate::engine::Engine;

/// Judges one command of a user's batch: its length and all checks of its table. `dwords` holds the command, or as
/// much of it as the checks can reach: [`MAX_LENGTH`](crate::command::MAX_LENGTH) dwords.
///
/// # Errors
/// The rule that it breaks. No memory is taken for one that passes.
#[inline]
pub fn check(command: &Command, dwords: &[u32], engine: Engine) -> Result<(), Reason> {
    let header = dwords.first().copied().unwrap_or(0);
    let length = command.length.of(header);
    if !command.length.allows(length) {
        return Err(length_refused(command, length));
    }
    // Most commands hold no address and need no check; the others are kept out of the way of the loop over commands.
    if command.wide.is_empty() & command.checks.is_empty() {
        return Ok(());
    }
    check_operands(command, dwords.get(..length).unwrap_or(dwords), engine)
}

#[inline(never)]
fn check_operands(command: &Command, dwords: &[u32], engine: Engine) -> Result<(), Reason> {
    for wide in command.wide {
        let mut at = usize::from(wide.dword);
        while let Some(&[low, high]) = dwords.get(at..at + 2) {
            check_address(command, low, high)?;
            match wide.step {
                0 => break,
                step => at += usize::from(step),
            }
        }
    }
    let judged = Judged { command, dwords, engine };
    command.checks.iter().try_for_each(|check| judged.check(*check))
}

/// Judges one command of a batch of the guest's kernel: it may do what it likes to its own vGPU, but page tables are
/// not written by commands here, and no driver does it.
///
/// # Errors
/// The rule that it breaks.
pub fn check_kernel(command: &Command) -> Result<(), Reason> {
    if command.checks.contains(&Check::PageTables) {
        let detail = format!("{} changes page tables or contexts", command.name);
        return Err(Reason::new("command/page-tables", detail));
    }
    Ok(())
}

#[cold]
fn length_refused(command: &Command, length: usize) -> Reason {
    let may = match command.length {
        Length { min, max, .. } if min == max => min.to_string(),
        Length { min, max, .. } => format!("{min} to {max}"),
    };
    Reason::new("command/length", format!("{} has {length} dwords, not {may}", command.name))
}

/// Two dwords must hold an address of 48 bits: the upper 16 are zero, or repeat bit 47.
#[inline]
fn check_address(command: &Command, low: u32, high: u32) -> Result<(), Reason> {
    if high >> 16 == 0 || high >> 15 == 0x1_ffff {
        return Ok(());
    }
    Err(no_address(command, low, high))
}

#[cold]
fn no_address(command: &Command, low: u32, high: u32) -> Reason {
    let detail = format!("{} holds {high:#010x}'{low:08x}, no address of 48 bits", command.name);
    Reason::new("command/address", detail)
}

struct Judged<'a> {
    command: &'a Command,
    dwords: &'a [u32],
    engine: Engine,
}

impl Judged<'_> {
    fn dword(&self, index: usize) -> u32 {
        self.dwords.get(index).copied().unwrap_or(0)
    }

    fn bit(&self, index: usize, bit: u32) -> bool {
        self.dword(index) >> bit & 1 != 0
    }

    #[cold]
    fn refuse(&self, rule: &'static str, what: &str) -> Result<(), Reason> {
        Err(Reason::new(rule, format!("{} {what}", self.command.name)))
    }

    fn check(&self, check: Check) -> Result<(), Reason> {
        match check {
            Check::Privileged => self.refuse("command/privileged", "is the kernel's alone"),
            Check::PageTables => {
                self.refuse("command/page-tables", "changes page tables or contexts")
            }
            Check::Obsolete => self.refuse("command/obsolete", "is no command for batches of Gen9"),
            Check::Display => {
                self.refuse("command/display", "is about displays, the kernel's alone")
            }
            Check::Ggtt(dword, bit) => self.ggtt(self.bit(dword.into(), bit.into())),
            Check::StatusPage(dword, bit) => self.status_page(self.bit(dword.into(), bit.into())),
            Check::Window(base, size) => self.window(base.into(), size.into()),
            Check::Reads(dword) => self.reads(self.dword(dword.into())),
            Check::Writes(dword) => self.writes(self.dword(dword.into())),
            Check::WritesPairs => self.writes_pairs(),
            Check::StoreData => self.store_data(),
            Check::BatchStart => self.batch_start(),
            Check::PipeControl => self.pipe_control(),
            Check::FlushDw => self.flush_dw(),
            Check::Semaphore => self.semaphore(),
            Check::SetPredicate => self.set_predicate(),
            Check::Atomic => self.atomic(),
            Check::Math => self.math(),
        }
    }

    fn ggtt(&self, asked: bool) -> Result<(), Reason> {
        if asked {
            return self.refuse("command/ggtt", "asks for the global GTT");
        }
        Ok(())
    }

    fn status_page(&self, asked: bool) -> Result<(), Reason> {
        if asked {
            return self.refuse("command/status-page", "asks for the status page");
        }
        Ok(())
    }

    /// Drivers claim whole windows; one may end at the end of the space, not behind it.
    fn window(&self, base: usize, size: usize) -> Result<(), Reason> {
        check_address(self.command, self.dword(base), self.dword(base + 1))?;
        let high = u64::from(self.dword(base + 1) & 0xffff) << 32;
        let base = high | u64::from(self.dword(base) & 0xffff_f000);
        let bytes = u64::from(self.dword(size) & 0xffff_f000);
        if base + bytes > 1 << 48 {
            let what = format!("claims {bytes:#x} bytes from {base:#x}, past the end of its space");
            return self.refuse("command/window", &what);
        }
        Ok(())
    }

    fn access(&self, dword: u32) -> (RegisterOffset, Option<Access>) {
        let at = RegisterOffset::from_dword(dword);
        (at, registers::access(self.engine, at))
    }

    fn reads(&self, dword: u32) -> Result<(), Reason> {
        let (at, access) = self.access(dword);
        if access.is_none() {
            return self.refuse("command/register-read", &format!("reads register {:#x}", at.0));
        }
        Ok(())
    }

    fn writes(&self, dword: u32) -> Result<(), Reason> {
        let (at, access) = self.access(dword);
        if matches!(access, None | Some(Access::ReadOnly)) {
            return self.refuse("command/register-write", &format!("writes register {:#x}", at.0));
        }
        Ok(())
    }

    fn writes_pairs(&self) -> Result<(), Reason> {
        if self.dwords.len().is_multiple_of(2) {
            return self.refuse("command/length", "ends between a register and its value");
        }
        self.dwords.iter().skip(1).step_by(2).try_for_each(|&register| self.writes(register))
    }

    /// Operands are dwords, or quadwords.
    fn store_data(&self) -> Result<(), Reason> {
        if self.bit(0, 21) && self.dwords.len().is_multiple_of(2) {
            return self.refuse("command/length", "ends in the middle of a quadword");
        }
        Ok(())
    }

    fn batch_start(&self) -> Result<(), Reason> {
        if self.bit(0, 16) {
            return self.refuse("command/batch-offset", "takes its target from a register");
        }
        Ok(())
    }

    fn pipe_control(&self) -> Result<(), Reason> {
        let flags = self.dword(1);
        if flags >> 14 & 3 != 0 {
            self.status_page(flags >> 21 & 1 != 0)?;
            self.ggtt(flags >> 24 & 1 != 0)?;
        }
        if flags >> 23 & 1 != 0 {
            self.writes(self.dword(2))?;
        }
        Ok(())
    }

    fn flush_dw(&self) -> Result<(), Reason> {
        let operation = self.dword(0) >> 14 & 3;
        if operation != 0 {
            self.status_page(self.bit(0, 21))?;
            self.ggtt(self.bit(1, 2))?;
        }
        if operation == 2 {
            return self.refuse("command/flush", "asks for an operation that does not exist");
        }
        Ok(())
    }

    fn semaphore(&self) -> Result<(), Reason> {
        if self.dword(0) >> 12 & 7 > 5 {
            return self.refuse("command/semaphore", "asks for a comparison that does not exist");
        }
        if self.bit(0, 16) {
            self.reads(self.dword(2))?;
        }
        Ok(())
    }

    fn set_predicate(&self) -> Result<(), Reason> {
        if !matches!(self.dword(0) & 0xf, 0..=7 | 15) {
            return self.refuse("command/predicate", "asks for a predicate that does not exist");
        }
        Ok(())
    }

    /// Sizes are a dword, a quadword, or two. Operands that are said to stand in the command must, the first at least.
    fn atomic(&self) -> Result<(), Reason> {
        if self.dword(0) >> 19 & 3 == 3 {
            return self.refuse("command/atomic", "asks for a size that does not exist");
        }
        if !atomic::exists(self.dword(0) >> 8 & 0xff) {
            return self.refuse("command/atomic", "asks for an operation that does not exist");
        }
        if self.bit(0, 18) && self.dwords.len() < 4 {
            return self.refuse("command/length", "has not the length of its operands");
        }
        Ok(())
    }

    fn math(&self) -> Result<(), Reason> {
        if !self.dwords.iter().skip(1).all(|instruction| math::exists(*instruction)) {
            return self.refuse("command/math", "holds an instruction that does not exist");
        }
        Ok(())
    }
}
