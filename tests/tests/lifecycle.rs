//! Guests come, restart and die; vgate serves on, and keeps nothing of them.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use mediator::control::protocol::State;
use vgate_tests::{Guest, Image, Qemu, Vgate};

/// How much more anonymous memory the daemon may have after a guest than before: allocators keep some.
const SLACK_KIB: u64 = 4 << 10;

/// What a process holds: open descriptors, memory mappings, and anonymous memory in KiB.
#[derive(Debug)]
struct Holdings {
    descriptors: usize,
    mappings: usize,
    anonymous_kib: u64,
}

impl Holdings {
    fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no RssAnon")?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        Ok(Self {
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            mappings: maps.lines().filter(|line| line.contains("memfd:")).count(),
            anonymous_kib: kib.parse()?,
        })
    }
}

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
