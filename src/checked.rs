//! What the checks see of the facade under a checker. Built only there, and no part of the crate's interface.
//!
//! The facade must keep what its production version promises, or a check of the pool on top of it checks nothing; and
//! it must not keep more. `tests/smoke_loom.rs` and `tests/smoke_shuttle.rs` see to both through this module.

pub mod pool;
pub mod seat;
pub mod task;

use std::any::Any;
use std::time::{Duration, Instant};

pub use crate::sync::deque::{Deque, Injector, Steal, Stealer};
pub use crate::sync::stub::ScriptedPanic;
use crate::sync::{AtomicBool, Condvar, Mutex, Ordering, UnsafeCell, heavy_fence, light_fence, local, stub, thread};

/// Starts an execution. The harness calls this before anything else, so that all executions start alike.
pub fn begin() {
    stub::begin();
}

/// Whether loads of one atomic depend on each other, for an exploration that is to be complete.
#[cfg(feature = "loom")]
pub fn depend_loads(on: bool) {
    stub::atomic::depend(on);
}

/// Whether the light fence is no more than a light one, as in production.
#[cfg(feature = "loom")]
pub fn uneven_fences(on: bool) {
    stub::fences::uneven(on);
}

/// Runs `f` and hands back its panic if that was scripted, as the pool does for a task. Other panics go on.
///
/// # Errors
/// The payload of the panic.
pub fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    crate::sync::catch(f)
}

/// Whether this thread of the checker unwinds.
pub fn panicking() -> bool {
    crate::sync::panicking()
}

/// The present moment of the logical clock.
pub fn now() -> Instant {
    crate::sync::now()
}

/// A store-then-load handshake, as the pool uses it before it blocks: of two sides that run, one sees the other.
#[derive(Debug)]
pub struct Handshake {
    often: AtomicBool,
    seldom: AtomicBool,
}

impl Handshake {
    /// A handshake that nobody has begun.
    pub fn new() -> Self {
        Self { often: AtomicBool::new(false), seldom: AtomicBool::new(false) }
    }

    /// The side that runs often: announces itself, and says whether it saw the other.
    pub fn often(&self) -> bool {
        // Ordering: Relaxed; the fences order it, here and below.
        self.often.store(true, Ordering::Relaxed);
        light_fence();
        // Ordering: Relaxed; see above.
        self.seldom.load(Ordering::Relaxed)
    }

    /// The side that is about to block.
    pub fn seldom(&self) -> bool {
        // Ordering: Relaxed; see `often`.
        self.seldom.store(true, Ordering::Relaxed);
        heavy_fence();
        // Ordering: Relaxed; see `often`.
        self.often.load(Ordering::Relaxed)
    }
}

impl Handshake {
    /// What `seldom` must not be: with a light fence on both sides.
    pub fn seldom_but_light(&self) -> bool {
        // Ordering: Relaxed; see `often`.
        self.seldom.store(true, Ordering::Relaxed);
        light_fence();
        // Ordering: Relaxed; see `often`.
        self.often.load(Ordering::Relaxed)
    }
}

impl Default for Handshake {
    fn default() -> Self {
        Self::new()
    }
}

/// A value that one thread passes to another, through the facade's lock, condition variable and cell.
#[derive(Debug)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is written before `open` becomes true under the lock, by whoever opens, and read after that.
unsafe impl Sync for Gate {}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { open: Mutex::new(false), opened: Condvar::new(), value: UnsafeCell::new(0) }
    }

    /// Passes `value`. To be called once.
    pub fn open(&self, value: u32) {
        self.value.with_mut(|slot| {
            // SAFETY: the gate is closed, so nobody reads yet.
            unsafe { *slot = value };
        });
        *self.open.lock() = true;
        self.opened.notify_one();
    }

    /// Waits for the value, however long it takes.
    pub fn wait(&self) -> u32 {
        let mut open = self.open.lock();
        while !*open {
            open = self.opened.wait(open);
        }
        drop(open);
        self.value()
    }

    /// Waits for the value until `deadline`.
    pub fn wait_until(&self, deadline: Instant) -> Option<u32> {
        let mut open = self.open.lock();
        while !*open {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return None;
            }
            open = self.opened.wait_timeout(open, left);
        }
        drop(open);
        Some(self.value())
    }

    /// The value, or 0 if none was passed, for who has the gate to itself.
    pub fn into_value(mut self) -> u32 {
        *self.value.get_mut()
    }

    fn value(&self) -> u32 {
        self.value.with(|slot| {
            // SAFETY: the gate is open, so nobody writes any more.
            unsafe { *slot }
        })
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

local! {
    static LOCAL: std::cell::Cell<u32> = std::cell::Cell::new(0)
}

/// Adds to a thread-local of the facade and says what it was before.
pub fn count_up() -> u32 {
    LOCAL.with(|count| count.replace(count.get() + 1))
}

/// Runs `f` on a thread of the facade that sleeps for `time` first, joins it, and says whether it was another thread.
pub fn on_a_thread(time: Duration, f: impl FnOnce() + Send + 'static) -> bool {
    let thread = thread::spawn("checked".to_owned(), move || {
        thread::sleep(time);
        f();
    })
    .expect("a checker refuses no thread");
    let other = !thread.is_current();
    thread.join();
    other
}
