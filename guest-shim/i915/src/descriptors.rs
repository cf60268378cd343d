//! The application's descriptors: which are DRM files, sync files, buffers, and what becomes of a call on one.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::{DupFlags, Errno};

use crate::fence::Fence;
use crate::file::{DrmFile, open, with};
use crate::gpu::Result;
use crate::paths::{Node, shim};
use crate::uapi::drm::{self, *};
use crate::uapi::{self, Call};
use crate::user::{UserPointer, descriptor};
use crate::world::{Inode, World, world};

/// Whether a call is for us.
pub(crate) enum Taken {
    Yes(Result<i32>),
    No,
}

fn inode(file: BorrowedFd<'_>) -> Result<Inode> {
    Ok(Inode::of(&rustix::fs::fstat(file)?))
}

/// Whether a file that was just opened is a node, or another opening of a DRM file (`/proc/self/fd/...`).
pub(crate) fn node(file: BorrowedFd<'_>) -> Result<Option<Node>> {
    let stat = rustix::fs::fstat(file)?;
    Ok(node_of(stat.st_dev, stat.st_ino))
}

/// What a file with this inode pretends to be.
pub(crate) fn node_of(device: u64, number: u64) -> Option<Node> {
    let inode = Inode::new(device, number);
    let named = shim().and_then(|shim| shim.node(inode));
    named.or_else(|| {
        let known = if world().has_files() { world().file(inode) } else { None };
        known.map(|file| file.node).or_else(|| World::parents(inode))
    })
}

/// A new DRM file.
pub(crate) fn open_drm(node: Node, close_on_exec: bool) -> Result<OwnedFd> {
    let client = shim().ok_or(Errno::NODEV)?.connect()?;
    let (file, own) = open(client, node, close_on_exec)?;
    world().add_file(file.arena, file);
    Ok(own)
}

pub(crate) fn drm_file(number: i32) -> Option<Arc<DrmFile>> {
    if number < 0 || !world().has_files() {
        return None;
    }
    world().file(inode(descriptor(number).ok()?).ok()?)
}

/// Whether a call is of a kind that has to be looked at.
pub(crate) fn may_concern(call: Call) -> bool {
    matches!(call.kind(), uapi::DRM | uapi::SYNC_FILE | uapi::DMA_BUF)
}

pub(crate) fn call(number: i32, call: Call, at: UserPointer) -> Taken {
    let Ok(file) = descriptor(number) else { return Taken::No };
    let Ok(inode) = inode(file) else { return Taken::No };
    match (call.kind(), call.number()) {
        (uapi::DRM, _) => match drm_file(number) {
            Some(file) => Taken::Yes(file.call(call, at).map(|()| 0)),
            None => match World::parents(inode) {
                Some(node) => Taken::Yes(
                    reopen(inode, node)
                        .and_then(|()| drm_file(number).ok_or(Errno::BADF))
                        .and_then(|file| file.call(call, at).map(|()| 0)),
                ),
                None => Taken::No,
            },
        },
        (uapi::SYNC_FILE, drm::SYNC_IOC_MERGE) => match Fence::of_file(file) {
            Ok(fence) => Taken::Yes(with(call, at, |args| merge(&fence, args)).map(|()| 0)),
            Err(_) => Taken::No,
        },
        (uapi::SYNC_FILE, drm::SYNC_IOC_FILE_INFO) => match Fence::of_file(file) {
            Ok(fence) => Taken::Yes(with(call, at, |args| info(&fence, args)).map(|()| 0)),
            Err(_) => Taken::No,
        },
        // DMA_BUF_IOCTL_SYNC: the processor begins to use a buffer, or has.
        (uapi::DMA_BUF, 0) => match world().files_with(inode) {
            files if files.is_empty() => Taken::No,
            files => Taken::Yes(with(call, at, |flags| begin(&files, inode, *flags)).map(|()| 0)),
        },
        _ => Taken::No,
    }
}

