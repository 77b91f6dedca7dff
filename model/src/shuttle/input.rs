//! One execution whose schedule comes from an input, so that a fuzzer's coverage guides the interleaving.
//!
//! The input is read as pairs: how many decisions the running thread goes on for, and who comes then. A thread that cannot
//! go on, or yields, is replaced by the same rule. Once the input has ended the threads take turns wherever the running
//! one cannot go on, so that every execution ends.

use std::sync::{Arc, Mutex, PoisonError};

use ::shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use ::shuttle::{MaxSteps, Runner};
use arbitrary::Unstructured;
use copool_spec::Event;
use copool_spec::script::Script;

use super::config;
use super::scripts::{Clock, assert_over, run};
use crate::failing::Watch;
use crate::generate::{self, Size};
use crate::under_shuttle;

/// More steps than these are taken for endless.
const STEPS: usize = 100_000;

/// What a fuzzer's bytes say: the first byte which kind of clock and how much of the rest is the script; what is left is
/// the schedule.
#[must_use]
pub fn decode(data: &[u8]) -> Option<(Script, Clock, Vec<u8>)> {
    let (&first, rest) = data.split_first()?;
    let (size, clock) = if first % 2 == 0 { (Size::SEATS, Clock::Virtual) } else { (Size::BLOCKING, Clock::Blocking) };
    let (script, schedule) = rest.split_at(rest.len().min(usize::from(first)));
    Some((generate::script(&mut Unstructured::new(script), size), clock, schedule.to_vec()))
}

/// Runs `script` in the schedule that `input` says, and asserts all that must hold of it. Gives the log.
///
/// # Panics
/// If something does not hold; the script, and what its pool told until then, are shown before.
pub fn execute(script: Script, clock: Clock, input: Vec<u8>) -> Vec<Event> {
    let scheduler = Input { bytes: input.into_iter(), stays: 0, begun: false, drawn: 0 };
    let mut config = config();
    config.max_steps = MaxSteps::FailAfter(STEPS);
    let log = Arc::<Mutex<Vec<Event>>>::default();
    let told = Arc::clone(&log);
    let watch = Watch::new(move || eprintln!("an interleaving fails, on a clock that is {clock:?}"));
    Runner::new(scheduler, config).run(move || {
        under_shuttle::checked::begin();
        let run = run(&script, clock);
        assert_over(&script, &run);
        *told.lock().unwrap_or_else(PoisonError::into_inner) = run.log;
    });
    drop(watch);
    std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A scheduler that takes its decisions from bytes.
#[derive(Debug)]
struct Input {
    bytes: std::vec::IntoIter<u8>,
    /// For how many decisions the running thread goes on.
    stays: u8,
    begun: bool,
    /// What is drawn once the input has ended: a loop that tries until a draw lets it go must end.
    drawn: u64,
}

impl Scheduler for Input {
    fn new_execution(&mut self) -> Option<Schedule> {
        (!std::mem::replace(&mut self.begun, true)).then(|| Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let ids = || runnable.iter().map(|task| task.id());
        let goes_on = current.filter(|current| !is_yielding && ids().any(|id| id == *current));
        if let Some(current) = goes_on
            && self.stays > 0
        {
            // Not counted once the input has ended: there is no other to choose.
            self.stays -= u8::from(self.bytes.len() > 0);
            return Some(current);
        }
        match (self.bytes.next(), goes_on) {
            (Some(choice), _) => {
                self.stays = self.bytes.next().unwrap_or(u8::MAX);
                runnable.get(usize::from(choice) % runnable.len()).map(|task| task.id())
            }
            (None, Some(current)) => Some(current),
            // In turns: the next by number, or the first.
            (None, None) => ids().find(|id| current.is_some_and(|current| *id > current)).or_else(|| ids().next()),
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.bytes.next().map_or(self.drawn, |byte| u64::from_ne_bytes([byte; 8]))
    }
}
