//! What a shader's resources are, as RENDER_SURFACE_STATE and SAMPLER_STATE describe them.
//!
//! Source: SKL PRM vol 2d.

use thiserror::Error;

use super::auxiliary::Marks;
use super::format::{Format, Packing};
use super::layout::{Geometry, Layout, MAX_LOG2_SAMPLES, Samples, Shape, Tiling};
use super::standard::Standard;
use super::texel::LARGEST_ELEMENT;
use crate::command::streamer::Fault;

/// Dwords of a RENDER_SURFACE_STATE.
pub const SURFACE_DWORDS: usize = 16;
/// Dwords of a SAMPLER_STATE.
pub const SAMPLER_DWORDS: usize = 4;

/// Why a state describes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// A number that isn't a format's, or one that isn't known.
    #[error("no surface format {0}")]
    Format(u32),
    /// SURFTYPE 6.
    #[error("no surface type {0}")]
    Kind(u32),
    /// More than 16.
    #[error("2^{0} samples")]
    Samples(u32),
    /// A row of tiles that isn't whole.
    #[error("a pitch of {pitch} bytes for {tiling:?} tiles")]
    Pitch {
        /// Bytes.
        pitch: u32,
        /// The tiling.
        tiling: Tiling,
    },
    /// A format whose elements don't fit in the tiles.
    #[error("{format} in {tiling:?} tiles")]
    Tiling {
        /// Its name.
        format: &'static str,
        /// The tiling.
        tiling: Tiling,
    },
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::new("surface/state", error.to_string())
    }
}

/// Bits `high..=low` of a dword.
fn field(dword: u32, high: u32, low: u32) -> u32 {
    dword >> low & (u32::MAX >> (31 - (high - low)))
}

fn flag(dword: u32, bit: u32) -> bool {
    dword >> bit & 1 != 0
}

/// SURFTYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurfaceKind {
    /// 1D.
    Line,
    /// 2D.
    Plane,
    /// 3D.
    Volume,
    /// Six faces: +X, -X, +Y, -Y, +Z, -Z.
    Cube,
    /// Elements of a format, or bytes.
    Buffer,
    /// Elements of any size.
    StructuredBuffer,
    /// Reads as 0, and writes are dropped.
    Null,
}

/// What lies beside a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auxiliary {
    /// Nothing.
    None,
    /// Which samples are stored at all (with one sample: which blocks are clear).
    Mcs,
    /// Depth by blocks.
    Hiz,
    /// Compressed colour.
    Ccs,
}

/// What a shader gets for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// 0.
    Zero,
    /// 1, or 1.0.
    One,
    /// A channel of the texel: 0..=3.
    Channel(u8),
}

impl Select {
    fn of(code: u32) -> Self {
        match code {
            1 => Self::One,
            4..=7 => Self::Channel(code as u8 - 4),
            _ => Self::Zero,
        }
    }
}

/// RENDER_SURFACE_STATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// What it is.
    pub kind: SurfaceKind,
    /// Of its elements.
    pub format: &'static Format,
    /// Whether shaders name a layer.
    pub array: bool,
    /// Texels of level 0. A buffer's are in [`Self::elements`].
    pub width: u32,
    /// Texels of level 0.
    pub height: u32,
    /// What a shader can reach: slices of a volume's level 0, else layers; a cube has six.
    pub depth: u32,
    /// Elements of a buffer; bytes, where the format is RAW.
    pub elements: u64,
    /// Bytes from one row, or element of a buffer, to the next.
    pub pitch: u32,
    /// The first byte.
    pub base: u64,
    /// The first layer that a shader can reach.
    pub first_layer: u32,
    /// Layers that can be rendered to.
    pub render_layers: u32,
    /// log2 of the samples of a pixel.
    pub log2_samples: u8,
    /// The first level that a shader can reach.
    pub first_level: u32,
    /// Levels that the sampler has, from [`Self::first_level`] on.
    pub levels: u32,
    /// The level that is rendered to.
    pub render_level: u32,
    /// What lies beside.
    pub auxiliary: Auxiliary,
    /// What a shader gets as red, green, blue and alpha.
    pub select: [Select; 4],
    /// No level below it is sampled, counted from [`Self::first_level`]: in levels.
    pub min_lod: f32,
    /// Which of its pixels are clear.
    pub marks: Option<Marks>,
    /// The colour of pixels that are clear: floats, or integers where the format has them.
    pub clear: [u32; 4],
    /// What a texel that is clear decodes to. As samplers see it the clear colour is what is stored, which with sRGB is not
    /// what is drawn.
    pub clear_texel: [u32; 4],
    /// Where texels lie; of a buffer it is empty.
    pub layout: Layout,
}

