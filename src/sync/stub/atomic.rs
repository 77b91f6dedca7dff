//! Loom's atomics, whose loads can be made steps that depend on each other.
//!
//! Loom explores another order of two accesses where the later one finds the earlier one as the last to depend on, and
//! it keeps one last access of an atomic. A thread that loads and then exchanges hides with its load what other threads
//! have loaded before, so loom never runs that exchange before those loads: of `load` against `load; exchange` it runs
//! a single execution. To have loads in both orders restores what is hidden: whoever loads first goes on to its exchange.
//!
//! A notification of a condition variable on which nobody waits does that: each depends on the last, and it orders no
//! memory. It costs executions, so a check asks for it ([`depend`]): without, no exploration is complete.

use std::cell::Cell;
use std::ops::Deref;

use loom::sync::Condvar;
use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;

std::thread_local! {
    /// Loom runs all threads of a model on one thread of the system.
    static DEPEND: Cell<bool> = const { Cell::new(false) };
}

/// Whether loads depend on each other from here on.
pub(crate) fn depend(on: bool) {
    DEPEND.set(on);
}

/// One of loom's atomics.
pub(crate) trait Inner {
    /// What it holds.
    type Value;

    /// See loom.
    fn new(value: Self::Value) -> Self;

    /// See loom.
    fn load(&self, order: Ordering) -> Self::Value;
}

macro_rules! inner {
    ($([$($kind:ident)?] $atomic:ty: $value:ty),+) => {$(
        impl $(<$kind>)? Inner for $atomic {
            type Value = $value;

            #[track_caller]
            fn new(value: $value) -> Self {
                <$atomic>::new(value)
            }

            #[track_caller]
            fn load(&self, order: Ordering) -> $value {
                <$atomic>::load(self, order)
            }
        }
    )+};
}

inner!(
    [] atomic::AtomicBool: bool,
    [] atomic::AtomicU32: u32,
    [] atomic::AtomicU64: u64,
    [] atomic::AtomicUsize: usize,
    [T] atomic::AtomicPtr<T>: *mut T
);

/// One of loom's atomics, with loads that may depend on each other.
#[derive(Debug)]
pub(crate) struct Atomic<A> {
    loads: Condvar,
    atomic: A,
}

impl<A: Inner> Atomic<A> {
    #[track_caller]
    pub(crate) fn new(value: A::Value) -> Self {
        Self { loads: Condvar::new(), atomic: A::new(value) }
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> A::Value {
        if DEPEND.get() {
            self.loads.notify_one();
        }
        // Ordering: the caller's.
        self.atomic.load(order)
    }
}

impl<A> Deref for Atomic<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.atomic
    }
}

pub(crate) type AtomicBool = Atomic<atomic::AtomicBool>;
pub(crate) type AtomicU32 = Atomic<atomic::AtomicU32>;
pub(crate) type AtomicU64 = Atomic<atomic::AtomicU64>;
pub(crate) type AtomicUsize = Atomic<atomic::AtomicUsize>;
pub(crate) type AtomicPtr<T> = Atomic<atomic::AtomicPtr<T>>;
