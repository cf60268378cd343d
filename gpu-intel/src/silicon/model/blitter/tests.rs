use std::sync::Arc;

use display::Layout;
use mediator::{Clock, GuestAddress, GuestRam, SpaceRoot};

use super::*;
use crate::engine::Engine;
use crate::silicon::model::counters::Counters;
use crate::silicon::model::memory::Memory;
use crate::silicon::model::registers::Registers;

const TO: u32 = 0x10_0000;
const FROM: u32 = 0x14_0000;
const PATTERN: u32 = 0x18_0000;

const DEPTH_8: u32 = 0;
const DEPTH_16: u32 = 1 << 24;
const DEPTH_32: u32 = 3 << 24;

struct Desk {
    bus: BatchBus,
    ram: GuestRam,
    setup: Setup,
}

impl Desk {
    /// Two MiB of memory, mapped to the same addresses. Bytes from `TO` on are 0xee.
    fn new() -> Self {
        let ram = GuestRam::anonymous(2 << 20).unwrap();
        ram.write_u64(GuestAddress(0x1000), 0x2003).unwrap();
        for page in 0..512 {
            ram.write_u64(GuestAddress(0x2000 + 8 * page), page << 12 | 3).unwrap();
        }
        let root = SpaceRoot { levels: 3, entries: [0x1000, 0, 0, 0] };
        ram.write(GuestAddress(u64::from(TO)), &vec![0xee; (FROM - TO) as usize]).unwrap();
        let bus = BatchBus {
            memory: Memory::new(ram.clone(), root, Arc::default()),
            registers: Registers::new(Engine::Copy),
            clock: Clock::start(),
            ahead: std::time::Duration::ZERO,
            counters: Arc::new(Counters::default()),
        };
        Self { bus, ram, setup: Setup::default() }
    }

    fn run(&mut self, command: &[u32]) -> Blit {
        let length = crate::command::length(command[0], Engine::Copy);
        assert_eq!(length, Some(command.len()), "{:#x}", command[0]);
        execute(&mut self.setup, command, &mut self.bus, &Stop::default()).unwrap()
    }

    fn bytes(&self, at: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.ram.read(GuestAddress(u64::from(at)), &mut bytes).unwrap();
        bytes
    }

    fn put(&self, at: u32, bytes: &[u8]) {
        self.ram.write(GuestAddress(u64::from(at)), bytes).unwrap();
    }

    fn pixel(&self, pitch: u32, x: u32, y: u32) -> u32 {
        self.ram.read_u32(GuestAddress(u64::from(TO + y * pitch + 4 * x))).unwrap()
    }
}

fn at(x: u32, y: u32) -> u32 {
    y << 16 | x
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 21) as u8).collect()
}

#[test]
fn color_fills_the_rectangle_and_nothing_else() {
    for (control, bytes) in [(DEPTH_8, 1), (DEPTH_16, 2), (DEPTH_32, 4)] {
        let mut desk = Desk::new();
        let pitch = 64;
        desk.run(&[
            0x5430_0005,
            control | 0xf0 << 16 | pitch,
            at(2, 1),
            at(5, 3),
            TO,
            0,
            0x4433_2211,
        ]);
        let color = [0x11, 0x22, 0x33, 0x44];
        for (i, byte) in desk.bytes(TO, 256).into_iter().enumerate() {
            let (x, y) = (i % 64 / bytes, i / 64);
            let inside = (2..5).contains(&x) && (1..3).contains(&y);
            assert_eq!(byte, if inside { color[i % bytes] } else { 0xee }, "{bytes} {x},{y}");
        }
    }
}

#[test]
fn the_write_mask_chooses_alpha_and_color() {
    for (mask, expected) in
        [(0, 0xeeee_eeee), (1, 0xee33_2211), (2, 0x44ee_eeee), (3, 0x4433_2211_u32)]
    {
        let mut desk = Desk::new();
        let header = 0x5400_0005 | mask << 20;
        desk.run(&[header, DEPTH_32 | 0xf0 << 16 | 64, 0, at(1, 1), TO, 0, 0x4433_2211]);
        assert_eq!(desk.pixel(64, 0, 0), expected, "mask {mask}");
    }
}

#[test]
fn clipping_limits_every_blit_that_asks_for_it() {
    let mut desk = Desk::new();
    desk.run(&[0x40c0_0001, at(1, 1), at(3, 2)]);
    let fill =
        |control| [0x5430_0005, control | DEPTH_32 | 0xf0 << 16 | 64, 0, at(4, 4), TO, 0, 0x55];
    desk.run(&fill(1 << 30));
    for y in 0..4 {
        for x in 0..4 {
            let inside = (1..3).contains(&x) && y == 1;
            assert_eq!(desk.pixel(64, x, y) == 0x55, inside, "{x},{y}");
        }
    }
    desk.run(&fill(0));
    assert_eq!(desk.pixel(64, 3, 3), 0x55);
}

