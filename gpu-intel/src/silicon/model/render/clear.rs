//! Clears that are no draws: fast clears of colour, and the operations of WM_HZ_OP.
//!
//! Hardware writes a code into the auxiliary surface and leaves the surface as it is. Here the surface is filled, and resolves
//! have nothing to do.
//!
//! Sources: SKL PRM vol 7, "Fast clears": what a rectangle stands for; vol 2a, 3DSTATE_WM_HZ_OP, CLEAR_PARAMS.

use super::Halt;
use super::raster::TILE;
use super::setup::{Area, Shape};
use super::state::{self, State};
use super::target::Target;
use super::tile::{Plane, Texel};
use super::worker::Worker;
use crate::silicon::model::stop::Stop;
use crate::surface::{LARGEST_ELEMENT, Surface};

/// Fills what a fast clear's rectangle stands for.
pub(super) fn color(
    surface: &Surface,
    target: &Target,
    shape: &Shape,
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    let (x, y) = scale(surface);
    let rectangle = shape.rectangle();
    let area = Area {
        left: rectangle.left.saturating_mul(x),
        top: rectangle.top.saturating_mul(y),
        right: rectangle.right.saturating_mul(x),
        bottom: rectangle.bottom.saturating_mul(y),
    };
    let mut texel = [0; LARGEST_ELEMENT];
    surface.format.encode(surface.clear, &mut texel);
    let texel = texel.get(..target.element()).unwrap_or_default();
    fill(target, area, shape.layer, texel, worker, stop)
}

/// Pixels that one of a fast clear's rectangle stands for.
fn scale(surface: &Surface) -> (i32, i32) {
    match (surface.log2_samples, surface.format.bits) {
        (0, 64) => (32, 32),
        (0, 128..) => (16, 32),
        (0, _) => (64, 32),
        (1 | 2, _) => (8, 2),
        (3, _) => (2, 2),
        _ => (1, 2),
    }
}

/// Does what WM_HZ_OP asks for.
pub(super) fn depth(state: &State, worker: &mut Worker, stop: &Stop) -> Result<(), Halt> {
    let words = state.command(state::WM_HZ_OP);
    let corner = |dword: usize, shift: u32| (words.dword(dword) >> shift & 0xffff) as i32;
    let area =
        Area { left: corner(2, 0), top: corner(2, 16), right: corner(3, 0), bottom: corner(3, 16) };
    if words.flag(1, 30)
        && let Some((target, format)) = Target::depth(state)
    {
        let value = format.encode(state.command(state::CLEAR_PARAMS).float(1)).to_le_bytes();
        let texel = value.get(..format.bytes()).unwrap_or_default();
        for layer in 0..target.layers() {
            fill(&target, area, layer, texel, worker, stop)?;
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

fn fill(
    target: &Target,
    area: Area,
    layer: u32,
    texel: &[u8],
    worker: &mut Worker,
    stop: &Stop,
) -> Result<(), Halt> {
    let area = area.intersection(target.area());
    if area.is_empty() {
        return Ok(());
    }
    let mut plane = Plane::default();
    for row in area.top / TILE..=(area.bottom - 1) / TILE {
        for column in area.left / TILE..=(area.right - 1) / TILE {
            if stop.killed() {
                return Err(Halt::Killed);
            }
            let origin = (column * TILE, row * TILE);
            plane.load(target, layer, origin, &mut worker.memory)?;
            let tile = Area {
                left: origin.0,
                top: origin.1,
                right: origin.0 + TILE,
                bottom: origin.1 + TILE,
            }
            .intersection(area);
            for sample in 0..target.samples() {
                for y in tile.top..tile.bottom {
                    for x in tile.left..tile.right {
                        let (x, y) = ((x - origin.0) as usize, (y - origin.1) as usize);
                        let bytes = plane.texel_mut(Texel { x, y, sample });
                        bytes.iter_mut().zip(texel).for_each(|(to, from)| *to = *from);
                    }
                }
            }
            plane.store(origin, &mut worker.memory)?;
        }
    }
    Ok(())
}
