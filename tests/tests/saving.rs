//! A guest's GPU is saved while it works, and restored: after a disturbance, or in another daemon under another QEMU. The
//! guest notices nothing, and nobody else does.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use display::Picture;
use mediator::control::protocol::State;
use serde_json::{Value, json};
use vgate_tests::{Guest, Image, Qemu, Qmp, Vgate, complaints, shows_what_was_printed};

/// The guest's work: results that are checked, contexts that keep their registers, batches that poll, a blitter that is
/// never idle, a clock that never goes back.
const WORK: [&str; 5] = [
    "check:storm:--count:5000:--patience:10",
    "check:interleave:--patience:10",
    "check:waits:--patience:10",
    "check:busy:--seconds:15:--patience:10",
    "check:pulse:--seconds:10:--patience:10",
];
/// How long all of that may take, on a slow machine that is stopped now and then.
const LIMIT: Duration = Duration::from_secs(900);

fn machine(vgate: &Vgate, vm: &str, before: &str, memory: u32) -> Result<Qemu> {
    let qmp = vgate.path(&format!("{vm}.qmp"));
    Ok(Qemu::new(&format!("saving-{vm}"), &Image::build("6.12")?)
        .gpu(vgate, vm)
        .memory(memory)
        .kernel_argument("vgate.timeout=900")
        .steps(&format!("modules,{before}wait:go,{},dmesg,idle", WORK.join(",")))
        .argument("-qmp")
        .argument(format!("unix:{},server=on,wait=off", qmp.display())))
}

fn is_done(guest: &Guest) -> bool {
    let last = format!("VGATE-STEP {} ok", WORK[WORK.len() - 1]);
    guest.lines().iter().any(|line| line.contains(&last))
}

fn ctl(vgate: &Vgate, words: &[&str]) -> Result<String> {
    vgate.command(&[&["ctl", "--control", "control"], words].concat())
}

/// Jobs that are on their way.
fn depth(vgate: &Vgate, vm: &str) -> Result<u64> {
    let engines = vgate.show(vm)?.summary.engines;
    Ok(engines.iter().map(|engine| u64::from(engine.usage.depth > 0)).sum())
}

fn same(one: &Picture, other: &Picture) -> bool {
    (one.width(), one.height()) == (other.width(), other.height())
        && vgate_tests::fingerprint(one) == vgate_tests::fingerprint(other)
}

