//! The core of a pool that its seats and handles share.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use copool_spec::{PoolId, PoolState, SeatId, TaskId, Tick, WorkerId};

use super::tally::{Count, Tallied, Tally};
use super::{Counters, Post};
use crate::clock::{Clock, tick};
use crate::creator::Limits;
use crate::here::own_seat;
use crate::lifecycle::Signals;
use crate::listener::Listener;
use crate::queue::{Lane, LocalOrder};
use crate::stack::Stacks;
use crate::sync::deque::Injector;
use crate::sync::{Arc, AtomicU64, AtomicUsize, CachePadded, Mutex, Ordering, light_fence};
use crate::syscall::Helpers;
use crate::task::{self, Task, Waiter};
use crate::worker::Idle;

/// What the builder fixed for the pool's life.
pub(crate) struct Fixed {
    pub(crate) name: Option<String>,
    pub(crate) stack_size: usize,
    pub(crate) slice: Option<Duration>,
    pub(crate) local_order: LocalOrder,
}

/// The shared core.
pub(crate) struct Shared {
    pub(crate) id: PoolId,
    pub(crate) fixed: Fixed,
    pub(crate) clock: Clock,
    pub(crate) start: Instant,
    pub(crate) listeners: Vec<Box<dyn Listener>>,
    pub(crate) signals: CachePadded<Signals>,
    pub(crate) limits: CachePadded<Limits>,
    /// Nanoseconds; `u64::MAX` is for ever.
    keep_alive: AtomicU64,
    pub(crate) injector: Injector<Task>,
    pub(crate) lane: Lane,
    /// Counts of what happens outside all seats. Changed from any thread.
    pub(crate) outside: Tally,
    pub(super) registry: Mutex<Registry>,
    registry_version: AtomicUsize,
    /// The next seat from which waking begins, so that it goes round.
    pub(super) next_wake: AtomicUsize,
    pub(crate) idle: Mutex<VecDeque<Idle>>,
    pub(crate) idle_count: AtomicUsize,
    pub(super) watchers: Mutex<Vec<Waiter>>,
    /// Tasks that are in `stop`.
    pub(crate) in_stop: AtomicUsize,
    /// Tasks that were abandoned in a queue, whose closures are still to be dropped.
    pub(crate) remains: Mutex<Vec<Task>>,
    pub(crate) stacks: Stacks,
    pub(crate) helpers: Helpers,
    pub(crate) workers_created: AtomicU64,
    pub(crate) stacks_leaked: AtomicU64,
    pub(crate) stacks_refused: AtomicU64,
    /// How many times a seat has given stacks back for all.
    stacks_given: AtomicU64,
    pub(crate) stolen: AtomicU64,
    threads: AtomicUsize,
    outside_ids: AtomicU64,
    task_blocks: AtomicU64,
}

#[derive(Default)]
pub(super) struct Registry {
    pub(super) posts: Vec<Arc<Post>>,
    left: Tallied,
    next_seat: u32,
}

/// How many task ids a seat takes at a time.
const ID_BLOCK: u64 = 1 << 20;

impl Shared {
    pub(crate) fn new(
        id: PoolId,
        fixed: Fixed,
        clock: Clock,
        listeners: Vec<Box<dyn Listener>>,
        limits: Limits,
        helpers: Helpers,
        stacks: Stacks,
    ) -> Self {
        Self {
            id,
            fixed,
            start: clock.now(),
            clock,
            listeners,
            signals: CachePadded::new(Signals::new()),
            limits: CachePadded::new(limits),
            keep_alive: AtomicU64::new(0),
            injector: Injector::new(),
            lane: Lane::new(),
            outside: Tally::new(),
            registry: Mutex::new(Registry::default()),
            registry_version: AtomicUsize::new(0),
            next_wake: AtomicUsize::new(0),
            idle: Mutex::new(VecDeque::new()),
            idle_count: AtomicUsize::new(0),
            watchers: Mutex::new(Vec::new()),
            in_stop: AtomicUsize::new(0),
            remains: Mutex::new(Vec::new()),
            stacks,
            helpers,
            workers_created: AtomicU64::new(0),
            stacks_leaked: AtomicU64::new(0),
            stacks_refused: AtomicU64::new(0),
            stacks_given: AtomicU64::new(0),
            stolen: AtomicU64::new(0),
            threads: AtomicUsize::new(0),
            outside_ids: AtomicU64::new(0),
            task_blocks: AtomicU64::new(0),
        }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match &self.fixed.name {
            Some(name) => format!("{} ({name})", self.id),
            None => self.id.to_string(),
        }
    }