impl Surface {
    /// Decodes a state.
    ///
    /// # Errors
    /// [`StateError`] for one that can't be laid out. Reserved alignments and channels are taken as the nearest that
    /// mean something.
    pub fn decode(state: &[u32; SURFACE_DWORDS]) -> Result<Self, StateError> {
        let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, clear @ ..] = *state;
        let kind = match field(d0, 31, 29) {
            0 => SurfaceKind::Line,
            1 => SurfaceKind::Plane,
            2 => SurfaceKind::Volume,
            3 => SurfaceKind::Cube,
            4 => SurfaceKind::Buffer,
            5 => SurfaceKind::StructuredBuffer,
            7 => SurfaceKind::Null,
            other => return Err(StateError::Kind(other)),
        };
        let is_buffer = matches!(kind, SurfaceKind::Buffer | SurfaceKind::StructuredBuffer);
        let code = field(d0, 27, 18);
        let format = match Format::of(code) {
            Some(format) => format,
            None if kind == SurfaceKind::Null => Format::of(199).ok_or(StateError::Format(code))?,
            None => return Err(StateError::Format(code)),
        };
        let log2_samples = field(d4, 5, 3);
        if log2_samples > u32::from(MAX_LOG2_SAMPLES) {
            return Err(StateError::Samples(log2_samples));
        }
        let log2 = log2_samples as u8;
        let samples =
            if flag(d4, 6) { Samples::Interleaved { log2 } } else { Samples::Layers { log2 } };
        let shape = match kind {
            SurfaceKind::Line => Shape::Line,
            SurfaceKind::Volume => Shape::Volume,
            _ => Shape::Plane,
        };
        let standard =
            |large| Tiling::Standard(Standard::new(format.bytes(), shape == Shape::Volume, large));
        let tiling = match (field(d0, 13, 12), field(d5, 19, 18)) {
            _ if is_buffer || kind == SurfaceKind::Null => Tiling::Linear,
            (0, _) => Tiling::Linear,
            (1, _) => Tiling::W,
            (2, _) => Tiling::X,
            (_, 1) => standard(false),
            (_, 2) => standard(true),
            _ => Tiling::Y,
        };
        let pitch = field(d3, 17, 0) + 1;
        if !pitch.is_multiple_of(tiling.width()) {
            return Err(StateError::Pitch { pitch, tiling });
        }
        let fits = match tiling {
            Tiling::Linear => true,
            Tiling::W => format.bytes() == 1,
            Tiling::X | Tiling::Y | Tiling::Standard(_) => {
                format.bytes().is_power_of_two() && format.bytes() <= 16
            }
        };
        if !fits {
            return Err(StateError::Tiling { format: format.name, tiling });
        }

