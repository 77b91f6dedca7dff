//! How a pool is built.

use std::time::Duration;

use copool_spec::{PoolId, Tell};

use super::{CoroutinePool, Fixed, Parker, PoolHandle, Shared};
use crate::clock::Clock;
use crate::creator::{Limits, MOST};
use crate::error::BuildError;
use crate::here;
use crate::listener::Listener;
use crate::queue::LocalOrder;
use crate::schedule::Goal;
use crate::stack::{self, Stacks};
use crate::sync::{Arc, AtomicBool, Ordering, catch, prepare_fences, serial, thread};
use crate::syscall::Helpers;

/// The default of `max_size`.
pub(crate) const DEFAULT_MAX: u32 = 65_536;
/// The default of `max_syscall_threads`.
const DEFAULT_SYSCALL_THREADS: u32 = 64;

/// Settings for a pool to be built. Everything has a default.
///
/// ```
/// use std::time::Duration;
/// use copool::CoroutinePool;
///
/// let mut pool = CoroutinePool::builder()
///     .name("indexer")
///     .max_size(1_000)
///     .keep_alive(Duration::from_millis(50))
///     .threads(1)
///     .build()?;
/// let sum = pool.spawn(|| (1..=10).sum::<u32>()).unwrap();
/// pool.drain(None).unwrap();
/// assert_eq!(sum.join().unwrap(), 55);
/// # Ok::<(), copool::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    name: Option<String>,
    min_size: u32,
    max_size: u32,
    keep_alive: Duration,
    stack_size: usize,
    max_stacks: Option<usize>,
    clock: Clock,
    listeners: Vec<Box<dyn Listener>>,
    slice: Option<Duration>,
    local_order: LocalOrder,
    max_syscall_threads: u32,
    threads: u32,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            name: None,
            min_size: 0,
            max_size: DEFAULT_MAX,
            keep_alive: Duration::ZERO,
            stack_size: stack::DEFAULT,
            max_stacks: None,
            clock: Clock::default(),
            listeners: Vec::new(),
            slice: None,
            local_order: LocalOrder::Fifo,
            max_syscall_threads: DEFAULT_SYSCALL_THREADS,
            threads: 0,
        }
    }

    /// The pool's name, for people: in thread names, messages and `Debug`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many workers are kept once created, by the first drive that has something to do. Default 0; above
    /// `max_size` the pool is not built.
    pub fn min_size(mut self, min_size: u32) -> Self {
        self.min_size = min_size;
        self
    }

    /// The most workers, so the most tasks that are started and unfinished at once. Default 65,536; with 0 nothing runs.
    /// Above [`MAX_SIZE_LIMIT`] the pool is not built.
    pub fn max_size(mut self, max_size: u32) -> Self {
        self.max_size = max_size;
        self
    }

    /// For how long an idle worker above `min_size` stays. Default zero.
    ///
    /// The stack of one that has left is kept for the next. If more than a mebibyte of stacks lies idle, the memory of those
    /// that nobody has wanted for this long, and for a second at least, goes back to the system. Seats see to it when they
    /// go to sleep, when a drive ends, and in the midst of one as long as there are timers.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// The stack of a worker in bytes, rounded up to whole pages. Default 64 KiB; below 16 KiB, or above a
    /// tebibyte (on a 32-bit system half a gibibyte), the pool is not built.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = stack_size;
        self
    }

    /// The most stacks the pool may have in use at once; beyond it, stacks are exhausted. Default: as many as the system gives.
    /// Those of idle workers count, and the few that a seat keeps at hand while it is driven; those that were given back to the
    /// pool do not.
    pub fn max_stacks(mut self, max_stacks: usize) -> Self {
        self.max_stacks = Some(max_stacks);
        self
    }

    /// Where the pool gets its time from: the system's monotonic clock, or a [`VirtualClock`](crate::VirtualClock).
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Adds a listener. They are called in the order in which they were added.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// How long a task may run before [`checkpoint`](crate::checkpoint()) suspends it. Default: off.
    pub fn slice(mut self, slice: Duration) -> Self {
        self.slice = Some(slice);
        self
    }

    /// In which order a seat runs what was submitted on its own thread. Default first in, first out.
    pub fn local_order(mut self, local_order: LocalOrder) -> Self {
        self.local_order = local_order;
        self
    }

    /// The most helper threads for [`syscall`](crate::syscall()). Default 64; with 0 calls run in place.
    pub fn max_syscall_threads(mut self, max_syscall_threads: u32) -> Self {
        self.max_syscall_threads = max_syscall_threads;
        self
    }

    /// Background schedule threads, each of which serves the pool until it is stopped. Default 0: nothing runs unless
    /// somebody drives.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Builds the pool, with a seat for this thread.
    ///
    /// # Errors
    /// [`BuildError`], with the value at fault. Background threads that were started are joined again.
    pub fn build(self) -> Result<CoroutinePool, BuildError> {
        let stack_size = stack::usable_size(self.stack_size)?;
        let limits = Limits::new(self.min_size, self.max_size)?;
        prepare_fences();
        stack::overflow::install(here::describe_fault);
        // A thread's name ends at the first NUL, so std takes none.
        let thread_name = self.name.as_deref().unwrap_or("copool").replace('\0', "\u{fffd}");
        let helpers = Helpers::new(self.max_syscall_threads, &thread_name);
        let stacks = self.max_stacks.map_or_else(Stacks::new, Stacks::with_limit);
        let fixed = Fixed { name: self.name, stack_size, slice: self.slice, local_order: self.local_order };
        let shared = Shared::new(PoolId(serial()), fixed, self.clock, self.listeners, limits, helpers, stacks);
        let shared = Arc::new(shared);
        shared.set_keep_alive(self.keep_alive);
        shared.clock.subscribe(&shared);
        shared.pool_built(shared.id, self.min_size, self.max_size);
        let mut pool = CoroutinePool::owner(PoolHandle::new(Arc::clone(&shared)));
        shared.seat_attached(pool.seat().post.id);
        for n in 0..self.threads {
            // If one cannot be started, the drop of the pool stops and joins the others.
            let thread = start(pool.handle(), format!("{thread_name}-{n}")).map_err(BuildError::Spawn)?;
            pool.adopt(thread);
        }
        Ok(pool)
    }
}

