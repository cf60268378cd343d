//! What shaders send to the sampler and the data ports, and what these answer.
//!
//! ```text
//!  Message ─► shared function ─┬─ sampler ──► Texture ─► texel cache ─┐
//!                              └─ data ports ─► Target ───────────────┴─► memory, or the group's own
//!                 binding table ─► Surface
//!                 sampler table ─► Sampler
//! ```
//!
//! States are read once and kept, and so are the texels that samplers read, until [`Resources::invalidate`]. Data
//! ports read and write memory itself. What lies outside of a buffer or an image reads as 0, and writes to it are
//! dropped; a stateless address that isn't mapped is a fault. Each message does a bounded amount of work: a few
//! texels or words for each lane.
//!
//! Not modelled, and a fault: SIMD4x2 and SIMD32 samples, atomic counters, media blocks.
//!
//! Source: SKL PRM vol 7 (3D-Media-GPGPU: shared functions), vol 9 (3D Sampler).

mod atomic;
mod data_port;
mod payload;
mod sampler;

use crate::address::PpgttAddress;
use crate::command::streamer::Fault;
use crate::eu::{Grf, Message, SharedFunction};
use crate::memory::PpgttMemory;
use crate::surface::{SAMPLER_DWORDS, SURFACE_DWORDS, Sampler, Surface, TexelCache, Wrap};

/// Where a thread's resources are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    /// Surface state base: of binding tables and the states that they name.
    pub surface: u64,
    /// Dynamic state base: of sampler states and border colours.
    pub dynamic: u64,
    /// General state base: of scratch space and stateless offsets.
    pub general: u64,
    /// Bindless surface state base.
    pub bindless: u64,
    /// How many bindless surface states there are.
    pub bindless_states: u32,
    /// The stage's binding table, from [`Self::surface`].
    pub binding_table: u32,
    /// The stage's sampler states, from [`Self::dynamic`].
    pub sampler_table: u32,
}

/// A sampler's state with the colour beyond the edges.
#[derive(Clone, Copy, Debug)]
struct BoundSampler {
    sampler: Sampler,
    border: [u32; 4],
}

/// States as they were decoded, each at the one place where its address puts it.
#[derive(Debug)]
struct Kept<T> {
    entries: Box<[Option<(u64, T)>]>,
}

impl<T> Kept<T> {
    const PLACES: usize = 64;

    fn new() -> Self {
        Self { entries: (0..Self::PLACES).map(|_| None).collect() }
    }

    fn forget(&mut self) {
        self.entries.fill_with(|| None);
    }

    /// What is kept for `key`; if nothing is, what `make` makes.
    fn get(
        &mut self,
        key: u64,
        place: u64,
        make: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<&T, Fault> {
        let entry = &mut self.entries[place as usize % Self::PLACES];
        // What is kept for another key is in the way.
        if entry.as_ref().is_some_and(|(kept, _)| *kept != key) {
            *entry = None;
        }
        let (_, value) = match entry {
            Some(kept) => kept,
            None => entry.insert((key, make()?)),
        };
        Ok(value)
    }
}

/// What a thread's messages need. One for each thread of the renderer.
#[derive(Debug)]
pub struct Resources {
    /// Where states are. They are the caller's to set, before a thread of another stage or with other state runs.
    pub bases: Bases,
    /// Whether each four lanes are a quad of pixels, so that there are derivatives. Without, implicit levels of detail
    /// are 0.
    pub quads: bool,
    surfaces: Kept<Surface>,
    samplers: Kept<BoundSampler>,
    texels: TexelCache,
}

impl Resources {
    /// Resources of which nothing is known yet.
    #[must_use]
    pub fn new(bases: Bases, quads: bool) -> Self {
        Self {
            bases,
            quads,
            surfaces: Kept::new(),
            samplers: Kept::new(),
            texels: TexelCache::default(),
        }
    }

    /// Forgets states and texels, as they may have changed in memory.
    pub fn invalidate(&mut self) {
        self.surfaces.forget();
        self.samplers.forget();
        self.texels.invalidate();
    }

