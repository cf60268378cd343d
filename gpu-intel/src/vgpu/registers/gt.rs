//! Registers of the graphics technology block (GT): reset, power, caches, work-arounds, interrupts, fences.
//! Source: SKL PRM vol 2c; the behaviour that stock i915 and GVT-g rely on.

use guest_shim::wire::Topology;

use super::Behaviour::{
    Fence, GraphicsReset, InterruptEnable, InterruptIdentity, InterruptMask, InterruptMaster,
    PcodeMailbox,
};
use super::{Register, answers, behaves, clear_ones, masked, memory, read_only, zero};

/// Forcewake: acknowledge bits follow request bits at once, see `Core::write_register`.
pub(crate) const FORCEWAKE: [(u32, u32); 3] =
    [(0xA278, 0xD84), (0xA188, 0x13_0044), (0xA270, 0xD88)];

const FUSE2: u32 = 0x9120;
/// One for each slice.
const EU_DISABLE: [u32; 3] = [0x9134, 0x9138, 0x913C];

/// What the fuses say of a topology: bits of slices that are there, of subslices and of execution units that are not.
/// Source: SKL PRM vol 2c, MIRROR_FUSE2 (slices 27:25, subslices 23:20), MIRROR_EU_DISABLE (eight bits for each subslice).
pub(super) fn fuses(topology: Topology) -> impl Iterator<Item = (u32, u32)> {
    let subslices = u32::from(!topology.subslices() & 0xF);
    let fuse2 = u32::from(topology.slices()) << 25 | subslices << 20;
    let units = topology.units().map(|slice| !u32::from_le_bytes(slice));
    EU_DISABLE.into_iter().zip(units).chain([(FUSE2, fuse2)])
}

