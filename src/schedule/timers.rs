//! The timers of a seat: when which wait is over.
//!
//! A timer names the wait it was armed for; one whose wait is over already is stale and does nothing. Stale timers are
//! swept out when they outnumber the others, so that a task which is woken again and again before its timeouts holds no
//! memory. A stale timer may be the last that knows of its task, and so of a result of the user's: what is swept out is
//! handed to the caller, who drops it when nothing is borrowed any more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;
use std::time::Instant;

use crate::task::{Generation, Task};

/// Below so many timers nothing is swept.
const SWEEP_ABOVE: usize = 64;

pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    next: u64,
    sweep_at: usize,
}

/// Timers that do nothing any more. Dropping them may run destructors of the user's.
#[must_use = "to be dropped when nothing is borrowed"]
pub(crate) struct Stale(Vec<Reverse<Timer>>);

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

impl Stale {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), next: 0, sweep_at: SWEEP_ABOVE }
    }

    pub(crate) fn arm(&mut self, at: Instant, task: Task, generation: Generation) -> Stale {
        let mut stale = Vec::new();
        if self.heap.len() >= self.sweep_at {
            let current: Vec<_>;
            (current, stale) = mem::take(&mut self.heap).into_iter().partition(|Reverse(timer)| timer.is_current());
            self.heap = BinaryHeap::from(current);
            self.sweep_at = (self.heap.len() * 2).max(SWEEP_ABOVE);
        }
        let order = self.next;
        self.next += 1;
        self.heap.push(Reverse(Timer { at, order, task, generation }));
        Stale(stale)
    }

    /// When the next wait is over by its timer.
    pub(crate) fn next(&mut self) -> (Option<Instant>, Stale) {
        let mut stale = Vec::new();
        let next = loop {
            match self.heap.peek() {
                None => break None,
                Some(Reverse(timer)) if timer.is_current() => break Some(timer.at),
                Some(_) => stale.extend(self.heap.pop()),
            }
        };
        (next, Stale(stale))
    }

    /// Takes the next timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Task, Generation)> {
        if self.heap.peek()?.0.at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| (timer.task, timer.generation))
    }
}

impl Timer {
    fn is_current(&self) -> bool {
        self.task.core().wait.is_current(self.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::here::find_seat;
    use crate::pool::Shared;
    use crate::sync::{Arc, AtomicUsize, Ordering};
    use crate::{CoroutinePool, TaskRef, VirtualClock, delay, park_timeout};

    use super::SWEEP_ABOVE;

    const SECOND: Duration = Duration::from_secs(1);

    /// A result whose destructor looks at the timers of its thread's seat.
    struct Looks {
        shared: Arc<Shared>,
        dropped: Arc<AtomicUsize>,
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            let seat = find_seat(&self.shared).expect("the seat is there as long as it has timers");
            // What it waits for may be a task whose waking was left to the search.
            assert!(!seat.searching.get());
            let _next = seat.next_timer();
            // Ordering: Relaxed; one thread counts. A panic before this is contained, and seen by the count.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A pool in which a timer of a minute is the first, and behind it is a stale one that alone knows of a result.
    fn with_a_stale_timer(clock: &VirtualClock, dropped: &Arc<AtomicUsize>) -> CoroutinePool {
        let mut pool = CoroutinePool::builder().clock(clock.clone()).build().unwrap();
        pool.spawn(|| delay(60 * SECOND)).unwrap();
        let (shared, dropped) = (Arc::clone(&pool.seat().post.shared), Arc::clone(dropped));
        let wait = move || {
            park_timeout(3600 * SECOND);
            Looks { shared, dropped }
        };
        let woken: TaskRef = pool.spawn(wait).unwrap().task_ref();
        pool.try_schedule_task().unwrap();
        woken.unpark();
        drop(woken);
        pool.try_schedule_task().unwrap();
        pool
    }

    fn count(dropped: &AtomicUsize) -> usize {
        // Ordering: Relaxed; one thread counts.
        dropped.load(Ordering::Relaxed)
    }

    #[test]
    fn the_result_behind_a_stale_timer_may_use_the_timers_when_it_is_dropped() {
        let (clock, dropped) = (VirtualClock::new(), Arc::new(AtomicUsize::new(0)));
        // By the sweep that comes with many timers.
        let mut pool = with_a_stale_timer(&clock, &dropped);
        assert_eq!(count(&dropped), 0);
        for _ in 0..SWEEP_ABOVE {
            pool.spawn(|| delay(30 * SECOND)).unwrap();
        }
        pool.try_schedule_task().unwrap();
        assert_eq!(count(&dropped), 1);
        // When it is the next one.
        let mut pool = with_a_stale_timer(&clock, &dropped);
        clock.advance(60 * SECOND);
        pool.try_schedule_task().unwrap();
        assert_eq!(count(&dropped), 2);
        // When the seat leaves.
        drop(with_a_stale_timer(&clock, &dropped));
        assert_eq!(count(&dropped), 3);
    }

    #[test]
    fn a_search_is_over_before_the_result_behind_a_stale_timer_is_dropped() {
        let (clock, dropped) = (VirtualClock::new(), Arc::new(AtomicUsize::new(0)));
        for (time, expected) in [(60 * SECOND, 1), (3600 * SECOND, 2)] {
            let pool = with_a_stale_timer(&clock, &dropped);
            let seat = pool.seat();
            seat.searching.set(seat.shared().signals.begin_search());
            clock.advance(time);
            // As the next one, or due.
            seat.look();
            assert_eq!(count(&dropped), expected);
            seat.stop_searching();
        }
    }
}
