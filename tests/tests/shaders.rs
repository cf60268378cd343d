//! The execution unit's decoder says of each shader of the corpus what Mesa's own disassembler says.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use gpu_intel::eu::{Instruction, Listing, Operands, Program};
use vgate_benches::shaders::{self, Shader};
use vgate_tests::guest_folder;

/// What Mesa says of these programs, each as lines with a single space where Mesa pads.
fn mesa(programs: &[&Shader]) -> Result<Vec<Vec<String>>> {
    let path = guest_folder().join("disassembler/disassemble");
    let mut child = Command::new(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("no {}. Run scripts/setup disassembler", path.display()))?;
    let mut input = Vec::new();
    for program in programs {
        input.extend_from_slice(&u32::try_from(program.bytes.len())?.to_le_bytes());
        input.extend_from_slice(&program.bytes);
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
    let all: Vec<_> = from.keys().collect();
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
