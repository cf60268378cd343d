//! `vgate run`: the daemon, put together.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;
use gpu_intel::silicon::model::Model;
use gpu_intel::{Client, Vgpu};
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
    let silicon = match config.silicon {
        Silicon::Model => Arc::new(Model::new(clock).context("the model GPU")?),
    };
    let mut mediator = Mediator::start(silicon, clock)?;
    for vm in config.vms {
        let gpu = vm.gpu;
        mediator
            .add_vm(vm.config, move |setup| Ok(Box::new(Vgpu::new(gpu.clone(), setup.ram)?)))?;
    }
    let mut shims = Vec::new();
    for shim in config.shims {
        shims.push((shim.config.name.clone(), shim.config.socket.clone()));
        let platform = shim.platform;
        mediator.add_shim(shim.config, move |setup| Ok(Box::new(Client::new(platform, setup))))?;
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

/// The folder of the default control socket is vgate's own to make. Any other is the operator's.
fn make_default_folder(config: &Config) -> anyhow::Result<()> {
    let default = control::default_path();
    let Some(folder) = default.parent().filter(|_| config.control == default) else {
        return Ok(());
    };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("making {}", folder.display()))
}
