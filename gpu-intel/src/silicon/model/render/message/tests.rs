use super::*;
use crate::surface::test_memory::Flat;

const SURFACES: u64 = 0x1000;
const SAMPLERS: u64 = 0x2000;
const DATA: u64 = 0x10000;
const MCS: u64 = 0x1_8000;
const GENERAL: u64 = 0x8000;
const BINDLESS: u64 = 0x3000;

/// What binding table entries name.
const RAW: u32 = 1;
const TEXTURE: u32 = 2;
const IMAGE: u32 = 3;
const NULL: u32 = 4;
const SAMPLES: u32 = 5;
const UINTS: u32 = 6;
const VECTORS: u32 = 7;

struct Rig {
    memory: Flat,
    resources: Resources,
    shared: Vec<u8>,
}

fn plane(format: u32, width: u32, height: u32) -> [u32; 16] {
    let mut state = [0; 16];
    state[0] = 1 << 29 | format << 18 | 1 << 16 | 1 << 14;
    state[2] = (height - 1) << 16 | (width - 1);
    state[3] = 63;
    state[7] = 4 << 25 | 5 << 22 | 6 << 19 | 7 << 16;
    state[8] = DATA as u32;
    state
}

fn buffer(format: u32, elements: u32, stride: u32) -> [u32; 16] {
    let last = elements - 1;
    let mut state = plane(format, 1, 1);
    state[0] = 4 << 29 | format << 18;
    state[2] = last & 0x7f | (last >> 7 & 0x3fff) << 16;
    state[3] = last >> 21 << 21 | (stride - 1);
    state
}

impl Rig {
    fn new() -> Self {
        let mut memory = Flat::new(1 << 17);
        // In a Y tile, with an MCS.
        let mut samples = plane(0, 4, 4);
        samples[0] |= 3 << 12;
        (samples[1], samples[3], samples[4]) = (1, 127, 3 << 3);
        (samples[6], samples[10]) = (1, MCS as u32);
        let mut null = plane(199, 1, 1);
        null[0] = 7 << 29;
        let states = [
            buffer(511, 256, 1),
            plane(199, 4, 4),
            plane(200, 4, 4),
            null,
            samples,
            plane(215, 4, 4),
            buffer(0, 4, 16),
        ];
        for (number, state) in (1_u32..).zip(states) {
            memory.put_dwords(SURFACES + 4 * u64::from(number), &[0x100 + 0x40 * number]);
            memory.put_dwords(SURFACES + 0x100 + 0x40 * u64::from(number), &state);
        }
        memory.put_dwords(BINDLESS + 0x40, &plane(199, 4, 4));
        // Sampler 1 is nearest, with a border.
        memory.put_dwords(SAMPLERS + 16, &[0, 0, 0x100, 4 << 6 | 4 << 3 | 4]);
        memory.put_dwords(SAMPLERS + 0x100, &[1, 2, 3, 4]);
        let bases = Bases {
            surface: SURFACES,
            dynamic: SAMPLERS,
            general: GENERAL,
            bindless: BINDLESS,
            bindless_states: 2,
            binding_table: 0,
            sampler_table: 0,
        };
        let resources = Resources::new(bases, false);
        Self { memory, resources, shared: vec![0; 64] }
    }

    fn send(
        &mut self,
        function: SharedFunction,
        descriptor: u32,
        payload: &[Grf],
        response: usize,
    ) -> Result<Vec<Grf>, Fault> {
        self.send_lanes(function, descriptor, payload, response, u32::MAX)
    }

    fn send_lanes(
        &mut self,
        function: SharedFunction,
        descriptor: u32,
        payload: &[Grf],
        response: usize,
        lanes: u32,
    ) -> Result<Vec<Grf>, Fault> {
        let mut registers = vec![[0xdead_beef; 8]; response];
        let message = Message {
            function,
            descriptor,
            extended: 1 << 12,
            payload,
            lanes,
            first: 0,
            end_of_thread: false,
        };
        let Self { memory, resources, shared } = self;
        resources.send(memory, shared, &message, &mut registers)?;
        Ok(registers)
    }

    fn port0(&mut self, code: u32, bti: u32, payload: &[Grf], response: usize) -> Vec<Grf> {
        self.send(SharedFunction::DataPort0, code << 14 | bti, payload, response).unwrap()
    }

