//! The system calls that neither `drm` nor `rustix` has. All unsafe code on the way to the GPU is here.
//!
//! Source: include/uapi/drm/i915_drm.h, linux/udmabuf.h, linux/sync_file.h.

use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use guest_shim::uapi::drm::{SYNC_IOC_FILE_INFO, SyncFileInfo};
use guest_shim::uapi::{self, i915};
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::device::{ContextSetup, Object, Piece};

/// A call with an argument that goes both ways.
struct Call<'a, T> {
    opcode: Opcode,
    argument: &'a mut T,
}

// SAFETY: the opcode has the argument's size, and the argument is there for as long as the call.
unsafe impl<T> Ioctl for Call<'_, T> {
    type Output = i32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.argument).cast()
    }

    unsafe fn output_from_ptr(value: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(value)
    }
}

/// Makes a call, again and again while it is interrupted.
///
/// # Safety
/// `T` is what the call takes; addresses in it are good for what the call does with them.
unsafe fn make<T>(file: BorrowedFd<'_>, opcode: Opcode, argument: &mut T) -> Result<i32, Errno> {
    loop {
        // SAFETY: the caller's.
        match unsafe { ioctl(file, Call { opcode, argument }) } {
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return result,
        }
    }
}

/// A call of the DRM. Its core looks at the number and takes the size from the caller.
///
/// # Safety
/// As [`make`].
unsafe fn drm<T>(file: BorrowedFd<'_>, number: u8, argument: &mut T) -> Result<(), Errno> {
    let opcode = opcode::read_write::<T>(uapi::DRM, number);
    // SAFETY: the caller's.
    unsafe { make(file, opcode, argument) }.map(drop)
}

/// Arguments that hold no addresses, with the calls that take them.
pub(crate) trait Plain: FromBytes + IntoBytes {
    const NUMBER: u8;
}

macro_rules! plain {
    ($($argument:ident = $number:ident)*) => { $(
        impl Plain for i915::$argument {
            const NUMBER: u8 = i915::$number;
        }
    )* };
}

plain! {
    GemCreate = GEM_CREATE
    GemCaching = GEM_SET_CACHING
    VmControl = GEM_VM_CREATE
    ContextDestroy = GEM_CONTEXT_DESTROY
    ResetStats = GET_RESET_STATS
}

/// A call whose argument holds no addresses that are not zero.
pub(crate) fn plain<T: Plain>(file: BorrowedFd<'_>, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: `Plain` names the call for its argument. `VmControl` has an address, of extensions: it is zero in `open_vm`.
    unsafe { drm(file, T::NUMBER, argument) }
}

/// A new space.
pub(crate) fn open_vm(file: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut vm = i915::VmControl::new_zeroed();
    plain(file, &mut vm)?;
    Ok(vm.id)
}

/// Closes a space.
pub(crate) fn close_vm(file: BorrowedFd<'_>, id: u32) -> Result<(), Errno> {
    let mut vm = i915::VmControl { id, ..i915::VmControl::new_zeroed() };
    // SAFETY: no extensions: their address is zero.
    unsafe { drm(file, i915::GEM_VM_DESTROY, &mut vm) }
}

/// A parameter of the device.
pub(crate) fn get_param(file: BorrowedFd<'_>, param: i32) -> Result<i32, Errno> {
    let mut value = 0_i32;
    let place = std::ptr::from_mut(&mut value) as u64;
    let mut argument = i915::GetParam { param, pad: 0, value: place };
    // SAFETY: the driver stores an `int` at the address, which is that of one.
    unsafe { drm(file, i915::GETPARAM, &mut argument) }?;
    Ok(value)
}

/// The answer to a query, of at most as many bytes as an answer that makes sense can have.
pub(crate) fn query(file: BorrowedFd<'_>, id: u64) -> Result<Vec<u8>, Errno> {
    const LONGEST: usize = 64 << 10;
    let mut answer = Vec::new();
    // First the length alone.
    for _ in 0..2 {
        let length = i32::try_from(answer.len()).map_err(|_| Errno::OVERFLOW)?;
        let data = if answer.is_empty() { 0 } else { answer.as_mut_ptr() as u64 };
        let mut item = i915::QueryItem { id, length, flags: 0, data };
        let items = std::ptr::from_mut(&mut item) as u64;
        let mut argument = i915::Query { count: 1, flags: 0, items };
        // SAFETY: one item is at the address; it names `length` bytes that are there.
        unsafe { drm(file, i915::QUERY, &mut argument) }?;
        let length = item.length;
        let bytes = usize::try_from(length).map_err(|_| Errno::from_raw_os_error(-length))?;
        if bytes > LONGEST {
            return Err(Errno::OVERFLOW);
        }
        answer.resize(bytes, 0_u8);
    }
    Ok(answer)
}

