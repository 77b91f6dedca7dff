//! The core of a pool that its seats and handles share.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use copool_spec::{PoolId, PoolState, SeatId, TaskId, Tell, Tick, WorkerId};

use super::tally::{Count, Tallied, Tally};
use super::{Counters, Post};
use crate::clock::{Clock, tick};
use crate::creator::Limits;
use crate::lifecycle::Signals;
use crate::listener::Listener;
use crate::queue::{Lane, LocalOrder};
use crate::stack::Stacks;
use crate::sync::deque::Injector;
use crate::sync::{Arc, AtomicU64, AtomicUsize, CachePadded, Mutex, Ordering, heavy_fence, light_fence};
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
    registry: Mutex<Registry>,
    registry_version: AtomicUsize,
    /// The next seat from which waking begins, so that it goes round.
    next_wake: AtomicUsize,
    idle: Mutex<VecDeque<Idle>>,
    idle_count: AtomicUsize,
    watchers: Mutex<Vec<Waiter>>,
    /// Tasks that are in `stop`.
    pub(crate) in_stop: AtomicUsize,
    /// Tasks that were abandoned in a queue, whose closures are still to be dropped.
    pub(crate) remains: Mutex<Vec<Task>>,
    pub(crate) stacks: Stacks,
    pub(crate) helpers: Helpers,
    pub(crate) workers_created: AtomicU64,
    pub(crate) stacks_leaked: AtomicU64,
    pub(crate) stacks_refused: AtomicU64,
    pub(crate) stolen: AtomicU64,
    threads: AtomicUsize,
    outside_ids: AtomicU64,
    task_blocks: AtomicU64,
}

#[derive(Default)]
struct Registry {
    posts: Vec<Arc<Post>>,
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

    pub(crate) fn add_thread(&self) {
        // Ordering: Relaxed; a figure to read.
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_thread(&self) {
        // Ordering: Relaxed; a figure to read.
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let totals = self.totals();
        // Ordering: Relaxed, for all of them: figures to read.
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Counters {
            accepted: totals.get(Count::Accepted),
            started: totals.get(Count::Dequeued) - totals.get(Count::Unstarted),
            ended: totals.get(Count::Ended),
            stolen: read(&self.stolen),
            workers_created: read(&self.workers_created),
            stacks: self.stacks.live(),
            peak_stacks: self.stacks.peak(),
            stacks_refused: read(&self.stacks_refused),
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
        // Ordering: Release; who sees the new version and then locks sees the change anyway.
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
        limits.running >= limits.max
            && self.difference(Count::JoinBegun, Count::JoinOver, Order::Low) >= limits.running as usize
            && self.limits.load().running == limits.running
            && self.size() > 0
    }

    pub(crate) fn totals(&self) -> Tallied {
        let registry = self.registry.lock();
        let mut totals = registry.left;
        totals.fold(self.outside.read());
        for post in &registry.posts {
            totals.fold(post.tally.read());
        }
        totals
    }

    // --- sleeping and waking -------------------------------------------------------------------------------------

    /// Whether any shared source holds a task; seats' own deques come on top.
    pub(crate) fn shared_work(&self) -> bool {
        !self.injector.is_empty() || !self.lane.is_empty()
    }

    /// Whether any source of any seat holds something.
    pub(crate) fn any_work(&self) -> bool {
        self.shared_work() || self.registry.lock().posts.iter().any(|post| !post.stealer.is_empty())
    }

    /// After a push: wakes a sleeper, if there is one.
    #[cold]
    pub(crate) fn wake_one(&self) {
        let posts = self.posts();
        if posts.is_empty() {
            return;
        }
        // Ordering: Relaxed; it only spreads the wake-ups.
        let from = self.next_wake.fetch_add(1, Ordering::Relaxed);
        for n in 0..posts.len() {
            let post = &posts[from.wrapping_add(n) % posts.len()];
            if !post.is_leaving() && post.wake() {
                return;
            }
        }
    }

    /// Has every sleeping seat look again.
    pub(crate) fn wake_all(&self) {
        light_fence();
        for post in self.posts() {
            post.wake();
        }
    }

    /// A worker's count was released, or a drive ends: what still waits may be for a sleeper now.
    pub(crate) fn pass_on(&self) {
        light_fence();
        let signals = self.signals.read();
        if signals.is_closed() {
            self.settle();
        }
        if signals.has_sleepers() && self.any_work() {
            self.wake_one();
        }
    }

    /// After an outcome was published and counted, or a task has entered `stop`: whoever waits for quiet looks.
    #[inline]
    pub(crate) fn completed(&self) {
        light_fence();
        let signals = self.signals.read();
        if signals.is_closed() || signals.has_watchers() {
            self.completed_watched();
        }
    }

    #[cold]
    fn completed_watched(&self) {
        // Ordering: Acquire; whoever enters `stop` counts itself before it looks.
        if self.outstanding() > self.in_stop.load(Ordering::Acquire) {
            return;
        }
        self.wake_watchers();
        self.wake_all();
        if self.signals.read().is_closed() {
            self.settle();
        }
    }

    /// Whether only tasks in `stop` are without an outcome.
    pub(crate) fn is_quiet(&self) -> bool {
        let outstanding = self.outstanding();
        // Ordering: Acquire, as in `completed_watched`.
        outstanding <= self.in_stop.load(Ordering::Acquire)
    }

    /// Registers somebody who waits for quiet, for one wake-up. The caller looks after this.
    pub(crate) fn watch(&self, waiter: Waiter) {
        self.watchers.lock().push(waiter);
        self.signals.add_watcher();
        heavy_fence();
    }

    /// Takes back what `watch` did, woken or not.
    pub(crate) fn unwatch(&self, is_mine: impl Fn(&Waiter) -> bool) {
        let mut mine = Vec::new();
        {
            let mut watchers = self.watchers.lock();
            while let Some(at) = watchers.iter().position(&is_mine) {
                mine.push(watchers.swap_remove(at));
            }
        }
        self.signals.remove_watcher();
    }

    fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock());
        task::wake_all(watchers);
    }