    fn port1(&mut self, code: u32, bti: u32, payload: &[Grf], response: usize) -> Vec<Grf> {
        self.send(SharedFunction::DataPort1, code << 14 | bti, payload, response).unwrap()
    }

    fn sample(&mut self, code: u32, bti: u32, payload: &[Grf], response: usize) -> Vec<Grf> {
        let descriptor = 1 << 17 | code << 12 | bti;
        self.send(SharedFunction::Sampler, descriptor, payload, response).unwrap()
    }

    /// Each dword says where it is.
    fn number(&mut self) {
        for at in (0..0x1000).step_by(4) {
            self.memory.put_dwords(DATA + at, &[at as u32]);
        }
    }
}

const HEADER: u32 = 1 << 19;

fn lanes_of(from: impl Fn(u32) -> u32) -> Grf {
    std::array::from_fn(|lane| from(lane as u32))
}

fn floats_of(from: impl Fn(f32) -> f32) -> Grf {
    lanes_of(|lane| from(lane as f32).to_bits())
}

fn header(dword: usize, value: u32) -> Grf {
    let mut grf = [0; 8];
    grf[dword] = value;
    grf
}

fn wide(from: impl Fn(u32) -> u64) -> [Grf; 2] {
    let mut grfs = [[0; 8]; 2];
    for (lane, pair) in grfs.as_flattened_mut().as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let value = from(lane as u32);
        *pair = [value as u32, (value >> 32) as u32];
    }
    grfs
}

#[test]
fn blocks_are_read_and_written() {
    let mut rig = Rig::new();
    rig.number();
    let two = rig.port0(0, RAW | HEADER | 2 << 8, &[header(2, 2)], 1);
    assert_eq!(two[0], lanes_of(|lane| 32 + 4 * lane));
    let high = rig.port0(0, RAW | HEADER | 1 << 8, &[header(2, 1)], 1);
    assert_eq!(high[0][3..6], [0xdead_beef, 16, 20]);
    let unaligned = rig.port0(1, RAW | HEADER | 3 << 8, &[header(2, 4)], 2);
    assert_eq!((unaligned[0][0], unaligned[1][7]), (4, 64));
    // The buffer ends at 256 bytes.
    let end = rig.port0(0, RAW | HEADER | 2 << 8, &[header(2, 15)], 1);
    assert_eq!(end[0], [240, 244, 248, 252, 0, 0, 0, 0]);
    let constant = SharedFunction::ConstantDataPort;
    let vectors = rig.send(constant, VECTORS | HEADER | 4 << 8, &[header(2, 0)], 4).unwrap();
    assert_eq!((vectors[1][7], vectors[2][0]), (60, 0));
    assert!(rig.send(SharedFunction::SamplerDataPort, RAW | HEADER, &[[0; 8]], 1).is_ok());

    rig.port0(8, RAW | HEADER | 2 << 8, &[header(2, 1), [7; 8]], 0);
    assert_eq!(rig.memory.dword(DATA + 16), 7);
    assert_eq!((rig.memory.dword(DATA + 12), rig.memory.dword(DATA + 48)), (12, 48));
    let dual = rig.port0(2, RAW | HEADER, &[[0; 8], [2, 0, 0, 0, 5, 0, 0, 0]], 1);
    assert_eq!(dual[0], [7, 7, 7, 7, 80, 84, 88, 92]);
    rig.port0(10, RAW | HEADER, &[[0; 8], [0, 0, 0, 0, 1, 0, 0, 0], [9; 8]], 0);
    assert_eq!((rig.memory.dword(DATA), rig.memory.dword(DATA + 16)), (9, 9));
}

#[test]
fn words_are_scattered() {
    let mut rig = Rig::new();
    rig.number();
    let dwords = rig.port0(3, RAW | 2 << 8, &[lanes_of(|lane| 8 * lane + 1)], 1);
    assert_eq!(dwords[0], [4, 36, 68, 100, 132, 164, 196, 228]);
    rig.port0(11, RAW | 2 << 8, &[lanes_of(|lane| lane), lanes_of(|lane| 0x0102_0300 + lane)], 0);
    assert_eq!(rig.memory.dword(DATA + 28), 0x0102_0307);
    let offsets = lanes_of(|lane| if lane == 7 { 1000 } else { 4 * lane + 1 });
    let bytes = rig.port0(4, RAW, &[offsets], 1);
    assert_eq!(bytes[0], [3, 3, 3, 3, 3, 3, 3, 0]);
    let words = rig.port0(4, RAW | 1 << 10, &[offsets], 1);
    assert_eq!(words[0][0], 0x203);
    rig.port0(
        12,
        RAW | 1 << 8 | 2 << 10,
        &[offsets, lanes_of(|lane| 100 + lane), [5; 8], [6; 8]],
        0,
    );
    assert_eq!(rig.memory.dword(DATA + 107), 6);
    assert_eq!(rig.port0(7, RAW | 1 << 13, &[[0; 8]], 1)[0], [0xdead_beef; 8]);
}

