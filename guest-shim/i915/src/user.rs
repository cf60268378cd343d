//! The application's memory, which its pointers may or may not name.
//!
//! A bad pointer is `EFAULT` for an `ioctl`, not a crash: so the kernel does the copying (`process_vm_readv` on ourselves), and
//! nothing here is a dereference. Where a sandbox forbids that call, or it fails, a pipe serves: `write` checks a pointer as well.

#![expect(unsafe_code, reason = "system calls that take an application's pointers")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::gpu::Result;

/// An address in the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserPointer(pub(crate) u64);

/// What goes through a pipe at a time: what fits without anybody reading.
const CHUNK: usize = 4096;

impl UserPointer {
    pub(crate) fn offset(self, bytes: u64) -> Result<Self> {
        self.0.checked_add(bytes).map(Self).ok_or(Errno::FAULT)
    }

    fn pointer(self) -> *mut libc::c_void {
        std::ptr::with_exposed_provenance_mut(self.0 as usize)
    }

    fn part(self, bytes: usize) -> libc::iovec {
        libc::iovec { iov_base: self.pointer(), iov_len: bytes }
    }

    /// Copies from the application.
    pub(crate) fn read_bytes(self, to: &mut [u8]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
        let remote = self.part(to.len());
        // SAFETY: `local` is a slice of ours that may be written; the kernel checks `remote`.
        let count = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
        if all(count, to.len()) { Ok(()) } else { self.read_through_pipe(to) }
    }

