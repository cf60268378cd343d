//! The context image (LRC): where the guest's driver keeps a context's ring, page tables and state.
//!
//! ```text
//!  page 0  per-process status page
//!  page 1  register state: the part below is read and written here
//!  rest    the engine's own state: silicon's, see silicon::Batch
//! ```
//!
//! Hostile input: each field is read once, checked, and then used from the copy.
//! Source: SKL PRM vol 7 (logical ring context format), i915's register state layout for Gen9.

use mediator::{GuestAddress, GuestRam, Reason, SpaceRoot};
use serde::{Deserialize, Serialize};

use super::execlist::Descriptor;
use super::ggtt::Ggtt;
use super::saved::guest_addresses;
use crate::address::GgttAddress;
use crate::command::opcode;
use crate::engine::Engine;
use crate::silicon::{BATCH_POSITION, Position};

/// Dwords of page 1 that are read at a context's start.
const READ: usize = 0x34;
/// Places in page 1, as dword indices of the values.
const CONTROL: usize = 0x03;
const HEAD: usize = 0x05;
const TAIL: usize = 0x07;
const RING_START: usize = 0x09;
const RING_CONTROL: usize = 0x0B;
const PER_CONTEXT_BATCH: usize = 0x19;
const INDIRECT_CONTEXT: usize = 0x1B;
const TIMESTAMP: usize = 0x23;
/// Bit 0 of the context control: there is no state yet.
const RESTORE_INHIBIT: u32 = 1;
/// Bytes of MI_BATCH_BUFFER_START.
const BATCH_START_BYTES: u32 = 12;
/// Page directory pointers: low dwords of PDP0 to PDP3; the high dword is two before.
const PDP_LOW: [usize; 4] = [0x33, 0x2F, 0x2B, 0x27];

/// Pages of an image that belong to the engine.
fn pages(engine: Engine) -> u64 {
    match engine {
        Engine::Render => 22,
        _ => 2,
    }
}

/// What the image says, read once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextImage {
    /// Guest-physical pages of the image.
    #[serde(with = "guest_addresses")]
    pub(crate) pages: Vec<GuestAddress>,
    /// Page tables.
    pub(crate) space: SpaceRoot,
    /// The engine must not load its state from the image: the context is new.
    pub(crate) inhibit_restore: bool,
    /// Work-around commands at context load: where, and bytes.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) indirect: Option<(GgttAddress, usize)>,
    /// Batch that runs after each context load.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) per_context_batch: Option<GgttAddress>,
    /// The batch that the context was interrupted in.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) interrupted: Option<Position>,
    control: u32,
    /// Bytes from the ring's start where the commands begin and end.
    head: u32,
    tail: u32,
    ring: GgttAddress,
    ring_size: u32,
    timestamp: u32,
}

impl ContextImage {
    /// Reads the image that `descriptor` names.
    pub(crate) fn load(
        descriptor: Descriptor,
        engine: Engine,
        ggtt: &Ggtt,
        ram: &GuestRam,
    ) -> Result<Self, Reason> {
        let base = descriptor.image();
        let pages: Option<Vec<_>> =
            (0..pages(engine)).map(|n| ggtt.translate(GgttAddress(base.0 + n * 4096))).collect();
        let pages = pages
            .ok_or_else(|| bad("context/unmapped", base, "has pages that the GGTT does not map"))?;
        let mut bytes = [0; READ * 4];
        ram.read(registers_page(&pages), &mut bytes)
            .map_err(|error| bad("context/unreadable", base, &error.to_string()))?;
        let dword = |index: usize| {
            bytes
                .get(index * 4..)
                .and_then(<[u8]>::first_chunk)
                .map_or(0, |b| u32::from_le_bytes(*b))
        };

        let levels = descriptor.levels();
        let mut entries = [0; 4];
        let used = if levels == 4 { 1 } else { 4 };
        for (entry, low) in entries.iter_mut().zip(PDP_LOW).take(used) {
            *entry = u64::from(dword(low - 2)) << 32 | u64::from(dword(low));
        }
        let render = engine == Engine::Render;
        let indirect = dword(INDIRECT_CONTEXT);
        let per_context = dword(PER_CONTEXT_BATCH);
        let mut image = Self {
            pages,
            space: SpaceRoot { levels, entries },
            inhibit_restore: dword(CONTROL) & RESTORE_INHIBIT != 0,
            indirect: (render && indirect & 0x3F != 0).then(|| {
                (GgttAddress(u64::from(indirect & !0x3F)), (indirect & 0x3F) as usize * 64)
            }),
            per_context_batch: (render && per_context & 1 != 0)
                .then(|| GgttAddress(u64::from(per_context & !0xFFF))),
            interrupted: Position::decode(std::array::from_fn(|n| dword(BATCH_POSITION + 2 * n))),
            control: dword(CONTROL),
            head: dword(HEAD) & 0x1F_FFFC,
            tail: dword(TAIL) & 0x1F_FFF8,
            ring: GgttAddress(u64::from(dword(RING_START) & !0xFFF)),
            ring_size: ((dword(RING_CONTROL) >> 12 & 0x1FF) + 1) * 4096,
            timestamp: dword(TIMESTAMP),
        };
        image.check(base)?;
        if image.inhibit_restore || !image.stands_behind_a_batch_start(ggtt, ram) {
            image.interrupted = None;
        }
        Ok(image)
    }

