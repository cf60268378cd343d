//! Names of buffers (`GEM_FLINK`), by which other DRM files of the process open them. To a kernel they are the whole device's.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use crate::file::DrmFile;
use crate::gpu::Result;
use crate::world::{Inode, world};

/// Buffers that have a name: each is a file of its own.
#[derive(Debug)]
pub(crate) struct Names {
    named: BTreeMap<u32, (Inode, OwnedFd)>,
    last: u32,
}

impl Names {
    pub(crate) const fn new() -> Self {
        Self { named: BTreeMap::new(), last: 0 }
    }

    /// A buffer's name, the one that it has or a new one.
    fn of(&mut self, file: OwnedFd) -> Result<u32> {
        let inode = Inode::of(&rustix::fs::fstat(&file)?);
        if let Some((name, _)) = self.named.iter().find(|(_, (named, _))| *named == inode) {
            return Ok(*name);
        }
        self.last = self.last.checked_add(1).ok_or(Errno::NOSPC)?;
        self.named.insert(self.last, (inode, file));
        Ok(self.last)
    }

    fn get(&self, name: u32) -> Result<OwnedFd> {
        let (_, file) = self.named.get(&name).ok_or(Errno::NOENT)?;
        rustix::io::fcntl_dupfd_cloexec(file, 0)
    }
}

impl DrmFile {
    /// The name of a buffer.
    pub(crate) fn name_buffer(&self, handle: u32) -> Result<u32> {
        let file = self.export(handle, 0)?;
        world().names().of(file)
    }

    /// A handle for the buffer with this name, and its size. Where a kernel makes a new handle each time, this file has one
    /// for each buffer.
    pub(crate) fn open_named(&self, name: u32) -> Result<(u32, u64)> {
        let file = world().names().get(name)?;
        let handle = self.import(file.as_fd())?;
        Ok((handle, self.state().buffers.by_handle(handle)?.bytes))
    }
}

/// Names go with the last handle. The caller holds no file's state.
pub(crate) fn forget_unused() {
    if world().names().named.is_empty() {
        return;
    }
    let named: Vec<_> = world().names().named.values().map(|(inode, _)| *inode).collect();
    let unused = |inode: &Inode| world().files_with(*inode).is_empty();
    let unused: Vec<_> = named.into_iter().filter(unused).collect();
    world().names().named.retain(|_, (inode, _)| !unused.contains(inode));
}
