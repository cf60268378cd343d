//! What goes over the control socket: one JSON object a line, requests one way, replies the other.
//!
//! A request carries the version that the client speaks. A screenshot's reply line is followed by the picture's bytes,
//! as many as the line says; so is a saved state's, and the request to restore one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::EngineUsage;

/// The version of this protocol. It grows when a field changes its meaning or goes; new fields don't count.
pub const VERSION: u32 = 1;

/// The longest request line in bytes.
pub const MAX_REQUEST: usize = 4096;

/// The longest reply line in bytes that a client takes.
pub const MAX_REPLY: usize = 16 << 20;

/// A request, and the version in which it is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// See [`VERSION`].
    pub version: u32,
    /// What is wanted.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// All VMs.
    List,
    /// All about one VM.
    Show {
        /// Its name.
        vm: String,
    },
    /// A picture of what a VM's display shows.
    Screenshot {
        /// Its name.
        vm: String,
    },
    /// Resets a VM's device to its state after power-on: what it has on the GPU is killed, a quarantine is lifted.
    /// The guest is not asked: to its driver this is a GPU that hangs.
    Reset {
        /// Its name.
        vm: String,
    },
    /// Plugs a monitor into a VM's GPU; one that is still there is pulled out first.
    Plug {
        /// The VM's name.
        vm: String,
        /// The monitor's EDID; none for the monitor that was there last.
        edid: Option<Vec<u8>>,
    },
    /// Pulls a VM's monitor out.
    Unplug {
        /// The VM's name.
        vm: String,
    },
    /// Stops a VM's GPU and saves its state. The GPU stands still from then on.
    Save {
        /// The VM's name.
        vm: String,
    },
    /// Lets a GPU go on that stands still since it was saved.
    Resume {
        /// The VM's name.
        vm: String,
    },
    /// Restores a state. Its bytes follow the line.
    Restore {
        /// The VM's name.
        vm: String,
        /// How many.
        bytes: usize,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::List`].
    List {
        /// In the order of the configuration.
        vms: Vec<VmSummary>,
    },
    /// To [`Request::Show`].
    Show {
        /// The VM.
        vm: Box<VmReport>,
    },
    /// To [`Request::Screenshot`]. A PNG file follows the line.
    Screenshot {
        /// The picture's width in pixels.
        width: u32,
        /// The picture's height in pixels.
        height: u32,
        /// The file's size in bytes.
        bytes: usize,
    },
    /// To [`Request::Save`]. The state follows the line.
    Saved {
        /// The VM's name.
        vm: String,
        /// The state's size in bytes.
        bytes: usize,
    },
    /// It is done.
    Done,
    /// It can't be done.
    Error {
        /// Why, for people.
        message: String,
    },
}

/// How a VM is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Its VMM has not connected, or has gone.
    Waiting,
    /// Its VMM is connected.
    Connected,
    /// Its VMM is connected, and its GPU stands still since it was saved.
    Paused,
    /// It is cut off from the GPU until its next device reset.
    Quarantined {
        /// The rule that was broken.
        rule: String,
        /// What broke it.
        detail: String,
    },
    /// Its thread has ended.
    Stopped,
}

/// A VM in a few numbers. Counters are since the mediator started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmSummary {
    /// Its name.
    pub name: String,
    /// Where its VMM connects.
    pub socket: PathBuf,
    /// How it is doing.
    #[serde(flatten)]
    pub state: State,
    /// Its weight in the scheduler.
    pub weight: u16,
    /// What it did on each engine.
    pub engines: Vec<EngineStatus>,
    /// Accesses of the guest that reached the device model.
    pub traps: u64,
    /// Interrupts sent to the guest.
    pub interrupts: u64,
    /// Resets of the device by its VMM or by an operator.
    pub resets: u64,
    /// Connections of VMMs.
    pub connections: u64,
    /// Requests that were refused, and quarantines, by rule.
    pub reasons: BTreeMap<String, u64>,
    /// Guest memory mapped, in bytes.
    pub memory_bytes: u64,
    /// Width and height of the display's mode in pixels, if it is on.
    pub resolution: Option<(u32, u32)>,
    /// Registers without a meaning to the device that the guest touched.
    pub unknown_registers: usize,
}

/// What a VM did on an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// The engine's name: `rcs0`.
    pub name: String,
    /// Counters since the mediator started.
    #[serde(flatten)]
    pub usage: EngineUsage,
    /// The part of the engine's time that the VM had in the last second, 0 to 1. Time counts when a job ends or is
    /// preempted.
    pub share: f64,
}

/// All about a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmReport {
    /// The VM in a few numbers.
    #[serde(flatten)]
    pub summary: VmSummary,
    /// Registers without a meaning to the device that the guest touched.
    pub unknown: Vec<UnknownRegister>,
    /// The device's own counters.
    pub device: BTreeMap<String, u64>,
}

/// A register without a meaning to the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownRegister {
    /// The region that it lies in: `bar0`, `rom`, `config`.
    pub region: String,
    /// Bytes from the region's start.
    pub offset: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_edid_fits_into_a_request() {
        let request = Request::Plug { vm: "v".repeat(64), edid: Some(vec![255; 512]) };
        let text = serde_json::to_vec(&Envelope { version: VERSION, request }).unwrap();
        assert!(text.len() < MAX_REQUEST, "{}", text.len());
    }

    #[test]
    fn requests_are_plain_json() {
        let text = r#"{"version":1,"request":"show","vm":"cluster"}"#;
        let envelope: Envelope = serde_json::from_str(text).unwrap();
        assert_eq!(envelope.request, Request::Show { vm: "cluster".into() });
        assert_eq!(serde_json::to_string(&envelope).unwrap(), text);
        assert!(serde_json::from_str::<Envelope>(r#"{"version":1,"request":"explode"}"#).is_err());
    }
}
