//! Any commands in a ring: the vGPU interprets them with the kernel's privilege. The first byte says which engine and
//! what becomes of its batches; the rest goes into the ring, a part at a time.
#![no_main]

use gpu_intel::driver::{Driver, MEMORY};
use gpu_intel::engine::Engine;
use gpu_intel::{Presence, VgpuConfig};
use libfuzzer_sys::fuzz_target;
use mediator::{GuestRam, JobEnd, Reason, VirtualGpu};
use vgate_fuzz::guest_memory;
use vgate_fuzz::machine::Machine;

/// Dwords that are submitted at a time.
const PART: usize = 64;

fn run(first: u8, commands: &[u32], ram: GuestRam) {
    let engine = Engine::ALL[usize::from(first & 3)];
    let presence = if first & 4 == 0 { Presence::Virtual } else { Presence::Bare };
    let config = VgpuConfig { presence, ..VgpuConfig::default() };
    let mut machine = Machine::new(config, ram.clone());
    let mut driver =
        Driver::start(ram, &mut |at, value| machine.write(at, value)).expect("enough memory");
    for part in commands.chunks(PART) {
        let mut part = part.to_vec();
        part.resize(part.len().next_multiple_of(2), 0);
        let _ = driver.queue(engine, &part, &mut |at, value| machine.write(at, value));
        while !machine.jobs.is_empty() {
            let job = machine.jobs.remove(0).id;
            let end = match first >> 3 & 3 {
                0 | 1 => JobEnd::Done,
                2 => JobEnd::Fault(Reason::new("fuzz/end", "as the input says")),
                _ => break,
            };
            machine.act(|vgpu, fx| vgpu.finished(job, end, fx));
        }
        machine.now += 1_000_000;
        machine.act(|vgpu, fx| {
            vgpu.tick(fx);
        });
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let commands: Vec<u32> =
        rest.as_chunks().0.iter().take(1 << 12).map(|b| u32::from_le_bytes(*b)).collect();
    run(*first, &commands, guest_memory(MEMORY));
});
