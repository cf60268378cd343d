//! The kernel's DRM interface, as far as the checks use it: argument structures and request numbers.
//!
//! Layouts and numbers are those of the kernel's public headers `drm.h`, `drm_mode.h` and
//! `i915_drm.h`; fields keep the names they have there.

use std::mem::size_of;

/// An argument of a DRM request.
pub(crate) trait Argument {
    /// The whole request number: direction, size, type and command.
    const REQUEST: u32;
}

/// An argument through which the kernel reaches no memory but the argument itself.
///
/// # Safety
///
/// No field may be an address that the kernel follows, and `REQUEST` must carry the type's size.
pub(crate) unsafe trait PointerFree: Argument {}

const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ_WRITE: u32 = 3;
/// Where driver-specific commands start.
const I915: u32 = 0x40;

const fn request(direction: u32, number: u32, size: usize) -> u32 {
    direction << 30 | (size as u32) << 16 | (b'd' as u32) << 8 | number
}

macro_rules! argument {
    ($type:ident, $direction:expr, $number:expr, pointers) => {
        impl Argument for $type {
            const REQUEST: u32 = request($direction, $number, size_of::<$type>());
        }
    };
    ($type:ident, $direction:expr, $number:expr) => {
        argument!($type, $direction, $number, pointers);
        // SAFETY: the structure holds only plain numbers, and its size is in the request.
        unsafe impl PointerFree for $type {}
    };
}