    /// Copies to the application.
    pub(crate) fn write_bytes(self, from: &[u8]) -> Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        let local = libc::iovec { iov_base: from.as_ptr().cast_mut().cast(), iov_len: from.len() };
        let remote = self.part(from.len());
        // SAFETY: `local` is only read; the kernel checks `remote`, which the application asked to have written.
        let count = unsafe { libc::process_vm_writev(libc::getpid(), &local, 1, &remote, 1, 0) };
        if all(count, from.len()) { Ok(()) } else { self.write_through_pipe(from) }
    }

    pub(crate) fn read<T: FromBytes + IntoBytes>(self) -> Result<T> {
        let mut value = T::new_zeroed();
        self.read_bytes(value.as_mut_bytes())?;
        Ok(value)
    }

    pub(crate) fn write<T: IntoBytes + Immutable>(self, value: &T) -> Result<()> {
        self.write_bytes(value.as_bytes())
    }

    /// An array. Its memory is only taken if the first and the last element are there to be read.
    pub(crate) fn read_array<T: FromBytes + IntoBytes + Clone>(
        self,
        count: usize,
    ) -> Result<Vec<T>> {
        let Some(last) = count.checked_sub(1) else { return Ok(Vec::new()) };
        let last = last.checked_mul(size_of::<T>()).ok_or(Errno::INVAL)?;
        self.offset(last as u64)?.read::<T>()?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| Errno::NOMEM)?;
        values.resize(count, T::new_zeroed());
        self.read_bytes(values.as_mut_slice().as_mut_bytes())?;
        Ok(values)
    }

    /// Copies from a file to the application, all or `EFAULT`.
    pub(crate) fn read_from(self, file: BorrowedFd<'_>, at: u64, bytes: u64) -> Result<()> {
        self.move_all(at, bytes, |pointer, bytes, at| {
            // SAFETY: the kernel checks the pointer, which the application asked to have written.
            unsafe { libc::pread64(file.as_raw_fd(), pointer, bytes, at) }
        })
    }

    /// Copies from the application to a file, all or `EFAULT`.
    pub(crate) fn write_to(self, file: BorrowedFd<'_>, at: u64, bytes: u64) -> Result<()> {
        self.move_all(at, bytes, |pointer, bytes, at| {
            // SAFETY: the kernel checks the pointer and only reads there.
            unsafe { libc::pwrite64(file.as_raw_fd(), pointer, bytes, at) }
        })
    }

    fn move_all(
        self,
        at: u64,
        bytes: u64,
        step: impl Fn(*mut libc::c_void, usize, i64) -> isize,
    ) -> Result<()> {
        let mut done = 0;
        while done < bytes {
            let here = self.offset(done)?.pointer();
            let at = i64::try_from(at.saturating_add(done)).map_err(|_| Errno::INVAL)?;
            match step(here, (bytes - done) as usize, at) {
                0 => return Err(Errno::FAULT),
                count if count > 0 => done += count as u64,
                _ => match last_error() {
                    Errno::INTR => {}
                    error => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn read_through_pipe(self, to: &mut [u8]) -> Result<()> {
        let (reader, writer) = pipe()?;
        for (index, chunk) in to.chunks_mut(CHUNK).enumerate() {
            let from = self.offset((index * CHUNK) as u64)?.pointer();
            // SAFETY: the kernel checks the pointer and only reads there.
            let count = unsafe { libc::write(writer.as_raw_fd(), from, chunk.len()) };
            if usize::try_from(count) != Ok(chunk.len()) {
                return Err(Errno::FAULT);
            }
            rustix::io::read(reader.as_fd(), chunk)?;
        }
        Ok(())
    }

    fn write_through_pipe(self, from: &[u8]) -> Result<()> {
        let (reader, writer) = pipe()?;
        for (index, chunk) in from.chunks(CHUNK).enumerate() {
            let to = self.offset((index * CHUNK) as u64)?.pointer();
            rustix::io::write(writer.as_fd(), chunk)?;
            // SAFETY: the kernel checks the pointer, which the application asked to have written.
            let count = unsafe { libc::read(reader.as_raw_fd(), to, chunk.len()) };
            if usize::try_from(count) != Ok(chunk.len()) {
                return Err(Errno::FAULT);
            }
        }
        Ok(())
    }
}

/// A descriptor of the application's, for the length of a call.
pub(crate) fn descriptor(number: i32) -> Result<BorrowedFd<'static>> {
    if number < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: not -1. It need not be open, and nobody relies on that: it is only handed to system calls, which check.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Makes an open descriptor of the application's one of another file.
pub(crate) fn duplicate_over(
    file: BorrowedFd<'_>,
    number: i32,
    flags: rustix::io::DupFlags,
) -> Result<()> {
    // SAFETY: dropped nowhere: the application goes on owning the number, whatever is behind it.
    let mut over = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    rustix::io::dup3(file, &mut over, flags)
}

fn last_error() -> Errno {
    let error = std::io::Error::last_os_error();
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
}

/// Whether all was copied. If not, the pipe has the last word: memory that may only be written to is refused here, but no
/// `ioctl` minds.
fn all(count: isize, bytes: usize) -> bool {
    usize::try_from(count) == Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T>(value: &mut T) -> UserPointer {
        UserPointer(std::ptr::from_mut(value).expose_provenance() as u64)
    }

    #[test]
    fn good_pointers_are_followed_and_bad_ones_are_faults() {
        let mut words = [1_u32, 2, 3];
        assert_eq!(of(&mut words).read::<[u32; 3]>(), Ok([1, 2, 3]));
        assert_eq!(of(&mut words).read_array::<u32>(3), Ok(vec![1, 2, 3]));
        of(&mut words).offset(4).unwrap().write(&7_u32).unwrap();
        assert_eq!(of(&mut words).read_array::<u32>(3), Ok(vec![1, 7, 3]));
        for bad in [0, 8, u64::MAX - 64] {
            assert_eq!(UserPointer(bad).read::<u64>(), Err(Errno::FAULT));
            assert_eq!(UserPointer(bad).write(&1_u64), Err(Errno::FAULT));
        }
        assert!(UserPointer(0x1000).read_array::<u64>(1 << 40).is_err(), "no memory taken");
        assert_eq!(UserPointer(0).read_array::<u64>(0), Ok(Vec::new()));
    }

    #[test]
    fn the_pipe_does_the_same() {
        let mut page: Vec<u8> = (0..10_000).map(|n| n as u8).collect();
        let pointer = UserPointer(page.as_mut_ptr().expose_provenance() as u64);
        let mut copy = vec![0; page.len()];
        pointer.read_through_pipe(&mut copy).unwrap();
        assert_eq!(copy, page);
        copy.reverse();
        pointer.write_through_pipe(&copy).unwrap();
        assert_eq!(pointer.read_array::<u8>(10_000), Ok(copy));
        assert_eq!(UserPointer(8).read_through_pipe(&mut [0; 4]), Err(Errno::FAULT));
        assert_eq!(UserPointer(8).write_through_pipe(&[0; 4]), Err(Errno::FAULT));
    }
}
