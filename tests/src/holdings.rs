//! What a process holds, to be compared before and after.

use std::fs;

use anyhow::{Context, Result};

/// Open descriptors, memory mapped from memfds, and memory in KiB.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// How many descriptors.
    pub descriptors: usize,
    /// How many mappings.
    pub mappings: usize,
    /// Its own memory.
    pub anonymous_kib: u64,
    /// Memory that it shares and has touched.
    pub shared_kib: u64,
}

impl Holdings {
    /// Those of a process, now.
    ///
    /// # Errors
    /// If it is gone.
    pub fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next());
            Ok(kib.with_context(|| format!("no {name}"))?.parse()?)
        };
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        Ok(Self {
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            mappings: maps.lines().filter(|line| line.contains("memfd:")).count(),
            anonymous_kib: kib("RssAnon:")?,
            shared_kib: kib("RssShmem:")?,
        })
    }
}
