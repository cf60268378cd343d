//! The test guest's first process, and its only one but for the checks it starts.
//!
//! A guest is a stock kernel and an initramfs: this program as `/init`, `check`, and the modules that i915 needs.
//! The kernel's command line says what to do, a step after the other:
//!
//! ```text
//! vgate.name=left  vgate.steps=modules,connectors,console,check:all,wait:go,poweroff  i915.enable_psr=0
//! ```
//!
//! All is reported on the first serial port, a line at a time, so that the test at its other end can follow:
//!
//! ```text
//! VGATE-BOOT left 6.12.107+deb13-amd64 2.310
//! VGATE-STEP modules begin
//! VGATE-KERNEL 6 3.012345 i915 0000:00:02.0: [drm] Virtual GPU for Intel GVT-g detected.
//! VGATE-STEP modules ok 1832ms
//! VGATE-STEP check:all FAIL exit status: 1
//! VGATE-END
//! ```
//!
//! The first step that fails ends the run: the kernel's whole log is reported and the guest powers off.

mod boot;
mod command_line;
mod console;
mod kernel_log;
mod serve;
mod steps;

use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

fn main() {
    let command_line = match boot::prepare() {
        Ok(command_line) => command_line,
        Err(error) => {
            println!("VGATE-STEP boot FAIL {error:#}");
            power(RebootCommand::PowerOff);
        }
    };
    kernel_log::follow();
    println!(
        "VGATE-BOOT {} {} {}",
        command_line.name(),
        rustix::system::uname().release().to_string_lossy(),
        boot::uptime()
    );
    steps::run_all(&command_line);
    power(RebootCommand::PowerOff)
}

/// Ends the guest's run one way or the other, once the last line has left.
fn power(how: RebootCommand) -> ! {
    println!("VGATE-END");
    // The serial port's own buffer, which the kernel drops when it goes down.
    let _ = rustix::termios::tcdrain(std::io::stdout());
    rustix::fs::sync();
    let _ = reboot(how);
    // Returning would be a kernel panic, which says the wrong thing about what went wrong.
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