#[test]
fn a_guest_that_is_saved_disturbed_and_restored_at_work_notices_nothing() -> Result<()> {
    let mut vgate = Vgate::for_vms("saving", &[("saved", "1024x768"), ("beside", "800x600")])?;
    let mut beside = machine(&vgate, "beside", "", 256)?.start()?;
    let mut saved = machine(&vgate, "saved", "font,console,sleep:1,", 512)?.start()?;
    let mut qmp = Qmp::connect(&vgate.path("saved.qmp"))?;
    saved.wait_step("sleep:1")?;
    beside.wait_step("modules")?;
    let resets = |vm: &str| -> Result<u64> { Ok(vgate.show(vm)?.summary.resets) };
    let before = resets("beside")?;
    for guest in [&mut saved, &mut beside] {
        guest.send("go")?;
    }

    let file = vgate.path("saved.state");
    let (mut rounds, mut at_work, mut largest) = (0, 0, 0);
    let (mut slowest_save, mut slowest_restore) = (Duration::ZERO, Duration::ZERO);
    let end = Instant::now() + LIMIT;
    while !is_done(&saved) {
        ensure!(Instant::now() < end, "the guest does not come to its end");
        std::thread::sleep(Duration::from_millis(700));
        qmp.execute("stop")?;
        let picture = vgate.screenshot("saved")?;
        if rounds == 0 {
            shows_what_was_printed(&saved, &picture)?;
        }
        let began = Instant::now();
        ctl(&vgate, &["save", "saved", "saved.state"])?;
        slowest_save = slowest_save.max(began.elapsed());
        assert_eq!(vgate.show("saved")?.summary.state, State::Paused);
        at_work += u32::from(depth(&vgate, "saved")? > 0);
        largest = largest.max(fs::metadata(&file)?.len());

        match rounds % 3 {
            0 => {
                // Nothing is left of it, and its monitor is gone.
                ctl(&vgate, &["reset", "saved"])?;
                ctl(&vgate, &["unplug", "saved"])?;
                ensure!(vgate.screenshot("saved").is_err(), "it shows something after a reset");
            }
            1 => drop(ctl(&vgate, &["plug", "saved", "--monitor", "1920x720"])?),
            _ => {}
        }
        let began = Instant::now();
        ctl(&vgate, &["restore", "saved", "saved.state"])?;
        slowest_restore = slowest_restore.max(began.elapsed());
        ensure!(same(&picture, &vgate.screenshot("saved")?), "the picture has changed");
        qmp.execute("cont")?;
        rounds += 1;
    }
    println!(
        "{rounds} rounds, {at_work} with jobs on their way; up to {largest} bytes, saved in {slowest_save:?} and \
         restored in {slowest_restore:?} at most"
    );
    ensure!(rounds >= 3 && at_work >= 1, "the guest was hardly disturbed");

    for guest in [&mut saved, &mut beside] {
        for step in WORK {
            guest.wait_step_within(step, LIMIT)?;
        }
        guest.wait_step("dmesg")?;
        assert_eq!(complaints(guest)?, Vec::<String>::new(), "{}", guest.name());
    }
    assert_eq!(resets("beside")?, before);
    for vm in ["saved", "beside"] {
        assert_eq!(vgate.show(vm)?.device.get("hangs"), Some(&0), "{vm}");
    }
    refuses_what_does_not_fit(&vgate, &mut qmp)?;
    vgate.still_runs()
}

/// What can't be restored is refused with exit code 1 and a sentence, and changes nothing.
fn refuses_what_does_not_fit(vgate: &Vgate, qmp: &mut Qmp) -> Result<()> {
    qmp.execute("stop")?;
    ctl(vgate, &["save", "saved", "good.state"])?;
    ctl(vgate, &["resume", "saved"])?;
    let good = fs::read(vgate.path("good.state"))?;
    let mut format = good.clone();
    format[8] = 9;
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (name, content, sentence) in [
        ("cut.state", &good[..good.len() - 100], "copy the file again, all of it"),
        ("format.state", &format, "restore it with the vgate that saved it"),
        ("damaged.state", &damaged, "the state is damaged"),
        ("other.state", b"not a state at all", "this is no state that vgate has saved"),
    ] {
        fs::write(vgate.path(name), content)?;
        let error = ctl(vgate, &["restore", "saved", name]).unwrap_err().to_string();
        ensure!(error.contains(sentence) && error.contains("exit status: 1"), "{name}: {error}");
    }
    // The other guest has less memory.
    let error = ctl(vgate, &["restore", "beside", "good.state"]).unwrap_err().to_string();
    ensure!(error.contains("with the same memory and machine"), "{error}");
    assert_eq!(vgate.show("saved")?.summary.state, State::Connected);
    ctl(vgate, &["restore", "saved", "good.state"])?;
    qmp.execute("cont").map(drop)
}

