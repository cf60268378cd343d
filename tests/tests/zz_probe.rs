use anyhow::Result;
use vgate_tests::{Image, Qemu};
#[test]
fn probe() -> Result<()> {
    let image = Image::build("6.12")?;
    let mut guest = Qemu::new("probe", &image)
        .gpu("/tmp/probe.sock")
        .memory(1024)
        .kernel_argument("i915.dmc_firmware_path=/dev/null")
        .kernel_argument("drm.debug=0x0")
        .steps(&std::env::var("STEPS").unwrap())
        .start()?;
    println!("{:?}", guest.wait_step(&std::env::var("LAST").unwrap()));
    for l in guest.lines() {
        if l.contains("VGATE-KERNEL") {
            println!("{l}");
        }
    }
    Ok(())
}
