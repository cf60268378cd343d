//! A guest that does anything to its vGPU: registers, GGTT, aperture, configuration space, submissions over memory of
//! its own making, resets, and jobs that end in all ways and at any time.
#![no_main]

use gpu_intel::driver::{Driver, FREE, MEMORY, Write};
use gpu_intel::engine::Engine;
use gpu_intel::{Platform, Presence, VgpuConfig};
use libfuzzer_sys::fuzz_target;
use mediator::{GuestAddress, GuestRam, JobEnd, Place, Reason, Region, Reset, VirtualGpu};
use vgate_fuzz::guest_memory;
use vgate_fuzz::machine::Machine;
use vgate_fuzz::step::{self, What};

const REGIONS: [Region; 6] =
    [Region::Bar(0), Region::Bar(2), Region::Bar(4), Region::Bar(5), Region::Rom, Region::Config];

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

fn engine(number: u8) -> Engine {
    Engine::ALL[usize::from(number) % 4]
}

fn start(ram: &GuestRam, write: Write<'_>) -> Driver {
    Driver::start(ram.clone(), write).expect("enough memory")
}

fuzz_target!(|input: &[u8]| {
    let Some((&platform, steps)) = input.split_first() else { return };
    let presence = if platform & 0x80 == 0 { Presence::Virtual } else { Presence::Bare };
    let platform = Platform::ALL[usize::from(platform & 0x7F) % Platform::ALL.len()];
    let config = VgpuConfig { platform, edid: vec![0; 128], presence, ..VgpuConfig::default() };
    let ram = guest_memory(MEMORY);
    let mut machine = Machine::new(config, ram.clone());
    let mut driver = None;
    let mut commands = Vec::new();
    for step in step::decode(steps) {
        let (at, value) = (step.at, step.value);
        match What::of(step.what) {
            What::Read => {
                let (at, len) = place(step.which, at, step.len);
                machine.act(|vgpu, fx| vgpu.read(at, &mut vec![0; len], fx));
            }
            What::Write => {
                let (at, len) = place(step.which, at, step.len);
                let bytes: Vec<u8> = value.to_le_bytes().into_iter().cycle().take(len).collect();
                machine.act(|vgpu, fx| vgpu.write(at, &bytes, fx));
            }
            What::Engine => {
                let offset = u64::from(at) & 0xFFC;
                machine.write(u64::from(engine(step.which).base()) + offset, value as u32);
            }
            What::Entry => {
                machine.write((8 << 20) + u64::from(at & 0xFFFF) * 8, value as u32);
            }
            What::Memory => {
                let _ = ram.write(GuestAddress(u64::from(at) % MEMORY), &value.to_le_bytes());
            }
            What::Command => commands.extend([value as u32, (value >> 32) as u32]),
            What::Submit => {
                commands.truncate(512);
                let mut write = |at, value| machine.write(at, value);
                let driver = driver.get_or_insert_with(|| start(&ram, &mut write));
                let _ = driver.queue(engine(step.which), &commands, &mut write);
                commands.clear();
            }
            What::Batch => {
                let mut write = |at, value| machine.write(at, value);
                let driver = driver.get_or_insert_with(|| start(&ram, &mut write));
                let _ = driver.submit(engine(step.which), FREE, &mut write);
            }
            What::Finish => {
                if machine.jobs.is_empty() {
                    continue;
                }
                let job = machine.jobs.remove(usize::from(step.which) % machine.jobs.len()).id;
                let why = Reason::new("fuzz/end", "as the input says");
                let end = match step.len % 5 {
                    0 => JobEnd::Done,
                    1 => JobEnd::Fault(why),
                    2 => JobEnd::Killed(why),
                    3 => JobEnd::Suspended,
                    _ => JobEnd::Withdrawn,
                };
                machine.act(|vgpu, fx| vgpu.finished(job, end, fx));
            }
            What::Pass => {
                machine.now += u64::from(at) * 1000;
                machine.act(|vgpu, fx| {
                    vgpu.tick(fx);
                });
            }
            What::Reset => {
                let kind = if step.which & 1 != 0 { Reset::Disconnect } else { Reset::Device };
                machine.act(|vgpu, fx| vgpu.reset(kind, fx));
            }
            What::Look => {
                let _ = (
                    machine.vgpu.scan_out(),
                    machine.vgpu.unknown_accesses(),
                    machine.vgpu.counters(),
                );
            }
        }
    }
});
