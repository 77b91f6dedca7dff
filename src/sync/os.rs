//! The facade of the production build: std, crossbeam-deque, and `membarrier` where Linux has it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
pub(crate) use std::sync::MutexGuard;
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) use std::thread::panicking;

/// A mutex that ignores poisoning: no user code runs under any lock of this crate.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable, the only primitive anything here blocks on.
#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a notification, or for `timeout`; may also wake up for no reason.
    pub(crate) fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// `std::cell::UnsafeCell` behind loom's interface.
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Hands a pointer for reading to `f`. The caller answers for there being no writer meanwhile.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// The value, for its only owner.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Hands a pointer for writing to `f`. The caller answers for there being no other access meanwhile.
    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Runs `f` and hands back its panic, if it panics, with the payload.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}

/// Unwinds with `payload`, without the panic hook.
pub(crate) fn throw(payload: Box<dyn Any + Send>) -> ! {
    resume_unwind(payload)
}

/// The present moment of the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Threads.
pub(crate) mod thread {
    pub(crate) use std::thread::{sleep, yield_now};
    use std::{io, thread};

    /// A thread that can be joined.
    #[derive(Debug)]
    pub(crate) struct Thread(thread::JoinHandle<()>);

    impl Thread {
        /// Waits for the thread's end. A panic in it has been reported by the hook already.
        pub(crate) fn join(self) {
            drop(self.0.join());
        }

        /// Whether this is the calling thread.
        pub(crate) fn is_current(&self) -> bool {
            self.0.thread().id() == thread::current().id()
        }
    }

    /// Starts a thread, or says why the system does not let it.
    pub(crate) fn spawn(name: String, f: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
        thread::Builder::new().name(name).spawn(f).map(Thread)
    }
}

/// A thread-local with a constant initial value: `local! { static NAME: Type = value }`, then `NAME.with(|it| ...)`,
/// or `NAME.try_with`, which fails once the thread is past its own destructors.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $kind:ty = $value:expr) => {
        ::std::thread_local! { $(#[$meta])* static $name: $kind = const { $value } }
    };
}
pub(crate) use local;

/// Whether this is the thread whose end is the end of the process.
pub(crate) fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: both take nothing and touch no memory of ours.
        unsafe { libc::getpid() == libc::gettid() }
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}

/// The work-stealing queues.
pub(crate) mod deque {
    pub(crate) use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};
}

pub(crate) use fence::{heavy_fence, light_fence};

/// A fence in two halves of different weight.
///
/// `membarrier(PRIVATE_EXPEDITED)` makes every running thread of the process execute a full barrier, and a thread that
/// is not running has executed one when it was switched out. So with respect to the caller's barrier each other
/// thread's program order is memory order, and a compiler fence is all that the other side needs.
#[cfg(target_os = "linux")]
mod fence {
    use std::sync::atomic::{AtomicU8, Ordering, compiler_fence, fence};

    const UNKNOWN: u8 = 0;
    const ASYMMETRIC: u8 = 1;
    const SYMMETRIC: u8 = 2;

    static KIND: AtomicU8 = AtomicU8::new(UNKNOWN);

    /// Orders all accesses before it against all after it, if the other side executes a [`heavy_fence`].
    #[inline]
    pub(crate) fn light_fence() {
        // Ordering: Relaxed, as the value is decided once. A thread that still reads UNKNOWN uses the full fence, which
        // is right with either kind on the other side.
        if KIND.load(Ordering::Relaxed) == ASYMMETRIC {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The other half of [`light_fence`]: about a microsecond, for the side that is about to block.
    pub(crate) fn heavy_fence() {
        if kind() == SYMMETRIC {
            fence(Ordering::SeqCst);
        } else if !membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            // A process registers once and stays registered. Going on without the barrier would lose wake-ups.
            let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
            assert!(
                registered && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED),
                "membarrier worked before and now fails"
            );
        }
    }

    /// Decides the kind before the first pool is shared, so that [`light_fence`] is light from then on.
    pub(crate) fn prepare() {
        kind();
    }

    fn kind() -> u8 {
        // Ordering: Relaxed; the value stands for nothing else.
        let kind = KIND.load(Ordering::Relaxed);
        if kind != UNKNOWN {
            return kind;
        }
        let wish = if membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) { ASYMMETRIC } else { SYMMETRIC };
        // Ordering: Relaxed. The first decision stands: two kinds at once would not pair.
        match KIND.compare_exchange(UNKNOWN, wish, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => wish,
            Err(decided) => decided,
        }
    }

    fn membarrier(command: i32) -> bool {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}
#[cfg(not(target_os = "linux"))]
mod fence {
    use std::sync::atomic::{Ordering, fence};

    /// One side of a store-then-load handshake.
    pub(crate) fn light_fence() {
        fence(Ordering::SeqCst);
    }

    /// The other side.
    pub(crate) fn heavy_fence() {
        fence(Ordering::SeqCst);
    }

    /// Nothing to decide here.
    pub(crate) fn prepare() {}
}
pub(crate) use fence::prepare as prepare_fences;
