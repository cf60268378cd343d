//! Guests that want the GPU at the same time each get their share, whatever the others do.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vgate_tests::{Guest, Image, Qemu, Vgate, complaints};

/// How long shares are measured.
const WINDOW: Duration = Duration::from_secs(10);
/// How often. A guest whose emulated processor gets no time on a busy machine asks for less than its share, and others
/// then rightly have more: one window in which all had work enough is what counts.
const WINDOWS: u32 = 4;

fn engine_time(vgate: &Vgate, vm: &str, engine: &str) -> Result<u64> {
    let report = vgate.show(vm)?;
    let found = report.summary.engines.iter().find(|e| e.name == engine);
    Ok(found.context("no such engine")?.usage.gpu_ns)
}

/// Whether each VM's engine time over a window is within 5 % of what its weight says; if not, who is off.
fn shares_in_a_window(
    vgate: &Vgate,
    vms: &[(&str, u16, &str)],
) -> Result<std::result::Result<(), String>> {
    let times = || -> Result<Vec<u64>> {
        vms.iter().map(|(vm, ..)| engine_time(vgate, vm, "bcs0")).collect()
    };
    let before = times()?;
    std::thread::sleep(WINDOW);
    let after = times()?;
    let spent: Vec<f64> = after.iter().zip(&before).map(|(a, b)| (a - b) as f64).collect();
    let total: f64 = spent.iter().sum();
    let weights: f64 = vms.iter().map(|(_, weight, _)| f64::from(*weight)).sum();
    ensure!(total > 0.5 * WINDOW.as_nanos() as f64, "the engine was idle: {spent:?} ns");
    let mut outcome = Ok(());
    for ((vm, weight, kernel), spent) in vms.iter().zip(&spent) {
        let (share, due) = (spent / total, f64::from(*weight) / weights);
        println!(
            "{vm} on {kernel}: {:.1} % of the engine, {:.1} % due",
            share * 100.0,
            due * 100.0
        );
        if (share / due - 1.0).abs() > 0.05 {
            outcome = Err(format!("{vm} has {share:.3}, not {due:.3}"));
        }
    }
    Ok(outcome)
}

/// Boots a kernel for each VM; all keep the blitter busy; engine time over a window must follow the weights.
fn shares_follow_weights(name: &str, vms: &[(&str, u16, &str)]) -> Result<()> {
    let mut configuration = String::from("control = \"control\"\n");
    for (vm, weight, _) in vms {
        configuration += &format!("[[vm]]\nname = \"{vm}\"\nweight = {weight}\n");
    }
    let sockets: Vec<_> = vms.iter().map(|(vm, ..)| format!("{vm}.sock")).collect();
    let sockets: Vec<_> = sockets.iter().map(String::as_str).collect();
    let vgate = Vgate::start(name, &configuration, &sockets)?;
    let mut guests = Vec::new();
    for (vm, _, kernel) in vms {
        let guest = Qemu::new(&format!("{name}-{vm}"), &Image::build(kernel)?)
            .gpu(&vgate, vm)
            .kernel_argument("vgate.timeout=200")
            .steps("modules,wait:go,check:busy:--seconds:60,dmesg,idle");
        guests.push(guest.start()?);
    }
    for guest in &mut guests {
        guest.wait_step("modules")?;
    }
    for guest in &mut guests {
        guest.send("go")?;
    }
    // Until all have filled their rings.
    std::thread::sleep(Duration::from_secs(5));
    let mut off = String::new();
    for _ in 0..WINDOWS {
        off = match shares_in_a_window(&vgate, vms)? {
            Ok(()) => {
                off.clear();
                break;
            }
            Err(off) => off,
        };
    }
    ensure!(off.is_empty(), "{WINDOWS} times in a row, {off}");
    for guest in &mut guests {
        guest.wait_step("dmesg")?;
        assert_eq!(complaints(guest)?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn two_busy_guests_share_an_engine_by_their_weights() -> Result<()> {
    shares_follow_weights("shares-two", &[("heavy", 300, "6.12"), ("light", 100, "6.12")])
}

#[test]
#[ignore = "make test-long: needs scripts/setup 6.1 7.3"]
fn kernels_6_1_6_12_and_7_3_share_an_engine_by_their_weights() -> Result<()> {
    let vms = [("old", 100, "6.1"), ("stable", 200, "6.12"), ("new", 300, "7.3")];
    shares_follow_weights("shares-three", &vms)
}

/// The longest gap that the guest's check `pulse` found, in milliseconds of the GPU's clock.
fn longest_gap(guest: &mut Guest) -> Result<f64> {
    let line = guest.expect("CHECK pulse ok", Duration::from_secs(120))?;
    let gap = line.rsplit("longest-gap-ms=").next().context("no gap")?;
    println!("{}: {line}", guest.name());
    Ok(gap.trim().parse()?)
}

#[test]
fn an_endless_batch_delays_another_guest_by_less_than_100_ms() -> Result<()> {
    let vgate = Vgate::for_vms("hang-gap", &[("victim", "800x600"), ("hanging", "800x600")])?;
    let image = Image::build("6.12")?;
    let start = |vm: &str, steps: &str| {
        Qemu::new(&format!("gap-{vm}"), &image)
            .gpu(&vgate, vm)
            .kernel_argument("vgate.timeout=200")
            .steps(&format!("modules,wait:go,{steps},dmesg,idle"))
            .start()
    };
    let pulse = "check:pulse:--engine:rcs:--seconds:15";
    let mut victim = start("victim", &format!("{pulse},wait:again,{pulse}"))?;
    // Beside it first the same work without the hang, then with it: the emulated processors are as busy.
    let benign = "check:pulse:--engine:vcs:--seconds:15";
    let mut hanging = start("hanging", &format!("{benign},wait:again,check:resethang"))?;
    for guest in [&mut victim, &mut hanging] {
        guest.wait_step("modules")?;
        guest.send("go")?;
    }
    let control = longest_gap(&mut victim)?;
    hanging.wait_step(benign)?;
    hanging.send("again")?;
    victim.send("again")?;
    let beside_hang = longest_gap(&mut victim)?;
    hanging.wait_step_within("check:resethang", Duration::from_secs(200))?;
    ensure!(vgate.show("hanging")?.device.get("engine_resets") > Some(&0));
    println!("longest gap {control:.1} ms in the control, {beside_hang:.1} ms beside the hang");
    ensure!(beside_hang <= control + 100.0);
    // The victim's driver has seen no hang, and has said nothing.
    victim.wait_step("dmesg")?;
    assert_eq!(complaints(&victim)?, Vec::<String>::new());
    assert_eq!(vgate.show("victim")?.device.get("hangs"), Some(&0));
    Ok(())
}
