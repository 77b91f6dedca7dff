//! The one thing a thread blocks on: a token under a mutex, and a condition variable.
//!
//! An unpark that comes first is kept, so the order of park and unpark does not matter.

use std::time::Instant;

use crate::sync::{Condvar, Mutex, now};

/// A place for one thread to sleep.
#[derive(Debug)]
pub(crate) struct Parker {
    token: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self { token: Mutex::new(false), changed: Condvar::new() }
    }

    /// Sleeps until there is a token, and consumes it, or until `deadline`. `false` at the deadline.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let mut token = self.token.lock();
        loop {
            if std::mem::take(&mut *token) {
                return true;
            }
            token = match deadline {
                None => self.changed.wait(token),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_timeout(token, left)
                }
            };
        }
    }

    /// Leaves a token.
    pub(crate) fn unpark(&self) {
        *self.token.lock() = true;
        self.changed.notify_one();
    }
}
