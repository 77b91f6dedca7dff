//! The checker's mutex and condition variable behind the facade's interface.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

use super::{checker, time};

/// A mutex that ignores poisoning: no user code runs under any lock of this crate.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(checker::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, held: self.0.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// A held [`Mutex`]. It knows its mutex, so that [`Condvar::wait_timeout`] can let go of it without the checker's help.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    held: checker::sync::MutexGuard<'a, T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

/// A condition variable, the only primitive anything here blocks on.
#[derive(Debug, Default)]
pub(crate) struct Condvar(checker::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(checker::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { mutex, held } = guard;
        MutexGuard { mutex, held: self.0.wait(held).unwrap_or_else(PoisonError::into_inner) }
    }

    /// Lets the others run, then comes back: with the time gone by, or, if the checker so chooses, for no reason.
    ///
    /// The checkers know no time, and a wait that only time can end would be a deadlock to them. So this never blocks,
    /// which hides a lost notification: that the waits without a timeout must find.
    pub(crate) fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
        let MutexGuard { mutex, held } = guard;
        drop(held);
        checker::thread::yield_now();
        if times_out() {
            time::pass(timeout);
        }
        mutex.lock()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Loom explores schedules and reads, not choices of other kinds: each timed wait times out.
#[cfg(feature = "loom")]
fn times_out() -> bool {
    true
}

#[cfg(feature = "shuttle")]
fn times_out() -> bool {
    use shuttle::rand::Rng as _;
    shuttle::rand::thread_rng().gen_bool(0.5)
}
