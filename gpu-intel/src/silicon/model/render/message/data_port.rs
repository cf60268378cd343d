//! Messages to the data ports: words and blocks of buffers, of all memory, of scratch space and of what a group shares,
//! and texels of images.

use super::atomic::Atomic;
use super::payload::{PER_GRF, Payload, put, put_bytes, put_wide};
use super::{Bases, Kept, Resources, binding, surface};
use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, SharedFunction};
use crate::memory::PpgttMemory;
use crate::surface::{LANES, LARGEST_ELEMENT, Lanes, Packing, Surface, SurfaceKind, lanes};

/// Whether words are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// One to eight times 16 bytes at one place.
    Block(Direction, Unit),
    /// Twice 16 bytes, at two places.
    DualBlock(Direction),
    /// A dword for each lane.
    Dwords(Direction),
    /// A byte, word or dword for each lane.
    Bytes(Direction),
    /// Up to four dwords for each lane.
    Untyped(Direction),
    UntypedAtomic(Numbers),
    Typed(Direction),
    TypedAtomic,
    /// One to eight bytes, dwords or quadwords for each lane.
    WideScattered(Direction),
    WideUntyped(Direction),
    WideAtomic(Numbers),
    /// As [`Self::Block`], anywhere.
    WideBlock(Direction),
    /// There is no order to wait for.
    Fence,
}

/// What a block's offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Owords,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Integers,
    Floats,
}

use Direction::{Read, Write};
use Numbers::{Floats, Integers};

/// Data port 0.
const PORT_0: &[(u32, Action)] = &[
    (0, Action::Block(Read, Unit::Owords)),
    (1, Action::Block(Read, Unit::Bytes)),
    (2, Action::DualBlock(Read)),
    (3, Action::Dwords(Read)),
    (4, Action::Bytes(Read)),
    (7, Action::Fence),
    (8, Action::Block(Write, Unit::Owords)),
    (10, Action::DualBlock(Write)),
    (11, Action::Dwords(Write)),
    (12, Action::Bytes(Write)),
];

/// The ports of the constant cache and of the sampler's: those of port 0 that read.
const READ_ONLY: &[(u32, Action)] = &[
    (0, Action::Block(Read, Unit::Owords)),
    (1, Action::Block(Read, Unit::Bytes)),
    (2, Action::DualBlock(Read)),
    (3, Action::Dwords(Read)),
];

/// Data port 1.
const PORT_1: &[(u32, Action)] = &[
    (1, Action::Untyped(Read)),
    (2, Action::UntypedAtomic(Integers)),
    (5, Action::Typed(Read)),
    (6, Action::TypedAtomic),
    (9, Action::Untyped(Write)),
    (13, Action::Typed(Write)),
    (16, Action::WideScattered(Read)),
    (17, Action::WideUntyped(Read)),
    (18, Action::WideAtomic(Integers)),
    (20, Action::WideBlock(Read)),
    (21, Action::WideBlock(Write)),
    (25, Action::WideUntyped(Write)),
    (26, Action::WideScattered(Write)),
    (27, Action::UntypedAtomic(Floats)),
    (29, Action::WideAtomic(Floats)),
];

/// The most bytes of a block: eight OWords.
const BLOCK: usize = 128;
const OWORD: usize = 16;

