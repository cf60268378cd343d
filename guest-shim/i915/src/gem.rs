//! Calls about buffers: making, mapping, copying, waiting.

use std::time::{Duration, Instant};

use guest_shim::wire::ArenaOffset;
use rustix::io::Errno;

use crate::arena::PAGE;
use crate::buffers::Use;
use crate::execute::{each_extension, memory};
use crate::file::DrmFile;
use crate::gpu::Result;
use crate::mappings::Mapping;
use crate::memory_map::{map, map_over};
use crate::names;
use crate::uapi::drm::CreateDumb;
use crate::uapi::i915::{self, *};
use crate::user::UserPointer;
use crate::world::world;

/// A buffer may have as many pages as an `int` counts.
const MOST_BYTES: u64 = (i32::MAX as u64) * PAGE;
/// Widest pitch of a fence register (GEN7_FENCE_MAX_PITCH_VAL), in units of 128 bytes.
const MOST_PITCH: u32 = 0x800;
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

const USERPTR_READ_ONLY: u32 = 1;
const USERPTR_PROBE: u32 = 1 << 1;
const USERPTR_UNSYNCHRONIZED: u32 = 1 << 31;

impl DrmFile {
    pub(crate) fn create(&self, args: &mut GemCreate) -> Result<()> {
        (args.handle, args.size) = self.create_buffer(args.size)?;
        Ok(())
    }

    fn create_buffer(&self, bytes: u64) -> Result<(u32, u64)> {
        // What is rounded up to nothing is nothing.
        if bytes == 0 || bytes.checked_next_multiple_of(PAGE).is_none() {
            return Err(Errno::INVAL);
        }
        if bytes > MOST_BYTES {
            return Err(Errno::TOOBIG);
        }
        loop {
            let mut state = self.state();
            state.collect(&*self.gpu);
            match state.buffers.create(bytes) {
                Ok(handle) => return Ok((handle, state.buffers.by_handle(handle)?.bytes)),
                // Memory comes back when batches that use closed buffers are over.
                Err(error) => {
                    let points = state.buffers.last_uses_of_closed();
                    drop(state);
                    if points.is_empty() || !self.wait_for(&points, None)? {
                        return Err(error);
                    }
                }
            }
        }
    }

    pub(crate) fn create_ext(&self, args: &mut GemCreateExt) -> Result<()> {
        // NEEDS_CPU_ACCESS is for GPUs with memory of their own.
        if args.flags != 0 {
            return Err(Errno::INVAL);
        }
        let mut placed = false;
        each_extension(args.extensions, |name, body| match name {
            0 if std::mem::replace(&mut placed, true) => Err(Errno::INVAL),
            0 => check_placements(body),
            // Protected content, and tables of memory types: not on Gen9.
            1 | 2 => Err(Errno::NODEV),
            _ => Err(Errno::INVAL),
        })?;
        (args.handle, args.size) = self.create_buffer(args.size)?;
        Ok(())
    }

    /// A buffer for a picture that a CPU draws.
    pub(crate) fn create_dumb(&self, args: &mut CreateDumb) -> Result<()> {
        let pixel = args.bits.div_ceil(8);
        if args.flags != 0 || args.width == 0 || args.height == 0 || ![1, 2, 4].contains(&pixel) {
            return Err(Errno::INVAL);
        }
        let pitch = args.width.checked_mul(pixel).and_then(|row| row.checked_next_multiple_of(64));
        args.pitch = pitch.ok_or(Errno::INVAL)?;
        let bytes = u64::from(args.pitch) * u64::from(args.height);
        (args.handle, args.bytes) = self.create_buffer(bytes)?;
        Ok(())
    }

    pub(crate) fn close_buffer(&self, handle: u32) -> Result<()> {
        let mut state = self.state();
        state.buffers.close(handle)?;
        state.collect(&*self.gpu);
        drop(state);
        names::forget_unused();
        Ok(())
    }

