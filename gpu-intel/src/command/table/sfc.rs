//! The scaler and format converter behind the video engine.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    SFC: PIPELINE for Engines::VIDEO;

    0x7500 "SFC_LOCK" counted(2..=2, 12) [] {
        1[31:0] "SFC Lock Body" structure(SFC_LOCK_BODY);
    }
    0x7501 "SFC_STATE" counted(2..=32, 12) [] {
        1[3:0] "SFC Pipe Mode" uint;
        1[7:4] "SFC Input Chroma Sub-Sampling" uint;
        1[10:8] "VD/VE Input Ordering Mode" uint;
        2[11:0] "Input Frame Resolution Width" uint;
        2[27:16] "Input Frame Resolution Height" uint;
        3[3:0] "Output Surface Format Type" uint;
        3[5] "RGBA Channel Swap Enable" bool;
        3[7:6] "Pre-AVS Chroma Downsampling Enable" uint;
        3[10:8] "Pre-AVS Chroma Downsampling Co-siting Position Vertical Direction" uint;
        3[14:12] "Pre-AVS Chroma Downsampling Co-siting Position Horizontal Direction" uint;
        4[0] "IEF Enable" bool;
        4[1] "Skin Tone Tuned IEF_Enable" bool;
        4[2] "IEF4 Smooth Enable" bool;
        4[5:4] "AVS Filter Mode" uint;
        4[6] "Adaptive Filter for all Channels" bool;
        4[7] "AVS Scaling Enable" bool;
        4[8] "Bypass Y Adaptive Filtering" bool;
        4[9] "Bypass X Adaptive Filtering" bool;
        4[12] "Chroma Upsampling Enable" bool;
        4[17:16] "Rotation Mode" uint;
        4[18] "Color Fill Enable" bool;
        4[19] "CSC Enable" bool;
        5[11:0] "Source Region Width" uint;
        5[27:16] "Source Region Height" uint;
        6[11:0] "Source Region Horizontal Offset" uint;
        6[27:16] "Source Region Vertical Offset" uint;
        7[11:0] "Output Frame Width" uint;
        7[27:16] "Output Frame Height" uint;
        8[11:0] "Scaled Region Size Width" uint;
        8[27:16] "Scaled Region Size Height" uint;
        9[12:0] "Scaled Region Horizontal Offset" int;
        9[28:16] "Scaled Region Vertical Offset" int;
        10[9:0] "Gray Bar Pixel - U/G" uint;
        10[25:16] "Gray Bar Pixel - Y/R" uint;
        11[9:0] "Gray Bar Pixel - A" uint;
        11[25:16] "Gray Bar Pixel - V/B" uint;
        12[9:0] "UV Default value for U channel" uint;
        12[25:16] "UV Default value for V channel" uint;
        13[9:0] "Alpha Default Value" uint;
        14[20:0] "Scaling Factor Height" ufixed(17);
        15[20:0] "Scaling Factor Width" ufixed(17);
        17[47:12] "Output Frame - Address" uint;
        19[6:0] "Output Frame - MOCS" uint;
        19[8:7] "Output Frame - Arbitration Priority Control" structure(HEVC_ARBITRATION_PRIORITY);
        19[9] "Output Frame - Memory Compression Enable" bool;
        19[10] "Output Frame - Memory Compression Mode" uint;
        19[12] "Output Frame - Cache Select" bool;
        19[14:13] "Output Frame - Tiled Mode" uint;
        20[47:12] "AVS Line Buffer - Address" uint;
        22[6:0] "AVS Line Buffer - MOCS" uint;
        22[8:7] "AVS Line Buffer - Arbitration Priority Control" structure(HEVC_ARBITRATION_PRIORITY);
        22[9] "AVS Line Buffer - Memory Compression Enable" bool;
        22[10] "AVS Line Buffer - Memory Compression Mode" uint;
        22[12] "AVS Line Buffer - Cache Select" uint;
        22[14:13] "AVS Line Buffer - Tiled Mode" uint;
        23[47:12] "IEF Line Buffer - Address" uint;
        25[6:0] "IEF Line Buffer - MOCS" uint;
        25[8:7] "IEF Line Buffer - Arbitration Priority Control" structure(HEVC_ARBITRATION_PRIORITY);
        25[9] "IEF Line Buffer - Memory Compression Enable" bool;
        25[10] "IEF Line Buffer - Memory Compression Mode" uint;
        25[12] "IEF Line Buffer - Cache Select" uint;
        25[14:13] "IEF Line Buffer - Tiled Mode" uint;
        29[0] "Output Surface Tile Walk" uint;
        29[1] "Output Surface Tiled" bool;
        29[2] "Output Surface Half Pitch for Chroma" bool;
        29[19:3] "Output Surface Pitch" uint;
        29[27] "Output Surface Interleave Chroma Enable" bool;
        29[31:28] "Output Surface Format" uint;
        30[13:0] "Output Surface Y Offset for U" uint;
        30[29:16] "Output Surface X Offset for U" uint;
        31[13:0] "Output Surface Y Offset for V" uint;
        31[29:16] "Output Surface X Offset for V" uint;
    }
    0x7502 "SFC_AVS_STATE" counted(2..=3, 12) [] {
        1[1535:0] "AVS State Body" structure(SFC_AVS_STATE_BODY);
    }
    0x7503 "SFC_IEF_STATE" counted(2..=24, 12) [] {
        1[735:0] "SFC IEF State Body" structure(SFC_IEF_STATE_BODY);
    }
    0x7504 "SFC_FRAME_START" counted(2..=2, 12) [] {
        1[31:0] "Frame Start Body" uint;
    }
    0x7505 "SFC_AVS_LUMA_COEFF_TABLE" counted(2..=129, 12) [] {
        1[4223:0] "AVS LUMA Coefficient Table Body" structure(SFC_AVS_LUMA_COEFF_TABLE_BODY);
    }
    0x7506 "SFC_AVS_CHROMA_COEFF_TABLE" counted(2..=65, 12) [] {
        1[2047:0] "AVS CHROMA Coefficient Table Body" structure(SFC_AVS_CHROMA_COEFF_TABLE_BODY);
    }
}
