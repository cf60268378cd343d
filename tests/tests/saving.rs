//! A guest's GPU is saved while it works, disturbed, and restored; the guest notices nothing, and nobody else does.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use display::Picture;
use mediator::control::protocol::State;
use vgate_tests::{Guest, Image, Qemu, Qmp, Vgate, complaints, shows_what_was_printed};

/// The guest's work: results that are checked, contexts that keep their registers, a clock that never goes back.
const WORK: [&str; 3] = [
    "check:storm:--count:20000:--patience:10",
    "check:interleave:--patience:10",
    "check:pulse:--seconds:10:--patience:10",
];
/// How long all of that may take, on a slow machine that is stopped now and then.
const LIMIT: Duration = Duration::from_secs(900);

fn start(vgate: &Vgate, vm: &str, before: &str, memory: u32) -> Result<Guest> {
    let qmp = vgate.path(&format!("{vm}.qmp"));
    Qemu::new(&format!("saving-{vm}"), &Image::build("6.12")?)
        .gpu(vgate, vm)
        .memory(memory)
        .kernel_argument("vgate.timeout=900")
        .steps(&format!("modules,{before}wait:go,{},dmesg,idle", WORK.join(",")))
        .argument("-qmp")
        .argument(format!("unix:{},server=on,wait=off", qmp.display()))
        .start()
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
    let mut beside = start(&vgate, "beside", "", 256)?;
    let mut saved = start(&vgate, "saved", "font,console,sleep:1,", 512)?;
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