#[test]
fn setup_serves_the_pixels_after_it() {
    let mut desk = Desk::new();
    let control = 1 << 30 | DEPTH_32 | 0xf0 << 16 | 64;
    desk.run(&[0x4070_0008, control, at(0, 0), at(4, 4), TO, 0, 0xb, 0xf, 0, 0]);
    desk.run(&[0x4900_0000, at(2, 3)]);
    desk.run(&[0x4900_0000, at(4, 3)]);
    assert_eq!([desk.pixel(64, 2, 3), desk.pixel(64, 4, 3)], [0xf, 0xeeee_eeee]);
}

#[test]
fn source_copy_between_all_tilings() {
    let pitch = 1024;
    let (width, height) = (300, 40);
    let pixels = noise((pitch * height) as usize);
    let layout = |tiling: Tiling| Layout::new(tiling, 4, pitch).unwrap();
    let tilings = [Tiling::Linear, Tiling::X, Tiling::Y];
    for from in tilings {
        for to in tilings {
            if from != to && from != Tiling::Linear && to != Tiling::Linear {
                continue;
            }
            let mut desk = Desk::new();
            for y in 0..height {
                for x in (0..pitch).step_by(4) {
                    let i = (y * pitch + x) as usize;
                    desk.put(FROM + layout(from).offset(x, y) as u32, &pixels[i..i + 4]);
                }
            }
            let y_tiled = u32::from(from == Tiling::Y) | u32::from(to == Tiling::Y) << 1;
            desk.bus.registers.write(RegisterOffset(BCS_SWCTRL), 3 << 16 | y_tiled);
            let tiled = |tiling| u32::from(tiling != Tiling::Linear);
            let pitch_of = |tiling| if tiling == Tiling::Linear { pitch } else { pitch / 4 };
            desk.run(&[
                0x54f0_0008 | tiled(from) << 15 | tiled(to) << 11,
                DEPTH_32 | 0xcc << 16 | pitch_of(to),
                at(5, 3),
                at(5 + 200, 3 + 30),
                TO,
                0,
                at(7, 9),
                pitch_of(from),
                FROM,
                0,
            ]);
            for y in 0..height {
                for x in 0..width.min(pitch / 4) {
                    let got = desk.bytes(TO + layout(to).offset(4 * x, y) as u32, 4);
                    let inside = (5..205).contains(&x) && (3..33).contains(&y);
                    if inside {
                        let i = ((y + 6) * pitch + 4 * (x + 2)) as usize;
                        assert_eq!(got, &pixels[i..i + 4], "{from:?} to {to:?} {x},{y}");
                    } else {
                        assert_eq!(got, [0xee; 4], "{from:?} to {to:?} {x},{y}");
                    }
                }
            }
        }
    }
}

#[test]
fn overlapping_copies_are_as_if_through_a_copy() {
    for (from, to) in [
        ((0, 0), (3, 2)),
        ((3, 2), (0, 0)),
        ((2, 0), (0, 0)),
        ((0, 0), (2, 0)),
        ((0, 3), (2, 0)),
        ((2, 0), (0, 3)),
    ] {
        let mut desk = Desk::new();
        let before = noise(64 * 16);
        desk.put(TO, &before);
        desk.run(&[
            0x54f0_0008,
            DEPTH_32 | 0xcc << 16 | 64,
            at(to.0, to.1),
            at(to.0 + 8, to.1 + 8),
            TO,
            0,
            at(from.0, from.1),
            64,
            TO,
            0,
        ]);
        let after = desk.bytes(TO, 64 * 16);
        for y in 0..8 {
            let row = |(x, y0): (u32, u32)| ((y0 + y) * 64 + 4 * x) as usize;
            let (a, b) = (row(to), row(from));
            assert_eq!(after[a..a + 32], before[b..b + 32], "{from:?} to {to:?}, row {y}");
        }
    }
}

#[test]
fn raster_operations_combine_source_and_destination() {
    let mut desk = Desk::new();
    desk.put(FROM, &[0x0f; 4]);
    desk.run(&[0x54f0_0008, DEPTH_32 | 0x66 << 16 | 64, 0, at(1, 1), TO, 0, 0, 64, FROM, 0]);
    assert_eq!(desk.pixel(64, 0, 0), 0xeeee_eeee ^ 0x0f0f_0f0f);
}

#[test]
fn patterns_repeat_and_start_at_their_seed() {
    let mut desk = Desk::new();
    let pattern: Vec<u8> = (0..64).collect();
    desk.put(PATTERN, &pattern);
    let (h, v) = (3, 2);
    let header = 0x5440_0006 | h << 12 | v << 8;
    desk.run(&[header, DEPTH_8 | 0xf0 << 16 | 64, at(1, 1), at(21, 12), TO, 0, PATTERN, 0]);
    for y in 1..12_u32 {
        for x in 1..21_u32 {
            let expected = ((y + v) % 8 * 8 + (x + h) % 8) as u8;
            assert_eq!(desk.bytes(TO + y * 64 + x, 1), [expected], "{x},{y}");
        }
    }
}

