//! How long does the execution unit's model take for an instruction, by kind and width, and for real shaders?

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_intel::command::streamer::Fault;
use gpu_intel::eu::{
    Control, Dispatch, End, Grf, Message, Opcode, Program, SharedFunctions, Thread, run,
};
use vgate_benches::shaders::{self, Stage};

/// Answers nothing.
struct Deaf;

impl SharedFunctions for Deaf {
    fn send(&mut self, _: &Message<'_>, _: &mut [Grf]) -> Result<(), Fault> {
        Ok(())
    }
}

/// Instructions in a program, before its end.
const ROW: usize = 64;

const FLOAT: u128 = 7;
const GENERAL: u128 = 1;

/// To g10, packed floats.
fn head(opcode: Opcode, size: u32) -> u128 {
    opcode as u128 | u128::from(size.ilog2()) << 21
}

fn to(register: u128) -> u128 {
    GENERAL << 35 | FLOAT << 37 | register << 53 | 1 << 61
}

/// g(register)<8,8,1>F as the first source; 32 bits on, as the second.
fn from(register: u128) -> u128 {
    (register << 5 | 1 << 16 | 3 << 18 | 4 << 21) << 64
}

fn one(opcode: Opcode, size: u32) -> u128 {
    head(opcode, size) | to(10) | GENERAL << 41 | FLOAT << 43 | from(2)
}

fn two(opcode: Opcode, size: u32) -> u128 {
    one(opcode, size) | GENERAL << 89 | FLOAT << 91 | from(4) << 32
}

fn three(opcode: Opcode, size: u32) -> u128 {
    let source = |register: u128| 0xe4 << 1 | register << 12;
    head(opcode, size)
        | 1 << 8
        | 0xf << 49
        | 10 << 56
        | source(2) << 64
        | source(4) << 85
        | source(6) << 106
}

/// A message to the thread spawner, the last.
fn end() -> u128 {
    head(Opcode::Send, 8)
        | 7 << 24
        | 1 << 61
        | GENERAL << 41
        | from(127)
        | 3 << 89
        | 1 << 121
        | 1 << 127
}

fn dispatch(thread: &mut Thread) {
    let mask = 0xffff;
    let control = Control::default();
    thread.dispatch(&Dispatch { dispatch_mask: mask, vector_mask: mask, control, identity: 0 });
}

fn thread() -> Thread {
    let mut thread = Thread::new();
    for (i, dword) in thread.registers.as_flattened_mut().iter_mut().enumerate() {
        *dword = (1.0 + i as f32 / 64.0).to_bits();
    }
    thread
}

/// Runs a program to its end; how many instructions that were.
fn execute(program: &Program, thread: &mut Thread) -> u64 {
    dispatch(thread);
    let mut budget = 1 << 16;
    let end = run(program, thread, &mut Deaf, &mut budget);
    assert_eq!(end, Ok(End::EndOfThread));
    (1 << 16) - budget
}

fn instructions(c: &mut Criterion) {
    const CONDITION_LESS: u128 = 5 << 24;
    const NULL: u128 = !(1 << 35 | 0xff << 53);
    const INVERSE: u128 = 1 << 24;
    let mut group = c.benchmark_group("eu instruction");
    group.throughput(Throughput::Elements(ROW as u64)).sample_size(30);
    for size in [8, 16] {
        let kinds = [
            ("mov", one(Opcode::Mov, size)),
            ("add", two(Opcode::Add, size)),
            ("mul", two(Opcode::Mul, size)),
            ("mad", three(Opcode::Mad, size)),
            ("cmp", two(Opcode::Cmp, size) & NULL | CONDITION_LESS),
            ("sel", two(Opcode::Sel, size) | CONDITION_LESS),
            ("rndd", one(Opcode::Rndd, size)),
            ("math inv", two(Opcode::Math, size) | INVERSE),
        ];
        for (name, word) in kinds {
            let mut words = vec![word; ROW];
            words.push(end());
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let (program, mut thread) = (Program::new(&bytes), thread());
            group.bench_function(format!("{name} SIMD{size}"), |b| {
                b.iter(|| execute(black_box(&program), &mut thread));
            });
        }
    }
    group.finish();
}

/// The longest shader of each stage in two captures, with answers of nobody.
fn corpus(c: &mut Criterion) {
    let mut group = c.benchmark_group("eu shader");
    group.sample_size(30);
    for stage in [Stage::Vertex, Stage::Pixel] {
        let captures = shaders::captures().expect("the corpus");
        let named = captures.iter().filter(|path| {
            path.file_stem().is_some_and(|name| name == "m25_gl_anim" || name == "m25_gl_tex")
        });
        let found = named.flat_map(|path| shaders::of_capture(path).expect("a capture"));
        let longest = found.filter(|shader| shader.stage == stage).max_by_key(|s| s.bytes.len());
        let program = Program::new(&longest.expect("a shader").bytes);
        let mut thread = thread();
        let count = execute(&program, &mut thread);
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{stage:?}, {count} instructions"), |b| {
            b.iter(|| execute(black_box(&program), &mut thread));
        });
    }
    group.finish();
}

criterion_group!(benches, instructions, corpus);
criterion_main!(benches);
