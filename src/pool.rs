//! The pool as its users see it: [`CoroutinePool`], [`PoolHandle`] and [`TaskBuilder`].
//!
//! A submission from a thread that has a seat of the pool goes to that seat's deque, and counts in that seat's tally;
//! any other goes to the injector and the pool's own tally. The order of its steps is what makes closing atomic and
//! wake-ups certain: count, fence, look whether the pool is closed, push, fence, look whether somebody sleeps.

mod builder;
mod counters;
mod parker;
mod post;
mod shared;
mod tally;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::time::{Duration, Instant};

use copool_spec::{Cancel, PoolId, PoolState, Tell};

pub use builder::{Builder, MAX_SIZE_LIMIT};
pub use counters::Counters;
pub(crate) use parker::Parker;
pub(crate) use post::Post;
pub(crate) use shared::{Fixed, Shared};
pub(crate) use tally::Count;

use crate::DriveEnd;
use crate::error::{AttachError, DriveError, JoinError, LimitError, RejectReason, Rejected};
use crate::here::{self, own_seat};
use crate::lifecycle::StopReport;
use crate::schedule::{Goal, Seat};
use crate::stack::{self, SizeError};
use crate::sync::thread::Thread;
use crate::sync::{Arc, light_fence};
use crate::task::{Core, Home, JoinHandle, Label, Task, TaskCell, TaskRef};

/// A handle to a pool: submits, cancels, stops and measures from any thread.
///
/// Clones are cheap. A handle keeps nothing alive that runs: it may outlive the pool.
#[derive(Clone)]
pub struct PoolHandle {
    shared: Arc<Shared>,
    home: Arc<Home>,
}

impl PoolHandle {
    fn new(shared: Arc<Shared>) -> Self {
        Self { home: Home::new(&shared), shared }
    }

