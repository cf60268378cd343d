//! Programs on vgate with no virtual machine: the client library's examples, and unmodified Mesa over the library that stands in
//! for its driver.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use vgate_tests::{Holdings, Program, Root, Vgate, library, repository};

/// What any of these programs may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// What Mesa calls a Kaby Lake GT2.
const NAME: &str = "Intel(R) HD Graphics 630";

const CONFIGURATION: &str = "
control = \"{folder}/control\"
[[shim]]
name = \"desktop\"
";

#[test]
fn the_examples_fill_a_buffer_in_rust_and_in_c() -> Result<()> {
    let vgate = Vgate::start("shim-examples", CONFIGURATION, &["desktop.sock"])?;
    let socket = vgate.path("desktop.sock");
    let folder = tempfile::tempdir()?;
    let (include, client) = (repository().join("guest-shim/c/include"), "libvgate_client.so");
    let libraries = library(client)?.parent().context("a library lies nowhere")?.to_owned();
    let program = folder.path().join("fill");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(include)
        .arg(repository().join("guest-shim/c/examples/fill.c"))
        .arg("-L")
        .arg(&libraries)
        .args(["-lvgate_client", "-o"])
        .arg(&program)
        .status()?;
    ensure!(compiled.success(), "the example in C does not compile");
    let in_c = Command::new(&program).arg(&socket).env("LD_LIBRARY_PATH", &libraries).output()?;
    let in_rust = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["run", "--quiet", "--package", "guest-shim", "--features", "client"])
        .args(["--example", "fill", "--"])
        .arg(&socket)
        .current_dir(repository())
        .output()?;
    for output in [in_c, in_rust] {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{said}");
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(said.contains("device 8086:5912") && said.contains("256 of 256"), "{said}");
    }
    Ok(())
}

#[test]
fn opengl_names_the_gpu_in_three_releases_of_mesa() -> Result<()> {
    for release in Root::MESA {
        let client = Root::mesa(release)?.gl_client()?.args(["info"]).on_vgate()?;
        let output = client.run(&format!("shim-{release}-gl"), LIMIT)?.success()?;
        println!("{release}: {output}");
        let renderer = output.lines().find(|line| line.starts_with("renderer "));
        ensure!(renderer.is_some_and(|line| line.contains(NAME)), "{release}: {output}");
    }
    Ok(())
}

#[test]
fn eglinfo_names_the_gpu() -> Result<()> {
    // Debian 12's names the driver only.
    for (release, wanted) in [("12", "EGL driver name: iris"), ("13", NAME), ("forky", NAME)] {
        let eglinfo = Root::mesa(release)?.program("eglinfo.x86_64-linux-gnu");
        let run =
            eglinfo.args(["-B"]).on_vgate()?.run(&format!("shim-{release}-eglinfo"), LIMIT)?;
        ensure!(run.output.contains(wanted), "{release}: {}", run.output);
    }
    Ok(())
}

#[test]
fn vulkan_names_the_gpu_in_three_releases_of_mesa() -> Result<()> {
    for release in Root::MESA {
        let info = Root::mesa(release)?.program("vulkaninfo").args(["--summary"]).on_vgate()?;
        let output = info.run(&format!("shim-{release}-vulkaninfo"), LIMIT)?.success()?;
        let device = output.lines().find(|line| line.contains("deviceName"));
        println!("{release}: {}", device.unwrap_or("none").trim());
        ensure!(device.is_some_and(|line| line.contains(NAME)), "{release}: {output}");
    }
    Ok(())
}

#[test]
fn kmscube_and_vkmark_run_to_the_end() -> Result<()> {
    // Those of earlier releases draw on a monitor only.
    let kmscube = Root::mesa("forky")?.program("kmscube").args(["-D", "/dev/dri/renderD128"]);
    let kmscube = kmscube.args(["-O", "-v", "320x240", "-c", "5", "-N"]).on_vgate()?;
    let output = kmscube.run("shim-kmscube", LIMIT)?.success()?;
    ensure!(output.contains(NAME), "{output}");
    let vkmark = Root::mesa("13")?.program("vkmark").args(["--winsys", "headless"]);
    let vkmark = vkmark.args(["-b", "vertex:duration=1", "-b", "clear:duration=1"]).on_vgate()?;
    let output = vkmark.run("shim-13-vkmark", LIMIT)?.success()?;
    println!("{output}");
    ensure!(output.contains(NAME) && output.contains("vkmark Score"), "{output}");
    Ok(())
}

