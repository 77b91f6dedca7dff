//! The injector under loom; what it promises, and how little, says [`super::slots`].
//!
//! As in crossbeam-deque a pusher first reserves its slot and then fills it, so for a moment the queue is not empty and
//! yet has nothing to give: who claims that slot waits for the value.

use std::fmt;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::slots::{SLOTS, Slot};
use super::steal::Steal;
use super::{thread, unwinding};

/// A slot that says whether it has been filled.
struct Filled<T> {
    filled: AtomicBool,
    slot: Slot<T>,
}

/// A queue that anybody pushes to and anybody steals from, the oldest value first.
pub struct Injector<T> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: Box<[Filled<T>]>,
}

// SAFETY: a slot is only reached by who owns its index, so a value is with one thread at a time, and `T` may move
// between threads.
unsafe impl<T: Send> Send for Injector<T> {}
// SAFETY: as above: nothing hands out a `&T`.
unsafe impl<T: Send> Sync for Injector<T> {}

impl<T> Injector<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: Slot::row(|slot| Filled { filled: AtomicBool::new(false), slot }),
        }
    }

    /// Adds a value.
    pub fn push(&self, value: T) {
        // Ordering: Relaxed: the index is this thread's by atomicity, and the value is published below.
        let tail = self.tail.fetch_add(1, Ordering::Relaxed);
        assert!(tail < SLOTS, "an injector under loom takes no more than {SLOTS} values: enlarge SLOTS");
        let place = &self.slots[tail];
        // SAFETY: the index was handed out once, to this thread, and whoever takes the value waits for the store below.
        unsafe { place.slot.put(value) };
        // Ordering: Release pairs with the Acquire in `steal`.
        place.filled.store(true, Ordering::Release);
    }

    /// Tries to take a value.
    pub fn steal(&self) -> Steal<T> {
        // Ordering: Relaxed; a late value is found out by the exchange.
        let head = self.head.load(Ordering::Relaxed);
        // Ordering: Relaxed; a late value only hides what this steal need not find.
        if head >= self.tail.load(Ordering::Relaxed) {
            return Steal::Empty;
        }
        // Ordering: Relaxed: its atomicity makes the index this thread's.
        if self.head.compare_exchange(head, head + 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Steal::Retry;
        }
        let place = &self.slots[head];
        // Ordering: Acquire pairs with the Release in `push`: the value comes with the flag.
        while !place.filled.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // SAFETY: the index is this thread's by the exchange, and the slot has been filled.
        Steal::Success(unsafe { place.slot.take() })
    }

    /// Whether there is no value, as far as this thread knows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values, as far as this thread knows.
    pub fn len(&self) -> usize {
        // Ordering: Relaxed; this promises nothing.
        let tail = self.tail.load(Ordering::Relaxed);
        // Ordering: Relaxed; as above.
        tail.saturating_sub(self.head.load(Ordering::Relaxed))
    }
}

impl<T> Drop for Injector<T> {
    fn drop(&mut self) {
        if unwinding::failed() {
            return;
        }
        // Ordering: as in the drop of a deque, read-modify-writes make up for an owner that loom does not know: they
        // cannot be late, and AcqRel brings the values along.
        let head = self.head.fetch_add(0, Ordering::AcqRel);
        // Ordering: as above.
        let tail = self.tail.fetch_add(0, Ordering::AcqRel);
        for place in self.slots.get(head..tail).unwrap_or_default() {
            // Ordering: as above.
            if place.filled.swap(false, Ordering::AcqRel) {
                // SAFETY: nobody else is left, and this was pushed and never claimed.
                drop(unsafe { place.slot.take() });
            }
        }
    }
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector { .. }")
    }
}
