//! VMs. Each has a thread, which owns all of it and waits for nobody.
//!
//! ```text
//!  VMM ──socket──► VmThread ──► Host ──► Guarded ──► the device
//!  executors ──┐      ▲          │ effects
//!  control  ───┴─ Mailbox        └──► orders to executors, interrupts to the VMM
//! ```

mod guarded;
mod host;
mod mailbox;
mod pause;
mod status;
mod thread;

pub use guarded::{DeviceFactory, DeviceSetup};
pub use host::Quotas;
pub use mailbox::Details;
pub use status::{NoAnswer, VmCounters, VmHandle, VmState};

pub(crate) use guarded::Guarded;
pub(crate) use host::{Host, Surroundings};
pub(crate) use mailbox::{Mail, Mailbox, MailboxSender, Question};
pub(crate) use thread::VmThread;
