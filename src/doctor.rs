//! `vgate doctor`: whether the host's GPU can execute for guests, and what to change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gpu_intel::Part;
use gpu_intel::silicon::drm::{Drm, Host};
use mediator::Clock;
use serde::Serialize;

use crate::cli::DoctorOptions;
use crate::output;

/// Pieces of one udmabuf: a page table may lead to 512 pages that all lie apart.
const LEAST_PIECES: u64 = 512;
/// So many let 16 scattered tables be shown by one buffer.
const GOOD_PIECES: u64 = 8192;
/// Bytes of one udmabuf: those 16 tables.
const GOOD_MIB: u64 = 32;
/// A VM's job that is killed has to be gone before the scheduler gives its place away.
const KILLED: Duration = Duration::from_secs(2);
/// What a hang may cost before the driver's own heartbeat finds it: about five beats.
const HEARTBEATS: u32 = 5;
const FOUND: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Weak,
    Missing,
}

#[derive(Debug, Serialize)]
struct Finding {
    grade: Grade,
    what: &'static str,
    text: String,
}

/// What owners of real hardware report.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    kernel: String,
    node: PathBuf,
    gpu: Option<Gpu>,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Gpu {
    device: String,
    revision: u8,
    platform: String,
    slices: u32,
    subslices: u32,
    units: u32,
}

/// Looks, and prints what it sees. Returns whether guests can run.
pub(crate) fn doctor(options: &DoctorOptions) -> anyhow::Result<bool> {
    let report = examine(&options.node);
    let fit = report.findings.iter().all(|finding| finding.grade != Grade::Missing);
    if options.json {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        return Ok(fit);
    }
    let mut text = String::new();
    for Finding { grade, what, text: line } in &report.findings {
        let grade = match grade {
            Grade::Ok => "ok",
            Grade::Weak => "weak",
            Grade::Missing => "missing",
        };
        text += &format!("{grade:8}{what:16}{line}\n");
    }
    text += if fit { "Guests can run on this GPU.\n" } else { "Guests can't run on this GPU.\n" };
    output::print(&text)?;
    Ok(fit)
}

