//! Handles: what a submitter keeps of a task.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use copool_spec::{Cancel, Interruption, Outcome, TaskId};

use super::{Taken, Taker, Task, Wait, Waiter};
use crate::error::JoinError;
use crate::here::{self, Here, here, may_block, own_seat};
use crate::pool::Parker;
use crate::schedule::Seat;
use crate::sync::{Arc, now};
use crate::task::Frame;

/// A reference to a task, whatever its types: to ask, to wait, to cancel and to unpark it.
///
/// Clones are cheap, and hold nothing but the task's cell. They may outlive the pool.
#[derive(Clone)]
pub struct TaskRef {
    task: Task,
}

impl TaskRef {
    pub(crate) fn new(task: Task) -> Self {
        Self { task }
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// The task's id, unique in its pool.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.core().id
    }

    /// The task's name, if it was given one. Names are for people, and may repeat.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.task.core().name()
    }

    /// Whether the task has its outcome.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome().is_some()
    }

    /// The outcome, once there is one.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.task.core().word.outcome()
    }

    /// Waits for the outcome: inside a task by suspending it, on a plain thread by blocking.
    ///
    /// # Errors
    /// [`JoinError::SelfJoin`] from the task itself, [`JoinError::WouldBlockSeat`] on a thread that has a seat of the
    /// task's pool (drive it instead), [`JoinError::Unwinding`] from a task that unwinds and from a listener. Each holds
    /// this reference.
    #[inline]
    pub fn wait(&self) -> Result<Outcome, JoinError> {
        self.wait_for(None)
    }

    /// Waits for the outcome as [`wait`](Self::wait) does, for at most `timeout`.
    ///
    /// # Errors
    /// [`JoinError::Timeout`] after `timeout`, by the pool's clock inside a task and by the system's outside; and those of
    /// [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Outcome, JoinError> {
        self.wait_for(Some(timeout))
    }

    #[inline]
    fn wait_for(&self, timeout: Option<Duration>) -> Result<Outcome, JoinError> {
        // On a plain thread there is nothing to wait for then, and in a task `wait_in_task` is a cancellation point.
        if let Some(outcome) = self.outcome()
            && !here::is_driven()
        {
            return Ok(outcome);
        }
        self.wait_here(timeout)
    }

    fn wait_here(&self, timeout: Option<Duration>) -> Result<Outcome, JoinError> {
        here(|here| match here {
            Here::Task(seat, frame) => self.wait_in_task(seat, frame, timeout),
            _ if self.is_finished() => Ok(()),
            Here::Quiet => Err(JoinError::Unwinding(self.clone())),
            Here::Plain => self.wait_blocking(timeout),
        })?;
        self.outcome().ok_or_else(|| JoinError::Timeout(timeout.unwrap_or_default()))
    }

    #[inline(always)]
    fn wait_in_task(&self, seat: &Seat, frame: &Frame, timeout: Option<Duration>) -> Result<(), JoinError> {
        if !frame.point(seat) {
            return if self.is_finished() { Ok(()) } else { Err(JoinError::Unwinding(self.clone())) };
        }
        if frame.task.is(&self.task) {
            return Err(JoinError::SelfJoin(self.clone()));
        }
        let clock = &seat.shared().clock;
        let until = timeout.and_then(|timeout| clock.now().checked_add(timeout));
        // What counts towards `Stalled`: nothing but another task of this pool can end the wait.
        let joins = until.is_none() && Arc::ptr_eq(self.task.core().shared(), &seat.post.shared);
        let wait = if joins { Wait::Join } else { Wait::Other };
        while !self.is_finished() && until.is_none_or(|until| until > clock.now()) {
            let _listed = Listed { of: self, waiter: frame };
            frame.wait(seat, (wait, Interruption::Join), until, |generation| {
                self.task.core().add_waiter(Waiter::Task(Task::clone(&frame.task), generation))
            });
        }
        Ok(())
    }

    #[cold]
    fn wait_blocking(&self, timeout: Option<Duration>) -> Result<(), JoinError> {
        if here::current().is_some_and(|task| task.is(&self.task)) {
            // From the task's own system call.
            return Err(JoinError::SelfJoin(self.clone()));
        }
        if !may_block() || own_seat(self.task.core().shared(), |seat| seat.is_some()) {
            return Err(JoinError::WouldBlockSeat(self.clone()));
        }
        let until: Option<Instant> = timeout.and_then(|timeout| now().checked_add(timeout));
        let parker = Arc::new(Parker::new());
        if self.task.core().add_waiter(Waiter::Thread(Arc::clone(&parker))) {
            while !self.is_finished() && parker.park(until) {}
            self.task
                .core()
                .remove_waiters(|waiter| matches!(waiter, Waiter::Thread(other) if Arc::ptr_eq(other, &parker)));
        }
        Ok(())
    }

    /// Takes the result, if there is one and it was left to the references: never waits.
    ///
    /// A result is the task's [`JoinHandle`]'s until a [`join`](JoinHandle::join) that uses the handle up is refused; from
    /// then on the first reference that takes it gets it. (One of [`submit_task`](crate::PoolHandle::submit_task) is
    /// anybody's at any time.)
    ///
    /// ```
    /// use copool::{CoroutinePool, JoinError};
    ///
    /// let mut pool = CoroutinePool::default();
    /// let handle = pool.spawn(|| String::from("kept")).unwrap();
    /// // A join would block the thread that has to drive the pool.
    /// let refused = handle.join().unwrap_err();
    /// assert!(matches!(refused, JoinError::WouldBlockSeat(_)));
    /// let task = refused.into_task().unwrap();
    /// pool.wait(&task).unwrap();
    /// assert_eq!(task.take::<String>().unwrap(), "kept");
    /// ```
    ///
    /// # Errors
    /// Why there is no value, as in [`JoinHandle::join`]; [`JoinError::Timeout`] with a zero duration if the task has not
    /// ended, [`JoinError::Held`] if the result is the handle's, [`JoinError::WrongType`] if it is no `T`. By none of these
    /// three is anything lost.
    pub fn take<T: Send + 'static>(&self) -> Result<T, JoinError> {
        if !self.task.gives::<T>() {
            return Err(JoinError::WrongType);
        }
        // SAFETY: the result is a `T`, and it is a reference that takes.
        unsafe { self.take_by(Taker::Reference) }
    }

    /// # Safety
    /// The result is a `T`. [`Taker::Handle`] is for the task's only `JoinHandle`, exclusively borrowed.
    #[inline]
    unsafe fn take_by<T: 'static>(&self, by: Taker) -> Result<T, JoinError> {
        // SAFETY: handed on.
        match unsafe { self.task.take(by) } {
            Taken::Value(value) => Ok(value),
            Taken::Panic(payload) => Err(JoinError::Panicked(payload)),
            Taken::Nothing => Err(JoinError::Taken),
            Taken::Held => Err(JoinError::Held),
            Taken::Without(outcome) => Err(without(outcome)),
        }
    }

    /// Asks to cancel the task.
    ///
    /// A queued task never runs; its closure is dropped and its outcome published before this returns, unless another
    /// thread cancels it at the same time and is about to do so. A started one unwinds at its present or next suspension
    /// call.
    pub fn cancel(&self) -> Cancel {
        self.task.core().shared().cancel(&self.task)
    }

    /// Ends the task's [`park`](crate::park()), or has its next one return at once.
    pub fn unpark(&self) {
        super::unpark(&self.task);
    }
}

