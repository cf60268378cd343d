//! The execution unit's decoder says of each shader of the corpus what Mesa's own disassembler says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use gpu_intel::eu::{Instruction, Listing, Operands, Program, decode};
use vgate_benches::shaders;
use vgate_tests::guest_folder;

/// What Mesa says of these programs, each as lines with a single space where Mesa pads.
fn mesa(programs: &[&[u8]]) -> Result<Vec<Vec<String>>> {
    let path = guest_folder().join("disassembler/disassemble");
    let mut child = Command::new(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("no {}. Run scripts/setup disassembler", path.display()))?;
    let mut input = Vec::new();
    for program in programs {
        input.extend_from_slice(&u32::try_from(program.len())?.to_le_bytes());
        input.extend_from_slice(program);
    }
    let mut stdin = child.stdin.take().context("no input")?;
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    writer
        .join()
        .expect("the writer does not panic")
        .context("Mesa's disassembler took no more")?;
    ensure!(output.status.success(), "Mesa's disassembler: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let programs = text.split_terminator("END\n").map(joined);
    Ok(programs.collect())
}

/// Lines, where an instruction has one: Mesa's messages have two.
fn joined(text: &str) -> Vec<String> {
    let (mut lines, mut part) = (Vec::new(), Vec::new());
    for line in text.lines() {
        part.extend(line.split_whitespace());
        if matches!(part.last(), Some(last) if last.ends_with([';', ':']) && *last != "MsgDesc:" && *last != "JIP:")
        {
            lines.push(part.join(" "));
            part.clear();
        }
    }
    lines
}

#[test]
fn mesa_reads_every_shader_of_the_corpus_alike() -> Result<()> {
    let mut from = BTreeMap::new();
    for capture in shaders::captures()? {
        for shader in shaders::of_capture(&capture)? {
            from.entry(shader).or_insert_with(|| capture.clone());
        }
    }
    let all: Vec<_> = from.keys().map(|shader| &*shader.bytes).collect();
    let theirs = mesa(&all)?;
    ensure!(theirs.len() == all.len(), "{} programs, {} answers", all.len(), theirs.len());
    let (mut wrong, mut instructions, mut messages) = (Vec::new(), 0, 0);
    for ((shader, capture), theirs) in from.iter().zip(&theirs) {
        let program = Program::new(&shader.bytes);
        let ours = Listing(&program).to_string();
        let ours: Vec<_> = ours.lines().collect();
        let name = || format!("{:?} of {}", shader.stage, capture.display());
        if ours.len() != theirs.len() {
            wrong.push(format!("{}: {} lines, not {}", name(), ours.len(), theirs.len()));
        }
        for (ours, theirs) in ours.iter().zip(theirs) {
            if ours != theirs {
                wrong.push(format!("{}:\n  ours   {ours}\n  Mesa's {theirs}", name()));
            }
        }
        instructions += program.instructions().len();
        let is_message = |it: &Instruction| matches!(it.operands, Operands::Send(_));
        let decoded = program.instructions().iter().filter_map(|(_, it)| it.as_ref().ok());
        messages += decoded.filter(|it| is_message(it)).count();
    }
    println!("{} shaders, {instructions} instructions, {messages} of them messages", all.len());
    let first = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "{} differences:\n{first}", wrong.len());
    ensure!(all.len() >= 113 && instructions >= 3341, "only {} shaders", all.len());
    Ok(())
}

/// Says that an instruction has 8 bytes.
const COMPACTED: u64 = 1 << 29;

/// Instructions of the corpus with other bits: those that a field of a compacted one can have, and of the others each bit
/// by itself.
fn variants(first: u64, second: u64, ternary: bool) -> Vec<(u64, u64)> {
    /// Indices into tables: lowest bit and mask. Those of control, types, subregisters and two sources; of ternary
    /// instructions, control and sources.
    const INDICES: &[(u32, u64)] = &[(8, 31), (13, 31), (18, 31), (30, 31), (35, 31)];
    const TERNARY: &[(u32, u64)] = &[(8, 3), (10, 3)];
    if first & COMPACTED == 0 {
        let other = |bit: u32| match bit {
            0..64 => (first ^ 1 << bit, second),
            _ => (first, second ^ 1 << (bit - 64)),
        };
        return (7..128).map(other).filter(|(first, _)| first & COMPACTED == 0).collect();
    }
    let indices = if ternary { TERNARY } else { INDICES };
    let each = indices.iter().flat_map(|(low, mask)| {
        (0..=*mask).map(move |index| (first & !(mask << low) | index << low | COMPACTED, 0))
    });
    each.collect()
}

#[test]
fn mesa_reads_variants_of_every_instruction_alike() -> Result<()> {
    let mut all = BTreeSet::new();
    for capture in shaders::captures()? {
        for shader in shaders::of_capture(&capture)? {
            let unit = |at: u32| shader.bytes.get(at as usize..)?.first_chunk().copied();
            for (at, instruction) in Program::new(&shader.bytes).instructions() {
                let Ok(Instruction { operands, .. }) = instruction else { continue };
                // Branches lead to labels, which need a program; of NOP nothing is read.
                if !matches!(operands, Operands::Branch { .. } | Operands::None) {
                    let [first, second] =
                        [unit(*at), unit(at + 8)].map(|unit| unit.map_or(0, u64::from_le_bytes));
                    let variants = variants(first, second, matches!(operands, Operands::Three(..)));
                    // Mesa's disassembler gives up on messages that aren't, and shows one type for the sources of ternary
                    // instructions where two of them can be half floats.
                    let (fixed_first, fixed_second) = match operands {
                        Operands::Send(_) => (0xf << 24, 0x7fff_ffff << 32),
                        Operands::Three(..) if first & COMPACTED == 0 => (3 << 35, 0),
                        _ => (0, 0),
                    };
                    all.extend(variants.into_iter().filter(|variant| {
                        (variant.0 ^ first) & fixed_first == 0
                            && (variant.1 ^ second) & fixed_second == 0
                    }));
                }
            }
        }
    }
    let known = all.into_iter().filter_map(|(first, second)| {
        let (instruction, size) = decode(first, second);
        let bytes = [first, second].map(u64::to_le_bytes).concat();
        Some((instruction.ok()?, bytes.get(..size as usize)?.to_vec()))
    });
    let known: Vec<_> = known.collect();
    let programs: Vec<_> = known.iter().map(|(_, bytes)| &**bytes).collect();
    let mut wrong = Vec::new();
    for ((instruction, _), theirs) in known.iter().zip(mesa(&programs)?) {
        let ours = instruction.to_string();
        if theirs != [ours.clone()] {
            wrong.push(format!("ours   {ours}\nMesa's {}", theirs.join("\n")));
        }
    }
    println!("{} instructions", known.len());
    let first = wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "{} differences:\n{first}", wrong.len());
    ensure!(known.len() >= 320_000, "only {} instructions", known.len());
    Ok(())
}