#[test]
fn mono_patterns_have_two_colors_or_one_and_holes() {
    for (transparent, background) in [(0, 0x11), (1 << 28, 0xee)] {
        let mut desk = Desk::new();
        let control = transparent | DEPTH_8 | 0xf0 << 16 | 64;
        // Row 0 is 1010 0000, row 1 0000 0001.
        desk.run(&[0x5480_0008, control, 0, at(8, 2), TO, 0, 0x11, 0x22, 0x01a0, 0]);
        let b = background;
        assert_eq!(desk.bytes(TO, 8), [0x22, b, 0x22, b, b, b, b, b]);
        assert_eq!(desk.bytes(TO + 64, 8), [b, b, b, b, b, b, b, 0x22]);
    }
}

#[test]
fn full_blits_take_three_operands() {
    let mut desk = Desk::new();
    desk.put(PATTERN, &[0xf0; 64]);
    desk.put(FROM, &[0xcc; 4]);
    desk.put(TO, &[0xaa; 4]);
    // 0x96: pattern xor source xor destination.
    desk.run(&[
        0x5570_000a,
        DEPTH_8 | 0x96 << 16 | 64,
        0,
        at(4, 1),
        TO,
        0,
        0,
        64,
        FROM,
        0,
        PATTERN,
        0,
    ]);
    assert_eq!(desk.bytes(TO, 5), [0x96, 0x96, 0x96, 0x96, 0xee]);
}

#[test]
fn fast_copies_of_every_depth_and_tiling() {
    for (depth, bytes) in [(0, 1), (1, 2), (3, 4), (4, 8), (5, 16_u32)] {
        for (code, yf, tiling) in
            [(0, 0, Tiling::Linear), (1, 0, Tiling::X), (2, 0, Tiling::Y), (2, 1, Tiling::Yf)]
        {
            let mut desk = Desk::new();
            let pitch = 2048;
            let pixels = noise((64 * bytes * 8) as usize);
            desk.put(FROM, &pixels);
            let to_pitch = if tiling == Tiling::Linear { pitch } else { pitch / 4 };
            desk.run(&[
                0x5080_0008 | code << 13,
                yf << 30 | depth << 24 | to_pitch,
                at(3, 5),
                at(3 + 60, 5 + 8),
                TO,
                0,
                at(2, 0),
                64 * bytes,
                FROM,
                0,
            ]);
            let layout = Layout::new(tiling, bytes, pitch).unwrap();
            for y in 0..8 {
                for x in 0..60 * bytes {
                    let to = TO + layout.offset(3 * bytes + x, 5 + y) as u32;
                    let i = (y * 64 * bytes + 2 * bytes + x) as usize;
                    assert_eq!(desk.bytes(to, 1), pixels[i..=i], "{bytes} {tiling:?} {x},{y}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_known_or_not_possible_is_said() {
    let mut desk = Desk::new();
    assert_eq!(desk.run(&[0x4980_0003, 0, 0, 0, 0]), Blit::Unknown);
    let mut fails = |command: &[u32]| {
        let stop = Stop::default();
        execute(&mut desk.setup, command, &mut desk.bus, &stop).unwrap_err().0.rule
    };
    assert_eq!(fails(&[0x5430_0003, 64, 0, at(1, 1), TO]), "blitter/length");
    assert_eq!(fails(&[0x5430_0805, 100, 0, at(1, 1), TO, 0, 0]), "blitter/pitch");
    assert_eq!(fails(&[0x5080_0008, 2 << 24, 0, 0, TO, 0, 0, 64, FROM, 0]), "blitter/depth");
    assert_eq!(fails(&[0x50b0_0008, 3 << 24, 0, 0, TO, 0, 0, 64, FROM, 0]), "blitter/tiling");
    let beyond = 0x40_0000;
    assert_eq!(fails(&[0x5430_0005, 0xf0_0040, 0, at(1, 1), beyond, 0, 0]), "ppgtt/unmapped");
}

#[test]
fn a_kill_ends_a_blit_at_the_next_row() {
    let mut desk = Desk::new();
    let stop = Stop::default();
    stop.kill.store(true, std::sync::atomic::Ordering::Relaxed);
    let command = [0x5430_0005, 0xf0_0040, 0, at(60, 0x7fff), TO, 0, 0];
    let killed = execute(&mut desk.setup, &command, &mut desk.bus, &stop);
    assert_eq!(killed, Ok(Blit::Killed));
    // Empty and inverted rectangles are no work.
    assert_eq!(desk.run(&[0x5430_0005, 0xf0_0040, at(5, 5), at(2, 9), TO, 0, 0]), Blit::Done);
}
