//! The task word: one atomic that decides between start, cancel, finish and abandonment.
//!
//! | phase | who may touch the body | leaves by |
//! |---|---|---|
//! | queued | nobody | `start` → started, `cancel` → claimed, `abandon` → ended |
//! | started | the worker that runs it | `finish` → ended, `abandon` → ended |
//! | claimed | whoever claimed it, to drop the closure | `publish` → ended |
//! | ended | returned, panicked: whoever takes the result; otherwise whoever ended it | never |
//!
//! Each transition is one read-modify-write, so exactly one of two racing ones wins and knows it (S2). The flags
//! `CANCEL` (asked to unwind), `WAITERS` (somebody is in the list of waiters), `TAKEN` (the result was taken), `SPARED`
//! (the task is in `stop`, which does not abandon it) and `GIVEN` (the join handle is gone and has left the result to the
//! references) are kept across transitions.

use copool_spec::Outcome;

use crate::sync::{AtomicU32, Ordering};

const PHASE: u32 = 0b11;
const QUEUED: u32 = 0;
const STARTED: u32 = 1;
const CLAIMED: u32 = 2;
const ENDED: u32 = 3;
const OUTCOME_SHIFT: u32 = 2;
const OUTCOME: u32 = 0b11 << OUTCOME_SHIFT;
const CANCEL: u32 = 1 << 4;
const WAITERS: u32 = 1 << 5;
const TAKEN: u32 = 1 << 6;
const SPARED: u32 = 1 << 7;
const GIVEN: u32 = 1 << 8;

/// The state of one task.
#[derive(Debug)]
pub(crate) struct Word(AtomicU32);

/// The answer to `start`.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The caller runs the task now.
    Run,
    /// The task ended while it was queued: a tombstone.
    Tombstone,
}

/// The answer to `cancel`.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelWord {
    /// The caller has the closure to drop, and then `publish`es.
    Claimed,
    /// Somebody else has claimed it for a cancel before.
    NeverRuns,
    /// The task runs and was told.
    Requested,
    /// It has its outcome.
    AlreadyEnded,
}

/// The answer to `finish` and `publish`.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The outcome is published; `waiters` says whether anybody is to be woken.
    Published {
        /// Whether anybody is in the list of waiters.
        waiters: bool,
    },
    /// The task was abandoned before: the caller drops what it brought.
    Lost,
}

/// The answer to `abandon`.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandon {
    /// Published; the task was queued, and the caller has its closure to drop.
    Queued {
        /// Whether anybody is in the list of waiters.
        waiters: bool,
    },
    /// Published; the task is started, and its worker unwinds it.
    Started {
        /// Whether anybody is in the list of waiters.
        waiters: bool,
    },
    /// The task is in `stop`, which spares it.
    Spared,
    /// Somebody else ends it or has ended it.
    Lost,
}

fn outcome_bits(outcome: Outcome) -> u32 {
    (match outcome {
        Outcome::Returned => 0,
        Outcome::Panicked => 1,
        Outcome::Cancelled => 2,
        Outcome::Abandoned => 3,
    }) << OUTCOME_SHIFT
}

fn ended(word: u32, outcome: Outcome) -> u32 {
    (word & !PHASE) | ENDED | outcome_bits(outcome)
}

fn has_waiters(word: u32) -> bool {
    word & WAITERS != 0
}

