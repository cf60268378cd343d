//! vgate on real silicon, as far as a machine without any can show it: an outer vgate gives a guest its vGPU, the guest's
//! stock i915 drives that, and inside the guest a vgate of its own executes on the stock driver.
//!
//! ```text
//!  host   vgate, software Gen9 ◄──vfio-user── QEMU
//!  guest                                       stock i915 ◄── EXECBUFFER2, udmabuf ── vgate, drm ◄── clients
//! ```

use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use display::Picture;
use vgate_tests::{Guest, Image, Qemu, Root, Vgate, keep, similarity, snapshot};

/// What all clients do may take this long on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);

/// How long the inner daemon and its client take to start.
const READY: Duration = Duration::from_secs(60);

fn start(name: &str, pvinfo: &str) -> Result<(Vgate, Guest)> {
    let configuration =
        format!("control = \"control\"\n[[vm]]\nname = \"guest\"\npvinfo = \"{pvinfo}\"\n");
    let vgate = Vgate::start(name, &configuration, &["control", "guest.sock"])?;
    let guest = Qemu::new(name, &Image::build("6.12")?.with_nested()?)
        .memory(1536)
        .gpu(&vgate, "guest")
        .steps("modules,serve,dmesg")
        .start()?;
    Ok((vgate, guest))
}

/// Runs a program in the guest, and returns what it said, for whoever reads along, too.
fn run(guest: &mut Guest, command: &str) -> Result<Vec<String>> {
    let said = ask(guest, command)?;
    said.iter().for_each(|line| println!("{line}"));
    Ok(said)
}

/// Runs a program in the guest, and returns what it said.
fn ask(guest: &mut Guest, command: &str) -> Result<Vec<String>> {
    guest.send(&format!("run {} {command}", LIMIT.as_secs()))?;
    let lines = guest.lines_until("VGATE-RUN end", LIMIT)?;
    let said = lines.iter().filter_map(|line| line.strip_prefix("VGATE-OUT ")).map(str::to_owned);
    let said: Vec<_> = said.collect();
    let end = lines.last().map_or("", String::as_str);
    ensure!(end.contains("exit 0 "), "{command}: {end}\n{}", said.join("\n"));
    Ok(said)
}

fn all_checks(name: &str, pvinfo: &str) -> Result<()> {
    let (mut vgate, mut guest) = start(name, pvinfo)?;
    guest.wait_step("modules")?;
    run(&mut guest, "/bin/vgate doctor")?;
    let checks = "stores fill contexts remap read-only storm isolation vm hang reset";
    let said = run(&mut guest, &format!("/bin/nested {checks}"))?;
    for check in checks.split(' ').chain(["objects:"]) {
        ensure!(said.iter().any(|line| line.starts_with(&format!("ok {check} "))), "{check}");
    }
    // The vGPU as after power-on, under a driver that knows nothing of it.
    guest.send(&format!("run {} /bin/nested lost", LIMIT.as_secs()))?;
    guest.expect("VGATE-OUT ready", READY)?;
    vgate.command(&["ctl", "--control", "control", "reset", "guest"])?;
    let lines = guest.lines_until("VGATE-RUN end", LIMIT)?;
    lines.iter().for_each(|line| println!("{line}"));
    let ended_well = lines.last().is_some_and(|end| end.contains("exit 0 "));
    ensure!(ended_well, "the outer GPU's reset: {lines:#?}");
    // The guest's driver does not go down without its GPU.
    guest.kill9()?;
    vgate.still_runs()
}

/// With PVINFO i915 preempts nothing, and can't end a context's work by closing it.
#[test]
fn an_inner_vgate_serves_clients_on_a_virtual_gpu() -> Result<()> {
    all_checks("nested-virtual", "on")
}

/// Without, i915 does all that it does on metal.
#[test]
fn an_inner_vgate_serves_clients_on_a_bare_gpu() -> Result<()> {
    all_checks("nested-bare", "off")
}

/// The last of a cube's frames that is looked at.
const FRAME: u32 = 10;

/// kmscube over the shim of the inner vgate, against the same on the host's processor.
#[test]
fn an_inner_vgate_draws_kmscube_s_picture() -> Result<()> {
    const FILE: &str = "/tmp/frame.png";
    let options = "-O -x -N -v 320x240 -c 60";
    let root = Root::mesa("forky")?;
    let configuration = "control = \"control\"\n[[vm]]\nname = \"guest\"\n";
    let mut vgate = Vgate::start("nested-kmscube", configuration, &["control", "guest.sock"])?;
    let mut guest =
        Qemu::new("nested-kmscube", &Image::build("6.12")?.with_shares()?.with_nested()?)
            .memory(1536)
            .gpu(&vgate, "guest")
            .root(&root)?
            .steps("modules,root,serve")
            .start()?;
    guest.wait_step("root")?;
    let preload = "LD_PRELOAD=/run/programs/libsnapshot.so";
    let snapshot_of = format!("SNAPSHOT_FRAME={FRAME} SNAPSHOT_FILE={FILE} {preload}");
    let kmscube = format!("kmscube -D /dev/dri/renderD128 {options}");
    let said =
        run(&mut guest, &format!("/usr/bin/env {snapshot_of} /run/bin/nested draw {kmscube}"))?;
    ensure!(said.iter().any(|line| line.starts_with("ok objects:")), "{said:?}");
    let encoded = ask(&mut guest, &format!("/usr/bin/base64 --wrap=396 {FILE}"))?.concat();
    let drawn = Picture::from_png(&BASE64_STANDARD.decode(encoded)?)?;
    keep(&drawn, "nested-kmscube-vgate")?;

    let software = root.program("kmscube").args(["-D", "/dev/dri/card0"]).args(options.split(' '));
    let software = software.env("GBM_ALWAYS_SOFTWARE", "1").env("LIBGL_ALWAYS_SOFTWARE", "1");
    let expected = snapshot(software.on_vgate()?, FRAME, "llvmpipe", "nested-kmscube-software")?;
    let found = similarity(&drawn, &expected)?;
    println!("similarity {found:.5}");
    ensure!(found >= 0.99, "{found}; both pictures are in target/guest/logs");
    guest.send("end")?;
    guest.wait_end()?;
    vgate.still_runs()
}
