//! The timers of a seat: when which wait is over.
//!
//! A timer names the wait it was armed for; one whose wait is over already is stale and does nothing. Stale timers are
//! swept out when they outnumber the others, so that a task which is woken again and again before its timeouts holds no
//! memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::task::{Generation, Task};

/// Below so many timers nothing is swept.
const SWEEP_ABOVE: usize = 64;

pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    next: u64,
    sweep_at: usize,
}

struct Timer {
    at: Instant,
    /// Timers of the same instant fire in the order in which they were armed.
    order: u64,
    task: Task,
    generation: Generation,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), next: 0, sweep_at: SWEEP_ABOVE }
    }

    pub(crate) fn arm(&mut self, at: Instant, task: Task, generation: Generation) {
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|Reverse(timer)| timer.is_current());
            self.sweep_at = (self.heap.len() * 2).max(SWEEP_ABOVE);
        }
        let order = self.next;
        self.next += 1;
        self.heap.push(Reverse(Timer { at, order, task, generation }));
    }

    /// When the next wait is over by its timer.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        loop {
            let Reverse(timer) = self.heap.peek()?;
            if timer.is_current() {
                return Some(timer.at);
            }
            self.heap.pop();
        }
    }

    /// Takes the next timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Task, Generation)> {
        if self.heap.peek()?.0.at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| (timer.task, timer.generation))
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}

impl Timer {
    fn is_current(&self) -> bool {
        self.task.core().wait.is_current(self.generation)
    }
}
