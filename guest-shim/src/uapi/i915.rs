//! Calls of the i915. Source: include/uapi/drm/i915_drm.h.

use super::layouts;

pub const GETPARAM: u8 = 0x46;
pub const SETPARAM: u8 = 0x47;
pub const GEM_EXECBUFFER: u8 = 0x54;
pub const GEM_BUSY: u8 = 0x57;
pub const GEM_THROTTLE: u8 = 0x58;
pub const GEM_CREATE: u8 = 0x5b;
pub const GEM_PREAD: u8 = 0x5c;
pub const GEM_PWRITE: u8 = 0x5d;
pub const GEM_MMAP: u8 = 0x5e;
pub const GEM_SET_DOMAIN: u8 = 0x5f;
pub const GEM_SW_FINISH: u8 = 0x60;
pub const GEM_SET_TILING: u8 = 0x61;
pub const GEM_GET_TILING: u8 = 0x62;
pub const GEM_GET_APERTURE: u8 = 0x63;
pub const GEM_MMAP_OFFSET: u8 = 0x64;
pub const GEM_MADVISE: u8 = 0x66;
pub const GEM_EXECBUFFER2: u8 = 0x69;
pub const GEM_WAIT: u8 = 0x6c;
pub const GEM_CONTEXT_CREATE: u8 = 0x6d;
pub const GEM_CONTEXT_DESTROY: u8 = 0x6e;
pub const GEM_SET_CACHING: u8 = 0x6f;
pub const GEM_GET_CACHING: u8 = 0x70;
pub const REG_READ: u8 = 0x71;
pub const GET_RESET_STATS: u8 = 0x72;
pub const GEM_USERPTR: u8 = 0x73;
pub const GEM_CONTEXT_GETPARAM: u8 = 0x74;
pub const GEM_CONTEXT_SETPARAM: u8 = 0x75;
pub const QUERY: u8 = 0x79;
pub const GEM_VM_CREATE: u8 = 0x7a;
pub const GEM_VM_DESTROY: u8 = 0x7b;
pub const GEM_CREATE_EXT: u8 = 0x7c;

layouts! {
    GetParam { param: i32, pad: u32, value: u64 }
    GemCreate { size: u64, handle: u32, pad: u32 }
    GemCreateExt { size: u64, handle: u32, flags: u32, extensions: u64 }
    /// Both directions of copying.
    GemCopy { handle: u32, pad: u32, offset: u64, size: u64, data: u64 }
    GemMmap { handle: u32, pad: u32, offset: u64, size: u64, address: u64, flags: u64 }
    GemMmapOffset { handle: u32, pad: u32, offset: u64, flags: u64, extensions: u64 }
    GemSetDomain { handle: u32, read: u32, write: u32 }
    GemHandle { handle: u32 }
    GemSetTiling { handle: u32, tiling: u32, stride: u32, swizzle: u32 }
    GemGetTiling { handle: u32, tiling: u32, swizzle: u32, physical_swizzle: u32 }
    GemAperture { size: u64, available: u64 }
    GemMadvise { handle: u32, advice: u32, retained: u32 }
    GemBusy { handle: u32, busy: u32 }
    GemCaching { handle: u32, caching: u32 }
    GemWait { handle: u32, flags: u32, timeout: i64 }
    GemUserptr { address: u64, size: u64, flags: u32, handle: u32 }
    RegRead { offset: u64, value: u64 }
    ResetStats { context: u32, flags: u32, resets: u32, active: u32, pending: u32, pad: u32 }
    VmControl { extensions: u64, flags: u32, id: u32 }
    ContextCreate { id: u32, flags: u32, extensions: u64 }
    ContextDestroy { id: u32, pad: u32 }
    ContextParam { context: u32, size: u32, param: u64, value: u64 }
    Extension { next: u64, name: u32, flags: u32, reserved: [u32; 4] }
    Engine { class: u16, instance: u16 }
    Sseu {
        engine: Engine, flags: u32, slices: u64, subslices: u64,
        min_eus: u16, max_eus: u16, reserved: u32,
    }
    Execute {
        buffers: u64, buffer_count: u32, batch_start: u32, batch_bytes: u32,
        dr1: u32, dr4: u32, fence_count: u32, fences: u64, flags: u64, context: u64, sync_files: u64,
    }
    ExecObject {
        handle: u32, relocation_count: u32, relocations: u64, alignment: u64, offset: u64,
        flags: u64, pad_to_size: u64, reserved: u64,
    }
    Relocation {
        target: u32, delta: u32, offset: u64, presumed: u64, read_domains: u32, write_domain: u32,
    }
    ExecFence { handle: u32, flags: u32 }
    /// Behind an [`Extension`].
    TimelineFences { count: u64, handles: u64, values: u64 }
    Query { count: u32, flags: u32, items: u64 }
    QueryItem { id: u64, length: i32, flags: u32, data: u64 }
    TopologyInfo {
        flags: u16, max_slices: u16, max_subslices: u16, max_eus: u16,
        subslice_offset: u16, subslice_stride: u16, eu_offset: u16, eu_stride: u16,
    }
    EngineInfoHead { count: u32, reserved: [u32; 3] }
    EngineInfo {
        engine: Engine, reserved0: u32, flags: u64, capabilities: u64,
        logical_instance: u16, reserved1: [u16; 3], reserved2: [u64; 3],
    }
    MemoryRegionsHead { count: u32, reserved: [u32; 3] }
    MemoryRegion {
        region: Engine, reserved0: u32, probed: u64, unallocated: u64, processor_probed: u64, processor_unallocated: u64, reserved1: [u64; 6],
    }
}