pub(super) fn send(
    resources: &mut Resources,
    memory: &mut dyn PpgttMemory,
    shared: &mut [u8],
    message: &Message<'_>,
    response: &mut [Grf],
) -> Result<(), Fault> {
    let descriptor = message.descriptor;
    let control = descriptor >> 8 & 0x3f;
    if message.function == SharedFunction::DataPort0 && descriptor >> 18 & 1 != 0 {
        return scratch(&resources.bases, memory, message, response);
    }
    let table = match message.function {
        SharedFunction::DataPort0 => PORT_0,
        SharedFunction::DataPort1 => PORT_1,
        _ => READ_ONLY,
    };
    let code = descriptor >> 14 & 0x1f;
    let action = table.iter().find(|(known, _)| *known == code).map(|(_, action)| *action);
    let action = action.ok_or_else(|| {
        Fault::new("message/data port", format!("no message {code} of {:?}", message.function))
    })?;
    let width = width(action, control)?;
    let (mut payload, header) = Payload::of(message, width)?;
    let Resources { bases, surfaces, .. } = resources;
    let target = match action {
        Action::WideScattered(_)
        | Action::WideUntyped(_)
        | Action::WideAtomic(_)
        | Action::WideBlock(_)
        | Action::Fence => Target::All { base: 0 },
        _ => Target::of(bases, surfaces, memory, shared, message, header)?,
    };
    let mut port = Port {
        target,
        memory,
        active: message.lanes & (u32::MAX >> (32 - width)),
        width,
        response,
    };
    match action {
        Action::Block(direction, unit) => {
            let [_, _, offset, ..] = *header.ok_or_else(no_header)?;
            let unit = if unit == Unit::Owords { OWORD as u64 } else { 1 };
            port.block(direction, u64::from(offset) * unit, control, payload.rest())
        }
        Action::WideBlock(direction) => {
            let [low, high, ..] = *header.ok_or_else(no_header)?;
            let at = u64::from(low) | u64::from(high) << 32;
            let at = if control >> 3 & 3 == 0 { at & !(OWORD as u64 - 1) } else { at };
            port.block(direction, at, control, payload.rest())
        }
        Action::DualBlock(direction) => port.dual_block(direction, payload.grf()?, payload.rest()),
        Action::Dwords(direction) => {
            let offsets = payload.lanes()?.map(|offset| 4 * u64::from(offset));
            port.words(direction, &offsets, 4, &mut payload)
        }
        Action::Bytes(direction) => {
            let offsets = payload.lanes()?.map(u64::from);
            port.words(direction, &offsets, size(control >> 2)?, &mut payload)
        }
        Action::Untyped(direction) => {
            let offsets = payload.lanes()?.map(u64::from);
            port.untyped(direction, &offsets, control, &mut payload)
        }
        Action::WideUntyped(direction) => {
            let offsets = payload.wide_lanes()?;
            port.untyped(direction, &offsets, control, &mut payload)
        }
        Action::WideScattered(direction) => {
            let offsets = payload.wide_lanes()?;
            port.scattered(direction, &offsets, control, &mut payload)
        }
        Action::UntypedAtomic(numbers) => {
            let offsets = payload.lanes()?.map(u64::from);
            port.atomics(operation(numbers, control)?, &offsets, false, control, &mut payload)
        }
        Action::WideAtomic(numbers) => {
            let offsets = payload.wide_lanes()?;
            let wide = control >> 4 & 1 != 0;
            port.atomics(operation(numbers, control)?, &offsets, wide, control, &mut payload)
        }
        Action::Fence => Ok(()),
        Action::Typed(direction) => port.typed(direction, control, &mut payload),
        Action::TypedAtomic => port.typed_atomics(control, &mut payload),
    }
}

/// How many lanes a message has.
fn width(action: Action, control: u32) -> Result<usize, Fault> {
    let wide = match action {
        Action::Untyped(_) | Action::WideUntyped(_) => match control >> 4 & 3 {
            1 => true,
            2 => false,
            other => {
                return Err(Fault::new("message/data port", format!("SIMD mode {other}")));
            }
        },
        Action::UntypedAtomic(_) => control >> 4 & 1 == 0,
        Action::Dwords(_) => control & 3 == 3,
        Action::Bytes(_) => control & 1 != 0,
        Action::WideScattered(_) => control >> 4 & 1 != 0,
        _ => false,
    };
    Ok(if wide { 16 } else { 8 })
}

/// Bytes of a byte, word or dword.
fn size(code: u32) -> Result<usize, Fault> {
    match code & 3 {
        3 => Err(Fault::new("message/data port", "bytes of no size")),
        code => Ok(1 << code),
    }
}

fn operation(numbers: Numbers, control: u32) -> Result<Atomic, Fault> {
    match numbers {
        Integers => Atomic::integer(control & 0xf),
        Floats => Atomic::float(control & 3),
    }
}

fn no_header() -> Fault {
    Fault::new("message/data port", "a block's message without a header")
}

