//! The multi-format codec of the video engine: AVC, MPEG-2, VC-1, VP8, JPEG.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    MFX: PIPELINE for Engines::VIDEO;

    0x6800 "MFX_WAIT" one [] {
        0[8] "MFX Sync Control Flag" uint;
    }
    0x7000 "MFX_PIPE_MODE_SELECT" counted(2..=5, 12) [] {
        1[3:0] "Standard Select" uint;
        1[4] "Codec Select" uint;
        1[5] "Stitch Mode" bool;
        1[6] "Frame Statistics Stream-Out Enable" bool;
        1[7] "Scaled Surface Enable" bool;
        1[8] "Pre Deblocking Output Enable" bool;
        1[9] "Post Deblocking Output Enable" bool;
        1[10] "Stream-Out Enable" bool;
        1[11] "Pic Error/Status Report Enable" bool;
        1[12] "Deblocker Stream-Out Enable" bool;
        1[13] "VDEnc Mode" uint;
        1[14] "Standalone VDEnc Mode Enable" bool;
        1[16:15] "Decoder Mode Select" uint;
        1[17] "Decoder Short Format Mode" uint;
        1[18] "Extended Stream-Out Enable" bool;
        3[31:0] "Pic Status/Error Report ID" uint;
    }
    0x7001 "MFX_SURFACE_STATE" counted(2..=6, 12) [] {
        1[3:0] "Surface ID" uint;
        2[1:0] "Cr(V)/Cb(U) Pixel Offset V Direction" ufixed(2);
        2[17:4] "Width" uint;
        2[31:18] "Height" uint;
        3[0] "Tile Walk" uint;
        3[1] "Tiled Surface" bool;
        3[2] "Half Pitch for Chroma" bool;
        3[19:3] "Surface Pitch" uint;
        3[27] "Interleave Chroma" bool;
        3[31:28] "Surface Format" uint;
        4[14:0] "Y Offset for U(Cb)" uint;
        4[30:16] "X Offset for U(Cb)" uint;
        5[15:0] "Y Offset for V(Cr)" uint;
        5[28:16] "X Offset for V(Cr)" uint;
    }
    0x7002 "MFX_PIPE_BUF_ADDR_STATE" counted(2..=65, 12) [] {
        1[47:6] "Pre Deblocking Destination - Address" address;
        3[31:0] "Pre Deblocking Destination - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[47:6] "Post Deblocking Destination - Address" address;
        6[31:0] "Post Deblocking Destination - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        7[47:6] "Original Uncompressed Picture Source - Address" address;
        9[31:0] "Original Uncompressed Picture Source - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        10[47:6] "Stream-Out Data Destination - Address" address;
        12[31:0] "Stream-Out Data Destination - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        13[47:6] "Intra Row Store Scratch Buffer - Address" address;
        15[31:0] "Intra Row Store Scratch Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        16[47:6] "Deblocking Filter Row Store Scratch - Address" address;
        18[31:0] "Deblocking Filter Row Store Scratch - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        51[31:0] "Reference Picture - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        52[47:6] "MB Status Buffer - Address" address;
        54[31:0] "MB Status Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        55[47:6] "MB ILDB Stream-Out Buffer - Address" address;
        57[31:0] "MB ILDB Stream-Out Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        58[47:6] "Second MB ILDB Stream-Out Buffer - Address" address;
        60[31:0] "Second MB ILDB Stream-Out Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        62[47:6] "Scaled Reference Surface - Address" address;
        64[31:0] "Scaled Reference Surface - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        65[47:6] "SliceSize Stream-Out Data Destination - Address" address;
        67[31:0] "SliceSize Stream-Out Data Destination - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        repeat 16 at 608 step 64 {
            0[63:0] "Reference Picture - Address" address;
        }
        repeat 16 at 1952 step 2 {
            0[1] "Reference Picture - Memory Compression Mode" uint;
            0[0] "Reference Picture - Memory Compression Enable" bool;
        }
    }
    0x7003 "MFX_IND_OBJ_BASE_ADDR_STATE" counted(2..=26, 12) [] {
        1[63:0] "MFX Indirect Bitstream Object - Address" address;
        3[31:0] "MFX Indirect Bitstream Object - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "MFX Indirect Bitstream Object - Upper Bound" address;
        6[63:0] "MFX Indirect MV Object - Address" address;
        8[31:0] "MFX Indirect MV Object - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        9[63:0] "MFX Indirect MV Object - Upper Bound" address;
        11[63:0] "MFD Indirect IT-COEFF Object - Address" address;
        13[31:0] "MFD Indirect IT-COEFF Object - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        14[63:0] "MFD Indirect IT-COEFF Object - Upper Bound" address;
        16[63:0] "MFD Indirect IT-DBLK Object - Address" address;
        18[31:0] "MFD Indirect IT-DBLK Object - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        19[63:0] "MFD Indirect IT-DBLK Object - Upper Bound" address;
        21[63:0] "MFC Indirect PAK-BSE Object - Address" address;
        23[31:0] "MFC Indirect PAK-BSE Object - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        24[63:0] "MFC Indirect PAK-BSE Object - Upper Bound" address;
    }
    0x7004 "MFX_BSP_BUF_BASE_ADDR_STATE" counted(2..=10, 12) [] {
        1[47:6] "BSD/MPC Row Store Scratch Buffer - Address" address;
        3[31:0] "BSD/MPC Row Store Scratch Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[47:6] "MPR Row Store Scratch Buffer - Address" address;
        6[31:0] "MPR Row Store Scratch Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        7[47:6] "Bitplane Read Buffer - Address" address;
        9[31:0] "Bitplane Read Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
    }
    0x7006 "MFX_STATE_POINTER" counted(2..=2, 12) [] {
        1[1:0] "State Pointer Index" uint;
        1[31:5] "State Pointer" uint;
    }
    0x7007 "MFX_QM_STATE" counted(2..=18, 12) [] {
        1[1:0] "AVC" uint;
        1[1:0] "MPEG2" uint;
        1[1:0] "JPEG" uint;
        repeat 64 at 64 step 8 {
            0[7:0] "Forward Quantizer Matrix" uint;
        }
    }
    0x7008 "MFX_FQM_STATE" counted(2..=34, 12) [] {
        1[1:0] "AVC" uint;
        1[1:0] "MPEG2" uint;
        1[1:0] "JPEG" uint;
        repeat 64 at 64 step 8 {
            0[7:0] "Quantizer Matrix 8x8" uint;
        }
    }
    0x7009 "MFX_DBK_OBJECT" counted(2..=13, 12) [] {
        1[47:6] "Pre Deblocking Source - Address" address;
        3[6:0] "Pre Deblocking Source - MOCS" uint;
        3[8:7] "Pre Deblocking Source - Arbitration Priority Control" uint;
        3[9] "Pre Deblocking Source - Memory Compression Enable" bool;
        3[10] "Pre Deblocking Source - Memory Compression Mode" uint;
        3[14:13] "Pre Deblocking Source - Tiled Resource Mode" uint;
        4[47:6] "Deblocking Control - Address" address;
        6[6:0] "Deblocking Control - MOCS" uint;
        6[8:7] "Deblocking Control - Arbitration Priority Control" uint;
        6[9] "Deblocking Control - Memory Compression Enable" bool;
        6[10] "Deblocking Control - Memory Compression Mode" uint;
        6[14:13] "Deblocking Control - Tiled Resource Mode" uint;
        7[47:6] "Deblocking Destination - Address High" address;
        9[6:0] "Deblocking Destination - MOCS" uint;
        9[8:7] "Deblocking Destination - Arbitration Priority Control" uint;
        9[9] "Deblocking Destination - Memory Compression Enable" bool;
        9[10] "Deblocking Destination - Memory Compression Mode" uint;
        9[14:13] "Deblocking Destination - Tiled Resource Mode" uint;
        10[47:6] "Deblock Row Store - Address" address;
        12[6:0] "CoeffProbability Stream-In - MOCS" uint;
        12[8:7] "Deblock Row Store - Arbitration Priority Control" uint;
        12[9] "Deblock Row Store - Memory Compression Enable" bool;
        12[10] "Deblock Row Store - Memory Compression Mode" uint;
        12[14:13] "Deblock Row Store - Tiled Resource Mode" uint;
    }
    0x7029 "MFD_IT_OBJECT" counted(2.., 12) [] {
        1[9:0] "Indirect IT-MV Data Length" uint;
        2[28:0] "Indirect IT-MV Data Start Address Offset" offset;
        3[11:0] "Indirect IT-COEFF Data Length" uint;
        4[28:0] "Indirect IT-COEFF Data Start Address Offset" offset;
        5[5:0] "Indirect IT-DBLK Control Data Length" uint;
        6[28:0] "Indirect IT-DBLK Control Data Start Address Offset" offset;
        repeat 0 at 224 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
    0x7048 "MFX_PAK_INSERT_OBJECT" counted(2.., 12) [] {
        1[0] "Bitstream Start Reset" bool;
        1[1] "End of Slice" bool;
        1[2] "Last Header" bool;
        1[3] "Emulation Byte Bits Insert Enable" bool;
        1[7:4] "Skip Emulation Byte Count" uint;
        1[13:8] "Data Bits In Last DW" uint;
        1[14] "Slice Header Indicator" uint;
        1[15] "Header Length Excluded From Size" uint;
        1[17:16] "Data Byte Offset" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Insert Data PayLoad" uint;
        }
    }
    0x704a "MFX_STITCH_OBJECT" counted(2.., 12) [] {
        1[1] "End of Slice" bool;
        1[2] "Last Header" bool;
        1[13:8] "Source Data Ending Bit Inclusion" uint;
        1[17:16] "Source Data Starting Byte Offset" uint;
        2[18:0] "Indirect Data Length" uint;
        3[31:0] "Indirect Data Start Address" offset;
        repeat 0 at 128 step 32 {
            0[31:0] "Insert Data PayLoad" uint;
        }
    }
    0x704b "MFX_MPEG_TS_CONTROL" counted(2..=5, 12) [] {
        1[12:0] "Video PacketID Header Parameter" uint;
        1[23:20] "StreamID Lower Nibble" uint;
        1[24] "Output TS Packet Grouping Select" uint;
        1[25] "Copy Right Flag In PES Header" uint;
        1[26] "Original Or Flag In PES Header" uint;
        1[27] "DSM Trick Mode Flag In PES Header" uint;
        1[28] "Additional Copy Info Flag In PES Header" bool;
        1[29] "Payload Unit Start Indicator Control" uint;
        2[31:0] "PCR 90 KHz Component Least Significant Bits" uint;
        3[0] "90KHz counter MSB" uint;
        3[31:23] "27MHz Counter" uint;
        4[31:0] "PTS Delta" uint;
        5[15:0] "MPEGTS Packet Count" uint;
        5[31:28] "Continuity Counter" uint;
    }
    0x7100 "MFX_AVC_IMG_STATE" counted(2..=21, 12) [] {
        1[15:0] "Frame Size" uint;
        2[7:0] "Frame Width" uint;
        2[23:16] "Frame Height" uint;
        3[9:8] "Image Structure" uint;
        3[11:10] "Weighted BiPrediction IDC" uint;
        3[12] "Weighted Prediction Enable" bool;
        3[13] "Rho Domain Rate Control Enable" bool;
        3[20:16] "First Chroma QP Offset" int;
        3[28:24] "Second Chroma QP Offset" int;
        4[0] "Field Picture" bool;
        4[1] "MBAFF Mode" bool;
        4[2] "Frame MB Only" bool;
        4[3] "8x8 IDCT Transform Mode" bool;
        4[4] "Direct 8x8 Inference" bool;
        4[5] "Constrained Intra Prediction" bool;
        4[6] "Non-Reference Picture" bool;
        4[7] "Entropy Coding Sync Enable" bool;
        4[8] "MB MV Format" uint;
        4[11:10] "Chroma Format IDC" uint;
        4[12] "MV Unpacked Enable" bool;
        4[14] "Load Bitstream Pointer Per Slice" bool;
        4[15] "MB Status Read" bool;
        4[31:16] "Minimum Frame Size" uint;
        5[0] "Intra MB Max Bit Control" bool;
        5[1] "Inter MB Max Bit Control" bool;
        5[2] "Frame Bitrate Max Report" bool;
        5[3] "Frame Bitrate Min Report" bool;
        5[7] "Force IPCM Control" bool;
        5[9] "MB Level Rate Control" bool;
        5[11:10] "Minimum Frame Size Units" uint;
        5[16] "Non First Pass" uint;
        5[27] "Trellis Quantization Chroma Disable" bool;
        5[30:28] "Trellis Quantization Rounding" uint;
        5[31] "Trellis Quantization Enable" bool;
        6[11:0] "Intra MB Conformance Max Size" uint;
        6[27:16] "Inter MB Conformance Max Size" uint;
        8[7:0] "Slice Delta QP Max[0]" int;
        8[15:8] "Slice Delta QP Max[1]" int;
        8[23:16] "Slice Delta QP Max[2]" uint;
        8[31:24] "Slice Delta QP Max[3]" int;
        9[7:0] "Slice Delta QP Min[0]" int;
        9[15:8] "Slice Delta QP Min[1]" int;
        9[23:16] "Slice Delta QP Min[2]" int;
        9[31:24] "Slice Delta QP Min[3]" int;
        10[13:0] "Frame Bitrate Min" uint;
        10[14] "Frame Bitrate Min Unit Mode" uint;
        10[15] "Frame Bitrate Min Unit" uint;
        10[29:16] "Frame Bitrate Max" uint;
        10[30] "Frame Bitrate Max Unit Mode" uint;
        10[31] "Frame Bitrate Max Unit" uint;
        11[14:0] "Frame Bitrate Min Delta" uint;
        11[30:16] "Frame Bitrate Max Delta" uint;
        11[31] "Slice Stats Stream-Out Enable" bool;
        13[7:0] "Initial QP Value" int;
        13[13:8] "Number of Active Reference Pictures from L0" uint;
        13[21:16] "Number of Active Reference Pictures from L1" uint;
        13[28:24] "Number of Reference Frames" uint;
        13[29] "Current Picture Has Performed MMCO5" bool;
        14[0] "Pic Order Present" bool;
        14[1] "Delta Pic Order Always Zero" bool;
        14[3:2] "Pic Order Count Type" uint;
        14[10:8] "Slice Group Map Type" uint;
        14[11] "Redundant Pic Count Present" bool;
        14[14:12] "Number of Slice Groups" uint;
        14[15] "Deblocking Filter Control Present" bool;
        14[23:16] "Log2 Max Frame Number" uint;
        14[31:24] "Log2 Max Pic Order Count LSB" uint;
        15[15:0] "Slice Group Change Rate" uint;
        15[31:16] "Current Picture Frame Number" uint;
        16[9:0] "Current Frame View ID" uint;
        16[15:12] "Max View IDXL0" uint;
        16[21:18] "Max View IDXL1" uint;
        16[31] "Inter View Order Disable" bool;
        17[21:16] "Rho Domain Average MB QP" uint;
        19[31:0] "Threshold Size" uint;
        20[31:0] "Target Slice Size" uint;
    }
    0x7102 "MFX_AVC_DIRECTMODE_STATE" counted(2..=71, 12) [] {
        33[31:0] "Direct MV Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        34[63:0] "Direct MV Buffer (Write) - Address" address;
        36[31:0] "Direct MV Buffer (Write) - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        repeat 16 at 32 step 64 {
            0[63:0] "Direct MV Buffer - Address" address;
        }
        repeat 34 at 1184 step 32 {
            0[31:0] "POC List" uint;
        }
    }
    0x7103 "MFX_AVC_SLICE_STATE" counted(2..=10, 12) [] {
        1[3:0] "Slice Type" uint;
        2[2:0] "Log2 Weight Denominator Luma" uint;
        2[10:8] "Log2 Weight Denominator Chroma" uint;
        2[21:16] "Number of Reference Pictures in Inter-prediction List 0" uint;
        2[29:24] "Number of Reference Pictures in Inter-prediction List 1" uint;
        3[3:0] "Slice Alpha C0 Offset Div2" int;
        3[11:8] "Slice Beta Offset Div2" int;
        3[21:16] "Slice Quantization Parameter" uint;
        3[25:24] "CABAC Init IDC" uint;
        3[28:27] "Disable Deblocking Filter Indicator" uint;
        3[29] "Direct Prediction Type" uint;
        3[31:30] "Weighted Prediction Indicator" uint;
        4[14:0] "Slice Start MB Number" uint;
        4[23:16] "Slice Horizontal Position" uint;
        4[31:24] "Slice Vertical Position" uint;
        5[7:0] "Next Slice Horizontal Position" uint;
        5[23:16] "Next Slice Vertical Position" uint;
        6[1:0] "Stream ID" uint;
        6[7:4] "Slice ID" uint;
        6[12] "CABAC Zero Word Insertion Enable" bool;
        6[13] "Emulation Byte Slice Insert Enable" bool;
        6[15] "Tail Insertion Present" bool;
        6[16] "Slice Data Insertion Present" bool;
        6[17] "Header Insertion Present" bool;
        6[19] "Last Slice Group" bool;
        6[20] "MB Type Skip Conversion Disable" bool;
        6[21] "MB Type Direct Conversion Disable" bool;
        6[22] "Rate Control Panic Type" uint;
        6[23] "Rate Control Panic Enable" bool;
        6[27:24] "Rate Control Stable Tolerance" uint;
        6[29:28] "Rate Control Triggle Mode" uint;
        6[30] "Reset Rate Control Counter" bool;
        6[31] "Rate Control Counter Enable" uint;
        7[28:0] "Indirect PAK-BSE Data Start Address" offset;
        8[3:0] "Grow Init" uint;
        8[7:4] "Grow Resistance" uint;
        8[11:8] "Shrink Init" uint;
        8[15:12] "Shrink Resistance" uint;
        8[23:16] "QP Max Positive Modifier Magnitude" uint;
        8[31:24] "QP Max Negative Modifier Magnitude" uint;
        9[3:0] "Correct 1" uint;
        9[7:4] "Correct 2" uint;
        9[11:8] "Correct 3" uint;
        9[15:12] "Correct 4" uint;
        9[19:16] "Correct 5" uint;
        9[23:20] "Correct 6" uint;
        9[26:24] "Round Intra" uint;
        9[27] "Round Intra Enable" bool;
        9[30:28] "Round Inter" uint;
        9[31] "Round Inter Enable" bool;
        10[3:0] "CV0" uint;
        10[7:4] "CV1" uint;
        10[11:8] "CV2" uint;
        10[15:12] "CV3" uint;
        10[19:16] "CV4" uint;
        10[23:20] "CV5" uint;
        10[27:24] "CV6" uint;
        10[31:28] "CV7" uint;
    }
    0x7104 "MFX_AVC_REF_IDX_STATE" counted(2..=10, 12) [] {
        1[0] "Reference Picture List Select" uint;
        repeat 32 at 64 step 8 {
            0[7:0] "Reference List Entry" uint;
        }
    }
    0x7105 "MFX_AVC_WEIGHTOFFSET_STATE" counted(2..=98, 12) [] {
        1[0] "Weight and Offset Select" uint;
        repeat 96 at 64 step 32 {
            0[31:0] "Weight Offset" uint;
        }
    }
    0x7125 "MFD_AVC_PICID_STATE" counted(2..=10, 12) [] {
        1[0] "PictureID Remapping Disable" uint;
        repeat 16 at 64 step 16 {
            0[15:0] "Picture ID" uint;
        }
    }
    0x7126 "MFD_AVC_DPB_STATE" counted(2..=27, 12) [] {
        repeat 16 at 32 step 1 {
            0[0] "Non-Existing Frame" uint;
        }
        repeat 16 at 48 step 1 {
            0[0] "Long Term Frame" uint;
        }
        repeat 16 at 64 step 2 {
            0[1:0] "Used for Reference" uint;
        }
        repeat 16 at 96 step 16 {
            0[15:0] "LTST Frame Number List" uint;
        }
        repeat 16 at 352 step 16 {
            0[15:0] "View ID" uint;
        }
        repeat 16 at 608 step 8 {
            0[7:0] "L0 View Order" uint;
        }
        repeat 16 at 736 step 8 {
            0[7:0] "L1 View Order" uint;
        }
    }
    0x7127 "MFD_AVC_SLICEADDR" counted(2..=3, 12) [] {
        1[31:0] "Indirect BSD Data Length" uint;
        2[28:0] "Indirect BSD Data Start Address" offset;
    }
    0x7128 "MFD_AVC_BSD_OBJECT" counted(2..=6, 12) [] {
        1[31:0] "Indirect BSD Data Length" uint;
        2[28:0] "Indirect BSD Data Start Address" offset;
        3[95:0] "Inline Data" structure(INLINE_DATA_DESCRIPTION_FOR_MFD_AVC_BSD_OBJECT);
    }
    0x7149 "MFC_AVC_PAK_OBJECT" counted(2..=12, 12) [] {
        1[9:0] "Indirect PAK-MV Data Length" uint;
        2[28:0] "Indirect PAK-MV Data Start Address Offset" offset;
        repeat 8 at 96 step 32 {
            0[31:0] "Inline Data" uint;
        }
        repeat 12 at 384 step 32 {
            0[31:0] "VDEnc Mode Inline Data" uint;
        }
    }
    0x7201 "MFX_VC1_PRED_PIPE_STATE" counted(2..=6, 12) [] {
        1[7:4] "Reference Frame Boundary Replication Mode" uint;
        1[9:8] "Vin_intensitycomp_Single_BWDen" uint;
        1[11:10] "Vin_intensitycomp_Single_FWDen" uint;
        1[13:12] "Vin_intensitycomp_Double_BWDen" uint;
        1[15:14] "Vin_intensitycomp_Double_FWDen" uint;
        2[5:0] "LumScale1 - single - FWD" uint;
        2[13:8] "LumScale2 - single - FWD" uint;
        2[21:16] "LumShift1 - single - FWD" uint;
        2[29:24] "LumShift2 - single - FWD" uint;
        3[5:0] "LumScale1 - double - FWD" uint;
        3[13:8] "LumScale2 - double - FWD" uint;
        3[21:16] "LumShift1 - double - FWD" uint;
        3[29:24] "LumShift2 - double - FWD" uint;
        4[5:0] "LumScale1 - single - BWD" uint;
        4[13:8] "LumScale2 - single - BWD" uint;
        4[21:16] "LumShift1 - single - BWD" uint;
        4[29:24] "LumShift2 - single - BWD" uint;
        5[5:0] "LumScale1 - double - BWD" uint;
        5[13:8] "LumScale2 - double - BWD" uint;
        5[21:16] "LumShift1 - double - BWD" uint;
        5[29:24] "LumShift2 - double - BWD" uint;
    }
    0x7202 "MFX_VC1_DIRECTMODE_STATE" counted(2..=7, 12) [] {
        1[63:0] "Direct MV Write Buffer - Address" address;
        3[31:0] "Direct MV Write Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "Direct MV Read Buffer - Address" address;
        6[31:0] "Direct MV Read Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
    }
    0x7220 "MFD_VC1_SHORT_PIC_STATE" counted(2..=5, 12) [] {
        1[7:0] "Picture Width" uint;
        1[23:16] "Picture Height" uint;
        2[1:0] "Picture Structure" uint;
        2[3] "Second Field" bool;
        2[4] "Intra Picture" bool;
        2[5] "Backward Prediction Present" bool;
        2[11] "VC1 Profile" uint;
        2[15] "DMV Surface Valid" bool;
        2[19:16] "MV Mode" uint;
        2[23] "Interpolation Rounder Control" bool;
        2[31:24] "Bitplane Buffer Pitch" uint;
        3[0] "variable-sized transform coding" bool;
        3[2:1] "DQUANT" uint;
        3[3] "EXTENDED_MV Present" bool;
        3[4] "Fast UV Motion Compensation" uint;
        3[5] "Loop Filter Enable" bool;
        3[6] "REFDIST_FLAG" bool;
        3[7] "PANSCAN Present" bool;
        3[10:8] "MAXBFRAMES" uint;
        3[11] "RANGERED Present" bool;
        3[12] "SYNCMARKER Present" bool;
        3[13] "MULTIRES Present" bool;
        3[15:14] "QUANTIZER" uint;
        3[20:16] "P-Pic Ref Distance" uint;
        3[23:22] "Progressive Pic Type" uint;
        3[28] "Range Reduction Enable" uint;
        3[29] "Range Reduction Scale" uint;
        3[30] "Overlap Smoothing Enable" bool;
        4[0] "EXTENDED_DMV Present" bool;
        4[1] "PSF" bool;
        4[2] "REFPIC" bool;
        4[3] "FINTERFLAG" bool;
        4[4] "TFCNTRFLAG" bool;
        4[5] "INTERLACE" bool;
        4[6] "PULLDOWN" bool;
        4[7] "POSTPROC" bool;
        4[8] "4-MV Allowed" bool;
        4[28:24] "BFraction Enumeration" uint;
    }
    0x7221 "MFD_VC1_LONG_PIC_STATE" counted(2..=6, 12) [] {
        1[7:0] "Picture Width In MBs" uint;
        1[23:16] "Picture Height In MBs" uint;
        2[0] "VC1 Profile" uint;
        2[3] "Second Field" bool;
        2[4] "Overlap Smoothing Enable" bool;
        2[5] "Loop Filter Enable" bool;
        2[6] "Range Reduction Enable" bool;
        2[7] "Range Reduction Scale" uint;
        2[11:8] "MV Mode" uint;
        2[12] "Sync Marker" bool;
        2[13] "Interpolation Rounder Control" bool;
        2[14] "Implicit Quantizer" bool;
        2[15] "DMV Surface Valid" bool;
        2[31:24] "Bitplane Buffer Pitch" uint;
        3[7:0] "B Scale Factor" uint;
        3[12:8] "PQ Value" uint;
        3[20:16] "Alternative PQ Value" uint;
        3[25:24] "Frame Coding Mode" uint;
        3[28:26] "Picture Type" uint;
        3[30:29] "CONDOVER" uint;
        4[0] "PQ Uniform" bool;
        4[1] "Half QP" bool;
        4[3:2] "Alternative PQ Configuration" uint;
        4[7:4] "Alternative PQ Edge Mask" uint;
        4[9:8] "Extended MV Range" uint;
        4[11:10] "Extended DMV Range" uint;
        4[19:16] "Forward Reference Distance" uint;
        4[23:20] "Backward Reference Distance" uint;
        4[24] "Number of References" uint;
        4[25] "Reference Field Picture Polarity" uint;
        4[26] "Fast UV Motion Compensation" uint;
        4[27] "Four MV Switch" uint;
        4[29:28] "Unified MV Mode" uint;
        5[2:0] "Coded Block Pattern Table" uint;
        5[3] "Intra Transform DC Table" uint;
        5[5:4] "Picture-level Transform Chroma AC Coding Set Index" uint;
        5[7:6] "Picture-level Transform Luma AC Coding Set Index" uint;
        5[10:8] "MB Mode Table" uint;
        5[11] "MB Transform Type" bool;
        5[13:12] "Picture-level Transform Type" uint;
        5[17:16] "2-MV Block Pattern Table" uint;
        5[19:18] "4-MV Block Pattern Table" uint;
        5[22:20] "MV Table" uint;
        5[24] "FIELDTX Raw" bool;
        5[25] "ACPRED Raw" bool;
        5[26] "OVERFLAGS Raw" bool;
        5[27] "DIRECTMB Raw" bool;
        5[28] "SKIPMB Raw" bool;
        5[29] "MVTYPEMB Raw" bool;
        5[30] "FORWARDMB Raw" bool;
        5[31] "Bitplane Buffer Present" bool;
    }
    0x7228 "MFD_VC1_BSD_OBJECT" counted(2..=5, 12) [] {
        1[23:0] "Indirect BSD Data Length" uint;
        2[28:0] "Indirect BSD Data Start Address" offset;
        3[8:0] "Next Slice Vertical Position" uint;
        3[23:16] "Slice Start Vertical Position" uint;
        4[2:0] "First MB Bit Offset" uint;
        4[4] "Emulation Prevention Byte Present" uint;
        4[31:16] "First MB Byte Offset of Slice Data or Slice Header" uint;
    }
    0x7300 "MFX_MPEG2_PIC_STATE" counted(2..=2, 12) [] {
        1[6] "Scan Order" uint;
        1[7] "Intra VLC Format" uint;
        1[8] "Quantizer Scale Type" uint;
        1[9] "Concealment MV" bool;
        1[10] "Frame Prediction Frame DCT" uint;
        1[11] "Top Field First" bool;
        1[13:12] "Picture Structure" uint;
        1[15:14] "Intra DC Precision" uint;
        1[19:16] "F_code[0][0]" uint;
        1[23:20] "F_code[0][1]" uint;
        1[27:24] "F_code[1][0]" uint;
        1[31:28] "F_code[1][1]" uint;
        2[0] "Disable Mismatch" bool;
        2[1] "Mismatch Control Disable" bool;
        2[10:9] "Picture Coding Type" uint;
        2[14] "Load Bitstream Pointer Per Slice" bool;
        2[24] "P/B Slice Predicted MV Override" uint;
        2[26:25] "P/B Slice Predicted Bi-direction MV Type Override" uint;
        2[29:28] "P/B Slice Concealment Mode" uint;
        2[31] "I Slice Concealment Mode" uint;
        3[7:0] "Frame Width In MBs" uint;
        3[23:16] "Frame Height In MBs" uint;
        3[31] "Slice Concealment Disable" bool;
        4[2:1] "Round Intra DC" uint;
        4[6:4] "Round Inter DC" uint;
        4[10:8] "Round Intra AC" uint;
        4[14:12] "Round Inter AC," uint;
        4[31:16] "Minimum Frame Size" uint;
        5[0] "Intra MB Max Bit Control" uint;
        5[1] "Inter MB Max Bit Control" uint;
        5[2] "Frame Bitrate Max Report" uint;
        5[3] "Frame Bitrate Min Report" uint;
        5[9] "MBRateControlMask" uint;
        5[11:10] "Minimum Frame Size Units" uint;
        5[12] "Inter MB Force CBP to Zero Control" uint;
        5[16] "Frame Size Control" uint;
        6[11:0] "Intra MB Conformance Max Size" uint;
        6[27:16] "Inter MB Conformance Max Size" uint;
        8[7:0] "Slice Delta QP Max[0]" int;
        8[15:8] "Slice Delta QP Max[1]" int;
        8[23:16] "Slice Delta QP Max[2]" int;
        8[31:24] "Slice Delta QP Max[3]" int;
        9[7:0] "Slice Delta QP Min[0]" int;
        9[15:8] "Slice Delta QP Min[1]" int;
        9[23:16] "Slice Delta QP Min[2]" int;
        9[31:24] "Slice Delta QP Min[3]" int;
        10[13:0] "Frame Bitrate Min" uint;
        10[14] "Frame Bitrate Min Unit Mode" uint;
        10[15] "Frame Bitrate Min Unit" uint;
        10[29:16] "Frame Bitrate Max" uint;
        10[30] "Frame Bitrate Max Unit Mode" uint;
        10[31] "Frame Bitrate Max Unit" uint;
        11[14:0] "Frame Bitrate Min Delta" uint;
        11[30:16] "Frame Bitrate Max Delta" uint;
    }
    0x7328 "MFD_MPEG2_BSD_OBJECT" counted(2..=5, 12) [] {
        1[31:0] "Indirect BSD Data Length" uint;
        2[28:0] "Indirect BSD Data Start Address" offset;
        3[63:0] "Inline Data" structure(MFD_MPEG2_BSD_OBJECT_INLINE_DATA_DESCRIPTION);
    }
    0x7343 "MFC_MPEG2_SLICEGROUP_STATE" counted(2..=8, 12) [] {
        1[1:0] "Stream ID" uint;
        1[7:4] "Slice ID" uint;
        1[12] "Intra Slice Flag" bool;
        1[13] "Intra Slice" bool;
        1[14] "First Slice Header Disable" bool;
        1[15] "Tail Insertion Present" bool;
        1[16] "Slice Data Insertion Present" bool;
        1[17] "Header Insertion Present" bool;
        1[18] "Compressed BitStream Output Disable" bool;
        1[19] "Last Slice" bool;
        1[20] "MB Type Skip Conversion Disable" bool;
        1[22] "Rate Control Panic Type" uint;
        1[23] "Rate Control Panic Enable" bool;
        1[27:24] "Rate Control Stable Tolerance" uint;
        1[29:28] "Rate Control Triggle Mode" uint;
        1[30] "Reset Rate Control Counter" bool;
        1[31] "Rate Control Counter Enable" bool;
        2[7:0] "First MB X Count" uint;
        2[15:8] "First MB Y Count" uint;
        2[23:16] "Next Slice Group MB X Count" uint;
        2[31:24] "Next Slice Group MB Y Count" uint;
        3[5:0] "Slice Group QP" uint;
        3[8] "Slice Group Skip" bool;
        4[28:0] "Indirect PAK-BSE Data Start Address" offset;
        5[3:0] "Grow Init" uint;
        5[7:4] "Grow Resistance" uint;
        5[11:8] "Shrink Init" uint;
        5[15:12] "Shrink Resistance" uint;
        5[23:16] "QP Max Positive Modifier Magnitude" uint;
        5[31:24] "QP Max Negative Modifier Magnitude" uint;
        6[3:0] "Correct 1" uint;
        6[7:4] "Correct 2" uint;
        6[11:8] "Correct 3" uint;
        6[15:12] "Correct 4" uint;
        6[19:16] "Correct 5" uint;
        6[23:20] "Correct 6" uint;
        7[3:0] "CV0" uint;
        7[7:4] "CV1" uint;
        7[11:8] "CV2" uint;
        7[15:12] "CV3" uint;
        7[19:16] "CV4" uint;
        7[23:20] "CV5" uint;
        7[27:24] "CV6" uint;
        7[31:28] "CV7" uint;
    }
    0x7349 "MFC_MPEG2_PAK_OBJECT" counted(2..=9, 12) [] {
        repeat 8 at 32 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
    0x7400 "MFX_VP8_PIC_STATE" counted(2..=2, 12) [] {
        1[7:0] "Frame Width" uint;
        1[23:16] "Frame Height" uint;
        2[0] "MC Filter Select" uint;
        2[1] "Chroma Full Pixel MC Filter Mode" uint;
        2[4] "DBLK Filter Type" uint;
        2[5] "Key Frame" bool;
        2[6] "Segmentation ID Stream-Out Enable" bool;
        2[7] "Segmentation ID Stream-In Enable" bool;
        2[8] "Segment Enable" bool;
        2[9] "Update MB Segment Map" bool;
        2[10] "MB NoCoeff Skip" bool;
        2[11] "Mode Reference Loop Filter Delta Enable" bool;
        2[12] "Golden Ref Picture MV Sign Bias" bool;
        2[13] "Alternate Ref Pic MV Sign Bias" bool;
        2[18:16] "Deblock Sharpness Level" uint;
        2[25:24] "Log2 Num of Partition" uint;
        3[5:0] "DBLK Filter Level for Segment0" uint;
        3[13:8] "DBLK Filter Level for Segment1" uint;
        3[21:16] "DBLK Filter Level for Segment2" uint;
        3[29:24] "DBLK Filter Level for Segment3" uint;
        4[6:0] "Segment0 QIndex" uint;
        4[14:8] "Segment1 QIndex" uint;
        4[22:16] "Segment2 QIndex" uint;
        4[30:24] "Segment3 QIndex" uint;
        5[3:0] "Y2DC QIndex Delta" uint;
        5[4] "Y2AC QIndex Delta Sign" uint;
        5[11:8] "Y2AC QIndex Delta" uint;
        5[12] "Y2AC QIndex Sign" uint;
        5[19:16] "UVDC QIndex Delta" uint;
        5[20] "UVDC QIndex Delta Sign" uint;
        5[27:24] "UVAC QIndex Delta" uint;
        5[28] "UVAC QIndex Delta Sign" uint;
        6[3:0] "Y1DC QIndex Delta" uint;
        6[4] "Y1DC QIndex Delta Sign" uint;
        7[6:0] "Clamp QIndex Low" uint;
        7[14:8] "Clamp QIndex High" uint;
        8[8:0] "Quantizer Value [1][UVDC]" uint;
        8[24:16] "Quantizer Value [1][UVAC]" uint;
        9[8:0] "Quantizer Value [1][Y2DC]" uint;
        9[24:16] "Quantizer Value [1][Y2AC]" uint;
        10[8:0] "Quantizer Value [2][Y1DC]" uint;
        10[24:16] "Quantizer Value [2][Y1AC]" uint;
        11[8:0] "Quantizer Value [2][UVDC]" uint;
        11[24:16] "Quantizer Value [2][UVAC]" uint;
        12[8:0] "Quantizer Value [2][Y2DC]" uint;
        12[24:16] "Quantizer Value [2][Y2AC]" uint;
        13[8:0] "Quantizer Value [3][Y1DC]" uint;
        13[24:16] "Quantizer Value [3][Y1AC]" uint;
        14[8:0] "Quantizer Value [3][UVDC]" uint;
        14[24:16] "Quantizer Value [3][UVAC]" uint;
        15[8:0] "Quantizer Value [3][Y2DC]" uint;
        15[24:16] "Quantizer Value [3][Y2AC]" uint;
        16[47:6] "CoeffProbability Stream-In - Address" uint;
        18[6:0] "CoeffProbability Stream-In - MOCS (Encoder only)" uint;
        18[8:7] "CoeffProbability Stream-In - Arbitration Priority Control" uint;
        18[9] "CoeffProbability Stream-In - Memory Compression Enable" bool;
        18[10] "CoeffProbability Stream-In - Memory Compression Mode" uint;
        18[14:13] "CoeffProbability Stream-In - Tiled Resource Mode" uint;
        19[7:0] "MBSegmentIDTreeProbs[0]" uint;
        19[15:8] "MBSegmentIDTreeProbs[1]" uint;
        19[23:16] "MBSegmentIDTreeProbs[2]" uint;
        20[7:0] "InterPredFromGRefRefProb" uint;
        20[15:8] "InterPredFromLastRefProb" uint;
        20[23:16] "IntraMBProb" uint;
        20[31:24] "MBNoCoeffSkipFalseProb" uint;
        21[7:0] "YModeProb[0]" uint;
        21[15:8] "YModeProb[1]" uint;
        21[23:16] "YModeProb[2]" uint;
        21[31:24] "YModeProb[3]" uint;
        22[7:0] "UVModeProb[0]" uint;
        22[15:8] "UVModeProb[1]" uint;
        22[23:16] "UVModeProb[2]" uint;
        23[7:0] "MVUpdateProbs[0][0]" uint;
        23[15:8] "MVUpdateProbs[0][1]" uint;
        23[23:16] "MVUpdateProbs[0][2]" uint;
        23[31:24] "MVUpdateProbs[0][3]" uint;
        24[7:0] "MVUpdateProbs[0][4]" uint;
        24[15:8] "MVUpdateProbs[0][5]" uint;
        24[23:16] "MVUpdateProbs[0][6]" uint;
        24[31:24] "MVUpdateProbs[0][7]" uint;
        25[7:0] "MVUpdateProbs[0][8]" uint;
        25[15:8] "MVUpdateProbs[0][9]" uint;
        25[23:16] "MVUpdateProbs[0][10]" uint;
        25[31:24] "MVUpdateProbs[0][11]" uint;
        26[7:0] "MVUpdateProbs[0][12]" uint;
        26[15:8] "MVUpdateProbs[0][13]" uint;
        26[23:16] "MVUpdateProbs[0][14]" uint;
        26[31:24] "MVUpdateProbs[0][15]" uint;
        27[7:0] "MVUpdateProbs[0][16]" uint;
        27[15:8] "MVUpdateProbs[0][17]" uint;
        27[23:16] "MVUpdateProbs[0][18]" uint;
        28[7:0] "MVUpdateProbs[1][0]" uint;
        28[15:8] "MVUpdateProbs[1][1]" uint;
        28[23:16] "MVUpdateProbs[1][2]" uint;
        28[31:24] "MVUpdateProbs[1][3]" uint;
        29[7:0] "MVUpdateProbs[1][4]" uint;
        29[15:8] "MVUpdateProbs[1][5]" uint;
        29[23:16] "MVUpdateProbs[1][6]" uint;
        29[31:24] "MVUpdateProbs[1][7]" uint;
        30[7:0] "MVUpdateProbs[1][8]" uint;
        30[15:8] "MVUpdateProbs[1][9]" uint;
        30[23:16] "MVUpdateProbs[1][10]" uint;
        30[31:24] "MVUpdateProbs[1][11]" uint;
        31[7:0] "MVUpdateProbs[1][12]" uint;
        31[15:8] "MVUpdateProbs[1][13]" uint;
        31[23:16] "MVUpdateProbs[1][14]" uint;
        31[31:24] "MVUpdateProbs[1][15]" uint;
        32[7:0] "MVUpdateProbs[1][16]" uint;
        32[15:8] "MVUpdateProbs[1][17]" uint;
        32[23:16] "MVUpdateProbs[1][18]" uint;
        33[6:0] "RefLFDelta0" int;
        33[14:8] "RefLFDelta1" int;
        33[22:16] "RefLFDelta2" int;
        33[30:24] "RefLFDelta3" int;
        34[6:0] "ModeLFDelta0" int;
        34[14:8] "ModeLFDelta1" int;
        34[22:16] "ModeLFDelta2" int;
        34[30:24] "ModeLFDelta3" int;
        35[47:0] "Segmentation ID Stream - Address" uint;
        37[6:0] "CoeffProbability Stream-In - MOCS" uint;
        37[8:7] "Segmentation ID Stream - Arbitration Priority Control" uint;
        37[9] "Segmentation ID Stream - Memory Compression Enable" bool;
        37[10] "Segmentation ID Stream - Memory Compression Mode" uint;
        37[14:13] "Segmentation ID Stream - Tiled Resource Mode" uint;
    }
    0x7428 "MFD_VP8_BSD_OBJECT" counted(2..=22, 12) [] {
        1[2:0] "Partition0 First MB Bit Offset from Frame Header" uint;
        1[5:4] "Coded Num of Coeff Token Partitions" uint;
        1[15:8] "Partition0 CPBAC Entropy Range" uint;
        1[20:16] "Partition0 CPBAC Entropy Count" uint;
        2[31:24] "Partition0 CPBAC Entropy Value" uint;
        3[23:0] "Indirect Partition0 Data Length" uint;
        4[31:0] "Indirect Partition0 Data Start Offset" uint;
        5[23:0] "Indirect Partition1 Data Length" uint;
        6[31:0] "Indirect Partition1 Data Start Offset" uint;
        7[23:0] "Indirect Partition2 Data Length" uint;
        8[31:0] "Indirect Partition2 Data Start Offset" uint;
        9[23:0] "Indirect Partition3 Data Length" uint;
        10[31:0] "Indirect Partition3 Data Start Offset" uint;
        11[23:0] "Indirect Partition4 Data Length" uint;
        12[31:0] "Indirect Partition4 Data Start Offset" uint;
        13[23:0] "Indirect Partition5 Data Length" uint;
        14[31:0] "Indirect Partition5 Data Start Offset" uint;
        15[23:0] "Indirect Partition6 Data Length" uint;
        16[31:0] "Indirect Partition6 Data Start Offset" uint;
        17[23:0] "Indirect Partition7 Data Length" uint;
        18[31:0] "Indirect Partition7 Data Start Offset" uint;
        19[23:0] "Indirect Partition8 Data Length" uint;
        20[31:0] "Indirect Partition8 Data Start Offset" uint;
        21[8] "MB Header Error Handling" uint;
        21[10] "Entropy Error Handling" uint;
        21[12] "MPR Error (MV out of range) Handling" uint;
        21[14] "BSD Premature Complete Error Handling" uint;
        21[17:16] "Concealment Picture ID" uint;
        21[31] "Concealment Method" uint;
    }
    0x7441 "MFX_VP8_ENCODER_CFG" counted(2..=2, 12) [] {
        1[0] "Performance Counter Enable" bool;
        1[1] "Final Bitstream Output Disable" bool;
        1[2] "Token Statistics Output Enable" bool;
        1[3] "Bitstream Statistics Output Enable" bool;
        1[4] "Update Segment Feature Data Flag" bool;
        1[5] "Skip Final Bitstream when Over/Underflow" bool;
        1[6] "Rate Control Initial Pass" bool;
        1[7] "Per Segment Delta Qindex / LoopFilter Disable" bool;
        1[8] "Finer BRC Enable" bool;
        1[9] "Compressed Bitstream Output Disable" bool;
        1[10] "VBSP Unit Power Clock Gating Disable" bool;
        2[0] "Max Frame Bit count Rate Control Enable" bool;
        2[1] "Min Frame Bit Count Rate Control Enable" bool;
        2[2] "Max Inter MB Bit Count Check Enable" bool;
        2[3] "Max Intra MB Bit Count Check Enable" bool;
        2[4] "Intermediate Bit Buffer Overrun Enable" bool;
        2[5] "Final Bitstream Buffer Overrun Enable" bool;
        2[6] "QIndex Clamp High for Underflow" bool;
        2[7] "QIndex Clamp High for Overflow" bool;
        3[11:0] "Max Inter MB Bit Count" uint;
        3[27:16] "Max Intra MB Bit Count Limit" uint;
        4[13:0] "Frame Bitrate Max" uint;
        4[14] "Frame Bitrate Max Unit" uint;
        4[15] "Frame Bitrate Max Unit Mode" uint;
        4[29:16] "Frame Bitrate Min" uint;
        4[30] "Frame Bitrate Min Unit" uint;
        4[31] "Frame Bitrate Min Unit Mode" uint;
        5[7:0] "Frame Delta QIndex Max[0]" uint;
        5[15:8] "Frame Delta QIndex Max[1]" uint;
        5[23:16] "Frame Delta QIndex Max[2]" uint;
        5[31:24] "Frame Delta QIndex Max[3]" uint;
        6[7:0] "Frame Delta QIndex Min[0]" uint;
        6[15:8] "Frame Delta QIndex Min[1]" uint;
        6[23:16] "Frame Delta QIndex Min[2]" uint;
        6[31:24] "Frame Delta QIndex Min[3]" uint;
        7[31:0] "Per Segment Frame Delta QIndex Max[1]" uint;
        8[31:0] "Per Segment Frame Delta QIndex Min[1]" uint;
        9[31:0] "Per Segment Frame Delta QIndex Max[2]" uint;
        10[31:0] "Per Segment Frame Delta QIndex Min[2]" uint;
        11[31:0] "Per Segment Frame Delta QIndex Max[3]" uint;
        12[31:0] "Per Segment Frame Delta QIndex Min[3]" uint;
        13[7:0] "Frame Delta Loop Filter Max[0]" uint;
        13[15:8] "Frame Delta Loop Filter Max[1]" uint;
        13[23:16] "Frame Delta Loop Filter Max[2]" uint;
        13[31:24] "Frame Delta Loop Filter Max[3]" uint;
        14[7:0] "Frame Delta Loop Filter Min[0]" uint;
        14[15:8] "Frame Delta Loop Filter Min[1]" uint;
        14[23:16] "Frame Delta Loop Filter Min[2]" uint;
        14[31:24] "Frame Delta Loop Filter Min[3]" uint;
        15[31:0] "Per Segment Frame Delta Loop Filter Max[1]" uint;
        16[31:0] "Per Segment Frame Delta Loop Filter Min[1]" uint;
        17[31:0] "Per Segment Frame Delta Loop Filter Max[2]" uint;
        18[31:0] "Per Segment Frame Delta Loop Filter Min[2]" uint;
        19[31:0] "Per Segment Frame Delta Loop Filter Max[3]" uint;
        20[31:0] "Per Segment Frame Delta Loop Filter Min[3]" uint;
        21[14:0] "Frame Bitrate Max Delta" uint;
        21[30:16] "Frame Bitrate Min Delta" uint;
        22[15:0] "Minimum Frame Size" uint;
        22[17:16] "Minimum Frame Size Unit" uint;
        22[22:20] "Bitstream Format Version" uint;
        22[23] "Show Frame" uint;
        23[15:0] "Horizontal_Size_Code" uint;
        23[31:16] "Vertical_Size_Code" uint;
        24[31:0] "Frame Header Bit Count" uint;
        25[31:0] "Frame Header Bin Buffer QIndex Update Pointer" uint;
        26[31:0] "Frame Header Bin Buffer Loop Filter Update Pointer" uint;
        27[31:0] "Frame Header Bin Buffer Token Update Pointer" uint;
        28[31:0] "Frame Header Bin Buffer MV Update Pointer" uint;
        29[3:0] "CV0" uint;
        29[7:4] "CV1" uint;
        29[11:8] "CV2" uint;
        29[15:12] "CV3" uint;
        29[19:16] "CV4" uint;
        29[23:20] "CV5" uint;
        29[27:24] "CV6" uint;
        29[31:28] "CV7" uint;
    }
    0x7443 "MFX_VP8_BSP_BUF_BASE_ADDR_STATE" counted(2..=2, 12) [] {
        1[63:0] "Frame Header - Address" address;
        3[31:0] "Frame Header - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        4[63:0] "Intermediate Buffer - Address" address;
        6[31:0] "Intermediate Buffer - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        7[255:0] "Intermediate Buffer Partition Offset" uint;
        15[31:0] "Intermediate Buffer Max Size" uint;
        16[63:0] "Final Frame - Address" address;
        18[31:0] "Final Frame - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        19[5:0] "Final Frame Byte Offset" uint;
        20[63:0] "Stream-Out - Address" address;
        22[31:0] "Stream-Out - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        23[63:0] "Coeff Probs Stream-In Surface - Address" address;
        25[31:0] "Coeff Probs Stream-In Surface - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        26[63:0] "Token Statistics Surface - Address" address;
        28[31:0] "Token Statistics Surface - Attributes" structure(MEMORYADDRESSATTRIBUTES);
        29[63:0] "MPC Row Store Surface - Address" address;
        31[31:0] "MPC Row Store Surface - Attributes" structure(MEMORYADDRESSATTRIBUTES);
    }
    0x7449 "MFX_VP8_PAK_OBJECT" counted(2..=7, 12) [] {
        1[9:0] "Indirect PAK-MV Data Length" uint;
        1[29] "Enable Inline MV data" bool;
        2[28:0] "Indirect PAK-MV Data Start Address Offset" offset;
        3[127:0] "Inline Data" uint;
    }
    0x7700 "MFX_JPEG_PIC_STATE" counted(2..=3, 12) [] {
        1[2:0] "Input Format YUV" uint;
        1[2:0] "Output MCU Structure" uint;
        1[5:4] "Rotation" uint;
        1[11:8] "Output Format YUV" uint;
        1[11:8] "Input Surface Format YUV" uint;
        1[16] "Average Down Sampling" uint;
        1[17] "Vertical Down-Sampling Enable" bool;
        1[18] "Horizontal Down-Sampling Enable" bool;
        1[20] "Vertical Up-Sampling Enable" bool;
        1[25:21] "Pixels In Vertical Last MCU" uint;
        1[30:26] "Pixels In Horizontal Last MCU" uint;
        2[12:0] "Frame Width In Blocks" uint;
        2[15:13] "Rounding Quant" uint;
        2[28:16] "Frame Height In Blocks" uint;
        2[29] "Output Pixel Normalize" uint;
    }
    0x7702 "MFX_JPEG_HUFF_TABLE_STATE" counted(2..=831, 12) [] {
        1[0] "Huffman Table ID" uint;
        repeat 12 at 64 step 8 {
            0[7:0] "DC_BITS" uint;
        }
        repeat 12 at 160 step 8 {
            0[7:0] "DC_HUFFVAL" uint;
        }
        repeat 16 at 256 step 8 {
            0[15:0] "AC_BITS" uint;
        }
        repeat 160 at 384 step 8 {
            0[7:0] "AC_HUFFVAL" uint;
        }
        repeat 2 at 1664 step 8 {
            0[7:0] "AC_HUFFVAL2" uint;
        }
    }
    0x7728 "MFD_JPEG_BSD_OBJECT" counted(2..=6, 12) [] {
        1[31:0] "Indirect Data Length" uint;
        2[28:0] "Indirect Data Start Address" offset;
        3[12:0] "Scan Vertical Position" uint;
        3[28:16] "Scan Horizontal Position" uint;
        4[25:0] "MCU Count" uint;
        4[29:27] "Scan Components" uint;
        4[30] "Interleaved" bool;
        5[15:0] "Restart Interval" uint;
    }
    0x7743 "MFC_JPEG_HUFF_TABLE_STATE" counted(2..=176, 12) [] {
        1[0] "Huff Table ID" uint;
        2[383:0] "DC_TABLE" uint;
        14[5183:0] "AC_TABLE" uint;
    }
    0x7749 "MFC_JPEG_SCAN_OBJECT" counted(2..=3, 12) [] {
        1[25:0] "MCU Count" uint;
        2[15:0] "Restart Interval" uint;
        2[16] "Last Scan" bool;
        2[17] "Head Present" bool;
        2[20:18] "Huffman DC Table" uint;
        2[24:22] "Huffman AC Table" uint;
    }
    0x7780 "VD_PIPELINE_FLUSH" counted(2..=2, 12) [] {
        1[0] "HEVC Pipeline Done" bool;
        1[1] "VD-ENC Pipeline Done" bool;
        1[3] "MFX Pipeline Done" bool;
        1[4] "VD Command/Message Parser Done" bool;
        1[16] "HEVC Pipeline Command Flush" bool;
        1[17] "VD-ENC Pipeline Command Flush" bool;
        1[19] "MFX Pipeline Command Flush" bool;
    }
}
