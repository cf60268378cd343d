use gpu_intel::Presence;
use mediator::memory::SealPolicy;

use super::*;

const FOLDER: &str = "/etc/vgate";

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new(FOLDER))
}

/// What is reported of a file, a line for each problem.
fn problems(text: &str) -> Vec<String> {
    let invalid = Invalid::new(Path::new("vgate.toml"), text, parse(text).unwrap_err());
    invalid.to_string().lines().map(String::from).collect()
}

#[test]
fn example_is_valid_and_says_the_defaults() {
    let config = Config::load(Path::new("docs/vgate.example.toml")).unwrap();
    assert_eq!(config.vms.len(), 2);
    let cluster = &config.vms[0].config;
    let plain = parse("control = \"/c/control\"\n[[vm]]\nname = \"plain\"").unwrap();
    assert_eq!(cluster.quotas, plain.vms[0].config.quotas);
}

/// With each commented-out key in force, too.
#[test]
fn keys_of_the_example_exist() {
    let text = std::fs::read_to_string("docs/vgate.example.toml").unwrap();
    let on = |line: &str| match line.strip_prefix("#") {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    let all: String = text.lines().map(on).filter(|line| !line.starts_with("edid")).collect();
    assert_ne!(all, text);
    parse(&all).unwrap();
}

#[test]
fn good_file_is_read() {
    let config = parse(
        r#"
        control = "run/control"
        [gpu]
        silicon = "model"
        [[vm]]
        name = "cluster"
        socket = "cluster.socket"
        weight = 300
        monitor = "1920x720@60"
        memory = "any"
        pvinfo = "off"
        aperture = "64 MiB"
        quotas = { memory = "2 GiB", regions = 16, jobs = 8, job_time = "1s 500ms" }
        [[vm]]
        name = "left-2"
        "#,
    )
    .unwrap();
    assert_eq!(config.control, Path::new("/etc/vgate/run/control"));
    assert_eq!(config.silicon, Silicon::Model);
    let [cluster, left] = &config.vms[..] else { panic!("{:?}", config.vms) };
    assert_eq!(cluster.config.socket, Path::new("/etc/vgate/cluster.socket"));
    assert_eq!(cluster.config.weight.get(), 300);
    assert_eq!(cluster.config.seals, SealPolicy::AllowUnsealed);
    assert_eq!(cluster.config.quotas.memory.bytes, 2 << 30);
    assert_eq!(cluster.config.quotas.memory.regions, 16);
    assert_eq!(cluster.config.quotas.jobs, 8);
    assert_eq!(cluster.config.quotas.job_time.as_millis(), 1500);
    assert_eq!(mode(cluster), (1920, 720));
    assert_eq!(cluster.gpu.presence, Presence::Bare);
    assert_eq!(cluster.gpu.aperture.bytes(), 64 << 20);
    assert_eq!(left.gpu.presence, Presence::Virtual);
    assert_eq!(left.config.socket, Path::new("/etc/vgate/run/left-2.sock"));
    assert_eq!(left.config.weight.get(), 100);
    assert_eq!(left.config.seals, SealPolicy::RequireSealed);
    assert_eq!(mode(left), (1024, 768));
}

fn mode(vm: &Vm) -> (u32, u32) {
    let mode = display::Edid::parse(&vm.gpu.edid).unwrap().preferred_mode();
    (mode.width(), mode.height())
}

#[test]
fn unknown_keys_are_refused_with_a_hint() {
    let found = problems("[[vm]]\nname = \"a\"\n  wieght = 3\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("vgate.toml:3:3: unknown field `wieght`"), "{found:?}");
    assert!(found[0].ends_with("did you mean `weight`?"), "{found:?}");

    let found = problems("[[vm]]\nname = \"a\"\nmemory = \"seeled\"\n");
    assert!(found[0].ends_with("did you mean `sealed`?"), "{found:?}");

    let found = problems("[[vm]]\nname = \"a\"\nxyzzy = 3\n");
    assert!(!found[0].contains("did you mean"), "{found:?}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let found = problems(
        r#"control = "/c/control"
[gpu]
silicon = "drm:"
[[vm]]
name = "left"
weight = 0
aperture = "3 MiB"
monitor = "640x480"
edid = "left.edid"
[[vm]]
name = "left"
weight = 1001
monitor = "big"
[[vm]]
name = "Right!"
socket = "/c/control"
edid = "missing.edid"
quotas = { memory = "lots", regions = 0, jobs = -1, job_time = "0 s" }
"#,
    );
    let starts = [
        "vgate.toml:3:11: there is no silicon \"drm:\"",
        "vgate.toml:6:10: weight 0 is out of range: 1 to 1000",
        "vgate.toml:7:12: \"3 MiB\" is no aperture",
        "vgate.toml:9:8: a VM has `monitor` or `edid`, not both",
        "vgate.toml:11:8: another VM is named \"left\" already",
        "vgate.toml:12:10: weight 1001 is out of range",
        "vgate.toml:13:11: \"big\" is no mode",
        "vgate.toml:15:8: \"Right!\" is no name for a VM",
        "vgate.toml:16:10: /c/control is the control socket already",
        "vgate.toml:17:8: /etc/vgate/missing.edid: ",
        "vgate.toml:18:21: \"lots\" is no size",
        "vgate.toml:18:39: 0 is out of range: 1 to 4096",
        "vgate.toml:18:49: -1 is out of range: 1 to 65536",
        "vgate.toml:18:64: \"0 s\" is no length of time",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found:?} does not start with {start:?}");
    }
}

#[test]
fn a_vm_needs_a_name_and_a_daemon_needs_vms() {
    assert!(
        problems("")[0].starts_with("vgate.toml:1:1: there is neither a [[vm]] nor a [[shim]]")
    );
    assert!(problems("\n[[vm]]\nweight = 1")[0].contains("missing field `name`"));
    assert!(problems("[[vm]\n")[0].starts_with("vgate.toml:1:"));
}

#[test]
fn long_socket_paths_are_refused() {
    let long = "x".repeat(100);
    let text = format!("[[vm]]\nname = \"a\"\nsocket = \"{long}\"");
    assert!(problems(&text)[0].starts_with("vgate.toml:3:10: a socket's path has at most 107"));
}

#[test]
fn edid_files_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[vm]]\nname = \"a\"\nedid = \"a.edid\"";
    let path = folder.path().join("a.edid");
    std::fs::write(&path, [0; 128]).unwrap();
    assert!(Config::parse(text, folder.path()).is_err());
    let monitor = display::Monitor::new("800x600".parse().unwrap());
    std::fs::write(&path, monitor.edid().unwrap().bytes()).unwrap();
    let config = Config::parse(text, folder.path()).unwrap();
    assert_eq!(mode(&config.vms[0]), (800, 600));
}

#[test]
fn sizes_and_times_are_as_written() {
    for (words, bytes) in [("64 GiB", 64 << 30), ("512M", 512 << 20), ("1G", 1 << 30)] {
        assert_eq!(size(words), Ok(bytes), "{words}");
    }
    assert!(size("0").is_err());
}
