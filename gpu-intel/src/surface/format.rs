//! Surface formats: one table, in which a format's name says how its texels lie.

use std::fmt;

/// How the bits of a channel become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0..=1.
    Unorm,
    /// -1..=1.
    Snorm,
    /// 32 or 16 bits, or 11 or 10 without a sign; 64 in vertex buffers.
    Float,
    /// An integer, as it is.
    Uint,
    /// An integer, as it is.
    Sint,
    /// An integer, as a float.
    Uscaled,
    /// An integer, as a float.
    Sscaled,
    /// Signed, 16 bits of it behind the point.
    Sfixed,
    /// 64 bits that pass the vertex fetch as two dwords.
    Passthru,
}

/// Where a channel lies in a texel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What its bits mean.
    pub kind: Kind,
    /// Its lowest bit.
    pub shift: u8,
    /// How many bits it has.
    pub bits: u8,
}

/// How texels are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Each by itself, of up to four channels.
    Channels,
    /// Each by itself: three mantissas of 9 bits and an exponent.
    SharedExponent,
    /// In blocks of 4x4.
    Block(Block),
    /// Bytes.
    Raw,
}

/// The compressions.
#[allow(missing_docs, reason = "their names are all there is to say")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    Bc1 { alpha: bool },
    Bc2,
    Bc3,
    Bc4 { signed: bool },
    Bc5 { signed: bool },
    Bc6h { signed: bool },
    Bc7,
    Etc1,
    Etc2,
    Etc2PunchThrough,
    Etc2Eac,
    EacR11 { signed: bool },
    EacRg11 { signed: bool },
}

/// Formats that most texels have: those with code of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Common {
    /// Four bytes, red or blue first; without alpha it reads as one.
    Unorm8x4 {
        blue_first: bool,
        srgb: bool,
        alpha: bool,
    },
    R8Unorm,
    R32Float,
    Rgba32Float,
    No,
}

/// A surface format.
#[derive(PartialEq, Eq)]
pub struct Format {
    /// As in RENDER_SURFACE_STATE and VERTEX_ELEMENT_STATE.
    pub code: u16,
    /// As in the PRM.
    pub name: &'static str,
    /// Bits of an element: a texel, or a block of a compressed format.
    pub bits: u16,
    /// Red, green and blue are stored as sRGB.
    pub srgb: bool,
    /// Red, green, blue, alpha.
    pub channels: [Option<Channel>; 4],
    /// How texels are put together.
    pub packing: Packing,
    pub(super) common: Common,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Format {
    /// The format that hardware knows by `code`.
    #[must_use]
    pub fn of(code: u32) -> Option<&'static Self> {
        let row = *ROW.get(code as usize)?;
        FORMATS.get(usize::from(row))
    }

    /// Bytes of an element.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        u32::from(self.bits) / 8
    }

    /// Width and height of an element in texels.
    #[must_use]
    pub fn block(&self) -> u32 {
        if matches!(self.packing, Packing::Block(_)) { 4 } else { 1 }
    }

    /// Whether its channels are integers, which aren't filtered, blended or converted.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.channels
            .iter()
            .flatten()
            .any(|channel| matches!(channel.kind, Kind::Uint | Kind::Sint))
    }

    /// Whether its numbers end at one, so that what is compared with them does.
    #[must_use]
    pub fn is_unorm(&self) -> bool {
        self.channels.iter().flatten().any(|channel| channel.kind == Kind::Unorm)
    }

    /// The format that means the same texels, without the conversion from sRGB.
    #[must_use]
    pub fn linear(&'static self) -> &'static Self {
        if !self.srgb {
            return self;
        }
        let same = |other: &&Self| {
            !other.srgb && other.channels == self.channels && other.packing == self.packing
        };
        FORMATS.iter().find(same).unwrap_or(self)
    }
}

macro_rules! formats {
    ($($code:literal $name:ident,)*) => {
        const COUNT: usize = [$($code),*].len();
        /// Every format.
        pub static FORMATS: [Format; COUNT] = [$(named($code, stringify!($name))),*];
    };
}

