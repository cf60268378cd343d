//! What buffer objects hold while a capture is replayed.

use std::collections::{BTreeMap, HashMap};

use super::{BufferId, Exec, Record};
use crate::address::PpgttAddress;
use crate::command::walk::CommandMemory;

const PAGE: u64 = 4096;
/// Pages that a capture may write to, 8 GiB: what nobody wrote takes no memory.
const MAX_PAGES: usize = 1 << 21;

/// Why a record can't be replayed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReplayError {
    /// It names a buffer object that does not exist.
    #[error("buffer object {0} does not exist")]
    NoSuchBuffer(u32),
    /// It makes a buffer object again.
    #[error("buffer object {0} is made a second time")]
    Exists(u32),
    /// It writes behind the end of a buffer object.
    #[error("bytes are written behind the end of buffer object {0}")]
    Outside(u32),
    /// More is written than a capture may.
    #[error("the capture writes more than {} GiB", (MAX_PAGES as u64 * PAGE) >> 30)]
    TooMuch,
}

/// A buffer object: its pages that were written to.
#[derive(Debug, Default)]
struct Buffer {
    size: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
}

/// All buffer objects.
#[derive(Debug, Default)]
pub struct Memory {
    buffers: HashMap<BufferId, Buffer>,
    pages: usize,
}

impl Memory {
    /// Carries out a record that changes buffer objects; others change nothing.
    ///
    /// # Errors
    /// It doesn't fit what came before.
    pub fn replay(&mut self, record: &Record) -> Result<(), ReplayError> {
        match record {
            Record::Create { buffer, size } => {
                let made = Buffer { size: *size, pages: BTreeMap::new() };
                match self.buffers.insert(*buffer, made) {
                    None => Ok(()),
                    Some(_) => Err(ReplayError::Exists(buffer.0)),
                }
            }
            Record::Destroy { buffer } => {
                let gone =
                    self.buffers.remove(buffer).ok_or(ReplayError::NoSuchBuffer(buffer.0))?;
                self.pages = self.pages.saturating_sub(gone.pages.len());
                Ok(())
            }
            Record::Write { buffer, offset, data } => self.write(*buffer, *offset, data),
            Record::Exec(_) | Record::Wait => Ok(()),
        }
    }

    fn write(&mut self, id: BufferId, offset: u64, data: &[u8]) -> Result<(), ReplayError> {
        let buffer = self.buffers.get_mut(&id).ok_or(ReplayError::NoSuchBuffer(id.0))?;
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > buffer.size) {
            return Err(ReplayError::Outside(id.0));
        }
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let inside = (at % PAGE) as usize;
            let (now, later) = rest.split_at(rest.len().min(PAGE as usize - inside));
            if !buffer.pages.contains_key(&(at / PAGE)) {
                self.pages += 1;
                if self.pages > MAX_PAGES {
                    return Err(ReplayError::TooMuch);
                }
            }
            let page =
                buffer.pages.entry(at / PAGE).or_insert_with(|| Box::new([0; PAGE as usize]));
            if let Some(to) = page.get_mut(inside..inside + now.len()) {
                to.copy_from_slice(now);
            }
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// The address space that a batch was submitted with.
    ///
    /// # Errors
    /// It names a buffer object that does not exist.
    pub fn bind(&self, exec: &Exec) -> Result<ExecMemory<'_>, ReplayError> {
        let mut bound = Vec::with_capacity(exec.objects.len());
        for object in &exec.objects {
            let buffer = self
                .buffers
                .get(&object.buffer)
                .ok_or(ReplayError::NoSuchBuffer(object.buffer.0))?;
            bound.push((object.address.0, buffer));
        }
        bound.sort_by_key(|(address, _)| *address);
        Ok(ExecMemory { bound })
    }
}

/// The buffer objects of one batch, at their addresses.
#[derive(Debug)]
pub struct ExecMemory<'a> {
    bound: Vec<(u64, &'a Buffer)>,
}

impl ExecMemory<'_> {
    /// Copies dwords up to the end of a page or of a buffer object; returns how many.
    fn fetch_part(&self, at: u64, to: &mut [u32]) -> Option<usize> {
        let behind = self.bound.partition_point(|(address, _)| *address <= at);
        let (address, buffer) = self.bound.get(behind.checked_sub(1)?)?;
        let offset = at.checked_sub(*address)?;
        let left = buffer.size.checked_sub(offset)?.min(PAGE - offset % PAGE);
        let dwords = to.len().min((left / 4) as usize);
        let to = to.get_mut(..dwords)?;
        match buffer.pages.get(&(offset / PAGE)) {
            Some(page) => {
                let bytes = page.get((offset % PAGE) as usize..)?;
                for (dword, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
                    *dword = u32::from_le_bytes(*bytes);
                }
            }
            None => to.fill(0),
        }
        Some(dwords)
    }
}

impl CommandMemory for ExecMemory<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        let mut filled = 0;
        while let Some(rest) = to.get_mut(filled..)
            && !rest.is_empty()
        {
            let here = (at.0 & !3).wrapping_add(4 * filled as u64);
            match self.fetch_part(here, rest) {
                None | Some(0) => break,
                Some(dwords) => filled += dwords,
            }
        }
        filled
    }
}
