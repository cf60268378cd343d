//! Debian's Mesa runs in roots of three releases, with no virtual machine: what tests of real drivers stand on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use vgate_tests::conformance::Verdict;
use vgate_tests::piglit::{self, on_llvmpipe};
use vgate_tests::{Root, SHARED};

/// What any of these programs may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How many pixels have which colour, of what `gl-client` printed.
fn colours(output: &str) -> Result<BTreeMap<u32, u32>> {
    let pixels = output.lines().filter_map(|line| line.strip_prefix("pixels "));
    pixels
        .map(|line| {
            let (count, colour) = line.split_once(' ').with_context(|| line.to_owned())?;
            Ok((u32::from_str_radix(colour, 16)?, count.parse()?))
        })
        .collect()
}

#[test]
fn a_picture_is_cleared_to_the_colour_that_was_asked_for() -> Result<()> {
    for release in Root::MESA {
        let client = on_llvmpipe(Root::mesa(release)?.gl_client()?).args(["clear", "ff80007f"]);
        let output = client.run(&format!("mesa-{release}-clear"), LIMIT)?.success()?;
        println!("{release}:\n{output}");
        ensure!(output.contains("renderer llvmpipe"), "not on llvmpipe");
        ensure!(colours(&output)? == BTreeMap::from([(0xff80_007f, 64 * 64)]), "wrong colours");
    }
    Ok(())
}

#[test]
fn of_many_draws_the_last_of_each_square_is_seen() -> Result<()> {
    let (frames, draws) = (3_u32, 640_u32);
    // As tests/mesa/src/draws.rs colours them: the draw's number, and the frame's.
    let colour = |draw: u32| (draw & 255) << 24 | (draw >> 8) << 16 | (frames - 1) << 8 | 255;
    let expected: BTreeMap<_, _> = (draws - 64..draws).map(|draw| (colour(draw), 64)).collect();
    for release in Root::MESA {
        let client = on_llvmpipe(Root::mesa(release)?.gl_client()?).args([
            "draws",
            "--frames",
            &frames.to_string(),
            "--draws",
            &draws.to_string(),
        ]);
        let output = client.run(&format!("mesa-{release}-draws"), LIMIT)?.success()?;
        ensure!(colours(&output)? == expected, "{release}:\n{output}");
    }
    Ok(())
}

#[test]
fn vulkan_finds_a_device() -> Result<()> {
    for release in Root::MESA {
        let info = Root::mesa(release)?.program("vulkaninfo").args(["--summary"]);
        let output = info.run(&format!("mesa-{release}-vulkaninfo"), LIMIT)?.success()?;
        let device = output.lines().find(|line| line.contains("deviceName"));
        println!("{release}: {}", device.unwrap_or("none").trim());
        ensure!(device.is_some_and(|line| line.contains("llvmpipe")), "{output}");
    }
    Ok(())
}

#[test]
fn a_program_sees_its_root_and_what_is_shared_and_nothing_else() -> Result<()> {
    let shared = tempfile::tempdir()?;
    fs::write(shared.path().join("from-host"), "hello")?;
    let root = Root::mesa(Root::MESA[0])?;
    let sh = |script: &str| -> Result<String> {
        let program = root.program("sh").args(["-c", script]).share(shared.path());
        program.run("mesa-confined", LIMIT)?.success()
    };
    ensure!(sh(&format!("cat {SHARED}/from-host; echo back > {SHARED}/from-root"))? == "hello");
    ensure!(fs::read_to_string(shared.path().join("from-root"))? == "back\n", "nothing came back");

    let devices = sh("ls /dev")?;
    for device in ["null", "zero", "urandom", "shm"] {
        ensure!(devices.lines().any(|line| line == device), "no {device}: {devices}");
    }
    for device in ["dri", "kmsg", "mem"] {
        ensure!(!devices.lines().any(|line| line == device), "{device} is there: {devices}");
    }
    ensure!(sh("echo kept > /tmp/file && cat /tmp/file")? == "kept\n");
    ensure!(sh("ls -A /tmp /sys")? == "/sys:\n\n/tmp:\n", "something is in there");
    ensure!(sh("echo > /usr/file || true")?.contains("Read-only"), "the root changes");
    ensure!(sh("tail -n +3 /proc/net/dev")?.lines().count() == 1, "more than a loopback device");
    ensure!(sh("ls -d /proc/[0-9]*")?.lines().count() < 8, "it sees processes of others");
    let variables = sh("env -u PWD")?;
    let mut names: Vec<_> = variables.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    ensure!(names == ["HOME", "LANG", "PATH", "XDG_RUNTIME_DIR"], "{names:?}");
    Ok(())
}

#[test]
fn what_outlasts_its_limit_ends_with_all_its_children() -> Result<()> {
    let mark = format!("{}.5", 100_000 + std::process::id());
    let script = format!("sleep {mark} & (sleep {mark} &); echo started; sleep {mark}");
    let program = Root::mesa(Root::MESA[0])?.program("sh").args(["-c", &script]);
    let run = program.run("mesa-limit", Duration::from_secs(2))?;
    ensure!(run.output == "started\n", "{run:?}");
    ensure!(run.status.is_none() && run.success().is_err(), "it was not at its limit");
    // The kernel ends them by and by.
    let end = Instant::now() + LIMIT;
    while processes_with(&mark)? > 0 {
        ensure!(Instant::now() < end, "some of them still run");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How many processes of this machine have a text in their command line.
fn processes_with(text: &str) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let line = fs::read(Path::new("/proc").join(entry?.file_name()).join("cmdline"));
        count += usize::from(String::from_utf8_lossy(&line.unwrap_or_default()).contains(text));
    }
    Ok(count)
}

#[test]
fn the_list_of_piglit_programs_holds_400_that_are_there() -> Result<()> {
    let (listed, all) = (piglit::listed()?, piglit::all(&Root::mesa(piglit::RELEASE)?)?);
    ensure!(listed.len() == piglit::LISTED && listed.is_sorted(), "{} programs", listed.len());
    for name in listed {
        ensure!(all.contains(&name), "no {name} there. Write the list anew (its head says how)");
    }
    Ok(())
}

#[test]
#[ignore = "make test-long: 400 programs"]
fn each_listed_program_of_piglit_passes_on_llvmpipe() -> Result<()> {
    let root = Root::mesa(piglit::RELEASE)?;
    for name in piglit::listed()? {
        let run = on_llvmpipe(piglit::program(&root, &name)).run("mesa-piglit", piglit::LIMIT)?;
        let verdict = piglit::verdict(&run);
        ensure!(verdict == Verdict::Pass, "{name}: {verdict:?}\n{}", run.output);
    }
    Ok(())
}