/// Starts a background schedule thread.
fn start(handle: PoolHandle, name: String) -> std::io::Result<Background> {
    let done = Arc::new(Parker::new());
    let stays = Arc::new(AtomicBool::new(false));
    let (says, flag) = (Arc::clone(&done), Arc::clone(&stays));
    let thread = thread::spawn(name, move || {
        // Even if a fault of our own should unwind: the owner's drop waits for the token.
        drop(catch(|| serve(handle)));
        let leaks = here::leaks() > 0;
        // Ordering: Release publishes the flag with the token that follows; the token's lock would do.
        flag.swap(leaks, Ordering::Release);
        says.unpark();
        if leaks {
            // What is on a leaked stack may refer to this thread's own values, so the thread stays for ever.
            loop {
                Parker::new().park(None);
            }
        }
    })?;
    Ok(Background { thread, done, stays })
}

fn serve(handle: PoolHandle) {
    // A pool that was stopped before its thread came up needs no seat any more.
    let Ok(seat) = handle.attach() else { return };
    // It ends when the pool is stopped; there is nobody here to tell of anything else.
    let _ = seat.seat().drive(Goal::Stopped { patient: true }, None);
}

/// A background schedule thread.
pub(super) struct Background {
    thread: thread::Thread,
    done: Arc<Parker>,
    stays: Arc<AtomicBool>,
}

impl Background {
    /// Waits until the thread has left its seat.
    pub(super) fn join(self) {
        if self.thread.is_current() {
            return;
        }
        self.done.park(None);
        // Ordering: Acquire pairs with the Release before the token.
        if !self.stays.load(Ordering::Acquire) {
            self.thread.join();
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("min_size", &self.min_size)
            .field("max_size", &self.max_size)
            .field("keep_alive", &self.keep_alive)
            .field("stack_size", &self.stack_size)
            .field("clock", &self.clock)
            .field("listeners", &self.listeners.len())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The largest `max_size` that [`Builder::max_size`] takes.
pub const MAX_SIZE_LIMIT: u32 = MOST;
