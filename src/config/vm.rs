//! The VMs of a configuration.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use display::{Edid, Mode, Monitor};
use gpu_intel::{Aperture, NoSuchPlatform, Platform, Presence, VgpuConfig};
use jiff::SignedDuration;
use mediator::memory::{MemoryQuota, SealPolicy};
use mediator::{Quotas, VmConfig, Weight};
use toml::Spanned;

use super::{Checker, Vm, file};

/// The monitor of a VM that names none.
const DEFAULT_MONITOR: &str = "1024x768";

impl Checker<'_> {
    /// All VMs, or nothing if one can't be used.
    pub(super) fn vms(&mut self, vms: &[Spanned<file::Vm>], control: &Path) -> Option<Vec<Vm>> {
        // Not stopping at the first that fails, to report them all.
        let vms: Vec<_> = vms.iter().map(|vm| self.vm(vm.get_ref(), control)).collect();
        vms.into_iter().collect()
    }

    fn vm(&mut self, vm: &file::Vm, control: &Path) -> Option<Vm> {
        let weight = self.weight(vm.weight.as_ref());
        let quotas = self.quotas(&vm.quotas);
        let platform = self.platform(vm.device.as_ref());
        let edid = self.monitor(vm);
        let presence = match vm.pvinfo {
            file::Pvinfo::On => Presence::Virtual,
            file::Pvinfo::Off => Presence::Bare,
        };
        let aperture = self.read_or(Aperture::default(), vm.aperture.as_ref(), |s| aperture(s));
        let seals = match vm.memory {
            file::Memory::Sealed => SealPolicy::RequireSealed,
            file::Memory::Any => SealPolicy::AllowUnsealed,
        };
        let config = VmConfig {
            name: vm.name.get_ref().clone(),
            socket: self.socket(&vm.name, vm.socket.as_ref(), control),
            weight: weight?,
            quotas: quotas?,
            seals,
        };
        let (platform, edid, aperture) = (platform?, edid?, aperture?);
        let gpu = VgpuConfig { platform, part: None, edid, presence, aperture };
        Some(Vm { config, gpu, named: vm.device.is_some() })
    }

    pub(super) fn weight(&mut self, weight: Option<&Spanned<i64>>) -> Option<Weight> {
        let Some(weight) = weight else { return Some(Weight::default()) };
        let valid = u16::try_from(*weight.get_ref()).ok().and_then(Weight::new);
        if valid.is_none() {
            let number = weight.get_ref();
            self.problem(weight.span(), format!("weight {number} is out of range: 1 to 1000"));
        }
        valid
    }

    pub(super) fn platform(&mut self, device: Option<&Spanned<String>>) -> Option<Platform> {
        let Some(device) = device else { return Some(Platform::default()) };
        let platform = device.get_ref().parse().map_err(|error: NoSuchPlatform| error.to_string());
        self.noted(device, platform)
    }

    fn monitor(&mut self, vm: &file::Vm) -> Option<Vec<u8>> {
        if let (Some(_), Some(edid)) = (&vm.monitor, &vm.edid) {
            self.problem(edid.span(), "a VM has `monitor` or `edid`, not both: an EDID tells it");
            return None;
        }
        if let Some(path) = &vm.edid {
            let edid = read_edid(&self.folder.join(path.get_ref()));
            return self.noted(path, edid);
        }
        match &vm.monitor {
            Some(words) => {
                let edid = edid_of(words.get_ref());
                self.noted(words, edid)
            }
            None => {
                let edid = edid_of(DEFAULT_MONITOR);
                self.noted(&vm.name, edid)
            }
        }
    }

    fn quotas(&mut self, quotas: &file::Quotas) -> Option<Quotas> {
        let default = Quotas::default();
        let bytes = self.read_or(default.memory.bytes, quotas.memory.as_ref(), |words| size(words));
        let regions = self.count(default.memory.regions, quotas.regions.as_ref(), 1..=4096);
        let jobs = self.count(default.jobs, quotas.jobs.as_ref(), 1..=65536);
        let job_time = self.read_or(default.job_time, quotas.job_time.as_ref(), |s| duration(s));
        let memory = MemoryQuota { regions: regions?, bytes: bytes? };
        Some(Quotas { memory, jobs: jobs?, job_time: job_time? })
    }

    pub(super) fn count(
        &mut self,
        default: usize,
        value: Option<&Spanned<i64>>,
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        self.read_or(default, value, |&number| {
            let fits = usize::try_from(number).ok().filter(|number| range.contains(number));
            fits.ok_or_else(|| {
                format!("{number} is out of range: {} to {}", range.start(), range.end())
            })
        })
    }

    /// The value as `read` understands it, or the default if there is none.
    pub(super) fn read_or<V, T>(
        &mut self,
        default: T,
        value: Option<&Spanned<V>>,
        read: impl FnOnce(&V) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = value else { return Some(default) };
        let read = read(value.get_ref());
        self.noted(value, read)
    }

    /// The result's value. An error is a problem with `value`.
    pub(super) fn noted<V, T>(
        &mut self,
        value: &Spanned<V>,
        result: Result<T, String>,
    ) -> Option<T> {
        result.map_err(|message| self.problem(value.span(), message)).ok()
    }
}

/// Reads "64 GiB", "512M": a unit stands for powers of 1024, as it does for QEMU.
pub(crate) fn size(words: &str) -> Result<u64, String> {
    let bytes = parse_size::Config::new().with_binary().parse_size(words);
    let bytes = bytes.map_err(|error| {
        format!("{words:?} is no size: {error}; write a number and a unit, such as 64 GiB")
    })?;
    if bytes == 0 { Err("a size is more than nothing".to_owned()) } else { Ok(bytes) }
}

/// Reads "10 s", "500 ms", "1m 30s".
pub(super) fn duration(words: &str) -> Result<Duration, String> {
    let read: Result<SignedDuration, _> = words.parse();
    let read = read.ok().and_then(|signed| Duration::try_from(signed).ok());
    read.filter(|duration| !duration.is_zero()).ok_or_else(|| {
        format!("{words:?} is no length of time: write a number and a unit, such as 500 ms or 10 s")
    })
}

fn aperture(words: &str) -> Result<Aperture, String> {
    Aperture::new(size(words)?)
        .ok_or_else(|| format!("{words:?} is no aperture: a power of two, 1 MiB to 1 GiB"))
}

fn edid_of(resolution: &str) -> Result<Vec<u8>, String> {
    let mode: Mode = resolution.parse().map_err(|error: display::ModeError| error.to_string())?;
    let edid = Monitor::new(mode).edid().map_err(|error| error.to_string())?;
    Ok(edid.bytes().to_vec())
}

fn read_edid(path: &Path) -> Result<Vec<u8>, String> {
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| in_file(&error))?;
    Edid::parse(&bytes).map_err(|error| in_file(&error))?;
    Ok(bytes)
}
