//! `vgate replay`: captures drawn by the model.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::Context as _;
use gpu_intel::silicon::model::replay::{Picture, Replay};
use gpu_intel::trace::{Reader, Record};
use serde::Serialize;

use crate::capture::Unusable;
use crate::cli::ReplayOptions;
use crate::debugger::{Debugger, Next};
use crate::output;

/// What became of a batch.
#[derive(Debug, Serialize)]
struct Line {
    trace: String,
    exec: u64,
    milliseconds: f64,
    /// Why it did not come to its end.
    stopped: Option<String>,
    pictures: Vec<Shown>,
}

/// A render target, and the file that shows it.
#[derive(Debug, Serialize)]
struct Shown {
    address: String,
    format: &'static str,
    width: u32,
    height: u32,
    file: Option<String>,
}

/// Executes all files; whether all batches came to their end.
pub(crate) fn replay(options: &ReplayOptions) -> anyhow::Result<bool> {
    if let Some(directory) = &options.out {
        let no = || format!("cannot make {}", directory.display());
        std::fs::create_dir_all(directory).with_context(no)?;
    }
    let mut all_ended = true;
    for path in &options.traces {
        all_ended &= one(path, options)?;
    }
    Ok(all_ended)
}

fn one(path: &Path, options: &ReplayOptions) -> anyhow::Result<bool> {
    let unusable = |what: &dyn ToString| Unusable::new(path, what);
    let file = File::open(path).map_err(|error| unusable(&error))?;
    let mut reader = Reader::new(BufReader::new(file)).map_err(|error| unusable(&error))?;
    let mut replay = Replay::new()?;
    let mut debugger = options.step.then(|| Debugger::new(std::io::stdin().lock()));
    let mut all_ended = true;
    while let Some(record) = reader.next_record().map_err(|error| unusable(&error))? {
        let begun = std::time::Instant::now();
        let executed = match (&mut debugger, &record) {
            (Some(debugger), Record::Exec(exec)) => {
                let mut running = replay.begin(exec).map_err(|error| unusable(&error))?;
                let next = debugger.batch(exec.sequence, &mut running)?;
                let executed = replay.finish(running);
                if next == Next::Quit {
                    return Ok(false);
                }
                Some(executed)
            }
            _ => replay.record(&record).map_err(|error| unusable(&error))?,
        };
        let Some(executed) = executed else { continue };
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        let mut pictures = Vec::new();
        for (number, picture) in executed.pictures.iter().enumerate() {
            let file = match &options.out {
                Some(directory) => {
                    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                    let name = format!("{stem}-{}-{number}.png", executed.sequence);
                    save(picture, &directory.join(&name))?;
                    Some(name)
                }
                None => None,
            };
            pictures.push(Shown {
                address: format!("{:#x}", picture.address),
                format: picture.format,
                width: picture.width,
                height: picture.height,
                file,
            });
        }
        all_ended &= executed.stopped.is_none();
        let line = Line {
            trace: path.display().to_string(),
            exec: executed.sequence,
            milliseconds,
            stopped: executed.stopped.map(|reason| reason.to_string()),
            pictures,
        };
        line.print(options.json)?;
    }
    Ok(all_ended)
}

impl Line {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json_line(self);
        }
        let mut text = format!("{} exec {}: ", self.trace, self.exec);
        match &self.stopped {
            None => text += &format!("{:.1} ms\n", self.milliseconds),
            Some(why) => text += &format!("stopped after {:.1} ms: {why}\n", self.milliseconds),
        }
        for Shown { address, format, width, height, file } in &self.pictures {
            let file = file.as_deref().map_or(String::new(), |file| format!("  {file}"));
            text += &format!("  {address}  {width}x{height} {format}{file}\n");
        }
        output::print(&text)
    }
}

fn save(picture: &Picture, to: &Path) -> anyhow::Result<()> {
    let no = || format!("cannot write {}", to.display());
    let file = BufWriter::new(File::create(to).with_context(no)?);
    let mut encoder = png::Encoder::new(file, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().with_context(no)?;
    writer.write_image_data(&picture.pixels).with_context(no)?;
    writer.finish().with_context(no)
}
