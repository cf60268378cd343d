//! Writes what the fuzz targets start from, to `fuzz/corpus/TARGET`: captured batches of real drivers, and what QEMU said
//! to vgate while stock guests booted (`target/guest/recordings`, made by the whole-system tests' `record`), if anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gpu_intel::address::PpgttAddress;
use gpu_intel::command::Command;
use gpu_intel::command::walk::{Visitor, Walker};
use gpu_intel::driver::FREE;
use gpu_intel::engine::Engine;
use gpu_intel::trace::{Memory, Reader, Record};
use gpu_intel::{Vgpu, VgpuConfig};
use mediator::{Effects, Place, Reason, Region, Time, VirtualGpu};
use vgate_fuzz::exchange::{self, Descriptor};
use vgate_fuzz::guest_memory;
use vgate_fuzz::step::{Step, What};

/// Larger inputs slow fuzzing down more than they show.
const LARGEST: usize = 1 << 16;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The seeds of one target.
struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn new(target: &str) -> Result<Self> {
        let folder = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, count: 0 })
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() <= LARGEST {
            fs::write(self.folder.join(format!("seed-{:04}", self.count)), bytes)?;
            self.count += 1;
        }
        Ok(())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("fuzz lies in the repository")
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .map(|file| Ok(file?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files.sort();
    Ok(files)
}

/// A batch's commands in the order of their addresses, without gaps.
#[derive(Default)]
struct Collect(BTreeMap<u64, Vec<u32>>);

impl Visitor for Collect {
    fn command(
        &mut self,
        at: PpgttAddress,
        _: &'static Command,
        dwords: &[u32],
    ) -> std::result::Result<(), Reason> {
        self.0.insert(at.0, dwords.to_vec());
        Ok(())
    }
}

fn bytes(dwords: impl IntoIterator<Item = u32>) -> Vec<u8> {
    dwords.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Captures, and the batches in them.
fn batches() -> Result<()> {
    let (mut decoder, mut audit) = (Seeds::new("decoder")?, Seeds::new("audit")?);
    let mut model = Seeds::new("batch_on_model")?;
    let mut ring = Seeds::new("ring")?;
    let mut image = Seeds::new("context_image")?;
    let mut walker = Walker::default();
    for file in files(&root().join("tests/corpus"), "i9t")? {
        let capture = fs::read(&file)?;
        decoder.add(&capture)?;
        let mut reader = Reader::new(&*capture)?;
        let mut memory = Memory::default();
        while let Some(record) = reader.next_record()? {
            memory.replay(&record)?;
            let Record::Exec(exec) = record else { continue };
            let engine = exec.engine.ok_or("a batch of an unknown engine")?;
            let start = exec.address().ok_or("a batch without memory")?;
            let mut collect = Collect::default();
            walker.walk(&mut memory.bind(&exec)?, engine, start, &mut collect);
            let commands = bytes(collect.0.into_values().flatten());
            let number = engine.id().0;
            decoder.add(&[&[number][..], &commands].concat())?;
            audit.add(&[&[number, 0, 0, 0][..], &commands].concat())?;
            let at = (start.0 & 0xFFFF_F000).to_le_bytes();
            model.add(&[&[number][..], &at, &[0; 3], &commands].concat())?;
            // The guest's kernel writes the same commands, with its own privilege.
            ring.add(&[&[number][..], &commands].concat())?;
            let mut first = commands;
            first.resize(128, 0);
            image.add(&[&[number][..], &first].concat())?;
        }
    }
    rings(&mut ring)?;
    images(&mut image)?;
    for seeds in [&decoder, &audit, &model, &ring, &image] {
        println!("{}: {} seeds", seeds.folder.display(), seeds.count);
    }
    Ok(())
}

/// The shaders in captures, for a thread with all its channels.
fn shaders() -> Result<()> {
    let (mut seeds, mut all) = (Seeds::new("eu_program")?, BTreeSet::new());
    for capture in vgate_benches::shaders::captures()? {
        all.extend(vgate_benches::shaders::of_capture(&capture)?);
    }
    for shader in all {
        const HEAD: [u8; 11] = [0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x10, 7];
        seeds.add(&[&HEAD[..], &shader.bytes].concat())?;
    }
    println!("{}: {} seeds", seeds.folder.display(), seeds.count);
    Ok(())
}

/// What drivers write to rings: a batch between arbitration off and on, a breadcrumb, a semaphore, registers.
fn rings(seeds: &mut Seeds) -> Result<()> {
    for engine in Engine::ALL {
        for flags in [0, 4] {
            let page = 0x1_0100;
            let commands = [
                [0x11 << 24 | 1, 0x2600, 7, 0].as_slice(),
                &[0x08 << 23, 0x31 << 23 | 1 << 8 | 1, FREE as u32, 0],
                &[0x20 << 23 | 1 << 22 | 2, page, 0, 1, 0x02 << 23, 0x08 << 23 | 1],
                &[0x1C << 23 | 1 << 22 | 1 << 15 | 1 << 12 | 2, 1, page, 0],
                &[0x26 << 23 | 1 << 14 | 2, page | 4, 0, 2, 0x05 << 23, 0],
            ];
            let commands = bytes(commands.concat());
            seeds.add(&[&[engine.id().0 | flags][..], &commands].concat())?;
        }
    }
    Ok(())
}

/// Fields of an image that a driver sets, each with another value.
fn images(seeds: &mut Seeds) -> Result<()> {
    let batch = bytes([0x11 << 24 | 1, 0x2600, 7, 0x0A << 23, 0, 0, 0, 0]);
    for engine in Engine::ALL {
        for (place, value) in [
            (0x03, 0x0001_0000),
            (0x05, 0x40),
            (0x07, 0x3FF8),
            (0x09, 0x2_1000),
            (0x0B, 0x001F_F001),
            (0x19, 0x40_0001),
            (0x1B, 0x40_0002),
            (0x23, 1),
            (0x31, 1),
            (0x33, 0x9_0000),
            (0x0409, 0xFFFF_0001),
        ] {
            let (place, value): (u16, u32) = (place, value);
            let mut input = vec![engine.id().0 | 0x80];
            input.resize(1 + 64, 0);
            input.extend(&batch);
            input.resize(1 + 128, 0);
            input.extend(place.to_le_bytes());
            input.extend(value.to_le_bytes());
            seeds.add(&input)?;
        }
    }
    Ok(())
}

/// Recorded boots, in pieces: the VMM's messages, and the accesses in them.
fn boots() -> Result<()> {
    const MESSAGES: usize = 400;
    let folder = root().join("target/guest/recordings");
    if !folder.exists() {
        println!("no recorded boots: `make fuzz-seeds` makes some");
        return Ok(());
    }
    let recordings = files(&folder, "messages")?;
    let (mut messages, mut steps) =
        (Seeds::new("vfio_user_message")?, Seeds::new("vgpu_registers")?);
    for file in recordings {
        let bare = file.file_stem().is_some_and(|name| name == "bare");
        let said = exchange::recorded(&fs::read(&file)?);
        // Each piece begins as a connection does.
        let greeting = said.iter().take(8).cloned().collect::<Vec<_>>();
        for part in said.chunks(MESSAGES) {
            let piece: Vec<u8> =
                greeting.iter().chain(part).flat_map(|(m, fds)| message(m, *fds)).collect();
            messages.add(&piece)?;
            let mut input = vec![if bare { 0x80 } else { 0 }];
            input.extend(part.iter().filter_map(|(m, _)| access(m)).flat_map(Step::encode));
            input.extend(Step::new(What::Look).encode());
            steps.add(&input)?;
        }
    }
    for seeds in [&messages, &steps] {
        println!("{}: {} seeds", seeds.folder.display(), seeds.count);
    }
    Ok(())
}

const DMA_MAP: u16 = 2;
const REGION_READ: u16 = 9;
const REGION_WRITE: u16 = 10;

fn command(message: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(message.get(2..4)?.try_into().ok()?))
}

fn message(message: &[u8], descriptors: usize) -> Vec<u8> {
    let kind = match command(message) {
        Some(DMA_MAP) => Descriptor::Memory,
        _ => Descriptor::Eventfd,
    };
    exchange::encode(message, descriptors, kind)
}

/// The access that a message is: header, offset u64, region u32, count u32, data.
fn access(message: &[u8]) -> Option<Step> {
    let what = match command(message)? {
        REGION_READ => What::Read,
        REGION_WRITE => What::Write,
        _ => return None,
    };
    let field = |at: usize| message.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let (at, region, count) = (field(16)?, field(24)?, field(28)?);
    // As the target numbers them: BARs 0, 2, 4, 5, ROM, configuration space.
    let which = [0, 6, 1, 6, 2, 3, 4, 5].get(region as usize).copied().filter(|n| *n < 6)?;
    let len = if which < 4 { count.trailing_zeros() as u8 } else { count as u8 };
    let mut value = [0; 8];
    value.iter_mut().zip(message.get(32..)?).for_each(|(to, from)| *to = *from);
    Some(Step { which, len, at, value: u64::from_le_bytes(value), ..Step::new(what) })
}

/// States of a GPU that is new, and of one with something in it.
fn states() -> Result<()> {
    let mut seeds = Seeds::new("saved_state")?;
    let mut vgpu = Vgpu::new(VgpuConfig::default(), guest_memory(gpu_intel::driver::MEMORY))?;
    for offset in [0, 0x4_4200, 0x4_F104, 0x7_0180, 0x80_0008] {
        let mut fx = Effects::at(Time(1_000_000));
        vgpu.write(Place { region: Region::Bar(0), offset }, &[0x11, 0, 0, 0x80], &mut fx);
        let saved = serde_json::to_value(vgpu.save(&[], &mut fx)?)?;
        let state = saved.get("state").ok_or("a saved GPU without a state")?;
        let mut text = Vec::new();
        write!(text, "{state}")?;
        seeds.add(&text)?;
    }
    println!("{}: {} seeds", seeds.folder.display(), seeds.count);
    Ok(())
}

fn main() -> Result<()> {
    batches()?;
    shaders()?;
    boots()?;
    states()
}
