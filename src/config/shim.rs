//! The shims of a configuration: sockets for clients of the paravirtual way.

use std::path::Path;
use std::time::Duration;

use mediator::memory::MemoryQuota;
use mediator::{Quotas, ShimConfig};
use toml::Spanned;

use super::vm::{duration, size};
use super::{Checker, Shim, file};

/// Clients at a time.
const CLIENTS: usize = 64;
/// What one client may have of the host's memory: half of it is its arena.
const MEMORY: u64 = 8 << 30;
/// How long a client's thread looks out for requests before it sleeps.
const AWAKE: Duration = Duration::from_micros(20);

impl Checker<'_> {
    /// All shims, or nothing if one can't be used.
    pub(super) fn shims(
        &mut self,
        shims: &[Spanned<file::Shim>],
        control: &Path,
    ) -> Option<Vec<Shim>> {
        let shims: Vec<_> = shims.iter().map(|shim| self.shim(shim.get_ref(), control)).collect();
        shims.into_iter().collect()
    }

    fn shim(&mut self, shim: &file::Shim, control: &Path) -> Option<Shim> {
        let weight = self.weight(shim.weight.as_ref());
        let platform = self.platform(shim.device.as_ref());
        let clients = self.count(CLIENTS, shim.clients.as_ref(), 1..=4096);
        let memory = self.read_or(MEMORY, shim.memory.as_ref(), |words| size(words));
        let default = Quotas::default();
        let job_time = self.read_or(default.job_time, shim.job_time.as_ref(), |s| duration(s));
        let awake = self.read_or(AWAKE, shim.awake.as_ref(), |s| duration(s));
        // The arena, tables and buffers with files of their own.
        let memory = MemoryQuota { regions: 4096, bytes: memory? };
        let config = ShimConfig {
            name: shim.name.get_ref().clone(),
            socket: self.socket(&shim.name, shim.socket.as_ref(), control),
            weight: weight?,
            quotas: Quotas { memory, job_time: job_time?, ..default },
            clients: clients?,
            awake: awake?,
        };
        Some(Shim { config, platform: platform?, named: shim.device.is_some() })
    }
}

/// What `vgate shim` serves without a configuration.
pub(crate) fn plain(name: &str, socket: &Path) -> ShimConfig {
    let memory = MemoryQuota { regions: 4096, bytes: MEMORY };
    ShimConfig {
        name: name.to_owned(),
        socket: socket.to_owned(),
        weight: mediator::Weight::default(),
        quotas: Quotas { memory, ..Quotas::default() },
        clients: CLIENTS,
        awake: AWAKE,
    }
}
