//! Standard output. A reader that goes away is an error like any other, not a panic.

use std::io::{self, Write};

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    write(text.as_bytes())
}

pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// One line, for programs that read line by line.
pub(crate) fn json_line(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string(value)?))
}

/// Text with colours, which are left out where nobody sees them.
pub(crate) fn styled(text: &str) -> anyhow::Result<()> {
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}
