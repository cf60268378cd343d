//! A thread: all the state that its instructions see.
//!
//! ```text
//!  g0 ... g127       1024 dwords; byte n of g(r) is byte 32 r + n
//!  a0 acc f ce ...   registers with a meaning
//!  ip, active, waiting, resume      where its channels are: `active` of them at `ip`, those that `wait` each at `resume`
//! ```

use super::message::Grf;

/// Registers in the file.
pub const REGISTERS: usize = 128;
/// Its dwords.
pub(super) const DWORDS: usize = 8 * REGISTERS;

/// How results that don't fit are rounded (cr0.0 bits 5:4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, ties to even.
    #[default]
    Nearest,
    /// Towards plus infinity.
    Up,
    /// Towards minus infinity.
    Down,
    /// Towards zero.
    Zero,
}

/// The control register cr0.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control(pub u32);

impl Control {
    /// The alternative floating-point mode: no infinities, no NaNs.
    pub const ALTERNATIVE: u32 = 1 << 0;
    /// Single program flow.
    pub const SINGLE_PROGRAM_FLOW: u32 = 1 << 2;
    /// Channels are enabled by the vector mask, not by the dispatch mask.
    pub const VECTOR_MASK: u32 = 1 << 3;
    /// Denormals of doubles are kept.
    pub const KEEP_F64_DENORMALS: u32 = 1 << 6;
    /// Denormals of floats are kept.
    pub const KEEP_F32_DENORMALS: u32 = 1 << 7;
    /// Denormals of half floats are kept.
    pub const KEEP_F16_DENORMALS: u32 = 1 << 10;

    /// How results are rounded.
    #[must_use]
    #[inline]
    pub const fn rounding(self) -> Rounding {
        match self.0 >> 4 & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Up,
            2 => Rounding::Down,
            _ => Rounding::Zero,
        }
    }
}

/// With what a thread begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Its lit channels: sr0.2.
    pub dispatch_mask: u32,
    /// Its lit channels and those that help them: sr0.3. (Without vector masks it is the dispatch mask.)
    pub vector_mask: u32,
    /// cr0.0. The vector mask is used if it says so.
    pub control: Control,
    /// sr0.0: which thread it is.
    pub identity: u32,
}

/// A thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The general registers. The dispatcher writes the payload here.
    pub registers: [Grf; REGISTERS],
    pub(super) address: [u16; 16],
    /// A channel has 64 bits.
    pub(super) accumulator: [u64; 32],
    /// f0 below, f1 above.
    pub(super) flags: u64,
    pub(super) state: [u32; 4],
    pub(super) control: [u32; 4],
    pub(super) notifications: u32,
    pub(super) timestamp: u64,
    /// The next operation of the program.
    pub(super) ip: u32,
    /// Channels that are there.
    pub(super) active: u32,
    /// Channels that are elsewhere.
    pub(super) waiting: u32,
    /// Where.
    pub(super) resume: [u32; 32],
    pub(super) payload: [Grf; 32],
}

impl Default for Thread {
    fn default() -> Self {
        Self::new()
    }
}

