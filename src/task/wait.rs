//! The wait word: one atomic per task that lets exactly one waker end each wait.
//!
//! A wait begins by setting `WAITING` under a fresh generation. Whoever clears `WAITING` alone delivers one wake-up
//! note to the task's seat, so a wait ends once, however many unparks, timers, finished joins and cancels race for it.
//! Timers and joined tasks name the generation they were armed for: a stale one finds another and does nothing.
//!
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `TOKEN` | an unpark that found nobody parked | `unpark` | the next park |
//! | `WAITING` | the task waits | `begin` | the one waker |
//! | `PARK` | it waits in park, so an unpark may end the wait | `begin` | the one waker |
//! | `DEAF` | it waits for a system call, which no interrupt cuts short | `begin` | the one waker |
//! | `JOIN` | only a task of its own pool can end it: what counts towards a stall | `begin` | the one waker |
//! | `INTERRUPT` | the task has to unwind | `interrupt`, for good | never |

use crate::sync::{AtomicU64, Ordering};

const TOKEN: u64 = 1;
const WAITING: u64 = 1 << 1;
const PARK: u64 = 1 << 2;
const DEAF: u64 = 1 << 3;
const INTERRUPT: u64 = 1 << 4;
const JOIN: u64 = 1 << 5;
const GENERATION: u64 = 1 << 8;
const WAIT_BITS: u64 = WAITING | PARK | DEAF | JOIN;

/// Numbers the waits of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// What a task is about to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// An unpark, or a timer.
    Park,
    /// A system call.
    Syscall,
    /// Tasks of the same pool, and nothing else: a join, or a stop without a deadline.
    Join,
    /// Something that names the generation.
    Other,
}

/// A wait has been ended, by the one who holds this: it tells the task's seat.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Whether it was a [`Wait::Join`].
    pub(crate) join: bool,
}

/// The answer to `begin`.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// The task waits from now on, and one note will come.
    Waits(Generation),
    /// There was a token, and it is consumed: no wait.
    Token,
    /// The task has to unwind: no wait.
    Interrupted,
}

/// The wait state of one task.
#[derive(Debug)]
pub(crate) struct WaitWord(AtomicU64);

impl WaitWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Applies `step` by read-modify-write, always: what it answers may drop a wake-up, so it must not come from a
    /// stale value.
    fn change<A>(&self, mut step: impl FnMut(u64) -> (u64, A)) -> A {
        // Ordering: Relaxed, the compare-exchange decides.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (next, answer) = step(word);
            // Ordering: AcqRel. Release publishes what the waker did before it woke, and what the task stored before it
            // waits; Acquire takes each over.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return answer,
                Err(now) => word = now,
            }
        }
    }

    /// Begins a wait. Only the task itself calls this.
    pub(crate) fn begin(&self, wait: Wait) -> Begin {
        self.change(|word| {
            debug_assert_eq!(word & WAITING, 0, "a task waits for one thing at a time");
            if word & INTERRUPT != 0 && wait != Wait::Syscall {
                return (word, Begin::Interrupted);
            }
            if word & TOKEN != 0 && wait == Wait::Park {
                return (word & !TOKEN, Begin::Token);
            }
            let kind = match wait {
                Wait::Park => PARK,
                Wait::Syscall => DEAF,
                Wait::Join => JOIN,
                Wait::Other => 0,
            };
            let next = word.wrapping_add(GENERATION) | WAITING | kind;
            (next, Begin::Waits(Generation(next / GENERATION)))
        })
    }

    /// Leaves a token, or ends a park.
    pub(crate) fn unpark(&self) -> Option<Ended> {
        self.change(|word| {
            let ends = word & PARK != 0;
            (if ends { word & !WAIT_BITS } else { word | TOKEN }, ends.then(|| ended(word)))
        })
    }

    /// Ends the wait of this generation, if it is still on.
    pub(crate) fn wake(&self, generation: Generation) -> Option<Ended> {
        self.change(|word| {
            let ends = word & WAITING != 0 && word / GENERATION == generation.0;
            (if ends { word & !WAIT_BITS } else { word }, ends.then(|| ended(word)))
        })
    }

    /// Makes the task unwind at its present or next wait.
    pub(crate) fn interrupt(&self) -> Option<Ended> {
        self.change(|word| {
            let ends = word & WAITING != 0 && word & DEAF == 0;
            ((if ends { word & !WAIT_BITS } else { word }) | INTERRUPT, ends.then(|| ended(word)))
        })
    }

    /// Whether the wait of this generation is still on.
    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        // Ordering: Relaxed; a hint, `wake` decides.
        let word = self.0.load(Ordering::Relaxed);
        word & WAITING != 0 && word / GENERATION == generation.0
    }
}

fn ended(word: u64) -> Ended {
    Ended { join: word & JOIN != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(begin: Begin) -> Generation {
        match begin {
            Begin::Waits(generation) => generation,
            other => panic!("expected a wait, got {other:?}"),
        }
    }

    #[test]
    fn one_token_is_kept_for_the_next_park_only() {
        let word = WaitWord::new();
        assert_eq!(word.unpark(), None);
        assert_eq!(word.unpark(), None);
        let delay = waits(word.begin(Wait::Other));
        assert_eq!(word.unpark(), None);
        assert_eq!(word.wake(delay), Some(Ended { join: false }));
        assert_eq!(word.begin(Wait::Park), Begin::Token);
        waits(word.begin(Wait::Park));
        assert_eq!(word.unpark(), Some(Ended { join: false }));
        waits(word.begin(Wait::Park));
    }

    #[test]
    fn a_stale_wake_never_ends_a_later_wait() {
        let word = WaitWord::new();
        let first = waits(word.begin(Wait::Park));
        assert_eq!(word.unpark(), Some(Ended { join: false }));
        let second = waits(word.begin(Wait::Park));
        assert_eq!(word.wake(first), None);
        assert!(word.is_current(second));
        assert_eq!(word.wake(second), Some(Ended { join: false }));
        assert_eq!(word.wake(second), None);
    }

    #[test]
    fn an_interrupt_ends_waits_for_good_but_not_a_system_call() {
        let word = WaitWord::new();
        let call = waits(word.begin(Wait::Syscall));
        assert_eq!(word.interrupt(), None);
        assert_eq!(word.wake(call), Some(Ended { join: false }));
        assert_eq!(word.begin(Wait::Park), Begin::Interrupted);
        assert_eq!(word.begin(Wait::Other), Begin::Interrupted);
        waits(word.begin(Wait::Syscall));
    }
}
