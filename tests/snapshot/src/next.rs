//! The functions that would have been called without us, and programs that look up ours by name.
//!
//! Some programs open their libraries when they run, so that nothing stands in front of those: they look up functions in them
//! (`dlsym`) and ask EGL for others (`eglGetProcAddress`).

#![expect(unreachable_pub, reason = "exported as symbols")]

use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

use crate::opengl;

type Find = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// The C library's `dlsym`, under the name of version that it has had on x86-64 from the beginning.
extern "C" fn find() -> Find {
    static FIND: OnceLock<usize> = OnceLock::new();
    let address = *FIND.get_or_init(|| {
        // SAFETY: names with their ends.
        let found =
            unsafe { libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), c"GLIBC_2.2.5".as_ptr()) };
        assert!(!found.is_null(), "the C library has no dlsym");
        found as usize
    });
    // SAFETY: the C library's function of this name has this type.
    unsafe { std::mem::transmute::<usize, Find>(address) }
}

/// A function of the libraries behind this one, or null.
pub(crate) fn address(name: &CStr) -> *const c_void {
    // SAFETY: a name with its end.
    unsafe { find()(libc::RTLD_NEXT, name.as_ptr()) }
}

/// A function of a library's that may have been opened by somebody for himself.
///
/// # Panics
/// If there is none: whoever calls ours has found theirs.
pub(crate) fn address_in(library: &CStr, name: &CStr) -> *const c_void {
    // SAFETY: names with their ends; the library is open, and stays so.
    let found = unsafe {
        let library = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY);
        find()(library, name.as_ptr())
    };
    assert!(!found.is_null(), "{library:?} has no {name:?}");
    found
}

/// A function behind this library, with the type that its caller knows; of a library named, if need be.
macro_rules! next {
    ($name:literal, $kind:ty) => {
        crate::next::next!(@ $kind, crate::next::address($name))
    };
    ($name:literal in $library:literal, $kind:ty) => {
        crate::next::next!(@ $kind, crate::next::address_in($library, $name))
    };
    (@ $kind:ty, $address:expr) => {{
        static ADDRESS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let address = *ADDRESS.get_or_init(|| {
            let address = $address;
            assert!(!address.is_null(), "no library has it");
            address as usize
        });
        // SAFETY: the library's function of this name has this type.
        unsafe { std::mem::transmute::<usize, $kind>(address) }
    }};
}

pub(crate) use next;

/// # Safety
/// As `dlsym`, for a library.
unsafe extern "C" fn find_in(library: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: as our caller promises.
    let found = unsafe { find()(library, name) };
    // SAFETY: the same.
    let ours = || opengl::ours(unsafe { CStr::from_ptr(name) });
    if found.is_null() { found } else { ours().unwrap_or(found) }
}

/// What comes "next" depends on who asks: such calls go on as they are. The stack is aligned to 16 bytes at the call within.
///
/// # Safety
/// As the C library's.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlsym(_: *mut c_void, _: *const c_char) -> *mut c_void {
    naked_asm!(
        "cmp rdi, -1", // RTLD_NEXT
        "jne {find_in}",
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {find}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        find_in = sym find_in,
        find = sym find,
    )
}
