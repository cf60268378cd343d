//! What unmodified Mesa submitted for a Gen9, drawn by the model, is what llvmpipe and lavapipe draw of the same program.
//!
//! `tests/corpus/golden` has their pictures. The captures are of two releases of Mesa, and of one that was told to leave out
//! auxiliary surfaces (`m25noaux`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use gpu_intel::silicon::model::replay::{Executed, Replay};
use gpu_intel::trace::{BufferId, Reader, Record};
use vgate_tests::{executable, repository};

/// How far a channel may be off: two ways to round, one after the other.
const NEAR: u8 = 2;
/// How many of a picture's 65,536 pixels may be off by more: the edges of shapes, of texels and of the Mandelbrot set, where
/// the last bit of a coordinate decides.
const MANY: usize = 16;

fn corpus() -> PathBuf {
    repository().join("tests/corpus")
}

/// The captures of a scene.
fn captures(scene: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(corpus())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if name.split_once('_').is_some_and(|(_, of)| of == scene) {
            found.push(path);
        }
    }
    ensure!(found.len() >= 2, "captures of {scene}: {found:?}");
    found.sort();
    Ok(found)
}

/// Executes a capture, all of whose batches must come to their end.
fn replay(path: &Path) -> Result<(Replay, Vec<Executed>, BTreeMap<BufferId, u64>)> {
    let mut reader = Reader::new(BufReader::new(File::open(path)?))?;
    let mut replay = Replay::new()?;
    let (mut done, mut buffers) = (Vec::new(), BTreeMap::new());
    while let Some(record) = reader.next_record()? {
        if let Record::Create { buffer, size } = &record {
            buffers.insert(*buffer, *size);
        }
        let Some(executed) = replay.record(&record)? else { continue };
        if let Some(reason) = &executed.stopped {
            bail!("{}, exec {}: {reason}", path.display(), executed.sequence);
        }
        done.push(executed);
    }
    Ok((replay, done, buffers))
}

/// Red, green, blue and alpha of each pixel, row by row.
fn golden(scene: &str) -> Result<(u32, u32, Vec<u8>)> {
    let path = corpus().join(format!("golden/{scene}.png"));
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("too large")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!(info.color_type == png::ColorType::Rgba, "{}: not RGBA", path.display());
    Ok((info.width, info.height, pixels))
}

/// Pixels that are not near.
fn off(a: &[u8], b: &[u8]) -> usize {
    let far = |a: &[u8], b: &[u8]| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > NEAR);
    a.chunks(4).zip(b.chunks(4)).filter(|(a, b)| far(a, b)).count()
}

/// The last picture of the golden one's size is what the program read back.
fn same(scene: &str, many: usize) -> Result<()> {
    let (width, height, expected) = golden(scene)?;
    for path in captures(scene)? {
        let (_, executed, _) = replay(&path)?;
        let pictures = executed.iter().flat_map(|executed| &executed.pictures);
        let mut pictures = pictures.rev().filter(|picture| picture.format.starts_with("R8G8B8A8"));
        let picture = pictures.find(|picture| (picture.width, picture.height) == (width, height));
        let picture = picture.context("it drew nothing of this size")?;
        let off = off(&picture.pixels, &expected);
        ensure!(off <= many, "{}: {off} pixels differ", path.display());
    }
    Ok(())
}

macro_rules! scenes {
    ($($scene:ident)*) => {
        $(#[test]
        fn $scene() -> Result<()> {
            same(stringify!($scene), MANY)
        })*
    };
}

scenes! {
    gl_anim gl_clears gl_compute gl_depth gl_flow gl_inst gl_mrt gl_msaa gl_query gl_stencil gl_tess gl_tex gl_tex3d gl_texfmt gl_tri gl_xfb
    vk_msaa vk_tex vk_tri
}

/// It copies 128x96 pixels to 240x110 by the nearest: in every fifteenth column two are equally near, and it is the last bit of an
/// interpolated coordinate that decides for a whole column.
#[test]
fn gl_blit() -> Result<()> {
    same("gl_blit", 5 * 110 - 1)
}

/// The program's own sum over the buffer that it copied everything to. Its first 14,000 words; behind them are timestamps.
#[test]
fn vk_copy() -> Result<()> {
    const WORDS: usize = 14_000;
    const SUM: u32 = 0x336b_b0a2;
    for path in captures("vk_copy")? {
        let (replay, _, buffers) = replay(&path)?;
        let mut sums = Vec::new();
        for (buffer, size) in buffers {
            let mut bytes = vec![0; 4 * WORDS];
            if size < bytes.len() as u64 || replay.read(buffer, 0, &mut bytes).is_err() {
                continue;
            }
            let words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            sums.push(words.fold(0_u32, |sum, word| sum.wrapping_mul(31).wrapping_add(word)));
        }
        ensure!(sums.contains(&SUM), "{}: {sums:x?}", path.display());
    }
    Ok(())
}

#[test]
fn the_debugger_shows_commands_state_and_shaders() -> Result<()> {
    let mut debugger = Command::new(executable()?)
        .args(["replay", "--step", "tests/corpus/m25_gl_tri.i9t"])
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut orders = debugger.stdin.take().context("no input")?;
    orders.write_all(b"draw\nstate viewport\ncode\nnext\nend\n")?;
    drop(orders);
    let output = debugger.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    for expected in [
        "3DPRIMITIVE, 7 dwords",
        "3DSTATE_VIEWPORT_STATE_POINTERS_CC, 2 dwords",
        "pixel shader, SIMD16",
        "LastRT Surface",
        "PIPE_CONTROL, 6 dwords",
        "256x256 R8G8B8A8_UNORM",
    ] {
        ensure!(text.contains(expected), "no {expected:?} in\n{text}");
    }
    ensure!(output.status.success(), "{}", output.status);
    Ok(())
}