#[test]
fn submitting_to_a_daemon_that_is_awake_makes_no_system_call() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let silent = |awake: &str| {
        Command::new(env!("CARGO_BIN_EXE_silent")).arg(awake).env("TMPDIR", folder.path()).status()
    };
    let awake = silent("60000")?;
    ensure!(awake.success(), "{awake}: it made a system call");
    // One that has to wake the daemon makes one: it would be noticed.
    let asleep = silent("0")?;
    ensure!(asleep.signal() == Some(libc::SIGSYS), "{asleep}: the filter lets calls pass");
    Ok(())
}

/// Programs at a time, and rounds of them.
const PROGRAMS: usize = 10;
const ROUNDS: u64 = 4;

#[test]
fn of_ten_programs_that_are_killed_at_any_moment_nothing_stays() -> Result<()> {
    let vgate = Vgate::start("shim-killed", CONFIGURATION, &["desktop.sock"])?;
    let socket = vgate.path("desktop.sock");
    let draws = |frames: &str| -> Result<Program> {
        let client = Root::mesa("13")?.gl_client()?;
        client.args(["draws", "--frames", frames, "--draws", "100"]).on_daemon(&socket)
    };
    // One alone, so that what is made once is there.
    draws("1")?.run("shim-killed-first", LIMIT)?.success()?;
    nobody_is_left(&vgate)?;
    let before = Holdings::of(vgate.pid())?;
    for round in 0..ROUNDS {
        let programs: Vec<_> = (0..PROGRAMS)
            .map(|_| {
                // Endless for this test; but one that is left alone with no daemon comes to its end.
                let mut command = draws("3000")?.command();
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                Ok(command.spawn()?)
            })
            .collect::<Result<_>>()?;
        let seed = u64::from(std::process::id()) + round;
        for (n, mut program) in programs.into_iter().enumerate() {
            // From when it starts until it draws.
            let moment = (seed * 31 + n as u64 * 17) % 100;
            std::thread::sleep(Duration::from_millis(moment));
            // `vgate shim` is killed, and what it started ends with it, or is alone for a while.
            program.kill()?;
            program.wait()?;
        }
    }
    nobody_is_left(&vgate)?;
    nothing_runs("gl-client")?;
    let after = Holdings::of(vgate.pid())?;
    println!("before {before:?}, after {after:?}");
    ensure!(after.descriptors == before.descriptors && after.mappings == before.mappings, "left");
    ensure!(after.shared_kib <= before.shared_kib, "shared memory is left");
    draws("2")?.run("shim-killed-last", LIMIT)?.success()?;
    vgate.stop()
}

/// Waits until no process of this name runs.
fn nothing_runs(name: &str) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let runs = || -> Result<bool> {
        for entry in std::fs::read_dir("/proc")? {
            // What is no process, or has just ended, has none.
            let comm = std::fs::read_to_string(entry?.path().join("comm")).unwrap_or_default();
            if comm.trim_end() == name {
                return Ok(true);
            }
        }
        Ok(false)
    };
    while runs()? {
        ensure!(Instant::now() < end, "{name} still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Waits until the daemon has no clients. Programs whose `vgate shim` was killed draw on to their ends, all at once.
fn nobody_is_left(vgate: &Vgate) -> Result<()> {
    let end = Instant::now() + 4 * LIMIT;
    while vgate.command(&["ctl", "--control", "control", "list"])?.contains("desktop/") {
        ensure!(
            Instant::now() < end,
            "clients are left:\n{}",
            vgate.command(&["ctl", "--control", "control", "list"])?
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    // Their threads are joined by and by.
    std::thread::sleep(Duration::from_millis(1500));
    Ok(())
}
