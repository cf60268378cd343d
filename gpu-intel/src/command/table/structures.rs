//! Structures that several commands hold.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::grammar::structures;

structures! {
    _3DSTATE_CONSTANT_BODY "3DSTATE_CONSTANT_BODY" {
        repeat 4 at 0 step 16 {
            0[15:0] "Read Length" uint;
        }
        repeat 4 at 64 step 64 {
            0[63:5] "Buffer" address;
        }
    }
    BINDING_TABLE_EDIT_ENTRY "BINDING_TABLE_EDIT_ENTRY" {
        0[15:0] "Surface State Pointer" offset;
        0[23:16] "Binding Table Index" uint;
    }
    FRAMEDELTAQP "FRAMEDELTAQP" {
        repeat 8 at 0 step 8 {
            0[7:0] "Frame Delta QP" int;
        }
    }
    FRAMEDELTAQPRANGE "FRAMEDELTAQPRANGE" {
        repeat 8 at 0 step 8 {
            0[7:0] "Frame Delta QP Range" uint;
        }
    }
    GATHER_CONSTANT_ENTRY "GATHER_CONSTANT_ENTRY" {
        0[3:0] "Binding Table Index Offset" uint;
        0[7:4] "Channel Mask" uint;
        0[15:8] "Constant Buffer Offset" offset;
    }
    HCP_PAK_INSERT_OBJECT_INDIRECT_PAYLOAD "HCP_PAK_INSERT_OBJECT_INDIRECT_PAYLOAD" {
        0[31:0] "Indirect Payload Data Size in bits" uint;
        1[63:0] "Indirect Payload Base Address" address;
        3[31:0] "Indirect Payload Base Address2" structure(MEMORYADDRESSATTRIBUTES);
    }
    HCP_REF_LIST_ENTRY "HCP_REF_LIST_ENTRY" {
        0[7:0] "Reference Picture tb Value" uint;
        0[10:8] "List Entry" uint;
        0[11] "Chroma Weighted Prediction" uint;
        0[12] "Luma Weighted Prediction" uint;
        0[13] "Long Term Reference" bool;
        0[14] "Field Pic" bool;
        0[15] "Top Field" bool;
    }
    HCP_TILE_POSITION_IN_CTB "HCP_TILE_POSITION_IN_CTB" {
        0[7:0] "CtbPos0+i" uint;
        0[15:8] "CtbPos1+i" uint;
        0[23:16] "CtbPos2+i" uint;
        0[31:24] "CtbPos3+i" uint;
    }
    HCP_WEIGHTOFFSET_CHROMA_ENTRY "HCP_WEIGHTOFFSET_CHROMA_ENTRY" {
        0[7:0] "Delta Chroma Weight LX[0]" uint;
        0[15:8] "Chroma Offset LX[0]" uint;
        0[23:16] "Delta Chroma Weight LX[1]" uint;
        0[31:24] "Chroma Offset LX[1]" uint;
    }
    HCP_WEIGHTOFFSET_LUMA_ENTRY "HCP_WEIGHTOFFSET_LUMA_ENTRY" {
        0[7:0] "Delta Luma Weight LX" uint;
        0[15:8] "Luma Offset LX" uint;
    }
    HEVC_ARBITRATION_PRIORITY "HEVC_ARBITRATION_PRIORITY" {
        0[1:0] "Priority" uint;
    }
    HEVC_VP9_RDOQ_LAMBDA_FIELDS "HEVC_VP9_RDOQ_LAMBDA_FIELDS" {
        0[15:0] "Lambda Value 0" uint;
        0[31:16] "Lambda Value 1" uint;
    }
    HUC_VIRTUAL_ADDR_REGION "HUC_VIRTUAL_ADDR_REGION" {
        0[63:0] "Address" address;
        2[31:0] "Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
    }
    IMAGE_STATE_COST "IMAGE_STATE_COST" {
        0[7:0] "MV 0 Cost" uint;
        0[15:8] "MV 1 Cost" uint;
        0[23:16] "MV 2 Cost" uint;
        0[31:24] "MV 3 Cost" uint;
        1[7:0] "MV 4 Cost" uint;
        1[15:8] "MV 5 Cost" uint;
        1[23:16] "MV 6 Cost" uint;
        1[31:24] "MV 7 Cost" uint;
    }
    INLINE_DATA_DESCRIPTION_FOR_MFD_AVC_BSD_OBJECT "INLINE_DATA_DESCRIPTION_FOR_MFD_AVC_BSD_OBJECT" {
        0[0] "MB Error Concealment P Slice Weight Prediction Disable" bool;
        0[1] "MB Error Concealment P Slice Motion Vectors Override Disable" bool;
        0[3] "MB Error Concealment B Spatial Weight Prediction Disable" bool;
        0[4] "MB Error Concealment B Spatial Motion Vectors Override Disable" bool;
        0[7:6] "MB Error Concealment B Spatial Prediction Mode" uint;
        0[8] "MB Header Error Handling" bool;
        0[10] "Entropy Error Handling" bool;
        0[12] "MPR Error Handling" bool;
        0[14] "BSD Premature Complete Error Handling" bool;
        0[21:16] "Concealment Picture ID" uint;
        0[24] "MB Error Concealment B Temporal Weight Prediction Disable" bool;
        0[25] "MB Error Concealment B Temporal Motion Vectors Override Enable" bool;
        0[28:27] "MB Error Concealment B Temporal Prediction Mode" uint;
        0[29] "Intra PredMode (4x4/8x8 Luma) Error Control" uint;
        0[30] "Init Current MB Number" bool;
        0[31] "Concealment Method" uint;
        1[2:0] "First MB Bit Offset" uint;
        1[3] "Last Slice" bool;
        1[4] "Emulation Prevention Byte Present" bool;
        1[7] "Fix Prev MB Skipped" bool;
        1[31:16] "First MB Byte Offset of Slice Data or Slice Header" uint;
        2[0] "Intra Prediction Error Control" bool;
        2[1] "Intra 8x8/4x4 Prediction Error Concealment Control" bool;
        2[6:4] "B Slice Temporal Inter Concealment Mode" uint;
        2[10:8] "B Slice Spatial Inter Concealment Mode" uint;
        2[13:12] "B Slice Inter Direct Type Concealment Mode" uint;
        2[15] "B Slice Concealment Mode" uint;
        2[18:16] "P Slice Inter Concealment Mode" uint;
        2[23] "P Slice Concealment Mode" uint;
        2[29:24] "Concealment Reference Picture + Field Bit" uint;
        2[31] "I Slice Concealment Mode" uint;
    }
    MEMORYADDRESSATTRIBUTES "MEMORYADDRESSATTRIBUTES" {
        0[6:0] "MOCS" uint;
        0[8:7] "Arbitration Priority Control" structure(HEVC_ARBITRATION_PRIORITY);
        0[9] "Memory Compression Enable" bool;
        0[10] "Memory Compression Mode" uint;
        0[12] "Row Store Scratch Buffer Cache Select" uint;
        0[14:13] "Tiled Resource Mode" uint;
    }
    MFD_MPEG2_BSD_OBJECT_INLINE_DATA_DESCRIPTION "MFD_MPEG2_BSD_OBJECT_INLINE_DATA_DESCRIPTION" {
        0[2:0] "First MB Bit Offset" uint;
        0[3] "Last MB" bool;
        0[5] "Last Pic Slice" bool;
        0[6] "Slice Concealment Type" uint;
        0[7] "Slice Concealment Override" uint;
        0[15:8] "MB Count" uint;
        0[23:16] "Slice Vertical Position" uint;
        0[31:24] "Slice Horizontal Position" uint;
        1[7:0] "Next Slice Horizontal Position" uint;
        1[16:8] "Next Slice Vertical Position" uint;
        1[28:24] "Quantizer Scale Code" uint;
    }
    MI_MATH_ALU_INSTRUCTION "MI_MATH_ALU_INSTRUCTION" {
        0[9:0] "Operand 2" uint;
        0[19:10] "Operand 1" uint;
        0[31:20] "ALU Opcode" uint;
    }
    PALETTE_ENTRY "PALETTE_ENTRY" {
        0[7:0] "Blue" uint;
        0[15:8] "Green" uint;
        0[23:16] "Red" uint;
        0[31:24] "Alpha" uint;
    }
    SFC_AVS_CHROMA_COEFF_TABLE_BODY "SFC_AVS_CHROMA_COEFF_TABLE_BODY" {
        0[7:0] "Table 1X Filter Coefficient[[n],2]" sfixed(6);
        0[15:8] "Table 1Y Filter Coefficient[[n],2]" sfixed(6);
        0[23:16] "Table 1X Filter Coefficient[[n],3]" sfixed(6);
        0[31:24] "Table 1Y Filter Coefficient[[n],3]" sfixed(6);
        1[7:0] "Table 1X Filter Coefficient[[n],4]" sfixed(6);
        1[15:8] "Table 1Y Filter Coefficient[[n],4]" sfixed(6);
        1[23:16] "Table 1X Filter Coefficient[[n],5]" sfixed(6);
        1[31:24] "Table 1Y Filter Coefficient[[n],5]" sfixed(6);
        repeat 31 at 64 step 64 {
            0[63:0] "Filter Coefficients" uint;
        }
    }
    SFC_AVS_LUMA_COEFF_TABLE_BODY "SFC_AVS_LUMA_COEFF_TABLE_BODY" {
        0[7:0] "Table 0X Filter Coefficient[[n],0]" sfixed(6);
        0[15:8] "Table 0Y Filter Coefficient[[n],0]" sfixed(6);
        0[23:16] "Table 0X Filter Coefficient[[n],1]" sfixed(6);
        0[31:24] "Table 0Y Filter Coefficient[[n],1]" sfixed(6);
        1[7:0] "Table 0X Filter Coefficient[[n],2]" sfixed(6);
        1[15:8] "Table 0Y Filter Coefficient[[n],2]" sfixed(6);
        1[23:16] "Table 0X Filter Coefficient[[n],3]" sfixed(6);
        1[31:24] "Table 0Y Filter Coefficient[[n],3]" sfixed(6);
        2[7:0] "Table 0X Filter Coefficient[[n],4]" sfixed(6);
        2[15:8] "Table 0Y Filter Coefficient[[n],4]" sfixed(6);
        2[23:16] "Table 0X Filter Coefficient[[n],5]" sfixed(6);
        2[31:24] "Table 0Y Filter Coefficient[[n],5]" sfixed(6);
        3[7:0] "Table 0X Filter Coefficient[[n],6]" sfixed(6);
        3[15:8] "Table 0Y Filter Coefficient[[n],6]" sfixed(6);
        3[23:16] "Table 0X Filter Coefficient[[n],7]" sfixed(6);
        3[31:24] "Table 0Y Filter Coefficient[[n],7]" sfixed(6);
        repeat 31 at 128 step 128 {
            0[127:0] "Filter Coefficients" uint;
        }
    }
    SFC_AVS_STATE_BODY "SFC_AVS_STATE_BODY" {
        0[2:0] "Transition Area with 8 Pixels" uint;
        0[6:4] "Transition Area with 4 Pixels" uint;
        0[31:24] "Sharpness Level" uint;
        1[7:0] "Max Derivative 8 Pixels" uint;
        1[23:16] "Max Derivative 4 Pixels" uint;
    }
    SFC_IEF_STATE_BODY "SFC_IEF_STATE_BODY" {
        0[5:0] "Gain Factor" uint;
        0[11:6] "Weak Edge Threshold" uint;
        0[17:12] "Strong Edge Threshold" uint;
        0[22:18] "R3x Coefficient" ufixed(5);
        0[27:23] "R3c Coefficient" ufixed(5);
        1[7:0] "Global Noise Estimation" uint;
        1[10:8] "Non Edge Weight" uint;
        1[13:11] "Regular Weight" uint;
        1[16:14] "Strong Edge Weight" uint;
        1[21:17] "R5x Coefficient" ufixed(5);
        1[26:22] "R5cx Coefficient" ufixed(5);
        1[31:27] "R5c Coefficient" ufixed(5);
        2[7:0] "STD Sin(alpha)" sfixed(7);
        2[15:8] "STD Cos(alpha)" sfixed(7);
        2[21:16] "Sat_Max" uint;
        2[27:22] "Hue_Max" uint;
        3[10:0] "S3U" sfixed(8);
        3[14:12] "Diamond Margin" uint;
        3[15] "VY_STD_Enable" bool;
        3[23:16] "U_Mid" uint;
        3[31:24] "V_Mid" uint;
        4[6:0] "Diamond_dv" int;
        4[12:7] "Diamond_Th" uint;
        4[20:13] "Diamond_alpha" ufixed(6);
        4[23:21] "HS_margin" uint;
        4[30:24] "Diamond_du" int;
        4[31] "Skin Detail Factor" uint;
        5[7:0] "Y_point_1" uint;
        5[15:8] "Y_point_2" uint;
        5[23:16] "Y_point_3" uint;
        5[31:24] "Y_point_4" uint;
        6[15:0] "INV_Margin_VYL" ufixed(16);
        7[15:0] "INV_Margin_VYU" ufixed(16);
        7[23:16] "P0L" uint;
        7[31:24] "P1L" uint;
        8[7:0] "P2L" uint;
        8[15:8] "P3L" uint;
        8[23:16] "B0L" uint;
        8[31:24] "B1L" uint;
        9[7:0] "B2L" uint;
        9[15:8] "B3L" uint;
        9[26:16] "S0L" sfixed(8);
        9[31:27] "Y_Slope_2" ufixed(3);
        10[10:0] "S1L" sfixed(8);
        10[21:11] "S2L" sfixed(8);
        11[10:0] "S3L" sfixed(8);
        11[18:11] "P0U" uint;
        11[26:19] "P1U" uint;
        11[31:27] "Y_Slope1" ufixed(3);
        12[7:0] "P2U" uint;
        12[15:8] "P3U" uint;
        12[23:16] "B0U" uint;
        12[31:24] "B1U" uint;
        13[7:0] "B2U" uint;
        13[15:8] "B3U" uint;
        13[26:16] "S0U" sfixed(8);
        14[10:0] "S1U" sfixed(8);
        14[21:11] "S2U" sfixed(8);
        15[0] "Transform Enable" bool;
        15[1] "YUV Channel Swap" bool;
        15[15:3] "C0" sfixed(10);
        15[28:16] "C1" sfixed(10);
        16[12:0] "C2" sfixed(10);
        16[25:13] "C3" sfixed(10);
        17[12:0] "C4" sfixed(10);
        17[25:13] "C5" sfixed(10);
        18[12:0] "C6" sfixed(10);
        18[25:13] "C7" sfixed(10);
        19[12:0] "C8" sfixed(10);
        20[10:0] "Offset In 1" sfixed(8);
        20[21:11] "Offset Out 1" sfixed(8);
        21[10:0] "Offset In 2" sfixed(8);
        21[21:11] "Offset Out 2" sfixed(8);
        22[10:0] "Offset In 3" sfixed(8);
        22[21:11] "Offset Out 3" sfixed(8);
    }
    SFC_LOCK_BODY "SFC_LOCK_BODY" {
        0[0] "VE-SFC Pipe Select" uint;
        0[1] "Pre-Scaled Output Surface Output Enable" bool;
    }
    SF_OUTPUT_ATTRIBUTE_DETAIL "SF_OUTPUT_ATTRIBUTE_DETAIL" {
        0[4:0] "Source Attribute" uint;
        0[7:6] "Swizzle Select" uint;
        0[10:9] "Constant Source" uint;
        0[11] "Swizzle Control Mode" uint;
        0[12] "Component Override X" bool;
        0[13] "Component Override Y" bool;
        0[14] "Component Override Z" bool;
        0[15] "Component Override W" bool;
    }
    SO_DECL "SO_DECL" {
        0[3:0] "Component Mask" uint;
        0[9:4] "Register Index" uint;
        0[11] "Hole Flag" bool;
        0[13:12] "Output Buffer Slot" uint;
    }
    SO_DECL_ENTRY "SO_DECL_ENTRY" {
        0[15:0] "Stream 0 Decl" structure(SO_DECL);
        0[31:16] "Stream 1 Decl" structure(SO_DECL);
        1[15:0] "Stream 2 Decl" structure(SO_DECL);
        1[31:16] "Stream 3 Decl" structure(SO_DECL);
    }
    VDENC_PICTURE "VDENC_PICTURE" {
        0[63:0] "Address" address;
        2[31:0] "Picture Fields" structure(VDENC_SURFACE_CONTROL_BITS);
    }
    VDENC_SURFACE_CONTROL_BITS "VDENC_SURFACE_CONTROL_BITS" {
        0[6:0] "MOCS" uint;
        0[8:7] "Arbitration Priority Control" uint;
        0[9] "Memory Compression Enable" bool;
        0[10] "Memory Compression Mode" uint;
        0[12] "Cache Select" uint;
        0[14:13] "Tiled Resource Mode" uint;
    }
    VDENC_SURFACE_STATE_FIELDS "VDENC_SURFACE_STATE_FIELDS" {
        0[1:0] "Cr(V)/Cb(U) Pixel Offset V Direction" ufixed(2);
        0[2] "Surface Format Byte Swizzle" bool;
        0[3] "Color space selection" uint;
        0[17:4] "Width" uint;
        0[31:18] "Height" uint;
        1[0] "Tile Walk" uint;
        1[1] "Tiled Surface" uint;
        1[2] "Half Pitch for Chroma" bool;
        1[19:3] "Surface Pitch" uint;
        1[27] "Interleave Chroma" uint;
        1[31:28] "Surface Format" uint;
        2[14:0] "Y Offset for U(Cb)" uint;
        2[30:16] "X Offset for U(Cb)" uint;
        3[15:0] "Y Offset for V(Cr)" uint;
        3[28:16] "X Offset for V(Cr)" uint;
    }
    VERTEX_BUFFER_STATE "VERTEX_BUFFER_STATE" {
        0[11:0] "Buffer Pitch" uint;
        0[13] "Null Vertex Buffer" bool;
        0[14] "Address Modify Enable" bool;
        0[22:16] "MOCS" uint;
        0[31:26] "Vertex Buffer Index" uint;
        1[63:0] "Buffer Starting Address" address;
        3[31:0] "Buffer Size" uint;
    }
    VERTEX_ELEMENT_STATE "VERTEX_ELEMENT_STATE" {
        0[11:0] "Source Element Offset" uint;
        0[15] "Edge Flag Enable" bool;
        0[24:16] "Source Element Format" uint;
        0[25] "Valid" bool;
        0[31:26] "Vertex Buffer Index" uint;
        1[18:16] "Component 3 Control" uint;
        1[22:20] "Component 2 Control" uint;
        1[26:24] "Component 1 Control" uint;
        1[30:28] "Component 0 Control" uint;
    }
}
