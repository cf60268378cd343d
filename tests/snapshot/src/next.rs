//! The functions that would have been called without us.

use std::ffi::{CStr, c_void};

/// A function of the libraries behind this one.
///
/// # Panics
/// If there is none of that name: whoever calls ours has linked theirs.
pub(crate) fn address(name: &CStr) -> *const c_void {
    // SAFETY: a name with its end.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!found.is_null(), "no library has {name:?}");
    found
}

/// The same, with the type that its caller knows.
macro_rules! next {
    ($name:literal, $kind:ty) => {{
        static ADDRESS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let address = *ADDRESS.get_or_init(|| crate::next::address($name) as usize);
        // SAFETY: the library's function of this name has this type.
        unsafe { std::mem::transmute::<usize, $kind>(address) }
    }};
}

pub(crate) use next;