macro_rules! structures {
    ($($(#[$doc:meta])* struct $name:ident { $($field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
    )* };
}

structures! {
    /// `DRM_IOCTL_SET_MASTER` takes no argument.
    struct SetMaster {}
    struct GemClose { handle: u32, pad: u32 }
    struct GetParam { param: i32, pad: u32, value: u64 }
    struct GemCreate { size: u64, handle: u32, pad: u32 }
    struct GemMmapOffset { handle: u32, pad: u32, offset: u64, flags: u64, extensions: u64 }
    struct GemSetDomain { handle: u32, read_domains: u32, write_domain: u32 }
    struct GemSetTiling { handle: u32, tiling_mode: u32, stride: u32, swizzle_mode: u32 }
    struct GemBusy { handle: u32, busy: u32 }
    struct GemWait { bo_handle: u32, flags: u32, timeout_ns: i64 }
    struct GemContextCreate { ctx_id: u32, pad: u32 }
    struct GemContextDestroy { ctx_id: u32, pad: u32 }
    struct GemContextGetParam { ctx_id: u32, size: u32, param: u64, value: u64 }
    /// The kernel's `drm_i915_gem_context_param`, for parameters whose value is a number.
    struct GemContextSetParam { ctx_id: u32, size: u32, param: u64, value: u64 }
    struct GetResetStats {
        ctx_id: u32, flags: u32, reset_count: u32, batch_active: u32, batch_pending: u32, pad: u32,
    }
    struct ExecObject {
        handle: u32, relocation_count: u32, relocs_ptr: u64, alignment: u64, offset: u64,
        flags: u64, rsvd1: u64, rsvd2: u64,
    }
    struct ExecBuffer2 {
        buffers_ptr: u64, buffer_count: u32, batch_start_offset: u32, batch_len: u32,
        dr1: u32, dr4: u32, num_cliprects: u32, cliprects_ptr: u64, flags: u64,
        rsvd1: u64, rsvd2: u64,
    }
    struct Query { num_items: u32, flags: u32, items_ptr: u64 }
    struct QueryItem { query_id: u64, length: i32, flags: u32, data_ptr: u64 }
    /// Heads the answer to [`QUERY_ENGINE_INFO`]; `num_engines` × [`EngineInfo`] follow.
    struct QueryEngineInfo { num_engines: u32, rsvd: [u32; 3] }
    struct EngineInfo {
        class: u16, instance: u16, rsvd0: u32, flags: u64, capabilities: u64,
        logical_instance: u16, rsvd1: [u16; 3], rsvd2: [u64; 3],
    }
    struct ModeInfo {
        clock: u32,
        hdisplay: u16, hsync_start: u16, hsync_end: u16, htotal: u16, hskew: u16,
        vdisplay: u16, vsync_start: u16, vsync_end: u16, vtotal: u16, vscan: u16,
        vrefresh: u32, flags: u32, kind: u32, name: [u8; 32],
    }
    struct ModeGetResources {
        fb_id_ptr: u64, crtc_id_ptr: u64, connector_id_ptr: u64, encoder_id_ptr: u64,
        count_fbs: u32, count_crtcs: u32, count_connectors: u32, count_encoders: u32,
        min_width: u32, max_width: u32, min_height: u32, max_height: u32,
    }
    struct ModeGetConnector {
        encoders_ptr: u64, modes_ptr: u64, props_ptr: u64, prop_values_ptr: u64,
        count_modes: u32, count_props: u32, count_encoders: u32, encoder_id: u32,
        connector_id: u32, connector_type: u32, connector_type_id: u32, connection: u32,
        mm_width: u32, mm_height: u32, subpixel: u32, pad: u32,
    }
    struct ModeGetEncoder {
        encoder_id: u32, encoder_type: u32, crtc_id: u32, possible_crtcs: u32, possible_clones: u32,
    }
    struct ModeSetCrtc {
        set_connectors_ptr: u64, count_connectors: u32, crtc_id: u32, fb_id: u32, x: u32, y: u32,
        gamma_size: u32, mode_valid: u32, mode: ModeInfo,
    }
    struct ModeAddFb2 {
        fb_id: u32, width: u32, height: u32, pixel_format: u32, flags: u32,
        handles: [u32; 4], pitches: [u32; 4], offsets: [u32; 4], modifier: [u64; 4],
    }
    struct SetClientCap { capability: u64, value: u64 }
    /// Both ways of `union drm_wait_vblank`: what is asked, then what is answered.
    struct WaitVblank { kind: u32, sequence: u32, signal_or_seconds: u64, microseconds: u64 }
    struct ModeCrtcLut { crtc_id: u32, gamma_size: u32, red: u64, green: u64, blue: u64 }
    struct ModeGetProperty {
        values_ptr: u64, enum_blob_ptr: u64, prop_id: u32, flags: u32, name: [u8; 32],
        count_values: u32, count_enum_blobs: u32,
    }
    struct ModeGetPlaneResources { plane_id_ptr: u64, count_planes: u32, pad: u32 }
    struct ModeGetPlane {
        plane_id: u32, crtc_id: u32, fb_id: u32, possible_crtcs: u32, gamma_size: u32,
        count_format_types: u32, format_type_ptr: u64,
    }
    struct ModeSetPlane {
        plane_id: u32, crtc_id: u32, fb_id: u32, flags: u32, crtc_x: i32, crtc_y: i32,
        crtc_w: u32, crtc_h: u32, src_x: u32, src_y: u32, src_h: u32, src_w: u32,
    }
    struct ModeObjectGetProperties {
        props_ptr: u64, prop_values_ptr: u64, count_props: u32, obj_id: u32, obj_type: u32,
        pad: u32,
    }
    struct ModeObjectSetProperty {
        value: u64, prop_id: u32, obj_id: u32, obj_type: u32, pad: u32,
    }
    struct ModeCursor2 {
        flags: u32, crtc_id: u32, x: i32, y: i32, width: u32, height: u32, handle: u32,
        hot_x: i32, hot_y: i32,
    }
    struct ModePageFlip { crtc_id: u32, fb_id: u32, flags: u32, reserved: u32, user_data: u64 }
}

argument!(GemClose, WRITE, 0x09);
argument!(SetMaster, NONE, 0x1e);
argument!(GetParam, READ_WRITE, I915 + 0x06, pointers);
argument!(GemBusy, READ_WRITE, I915 + 0x17);
argument!(GemCreate, READ_WRITE, I915 + 0x1b);
argument!(GemSetDomain, WRITE, I915 + 0x1f);
argument!(GemSetTiling, READ_WRITE, I915 + 0x21);
argument!(GemMmapOffset, READ_WRITE, I915 + 0x24);
argument!(ExecBuffer2, WRITE, I915 + 0x29, pointers);
argument!(GemWait, READ_WRITE, I915 + 0x2c);
argument!(GemContextCreate, READ_WRITE, I915 + 0x2d);
argument!(GemContextDestroy, WRITE, I915 + 0x2e);
argument!(GetResetStats, READ_WRITE, I915 + 0x32);
argument!(GemContextGetParam, READ_WRITE, I915 + 0x34, pointers);
argument!(GemContextSetParam, READ_WRITE, I915 + 0x35);
argument!(Query, READ_WRITE, I915 + 0x39, pointers);
argument!(ModeGetResources, READ_WRITE, 0xa0, pointers);
argument!(ModeSetCrtc, READ_WRITE, 0xa2, pointers);
argument!(ModeGetEncoder, READ_WRITE, 0xa6);
argument!(ModeGetConnector, READ_WRITE, 0xa7, pointers);
argument!(ModePageFlip, READ_WRITE, 0xb0);
argument!(ModeAddFb2, READ_WRITE, 0xb8);
argument!(SetClientCap, WRITE, 0x0d);
argument!(WaitVblank, READ_WRITE, 0x3a);
argument!(ModeCrtcLut, READ_WRITE, 0xa5, pointers);
argument!(ModeGetProperty, READ_WRITE, 0xaa, pointers);
argument!(ModeGetPlaneResources, READ_WRITE, 0xb5, pointers);
argument!(ModeGetPlane, READ_WRITE, 0xb6, pointers);
argument!(ModeSetPlane, READ_WRITE, 0xb7);
argument!(ModeObjectGetProperties, READ_WRITE, 0xb9, pointers);
argument!(ModeObjectSetProperty, READ_WRITE, 0xba);
argument!(ModeCursor2, READ_WRITE, 0xbb);

/// `GETPARAM`: the PCI device identifier.
pub(crate) const PARAM_CHIPSET_ID: i32 = 4;
/// `GETPARAM`: fence registers that user space may have.
pub(crate) const PARAM_NUM_FENCES_AVAIL: i32 = 6;
/// `GETPARAM`: 0 no PPGTT, 1 aliasing, 2 a full one for each context.
pub(crate) const PARAM_HAS_ALIASING_PPGTT: i32 = 18;
/// `GETPARAM`: frequency of the command streamers' time stamps, in Hz.
pub(crate) const PARAM_CS_TIMESTAMP_FREQUENCY: i32 = 51;
/// Context parameter: size of the context's address space, in bytes.
pub(crate) const CONTEXT_PARAM_GTT_SIZE: u64 = 3;
/// Context parameter: whether the context's work goes before or after that of others, -1023 to 1023.
pub(crate) const CONTEXT_PARAM_PRIORITY: u64 = 6;
/// `GETPARAM`: what the scheduler can do.
pub(crate) const PARAM_HAS_SCHEDULER: i32 = 41;
/// Of [`PARAM_HAS_SCHEDULER`]: work of a higher priority interrupts that of a lower one.
pub(crate) const SCHEDULER_PREEMPTION: i32 = 1 << 2;
/// Query item: which engines there are.
pub(crate) const QUERY_ENGINE_INFO: u64 = 2;

pub(crate) const EXEC_OBJECT_WRITE: u64 = 1 << 2;
pub(crate) const EXEC_OBJECT_SUPPORTS_48B_ADDRESS: u64 = 1 << 3;
pub(crate) const EXEC_OBJECT_PINNED: u64 = 1 << 4;
pub(crate) const EXEC_NO_RELOC: u64 = 1 << 11;
pub(crate) const EXEC_HANDLE_LUT: u64 = 1 << 12;

pub(crate) const DOMAIN_CPU: u32 = 1;
pub(crate) const DOMAIN_GTT: u32 = 0x40;
pub(crate) const DOMAIN_WC: u32 = 0x80;

pub(crate) const CONNECTED: u32 = 1;
pub(crate) const FB_MODIFIERS: u32 = 1 << 1;
pub(crate) const PAGE_FLIP_EVENT: u32 = 1;
pub(crate) const PAGE_FLIP_ASYNC: u32 = 2;
/// `SET_CLIENT_CAP`: primary planes and cursors are listed with the others.
pub(crate) const CLIENT_CAP_UNIVERSAL_PLANES: u64 = 2;
pub(crate) const OBJECT_PLANE: u32 = 0xeeee_eeee;
/// `WAIT_VBLANK`: the sequence counts from now.
pub(crate) const VBLANK_RELATIVE: u32 = 1;
pub(crate) const CURSOR_BO: u32 = 1;
pub(crate) const CURSOR_MOVE: u32 = 2;
/// Event type of a finished page flip.
pub(crate) const EVENT_FLIP_COMPLETE: u32 = 2;
/// Pixel format XR24: little-endian words of 0xXXRRGGBB.
pub(crate) const FORMAT_XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
/// Frame-buffer modifiers of Intel's tilings: vendor 1, layouts 1, 2 and 3.
pub(crate) const MODIFIER_X_TILED: u64 = 1 << 56 | 1;
pub(crate) const MODIFIER_Y_TILED: u64 = 1 << 56 | 2;
pub(crate) const MODIFIER_YF_TILED: u64 = 1 << 56 | 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes that a C compiler gives the headers' structures.
    #[test]
    fn structures_have_the_headers_sizes() {
        let sizes = [
            (size_of::<GemClose>(), 8),
            (size_of::<GetParam>(), 16),
            (size_of::<GemCreate>(), 16),
            (size_of::<GemMmapOffset>(), 32),
            (size_of::<GemSetDomain>(), 12),
            (size_of::<GemSetTiling>(), 16),
            (size_of::<GemBusy>(), 8),
            (size_of::<GemWait>(), 16),
            (size_of::<GemContextCreate>(), 8),
            (size_of::<GemContextDestroy>(), 8),
            (size_of::<GemContextGetParam>(), 24),
            (size_of::<GetResetStats>(), 24),
            (size_of::<ExecObject>(), 56),
            (size_of::<ExecBuffer2>(), 64),
            (size_of::<Query>(), 16),
            (size_of::<QueryItem>(), 24),
            (size_of::<QueryEngineInfo>(), 16),
            (size_of::<EngineInfo>(), 56),
            (size_of::<ModeInfo>(), 68),
            (size_of::<ModeGetResources>(), 64),
            (size_of::<ModeGetConnector>(), 80),
            (size_of::<ModeGetEncoder>(), 20),
            (size_of::<ModeSetCrtc>(), 104),
            (size_of::<ModeAddFb2>(), 104),
            (size_of::<ModePageFlip>(), 24),
            (size_of::<SetClientCap>(), 16),
            (size_of::<WaitVblank>(), 24),
            (size_of::<ModeCrtcLut>(), 32),
            (size_of::<ModeGetProperty>(), 64),
            (size_of::<ModeGetPlaneResources>(), 16),
            (size_of::<ModeGetPlane>(), 32),
            (size_of::<ModeSetPlane>(), 48),
            (size_of::<ModeObjectGetProperties>(), 32),
            (size_of::<ModeObjectSetProperty>(), 24),
            (size_of::<ModeCursor2>(), 36),
        ];
        for (index, (ours, theirs)) in sizes.into_iter().enumerate() {
            assert_eq!(ours, theirs, "entry {index}");
        }
    }

    /// Request numbers that a C compiler gives the headers' macros.
    #[test]
    fn requests_have_the_headers_numbers() {
        assert_eq!(ExecBuffer2::REQUEST, 0x4040_6469);
        assert_eq!(GemMmapOffset::REQUEST, 0xc020_6464);
        assert_eq!(GemWait::REQUEST, 0xc010_646c);
        assert_eq!(GetParam::REQUEST, 0xc010_6446);
        assert_eq!(GemClose::REQUEST, 0x4008_6409);
        assert_eq!(GetResetStats::REQUEST, 0xc018_6472);
        assert_eq!(ModeAddFb2::REQUEST, 0xc068_64b8);
        assert_eq!(ModeSetCrtc::REQUEST, 0xc068_64a2);
        assert_eq!(SetMaster::REQUEST, 0x641e);
    }
}
