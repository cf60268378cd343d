use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

/// The exit code of `vgate ARGUMENT...`.
fn vgate(arguments: &[&str]) -> u8 {
    match Cli::try_parse_from([&["vgate"], arguments].concat()) {
        Ok(cli) => carry_out(cli.command).unwrap_or_else(|error| report(&error)),
        Err(error) => u8::try_from(error.exit_code()).unwrap(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["frobnicate"][..],
        &["run"],
        &["run", "x.toml", "--log", "loudly"],
        &["top", "--interval", "0"],
        &["top", "--once", "--count", "2"],
        &["qemu-args", "left", "--memory", "lots"],
        &["ctl", "screenshot", "left"],
        &["ctl", "screenshot", "left", "-o", "-", "--json"],
        &["ctl", "plug", "left", "--monitor", "wide"],
        &["ctl", "save", "left"],
        &["ctl", "restore", "left"],
        &["ctl", "plug", "left", "--monitor", "800x600", "--edid", "x"],
        &["edid", "320x200"],
    ] {
        assert_eq!(vgate(arguments), USAGE, "{arguments:?}");
    }
}

#[test]
fn wrong_configuration_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgate.toml");
    assert_eq!(vgate(&["check", text(&path)]), USAGE);
    std::fs::write(&path, "[[vm]]\nname = \"left\"\nwieght = 2\n").unwrap();
    assert_eq!(vgate(&["check", text(&path)]), USAGE);
    assert_eq!(vgate(&["run", text(&path)]), USAGE);
    assert_eq!(vgate(&["qemu-args", "left", "--config", text(&path)]), USAGE);
    std::fs::write(&path, "[[vm]]\nname = \"left\"\n").unwrap();
    assert_eq!(vgate(&["check", text(&path)]), 0);
    assert_eq!(vgate(&["qemu-args", "left", "--config", text(&path)]), 0);
    assert_eq!(vgate(&["qemu-args", "right", "--config", text(&path)]), FAILURE);
}

#[test]
fn no_daemon_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    for arguments in [&["ctl", "list"][..], &["top"], &["qemu-args", "left"]] {
        let arguments = [arguments, &["--control", text(&control)]].concat();
        assert_eq!(vgate(&arguments), FAILURE, "{arguments:?}");
    }
}

