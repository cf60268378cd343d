//! PVINFO: the page by which i915 learns that it runs on a virtual GPU, and what it says to it then (GVT-g's interface,
//! version 1.0). A guest that is not to know finds zeros there, as on metal.

use super::super::ggtt;
use super::Behaviour::GuestToHost;
use super::{Register, behaves, memory, read_only};

/// How much of the aperture is offered, from its start; the device fills it in.
pub(super) const MAPPABLE_SIZE: u32 = 0x7_8044;

/// How much more than the configured size that is. i915 keeps a page of the aperture for itself, and of an object that
/// doesn't fit the rest maps the megabyte around a fault: with a megabyte in all it tries for ever, in a process that
/// nothing can kill. The smallest frame buffer (640 by 480, 1.17 MiB) still doesn't fit one megabyte and this.
pub(super) const OWN_PAGES: u64 = 128 << 10;

pub(super) const PRESENT: &[Register] = &[
    read_only(0x7_8000, "PVINFO_MAGIC_LO", 0x7654_4776),
    read_only(0x7_8004, "PVINFO_MAGIC_HI", 0x4776_5447),
    read_only(0x7_8008, "PVINFO_VERSION", 1),
    read_only(0x7_800C, "PVINFO_ID", 1),
    read_only(0x7_8010, "PVINFO_CAPS", 1 << 2 | 1 << 3 | 1 << 4),
    read_only(0x7_8040, "PVINFO_MAPPABLE_BASE", 0),
    read_only(MAPPABLE_SIZE, "PVINFO_MAPPABLE_SIZE", 0),
    read_only(0x7_8048, "PVINFO_UNMAPPABLE_BASE", ggtt::UNMAPPABLE_BASE),
    read_only(0x7_804C, "PVINFO_UNMAPPABLE_SIZE", ggtt::UNMAPPABLE_SIZE),
    // Fewer than there are, as in each of GVT-g's types: a driver writes all that it has, twice, before it uses one.
    read_only(0x7_8050, "PVINFO_FENCES", 4),
    memory(0x7_8804, "PVINFO_DISPLAY_READY"),
    memory(0x7_8808, "PVINFO_RESERVED").times(4, 4),
    behaves(0x7_8818, "PVINFO_G2V_NOTIFY", GuestToHost),
    memory(0x7_881C, "PVINFO_RESERVED2").times(5, 4),
    memory(0x7_8830, "PVINFO_CURSOR_HOT_X").reset(0xFFFF_FFFF),
    memory(0x7_8834, "PVINFO_CURSOR_HOT_Y").reset(0xFFFF_FFFF),
    memory(0x7_8838, "PVINFO_PDP").times(8, 4),
    memory(0x7_8858, "PVINFO_CONTEXT_LO"),
    memory(0x7_885C, "PVINFO_CONTEXT_HI"),
];

/// Where drivers look for it, and nothing is.
pub(super) const ABSENT: &[Register] = &[read_only(0x7_8000, "NO_PVINFO", 0).times(2, 4)];
