//! The media and GPGPU pipeline of the render engine.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9; MEDIA_POOL_STATE from i915, whose work-arounds for Broxton have it.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    MEDIA: PIPELINE for Engines::RENDER;

    0x7000 "MEDIA_VFE_STATE" fixed(9, 16) [] {
        1[3:0] "Per Thread Scratch Space" uint;
        1[7:4] "Stack Size" uint;
        1[47:10] "Scratch Space Base Pointer" address;
        3[7] "Reset Gateway Timer" uint;
        3[15:8] "Number of URB Entries" uint;
        3[31:16] "Maximum Number of Threads" uint;
        4[1:0] "Slice Disable" uint;
        5[15:0] "CURBE Allocation Size" uint;
        5[31:16] "URB Entry Allocation Size" uint;
        6[7:0] "Scoreboard Mask" uint;
        6[30] "Scoreboard Type" uint;
        6[31] "Scoreboard Enable" bool;
        7[3:0] "Scoreboard 0 Delta X" int;
        7[7:4] "Scoreboard 0 Delta Y" int;
        7[11:8] "Scoreboard 1 Delta X" int;
        7[15:12] "Scoreboard 1 Delta Y" int;
        7[19:16] "Scoreboard 2 Delta X" int;
        7[23:20] "Scoreboard 2 Delta Y" int;
        7[27:24] "Scoreboard 3 Delta X" int;
        7[31:28] "Scoreboard 3 Delta Y" int;
        8[3:0] "Scoreboard 4 Delta X" int;
        8[7:4] "Scoreboard 4 Delta Y" int;
        8[11:8] "Scoreboard 5 Delta X" int;
        8[15:12] "Scoreboard 5 Delta Y" int;
        8[19:16] "Scoreboard 6 Delta X" int;
        8[23:20] "Scoreboard 6 Delta Y" int;
        8[27:24] "Scoreboard 7 Delta X" int;
        8[31:28] "Scoreboard 7 Delta Y" int;
    }
    0x7001 "MEDIA_CURBE_LOAD" fixed(4, 16) [] {
        2[16:0] "CURBE Total Data Length" uint;
        3[31:0] "CURBE Data Start Address" uint;
    }
    0x7002 "MEDIA_INTERFACE_DESCRIPTOR_LOAD" fixed(4, 16) [] {
        2[16:0] "Interface Descriptor Total Length" uint;
        3[31:0] "Interface Descriptor Data Start Address" offset;
    }
    0x7004 "MEDIA_STATE_FLUSH" fixed(2, 16) [] {
        1[5:0] "Interface Descriptor Offset" uint;
        1[6] "Watermark Required" uint;
        1[7] "Flush to GO" bool;
    }
    0x7005 "MEDIA_POOL_STATE" fixed(6, 16) [] {
        1[31] "Pool Enable" bool;
    }
    0x7100 "MEDIA_OBJECT" counted(2.., 16) [] {
        1[5:0] "Interface Descriptor Offset" uint;
        2[16:0] "Indirect Data Length" uint;
        2[18:17] "SubSlice Destination Select" uint;
        2[20:19] "Slice Destination Select" uint;
        2[21] "Use Scoreboard" uint;
        2[22] "Force Destination" uint;
        2[24] "Thread Synchronization" uint;
        2[26:25] "Slice Destination Select MSBs" uint;
        2[31] "Children Present" bool;
        3[31:0] "Indirect Data Start Address" address;
        4[8:0] "Scoreboard X" uint;
        4[24:16] "Scoredboard Y" uint;
        5[7:0] "Scoreboard Mask" uint;
        5[19:16] "Scoreboard Color" uint;
        repeat 0 at 192 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
    0x7102 "MEDIA_OBJECT_PRT" fixed(16, 16) [] {
        1[5:0] "Interface Descriptor Offset" uint;
        2[22] "PRT_FenceType" uint;
        2[23] "PRT_Fence Needed" bool;
        2[31] "Children Present" bool;
        repeat 12 at 128 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
    0x7103 "MEDIA_OBJECT_WALKER" counted(2.., 16) [] {
        1[5:0] "Interface Descriptor Offset" uint;
        2[16:0] "Indirect Data Length" uint;
        2[21] "Use Scoreboard" uint;
        2[23:22] "Masked Dispatch" uint;
        2[24] "Thread Synchronization" uint;
        3[31:0] "Indirect Data Start Address" uint;
        5[7:0] "Scoreboard Mask" uint;
        5[31:8] "Group ID Loop Select" uint;
        6[9:8] "Mid-Loop Unit X" int;
        6[13:12] "Local Mid-Loop Unit Y" int;
        6[20:16] "Middle Loop Extra Steps" uint;
        6[27:24] "Color Count Minus One" uint;
        7[11:0] "Local Loop Exec Count" uint;
        7[27:16] "Global Loop Exec Count" uint;
        8[10:0] "Block Resolution X" uint;
        8[26:16] "Block Resolution Y" uint;
        9[10:0] "Local Start X" uint;
        9[26:16] "Local Start Y" uint;
        11[11:0] "Local Outer Loop Stride X" int;
        11[27:16] "Local Outer Loop Stride Y" int;
        12[11:0] "Local Inner Loop Unit X" int;
        12[27:16] "Local Inner Loop Unit Y" int;
        13[10:0] "Global Resolution X" uint;
        13[26:16] "Global Resolution Y" uint;
        14[11:0] "Global Start X" int;
        14[27:16] "Global Start Y" int;
        15[11:0] "Global Outer Loop Stride X" int;
        15[27:16] "Global Outer Loop Stride Y" int;
        16[11:0] "Global Inner Loop Unit X" int;
        16[27:16] "Global Inner Loop Unit Y" int;
        repeat 0 at 544 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
    0x7105 "GPGPU_WALKER" fixed(15, 8) [] {
        0[8] "Predicate Enable" bool;
        0[10] "Indirect Parameter Enable" bool;
        1[5:0] "Interface Descriptor Offset" uint;
        2[16:0] "Indirect Data Length" uint;
        3[31:6] "Indirect Data Start Address" offset;
        4[5:0] "Thread Width Counter Maximum" uint;
        4[13:8] "Thread Height Counter Maximum" uint;
        4[21:16] "Thread Depth Counter Maximum" uint;
        4[31:30] "SIMD Size" uint;
        5[31:0] "Thread Group ID Starting X" uint;
        7[31:0] "Thread Group ID X Dimension" uint;
        8[31:0] "Thread Group ID Starting Y" uint;
        10[31:0] "Thread Group ID Y Dimension" uint;
        11[31:0] "Thread Group ID Starting/Resume Z" uint;
        12[31:0] "Thread Group ID Z Dimension" uint;
        13[31:0] "Right Execution Mask" uint;
        14[31:0] "Bottom Execution Mask" uint;
    }
    0x7106 "MEDIA_OBJECT_GRPID" counted(2.., 16) [] {
        1[5:0] "Interface Descriptor Offset" uint;
        2[16:0] "Indirect Data Length" uint;
        2[18:17] "SubSlice Destination Select" uint;
        2[20:19] "Slice Destination Select" uint;
        2[21] "Use Scoreboard" uint;
        2[22] "Force Destination" uint;
        2[23] "End of Thread Group" uint;
        2[24] "Slice Destination Select MSB" uint;
        3[31:0] "Indirect Data Start Address" address;
        4[8:0] "Scoreboard X" uint;
        4[24:16] "Scoreboard Y" uint;
        5[7:0] "Scoreboard Mask" uint;
        5[19:16] "Scoreboard Color" uint;
        6[31:0] "GroupID" uint;
        repeat 0 at 224 step 32 {
            0[31:0] "Inline Data" uint;
        }
    }
}
