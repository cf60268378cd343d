//! `vgate edid`: what a monitor tells about itself, made, checked and explained.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use display::{Edid, Mode, Monitor};

use crate::cli::{EdidOptions, MonitorChoice};
use crate::output;
use crate::table::Table;

pub(crate) fn edid(options: &EdidOptions) -> anyhow::Result<()> {
    let edid = match &options.file {
        Some(path) => read(path)?,
        None => made(options.mode)?,
    };
    if let Some(path) = &options.output {
        if path == Path::new("-") {
            output::write(edid.bytes())?;
        } else {
            fs::write(path, edid.bytes()).with_context(|| path.display().to_string())?;
        }
    }
    if options.decode {
        output::print(&told(&edid))?;
    }
    if options.hex || (options.output.is_none() && !options.decode) {
        output::print(&hex(&edid))?;
    }
    Ok(())
}

/// The monitor that was named, if one was.
pub(crate) fn choose(choice: &MonitorChoice) -> anyhow::Result<Option<Edid>> {
    match (&choice.monitor, &choice.edid) {
        (Some(mode), _) => made(*mode).map(Some),
        (None, Some(path)) => read(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn made(mode: Mode) -> anyhow::Result<Edid> {
    Ok(Monitor::new(mode).edid()?)
}

fn read(path: &Path) -> anyhow::Result<Edid> {
    let context = || path.display().to_string();
    Edid::parse(&fs::read(path).with_context(context)?).with_context(context)
}

/// Sixteen bytes a line, as edid-decode and xxd read them.
fn hex(edid: &Edid) -> String {
    let mut text = String::new();
    for line in edid.bytes().chunks(16) {
        for byte in line {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

fn told(edid: &Edid) -> String {
    let mode = edid.preferred_mode();
    let (across, down) = (mode.horizontal, mode.vertical);
    let refresh = f64::from(mode.refresh_millihertz()) / 1000.0;
    let clock = f64::from(mode.pixel_clock_khz) / 1000.0;
    let mut table = Table::pairs();
    for (what, value) in [
        ("name", edid.name().unwrap_or_else(|| "-".to_owned())),
        ("mode", mode.to_string()),
        ("refresh", format!("{refresh:.3} Hz")),
        ("pixel clock", format!("{clock:.3} MHz")),
        ("totals", format!("{} pixels, {} lines", across.total, down.total)),
        ("bytes", edid.bytes().len().to_string()),
    ] {
        table.row([what.to_owned(), value]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_edid_is_told_and_printed() {
        let edid = made("1920x720".parse().unwrap()).unwrap();
        let text = told(&edid);
        for part in ["vgate", "1920x720@60", "128"] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        let text = hex(&edid);
        assert_eq!(text.lines().count(), 8);
        assert!(text.starts_with("00ffffffffffff00"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_edid_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor.bin");
        fs::write(&path, [0; 128]).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("monitor.bin") && error.contains("no EDID"), "{error}");
        let good = made("640x480".parse().unwrap()).unwrap();
        fs::write(&path, good.bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), good);
    }
}