#[test]
fn untyped_messages_have_four_components() {
    let mut rig = Rig::new();
    rig.number();
    let offsets = lanes_of(|lane| 16 * lane);
    let all = rig.port1(1, RAW | 2 << 12, &[offsets], 4);
    assert_eq!(all[3], lanes_of(|lane| 16 * lane + 12));
    let y_and_w = rig.port1(1, RAW | 2 << 12 | 5 << 8, &[offsets], 2);
    assert_eq!(y_and_w, [lanes_of(|lane| 16 * lane + 4), lanes_of(|lane| 16 * lane + 12)]);
    let wide_x = rig.port1(1, RAW | 1 << 12 | 0xe << 8, &[offsets, offsets.map(|at| at + 4)], 2);
    assert_eq!(wide_x[1], lanes_of(|lane| 16 * lane + 4));
    let outside = rig.port1(1, RAW | 2 << 12 | 0xe << 8, &[[256; 8]], 1);
    assert_eq!(outside[0], [0; 8]);

    rig.port1(9, RAW | 2 << 12 | 0xc << 8, &[offsets.map(|at| at + 252), [1; 8], [2; 8]], 0);
    assert_eq!((rig.memory.dword(DATA + 252), rig.memory.dword(DATA + 256)), (1, 256));
    assert_eq!(rig.port1(1, NULL | 2 << 12, &[offsets], 4), [[0; 8]; 4]);
    // Lanes that take no part keep what they have.
    let some = rig
        .send_lanes(SharedFunction::DataPort1, 1 << 14 | RAW | 2 << 12 | 0xe << 8, &[offsets], 1, 2)
        .unwrap();
    assert_eq!(some[0][..3], [0xdead_beef, 16, 0xdead_beef]);
}

#[test]
fn groups_share_memory_of_their_own() {
    let mut rig = Rig::new();
    let offsets = lanes_of(|lane| 8 * lane);
    rig.port1(9, 254 | 2 << 12 | 0xe << 8, &[offsets, lanes_of(|lane| lane)], 0);
    assert_eq!(rig.shared[8], 1);
    let add = 1 << 12 | 1 << 13 | 7 << 8;
    assert_eq!(rig.port1(2, 254 | add, &[offsets, [3; 8]], 1)[0], lanes_of(|lane| lane));
    assert_eq!(rig.port1(1, 254 | 2 << 12 | 0xe << 8, &[offsets], 1)[0], lanes_of(|lane| lane + 3));
    assert_eq!(rig.port1(1, 254 | 2 << 12 | 0xe << 8, &[[64; 8]], 1)[0], [0; 8]);
    assert_eq!(rig.port1(2, 254 | add, &[[u32::MAX; 8], [3; 8]], 1)[0], [0; 8]);
}

#[test]
fn atomic_operations_take_turns() {
    let mut rig = Rig::new();
    let old = rig.port1(2, RAW | 1 << 12 | 1 << 13 | 5 << 8, &[[4; 8]], 1);
    assert_eq!(old[0], lanes_of(|lane| lane));
    assert_eq!(rig.memory.dword(DATA + 4), 8);
    let compared = rig.port1(2, RAW | 1 << 12 | 1 << 13 | 14 << 8, &[[4; 8], [8; 8], [1; 8]], 1);
    assert_eq!(compared[0], [8, 1, 1, 1, 1, 1, 1, 1]);
    let float =
        rig.port1(27, RAW | 1 << 12 | 1 << 13 | 1 << 8, &[[8; 8], floats_of(|lane| lane)], 1);
    assert_eq!(float[0][7], 6.0_f32.to_bits());
    assert_eq!(rig.memory.dword(DATA + 8), 7.0_f32.to_bits());
    let sixteen = rig.port1(2, RAW | 1 << 13 | 15 << 8, &[[12; 8], [12; 8]], 2);
    assert_eq!(sixteen[1][7], 16_u32.wrapping_neg());
}

