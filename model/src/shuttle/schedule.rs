//! A schedule as text, to be passed in the environment.
//!
//! The seed in hexadecimal digits, a colon, then the steps: a letter stands for a step of a thread, `a` of the main
//! thread, and a dot for a random number; a count after either repeats it. So `5eed:a12b.a` is twelve steps of the
//! main thread, one of the second, which draws a number, and one of the main thread.

use std::fmt;
use std::str::FromStr;

use ::shuttle::scheduler::Schedule;

/// The threads that have a letter.
const THREADS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const RANDOM: u8 = b'.';

/// The schedule of one execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recording {
    executions: usize,
    seed: u64,
    /// Each a letter or [`RANDOM`], and how often in a row.
    steps: Vec<(u8, usize)>,
}

impl Recording {
    /// Begins the recording of the next execution.
    pub(super) fn begin(&mut self, seed: u64) {
        *self = Self { executions: self.executions + 1, seed, steps: Vec::new() };
    }

    pub(super) fn task(&mut self, thread: usize) {
        self.step(*THREADS.get(thread).expect("no more threads in an execution than there are letters"));
    }

    pub(super) fn random(&mut self) {
        self.step(RANDOM);
    }

    fn step(&mut self, step: u8) {
        match self.steps.last_mut() {
            Some((last, count)) if *last == step => *count += 1,
            _ => self.steps.push((step, 1)),
        }
    }

    /// Which execution this is, counted from 1.
    pub(super) fn number(&self) -> usize {
        self.executions
    }

    /// The schedule in shuttle's own form.
    pub(super) fn schedule(&self) -> Schedule {
        let mut schedule = Schedule::new(self.seed);
        for &(step, count) in &self.steps {
            let thread = THREADS.iter().position(|&letter| letter == step);
            for _ in 0..count {
                match thread {
                    Some(thread) => schedule.push_task(thread.into()),
                    None => schedule.push_random(),
                }
            }
        }
        schedule
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:", self.seed)?;
        for &(step, count) in &self.steps {
            write!(f, "{}", char::from(step))?;
            if count > 1 {
                write!(f, "{count}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Recording {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (seed, steps) = text.split_once(':').ok_or("there is no seed")?;
        let seed = u64::from_str_radix(seed, 16).map_err(|error| format!("the seed: {error}"))?;
        let mut recording = Self { executions: 1, seed, steps: Vec::new() };
        let mut rest = steps.as_bytes();
        while let Some((&step, after)) = rest.split_first() {
            if step != RANDOM && !THREADS.contains(&step) {
                return Err(format!("{:?} is no step", char::from(step)));
            }
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (count, after) = after.split_at(digits);
            let count = if digits == 0 {
                1
            } else {
                String::from_utf8_lossy(count).parse().map_err(|error| format!("a count: {error}"))?
            };
            recording.steps.push((step, count));
            rest = after;
        }
        Ok(recording)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        let mut recording = Recording::default();
        recording.begin(0x5eed);
        for thread in [0, 0, 0, 1] {
            recording.task(thread);
        }
        recording.random();
        recording.random();
        recording.task(51);
        recording
    }

    #[test]
    fn a_recording_survives_its_text() {
        assert_eq!(recording().to_string(), "5eed:a3b.2Z");
        assert_eq!(recording().to_string().parse(), Ok(recording()));
    }

    #[test]
    fn a_recording_is_shuttles_schedule_step_by_step() {
        let schedule = recording().schedule();
        assert_eq!((schedule.seed, schedule.len()), (0x5eed, 7));
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        for text in ["", "a3", "xyz:a3", "1:a!", "1:a99999999999999999999"] {
            assert!(text.parse::<Recording>().is_err(), "{text}");
        }
    }
}
