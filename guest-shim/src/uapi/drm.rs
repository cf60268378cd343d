//! Calls that every DRM driver has. Source: include/uapi/drm/drm.h, include/uapi/linux/sync_file.h.

use super::layouts;

pub const VERSION: u8 = 0x00;
pub const GET_UNIQUE: u8 = 0x01;
pub const GET_MAGIC: u8 = 0x02;
pub const SET_VERSION: u8 = 0x07;
pub const GEM_CLOSE: u8 = 0x09;
pub const GEM_FLINK: u8 = 0x0a;
pub const GEM_OPEN: u8 = 0x0b;
pub const GET_CAP: u8 = 0x0c;
pub const SET_CLIENT_CAP: u8 = 0x0d;
pub const AUTH_MAGIC: u8 = 0x11;
pub const SET_MASTER: u8 = 0x1e;
pub const DROP_MASTER: u8 = 0x1f;
pub const PRIME_HANDLE_TO_FD: u8 = 0x2d;
pub const PRIME_FD_TO_HANDLE: u8 = 0x2e;
pub const MODE_GETRESOURCES: u8 = 0xa0;
pub const MODE_CREATE_DUMB: u8 = 0xb2;
pub const MODE_MAP_DUMB: u8 = 0xb3;
pub const MODE_DESTROY_DUMB: u8 = 0xb4;
pub const MODE_GETPLANERESOURCES: u8 = 0xb5;
pub const SYNCOBJ_CREATE: u8 = 0xbf;
pub const SYNCOBJ_DESTROY: u8 = 0xc0;
pub const SYNCOBJ_HANDLE_TO_FD: u8 = 0xc1;
pub const SYNCOBJ_FD_TO_HANDLE: u8 = 0xc2;
pub const SYNCOBJ_WAIT: u8 = 0xc3;
pub const SYNCOBJ_RESET: u8 = 0xc4;
pub const SYNCOBJ_SIGNAL: u8 = 0xc5;
pub const SYNCOBJ_TIMELINE_WAIT: u8 = 0xca;
pub const SYNCOBJ_QUERY: u8 = 0xcb;
pub const SYNCOBJ_TRANSFER: u8 = 0xcc;
pub const SYNCOBJ_TIMELINE_SIGNAL: u8 = 0xcd;

pub const CAP_DUMB_BUFFER: u64 = 0x1;
pub const CAP_PRIME: u64 = 0x5;
pub const CAP_TIMESTAMP_MONOTONIC: u64 = 0x6;
pub const CAP_SYNCOBJ: u64 = 0x13;
pub const CAP_SYNCOBJ_TIMELINE: u64 = 0x14;

/// `O_CLOEXEC`, `O_RDWR`: the flags of an export.
pub const PRIME_FLAGS: u32 = 0o2_000_000 | 0o2;

pub const SYNCOBJ_CREATE_SIGNALED: u32 = 1;
/// Import and export alike: it is about a sync file.
pub const SYNCOBJ_AS_SYNC_FILE: u32 = 1;
pub const SYNCOBJ_QUERY_LAST_SUBMITTED: u32 = 1;
pub const WAIT_ALL: u32 = 1;
pub const WAIT_FOR_SUBMIT: u32 = 1 << 1;
pub const WAIT_AVAILABLE: u32 = 1 << 2;
pub const WAIT_DEADLINE: u32 = 1 << 3;

pub const SYNC_IOC_MERGE: u8 = 3;
pub const SYNC_IOC_FILE_INFO: u8 = 4;

layouts! {
    Version {
        major: i32, minor: i32, patch: i32, pad: u32,
        name_bytes: u64, name: u64, date_bytes: u64, date: u64, text_bytes: u64, text: u64,
    }
    Unique { bytes: u64, text: u64 }
    SetVersion { interface_major: i32, interface_minor: i32, driver_major: i32, driver_minor: i32 }
    Magic { magic: u32 }
    GemClose { handle: u32, pad: u32 }
    GemFlink { handle: u32, name: u32 }
    GemOpen { name: u32, handle: u32, bytes: u64 }
    Cap { capability: u64, value: u64 }
    Prime { handle: u32, flags: u32, fd: i32 }
    ModeResources { lists: [u64; 4], counts: [u32; 4], sizes: [u32; 4] }
    CreateDumb {
        height: u32, width: u32, bits: u32, flags: u32, handle: u32, pitch: u32, bytes: u64,
    }
    MapDumb { handle: u32, pad: u32, offset: u64 }
    DestroyDumb { handle: u32 }
    ModePlanes { list: u64, count: u32, pad: u32 }
    SyncobjCreate { handle: u32, flags: u32 }
    SyncobjDestroy { handle: u32, pad: u32 }
    SyncobjHandle { handle: u32, flags: u32, fd: i32, pad: u32 }
    SyncobjTransfer { from: u32, to: u32, from_point: u64, to_point: u64, flags: u32, pad: u32 }
    SyncobjWait {
        handles: u64, deadline: i64, count: u32, flags: u32, first: u32, pad: u32,
        hint: u64,
    }
    SyncobjTimelineWait {
        handles: u64, points: u64, deadline: i64, count: u32, flags: u32, first: u32, pad: u32,
        hint: u64,
    }
    SyncobjArray { handles: u64, count: u32, pad: u32 }
    SyncobjTimelineArray { handles: u64, points: u64, count: u32, flags: u32 }

    /// linux/sync_file.h
    SyncMerge { name: [u8; 32], other: i32, fence: i32, flags: u32, pad: u32 }
    SyncFileInfo {
        name: [u8; 32], status: i32, flags: u32, count: u32, pad: u32, fences: u64,
    }
    SyncFenceInfo {
        object: [u8; 32], driver: [u8; 32], status: i32, flags: u32, timestamp: u64,
    }
}
