//! Drop counters: what a task captures, returns and keeps in coroutine-locals must be dropped exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

/// Counts the tokens that it made and that live.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<AtomicIsize>);

impl Live {
    /// A new token. It is neither `Clone` nor `Copy`: each is dropped once, or the count tells.
    pub(crate) fn token(&self) -> Token {
        self.0.fetch_add(1, Ordering::SeqCst);
        Token(Arc::clone(&self.0))
    }

    /// How many tokens live. Negative if one was dropped twice.
    pub(crate) fn count(&self) -> isize {
        self.0.load(Ordering::SeqCst)
    }
}

/// One of the things that are counted.
#[derive(Debug)]
pub(crate) struct Token(Arc<AtomicIsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
