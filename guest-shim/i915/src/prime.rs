//! Buffers that others see: exported as descriptors, imported from them.
//!
//! A descriptor of the arena would show all buffers. So a buffer that is exported moves first, to a memfd of its own: its
//! content, its places in address spaces, and all mappings of it in this process. What the process's threads write to it in
//! that moment is lost, as they would race with whoever gets the descriptor.
//!
//! The descriptor is a memfd, not a DMA buffer: it can be mapped and measured (`lseek`) as one, but `poll` says nothing about
//! fences, and batches of other processes are not waited for (no implicit synchronization between processes).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use guest_shim::wire::ArenaOffset;
use rustix::io::Errno;

use crate::buffers::Buffer;
use crate::file::DrmFile;
use crate::gpu::Result;
use crate::mappings::Mapping;
use crate::memory_map::map_over;
use crate::state::State;
use crate::uapi::drm::PRIME_FLAGS;
use crate::world::{Inode, world};

/// What is copied at a time.
const CHUNK: usize = 1 << 20;

impl DrmFile {
    /// A descriptor for a buffer.
    pub(crate) fn export(&self, handle: u32, flags: u32) -> Result<OwnedFd> {
        if flags & !PRIME_FLAGS != 0 {
            return Err(Errno::INVAL);
        }
        loop {
            let mut state = self.state();
            let buffer = state.buffers.by_handle(handle)?;
            if let Some(own) = &buffer.own {
                return rustix::io::fcntl_dupfd_cloexec(own, 0);
            }
            buffer.activity.settle(&*self.gpu);
            if buffer.activity.is_idle() {
                self.move_out(&mut state, handle)?;
            } else {
                let points: Vec<_> = buffer.activity.before(true).map(|user| user.point).collect();
                drop(state);
                self.wait_for(&points, None)?;
            }
        }
    }

    /// An idle buffer moves to a memfd of its own.
    fn move_out(&self, state: &mut State, handle: u32) -> Result<()> {
        let gpu = &*self.gpu;
        let id = state.buffers.id(handle)?;
        let Buffer { at: before, bytes, .. } = *state.buffers.get(id)?;
        let (at, own) = gpu.new_buffer(bytes)?;
        copy(gpu.arena().0, before.0, own.as_fd(), bytes)?;
        let inode = Inode::of(&rustix::fs::fstat(&own)?);
        let shown: Vec<(u64, Mapping)> = world().mappings().of(self.arena, before, bytes).collect();
        for (address, mapping) in shown {
            let offset = mapping.at.0 - before.0;
            map_over(address, mapping.bytes, mapping.access, own.as_fd(), offset)?;
            world().mappings().remove(address, mapping.bytes);
        }
        state.buffers.move_out(handle, at, own, inode)?;
        state.show_again(gpu, id)?;
        state.buffers.free_memory(gpu, before, bytes);
        Ok(())
    }

    /// The buffer behind a descriptor; the same one has the same handle.
    pub(crate) fn import(&self, file: BorrowedFd<'_>) -> Result<u32> {
        let inode = Inode::of(&rustix::fs::fstat(file)?);
        let mut state = self.state();
        state.collect(&*self.gpu);
        if let Some(handle) = state.buffers.with_file(inode) {
            return Ok(handle);
        }
        // The arena itself is none, whatever the mediator thinks of it.
        if world().file(inode).is_some() {
            return Err(Errno::INVAL);
        }
        let own = rustix::io::fcntl_dupfd_cloexec(file, 0)?;
        let (at, bytes) = self.gpu.import(file)?;
        let handle = state.buffers.insert(Buffer::new(at, bytes, Some(own)));
        state.buffers.set_file(inode, handle);
        Ok(handle)
    }

    /// What a mapping of the DRM file at an offset shows: the arena itself, or another file from an offset on.
    pub(crate) fn mapped_memory(&self, offset: u64, bytes: u64) -> Result<Option<(OwnedFd, u64)>> {
        let state = self.state();
        let buffer = state.buffers.around(ArenaOffset(offset), bytes).ok_or(Errno::INVAL)?;
        match &buffer.own {
            None => Ok(None),
            Some(own) => {
                let file = rustix::io::fcntl_dupfd_cloexec(own, 0)?;
                Ok(Some((file, offset - buffer.at.0)))
            }
        }
    }
}

fn copy(from: BorrowedFd<'_>, start: u64, to: BorrowedFd<'_>, bytes: u64) -> Result<()> {
    let mut chunk = vec![0; CHUNK.min(bytes as usize)];
    let mut done = 0;
    while done < bytes {
        let part = chunk.len().min((bytes - done) as usize);
        let count = rustix::io::pread(from, &mut chunk[..part], start + done)?;
        let count = rustix::io::pwrite(to, &chunk[..count], done)?;
        if count == 0 {
            return Err(Errno::IO);
        }
        done += count as u64;
    }
    Ok(())
}
