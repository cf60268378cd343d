//! QEMU's own control socket (QMP): to stop a guest, to move it, and to let it go on.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// How long QEMU may take to open its socket, and to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection to a QEMU that was started with `-qmp unix:PATH,server=on,wait=off`.
#[derive(Debug)]
pub struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// Connects, and waits for QEMU's greeting.
    ///
    /// # Errors
    /// If nobody is there in time.
    pub fn connect(path: &Path) -> Result<Self> {
        let end = Instant::now() + LIMIT;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error).with_context(|| path.display().to_string()),
            }
        };
        stream.set_read_timeout(Some(LIMIT))?;
        let mut qmp = Self(BufReader::new(stream));
        qmp.line()?;
        qmp.execute("qmp_capabilities")?;
        Ok(qmp)
    }

    /// Executes a command without arguments, and returns what it returned.
    ///
    /// # Errors
    /// If QEMU refuses.
    pub fn execute(&mut self, command: &str) -> Result<Value> {
        self.execute_with(command, &json!({}))
    }

    /// Executes a command of the human monitor, and returns what it said.
    ///
    /// # Errors
    /// If QEMU refuses.
    pub fn monitor(&mut self, line: &str) -> Result<String> {
        let said = self.execute_with("human-monitor-command", &json!({ "command-line": line }))?;
        Ok(said.as_str().unwrap_or_default().trim().to_owned())
    }

    /// Executes a command with arguments, and returns what it returned.
    ///
    /// # Errors
    /// If QEMU refuses.
    pub fn execute_with(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        writeln!(self.0.get_mut(), "{}", json!({ "execute": command, "arguments": arguments }))?;
        loop {
            // Events come in between.
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                bail!("{command}: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).context("QEMU does not answer")?;
        ensure!(read > 0, "QEMU has closed its control socket");
        Ok(serde_json::from_str(&line)?)
    }
}
