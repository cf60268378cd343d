//! Planes in registers and guest memory against what they show.

use super::*;
use mediator::{GuestRam, ScanOut};

const PLANE_SURFACE: u32 = 0x40_0000;
const GUEST: u64 = 0x10_0000;

/// Registers and a GGTT in which `pages` of guest memory from [`GUEST`] on lie at [`PLANE_SURFACE`], in the order told.
struct Machine {
    registers: RegisterFile,
    ggtt: Ggtt,
}

impl Machine {
    fn new(order: &[u64]) -> Self {
        let mut ggtt = Ggtt::new().unwrap();
        for (entry, page) in (u64::from(PLANE_SURFACE >> 12)..).zip(order) {
            ggtt.write(entry * 8, (GUEST + page * 4096) as u32 | 1);
        }
        Self { registers: RegisterFile::of(crate::Platform::default()), ggtt }
    }

    fn plane(&mut self, control: u32, stride: u32, (width, height): (u32, u32)) -> Option<Plane> {
        self.registers.set(0x7_0180, control | 1 << 31);
        self.registers.set(0x7_0188, stride);
        self.registers.set(0x7_0190, (height - 1) << 16 | (width - 1));
        self.registers.set(0x7_019C, PLANE_SURFACE);
        LivePlane::latch(&mut self.registers, 0, 0).read(&self.registers, &self.ggtt, 0)
    }
}

#[test]
fn strides_count_in_units_of_their_tiling() {
    let mut machine = Machine::new(&[]);
    for (format, tiling, stride, bytes) in [
        (4, 0, 100, 6400),
        (4, 1, 15, 7680),
        (4, 4, 60, 7680),
        (4, 5, 60, 7680),
        (0xE, 1, 8, 4096),
        (0xE, 5, 32, 4096),
        (0xC, 4, 16, 2048),
        (0xC, 5, 32, 2048),
    ] {
        let plane = machine.plane(format << 24 | tiling << 10, stride, (640, 480)).unwrap();
        assert_eq!(plane.surface.stride, bytes, "format {format:#x}, tiling {tiling}");
    }
}

#[test]
fn planes_that_make_no_sense_show_nothing() {
    let mut machine = Machine::new(&[]);
    assert!(machine.plane(4 << 24 | 2 << 10, 60, (640, 480)).is_none(), "no such tiling");
    assert!(machine.plane(15 << 24, 60, (640, 480)).is_none(), "no such format");
    assert!(machine.plane(4 << 24, 39, (640, 480)).is_none(), "the stride is short");
    assert!(machine.plane(4 << 24 | 1, 60, (640, 480)).is_none(), "linear, on its side");
    assert!(machine.plane(4 << 24 | 4 << 10 | 1, 1, (640, 480)).is_none(), "too few tiles");
    machine.registers.set(0x7_01A4, 0x1FFF_1FFF);
    assert!(machine.plane(4 << 24 | 4 << 10 | 3, 0x3FF, (0x2000, 0x2000)).is_none());
}

/// Each way to turn a picture of 3 by 2 tiles, with a part of it shown, against a picture drawn pixel by pixel.
#[test]
fn a_plane_on_its_side_shows_the_turned_picture() {
    // 3 tiles of 32 pixels across, 2 of 32 down, one unused row of tiles in the turned view.
    let (columns, rows, stride) = (3_u64, 2_u64, 3);
    let (width, height) = (90_u32, 60_u32);
    let mut order = Vec::new();
    for column in 0..columns {
        order.extend((0..rows).rev().map(|row| row * columns + column));
        order.push(99);
    }
    let pixel = |x: u32, y: u32| x << 16 | y << 8 | (x ^ y);
    let ram = GuestRam::anonymous(4 << 20).unwrap();
    for (x, y) in (0..64).flat_map(|y| (0..96).map(move |x| (x, y))) {
        let at = Tiling::Y.offset(4, 96 * 4, x * 4, y).unwrap();
        ram.write_u32(GuestAddress(GUEST + at), pixel(x, y)).unwrap();
    }
    // The part from (7, 5) on of the upright picture, 80 by 50.
    let (left, top, part_width, part_height) = (7, 5, 80, 50);
    for (turn, rotation) in [(1, Rotation::Clockwise90), (3, Rotation::Clockwise270)] {
        let mut machine = Machine::new(&order);
        // The driver turns the rectangle by a quarter with the picture, whose lower edge is that of its tiles.
        let offset = (64 - top - part_height, left);
        machine.registers.set(0x7_01A4, offset.1 << 16 | offset.0);
        let plane = machine.plane(4 << 24 | 4 << 10 | turn, stride, (part_height, part_width));
        let plane = plane.unwrap();
        assert_eq!(plane.rotation, rotation);
        let mut bytes = Vec::new();
        for page in &plane.pages {
            let mut page_bytes = [0; 4096];
            ram.read(page.unwrap(), &mut page_bytes).unwrap();
            bytes.extend(page_bytes);
        }
        let whole = display::decode(&plane.surface, &bytes).unwrap();
        let shown = whole.from_corner(plane.source.0, plane.source.1).unwrap();
        assert_eq!((shown.width(), shown.height()), (part_width, part_height));
        for (x, y) in (0..part_height).flat_map(|y| (0..part_width).map(move |x| (x, y))) {
            let [r, g, b, _] = shown.pixel(x, y).unwrap();
            assert_eq!(u32::from_be_bytes([0, r, g, b]), pixel(left + x, top + y), "{x}, {y}");
        }
    }
    assert!(width <= 96 && height <= 64);
}