// Source: SKL PRM vol 2d, SURFACE_FORMAT.
formats! {
    0 R32G32B32A32_FLOAT, 1 R32G32B32A32_SINT, 2 R32G32B32A32_UINT, 3 R32G32B32A32_UNORM,
    4 R32G32B32A32_SNORM, 5 R64G64_FLOAT, 6 R32G32B32X32_FLOAT, 7 R32G32B32A32_SSCALED,
    8 R32G32B32A32_USCALED, 32 R32G32B32A32_SFIXED, 33 R64G64_PASSTHRU,

    64 R32G32B32_FLOAT, 65 R32G32B32_SINT, 66 R32G32B32_UINT, 67 R32G32B32_UNORM,
    68 R32G32B32_SNORM, 69 R32G32B32_SSCALED, 70 R32G32B32_USCALED, 80 R32G32B32_SFIXED,

    128 R16G16B16A16_UNORM, 129 R16G16B16A16_SNORM, 130 R16G16B16A16_SINT, 131 R16G16B16A16_UINT,
    132 R16G16B16A16_FLOAT, 133 R32G32_FLOAT, 134 R32G32_SINT, 135 R32G32_UINT,
    136 R32_FLOAT_X8X24_TYPELESS, 137 X32_TYPELESS_G8X24_UINT, 139 R32G32_UNORM, 140 R32G32_SNORM,
    141 R64_FLOAT, 142 R16G16B16X16_UNORM, 143 R16G16B16X16_FLOAT, 147 R16G16B16A16_SSCALED,
    148 R16G16B16A16_USCALED, 149 R32G32_SSCALED, 150 R32G32_USCALED, 160 R32G32_SFIXED,
    161 R64_PASSTHRU,

    192 B8G8R8A8_UNORM, 193 B8G8R8A8_UNORM_SRGB, 194 R10G10B10A2_UNORM, 195 R10G10B10A2_UNORM_SRGB,
    196 R10G10B10A2_UINT, 197 R10G10B10_SNORM_A2_UNORM, 199 R8G8B8A8_UNORM,
    200 R8G8B8A8_UNORM_SRGB, 201 R8G8B8A8_SNORM, 202 R8G8B8A8_SINT, 203 R8G8B8A8_UINT,
    204 R16G16_UNORM, 205 R16G16_SNORM, 206 R16G16_SINT, 207 R16G16_UINT, 208 R16G16_FLOAT,
    209 B10G10R10A2_UNORM, 210 B10G10R10A2_UNORM_SRGB, 211 R11G11B10_FLOAT,
    213 R10G10B10_FLOAT_A2_UNORM, 214 R32_SINT, 215 R32_UINT, 216 R32_FLOAT,
    217 R24_UNORM_X8_TYPELESS, 218 X24_TYPELESS_G8_UINT, 223 L16A16_UNORM, 227 I32_FLOAT,
    228 L32_FLOAT, 229 A32_FLOAT, 233 B8G8R8X8_UNORM, 234 B8G8R8X8_UNORM_SRGB, 235 R8G8B8X8_UNORM,
    236 R8G8B8X8_UNORM_SRGB, 237 R9G9B9E5_SHAREDEXP, 238 B10G10R10X2_UNORM, 241 R32_UNORM,
    242 R32_SNORM, 243 R10G10B10X2_USCALED, 244 R8G8B8A8_SSCALED, 245 R8G8B8A8_USCALED,
    246 R16G16_SSCALED, 247 R16G16_USCALED, 248 R32_SSCALED, 249 R32_USCALED,

    256 B5G6R5_UNORM, 257 B5G6R5_UNORM_SRGB, 258 B5G5R5A1_UNORM, 259 B5G5R5A1_UNORM_SRGB,
    260 B4G4R4A4_UNORM, 261 B4G4R4A4_UNORM_SRGB, 262 R8G8_UNORM, 263 R8G8_SNORM, 264 R8G8_SINT,
    265 R8G8_UINT, 266 R16_UNORM, 267 R16_SNORM, 268 R16_SINT, 269 R16_UINT, 270 R16_FLOAT,
    273 I16_UNORM, 274 L16_UNORM, 275 A16_UNORM, 276 L8A8_UNORM, 277 I16_FLOAT, 278 L16_FLOAT,
    279 A16_FLOAT, 280 L8A8_UNORM_SRGB, 282 B5G5R5X1_UNORM, 283 B5G5R5X1_UNORM_SRGB,
    284 R8G8_SSCALED, 285 R8G8_USCALED, 286 R16_SSCALED, 287 R16_USCALED, 292 A1B5G5R5_UNORM,
    293 A4B4G4R4_UNORM,

    320 R8_UNORM, 321 R8_SNORM, 322 R8_SINT, 323 R8_UINT, 324 A8_UNORM, 325 I8_UNORM, 326 L8_UNORM,
    329 R8_SSCALED, 330 R8_USCALED, 332 L8_UNORM_SRGB,

    384 DXT1_RGB_SRGB, 390 BC1_UNORM, 391 BC2_UNORM, 392 BC3_UNORM, 393 BC4_UNORM, 394 BC5_UNORM,
    395 BC1_UNORM_SRGB, 396 BC2_UNORM_SRGB, 397 BC3_UNORM_SRGB, 401 DXT1_RGB, 409 BC4_SNORM,
    410 BC5_SNORM, 417 BC6H_SF16, 418 BC7_UNORM, 419 BC7_UNORM_SRGB, 420 BC6H_UF16, 425 ETC1_RGB8,
    426 ETC2_RGB8, 427 EAC_R11, 428 EAC_RG11, 429 EAC_SIGNED_R11, 430 EAC_SIGNED_RG11,
    431 ETC2_SRGB8, 448 ETC2_RGB8_PTA, 449 ETC2_SRGB8_PTA, 450 ETC2_EAC_RGBA8,
    451 ETC2_EAC_SRGB8_A8,

    403 R8G8B8_UNORM, 404 R8G8B8_SNORM, 405 R8G8B8_SSCALED, 406 R8G8B8_USCALED,
    407 R64G64B64A64_FLOAT, 411 R16G16B16_FLOAT, 412 R16G16B16_UNORM, 413 R16G16B16_SNORM,
    414 R16G16B16_SSCALED, 415 R16G16B16_USCALED, 424 R8G8B8_UNORM_SRGB, 432 R16G16B16_UINT,
    433 R16G16B16_SINT, 434 R32_SFIXED, 435 R10G10B10A2_SNORM, 436 R10G10B10A2_USCALED,
    437 R10G10B10A2_SSCALED, 438 R10G10B10A2_SINT, 439 B10G10R10A2_SNORM, 440 B10G10R10A2_USCALED,
    441 B10G10R10A2_SSCALED, 442 B10G10R10A2_UINT, 443 B10G10R10A2_SINT, 444 R64G64B64A64_PASSTHRU,
    445 R64G64B64_PASSTHRU, 456 R8G8B8_UINT, 457 R8G8B8_SINT,

    511 RAW,
}

