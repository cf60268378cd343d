//! What a message's descriptor says to a shared function, as text: names as Mesa's disassembler has them.

use std::fmt::{self, Formatter};

use super::message::SharedFunction;

/// A shared function's name.
pub(super) fn name(function: SharedFunction) -> &'static str {
    match function {
        SharedFunction::Null => "null",
        SharedFunction::Sampler => "sampler",
        SharedFunction::Gateway => "gateway",
        SharedFunction::SamplerDataPort => "dp_sampler",
        SharedFunction::RenderTarget => "render",
        SharedFunction::Urb => "urb",
        SharedFunction::ThreadSpawner => "thread_spawner",
        SharedFunction::ConstantDataPort => "const",
        SharedFunction::DataPort0 => "data",
        SharedFunction::PixelInterpolator => "pixel interp",
        SharedFunction::DataPort1 => "dp data 1",
        SharedFunction::Other(13) => "cre",
        SharedFunction::Other(_) => "reserved",
    }
}

/// A message's type by its number; names as Mesa has them.
type Names = &'static [(u32, &'static str)];

fn entry(names: Names, number: u32) -> &'static str {
    names.iter().find(|(n, _)| *n == number).map_or("reserved", |(_, name)| name)
}

const SAMPLER: Names = &[
    (0, "sample"),
    (1, "sample_b"),
    (2, "sample_l"),
    (3, "sample_c"),
    (4, "sample_d"),
    (5, "sample_b_c"),
    (6, "sample_l_c"),
    (7, "ld"),
    (8, "gather4"),
    (9, "lod"),
    (10, "resinfo"),
    (11, "sampleinfo"),
    (16, "gather4_c"),
    (17, "gather4_po"),
    (18, "gather4_po_c"),
    (20, "sample_d_c"),
    (24, "sample_lz"),
    (25, "sample_c_lz"),
    (26, "ld_lz"),
    (28, "ld2dms_w"),
    (29, "ld_mcs"),
    (30, "ld2dms"),
    (31, "ld2dss"),
];

const RENDER_TARGET_WRITE: u32 = 12;

const RENDER_TARGET: Names = &[(RENDER_TARGET_WRITE, "RT write"), (13, "RT read")];

const RENDER_TARGET_WRITES: Names = &[
    (0, "SIMD16"),
    (1, "SIMD16/RepData"),
    (2, "SIMD8/DualSrcLow"),
    (3, "SIMD8/DualSrcHigh"),
    (4, "SIMD8"),
    (5, "SIMD8/ImageWrite"),
    (7, "SIMD16/RepData-111"),
];

const URB: Names = &[
    (4, "atomic mov"),
    (5, "atomic inc"),
    (6, "atomic add"),
    (7, "SIMD8 write"),
    (8, "SIMD8 read"),
];

const DATA_PORT_0: Names = &[
    (0, "DC OWORD block read"),
    (1, "DC unaligned OWORD block read"),
    (2, "DC OWORD dual block read"),
    (3, "DC DWORD scattered read"),
    (4, "DC byte scattered read"),
    (5, "DC untyped surface read"),
    (6, "DC untyped atomic"),
    (7, "DC mfence"),
    (8, "DC OWORD block write"),
    (10, "DC OWORD dual block write"),
    (11, "DC DWORD scatterd write"),
    (12, "DC byte scattered write"),
    (13, "DC untyped surface write"),
];

const DATA_PORT_1: Names = &[
    (1, "untyped surface read"),
    (2, "DC untyped atomic op"),
    (3, "DC untyped 4x2 atomic op"),
    (4, "DC media block read"),
    (5, "DC typed surface read"),
    (6, "DC typed atomic"),
    (7, "DC typed 4x2 atomic op"),
    (9, "DC untyped surface write"),
    (10, "DC media block write"),
    (11, "DC atomic counter op"),
    (12, "DC 4x2 atomic counter op"),
    (13, "DC typed surface write"),
    (16, "DC A64 scattered read"),
    (17, "DC A64 untyped surface read"),
    (18, "DC A64 untyped atomic op"),
    (20, "DC A64 oword block read"),
    (21, "DC A64 oword block write"),
    (25, "DC A64 untyped surface write"),
    (26, "DC A64 scattered write"),
    (27, "DC untyped atomic float op"),
    (29, "DC A64 untyped atomic float op"),
];

const BLOCKS: Names = &[(0, "1-low"), (1, "1-high"), (2, "2"), (3, "4"), (4, "8")];

const ATOMIC: Names = &[
    (1, "and"),
    (2, "or"),
    (3, "xor"),
    (4, "mov"),
    (5, "inc"),
    (6, "dec"),
    (7, "add"),
    (8, "sub"),
    (9, "revsub"),
    (10, "imax"),
    (11, "imin"),
    (12, "umax"),
    (13, "umin"),
    (14, "cmpwr"),
    (15, "predec"),
];

