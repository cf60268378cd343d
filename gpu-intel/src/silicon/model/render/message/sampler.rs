//! Messages to the sampler.
//!
//! Each parameter is a dword for each lane, after the header if there is one. Those at the end may be missing: they are
//! 0 then.

use half::f16;

use super::payload::{PER_GRF, Payload};
use super::{Resources, bound_sampler, surface};
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message};
use crate::memory::PpgttMemory;
use crate::surface::{
    Colors, Detail, LANES, Lanes, Load, Operation, Request, Sample, Texture, lanes,
};

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    U,
    V,
    R,
    /// The number in a cube array.
    Array,
    Bias,
    Lod,
    Reference,
    URight,
    UDown,
    VRight,
    VDown,
    RRight,
    RDown,
    OffsetU,
    OffsetV,
    SampleIndex,
    Mcs,
    McsHigh,
}

const PARAMETERS: usize = Parameter::McsHigh as usize + 1;

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The level of detail is computed.
    Sample,
    /// It is given, or 0.
    SampleLevel,
    SampleGradients,
    Gather,
    Load,
    LoadSample,
    LevelOfDetail,
    SurfaceInfo,
    SampleInfo,
    Mcs,
}

struct Kind {
    code: u32,
    action: Action,
    parameters: &'static [Parameter],
}

macro_rules! messages {
    ($($code:literal $action:ident [$($parameter:ident)*],)*) => {
        static KINDS: &[Kind] = &[$(Kind {
            code: $code,
            action: Action::$action,
            parameters: &[$(Parameter::$parameter),*],
        }),*];
    };
}

messages! {
    0 Sample [U V R Array],
    1 Sample [Bias U V R Array],
    2 SampleLevel [Lod U V R Array],
    3 Sample [Reference U V R Array],
    4 SampleGradients [U URight UDown V VRight VDown R RRight RDown Array],
    5 Sample [Reference Bias U V R Array],
    6 SampleLevel [Reference Lod U V R Array],
    7 Load [U V Lod R],
    8 Gather [U V R Array],
    9 LevelOfDetail [U V R Array],
    10 SurfaceInfo [Lod],
    11 SampleInfo [],
    16 Gather [Reference U V R Array],
    17 Gather [U V OffsetU OffsetV R],
    18 Gather [Reference U V OffsetU OffsetV R],
    20 SampleGradients [Reference U URight UDown V VRight VDown R RRight RDown Array],
    24 SampleLevel [U V R Array],
    25 SampleLevel [Reference U V R Array],
    26 Load [U V R],
    28 LoadSample [SampleIndex Mcs McsHigh U V R],
    29 Mcs [U V R],
    30 LoadSample [SampleIndex Mcs U V R],
    31 LoadSample [SampleIndex U V R],
}

/// The parameters of a message. What it doesn't have is 0.
struct Values<'a> {
    registers: [&'a [Grf]; PARAMETERS],
}

impl<'a> Values<'a> {
    fn read(parameters: &[Parameter], payload: &mut Payload<'a>) -> Self {
        let mut registers: [&[Grf]; PARAMETERS] = [&[]; PARAMETERS];
        for parameter in parameters {
            let Some(those) = payload.registers() else { break };
            registers[*parameter as usize] = those;
        }
        Self { registers }
    }

    fn has(&self, parameter: Parameter) -> bool {
        !self.registers[parameter as usize].is_empty()
    }

    fn integers(&self, parameter: Parameter) -> Lanes<u32> {
        let mut lanes = [0; LANES];
        for (to, from) in lanes.as_chunks_mut().0.iter_mut().zip(self.registers[parameter as usize])
        {
            *to = *from;
        }
        lanes
    }

    fn floats(&self, parameter: Parameter) -> Lanes {
        let mut lanes = [0.0; LANES];
        let from = self.registers[parameter as usize].as_flattened();
        for (to, from) in lanes.iter_mut().zip(from) {
            *to = f32::from_bits(*from);
        }
        lanes
    }
}

