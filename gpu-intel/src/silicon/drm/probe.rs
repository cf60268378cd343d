//! What the host has: driver, part, engines, topology, and what its scheduler can do.
//!
//! What vgate can't do without is missing with an error that names it and what helps. What it can, is a [`Feature`]
//! with a defined fall-back.

use std::fmt;
use std::io;

use gpu_intel_i915::{ContextSetup, Device, EngineName, HostSpace, parameter, query};
use guest_shim::wire::{MOST_SLICES, MOST_SUBSLICES, Topology};
use rustix::io::Errno;

use crate::engine::Engine;
use crate::platform::{Part, Platform};

/// Bits of a full address space.
const SPACE_BYTES: u64 = 1 << 48;
/// Of [`parameter::HAS_SCHEDULER`].
const PRIORITIES: i32 = 1 << 1;
const PREEMPTION: i32 = 1 << 2;
/// Of [`parameter::HAS_GPU_RESET`]: single engines.
const ENGINE_RESET: i32 = 2;

/// Device ids of parts: those whose bits under a mask are these. Source: include/drm/intel/pciids.h.
const PARTS: &[(u16, u16, Platform)] = &[
    (0xff00, 0x1900, Platform::Skylake),
    (0xff00, 0x5900, Platform::KabyLake),
    (0xffff, 0x87C0, Platform::KabyLake),
    (0xfff0, 0x3E90, Platform::CoffeeLake),
    (0xfff0, 0x3EA0, Platform::CoffeeLake),
    (0xffff, 0x87CA, Platform::CoffeeLake),
    (0xff00, 0x9B00, Platform::CoffeeLake),
    (0xffff, 0x0A84, Platform::Broxton),
    (0xfffe, 0x1A84, Platform::Broxton),
    (0xfffe, 0x5A84, Platform::Broxton),
];

/// Why a host can't execute for guests.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It has another driver.
    #[error("the node is of the driver {0:?}: only \"i915\" executes for guests")]
    Driver(String),
    /// It is no Gen9.
    #[error(
        "8086:{0:04x} is no Gen9 that vgate knows: Skylake, Kaby Lake, Coffee Lake and Broxton are"
    )]
    Part(u16),
    /// Something is missing that nothing can stand in for.
    #[error("the host lacks {0}: {1}")]
    Missing(&'static str, &'static str),
    /// The driver refuses a question.
    #[error("the host's driver does not say {0}: {1}")]
    Silent(&'static str, #[source] io::Error),
}

/// What the host can do beyond what it must, and what is lost without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Contexts have priorities. Without: guests' work and the host's own are equal.
    pub priorities: bool,
    /// Work of a higher priority interrupts that of a lower one. Without: what runs, runs to its end.
    pub preemption: bool,
    /// Single engines can be reset. Without: a hang costs everybody's work on the GPU.
    pub engine_reset: bool,
    /// Closing a context ends its work (`I915_CONTEXT_PARAM_PERSISTENCE`). Without (`ENODEV`): a job that is killed
    /// goes on until the driver's heartbeat finds that it hangs.
    pub kill: bool,
    /// Fences can be gathered in timelines. vgate needs none.
    pub timelines: bool,
}

/// A host that can execute for guests.
#[derive(Clone, Debug)]
pub struct Host {
    /// Which part it is.
    pub platform: Platform,
    /// Which part of that.
    pub part: Part,
    /// What it can do beyond what it must.
    pub features: Features,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, part: Part { device, revision, topology }, .. } = self;
        write!(
            f,
            "{platform}, 8086:{device:04x} revision {revision:#04x}, slices: {}, subslices: {}, execution units: {}",
            topology.slices().count_ones(),
            topology.subslice_count(),
            topology.unit_count()
        )
    }
}

/// An engine as the host's driver names it.
pub(super) fn name_of(engine: Engine) -> EngineName {
    let class = match engine {
        Engine::Render => 0,
        Engine::Copy => 1,
        Engine::Video => 2,
        Engine::VideoEnhance => 3,
    };
    EngineName { class, instance: 0 }
}

