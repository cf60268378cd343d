//! A stand-in for a VM, over vfio-user.

use std::time::Duration;

use anyhow::{Result, ensure};
use gpu_intel::driver::FREE;
use gpu_intel::engine::Engine;
use mediator::GuestAddress;
use vgate_benches::stand_in::StandIn;

use crate::daemon::Daemon;

/// Every engine of a VM stores, again and again.
pub(crate) fn stores(daemon: &Daemon) -> Result<()> {
    const ROUNDS: u32 = 25;
    let mut vm = StandIn::connect(&daemon.socket("vm"), 0)?;
    let (batch, result) = (FREE, FREE + 0x10_0000);
    for round in 0..ROUNDS {
        for engine in Engine::ALL {
            let value = 100 * round + u32::from(engine.id().0) + 1;
            let commands = [0x20 << 23 | 2, result as u32, 0, value, 0x0A << 23, 0];
            for (n, dword) in (0..).zip(commands) {
                vm.ram().write_u32(GuestAddress(batch + 4 * n), dword)?;
            }
            let request = vm.submit(engine, batch)?;
            vm.wait(engine, request, Duration::from_micros(200))?;
            let found = vm.ram().read_u32(GuestAddress(result))?;
            ensure!(found == value, "{engine:?}, round {round}: {found} for {value}");
        }
    }
    Ok(())
}
