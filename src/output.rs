//! Standard output. A reader that goes away is an error like any other, not a panic.

use std::io::{self, Write};

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    write(text.as_bytes())
}

pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}
