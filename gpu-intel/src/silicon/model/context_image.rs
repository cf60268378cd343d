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

/// Loads the state from the image's `pages`.
pub(super) fn restore(
    ram: &GuestRam,
    pages: &[GuestAddress],
    to: &mut State<'_>,
) -> Result<(), Fault> {
    let page = read(ram, pages, REGISTER_PAGE)?;
    let engine = to.streamer.engine;
    restore_private(page.get(PRIVATE..).unwrap_or_default(), to);
    for (i, offset) in block().enumerate() {
        if let Some(value) = page.get(BLOCK + 2 + 2 * i) {
            to.registers.restore(engine.register(offset), *value);
        }
    }
    Ok(())
}

fn restore_private(words: &[u32], to: &mut State<'_>) {
    let engine = to.streamer.engine;
    let header = [MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0)];
    if words.get(..header.len()) != Some(header.as_slice()) {
        return;
    }
    let word = |i: usize| words.get(i).copied().unwrap_or_default();
    to.streamer.set_predicate = (word(4) & 0xf) as u8;
    let count = (word(5) as usize).min(PAGE_DWORDS);
    let pairs = words.get(PRIVATE_HEADER..).unwrap_or_default();
    for pair in pairs.chunks_exact(2).take(count) {
        if let [offset, value] = pair {
            to.registers.restore(RegisterOffset(*offset), *value);
        }
    }
    for (i, dword) in to.setup.0.iter_mut().enumerate() {
        *dword = word(PRIVATE_HEADER + 2 * count + i);
    }
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
    let page = read(ram, pages, REGISTER_PAGE)?;
    let engine = from.streamer.engine;
    let mut words = vec![BLOCK_HEADER];
    for (i, offset) in block().enumerate() {
        let at = engine.register(offset);
        let kept = page.get(BLOCK + 2 + 2 * i).copied().unwrap_or_default();
        let known = from.registers.all().find(|(known, _)| *known == at);
        words.extend([at.0, known.map_or(kept, |(_, value)| value)]);
    }
    debug_assert_eq!(words.len(), 1 + 2 * BLOCK_REGISTERS);
    write(ram, pages, REGISTER_PAGE, BLOCK, &words)?;

    let predicate = u32::from(from.streamer.set_predicate);
    words = vec![MAGIC[0], MAGIC[1], VERSION, u32::from(engine.id().0), predicate, 0];
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
    let page = read(ram, pages, RENDER_PAGE)?;
    match page.split_at_checked(RENDER_HEADER.len()) {
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

fn read(ram: &GuestRam, pages: &[GuestAddress], page: usize) -> Result<Vec<u32>, Fault> {
    let mut bytes = vec![0; 4 * PAGE_DWORDS];
    ram.read(page_at(pages, page)?, &mut bytes)
        .map_err(|error| Fault::new("context/image", error.to_string()))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
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
        assert!(read(&ram, &[GuestAddress(0)], REGISTER_PAGE).is_err());
        let outside = [GuestAddress(0), GuestAddress(0x8000)];
        assert!(read(&ram, &outside, REGISTER_PAGE).is_err());
    }
}
