//! Which host context has the state of a guest's context.
//!
//! Hardware keeps a context's state in its image, in guest memory. Here it lies in a context of the host's driver, and the
//! image holds a *nonce* that leads there. A nonce is good for one use: each job's end leaves a new one. So an image that
//! was copied, kept or made up leads to a fresh context, never to a state that belongs to another one; and a nonce is only
//! looked for among those of its own space and engine.
//!
//! ```text
//!  job begins: image ──nonce──► idle host context, or a fresh one
//!  job ends:   host context is idle again, under a new nonce ──► image
//! ```
//!
//! While a context has jobs under way, its next ones follow in the same host context: its image can't have the nonce yet.

use std::hash::{BuildHasher, Hasher, RandomState};

use foldhash::HashMap;
use gpu_intel_i915::{ContextSetup, Device, HostContext};
use mediator::{ContextId, GuestAddress, GuestRam};

use crate::engine::Engine;

/// Idle host contexts that one space keeps: the least recently used one goes first.
const IDLE_CONTEXTS: usize = 128;

/// Page of the image with the registers, and where in it the engine's own state begins (see the model's image).
const REGISTER_PAGE: usize = 1;
const PRIVATE: u64 = 4 * 0x200;
const MAGIC: [u32; 2] = [u32::from_le_bytes(*b"vgat"), u32::from_le_bytes(*b"host")];
const VERSION: u32 = 1;
/// Magic, version, engine, nonce.
const WORDS: usize = 6;

/// What an image leads to its state by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonce(u64);

/// The nonce that an image has, read once.
pub(super) fn nonce_in(ram: &GuestRam, image: &[GuestAddress], engine: Engine) -> Option<Nonce> {
    let at = GuestAddress(image.get(REGISTER_PAGE)?.0.checked_add(PRIVATE)?);
    let mut bytes = [0; 4 * WORDS];
    ram.read(at, &mut bytes).ok()?;
    let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let header = [MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0)];
    if !header.into_iter().all(|dword| words.next() == Some(dword)) {
        return None;
    }
    Some(Nonce(u64::from(words.next()?) | u64::from(words.next()?) << 32))
}

/// Leaves a nonce in an image. A guest that has taken its image away loses the state.
pub(super) fn leave(ram: &GuestRam, image: &[GuestAddress], engine: Engine, Nonce(nonce): Nonce) {
    let Some(page) = image.get(REGISTER_PAGE) else { return };
    let words =
        [MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0), nonce as u32, (nonce >> 32) as u32];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let _ = ram.write(GuestAddress(page.0.wrapping_add(PRIVATE)), &bytes);
}

#[derive(Debug)]
struct Idle {
    host: HostContext,
    since: u64,
}

#[derive(Debug)]
struct Busy {
    jobs: u32,
    /// Its state is lost: nothing follows in it.
    lost: bool,
}

/// The host contexts of one space.
#[derive(Debug)]
pub(super) struct Contexts {
    idle: HashMap<(Engine, Nonce), Idle>,
    busy: HashMap<HostContext, Busy>,
    /// Where a guest's context runs, while it does.
    runs_in: HashMap<ContextId, HostContext>,
    nonces: RandomState,
    next: u64,
}

impl Contexts {
    pub(super) fn new() -> Self {
        Self {
            idle: HashMap::default(),
            busy: HashMap::default(),
            runs_in: HashMap::default(),
            nonces: RandomState::new(),
            next: 0,
        }
    }

    /// The host context in which a job of `context` begins: that of its job before, if that is still under way, that of
    /// its `nonce`, or a fresh one.
    ///
    /// # Errors
    /// What the driver says when it has no more.
    pub(super) fn begin<D: Device>(
        &mut self,
        device: &D,
        context: ContextId,
        engine: Engine,
        nonce: Option<Nonce>,
        restore: bool,
        setup: &ContextSetup,
    ) -> std::io::Result<HostContext> {
        let before = self.runs_in.get(&context).copied().filter(|_| restore);
        if let Some(host) = before
            && let Some(busy) = self.busy.get_mut(&host)
            && !busy.lost
        {
            busy.jobs += 1;
            return Ok(host);
        }
        let known = nonce.and_then(|nonce| self.idle.remove(&(engine, nonce)));
        let host = match known {
            Some(idle) => idle.host,
            None => device.open_context(setup)?,
        };
        self.busy.insert(host, Busy { jobs: 1, lost: false });
        self.runs_in.insert(context, host);
        Ok(host)
    }

    /// A job has ended. If its host context has no other and is still good and to be kept, the nonce that leads to it.
    pub(super) fn end<D: Device>(
        &mut self,
        device: &D,
        context: ContextId,
        engine: Engine,
        host: HostContext,
        keep: bool,
    ) -> Option<Nonce> {
        let busy = self.busy.get_mut(&host)?;
        busy.jobs = busy.jobs.saturating_sub(1);
        if busy.jobs > 0 {
            return None;
        }
        let lost = busy.lost;
        self.busy.remove(&host);
        if self.runs_in.get(&context) == Some(&host) {
            self.runs_in.remove(&context);
        }
        if lost {
            return None;
        }
        if !keep {
            device.close_context(host);
            return None;
        }
        self.next = self.next.wrapping_add(1);
        let mut hasher = self.nonces.build_hasher();
        hasher.write_u64(self.next);
        let nonce = Nonce(hasher.finish());
        if self.idle.len() >= IDLE_CONTEXTS
            && let Some(oldest) =
                self.idle.iter().min_by_key(|(_, idle)| idle.since).map(|(key, _)| *key)
            && let Some(idle) = self.idle.remove(&oldest)
        {
            device.close_context(idle.host);
        }
        self.idle.insert((engine, nonce), Idle { host, since: self.next });
        Some(nonce)
    }

    /// A host context is closed, and what runs in it with it, if the host can do that.
    pub(super) fn lose<D: Device>(&mut self, device: &D, host: HostContext) {
        if let Some(busy) = self.busy.get_mut(&host)
            && !std::mem::replace(&mut busy.lost, true)
        {
            device.close_context(host);
        }
    }

    /// Whether a host context was lost while jobs of it are under way.
    pub(super) fn is_lost(&self, host: HostContext) -> bool {
        self.busy.get(&host).is_none_or(|busy| busy.lost)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.idle.len() + self.busy.len()
    }

    /// Closes them all.
    pub(super) fn clear<D: Device>(&mut self, device: &D) {
        let idle = self.idle.drain().map(|(_, idle)| idle.host);
        let busy = self.busy.drain().filter(|(_, busy)| !busy.lost).map(|(host, _)| host);
        idle.chain(busy).for_each(|host| device.close_context(host));
        self.runs_in.clear();
    }
}
