//! What Broxton has instead of, or beside, the registers of the larger parts: its display's clocks and PHYs.
//! Source: the BXT PRM vol 2c (DE_PLL, PORT_PLL, DPIO PHY) and the order in which i915 programs them.

use super::Behaviour::PhyGroup;
use super::display::enable_answered;
use super::{Register, answers, behaves, masked, memory, read_only};

/// A port's PLL: lock (bit 30) follows enable (31), power state (25) follows power enable (26).
const fn pll_answered(value: u32) -> u32 {
    enable_answered(value) & !(1 << 25) | (value >> 26 & 1) << 25
}

/// PHY powered and calibrated.
const POWER_GOOD: u32 = 1 << 16;
const CALIBRATED: u32 = 1 << 22;
/// A port's lanes are on.
const LANES_ON: u32 = 1 << 8;

pub(super) const BROXTON: &[Register] = &[
    answers(0x4_6070, "DE_PLL_ENABLE", enable_answered),
    memory(0x6_D000, "DE_PLL_CTL"),
    answers(0x4_6074, "PORT_PLL_ENABLE", pll_answered).times(3, 4),
    memory(0x13_8090, "GT_DISPLAY_POWER_ON"),
    memory(0x6_4C00, "PHY_CTL").times(3, 0x10).reset(LANES_ON),
    memory(0x6_4C80, "PHY_CTL_FAMILY").times(3, 0x10),
    // The PHYs: of ports B and C, then of port A.
    read_only(0x6_C000, "PHY_BC_CL1CM_DW0", POWER_GOOD),
    memory(0x6_C004, "PHY_BC").times(0x62, 4),
    read_only(0x6_C18C, "PHY_BC_REF_DW3", CALIBRATED),
    memory(0x6_C190, "PHY_BC_LANES").times(0x29C, 4),
    behaves(0x6_CC00, "PHY_B_GROUP", PhyGroup).times(0x80, 4),
    memory(0x6_CE00, "PHY_C_GROUP").times(0x80, 4),
    read_only(0x16_2000, "PHY_A_CL1CM_DW0", POWER_GOOD),
    memory(0x16_2004, "PHY_A").times(0x62, 4),
    read_only(0x16_218C, "PHY_A_REF_DW3", CALIBRATED),
    memory(0x16_2190, "PHY_A_LANES").times(0x39C, 4),
    masked(0x5588, "WM_CHICKEN3"),
    memory(0x1_0C00, "GT_10C00"),
    memory(0x4_6080, "DSI_PLL_ENABLE"),
    // As RP_STATE_CAP of the larger parts.
    read_only(0x13_8170, "RP_STATE_CAP", 0x0006_0717),
    // No memory channel is there to be described.
    read_only(0x14_1000, "DUNIT", 0xFFFF_FFFF).times(4, 0x200),
    // The timestamps' clock: 11 + 1 MHz by the divider, so that it runs like the larger parts'.
    read_only(0xA26C, "CTC_MODE", 1),
    memory(0x4_4074, "TIMESTAMP_OVERRIDE").reset(10),
];
