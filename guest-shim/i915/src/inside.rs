//! Whether a thread is in this library already.
//!
//! Most of our own system calls are made by `rustix`, but Rust's standard library closes descriptors, and maps memory for
//! threads, through the C library: through the symbols that we stand in front of. Those calls are not the application's.

use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// As long as it lives, the thread's calls go straight to the C library.
pub(crate) struct Inside(());

impl Inside {
    /// `None`: the thread is inside.
    pub(crate) fn enter() -> Option<Self> {
        // A thread that ends has no such variable any more: what it does then is not the application's either.
        let entered = INSIDE.try_with(|inside| !inside.replace(true)).unwrap_or(false);
        entered.then_some(Self(()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(false));
    }
}
