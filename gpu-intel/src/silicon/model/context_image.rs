//! A context's state in its image, which lies in guest memory.
//!
//! Page 1 of the image holds registers in a form that drivers know, as pairs of offset and value behind a
//! LOAD_REGISTER_IMM header. Hardware keeps the rest of its state behind that, in a form of its own; so does the
//! model, in the upper half of page 1, which the image of every engine has:
//!
//! ```text
//!  dword 0x000  ring, page-directory pointers     the driver's and the virtual GPU's: not touched here, but for
//!        0x00d  where in its batch it stopped
//!        0x051  LRI header, 44 pairs              general-purpose registers and others
//!        0x200  magic, version, engine, predicate, count, count pairs, the blitter's setup
//! ```
//!
//! The render engine's image is longer: page 2 holds the state of the 3D pipeline, command by command.
//!
//! The guest may write anything to an image. All of it is numbers for registers on the white list; what doesn't carry
//! magic, version and engine is taken as no private state at all. The pairs that drivers know win over the private
//! ones, so that a driver (or the virtual GPU) can change them between two jobs.

use std::ops::Range;

use mediator::{GuestAddress, GuestRam};

use super::blitter::Setup;
use super::registers::Registers;
use super::render;
use crate::address::RegisterOffset;
use crate::command::registers::GPR;
use crate::command::streamer::{Fault, Streamer};
use crate::silicon::{BATCH_POSITION, Position};

const PAGE_DWORDS: usize = 1024;
const REGISTER_PAGE: usize = 1;
/// The page with the 3D pipeline's state, and how it begins: magic, version.
const RENDER_PAGE: usize = 2;
const RENDER_HEADER: [u32; 4] = [MAGIC[0], u32::from_le_bytes(*b"3d  "), 1, 0];

/// The second block of registers (SKL PRM vol 7, "Register state context"), header first.
const BLOCK: usize = 0x51;
const BLOCK_HEADER: u32 = 0x1100_1057;
const BLOCK_REGISTERS: usize = 44;
const BLOCK_END: usize = BLOCK + 1 + 2 * BLOCK_REGISTERS;
const BLOCK_BEFORE_GPR: [u32; 11] =
    [0x28, 0x9c, 0xc0, 0x178, 0x17c, 0x358, 0x170, 0x150, 0x154, 0x158, 0x41c];
const BLOCK_AFTER_GPR: u32 = 0x68;

const PRIVATE: usize = 0x200;
const MAGIC: [u32; 2] = [u32::from_le_bytes(*b"vgat"), u32::from_le_bytes(*b"ectx")];
const VERSION: u32 = 1;
/// Magic, version, engine, predicate, count.
const PRIVATE_HEADER: usize = 6;

/// The registers of the second block in their order, from the engine's base.
fn block() -> impl Iterator<Item = u32> {
    let general = (0..32).map(|i| GPR + 4 * i);
    BLOCK_BEFORE_GPR.into_iter().chain(general).chain([BLOCK_AFTER_GPR])
}

/// State that goes to the image and comes from it.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) registers: &'a mut Registers,
    pub(super) streamer: &'a mut Streamer,
    pub(super) setup: &'a mut Setup,
}

/// What an image held, beside registers, when all of the state was loaded from it.
#[derive(Debug)]
pub(super) struct Loaded {
    set_predicate: u8,
    setup: Setup,
}

impl Loaded {
    /// Whether the state is as it was loaded.
    pub(super) fn is(&self, state: &State<'_>) -> bool {
        !state.registers.is_written()
            && (self.set_predicate, self.setup) == (state.streamer.set_predicate, *state.setup)
    }
}

/// Loads the state from the image's `pages`. Nothing is returned if the image would not do to load the same again, or
/// says that a batch was interrupted.
pub(super) fn restore(
    ram: &GuestRam,
    pages: &[GuestAddress],
    to: &mut State<'_>,
) -> Result<Option<Loaded>, Fault> {
    let mut page = Page::new();
    let at = page_at(pages, REGISTER_PAGE)?;
    page.read(ram, at, 0..BLOCK_END)?;
    let engine = to.streamer.engine;
    let complete = restore_private(ram, at, &mut page, to)?;
    let values = page.pairs(BLOCK + 1, BLOCK_REGISTERS).map(|(_, value)| value);
    to.registers.restore_each(block().map(|offset| engine.register(offset)).zip(values));
    let position: [u32; 6] = std::array::from_fn(|i| page.word(BATCH_POSITION + 2 * i));
    let whole = complete && position == Position::encode(None);
    let (set_predicate, setup) = (to.streamer.set_predicate, *to.setup);
    Ok(whole.then_some(Loaded { set_predicate, setup }))
}

