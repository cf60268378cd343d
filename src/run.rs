//! `vgate run`: the daemon, put together.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;
use gpu_intel::silicon::Batch;
use gpu_intel::silicon::drm::{Drm, Host};
use gpu_intel::silicon::model::Model;
use gpu_intel::{Client, Platform, Vgpu};
use mediator::{Clock, Mediator};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::{Config, Silicon};
use crate::control;
use crate::output;
use crate::table::Table;

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(config: Config) -> anyhow::Result<()> {
    // Before anything that would have to be undone.
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("signals")?;
    make_default_folder(&config)?;

    let clock = Clock::start();
    let (silicon, host): (Arc<dyn mediator::Silicon<Work = Batch>>, _) = match &config.silicon {
        Silicon::Model => (Arc::new(Model::new(clock).context("the model GPU")?), None),
        Silicon::Drm(node) => {
            let drm = Drm::open(node, clock).with_context(|| format!("{}", node.display()))?;
            let host = drm.host().clone();
            log::info!("{}: {host}", node.display());
            (Arc::new(drm), Some(host))
        }
    };
    let mut mediator = Mediator::start(silicon, clock)?;
    for vm in config.vms {
        let mut gpu = vm.gpu;
        if let Some(host) = &host {
            let named = vm.named.then_some(gpu.platform);
            gpu.platform = fitting(host, named).with_context(|| vm.config.name.clone())?;
            gpu.part = Some(host.part);
        }
        mediator
            .add_vm(vm.config, move |setup| Ok(Box::new(Vgpu::new(gpu.clone(), setup.ram)?)))?;
    }
    let mut shims = Vec::new();
    for shim in config.shims {
        shims.push((shim.config.name.clone(), shim.config.socket.clone()));
        let mut platform = shim.platform;
        let mut part = platform.part();
        if let Some(host) = &host {
            let named = shim.named.then_some(platform);
            platform = fitting(host, named).with_context(|| shim.config.name.clone())?;
            part = host.part;
        }
        mediator.add_shim(shim.config, move |setup| {
            Ok(Box::new(Client::new(platform, setup).of(part)))
        })?;
    }
    mediator.serve_control(&config.control)?;
    log::info!("control socket {}", config.control.display());

    let mut ready = Table::pairs();
    for vm in mediator.vms() {
        ready.row([vm.name().to_owned(), vm.socket().display().to_string()]);
    }
    for (name, socket) in shims {
        ready.row([name, socket.display().to_string()]);
    }
    if let Err(error) = output::print(&ready.to_string()) {
        log::warn!("standard output: {error}");
    }

    if let Some(signal) = signals.forever().next() {
        log::info!("signal {signal}: ending");
    }
    Ok(mediator.shutdown()?)
}

/// The platform that a guest sees whose batches the host's GPU executes: the host's own, whatever its guest would like.
fn fitting(host: &Host, named: Option<Platform>) -> anyhow::Result<Platform> {
    match named {
        Some(named) if named != host.platform => anyhow::bail!(
            "its `device` is {named}, and the host's GPU is {host}: what executes a guest's batches can't be \
             another part than the guest's driver writes them for; leave `device` out"
        ),
        _ => Ok(host.platform),
    }
}

/// The folder of the default control socket is vgate's own to make. Any other is the operator's.
fn make_default_folder(config: &Config) -> anyhow::Result<()> {
    let default = control::default_path();
    let Some(folder) = default.parent().filter(|_| config.control == default) else {
        return Ok(());
    };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("making {}", folder.display()))
}
