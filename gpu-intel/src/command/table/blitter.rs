//! The copy engine's blits. All their addresses are in the context's own space.
//!
//! Source: SKL PRM vol 2a (blitter commands) and vol 10 (copy engine).

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    BLITTER: BLIT for Engines::COPY;

    0x01 "XY_SETUP_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        1[29] "Mono Source Transparency" bool;
        2[15:0] "Clip Left" int;
        2[31:16] "Clip Top" int;
        3[15:0] "Clip Right" int;
        3[31:16] "Clip Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[31:0] "Background Color" uint;
        7[31:0] "Foreground Color" uint;
        8[63:0] "Pattern Base Address" address;
    }
    0x03 "XY_SETUP_CLIP_BLT" fixed(3, 8) [] {
        1[15:0] "Clip Left" int;
        1[31:16] "Clip Top" int;
        2[15:0] "Clip Right" int;
        2[31:16] "Clip Bottom" int;
    }
    0x11 "XY_SETUP_MONO_PATTERN_SL_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        1[29] "Mono Source Transparency" bool;
        2[15:0] "Clip Left" int;
        2[31:16] "Clip Top" int;
        3[15:0] "Clip Right" int;
        3[31:16] "Clip Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[31:0] "Background Color" uint;
        7[31:0] "Foreground Color" uint;
        8[63:0] "Pattern" uint;
    }
    0x24 "XY_PIXEL_BLT" fixed(2, 8) [] {
        0[11] "Destination Tiled" bool;
        1[15:0] "Left" int;
        1[31:16] "Top" int;
    }
    0x25 "XY_SCANLINES_BLT" fixed(3, 8) [] {
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Left" int;
        1[31:16] "Top" int;
        2[15:0] "Right" int;
        2[31:16] "Bottom" int;
    }
    0x26 "XY_TEXT_BLT" fixed(5, 8) [] {
        0[11] "Destination Tiled" bool;
        0[16] "Byte Packed" bool;
        1[15:0] "Left" int;
        1[31:16] "Top" int;
        2[15:0] "Right" int;
        2[31:16] "Bottom" int;
        3[63:0] "Source Address" address;
    }
    0x31 "XY_TEXT_IMMEDIATE_BLT" counted(3.., 8) [] {
        0[11] "Destination Tiled" bool;
        0[16] "Byte Packed" bool;
        1[15:0] "Left" int;
        1[31:16] "Top" int;
        2[15:0] "Right" int;
        2[31:16] "Bottom" int;
    }
    0x40 "COLOR_BLT" fixed(6, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Width" uint;
        2[31:16] "Height" uint;
        3[63:0] "Destination Address" address;
        5[31:0] "Color" uint;
    }
    0x42 "XY_FAST_COPY_BLT" fixed(10, 8) [] {
        0[14:13] "Destination Tiling" uint;
        0[21:20] "Source Tiling" uint;
        1[15:0] "Destination Pitch" int;
        1[26:24] "Color Depth" uint;
        1[30] "Source Tile Yf" bool;
        1[31] "Destination Tile Yf" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[15:0] "Source Left" int;
        6[31:16] "Source Top" int;
        7[15:0] "Source Pitch" int;
        8[63:0] "Source Base Address" address;
    }
    0x43 "SRC_COPY_BLT" fixed(8, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Width" uint;
        2[31:16] "Height" uint;
        3[63:0] "Destination Address" address;
        5[15:0] "Source Pitch" int;
        6[63:0] "Source Address" address;
    }
    0x50 "XY_COLOR_BLT" fixed(7, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[31:0] "Color" uint;
    }
    0x51 "XY_PAT_BLT" fixed(8, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[63:0] "Pattern Base Address" address;
    }
    0x52 "XY_MONO_PAT_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[31:0] "Background Color" uint;
        7[31:0] "Foreground Color" uint;
        8[63:0] "Pattern" uint;
    }
    0x53 "XY_SRC_COPY_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[15] "Source Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[15:0] "Source Left" int;
        6[31:16] "Source Top" int;
        7[15:0] "Source Pitch" int;
        8[63:0] "Source Base Address" address;
    }
    0x54 "XY_MONO_SRC_COPY_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[19:17] "Mono Source Start Bit" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[29] "Mono Source Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[63:0] "Source Address" address;
        8[31:0] "Background Color" uint;
        9[31:0] "Foreground Color" uint;
    }
    0x55 "XY_FULL_BLT" fixed(12, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[15] "Source Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[15:0] "Source Left" int;
        6[31:16] "Source Top" int;
        7[15:0] "Source Pitch" int;
        8[63:0] "Source Base Address" address;
        10[63:0] "Pattern Base Address" address;
    }
    0x56 "XY_FULL_MONO_SRC_BLT" fixed(12, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        0[19:17] "Mono Source Start Bit" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[29] "Mono Source Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[63:0] "Source Address" address;
        8[31:0] "Background Color" uint;
        9[31:0] "Foreground Color" uint;
        10[63:0] "Pattern Base Address" address;
    }
    0x57 "XY_FULL_MONO_PATTERN_BLT" fixed(14, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[15] "Source Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[15:0] "Source Left" int;
        6[31:16] "Source Top" int;
        7[15:0] "Source Pitch" int;
        8[63:0] "Source Base Address" address;
        10[31:0] "Background Color" uint;
        11[31:0] "Foreground Color" uint;
        12[63:0] "Pattern" uint;
    }
    0x58 "XY_FULL_MONO_PATTERN_MONO_SRC_BLT" fixed(14, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        0[19:17] "Mono Source Start Bit" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        1[29] "Mono Source Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[63:0] "Source Address" address;
        8[31:0] "Source Background Color" uint;
        9[31:0] "Source Foreground Color" uint;
        10[31:0] "Pattern Background Color" uint;
        11[31:0] "Pattern Foreground Color" uint;
        12[63:0] "Pattern" uint;
    }
    0x59 "XY_MONO_PAT_FIXED_BLT" fixed(8, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        1[28] "Mono Pattern Transparency" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[31:0] "Background Color" uint;
        7[31:0] "Foreground Color" uint;
    }
    0x71 "XY_MONO_SRC_COPY_IMMEDIATE_BLT" counted(8.., 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
    }
    0x72 "XY_PAT_BLT_IMMEDIATE" counted(6.., 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
    }
    0x73 "XY_SRC_COPY_CHROMA_BLT" fixed(12, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[15] "Source Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[15:0] "Source Left" int;
        6[31:16] "Source Top" int;
        7[15:0] "Source Pitch" int;
        8[63:0] "Source Base Address" address;
        10[31:0] "Transparency Color Low" uint;
        11[31:0] "Transparency Color High" uint;
    }
    0x74 "XY_FULL_IMMEDIATE_PATTERN_BLT" counted(10.., 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
    }
    0x75 "XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT" counted(10.., 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
    }
    0x76 "XY_PAT_CHROMA_BLT" fixed(10, 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        0[10:8] "Pattern Vertical Seed" uint;
        0[14:12] "Pattern Horizontal Seed" uint;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
        6[63:0] "Pattern Base Address" address;
        8[31:0] "Transparency Color Low" uint;
        9[31:0] "Transparency Color High" uint;
    }
    0x77 "XY_PAT_CHROMA_BLT_IMMEDIATE" counted(8.., 8) [] {
        0[20] "Write Alpha" bool;
        0[21] "Write RGB" bool;
        0[11] "Destination Tiled" bool;
        1[15:0] "Destination Pitch" int;
        1[23:16] "Raster Operation" uint;
        1[25:24] "Color Depth" uint;
        1[30] "Clipping Enabled" bool;
        2[15:0] "Left" int;
        2[31:16] "Top" int;
        3[15:0] "Right" int;
        3[31:16] "Bottom" int;
        4[63:0] "Destination Base Address" address;
    }
}
