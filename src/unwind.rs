//! The payload by which a cancelled or abandoned task unwinds.
//!
//! It is thrown by `resume_unwind`, so no panic hook runs. A task that catches it holds a `Box<dyn Any + Send>` like
//! any other; when it drops that box, the task is no longer unwinding, which `panicking()` alone could not tell on a
//! thread that was panicking before. It is tested with the cancel scenarios in `tests/`.

use crate::sync::{Arc, AtomicBool, Ordering};

/// Thrown at a suspension call of a task that has to end. Tells its [`Throw`] when it is dropped.
pub(crate) struct Unwind(Arc<AtomicBool>);

/// One throw, as its task remembers it.
pub(crate) struct Throw(Arc<AtomicBool>);

impl Unwind {
    pub(crate) fn new() -> (Self, Throw) {
        let over = Arc::new(AtomicBool::new(false));
        (Self(Arc::clone(&over)), Throw(over))
    }
}

impl Drop for Unwind {
    fn drop(&mut self) {
        // Ordering: Relaxed. The task that threw reads it on its own thread, after it dropped the payload there; if it
        // gave the payload to another thread, it has caught it, and nothing depends on when that is noticed.
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Throw {
    /// Whether the payload is gone: the throw was caught and swallowed, or has reached the worker.
    pub(crate) fn is_over(&self) -> bool {
        // Ordering: Relaxed, see the store.
        self.0.load(Ordering::Relaxed)
    }
}
