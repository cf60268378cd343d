//! `vgate replay --step`: a batch, command by command.
//!
//! Orders come line by line from standard input, from a terminal or from a script.

use std::io::{BufRead, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use gpu_intel::address::PpgttAddress;
use gpu_intel::command;
use gpu_intel::engine::Engine;
use gpu_intel::eu::Listing;
use gpu_intel::silicon::model::replay::{Running, Upcoming};

use crate::{decode, output};

const HEADING: Style = Style::new().bold();
const WRONG: Style = AnsiColor::Red.on_default().bold();
/// Bits 31:16 of 3DPRIMITIVE.
const PRIMITIVE: u32 = 0x7b00;
/// What one `memory` shows.
const MOST_BYTES: usize = 4096;

const HELP: &str = "\
next [COUNT]            execute a command, or so many
draw                    go on to the next draw, and stop before it
end                     go on to the batch's end
state [PART]            the 3D state, or its commands with PART in their names
code                    the shaders that a draw would run now
memory ADDRESS [BYTES]  what is there, as dwords
quit                    leave this and all other batches undone
An empty line does the last one again. Orders can be shortened to a letter.
";

/// What comes after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Batch,
    Quit,
}

/// An order, with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Next(usize),
    Draw,
    End,
    State(String),
    Code,
    Memory(PpgttAddress, usize),
    Quit,
}

/// Reads orders.
pub(crate) struct Debugger<R> {
    input: R,
    last: Order,
}

impl<R: BufRead> Debugger<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, last: Order::Next(1) }
    }

    /// Executes a batch as it is told to.
    pub(crate) fn batch(&mut self, exec: u64, running: &mut Running) -> anyhow::Result<Next> {
        output::styled(&format!("{HEADING}exec {exec}{HEADING:#}; `help` lists orders\n"))?;
        let mut shown = None;
        while let Some(at) = running.upcoming() {
            if shown != Some(at.at) {
                show(&at)?;
                shown = Some(at.at);
            }
            let Some(order) = self.order()? else { return Ok(Next::Quit) };
            match order {
                Order::Next(count) => {
                    for _ in 0..count {
                        running.step();
                    }
                    shown = None;
                }
                Order::Draw => {
                    running.step();
                    while running.upcoming().is_some_and(|at| !is_draw(&at)) {
                        running.step();
                    }
                }
                Order::End => running.run(),
                Order::State(part) => state(running, &part)?,
                Order::Code => code(running)?,
                Order::Memory(at, bytes) => memory(running, at, bytes)?,
                Order::Quit => return Ok(Next::Quit),
            }
        }
        Ok(Next::Batch)
    }

    /// The next order that makes sense; `None` at the input's end.
    fn order(&mut self) -> anyhow::Result<Option<Order>> {
        loop {
            if std::io::stdin().is_terminal() {
                output::print("(vgate) ")?;
                std::io::stdout().flush()?;
            }
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match parse(&line, &self.last) {
                Ok(order) => {
                    self.last = order.clone();
                    return Ok(Some(order));
                }
                Err(help) => output::print(&help)?,
            }
        }
    }
}

/// What a line asks for, or what helps.
fn parse(line: &str, last: &Order) -> Result<Order, String> {
    let mut words = line.split_whitespace();
    let Some(verb) = words.next() else { return Ok(last.clone()) };
    let is = |name: &str| name.starts_with(verb);
    let no = |what: &str| Err(format!("{what}; `help` lists orders\n"));
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    Ok(if is("next") {
        match words.next().map_or(Some(1), number).and_then(|n| usize::try_from(n).ok()) {
            Some(count) => Order::Next(count),
            None => return no("next takes a number"),
        }
    } else if is("draw") {
        Order::Draw
    } else if is("end") {
        Order::End
    } else if is("state") {
        Order::State(words.next().unwrap_or_default().to_uppercase())
    } else if is("code") {
        Order::Code
    } else if is("memory") {
        let (at, bytes) = (words.next().and_then(number), words.next().map_or(Some(64), number));
        match (at, bytes.and_then(|bytes| usize::try_from(bytes).ok())) {
            (Some(at), Some(bytes)) => Order::Memory(PpgttAddress(at), bytes.min(MOST_BYTES)),
            _ => return no("memory takes an address, and a number of bytes"),
        }
    } else if is("quit") {
        Order::Quit
    } else if is("help") {
        return Err(HELP.to_owned());
    } else {
        return no(&format!("there is no order {verb:?}"));
    })
}

fn is_draw(at: &Upcoming) -> bool {
    at.dwords.first().is_some_and(|header| header >> 16 == PRIMITIVE)
}

fn show(upcoming: &Upcoming) -> anyhow::Result<()> {
    match upcoming.command {
        Some(command) => output::styled(&decode::in_words(upcoming.at, command, &upcoming.dwords)),
        None => output::print(&format!("{:#x}  {:x?}\n", upcoming.at, upcoming.dwords)),
    }
}

fn state(running: &mut Running, part: &str) -> anyhow::Result<()> {
    let commands = running.state();
    if commands.is_empty() {
        return output::print("The batch has set no 3D state yet.\n");
    }
    for dwords in commands {
        let Some(header) = dwords.first() else { continue };
        let Some(command) = command::decode(*header, Engine::Render) else { continue };
        if command.name.contains(part) {
            output::styled(&decode::fields_in_words(command, &dwords))?;
        }
    }
    Ok(())
}

fn code(running: &mut Running) -> anyhow::Result<()> {
    match running.shaders() {
        Ok(shaders) => {
            for shader in shaders {
                let listing = Listing(&shader.program);
                output::styled(&format!("{HEADING}{}{HEADING:#}\n{listing}", shader.name))?;
            }
            Ok(())
        }
        Err(reason) => output::styled(&format!("{WRONG}{reason}{WRONG:#}\n")),
    }
}

fn memory(running: &mut Running, at: PpgttAddress, bytes: usize) -> anyhow::Result<()> {
    let mut data = vec![0; bytes.next_multiple_of(4)];
    if let Err(reason) = running.read(at, &mut data) {
        return output::styled(&format!("{WRONG}{reason}{WRONG:#}\n"));
    }
    let mut text = String::new();
    for (row, data) in data.chunks(32).enumerate() {
        text += &format!("{:#014x} ", at.0.wrapping_add(32 * row as u64));
        for dword in data.as_chunks().0 {
            text += &format!(" {:08x}", u32::from_le_bytes(*dword));
        }
        text += "\n";
    }
    output::print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_words_or_letters() {
        let parse = |line| parse(line, &Order::Draw);
        assert_eq!(parse("n"), Ok(Order::Next(1)));
        assert_eq!(parse("next 12\n"), Ok(Order::Next(12)));
        assert_eq!(parse("\n"), Ok(Order::Draw));
        assert_eq!(parse("s depth"), Ok(Order::State("DEPTH".to_owned())));
        assert_eq!(parse("m 0x1000 8"), Ok(Order::Memory(PpgttAddress(0x1000), 8)));
        for wrong in ["n x", "m", "m y", "fly", "help"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