    /// Does what `message` asks; see [`SharedFunctions::send`](crate::eu::SharedFunctions::send). `shared` is the
    /// memory that the threads of a group share: empty, if there is none.
    ///
    /// # Errors
    /// A fault: memory that isn't mapped, a state or a message that means nothing, or a function other than the sampler
    /// and the data ports.
    pub fn send(
        &mut self,
        memory: &mut dyn PpgttMemory,
        shared: &mut [u8],
        message: &Message<'_>,
        response: &mut [Grf],
    ) -> Result<(), Fault> {
        match message.function {
            SharedFunction::Sampler => sampler::send(self, memory, message, response),
            SharedFunction::SamplerDataPort
            | SharedFunction::ConstantDataPort
            | SharedFunction::DataPort0
            | SharedFunction::DataPort1 => data_port::send(self, memory, shared, message, response),
            other => Err(Fault::new("message/function", format!("{other:?} isn't here"))),
        }
    }
}

/// Names of surfaces that aren't in binding tables.
mod binding {
    /// The bindless surface that the extended descriptor names.
    pub(super) const BINDLESS: u32 = 252;
    /// All memory, without coherence.
    pub(super) const STATELESS_NON_COHERENT: u32 = 253;
    /// The memory that a group shares.
    pub(super) const SHARED: u32 = 254;
    /// All memory.
    pub(super) const STATELESS: u32 = 255;
}

fn dword(memory: &mut dyn PpgttMemory, at: u64) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    memory.read(PpgttAddress(at).truncated(), &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn dwords<const N: usize>(memory: &mut dyn PpgttMemory, at: u64) -> Result<[u32; N], Fault> {
    let mut dwords = [[0; 4]; N];
    memory.read(PpgttAddress(at).truncated(), dwords.as_flattened_mut())?;
    Ok(dwords.map(u32::from_le_bytes))
}

/// The surface that a message names.
fn surface<'a>(
    surfaces: &'a mut Kept<Surface>,
    bases: &Bases,
    memory: &mut dyn PpgttMemory,
    message: &Message<'_>,
) -> Result<&'a Surface, Fault> {
    let index = message.descriptor & 0xff;
    let bindless = index == binding::BINDLESS;
    // Tables are aligned to 32 bytes and states to 64: the lowest bit tells them apart.
    let (entry, place) = if bindless {
        let number = message.extended >> 12;
        if number >= bases.bindless_states {
            let detail = format!("bindless surface {number} of {}", bases.bindless_states);
            return Err(Fault::new("message/surface", detail));
        }
        (bases.bindless.wrapping_add(u64::from(number) << 6), u64::from(number))
    } else {
        let table = bases.surface.wrapping_add(bases.binding_table.into());
        (table.wrapping_add(4 * u64::from(index)), u64::from(index))
    };
    surfaces.get(entry | u64::from(bindless), place, || {
        let state = if bindless {
            entry
        } else {
            bases.surface.wrapping_add(u64::from(dword(memory, entry)? & !0x3f))
        };
        let state: [u32; SURFACE_DWORDS] = dwords(memory, state)?;
        Ok(Surface::decode(&state)?)
    })
}

/// The sampler whose state is `offset` from the base of dynamic state.
fn bound_sampler<'a>(
    samplers: &'a mut Kept<BoundSampler>,
    bases: &Bases,
    memory: &mut dyn PpgttMemory,
    offset: u32,
) -> Result<&'a BoundSampler, Fault> {
    let at = bases.dynamic.wrapping_add(offset.into());
    samplers.get(at, u64::from(offset >> 4), || {
        let state: [u32; SAMPLER_DWORDS] = dwords(memory, at)?;
        let sampler = Sampler::decode(&state);
        let has_border =
            sampler.wrap.iter().any(|wrap| matches!(wrap, Wrap::Border | Wrap::HalfBorder));
        let border = if has_border {
            dwords(memory, bases.dynamic.wrapping_add(sampler.border.into()))?
        } else {
            [0; 4]
        };
        Ok(BoundSampler { sampler, border })
    })
}

#[cfg(test)]
mod tests;
