//! MI commands: the command streamer's own. All engines share them, but for a few.
//!
//! Sources: SKL PRM vol 2a and 2c, Mesa's genxml of Gen9.

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    MI: MEMORY_INTERFACE for Engines::all();

    0x00 "MI_NOOP" one [] {
        0[21:0] "Identification Number" uint;
        0[22] "Identification Number Register Write Enable" bool;
    }
    0x01 "MI_SET_PREDICATE" one [SetPredicate] {
        0[3:0] "Predicate Enable" uint;
    }
    0x02 "MI_USER_INTERRUPT" one [] {}
    0x03 "MI_WAIT_FOR_EVENT" one [Display] {
        0[0] "Display Plane 1 A Scan Line Wait Enable" bool;
        0[1] "Display Plane 1 Flip Pending Wait Enable" bool;
        0[2] "Display Plane 4 Flip Pending Wait Enable" bool;
        0[3] "Display Plane 1 A Vertical Blank Wait Enable" bool;
        0[6] "Display Plane 7 Flip Pending Wait Enable" bool;
        0[7] "Display Plane 8 Flip Pending Wait Enable" bool;
        0[8] "Display Plane 1 B Scan Line Wait Enable" bool;
        0[9] "Display Plane 2 Flip Pending Wait Enable" bool;
        0[10] "Display Plane 5 Flip Pending Wait Enable" bool;
        0[11] "Display Plane 1 B Vertical Blank Wait Enable" bool;
        0[14] "Display Plane 1 C Scan Line Wait Enable" bool;
        0[15] "Display Plane 3 Flip Pending Wait Enable" bool;
        0[16] "Display Plane 9 Flip Pending Wait Enable" bool;
        0[17] "Display Plane 10 Flip Pending Wait Enable" bool;
        0[18] "Display Plane 11 Flip Pending Wait Enable" bool;
        0[19] "Display Plane 12 Flip Pending Wait Enable" bool;
        0[20] "Display Plane 6 Flip Pending Wait Enable" bool;
        0[21] "Display Plane 1 C Vertical Blank Wait Enable" bool;
    }
    0x04 "MI_FLUSH" one [] {}
    0x05 "MI_ARB_CHECK" one [] {}
    0x06 "MI_RS_CONTROL" one on RENDER [] {
        0[0] "Resource Streamer Control" uint;
    }
    0x07 "MI_REPORT_HEAD" one [Privileged] {}
    0x08 "MI_ARB_ON_OFF" one [Privileged] {
        0[0] "Arbitration Enable" bool;
    }
    0x09 "MI_URB_ATOMIC_ALLOC" one on RENDER [] {
        0[8:0] "URB Atomic Storage Size" uint;
        0[19:12] "URB Atomic Storage Offset" uint;
    }
    0x0a "MI_BATCH_BUFFER_END" one [] {}
    0x0b "MI_SUSPEND_FLUSH" one [Privileged] {
        0[0] "Suspend Flush" bool;
    }
    0x0c "MI_PREDICATE" one on RENDER [] {
        0[1:0] "Compare Operation" uint;
        0[4:3] "Combine Operation" uint;
        0[7:6] "Load Operation" uint;
    }
    0x0d "MI_TOPOLOGY_FILTER" one on RENDER [Obsolete] {
        0[5:0] "Topology Filter Value" uint;
    }
    0x0e "MI_SET_APPID" one [Privileged] {
        0[6:0] "Protected Memory Application ID" uint;
    }
    0x0f "MI_RS_CONTEXT" one on RENDER [] {
        0[0] "Resource Streamer Save" uint;
    }
    0x12 "MI_LOAD_SCAN_LINES_INCL" fixed(2, 6) on RENDER_COPY [Display] {
        0[18:17] "Scan Line Event Done Forward" uint;
        0[21:19] "Display (Plane) Select" uint;
        1[12:0] "End Scan Line Number" uint;
        1[28:16] "Start Scan Line Number" uint;
    }
    0x13 "MI_LOAD_SCAN_LINES_EXCL" fixed(2, 6) on RENDER_COPY [Display] {
        0[21:19] "Display (Plane) Select" uint;
        1[12:0] "End Scan Line Number" uint;
        1[28:16] "Start Scan Line Number" uint;
    }
    0x14 "MI_DISPLAY_FLIP" fixed(3, 8) on RENDER_COPY [Display] {
        0[12:8] "Display Plane Select" uint;
        0[22] "Async Flip Indicator" bool;
        1[2:0] "Tile Parameter" uint;
        1[15:6] "Display Buffer Pitch" uint;
        1[31] "Stereoscopic 3D Mode" bool;
        2[1:0] "Flip Type" uint;
        2[31:12] "Display Buffer Base Address" address;
        3[31:12] "Left Eye Display Buffer Base Address" address;
    }
    0x16 "MI_SEMAPHORE_MBOX" counted(2.., 8) [Obsolete] {}
    0x18 "MI_SET_CONTEXT" fixed(2, 8) on RENDER [PageTables] {
        1[0] "Restore Inhibit" uint;
        1[1] "Force Restore" uint;
        1[2] "Resource Streamer State Restore Enable" bool;
        1[3] "Resource Streamer State Save Enable" bool;
        1[4] "Core Mode Enable" bool;
        1[8] "Reserved, Must be 1" uint;
        1[31:12] "Logical Context Address" address;
    }
    0x19 "MI_URB_CLEAR" counted(2.., 8) on RENDER [Obsolete] {}
    0x1a "MI_MATH" counted(2.., 8) [Math] {
        repeat 0 at 32 step 32 {
            0[31:0] "Instruction" structure(MI_MATH_ALU_INSTRUCTION);
        }
    }
    0x1b "MI_SEMAPHORE_SIGNAL" fixed(2, 8) [] {
        0[17:15] "Target Engine Select" uint;
        0[21] "Post-Sync Operation" bool;
        1[31:0] "Target Context ID" uint;
    }
    0x1c "MI_SEMAPHORE_WAIT" fixed(4, 8) [Ggtt(0, 22), Semaphore] {
        0[14:12] "Compare Operation" uint;
        0[15] "Wait Mode" uint;
        0[16] "Register Poll Mode" bool;
        0[22] "Memory Type" uint;
        1[31:0] "Semaphore Data Dword" uint;
        2[63:2] "Semaphore Address" address;
    }
    0x1d "MI_FORCE_WAKEUP" fixed(2, 8) [] {
        1[0] "Force Media Awake" uint;
        1[1] "Force Render Awake" uint;
        1[31:16] "Mask Bits" uint;
    }
    0x20 "MI_STORE_DATA_IMM" counted(4.., 10) [StoreData, Ggtt(0, 22)] {
        0[21] "Store Qword" uint;
        0[22] "Use Global GTT" bool;
        1[0] "Core Mode Enable" uint;
        1[47:2] "Address" address;
        3[63:0] "Immediate Data" uint;
    }
    0x21 "MI_STORE_DATA_INDEX" counted(3..=4, 8) [Privileged] {
        0[21] "Use Per-Process Hardware Status Page" uint;
        1[11:2] "Offset" uint;
        2[31:0] "Data DWord 0" uint;
        3[31:0] "Data DWord 1" uint;
    }
    0x22 "MI_LOAD_REGISTER_IMM" counted(3.., 8) [WritesPairs] {
        0[11:8] "Byte Write Disables" uint;
        1[22:2] "Register Offset" offset;
        2[31:0] "Data DWord" uint;
        repeat 0 at 96 step 64 {
            0[22:2] "Register Offset" offset;
            1[31:0] "Data DWord" uint;
        }
    }
    0x23 "MI_UPDATE_GTT" counted(2.., 10) [PageTables] {
        1[31:12] "Entry Address" address;
    }
    0x24 "MI_STORE_REGISTER_MEM" fixed(4, 8) [Ggtt(0, 22), Reads(1)] {
        0[21] "Predicate Enable" bool;
        0[22] "Use Global GTT" bool;
        1[22:2] "Register Address" offset;
        2[63:2] "Memory Address" address;
    }
    0x26 "MI_FLUSH_DW" counted(4..=5, 6) on NOT_RENDER [FlushDw] {
        0[7] "Video Pipeline Cache Invalidate" bool;
        0[8] "Notify Enable" bool;
        0[9] "Flush LLC" bool;
        0[15:14] "Post-Sync Operation" uint;
        0[18] "TLB Invalidate" bool;
        0[21] "Store Data Index" uint;
        1[2] "Destination Address Type" uint;
        1[47:3] "Address" address;
        3[63:0] "Immediate Data" uint;
    }
    0x27 "MI_CLFLUSH" counted(3.., 10) on RENDER [Ggtt(0, 22)] {
        0[22] "Use Global GTT" bool;
        1[11:6] "Starting Cacheline Offset" uint;
        1[47:12] "Page Base Address" address;
        repeat 0 at 96 step 32 {
            0[31:0] "DW Representing a Half Cache Line" uint;
        }
    }
    0x28 "MI_REPORT_PERF_COUNT" fixed(4, 6) on RENDER [Ggtt(1, 0)] {
        1[0] "Use Global GTT" bool;
        1[4] "Core Mode Enable" uint;
        1[63:6] "Memory Address" address;
        3[31:0] "Report ID" uint;
    }
    0x29 "MI_LOAD_REGISTER_MEM" fixed(4, 8) [Ggtt(0, 22), Writes(1)] {
        0[21] "Async Mode Enable" bool;
        0[22] "Use Global GTT" bool;
        1[22:2] "Register Address" offset;
        2[63:2] "Memory Address" address;
    }
    0x2a "MI_LOAD_REGISTER_REG" fixed(3, 8) [Reads(1), Writes(2)] {
        1[22:2] "Source Register Address" offset;
        2[22:2] "Destination Register Address" offset;
    }
    0x2b "MI_RS_STORE_DATA_IMM" fixed(4, 8) on RENDER [] {
        1[0] "Core Mode Enable" uint;
        1[63:2] "Destination Address" address;
        3[31:0] "Data DWord 0" uint;
    }
    0x2c "MI_LOAD_URB_MEM" fixed(4, 8) on RENDER [] {
        1[14:2] "URB Address" uint;
        2[63:6] "Memory Address" address;
    }
    0x2d "MI_STORE_URB_MEM" fixed(4, 8) on RENDER [] {
        1[14:2] "URB Address" uint;
        2[63:6] "Memory Address" address;
    }
    0x2e "MI_COPY_MEM_MEM" fixed(5, 8) [Ggtt(0, 21), Ggtt(0, 22)] {
        0[21] "Use Global GTT Destination" bool;
        0[22] "Use Global GTT Source" bool;
        1[63:2] "Destination Memory Address" address;
        3[63:2] "Source Memory Address" address;
    }
    0x2f "MI_ATOMIC" counted(3..=11, 8) [Ggtt(0, 22), Atomic] {
        0[15:8] "ATOMIC OPCODE" uint;
        0[16] "Return Data Control" bool;
        0[17] "CS STALL" bool;
        0[18] "Inline Data" bool;
        0[20:19] "Data Size" uint;
        0[21] "Post-Sync Operation" bool;
        0[22] "Memory Type" uint;
        1[47:2] "Memory Address" address;
        3[31:0] "Operand1 Data Dword 0" uint;
        4[31:0] "Operand2 Data Dword 0" uint;
        5[31:0] "Operand1 Data Dword 1" uint;
        6[31:0] "Operand2 Data Dword 1" uint;
        7[31:0] "Operand1 Data Dword 2" uint;
        8[31:0] "Operand2 Data Dword 2" uint;
        9[31:0] "Operand1 Data Dword 3" uint;
        10[31:0] "Operand2 Data Dword 3" uint;
    }
    0x31 "MI_BATCH_BUFFER_START" fixed(3, 8) [BatchStart] {
        0[8] "Address Space Indicator" uint;
        0[10] "Resource Streamer Enable" bool;
        0[15] "Predication Enable" bool;
        0[16] "Add Offset Enable" bool;
        0[22] "Second Level Batch Buffer" uint;
        1[63:2] "Batch Buffer Start Address" address;
    }
    0x36 "MI_CONDITIONAL_BATCH_BUFFER_END" fixed(4, 8) [Ggtt(0, 22)] {
        0[19] "Compare Mask Mode" uint;
        0[22] "Use Global GTT" bool;
        1[31:0] "Compare Data Dword" uint;
        2[63:3] "Compare Address" address;
    }
}