#[test]
fn formats_of_luma_and_chroma_carry_order_matrix_and_range() {
    let yuv = |control| match format(control) {
        Some(PixelFormat::Yuv422(yuv)) => yuv,
        other => panic!("{other:?}"),
    };
    for (bits, order) in (0..).zip([YuvOrder::Yuyv, YuvOrder::Uyvy, YuvOrder::Yvyu, YuvOrder::Vyuy])
    {
        assert_eq!(yuv(bits << 16).order, order);
    }
    let colours = |control| yuv(control).colours;
    assert_eq!(colours(1 << 18).matrix, YuvMatrix::Bt709);
    assert_eq!(colours(0).matrix, YuvMatrix::Bt601);
    assert!(colours(1 << 28).full_range && !colours(0).full_range);
    assert_eq!(format(1 << 24 | 1 << 18), Some(PixelFormat::Nv12(colours(1 << 18))));
}

/// White of limited range in the upper half of the plane, blue in the lower one.
#[test]
fn nv12_shows_luma_and_chroma_of_two_surfaces() {
    let mut machine = Machine::new(&[0, 1, 2, 3]);
    let ram = GuestRam::anonymous(4 << 20).unwrap();
    // Luma: 64 by 16 pixels, of which those from (2, 4) on are shown, 128 bytes a row. Chroma from the third page on,
    // 192 bytes a row, from (1, 3) on.
    for (y, luma) in (4..16).map(|y| (y, if y < 10 { 235 } else { 41 })) {
        ram.write(GuestAddress(GUEST + y * 128), &[luma; 64]).unwrap();
    }
    for (y, pair) in (3..9).map(|y| (y, if y < 6 { [128, 128] } else { [240, 110] })) {
        let at = GUEST + 2 * 4096 + y * 192;
        ram.write(GuestAddress(at), &pair.repeat(32)).unwrap();
    }
    machine.registers.set(0x7_01A4, 4 << 16 | 2);
    machine.registers.set(0x7_01C0, 2 << 12 | 3);
    machine.registers.set(0x7_01C4, 3 << 16 | 1);
    let plane = machine.plane(1 << 24, 2, (62, 12)).unwrap();
    let chroma = plane.chroma.as_ref().unwrap();
    assert_eq!((chroma.surface.stride, chroma.source), (192, (1, 3)));
    assert_eq!(chroma.pages[0], Some(GuestAddress(GUEST + 2 * 4096)));
    let picture = ScanOut { mode: Some((62, 12)), planes: vec![plane] }.picture(&ram).unwrap();
    for (x, y) in (0..12).flat_map(|y| (0..62).map(move |x| (x, y))) {
        let expected = if y < 6 { [255, 255, 255, 255] } else { [0, 0, 255, 255] };
        assert_eq!(picture.pixel(x, y), Some(expected), "{x}, {y}");
    }
    assert!(machine.plane(4 << 24, 4, (62, 12)).unwrap().chroma.is_none());
    machine.registers.set(0x7_01C0, 2 << 12);
    assert!(machine.plane(1 << 24, 2, (62, 12)).is_none(), "chroma without a stride");
}