// Domains of a buffer.
pub const DOMAIN_CPU: u32 = 0x1;
pub const DOMAIN_GTT: u32 = 0x40;
pub const DOMAIN_WC: u32 = 0x80;
pub const DOMAINS_OF_THE_GPU: u32 = 0x3e;

// Context parameters.
pub const PARAM_GTT_SIZE: u64 = 0x3;
pub const PARAM_NO_ERROR_CAPTURE: u64 = 0x4;
pub const PARAM_BANNABLE: u64 = 0x5;
pub const PARAM_PRIORITY: u64 = 0x6;
pub const PARAM_SSEU: u64 = 0x7;
pub const PARAM_RECOVERABLE: u64 = 0x8;
pub const PARAM_VM: u64 = 0x9;
pub const PARAM_ENGINES: u64 = 0xa;
pub const PARAM_PERSISTENCE: u64 = 0xb;
pub const PARAM_PROTECTED: u64 = 0xd;

// EXECBUFFER2.
pub const EXEC_RING_MASK: u64 = 0x3f;
pub const EXEC_CONSTANTS_MASK: u64 = 3 << 6;
pub const EXEC_SECURE: u64 = 1 << 9;
pub const EXEC_NO_RELOC: u64 = 1 << 11;
pub const EXEC_HANDLE_LUT: u64 = 1 << 12;
pub const EXEC_BSD_MASK: u64 = 3 << 13;
pub const EXEC_RESOURCE_STREAMER: u64 = 1 << 15;
pub const EXEC_FENCE_IN: u64 = 1 << 16;
pub const EXEC_FENCE_OUT: u64 = 1 << 17;
pub const EXEC_BATCH_FIRST: u64 = 1 << 18;
pub const EXEC_FENCE_ARRAY: u64 = 1 << 19;
pub const EXEC_FENCE_SUBMIT: u64 = 1 << 20;
pub const EXEC_USE_EXTENSIONS: u64 = 1 << 21;
/// From here on a flag is unknown.
pub const EXEC_UNKNOWN: u64 = !((1 << 22) - 1);

pub const OBJECT_WRITE: u64 = 1 << 2;
pub const OBJECT_48_BIT: u64 = 1 << 3;
pub const OBJECT_PINNED: u64 = 1 << 4;
pub const OBJECT_PAD_TO_SIZE: u64 = 1 << 5;
pub const OBJECT_ASYNC: u64 = 1 << 6;
/// Beyond CAPTURE (bit 7) a flag is unknown.
pub const OBJECT_UNKNOWN: u64 = !((1 << 8) - 1);

pub const FENCE_WAIT: u32 = 1;
pub const FENCE_SIGNAL: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes as the headers give them to a C compiler.
    #[test]
    fn layouts_have_the_headers_sizes() {
        assert_eq!(size_of::<Execute>(), 64);
        assert_eq!(size_of::<ExecObject>(), 56);
        assert_eq!(size_of::<Relocation>(), 32);
        assert_eq!(size_of::<ContextParam>(), 24);
        assert_eq!(size_of::<Extension>(), 32);
        assert_eq!(size_of::<Sseu>(), 32);
        assert_eq!(size_of::<EngineInfo>(), 56);
        assert_eq!(size_of::<MemoryRegion>(), 88);
        assert_eq!(size_of::<ResetStats>(), 24);
        assert_eq!(size_of::<super::super::drm::Version>(), 64);
        assert_eq!(size_of::<super::super::drm::Prime>(), 12);
    }
}
