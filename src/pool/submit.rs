//! Submissions.
//!
//! One from a thread that has a seat of the pool goes to that seat's deque, and counts in that seat's tally; any other
//! goes to the injector and the pool's own tally. The order of its steps is what makes closing atomic and wake-ups
//! certain: count, fence, look whether the pool is closed, push, fence, look whether somebody sleeps.

use copool_spec::Tell;

use super::{Count, PoolHandle, Shared};
use crate::error::{RejectReason, Rejected};
use crate::here::find_seat;
use crate::schedule::Seat;
use crate::stack::{self, SizeError};
use crate::sync::light_fence;
use crate::task::{JoinHandle, Label, Task};

/// A task to be submitted, with a name, a priority or a stack size.
///
/// ```
/// let mut pool = copool::CoroutinePool::default();
/// let task = pool.task().name("urgent").priority(-1).stack_size(256 * 1024).spawn(|| 1).unwrap();
/// assert_eq!(task.name(), Some("urgent"));
/// # pool.drain(None).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a task builder does nothing until `spawn`"]
pub struct TaskBuilder<'a> {
    pool: &'a PoolHandle,
    name: Option<String>,
    priority: i64,
    stack_size: Option<usize>,
}

impl<'a> TaskBuilder<'a> {
    pub(super) fn new(pool: &'a PoolHandle) -> Self {
        Self { pool, name: None, priority: 0, stack_size: None }
    }

    /// The task's name, for people. Names may repeat.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The task's priority, default 0: smaller is sooner, those below 0 before all others. However many more urgent ones come,
    /// each task is polled in the end.
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = priority;
        self
    }

    /// The least stack that the task needs, in bytes. If the pool's stacks are larger, it gets one of those.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// Submits the task.
    ///
    /// # Errors
    /// [`Rejected`], with the closure, if the pool is stopping or stopped, or no stack is of such a size.
    pub fn spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let stack = match self.stack_size.map(stack::usable_size) {
            None => 0,
            Some(Ok(stack)) => stack,
            Some(Err(SizeError::TooSmall { size, least })) => {
                return Err(Rejected::new(f, RejectReason::StackTooSmall { size, least }));
            }
            Some(Err(SizeError::TooLarge { size, most })) => {
                return Err(Rejected::new(f, RejectReason::StackTooLarge { size, most }));
            }
        };
        let label = (self.name.is_some() || stack > 0)
            .then(|| Box::new(Label { name: self.name, stack, priority: self.priority }));
        self.pool.submit(f, label, self.priority)
    }
}

impl PoolHandle {
    #[inline]
    pub(super) fn submit<F, T>(
        &self,
        f: F,
        label: Option<Box<Label>>,
        priority: i64,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_with(f, |f| f(), label, priority)
    }

    /// Submits `call(f)`, and gives `f` back if it is rejected.
    #[inline]
    pub(super) fn submit_with<F, C, T>(
        &self,
        f: F,
        call: C,
        label: Option<Box<Label>>,
        priority: i64,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: Send + 'static,
        C: FnOnce(F) -> T + Send + 'static,
        T: Send + 'static,
    {
        let seat = find_seat(&self.shared);
        let seat = seat.as_deref();
        let id = seat.map_or_else(|| self.shared.next_task_id(), Seat::next_task_id);
        if !self.shared.admit(seat) {
            self.shared.task_rejected(id);
            return Err(Rejected::new(f, RejectReason::Stopped));
        }
        self.shared.task_accepted(seat.filter(|_| priority == 0).map(|seat| seat.post.id), id, priority);
        let (task, queued) = Task::pair(seat, &self.home, (id, label), move || call(f));
        self.shared.enqueue(seat, queued, priority);
        Ok(JoinHandle::new(task))
    }
}

impl Shared {
    /// Counts a submission as accepted, unless the pool is closed. See [`lifecycle`](crate::lifecycle).
    #[inline]
    fn admit(&self, seat: Option<&Seat>) -> bool {
        let count = |count| match seat {
            Some(seat) => seat.post.tally.add(count),
            None => self.outside.add_shared(count),
        };
        count(Count::Accepted);
        light_fence();
        if !self.signals.read().is_closed() {
            return true;
        }
        // In this order, so that no reading takes it for one that was started or had an outcome.
        count(Count::Unstarted);
        count(Count::Dequeued);
        count(Count::Rejected);
        count(Count::Ended);
        self.completed();
        false
    }

    /// Puts an accepted task where it waits, and wakes a sleeper for it.
    #[inline]
    fn enqueue(&self, seat: Option<&Seat>, task: Task, priority: i64) {
        match seat {
            _ if priority != 0 => self.lane.push(priority, task),
            Some(seat) if !seat.leaving.get() => seat.queue.push(task),
            // Nobody drains the deque of a seat that a listener has made leave meanwhile.
            _ => self.inject(task),
        }
        light_fence();
        if !self.signals.read().is_clear() {
            self.enqueued();
        }
    }

    #[cold]
    fn enqueued(&self) {
        let signals = self.signals.read();
        if signals.is_abandoning() {
            // A stop swept the queues meanwhile, and may have missed this one.
            self.abandon_queues();
            self.bury_after_drop();
        } else if signals.has_sleepers() {
            self.wake_one();
        }
    }
}
