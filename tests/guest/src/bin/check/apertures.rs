//! Buffers seen through the aperture: the global GTT places them, a fence hides their tiling.

use anyhow::{Context as _, Result};

use crate::Options;
use crate::i915::{Buffer, Device, FenceTiling, View};
use crate::stores::{compare, scramble};
use crate::surface::{Surface, Tiling};
use crate::uapi::{self, DOMAIN_CPU, DOMAIN_GTT, DOMAIN_WC};

/// A picture as the aperture shows it, row by row, for one seed.
fn rows(surface: &Surface, seed: u64) -> Vec<u8> {
    let words = surface.size() as u64 / 8;
    (0..words).flat_map(|word| scramble(seed << 32 | word).to_le_bytes()).collect()
}

/// The same picture as it lies in memory.
fn tiled(surface: &Surface, rows: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; surface.size()];
    for (index, byte) in rows.iter().enumerate() {
        memory[surface.offset(index % surface.pitch, index / surface.pitch)] = *byte;
    }
    memory
}

/// Writes through one view and reads through the other, in both directions.
fn both_ways(buffer: &Buffer, surface: &Surface) -> Result<()> {
    let aperture = buffer.map(View::Aperture)?;
    let cached = buffer.map(View::Cached)?;

    let first = rows(surface, 1);
    buffer.set_domain(DOMAIN_GTT, true)?;
    aperture.write(0, &first);
    compare(&aperture.read_all(), &first).context("written and read through the aperture")?;
    buffer.set_domain(DOMAIN_CPU, false)?;
    compare(&cached.read_all(), &tiled(surface, &first)).context("written through the aperture")?;

    let second = rows(surface, 2);
    buffer.set_domain(DOMAIN_CPU, true)?;
    cached.write(0, &tiled(surface, &second));
    buffer.set_domain(DOMAIN_GTT, false)?;
    compare(&aperture.read_all(), &second).context("read through the aperture")?;

    let combined = buffer.map(View::WriteCombined)?;
    let third = rows(surface, 3);
    buffer.set_domain(DOMAIN_WC, true)?;
    combined.write(0, &tiled(surface, &third));
    buffer.set_domain(DOMAIN_GTT, false)?;
    compare(&aperture.read_all(), &third).context("written past the caches")
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let fences = device.parameter(uapi::PARAM_NUM_FENCES_AVAIL)?;
    let pictures = [
        ("linear", None, Surface::new(Tiling::Linear, 1, 1024, 40)),
        ("X-tiled", Some(FenceTiling::X), Surface::new(Tiling::X, 1, 1024, 40)),
        ("X-tiled, wide", Some(FenceTiling::X), Surface::new(Tiling::X, 1, 2048, 16)),
        ("Y-tiled", Some(FenceTiling::Y), Surface::new(Tiling::Y, 1, 512, 64)),
    ];
    for (name, tiling, surface) in &pictures {
        let buffer = device.buffer(surface.size(), 4096)?;
        if let Some(tiling) = tiling {
            buffer.set_tiling(*tiling, surface.pitch).context(*name)?;
        }
        both_ways(&buffer, surface).context(*name)?;
    }
    Ok(format!("{} pictures, {fences} fences", pictures.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_picture_lies_as_it_shows() {
        let surface = Surface::new(Tiling::Linear, 1, 1024, 40);
        let picture = rows(&surface, 1);
        assert_eq!(tiled(&surface, &picture), picture);
        let surface = Surface::new(Tiling::X, 1, 1024, 40);
        assert_ne!(tiled(&surface, &picture), picture);
    }
}