/// An extension of the call that makes a context: it sets a parameter.
#[derive(Clone, Copy)]
#[repr(C)]
struct SetParam {
    head: i915::Extension,
    param: i915::ContextParam,
}

/// The engines of a context (`i915_context_param_engines`), one here.
#[repr(C)]
struct OneEngine {
    extensions: u64,
    engine: i915::Engine,
}

/// A new context.
pub(crate) fn open_context(file: BorrowedFd<'_>, setup: &ContextSetup) -> Result<u32, Errno> {
    /// Of `ContextCreate`: there are extensions.
    const WITH_EXTENSIONS: u32 = 1;
    let engine = i915::Engine { class: setup.engine.class, instance: setup.engine.instance };
    let engines = OneEngine { extensions: 0, engine };
    // The list of one entry ends behind it, not behind the structure's padding.
    const ENGINES_BYTES: u32 = 12;
    let parameter = |param, value, size| i915::ContextParam { context: 0, size, param, value };
    let mut parameters = vec![
        parameter(i915::PARAM_VM, u64::from(setup.space.0), 0),
        parameter(i915::PARAM_ENGINES, std::ptr::from_ref(&engines) as u64, ENGINES_BYTES),
        parameter(i915::PARAM_RECOVERABLE, 0, 0),
        // What the driver would keep of a guest's batches for whoever looks at its error state.
        parameter(i915::PARAM_NO_ERROR_CAPTURE, 1, 0),
    ];
    if let Some(priority) = setup.priority {
        let value = i64::from(priority).cast_unsigned();
        parameters.push(parameter(i915::PARAM_PRIORITY, value, 0));
    }
    if setup.dies_with_work {
        parameters.push(parameter(i915::PARAM_PERSISTENCE, 0, 0));
    }
    let mut chain: Vec<SetParam> = parameters
        .into_iter()
        .map(|param| SetParam { head: i915::Extension::new_zeroed(), param })
        .collect();
    let mut next = 0;
    for link in chain.iter_mut().rev() {
        link.head.next = next;
        next = std::ptr::from_ref(link) as u64;
    }
    let mut argument = i915::ContextCreate { id: 0, flags: WITH_EXTENSIONS, extensions: next };
    // SAFETY: the chain's links are `SetParam`s of this vector, which does not move any more, and the last one has no
    // next; the one parameter with an address names `engines`, with its size.
    unsafe { drm(file, CONTEXT_CREATE, &mut argument) }?;
    Ok(argument.id)
}

const CONTEXT_CREATE: u8 = i915::GEM_CONTEXT_CREATE;

/// A context's address space, in bytes.
pub(crate) fn space_bytes(file: BorrowedFd<'_>, context: u32) -> Result<u64, Errno> {
    let mut argument =
        i915::ContextParam { context, size: 0, param: i915::PARAM_GTT_SIZE, value: 0 };
    // SAFETY: the parameter is a number.
    unsafe { drm(file, i915::GEM_CONTEXT_GETPARAM, &mut argument) }?;
    Ok(argument.value)
}

/// Writes to the start of a buffer.
pub(crate) fn pwrite(file: BorrowedFd<'_>, handle: u32, bytes: &[u8]) -> Result<(), Errno> {
    let (size, data) = (bytes.len() as u64, bytes.as_ptr() as u64);
    let mut argument = i915::GemCopy { handle, pad: 0, offset: 0, size, data };
    // SAFETY: `size` bytes can be read at the address.
    unsafe { drm(file, i915::GEM_PWRITE, &mut argument) }
}

/// Whether the GPU still is one: the driver's answer to a client who says that it can wait.
pub(crate) fn throttle(file: BorrowedFd<'_>) -> Result<(), Errno> {
    let opcode = opcode::none(uapi::DRM, i915::GEM_THROTTLE);
    // SAFETY: the call takes no argument, and looks at none.
    unsafe { make(file, opcode, &mut [0_u8; 0]) }.map(drop)
}

