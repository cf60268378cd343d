//! What a whole-system test is made of: a stock kernel with our first process, QEMU around it, vgate beside it.
//!
//! ```text
//!  test ──spawns──► vgate run CONFIG ◄──vfio-user socket──┐
//!    │                                                    │
//!    └──spawns──► qemu-system-x86_64 ─ stock kernel ─ i915 on the virtual GPU
//!         ▲                                  │
//!         └───── serial port, line by line ──┘ /init runs the steps that the test asked for
//! ```
//!
//! [`Image`] is a kernel with its initramfs, [`Qemu`] says how to start it, [`Guest`] is one that runs, [`Vgate`] is
//! a daemon. Programs that need no kernel of their own run in a [`Root`] instead. All that is started ends when it is dropped, or with the thread that started it, however
//! that ends. `scripts/setup` makes
//! what is needed; what is missing fails with the command that makes it. What each guest and daemon said, stays in
//! `target/guest/logs`.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use vgate_tests::{Image, Qemu};
//! let image = Image::build("6.12")?;
//! let mut guest = Qemu::new("left", &image).steps("modules,console,wait:go").start()?;
//! guest.wait_step("console")?;
//! guest.send("go")?;
//! guest.wait_end()?;
//! # Ok(())
//! # }
//! ```

pub mod conformance;
mod cpio;
mod guest;
mod holdings;
mod image;
mod kernel_log;
pub mod piglit;
mod process;
mod promises;
mod qemu;
mod qmp;
mod recorder;
mod root;
mod screen;
mod snapshot;
mod vgate;

pub use guest::Guest;
pub use holdings::Holdings;
pub use image::{Image, igt_version};
pub use kernel_log::complaints;
pub use promises::Promise;
pub use qemu::Qemu;
pub use qmp::Qmp;
pub use recorder::Recorder;
pub use root::{Program, Root, Run, SHARED};
pub use screen::{fingerprint, shows_what_was_printed};
pub use snapshot::{keep, similarity, snapshot};
pub use vgate::{Vgate, executable, library, nothing_was_refused};

use std::path::{Path, PathBuf};

/// Where `scripts/setup` puts QEMU and kernels, and this crate images and logs.
#[must_use]
pub fn guest_folder() -> PathBuf {
    repository().join("target/guest")
}

/// The repository's root.
pub fn repository() -> &'static Path {
    // The manifest is the crate's, one folder down.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