#[test]
fn a_scaler_puts_its_plane_where_its_window_is() {
    let mut machine = Machine::new(&[]);
    machine.registers.set(0x7_018C, 5 << 16 | 6);
    let place = |machine: &mut Machine| {
        machine.plane(4 << 24, 40, (640, 480)).map(|plane| (plane.x, plane.y)).unwrap()
    };
    machine.registers.set(0x6_8270, 300 << 16 | 20);
    machine.registers.set(0x6_8280, 1 << 31 | 2 << 25);
    assert_eq!(place(&mut machine), (6, 5), "the scaler is another plane's");
    machine.registers.set(0x6_8280, 1 << 31 | 1 << 25);
    assert_eq!(place(&mut machine), (300, 20));
    machine.registers.set(0x6_8280, 1 << 25);
    assert_eq!(place(&mut machine), (6, 5), "the scaler is off");
}

#[test]
fn an_indexed_plane_brings_the_pipe_s_palette() {
    let mut machine = Machine::new(&[]);
    machine.registers.set(0x4_A000 + 5 * 4, 0x0010_2030);
    let plane = machine.plane(0xC << 24, 10, (640, 480)).unwrap();
    assert_eq!(plane.palette.unwrap().0[5], [0x10, 0x20, 0x30]);
    assert!(machine.plane(4 << 24, 40, (640, 480)).unwrap().palette.is_none());
}

#[test]
fn a_plane_s_alpha_is_used_if_it_is_enabled() {
    let mut machine = Machine::new(&[]);
    machine.registers.set(0x7_01A0, 0x80 << 24);
    let blend = |plane: Option<Plane>| plane.map(|plane| (plane.blend, plane.alpha)).unwrap();
    assert_eq!(blend(machine.plane(4 << 24, 40, (640, 480))), (Blend::Opaque, 255));
    machine.registers.set(0x7_0198, 1 << 31);
    let control = 4 << 24 | 3 << 4;
    assert_eq!(blend(machine.plane(control, 40, (640, 480))), (Blend::Straight, 0x80));
    let control = 4 << 24 | 2 << 4;
    assert_eq!(blend(machine.plane(control, 40, (640, 480))), (Blend::Premultiplied, 0x80));
}

#[test]
fn cursors_have_three_sizes_and_any_place() {
    let mut machine = Machine::new(&[0]);
    let cursor = |machine: &mut Machine, control, position| {
        machine.registers.set(0x7_0080, control);
        machine.registers.set(0x7_0088, position);
        machine.registers.set(0x7_0084, PLANE_SURFACE);
        LiveCursor::latch(&mut machine.registers, 0).read(&machine.ggtt)
    };
    for (control, size) in [(0x27, 64), (0x22, 128), (0x23, 256)] {
        let plane = cursor(&mut machine, control, 0x8003_0007).unwrap();
        assert_eq!((plane.surface.width, plane.surface.height), (size, size));
        assert_eq!((plane.x, plane.y), (7, -3));
        assert_eq!(plane.pages[0], Some(GuestAddress(GUEST)));
        assert_eq!(plane.pages.len() as u32, size * size * 4 / 4096);
    }
    assert!(cursor(&mut machine, 0, 0).is_none());
    assert!(cursor(&mut machine, 4, 0).is_none());
    machine.registers.set(0x7_00A0, 1 << 31 | 15);
    let plane = cursor(&mut machine, 0x27 | 1 << 15, 0x0003_8007).unwrap();
    assert_eq!((plane.surface.height, plane.x, plane.y), (16, -7, 3));
    assert_eq!(plane.rotation, Rotation::HalfTurn);
}

proptest::proptest! {
    #[test]
    fn no_registers_make_a_plane_panic(
        control: u32, stride: u32, size: u32, offset: u32, position: u32, surface: u32,
        chroma_distance: u32, chroma_offset: u32,
    ) {
        let machine = Machine::new(&[]);
        let live = LivePlane {
            control, stride, position, size, offset, surface, key_mask: 0, key_max: 0, chroma_distance, chroma_offset,
        };
        if let Some(plane) = live.read(&machine.registers, &machine.ggtt, 2) {
            let needed = display::size_in_bytes(&plane.surface).unwrap();
            proptest::prop_assert!(plane.pages.len() as u64 >= needed.div_ceil(4096));
            proptest::prop_assert!(plane.source.0 < plane.surface.width && plane.source.1 < plane.surface.height);
        }
        LiveCursor { control, position, size, surface }.read(&machine.ggtt);
    }
}