// What a panic leaves behind in a task's cell is never half done.
impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

/// References are equal if they are to the same task.
impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        self.task.is(&other.task)
    }
}

impl Eq for TaskRef {}

impl Hash for TaskRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.task.address().hash(state);
    }
}

impl AsRef<TaskRef> for TaskRef {
    fn as_ref(&self) -> &TaskRef {
        self
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TaskRef");
        debug.field("id", &self.id()).field("name", &self.name()).field("outcome", &self.outcome()).finish()
    }
}

/// Takes a task off another one's list, however its wait ends.
struct Listed<'a> {
    of: &'a TaskRef,
    waiter: &'a Frame,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        if self.of.is_finished() {
            // Whoever ended it takes the whole list, and a note for a wait that is over does nothing.
            return;
        }
        let waits = |waiter: &Waiter| matches!(waiter, Waiter::Task(task, _) if task.is(&self.waiter.task));
        self.of.task.core().remove_waiters(waits);
    }
}

/// The handle to a task's result.
///
/// Dropping it detaches: the task goes on, and its result is dropped with it. As a [`Future`] it works in any executor.
pub struct JoinHandle<T> {
    task: TaskRef,
    result: PhantomData<fn() -> T>,
}

impl<T: Send + 'static> JoinHandle<T> {
    pub(crate) fn new(task: Task) -> Self {
        Self { task: TaskRef::new(task), result: PhantomData }
    }

    /// Waits for the outcome and takes the result: inside a task by suspending it, on a plain thread by blocking.
    ///
    /// # Errors
    /// Why there is no value ([`JoinError::Panicked`], [`JoinError::Cancelled`], [`JoinError::Abandoned`],
    /// [`JoinError::Taken`]), or why the caller cannot wait here (see [`TaskRef::wait`]). In the latter case nothing is
    /// lost: the error holds the task, whose result [`TaskRef::take`] takes once it has ended.
    #[inline]
    pub fn join(mut self) -> Result<T, JoinError> {
        match self.task.wait() {
            Ok(_) => self.take(),
            Err(refused) => {
                self.give_up();
                Err(refused)
            }
        }
    }

    /// Leaves the result to the references.
    pub(crate) fn give_up(self) -> TaskRef {
        self.task.task.core().word.give();
        self.task
    }

    /// Waits as [`join`](Self::join) does, for at most `timeout`. After [`JoinError::Timeout`] it may be called again.
    ///
    /// # Errors
    /// [`JoinError::Timeout`], and those of [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<T, JoinError> {
        self.task.wait_timeout(timeout)?;
        self.take()
    }

    /// Takes the result, if there is one: never waits.
    ///
    /// # Errors
    /// Why there is no value, as in [`join`](Self::join).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.is_finished().then(|| self.take())
    }

    #[inline]
    fn take(&mut self) -> Result<T, JoinError> {
        // SAFETY: the closure returns a `T`; there is one handle to a task, and this borrows it.
        unsafe { self.task.take_by(Taker::Handle) }
    }

    /// Asks to cancel the task; see [`TaskRef::cancel`].
    pub fn cancel(&self) -> Cancel {
        self.task.cancel()
    }

    /// The task's id, unique in its pool.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.task.name()
    }

    /// Whether the task has its outcome.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Another reference to the same task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        self.task.clone()
    }
}

/// Why there is no result, of a task with this outcome.
#[cold]
fn without(outcome: Option<Outcome>) -> JoinError {
    match outcome {
        Some(Outcome::Cancelled) => JoinError::Cancelled,
        Some(Outcome::Abandoned) => JoinError::Abandoned,
        Some(Outcome::Returned | Outcome::Panicked) => JoinError::Taken,
        None => JoinError::Timeout(Duration::ZERO),
    }
}

impl<T: Send + 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_finished() {
            let core = self.task.task.core();
            // An executor may poll with another waker each time: only the last one counts.
            core.remove_waiters(|waiter| matches!(waiter, Waiter::Future(_)));
            if core.add_waiter(Waiter::Future(context.waker().clone())) {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.get_mut().take())
    }
}

impl<T> AsRef<TaskRef> for JoinHandle<T> {
    fn as_ref(&self) -> &TaskRef {
        &self.task
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task).finish()
    }
}
