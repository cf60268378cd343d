//! A pipe's checksum: one for each frame, by which a driver's tests compare pictures that they can't see.
//!
//! ```text
//!  PIPE_CRC_CTL, enabled ──► at each vblank: the picture that was scanned out ──CRC-32──► PIPE_CRC_RES, interrupt
//! ```
//!
//! Which polynomial silicon uses, over what, is not public; so the values are our own. As on silicon equal pictures have
//! equal checksums, however they lie in memory, and different ones have different ones but for one case in 2^32.
//! Source: i915's use of PIPE_CRC_CTL on Skylake; of its sources only the pipe's output is known here, and all others
//! (single planes) give the same.

use mediator::{GuestRam, ScanOut};

use super::pipe_at;
use crate::vgpu::registers::RegisterFile;

/// Enabled (31), source (30:28).
pub(super) const CONTROL: u32 = 0x6_0050;
pub(super) const RESULT: u32 = 0x6_0064;

/// What making a frame's picture may take: enough for 3840x2160 with a plane of that size and some more. What a guest
/// makes larger has the checksum of no picture.
const BYTES_LIMIT: u64 = 128 << 20;
const NO_PICTURE: u32 = 0;

pub(super) fn enabled(registers: &RegisterFile, pipe: u8) -> bool {
    registers.get(CONTROL + pipe_at(pipe)) >> 31 != 0
}

/// Shows the checksum of what `pipe` scans out.
pub(super) fn show(registers: &mut RegisterFile, pipe: u8, scan_out: &ScanOut, ram: &GuestRam) {
    registers.set(RESULT + pipe_at(pipe), checksum(scan_out, ram));
}

fn checksum(scan_out: &ScanOut, ram: &GuestRam) -> u32 {
    if scan_out.bytes_to_compose() > BYTES_LIMIT {
        return NO_PICTURE;
    }
    scan_out.picture(ram).map_or(NO_PICTURE, |picture| crc32fast::hash(picture.rgba()))
}

#[cfg(test)]
mod tests {
    use mediator::{GuestAddress, Time};

    use super::super::{Display, Ggtt, Line};
    use super::*;
    use crate::Platform;

    const SURFACE: u32 = 0x40_0000;
    const GUEST: u64 = 0x10_0000;
    const MILLISECOND: u64 = 1_000_000;

    /// A pipe with a mode of 64 by 4 pixels at 60 Hz, and a plane of that size and two pages.
    struct Machine {
        registers: RegisterFile,
        ggtt: Ggtt,
        ram: GuestRam,
        line: Line,
        display: Display,
    }

    impl Machine {
        fn new() -> Self {
            let mut registers = RegisterFile::of(Platform::default());
            let mut ggtt = Ggtt::new().unwrap();
            for page in 0..2 {
                ggtt.write(
                    u64::from(SURFACE >> 12) * 8 + page * 8,
                    (GUEST + page * 4096) as u32 | 1,
                );
            }
            for (at, value) in [
                (0x6_001C, 63 << 16 | 3),
                (0x7_0180, 1 << 31 | 4 << 24),
                (0x7_0188, 4),
                (0x7_0190, 3 << 16 | 63),
                (0x4_4404, 0),
            ] {
                registers.set(at, value);
            }
            let mut display = Display::new(vec![0; 128]);
            display.write_transcoder(&mut registers, 0, 1 << 31, Time(0));
            let ram = GuestRam::anonymous(4 << 20).unwrap();
            let mut machine = Self { registers, ggtt, ram, line: Line::default(), display };
            machine.flip(SURFACE, 0);
            machine.tick(17);
            machine
        }

        fn flip(&mut self, surface: u32, ms: u64) {
            self.registers.set(0x7_019C, surface);
            self.display.flip(&mut self.registers, 0, 0, Time(ms * MILLISECOND));
        }

        fn sums(&mut self, on: bool, ms: u64) {
            let value = u32::from(on) << 31 | 4 << 28;
            let now = Time(ms * MILLISECOND);
            self.display.write_checksum_control(&mut self.registers, 0, value, now);
        }

        /// Returns the checksum if the guest was told of one, and when it is to be called next.
        fn tick(&mut self, ms: u64) -> (Option<u32>, Option<Time>) {
            let Self { registers, ggtt, ram, line, display } = self;
            let now = Time(ms * MILLISECOND);
            display.sum(registers, line, ggtt, ram, now);
            let (next, _) = display.tick(registers, line, now);
            let told = registers.get(0x4_4408) & 1 << 28 != 0;
            registers.set(0x4_4408, 0);
            (told.then(|| registers.get(RESULT)), next)
        }

        fn sum_at(&mut self, ms: u64) -> u32 {
            self.tick(ms).0.unwrap()
        }
    }

    #[test]
    fn nobody_asks_and_nothing_is_summed() {
        let mut machine = Machine::new();
        assert_eq!(machine.tick(100), (None, None));
        machine.sums(true, 100);
        machine.sums(false, 101);
        assert_eq!(machine.tick(200), (None, None));
    }

