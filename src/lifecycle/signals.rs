//! The signals word: what a submission or a completion has to look at, in one read-mostly word of the pool.
//!
//! What a flag was set after comes with the flag, so setters release and readers acquire. The counts carry nothing: their
//! changes are Relaxed, as read-modify-writes keep what the flags release, and the fences order them.
//!
//! In a running pool where nobody sleeps, searches or watches and no worker is too many it is zero, and the hot paths read it
//! and go on. It changes by read-modify-write only.
//!
//! | bits | meaning |
//! |---|---|
//! | `CLOSED` | stop was called: no submission is accepted any more |
//! | `ABANDON` | a stop's deadline has passed: what is unfinished is abandoned |
//! | `DROPPED` | the owner was dropped: not even tasks in `stop` are spared |
//! | `STOPPED` | nothing runs and no worker lives; set once |
//! | `LOWERED` | `max_size` was lowered below the count of workers: those between two tasks leave |
//! | `SEARCHING` | somebody searches for a task: a seat, or who is about to wake one for it |
//! | sleepers | how many seats have announced that they are about to block |
//! | watchers | how many threads wait for the pool to become quiet |

use copool_spec::PoolState;

use crate::sync::{AtomicU64, Ordering};

const CLOSED: u64 = 1;
const ABANDON: u64 = 1 << 1;
const DROPPED: u64 = 1 << 2;
const STOPPED: u64 = 1 << 3;
const LOWERED: u64 = 1 << 4;
const SEARCHING: u64 = 1 << 5;
const SLEEPER: u64 = 1 << 8;
const SLEEPERS: u64 = ((1 << 28) - 1) * SLEEPER;
const WATCHER: u64 = 1 << 36;
const WATCHERS: u64 = ((1 << 28) - 1) * WATCHER;

/// The word itself.
#[derive(Debug)]
pub(crate) struct Signals(AtomicU64);

/// One reading of the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading(u64);

impl Reading {
    #[inline]
    pub(crate) fn is_clear(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn is_abandoning(self) -> bool {
        self.0 & ABANDON != 0
    }

    pub(crate) fn is_dropped(self) -> bool {
        self.0 & DROPPED != 0
    }

    pub(crate) fn is_stopped(self) -> bool {
        self.0 & STOPPED != 0
    }

    #[inline]
    pub(crate) fn is_lowered(self) -> bool {
        self.0 & LOWERED != 0
    }

    pub(crate) fn has_sleepers(self) -> bool {
        self.0 & SLEEPERS != 0
    }

    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(crate) fn is_searching(self) -> bool {
        self.0 & SEARCHING != 0
    }

    pub(crate) fn has_watchers(self) -> bool {
        self.0 & WATCHERS != 0
    }

    pub(crate) fn state(self) -> PoolState {
        if self.is_stopped() {
            PoolState::Stopped
        } else if self.is_closed() {
            PoolState::Stopping
        } else {
            PoolState::Running
        }
    }
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn read(&self) -> Reading {
        // Ordering: Acquire, so that who sees the pool stopped also sees what led to it. Where a flag must not be missed
        // the caller has a fence before this load, and the setter one after its read-modify-write.
        Reading(self.0.load(Ordering::Acquire))
    }

    fn set(&self, bits: u64) -> bool {
        // Ordering: AcqRel, see `read`.
        self.0.fetch_or(bits, Ordering::AcqRel) & bits != bits
    }

    /// Running → Stopping. `true` for the first.
    pub(crate) fn close(&self) -> bool {
        self.set(CLOSED)
    }

    /// A stop's deadline has passed.
    pub(crate) fn abandon(&self) {
        self.set(ABANDON);
    }

    /// The owner is being dropped.
    pub(crate) fn drop_all(&self) {
        self.set(CLOSED | ABANDON | DROPPED);
    }

    /// Stopping → Stopped. `true` for the one that did it.
    pub(crate) fn stopped(&self) -> bool {
        self.set(STOPPED)
    }

    /// There are more workers than `max_size`, or not any more.
    pub(crate) fn lower(&self, lowered: bool) {
        if lowered {
            self.set(LOWERED);
        } else {
            // Ordering: AcqRel, as all changes of this word.
            self.0.fetch_and(!LOWERED, Ordering::AcqRel);
        }
    }

    /// A seat is to be woken for a task. `false` if one is, or searches, already: it answers for what the caller has pushed, as
    /// its search ends after this, and whoever ends it looks after that.
    #[must_use]
    pub(crate) fn begin_search(&self) -> bool {
        self.set(SEARCHING)
    }

    /// The seat that searched has found a task, or gives up. It looks for what else is queued after this.
    pub(crate) fn end_search(&self) {
        // Ordering: AcqRel; Acquire pairs with the Release of each `begin_search` that has failed since the search began, so
        // that the look after this sees what was pushed before. One that comes later does not fail.
        self.0.fetch_and(!SEARCHING, Ordering::AcqRel);
    }

    pub(crate) fn add_sleeper(&self) {
        // Ordering: Relaxed, as all changes of the counts; the fence that follows orders it before looking again.
        self.0.fetch_add(SLEEPER, Ordering::Relaxed);
    }

    pub(crate) fn remove_sleeper(&self) {
        // Ordering: Relaxed, as all changes of the counts; that it comes after the increment is what `Post` sees to.
        let before = self.0.fetch_sub(SLEEPER, Ordering::Relaxed);
        debug_assert_ne!(before & SLEEPERS, 0, "woke a sleeper that nobody announced");
    }

    pub(crate) fn add_watcher(&self) {
        // Ordering: Relaxed, as all changes of the counts; the fence that follows orders it before looking again.
        self.0.fetch_add(WATCHER, Ordering::Relaxed);
    }

    pub(crate) fn remove_watcher(&self) {
        // Ordering: Relaxed, as all changes of the counts; whoever counted takes it back.
        let before = self.0.fetch_sub(WATCHER, Ordering::Relaxed);
        debug_assert_ne!(before & WATCHERS, 0, "removed a watcher that nobody added");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_only_moves_forward() {
        let signals = Signals::new();
        assert!(signals.read().is_clear());
        assert_eq!(signals.read().state(), PoolState::Running);
        assert!(signals.close());
        assert!(!signals.close());
        assert_eq!(signals.read().state(), PoolState::Stopping);
        signals.add_sleeper();
        signals.add_watcher();
        assert!(signals.stopped());
        assert!(!signals.stopped());
        assert_eq!(signals.read().state(), PoolState::Stopped);
        assert!(signals.read().has_sleepers() && signals.read().has_watchers());
        signals.remove_sleeper();
        signals.remove_watcher();
        assert!(!signals.read().has_sleepers() && !signals.read().has_watchers());
    }
}