        let (width, height) = (field(d2, 13, 0) + 1, field(d2, 29, 16) + 1);
        let array = flag(d0, 28);
        let depth = match kind {
            SurfaceKind::Volume => field(d3, 31, 21) + 1,
            SurfaceKind::Cube => 6 * if array { field(d3, 31, 21) + 1 } else { 1 },
            _ if array => field(d3, 31, 21) + 1,
            _ => 1,
        };
        let elements = if is_buffer {
            let bits = field(d2, 6, 0) | field(d2, 29, 16) << 7 | field(d3, 31, 21) << 21;
            u64::from(bits) + 1
        } else {
            0
        };
        let align = |code| match code {
            2 => 8,
            3 => 16,
            _ => 4,
        };
        let base = u64::from(d8) | u64::from(d9) << 32;
        let layout = Layout::new(Geometry {
            base,
            pitch,
            tiling,
            bytes: format.bytes(),
            block: format.block(),
            halign: align(field(d0, 15, 14)),
            valign: align(field(d0, 17, 16)),
            qpitch: 4 * field(d1, 14, 0),
            shape,
            width,
            height: if shape == Shape::Line { 1 } else { height },
            depth,
            samples,
            offset: (4 * field(d5, 31, 25), 4 * field(d5, 23, 21)),
            tail: field(d5, 11, 8),
        });
        let auxiliary = match field(d6, 2, 0) {
            1 => Auxiliary::Mcs,
            3 => Auxiliary::Hiz,
            5 => Auxiliary::Ccs,
            _ => Auxiliary::None,
        };
        let at = u64::from(d10 & !0xfff) | u64::from(d11) << 32;
        let (aux_pitch, aux_qpitch) = (128 * (field(d6, 11, 3) + 1), 4 * field(d6, 30, 16));
        let marks = match auxiliary {
            Auxiliary::Mcs | Auxiliary::Ccs => {
                Marks::new(layout.geometry(), at, aux_pitch, aux_qpitch)
            }
            Auxiliary::Hiz if log2 == 0 => {
                Some(Marks::of_depth(layout.geometry(), at, aux_pitch, aux_qpitch))
            }
            _ => None,
        };
        let mut clear_texel = [0; 4];
        if marks.is_some() {
            let mut stored = [0; LARGEST_ELEMENT];
            format.linear().encode(clear, &mut stored);
            clear_texel = format.decode(&stored);
        }
        let select = [field(d7, 27, 25), field(d7, 24, 22), field(d7, 21, 19), field(d7, 18, 16)];
        let mip = field(d5, 3, 0);
        Ok(Self {
            kind,
            format,
            array,
            width,
            height: if shape == Shape::Line { 1 } else { height },
            depth,
            elements,
            pitch,
            base,
            first_layer: field(d4, 28, 18),
            render_layers: field(d4, 17, 7) + 1,
            log2_samples: log2,
            first_level: field(d5, 7, 4),
            levels: mip + 1,
            render_level: mip,
            auxiliary,
            select: select.map(Select::of),
            min_lod: field(d7, 11, 0) as f32 / 256.0,
            marks,
            clear,
            clear_texel,
            layout,
        })
    }

    /// Whether it is a buffer.
    #[must_use]
    pub fn is_buffer(&self) -> bool {
        matches!(self.kind, SurfaceKind::Buffer | SurfaceKind::StructuredBuffer)
    }

    /// Bytes of a buffer.
    #[must_use]
    pub fn buffer_bytes(&self) -> u64 {
        if self.format.packing == Packing::Raw {
            self.elements
        } else {
            self.elements * u64::from(self.pitch)
        }
    }

    /// Width, height and depth of a level that a shader counts from [`Self::first_level`]: texels, and slices of a
    /// volume or layers of anything else.
    #[must_use]
    #[inline]
    pub fn size(&self, level: u32) -> [u32; 3] {
        let level = self.layout.level(self.first_level + level);
        [level.width, level.height, level.depth]
    }
}

/// How texels between and around coordinates are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The one that it lies in.
    Nearest,
    /// All around, by distance.
    Linear,
    /// More of them where the footprint is long.
    Anisotropic,
}

/// How levels are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MipFilter {
    /// The first.
    None,
    /// The nearest.
    Nearest,
    /// Both, by distance.
    Linear,
}

/// What lies outside of 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// The same again.
    Repeat,
    /// The same, backwards every second time.
    Mirror,
    /// The texel at the edge.
    Clamp,
    /// The face next to it.
    Cube,
    /// The border colour.
    Border,
    /// Backwards once, then the texel at the edge.
    MirrorOnce,
    /// The edge and the border colour, each by half.
    HalfBorder,
}

impl Wrap {
    fn of(code: u32) -> Self {
        match code {
            0 => Self::Repeat,
            1 => Self::Mirror,
            3 => Self::Cube,
            4 => Self::Border,
            5 => Self::MirrorOnce,
            6 => Self::HalfBorder,
            _ => Self::Clamp,
        }
    }
}

