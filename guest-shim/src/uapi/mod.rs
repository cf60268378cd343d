//! What the kernel's public headers say of the DRM and of i915: numbers and layouts, nothing else. The preloaded library
//! answers these calls, silicon on the host's driver makes them.
//!
//! A call is one word: `direction 2 │ size 14 │ type 8 │ number 8`. As the kernel's DRM core does, we go by the number and take
//! the caller's size only for how much to copy: what an older caller doesn't know of is zero.

#![allow(missing_docs, reason = "the headers say what each is")]
#![allow(missing_debug_implementations, reason = "of types that a derive makes for itself")]

pub mod drm;
pub mod i915;

/// The type of all calls of the DRM: 'd'.
pub const DRM: u8 = b'd';
/// The type of the calls of sync files: '>'.
pub const SYNC_FILE: u8 = b'>';
/// The type of the calls of DMA buffers: 'b'.
pub const DMA_BUF: u8 = b'b';

/// An `ioctl`'s second argument, taken apart (asm-generic/ioctl.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(pub u32);

impl Call {
    pub fn number(self) -> u8 {
        self.0 as u8
    }

    pub fn kind(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn bytes(self) -> usize {
        (self.0 >> 16 & 0x3fff) as usize
    }

    /// How much the caller hands in.
    pub fn bytes_in(self) -> usize {
        if self.0 & 1 << 30 == 0 { 0 } else { self.bytes() }
    }

    /// How much it wants back.
    pub fn bytes_out(self) -> usize {
        if self.0 & 1 << 31 == 0 { 0 } else { self.bytes() }
    }
}

/// Plain layouts: any bytes are one, and it has no padding.
macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, Default, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub struct $name {
                $(pub $field: $kind,)*
            }
        )*
    };
}
pub(crate) use layouts;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_taken_apart() {
        // DRM_IOCTL_I915_GETPARAM and DRM_IOCTL_GEM_CLOSE, as strace prints them.
        let getparam = Call(0xc010_6446);
        assert_eq!((getparam.kind(), getparam.number()), (DRM, i915::GETPARAM));
        assert_eq!((getparam.bytes_in(), getparam.bytes_out()), (16, 16));
        let close = Call(0x4008_6409);
        assert_eq!((close.number(), close.bytes_in(), close.bytes_out()), (drm::GEM_CLOSE, 8, 0));
    }
}
