//! A guest that runs, followed line by line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::guest_folder;
use crate::process::Process;

/// How long a step may take if the test doesn't say: an emulated processor on a shared machine is slow at times.
const STEP_LIMIT: Duration = Duration::from_secs(120);

/// How long QEMU may take to end once the guest has said its last line.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Before each line of QEMU's own.
const QEMU_SAYS: &str = "qemu: ";

/// A guest in QEMU. Dropping it kills QEMU.
///
/// The waiting calls go through the guest's lines in order, each from where the last one found its own, and fail at
/// once when the guest reports a failed step or ends, with the last lines it said.
#[derive(Debug)]
pub struct Guest {
    name: String,
    qemu: Process,
    heard: Arc<Heard>,
    next: usize,
    log: PathBuf,
    readers: Vec<JoinHandle<()>>,
}

/// What the guest and QEMU said so far.
#[derive(Debug, Default)]
struct Heard {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

impl Heard {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    pub(crate) fn new(name: &str, mut qemu: Process) -> Result<Self> {
        let folder = guest_folder().join("logs");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("{name}.log"));
        let file = Arc::new(File::create(&log).with_context(|| log.display().to_string())?);
        let heard = Arc::new(Heard::default());
        let start = Instant::now();
        let listen = |stream: Option<Box<dyn Read + Send>>, prefix: &'static str| {
            let (heard, file) = (heard.clone(), file.clone());
            std::thread::spawn(move || {
                if let Some(stream) = stream {
                    follow(stream, prefix, start, &heard, &file);
                }
            })
        };
        let stdout = qemu.child.stdout.take().map(|stream| Box::new(stream) as _);
        let stderr = qemu.child.stderr.take().map(|stream| Box::new(stream) as _);
        let readers = vec![listen(stdout, ""), listen(stderr, QEMU_SAYS)];
        Ok(Self { name: name.to_owned(), qemu, heard, next: 0, log, readers })
    }

    /// The guest's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// QEMU's process number.
    pub fn pid(&self) -> u32 {
        self.qemu.id()
    }

    /// All lines so far: the guest's serial port, and what QEMU itself said after `qemu: `.
    pub fn lines(&self) -> Vec<String> {
        self.heard.lines().all.clone()
    }

    /// What follows a word at the start of a line, for all such lines so far: `reports("VGATE-CONNECTOR")`.
    pub fn reports(&self, word: &str) -> Vec<String> {
        let lines = self.heard.lines();
        let rest = |line: &String| Some(line.strip_prefix(word)?.strip_prefix(' ')?.to_owned());
        lines.all.iter().filter_map(rest).collect()
    }

    /// Waits for a line that holds a text, and returns it.
    ///
    /// # Errors
    /// If it doesn't come in time, a step fails, or the guest ends.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        self.lines_until(text, limit)?.pop().context("the line itself is always there")
    }

    /// Waits for a line that holds a text, and returns all lines up to it, itself the last.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn lines_until(&mut self, text: &str, limit: Duration) -> Result<Vec<String>> {
        let end = Instant::now() + limit;
        let first = self.next;
        let mut lines = self.heard.lines();
        loop {
            while let Some(line) = lines.all.get(self.next) {
                self.next += 1;
                if line.contains(text) {
                    return Ok(lines.all[first..self.next].to_vec());
                }
                if line.starts_with("VGATE-STEP ") && line.contains(" FAIL ") {
                    let line = line.clone();
                    drop(lines);
                    bail!(self.trouble(&format!("{line:?} came before {text:?}")));
                }
            }
            if lines.ended {
                drop(lines);
                bail!(self.trouble(&format!("it ended before {text:?} came")));
            }
            let now = Instant::now();
            if now >= end {
                drop(lines);
                bail!(self.trouble(&format!("{text:?} did not come within {limit:?}")));
            }
            let waited = self.heard.more.wait_timeout(lines, end - now);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a step, named as in the steps asked for, ended well. At most two minutes.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn wait_step(&mut self, step: &str) -> Result<()> {
        self.wait_step_within(step, STEP_LIMIT)
    }

    /// As [`Self::wait_step`], with a limit of one's own.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn wait_step_within(&mut self, step: &str, limit: Duration) -> Result<()> {
        self.expect(&format!("VGATE-STEP {step} ok"), limit).map(drop)
    }

    /// Waits until all steps ended well and the guest powered off.
    ///
    /// # Errors
    /// As [`Self::expect`], or if QEMU ends with an error.
    pub fn wait_end(&mut self) -> Result<()> {
        self.expect("VGATE-END", STEP_LIMIT)?;
        let status = self.wait_exit(END_LIMIT)?;
        if !status.success() {
            bail!(self.trouble(&format!("QEMU ended with {status}")));
        }
        Ok(())
    }

    /// Waits for QEMU's end, however it ends.
    ///
    /// # Errors
    /// If it doesn't end in time.
    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = self.qemu.wait(limit).map_err(|e| self.trouble(&e.to_string()))?;
        // So that the last lines are there.
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok(status)
    }

    /// Sends a line to the guest, for its step `wait:LINE`.
    ///
    /// # Errors
    /// If QEMU has ended.
    pub fn send(&mut self, line: &str) -> Result<()> {
        let input = self.qemu.child.stdin.as_mut().context("no way in")?;
        input.write_all(format!("{line}\n").as_bytes())?;
        Ok(input.flush()?)
    }

    /// Kills QEMU as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// If it doesn't go.
    pub fn kill9(&mut self) -> Result<()> {
        self.qemu.signal(Signal::KILL)?;
        self.wait_exit(END_LIMIT).map(drop)
    }

    /// Asks QEMU to end, as closing its window does; the guest isn't asked.
    ///
    /// # Errors
    /// If it doesn't end.
    pub fn quit(&mut self) -> Result<()> {
        self.qemu.signal(Signal::TERM)?;
        self.wait_exit(END_LIMIT).map(drop)
    }

    /// Stops QEMU with all its threads, as a hung host process would.
    ///
    /// # Errors
    /// If the signal can't be sent.
    pub fn freeze(&mut self) -> Result<()> {
        self.qemu.signal(Signal::STOP)
    }

    /// Lets a frozen QEMU go on.
    ///
    /// # Errors
    /// If the signal can't be sent.
    pub fn thaw(&mut self) -> Result<()> {
        self.qemu.signal(Signal::CONT)
    }

    fn trouble(&self, what: &str) -> anyhow::Error {
        let lines = self.heard.lines();
        let tail = lines.all[lines.all.len().saturating_sub(12)..].join("\n  ");
        let log = self.log.display();
        anyhow::anyhow!(
            "guest {}: {what}. Its last lines:\n  {tail}\nAll of them: {log}",
            self.name
        )
    }
}

/// Passes a stream's lines on, to those who wait and to the log with the seconds since the start.
fn follow(stream: impl Read, prefix: &str, start: Instant, heard: &Heard, mut log: &File) {
    let mut stream = BufReader::new(stream);
    let mut bytes = Vec::new();
    while stream.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
        let line = format!("{prefix}{}", String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
        // A log that can't be written is not the guest's failure.
        let _ = writeln!(log, "{:8.3} {line}", start.elapsed().as_secs_f64());
        heard.lines().all.push(line);
        heard.more.notify_all();
    }
    // The serial port closes when QEMU ends; what it still has to say itself may come later.
    if prefix.is_empty() {
        heard.lines().ended = true;
        heard.more.notify_all();
    }
}