/// The whole daemon, its clients, and its end by SIGTERM.
#[test]
fn daemon_serves_its_clients_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgate.toml");
    let vms = "control = \"control\"\n[[vm]]\nname = \"left\"\n[[vm]]\nname = \"right\"\n";
    std::fs::write(&path, vms).unwrap();
    let control = folder.path().join("control");
    let sockets = ["control", "left.sock", "right.sock"].map(|name| folder.path().join(name));

    let daemon = {
        let path = path.clone();
        std::thread::spawn(move || vgate(&["run", text(&path), "--log", "warn"]))
    };
    let limit = Instant::now() + Duration::from_secs(10);
    while !control.exists() {
        assert!(Instant::now() < limit && !daemon.is_finished(), "the daemon did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(sockets.iter().all(|socket| socket.exists()));

    let client = |arguments: &[&str]| vgate(&[arguments, &["--control", text(&control)]].concat());
    let png = folder.path().join("left.png");
    let edid = folder.path().join("monitor.bin");
    let state = folder.path().join("left.state");
    assert_eq!(vgate(&["edid", "3840x2160@30", "-o", text(&edid)]), 0);
    assert_eq!(vgate(&["edid", "--file", text(&edid), "--decode", "--hex"]), 0);
    for (arguments, code) in [
        (&["ctl", "list"][..], 0),
        (&["ctl", "list", "--json"], 0),
        (&["ctl", "show", "left"], 0),
        (&["ctl", "show", "right", "--json"], 0),
        (&["ctl", "show", "nobody"], FAILURE),
        (&["ctl", "reset", "left"], 0),
        (&["ctl", "unplug", "left"], 0),
        (&["ctl", "plug", "left"], 0),
        (&["ctl", "plug", "left", "--monitor", "1920x720"], 0),
        (&["ctl", "plug", "left", "--edid", text(&edid)], 0),
        (&["ctl", "plug", "right", "--edid", text(&png), "--json"], FAILURE),
        (&["ctl", "unplug", "nobody"], FAILURE),
        // No VMM is connected; what is no state can't be restored; a GPU that runs can't go on.
        (&["ctl", "save", "left", text(&state)], FAILURE),
        (&["ctl", "restore", "left", text(&edid)], FAILURE),
        (&["ctl", "restore", "left", text(&state)], FAILURE),
        (&["ctl", "resume", "left", "--json"], FAILURE),
        // Nobody has switched the display on.
        (&["ctl", "screenshot", "left", "-o", text(&png)], FAILURE),
        (&["qemu-args", "left"], 0),
        (&["qemu-args", "right", "--shell"], 0),
        (&["qemu-args", "nobody"], FAILURE),
        (&["top", "--once", "--interval", "0.05"], 0),
        (&["top", "--seconds", "0.1"], 0),
        (&["top", "--interval", "0.02", "--count", "2"], 0),
    ] {
        assert_eq!(client(arguments), code, "{arguments:?}");
    }
    assert!(!state.exists());
    let listed = control::connect(&control).unwrap().list().unwrap();
    let names: Vec<_> = listed.iter().map(|vm| (&*vm.name, vm.resets)).collect();
    assert_eq!(names, [("left", 1), ("right", 0)]);

    // A second daemon keeps its hands off the sockets of the first.
    assert_eq!(vgate(&["run", text(&path), "--log", "warn"]), FAILURE);
    assert_eq!(client(&["ctl", "list"]), 0);

    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    assert_eq!(daemon.join().unwrap(), 0);
    assert!(!sockets.iter().any(|socket| socket.exists()));
}

/// A capture of two batches: one ends at once, the other asks for the global GTT.
fn capture() -> Vec<u8> {
    let mut file = b"I9TRACE1".to_vec();
    let mut record = |kind: &[u8; 4], payload: &[&[u8]]| {
        let payload = payload.concat();
        file.extend_from_slice(kind);
        file.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&payload);
    };
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    record(b"BONW", &[&words(&[1, 0]), &4096_u64.to_le_bytes()]);
    let batches = [0x0500_0000, 0, 0x1040_0002, 0x1000, 0, 1, 0x0500_0000];
    record(b"BOWR", &[&words(&[1, 0]), &0_u64.to_le_bytes(), &words(&batches)]);
    for (exec, start) in [(0_u64, 0_u64), (1, 8)] {
        let numbers = [exec, 0, start, 0].map(u64::to_le_bytes).concat();
        let object = [&words(&[1, 0])[..], &0x10_0000_u64.to_le_bytes(), &0_u64.to_le_bytes()];
        record(b"EXEC", &[&numbers, &words(&[1, 0, 0, 0, 0, 1]), &object.concat()]);
    }
    file
}

#[test]
fn audits_end_with_their_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let hostile = put("hostile.i9t", &capture());
    let empty = put("empty.i9t", b"I9TRACE1");
    let broken = put("broken.i9t", &capture()[..50]);
    let batch = put("batch.bin", &0x0500_0000_u32.to_le_bytes());
    assert_eq!(vgate(&["audit", "--json", text(&hostile)]), 1);
    assert_eq!(vgate(&["audit", text(&empty)]), 0);
    for unusable in [&broken, &batch, &folder.path().join("none")] {
        assert_eq!(vgate(&["audit", text(unusable)]), 2);
    }
    assert_eq!(vgate(&["decode", text(&hostile)]), 0);
    assert_eq!(vgate(&["decode", "--json", "--engine", "bcs", text(&batch)]), 0);
    assert_eq!(vgate(&["decode", text(&broken)]), 2);
}