#[test]
fn atomic_operations_are_on_aligned_words() {
    let mut rig = Rig::new();
    let mut state = buffer(511, 256, 1);
    state[8] += 1;
    rig.memory.put_dwords(SURFACES + 0x100 + 0x40 * u64::from(RAW), &state);
    rig.port1(2, RAW | 1 << 12 | 5 << 8, &[[6; 8]], 0);
    assert_eq!(rig.memory.dword(DATA + 4), 8);
}

#[test]
fn stateless_offsets_begin_at_the_general_base() {
    let mut rig = Rig::new();
    rig.memory.put_dwords(GENERAL + 0x408, &[42]);
    let offsets = lanes_of(|lane| if lane == 0 { 8 } else { 0 });
    let read = 2 << 12 | 0xe << 8;
    assert_eq!(rig.port1(1, 255 | HEADER | read, &[header(5, 0x400), offsets], 1)[0][0], 42);
    assert_eq!(rig.port1(1, 253 | read, &[lanes_of(|_| 0x408)], 1)[0][7], 42);
    let far = rig.send(SharedFunction::DataPort1, 1 << 14 | 255 | read, &[[u32::MAX; 8]], 1);
    assert!(far.is_err());
}

#[test]
fn addresses_of_64_bits_are_absolute() {
    let mut rig = Rig::new();
    rig.number();
    let [low, high] = wide(|lane| DATA + 16 * u64::from(lane));
    let x = rig.port1(17, 255 | 2 << 12 | 0xe << 8, &[low, high], 1);
    assert_eq!(x[0], lanes_of(|lane| 16 * lane));
    rig.port1(25, 255 | 2 << 12 | 0xc << 8, &[low, high, [1; 8], [2; 8]], 0);
    assert_eq!((rig.memory.dword(DATA + 112), rig.memory.dword(DATA + 116)), (1, 2));
    let bytes = rig.port1(16, 255 | 1 << 10, &[low, high], 1);
    assert_eq!(bytes[0], [1; 8]);
    let dwords = rig.port1(16, 255 | 1 << 8 | 1 << 10, &[low, high], 2);
    assert_eq!(dwords[1], [2; 8]);
    let quads = rig.port1(16, 255 | 2 << 8, &[low, high], 2);
    assert_eq!(quads[1], [1, 2, 1, 2, 1, 2, 1, 2]);
    rig.port1(26, 255 | 2 << 8, &[low, high, [3; 8], [4; 8]], 0);
    assert_eq!((rig.memory.dword(DATA + 4), rig.memory.dword(DATA + 68)), (3, 4));
    let block = rig.port1(20, 255 | HEADER | 2 << 8, &[wide(|_| DATA + 0x10c)[0]], 1);
    assert_eq!(block[0][0], 0x100);
    let unaligned = rig.port1(20, 255 | HEADER | 1 << 11 | 2 << 8, &[wide(|_| DATA + 0x10c)[0]], 1);
    assert_eq!(unaligned[0][0], 0x10c);
    rig.port1(21, 255 | HEADER | 2 << 8, &[wide(|_| DATA + 0x200)[0], [5; 8]], 0);
    assert_eq!(rig.memory.dword(DATA + 0x21c), 5);

    let [low, high] = wide(|_| DATA + 0x300);
    let [one, two] = wide(|_| 1 << 33);
    let add = 1 << 12 | 1 << 13 | 7 << 8;
    let old = rig.port1(18, 255 | add, &[low, high, one, two], 2);
    assert_eq!(old[0][..4], [0x300, 0x304, 0x300, 0x306]);
    let float = rig.port1(29, 255 | 1 << 13 | 1 << 8, &[low, high, floats_of(|_| 9.0)], 1);
    assert_eq!((float[0][0], rig.memory.dword(DATA + 0x300)), (0x300, 9.0_f32.to_bits()));
}