    /// Submits a task.
    ///
    /// # Errors
    /// [`Rejected`], with the closure, if the pool is stopping or stopped.
    ///
    /// ```
    /// let mut pool = copool::CoroutinePool::default();
    /// let task = pool.spawn(|| 6 * 7)?;
    /// pool.drain(None).unwrap();
    /// assert_eq!(task.join().unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit(f, None, 0)
    }

    /// Prepares a task with a name, a priority or a stack size.
    pub fn task(&self) -> TaskBuilder<'_> {
        TaskBuilder { pool: self, name: None, priority: 0, stack_size: None }
    }

    /// Submits a task that takes an optional number and returns one; `priority` 0 if none, smaller is sooner.
    ///
    /// # Errors
    /// [`Rejected`], with the closure, if the pool is stopping or stopped; it converts into an [`io::Error`].
    ///
    /// ```
    /// # use copool::CoroutinePool;
    /// let mut pool = CoroutinePool::default();
    /// let task = pool.submit_task(Some("double".into()), |n| n.map(|n| n * 2), Some(21), None)?;
    /// pool.try_schedule_task()?;
    /// assert_eq!(pool.try_take_task_result(task.as_ref()).unwrap(), Some(42));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn submit_task<F>(
        &self,
        name: Option<String>,
        f: F,
        param: Option<usize>,
        priority: Option<i64>,
    ) -> Result<JoinHandle<Option<usize>>, Rejected<F>>
    where
        F: FnOnce(Option<usize>) -> Option<usize> + Send + 'static,
    {
        let label = name.map(|name| Box::new(Label { name: Some(name), stack: 0 }));
        self.submit_with(f, move |f| f(param), label, priority.unwrap_or(0))
    }

    #[inline]
    fn submit<F, T>(&self, f: F, label: Option<Box<Label>>, priority: i64) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_with(f, |f| f(), label, priority)
    }

    /// Submits `call(f)`, and gives `f` back if it is rejected.
    #[inline]
    fn submit_with<F, C, T>(
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
        own_seat(&self.shared, |seat| {
            let (id, home) = match seat {
                Some(seat) => (seat.next_task_id(), &seat.home),
                None => (self.shared.next_task_id(), &self.home),
            };
            if !self.shared.admit(seat) {
                self.shared.task_rejected(id);
                return Err(Rejected::new(f, RejectReason::Stopped));
            }
            self.shared.task_accepted(seat.filter(|_| priority == 0).map(|seat| seat.post.id), id, priority);
            let task: Task = Arc::new(TaskCell::new(Core::new(id, Arc::clone(home), label), move || call(f)));
            self.shared.enqueue(seat, Task::clone(&task), priority);
            Ok(JoinHandle::new(task))
        })
    }

    /// Gives the calling thread a seat of this pool, to drive it with.
    ///
    /// # Errors
    /// [`AttachError::AlreadySeated`] if the thread has one, [`AttachError::Stopped`] after a stop.
    ///
    /// ```
    /// let mut pool = copool::CoroutinePool::default();
    /// let handle = pool.handle();
    /// let server = std::thread::spawn(move || {
    ///     // It may come up after the stop below.
    ///     if let Ok(mut seat) = handle.attach() {
    ///         let _ = seat.serve();
    ///     }
    /// });
    /// let task = pool.spawn(|| "done by either").unwrap();
    /// pool.drain(None).unwrap();
    /// assert_eq!(task.join().unwrap(), "done by either");
    /// pool.stop(std::time::Duration::from_secs(1));
    /// server.join().unwrap();
    /// ```
    pub fn attach(&self) -> Result<CoroutinePool, AttachError> {
        if !here::may_block() {
            return Err(AttachError::Refused);
        }
        if self.shared.signals.read().is_closed() {
            return Err(AttachError::Stopped);
        }
        if own_seat(&self.shared, |seat| seat.is_some()) {
            return Err(AttachError::AlreadySeated);
        }
        let pool = CoroutinePool::seated(self.clone(), None);
        self.shared.seat_attached(pool.seat().post.id);
        Ok(pool)
    }

    /// Stops the pool: no task is accepted any more, what was accepted may run for `grace`, and what is unfinished then
    /// is abandoned.
    ///
    /// It may be called from anywhere, several times. On a thread with a seat of this pool it drives that seat
    /// meanwhile; from a task it waits for all tasks but those that are themselves in `stop`. A zero `grace` abandons at
    /// once; with [`Duration::MAX`] it waits as long as it takes. Where waiting is impossible (in a listener, or below a
    /// drive of the same pool but outside its tasks) it abandons at once. On a thread's own seat it also does when that
    /// seat is stalled, or waits for a virtual clock.
    pub fn stop(&self, grace: Duration) -> StopReport {
        self.shared.stop(grace)
    }

    /// Asks to cancel a task of this pool; one of another pool is not touched, and has ended as far as this one knows.
    pub fn try_cancel_task(&self, task: &TaskRef) -> Cancel {
        if self.owns(task) { task.cancel() } else { Cancel::AlreadyEnded }
    }

    /// Waits for the result of a task that was submitted by [`submit_task`](Self::submit_task), and takes it.
    ///
    /// # Errors
    /// As [`JoinHandle::join_timeout`]; [`JoinError::OtherPool`] for a task of another pool, [`JoinError::WrongType`] for
    /// one with a result of another type.
    pub fn wait_task_result(&self, task: &TaskRef, timeout: Duration) -> Result<Option<usize>, JoinError> {
        if !self.owns(task) {
            return Err(JoinError::OtherPool);
        }
        task.wait_timeout(timeout)?;
        crate::task::take(task)
    }

    /// Takes the result of such a task, if there is one. Never waits.
    ///
    /// # Errors
    /// As [`wait_task_result`](Self::wait_task_result); [`JoinError::Timeout`] with a zero duration if there is none yet.
    pub fn try_take_task_result(&self, task: &TaskRef) -> Result<Option<usize>, JoinError> {
        if self.owns(task) { crate::task::take(task) } else { Err(JoinError::OtherPool) }
    }

    fn owns(&self, task: &TaskRef) -> bool {
        Arc::ptr_eq(task.task().core().shared(), &self.shared)
    }

    /// How many tasks are accepted and have never started.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shared.size()
    }

    /// Whether no task waits to be started.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// How many tasks are accepted and have no outcome.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.shared.outstanding()
    }

    /// How many workers live, idle ones included.
    #[must_use]
    pub fn get_running_size(&self) -> u32 {
        self.shared.limits.load().running
    }

    /// Where the pool is in its life.
    #[must_use]
    pub fn state(&self) -> PoolState {
        self.shared.state()
    }

    /// How many workers are kept once created.
    #[must_use]
    pub fn min_size(&self) -> u32 {
        self.shared.limits.load().min
    }

    /// The most workers that may live.
    #[must_use]
    pub fn max_size(&self) -> u32 {
        self.shared.limits.load().max
    }

    /// For how long an idle worker above `min_size` stays.
    #[must_use]
    pub fn keep_alive(&self) -> Duration {
        self.shared.keep_alive()
    }

    /// Changes `min_size`. Workers up to it are created by the next drive.
    ///
    /// # Errors
    /// [`LimitError::MinAboveMax`].
    pub fn set_min_size(&self, min_size: u32) -> Result<(), LimitError> {
        self.shared.limits.set_min(min_size)?;
        self.limits_moved();
        Ok(())
    }

    /// Changes `max_size`. Workers above a lowered one finish the tasks they have.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn set_max_size(&self, max_size: u32) -> Result<(), LimitError> {
        let limits = self.shared.limits.set_max(max_size)?;
        if limits.running > limits.max {
            self.shared.signals.lower(true);
        }
        self.limits_moved();
        Ok(())
    }

    /// Changes the keep-alive, for workers that idle already too.
    pub fn set_keep_alive(&self, keep_alive: Duration) {
        self.shared.set_keep_alive(keep_alive);
        self.limits_moved();
    }

    fn limits_moved(&self) {
        let limits = self.shared.limits.load();
        let keep_alive = u64::try_from(self.shared.keep_alive().as_nanos()).unwrap_or(u64::MAX);
        self.shared.limits_changed(limits.min, limits.max, keep_alive);
        // A sleeper may have gone to sleep for want of a worker, or until a keep-alive that is over now.
        self.shared.wake_all();
    }

    /// What the pool has counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.fixed.name.as_deref()
    }

    /// The pool's id.
    #[must_use]
    pub fn id(&self) -> PoolId {
        self.shared.id
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
        count(Count::Dequeued);
        count(Count::Unstarted);
        count(Count::Ended);
        self.completed();
        false
    }

    /// Puts an accepted task where it waits, and wakes a sleeper for it.
    #[inline]
    fn enqueue(&self, seat: Option<&Seat>, task: Task, priority: i64) {
        match seat {
            _ if priority != 0 => self.lane.push(priority, task),
            Some(seat) => seat.queue.push(task),
            None => self.inject(task),
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
            for task in self.drain_queues() {
                self.abandon_queued(&task);
            }
            self.bury_after_drop();
            self.completed();
        } else if signals.has_sleepers() {
            self.wake_one();
        }
    }
}