    #[test]
    fn each_frame_has_a_sum_at_its_end() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        assert_eq!(machine.tick(100), (None, Some(Time(100_000_002))));
        let first = machine.sum_at(101);
        assert_eq!(machine.tick(102), (None, Some(Time(116_666_669))));
        assert_eq!(machine.sum_at(117), first);
        machine.sums(false, 118);
        assert_eq!(machine.tick(200), (None, None));
    }

    #[test]
    fn equal_pictures_have_equal_sums_and_different_ones_others() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        let black = machine.sum_at(101);
        machine.ram.write_u32(GuestAddress(GUEST + 4), 0x0000_0100).unwrap();
        let green = machine.sum_at(120);
        assert_ne!(green, black);
        machine.ram.write_u32(GuestAddress(GUEST + 4), 0xFF00_0100).unwrap();
        assert_eq!(machine.sum_at(140), green, "the upper byte is no colour");
        // The same picture with red and blue swapped, in another place.
        machine.ram.write_u32(GuestAddress(GUEST + 4096 + 4), 0x0000_0100).unwrap();
        machine.registers.set(0x7_0180, 1 << 31 | 4 << 24 | 1 << 20);
        machine.flip(SURFACE + 4096, 141);
        machine.tick(160);
        assert_eq!(machine.sum_at(180), green);
    }

    #[test]
    fn a_sum_is_of_what_was_shown_before_the_vblank() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        let before = machine.sum_at(101);
        machine.ram.write_u32(GuestAddress(GUEST + 4096), 0xFF_FFFF).unwrap();
        machine.flip(SURFACE + 4096, 102);
        assert_eq!(machine.sum_at(120), before);
        assert_ne!(machine.sum_at(140), before);
    }

    #[test]
    fn no_frame_goes_without_a_sum_when_the_host_is_late() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        let count = machine.display.frame_count(0, Time(100 * MILLISECOND));
        for (late, told, frames) in
            [(155, true, 1), (160, false, 1), (310, true, 2), (311, false, 2), (400, true, 3)]
        {
            assert_eq!(machine.tick(late).0.is_some(), told, "at {late} ms");
            let counted = machine.display.frame_count(0, Time(late * MILLISECOND + 1)) - count;
            assert_eq!(counted, frames, "at {late} ms");
        }
        machine.sums(false, 401);
        let counted = machine.display.frame_count(0, Time(402 * MILLISECOND)) - count;
        assert_eq!(counted, 4, "by the clock again");
    }

    #[test]
    fn a_frame_waits_for_a_driver_that_was_told_of_the_sum_before() {
        let mut machine = Machine::new();
        let read = |machine: &mut Machine, ms| {
            machine.display.read_checksum(&machine.registers, 0, Time(ms * MILLISECOND))
        };
        let count =
            |machine: &mut Machine, ms| machine.display.frame_count(0, Time(ms * MILLISECOND));
        machine.registers.set(0x4_440C, u32::MAX);
        machine.sums(true, 100);
        machine.sum_at(101);
        let frame = count(&mut machine, 130);
        assert_eq!(machine.tick(300), (None, Some(Time(1_101_000_000))), "it wasn't read");
        read(&mut machine, 301);
        assert_eq!(machine.tick(302), (None, Some(Time(401_000_000))), "nor its frame");
        assert_eq!(count(&mut machine, 310), frame);
        assert_eq!(machine.tick(311), (None, Some(Time(320_000_000))));
        machine.sum_at(320);
        assert_eq!(count(&mut machine, 321), frame + 1);
        // One that never reads has its frames, later.
        machine.sum_at(1321);
    }

    #[test]
    fn a_pipe_that_is_off_has_no_sums_and_goes_on_with_them_later() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        let shown = machine.sum_at(101);
        machine.display.write_transcoder(&mut machine.registers, 0, 0, Time(102 * MILLISECOND));
        assert_eq!(machine.tick(200), (None, None));
        let on = Time(201 * MILLISECOND);
        machine.display.write_transcoder(&mut machine.registers, 0, 1 << 31, on);
        assert_eq!(machine.sum_at(220), shown);
    }

    #[test]
    fn absurd_planes_and_missing_memory_have_sums_too() {
        let mut machine = Machine::new();
        machine.sums(true, 100);
        let black = machine.sum_at(101);
        machine.flip(SURFACE + (64 << 20), 102);
        machine.tick(120);
        assert_eq!(machine.sum_at(140), black, "what is not mapped is black");
        // A stride of 512 KiB, 8192 rows: 4 GiB.
        machine.registers.set(0x7_0180, 1 << 31 | 4 << 24 | 1 << 10);
        machine.registers.set(0x7_0188, 0x3FF);
        machine.registers.set(0x7_0190, 0x1FFF << 16 | 63);
        machine.flip(SURFACE, 141);
        machine.tick(160);
        assert_eq!(machine.sum_at(180), NO_PICTURE);
    }
}
