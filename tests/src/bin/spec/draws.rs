//! What a frame of many small draws costs the processor, client and server together: on vgate's shim, and on virgl.
//!
//! ```text
//!  gl-client ── iris ── libvgate_i915.so ══ queues ══ vgate run: audit, scheduler, software GPU
//!  gl-client ── virpipe ── socket ── virgl_test_server: virglrenderer, llvmpipe
//! ```
//!
//! The same program and the same Mesa (Debian 13's). What a run of few frames takes is subtracted from what one of many takes, so
//! that starting up doesn't count.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use vgate_tests::{Root, Vgate};

use crate::Measured;
use crate::statistics::{median, range, rounded};

const RELEASE: &str = "13";
const FRAMES: [u32; 2] = [20, 420];
const DRAWS: u32 = 500;
const LIMIT: Duration = Duration::from_secs(120);
const ROUNDS: usize = 3;
/// What `/proc` counts processor time in (USER_HZ).
const TICK_MS: f64 = 10.0;

const CONFIGURATION: &str = "
control = \"{folder}/control\"
[[shim]]
name = \"desktop\"
";

/// Starts the server, runs the program, and says what the server used. Nothing but dash and coreutils is there.
const VIRGL: &str = "
export LIBGL_ALWAYS_SOFTWARE=1
virgl_test_server --no-fork --use-egl-surfaceless >/tmp/server 2>&1 &
server=$!
while [ ! -S /tmp/.virgl_test ]; do sleep 0.05; done
GALLIUM_DRIVER=virpipe gl-client draws";

/// Processor time of one frame, in milliseconds.
#[derive(Clone, Copy)]
struct Cost {
    client: f64,
    server: f64,
    /// Of the server's, what the threads of the software GPU's engines used; nothing where that is not known.
    engines: f64,
}

impl Cost {
    fn all(self) -> f64 {
        self.client + self.server
    }
}

pub(crate) fn measure() -> Result<Vec<Measured>> {
    Ok(vec![compare("shim-cpu", &["--culled"])?, compare("shim-cpu-drawn", &[])?])
}

/// The two take turns.
fn compare(id: &'static str, options: &[&str]) -> Result<Measured> {
    let (mut ratios, mut notes) = (Vec::new(), String::new());
    for _ in 0..ROUNDS {
        let (vgate, virgl) = (per_frame(on_vgate, options)?, per_frame(on_virgl, options)?);
        ratios.push(vgate.all() / virgl.all());
        let parts = |cost: Cost| format!("{} + {}", rounded(cost.client), rounded(cost.server));
        notes = format!(
            "client + server, ms: vgate {}, of it the software GPU's engines {}; virgl {}",
            parts(vgate),
            rounded(vgate.engines),
            parts(virgl)
        );
    }
    let (low, high) = range(&ratios);
    let note = format!("{} to {}; {notes}", rounded(low), rounded(high));
    Ok(Measured::new(id, median(ratios), note))
}

fn per_frame(run: fn(&[String]) -> Result<Cost>, options: &[&str]) -> Result<Cost> {
    let run = |frames: u32| {
        let (frames, draws) = (frames.to_string(), DRAWS.to_string());
        let arguments = ["--frames", &frames, "--draws", &draws].into_iter();
        let arguments: Vec<_> =
            arguments.chain(options.iter().copied()).map(str::to_owned).collect();
        run(&arguments)
    };
    let [few, many] = FRAMES;
    let (less, more) = (run(few)?, run(many)?);
    let frames = f64::from(many - few);
    Ok(Cost {
        client: (more.client - less.client) / frames,
        server: (more.server - less.server) / frames,
        engines: (more.engines - less.engines) / frames,
    })
}

fn on_vgate(arguments: &[String]) -> Result<Cost> {
    let vgate = Vgate::start("spec-draws", CONFIGURATION, &["desktop.sock"])?;
    let client = Root::mesa(RELEASE)?.gl_client()?.args(["draws"]).args(arguments);
    let run = client.on_daemon(&vgate.path("desktop.sock"))?.run("spec-draws-vgate", LIMIT)?;
    let client = client_time(&run.success()?)?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", vgate.pid()))?;
    let mut engines = 0.0;
    for task in fs::read_dir(format!("/proc/{}/task", vgate.pid()))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        if stat.contains("(model ") {
            engines += used(&stat)?;
        }
    }
    Ok(Cost { client, server: used(&stat)?, engines })
}

/// Milliseconds of processor time, of a process's or thread's `stat`.
fn used(stat: &str) -> Result<f64> {
    // Behind the name, which may hold anything, utime and stime are the 12th and 13th.
    let fields = stat.rsplit_once(')').context("no name")?.1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| Ok(ticks.parse::<f64>()? * TICK_MS)).sum()
}

fn on_virgl(arguments: &[String]) -> Result<Cost> {
    let script = format!(
        "{VIRGL} {}; echo server $(cut -d ' ' -f 14,15 /proc/$server/stat)",
        arguments.join(" ")
    );
    let run = Root::mesa(RELEASE)?.script(&script)?.run("spec-draws-virgl", LIMIT)?;
    let said = run.success()?;
    let server = said.lines().find_map(|line| line.strip_prefix("server "));
    let ticks = server.context("virgl's server said nothing")?.split_whitespace();
    let used = ticks.map(|ticks| Ok(ticks.parse::<f64>()? * TICK_MS)).sum::<Result<f64>>()?;
    Ok(Cost { client: client_time(&said)?, server: used, engines: 0.0 })
}

fn client_time(said: &str) -> Result<f64> {
    let time = said.lines().find_map(|line| line.strip_prefix("cpu_ms "));
    Ok(time.with_context(|| said.to_owned())?.parse()?)
}
