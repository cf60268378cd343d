//! Raster operations: a truth table of pattern, source and destination, applied to every bit.

/// The operation that copies the source.
pub(super) const SOURCE_COPY: u8 = 0xcc;
/// The operation that copies the pattern.
const PATTERN_COPY: u8 = 0xf0;

/// A raster operation with the bytes of a 32-bit pixel that it may write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raster {
    operation: u8,
    mask: Option<[u8; 4]>,
}

impl Raster {
    /// Bit `p << 2 | s << 1 | d` of `operation` is the result for bits p, s and d of pattern, source and destination.
    pub(super) fn new(operation: u8, mask: Option<[u8; 4]>) -> Self {
        Self { operation, mask }
    }

    /// Whether the result depends on what the destination holds.
    pub(super) fn reads_destination(self) -> bool {
        self.mask.is_some() || (self.operation ^ self.operation >> 1) & 0x55 != 0
    }

    /// One row. Where `opaque` names pixels, the others keep what they are. The result is in `source` or `old`, or is
    /// `pattern` itself.
    pub(super) fn combine<'a>(
        self,
        pattern: &'a [u8],
        source: &'a mut [u8],
        old: &'a mut [u8],
        opaque: &[bool],
        bytes: usize,
    ) -> &'a [u8] {
        if self.mask.is_none() && opaque.is_empty() {
            match self.operation {
                SOURCE_COPY => return source,
                PATTERN_COPY => return pattern,
                _ => {}
            }
        }
        for (i, ((p, s), d)) in pattern.iter().zip(source.iter()).zip(old.iter_mut()).enumerate() {
            if !opaque.is_empty() && !opaque.get(i / bytes).copied().unwrap_or_default() {
                continue;
            }
            let new = self.apply(*p, *s, *d);
            let mask = self.mask.map_or(0xff, |mask| mask[i % 4]);
            *d = new & mask | *d & !mask;
        }
        old
    }

    fn apply(self, p: u8, s: u8, d: u8) -> u8 {
        (0..8).filter(|i| self.operation >> i & 1 != 0).fold(0, |result, i| {
            let pick = |value: u8, bit: u8| if i & bit != 0 { value } else { !value };
            result | pick(p, 4) & pick(s, 2) & pick(d, 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_operations_follow_their_truth_table() {
        for operation in 0..=255_u8 {
            // Eight combinations of bits, one in each bit position.
            let (p, s, d) = (0xf0, 0xcc, 0xaa);
            assert_eq!(Raster::new(operation, None).apply(p, s, d), operation);
            let depends = (0..4).any(|i| operation >> (2 * i) & 1 != operation >> (2 * i + 1) & 1);
            assert_eq!(Raster::new(operation, None).reads_destination(), depends, "{operation:#x}");
        }
    }

    #[test]
    fn short_cuts_give_the_same_as_the_table() {
        for operation in [SOURCE_COPY, PATTERN_COPY, 0x5a, 0x66, 0x00, 0xff] {
            let raster = Raster::new(operation, None);
            let (pattern, mut source, mut old) = ([0x12, 0x34], [0x56, 0x78], [0x9a, 0xbc]);
            let expected: Vec<u8> =
                (0..2).map(|i| raster.apply(pattern[i], source[i], old[i])).collect();
            assert_eq!(raster.combine(&pattern, &mut source, &mut old, &[], 1), expected);
        }
    }
}