/// What the device is, or why it can't be used.
///
/// # Errors
/// [`ProbeError`].
pub fn probe<D: Device>(device: &D) -> Result<Host, ProbeError> {
    let (driver, _) = device.driver().map_err(|e| ProbeError::Silent("who it is", e))?;
    if driver != "i915" {
        return Err(ProbeError::Driver(driver));
    }
    let parameter =
        |number, what| device.parameter(number).map_err(|e| ProbeError::Silent(what, e));
    let has = |number| device.parameter(number).is_ok_and(|value| value > 0);
    let device_id = parameter(parameter::CHIPSET_ID, "which part it drives")?;
    let device_id = u16::try_from(device_id).unwrap_or(0);
    let known = PARTS.iter().find(|(mask, id, _)| device_id & mask == *id);
    let &(.., platform) = known.ok_or(ProbeError::Part(device_id))?;
    let revision = u8::try_from(parameter(parameter::REVISION, "its revision")?).unwrap_or(0);

    for (number, what) in [
        (parameter::HAS_EXEC_SOFTPIN, "addresses of the program's choice (soft-pinning)"),
        (parameter::HAS_EXEC_FENCE, "fences that are files"),
        (parameter::HAS_EXEC_ASYNC, "buffers that don't wait for each other"),
    ] {
        if !has(number) {
            return Err(ProbeError::Missing(what, "Linux 6.1 and later have them"));
        }
    }
    let engines = query_engines(device)?;
    for engine in Engine::ALL {
        if !engines.contains(&name_of(engine)) {
            let help = "every vGPU shows rcs0, bcs0, vcs0 and vecs0, and the host has to have them";
            return Err(ProbeError::Missing(engine.info().name, help));
        }
    }
    let scheduler = device.parameter(parameter::HAS_SCHEDULER).unwrap_or(0);
    let resets = device.parameter(parameter::HAS_GPU_RESET).unwrap_or(0);
    let mut features = Features {
        priorities: scheduler & PRIORITIES != 0,
        preemption: scheduler & PREEMPTION != 0,
        engine_reset: resets >= ENGINE_RESET,
        kill: false,
        timelines: device.has_timelines().unwrap_or(false),
    };
    features.kill = try_space(device)?;
    let topology = query_topology(device)?;
    let part = Part { device: device_id, revision, topology };
    Ok(Host { platform, part, features })
}

/// Opens a space and a context as guests will get. Returns whether closing one ends its work.
fn try_space<D: Device>(device: &D) -> Result<bool, ProbeError> {
    let silent = |error| ProbeError::Silent("how to make an address space", error);
    let space = device.open_space().map_err(silent)?;
    let result = try_context(device, space);
    device.close_space(space);
    result
}

fn try_context<D: Device>(device: &D, space: HostSpace) -> Result<bool, ProbeError> {
    let silent = |error| ProbeError::Silent("how to make a context", error);
    let setup = |dies_with_work| ContextSetup {
        space,
        engine: name_of(Engine::Render),
        priority: None,
        dies_with_work,
    };
    let (context, kill) = match device.open_context(&setup(true)) {
        Ok(context) => (context, true),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NODEV) => {
            (device.open_context(&setup(false)).map_err(silent)?, false)
        }
        Err(error) => return Err(silent(error)),
    };
    let bytes = device.space_bytes(context);
    device.close_context(context);
    if bytes.map_err(silent)? < SPACE_BYTES {
        let help = "the host's driver must run with full page tables of four levels";
        return Err(ProbeError::Missing("address spaces of 48 bits", help));
    }
    Ok(kill)
}

/// Source: include/uapi/drm/i915_drm.h, `drm_i915_query_engine_info`.
fn query_engines<D: Device>(device: &D) -> Result<Vec<EngineName>, ProbeError> {
    const HEAD: usize = 16;
    const ENTRY: usize = 56;
    let silent = |error| ProbeError::Silent("which engines it has", error);
    let answer = device.query(query::ENGINES).map_err(silent)?;
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u16::from_le_bytes(*b))
    };
    let entries = answer.get(HEAD..).unwrap_or_default().chunks_exact(ENTRY);
    Ok(entries
        .map(|entry| EngineName { class: word(entry, 0), instance: word(entry, 2) })
        .collect())
}

/// Source: as above, `drm_i915_query_topology_info`: eight words, then a mask of slices, masks of subslices and of
/// units. Gen9's slices all have the same subslices.
fn query_topology<D: Device>(device: &D) -> Result<Topology, ProbeError> {
    const HEAD: usize = 16;
    let silent = |error| ProbeError::Silent("its topology", error);
    let answer = device.query(query::TOPOLOGY).map_err(silent)?;
    let word = |n: usize| {
        let bytes = answer.get(2 * n..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |b| usize::from(u16::from_le_bytes(*b)))
    };
    let (most_slices, most_subslices) = (word(1), word(2));
    let (subslices, subslice_stride, units, unit_stride) = (word(4), word(5), word(6), word(7));
    let byte = |at: usize| answer.get(HEAD + at).copied().unwrap_or_default();
    let slices = byte(0);
    let first = (slices.trailing_zeros() as usize).min(most_slices.saturating_sub(1));
    let mut all_units = [[0; MOST_SUBSLICES]; MOST_SLICES];
    for (slice, row) in all_units.iter_mut().enumerate().take(most_slices) {
        for (subslice, place) in row.iter_mut().enumerate().take(most_subslices) {
            *place = byte(units + (slice * most_subslices + subslice) * unit_stride);
        }
    }
    Ok(Topology::new(slices, byte(subslices + first * subslice_stride), all_units))
}
