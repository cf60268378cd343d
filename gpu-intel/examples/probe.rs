use std::sync::Arc;
use mediator::*;
fn main() {
    env_logger::init();
    let clock = Clock::start();
    let silicon = gpu_intel::silicon::model::Model::new(clock).unwrap();
    let mut m = Mediator::start(Arc::new(silicon), clock).unwrap();
    let vm = m.add_vm(VmConfig { name: "a".into(), socket: std::env::args().nth(1).unwrap().into(), weight: Weight::default(), quotas: Quotas::default(), seals: memory::SealPolicy::RequireSealed }, move |s: DeviceSetup| {
        let mode: display::Mode = "1024x768@60".parse().unwrap();
        let edid = display::Monitor::new(mode).edid().unwrap();
        Box::new(gpu_intel::Vgpu::new(s.ram, edid.bytes().to_vec())) as Box<dyn VirtualGpu<_>>
    }).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(n));
    println!("{:?}\n{:?}", vm.state(), vm.counters());
    let d = vm.details().unwrap();
    for u in &d.unknown { println!("{:#x} r{} w{}", u.place.offset, u.reads, u.writes); }
    println!("{:?} {:?}", d.counters, d.mode);
    let (so, ram) = vm.scan_out().unwrap();
    for p in &so.planes {
        let mut bytes = Vec::new();
        for page in &p.pages { let mut b = [0u8; 4096]; if let Some(a) = page { let _ = ram.read(*a, &mut b); } bytes.extend(b); }
        println!("{:?}", p.surface);
        std::fs::write("/tmp/probe.png", display::decode(&p.surface, &bytes).unwrap().to_png().unwrap()).unwrap();
    }
}
