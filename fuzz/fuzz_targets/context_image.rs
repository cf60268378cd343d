//! Any context image: registers, ring, tables and silicon's own part. It is submitted, and its batches run on the model.
//!
//! The first byte says which engine, and bit 7 whether the vGPU is bare. Then 64 bytes for the ring, 64 for a batch, and
//! the image from its register page on, over one as a driver makes it: each dword with the number of the place it goes to.
#![no_main]

use std::sync::mpsc;
use std::time::Duration;

use gpu_intel::driver::{Driver, FREE, MEMORY};
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Presence, VgpuConfig};
use libfuzzer_sys::fuzz_target;
use mediator::{
    Clock, GuestAddress, GuestRam, Job, JobEnd, Outcome, Reason, Silicon, Ticket, VirtualGpu, VmId,
};
use vgate_fuzz::guest_memory;
use vgate_fuzz::machine::Machine;

const VM: VmId = VmId(0);
const LIMIT: Duration = Duration::from_millis(3);
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the driver puts the first engine's image, and the distance to the next.
const IMAGES: u64 = 0x10_0000;
const IMAGE_SIZE: u64 = 0x2_0000;
/// Batches of one input that run.
const BATCHES: usize = 8;

fn execute(model: &Model, ram: &GuestRam, job: Job<Batch>) -> JobEnd {
    let Ok(space) = model.open_space(VM, ram, job.space) else {
        return JobEnd::Fault(Reason::new("fuzz/space", "silicon refuses the space"));
    };
    let context = model.open_context(space, job.engine).expect("a context");
    let (fences, fence) = mpsc::channel();
    let ticket = Ticket::new(VM, job.id, move |fence| drop(fences.send(fence)));
    model.submit(job.engine, context, job.work, ticket).expect("a job");
    let fence = fence.recv_timeout(LIMIT).or_else(|_| {
        model.kill(job.engine, VM, job.id, Reason::new("fuzz/time", "it took too long"));
        fence.recv_timeout(PATIENCE)
    });
    model.close_context(context);
    model.close_space(space);
    match fence.expect("a killed batch ends").outcome {
        Outcome::Ended(end) => end,
        other => panic!("{other:?}"),
    }
}

thread_local! {
    static MODEL: Model = Model::new(Clock::start()).expect("threads");
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let Some((ring, rest)) = rest.split_first_chunk::<64>() else { return };
    let Some((batch, image)) = rest.split_first_chunk::<64>() else { return };
    let engine = Engine::ALL[usize::from(first & 3)];
    let presence = if first & 0x80 == 0 { Presence::Virtual } else { Presence::Bare };
    let ram = guest_memory(MEMORY);
    let config = VgpuConfig { presence, ..VgpuConfig::default() };
    let mut machine = Machine::new(config, ram.clone());
    let mut driver = Driver::start(ram.clone(), &mut |at, value| machine.write(at, value))
        .expect("enough memory");
    ram.write(GuestAddress(FREE), batch).expect("memory is there");
    let registers = IMAGES + u64::from(engine.id().0) * IMAGE_SIZE + 0x1000;
    for [low, high, value @ ..] in image.as_chunks::<6>().0 {
        let at = u64::from(u16::from_le_bytes([*low, *high])) * 4 % (IMAGE_SIZE - 0x1000);
        ram.write(GuestAddress(registers + at), value).expect("memory is there");
    }
    let mut commands: Vec<u32> =
        ring.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    if first & 0x40 == 0 {
        // As a driver would: a batch, which loads and stores the state.
        commands = vec![0x08 << 23, 0x31 << 23 | 1 << 8 | 1, FREE as u32, 0];
    }
    let _ = driver.queue(engine, &commands, &mut |at, value| machine.write(at, value));
    for _ in 0..BATCHES {
        if machine.jobs.is_empty() {
            break;
        }
        let job = machine.jobs.remove(0);
        let id = job.id;
        let end = MODEL.with(|model| execute(model, &ram, job));
        machine.act(|vgpu, fx| vgpu.finished(id, end, fx));
    }
});
