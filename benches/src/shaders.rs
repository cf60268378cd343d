//! The shaders in a capture: what its batches' states point to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use gpu_intel::address::PpgttAddress;
use gpu_intel::command::Command;
use gpu_intel::command::walk::{CommandMemory, Visitor, Walker};
use gpu_intel::engine::Engine;
use gpu_intel::eu::Program;
use gpu_intel::trace::{Memory, Reader, Record};
use mediator::Reason;

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are named as the manuals name them")]
pub enum Stage {
    Vertex,
    Hull,
    Domain,
    Geometry,
    Pixel,
    Compute,
}

/// A shader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shader {
    /// Who runs it.
    pub stage: Stage,
    /// Its instructions, as long as a program is decoded.
    pub bytes: Vec<u8>,
}

/// State that says where shaders are. It persists from batch to batch.
#[derive(Clone, Debug, Default)]
struct State {
    instructions: u64,
    dynamic: u64,
    /// Shaders' addresses.
    shaders: BTreeSet<(Stage, u64)>,
    /// Interface descriptors: their address and size in bytes.
    descriptors: Vec<(u64, u32)>,
}

/// A 64-bit number at dword `at`.
fn wide(dwords: &[u32], at: usize) -> u64 {
    let dword = |at: usize| u64::from(dwords.get(at).copied().unwrap_or(0));
    dword(at) | dword(at + 1) << 32
}

impl State {
    fn shader(&mut self, stage: Stage, dwords: &[u32], at: usize, enabled: bool) {
        if enabled {
            let start = wide(dwords, at) & 0xffff_ffff_ffc0;
            self.shaders.insert((stage, self.instructions + start));
        }
    }
}

impl Visitor for State {
    fn command(
        &mut self,
        _at: PpgttAddress,
        command: &'static Command,
        dwords: &[u32],
    ) -> Result<(), Reason> {
        const SIZE: u32 = 0x1ffff;
        let dword = |at: usize| dwords.get(at).copied().unwrap_or(0);
        match command.name {
            "STATE_BASE_ADDRESS" => {
                for (base, at) in [(&mut self.dynamic, 6), (&mut self.instructions, 10)] {
                    if dword(at) & 1 != 0 {
                        *base = wide(dwords, at) & 0xffff_ffff_f000;
                    }
                }
            }
            "3DSTATE_VS" => self.shader(Stage::Vertex, dwords, 1, dword(7) & 1 != 0),
            "3DSTATE_HS" => self.shader(Stage::Hull, dwords, 3, dword(2) >> 31 != 0),
            "3DSTATE_DS" => self.shader(Stage::Domain, dwords, 1, dword(7) & 1 != 0),
            "3DSTATE_GS" => self.shader(Stage::Geometry, dwords, 1, dword(7) & 1 != 0),
            "3DSTATE_PS" => {
                // Eight pixels alone, or 16 or 32 of them alone, begin at the first pointer; else 32 have the second, 16
                // the third.
                let widths = dword(6) & 7;
                let alone = widths.is_power_of_two();
                self.shader(Stage::Pixel, dwords, 1, alone || widths & 1 != 0);
                self.shader(Stage::Pixel, dwords, 8, !alone && widths & 4 != 0);
                self.shader(Stage::Pixel, dwords, 10, !alone && widths & 2 != 0);
            }
            "MEDIA_INTERFACE_DESCRIPTOR_LOAD" => {
                self.descriptors.push((self.dynamic + u64::from(dword(3)), dword(2) & SIZE));
            }
            _ => {}
        }
        Ok(())
    }
}

/// All shaders of a capture, each once.
///
/// # Errors
/// It can't be read.
pub fn of_capture(path: &Path) -> Result<BTreeSet<Shader>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut reader = Reader::new(BufReader::new(file))?;
    let (mut memory, mut state, mut walker) =
        (Memory::default(), State::default(), Walker::default());
    let mut found = BTreeSet::new();
    while let Some(record) = reader.next_record()? {
        memory.replay(&record)?;
        let Record::Exec(exec) = record else { continue };
        let (Some(Engine::Render), Some(start)) = (exec.engine, exec.address()) else { continue };
        let mut bound = memory.bind(&exec)?;
        walker.walk(&mut bound, Engine::Render, start, &mut state);
        for (at, size) in std::mem::take(&mut state.descriptors) {
            for descriptor in (0..u64::from(size)).step_by(32) {
                let mut dwords = [0; 2];
                if bound.fetch(PpgttAddress(at + descriptor), &mut dwords) == 2 {
                    let start = u64::from(dwords[0] & !0x3f) | u64::from(dwords[1] & 0xffff) << 32;
                    state.shaders.insert((Stage::Compute, state.instructions + start));
                }
            }
        }
        for (stage, at) in std::mem::take(&mut state.shaders) {
            let bytes = program(&mut bound, at);
            if !bytes.is_empty() {
                found.insert(Shader { stage, bytes });
            }
        }
    }
    Ok(found)
}

/// The bytes of the program at an address.
fn program(memory: &mut dyn CommandMemory, at: u64) -> Vec<u8> {
    let mut unit = |by: u32| {
        let mut dwords = [0; 2];
        let at = PpgttAddress(at + u64::from(by)).truncated();
        (memory.fetch(at, &mut dwords) == 2)
            .then(|| u64::from(dwords[0]) | u64::from(dwords[1]) << 32)
    };
    let length = Program::fetch(&mut unit).len();
    (0..length).step_by(8).filter_map(&mut unit).flat_map(u64::to_le_bytes).collect()
}

/// All captures of the corpus, by name.
///
/// # Errors
/// The corpus can't be read.
pub fn captures() -> Result<Vec<std::path::PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<BTreeSet<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "i9t")).collect())
}