/// Scratch space: whole registers of a thread's own.
fn scratch(
    bases: &Bases,
    memory: &mut dyn PpgttMemory,
    message: &Message<'_>,
    response: &mut [Grf],
) -> Result<(), Fault> {
    let descriptor = message.descriptor;
    let (mut payload, header) = Payload::of(message, PER_GRF)?;
    let header = match header {
        Some(header) => header,
        None => payload.grf()?,
    };
    let own = u64::from(header[5] & !0x3ff);
    let offset = 32 * u64::from(descriptor & 0xfff);
    let at = bases.general.wrapping_add(own).wrapping_add(offset);
    let count = 1 << (descriptor >> 12 & 3);
    let by_lane = descriptor >> 16 & 1 != 0;
    let takes_part = |dword: usize| !by_lane || message.lanes >> (dword % LANES) & 1 != 0;
    if descriptor >> 17 & 1 != 0 {
        let data = payload.rest().get(..count).ok_or_else(|| {
            Fault::new("message/payload", "fewer registers than are to be written")
        })?;
        let mut bytes = [0; 8 * 32];
        to_bytes(data, &mut bytes);
        if !by_lane {
            return memory.write(PpgttAddress(at).truncated(), &bytes[..32 * count]);
        }
        for (number, dword) in bytes[..32 * count].as_chunks::<4>().0.iter().enumerate() {
            if takes_part(number) {
                let at = at.wrapping_add(4 * number as u64);
                memory.write(PpgttAddress(at).truncated(), dword)?;
            }
        }
        return Ok(());
    }
    let mut bytes = [0; 8 * 32];
    memory.read(PpgttAddress(at).truncated(), &mut bytes[..32 * count])?;
    let dwords = response.as_flattened_mut().iter_mut().zip(bytes[..32 * count].as_chunks().0);
    for (number, (to, from)) in dwords.enumerate() {
        if takes_part(number) {
            *to = u32::from_le_bytes(*from);
        }
    }
    Ok(())
}

fn to_bytes(registers: &[Grf], to: &mut [u8]) {
    for (to, from) in to.as_chunks_mut().0.iter_mut().zip(registers.as_flattened()) {
        *to = from.to_le_bytes();
    }
}

/// What a message reads and writes.
enum Target<'a> {
    /// All memory, from `base` on.
    All {
        base: u64,
    },
    /// What the threads of a group share.
    Shared(&'a mut [u8]),
    Surface(&'a Surface),
}

impl<'a> Target<'a> {
    fn of(
        bases: &Bases,
        surfaces: &'a mut Kept<Surface>,
        memory: &mut dyn PpgttMemory,
        shared: &'a mut [u8],
        message: &Message<'_>,
        header: Option<&Grf>,
    ) -> Result<Self, Fault> {
        match message.descriptor & 0xff {
            binding::STATELESS | binding::STATELESS_NON_COHERENT => {
                let own = header.map_or(0, |header| u64::from(header[5] & !0x3ff));
                Ok(Self::All { base: bases.general.wrapping_add(own) })
            }
            binding::SHARED => Ok(Self::Shared(shared)),
            _ => Ok(Self::Surface(surface(surfaces, bases, memory, message)?)),
        }
    }
}

/// Bytes of a surface, from its base on, that untyped messages reach.
fn reach(surface: &Surface) -> u64 {
    match surface.kind {
        SurfaceKind::Null => 0,
        _ if surface.is_buffer() => surface.buffer_bytes(),
        _ => u64::from(surface.pitch) * u64::from(surface.height),
    }
}

/// A message, when all that it needs is known.
struct Port<'a> {
    target: Target<'a>,
    memory: &'a mut dyn PpgttMemory,
    active: u32,
    width: usize,
    response: &'a mut [Grf],
}