/// A comparison, as samplers number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names are all there is to say")]
pub enum Compare {
    Always,
    Never,
    Less,
    Equal,
    LessEqual,
    Greater,
    NotEqual,
    GreaterEqual,
}

impl Compare {
    /// The comparison that has this number in all of the render engine's states.
    #[must_use]
    pub fn of(code: u32) -> Self {
        match code & 7 {
            0 => Self::Always,
            1 => Self::Never,
            2 => Self::Less,
            3 => Self::Equal,
            4 => Self::LessEqual,
            5 => Self::Greater,
            6 => Self::NotEqual,
            _ => Self::GreaterEqual,
        }
    }

    /// Whether `a` compares so with `b`.
    #[must_use]
    #[inline]
    pub fn holds<T: PartialOrd + Copy>(self, a: T, b: T) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Less => a < b,
            Self::Equal => a == b,
            Self::LessEqual => a <= b,
            Self::Greater => a > b,
            Self::NotEqual => a != b,
            Self::GreaterEqual => a >= b,
        }
    }
}

/// What becomes of the texels that a filter has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their weighted mean.
    Mean,
    /// The least, channel by channel.
    Minimum,
    /// The largest, channel by channel.
    Maximum,
}

/// SAMPLER_STATE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// It answers 0.
    pub disabled: bool,
    /// Where texels are larger than pixels.
    pub magnify: Filter,
    /// Where they are smaller.
    pub minify: Filter,
    /// Between levels.
    pub mip: MipFilter,
    /// Added to each computed level.
    pub bias: f32,
    /// The lowest level, as a number.
    pub min_lod: f32,
    /// The highest.
    pub max_lod: f32,
    /// The level is clamped before magnification is told from minification.
    pub clamp_first: bool,
    /// How depth is compared. The answer is the opposite.
    pub compare: Compare,
    /// Along u, v and r.
    pub wrap: [Wrap; 3],
    /// Cubes have [`Wrap::Cube`], whatever `wrap` says.
    pub seamless_cubes: bool,
    /// Coordinates count texels.
    pub unnormalized: bool,
    /// What becomes of the chosen texels.
    pub reduction: Reduction,
    /// The largest ratio of an anisotropic footprint: 2, 4 .. 16.
    pub max_anisotropy: u32,
    /// Where the border colour is, from the base of dynamic state.
    pub border: u32,
}