    /// Memory of the application becomes a buffer: it is copied once, and then the application's range shows the buffer. So
    /// both see what the other writes, as long as the range is not mapped anew. Threads that write to it in that moment lose
    /// what they write, and children of a fork share the range.
    pub(crate) fn userptr(&self, args: &mut GemUserptr) -> Result<()> {
        let known = USERPTR_READ_ONLY | USERPTR_PROBE | USERPTR_UNSYNCHRONIZED;
        if args.flags & !known != 0 {
            return Err(Errno::INVAL);
        }
        if args.size > MOST_BYTES {
            return Err(Errno::TOOBIG);
        }
        if args.size == 0 || !(args.address | args.size).is_multiple_of(PAGE) {
            return Err(Errno::INVAL);
        }
        if args.address.checked_add(args.size).is_none_or(|end| end > 1 << 47) {
            return Err(Errno::FAULT);
        }
        if args.flags & USERPTR_UNSYNCHRONIZED != 0 {
            return Err(Errno::NODEV);
        }
        let mut state = self.state();
        state.collect(&*self.gpu);
        let handle = state.buffers.create(args.size)?;
        let buffer = state.buffers.by_handle(handle)?;
        buffer.read_only = args.flags & USERPTR_READ_ONLY != 0;
        buffer.from_user = true;
        let at = buffer.at;
        let (arena, _) = self.gpu.arena();
        let shown = UserPointer(args.address)
            .write_to(arena, at.0, args.size)
            .and_then(|()| map_over(args.address, args.size, READ_WRITE, arena, at.0));
        if let Err(error) = shown {
            state.buffers.close(handle)?;
            state.collect(&*self.gpu);
            return Err(error);
        }
        let mapping = Mapping { bytes: args.size, arena: self.arena, at, access: READ_WRITE };
        world().mappings().add(args.address, mapping);
        args.handle = handle;
        Ok(())
    }

    // What the application sees of it.

    pub(crate) fn mmap_offset(&self, args: &mut GemMmapOffset) -> Result<()> {
        const FIXED: u64 = 4;
        each_extension(args.extensions, |_, _| Err(Errno::INVAL))?;
        match args.flags {
            0..FIXED => {}
            FIXED => return Err(Errno::NODEV),
            _ => return Err(Errno::INVAL),
        }
        args.offset = self.state().buffers.by_handle(args.handle)?.at.0;
        Ok(())
    }

    pub(crate) fn mmap(&self, args: &mut GemMmap) -> Result<()> {
        const WC: u64 = 1;
        if args.flags & !WC != 0 {
            return Err(Errno::INVAL);
        }
        let mut state = self.state();
        let buffer = state.buffers.by_handle(args.handle)?;
        if buffer.from_user {
            return Err(Errno::NXIO);
        }
        check_range(args.offset, args.size, buffer.bytes)?;
        let (file, start) = memory(&*self.gpu, buffer);
        args.address = map(file, start + args.offset, args.size)?;
        // Memory that is a buffer's own stays as long as anybody shows it.
        if buffer.own.is_none() {
            let at = ArenaOffset(start + args.offset);
            let bytes = args.size.next_multiple_of(PAGE);
            let mapping = Mapping { bytes, arena: self.arena, at, access: READ_WRITE };
            world().mappings().add(args.address, mapping);
        }
        Ok(())
    }

    pub(crate) fn pread(&self, args: &GemCopy) -> Result<()> {
        self.copy(args, false)
    }

    pub(crate) fn pwrite(&self, args: &GemCopy) -> Result<()> {
        self.copy(args, true)
    }

    fn copy(&self, args: &GemCopy, write: bool) -> Result<()> {
        if args.size == 0 {
            return Ok(());
        }
        check_range(args.offset, args.size, self.state().buffers.by_handle(args.handle)?.bytes)?;
        self.wait_for_buffer(args.handle, write, None)?;
        let mut state = self.state();
        let buffer = state.buffers.by_handle(args.handle)?;
        let (file, start) = memory(&*self.gpu, buffer);
        let data = UserPointer(args.data);
        if write {
            data.write_to(file, start + args.offset, args.size)
        } else {
            data.read_from(file, start + args.offset, args.size)
        }
    }

    // Who uses it.

    /// Waits until a buffer may be read, or written to.
    pub(crate) fn wait_for_buffer(
        &self,
        handle: u32,
        write: bool,
        until: Option<Instant>,
    ) -> Result<bool> {
        let points: Vec<_> = {
            let mut state = self.state();
            let activity = &mut state.buffers.by_handle(handle)?.activity;
            activity.settle(&*self.gpu);
            activity.before(write).map(|user| user.point).collect()
        };
        self.wait_for(&points, until)
    }

    pub(crate) fn set_domain(&self, args: &GemSetDomain) -> Result<()> {
        if (args.read | args.write) & i915::DOMAINS_OF_THE_GPU != 0 {
            return Err(Errno::INVAL);
        }
        if args.write != 0 && args.read != args.write {
            return Err(Errno::INVAL);
        }
        if args.read == 0 {
            return Ok(());
        }
        self.wait_for_buffer(args.handle, args.write != 0, None).map(drop)?;
        // Caches are coherent; what remains is to know the domains.
        let known = i915::DOMAIN_CPU | i915::DOMAIN_GTT | i915::DOMAIN_WC;
        if args.read & known == 0 { Err(Errno::INVAL) } else { Ok(()) }
    }

