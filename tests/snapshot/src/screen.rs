//! A screen (KMS): a frame ends when the next one is to be shown.

#![expect(unreachable_pub, reason = "exported as symbols")]

use std::ffi::{c_int, c_void};

use crate::frames;
use crate::next::next;

type PageFlip = unsafe extern "C" fn(c_int, u32, u32, u32, *mut c_void) -> c_int;

/// # Safety
/// As libdrm's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drmModePageFlip(
    card: c_int,
    pipe: u32,
    buffer: u32,
    flags: u32,
    data: *mut c_void,
) -> c_int {
    frames::shown();
    let next = next!(c"drmModePageFlip" in c"libdrm.so.2", PageFlip);
    // SAFETY: as our caller promises.
    unsafe { next(card, pipe, buffer, flags, data) }
}