impl Sampler {
    /// Decodes a state. There is none that means nothing.
    #[must_use]
    pub fn decode(state: &[u32; SAMPLER_DWORDS]) -> Self {
        let [d0, d1, d2, d3] = *state;
        let filter = |code| match code {
            0 => Filter::Nearest,
            2 => Filter::Anisotropic,
            _ => Filter::Linear,
        };
        // S4.8, in 13 bits.
        let bias = (field(d0, 13, 1) << 19).cast_signed() >> 19;
        Self {
            disabled: flag(d0, 31),
            magnify: filter(field(d0, 19, 17)),
            minify: filter(field(d0, 16, 14)),
            mip: match field(d0, 21, 20) {
                1 => MipFilter::Nearest,
                3 => MipFilter::Linear,
                _ => MipFilter::None,
            },
            bias: bias as f32 / 256.0,
            min_lod: field(d1, 31, 20) as f32 / 256.0,
            max_lod: field(d1, 19, 8) as f32 / 256.0,
            clamp_first: field(d0, 28, 27) == 2,
            compare: Compare::of(field(d1, 3, 1)),
            wrap: [field(d3, 8, 6), field(d3, 5, 3), field(d3, 2, 0)].map(Wrap::of),
            seamless_cubes: flag(d1, 0),
            unnormalized: flag(d3, 10),
            reduction: match (flag(d3, 9), field(d3, 23, 22)) {
                (true, 2) => Reduction::Minimum,
                (true, 3) => Reduction::Maximum,
                _ => Reduction::Mean,
            },
            max_anisotropy: 2 * (field(d3, 21, 19) + 1),
            border: d2 & 0x00ff_ffc0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texture_is_decoded() {
        let mut state = [0; SURFACE_DWORDS];
        state[0] = 1 << 29 | 1 << 28 | 200 << 18 | 1 << 16 | 3 << 14 | 3 << 12;
        state[1] = 20;
        state[2] = 63 << 16 | 127;
        state[3] = 4 << 21 | 511;
        state[4] = 2 << 18 | 4 << 7;
        state[5] = 1 << 4 | 5;
        state[6] = 5;
        state[7] = 6 << 25 | 5 << 22 | 4 << 19 | 1 << 16 | 0x180;
        state[8] = 0x1000;
        state[9] = 1;
        let surface = Surface::decode(&state).unwrap();
        assert_eq!((surface.kind, surface.array), (SurfaceKind::Plane, true));
        assert_eq!((surface.width, surface.height, surface.depth), (128, 64, 5));
        assert_eq!((surface.first_layer, surface.render_layers), (2, 5));
        assert_eq!((surface.first_level, surface.levels), (1, 6));
        assert_eq!(surface.auxiliary, Auxiliary::Ccs);
        assert_eq!(surface.min_lod, 1.5);
        let [r, .., a] = surface.select;
        assert_eq!((r, a), (Select::Channel(2), Select::One));
        assert_eq!(surface.size(0), [64, 32, 5]);
        let geometry = surface.layout.geometry();
        assert_eq!((geometry.halign, geometry.valign, geometry.qpitch), (16, 4, 80));
        assert_eq!(surface.layout.address(0, 0, 0, 0, 0), 0x1_0000_1000);
    }

    #[test]
    fn buffers_have_sizes_of_their_own() {
        let mut state = [0; SURFACE_DWORDS];
        let last = 0xdead_beef_u32;
        state[0] = 4 << 29 | 511 << 18;
        state[2] = last & 0x7f | (last >> 7 & 0x3fff) << 16;
        state[3] = last >> 21 << 21;
        let buffer = Surface::decode(&state).unwrap();
        assert_eq!(buffer.elements, u64::from(last) + 1);
        assert_eq!(buffer.buffer_bytes(), u64::from(last) + 1);
    }

    #[test]
    fn what_cannot_be_laid_out_is_refused() {
        let decode = |d0: u32, d3, d4| {
            let mut state = [0; SURFACE_DWORDS];
            (state[0], state[3], state[4]) = (d0, d3, d4);
            Surface::decode(&state)
        };
        assert_eq!(decode(6 << 29, 0, 0), Err(StateError::Kind(6)));
        assert_eq!(decode(1 << 29 | 510 << 18, 0, 0), Err(StateError::Format(510)));
        assert_eq!(decode(1 << 29, 0, 5 << 3), Err(StateError::Samples(5)));
        assert_eq!(
            decode(1 << 29 | 3 << 12, 100, 0),
            Err(StateError::Pitch { pitch: 101, tiling: Tiling::Y })
        );
        assert_eq!(
            decode(1 << 29 | 64 << 18 | 3 << 12, 127, 0),
            Err(StateError::Tiling { format: "R32G32B32_FLOAT", tiling: Tiling::Y })
        );
        let null = decode(7 << 29 | 510 << 18, 100, 0).unwrap();
        assert_eq!(null.kind, SurfaceKind::Null);
    }

    #[test]
    fn a_sampler_is_decoded() {
        let sampler = Sampler::decode(&[
            3 << 20 | 1 << 17 | 0x1f80 << 1,
            0x180 << 20 | 0xd00 << 8 | 4 << 1 | 1,
            0x1240,
            2 << 6 | 4 << 3 | 1 | 1 << 10 | 7 << 19,
        ]);
        assert_eq!((sampler.magnify, sampler.minify), (Filter::Linear, Filter::Nearest));
        assert_eq!((sampler.mip, sampler.bias), (MipFilter::Linear, -0.5));
        assert_eq!((sampler.min_lod, sampler.max_lod), (1.5, 13.0));
        assert_eq!(sampler.wrap, [Wrap::Clamp, Wrap::Border, Wrap::Mirror]);
        assert!(sampler.unnormalized && sampler.seamless_cubes);
        assert!(sampler.compare == Compare::LessEqual);
        assert_eq!((sampler.max_anisotropy, sampler.border), (16, 0x1240));
    }
}