impl Thread {
    /// A thread with nothing in its registers and no channel. Some 6 KiB: to be used again.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            registers: [[0; 8]; REGISTERS],
            address: [0; 16],
            accumulator: [0; 32],
            flags: 0,
            state: [0; 4],
            control: [0; 4],
            notifications: 0,
            timestamp: 0,
            ip: 0,
            active: 0,
            waiting: 0,
            resume: [0; 32],
            payload: [[0; 8]; 32],
        }
    }

    /// Begins anew, at the program's entry. General registers keep what they hold: the dispatcher writes those that the
    /// program may read, and clears the others ([`clear_from`](Self::clear_from)) where they could show a guest what
    /// another one left.
    pub fn dispatch(&mut self, with: &Dispatch) {
        self.address = [0; 16];
        self.accumulator = [0; 32];
        self.flags = 0;
        self.state = [with.identity, 0, with.dispatch_mask, with.vector_mask];
        self.control = [with.control.0, 0, 0, 0];
        self.notifications = 0;
        self.ip = 0;
        self.active = if with.control.0 & Control::VECTOR_MASK != 0 {
            with.vector_mask
        } else {
            with.dispatch_mask
        };
        self.waiting = 0;
    }

    /// Clears the general registers from this one on.
    pub fn clear_from(&mut self, register: usize) {
        self.registers.iter_mut().skip(register).for_each(|register| *register = [0; 8]);
    }

    /// A barrier was passed: n0 counts.
    pub fn notify(&mut self) {
        self.notifications = self.notifications.saturating_add(1);
    }

    /// Sets the clock that tm0 shows.
    pub fn set_timestamp(&mut self, ticks: u64) {
        self.timestamp = ticks;
    }

    /// cr0.0.
    #[must_use]
    #[inline]
    pub fn control(&self) -> Control {
        Control(self.control[0])
    }

    /// The flag registers: f0 in the lower half, f1 in the upper.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// Channels that execute the next instruction.
    #[must_use]
    pub fn channels(&self) -> u32 {
        self.active
    }

    #[inline]
    pub(super) fn dwords(&self) -> &[u32; DWORDS] {
        match self.registers.as_flattened().as_array() {
            Some(dwords) => dwords,
            None => unreachable!("128 registers have 1024 dwords"),
        }
    }

    #[inline]
    pub(super) fn dwords_mut(&mut self) -> &mut [u32; DWORDS] {
        match self.registers.as_flattened_mut().as_mut_array() {
            Some(dwords) => dwords,
            None => unreachable!("128 registers have 1024 dwords"),
        }
    }

    /// `size` bytes at a byte of the file, which has no end: behind g127 comes g0.
    #[inline]
    pub(super) fn element(&self, at: u32, size: usize) -> u64 {
        let dwords = self.dwords();
        let dword = dwords[(at >> 2) as usize % DWORDS];
        match size {
            1 => (dword >> (8 * (at & 3)) & 0xff).into(),
            2 => (dword >> (8 * (at & 2)) & 0xffff).into(),
            4 => dword.into(),
            _ => {
                let low = (at >> 2 & !1) as usize % DWORDS;
                u64::from(dwords[low]) | u64::from(dwords[(low + 1) % DWORDS]) << 32
            }
        }
    }

    #[inline]
    pub(super) fn set_element(&mut self, at: u32, size: usize, value: u64) {
        let dwords = self.dwords_mut();
        let dword = &mut dwords[(at >> 2) as usize % DWORDS];
        match size {
            1 => put(dword, 8 * (at & 3), 0xff, value as u32),
            2 => put(dword, 8 * (at & 2), 0xffff, value as u32),
            4 => *dword = value as u32,
            _ => {
                let low = (at >> 2 & !1) as usize % DWORDS;
                dwords[low] = value as u32;
                dwords[(low + 1) % DWORDS] = (value >> 32) as u32;
            }
        }
    }

    /// Channels that waited for the instruction at `ip` are back.
    #[inline]
    pub(super) fn join(&mut self) {
        let mut left = self.waiting;
        while left != 0 {
            let channel = left.trailing_zeros();
            left &= left - 1;
            if self.resume[channel as usize % 32] == self.ip {
                self.waiting &= !(1 << channel);
                self.active |= 1 << channel;
            }
        }
    }

    /// Sends active channels elsewhere.
    #[inline]
    pub(super) fn divert(&mut self, channels: u32, to: u32) {
        let mut left = channels & self.active;
        self.active &= !left;
        self.waiting |= left;
        while left != 0 {
            let channel = left.trailing_zeros();
            left &= left - 1;
            self.resume[channel as usize % 32] = to;
        }
    }

    /// Whether a channel waits for this instruction.
    pub(super) fn is_awaited(&self, at: u32) -> bool {
        (0..32).any(|channel| self.waiting >> channel & 1 != 0 && self.resume[channel] == at)
    }
}

#[inline]
fn put(dword: &mut u32, shift: u32, mask: u32, value: u32) {
    *dword = *dword & !(mask << shift) | (value & mask) << shift;
}