impl Port<'_> {
    /// Where `bytes` at `offset` are in memory, and how many of them are inside.
    fn inside(&self, offset: u64, bytes: usize) -> (PpgttAddress, usize) {
        let (base, bytes) = match &self.target {
            Target::All { base } => (*base, bytes),
            Target::Shared(shared) => (0, clip(shared.len() as u64, offset, bytes)),
            Target::Surface(surface) => (surface.base, clip(reach(surface), offset, bytes)),
        };
        (PpgttAddress(base.wrapping_add(offset)).truncated(), bytes)
    }

    /// Reads; what is outside is 0.
    fn read(&mut self, offset: u64, to: &mut [u8]) -> Result<(), Fault> {
        let (at, inside) = self.inside(offset, to.len());
        let (to, rest) = to.split_at_mut(inside);
        rest.fill(0);
        match &self.target {
            _ if to.is_empty() => Ok(()),
            Target::Shared(shared) => {
                let from = shared.get(offset as usize..).unwrap_or_default();
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
                Ok(())
            }
            _ => self.memory.read(at, to),
        }
    }

    /// Writes; what is outside is dropped.
    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), Fault> {
        let (at, inside) = self.inside(offset, from.len());
        let from = &from[..inside];
        match &mut self.target {
            _ if from.is_empty() => Ok(()),
            Target::Shared(shared) => {
                let to = shared.get_mut(offset as usize..).unwrap_or_default();
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
                Ok(())
            }
            _ => self.memory.write(at, from),
        }
    }

    /// Changes an aligned word of 4 or 8 bytes, and answers what it was. Outside nothing changes, and it was 0.
    fn modify(
        &mut self,
        offset: u64,
        bytes: usize,
        change: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        let offset = offset & !(bytes as u64 - 1);
        let (at, inside) = self.inside(offset, bytes);
        if inside < bytes {
            return Ok(0);
        }
        if !matches!(self.target, Target::Shared(_)) {
            // A surface's base may be odd.
            let at = PpgttAddress(at.0 & !(bytes as u64 - 1));
            return self.memory.modify(at, bytes, change);
        }
        let mut word = [0; 8];
        self.read(offset, &mut word[..bytes])?;
        let old = u64::from_le_bytes(word);
        self.write(offset, &change(old).to_le_bytes()[..bytes])?;
        Ok(old)
    }

    fn block(
        &mut self,
        direction: Direction,
        offset: u64,
        control: u32,
        data: &[Grf],
    ) -> Result<(), Fault> {
        // One OWord is in either half of its register.
        let (start, bytes) = match control & 7 {
            0 => (0, OWORD),
            1 => (OWORD, OWORD),
            code @ 2..=4 => (0, OWORD << (code - 1)),
            other => {
                return Err(Fault::new("message/data port", format!("blocks of size {other}")));
            }
        };
        let mut buffer = [0; BLOCK];
        if direction == Write {
            if 32 * data.len() < start + bytes {
                return Err(Fault::new(
                    "message/payload",
                    "fewer registers than are to be written",
                ));
            }
            to_bytes(data, &mut buffer);
            return self.write(offset, &buffer[start..start + bytes]);
        }
        let buffer = &mut buffer[..bytes];
        self.read(offset, buffer)?;
        put_bytes(self.response, start, buffer);
        Ok(())
    }

    fn dual_block(
        &mut self,
        direction: Direction,
        offsets: &Grf,
        data: &[Grf],
    ) -> Result<(), Fault> {
        for half in 0..2 {
            if self.active >> (4 * half) & 0xf == 0 {
                continue;
            }
            let offset = OWORD as u64 * u64::from(offsets[4 * half]);
            let mut oword = [0; OWORD];
            if direction == Read {
                self.read(offset, &mut oword)?;
                put_bytes(self.response, OWORD * half, &oword);
                continue;
            }
            let grf = data.first().ok_or_else(|| {
                Fault::new("message/payload", "fewer registers than are to be written")
            })?;
            let mut bytes = [0; 2 * OWORD];
            to_bytes(std::slice::from_ref(grf), &mut bytes);
            self.write(offset, &bytes[OWORD * half..OWORD * (half + 1)])?;
        }
        Ok(())
    }

    /// One word of up to four bytes for each lane.
    fn words(
        &mut self,
        direction: Direction,
        offsets: &Lanes<u64>,
        bytes: usize,
        payload: &mut Payload<'_>,
    ) -> Result<(), Fault> {
        let data = if direction == Write { payload.lanes()? } else { [0; LANES] };
        for lane in lanes(self.active) {
            if direction == Write {
                self.write(offsets[lane], &data[lane].to_le_bytes()[..bytes])?;
                continue;
            }
            let mut word = [0; 4];
            self.read(offsets[lane], &mut word[..bytes])?;
            put(self.response, self.width, 0, lane, u32::from_le_bytes(word));
        }
        Ok(())
    }

    /// Those of four dwords that aren't disabled.
    fn untyped(
        &mut self,
        direction: Direction,
        offsets: &Lanes<u64>,
        control: u32,
        payload: &mut Payload<'_>,
    ) -> Result<(), Fault> {
        let channels = (0..4).filter(|channel| control >> channel & 1 == 0);
        if direction == Write {
            for channel in channels {
                let data = payload.lanes()?;
                for lane in lanes(self.active) {
                    let at = offsets[lane].wrapping_add(4 * channel);
                    self.write(at, &data[lane].to_le_bytes())?;
                }
            }
            return Ok(());
        }
        let channels = channels.map(|channel| channel as usize);
        let last = channels.clone().next_back().map_or(0, |last| 4 * (last + 1));
        for lane in lanes(self.active) {
            let mut four = [0; 16];
            self.read(offsets[lane], &mut four[..last])?;
            let dwords = four.as_chunks::<4>().0;
            for (component, channel) in channels.clone().enumerate() {
                let value = u32::from_le_bytes(dwords[channel]);
                put(self.response, self.width, component, lane, value);
            }
        }
        Ok(())
    }

    fn scattered(
        &mut self,
        direction: Direction,
        offsets: &Lanes<u64>,
        control: u32,
        payload: &mut Payload<'_>,
    ) -> Result<(), Fault> {
        let count = 1 << (control >> 2 & 3);
        let bytes = match control & 3 {
            // Up to four bytes share a dword.
            0 => return self.words(direction, offsets, usize::min(count, 4), payload),
            1 => 4,
            2 => 8,
            _ => return Err(Fault::new("message/data port", "words of no size")),
        };
        for component in 0..count {
            let data = match (direction, bytes) {
                (Read, _) => [0; LANES],
                (Write, 4) => payload.lanes()?.map(u64::from),
                (Write, _) => payload.wide_lanes()?,
            };
            for lane in lanes(self.active) {
                let at = offsets[lane].wrapping_add((bytes * component) as u64);
                if direction == Write {
                    self.write(at, &data[lane].to_le_bytes()[..bytes])?;
                    continue;
                }
                let mut word = [0; 8];
                self.read(at, &mut word[..bytes])?;
                self.answer(component, lane, bytes == 8, u64::from_le_bytes(word));
            }
        }
        Ok(())
    }

    fn answer(&mut self, component: usize, lane: usize, wide: bool, value: u64) {
        if wide {
            put_wide(self.response, self.width, component, lane, value);
        } else {
            put(self.response, self.width, component, lane, value as u32);
        }
    }

    fn atomics(
        &mut self,
        atomic: Atomic,
        offsets: &Lanes<u64>,
        wide: bool,
        control: u32,
        payload: &mut Payload<'_>,
    ) -> Result<(), Fault> {
        let sources = sources(atomic, wide, payload)?;
        let bytes = if wide { 8 } else { 4 };
        for lane in lanes(self.active) {
            let sources = sources.map(|source| source[lane]);
            let mut change = |old| atomic.apply(wide, old, sources);
            let old = self.modify(offsets[lane], bytes, &mut change)?;
            if control >> 5 & 1 != 0 {
                self.answer(0, lane, wide, atomic.answer(wide, old));
            }
        }
        Ok(())
    }

    /// The image that a message is for, if it isn't in vain.
    fn image(&self) -> Result<Option<Surface>, Fault> {
        match &self.target {
            Target::Surface(surface) if surface.kind == SurfaceKind::Null => Ok(None),
            Target::Surface(surface) => {
                if matches!(surface.format.packing, Packing::Block(_)) {
                    let detail = format!("{:?} isn't accessed by texels", surface.format);
                    return Err(Fault::new("message/format", detail));
                }
                Ok(Some((*surface).clone()))
            }
            _ => Err(Fault::new("message/surface", "texels of no surface")),
        }
    }

    fn typed(
        &mut self,
        direction: Direction,
        control: u32,
        payload: &mut Payload<'_>,
    ) -> Result<(), Fault> {
        let channels = (0..4).filter(|channel| control >> channel & 1 == 0);
        let image = self.image()?;
        let stored = if direction == Write { channels.clone().count() } else { 0 };
        let texels = coordinates(payload, stored)?;
        let mut data = [[0; LANES]; 4];
        if direction == Write {
            for channel in channels.clone() {
                data[channel] = payload.lanes()?;
            }
        }
        for lane in lanes(self.active) {
            let place = image.as_ref().and_then(|image| {
                let at = texel_address(image, texels.map(|lanes| lanes[lane]))?;
                Some((image.format, PpgttAddress(at).truncated()))
            });
            let mut buffer = [0; LARGEST_ELEMENT];
            let bytes = place.map_or(0, |(format, _)| format.bytes() as usize).min(LARGEST_ELEMENT);
            let texel = &mut buffer[..bytes];
            if direction == Write {
                if let Some((format, at)) = place {
                    format.encode(data.map(|channel| channel[lane]), texel);
                    self.memory.write(at, texel)?;
                }
                continue;
            }
            let color = match place {
                Some((format, at)) => {
                    self.memory.read(at, texel)?;
                    format.decode(texel)
                }
                None => [0; 4],
            };
            for (component, channel) in channels.clone().enumerate() {
                put(self.response, self.width, component, lane, color[channel]);
            }
        }
        Ok(())
    }

    fn typed_atomics(&mut self, control: u32, payload: &mut Payload<'_>) -> Result<(), Fault> {
        let atomic = Atomic::integer(control & 0xf)?;
        let image = self.image()?;
        if let Some(image) = &image
            && image.format.bytes() != 4
        {
            let detail = format!("atomic operations on {:?}", image.format);
            return Err(Fault::new("message/format", detail));
        }
        let texels = coordinates(payload, atomic.sources())?;
        let sources = sources(atomic, false, payload)?;
        for lane in lanes(self.active) {
            let sources = sources.map(|source| source[lane]);
            let at = image
                .as_ref()
                .and_then(|image| texel_address(image, texels.map(|lanes| lanes[lane])));
            let old = match at {
                Some(at) => {
                    let at = PpgttAddress(at & !3).truncated();
                    self.memory.modify(at, 4, &mut |old| atomic.apply(false, old, sources))?
                }
                None => 0,
            };
            if control >> 5 & 1 != 0 {
                self.answer(0, lane, false, atomic.answer(false, old));
            }
        }
        Ok(())
    }
}

