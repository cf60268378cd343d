//! A shader, and the state of a thread that runs it.
//!
//! ```text
//!  mask u32 │ control u32 │ budget u16 │ answers u8 │ program ...
//! ```
#![no_main]

use gpu_intel::command::streamer::Fault;
use gpu_intel::eu::{
    Control, Dispatch, End, Grf, Listing, Message, Program, REGISTERS, SharedFunctions, Thread, run,
};
use libfuzzer_sys::fuzz_target;

/// Answers with what it was sent, turned by a number.
struct Echo(u8);

impl SharedFunctions for Echo {
    fn send(&mut self, message: &Message<'_>, response: &mut [Grf]) -> Result<(), Fault> {
        assert!((1..=30).contains(&message.payload.len()) && response.len() <= 31);
        assert!(message.first.is_multiple_of(8) && message.first < 32);
        let sent = message.payload.iter().cycle();
        for (answer, sent) in response.iter_mut().zip(sent) {
            *answer = sent.map(|dword| dword.rotate_left(self.0.into()));
        }
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((head, bytes)) = input.split_first_chunk::<11>() else { return };
    let mask = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let control = Control(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let budget = u64::from(u16::from_le_bytes([head[8], head[9]]));
    let program = Program::new(bytes);
    assert!(program.len() as usize <= bytes.len());
    let _ = Listing(&program).to_string();
    let mut thread = Thread::new();
    for (i, dword) in thread.registers.as_flattened_mut().iter_mut().enumerate() {
        *dword = (i as u32).wrapping_mul(0x9e37_79b9).rotate_left(head[10].into());
    }
    assert_eq!(thread.registers.len(), REGISTERS);
    let (dispatch_mask, vector_mask) = (mask, mask.reverse_bits());
    thread.dispatch(&Dispatch { dispatch_mask, vector_mask, control, identity: mask });
    // In two parts: a thread that was stopped anywhere goes on as if it hadn't been.
    let mut whole = thread.clone();
    let mut left = budget;
    let end = run_on(&program, &mut whole, &mut left, head[10]);
    let (mut first, mut second) = (budget / 2, budget - budget / 2);
    let mut parts = run_on(&program, &mut thread, &mut first, head[10]);
    if parts == Ok(End::OutOfBudget) {
        parts = run_on(&program, &mut thread, &mut second, head[10]);
    } else {
        second += first;
        first = 0;
    }
    assert!(end == parts, "{end:?} {parts:?}");
    assert!(left == first + second, "{left} of {budget}");
    assert!(thread.registers == whole.registers && thread.flags() == whole.flags());
});

/// Runs a thread over the barriers that it comes to.
fn run_on(
    program: &Program,
    thread: &mut Thread,
    budget: &mut u64,
    echo: u8,
) -> Result<End, Fault> {
    loop {
        let end = run(program, thread, &mut Echo(echo), budget)?;
        if end != End::Barrier {
            return Ok(end);
        }
        thread.notify();
    }
}
