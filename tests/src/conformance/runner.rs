//! Guests that run IGT, one after the other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::suite::matches;
use super::{Mode, Outcome, SUITE, Test, Verdict};
use crate::{Guest, Image, Qemu, Vgate};

/// Where IGT lies in a guest.
const PROGRAMS: &str = "/usr/libexec/igt-gpu-tools";

/// The kernel whose driver is tested.
const KERNEL: &str = "6.12";

/// The guest's memory. Some tests fill more than the 4 GiB that the GGTT spans.
const MEMORY_MIB: u32 = 6144;

/// The guest's processor: one that has the loads of 16 bytes, as all that have such a GPU do, and doesn't say that it is
/// emulated. Otherwise i915 reads the state of a hung GPU byte by byte, twice, through the aperture, and each byte is a
/// message to vgate: seconds that a few of the tests don't grant.
const PROCESSOR: &str = "qemu64,+ssse3,+sse4.1,-hypervisor";

/// How long a guest may take to come up, and a program to list its subtests.
const BOOT_LIMIT: Duration = Duration::from_secs(180);
const LIST_SECONDS: u64 = 60;

/// How much longer than the limit that the guest itself keeps may a run take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs IGT's subtests in a guest of its own, and starts a new guest when one is spoilt.
#[derive(Debug)]
pub struct Runner {
    name: String,
    mode: Mode,
    image: Image,
    running: Option<Running>,
    guests: u32,
}

#[derive(Debug)]
struct Running {
    guest: Guest,
    vgate: Vgate,
}

impl Runner {
    /// Starts nothing yet. `name` names the logs.
    ///
    /// # Errors
    /// If kernel or IGT aren't there.
    pub fn new(name: &str, mode: Mode) -> Result<Self> {
        let image = Image::build(KERNEL)?.with_igt()?;
        Ok(Self { name: name.to_owned(), mode, image, running: None, guests: 0 })
    }

    /// The names of those of a test's subtests that are asked for.
    ///
    /// # Errors
    /// If no guest comes up, or the program lists none.
    pub fn list(&mut self, test: &Test) -> Result<Vec<String>> {
        let command = format!("run {LIST_SECONDS} {PROGRAMS}/{} --list-subtests", test.name);
        let lines = self.run(&command, Duration::from_secs(LIST_SECONDS))?;
        let names = lines.iter().filter_map(|line| line.strip_prefix("VGATE-OUT "));
        let names: Vec<_> = names.filter(|name| !name.contains(' ')).map(str::to_owned).collect();
        ensure!(!names.is_empty(), "{} lists no subtests:\n{}", test.name, lines.join("\n"));
        Ok(names.into_iter().filter(|name| matches(test.subtests, name)).collect())
    }

    /// Runs a subtest, unless the suite leaves it out.
    ///
    /// # Errors
    /// If no guest comes up. A guest that fails while it runs is an outcome.
    pub fn subtest(&mut self, test: &Test, subtest: &str) -> Result<Outcome> {
        if let Some(reason) = SUITE.not_run(test.name, subtest) {
            return Ok(Outcome::not_run(reason));
        }
        self.guest()?;
        let seconds = test.limit().as_secs();
        let command = format!("run {seconds} {PROGRAMS}/{} --run-subtest {subtest}", test.name);
        let start = Instant::now();
        let outcome = match self.run(&command, test.limit()) {
            Ok(lines) => Outcome::parse(&lines),
            Err(error) => Outcome::wedged(&format!("{error:#}"), start.elapsed().as_secs_f64()),
        };
        if !matches!(outcome.verdict, Verdict::Pass | Verdict::Skip) {
            self.running = None;
        }
        Ok(outcome)
    }

    /// The guest's kernel, whole, as it calls itself.
    ///
    /// # Errors
    /// If no guest comes up.
    pub fn kernel(&mut self) -> Result<String> {
        let boot = self.guest()?.guest.reports("VGATE-BOOT");
        let release = boot.first().and_then(|line| line.split(' ').nth(1));
        Ok(release.context("the guest did not say what it is")?.to_owned())
    }

    /// Runs a command, and returns all lines from its begin to its end.
    fn run(&mut self, command: &str, limit: Duration) -> Result<Vec<String>> {
        let running = self.guest()?;
        running.guest.send(command)?;
        let lines = running.guest.lines_until("VGATE-RUN end ", limit + PATIENCE)?;
        running.vgate.still_runs()?;
        Ok(lines)
    }

    fn guest(&mut self) -> Result<&mut Running> {
        if self.running.is_none() {
            self.guests += 1;
            let name = format!("{}-{}", self.name, self.guests);
            self.running = Some(start(&name, self.mode, &self.image)?);
        }
        self.running.as_mut().context("a guest was just started")
    }
}

fn start(name: &str, mode: Mode, image: &Image) -> Result<Running> {
    let configuration = format!(
        "control = \"control\"\n[gpu]\nsilicon = \"model\"\n\
         [[vm]]\nname = \"guest\"\nmonitor = \"1024x768\"\n{}",
        mode.configuration()
    );
    let vgate = Vgate::start(name, &configuration, &["control", "guest.sock"])?;
    let mut qemu = Qemu::new(name, image);
    for argument in mode.kernel_arguments() {
        qemu = qemu.kernel_argument(argument);
    }
    let mut guest = qemu
        .memory(MEMORY_MIB)
        .gpu(&vgate, "guest")
        // Sleep in S3 is off in this machine unless asked for.
        .argument("-global")
        .argument("ICH9-LPC.disable_s3=0")
        .argument("-cpu")
        .argument(PROCESSOR)
        .steps("modules,serve,poweroff")
        .start()?;
    guest.expect("VGATE-STEP serve begin", BOOT_LIMIT)?;
    Ok(Running { guest, vgate })
}