const NO_ROW: u8 = u8::MAX;
/// Where a code stands in the table.
static ROW: [u8; 512] = {
    assert!(COUNT < NO_ROW as usize);
    let mut rows = [NO_ROW; 512];
    let mut at = 0;
    while at < COUNT {
        rows[FORMATS[at].code as usize] = at as u8;
        at += 1;
    }
    rows
};

/// A format as its name describes it.
const fn named(code: u16, name: &'static str) -> Format {
    let text = name.as_bytes();
    let srgb = contains(text, b"SRGB");
    let none = [None; 4];
    let (packing, bits, channels) = match block(text) {
        Some((block, bits)) => (Packing::Block(block), bits, none),
        None if starts(text, b"RAW") => (Packing::Raw, 8, none),
        None if starts(text, b"R9G9B9E5") => (Packing::SharedExponent, 32, none),
        None => {
            let (channels, bits) = channels(text);
            (Packing::Channels, bits, channels)
        }
    };
    let alpha = channels[3].is_some();
    let blue_first = starts(text, b"B");
    let common =
        if starts(text, b"B8G8R8") || starts(text, b"R8G8B8A8_U") || code == 235 || code == 236 {
            if contains(text, b"UNORM") {
                Common::Unorm8x4 { blue_first, srgb, alpha }
            } else {
                Common::No
            }
        } else {
            match code {
                0 => Common::Rgba32Float,
                216 => Common::R32Float,
                320 => Common::R8Unorm,
                _ => Common::No,
            }
        };
    Format { code, name, bits, srgb, channels, packing, common }
}

