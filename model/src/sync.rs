//! The one lock of the reference pool, for threads of the system, of loom and of shuttle.
//!
//! All that threads share is one value behind one [`Lock`]: a mutex, and a condition variable that is notified whenever
//! somebody has changed the value while somebody else waits. So nobody has to know whom to wake, and no wake-up can be
//! lost; what the production pool has to prove about its sleepers, this lock has by construction.

/// A value that one thread at a time has.
pub trait Lock<T>: Send + Sync + 'static {
    /// A lock around this value.
    fn new(value: T) -> Self;

    /// Gives the value to `step`, and again each time somebody else has changed it, until `step` has an answer. A `step`
    /// without an answer has changed nothing.
    fn until<R>(&self, step: impl FnMut(&mut T) -> Option<R>) -> R;

    /// Gives the value to `step` once.
    fn with<R>(&self, step: impl FnOnce(&mut T) -> R) -> R {
        let mut step = Some(step);
        self.until(|value| step.take().map(|step| step(value)))
    }
}

/// Whose threads use a pool.
pub trait Platform: 'static {
    /// Its lock.
    type Lock<T: Send + 'static>: Lock<T>;
}

macro_rules! platform {
    ($(#[$doc:meta])* $platform:ident, $lock:ident, $($sync:ident)::+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $platform {}

        impl Platform for $platform {
            type Lock<T: Send + 'static> = $lock<T>;
        }

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $lock<T> {
            held: $($sync)::+::Mutex<Held<T>>,
            changed: $($sync)::+::Condvar,
        }

        impl<T: Send + 'static> Lock<T> for $lock<T> {
            fn new(value: T) -> Self {
                let held = $($sync)::+::Mutex::new(Held { value, waiting: 0 });
                Self { held, changed: $($sync)::+::Condvar::new() }
            }

            fn until<R>(&self, mut step: impl FnMut(&mut T) -> Option<R>) -> R {
                const POISONED: &str = "nothing panics under the lock";
                let mut held = self.held.lock().expect(POISONED);
                loop {
                    if let Some(answer) = step(&mut held.value) {
                        if held.waiting > 0 {
                            self.changed.notify_all();
                        }
                        return answer;
                    }
                    held.waiting += 1;
                    held = self.changed.wait(held).expect(POISONED);
                    held.waiting -= 1;
                }
            }
        }
    };
}

/// What is behind a lock.
#[derive(Debug)]
struct Held<T> {
    value: T,
    waiting: usize,
}

platform!(
    /// Threads of the system.
    System, SystemLock, std::sync
);
#[cfg(feature = "loom")]
platform!(
    /// Threads of loom.
    Loom, LoomLock, loom::sync
);
platform!(
    /// Threads of shuttle.
    Shuttle, ShuttleLock, shuttle::sync
);
