//! Any saved state of the right model and version: what is taken from it works on, and can be saved again.
#![no_main]

use gpu_intel::driver::MEMORY;
use gpu_intel::{Vgpu, VgpuConfig};
use libfuzzer_sys::fuzz_target;
use mediator::{Effects, JobEnd, Place, Region, Saved, Time, VirtualGpu};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;
use vgate_fuzz::guest_memory;

fuzz_target!(|input: &[u8]| {
    let Ok(state) = serde_json::from_slice::<Box<RawValue>>(input) else { return };
    let vgpu = || Vgpu::new(VgpuConfig::default(), guest_memory(MEMORY)).expect("a vGPU");
    let mut fx = Effects::at(Time(1_000_000));
    let own = vgpu().save(&[], &mut fx).expect("a new vGPU can be saved");
    let own = serde_json::to_value(&own).expect("plain data");
    let head = |name: &str| own.get(name).cloned().unwrap_or(Value::Null);
    let text = json!({ "model": head("model"), "version": head("version"), "state": null });
    let text = text.to_string().replace("\"state\":null", &format!("\"state\":{state}"));
    let Ok(saved) = serde_json::from_str::<Saved>(&text) else { return };

    let mut vgpu = vgpu();
    let mut fx = Effects::at(Time(2_000_000));
    if vgpu.restore(&saved, Duration::from_secs(1), &mut fx).is_err() {
        return;
    }
    let mut jobs = std::mem::take(&mut fx.jobs);
    for turn in 0..64 {
        let mut fx = Effects::at(Time(3_000_000 + turn * 20_000_000));
        vgpu.tick(&mut fx);
        if let Some(job) = jobs.pop() {
            vgpu.finished(job.id, JobEnd::Done, &mut fx);
        }
        let at = Place { region: Region::Bar(0), offset: 0x4_4200 };
        vgpu.read(at, &mut [0; 4], &mut fx);
        jobs.append(&mut fx.jobs);
        jobs.retain(|job| !fx.cancel.contains(&job.id));
    }
    let _ = (vgpu.scan_out(), vgpu.counters());
    let mut fx = Effects::at(Time(9_000_000_000));
    let again = vgpu.save(&jobs, &mut fx).expect("what was taken can be given");
    let mut other = Vgpu::new(VgpuConfig::default(), guest_memory(MEMORY)).expect("a vGPU");
    other.restore(&again, Duration::ZERO, &mut fx).expect("what was given can be taken");
});
