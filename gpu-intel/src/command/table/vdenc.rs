//! The low-power encoder of the video engine.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    VDENC: PIPELINE for Engines::VIDEO;

    0x7080 "VDENC_PIPE_MODE_SELECT" counted(2..=2, 12) [] {
        1[3:0] "Standard Select" uint;
        1[5] "Frame Statistics Stream-Out Enable" bool;
        1[7] "TLB Prefetch Enable" bool;
        1[8] "PAK Threshold Check Enable" bool;
        1[9] "VDEnc Stream-In Enable" bool;
        1[16:15] "PAK Chroma Sub-Sampling Type" uint;
        1[17] "Output Range Control After Color Space Conversion" bool;
        1[31] "Disable Speed Mode Fetch Optimization" bool;
    }
    0x7081 "VDENC_SRC_SURFACE_STATE" counted(2..=6, 12) [] {
        2[127:0] "Surface State" structure(VDENC_SURFACE_STATE_FIELDS);
    }
    0x7082 "VDENC_REF_SURFACE_STATE" counted(2..=6, 12) [] {
        2[127:0] "Surface State" structure(VDENC_SURFACE_STATE_FIELDS);
    }
    0x7083 "VDENC_DS_REF_SURFACE_STATE" counted(2..=6, 12) [] {
        2[127:0] "8X Surface State" structure(VDENC_SURFACE_STATE_FIELDS);
    }
    0x7084 "VDENC_PIPE_BUF_ADDR_STATE" counted(2..=38, 12) [] {
        1[95:0] "DS FWD REF0" structure(VDENC_PICTURE);
        4[95:0] "DS FWD REF1" structure(VDENC_PICTURE);
        10[95:0] "Original Uncompressed Picture" structure(VDENC_PICTURE);
        13[95:0] "Stream-In Data Picture" structure(VDENC_PICTURE);
        16[95:0] "Row Store Scratch Buffer" structure(VDENC_PICTURE);
        19[95:0] "Colocated MV Read Buffer" structure(VDENC_PICTURE);
        22[95:0] "FWD REF0" structure(VDENC_PICTURE);
        25[95:0] "FWD REF1" structure(VDENC_PICTURE);
        28[95:0] "FWD REF2" structure(VDENC_PICTURE);
        31[95:0] "BWD REF0" structure(VDENC_PICTURE);
        34[95:0] "VDEnc Statistics Stream-Out" structure(VDENC_PICTURE);
    }
    0x7085 "VDENC_IMG_STATE" counted(2..=35, 12) [] {
        1[2] "Bidirectional Mix Disable" bool;
        1[6] "VDEnc Extended PAK_OBJ_CMD Enable" bool;
        1[7] "Transform 8x8" bool;
        1[9:8] "VDEnc L1 Cache Priority" uint;
        1[31:16] "Lambda Value for Trellis" uint;
        2[21:16] "Bidirectional Weight" uint;
        2[28] "Unidirectional Mix Disable" bool;
        3[31:16] "Picture Width" uint;
        4[13:12] "Sub-Pel Mode" uint;
        4[17] "Forward Transform Skip Check Enable" bool;
        4[18] "Bme Disable For Fbr Message" bool;
        4[19] "Block-Based Skip Enable" bool;
        4[21:20] "Inter SAD Measure Adjustment" uint;
        4[23:22] "Intra SAD Measure Adjustment" uint;
        4[30:24] "Sub-MB Sub-Partition Mask" uint;
        4[31] "Block-Based Skip Type" uint;
        5[15:0] "Picture Height" uint;
        5[16] "CRE Prefetch Enable" bool;
        5[17] "HME Ref1 Disable" bool;
        5[21:18] "MB Slice Threshold Value" uint;
        5[26] "Constrained Intra Prediction" bool;
        5[30:29] "Picture Type" uint;
        6[15:0] "Slice MB Height" uint;
        7[31:24] "HME1 Y Offset" int;
        8[4:0] "Luma Intra Partition Mask" uint;
        8[5] "Non Skip Zero MV Cost Added" uint;
        8[6] "Non Skip MB Mode Cost Added" uint;
        8[17:16] "MV Cost Scaling Factor" uint;
        8[18] "BiLinear Filter Enable" bool;
        8[22] "RefID Cost Mode Select" uint;
        9[7:0] "Mode 0 Cost" uint;
        9[15:8] "Mode 1 Cost" uint;
        9[23:16] "Mode 2 Cost" uint;
        9[31:24] "Mode 3 Cost" uint;
        10[7:0] "Mode 4 Cost" uint;
        10[15:8] "Mode 5 Cost" uint;
        10[23:16] "Mode 6 Cost" uint;
        10[31:24] "Mode 7 Cost" uint;
        11[7:0] "Mode 8 Cost" uint;
        11[15:8] "Mode 9 Cost" uint;
        11[23:16] "RefID Cost" uint;
        11[31:24] "Chroma Intra Mode Cost" uint;
        12[63:0] "MV Cost" structure(IMAGE_STATE_COST);
        14[7:0] "QpPrimeY" int;
        14[31:24] "TargetSizeInWord" uint;
        17[8:0] "AVC Intra 4x4 Mode Mask" uint;
        17[24:16] "AVC Intra 8x8 Mode Mask" uint;
        18[3:0] "AVC Intra 16x16 Mode Mask" uint;
        18[7:4] "AVC Intra Chroma Mode Mask" uint;
        18[9:8] "Intra Compute Type" uint;
        20[7:0] "Penalty for Intra 16x16 Non-DC Prediction" uint;
        20[15:8] "Penalty for Intra 8x8 Non-DC Prediction" uint;
        20[23:16] "Penalty for Intra 4x4 Non-DC Prediction" uint;
        21[7:0] "Intra Refresh MB Position" uint;
        21[15:8] "Intra Refresh MB Size" uint;
        21[16] "Intra Refresh Enable (Rolling-I Enable)" bool;
        21[17] "Intra Refresh Mode" uint;
        21[31:24] "QP Adjustment for Rolling-I" int;
        22[15:0] "PanicModeMBThreshold" uint;
        22[23:16] "SmallMbSizeInWord" uint;
        22[31:24] "LargeMbSizeInWord" uint;
        23[7:0] "L0 Number of References" int;
        23[23:16] "L1 Number of References" int;
        26[15:8] "HME Ref Windows Combining Threshold" uint;
        27[15:0] "Max Horizontal MV Range" uint;
        27[31:16] "Max Vertical MV Range" uint;
        28[63:0] "HME MV Cost" structure(IMAGE_STATE_COST);
        30[3:0] "ROI QP Adjustment for Zone0" int;
        30[7:4] "ROI QP Adjustment for Zone1" int;
        30[11:8] "ROI QP Adjustment for Zone2" int;
        30[15:12] "ROI QP Adjustment for Zone3" int;
        30[19:16] "QP Adjustment for Shape Best Intra 4x4 Winner" int;
        30[23:20] "QP Adjustment for Shape Best Intra 8x8 Winner" int;
        30[27:24] "QP Adjustment for Shape Best Intra 16x16 Winner" int;
        31[3:0] "Best Distortion QP Adjustment for Zone0" int;
        31[7:4] "Best Distortion QP Adjustment for Zone1" int;
        31[11:8] "Best Distortion QP Adjustment for Zone2" int;
        31[15:12] "Best Distortion QP Adjustment for Zone3" int;
        31[31:16] "Sad/Haar Threshold 0" uint;
        32[15:0] "Sad/Haar Threshold 1" uint;
        32[31:16] "Sad/Haar Threshold 2" uint;
        33[7:0] "Max QP" uint;
        33[15:8] "Min QP" uint;
        33[27:24] "Max Delta QP" uint;
        34[0] "ROI Enable" bool;
        34[1] "Fwd/Predictor0 MV Enable" bool;
        34[2] "Bwd/Predictor1 MV Enable" bool;
        34[3] "MB Level QP Enable" bool;
        34[4] "TargetSizeinWordsMB/MaxSizeinWordsMB Enable" bool;
        34[8] "PPMV Disable" bool;
        34[9] "Coefficient Clamp Enable" bool;
        34[10] "Long Term Reference Frame Bwd Ref0 Indicator" bool;
        34[11] "Long Term Reference Frame Fwd Ref2 Indicator" bool;
        34[12] "Long Term Reference Frame Fwd Ref1 Indicator" bool;
        34[13] "Long Term Reference Frame Fwd Ref0 Indicator" bool;
        34[31:16] "Midpoint Sad/Haar" uint;
    }
    0x7086 "VDENC_CONST_QPT_STATE" counted(2..=61, 12) [] {
        repeat 42 at 32 step 8 {
            0[7:0] "QP Lambda Array Index" uint;
        }
        repeat 27 at 384 step 16 {
            0[15:0] "Skip Threshold Array Index" uint;
        }
        repeat 27 at 832 step 16 {
            0[15:0] "SIC Forward Transform Coeff Threshold Matrix0 Array Index" uint;
        }
        repeat 27 at 1280 step 8 {
            0[7:0] "SIC Forward Transform Coeff Threshold Matrix1/3/5 Array Index" uint;
        }
        repeat 27 at 1504 step 8 {
            0[7:0] "SIC Forward Transform Coeff Threshold Matrix2 Array Index" uint;
        }
        repeat 27 at 1728 step 8 {
            0[7:0] "SIC Forward Transform Coeff Threshold Matrix4/6 Array Index" uint;
        }
    }
    0x7087 "VDENC_WALKER_STATE" counted(2..=4, 12) [] {
        1[8:0] "MB/LCU Start Y Position" uint;
        1[24:16] "MB/LCU Start X Position" uint;
        1[28] "First Super Slice" bool;
        2[9:0] "Next Slice MB Start Y Position" uint;
        2[25:16] "Next Slice MB/LCU Start X Position" uint;
        3[2:0] "Log2 Weight Denominator Luma" uint;
    }
    0x7088 "VDENC_WEIGHTSOFFSETS_STATE" counted(2..=3, 12) [] {
        1[7:0] "Weights Forward Reference 0" int;
        1[15:8] "Offset Forward Reference 0" int;
        1[23:16] "Weights Forward Reference 1" int;
        1[31:24] "Offset Forward Reference 1" int;
        2[7:0] "Weights Forward Reference 2" int;
        2[15:8] "Offset Forward Reference 2" int;
        2[23:16] "HEVC/VP9 Weights Backward Reference 0" int;
        2[31:24] "HEVC/VP9 Offset Backward Reference 0" int;
    }
}
