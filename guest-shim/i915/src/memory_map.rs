//! Mappings that this library makes in the application's address space.

#![expect(unsafe_code, reason = "mappings")]

use std::os::fd::BorrowedFd;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags};

use crate::gpu::Result;

/// Maps part of a file somewhere, to read and to write.
pub(crate) fn map(file: BorrowedFd<'_>, at: u64, bytes: u64) -> Result<u64> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, where the kernel likes it, disturbs nothing.
    let start = unsafe {
        rustix::mm::mmap(ptr::null_mut(), bytes as usize, access, MapFlags::SHARED, file, at)?
    };
    Ok(start.expose_provenance() as u64)
}

/// Maps part of a file over what the application has at an address: memory with the same content, by its own wish. Nothing
/// of this library's is ever there: a Rust object never lies in memory that an application hands to the GPU or has mapped
/// itself.
pub(crate) fn map_over(
    address: u64,
    bytes: u64,
    access: i32,
    file: BorrowedFd<'_>,
    at: u64,
) -> Result<()> {
    let access = ProtFlags::from_bits_truncate(access.cast_unsigned());
    let start = ptr::with_exposed_provenance_mut(address as usize);
    let flags = MapFlags::SHARED | MapFlags::FIXED;
    // SAFETY: see above; the range was mapped before, and shows the same bytes afterwards.
    unsafe { rustix::mm::mmap(start, bytes as usize, access, flags, file, at)? };
    Ok(())
}