/// Channels as `R8G8_UNORM_X16_TYPELESS` lists them, the lowest bits first: L is red, green and blue, I all four, X
/// none, and the word after them says what they are.
const fn channels(name: &[u8]) -> ([Option<Channel>; 4], u16) {
    let mut channels: [Option<Channel>; 4] = [None; 4];
    let mut shift = 0;
    let mut at = 0;
    while at < name.len() {
        let first_bit = shift;
        let mut group = [(0_u8, 0_u8, 0_u8); 4];
        let mut count = 0;
        while at < name.len() && name[at] != b'_' {
            let letter = name[at];
            at += 1;
            let mut bits = 0;
            while at < name.len() && name[at].is_ascii_digit() {
                bits = 10 * bits + (name[at] - b'0');
                at += 1;
            }
            assert!(bits > 0, "a channel without bits");
            group[count] = (letter, shift as u8, bits);
            count += 1;
            shift += bits as u16;
        }
        at += 1;
        let (kind, length) = kind(name, at);
        at += length + 1;
        if starts_at(name, at, b"SRGB") {
            at += 5;
        }
        let Some(kind) = kind else { continue };
        assert!(first_bit < shift);
        let mut each = 0;
        while each < count {
            let (letter, shift, bits) = group[each];
            let channel = Some(Channel { kind, shift, bits });
            match letter {
                b'R' => channels[0] = channel,
                b'G' => channels[1] = channel,
                b'B' => channels[2] = channel,
                b'A' => channels[3] = channel,
                b'L' => channels = [channel, channel, channel, channels[3]],
                b'I' => channels = [channel; 4],
                _ => assert!(letter == b'X', "a channel of no colour"),
            }
            each += 1;
        }
    }
    (channels, shift)
}

/// What the word at `at` means, if it isn't TYPELESS, and how long it is.
const fn kind(name: &[u8], at: usize) -> (Option<Kind>, usize) {
    const KINDS: [(&[u8], Option<Kind>); 10] = [
        (b"UNORM", Some(Kind::Unorm)),
        (b"SNORM", Some(Kind::Snorm)),
        (b"FLOAT", Some(Kind::Float)),
        (b"UINT", Some(Kind::Uint)),
        (b"SINT", Some(Kind::Sint)),
        (b"USCALED", Some(Kind::Uscaled)),
        (b"SSCALED", Some(Kind::Sscaled)),
        (b"SFIXED", Some(Kind::Sfixed)),
        (b"PASSTHRU", Some(Kind::Passthru)),
        (b"TYPELESS", None),
    ];
    let mut each = 0;
    while each < KINDS.len() {
        let (word, kind) = KINDS[each];
        if starts_at(name, at, word) {
            return (kind, word.len());
        }
        each += 1;
    }
    assert!(each < KINDS.len(), "a format of no kind");
    (None, 0)
}

