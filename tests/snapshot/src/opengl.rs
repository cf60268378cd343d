//! OpenGL: a frame ends with its buffers' swap, or, off screen, when the program waits for it.

#![expect(unreachable_pub, reason = "exported as symbols")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use crate::frames::{self, Picture};
use crate::next::next;

const VIEWPORT: c_uint = 0x0ba2;
const RENDERER: c_uint = 0x1f01;
const RGBA: c_uint = 0x1908;
const UNSIGNED_BYTE: c_uint = 0x1401;

type GetProcAddress = unsafe extern "C" fn(*const c_char) -> *const c_void;
type SwapBuffers = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_uint;
type GetIntegerv = unsafe extern "C" fn(c_uint, *mut c_int);
type GetString = unsafe extern "C" fn(c_uint) -> *const c_char;
type ReadPixels = unsafe extern "C" fn(c_int, c_int, c_int, c_int, c_uint, c_uint, *mut c_void);

/// EGL's own.
fn find() -> GetProcAddress {
    next!(c"eglGetProcAddress" in c"libEGL.so.1", GetProcAddress)
}

/// What stands in front of a function, for who looks it up by name.
pub(crate) fn ours(name: &CStr) -> Option<*mut c_void> {
    match name.to_bytes() {
        b"eglGetProcAddress" => Some(eglGetProcAddress as *mut c_void),
        b"eglSwapBuffers" => Some(eglSwapBuffers as *mut c_void),
        b"glFinish" => Some(glFinish as *mut c_void),
        _ => None,
    }
}

/// # Safety
/// As EGL's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eglGetProcAddress(name: *const c_char) -> *const c_void {
    // SAFETY: as our caller promises.
    let ours = ours(unsafe { CStr::from_ptr(name) });
    // SAFETY: the same.
    ours.map_or_else(|| unsafe { find()(name) }, <*mut c_void>::cast_const)
}

/// # Safety
/// As EGL's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eglSwapBuffers(display: *mut c_void, surface: *mut c_void) -> c_uint {
    frames::drawn(read);
    let next = next!(c"eglSwapBuffers" in c"libEGL.so.1", SwapBuffers);
    // SAFETY: as our caller promises.
    unsafe { next(display, surface) }
}

/// # Safety
/// As OpenGL's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn glFinish() {
    // SAFETY: EGL knows all of OpenGL's functions, and this one has this type.
    unsafe {
        let next = find()(c"glFinish".as_ptr());
        std::mem::transmute::<*const c_void, unsafe extern "C" fn()>(next)();
    }
    frames::drawn(read);
}

/// What the current framebuffer shows within the viewport.
fn read() -> Picture {
    // SAFETY: EGL knows all of OpenGL's functions, which have these types. The program's context is this thread's current one:
    // it draws. The viewport is four numbers, and the pixels have room for as many as it says.
    unsafe {
        let get: GetIntegerv = std::mem::transmute(find()(c"glGetIntegerv".as_ptr()));
        let read: ReadPixels = std::mem::transmute(find()(c"glReadPixels".as_ptr()));
        let text: GetString = std::mem::transmute(find()(c"glGetString".as_ptr()));
        let driver = CStr::from_ptr(text(RENDERER)).to_string_lossy().into_owned();
        let mut viewport = [0; 4];
        get(VIEWPORT, viewport.as_mut_ptr());
        let [x, y, columns, rows] = viewport;
        let (width, height) = (columns.cast_unsigned(), rows.cast_unsigned());
        let row = width as usize * 4;
        let mut rgba = vec![0_u8; row * height as usize];
        read(x, y, columns, rows, RGBA, UNSIGNED_BYTE, rgba.as_mut_ptr().cast());
        // OpenGL's first row is the lowest.
        let rows = rgba.chunks_exact(row.max(1)).rev();
        let rgb = rows.flat_map(|row| row.as_chunks::<4>().0).flat_map(|[r, g, b, _]| [*r, *g, *b]);
        Picture { width, height, rgb: rgb.collect(), driver }
    }
}
