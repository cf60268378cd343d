//! The program's clock: each frame takes a sixtieth of a second.
//!
//! Who asks is told apart by where the call will return to: into the program itself, or into a library of its.

#![expect(unreachable_pub, reason = "exported as symbols")]

use std::arch::naked_asm;
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::OnceLock;

use crate::frames;
use crate::next::next;

const PER_SECOND: u64 = 60;
/// Some time or other, at which programs begin.
const BEGIN: u64 = 1_000_000;

/// Seconds, and billionths of one.
fn now() -> (i64, i64) {
    let frames = frames::ended();
    let nanoseconds = frames % PER_SECOND * 1_000_000_000 / PER_SECOND;
    ((BEGIN + frames / PER_SECOND) as i64, nanoseconds as i64)
}

/// Where the program itself lies: not its libraries.
fn program() -> &'static Range<usize> {
    static PROGRAM: OnceLock<Range<usize>> = OnceLock::new();
    /// The first that is told of is the program.
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _: usize,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: the caller describes a loaded object, whose headers are there.
        let (base, headers) = unsafe {
            let info = &*info;
            let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
            (info.dlpi_addr as usize, headers)
        };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let end = loaded.map(|header| (header.p_vaddr + header.p_memsz) as usize).max();
        // SAFETY: it is the range that we passed.
        unsafe { *found.cast::<Range<usize>>() = base..base + end.unwrap_or(0) };
        1
    }
    PROGRAM.get_or_init(|| {
        let mut found = 0..0;
        // SAFETY: `first` takes a range.
        unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut found).cast()) };
        found
    })
}

fn is_told(caller: usize) -> bool {
    frames::are_counted() && program().contains(&caller)
}

/// # Safety
/// As `clock_gettime`, with the address to which the call returns.
unsafe extern "C" fn clock_gettime_for(
    clock: libc::clockid_t,
    at: *mut libc::timespec,
    caller: usize,
) -> c_int {
    if !is_told(caller) {
        let next = next!(
            c"clock_gettime",
            unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int
        );
        // SAFETY: as our caller promises.
        return unsafe { next(clock, at) };
    }
    let (tv_sec, tv_nsec) = now();
    // SAFETY: as our caller promises.
    unsafe { *at = libc::timespec { tv_sec, tv_nsec } };
    0
}

/// # Safety
/// As `gettimeofday`, with the address to which the call returns.
unsafe extern "C" fn gettimeofday_for(
    at: *mut libc::timeval,
    zone: *mut c_void,
    caller: usize,
) -> c_int {
    if !is_told(caller) {
        let next =
            next!(c"gettimeofday", unsafe extern "C" fn(*mut libc::timeval, *mut c_void) -> c_int);
        // SAFETY: as our caller promises.
        return unsafe { next(at, zone) };
    }
    let (tv_sec, nanoseconds) = now();
    // SAFETY: as our caller promises.
    unsafe { *at = libc::timeval { tv_sec, tv_usec: nanoseconds / 1000 } };
    0
}

// Both take two arguments, in rdi and rsi. The third, rdx, becomes what the call will return to; the rest stays as it is.

/// # Safety
/// As the C library's.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(_: libc::clockid_t, _: *mut libc::timespec) -> c_int {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym clock_gettime_for)
}

/// # Safety
/// As the C library's.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(_: *mut libc::timeval, _: *mut c_void) -> c_int {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym gettimeofday_for)
}