    /// Whether the command before the ring's head starts a batch. A driver that gives up on a batch (it was reset)
    /// moves the head and leaves the rest of the image as it was.
    fn stands_behind_a_batch_start(&self, ggtt: &Ggtt, ram: &GuestRam) -> bool {
        let at = self.back(self.head, BATCH_START_BYTES);
        let Some(at) = ggtt.translate(GgttAddress(self.ring.0 + u64::from(at))) else {
            return false;
        };
        ram.read_u32(at).is_ok_and(|dword| dword >> 23 == opcode::BATCH_BUFFER_START)
    }

    /// A place so many bytes before another in the ring.
    fn back(&self, from: u32, bytes: u32) -> u32 {
        (from + self.ring_size).saturating_sub(bytes) % self.ring_size
    }

    /// Where the ring's commands stand if so many bytes are left before the tail.
    pub(crate) fn head_before_tail(&self, bytes: u32) -> u32 {
        self.back(self.tail, bytes)
    }

    fn check(&self, base: GgttAddress) -> Result<(), Reason> {
        if self.head >= self.ring_size || self.tail >= self.ring_size {
            return Err(bad("context/ring", base, "has a ring head or tail outside of the ring"));
        }
        Ok(())
    }

    /// Whether [`load`](Self::load) could have read this from an image of `descriptor`, whatever the guest wrote there.
    pub(crate) fn is_possible(&self, descriptor: Descriptor, engine: Engine) -> bool {
        let page = |at: u64| at & 0xFFF == 0 && at < 1 << 48;
        self.pages.len() as u64 == pages(engine)
            && self.pages.iter().all(|at| page(at.0))
            && self.space.levels == descriptor.levels()
            && page(self.ring.0)
            && u32::try_from(self.ring.0).is_ok()
            && (4096..=512 * 4096).contains(&self.ring_size)
            && self.ring_size & 0xFFF == 0
            && (self.head | self.tail) & 3 == 0
            && self.check(descriptor.image()).is_ok()
    }

    /// Reads the tail again (the guest has added commands); the ring commands between the old one and it.
    pub(crate) fn extend(
        &mut self,
        base: GgttAddress,
        ggtt: &Ggtt,
        ram: &GuestRam,
    ) -> Result<Vec<u32>, Reason> {
        let at = GuestAddress(registers_page(&self.pages).0 + TAIL as u64 * 4);
        let tail = ram
            .read_u32(at)
            .map_err(|error| bad("context/unreadable", base, &error.to_string()))?;
        self.head = self.tail;
        self.tail = tail & 0x1F_FFF8;
        self.check(base)?;
        self.commands(ggtt, ram)
    }

    /// The ring commands from head to tail, copied once.
    pub(crate) fn commands(&self, ggtt: &Ggtt, ram: &GuestRam) -> Result<Vec<u32>, Reason> {
        let bytes = if self.tail >= self.head {
            self.tail - self.head
        } else {
            self.ring_size - self.head + self.tail
        };
        let mut dwords = Vec::with_capacity(bytes as usize / 4);
        let first = bytes.min(self.ring_size - self.head);
        copy(ggtt, ram, GgttAddress(self.ring.0 + u64::from(self.head)), first, &mut dwords)?;
        copy(ggtt, ram, self.ring, bytes - first, &mut dwords)?;
        Ok(dwords)
    }

    /// Writes back what the engine changes in the ring's part: how far it came, that time has passed, and, unless the
    /// context is still `fresh`, that there is state to be restored from now on.
    pub(crate) fn save(&self, ram: &GuestRam, head: u32, ticks: u32, fresh: bool) {
        let page = registers_page(&self.pages).0;
        let inhibit = if fresh { 0 } else { RESTORE_INHIBIT };
        for (index, value) in [
            (HEAD, head),
            (CONTROL, self.control & !inhibit),
            (TIMESTAMP, self.timestamp.wrapping_add(ticks)),
        ] {
            // A guest that unmapped its own image loses what would have been written there.
            let _ = ram.write_u32(GuestAddress(page + index as u64 * 4), value);
        }
    }

    /// Ring start, head and tail, as the engine's ring registers show them.
    pub(crate) fn ring(&self) -> (u32, u32, u32) {
        (self.ring.0 as u32, self.head, self.tail)
    }
}

fn registers_page(pages: &[GuestAddress]) -> GuestAddress {
    pages.get(1).copied().unwrap_or(GuestAddress(u64::MAX - 0xFFF))
}

fn bad(rule: &'static str, base: GgttAddress, what: &str) -> Reason {
    Reason::new(rule, format!("the context image at {:#x} {what}", base.0))
}

/// Appends `bytes` of the GGTT from `at`, as dwords.
pub(crate) fn copy(
    ggtt: &Ggtt,
    ram: &GuestRam,
    mut at: GgttAddress,
    mut bytes: u32,
    to: &mut Vec<u32>,
) -> Result<(), Reason> {
    let mut page = [0; 4096];
    while bytes > 0 {
        let here = bytes.min(4096 - (at.0 & 0xFFF) as u32);
        let unreadable =
            || Reason::new("ring/unmapped", format!("no memory behind global address {:#x}", at.0));
        let physical = ggtt.translate(at).ok_or_else(unreadable)?;
        let slice = page.get_mut(..here as usize).ok_or_else(unreadable)?;
        ram.read(physical, slice).map_err(|_| unreadable())?;
        to.extend(slice.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)));
        at.0 += u64::from(here);
        bytes -= here;
    }
    Ok(())
}