impl Word {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(QUEUED))
    }

    /// Applies `step` until it wins or declines. `step` says what the word becomes and what the caller learns.
    #[inline]
    fn change<A>(&self, mut step: impl FnMut(u32) -> (Option<u32>, A)) -> A {
        // Ordering: Acquire, so that declining an ended task also sees what was written before it ended; below too.
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let (next, answer) = step(word);
            let Some(next) = next else { return answer };
            // Ordering: AcqRel. Release hands the body over with the phase; Acquire takes it over from the phase before. The
            // load above, or the failure before, has acquired it already unless a flag came and went meanwhile.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return answer,
                Err(now) => word = now,
            }
        }
    }

    /// queued → started.
    #[inline]
    pub(crate) fn start(&self) -> Start {
        self.change(|word| match word & PHASE {
            QUEUED => (Some(word | STARTED), Start::Run),
            _ => (None, Start::Tombstone),
        })
    }

    /// queued → claimed, or asks a started task to unwind.
    pub(crate) fn cancel(&self) -> CancelWord {
        self.change(|word| match word & PHASE {
            QUEUED => (Some(word | CLAIMED), CancelWord::Claimed),
            STARTED => (Some(word | CANCEL), CancelWord::Requested),
            CLAIMED => (None, CancelWord::NeverRuns),
            _ => (None, CancelWord::AlreadyEnded),
        })
    }

    /// started → ended, by the task's worker.
    #[inline]
    pub(crate) fn finish(&self, outcome: Outcome) -> Finish {
        self.change(|word| match word & PHASE {
            STARTED => (Some(ended(word, outcome)), Finish::Published { waiters: has_waiters(word) }),
            _ => (None, Finish::Lost),
        })
    }

    /// claimed → ended, by who claimed it.
    pub(crate) fn publish(&self, outcome: Outcome) -> Finish {
        self.change(|word| match word & PHASE {
            CLAIMED => (Some(ended(word, outcome)), Finish::Published { waiters: has_waiters(word) }),
            _ => (None, Finish::Lost),
        })
    }

    /// queued or started → ended with Abandoned. A task in `stop` is spared if `sparing`.
    pub(crate) fn abandon(&self, sparing: bool) -> Abandon {
        self.abandon_if(sparing, true)
    }

    /// started → ended with Abandoned, for one who does not own the queue's reference and so could not drop the closure.
    pub(crate) fn abandon_started(&self, sparing: bool) -> Abandon {
        self.abandon_if(sparing, false)
    }

    fn abandon_if(&self, sparing: bool, queued_too: bool) -> Abandon {
        self.change(|word| {
            let waiters = has_waiters(word);
            let next = Some(ended(word, Outcome::Abandoned));
            match word & PHASE {
                QUEUED if queued_too => (next, Abandon::Queued { waiters }),
                STARTED if sparing && word & SPARED != 0 => (None, Abandon::Spared),
                STARTED => (next, Abandon::Started { waiters }),
                _ => (None, Abandon::Lost),
            }
        })
    }

    /// Announces a waiter, which the caller puts on the list under the list's lock; `false` if the task has ended.
    pub(crate) fn watch(&self) -> bool {
        self.change(|word| match word & PHASE {
            ENDED => (None, false),
            _ => (Some(word | WAITERS), true),
        })
    }

    /// The join handle is used up, and has not taken the result: any reference may.
    #[cold]
    pub(crate) fn give(&self) {
        // Ordering: AcqRel, as all transitions: whoever takes the result follows what the handle did.
        self.0.fetch_or(GIVEN, Ordering::AcqRel);
    }

    /// Whether the join handle has left the result to the references.
    pub(crate) fn is_given(&self) -> bool {
        // Ordering: Acquire pairs with `give`.
        self.0.load(Ordering::Acquire) & GIVEN != 0
    }

    /// Claims the result; `false` if somebody has taken it before.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        // Ordering: Relaxed; the read-modify-write lets one taker through. The caller has seen the outcome by `outcome`, and
        // the result with it; who comes second does not look at the body, and this keeps the release sequence.
        self.0.fetch_or(TAKEN, Ordering::Relaxed) & TAKEN == 0
    }

    /// Marks the task as being in `stop`, or not any more. Says whether it was marked before.
    pub(crate) fn spare(&self, spared: bool) -> bool {
        let before = if spared {
            // Ordering: Relaxed; the mark stands for itself, and an abandonment finds it by its exchange on this same word.
            // Being a read-modify-write, it keeps the release sequence of the phase.
            self.0.fetch_or(SPARED, Ordering::Relaxed)
        } else {
            // Ordering: Relaxed, as above.
            self.0.fetch_and(!SPARED, Ordering::Relaxed)
        };
        before & SPARED != 0
    }

    /// Whether the started task has to unwind: cancelled, or abandoned under its feet.
    #[inline]
    pub(crate) fn must_unwind(&self) -> bool {
        // Ordering: Relaxed. Whoever asks also wakes the task if it waits, through the wait word, which orders the two;
        // a running task may notice late, at its next suspension call.
        let word = self.0.load(Ordering::Relaxed);
        word & CANCEL != 0 || word & PHASE == ENDED
    }

    /// Whether a cancel was requested after the start.
    pub(crate) fn is_cancelled(&self) -> bool {
        // Ordering: Relaxed, as in `must_unwind`.
        self.0.load(Ordering::Relaxed) & CANCEL != 0
    }

    /// Whether the task waits in a queue.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        // Ordering: Relaxed; a hint, `start` decides.
        self.0.load(Ordering::Relaxed) & PHASE == QUEUED
    }

    /// The outcome, once there is one.
    #[inline]
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        // Ordering: Acquire pairs with the Release of the transition: the result is visible with the outcome.
        let word = self.0.load(Ordering::Acquire);
        (word & PHASE == ENDED).then_some(match (word & OUTCOME) >> OUTCOME_SHIFT {
            0 => Outcome::Returned,
            1 => Outcome::Panicked,
            2 => Outcome::Cancelled,
            _ => Outcome::Abandoned,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_start_and_cancel_wins() {
        let word = Word::new();
        assert_eq!(word.start(), Start::Run);
        assert_eq!(word.cancel(), CancelWord::Requested);
        assert!(word.must_unwind());
        assert_eq!(word.start(), Start::Tombstone);
        let word = Word::new();
        assert_eq!(word.cancel(), CancelWord::Claimed);
        assert_eq!(word.start(), Start::Tombstone);
        assert_eq!(word.cancel(), CancelWord::NeverRuns);
        assert_eq!(word.outcome(), None);
        assert_eq!(word.publish(Outcome::Cancelled), Finish::Published { waiters: false });
        assert_eq!(word.cancel(), CancelWord::AlreadyEnded);
    }

    #[test]
    fn each_outcome_survives_the_flags() {
        for outcome in [Outcome::Returned, Outcome::Panicked, Outcome::Cancelled, Outcome::Abandoned] {
            let word = Word::new();
            assert!(word.watch());
            assert_eq!(word.start(), Start::Run);
            word.spare(true);
            assert!(!word.is_given());
            word.give();
            assert_eq!(word.outcome(), None);
            assert_eq!(word.finish(outcome), Finish::Published { waiters: true });
            assert!(word.take());
            assert!(!word.take());
            assert!(word.is_given());
            assert_eq!(word.outcome(), Some(outcome));
            assert!(!word.watch());
        }
    }

    #[test]
    fn an_abandoned_task_cannot_finish() {
        let word = Word::new();
        assert_eq!(word.start(), Start::Run);
        assert_eq!(word.abandon(true), Abandon::Started { waiters: false });
        assert!(word.must_unwind());
        assert_eq!(word.finish(Outcome::Returned), Finish::Lost);
        assert_eq!(word.outcome(), Some(Outcome::Abandoned));
        assert_eq!(word.abandon(false), Abandon::Lost);
    }

    #[test]
    fn stop_spares_a_task_that_stops_and_a_drop_does_not() {
        let word = Word::new();
        assert_eq!(word.start(), Start::Run);
        word.spare(true);
        assert_eq!(word.abandon(true), Abandon::Spared);
        assert_eq!(word.abandon(false), Abandon::Started { waiters: false });
    }
}