#[test]
fn images_are_accessed_by_texel() {
    let mut rig = Rig::new();
    let (u, v) = (lanes_of(|lane| lane), lanes_of(|lane| lane / 2));
    let color = [floats_of(|_| 1.0), floats_of(|_| 0.5), floats_of(|_| 0.0), floats_of(|_| 1.0)];
    let [r, g, b, a] = color;
    rig.port1(13, TEXTURE | 1 << 12, &[u, v, r, g, b, a], 0);
    assert_eq!(rig.memory.dword(DATA + 64 + 12), 0xff00_80ff);
    // Texels 4 to 7 of a row are outside.
    assert_eq!(rig.memory.dword(DATA + 2 * 64 + 16), 0);
    let green = rig.port1(5, TEXTURE | 1 << 12 | 0xd << 8, &[u, v], 1)[0].map(f32::from_bits);
    assert!((green[3] - 0.502).abs() < 0.001 && green[4] == 0.0);
    let linear = rig.port1(5, IMAGE | 1 << 12 | 0xd << 8, &[u, v], 1)[0].map(f32::from_bits);
    assert!((linear[0] - 0.2158).abs() < 0.001);

    let old =
        rig.port1(6, UINTS | 1 << 13 | 2 << 8, &[[3; 8], [1; 8], lanes_of(|lane| 1 << lane)], 1);
    assert_eq!(old[0][1], 0xff00_80ff | 1);
    assert_eq!(rig.memory.dword(DATA + 64 + 12), 0xff00_80ff);
    let u = lanes_of(|lane| lane);
    let vectors = rig.port1(5, VECTORS | 1 << 12, &[u], 4);
    assert_eq!(vectors[0][4], 0);
}

#[test]
fn scratch_space_holds_whole_registers() {
    let mut rig = Rig::new();
    let own = header(5, 0x800);
    let descriptor = 1 << 18 | 1 << 17 | 1 << 12 | 3 | HEADER;
    rig.send(SharedFunction::DataPort0, descriptor, &[own, [1; 8], [2; 8]], 0).unwrap();
    assert_eq!(rig.memory.dword(GENERAL + 0x800 + 3 * 32), 1);
    let descriptor = 1 << 18 | 1 << 12 | 3 | HEADER;
    let read = rig.send(SharedFunction::DataPort0, descriptor, &[own], 2).unwrap();
    assert_eq!(read, [[1; 8], [2; 8]]);
}

#[test]
fn samples_have_parameters_and_headers() {
    let mut rig = Rig::new();
    for y in 0..4 {
        rig.memory.put(DATA + 64 * y, &[10, 20, 30, 255, 51, 102, 153, 204]);
    }
    let (u, v) = (floats_of(|lane| 0.1 + lane * 0.3), floats_of(|_| 0.3));
    let nearest = 1 << 8;
    let level = rig.sample(24, TEXTURE | nearest, &[u, v], 4);
    assert_eq!(level[1][1], 0.4_f32.to_bits());
    assert_eq!(level[2][5], 3, "the border");
    let zero = [0; 8];
    for (code, payload) in [
        (0, vec![u, v]),
        (1, vec![zero, u, v]),
        (2, vec![zero, u, v]),
        (4, vec![u, zero, zero, v, zero, zero]),
    ] {
        assert_eq!(rig.sample(code, TEXTURE | nearest, &payload, 4), level, "{code}");
    }
    // ALWAYS means never.
    for (code, payload) in [
        (3, vec![zero, u, v]),
        (5, vec![zero, zero, u, v]),
        (6, vec![zero, zero, u, v]),
        (20, vec![zero, u, zero, zero, v]),
        (25, vec![zero, u, v]),
    ] {
        assert_eq!(rig.sample(code, TEXTURE | nearest, &payload, 1)[0][0], 0, "{code}");
    }
    // Blue and alpha only, one texel to the right.
    let head = header(2, 3 << 12 | 1 << 8);
    let header = rig.sample(24, TEXTURE | nearest | HEADER, &[head, u, v], 2);
    assert_eq!((header[0][0], header[1][0]), (0.6_f32.to_bits(), 0.8_f32.to_bits()));
    let halves = rig.sample(24, TEXTURE | nearest | 1 << 30, &[u, v], 4);
    assert_eq!(halves[1][0] >> 16, u32::from(half::f16::from_f32(0.4).to_bits()));
    let bindless = rig.sample(24, 252 | nearest, &[u, v], 4);
    assert_eq!(bindless, level);
    let wide = 2 << 17 | 24 << 12 | TEXTURE | nearest;
    let wide = rig.send(SharedFunction::Sampler, wide, &[u, u, v, v], 8).unwrap();
    assert_eq!((wide[3], wide[2]), (level[1], level[1]));
    // Four texels, from their corner.
    let corner = [floats_of(|_| 0.25), floats_of(|_| 0.25)];
    let green = super::tests::header(2, 1 << 16);
    for (code, offsets) in [(8, 0), (17, 2)] {
        let mut payload = vec![green];
        payload.extend(corner);
        payload.extend(vec![[0; 8]; offsets]);
        let four = rig.sample(code, TEXTURE | nearest | HEADER, &payload, 4);
        assert_eq!(four[1][0], 0.4_f32.to_bits());
        assert_eq!(four[0][0], (20.0_f32 / 255.0).to_bits());
    }
    for code in [16, 18] {
        let four = rig.sample(code, TEXTURE | nearest, &[zero, corner[0], corner[1]], 4);
        assert_eq!(four[0][0], 0);
    }
    assert_eq!(rig.sample(9, TEXTURE | nearest, &[u, v], 2)[0][0], 0);
}

