//! Runs programs that the other end of the serial port names, one at a time, each with a time limit of its own.
//!
//! ```text
//! run 60 /usr/libexec/igt-gpu-tools/gem_exec_basic --run-subtest basic      comes in
//! VGATE-RUN begin
//! VGATE-OUT Subtest basic: SUCCESS (0.250s)
//! VGATE-RUN end exit 0 1290ms
//! end                                                                       comes in
//! ```
//!
//! A run ends with `exit CODE`, `signal NUMBER`, `timeout` (it was ended, and went), or `stuck` (it did not go).

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to clean up once asked to end, and to go once killed.
const GRACE: Duration = Duration::from_secs(10);

/// How long a program's last lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Lines that a stream of one run passes on: a test that failed may have thousands to tell.
const LINES: usize = 300;

/// Bytes of a line that are passed on.
const LINE_BYTES: usize = 400;

/// Runs what comes in until `end` does.
pub(crate) fn serve() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("end"), None, None) => return Ok(()),
            (Some("run"), Some(seconds), Some(program)) => {
                let seconds = seconds.parse().with_context(|| line.clone())?;
                println!("VGATE-RUN begin");
                let start = Instant::now();
                let end = run(program, words, Duration::from_secs(seconds))
                    .unwrap_or_else(|error| format!("error {error:#}"));
                println!("VGATE-RUN end {end} {}ms", start.elapsed().as_millis());
            }
            _ => bail!("{line:?} is neither `run SECONDS PROGRAM ARGUMENT...` nor `end`"),
        }
    }
    bail!("the serial port closed");
}

/// Runs one, and says how it ended.
fn run<'a>(
    program: &str,
    arguments: impl Iterator<Item = &'a str>,
    limit: Duration,
) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/tmp")
        .env("HOME", "/tmp")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        // Nobody types. Programs that end with their input don't end.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Whatever it starts ends with it.
        .process_group(0)
        .spawn()
        .with_context(|| program.to_owned())?;
    let _input = child.stdin.take();
    let group = Pid::from_child(&child);
    let readers = [pass_on(child.stdout.take()), pass_on(child.stderr.take())];
    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait()));

    let end = match ended.recv_timeout(limit) {
        Ok(status) => describe(status?),
        Err(_) => stop(group, &ended),
    };
    let _ = kill_process_group(group, Signal::KILL);
    let patience = Instant::now() + LAST_LINES;
    // A descendant that can't be killed holds the pipes for ever.
    while readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(end)
}

/// Where a program is that does not come to its end: `VGATE-STACK`, what it waits for in the kernel (nothing if it
/// runs), and the processor time that it has taken, in user and kernel mode, in hundredths of a second.
fn tell_where(process: Pid) {
    let folder = format!("/proc/{}", process.as_raw_nonzero());
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
    let stat = read("stat");
    let times: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    println!("VGATE-STACK user and kernel time: {}", times.get(11..13).unwrap_or(&[]).join(" "));
    for line in read("stack").lines().take(12) {
        println!("VGATE-STACK {line}");
    }
}

/// Ends a program whose time is over.
fn stop(group: Pid, ended: &Receiver<std::io::Result<ExitStatus>>) -> String {
    tell_where(group);
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = kill_process_group(group, signal);
        if !matches!(ended.recv_timeout(GRACE), Err(RecvTimeoutError::Timeout)) {
            return "timeout".to_owned();
        }
    }
    "stuck".to_owned()
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

fn pass_on(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut lines = 0;
        let mut bytes = Vec::new();
        let mut pipe = BufReader::new(pipe);
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            lines += 1;
            if lines <= LINES {
                let shown = &bytes[..bytes.len().min(LINE_BYTES)];
                println!("VGATE-OUT {}", String::from_utf8_lossy(shown).trim_end());
            }
            bytes.clear();
        }
        if lines > LINES {
            println!("VGATE-OUT ({} more lines)", lines - LINES);
        }
    })
}
