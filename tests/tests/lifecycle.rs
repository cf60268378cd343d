//! Guests come, restart and die; vgate serves on, and keeps nothing of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use mediator::control::protocol::State;
use vgate_tests::{Guest, Holdings, Image, Qemu, Vgate, complaints, shows_what_was_printed};

/// How much more anonymous memory the daemon may have after a guest than before: allocators keep some.
const SLACK_KIB: u64 = 4 << 10;

fn wait_until(vgate: &Vgate, vm: &str, state: &State) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let found = vgate.show(vm)?.summary.state;
        if found == *state {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{vm} stays {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the daemon holds once it has closed what was asked over the control socket, too.
fn settled(vgate: &Vgate, before: &Holdings) -> Result<Holdings> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let now = Holdings::of(vgate.pid())?;
        if now.descriptors <= before.descriptors || Instant::now() > end {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(name: &str, vgate: &Vgate, vm: &str, steps: &str) -> Result<Guest> {
    Qemu::new(name, &Image::build("6.12")?).gpu(vgate, vm).steps(steps).reboots().start()
}

#[test]
fn a_rebooted_guest_and_a_killed_qemu_leave_vgate_serving_and_as_it_was() -> Result<()> {
    let mut vgate = Vgate::for_vms("lifecycle", &[("guest", "1024x768"), ("other", "1024x768")])?;
    // Another guest works all the while.
    let mut other = start("lifecycle-other", &vgate, "other", "modules,wait:go,check:stores,idle")?;
    other.wait_step("modules")?;
    let before = Holdings::of(vgate.pid())?;

    // A guest that restarts finds its GPU again, twice.
    let mut guest = start("lifecycle-reboots", &vgate, "guest", "modules,check:stores,reboot")?;
    for _ in 0..2 {
        guest.wait_step("check:stores")?;
    }
    // The third time QEMU dies in the middle of its work.
    guest.wait_step("modules")?;
    guest.kill9()?;
    wait_until(&vgate, "guest", &State::Waiting)?;
    let after = settled(&vgate, &before)?;
    println!("before {before:?}\nafter  {after:?}");
    assert_eq!((after.descriptors, after.mappings), (before.descriptors, before.mappings));
    ensure!(
        after.anonymous_kib <= before.anonymous_kib + SLACK_KIB,
        "the daemon keeps memory of a guest that is gone"
    );

    // A new QEMU is served, and the other guest has noticed nothing.
    let mut again = start("lifecycle-again", &vgate, "guest", "modules,check:stores,poweroff")?;
    again.wait_step("check:stores")?;
    other.send("go")?;
    other.wait_step("check:stores")?;
    vgate.still_runs()?;
    drop((again, other));
    vgate.stop()
}

/// QEMU's own control socket.
struct Monitor(BufReader<UnixStream>);

impl Monitor {
    fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut monitor = Self(BufReader::new(stream));
        monitor.say("{\"execute\":\"qmp_capabilities\"}")?;
        Ok(monitor)
    }

    fn say(&mut self, command: &str) -> Result<()> {
        Ok(self.0.get_mut().write_all(command.as_bytes())?)
    }

    /// Waits for a line that holds `text`.
    fn wait_for(&mut self, text: &str) -> Result<()> {
        for line in self.0.by_ref().lines() {
            if line?.contains(text) {
                return Ok(());
            }
        }
        anyhow::bail!("QEMU's control socket closed before {text} came")
    }
}

/// Waking from S3 resets every device, so that the driver has to bring all of it back; idle sleep resets none. One S3 only:
/// after it QEMU's machine neither sleeps again nor powers off, with or without a GPU.
#[test]
fn a_guest_that_slept_finds_its_gpu_and_its_picture_again() -> Result<()> {
    let mut vgate = Vgate::for_vms("lifecycle-sleep", &[("guest", "1024x768")])?;
    let sleeps = ["freeze", "suspend"];
    let folder = tempfile::tempdir()?;
    let qmp = folder.path().join("qmp");
    let mut steps = "modules,font,console,check:stores,sleep:1,wait:seen".to_owned();
    for sleep in sleeps {
        steps += &format!(",{sleep},check:stores,sleep:1,wait:seen");
    }
    let image = Image::build("6.12")?;
    let mut guest = Qemu::new("lifecycle-sleep", &image)
        .memory(1024)
        .gpu(&vgate, "guest")
        .argument("-global")
        .argument("ICH9-LPC.disable_s3=0")
        .argument("-qmp")
        .argument(format!("unix:{},server=on,wait=off", qmp.display()))
        .kernel_argument("vgate.timeout=300")
        .steps(&format!("{steps},dmesg"))
        .start()?;
    guest.wait_step_within("sleep:1", Duration::from_secs(300))?;
    let picture = vgate.screenshot("guest")?;
    shows_what_was_printed(&guest, &picture)?;
    let before = settled(&vgate, &Holdings::of(vgate.pid())?)?;
    let mut resets = vgate.show("guest")?.summary.resets;
    let mut monitor = Monitor::connect(&qmp)?;
    guest.send("seen")?;
    for sleep in sleeps {
        if sleep == "freeze" {
            std::thread::sleep(Duration::from_secs(5));
            guest.send("wake up")?;
        } else {
            monitor.wait_for("\"SUSPEND\"")?;
            std::thread::sleep(Duration::from_secs(1));
            monitor.say("{\"execute\":\"system_wakeup\"}")?;
        }
        guest.wait_step(sleep)?;
        guest.wait_step("sleep:1")?;
        ensure!(vgate.screenshot("guest")? == picture, "another picture after {sleep}");
        let now = vgate.show("guest")?.summary.resets;
        println!("{sleep}: {} device resets", now - resets);
        assert_eq!(now > resets, sleep != "freeze", "{sleep}");
        resets = now;
        guest.send("seen")?;
    }
    let after = settled(&vgate, &before)?;
    println!("before {before:?}\nafter  {after:?}");
    assert_eq!((after.descriptors, after.mappings), (before.descriptors, before.mappings));
    ensure!(after.anonymous_kib <= before.anonymous_kib + SLACK_KIB, "memory is kept");
    guest.wait_step("dmesg")?;
    assert_eq!(complaints(&guest)?, Vec::<String>::new());
    guest.kill9()?;
    vgate.still_runs()?;
    vgate.stop()
}

/// Delays between 0.2 and 14 seconds: from before the firmware's first access until the guest draws. The seed is
/// printed, and taken from LIFECYCLE_SEED if that is set.
fn moments() -> Result<impl Iterator<Item = Duration>> {
    let mut state: u64 = match std::env::var("LIFECYCLE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    println!("LIFECYCLE_SEED={state}");
    Ok(std::iter::repeat_with(move || {
        // Knuth's linear congruential generator; its upper bits are random enough to pick a moment.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(200 + (state >> 33) % 13_800)
    }))
}

#[test]
#[ignore = "make test-long: some twenty boots"]
fn ten_random_kills_and_ten_reboots_lose_and_leak_nothing() -> Result<()> {
    let mut vgate = Vgate::for_vms("lifecycle-long", &[("guest", "1024x768")])?;
    let before = Holdings::of(vgate.pid())?;
    for (n, moment) in moments()?.take(10).enumerate() {
        let steps = "modules,check:storm:--count:100000";
        let mut guest = start(&format!("lifecycle-kill-{n}"), &vgate, "guest", steps)?;
        std::thread::sleep(moment);
        guest.kill9()?;
        wait_until(&vgate, "guest", &State::Waiting)?;
    }
    let mut guest = start("lifecycle-ten-reboots", &vgate, "guest", "modules,check:stores,reboot")?;
    for _ in 0..11 {
        guest.wait_step("check:stores")?;
    }
    guest.kill9()?;
    wait_until(&vgate, "guest", &State::Waiting)?;
    let after = settled(&vgate, &before)?;
    println!("before {before:?}\nafter  {after:?}");
    assert_eq!((after.descriptors, after.mappings), (before.descriptors, before.mappings));
    ensure!(after.anonymous_kib <= before.anonymous_kib + SLACK_KIB, "memory is kept");
    vgate.still_runs()?;
    vgate.stop()
}
