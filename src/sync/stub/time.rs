//! A clock that follows from the checker's choices alone.
//!
//! It moves a little whenever it is read, so that a loop up to a deadline ends, and it jumps when a wait times out. It
//! is no scheduling point and orders no memory: all threads of a checker share one thread of the system, on which it is
//! a plain thread-local.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How far each reading moves the clock.
const TICK: Duration = Duration::from_millis(1);

/// The longest jump, a thousand years: a wait without end says `Duration::MAX`, which no `Instant` can take.
const LONGEST: Duration = Duration::from_secs(1 << 35);

static BASE: OnceLock<Instant> = OnceLock::new();

std::thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The present moment of the logical clock.
pub(crate) fn now() -> Instant {
    pass(TICK);
    *BASE.get_or_init(Instant::now) + PASSED.get()
}

/// Lets `time` pass.
pub(super) fn pass(time: Duration) {
    PASSED.set(PASSED.get() + time.min(LONGEST));
}

/// Sets the clock back to its beginning.
pub(super) fn begin() {
    PASSED.set(Duration::ZERO);
}