/// What a header says.
#[derive(Clone, Copy, Default)]
struct Header {
    offsets: [i32; 3],
    disabled: u32,
    gather: u8,
    simd4x2: bool,
    samplers: Option<u32>,
}

impl Header {
    fn of(grf: &Grf) -> Self {
        let [_, _, d2, d3, ..] = *grf;
        // Signed, of four bits.
        let offset = |low: u32| (d2 >> low << 28).cast_signed() >> 28;
        Self {
            offsets: [offset(8), offset(4), offset(0)],
            disabled: d2 >> 12 & 0xf,
            gather: (d2 >> 16 & 3) as u8,
            simd4x2: d2 >> 22 & 1 != 0,
            samplers: Some(d3 & !0x1f),
        }
    }
}

pub(super) fn send(
    resources: &mut Resources,
    memory: &mut dyn PpgttMemory,
    message: &Message<'_>,
    response: &mut [Grf],
) -> Result<(), Fault> {
    let descriptor = message.descriptor;
    let code = descriptor >> 12 & 0x1f;
    let kind = KINDS
        .iter()
        .find(|kind| kind.code == code)
        .ok_or_else(|| Fault::new("message/sampler", format!("no sampler message {code}")))?;
    let width = match descriptor >> 17 & 3 {
        2 => 16,
        3 => return Err(Fault::new("message/sampler", "SIMD32 samples")),
        _ => 8,
    };
    let (mut payload, header) = Payload::of(message, width)?;
    let header = header.map(Header::of).unwrap_or_default();
    if header.simd4x2 && descriptor >> 17 & 3 == 0 {
        return Err(Fault::new("message/sampler", "SIMD4x2 samples"));
    }
    let values = Values::read(kind.parameters, &mut payload);

    let Resources { bases, quads, surfaces, samplers, texels } = resources;
    let table = header.samplers.unwrap_or(bases.sampler_table);
    let needs_sampler = matches!(
        kind.action,
        Action::Sample
            | Action::SampleLevel
            | Action::SampleGradients
            | Action::Gather
            | Action::LevelOfDetail
    );
    let surface = surface(surfaces, bases, memory, message)?;
    let bound = if needs_sampler {
        *bound_sampler(samplers, bases, memory, table.wrapping_add(16 * (descriptor >> 8 & 0xf)))?
    } else {
        super::BoundSampler { sampler: crate::surface::Sampler::decode(&[0; 4]), border: [0; 4] }
    };
    let active = message.lanes & (u32::MAX >> (32 - width));
    let mut texture =
        Texture { surface, sampler: &bound.sampler, border: bound.border, cache: texels, memory };
    let mut colors = [[0; LANES]; 4];
    answer(&mut texture, kind.action, &values, &header, active, *quads, &mut colors)?;
    respond(response, &colors, &header, active, width, descriptor, surface.format.is_integer());
    Ok(())
}

