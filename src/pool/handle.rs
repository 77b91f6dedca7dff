//! The handle to a pool, which any thread may have.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use copool_spec::{Cancel, PoolId, PoolState, Tell};

use super::{CoroutinePool, Counters, Shared, TaskBuilder};
use crate::creator::Numbers;
use crate::error::{AttachError, JoinError, LimitError, Rejected};
use crate::here::{self, own_seat};
use crate::lifecycle::StopReport;
use crate::sync::Arc;
use crate::task::{Home, JoinHandle, Label, Task, TaskRef};

/// A handle to a pool: submits, cancels, stops and measures from any thread.
///
/// Clones are cheap. A handle keeps nothing alive that runs: it may outlive the pool.
#[derive(Clone)]
pub struct PoolHandle {
    pub(crate) shared: Arc<Shared>,
    pub(super) home: Arc<Home>,
}

impl PoolHandle {
    /// Lets the next allocation of a stack fail, for scripts.
    #[cfg(feature = "script")]
    pub(crate) fn fail_next_stack(&self) {
        self.shared.stacks.fail_next();
    }

    /// Lets the next start of a helper thread fail, for scripts.
    #[cfg(feature = "script")]
    pub(crate) fn fail_next_thread(&self) {
        self.shared.helpers.fail_next();
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
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
        TaskBuilder::new(self)
    }

    /// Submits a task that takes an optional number and returns one; `priority` 0 if none, smaller is sooner.
    ///
    /// # Errors
    /// [`Rejected`], with the closure, if the pool is stopping or stopped; it converts into an [`std::io::Error`].
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
        let label = name.map(|name| Box::new(Label { name: Some(name), stack: 0, priority: 0 }));
        self.submit_with(f, move |f| f(param), label, priority.unwrap_or(0))
    }

    /// Gives the calling thread a seat of this pool, to drive it with.
    ///
    /// # Errors
    /// [`AttachError::AlreadySeated`] if the thread has one, [`AttachError::Stopped`] after a stop, and
    /// [`AttachError::Refused`] in a listener.
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
        let signals = self.shared.signals.read();
        if !signals.is_stopped() && own_seat(&self.shared, |seat| seat.is_some()) {
            return Err(AttachError::AlreadySeated);
        }
        if signals.is_closed() {
            return Err(AttachError::Stopped);
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
    /// seat is stalled, or waits for a virtual clock. In a task, with [`Duration::MAX`], the stop itself
    /// may be what stalls the pool: if no worker is left for the tasks that it waits for. `grace` is by the pool's clock in a task and on a thread with a seat, by
    /// the system's elsewhere.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use copool::{CoroutinePool, PoolState};
    /// let pool = CoroutinePool::default();
    /// let task = pool.spawn(|| "accepted before").unwrap();
    /// let report = pool.stop(Duration::from_secs(1));
    /// assert_eq!((report.state, report.abandoned), (PoolState::Stopped, 0));
    /// assert_eq!(task.join().unwrap(), "accepted before");
    /// assert!(pool.spawn(|| "too late").is_err());
    /// ```
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
        task.take()
    }

    /// Takes the result of such a task, if there is one. Never waits.
    ///
    /// # Errors
    /// As [`wait_task_result`](Self::wait_task_result); [`JoinError::Timeout`] with a zero duration if there is none yet.
    pub fn try_take_task_result(&self, task: &TaskRef) -> Result<Option<usize>, JoinError> {
        if self.owns(task) { task.take() } else { Err(JoinError::OtherPool) }
    }

    fn owns(&self, task: &TaskRef) -> bool {
        self.owns_task(task.task())
    }

    pub(super) fn owns_task(&self, task: &Task) -> bool {
        Arc::ptr_eq(task.core().shared(), &self.shared)
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

    /// Changes `min_size`. Workers up to it are created by the next drive that has something to do.
    ///
    /// # Errors
    /// [`LimitError::MinAboveMax`] above the present `max_size`.
    pub fn set_min_size(&self, min_size: u32) -> Result<(), LimitError> {
        let limits = self.shared.limits.set_min(min_size)?;
        self.limits_moved(limits, self.shared.keep_alive());
        Ok(())
    }

    /// Changes `max_size`. Workers above a lowered one finish the tasks they have.
    ///
    /// # Errors
    /// [`LimitError::MinAboveMax`] below the present `min_size`, [`LimitError::MaxTooLarge`] above
    /// [`MAX_SIZE_LIMIT`](crate::MAX_SIZE_LIMIT).
    pub fn set_max_size(&self, max_size: u32) -> Result<(), LimitError> {
        let limits = self.shared.limits.set_max(max_size)?;
        if limits.running > limits.max {
            self.shared.signals.lower(true);
        }
        self.limits_moved(limits, self.shared.keep_alive());
        Ok(())
    }

    /// Changes the keep-alive, for workers that idle already too.
    pub fn set_keep_alive(&self, keep_alive: Duration) {
        self.shared.set_keep_alive(keep_alive);
        self.limits_moved(self.shared.limits.load(), keep_alive);
    }

    /// Tells what this change has set as it has set it: another may have changed it since, and may even have told so.
    fn limits_moved(&self, limits: Numbers, keep_alive: Duration) {
        let keep_alive = u64::try_from(keep_alive.as_nanos()).unwrap_or(u64::MAX);
        self.shared.limits_changed(limits.min, limits.max, keep_alive);
        if self.shared.signals.read().is_lowered() {
            self.shared.is_above_max();
        }
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