/// Returns whether all of the model's own state was there, as it is stored.
fn restore_private(
    ram: &GuestRam,
    at: GuestAddress,
    page: &mut Page,
    to: &mut State<'_>,
) -> Result<bool, Fault> {
    const PAIRS: usize = PRIVATE + PRIVATE_HEADER;
    let engine = to.streamer.engine;
    let usual = PAIRS + 2 * to.registers.len() + to.setup.0.len();
    page.read(ram, at, PRIVATE..usual.min(PAGE_DWORDS))?;
    let header = [MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0)];
    if (PRIVATE..).zip(header).any(|(place, dword)| page.word(place) != dword) {
        return Ok(false);
    }
    let count = (page.word(PRIVATE + 5) as usize).min((PAGE_DWORDS - PAIRS) / 2);
    if count != to.registers.len() {
        page.read(ram, at, PAIRS..PAGE_DWORDS)?;
    }
    to.streamer.set_predicate = (page.word(PRIVATE + 4) & 0xf) as u8;
    let complete = to.registers.restore_each(page.pairs(PAIRS, count));
    for (i, dword) in to.setup.0.iter_mut().enumerate() {
        *dword = page.word(PAIRS + 2 * count + i);
    }
    Ok(complete)
}

/// Stores the state to the image's `pages`, with where in its batch the context stopped, unless at its end.
pub(super) fn save(
    ram: &GuestRam,
    pages: &[GuestAddress],
    from: &State<'_>,
    position: Option<Position>,
) -> Result<(), Fault> {
    for (i, word) in Position::encode(position).into_iter().enumerate() {
        write(ram, pages, REGISTER_PAGE, BATCH_POSITION + 2 * i, &[word])?;
    }
    let mut page = Page::new();
    page.read(ram, page_at(pages, REGISTER_PAGE)?, BLOCK..BLOCK_END)?;
    let engine = from.streamer.engine;
    let mut words = Vec::with_capacity(PAGE_DWORDS);
    words.push(BLOCK_HEADER);
    for (i, offset) in block().enumerate() {
        let at = engine.register(offset);
        let kept = page.word(BLOCK + 2 + 2 * i);
        words.extend([at.0, from.registers.value(at).unwrap_or(kept)]);
    }
    debug_assert_eq!(words.len(), 1 + 2 * BLOCK_REGISTERS);
    write(ram, pages, REGISTER_PAGE, BLOCK, &words)?;

    let predicate = u32::from(from.streamer.set_predicate);
    words.clear();
    words.extend([MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0), predicate, 0]);
    let mut count = 0;
    for (at, value) in from.registers.all() {
        words.extend([at.0, value]);
        count += 1;
    }
    if let Some(word) = words.get_mut(PRIVATE_HEADER - 1) {
        *word = count;
    }
    words.extend(from.setup.0);
    write(ram, pages, REGISTER_PAGE, PRIVATE, &words)
}

/// Loads the 3D pipeline's state, where the image has any: few batches need it.
pub(super) fn restore_render(
    ram: &GuestRam,
    pages: &[GuestAddress],
    to: &mut render::State,
) -> Result<(), Fault> {
    if pages.len() <= RENDER_PAGE {
        return Ok(());
    }
    let mut page = Page::new();
    page.read(ram, page_at(pages, RENDER_PAGE)?, 0..PAGE_DWORDS)?;
    let words: Vec<u32> = (0..PAGE_DWORDS).map(|i| page.word(i)).collect();
    match words.split_at_checked(RENDER_HEADER.len()) {
        Some((header, words)) if header == RENDER_HEADER => to.restore(words),
        _ => {}
    }
    Ok(())
}

/// Stores the 3D pipeline's state.
pub(super) fn save_render(
    ram: &GuestRam,
    pages: &[GuestAddress],
    from: &render::State,
) -> Result<(), Fault> {
    if pages.len() <= RENDER_PAGE {
        return Ok(());
    }
    write(ram, pages, RENDER_PAGE, 0, &[&RENDER_HEADER, from.words()].concat())
}

fn page_at(pages: &[GuestAddress], page: usize) -> Result<GuestAddress, Fault> {
    pages
        .get(page)
        .copied()
        .ok_or_else(|| Fault::new("context/image", format!("the context image has no page {page}")))
}

/// A page of the image: what was read of it, once; zeros elsewhere.
struct Page([u8; 4 * PAGE_DWORDS]);

impl Page {
    fn new() -> Self {
        Self([0; 4 * PAGE_DWORDS])
    }

    fn read(
        &mut self,
        ram: &GuestRam,
        page: GuestAddress,
        dwords: Range<usize>,
    ) -> Result<(), Fault> {
        let from = GuestAddress(page.0.wrapping_add(4 * dwords.start as u64));
        let bytes = self.0.get_mut(4 * dwords.start..4 * dwords.end).unwrap_or_default();
        ram.read(from, bytes).map_err(|error| Fault::new("context/image", error.to_string()))
    }

    /// So many pairs of a register and its value, from a dword on.
    fn pairs(&self, at: usize, count: usize) -> impl Iterator<Item = (RegisterOffset, u32)> {
        let (pairs, _) = self.0.get(4 * at..).unwrap_or_default().as_chunks::<8>();
        pairs.iter().take(count).map(|pair| {
            let both = u64::from_le_bytes(*pair);
            (RegisterOffset(both as u32), (both >> 32) as u32)
        })
    }

