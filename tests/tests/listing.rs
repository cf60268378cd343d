//! Our listing of commands says what Mesa's own says (INTEL_DEBUG=bat) of what Mesa submits.
//!
//! ```text
//!  0xfffffffefffdc598:  0x78080003:  3DSTATE_VERTEX_BUFFERS
//!  0xfffffffefffdc598:  0x78080003 : Dword 0
//!      DWord Length: 3
//!  0xfffffffefffdc59c:  0x00044000 : Dword 1
//!      Vertex Buffer State[0]: <struct VERTEX_BUFFER_STATE>
//! ```
//!
//! Mesa prints every dword; what stands at a command's own addresses is its own, and the rest (state and shaders that it points
//! to) is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gpu_intel::command::listing::{Listed, Value, fields};
use gpu_intel::command::{Command, decode, length};
use gpu_intel::engine::Engine;
use vgate_tests::Root;

const LIMIT: Duration = Duration::from_secs(120);

/// A command as Mesa lists it.
struct Theirs {
    name: String,
    dwords: BTreeMap<usize, u32>,
    /// Names and values, in their order.
    fields: Vec<(String, String)>,
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// An address and a dword, and what follows: " NAME" of a command, or "Dword N".
fn line(line: &str) -> Option<(u64, u32, &str)> {
    let (address, rest) = line.split_once(':')?;
    let (dword, rest) = rest.trim_start().split_once([':', ' '])?;
    let dword = u32::try_from(hex(dword)?).ok()?;
    Some((hex(address.trim())?, dword, rest.trim_start_matches([' ', ':']).trim()))
}

fn commands(text: &str) -> Vec<Theirs> {
    let mut commands: Vec<Theirs> = Vec::new();
    let (mut start, mut end, mut inside) = (0, 0, false);
    for text in text.lines() {
        if let Some((at, dword, what)) = line(text) {
            let is_dword = what.starts_with("Dword ");
            if !is_dword {
                let length = length(dword, Engine::Render).unwrap_or(1);
                (start, end) = (at, at + 4 * length as u64);
                let name = what.to_owned();
                commands.push(Theirs { name, dwords: BTreeMap::new(), fields: Vec::new() });
            }
            inside = (start..end).contains(&at);
            if let Some(command) = commands.last_mut().filter(|_| inside && is_dword) {
                command.dwords.insert((at - start) as usize / 4, dword);
            }
        } else if let Some(field) = text.strip_prefix("    ").filter(|_| inside) {
            let Some((name, value)) = field.split_once(": ") else { continue };
            if let Some(command) = commands.last_mut() {
                command.fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        } else {
            inside = false;
        }
    }
    commands
}

/// Whether Mesa's text says our value.
fn says(text: &str, value: Value) -> bool {
    let number = text.split_whitespace().next().unwrap_or_default();
    match value {
        Value::Bool(value) => number == value.to_string() || number == u8::from(value).to_string(),
        Value::Address(value) => hex(number) == Some(value),
        Value::Unsigned(value) => {
            number.parse() == Ok(value)
                || hex(number) == Some(value)
                || number == (value != 0).to_string()
        }
        Value::Signed(value) => number.parse() == Ok(value),
        Value::Real(value) => number
            .parse::<f64>()
            .is_ok_and(|theirs| (theirs - value).abs() <= 1e-6 * value.abs().max(1.0)),
    }
}

/// A field's name without those of the structures that it stands in, and without its row.
fn leaf(name: &str) -> &str {
    let name = name.rsplit("].").next().unwrap_or(name);
    let name = name.rsplit_once('.').map_or(name, |(_, leaf)| leaf);
    name.split('[').next().unwrap_or(name).trim()
}

fn compare(theirs: &Theirs, command: &Command, wrong: &mut Vec<String>) -> usize {
    let dword = |at: usize| theirs.dwords.get(&at).copied().unwrap_or(0);
    // Dwords without a field at a command's end are not printed. If they had one of ours, it would be left over.
    let dwords: Vec<u32> = (0..length(dword(0), Engine::Render).unwrap_or(1)).map(dword).collect();
    let mut ours: Vec<Listed> = fields(command, &dwords);
    let mut compared = 0;
    for (name, value) in &theirs.fields {
        // What counts the dwords and what announces a structure is no field of ours.
        if name == "DWord Length" || value.starts_with("<struct") {
            continue;
        }
        let found =
            ours.iter().position(|our| leaf(&our.name) == leaf(name) && says(value, our.value));
        match found {
            Some(place) => {
                ours.remove(place);
                compared += 1;
            }
            None => {
                let same: Vec<_> =
                    ours.iter().filter(|our| leaf(&our.name) == leaf(name)).collect();
                wrong.push(format!("{}: {name}: {value}, we have {same:?}", theirs.name));
            }
        }
    }
    for our in ours {
        wrong.push(format!(
            "{}: {} = {}, which Mesa doesn't list",
            theirs.name, our.name, our.value
        ));
    }
    compared
}

#[test]
fn what_mesa_lists_of_its_batches_we_list_too() -> Result<()> {
    let mut wrong = Vec::new();
    for release in Root::MESA {
        let client =
            Root::mesa(release)?.gl_client()?.args(["draws", "--frames", "2", "--draws", "5"]);
        let client = client.env("INTEL_DEBUG", "bat").on_vgate()?;
        let output = client.run(&format!("listing-{release}"), LIMIT)?.success()?;
        let (mut listed, mut values, mut names) = (0, 0, BTreeMap::new());
        for theirs in commands(&output) {
            let first = *theirs.dwords.get(&0).context("a command without dwords")?;
            let command = decode(first, Engine::Render);
            let Some(command) = command.filter(|command| command.name == theirs.name) else {
                wrong.push(format!("{}: {first:#x} is {command:?}", theirs.name));
                continue;
            };
            *names.entry(command.name).or_insert(0) += 1;
            listed += 1;
            values += compare(&theirs, command, &mut wrong);
        }
        println!("Debian {release}: {listed} commands of {} kinds, {values} values", names.len());
        ensure!(listed > 150 && names.len() > 60 && values > 2000, "too little");
    }
    wrong.sort();
    wrong.dedup();
    ensure!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
