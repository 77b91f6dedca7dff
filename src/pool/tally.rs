//! Counts that decide: how many tasks wait, how many have no outcome yet, how many workers join.
//!
//! Each seat counts for itself, so that a task that stays on its seat writes no word of another. A sum over seats is
//! exact in one direction by the order of its reads: of two counts that only grow, reading the smaller one first
//! gives a difference that is at least the true one, reading the larger one first a difference that is at most the
//! true one, at each instant between the two reads. A difference read high that is 0 is therefore truly 0 at some
//! instant, and one read low that is positive is truly positive.

use crate::sync::Counter;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Submissions accepted, and those that are taken back as the pool is closed.
    Accepted,
    /// Tasks that left their queue for good: started, or ended before their start; and submissions taken back.
    Dequeued,
    /// Of those, the ones that ended before their start.
    Unstarted,
    /// Outcomes published, and submissions taken back.
    Ended,
    /// Submissions taken back. They are in each of the four above.
    Rejected,
    /// Joins without a timeout, of a task of the same pool, and stops without a deadline, that a task began to wait in.
    JoinBegun,
    /// Such joins that are over.
    JoinOver,
}

const COUNTS: usize = 7;

/// The counts of one seat, or of what happens outside all seats.
#[derive(Debug)]
pub(crate) struct Tally([Counter; COUNTS]);

impl Tally {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Counter::new()))
    }

    /// Counts one more. Only the thread that owns the tally may call this.
    #[inline]
    pub(crate) fn add(&self, count: Count) {
        self.0[count as usize].add(1);
    }

    /// Counts one more, from any thread.
    pub(crate) fn add_shared(&self, count: Count) {
        self.0[count as usize].add_shared(1);
    }

    #[inline]
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0[count as usize].get()
    }

    pub(crate) fn read(&self) -> Tallied {
        Tallied(std::array::from_fn(|n| self.0[n].get()))
    }
}

/// The same counts as plain numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tallied([u64; COUNTS]);

impl Tallied {
    /// Adds other counts to these.
    pub(crate) fn fold(&mut self, other: Tallied) {
        for (sum, n) in self.0.iter_mut().zip(other.0) {
            *sum += n;
        }
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }
}
