//! The C library's symbols that this library stands in front of. Each does what the original does, unless a DRM file or a path
//! of the node is concerned.
//!
//! ```text
//!  paths        open* openat* stat* fstatat* statx access faccessat readlink* realpath opendir scandir fopen   led elsewhere
//!  descriptors  fstat* ioctl mmap* munmap close                                       recognized by their inode
//! ```
//!
//! Calls that this library makes itself while it is at work go straight on ([`crate::inside`]). A panic costs the call (`EIO`),
//! not the application.

#![expect(unsafe_code, reason = "the C library's interface")]
#![expect(unreachable_pub, reason = "exported as symbols")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::os::fd::IntoRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use guest_shim::wire::ArenaOffset;
use rustix::io::Errno;

use crate::arena::PAGE;
use crate::descriptors::{self, Taken};
use crate::gpu::Result;
use crate::inside::Inside;
use crate::mappings::Mapping;
use crate::paths::shim;
use crate::uapi::Call;
use crate::user::{UserPointer, descriptor};
use crate::world::{forked, world};

/// The function that would have been called without us.
macro_rules! next {
    ($name:expr, $kind:ty) => {{
        static NEXT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
        let mut next = NEXT.load(Ordering::Relaxed);
        if next.is_null() {
            let name: &CStr = $name;
            // SAFETY: a name with its end.
            next = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            assert!(!next.is_null(), "the C library has no {name:?}");
            NEXT.store(next, Ordering::Relaxed);
        }
        // SAFETY: the C library's function of this name has this type.
        unsafe { std::mem::transmute::<*mut c_void, $kind>(next) }
    }};
}

fn set_errno(error: Errno) {
    // SAFETY: it points to this thread's own.
    unsafe { *libc::__errno_location() = error.raw_os_error() };
}

/// What a call gives back, with `errno` as it should be. A panic is `EIO`.
fn outcome<T>(failed: T, body: impl FnOnce() -> Result<T>) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Errno::IO));
    outcome.unwrap_or_else(|error| {
        set_errno(error);
        failed
    })
}

/// Where a path leads: itself, or into the tree.
///
/// # Safety
/// `path` is null or a string.
unsafe fn lead<T>(path: *const c_char, with: impl FnOnce(*const c_char) -> T) -> T {
    let Some(inside) = Inside::enter().filter(|_| !path.is_null()) else { return with(path) };
    // SAFETY: not null, so a string.
    let elsewhere = catch_unwind(|| shim()?.redirect(unsafe { CStr::from_ptr(path) }));
    drop(inside);
    match elsewhere.ok().flatten() {
        Some(elsewhere) => with(elsewhere.as_ptr()),
        None => with(path),
    }
}

// Paths.

