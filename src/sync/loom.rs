//! The facade under loom: every schedule up to a bound on the preemptions, and reads as weak as the memory model allows.
//!
//! What a model must know:
//!
//! - Five threads at most, the main thread included, and few steps. The queues take few values ([`super::stub`]).
//! - Only `fence(SeqCst)` is sequentially consistent. A `SeqCst` access counts as `AcqRel`.
//! - A plain store that races a read-modify-write on the same word gives impossible histories: state words change by
//!   read-modify-write only.
//! - std's `Arc` orders no memory here. A last owner's drop uses [`UnsafeCell::get_mut`], which loom does not check, and
//!   reads no atomic that another thread may have written last, but by a read-modify-write.
//! - A lock that is let go while another thread unwinds counts as poisoned, and loom fails the next one to take it. So a
//!   model with panics or cancels in it leaves the locks of other threads alone meanwhile.
//! - Thread-locals are destroyed in no fixed order: at most one of them may have a destructor that synchronises.

pub(crate) use super::stub::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use super::stub::fences::{heavy as heavy_fence, light as light_fence};
pub(crate) use super::stub::lock::{Condvar, Mutex};
pub(crate) use super::stub::time::now;
pub(crate) use super::stub::unwinding::{catch, panicking, throw};

/// A cell each of whose accesses must be ordered with all earlier ones of other threads, or loom fails the run.
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T> {
    accesses: loom::cell::UnsafeCell<()>,
    value: std::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    #[track_caller]
    pub(crate) fn new(value: T) -> Self {
        Self { accesses: loom::cell::UnsafeCell::new(()), value: std::cell::UnsafeCell::new(value) }
    }

    /// Hands a pointer for reading to `f`. The caller answers for there being no writer meanwhile.
    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.accesses.with(|_| f(self.value.get()))
    }

    /// Hands a pointer for writing to `f`. The caller answers for there being no other access meanwhile.
    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.accesses.with_mut(|_| f(self.value.get()))
    }

    /// The value, for who has the cell to itself. Loom, which does not know an `Arc`, is not asked.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Threads.
pub(crate) mod thread {
    pub(crate) use super::super::stub::thread::{Thread, sleep, spawn, yield_now};
}

/// A thread-local of loom's threads. See the production facade.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $kind:ty = $value:expr) => {
        ::loom::thread_local! { $(#[$meta])* static $name: $kind = $value }
    };
}
pub(crate) use local;

/// The work-stealing queues.
pub(crate) mod deque {
    pub use super::super::stub::injector::Injector;
    pub use super::super::stub::slots::{Deque, Stealer};
    pub use super::super::stub::steal::Steal;
}

/// Nothing to decide here.
pub(crate) fn prepare_fences() {}
