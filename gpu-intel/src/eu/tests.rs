//! Small programs, written bit by bit, and what they leave in registers.

pub(crate) mod assemble;

use assemble::*;
use proptest::prelude::*;

use super::*;
use crate::command::streamer::Fault;

/// Nobody who answers; remembers what was sent.
#[derive(Default)]
struct Listener {
    sent: Vec<(SharedFunction, u32, u32, u8, Vec<Grf>)>,
}

impl SharedFunctions for Listener {
    fn send(&mut self, message: &Message<'_>, response: &mut [Grf]) -> Result<(), Fault> {
        assert!((1..=30).contains(&message.payload.len()) && response.len() <= 31);
        let (lanes, first) = (message.lanes, message.first);
        self.sent.push((
            message.function,
            message.descriptor,
            lanes,
            first,
            message.payload.to_vec(),
        ));
        for (i, register) in response.iter_mut().enumerate() {
            *register = [i as u32 + 0x100; 8];
        }
        Ok(())
    }
}

fn thread(mask: u32) -> Thread {
    let mut thread = Thread::new();
    thread.dispatch(&Dispatch {
        dispatch_mask: mask,
        vector_mask: mask,
        control: Control::default(),
        identity: 0,
    });
    thread
}

fn fill(thread: &mut Thread, register: usize, values: impl IntoIterator<Item = u32>) {
    for (i, value) in values.into_iter().enumerate() {
        thread.registers[register + i / 8][i % 8] = value;
    }
}

fn floats(thread: &mut Thread, register: usize, values: &[f32]) {
    fill(thread, register, values.iter().map(|value| value.to_bits()));
}

fn read_floats(thread: &Thread, register: usize) -> [f32; 8] {
    thread.registers[register].map(f32::from_bits)
}

/// Runs some instructions, and the end of the thread.
fn execute(thread: &mut Thread, words: &[u128]) -> Listener {
    let mut words = words.to_vec();
    words.push(end());
    let mut listener = Listener::default();
    let mut budget = 10_000;
    let result = run(&Program::new(&bytes(&words)), thread, &mut listener, &mut budget);
    assert_eq!(result, Ok(End::EndOfThread));
    listener
}

/// Runs one instruction on eight channels and returns g10.
fn result(word: u128, a: [u32; 8], b: [u32; 8]) -> [u32; 8] {
    let mut thread = thread(0xff);
    thread.registers[2] = a;
    thread.registers[4] = b;
    execute(&mut thread, &[word]);
    thread.registers[10]
}

fn each(value: f32) -> [u32; 8] {
    [value.to_bits(); 8]
}

