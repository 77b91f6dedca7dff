//! Time: a number that moves only when it is told to.

use copool_spec::Tick;

/// Where every clock ends: it is advanced no further.
const END: u64 = i64::MAX as u64;

/// How the time of a pool passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It stands until it is advanced: no drive ever blocks.
    Stands,
    /// It jumps to what a drive would wait for; a drive that has nothing to jump to comes back.
    Jumps,
    /// As on a clock of the system: drives block until somebody brings something, and what they wait for with a time
    /// comes as soon as they wait.
    Passes,
}

/// The clock of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: u64,
    pub(crate) passing: Passing,
}

impl Clock {
    pub(crate) fn advance(&mut self, by: u64) {
        self.now = self.now.saturating_add(by).min(END);
    }

    /// The time that is so far from now.
    pub(crate) fn after(&self, time: u64) -> u64 {
        self.now.saturating_add(time)
    }

    /// Jumps to a time; says whether it has come.
    pub(crate) fn jump(&mut self, to: u64) -> bool {
        self.advance(to.saturating_sub(self.now));
        to <= self.now
    }
}

/// The earlier one.
pub(crate) fn earliest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

pub(crate) fn ticks(at: Option<u64>) -> Option<Tick> {
    at.map(Tick)
}