    pub(crate) fn tick(&self, at: Instant) -> Tick {
        tick(self.start, at)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        // Ordering: Relaxed; it stands for itself. Who changes it rings the sleeping seats.
        Duration::from_nanos(self.keep_alive.load(Ordering::Relaxed))
    }

    pub(crate) fn set_keep_alive(&self, keep_alive: Duration) {
        let nanos = u64::try_from(keep_alive.as_nanos()).unwrap_or(u64::MAX);
        // Ordering: Relaxed, see `keep_alive`.
        self.keep_alive.swap(nanos, Ordering::Relaxed);
    }

    /// An id for a task that is submitted outside all seats.
    pub(crate) fn next_task_id(&self) -> TaskId {
        // Ordering: Relaxed; each id is given once, nothing follows from its order.
        TaskId(self.outside_ids.fetch_add(1, Ordering::Relaxed) * 2 + 1)
    }

    /// A block of ids for a seat: from the first of the answer up to the second.
    pub(crate) fn next_task_block(&self) -> (u64, u64) {
        // Ordering: Relaxed, as in `next_task_id`.
        let block = self.task_blocks.fetch_add(1, Ordering::Relaxed);
        (block * ID_BLOCK, (block + 1) * ID_BLOCK)
    }

    pub(crate) fn next_worker_id(&self) -> WorkerId {
        // Ordering: Relaxed, as in `next_task_id`.
        WorkerId(self.workers_created.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn stacks_given(&self) -> u64 {
        // Ordering: Acquire, so that a later attempt to take finds the stacks. Before a sleep the caller has a fence.
        self.stacks_given.load(Ordering::Acquire)
    }

    /// Stacks of up to this size may be had now: whoever was refused one tries again. In vain, if the stack is of another size and
    /// in the store, which has its stacks apart by their sizes.
    pub(crate) fn stacks_returned(&self, largest: usize) {
        // Ordering: AcqRel; the fence orders it before the look at who was refused, and who sleeps.
        self.stacks_given.fetch_add(1, Ordering::AcqRel);
        self.offer(largest);
        // Ordering: Relaxed, after the fence.
        if self.stacks_refused.load(Ordering::Relaxed) > 0 {
            self.wake_all();
        }
    }

    /// The seats with a task in hand that may run on a stack of this size try again.
    pub(crate) fn offer(&self, size: usize) {
        light_fence();
        // In hand are only tasks that want more than the usual.
        if size > self.fixed.stack_size {
            self.posts().iter().filter(|post| post.offer(size)).for_each(|post| post.ring());
        }
    }

    pub(crate) fn add_thread(&self) {
        // Ordering: Relaxed; a figure to read.
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_thread(&self) {
        // Ordering: Relaxed; a figure to read.
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let figure = |count, less| self.difference(count, less, Order::Low) as u64;
        // Ordering: Relaxed, for all of them: figures to read.
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Counters {
            accepted: figure(Count::Accepted, Count::Rejected),
            started: figure(Count::Dequeued, Count::Unstarted),
            ended: figure(Count::Ended, Count::Rejected),
            stolen: read(&self.stolen),
            workers_created: read(&self.workers_created),
            stacks: self.stacks.live(),
            peak_stacks: self.stacks.peak(),
            stacks_refused: read(&self.stacks_refused),
            stacks_emptied: self.stacks.emptied(),
            stacks_leaked: read(&self.stacks_leaked),
            // Ordering: Relaxed, as above.
            threads: self.threads.load(Ordering::Relaxed) + self.helpers.threads(),
        }
    }

    pub(crate) fn state(&self) -> PoolState {
        self.signals.read().state()
    }

    // --- seats ---------------------------------------------------------------------------------------------------

    pub(crate) fn next_seat_id(&self) -> SeatId {
        let mut registry = self.registry.lock();
        let id = SeatId(registry.next_seat);
        registry.next_seat = registry.next_seat.wrapping_add(1);
        id
    }

    pub(crate) fn register(&self, post: &Arc<Post>) {
        self.registry.lock().posts.push(Arc::clone(post));
        // Ordering: Release; Relaxed would do, who sees the new version and then locks sees the change anyway.
        self.registry_version.fetch_add(1, Ordering::Release);
    }

    /// Takes a seat out and keeps its counts.
    pub(crate) fn unregister(&self, post: &Arc<Post>) {
        {
            let mut registry = self.registry.lock();
            registry.posts.retain(|other| !Arc::ptr_eq(other, post));
            registry.left.fold(post.tally.read());
        }
        // Ordering: Release, as in `register`.
        self.registry_version.fetch_add(1, Ordering::Release);
    }

    #[inline]
    pub(crate) fn registry_version(&self) -> usize {
        // Ordering: Acquire, as in `register`; a stale version only delays a thief.
        self.registry_version.load(Ordering::Acquire)
    }

    /// Whether the calling thread has the only seat, and no background thread will come up with another.
    pub(crate) fn is_only_seated_here(&self) -> bool {
        // Ordering: Relaxed; the threads are counted by the thread that builds the pool, before it hands it out.
        let served = self.threads.load(Ordering::Relaxed) > 0;
        !served && own_seat(self, |seat| seat.is_some()) && self.registry.lock().posts.len() == 1
    }

    pub(crate) fn posts(&self) -> Vec<Arc<Post>> {
        self.registry.lock().posts.clone()
    }

    /// `plus` less `minus` over all seats; the first of the two in `order` is read first.
    fn difference(&self, plus: Count, minus: Count, order: Order) -> usize {
        let registry = self.registry.lock();
        let sum = |count: Count| {
            let seats: u64 = registry.posts.iter().map(|post| post.tally.get(count)).sum();
            seats + self.outside.get(count) + registry.left.get(count)
        };
        let difference = match order {
            Order::High => {
                let minus = sum(minus);
                sum(plus).saturating_sub(minus)
            }
            Order::Low => {
                let plus = sum(plus);
                plus.saturating_sub(sum(minus))
            }
        };
        usize::try_from(difference).unwrap_or(usize::MAX)
    }

    /// Accepted and never started, read high.
    pub(crate) fn size(&self) -> usize {
        self.difference(Count::Accepted, Count::Dequeued, Order::High)
    }

    /// Accepted and without an outcome, read high.
    pub(crate) fn outstanding(&self) -> usize {
        self.difference(Count::Accepted, Count::Ended, Order::High)
    }

    /// Whether all workers that may live wait for tasks of this pool, while tasks are queued.
    pub(crate) fn is_stalled(&self) -> bool {
        let limits = self.limits.load();
        limits.running >= limits.max && self.all_join() && self.size() > 0
    }

    /// Whether every live worker waits for a task of this pool.
    pub(crate) fn all_join(&self) -> bool {
        let running = self.limits.load().running;
        let joining = self.difference(Count::JoinBegun, Count::JoinOver, Order::Low);
        joining >= running as usize && self.limits.load().running == running
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for listener in std::mem::take(&mut self.listeners) {
            task::discard(listener);
        }
    }
}

/// Which of a sum's two counts is read first; see [`tally`](super::tally).
#[derive(Clone, Copy)]
enum Order {
    /// The one that is taken away: the difference is at least the true one.
    High,
    /// The other one: the difference is at most the true one.
    Low,
}
