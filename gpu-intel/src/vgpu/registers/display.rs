//! Display registers: clocks, power wells, pipes, planes, the DisplayPort on port B.
//! Source: SKL PRM vol 2c and vol 12 (display); the order in which i915 programs them.

use super::Behaviour::{
    AuxControl, Checksum, ChecksumControl, CursorBase, FrameCount, GmbusCommand, GmbusSelect,
    HotPlugControl, MicrosecondTimestamp, PlaneSurface, ScanLine, TrainingControl, TranscoderConf,
};
use super::{Register, answers, behaves, clear_ones, memory, read_only, zero};

/// Bit 31 asks for enabling, bit 30 says that it is done.
pub(super) const fn enable_answered(value: u32) -> u32 {
    value & !(1 << 30) | (value >> 31) << 30
}

/// Power wells: each request bit is odd, its state the even bit below.
const fn wells_answered(value: u32) -> u32 {
    let requests = value & 0xAAAA_AAAA;
    requests | requests >> 1
}

/// DDI buffer: idle (bit 7) unless enabled (bit 31).
const fn buffer_answered(value: u32) -> u32 {
    value & !(1 << 7) | (!value >> 31) << 7
}

pub(super) const DISPLAY: &[Register] = &[
    // Power, clocks.
    memory(0x4_5400, "PWR_WELL_BIOS"),
    answers(0x4_5404, "PWR_WELL_DRIVER", wells_answered),
    memory(0x4_5408, "PWR_WELL_KVMR"),
    memory(0x4_540C, "PWR_WELL_DEBUG"),
    memory(0x4_5500, "DC_STATE_SEL"),
    memory(0x4_5504, "DC_STATE_EN"),
    memory(0x4_5520, "DC_STATE_DEBUG"),
    answers(0x4_5008, "DBUF_CTL", enable_answered),
    read_only(0x4_2000, "FUSE_STATUS", 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25),
    // The core display clock runs when the driver comes, as after a video BIOS: 337.5 MHz of DPLL 0's 8.1 GHz.
    memory(0x4_6000, "CDCLK_CTL").reset(2 << 26 | 0x2A1),
    answers(0x4_6010, "LCPLL1_CTL", enable_answered).reset(1 << 31 | 1 << 30),
    answers(0x4_6014, "LCPLL2_CTL", enable_answered),
    memory(0x4_6020, "SPLL_CTL"),
    memory(0x4_6040, "WRPLL_CTL").times(2, 0x20),
    memory(0x4_6408, "NDE_RSTWRN_OPT"),
    memory(0x4_6430, "CHICKEN_DCPR_1"),
    read_only(0x6_C060, "DPLL_STATUS", 0x0101_0101),
    memory(0x6_C058, "DPLL_CTRL1").reset(2 << 1 | 1),
    memory(0x6_C05C, "DPLL_CTRL2"),
    memory(0x6_C040, "DPLL_CFGCR").times(6, 4),
    memory(0x4_6100, "PORT_CLK_SEL").times(5, 4),
    memory(0x4_6140, "TRANS_CLK_SEL").times(3, 4),
    memory(0x4_6520, "CLKGATE_DIS_PSL").times(3, 4),
    memory(0x4_6530, "CLKGATE_DIS_4").times(4, 4),
    behaves(0x4_4070, "TIMESTAMP_CTR", MicrosecondTimestamp),
    memory(0x4_4084, "TIMESTAMP_OVERRIDE"),
    // One monitor needs one pipe: B (bit 21) and C (bit 28) are fused off, and drivers leave them alone.
    read_only(0x5_1000, "DFSM", 1 << 28 | 1 << 21),
    // Display clock gating, chickens, arbiter.
    memory(0x4_2004, "CHICKEN_42004"),
    memory(0x4_2014, "ILK_DISPLAY_CHICKEN_42014"),
    memory(0x4_2080, "CHICKEN_PAR1_1"),
    memory(0x4_2090, "CHICKEN_PAR2_1_OR_MISC2"),
    memory(0x4_2084, "CHICKEN_MISC_2"),
    memory(0x4_2020, "ILK_DSPCLK_GATE_D"),
    memory(0x4_20B0, "CHICKEN_PIPESL_1").times(3, 4),
    memory(0x4_20C0, "CHICKEN_TRANS").times(4, 4),
    memory(0x4_2060, "CHICKEN_42060"),
    memory(0x4_5000, "DISP_ARB_CTL"),
    memory(0x4_5004, "DISP_ARB_CTL2"),
    memory(0x4_5010, "DISPLAY_ARB_45010"),
    memory(0x4_5270, "WM_LINETIME").times(3, 4),
    memory(0x4_3200, "DPFC_43200").times(0x10, 4),
    memory(0x4_3208 + 0x40, "DPFC_43248"),
    memory(0x5_0080, "FLIP_MODE").times(1, 4),
    memory(0x4_1000, "VGACNTRL").reset(1 << 31),
    memory(0x4_8250, "BLC_PWM_CPU_CTL2"),
    memory(0x4_8254, "BLC_PWM_CPU_CTL"),
    memory(0x4_8400, "UTIL_PIN_CTL"),
    memory(0xC_8250, "BLC_PWM_PCH_CTL1"),
    memory(0xC_8254, "BLC_PWM_PCH_CTL2"),
    // eDP transcoder (absent panel) and panel self refresh (off).
    memory(0x6_F000, "TRANS_EDP").times(0x20, 4),
    memory(0x6_F400, "TRANS_DDI_FUNC_CTL_EDP"),
    memory(0x7_F008, "TRANSCONF_EDP"),
    memory(0x6_4800, "PSR").times(0x0D, 4),
    memory(0x6_4834, "PSR_IMR"),
    zero(0x6_4838, "PSR_IIR"),
    memory(0x6_4840, "PSR_STATUS").times(16, 4),
    memory(0x6_F800, "EDP_PSR").times(0x30, 4),
    memory(0x6_F900, "EDP_PSR2").times(0x30, 4),
    // Ports A to E: buffer, training, side band.
    answers(0x6_4000, "DDI_BUF_CTL", buffer_answered).times(5, 0x100).reset(1 << 7),
    memory(0x6_4E00, "DDI_BUF_TRANS").times(20, 4),
    memory(0x6_4E60, "DDI_BUF_TRANS_B").times(20, 4),
    memory(0x6_4EC0, "DDI_BUF_TRANS_C").times(20, 4),
    memory(0x6_4F20, "DDI_BUF_TRANS_D").times(20, 4),
    memory(0x6_4F80, "DDI_BUF_TRANS_E").times(20, 4),
    behaves(0x6_4040, "DP_TP_CTL", TrainingControl).times(5, 0x100),
    clear_ones(0x6_4044, "DP_TP_STATUS").times(5, 0x100),
    behaves(0x6_4010, "DDI_AUX_CTL", AuxControl).times(4, 0x100),
    memory(0x6_4014, "DDI_AUX_DATA_A").times(5, 4),
    memory(0x6_4114, "DDI_AUX_DATA_B").times(5, 4),
    memory(0x6_4214, "DDI_AUX_DATA_C").times(5, 4),
    memory(0x6_4314, "DDI_AUX_DATA_D").times(5, 4),
    memory(0x6_4028, "DDI_AUX_MUTEX").times(4, 0x100),
    memory(0x6_C00C, "DISPIO_CR_TX_BMU"),
    memory(0x6_C000, "DISPIO_6C000").times(3, 4),
    // South display: hot-plug, straps, panel power, I2C.
    behaves(0xC_4030, "SHOTPLUG_CTL", HotPlugControl),
    clear_ones(0xC_403C, "SHOTPLUG_CTL2"),
    memory(0xC_4014, "SOUTH_C4014"),
    memory(0xC_4038, "SHPD_FILTER_CNT"),
    clear_ones(0x4_4030, "HOTPLUG_CTL"),
    memory(0xC_2000, "SOUTH_CHICKEN1"),
    memory(0xC_2004, "SOUTH_CHICKEN2"),
    read_only(0xC_2014, "SFUSE_STRAP", 1 << 2),
    memory(0xC_2020, "SOUTH_DSPCLK_GATE_D"),
    memory(0xC_6200, "PCH_RAWCLK_C6200"),
    memory(0xC_6204, "PCH_RAWCLK_FREQ"),
    memory(0xC_6000, "SBI").times(3, 4),
    memory(0xC_5010, "GPIO").times(6, 4),
    behaves(0xC_5100, "GMBUS0", GmbusSelect),
    behaves(0xC_5104, "GMBUS1", GmbusCommand),
    read_only(0xC_5108, "GMBUS2", 1 << 11),
    memory(0xC_510C, "GMBUS3"),
    memory(0xC_5110, "GMBUS4"),
    memory(0xC_5120, "GMBUS5"),
    read_only(0xC_7200, "PP_STATUS", 0),
    memory(0xC_7204, "PP_CONTROL"),
    memory(0xC_7208, "PP_DELAYS").times(3, 4),
    memory(0x6_5000, "AUDIO").times(0x400, 4),
    memory(0x4_8000, "PCH_PORT_48000").times(4, 4),
    memory(0xE_1100, "PCH_ADPA"),
    memory(0x8_F000, "DMC_8F000").times(0x400, 4),
    memory(0x8_0000, "DMC_PROGRAM").times(0xC00, 4),
    // Scratch registers of the video BIOS.
    memory(0x4_F000, "SWF").times(0x18, 4),
    // The video BIOS leaves a mark that it has set up the display's clocks.
    memory(0x4_F060, "SWF_18").reset(1),
    memory(0x4_F064, "SWF_19").times(0x27, 4),
];

