//! What the facades under loom and under shuttle have in common.
//!
//! The two checkers copy std's interface, so most of a facade is the same text over another crate, `checker` here:
//! [`lock`], [`thread`], and what neither checker has: [`unwinding`] tells the pool's own payloads from the checker's,
//! [`time`] is a clock that a replay repeats. Only the queues differ: [`slots`] and [`injector`] under loom, [`locked`] under shuttle.
//!
//! Everything that a checker explores must follow from its choices alone, so nothing here may survive an execution:
//! the harness calls [`begin`] at the start of each.

#[cfg(feature = "loom")]
pub(super) use loom as checker;
#[cfg(feature = "shuttle")]
pub(super) use shuttle as checker;

#[cfg(feature = "loom")]
pub(crate) mod atomic;
#[cfg(feature = "loom")]
pub(crate) mod fences;
#[cfg(feature = "loom")]
pub(super) mod injector;
pub(super) mod lock;
#[cfg(feature = "shuttle")]
pub(super) mod locked;
#[cfg(feature = "loom")]
pub(super) mod slots;
pub(super) mod steal;
pub(super) mod thread;
pub(super) mod time;
pub(super) mod unwinding;

pub use unwinding::ScriptedPanic;

/// Starts an execution: the clock is at its beginning, and nothing unwinds.
pub(crate) fn begin() {
    time::begin();
    unwinding::begin();
}
