//! Depth and stencil tests.
//!
//! Sources: SKL PRM vol 7, "Depth and stencil test"; vol 2a, 3DSTATE_WM_DEPTH_STENCIL, DEPTH_BUFFER.

use super::blend::compares;
use super::state::{self, State};

/// How depth is stored (3DSTATE_DEPTH_BUFFER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DepthFormat {
    Float32,
    Unorm24,
    Unorm16,
}

impl DepthFormat {
    pub(super) fn new(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Float32),
            3 => Some(Self::Unorm24),
            5 => Some(Self::Unorm16),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> usize {
        if self == Self::Unorm16 { 2 } else { 4 }
    }

    /// Depth as it is stored.
    pub(super) fn encode(self, depth: f32) -> u32 {
        let unorm = |most: f64| (f64::from(depth).clamp(0.0, 1.0) * most).round_ties_even() as u32;
        match self {
            Self::Float32 => depth.to_bits(),
            Self::Unorm24 => unorm(16_777_215.0),
            Self::Unorm16 => unorm(65_535.0),
        }
    }

    fn compares(self, function: u32, new: u32, old: u32) -> bool {
        match self {
            Self::Float32 => compares(function, f32::from_bits(new), f32::from_bits(old)),
            Self::Unorm24 => compares(function, new, old & 0xff_ffff),
            Self::Unorm16 => compares(function, new, old),
        }
    }
}

/// Stencil operations for one face.
#[derive(Clone, Copy, Debug)]
struct Face {
    function: u32,
    fail: u32,
    depth_fail: u32,
    pass: u32,
    test_mask: u8,
    write_mask: u8,
    reference: u8,
}

/// 3DSTATE_WM_DEPTH_STENCIL.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepthStencil {
    pub(super) depth_test: bool,
    pub(super) depth_write: bool,
    pub(super) stencil_test: bool,
    stencil_write: bool,
    two_sided: bool,
    function: u32,
    faces: [Face; 2],
}

impl DepthStencil {
    pub(super) fn new(state: &State) -> Self {
        let words = state.command(state::WM_DEPTH_STENCIL);
        let front = Face {
            function: words.bits(1, 8..=10),
            fail: words.bits(1, 29..=31),
            depth_fail: words.bits(1, 26..=28),
            pass: words.bits(1, 23..=25),
            test_mask: words.bits(2, 24..=31) as u8,
            write_mask: words.bits(2, 16..=23) as u8,
            reference: words.bits(3, 8..=15) as u8,
        };
        let back = Face {
            function: words.bits(1, 20..=22),
            fail: words.bits(1, 17..=19),
            depth_fail: words.bits(1, 14..=16),
            pass: words.bits(1, 11..=13),
            test_mask: words.bits(2, 8..=15) as u8,
            write_mask: words.bits(2, 0..=7) as u8,
            reference: words.bits(3, 0..=7) as u8,
        };
        Self {
            depth_test: words.flag(1, 1),
            depth_write: words.flag(1, 0),
            stencil_test: words.flag(1, 3),
            stencil_write: words.flag(1, 2),
            two_sided: words.flag(1, 4),
            function: words.bits(1, 5..=7),
            faces: [front, back],
        }
    }

    /// With a reference value that a shader has computed.
    pub(super) fn with_reference(mut self, computed: Option<u8>) -> Self {
        if let Some(reference) = computed {
            self.faces.iter_mut().for_each(|face| face.reference = reference);
        }
        self
    }

    /// Whether depth is tested or written. If it isn't, its buffer may be nowhere: it only says how large stencil's is.
    pub(super) fn uses_depth(&self) -> bool {
        self.depth_test || self.depth_write
    }

    /// Tests one sample, and writes what it leaves. A buffer that is not there passes.
    pub(super) fn test(
        &self,
        back_facing: bool,
        depth: Option<(DepthFormat, u32, &mut u32)>,
        stencil: Option<&mut u8>,
    ) -> bool {
        let face = &self.faces[usize::from(back_facing && self.two_sided)];
        let mut stencil = stencil.filter(|_| self.stencil_test);
        let stencil_passes = stencil.as_ref().is_none_or(|old| {
            compares(face.function, face.reference & face.test_mask, **old & face.test_mask)
        });
        let depth_passes = match &depth {
            Some((format, new, old)) if self.depth_test => {
                format.compares(self.function, *new, **old)
            }
            _ => true,
        };
        if let Some(value) = &mut stencil
            && self.stencil_write
        {
            let operation = match (stencil_passes, depth_passes) {
                (false, _) => face.fail,
                (true, false) => face.depth_fail,
                (true, true) => face.pass,
            };
            let new = operate(operation, **value, face.reference);
            **value = new & face.write_mask | **value & !face.write_mask;
        }
        let passes = stencil_passes && depth_passes;
        if let Some((format, new, old)) = depth
            && passes
            && self.depth_write
        {
            *old = if format == DepthFormat::Unorm24 { *old & !0xff_ffff | new } else { new };
        }
        passes
    }
}

/// 3D_Stencil_Operation.
fn operate(operation: u32, old: u8, reference: u8) -> u8 {
    match operation {
        1 => 0,
        2 => reference,
        3 => old.saturating_add(1),
        4 => old.saturating_sub(1),
        5 => old.wrapping_add(1),
        6 => old.wrapping_sub(1),
        7 => !old,
        _ => old,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(dword1: u32, dword2: u32, dword3: u32) -> DepthStencil {
        let mut state = State::default();
        state.set(&[0x784e_0002, dword1, dword2, dword3]);
        DepthStencil::new(&state)
    }

    #[test]
    fn less_passes_what_is_nearer_and_stores_it() {
        let less = state(2 << 5 | 3, 0, 0);
        let format = DepthFormat::Unorm24;
        let mut stored = 0xab00_0000 | format.encode(0.5);
        assert!(!less.test(false, Some((format, format.encode(0.5), &mut stored)), None));
        assert!(less.test(false, Some((format, format.encode(0.25), &mut stored)), None));
        assert_eq!(stored, 0xab00_0000 | format.encode(0.25), "the upper byte stays");
    }

    #[test]
    fn stencil_operations_depend_on_both_tests() {
        // Stencil: always passes; keep, increment where depth fails, replace where it passes.
        let all = state(1 << 2 | 1 << 3 | 1 << 1 | 2 << 5 | 5 << 26 | 2 << 23, 0xffff_0000, 7 << 8);
        let format = DepthFormat::Unorm16;
        let (mut depth, mut stencil) = (100, 1);
        assert!(!all.test(false, Some((format, 200, &mut depth)), Some(&mut stencil)));
        assert_eq!(stencil, 2);
        assert!(all.test(false, Some((format, 50, &mut depth)), Some(&mut stencil)));
        assert_eq!((stencil, depth), (7, 100), "depth is only tested");
    }

    #[test]
    fn stencil_alone_leaves_the_depth_buffer_alone() {
        assert!(!state(1 << 3 | 1 << 2, 0, 0).uses_depth());
        assert!(state(1 << 1, 0, 0).uses_depth() && state(1, 0, 0).uses_depth());
    }
}
