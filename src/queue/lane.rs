//! The ordered lane: one queue for the whole pool that holds every task with a priority other than 0.
//!
//! Smaller priorities come first, and within one the order is that of submission. A lock protects it; the counts are
//! exact under the lock and are read without it, so that a poll that finds them 0 goes on without locking. A count is
//! raised before the submitter's fence, so whoever looks again before it sleeps sees it.

use std::collections::BTreeMap;

use crate::sync::{AtomicUsize, Mutex, Ordering};
use crate::task::Task;

/// The tasks with a priority.
pub(crate) struct Lane {
    /// How many have a priority below 0.
    urgent: AtomicUsize,
    count: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_priority: BTreeMap<(i64, u64), Task>,
    /// From the order of submission to the priority, for the oldest.
    by_age: BTreeMap<u64, i64>,
    next: u64,
}

impl Lane {
    pub(crate) fn new() -> Self {
        Self { urgent: AtomicUsize::new(0), count: AtomicUsize::new(0), inner: Mutex::new(Inner::default()) }
    }

    pub(crate) fn push(&self, priority: i64, task: Task) {
        let mut inner = self.inner.lock();
        let age = inner.next;
        inner.next += 1;
        inner.by_priority.insert((priority, age), task);
        inner.by_age.insert(age, priority);
        self.set_counts(&inner, priority, 1);
    }

    fn set_counts(&self, inner: &Inner, priority: i64, pushed: usize) {
        // Ordering: Relaxed. The lock is held, so the counts follow each other; a poll that reads a stale 0 misses the
        // task as if it had come earlier, and the last look before sleeping has a fence before it.
        self.count.store(inner.by_priority.len(), Ordering::Relaxed);
        if priority < 0 {
            // Ordering: Relaxed, as above.
            let urgent = self.urgent.load(Ordering::Relaxed);
            let urgent = if pushed == 1 { urgent + 1 } else { urgent - 1 };
            // Ordering: Relaxed, as above.
            self.urgent.store(urgent, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed, see `set_counts`.
        self.count.load(Ordering::Relaxed) == 0
    }

    /// The head, if its priority is below 0.
    #[inline]
    pub(crate) fn pop_urgent(&self) -> Option<Task> {
        // Ordering: Relaxed, see `set_counts`.
        if self.urgent.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.pop(|inner| inner.by_priority.first_key_value().map(|(key, _)| *key).filter(|(priority, _)| *priority < 0))
    }

    /// The head.
    #[inline]
    pub(crate) fn pop_first(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        self.pop(|inner| inner.by_priority.first_key_value().map(|(key, _)| *key))
    }

    /// The one that was submitted first.
    pub(crate) fn pop_oldest(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        self.pop(|inner| inner.by_age.first_key_value().map(|(age, priority)| (*priority, *age)))
    }

    #[cold]
    fn pop(&self, which: impl FnOnce(&Inner) -> Option<(i64, u64)>) -> Option<Task> {
        let mut inner = self.inner.lock();
        let (priority, age) = which(&inner)?;
        let task = inner.by_priority.remove(&(priority, age))?;
        inner.by_age.remove(&age);
        self.set_counts(&inner, priority, 0);
        Some(task)
    }
}