// What a panic leaves behind in a pool is never half done: its locks are not held while the user's code runs.
impl UnwindSafe for PoolHandle {}
impl RefUnwindSafe for PoolHandle {}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.shared.limits.load();
        f.debug_struct("PoolHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("state", &self.state())
            .field("running", &limits.running)
            .field("min_size", &limits.min)
            .field("max_size", &limits.max)
            .finish_non_exhaustive()
    }
}

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

impl TaskBuilder<'_> {
    /// The task's name, for people. Names may repeat.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The task's priority: smaller is sooner, default 0.
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
            Some(Err(SizeError::TooLarge { size })) => {
                return Err(Rejected::new(f, RejectReason::StackTooLarge { size }));
            }
        };
        let label = (self.name.is_some() || stack > 0).then(|| Box::new(Label { name: self.name, stack }));
        self.pool.submit(f, label, self.priority)
    }
}

/// A seat of a pool: the place from which one thread drives it.
///
/// [`build`](Builder::build) gives the seat that owns the pool: dropping it stops the pool, abandons what is
/// unfinished and joins the background threads. [`attach`](PoolHandle::attach) gives further seats, whose drop only
/// leaves. A seat never leaves its thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// send(copool::CoroutinePool::default());
/// ```
pub struct CoroutinePool {
    handle: PoolHandle,
    seat: Rc<Seat>,
    /// The background threads, if this seat owns the pool.
    owned: Option<Vec<Thread>>,
    not_send: PhantomData<*const ()>,
}

