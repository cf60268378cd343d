//! Threads that wait for each other take turns.

use super::Halt;
use super::kernel::Kernel;
use super::worker::{StageFunctions, Worker};
use crate::command::streamer::Fault;
use crate::eu::{End, Program, Thread};
use crate::silicon::model::stop::Stop;

/// What a thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Runs,
    Waits,
    Ended,
}

/// Runs the threads of a group to their ends: one after the other, until each waits at a barrier or has executed its share.
pub(super) fn take_turns<S: StageFunctions>(
    threads: &mut [Thread],
    worker: &mut Worker,
    program: &Program,
    kernel: &Kernel,
    stage: &mut S,
    stop: &Stop,
) -> Result<(), Halt> {
    let mut turns = vec![Turn::Runs; threads.len()];
    while turns.contains(&Turn::Runs) {
        for (thread, turn) in threads.iter_mut().zip(&mut turns) {
            if *turn != Turn::Runs {
                continue;
            }
            *turn = match worker.turn(thread, program, kernel, stage)? {
                End::EndOfThread => Turn::Ended,
                End::Barrier => Turn::Waits,
                End::OutOfBudget if stop.killed() => return Err(Halt::Killed),
                End::OutOfBudget => Turn::Runs,
            };
        }
        // A thread may be notified before it comes to wait.
        if let Some(arrived) = stage.arrived()
            && *arrived >= threads.len()
        {
            *arrived -= threads.len();
            for (thread, turn) in threads.iter_mut().zip(&mut turns) {
                thread.notify();
                if *turn == Turn::Waits {
                    *turn = Turn::Runs;
                }
            }
        }
    }
    if turns.contains(&Turn::Waits) {
        let detail = "some threads of a group wait at a barrier that others never come to";
        return Err(Fault::new("eu/barrier", detail).into());
    }
    Ok(())
}
