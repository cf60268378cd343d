//! Contexts: what an application submits to, and the queues of the GPU behind it.
//!
//! ```text
//!  context ── engine map: slot 0 ► RCS, slot 1 ► RCS, ...      (or the old selectors: render, video, blitter, ...)
//!     │          each slot has a queue of its own, opened when it is first used
//!     └────── address space
//! ```

use std::collections::HashMap;

use guest_shim::client::Point;
use guest_shim::wire::ContextName;
use rustix::io::Errno;

use crate::gpu::{Gpu, Result};
use crate::uapi::i915::{self, Engine};

/// A space, for as long as the DRM file lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SpaceId(pub(crate) u64);

/// No engine at this place of a map.
const NO_ENGINE: u16 = u16::MAX;
/// As many batches of a recoverable context may be lost before it is banned.
const LOSSES_UNTIL_BAN: u64 = 3;

/// Which engine a batch is for: a slot of the map, or an engine of the device by an old selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Selector(u16);

/// A queue of the GPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) name: ContextName,
    pub(crate) class: u16,
    /// The last batch.
    pub(crate) last: Option<Point>,
}

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) space: SpaceId,
    pub(crate) engines: Option<Vec<Option<u16>>>,
    pub(crate) queues: HashMap<Selector, Queue>,
    pub(crate) priority: i16,
    pub(crate) recoverable: bool,
    pub(crate) bannable: bool,
    pub(crate) persistent: bool,
    pub(crate) captured: bool,
    /// Batches keep their order over all engines.
    pub(crate) one_timeline: bool,
    /// Somebody has used or asked about it: space and engines stay as they are.
    pub(crate) settled: bool,
    banned: bool,
    /// What the GPU had refused when the losses were last asked for.
    refusals: u64,
}

impl Context {
    pub(crate) fn new(space: SpaceId) -> Self {
        Self {
            space,
            engines: None,
            queues: HashMap::new(),
            priority: 0,
            recoverable: true,
            bannable: true,
            persistent: true,
            captured: true,
            one_timeline: false,
            settled: false,
            banned: false,
            refusals: 0,
        }
    }

    /// The engine that the flags of EXECBUFFER2 mean: which slot, and the engine's number on the wire.
    pub(crate) fn select(&self, gpu: &dyn Gpu, flags: u64) -> Result<(Selector, u16)> {
        let slot = (flags & i915::EXEC_RING_MASK) as u16;
        if let Some(engines) = &self.engines {
            let engine = engines.get(usize::from(slot)).copied().flatten();
            return engine.map(|engine| (Selector(slot), engine)).ok_or(Errno::INVAL);
        }
        let bsd = flags & i915::EXEC_BSD_MASK;
        if slot != 2 && bsd != 0 {
            return Err(Errno::INVAL);
        }
        // I915_EXEC_DEFAULT, RENDER, BSD, BLT, VEBOX.
        let class = match slot {
            0 | 1 => 0,
            2 => 2,
            3 => 1,
            4 => 3,
            _ => return Err(Errno::INVAL),
        };
        let instance = if bsd >> 13 == 2 { 1 } else { 0 };
        let several = gpu.device().engines().filter(|engine| engine.class == class).count();
        let instance = if several > 1 { instance } else { 0 };
        let engine = number(gpu, Engine { class, instance }).ok_or(Errno::INVAL)?;
        // Selectors 0 and 1 are one queue.
        Ok((Selector(engine), engine))
    }

    /// What a batch comes after although other queues have it.
    pub(crate) fn timeline(&self, selector: Selector) -> Vec<Point> {
        let others = self.queues.iter().filter(|(of, _)| self.one_timeline && **of != selector);
        others.filter_map(|(_, queue)| queue.last).collect()
    }

    /// Whether batches are still accepted. It asks the GPU only if it has refused something since.
    pub(crate) fn check(&mut self, gpu: &dyn Gpu) -> Result<()> {
        let refusals = gpu.refusals();
        if self.refusals != refusals {
            self.refusals = refusals;
            let (own, _) = self.losses(gpu)?;
            let most = if self.recoverable { LOSSES_UNTIL_BAN } else { 1 };
            self.banned |= own >= most && (self.bannable || !self.recoverable);
        }
        if self.banned { Err(Errno::IO) } else { Ok(()) }
    }

    /// How many batches were lost: through their own fault, and through others'.
    pub(crate) fn losses(&self, gpu: &dyn Gpu) -> Result<(u64, u64)> {
        let mut sum = (0, 0);
        for queue in self.queues.values() {
            let lost = gpu.lost(queue.name)?;
            sum = (sum.0 + lost.own, sum.1 + lost.innocent);
        }
        Ok(sum)
    }
}

/// An engine's number on the wire.
pub(crate) fn number(gpu: &dyn Gpu, wanted: Engine) -> Option<u16> {
    let place = gpu
        .device()
        .engines()
        .position(|engine| engine.class == wanted.class && engine.instance == wanted.instance)?;
    u16::try_from(place).ok()
}

/// An engine map as an application gives it.
pub(crate) fn engine_map(gpu: &dyn Gpu, engines: &[Engine]) -> Result<Vec<Option<u16>>> {
    let entry = |engine: &Engine| match engine {
        Engine { class: NO_ENGINE, instance: NO_ENGINE } => Ok(None),
        engine => number(gpu, *engine).map(Some).ok_or(Errno::NOENT),
    };
    engines.iter().map(entry).collect()
}
