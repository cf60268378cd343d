//! Calls about synchronization objects.

use std::os::fd::{AsFd, IntoRawFd};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use rustix::io::Errno;

use crate::fence::Fence;
use crate::file::{DrmFile, with};
use crate::gpu::Result;
use crate::syncobj::{Syncobj, instant, wait};
use crate::uapi::Call;
use crate::uapi::drm::{self, *};
use crate::user::{UserPointer, descriptor};
use crate::world::{Inode, world};

impl DrmFile {
    pub(crate) fn syncobj(&self, handle: u32) -> Result<Arc<Syncobj>> {
        self.syncobjs().get(handle).cloned().ok_or(Errno::NOENT)
    }

    pub(crate) fn call_syncobj(&self, call: Call, at: UserPointer) -> Result<()> {
        match call.number() {
            drm::SYNCOBJ_CREATE => with(call, at, |args: &mut SyncobjCreate| {
                if args.flags & !drm::SYNCOBJ_CREATE_SIGNALED != 0 {
                    return Err(Errno::INVAL);
                }
                args.handle = self.syncobjs().insert(Syncobj::new(args.flags != 0));
                Ok(())
            }),
            drm::SYNCOBJ_DESTROY => with(call, at, |args: &mut SyncobjDestroy| {
                if args.pad != 0 {
                    return Err(Errno::INVAL);
                }
                self.syncobjs().remove(args.handle).map(drop).ok_or(Errno::INVAL)
            }),
            drm::SYNCOBJ_HANDLE_TO_FD => with(call, at, |args| self.export_syncobj(args)),
            drm::SYNCOBJ_FD_TO_HANDLE => with(call, at, |args| self.import_syncobj(args)),
            drm::SYNCOBJ_WAIT => with(call, at, |args: &mut SyncobjWait| {
                let known = drm::WAIT_ALL | drm::WAIT_FOR_SUBMIT | drm::WAIT_DEADLINE;
                if args.flags & !known != 0 {
                    return Err(Errno::INVAL);
                }
                let objects = self.objects(args.handles, args.count)?;
                let objects: Vec<_> = objects.into_iter().map(|object| (object, 0)).collect();
                args.first = wait(&objects, args.flags, instant(args.deadline))? as u32;
                Ok(())
            }),
            drm::SYNCOBJ_TIMELINE_WAIT => with(call, at, |args: &mut SyncobjTimelineWait| {
                let known =
                    drm::WAIT_ALL | drm::WAIT_FOR_SUBMIT | drm::WAIT_AVAILABLE | drm::WAIT_DEADLINE;
                if args.flags & !known != 0 {
                    return Err(Errno::INVAL);
                }
                let objects = self.objects(args.handles, args.count)?;
                let points = points(args.points, args.count)?;
                let objects: Vec<_> = objects.into_iter().zip(points).collect();
                args.first = wait(&objects, args.flags, instant(args.deadline))? as u32;
                Ok(())
            }),
            drm::SYNCOBJ_RESET => {
                with(call, at, |args: &mut SyncobjArray| self.each(args, |object| object.reset()))
            }
            drm::SYNCOBJ_SIGNAL => with(call, at, |args: &mut SyncobjArray| {
                self.each(args, |object| object.replace(Fence::signaled_already()))
            }),
            drm::SYNCOBJ_TIMELINE_SIGNAL => with(call, at, |args: &mut SyncobjTimelineArray| {
                if args.flags != 0 {
                    return Err(Errno::INVAL);
                }
                let objects = self.objects(args.handles, args.count)?;
                for (object, point) in objects.iter().zip(points(args.points, args.count)?) {
                    match point {
                        0 => object.replace(Fence::signaled_already()),
                        point => object.add(point, Fence::signaled_already()),
                    }
                }
                Ok(())
            }),
            drm::SYNCOBJ_QUERY => with(call, at, |args: &mut SyncobjTimelineArray| {
                if args.flags & !drm::SYNCOBJ_QUERY_LAST_SUBMITTED != 0 {
                    return Err(Errno::INVAL);
                }
                let objects = self.objects(args.handles, args.count)?;
                for (index, object) in objects.iter().enumerate() {
                    let place = UserPointer(args.points).offset(index as u64 * 8)?;
                    place.write(&object.value(args.flags != 0))?;
                }
                Ok(())
            }),
            drm::SYNCOBJ_TRANSFER => with(call, at, |args| self.transfer(args)),
            _ => Err(Errno::INVAL),
        }
    }