#[test]
fn regions_choose_elements() {
    let mut thread = thread(0xffff);
    fill(&mut thread, 2, 0..32);
    // <8;4,2> of dwords: rows of four, every second, eight apart.
    let rows = region(g(2), UD, [4, 2, 2]);
    // <0;4,1>: a row of four again and again.
    let repeated = region(g(3).at(4), UD, [0, 2, 1]);
    // <16;8,2> of words: low halves; <8;8,1> of words: all halves.
    let words = region(g(2), UW, [5, 3, 2]);
    execute(
        &mut thread,
        &[
            one(Opcode::Mov, 8, (g(10), UD), rows),
            one(Opcode::Mov, 8, (g(11), UD), repeated),
            one(Opcode::Mov, 16, (g(12), UD), words),
            one(Opcode::Mov, 8, (g(14), UD), region(g(2), UW, [4, 3, 1])),
            op(Opcode::Mov, 8) | dst(g(15).at(2), UW, 2) | src0(packed(g(2), UD)),
        ],
    );
    assert_eq!(thread.registers[10], [0, 2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(thread.registers[11], [9, 10, 11, 12, 9, 10, 11, 12]);
    assert_eq!(thread.registers[12], [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(thread.registers[13], [8, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(thread.registers[14], [0, 0, 1, 0, 2, 0, 3, 0]);
    assert_eq!(
        thread.registers[15],
        [0, 0x10000, 0x20000, 0x30000, 0x40000, 0x50000, 0x60000, 0x70000]
    );
}

#[test]
fn addresses_lead_to_elements() {
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..32);
    let a0_words: Vec<u128> = (0..8)
        .map(|i| one(Opcode::Mov, 1, (A0.at(2 * i), UW), imm(UW, (64 + 4 * (7 - i)) as u32)))
        .collect();
    let mut words = a0_words;
    // g[a0.n]<VxH;1,0>: an address for each channel; 32 bytes on.
    let indirect = |width: u128, vertical: u128, offset: u128| {
        GRF << 41
            | UD << 43
            | (1 << 15 | width << 18 | vertical << 21 | offset & 0x1ff) << 64
            | (offset >> 9 & 1) << 95
    };
    words.push(op(Opcode::Mov, 8) | dst(g(10), UD, 1) | indirect(0, 15, 32));
    // g[a0.0]<8;8,1>, four bytes back.
    let back = -4i128 as u128 & 0x3ff;
    words.push(op(Opcode::Mov, 8) | dst(g(11), UD, 1) | indirect(3, 4, back) | 1 << 80);
    // To g[a0.1 + 320]<1>.
    let to = 1u128 << 63 | 1 << 61 | 1 << 57 | 320 << 48 | GRF << 35 | UD << 37;
    words.push(op(Opcode::Mov, 8) | to | src0(packed(g(4), UD)));
    execute(&mut thread, &words);
    assert_eq!(thread.registers[10], [15, 14, 13, 12, 11, 10, 9, 8]);
    assert_eq!(thread.registers[11], [6, 7, 8, 9, 10, 11, 12, 13]);
    let at = (64 + 24 + 320) / 4;
    assert_eq!(thread.registers.as_flattened()[at..at + 8], [16, 17, 18, 19, 20, 21, 22, 23]);
}

#[test]
fn moves_convert() {
    let f = |values: [f32; 8]| values.map(f32::to_bits);
    let values = f([1.9, -1.9, 3e9, -3e9, f32::NAN, f32::INFINITY, -0.5, 255.5]);
    let mov = |to: u128, from: u128| one(Opcode::Mov, 8, (g(10), to), packed(g(2), from));
    let as_d = result(mov(D, F), values, [0; 8]);
    assert_eq!(as_d.map(|v| v as i32), [1, -1, i32::MAX, i32::MIN, 0, i32::MAX, 0, 255]);
    let as_ud = result(mov(UD, F), values, [0; 8]);
    assert_eq!(as_ud, [1, 0, 3_000_000_000, 0, 0, u32::MAX, 0, 255]);
    let as_f = result(mov(F, D), [1, u32::MAX, 0x7fff_ffff, 0x8000_0000, 0, 0, 0, 0], [0; 8]);
    assert_eq!(as_f.map(f32::from_bits)[..4], [1.0, -1.0, 2147483648.0, -2147483648.0]);
    assert_eq!(result(mov(F, UD), [u32::MAX; 8], [0; 8]), each(4294967296.0));
    let saturated = result(mov(F, F) | SATURATE, values, [0; 8]).map(f32::from_bits);
    assert_eq!(saturated, [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    // Bits that only move stay: signalling NaNs, denormals.
    assert_eq!(
        result(mov(F, F), [0x7f80_0001, 1, 0, 0, 0, 0, 0, 0], [0; 8])[..2],
        [0x7f80_0001, 1]
    );
    // A minus alone turns the sign of a NaN, and flushes.
    let minus = one(Opcode::Mov, 8, (g(10), F), with(packed(g(2), F), NEG));
    assert_eq!(result(minus, [0x7fc0_0001; 8], [0; 8]), [0xffc0_0001; 8]);
    // Words: what doesn't fit wraps, or is clamped.
    let narrow = op(Opcode::Mov, 8) | dst(g(10), W, 2) | src0(packed(g(2), D));
    assert_eq!(result(narrow, [0x1_8001; 8], [0; 8])[0], 0x8001);
    assert_eq!(result(narrow | SATURATE, [0x1_8001; 8], [0; 8])[0], 0x7fff);
    assert_eq!(result(narrow | SATURATE, [-70000i32 as u32; 8], [0; 8])[0], 0x8000);
    // Half floats.
    let half = op(Opcode::Mov, 8) | dst(g(10), HF, 2) | src0(packed(g(2), F));
    assert_eq!(result(half, each(-1.5), [0; 8])[0], 0xbe00);
    let whole = op(Opcode::Mov, 8) | dst(g(10), F, 1) | src0(region(g(2), HF, [5, 3, 2]));
    assert_eq!(result(whole, [0xbe00; 8], [0; 8]), each(-1.5));
}

#[test]
fn immediates_are_vectors_too() {
    let mov = |to: u128, code: u128, bits: u128| {
        op(Opcode::Mov, 8) | dst(g(10), to, 1) | src0(Src::Imm(code, bits))
    };
    assert_eq!(result(mov(UD, 4, 0x7654_3210), [0; 8], [0; 8]), [0, 1, 2, 3, 4, 5, 6, 7]);
    let signed = result(mov(D, 6, 0xfedc_ba98), [0; 8], [0; 8]).map(|v| v as i32);
    assert_eq!(signed, [-8, -7, -6, -5, -4, -3, -2, -1]);
    // VF: 0x30 is 1, 0x40 2, 0xb8 -1.5, 0 is 0.
    let floats = result(mov(F, 5, 0x00b8_4030), [0; 8], [0; 8]).map(f32::from_bits);
    assert_eq!(floats, [1.0, 2.0, -1.5, 0.0, 1.0, 2.0, -1.5, 0.0]);
    let double = op(Opcode::Mov, 4)
        | dst(g(10), DF, 1)
        | 3 << 41
        | 10 << 43
        | u128::from(2.5f64.to_bits()) << 64;
    let two_dwords = result(double, [0; 8], [0; 8]);
    assert_eq!(u64::from(two_dwords[2]) | u64::from(two_dwords[3]) << 32, 2.5f64.to_bits());
}

#[test]
fn selections_know_numbers_from_nan() {
    let sel =
        |code| two(Opcode::Sel, 8, (g(10), F), packed(g(2), F), packed(g(4), F)) | condition(code);
    let a = [1.0, 2.0, f32::NAN, 3.0, -0.0, 5.0, 6.0, 7.0].map(f32::to_bits);
    let b = [2.0, 1.0, 4.0, f32::NAN, 5.0, 5.0, 5.0, 5.0].map(f32::to_bits);
    let larger = result(sel(GREATER_EQUAL), a, b).map(f32::from_bits);
    assert_eq!(larger, [2.0, 2.0, 4.0, 3.0, 5.0, 5.0, 6.0, 7.0]);
    let smaller = result(sel(LESS), a, b).map(f32::from_bits);
    assert_eq!(smaller, [1.0, 1.0, 4.0, 3.0, 0.0, 5.0, 5.0, 5.0]);
    let unsigned =
        two(Opcode::Sel, 8, (g(10), UD), packed(g(2), UD), packed(g(4), UD)) | condition(LESS);
    assert_eq!(result(unsigned, [u32::MAX; 8], [1; 8]), [1; 8]);
    let signed =
        two(Opcode::Sel, 8, (g(10), D), packed(g(2), D), packed(g(4), D)) | condition(LESS);
    assert_eq!(result(signed, [u32::MAX; 8], [1; 8]), [u32::MAX; 8]);
    // By flags, where the predicate masks nothing.
    let mut thread = thread(0xff);
    thread.registers[2] = [1; 8];
    thread.registers[4] = [2; 8];
    execute(
        &mut thread,
        &[
            one(Opcode::Mov, 1, (FLAG, UW), imm(UW, 0x35)),
            two(Opcode::Sel, 8, (g(10), UD), packed(g(2), UD), packed(g(4), UD)) | PREDICATED,
            two(Opcode::Sel, 8, (g(11), UD), packed(g(2), UD), packed(g(4), UD))
                | PREDICATED
                | INVERSE,
        ],
    );
    assert_eq!(thread.registers[10], [1, 2, 1, 2, 1, 1, 2, 2]);
    assert_eq!(thread.registers[11], [2, 1, 2, 1, 2, 2, 1, 1]);
}

#[test]
fn comparisons_set_flags_of_enabled_channels() {
    let mut thread = thread(0x0f);
    fill(&mut thread, 2, 0..8);
    floats(&mut thread, 3, &[f32::NAN, 1.0, 2.0, 3.0]);
    let cmp = |code, b| two(Opcode::Cmp, 8, (g(10), UD), packed(g(2), UD), b) | condition(code);
    execute(
        &mut thread,
        &[
            one(Opcode::Mov, 1, (FLAG, UD), imm(UD, 0xffff_ffff)) | NO_MASK,
            cmp(GREATER, imm(UD, 1)),
            // Quarter 2 on f0.1: bits 24 to 31; nobody is there.
            cmp(LESS, imm(UD, 1)) | 1 << 32 | 1 << 12,
            // NaN is unequal to all, and nothing else: f1.0.
            two(Opcode::Cmp, 8, (NULL, F), packed(g(3), F), packed(g(3), F))
                | condition(NOT_EQUAL)
                | 1 << 33,
            two(Opcode::Cmp, 8, (NULL, F), packed(g(3), F), imm_f(9.0))
                | condition(UNORDERED)
                | 3 << 32,
        ],
    );
    assert_eq!(thread.registers[10], [0, 0, u32::MAX, u32::MAX, 0, 0, 0, 0]);
    assert_eq!(thread.flags() & 0xffff_ffff, 0xffff_fffc);
    assert_eq!(thread.flags() >> 32 & 0xf, 1);
    assert_eq!(thread.flags() >> 48 & 0xf, 1);
}

#[test]
fn numbers_with_and_without_sign_compare_as_what_they_are() {
    let cmp =
        |a, b| two(Opcode::Cmp, 8, (g(10), D), packed(g(2), a), packed(g(4), b)) | condition(LESS);
    assert_eq!(result(cmp(D, UD), [u32::MAX; 8], [u32::MAX; 8]), [u32::MAX; 8], "-1 < 2^32 - 1");
    assert_eq!(result(cmp(UD, UD), [u32::MAX; 8], [u32::MAX; 8]), [0; 8]);
    assert_eq!(result(cmp(D, D), [u32::MAX; 8], [0; 8]), [u32::MAX; 8]);
}

#[test]
fn conditions_test_what_is_written() {
    // Clamped to zero is zero.
    let mut thread = thread(0xff);
    floats(&mut thread, 2, &[-1.0, 0.5, 2.0, 0.0]);
    execute(
        &mut thread,
        &[two(Opcode::Add, 8, (g(10), F), packed(g(2), F), imm_f(0.0))
            | condition(EQUAL)
            | SATURATE],
    );
    assert_eq!(thread.flags() & 0xf, 0b1001);
    // 0xffff_ffff + 1 overflows as UD, not as D.
    for (data_type, flags) in [(UD, 0xff), (D, 0)] {
        let mut thread = self::thread(0xff);
        thread.registers[2] = [u32::MAX; 8];
        let add =
            two(Opcode::Add, 8, (g(10), data_type), packed(g(2), data_type), imm(data_type, 1));
        execute(&mut thread, &[add | condition(OVERFLOW)]);
        assert_eq!((thread.flags(), thread.registers[10]), (flags, [0; 8]));
    }
}

#[test]
fn predicates_look_at_groups() {
    for (code, expected) in [
        (1, 0x01u32),
        (4, 0x03),
        (5, 0x00),
        (6, 0x0f),
        (7, 0x00),
        (8, 0xff),
        (9, 0),
        (12, 0xff),
        (13, 0),
    ] {
        let mut thread = thread(0xff);
        execute(
            &mut thread,
            &[
                one(Opcode::Mov, 1, (FLAG, UD), imm(UD, 0x0f00_0001)),
                one(Opcode::Mov, 8, (g(10), UD), imm(UD, 1)) | code << 16,
            ],
        );
        let written = (0..8).filter(|i| thread.registers[10][*i] == 1).fold(0, |m, i| m | 1 << i);
        assert_eq!(written, expected, "predicate control {code}");
    }
}

#[test]
fn whole_numbers_are_multiplied_whole() {
    // MUL into the accumulator, then MACH: the upper half.
    for (data_type, a, b) in [
        (D, -5i32 as u32, 7),
        (D, 0x7fff_ffff, 0x8000_0000),
        (D, 0x8000_0000, 0x8000_0000),
        (UD, u32::MAX, u32::MAX),
        (UD, 0x1234_5678, 0x9abc_def0),
    ] {
        let mut thread = thread(0xff);
        thread.registers[2] = [a; 8];
        thread.registers[4] = [b; 8];
        execute(
            &mut thread,
            &[
                two(
                    Opcode::Mul,
                    8,
                    (ACC, data_type),
                    packed(g(2), data_type),
                    region(g(4), UW, [5, 3, 2]),
                ),
                two(
                    Opcode::Mach,
                    8,
                    (g(10), data_type),
                    packed(g(2), data_type),
                    packed(g(4), data_type),
                ) | ACC_WRITE,
                one(Opcode::Mov, 8, (g(11), data_type), packed(ACC, data_type)),
                two(
                    Opcode::Mul,
                    8,
                    (g(12), data_type),
                    packed(g(2), data_type),
                    packed(g(4), data_type),
                ),
            ],
        );
        let whole = match data_type {
            D => (i64::from(a as i32) * i64::from(b as i32)) as u64,
            _ => u64::from(a) * u64::from(b),
        };
        assert_eq!(thread.registers[10], [(whole >> 32) as u32; 8], "{a:#x} * {b:#x}");
        assert_eq!(thread.registers[11], [whole as u32; 8]);
        assert_eq!(thread.registers[12], [whole as u32; 8]);
    }
}

#[test]
fn carries_go_to_the_accumulator() {
    let mut thread = thread(0xff);
    thread.registers[2] = [u32::MAX, 1, 2, 3, 4, 5, 6, 7];
    thread.registers[4] = [2; 8];
    let pair =
        |opcode, to| two(opcode, 8, (g(to), UD), packed(g(2), UD), packed(g(4), UD)) | ACC_WRITE;
    execute(
        &mut thread,
        &[
            pair(Opcode::Addc, 10),
            one(Opcode::Mov, 8, (g(11), UD), packed(ACC, UD)),
            pair(Opcode::Subb, 12),
            one(Opcode::Mov, 8, (g(13), UD), packed(ACC, UD)),
        ],
    );
    assert_eq!((thread.registers[10][0], thread.registers[11][0]), (1, 1));
    assert_eq!((thread.registers[10][1], thread.registers[11][1]), (3, 0));
    assert_eq!((thread.registers[12][1], thread.registers[13][1]), (u32::MAX, 1));
    assert_eq!((thread.registers[12][2], thread.registers[13][2]), (0, 0));
}

#[test]
fn bits_are_found_and_fields_are_cut() {
    let f = |opcode, to, from| one(opcode, 8, (g(10), to), packed(g(2), from));
    assert_eq!(result(f(Opcode::Lzd, UD, UD), [0; 8], [0; 8])[0], 32);
    assert_eq!(result(f(Opcode::Fbh, D, D), [0xffff_fff0; 8], [0; 8])[0], 28);
    assert_eq!(result(f(Opcode::Fbh, D, D), [u32::MAX; 8], [0; 8])[0], u32::MAX);
    assert_eq!(result(f(Opcode::Fbh, UD, UD), [1; 8], [0; 8])[0], 31);
    assert_eq!(result(f(Opcode::Fbl, UD, UD), [0x50; 8], [0; 8])[0], 4);
    assert_eq!(result(f(Opcode::Fbl, UD, UD), [0; 8], [0; 8])[0], u32::MAX);
    assert_eq!(result(f(Opcode::Cbit, UD, UD), [0xf0f; 8], [0; 8])[0], 8);
    assert_eq!(result(f(Opcode::Bfrev, UD, UD), [1; 8], [0; 8])[0], 1 << 31);
    let bfi1 = two(Opcode::Bfi1, 8, (g(10), UD), packed(g(2), UD), packed(g(4), UD));
    assert_eq!(result(bfi1, [5; 8], [3; 8])[0], 0x1f << 3);
    for (types, width, offset, value, expected) in [
        (2, 4, 4, 0xabcd, 0xc),
        (1, 4, 4, 0xabcd, 0xffff_fffc),
        (2, 0, 4, 0xabcd, 0),
        (2, 16, 20, 0xabcd_0000, 0xabc),
    ] {
        let mut thread = thread(0xff);
        thread.registers[2] = [width; 8];
        thread.registers[3] = [offset; 8];
        thread.registers[4] = [value; 8];
        execute(&mut thread, &[three(Opcode::Bfe, 8, types, 10, [2, 3, 4])]);
        assert_eq!(thread.registers[10], [expected; 8]);
    }
    let mut thread = thread(0xff);
    fill(&mut thread, 2, [0xff00; 8].into_iter().chain([0x1234; 8]).chain([0x5678; 8]));
    execute(&mut thread, &[three(Opcode::Bfi2, 8, 2, 10, [2, 3, 4])]);
    assert_eq!(thread.registers[10], [0x1278; 8]);
}

#[test]
fn shifts_take_as_many_bits_of_the_count_as_they_need() {
    let shift = |opcode, data_type| {
        two(opcode, 8, (g(10), data_type), packed(g(2), data_type), packed(g(4), UD))
    };
    assert_eq!(result(shift(Opcode::Shl, UD), [1; 8], [33; 8])[0], 2);
    assert_eq!(result(shift(Opcode::Asr, D), [-8i32 as u32; 8], [1; 8])[0], -4i32 as u32);
    assert_eq!(result(shift(Opcode::Shr, UD), [0x8000_0000; 8], [31; 8])[0], 1);
    // 64 bits: <4;4,1>:UQ by 33.
    let wide = op(Opcode::Shl, 4)
        | dst(g(10), 8, 1)
        | src0(region(g(2), 8, [3, 2, 1]))
        | src1(imm(UD, 33));
    assert_eq!(result(wide, [1, 0, 2, 0, 3, 0, 4, 0], [0; 8]), [0, 2, 0, 4, 0, 6, 0, 8]);
}

#[test]
fn averages_have_a_bit_more() {
    let avg = |t| two(Opcode::Avg, 8, (g(10), t), packed(g(2), t), packed(g(4), t));
    assert_eq!(result(avg(UD), [u32::MAX; 8], [u32::MAX - 1; 8])[0], u32::MAX);
    assert_eq!(result(avg(D), [-3i32 as u32; 8], [0; 8])[0], -1i32 as u32);
}

#[test]
fn integers_are_clamped() {
    let add = |t, a, b| {
        result(
            two(Opcode::Add, 8, (g(10), t), packed(g(2), t), packed(g(4), t)) | SATURATE,
            [a; 8],
            [b; 8],
        )[0]
    };
    assert_eq!(add(UD, u32::MAX, 1), u32::MAX);
    assert_eq!(add(D, 0x7fff_ffff, 1), 0x7fff_ffff);
    assert_eq!(add(D, 0x8000_0000, u32::MAX), 0x8000_0000);
    let minus =
        two(Opcode::Add, 8, (g(10), UD), packed(g(2), UD), with(packed(g(4), UD), NEG)) | SATURATE;
    assert_eq!(result(minus, [1; 8], [2; 8])[0], 0);
}

#[test]
fn logic_turns_bits_where_arithmetic_has_a_minus() {
    let and = two(Opcode::And, 8, (g(10), UD), packed(g(2), UD), with(packed(g(4), UD), NEG));
    assert_eq!(result(and, [0xff; 8], [0x0f; 8]), [0xf0; 8]);
    let add = two(Opcode::Add, 8, (g(10), D), with(packed(g(2), D), NEG | ABS), packed(g(4), D));
    assert_eq!(result(add, [-3i32 as u32; 8], [0; 8]), [-3i32 as u32; 8]);
}

#[test]
fn ternary_floats() {
    let mut thread = thread(0xffff);
    floats(&mut thread, 2, &[0.25; 16]);
    floats(&mut thread, 4, &[8.0; 16]);
    floats(&mut thread, 6, &[4.0; 16]);
    execute(
        &mut thread,
        &[
            three(Opcode::Mad, 16, 0, 10, [2, 4, 6]),
            three(Opcode::Lrp, 16, 0, 12, [2, 4, 6]),
            // The first source's x for all: replicated.
            three(Opcode::Mad, 8, 0, 14, [2, 4, 6]) | 1 << 64,
            three(Opcode::Csel, 8, 0, 15, [4, 6, 2]) | condition(LESS),
            three(Opcode::Csel, 8, 0, 16, [4, 6, 2]) | condition(GREATER),
        ],
    );
    assert_eq!(read_floats(&thread, 10), [32.25; 8]);
    assert_eq!(read_floats(&thread, 11), [32.25; 8]);
    assert_eq!(read_floats(&thread, 12), [5.0; 8]);
    assert_eq!(read_floats(&thread, 14), [32.25; 8]);
    assert_eq!(read_floats(&thread, 15), [4.0; 8]);
    assert_eq!(read_floats(&thread, 16), [8.0; 8]);
    assert_eq!(thread.flags(), 0);
}

#[test]
fn align16_has_swizzles_and_masks() {
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..8);
    thread.registers[10] = [99; 8];
    // .yxwz, to .xz
    let swizzle = 1u128 | (3 | 2 << 2) << 16;
    let word = op(Opcode::Mov, 8)
        | 1 << 8
        | GRF << 35
        | UD << 37
        | 0b0101 << 48
        | 10 << 53
        | GRF << 41
        | UD << 43
        | (swizzle | 2 << 5 | 3 << 21) << 64;
    execute(&mut thread, &[word]);
    assert_eq!(thread.registers[10], [1, 99, 3, 99, 5, 99, 7, 99]);
}

#[test]
fn planes_and_lines() {
    let mut thread = thread(0xffff);
    floats(&mut thread, 2, &[2.0, 3.0, 99.0, 5.0]);
    for (register, value) in [(4, 1.0), (5, 10.0), (6, 2.0), (7, 20.0)] {
        floats(&mut thread, register, &[value; 8]);
    }
    execute(
        &mut thread,
        &[
            two(Opcode::Pln, 16, (g(10), F), scalar(g(2), F), packed(g(4), F)),
            two(Opcode::Line, 8, (g(12), F), scalar(g(2), F), packed(g(4), F)),
        ],
    );
    assert_eq!(read_floats(&thread, 10), [37.0; 8]);
    assert_eq!(read_floats(&thread, 11), [69.0; 8]);
    assert_eq!(read_floats(&thread, 12), [7.0; 8]);
}

#[test]
fn rounding_is_what_the_thread_says() {
    let third = |mode: u32| {
        let mut thread = thread(0xff);
        floats(&mut thread, 2, &[1.0; 8]);
        floats(&mut thread, 3, &[-1.0; 8]);
        let tiny = imm_f(1e-10);
        execute(
            &mut thread,
            &[
                two(Opcode::Or, 1, (CR0, UD), scalar(CR0, UD), imm(UD, mode << 4)),
                two(Opcode::Add, 8, (g(10), F), packed(g(2), F), tiny),
                two(Opcode::Add, 8, (g(11), F), packed(g(3), F), tiny),
            ],
        );
        [10, 11].map(|register| thread.registers[register][0])
    };
    let (one, minus) = (1.0f32.to_bits(), (-1.0f32).to_bits());
    assert_eq!(third(0), [one, minus]);
    assert_eq!(third(1), [one + 1, minus - 1]);
    assert_eq!(third(2), [one, minus]);
    assert_eq!(third(3), [one, minus - 1]);
}

#[test]
fn denormals_are_flushed_unless_they_are_kept() {
    let add = two(Opcode::Mul, 8, (g(10), F), packed(g(2), F), imm_f(1.0));
    assert_eq!(result(add, [0x8000_0001; 8], [0; 8])[0], 0x8000_0000);
    let mut thread = Thread::new();
    let control = Control(Control::KEEP_F32_DENORMALS);
    thread.dispatch(&Dispatch { dispatch_mask: 0xff, vector_mask: 0xff, control, identity: 0 });
    thread.registers[2] = [0x8000_0001; 8];
    execute(&mut thread, &[add]);
    assert_eq!(thread.registers[10][0], 0x8000_0001);
}

#[test]
fn channels_part_and_meet() {
    // if (lane < 4) { if (lane < 2) x = 1 else x = 2 } else x = 3; y = 4
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..8);
    let mov = |value| one(Opcode::Mov, 8, (g(10), UD), imm(UD, value));
    let less =
        |value| two(Opcode::Cmp, 8, (NULL, UD), packed(g(2), UD), imm(UD, value)) | condition(LESS);
    let listener = execute(
        &mut thread,
        &[
            less(4),                                            // 0
            branch(Opcode::If, 8, 8 * 16, 9 * 16) | PREDICATED, // 1: else at 8 -> 9
            less(2),                                            // 2
            branch(Opcode::If, 8, 3 * 16, 4 * 16) | PREDICATED, // 3: to 6
            mov(1),                                             // 4
            branch(Opcode::Else, 8, 2 * 16, 2 * 16),            // 5: to 7
            mov(2),                                             // 6
            branch(Opcode::Endif, 8, 16, 0),                    // 7
            branch(Opcode::Else, 8, 2 * 16, 2 * 16),            // 8: to 10
            mov(3),                                             // 9
            branch(Opcode::Endif, 8, 16, 0),                    // 10
            one(Opcode::Mov, 8, (g(11), UD), imm(UD, 4)),
        ],
    );
    assert_eq!(thread.registers[10], [1, 1, 2, 2, 3, 3, 3, 3]);
    assert_eq!(thread.registers[11], [4; 8]);
    assert_eq!(listener.sent[0].2, 0xff);
}

#[test]
fn loops_end_for_each_channel_in_its_time() {
    // do { x += 1; if (x == 5) break; } while (x < lane)
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..8);
    let listener = execute(
        &mut thread,
        &[
            two(Opcode::Add, 8, (g(10), UD), packed(g(10), UD), imm(UD, 1)), // 0
            two(Opcode::Cmp, 8, (NULL, UD), packed(g(10), UD), imm(UD, 5)) | condition(EQUAL), // 1
            branch(Opcode::Break, 8, 2 * 16, 2 * 16) | PREDICATED,           // 2
            two(Opcode::Cmp, 8, (NULL, UD), packed(g(10), UD), packed(g(2), UD)) | condition(LESS), // 3
            branch(Opcode::While, 8, -4 * 16, 0) | PREDICATED, // 4
        ],
    );
    assert_eq!(thread.registers[10], [1, 1, 2, 3, 4, 5, 5, 5]);
    assert_eq!(listener.sent[0].2, 0xff, "all are back");
}

#[test]
fn halted_channels_skip_to_the_end() {
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..8);
    let mov = |register, value| one(Opcode::Mov, 8, (g(register), UD), imm(UD, value));
    execute(
        &mut thread,
        &[
            two(Opcode::Cmp, 8, (NULL, UD), packed(g(2), UD), imm(UD, 3)) | condition(GREATER), // 0
            branch(Opcode::Halt, 8, 2 * 16, 3 * 16) | PREDICATED, // 1: to 4
            mov(10, 1),                                           // 2
            branch(Opcode::Halt, 8, 16, 16),                      // 3
            mov(11, 2),
        ],
    );
    assert_eq!(thread.registers[10], [1, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(thread.registers[11], [2; 8]);
}

#[test]
fn continued_channels_are_asked_at_the_end_of_the_loop() {
    // do { x += 1; if (lane & 1) continue; y += 1 } while (x < 3)
    let mut thread = thread(0xff);
    fill(&mut thread, 2, 0..8);
    execute(
        &mut thread,
        &[
            two(Opcode::Add, 8, (g(10), UD), packed(g(10), UD), imm(UD, 1)),
            // The loop's own condition in f1.0.
            two(Opcode::Cmp, 8, (NULL, UD), packed(g(10), UD), imm(UD, 3))
                | condition(LESS)
                | 1 << 33,
            two(Opcode::And, 8, (NULL, UD), packed(g(2), UD), imm(UD, 1)) | condition(NOT_EQUAL),
            branch(Opcode::Cont, 8, 2 * 16, 2 * 16) | PREDICATED,
            two(Opcode::Add, 8, (g(11), UD), packed(g(11), UD), imm(UD, 1)),
            branch(Opcode::While, 8, -5 * 16, 0) | PREDICATED | 1 << 33,
        ],
    );
    assert_eq!(thread.registers[10][0], 3);
    assert_eq!(thread.registers[11], [3, 0, 3, 0, 3, 0, 3, 0]);
}

#[test]
fn jumps_are_relative_to_the_next() {
    let mut thread = thread(0xff);
    let mov = |register, value| one(Opcode::Mov, 8, (g(register), UD), imm(UD, value));
    execute(
        &mut thread,
        &[op(Opcode::Jmpi, 1) | src1(imm(D, 16)) | NO_MASK, mov(10, 1), mov(11, 2)],
    );
    assert_eq!((thread.registers[10], thread.registers[11]), ([0; 8], [2; 8]));
}

#[test]
fn messages_carry_both_parts_and_answers_come_back() {
    let mut thread = thread(0x0f0f);
    fill(&mut thread, 2, [7; 8]);
    fill(&mut thread, 5, [9; 8]);
    let sends = op(Opcode::Sends, 16)
        | 2 << 24
        | 1 << 35
        | 1 << 36
        | 5 << 44
        | 20 << 53
        | 2 << 69
        | (1 << 25 | 2 << 20 | 0x42) << 96;
    // Ex-mlen 1 is bit 6 of the extended descriptor, bit 64 of the instruction.
    let listener = execute(&mut thread, &[sends | 1 << 64]);
    let (function, descriptor, lanes, first, payload) = &listener.sent[0];
    assert_eq!(
        (*function, descriptor & 0xff, *lanes, *first),
        (SharedFunction::Sampler, 0x42, 0x0f0f, 0)
    );
    assert_eq!(payload[..], [[7; 8], [9; 8]]);
    assert_eq!(thread.registers[20..22], [[0x100; 8], [0x101; 8]]);
    assert_eq!(thread.registers[22], [0; 8]);
}

#[test]
fn threads_wait_and_run_on() {
    let words = [
        one(Opcode::Mov, 8, (g(10), UD), imm(UD, 1)),
        op(Opcode::Wait, 1) | dst(Reg { file: ARF, number: 0x90, byte: 0 }, UD, 1) | NO_MASK,
        one(Opcode::Mov, 8, (g(11), UD), imm(UD, 2)),
        end(),
    ];
    let (program, mut thread, mut listener) =
        (Program::new(&bytes(&words)), thread(0xff), Listener::default());
    let mut budget = 1;
    assert_eq!(run(&program, &mut thread, &mut listener, &mut budget), Ok(End::OutOfBudget));
    assert_eq!((thread.registers[10], budget), ([1; 8], 0));
    let mut budget = 100;
    assert_eq!(run(&program, &mut thread, &mut listener, &mut budget), Ok(End::Barrier));
    assert_eq!(run(&program, &mut thread, &mut listener, &mut budget), Ok(End::Barrier));
    thread.notify();
    assert_eq!(run(&program, &mut thread, &mut listener, &mut budget), Ok(End::EndOfThread));
    assert_eq!(thread.registers[11], [2; 8]);
}

#[test]
fn what_is_no_instruction_stops_only_who_comes_to_it() {
    let mov = one(Opcode::Mov, 8, (g(10), UD), imm(UD, 1));
    let program = Program::new(&bytes(&[mov, 0]));
    let mut budget = 100;
    let fault = run(&program, &mut thread(1), &mut Listener::default(), &mut budget).unwrap_err();
    assert_eq!(fault.0.rule, "eu/illegal");
    assert!(fault.0.detail.contains("0x10"), "{fault}");
    let program = Program::new(&bytes(&[mov]));
    let fault = run(&program, &mut thread(1), &mut Listener::default(), &mut budget).unwrap_err();
    assert_eq!(fault.0.rule, "eu/illegal");
    let program = Program::new(&bytes(&[branch(Opcode::If, 8, 8, -160), end()]));
    let fault = run(&program, &mut thread(0), &mut Listener::default(), &mut budget).unwrap_err();
    assert_eq!(fault.0.rule, "eu/jump");
}

#[test]
fn a_program_is_as_long_as_its_bytes() {
    let mov = one(Opcode::Mov, 8, (g(10), UD), imm(UD, 1));
    assert_eq!(Program::new(&bytes(&[mov, end()])).len(), 32);
    // No instruction, but one of 8 bytes.
    let illegal = 1u64 << 29;
    assert_eq!(Program::new(&illegal.to_le_bytes()).len(), 8);
    assert!(Program::new(&[]).is_empty());
    // Behind an end, on from where a branch leads.
    let halt = branch(Opcode::Halt, 8, 4 * 16, 4 * 16) | PREDICATED;
    let program = Program::new(&bytes(&[halt, end(), 0, 0, end()]));
    let places: Vec<_> = program.instructions().iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [0, 16, 64]);
}

/// Words that are mostly instructions.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = (any::<u128>(), 0..Opcode::ALL.len(), any::<u8>(), any::<bool>()).prop_map(
        |(bits, opcode, size, short)| {
            let opcode = Opcode::ALL[opcode] as u128;
            let plain = bits & !0x7f & !(7 << 21) & !(1 << 29);
            let word = plain | opcode | u128::from(size % 6) << 21 | u128::from(short) << 29;
            word.to_le_bytes()[..if short { 8 } else { 16 }].to_vec()
        },
    );
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_decode_or_say_why_not(first: u64, second: u64) {
        let (instruction, size) = decode(first, second);
        prop_assert!(size == 8 || size == 16);
        if let Err(error) = instruction {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_program_runs_within_its_budget(program in words(), mask: u32, control: u32, seed: u32, budget in 0u64..200) {
        let mut thread = Thread::new();
        let mut state = seed;
        for dword in thread.registers.as_flattened_mut() {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            *dword = state;
        }
        thread.dispatch(&Dispatch {
            dispatch_mask: mask, vector_mask: !mask, control: Control(control), identity: seed,
        });
        let program = Program::new(&program);
        let mut left = budget;
        for _ in 0..3 {
            let end = run(&program, &mut thread, &mut Listener::default(), &mut left);
            prop_assert!(left <= budget);
            match end {
                Ok(End::EndOfThread) | Err(_) => break,
                Ok(End::Barrier) => thread.notify(),
                Ok(End::OutOfBudget) => prop_assert_eq!(left, 0),
            }
        }
    }
}