/// Submits the batch at `start` in the last object. Returns its fence.
pub(crate) fn execute(
    file: BorrowedFd<'_>,
    context: u32,
    objects: &mut [Object],
    start: u32,
    bytes: u32,
) -> Result<OwnedFd, Errno> {
    let mut argument = i915::Execute {
        buffers: objects.as_mut_ptr() as u64,
        buffer_count: u32::try_from(objects.len()).map_err(|_| Errno::INVAL)?,
        batch_start: start,
        batch_bytes: bytes,
        flags: i915::EXEC_NO_RELOC | i915::EXEC_HANDLE_LUT | i915::EXEC_FENCE_OUT,
        context: u64::from(context),
        ..i915::Execute::new_zeroed()
    };
    // SAFETY: so many objects are at the address, as the driver has them: `Object` is one word for word. None has
    // relocations, so that no address in them is followed.
    unsafe { drm(file, i915::GEM_EXECBUFFER2, &mut argument) }?;
    let fence = RawFd::try_from(argument.sync_files >> 32).map_err(|_| Errno::BADF)?;
    // SAFETY: the driver made the descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fence) })
}

/// The state of a fence: 0 pending, 1 done, less than 0 an error's number.
pub(crate) fn fence_status(fence: BorrowedFd<'_>) -> Result<i32, Errno> {
    let mut argument = SyncFileInfo::new_zeroed();
    let opcode = opcode::read_write::<SyncFileInfo>(uapi::SYNC_FILE, SYNC_IOC_FILE_INFO);
    // SAFETY: no room for the fences themselves is offered: their address and number are zero.
    unsafe { make(fence, opcode, &mut argument) }?;
    Ok(argument.status)
}

/// An entry of `udmabuf_create_list`.
#[repr(C)]
struct UdmabufItem {
    memfd: u32,
    pad: u32,
    offset: u64,
    size: u64,
}

/// What stands before the entries.
#[repr(C)]
struct UdmabufHead {
    flags: u32,
    count: u32,
}

/// Makes a DMA buffer of pieces of files.
pub(crate) fn udmabuf(device: BorrowedFd<'_>, pieces: &[Piece<'_>]) -> Result<OwnedFd, Errno> {
    use std::os::fd::AsRawFd;
    const CREATE_LIST: u8 = 0x43;
    const CLOSE_ON_EXEC: u32 = 1;
    // Head and items have the alignment of items: the head goes into the tail of one that is not sent.
    let mut list: Vec<u64> = Vec::with_capacity(1 + 3 * pieces.len());
    let count = u32::try_from(pieces.len()).map_err(|_| Errno::INVAL)?;
    let head = UdmabufHead { flags: CLOSE_ON_EXEC, count };
    list.push(u64::from(head.flags) | u64::from(head.count) << 32);
    for piece in pieces {
        let memfd = u32::try_from(piece.file.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)?;
        let item = UdmabufItem { memfd, pad: 0, offset: piece.offset, size: piece.bytes };
        list.extend([u64::from(item.memfd) | u64::from(item.pad) << 32, item.offset, item.size]);
    }
    let opcode = opcode::write::<UdmabufHead>(b'u', CREATE_LIST);
    let first = list.first_mut().ok_or(Errno::INVAL)?;
    // SAFETY: the head is followed by as many items as it counts: all are words of `list`, little-endian as on every
    // machine with this driver. The driver only reads them.
    let made = unsafe { make(device, opcode, first) }?;
    // SAFETY: the driver made the descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_and_numbers_are_the_headers() {
        assert_eq!(size_of::<Object>(), size_of::<i915::ExecObject>());
        assert_eq!(size_of::<SetParam>(), 56);
        assert_eq!((size_of::<UdmabufHead>(), size_of::<UdmabufItem>()), (8, 24));
        assert_eq!(opcode::write::<UdmabufHead>(b'u', 0x43), 0x4008_7543);
        assert_eq!(opcode::read_write::<SyncFileInfo>(b'>', 4), 0xc038_3e04);
        assert_eq!(opcode::read_write::<i915::Execute>(b'd', 0x69), 0xc040_6469);
        assert_eq!(opcode::none(b'd', i915::GEM_THROTTLE), 0x6458);
    }
}