    /// An array of handles.
    fn objects(&self, at: u64, count: u32) -> Result<Vec<Arc<Syncobj>>> {
        if count == 0 {
            return Err(Errno::INVAL);
        }
        let handles: Vec<u32> = UserPointer(at).read_array(count as usize)?;
        handles.into_iter().map(|handle| self.syncobj(handle)).collect()
    }

    fn each(&self, args: &SyncobjArray, act: impl Fn(&Syncobj)) -> Result<()> {
        if args.pad != 0 {
            return Err(Errno::INVAL);
        }
        self.objects(args.handles, args.count)?.iter().for_each(|object| act(object));
        Ok(())
    }

    fn transfer(&self, args: &SyncobjTransfer) -> Result<()> {
        if args.pad != 0 || args.flags & !drm::WAIT_FOR_SUBMIT != 0 {
            return Err(Errno::INVAL);
        }
        let (from, to) = (self.syncobj(args.from)?, self.syncobj(args.to)?);
        if args.flags & drm::WAIT_FOR_SUBMIT != 0 && from.find(args.from_point).is_none() {
            wait(&[(Arc::clone(&from), args.from_point)], drm::WAIT_AVAILABLE, None)?;
        }
        let fence = from.find(args.from_point).ok_or(Errno::INVAL)?;
        match args.to_point {
            0 => to.replace(fence),
            point => to.add(point, fence),
        }
        Ok(())
    }

    // Descriptors. One that stands for a syncobj is an empty memfd, known by its inode, in this process only.

    fn export_syncobj(&self, args: &mut SyncobjHandle) -> Result<()> {
        if args.pad != 0 || args.flags & !drm::SYNCOBJ_AS_SYNC_FILE != 0 {
            return Err(Errno::INVAL);
        }
        if args.flags & drm::SYNCOBJ_AS_SYNC_FILE != 0 {
            let fence = self.syncobj(args.handle)?.find(0).ok_or(Errno::INVAL)?;
            args.fd = fence.into_file()?.into_raw_fd();
            return Ok(());
        }
        let object = self.syncobj(args.handle).map_err(|_| Errno::INVAL)?;
        let file = rustix::fs::memfd_create("syncobj", MemfdFlags::CLOEXEC)?;
        let inode = Inode::of(&rustix::fs::fstat(file.as_fd())?);
        // The descriptor keeps the object alive, as far as we can tell: until the process ends.
        world().syncobjs().insert(inode, object);
        args.fd = file.into_raw_fd();
        Ok(())
    }

    fn import_syncobj(&self, args: &mut SyncobjHandle) -> Result<()> {
        if args.pad != 0 || args.flags & !drm::SYNCOBJ_AS_SYNC_FILE != 0 {
            return Err(Errno::INVAL);
        }
        let file = descriptor(args.fd).map_err(|_| Errno::INVAL)?;
        if args.flags & drm::SYNCOBJ_AS_SYNC_FILE != 0 {
            let fence = Fence::of_file(file)?;
            self.syncobj(args.handle)?.replace(fence);
            return Ok(());
        }
        let inode = Inode::of(&rustix::fs::fstat(file).map_err(|_| Errno::INVAL)?);
        let object = world().syncobjs().get(&inode).cloned().ok_or(Errno::INVAL)?;
        args.handle = self.syncobjs().insert(object);
        Ok(())
    }
}

fn points(at: u64, count: u32) -> Result<Vec<u64>> {
    // No list: all are 0.
    if at == 0 {
        return Ok(vec![0; count as usize]);
    }
    UserPointer(at).read_array(count as usize)
}
