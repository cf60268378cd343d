//! `vgate top`: what each VM does to the GPU, drawn in place on a terminal.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossterm::cursor::MoveToPreviousLine;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use mediator::control::protocol::VmSummary;

use crate::cli::TopOptions;
use crate::control;
use crate::ctl::{mode, state};
use crate::output;
use crate::table::{Side::Left, Side::Right, Table};

/// Every VM's counters, at a moment.
struct Snapshot {
    at: Instant,
    vms: Vec<VmSummary>,
}

impl Snapshot {
    /// Over a connection of its own: the daemon hangs up on clients that are silent for long.
    fn take(socket: &Path) -> anyhow::Result<Self> {
        let vms = control::connect(socket)?.list()?;
        Ok(Self { at: Instant::now(), vms })
    }

    /// What happened from here to `later`.
    fn table(&self, later: &Self) -> String {
        table(&self.vms, &later.vms, later.at - self.at)
    }
}

pub(crate) fn top(socket: &Path, options: &TopOptions) -> anyhow::Result<()> {
    let live = std::io::stdout().is_terminal() && !options.once;
    let intervals = match (options.count, options.seconds) {
        (Some(count), _) => Some(count),
        (None, None) if !live => Some(1),
        (None, _) => None,
    };
    let mut screen = Screen::default();
    let first = Snapshot::take(socket)?;
    let mut last = Snapshot { at: first.at, vms: first.vms.clone() };
    let mut number = 0_u32;
    while intervals.is_none_or(|intervals| number < intervals) {
        let left = options.seconds.map(|all| all.saturating_sub(first.at.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        let step = if live || options.seconds.is_none() { options.interval } else { Duration::MAX };
        std::thread::sleep(left.map_or(step, |left| step.min(left)));
        let next = Snapshot::take(socket)?;
        if live {
            screen.draw(&last.table(&next))?;
        } else if options.seconds.is_none() {
            output::print(&last.table(&next))?;
        }
        last = next;
        number = number.saturating_add(1);
    }
    if options.seconds.is_some() {
        screen.clear()?;
        output::print(&first.table(&last))?;
    }
    Ok(())
}

/// The lines of the terminal that the last table took.
#[derive(Default)]
struct Screen {
    lines: u16,
}

impl Screen {
    fn draw(&mut self, table: &str) -> anyhow::Result<()> {
        // Some terminals don't know their size, or say zero.
        let size =
            crossterm::terminal::size().ok().filter(|&(columns, rows)| columns > 0 && rows > 0);
        let (columns, rows) = size.unwrap_or((80, 24));
        self.clear()?;
        // A line that wraps or scrolls away could not be found again.
        let lines: Vec<String> = table
            .lines()
            .take(usize::from(rows).saturating_sub(1))
            .map(|line| line.chars().take(usize::from(columns)).chain(['\n']).collect())
            .collect();
        self.lines = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        output::print(&lines.concat())
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        if self.lines > 0 {
            let mut output = std::io::stdout().lock();
            queue!(output, MoveToPreviousLine(self.lines), Clear(ClearType::FromCursorDown))?;
            output.flush()?;
            self.lines = 0;
        }
        Ok(())
    }
}

/// What the engines did for a VM, summed up.
#[derive(Clone, Copy, Default)]
struct Work {
    submissions: u64,
    gpu_ns: u64,
    wait_ns: u64,
    faults: u64,
    killed: u64,
}

impl Work {
    fn of(vm: &VmSummary) -> Self {
        vm.engines.iter().map(|engine| engine.usage).fold(Self::default(), |sum, usage| Self {
            submissions: sum.submissions.saturating_add(usage.submissions),
            gpu_ns: sum.gpu_ns.saturating_add(usage.gpu_ns),
            wait_ns: sum.wait_ns.saturating_add(usage.wait_ns),
            faults: sum.faults.saturating_add(usage.faults),
            killed: sum.killed.saturating_add(usage.killed),
        })
    }
}

/// What happened between two snapshots that are `elapsed` apart. A VM that is not in `before` has done nothing yet.
fn table(before: &[VmSummary], after: &[VmSummary], elapsed: Duration) -> String {
    let columns = [
        ("VM", Left),
        ("STATE", Left),
        ("SUBMITS/S", Right),
        ("GPU MS/S", Right),
        ("SHARE", Right),
        ("WAIT MS", Right),
        ("FAULTS", Right),
        ("KILLED", Right),
        ("RESETS", Right),
        ("IRQS/S", Right),
        ("TRAPS/S", Right),
        ("MODE", Left),
    ];
    let seconds = elapsed.as_secs_f64().max(1e-9);
    // A daemon that was started anew counts from zero again: nothing, then, instead of less than nothing.
    let change = |old: u64, new: u64| new.saturating_sub(old) as f64;
    let pairs: Vec<_> = after
        .iter()
        .map(|new| (before.iter().find(|old| old.name == new.name).unwrap_or(new), new))
        .collect();
    let used =
        |&(old, new): &(&VmSummary, &VmSummary)| change(Work::of(old).gpu_ns, Work::of(new).gpu_ns);
    let all: f64 = pairs.iter().map(used).sum();

    let mut table = Table::new(&columns);
    for pair @ (old, new) in &pairs {
        let (past, now) = (Work::of(old), Work::of(new));
        let submissions = change(past.submissions, now.submissions);
        let wait_ms = change(past.wait_ns, now.wait_ns) / 1e6;
        table.row([
            new.name.clone(),
            state(&new.state),
            format!("{:.0}", submissions / seconds),
            format!("{:.1}", used(pair) / 1e6 / seconds),
            ratio(used(pair) * 100.0, all, |percent| format!("{percent:.0} %")),
            ratio(wait_ms, submissions, |ms| format!("{ms:.2}")),
            now.faults.to_string(),
            now.killed.to_string(),
            new.resets.to_string(),
            format!("{:.0}", change(old.interrupts, new.interrupts) / seconds),
            format!("{:.0}", change(old.traps, new.traps) / seconds),
            mode(new),
        ]);
    }
    table.to_string()
}

/// A part of a whole, or a dash where there is no whole.
fn ratio(part: f64, whole: f64, show: impl FnOnce(f64) -> String) -> String {
    if whole > 0.0 { show(part / whole) } else { "-".to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    use mediator::EngineUsage;
    use mediator::control::protocol::{EngineStatus, State};

    use super::*;

    /// A VM that has been at work for `steps`: 100 jobs, 1 ms of GPU and 2 ms of waiting each.
    pub(crate) fn vm(name: &str, steps: u64) -> VmSummary {
        let usage = EngineUsage {
            submissions: steps * 100,
            finished: steps * 100,
            faults: steps,
            gpu_ns: steps * 1_000_000,
            wait_ns: steps * 2_000_000,
            ..EngineUsage::default()
        };
        VmSummary {
            name: name.to_owned(),
            socket: format!("/run/vgate/{name}.sock").into(),
            state: State::Connected,
            weight: 100,
            engines: vec![EngineStatus { name: "rcs0".to_owned(), usage, share: 0.25 }],
            traps: steps * 50,
            interrupts: steps * 10,
            resets: 1,
            connections: 1,
            reasons: [].into(),
            memory_bytes: 2 << 30,
            resolution: Some((1920, 720)),
            unknown_registers: 0,
        }
    }

    #[test]
    fn rates_are_by_the_second_and_shares_of_all() {
        let before = [vm("cluster", 1), vm("infotainment", 5), vm("idle", 2)];
        let after = [vm("cluster", 7), vm("infotainment", 7), vm("idle", 2), vm("new", 9)];
        assert_eq!(
            table(&before, &after, Duration::from_secs(2)),
            "\
VM            STATE      SUBMITS/S  GPU MS/S  SHARE  WAIT MS  FAULTS  KILLED  RESETS  IRQS/S  TRAPS/S  MODE
cluster       connected        300       3.0   75 %     0.02       7       0       1      30      150  1920x720
infotainment  connected        100       1.0   25 %     0.02       7       0       1      10       50  1920x720
idle          connected          0       0.0    0 %        -       2       0       1       0        0  1920x720
new           connected          0       0.0    0 %        -       9       0       1       0        0  1920x720
"
        );
    }

    #[test]
    fn counters_that_fell_and_no_time_are_no_trouble() {
        let text = table(&[vm("cluster", 9)], &[vm("cluster", 1)], Duration::ZERO);
        let cells: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..6], ["cluster", "connected", "0", "0.0", "-", "-"]);
    }
}
