//! The HEVC and VP9 codec pipeline of the video engine.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    HCP: PIPELINE for Engines::VIDEO;

    0x7380 "HCP_PIPE_MODE_SELECT" counted(2..=6, 12) [] {
        1[0] "Codec Select" uint;
        1[1] "Deblocker Stream-Out Enable" bool;
        1[2] "PAK Pipeline Stream-Out Enable" bool;
        1[3] "Pic Status/Error Report Enable" bool;
        1[7:5] "Codec Standard Select" uint;
        1[9] "Advanced Rate Control Enable" bool;
        1[12] "PAK Frame Level Stream-Out Enable" bool;
        2[31:0] "Media Soft-Reset Counter" uint;
        3[31:0] "Pic Status/Error Report ID" uint;
        4[6] "HprVp9ModeSwitchEcoDisable" bool;
    }
    0x7381 "HCP_SURFACE_STATE" counted(2..=3, 12) [] {
        1[16:0] "Surface Pitch" uint;
        1[31:28] "Surface ID" uint;
        2[14:0] "Y Offset for U(Cb)" uint;
        2[31:28] "Surface Format" uint;
    }
    0x7382 "HCP_PIPE_BUF_ADDR_STATE" counted(2..=104, 12) [] {
        1[63:0] "Decoded Picture - Address" address;
        3[31:0] "Decoded Picture - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "Deblocking Filter Line Buffer - Address" address;
        6[31:0] "Deblocking Filter Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        7[63:0] "Deblocking Filter Tile Line Buffer - Address" address;
        9[31:0] "Deblocking Filter Tile Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        10[63:0] "Deblocking Filter Tile Column Buffer - Address" address;
        12[31:0] "Deblocking Filter Tile Column Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        13[63:0] "Metadata Line Buffer - Address" address;
        15[31:0] "Metadata Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        16[63:0] "Metadata Tile Line Buffer - Address" address;
        18[31:0] "Metadata Tile Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        19[63:0] "Metadata Tile Column Buffer - Address" address;
        21[31:0] "Metadata Tile Column Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        22[63:0] "SAO Line Buffer - Address" address;
        24[31:0] "SAO Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        25[63:0] "SAO Tile Line Buffer - Address" address;
        27[31:0] "SAO Tile Line Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        28[63:0] "SAO Tile Column Buffer - Address" address;
        30[31:0] "SAO Tile Column Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        31[63:0] "Current MV Temporal Buffer - Address" address;
        33[31:0] "Current MV Temporal Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        53[31:0] "Reference Picture - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        54[63:0] "Original Uncompressed Picture Source - Address" address;
        56[31:0] "Original Uncompressed Picture Source - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        57[63:0] "Stream-Out Data Destination - Address" address;
        59[31:0] "Stream-Out Data Destination - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        60[63:0] "Decoded Picture Status Buffer - Address" address;
        62[31:0] "Decoded Picture Status Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        63[63:0] "LCU ILDB Stream-Out Buffer - Address" address;
        65[31:0] "LCU ILDB Stream-Out Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        82[31:0] "Collocated MV Temporal Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        83[63:0] "VP9 Probability Buffer - Address" address;
        85[31:0] "VP9 Probability Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        86[63:0] "VP9 Segment ID Buffer - Address" uint;
        88[31:0] "VP9 Segment ID Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        89[63:0] "VP9 HVD Line Row Store Buffer - Address" address;
        91[31:0] "VP9 HVD Line Row Store Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        92[63:0] "VP9 HVD Tile Row Store Buffer - Address" address;
        94[31:0] "VP9 HVD Tile Row Store Buffer - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        repeat 8 at 1184 step 64 {
            0[63:0] "Reference Picture - Address" address;
        }
        repeat 8 at 2112 step 64 {
            0[63:0] "Collocated MV Temporal Buffer - Address" address;
        }
    }
    0x7383 "HCP_IND_OBJ_BASE_ADDR_STATE" counted(2..=14, 12) [] {
        1[63:0] "HCP Indirect Bitstream Object - Base Address" address;
        3[31:0] "HCP Indirect Bitstream Object - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "HCP Indirect Bitstream Object - Access Upper Bound" address;
        6[63:0] "HCP Indirect CU Object - Base Address" address;
        8[31:0] "HCP Indirect CU Object - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        9[63:0] "HCP PAK-BSE Object - Base Address" address;
        11[31:0] "HCP PAK-BSE Object - Memory Address Attributes" structure(MEMORYADDRESSATTRIBUTES);
        12[63:0] "HCP PAK-BSE Object - Access Upper Bound" address;
    }
    0x7384 "HCP_QM_STATE" counted(2..=18, 12) [] {
        1[0] "Prediction Type" uint;
        1[2:1] "SizeID" uint;
        1[4:3] "Color Component" uint;
        1[12:5] "DC Coefficient" uint;
        repeat 64 at 64 step 8 {
            0[7:0] "Quantizer Matrix 8x8" uint;
        }
    }
    0x7385 "HCP_FQM_STATE" counted(2..=34, 12) [] {
        1[0] "Intra/Inter" uint;
        1[2:1] "SizeID" uint;
        1[4:3] "Color Component" uint;
        1[31:16] "FQM DC Value" uint;
        repeat 128 at 64 step 8 {
            0[7:0] "Quantizer Matrix 8x8" uint;
        }
    }
    0x7388 "HEVC_VP9_RDOQ_STATE" counted(2..=62, 12) [] {
        1[30] "HTQ Performance Fix 1 Disable" bool;
        1[31] "HTQ Performance Fix 0 Disable" bool;
        repeat 32 at 64 step 32 {
            0[31:0] "Intra Luma Lambda" structure(HEVC_VP9_RDOQ_LAMBDA_FIELDS);
        }
        repeat 32 at 1088 step 32 {
            0[31:0] "Intra Chroma Lambda" structure(HEVC_VP9_RDOQ_LAMBDA_FIELDS);
        }
        repeat 32 at 2112 step 32 {
            0[31:0] "Inter Luma Lambda" structure(HEVC_VP9_RDOQ_LAMBDA_FIELDS);
        }
        repeat 32 at 3136 step 32 {
            0[31:0] "Inter Chroma Lambda" structure(HEVC_VP9_RDOQ_LAMBDA_FIELDS);
        }
    }
    0x7390 "HCP_PIC_STATE" counted(2..=32, 12) [] {
        1[9:0] "Frame Width In Minimum Coding Block Size" uint;
        1[15] "PAK Transform Skip Enable" bool;
        1[25:16] "Frame Height In Minimum Coding Block Size" uint;
        2[1:0] "Min CU Size" uint;
        2[3:2] "LCU Size" uint;
        2[5:4] "Min TU Size" uint;
        2[7:6] "Max TU Size" uint;
        2[9:8] "Min PCM Size" uint;
        2[11:10] "Max PCM Size" uint;
        3[0] "Collocated Picture Is I Slice" bool;
        3[1] "Current Picture Is I Slice" bool;
        3[2] "CABAC Zero Word Insertion Test Enable" bool;
        4[3] "Sample Adaptive Offset Enable" bool;
        4[4] "PCM Enable" bool;
        4[5] "CU QP Delta Enable" bool;
        4[7:6] "Max DQP Depth" uint;
        4[8] "PCM Loop Filter Disable" bool;
        4[9] "Constrained Intra Prediction" bool;
        4[12:10] "Log2 Parallel Merge Level" uint;
        4[13] "Sign Data Hiding" bool;
        4[15] "Loop Filter Enable" bool;
        4[16] "Entropy Coding Sync Enable" bool;
        4[17] "Tiling Enable" bool;
        4[18] "Weighted BiPredication Enable" bool;
        4[19] "Weighted Predication Enable" bool;
        4[20] "Field Pic" bool;
        4[21] "Top Field" bool;
        4[22] "Transform Skip Enable" bool;
        4[23] "AMP Enable" bool;
        4[25] "Transquant Bypass Enable" bool;
        4[26] "Strong Intra Smoothing Enable" bool;
        4[27] "CU Packet Structure" uint;
        5[4:0] "Picture Cb QP Offset" int;
        5[9:5] "Picture Cr QP Offset" int;
        5[12:10] "Intra Max Transform Hierarchy Depth" uint;
        5[15:13] "Inter Max Transform Hierarchy Depth" uint;
        5[19:16] "Chroma PCM Sample Bit Depth" uint;
        5[23:20] "Luma PCM Sample Bit Depth" uint;
        5[26:24] "Chroma Bit Depth" uint;
        5[29:27] "Luma Bit Depth" uint;
        6[15:0] "LCU Max Bit Size Allowed" uint;
        6[16] "Non First Pass" bool;
        6[24] "LCU Max Size Report" bool;
        6[25] "Frame Bitrate Max Report" bool;
        6[26] "Frame Bitrate Min Report" bool;
        6[29] "Load Bitstream Pointer Per Slice" bool;
        7[13:0] "Frame Bitrate Max" uint;
        7[31] "Frame Bitrate Max Unit" uint;
        8[13:0] "Frame Bitrate Min" uint;
        8[31] "Frame Bitrate Min Unit" uint;
        9[14:0] "Frame Bitrate Min Delta" uint;
        9[30:16] "Frame Bitrate Max Delta" uint;
        10[63:0] "Frame Delta QP Max" structure(FRAMEDELTAQP);
        12[63:0] "Frame Delta QP Min" structure(FRAMEDELTAQP);
        14[63:0] "Frame Delta QP Max Range" structure(FRAMEDELTAQPRANGE);
        16[63:0] "Frame Delta QP Min Range" structure(FRAMEDELTAQPRANGE);
        18[15:0] "Minimum Frame Size" uint;
        18[31:30] "Minimum Frame Size Units" uint;
    }
    0x7391 "HCP_TILE_STATE" counted(2..=13, 12) [] {
        1[4:0] "Number of Tile Rows" uint;
        1[9:5] "Number of Tile Columns" uint;
        repeat 5 at 64 step 32 {
            0[31:0] "Column Position" structure(HCP_TILE_POSITION_IN_CTB);
        }
        repeat 6 at 224 step 32 {
            0[31:0] "Row position" structure(HCP_TILE_POSITION_IN_CTB);
        }
    }
    0x7392 "HCP_REF_IDX_STATE" counted(2..=18, 12) [] {
        1[0] "Reference Picture List Select" uint;
        1[4:1] "Number of Reference Indexes Active" uint;
        repeat 16 at 64 step 32 {
            0[31:0] "Reference List Entry" structure(HCP_REF_LIST_ENTRY);
        }
    }
    0x7393 "HCP_WEIGHTOFFSET_STATE" counted(2..=34, 12) [] {
        1[0] "Reference Picture List Select" uint;
        repeat 16 at 64 step 32 {
            0[31:0] "Luma Offsets" structure(HCP_WEIGHTOFFSET_LUMA_ENTRY);
        }
        repeat 16 at 576 step 32 {
            0[31:0] "Chroma Offsets" structure(HCP_WEIGHTOFFSET_CHROMA_ENTRY);
        }
    }
    0x7394 "HCP_SLICE_STATE" counted(2..=11, 12) [] {
        1[8:0] "Slice Horizontal Position" uint;
        1[24:16] "Slice Vertical Position" uint;
        2[8:0] "Next Slice Horizontal Position" uint;
        2[24:16] "Next Slice Vertical Position" uint;
        3[1:0] "Slice Type" uint;
        3[2] "Last Slice" bool;
        3[3] "Slice QP Sign" uint;
        3[4] "Dependent Slice" bool;
        3[5] "Slice Temporal MVP Enable" bool;
        3[11:6] "Slice QP" uint;
        3[16:12] "Slice Cb QP Offset" int;
        3[21:17] "Slice Cr QP Offset" int;
        4[0] "Slice Header Disable Deblocking Filter" bool;
        4[4:1] "Slice TC Offset Div2" int;
        4[8:5] "Slice Beta Offset Div2" int;
        4[10] "Slice Loop Filter Enable" bool;
        4[11] "Slice SAO Chroma" bool;
        4[12] "Slice SAO Luma" bool;
        4[13] "MVD L1 Zero" bool;
        4[14] "Low Delay" bool;
        4[15] "Collocated From L0" bool;
        4[18:16] "Log2 Weight Denominator Chroma" uint;
        4[21:19] "Log2 Weight Denominator Luma" uint;
        4[22] "CABAC Init" bool;
        4[25:23] "Max Merge Index" uint;
        4[28:26] "Collocated MV Temporal Buffer Index" uint;
        5[15:0] "Slice Header Length" uint;
        6[23:20] "Round Intra" uint;
        6[29:26] "Round Inter" uint;
        7[1] "CABAC Zero Word Insertion Enable" bool;
        7[2] "Emulation Byte Slice Insert Enable" bool;
        7[8] "Tail Insertion Present" bool;
        7[9] "Slice Data Insertion Present" bool;
        7[10] "Header Insertion Present" bool;
        8[28:6] "Indirect PAK-BSE Data Start Offset" offset;
        9[15:0] "Transform Skip Lambda" uint;
        10[7:0] "Transform Skip Number of Zero Coeffs Factor0" uint;
        10[15:8] "Transform Skip Number of Non-Zero Coeffs Factor0" uint;
        10[23:16] "Transform Skip Number of Zero Coeffs Factor1" uint;
        10[31:24] "Transform Skip Number of Non-Zero Coeffs Factor1" uint;
    }
    0x7395 "HCP_TILE_CODING" one [] {
        4[31:0] "SAO Parameter Offset" uint;
    }
    0x73a0 "HCP_BSD_OBJECT" counted(2..=3, 12) [] {
        1[31:0] "Indirect BSD Data Length" uint;
        2[28:0] "Indirect BSD Data Start Address" offset;
    }
    0x73a1 "HCP_PAK_OBJECT" counted(2..=2, 12) [] {
        1[3:0] "Split Level 2 Part 0" uint;
        1[7:4] "Split Level 2 Part 1" uint;
        1[11:8] "Split Level 2 Part 2" uint;
        1[15:12] "Split Level 2 Part 3" uint;
        1[19:16] "Split Level 1" uint;
        1[20] "Split Level 0" uint;
        1[29:24] "CU Count" uint;
        1[30] "Last LCU of Tile" bool;
        1[31] "Last LCU of Slice" bool;
        2[15:0] "Current LCU X Address" uint;
        2[31:16] "Current LCU Y Address" uint;
    }
    0x73a2 "HCP_PAK_INSERT_OBJECT" counted(2.., 12) [] {
        1[1] "End of Slice" bool;
        1[2] "Last Header" bool;
        1[3] "Emulation Byte Bits Insert Enable" bool;
        1[7:4] "Skip Emulation Byte Count" uint;
        1[13:8] "Data Bits In Last DW" uint;
        1[15] "Header Length Excluded From Size" uint;
        1[17:16] "Data Byte Offset" uint;
        1[31] "Indirect Payload Enable" bool;
        repeat 0 at 64 step 128 {
            0[127:0] "Indirect Payload" structure(HCP_PAK_INSERT_OBJECT_INDIRECT_PAYLOAD);
            0[31:0] "Inline PayLoad" uint;
        }
    }
    0x73b0 "HCP_VP9_PIC_STATE" counted(2..=2, 12) [] {
        1[13:0] "Frame Width" uint;
        1[29:16] "Frame Height" uint;
        2[0] "Frame Type" uint;
        2[1] "Adapt Probabilities" bool;
        2[2] "Intra Only" bool;
        2[3] "Allow Hi Precision MV" bool;
        2[6:4] "Motion Compensation Filter Type" uint;
        2[9:7] "Reference Frame Sign Bias" uint;
        2[10] "Use Prev in Find MV References" bool;
        2[11] "Hybrid Prediction Mode" uint;
        2[12] "Selectable TX Mode" uint;
        2[13] "Last Frame Type" uint;
        2[14] "Refresh Frame Context Enable" bool;
        2[15] "Error Resilient Mode Enable" bool;
        2[16] "Frame Parallel Decoding Mode Enable" bool;
        2[22:17] "Filter Level" uint;
        2[25:23] "Sharpness Level" uint;
        2[26] "Segmentation Enable" bool;
        2[27] "Segmentation Update Map" bool;
        2[28] "Segmentation Temporal Update" bool;
        2[29] "Lossless Mode" bool;
        2[30] "Segment ID Stream-Out Enable" bool;
        2[31] "Segment ID Stream-In Enable" bool;
        3[3:0] "Log2 Tile Column" uint;
        3[9:8] "Log2 Tile Row" uint;
        3[23:22] "Chroma Sampling Format" uint;
        3[27:24] "Bit Depth" uint;
        3[31:28] "Profile Level" uint;
        4[15:0] "Vertical Scale Factor for LAST" ufixed(14);
        4[31:16] "Horizontal Scale Factor for LAST" ufixed(14);
        5[15:0] "Vertical Scale Factor for GOLDEN" ufixed(14);
        5[31:16] "Horizontal Scale Factor for GOLDEN" ufixed(14);
        6[15:0] "Vertical Scale Factor for ALTREF" ufixed(14);
        6[31:16] "Horizontal Scale Factor for ALTREF" ufixed(14);
        7[13:0] "Last Frame Width" uint;
        7[29:16] "Last Frame Height" uint;
        8[13:0] "Golden Frame Width" uint;
        8[29:16] "Golden Frame Height" uint;
        9[13:0] "Altref Frame Width" uint;
        9[29:16] "Altref Frame Height" uint;
        10[7:0] "Uncompressed Header Length" uint;
        10[31:16] "First Partition Size" uint;
        11[1] "Motion Comp Scaling Enable" bool;
        13[15:0] "Compressed Header BIN count" uint;
        13[23:16] "Luma AC Q Index Delta" uint;
        14[4:0] "Chroma AC Q Index Delta" int;
        14[12:8] "Chroma DC Q Index Delta" int;
        14[20:16] "Luma DC Q Index Delta" int;
        15[6:0] "LF Ref Delta 0" int;
        15[14:8] "LF Ref Delta 1" int;
        15[22:16] "LF Ref Delta 2" int;
        15[30:24] "LF Ref Delta 3" int;
        16[6:0] "LF Mode Delta 0" int;
        16[14:8] "LF Mode Delta 1" int;
        17[15:0] "Bit Offset for LF Ref Delta" uint;
        17[31:16] "Bit Offset for LF Mode Delta" uint;
        18[15:0] "Bit Offset for Q index" uint;
        18[31:16] "Bit Offset for LF Level" uint;
    }
    0x73b2 "HCP_VP9_SEGMENT_STATE" counted(2..=8, 12) [] {
        1[2:0] "Segment ID" uint;
        2[0] "Segment Skipped" bool;
        2[2:1] "Segment Reference" uint;
        2[3] "Segment Reference Enable" bool;
        3[5:0] "Filter Level Ref0 Mode 0" uint;
        3[13:8] "Filter Level Ref0 Mode 1" uint;
        3[21:16] "Filter Level Ref1 Mode 0" uint;
        3[29:24] "Filter Level Ref1 Mode 1" uint;
        4[5:0] "Filter Level Ref2 Mode 0" uint;
        4[13:8] "Filter Level Ref2 Mode 1" uint;
        4[21:16] "Filter Level Ref3 Mode 0" uint;
        4[29:24] "Filter Level Ref3 Mode 1" uint;
        5[14:0] "Luma DC Quant Scale" uint;
        5[30:16] "Luma AC Quant Scale" uint;
        6[14:0] "Chroma DC Quant Scale" uint;
        6[30:16] "Chroma AC Quant Scale" uint;
    }
}
