//! The sampler's cache: lines of 64 bytes, and blocks as they were decompressed.
//!
//! It isn't coherent with memory, as hardware's isn't: whoever executes commands says when it is invalid.

use super::compressed;
use super::format::{Block, Format};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;

/// Bytes of a line. In a Y tile, 16 bytes of four rows.
pub const LINE: usize = 64;
const LINES: usize = 1024;
const BLOCKS: usize = 64;
const PPGTT: u64 = (1 << 48) - 1;
/// No line has this number.
const INVALID: u64 = u64::MAX;

/// 16 texels, row by row.
pub(super) type Decoded = [[u32; 4]; 16];

/// Lines of memory and decompressed blocks, each at the one place where its address puts it.
#[derive(Debug)]
pub struct TexelCache {
    numbers: Box<[u64; LINES]>,
    lines: Box<[[u8; LINE]; LINES]>,
    /// A line that is known to be zeros.
    zeros: u64,
    block_keys: Box<[(u64, u16)]>,
    blocks: Box<[Decoded]>,
}

impl Default for TexelCache {
    fn default() -> Self {
        Self {
            numbers: Box::new([INVALID; LINES]),
            lines: Box::new([[0; LINE]; LINES]),
            zeros: INVALID,
            block_keys: vec![(INVALID, 0); BLOCKS].into(),
            blocks: vec![[[0; 4]; 16]; BLOCKS].into(),
        }
    }
}

impl TexelCache {
    /// Forgets everything.
    pub fn invalidate(&mut self) {
        self.numbers.fill(INVALID);
        self.zeros = INVALID;
        self.block_keys.fill((INVALID, 0));
    }

    /// The line in which the byte at `at` lies, and where in it.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    #[inline]
    pub fn line(
        &mut self,
        memory: &mut dyn PpgttMemory,
        at: u64,
    ) -> Result<(&[u8; LINE], usize), Fault> {
        let at = at & PPGTT;
        let number = at / LINE as u64;
        // Rows of tiles are often a power of two apart.
        let place = (number ^ number >> 10 ^ number >> 15) as usize % LINES;
        if self.numbers[place] != number {
            self.fill(memory, number, place)?;
        }
        Ok((&self.lines[place], at as usize % LINE))
    }

    /// Whether the line in which the byte at `at` lies is all zeros.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    #[inline]
    pub fn is_zero(&mut self, memory: &mut dyn PpgttMemory, at: u64) -> Result<bool, Fault> {
        let number = (at & PPGTT) / LINE as u64;
        if self.zeros == number {
            return Ok(true);
        }
        let (line, _) = self.line(memory, at)?;
        let is_zero = line.iter().all(|byte| *byte == 0);
        if is_zero {
            self.zeros = number;
        }
        Ok(is_zero)
    }

    #[cold]
    fn fill(
        &mut self,
        memory: &mut dyn PpgttMemory,
        number: u64,
        place: usize,
    ) -> Result<(), Fault> {
        self.numbers[place] = INVALID;
        memory.read(PpgttAddress(number * LINE as u64), &mut self.lines[place])?;
        self.numbers[place] = number;
        Ok(())
    }

    /// Reads bytes, wherever lines end.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub fn read(
        &mut self,
        memory: &mut dyn PpgttMemory,
        at: u64,
        to: &mut [u8],
    ) -> Result<(), Fault> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (line, from) = self.line(memory, at.wrapping_add(done as u64))?;
            let line = &line[from..];
            let count = line.len().min(rest.len());
            rest[..count].copy_from_slice(&line[..count]);
            done += count;
        }
        Ok(())
    }

    /// The texel of an uncompressed format at `at`.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    #[inline]
    pub fn texel(
        &mut self,
        memory: &mut dyn PpgttMemory,
        format: &Format,
        at: u64,
    ) -> Result<[u32; 4], Fault> {
        let bytes = format.bytes() as usize;
        let (line, from) = self.line(memory, at)?;
        if let Some(texel) = line.get(from..from + bytes) {
            return Ok(format.decode(texel));
        }
        let mut texel = [0; super::texel::LARGEST_ELEMENT];
        let texel = texel.get_mut(..bytes).unwrap_or_default();
        self.read(memory, at, texel)?;
        Ok(format.decode(texel))
    }

    /// Four bytes, wherever lines end.
    #[inline]
    pub(super) fn four_bytes(
        &mut self,
        memory: &mut dyn PpgttMemory,
        at: u64,
    ) -> Result<u32, Fault> {
        let (line, from) = self.line(memory, at)?;
        if let Some(&[a, b, c, d]) = line.get(from..from + 4) {
            return Ok(u32::from_le_bytes([a, b, c, d]));
        }
        let mut bytes = [0; 4];
        self.read(memory, at, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// The texels of the block at `at`.
    ///
    /// # Errors
    /// A fault where nothing is mapped.
    pub(super) fn block(
        &mut self,
        memory: &mut dyn PpgttMemory,
        format: &Format,
        kind: Block,
        at: u64,
    ) -> Result<&Decoded, Fault> {
        let at = at & PPGTT;
        let place = (at >> 3 ^ at >> 9) as usize % BLOCKS;
        let key = (at, format.code);
        if self.block_keys[place] != key {
            let mut bytes = [0; 16];
            let used = bytes.get_mut(..format.bytes() as usize).unwrap_or_default();
            self.read(memory, at, used)?;
            self.blocks[place] = compressed::decode(kind, format.srgb, &bytes);
            self.block_keys[place] = key;
        }
        Ok(&self.blocks[place])
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_memory::Flat;
    use super::*;

    #[test]
    fn lines_are_kept_until_they_are_invalid() {
        let mut memory = Flat::new(1 << 20);
        let mut cache = TexelCache::default();
        let read = |cache: &mut TexelCache, memory: &mut Flat, at| {
            let mut bytes = [0; 8];
            cache.read(memory, at, &mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        };
        memory.put(0x103c, &0x1122_3344_5566_7788_u64.to_le_bytes());
        assert_eq!(read(&mut cache, &mut memory, 0x103c), 0x1122_3344_5566_7788);
        assert_eq!(memory.reads, 2);
        memory.put(0x103c, &[0; 8]);
        assert_eq!(read(&mut cache, &mut memory, 0x103c), 0x1122_3344_5566_7788);
        assert_eq!(memory.reads, 2);
        cache.invalidate();
        assert_eq!(read(&mut cache, &mut memory, 0x103c), 0);
        // Of two lines at one place, the later stays.
        for at in (0..1 << 20).step_by(64) {
            memory.put(at, &at.to_le_bytes());
        }
        cache.invalidate();
        for at in (0..1 << 20).step_by(64).chain((0..1 << 20).step_by(4096)) {
            assert_eq!(read(&mut cache, &mut memory, at), at);
        }
        assert!(cache.read(&mut memory, (1 << 20) - 4, &mut [0; 8]).is_err());
    }
}
