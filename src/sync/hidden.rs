//! A lock that the checkers do not see, for what has no meaning to the pool's protocols: memory kept between the many
//! short executions of a check, or of a fuzzer.
//!
//! No scheduling point may be reached while it is held: a checker may run all its threads on one thread of the system.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that ignores poisoning and is no scheduling point. It may be a static.
#[derive(Debug, Default)]
pub(crate) struct Hidden<T>(std::sync::Mutex<T>);

impl<T> Hidden<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
