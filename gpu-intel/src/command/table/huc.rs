//! The HEVC/H.264 micro controller of the video engine.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    HUC: PIPELINE for Engines::VIDEO;

    0x7580 "HUC_PIPE_MODE_SELECT" counted(2..=3, 12) [] {
        1[4] "Indirect Stream-Out Enable" bool;
        2[31:0] "Media Soft-Reset Counter" uint;
    }
    0x7581 "HUC_IMEM_STATE" counted(2..=5, 12) [] {
        4[7:0] "HUC Firmware Descriptor" uint;
    }
    0x7582 "HUC_DMEM_STATE" counted(2..=6, 12) [] {
        1[63:0] "HUC Data Source - Address" address;
        3[31:0] "HUC Data Source - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[16:6] "HUC Data Destination - Address" address;
        5[16:6] "HUC Data Length" uint;
    }
    0x7583 "HUC_CFG_STATE" counted(2..=2, 12) [] {
        1[0] "P24C" uint;
    }
    0x7584 "HUC_VIRTUAL_ADDR_STATE" counted(2..=49, 12) [] {
        repeat 16 at 32 step 96 {
            0[95:0] "HUC Virtual Address Region" structure(HUC_VIRTUAL_ADDR_REGION);
        }
    }
    0x7585 "HUC_IND_OBJ_BASE_ADDR_STATE" counted(2..=11, 12) [] {
        1[63:0] "HUC Indirect Stream-In Object - Address" address;
        3[31:0] "HUC Indirect Stream-In Object - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "HUC Indirect Stream-In Object - Access Upper Bound" address;
        6[63:0] "HUC Indirect Stream-Out Object - Address" address;
        8[31:0] "HUC Indirect Stream-Out Object - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        9[63:0] "HUC Indirect Stream-Out Object - Access Upper Bound" address;
    }
    0x75a0 "HUC_STREAM_OBJECT" counted(2..=5, 12) [] {
        1[31:0] "Indirect Stream-In Data Length" uint;
        2[28:0] "Indirect Stream-In - Address" address;
        2[31] "HUC Processing" bool;
        3[28:0] "Indirect Stream-Out - Address" address;
        4[7:0] "Start Code Byte [0]" uint;
        4[15:8] "Start Code Byte [1]" uint;
        4[23:16] "Start Code Byte [2]" uint;
        4[24] "Start Code Search Engine" bool;
        4[25] "Emulation Prevention Byte Removal" bool;
        4[26] "Stream-Out" bool;
        4[28:27] "DRM Length Mode" uint;
        4[29] "HUC Bitstream Enable" bool;
    }
    0x75a1 "HUC_START" counted(2..=2, 12) [] {
        1[0] "Last Stream Object" bool;
    }
}