/// The compression that a name begins with, and the bits of a block.
const fn block(name: &[u8]) -> Option<(Block, u16)> {
    const BLOCKS: [(&[u8], Block, u16); 19] = [
        (b"DXT1_RGB", Block::Bc1 { alpha: false }, 64),
        (b"BC1", Block::Bc1 { alpha: true }, 64),
        (b"BC2", Block::Bc2, 128),
        (b"BC3", Block::Bc3, 128),
        (b"BC4_U", Block::Bc4 { signed: false }, 64),
        (b"BC4_S", Block::Bc4 { signed: true }, 64),
        (b"BC5_U", Block::Bc5 { signed: false }, 128),
        (b"BC5_S", Block::Bc5 { signed: true }, 128),
        (b"BC6H_S", Block::Bc6h { signed: true }, 128),
        (b"BC6H_U", Block::Bc6h { signed: false }, 128),
        (b"BC7", Block::Bc7, 128),
        (b"ETC1", Block::Etc1, 64),
        (b"ETC2_EAC", Block::Etc2Eac, 128),
        (b"EAC_R11", Block::EacR11 { signed: false }, 64),
        (b"EAC_SIGNED_R11", Block::EacR11 { signed: true }, 64),
        (b"EAC_RG11", Block::EacRg11 { signed: false }, 128),
        (b"EAC_SIGNED_RG11", Block::EacRg11 { signed: true }, 128),
        (b"ETC2_RGB8", Block::Etc2, 64),
        (b"ETC2_SRGB8", Block::Etc2, 64),
    ];
    if starts(name, b"ETC2") && contains(name, b"_PTA") {
        return Some((Block::Etc2PunchThrough, 64));
    }
    let mut each = 0;
    while each < BLOCKS.len() {
        let (word, block, bits) = BLOCKS[each];
        if starts(name, word) {
            return Some((block, bits));
        }
        each += 1;
    }
    None
}

const fn starts(text: &[u8], word: &[u8]) -> bool {
    starts_at(text, 0, word)
}

const fn contains(text: &[u8], word: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if starts_at(text, at, word) {
            return true;
        }
        at += 1;
    }
    false
}

const fn starts_at(text: &[u8], at: usize, word: &[u8]) -> bool {
    if at + word.len() > text.len() {
        return false;
    }
    let mut each = 0;
    while each < word.len() {
        if text[at + each] != word[each] {
            return false;
        }
        each += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(kind: Kind, shift: u8, bits: u8) -> Option<Channel> {
        Some(Channel { kind, shift, bits })
    }

    #[test]
    fn names_say_where_channels_lie() {
        let of = |code| Format::of(code).unwrap();
        let bgra = of(193);
        assert_eq!((bgra.bits, bgra.srgb, bgra.name), (32, true, "B8G8R8A8_UNORM_SRGB"));
        assert_eq!(bgra.channels[0], channel(Kind::Unorm, 16, 8));
        assert_eq!(bgra.channels[2], channel(Kind::Unorm, 0, 8));
        assert_eq!(bgra.linear().code, 192);
        let mixed = of(197);
        assert_eq!(mixed.channels[1], channel(Kind::Snorm, 10, 10));
        assert_eq!(mixed.channels[3], channel(Kind::Unorm, 30, 2));
        let stencil = of(137);
        assert_eq!(stencil.bits, 64);
        assert_eq!(stencil.channels, [None, channel(Kind::Uint, 32, 8), None, None]);
        let depth = of(217);
        assert_eq!(depth.channels, [channel(Kind::Unorm, 0, 24), None, None, None]);
        assert_eq!(of(273).channels, [channel(Kind::Unorm, 0, 16); 4]);
        assert_eq!(of(276).channels[1], channel(Kind::Unorm, 0, 8));
        assert_eq!(of(293).channels[3], channel(Kind::Unorm, 0, 4));
        assert_eq!((of(418).block(), of(418).bytes()), (4, 16));
        assert_eq!(of(449).packing, Packing::Block(Block::Etc2PunchThrough));
        assert!(of(449).srgb);
        assert!(Format::of(510).is_none() && Format::of(512).is_none());
    }

    #[test]
    fn every_format_has_whole_bytes_and_channels_within_words() {
        for format in &FORMATS {
            assert!(format.bits % 8 == 0 && format.bits <= 256, "{format:?}");
            for channel in format.channels.iter().flatten() {
                let last = channel.shift + (channel.bits - 1);
                assert_eq!(channel.shift / 64, last / 64, "{format:?}");
                assert!(u16::from(last) < format.bits, "{format:?}");
            }
        }
    }
}