    /// In a closed pool without unfinished tasks: lets the idle workers go, and moves to Stopped after the last.
    pub(crate) fn settle(&self) {
        if self.outstanding() > 0 {
            return;
        }
        while let Some(idle) = self.take_idle() {
            self.retire(idle);
        }
        if self.limits.load().running == 0 && self.signals.stopped() {
            self.pool_stopped(self.id);
            self.stacks.trim();
            self.helpers.close();
            self.wake_watchers();
            self.wake_all();
        }
    }

    // --- idle workers --------------------------------------------------------------------------------------------

    pub(crate) fn has_idle(&self) -> bool {
        // Ordering: Relaxed; the list's lock decides, and who sleeps on it has a fence before.
        self.idle_count.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn put_idle(&self, idle: Idle) {
        let mut list = self.idle.lock();
        list.push_back(idle);
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
    }

    /// When the next idle worker's keep-alive is over.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let limits = self.limits.load();
        if !self.has_idle() || limits.running <= limits.min {
            return None;
        }
        self.idle.lock().front().and_then(|idle| idle.since.checked_add(self.keep_alive()))
    }

    /// A worker that this drive of this seat idled.
    pub(crate) fn take_idle_of(&self, drive: (u32, u64)) -> Option<Idle> {
        if !self.has_idle() {
            return None;
        }
        let mut list = self.idle.lock();
        let at = list.iter().position(|idle| idle.by == drive)?;
        let idle = list.remove(at);
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle
    }

    /// Whether a worker idles that this drive of this seat idled.
    pub(crate) fn has_idle_of(&self, drive: (u32, u64)) -> bool {
        self.has_idle() && self.idle.lock().iter().any(|idle| idle.by == drive)
    }

    /// The worker that idled last.
    pub(crate) fn take_idle(&self) -> Option<Idle> {
        if !self.has_idle() {
            return None;
        }
        let mut list = self.idle.lock();
        let idle = list.pop_back();
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle
    }

    /// Takes a worker out whose keep-alive is over at `now`, or else says when the next one's is.
    pub(crate) fn take_expired(&self, now: Instant) -> Result<Idle, Option<Instant>> {
        let keep_alive = self.keep_alive();
        let limits = self.limits.load();
        if limits.running <= limits.min {
            return Err(None);
        }
        let mut list = self.idle.lock();
        // They idle in the order of the list, so the first is the oldest.
        let until = list.front().and_then(|idle| idle.since.checked_add(keep_alive));
        if until.is_none_or(|until| until > now) {
            return Err(until);
        }
        let idle = list.pop_front();
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle.ok_or(None)
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
