//! A private copy of a batch.
//!
//! On Gen9's blitter the host's driver reads each batch before it runs a copy of its own (a batch there could otherwise
//! reach registers that it must not). It can't read imported memory, so batches for the blitter are copied here, up to
//! their end, which is also where the driver stops to read. Jumps within the batch lead to the same place in the copy;
//! the driver allows no others.

use mediator::{GuestAddress, GuestRam, Reason};

use crate::address::PpgttAddress;
use crate::audit;
use crate::command::{self, opcode};
use crate::engine::Engine;

const PAGE: u64 = 4096;

/// The copy.
#[derive(Debug)]
pub(super) struct Copy(Vec<u8>);

impl Copy {
    /// Bytes that a batch may have which is copied.
    pub(super) const MOST_BYTES: u64 = 256 << 10;

    /// Copies the batch at `start`, where `page` knows the guest's pages, to be run at `to`.
    ///
    /// # Errors
    /// Where it is not mapped, holds what is no command, or has no end.
    pub(super) fn of(
        ram: &GuestRam,
        page: impl Fn(u64) -> Option<GuestAddress>,
        engine: Engine,
        start: u64,
        to: u64,
    ) -> Result<Self, Reason> {
        let mut fetch = Fetch { ram, page, held: None, bytes: [0; PAGE as usize] };
        let mut copy = Vec::new();
        loop {
            let at = start + copy.len() as u64;
            let header = fetch.dword(at)?;
            let (_, length) = command::recognize(header, engine)
                .map_err(|why| audit::refused_at(&why, PpgttAddress(at)))?;
            if (copy.len() + 4 * length) as u64 > Self::MOST_BYTES {
                let most = Self::MOST_BYTES;
                let detail = format!("the batch at {start:#x} has no end in {most} bytes");
                return Err(Reason::new("batch/length", detail));
            }
            for n in 0..length as u64 {
                copy.extend(fetch.dword(at + 4 * n)?.to_le_bytes());
            }
            match header >> 23 {
                opcode::BATCH_BUFFER_END => break,
                opcode::BATCH_BUFFER_START => {
                    let here = copy.len() - 4 * length;
                    redirect(&mut copy, here, start, to);
                    break;
                }
                _ => {}
            }
        }
        // The driver counts in pairs of dwords.
        copy.resize(copy.len().next_multiple_of(8), 0);
        Ok(Self(copy))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Has the jump at `here` lead into the copy, if it led into the original.
fn redirect(copy: &mut [u8], here: usize, start: u64, to: u64) {
    let length = copy.len() as u64;
    let Some(target) = copy.get_mut(here + 4..here + 12) else { return };
    let Ok(bytes) = <[u8; 8]>::try_from(&*target) else { return };
    let offset = PpgttAddress(u64::from_le_bytes(bytes)).truncated().0.wrapping_sub(start);
    if offset < length {
        target.copy_from_slice(&(to + offset).to_le_bytes());
    }
}

struct Fetch<'a, P> {
    ram: &'a GuestRam,
    page: P,
    /// Which page `bytes` holds.
    held: Option<u64>,
    bytes: [u8; PAGE as usize],
}

impl<P: Fn(u64) -> Option<GuestAddress>> Fetch<'_, P> {
    fn dword(&mut self, at: u64) -> Result<u32, Reason> {
        let start = at - at % PAGE;
        if self.held != Some(start) {
            let unmapped = || {
                let detail = format!("it runs off its end: {start:#x} is not mapped");
                Reason::new("batch/end", detail)
            };
            let page = (self.page)(start).ok_or_else(unmapped)?;
            self.held = None;
            self.ram.read(page, &mut self.bytes).map_err(|_| unmapped())?;
            self.held = Some(start);
        }
        let bytes = self.bytes.get((at % PAGE) as usize..).and_then(<[u8]>::first_chunk);
        Ok(bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 0x10_0000;
    const TO: u64 = 0x7fff_0000_0000;

    fn copy(dwords: &[u32], from: u64) -> Result<Vec<u32>, Reason> {
        let ram = GuestRam::anonymous(0x10_0000).unwrap();
        for (n, dword) in (0..).zip(dwords) {
            ram.write_u32(GuestAddress(from + 4 * n), *dword).unwrap();
        }
        // Two pages are mapped.
        let page = |at: u64| (at < AT + 0x2000).then(|| GuestAddress(at - AT));
        let copy = Copy::of(&ram, page, Engine::Copy, AT + from, TO)?;
        Ok(copy.bytes().as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    #[test]
    fn a_batch_is_copied_to_its_end_and_no_further() {
        let batch = [0, 0x1040_0002, 0x5000, 0, 7, 0x0500_0000, 1, 2];
        assert_eq!(copy(&batch, 0).unwrap(), &batch[..6]);
        // Over the border of a page.
        assert_eq!(copy(&batch, 0xff8).unwrap(), &batch[..6]);
    }

    #[test]
    fn jumps_into_the_batch_lead_into_the_copy() {
        let jump = |to: u64| [0x1880_0101, to as u32, (to >> 32) as u32];
        let [a, b, c] = jump(TO);
        let [x, y, z] = jump(AT);
        assert_eq!(copy(&[0, x, y, z], 0).unwrap(), [0, a, b, c]);
        let [x, y, z] = jump(0x77_0000);
        assert_eq!(copy(&[0, x, y, z], 0).unwrap(), [0, x, y, z], "the driver's to refuse");
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert_eq!(copy(&[], 0).unwrap_err().rule, "batch/end");
        let rule = copy(&[0x7000_0000], 0).unwrap_err().rule;
        assert!(rule.starts_with("command/"), "{rule}");
    }
}
