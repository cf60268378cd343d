//! Where a context was interrupted in its batch, as its image says it: silicon writes it there, and the virtual GPU finds
//! it when the context is loaded again.
//!
//! Source: SKL PRM vol 7 (ring context format), vol 2c (BB_ADDR, BB_STATE, SBB_ADDR, SBB_STATE). Which of the levels a
//! valid bit means is taken from those; how hardware goes on from there was not measured.

use serde::{Deserialize, Serialize};

/// Where a context stopped in its batch: BB_ADDR_UDW (0x168), BB_ADDR (0x140), BB_STATE (0x110), then the same of the
/// second level (0x11c, 0x114, 0x118), as dword indices of the first value; the others follow two apart.
pub(crate) const BATCH_POSITION: usize = 0x0d;
/// Bit 0 of BB_ADDR and of the second level's: there is a batch.
const BATCH_VALID: u32 = 1;
/// Bit 5 of BB_STATE: the batch lies in the context's own address space.
const BATCH_IN_PPGTT: u32 = 1 << 5;

/// Where a batch was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The command to go on with.
    pub(crate) at: u64,
    /// Where the end of the second-level batch leads that it lies in.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) return_to: Option<u64>,
}

impl Position {
    /// The six values as the image has them; zeros outside of batches.
    pub(crate) fn encode(position: Option<Self>) -> [u32; 6] {
        let level = |at: u64| [(at >> 32) as u32, at as u32 & !3 | BATCH_VALID, BATCH_IN_PPGTT];
        let (first, second) = match position {
            None => ([0; 3], [0; 3]),
            Some(Self { at, return_to: None }) => (level(at), [0; 3]),
            Some(Self { at, return_to: Some(back) }) => (level(back), level(at)),
        };
        let ([a, b, c], [d, e, f]) = (first, second);
        [a, b, c, d, e, f]
    }

    /// What the six values of an image say. They are addresses of the context's own space, whatever they are.
    pub(crate) fn decode(words: [u32; 6]) -> Option<Self> {
        let [first_high, first_low, _, second_high, second_low, _] = words;
        let level = |high: u32, low: u32| {
            let at = u64::from(high & 0xffff) << 32 | u64::from(low & !3);
            (low & BATCH_VALID != 0).then_some(at)
        };
        let first = level(first_high, first_low)?;
        Some(match level(second_high, second_low) {
            None => Self { at: first, return_to: None },
            Some(at) => Self { at, return_to: Some(first) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_again() {
        for return_to in [None, Some(0x1234_5678_9abc)] {
            let position = Some(Position { at: 0xfedc_ba98_7654, return_to });
            assert_eq!(Position::decode(Position::encode(position)), position);
        }
        assert_eq!(Position::decode(Position::encode(None)), None);
    }
}