    /// A dword of it; zero behind its end.
    fn word(&self, index: usize) -> u32 {
        let (words, _) = self.0.as_chunks::<4>();
        words.get(index).map_or(0, |word| u32::from_le_bytes(*word))
    }
}

fn write(
    ram: &GuestRam,
    pages: &[GuestAddress],
    page: usize,
    at: usize,
    words: &[u32],
) -> Result<(), Fault> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let to = GuestAddress(page_at(pages, page)?.0.wrapping_add(4 * at as u64));
    ram.write(to, &bytes).map_err(|error| Fault::new("context/image", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    fn round(engine: Engine, change: impl FnOnce(&GuestRam)) -> (Registers, Streamer, Setup) {
        let ram = GuestRam::anonymous(0x10000).unwrap();
        let pages = [GuestAddress(0x4000), GuestAddress(0x5000)];
        let mut registers = Registers::new(engine);
        for (i, (at, _)) in registers.clone().all().enumerate() {
            registers.restore(at, 100 + i as u32);
        }
        let mut streamer = Streamer::new(engine);
        streamer.set_predicate = 3;
        let mut setup = Setup::default();
        setup.0[2] = 77;
        let state = State { registers: &mut registers, streamer: &mut streamer, setup: &mut setup };
        save(&ram, &pages, &state, None).unwrap();
        change(&ram);
        let mut registers = Registers::new(engine);
        let mut streamer = Streamer::new(engine);
        let mut setup = Setup::default();
        let mut state =
            State { registers: &mut registers, streamer: &mut streamer, setup: &mut setup };
        restore(&ram, &pages, &mut state).unwrap();
        (registers, streamer, setup)
    }

    #[test]
    fn what_is_saved_is_restored() {
        for engine in Engine::ALL {
            let (registers, streamer, setup) = round(engine, |ram| {
                // The documented places: header, and R0 as the 12th pair.
                assert_eq!(ram.read_u32(GuestAddress(0x5000 + 4 * 0x51)).unwrap(), BLOCK_HEADER);
                let r0 = GuestAddress(0x5000 + 4 * (0x52 + 2 * 11));
                assert_eq!(ram.read_u32(r0).unwrap(), engine.register(GPR).0);
            });
            for (i, (_, value)) in registers.all().enumerate() {
                assert_eq!(value, 100 + i as u32);
            }
            assert_eq!((streamer.set_predicate, setup.0[2]), (3, 77));
        }
    }

    #[test]
    fn the_3d_pipeline_has_a_page_of_its_own() {
        let ram = GuestRam::anonymous(0x10000).unwrap();
        let pages = [0x4000, 0x5000, 0x6000].map(GuestAddress);
        let mut state = render::State::default();
        state.restore(&[7; 100]);
        save_render(&ram, &pages, &state).unwrap();
        let mut restored = render::State::default();
        restore_render(&ram, &pages, &mut restored).unwrap();
        assert_eq!(restored, state);
        // What does not begin as it should is no state.
        ram.write_u32(GuestAddress(0x6000), 0).unwrap();
        let mut restored = render::State::default();
        restore_render(&ram, &pages, &mut restored).unwrap();
        assert_eq!(restored, render::State::default());
        // An image without the page has none.
        save_render(&ram, &pages[..2], &state).unwrap();
        restore_render(&ram, &pages[..2], &mut restored).unwrap();
    }

    #[test]
    fn the_known_pairs_win_over_the_private_ones() {
        let (registers, ..) = round(Engine::Render, |ram| {
            ram.write_u32(GuestAddress(0x5000 + 4 * (0x53 + 2 * 11)), 9).unwrap();
        });
        assert_eq!(registers.stored(RegisterOffset(0x2600)), 9);
    }

    #[test]
    fn another_version_is_no_private_state() {
        let (registers, streamer, setup) = round(Engine::Render, |ram| {
            ram.write_u32(GuestAddress(0x5000 + 4 * 0x202), 2).unwrap();
        });
        assert_eq!(registers.stored(RegisterOffset(0x5200)), 0);
        assert_ne!(registers.stored(RegisterOffset(0x2600)), 0);
        assert_eq!((streamer.set_predicate, setup), (0, Setup::default()));
    }

    #[test]
    fn hostile_images_are_numbers() {
        for fill in [0xff, 0x00, 0x5a] {
            let _ = round(Engine::Render, |ram| {
                ram.write(GuestAddress(0x5000 + 4 * 0x205), &vec![fill; 0x7ec]).unwrap();
            });
        }
    }

    #[test]
    fn an_image_without_registers_is_a_fault() {
        let ram = GuestRam::anonymous(0x1000).unwrap();
        let read = |pages: &[GuestAddress]| {
            Page::new().read(&ram, page_at(pages, REGISTER_PAGE)?, 0..BLOCK_END)
        };
        assert!(read(&[GuestAddress(0)]).is_err());
        assert!(read(&[GuestAddress(0), GuestAddress(0x8000)]).is_err());
    }
}
