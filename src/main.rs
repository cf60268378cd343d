//! The `vgate` program: reads what the operator wants, puts the parts together and shows what they do. No logic of the
//! mediator or of a GPU lives here.
//!
//! ```text
//!  vgate run ──► config ──► run: Mediator + Vgpu + silicon ──► control socket ◄── vgate ctl, top, qemu-args
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod audit;
mod capture;
mod cli;
mod config;
mod control;
mod ctl;
mod debugger;
mod decode;
mod doctor;
mod edid;
mod output;
mod qemu_args;
mod replay;
mod run;
mod shim;
mod state;
mod table;
mod top;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use capture::Unusable;
use cli::{Cli, Command};
use config::{Config, Invalid};

/// Something failed while vgate was at work.
const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    ExitCode::from(match carry_out(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => report(&error),
    })
}

/// Says what failed. Returns the exit code.
fn report(error: &anyhow::Error) -> u8 {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        // When standard error is gone there is nobody to tell.
        let _ = usage.print();
        return USAGE;
    }
    if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever read our output has seen enough, as `head` does.
        return 0;
    }
    if let Some(invalid) = error.downcast_ref::<Invalid>() {
        eprintln!("{invalid}");
        return USAGE;
    }
    if let Some(unusable) = error.downcast_ref::<Unusable>() {
        eprintln!("vgate: {unusable}");
        return USAGE;
    }
    eprintln!("vgate: {error:#}");
    FAILURE
}

/// Does it. Returns the exit code.
fn carry_out(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run { config, log } => {
            // It fails only where there is a logger already: in a test.
            let _ = env_logger::Builder::new().filter_level(log).try_init();
            run::run(Config::load(&config)?)?;
        }
        Command::Check { config } => {
            let loaded = Config::load(&config)?;
            let vms = loaded.vms.len();
            let noun = if vms == 1 { "VM" } else { "VMs" };
            output::print(&format!("{}: valid, {vms} {noun}\n", config.display()))?;
        }
        Command::Doctor(options) => {
            if !doctor::doctor(&options)? {
                return Ok(FAILURE);
            }
        }
        Command::Ctl { control, json, action } => ctl::ctl(&control.path(), json, action)?,
        Command::Edid(options) => edid::edid(&options)?,
        Command::Top { control, options } => top::top(&control.path(), &options)?,
        Command::QemuArgs(options) => qemu_args::print(&options)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "vgate", &mut script);
            output::write(&script)?;
        }
        Command::Shim(options) => {
            let _ = env_logger::Builder::new().filter_level(options.log).try_init();
            return shim::shim(&options);
        }
        Command::Decode(options) => decode::decode(&options)?,
        Command::Replay(options) => {
            if !replay::replay(&options)? {
                return Ok(FAILURE);
            }
        }
        Command::Audit(options) => {
            if !audit::audit(&options)? {
                return Ok(FAILURE);
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