/// Waits until QEMU says `wanted` of `field` in the answer to `command`.
fn wait_for(qmp: &mut Qmp, command: &str, field: &str, wanted: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = qmp.execute(command)?;
        if answer.get(field).and_then(Value::as_str) == Some(wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{command} stays at {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Puts the GPU's configuration space into a QEMU that took the guest over: vfio-user devices are not part of its
/// migration. By the ports that a guest of a PC has for it, as docs/save-restore.md says.
fn write_configuration(qmp: &mut Qmp, state: &Path) -> Result<()> {
    const HEADER: usize = 24;
    let file = fs::read(state)?;
    let saved: Value = serde_json::from_slice(&file[HEADER..])?;
    let config = saved["device"]["state"]["config"].as_array().context("no configuration space")?;
    let byte = |at: usize| config.get(at).and_then(Value::as_u64).unwrap_or(0);
    let said = qmp.monitor("i /w 0xcf8")?;
    let (_, address) = said.split_once(" = ").context("no address port")?;
    // Base addresses, ROM, MSI, and the command register last.
    for at in [0x10, 0x14, 0x18, 0x1C, 0x20, 0x30, 0xB0, 0xB4, 0xAC, 0x04] {
        let value = (0..4).rev().fold(0, |value, n| value << 8 | byte(at + n));
        qmp.monitor(&format!("o /w 0xcf8 {:#x}", 0x8000_1000 | at))?;
        qmp.monitor(&format!("o /w 0xcfc {value:#x}"))?;
    }
    qmp.monitor(&format!("o /w 0xcf8 {address}"))?;
    Ok(())
}

/// A daemon with one VM.
fn daemon(name: &str, vm: &str, pvinfo: &str) -> Result<Vgate> {
    let vms = format!("[[vm]]\nname = \"{vm}\"\nmonitor = \"1024x768\"\npvinfo = \"{pvinfo}\"\n");
    let socket = format!("{vm}.sock");
    Vgate::start(name, &format!("control = \"control\"\n{vms}"), &["control", &socket])
}

#[test]
fn a_guest_at_work_moves_to_another_daemon_under_another_qemu() -> Result<()> {
    moves_to_another_daemon("on")
}

#[test]
fn a_guest_at_work_on_a_bare_gpu_moves_to_another_daemon_under_another_qemu() -> Result<()> {
    moves_to_another_daemon("off")
}

fn moves_to_another_daemon(pvinfo: &str) -> Result<()> {
    let first = daemon("saving-first", "mover", pvinfo)?;
    let mut guest = machine(&first, "mover", "font,console,sleep:1,", 512)?.start()?;
    let mut qmp = Qmp::connect(&first.path("mover.qmp"))?;
    guest.wait_step("sleep:1")?;
    guest.send("go")?;
    guest.expect(&format!("VGATE-STEP {} begin", WORK[0]), LIMIT)?;
    std::thread::sleep(Duration::from_millis(700));

    let began = Instant::now();
    qmp.execute("stop")?;
    ctl(&first, &["save", "mover", "mover.state"])?;
    let before = first.screenshot("mover")?;
    let second = daemon("saving-second", "heir", pvinfo)?;
    let memory = second.path("mover.memory");
    let uri = json!({ "uri": format!("file:{}", memory.display()) });
    qmp.execute_with("migrate", &uri)?;
    wait_for(&mut qmp, "query-migrate", "status", "completed")?;
    ensure!(!guest.lines().iter().any(|line| line.contains(&format!("{} ok", WORK[0]))));
    guest.kill9()?;
    let state = second.path("mover.state");
    fs::copy(first.path("mover.state"), &state)?;
    first.stop()?;

    let heir = machine(&second, "heir", "", 512)?.argument("-incoming").argument("defer");
    let mut guest = heir.start()?;
    let mut qmp = Qmp::connect(&second.path("heir.qmp"))?;
    qmp.execute_with("migrate-incoming", &uri)?;
    wait_for(&mut qmp, "query-status", "status", "paused")?;
    write_configuration(&mut qmp, &state)?;
    ctl(&second, &["restore", "heir", "mover.state"])?;
    ensure!(same(&before, &second.screenshot("heir")?), "the picture has changed");
    qmp.execute("cont")?;
    println!("moved in {:?}", began.elapsed());

    for step in WORK {
        guest.wait_step_within(step, LIMIT)?;
    }
    guest.wait_step("dmesg")?;
    assert_eq!(complaints(&guest)?, Vec::<String>::new());
    assert_eq!(second.show("heir")?.device.get("hangs"), Some(&0));
    Ok(())
}
