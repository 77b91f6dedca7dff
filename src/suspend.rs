//! The calls by which a task gives up the processor.
//!
//! Each is a cancellation point: a cancelled or abandoned task unwinds from it, destructors run, and the call does not
//! return. While the task unwinds they return at once. On a plain thread they act on the thread.
//!
//! None may be called in the initialiser of a thread-local; the README says why, and that nothing notices it.

use std::time::{Duration, Instant};

use copool_spec::{Interruption, Tell};

use crate::here::{self, Here, here};
use crate::sync::{now, thread};
use crate::task::{TaskRef, Wait};

/// Lets the others run: the task is ready again at once, behind them. On a plain thread, `yield_now`.
///
/// Like all that suspends, it has no place in the initialiser of a thread-local (see the crate's documentation).
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// let mut pool = copool::CoroutinePool::default();
/// let log = Arc::new(Mutex::new(Vec::new()));
/// for name in ["a", "b"] {
///     let log = Arc::clone(&log);
///     pool.spawn(move || {
///         for round in 1..=2 {
///             log.lock().unwrap().push(format!("{name}{round}"));
///             copool::suspend();
///         }
///     })
///     .unwrap();
/// }
/// pool.drain(None).unwrap();
/// assert_eq!(*log.lock().unwrap(), ["a1", "b1", "a2", "b2"]);
/// ```
#[inline(always)]
pub fn suspend() {
    // Inlined into the task, without a closure: a return on the other side of a switch is one that the processor predicts
    // wrong.
    // SAFETY: neither reference leaves this call.
    match unsafe { here::running() } {
        Some((seat, frame)) => frame.suspend(seat, Interruption::Suspend),
        None => suspend_elsewhere(),
    }
}

#[cold]
fn suspend_elsewhere() {
    if matches!(here::nowhere(), Here::Plain) {
        thread::yield_now();
    }
}

/// Waits for at least `duration` by the pool's clock. On a plain thread, `sleep`.
///
/// With a zero duration it is [`suspend`]; a duration that no clock reaches ends only by a cancel or a stop.
pub fn delay(duration: Duration) {
    here(|here| match here {
        Here::Task(seat, frame) => {
            if duration.is_zero() {
                return frame.suspend(seat, Interruption::Suspend);
            }
            if frame.point(seat) {
                let until = seat.shared().clock.now().checked_add(duration);
                frame.wait(seat, (Wait::Other, Interruption::Delay), until, |_| true);
            }
        }
        Here::Plain => thread::sleep(duration),
        Here::Quiet => {}
    });
}

/// Waits until somebody calls [`TaskRef::unpark`], or returns at once if somebody has since the last park.
///
/// At most one unpark is remembered. Unlike a thread's, a task's park has no spurious wake-ups. On a plain thread it
/// yields, as there is nobody to unpark it.
///
/// ```
/// let mut pool = copool::CoroutinePool::default();
/// let sleeper = pool.spawn(|| copool::park()).unwrap();
/// let waker = sleeper.task_ref();
/// pool.spawn(move || waker.unpark()).unwrap();
/// pool.drain(None).unwrap();
/// assert!(sleeper.join().is_ok());
/// ```
#[inline]
pub fn park() {
    park_until(|_| None);
}

/// As [`park`], but for at most `duration` by the pool's clock.
pub fn park_timeout(duration: Duration) {
    park_until(|now| now().checked_add(duration));
}

#[inline(always)]
fn park_until(until: impl FnOnce(&dyn Fn() -> Instant) -> Option<Instant>) {
    here(|here| match here {
        Here::Task(seat, frame) => {
            if frame.point(seat) {
                let until = until(&|| seat.shared().clock.now());
                frame.wait(seat, (Wait::Park, Interruption::Park), until, |_| true);
            }
        }
        Here::Plain => match until(&now) {
            Some(until) => thread::sleep(until.saturating_duration_since(now())),
            None => thread::yield_now(),
        },
        Here::Quiet => {}
    });
}

/// Suspends only if the task has used up its slice ([`Builder::slice`](crate::Builder::slice)).
///
/// The slice begins at the task's first checkpoint after a suspension. Long computations call this now and then; it is a
/// cancellation point in any case. With no slice set, no clock is read.
pub fn checkpoint() {
    here(|here| {
        let Here::Task(seat, frame) = here else { return };
        if !frame.point(seat) {
            return;
        }
        let Some(slice) = seat.shared().fixed.slice else { return };
        let now = seat.shared().clock.now();
        let Some(began) = frame.slice.get() else {
            frame.slice.set(Some(now));
            return;
        };
        let used = now.saturating_duration_since(began);
        if used >= slice {
            if used > slice {
                seat.shared().overran(seat.post.id, frame.task.core().id);
            }
            frame.suspend(seat, Interruption::Preempt);
        }
    });
}

/// The calling task; in the closure of a [`syscall`](crate::syscall()), the task that made the call.
///
/// `None` on a plain thread, and in a listener.
///
/// ```
/// let mut pool = copool::CoroutinePool::default();
/// assert!(copool::current().is_none());
/// let task = pool.task().name("me").spawn(|| copool::current().unwrap().name().map(String::from)).unwrap();
/// pool.drain(None).unwrap();
/// assert_eq!(task.join().unwrap().as_deref(), Some("me"));
/// ```
#[must_use]
pub fn current() -> Option<TaskRef> {
    here::current().map(TaskRef::new)
}