    pub(crate) fn busy(&self, args: &mut GemBusy) -> Result<()> {
        let mut state = self.state();
        let activity = &mut state.buffers.by_handle(args.handle)?.activity;
        activity.settle(&*self.gpu);
        let reads =
            |users: &[Use]| users.iter().fold(0, |bits, user| bits | 1 << (16 + user.class));
        let writer = activity.writes.first().map_or(0, |user| u32::from(user.class) + 1);
        args.busy = reads(&activity.reads) | reads(&activity.writes) | writer;
        Ok(())
    }

    pub(crate) fn wait(&self, args: &mut GemWait) -> Result<()> {
        if args.flags != 0 {
            return Err(Errno::INVAL);
        }
        let begin = Instant::now();
        // A negative time is for ever.
        let until = u64::try_from(args.timeout)
            .ok()
            .and_then(|ns| begin.checked_add(Duration::from_nanos(ns)));
        let over = self.wait_for_buffer(args.handle, true, until)?;
        if args.timeout > 0 {
            let spent = i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX);
            args.timeout = args.timeout.saturating_sub(spent).max(0);
        }
        if over { Ok(()) } else { Err(Errno::TIME) }
    }

    // Properties that only matter to whoever asks for them again.

    pub(crate) fn set_tiling(&self, args: &mut GemSetTiling) -> Result<()> {
        let mut state = self.state();
        let buffer = state.buffers.by_handle(args.handle)?;
        if buffer.from_user {
            return Err(Errno::NXIO);
        }
        // None, X (tiles 512 bytes wide), Y (128).
        let width = match args.tiling {
            0 => 1,
            1 => 512,
            2 => 128,
            _ => return Err(Errno::INVAL),
        };
        if args.tiling == 0 {
            args.stride = 0;
        } else if args.stride == 0
            || !args.stride.is_multiple_of(width)
            || args.stride / 128 > MOST_PITCH
        {
            return Err(Errno::INVAL);
        }
        (buffer.tiling, buffer.stride) = (args.tiling, args.stride);
        args.swizzle = 0;
        Ok(())
    }

    pub(crate) fn get_tiling(&self, args: &mut GemGetTiling) -> Result<()> {
        args.tiling = self.state().buffers.by_handle(args.handle)?.tiling;
        (args.swizzle, args.physical_swizzle) = (0, 0);
        Ok(())
    }

    pub(crate) fn set_caching(&self, args: &GemCaching) -> Result<()> {
        const MODES: u32 = 3;
        const CACHED: u32 = 1;
        if args.caching >= MODES {
            return Err(Errno::INVAL);
        }
        let mut state = self.state();
        let buffer = state.buffers.by_handle(args.handle)?;
        if buffer.from_user && args.caching != CACHED {
            return Err(Errno::NXIO);
        }
        buffer.caching = args.caching;
        Ok(())
    }

    pub(crate) fn get_caching(&self, args: &mut GemCaching) -> Result<()> {
        args.caching = self.state().buffers.by_handle(args.handle)?.caching;
        Ok(())
    }

    /// Nothing is ever thrown away.
    pub(crate) fn madvise(&self, args: &mut GemMadvise) -> Result<()> {
        if args.advice > 1 {
            return Err(Errno::INVAL);
        }
        self.state().buffers.by_handle(args.handle)?.unneeded = args.advice == 1;
        args.retained = 1;
        Ok(())
    }

    /// The aperture of a Gen9 is 4 GiB of global addresses; here nothing but memory is short.
    pub(crate) fn aperture(&self, args: &mut GemAperture) -> Result<()> {
        args.size = 1 << 32;
        args.available = args.size.min(self.state().buffers.free_bytes());
        Ok(())
    }
}

fn check_range(offset: u64, bytes: u64, of: u64) -> Result<()> {
    let end = offset.checked_add(bytes).ok_or(Errno::INVAL)?;
    if end > of || bytes == 0 { Err(Errno::INVAL) } else { Ok(()) }
}

/// `I915_GEM_CREATE_EXT_MEMORY_REGIONS`: there is one region, and it may be named once.
fn check_placements(body: UserPointer) -> Result<()> {
    let [pad, count]: [u32; 2] = body.read()?;
    if pad != 0 || count != 1 {
        return Err(Errno::INVAL);
    }
    let regions: u64 = body.offset(8)?.read()?;
    match UserPointer(regions).read()? {
        Engine { class: 0, instance: 0 } => Ok(()),
        _ => Err(Errno::INVAL),
    }
}
