//! A memory for tests: so many bytes from address 0 on.

use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::memory::PpgttMemory;

#[derive(Debug)]
pub(crate) struct Flat {
    pub(crate) bytes: Vec<u8>,
    pub(crate) reads: usize,
}

impl Flat {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], reads: 0 }
    }

    pub(crate) fn put(&mut self, at: u64, from: &[u8]) {
        self.write(PpgttAddress(at), from).unwrap();
    }

    pub(crate) fn put_dwords(&mut self, at: u64, from: &[u32]) {
        for (at, dword) in (at..).step_by(4).zip(from) {
            self.put(at, &dword.to_le_bytes());
        }
    }

    pub(crate) fn dword(&self, at: u64) -> u32 {
        let at = at as usize;
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    fn range(&mut self, at: PpgttAddress, bytes: usize) -> Result<&mut [u8], Fault> {
        let at = at.0 as usize;
        let end = at.checked_add(bytes);
        end.and_then(|end| self.bytes.get_mut(at..end))
            .ok_or_else(|| Fault::new("test/memory", format!("{bytes} bytes at {at:#x}")))
    }
}

impl PpgttMemory for Flat {
    fn read(&mut self, at: PpgttAddress, to: &mut [u8]) -> Result<(), Fault> {
        self.reads += 1;
        to.copy_from_slice(self.range(at, to.len())?);
        Ok(())
    }

    fn write(&mut self, at: PpgttAddress, from: &[u8]) -> Result<(), Fault> {
        self.range(at, from.len())?.copy_from_slice(from);
        Ok(())
    }

    fn modify(
        &mut self,
        at: PpgttAddress,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        assert!(at.0.is_multiple_of(bytes as u64), "a word at {at:#x}");
        let word = self.range(at, bytes)?;
        let mut eight = [0; 8];
        eight[..bytes].copy_from_slice(word);
        let old = u64::from_le_bytes(eight);
        word.copy_from_slice(&change(old).to_le_bytes()[..bytes]);
        Ok(old)
    }
}
