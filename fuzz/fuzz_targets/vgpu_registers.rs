//! A guest that does anything to its vGPU: registers, GGTT, aperture, configuration space, submissions over memory of
//! its own making, resets, and jobs that end in all ways and at any time.
#![no_main]

use arbitrary::Arbitrary;
use gpu_intel::driver::{Driver, FREE, MEMORY, Write};
use gpu_intel::engine::Engine;
use gpu_intel::{Platform, Presence, Vgpu, VgpuConfig};
use libfuzzer_sys::fuzz_target;
use mediator::memory::PAGE;
use mediator::{
    Effects, GuestAddress, GuestRam, JobEnd, JobId, Place, Reason, Region, Reset, Time, VirtualGpu,
};

#[derive(Arbitrary, Debug)]
enum End {
    Done,
    Fault,
    Killed,
    Suspended,
    Withdrawn,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Read {
        region: u8,
        offset: u32,
        len: u8,
    },
    Write {
        region: u8,
        offset: u32,
        len: u8,
        value: u64,
    },
    /// A register of an engine: those near its base do something.
    Engine {
        engine: u8,
        offset: u16,
        value: u32,
    },
    /// A GGTT entry.
    Entry {
        page: u16,
        entry: u32,
    },
    /// Guest memory, in its first megabytes: rings, context images, tables.
    Memory {
        at: u32,
        bytes: Vec<u8>,
    },
    /// What a driver does, which sets up its tables at first; the ring may hold anything.
    Submit {
        engine: u8,
        commands: Vec<u32>,
    },
    Batch {
        engine: u8,
    },
    Finish {
        which: u8,
        end: End,
    },
    Pass {
        micros: u32,
    },
    Reset {
        disconnect: bool,
    },
    Look,
}

const REGIONS: [Region; 6] =
    [Region::Bar(0), Region::Bar(2), Region::Bar(4), Region::Bar(5), Region::Rom, Region::Config];

struct Machine {
    vgpu: Vgpu,
    now: u64,
    out: Vec<JobId>,
}

impl Machine {
    fn act(&mut self, call: impl FnOnce(&mut Vgpu, &mut Effects<gpu_intel::silicon::Batch>)) {
        let mut fx = Effects::at(Time(self.now));
        call(&mut self.vgpu, &mut fx);
        self.out.retain(|job| !fx.cancel.contains(job));
        self.out.extend(fx.jobs.iter().map(|job| job.id));
        // As the mediator does with more jobs than a VM may have.
        self.out.truncate(64);
    }

    fn write(&mut self, offset: u64, value: u32) {
        let at = Place { region: Region::Bar(0), offset };
        self.act(|vgpu, fx| vgpu.write(at, &value.to_le_bytes(), fx));
    }
}

fn place(region: u8, offset: u32, len: u8) -> (Place, usize) {
    let region = REGIONS[usize::from(region) % REGIONS.len()];
    let len = match region {
        Region::Bar(_) => 1 << (len & 3),
        _ => usize::from(len),
    };
    let offset = u64::from(offset);
    let aligned = offset - offset % len.max(1) as u64;
    (Place { region, offset: if matches!(region, Region::Bar(_)) { aligned } else { offset } }, len)
}

/// Guest memory, all zeros. Always the same, since a new one takes longer than most inputs.
fn memory() -> GuestRam {
    thread_local! {
        static RAM: GuestRam = GuestRam::anonymous(MEMORY).expect("guest memory");
    }
    let ram = RAM.with(Clone::clone);
    for range in ram.take_dirty() {
        let zeros = vec![0; (range.pages * PAGE) as usize];
        ram.write(range.first, &zeros).expect("what was written to is there");
    }
    let _ = ram.take_dirty();
    ram
}

fn engine(number: u8) -> Engine {
    Engine::ALL[usize::from(number) % 4]
}

fn start(ram: &GuestRam, write: Write<'_>) -> Driver {
    Driver::start(ram.clone(), write).expect("enough memory")
}

fuzz_target!(|input: (u8, Vec<Step>)| {
    let (platform, steps) = input;
    let presence = if platform & 0x80 == 0 { Presence::Virtual } else { Presence::Bare };
    let platform = Platform::ALL[usize::from(platform) % Platform::ALL.len()];
    let config = VgpuConfig { platform, edid: vec![0; 128], presence, ..VgpuConfig::default() };
    let ram = memory();
    let vgpu = Vgpu::new(config, ram.clone()).expect("a vGPU");
    let mut machine = Machine { vgpu, now: 1_000_000, out: Vec::new() };
    let mut driver = None;
    for step in steps {
        match step {
            Step::Read { region, offset, len } => {
                let (at, len) = place(region, offset, len);
                machine.act(|vgpu, fx| vgpu.read(at, &mut vec![0; len], fx));
            }
            Step::Write { region, offset, len, value } => {
                let (at, len) = place(region, offset, len);
                let bytes: Vec<u8> = value.to_le_bytes().into_iter().cycle().take(len).collect();
                machine.act(|vgpu, fx| vgpu.write(at, &bytes, fx));
            }
            Step::Engine { engine: number, offset, value } => {
                let offset = u64::from(offset) & 0xFFC;
                machine.write(u64::from(engine(number).base()) + offset, value);
            }
            Step::Entry { page, entry } => machine.write((8 << 20) + u64::from(page) * 8, entry),
            Step::Memory { at, bytes } => {
                let _ = ram.write(GuestAddress(u64::from(at) % MEMORY), &bytes);
            }
            Step::Submit { engine: number, mut commands } => {
                commands.truncate(512);
                let mut write = |at, value| machine.write(at, value);
                let driver = driver.get_or_insert_with(|| start(&ram, &mut write));
                let _ = driver.queue(engine(number), &commands, &mut write);
            }
            Step::Batch { engine: number } => {
                let mut write = |at, value| machine.write(at, value);
                let driver = driver.get_or_insert_with(|| start(&ram, &mut write));
                let _ = driver.submit(engine(number), FREE, &mut write);
            }
            Step::Finish { which, end } => {
                if machine.out.is_empty() {
                    continue;
                }
                let job = machine.out.remove(usize::from(which) % machine.out.len());
                let why = Reason::new("fuzz/end", "as the input says");
                let end = match end {
                    End::Done => JobEnd::Done,
                    End::Fault => JobEnd::Fault(why),
                    End::Killed => JobEnd::Killed(why),
                    End::Suspended => JobEnd::Suspended,
                    End::Withdrawn => JobEnd::Withdrawn,
                };
                machine.act(|vgpu, fx| vgpu.finished(job, end, fx));
            }
            Step::Pass { micros } => {
                machine.now += u64::from(micros) * 1000;
                machine.act(|vgpu, fx| {
                    vgpu.tick(fx);
                });
            }
            Step::Reset { disconnect } => {
                let kind = if disconnect { Reset::Disconnect } else { Reset::Device };
                machine.act(|vgpu, fx| vgpu.reset(kind, fx));
            }
            Step::Look => {
                let _ = (
                    machine.vgpu.scan_out(),
                    machine.vgpu.unknown_accesses(),
                    machine.vgpu.counters(),
                );
            }
        }
    }
});