fn answer(
    texture: &mut Texture<'_>,
    action: Action,
    values: &Values<'_>,
    header: &Header,
    active: u32,
    quads: bool,
    colors: &mut Colors,
) -> Result<(), Fault> {
    use Parameter as P;
    let mut all = |color: [u32; 4]| *colors = color.map(|channel| [channel; LANES]);
    match action {
        Action::SurfaceInfo => {
            let levels = values.integers(P::Lod);
            for lane in lanes(active) {
                let info = texture.info(levels[lane]);
                for (to, from) in colors.iter_mut().zip(info) {
                    to[lane] = from;
                }
            }
            return Ok(());
        }
        Action::SampleInfo => {
            all([1 << texture.surface.log2_samples, 0, 0, 0]);
            return Ok(());
        }
        Action::Mcs => {
            let [u, v, r] = [P::U, P::V, P::R].map(|p| values.integers(p));
            return texture.compression(active, [&u, &v, &r], colors);
        }
        Action::Load | Action::LoadSample => {
            let [u, v, r] = [P::U, P::V, P::R].map(|p| values.integers(p));
            let [number, low, high] =
                [P::SampleIndex, P::Mcs, P::McsHigh].map(|p| values.integers(p));
            let sample = (action == Action::LoadSample).then_some(Sample {
                number: &number,
                compression: values.has(P::Mcs).then_some([&low, &high]),
            });
            let load = Load {
                lanes: active,
                texel: [&u, &v, &r],
                level: &values.integers(P::Lod),
                sample,
                offsets: header.offsets,
            };
            return texture.load(&load, colors);
        }
        _ => {}
    }
    // One by one, for arrays of them would be moved about.
    let (u, v) = (values.floats(P::U), values.floats(P::V));
    let (r, array) = (values.floats(P::R), values.floats(P::Array));
    let reference = values.floats(P::Reference);
    let (detail, steps);
    let detail = match action {
        Action::SampleGradients => {
            steps = [P::URight, P::VRight, P::RRight, P::UDown, P::VDown, P::RDown]
                .map(|p| values.floats(p));
            let [u_right, v_right, r_right, u_down, v_down, r_down] = &steps;
            Detail::Gradients([u_right, v_right, r_right], [u_down, v_down, r_down])
        }
        Action::SampleLevel => {
            detail = values.floats(P::Lod);
            Detail::Given(&detail)
        }
        _ => {
            detail = values.floats(P::Bias);
            if quads { Detail::Quads(&detail) } else { Detail::Given(&detail) }
        }
    };
    let mut offsets = None;
    if values.has(P::OffsetU) {
        // Signed, of six bits.
        let signed = |p| values.integers(p).map(|offset| (offset << 26).cast_signed() >> 26);
        offsets = Some([signed(P::OffsetU), signed(P::OffsetV), [0; LANES]]);
    } else if header.offsets != [0; 3] {
        offsets = Some(header.offsets.map(|offset| [offset; LANES]));
    }
    let gather = action == Action::Gather;
    let request = Request {
        operation: if gather { Operation::Gather(header.gather) } else { Operation::Sample },
        lanes: active,
        coordinates: [&u, &v, &r, &array],
        detail,
        reference: values.has(P::Reference).then_some(&reference),
        offsets: offsets.as_ref().map(|offsets| offsets.each_ref()),
    };
    if action == Action::LevelOfDetail {
        let [clamped, computed] = texture.level_of_detail(&request);
        let bits = |lanes: Lanes| lanes.map(f32::to_bits);
        *colors = [bits(clamped), bits(computed), [0; LANES], [0; LANES]];
        return Ok(());
    }
    texture.sample(&request, colors)
}

/// Puts colours in the registers that are asked for, one channel after the other.
fn respond(
    response: &mut [Grf],
    colors: &Colors,
    header: &Header,
    active: u32,
    width: usize,
    descriptor: u32,
    integers: bool,
) {
    let channels = (0..4).filter(|channel| header.disabled >> channel & 1 == 0);
    let halves = descriptor >> 30 & 1 != 0;
    for (component, channel) in channels.enumerate() {
        if !halves {
            let registers = width / PER_GRF;
            let to = response.iter_mut().skip(component * registers).take(registers);
            let from = colors[channel].as_chunks().0;
            for (number, (to, from)) in to.zip(from).enumerate() {
                match active >> (PER_GRF * number) & 0xff {
                    0xff => *to = *from,
                    some => lanes(some).for_each(|lane| to[lane] = from[lane]),
                }
            }
            continue;
        }
        // A register holds one channel of 16 lanes.
        let Some(grf) = response.get_mut(component) else { return };
        for lane in lanes(active) {
            let value = colors[channel][lane];
            let value = if integers {
                value & 0xffff
            } else {
                u32::from(f16::from_f32(f32::from_bits(value)).to_bits())
            };
            let (dword, shift) = (&mut grf[lane / 2], 16 * (lane as u32 % 2));
            *dword = *dword & !(0xffff << shift) | value << shift;
        }
    }
}
