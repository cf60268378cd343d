//! What happens when guest memory vanishes under the daemon's feet.
//!
//! Guest memory is a file of the VMM. If the file shrinks (or a huge page cannot be had), the next access here raises
//! SIGBUS, which would end the daemon and every guest with it. So a handler looks the address up in a table of all
//! guest mappings; inside one it puts zeros where memory was and marks the mapping, whose VM is then cut off.
//! Anything else is a defect of the daemon and goes to the handler that was there before.
//!
//! The handler may run at any instruction of any thread, so it takes no lock and no memory: the table has a fixed
//! size, and each slot is guarded by a sequence number.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Guest mappings of the whole process.
const SLOTS: usize = 8192;

/// A guest mapping as the handler sees it.
struct Slot {
    /// Whether the slot belongs to a [`Guard`].
    taken: AtomicBool,
    /// Even while the other fields are valid.
    sequence: AtomicUsize,
    start: AtomicUsize,
    len: AtomicUsize,
    granule: AtomicUsize,
    tripped: AtomicBool,
}

impl Slot {
    const fn free() -> Self {
        Self {
            taken: AtomicBool::new(false),
            sequence: AtomicUsize::new(1),
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            granule: AtomicUsize::new(1),
            tripped: AtomicBool::new(false),
        }
    }

    /// Start, length and granule, unless they are just changing. A mapping in which some thread faults is in use and
    /// so never changes: a slot that does is not the one that the handler looks for.
    fn range(&self) -> Option<(usize, usize, usize)> {
        let before = self.sequence.load(Ordering::SeqCst);
        let range = (
            self.start.load(Ordering::SeqCst),
            self.len.load(Ordering::SeqCst),
            self.granule.load(Ordering::SeqCst),
        );
        let after = self.sequence.load(Ordering::SeqCst);
        (before == after && before & 1 == 0).then_some(range)
    }
}

static TABLE: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];

/// The action that was there before this one.
static FORMER: OnceLock<libc::sigaction> = OnceLock::new();

/// Keeps one mapping in the table.
#[derive(Debug)]
pub(super) struct Guard {
    slot: &'static Slot,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("tripped", &self.tripped).finish_non_exhaustive()
    }
}

impl Guard {
    /// Guards `len` bytes from `start`, whose pages are `granule` bytes each. `None` when the table is full.
    ///
    /// # Safety
    /// From now until the guard is dropped the range must be one or several mappings that hold nothing but a guest's
    /// bytes, all three values must be multiples of the mappings' page size, and `granule` a power of two.
    pub(super) unsafe fn new(start: usize, len: usize, granule: usize) -> Option<Self> {
        let free = |slot: &&Slot| {
            let taken = &slot.taken;
            taken.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let slot = TABLE.iter().find(free)?;
        slot.start.store(start, Ordering::SeqCst);
        slot.len.store(len, Ordering::SeqCst);
        slot.granule.store(granule, Ordering::SeqCst);
        slot.tripped.store(false, Ordering::SeqCst);
        slot.sequence.fetch_add(1, Ordering::SeqCst);
        Some(Self { slot })
    }

    /// Whether memory vanished here.
    pub(super) fn tripped(&self) -> bool {
        self.slot.tripped.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.slot.sequence.fetch_add(1, Ordering::SeqCst);
        self.slot.taken.store(false, Ordering::SeqCst);
    }
}

/// Installs the handler, once per process.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: all zeros is a valid sigaction, a plain C struct.
        let (mut former, mut action): (libc::sigaction, libc::sigaction) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: asks for the action of a valid signal; `former` is ours to be written to.
        let asked = unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut former) };
        if asked != 0 {
            return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
        }
        FORMER.get_or_init(|| former);
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: `action` is whole: its handler has the signature that SA_SIGINFO asks for and does only what is
        // allowed in a signal handler, its mask is empty.
        let set = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
        if set != 0 {
            return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
        }
        Ok(())
    });
    installed.map_err(io::Error::from_raw_os_error)
}

extern "C" fn on_sigbus(signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid siginfo to a SA_SIGINFO handler.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    // A positive code is the kernel's own: then the address means something.
    let by_kernel = code > 0;
    if by_kernel && put_zeros(address) {
        return;
    }
    // A fault repeats itself when this handler returns, and then meets the former action. A signal that somebody sent
    // must be sent again, and ends the process: std's own handler would swallow it.
    // SAFETY: all zeros is the default action; the former one is what the kernel gave us. Both calls may be made in a
    // signal handler.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        let former = FORMER.get().filter(|_| by_kernel).unwrap_or(&default);
        libc::sigaction(signal, former, std::ptr::null_mut());
        if !by_kernel {
            libc::raise(signal);
        }
    }
}

/// Puts zeros from the page of `address` to the end of its guest mapping. `false` if it is in none.
fn put_zeros(address: usize) -> bool {
    for slot in &TABLE {
        let Some((start, len, granule)) = slot.range() else { continue };
        let inside = address.wrapping_sub(start);
        if inside >= len {
            continue;
        }
        let gone = inside & !granule.wrapping_sub(1);
        // SAFETY: the guard's contract: the range is a guest mapping in use (a thread faulted in it), whose content
        // nobody relies on. mmap is a bare system call here.
        let zeros = unsafe {
            libc::mmap(
                start.wrapping_add(gone) as *mut libc::c_void,
                len.wrapping_sub(gone),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        slot.tripped.store(true, Ordering::SeqCst);
        return zeros != libc::MAP_FAILED;
    }
    false
}
