//! Loom's threads, the new one first where the exploration says so.
//!
//! Within a bound loom was seen not to try that a new thread comes first: what the first one does before it waits counts as
//! preempted, and of a thread's last accesses loom keeps only one for each word. So a check with a bound is explored twice, once
//! as loom begins and once with the new threads first. Without this a lost wake-up survived 9,513 executions with up to three
//! preemptions; with it the same check finds it with one.

use std::cell::Cell;

pub use loom::thread::*;

thread_local! {
    /// All threads of an execution are on one thread of the system's.
    static NEW_FIRST: Cell<bool> = const { Cell::new(false) };
}

/// In this execution new threads come first, or not.
pub(super) fn begin(new_first: bool) {
    NEW_FIRST.set(new_first);
}

/// Starts a thread of the checker.
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let thread = loom::thread::spawn(f);
    if NEW_FIRST.get() {
        // Loom goes on with another thread, without counting a preemption.
        yield_now();
    }
    thread
}
