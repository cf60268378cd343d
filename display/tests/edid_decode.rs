//! Generated EDIDs against edid-decode, the reference checker of the Linux media developers.

use display::{Mode, Monitor};
use std::io::Write;
use std::process::{Command, Stdio};

/// What `edid-decode --check` says of these bytes, and whether it is content.
fn edid_decode(bytes: &[u8]) -> (bool, String) {
    let mut child = Command::new("edid-decode")
        .arg("--check")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("edid-decode is missing; install it with: apt-get install edid-decode");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && said.contains("EDID conformity: PASS"), said)
}

#[test]
fn generated_edids_conform() {
    let modes = [
        "640x480",
        "800x600",
        "1024x768",
        "1280x720",
        "1280x1024",
        "1366x768",
        "1920x720",
        "1920x720@50",
        "1920x1080",
        "2560x1440",
        "3840x2160",
        "1281x481",
    ];
    for words in modes {
        let mode: Mode = words.parse().unwrap();
        let edid = Monitor { serial: 3, ..Monitor::new(mode) }.edid().unwrap();
        let (conforms, said) = edid_decode(edid.bytes());
        let timing = said.lines().find(|line| line.trim_start().starts_with("DTD 1:"));
        println!("{}", timing.unwrap_or_default());
        let timing: Vec<&str> = timing.unwrap_or_default().split_whitespace().collect();
        let size = format!("{}x{}", mode.width(), mode.height());
        assert_eq!(timing.get(2), Some(&size.as_str()), "{words}:\n{said}");
        assert!(conforms, "{words}:\n{said}");
        assert!(!said.contains("Failures") && !said.contains("Warnings"), "{words}:\n{said}");
    }
}

#[test]
fn the_checker_notices_a_wrong_edid() {
    let mut bytes = Monitor::new("800x600".parse().unwrap()).edid().unwrap().bytes().to_vec();
    bytes[127] ^= 1;
    assert!(!edid_decode(&bytes).0);
}