const ATOMIC_FLOAT: Names = &[(1, "fmax"), (2, "fmin"), (3, "fcmpwr"), (4, "fadd")];

const GATEWAY: Names = &[
    (0, "open"),
    (1, "close"),
    (2, "forward msg"),
    (3, "get timestamp"),
    (4, "barrier msg"),
    (5, "update state"),
    (6, "mmio read/write"),
];

const INTERPOLATOR: Names =
    &[(0, "per_message_offset"), (1, "sample_position"), (2, "centroid"), (3, "per_slot_offset")];

/// What a descriptor says to a shared function. Source: SKL PRM vol 7, "shared functions".
pub(super) fn meaning(
    f: &mut Formatter<'_>,
    function: SharedFunction,
    descriptor: u32,
) -> fmt::Result {
    let bits = |high: u32, low: u32| descriptor >> low & (u32::MAX >> (31 - (high - low)));
    let surface = bits(7, 0);
    match function {
        SharedFunction::Sampler => {
            let width = ["SIMD4x2", "SIMD8", "SIMD16", "SIMD32/64"][bits(18, 17) as usize];
            write!(f, " {} {width}", entry(SAMPLER, bits(16, 12)))?;
            if bits(30, 30) != 0 {
                f.write_str(" HP")?;
            }
            write!(f, " Surface = {surface} Sampler = {}", bits(11, 8))
        }
        SharedFunction::SamplerDataPort | SharedFunction::ConstantDataPort => {
            let (control, kind) = (bits(13, 8), bits(18, 14));
            write!(f, " (bti {surface}, msg_ctrl {control}, msg_type {kind})")
        }
        SharedFunction::RenderTarget => {
            let kind = bits(17, 14);
            write!(f, " {}", entry(RENDER_TARGET, kind))?;
            if kind == RENDER_TARGET_WRITE {
                write!(f, " {}", entry(RENDER_TARGET_WRITES, bits(10, 8)))?;
                f.write_str(if bits(11, 11) != 0 { " Hi" } else { "" })?;
                f.write_str(if bits(12, 12) != 0 { " LastRT" } else { "" })?;
            } else {
                write!(f, " MsgCtrl = 0x{}", bits(13, 8))?;
            }
            write!(f, " Surface = {surface}")
        }
        SharedFunction::Urb => {
            let kind = bits(3, 0);
            write!(f, " offset {} {}", bits(14, 4), entry(URB, kind))?;
            if bits(17, 17) != 0 {
                f.write_str(" per-slot")?;
            }
            match kind {
                7 | 8 if bits(15, 15) != 0 => f.write_str(" masked"),
                _ => Ok(()),
            }
        }
        SharedFunction::ThreadSpawner => Ok(()),
        SharedFunction::Gateway => write!(f, " ({})", entry(GATEWAY, bits(2, 0))),
        SharedFunction::DataPort0 => {
            let (control, kind) = (bits(13, 8), bits(18, 14));
            write!(f, " ({}, bti {surface}, ", entry(DATA_PORT_0, kind))?;
            match kind {
                6 => write!(f, "{})", entry(ATOMIC, control & 0xf)),
                0 | 8 => blocks(f, control),
                _ => write!(f, "{control})"),
            }
        }
        SharedFunction::DataPort1 => {
            let (control, kind) = (bits(13, 8), bits(18, 14));
            write!(f, " ({}, Surface = {surface}, ", entry(DATA_PORT_1, kind))?;
            let width = if control & 1 << 4 != 0 { 8 } else { 16 };
            match kind {
                2 | 6 | 11 => write!(f, "SIMD{width}, {})", entry(ATOMIC, control & 0xf)),
                3 | 7 | 12 | 18 => write!(f, "{})", entry(ATOMIC, control & 0xf)),
                1 | 5 | 9 | 13 | 17 | 25 => {
                    let width = ["4x2", "16", "8", "reserved"][(control >> 4) as usize & 3];
                    write!(f, "SIMD{width}, Mask = {:#x})", control & 0xf)
                }
                27 | 29 => write!(f, "SIMD{width}, {})", entry(ATOMIC_FLOAT, control & 0xf)),
                20 | 21 => blocks(f, control),
                _ => write!(f, "{control:#x})"),
            }
        }
        SharedFunction::PixelInterpolator => {
            let kind = if bits(14, 14) != 0 { "linear" } else { "persp" };
            let (how, data) = (entry(INTERPOLATOR, bits(13, 12)), bits(7, 0));
            write!(f, " ({kind}, {how}, {data:#04x})")
        }
        SharedFunction::Null | SharedFunction::Other(_) => {
            f.write_str("unsupported shared function ID")
        }
    }
}

fn blocks(f: &mut Formatter<'_>, control: u32) -> fmt::Result {
    write!(f, "owords = {}, aligned = {})", entry(BLOCKS, control & 7), control >> 3 & 3)
}