/// A descriptor that the kernel has just given: kept, or closed and replaced by a DRM file's.
fn opened(number: c_int, flags: c_int) -> c_int {
    static ONCE: Once = Once::new();
    let Some(_inside) = Inside::enter().filter(|_| number >= 0 && shim().is_some()) else {
        return number;
    };
    outcome(-1, || {
        let path_only = flags & libc::O_PATH != 0;
        let node = if path_only { None } else { descriptors::node(descriptor(number)?)? };
        let Some(node) = node else { return Ok(number) };
        ONCE.call_once(|| {
            // SAFETY: the handler only adds to an atomic. Without memory for it, a child shares the connection.
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
        // SAFETY: it was opened a moment ago, and nobody has seen it.
        unsafe { rustix::io::close(number) };
        Ok(descriptors::open_drm(node, flags & libc::O_CLOEXEC != 0)?.into_raw_fd())
    })
}

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;

/// `open` takes its third argument variably; on every Linux that is where a fixed one would be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let next = next!(c"open64", Open);
    // SAFETY: as our caller promises.
    opened(unsafe { lead(path, |path| next(path, flags, mode)) }, flags)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { open64(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { open64(path, flags, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { open64(path, flags, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    let next = next!(c"openat64", OpenAt);
    // SAFETY: as our caller promises.
    opened(unsafe { lead(path, |path| next(at, path, flags, mode)) }, flags)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { openat64(at, path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __openat64_2(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { openat64(at, path, flags, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __openat_2(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as our caller promises.
    unsafe { openat64(at, path, flags, 0) }
}

/// Functions that take a path first and are only led elsewhere.
macro_rules! led {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $back:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char $(, $arg: $kind)*) -> $back {
            const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };
            let next = next!(NAME, unsafe extern "C" fn(*const c_char $(, $kind)*) -> $back);
            // SAFETY: as our caller promises.
            unsafe { lead(path, |path| next(path $(, $arg)*)) }
        }
    )*};
}

type Filter = Option<unsafe extern "C" fn(*const libc::dirent64) -> c_int>;
type Compare =
    Option<unsafe extern "C" fn(*mut *const libc::dirent64, *mut *const libc::dirent64) -> c_int>;

led! {
    access(mode: c_int) -> c_int;
    readlink(to: *mut c_char, room: usize) -> isize;
    opendir() -> *mut libc::DIR;
    scandir(list: *mut *mut *mut libc::dirent64, filter: Filter, compare: Compare) -> c_int;
    scandir64(list: *mut *mut *mut libc::dirent64, filter: Filter, compare: Compare) -> c_int;
    fopen(mode: *const c_char) -> *mut libc::FILE;
    fopen64(mode: *const c_char) -> *mut libc::FILE;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn faccessat(
    at: c_int,
    path: *const c_char,
    mode: c_int,
    flags: c_int,
) -> c_int {
    type Next = unsafe extern "C" fn(c_int, *const c_char, c_int, c_int) -> c_int;
    let next = next!(c"faccessat", Next);
    // SAFETY: as our caller promises.
    unsafe { lead(path, |path| next(at, path, mode, flags)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn readlinkat(
    at: c_int,
    path: *const c_char,
    to: *mut c_char,
    room: usize,
) -> isize {
    type Next = unsafe extern "C" fn(c_int, *const c_char, *mut c_char, usize) -> isize;
    let next = next!(c"readlinkat", Next);
    // SAFETY: as our caller promises.
    unsafe { lead(path, |path| next(at, path, to, room)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realpath(path: *const c_char, to: *mut c_char) -> *mut c_char {
    type Next = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;
    let next = next!(c"realpath", Next);
    // SAFETY: as our caller promises.
    let real = unsafe { lead(path, |path| next(path, to)) };
    let inside = Inside::enter();
    if let (Some(_), Some(shim), false) = (inside, shim(), real.is_null()) {
        // SAFETY: it is a string that was just written, in memory of the caller or for it. What is left of it is moved to
        // its beginning: within the same string.
        unsafe {
            let rest = shim.without_root(CStr::from_ptr(real));
            ptr::copy(rest.as_ptr(), real, rest.to_bytes_with_nul().len());
        }
    }
    real
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __realpath_chk(
    path: *const c_char,
    to: *mut c_char,
    _room: usize,
) -> *mut c_char {
    // SAFETY: as our caller promises; that there is room for any path is checked by the compiler that emits this.
    unsafe { realpath(path, to) }
}

// What a file is.

/// The node and DRM files are a character device.
///
/// # Safety
/// Where the call has gone well, `to` points to what it wrote.
unsafe fn patched(status: c_int, to: *mut libc::stat64) -> c_int {
    let inside = Inside::enter();
    if status == 0 && inside.is_some() && shim().is_some() {
        // SAFETY: as our caller promises.
        let stat = unsafe { &mut *to };
        if let Some(node) = descriptors::node_of(stat.st_dev, stat.st_ino) {
            stat.st_mode = libc::S_IFCHR | 0o666;
            stat.st_rdev = node.number();
            stat.st_size = 0;
        }
    }
    status
}

type Stat = unsafe extern "C" fn(*const c_char, *mut libc::stat64) -> c_int;
type FStat = unsafe extern "C" fn(c_int, *mut libc::stat64) -> c_int;
type FStatAt = unsafe extern "C" fn(c_int, *const c_char, *mut libc::stat64, c_int) -> c_int;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn stat64(path: *const c_char, to: *mut libc::stat64) -> c_int {
    let next = next!(c"stat64", Stat);
    // SAFETY: as our caller promises.
    unsafe { patched(lead(path, |path| next(path, to)), to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn stat(path: *const c_char, to: *mut libc::stat64) -> c_int {
    // SAFETY: as our caller promises; both structures are one on 64-bit machines.
    unsafe { stat64(path, to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn lstat64(path: *const c_char, to: *mut libc::stat64) -> c_int {
    let next = next!(c"lstat64", Stat);
    // SAFETY: as our caller promises.
    unsafe { patched(lead(path, |path| next(path, to)), to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn lstat(path: *const c_char, to: *mut libc::stat64) -> c_int {
    // SAFETY: as our caller promises; both structures are one on 64-bit machines.
    unsafe { lstat64(path, to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fstat64(number: c_int, to: *mut libc::stat64) -> c_int {
    let next = next!(c"fstat64", FStat);
    // SAFETY: as our caller promises.
    unsafe { patched(next(number, to), to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fstat(number: c_int, to: *mut libc::stat64) -> c_int {
    // SAFETY: as our caller promises; both structures are one on 64-bit machines.
    unsafe { fstat64(number, to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fstatat64(
    at: c_int,
    path: *const c_char,
    to: *mut libc::stat64,
    flags: c_int,
) -> c_int {
    let next = next!(c"fstatat64", FStatAt);
    // SAFETY: as our caller promises.
    unsafe { patched(lead(path, |path| next(at, path, to, flags)), to) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fstatat(
    at: c_int,
    path: *const c_char,
    to: *mut libc::stat64,
    flags: c_int,
) -> c_int {
    // SAFETY: as our caller promises; both structures are one on 64-bit machines.
    unsafe { fstatat64(at, path, to, flags) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    to: *mut libc::statx,
) -> c_int {
    type Next =
        unsafe extern "C" fn(c_int, *const c_char, c_int, c_uint, *mut libc::statx) -> c_int;
    let next = next!(c"statx", Next);
    // SAFETY: as our caller promises.
    let status = unsafe { lead(path, |path| next(at, path, flags, mask, to)) };
    let inside = Inside::enter();
    if status == 0 && inside.is_some() && shim().is_some() {
        // SAFETY: the call went well, so it has written there.
        let stat = unsafe { &mut *to };
        let device = libc::makedev(stat.stx_dev_major, stat.stx_dev_minor);
        if let Some(node) = descriptors::node_of(device, stat.stx_ino) {
            stat.stx_mode = (libc::S_IFCHR | 0o666) as u16;
            stat.stx_rdev_major = libc::major(node.number());
            stat.stx_rdev_minor = libc::minor(node.number());
            stat.stx_size = 0;
        }
    }
    status
}

// Descriptors.

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(number: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let call = Call(request as u32);
    let pointer = UserPointer(argument.expose_provenance() as u64);
    let inside = Inside::enter();
    let mine = inside.is_some() && number >= 0 && descriptors::may_concern(call);
    let taken = catch_unwind(|| match mine && shim().is_some() {
        true => descriptors::call(number, call, pointer),
        false => Taken::No,
    });
    drop(inside);
    match taken.unwrap_or(Taken::Yes(Err(Errno::IO))) {
        Taken::Yes(result) => outcome(-1, || result),
        Taken::No => {
            type Next = unsafe extern "C" fn(c_int, c_ulong, ...) -> c_int;
            let next = next!(c"ioctl", Next);
            // SAFETY: as our caller promises.
            unsafe { next(number, request, argument) }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(number: c_int) -> c_int {
    let inside = Inside::enter();
    let inode = inside.as_ref().and_then(|_| descriptors::closing(number));
    let next = next!(c"close", unsafe extern "C" fn(c_int) -> c_int);
    // SAFETY: as our caller promises.
    let status = unsafe { next(number) };
    if let Some(inode) = inode {
        let _ = catch_unwind(|| descriptors::closed(inode));
    }
    status
}

type MMap = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    address: *mut c_void,
    bytes: usize,
    access: c_int,
    flags: c_int,
    number: c_int,
    offset: i64,
) -> *mut c_void {
    let next = next!(c"mmap64", MMap);
    // SAFETY: as our caller promises; it may be another file than the caller's.
    let plain = |number, offset| unsafe { next(address, bytes, access, flags, number, offset) };
    let Some(_inside) = Inside::enter() else { return plain(number, offset) };
    let file = if number < 0 || flags & libc::MAP_ANONYMOUS != 0 {
        None
    } else {
        descriptors::drm_file(number)
    };
    let covered = (bytes as u64).next_multiple_of(PAGE);
    let Some(file) = file else {
        let start = plain(number, offset);
        if flags & libc::MAP_FIXED != 0 && start != libc::MAP_FAILED {
            forget(start, covered);
        }
        return start;
    };
    outcome(libc::MAP_FAILED, || {
        let at = u64::try_from(offset).map_err(|_| Errno::INVAL)?;
        if let Some((own, offset)) = file.mapped_memory(at, covered)? {
            let own_number = std::os::fd::AsRawFd::as_raw_fd(&own);
            return Ok(plain(own_number, offset as i64));
        }
        let start = plain(number, offset);
        if start != libc::MAP_FAILED {
            let at = ArenaOffset(at);
            let mapping = Mapping { bytes: covered, arena: file.arena, at, access };
            world().mappings().add(start.expose_provenance() as u64, mapping);
        }
        Ok(start)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    address: *mut c_void,
    bytes: usize,
    access: c_int,
    flags: c_int,
    number: c_int,
    offset: i64,
) -> *mut c_void {
    // SAFETY: as our caller promises.
    unsafe { mmap64(address, bytes, access, flags, number, offset) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn munmap(address: *mut c_void, bytes: usize) -> c_int {
    let next = next!(c"munmap", unsafe extern "C" fn(*mut c_void, usize) -> c_int);
    // Before: as soon as it is unmapped, others may get the range.
    if let Some(_inside) = Inside::enter() {
        forget(address, (bytes as u64).next_multiple_of(PAGE));
    }
    // SAFETY: as our caller promises.
    unsafe { next(address, bytes) }
}

/// A range shows no buffer any more.
fn forget(address: *mut c_void, bytes: u64) {
    if shim().is_some() {
        let mut mappings = world().mappings();
        if !mappings.is_empty() {
            mappings.remove(address.expose_provenance() as u64, bytes);
        }
    }
}
