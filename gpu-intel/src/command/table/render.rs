//! The 3D pipeline's state and primitives, and the state that it shares with media.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9. The commands for Direct3D 9, which genxml leaves out, are from
//! i915: its GVT-g knows them, and the state that it gives to every new context begins with one. STATE_BASE_ADDRESS has 16
//! dwords as on Gen8, too (IGT's compute), or 18 (its render copies).

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    RENDER: PIPELINE for Engines::RENDER;

    0x6003 "STATE_PREFETCH" fixed(2, 8) [] {
        1[2:0] "Prefetch Count" uint;
        1[31:6] "Prefetch Pointer" address;
    }
    0x6101 "STATE_BASE_ADDRESS" counted(16..=19, 8) [Window(1, 12), Window(6, 13), Window(8, 14), Window(10, 15), Window(16, 18)] {
        1[0] "General State Base Address Modify Enable" bool;
        1[10:4] "General State MOCS" uint;
        1[63:12] "General State Base Address" address;
        3[22:16] "Stateless Data Port Access MOCS" uint;
        4[0] "Surface State Base Address Modify Enable" bool;
        4[10:4] "Surface State MOCS" uint;
        4[63:12] "Surface State Base Address" address;
        6[0] "Dynamic State Base Address Modify Enable" bool;
        6[10:4] "Dynamic State MOCS" uint;
        6[63:12] "Dynamic State Base Address" address;
        8[0] "Indirect Object Base Address Modify Enable" bool;
        8[10:4] "Indirect Object MOCS" uint;
        8[63:12] "Indirect Object Base Address" address;
        10[0] "Instruction Base Address Modify Enable" bool;
        10[10:4] "Instruction MOCS" uint;
        10[63:12] "Instruction Base Address" address;
        12[0] "General State Buffer Size Modify Enable" bool;
        12[31:12] "General State Buffer Size" uint;
        13[0] "Dynamic State Buffer Size Modify Enable" bool;
        13[31:12] "Dynamic State Buffer Size" uint;
        14[0] "Indirect Object Buffer Size Modify Enable" bool;
        14[31:12] "Indirect Object Buffer Size" uint;
        15[0] "Instruction Buffer size Modify Enable" bool;
        15[31:12] "Instruction Buffer Size" uint;
        16[0] "Bindless Surface State Base Address Modify Enable" bool;
        16[10:4] "Bindless Surface State MOCS" uint;
        16[63:12] "Bindless Surface State Base Address" address;
        18[31:12] "Bindless Surface State Size" uint;
    }
    0x6102 "STATE_SIP" fixed(3, 8) [] {
        1[63:4] "System Instruction Pointer" offset;
    }
    0x6103 "SWTESS_BASE_ADDRESS" counted(2.., 8) [] {}
    0x6104 "GPGPU_CSR_BASE_ADDRESS" fixed(3, 8) [] {
        1[63:12] "GPGPU CSR Base Address" address;
    }
    0x680b "3DSTATE_VF_STATISTICS" one [] {
        0[0] "Statistics Enable" bool;
    }
    0x6904 "PIPELINE_SELECT" one [] {
        0[1:0] "Pipeline Selection" uint;
        0[4] "Media Sampler DOP Clock Gate Enable" bool;
        0[5] "Force Media Awake" bool;
        0[15:8] "Mask Bits" uint;
    }
    0x7804 "3DSTATE_CLEAR_PARAMS" fixed(3, 8) [] {
        1[31:0] "Depth Clear Value" float;
        2[0] "Depth Clear Value Valid" bool;
    }
    0x7805 "3DSTATE_DEPTH_BUFFER" fixed(8, 8) [] {
        1[17:0] "Surface Pitch" uint;
        1[20:18] "Surface Format" uint;
        1[22] "Hierarchical Depth Buffer Enable" bool;
        1[27] "Stencil Write Enable" bool;
        1[28] "Depth Write Enable" bool;
        1[31:29] "Surface Type" uint;
        2[63:0] "Surface Base Address" address;
        4[3:0] "LOD" uint;
        4[17:4] "Width" uint;
        4[31:18] "Height" uint;
        5[6:0] "MOCS" uint;
        5[20:10] "Minimum Array Element" uint;
        5[31:21] "Depth" uint;
        6[29:26] "Mip Tail Start LOD" uint;
        6[31:30] "Tiled Resource Mode" uint;
        7[14:0] "Surface QPitch" uint;
        7[31:21] "Render Target View Extent" uint;
    }
    0x7806 "3DSTATE_STENCIL_BUFFER" fixed(5, 8) [] {
        1[16:0] "Surface Pitch" uint;
        1[28:22] "MOCS" uint;
        1[31] "Stencil Buffer Enable" bool;
        2[63:0] "Surface Base Address" address;
        4[14:0] "Surface QPitch" uint;
    }
    0x7807 "3DSTATE_HIER_DEPTH_BUFFER" fixed(5, 8) [] {
        1[16:0] "Surface Pitch" uint;
        1[31:25] "MOCS" uint;
        2[63:0] "Surface Base Address" address;
        4[14:0] "Surface QPitch" uint;
    }
    0x7808 "3DSTATE_VERTEX_BUFFERS" counted(2.., 8) [] {
        repeat 0 at 32 step 128 {
            0[127:0] "Vertex Buffer State" structure(VERTEX_BUFFER_STATE);
        }
    }
    0x7809 "3DSTATE_VERTEX_ELEMENTS" counted(2.., 8) [] {
        repeat 0 at 32 step 64 {
            0[63:0] "Element" structure(VERTEX_ELEMENT_STATE);
        }
    }
    0x780a "3DSTATE_INDEX_BUFFER" fixed(5, 8) [] {
        1[6:0] "MOCS" uint;
        1[9:8] "Index Format" uint;
        2[63:0] "Buffer Starting Address" address;
        4[31:0] "Buffer Size" uint;
    }
    0x780c "3DSTATE_VF" fixed(2, 8) [] {
        0[8] "Indexed Draw Cut Index Enable" bool;
        0[9] "Component Packing Enable" bool;
        0[10] "Sequential Draw Cut Index Enable" bool;
        1[31:0] "Cut Index" uint;
    }
    0x780d "3DSTATE_MULTISAMPLE" fixed(2, 8) [] {
        1[3:1] "Number of Multisamples" uint;
        1[4] "Pixel Location" uint;
        1[5] "Pixel Position Offset Enable" bool;
    }
    0x780e "3DSTATE_CC_STATE_POINTERS" fixed(2, 8) [] {
        1[0] "Color Calc State Pointer Valid" bool;
        1[31:6] "Color Calc State Pointer" offset;
    }
    0x780f "3DSTATE_SCISSOR_STATE_POINTERS" fixed(2, 8) [] {
        1[31:5] "Scissor Rect Pointer" offset;
    }
    0x7810 "3DSTATE_VS" fixed(9, 8) [] {
        1[63:6] "Kernel Start Pointer" offset;
        3[7] "Software Exception Enable" bool;
        3[12] "Accesses UAV" bool;
        3[13] "Illegal Opcode Exception Enable" bool;
        3[16] "Floating Point Mode" uint;
        3[17] "Thread Dispatch Priority" uint;
        3[25:18] "Binding Table Entry Count" uint;
        3[29:27] "Sampler Count" uint;
        3[30] "Vector Mask Enable" bool;
        3[31] "Single Vertex Dispatch" bool;
        4[3:0] "Per-Thread Scratch Space" uint;
        4[63:10] "Scratch Space Base Pointer" address;
        6[9:4] "Vertex URB Entry Read Offset" uint;
        6[16:11] "Vertex URB Entry Read Length" uint;
        6[24:20] "Dispatch GRF Start Register For URB Data" uint;
        7[0] "Enable" bool;
        7[1] "Vertex Cache Disable" bool;
        7[2] "SIMD8 Dispatch Enable" bool;
        7[10] "Statistics Enable" bool;
        7[31:23] "Maximum Number of Threads" uint;
        8[7:0] "User Clip Distance Cull Test Enable Bitmask" uint;
        8[15:8] "User Clip Distance Clip Test Enable Bitmask" uint;
        8[20:16] "Vertex URB Entry Output Length" uint;
        8[26:21] "Vertex URB Entry Output Read Offset" uint;
    }
    0x7811 "3DSTATE_GS" fixed(10, 8) [] {
        1[63:6] "Kernel Start Pointer" offset;
        3[5:0] "Expected Vertex Count" uint;
        3[7] "Software Exception Enable" bool;
        3[11] "Mask Stack Exception Enable" bool;
        3[12] "Accesses UAV" bool;
        3[13] "Illegal Opcode Exception Enable" bool;
        3[16] "Floating Point Mode" uint;
        3[17] "Thread Dispatch Priority" uint;
        3[25:18] "Binding Table Entry Count" uint;
        3[29:27] "Sampler Count" uint;
        3[30] "Vector Mask Enable" bool;
        3[31] "Single Program Flow" bool;
        4[3:0] "Per-Thread Scratch Space" uint;
        4[63:10] "Scratch Space Base Pointer" address;
        6[3:0] "Dispatch GRF Start Register For URB Data" uint;
        6[9:4] "Vertex URB Entry Read Offset" uint;
        6[10] "Include Vertex Handles" bool;
        6[16:11] "Vertex URB Entry Read Length" uint;
        6[22:17] "Output Topology" uint;
        6[28:23] "Output Vertex Size" uint;
        6[30:29] "Dispatch GRF Start Register For URB Data [5:4]" uint;
        7[0] "Enable" bool;
        7[1] "Discard Adjacency" bool;
        7[2] "Reorder Mode" uint;
        7[3] "Hint" uint;
        7[4] "Include Primitive ID" bool;
        7[9:5] "Invocations Increment Value" uint;
        7[10] "Statistics Enable" bool;
        7[12:11] "Dispatch Mode" uint;
        7[14:13] "Default Stream Id" uint;
        7[19:15] "Instance Control" uint;
        7[23:20] "Control Data Header Size" uint;
        8[8:0] "Maximum Number of Threads" uint;
        8[26:16] "Static Output Vertex Count" uint;
        8[30] "Static Output" bool;
        8[31] "Control Data Format" uint;
        9[7:0] "User Clip Distance Cull Test Enable Bitmask" uint;
        9[15:8] "User Clip Distance Clip Test Enable Bitmask" uint;
        9[20:16] "Vertex URB Entry Output Length" uint;
        9[26:21] "Vertex URB Entry Output Read Offset" uint;
    }
    0x7812 "3DSTATE_CLIP" fixed(4, 8) [] {
        1[7:0] "User Clip Distance Cull Test Enable Bitmask" uint;
        1[10] "Statistics Enable" bool;
        1[16] "Force Clip Mode" bool;
        1[17] "Force User Clip Distance Clip Test Enable Bitmask" bool;
        1[18] "Early Cull Enable" bool;
        1[19] "Vertex Sub Pixel Precision Select" uint;
        1[20] "Force User Clip Distance Cull Test Enable Bitmask" bool;
        2[1:0] "Triangle Fan Provoking Vertex Select" uint;
        2[3:2] "Line Strip/List Provoking Vertex Select" uint;
        2[5:4] "Triangle Strip/List Provoking Vertex Select" uint;
        2[8] "Non-Perspective Barycentric Enable" bool;
        2[9] "Perspective Divide Disable" bool;
        2[15:13] "Clip Mode" uint;
        2[23:16] "User Clip Distance Clip Test Enable Bitmask" uint;
        2[26] "Guardband Clip Test Enable" bool;
        2[28] "Viewport XY Clip Test Enable" bool;
        2[30] "API Mode" uint;
        2[31] "Clip Enable" bool;
        3[3:0] "Maximum VP Index" uint;
        3[5] "Force Zero RTA Index Enable" bool;
        3[16:6] "Maximum Point Width" ufixed(3);
        3[27:17] "Minimum Point Width" ufixed(3);
    }
    0x7813 "3DSTATE_SF" fixed(4, 8) [] {
        1[1] "Viewport Transform Enable" bool;
        1[10] "Statistics Enable" bool;
        1[11] "Legacy Global Depth Bias Enable" bool;
        1[29:12] "Line Width" ufixed(7);
        2[17:16] "Line End Cap Antialiasing Region Width" uint;
        3[10:0] "Point Width" ufixed(3);
        3[11] "Point Width Source" uint;
        3[12] "Vertex Sub Pixel Precision Select" uint;
        3[13] "Smooth Point Enable" bool;
        3[14] "AA Line Distance Mode" uint;
        3[26:25] "Triangle Fan Provoking Vertex Select" uint;
        3[28:27] "Line Strip/List Provoking Vertex Select" uint;
        3[30:29] "Triangle Strip/List Provoking Vertex Select" uint;
        3[31] "Last Pixel Enable" bool;
    }
    0x7814 "3DSTATE_WM" fixed(2, 8) [] {
        1[1:0] "Force Kill Pixel Enable" uint;
        1[2] "Point Rasterization Rule" uint;
        1[3] "Line Stipple Enable" bool;
        1[4] "Polygon Stipple Enable" bool;
        1[7:6] "Line Antialiasing Region Width" uint;
        1[9:8] "Line End Cap Antialiasing Region Width" uint;
        1[16:11] "Barycentric Interpolation Mode" uint;
        1[18:17] "Position ZW Interpolation Mode" uint;
        1[20:19] "Force Thread Dispatch Enable" uint;
        1[22:21] "Early Depth/Stencil Control" uint;
        1[26] "Legacy Diamond Line Rasterization" bool;
        1[27] "Legacy Hierarchical Depth Buffer Resolve Enable" bool;
        1[28] "Legacy Depth Buffer Resolve Enable" bool;
        1[30] "Legacy Depth Buffer Clear Enable" bool;
        1[31] "Statistics Enable" bool;
    }
    0x7815 "3DSTATE_CONSTANT_VS" fixed(11, 8) [] {
        0[14:8] "MOCS" uint;
        1[319:0] "Constant Body" structure(_3DSTATE_CONSTANT_BODY);
    }
    0x7816 "3DSTATE_CONSTANT_GS" fixed(11, 8) [] {
        0[14:8] "MOCS" uint;
        1[319:0] "Constant Body" structure(_3DSTATE_CONSTANT_BODY);
    }
    0x7817 "3DSTATE_CONSTANT_PS" fixed(11, 8) [] {
        0[14:8] "MOCS" uint;
        1[319:0] "Constant Body" structure(_3DSTATE_CONSTANT_BODY);
    }
    0x7818 "3DSTATE_SAMPLE_MASK" fixed(2, 8) [] {
        1[15:0] "Sample Mask" uint;
    }
    0x7819 "3DSTATE_CONSTANT_HS" fixed(11, 8) [] {
        0[14:8] "MOCS" uint;
        1[319:0] "Constant Body" structure(_3DSTATE_CONSTANT_BODY);
    }
    0x781a "3DSTATE_CONSTANT_DS" fixed(11, 8) [] {
        0[14:8] "MOCS" uint;
        1[319:0] "Constant Body" structure(_3DSTATE_CONSTANT_BODY);
    }
    0x781b "3DSTATE_HS" fixed(9, 8) [] {
        1[12] "Software Exception Enable" bool;
        1[13] "Illegal Opcode Exception Enable" bool;
        1[16] "Floating Point Mode" uint;
        1[17] "Thread Dispatch Priority" uint;
        1[25:18] "Binding Table Entry Count" uint;
        1[29:27] "Sampler Count" uint;
        2[3:0] "Instance Count" uint;
        2[16:8] "Maximum Number of Threads" uint;
        2[29] "Statistics Enable" bool;
        2[31] "Enable" bool;
        3[63:6] "Kernel Start Pointer" offset;
        5[3:0] "Per-Thread Scratch Space" uint;
        5[63:10] "Scratch Space Base Pointer" address;
        7[0] "Include Primitive ID" bool;
        7[9:4] "Vertex URB Entry Read Offset" uint;
        7[16:11] "Vertex URB Entry Read Length" uint;
        7[18:17] "Dispatch Mode" uint;
        7[23:19] "Dispatch GRF Start Register For URB Data" uint;
        7[24] "Include Vertex Handles" bool;
        7[25] "Accesses UAV" bool;
        7[26] "Vector Mask Enable" bool;
        7[27] "Single Program Flow" bool;
        7[28] "Dispatch GRF Start Register For URB Data [5]" uint;
    }
    0x781c "3DSTATE_TE" fixed(4, 8) [] {
        1[0] "TE Enable" bool;
        1[2:1] "TE Mode" uint;
        1[5:4] "TE Domain" uint;
        1[9:8] "Output Topology" uint;
        1[13:12] "Partitioning" uint;
        2[31:0] "Maximum Tessellation Factor Odd" float;
        3[31:0] "Maximum Tessellation Factor Not Odd" float;
    }
    0x781d "3DSTATE_DS" fixed(11, 8) [] {
        1[63:6] "Kernel Start Pointer" offset;
        3[7] "Software Exception Enable" bool;
        3[13] "Illegal Opcode Exception Enable" bool;
        3[14] "Accesses UAV" bool;
        3[16] "Floating Point Mode" uint;
        3[17] "Thread Dispatch Priority" uint;
        3[25:18] "Binding Table Entry Count" uint;
        3[29:27] "Sampler Count" uint;
        3[30] "Vector Mask Enable" bool;
        4[3:0] "Per-Thread Scratch Space" uint;
        4[63:10] "Scratch Space Base Pointer" address;
        6[9:4] "Patch URB Entry Read Offset" uint;
        6[17:11] "Patch URB Entry Read Length" uint;
        6[24:20] "Dispatch GRF Start Register For URB Data" uint;
        7[0] "Enable" bool;
        7[1] "Cache Disable" bool;
        7[2] "Compute W Coordinate Enable" bool;
        7[4:3] "Dispatch Mode" uint;
        7[10] "Statistics Enable" bool;
        7[29:21] "Maximum Number of Threads" uint;
        8[7:0] "User Clip Distance Cull Test Enable Bitmask" uint;
        8[15:8] "User Clip Distance Clip Test Enable Bitmask" uint;
        8[20:16] "Vertex URB Entry Output Length" uint;
        8[26:21] "Vertex URB Entry Output Read Offset" uint;
        9[63:6] "DUAL_PATCH Kernel Start Pointer" offset;
    }
    0x781e "3DSTATE_STREAMOUT" fixed(5, 8) [] {
        1[24:23] "Force Rendering" uint;
        1[25] "SO Statistics Enable" bool;
        1[26] "Reorder Mode" uint;
        1[28:27] "Render Stream Select" uint;
        1[30] "Rendering Disable" bool;
        1[31] "SO Function Enable" bool;
        2[4:0] "Stream 0 Vertex Read Length" uint;
        2[5] "Stream 0 Vertex Read Offset" uint;
        2[12:8] "Stream 1 Vertex Read Length" uint;
        2[13] "Stream 1 Vertex Read Offset" uint;
        2[20:16] "Stream 2 Vertex Read Length" uint;
        2[21] "Stream 2 Vertex Read Offset" uint;
        2[28:24] "Stream 3 Vertex Read Length" uint;
        2[29] "Stream 3 Vertex Read Offset" uint;
        3[11:0] "Buffer 0 Surface Pitch" uint;
        3[27:16] "Buffer 1 Surface Pitch" uint;
        4[11:0] "Buffer 2 Surface Pitch" uint;
        4[27:16] "Buffer 3 Surface Pitch" uint;
    }
    0x781f "3DSTATE_SBE" fixed(6, 8) [] {
        1[4:0] "Primitive ID Override Attribute Select" uint;
        1[10:5] "Vertex URB Entry Read Offset" uint;
        1[15:11] "Vertex URB Entry Read Length" uint;
        1[16] "Primitive ID Override Component X" bool;
        1[17] "Primitive ID Override Component Y" bool;
        1[18] "Primitive ID Override Component Z" bool;
        1[19] "Primitive ID Override Component W" bool;
        1[20] "Point Sprite Texture Coordinate Origin" uint;
        1[21] "Attribute Swizzle Enable" bool;
        1[27:22] "Number of SF Output Attributes" uint;
        1[28] "Force Vertex URB Entry Read Offset" bool;
        1[29] "Force Vertex URB Entry Read Length" bool;
        2[31:0] "Point Sprite Texture Coordinate Enable" uint;
        3[31:0] "Constant Interpolation Enable" uint;
        repeat 32 at 128 step 2 {
            0[1:0] "Attribute Active Component Format" uint;
        }
    }
    0x7820 "3DSTATE_PS" fixed(12, 8) [] {
        1[63:6] "Kernel Start Pointer 0" offset;
        3[7] "Software Exception Enable" bool;
        3[11] "Mask Stack Exception Enable" bool;
        3[13] "Illegal Opcode Exception Enable" bool;
        3[15:14] "Rounding Mode" uint;
        3[16] "Floating Point Mode" uint;
        3[17] "Thread Dispatch Priority" uint;
        3[25:18] "Binding Table Entry Count" uint;
        3[26] "Single Precision Denormal Mode" uint;
        3[29:27] "Sampler Count" uint;
        3[30] "Vector Mask Enable" bool;
        3[31] "Single Program Flow" bool;
        4[3:0] "Per Thread Scratch Space" uint;
        4[63:10] "Scratch Space Base Pointer" address;
        6[0] "8 Pixel Dispatch Enable" bool;
        6[1] "16 Pixel Dispatch Enable" bool;
        6[2] "32 Pixel Dispatch Enable" bool;
        6[4:3] "Position XY Offset Select" uint;
        6[7:6] "Render Target Resolve Type" uint;
        6[8] "Render Target Fast Clear Enable" bool;
        6[11] "Push Constant Enable" bool;
        6[31:23] "Maximum Number of Threads Per PSD" uint;
        7[6:0] "Dispatch GRF Start Register For Constant/Setup Data 2" uint;
        7[14:8] "Dispatch GRF Start Register For Constant/Setup Data 1" uint;
        7[22:16] "Dispatch GRF Start Register For Constant/Setup Data 0" uint;
        8[63:6] "Kernel Start Pointer 1" offset;
        10[63:6] "Kernel Start Pointer 2" offset;
    }
    0x7821 "3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP" fixed(2, 8) [] {
        1[31:6] "SF Clip Viewport Pointer" offset;
    }
    0x7823 "3DSTATE_VIEWPORT_STATE_POINTERS_CC" fixed(2, 8) [] {
        1[31:5] "CC Viewport Pointer" offset;
    }
    0x7824 "3DSTATE_BLEND_STATE_POINTERS" fixed(2, 8) [] {
        1[0] "Blend State Pointer Valid" bool;
        1[31:6] "Blend State Pointer" offset;
    }
    0x7826 "3DSTATE_BINDING_TABLE_POINTERS_VS" fixed(2, 8) [] {
        1[15:5] "Pointer to VS Binding Table" offset;
    }
    0x7827 "3DSTATE_BINDING_TABLE_POINTERS_HS" fixed(2, 8) [] {
        1[15:5] "Pointer to HS Binding Table" offset;
    }
    0x7828 "3DSTATE_BINDING_TABLE_POINTERS_DS" fixed(2, 8) [] {
        1[15:5] "Pointer to DS Binding Table" offset;
    }
    0x7829 "3DSTATE_BINDING_TABLE_POINTERS_GS" fixed(2, 8) [] {
        1[15:5] "Pointer to GS Binding Table" offset;
    }
    0x782a "3DSTATE_BINDING_TABLE_POINTERS_PS" fixed(2, 8) [] {
        1[15:5] "Pointer to PS Binding Table" offset;
    }
    0x782b "3DSTATE_SAMPLER_STATE_POINTERS_VS" fixed(2, 8) [] {
        1[31:5] "Pointer to VS Sampler State" offset;
    }
    0x782c "3DSTATE_SAMPLER_STATE_POINTERS_HS" fixed(2, 8) [] {
        1[31:5] "Pointer to HS Sampler State" offset;
    }
    0x782d "3DSTATE_SAMPLER_STATE_POINTERS_DS" fixed(2, 8) [] {
        1[31:5] "Pointer to DS Sampler State" offset;
    }
    0x782e "3DSTATE_SAMPLER_STATE_POINTERS_GS" fixed(2, 8) [] {
        1[31:5] "Pointer to GS Sampler State" offset;
    }
    0x782f "3DSTATE_SAMPLER_STATE_POINTERS_PS" fixed(2, 8) [] {
        1[31:5] "Pointer to PS Sampler State" offset;
    }
    0x7830 "3DSTATE_URB_VS" fixed(2, 8) [] {
        1[15:0] "VS Number of URB Entries" uint;
        1[24:16] "VS URB Entry Allocation Size" uint;
        1[31:25] "VS URB Starting Address" uint;
    }
    0x7831 "3DSTATE_URB_HS" fixed(2, 8) [] {
        1[15:0] "HS Number of URB Entries" uint;
        1[24:16] "HS URB Entry Allocation Size" uint;
        1[31:25] "HS URB Starting Address" uint;
    }
    0x7832 "3DSTATE_URB_DS" fixed(2, 8) [] {
        1[15:0] "DS Number of URB Entries" uint;
        1[24:16] "DS URB Entry Allocation Size" uint;
        1[31:25] "DS URB Starting Address" uint;
    }
    0x7833 "3DSTATE_URB_GS" fixed(2, 8) [] {
        1[15:0] "GS Number of URB Entries" uint;
        1[24:16] "GS URB Entry Allocation Size" uint;
        1[31:25] "GS URB Starting Address" uint;
    }
    0x7834 "3DSTATE_GATHER_CONSTANT_VS" counted(2.., 8) [] {
        1[0] "DX9 On-Die Register Read Enable" bool;
        1[1] "Update Gather Table Only" uint;
        1[15:12] "Constant Buffer Binding Table Block" uint;
        1[31:16] "Constant Buffer Valid" uint;
        2[3] "On-Die Table" uint;
        2[4] "Constant Buffer Dx9 Enable" bool;
        2[5] "Constant Buffer Dx9 Generate Stall" bool;
        2[22:6] "Gather Buffer Offset" offset;
        repeat 0 at 96 step 32 {
            0[15:0] "Entry_0" structure(GATHER_CONSTANT_ENTRY);
            0[31:16] "Entry_1" structure(GATHER_CONSTANT_ENTRY);
        }
    }
    0x7835 "3DSTATE_GATHER_CONSTANT_GS" counted(2.., 8) [] {
        1[1] "Update Gather Table Only" uint;
        1[15:12] "Constant Buffer Binding Table Block" uint;
        1[31:16] "Constant Buffer Valid" uint;
        2[3] "On-Die Table" uint;
        2[5] "Constant Buffer Dx9 Generate Stall" bool;
        2[22:6] "Gather Buffer Offset" offset;
        repeat 0 at 96 step 32 {
            0[15:0] "Entry_0" structure(GATHER_CONSTANT_ENTRY);
            0[31:16] "Entry_1" structure(GATHER_CONSTANT_ENTRY);
        }
    }
    0x7836 "3DSTATE_GATHER_CONSTANT_HS" counted(2.., 8) [] {
        1[1] "Update Gather Table Only" uint;
        1[15:12] "Constant Buffer Binding Table Block" uint;
        1[31:16] "Constant Buffer Valid" uint;
        2[3] "On-Die Table" uint;
        2[5] "Constant Buffer Dx9 Generate Stall" bool;
        2[22:6] "Gather Buffer Offset" offset;
        repeat 0 at 96 step 32 {
            0[15:0] "Entry_0" structure(GATHER_CONSTANT_ENTRY);
            0[31:16] "Entry_1" structure(GATHER_CONSTANT_ENTRY);
        }
    }
    0x7837 "3DSTATE_GATHER_CONSTANT_DS" counted(2.., 8) [] {
        1[1] "Update Gather Table Only" uint;
        1[15:12] "Constant Buffer Binding Table Block" uint;
        1[31:16] "Constant Buffer Valid" uint;
        2[3] "On-Die Table" uint;
        2[5] "Constant Buffer Dx9 Generate Stall" bool;
        2[22:6] "Gather Buffer Offset" offset;
        repeat 0 at 96 step 32 {
            0[15:0] "Entry_0" structure(GATHER_CONSTANT_ENTRY);
            0[31:16] "Entry_1" structure(GATHER_CONSTANT_ENTRY);
        }
    }
    0x7838 "3DSTATE_GATHER_CONSTANT_PS" counted(2.., 8) [] {
        1[0] "DX9 On-Die Register Read Enable" bool;
        1[1] "Update Gather Table Only" uint;
        1[15:12] "Constant Buffer Binding Table Block" uint;
        1[31:16] "Constant Buffer Valid" uint;
        2[3] "On-Die Table" uint;
        2[4] "Constant Buffer Dx9 Enable" bool;
        2[5] "Constant Buffer Dx9 Generate Stall" bool;
        2[22:6] "Gather Buffer Offset" offset;
        repeat 0 at 96 step 32 {
            0[15:0] "Entry_0" structure(GATHER_CONSTANT_ENTRY);
            0[31:16] "Entry_1" structure(GATHER_CONSTANT_ENTRY);
        }
    }
    0x7839 "3DSTATE_DX9_CONSTANTF_VS" counted(2.., 8) [] {}
    0x783a "3DSTATE_DX9_CONSTANTF_PS" counted(2.., 8) [] {}
    0x783b "3DSTATE_DX9_CONSTANTI_VS" counted(2.., 8) [] {}
    0x783c "3DSTATE_DX9_CONSTANTI_PS" counted(2.., 8) [] {}
    0x783d "3DSTATE_DX9_CONSTANTB_VS" counted(2.., 8) [] {}
    0x783e "3DSTATE_DX9_CONSTANTB_PS" counted(2.., 8) [] {}
    0x783f "3DSTATE_DX9_LOCAL_VALID_VS" counted(2.., 8) [] {}
    0x7840 "3DSTATE_DX9_LOCAL_VALID_PS" counted(2.., 8) [] {}
    0x7841 "3DSTATE_DX9_GENERATE_ACTIVE_VS" counted(2.., 8) [] {}
    0x7842 "3DSTATE_DX9_GENERATE_ACTIVE_PS" counted(2.., 8) [] {}
    0x7843 "3DSTATE_BINDING_TABLE_EDIT_VS" counted(2.., 9) [] {
        1[1:0] "Binding Table Edit Target" uint;
        1[31:16] "Binding Table Block Clear" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Entry [n]" structure(BINDING_TABLE_EDIT_ENTRY);
        }
    }
    0x7844 "3DSTATE_BINDING_TABLE_EDIT_GS" counted(2.., 9) [] {
        1[1:0] "Binding Table Edit Target" uint;
        1[31:16] "Binding Table Block Clear" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Entry [n]" structure(BINDING_TABLE_EDIT_ENTRY);
        }
    }
    0x7845 "3DSTATE_BINDING_TABLE_EDIT_HS" counted(2.., 9) [] {
        1[1:0] "Binding Table Edit Target" uint;
        1[31:16] "Binding Table Block Clear" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Entry [n]" structure(BINDING_TABLE_EDIT_ENTRY);
        }
    }
    0x7846 "3DSTATE_BINDING_TABLE_EDIT_DS" counted(2.., 9) [] {
        1[1:0] "Binding Table Edit Target" uint;
        1[31:16] "Binding Table Block Clear" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Entry [n]" structure(BINDING_TABLE_EDIT_ENTRY);
        }
    }
    0x7847 "3DSTATE_BINDING_TABLE_EDIT_PS" counted(2.., 9) [] {
        1[1:0] "Binding Table Edit Target" uint;
        1[31:16] "Binding Table Block Clear" uint;
        repeat 0 at 64 step 32 {
            0[31:0] "Entry [n]" structure(BINDING_TABLE_EDIT_ENTRY);
        }
    }
    0x7849 "3DSTATE_VF_INSTANCING" fixed(3, 8) [] {
        1[5:0] "Vertex Element Index" uint;
        1[8] "Instancing Enable" bool;
        2[31:0] "Instance Data Step Rate" uint;
    }
    0x784a "3DSTATE_VF_SGVS" fixed(2, 8) [] {
        1[5:0] "VertexID Element Offset" uint;
        1[14:13] "VertexID Component Number" uint;
        1[15] "VertexID Enable" bool;
        1[21:16] "InstanceID Element Offset" uint;
        1[30:29] "InstanceID Component Number" uint;
        1[31] "InstanceID Enable" bool;
    }
    0x784b "3DSTATE_VF_TOPOLOGY" fixed(2, 8) [] {
        1[5:0] "Primitive Topology Type" uint;
    }
    0x784c "3DSTATE_WM_CHROMAKEY" fixed(2, 8) [] {
        1[31] "ChromaKey Kill Enable" bool;
    }
    0x784d "3DSTATE_PS_BLEND" fixed(2, 8) [] {
        1[7] "Independent Alpha Blend Enable" bool;
        1[8] "Alpha Test Enable" bool;
        1[13:9] "Destination Blend Factor" uint;
        1[18:14] "Source Blend Factor" uint;
        1[23:19] "Destination Alpha Blend Factor" uint;
        1[28:24] "Source Alpha Blend Factor" uint;
        1[29] "Color Buffer Blend Enable" bool;
        1[30] "Has Writeable RT" bool;
        1[31] "Alpha To Coverage Enable" bool;
    }
    0x784e "3DSTATE_WM_DEPTH_STENCIL" fixed(4, 8) [] {
        1[0] "Depth Buffer Write Enable" bool;
        1[1] "Depth Test Enable" bool;
        1[2] "Stencil Buffer Write Enable" bool;
        1[3] "Stencil Test Enable" bool;
        1[4] "Double Sided Stencil Enable" bool;
        1[7:5] "Depth Test Function" uint;
        1[10:8] "Stencil Test Function" uint;
        1[13:11] "Backface Stencil Pass Depth Pass Op" uint;
        1[16:14] "Backface Stencil Pass Depth Fail Op" uint;
        1[19:17] "Backface Stencil Fail Op" uint;
        1[22:20] "Backface Stencil Test Function" uint;
        1[25:23] "Stencil Pass Depth Pass Op" uint;
        1[28:26] "Stencil Pass Depth Fail Op" uint;
        1[31:29] "Stencil Fail Op" uint;
        2[7:0] "Backface Stencil Write Mask" uint;
        2[15:8] "Backface Stencil Test Mask" uint;
        2[23:16] "Stencil Write Mask" uint;
        2[31:24] "Stencil Test Mask" uint;
        3[7:0] "Backface Stencil Reference Value" uint;
        3[15:8] "Stencil Reference Value" uint;
    }
    0x784f "3DSTATE_PS_EXTRA" fixed(2, 8) [] {
        1[1:0] "Input Coverage Mask State" uint;
        1[2] "Pixel Shader Has UAV" bool;
        1[3] "Pixel Shader Pulls Bary" bool;
        1[5] "Pixel Shader Computes Stencil" bool;
        1[6] "Pixel Shader Is Per Sample" bool;
        1[7] "Pixel Shader Disables Alpha To Coverage" bool;
        1[8] "Attribute Enable" bool;
        1[23] "Pixel Shader Uses Source W" bool;
        1[24] "Pixel Shader Uses Source Depth" bool;
        1[25] "Force Computed Depth" bool;
        1[27:26] "Pixel Shader Computed Depth Mode" uint;
        1[28] "Pixel Shader Kills Pixel" bool;
        1[29] "oMask Present to Render Target" bool;
        1[30] "Pixel Shader Does not write to RT" zero;
        1[31] "Pixel Shader Valid" bool;
    }
    0x7850 "3DSTATE_RASTER" fixed(5, 8) [] {
        1[0] "Viewport Z Near Clip Test Enable" bool;
        1[1] "Scissor Rectangle Enable" bool;
        1[2] "Antialiasing Enable" bool;
        1[4:3] "Back Face Fill Mode" uint;
        1[6:5] "Front Face Fill Mode" uint;
        1[7] "Global Depth Offset Enable Point" bool;
        1[8] "Global Depth Offset Enable Wireframe" bool;
        1[9] "Global Depth Offset Enable Solid" bool;
        1[11:10] "DX Multisample Rasterization Mode" uint;
        1[12] "DX Multisample Rasterization Enable" bool;
        1[13] "Smooth Point Enable" bool;
        1[14] "Force Multisampling" uint;
        1[17:16] "Cull Mode" uint;
        1[20:18] "Forced Sample Count" uint;
        1[21] "Front Winding" uint;
        1[23:22] "API Mode" uint;
        1[24] "Conservative Rasterization Enable" bool;
        1[26] "Viewport Z Far Clip Test Enable" bool;
        2[31:0] "Global Depth Offset Constant" float;
        3[31:0] "Global Depth Offset Scale" float;
        4[31:0] "Global Depth Offset Clamp" float;
    }
    0x7851 "3DSTATE_SBE_SWIZ" fixed(11, 8) [] {
        repeat 16 at 32 step 16 {
            0[15:0] "Attribute" structure(SF_OUTPUT_ATTRIBUTE_DETAIL);
        }
        repeat 16 at 288 step 4 {
            0[3:0] "Attribute Wrap Shortest Enables" uint;
        }
    }
    0x7852 "3DSTATE_WM_HZ_OP" fixed(5, 8) [] {
        1[15:13] "Number of Multisamples" uint;
        1[23:16] "Stencil Clear Value" uint;
        1[25] "Full Surface Depth and Stencil Clear" bool;
        1[26] "Pixel Position Offset Enable" bool;
        1[27] "Hierarchical Depth Buffer Resolve Enable" bool;
        1[28] "Depth Buffer Resolve Enable" bool;
        1[29] "Scissor Rectangle Enable" bool;
        1[30] "Depth Buffer Clear Enable" bool;
        1[31] "Stencil Buffer Clear Enable" bool;
        2[15:0] "Clear Rectangle X Min" uint;
        2[31:16] "Clear Rectangle Y Min" uint;
        3[15:0] "Clear Rectangle X Max" uint;
        3[31:16] "Clear Rectangle Y Max" uint;
        4[15:0] "Sample Mask" uint;
    }
    0x7854 "3DSTATE_RS_CONSTANT_POINTER" fixed(4, 8) [] {
        1[12] "Operation Load or Store" uint;
        1[30:28] "Shader Select" uint;
        2[31:6] "Global Constant Buffer Address" address;
        3[31:0] "Global Constant Buffer Address High" address;
    }
    0x7855 "3DSTATE_VF_COMPONENT_PACKING" fixed(5, 8) [] {
        1[3:0] "Vertex Element 00 Enables" uint;
        1[7:4] "Vertex Element 01 Enables" uint;
        1[11:8] "Vertex Element 02 Enables" uint;
        1[15:12] "Vertex Element 03 Enables" uint;
        1[19:16] "Vertex Element 04 Enables" uint;
        1[23:20] "Vertex Element 05 Enables" uint;
        1[27:24] "Vertex Element 06 Enables" uint;
        1[31:28] "Vertex Element 07 Enables" uint;
        2[3:0] "Vertex Element 08 Enables" uint;
        2[7:4] "Vertex Element 09 Enables" uint;
        2[11:8] "Vertex Element 10 Enables" uint;
        2[15:12] "Vertex Element 11 Enables" uint;
        2[19:16] "Vertex Element 12 Enables" uint;
        2[23:20] "Vertex Element 13 Enables" uint;
        2[27:24] "Vertex Element 14 Enables" uint;
        2[31:28] "Vertex Element 15 Enables" uint;
        3[3:0] "Vertex Element 16 Enables" uint;
        3[7:4] "Vertex Element 17 Enables" uint;
        3[11:8] "Vertex Element 18 Enables" uint;
        3[15:12] "Vertex Element 19 Enables" uint;
        3[19:16] "Vertex Element 20 Enables" uint;
        3[23:20] "Vertex Element 21 Enables" uint;
        3[27:24] "Vertex Element 22 Enables" uint;
        3[31:28] "Vertex Element 23 Enables" uint;
        4[3:0] "Vertex Element 24 Enables" uint;
        4[7:4] "Vertex Element 25 Enables" uint;
        4[11:8] "Vertex Element 26 Enables" uint;
        4[15:12] "Vertex Element 27 Enables" uint;
        4[19:16] "Vertex Element 28 Enables" uint;
        4[23:20] "Vertex Element 29 Enables" uint;
        4[27:24] "Vertex Element 30 Enables" uint;
        4[31:28] "Vertex Element 31 Enables" uint;
    }
    0x7900 "3DSTATE_DRAWING_RECTANGLE" fixed(4, 8) [] {
        0[15:14] "Core Mode Select" uint;
        1[15:0] "Clipped Drawing Rectangle X Min" uint;
        1[31:16] "Clipped Drawing Rectangle Y Min" uint;
        2[15:0] "Clipped Drawing Rectangle X Max" uint;
        2[31:16] "Clipped Drawing Rectangle Y Max" uint;
        3[15:0] "Drawing Rectangle Origin X" int;
        3[31:16] "Drawing Rectangle Origin Y" int;
    }
    0x7902 "3DSTATE_SAMPLER_PALETTE_LOAD0" counted(2.., 8) [] {
        repeat 0 at 32 step 32 {
            0[31:0] "Entry" structure(PALETTE_ENTRY);
        }
    }
    0x7904 "3DSTATE_CHROMA_KEY" fixed(4, 8) [] {
        1[31:30] "ChromaKey Table Index" uint;
        2[31:0] "ChromaKey Low Value" uint;
        3[31:0] "ChromaKey High Value" uint;
    }
    0x7906 "3DSTATE_POLY_STIPPLE_OFFSET" fixed(2, 8) [] {
        1[4:0] "Polygon Stipple Y Offset" uint;
        1[12:8] "Polygon Stipple X Offset" uint;
    }
    0x7907 "3DSTATE_POLY_STIPPLE_PATTERN" fixed(33, 8) [] {
        repeat 32 at 32 step 32 {
            0[31:0] "Pattern Row" uint;
        }
    }
    0x7908 "3DSTATE_LINE_STIPPLE" fixed(3, 8) [] {
        1[15:0] "Line Stipple Pattern" uint;
        1[19:16] "Current Stipple Index" uint;
        1[29:21] "Current Repeat Counter" uint;
        1[31] "Modify Enable (Current Repeat Counter, Current Stipple Index)" bool;
        2[8:0] "Line Stipple Repeat Count" uint;
        2[31:15] "Line Stipple Inverse Repeat Count" ufixed(16);
    }
    0x790a "3DSTATE_AA_LINE_PARAMETERS" fixed(3, 8) [] {
        1[7:0] "AA Coverage Slope" ufixed(8);
        1[15:8] "AA Point Coverage Slope" ufixed(8);
        1[23:16] "AA Coverage Bias" ufixed(8);
        1[31:24] "AA Point Coverage Bias" ufixed(8);
        2[7:0] "AA Coverage EndCap Slope" ufixed(8);
        2[15:8] "AA Point Coverage EndCap Slope" ufixed(8);
        2[23:16] "AA Coverage EndCap Bias" ufixed(8);
        2[31:24] "AA Point Coverage EndCap Bias" ufixed(8);
    }
    0x790c "3DSTATE_SAMPLER_PALETTE_LOAD1" counted(2.., 8) [] {
        repeat 0 at 32 step 32 {
            0[31:24] "Palette Alpha[0:N-1]" uint;
            0[23:16] "Palette Red[0:N-1]" uint;
            0[15:8] "Palette Green[0:N-1]" uint;
            0[7:0] "Palette Blue[0:N-1]" uint;
        }
    }
    0x7911 "3DSTATE_MONOFILTER_SIZE" fixed(2, 8) [] {
        1[2:0] "Monochrome Filter Height" uint;
        1[5:3] "Monochrome Filter Width" uint;
    }
    0x7912 "3DSTATE_PUSH_CONSTANT_ALLOC_VS" fixed(2, 8) [] {
        1[5:0] "Constant Buffer Size" uint;
        1[20:16] "Constant Buffer Offset" uint;
    }
    0x7913 "3DSTATE_PUSH_CONSTANT_ALLOC_HS" fixed(2, 8) [] {
        1[5:0] "Constant Buffer Size" uint;
        1[20:16] "Constant Buffer Offset" uint;
    }
    0x7914 "3DSTATE_PUSH_CONSTANT_ALLOC_DS" fixed(2, 8) [] {
        1[5:0] "Constant Buffer Size" uint;
        1[20:16] "Constant Buffer Offset" uint;
    }
    0x7915 "3DSTATE_PUSH_CONSTANT_ALLOC_GS" fixed(2, 8) [] {
        1[5:0] "Constant Buffer Size" uint;
        1[20:16] "Constant Buffer Offset" uint;
    }
    0x7916 "3DSTATE_PUSH_CONSTANT_ALLOC_PS" fixed(2, 8) [] {
        1[5:0] "Constant Buffer Size" uint;
        1[20:16] "Constant Buffer Offset" uint;
    }
    0x7917 "3DSTATE_SO_DECL_LIST" counted(2.., 9) [] {
        1[3:0] "Stream to Buffer Selects [0]" uint;
        1[7:4] "Stream to Buffer Selects [1]" uint;
        1[11:8] "Stream to Buffer Selects [2]" uint;
        1[15:12] "Stream to Buffer Selects [3]" uint;
        2[7:0] "Num Entries [0]" uint;
        2[15:8] "Num Entries [1]" uint;
        2[23:16] "Num Entries [2]" uint;
        2[31:24] "Num Entries [3]" uint;
        repeat 0 at 96 step 64 {
            0[63:0] "Entry" structure(SO_DECL_ENTRY);
        }
    }
    0x7918 "3DSTATE_SO_BUFFER" fixed(8, 8) [] {
        1[20] "Stream Output Buffer Offset Address Enable" bool;
        1[21] "Stream Offset Write Enable" bool;
        1[28:22] "MOCS" uint;
        1[30:29] "SO Buffer Index" uint;
        1[31] "SO Buffer Enable" bool;
        2[47:2] "Surface Base Address" address;
        4[29:0] "Surface Size" uint;
        5[47:2] "Stream Output Buffer Offset Address" address;
        7[31:0] "Stream Offset" uint;
    }
    0x7919 "3DSTATE_BINDING_TABLE_POOL_ALLOC" fixed(4, 8) [] {
        1[6:0] "MOCS" uint;
        1[11] "Binding Table Pool Enable" bool;
        1[63:12] "Binding Table Pool Base Address" address;
        3[31:12] "Binding Table Pool Buffer Size" uint;
    }
    0x791a "3DSTATE_GATHER_POOL_ALLOC" fixed(4, 8) [] {
        1[6:0] "MOCS" uint;
        1[11] "Gather Pool Enable" bool;
        1[63:12] "Gather Pool Base Address" address;
        3[31:12] "Gather Pool Buffer Size" uint;
    }
    0x791b "3DSTATE_DX9_CONSTANT_BUFFER_POOL_ALLOC" fixed(4, 8) [] {
        1[63:12] "Constant Buffer Pool Base Address" address;
        3[31:12] "Constant Buffer Pool Buffer Size" uint;
    }
    0x791c "3DSTATE_SAMPLE_PATTERN" fixed(9, 8) [] {
        1[3:0] "16x Sample0 Y Offset" ufixed(4);
        1[7:4] "16x Sample0 X Offset" ufixed(4);
        1[11:8] "16x Sample1 Y Offset" ufixed(4);
        1[15:12] "16x Sample1 X Offset" ufixed(4);
        1[19:16] "16x Sample2 Y Offset" ufixed(4);
        1[23:20] "16x Sample2 X Offset" ufixed(4);
        1[27:24] "16x Sample3 Y Offset" ufixed(4);
        1[31:28] "16x Sample3 X Offset" ufixed(4);
        2[3:0] "16x Sample4 Y Offset" ufixed(4);
        2[7:4] "16x Sample4 X Offset" ufixed(4);
        2[11:8] "16x Sample5 Y Offset" ufixed(4);
        2[15:12] "16x Sample5 X Offset" ufixed(4);
        2[19:16] "16x Sample6 Y Offset" ufixed(4);
        2[23:20] "16x Sample6 X Offset" ufixed(4);
        2[27:24] "16x Sample7 Y Offset" ufixed(4);
        2[31:28] "16x Sample7 X Offset" ufixed(4);
        3[3:0] "16x Sample8 Y Offset" ufixed(4);
        3[7:4] "16x Sample8 X Offset" ufixed(4);
        3[11:8] "16x Sample9 Y Offset" ufixed(4);
        3[15:12] "16x Sample9 X Offset" ufixed(4);
        3[19:16] "16x Sample10 Y Offset" ufixed(4);
        3[23:20] "16x Sample10 X Offset" ufixed(4);
        3[27:24] "16x Sample11 Y Offset" ufixed(4);
        3[31:28] "16x Sample11 X Offset" ufixed(4);
        4[3:0] "16x Sample12 Y Offset" ufixed(4);
        4[7:4] "16x Sample12 X Offset" ufixed(4);
        4[11:8] "16x Sample13 Y Offset" ufixed(4);
        4[15:12] "16x Sample13 X Offset" ufixed(4);
        4[19:16] "16x Sample14 Y Offset" ufixed(4);
        4[23:20] "16x Sample14 X Offset" ufixed(4);
        4[27:24] "16x Sample15 Y Offset" ufixed(4);
        4[31:28] "16x Sample15 X Offset" ufixed(4);
        5[3:0] "8x Sample4 Y Offset" ufixed(4);
        5[7:4] "8x Sample4 X Offset" ufixed(4);
        5[11:8] "8x Sample5 Y Offset" ufixed(4);
        5[15:12] "8x Sample5 X Offset" ufixed(4);
        5[19:16] "8x Sample6 Y Offset" ufixed(4);
        5[23:20] "8x Sample6 X Offset" ufixed(4);
        5[27:24] "8x Sample7 Y Offset" ufixed(4);
        5[31:28] "8x Sample7 X Offset" ufixed(4);
        6[3:0] "8x Sample0 Y Offset" ufixed(4);
        6[7:4] "8x Sample0 X Offset" ufixed(4);
        6[11:8] "8x Sample1 Y Offset" ufixed(4);
        6[15:12] "8x Sample1 X Offset" ufixed(4);
        6[19:16] "8x Sample2 Y Offset" ufixed(4);
        6[23:20] "8x Sample2 X Offset" ufixed(4);
        6[27:24] "8x Sample3 Y Offset" ufixed(4);
        6[31:28] "8x Sample3 X Offset" ufixed(4);
        7[3:0] "4x Sample0 Y Offset" ufixed(4);
        7[7:4] "4x Sample0 X Offset" ufixed(4);
        7[11:8] "4x Sample1 Y Offset" ufixed(4);
        7[15:12] "4x Sample1 X Offset" ufixed(4);
        7[19:16] "4x Sample2 Y Offset" ufixed(4);
        7[23:20] "4x Sample2 X Offset" ufixed(4);
        7[27:24] "4x Sample3 Y Offset" ufixed(4);
        7[31:28] "4x Sample3 X Offset" ufixed(4);
        8[3:0] "2x Sample0 Y Offset" ufixed(4);
        8[7:4] "2x Sample0 X Offset" ufixed(4);
        8[11:8] "2x Sample1 Y Offset" ufixed(4);
        8[15:12] "2x Sample1 X Offset" ufixed(4);
        8[19:16] "1x Sample0 Y Offset" ufixed(4);
        8[23:20] "1x Sample0 X Offset" ufixed(4);
    }
    0x791d "3DSTATE_URB_CLEAR" fixed(2, 8) [] {
        1[14:0] "URB Address" offset;
        1[29:16] "URB Clear Length" uint;
    }
    0x7a00 "PIPE_CONTROL" fixed(6, 8) [PipeControl] {
        1[0] "Depth Cache Flush Enable" bool;
        1[1] "Stall At Pixel Scoreboard" bool;
        1[2] "State Cache Invalidation Enable" bool;
        1[3] "Constant Cache Invalidation Enable" bool;
        1[4] "VF Cache Invalidation Enable" bool;
        1[5] "DC Flush Enable" bool;
        1[7] "Pipe Control Flush Enable" bool;
        1[8] "Notify Enable" bool;
        1[9] "Indirect State Pointers Disable" bool;
        1[10] "Texture Cache Invalidation Enable" bool;
        1[11] "Instruction Cache Invalidate Enable" bool;
        1[12] "Render Target Cache Flush Enable" bool;
        1[13] "Depth Stall Enable" bool;
        1[15:14] "Post Sync Operation" uint;
        1[16] "Generic Media State Clear" bool;
        1[18] "TLB Invalidate" bool;
        1[19] "Global Snapshot Count Reset" bool;
        1[20] "Command Streamer Stall Enable" bool;
        1[21] "Store Data Index" uint;
        1[23] "LRI Post Sync Operation" uint;
        1[24] "Destination Address Type" uint;
        1[26] "Flush LLC" bool;
        2[47:2] "Address" address;
        4[63:0] "Immediate Data" uint;
    }
    0x7b00 "3DPRIMITIVE" fixed(7, 8) [] {
        0[8] "Predicate Enable" bool;
        0[9] "UAV Coherency Required" bool;
        0[10] "Indirect Parameter Enable" bool;
        1[5:0] "Primitive Topology Type" uint;
        1[8] "Vertex Access Type" uint;
        1[9] "End Offset Enable" bool;
        2[31:0] "Vertex Count Per Instance" uint;
        3[31:0] "Start Vertex Location" uint;
        4[31:0] "Instance Count" uint;
        5[31:0] "Start Instance Location" uint;
        6[31:0] "Base Vertex Location" int;
    }
}
