//! A vGPU, and what it has asked for: the mediator's part, without silicon.

use gpu_intel::silicon::Batch;
use gpu_intel::{Vgpu, VgpuConfig};
use mediator::{Effects, GuestRam, Job, Place, Region, Time, VirtualGpu};

/// Jobs that a VM may have out.
const JOBS: usize = 64;
/// Jobs that one call may hand out.
const MOST: usize = 1024;

/// The machine around a vGPU.
#[derive(Debug)]
pub struct Machine {
    /// The vGPU.
    pub vgpu: Vgpu,
    /// The time in nanoseconds.
    pub now: u64,
    /// Jobs that were handed out, in their order.
    pub jobs: Vec<Job<Batch>>,
}

impl Machine {
    /// A new vGPU over this memory.
    pub fn new(config: VgpuConfig, ram: GuestRam) -> Self {
        let vgpu = Vgpu::new(config, ram).expect("a vGPU");
        Self { vgpu, now: 1_000_000, jobs: Vec::new() }
    }

    /// Calls the vGPU and takes in what it wants done.
    pub fn act(&mut self, call: impl FnOnce(&mut Vgpu, &mut Effects<Batch>)) {
        self.now += 10_000;
        let mut fx = Effects::at(Time(self.now));
        call(&mut self.vgpu, &mut fx);
        assert!(fx.jobs.len() <= MOST, "one call hands out {} jobs", fx.jobs.len());
        self.jobs.append(&mut fx.jobs);
        self.jobs.retain(|job| !fx.cancel.contains(&job.id));
        // As the mediator does with more than a VM may have.
        self.jobs.truncate(JOBS);
    }

    /// The guest writes a register.
    pub fn write(&mut self, offset: u64, value: u32) {
        let at = Place { region: Region::Bar(0), offset };
        self.act(|vgpu, fx| vgpu.write(at, &value.to_le_bytes(), fx));
    }
}