fn begin(files: &[Arc<DrmFile>], inode: Inode, flags: u64) -> Result<()> {
    const WRITE: u64 = 1 << 1;
    const END: u64 = 1 << 2;
    if flags & !0b111 != 0 || flags & 0b11 == 0 {
        return Err(Errno::INVAL);
    }
    if flags & END != 0 {
        return Ok(());
    }
    for file in files {
        let handle = file.state().buffers.with_file(inode);
        if let Some(handle) = handle {
            file.wait_for_buffer(handle, flags & WRITE != 0, None)?;
        }
    }
    Ok(())
}

fn merge(fence: &Fence, args: &mut SyncMerge) -> Result<()> {
    if args.flags != 0 || args.pad != 0 {
        return Err(Errno::INVAL);
    }
    let other = Fence::of_file(descriptor(args.other).map_err(|_| Errno::NOENT)?);
    let other = other.map_err(|_| Errno::NOENT)?;
    args.fence = fence.clone().and(&other).into_file()?.into_raw_fd();
    Ok(())
}

fn info(fence: &Fence, args: &mut SyncFileInfo) -> Result<()> {
    if args.flags != 0 || args.pad != 0 {
        return Err(Errno::INVAL);
    }
    let name = |name: &[u8]| {
        let mut field = [0; 32];
        field[..name.len()].copy_from_slice(name);
        field
    };
    args.status = fence.signaled().into();
    args.name = name(b"vgate");
    // However it was made, it is shown as one fence.
    if args.count != 0 {
        let one = SyncFenceInfo {
            object: name(b"batch"),
            driver: name(b"i915"),
            status: args.status,
            flags: 0,
            timestamp: 0,
        };
        UserPointer(args.fences).write(&one)?;
    }
    args.count = 1;
    Ok(())
}

// Descriptors come and go.

/// All of the process's descriptors of a file.
fn descriptors_of(wanted: Inode) -> Result<Vec<i32>> {
    let list = rustix::fs::open(
        "/proc/self/fd",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let numbers = Dir::new(list)?.filter_map(|entry| {
        let number = entry.ok()?.file_name().to_str().ok()?.parse().ok()?;
        (inode(descriptor(number).ok()?) == Ok(wanted)).then_some(number)
    });
    Ok(numbers.collect())
}

/// A child of `fork` uses a DRM file of its parent's: it gets a connection of its own, behind the same descriptors.
fn reopen(inode: Inode, node: Node) -> Result<()> {
    let numbers = descriptors_of(inode)?;
    let own = open_drm(node, true)?;
    for number in numbers {
        // It takes the number over: nothing is dropped but what was there.
        let kept = rustix::io::fcntl_getfd(descriptor(number)?)?;
        let flags = if kept.contains(rustix::io::FdFlags::CLOEXEC) {
            DupFlags::CLOEXEC
        } else {
            DupFlags::empty()
        };
        crate::user::duplicate_over(own.as_fd(), number, flags)?;
    }
    Ok(())
}

/// A descriptor is about to be closed: which file of ours it is of.
pub(crate) fn closing(number: i32) -> Option<Inode> {
    shim()?;
    if number < 0 || !world().has_descriptors() {
        return None;
    }
    let inode = inode(descriptor(number).ok()?).ok()?;
    let known = world().file(inode).is_some() || world().syncobjs().contains_key(&inode);
    known.then_some(inode)
}

/// One was closed. With the last one goes what it stood for.
pub(crate) fn closed(inode: Inode) {
    let Ok(numbers) = descriptors_of(inode) else { return };
    if let Some(file) = world().file(inode) {
        let own = file.gpu.arena().0.as_raw_fd();
        if numbers.iter().all(|number| *number == own)
            && let Some(file) = world().remove_file(inode)
        {
            file.closed();
        }
    } else if numbers.is_empty() {
        world().syncobjs().remove(&inode);
    }
}
