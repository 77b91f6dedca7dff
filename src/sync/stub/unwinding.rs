//! Which panics are the pool's, and which thread of the checker unwinds.
//!
//! **Payloads.** A failed assertion in a test, and whatever a checker throws to end an execution, must get through the
//! pool to the checker. So [`catch`] keeps only what is ours: the pool's own cancel ([`Unwind`]), and the panics that a
//! test writes into its script ([`ScriptedPanic`]).
//!
//! **Threads.** All threads of a checker share one thread of the system, so while one of them unwinds,
//! `std::thread::panicking` is true on all of them, and each would take its tasks for unwinding. [`throw`] marks the
//! thread of the checker that it unwinds and [`catch`] takes the mark off, so that [`panicking`] tells them apart. A
//! failure has no mark: from then on every thread counts as panicking.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::local;
use crate::unwind::Unwind;

/// The payload of a panic that a test has scripted: the pool treats it as any task's panic.
///
/// Under a checker a task that is meant to panic calls [`ScriptedPanic::raise`]; any other panic fails the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedPanic(pub String);

impl ScriptedPanic {
    /// Panics with this payload, without the panic hook: to a checker's hook every panic is a failure.
    pub fn raise(self) -> ! {
        throw(Box::new(self))
    }
}

/// Whether the pool may keep this payload. It hands all others on.
pub(crate) fn is_ours(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwind>() || payload.is::<ScriptedPanic>()
}

std::thread_local! {
    /// How many throws of ours unwind on this thread of the system, so on all threads of the checker.
    static IN_FLIGHT: Cell<usize> = const { Cell::new(0) };
}

local! {
    /// How many of them unwind this thread of the checker: more than one while a destructor throws and catches.
    static MINE: Cell<usize> = Cell::new(0)
}

/// Forgets what an earlier execution left in flight.
pub(super) fn begin() {
    IN_FLIGHT.set(0);
}

/// Runs `f` and hands back its panic, if the panic is ours. Every other panic goes on.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    let outside = marks();
    let result = catch_unwind(AssertUnwindSafe(f));
    match result {
        Err(payload) if !is_ours(&*payload) => resume_unwind(payload),
        // What `f` itself caught with std's `catch_unwind` left a mark too.
        result => {
            let inside = MINE.with(|mine| mine.replace(outside));
            IN_FLIGHT.set(IN_FLIGHT.get().saturating_sub(inside.saturating_sub(outside)));
            result
        }
    }
}

/// Unwinds with `payload`, without the panic hook.
pub(crate) fn throw(payload: Box<dyn Any + Send>) -> ! {
    let marks = marks();
    MINE.with(|mine| mine.set(marks + 1));
    IN_FLIGHT.set(IN_FLIGHT.get() + 1);
    resume_unwind(payload)
}

/// Whether this thread of the checker unwinds.
pub(crate) fn panicking() -> bool {
    std::thread::panicking() && (failed() || marks() > 0)
}

/// Whether the panic that unwinds is a failure of the run.
pub(super) fn failed() -> bool {
    std::thread::panicking() && IN_FLIGHT.get() == 0
}

/// The marks on this thread. While nothing unwinds anywhere there are none: what is left of them was swallowed.
fn marks() -> usize {
    if std::thread::panicking() {
        MINE.with(Cell::get)
    } else {
        IN_FLIGHT.set(0);
        MINE.with(|mine| mine.set(0));
        0
    }
}
