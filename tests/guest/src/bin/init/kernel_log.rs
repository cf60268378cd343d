//! The kernel's messages, passed on as lines of our own.
//!
//! The kernel's own serial console would cut into our lines anywhere, so it is kept for what kills the kernel
//! (`loglevel=3`) and the rest comes through `/dev/kmsg`, a record a line, in one piece.

use std::fs::File;
use std::io::{ErrorKind, Read};

use rustix::fs::{Mode, OFlags, open};

/// A record of `/dev/kmsg`: `priority,sequence,microseconds,flags;text`, then lines of key and value.
struct Record<'a> {
    level: u32,
    microseconds: u64,
    text: &'a str,
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = std::str::from_utf8(bytes).ok()?.split_once(';')?;
        let mut fields = head.split(',');
        let priority: u32 = fields.next()?.parse().ok()?;
        let microseconds = fields.nth(1)?.parse().ok()?;
        Some(Self { level: priority & 7, microseconds, text: rest.lines().next()? })
    }

    /// Worth a line while the guest runs: warnings and worse, and all that concerns the GPU.
    fn matters(&self) -> bool {
        self.level <= 4 || self.text.contains("i915") || self.text.contains("[drm")
    }

    fn report(&self) {
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        println!("VGATE-KERNEL {} {seconds}.{rest:06} {}", self.level, self.text);
    }
}

/// Reports what matters from now on, and before, as it comes.
pub(crate) fn follow() {
    std::thread::spawn(|| {
        each_record(OFlags::empty(), |record| {
            if record.matters() {
                record.report();
            }
        });
    });
}

/// Reports all there is.
pub(crate) fn dump() {
    println!("VGATE-LOG begin");
    each_record(OFlags::NONBLOCK, |record| record.report());
    println!("VGATE-LOG end");
}

fn each_record(flags: OFlags, mut then: impl FnMut(&Record<'_>)) {
    let Ok(file) = open("/dev/kmsg", OFlags::RDONLY | flags, Mode::empty()) else {
        println!("VGATE-KERNEL 3 0.0 /dev/kmsg can't be read");
        return;
    };
    let mut file = File::from(file);
    let mut buffer = [0; 8192];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if let Some(record) = Record::parse(&buffer[..length]) {
                    then(&record);
                }
            }
            // The record was overwritten before it was read: the next read goes on with the oldest.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn a_record_has_its_level_and_time() {
        let record = Record::parse(b"30,339,5140900,-;i915: hello\n SUBSYSTEM=pci\n").unwrap();
        assert_eq!((record.level, record.microseconds), (6, 5_140_900));
        assert_eq!(record.text, "i915: hello");
        assert!(record.matters());
        assert!(!Record::parse(b"6,1,2,-;e1000: up").unwrap().matters());
        assert!(Record::parse(b"rubbish").is_none());
    }
}