impl CoroutinePool {
    /// Settings for a pool to be built.
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn owner(handle: PoolHandle) -> Self {
        Self::seated(handle, Some(Vec::new()))
    }

    fn seated(handle: PoolHandle, owned: Option<Vec<Thread>>) -> Self {
        let seat = Rc::new(Seat::new(&handle.shared));
        here::enlist(&seat);
        Self { handle, seat, owned, not_send: PhantomData }
    }

    fn adopt(&mut self, thread: Thread) {
        self.handle.shared.add_thread();
        self.owned.get_or_insert_default().push(thread);
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// A handle to the pool.
    #[must_use]
    pub fn handle(&self) -> PoolHandle {
        self.handle.clone()
    }

    /// Runs what can run now, without a deadline.
    ///
    /// # Errors
    /// As [`try_timeout_schedule_task`](Self::try_timeout_schedule_task), and [`io::ErrorKind::Deadlock`] if the pool is
    /// stalled.
    pub fn try_schedule_task(&mut self) -> io::Result<()> {
        match self.seat.drive(Goal::Ready, None)? {
            DriveEnd::Stalled => Err(io::Error::new(
                io::ErrorKind::Deadlock,
                "the pool is stalled: all its workers wait for tasks that are queued; raise max_size, or cancel one",
            )),
            _ => Ok(()),
        }
    }

    /// Runs what can run now, for at most `duration` by the pool's clock.
    ///
    /// # Errors
    /// As [`try_timeout_schedule_task`](Self::try_timeout_schedule_task).
    pub fn try_timed_schedule_task(&mut self, duration: Duration) -> Result<DriveEnd, DriveError> {
        let deadline = self.handle.shared.clock.now().checked_add(duration);
        self.seat.drive(Goal::Ready, deadline)
    }

    /// Runs what can run now, until `deadline` at the latest.
    ///
    /// It blocks only for the keep-alive of workers that this very call idled. Tasks that wait do not hold it: then it
    /// says [`DriveEnd::Waiting`].
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn try_timeout_schedule_task(&mut self, deadline: Instant) -> Result<DriveEnd, DriveError> {
        self.seat.drive(Goal::Ready, Some(deadline))
    }

    /// Drives until every accepted task has its outcome, or until `deadline`.
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn drain(&mut self, deadline: impl Into<Option<Instant>>) -> Result<DriveEnd, DriveError> {
        self.seat.drive(Goal::Drained, deadline.into())
    }

    /// Drives until this task has its outcome.
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn wait(&mut self, task: &impl AsRef<TaskRef>) -> Result<DriveEnd, DriveError> {
        let task = task.as_ref().task();
        if task.core().word.outcome().is_some() {
            return Ok(DriveEnd::AllDone);
        }
        self.seat.drive(Goal::Ended(task), None)
    }

    /// Drives until the pool is stopped.
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn serve(&mut self) -> Result<DriveEnd, DriveError> {
        self.seat.drive(Goal::Stopped { patient: false }, None)
    }
}

impl UnwindSafe for CoroutinePool {}
impl RefUnwindSafe for CoroutinePool {}

impl Default for CoroutinePool {
    /// A pool with the default settings, and a seat on this thread.
    fn default() -> Self {
        Self::builder().build().expect("the default settings are valid, and need no threads")
    }
}

impl Deref for CoroutinePool {
    type Target = PoolHandle;

    fn deref(&self) -> &PoolHandle {
        &self.handle
    }
}

impl fmt::Debug for CoroutinePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CoroutinePool");
        debug
            .field("seat", &self.seat.post.id)
            .field("owner", &self.owned.is_some())
            .field("pool", &self.handle)
            .finish()
    }
}

impl Drop for CoroutinePool {
    fn drop(&mut self) {
        if self.seat.driving.get() {
            // Nothing safe drops a seat from within its own drive. If it happens, it is forgotten rather than freed.
            std::mem::forget(Rc::clone(&self.seat));
            return;
        }
        let shared = &self.handle.shared;
        if self.owned.is_some() {
            shared.abandon_all();
        }
        self.seat.leave();
        let Some(threads) = self.owned.take() else { return };
        for thread in threads {
            thread.join();
            shared.remove_thread();
        }
        shared.helpers.join();
        shared.settle();
    }
}
