//! The i915 developers' own tests, IGT, run inside a guest against its virtual GPU.
//!
//! ```text
//!  suite ──► Runner ──"run 60 gem_exec_basic --run-subtest basic"──► guest's /init ──► IGT ──► i915 ──► vgate
//!                │ ◄──── what it printed, how it ended, what the kernel said ────┘
//!                ▼
//!             Outcome ──► Results (JSON, resumable, compared with what is committed) ──► docs/conformance.md
//! ```
//!
//! Each subtest is a process of its own. A guest runs one after the other; after what ended badly the rest goes on in a
//! new one, so that one failure makes no other.

mod list;
mod outcome;
mod report;
mod results;
mod runner;
pub mod shim;
mod suite;

pub use list::{List, Place};
pub use outcome::{Outcome, Verdict};
pub use report::report;
pub use results::{Results, Tally};
pub use runner::Runner;
pub use suite::{NotRun, SUITE, Suite, Test, matches};

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::repository;

/// As what the device shows itself to its guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As a vGPU: i915 leaves preemption and semaphores away.
    #[default]
    Pvinfo,
    /// As metal.
    Bare,
}

impl Mode {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Pvinfo, Self::Bare];

    /// What a VM's configuration says for it, whole lines.
    pub fn configuration(self) -> &'static str {
        match self {
            Self::Pvinfo => "",
            Self::Bare => "pvinfo = \"off\"\naperture = \"16 MiB\"\n",
        }
    }

    /// What the guest's kernel is told for it.
    ///
    /// Bare, a console would lie in the aperture, where each access is a message to vgate. IGT takes the console away
    /// and brings it back around each subtest, and to draw it anew takes half a minute.
    pub fn kernel_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Pvinfo => &[],
            Self::Bare => &["drm_kms_helper.fbdev_emulation=0"],
        }
    }

    /// Where the results that a change must not worsen are.
    pub fn committed(self) -> PathBuf {
        repository().join(format!("tests/conformance/{self}.json"))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pvinfo => "pvinfo",
            Self::Bare => "bare",
        })
    }
}