/// Registers that each of the pipes A, B and C has: the first pipe's base, bytes from pipe to pipe, and the registers.
pub(super) const PER_PIPE: &[(u32, u32, &[Register])] = &[
    (0x4_A000, 0x800, &[memory(0x0, "LGC_PALETTE").times(256, 4)]),
    (
        0x4_A400,
        0x800,
        &[
            memory(0x0, "PREC_PAL_INDEX"),
            memory(0x4, "PREC_PAL_DATA"),
            memory(0x10, "PREC_PAL_GC_MAX").times(3, 4),
            memory(0x80, "GAMMA_MODE"),
        ],
    ),
    (0x4_9000, 0x100, &[memory(0x10, "CSC").times(20, 4)]),
    (
        // Transcoder timings and link ratios.
        0x6_0000,
        0x1000,
        &[
            memory(0x00, "HTOTAL"),
            memory(0x04, "HBLANK"),
            memory(0x08, "HSYNC"),
            memory(0x0C, "VTOTAL"),
            memory(0x10, "VBLANK"),
            memory(0x14, "VSYNC"),
            memory(0x1C, "PIPESRC"),
            memory(0x20, "BCLRPAT"),
            memory(0x28, "VSYNCSHIFT"),
            memory(0x2C, "TRANS_MULT"),
            memory(0x30, "LINK_RATIOS").times(8, 4),
            memory(0x400, "TRANS_DDI_FUNC_CTL"),
            memory(0x404, "TRANS_DDI_FUNC_CTL2"),
            memory(0x410, "TRANS_MSA_MISC"),
            memory(0x200, "VIDEO_DIP").times(0x80, 4),
            behaves(0x50, "PIPE_CRC_CTL", ChecksumControl),
            memory(0x54, "PIPE_CRC_EXP").times(4, 4),
            behaves(0x64, "PIPE_CRC_RES", Checksum),
            read_only(0x68, "PIPE_CRC_RES_68", 0).times(4, 4),
            memory(0x78, "CRC_78").times(10, 4),
        ],
    ),
    (0x6_8000, 0x800, &[memory(0x100, "PIPE_SCALER").times(0x80, 4)]),
    (
        // Pipe, cursor and planes.
        0x7_0000,
        0x1000,
        &[
            behaves(0x00, "PIPEDSL", ScanLine),
            behaves(0x08, "TRANSCONF", TranscoderConf),
            memory(0x24, "PIPESTAT"),
            memory(0x30, "PIPE_MISC"),
            memory(0x34, "PIPE_MISC2"),
            behaves(0x40, "FRAME_COUNT", FrameCount),
            read_only(0x44, "FLIP_COUNT", 0),
            memory(0x48, "PIPE_FRMTMSTMP"),
            memory(0x4C, "PIPE_FLIPTMSTMP"),
            memory(0x80, "CUR_CTL"),
            behaves(0x84, "CUR_BASE", CursorBase),
            memory(0x88, "CUR_POS"),
            memory(0x8C, "CUR_POS_8C"),
            memory(0x90, "CUR_PAL").times(4, 4),
            memory(0xA0, "CUR_FBC_CTL"),
            read_only(0xAC, "CUR_SURFLIVE", 0),
            memory(0x140, "CUR_WM").times(8, 4),
            memory(0x168, "CUR_WM_TRANS"),
            memory(0x17C, "CUR_BUF_CFG"),
            memory(0x180, "PLANE_CTL").times(4, 0x100),
            memory(0x188, "PLANE_STRIDE").times(4, 0x100),
            memory(0x18C, "PLANE_POS").times(4, 0x100),
            memory(0x190, "PLANE_SIZE").times(4, 0x100),
            memory(0x194, "PLANE_KEYVAL").times(4, 0x100),
            memory(0x198, "PLANE_KEYMSK").times(4, 0x100),
            behaves(0x19C, "PLANE_SURF", PlaneSurface).times(4, 0x100),
            memory(0x1A0, "PLANE_KEYMAX").times(4, 0x100),
            memory(0x1A4, "PLANE_OFFSET").times(4, 0x100),
            read_only(0x1AC, "PLANE_SURFLIVE", 0).times(4, 0x100),
            memory(0x1C0, "PLANE_AUX_DIST").times(4, 0x100),
            memory(0x1C4, "PLANE_AUX_OFFSET").times(4, 0x100),
            memory(0x1CC, "PLANE_COLOR_CTL").times(4, 0x100),
            memory(0x1D0, "PLANE_GAMMA").times(17, 4),
            memory(0x240, "PLANE_WM_1").times(8, 4),
            memory(0x268, "PLANE_WM_TRANS_1"),
            memory(0x278, "PLANE_NV12_BUF_CFG").times(4, 0x100),
            memory(0x27C, "PLANE_BUF_CFG").times(4, 0x100),
            memory(0x340, "PLANE_WM_2").times(8, 4),
            memory(0x368, "PLANE_WM_TRANS_2"),
            memory(0x440, "PLANE_WM_3").times(8, 4),
            memory(0x468, "PLANE_WM_TRANS_3"),
            memory(0x540, "PLANE_WM_4").times(8, 4),
            memory(0x568, "PLANE_WM_TRANS_4"),
        ],
    ),
];