fn examine(node: &Path) -> Report {
    let mut findings = Findings(Vec::new());
    findings.udmabuf();
    let gpu = findings.gpu(node);
    if gpu.is_some() {
        findings.timeouts(node);
    }
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let version = env!("CARGO_PKG_VERSION");
    Report { version, kernel, node: node.to_owned(), gpu, findings: findings.0 }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, grade: Grade, what: &'static str, text: impl Into<String>) {
        self.0.push(Finding { grade, what, text: text.into() });
    }

    fn udmabuf(&mut self) {
        const DEVICE: &str = "/dev/udmabuf";
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open(DEVICE) {
            let help = "load the module udmabuf, and give the daemon's user the device";
            return self.add(Grade::Missing, "udmabuf", format!("{DEVICE}: {error}; {help}"));
        }
        self.add(Grade::Ok, "udmabuf", DEVICE);
        self.limit("list_limit", LEAST_PIECES, GOOD_PIECES, "pieces of a buffer");
        self.limit("size_limit_mb", 2, GOOD_MIB, "MiB of a buffer");
    }

    fn limit(&mut self, name: &str, least: u64, good: u64, what: &str) {
        let path = format!("/sys/module/udmabuf/parameters/{name}");
        let Some(value) = number(Path::new(&path)) else {
            return self.add(Grade::Weak, "udmabuf", format!("{path} can't be read"));
        };
        let grade = match value {
            _ if value < least => Grade::Missing,
            _ if value < good => Grade::Weak,
            _ => Grade::Ok,
        };
        let mut text = format!("{name} is {value} {what}");
        if grade != Grade::Ok {
            text += &format!("; scattered memory takes more buffers: echo {good} > {path}");
        }
        self.add(grade, "udmabuf", text);
    }

    fn gpu(&mut self, node: &Path) -> Option<Gpu> {
        let drm = match Drm::open(node, Clock::start()) {
            Ok(drm) => drm,
            Err(error) => {
                self.add(Grade::Missing, "gpu", error.to_string());
                return None;
            }
        };
        let host = drm.host();
        self.add(Grade::Ok, "gpu", host.to_string());
        self.features(host);
        let Part { device, revision, topology } = host.part;
        Some(Gpu {
            device: format!("8086:{device:04x}"),
            revision,
            platform: host.platform.to_string(),
            slices: topology.slices().count_ones(),
            subslices: topology.subslice_count(),
            units: topology.unit_count(),
        })
    }

    fn features(&mut self, host: &Host) {
        let features = &host.features;
        for (has, what, with, without) in [
            (
                features.priorities,
                "priorities",
                "the host's own programs go before guests",
                "guests and the host's own programs are equal",
            ),
            (
                features.preemption,
                "preemption",
                "urgent work interrupts other work",
                "what runs, runs to its end",
            ),
            (
                features.engine_reset,
                "engine resets",
                "a hang costs the context that hangs",
                "a hang costs all work on the GPU",
            ),
            (
                features.kill,
                "kills",
                "closing a context ends its work",
                "a job over its time runs until the driver's heartbeat finds that it hangs",
            ),
        ] {
            let (grade, text) = if has { (Grade::Ok, with) } else { (Grade::Weak, without) };
            self.add(grade, what, text);
        }
    }

    /// How long the driver takes to end what does not end. Source: the kernel's documentation of i915's sysfs.
    fn timeouts(&mut self, node: &Path) {
        let engines = engine_folders(node);
        if engines.is_empty() {
            return self.add(Grade::Weak, "timeouts", "the driver's engines are not in sysfs");
        }
        for folder in engines {
            let engine = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Not where the driver has no preemption, which is a finding of its own.
            let path = folder.join("preempt_timeout_ms");
            if path.exists() {
                self.timeout(&engine, &path, KILLED, 1, "a job that is killed is gone after");
            }
            let path = folder.join("heartbeat_interval_ms");
            self.timeout(&engine, &path, FOUND, HEARTBEATS, "a hang is found after about");
        }
    }

    fn timeout(&mut self, engine: &str, path: &Path, most: Duration, times: u32, what: &str) {
        let Some(value) = number(path) else {
            let text = format!("{engine}: {} can't be read", path.display());
            return self.add(Grade::Weak, "timeouts", text);
        };
        let takes = Duration::from_millis(value) * times;
        let (grade, mut text) = match value {
            0 => (Grade::Weak, format!("{engine}: {what}: never")),
            _ if takes > most => (Grade::Weak, format!("{engine}: {what} {takes:?}")),
            _ => (Grade::Ok, format!("{engine}: {what} {takes:?}")),
        };
        if grade == Grade::Weak {
            let good = most.as_millis() / u128::from(times);
            text += &format!("; at most {good} is good: echo {good} > {}", path.display());
        }
        self.add(grade, "timeouts", text);
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The engines of a node's device: below its primary node in sysfs.
fn engine_folders(node: &Path) -> Vec<PathBuf> {
    let name = node.file_name().unwrap_or_default();
    let cards = Path::new("/sys/class/drm").join(name).join("device/drm");
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut engines: Vec<_> = entries(&cards)
        .iter()
        // The render node is there, too, with the same engines.
        .filter(|entry| entry.file_name().is_some_and(|n| n.to_string_lossy().starts_with("card")))
        .flat_map(|card| entries(&card.join("engine")))
        .filter(|folder| folder.join("heartbeat_interval_ms").exists())
        .collect();
    engines.sort();
    engines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_gpu_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let report = examine(&folder.path().join("renderD128"));
        assert!(report.gpu.is_none());
        let missing = report.findings.iter().filter(|finding| finding.grade == Grade::Missing);
        assert!(missing.count() > 0, "{report:?}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["gpu"], serde_json::Value::Null);
    }
}