/// How many of `bytes` at `offset` lie within `size`.
fn clip(size: u64, offset: u64, bytes: usize) -> usize {
    size.saturating_sub(offset).min(bytes as u64) as usize
}

fn sources(
    atomic: Atomic,
    wide: bool,
    payload: &mut Payload<'_>,
) -> Result<[Lanes<u64>; 2], Fault> {
    let mut sources = [[0; LANES]; 2];
    for source in sources.iter_mut().take(atomic.sources()) {
        *source = if wide { payload.wide_lanes()? } else { payload.lanes()?.map(u64::from) };
    }
    Ok(sources)
}

/// u, v and r, as many as there are in front of `data` registers; the others are 0.
fn coordinates(payload: &mut Payload<'_>, data: usize) -> Result<[Lanes<u32>; 3], Fault> {
    let mut coordinates = [[0; LANES]; 3];
    let count = payload.rest().len().saturating_sub(data).clamp(1, 3);
    for axis in coordinates.iter_mut().take(count) {
        *axis = payload.lanes()?;
    }
    Ok(coordinates)
}

/// Where a texel of the level that is rendered to lies, if there is one.
fn texel_address(image: &Surface, [u, v, r]: [u32; 3]) -> Option<u64> {
    if image.is_buffer() {
        let offset = u64::from(u) * u64::from(image.pitch);
        return (u64::from(u) < image.elements).then(|| image.base.wrapping_add(offset));
    }
    let level = image.layout.level(image.render_level);
    let (y, layer) = match image.kind {
        SurfaceKind::Line => (0, v),
        _ => (v, r),
    };
    let layered = image.array || matches!(image.kind, SurfaceKind::Volume | SurfaceKind::Cube);
    let layer = if layered { layer } else { 0 };
    if u >= level.width || y >= level.height || layer >= image.render_layers {
        return None;
    }
    let layer = image.first_layer.wrapping_add(layer);
    if image.kind == SurfaceKind::Volume && layer >= level.depth {
        return None;
    }
    Some(image.layout.address(image.render_level, u, y, layer, 0))
}
