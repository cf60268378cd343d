//! The video enhancement engine: deinterlacing, denoising, colour correction.
//!
//! Source: SKL PRM vol 2a (VEBOX commands).

use crate::command::Engines;
use crate::command::grammar::commands;

commands! {
    VEBOX: PIPELINE for Engines::VIDEO_ENHANCE;

    0x7400 "VEBOX_SURFACE_STATE" counted(2..=9, 12) [] {
        1[0] "Surface Identification" uint;
        2[17:4] "Width" uint;
        2[31:18] "Height" uint;
        3[0] "Tile Walk" uint;
        3[1] "Tiled Surface" bool;
        3[19:3] "Surface Pitch" uint;
        3[31:27] "Surface Format" uint;
    }
    0x7401 "VEBOX_TILING_CONVERT" counted(2..=5, 12) [] {
        1[63:12] "Input Address" address;
        3[63:12] "Output Address" address;
    }
    0x7402 "VEBOX_STATE" counted(2..=19, 12) [] {
        2[63:12] "Denoise and Deinterlace State Address" address;
        4[63:12] "IECP State Address" address;
        6[63:12] "Gamut State Address" address;
        8[63:12] "Vertex Table State Address" address;
        10[63:12] "Capture Pipe State Address" address;
    }
    0x7403 "VEB_DI_IECP" counted(2..=21, 12) [] {
        1[13:0] "Ending X" uint;
        1[29:16] "Starting X" uint;
        2[63:12] "Current Frame Input Address" address;
        4[63:12] "Previous Frame Input Address" address;
        6[63:12] "Statistics and Motion Input Address" address;
        8[63:12] "Current Frame Output Address" address;
        10[63:12] "Previous Frame Output Address" address;
        12[63:12] "Statistics and Motion Output Address" address;
        14[63:12] "Statistics Output Address" address;
    }
}
