//! Clears that are no draws: fast clears and resolves of colour, and the operations of WM_HZ_OP.
//!
//! A fast clear of colour marks pixels as clear, and a resolve stores the colour of those that are
//! ([`crate::surface::Marks`]). So it is with depth and its HiZ buffer.
//!
//! Sources: SKL PRM vol 7, "Fast clears", "Render target resolve": what a rectangle stands for; vol 2a, 3DSTATE_WM_HZ_OP,
//! CLEAR_PARAMS.

use super::Halt;
use super::raster::TILE;
use super::setup::{Area, Shape};
use super::state::{self, State};
use super::target::Target;
use super::tile::{Plane, Texel};
use super::worker::Worker;
use crate::silicon::model::stop::Stop;
use crate::surface::{MARKED, Mask};

/// Marks what a fast clear's rectangle stands for as clear. A target without marks is filled.
pub(super) fn color(
    target: &Target,
    shape: &Shape,
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    clear(target, scaled(target, shape), shape.layer, worker, stop)
}

fn clear(
    target: &Target,
    area: Area,
    layer: u32,
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    let Some(marks) = target.marks(layer) else {
        return fill(target, area, layer, target.clear(), worker, stop);
    };
    for_each_tile(area.intersection(target.area()), stop, |origin| {
        let memory = &mut worker.memory;
        let at = (origin.0 as u32, origin.1 as u32);
        let inside = target.inside(origin);
        // Blocks go beyond the edges of a level, and so do rectangles.
        let mut mask = columns_and_rows(area, origin);
        if mask != [u32::MAX; MARKED]
            && let Some(old) = marks.read(memory, at, inside)?
        {
            mask.iter_mut().zip(old).for_each(|(new, old)| *new |= old);
        }
        Ok(marks.write(memory, at, inside, &mask)?)
    })
}

/// Stores the colour of pixels that are clear, and marks them as stored.
pub(super) fn resolve(
    target: &Target,
    shape: &Shape,
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    store_clear(target, scaled(target, shape), shape.layer, worker, stop)
}

fn store_clear(
    target: &Target,
    area: Area,
    layer: u32,
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    if target.marks(layer).is_none() {
        return Ok(());
    }
    let mut plane = Plane::default();
    for_each_tile(area.intersection(target.area()), stop, |origin| {
        let memory = &mut worker.memory;
        if target.clear_pixels(memory, origin, layer)?.is_some() {
            plane.load(target, layer, origin, memory)?;
            plane.resolve();
            plane.store(origin, memory)?;
        }
        Ok(())
    })
}

/// What a rectangle stands for.
fn scaled(target: &Target, shape: &Shape) -> Area {
    let (x, y) = target.clear_scale();
    let rectangle = shape.rectangle();
    Area {
        left: rectangle.left.saturating_mul(x),
        top: rectangle.top.saturating_mul(y),
        right: rectangle.right.saturating_mul(x),
        bottom: rectangle.bottom.saturating_mul(y),
    }
}

/// The pixels of a tile that are in an area.
fn columns_and_rows(area: Area, (left, top): (i32, i32)) -> Mask {
    let inside = |from: i32, to: i32, at: i32| (from..to).contains(&at);
    let columns = (0..TILE)
        .filter(|x| inside(area.left, area.right, left + x))
        .fold(0_u32, |columns, x| columns | 1 << x);
    std::array::from_fn(|y| match inside(area.top, area.bottom, top + y as i32) {
        true => columns,
        false => 0,
    })
}

/// Calls `each` with the first pixel of every tile that an area, which is inside of a surface, has pixels of.
fn for_each_tile(
    area: Area,
    stop: &Stop,
    mut each: impl FnMut((i32, i32)) -> Result<(), Halt>,
) -> Result<(), Halt> {
    if area.is_empty() {
        return Ok(());
    }
    for row in area.top / TILE..=(area.bottom - 1) / TILE {
        for column in area.left / TILE..=(area.right - 1) / TILE {
            if stop.killed() {
                return Err(Halt::Killed);
            }
            each((column * TILE, row * TILE))?;
        }
    }
    Ok(())
}

/// Does what WM_HZ_OP asks for.
pub(super) fn depth(state: &State, worker: &mut Worker, stop: &Stop) -> Result<(), Halt> {
    let words = state.command(state::WM_HZ_OP);
    let corner = |dword: usize, shift: u32| (words.dword(dword) >> shift & 0xffff) as i32;
    let area =
        Area { left: corner(2, 0), top: corner(2, 16), right: corner(3, 0), bottom: corner(3, 16) };
    let [clears, resolves, forgets] = [30, 28, 27].map(|bit| words.flag(1, bit));
    if (clears || resolves || forgets)
        && let Some((target, _)) = Target::depth(state)
    {
        for layer in 0..target.layers() {
            if clears && is_whole(area, target.area()) {
                clear(&target, area, layer, worker, stop)?;
            } else if clears {
                fill(&target, area, layer, target.clear(), worker, stop)?;
            } else if resolves {
                store_clear(&target, area, layer, worker, stop)?;
            } else {
                for_each_tile(area.intersection(target.area()), stop, |origin| {
                    Ok(target.mark_stored(&mut worker.memory, origin, layer)?)
                })?;
            }
        }
    }
    if words.flag(1, 31)
        && let Some(target) = Target::stencil(state)
    {
        let value = [words.bits(1, 16..=23) as u8];
        for layer in 0..target.layers() {
            fill(&target, area, layer, &value, worker, stop)?;
        }
    }
    Ok(())
}

/// Whether an area of depth has no blocks in part, but for those at the level's own edges.
fn is_whole(area: Area, level: Area) -> bool {
    let whole = |edge: i32, end: i32, size: i32| edge % size == 0 || edge >= end;
    whole(area.left, level.right, 8)
        && whole(area.right, level.right, 8)
        && whole(area.top, level.bottom, 4)
        && whole(area.bottom, level.bottom, 4)
}

fn fill(
    target: &Target,
    area: Area,
    layer: u32,
    texel: &[u8],
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    let area = area.intersection(target.area());
    let mut plane = Plane::default();
    for_each_tile(area, stop, |origin| {
        plane.load(target, layer, origin, &mut worker.memory)?;
        let (left, top) = origin;
        let tile = Area { left, top, right: left + TILE, bottom: top + TILE }.intersection(area);
        for sample in 0..target.samples() {
            for y in tile.top..tile.bottom {
                for x in tile.left..tile.right {
                    let (x, y) = ((x - left) as usize, (y - top) as usize);
                    let bytes = plane.texel_mut(Texel { x, y, sample });
                    bytes.iter_mut().zip(texel).for_each(|(to, from)| *to = *from);
                }
            }
        }
        Ok(plane.store(origin, &mut worker.memory)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_has_columns_and_rows_of_a_tile() {
        let area = Area { left: 30, top: 33, right: 70, bottom: 35 };
        let mut expected = [0; MARKED];
        (expected[1], expected[2]) = (u32::MAX, u32::MAX);
        assert_eq!(columns_and_rows(area, (32, 32)), expected);
        assert_eq!(columns_and_rows(area, (0, 0)), [0; MARKED]);
        assert_eq!(columns_and_rows(area, (64, 32))[1], 0x3f);
    }
}