#[test]
fn texels_are_loaded_and_surfaces_described() {
    let mut rig = Rig::new();
    for sample in 0..8 {
        // A layer has four rows of a tile, where columns of 16 bytes are 512 bytes apart.
        rig.memory.put_dwords(DATA + 512 + 16 * (4 * sample + 1), &[sample as u32, 0, 0, 7]);
    }
    let (one, zero) = ([1; 8], [0; 8]);
    let samples = lanes_of(|lane| lane);
    let mcs = rig.sample(29, SAMPLES, &[one, one], 2);
    assert_eq!(mcs[0], [0x7654_3210; 8]);
    let loaded = rig.sample(28, SAMPLES, &[samples, mcs[0], mcs[1], one, one], 4);
    assert_eq!((loaded[0], loaded[3]), (samples, [7; 8]));
    assert_eq!(rig.sample(30, SAMPLES, &[samples, zero, one, one], 1)[0], zero);
    assert_eq!(rig.sample(31, SAMPLES, &[samples, one, one], 1)[0], samples);
    assert_eq!(rig.sample(11, SAMPLES, &[zero], 1)[0], [8; 8]);

    rig.memory.put(DATA + 64 + 4, &[255, 0, 0, 255]);
    let red = 1.0_f32.to_bits();
    rig.resources.invalidate();
    assert_eq!(rig.sample(7, TEXTURE, &[one, one, zero], 1)[0], [red; 8]);
    assert_eq!(rig.sample(7, TEXTURE, &[one, one, one], 1)[0], zero, "there is no level 1");
    assert_eq!(rig.sample(26, TEXTURE, &[one, one], 1)[0], [red; 8]);
    let info = rig.sample(10, TEXTURE, &[zero], 4);
    assert_eq!(info.iter().map(|grf| grf[0]).collect::<Vec<_>>(), [4, 4, 0, 1]);
    assert_eq!(rig.sample(24, NULL | 1 << 8, &[zero, zero], 1)[0], zero);
}

#[test]
fn what_means_nothing_is_refused() {
    let mut rig = Rig::new();
    let sampler = SharedFunction::Sampler;
    for (function, descriptor, payload) in [
        (sampler, 12 << 12, 2),
        (sampler, 3 << 17 | TEXTURE, 2),
        (sampler, HEADER | 1 << 17 | TEXTURE, 0),
        (SharedFunction::DataPort0, 31 << 14, 1),
        (SharedFunction::DataPort0, RAW, 1),
        (SharedFunction::DataPort0, 8 << 14 | 4 << 8 | RAW | HEADER, 2),
        (SharedFunction::DataPort1, 1 << 14 | RAW, 1),
        (SharedFunction::DataPort1, 2 << 14 | 1 << 12 | RAW, 1),
        (SharedFunction::DataPort1, 9 << 14 | 2 << 12 | RAW, 4),
        (SharedFunction::DataPort1, 6 << 14 | 7 << 8 | VECTORS, 2),
        (SharedFunction::ConstantDataPort, 8 << 14 | RAW | HEADER, 2),
        (SharedFunction::Urb, 0, 1),
    ] {
        let payload = vec![[0; 8]; payload];
        let answer = rig.send(function, descriptor, &payload, 1);
        assert!(answer.is_err(), "{function:?} {descriptor:#x}");
    }
    rig.resources.bases.bindless_states = 1;
    assert!(rig.send(sampler, 1 << 17 | 252, &[[0; 8]], 1).is_err());
    // A response may be shorter than the answer.
    assert_eq!(rig.port1(1, RAW | 2 << 12, &[[0; 8]], 1).len(), 1);
    assert_eq!(rig.port0(0, RAW | HEADER | 4 << 8, &[[0; 8]], 1).len(), 1);
}
