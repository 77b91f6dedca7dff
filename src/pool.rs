//! The pool as its users see it: [`CoroutinePool`], [`PoolHandle`] and [`TaskBuilder`].
//!
//! [`Shared`] is the core that all seats and handles of a pool share, [`Post`] the half of a seat that others see. How a
//! task is submitted is in `submit`, how a seat is driven in [`schedule`](crate::schedule).

mod builder;
mod counters;
mod handle;
mod parker;
mod post;
mod shared;
mod submit;
mod tally;
mod waking;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::time::{Duration, Instant};

use builder::Background;
pub use builder::{Builder, MAX_SIZE_LIMIT};
pub use counters::Counters;
pub use handle::PoolHandle;
pub(crate) use parker::Parker;
pub(crate) use post::Post;
pub(crate) use shared::{Fixed, Shared};
pub use submit::TaskBuilder;
pub(crate) use tally::Count;

use crate::DriveEnd;
use crate::error::DriveError;
use crate::here;
use crate::schedule::{Goal, Seat};
use crate::sync::Arc;
use crate::task::TaskRef;

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
    owned: Option<Vec<Background>>,
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

    fn seated(handle: PoolHandle, owned: Option<Vec<Background>>) -> Self {
        let seat = Rc::new(Seat::new(&handle.shared));
        here::enlist(&seat);
        Self { handle, seat, owned, not_send: PhantomData }
    }

    fn adopt(&mut self, thread: Background) {
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

    /// Runs what can run now, until `deadline` at the latest, by the pool's clock.
    ///
    /// It blocks only for the keep-alive of workers that this very call idled. Tasks that wait do not hold it: then it
    /// says [`DriveEnd::Waiting`].
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn try_timeout_schedule_task(&mut self, deadline: Instant) -> Result<DriveEnd, DriveError> {
        self.seat.drive(Goal::Ready, Some(deadline))
    }

    /// Drives until every accepted task has its outcome ([`DriveEnd::AllDone`]), or until `deadline`, by the pool's clock
    /// ([`DriveEnd::Deadline`]).
    ///
    /// Meanwhile it blocks, for as long as a task waits for somebody outside of the pool. It comes back before with
    /// [`DriveEnd::Stalled`] if nothing can go on, with [`DriveEnd::Stopped`] if the pool was stopped and gave tasks up, and on
    /// a [`VirtualClock`](crate::VirtualClock) with [`DriveEnd::Waiting`] where it would have to block.
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them.
    pub fn drain(&mut self, deadline: impl Into<Option<Instant>>) -> Result<DriveEnd, DriveError> {
        self.seat.drive(Goal::Drained, deadline.into())
    }

    /// Drives until this task has its outcome: [`DriveEnd::AllDone`]. It blocks, and comes back before that, as
    /// [`drain`](Self::drain) does.
    ///
    /// # Errors
    /// [`DriveError`]; nothing is lost by any of them. [`DriveError::OtherPool`] for
    /// a task of another pool whose only seat is on this thread too: then only that seat's drive can end it.
    pub fn wait(&mut self, task: &impl AsRef<TaskRef>) -> Result<DriveEnd, DriveError> {
        let task = task.as_ref();
        if task.is_finished() {
            return Ok(DriveEnd::AllDone);
        }
        let task = task.task();
        if !self.owns_task(task) && task.core().shared().is_only_seated_here() {
            return Err(DriveError::OtherPool);
        }
        self.seat.drive(Goal::Ended(task), None)
    }

    /// Drives until the pool is stopped: [`DriveEnd::Stopped`]. On a [`VirtualClock`](crate::VirtualClock) it comes back with
    /// [`DriveEnd::Waiting`] where it would have to block: serve again once the clock was advanced.
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
        let orphan = Orphan { owned: self.owned.take(), shared: Arc::clone(&self.handle.shared) };
        if orphan.owned.is_some() {
            orphan.shared.abandon_all();
        }
        if self.seat.driving.get() {
            // A `stop` drives the seat without borrowing the pool, so a task or a listener in there can drop it.
            self.seat.orphan.set(Some(orphan));
        } else {
            orphan.finish(&self.seat);
        }
    }
}

/// What is to be done for a dropped [`CoroutinePool`] once its seat is not driven any more.
pub(crate) struct Orphan {
    owned: Option<Vec<Background>>,
    shared: Arc<Shared>,
}

impl Orphan {
    pub(crate) fn finish(self, seat: &Seat) {
        seat.leave();
        let Some(threads) = self.owned else { return };
        for thread in threads {
            thread.join();
            self.shared.remove_thread();
        }
        self.shared.helpers.join();
        self.shared.settle();
    }
}
