//! Fences: ranges of the aperture through which the CPU sees a tiled surface as if it were linear.
//! Source: SKL PRM vol 2c (FENCE registers, at 0x100000), i915's fence encoding for Gen6 and later.

use display::Tiling;

use super::registers::RegisterFile;

const FENCES: u32 = 32;

struct Fence {
    start: u64,
    /// Last page's address.
    end: u64,
    stride: u32,
    tiling: Tiling,
}

impl Fence {
    fn read(registers: &RegisterFile, number: u32) -> Option<Self> {
        let low = registers.get(0x10_0000 + number * 8);
        let high = registers.get(0x10_0004 + number * 8);
        (low & 1 != 0).then(|| Self {
            start: u64::from(low & !0xFFF),
            end: u64::from(high & !0xFFF),
            stride: ((high & 0xFFF) + 1) * 128,
            tiling: if low & 2 != 0 { Tiling::Y } else { Tiling::X },
        })
    }

    fn covers(&self, at: u64) -> bool {
        (self.start..self.end + 4096).contains(&at)
    }
}

fn find(registers: &RegisterFile, at: u64) -> Option<Fence> {
    (0..FENCES).filter_map(|n| Fence::read(registers, n)).find(|fence| fence.covers(at))
}

/// Whether a fence covers `at`.
pub(super) fn covers(registers: &RegisterFile, at: u64) -> bool {
    find(registers, at).is_some()
}

/// Where the byte that the CPU sees at `at` lies.
pub(super) fn detile(registers: &RegisterFile, at: u64) -> u64 {
    let Some(fence) = find(registers, at) else { return at };
    let (into, stride) = (at - fence.start, u64::from(fence.stride));
    fence
        .tiling
        .offset(4, fence.stride, (into % stride) as u32, (into / stride) as u32)
        .and_then(|offset| fence.start.checked_add(offset))
        .unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    #[test]
    fn a_fence_shows_an_x_tiled_surface_as_rows() {
        let mut registers = RegisterFile::of(Platform::default());
        registers.set(0x10_0008, 0x10_0000 | 1);
        registers.set(0x10_000C, 0x10_F000 | (1024 / 128 - 1));
        assert_eq!(detile(&registers, 0x10_0000 + 1024), 0x10_0000 + 512);
        assert_eq!(detile(&registers, 0x10_0000 + 512), 0x10_0000 + 4096);
        assert!(!covers(&registers, 0x11_0000));
        assert_eq!(detile(&registers, 0x11_0000), 0x11_0000);
    }
}
