//! Registers that every engine has, by their offset from the engine's base.
//! Source: SKL PRM vol 2c (engine register groups); behaviour as i915's execlist code relies on it.

use super::Behaviour::{
    CsbPointer, EngineMode, ResetControl, SubmitPort, Timestamp, TimestampHigh,
};
use super::{Register, behaves, masked, memory, read_only};

/// MI_MODE after reset and whenever the command streamer is idle: bit 9.
pub(crate) const MODE_IDLE: u32 = 1 << 9;

pub(super) const ENGINE: &[Register] = &[
    memory(0x28, "CTX_WA_PTR_28"),
    memory(0x30, "RING_TAIL"),
    memory(0x34, "RING_HEAD"),
    memory(0x38, "RING_START"),
    memory(0x3C, "RING_CTL"),
    read_only(0x5C, "ACTHD_UDW", 0),
    read_only(0x60, "DMA_FADD_UDW", 0),
    memory(0x64, "IPEIR"),
    memory(0x68, "IPEHR"),
    // All units idle.
    read_only(0x6C, "INSTDONE", 0xFFFF_FFFF),
    memory(0x70, "INSTPS"),
    read_only(0x74, "ACTHD", 0),
    read_only(0x78, "DMA_FADD", 0),
    memory(0x80, "HWS_PGA"),
    memory(0x94, "NOPID"),
    memory(0x98, "HWSTAM"),
    behaves(0x9C, "MI_MODE", EngineMode).reset(MODE_IDLE),
    masked(0xA0, "PWRCTX_MAXCNT_OR_FF_MODE"),
    memory(0xA8, "IMR").reset(0xFFFF_FFFF),
    memory(0xB0, "EIR"),
    memory(0xB4, "EMR").reset(0xFFFF_FFFF),
    memory(0xB8, "ESR"),
    masked(0xC0, "INSTPM"),
    memory(0xC8, "R_PWR_CLK_STATE"),
    behaves(0xD0, "RESET_CTL", ResetControl),
    masked(0xD4, "CSFE_CHICKEN1"),
    masked(0xD8, "CS_DEBUG_MODE2"),
    masked(0xE4, "CS_CHICKEN"),
    masked(0xEC, "CS_CHICKEN2"),
    memory(0x110, "BB_STATE"),
    memory(0x114, "SBB_ADDR"),
    memory(0x118, "SBB_STATE"),
    memory(0x11C, "SBB_ADDR_UDW"),
    memory(0x140, "BB_ADDR"),
    memory(0x168, "BB_ADDR_UDW"),
    memory(0x178, "CTR_THRESH"),
    memory(0x17C, "PR_CTR_CTL"),
    memory(0x190, "PR_CTR_THRESHOLD"),
    memory(0x1C0, "BB_PER_CTX_PTR"),
    memory(0x1C4, "INDIRECT_CTX"),
    memory(0x1C8, "INDIRECT_CTX_OFFSET"),
    memory(0x210, "PERF_CNT_1").times(6, 4),
    behaves(0x230, "EXECLIST_SUBMITPORT", SubmitPort),
    read_only(0x234, "EXECLIST_STATUS", 0),
    read_only(0x238, "EXECLIST_STATUS_HI", 0),
    masked(0x244, "CTX_CONTROL"),
    memory(0x270, "PDP").times(8, 4),
    masked(0x29C, "RING_MODE"),
    behaves(0x358, "TIMESTAMP", Timestamp),
    behaves(0x35C, "TIMESTAMP_UDW", TimestampHigh),
    read_only(0x370, "CONTEXT_STATUS_BUF", 0).times(12, 4),
    behaves(0x3A0, "CONTEXT_STATUS_PTR", CsbPointer).reset(0x7),
    memory(0x3A8, "CTX_TIMESTAMP"),
    memory(0x4D0, "FORCE_TO_NONPRIV").times(12, 4),
    memory(0x600, "CS_GPR").times(32, 4),
];