pub(super) const GT: &[Register] = &[
    // Forcewake requests (render, GT, media) and their acknowledgements.
    masked(0xA278, "FORCEWAKE_RENDER"),
    masked(0xA188, "FORCEWAKE_GT"),
    masked(0xA270, "FORCEWAKE_MEDIA"),
    read_only(0xD84, "FORCEWAKE_ACK_RENDER", 0),
    read_only(0x13_0044, "FORCEWAKE_ACK_GT", 0),
    read_only(0xD88, "FORCEWAKE_ACK_MEDIA", 0),
    memory(0x12_0008, "GTFIFOCTL"),
    read_only(0x13_805C, "GT_THREAD_STATUS", 0),
    read_only(0x13_8060, "GT_CORE_STATUS", 0),
    // Resets and faults.
    behaves(0x941C, "GDRST", GraphicsReset),
    clear_ones(0x4094, "RING_FAULT"),
    read_only(0x4B10, "FAULT_TLB_DATA0", 0),
    read_only(0x4B14, "FAULT_TLB_DATA1", 0),
    memory(0x40A0, "ERROR_GEN6"),
    zero(0x4260, "GAM_TLB_INVALIDATE").times(6, 4),
    zero(0x10_1008, "GFX_FLSH_CNTL"),
    answers(0x907C, "MBCTL", |value| value & !(1 << 4)),
    clear_ones(0x4_2300, "FPGA_DBG"),
    // Fuses: see `fuses`.
    read_only(FUSE2, "FUSE2", 0),
    read_only(EU_DISABLE[0], "EU_DISABLE0", 0),
    read_only(EU_DISABLE[1], "EU_DISABLE1", 0),
    read_only(EU_DISABLE[2], "EU_DISABLE2", 0),
    // Where the command streamer stands is not shown: all units idle.
    read_only(0x7100, "SC_INSTDONE", 0xFFFF_FFFF),
    read_only(0xE160, "SAMPLER_INSTDONE", 0xFFFF_FFFF),
    read_only(0xE164, "ROW_INSTDONE", 0xFFFF_FFFF),
    memory(0xFDC, "GEN8_MCR_SELECTOR"),
    // Caches: private PAT, MOCS of the engines, L3 MOCS.
    memory(0x40E0, "PRIVATE_PAT_LO"),
    memory(0x40E4, "PRIVATE_PAT_HI"),
    memory(0xC800, "MOCS").times(5 * 64, 4),
    memory(0xB020, "L3_MOCS").times(32, 4),
    memory(0x4080, "GAMW_ECO_DEV_RW_IA"),
    memory(0x4DE0, "TRTT").times(6, 4),
    memory(0x4DFC, "TRTT_MODE"),
    // Clock gating and work-arounds that i915 programs at start (work-around lists of Gen9).
    memory(0x9400, "UCGCTL").times(6, 4),
    memory(0x9424, "MISCCPCTL"),
    memory(0x9430, "UCGCTL4_9430"),
    memory(0x9434, "UCGCTL5_9434"),
    memory(0x9030, "GEN7_ROW_CHICKEN_9030"),
    memory(0x4090, "ARB_MODE"),
    memory(0x4AB0, "BLT_HWS_4AB0"),
    memory(0x4AB8, "GEN9_GAMT_ECO_REG"),
    memory(0x4AC0, "GAMT_4AC0"),
    memory(0x4DD0, "GAMT_4DD0"),
    memory(0x4030, "GAM_ECOCHK_4030"),
    memory(0x4034, "GAM_4034"),
    masked(0x20E0, "FF_SLICE_CS_CHICKEN1"),
    clear_ones(0x2024, "PGTBL_ER"),
    masked(0x2088, "FF_SLICE_CHICKEN"),
    masked(0x2090, "3D_CHICKEN3"),
    memory(0x4024, "GTT_CACHE_EN"),
    memory(0x4DD4, "L3_LRA_1_GPGPU"),
    memory(0x4DDC, "MMCD_MISC_CTRL"),
    memory(0x9044, "FBC_LLC_READ_CTRL"),
    // No embedded DRAM, no micro-controller.
    read_only(0x12_0010, "EDRAM_CAP", 0),
    memory(0xC050, "GUC_WOPCM_SIZE"),
    memory(0xC340, "DMA_GUC_WOPCM_OFFSET"),
    masked(0x2050, "PWRCTX_OR_SEMA_2050"),
    memory(0x2580, "CS_CHICKEN1_2580"),
    masked(0x7000, "CACHE_MODE_0"),
    masked(0x7004, "CACHE_MODE_1"),
    masked(0x7008, "GT_MODE"),
    masked(0x7010, "COMMON_SLICE_CHICKEN1"),
    masked(0x7014, "COMMON_SLICE_CHICKEN2"),
    masked(0x7018, "HIZ_CHICKEN"),
    masked(0x7300, "HDC_CHICKEN0"),
    masked(0x7304, "HDC_CHICKEN1"),
    masked(0x83A4, "FF_THREAD_83A4"),
    memory(0xB004, "L3_CHICKEN_B004"),
    memory(0xB008, "L3_B008"),
    memory(0xB010, "L3_SQC_REG"),
    memory(0xB100, "L3SQCREG1"),
    memory(0xB110, "L3_B110"),
    memory(0xB118, "L3SQCREG4"),
    memory(0xB11C, "SCRATCH1"),
    masked(0xE100, "SAMPLER_MODE_E100"),
    masked(0xE180, "HALF_SLICE_CHICKEN2_E180"),
    masked(0xE184, "HALF_SLICE_CHICKEN3"),
    masked(0xE188, "HALF_SLICE_CHICKEN5"),
    masked(0xE18C, "HALF_SLICE_CHICKEN7"),
    masked(0xE194, "SAMPLER_CHICKEN_E194"),
    masked(0xE4F0, "ROW_CHICKEN"),
    masked(0xE4F4, "ROW_CHICKEN2"),
    memory(0x9_4D0, "RCS_94D0"),
    // Render power states and frequencies: kept, and never acted on.
    memory(0xA000, "RPM_A000").times(0x60, 4),
    memory(0xA180, "RPM_A180").times(2, 4),
    memory(0xA18C, "RPM_A18C").times(0x38, 4),
    // The timestamps' clock: the crystal's 24 MHz, halved.
    read_only(0xA26C, "CTC_MODE", 2 << 1),
    memory(0xA274, "RPM_A274"),
    memory(0xA27C, "RPM_A27C").times(0x20, 4),
    // The driver takes zeros for a power context that was lost.
    read_only(0x8504, "RC6_CTX_INFO", 1),
    // GPU states: never asleep.
    read_only(0x13_8108, "GT_GFX_RC6", 0),
    memory(0xC24C, "GUC_PM"),
    memory(0xC3E4, "GUC_MAX_IDLE_COUNT"),
    read_only(0xC000, "GUC_STATUS", 1),
    memory(0x13_8104, "GT_PERF_138104"),
    // One frequency, 1.15 GHz in units of 50 MHz: lowest, efficient and highest are the same, so drivers leave it alone.
    read_only(0x14_5998, "RP_STATE_CAP", 0x0017_1717),
    behaves(0x13_8124, "PCODE_MAILBOX", PcodeMailbox),
    memory(0x13_8128, "PCODE_DATA0"),
    memory(0x13_812C, "PCODE_DATA1"),
    // The mirror of the memory controller: no memory channel is described.
    read_only(0x14_0000, "MCHBAR_MIRROR", 0).times(0x5998 / 4, 4),
    read_only(0x14_599C, "MCHBAR_MIRROR_REST", 0).times((0x1_0000 - 0x599C) / 4, 4),
    // Interrupts: groups of status, mask, identity, enable.
    read_only(0x4_4300, "GT0_ISR", 0).times(4, 0x10),
    behaves(0x4_4304, "GT_IMR", InterruptMask).times(4, 0x10).reset(0xFFFF_FFFF),
    behaves(0x4_4308, "GT_IIR", InterruptIdentity).times(4, 0x10),
    behaves(0x4_430C, "GT_IER", InterruptEnable).times(4, 0x10),
    read_only(0x4_4400, "DE_PIPE_ISR", 0).times(3, 0x10),
    behaves(0x4_4404, "DE_PIPE_IMR", InterruptMask).times(3, 0x10).reset(0xFFFF_FFFF),
    behaves(0x4_4408, "DE_PIPE_IIR", InterruptIdentity).times(3, 0x10),
    behaves(0x4_440C, "DE_PIPE_IER", InterruptEnable).times(3, 0x10),
    read_only(0x4_4440, "DE_PORT_ISR", 0),
    behaves(0x4_4444, "DE_PORT_IMR", InterruptMask).reset(0xFFFF_FFFF),
    behaves(0x4_4448, "DE_PORT_IIR", InterruptIdentity),
    behaves(0x4_444C, "DE_PORT_IER", InterruptEnable),
    read_only(0x4_4460, "DE_MISC_ISR", 0),
    behaves(0x4_4464, "DE_MISC_IMR", InterruptMask).reset(0xFFFF_FFFF),
    behaves(0x4_4468, "DE_MISC_IIR", InterruptIdentity),
    behaves(0x4_446C, "DE_MISC_IER", InterruptEnable),
    read_only(0x4_44E0, "PCU_ISR", 0),
    behaves(0x4_44E4, "PCU_IMR", InterruptMask).reset(0xFFFF_FFFF),
    behaves(0x4_44E8, "PCU_IIR", InterruptIdentity),
    behaves(0x4_44EC, "PCU_IER", InterruptEnable),
    read_only(0xC_4000, "SDE_ISR", 0),
    behaves(0xC_4004, "SDE_IMR", InterruptMask).reset(0xFFFF_FFFF),
    behaves(0xC_4008, "SDE_IIR", InterruptIdentity),
    behaves(0xC_400C, "SDE_IER", InterruptEnable),
    behaves(0x4_4200, "MASTER_IRQ", InterruptMaster),
    // Fences: 32 of two dwords.
    behaves(0x10_0000, "FENCE", Fence).times(64, 4),
];
