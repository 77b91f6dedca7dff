//! The facade under shuttle: large executions, their schedules drawn at random.
//!
//! Memory is sequentially consistent, so the fences do nothing and only the order of steps varies. A step is what runs
//! between two uses of this facade.

use std::cell::Cell;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

pub(crate) use super::stub::lock::{Condvar, Mutex};
pub(crate) use super::stub::time::now;
pub(crate) use super::stub::unwinding::{catch, panicking, throw};

/// `std::cell::UnsafeCell` behind loom's interface, which fails the run if an access overlaps with a writer's.
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T> {
    value: std::cell::UnsafeCell<T>,
    /// How many read it at the moment, or [`WRITER`].
    users: Cell<usize>,
}

const WRITER: usize = usize::MAX;

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: std::cell::UnsafeCell::new(value), users: Cell::new(0) }
    }

    /// Hands a pointer for reading to `f`. The caller answers for there being no writer meanwhile.
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        assert_ne!(self.users.get(), WRITER, "a cell is read while it is written");
        self.users.set(self.users.get() + 1);
        let _done = Done(|| self.users.set(self.users.get() - 1));
        f(self.value.get())
    }

    /// Hands a pointer for writing to `f`. The caller answers for there being no other access meanwhile.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        assert_eq!(self.users.get(), 0, "a cell is written while it is in use");
        self.users.set(WRITER);
        let _done = Done(|| self.users.set(0));
        f(self.value.get())
    }

    /// The value, for who has the cell to itself.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Does something on its way out, on unwinding too.
struct Done<F: Fn()>(F);

impl<F: Fn()> Drop for Done<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Threads.
pub(crate) mod thread {
    pub(crate) use super::super::stub::thread::{Thread, sleep, spawn, yield_now};
}

/// A thread-local of shuttle's threads: std's would be shared by them all. See the production facade.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $kind:ty = $value:expr) => {
        ::shuttle::thread_local! { $(#[$meta])* static $name: $kind = $value }
    };
}
pub(crate) use local;

/// The work-stealing queues.
pub(crate) mod deque {
    pub use super::super::stub::locked::{Deque, Injector, Stealer};
    pub use super::super::stub::steal::Steal;
}

/// One side of a store-then-load handshake. Shuttle's memory is in order anyway.
pub(crate) fn light_fence() {}

/// The other side.
pub(crate) fn heavy_fence() {}

/// Nothing to decide here.
pub(crate) fn prepare_fences() {}
